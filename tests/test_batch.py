"""Batch runs: the same numbers as the library's calls, chunk by chunk, resumable."""

import json
import sys
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from click.testing import CliRunner
from scipy import stats

import migproj as mp
from jobs import AGES, START, contents, write_job
from migproj.batch import runner
from migproj.cli import main


def stored(store):
    with xr.open_zarr(store, consolidated=False, chunks=None) as data:
        return data.load()


@pytest.fixture
def job(tmp_path):
    return write_job(tmp_path)


def by_hand(folder, draws=4, **options):
    """The job of `write_job` by one call of the library."""
    with xr.open_dataset(folder / "world.nc") as data:
        data = data.load()
    with xr.open_dataset(folder / "fertility.nc") as rates:
        rates = rates.load()["fertility"]
    ones = xr.DataArray(np.zeros(rates.sizes["country"]), dims="country", coords=[rates["country"]])
    factor = mp.ensemble.draws(stats.lognorm(s=0.1, loc=ones), draws, seed=1, name="fertility")
    with pytest.warns(mp.DataQualityWarning):
        return mp.project_population(
            data["population"], data["survival"], rates * factor, 1.05, data["migration"], **options
        )


def test_a_run_is_the_call_of_the_library(job, tmp_path):
    made = mp.batch.run(job)
    assert (made.chunks, made.before) == (6, 0)
    found = stored(made.store)
    expected = by_hand(tmp_path).transpose("country", "draw", ...)
    assert set(found.data_vars) == set(expected.data_vars)
    for name, array in expected.data_vars.items():
        assert found[name].dims == array.dims
        np.testing.assert_array_equal(found[name].values, array.values, str(name))
        assert found[name].attrs["units"] == array.attrs["units"]
    xr.testing.assert_equal(found.coords.to_dataset(), expected.coords.to_dataset())


def test_chunks_change_no_bit(tmp_path):
    sizes = [(2, 3), (5, 4), (1, 1), (3, 2)]
    results = [
        stored(mp.batch.run(write_job(tmp_path / f"{a}-{b}", country=a, draw=b)).store)
        for a, b in sizes
    ]
    for other in results[1:]:
        xr.testing.assert_identical(results[0], other)


def test_quantiles_kept_variables_wider_groups_and_a_horizon(tmp_path):
    more = (
        '[output]\nkeep = ["population"]\nage_groups = [0, 15, 65]\n'
        'quantiles = [0.1, 0.5]\ndtype = "float32"'
    )
    job = write_job(tmp_path, draws=9, more=more)
    text = job.read_text().replace("draw = 3\n", "")
    job.write_text(text.replace('store = "world.zarr"', 'store = "q.zarr"\nhorizon = 2030'))
    found = stored(mp.batch.run(job).store)
    whole = by_hand(tmp_path, 9, keep=["population"], age_groups=[0, 15, 65], quantiles=[0.1, 0.5])
    assert set(found.data_vars) == {"population", "n_negative", "n_survival_above_one"}
    assert found["time"].values.tolist() == [START, START + 5, START + 10]
    assert found["population"].dtype == np.float32
    expected = whole["population"].isel(time=slice(0, 3)).astype(np.float32)
    np.testing.assert_array_equal(found["population"].values, expected.values)


def test_warnings_are_counted_by_country(job):
    made = mp.batch.run(job)
    table = pd.read_csv(made.store.parent / "world.zarr.job" / "warnings.csv")
    assert table.to_dict("list") == made.warnings.to_dict("list")
    counts = {(c, v): n for c, v, n in table[["country", "variable", "count"]].values}
    data = stored(made.store)
    assert counts == {
        ("C002", "n_negative"): int(data["n_negative"].sum()),
        ("C001", "n_survival_above_one"): 1,
    }
    beside = made.store.parent / "world.zarr.job"
    assert "warning: project_population: negative population" in (beside / "log.txt").read_text()
    lines = (beside / "warnings.txt").read_text().splitlines()
    assert len(lines) == 4
    assert lines[0].startswith("country C000 to C001, draw 0 to 2: project_population: survival")


def test_a_run_goes_on_where_it_stopped(tmp_path, monkeypatch):
    whole = contents(mp.batch.run(write_job(tmp_path / "whole")).store)
    job = write_job(tmp_path / "cut")
    done = []

    def stops(plan, chunk):
        if len(done) == 4:
            raise KeyboardInterrupt
        done.append(chunk.key)
        return run_chunk(plan, chunk)

    run_chunk = runner.run_chunk
    with monkeypatch.context() as patched:
        patched.setattr(runner, "run_chunk", stops)
        with pytest.raises(KeyboardInterrupt):
            mp.batch.run(job)
    assert "stopped after 4 of 6 chunks" in (tmp_path / "cut/world.zarr.job/log.txt").read_text()
    assert not (tmp_path / "cut/world.zarr.job/lock").exists()
    # What a write that was killed leaves behind.
    (tmp_path / "cut/world.zarr/population/c.0a.partial").write_bytes(b"cut short")
    again = mp.batch.run(job)
    assert again.before == 4
    assert contents(again.store) == whole
    assert mp.batch.run(job).before == 6


def test_a_store_that_was_removed_is_made_anew(job):
    made = mp.batch.run(job)
    before = contents(made.store)
    for file in sorted(made.store.rglob("*"), reverse=True):
        file.rmdir() if file.is_dir() else file.unlink()
    made.store.rmdir()
    again = mp.batch.run(job)
    assert again.before == 0
    assert contents(again.store) == before


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seed = 1", "seed = 2", "draws.seed: 1 then, 2 now"),
        ("country = 2", "country = 1", "chunks.country: 2 then, 1 now"),
        ("[chunks]", '[options]\ntiming = "end"\n[chunks]', "timing: not given then, 'end' now"),
    ],
)
def test_another_job_on_the_store_is_refused(job, old, new, message):
    mp.batch.run(job)
    job.write_text(job.read_text().replace(old, new))
    with pytest.raises(mp.batch.OtherJobError, match=message):
        mp.batch.run(job)


def test_inputs_that_have_changed_are_refused(job, tmp_path):
    mp.batch.run(job)
    with (tmp_path / "fertility.nc").open("ab") as opened:
        opened.write(b"x")
    with pytest.raises(mp.batch.OtherJobError, match=r"files.fertility.bytes: \d+ then, \d+ now"):
        mp.batch.run(job)


def test_a_store_of_something_else_is_refused(job, tmp_path):
    (tmp_path / "world.zarr").mkdir()
    with pytest.raises(mp.batch.OtherJobError, match="not made by a job"):
        mp.batch.run(job)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('task = "project_population"', 'task = "project"', "task.*'project_population'"),
        ("[inputs]", "[inputs", "is not TOML"),
        ('task = "project_population"', "", "task: is missing; expected one of .'project_pop"),
        (
            "[inputs]",
            "[optons]\n[inputs]",
            r"\.toml: optons: is none of the keys \[.*\]; did you mean 'options';",
        ),
        (
            "sex_ratio_at_birth = 1.05",
            "sex_ratio_at_birth = 'x'",
            r"inputs.sex_ratio_at_birth: expected a number or a table of keys, .*, got 'x'|"
            r"inputs.sex_ratio_at_birth: expected a table of keys, .* or a number, got 'x'",
        ),
        (
            'population = { file = "world.nc" }',
            'population = { fil = "world.nc" }',
            "inputs.population.fil: is none of the keys .'file'.*did you mean 'file'",
        ),
        (
            "[inputs]",
            "[inputs]\nfertilty = {value = 1.0}",
            "inputs.fertilty: is none of the keys .*did you mean 'fertility'",
        ),
        ('migration = { file = "world.nc" }', "", "no input"),
        ('survival = { file = "world.nc" }', "", "one of survival, mx and life_table, got none"),
        ('population = { file = "world.nc" }', "", "inputs.population: is missing"),
        ('{ file = "world.nc" }', '{ file = "other.nc" }', "other.nc: there is no such file"),
        ('{ file = "world.nc" }', "{ }", "expected either file or value"),
        (
            'survival = { file = "world.nc" }',
            'survival = { file = "world.nc", variable = "ratios" }',
            r"inputs.survival: expected the variable 'ratios' in world.nc, which has \[",
        ),
        (
            'survival = { file = "world.nc" }',
            'survival = { file = "world.nc", select = { country = ["C000", "C009"] } }',
            "inputs.survival: select: .*C009",
        ),
        (
            'survival = { file = "world.nc" }',
            'survival = { file = "world.nc", select = { country = ["C000", "C001"] } }',
            "inputs.population: dim 'country': expected the 2 labels of inputs.survival, got 5",
        ),
        (
            'survival = { file = "world.nc" }',
            'survival = { file = "world.nc", rename = { land = "country" } }',
            "rename: expected dims or coordinates",
        ),
        (
            'population = { file = "world.nc" }',
            'population = { file = "world.nc", select = { time = 2020-01-01 } }',
            r"\.toml: inputs.population.select.time: expected a whole number or a number or text "
            r"or a list, got datetime.date\(2020, 1, 1\);",
        ),
        ("seed = 1", "seed = -1", "draws.seed: expected a number of 0 or more, got -1"),
        ("seed = 1", 'seed = "1"', "draws.seed: expected a whole number, got '1'"),
        (
            "sex_ratio_at_birth = 1.05",
            "sex_ratio_at_birth = true",
            "inputs.sex_ratio_at_birth: expected .*a number.*, got True",
        ),
        ("[draws]\ncount = 4\nseed = 1", "", r"inputs.fertility.spread needs \[draws\]"),
        ('"lognorm"', '"lognormal"', "continuous distribution of scipy.stats"),
        ("s = 0.1", "sigma = 0.1", r"parameters \{'sigma': 0.1\} are not those of scipy.stats"),
        ("s = 0.1", "s = -0.1", "parameters that scipy.stats.lognorm allows"),
        ('by = ["country"]', 'by = ["land"]', "by: expected dims of the input with labels"),
        ("draw = 3", "draw = 0", "chunks.draw: expected a number above 0, got 0"),
        ("draw = 3", "draw = 3\n[output]\nquantiles = [0.5]", "chunks.draw: with quantiles"),
        ("draw = 3", "draw = 3\n[output]\nkeep = ['people']", "keep: expected some of"),
        ("[inputs]", "[inputs]", ""),
        (
            'store = "world.zarr"',
            'store = "s.zarr"\nhorizon = 2033',
            "horizon: expected the end of",
        ),
        (
            'store = "world.zarr"',
            'store = "s.zarr"\nhorizon = 2050',
            "horizon: expected the end of",
        ),
        (
            'store = "world.zarr"',
            'store = "s.zarr"\nhorizon = 2025\nsteps = 1',
            "expected steps or horizon, got both",
        ),
    ],
)
def test_wrong_jobs(job, old, new, message):
    text = job.read_text()
    assert old in text
    job.write_text(text.replace(old, new))
    if message in ("", "no input"):  # right as they are
        mp.batch.run(job)
        return
    with pytest.raises(mp.MigprojError, match=f"(?s){message}"):
        mp.batch.run(job)
    assert not (job.parent / "world.zarr").exists()


def test_no_job_and_wrong_options(tmp_path, job):
    with pytest.raises(mp.SchemaError, match="none.toml: cannot be read"):
        mp.batch.run(tmp_path / "none.toml")
    with pytest.raises(mp.SchemaError, match="workers or scheduler, got both"):
        mp.batch.run(job, workers=1, scheduler="tcp://127.0.0.1:1")
    with pytest.raises(mp.batch.BatchError, match="none/run.log: the log cannot be written"):
        mp.batch.run(job, log=tmp_path / "none" / "run.log")
    wrong = "workers: expected a whole number of 1 or more, got 0"
    with pytest.raises(mp.SchemaError, match=wrong):
        mp.batch.run(job, workers=0)


def test_without_the_extra_it_says_what_to_install(job, monkeypatch):
    for name in [m for m in sys.modules if m.startswith("migproj.batch.")]:
        if name.rpartition(".")[2] in ("job", "store", "lock"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr(mp.batch, "job", raising=False)
    monkeypatch.setitem(sys.modules, "pydantic", None)
    for call in (mp.batch.schema, lambda: mp.batch.run(job)):
        with pytest.raises(
            mp.batch.BatchError, match=r"need pydantic: pip install 'migproj\[batch"
        ):
            call()


def test_draws_of_a_file_and_their_labels(tmp_path):
    """An input with draws of its own beside one with a spread."""
    job = write_job(tmp_path)
    with xr.open_dataset(tmp_path / "world.nc") as data:
        people = data["population"].load()
    factor = xr.DataArray([1.0, 1.1, 1.2, 1.3], dims="draw", coords={"draw": range(4)})
    (people * factor).rename("population").to_netcdf(tmp_path / "draws.nc", engine="h5netcdf")
    text = job.read_text().replace(
        'population = { file = "world.nc"', 'population = { file = "draws.nc"'
    )
    job.write_text(text)
    found = stored(mp.batch.run(job).store)
    first = found["population"].isel(time=0, country=0, sex=0, age=0)
    np.testing.assert_allclose(first / first[0], factor)  # division rounds
    job.write_text(text.replace("count = 4", "count = 5").replace("world.zarr", "five.zarr"))
    with pytest.raises(mp.SchemaError, match="labels of the dim draw in the files, 0 to 4, got 4"):
        mp.batch.run(job)


def test_schema_is_a_json_schema_with_every_task():
    words = json.loads(json.dumps(mp.batch.schema()))
    assert words["discriminator"]["propertyName"] == "task"
    assert set(words["$defs"]) >= {"PopulationJob", "RoundsJob", "StocksJob", "Source", "Spread"}
    assert all("description" in words["$defs"][name] for name in ("Source", "Spread", "Draws"))


def test_the_command_prints_the_schema():
    shown = CliRunner().invoke(main, ["schema"])
    assert json.loads(shown.stdout) == mp.batch.schema()


def test_memory_is_that_of_a_chunk(tmp_path, monkeypatch):
    """Eight times the countries: what a chunk takes does not grow."""
    run_chunk, peaks = runner.run_chunk, {}

    def traced(plan, chunk):
        tracemalloc.start()
        try:
            return run_chunk(plan, chunk)
        finally:
            size = plan.labels["country"].size
            peaks[size] = max(peaks.get(size, 0), tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()

    sizes = {"periods": 16, "draws": 20, "country": 5, "draw": 20}
    mp.batch.run(write_job(tmp_path / "first", countries=5, **sizes))  # imports are no memory of it
    monkeypatch.setattr(runner, "run_chunk", traced)
    for countries in (5, 40):
        mp.batch.run(write_job(tmp_path / str(countries), countries=countries, **sizes))
    assert peaks[5] > 8 * 5 * 20 * 17 * 42  # the population alone
    assert peaks[40] < 1.1 * peaks[5]  # the labels of all countries


# --- other tasks


def life_tables(countries):
    age = np.arange(0, 105, 5)
    ages = mp.age_coords(["0", "1-4", *(f"{x}-{x + 4}" for x in range(5, 100, 5)), "100+"])
    middle = ages["age"].values + 2.0
    rates = 0.03 * np.exp(-1.2 * middle) + 4e-4 + 5e-5 * np.exp(0.08 * middle)
    level = np.linspace(0.8, 1.2, countries)[:, None, None] * np.array([0.9, 1.1])[:, None]
    assert age.size == AGES["age"].size
    names = [f"C{k:03d}" for k in range(countries)]
    return xr.DataArray(
        level * rates,
        dims=("country", "sex", "age"),
        coords={"country": names, "sex": ["female", "male"], **ages},
        name="mx",
    )


def rounds_of(countries):
    names = [f"C{k:03d}" for k in range(countries)]
    people = 1e5 * np.exp(-((np.arange(0, 105, 5) / 70) ** 2)) * np.ones((countries, 2, 1))
    return xr.DataArray(
        people,
        dims=("country", "sex", "age"),
        coords={"country": names, "sex": ["female", "male"], **AGES},
    )


def test_net_migration_with_uncertain_coverage(tmp_path):
    mx, start = life_tables(3), rounds_of(3)
    mx.to_netcdf(tmp_path / "mx.nc", engine="h5netcdf")
    xr.Dataset({"start": start, "end": start * 1.1}).to_netcdf(
        tmp_path / "rounds.nc", engine="h5netcdf"
    )
    job = tmp_path / "job.toml"
    job.write_text(
        """
        task = "net_migration"
        store = "net.zarr"
        [inputs]
        start = { file = "rounds.nc" }
        mx = { file = "mx.nc" }
        [inputs.end]
        file = "rounds.nc"
        spread = { distribution = "norm", parameters = { loc = 1.02, scale = 0.01 } }
        [options]
        method = "forward"
        children = "arrivals"
        interval = 10.56
        [output]
        keep = ["net_migration"]
        age_groups = [0, 15, 65]
        quantiles = [0.05, 0.5, 0.95]
        [draws]
        count = 50
        seed = 3
        [chunks]
        country = 2
        """
    )
    found = stored(mp.batch.run(job).store)
    factor = mp.ensemble.draws(stats.norm(1.02, 0.01), 50, seed=3, name="end")
    made = mp.net_migration(
        start,
        start * 1.1 * factor,
        mp.life_table(mx),
        method="forward",
        children="arrivals",
        interval=10.56,
        ages=[0, 15, 65],
    )["net_migration"]
    expected = made.quantile([0.05, 0.5, 0.95], "draw").transpose("country", "quantile", ...)
    got = found["net_migration"].transpose(*expected.dims)
    np.testing.assert_array_equal(got.values, expected.values)
    assert {"n_negative", "n_survival_low", "n_qx_above_one"} <= set(found.data_vars)
    assert found["n_negative"].dims == ("country", "sex")
    assert found["n_qx_above_one"].dims == ("country",)


def test_rounds_with_dates_by_country_and_a_life_table(tmp_path):
    table = mp.life_table(life_tables(3))
    table[["lx", "Tx"]].rename(lx="survivors").to_zarr(
        tmp_path / "table.zarr", consolidated=False, zarr_format=2
    )
    dates = xr.DataArray(
        [[1980.81, 1991.37, 2001.88], [np.nan, 1992.4, 2001.7], [1982.3, 1992.3, 2002.3]],
        dims=("country", "round"),
    )
    grown = xr.DataArray([1.0, 1.1, 1.3], dims="round", coords={"round": [1, 2, 3]})
    rounds = (rounds_of(3) * grown).assign_coords(date=dates)
    rounds.to_dataset(name="people").to_netcdf(tmp_path / "rounds.nc", engine="h5netcdf")
    job = tmp_path / "job.toml"
    job.write_text(
        """
        task = "net_migration"
        store = "net.zarr"
        chunks = { country = 2 }
        [inputs]
        rounds = { file = "rounds.nc", variable = "people" }
        life_table = { file = "table.zarr", lx = "survivors" }
        [options]
        children = "none"
        [output]
        age_groups = ["0-19", "20-64", "65+"]
        dtype = "float32"
        """
    )
    found = stored(mp.batch.run(job).store)
    with pytest.warns(mp.DataQualityWarning):
        expected = mp.net_migration_rounds(
            rounds, table, children="none", ages=["0-19", "20-64", "65+"]
        )
    for name in ("net_migration", "expected"):
        values = expected[name].astype(np.float32)
        np.testing.assert_array_equal(found[name].transpose(*values.dims).values, values.values)
    assert found["n_negative"].isnull().any()  # where a round is missing
    for name in ("period_width", "date", "n_negative"):
        np.testing.assert_array_equal(found[name].values, expected[name].values)


def test_a_job_of_one_chunk_is_not_done_again(tmp_path):
    """Without countries and draws there is one chunk, of everything."""
    job = rounds_job(tmp_path, rounds_of(3).isel(country=0, drop=True), [1980.0, 1990.0, 2000.0])
    first, again = mp.batch.run(job), mp.batch.run(job)
    assert (first.chunks, first.before) == (1, 0)
    assert (again.chunks, again.before) == (1, 1)


def rounds_job(folder, rounds, dates):
    """A job of net migration between rounds with the ratios of a life table."""
    table = mp.life_table(life_tables(1).isel(country=0, drop=True))
    table[["lx", "Tx"]].to_netcdf(folder / "table.nc", engine="h5netcdf")
    dims = ("country", "round") if "country" in rounds.dims else ("round",)
    numbers = xr.DataArray([1.0, 1.1, 1.3], dims="round", coords={"round": [1, 2, 3]})
    rounds = (rounds * numbers).assign_coords(date=(dims, dates))
    rounds.to_dataset(name="people").to_netcdf(folder / "rounds.nc", engine="h5netcdf")
    job = folder / "job.toml"
    job.write_text(
        """
        task = "net_migration"
        store = "net.zarr"
        [inputs]
        rounds = { file = "rounds.nc", variable = "people" }
        life_table = { file = "table.nc" }
        [options]
        children = "none"
        """
    )
    return job


def test_stocks_to_a_horizon(tmp_path):
    stock = rounds_of(3).assign_coords(time=2000.0)
    mx = life_tables(3)
    mx.to_netcdf(tmp_path / "mx.nc", engine="h5netcdf")
    leaving = xr.full_like(stock.drop_vars("time"), 0.01)
    xr.Dataset({"stock": stock, "emigration": leaving}).to_netcdf(
        tmp_path / "stocks.nc", engine="h5netcdf"
    )
    job = tmp_path / "job.toml"
    words = """
        task = "project_stocks"
        store = "stocks.zarr"
        horizon = 2015
        chunks = { country = 2 }
        [inputs]
        stock = { file = "stocks.nc" }
        mx = { file = "mx.nc" }
        emigration = { file = "stocks.nc" }
        [options]
        timing = "end"
        [output]
        keep = ["stock"]
        age_groups = [0, 50]
        """
    job.write_text(words)
    expected = mp.project_stocks(
        stock,
        mp.survival_ratios(mp.life_table(mx), ages=stock),
        emigration=leaving,
        timing="end",
        steps=3,
    )
    found = stored(mp.batch.run(job).store)
    assert found["time"].values.tolist() == [2000.0, 2005.0, 2010.0, 2015.0]
    sums = mp.regroup_ages(expected["stock"], [0, 50])
    np.testing.assert_array_equal(found["stock"].values, sums.values)
    job.write_text(words.replace("2015", "2017").replace("stocks.zarr", "s2.zarr"))
    with pytest.raises(mp.IntervalError, match="whole number of steps of 5 years from 2000"):
        mp.batch.run(job)
    job.write_text(words.replace('"stock"]', '"people"]').replace("stocks.zarr", "s3.zarr"))
    with pytest.raises(mp.SchemaError, match="output.keep: expected some of"):
        mp.batch.run(job)


@pytest.mark.parametrize("quantiles", [None, [0.1, 0.9]])
def test_from_death_rates_with_totals_of_migrants_and_a_schedule(tmp_path, quantiles):
    people = rounds_of(3).assign_coords(time=2000.0)
    mx = life_tables(3)
    mx[0, 0, 0] = 0.0
    bearing = xr.DataArray(np.full(7, 0.06), dims="age", coords={"age": range(15, 50, 5)})
    shares = xr.full_like(people.isel(country=0, drop=True).drop_vars("time"), 1 / 42)
    totals = people.sum(["sex", "age"]).drop_vars("time") * 0.01
    xr.Dataset(
        {"population": people, "total": totals, "schedule": shares, "leaving": shares * 0.1}
    ).to_netcdf(tmp_path / "people.nc", engine="h5netcdf")
    bearing.to_dataset(name="fertility").to_netcdf(tmp_path / "fertility.nc", engine="h5netcdf")
    mx.to_netcdf(tmp_path / "mx.nc", engine="h5netcdf")
    job = tmp_path / "job.toml"
    job.write_text(
        f"""
        task = "project_population"
        store = "made.zarr"
        steps = 2
        [inputs]
        population = {{ file = "people.nc" }}
        fertility = {{ file = "fertility.nc" }}
        sex_ratio_at_birth = 1.05
        migration = {{ file = "people.nc", variable = "total" }}
        migration_schedule = {{ file = "people.nc", variable = "schedule" }}
        emigration = {{ file = "people.nc", variable = "leaving" }}
        [inputs.mx]
        file = "mx.nc"
        [inputs.mx.spread]
        distribution = "norm"
        parameters = {{ loc = 1.0, scale = 0.02 }}
        by = ["country", "sex"]
        [draws]
        count = 6
        seed = 2
        [chunks]
        country = 2
        [output]
        {f"quantiles = {quantiles}" if quantiles else ""}
        """
    )
    found = stored(mp.batch.run(job).store)
    one = xr.ones_like(mx.isel(age=0, drop=True)).drop_vars("age_width", errors="ignore")
    spread = mp.ensemble.draws(stats.norm(one, 0.02), 6, seed=2, name="mx")
    with pytest.warns(mp.DataQualityWarning, match="mx = 0"):
        table = mp.life_table((mx * spread).transpose("draw", ...))
    expected = mp.project_population(
        people,
        mp.survival_ratios(table, ages=people),
        bearing,
        1.05,
        totals,
        migration_schedule=shares,
        emigration=shares * 0.1,
        separation=mp.separation_factors(table, ages=people),
        steps=2,
        quantiles=quantiles,
    )
    assert {"deaths", "emigrants", "net_migration"} <= set(expected.data_vars)
    for name, array in expected.data_vars.items():
        np.testing.assert_array_equal(found[name].transpose(*array.dims).values, array.values)
    zeros = found["n_mx_zero"].sel(country="C000")
    assert zeros.sum() == 6
    assert zeros.dims == (() if quantiles else ("draw",))


def test_calls_of_the_library_on_dask_chunks(tmp_path):
    """Without a job: the same numbers from lazy inputs, and they stay lazy."""
    write_job(tmp_path, odd=False)
    with (
        xr.open_dataset(tmp_path / "world.nc") as data,
        xr.open_dataset(tmp_path / "fertility.nc") as rates,
    ):
        data, rates = data.load(), rates["fertility"].load()
    names = ("population", "survival", "migration")
    eager = mp.project_population(
        data["population"], data["survival"], rates, 1.05, data["migration"]
    )
    population, survival, migration = (data[name].chunk(country=2) for name in names)
    lazy = mp.project_population(population, survival, rates.chunk(country=2), 1.05, migration)
    assert lazy["population"].chunksizes["country"] == (2, 2, 1)
    for name, array in eager.data_vars.items():
        np.testing.assert_array_equal(lazy[name].compute(scheduler="threads").values, array.values)


@pytest.mark.parametrize("odd", [{"task": "net_migration"}, 3, None])
def test_a_job_is_a_file(odd):
    with pytest.raises(mp.SchemaError, match="job: expected the path of a job file, got"):
        mp.batch.run(odd)


@pytest.mark.parametrize(
    ("name", "text", "mend"),
    [
        ("lock", "", "if no run writes to the store remove it"),
        ("lock", "{}", "if no run writes to the store remove it"),
        ("job.json", "", "another store"),
        ("chunks/1-0.json", "\0", "remove it, and its chunk is done again"),
    ],
)
def test_files_beside_the_store_that_were_damaged(job, name, text, mend):
    """As a disk may leave them when the power goes."""
    before = contents(mp.batch.run(job).store)
    file = job.parent / "world.zarr.job" / name
    file.write_text(text)
    with pytest.raises(mp.batch.BatchError, match=f"{name}: .*{mend}"):
        mp.batch.run(job)
    if name != "job.json":
        file.unlink()
        assert contents(mp.batch.run(job).store) == before


def test_a_job_as_editors_of_windows_save_it(job):
    job.write_bytes(b"\xef\xbb\xbf" + job.read_bytes().replace(b"\n", b"\r\n"))
    assert mp.batch.run(job).chunks == 6
