"""Laws of mortality at old ages, fitted to death rates and put in their place."""

from __future__ import annotations

from typing import Any, Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import xarray as xr

from migproj._apply import Input, Output, apply, dated_as
from migproj._checks import (
    check_counts,
    check_dims,
    check_labels_match,
    check_rates,
    check_same_places,
    where,
)
from migproj._choices import age_range, check_choice, plain_number
from migproj._diagnostics import finding, warn_findings
from migproj.ages import OLDEST, AgeGroups, closed_groups, groups_of
from migproj.errors import AlignmentError, SchemaError

__all__ = ["extend_mortality"]

_Floats: TypeAlias = npt.NDArray[np.float64]
Law: TypeAlias = Literal[
    "gompertz",
    "makeham",
    "kannisto",
    "kannisto-makeham",
    "logistic",
    "beard",
    "beard-makeham",
    "gamma-gompertz",
    "quadratic",
]

#: The parameters of a law, and k where it is not fitted: all but the last are
#: c + 1 / (k + exp(-ln a - b x)).
_LAWS: Final[dict[str, tuple[tuple[str, ...], float]]] = {
    "gompertz": (("a", "b"), 0.0),
    "makeham": (("a", "b", "c"), 0.0),
    "kannisto": (("a", "b"), 1.0),
    "kannisto-makeham": (("a", "b", "c"), 1.0),
    "logistic": (("a", "b", "k"), 0.0),
    "beard": (("a", "b", "k"), 0.0),
    "beard-makeham": (("a", "b", "c", "k"), 0.0),
    "gamma-gompertz": (("a", "b", "g"), 0.0),
    "quadratic": (("a", "b", "c"), 0.0),
}
_UNITS: Final = {"a": "1/year", "b": "1/year", "c": "1/year", "k": "years", "g": "1"}
_QUADRATIC_UNITS: Final = {"a": "1/year", "b": "1/year^2", "c": "1/year^3"}


def extend_mortality(
    mx: xr.DataArray,
    *,
    law: Law = "kannisto",
    fit_ages: tuple[int, int] = (60, 95),
    from_age: int | None = None,
    to_age: int = 120,
    deaths: xr.DataArray | None = None,
    exposure: xr.DataArray | None = None,
) -> xr.DataArray:
    r"""Death rates continued to high ages by a law of mortality fitted at old ages.

    Parameters
    ----------
    mx : DataArray (..., age)
        Death rates (1/year), as :func:`life_table` takes them.
    law : str, default "kannisto"
        "gompertz", "makeham", "kannisto", "kannisto-makeham", "logistic" or "beard" (two names
        of one), "beard-makeham", "gamma-gompertz" or "quadratic".
    fit_ages : (int, int), default (60, 95)
        The law is fitted to the closed groups that lie between these exact ages.
    from_age : int, optional
        Lower bound of the first group that gets the rate of the law. Default: the open-ended
        group, or, where there is none, the end of the last group.
    to_age : int, default 120
        Lower bound of the open-ended group of the result.
    deaths, exposure : DataArray (..., age), optional
        Deaths (persons) and exposure (person-years) by the groups of `mx`: the law is then
        fitted to them, by maximum likelihood.

    Returns
    -------
    DataArray "mx" (..., age)
        The rates of `mx` below `from_age`, and from there on those of the law, in the groups of
        `mx` and, from its open-ended one on, in groups as wide as the last closed one. The
        parameters are its coordinates (...): ``a`` and ``b`` (1/year), ``c`` (1/year), ``k``
        (years) and ``g`` (1) where the law has them; of "quadratic" 1/year, 1/year² and 1/year³.

    Raises
    ------
    SchemaError
        If dims, labels or values are not what is described here, a rate to be fitted is 0 and
        no deaths are given, or the fitted groups are fewer than the parameters.
    AlignmentError
        If the groups of deaths or exposure are not those of `mx`, or another dim that inputs
        share has other labels, or another order, in one of them.

    Warns
    -----
    DataQualityWarning
        Once a call, naming the labels, where there are no deaths at the fitted ages, exposure in
        fewer groups than the law has parameters, or no convergence (its rates are then missing),
        and where the law does not rise with age (b of 0 or less; the quadratic falls in the last
        group: where it falls below 0, so do its rates).

    Notes
    -----
    With x the exact age in the middle of a group:

    .. math::
        \text{Gompertz: } \mu(x) = a e^{bx}, \quad
        \text{Makeham: } \mu(x) = c + a e^{bx}

    .. math::
        \text{Kannisto: } \mu(x) = \frac{a e^{bx}}{1 + a e^{bx}}, \quad
        \text{logistic (Beard): } \mu(x) = \frac{a e^{bx}}{1 + a k e^{bx}}

    .. math::
        \text{gamma-Gompertz: } \mu(x) = \frac{a e^{bx}}{1 + \frac{g a}{b} (e^{bx} - 1)}, \quad
        \text{quadratic: } \mu(x) = a + bx + cx^2

    where c and k are 0 or more. With "-makeham" c is added. Gamma-Gompertz (g: variance of
    frailty at birth) is the logistic law in other parameters: k = g/b, and the same rates.
    Without deaths and exposure the sum of the squares of :math:`\ln m_x - \ln \mu(x)` is
    minimised, with the same weight for each group. With them, the likelihood of Poisson deaths
    with the mean :math:`E_x \mu(x)` is maximised, and groups without exposure do not count. The
    open-ended group gets the rate in the middle of a group as wide as the one before it: let it
    begin where few are alive.

    The rates of the law need not continue those below `from_age` without a step. A missing value
    in a fitted group makes the rates of the law missing in its own life table, and in no other.

    References
    ----------
    Thatcher, Kannisto & Vaupel (1998), *The Force of Mortality at Ages 80 to 120*, Odense
    University Press; Preston, Heuveline & Guillot (2001), *Demography*, ch. 9; Vaupel, Manton &
    Stallard (1979), *Demography* 16(3).

    Examples
    --------
    >>> import migproj as mp, numpy as np, xarray as xr
    >>> odds = 2e-5 * np.exp(0.1 * np.arange(2.5, 90, 5))
    >>> mx = xr.DataArray(odds / (1 + odds), dims="age", coords=mp.age_coords(range(0, 90, 5)))
    >>> closed = mp.extend_mortality(mx, fit_ages=(60, 85), to_age=110)
    >>> round(float(closed["a"]), 9), round(float(closed["b"]), 9)
    (2e-05, 0.1)
    >>> closed.sel(age=slice(85, None)).round(3).values
    array([0.112, 0.172, 0.255, 0.361, 0.483, 0.606])
    >>> table = mp.life_table(closed.sel(age=slice(60, None)))
    >>> round(float(table["ex"][0]), 1)
    22.4
    """
    check_choice("law", law, _LAWS)
    check_dims("mx", mx, "age")
    check_rates("mx", mx)
    groups = groups_of(mx, "mx")
    first, grid = _extended(groups, from_age, to_age)
    fitted = _fitted(groups, fit_ages, len(_LAWS[law][0]), law)
    if deaths is None and exposure is None:
        arrays = {"mx": mx}
        _check_above_zero(mx.isel(age=fitted))
    elif deaths is None or exposure is None:
        given, lacking = ("exposure", "deaths") if deaths is None else ("deaths", "exposure")
        raise SchemaError(
            f"{lacking}: expected with {given}, got None; give both to fit by maximum likelihood, "
            "or neither to fit the rates"
        )
    else:
        arrays = {"deaths": deaths, "exposure": exposure}
        _check_events(mx, deaths, exposure, groups, fitted)
    middles = np.array(groups.lower)[fitted] + np.array(groups.width)[fitted] / 2
    fits = [_whole(array.isel(age=fitted)) for array in arrays.values()]
    parameters = _parameters(fits, middles, law)
    found = _named(parameters, law)
    middle = np.array(grid.lower) + np.array((*grid.width[:-1], grid.width[-2])) / 2
    warn_findings("extend_mortality", _findings(fits, found, law, middle[-1]))
    from migproj._kernels import closing as kernels

    (made,) = apply(
        kernels.replace_rates,
        [
            Input("mx", _whole(mx.isel(age=slice(0, first))), ("age",)),
            Input("parameters", parameters, ("parameter",)),
        ],
        [Output("mx", ("age",), (len(grid),))],
        middle[first:],
        int(law == "quadratic"),
    )
    made = made.transpose(..., "sex", "age", missing_dims="ignore")
    batch = [dim for dim in made.dims if dim != "age"]
    found = {
        name: values.transpose(*batch, missing_dims="ignore") for name, values in found.items()
    }
    return dated_as(made, mx).assign_coords(grid.coords()).assign_coords(found)


def _bare(array: xr.DataArray) -> xr.DataArray:
    return array.drop_vars(["age", "age_width"], errors="ignore")


def _whole(array: xr.DataArray) -> xr.DataArray:
    """`array` as numbers without labels of age, all ages in one chunk."""
    array = _bare(array).astype(np.float64)
    return array if array.chunks is None else array.chunk({"age": -1})


def _extended(groups: AgeGroups, from_age: int | None, to_age: int) -> tuple[int, AgeGroups]:
    """Where the rates of the law begin among the groups of the result, and those groups."""
    closed = closed_groups(groups)
    if not closed.lower:
        raise SchemaError(
            f"mx: dim 'age': expected closed groups, got {groups.labels} alone; give rates by age"
        )
    end, width = int(closed.upper[-1]), int(closed.width[-1])
    if not isinstance(to_age, int | np.integer):
        raise SchemaError(f"to_age: expected a whole age, got {to_age!r}")
    if not end <= to_age <= OLDEST or (to_age - end) % width:
        raise SchemaError(
            f"to_age: expected {end} to {OLDEST}, by steps of {width} (the last closed group is "
            f"{closed.labels[-1]}), got {to_age!r}"
        )
    added = range(end, to_age, width)
    lower = (*closed.lower, *added, to_age)
    grid = AgeGroups(lower, (*closed.width, *(float(width) for _ in added), float("inf")))
    start = end if from_age is None else plain_number("from_age", from_age, "a whole age")
    allowed = (*closed.lower[1:], end)
    if start not in allowed:
        raise SchemaError(
            f"from_age: expected the lower bound of a group of mx after the first, up to {end}, "
            f"got {from_age!r}; the nearest is {min(allowed, key=lambda low: abs(low - start))}"
        )
    return lower.index(int(start)), grid


def _fitted(groups: AgeGroups, fit_ages: Any, least: int, law: str) -> list[int]:
    """The positions of the closed groups between `fit_ages`."""
    low, high = age_range("fit_ages", fit_ages)
    bounds = zip(groups.lower, groups.upper, strict=True)
    fitted = [g for g, (lower, upper) in enumerate(bounds) if low <= lower and upper <= high]
    if len(fitted) < least:
        raise SchemaError(
            f"fit_ages: expected {least} or more closed groups of mx between them (law {law!r} has "
            f"{least} parameters), got {len(fitted)} between {low} and {high}, of groups up to "
            f"{groups.labels[-1]}; widen fit_ages"
        )
    return fitted


def _check_above_zero(rates: xr.DataArray) -> None:
    if rates.chunks is None and bool((rates == 0).any()):
        flags = np.asarray(rates.values == 0)
        raise SchemaError(
            f"mx: expected rates above 0 at fit_ages, got {int(flags.sum())} of 0: "
            f"{'; '.join(where(rates, flags))}; their logarithm is fitted: give deaths and "
            "exposure, or other fit_ages"
        )


def _check_events(
    mx: xr.DataArray,
    deaths: xr.DataArray,
    exposure: xr.DataArray,
    groups: AgeGroups,
    fitted: list[int],
) -> None:
    arrays = {"mx": mx, "deaths": deaths, "exposure": exposure}
    for name, array in list(arrays.items())[1:]:
        check_dims(name, array, "age")
        check_counts(name, array, people=False)
        if (got := groups_of(array, name)) != groups:
            raise AlignmentError(
                f"{name}: dim 'age': expected the groups of mx; {groups.unlike(got)}; "
                "mp.regroup_ages sums counts to wider groups"
            )
    check_same_places("deaths", deaths, "exposure", exposure)
    check_labels_match(arrays, dims=dict.fromkeys(d for a in arrays.values() for d in a.dims))
    if deaths.chunks is None and exposure.chunks is None:
        odd = (deaths.isel(age=fitted) > 0) & (exposure.isel(age=fitted) == 0)
        if bool(odd.any()):
            raise SchemaError(
                f"exposure: expected more than 0 where there are deaths, got {int(odd.sum())} of "
                f"0: {'; '.join(where(odd, odd.values))}; correct them, or fit_ages without them"
            )


def _parameters(arrays: list[xr.DataArray], middles: _Floats, law: str) -> xr.DataArray:
    """a, b, c and k of the law: of rates, or of deaths and exposure."""
    from migproj._kernels import closing as kernels

    names, fixed_k = _LAWS[law]
    terms = kernels.QUADRATIC if law == "quadratic" else 0
    if law != "quadratic":
        terms += kernels.MAKEHAM_TERM * ("c" in names)
        terms += kernels.FREE_K * ("k" in names or "g" in names)
    first, exposure = arrays[0], arrays[-1]
    (parameters,) = apply(
        kernels.fit_law,
        [Input("mx", first, ("age",)), Input("exposure", exposure, ("age",))],
        [Output("parameters", ("parameter",), (4,))],
        middles,
        terms,
        fixed_k,
        len(arrays) - 1,
    )
    return parameters


def _named(parameters: xr.DataArray, law: str) -> dict[str, xr.DataArray]:
    """The parameters by their names, with their units."""
    a, b, c, k = (parameters.isel(parameter=n) for n in range(4))
    of = {"a": a, "b": b, "c": c, "k": k}
    if law == "gamma-gompertz":
        of = {"a": a / (1.0 + k * a), "b": b, "g": k * b}
    units = _QUADRATIC_UNITS if law == "quadratic" else _UNITS
    made = {name: of[name].copy(deep=False) for name in _LAWS[law][0]}
    for name, values in made.items():
        values.attrs = {"units": units[name], "parameter_of": law}
    return made


def _findings(
    fits: list[xr.DataArray], found: dict[str, xr.DataArray], law: str, oldest: float
) -> list[str]:
    """Of rows without a fit, and of laws that do not rise up to the oldest age."""
    missing = found["b"].isnull()
    rise = found["b"]
    if law == "quadratic":
        rise = rise + 2.0 * found["c"] * oldest
    findings = [finding("the law does not rise with age", ~(rise > 0) & ~missing)]
    if missing.chunks is None and bool(missing.any()):
        known = xr.concat([array.notnull().all("age") for array in fits], "of").all("of")
        findings.insert(
            0, finding("no law found, or no deaths or exposure to fit it to", missing & known)
        )
    return findings
