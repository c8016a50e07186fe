"""The Zarr store of a run, and the folder beside it that says what is finished."""

from __future__ import annotations

import contextlib
import datetime
import errno
import json
import os
import shutil
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

import numpy as np
import xarray as xr

from migproj.batch.errors import (
    BatchError,
    OtherJobError,
    StoreFullError,
    StoreNotWritableError,
)
from migproj.batch.inputs import Chunk, Plan, files_of
from migproj.batch.job import Job

__all__ = ["Beside", "put", "record_of", "template", "words_of", "write", "writing"]

_FULL: Final = {errno.ENOSPC, errno.EDQUOT}
_DENIED: Final = {errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR}


@contextlib.contextmanager
def writing(store: Path) -> Iterator[None]:
    """Say in one line what the disk refused."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StoreFullError(
                f"{store}: no space left on the disk ({error.strerror}); make room and run the "
                "same command again: it goes on where it stopped"
            ) from error
        if error.errno in _DENIED:
            raise StoreNotWritableError(
                f"{store}: cannot be written to ({error.strerror}: {error.filename or store}); "
                "make it writable and run the same command again, or give the job another store"
            ) from error
        raise BatchError(f"{store}: cannot be written: {error}") from error


def put(file: Path, text: str) -> None:
    """Write a file whole or not at all, also when the power goes."""
    fresh = file.with_name(f"{file.name}.new")
    with fresh.open("w", encoding="utf-8") as opened:
        opened.write(text)
        opened.flush()
        os.fsync(opened.fileno())
    fresh.replace(file)


def words_of(file: Path, mend: str) -> Any:
    """What a run has written into a file of the folder beside the store."""
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        raise BatchError(f"{file}: cannot be read: {error}; {mend}") from error


class Beside:
    """The folder ``<store>.job``: the job, the lock, the finished chunks, log and warnings."""

    def __init__(self, store: Path) -> None:
        self.store = store
        self.folder = store.with_name(f"{store.name}.job")
        self.job = self.folder / "job.json"
        self.lock = self.folder / "lock"
        self.log = self.folder / "log.txt"
        self.warnings = self.folder / "warnings.csv"
        self.texts = self.folder / "warnings.txt"
        self.chunks = self.folder / "chunks"
        self.fresh = self.folder / "new.zarr"

    def make(self) -> None:
        """Make the folder."""
        with writing(self.store):
            self.chunks.mkdir(parents=True, exist_ok=True)

    def done(self) -> set[str]:
        """The keys of the finished chunks."""
        return {file.stem for file in self.chunks.glob("*.json")}

    def finish(self, chunk: Chunk, messages: list[str]) -> None:
        """Say that a chunk is finished, and what was warned of."""
        with writing(self.store):
            put(self.chunks / f"{chunk.key}.json", json.dumps({"warnings": messages}))

    def messages(self, chunks: Sequence[Chunk]) -> list[tuple[Chunk, str]]:
        """What was warned of, chunk by chunk."""
        return [
            (chunk, text)
            for chunk in chunks
            for text in words_of(
                self.chunks / f"{chunk.key}.json", "remove it, and its chunk is done again"
            )["warnings"]
        ]

    def begin(self, record: dict[str, Any], whole: Callable[[], xr.Dataset]) -> bool:
        """Go on with the store of the same job (True), or make a new one."""
        if self.store.exists():
            self._check_same(record)
            for rest in self.store.rglob("*.partial"):  # of a write that was killed
                with writing(self.store):
                    rest.unlink()
            return True
        with writing(self.store):
            for file in self.chunks.glob("*"):
                file.unlink()
            shutil.rmtree(self.fresh, ignore_errors=True)
        made = whole()
        with writing(self.store):
            create(self.fresh, made)
            put(self.job, json.dumps(record, indent=1, sort_keys=True))
            self.fresh.replace(self.store)
        return False

    def _check_same(self, record: dict[str, Any]) -> None:
        if not self.job.exists():
            raise OtherJobError(
                f"{self.store} exists already and was not made by a job (there is no {self.job}); "
                "give the job another store"
            )
        had = words_of(self.job, "give the job another store, or remove this one to start anew")
        before, now = _flat(had), _flat(record)
        odd = [key for key in sorted(before | now) if before.get(key) != now.get(key)]
        if odd:
            told = "; ".join(
                f"{k}: {_shown(before, k)} then, {_shown(now, k)} now" for k in odd[:5]
            )
            more = f"; and {len(odd) - 5} more" if len(odd) > 5 else ""
            raise OtherJobError(
                f"{self.store} was made by another job: {told}{more}. Give this job another "
                "store, or remove that one to start anew"
            )


def _shown(flat: dict[str, Any], key: str) -> str:
    return repr(flat[key]) if key in flat else "not given"


def _flat(words: Any, prefix: str = "") -> dict[str, Any]:
    """Nested tables as one, by dotted names; what is left out and what is nothing are one."""
    if not isinstance(words, dict):
        return {} if words is None else {prefix: words}
    found: dict[str, Any] = {}
    for key, value in words.items():
        found |= _flat(value, f"{prefix}.{key}" if prefix else str(key))
    return found


def record_of(job: Job, folder: Path) -> dict[str, Any]:
    """All that the bytes of the results follow from: the job, its files and the version."""
    try:
        ours = version("migproj")
    except PackageNotFoundError:
        ours = "unknown"
    files = {name: _state(path) for name, path in files_of(job, folder).items()}
    said = job.model_dump(mode="json", exclude={"store"})
    return said | {"files": files, "migproj": ours}


def _state(path: Path) -> dict[str, Any]:
    """Size and time of the last change of a file, or of all in a folder."""
    every = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    stats = [file.stat() for file in every]
    last = max((stat.st_mtime for stat in stats), default=0.0)
    changed = datetime.datetime.fromtimestamp(last, datetime.UTC).isoformat()
    return {"bytes": sum(stat.st_size for stat in stats), "changed": changed}


def template(plan: Plan, sample: xr.Dataset, known: Mapping[str, xr.DataArray]) -> xr.Dataset:
    """All labels of a run, and its variables without values, by the results of a few countries.

    Coordinates of text over the countries or draws are those of the inputs (`known`).
    """
    import dask.array

    made: dict[Hashable, Any] = {}
    for name, cells in sample.variables.items():
        if name in plan.labels:
            made[name] = (name, plan.labels[str(name)])
        elif _by_chunks(plan, sample, name):
            shape = [
                plan.labels[str(dim)].size if dim in plan.labels else size
                for dim, size in cells.sizes.items()
            ]
            chunks = [
                plan.sizes.get(str(dim), size) for dim, size in zip(cells.dims, shape, strict=True)
            ]
            empty = dask.array.zeros(shape, chunks=chunks, dtype=cells.dtype)
            made[name] = (cells.dims, empty, cells.attrs)
        elif not any(dim in plan.labels for dim in cells.dims):
            made[name] = cells
        elif name in known and known[str(name)].dims == cells.dims:
            made[name] = known[str(name)].variable
    whole = xr.Dataset(made, attrs=sample.attrs)
    # Text of one length has no specification in Zarr 3.
    text = {name: v.astype(object) for name, v in whole.variables.items() if v.dtype.kind == "U"}
    whole = whole.assign_coords(text)
    return whole.set_coords([name for name in sample.coords if name in made])


def _by_chunks(plan: Plan, result: xr.Dataset, name: Hashable) -> bool:
    """Whether a variable is written by chunks: the data, and numbers that go with the labels."""
    if name in result.data_vars:
        return True
    cells = result.variables[name]
    chunked = any(dim in plan.labels for dim in cells.dims)
    return chunked and name not in plan.labels and cells.dtype.kind in "fiub"


def create(folder: Path, whole: xr.Dataset) -> None:
    """A Zarr store with the coordinates of a template and no values yet."""
    encoding = {
        name: {
            "fill_value": np.nan if array.dtype.kind == "f" else 0,
            "chunks": tuple(sizes[0] for sizes in array.chunks),
        }
        for name, array in whole.variables.items()
        if array.chunks
    }
    whole.to_zarr(
        folder, mode="w", compute=False, consolidated=False, zarr_format=3, encoding=encoding
    )


def write(plan: Plan, chunk: Chunk, result: xr.Dataset) -> None:
    """Put the results of a chunk where they belong, and wait until the disk has them.

    The chunks of the arrays are those of the job, so no two tasks write to the same file. What
    lacks the countries or the draws comes with the first of them.
    """
    import zarr

    with writing(plan.store):
        group = zarr.open_group(plan.store, mode="r+", use_consolidated=False)
        for name, cells in result.variables.items():
            of_first = [cut.start for dim, cut in chunk.ranges.items() if dim not in cells.dims]
            if any(of_first) or not _by_chunks(plan, result, name):
                continue
            cuts = [chunk.ranges.get(str(dim), slice(0, n)) for dim, n in cells.sizes.items()]
            array: Any = group[str(name)]
            array[tuple(cuts)] = cells.values
            sizes = [plan.sizes.get(str(dim), n) for dim, n in cells.sizes.items()]
            at = tuple(cut.start // size for cut, size in zip(cuts, sizes, strict=True))
            _wait_for(plan.store / str(name) / array.metadata.encode_chunk_key(at))


def _wait_for(file: Path) -> None:
    """Until the disk has a file; a chunk of nothing but the fill value has none."""
    try:
        number = os.open(file, os.O_RDWR)  # Windows waits for no file that is open to be read
    except FileNotFoundError:
        return
    try:
        os.fsync(number)
    finally:
        os.close(number)
