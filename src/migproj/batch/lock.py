"""One run at a time on a store: a file that says which process holds it."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from migproj.batch.errors import BatchError, StoreInUseError
from migproj.batch.store import Beside, put, words_of, writing

__all__ = ["locked"]

#: Seconds by which two readings of when a process began may differ.
_BEGAN: Final = 1.0


@contextlib.contextmanager
def locked(beside: Beside, say: Callable[[str], None]) -> Iterator[None]:
    """Hold the store; a lock whose process on this machine is gone is taken over."""
    own = _own()
    with writing(beside.store), _alone(beside.folder / "lock.guard"):
        held = _read(beside.lock)
        if held is not None:
            _check_gone(beside, held)
            say(f"took over the lock of process {held['pid']}, which is gone")
        put(beside.lock, json.dumps(own))
    try:
        yield
    finally:
        with contextlib.suppress(OSError, BatchError):
            if _read(beside.lock) == own:
                beside.lock.unlink()


def _own() -> dict[str, Any]:
    import psutil

    began = psutil.Process().create_time()
    since = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    return {"pid": os.getpid(), "host": socket.gethostname(), "began": began, "since": since}


def _read(lock: Path) -> dict[str, Any] | None:
    mend = "if no run writes to the store remove it"
    try:
        held = words_of(lock, mend)
    except FileNotFoundError:
        return None
    if not isinstance(held, dict) or not {"pid", "host", "began", "since"} <= held.keys():
        raise BatchError(f"{lock}: does not say which process has it; {mend}")
    return held


def _check_gone(beside: Beside, held: dict[str, Any]) -> None:
    import psutil

    holder = f"process {held['pid']} on {held['host']}, since {held['since']}"
    if held["host"] != socket.gethostname():
        raise StoreInUseError(
            f"{beside.store}: in use by {holder}; wait for it, or if it is gone remove "
            f"{beside.lock}"
        )
    try:
        began = psutil.Process(held["pid"]).create_time()
    except psutil.NoSuchProcess:
        return
    if abs(began - held["began"]) <= _BEGAN:  # else the number has gone to another process
        raise StoreInUseError(f"{beside.store}: in use by {holder}; wait for it, or stop it")


@contextlib.contextmanager
def _alone(guard: Path) -> Iterator[None]:
    """Keep two processes from taking over the same lock; it ends with the process."""
    try:
        import fcntl
    except ImportError:  # not there on Windows
        yield
        return
    with guard.open("w") as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
