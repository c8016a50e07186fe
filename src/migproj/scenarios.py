"""Scenarios: inputs of projections held constant, led to a target, scaled, set side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import xarray as xr

from migproj._checks import (
    as_number,
    check_dims,
    check_labels_match,
    check_lacks,
    check_numbers,
    check_rates,
    check_ratio_at_birth,
    check_sexes,
    check_table,
)
from migproj._diagnostics import finding, warn_findings
from migproj.ages import fertile_groups, groups_of
from migproj.conventions import FEMALE
from migproj.dates import DateLike, decimal_year
from migproj.errors import AlignmentError, IntervalError, SchemaError

__all__ = ["constant", "instant_replacement", "linear_approach", "multiply", "variants", "zero"]

#: Periods this close (years) follow one another.
_CLOSE: Final = 0.005


def zero(array: xr.DataArray) -> xr.DataArray:
    """The same labels with nothing in them: no migration, no emigration.

    Parameters
    ----------
    array : DataArray (...)
        Whose dims, labels, units and name to take.

    Returns
    -------
    DataArray (...)
        0 everywhere, also where `array` is missing.

    Raises
    ------
    SchemaError
        If `array` is not a DataArray of numbers.

    Examples
    --------
    >>> import migproj as mp
    >>> net = mp.datasets.load("bombay_1941_1951")["net_migration"]
    >>> float(mp.scenarios.zero(net).sum())
    0.0
    """
    check_dims("array", array)
    check_numbers("array", array)
    return xr.zeros_like(array, dtype=np.float64)


def constant(
    array: xr.DataArray, periods: Iterable[DateLike] | xr.DataArray, *, last: int = 1
) -> xr.DataArray:
    r"""Hold the last value, or the mean of the last few, over later periods.

    Parameters
    ----------
    array : DataArray (..., period)
        Rates, or counts of a period, of the past.
    periods : sequence of years or dates
        The starts of the periods to come. The first follows `array` without a gap, and all are
        as long as its periods.
    last : int, default 1
        How many of the last periods to take the mean of.

    Returns
    -------
    DataArray (..., period)
        The mean in each of `periods`, same units, with ``period_width``. Missing where one of the
        last values is missing.

    Raises
    ------
    SchemaError
        If `array` has no labelled dim ``period``, or fewer than `last` of them.
    IntervalError
        If its periods differ in length, or `periods` do not follow them.

    Notes
    -----
    .. math:: x_t = \frac{1}{k} \sum_{j=1}^{k} x_{T+1-j}

    References
    ----------
    UN (2019), *World Population Prospects 2019: Methodology* (constant-fertility,
    constant-mortality variants).

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> net = xr.DataArray([10.0, 20.0, 60.0], dims="period", coords={"period": [2005, 2010, 2015]})
    >>> mp.scenarios.constant(net, [2020, 2025], last=2).values
    array([40., 40.])
    """
    starts, width = _past("array", array)
    wanted: Any = last
    if isinstance(wanted, bool) or not isinstance(wanted, int | np.integer) or wanted < 1:
        raise SchemaError(f"last: expected a whole number of at least 1, got {last!r}")
    if last > len(starts):
        raise SchemaError(
            f"last: expected at most the {len(starts)} periods of array, got {last}; give more of "
            "the past, or a smaller number"
        )
    coming = _coming(periods, starts, width)
    mean = array.isel(period=slice(-int(last), None)).mean("period", skipna=False)
    return _over(mean, coming, width, array)


def linear_approach(
    array: xr.DataArray,
    target: float | xr.DataArray,
    periods: Iterable[DateLike] | xr.DataArray,
    *,
    until: DateLike,
) -> xr.DataArray:
    r"""Lead the last value to a target in a straight line, and hold it from there.

    Parameters
    ----------
    array : DataArray (..., period)
        Rates, or counts of a period, of the past.
    target : float or DataArray (...)
        The value to come to, same units.
    periods : sequence of years or dates
        The starts of the periods to come, as in :func:`constant`.
    until : year or date
        The start of the first period that has the target.

    Returns
    -------
    DataArray (..., period)
        Values in each of `periods`, with ``period_width``.

    Raises
    ------
    SchemaError
        If `array` has no labelled dim ``period``, or `target` has one.
    AlignmentError
        If the labels of `target` differ.
    IntervalError
        If the periods of `array` differ in length, `periods` do not follow them, or `until`
        does not come after the last of them starts.

    Notes
    -----
    With t the start of a period and T that of the last one known:

    .. math:: x_t = x_T + (x^* - x_T) \min\left(\frac{t - T}{u - T}, 1\right)

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> fertility = xr.DataArray([3.0], dims="period", coords={"period": [2015]})
    >>> fertility = fertility.assign_coords(period_width=("period", [5.0]))
    >>> path = mp.scenarios.linear_approach(fertility, 2.0, [2020, 2025, 2030], until=2025)
    >>> path.values
    array([2.5, 2. , 2. ])
    """
    starts, width = _past("array", array)
    goal = as_number("target", target)
    check_numbers("target", goal)
    check_lacks("target", goal, "period", "it is one value: select it with target.sel(period=...)")
    coming = _coming(periods, starts, width)
    end = decimal_year(until)
    if end <= starts[-1]:
        raise IntervalError(
            f"until: expected a year after {starts[-1]:g}, where the last period of array starts, "
            f"got {end:g}"
        )
    known = array.isel(period=-1).drop_vars(["period", "period_width"], errors="ignore")
    check_labels_match({"array": known, "target": goal}, dims=known.dims)
    share = xr.DataArray(
        np.minimum((coming - starts[-1]) / (end - starts[-1]), 1.0),
        dims="period",
        coords={"period": coming},
    )
    path = known + (goal - known) * share
    path = path.transpose(*(dim for dim in array.dims if dim in path.dims), ...)
    return _like(path.assign_coords(_widths(coming, width)), array)


def instant_replacement(
    fertility: xr.DataArray, life_table: xr.Dataset, sex_ratio_at_birth: float | xr.DataArray
) -> xr.DataArray:
    r"""Scale fertility, its age pattern kept, to a net reproduction rate of 1.

    Parameters
    ----------
    fertility : DataArray (..., age)
        Births per woman-year.
    life_table : Dataset with ``lx`` and ``Lx`` (..., age)
        Of women (with the dim ``sex``, the women are taken), with the groups of `fertility`.
    sex_ratio_at_birth : float or DataArray (...)
        Males per female.

    Returns
    -------
    DataArray "fertility" (..., age)
        Births per woman-year (1/year) at which a woman has one daughter who survives to her age.

    Raises
    ------
    SchemaError
        If dims, labels or values are not what is described here, or the life table has not
        the age groups of `fertility`.
    AlignmentError
        If labels differ.

    Warns
    -----
    DataQualityWarning
        Once a call, naming the labels, where there is no fertility to scale: it is missing.

    Notes
    -----
    .. math:: f^*_x = f_x / NRR, \quad NRR = \frac{1}{1 + SRB} \sum_x f_x \frac{L_x}{l_0}

    References
    ----------
    UN (2019), *World Population Prospects 2019: Methodology* (instant-replacement variant);
    Preston, Heuveline & Guillot (2001), *Demography*, ch. 5.

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> mx = xr.DataArray([0.02, 0.001, 0.001, 0.02], dims="age",
    ...                   coords=mp.age_coords(["0", "1-14", "15-44", "45+"]))
    >>> table = mp.life_table(mx.assign_coords(sex="female"), ax="half")
    >>> rates = xr.DataArray([0.1], dims="age", coords={"age": [15]})
    >>> mp.scenarios.instant_replacement(rates, table, 1.05).round(4).values
    array([0.0717])
    """
    check_dims("fertility", fertility, "age")
    check_rates("fertility", fertility)
    check_lacks("fertility", fertility, "sex", "it is of women: fertility.sel(sex='female')")
    check_table("life_table", life_table, "lx", "Lx")
    ratio = as_number("sex_ratio_at_birth", sex_ratio_at_birth)
    check_ratio_at_birth("sex_ratio_at_birth", ratio)
    lived = life_table["Lx"] / life_table["lx"].isel(age=0, drop=True)
    if "sex" in lived.dims:
        check_sexes("life_table", lived, both=False)
        if FEMALE not in lived["sex"].values:
            raise SchemaError(
                f"life_table: dim 'sex': expected {FEMALE!r}, got {lived['sex'].values.tolist()}"
            )
        lived = lived.sel(sex=FEMALE)
    lived = lived.drop_vars("sex", errors="ignore")
    first, fertile = fertile_groups(fertility, groups_of(life_table, "life_table"))
    lived = lived.isel(age=slice(first, first + len(fertile)))
    plain = fertility.drop_vars("age_width", errors="ignore").astype(np.float64)
    lived = lived.drop_vars("age_width", errors="ignore")
    given = {"fertility": plain, "life_table": lived, "sex_ratio_at_birth": ratio}
    check_labels_match(given, dims=dict.fromkeys(d for a in given.values() for d in a.dims))
    daughters = (plain * lived).sum("age", skipna=False) / (1.0 + ratio)
    scaled = plain / daughters.where(daughters > 0)
    warn_findings("instant_replacement", [finding("no fertility to scale", daughters == 0)])
    scaled = scaled.transpose(*fertility.dims, ...).rename("fertility")
    if "age_width" in fertility.coords:
        scaled = scaled.assign_coords(age_width=fertility["age_width"])
    scaled.attrs = {"units": "1/year"}
    return scaled


def multiply(array: xr.DataArray, factors: Mapping[str, float | xr.DataArray]) -> xr.DataArray:
    """Variants of an input, each a multiple of it.

    Parameters
    ----------
    array : DataArray (...)
        Rates or counts.
    factors : mapping of str to float or DataArray (...)
        By the name of the variant, what to multiply by.

    Returns
    -------
    DataArray (variant, ...)
        The multiples, same units.

    Raises
    ------
    SchemaError
        If there are no factors, or one is not a number.
    AlignmentError
        If the labels of a factor differ.

    Examples
    --------
    >>> import migproj as mp
    >>> net = mp.datasets.load("bombay_1941_1951")["net_migration"]
    >>> levels = mp.scenarios.multiply(net, {"half": 0.5, "as estimated": 1.0})
    >>> levels.sum(["sex", "age"]).values
    array([281021.5, 562043. ])
    """
    check_dims("array", array)
    check_numbers("array", array)
    products = {}
    for name, factor in factors.items():
        number = as_number(f"factors[{name!r}]", factor)
        check_numbers(f"factors[{name!r}]", number)
        check_labels_match({"array": array, f"factors[{name!r}]": number}, dims=array.dims)
        product = (array * number).transpose(*array.dims, ...)
        products[name] = _like(product, array)
    return variants(products)


def variants(arrays: Mapping[str, xr.DataArray]) -> xr.DataArray:
    """Set arrays with the same labels side by side along the dim ``variant``.

    Parameters
    ----------
    arrays : mapping of str to DataArray (...)
        By the name of the variant.

    Returns
    -------
    DataArray (variant, ...)
        With the dims, units and name of the first.

    Raises
    ------
    SchemaError
        If there are none, or their dims differ.
    AlignmentError
        If their labels differ.

    Examples
    --------
    >>> import migproj as mp
    >>> net = mp.datasets.load("bombay_1941_1951")["net_migration"]
    >>> both = mp.scenarios.variants({"as estimated": net, "zero": mp.scenarios.zero(net)})
    >>> both["variant"].values.tolist(), float(both.sel(variant="zero").sum())
    (['as estimated', 'zero'], 0.0)
    """
    if not arrays:
        raise SchemaError("arrays: expected at least one variant, got none")
    named = {f"arrays[{name!r}]": array for name, array in arrays.items()}
    whose, first = next(iter(named.items()))
    for name, array in named.items():
        check_dims(name, array)
        check_numbers(name, array)
        check_lacks(name, array, "variant", f"select one of them: {name}.sel(variant=...)")
        if set(array.dims) != set(first.dims):
            raise SchemaError(
                f"{name}: expected the dims of {whose}, {tuple(first.dims)!r}, got "
                f"{tuple(array.dims)!r}; {name}.broadcast_like(...) adds those it lacks"
            )
        if "age" in first.dims and groups_of(array, name) != groups_of(first, whose):
            raise AlignmentError(
                f"{name}: dim 'age': expected the age groups of {whose}, "
                f"{groups_of(first, whose).labels[:5]}, got {groups_of(array, name).labels[:5]}"
            )
    check_labels_match(named, dims=first.dims)
    rows = [
        array.transpose(*first.dims).astype(np.float64).expand_dims(variant=[name])
        for name, array in arrays.items()
    ]
    both = xr.concat(rows, "variant", join="exact", coords="minimal", compat="override")
    return _like(both, first)


def _past(name: str, array: xr.DataArray) -> tuple[npt.NDArray[np.float64], float | None]:
    """The starts of the periods of an array, and their one length if it can be told."""
    check_dims(name, array, "period")
    check_numbers(name, array)
    if "period" not in array.coords:
        raise SchemaError(
            f"{name}: dim 'period' has no labels; label each period by its start: "
            f"{name}.assign_coords(period=[...])"
        )
    starts = np.array([decimal_year(label) for label in array["period"].values])
    widths = np.diff(starts)
    if "period_width" in array.coords:
        stated = np.asarray(array["period_width"].values, dtype=np.float64)
        widths = np.append(widths, stated)
    if len(widths) == 0:
        return starts, None
    if (np.abs(widths - widths[0]) > _CLOSE).any() or widths[0] <= 0:
        raise IntervalError(
            f"{name}: dim 'period': expected ascending periods of one length, got the starts "
            f"{starts[:5].tolist()} and lengths {np.unique(widths)[:5].tolist()}"
        )
    return starts, float(widths[0])


def _coming(
    periods: Iterable[DateLike] | xr.DataArray,
    starts: npt.NDArray[np.float64],
    width: float | None,
) -> npt.NDArray[np.float64]:
    """The starts of the periods to come, which follow the others without a gap."""
    given: Any = periods.values if isinstance(periods, xr.DataArray) else list(periods)
    coming = np.array([decimal_year(label) for label in np.atleast_1d(given)])
    if coming.size == 0:
        raise IntervalError("periods: expected the starts of periods to come, got none")
    step = coming[0] - starts[-1] if width is None else width
    expected = starts[-1] + step * np.arange(1, coming.size + 1)
    if step <= 0 or (np.abs(coming - expected) > _CLOSE).any():
        raise IntervalError(
            f"periods: expected periods of {abs(step):g} years that follow the one from "
            f"{starts[-1]:g}: {np.round(expected[:5], 3).tolist()} ..., got {coming[:5].tolist()}"
        )
    return coming


def _over(
    value: xr.DataArray,
    coming: npt.NDArray[np.float64],
    width: float | None,
    array: xr.DataArray,
) -> xr.DataArray:
    held = value.drop_vars("period_width", errors="ignore").expand_dims(period=coming)
    held = held.transpose(*array.dims).assign_coords(_widths(coming, width)).copy()
    return _like(held, array)


def _widths(coming: npt.NDArray[np.float64], width: float | None) -> dict[str, Any]:
    """The coordinate period_width, where the length of the periods can be told."""
    if width is None and coming.size > 1:
        width = float(coming[1] - coming[0])
    return {} if width is None else {"period_width": ("period", np.full(coming.size, width))}


def _like(result: xr.DataArray, array: xr.DataArray) -> xr.DataArray:
    result = result.rename(array.name)
    result.attrs = dict(array.attrs)
    return result
