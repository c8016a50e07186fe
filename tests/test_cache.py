"""Numba's cache: shared by processes that start at once, done without where it cannot be."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

# What a user's process does, with the dtype and layout of worker number argv[1].
WORK = """
import json, sys, warnings
import numpy as np, xarray as xr
import migproj as mp

form = [
    lambda x: x.astype(np.float64),
    lambda x: x.astype(np.float32),
    lambda x: np.asfortranarray(x.astype(np.float64)),
    lambda x: x.astype(">f8")[:, ::-1][:, ::-1],
][int(sys.argv[1])]
ages = mp.age_coords([0, 5, 10, 15])
coords = {"country": ["A", "B", "C"], **ages}
def labelled(values):
    array = xr.DataArray(form(values), dims=("country", "age"), coords=coords)
    return array if int(sys.argv[1]) != 2 else array.T
# Halves and quarters are the same number in every dtype.
start = labelled(np.arange(12.0).reshape(3, 4) * 256 + 512)
end = labelled(np.arange(12.0).reshape(3, 4) * 128 + 512)
survival = labelled(np.full((3, 4), 0.75))
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    net = mp.net_migration(start, end, survival, interval=5, children="none")
    wide = mp.regroup_ages(start, ["0-9", "10+"])
from migproj._kernels import ages, netmigration
kernels = [ages.regroup, netmigration.net_migration]
print(json.dumps({
    "net": net["net_migration"].transpose("country", "age").values[:, 1:].tolist(),
    "wide": wide.transpose("country", "age").values.tolist(),
    "signatures": [len(k.signatures) for k in kernels],
    "from_cache": [k.from_cache for k in kernels],
    "warnings": [str(w.message) for w in caught],
}))
"""


def start_worker(number, cache, limit=""):
    env = {k: v for k, v in os.environ.items() if k != "NUMBA_DISABLE_JIT"}
    env |= {"NUMBA_CACHE_DIR": str(cache), "XDG_CACHE_HOME": str(cache)}
    return subprocess.Popen(
        [sys.executable, "-c", limit + WORK, str(number)],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(worker):
    out, err = worker.communicate()
    assert worker.returncode == 0, err
    return json.loads(out)


def test_processes_that_start_at_once_on_an_empty_cache(tmp_path):
    answers = []
    for attempt in range(3):
        cache = tmp_path / str(attempt)
        workers = [start_worker(number, cache) for number in range(4)]
        answers += [finish(worker) for worker in workers]
        again = finish(start_worker(attempt, cache))
        assert again["from_cache"] == [True, True]
        answers.append(again)
    for answer in answers:
        assert answer["net"] == answers[0]["net"]
        assert answer["wide"] == answers[0]["wide"]
        assert answer["signatures"] == [1, 1]
        assert answer["warnings"] == []


@pytest.mark.skipif(sys.platform == "win32", reason="resource limits are POSIX")
def test_a_full_disk(tmp_path):
    # Files may not grow beyond 200 bytes: what writing to a full disk looks like.
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))\n"
    answer = finish(start_worker(0, tmp_path, limit))
    expected = finish(start_worker(0, tmp_path / "good"))
    assert answer["net"] == expected["net"]
    assert len(answer["warnings"]) == 1
    assert "NUMBA_CACHE_DIR" in answer["warnings"][0]


def test_no_folder_for_the_cache(tmp_path):
    # The package in a folder that cannot be written to (a file stands in __pycache__'s place),
    # and a file in the place of every other cache folder.
    package = tmp_path / "migproj"
    import migproj

    source = Path(migproj.__file__).parent
    (tmp_path / "file").write_text("")
    for path in source.rglob("*.py"):
        target = package / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    (package / "_kernels" / "__pycache__").write_text("")
    limit = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
    answer = finish(start_worker(0, tmp_path / "file", limit))
    assert answer["from_cache"] == [False, False]
    assert len(answer["warnings"]) == 1
    assert "compiles its kernels anew" in answer["warnings"][0]
    assert answer["wide"] == [[1280.0, 2304.0], [3328.0, 4352.0], [5376.0, 6400.0]]
