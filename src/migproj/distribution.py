"""Totals of migrants shared out over sex and age, and schedules by other age groups."""

from __future__ import annotations

import itertools
from typing import Final

import numpy as np
import numpy.typing as npt
import xarray as xr

from migproj._checks import (
    as_number,
    check_counts,
    check_dims,
    check_finite,
    check_labels_match,
    check_lacks,
    check_numbers,
    check_rates,
    check_same_places,
    check_sexes,
    check_shares,
    check_weights,
    where,
)
from migproj.ages import AgeGroups, AgesLike, as_groups, groups_of, summed, unions
from migproj.conventions import FEMALE, VARIABLES
from migproj.errors import AlignmentError, IntervalError, SchemaError
from migproj.schedules import PARAMETERS

__all__ = ["distribute_flows", "distribute_migration", "regroup_schedule"]

_LAST: Final = ("period", "sex", "age")


def distribute_migration(
    total: float | xr.DataArray,
    schedule: xr.DataArray | xr.Dataset,
    *,
    population: xr.DataArray | None = None,
    interval: float | None = None,
) -> xr.DataArray:
    r"""Share out totals of migrants over age, or over sex and age.

    Parameters
    ----------
    total : float or DataArray (..., [sex])
        Migrants (persons per period), of either sign: of each sex, or of both together.
    schedule : DataArray (..., [sex,] age), or Dataset
        Without `population`: shares (1) that sum to 1 over age where `total` is by sex (or has
        no sex), over sex and age where it is of both. With it: rates (1/year) or relative rates
        of migrants, of any level. Or the rule that :func:`flow_difference` makes, for net
        totals.
    population : DataArray (..., [sex,] age), optional
        People (persons) to whom the rates apply: those at risk of leaving. With a rule, the
        people who would be there at the end of the interval had nobody migrated, by both sexes.
    interval : float, optional
        Years, of a rule alone. Default: the coordinate ``period_width`` of `total`.

    Returns
    -------
    DataArray "migration" (..., [sex,] age)
        Migrants (persons per period); their sum is the total, to rounding.

    Raises
    ------
    SchemaError
        If dims or values are not what is described here, or nobody is at risk anywhere.
    AlignmentError
        If a dim that inputs share has other labels, or another order, in one of them.
    IntervalError
        If a rule is given and the interval is unknown or not positive.

    Notes
    -----
    With the total T, shares s, rates m and people N:

    .. math:: M_x = T \frac{s_x}{\sum_y s_y} \quad \text{or} \quad
              M_x = T \frac{m_x N_x}{\sum_y m_y N_y}

    (the first sum is 1 but for rounding). A rule's formula is that of :func:`flow_difference`. A
    missing value makes missing its own row, and no other.

    References
    ----------
    Rogers & Castro (1981), *Model Migration Schedules*, IIASA RR-81-30; Ševčíková, Raymer &
    Raftery (2024), *Forecasting Net Migration by Age: The Flow-Difference Approach*,
    arXiv:2411.09878.

    Examples
    --------
    >>> import migproj as mp
    >>> shares = mp.model_migration_schedule("western standard", ["0-14", "15-64", "65+"])
    >>> mp.distribute_migration(10_000, shares).sum("sex").round().values
    array([2121., 6768., 1111.])
    """
    amount = as_number("total", total)
    check_dims("total", amount)
    check_lacks("total", amount, "age", "sum it over age: .sum('age')")
    check_finite("total", amount)
    check_sexes("total", amount, both=False)
    if isinstance(schedule, xr.Dataset):
        return _by_rule(amount, schedule, population, interval)
    if interval is not None:
        raise SchemaError(
            "interval: given without a rule of mp.flow_difference; shares need none: leave it out"
        )
    check_dims("schedule", schedule, "age")
    check_sexes("schedule", schedule, both=False)
    arrays = {"total": amount, "schedule": schedule}
    if population is None:
        check_finite("schedule", schedule)
        weights = schedule
    else:
        _check_people(population)
        _check_places(amount, population)
        check_weights("schedule", schedule, "rates or weights")
        arrays["population"] = population
        people = population.drop_vars("age_width", errors="ignore").astype(np.float64)
        weights = schedule * people
    _check_match(arrays)
    weights = weights.astype(np.float64)
    over = _shared_over(amount, weights)
    if population is None:
        check_shares("schedule", weights, over)
    whole = weights.sum(over, skipna=False)
    _check_somebody(whole)
    return _named(amount * (weights / whole), schedule, "migration")


def _shared_over(amount: xr.DataArray, weights: xr.DataArray) -> list[str]:
    """Over which dims an amount is shared out."""
    return ["age"] if "sex" in amount.dims or "sex" not in weights.dims else ["sex", "age"]


def distribute_flows(
    arrivals: float | xr.DataArray,
    departures: float | xr.DataArray,
    inflow: xr.DataArray,
    outflow: xr.DataArray,
    *,
    population: xr.DataArray | None = None,
) -> xr.Dataset:
    r"""In-, out- and net migrants by age from the totals of those who come and who leave.

    Parameters
    ----------
    arrivals, departures : float or DataArray (..., [sex])
        Migrants (persons per period), 0 or more, of each sex or of both together.
    inflow : DataArray (..., [sex,] age)
        Shares (1) of those who come, as the `schedule` of :func:`distribute_migration`.
    outflow : DataArray (..., [sex,] age)
        With `population`: rates of leaving, of any level; without it: shares (1) of those who
        leave.
    population : DataArray (..., [sex,] age), optional
        People (persons) who may leave.

    Returns
    -------
    Dataset
        ``in_migrants``, ``out_migrants`` and ``net_migration`` (..., [sex,] age), in persons per
        period.

    Raises
    ------
    SchemaError
        If dims or values are not what is described here, or nobody is at risk anywhere.
    AlignmentError
        If a dim that inputs share has other labels, or another order, in one of them.

    Notes
    -----
    .. math:: M_x = I\, i_x - O \frac{u_x N_x}{\sum_y u_y N_y}

    Those who come bring the ages of their origin, those who leave the ages of the people here:
    with as many of each, the net total is 0 and its ages are not.

    References
    ----------
    Ševčíková, Raymer & Raftery (2024), *Forecasting Net Migration by Age: The Flow-Difference
    Approach*, arXiv:2411.09878.

    Examples
    --------
    >>> import migproj as mp
    >>> ages = ["0-14", "15-29", "30-64", "65+"]
    >>> inflow = mp.model_migration_schedule("low dependency", ages, women=0.4)
    >>> outflow = mp.model_migration_schedule("western standard", ages)
    >>> flows = mp.distribute_flows(500, 300, inflow, outflow)
    >>> flows["net_migration"].sum("age").round(1).to_series().to_dict()
    {'female': 49.1, 'male': 150.9}
    """
    amounts = {"arrivals": arrivals, "departures": departures}
    given = {name: as_number(name, amount) for name, amount in amounts.items()}
    for name, amount in given.items():
        check_dims(name, amount)
        check_counts(name, amount, people=False)
    for name, flow in (("inflow", inflow), ("outflow", outflow)):
        check_dims(name, flow, "age")
        check_weights(name, flow, "shares or rates")
    if population is not None:
        _check_people(population)
    inputs = {**given, "inflow": inflow, "outflow": outflow}
    _check_match(inputs if population is None else {**inputs, "population": population})
    check_shares("inflow", inflow, _shared_over(given["arrivals"], inflow))
    if population is None:
        check_shares("outflow", outflow, _shared_over(given["departures"], outflow))
    come = distribute_migration(given["arrivals"], inflow)
    leave = distribute_migration(given["departures"], outflow, population=population)
    found = {"in_migrants": come, "out_migrants": leave, "net_migration": come - leave}
    return xr.Dataset({name: _named(flow, inflow, name) for name, flow in found.items()})


def regroup_schedule(
    schedule: xr.DataArray, ages: AgesLike, *, exposure: xr.DataArray | None = None
) -> xr.DataArray:
    r"""A schedule of migration by other age groups, wider or narrower.

    Parameters
    ----------
    schedule : DataArray (..., age)
        Shares (1) or other amounts, which add up; or, with `exposure`, rates (1/year).
    ages : array with an ``age`` coordinate, or sequence of int or str
        The wanted groups, from the same age to the same age, the open-ended group a group of
        its own or part of one.
    exposure : DataArray (..., age), optional
        Person-years or people, by groups that lie within those of both: the groups of `schedule`
        where rates are brought to wider groups, those of `ages` where to narrower ones.

    Returns
    -------
    DataArray (..., age)
        The sums of shares, or the means of rates weighted by exposure; missing where nobody is
        exposed.

    Raises
    ------
    SchemaError
        If dims, groups or values are not what is described here.
    AlignmentError
        If a dim that both inputs share, but age, has other labels in one of them.

    Notes
    -----
    A share is spread evenly over the years of its group and a rate is that of all its years, so
    that the sum of shares, and the migrants that rates give, are kept. For a curve without
    steps, fit one: :func:`fit_rogers_castro`, or :func:`graduate_ages` for shares of 0 or more.

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> shares = xr.DataArray([0.25, 0.75], dims="age", coords=mp.age_coords(["0-4", "5+"]))
    >>> mp.regroup_schedule(shares, range(6)).round(3).values
    array([0.05, 0.05, 0.05, 0.05, 0.05, 0.75])
    """
    check_dims("schedule", schedule, "age")
    have = groups_of(schedule, "schedule")
    want = as_groups(ages, open_ended=have.is_open)
    if (want.lower[0], want.upper[-1]) != (have.lower[0], have.upper[-1]):
        raise SchemaError(
            f"ages: expected groups from {have.lower[0]} to {have.upper[-1]:g} like those of "
            f"schedule, got {want.lower[0]} to {want.upper[-1]:g}; name the ages that it has"
        )
    values = schedule.drop_vars("age_width", errors="ignore").astype(np.float64)
    if exposure is None:
        check_finite("schedule", schedule)
        fine = _common(have, want)
        inside = _inside(fine, have, "ages")
        own, whole = np.array(fine.width), np.array(have.width)[inside]
        part = np.divide(own, whole, out=np.ones_like(own), where=np.isfinite(own))
        spread = values.isel(age=inside).drop_vars("age") * xr.DataArray(part, dims="age")
        result = summed(spread.assign_coords(fine.coords()), unions(fine, want, "schedule"))
    else:
        check_rates("schedule", schedule)
        _check_people(exposure, "exposure")
        fine = groups_of(exposure, "exposure")
        inside = _inside(fine, have, "exposure")
        rates = values.isel(age=inside).assign_coords(fine.coords())
        lived = exposure.astype(np.float64).assign_coords(fine.coords())
        _check_match({"schedule": rates, "exposure": lived})
        offsets = unions(fine, want, "exposure")
        years = summed(lived, offsets)
        result = summed(rates * lived, offsets) / years.where(years > 0)
    result = result.assign_coords(want.coords()).transpose(..., *_LAST, missing_dims="ignore")
    return result.rename(schedule.name).assign_attrs(schedule.attrs)


def _by_rule(
    total: xr.DataArray,
    rule: xr.Dataset,
    population: xr.DataArray | None,
    interval: float | None,
) -> xr.DataArray:
    """Net migrants (..., sex, age) by a rule of flow_difference."""
    lacking = [n for n in ("inflow", "outflow", *PARAMETERS, "weighted") if n not in rule]
    if lacking:
        raise SchemaError(
            "schedule: expected shares by age, or the Dataset that mp.flow_difference makes; this "
            f"one lacks {lacking}"
        )
    if population is None:
        raise SchemaError(
            "population: a rule of mp.flow_difference needs the people by sex and age, for its "
            "rates are per person; give population=..., or totals of those who come and who "
            "leave to mp.distribute_flows"
        )
    _check_people(population)
    check_sexes("population", population, both=True)
    check_dims("population", population, "sex", "age")
    _check_places(total, population)
    years = _years(total, interval)
    parts = {name: rule[name] for name in ("inflow", "outflow", *PARAMETERS)}
    for name, part in parts.items():
        check_numbers(f"schedule[{name!r}]", part)
    _check_match({"total": total, "population": population, **parts})
    inflow, outflow, a, gain, loss, least, women_gain, women_loss = parts.values()
    people = population.drop_vars("age_width", errors="ignore").astype(np.float64)
    if "sex" not in total.dims:
        women = _either(total >= 0, women_gain, women_loss)
        total = total * (1.0 - women).where(people["sex"] != FEMALE, women)
    there = years * people.sum("age", skipna=False)
    rate = _either(there == 0, 0.0 * total, total / there)
    of_gain, of_loss = a + gain * rate - rate, a + loss * rate
    of_gain = _either(of_gain < least, least, of_gain)
    of_loss = _either(of_loss < least, least, of_loss) - rate
    leaving = there * _either(rate >= 0, of_gain, of_loss)
    weights = outflow * people if bool(rule["weighted"]) else outflow
    whole = weights.sum("age", skipna=False)
    _check_somebody(whole.where(leaving > 0, 1.0))
    left = _either(whole == 0, 0.0 * weights, leaving * (weights / whole))
    return _named((leaving + total) * inflow - left, population, "migration")


def _either(flags: xr.DataArray, first: xr.DataArray, other: xr.DataArray) -> xr.DataArray:
    """`first` where flagged, else `other`."""
    return first.where(flags, other)


def _check_somebody(whole: xr.DataArray) -> None:
    """There is somebody among whom a total is shared out."""
    if whole.chunks is None and bool((whole == 0).any()):
        nobody = np.asarray(whole.values == 0)
        raise SchemaError(
            "schedule: expected rates above 0 where there are people, got none to share a total "
            f"among ({'; '.join(where(whole, nobody))})"
        )


def _years(total: xr.DataArray, interval: float | None) -> float | xr.DataArray:
    """The years of the interval, given or as the total says."""
    width = total.coords.get("period_width")
    if interval is None and width is None:
        raise IntervalError(
            "interval: unknown; give interval=... in years, or total a coordinate 'period_width'"
        )
    years = as_number("interval", width if interval is None else interval)
    if not bool((years > 0).all()):
        raise IntervalError(f"interval: expected years above 0, got {years.values.tolist()}")
    return years.drop_vars("period_width", errors="ignore")


def _check_people(people: xr.DataArray, name: str = "population") -> None:
    check_dims(name, people, "age")
    check_counts(name, people, people=False)
    check_sexes(name, people, both=False)


def _check_match(arrays: dict[str, xr.DataArray]) -> None:
    """Shared dims have the same labels, and those by age the same groups as far as they say."""
    dims = dict.fromkeys(dim for array in arrays.values() for dim in array.dims)
    check_labels_match(arrays, dims)
    known = {name: array for name, array in arrays.items() if "age_width" in array.coords}
    for name, array in known.items():
        first, expected = next(iter(known.items()))
        if not np.array_equal(array["age_width"].values, expected["age_width"].values):
            raise AlignmentError(
                f"{name}: age_width: expected the widths of {first}, "
                f"{np.ravel(expected['age_width'].values)[:8].tolist()}, got "
                f"{np.ravel(array['age_width'].values)[:8].tolist()}; bring both to the same groups"
            )


def _check_places(total: xr.DataArray, population: xr.DataArray) -> None:
    """Totals and people are of the same places; a total may be of both sexes."""
    here = population.isel(sex=0, drop=True) if "sex" in population.dims else population
    own = total.isel(sex=0, drop=True) if "sex" in total.dims else total
    check_same_places("total", own, "population", here)


def _common(have: AgeGroups, want: AgeGroups) -> AgeGroups:
    """The groups between all bounds of both."""
    lower = sorted({*have.lower, *want.lower})
    width = [float(b - a) for a, b in itertools.pairwise(lower)]
    if have.is_open and want.lower[-1] > have.lower[-1]:
        raise SchemaError(
            f"ages: the bound(s) {[x for x in want.lower if x > have.lower[-1]][:5]} cut the "
            f"open-ended group {have.labels[-1]} of schedule, which has no years to spread it "
            "over; end the wanted groups with it, or mp.redistribute_open_group"
        )
    return AgeGroups(tuple(lower), (*width, have.upper[-1] - lower[-1]))


def _inside(fine: AgeGroups, have: AgeGroups, name: str) -> npt.NDArray[np.int64]:
    """For each narrower group the one that it lies in."""
    return np.repeat(np.arange(len(have)), np.diff(unions(fine, have, name)))


def _named(result: xr.DataArray, like: xr.DataArray, name: str) -> xr.DataArray:
    """With the groups of age that `like` has, dims in their order, and units."""
    if "age_width" in like.coords:
        widths = np.broadcast_to(like["age_width"].values, like.sizes["age"])
        result = result.assign_coords(age_width=("age", widths))
    result = result.transpose(..., *_LAST, missing_dims="ignore").rename(name)
    result.attrs = {"units": VARIABLES[name].units}
    return result
