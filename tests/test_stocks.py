"""Migrant stocks by birthplace, the native-born, and the whole they make."""

import numpy as np
import pytest
import xarray as xr

import migproj as mp

AGES = mp.age_coords(range(0, 85, 5))
SEXES = ["female", "male"]
PLACES = ["north", "south", "overseas"]
RNG = np.random.default_rng(2024)


def array(low, high, *dims, **extra):
    labels = {"birthplace": PLACES, "sex": SEXES, "period": [2000.0, 2005.0, 2010.0]}
    shape = [AGES["age"].size if dim == "age" else len(labels[dim]) for dim in dims]
    coords = {dim: labels[dim] for dim in dims if dim != "age"}
    if "age" in dims:
        coords |= dict(AGES)
    return xr.DataArray(RNG.uniform(low, high, shape), dims=dims, coords=coords | extra)


@pytest.fixture
def case():
    return {
        "stock": array(100, 1000, "birthplace", "sex", "age", time=2000.0),
        "survival": array(0.5, 0.99, "period", "sex", "age"),
        "arrivals": array(0, 100, "period", "birthplace", "sex", "age"),
        "emigration": array(0, 0.05, "period", "birthplace", "sex", "age"),
    }


@pytest.mark.parametrize("timing", ["end", "even", "midpoint"])
def test_the_change_of_a_stock(case, timing):
    result = mp.project_stocks(**case, timing=timing)
    total = result["stock"].sum("age")
    change = total.diff("time").rename(time="period").assign_coords(period=result["period"])
    gained = result["arrivals"] - result["deaths_cohort"] - result["emigrants"]
    np.testing.assert_allclose(
        change.transpose("birthplace", "period", "sex"), gained.sum("age"), rtol=1e-11
    )
    assert (result["emigrants"].sel(age=slice(5, None)) > 0).all()
    assert (result["deaths_cohort"].sel(age=slice(5, None)) > 0).all()
    assert result["stock"].dims == ("birthplace", "time", "sex", "age")
    assert result["arrivals"].dims == ("birthplace", "period", "sex", "age")


def test_nobody_is_born_into_a_stock(case):
    result = mp.project_stocks(case["stock"], case["survival"])
    assert (result["stock"].isel(time=1).sel(age=0) == 0).all()
    assert (result["stock"].isel(time=2).sel(age=[0, 5]) == 0).all()


def test_emigration_alone_is_an_exponential(case):
    alive = xr.ones_like(case["survival"])
    hazard = xr.full_like(alive, 0.02)
    result = mp.project_stocks(case["stock"], alive, emigration=hazard)
    left = result["stock"].isel(time=3).sum("age") / case["stock"].sum("age")
    np.testing.assert_allclose(left, np.exp(-0.02 * 15), rtol=1e-12)
    np.testing.assert_allclose(result["deaths_cohort"], 0, atol=1e-12)


def test_deaths_and_emigrants_share_losses_by_their_hazards(case):
    survival = xr.full_like(case["survival"], np.exp(-5 * 0.03))
    hazard = xr.full_like(survival, 0.01)
    result = mp.project_stocks(case["stock"], survival, emigration=hazard)
    older = result.sel(age=slice(5, None))
    np.testing.assert_allclose(older["deaths_cohort"], 3 * older["emigrants"], rtol=1e-12)


def test_native_born_are_the_complement():
    population = array(1e5, 2e5, "sex", "age", time=2000.0)
    survival = array(0.5, 0.99, "period", "sex", "age")
    fertility = xr.DataArray(np.full(7, 0.1), dims="age", coords={"age": range(15, 50, 5)})
    stock = array(100, 1000, "birthplace", "sex", "age", time=2000.0)
    arrivals = array(0, 100, "period", "birthplace", "sex", "age")
    whole = mp.project_population(
        population, survival, fertility, 1.05, arrivals.sum("birthplace"), timing="end"
    )
    result = mp.project_stocks(
        stock, survival, arrivals, timing="end", population=whole["population"]
    )
    native = result["native_born"]
    assert native.dims == ("time", "sex", "age")
    assert native.attrs["units"] == "persons"
    parts = native + result["stock"].sum("birthplace")
    np.testing.assert_allclose(parts, whole["population"], rtol=1e-12)
    # All children born in the country are natives: their own projection without migration,
    # but for the births of foreign-born mothers.
    own = mp.project_population(native.isel(time=0), survival, fertility, 1.05, timing="end")
    np.testing.assert_allclose(
        native.isel(time=1).sel(age=slice(5, None)),
        own["population"].isel(time=1).sel(age=slice(5, None)),
        rtol=1e-12,
    )


def test_more_foreign_born_than_people_is_named():
    stock = array(100, 1000, "birthplace", "sex", "age", time=2000.0)
    population = 2 * stock.sum("birthplace").expand_dims(time=[2000.0, 2005.0])
    population = population + 5000
    population.loc[{"time": 2005.0, "sex": "male", "age": 30}] = 1.0
    survival = array(0.9, 0.99, "sex", "age")
    with pytest.warns(mp.DataQualityWarning, match="native-born below 0.*sex=male, age=30"):
        mp.project_stocks(stock, survival, population=population)


def test_native_born_need_birthplaces():
    stock = array(100, 1000, "sex", "age", time=2000.0)
    with pytest.raises(mp.SchemaError, match=r"stock: expected the dim 'birthplace'"):
        mp.project_stocks(stock, array(0.9, 0.99, "sex", "age"), population=stock)


def test_a_population_of_other_instants():
    stock = array(100, 1000, "birthplace", "sex", "age", time=2000.0)
    other = stock.sum("birthplace").expand_dims(time=[2000.0, 2010.0])
    with pytest.raises(mp.AlignmentError, match=r"population: dim 'time'.*2010"):
        mp.project_stocks(stock, array(0.9, 0.99, "sex", "age"), population=other)


def test_timing_by_country():
    stock = array(100, 1000, "birthplace", "sex", "age", time=2000.0)
    survival = array(0.5, 0.99, "sex", "age")
    arrivals = array(0, 100, "birthplace", "sex", "age")
    by_place = xr.DataArray(
        ["end", "even", "midpoint"], dims="birthplace", coords={"birthplace": PLACES}
    )
    mixed = mp.project_stocks(stock, survival, arrivals, timing=by_place)["stock"]
    for place, timing in zip(PLACES, by_place.values, strict=True):
        alone = mp.project_stocks(stock, survival, arrivals, timing=timing)["stock"]
        xr.testing.assert_identical(mixed.sel(birthplace=place), alone.sel(birthplace=place))


@pytest.mark.parametrize(
    "keep", [["stock"], ["emigrants"], ["deaths_cohort", "arrivals"], "arrivals"]
)
@pytest.mark.parametrize("timing", ["end", "even", "midpoint"])
def test_only_what_is_kept_is_returned(case, timing, keep):
    full = mp.project_stocks(**case, timing=timing)
    result = mp.project_stocks(**case, timing=timing, keep=keep)
    names = [keep] if isinstance(keep, str) else keep
    assert set(result.data_vars) == {*names, "n_negative", "n_survival_above_one"}
    for name in names:
        xr.testing.assert_identical(result[name], full[name])
    assert ("time" in result.coords) == ("stock" in names)


def test_what_cannot_be_kept(case):
    with pytest.raises(mp.SchemaError, match=r"keep: expected some of .*'arrivals'.*'births'"):
        mp.project_stocks(**case, keep=["births"])
    people = case["stock"].sum("birthplace").expand_dims(time=[2000.0, 2005, 2010, 2015])
    with pytest.raises(mp.SchemaError, match="keep: expected 'stock' among them, for the native"):
        mp.project_stocks(**case, population=people, keep=["emigrants"])


@pytest.mark.parametrize("timing", ["end", "even", "midpoint"])
def test_stocks_and_native_born_are_the_population_of_the_engine(case, timing):
    """The native-born projected on their own, with all births, and the stocks make the whole."""
    del case["emigration"]
    survival, arrivals = case["survival"], case["arrivals"]
    natives = array(1e4, 1e5, "sex", "age", time=2000.0)
    native_migration = array(-300, 100, "period", "sex", "age")
    rates = xr.DataArray(np.full(7, 0.1), dims="age", coords={"age": range(15, 50, 5)})
    whole = mp.project_population(
        natives + case["stock"].sum("birthplace"),
        survival,
        rates,
        1.05,
        native_migration + arrivals.sum("birthplace"),
        timing=timing,
    )
    stocks = mp.project_stocks(
        case["stock"], survival, arrivals, timing=timing, population=whole["population"]
    )
    total = stocks["stock"].sum("birthplace") + stocks["native_born"]
    np.testing.assert_allclose(total, whole["population"].transpose(*total.dims), rtol=1e-14)
    # Births of all mothers are native-born: those above the youngest ages do not know of them,
    # and are what the natives alone come to.
    alone = mp.project_population(natives, survival, rates, 1.05, native_migration, timing=timing)[
        "population"
    ]
    older = {"age": slice(15, None)}
    np.testing.assert_allclose(
        stocks["native_born"].sel(older), alone.transpose(*total.dims).sel(older), rtol=1e-11
    )
    born = whole["births"].sum("mother_age") - mp.project_population(
        natives, survival, rates, 1.05, native_migration, timing=timing
    )["births"].sum("mother_age")
    first = survival.isel(period=0).sel(age=0, drop=True) * born.isel(period=0, drop=True)
    gained = (stocks["native_born"] - alone).isel(time=1).sel(age=0, drop=True)
    np.testing.assert_allclose(gained, first.transpose(*gained.dims), rtol=1e-9)


def test_dims_of_the_native_born_and_of_vital_statistics(case):
    """Batch dims first, then time, sex and age, also for dims that only one input has."""
    draws = xr.DataArray([50.0, 60.0], dims="draw", coords={"draw": [0, 1]})
    whole = mp.project_stocks(**case)["stock"].sum("birthplace") * draws
    result = mp.project_stocks(**case, population=whole)
    assert result["native_born"].dims == ("draw", "time", "sex", "age")
    start, end = (whole.isel(time=k, drop=True) for k in (0, 1))
    births = start.sum("age").isel(draw=0, drop=True)
    total = mp.net_migration_vital(start.sum("age"), end.sum("age"), births, births * draws)
    assert total.dims == ("draw", "sex")
    dead = start.isel(draw=0, drop=True).drop_vars("age_width")
    cohorts = mp.net_migration_vital(
        start.isel(draw=0, drop=True), end.isel(draw=0, drop=True), births, dead * draws, interval=5
    )
    assert cohorts.dims == ("draw", "sex", "age")


# --- storage in float32


def kept_of(result, dtype):
    return {
        name: array if array.dtype.kind == "i" else array.astype(dtype)
        for name, array in result.data_vars.items()
    }


@pytest.mark.parametrize("keep", [None, ["stock"], ["deaths_cohort", "emigrants"]])
@pytest.mark.parametrize("timing", ["end", "even", "midpoint"])
def test_float32_is_the_float64_result_rounded(case, timing, keep):
    full = mp.project_stocks(**case, timing=timing, keep=keep)
    result = mp.project_stocks(**case, timing=timing, keep=keep, dtype="float32")
    assert set(result.data_vars) == set(full.data_vars)
    for name, array in kept_of(full, np.float32).items():
        assert result[name].dtype == array.dtype
        xr.testing.assert_identical(result[name], array)
    assert result["n_negative"].dtype == np.int64


def test_float32_of_lazy_stocks(case):
    full = mp.project_stocks(**case)
    lazy = case | {"stock": case["stock"].chunk(birthplace=1)}
    result = mp.project_stocks(**lazy, dtype="float32")
    assert result["stock"].data._meta.dtype == np.float32
    assert result["n_negative"].data._meta.dtype == np.int64
    for name, array in kept_of(full, np.float32).items():
        xr.testing.assert_identical(result[name].compute(), array)


def test_native_born_in_float32_are_the_complement_of_the_stocks_as_stored(case):
    people = xr.DataArray(
        np.full((4, 2, AGES["age"].size), 1e5),
        dims=("time", "sex", "age"),
        coords={"time": [2000.0, 2005.0, 2010.0, 2015.0], "sex": SEXES, **AGES},
    )
    full = mp.project_stocks(**case, population=people)
    result = mp.project_stocks(**case, population=people, dtype="float32")
    native = result["native_born"]
    abroad = result["stock"].sum("birthplace", dtype=np.float64)
    xr.testing.assert_equal(native, (people - abroad).astype(np.float32))
    assert native.dtype == np.float32
    # Each stock, and then their complement, is rounded by at most half a digit of its own.
    rounding = np.finfo(np.float32).eps / 2
    error = rounding * (full["stock"].sum("birthplace") + full["native_born"])
    assert (np.abs(native.astype(float) - full["native_born"]) <= 1.001 * error).all()


def test_types_that_are_none(case):
    for odd in ("float16", "int32", None, "half"):
        with pytest.raises(mp.SchemaError, match="dtype: expected 'float64' or 'float32'"):
            mp.project_stocks(**case, dtype=odd)


# --- by duration of residence


@pytest.fixture
def by_duration(case):
    shares = xr.DataArray([0.5, 0.3, 0.2], dims="duration", coords={"duration": [0.0, 5.0, 10.0]})
    return case | {"stock": case["stock"] * shares, "emigration": case["emigration"] * shares}


@pytest.mark.parametrize("timing", ["end", "even", "midpoint"])
def test_the_change_of_a_stock_by_duration(by_duration, timing):
    result = mp.project_stocks(**by_duration, timing=timing)
    assert result["stock"].dims == ("birthplace", "time", "duration", "sex", "age")
    total = result["stock"].sum(["age", "duration"])
    change = total.diff("time").rename(time="period").assign_coords(period=result["period"])
    lost = (result["deaths_cohort"] + result["emigrants"]).sum("duration")
    gained = (result["arrivals"] - lost).sum("age")
    np.testing.assert_allclose(change.transpose(*gained.dims), gained, rtol=1e-11)
    # Those who have just come are in the first group of durations, and nobody else is.
    new = result["stock"].isel(time=1, duration=0)
    if timing == "end":
        arrivals = by_duration["arrivals"].isel(period=0).transpose(*new.dims)
        np.testing.assert_array_equal(new, arrivals)


def test_native_born_beside_stocks_by_duration(by_duration):
    whole = by_duration["stock"].sum(["birthplace", "duration"]) * 20
    whole = whole.expand_dims(time=[2000.0, 2005.0, 2010.0, 2015.0])
    result = mp.project_stocks(**by_duration, population=whole)
    parts = result["stock"].sum(["birthplace", "duration"]) + result["native_born"]
    np.testing.assert_allclose(parts, whole, rtol=1e-13)


def test_durations_that_are_none(by_duration, case):
    with pytest.raises(mp.SchemaError, match="emigration: has the dim 'duration', and stock has"):
        mp.project_stocks(**(by_duration | {"stock": case["stock"]}))
    odd = by_duration["stock"].assign_coords(duration=[0.0, 1.0, 5.0])
    text = r"stock: dim 'duration'.*\[0.0, 5.0, 10.0\].*got \[0.0, 1.0, 5.0\]"
    hazards = by_duration["emigration"].assign_coords(duration=[0.0, 1.0, 5.0])
    with pytest.raises(mp.SchemaError, match=text):
        mp.project_stocks(**(by_duration | {"stock": odd, "emigration": hazards}))
    with pytest.raises(mp.AlignmentError, match="'duration'"):
        mp.project_stocks(**(by_duration | {"stock": odd}))
    split = case["arrivals"].expand_dims(duration=by_duration["stock"]["duration"])
    with pytest.raises(mp.SchemaError, match="arrivals: the dim 'duration' is not expected"):
        mp.project_stocks(**(by_duration | {"arrivals": split}))
    with pytest.raises(mp.SchemaError, match="net_migration: not with a stock by duration"):
        mp.project_stocks(by_duration["stock"], case["survival"], net_migration=case["arrivals"])
