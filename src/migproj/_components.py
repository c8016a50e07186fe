"""The inputs of a population projection: checked, and in the form that the kernel takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import xarray as xr

from migproj._apply import Input, Output, apply
from migproj._checks import (
    check_counts,
    check_dims,
    check_labels_match,
    check_lacks,
    check_numbers,
    check_of_women,
    check_rates,
    check_ratio_at_birth,
    check_sexes,
    check_shares,
    where,
)
from migproj._migration import GIVEN, Migration, expanded, migration_of, zeros
from migproj._steps import Steps, check_survival_grid, mothers, plan, same_grid
from migproj.ages import AgeGroups, closed_groups
from migproj.dates import year_of
from migproj.errors import IntervalError, SchemaError

__all__ = ["Components", "components", "shares_of_exits"]

_PERIOD: Final = ("period",)
_FLOWS: Final = ("period", "sex", "age")
#: No population has more children per woman.
_MOST_CHILDREN: Final = 15.0
#: Beside a group without deaths a separation factor of 1 is computed with this error.
_ROUNDING: Final = 1e-12


@dataclass(frozen=True)
class Exits:
    """Shares who stay and live, and who emigrate, by the group arrived in."""

    staying: xr.DataArray
    staying_open: xr.DataArray  # of those already in the open-ended group
    leaving: xr.DataArray  # theirs last
    leaving_half: xr.DataArray  # over the second half of the step
    emigrating: bool


@dataclass(frozen=True)
class Components:
    """Rates and counts of a projection, some as a level (or totals) times a pattern."""

    ways: Steps
    population: xr.DataArray
    exits: Exits
    fertility: xr.DataArray  # by age: rates, or a pattern
    level: xr.DataArray  # what the pattern is multiplied by
    ratio: xr.DataArray
    migration: Migration
    separation: xr.DataArray
    first: int  # the first fertile group
    fertile: AgeGroups

    def few_inputs(self) -> list[Input]:
        """Those of the kernel for sums over ages: nobody emigrates, migrants follow from totals."""
        return [
            Input("population", self.population, ("time", "sex", "age"), may_lack=("time",)),
            Input("survival", self.exits.staying, _FLOWS, may_lack=_PERIOD),
            Input("fertility", self.fertility, ("period", "age"), may_lack=_PERIOD),
            Input("total fertility", self.level, _PERIOD, may_lack=_PERIOD),
            Input("sex_ratio_at_birth", self.ratio, _PERIOD, may_lack=_PERIOD),
            *self.migration.inputs()[:2],
        ]

    def inputs(self) -> list[Input]:
        """The inputs of the kernel, in its order."""
        return [
            Input("population", self.population, ("time", "sex", "age"), may_lack=("time",)),
            Input("survival", self.exits.staying, _FLOWS, may_lack=_PERIOD),
            Input("survival", self.exits.staying_open, ("period", "sex"), may_lack=_PERIOD),
            Input("emigration", self.exits.leaving, _FLOWS, may_lack=_PERIOD),
            Input("emigration", self.exits.leaving_half, _FLOWS, may_lack=_PERIOD),
            Input("fertility", self.fertility, ("period", "age"), may_lack=_PERIOD),
            Input("total fertility", self.level, _PERIOD, may_lack=_PERIOD),
            Input("sex_ratio_at_birth", self.ratio, _PERIOD, may_lack=_PERIOD),
            *self.migration.inputs(),
            Input("separation", self.separation, _FLOWS, may_lack=_PERIOD),
        ]


def components(
    population: xr.DataArray,
    given: Mapping[str, xr.DataArray | xr.Dataset | None],
    steps: int | None = None,
    *,
    scaling: str = "proportional",
    missing: str = "raise",
    observed: bool = False,
    exits: bool = True,
) -> Components:
    """Check the inputs of a projection (`given` by the names of its parameters) together.

    The population is that at the start or, if `observed`, that at all instants. Without `exits`
    shares who stay and leave are not worked out (for kernels that do so themselves).
    """
    check_dims("population", population, *(("time",) if observed else ()), "sex", "age")
    check_sexes("population", population, both=True)
    check_counts("population", population)
    for name in ("survival", "fertility", "sex_ratio_at_birth"):
        check_dims(name, given[name])
    rates, weighted = expanded(given)
    for name, array in rates.items():
        check_dims(name, array)
        check_lacks(
            name, array, "time", f"label its periods by their start: {name}.rename(time='period')"
        )
    _check_places(population, rates)
    if observed:
        ways = _instants(population, rates)
        first_round = population.isel(time=0, drop=True)
    else:
        ways = plan("population", population, rates, steps)
        first_round = population
    check_survival_grid(rates["survival"], ways, "population")
    check_ratio_at_birth("sex_ratio_at_birth", rates["sex_ratio_at_birth"])
    fertility, level, first, fertile = _fertility(rates, ways)
    migration = migration_of(
        rates, first_round, ways, weighted=weighted, scaling=scaling, missing=missing
    )
    separation = zeros(ways.groups)
    by_sex = {"population": population, "survival": rates["survival"]}
    if "separation" in rates:
        _check_separation(rates["separation"], ways)
        # The kernel takes a share for every group and does not read that of the open-ended one.
        separation = rates["separation"].reindex_like(ways.groups.coords()["age"], fill_value=0.0)
        by_sex["separation"] = separation
    for name, array in by_sex.items():
        check_dims(name, array, "sex")
    by_sex |= {name: rates[name] for name in GIVEN if name in rates}
    check_labels_match(by_sex, dims=["sex"])
    return Components(
        ways=ways,
        population=population,
        exits=_exits(rates, population, ways, exits),
        fertility=fertility,
        level=level,
        ratio=rates["sex_ratio_at_birth"],
        migration=migration,
        separation=separation,
        first=first,
        fertile=fertile,
    )


def _check_places(population: xr.DataArray, rates: Mapping[str, xr.DataArray]) -> None:
    """Labels of the batch dims match, said by the names under which they were given."""
    given = {"population": population, **rates}
    for name in ("fertility", "fertility_pattern", "sex_ratio_at_birth"):
        if name in given:
            check_of_women(name, given[name])
            given[name] = given[name].drop_vars("sex", errors="ignore")
    dims = dict.fromkeys(dim for array in given.values() for dim in array.dims)
    batch = [dim for dim in dims if dim not in ("time", "period", "sex", "age")]
    check_labels_match(given, dims=batch)


def _exits(
    rates: Mapping[str, xr.DataArray], population: xr.DataArray, ways: Steps, wanted: bool
) -> Exits:
    """Survival alone, or shared with emigration."""
    survival = rates["survival"]
    if "emigration" in rates:
        same_grid("emigration", rates["emigration"], ways, "population")
        check_rates("emigration", rates["emigration"])
    if "emigration" not in rates or not wanted:
        nobody = zeros(ways.groups)
        beside = zeros(ways.groups, more=1)
        return Exits(survival, survival.isel(age=-1, drop=True), beside, nobody, False)
    emigration = rates["emigration"]
    spans = ways.count if "period" in (*survival.dims, *emigration.dims) else 1
    exits = shares_of_exits(survival, emigration, ways, spans)
    staying, leaving = (shares.isel(move=0) for shares in exits[:2])
    leaving_half = exits[3]
    own = staying.isel(age=-1, drop=True)
    return Exits(staying.isel(age=slice(-1)), own, leaving, leaving_half, True)


def shares_of_exits(
    survival: xr.DataArray, emigration: xr.DataArray, ways: Steps, spans: int, moves: int = 1
) -> tuple[xr.DataArray, ...]:
    """Shares staying and leaving in a step (those already in the open group last) and in half.

    Those of a step have the dim ``move``: by duration of residence, or one for all.
    """
    from migproj._kernels import stocks as kernels

    ages = len(ways.groups)
    cells = ("period", "duration", "age")
    per_move, per_period = ("period", "move", "age"), ("period", "age")
    return apply(
        kernels.exits,
        [
            Input("survival", survival, cells, may_lack=("period", "duration")),
            Input("emigration", emigration, cells, may_lack=("period", "duration")),
        ],
        [
            Output("staying", per_move, (spans, moves, ages + 1)),
            Output("leaving", per_move, (spans, moves, ages + 1)),
            Output("staying_half", per_period, (spans, ages)),
            Output("leaving_half", per_period, (spans, ages)),
        ],
        ways.width,
    )


def _instants(population: xr.DataArray, rates: Mapping[str, xr.DataArray]) -> Steps:
    """The steps between the instants of an observed population, one width apart."""
    if "time" not in population.coords:
        raise SchemaError(
            "population: dim 'time' has no labels; label each instant: "
            "population.assign_coords(time=[...])"
        )
    count = population.sizes["time"] - 1
    if count < 1:
        raise SchemaError(
            "population: dim 'time': expected two instants or more, got one; give the population "
            "at the start and at the end of each period"
        )
    ways = plan("population", population.isel(time=0), rates, None)
    if any("period" in array.dims for array in rates.values()) and ways.count != count:
        raise IntervalError(
            f"population: dim 'time': expected {ways.count + 1} instants, one more than the "
            f"periods of the rates, got {count + 1}; select the same years in both"
        )
    years = np.array([year_of(label, "population", "time") for label in population["time"].values])
    if (np.abs(np.diff(years) - ways.width) > 0.005).any():
        raise IntervalError(
            f"population: dim 'time': expected instants {ways.width:g} years apart (the width of "
            f"the age groups), got {years[:5].tolist()}; select those, or mp.regroup_ages brings "
            "everything to groups as wide as the years between"
        )
    return replace(ways, count=count)


def _fertility(
    rates: Mapping[str, xr.DataArray], ways: Steps
) -> tuple[xr.DataArray, xr.DataArray, int, AgeGroups]:
    """Fertility by age and what it is multiplied by, with the fertile groups and the first."""
    fertility, level, name = rates["fertility"], xr.DataArray(1.0), "fertility"
    if "fertility_pattern" in rates:
        total, fertility, name = fertility, rates["fertility_pattern"], "fertility_pattern"
        check_lacks(
            "fertility",
            total,
            "age",
            "with a fertility_pattern it is total fertility, children per woman",
        )
        _check_total_fertility(total)
        level = total / ways.width
    check_dims(name, fertility, "age")
    check_rates(name, fertility)
    for key in ("fertility", "sex_ratio_at_birth"):
        mend = f"it is one for both sexes: {key}.sel(sex='female', drop=True)"
        check_lacks(key, rates[key], "sex", mend)
    if name == "fertility_pattern":
        check_shares(name, fertility, ["age"])
    first, fertile = mothers(name, fertility, ways)
    return fertility, level, first, fertile


def _check_total_fertility(total: xr.DataArray) -> None:
    check_numbers("fertility", total)
    if total.chunks is not None:
        return
    odd = (total < 0) | (total > _MOST_CHILDREN)
    if odd.any():
        raise SchemaError(
            f"fertility: expected children per woman, from 0 to {_MOST_CHILDREN:g}, got "
            f"{float(total.where(odd).max()):g} ({'; '.join(where(odd, odd.values))}); with a "
            "fertility_pattern it is total fertility: divide births per 1,000 women by 1,000"
        )


def _check_separation(separation: xr.DataArray, ways: Steps) -> None:
    closed = replace(ways, groups=closed_groups(ways.groups))
    same_grid("separation", separation, closed, "population that are closed")
    if separation.chunks is None:
        outside = (separation < -_ROUNDING) | (separation > 1 + _ROUNDING)
        if outside.any():
            raise SchemaError(
                "separation: expected shares from 0 to 1, got "
                f"{float(separation.where(outside).max()):g} "
                f"({'; '.join(where(outside, outside.values))}); "
                "mp.separation_factors(life_table) makes them"
            )
