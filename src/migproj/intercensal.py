"""Populations by single year of age between two censuses, closing on both."""

from __future__ import annotations

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
from migproj.ages import AgeGroups, age_coords, groups_of
from migproj.conventions import VARIABLES
from migproj.dates import instant_of
from migproj.errors import AlignmentError, IntervalError, SchemaError
from migproj.survival import check_rounds, interval_between, ratios_of, slices_of

__all__ = ["intercensal_population"]

_Years = npt.NDArray[np.float64]
#: Instants nearer than this (two days) are one.
_NEAR = 0.006


def intercensal_population(
    start: xr.DataArray,
    end: xr.DataArray,
    life_table: xr.Dataset,
    births: xr.DataArray,
    *,
    day: float = 0.0,
    interpolation: str = "spline",
) -> xr.Dataset:
    r"""Population by single year of age on one day of each year between two censuses.

    Parameters
    ----------
    start, end : DataArray (..., age)
        Population (persons) at the two rounds, from age 0 to an open-ended group, each with its
        scalar coordinate ``time`` or ``date``. The age groups may differ.
    life_table : Dataset with ``lx`` and ``Tx`` (..., age)
        Mortality of the interval (:func:`life_table`).
    births : DataArray (..., sex) or (..., period, sex)
        Births of the whole interval (persons), spread evenly over it; or, with the dim
        ``period``, of each year from `day` to `day` that the interval touches, labelled by its
        start: those of the first and last years count in proportion.
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
        If labels differ, or a round does not hold everyone.
    IntervalError
        If the rounds have no dates, or no `day` lies between them, or births are of other years.

    Notes
    -----
    Cohorts are of people born between one `day` and the next. With N0 and N1 their slices of the
    two rounds (interpolated against person-years, as in :func:`net_migration`), births B, and S
    the survival of the slice to an instant t:

    .. math::
       N(t) = S(t)\, N_0 + S_B(t)\, B + \frac{t - t_0}{t_1 - t_0}\, R, \quad
       R = N_1 - S(t_1)\, N_0 - S_B(t_1)\, B

    with t0 the first round, or the day from which the cohort is born, and t1 the second round: a
    mean of survivors and N1, so that nobody is fewer than 0.
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
    if interpolation not in ("spline", "pchip"):
        raise SchemaError(
            f"interpolation: expected one of ['spline', 'pchip'], got {interpolation!r}"
        )
    began = instant_of(start, "start")
    years = interval_between(start, end, None)
    if began is None:
        raise IntervalError("start: expected a scalar coordinate 'time' or 'date'")
    plan = _plan(groups_of(start, "start"), groups_of(end, "end"), began, began + years, day)
    born = _births(births, plan, start)
    first, last = (
        slices_of(name, array, life_table, plan.ages(when)[0], interpolation).rename(age="cohort")
        for name, array, when in (("start", start, plan.began), ("end", end, plan.ended))
    )
    survivors = [_survivors(plan, life_table, first, born, when) for when in plan.instants[1:]]
    residual = last - survivors[-1]
    since = np.maximum(plan.bounds[:-1], plan.began)
    people = [first]
    for when, alive in zip(plan.instants[1:], survivors, strict=True):
        share = np.clip((when - since) / (plan.ended - since), 0.0, 1.0)
        people.append(alive + residual * xr.DataArray(share, dims="cohort"))
    return _labelled(plan, life_table, people, born)


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
    if not 0 <= day < 1:
        raise SchemaError(f"day: expected a part of a year from 0 to below 1, got {day!r}")
    for name, groups in (("start", start), ("end", end)):
        if groups.lower[0] != 0 or not groups.is_open:
            raise AlignmentError(
                f"{name}: dim 'age': expected everyone, from 0 to an open-ended group, got "
                f"{groups.labels[0]} to {groups.labels[-1]}"
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
    wanted = plan.bounds[:-1][lived > _NEAR]
    known = births["period"].values if "period" in births.coords else [np.nan]
    labels: _Years = np.asarray(known, dtype=np.float64)
    lacking = [float(y) for y in wanted if not np.abs(labels - y).min() <= _NEAR]
    if lacking:
        raise IntervalError(
            f"births: dim 'period': expected the years from {wanted[-1]:g} to {wanted[0]:g} by "
            f"their start, got {labels[:5].tolist()}; births of {lacking[::-1][:5]} are not there"
        )
    years = np.clip(plan.bounds[:-1], wanted[-1], wanted[0])
    at = [int(np.abs(labels - year).argmin()) for year in years]
    own = births.isel(period=at).drop_vars(["period", "period_width"], errors="ignore")
    return own.rename(period="cohort") * shares


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


def _survivors(
    plan: _Plan, life_table: xr.Dataset, first: xr.DataArray, born: xr.DataArray, when: float
) -> xr.DataArray:
    """Those of the first round and of the births since who are alive, without migration."""
    since = when - plan.began
    low, high = plan.ages(plan.began)
    there = high > low
    alive = _ratios(life_table, low + since, np.where(there, high + since, low + since), low, high)
    return first * alive + born * _of_births(plan, life_table, when)


def _of_births(plan: _Plan, life_table: xr.Dataset, when: float) -> xr.DataArray:
    """Survival to an instant of those born in the interval, by cohort (0 where not yet born)."""
    from_, to = (
        np.clip(edge, plan.began, plan.ended) for edge in (plan.bounds[:-1], plan.bounds[:-1] + 1)
    )
    low, high = when - to, when - from_
    unborn = (low < -_NEAR) | (to - from_ < _NEAR)
    unborn[-1] = True
    nothing = np.full(len(low), np.nan)
    low = np.where(unborn, 0.0, np.maximum(low, 0.0))
    return _ratios(life_table, low, np.where(unborn, low, high), nothing, nothing)


def _labelled(
    plan: _Plan, life_table: xr.Dataset, people: list[xr.DataArray], born: xr.DataArray
) -> xr.Dataset:
    moved = []
    for k in range(len(people) - 1):
        began, ended = plan.instants[k : k + 2]
        low, high = plan.ages(began)
        span = ended - began
        there = high > low
        stay = _ratios(life_table, low + span, np.where(there, high + span, low + span), low, high)
        # Of the births those of the span: the cohort born in it, or the part of one.
        within = _born_in(plan, began, ended)
        new = born * xr.DataArray(within, dims="cohort") * _of_births(plan, life_table, ended)
        moved.append(people[k + 1] - people[k] * stay - new)
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


def _born_in(plan: _Plan, began: float, ended: float) -> _Years:
    """The share of each cohort's births in the interval that are in a span of it."""
    from_, to = (
        np.clip(edge, plan.began, plan.ended) for edge in (plan.bounds[:-1], plan.bounds[:-1] + 1)
    )
    lived = to - from_
    within = np.clip(to, began, ended) - np.clip(from_, began, ended)
    return np.divide(within, lived, out=np.zeros_like(lived), where=lived > _NEAR)


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
