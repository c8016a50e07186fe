"""Coverage, misreported ages and mortality at a given expectation of life."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import migproj as mp

LOWER = [0, 5, 10, 20, 30]
FACTORS = xr.DataArray([1.0, 1.05], dims="draw", coords={"draw": [0, 1]})


def people(values):
    coords = {"country": ["ARG", "BOL"][: len(values)], **mp.age_coords(LOWER)}
    return xr.DataArray(values, dims=("country", "age"), coords=coords, attrs={"units": "persons"})


@pytest.fixture
def counted():
    return people(np.arange(1.0, 11.0).reshape(2, 5) * 100)


def test_coverage(counted):
    before = counted.copy(deep=True)
    got = mp.correct_coverage(counted.assign_coords(time=2000.0), FACTORS)
    assert got.dims == ("draw", "country", "age")
    np.testing.assert_allclose(got.sel(draw=1), 1.05 * counted)
    assert got.attrs == {**counted.attrs, "coverage": "corrected"}
    assert float(got["time"]) == 2000
    assert got["age_width"].values[-1] == np.inf
    xr.testing.assert_identical(counted, before)


def test_coverage_of_rounds(counted):
    """Factors by time go with counts by time, as those of any other dim."""
    rounds = {"time": [1980.0, 1990.0]}
    factor = xr.DataArray([1.1, 1.2], dims="time", coords=rounds)
    got = mp.correct_coverage(counted.expand_dims(rounds), factor)
    np.testing.assert_allclose(got.sel(time=1990), 1.2 * counted)
    with pytest.raises(mp.AlignmentError, match="coverage: dim 'time'.*1 missing"):
        mp.correct_coverage(counted.expand_dims(rounds), factor.isel(time=[1]))


def test_wrong_coverage(counted):
    with pytest.raises(mp.SchemaError, match=r"coverage: expected true over enumerated.*draw=1"):
        mp.correct_coverage(counted, FACTORS - [0.0, 1.05])
    by_country = xr.DataArray([1.0, 1.1], dims="country", coords={"country": ["ARG", "CHL"]})
    with pytest.raises(mp.AlignmentError, match=r"coverage: dim 'country'.*missing: \['BOL'\]"):
        mp.correct_coverage(counted, by_country)
    with pytest.raises(mp.SchemaError, match=r"population: expected an xarray.DataArray"):
        mp.correct_coverage([1.0], 1.0)
    with pytest.raises(mp.SchemaError, match=r"near 1, got 103 .*divide percentages by 100"):
        mp.correct_coverage(counted, 103.0)


def test_coverage_of_other_age_groups(counted):
    """The same lower bounds, but the last group of one of them ends."""
    ages = counted["age"].values.tolist()
    factor = xr.DataArray(np.full(len(ages), 1.1), dims="age", coords={"age": ages})
    closed = factor.assign_coords(mp.age_coords(ages, open_ended=False))
    with pytest.raises(mp.AlignmentError, match=r"coverage: dim 'age': expected the age groups of"):
        mp.correct_coverage(counted, closed)
    same = mp.correct_coverage(counted, factor.assign_coords(mp.age_coords(ages)))
    xr.testing.assert_identical(same, mp.correct_coverage(counted, factor))


@settings(max_examples=30, deadline=None, derandomize=True, database=None)
@given(
    hnp.arrays(np.float64, (2, 5), elements=st.floats(0, 1e6, allow_subnormal=False)),
    hnp.arrays(np.float64, (4,), elements=st.floats(-0.5, 0.5, allow_subnormal=False)),
)
def test_transfer_moves_people_and_loses_none(counts, shares):
    got = mp.transfer_ages(
        people(counts + 1), xr.DataArray(shares, dims="age", coords={"age": LOWER[1:]})
    )
    want = counts + 1
    for k, share in enumerate(shares):
        moved = (counts[:, k] + 1) * share if share > 0 else (counts[:, k + 1] + 1) * share
        want[:, k] -= moved
        want[:, k + 1] += moved
    np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-9)
    np.testing.assert_allclose(got.sum("age"), (counts + 1).sum(axis=1), rtol=1e-12)
    # A group gives at most half of its people to either side.
    assert (got >= -1e-9).all()


def test_transfer_of_draws(counted):
    shares = xr.DataArray([0.0, 0.1], dims="draw", coords={"draw": [0, 1]})
    got = mp.transfer_ages(counted, shares)
    assert got.dims == ("draw", "country", "age")
    np.testing.assert_array_equal(got.sel(draw=0), counted)
    xr.testing.assert_identical(got["age_width"], counted["age_width"])
    # All bounds by a tenth of the group below: the first loses it, the last gains it.
    assert got.sel(draw=1, country="ARG").values.tolist() == [90.0, 190.0, 290.0, 390.0, 540.0]
    assert got.attrs == counted.attrs


def test_wrong_transfers(counted):
    with pytest.raises(mp.SchemaError, match=r"share: expected shares from -0.5 to 0.5, got 3"):
        mp.transfer_ages(counted, 3.0)
    ages = xr.DataArray([0.1] * 5, dims="age", coords={"age": LOWER})
    with pytest.raises(mp.AlignmentError, match=r"share: dim 'age': expected the bounds.*\[5, 10"):
        mp.transfer_ages(counted, ages)


CALLS = {"coverage": mp.correct_coverage, "ages": mp.transfer_ages}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_any_order_chunks_and_missing_values(counted, call):
    factor = xr.DataArray([0.3, 0.4], dims="country", coords={"country": ["ARG", "BOL"]})
    factor = factor * FACTORS
    want = call(counted, factor)
    assert want.dims == ("draw", "country", "age")
    turned = call(counted.transpose(), factor.transpose())
    xr.testing.assert_identical(turned.transpose(*want.dims), want)
    lazy = call(counted.chunk(country=1), factor.chunk(draw=1))
    assert lazy.chunks
    xr.testing.assert_identical(lazy.compute(), want)
    holed = call(counted.where(counted["country"] != "BOL"), factor)
    assert holed.sel(country="BOL").isnull().all()
    xr.testing.assert_identical(holed.sel(country="ARG"), want.sel(country="ARG"))


@pytest.fixture(scope="module")
def mx():
    ages = ["0", "1-4", *(f"{x}-{x + 4}" for x in range(5, 100, 5)), "100+"]
    coords = mp.age_coords(ages)
    x = coords["age"].values
    rates = 0.03 * np.exp(-1.2 * x) + 0.0006 + 6e-5 * np.exp(0.085 * (x + 2.5))
    return xr.DataArray(
        rates * np.array([[1.0], [1.3]]),
        dims=("sex", "age"),
        coords={"sex": ["female", "male"], **coords},
    )


def test_mortality_at_a_given_e0(mx):
    wanted = xr.DataArray(
        [[50.0, 46.0], [60.0, 55.0], [72.0, 68.0], [85.0, 81.0]],
        dims=("draw", "sex"),
        coords={"draw": range(4), "sex": ["female", "male"]},
    )
    rates = mp.scale_mortality(mx, wanted)
    assert rates.dims == ("draw", "sex", "age")
    assert rates.attrs["units"] == "1/year"
    reached = mp.life_table(rates)["ex"].sel(age=0)
    np.testing.assert_allclose(reached, wanted, rtol=0, atol=1e-9)
    # One proportion at all ages.
    proportion = rates / mx
    np.testing.assert_allclose(proportion, proportion.isel(age=[0] * 22).values, rtol=1e-12)
    lazy = mp.scale_mortality(mx, wanted.chunk(draw=1))
    np.testing.assert_allclose(lazy.compute(), rates, rtol=1e-9)
    own = mp.life_table(mx)["ex"].sel(age=0, drop=True)
    np.testing.assert_allclose(mp.scale_mortality(mx, own), mx, rtol=1e-9)


def test_mortality_at_an_e0_of_single_precision(mx):
    wanted = xr.DataArray(np.array([50.1, 46.3], "f4"), dims="sex", coords={"sex": mx["sex"]})
    rates = mp.scale_mortality(mx, wanted)
    reached = mp.life_table(rates)["ex"].sel(age=0)
    np.testing.assert_allclose(reached, wanted.astype(float), rtol=0, atol=1e-9)


def test_rules_go_through(mx):
    rates = mp.scale_mortality(mx, 70.0, a0="andreev-kingkade", ax="half")
    table = mp.life_table(rates, a0="andreev-kingkade", ax="half")
    np.testing.assert_allclose(table["ex"].sel(age=0), 70.0, rtol=0, atol=1e-9)


def test_wrong_e0(mx):
    with pytest.raises(mp.SchemaError, match=r"e0: expected years between 0 and 150, got 0 "):
        mp.scale_mortality(mx, 0.0)
    with pytest.raises(mp.SchemaError, match=r"mx: dim 'age': expected rates from birth on"):
        mp.scale_mortality(mx.isel(age=slice(2, None)), 60.0)
    # Only the open-ended group has deaths, and nobody is to reach it.
    with pytest.raises(mp.SchemaError, match=r"e0: no proportion of mx gives it in 2 life table"):
        mp.scale_mortality(mx.where(mx["age"] == 100, 0.0), 60.0)
    # Nobody dies, in whatever proportion.
    with pytest.raises(mp.SchemaError, match=r"e0: no proportion of mx gives it in 2 life table"):
        mp.scale_mortality(mx * 0.0, 60.0)


def test_corrected_rounds_with_the_ratios_of_two_censuses():
    """Errors that the censuses share cancel in their ratios: corrected once, they would not."""
    ages = mp.age_coords([0, 10, 20])
    start, end, home = (
        xr.DataArray(values, dims="age", coords=ages)
        for values in ([100.0, 90.0, 150.0], [120.0, 95.0, 200.0], [10.0, 20.0, 30.0])
    )
    ratios = mp.census_survival_ratios(start, end, interval=10)
    options = {"interval": 10, "children": "none", "method": "forward"}
    more = mp.correct_coverage(home, 1.05)
    for rounds in ((more, home), (home, more), (more, more)):
        with pytest.raises(mp.SchemaError, match="(?s)survival: of two censuses.*corrected for"):
            mp.net_migration(*rounds, ratios, **options)
    confirmed = mp.net_migration(more, more, ratios.drop_attrs(), **options)
    plain = mp.net_migration(home, home, ratios, **options)
    np.testing.assert_allclose(confirmed["expected"], 1.05 * plain["expected"])
    both = (mp.correct_coverage(a, 1.02) for a in (start, end))
    corrected = mp.census_survival_ratios(*both, interval=10)
    mp.net_migration(more, more, corrected, **options)
