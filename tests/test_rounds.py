"""Several rounds at once, with their own dates."""

import numpy as np
import pytest
import xarray as xr

import migproj as mp
from test_exact import FIVE, stationary, table

COUNTRIES = ["ARG", "BOL", "VEN"]
TIMES = [1980.0, 1990.0, 2001.5]


def says(error, *parts):
    return pytest.raises(error, match="(?s)" + ".*".join(parts))


@pytest.fixture
def people():
    rng = np.random.default_rng(6)
    base = stationary(table()).values
    values = base * rng.uniform(0.8, 1.2, (3, 3, len(base)))
    coords = {"country": COUNTRIES, "time": TIMES, **FIVE}
    return xr.DataArray(values, dims=("country", "time", "age"), coords=coords)


@pytest.fixture
def births():
    values = [[9e5, 1.1e6], [8e5, 9e5], [1e6, 1.2e6]]
    coords = {"country": COUNTRIES, "period": TIMES[:2]}
    return xr.DataArray(values, dims=("country", "period"), coords=coords)


@pytest.mark.filterwarnings("ignore:net_migration. survival ratios below 0.3")
@pytest.mark.parametrize("method", ["forward", "average"])
def test_each_interval_is_that_of_two_rounds(people, births, method):
    result = mp.net_migration_rounds(people, table(), births=births, method=method)
    assert result["net_migration"].dims == ("country", "period", "age")
    assert result["period"].values.tolist() == TIMES[:2]
    assert result["period_width"].values.tolist() == [10.0, 11.5]
    for k in range(2):
        start, end = (people.isel(time=k + i) for i in (0, 1))
        one = mp.net_migration(
            start, end, table(), births=births.isel(period=k, drop=True), method=method
        )
        got = result.isel(period=k)
        for name in one.data_vars:
            np.testing.assert_array_equal(got[name], one[name])
            assert result[name].attrs == one[name].attrs
        np.testing.assert_array_equal(result["age_start"].sel(period=TIMES[k]), one["age_start"])


def dated(people):
    """Rounds by number; dates differ by country, and one country lacks the second."""
    dates = [
        ["1980-10-22", "1991-05-15", "2001-11-17"],
        ["1976-09-29", None, "2001-09-05"],
        ["1980-10-22", "1991-05-15", "2001-10-30"],
    ]
    years = [[np.nan if d is None else mp.decimal_year(d) for d in row] for row in dates]
    rounds = people.rename(time="round").assign_coords(round=[1, 2, 3])
    return rounds.assign_coords(date=(("country", "round"), years))


@pytest.mark.filterwarnings("ignore:net_migration. survival ratios below 0.3")
def test_dates_that_differ_by_country(people, births):
    rounds = dated(people)
    of_rounds = births.assign_coords(period=[1, 2])
    result = mp.net_migration_rounds(rounds, table(), births=of_rounds)
    assert result["period"].values.tolist() == [1, 2]
    assert result["period_width"].dims == ("country", "period")
    assert result["net_migration"].dims == ("country", "period", "age")
    assert result["country"].values.tolist() == COUNTRIES
    for country in ("ARG", "VEN"):
        for k in range(2):
            start, end = (
                rounds.sel(country=country).isel(round=k + i).drop_vars("round") for i in (0, 1)
            )
            mine = births.sel(country=country).isel(period=k, drop=True)
            one = mp.net_migration(start, end, table(), births=mine)
            got = result["net_migration"].sel(country=country).isel(period=k)
            np.testing.assert_array_equal(got, one["net_migration"])
            width = result["period_width"].sel(country=country).isel(period=k)
            assert float(width) == float(one["period_width"])
            date = result["date"].sel(country=country).isel(period=k)
            assert float(date) == float(start["date"])
    assert result["net_migration"].sel(country="BOL").isnull().all()
    turned = rounds.isel(country=[2, 0, 1])
    again = mp.net_migration_rounds(turned, table(), births=of_rounds)
    xr.testing.assert_identical(
        again["net_migration"], result["net_migration"].isel(country=[2, 0, 1])
    )


def test_dates_as_dates(people, births):
    rounds = people.rename(time="round").assign_coords(round=["a", "b", "c"])
    days = np.array(["1980-01-01", "1990-01-01", "2001-07-02"], dtype="datetime64[ns]")
    births = births.assign_coords(period=["a", "b"])
    result = mp.net_migration_rounds(
        rounds.assign_coords(date=("round", days)), table(), births=births, method="forward"
    )
    want = mp.net_migration_rounds(
        people, table(), births=births.assign_coords(period=TIMES[:2]), method="forward"
    )
    np.testing.assert_allclose(result["net_migration"], want["net_migration"], rtol=1e-3, atol=100)
    assert result["period_width"].values.tolist() == [10.0, 11.49863]


def test_life_tables_of_the_years(people, births):
    """Tables by period serve the years they are for: here one for each interval."""
    several = xr.concat([table(), table(0.6)], "period").assign_coords(
        period=TIMES[:2], period_width=("period", [10.0, 11.5])
    )
    result = mp.net_migration_rounds(people, several, births=births, method="forward")
    for k, life_table in enumerate((table(), table(0.6))):
        start, end = (people.isel(time=k + i) for i in (0, 1))
        one = mp.net_migration(
            start, end, life_table, births=births.isel(period=k, drop=True), method="forward"
        )
        got = result["net_migration"].isel(period=k)
        np.testing.assert_allclose(got, one["net_migration"], rtol=1e-8, atol=1e-6)


def test_rounds_that_are_none(people, births):
    with says(mp.SchemaError, "rounds: expected the dim 'time' or 'round'", "mp.net_migration"):
        mp.net_migration_rounds(people.isel(time=0), table())
    with says(mp.SchemaError, "rounds: dim 'time': expected two rounds or more"):
        mp.net_migration_rounds(people.isel(time=[0]), table())
    undated = people.rename(time="round").drop_vars("round")
    with says(mp.IntervalError, "rounds: dim 'round': expected a coordinate with the date"):
        mp.net_migration_rounds(undated, table())
    days = np.array(["1980-01-01", "NaT", "2000-01-01"], "datetime64[ns]")
    with says(mp.IntervalError, "rounds: date: expected those of both rounds 0 and 1", "second"):
        mp.net_migration_rounds(undated.assign_coords(date=("round", days)), table())
    with says(mp.IntervalError, "must come after"):
        mp.net_migration_rounds(people.isel(time=[1, 0, 2]), table(), births=births)
    with says(mp.SchemaError, "dim 'period': expected the labels of the rounds", "1990.0"):
        mp.net_migration_rounds(people, table(), births=births.isel(period=[0]))
    short = mp.regroup_ages(people, range(0, 75, 5))
    fit = people.copy()
    wide = xr.concat([short.isel(time=[0]), short.isel(time=[1, 2])], "time")
    result = mp.net_migration_rounds(wide, table(), births=births, method="forward")
    assert result.sizes["age"] == 15
    assert fit.identical(people)
