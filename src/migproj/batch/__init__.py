"""Large jobs from a file: chunk by chunk over countries and draws to Zarr, resumable."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

from migproj.batch.errors import (
    BatchError,
    OtherJobError,
    StoreFullError,
    StoreInUseError,
    StoreNotWritableError,
    WorkersLostError,
)
from migproj.batch.runner import Finished, run_job
from migproj.errors import SchemaError

__all__ = [
    "BatchError",
    "Finished",
    "OtherJobError",
    "StoreFullError",
    "StoreInUseError",
    "StoreNotWritableError",
    "WorkersLostError",
    "run",
    "schema",
]


def run(
    job: str | os.PathLike[str],
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    log: str | os.PathLike[str] | None = None,
    stop: threading.Event | None = None,
) -> Finished:
    """Run a job file, or go on with it where an earlier run has stopped.

    Parameters
    ----------
    job : path
        A TOML file; :func:`schema` says what is in it.
    workers : int, optional
        Processes on this machine (dask.distributed) to share the chunks. Default: this one
        alone, on all its threads. A script that asks for workers needs
        ``if __name__ == "__main__":``.
    scheduler : str, optional
        Address of a dask scheduler whose workers share the chunks; all see the same files
        under the same names.
    log : path, optional
        File to add log lines to. Default: ``log.txt`` in the folder ``<store>.job``.
    stop : threading.Event, optional
        Looked at after each chunk: when it is set, the run stops in good order.

    Returns
    -------
    Finished
        The store, how many chunks it has, and suspicious cells by country.

    Raises
    ------
    SchemaError, AlignmentError, IntervalError
        If the job or its inputs are not what they should be.
    BatchError
        If the run cannot start or go on: StoreInUseError, OtherJobError, StoreFullError,
        StoreNotWritableError or WorkersLostError. Finished chunks stay finished.
    KeyboardInterrupt
        If it is interrupted, or `stop` is set before the last chunk; the same call goes on.

    Notes
    -----
    A chunk is marked as finished, atomically, after the disk has its values; a run that was
    killed does the others. Random numbers follow from seed, input and labels
    (:func:`migproj.ensemble.draws`), so that neither chunks nor workers nor restarts change
    them.

    Examples
    --------
    >>> import migproj as mp
    >>> finished = mp.batch.run("job.toml")  # doctest: +SKIP
    >>> finished.chunks, finished.before  # doctest: +SKIP
    (24, 0)
    """
    if workers is not None and scheduler is not None:
        raise SchemaError("expected workers or scheduler, got both: a scheduler has its workers")
    given: Any = workers
    if given is not None and (not isinstance(given, int) or isinstance(given, bool) or given < 1):
        raise SchemaError(f"workers: expected a whole number of 1 or more, got {workers!r}")
    if not isinstance(job, str | os.PathLike):
        raise SchemaError(f"job: expected the path of a job file, got {type(job).__name__}")
    return run_job(Path(job), workers, scheduler, None if log is None else Path(log), stop)


def schema() -> dict[str, Any]:
    """The JSON schema of a job file, as the command ``migproj schema`` prints it.

    Returns
    -------
    dict
        JSON schema (2020-12); ``task`` tells the kinds of job apart.

    Raises
    ------
    BatchError
        If pydantic is not installed.

    Examples
    --------
    >>> import migproj as mp
    >>> sorted(mp.batch.schema()["discriminator"]["mapping"])
    ['net_migration', 'project_population', 'project_stocks']
    """
    try:
        from migproj.batch import job
    except ModuleNotFoundError as error:
        raise BatchError(f"batch runs need {error.name}: pip install 'migproj[batch]'") from error
    return job.schema()
