"""Clean inputs for the benchmarks: nothing in them for the library to warn about.

The random parts vary smoothly enough that no population, survivor or qx leaves its bounds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

import migproj as mp

ABRIDGED = ["0", "1-4", *(f"{x}-{x + 4}" for x in range(5, 100, 5)), "100+"]
FIVE_YEAR = range(0, 105, 5)
SINGLE = range(101)
FERTILE = range(15, 50)
SEXES = ["female", "male"]
SEX_RATIO_AT_BIRTH = 1.05


@dataclass(frozen=True)
class Sizes:
    """How many of each label the inputs have."""

    full: bool
    countries: int
    periods: int
    draws: int
    projected: int  # countries of the population projection
    projected_draws: int
    steps: int
    stored: int  # countries of the projection that stores every cell; 237 take 6 GB
    stored_draws: int
    ensemble: int  # countries of the ensembles
    ensemble_draws: int
    birthplaces: int
    residences: int  # countries of the stock projection
    stock_steps: int
    world: int  # countries that are birthplaces as well
    triad: int  # cells of each of the three arrays

    def rounds(self, wanted: int) -> int:
        """Rounds of a case: as wanted at full size, a few at a small one."""
        return wanted if self.full else 3


FULL = Sizes(True, 201, 14, 100, 10, 20, 76, 237, 50, 24, 500, 50, 20, 16, 200, 2**24)
SMOKE = Sizes(False, 3, 2, 4, 2, 2, 5, 2, 2, 2, 9, 3, 2, 3, 3, 2**18)


def _labelled(values: np.ndarray, *dims: str, **coords: object) -> xr.DataArray:
    """An array whose dims are labelled by position, but for sex and those given."""
    own = {dim: np.arange(n) for dim, n in zip(dims, values.shape, strict=True) if dim != "age"}
    if "sex" in dims:
        own["sex"] = SEXES
    if "period" in dims:
        own["period"] = coords.pop("period")
    return xr.DataArray(values, dims=dims, coords={**own, **coords})


def _periods(first: int, count: int, step: int) -> np.ndarray:
    return first + step * np.arange(count, dtype=float)


def death_rates(countries: int, periods: int) -> xr.DataArray:
    """mx (country, period, sex, age) of a Gompertz-Makeham law with child deaths, 0 to 100+."""
    coords = mp.age_coords(ABRIDGED)
    lower = coords["age"].values.astype(float)
    middle = lower + np.array([0.5, 2.0] + [2.5] * (lower.size - 2))
    rng = np.random.default_rng(1)
    level = rng.uniform(0.7, 1.05, (countries, periods, 2, 1))
    rates = 0.03 * np.exp(-1.2 * middle) + 0.0004 + 5e-5 * np.exp(0.08 * middle)
    return _labelled(
        level * rates,
        "country",
        "period",
        "sex",
        "age",
        **coords,
        period=_periods(1950, periods, 5),
    )


def survival(countries: int, periods: int) -> xr.DataArray:
    """Five-year survival ratios (country, period, sex, age), of the life tables above."""
    return mp.survival_ratios(mp.life_table(death_rates(countries, periods)))


def fertility(countries: int, periods: int) -> xr.DataArray:
    """Births per woman-year (country, period, age) at 15-19 to 45-49."""
    ages = np.arange(15, 50, 5)
    level = np.random.default_rng(5).uniform(0.8, 1.6, (countries, periods, 1))
    bearing = 0.15 * np.exp(-(((ages - 25.0) / 8.0) ** 2))
    return _labelled(
        level * bearing,
        "country",
        "period",
        "age",
        age=ages,
        period=_periods(1950, periods, 5),
    )


def people(rng: np.random.Generator, *shape: int) -> np.ndarray:
    """Counts of people that fall with age along the last axis."""
    ages = np.linspace(0.0, 1.0, shape[-1])
    return 1e5 * np.exp(-4.0 * ages**2) * rng.uniform(0.9, 1.1, shape)


@dataclass(frozen=True)
class Rounds:
    """Two census rounds with their births: the draws are on the start alone."""

    start: xr.DataArray  # (country, period, draw, sex, age)
    end: xr.DataArray  # (country, period, sex, age)
    births: xr.DataArray  # (country, period, sex)
    survival: xr.DataArray  # (country, period, sex, age)


def rounds(countries: int, periods: int, draws: int) -> Rounds:
    """Rounds five years apart, on five-year groups 0 to 100+."""
    rng = np.random.default_rng(2)
    coords = {**mp.age_coords(FIVE_YEAR), "period": _periods(1950, periods, 5)}
    groups = len(FIVE_YEAR)
    start = people(rng, countries, periods, draws, 2, groups)
    end = people(rng, countries, periods, 2, groups)
    return Rounds(
        _labelled(start, "country", "period", "draw", "sex", "age", **coords),
        _labelled(end, "country", "period", "sex", "age", **coords),
        _labelled(1.1 * end[..., 0], "country", "period", "sex", period=coords["period"]),
        survival(countries, periods),
    )


def closed_rounds(countries: int, periods: int, draws: int) -> tuple[xr.DataArray, xr.DataArray]:
    """Start (country, period, draw, sex, age) and end of a population nobody joins or leaves."""
    given = rounds(countries, periods, draws)
    before = given.start.isel(draw=0, drop=True)
    end = 0.75 * before.shift(age=1, fill_value=1e5)
    end[..., -1] = 0.5 * (before[..., -2] + before[..., -1])
    return given.start, end


@dataclass(frozen=True)
class Projection:
    """A projection in single years: fertility has draws, survival and migration are shared."""

    population: xr.DataArray  # (country, sex, age)
    survival: xr.DataArray  # (country, period, sex, age)
    fertility: xr.DataArray  # (country, draw, period, age)
    migration: xr.DataArray  # (country, period, sex, age)


def projection(countries: int, draws: int, steps: int) -> Projection:
    """Single ages 0 to 100+, women of 15 to 49, one-year steps from 2024."""
    rng = np.random.default_rng(3)
    coords = {**mp.age_coords(SINGLE), "period": _periods(2024, steps, 1)}
    ages = len(SINGLE)
    fertile = np.array(FERTILE)
    level = rng.uniform(0.7, 1.05, (countries, steps, 2, 1))
    dying = level * (0.0004 + 5e-5 * np.exp(0.08 * np.array(SINGLE)))
    bearing = 0.13 * np.exp(-(((fertile - 28.0) / 7.0) ** 2))
    total = rng.uniform(0.8, 1.2, (countries, draws, steps, 1))
    flows = ("country", "period", "sex", "age")
    return Projection(
        _labelled(
            people(rng, countries, 2, ages), "country", "sex", "age", **mp.age_coords(SINGLE)
        ),
        _labelled(np.exp(-dying), *flows, **coords),
        _labelled(
            total * bearing,
            "country",
            "draw",
            "period",
            "age",
            age=fertile,
            period=coords["period"],
        ),
        _labelled(0.01 * people(rng, countries, steps, 2, ages), *flows, **coords),
    )


@dataclass(frozen=True)
class Ensemble:
    """A projection whose draws are on the totals of migration; everything else is shared."""

    population: xr.DataArray  # (country, sex, age)
    survival: xr.DataArray  # (country, period, sex, age)
    fertility: xr.DataArray  # (country, period, age)
    totals: xr.DataArray  # (country, draw, period)
    schedule: xr.DataArray  # (sex, age)


def ensemble(countries: int, draws: int, steps: int) -> Ensemble:
    """Single ages 0 to 100+, one-year steps from 2024, of :func:`projection`."""
    given = projection(countries, 1, steps)
    rng = np.random.default_rng(5)
    schedule = people(rng, 2, len(SINGLE))
    totals = rng.normal(2e3, 3e3, (countries, draws, steps))
    return Ensemble(
        given.population,
        given.survival,
        given.fertility.isel(draw=0, drop=True),
        _labelled(totals, "country", "draw", "period", period=given.survival["period"].values),
        _labelled(schedule / schedule.sum(), "sex", "age", **mp.age_coords(SINGLE)),
    )


@dataclass(frozen=True)
class Stocks:
    """Migrant stocks: survival and emigration are shared by the birthplaces."""

    stock: xr.DataArray  # (birthplace, country, sex, age)
    survival: xr.DataArray  # (country, period, sex, age)
    arrivals: xr.DataArray  # (birthplace, country, sex, age)
    emigration: xr.DataArray  # (country, sex, age)


def stocks(birthplaces: int, countries: int, steps: int) -> Stocks:
    """Five-year groups 0 to 100+ and five-year steps."""
    rng = np.random.default_rng(4)
    coords = mp.age_coords(FIVE_YEAR)
    groups = len(FIVE_YEAR)
    by_place = ("birthplace", "country", "sex", "age")
    hazard = rng.uniform(0.01, 0.05, (countries, 2, groups))
    return Stocks(
        _labelled(people(rng, birthplaces, countries, 2, groups), *by_place, **coords),
        survival(countries, steps),
        _labelled(0.1 * people(rng, birthplaces, countries, 2, groups), *by_place, **coords),
        _labelled(hazard, "country", "sex", "age", **coords),
    )


@dataclass(frozen=True)
class World:
    """Countries that are birthplaces as well; rates are those of residence."""

    stock: xr.DataArray  # (country, birthplace, sex, age)
    survival: xr.DataArray  # (country, period, sex, age)
    fertility: xr.DataArray  # (country, period, age)
    emigration: xr.DataArray  # (country, sex, age)
    destinations: xr.DataArray  # (origin, destination)


def world(countries: int, steps: int) -> World:
    """Five-year groups 0 to 100+ and five-year steps, of every corridor."""
    rng = np.random.default_rng(8)
    coords = mp.age_coords(FIVE_YEAR)
    groups = len(FIVE_YEAR)
    stock = people(rng, countries, countries, 2, groups)
    shares = rng.uniform(0.1, 1.0, (countries, countries))
    np.fill_diagonal(shares, 0.0)
    ratios = survival(countries, steps)
    rates = rng.uniform(0.02, 0.1, (countries, steps, 7))
    mothers = {"age": list(range(15, 50, 5))}
    return World(
        _labelled(stock, "country", "birthplace", "sex", "age", **coords),
        ratios,
        _labelled(rates, "country", "period", "age", period=ratios["period"].values, **mothers),
        _labelled(
            rng.uniform(0.01, 0.05, (countries, 2, groups)), "country", "sex", "age", **coords
        ),
        _labelled(shares / shares.sum(axis=1, keepdims=True), "origin", "destination"),
    )
