"""Smoothing of five-year age groups: what holds for any population."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import migproj as mp

METHODS = [
    "carrier-farrag",
    "karup-king-newton",
    "arriaga",
    "un",
    "strong",
    "zigzag",
    "moving-average",
]
KEEP_DECADES = METHODS[:3]


def says(error, *parts):
    return pytest.raises(error, match="(?s)" + ".*".join(parts))


def people(seed=0, countries=3):
    rng = np.random.default_rng(seed)
    level = 1000 * np.exp(-0.05 * np.arange(17))
    coords = {"country": [f"c{k}" for k in range(countries)], **mp.age_coords(range(0, 85, 5))}
    values = level * rng.uniform(0.8, 1.2, (countries, 17))
    return xr.DataArray(values, dims=("country", "age"), coords=coords)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), method=st.sampled_from(METHODS))
def test_what_is_kept(seed, method):
    counts = people(seed, 2)
    got = mp.smooth_ages(counts, method=method)
    assert got.dims == counts.dims
    np.testing.assert_array_equal(got.isel(age=-1), counts.isel(age=-1))
    if method in KEEP_DECADES:
        decades = [*range(0, 80, 10), 80]
        np.testing.assert_allclose(
            mp.regroup_ages(got, decades), mp.regroup_ages(counts, decades), rtol=1e-13
        )
    if method not in ("un", "moving-average"):
        np.testing.assert_allclose(got.sum("age"), counts.sum("age"), rtol=1e-13)
    # In any order of dims, each country alone, lazily.
    np.testing.assert_array_equal(mp.smooth_ages(counts.T, method=method), got.T)
    one = mp.smooth_ages(counts.isel(country=1), method=method)
    np.testing.assert_array_equal(one, got.isel(country=1))
    lazy = mp.smooth_ages(counts.chunk(country=1), method=method)
    np.testing.assert_array_equal(lazy.compute(), got)


@pytest.mark.parametrize("method", METHODS)
def test_a_straight_line_is_smooth(method):
    """What has no error in age stays, but that a light method of ratios bends a line a little."""
    line = xr.DataArray(
        np.arange(1000.0, 150.0, -50.0), dims="age", coords=mp.age_coords(range(0, 85, 5))
    )
    got = mp.smooth_ages(line, method=method)
    closed = slice(0, -1)
    off = np.abs(got / line - 1)[closed].max()
    assert off < (0.02 if method in ("carrier-farrag", "arriaga", "strong") else 1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_a_missing_country_alone(method):
    counts = people()
    counts[1, 4] = np.nan
    got = mp.smooth_ages(counts, method=method)
    want = mp.smooth_ages(people(), method=method)
    np.testing.assert_array_equal(got[[0, 2]], want[[0, 2]])
    assert np.isnan(got[1]).any()
    assert counts.isnull().sum() == 1


@pytest.mark.parametrize("tails", ["original", "arriaga", "strong", "moving-average"])
@pytest.mark.parametrize("method", METHODS)
def test_small_integers_do_not_wrap(method, tails):
    """Counts come as unsigned or short integers too, and without widths of ages."""
    counts = (people() / 5).round()
    want = mp.smooth_ages(counts, method=method, tails=tails)
    for dtype in ("uint8", "uint32", "int16"):
        got = mp.smooth_ages(counts.astype(dtype), method=method, tails=tails)
        np.testing.assert_array_equal(got, want)
    bare = mp.smooth_ages(counts.drop_vars("age_width"), method=method, tails=tails)
    xr.testing.assert_identical(bare, want)


def test_what_has_no_smoothed_count_is_missing_and_named():
    counts = people(countries=2)
    counts[0, [4, 5, 8, 9]] = 0.0  # no decade on either side of 30-39
    with pytest.warns(mp.DataQualityWarning, match="no smoothed counts in 1 .*c0"):
        got = mp.smooth_ages(counts, method="carrier-farrag")
    assert got["age"][got[0].isnull()].values.tolist() == [30, 35]
    assert got[1].notnull().all()
    counts = people(countries=2)
    counts[0, 13] = 0.0  # nobody to give
    with pytest.warns(mp.DataQualityWarning, match="no smoothed counts in 1 .*c0"):
        got = mp.smooth_ages(counts, method="zigzag")
    assert got["age"][got[0].isnull()].values.tolist() == list(range(40, 75, 5))
    np.testing.assert_array_equal(
        got[1], mp.smooth_ages(people(countries=2), method="zigzag").isel(country=1)
    )


def test_negative_results_are_kept_and_named():
    counts = people(countries=1)
    counts[0, 4:6] = 0.0
    counts[0, 2:4] = 9000.0
    with pytest.warns(mp.DataQualityWarning, match="smoothed counts below 0 in .*c0"):
        got = mp.smooth_ages(counts, method="un")
    assert (got < 0).any()


def test_wrong():
    counts = people()
    with says(mp.SchemaError, "method: expected one of", "'spline'"):
        mp.smooth_ages(counts, method="spline")
    with says(mp.SchemaError, "tails: expected", "'none'"):
        mp.smooth_ages(counts, method="un", tails="none")
    with says(mp.SchemaError, "five-year groups", "mp.regroup_ages"):
        single = xr.DataArray(np.ones(20), dims="age", coords=mp.age_coords(range(20)))
        mp.smooth_ages(single, method="un")
    with says(mp.SchemaError, "6 closed groups or more", "got 4"):
        few = mp.regroup_ages(counts, [0, 5, 10, 15, 20])
        mp.smooth_ages(few, method="strong")
    for method in ("un", "moving-average", "zigzag"):
        with says(mp.SchemaError, "6 closed groups or more for tails 'strong'", "got 5"):
            few = mp.regroup_ages(counts, range(0, 30, 5))
            mp.smooth_ages(few, method=method, tails="strong", youngest=0)
    with says(mp.SchemaError, "dim 'age' is split into 4 dask chunks", "chunk"):
        mp.smooth_ages(counts.chunk(age=5), method="un")
    with says(mp.SchemaError, "youngest", "42"):
        mp.smooth_ages(counts, method="zigzag", youngest=42)
    with says(mp.SchemaError, "window", "from 2 to 16"):
        mp.smooth_ages(counts, method="moving-average", window=1)
    with says(mp.SchemaError, "window", "from 2 to 16", "got 2.5"):
        mp.smooth_ages(counts, method="moving-average", window=2.5)
    with says(mp.SchemaError, "population"):
        mp.smooth_ages(-counts, method="un")
