"""Births of an interval, children under ten and rounds at other instants: any input."""

import numpy as np
import pytest
import xarray as xr

import migproj as mp


def says(error, *parts):
    return pytest.raises(error, match="(?s)" + ".*".join(parts))


def by_year(first=1980, last=1991):
    years = np.arange(first, last + 1)
    coords = {"sex": ["female", "male"], "period": years}
    values = np.random.default_rng(1).uniform(100, 200, (2, len(years)))
    return xr.DataArray(values, dims=("sex", "period"), coords=coords)


def test_births_of_an_interval():
    births = by_year()
    got = mp.births_between(births, 1981, 1985)
    np.testing.assert_allclose(got, births.sel(period=slice(1981, 1984)).sum("period"))
    assert float(got["period_width"]) == 4
    assert got.attrs["units"] == "persons per period"
    start, end = "1980-10-22", "1991-05-15"
    first, last = mp.decimal_year(start), mp.decimal_year(end)
    want = births.sel(period=slice(1981, 1990)).sum("period")
    want = want + births.sel(period=1980) * (1981 - first) + births.sel(period=1991) * (last - 1991)
    np.testing.assert_allclose(mp.births_between(births, start, end), want, rtol=1e-12)
    # By the age group at the end; all of them are all.
    groups = mp.births_between(births, start, end, ages=range(0, 85, 5))
    assert groups["age"].values.tolist() == [0, 5, 10]
    np.testing.assert_allclose(groups.sum("age"), want, rtol=1e-12)
    youngest = mp.births_between(births, last - 5, end)
    np.testing.assert_allclose(groups.sel(age=0), youngest, rtol=1e-6)


def test_births_that_do_not_cover():
    births = by_year()
    with says(mp.IntervalError, "births_by_year: dim 'period'", "cover 1979 to 1985"):
        mp.births_between(births, 1979, 1985)
    with says(mp.IntervalError, "cover 1990 to 1992.5"):
        mp.births_between(births, 1990, 1992.5)
    with says(mp.IntervalError, "without a gap"):
        mp.births_between(births.sel(period=births["period"] != 1985), 1981, 1990)
    with says(mp.IntervalError, "end_date"):
        mp.births_between(births, 1990, 1985)
    with says(mp.SchemaError, "'period' has no labels"):
        mp.births_between(births.drop_vars("period"), 1981, 1990)
    with says(mp.SchemaError, "births_by_year"):
        mp.births_between(-births, 1981, 1990)


def rounds():
    values = np.random.default_rng(2).uniform(1, 9, (3, 4))
    coords = {"country": ["a", "b", "c"], "time": [1970, 1980, 1990, 2001.5]}
    return xr.DataArray(values, dims=("country", "time"), coords=coords)


@pytest.mark.parametrize("method", ["linear", "exponential", "power"])
def test_rounds_at_rounds_are_themselves(method):
    people = rounds()
    got = mp.interpolate_rounds(people, people["time"].values, method=method)
    np.testing.assert_allclose(got, people, rtol=1e-14)
    lazy = mp.interpolate_rounds(people.chunk(country=1), [1985, 1975.5], method=method)
    with says(mp.SchemaError, "dim 'time' is split into", "chunk"):
        mp.interpolate_rounds(people.chunk(time=1), [1985], method=method)
    eager = mp.interpolate_rounds(people.T, [1985, 1975.5], method=method)
    np.testing.assert_array_equal(lazy.compute(), eager.T)
    assert ((eager >= people.T.min("time")) & (eager <= people.T.max("time"))).all()


def test_growth_at_a_steady_rate():
    years = np.array([1980, 1990, 2000.0])
    steady = xr.DataArray(100 * np.exp(0.02 * (years - 1980)), dims="time", coords={"time": years})
    got = mp.interpolate_rounds(steady, [1975, 1983.7, 2010], extrapolate=True)
    np.testing.assert_allclose(got, 100 * np.exp(0.02 * (got["time"] - 1980)), rtol=1e-12)
    nobody = mp.interpolate_rounds(0 * steady, [1980, 1983.7])
    np.testing.assert_array_equal(nobody, 0.0)


def test_instants_that_are_none():
    people = rounds()
    with says(mp.IntervalError, "times: expected instants from 1970 to 2001.5", "1960"):
        mp.interpolate_rounds(people, [1960])
    with says(mp.IntervalError, "in order"):
        mp.interpolate_rounds(people.isel(time=[1, 0]), [1975])
    with says(mp.SchemaError, "method"):
        mp.interpolate_rounds(people, [1975], method="cubic")
    for power in (0, np.inf, np.nan):
        with says(mp.SchemaError, "power: expected a number above 0"):
            mp.interpolate_rounds(people, [1975], method="power", power=power)
    falling = people.copy(data=np.tile([9.0, 1, 0.5, 0.1], (3, 1)))
    with pytest.warns(mp.DataQualityWarning, match="counts below 0"):
        mp.interpolate_rounds(falling, [2030], method="linear", extrapolate=True)


@pytest.mark.parametrize("method", ["linear", "exponential", "power"])
def test_a_round_beside_a_missing_one(method):
    people = xr.DataArray(
        [[1.0, np.nan, 3.0, 4.0], [1.0, 2.0, np.nan, 4.0]],
        dims=("country", "time"),
        coords={"country": ["a", "b"], "time": [1970, 1980, 1990, 2000]},
    )
    got = mp.interpolate_rounds(people, [1970, 1975, 1980, 1985, 1990, 1995, 2000], method=method)
    np.testing.assert_array_equal(got.sel(time=people["time"].values), people)
    missing = got.isnull().sum("time")
    np.testing.assert_array_equal(missing, [3, 3])  # the round and both sides of it


def test_nobody_and_counts_beyond_the_rounds():
    people = xr.DataArray(
        [[0.0, 0.0], [0.0, 9.0], [100.0, 25.0]],
        dims=("country", "time"),
        coords={"country": ["none", "new", "falling"], "time": [1980, 1990]},
    )
    for method in ("linear", "exponential", "power"):
        got = mp.interpolate_rounds(
            people.sel(country=["none"]), [1970, 1985, 2010], method=method, extrapolate=True
        )
        np.testing.assert_array_equal(got, 0.0)
    with pytest.warns(mp.DataQualityWarning, match="without bound .*country=new, time=2000"):
        got = mp.interpolate_rounds(people, [1985, 2000], extrapolate=True)
    np.testing.assert_allclose(got, [[0, 0], [0, np.nan], [50, 6.25]])
    # The root goes on falling: 10, 5, 0, -5, and the count does not rise again.
    with pytest.warns(mp.DataQualityWarning, match="counts below 0 in .*falling, time=2010"):
        got = mp.interpolate_rounds(
            people.sel(country=["falling"]), [2000, 2010], method="power", extrapolate=True
        )
    np.testing.assert_allclose(got, [[0.0, -25.0]])


def test_children_that_cannot_be():
    ages = ["0", "1-4", *(f"{x}-{x + 4}" for x in range(5, 80, 5)), "80+"]
    mx = xr.DataArray(0.003 * np.exp(np.arange(18) / 5), dims="age", coords=mp.age_coords(ages))
    table = mp.life_table(mx.expand_dims(sex=["female", "male"]))
    people = table["Lx"] * 1000
    rates = xr.DataArray(
        np.full(7, 0.1), dims="age", coords=mp.age_coords(range(15, 50, 5), open_ended=False)
    )
    with says(mp.AlignmentError, "fertility: dim 'age'", "15-19 to 45-49"):
        mp.base_population(people, table, rates.isel(age=slice(6)), 1.05)
    with says(mp.AlignmentError, "population: dim 'age'", "0, 1-4, 5-9"):
        mp.base_population(mp.regroup_ages(people, range(0, 85, 5)), table, rates, 1.05)
    with says(mp.SchemaError, "sex_ratio_at_birth", "per female"):
        mp.base_population(people, table, rates, 105)
    with says(mp.AlignmentError, "sex"):
        mp.base_population(people, table.sel(sex=["male", "female"]), rates, 1.05)
    with says(mp.SchemaError, "before", "three instants"):
        mp.base_population(people, table.expand_dims(before=2), rates, 1.05)
    with says(mp.SchemaError, "fertility: dim 'before'", "three instants"):
        mp.base_population(people, table, rates.expand_dims(before=4), 1.05)
    with says(mp.AlignmentError, "fertility: dim 'before'", "7.5, 2.5, 0.5"):
        mp.base_population(people, table, rates.expand_dims(before=[7.5, 2.5, 0.5]), 1.05)


def test_children_of_other_countries():
    """Nothing is joined: tables and births of other countries are told."""
    ages = ["0", "1-4", *(f"{x}-{x + 4}" for x in range(5, 80, 5)), "80+"]
    mx = xr.DataArray(0.003 * np.exp(np.arange(18) / 5), dims="age", coords=mp.age_coords(ages))
    table = mp.life_table(mx.expand_dims(sex=["female", "male"]))
    people = table["Lx"] * 1000
    rates = xr.DataArray(
        np.full(7, 0.1), dims="age", coords=mp.age_coords(range(15, 50, 5), open_ended=False)
    )
    here, there = {"country": ["A", "B"]}, {"country": ["B", "C"]}
    ratio = xr.DataArray([1.05, 1.06], dims="country", coords=there)
    cases = {
        "life_table": (people.expand_dims(here), table.expand_dims(there), rates, 1.05),
        "fertility": (people, table.expand_dims(here), rates.expand_dims(there), 1.05),
        "sex_ratio_at_birth": (people, table.expand_dims(here), rates, ratio),
    }
    for name, arrays in cases.items():
        with says(mp.AlignmentError, f"{name}: dim 'country'", "1 missing: .'A'"):
            mp.base_population(*arrays)
    made = mp.base_population(people, table, rates, 1.05)
    of_two = people.expand_dims(here)
    lazy = mp.base_population(of_two.chunk(country=1), table, rates, 1.05)
    assert len(lazy.chunksizes["age"]) == 1
    xr.testing.assert_allclose(lazy.compute(), made.broadcast_like(of_two), rtol=1e-14)
    bare = mp.base_population(people.drop_vars("age_width"), table, rates, 1.05)
    xr.testing.assert_equal(bare, made)
