"""The open-ended group shared out over older ages."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import migproj as mp

FIVE = mp.age_coords(range(0, 105, 5))


def says(error, *parts):
    return pytest.raises(error, match="(?s)" + ".*".join(parts))


def table(sex="female", factor=1.0):
    ages = mp.age_coords(["0", "1-4", *(f"{x}-{x + 4}" for x in range(5, 100, 5)), "100+"])
    lower = ages["age"].values
    mx = xr.DataArray(
        factor * (0.02 * np.exp(-2.0 * lower) + 0.0003 * np.exp(0.08 * lower)),
        dims="age",
        coords=ages,
    )
    whole = mp.life_table(mx.assign_coords(sex=sex)).drop_vars("sex")
    return xr.Dataset({"Lx": mp.regroup_ages(whole["Lx"], range(0, 105, 5))})


def stable(life_table, growth):
    """A stable population to 80 and over, and what is older than that in it."""
    lower = np.arange(0, 105, 5.0)
    lived = life_table["Lx"].values
    people = lived * np.exp(-growth * (lower + 2.5))
    stay = lived[-1] / (lived[-1] + lived[-2]) * np.exp(-5 * growth)
    people[-1] = people[-2] * stay / (1 - stay)
    return xr.DataArray(1e6 * people / people.sum(), dims="age", coords=FIVE)


@pytest.mark.parametrize("growth", [-0.01, 0.0, 0.03])
def test_a_stable_population_comes_back(growth):
    life_table = table()
    whole = stable(life_table, growth)
    to_80 = mp.regroup_ages(whole, range(0, 85, 5))
    given = mp.redistribute_open_group(to_80, life_table, growth=growth)
    np.testing.assert_allclose(given, whole, rtol=1e-12)
    fitted = mp.redistribute_open_group(to_80, life_table, growth=None, fit_ages=(50, 80))
    np.testing.assert_allclose(fitted["growth"], growth, atol=1e-12)
    np.testing.assert_allclose(fitted, whole, rtol=1e-9)
    assert fitted["age"].values.tolist() == list(range(0, 105, 5))


def test_weights_of_demotools(reference):
    """Theirs are by single years: the open-ended group's lacks the half year that all others have.

    Their growth rate is by least absolute difference of shares and sits on its bound of 0.05 in
    four of six cases; ours takes it as given here.
    """
    folder = reference / "demotools/opag"
    given = pd.read_csv(folder / "opag_in.csv").query("series == 'nLx5'")
    five = xr.DataArray(given["value"].to_numpy(float), dims="age", coords=FIVE)
    single = mp.graduate_ages(five)
    fits = pd.read_csv(folder / "opag_fit_out.csv")
    outs = pd.read_csv(folder / "opag_out.csv")
    pasex = pd.read_csv(folder / "opag_in.csv").query("series == 'pasex'")
    people = xr.DataArray(
        pasex["value"].to_numpy(float), dims="age", coords=mp.age_coords(range(0, 85, 5))
    )
    rows = fits.query("case == 'pasex80plus_to100'")
    rate = float(rows.query("what == 'r'")["value"].iloc[0])
    want = rows.query("what == 'stable_standard'")["value"].to_numpy().copy()
    want[-1] *= np.exp(-rate / 2)
    got = mp.redistribute_open_group(people, xr.Dataset({"Lx": single}), growth=rate)
    old = got.sel(age=slice(80, None))
    np.testing.assert_allclose(old, want[80:] / want[80:].sum() * 34729, rtol=1e-9)
    theirs = outs.query("case == 'pasex80plus_to100'")["pop_out"].to_numpy()
    in_fives = mp.regroup_ages(got, range(0, 105, 5))
    np.testing.assert_allclose(in_fives, theirs, rtol=3e-2)


def test_totals_dims_and_missing():
    life_table = table()
    rng = np.random.default_rng(2)
    coords = {"country": ["a", "b", "c"], **mp.age_coords(range(0, 85, 5))}
    people = xr.DataArray(rng.uniform(10, 90, (3, 17)), dims=("country", "age"), coords=coords)
    rate = xr.DataArray([0.0, 0.01, 0.02], dims="country", coords={"country": ["a", "b", "c"]})
    got = mp.redistribute_open_group(people, life_table, growth=rate)
    np.testing.assert_allclose(got.sum("age"), people.sum("age"), rtol=1e-13)
    np.testing.assert_array_equal(got.isel(age=slice(16)), people.isel(age=slice(16)))
    other = mp.redistribute_open_group(people.T, life_table, growth=rate)
    np.testing.assert_array_equal(other.T, got)
    lazy = mp.redistribute_open_group(people.chunk(country=1), life_table, growth=rate)
    assert len(lazy.chunksizes["age"]) == 1
    np.testing.assert_allclose(lazy.compute(), got, rtol=1e-14)
    people[1, 3] = np.nan
    odd = people.copy()
    odd[0, 10:16] = [0.0, 0, 0, 0, 0, 90]
    with pytest.warns(mp.DataQualityWarning, match="no growth rate fits in .*country=a"):
        mp.redistribute_open_group(odd, life_table, growth=None, fit_ages=(50, 80))


def test_the_population_is_of_its_own_time():
    life_table = table().assign_coords(period=1990.0, period_width=10.0)
    people = mp.regroup_ages(stable(table(), 0.01), range(0, 85, 5))
    bare = mp.redistribute_open_group(people, life_table)
    assert not {"period", "period_width", "time"} & set(bare.coords)
    at = mp.redistribute_open_group(people.assign_coords(time=2000.0), life_table)
    assert float(at["time"]) == 2000


def test_nothing_is_joined():
    life_table = table()
    people = mp.regroup_ages(stable(life_table, 0.01), range(0, 85, 5))
    here, there = {"country": ["a", "b"]}, {"country": ["b", "c"]}
    rate = xr.DataArray([0.0, 0.01], dims="country", coords=there)
    with says(mp.AlignmentError, "life_table: dim 'country'", "1 missing: .'a'"):
        mp.redistribute_open_group(people.expand_dims(here), life_table.expand_dims(there))
    with says(mp.AlignmentError, "growth: dim 'country'", "1 missing: .'a'"):
        mp.redistribute_open_group(people, life_table.expand_dims(here), growth=rate)
    with says(mp.SchemaError, "dim 'country' has no labels"):
        mp.redistribute_open_group(people.expand_dims(country=2), life_table.expand_dims(country=2))
    with says(mp.SchemaError, "growth: the dim 'age'"):
        mp.redistribute_open_group(people, life_table, growth=0.0 * people)


def test_a_decline_that_has_no_stable_open_group():
    """The series of those of each further age has no sum: no counts below 0."""
    ages = mp.age_coords(["0-59", "60-69", "70-79", "80+"])
    lived = xr.DataArray([59.0, 7, 4, 2], dims="age", coords=ages)
    people = xr.DataArray([900.0, 100.0], dims="age", coords=mp.age_coords(["0-59", "60+"]))
    rate = xr.DataArray([0.0, -0.12], dims="country", coords={"country": ["a", "b"]})
    with pytest.warns(mp.DataQualityWarning, match="decline too fast .*country=b"):
        got = mp.redistribute_open_group(people, xr.Dataset({"Lx": lived}), growth=rate)
    assert not got.sel(country="a").isnull().any()
    np.testing.assert_array_equal(got.sel(country="b"), [900, np.nan, np.nan, np.nan])


def test_wrong():
    life_table = table()
    people = mp.regroup_ages(stable(life_table, 0.01), range(0, 85, 5))
    with says(mp.AlignmentError, "life_table: dim 'age'", "a group from 80"):
        mp.redistribute_open_group(people, life_table.isel(age=slice(17)).drop_vars("age_width"))
    with says(mp.SchemaError, "growth, fit_ages"):
        mp.redistribute_open_group(people, life_table, growth=None)
    with says(mp.SchemaError, "growth, fit_ages"):
        mp.redistribute_open_group(people, life_table, growth=0.01, fit_ages=(50, 80))
    with says(mp.AlignmentError, "population: dim 'age'", "from 50 to 83"):
        mp.redistribute_open_group(people, life_table, growth=None, fit_ages=(50, 83))
    with says(mp.SchemaError, "population: dim 'age'", "open-ended"):
        mp.redistribute_open_group(people.isel(age=slice(16)), life_table)
