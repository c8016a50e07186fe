"""Clocks, loops that only move memory, and the table of ratios."""

from __future__ import annotations

import contextlib
import os
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numba as nb
import numpy as np

from migproj import _jit

_FLAGS = {"nogil": True, "error_model": "numpy", "fastmath": {"contract", "reassoc", "nsz"}}
_BLOCK = 512  # cells; a block of the source stays in the nearest cache while it is used


@nb.njit(**_FLAGS)
def _triad(lo, hi, out, a, b):
    # Unsigned offsets: signed ones compile to gathers, at a quarter of the speed.
    for i in range(nb.uintp(lo), nb.uintp(hi)):
        out[i] = a[i] + 3.0 * b[i]


@nb.njit(**_FLAGS)
def _move(lo, hi, out, source):
    """Write the blocks lo:hi of out, reading every block of source once from memory."""
    size, one = nb.uintp(_BLOCK), nb.uintp(1)
    written, read = nb.uintp(out.size) // size, nb.uintp(source.size) // size
    for j in range(nb.uintp(lo), nb.uintp(hi)):
        first = j * read // written
        last = max((j + one) * read // written, first + one)
        o = j * size
        for i in range(size):
            out[o + i] = source[first * size + i]
        for k in range(first + one, last):
            for i in range(size):
                out[o + i] += source[k * size + i]


class Memory:
    """The machine's bandwidth, and loops that move as many bytes as a case does."""

    def __init__(self, cells: int, rounds: int) -> None:
        self.threads = _jit.threads_available()
        self._pool = ThreadPoolExecutor(self.threads)
        a, b, out = np.ones(cells), np.ones(cells), np.empty(cells)
        loops: dict[str, tuple[int, Callable[[], None]]] = {
            "triad": (3, lambda: self._split(_triad, cells, out, a, b)),
            "loop": (2, lambda: self.move(out, a)),
            "copyto": (2, lambda: self._split(_copyto, cells, out, a)),
        }
        clocks = {name: Clock() for name in loops}
        for _ in range(rounds + 1):
            for name, (_arrays, loop) in loops.items():
                with clocks[name]:
                    loop()
        speed = {
            name: arrays * out.nbytes / statistics.median(clocks[name].seconds[1:])
            for name, (arrays, _loop) in loops.items()
        }
        self.triad = speed["triad"]
        """Bytes a second of out = a + 3 b, on the threads the library uses."""
        self.loop_to_copyto = speed["loop"] / speed["copyto"]
        """Speed of the copying loop to that of np.copyto on as many threads."""

    def move(self, out: np.ndarray, source: np.ndarray) -> None:
        """Read all of source and write all of out, on the threads the library uses."""
        self._split(_move, out.size // _BLOCK, out, source)

    def _split(self, loop: Callable[..., None], n: int, *args: np.ndarray) -> None:
        bounds = [n * k // self.threads for k in range(self.threads + 1)]
        jobs = [self._pool.submit(loop, lo, hi, *args) for lo, hi in pairwise(bounds)]
        for job in jobs:
            job.result()


def _copyto(lo: int, hi: int, out: np.ndarray, source: np.ndarray) -> None:
    np.copyto(out[lo:hi], source[lo:hi])


def cells(nbytes: int) -> np.ndarray:
    """An array of about so many bytes, its pages not yet touched."""
    return np.empty(max(nbytes // 8 // _BLOCK, 1) * _BLOCK)


class Others:
    """How many processors other work kept busy since this was made, where Linux tells."""

    def __init__(self) -> None:
        self._began = self._now()

    @staticmethod
    def _now() -> tuple[float, float] | None:
        try:
            with open("/proc/stat") as file:
                user, nice, system, _idle, _wait, irq, soft, *more = map(
                    int, file.readline().split()[1:]
                )
        except (OSError, ValueError):
            return None
        # Steal (the next one) is time another machine on the same host took.
        ticks = user + nice + system + irq + soft + sum(more[:1])
        return ticks / os.sysconf("SC_CLK_TCK") - time.process_time(), time.perf_counter()

    @property
    def processors(self) -> float | None:
        now = self._now()
        if self._began is None or now is None:
            return None
        return max((now[0] - self._began[0]) / (now[1] - self._began[1]), 0.0)


@dataclass
class Clock:
    """Seconds of each round of a contender."""

    seconds: list[float] = field(default_factory=list)

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self.seconds.append(time.perf_counter() - self._began)


@contextlib.contextmanager
def kernel_clock() -> Iterator[list[float]]:
    """Seconds within kernels, of each call of the library's bridge while this is open."""
    spent: list[float] = []
    run = _jit.run

    def timed(*args: Any, **options: Any) -> None:
        began = time.perf_counter()
        run(*args, **options)
        spent.append(time.perf_counter() - began)

    # The bridge takes it from there at each call.
    _jit.run = timed
    try:
        yield spent
    finally:
        _jit.run = run


@contextlib.contextmanager
def kernel_calls() -> Iterator[list[Callable[[], None]]]:
    """The calls of kernels while this is open, to be made again into the same outputs."""
    calls: list[Callable[[], None]] = []
    run = _jit.run

    def kept(*args: Any, **options: Any) -> None:
        calls.append(lambda: run(*args, **options))
        run(*args, **options)

    _jit.run = kept
    try:
        yield calls
    finally:
        _jit.run = run


@contextlib.contextmanager
def threads(count: int) -> Iterator[None]:
    """The library on so many threads."""
    before = os.environ.get("MIGPROJ_NUM_THREADS")
    os.environ["MIGPROJ_NUM_THREADS"] = str(count)
    try:
        yield
    finally:
        if before is None:
            del os.environ["MIGPROJ_NUM_THREADS"]
        else:
            os.environ["MIGPROJ_NUM_THREADS"] = before


@dataclass
class Row:
    """The medians of one case, in seconds."""

    case: str
    nbytes: int
    ours: float
    kernel: float
    peer: float
    bound: float | None = None  # bytes / triad bandwidth
    reused: float | None = None  # a loop that moves as many bytes, into memory used before
    fresh: float | None = None  # the same, into new memory, as the library returns it
    others: float | None = None  # processors that other work kept busy meanwhile


@dataclass
class Check:
    """A ratio (or a size) beside the limit that it should keep."""

    case: str
    change: str
    measured: float
    limit: float
    least: bool = False  # the limit is the least that it should be, not the most

    @property
    def holds(self) -> bool:
        return self.measured >= self.limit if self.least else self.measured <= self.limit


CHECK_HEADER = f"{'growth':42}{'of':34}{'measured':>9}  {'limit':>13}  holds"


def check_line(check: Check) -> str:
    """One row of the table's second part."""
    limit = f"at {'least' if check.least else 'most'} {check.limit:g}"
    return (
        f"{check.case:42}{check.change:34}{check.measured:9.2f}  {limit:>13}  "
        f"{'yes' if check.holds else 'NO'}"
    )


HEADER = (
    f"{'':38}{'bytes':>8}{'ours':>9}{'kernel':>9}{'peer':>9} |"
    f"{'ours/':>7}{'ours/':>7}{'ours/':>7}{'ours/':>7}{'kernel/':>9}{'other':>7}\n"
    f"{'case':38}{'MB':>8}{'ms':>9}{'ms':>9}{'ms':>9} |"
    f"{'peer':>7}{'bound':>7}{'loop':>7}{'new':>7}{'new':>9}{'work':>7}"
)
LEGEND = """\
Ratios of time: below 1 is faster than what it is measured against.
bytes   what must be read and written, each shared input once
ours    the whole call, checks and labels included;  kernel: the compiled part of it
peer    the same formula in plain NumPy, on one thread
bound   bytes / triad bandwidth, which is measured once, at the start
loop    moving as many bytes, in turn with ours, into memory used before
new     the same into new memory, which results are
other   processors that other work kept busy meanwhile: with more than 0.1 or so, run again"""


def line(row: Row) -> str:
    """One row of the table."""

    def ratio(over: float, under: float | None, width: int = 7) -> str:
        if not under:
            return f"{'-':>{width}}"
        value = over / under
        return f"{value:{width}.2f}" if value < 100 else f"{value:{width}.0f}"

    others = f"{'-':>7}" if row.others is None else f"{row.others:7.1f}"
    return (
        f"{row.case:38}{row.nbytes / 1e6:8.2f}{row.ours * 1e3:9.3f}{row.kernel * 1e3:9.3f}"
        f"{row.peer * 1e3:9.3f} |{ratio(row.ours, row.peer)}{ratio(row.ours, row.bound)}"
        f"{ratio(row.ours, row.reused)}{ratio(row.ours, row.fresh)}"
        f"{ratio(row.kernel, row.fresh, 9)}{others}"
    )
