"""Cohort-component projection of populations."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, Literal, TypeAlias

import numpy as np
import xarray as xr

from migproj._apply import Input, Output, apply
from migproj._checks import (
    as_number,
    check_counts,
    check_dims,
    check_labels_match,
    check_lacks,
    check_rates,
    check_ratio_at_birth,
    check_same_places,
    check_sexes,
    where,
)
from migproj._choices import choice_codes
from migproj._diagnostics import counted, finding, warn_findings
from migproj._steps import TIMINGS, Steps, check_survival_grid, plan, same_grid
from migproj.ages import AgeGroups, closed_groups, fertile_groups
from migproj.conventions import FEMALE
from migproj.errors import SchemaError

__all__ = ["project_population"]

Exposure: TypeAlias = Literal["with-migrants", "ccmpp"]
OnNegative: TypeAlias = Literal["warn", "raise"]

_EXPOSURES: Final = {"with-migrants": 1, "ccmpp": 0}
_PERIOD: Final = ("period",)


def project_population(
    population: xr.DataArray,
    survival: xr.DataArray,
    fertility: xr.DataArray,
    sex_ratio_at_birth: float | xr.DataArray,
    migration: xr.DataArray | None = None,
    *,
    separation: xr.DataArray | None = None,
    timing: str | xr.DataArray = "even",
    births_exposure: Exposure = "with-migrants",
    on_negative: OnNegative = "warn",
    steps: int | None = None,
) -> xr.Dataset:
    r"""Project a population of two sexes by cohort components, in steps of the age width.

    Parameters
    ----------
    population : DataArray (..., sex, age)
        Population (persons) at the start, in groups of one width with an open-ended last one.
        A scalar coordinate ``time`` says when; without it, and without ``period`` labels on
        the rates, time counts from 0.
    survival : DataArray (..., [period,] sex, age)
        Survival ratios over one step by the group arrived in (:func:`survival_ratios`).
    fertility : DataArray (..., [period,] age)
        Births per woman-year; its ages are a contiguous part of the population's, other ages
        bear no children.
    sex_ratio_at_birth : float or DataArray (..., [period])
        Males per female.
    migration : DataArray (..., [period,] sex, age), optional
        Net migrants (persons per period). Their age is the one at the end of the step with
        `timing` "end" and "midpoint"; with "even", the completed age group as counted.
    separation : DataArray (..., [period,] sex, age), optional
        Separation factors by closed group at the start (:func:`separation_factors`). With
        them the deaths come by age at death as well.
    timing : {"even", "end", "midpoint"} or DataArray of str (...)
        When migrants come: half at the start and half at the end of the step, all at the end,
        or all in the middle.
    births_exposure : {"with-migrants", "ccmpp"}
        Women exposed are the mean of the start's and the end's. "with-migrants": the end's
        hold all migrants of the step (UN WPP 2019). "ccmpp": with "end" the end's leave them
        out; with "even" and "midpoint" half of them are added to the start's.
    on_negative : {"warn", "raise"}
        What to do about a negative population: keep, count and name it, or raise.
    steps : int, optional
        How many steps, where no input has the dim ``period``. Default 1.

    Returns
    -------
    Dataset
        ``population`` (..., time, sex, age; persons), ``births`` (..., period, sex of the
        child, mother_age), ``deaths_cohort`` (..., period, sex, age arrived in), with
        `separation` ``deaths`` (..., period, sex, age at death in completed groups), and
        ``net_migration`` as applied (..., period, sex, age), in persons per period;
        ``n_negative`` (...) counts cells below 0.

    Raises
    ------
    SchemaError
        If dims, labels or values are not what is described here; with `on_negative` "raise",
        if a population falls below 0.
    AlignmentError
        If the inputs' labels differ.
    IntervalError
        If the age groups differ in width, or the periods are not one width apart.

    Warns
    -----
    DataQualityWarning
        Once a call, naming the labels: survival above 1, negative population.

    Notes
    -----
    With S by the group arrived in, M migrants and n the step, for a group not the youngest:

    .. math::
       \text{end: } P_1 = S P_0 + M, \quad
       \text{even: } P_1 = S (P_0 + M/2) + M/2, \quad
       \text{midpoint: } P_1 = S P_0 + \sqrt S\, M

    where P0 (and the M/2 added to it) is the group one width younger, and for the open-ended
    group everyone of the last two. Births are B = n Σ f W; the youngest group is S B + M, S B +
    M/2 or S B + √S M. Deaths are P0 (1 - S), (P0 + M/2)(1 - S), or P0 (1 - S) + M (1 - √S), so
    that in every cohort and in total: change = births - deaths + net migration. With the
    separation factors c, the deaths in the closed group x are c(x) D(x+n) + (1 - c(x-n)) D(x),
    D being the deaths by the group arrived in; the deaths of those born all fall in the
    youngest group, and in the open-ended one (1 - c(A-n)) D(A).

    References
    ----------
    Preston, Heuveline & Guillot (2001), *Demography*, ch. 6; UN (2019), *World Population
    Prospects 2019: Methodology*.

    Examples
    --------
    >>> import migproj as mp, numpy as np, xarray as xr
    >>> ages = mp.age_coords([0, 15, 30])
    >>> people = xr.DataArray(np.full((2, 3), 100.0), dims=("sex", "age"),
    ...     coords={"sex": ["female", "male"], **ages}).assign_coords(time=2000)
    >>> survival = xr.full_like(people, 0.9).drop_vars("time")
    >>> fertility = xr.DataArray([0.05], dims="age", coords={"age": [15]})
    >>> result = mp.project_population(people, survival, fertility, 1.05)
    >>> result["population"].sel(time=2015, sex="female").round(2).values
    array([ 31.28,  90.  , 180.  ])
    """
    from migproj._kernels import projection as kernels

    check_dims("population", population, "sex", "age")
    check_sexes("population", population, both=True)
    check_counts("population", population)
    ratio = as_number("sex_ratio_at_birth", sex_ratio_at_birth)
    rates = {"survival": survival, "fertility": fertility, "sex_ratio_at_birth": ratio}
    if migration is not None:
        rates["migration"] = migration
    if separation is not None:
        rates["separation"] = separation
    for name, array in rates.items():
        check_dims(name, array)
        check_lacks(
            name, array, "time", f"label its periods by their start: {name}.rename(time='period')"
        )
    ways = plan("population", population, rates, steps)
    first = _check_rates(population, rates, ways)
    if migration is None:
        migration = _zeros(population, ways.groups)
    codes = choice_codes("timing", timing, TIMINGS)
    if births_exposure not in _EXPOSURES:
        raise SchemaError(
            f"births_exposure: expected one of {list(_EXPOSURES)}, got {births_exposure!r}"
        )
    if on_negative not in ("warn", "raise"):
        raise SchemaError(f"on_negative: expected 'warn' or 'raise', got {on_negative!r}")
    ages, fertile, count = len(ways.groups), fertility.sizes["age"], ways.count
    flows = ("period", "sex", "age")
    shares = _zeros(population, closed_groups(ways.groups)) if separation is None else separation
    results = apply(
        kernels.project_population,
        [
            Input("population", population, ("sex", "age")),
            Input("survival", survival, ("period", "sex", "age"), may_lack=_PERIOD),
            Input("fertility", fertility, ("period", "age"), may_lack=_PERIOD),
            Input("sex_ratio_at_birth", ratio, ("period",), may_lack=_PERIOD),
            Input("migration", migration, flows, may_lack=_PERIOD),
            Input("separation", shares, flows, may_lack=_PERIOD),
            Input("timing", codes, dtype=np.int64),
        ],
        [
            Output("population", ("time", "sex", "age"), (count + 1, 2, ages)),
            Output("births", ("period", "sex", "mother_age"), (count, 2, fertile)),
            Output("deaths_cohort", flows, (count, 2, ages)),
            Output("deaths", flows, (0 if separation is None else count, 2, ages)),
            Output("net_migration", flows, (count, 2, ages)),
            Output("n_negative", dtype=np.int64),
        ],
        first,
        population["sex"].values.tolist().index(FEMALE),
        _EXPOSURES[births_exposure],
        ways.width,
    )
    made = {str(array.name): array for array in results}
    if separation is None:
        del made["deaths"]
    result = xr.Dataset(made)
    mothers = fertile_groups(fertility, ways.groups)[1].coords("mother_age")
    result = result.assign_coords({"sex": population["sex"].values, **ways.coords(), **mothers})
    below = counted("negative population", result["n_negative"], result["population"])
    if below and on_negative == "raise":
        raise SchemaError(
            f"project_population: {below}: more people leave than there are; check the migration "
            "of these groups, or keep the cells with on_negative='warn'"
        )
    warn_findings("project_population", [finding("survival ratios above 1", survival > 1), below])
    return result


def _check_rates(population: xr.DataArray, rates: dict[str, xr.DataArray], ways: Steps) -> int:
    """Check the inputs of a projection; return the first fertile group."""
    survival, fertility = rates["survival"], rates["fertility"]
    check_survival_grid(survival, ways, "population")
    check_ratio_at_birth("sex_ratio_at_birth", rates["sex_ratio_at_birth"])
    check_dims("fertility", fertility, "age")
    check_rates("fertility", fertility)
    for name in ("fertility", "sex_ratio_at_birth"):
        check_lacks(
            name,
            rates[name],
            "sex",
            f"it is one for both sexes: {name}.sel(sex='female', drop=True)",
        )
    first, fertile = fertile_groups(fertility, ways.groups)
    if first == 0:
        raise SchemaError(
            f"fertility: dim 'age': expected mothers older than {ways.width:g} years (one step), "
            f"got {fertile.labels[0]}; select ages of childbearing, such as 15-49"
        )
    by_sex = {"population": population, "survival": survival}
    if "migration" in rates:
        same_grid("migration", rates["migration"], ways, "population")
        check_same_places("migration", rates["migration"], "population", population)
        by_sex["migration"] = rates["migration"]
    if "separation" in rates:
        _check_separation(rates["separation"], ways)
        by_sex["separation"] = rates["separation"]
    for name, array in by_sex.items():
        check_dims(name, array, "sex")
    check_labels_match(by_sex, dims=["sex"])
    return first


def _check_separation(separation: xr.DataArray, ways: Steps) -> None:
    closed = replace(ways, groups=closed_groups(ways.groups))
    same_grid("separation", separation, closed, "population that are closed")
    if separation.chunks is None:
        outside = (separation < 0) | (separation > 1)
        if outside.any():
            raise SchemaError(
                "separation: expected shares from 0 to 1, got "
                f"{float(separation.where(outside).max()):g} "
                f"({'; '.join(where(outside, outside.values))}); "
                "mp.separation_factors(life_table) makes them"
            )


def _zeros(population: xr.DataArray, groups: AgeGroups) -> xr.DataArray:
    return xr.DataArray(
        np.zeros((2, len(groups))),
        dims=("sex", "age"),
        coords={"sex": population["sex"].values, **groups.coords()},
    )
