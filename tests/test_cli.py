"""The command: the main job on packaged data, its files, and its errors without traceback."""

import gc
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from click.testing import CliRunner

import migproj as mp
from migproj import example
from migproj.cli import main


def call(*words):
    return CliRunner().invoke(main, list(words), prog_name="migproj")


def test_main_job():
    result = call()
    assert result.exit_code == 0
    text = result.stdout
    for title in (
        "Census of 1950",
        "Census of 1960",
        "Census survival ratios 1950-60",
        "Net migration 1950-60, forward",
        "Net migration 1950-60, reverse",
        "Net migration 1950-60, average",
        "Projected to 1970",
        "Projected to 1980",
    ):
        assert title in text
    totals = [line.split()[-1] for line in text.splitlines() if line.strip().startswith("Total")]
    assert totals[:5] == ["3,811,035", "3,438,999", "-77,189", "-81,345", "-79,267"]
    assert "persons per period of 10 years" in text
    assert "survival ratios above 1 in 18 cell(s)" in text
    assert "Eldridge" in text
    # No cell was cut to fit the width.
    assert "…" not in text


def test_ages_are_unknown_until_the_census_has_seen_them():
    text = call().stdout
    blocks = text.split("Projected to ")[1:]
    unknown = [len(re.findall(r"^ *\d+-\d+ +unknown", block, re.M)) for block in blocks]
    assert unknown == [1, 2]  # 10-19 in 1970; 10-19 and 20-29 in 1980


def test_module_runs():
    done = subprocess.run(
        [sys.executable, "-m", "migproj", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("migproj, version 0.1")


def test_output_is_tidy_and_labelled(tmp_path):
    result = call("--output", str(tmp_path / "new" / "folder"), "--method", "average")
    assert result.exit_code == 0
    folder = tmp_path / "new" / "folder"
    names = {"census_1950", "census_1960", "net_migration", "stocks"}
    assert {file.name for file in folder.iterdir()} == {
        *(f"{name}.{kind}" for name in names for kind in ("csv", "nc")),
        "new_england.png",
    }
    net = pd.read_csv(folder / "net_migration.csv")
    forward = net.query("variable == 'net_migration' and estimator == 'forward'")
    assert round(forward["value"].sum()) == -77_189
    assert set(forward["units"]) == {"persons per period"}
    assert list(forward["age_group"].unique()) == [
        "10-14", "15-19", "20-29", "30-39", "40-49", "50-59", "60-69", "70+",
    ]  # fmt: skip
    with xr.open_dataset(folder / "stocks.nc") as stocks:
        assert stocks["time"].values.tolist() == [1960.0, 1970.0, 1980.0]
        assert stocks["stock"].attrs["units"] == "persons"
        assert stocks["stock"].sel(time=1980, age=20).isnull().all()
    assert (folder / "new_england.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize("estimator", example.ESTIMATORS)
def test_the_projection_uses_the_estimate_as_it_was_made(estimator):
    """The interval 1950-60 run again from 1950 gives 1960 for the exact estimators."""
    result = example.run(estimator, 1970)
    stock = result.stocks["stock"]
    assert stock.sizes["time"] == 2
    once = mp.net_migration
    with pytest.warns(mp.DataQualityWarning):
        expected = once(result.start, result.end, result.survival, method="forward")
    # 60-69 in 1970: those of 50-59 in 1960 survived, and the migrants of 60-69.
    cohort = result.end.sel(age=50, drop=True) * result.survival.sel(age=60, drop=True)
    added = expected["net_migration"].sel(age=60, drop=True)
    ours = stock.sel(time=1970, age=60, drop=True)
    gap = np.abs(ours - cohort - added).max() / np.abs(added).max()
    if estimator == "average":  # the mean of both ends, projected at the midpoint
        assert 1e-6 < gap < 0.01
    else:
        assert gap < 1e-9


def test_longer_horizon():
    text = call("--horizon", "2000", "--method", "midpoint").stdout
    assert "Projected to 2000, midpoint" in text
    assert "Net migration 1950-60, midpoint" in text


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--method", "foward"], "'foward' is not one of 'forward'"),
        (["--horizon", "1975"], "1975 is not a census year after 1960"),
        (["--horizon", "soon"], "'soon' is not a valid integer"),
        (["--colour"], "No such option"),
        (["dataset"], "No such command 'dataset'"),
        (["datasets", "bombay"], "no dataset 'bombay'. Did you mean"),
        (["--output", ""], "expected a folder, got an empty name"),
    ],
)
def test_wrong_words(words, message):
    result = call(*words)
    assert result.exit_code in (1, 2)
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert isinstance(result.exception, SystemExit)


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    result = call("--output", str(tmp_path / "file" / "below"))
    assert result.exit_code == 1
    assert "cannot write to" in result.stderr
    assert "Not a directory" in result.stderr
    assert isinstance(result.exception, SystemExit)
    assert "is a file" in call("--output", str(tmp_path / "file")).stderr


def test_no_picture_without_matplotlib(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    result = call("--output", str(tmp_path))
    assert result.exit_code == 0
    assert "pip install 'migproj[plot]'" in result.stderr
    assert not (tmp_path / "new_england.png").exists()
    assert (tmp_path / "stocks.csv").exists()


def test_datasets_are_listed_and_shown():
    text = call("datasets").stdout
    assert all(name in text for name in mp.datasets.names())
    shown = call("datasets", "bombay_1941").stdout
    assert "77,135" in shown
    assert "60+" in shown
    assert "persons" in shown
    assert "Manual VI" in shown
    for name in mp.datasets.names():
        assert call("datasets", name).exit_code == 0


def test_without_click_it_says_what_to_install():
    code = "import sys; sys.modules['click'] = None\nfrom migproj.__main__ import main; main()"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.strip() == "migproj: the command needs click: pip install 'migproj[cli]'"


def test_output_that_takes_only_plain_letters():
    done = subprocess.run(
        [sys.executable, "-m", "migproj", "datasets", "imila_table_1"],
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        check=True,
    )
    assert b"Traceback" not in done.stderr
    assert b"Latin America" in done.stdout


def test_output_without_netcdf(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5netcdf", None)
    result = call("--output", str(tmp_path))
    assert result.exit_code == 1
    assert "pip install 'migproj[io]'" in result.output
    assert "Traceback" not in result.output


def test_ages_in_files_are_whole(tmp_path):
    assert call("--output", str(tmp_path)).exit_code == 0
    for file in tmp_path.glob("*.csv"):
        ages = pd.read_csv(file, dtype=str)["age"].dropna()
        assert ages.str.fullmatch(r"\d+").all()


@pytest.mark.parametrize(("error", "count"), [(KeyboardInterrupt, 0), (ValueError, 1)])
def test_an_interruption_that_got_lost_is_not_shown(monkeypatch, error, count):
    """The event has told of it; other errors that Python ignores are still told."""

    class Freed:
        def __del__(self):
            raise error

    shown = []
    monkeypatch.setattr(sys, "unraisablehook", lambda lost: shown.append(lost.exc_type))
    hook = sys.unraisablehook
    monkeypatch.setattr(mp.batch, "run", lambda *_, **__: Freed() and None)
    assert call("run", "job.toml").exit_code == 0
    assert shown == [error] * count
    assert sys.unraisablehook is hook


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_object_that_was_interrupted_while_it_was_made_is_not_shown(monkeypatch, number):
    """As a file that h5netcdf was opening: freed, it lacks what it would have got."""

    class Made:
        def __init__(self):
            signal.raise_signal(number)
            self.ready = True

        def __del__(self):
            assert self.ready

    shown = []
    monkeypatch.setattr(sys, "unraisablehook", lambda lost: shown.append(lost.exc_type))
    monkeypatch.setattr(mp.batch, "run", lambda *_, **__: Made())
    result = call("run", "job.toml")
    assert result.exit_code == 128 + number
    assert "the same command goes on" in result.output
    gc.collect()
    assert shown == []
