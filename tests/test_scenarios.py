"""Scenarios: inputs of projections held, led, scaled and set side by side."""

import numpy as np
import pytest
import xarray as xr

import migproj as mp
from migproj import scenarios

COUNTRIES = ["ARG", "BOL"]
SEXES = ["female", "male"]
PAST = [2005.0, 2010.0, 2015.0]
COMING = [2020.0, 2025.0, 2030.0, 2035.0]
AGES = mp.age_coords(range(0, 90, 5))


def says(error, *parts):
    return pytest.raises(error, match="(?s)" + ".*".join(parts))


@pytest.fixture
def past():
    rng = np.random.default_rng(3)
    return xr.DataArray(
        rng.uniform(-100, 900, (2, 3, 2, 18)),
        dims=("country", "period", "sex", "age"),
        coords={"country": COUNTRIES, "period": PAST, "sex": SEXES, **AGES},
        name="net_migration",
        attrs={"units": "persons per period"},
    )


def test_zero(past):
    past[0, 0] = np.nan
    nothing = scenarios.zero(past)
    assert (nothing == 0).all()
    xr.testing.assert_identical(nothing.coords.to_dataset(), past.coords.to_dataset())
    assert nothing.attrs == past.attrs
    assert nothing.name == "net_migration"


@pytest.mark.parametrize("last", [1, 2, 3])
def test_constant_is_the_mean_of_the_last(past, last):
    held = scenarios.constant(past, COMING, last=last)
    assert held.dims == past.dims
    assert held["period"].values.tolist() == COMING
    assert held["period_width"].values.tolist() == [5] * 4
    assert held.attrs == past.attrs
    assert held["age_width"].values[-1] == np.inf
    for start in COMING:
        mean = past.isel(period=slice(-last, None)).mean("period")
        np.testing.assert_allclose(held.sel(period=start), mean, rtol=1e-15)


def test_constant_keeps_what_is_missing_missing(past):
    past[0, 1] = np.nan
    held = scenarios.constant(past, COMING, last=2)
    assert held.sel(country="ARG").isnull().all()
    assert held.sel(country="BOL").notnull().all()
    assert scenarios.constant(past, COMING).notnull().all()


def test_dates_are_periods_too(past):
    dated = past.assign_coords(period=[np.datetime64(f"{int(year)}-07-01") for year in PAST])
    held = scenarios.constant(dated, ["2020-07-01", "2025-07-01"])
    assert np.round(held["period"].values, 1).tolist() == [2020.5, 2025.5]


def test_linear_approach(past):
    target = xr.DataArray([0.0, 100.0], dims="country", coords={"country": COUNTRIES})
    path = scenarios.linear_approach(past, target, COMING, until=2030)
    assert path.dims == past.dims
    known = past.sel(period=2015, drop=True)
    for start, share in zip(COMING, [1 / 3, 2 / 3, 1, 1], strict=True):
        want = known + (target - known) * share
        np.testing.assert_allclose(path.sel(period=start, drop=True), want, rtol=1e-12)
    # From where it stands it is a straight line, and what it comes to is the target to the bit.
    reached = path.sel(period=slice(2030, None))
    np.testing.assert_allclose(reached, target + 0 * reached, atol=1e-12)


def table():
    age = np.array([0, 1, *range(5, 105, 5)])
    mx = 0.0001 * np.exp(0.085 * age) + np.where(age == 0, 0.03, 0.0)
    labels = ["0", "1-4", *(f"{x}-{x + 4}" for x in range(5, 100, 5)), "100+"]
    rates = xr.DataArray(
        np.stack([mx, 1.2 * mx]),
        dims=("sex", "age"),
        coords={"sex": SEXES, **mp.age_coords(labels)},
    )
    return mp.life_table(rates)


def rates():
    rng = np.random.default_rng(4)
    return xr.DataArray(
        rng.uniform(0.02, 0.2, (2, 3, 7)),
        dims=("country", "period", "age"),
        coords={"country": COUNTRIES, "period": PAST, "age": range(15, 50, 5)},
    )


def test_instant_replacement_is_a_net_reproduction_rate_of_one():
    scaled = scenarios.instant_replacement(rates(), table(), 1.05)
    assert scaled.dims == rates().dims
    assert scaled.attrs["units"] == "1/year"
    ratio = scaled / rates()
    np.testing.assert_allclose(
        ratio, np.broadcast_to(ratio.isel(age=[0]), ratio.shape), rtol=1e-13
    )  # the pattern is kept
    survival = mp.survival_ratios(table(), ages=AGES)
    for start in PAST:
        stable = mp.stable_population(survival, scaled.sel(period=start, drop=True), 1.05)
        np.testing.assert_allclose(stable["net_reproduction_rate"], 1.0, rtol=1e-12)
        np.testing.assert_allclose(stable["intrinsic_growth_rate"], 0.0, atol=1e-13)


def test_no_fertility_to_scale_is_named():
    nobody = rates().copy()
    nobody[1, 2] = 0.0
    with pytest.warns(
        mp.DataQualityWarning, match="no fertility.* 1 cell.*country=BOL, period=2015"
    ):
        scaled = scenarios.instant_replacement(nobody, table(), 1.05)
    assert scaled.isnull().all("age").values.tolist() == [[False] * 3, [False, False, True]]


def test_multiples_and_variants(past):
    levels = scenarios.multiply(
        past,
        {
            "low": 0.5,
            "high": xr.DataArray([2.0, 3.0], dims="country", coords={"country": COUNTRIES}),
        },
    )
    assert levels.dims == ("variant", *past.dims)
    np.testing.assert_array_equal(levels.sel(variant="low"), 0.5 * past)
    np.testing.assert_array_equal(
        levels.sel(variant="high", country="BOL"), 3 * past.sel(country="BOL")
    )
    shuffled = past.transpose("age", "sex", "period", "country")
    both = scenarios.variants({"a": past, "b": shuffled})
    xr.testing.assert_identical(both.sel(variant="b", drop=True), past)
    assert both["age_width"].dims == ("age",)


def test_variants_of_a_projection_are_a_loop_over_them(past):
    survival = mp.survival_ratios(table(), ages=AGES)
    people = xr.DataArray(
        np.random.default_rng(5).uniform(1e4, 1e5, (2, 2, 18)),
        dims=("country", "sex", "age"),
        coords={"country": COUNTRIES, "sex": SEXES, **AGES},
    ).assign_coords(time=2020.0)
    held = scenarios.constant(rates(), COMING, last=2)
    net = scenarios.constant(past, COMING)
    replacement = scenarios.instant_replacement(held, table(), 1.05)
    fertility = scenarios.variants(
        {"medium": held, "zero migration": held, "replacement": replacement}
    )
    migration = scenarios.variants(
        {"medium": net, "zero migration": scenarios.zero(net), "replacement": net}
    )
    result = mp.project_population(people, survival, fertility, 1.05, migration)
    assert result["population"].dims == ("country", "variant", "time", "sex", "age")
    for name in ("medium", "zero migration", "replacement"):
        one = {"variant": name}
        alone = mp.project_population(
            people, survival, fertility.sel(one, drop=True), 1.05, migration.sel(one, drop=True)
        )
        xr.testing.assert_identical(alone, result.sel(one, drop=True))


def test_periods_that_do_not_follow(past):
    with says(mp.IntervalError, "periods: expected periods of 5 years that follow", "2020"):
        scenarios.constant(past, [2025, 2030])
    with says(mp.IntervalError, "periods of 5 years", r"got \[2020.0, 2030.0\]"):
        scenarios.constant(past, [2020, 2030])
    with says(mp.IntervalError, "periods", "got none"):
        scenarios.constant(past, [])
    with says(mp.IntervalError, "array: dim 'period'", "one length"):
        scenarios.constant(past.assign_coords(period=[2000, 2010, 2015]), [2020])
    with says(mp.SchemaError, "dim 'period' has no labels"):
        scenarios.constant(past.drop_vars("period"), COMING)
    with says(mp.SchemaError, "array: expected the dim", "'period'"):
        scenarios.constant(past.isel(period=0), COMING)
    with says(mp.IntervalError, "until: expected a year after 2015"):
        scenarios.linear_approach(past, 0.0, COMING, until=2015)


def test_wrong_words(past):
    for odd in (0, 1.5, True):
        with says(mp.SchemaError, "last: expected a whole number"):
            scenarios.constant(past, COMING, last=odd)
    with says(mp.SchemaError, "last: expected at most the 3 periods"):
        scenarios.constant(past, COMING, last=4)
    with says(mp.SchemaError, "arrays: expected at least one"):
        scenarios.variants({})
    with says(mp.SchemaError, "factors", "expected a number", "str"):
        scenarios.multiply(past, {"low": "half"})
    other = xr.DataArray([1.0, 2.0], dims="country", coords={"country": ["ARG", "CHL"]})
    with says(mp.AlignmentError, "target: dim 'country'", "CHL"):
        scenarios.linear_approach(past, other, COMING, until=2030)
    with says(mp.SchemaError, r"arrays\['b'\]: expected the dims of"):
        scenarios.variants({"a": past, "b": past.isel(sex=0)})
    with says(mp.AlignmentError, r"arrays\['b'\]: dim 'country'", "another order"):
        scenarios.variants({"a": past, "b": past.isel(country=[1, 0])})
    with says(mp.SchemaError, "fertility: the dim 'sex'"):
        scenarios.instant_replacement(rates().expand_dims(sex=["female"]), table(), 1.05)
    with says(mp.SchemaError, "life_table: dim 'sex': expected 'female'"):
        scenarios.instant_replacement(rates(), table().sel(sex=["male"]), 1.05)
