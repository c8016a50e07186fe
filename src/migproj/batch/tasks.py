"""A chunk of inputs through the function of its task."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from migproj.ages import regroup_ages
from migproj.batch.inputs import CHUNKED, Inputs, steps_of
from migproj.errors import SchemaError
from migproj.lifetable import life_table
from migproj.netmigration import net_migration
from migproj.projection import project_population
from migproj.rounds import net_migration_rounds
from migproj.stocks import project_stocks
from migproj.survival import separation_factors, survival_ratios

if TYPE_CHECKING:
    from migproj.batch.job import Job

__all__ = ["estimate"]


def estimate(job: Job, inputs: Inputs) -> xr.Dataset:
    """What the job stores of these inputs."""
    given: dict[str, Any] = dict(inputs)
    counts: dict[Hashable, xr.DataArray] = {}
    table = given.pop("life_table", None)
    if "mx" in given:
        table = life_table(given.pop("mx"))
        kept = [dim for dim in CHUNKED if dim != "draw" or job.output.quantiles is None]
        counts = {
            name: array.sum([d for d in array.dims if d not in kept], keep_attrs=True)
            for name, array in table.data_vars.items()
            if str(name).startswith("n_")
        }
        table = table[["lx", "Tx"]]
    options = job.options.model_dump(exclude_none=True)
    if job.task != "net_migration":
        options["steps"] = steps_of(job, inputs)
    return _TASKS[job.task](job, given, table, options).assign(counts)


def _population(job: Job, given: dict[str, Any], table: Any, options: dict[str, Any]) -> xr.Dataset:
    output = job.output
    if table is not None:
        given["survival"] = survival_ratios(table, ages=given["population"])
        if "separation" not in given and "deaths" in (output.keep or ["deaths"]):
            given["separation"] = separation_factors(table, ages=given["population"])
    return project_population(
        **given,
        **options,
        keep=output.keep,
        age_groups=output.age_groups,
        quantiles=output.quantiles,
        dtype=output.dtype,
    )


def _rounds(job: Job, given: dict[str, Any], table: Any, options: dict[str, Any]) -> xr.Dataset:
    mortality = given.pop("survival", table)
    options["ages"] = job.output.age_groups
    if "rounds" in given:
        if "interval" in options:
            raise SchemaError("options.interval: the rounds have their dates; drop it")
        rounds = given.pop("rounds")
        made = net_migration_rounds(rounds, mortality, **given, **options)
        if "round" in rounds.dims:  # missing where a country lacks a round, of this chunk or not
            counts = [name for name in made.data_vars if str(name).startswith("n_")]
            made = made.assign({name: made[name].astype(np.float64) for name in counts})
    else:
        start, end = given.pop("start"), given.pop("end")
        made = net_migration(start, end, mortality, **given, **options)
    return _stored(job, made)


def _stocks(job: Job, given: dict[str, Any], table: Any, options: dict[str, Any]) -> xr.Dataset:
    if table is not None:
        given["survival"] = survival_ratios(table, ages=given["stock"])
    made = project_stocks(**given, **options)
    if job.output.age_groups is not None:
        wider: Any = job.output.age_groups
        by_age = [name for name, array in made.data_vars.items() if "age" in array.dims]
        sums = {name: regroup_ages(made[name], wider) for name in by_age}
        made = made.drop_vars(by_age).drop_dims("age", errors="ignore").assign(sums)
    return _stored(job, made)


_TASKS = {
    "project_population": _population,
    "net_migration": _rounds,
    "project_stocks": _stocks,
}


def _stored(job: Job, result: xr.Dataset) -> xr.Dataset:
    """The variables to keep, as quantiles and in the type that are wanted."""
    output = job.output
    counts = [name for name in result.data_vars if str(name).startswith("n_")]
    able = [name for name in result.data_vars if name not in counts]
    odd = [name for name in output.keep or [] if name not in able]
    if odd:
        raise SchemaError(f"output.keep: expected some of {able}, got {odd}")
    kept = [name for name in able if output.keep is None or name in output.keep]
    result = result[[*kept, *counts]]
    if output.quantiles is not None:
        result = _over_draws(result, output.quantiles)
    return result.assign({name: result[name].astype(output.dtype) for name in kept})


def _over_draws(result: xr.Dataset, wanted: Sequence[float]) -> xr.Dataset:
    """Quantiles in the place of the draws; counts are summed over them."""
    made = {}
    for name, array in result.data_vars.items():
        if "draw" not in array.dims:
            made[name] = array
        elif str(name).startswith("n_"):
            made[name] = array.sum("draw", skipna=False, keep_attrs=True)
        else:
            dims = ["quantile" if dim == "draw" else dim for dim in array.dims]
            found = array.quantile(list(wanted), "draw", skipna=False, keep_attrs=True)
            made[name] = found.transpose(*dims)
    return xr.Dataset(made)
