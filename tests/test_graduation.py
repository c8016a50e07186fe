"""Single years from age groups: what holds for any population."""

import itertools

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import migproj as mp

METHODS = ["monotone", "pchip", "uniform", "sprague", "beers", "beers-modified", "grabill", "pclm"]
ANY_GROUPS = ["monotone", "pchip", "uniform"]
KEEP = [*ANY_GROUPS, "sprague", "beers"]
FIVE = mp.age_coords(range(0, 85, 5))


def says(error, *parts):
    return pytest.raises(error, match="(?s)" + ".*".join(parts))


def people(seed=0, countries=3, coords=FIVE):
    rng = np.random.default_rng(seed)
    low = coords["age"].values
    wide = np.where(np.isfinite(coords["age_width"].values), coords["age_width"].values, 10)
    level = 10_000 * wide * np.exp(-0.03 * low)
    values = level * rng.uniform(0.9, 1.1, (countries, len(low)))
    labels = {"country": [f"c{k}" for k in range(countries)], **coords}
    return xr.DataArray(values, dims=("country", "age"), coords=labels)


@settings(max_examples=24, deadline=None)
@given(seed=st.integers(0, 10**6), method=st.sampled_from(METHODS))
def test_what_is_kept(seed, method):
    counts = people(seed, 2)
    got = mp.graduate_ages(counts, method=method)
    assert got.sizes == {"country": 2, "age": 81}
    np.testing.assert_array_equal(got.isel(age=-1), counts.isel(age=-1))
    back = mp.regroup_ages(got.drop_vars("penalty", errors="ignore"), counts)
    if method in KEEP:
        np.testing.assert_allclose(back, counts, rtol=1e-12)
    elif method != "pclm":
        # The published multipliers have four digits.
        np.testing.assert_allclose(got.sum("age"), counts.sum("age"), rtol=1e-12)
    else:
        np.testing.assert_allclose(got.sum("age"), counts.sum("age"), rtol=1e-6)
    if method in ("monotone", "pchip", "uniform", "pclm"):
        assert (got > 0).all()
    np.testing.assert_array_equal(mp.graduate_ages(counts.T, method=method), got.T)
    one = mp.graduate_ages(counts.isel(country=1), method=method)
    np.testing.assert_array_equal(one, got.isel(country=1))
    lazy = mp.graduate_ages(counts.chunk(country=1), method=method)
    np.testing.assert_array_equal(lazy.compute(), got)


@settings(max_examples=20, deadline=None)
@given(
    widths=st.lists(st.integers(1, 15), min_size=2, max_size=12),
    open_ended=st.booleans(),
    method=st.sampled_from(ANY_GROUPS),
)
def test_any_groups(widths, open_ended, method):
    lower = np.concatenate([[0], np.cumsum(widths)]).tolist()
    if open_ended:
        coords = mp.age_coords(lower)
    else:
        labels = [f"{a}-{b - 1}" if b > a + 1 else f"{a}" for a, b in itertools.pairwise(lower)]
        coords = mp.age_coords(labels, open_ended=False)
    counts = people(3, 2, coords)
    got = mp.graduate_ages(counts, method=method)
    np.testing.assert_allclose(mp.regroup_ages(got, counts), counts, rtol=1e-11)
    assert (got >= 0).all()


def test_monotone_by_scipy():
    """The same curve by hand: Forsythe's ends are those of the cubics through four bounds."""
    from scipy.interpolate import CubicSpline

    counts = people(5, 1).isel(country=0)
    bounds = np.arange(0, 85, 5.0)
    up_to = np.concatenate([[0], np.cumsum(counts.values[:-1])])

    def third(points):
        return np.polyfit(bounds[points] - bounds[points[0]], up_to[points], 3)[0] * 6

    # Natural cubic basis: solve for the slopes whose ends have these third derivatives.
    n = len(bounds)
    matrix, right = np.zeros((n, n)), np.zeros(n)
    slope = np.diff(up_to) / 5
    for i in range(1, n - 1):
        matrix[i, i - 1 : i + 2] = [1, 4, 1]
        right[i] = 3 * (slope[i - 1] + slope[i])
    matrix[0, :2], matrix[-1, -2:] = 1, 1
    right[0] = 2 * slope[0] + 25 / 6 * third(np.arange(4))
    right[-1] = 2 * slope[-1] + 25 / 6 * third(np.arange(n - 4, n))
    ends = np.linalg.solve(matrix, right)
    curve = CubicSpline(bounds, up_to, bc_type=((1, ends[0]), (1, ends[-1])))
    got = mp.graduate_ages(counts)
    # Of such a smooth population Hyman's filter changes nothing.
    np.testing.assert_allclose(got[:-1], np.diff(curve(np.arange(81))), rtol=1e-10)


def link_model(y, widths, penalty):
    """Plain NumPy, dense: the logarithms of the single years and the effective dimension."""
    groups, ages = len(y), int(sum(widths))
    compose = np.repeat(np.eye(groups), widths, axis=1)
    rough = np.diff(np.eye(ages), 2, axis=0)
    beta = np.repeat(np.log(y / widths), widths)
    for _ in range(100):
        gamma = np.exp(beta)
        mu = compose @ gamma
        design = compose * gamma
        weight = design.T / mu
        information = weight @ design
        beta = np.linalg.solve(
            information + penalty * rough.T @ rough, weight @ (y - mu) + information @ beta
        )
    hat = np.linalg.solve(information + penalty * rough.T @ rough, information)
    deviance = 2 * (y * np.log(y / mu) - (y - mu)).sum()
    return np.exp(beta), np.trace(hat), deviance


@pytest.mark.parametrize("widths", [[5] * 10, [1, 4, 5, 5, 10, 10, 15]])
def test_link_model(widths):
    lower = np.concatenate([[0], np.cumsum(widths)])
    coords = mp.age_coords(lower.tolist())
    counts = people(7, 2, coords)
    y = counts.isel(country=0).values[:-1]
    for penalty in (1.0, 1e4):
        want, _, _ = link_model(y, widths, penalty)
        got = mp.graduate_ages(counts, method="pclm", penalty=penalty).isel(country=0)
        np.testing.assert_allclose(got[:-1], want, rtol=1e-7)
    for criterion, price in (("aic", 2.0), ("bic", np.log(len(widths)))):
        got = mp.graduate_ages(counts, method="pclm", penalty=criterion).isel(country=0)
        chosen = float(got["penalty"])

        def value(penalty, price=price):
            _, dimension, deviance = link_model(y, widths, penalty)
            return deviance + price * dimension

        # No neighbour is better, nor any power of ten.
        assert all(value(chosen) <= value(p) + 1e-6 for p in (chosen * 1.1, chosen / 1.1))
        assert all(value(chosen) <= value(10.0**k) + 1e-6 for k in range(-1, 8))
    by_country = mp.graduate_ages(
        counts,
        method="pclm",
        penalty=xr.DataArray([1.0, 100.0], dims="country", coords={"country": counts["country"]}),
    )
    np.testing.assert_array_equal(
        by_country.isel(country=1),
        mp.graduate_ages(counts.isel(country=1), method="pclm", penalty=100.0),
    )


@pytest.mark.parametrize("method", ["monotone", "pchip"])
def test_nobody_in_a_group_is_nobody_in_its_years(method):
    """Whatever there are beside it: a rounding below 0 would not pass as a count further on."""
    rng = np.random.default_rng(4)
    values = 10 ** rng.uniform(-3, 7, (500, 15)) * (rng.random((500, 15)) < 0.7)
    lower = [0, 1, 5, 7, 10, 20, 21, 22, 40, 45, 50, 60, 65, 80, 85]
    counts = xr.DataArray(values, dims=("place", "age"), coords=mp.age_coords(lower))
    got = mp.graduate_ages(counts, method=method)
    assert got.min() == 0
    empty = np.repeat(values[:, :-1] == 0, np.diff(lower), axis=1)
    np.testing.assert_array_equal(got.values[:, :-1][empty], 0.0)
    off = abs(mp.regroup_ages(got, lower) - counts) / counts.sum("age")
    assert off.max() < 1e-15


def test_few_people_have_a_fit_too():
    """Where a straight line of logarithms fits best the penalty has no upper end."""
    few = [0.001, 0.2, 0.1, 0.3, 0.4, 0.1, 0.1, 1.5, 0.0]
    counts = xr.DataArray(few, dims="age", coords=mp.age_coords(range(0, 45, 5)))
    got = mp.graduate_ages(counts, method="pclm")
    assert got["penalty"] >= 1e7
    bends = np.diff(np.log(got[:-1]), 2)
    np.testing.assert_allclose(bends, 0.0, atol=1e-5)
    np.testing.assert_allclose(got.sum(), counts.sum(), rtol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_lazy_years_are_of_one_chunk(method):
    """What comes next reads all ages: `ages=` here, a life table or a projection after."""
    counts = people()
    lazy = mp.graduate_ages(counts.chunk(country=1), method=method)
    assert len(lazy.chunksizes["age"]) == 1
    wide = mp.graduate_ages(counts.chunk(country=1), method=method, ages=range(0, 85, 10))
    np.testing.assert_array_equal(
        wide.compute(), mp.graduate_ages(counts, method=method, ages=range(0, 85, 10))
    )


def test_a_missing_country_alone_and_nobody():
    counts = people()
    counts[1, 4] = np.nan
    counts[2] = 0.0
    for method in METHODS:
        got = mp.graduate_ages(counts, method=method)
        want = mp.graduate_ages(people(), method=method)
        np.testing.assert_array_equal(got[0], want[0])
        assert np.isnan(got[1]).any(), method
        assert not np.isnan(got[1, -1])
        np.testing.assert_array_equal(got[2], np.zeros(81))


def test_wider_groups_on_request():
    counts = people()
    got = mp.graduate_ages(counts, ages=["0", "1-4", "5-17", "18-24", "25-79", "80+"])
    np.testing.assert_allclose(got.sel(age=[0, 1]).sum("age"), counts.sel(age=0), rtol=1e-12)
    assert got["age"].values.tolist() == [0, 1, 5, 18, 25, 80]


def test_negative_years_are_kept_and_named():
    counts = people(countries=1)
    counts[0, 3] = 10.0
    with pytest.warns(mp.DataQualityWarning, match="single years below 0 in .*c0"):
        got = mp.graduate_ages(counts, method="sprague")
    assert (got < 0).any()
    assert (mp.graduate_ages(counts) >= 0).all()


def test_wrong():
    counts = people()
    with says(mp.SchemaError, "method: expected one of", "'spline'"):
        mp.graduate_ages(counts, method="spline")
    abridged = people(coords=mp.age_coords([0, 1, *range(5, 85, 5)]))
    with says(mp.SchemaError, "five-year groups", "sprague", "mp.regroup_ages"):
        mp.graduate_ages(abridged, method="sprague")
    with says(mp.SchemaError, "five closed five-year groups"):
        mp.graduate_ages(mp.regroup_ages(counts, [0, 5, 10, 15, 20]), method="beers")
    for penalty in (0, -1.0, "best"):
        with says(mp.SchemaError, "penalty: expected"):
            mp.graduate_ages(counts, method="pclm", penalty=penalty)
    with says(mp.SchemaError, "population"):
        mp.graduate_ages(-counts)
    with says(mp.SchemaError, "two closed groups"):
        mp.graduate_ages(counts.isel(age=[-2, -1]))
    with says(mp.SchemaError, "ages: expected groups from 0"):
        mp.graduate_ages(counts, ages=[5, 80])


def test_a_penalty_that_nobody_reads():
    counts = xr.DataArray(np.full(8, 9.0), dims="age", coords=mp.age_coords(range(0, 40, 5)))
    with pytest.raises(mp.SchemaError, match="penalty: method 'sprague' does not read it"):
        mp.graduate_ages(counts, method="sprague", penalty=3.0)
