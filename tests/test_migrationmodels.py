"""Model age patterns of migration."""

import numpy as np
import pytest
import xarray as xr

import migproj as mp

FAMILIES = ("family", "female labour", "male labour")


def curve(family, direction, sex):
    """The formula at single years, with the packaged parameters."""
    table = mp.datasets.load("un_migration_families")["parameters"]
    p = table.sel(family=family, direction=direction, sex=sex).to_series().to_dict()
    x = np.arange(121.0)
    u = x - p["mu2"]
    work = p["a2"] * np.exp(-p["alpha2"] * u - np.exp(-p["lambda2"] * u))
    return p["a1"] * np.exp(-p["alpha1"] * x) + work + p["c"]


@pytest.mark.parametrize("direction", ["in", "out"])
@pytest.mark.parametrize("family", FAMILIES)
def test_shares_by_the_formula(family, direction):
    got = mp.model_migration_schedule(family, [0, 5, 30, 85], direction=direction)
    curves = {sex: curve(family, direction, sex) for sex in ("female", "male")}
    total = sum(rates.sum() for rates in curves.values())
    for sex, rates in curves.items():
        expected = [part.sum() / total for part in np.split(rates, [5, 30, 85])]
        np.testing.assert_allclose(got.sel(sex=sex), expected, rtol=1e-13)
    assert got.dims == ("sex", "age")
    assert got.name == "migration_schedule"
    assert got["age_width"].values.tolist() == [5, 25, 55, np.inf]
    np.testing.assert_allclose(got.sum(), 1.0, rtol=1e-14)


def test_families_are_what_they_are_called():
    women = {
        family: float(mp.model_migration_schedule(family).sel(sex="female").sum())
        for family in FAMILIES
    }
    assert abs(women["family"] - 0.5) < 0.002
    assert round(women["female labour"], 2) == 0.64
    assert round(women["male labour"], 2) == 0.34


def test_single_years_add_up_to_groups():
    single = mp.model_migration_schedule("family", range(86))
    groups = mp.model_migration_schedule("family", range(0, 90, 5))
    xr.testing.assert_allclose(mp.regroup_ages(single, groups), groups, rtol=1e-13)


def test_a_schedule_for_a_projection():
    """It has the labels of a population: those of its groups are asked for by the array."""
    people = xr.DataArray(np.ones(17), dims="age", coords=mp.age_coords(range(0, 85, 5)))
    got = mp.model_migration_schedule("male labour", people)
    np.testing.assert_array_equal(got["age"], people["age"])
    np.testing.assert_array_equal(got["age_width"], people["age_width"])


def test_wrong_inputs():
    with pytest.raises(mp.SchemaError, match=r"family: expected one of \['family', 'female lab"):
        mp.model_migration_schedule("Male Labor")
    with pytest.raises(mp.SchemaError, match=r"direction: expected one of \['in', 'out'\], got -1"):
        mp.model_migration_schedule("family", direction=-1)
    with pytest.raises(mp.SchemaError, match="people would be lost"):
        mp.model_migration_schedule("family", [15, 30, 65])
    with pytest.raises(mp.SchemaError, match="people would be lost"):
        mp.model_migration_schedule("family", mp.age_coords(["0-14", "15-64"]))
