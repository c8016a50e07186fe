"""Survival ratios of life tables onto population grids."""

import numpy as np
import pytest
import xarray as xr

import migproj as mp

ABRIDGED = ["0", "1-4", *(f"{age}-{age + 4}" for age in range(5, 100, 5)), "100+"]


@pytest.fixture(scope="module")
def table():
    age = np.array([0, 1, *range(5, 105, 5)])
    # Gompertz with infant mortality.
    mx = 0.0001 * np.exp(0.085 * age) + np.where(age == 0, 0.03, np.where(age == 1, 0.003, 0))
    rates = xr.DataArray(
        np.stack([mx, 1.2 * mx]),
        dims=("sex", "age"),
        coords={"sex": ["female", "male"], **mp.age_coords(ABRIDGED)},
    )
    return mp.life_table(rates)


def T(table, age):
    return table["Tx"].sel(age=age, drop=True)


def test_defaults_put_the_first_groups_together(table):
    ratios = mp.survival_ratios(table)
    assert ratios["age"].values.tolist() == list(range(0, 105, 5))
    assert float(ratios["period_width"]) == 5
    assert ratios["age_start"].values[:3].tolist() == [-5, 0, 5]
    Lx = table["Lx"]
    first = Lx.sel(age=0, drop=True) + Lx.sel(age=1, drop=True)
    np.testing.assert_allclose(ratios.sel(age=0, drop=True), first / 5, rtol=1e-14)
    # At 5-9: L(5) over L(0) + L(1); at 50-54 the plain ratio; open: T(100)/T(95).
    np.testing.assert_allclose(
        ratios.sel(age=5, drop=True), Lx.sel(age=5, drop=True) / first, rtol=1e-13
    )
    at_50 = Lx.sel(age=50, drop=True) / Lx.sel(age=45, drop=True)
    np.testing.assert_allclose(ratios.sel(age=50, drop=True), at_50, rtol=1e-12)
    np.testing.assert_allclose(
        ratios.sel(age=100, drop=True), T(table, 100) / T(table, 95), rtol=1e-14
    )


def test_ten_years_on_five_year_groups(table):
    ages = mp.age_coords(range(0, 85, 5))
    five = mp.survival_ratios(table, ages=ages)
    ten = mp.survival_ratios(table, ages=ages, interval=10)
    twice = five.sel(age=40, drop=True) * five.sel(age=35, drop=True)
    np.testing.assert_allclose(ten.sel(age=40, drop=True), twice, rtol=1e-12)
    np.testing.assert_allclose(ten.sel(age=80, drop=True), T(table, 80) / T(table, 70), rtol=1e-14)
    # Born in the second half (0-4) and in the first (5-9), both from their births.
    np.testing.assert_allclose(ten.sel(age=0, drop=True), five.sel(age=0, drop=True), rtol=1e-14)
    older = five.sel(age=0, drop=True) * five.sel(age=5, drop=True)
    np.testing.assert_allclose(ten.sel(age=5, drop=True), older, rtol=1e-12)


def test_mixed_groups_add_up(table):
    """Survivors of a wide group are those of its parts, in a stationary population."""
    wide = mp.survival_ratios(table, ages=["0-4", "5-9", "10-19", "20-29", "30+"], interval=10)
    narrow = mp.survival_ratios(table, ages=range(0, 35, 5), interval=10)
    Lx = table["Lx"]
    parts = [Lx.sel(age=start, drop=True) for start in (10, 15)]
    alive = sum(
        p * narrow.sel(age=start + 10, drop=True) for p, start in zip(parts, (10, 15), strict=True)
    )
    np.testing.assert_allclose(wide.sel(age=20, drop=True), alive / sum(parts), rtol=1e-12)


def test_single_years_between_the_tables_ages(table):
    """T(x) between the ages is smooth and exact at them: yearly ratios chain to five years."""
    yearly = mp.survival_ratios(table, ages=range(101))
    assert float(yearly["period_width"]) == 1
    assert ((yearly > 0) & (yearly < 1)).all()
    five = mp.survival_ratios(table)
    # From births to 5-9 in six to ten steps: person-years of the five cohorts add up.
    lived = yearly.sel(age=range(10)).cumprod("age").sel(age=slice(5, 9)).sum("age")
    both = five.sel(age=0, drop=True) * five.sel(age=5, drop=True)
    np.testing.assert_allclose(lived / 5, both, rtol=1e-12)


def test_single_year_tables():
    age = np.arange(101)
    mx = 0.0001 * np.exp(0.085 * age) + np.where(age == 0, 0.02, 0)
    rates = xr.DataArray(mx, dims="age", coords=mp.age_coords(age)).assign_coords(sex="male")
    table = mp.life_table(rates)
    Lx = table["Lx"].values
    ratios = mp.survival_ratios(table).values
    np.testing.assert_allclose(ratios[0], Lx[0], rtol=1e-14)
    np.testing.assert_allclose(ratios[1:100], Lx[1:100] / Lx[:99], rtol=1e-11)
    np.testing.assert_allclose(ratios[100], Lx[100] / (Lx[99] + Lx[100]), rtol=1e-14)


def test_the_radix_does_not_matter(table):
    hundred = mp.life_table(table["mx"], radix=100_000.0)
    np.testing.assert_allclose(mp.survival_ratios(hundred), mp.survival_ratios(table), rtol=1e-13)
    np.testing.assert_allclose(hundred["ex"], table["ex"], rtol=1e-13)


def test_a_group_that_straddles_the_interval(table):
    with pytest.raises(
        mp.IntervalError, match=r"after 7 years the group 5-9 holds both.*bound at 7"
    ):
        mp.survival_ratios(table, ages=range(0, 85, 5), interval=7)


def test_mixed_groups_need_an_interval(table):
    with pytest.raises(mp.IntervalError, match=r"differ in width.*interval="):
        mp.survival_ratios(table, ages=["0-4", "5-9", "10-19", "20+"])


def test_not_a_life_table(table):
    with pytest.raises(mp.SchemaError, match=r"expected a Dataset with \['lx', 'Tx'\].*it lacks"):
        mp.survival_ratios(table[["mx"]])


def test_census_ratios_on_mixed_groups():
    start = xr.DataArray(
        [100.0, 90.0, 150.0, 120.0],
        dims="age",
        coords=mp.age_coords(["0-4", "5-9", "10-19", "20+"]),
    )
    end = xr.DataArray(
        [99.0, 81.0, 75.0, 60.0],
        dims="age",
        coords=mp.age_coords(["10-14", "15-19", "20-29", "30+"]),
    )
    ratios = mp.census_survival_ratios(start, end, interval=10)
    assert ratios.values.tolist() == [0.99, 0.9, 0.5, 0.5]
    assert ratios["age_start"].values.tolist() == [0, 5, 10, 20]


def test_census_ratios_above_one_are_named():
    start = xr.DataArray([100.0, 100.0], dims="age", coords=mp.age_coords([0, 5]))
    end = xr.DataArray([100.0, 130.0, 50.0], dims="age", coords=mp.age_coords([0, 5, 10]))
    with pytest.warns(mp.DataQualityWarning, match=r"above 1 in 1 cell.*age=5"):
        ratios = mp.census_survival_ratios(start, end, interval=5)
    assert np.isnan(ratios[0])


def test_separation_factors(table):
    shares = mp.separation_factors(table)
    assert shares["age"].values.tolist() == list(range(0, 100, 5))
    assert shares.attrs["units"] == "1"
    assert float(shares["period_width"]) == 5
    assert ((shares > 0) & (shares < 1)).all()
    lx, L = table["lx"], table["Lx"]
    at_50 = (L.sel(age=50) - 5 * lx.sel(age=55, drop=True)) / (
        L.sel(age=50) - L.sel(age=55, drop=True)
    )
    np.testing.assert_allclose(shares.sel(age=50), at_50, rtol=1e-9)
    last = 1 - 5 * lx.sel(age=100) / L.sel(age=95, drop=True)
    np.testing.assert_allclose(shares.sel(age=95), last, rtol=1e-9)
    # A wider open group pools the deaths of all who are in it.
    short = mp.separation_factors(table, ages=range(0, 85, 5))
    last = 1 - 5 * lx.sel(age=80) / L.sel(age=75, drop=True)
    np.testing.assert_allclose(short.sel(age=75), last, rtol=1e-9)
    np.testing.assert_allclose(short.sel(age=50), shares.sel(age=50), rtol=1e-14)


def test_separation_factors_where_nobody_dies():
    mx = xr.DataArray([0.0, 0.0, 0.02, 0.1], dims="age", coords=mp.age_coords(range(4)))
    with pytest.warns(mp.DataQualityWarning, match="mx = 0"):
        table = mp.life_table(mx, a0=0.5, ax="half")
    shares = mp.separation_factors(table)
    assert shares.values[0] == 0.5
    assert shares.values[1] == 0.0  # all deaths are those of age 2


def test_deaths_of_a_stationary_population_by_age(table):
    """In it the deaths of n years at every age are n times those of the life table."""
    ages = mp.age_coords(range(0, 105, 5))
    survival = mp.survival_ratios(table, ages=ages)
    Lx = table["Lx"]
    people = mp.regroup_ages(1e5 * Lx, ages)
    fertility = xr.DataArray([1.0], dims="age", coords={"age": [20]})
    women = people.sel(sex="female", age=20, drop=True)
    # As many births as the radix: 100,000 a year of each sex.
    result = mp.project_population(
        people, survival, fertility * (2e5 / women), 1.0, separation=mp.separation_factors(table)
    )
    deaths = result["deaths"].isel(period=0, drop=True)
    expected = mp.regroup_ages(5e5 * table["dx"], ages)
    np.testing.assert_allclose(deaths, expected.transpose(*deaths.dims), rtol=1e-9)
