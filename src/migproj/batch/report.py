"""What a run says: a bar on a terminal, else plain lines, and all of it in a log file."""

from __future__ import annotations

import contextlib
import datetime
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, TextIO

import pandas as pd
import xarray as xr

from migproj.batch.errors import BatchError
from migproj.conventions import VARIABLES

__all__ = ["Reporter", "warned"]

#: Chunks told of where each would be a line: one in so many of all.
_LINES: Final = 100


class Reporter:
    """Tells of a run's progress."""

    def __init__(self, log: Path, *, required: bool) -> None:
        self._log = log
        self._stream: TextIO = sys.stderr
        if required:
            try:
                log.open("a").close()
            except OSError as error:
                raise BatchError(
                    f"{log}: the log cannot be written: {error.strerror or error}"
                ) from error
        self._bar: Any = None
        self._task: Any = None
        self._told = -1

    @contextlib.contextmanager
    def bar(self, total: int, done: int) -> Iterator[None]:
        """A progress bar, where there is a terminal to draw it on."""
        if not self._stream.isatty():
            yield
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

        columns = (BarColumn(), MofNCompleteColumn(), "chunks", TimeRemainingColumn())
        with Progress(*columns, console=Console(file=self._stream)) as bar:
            self._bar, self._task = bar, bar.add_task("run", total=total, completed=done)
            try:
                yield
            finally:
                bar.refresh()
                self._bar = None

    def say(self, text: str) -> None:
        """A line in the log and for the reader."""
        self.note(text)
        if self._bar is not None:
            self._bar.console.print(text, highlight=False, markup=False, soft_wrap=True)
        else:
            self._stream.write(f"{text}\n")
            self._stream.flush()

    def chunk(self, done: int, total: int, text: str, messages: list[str]) -> None:
        """One more chunk is finished."""
        self.note(f"{done} of {total} chunks: {text}")
        for message in messages:
            self.note(f"warning: {message}")
        if self._bar is not None:
            self._bar.update(self._task, completed=done)
        elif done * _LINES // total != self._told or done == total:
            self._told = done * _LINES // total
            self._stream.write(f"{done} of {total} chunks: {text}\n")
            self._stream.flush()

    def note(self, text: str) -> None:
        """A line in the log alone."""
        now = datetime.datetime.now().astimezone().isoformat(timespec="seconds")
        with contextlib.suppress(OSError), self._log.open("a", encoding="utf-8") as opened:
            opened.write(f"{now} {text}\n")  # a full disk is told of by what fills it


def warned(store: Path) -> pd.DataFrame:
    """Suspicious cells by country and variable (``n_*``), those that there are."""
    rows = []
    with xr.open_zarr(store, consolidated=False, chunks=None, decode_timedelta=False) as data:
        for name in sorted(str(name) for name in data.data_vars if str(name).startswith("n_")):
            array = data[name]
            total = array.sum([dim for dim in array.dims if dim != "country"])
            labels = total["country"].values if "country" in total.dims else [""]
            meaning = VARIABLES[name].meaning if name in VARIABLES else ""
            rows += [
                (str(label), name, int(count), meaning)
                for label, count in zip(labels, total.values.ravel(), strict=True)
                if count
            ]
    return pd.DataFrame(rows, columns=["country", "variable", "count", "meaning"])
