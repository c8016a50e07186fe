"""Census rounds of populations whose migration is known, to test estimators on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import xarray as xr

from migproj._checks import as_number, check_labels_match, check_numbers, check_rates, shown, where
from migproj.ages import AgeGroups, AgesLike, as_groups, groups_of
from migproj.conventions import VARIABLES
from migproj.dates import DateLike, decimal_year, interval_years
from migproj.errors import IntervalError, SchemaError

__all__ = ["SimulatedRounds", "gompertz_makeham", "migrant_schedule", "simulate_rounds"]

_Values: TypeAlias = npt.NDArray[np.float64]
_Hazard: TypeAlias = Callable[[_Values], xr.DataArray]

#: Age above which nobody migrates or is counted at the start; nodes of the quadratures by age
#: and by time.
_OLDEST: Final = 120
_NODES: Final = 6
_TIMES: Final = 48
_POINT: Final = "_point"
_LAST: Final = 110


@dataclass(frozen=True)
class SimulatedRounds:
    """Rounds, and the truth about the intervals between them.

    Attributes
    ----------
    population : tuple of DataArray (..., age)
        Persons at each date, with the scalar coordinate ``time``.
    net_migration : tuple of DataArray (..., age)
        Net migration (persons per period) of each interval by age at its end, on the groups of
        the later round: everyone who moved, also those who died since.
    net_migration_by_age : tuple of DataArray (..., age)
        The same people by their age when they moved.
    births, deaths : tuple of DataArray (...)
        Persons per period, of each interval.
    life_table : Dataset
        ``lx`` (persons, radix 1) and ``Tx`` (person-years) of the mortality simulated, by single
        ages to 110+, exact.
    """

    population: tuple[xr.DataArray, ...]
    net_migration: tuple[xr.DataArray, ...]
    net_migration_by_age: tuple[xr.DataArray, ...]
    births: tuple[xr.DataArray, ...]
    deaths: tuple[xr.DataArray, ...]
    life_table: xr.Dataset


def gompertz_makeham(
    *,
    level: float | xr.DataArray = 5e-5,
    slope: float | xr.DataArray = 0.09,
    background: float | xr.DataArray = 5e-4,
    infant: float | xr.DataArray = 0.03,
    decline: float | xr.DataArray = 1.5,
) -> xr.Dataset:
    r"""Parameters of a hazard of dying by exact age: Gompertz, Makeham and childhood.

    Parameters
    ----------
    level, slope, background, infant, decline : float or DataArray (...)
        b, k, c, a and d of the formula, 1/year. Any dims.

    Returns
    -------
    Dataset
        The parameters, for the `mortality` of :func:`simulate_rounds`.

    Raises
    ------
    SchemaError
        If a parameter is below 0, or slope or decline is 0.

    Notes
    -----
    .. math:: \mu(x) = a e^{-d x} + c + b e^{k x}

    With a = 0 it is the law of Gompertz and Makeham; the first term is Siler's.

    References
    ----------
    Preston, Heuveline & Guillot (2001), *Demography*, section 9.1; Siler (1979), A competing-risk
    model for animal mortality, *Ecology* 60, 750-757.

    Examples
    --------
    >>> import migproj as mp
    >>> sorted(mp.testing.gompertz_makeham(level=6e-5))
    ['background', 'decline', 'infant', 'level', 'slope']
    """
    given = {
        "level": level,
        "slope": slope,
        "background": background,
        "infant": infant,
        "decline": decline,
    }
    arrays = {name: as_number(name, value) for name, value in given.items()}
    for name, array in arrays.items():
        check_numbers(name, array)
        odd = (array.values <= 0) if name in ("slope", "decline") else (array.values < 0)
        if odd.any():
            raise SchemaError(
                f"{name}: expected a hazard, above 0, got {float(array.values[odd][0]):g} "
                f"({'; '.join(where(array, odd))})"
            )
    check_labels_match(arrays, dims=dict.fromkeys(d for a in arrays.values() for d in a.dims))
    return xr.Dataset(arrays)


def migrant_schedule(age: npt.ArrayLike) -> _Values:
    r"""Share of migrants a year of age: children, and a peak of young adults at 23.

    Parameters
    ----------
    age : array of float
        Exact ages, years.

    Returns
    -------
    array
        1/year, of the form of Rogers and Castro without a constant and a peak at retirement; its
        level is set by :func:`simulate_rounds`.

    Raises
    ------
    ValueError
        If `age` holds no numbers.

    Notes
    -----
    .. math:: 0.02\, e^{-0.1 x} + 0.06\, e^{-0.1 (x - 20) - e^{-0.4 (x - 20)}}

    References
    ----------
    Rogers & Castro (1981), *Model Migration Schedules*, IIASA RR-81-30: the form and, rounded,
    the parameters of the standard schedule.

    Examples
    --------
    >>> import migproj as mp
    >>> shares = mp.testing.migrant_schedule([5.0, 23.0, 60.0])
    >>> bool(shares[1] > shares[0] > shares[2])
    True
    """
    x = np.asarray(age, dtype=np.float64)
    grown = np.maximum(x - 20.0, -40.0)
    return np.asarray(
        0.02 * np.exp(-0.10 * x) + 0.06 * np.exp(-0.10 * grown - np.exp(-0.40 * grown))
    ) * (x >= 0)


def simulate_rounds(
    dates: Sequence[DateLike],
    ages: AgesLike | Sequence[AgesLike],
    mortality: xr.Dataset | xr.DataArray,
    *,
    migration: float | xr.DataArray,
    seed: int,
    schedule: Callable[[_Values], npt.ArrayLike] = migrant_schedule,
    intensity: Callable[[_Values], npt.ArrayLike] | None = None,
    births: float | xr.DataArray = 1e5,
    growth: float | xr.DataArray = 0.01,
    waves: float = 0.05,
) -> SimulatedRounds:
    r"""Two or more census rounds of a population whose migration is known by age and date.

    Parameters
    ----------
    dates : sequence of int, float, str, datetime.date, numpy.datetime64 or pandas.Timestamp
        Dates of the rounds, ascending; nobody migrates before the first.
    ages : array with an ``age`` coordinate, sequence of int or str, or a list of these
        Age groups of all rounds, or of each (a list of as many as there are dates). From 0, the
        last open-ended, at most 110+.
    mortality : Dataset or DataArray
        Parameters of :func:`gompertz_makeham`; or death rates (..., age), 1/year, such as those of
        a model life table, taken to be the same at all ages of a group.
    migration : float or DataArray (...)
        Net migrants a year (persons); negative where people leave.
    seed : int
        Of the waves of past births: another seed, other ages.
    schedule : function of exact age, default :func:`migrant_schedule`
        Relative number of migrants a year of age; may change sign. Nobody migrates above 120.
    intensity : function of the decimal year, optional
        How many times `migration` come in a year of that date. Default: 1, evenly spread.
    births : float or DataArray (...)
        Births a year at the first date (persons), but for the waves.
    growth : float or DataArray (...)
        Growth of births, 1/year.
    waves : float, default 0.05
        Amplitude of the waves, as a share of births; 0 gives a stable population.

    Returns
    -------
    SimulatedRounds
        Rounds, true net migration, births, deaths and the life table.

    Raises
    ------
    SchemaError, AlignmentError
        If inputs are not what is described here, or migration leaves fewer than none.
    IntervalError
        If the dates do not ascend.

    Notes
    -----
    With B the births, l the life table, g net migrants by exact age and date, and :math:`t_0` the
    first date,

    .. math:: N(a, t) = B(t - a)\, l(a)
              + \int_0^{\min(a,\, t - t_0)} g(a - s, t - s)\, \frac{l(a)}{l(a - s)}\, ds

    The waves are three, of 15 to 45 years and random phase. Births are those given: children of
    migrants born after the move are among them. Integrals are Gauss-Legendre quadratures, by
    single years of age. A schedule or an intensity that jumps is integrated less well.

    References
    ----------
    Preston, Heuveline & Guillot (2001), *Demography*, ch. 8 (populations that are not stable);
    Siler (1979), A competing-risk model for animal mortality, *Ecology* 60, 750-757.

    Examples
    --------
    >>> import migproj as mp
    >>> made = mp.testing.simulate_rounds(
    ...     ["1990-10-21", "2000-10-21"], range(0, 85, 5), mp.testing.gompertz_makeham(),
    ...     migration=5000.0, seed=1, growth=0.0, waves=0.0)
    >>> start, end = made.population
    >>> round(float(made.net_migration[0].sum()))
    50000
    >>> result = mp.net_migration(start, end, made.life_table, births=made.births[0])
    >>> abs(float(result["net_migration"].sum()) / 50000 - 1) < 0.01
    True
    """
    labels = _instants(dates)
    times = [labels[0] + years for years in (0.0, *np.cumsum(_intervals(dates)))]
    grids = _grids(ages, len(times))
    arrays = {
        name: as_number(name, value)
        for name, value in (("migration", migration), ("births", births), ("growth", growth))
    }
    for name, array in arrays.items():
        check_numbers(name, array)
    hazard, parameters = _hazard(mortality)
    every = {**arrays, **parameters}
    check_labels_match(
        every, dims=dict.fromkeys(d for a in every.values() for d in a.dims if d != "age")
    )
    model = _Model(
        hazard,
        arrays["migration"],
        _scaled(schedule),
        intensity or np.ones_like,
        arrays["births"],
        arrays["growth"],
        _wave(seed, waves),
        times[0],
    )
    rounds = tuple(
        model.population(grid, time).assign_coords(time=label)
        for grid, time, label in zip(grids, times, labels, strict=True)
    )
    for array in rounds:
        if (odd := array.values < 0).any():
            raise SchemaError(
                f"migration: more leave than there are at {float(array['time']):g} in "
                f"{'; '.join(where(array, odd))}; give less, or more births"
            )
    truth = [
        tuple(
            array.assign_coords(period=label, period_width=years)
            for array in model.truth(grid, start, start + years)
        )
        for grid, start, label, years in zip(
            grids[1:], times, labels, _intervals(dates), strict=False
        )
    ]
    at_end, by_age, born = (tuple(part) for part in zip(*truth, strict=True))
    deaths = tuple(
        (_total(before) + b + _total(net) - _total(after)).rename("deaths").assign_attrs(b.attrs)
        for before, after, b, net in zip(rounds, rounds[1:], born, at_end, strict=False)
    )
    return SimulatedRounds(rounds, at_end, by_age, born, deaths, model.life_table())


def _total(array: xr.DataArray) -> xr.DataArray:
    return array.sum("age").drop_vars(["time", "period", "period_width"], errors="ignore")


def _instants(dates: Sequence[DateLike]) -> list[float]:
    given: Any = dates
    if isinstance(given, str) or not isinstance(given, Sequence | np.ndarray) or len(given) < 2:
        raise IntervalError(f"dates: expected two dates or more, ascending, got {shown(dates)}")
    return [decimal_year(date) for date in dates]


def _intervals(dates: Sequence[DateLike]) -> list[float]:
    """Years between the rounds, as estimators take them: whole where they are nearly so."""
    return [interval_years(first, last) for first, last in pairwise(dates)]


def _grids(ages: Any, count: int) -> list[AgeGroups]:
    each = (
        isinstance(ages, list | tuple)
        and bool(ages)
        and not isinstance(ages[0], str | int | np.integer)
    )
    grids = [as_groups(own) for own in ages] if each else [as_groups(ages)] * count
    if len(grids) != count:
        raise SchemaError(
            f"ages: expected the groups of each of the {count} rounds, got {len(grids)} lists; one "
            "list serves them all"
        )
    for grid in grids:
        if grid.lower[0] != 0 or not grid.is_open or grid.lower[-1] > _LAST:
            raise SchemaError(
                f"ages: expected groups from 0 to an open-ended one, at most 110+, got "
                f"{', '.join((*grid.labels[:5], grid.labels[-1]))}"
            )
    return grids


def _hazard(mortality: Any) -> tuple[_Hazard, dict[str, xr.DataArray]]:
    """The cumulative hazard by exact age, and the arrays that it is made of."""
    if isinstance(mortality, xr.Dataset) and "slope" in mortality:
        p = mortality

        def law(age: _Values) -> xr.DataArray:
            x = xr.DataArray(age, dims=_POINT)
            young = p["infant"] / p["decline"] * (1.0 - _exp(-p["decline"] * x))
            old = p["level"] / p["slope"] * (_exp(p["slope"] * x) - 1.0)
            return young + p["background"] * x + old

        return law, {str(name): p[name] for name in p.data_vars}
    if not isinstance(mortality, xr.DataArray):
        raise SchemaError(
            "mortality: expected parameters of mp.testing.gompertz_makeham or death rates by age, "
            f"got {type(mortality).__name__}; of a life table give table['mx']"
        )
    check_rates("mortality", mortality)
    groups = groups_of(mortality, "mortality")
    if groups.lower[0] != 0 or not groups.is_open:
        raise SchemaError(
            f"mortality: dim 'age': expected rates from 0 to an open-ended group, got "
            f"{groups.labels[0]} to {groups.labels[-1]}"
        )
    rates = mortality.drop_vars("age_width", errors="ignore")

    def steps(age: _Values) -> xr.DataArray:
        lived = np.clip(age[:, None] - np.array(groups.lower), 0.0, np.array(groups.width))
        return (rates * xr.DataArray(lived, dims=(_POINT, "age"))).sum("age", skipna=False)

    return steps, {"mortality": rates}


def _exp(array: xr.DataArray) -> xr.DataArray:
    values: Any = np.exp(array)
    return xr.DataArray(values)


def _scaled(schedule: Callable[[_Values], npt.ArrayLike]) -> Callable[[_Values], _Values]:
    """The schedule as shares: of all ages together, 1."""
    at, weight = _nodes(np.arange(_OLDEST + 1.0))
    total = float((np.asarray(schedule(at), dtype=np.float64) * weight).sum())
    if not (np.isfinite(total) and total > 0):
        raise SchemaError(
            f"schedule: expected a finite sum above 0 over ages, got {total:g}; give weights of "
            "0 or more by age"
        )
    return lambda age: np.asarray(schedule(age), dtype=np.float64) * (age <= _OLDEST) / total


def _wave(seed: int, waves: float) -> Callable[[_Values], _Values]:
    """Waves of births around their trend: the same for all populations of a seed."""
    if not 0 <= waves < 1:
        raise SchemaError(f"waves: expected a share of births from 0 to below 1, got {waves!r}")
    rng = np.random.default_rng(seed)
    lengths = rng.uniform(15.0, 45.0, 3)[:, None]
    phases = rng.uniform(0.0, 2.0 * np.pi, 3)[:, None]
    return lambda time: 1.0 + waves / 3 * np.sin(2 * np.pi * time / lengths + phases).sum(axis=0)


def _nodes(bounds: _Values) -> tuple[_Values, _Values]:
    """Gauss-Legendre nodes and weights of each interval between `bounds`."""
    at, weight = np.polynomial.legendre.leggauss(_NODES)
    half = np.diff(bounds)[:, None] / 2
    return (bounds[:-1, None] + half * (1 + at)).ravel(), (half * weight).ravel()


@dataclass(frozen=True)
class _Model:
    """A population by exact age and date."""

    hazard: _Hazard
    migration: xr.DataArray
    schedule: Callable[[_Values], _Values]
    intensity: Callable[[_Values], npt.ArrayLike]
    births: xr.DataArray
    growth: xr.DataArray
    wave: Callable[[_Values], _Values]
    began: float

    @cached_property
    def nobody(self) -> xr.DataArray:
        """0 for each of the populations."""
        no_age = self.hazard(np.zeros(1)).isel({_POINT: 0}, drop=True)
        return 0.0 * (no_age + self.migration + self.births + self.growth)

    def population(self, groups: AgeGroups, time: float) -> xr.DataArray:
        at, weight = self._ages(time - self.began)
        people = self._born(time - at) * _exp(-self.hazard(at))
        if time > self.began:
            people = people + self._migrants(at, self.began, time, surviving=True)
        made = _grouped(people * xr.DataArray(weight, dims=_POINT), at, groups)
        return _finished(made + self.nobody, "population")

    def truth(self, groups: AgeGroups, start: float, end: float) -> tuple[xr.DataArray, ...]:
        """Net migration by age at the end and by age at the move, and births."""
        return (
            self.by_age_at_end(groups, start, end),
            self.by_age(groups, start, end),
            self.births_of(start, end),
        )

    def by_age_at_end(self, groups: AgeGroups, start: float, end: float) -> xr.DataArray:
        at, weight = self._ages(end - start)
        moved = self._migrants(at, start, end, surviving=False)
        made = _grouped(moved * xr.DataArray(weight, dims=_POINT), at, groups)
        return _finished(made + self.nobody, "net_migration")

    def by_age(self, groups: AgeGroups, start: float, end: float) -> xr.DataArray:
        at, weight = _nodes(np.arange(_OLDEST + 1.0))
        shares = xr.DataArray(self.schedule(at) * weight, dims=_POINT)
        when, lasting = _nodes(np.linspace(start, end, _TIMES // _NODES + 1))
        years = float((np.asarray(self.intensity(when)) * lasting).sum())
        made = _grouped(self.migration * years * shares, at, groups)
        return _finished(made + self.nobody, "net_migration")

    def births_of(self, start: float, end: float) -> xr.DataArray:
        when, lasting = _nodes(np.linspace(start, end, _TIMES // _NODES + 1))
        total = (self._born(when) * xr.DataArray(lasting, dims=_POINT)).sum(_POINT)
        return _finished(total + self.nobody, "births")

    def life_table(self) -> xr.Dataset:
        """The columns lx and Tx by single ages."""
        groups = as_groups(range(_LAST + 1))
        at, weight = _nodes(np.arange(_OLDEST + 1.0))
        lived = _grouped(_exp(-self.hazard(at)) * xr.DataArray(weight, dims=_POINT), at, groups)
        above = lived.isel(age=slice(None, None, -1)).cumsum("age").isel(age=slice(None, None, -1))
        alive = _exp(-self.hazard(np.array(groups.lower, dtype=np.float64)))
        table = {
            "lx": _finished(alive.rename({_POINT: "age"}).assign_coords(groups.coords()), "lx"),
            "Tx": _finished(above.assign_coords(groups.coords()), "Tx"),
        }
        return xr.Dataset(table)

    def _ages(self, years: float) -> tuple[_Values, _Values]:
        """Nodes by age, with a bound where those born since the start end."""
        return _nodes(np.unique([*np.arange(_OLDEST + np.ceil(years) + 1), years]))

    def _born(self, time: _Values) -> xr.DataArray:
        """Births a year."""
        trend = _exp(self.growth * xr.DataArray(time - self.began, dims=_POINT))
        return self.births * trend * xr.DataArray(self.wave(time), dims=_POINT)

    def _migrants(self, age: _Values, start: float, end: float, *, surviving: bool) -> xr.DataArray:
        """By exact age at `end`: those who moved since `start`, or the survivors of them."""
        part, weight = np.polynomial.legendre.leggauss(_TIMES)
        span = np.minimum(age, end - start)
        alive = self.hazard(age)
        total: xr.DataArray = xr.zeros_like(alive)
        for p, w in zip((1 + part) / 2, weight / 2, strict=True):
            ago = p * span
            moved = self.schedule(age - ago) * np.asarray(self.intensity(end - ago)) * w * span
            share = _exp(self.hazard(age - ago) - alive) if surviving else 1.0
            total = total + share * xr.DataArray(moved, dims=_POINT)
        return total * self.migration


def _grouped(points: xr.DataArray, at: _Values, groups: AgeGroups) -> xr.DataArray:
    """Sums of what is at the points over age groups."""
    holds = np.searchsorted(np.array(groups.lower), at, side="right") - 1
    member = np.zeros((at.size, len(groups)))
    member[np.arange(at.size), holds] = 1.0
    made = xr.dot(points, xr.DataArray(member, dims=(_POINT, "age")), dim=_POINT)
    return xr.DataArray(made.assign_coords(groups.coords()))


def _finished(array: xr.DataArray, name: str) -> xr.DataArray:
    order = [dim for dim in ("sex", "age") if dim in array.dims]
    named = array.transpose(..., *order).rename(name)
    return named.assign_attrs(units=VARIABLES[name].units)
