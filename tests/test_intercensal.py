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
