"""Period life tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

import numpy as np
import xarray as xr

from migproj._apply import Input, Output, apply, apply_together, dated_as
from migproj._checks import (
    as_number,
    check_dims,
    check_numbers,
    check_rates,
    check_ratio_at_birth,
    check_sexes,
    check_table,
    check_weights,
    where,
)
from migproj._choices import check_choice, plain_number
from migproj._diagnostics import counted, finding, warn_findings
from migproj.ages import AgeGroups, closed_groups, groups_of
from migproj.conventions import MALE
from migproj.errors import SchemaError

__all__ = ["close_life_table", "death_rates", "life_table"]


A0Rule: TypeAlias = Literal["coale-demeny", "andreev-kingkade"]
AxRule: TypeAlias = Literal["greville", "half", "un"]
Family: TypeAlias = Literal["west", "north", "east", "south"]

_A0_RULES: Final = {"coale-demeny": 1, "andreev-kingkade": 2}
_AX_RULES: Final = {"greville": 1, "half": 2, "un": 3}
_FAMILIES: Final = ("west", "north", "east", "south")
_COLUMNS: Final = ("mx", "ax", "qx", "lx", "dx", "Lx", "Tx", "ex")
_COUNTS: Final = ("n_qx_above_one", "n_mx_zero", "n_mx_high")


def life_table(
    mx: xr.DataArray,
    *,
    a0: A0Rule | float | xr.DataArray = "coale-demeny",
    ax: AxRule | xr.DataArray = "greville",
    radix: float = 1.0,
    family: Family | None = None,
    q0: float | xr.DataArray | None = None,
    sex_ratio_at_birth: float | xr.DataArray | None = None,
) -> xr.Dataset:
    r"""Period life table from death rates, abridged (0, 1-4, 5-9, ...) or by single years.

    Parameters
    ----------
    mx : DataArray (..., age)
        Death rates per person-year; the last age group is open-ended. A dim (or scalar
        coordinate) ``sex`` is needed by the rules for the first years of life. Other dims
        broadcast. Parameters that :func:`extend_mortality` or :func:`log_quadratic` left as
        coordinates stay with the rates.
    a0 : {"coale-demeny", "andreev-kingkade"}, float or DataArray (...)
        Years lived in the first year of life by those who die in it: a rule by sex and m0,
        or given.
    ax : {"greville", "half", "un"} or DataArray (..., age)
        Years lived in the group by those who die in it. "greville" (UN WPP 2019): in groups
        wider than a year from age 15 to the last closed one, n/2 - n²/12 (m - k), where k is
        the growth of log m between the neighbouring groups' midpoints, at least 0.97 from age
        45 on; n/2 elsewhere, and where a neighbour's rate is 0. "un": the same formula from age
        5 on; outside 0.4 n to 0.6 n, from age 10 on, that of a constant hazard. "half": n/2. In
        all, age 0 follows `a0`, and ages 1-4 the Coale-Demeny rule by sex. An array is used as
        it is, also in the first groups.
    radix : float, default 1.0
        Survivors at the first age.
    family : {"west", "north", "east", "south"}, optional
        Family of the Coale-Demeny rules, which then go by q0 instead of m0.
    q0 : float or DataArray (...), optional
        Probability of dying in the first year, where it is better known than m0, which is made
        from it; `a0` then goes by q0.
    sex_ratio_at_birth : float or DataArray (...), optional
        Male births per female birth, for `mx` of both sexes together (without ``sex``): the
        rules for the first years are weighted by it.

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
    West); Coale & Demeny (1983), *Regional Model Life Tables and Stable Populations*; Andreev &
    Kingkade (2015), *Demographic Research* 33(13), table 3-2; Greville (1943), *Record of the
    American Institute of Actuaries* 32; UN (2019), *World Population Prospects 2019: Methodology*.

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
    # Parameters of the law that made the rates tell nothing of what is made of the table.
    of_a_law = [name for name, own in mx.coords.variables.items() if "parameter_of" in own.attrs]
    mx = mx.drop_vars(of_a_law) if of_a_law else mx
    groups = groups_of(mx, "mx")
    if not groups.is_open:
        raise SchemaError(
            f"mx: dim 'age': expected an open-ended last group, got {groups.labels[-1]}; a life "
            "table is closed by the death rate of everyone from some age on: give that, or "
            "mp.extend_mortality adds it"
        )
    a0_rule = _rule("a0", a0, _A0_RULES)
    ax_rule = _rule("ax", ax, _AX_RULES)
    if not 0 < plain_number("radix", radix, "survivors above 0 at the first age") < float("inf"):
        raise SchemaError(f"radix: expected survivors above 0 at the first age, got {radix!r}")
    if ax_rule:
        _check_first_groups(groups, "mx")
    infant = _infant(q0, groups)
    given_a0, given_ax = _given(a0, ax, groups, "mx")
    abridged = len(groups) > 1 and groups.width[1] == 4
    needs_sex = ax_rule > 0 and groups.lower[0] == 0 and (a0_rule > 0 or abridged)
    from migproj._kernels import lifetable as kernels

    sizes = (len(groups),)
    table = apply_together(
        kernels.life_table,
        [
            Input("mx", mx, ("age",)),
            Input("sex", _males("mx", mx, needs_sex, sex_ratio_at_birth)),
            Input("a0", given_a0),
            Input("ax", given_ax, ("age",)),
            Input("q0", infant),
        ],
        [Output(name, ("age",), sizes) for name in _COLUMNS]
        + [Output(name, dtype=np.int64) for name in _COUNTS],
        np.array(groups.lower, dtype=np.float64),
        np.array(groups.width),
        a0_rule,
        ax_rule,
        _family(family),
        int(q0 is not None),
        float(radix),
        coords=groups.variables(),
    )
    table = dated_as(table, mx)
    above_one, zero, high = (table.variables[name] for name in _COUNTS)
    warn_findings(
        "life_table",
        [
            counted(
                "qx > 1, closed by a constant hazard",
                above_one,
                lambda: table["n_qx_above_one"] > 0,
            ),
            counted("mx = 0", zero, lambda: mx == 0),
            counted("mx above 2 a year (rates per 1,000?)", high, lambda: mx > 2),
        ],
    )
    return table


def close_life_table(life_table: xr.Dataset, age: int) -> xr.Dataset:
    r"""Life table with a younger open-ended group.

    Parameters
    ----------
    life_table : Dataset with ``mx``, ``ax``, ``qx``, ``lx``, ``dx``, ``Lx``, ``Tx``, ``ex``
        As made by :func:`life_table`, all (..., age).
    age : int
        Lower bound of a group of the table, from which on the group is open-ended.

    Returns
    -------
    Dataset
        The same columns and counts, of the groups up to `age`. In the last one qx is 1, dx is
        lx, Lx is Tx, ax is ex and mx is lx / Tx; nothing else changes.

    Raises
    ------
    SchemaError
        If the table lacks a variable, is not closed by an open-ended group, or has no group
        that begins at `age`.

    Notes
    -----
    The rate of the open-ended group is that of the table's stationary population, which gives
    back the table. It is not that observed from `age` on, where the ages differ from stationary.

    References
    ----------
    Preston, Heuveline & Guillot (2001), *Demography*, ch. 3 (the open-ended interval).

    Examples
    --------
    >>> import migproj as mp, numpy as np, xarray as xr
    >>> mx = xr.DataArray(4e-5 * np.exp(0.09 * np.arange(50.5, 111)), dims="age",
    ...                   coords=mp.age_coords(range(50, 111)))
    >>> table = mp.life_table(mx, a0=0.1)
    >>> closed = mp.close_life_table(table, 85)
    >>> closed.sizes["age"], float(closed["mx"][-1].round(4))
    (36, 0.1442)
    >>> bool(closed["ex"][0] == table["ex"][0])
    True
    """
    check_table("life_table", life_table, *_COLUMNS)
    groups = groups_of(life_table, "life_table")
    if (
        not groups.is_open
        or plain_number("age", age, "the lower bound of a group") not in groups.lower
    ):
        raise SchemaError(
            f"age: expected a lower bound of a table with an open-ended last group, got {age!r} of "
            f"{', '.join(groups.labels)}"
        )
    last = groups.lower.index(age)
    kept = life_table.isel(age=slice(0, last + 1))
    wide = AgeGroups(groups.lower[: last + 1], (*groups.width[:last], float("inf")))
    at = kept.isel(age=[last])
    one = xr.ones_like(at["lx"]).where(at["lx"].notnull())
    ends = {
        "mx": at["lx"] / at["Tx"],
        "ax": at["ex"],
        "qx": one,
        "dx": at["lx"],
        "Lx": at["Tx"],
    }
    open_ended = xr.DataArray(np.arange(last + 1) == last, dims="age")
    columns = {}
    for name, end in ends.items():
        column = kept[name]
        end = end.isel(age=0).drop_vars(["age", "age_width"], errors="ignore")
        made = column.where(~open_ended, end).transpose(*column.dims)
        columns[name] = made.assign_attrs(column.attrs)
    return kept.assign(columns).assign_coords(wide.coords())


def death_rates(
    *,
    qx: xr.DataArray | None = None,
    lx: xr.DataArray | None = None,
    a0: A0Rule | float | xr.DataArray = "coale-demeny",
    ax: AxRule | xr.DataArray = "greville",
    family: Family | None = None,
    sex_ratio_at_birth: float | xr.DataArray | None = None,
) -> xr.DataArray:
    r"""Death rates with which :func:`life_table` gives back probabilities of dying, or survivors.

    Parameters
    ----------
    qx : DataArray (..., age)
        Probabilities of dying in the group; in an open-ended last group they are not read.
    lx : DataArray (..., age)
        Instead of `qx`: survivors to the lower bounds of the groups, of any radix.
    a0, ax, family, sex_ratio_at_birth
        Rules, as :func:`life_table` takes them; `ax` given has the closed groups.

    Returns
    -------
    DataArray "mx" (..., age)
        Rates (1/year) of the closed groups: :func:`extend_mortality` adds the older ones.

    Raises
    ------
    SchemaError
        If not just one of `qx` and `lx` is given, if probabilities are not from 0 to 1, or
        survivors rise with age.

    Warns
    -----
    DataQualityWarning
        Once a call, naming the labels, where no rates give the probabilities back by the rules
        (these jump between two rates).

    Notes
    -----
    .. math:: m_x = \frac{q_x}{n - (n - a_x) q_x}

    where a(x) may depend on the rates: this is repeated until they no longer change. "greville" and
    "un" need the rate of a neighbour beyond the last closed group: it is supposed to grow as that
    group did from the one before. With another rate there, qx of the last group differs a little.
    With these two rules a missing value makes the rates missing at all ages to which they apply.

    References
    ----------
    Preston, Heuveline & Guillot (2001), *Demography*, ch. 3.

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> lx = xr.DataArray([1.0, 0.9, 0.85, 0.84], dims="age",
    ...                   coords={"sex": "female", **mp.age_coords(["0", "1-4", "5-9", "10+"])})
    >>> mx = mp.death_rates(lx=lx)
    >>> mx.round(4).values
    array([0.1069, 0.0144, 0.0024])
    """
    qx = _probabilities(qx, lx)
    groups = groups_of(qx, "qx")
    a0_rule = _rule("a0", a0, _A0_RULES)
    ax_rule = _rule("ax", ax, _AX_RULES)
    if ax_rule:
        _check_first_groups(groups, "qx")
    given_a0, given_ax = _given(a0, ax, groups, "qx")
    abridged = len(groups) > 1 and groups.width[1] == 4
    needs_sex = ax_rule > 0 and groups.lower[0] == 0 and (a0_rule > 0 or abridged)
    from migproj._kernels import lifetable as kernels

    mx, unmatched = apply(
        kernels.death_rates,
        [
            Input("qx", qx, ("age",)),
            Input("sex", _males("qx", qx, needs_sex, sex_ratio_at_birth)),
            Input("a0", given_a0),
            Input("ax", given_ax, ("age",)),
        ],
        [Output("mx", ("age",), (len(groups),)), Output("n_unmatched", dtype=np.int64)],
        np.array([*groups.lower, groups.upper[-1]], dtype=np.float64),
        np.array([*groups.width, np.inf]),
        a0_rule,
        ax_rule,
        _family(family),
    )
    warn_findings("death_rates", [finding("no rates give these probabilities back", unmatched > 0)])
    return dated_as(mx, qx).assign_coords(groups.coords())


def _probabilities(qx: xr.DataArray | None, lx: xr.DataArray | None) -> xr.DataArray:
    """Probabilities of dying in the closed groups."""
    if (qx is None) == (lx is None):
        raise SchemaError(
            f"qx, lx: expected one of them, got {'none' if qx is None else 'both'}; each gives "
            "the other: pass one"
        )
    if qx is not None:
        check_dims("qx", qx, "age")
        groups = groups_of(qx, "qx")
        closed = closed_groups(groups)
        made = qx.isel(age=slice(0, len(closed)))
        check_weights("qx", made, "probabilities")
        if made.chunks is None and bool((made > 1).any()):
            raise SchemaError(
                f"qx: expected probabilities up to 1, got {float(made.max()):g}; divide deaths per "
                "1,000 by 1,000"
            )
    else:
        assert lx is not None
        check_dims("lx", lx, "age")
        check_weights("lx", lx, "survivors")
        closed = closed_groups(groups_of(lx, "lx"))
        survivors = lx.isel(age=slice(0, len(closed) + 1)).drop_vars(
            ["age", "age_width"], errors="ignore"
        )
        if survivors.sizes["age"] == len(closed):
            raise SchemaError(
                "lx: dim 'age': expected an open-ended last group, whose lower bound the last of "
                f"those counted live to, got {closed.labels[-1]}"
            )
        now, after = survivors.isel(age=slice(0, -1)), survivors.isel(age=slice(1, None))
        rising = after > now
        if survivors.chunks is None and bool(rising.any()):
            raise SchemaError(
                "lx: expected survivors that do not rise with age, got more at the end of "
                f"{'; '.join(where(rising.assign_coords(closed.coords()), rising.values))}"
            )
        made = 1.0 - after / now.where(now > 0)
    if not closed.lower:
        raise SchemaError("qx, lx: dim 'age': expected closed groups, got the open-ended one alone")
    return made.assign_coords(closed.coords())


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


def _family(family: Family | None) -> int:
    """The code of a family, 0 where there is none."""
    check_choice("family", family, (None, *_FAMILIES))
    return 0 if family is None else 1 + _FAMILIES.index(family)


def _given(
    a0: A0Rule | float | xr.DataArray, ax: AxRule | xr.DataArray, groups: AgeGroups, whose: str
) -> tuple[xr.DataArray, xr.DataArray]:
    """The a0 and ax that are given, checked; any where there are rules."""
    given_a0 = xr.DataArray(0.0)
    if not isinstance(a0, str):
        given_a0 = as_number("a0", a0)
        _check_within("a0", given_a0, xr.DataArray(1.0))
    if isinstance(ax, str):
        return given_a0, xr.DataArray([0.0], dims="age")
    check_dims("ax", ax, "age")
    if (got := groups_of(ax, "ax")) != groups:
        raise SchemaError(
            f"ax: dim 'age': expected the groups of {whose}; {groups.unlike(got)}; give ax for each"
        )
    _check_within("ax", ax, groups.coords()["age_width"])
    return given_a0, ax


def _check_first_groups(groups: AgeGroups, whose: str) -> None:
    if groups.lower[0] == 0 and len(groups) > 1 and groups.width[0] != 1:
        raise SchemaError(
            f"{whose}: dim 'age': expected single ages or the abridged groups 0, 1-4, 5-9, ..., "
            f"got {groups.labels[:3]}; infants die early in a group of {groups.width[0]:g} years: "
            "split it at age 1, or give ax for every group"
        )


def _infant(q0: float | xr.DataArray | None, groups: AgeGroups) -> xr.DataArray:
    """Probabilities of dying in the first year, if they are given."""
    if q0 is None:
        return xr.DataArray(0.0)
    infant = as_number("q0", q0)
    if groups.lower[0] != 0 or groups.width[0] != 1:
        raise SchemaError(
            f"q0: expected with a first group of age 0 alone, got {groups.labels[0]}; leave q0 out"
        )
    check_numbers("q0", infant)
    if infant.chunks is None and bool(((infant < 0) | (infant > 1)).any()):
        raise SchemaError(
            f"q0: expected probabilities from 0 to 1, got {float(infant.max()):g}; infant deaths "
            "per 1,000 births are to be divided by 1,000"
        )
    return infant


def _males(
    name: str, mx: xr.DataArray, needed: bool, sex_ratio_at_birth: float | xr.DataArray | None
) -> xr.DataArray:
    """1 for males, 0 for females, with the dim sex if `mx` has it; or males' share of births."""
    if sex_ratio_at_birth is not None:
        if "sex" in mx.coords or "sex" in mx.dims:
            raise SchemaError(
                f"sex_ratio_at_birth: expected with both sexes together, got {name} by sex; leave "
                "it out"
            )
        ratio = as_number("sex_ratio_at_birth", sex_ratio_at_birth)
        check_ratio_at_birth("sex_ratio_at_birth", ratio)
        return ratio / (1.0 + ratio)
    if "sex" not in mx.coords:
        if "sex" in mx.dims:
            check_sexes(name, mx, both=False)
        if needed:
            raise SchemaError(
                f"{name}: expected a dim or scalar coordinate 'sex', got dims "
                f"{tuple(mx.dims)!r}: the rules for the first years of life depend on it; "
                f"{name}.assign_coords(sex='female'), or sex_ratio_at_birth for both together, or "
                "give a0 (single years) or ax"
            )
        return xr.DataArray(0.0)
    check_sexes(name, mx, both=False)
    sex = mx["sex"]
    return sex.copy(data=(sex.values == MALE).astype(np.float64))
