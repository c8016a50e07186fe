"""Model age patterns of migration."""

import numpy as np
import pytest
import xarray as xr

import migproj as mp

MODELS = ("fundamental", "western standard", "low dependency", "high dependency")


def curve(model, sex):
    """The formula at single years, with the packaged parameters."""
    table = mp.datasets.load("rogers_castro_models")["parameters"]
    p = table.sel(schedule=model, sex=sex).to_series().to_dict()
    x = np.arange(101.0)
    u = x - p["mu2"]
    work = p["a2"] * np.exp(-p["alpha2"] * u - np.exp(-p["lambda2"] * u))
    return p["a1"] * np.exp(-p["alpha1"] * x) + work + p["c"]


@pytest.mark.parametrize("women", [None, 0.3])
@pytest.mark.parametrize("model", MODELS)
def test_shares_by_the_formula(model, women):
    got = mp.model_migration_schedule(model, [0, 5, 30, 85], women=women)
    curves = {sex: curve(model, sex) for sex in ("female", "male")}
    levels = {sex: rates.sum() for sex, rates in curves.items()}
    for sex, rates in curves.items():
        share = levels[sex] / sum(levels.values())
        if women is not None:
            share = women if sex == "female" else 1 - women
        expected = [share * part.sum() / levels[sex] for part in np.split(rates, [5, 30, 85])]
        np.testing.assert_allclose(got.sel(sex=sex), expected, rtol=1e-13)
    assert got.dims == ("sex", "age")
    assert got.name == "migration_schedule"
    assert got.attrs == {"units": "1"}
    assert got["age_width"].values.tolist() == [5, 25, 55, np.inf]
    np.testing.assert_allclose(got.sum(), 1.0, rtol=1e-14)


def test_whole_families_bring_more_children_than_workers():
    children = {
        model: float(mp.model_migration_schedule(model, ["0-14", "15+"]).sel(age=0).sum())
        for model in MODELS
    }
    assert children["low dependency"] < children["western standard"] < children["high dependency"]


def test_single_years_add_up_to_groups():
    single = mp.model_migration_schedule(ages=range(86))
    groups = mp.model_migration_schedule(ages=range(0, 90, 5))
    xr.testing.assert_allclose(mp.regroup_ages(single, groups), groups, rtol=1e-13)


def test_shares_of_women_go_with_the_schedules_by_label():
    table = mp.datasets.load("rogers_castro_models")["parameters"].isel(schedule=slice(3))
    women = xr.DataArray([0.3, 0.4], dims="schedule", coords={"schedule": table["schedule"][:2]})
    with pytest.raises(mp.AlignmentError, match="women: dim 'schedule'.*1 missing"):
        mp.model_migration_schedule(table, ["0-14", "15+"], women=women)


def test_lazy_parameters_are_worked_lazily():
    table = mp.datasets.load("rogers_castro_models")["parameters"]
    lazy = mp.model_migration_schedule(table.chunk(schedule=1), ["0-14", "15+"])
    assert lazy.chunks is not None
    xr.testing.assert_allclose(
        lazy.compute(), mp.model_migration_schedule(table, ["0-14", "15+"]), rtol=1e-14
    )


def test_a_sex_without_parameters_leaves_no_shares():
    table = mp.datasets.load("rogers_castro_models")["parameters"].isel(schedule=slice(2))
    known = (table["schedule"] != "fundamental") | (table["sex"] == "male")
    got = mp.model_migration_schedule(table.where(known), ["0-14", "15+"])
    assert got.sel(schedule="fundamental").isnull().all()
    assert not got.sel(schedule="western standard").isnull().any()


def test_a_schedule_for_a_projection():
    """It has the labels of a population: those of its groups are asked for by the array."""
    people = xr.DataArray(np.ones(17), dims="age", coords=mp.age_coords(range(0, 85, 5)))
    got = mp.model_migration_schedule("fundamental", people)
    np.testing.assert_array_equal(got["age"], people["age"])
    np.testing.assert_array_equal(got["age_width"], people["age_width"])


def test_parameters_of_many_and_women_by_country():
    table = mp.datasets.load("rogers_castro_models")["parameters"]
    women = xr.DataArray([0.2, 0.7], dims="country", coords={"country": ["ARE", "CYP"]})
    got = mp.model_migration_schedule(table.transpose("parameter", ...), [0, 15, 65], women=women)
    assert set(got.dims) == {"schedule", "country", "sex", "age"}
    assert got.dims[-2:] == ("sex", "age")
    for model in MODELS:
        for country, share in women.to_series().items():
            alone = mp.model_migration_schedule(model, [0, 15, 65], women=share)
            part = got.sel(schedule=model, country=country, drop=True)
            xr.testing.assert_allclose(part, alone, rtol=1e-15)


def test_wrong_inputs():
    table = mp.datasets.load("rogers_castro_models")["parameters"]
    with pytest.raises(mp.SchemaError, match=r"model: expected one of \['fundamental', 'western"):
        mp.model_migration_schedule("Western")
    with pytest.raises(mp.SchemaError, match=r"model: .*'male'"):
        mp.model_migration_schedule(table.sel(sex=["female"]))
    with pytest.raises(mp.SchemaError, match=r"women: expected a share from 0 to 1, got \[52"):
        mp.model_migration_schedule(women=52.0)
    with pytest.raises(mp.SchemaError, match="people would be lost"):
        mp.model_migration_schedule("fundamental", [15, 30, 65])
    with pytest.raises(mp.SchemaError, match="people would be lost"):
        mp.model_migration_schedule("fundamental", mp.age_coords(["0-14", "15-64"]))
