"""Populations by single years of age between two censuses."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import migproj as mp
from test_exact import stationary, table

COUNTRIES = ["ARG", "BOL", "VEN"]
FIRST, LAST = 1980.806011, 1991.367123


def says(error, *parts):
    return pytest.raises(error, match="(?s)" + ".*".join(parts))


@pytest.fixture
def rounds():
    rng = np.random.default_rng(3)
    people = stationary(table())
    by = xr.DataArray(
        rng.uniform(0.9, 1.1, (3, 2, 17)),
        dims=("country", "sex", "age"),
        coords={"country": COUNTRIES, "sex": ["female", "male"]},
    )
    start, end = people * by, people * by[::-1].assign_coords(country=COUNTRIES)
    return start.assign_coords(time=FIRST), end.assign_coords(time=LAST)


@pytest.fixture
def births():
    coords = {"country": COUNTRIES, "sex": ["female", "male"]}
    return xr.DataArray(np.full((3, 2), 1e6), dims=("country", "sex"), coords=coords)


@pytest.mark.parametrize(
    ("first", "last", "day"),
    [(FIRST, LAST, 0.0), (1980, 1990, 0.0), (1980.3, 1984.2, 0.5), (1980.5, 1990.5, 0.5)],
)
def test_a_closed_stationary_population_stays(first, last, day):
    """Nobody migrates, in any cell; each day has the population of the life table."""
    people, life_table = stationary(table()), table()
    result = mp.intercensal_population(
        people.assign_coords(time=first),
        people.assign_coords(time=last),
        life_table,
        xr.DataArray(1e5 * (last - first)),
        day=day,
    )
    assert np.abs(result["net_migration"]).max() < 1e-14 * people.sum() * people.sizes["age"]
    np.testing.assert_allclose(result["population"].sum("age"), people.sum(), rtol=1e-12)
    one = result["population"].isel(time=0).sel(age=slice(5, 60))
    np.testing.assert_allclose(
        result["population"].sel(age=slice(5, 60)), one.expand_dims(time=result["time"]), rtol=1e-10
    )
    assert result["time"].values.tolist() == [
        y + day for y in range(1980, 1992) if first + 0.01 < y + day < last - 0.01
    ]
    np.testing.assert_allclose(result["period_width"].sum(), last - first, atol=1e-5)


def test_stationary_of_demotools(reference):
    """Its mig_beta finds 26,830 emigrants in ten years in a closed stationary population, for it
    survives people by the ratios of half a year younger and births by the root of theirs. (The
    same counts of single ages and life table; ours are whole.)"""
    folder = reference / "demotools/rup"
    given = pd.read_csv(folder / "stationary_in.csv")
    theirs = pd.read_csv(folder / "stationary_out_mig_beta.csv")
    theirs = theirs[(theirs["date1"] == 2000) & (theirs["date2"] == 2010)]
    assert round(theirs["net_mig"].sum()) in (-26830, -26829)
    ages = mp.age_coords(given["age"].to_numpy())
    lived = given["nLx"].to_numpy()
    life_table = xr.Dataset(
        {
            "lx": ("age", given["lx"].to_numpy()),
            "Tx": ("age", np.cumsum(lived[::-1])[::-1].copy()),
        },
        ages,
    )
    counts = given["c1"].dropna().to_numpy()  # to 100 and over
    people = xr.DataArray(counts, dims="age", coords=mp.age_coords(range(len(counts))))
    radix = float(given["lx"][0])
    result = mp.intercensal_population(
        people.assign_coords(time=2000),
        people.assign_coords(time=2010),
        life_table,
        xr.DataArray(10 * radix),
    )
    assert np.abs(result["net_migration"]).max() < 1e-12 * people.sum()
    at_home = result["population"].isel(age=slice(-1))
    want = people.isel(age=slice(at_home.sizes["age"])).values  # single ages
    np.testing.assert_allclose(at_home, np.broadcast_to(want, at_home.shape), rtol=1e-9)


SINGLE = [str(x) for x in range(80)] + ["80+"]


def single(factor=1.0):
    """A life table of single years, death rates times a factor."""
    rates = 0.02 * np.exp(-3.0 * np.arange(81)) + 0.0002 * np.exp(0.085 * np.arange(81))
    mx = xr.DataArray(factor * rates, dims="age", coords=mp.age_coords(SINGLE))
    return mp.life_table(mx.assign_coords(sex="female")).drop_vars("sex")


def test_life_tables_by_period():
    """A closed population under changing mortality has no migrants; under the mean it has."""
    tables = [single(1.0), single(0.5)]
    start = tables[0]["Lx"] * (1 + 0.3 * np.sin(np.arange(81))) * 1e5
    people, came = start, xr.DataArray(0.0)
    for life_table in tables:
        ratios = mp.survival_ratios(life_table, ages=people, interval=5)
        bare = people.values
        aged = np.append(bare[:-6], bare[-6:].sum())  # arrive at 5, 6, ... 80+
        young = ratios.values[:5] * 1e5
        people = people.copy(data=np.append(young, ratios.values[5:] * aged))
        came = came + 5e5
    dated = {"start": start.assign_coords(time=1980), "end": people.assign_coords(time=1990)}
    both = xr.concat(tables, "period").assign_coords(period=[1980, 1985])
    result = mp.intercensal_population(**dated, life_table=both, births=came)
    # Of the oldest (the last group) the ages at the start are taken from the life table.
    assert np.abs(result["net_migration"].isel(age=slice(-1))).max() < 1e-12 * people.sum()
    wrong = mp.intercensal_population(**dated, life_table=tables[0], births=came)
    assert wrong["net_migration"].sum() > 1e-3 * people.sum()
    with says(mp.IntervalError, "life_table: dim 'period'", "1980 to 1990"):
        late = both.assign_coords(period=[1982, 1985])
        mp.intercensal_population(**dated, life_table=late, births=came)


@pytest.mark.parametrize(("first", "last", "day"), [(1980, 1990, 0.0), (1980.3, 1984.2, 0.5)])
def test_deaths_of_a_closed_stationary_population(first, last, day):
    life_table = single()
    lived = life_table["Lx"] * 1e5
    years = np.arange(1979.0, 1992.0) + day
    deaths = (life_table["lx"] - life_table["lx"].shift(age=-1, fill_value=0.0)) * 1e5
    result = mp.intercensal_population(
        lived.assign_coords(time=first),
        lived.assign_coords(time=last),
        life_table,
        xr.DataArray(1e5 * (last - first)),
        deaths=deaths.expand_dims(period=years),
        day=day,
    )
    assert np.abs(result["net_migration"]).max() < 1e-6 * lived.sum()


def test_deaths_counted(rounds, births):
    """Change = births - deaths + net migration, in all and for each country."""
    start, end = rounds
    rng = np.random.default_rng(5)
    deaths = xr.DataArray(
        rng.uniform(0, 100, (3, 12, 2, 81)),
        dims=("country", "period", "sex", "age"),
        coords={
            "country": COUNTRIES,
            "period": np.arange(1980.0, 1992.0),
            "sex": ["female", "male"],
            **mp.age_coords(SINGLE),
        },
    )
    result = mp.intercensal_population(start, end, table(), births, deaths=deaths)
    within = np.ones(12)
    within[0], within[-1] = 1981 - FIRST, LAST - 1991
    # Of the parts of years those that are lived within the interval, more of the young.
    died = (deaths * xr.DataArray(within, dims="period")).sum(["period", "age"])
    change = (end - start).sum("age") - births + died
    net = result["net_migration"].sum(["period", "age"])
    np.testing.assert_allclose(net, change, rtol=2e-3)
    whole = mp.intercensal_population(
        start.assign_coords(time=1981),
        end.assign_coords(time=1991),
        table(),
        births,
        deaths=deaths,
    )
    died = deaths.isel(period=slice(1, 11)).sum(["period", "age"])
    np.testing.assert_allclose(
        whole["net_migration"].sum(["period", "age"]),
        (end - start).sum("age") - births + died,
        rtol=1e-11,
    )
    inner = whole["population"].sum("age")
    moved = whole["net_migration"].sum("age").isel(period=slice(1, -1))
    steps = births / 10 - deaths.isel(period=slice(2, 10)).sum("age")
    np.testing.assert_allclose(
        inner.diff("time").transpose("country", "time", "sex"),
        (moved + steps.transpose("country", "period", "sex")).transpose("country", "period", "sex"),
        rtol=0,
        atol=1e-3,
    )


def test_deaths_that_are_none(rounds, births):
    start, end = rounds
    ages = mp.age_coords(SINGLE)
    years = np.arange(1980.0, 1992.0)
    none = xr.DataArray(
        np.zeros((12, 81)), dims=("period", "age"), coords={"period": years, **ages}
    )
    none = none * xr.ones_like(births)
    with says(mp.IntervalError, "deaths: dim 'period'", r"1985"):
        mp.intercensal_population(
            start, end, table(), births, deaths=none.sel(period=years != 1985)
        )
    with says(mp.AlignmentError, "deaths: dim 'age'", "single years", "80 or older"):
        wide = mp.regroup_ages(none, range(0, 85, 5))
        mp.intercensal_population(start, end, table(), births, deaths=wide)
    with says(mp.SchemaError, "deaths"):
        mp.intercensal_population(start, end, table(), births, deaths=none - 1)
    many = none + 1e6
    with pytest.warns(mp.DataQualityWarning, match="more deaths than people"):
        result = mp.intercensal_population(start, end, table(), births, deaths=many)
    assert (result["population"] < 0).any()


def test_it_closes_on_both_rounds_where_nobody_dies(rounds, births):
    """Without deaths what there is at the end is what there was, births and net migration."""
    start, end = rounds
    mx = xr.DataArray(
        [1e-12] * 17 + [0.05], dims="age", coords=mp.age_coords([0, 1, *range(5, 85, 5)])
    )
    eternal = mp.life_table(mx.assign_coords(sex="female")).drop_vars("sex")
    result = mp.intercensal_population(start, end, eternal, births)
    young = [0, 60]
    net = result["net_migration"].sel(age=slice(*young))
    assert net.dims == ("country", "period", "sex", "age")
    # Everyone under 60 at the end of the year they reach it in is followed from the start.
    cohort = result["population"].isel(time=0).sel(age=30)
    later = result["population"].isel(time=5).sel(age=35)
    joined = sum(net.isel(period=1 + k).sel(age=31 + k) for k in range(5))
    # to 1e-12 of the 5 million people interpolated
    np.testing.assert_allclose(later - cohort, joined, rtol=0, atol=5e-6)
    newborn = result["population"].isel(time=3).sel(age=0)
    of_year = births / (LAST - FIRST) + net.isel(period=3).sel(age=0)
    np.testing.assert_allclose(newborn, of_year, rtol=1e-9)


def test_the_rounds_of_the_cohorts_are_met(rounds, births):
    """Survived over the last span with its net migration the last day is the second round."""
    start, end = rounds
    life_table = table()
    result = mp.intercensal_population(start, end, life_table, births)
    last = result["population"].isel(time=-1)
    span = LAST - 1991
    # Cohorts by age reached: at the end they are slices of the second round.
    from migproj.survival import ratios_of, slices_of

    ages = np.arange(20, 60)
    slices = slices_of("end", end, life_table, ages - 1 + span, "spline").isel(age=slice(-1))
    alive = ratios_of(
        life_table, ages[:-1] - 1 + span, ages[:-1] + span, ages[:-1] - 1.0, ages[:-1] + 0.0
    )
    before = last.sel(age=slice(19, 57)).drop_vars(["age", "age_width"])
    net = result["net_migration"].isel(period=-1).sel(age=slice(20, 58))
    got = before * alive + net.drop_vars(["age", "age_width"])
    np.testing.assert_allclose(got.transpose(*slices.dims), slices, rtol=1e-9)


def test_births_by_year(rounds, births):
    start, end = rounds
    years = np.arange(1980.0, 1992.0)
    rate = births / (LAST - FIRST)
    by_year = rate.expand_dims(period=years)
    want = mp.intercensal_population(start, end, table(), births)
    got = mp.intercensal_population(start, end, table(), by_year)
    for name in ("population", "net_migration"):
        np.testing.assert_allclose(got[name], want[name], rtol=1e-9, atol=1e-6)
    with says(mp.IntervalError, "births: dim 'period'", "1980 to 1991", r"1985"):
        mp.intercensal_population(start, end, table(), by_year.sel(period=years != 1985))


def test_each_country_alone_and_dims_in_any_order(rounds, births):
    start, end = rounds
    result = mp.intercensal_population(start, end, table(), births)
    assert result["population"].dims == ("country", "time", "sex", "age")
    for country in COUNTRIES:
        one = mp.intercensal_population(
            *(a.sel(country=country) for a in (start, end)), table(), births.sel(country=country)
        )
        got = result.sel(country=country)
        for name in one.data_vars:
            np.testing.assert_array_equal(got[name], one[name])
    holed = start.copy()
    holed[{"country": 1, "sex": 0, "age": 3}] = np.nan
    part = mp.intercensal_population(holed, end, table(), births)
    xr.testing.assert_identical(
        part["population"].sel(country=["ARG", "VEN"]),
        result["population"].sel(country=["ARG", "VEN"]),
    )
    lazy = start.chunk(country=1)
    again = mp.intercensal_population(lazy, end, table(), births)
    xr.testing.assert_identical(again.compute()["population"], result["population"])


def test_more_who_left_than_there_were(rounds, births):
    """A cohort that is gone at the second round goes year by year: nobody is fewer than 0."""
    start, end = rounds
    few = end.copy()
    few[{"country": 0, "sex": 0, "age": slice(3, 9)}] = 0.0
    result = mp.intercensal_population(start, few, table(), births)
    assert (result["population"] >= 0).all()
    gone = result["population"].sel(country="ARG", sex="female").isel(time=-1)
    assert (gone.sel(age=slice(20, 40)) < 0.1 * result["population"].isel(time=-1).max()).all()


def test_rounds_that_are_none(rounds, births):
    start, end = rounds
    with says(mp.IntervalError, "interval: unknown"):
        mp.intercensal_population(start.drop_vars("time"), end, table(), births)
    with says(mp.IntervalError, "must come after"):
        mp.intercensal_population(end, start, table(), births)
    with says(mp.IntervalError, "day: expected one between the rounds"):
        mp.intercensal_population(
            start.assign_coords(time=1980.2), end.assign_coords(time=1980.9), table(), births
        )
    with says(mp.SchemaError, "day: expected a part of a year", "1.5"):
        mp.intercensal_population(start, end, table(), births, day=1.5)
    with says(mp.AlignmentError, "start: dim 'age': expected everyone"):
        mp.intercensal_population(start.isel(age=slice(1, None)), end, table(), births)
    with says(mp.SchemaError, "interpolation", "'linear'"):
        mp.intercensal_population(start, end, table(), births, interpolation="linear")
    with says(mp.SchemaError, "births", "'country'"):
        mp.intercensal_population(start, end, table(), births.sum())
    dead = table().copy(deep=True)
    dead["Tx"][{"age": slice(17, None)}] = 0.0
    with says(mp.AlignmentError, "life_table", "nobody lives to the open-ended group 80"):
        mp.intercensal_population(start, end, dead, births)
