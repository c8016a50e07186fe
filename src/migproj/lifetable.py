"""Period life tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

import numpy as np
import xarray as xr

from migproj._apply import Input, Output, apply
from migproj._checks import as_number, check_dims, check_numbers, check_rates, check_sexes, where
from migproj._diagnostics import finding, warn_findings
from migproj.ages import AgeGroups, groups_of
from migproj.conventions import MALE, VARIABLES
from migproj.errors import SchemaError

__all__ = ["life_table"]

A0Rule: TypeAlias = Literal["coale-demeny", "andreev-kingkade"]
AxRule: TypeAlias = Literal["greville", "half"]

_A0_RULES: Final = {"coale-demeny": 1, "andreev-kingkade": 2}
_AX_RULES: Final = {"greville": 1, "half": 2}
_COLUMNS: Final = ("ax", "qx", "lx", "dx", "Lx", "Tx", "ex")
_COUNTS: Final = ("n_qx_above_one", "n_mx_zero", "n_mx_high")


def life_table(
    mx: xr.DataArray,
    *,
    a0: A0Rule | float | xr.DataArray = "coale-demeny",
    ax: AxRule | xr.DataArray = "greville",
    radix: float = 1.0,
) -> xr.Dataset:
    r"""Period life table from death rates, abridged (0, 1-4, 5-9, ...) or by single years.

    Parameters
    ----------
    mx : DataArray (..., age)
        Death rates per person-year; the last age group is open-ended. A dim (or scalar
        coordinate) ``sex`` is needed by the rules for the first years of life. Other dims
        broadcast.
    a0 : {"coale-demeny", "andreev-kingkade"}, float or DataArray (...)
        Years lived in the first year of life by those who die in it: a rule by sex and m0,
        or given.
    ax : {"greville", "half"} or DataArray (..., age)
        Years lived in the group by those who die in it. "greville" (UN WPP 2019): in groups
        wider than a year from age 15 to the last closed one, n/2 - n²/12 (m - k), where k is
        the growth of log m between the neighbouring groups' midpoints, at least 0.97 from age
        45 on; n/2 elsewhere, and where a neighbour's rate is 0. "half": n/2. In both, age 0
        follows `a0`, and ages 1-4 the Coale-Demeny rule by sex. An array is used as it is,
        also in the first groups.
    radix : float, default 1.0
        Survivors at the first age.

    Returns
    -------
    Dataset
        ``mx`` (1/year), ``ax`` (years), ``qx`` (1), ``lx``, ``dx`` (persons), ``Lx``, ``Tx``
        (person-years), ``ex`` (years), all (..., age); and counts of suspicious groups (...):
        ``n_qx_above_one`` (where n m implies qx > 1, the group is closed by a constant
        hazard: q = 1 - exp(-n m)), ``n_mx_zero``, ``n_mx_high`` (mx above 2 a year).

    Raises
    ------
    SchemaError
        If dims, labels or values are not what is described here.

    Warns
    -----
    DataQualityWarning
        Once a call, naming the labels, if any count is not 0. A rate of 0 in the open-ended
        group leaves nobody to die: Lx, Tx and ex are infinite. A missing rate makes Tx and ex
        of its own table missing, the other columns from there on, and no other table.

    Notes
    -----
    .. math:: q_x = \frac{n m_x}{1 + (n - a_x) m_x}, \quad L_x = n l_{x+n} + a_x d_x,
              \quad L_A = l_A / m_A

    References
    ----------
    Preston, Heuveline & Guillot (2001), *Demography*, ch. 3 and table 3.3 (Coale-Demeny
    West); Andreev & Kingkade (2015), *Demographic Research* 33(13), table 3-2; Greville (1943),
    *Record of the American Institute of Actuaries* 32; UN (2019), *World Population Prospects
    2019: Methodology*.

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> mx = xr.DataArray(
    ...     [[0.02, 0.001, 0.0005, 0.02]], dims=("sex", "age"),
    ...     coords={"sex": ["female"], **mp.age_coords(["0", "1-4", "5-9", "10+"])})
    >>> table = mp.life_table(mx)
    >>> table["ex"].round(3).values
    array([[58.47 , 58.64 , 54.869, 50.   ]])
    """
    check_dims("mx", mx, "age")
    check_rates("mx", mx)
    groups = groups_of(mx, "mx")
    if not groups.is_open:
        raise SchemaError(
            f"mx: dim 'age': expected an open-ended last group, got {groups.labels[-1]}; a life "
            "table is closed by the death rate of everyone from some age on"
        )
    a0_rule = _rule("a0", a0, _A0_RULES)
    ax_rule = _rule("ax", ax, _AX_RULES)
    if not 0 < float(as_number("radix", radix)) < float("inf"):
        raise SchemaError(f"radix: expected survivors above 0 at the first age, got {radix!r}")
    if ax_rule:
        _check_first_groups(groups)
    given_a0 = as_number("a0", 0.0 if isinstance(a0, str) else a0)
    _check_within("a0", given_a0, xr.DataArray(1.0))
    given_ax = xr.DataArray([0.0], dims="age") if isinstance(ax, str) else ax
    if not isinstance(ax, str):
        check_dims("ax", given_ax, "age")
        if groups_of(given_ax, "ax") != groups:
            raise SchemaError(
                f"ax: dim 'age': expected the groups of mx, {groups.labels}, got "
                f"{groups_of(given_ax, 'ax').labels}"
            )
        _check_within("ax", given_ax, groups.coords()["age_width"])
    abridged = len(groups) > 1 and groups.width[1] == 4
    needs_sex = ax_rule > 0 and groups.lower[0] == 0 and (a0_rule > 0 or abridged)
    from migproj._kernels import lifetable as kernels

    sizes = (len(groups),)
    results = apply(
        kernels.life_table,
        [
            Input("mx", mx, ("age",)),
            Input("sex", _male(mx, needs_sex), dtype=np.int64),
            Input("a0", given_a0),
            Input("ax", given_ax, ("age",)),
        ],
        [Output(name, ("age",), sizes) for name in _COLUMNS]
        + [Output(name, dtype=np.int64) for name in _COUNTS],
        np.array(groups.lower, dtype=np.float64),
        np.array(groups.width),
        a0_rule,
        ax_rule,
        float(radix),
    )
    own = mx.astype(np.float64).transpose(..., "age").drop_vars("age_width", errors="ignore")
    own.attrs = {"units": VARIABLES["mx"].units}
    table = xr.Dataset({"mx": own, **{str(array.name): array for array in results}})
    warn_findings(
        "life_table",
        [
            finding("qx > 1, closed by a constant hazard", table["n_qx_above_one"] > 0),
            finding("mx = 0", mx == 0),
            finding("mx above 2 a year (rates per 1,000?)", mx > 2),
        ],
    )
    return table.assign_coords(groups.coords())


def _rule(name: str, given: object, rules: Mapping[str, int]) -> int:
    """The code of a rule, 0 where values are given instead."""
    if not isinstance(given, str):
        return 0
    if given not in rules:
        raise SchemaError(f"{name}: expected one of {list(rules)} or values, got {given!r}")
    return rules[given]


def _check_within(name: str, array: xr.DataArray, width: xr.DataArray) -> None:
    """Years lived in a group by those who die in it are between 0 and its width."""
    check_numbers(name, array)
    if array.chunks is None:
        outside = (array < 0) | (array > width)
        if outside.any():
            cells = "; ".join(where(outside, outside.values))
            raise SchemaError(
                f"{name}: expected years between 0 and the width of the group, got "
                f"{float(array.where(outside).max()):g} ({cells})"
            )


def _check_first_groups(groups: AgeGroups) -> None:
    if groups.lower[0] == 0 and len(groups) > 1 and groups.width[0] != 1:
        raise SchemaError(
            f"mx: dim 'age': expected single ages or the abridged groups 0, 1-4, 5-9, ..., got "
            f"{groups.labels[:3]}; infants die early in a group of {groups.width[0]:g} years: "
            "split it at age 1, or give ax for every group"
        )


def _male(mx: xr.DataArray, needed: bool) -> xr.DataArray:
    """1 for males, 0 for females, with the dim sex if `mx` has it."""
    if "sex" not in mx.coords:
        if "sex" in mx.dims:
            check_sexes("mx", mx, both=False)
        if needed:
            raise SchemaError(
                "mx: expected a dim or scalar coordinate 'sex', got dims "
                f"{tuple(mx.dims)!r}: the rules for the first years of life depend on it; "
                "mx.assign_coords(sex='female'), or give a0 (single years) or ax"
            )
        return xr.DataArray(0)
    check_sexes("mx", mx, both=False)
    return (mx["sex"] == MALE).astype(np.int64)
