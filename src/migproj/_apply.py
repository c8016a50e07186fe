"""The bridge from labelled arrays to kernels: the only place where the two meet.

Callers check values; the bridge makes sure that no label is aligned by position, joined or
dropped, that each input keeps only the dims it has, and that a kernel sees nothing but
C-contiguous writable float64 or int64 rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Hashable, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt
import xarray as xr

from migproj._checks import check_labels_match
from migproj.conventions import VARIABLES
from migproj.errors import SchemaError

if TYPE_CHECKING:
    from migproj._jit import Kernel

__all__ = ["Input", "Output", "Quantiles", "Stepwise", "apply", "apply_together", "dated_as"]

_Type: TypeAlias = type[np.float64] | type[np.int64]
_Stored: TypeAlias = _Type | type[np.float32]
_Labelled = TypeVar("_Labelled", xr.DataArray, xr.Dataset)

#: Bytes of the draws that a run makes before they are sorted: about what the last cache holds.
_RUN: Final = 2**24

#: Bytes of an input that stay in the nearest cache, whatever is read and written between.
_AT_HAND: Final = 2**12

#: Scalars and auxiliaries that belong to an input's own instant, interval or ages.
_OWN: Final = frozenset({"time", "date", "period", "period_width", "interval"})


@dataclass(frozen=True)
class Input:
    """An array, its core dims in the kernel's order, and those of them that it may lack.

    A core dim that is lacking reaches the kernel with length 1.
    """

    name: str
    array: xr.DataArray
    core: tuple[str, ...] = ()
    may_lack: tuple[str, ...] = ()
    dtype: _Type = np.float64


@dataclass(frozen=True)
class Output:
    """A variable to make: its core dims, their sizes, and the type in which it is stored.

    What is stored as float32 is computed in float64 and rounded once.
    """

    name: str
    core: tuple[str, ...] = ()
    sizes: tuple[int, ...] = ()
    dtype: _Stored = np.float64


@dataclass(frozen=True)
class Stepwise:
    """How to run a kernel that goes from period to period for a few periods at a time.

    Its first output is by instants, one more than the periods, and at the last of them what the
    first input of the next run is.
    """

    periods: int
    parameter: int  # which of the parameters is the number of periods
    state: tuple[int, ...]  # sizes of the first output at an instant


@dataclass(frozen=True)
class Quantiles:
    """Quantiles over a batch dim to make of what a kernel makes; counts are summed over it."""

    dim: str
    wanted: tuple[float, ...]
    steps: Stepwise | None = None  # else all periods of the draws are made before they are sorted


def apply(
    kernel: Kernel,
    inputs: Sequence[Input],
    outputs: Sequence[Output],
    *parameters: Any,
    over: Quantiles | None = None,
    least: int | None = None,
) -> tuple[xr.DataArray, ...]:
    """Run `kernel` over the batch dims of `inputs` and label what it makes.

    The batch dims are all that are not core, in the order in which they come. Results carry
    the batch dims and their coordinates, then the core dims without coordinates (the caller
    knows them), and the units of ``conventions.VARIABLES``. With `over`, the kernel runs for one
    cell of the other batch dims at a time, into memory used again for the next, and results
    have the core dim ``quantile`` in the place of the dim of the draws. A thread takes `least`
    rows of the batch or more: 1 where a single one is a lot of work.

    Raises
    ------
    AlignmentError
        If a batch dim that inputs share has other labels, or another order, in one of them.
    SchemaError
        If a shared batch dim has no labels, a core dim is missing, or it is split into
        several dask chunks.
    """
    variables, coords = _run(kernel, inputs, outputs, parameters, over, least)
    return tuple(_labelled(variables, [out.name for out in outputs], coords))


def apply_together(
    kernel: Kernel,
    inputs: Sequence[Input],
    outputs: Sequence[Output],
    *parameters: Any,
    coords: Mapping[Hashable, Any],
    keep: Container[str] | None = None,
    beside: Mapping[str, xr.Variable] | None = None,
    over: Quantiles | None = None,
    least: int | None = None,
) -> xr.Dataset:
    """As `apply`, into one Dataset of what to `keep`, with those of `coords` that lie along it.

    A coordinate may be no more than the labels of a dim. What stands `beside` has dims of the
    inputs. Nothing is compared or aligned again: that takes longer than a small table.
    """
    variables, batch = _run(kernel, inputs, outputs, parameters, over, least)
    made = {
        out.name: variable
        for out, variable in zip(outputs, variables, strict=True)
        if keep is None or out.name in keep
    } | dict(beside or {})
    dims = {dim for variable in made.values() for dim in variable.dims}
    core = xr.Coordinates({name: c for name, c in coords.items() if _dims_of(name, c) <= dims})
    every = xr.Coordinates(
        {**batch.variables, **core.variables}, indexes={**batch.xindexes, **core.xindexes}
    )
    return xr.Dataset(made, coords=every)


def _dims_of(name: Hashable, coord: Any) -> set[Hashable]:
    """The dims of a coordinate, which may be no more than the labels of a dim."""
    dims: Any = coord[0] if isinstance(coord, tuple) else getattr(coord, "dims", name)
    return {dims} if isinstance(dims, str) else set(dims)


def _run(
    kernel: Kernel,
    inputs: Sequence[Input],
    outputs: Sequence[Output],
    parameters: tuple[Any, ...],
    over: Quantiles | None,
    least: int | None,
) -> tuple[list[xr.Variable], xr.Coordinates]:
    """What the kernel makes, and the coordinates of the batch."""
    core = {dim for i in inputs for dim in i.core} | {dim for o in outputs for dim in o.core}
    if over is not None:
        core.add("quantile")
    inputs = [replace(item, array=_own_only(item, core)) for item in inputs]
    check_labels_match([(item.name, item.array) for item in inputs], dims=_batch_dims(inputs))
    cores = tuple((len(i.core), i.dtype) for i in inputs)
    made = tuple((out.sizes, out.dtype) for out in outputs)
    block: Callable[..., Any] = _Block(kernel, cores, made, parameters, least=least)
    if over is not None:
        has = tuple(over.dim in item.array.dims for item in inputs)
        by_period = tuple("period" in item.core for item in inputs)
        block = _QuantileBlock(
            kernel, cores, made, parameters, has, over.wanted, over.steps, by_period, least=least
        )
        inputs = [
            replace(item, core=(over.dim, *item.core)) if drawn else item
            for item, drawn in zip(inputs, has, strict=True)
        ]
        outputs = [
            replace(o, core=("quantile", *o.core), sizes=(len(over.wanted), *o.sizes))
            if o.dtype is not np.int64
            else o
            for o in outputs
        ]
    prepared = [_prepare(number, item) for number, item in enumerate(inputs)]
    core_out = [[f"_{k}_{dim}" for dim in out.core] for k, out in enumerate(outputs)]
    sizes = {
        name: size
        for names, out in zip(core_out, outputs, strict=True)
        for name, size in zip(names, out.sizes, strict=True)
    }
    made = xr.apply_ufunc(
        block,
        *(variable for variable, _ in prepared),
        input_core_dims=[core for _, core in prepared],
        output_core_dims=core_out,
        keep_attrs=False,
        dask="parallelized",
        output_dtypes=[out.dtype for out in outputs],
        dask_gufunc_kwargs={"output_sizes": sizes},
    )
    variables = [
        _under_own_dims(variable, out)
        for variable, out in zip(made if len(outputs) > 1 else (made,), outputs, strict=True)
    ]
    return variables, _coordinates(inputs)


def _under_own_dims(variable: xr.Variable, out: Output) -> xr.Variable:
    """A result with the names of its core dims in the place of private ones, and its units."""
    batch = variable.dims[: variable.ndim - len(out.core)]
    units = {"units": VARIABLES[out.name].units} if out.name in VARIABLES else None
    return xr.Variable((*batch, *out.core), variable.data, units)


def _coordinates(inputs: Sequence[Input]) -> xr.Coordinates:
    """Coordinates of the batch: the labels of its dims, and others on which inputs agree."""
    found: dict[Hashable, xr.Variable] = {}
    indexes: dict[Hashable, xr.Index] = {}
    differing: set[Hashable] = set()
    for item in inputs:
        own = item.array.xindexes
        for name in _kept_coords(item):
            coord = item.array.coords.variables[name]
            if name in own:  # the same in all that have it
                found[name], indexes[name] = coord, own[name]
            elif name not in found:
                found[name] = coord
            elif not found[name].equals(coord):  # type: ignore[no-untyped-call]
                differing.add(name)
    for name in differing - set(indexes):
        del found[name]
    return xr.Coordinates(found, indexes=indexes)


def _labelled(
    variables: Sequence[xr.Variable], names: Sequence[str], coords: xr.Coordinates
) -> list[xr.DataArray]:
    """Arrays of one set of coordinates, which is copied once for all that have the same sizes."""
    sets: list[tuple[dict[Hashable, int], dict[Hashable, xr.Variable]]] = []
    for k, variable in enumerate(variables):
        fitting = (
            one
            for one in sets
            if all(one[0].get(dim, size) == size for dim, size in variable.sizes.items())
        )
        sizes, members = next(fitting, ({}, {}))
        if not members:
            sets.append((sizes, members))
        sizes.update(variable.sizes)
        members[k] = variable
    labelled: dict[Hashable, xr.DataArray] = {}
    for _, members in sets:
        one = xr.Dataset(members, coords=coords)
        labelled |= {k: one[k] for k in members}
    made = [labelled[k] for k in range(len(variables))]
    for array, name in zip(made, names, strict=True):
        array.name = name
    return made


def _own_only(item: Input, core: Set[str]) -> xr.DataArray:
    """The array without the scalar coordinates that speak of a core dim.

    Raises if one of its other dims is a core dim of another input or an output: it would be
    taken for a batch dim.
    """
    for dim in item.array.dims:
        if dim in core and dim not in item.core:
            raise SchemaError(
                f"{item.name}: the dim {dim!r} is not expected here (got dims "
                f"{tuple(item.array.dims)!r}); select one label, {item.name}.sel({dim}=...), or "
                "sum over it"
            )
    scalars = [name for name in core if name in item.array.coords and name not in item.array.dims]
    return item.array.drop_vars(scalars) if scalars else item.array


def dated_as(made: _Labelled, source: xr.DataArray | xr.Dataset) -> _Labelled:
    """`made` with the instant or interval of the input that it tells of in another way."""
    own = {
        name: coord
        for name, coord in source.coords.variables.items()
        if name in _OWN and name not in source.dims and set(coord.dims) <= set(made.dims)
    }
    return made.assign_coords(own) if own else made


def _batch_dims(inputs: Sequence[Input]) -> list[Hashable]:
    seen: dict[Hashable, None] = {}
    for item in inputs:
        seen.update(dict.fromkeys(dim for dim in item.array.dims if dim not in item.core))
    return list(seen)


def _prepare(number: int, item: Input) -> tuple[xr.Variable, list[str]]:
    """The values under private names of the core dims, those that lack of length 1; the names."""
    variable, data = item.array.variable, item.array.variable.data
    missing = [dim for dim in item.core if dim not in variable.dims and dim not in item.may_lack]
    if missing:
        raise SchemaError(
            f"{item.name}: expected the dim(s) {missing}, got dims {tuple(variable.dims)!r}; "
            f"{item.name}.expand_dims(...) adds a dim of one label, .rename(...) gives another "
            "its name"
        )
    chunks = {} if isinstance(data, np.ndarray) else variable.chunksizes
    split = [dim for dim in item.core if len(chunks.get(dim, ())) > 1]
    if split:
        raise SchemaError(
            f"{item.name}: dim {split[0]!r} is split into {len(chunks[split[0]])} dask chunks; "
            f"expected one: {item.name}.chunk({{{split[0]!r}: -1}})"
        )
    names = {dim: f"_in{number}_{dim}" for dim in item.core}
    lacking = [name for dim, name in names.items() if dim not in variable.dims]
    dims = (*lacking, *(names.get(str(dim), dim) for dim in variable.dims))
    return xr.Variable(dims, data[(None,) * len(lacking)]), list(names.values())


def _kept_coords(item: Input) -> list[Hashable]:
    """Coordinates that tell of the batch: not of core dims, nor of the input's own instant."""
    own = _OWN - set(item.array.dims)
    return [
        name
        for name, coord in item.array.coords.variables.items()
        if name not in own and not any(dim in item.core for dim in coord.dims)
    ]


@dataclass(frozen=True)
class _Block:
    """The NumPy side of the bridge: one kernel run (everything, or a dask chunk)."""

    kernel: Kernel
    inputs: tuple[tuple[int, _Type], ...]  # number of core dims, dtype
    outputs: tuple[tuple[tuple[int, ...], _Stored], ...]  # core sizes, dtype
    parameters: tuple[Any, ...]
    least: int | None = field(default=None, kw_only=True)

    def __call__(self, *arrays: npt.NDArray[Any]) -> Any:
        from migproj._jit import run, run_cast  # imports numba

        batch = np.broadcast_shapes(
            *(a.shape[: a.ndim - core] for a, (core, _) in zip(arrays, self.inputs, strict=True))
        )
        n = math.prod(batch)
        outs = [np.empty((n, *sizes), dtype=dtype) for sizes, dtype in self.outputs]
        if n:
            gathered = [
                _rows(a, core, dtype, batch)
                for a, (core, dtype) in zip(arrays, self.inputs, strict=True)
            ]
            order = np.arange(n, dtype=np.int64)
            # Visit the batch so that the largest shared input is read once, row after row. Where
            # that is small, results and other inputs go row after row.
            shared = [(rows.nbytes, k) for k, (rows, _) in enumerate(gathered) if len(rows) < n]
            size, largest = max(shared, default=(0, 0))
            by = gathered[largest][1]
            if size > _AT_HAND and (by[1:] < by[:-1]).any():
                order = np.argsort(by, kind="stable").astype(np.int64)
                gathered = [(rows, index[order]) for rows, index in gathered]
            paired = [array for pair in gathered for array in pair]
            if any(out.dtype == np.float32 for out in outs):
                run_cast(self.kernel, n, paired, outs, order, *self.parameters, least=self.least)
            else:
                run(self.kernel, n, *paired, *outs, order, *self.parameters, least=self.least)
        shaped = tuple(
            out.reshape((*batch, *sizes))
            for out, (sizes, _) in zip(outs, self.outputs, strict=True)
        )
        return shaped if len(shaped) > 1 else shaped[0]


@dataclass(frozen=True)
class _QuantileBlock(_Block):
    """The same with quantiles over the draws, which are the last batch axis of what has them."""

    drawn: tuple[bool, ...]  # by input
    wanted: tuple[float, ...]
    steps: Stepwise | None
    by_period: tuple[bool, ...]  # by input: whether its first core dim is the period

    def __call__(self, *arrays: npt.NDArray[Any]) -> Any:
        aligned = [
            a if has else np.expand_dims(a, a.ndim - core)
            for a, (core, _), has in zip(arrays, self.inputs, self.drawn, strict=True)
        ]
        batch = np.broadcast_shapes(
            *(a.shape[: a.ndim - core] for a, (core, _) in zip(aligned, self.inputs, strict=True))
        )
        n, draws = math.prod(batch[:-1]), batch[-1]
        gathered = [
            _rows(a, core, dtype, batch)
            for a, (core, dtype) in zip(aligned, self.inputs, strict=True)
        ]
        # The draws of one cell of the batch, in the same memory for each.
        runs = self._runs(draws)
        most = runs[0][1] - runs[0][0]
        memory = [
            np.empty(draws * math.prod(sizes), np.int64 if dtype is np.int64 else np.float64)
            for sizes, (_, dtype) in zip(self._sizes(most), self.outputs, strict=True)
        ]
        results = [
            np.zeros(n, dtype)
            if dtype is np.int64
            else np.empty((n, len(self.wanted), *sizes), dtype)
            for sizes, dtype in self.outputs
        ]
        for cell in range(n):
            own = slice(cell * draws, (cell + 1) * draws)
            rows = [(rows, np.ascontiguousarray(index[own])) for rows, index in gathered]
            self._cell(rows, runs, memory, [result[cell : cell + 1] for result in results])
        return tuple(r.reshape((*batch[:-1], *r.shape[1:])) for r in results)

    def _runs(self, draws: int) -> list[tuple[int, int]]:
        """The periods of each run: as few as fit the memory meant for them."""
        if self.steps is None or self.steps.periods == 0:
            return [(0, 0)]
        one = sum(math.prod(sizes) for sizes in self._sizes(1))
        count = max(_RUN // (8 * draws * one), 1)
        periods = self.steps.periods
        return [(first, min(first + count, periods)) for first in range(0, periods, count)]

    def _sizes(self, periods: int) -> list[tuple[int, ...]]:
        """Sizes of the outputs of a run."""
        if self.steps is None:
            return [sizes for sizes, _ in self.outputs]
        state = (periods + 1, *self.steps.state)
        others = [
            (min(sizes[0], periods), *sizes[1:]) if sizes else () for sizes, _ in self.outputs[1:]
        ]
        return [state, *others]

    def _cell(
        self,
        gathered: list[tuple[npt.NDArray[Any], npt.NDArray[np.int64]]],
        runs: list[tuple[int, int]],
        memory: list[npt.NDArray[Any]],
        results: list[npt.NDArray[Any]],
    ) -> None:
        from migproj._jit import run  # imports numba

        draws = len(gathered[0][1])
        everyone = np.arange(draws)
        inputs = gathered
        if len(runs) > 1:
            inputs = [
                _few(rows, index) if by_period and rows.shape[1] > 1 else (rows, index)
                for (rows, index), by_period in zip(gathered, self.by_period, strict=True)
            ]
        parameters = list(self.parameters)
        for first, last in runs:
            buffers = [
                flat[: draws * math.prod(sizes)].reshape((draws, *sizes))
                for flat, sizes in zip(memory, self._sizes(last - first), strict=True)
            ]
            paired: list[npt.NDArray[Any]] = []
            for (rows, index), by_period in zip(inputs, self.by_period, strict=True):
                part = rows
                if len(runs) > 1 and by_period and rows.shape[1] > 1:
                    part = np.ascontiguousarray(rows[:, first:last])
                paired += [part, index]
            if self.steps is not None:
                parameters[self.steps.parameter] = last - first
            run(self.kernel, draws, *paired, *buffers, everyone, *parameters, least=self.least)
            for k, (buffer, result) in enumerate(zip(buffers, results, strict=True)):
                if buffer.dtype != np.float64:
                    result += buffer.sum()
                elif self.steps is None:
                    self._summarise(buffer, 0, result[0])
                elif result.size and k == 0:  # the first instant is the last one of the run before
                    begun = int(first > 0)
                    self._summarise(buffer, begun, result[0, :, first + begun : last + 1])
                elif result.size:
                    self._summarise(buffer, 0, result[0, :, first:last])
            if last < runs[-1][1]:
                inputs[0] = (buffers[0][:, -1:].copy(), everyone)

    def _summarise(self, buffer: npt.NDArray[Any], begun: int, to: npt.NDArray[Any]) -> None:
        """Quantiles over the draws of a buffer, but for what it begins with."""
        from migproj._jit import run
        from migproj._kernels import quantiles as kernels

        columns = buffer.reshape(len(buffer), -1)
        skipped = begun * math.prod(buffer.shape[2:])
        count = columns.shape[1] - skipped
        exact = np.empty((len(self.wanted), count))
        blocks = -(-count // kernels.LANES)
        run(kernels.quantiles, blocks, columns, np.array(self.wanted), exact, skipped, least=4)
        to[...] = exact.reshape(to.shape)


def _few(
    rows: npt.NDArray[Any], index: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    """Only the rows that are read."""
    read, index = np.unique(index, return_inverse=True)
    return rows[read], index.astype(np.int64)


def _rows(
    array: npt.NDArray[Any], core: int, dtype: _Type, batch: tuple[int, ...]
) -> tuple[npt.NDArray[Any], npt.NDArray[np.int64]]:
    """(rows, core...) of an array, and for each cell of the batch the row it reads."""
    depth = array.ndim - core
    for axis in range(depth):
        if array.strides[axis] == 0 and array.shape[axis] > 1:
            array = array[(slice(None),) * axis + (slice(0, 1),)]
    own = (1,) * (len(batch) - depth) + array.shape[:depth]
    count = math.prod(own)
    rows = np.require(
        array.reshape((count, *array.shape[depth:])), dtype=dtype, requirements=["C", "W", "A"]
    )
    index = np.broadcast_to(np.arange(count, dtype=np.int64).reshape(own), batch).reshape(-1)
    return rows, np.require(index, requirements=["C", "W"])
