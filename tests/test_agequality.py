"""Scores of age reporting."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import migproj as mp

of = mp.indicators
SINGLE = mp.age_coords(range(101))


def says(error, *parts):
    return pytest.raises(error, match="(?s)" + ".*".join(parts))


def people(seed=0, countries=3):
    rng = np.random.default_rng(seed)
    level = 1000 * np.exp(-0.02 * np.arange(101))
    coords = {"country": [f"c{k}" for k in range(countries)], "sex": ["female", "male"], **SINGLE}
    return xr.DataArray(
        level * rng.uniform(0.7, 1.3, (countries, 2, 101)), dims=tuple(coords)[:3], coords=coords
    )


def test_demotools(reference):
    """Single years of men (PASEX), and the published AGESEX workbook of PAS."""
    folder = reference / "demotools/agequality"
    given_ = pd.read_csv(folder / "pasex_single_in.csv")
    men = xr.DataArray(
        given_["pop1m_pasex"].to_numpy(float), dims="age", coords=mp.age_coords(range(100))
    )
    want = pd.read_csv(folder / "out.csv").set_index("index")["value"]
    for name, got in (
        ("whipple", of.whipple_index(men) / 100),
        ("whipple_0", of.whipple_index(men, digits=[0]) / 100),
        ("myers", of.digit_index(men)),
        ("bachi", of.digit_index(men, method="bachi")),
        ("coale_li", of.coale_li_index(men)),
        ("spoorenberg", of.spoorenberg_index(men)),
    ):
        np.testing.assert_allclose(got, want[name], rtol=1e-12, err_msg=name)
    table = pd.read_csv(folder / "agesex_in.csv")
    both = xr.DataArray(
        table[["females", "males"]].to_numpy(float).T,
        dims=("sex", "age"),
        coords={"sex": ["female", "male"], **mp.age_coords(table["age"].tolist())},
    )
    ratios = of.age_ratio_score(both)
    for got, name, printed in (
        (ratios.sel(sex="male"), "age_ratio_un_m", 3.907),
        (ratios.sel(sex="female"), "age_ratio_un_f", 3.655),
        (of.sex_ratio_score(both), "sex_ratio", 2.249),
        (of.age_sex_accuracy(both), "age_sex_un", 14.308),
    ):
        np.testing.assert_allclose(got, want[name], rtol=1e-12, err_msg=name)
        assert round(float(got), 3) == printed


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), factor=st.floats(0.1, 1e6))
def test_size_is_no_matter_and_countries_are_alone(seed, factor):
    counts = people(seed, 2)
    report = mp.age_quality(counts)
    xr.testing.assert_allclose(mp.age_quality(counts * factor), report, rtol=1e-9)
    one = mp.age_quality(counts.isel(country=1))
    other = mp.age_quality(counts.transpose("age", "country", "sex"))
    for name, array in report.items():
        np.testing.assert_allclose(one[name], array.isel(country=1), rtol=1e-12)
        np.testing.assert_allclose(other[name].transpose(*array.dims), array, rtol=1e-12)
    assert ((report["myers_index"] >= 0) & (report["myers_index"] <= 90)).all()
    np.testing.assert_allclose(report["digit_shares"].sum("digit"), 100, rtol=1e-12)


def test_extremes():
    """Nobody heaps where counts fall in a line; all do where every age ends in 0 or 5."""
    line = xr.DataArray(np.arange(2000.0, 990.0, -10.0), dims="age", coords=SINGLE)
    none = mp.age_quality(line)
    assert abs(none["whipple_index"] - 100) < 0.5
    assert none["myers_index"] < 0.3
    assert none["bachi_index"] < 0.3
    assert abs(none["coale_li_index"] - 1) < 1e-12
    assert none["spoorenberg_index"] < 1e-12
    assert none["age_ratio_score"] < 1e-10
    every = mp.age_quality(line.where(line["age"] % 5 == 0, 0.0))
    np.testing.assert_allclose(every["whipple_index"], 500)
    np.testing.assert_allclose(every["myers_index"], 80)
    np.testing.assert_allclose(of.spoorenberg_index(line.where(line["age"] % 5 == 0, 0.0)), 16)
    zeros = line.where(line["age"] % 10 == 0, 0.0)
    np.testing.assert_allclose(of.whipple_index(zeros, digits=[0]), 1000)
    np.testing.assert_allclose(of.digit_index(zeros), 90)
    np.testing.assert_allclose(of.coale_li_index(zeros), 5)
    groups = mp.regroup_ages(line, range(0, 105, 5))
    saw = groups * xr.where(groups["age"] % 10 == 0, 1.2, 1.0)
    np.testing.assert_allclose(of.sawtooth_index(saw), 1.2, rtol=1e-12)


@pytest.mark.parametrize("ages", [(25, 60), (20, 60), (23, 71)])
@pytest.mark.parametrize("digit", range(10))
def test_whipple_of_any_digit_and_ages(digit, ages):
    """Even ages score 100, and those of a digit are counted against the mean of all."""
    even = xr.DataArray(np.full(101, 10.0), dims="age", coords=SINGLE)
    np.testing.assert_allclose(of.whipple_index(even, digits=[digit], ages=ages), 100, rtol=1e-12)
    heaped = even.where(even["age"] % 10 != digit, 20.0)
    read = heaped.sel(age=slice(ages[0] - 2, ages[1] + 2))
    np.testing.assert_allclose(
        of.whipple_index(heaped, digits=[digit], ages=ages), 100 * 20 / read.mean(), rtol=1e-12
    )
    with says(mp.SchemaError, "digits: expected last digits of ages"):
        of.whipple_index(even, digits=[3], ages=(40, 42))


@pytest.mark.parametrize("ages", [(23, 77), (20, 70), (21, 79), (23, 80), (30, 44)])
def test_bachi_reads_whole_tens(ages):
    even = xr.DataArray(np.full(101, 10.0), dims="age", coords=SINGLE)
    shares = of.digit_shares(even, method="bachi", ages=ages)
    np.testing.assert_allclose(shares, 10, rtol=1e-12)
    with says(mp.SchemaError, "ages: expected 15 years or more"):
        of.digit_shares(even, method="bachi", ages=(23, 34))


def test_deaths_at_old_ages_are_no_errors_of_age():
    """A stationary population is accurate, however old its open-ended group is."""
    e0 = xr.DataArray([50.0, 47.0], dims="sex", coords={"sex": ["female", "male"]})
    lived = 1e5 * mp.life_table(mp.model_life_table("west", e0=e0))["Lx"]
    scores = [
        of.age_sex_accuracy(mp.regroup_ages(lived, range(0, oldest + 5, 5)))
        for oldest in (75, 80, 90, 100)
    ]
    np.testing.assert_allclose(scores, float(scores[0]), rtol=1e-12)
    assert scores[0] < 6
    everyone = mp.regroup_ages(lived, range(0, 105, 5))
    assert of.age_sex_accuracy(everyone, ages=(0, 99)) > 20
    ratios, change = of.age_ratio_score(everyone, ages=(20, 49)), of.sex_ratio_score(everyone)
    part = everyone.sel(age=slice(20, 49)).values
    want = abs(200 * part[:, 1:-1] / (part[:, :-2] + part[:, 2:]) - 100).mean(axis=1)
    np.testing.assert_allclose(ratios, want, rtol=1e-12)
    assert change < of.sex_ratio_score(everyone, ages=(0, 99))
    with says(mp.SchemaError, "ages: expected 3 closed groups or more within", "widen ages="):
        of.age_ratio_score(everyone, ages=(20, 29))


def test_roughness_is_what_loess_gives():
    """At each step a weighted parabola through the nearest three quarters, one by one."""
    counts = mp.regroup_ages(people(3), range(0, 90, 5))
    closed = counts.isel(age=slice(4, -1)).values  # 20-24 to 80-84
    steps = np.diff(closed)
    at = np.arange(steps.shape[-1])
    smooth = np.empty_like(steps)
    for k in at:
        away = abs(at - k)
        weight = (1 - np.minimum(away / np.sort(away)[int(0.75 * len(at)) - 1], 1) ** 3) ** 3
        for cell in np.ndindex(steps.shape[:-1]):
            fit = np.polyfit(at, steps[cell], 2, w=np.sqrt(weight))
            smooth[(*cell, k)] = np.polyval(fit, k)
    smooth *= steps.sum(axis=-1, keepdims=True) / smooth.sum(axis=-1, keepdims=True)
    want = abs(steps / smooth - 1).mean(axis=-1)
    np.testing.assert_allclose(of.roughness(counts), want, rtol=1e-9)
    wide = of.roughness(counts, ages=(0, 84), span=1.0)
    assert wide.dims == ("country", "sex")
    line = xr.DataArray(
        np.arange(1000.0, 100.0, -50.0), dims="age", coords=mp.age_coords(range(0, 90, 5))
    )
    assert of.roughness(line) < 1e-12
    assert of.roughness(0 * line + 100) == 0
    assert "roughness" not in mp.age_quality(counts.sel(age=slice(40, 60)))
    with says(mp.SchemaError, "four steps or more"):
        of.roughness(counts, ages=(20, 44))
    with says(mp.SchemaError, "span: expected a share"):
        of.roughness(counts, span=2)


def test_report_of_what_there_is():
    counts = people()
    whole = mp.age_quality(counts)
    assert set(whole) == {
        "whipple_index", "myers_index", "bachi_index", "coale_li_index", "spoorenberg_index",
        "digit_shares", "age_ratio_score", "sawtooth_index", "roughness", "sex_ratio_score",
        "age_sex_accuracy",
    }  # fmt: skip
    assert all(array.attrs["meaning"] for array in whole.values())
    groups = mp.age_quality(mp.regroup_ages(counts, range(0, 85, 5)))
    assert set(groups) == {
        "age_ratio_score", "sawtooth_index", "roughness", "sex_ratio_score", "age_sex_accuracy"
    }  # fmt: skip
    to_70 = mp.regroup_ages(counts, [*range(70), 70])
    assert "coale_li_index" not in mp.age_quality(to_70)
    assert "whipple_index" in mp.age_quality(to_70)
    assert "sex_ratio_score" not in mp.age_quality(counts.sel(sex="male", drop=True))
    from_15 = mp.age_quality(counts.sel(age=slice(15, None)))
    assert set(whole) - set(from_15) == {"myers_index", "digit_shares"}
    from_12 = mp.age_quality(counts.sel(age=slice(12, None)))  # five-year groups from 15 on
    xr.testing.assert_identical(from_12, from_15)
    assert set(mp.age_quality(counts.sel(age=slice(63, None)))) == {
        "sawtooth_index", "roughness"
    }  # fmt: skip
    holed = counts.copy()
    holed[1, 0, 40] = np.nan
    report = mp.age_quality(holed)
    assert np.isnan(report["whipple_index"][1, 0])
    for name in whole:
        np.testing.assert_array_equal(report[name][[0, 2]], whole[name][[0, 2]])


def test_wrong():
    counts = people()
    with says(mp.SchemaError, "single years from 23 to 62", "age_ratio_score"):
        of.whipple_index(mp.regroup_ages(counts, range(0, 85, 5)))
    with says(mp.SchemaError, "digits: expected last digits"):
        of.whipple_index(counts, digits=np.array([0, 10]))
    with says(mp.SchemaError, "method: expected one of"):
        of.digit_index(counts, method="whipple")
    with says(mp.SchemaError, "whole tens of years"):
        of.digit_shares(counts, ages=(10, 85))
    with says(mp.SchemaError, "digit: expected a last digit"):
        of.coale_li_index(counts, digit=12)
    with says(mp.SchemaError, "closed five-year groups", "mp.regroup_ages"):
        of.age_ratio_score(counts)
    with says(mp.SchemaError, "expected ages that a score reads", "got 70-74 to 80+"):
        mp.age_quality(mp.regroup_ages(counts.sel(age=slice(70, None)), [70, 75, 80]))
    with says(mp.SchemaError, "single years or five-year groups", "mp.regroup_ages"):
        mp.age_quality(mp.regroup_ages(counts, [0, 1, *range(5, 85, 5)]))
    with says(mp.SchemaError, "population", "sex"):
        of.sex_ratio_score(mp.regroup_ages(counts, range(0, 85, 5)).isel(sex=0, drop=True))
    with says(mp.SchemaError, "ages: expected closed groups"):
        of.sawtooth_index(mp.regroup_ages(counts, range(0, 45, 5)))
    with says(mp.SchemaError, "population"):
        of.digit_index(-counts)
