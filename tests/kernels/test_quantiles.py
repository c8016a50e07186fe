import numpy as np
import pytest

from migproj._jit import run
from migproj._kernels import quantiles as kernels

WANTED = np.array([0.0, 0.05, 0.31, 0.5, 0.9, 1.0])


def quantiles(values, wanted=WANTED):
    out = np.full((len(wanted), values.shape[1]), np.nan)
    blocks = -(-values.shape[1] // kernels.LANES)
    run(kernels.quantiles, blocks, values, wanted, out, 0)
    return out


@pytest.mark.parametrize("draws", [1, 2, 3, 5, 8, 13, 16, 33, 70, 129, 256, 300, 520, 1000])
@pytest.mark.parametrize("columns", [1, kernels.LANES, kernels.LANES + 3])
def test_quantiles_are_numpys(draws, columns):
    values = np.random.default_rng(draws).normal(size=(draws, columns))
    want = np.quantile(values, WANTED, axis=0)
    np.testing.assert_allclose(quantiles(values), want, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("draws", [5, 40, 300, 1000])
def test_each_quantile_is_the_same_whatever_else_is_wanted(draws):
    values = np.random.default_rng(3).normal(size=(draws, 9))
    together = quantiles(values, WANTED[::-1].copy())
    np.testing.assert_array_equal(together[::-1], quantiles(values))
    for one, got in zip(WANTED[::-1], together, strict=True):
        np.testing.assert_array_equal(quantiles(values, np.array([one]))[0], got)


@pytest.mark.parametrize(("draws", "wanted"), [(11, 0.3), (21, 0.95), (1001, 0.975)])
def test_a_quantile_that_is_one_of_the_draws_is_that_draw(draws, wanted):
    """Also where the decimal as a float is a little less: nobody would be a few below 0."""
    rank = wanted * (draws - 1)
    assert rank == int(rank)
    values = np.where(np.arange(draws) <= rank, 0.0, 1e9)[::-1, None] * np.ones(3)
    np.testing.assert_array_equal(quantiles(values, np.array([wanted])), 0.0)


def test_ties():
    values = np.random.default_rng(1).integers(0, 3, (11, 5)).astype(float)
    np.testing.assert_allclose(quantiles(values), np.quantile(values, WANTED, axis=0), rtol=1e-13)


def test_a_missing_value_is_missing_in_its_column_alone():
    values = np.random.default_rng(2).normal(size=(9, 6))
    values[4, 2] = np.nan
    got = quantiles(values)
    assert np.isnan(got[:, 2]).all()
    others = np.delete(values, 2, axis=1)
    np.testing.assert_allclose(
        np.delete(got, 2, axis=1), np.quantile(others, WANTED, axis=0), rtol=1e-13
    )
