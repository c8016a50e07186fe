"""Inputs of projections under assumptions, and variants of them side by side.

Two variants of a projection in one call: fertility held as observed or at replacement. An input
without the dim ``variant`` serves them all.

>>> import migproj as mp, numpy as np, xarray as xr
>>> ages = mp.age_coords(["0", "1-4", *(f"{x}-{x + 4}" for x in range(5, 80, 5)), "80+"])
>>> mx = xr.DataArray(0.004 * np.exp(np.arange(18) / 6), dims="age", coords=ages)
>>> table = mp.life_table(mx.expand_dims(sex=["female", "male"]))
>>> survival = mp.survival_ratios(table)
>>> people = xr.DataArray(np.full((2, 17), 1000.0), dims=("sex", "age"),
...     coords={"sex": ["female", "male"], "time": 2020, **mp.age_coords(range(0, 85, 5))})
>>> rates = xr.DataArray([[0.12, 0.13, 0.06]], dims=("period", "age"),
...     coords={"period": [2015], "period_width": 5.0, "age": [20, 25, 30]})
>>> held = mp.scenarios.constant(rates, [2020, 2025, 2030])
>>> fertility = mp.scenarios.variants({"constant-fertility": held,
...     "instant-replacement": mp.scenarios.instant_replacement(held, table, 1.05)})
>>> result = mp.project_population(people, survival, fertility, 1.05)
>>> result["population"].sizes["variant"], result["population"].sizes["time"]
(2, 4)
>>> result["population"].sel(time=2035).sum(["sex", "age"]).round().values
array([26861., 29344.])
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any, Final

import numpy as np
import xarray as xr

from migproj._beside import VARIANT, as_array, bare, beside, check_agree, check_same_units
from migproj._checks import (
    as_number,
    check_dims,
    check_lacks,
    check_numbers,
)
from migproj._periods import CLOSE, Periods, PeriodsLike, follow, periods_of
from migproj._replacement import instant_replacement
from migproj.conventions import VARIABLES
from migproj.dates import DateLike, decimal_year
from migproj.errors import AlignmentError, IntervalError, SchemaError

__all__ = [
    "constant",
    "instant_replacement",
    "linear_approach",
    "multiply",
    "variants",
    "zero",
]

#: Ratios over one step, which have the units 1.
_OVER_A_STEP: Final = frozenset({"survival", "separation"})


def zero(array: xr.DataArray) -> xr.DataArray:
    """Return zeros with the labels, coordinates and units of an array.

    Parameters
    ----------
    array : DataArray (...)
        For the zero-migration variant, net migration (persons per period).

    Returns
    -------
    DataArray (...)
        0 everywhere, also where `array` is missing: that nobody moves is known, whatever is not
        known of those who did.

    Raises
    ------
    SchemaError
        If `array` is no array of numbers.

    References
    ----------
    UN (2019), *World Population Prospects 2019: Methodology* (zero-migration variant).

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> moves = xr.DataArray([120.0, -30.0], dims="period", coords={"period": [2020, 2025]},
    ...                      attrs={"units": "persons per period"})
    >>> none = mp.scenarios.zero(moves)
    >>> none.values, none.attrs["units"]
    (array([0., 0.]), 'persons per period')
    """
    check_dims("array", array)
    check_numbers("array", array)
    return xr.zeros_like(array, dtype=np.float64)


def constant(array: xr.DataArray, periods: PeriodsLike, *, last: int = 1) -> xr.DataArray:
    r"""Hold the last values, or the mean of the last few periods, over new periods.

    Parameters
    ----------
    array : DataArray (..., period)
        Rates, ratios or counts by period, such as fertility (1/year) or net migration (persons
        per period). A single period needs the coordinate ``period_width``; several take the
        differences of their starts where they lack it.
    periods : sequence of decimal years or dates, or DataArray of them
        Starts of the new periods, the first of which begins where the last one of `array` ends
        (within 0.005 years). Widths are those of its coordinate ``period_width``, or the
        differences (the last one's is that of the one before; a single one's is that of
        `array`).
    last : int, default 1
        How many of the last periods to average. They must have one width: their mean is not
        weighted.

    Returns
    -------
    DataArray (..., period)
        The same in every new period, with the coordinates ``period`` (decimal years) and
        ``period_width``; dims in their order, other coordinates and units as they were.
        Missing where one of the values averaged is.

    Raises
    ------
    SchemaError
        If `array` lacks the dim ``period`` or its labels, or is not of numbers.
    IntervalError
        If `periods` are no dates, leave a gap after those of `array` or overlap them; if the
        periods averaged differ in width; if values that are for a whole period (units "per
        period", survival ratios, separation factors) would be held over periods of another
        width; or if there are fewer than `last` periods.

    Notes
    -----
    With k the number of periods averaged, the last of them p:

    .. math:: x_q = \frac{1}{k} \sum_{j=0}^{k-1} x_{p-j} \quad \text{for every new period } q

    References
    ----------
    UN (2019), *World Population Prospects 2019: Methodology* (constant-fertility,
    constant-mortality and no-change variants).

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> moves = xr.DataArray([90.0, 120.0, -30.0], dims="period",
    ...                      coords={"period": [2005, 2010, 2015]})
    >>> held = mp.scenarios.constant(moves, [2020, 2025], last=2)
    >>> held.values
    array([45., 45.])
    >>> held["period"].values, held["period_width"].values
    (array([2020., 2025.]), array([5., 5.]))
    """
    old, new = _old_and_new(array, periods)
    count = _whole(last, len(old.starts))
    averaged = old.widths[-count:]
    if len(set(averaged)) > 1:
        raise IntervalError(
            f"last: expected periods of one width to average, got {list(averaged[:5])} years in "
            f"the last {count} of array; average fewer, or bring them to one width first"
        )
    held = array.astype(np.float64).isel(period=slice(-count, None))
    held = held.mean("period", skipna=False, keep_attrs=True)
    held = held.drop_vars(["period", "period_width"], errors="ignore")
    result = held.expand_dims(period=len(new.starts)).transpose(*array.dims)
    # A copy: what expand_dims makes cannot be written to.
    return result.copy().assign_coords(new.coords())


def linear_approach(
    array: xr.DataArray,
    target: float | xr.DataArray,
    periods: PeriodsLike,
    *,
    until: DateLike,
) -> xr.DataArray:
    r"""Go from the last values to a target in a straight line, and stay there.

    Parameters
    ----------
    array : DataArray (..., period)
        Rates, ratios or counts by period. Only the last one counts. A single period needs the
        coordinate ``period_width``.
    target : float or DataArray (...)
        Where to go, in the units of `array` and without ``period``. Dims that both have carry
        the same labels; the others broadcast.
    periods : sequence of decimal years or dates, or DataArray of them
        Starts of the new periods, as in :func:`constant`.
    until : decimal year or date
        The target is reached in the period that starts then, or in the first one after. May
        lie beyond the last of `periods`, which then fall short of the target.

    Returns
    -------
    DataArray (..., period)
        With the coordinates ``period`` (decimal years) and ``period_width``; dims in their
        order (those of `target` alone come first), other coordinates and units as they were.
        Missing on the way where the last value or the target is, and from `until` on where
        the target is.

    Raises
    ------
    SchemaError
        If `array` lacks the dim ``period`` or its labels, `target` has it, one of them is not of
        numbers, or their units differ.
    AlignmentError
        If labels, or widths of age groups, differ between the two.
    IntervalError
        As in :func:`constant`; also if `until` does not come after the start of the last
        period of `array`.

    Notes
    -----
    For a period that starts at s, with a the last value, its period starting at s(0), b the
    target and u the time to reach it:

    .. math:: x_s = (1 - w_s)\, a + w_s\, b, \quad
              w_s = \min\left(1, \frac{s - s_0}{u - s_0}\right)

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> moves = xr.DataArray([90.0, 120.0], dims="period", coords={"period": [2010, 2015]})
    >>> mp.scenarios.linear_approach(moves, 0, range(2020, 2040, 5), until=2030).values
    array([80., 40.,  0.,  0.])
    """
    old, new = _old_and_new(array, periods)
    goal = as_number("target", target)
    check_dims("target", goal)
    check_numbers("target", goal)
    check_lacks("target", goal, "period", "it is one for all periods: select one, or pass until=")
    check_agree({"array": array, "target": goal})
    check_same_units({"array": array, "target": goal})
    reached = decimal_year(until)
    began = old.starts[-1]
    if reached <= began + CLOSE:
        raise IntervalError(
            f"until: expected a time after {began:g}, when the last period of array starts, got "
            f"{reached:g}; give the start of a period to come, such as {new.starts[-1]:g}"
        )
    along = (np.array(new.starts) - began) / (reached - began)
    along[np.array(new.starts) >= reached - CLOSE] = 1.0
    weight = xr.DataArray(along, dims="period")
    start, end = (bare(x).astype(np.float64) for x in (array.isel(period=-1), goal))
    way = ((1 - weight) * start + weight * end).where(weight < 1, end)
    past = [name for name, coord in array.coords.items() if "period" in coord.dims]
    return as_array(way, array.drop_vars(past), goal).assign_coords(new.coords())


def multiply(array: xr.DataArray, factors: Mapping[Hashable, float | xr.DataArray]) -> xr.DataArray:
    r"""Multiply an array by a factor for each variant.

    Parameters
    ----------
    array : DataArray (...)
        Rates or counts.
    factors : mapping of variant to float or DataArray (...)
        What to multiply by (1), by the names of the variants. Dims that an array of factors
        shares with `array` carry the same labels; the others broadcast.

    Returns
    -------
    DataArray (variant, ...)
        The products, in the order of `factors`, with the units, coordinates and name of
        `array`. Its dims keep their order; those that only factors have stand between.

    Raises
    ------
    SchemaError
        If `array` has the dim ``variant``, or there are no factors or they are not numbers.
    AlignmentError
        If labels differ.

    Notes
    -----
    .. math:: x_{v} = k_v \, x

    The low and high fertility of the United Nations are no multiples: they are half a child per
    woman below and above the medium variant. With total fertility TFR (..., period) the factors
    are 1 - 0.5 / TFR and 1 + 0.5 / TFR, where ages of mothers stay distributed as they are.

    References
    ----------
    UN (2019), *World Population Prospects 2019: Methodology* (low and high variants).

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> rates = xr.DataArray([0.1, 0.2], dims="age", coords={"age": [20, 25]})
    >>> by_variant = mp.scenarios.multiply(rates, {"low": 0.5, "medium": 1, "high": 1.5})
    >>> by_variant.sel(variant="high").round(2).values
    array([0.15, 0.3 ])
    """
    check_dims("array", array)
    check_numbers("array", array)
    _check_no_variant("array", array)
    by_variant = _mapping("factors", factors, "{'low': 0.8, 'medium': 1, 'high': 1.2}")
    given = {f"factors[{v!r}]": as_number(f"factors[{v!r}]", k) for v, k in by_variant.items()}
    for name, factor in given.items():
        check_dims(name, factor)
        check_numbers(name, factor)
        _check_no_variant(name, factor)
    check_agree({"array": array, **given})
    whole = bare(array).astype(np.float64)
    products = xr.broadcast(*(bare(factor) * whole for factor in given.values()))
    return beside(list(by_variant), products, array, *given.values())


def variants(
    arrays: Mapping[Hashable, xr.DataArray | float] | None = None,
    /,
    **named: xr.DataArray | float,
) -> xr.DataArray:
    """Put arrays that carry the same labels side by side along the dim ``variant``.

    Parameters
    ----------
    arrays : mapping of variant to DataArray (...) or float
        The arrays by the names of the variants, which may be any labels.
    **named : DataArray (...) or float
        The same as keywords, where the names are identifiers. Give one or the other.

    Returns
    -------
    DataArray (variant, ...)
        The variants in the order given; the order of the other dims, the name, the units and
        the coordinates are those of the first. A scalar coordinate ``variant`` is replaced.

    Raises
    ------
    SchemaError
        If there are no arrays, one of them has the dim ``variant``, or their units differ.
    AlignmentError
        If an array has other dims, labels or coordinates than the first. Nothing is broadcast:
        an array without ``period`` is not one for all periods until :func:`constant` or
        ``expand_dims`` says so.

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> moves = xr.DataArray([90.0, 120.0], dims="period", coords={"period": [2020, 2025]})
    >>> both = mp.scenarios.variants({"medium": moves, "zero-migration": mp.scenarios.zero(moves)})
    >>> both.dims, both["variant"].values.tolist()
    (('variant', 'period'), ['medium', 'zero-migration'])
    """
    if arrays is not None and named:
        raise SchemaError(
            "variants: expected either a mapping or keywords, got both; put all of them into "
            "the mapping"
        )
    given = _mapping(
        "variants", named if arrays is None else arrays, "{'medium': ..., 'zero-migration': ...}"
    )
    labels = list(given)
    named_by = {f"variants[{v!r}]": as_number(f"variants[{v!r}]", a) for v, a in given.items()}
    (first_name, first), *others = named_by.items()
    for name, array in named_by.items():
        check_dims(name, array)
        _check_no_variant(name, array)
    for name, array in others:
        if set(array.dims) != set(first.dims):
            raise AlignmentError(
                f"{name}: expected the dims {tuple(first.dims)!r} of {first_name}, got "
                f"{tuple(array.dims)!r}; nothing is broadcast between variants: give it the dims "
                "it lacks (.expand_dims, mp.scenarios.constant), or select those it has too many"
            )
    without = {name: array.drop_vars(VARIANT, errors="ignore") for name, array in named_by.items()}
    check_agree(without, instants=False)
    check_same_units(without)
    turned = [bare(array).transpose(*first.dims) for array in without.values()]
    return beside(labels, turned, *without.values())


def _mapping(name: str, given: Any, example: str) -> dict[Hashable, Any]:
    if isinstance(given, xr.Dataset) or not isinstance(given, Mapping) or not given:
        raise SchemaError(
            f"{name}: expected a mapping of variants to arrays or numbers, with at least one, got "
            f"{type(given).__name__} of {len(given) if isinstance(given, Mapping) else 'no names'}"
            f"; such as {example}"
        )
    return dict(given)


def _whole(last: Any, most: int) -> int:
    whole = isinstance(last, int | np.integer) and not isinstance(last, bool)
    if not whole or not 1 <= last <= most:
        raise IntervalError(
            f"last: expected a whole number of periods, from 1 to the {most} of array, got {last!r}"
        )
    return int(last)


def _old_and_new(array: xr.DataArray, periods: PeriodsLike) -> tuple[Periods, Periods]:
    """The periods of an array and those that follow, of one width where values depend on it."""
    check_dims("array", array, "period")
    check_numbers("array", array)
    old = periods_of(array, "array")
    new = follow(periods, old, "array")
    known = VARIABLES.get(str(array.name))
    units = str(array.attrs.get("units", known.units if known else ""))
    odd = [width for width in new.widths if abs(width - old.widths[-1]) > CLOSE]
    if odd and ("per period" in units or array.name in _OVER_A_STEP):
        what = f"in {units}" if "per period" in units else f"{array.name}, ratios over a period"
        raise IntervalError(
            f"periods: expected them as wide as the last period of array, {old.widths[-1]:g} "
            f"years, got {odd[:5]}: array is {what}, and those of another width are other "
            "numbers; make yearly rates of them first, or give periods of that width"
        )
    return old, new


def _check_no_variant(name: str, array: xr.DataArray) -> None:
    mend = f"select one, {name}.sel(variant=...), or rename the dim"
    check_lacks(name, array, VARIANT, mend)
