"""Populations by single year of age between two censuses, closing on both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

from migproj._checks import (
    check_counts,
    check_dims,
    check_lacks,
    check_made_for,
    check_same_places,
    check_sexes,
    check_table,
)
from migproj._choices import check_choice, plain_number
from migproj._diagnostics import finding, warn_findings
from migproj._exact import Part, parts_of
from migproj.ages import AgeGroups, age_coords, groups_of
from migproj.conventions import VARIABLES
from migproj.dates import instant_of
from migproj.errors import AlignmentError, IntervalError, SchemaError
from migproj.survival import check_rounds, interval_between, ratios_of, slices_of

__all__ = ["intercensal_population"]

_Years = npt.NDArray[np.float64]
#: Instants nearer than this (two days) are one.
_NEAR = 0.006
#: Years below which a part of a span is but rounding.
_TINY = 1e-6
#: Years on each side of an exact age, and deaths per birth too few to tell their birth years.
_SHORT = 1e-3
_FEW = 1e-9


def intercensal_population(
    start: xr.DataArray,
    end: xr.DataArray,
    life_table: xr.Dataset,
    births: xr.DataArray,
    *,
    deaths: xr.DataArray | None = None,
    day: float = 0.0,
    interpolation: str = "spline",
) -> xr.Dataset:
    r"""Population by single year of age on one day of each year between two censuses.

    Parameters
    ----------
    start, end : DataArray (..., age)
        Population (persons) at the two rounds, from age 0 to an open-ended group, each with its
        scalar coordinate ``time`` or ``date``. The age groups may differ.
    life_table : Dataset with ``lx`` and ``Tx`` (..., [period,] age)
        Mortality of the interval (:func:`life_table`); with the dim ``period`` that of each part
        of it.
    births : DataArray (..., sex) or (..., period, sex)
        Births of the whole interval (persons), spread evenly over it; or, with the dim
        ``period``, of each year from `day` to `day` that the interval touches, labelled by its
        start: those of the first and last years count in proportion.
    deaths : DataArray (..., period, [sex,] age), optional
        Deaths (persons) by year, as births with the dim ``period``, and by single years of age
        at death. They are then subtracted; the life table only spreads people within age groups,
        and divides the deaths of an age and year between their two birth years.
    day : float
        The day of the year as a part of it, from 0 to below 1: 0 for 1 January, 0.5 for about
        1 July.
    interpolation : {"spline", "pchip"}
        Of the rounds between their ages, as in :func:`net_migration`.

    Returns
    -------
    Dataset
        ``population`` (..., time, [sex,] age; persons) at each `day` after the first round and
        before the second, by single years of age; ``net_migration`` (..., period, [sex,] age;
        persons per period) of each span between the rounds and these days, of people alive at
        its end, by the age they reach in the year that begins on its `day`; its coordinates
        ``period_width`` say the years of each span.

    Raises
    ------
    SchemaError
        If dims, labels or values of one input are not what is described here.
    AlignmentError
        If labels differ, or a round does not hold everyone, or deaths are not by single years
        up to the open-ended group of `end`.
    IntervalError
        If the rounds have no dates, or no `day` lies between them, or births, deaths or life
        tables are of other years.

    Warns
    -----
    DataQualityWarning
        Once a call, naming the labels, if more people die than there are (negative population).

    Notes
    -----
    Cohorts are of people born between one `day` and the next. With N0 and N1 their slices of the
    two rounds (interpolated against person-years, as in :func:`net_migration`), and A(t) those
    alive at t of N0 and the births since, without migration,

    .. math::
       N(t) = A(t) + \frac{t - t_0}{t_1 - t_0}\, R, \quad R = N_1 - A(t_1)

    with t0 the first round, or the day from which the cohort is born, and t1 the second round.
    From one day to the next A is survived by the life table, or loses its deaths. Survived, N is
    a mean of survivors and N1, so that nobody is fewer than 0. Deaths of an age and year are
    those of two birth years, divided (and within years) as in the stationary population: the
    later's share of a year is

    .. math:: (l_x - {}_1L_x) / (l_x - l_{x+1})

    Net migration of a span is what is there at its end less the survivors of its beginning and of
    its births, so that it closes on both rounds; a closed stationary population has none.

    References
    ----------
    Preston, Heuveline & Guillot (2001), *Demography*, ch. 7 (cohorts between censuses); Wilmoth
    et al. (2021), *Methods Protocol for the Human Mortality Database*, v6, ch. on population
    (intercensal survival with migration spread linearly).

    Examples
    --------
    >>> import migproj as mp, numpy as np, xarray as xr
    >>> mx = xr.DataArray([0.02, 0.001, 0.001, 0.08], dims="age",
    ...                   coords=mp.age_coords(["0", "1-4", "5-19", "20+"]))
    >>> table = mp.life_table(mx.assign_coords(sex="female"))
    >>> people = xr.DataArray([50.0, 150.0, 200.0], dims="age",
    ...                       coords=mp.age_coords(["0-4", "5-19", "20+"]))
    >>> result = mp.intercensal_population(people.assign_coords(date="1980-10-22"),
    ...     people.assign_coords(date="1984-05-15"), table, xr.DataArray(40.0))
    >>> result["population"]["time"].values
    array([1981., 1982., 1983., 1984.])
    >>> result["population"].sum("age").round(1).values
    array([400.1, 400.6, 400.6, 400.3])
    """
    check_rounds(start, end)
    check_table("life_table", life_table, "lx", "Tx")
    check_choice("interpolation", interpolation, ("spline", "pchip"))
    began = instant_of(start, "start")
    years = interval_between(start, end, None)
    if began is None:
        raise IntervalError(
            "start: expected a scalar coordinate 'time' or 'date', got none; label the rounds: "
            "start.assign_coords(date='2000-03-01')"
        )
    plan = _plan(groups_of(start, "start"), groups_of(end, "end"), began, began + years, day)
    parts = parts_of(life_table, began, years)
    born = _births(births, plan, start)
    died = None if deaths is None else _deaths(deaths, plan, parts, start, groups_of(end, "end"))
    first, last = (
        slices_of(name, array, part.life_table, plan.ages(when)[0], interpolation).rename(
            age="cohort"
        )
        for name, array, part, when in (
            ("start", start, parts[0], plan.began),
            ("end", end, parts[-1], plan.ended),
        )
    )
    spans = [
        _span(plan, parts, born, k) if died is None else _counted(plan, born, died, k)
        for k in range(len(plan.instants) - 1)
    ]
    alive = [first]
    for stay, new in spans:
        alive.append(alive[-1] * stay + new)
    residual = last - alive[-1]
    since = np.maximum(plan.bounds[:-1], plan.began)
    shares = np.clip((plan.instants[:, None] - since) / (plan.ended - since), 0.0, 1.0)
    people = [
        there + residual * xr.DataArray(share, dims="cohort")
        for there, share in zip(alive, shares, strict=True)
    ]
    moved = [people[k + 1] - people[k] * stay - new for k, (stay, new) in enumerate(spans)]
    result = _labelled(plan, people, moved)
    if died is not None:
        negative = (result["population"] < 0).any(["time", "age"])
        warn_findings("intercensal_population", [finding("more deaths than people", negative)])
    return result


@dataclass(frozen=True)
class _Plan:
    """Cohorts by birth, the youngest first, and the oldest together without an upper age."""

    began: float
    ended: float
    day: float
    bounds: _Years  # (cohorts + 1): cohort k is born in [bounds[k], bounds[k] + 1); youngest first
    instants: _Years  # the first round, each day between, the second round

    @property
    def count(self) -> int:
        return len(self.bounds) - 1

    def ages(self, when: float) -> tuple[_Years, _Years]:
        """Of each cohort the ages from and to at an instant; those not yet born at 0."""
        low = np.maximum(when - self.bounds[:-1] - 1.0, 0.0)
        high = np.maximum(when - self.bounds[:-1], 0.0)
        high[-1] = np.inf
        return low, high


def _plan(start: AgeGroups, end: AgeGroups, began: float, ended: float, day: float) -> _Plan:
    if not 0 <= plain_number("day", day, "a part of a year from 0 to below 1") < 1:
        raise SchemaError(f"day: expected a part of a year from 0 to below 1, got {day!r}")
    for name, groups in (("start", start), ("end", end)):
        if groups.lower[0] != 0 or not groups.is_open:
            raise AlignmentError(
                f"{name}: dim 'age': expected everyone, from 0 to an open-ended group, got "
                f"{groups.labels[0]} to {groups.labels[-1]}; give the whole round"
            )
    days = np.arange(np.floor(began) - 1, np.ceil(ended) + 1) + day
    between = days[(days > began + _NEAR) & (days < ended - _NEAR)]
    if not between.size:
        raise IntervalError(
            f"day: expected one between the rounds, from {began:g} to {ended:g}, got none at "
            f"{day:g} of a year; the rounds are too near, or choose another day"
        )
    youngest = float(days[days < ended - _NEAR][-1])
    # The oldest single cohort is within the closed ages of both rounds.
    oldest = max(began - start.lower[-1], ended - end.lower[-1])
    oldest = float(np.ceil(oldest - day - 1e-9) + day)
    count = round(youngest - oldest) + 2  # and all those born before
    bounds = youngest - np.arange(count + 1, dtype=np.float64)
    return _Plan(began, ended, day, bounds, np.array([began, *between, ended]))


def _births(births: xr.DataArray, plan: _Plan, start: xr.DataArray) -> xr.DataArray:
    """Births of each cohort within the interval, by the dim cohort."""
    check_dims("births", births)
    check_counts("births", births, people=False)
    check_sexes("births", births, both=False)
    check_lacks("births", births, "age", "give them by the year of birth (period), or in all")
    check_made_for("births", births, plan.ended - plan.began)
    check_same_places("births", births, "start", start)
    from_, to = (
        np.clip(edge, plan.began, plan.ended) for edge in (plan.bounds[:-1], plan.bounds[:-1] + 1)
    )
    lived = to - from_  # years of birth within the interval
    lived[-1] = 0.0
    shares = xr.DataArray(lived, dims="cohort")
    if "period" not in births.dims:
        return births * (shares / (plan.ended - plan.began))
    return (
        _of_years("births", births, plan, plan.bounds[:-1], lived).rename(period="cohort") * shares
    )


def _of_years(
    name: str, events: xr.DataArray, plan: _Plan, years: _Years, lived: _Years
) -> xr.DataArray:
    """Events (..., period, ...) of the years that begin at the instants given, unlabelled.

    Years of which nothing is `lived` within the interval take another's.
    """
    wanted = np.sort(years[lived > _NEAR])
    known = events["period"].values if "period" in events.coords else [np.nan]
    labels: _Years = np.asarray(known, dtype=np.float64)
    lacking = [float(y) for y in wanted if not np.abs(labels - y).min() <= _NEAR]
    if lacking:
        raise IntervalError(
            f"{name}: dim 'period': expected the years from {wanted[0]:g} to {wanted[-1]:g} by "
            f"their start, got {labels[:5].tolist()}; {name} of {lacking[:5]} are not there"
        )
    at = [int(np.abs(labels - y).argmin()) for y in np.clip(years, wanted[0], wanted[-1])]
    return events.isel(period=at).drop_vars(["period", "period_width"], errors="ignore")


def _deaths(
    deaths: xr.DataArray,
    plan: _Plan,
    parts: Sequence[Part],
    start: xr.DataArray,
    end: AgeGroups,
) -> list[xr.DataArray]:
    """Deaths of each span by cohort."""
    check_dims("deaths", deaths, "period", "age")
    check_counts("deaths", deaths, people=False)
    check_sexes("deaths", deaths, both=False)
    check_same_places("deaths", deaths, "start", start)
    groups = groups_of(deaths, "deaths")
    count = len(groups.lower)
    if groups.lower != tuple(range(count)) or not groups.is_open or count <= end.lower[-1]:
        raise AlignmentError(
            f"deaths: dim 'age': expected single years of age from 0 to an open-ended group of "
            f"{end.lower[-1]:g} or older, got {groups.labels[0]} to {groups.labels[-1]}; "
            "mp.graduate_ages makes single years"
        )
    begins = np.floor(plan.instants[:-1] - plan.day + _NEAR) + plan.day
    yearly = _of_years("deaths", deaths, plan, begins, np.diff(plan.instants))
    yearly = yearly.drop_vars(["age", "age_width"], errors="ignore")
    died = []
    for k, year in enumerate(begins):
        b, e = plan.instants[k : k + 2] - year
        these = _shares(parts[0].life_table, count, float(b), float(e))
        of_year = yearly.isel(period=k)
        found = xr.DataArray(0.0)
        for older, share in enumerate(these):
            # Of age x in the year: born in it x years before, or a year earlier.
            cohort = np.round(plan.bounds[0] - year).astype(int) + np.arange(count) + older
            to = np.minimum(cohort, plan.count - 1)
            pooled = xr.DataArray(
                (to[:, None] == np.arange(plan.count)).astype(float), dims=("age", "cohort")
            )
            found = found + (of_year * share * pooled).sum("age", skipna=False)
        died.append(found)
    return died


def _shares(
    life_table: xr.Dataset, count: int, began: float, ended: float
) -> tuple[xr.DataArray, xr.DataArray]:
    """Of a year's deaths at each age (..., age) those of a part of the year, by birth year.

    First those of the later of the two birth years that are of an age in a calendar year.
    """
    span = ended - began
    # Of the oldest the life table does not tell; their birth years are pooled anyway.
    top = min(count - 1, int(groups_of(life_table, "life_table").lower[-1]) - 1)
    ages = np.arange(top + 1, dtype=np.float64)
    born = np.full(top + 1, np.nan)
    there = ratios_of(life_table, ages + began, ages + ended, born, born)
    # People of an exact age as those of a short span about it.
    alive = ratios_of(life_table, np.maximum(ages - _SHORT, 0), ages + _SHORT, born, born)
    alive = alive.where(xr.DataArray(ages > 0, dims="age"), 1.0)
    reach = alive.shift(age=-1)
    die = alive - reach
    found = []
    for gone, even in (
        (alive - there, ended**2 - began**2),
        (there - reach, (1 - began) ** 2 - (1 - ended) ** 2),
    ):
        share = (span * gone / die.where(die > _FEW)).where(die > _FEW, even / 2)
        share = share.isel(age=slice(-1)).drop_vars(["age", "age_width"], errors="ignore")
        found.append(share.pad(age=(0, count - top), constant_values=even / 2))
    return found[0], found[1]


def _ratios(
    life_table: xr.Dataset, low: _Years, high: _Years, low_start: _Years, high_start: _Years
) -> xr.DataArray:
    """Survival ratios by cohort; where nobody is (no width) the ratio is not read."""
    empty = ~(high > low)
    high = np.where(empty, low + 1.0, high)
    low_start = np.where(empty, np.nan, low_start)
    high_start = np.where(empty, np.nan, high_start)
    ratios = ratios_of(life_table, low, high, low_start, high_start).rename(age="cohort")
    return ratios.where(xr.DataArray(~empty, dims="cohort"), 0.0)


def _span(
    plan: _Plan, parts: Sequence[Part], born: xr.DataArray, k: int
) -> tuple[xr.DataArray, xr.DataArray]:
    """Survival over a span of those there at its start, and who is left of its births."""
    began, ended = plan.instants[k : k + 2]
    low, high = plan.ages(began)
    from_, to = (np.clip(edge, began, ended) for edge in (plan.bounds[:-1], plan.bounds[:-1] + 1))
    to[-1] = from_[-1]
    nothing = np.full(plan.count, np.nan)
    stay, new = xr.DataArray(1.0), xr.DataArray(0.0)
    for part in parts:
        z = min(plan.ended - part.remaining, ended)
        a = max(plan.ended - part.remaining - part.years, began)
        if z - a < _TINY:
            continue
        aged, since = z - a, a - began
        there = high > low
        stay = stay * _ratios(
            part.life_table,
            low + since + aged,
            np.where(there, high, low) + since + aged,
            low + since,
            np.where(there, high, low) + since,
        )
        # Those born in the span so far live on, those of this part are born.
        youngest, oldest = a - np.minimum(to, a), a - np.minimum(from_, a)
        new = new * _ratios(part.life_table, youngest + aged, oldest + aged, youngest, oldest)
        come = np.clip(to, a, z) - np.clip(from_, a, z)
        alive = _ratios(
            part.life_table, z - np.clip(to, a, z), z - np.clip(from_, a, z), nothing, nothing
        )
        new = new + born * xr.DataArray(_share(come, plan), dims="cohort") * alive
    return stay, new


def _counted(
    plan: _Plan, born: xr.DataArray, died: Sequence[xr.DataArray], k: int
) -> tuple[xr.DataArray, xr.DataArray]:
    """All those there at the start of a span stay, and its births less its deaths come."""
    began, ended = plan.instants[k : k + 2]
    come = np.clip(plan.bounds[:-1] + 1, began, ended) - np.clip(plan.bounds[:-1], began, ended)
    new = born * xr.DataArray(_share(come, plan), dims="cohort")
    return xr.DataArray(1.0), new - died[k]


def _share(come: _Years, plan: _Plan) -> _Years:
    """Years of birth as a share of those that a cohort has within the interval."""
    from_, to = (
        np.clip(edge, plan.began, plan.ended) for edge in (plan.bounds[:-1], plan.bounds[:-1] + 1)
    )
    lived = to - from_
    return np.divide(come, lived, out=np.zeros_like(lived), where=lived > _NEAR)


def _labelled(plan: _Plan, people: list[xr.DataArray], moved: list[xr.DataArray]) -> xr.Dataset:
    ages = [_by_age(plan, array, k + 1) for k, array in enumerate(people[1:])]
    net = [_by_age(plan, array, k + 1) for k, array in enumerate(moved)]
    population = xr.concat(ages[:-1], "time").assign_coords(time=plan.instants[1:-1].round(6))
    migration = xr.concat(net, "period").assign_coords(
        period=plan.instants[:-1].round(6),
        period_width=("period", np.diff(plan.instants).round(6)),
    )
    made = {"population": population, "net_migration": migration}
    for name, array in made.items():
        tail = [d for d in ("time", "period", "sex", "age") if d in array.dims]
        ordered = array.transpose(..., *tail).rename(name)
        made[name] = ordered.assign_attrs(units=VARIABLES[name].units)
    return xr.Dataset(made)


def _by_age(plan: _Plan, array: xr.DataArray, k: int) -> xr.DataArray:
    """Cohorts at an instant by the age they have reached, the oldest ages together."""
    # The youngest of the oldest are youngest at the first day: the open-ended group begins there.
    top = round(float(plan.instants[1] - plan.bounds[plan.count - 1] - 1.0))
    when = plan.instants[k]
    reached = np.ceil(when - plan.bounds[:-1] - 1.0 - _NEAR).astype(int)
    ages = np.arange(top + 1)
    to = np.clip(reached, 0, top)
    pooled = (to[:, None] == ages) & (reached >= 0)[:, None]
    pooled[-1] = ages == top
    summed = (array * xr.DataArray(pooled.astype(float), dims=("cohort", "age"))).sum(
        "cohort", skipna=False
    )
    return summed.assign_coords(age_coords(range(top + 1)))
