"""The only place with numba's flags, and the thread pool over the batch."""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import pickle
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, Final, TypeAlias, TypeVar

import numba
import numpy as np
import numpy.typing as npt

__all__ = [
    "FloatArray",
    "IntArray",
    "Kernel",
    "helper",
    "inline_helper",
    "kernel",
    "run",
    "run_cast",
    "strict_helper",
    "strict_kernel",
    "threads_available",
    "uintp",
]

FloatArray: TypeAlias = npt.NDArray[np.float64]
IntArray: TypeAlias = npt.NDArray[np.int64]

_Function = TypeVar("_Function", bound=Callable[..., Any])

# "nnan" and "ninf" stay off: they would let the compiler remove isnan.
_FLAGS: Final[dict[str, Any]] = {
    "nogil": True,
    "error_model": "numpy",
    "fastmath": {"contract", "reassoc", "nsz"},
}
#: Rows below which handing work to other threads costs more than it saves.
_ROWS_PER_THREAD: Final = 64
#: Parts a thread goes through one after another: who is slowed by other work does fewer of them.
_PIECES: Final = 4
#: Bytes a thread computes before it casts them: few calls, and memory that is used again.
_BUFFER: Final = 2**22

uintp: Any = numba.uintp
"""Unsigned offsets: signed ones compile to gathers in inner loops."""

helper: Callable[..., Any] = numba.njit(**_FLAGS)
"""Compile a function that kernels of the same file call. (Numba's cache watches that file only.)"""

# Nothing reordered and nothing fused: the bits follow from the text alone.
_STRICT: Final[dict[str, Any]] = _FLAGS | {"fastmath": False}


def _uncounted() -> dict[str, Any]:
    """The option to leave references uncounted, where numba has it (it is not a public one).

    Counts are kept in the arrays that all threads share, so threads wait for one another.
    """
    option: dict[str, Any] = {"_nrt": False}
    try:
        numba.njit(**option)(_uncounted)
    except KeyError:
        return {}
    return option


# A call of a function with ten arrays takes as long as going over a row of a hundred ages.
_INLINE: Final[dict[str, Any]] = {"forceinline": True} | _uncounted()


def inline_helper(function: _Function) -> _Function:
    """As `helper`, put where it is called, for what goes on all the time. It can make no arrays."""
    return numba.njit(**_INLINE, **_FLAGS)(function)  # type: ignore[no-any-return]


def strict_helper(function: _Function) -> _Function:
    """As `inline_helper`, for a `strict_kernel`."""
    return numba.njit(**_INLINE, **_STRICT)(function)  # type: ignore[no-any-return]


_warned = False
_packing_lock = threading.Lock()


@contextlib.contextmanager
def _packing() -> Iterator[None]:
    """Have neighbouring scalars packed into vectors while compiling: numba's own switch is global.

    What another thread compiles meanwhile may be packed too; only arithmetic that it lets the
    compiler reorder (`fastmath`) could then come out differently, and that by rounding.
    """
    config: Any = numba.config
    with _packing_lock:
        before = config.SLP_VECTORIZE
        config.SLP_VECTORIZE = True
        try:
            yield
        finally:
            config.SLP_VECTORIZE = before


class Kernel:
    """A compiled function over a range of the batch, cached on disk where that is possible."""

    def __init__(self, function: Callable[..., None], strict: bool = False) -> None:
        self.py_func = function
        self._flags = _STRICT if strict else _FLAGS
        self._compiling = _packing if strict else contextlib.nullcontext
        self.__doc__ = function.__doc__
        self.__name__ = function.__name__
        self.__module__ = function.__module__
        self._lock = threading.Lock()
        self._compiled: Any = None

    def __reduce__(self) -> str:
        # Pickled by name: worker processes load their own.
        return self.__name__

    def compile_for(self, args: tuple[Any, ...]) -> Callable[..., None]:
        """The compiled function, loaded or compiled by a call on an empty range."""
        if self._compiled is None:
            with self._lock, self._compiling():
                if self._compiled is None:
                    self._compiled = self._load(args)
        return self._compiled  # type: ignore[no-any-return]

    def _load(self, args: tuple[Any, ...]) -> Any:
        try:
            compiled = numba.njit(cache=True, **self._flags)(self.py_func)
            compiled(0, 0, *args)
        except (OSError, RuntimeError, EOFError, pickle.UnpicklingError) as fault:
            # No writable cache folder (RuntimeError at decoration), a full or read-only disk
            # (OSError on saving), a file cut short by one (the others): work without the cache.
            _warn_uncached(fault)
            compiled = numba.njit(**self._flags)(self.py_func)
            compiled(0, 0, *args)
        return compiled

    @property
    def from_cache(self) -> bool:
        """Whether the code was read from the cache, not compiled in this process."""
        return self._compiled is not None and sum(self._compiled.stats.cache_hits.values()) > 0

    @property
    def signatures(self) -> list[Any]:
        """The signatures compiled so far; never more than one."""
        return list(getattr(self._compiled, "signatures", []))


def kernel(function: Callable[..., None]) -> Kernel:
    """Make a kernel of ``function(lo, hi, array, row, ..., out, row, ..., *parameters)``."""
    return Kernel(function)


def strict_kernel(function: Callable[..., None]) -> Kernel:
    """Make a kernel that does its arithmetic as written, on scalars side by side as vectors.

    Statements that do the same to neighbours in memory become one on a vector register; loops
    over ages stay as they are, for sums are not reordered.
    """
    return Kernel(function, strict=True)


def _warn_uncached(fault: Exception) -> None:
    global _warned  # noqa: PLW0603
    if not _warned:
        _warned = True
        warnings.warn(
            "migproj compiles its kernels anew in every process because numba's cache cannot be "
            f"written or read ({fault}). Point NUMBA_CACHE_DIR to a writable folder with space.",
            RuntimeWarning,
            stacklevel=2,
        )


def threads_available() -> int:
    """Threads a batch is spread over: MIGPROJ_NUM_THREADS, else the processors allowed."""
    wanted = os.environ.get("MIGPROJ_NUM_THREADS", "")
    if wanted.isdigit() and int(wanted) > 0:
        return int(wanted)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


_pool: ThreadPoolExecutor | None = None
_pool_lock = threading.Lock()


def _forget_pool() -> None:
    # A forked child has none of its parent's threads.
    global _pool, _pool_lock
    _pool, _pool_lock = None, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)


def _shared_pool() -> ThreadPoolExecutor:
    global _pool  # noqa: PLW0603
    with _pool_lock:
        if _pool is None:
            _pool = ThreadPoolExecutor(threads_available(), thread_name_prefix="migproj")
        return _pool


def run(function: Kernel, n: int, *args: Any, least: int | None = None) -> None:
    """Run a kernel over the rows 0:n, split over the threads (`least` rows or more on each).

    Called outside the main thread (a dask worker, a user's own pool) it runs there, in one go:
    whoever started that thread already spreads the work.
    """
    if n == 0:
        return
    compiled = function.compile_for(args)
    _spread(lambda lo, hi: compiled(lo, hi, *args), n, least)


def run_cast(
    function: Kernel,
    n: int,
    inputs: Sequence[npt.NDArray[Any]],
    outs: Sequence[npt.NDArray[Any]],
    out_row: IntArray,
    *parameters: Any,
    least: int | None = None,
) -> None:
    """Run a kernel that computes in float64 over the rows 0:n, into outputs of any float type.

    Each thread has the kernel write a few rows at a time into memory of its own, and casts them
    from there: float64 exists of those rows alone.
    """
    sizes = sum(8 * math.prod(out.shape[1:]) for out in outs)

    def part(lo: int, hi: int) -> None:
        rows = min(max(_BUFFER // max(sizes, 1), 1), hi - lo)
        buffers = [
            np.empty((rows, *out.shape[1:]), np.float64 if out.dtype.kind == "f" else out.dtype)
            for out in outs
        ]
        args = (*inputs, *buffers, np.arange(-lo, n - lo) % rows, *parameters)
        compiled = function.compile_for(args)
        for first in range(lo, hi, rows):
            last = min(first + rows, hi)
            compiled(first, last, *args)
            for out, buffer in zip(outs, buffers, strict=True):
                out[out_row[first:last]] = buffer[: last - first]

    if n:
        _spread(part, n, least, each=1)


def _spread(
    part: Callable[[int, int], None], n: int, least: int | None, each: int = _PIECES
) -> None:
    """Do ``part(lo, hi)`` for the rows 0:n, on as many threads as that is worth."""
    threads = min(threads_available(), max(n // (least or _ROWS_PER_THREAD), 1))
    if threads == 1 or threading.current_thread() is not threading.main_thread():
        part(0, n)
        return
    pieces = min(threads * each, n // (least or _ROWS_PER_THREAD))
    bounds = [n * k // pieces for k in range(pieces + 1)]
    todo = deque(itertools.pairwise(bounds))

    def work() -> None:
        while todo:
            try:
                lo, hi = todo.popleft()
            except IndexError:  # another thread took it
                return
            part(lo, hi)

    pool = _shared_pool()
    jobs: list[Future[None]] = []
    try:
        jobs.extend(pool.submit(work) for _ in range(threads - 1))
        work()  # a thread that has just prepared the input has it in its cache
    finally:
        todo.clear()  # an interrupt waits for no more than what has begun
        wait(jobs)  # all, whichever fails: they write to the caller's memory
    for job in jobs:
        job.result()
