"""A job from its first unfinished chunk to its last."""

from __future__ import annotations

import contextlib
import threading
import time
import warnings
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
import xarray as xr

from migproj.batch.errors import BatchError
from migproj.batch.report import Reporter, warned
from migproj.errors import DataQualityWarning

if TYPE_CHECKING:
    from migproj.batch.inputs import Chunk, Plan

__all__ = ["Finished", "run_job"]

#: One chunk at a time in a process: its memory is bounded by one, and what Python keeps of
#: warnings is shared by all threads.
_one = threading.Lock()


@dataclass(frozen=True)
class Finished:
    """A finished run.

    Attributes
    ----------
    store : Path
        The Zarr store, for ``xr.open_zarr(store, consolidated=False)``.
    chunks, before : int
        How many chunks it has, and how many of them had been done by earlier runs.
    warnings : DataFrame
        ``country``, ``variable`` (``n_*``), ``count`` and ``meaning`` of suspicious cells, as
        in ``warnings.csv`` beside the store.
    """

    store: Path
    chunks: int
    before: int
    warnings: pd.DataFrame


def run_job(
    file: Path,
    workers: int | None,
    scheduler: str | None,
    log: Path | None,
    stop: threading.Event | None = None,
) -> Finished:
    """Run a job file; what is finished is not done again."""
    try:
        from migproj.batch.inputs import make_plan
        from migproj.batch.job import read_job
        from migproj.batch.lock import locked
        from migproj.batch.store import Beside, put, record_of, writing
    except ModuleNotFoundError as error:
        raise _lacking(error) from error
    job = read_job(file)
    plan = make_plan(job, file.resolve().parent)
    beside = Beside(plan.store)
    beside.make()
    report = Reporter(beside.log if log is None else log, required=log is not None)
    with locked(beside, report.say):
        again = beside.begin(record_of(job, plan.folder), lambda: _template(plan, report))
        chunks = plan.chunks()
        done = beside.done() if again else set()
        todo = [chunk for chunk in chunks if chunk.key not in done]
        before = len(chunks) - len(todo)
        went = f", {before} of them done before" if before else ""
        report.say(f"{file}: {job.task}, {len(chunks)} chunks to {plan.store}{went}")
        count = before
        try:
            with (
                report.bar(len(chunks), before),
                contextlib.closing(_run(plan, todo, workers, scheduler)) as finished,
            ):
                for chunk, messages, seconds in finished:
                    beside.finish(chunk, messages)
                    count += 1
                    text = f"{chunk.says(plan)} ({seconds:.1f} s)"
                    report.chunk(count, len(chunks), text, messages)
                    if stop is not None and stop.is_set() and count < len(chunks):
                        raise KeyboardInterrupt
        except BaseException as error:
            report.say(f"stopped after {count} of {len(chunks)} chunks")
            report.note(str(error) or type(error).__name__)
            raise
        table, texts = warned(plan.store), beside.messages(chunks)
        with writing(plan.store):
            put(beside.warnings, table.to_csv(index=False))
            put(beside.texts, "".join(f"{c.says(plan)}: {text}\n" for c, text in texts))
        _summary(report, table)
        told = f"warnings in {beside.warnings} and {beside.texts.name}"
        told = told if texts or len(table) else "no warnings"
        report.say(f"finished; {told}")
    return Finished(plan.store, len(chunks), before, table)


def _lacking(error: ModuleNotFoundError) -> BatchError:
    return BatchError(f"batch runs need {error.name}: pip install 'migproj[batch]'")


def _summary(report: Reporter, table: pd.DataFrame) -> None:
    for name, rows in table.groupby("variable"):
        most = rows.nlargest(3, "count")
        places = f" in {len(rows)} countries, most" if len(rows) > 1 else ""
        told = ", ".join(
            f"{c or 'all'} ({n})" for c, n in zip(most["country"], most["count"], strict=True)
        )
        report.say(f"{name}: {rows['count'].sum()}{places} in {told}")


def _template(plan: Plan, report: Reporter) -> xr.Dataset:
    """What will be stored, by the results of one draw of a few countries."""
    from migproj.batch.inputs import opened, part
    from migproj.batch.store import template
    from migproj.batch.tasks import estimate

    with opened(plan.job, plan.folder) as inputs, warnings.catch_warnings():
        warnings.simplefilter("ignore", DataQualityWarning)
        sample = estimate(plan.job, part(plan, plan.sample(), inputs))
        known = {
            str(name): coord.load()
            for array in inputs.values()
            for name, coord in array.coords.items()
        }
    whole = template(plan, sample, known)
    left = [name for name in sample.coords if name not in whole.coords]
    if left:
        report.say(f"left out the coordinates {left}: text by country or draw of the results alone")
    return whole


def run_chunk(plan: Plan, chunk: Chunk) -> tuple[list[str], float]:
    """Do a chunk and store it; returns what was warned of, and how long it took."""
    began = time.perf_counter()
    with _one:
        caught = _do(plan, chunk)
    messages = [str(w.message) for w in caught if issubclass(w.category, DataQualityWarning)]
    for other in caught:
        if not issubclass(other.category, DataQualityWarning):
            warnings.warn_explicit(other.message, other.category, other.filename, other.lineno)
    return messages, time.perf_counter() - began


def _do(plan: Plan, chunk: Chunk) -> list[warnings.WarningMessage]:
    from migproj.batch.inputs import opened, part
    from migproj.batch.store import write
    from migproj.batch.tasks import estimate

    with opened(plan.job, plan.folder) as lazy:
        inputs = part(plan, chunk, lazy)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", DataQualityWarning)
        result = estimate(plan.job, inputs)
    write(plan, chunk, result)
    return caught


def _run(
    plan: Plan, todo: Sequence[Chunk], workers: int | None, scheduler: str | None
) -> Generator[tuple[Chunk, list[str], float]]:
    """The chunks as they are finished, here or by workers."""
    if workers is None and scheduler is None:
        for chunk in todo:
            yield chunk, *run_chunk(plan, chunk)
        return
    from migproj.batch.workers import shared

    yield from shared(run_chunk, plan, todo, workers, scheduler)
