"""The thread pool: as many threads as asked for, fork-safe, serial inside other threads."""

import os
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest
import xarray as xr

import migproj as mp
from migproj import _jit


def test_threads_asked_for(monkeypatch):
    monkeypatch.setenv("MIGPROJ_NUM_THREADS", "3")
    assert _jit.threads_available() == 3
    for odd in ("0", "-1", "two", ""):
        monkeypatch.setenv("MIGPROJ_NUM_THREADS", odd)
        assert _jit.threads_available() >= 1


def big(countries=300):
    return xr.DataArray(
        np.arange(float(countries * 4)).reshape(countries, 4) + 10,
        dims=("country", "age"),
        coords={"country": range(countries), **mp.age_coords([0, 5, 10, 15])},
    )


def test_another_thread_does_its_own_work(monkeypatch):
    """A dask worker or a user's own pool already spreads the work."""
    monkeypatch.setenv("MIGPROJ_NUM_THREADS", "2")
    monkeypatch.setattr(_jit, "_shared_pool", lambda: pytest.fail("used the pool"))
    results = []
    worker = threading.Thread(target=lambda: results.append(mp.regroup_ages(big(), [0, 10])))
    worker.start()
    worker.join()
    assert results[0].sum() == big().sum()


def test_a_fault_in_a_part_comes_after_the_parts_that_others_have_begun(monkeypatch):
    monkeypatch.setenv("MIGPROJ_NUM_THREADS", "3")
    monkeypatch.setattr(_jit, "_pool", None)  # one for three
    meet, first, ended = threading.Barrier(3), threading.Lock(), []

    def part(lo, hi):
        meet.wait(timeout=30)
        if threading.current_thread() is threading.main_thread():
            return
        if first.acquire(blocking=False):
            raise MemoryError("no room")
        time.sleep(0.2)
        ended.append(lo)

    with pytest.raises(MemoryError, match="no room"):
        _jit._spread(part, 3, 1, each=1)
    assert len(ended) == 1
    rows = np.zeros(1000, int)

    def count(lo, hi):
        rows[lo:hi] += 1

    _jit._spread(count, 1000, 1)  # threads are there for the next call
    assert (rows == 1).all()


def test_an_interrupt_is_not_lost_to_a_fault_in_another_thread(monkeypatch):
    monkeypatch.setenv("MIGPROJ_NUM_THREADS", "2")
    meet, begun = threading.Barrier(2), []

    def part(lo, hi):
        begun.append(lo)
        meet.wait(timeout=30)
        if threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt
        time.sleep(0.1)
        raise MemoryError

    with pytest.raises(KeyboardInterrupt):
        _jit._spread(part, 1000, 1)
    assert len(begun) == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_makes_its_own_threads():
    code = """
        import multiprocessing, numpy as np, xarray as xr
        import migproj as mp
        def work(_=None):
            people = xr.DataArray(np.ones((300, 4)), dims=("country", "age"),
                                  coords={"country": range(300), **mp.age_coords([0, 5, 10, 15])})
            return float(mp.regroup_ages(people, [0, 10]).sum())
        before = work()
        with multiprocessing.get_context("fork").Pool(2) as pool:
            print(before, *pool.map(work, [1, 2]))
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code)],
        env=os.environ | {"MIGPROJ_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["1200.0"] * 3


@pytest.mark.parametrize("n", [127, 128, 1001])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_every_row_is_gone_through_once(monkeypatch, threads, n):
    monkeypatch.setenv("MIGPROJ_NUM_THREADS", str(threads))
    parts = []
    _jit._spread(lambda lo, hi: parts.append((lo, hi)), n, None)
    assert [row for lo, hi in sorted(parts) for row in range(lo, hi)] == list(range(n))
