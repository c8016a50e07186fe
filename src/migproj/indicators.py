"""Rates and ratios of populations, quality of ages, and indices of migration and of flows."""

from __future__ import annotations

from typing import Final

import numpy as np
import xarray as xr

from migproj._checks import check_counts, check_dims, check_labels_match, check_lacks, check_sexes
from migproj._choices import check_choice, plain_number
from migproj._diagnostics import finding, warn_findings
from migproj.ageheaping import (
    coale_li_index,
    digit_index,
    digit_shares,
    spoorenberg_index,
    whipple_index,
)
from migproj.ageratios import (
    age_ratio_score,
    age_sex_accuracy,
    roughness,
    sawtooth_index,
    sex_ratio_score,
)
from migproj.ages import groups_of
from migproj.conventions import FEMALE, MALE
from migproj.dates import instant_of
from migproj.errors import AlignmentError, SchemaError
from migproj.flowtables import flow_totals
from migproj.intensity import age_profile, effectiveness, net_migration_rate, schedule_profile
from migproj.streams import distance_indices, flow_indices, stream_indices
from migproj.survival import interval_between

__all__ = [
    "age_profile",
    "age_ratio_score",
    "age_sex_accuracy",
    "coale_li_index",
    "dependency_ratio",
    "digit_index",
    "digit_shares",
    "distance_indices",
    "effectiveness",
    "flow_indices",
    "flow_totals",
    "growth_rate",
    "median_age",
    "net_migration_rate",
    "roughness",
    "sawtooth_index",
    "schedule_profile",
    "sex_ratio",
    "sex_ratio_score",
    "share",
    "spoorenberg_index",
    "stream_indices",
    "whipple_index",
]

#: Coordinates of an instant, which a rate over an interval replaces by its period.
_INSTANT: Final = ("time", "date")


def growth_rate(
    start: xr.DataArray, end: xr.DataArray, *, interval: float | None = None
) -> xr.DataArray:
    r"""Exponential annual growth rate between two instants.

    Parameters
    ----------
    start, end : DataArray (...)
        Counts (persons) at the two instants. Dims that both have carry the same labels; the
        others broadcast.
    interval : float, optional
        Years between them. Default: from the scalar coordinate ``time`` of both.

    Returns
    -------
    DataArray "growth_rate" (...)
        Rate (1/year), with the coordinates ``period`` and ``period_width`` where `start` has a
        scalar ``time``. Missing where a count is missing or 0.

    Raises
    ------
    SchemaError
        If an input is not of counts, or still has a dim ``time``.
    AlignmentError
        If labels differ between the two.
    IntervalError
        If the interval is unknown or not positive.

    Notes
    -----
    .. math:: r = \ln(P_1 / P_0) / t

    References
    ----------
    Preston, Heuveline & Guillot (2001), *Demography*, ch. 1.

    Examples
    --------
    >>> import migproj as mp
    >>> stock = mp.datasets.load("imila_table_1")["stock"]
    >>> rate = mp.indicators.growth_rate(stock.sel(time=1990), stock.sel(time=2000))
    >>> (100 * rate).round(1).values  # % per year, as printed
    array([-1.9,  2.8])
    """
    for name, array in (("start", start), ("end", end)):
        check_dims(name, array)
        check_counts(name, array, people=False)
        check_lacks(name, array, "time", f"select one instant: {name}.sel(time=...)")
    check_labels_match({"start": start, "end": end}, dims=start.dims)
    _check_same_groups(start, end)
    years = interval_between(start, end, interval)
    began = instant_of(start, "start")
    first, last = (x.astype(np.float64).drop_vars(_INSTANT, errors="ignore") for x in (start, end))
    ratio = (last.where(last > 0) / first.where(first > 0)).transpose(*start.dims, ...)
    rate = ratio.copy(data=np.log(ratio.data) / years)
    if began is not None:
        rate = rate.assign_coords(period=began, period_width=years)
    return _labelled(rate, "growth_rate", "1/year", "exponential annual growth rate")


def share(array: xr.DataArray, dim: str) -> xr.DataArray:
    r"""Share of each label in the total over a dim; the shares add up to 1.

    Parameters
    ----------
    array : DataArray (..., dim)
        Counts, such as a stock (persons).
    dim : str
        The dim over which the parts make up the whole.

    Returns
    -------
    DataArray "share" (..., dim)
        Share (1). Missing where a part of the whole is missing, or the whole is 0.

    Raises
    ------
    SchemaError
        If `array` lacks `dim` or is not of counts.

    Notes
    -----
    .. math:: s_i = P_i / \sum_j P_j

    References
    ----------
    Shryock & Siegel (1976), *The Methods and Materials of Demography*.

    Examples
    --------
    >>> import migproj as mp
    >>> stock = mp.datasets.load("imila_table_1")["stock"]
    >>> (100 * mp.indicators.share(stock.sel(time=2000), "birthplace")).round(1).values
    array([39.4, 60.6])
    """
    check_dims("array", array)
    check_choice("dim", dim, map(str, array.dims))
    check_counts("array", array, people=False)
    counts = array.astype(np.float64)
    total = counts.sum(dim, skipna=False)
    return _labelled(counts / total, "share", "1", f"share in the total over {dim}")


def sex_ratio(array: xr.DataArray) -> xr.DataArray:
    r"""Sex ratio: men per 100 women.

    Parameters
    ----------
    array : DataArray (..., sex)
        Counts (persons) of both sexes. For the ratio of all ages, sum over ``age`` first.

    Returns
    -------
    DataArray "sex_ratio" (...)
        Men per 100 women. Missing where a count is missing or there are no women.

    Raises
    ------
    SchemaError
        If `array` lacks the dim ``sex``, its labels are not "female" and "male", or it is not
        of counts.

    Notes
    -----
    .. math:: SR = 100 \, P^m / P^f

    References
    ----------
    Shryock & Siegel (1976), *The Methods and Materials of Demography*, ch. 7.

    Examples
    --------
    >>> import migproj as mp
    >>> stock = mp.datasets.load("imila_table_2")["stock"]
    >>> float(mp.indicators.sex_ratio(stock.sel(country="Argentina", birthplace="abroad")).round(1))
    84.0
    """
    check_dims("array", array, "sex")
    check_sexes("array", array, both=True)
    check_counts("array", array, people=False)
    counts = array.astype(np.float64)
    men, women = (counts.sel(sex=label, drop=True) for label in (MALE, FEMALE))
    ratio = 100 * men / women.where(women > 0)
    return _labelled(ratio, "sex_ratio", "men per 100 women", "sex ratio")


def dependency_ratio(population: xr.DataArray, *, young: int = 15, old: int = 65) -> xr.DataArray:
    r"""Dependency ratio: the young and the old per 100 people of working age.

    Parameters
    ----------
    population : DataArray (..., age)
        Population (persons) from age 0, with age groups that begin at `young` and at `old`.
    young, old : int, default 15 and 65
        Working age is from `young` to the day before the birthday `old` (years).

    Returns
    -------
    DataArray "dependency_ratio" (...)
        Per 100 people of working age. Missing where an age is missing or there is nobody of
        working age.

    Raises
    ------
    SchemaError
        If the age groups do not begin at 0, at `young` and at `old`, or the values are not
        counts.

    Notes
    -----
    .. math:: DR = 100 \, (P_{0..young} + P_{old+}) / P_{young..old}

    References
    ----------
    Shryock & Siegel (1976), *The Methods and Materials of Demography*, ch. 8.

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> people = xr.DataArray([30.0, 60.0, 10.0], dims="age",
    ...                       coords=mp.age_coords(["0-14", "15-64", "65+"]))
    >>> float(mp.indicators.dependency_ratio(people).round(1))
    66.7
    """
    check_dims("population", population, "age")
    check_counts("population", population, people=False)
    groups = groups_of(population, "population")
    bounds = [plain_number(name, age, "an age") for name, age in (("young", young), ("old", old))]
    if not 0 < bounds[0] < bounds[1]:
        raise SchemaError(
            f"young, old: expected ages 0 < young < old, got young={young}, old={old}"
        )
    lacking = [bound for bound in (0, young, old) if bound not in groups.lower]
    if lacking:
        raise SchemaError(
            f"population: dim 'age': expected groups that begin at 0, {young} and {old}, got none "
            f"at {lacking} ({', '.join(groups.labels)}); pass young= and old= that are bounds of "
            "groups, or split the groups first"
        )
    counts, age = population.astype(np.float64), population["age"]
    of_working_age = (age >= young) & (age < old)
    total = counts.sum("age", skipna=False)
    working = counts.where(of_working_age, 0.0).sum("age", skipna=False)
    ratio = 100 * (total - working) / working.where(working > 0)
    return _labelled(ratio, "dependency_ratio", "per 100 people of working age", "dependency ratio")


def median_age(population: xr.DataArray) -> xr.DataArray:
    r"""Median age, people spread evenly within the age group that holds it.

    Parameters
    ----------
    population : DataArray (..., age)
        Population (persons).

    Returns
    -------
    DataArray "median_age" (...)
        Age (years) that half of the people have not reached. Missing where an age is missing,
        there is nobody, or the median falls in the open-ended group.

    Raises
    ------
    SchemaError
        If `population` lacks the dim ``age`` or is not of counts.

    Warns
    -----
    DataQualityWarning
        Once a call, naming the labels, if a median falls in the open-ended group.

    Notes
    -----
    With N people, C of them younger than x, and the middle one among the P of the group
    [x, x + n):

    .. math:: x + n \, (N / 2 - C) / P

    References
    ----------
    Shryock & Siegel (1976), *The Methods and Materials of Demography*, ch. 8.

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> people = xr.DataArray([30.0, 60.0, 10.0], dims="age",
    ...                       coords=mp.age_coords(["0-14", "15-64", "65+"]))
    >>> float(mp.indicators.median_age(people).round(2))
    31.67
    """
    check_dims("population", population, "age")
    check_counts("population", population, people=False)
    groups = groups_of(population, "population")
    counts = population.astype(np.float64)
    reached = counts.cumsum("age", skipna=False)
    before = reached.shift(age=1, fill_value=0.0)
    half = counts.sum("age", skipna=False) / 2
    holds = (before < half) & (half <= reached)
    width = xr.DataArray(np.array(groups.width), dims="age", coords={"age": population["age"]})
    age = population["age"] + width.where(np.isfinite(width)) * (half - before) / counts
    median = age.where(holds).sum("age", min_count=1)
    if groups.is_open:
        open_ended = holds.isel(age=-1, drop=True)
        found = finding(f"median in the open-ended group {groups.labels[-1]}", open_ended)
        warn_findings("median_age", [found])
    return _labelled(median, "median_age", "years", "median age")


def _check_same_groups(start: xr.DataArray, end: xr.DataArray) -> None:
    """The same lower bounds may have other widths: 60-64 is not 60+."""
    if "age" not in start.dims and "age" not in end.dims:
        return
    check_dims("start", start, "age")
    check_dims("end", end, "age")
    expected, got = groups_of(start, "start"), groups_of(end, "end")
    if expected != got:
        raise AlignmentError(
            f"end: dim 'age': expected the age groups of start; {expected.unlike(got)}; "
            "mp.regroup_ages brings both to the same groups"
        )


def _labelled(result: xr.DataArray, name: str, units: str, long_name: str) -> xr.DataArray:
    result = result.rename(name)
    result.attrs = {"units": units, "long_name": long_name}
    return result
