"""Cohort-component projection of populations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import xarray as xr

from migproj._apply import Input, Output, Stepwise, apply_together
from migproj._checks import as_number
from migproj._choices import FloatType, check_choice, choice_codes, float_type, outputs_kept
from migproj._components import Components, components
from migproj._diagnostics import above_one, counted, finding, warn_findings
from migproj._draws import quantiles_over_draws
from migproj._steps import TIMINGS
from migproj.ages import AgesLike, as_groups, covering, unions
from migproj.conventions import FEMALE
from migproj.errors import SchemaError

__all__ = ["project_population", "vital_events"]

Exposure: TypeAlias = Literal["with-migrants", "ccmpp"]
OnNegative: TypeAlias = Literal["warn", "raise", "limit"]
Scaling: TypeAlias = Literal["proportional", "one-sided"]
Missing: TypeAlias = Literal["raise", "zero"]

_EXPOSURES: Final = {"with-migrants": 1, "ccmpp": 0}
_ON_NEGATIVE: Final = ("warn", "raise", "limit")
_FEWER: Final = (
    "more people leave than there are: check their migration, give hazards (emigration=), or "
    "on_negative='limit'"
)
_EVENTS: Final = ("births", "deaths_cohort", "deaths", "emigrants", "exposure")
#: What a projection can return, in the order of the kernel's outputs.
_OUTPUTS: Final = (
    "population",
    "births",
    "deaths_cohort",
    "deaths",
    "emigrants",
    "net_migration",
    "net_migration_unapplied",
    "exposure",
)


def project_population(
    population: xr.DataArray,
    survival: xr.DataArray,
    fertility: xr.DataArray,
    sex_ratio_at_birth: float | xr.DataArray,
    migration: xr.DataArray | None = None,
    *,
    migration_rate: xr.DataArray | None = None,
    migration_schedule: xr.DataArray | xr.Dataset | None = None,
    schedule_scaling: Scaling = "proportional",
    missing_migration: Missing = "raise",
    emigration: xr.DataArray | None = None,
    fertility_pattern: xr.DataArray | None = None,
    separation: xr.DataArray | None = None,
    timing: str | xr.DataArray = "even",
    births_exposure: Exposure = "with-migrants",
    on_negative: OnNegative = "warn",
    keep: Sequence[str] | None = None,
    age_groups: AgesLike | None = None,
    quantiles: Sequence[float] | None = None,
    dtype: npt.DTypeLike = "float64",
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
        bear no children. With a `fertility_pattern`, total fertility (..., [period]): children
        per woman.
    sex_ratio_at_birth : float or DataArray (..., [period])
        Males per female.
    migration : DataArray (..., [period,] sex, age), optional
        Net migrants (persons per period). Their age is the one at the end of the step with
        `timing` "end" and "midpoint"; with "even", the completed age group as counted. With a
        `migration_schedule`, their totals (..., [period,] [sex]).
    migration_rate : DataArray (..., [period,] sex, age), optional
        Net migrants per person and year, instead of `migration`: of the people who would be in
        the group at the end of the step had nobody come. With a `migration_schedule`, rates of
        all ages (..., [period,] [sex]). Beside `emigration`, rates of immigration.
    migration_schedule : DataArray (..., [period,] sex, age) or Dataset, optional
        Shares (1) of the totals: they sum to 1 over sex and age, or over age where the totals
        are by sex. Those of a net migration may be negative in places. Or the rule by which
        totals become a difference of two flows: :func:`flow_difference`.
    schedule_scaling : {"proportional", "one-sided"}
        How a schedule meets its total: all cells times the total; or, of a profile of net
        migrants (persons) that need not sum to 1, only the cells of the total's sign scaled.
    missing_migration : {"raise", "zero"}
        What to do about age groups that `migration` (its rate or schedule) lacks: refuse, or
        take it that nobody of that age comes or leaves.
    emigration : DataArray (..., [period,] [sex,] age), optional
        Hazard of leaving the country (1/year), by completed age, as in :func:`project_stocks`:
        emigrants follow from the people there, and `migration` is then of immigrants.
    fertility_pattern : DataArray (..., [period,] age), optional
        Shares (1) of total fertility by age of mother, which sum to 1.
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
    on_negative : {"warn", "raise", "limit"}
        What to do about a negative population: keep, count and name it; raise; or limit
        emigration, in each group, to the people there. On lazy (dask) input nothing is raised
        or named: ``n_negative`` tells, and ``n_survival_above_one``.
    keep : sequence of str, optional
        The variables wanted, of those below; the others are not stored, but for the counts.
        Default: all but ``exposure``.
    age_groups : array with an ``age`` coordinate, or sequence of int or str, optional
        Wider age groups, as in :func:`regroup_ages`, in which to return everything; the
        projection itself is by the population's own. Births come by the groups of mothers
        that hold fertile ages.
    quantiles : sequence of float, optional
        Return these quantiles (0 to 1) over the dim ``draw`` of the inputs, along the dim
        ``quantile``, instead of all draws; the draws of one country at a time are in memory.
        Each cell's are its own: quantiles of sums are not sums of quantiles.
    dtype : {"float64", "float32"} or the NumPy type
        The type in which to store results; "float32" (seven digits) takes half the memory.
        The computation is in float64 and each cell (or quantile) is rounded once; counts
        (``n_negative``) are int64.
    steps : int, optional
        How many steps, where no input has the dim ``period``. Default 1.

    Returns
    -------
    Dataset
        ``population`` (..., time, sex, age; persons), ``births`` (..., period, sex of the
        child, mother_age), ``deaths_cohort`` (..., period, sex, age arrived in), with
        `separation` ``deaths`` (..., period, sex, age at death in completed groups), and
        ``net_migration`` as applied (..., period, sex, age), with `emigration` ``emigrants``
        (..., period, sex, age arrived in), in persons per period; where `keep` names it
        ``exposure`` (..., period, sex, age; person-years), n (P0 + P1) / 2 of each age group;
        ``n_negative`` (...) counts cells below 0, ``n_survival_above_one`` (dims of `survival`
        but period, sex and age) ratios above 1. With `on_negative` "limit" also
        ``net_migration_unapplied``: what was given less what was applied. With `quantiles`
        each is (..., quantile, ...) without ``draw``, linear between the sorted draws, and
        counts are over all draws.

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

    Migrants that follow from people are M = n m(x) N(x), with the rate m and N the population at
    the end of the step without migrants, or with rates of all ages n m ΣN times the schedule.
    "one-sided": with G the sum of the profile's gains and L of its losses, for a total T of 0 or
    more gains are scaled by (T + L) / G, for T < 0 losses by (G - T) / L.

    With hazards of emigration μ, of those exposed S E stay, E = exp(-n (μ(x-n) + μ(x))/2); those
    lost are shared between deaths and emigrants in proportion to their hazards
    (:func:`project_stocks`), and in total: change = births - deaths + migration - emigrants.

    "limit" keeps P1, and with "even" P0 + M/2 as well, at 0 or more: M is raised to -S P0, with
    "midpoint" to -√S P0, and with "even" to the larger of -2 P0 and -2 S (P0 + M/2) of its own
    group.

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
    parts = components(
        population,
        {
            "survival": survival,
            "fertility": fertility,
            "fertility_pattern": fertility_pattern,
            "sex_ratio_at_birth": as_number("sex_ratio_at_birth", sex_ratio_at_birth),
            "migration": migration,
            "migration_rate": migration_rate,
            "migration_schedule": migration_schedule,
            "emigration": emigration,
            "separation": separation,
        },
        steps,
        scaling=schedule_scaling,
        missing=missing_migration,
    )
    check_choice("on_negative", on_negative, _ON_NEGATIVE)
    limit = on_negative == "limit"
    lacking = {
        "deaths": separation is None,
        "emigrants": emigration is None,
        "net_migration_unapplied": not limit,
    }
    kept = _kept(keep, [name for name in _OUTPUTS if not lacking.get(name)])
    count, above = above_one(survival, *(["draw"] if quantiles is not None else []))
    result = _run(
        parts,
        timing,
        births_exposure,
        (*kept, "n_negative"),
        age_groups,
        count,
        limit=limit,
        quantiles=quantiles,
        stored=float_type(dtype),
    )
    below = _negative(result, age_groups is None and quantiles is None)
    if below and on_negative == "raise":
        raise SchemaError(f"project_population: {below}; on_negative='warn' keeps the cells")
    warn_findings("project_population", [above, below])
    return result


def vital_events(
    population: xr.DataArray,
    survival: xr.DataArray,
    fertility: xr.DataArray,
    sex_ratio_at_birth: float | xr.DataArray,
    migration: xr.DataArray | None = None,
    *,
    migration_rate: xr.DataArray | None = None,
    migration_schedule: xr.DataArray | xr.Dataset | None = None,
    schedule_scaling: Scaling = "proportional",
    missing_migration: Missing = "raise",
    emigration: xr.DataArray | None = None,
    fertility_pattern: xr.DataArray | None = None,
    separation: xr.DataArray | None = None,
    timing: str | xr.DataArray = "even",
    births_exposure: Exposure = "with-migrants",
    keep: Sequence[str] | None = None,
    age_groups: AgesLike | None = None,
) -> xr.Dataset:
    r"""Births and deaths that rates imply for a population known at all instants.

    Parameters
    ----------
    population : DataArray (..., time, sex, age)
        Population (persons) at two or more instants, one width of its age groups apart.
    survival, fertility, sex_ratio_at_birth, migration : DataArray
        As in :func:`project_population`; with the dim ``period``, one fewer than the instants.
    migration_rate, migration_schedule, schedule_scaling, missing_migration, emigration
        As in :func:`project_population`.
    fertility_pattern, separation, timing, births_exposure
        As in :func:`project_population`. Migration matters for who is exposed to death.
    keep, age_groups
        As in :func:`project_population`.

    Returns
    -------
    Dataset
        ``births`` (..., period, sex of the child, mother_age), ``deaths_cohort`` (..., period,
        sex, age arrived in), with `separation` ``deaths`` (..., period, sex, age at death) and
        with `emigration` ``emigrants`` (..., period, sex, age arrived in), in persons per period;
        ``exposure`` and ``n_survival_above_one`` as in :func:`project_population`.

    Raises
    ------
    SchemaError, AlignmentError, IntervalError
        As in :func:`project_population`; IntervalError also if the instants are not one width
        apart, or not one more than the periods.

    Warns
    -----
    DataQualityWarning
        Once a call, naming the labels: survival above 1.

    Notes
    -----
    The formulas of :func:`project_population`, each step from the population known at its
    start, and the women at its end those known. What the population changes by beyond births,
    deaths and migration is its error of closure.

    References
    ----------
    Preston, Heuveline & Guillot (2001), *Demography*, ch. 6.

    Examples
    --------
    >>> import migproj as mp, numpy as np, xarray as xr
    >>> people = xr.DataArray(np.full((2, 2, 3), 100.0), dims=("time", "sex", "age"),
    ...     coords={"time": [2000, 2015], "sex": ["female", "male"], **mp.age_coords([0, 15, 30])})
    >>> survival = xr.full_like(people.isel(time=0, drop=True), 0.9)
    >>> fertility = xr.DataArray([0.05], dims="age", coords={"age": [15]})
    >>> events = mp.vital_events(people, survival, fertility, 1.0)
    >>> float(events["births"].sum()), float(events["deaths_cohort"].sum().round(2))
    (75.0, 67.5)
    """
    parts = components(
        population,
        {
            "survival": survival,
            "fertility": fertility,
            "fertility_pattern": fertility_pattern,
            "sex_ratio_at_birth": as_number("sex_ratio_at_birth", sex_ratio_at_birth),
            "migration": migration,
            "migration_rate": migration_rate,
            "migration_schedule": migration_schedule,
            "emigration": emigration,
            "separation": separation,
        },
        scaling=schedule_scaling,
        missing=missing_migration,
        observed=True,
    )
    lacking = {"deaths": separation is None, "emigrants": emigration is None}
    kept = _kept(keep, [name for name in _EVENTS if not lacking.get(name)])
    count, above = above_one(survival)
    result = _run(parts, timing, births_exposure, kept, age_groups, count)
    warn_findings("vital_events", [above])
    return result


def _run(
    parts: Components,
    timing: str | xr.DataArray,
    births_exposure: Exposure,
    kept: tuple[str, ...],
    age_groups: AgesLike | None,
    above_one: xr.Variable,
    *,
    limit: bool = False,
    quantiles: Sequence[float] | None = None,
    stored: FloatType = np.float64,
) -> xr.Dataset:
    """Run the kernel for the variables wanted, and label them."""
    from migproj._kernels import ensembles
    from migproj._kernels import projection as kernels

    codes = choice_codes("timing", timing, TIMINGS)
    check_choice("births_exposure", births_exposure, _EXPOSURES)
    ways = parts.ways
    sexes = parts.population["sex"].values
    groups = ways.groups if age_groups is None else as_groups(age_groups)
    offsets = unions(ways.groups, groups, "population")
    mothers, mother_offsets = covering(parts.fertile, groups)
    ages = (ways.count, 2, len(groups))
    sizes = {
        "population": (ways.count + 1, 2, len(groups)),
        "births": (ways.count, 2, len(mothers)),
    }
    kernel: Any = kernels.project_population
    names: tuple[str, ...] = _OUTPUTS
    inputs = [*parts.inputs(), Input("timing", codes, dtype=np.int64)]
    rules = [int(limit), int(parts.exits.emigrating)]
    rules += [parts.migration.sharing, int(parts.migration.per_person)]
    cells = len(groups) == len(ways.groups)
    if not (cells or limit) and _sums_alone(parts, codes, kept):
        kernel, names = ensembles.project_sums, _OUTPUTS[:2]
        inputs = parts.few_inputs()
        rules = [int(codes.values.flat[0])]
    over = None
    if quantiles is not None:
        over = quantiles_over_draws(quantiles, inputs)
        if cells:
            over = replace(over, steps=Stepwise(ways.count, 2, (2, len(groups))))
    coords = {**ways.coords(), **groups.variables()}
    coords |= {**mothers.variables("mother_age"), "sex": sexes}
    if over is not None:
        coords["quantile"] = list(over.wanted)
    return apply_together(
        kernel,
        inputs,
        [
            *(
                Output(
                    name, _dims(name), sizes.get(name, ages) if name in kept else (0, 0, 0), stored
                )
                for name in names
            ),
            Output("n_negative", dtype=np.int64),
        ],
        offsets,
        mother_offsets,
        ways.count,
        parts.first,
        sexes.tolist().index(FEMALE),
        _EXPOSURES[births_exposure],
        *rules,
        ways.width,
        over=over,
        coords=coords,
        keep=kept,
        beside={"n_survival_above_one": above_one},
    )


def _sums_alone(parts: Components, codes: xr.DataArray, kept: tuple[str, ...]) -> bool:
    """Whether sums over ages of a plain projection are all that is wanted: there is a kernel."""
    return (
        set(kept) <= {"population", "births", "n_negative"}
        and parts.migration.is_plain
        and not parts.exits.emigrating
        and "time" not in parts.population.dims
        and codes.size > 0
        and bool((codes == codes.values.flat[0]).all())
    )


def _dims(name: str) -> tuple[str, str, str]:
    if name == "population":
        return ("time", "sex", "age")
    return ("period", "sex", "mother_age" if name == "births" else "age")


def _kept(keep: Sequence[str] | None, able: Sequence[str]) -> tuple[str, ...]:
    """The variables wanted, of those that can be made."""
    if "deaths" not in able and keep is not None and "deaths" in outputs_kept(keep, _OUTPUTS):
        raise SchemaError(
            "keep: 'deaths' (by age at death) need separation=; mp.separation_factors(life_table) "
            "makes them. Deaths by cohort are 'deaths_cohort'"
        )
    return outputs_kept(keep, able, on_request=["exposure"])


def _negative(result: xr.Dataset, by_cell: bool) -> str:
    """Where the population is negative: by cell if every cell is there."""
    count = result["n_negative"]
    if by_cell and "population" in result:
        return counted("negative population", count, lambda: result["population"] < 0, _FEWER)
    return finding("negative population", count > 0, _FEWER)
