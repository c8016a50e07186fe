"""Tables of residence some years before the census."""

import numpy as np
import pytest
import xarray as xr

import migproj as mp
from test_exact import table

PLACES = ["north", "south", "west"]
AGES = mp.age_coords(range(0, 85, 5))


def says(error, *parts):
    return pytest.raises(error, match="(?s)" + ".*".join(parts))


@pytest.fixture
def people():
    values = np.random.default_rng(1).uniform(1, 100, (2, 3, 3, 17))
    coords = {"sex": ["female", "male"], "origin": PLACES, "destination": PLACES, **AGES}
    array = xr.DataArray(values, dims=("sex", "origin", "destination", "age"), coords=coords)
    return array.where(array["age"] >= 5, 0.0)


def test_counts_of_survivors(people):
    result = mp.residence_migration(people, interval=5)
    away = people.values * (1 - np.eye(3))[:, :, None]
    np.testing.assert_allclose(result["in_migrants"], away.sum(1))
    np.testing.assert_allclose(result["out_migrants"], away.sum(2))
    np.testing.assert_allclose(result["net_migration"], away.sum(1) - away.sum(2), atol=1e-12)
    np.testing.assert_allclose(result["flows"], away)
    assert float(abs(result["net_migration"].sum("place")).max()) < 1e-10
    assert float(result["period_width"]) == 5
    assert result["in_migrants"].attrs["units"] == "persons per period"


def test_what_else_is_known_of_origins_stays_with_the_flows(people):
    codes = people.assign_coords(code=("origin", [1, 2, 3]), sea=("destination", [0, 1, 1]))
    result = mp.residence_migration(codes, interval=5)
    assert result["flows"]["code"].values.tolist() == [1, 2, 3]
    want = mp.residence_migration(people, interval=5)
    xr.testing.assert_identical(result.drop_vars(["code", "sea"]), want)


def test_survivors_restored(people):
    ratios = mp.survival_ratios(table(), ages=people, interval=5)
    result = mp.residence_migration(people, ratios)
    counted = mp.residence_migration(people, interval=5)
    for name in ("in_migrants", "out_migrants", "flows"):
        want = counted[name] / np.sqrt(ratios.values)
        np.testing.assert_allclose(result[name], want, rtol=1e-13)
    assert result["in_migrants"].dims == ("sex", "place", "age")
    by_place = ratios.expand_dims(origin=PLACES)
    xr.testing.assert_allclose(mp.residence_migration(people, by_place), result)


def test_tables_that_are_none(people):
    with says(mp.AlignmentError, "table: dim 'destination'", "another order"):
        mp.residence_migration(people.isel(destination=[1, 0, 2]), interval=5)
    with says(mp.SchemaError, "table", "destination"):
        mp.residence_migration(people.sum("destination"), interval=5)
    ratios = mp.survival_ratios(table(), ages=people, interval=5)
    with says(mp.IntervalError, "survival: made for 5 years, but 1"):
        mp.residence_migration(people, ratios, interval=1)
    with says(mp.IntervalError, "interval: unknown"):
        mp.residence_migration(people, ratios.drop_vars("period_width"))
    with says(mp.IntervalError, "above 0"):
        mp.residence_migration(people, interval=-1)
    with says(mp.SchemaError, "table: expected nobody where survival is 0", "in 18 cell.*age=80"):
        mp.residence_migration(people, ratios.where(ratios["age"] < 80, 0.0))
    wide = mp.survival_ratios(table(), ages=range(0, 90, 10), interval=10)
    with says(mp.AlignmentError, "age"):
        mp.residence_migration(people, wide, interval=5)


# --- year of arrival


def arrived(values, **coords):
    return xr.DataArray(values, dims=("period", "age"), coords={**coords, **AGES})


def test_arrivals_restored():
    """Those who came all at once in the middle of a period, died since by the life table."""
    life_table = table()
    people = np.random.default_rng(4).uniform(100, 1000, (2, 17))
    periods = {"period": [1980.0, 1990.0], "period_width": ("period", [10.0, 10.0])}
    ratios = [mp.survival_ratios(life_table, ages=range(0, 85, 5), interval=t) for t in (15, 5)]
    here = arrived(people * np.stack(ratios), **periods).assign_coords(time=2000)
    got = mp.restore_arrivals(here, life_table)
    np.testing.assert_allclose(got, people, rtol=1e-12)
    assert got.dims == ("period", "age")
    assert got.attrs["units"] == "persons per period"
    without = here.drop_vars("period_width")
    xr.testing.assert_allclose(
        mp.restore_arrivals(without, life_table), got.drop_vars("period_width")
    )


def test_the_older_part_of_a_group_that_could_have_come():
    life_table = table()
    here = arrived(np.full((1, 17), 100.0), period=[1994.0]).assign_coords(time=2001.0)  # 3.5 ago
    got = mp.restore_arrivals(here, life_table)
    Tx = mp.survival_ratios(life_table, ages=[0, 5], interval=5)  # the table's own 0 to 4
    assert 100 < float(got[0, 0]) < 100 / float(Tx[0])


def test_arrivals_of_other_labels_than_the_life_table():
    """Nobody is left out for want of mortality."""
    sexes = {"sex": ["female", "male"]}
    here = arrived(np.full((2, 17), 9.0), period=[1980.0, 1990.0]).assign_coords(time=2000)
    here = here.expand_dims(sexes)
    of_sexes = table().drop_vars("sex", errors="ignore").expand_dims(sexes)
    assert mp.restore_arrivals(here, of_sexes).sizes["sex"] == 2
    with says(mp.AlignmentError, "life_table: dim 'sex'", "1 missing: .'male'."):
        mp.restore_arrivals(here, of_sexes.isel(sex=[0]))
    with says(mp.AlignmentError, "life_table: is of sex 'female' alone", "stock has the dim"):
        mp.restore_arrivals(here, of_sexes.isel(sex=0))


def test_periods_of_arrival_that_are_none():
    here = arrived(np.full((2, 17), 1.0), period=[1980.0, 1990.0])
    with says(mp.IntervalError, "stock: expected a scalar coordinate 'time' or 'date'"):
        mp.restore_arrivals(here, table())
    with says(mp.IntervalError, "stock: dim 'period'", "end by the census, at 1985"):
        mp.restore_arrivals(here.assign_coords(time=1985), table())
    with says(mp.SchemaError, "stock: dim 'period' has no labels"):
        mp.restore_arrivals(here.drop_vars("period").assign_coords(time=2000), table())
    with says(mp.SchemaError, "stock", "'period'"):
        mp.restore_arrivals(here.isel(period=0), table())
