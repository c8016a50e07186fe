"""The forms in which a projection is given its migrants: checked, and as its kernel takes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import xarray as xr

from migproj._apply import Input
from migproj._checks import (
    check_dims,
    check_finite,
    check_lacks,
    check_same_places,
    check_shares,
    where,
)
from migproj._choices import check_choice
from migproj._steps import Steps, check_step, same_grid
from migproj.ages import AgeGroups, widened
from migproj.errors import SchemaError
from migproj.schedules import PARAMETERS

__all__ = ["GIVEN", "Migration", "expanded", "migration_of", "zeros"]

_PERIOD: Final = ("period",)
_FLOWS: Final = ("period", "sex", "age")
_SCALINGS: Final = ("proportional", "one-sided")
_MISSING: Final = ("raise", "zero")
#: The names under which migrants by sex are given.
GIVEN: Final = ("migration", "migration_rate", "migration_schedule", "inflow", "outflow")
# Codes of the kernel.
_PROPORTIONAL, _ONE_SIDED, _BY_CELL, _FLOW_SHARES, _FLOW_RATES = range(5)


@dataclass(frozen=True)
class Migration:
    """Migrants by sex and age: counts, or totals or rates and what shares them out."""

    schedule: xr.DataArray  # by sex and age: migrants, shares, or rates
    totals: xr.DataArray  # what the schedule is multiplied by
    outflow: xr.DataArray
    flow: xr.DataArray  # parameters of a flow difference
    sharing: int
    per_person: bool

    @property
    def is_plain(self) -> bool:
        """Whether migrants are totals times a schedule (or counts), whoever is there."""
        return self.sharing == _PROPORTIONAL and not self.per_person

    def inputs(self) -> list[Input]:
        """The inputs of the kernel, in its order."""
        return [
            Input("migration", self.schedule, _FLOWS, may_lack=_PERIOD),
            Input("migration totals", self.totals, ("period", "sex"), may_lack=("period", "sex")),
            Input("outflow", self.outflow, _FLOWS, may_lack=_PERIOD),
            Input("flow difference", self.flow, ("period", "parameter"), may_lack=_PERIOD),
        ]


def expanded(given: Mapping[str, Any]) -> tuple[dict[str, Any], bool | None]:
    """The inputs with a flow difference in its parts, and whether that is weighted (or None)."""
    rates = {name: array for name, array in given.items() if array is not None}
    rule = rates.get("migration_schedule")
    if not isinstance(rule, xr.Dataset):
        return rates, None
    del rates["migration_schedule"]
    names = ("inflow", "outflow", *PARAMETERS)
    lacking = [name for name in (*names, "weighted") if name not in rule]
    if lacking:
        raise SchemaError(
            f"migration_schedule: expected shares by sex and age, or the Dataset that "
            f"mp.flow_difference makes; this one lacks {lacking}"
        )
    return rates | {name: rule[name] for name in names}, bool(rule["weighted"])


def migration_of(
    rates: Mapping[str, xr.DataArray],
    population: xr.DataArray,
    ways: Steps,
    *,
    weighted: bool | None,
    scaling: str,
    missing: str,
) -> Migration:
    """Check what is given of the migrants together (`rates` by the names of the parameters)."""
    for name, value, able in (
        ("schedule_scaling", scaling, _SCALINGS),
        ("missing_migration", missing, _MISSING),
    ):
        check_choice(name, value, able)
    if "migration" in rates and "migration_rate" in rates:
        raise SchemaError(
            "migration_rate: given together with migration; migrants are counts or follow from "
            "rates: leave one out"
        )
    totals = rates.get("migration", rates.get("migration_rate"))
    per_person = "migration_rate" in rates
    name = "migration_rate" if per_person else "migration"
    nobody = zeros(ways.groups)
    one, none = xr.DataArray(1.0), xr.DataArray(np.zeros(len(PARAMETERS)), dims="parameter")
    shared = "migration_schedule" in rates or weighted is not None
    if totals is None:
        if shared:
            raise SchemaError(
                "migration_schedule: given without migration; it shares out the totals in "
                "migration, or those that follow from migration_rate"
            )
        return Migration(nobody, one, nobody, none, _PROPORTIONAL, False)
    check_finite(name, totals)
    if per_person:
        _check_per_person(totals)
    if not shared:
        by_age = _by_age(name, totals, population, ways, missing)
        return Migration(by_age, one, nobody, none, _BY_CELL if per_person else 0, False)
    mend = f"with a migration_schedule it is of all ages: sum {name} over age"
    check_lacks(name, totals, "age", mend)
    check_step(name, totals, ways)
    together = "sex" not in totals.dims
    if not per_person:
        everyone = population.isel(sex=0, drop=True) if together else population
        check_same_places(name, totals, "population", everyone)
    if weighted is None:
        schedule = _on_grid("migration_schedule", rates["migration_schedule"], ways, missing)
        check_dims("migration_schedule", schedule, "sex")
        over = ["sex", "age"] if together else ["age"]
        if scaling == "one-sided":
            _check_sides(name, totals, schedule, over)
            return Migration(schedule, totals, nobody, none, _ONE_SIDED, per_person)
        check_shares("migration_schedule", schedule, over)
        return Migration(schedule, totals, nobody, none, _PROPORTIONAL, per_person)
    if scaling != "proportional":
        raise SchemaError(
            "schedule_scaling: 'one-sided' is for a schedule of net migration; a flow difference "
            "has its own rule: leave it out"
        )
    inflow, outflow = (_on_grid(key, rates[key], ways, missing) for key in ("inflow", "outflow"))
    flow = xr.concat(
        xr.broadcast(*(rates[key].drop_vars("sex", errors="ignore") for key in PARAMETERS)),
        "parameter",
    )
    if flow.chunks is not None:
        flow = flow.chunk(parameter=-1)
    return Migration(
        inflow, totals, outflow, flow, _FLOW_RATES if weighted else _FLOW_SHARES, per_person
    )


def _by_age(
    name: str, given: xr.DataArray, population: xr.DataArray, ways: Steps, missing: str
) -> xr.DataArray:
    """Migrants, or their rates, by sex and age."""
    per_person = name == "migration_rate"
    if per_person and "age" not in given.dims:
        raise SchemaError(
            f"migration_rate: expected the dims 'sex' and 'age', got {tuple(given.dims)!r}; "
            "with rates of all ages give a migration_schedule of shares by sex and age"
        )
    by_age = _on_grid(name, given, ways, missing)
    check_dims(name, by_age, "sex")
    if not per_person:
        check_same_places(name, by_age, "population", population)
    return by_age


def _on_grid(name: str, array: xr.DataArray, ways: Steps, missing: str) -> xr.DataArray:
    """On the age groups of the projection, and 0 in those it lacks where that is asked for."""
    check_dims(name, array, "age")
    check_finite(name, array)
    if missing == "zero":
        array = widened(array, ways.groups, name)
    same_grid(name, array, ways, "population")
    return array


def _check_per_person(rate: xr.DataArray) -> None:
    if rate.chunks is None and bool((abs(rate) > 1).any()):
        odd = np.abs(rate.values) > 1
        raise SchemaError(
            f"migration_rate: expected net migrants per person and year, got "
            f"{float(rate.values[odd][0]):g} ({'; '.join(where(rate, odd))}): counts go into "
            "migration; divide rates per 1,000 by 1000"
        )


def _check_sides(name: str, totals: xr.DataArray, schedule: xr.DataArray, over: list[str]) -> None:
    """A total gained has cells of gain to scale, and one lost cells of loss."""
    if totals.chunks is not None or schedule.chunks is not None:
        return
    gain, loss = ((side > 0).any(over) for side in (schedule, -schedule))
    odd = ((totals > 0) & ~gain) | ((totals < 0) & ~loss) | ((totals == 0) & (gain != loss))
    odd &= schedule.notnull().all(over)
    if odd.any():
        raise SchemaError(
            f"migration_schedule: expected cells of the sign of {name} to scale, got none "
            f"({'; '.join(where(odd, odd.values))}); schedule_scaling='proportional' scales all"
        )


def zeros(groups: AgeGroups, more: int = 0) -> xr.DataArray:
    """Nobody, by sex and age (and `more` cells). Without labels: kernels read none."""
    return xr.DataArray(np.zeros((2, len(groups) + more)), dims=("sex", "age"))
