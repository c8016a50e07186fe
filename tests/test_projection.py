"""What project_population takes and returns, beyond the formulas: forms of input, keep, groups."""

import tracemalloc

import numpy as np
import pytest
import xarray as xr

import migproj as mp
from migproj import _apply, _jit

AGES = mp.age_coords(range(0, 90, 5))
FERTILE = np.arange(15, 50, 5)
SEXES = ["female", "male"]
COUNTRIES = ["ARG", "BOL", "CHL"]
PERIODS = 2000.0 + 5 * np.arange(4)


def array(rng, low, high, *dims, **coords):
    coords = {"country": COUNTRIES, "period": PERIODS, "sex": SEXES, **coords}
    ages = AGES if "age" not in coords else {"age": coords["age"]}
    own = {**{d: coords[d] for d in dims if d != "age"}, **(ages if "age" in dims else {})}
    shape = [len(own[d]) for d in dims]
    return xr.DataArray(rng.uniform(low, high, shape), dims=dims, coords=own)


@pytest.fixture
def inputs():
    rng = np.random.default_rng(7)
    return {
        "population": array(rng, 1e4, 1e5, "country", "sex", "age").assign_coords(time=2000),
        "survival": array(rng, 0.7, 1, "country", "period", "sex", "age"),
        "fertility": array(rng, 0.02, 0.2, "country", "period", "age", age=FERTILE),
        "sex_ratio_at_birth": 1.05,
        "migration": array(rng, -500, 900, "country", "period", "sex", "age"),
        "separation": array(rng, 0, 1, "country", "sex", "age").isel(age=slice(-1)),
    }


def assert_close(got, want):
    xr.testing.assert_allclose(got, want, rtol=1e-13, atol=1e-9)


def test_totals_and_schedule_are_counts(inputs):
    counts = inputs["migration"]
    for over, kept in ((["sex", "age"], 3), (["age"], 3)):
        totals = counts.sum(over)
        result = mp.project_population(
            **(inputs | {"migration": totals, "migration_schedule": counts / totals})
        )
        assert totals.ndim == counts.ndim - len(over)
        assert result["net_migration"].sizes["country"] == kept
        assert_close(result, mp.project_population(**inputs))


def test_total_fertility_and_pattern_are_rates(inputs):
    rates = inputs["fertility"]
    total = 5 * rates.sum("age")
    pattern = rates / rates.sum("age")
    result = mp.project_population(**(inputs | {"fertility": total, "fertility_pattern": pattern}))
    assert_close(result, mp.project_population(**inputs))


def test_one_schedule_for_many_totals(inputs):
    """Totals by draw, one schedule for all of them: as the loop over draws with counts."""
    rng = np.random.default_rng(8)
    weights = array(rng, 0.1, 1, "sex", "age")
    schedule = weights / weights.sum()
    draws = {"draw": range(5)}
    totals = array(rng, -9e3, 9e3, "country", "draw", "period", **draws)
    result = mp.project_population(
        **(inputs | {"migration": totals, "migration_schedule": schedule})
    )
    assert result["population"].dims == ("country", "draw", "time", "sex", "age")
    for draw in draws["draw"]:
        one = inputs | {"migration": totals.sel(draw=draw) * schedule}
        assert_close(
            result.sel(draw=draw, drop=True), mp.project_population(**one).drop_vars("draw")
        )


@pytest.mark.parametrize("given", ["age", "DataArray"])
def test_wider_age_groups_are_sums(inputs, given):
    full = mp.project_population(**inputs)
    wide = ["0-14", "15-64", "65+"] if given == "age" else mp.age_coords([0, 15, 65])["age"]
    result = mp.project_population(**inputs, age_groups=wide)
    for name in ("population", "deaths_cohort", "deaths", "net_migration"):
        sums = mp.regroup_ages(full[name], [0, 15, 65])
        assert_close(result[name], sums.transpose(*result[name].dims))
    assert result["births"]["mother_age"].values.tolist() == [15]
    assert_close(result["births"].isel(mother_age=0, drop=True), full["births"].sum("mother_age"))
    xr.testing.assert_identical(result["n_negative"], full["n_negative"])


def test_births_by_groups_of_mothers(inputs):
    full = mp.project_population(**inputs)["births"]
    births = mp.project_population(**inputs, keep=["births"], age_groups=[0, 20, 40])["births"]
    assert births["mother_age"].values.tolist() == [0, 20, 40]
    assert births["mother_age_width"].values.tolist() == [20, 20, np.inf]
    for low, high in ((0, 15), (20, 35), (40, 45)):
        sums = full.sel(mother_age=slice(low, high)).sum("mother_age")
        assert_close(births.sel(mother_age=low, drop=True), sums)


@pytest.mark.parametrize(
    "keep", [["births"], ["population"], "deaths", ["net_migration", "deaths_cohort"]]
)
def test_only_what_is_kept_is_returned(inputs, keep):
    full = mp.project_population(**inputs)
    result = mp.project_population(**inputs, keep=keep)
    names = [keep] if isinstance(keep, str) else keep
    assert set(result.data_vars) == {*names, "n_negative", "n_survival_above_one"}
    for name in result.data_vars:
        xr.testing.assert_identical(result[name], full[name])
    dims = {dim for array in result.data_vars.values() for dim in array.dims}
    assert set(result.coords) <= {*dims, *(f"{dim}_width" for dim in dims)}


def test_a_negative_population_that_is_not_kept_is_named_by_row(inputs):
    leaving = inputs | {"migration": inputs["migration"].copy()}
    leaving["migration"][1, 2, 0, 3] = -1e6
    text = r"negative population in 1 cell\(s\): country=BOL \("
    with pytest.warns(mp.DataQualityWarning, match=text):
        result = mp.project_population(**leaving, keep=["births"])
    with pytest.warns(mp.DataQualityWarning, match="country=BOL, time=2015"):
        full = mp.project_population(**leaving)
    negative = (full["population"] < 0).sum(["time", "sex", "age"])
    assert result["n_negative"].values.tolist() == negative.values.tolist()
    assert negative.values.tolist()[::2] == [0, 0]
    assert negative.values[1] > 0


# --- emigration by hazards


@pytest.mark.parametrize("timing", ["end", "even", "midpoint"])
def test_emigrants_are_those_of_stocks(inputs, timing):
    """Above the youngest group a population is a stock: the same stayers, deaths and emigrants."""
    rng = np.random.default_rng(11)
    hazard = array(rng, 0, 0.05, "country", "period", "sex", "age")
    result = mp.project_population(**inputs, emigration=hazard, timing=timing)
    stock = mp.project_stocks(
        inputs["population"],
        inputs["survival"],
        net_migration=None,
        arrivals=abs(inputs["migration"]),
        emigration=hazard,
        timing=timing,
    )
    whole = mp.project_population(
        **(inputs | {"migration": abs(inputs["migration"])}), emigration=hazard, timing=timing
    )
    assert result["emigrants"].dims == ("country", "period", "sex", "age")
    older = {"age": slice(25, None)}
    np.testing.assert_allclose(
        whole["population"].sel(older), stock["stock"].sel(older), rtol=1e-11
    )
    for name in ("emigrants", "deaths_cohort"):
        np.testing.assert_allclose(
            whole[name].sel(older), stock[name].sel(older), rtol=1e-10, atol=1e-9
        )
    assert (result["emigrants"] > 0).all()


@pytest.mark.parametrize("more", [{}, {"age_groups": ["0-14", "15-64", "65+"]}])
@pytest.mark.parametrize("timing", ["end", "even", "midpoint"])
def test_change_is_births_less_deaths_and_emigrants_plus_migration(inputs, timing, more):
    hazard = array(np.random.default_rng(12), 0, 0.05, "sex", "age")
    result = mp.project_population(**inputs, emigration=hazard, timing=timing, **more)
    total = result.sum(["sex", "age", "mother_age"])
    gained = total["births"] + total["net_migration"]
    lost = total["deaths_cohort"] + total["emigrants"]
    change = total["population"].diff("time").values
    np.testing.assert_allclose(change, gained - lost, rtol=1e-11, atol=1e-7)
    np.testing.assert_allclose(total["deaths"], total["deaths_cohort"], rtol=1e-12)


def test_nobody_leaves_at_a_hazard_of_zero(inputs):
    hazard = xr.zeros_like(inputs["survival"])
    result = mp.project_population(**inputs, emigration=hazard)
    assert not result["emigrants"].any()
    xr.testing.assert_allclose(
        result.drop_vars("emigrants"), mp.project_population(**inputs), rtol=1e-14
    )


def test_newborn_are_exposed_for_half_the_step(inputs):
    hazard = xr.full_like(inputs["survival"].isel(country=0, period=0, drop=True), 0.04)
    free = mp.project_population(**(inputs | {"migration": None}))
    result = mp.project_population(**(inputs | {"migration": None}), emigration=hazard, steps=None)
    first = {"period": 2000, "age": 0}
    born = result["births"].sel(period=2000).sum("mother_age")
    lost = result["emigrants"].sel(first) + result["deaths_cohort"].sel(first)
    S = inputs["survival"].sel(first, drop=True)
    np.testing.assert_allclose(born - lost, born * S * np.exp(-0.04 * 2.5), rtol=1e-12)
    assert (result["population"].isel(time=-1) < free["population"].isel(time=-1)).all()


@pytest.mark.parametrize("timing", ["end", "even", "midpoint"])
def test_limited_emigration_beside_hazards(inputs, timing):
    hazard = array(np.random.default_rng(13), 0, 0.05, "sex", "age")
    leaving = inputs | {"migration": inputs["migration"] - 6e4}
    result = mp.project_population(**leaving, emigration=hazard, timing=timing, on_negative="limit")
    assert (result["population"] >= 0).all()
    total = result.sum(["sex", "age", "mother_age"])
    flows = total["births"] + total["net_migration"] - total["deaths_cohort"] - total["emigrants"]
    change = total["population"].diff("time").values
    np.testing.assert_allclose(change, flows, rtol=1e-11, atol=1e-6)


def test_hazards_per_thousand(inputs):
    hazard = xr.full_like(inputs["survival"], 20.0)
    with says(mp.SchemaError, "emigration: expected rates per person", "median of 20"):
        mp.project_population(**inputs, emigration=hazard)
    with says(mp.AlignmentError, "emigration: dim 'age'", "expected the 18 groups"):
        mp.project_population(**inputs, emigration=hazard.isel(age=slice(5)) / 1000)


# --- vital events of a known population


@pytest.mark.parametrize("timing", ["end", "even", "midpoint"])
@pytest.mark.parametrize("exposure", ["with-migrants", "ccmpp"])
def test_vital_events_of_a_projection_are_its_own(inputs, timing, exposure):
    options = {"timing": timing, "births_exposure": exposure}
    full = mp.project_population(**inputs, **options)
    result = mp.vital_events(full["population"], *list(inputs.values())[1:5], **options)
    events = mp.vital_events(**(inputs | {"population": full["population"]}), **options)
    assert set(events.data_vars) == {"births", "deaths_cohort", "deaths", "n_survival_above_one"}
    assert set(result.data_vars) == {"births", "deaths_cohort", "n_survival_above_one"}
    for name in events.data_vars:
        np.testing.assert_allclose(events[name], full[name], rtol=1e-12, atol=1e-8)
        assert events[name].dims == full[name].dims
    xr.testing.assert_identical(events["period"], full["period"])


def test_vital_events_start_every_step_from_what_is_known(inputs):
    """Each period alone gives what all of them together give."""
    known = mp.project_population(**inputs)["population"] * array(
        np.random.default_rng(10), 0.9, 1.1, "country", "sex", "age"
    )
    together = mp.vital_events(**(inputs | {"population": known}))
    for p, start in enumerate(PERIODS):
        one = {
            name: a.sel(period=[start]) if "period" in getattr(a, "dims", ()) else a
            for name, a in inputs.items()
        }
        alone = mp.vital_events(**(one | {"population": known.isel(time=slice(p, p + 2))}))
        xr.testing.assert_identical(alone, together.isel(period=[p]))


def test_instants_that_do_not_fit(inputs):
    full = mp.project_population(**inputs)["population"]

    def events(population, **other):
        return mp.vital_events(**(inputs | {"population": population} | other))

    with says(mp.SchemaError, "population: expected the dim", "'time'"):
        events(inputs["population"])
    with says(mp.IntervalError, "population: dim 'time': expected 5 instants", "got 3"):
        events(full.isel(time=slice(3)))
    with says(mp.IntervalError, "expected instants 5 years apart", "2001"):
        events(full.assign_coords(time=[2000, 2001, 2002, 2003, 2004]))
    with says(mp.SchemaError, "dim 'time': expected two instants or more"):
        events(full.isel(time=[0]))
    with says(mp.SchemaError, "dim 'time' has no labels"):
        events(full.drop_vars("time"))
    with says(mp.SchemaError, "keep: expected some of", "'births'", "'population'"):
        events(full, keep=["population"])


# --- quantiles over draws


def ensemble(inputs, draws=37):
    rng = np.random.default_rng(9)
    weights = array(rng, 0.1, 1, "sex", "age")
    totals = array(rng, -9e3, 9e3, "draw", "country", "period", draw=range(draws))
    level = array(rng, 0.8, 1.2, "draw", "period", draw=range(draws))
    return inputs | {
        "migration": totals,
        "migration_schedule": weights / weights.sum(),
        "fertility": inputs["fertility"] * level,
    }


@pytest.mark.parametrize(
    "more", [{}, {"age_groups": [0, 15, 65], "keep": ["population", "births"]}]
)
def test_quantiles_over_draws(inputs, more):
    wanted = [0.025, 0.25, 0.5, 0.9]
    drawn = ensemble(inputs)
    full = mp.project_population(**drawn, **more)
    result = mp.project_population(**drawn, **more, quantiles=wanted)
    assert set(result.data_vars) == set(full.data_vars)
    assert result["population"].dims == ("country", "quantile", "time", "sex", "age")
    for name in set(full.data_vars) - {"n_negative", "n_survival_above_one"}:
        expected = full[name].quantile(wanted, dim="draw").transpose(*result[name].dims)
        xr.testing.assert_allclose(result[name], expected, rtol=1e-13)
        assert result[name].attrs["units"] == full[name].attrs["units"]
    assert (result["n_negative"] == full["n_negative"].sum("draw")).all()
    count = "n_survival_above_one"  # of ratios that are the same for all draws
    xr.testing.assert_identical(result[count], full[count])


@pytest.mark.parametrize("more", [{}, {"keep": ["births", "deaths"]}, {"dtype": "float32"}])
@pytest.mark.parametrize("size", [1, 60_000])
def test_quantiles_a_few_periods_at_a_time(inputs, monkeypatch, more, size):
    """Draws are made for as many periods as fit some memory: one at least, all if they do."""
    drawn = ensemble(inputs)
    whole = mp.project_population(**drawn, **more, quantiles=[0.1, 0.5, 0.9])
    runs = []
    run = _jit.run
    monkeypatch.setattr(_jit, "run", lambda *args, **kw: (runs.append(1), run(*args, **kw))[1])
    mp.project_population(**drawn, **more, quantiles=[0.1, 0.5, 0.9])
    at_once = len(runs)
    monkeypatch.setattr(_apply, "_RUN", size)
    result = mp.project_population(**drawn, **more, quantiles=[0.1, 0.5, 0.9])
    assert len(runs) > 2 * at_once
    xr.testing.assert_identical(result, whole)


def test_quantiles_one_country_at_a_time_or_all(inputs):
    drawn = ensemble(inputs)
    together = mp.project_population(**drawn, quantiles=[0.1, 0.5])
    for country in COUNTRIES:
        one = {
            name: a.sel(country=[country]) if "country" in getattr(a, "dims", ()) else a
            for name, a in drawn.items()
        }
        alone = mp.project_population(**one, quantiles=[0.1, 0.5])
        xr.testing.assert_identical(alone, together.sel(country=[country]))


def test_quantiles_of_lazy_draws(inputs):
    drawn = ensemble(inputs)
    eager = mp.project_population(**drawn, quantiles=[0.5], keep=["population"])
    lazy = drawn | {"migration": drawn["migration"].chunk(country=1)}
    result = mp.project_population(**lazy, quantiles=[0.5], keep=["population"])
    assert result["population"].chunks is not None
    xr.testing.assert_identical(result.compute(), eager)
    split = drawn | {"migration": drawn["migration"].chunk(draw=10)}
    with says(mp.SchemaError, "migration totals: dim 'draw' is split into 4 dask chunks"):
        mp.project_population(**split, quantiles=[0.5])


def test_a_missing_draw_is_missing_in_its_country_alone(inputs):
    drawn = ensemble(inputs)
    drawn["migration"] = drawn["migration"].copy()
    drawn["migration"].loc[{"country": "BOL", "draw": 3, "period": 2010}] = np.nan
    result = mp.project_population(**drawn, quantiles=[0.5])
    missing = result["population"].isnull().any(["quantile", "sex", "age"])
    assert missing.sel(country="BOL").values.tolist() == [False, False, False, True, True]
    assert not missing.sel(country=["ARG", "CHL"]).any()


def test_quantiles_that_are_none(inputs):
    with says(mp.SchemaError, "quantiles: expected the dim 'draw'", "drop quantiles="):
        mp.project_population(**inputs, quantiles=[0.5])
    drawn = ensemble(inputs)
    for odd in ([5, 50, 95], [], ["median"], [[0.5]]):
        with says(mp.SchemaError, "quantiles: expected numbers from 0 to 1"):
            mp.project_population(**drawn, quantiles=odd)
    with says(mp.SchemaError, "quantiles: expected ascending"):
        mp.project_population(**drawn, quantiles=[0.5, 0.1])


# --- storage in float32


def assert_cast(got, want):
    """The same numbers, coordinates and units, floats rounded once and counts as they are."""
    for name, array in want.data_vars.items():
        counts = array.dtype.kind == "i"
        assert got[name].dtype == (array.dtype if counts else np.float32)
        xr.testing.assert_identical(got[name], array if counts else array.astype(np.float32))
    assert set(got.data_vars) == set(want.data_vars)


@pytest.mark.parametrize("dtype", ["float32", np.float32, np.dtype("f4")])
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"keep": ["population", "births"], "age_groups": [0, 15, 65]},
        {"quantiles": [0.025, 0.5]},
        {"quantiles": [0.5], "keep": "population", "age_groups": [0, 15, 65]},
        {"on_negative": "limit"},
    ],
)
def test_float32_is_the_float64_result_rounded(inputs, more, dtype):
    drawn = ensemble(inputs)
    full = mp.project_population(**drawn, **more)
    assert_cast(mp.project_population(**drawn, **more, dtype=dtype), full)
    xr.testing.assert_identical(mp.project_population(**drawn, **more, dtype=float), full)


@pytest.mark.parametrize("buffer", [1, 200_000])  # bytes: a row at a time, a few
@pytest.mark.parametrize("threads", [1, 2])
def test_float32_by_any_number_of_rows_and_threads(inputs, monkeypatch, buffer, threads):
    drawn = ensemble(inputs, draws=61)  # 183 rows: enough for two threads
    full = mp.project_population(**drawn)
    monkeypatch.setattr(_jit, "_BUFFER", buffer)
    monkeypatch.setenv("MIGPROJ_NUM_THREADS", str(threads))
    assert_cast(mp.project_population(**drawn, dtype="float32"), full)


def test_float32_counts_negative_populations_of_float64(inputs):
    inputs["migration"] = inputs["migration"] - 2e4
    with pytest.warns(mp.DataQualityWarning, match="negative population in"):
        full = mp.project_population(**inputs)
    with pytest.warns(mp.DataQualityWarning, match="negative population in"):
        result = mp.project_population(**inputs, dtype="float32")
    assert full["n_negative"].sum() > 0
    assert_cast(result, full)


@pytest.mark.parametrize("more", [{}, {"quantiles": [0.1, 0.5]}])
def test_float32_of_lazy_input(inputs, more):
    drawn = ensemble(inputs)
    full = mp.project_population(**drawn, **more)
    lazy = drawn | {"migration": drawn["migration"].chunk(country=1)}
    result = mp.project_population(**lazy, **more, dtype="float32")
    assert result["population"].data._meta.dtype == np.float32
    assert result["n_negative"].data._meta.dtype == np.int64
    assert_cast(result.compute(), full)


def peak_of(call):
    """Bytes allocated at once during a call, beyond those before it."""
    call()  # compiles
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        result = call()
        return tracemalloc.get_traced_memory()[1] - before, result.nbytes
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("threads", [1, 2])
def test_float32_takes_half_the_memory(inputs, monkeypatch, threads):
    """At no time are there more than the outputs and the buffers: no float64 copy of the whole."""
    monkeypatch.setenv("MIGPROJ_NUM_THREADS", str(threads))
    buffer = 2**17
    monkeypatch.setattr(_jit, "_BUFFER", buffer)
    drawn = ensemble(inputs, draws=1000)
    wide, full = peak_of(lambda: mp.project_population(**drawn))
    narrow, half = peak_of(lambda: mp.project_population(**drawn, dtype="float32"))
    assert half < 0.51 * full
    assert narrow < 0.6 * wide
    # Beyond the outputs and what the float64 run takes beside its own: a buffer a thread, as much
    # again where NumPy casts it, and which row of it each row of the batch is.
    rows = 8 * drawn["migration"].sizes["draw"] * len(COUNTRIES)
    assert narrow < half + (wide - full) + threads * (2 * buffer + 2 * rows) + 2**16


def test_types_that_are_none(inputs):
    for odd in ("float16", "int64", ">f4", None, "single precision", 32, object):
        with says(mp.SchemaError, "dtype: expected 'float64' or 'float32'", f"got {odd!r}"):
            mp.project_population(**inputs, dtype=odd)


def says(error, *parts):
    return pytest.raises(error, match="(?s)" + ".*".join(parts))


def test_what_cannot_be_kept(inputs):
    with says(mp.SchemaError, "keep: expected some of", "'population'", r"got \['popluation'\]"):
        mp.project_population(**inputs, keep=["popluation"])
    with says(mp.SchemaError, "keep: expected some of", r"got \[\]"):
        mp.project_population(**inputs, keep=[])
    with says(mp.SchemaError, "keep: 'deaths'", "separation="):
        mp.project_population(**(inputs | {"separation": None}), keep=["deaths"])


def test_age_groups_that_cut_groups(inputs):
    with says(mp.SchemaError, r"bound\(s\) \[18\] fall inside groups of population"):
        mp.project_population(**inputs, age_groups=[0, 18, 65])
    with says(mp.SchemaError, "groups from 0 to inf", "got 15 to inf", "lost"):
        mp.project_population(**inputs, age_groups=[15, 65])


def test_shares_that_are_none(inputs):
    counts = inputs["migration"]
    totals = counts.sum(["sex", "age"])
    odd = (counts / totals).copy()
    odd[2, 1] *= 1.1
    with says(mp.SchemaError, "migration_schedule", "sum to 1 over sex and age, got 1.1", "CHL"):
        mp.project_population(**(inputs | {"migration": totals, "migration_schedule": odd}))
    with says(mp.SchemaError, "migration: the dim 'age' is not expected", "migration_schedule"):
        mp.project_population(**(inputs | {"migration_schedule": odd}))
    with says(mp.SchemaError, "migration_schedule: given without migration"):
        mp.project_population(**(inputs | {"migration": None, "migration_schedule": odd}))
    rates = inputs["fertility"]
    with says(mp.SchemaError, "fertility: the dim 'age' is not expected", "children per woman"):
        mp.project_population(**inputs, fertility_pattern=rates)
    with says(mp.SchemaError, "fertility_pattern", "sum to 1 over age"):
        mp.project_population(
            **(inputs | {"fertility": rates.sum("age"), "fertility_pattern": rates})
        )
    per_thousand = {
        "fertility": 2500 + 0 * rates.sum("age"),
        "fertility_pattern": rates / rates.sum("age"),
    }
    with says(mp.SchemaError, "fertility: expected children per woman", "got 2500", "ARG"):
        mp.project_population(**(inputs | per_thousand))


def test_totals_that_would_be_counted_for_every_country(inputs):
    counts = inputs["migration"]
    schedule = counts / counts.sum(["sex", "age"])
    one = counts.sum(["sex", "age"]).isel(country=0, drop=True)
    with says(mp.SchemaError, "migration: expected the dim", "'country'"):
        mp.project_population(**(inputs | {"migration": one, "migration_schedule": schedule}))


@pytest.mark.filterwarnings("ignore:life_table. mx = 0:migproj.DataQualityWarning")
def test_separation_factors_beside_a_group_without_deaths_are_taken():
    """There they are 1 up to rounding, on either side of it."""
    ages = [0, 1, *range(5, 105, 5)]
    mx = xr.DataArray(0.002 * np.exp(np.arange(22) / 6), dims="age", coords=mp.age_coords(ages))
    mx = mx.where(mx["age"] != 95, 0.0).expand_dims(sex=["female", "male"])
    table = mp.life_table(mx)
    people = xr.DataArray(
        np.full((2, 21), 100.0),
        dims=("sex", "age"),
        coords={"sex": ["female", "male"], **mp.age_coords(range(0, 105, 5))},
    )
    separation = mp.separation_factors(table, ages=people)
    assert float(abs(separation.sel(age=90) - 1).max()) < 1e-12
    fertility = xr.DataArray([0.1], dims="age", coords={"age": [20]})
    result = mp.project_population(
        people, mp.survival_ratios(table, ages=people), fertility, 1.05, separation=separation
    )
    deaths = result["deaths"].sum("age") - result["deaths_cohort"].sum("age")
    assert float(abs(deaths).max()) < 1e-9
