"""Projection of the populations of regions that exchange people."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import xarray as xr

from migproj._apply import Input, Output, apply_together
from migproj._checks import (
    as_number,
    check_dims,
    check_labels_match,
    check_labels_of,
    check_lacks,
    check_none_within,
    check_rates,
    check_sexes,
)
from migproj._choices import outputs_kept
from migproj._components import Components, components
from migproj._diagnostics import above_one, warn_findings
from migproj._steps import same_grid
from migproj.conventions import FEMALE
from migproj.errors import SchemaError

__all__ = ["project_regions"]

_CELLS: Final = ("region", "sex", "age")
_RATES: Final = ("period", "region")
#: What a projection can return, in the order of the kernel's outputs.
_OUTPUTS: Final = ("population", "births", "deaths_cohort", "net_migration")


def project_regions(
    population: xr.DataArray,
    survival: xr.DataArray,
    fertility: xr.DataArray,
    sex_ratio_at_birth: float | xr.DataArray,
    moves: xr.DataArray,
    *,
    steps: int | None = None,
    keep: Sequence[str] | None = None,
) -> xr.Dataset:
    r"""Project populations of regions between which people move, in steps of the age width.

    Parameters
    ----------
    population : DataArray (..., region, sex, age)
        Population (persons) at the start, in groups of one width with an open-ended last one.
        A scalar coordinate ``time`` says when; without it, and without ``period`` labels on
        the rates, time counts from 0.
    survival : DataArray (..., [period,] [region,] sex, age)
        Survival ratios over one step by the group arrived in, of people who stay in the region
        (:func:`survival_ratios`).
    fertility : DataArray (..., [period,] [region,] age)
        Births per woman-year; its ages are a contiguous part of the population's, other ages
        bear no children.
    sex_ratio_at_birth : float or DataArray (..., [period,] [region])
        Males per female.
    moves : DataArray (..., [period,] origin, destination, [sex,] age)
        Hazard of moving from each region to each other (1/year), by completed age. ``origin``
        and ``destination`` have the labels of ``region``, in the same order; from a region to
        itself it is 0 or missing.
    steps : int, optional
        How many steps, where no input has the dim ``period``. Default 1.
    keep : sequence of str, optional
        The variables wanted, of those below; the others are not stored. Default: all.

    Returns
    -------
    Dataset
        ``population`` (..., time, region, sex, age; persons), ``births`` (..., period, region of
        the mother, sex of the child, mother_age), ``deaths_cohort`` (..., period, region at the
        start or of birth, sex, age arrived in) and ``net_migration`` (..., period, region, sex,
        age arrived in), in persons per period. Net migration is arrivals less departures among
        those alive at the end; it adds up to 0 over regions. ``n_survival_above_one`` (dims of
        `survival` but period, sex and age) counts ratios above 1.

    Raises
    ------
    SchemaError
        If dims, labels or values are not what is described here.
    AlignmentError
        If the inputs' labels differ, or those of ``origin`` or ``destination`` from those of
        ``region``.
    IntervalError
        If the age groups differ in width, or the periods are not one width apart.

    Warns
    -----
    DataQualityWarning
        Once a call, naming the labels: survival above 1.

    Notes
    -----
    With n the step, m(i, j) the hazards of moving, S(i) the survival ratio of region i by the
    group x arrived in, and hazards taken as constant while a cohort is on its way:

    .. math::
       Q_{ij} = \frac{m_{ij}(x-n) + m_{ij}(x)}{2}, \quad
       Q_{ii} = \frac{\ln S_i(x)}{n} - \sum_{j \ne i} Q_{ij}, \quad
       P = e^{n Q}, \quad N_j(x) = \sum_i N_i(x-n) P_{ij}

    Those already in the open-ended group move by its own hazards, and those entering it by the
    mean, both with its survival. Children are exposed for half a step on average: they move by
    half of n m(0) and survive by S(0). They are born where their mothers live, B = n Σ f (W0 +
    W1)/2 with the women of the region at the start and the end. Deaths are N(i) (1 - Σ P(i, j)),
    by the region i of the start wherever they occur, so that in every region and cohort change =
    births - deaths + net migration.

    A region without moves keeps S of its people; with one mortality P = S exp(n Q) of the moves
    alone. A ratio above 1 (a census survival ratio) is a negative hazard of dying. Where S is 0
    nobody is at the end, neither of those there at the start nor of those who go there.

    References
    ----------
    Rogers (1975), *Introduction to Multiregional Mathematical Demography*; Willekens & Rogers
    (1978), *Spatial Population Analysis: Methods and Computer Programs*; Rogers (1995),
    *Multiregional Demography*.

    Examples
    --------
    >>> import migproj as mp, numpy as np, xarray as xr
    >>> ages, places = mp.age_coords([0, 15, 30]), ["north", "south"]
    >>> people = xr.DataArray(np.full((2, 2, 3), 100.0), dims=("region", "sex", "age"),
    ...     coords={"region": places, "sex": ["female", "male"], **ages})
    >>> survival = xr.full_like(people.isel(region=0, drop=True), 0.9)
    >>> fertility = xr.DataArray([0.05], dims="age", coords={"age": [15]})
    >>> moves = xr.DataArray([[0.0, 0.02], [0.01, 0.0]], dims=("origin", "destination"),
    ...     coords={"origin": places, "destination": places}).expand_dims(age=ages["age"])
    >>> result = mp.project_regions(people, survival, fertility, 1.05, moves)
    >>> result["population"].sel(sex="female").isel(time=1).round(2).values
    array([[ 27.75,  79.13, 158.26],
           [ 34.81, 100.87, 201.74]])
    >>> result["net_migration"].sel(sex="female").isel(period=0).sum("age").round(2).values
    array([-34.35,  34.35])
    """
    from migproj._kernels import multiregional as kernels

    parts = _checked(population, survival, fertility, sex_ratio_at_birth, moves, steps)
    kept = outputs_kept(keep, _OUTPUTS)
    ways, regions, sexes = parts.ways, population["region"], parts.population["sex"].values
    ages = (regions.size, 2, len(ways.groups))
    mothers = (regions.size, 2, len(parts.fertile))
    coords = {**ways.coords(), **parts.fertile.variables("mother_age"), "sex": sexes}
    coords["region"] = regions.variable
    count, above = above_one(survival)
    result = apply_together(
        kernels.project_regions,
        [
            Input("population", parts.population, _CELLS),
            Input("survival", parts.exits.staying, (*_RATES, "sex", "age"), may_lack=_RATES),
            Input("fertility", parts.fertility, (*_RATES, "age"), may_lack=_RATES),
            Input("sex_ratio_at_birth", parts.ratio, _RATES, may_lack=_RATES),
            Input(
                "moves",
                moves,
                ("period", "origin", "destination", "sex", "age"),
                may_lack=("period", "sex"),
            ),
        ],
        [
            Output(name, dims, (count if name in kept else 0, *sizes))
            for name, dims, count, sizes in (
                ("population", ("time", *_CELLS), ways.count + 1, ages),
                ("births", ("period", "region", "sex", "mother_age"), ways.count, mothers),
                ("deaths_cohort", ("period", *_CELLS), ways.count, ages),
                ("net_migration", ("period", *_CELLS), ways.count, ages),
            )
        ],
        ways.count,
        parts.first,
        sexes.tolist().index(FEMALE),
        ways.width,
        coords=coords,
        keep=kept,
        beside={"n_survival_above_one": count},
    )
    warn_findings("project_regions", [above])
    return result


def _checked(
    population: xr.DataArray,
    survival: xr.DataArray,
    fertility: xr.DataArray,
    sex_ratio_at_birth: float | xr.DataArray,
    moves: xr.DataArray,
    steps: int | None,
) -> Components:
    """The components of the projection, by the rules of one population and of its regions."""
    check_dims("population", population, "region", "sex", "age")
    if "region" not in population.indexes:
        raise SchemaError(
            "population: dim 'region' has no labels; nothing is aligned by position: "
            "population.assign_coords(region=[...])"
        )
    check_dims("moves", moves, "origin", "destination", "age")
    parts = components(
        population,
        {
            "survival": survival,
            "fertility": fertility,
            "sex_ratio_at_birth": as_number("sex_ratio_at_birth", sex_ratio_at_birth),
            "moves": moves,
        },
        steps,
    )
    same_grid("moves", moves, parts.ways, "population")
    check_rates("moves", moves)
    check_lacks("moves", moves, "region", "its regions are those of origin and destination")
    check_sexes("moves", moves, both="sex" in moves.dims)
    by_region = {
        "population": population,
        "survival": survival,
        "fertility": fertility,
        "sex_ratio_at_birth": parts.ratio,
        "moves": moves,
    }
    check_labels_match(by_region, dims=["region", "sex"])
    mend = (
        "Moves from and to places outside are no moves between regions; leave them out, and give 0 "
        "where nobody moves"
    )
    for dim in ("origin", "destination"):
        check_labels_of("moves", moves, dim, "population", population, "region", mend)
    check_none_within("moves", moves, "who stays follows from the hazards of leaving")
    return parts
