"""Batch runs that are killed, interrupted, run twice, or find no room on the disk."""

import contextlib
import errno
import json
import os
import pty
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import xarray as xr
import zarr

import migproj as mp
from jobs import contents, write_job
from migproj.batch import runner, tasks, workers
from migproj.batch.inputs import make_plan
from migproj.batch.job import read_job

# So many chunks that a run is not over before it is told to stop.
SIZES = {"countries": 12, "periods": 4, "draws": 10, "country": 1, "draw": 2}
CHUNKS = 60


def start(job, *words, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "migproj", "run", job.name, *words],
        cwd=job.parent,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, **options},
    )


def done(job):
    return len(list((job.parent / "world.zarr.job/chunks").glob("*.json")))


def wait_for_chunks(job, process, count):
    until = time.monotonic() + 120
    while done(job) < count and process.poll() is None and time.monotonic() < until:
        time.sleep(0.002)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The bytes of the store of an uninterrupted run."""
    return contents(mp.batch.run(write_job(tmp_path_factory.mktemp("whole"), **SIZES)).store)


def test_killed_three_times_it_ends_with_the_same_bytes(tmp_path, whole):
    job = write_job(tmp_path, **SIZES)
    rng = random.Random(4)
    for _ in range(3):
        before = done(job)
        process = start(job)
        wait_for_chunks(job, process, before + rng.randint(1, 6))
        time.sleep(rng.uniform(0.0, 0.1))  # somewhere within a chunk
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        assert before < done(job) < CHUNKS
    last = mp.batch.run(job)
    assert 3 <= last.before < CHUNKS
    assert contents(last.store) == whole
    log = (tmp_path / "world.zarr.job/log.txt").read_text()
    assert log.count("took over the lock of process") == 3


def test_one_run_at_a_time_and_ctrl_c(tmp_path, whole):
    job = write_job(tmp_path, **SIZES)
    first = start(job)
    wait_for_chunks(job, first, 1)
    with pytest.raises(mp.batch.StoreInUseError, match=rf"in use by process {first.pid} on "):
        mp.batch.run(job)
    first.send_signal(signal.SIGINT)
    _, said = first.communicate()
    assert first.returncode == 130
    assert "Traceback" not in said
    assert f"stopped after {done(job)} of {CHUNKS} chunks" in said
    assert "the same command goes on" in said
    assert 1 <= done(job) < CHUNKS
    assert contents(mp.batch.run(job).store) == whole


def test_terminated_it_stops_like_that_too(tmp_path):
    job = write_job(tmp_path, **SIZES)
    process = start(job)
    wait_for_chunks(job, process, 1)
    process.terminate()
    _, said = process.communicate()
    assert process.returncode == 143
    assert "Traceback" not in said
    assert not (tmp_path / "world.zarr.job/lock").exists()


def test_told_to_stop_it_does_so_after_a_chunk(tmp_path, whole):
    """Also where an interruption got lost: signals set the same event."""
    job = write_job(tmp_path, **SIZES)
    stop = threading.Event()
    stop.set()
    for count in (1, 2):
        with pytest.raises(KeyboardInterrupt):
            mp.batch.run(job, stop=stop)
        assert done(job) == count
    stop.clear()
    assert contents(mp.batch.run(job, stop=stop).store) == whole


def a_lock(job, **words):
    """A lock of this process, but for what is given."""
    folder = job.parent / "world.zarr.job"
    folder.mkdir()
    own = {"pid": os.getpid(), "host": socket.gethostname(), "began": 0.0, "since": "2026"}
    (folder / "lock").write_text(json.dumps(own | words))


def test_locks_of_processes_that_are_gone(tmp_path, capsys):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    for name, words in (("ended", {"pid": gone.pid}), ("another process has its number", {})):
        job = write_job(tmp_path / name)
        a_lock(job, **words)
        mp.batch.run(job)
        assert "took over the lock of process" in capsys.readouterr().err


def test_a_lock_of_another_machine_is_kept(tmp_path):
    job = write_job(tmp_path)
    a_lock(job, host="elsewhere")
    with pytest.raises(mp.batch.StoreInUseError, match="on elsewhere, since 2026; .* remove "):
        mp.batch.run(job)
    assert (tmp_path / "world.zarr.job/lock").exists()


@pytest.mark.parametrize(
    ("number", "error", "message"),
    [
        (errno.ENOSPC, mp.batch.StoreFullError, "no space left on the disk"),
        (errno.EROFS, mp.batch.StoreNotWritableError, "cannot be written to"),
        (errno.EIO, mp.batch.BatchError, "cannot be written: "),
    ],
)
def test_what_the_disk_refuses(tmp_path, monkeypatch, whole, number, error, message):
    job = write_job(tmp_path, **SIZES)
    write, calls = zarr.Array.__setitem__, []

    def refuses(array, *args):
        calls.append(1)
        if len(calls) > 50:
            raise OSError(number, os.strerror(number))
        write(array, *args)

    with monkeypatch.context() as patched:
        patched.setattr(zarr.Array, "__setitem__", refuses)
        with pytest.raises(error, match=message):
            mp.batch.run(job)
    assert 1 <= done(job) < CHUNKS
    assert contents(mp.batch.run(job).store) == whole


@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="open files are not told here")
def test_the_disk_has_the_values_before_a_chunk_is_marked(tmp_path, monkeypatch):
    """Through a file open for writing: to wait for others is an error on Windows."""
    import fcntl

    waited, sync = [], os.fsync

    def watched(number):
        assert fcntl.fcntl(number, fcntl.F_GETFL) & (os.O_RDWR | os.O_WRONLY)
        waited.append(os.readlink(f"/proc/self/fd/{number}"))
        sync(number)

    job = write_job(tmp_path)
    monkeypatch.setattr(os, "fsync", watched)
    mp.batch.run(job)
    names = [os.path.relpath(file, tmp_path) for file in waited]
    mark = names.index("world.zarr.job/chunks/0-0.json.new")
    assert names.index("world.zarr/population/c/0/0/0/0/0") < mark


@contextlib.contextmanager
def small_disk(folder, size):
    """A file system of its own, where the tests may mount one."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no file system can be mounted here")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def on(disk, job):
    job.write_text(job.read_text().replace("world.zarr", str(disk / "world.zarr")))


def test_a_full_disk(tmp_path, whole):
    job = write_job(tmp_path / "job", **SIZES)
    with small_disk(tmp_path / "disk", "600k") as disk:
        on(disk, job)
        process = start(job)
        _, said = process.communicate()
        assert process.returncode == 5
        assert "no space left on the disk" in said
        assert "Traceback" not in said
        subprocess.run(["mount", "-o", "remount,size=50m", str(disk)], check=True)
        again = mp.batch.run(job)
        assert 1 <= again.before < CHUNKS
        assert contents(again.store) == whole


def test_a_read_only_disk(tmp_path, whole):
    job = write_job(tmp_path / "job", **SIZES)
    with small_disk(tmp_path / "disk", "50m") as disk:
        on(disk, job)
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        process = start(job)
        _, said = process.communicate()
        assert process.returncode == 6
        assert "cannot be written to (Read-only file system" in said
        assert "Traceback" not in said
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
        assert contents(mp.batch.run(job).store) == whole


# --- what is seen


def test_a_bar_on_a_terminal_and_plain_lines_in_the_log(tmp_path):
    job = write_job(tmp_path)
    ours, theirs = pty.openpty()
    process = start(job, "--log", "run.log", stderr=theirs, env={**os.environ, "TERM": "xterm"})
    os.close(theirs)
    seen = b""
    with contextlib.suppress(OSError):  # the terminal is gone with the process
        while block := os.read(ours, 4096):
            seen += block
    os.close(ours)
    process.communicate()
    assert process.returncode == 0
    assert "━" in seen.decode()
    assert "6/6" in seen.decode()
    log = (tmp_path / "run.log").read_text()
    assert "\x1b" not in log
    assert " 6 of 6 chunks: country C004, draw 3 (" in log
    assert " finished; warnings in " in log


def test_lines_where_there_is_no_terminal(tmp_path):
    process = start(write_job(tmp_path))
    _, said = process.communicate()
    assert process.returncode == 0
    assert "\x1b" not in said
    assert "6 of 6 chunks: country C004, draw 3 (" in said
    assert "n_negative: 16 in C002 (16)" in said


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        (("seed = 1", "seed = 2"), 4, "draws.seed: 1 then, 2 now"),
        (('store = "world.zarr"', 'store = "new.zarr"\nhorizon = 2031'), 1, "horizon: expected"),
    ],
)
def test_exit_codes(tmp_path, change, code, message):
    job = write_job(tmp_path)
    mp.batch.run(job)
    job.write_text(job.read_text().replace(*change))
    process = start(job)
    _, said = process.communicate()
    assert process.returncode == code
    assert message in said
    assert "Traceback" not in said


# --- workers


def test_workers_make_the_same_bytes(tmp_path, whole):
    job = write_job(tmp_path, **SIZES)
    process = start(job, "--workers", "2")
    _, said = process.communicate()
    assert process.returncode == 0, said
    assert contents(tmp_path / "world.zarr") == whole


CLUSTER = """
from distributed import LocalCluster
if __name__ == "__main__":
    with LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=None) as cluster:
        print(cluster.scheduler_address, flush=True)
        input()
"""


def test_the_workers_of_a_scheduler_make_the_same_bytes(tmp_path, whole):
    job = write_job(tmp_path, **SIZES)
    (tmp_path / "cluster.py").write_text(CLUSTER)
    cluster = subprocess.Popen(
        [sys.executable, "cluster.py"],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        address = cluster.stdout.readline().strip()
        process = start(job, "--scheduler", address)
        _, said = process.communicate()
    finally:
        cluster.communicate("\n")
    assert process.returncode == 0, said
    assert contents(tmp_path / "world.zarr") == whole


def test_ctrl_c_with_workers(tmp_path, whole):
    """As a terminal sends it: to the workers as well."""
    job = write_job(tmp_path, **SIZES)
    process = start(job, "--workers", "2", start_new_session=True)
    wait_for_chunks(job, process, 2)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 130
    assert "Traceback" not in said
    assert contents(mp.batch.run(job).store) == whole


def test_no_scheduler(tmp_path, monkeypatch):
    monkeypatch.setattr(workers, "_WAIT", 1)
    with pytest.raises(mp.batch.WorkersLostError, match="no workers at tcp://127.0.0.1:9 within"):
        mp.batch.run(write_job(tmp_path), scheduler="tcp://127.0.0.1:9")


def test_one_chunk_at_a_time_in_a_process(tmp_path, monkeypatch):
    """Threads of one worker wait for each other: memory is that of one chunk."""
    job = write_job(tmp_path)
    mp.batch.run(job)
    plan = make_plan(read_job(job), tmp_path)
    within, most = [], []
    estimate = tasks.estimate

    def counted(*args):
        within.append(1)
        most.append(len(within))
        time.sleep(0.01)
        result = estimate(*args)
        within.pop()
        return result

    monkeypatch.setattr(tasks, "estimate", counted)
    with ThreadPoolExecutor(4) as pool:
        told = list(pool.map(lambda chunk: runner.run_chunk(plan, chunk), plan.chunks()))
    assert max(most) == 1
    assert sum(bool(messages) for messages, _ in told) == 4
    with xr.open_zarr(tmp_path / "world.zarr", consolidated=False) as data:
        assert np.isfinite(data["population"].values).all()
