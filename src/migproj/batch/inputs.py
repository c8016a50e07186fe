"""The inputs of a job: opened without being read, and a chunk of them with its draws."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import xarray as xr

from migproj._checks import check_labels_match
from migproj._random import drawn
from migproj.ages import groups_of
from migproj.dates import instant_of, year_of
from migproj.errors import IntervalError, SchemaError

if TYPE_CHECKING:
    from migproj.batch.job import Job, LifeTable, Source, Spread

__all__ = ["Chunk", "Plan", "files_of", "make_plan", "opened", "part", "steps_of"]

Inputs: TypeAlias = "dict[str, xr.DataArray | xr.Dataset]"

#: The dims over which a job is done chunk by chunk, and draws of a chunk by default.
CHUNKED: Final = ("country", "draw")
_DRAWS: Final = 100
#: Years by which labels of instants may be off.
_NEAR: Final = 0.005
_STARTS: Final = ("population", "stock")


@dataclass(frozen=True)
class Chunk:
    """A part of the countries and draws: where each chunked dim begins and ends."""

    key: str
    ranges: dict[str, slice]

    def says(self, plan: Plan) -> str:
        """Its first and last labels."""
        texts = []
        for dim, cut in self.ranges.items():
            own = plan.labels[dim][cut]
            texts.append(f"{dim} {own[0]}" + (f" to {own[-1]}" if own.size > 1 else ""))
        return ", ".join(texts) or "everything"


@dataclass(frozen=True)
class Plan:
    """A job, the labels of its chunked dims, and how many of them go in a chunk."""

    job: Job
    folder: Path  # of the job file
    labels: dict[str, npt.NDArray[Any]]
    sizes: dict[str, int]

    @property
    def store(self) -> Path:
        """The Zarr folder."""
        return self.folder / self.job.store

    def chunks(self) -> list[Chunk]:
        """All chunks in order, those of a country next to each other."""
        chunks = [Chunk("", {})]
        for dim, labels in self.labels.items():
            size = self.sizes[dim]
            chunks = [
                Chunk(
                    f"{before.key}-{k}".removeprefix("-"),
                    before.ranges | {dim: slice(k * size, min((k + 1) * size, labels.size))},
                )
                for before in chunks
                for k in range(-(-labels.size // size))
            ]
        return chunks if self.labels else [Chunk("all", {})]

    def sample(self) -> Chunk:
        """The first chunk of countries, of one draw."""
        counts = self.sizes | {"draw": 1}
        return Chunk("", {dim: slice(0, counts[dim]) for dim in self.labels})


def files_of(job: Job, folder: Path) -> dict[str, Path]:
    """The file of each input that has one."""
    given = {name: getattr(source, "file", None) for name, source in job.inputs}
    return {name: folder / file for name, file in given.items() if file is not None}


@contextlib.contextmanager
def opened(job: Job, folder: Path) -> Iterator[Inputs]:
    """The inputs that are given, selected up to the horizon; values are read when asked for."""
    with contextlib.ExitStack() as stack:
        files: dict[Path, xr.Dataset] = {}
        for name, path in files_of(job, folder).items():
            if path not in files:
                files[path] = stack.enter_context(_open(name, path))
        inputs: Inputs = {}
        for name, source in job.inputs:
            if source is None:
                continue
            if isinstance(source, float):
                inputs[name] = xr.DataArray(source)
            elif getattr(source, "value", None) is not None:
                inputs[name] = xr.DataArray(source.value)
            else:
                inputs[name] = _selected(name, source, files[folder / source.file])
        yield _until(job, inputs)


def _open(name: str, path: Path) -> xr.Dataset:
    engine: Any = {"engine": "zarr", "consolidated": False} if path.is_dir() else {}
    try:
        return xr.open_dataset(path, cache=False, decode_timedelta=False, **engine)
    except (OSError, ValueError) as error:
        said = "there is no such file" if not path.exists() else f"cannot be opened: {error}"
        raise SchemaError(f"inputs.{name}: {path}: {said}") from error


def _selected(name: str, source: Source | LifeTable, data: xr.Dataset) -> xr.DataArray | xr.Dataset:
    """The variable (or the two of a life table) with the names and labels that are wanted."""
    table = not hasattr(source, "variable")
    wanted = [source.lx, source.Tx] if table else [source.variable or name]  # type: ignore[union-attr]
    for variable in wanted:
        if variable not in data.data_vars:
            raise SchemaError(
                f"inputs.{name}: expected the variable {variable!r} in {source.file}, which has "
                f"{list(data.data_vars)[:8]}; name it: variable = ..."
            )
    own: Any = (
        data[wanted].rename(dict(zip(wanted, ["lx", "Tx"], strict=True)))
        if table
        else (data[wanted[0]])
    )
    unknown = [key for key in source.rename if key not in (*own.dims, *own.coords)]
    if unknown:
        raise SchemaError(
            f"inputs.{name}: rename: expected dims or coordinates of {source.file}, "
            f"{list(dict.fromkeys([*own.dims, *own.coords]))[:8]}, got {unknown}"
        )
    own = own.rename(source.rename)
    try:
        return own.sel(source.select)  # type: ignore[no-any-return]
    except (KeyError, ValueError) as error:
        raise SchemaError(
            f"inputs.{name}: select: {source.select} is not there; its dims are "
            f"{ {dim: own[dim].values[:5].tolist() for dim in own.dims if dim in own.coords} }"
        ) from error


def _until(job: Job, inputs: Inputs) -> Inputs:
    """The inputs without the periods after the horizon."""
    horizon = getattr(job, "horizon", None)
    by_period = {name: array for name, array in inputs.items() if "period" in array.dims}
    if horizon is None or not by_period:
        return inputs
    start = next(inputs[name] for name in _STARTS if name in inputs)
    width = groups_of(start, "population").step or 0.0
    cut = dict(inputs)
    for name, array in by_period.items():
        if "period" not in array.coords:
            raise SchemaError(f"inputs.{name}: dim 'period' has no labels; horizon needs them")
        years = np.array([year_of(label, name, "period") for label in array["period"].values])
        before = years < horizon - _NEAR
        if not before.any() or abs(years[before][-1] + width - horizon) > _NEAR:
            raise IntervalError(
                f"horizon: expected the end of one of the periods of {name}, which start in "
                f"{years[0]:g} to {years[-1]:g} and are {width:g} years long, got {horizon:g}"
            )
        cut[name] = array.isel(period=before)
    return cut


def steps_of(job: Job, inputs: Inputs) -> int | None:
    """How many steps a projection has: as said, or up to the horizon; None by its periods."""
    if job.task == "net_migration":
        return None
    horizon = job.horizon
    if horizon is None:
        return job.steps
    if any("period" in array.dims for array in inputs.values()):
        return None
    name = next(name for name in _STARTS if name in inputs)
    start: Any = inputs[name]
    began, width = instant_of(start, name), groups_of(start, name).step
    if began is None or width is None:
        raise IntervalError(
            f"horizon: expected a scalar coordinate time on {name} and groups of one width, to "
            "count steps from; select its time, or give steps"
        )
    count = (horizon - began) / width
    if round(count) < 1 or abs(count - round(count)) > _NEAR:
        raise IntervalError(
            f"horizon: expected a whole number of steps of {width:g} years from {began:g}, got "
            f"{horizon:g}; the nearest is {began + width * max(round(count), 1):g}"
        )
    return round(count)


def make_plan(job: Job, folder: Path) -> Plan:
    """The labels that all inputs agree on, and the sizes of the chunks."""
    with opened(job, folder) as inputs:
        arrays = {
            f"inputs.{name}": array if isinstance(array, xr.DataArray) else array["lx"]
            for name, array in inputs.items()
        }
        for name, array in arrays.items():
            bare = [dim for dim in CHUNKED if dim in array.dims and dim not in array.indexes]
            if bare:
                raise SchemaError(
                    f"{name}: dim {bare[0]!r} has no labels; write the file with a coordinate "
                    f"{bare[0]!r}"
                )
        check_labels_match(arrays, dims=CHUNKED)
        labels = {
            dim: next(array[dim].values for array in arrays.values() if dim in array.dims)
            for dim in CHUNKED
            if any(dim in array.dims for array in arrays.values())
        }
    if job.draws is not None:
        labels["draw"] = _numbers(job.draws.count, labels.get("draw"), _spreads(job))
    if job.output.quantiles is not None and "draw" not in labels:
        raise SchemaError(
            "output.quantiles: expected draws to take quantiles of: an input with the dim draw, "
            "or [draws] and a spread"
        )
    every = labels["draw"].size if "draw" in labels else 1
    draws = job.chunks.draw or (every if job.output.quantiles is not None else _DRAWS)
    sizes = {"country": job.chunks.country, "draw": draws}
    return Plan(job, folder, labels, {dim: min(sizes[dim], n.size) for dim, n in labels.items()})


def _spreads(job: Job) -> dict[str, Spread]:
    given = {name: getattr(source, "spread", None) for name, source in job.inputs}
    return {name: spread for name, spread in given.items() if spread is not None}


def _numbers(
    count: int, given: npt.NDArray[Any] | None, spreads: dict[str, Spread]
) -> npt.NDArray[Any]:
    """The numbers of the draws: 0 to n - 1, as are those of inputs that have draws."""
    if not spreads:
        raise SchemaError("draws: expected a spread on one of the inputs, got none; drop [draws]")
    numbers = np.arange(count, dtype=np.int64)
    if given is not None and not np.array_equal(given, numbers):
        raise SchemaError(
            f"draws: expected the labels of the dim draw in the files, 0 to {count - 1}, got "
            f"{given.size} labelled {given[:5].tolist()}"
        )
    return numbers


def part(plan: Plan, chunk: Chunk, inputs: Inputs) -> Inputs:
    """The inputs of a chunk in memory, with their draws."""
    own: Inputs = {}
    for name, array in inputs.items():
        cuts = {dim: cut for dim, cut in chunk.ranges.items() if dim in array.dims}
        try:
            own[name] = array.isel(cuts).load()
        except OSError as error:
            raise SchemaError(f"inputs.{name}: cannot be read: {error}") from error
    for name, spread in _spreads(plan.job).items():
        own[name] = _spread(plan, chunk, name, own[name], spread)
    return own


def _spread(plan: Plan, chunk: Chunk, name: str, array: Any, spread: Spread) -> xr.DataArray:
    """An input times (or plus) its random factor: the numbers of these labels and draws."""
    assert plan.job.draws is not None  # so says the job's model
    numbers = plan.labels["draw"][chunk.ranges["draw"]]
    labelled = xr.DataArray(numbers, dims="draw", coords={"draw": numbers})
    factor = drawn(_distribution(name, array, spread), labelled, plan.job.draws.seed, name)
    options: Any = xr.set_options
    with options(arithmetic_join="exact", keep_attrs=True):
        made = array * factor if spread.apply == "times" else array + factor
    # The draws where an input from a file has them: among the batch dims.
    return made.transpose("draw", ...).rename(name)  # type: ignore[no-any-return]


def _distribution(name: str, array: xr.DataArray, spread: Spread) -> Any:
    from scipy import stats

    kind = getattr(stats, spread.distribution, None)
    if not isinstance(kind, stats.rv_continuous):
        raise SchemaError(
            f"inputs.{name}.spread: expected a continuous distribution of scipy.stats, such as "
            f"'norm' or 'lognorm', got {spread.distribution!r}"
        )
    lacking = [dim for dim in spread.by if dim not in array.indexes]
    if lacking:
        raise SchemaError(
            f"inputs.{name}.spread: by: expected dims of the input with labels, "
            f"{list(array.dims)}, got {lacking}"
        )
    by = {dim: array[dim].values for dim in spread.by}
    shape = [labels.size for labels in by.values()]
    loc = spread.parameters.get("loc", 0.0)
    wanted: dict[str, Any] = dict(spread.parameters)
    wanted["loc"] = xr.DataArray(np.full(shape, loc), dims=tuple(by), coords=by)
    try:
        return kind(**wanted)
    except TypeError as error:
        raise SchemaError(
            f"inputs.{name}.spread: parameters {spread.parameters} are not those of "
            f"scipy.stats.{spread.distribution}, which takes "
            f"{[*(kind.shapes or '').replace(',', ' ').split(), 'loc', 'scale']}"
        ) from error
