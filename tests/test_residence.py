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
    wide = mp.survival_ratios(table(), ages=range(0, 90, 10), interval=10)
    with says(mp.AlignmentError, "age"):
        mp.residence_migration(people, wide, interval=5)
