"""Chunks of a run on the workers of dask.distributed."""

from __future__ import annotations

import concurrent.futures
import contextlib
import itertools
import logging
import signal
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from migproj.batch.errors import WorkersLostError
from migproj.batch.inputs import Chunk, Plan

__all__ = ["shared"]

#: Seconds to wait for a scheduler, and for its first worker.
_WAIT: Final = 30
#: Chunks handed out for each thread of the workers, so that none waits for the next.
_AHEAD: Final = 2


def shared(
    work: Callable[[Plan, Chunk], tuple[list[str], float]],
    plan: Plan,
    todo: Sequence[Chunk],
    workers: int | None,
    scheduler: str | None,
) -> Iterator[tuple[Chunk, list[str], float]]:
    """Each chunk with what its work has returned, as they are finished."""
    import distributed

    free: Any = distributed  # from types
    with _client(workers, scheduler) as client:
        waiting = iter(todo)
        running = free.as_completed(loop=client.loop)
        chunks: dict[str, Chunk] = {}

        def hand_out(count: int) -> None:
            for chunk in itertools.islice(waiting, count):
                future = client.submit(work, plan, chunk, pure=False)
                chunks[future.key] = chunk
                running.add(future)

        hand_out(_AHEAD * sum(client.nthreads().values()))
        for future in running:
            chunk = chunks.pop(future.key)
            try:
                messages, seconds = future.result()
            except free.KilledWorker as error:
                raise WorkersLostError(
                    f"workers died of the chunk {chunk.says(plan)}; if they had too little memory "
                    "for it, make the job's chunks smaller (in a new store)"
                ) from error
            except concurrent.futures.CancelledError as error:
                raise WorkersLostError(
                    "the scheduler is gone; run the same command again with one that is there"
                ) from error
            yield chunk, messages, seconds
            hand_out(1)


@contextlib.contextmanager
def _client(workers: int | None, scheduler: str | None) -> Iterator[Any]:
    import distributed

    free: Any = distributed  # from types
    with contextlib.ExitStack() as stack:
        where: Any = scheduler
        if workers is not None:
            with _deaf():
                cluster = free.LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    dashboard_address=None,
                    silence_logs=logging.CRITICAL,
                )
            where = stack.enter_context(cluster)
        try:
            client = stack.enter_context(free.Client(where, timeout=_WAIT, set_as_default=False))
            client.wait_for_workers(1, timeout=_WAIT)
        except (OSError, TimeoutError, ValueError) as error:
            raise WorkersLostError(
                f"no workers at {scheduler or 'this machine'} within {_WAIT} seconds: {error}"
            ) from error
        yield client


@contextlib.contextmanager
def _deaf() -> Iterator[None]:
    """Processes started within do not hear Ctrl-C: this one ends them."""
    if not hasattr(signal, "pthread_sigmask"):  # not there on Windows
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # to begin with: it would open all ears when it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
