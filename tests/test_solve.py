"""Roots of many equations at once."""

import numpy as np
import pytest
import xarray as xr

from migproj._solve import solved

TARGET = xr.DataArray(
    [[0.1, 2.0, 50.0], [1.0, np.nan, 900.0]],
    dims=("a", "b"),
    coords={"a": [1, 2], "b": [1, 2, 3]},
)


def gap(x):
    """Of x³ + x, steep and flat by turns in a wide interval."""
    return x**3 + x - TARGET


def test_every_cell_has_its_own_root():
    low, high = xr.zeros_like(TARGET), xr.full_like(TARGET, 100.0)
    root = solved(gap, low, high)
    np.testing.assert_allclose(root**3 + root, TARGET, rtol=1e-12)
    for k in range(3):
        if not np.isnan(TARGET[1, k]):
            want = np.roots([1, 0, 1, -float(TARGET[1, k])])
            real = float(want[abs(want.imag) < 1e-9].real[0])
            np.testing.assert_allclose(root[1, k], real, rtol=1e-10)


def test_a_root_does_not_depend_on_those_beside_it():
    """To the last digit, though others take more steps."""
    low, high = xr.zeros_like(TARGET), xr.full_like(TARGET, 100.0)
    root = solved(gap, low, high)
    for cell in np.ndindex(TARGET.shape):
        target = TARGET[cell]
        alone = solved(lambda x, t=target: x**3 + x - t, low[cell], high[cell])
        np.testing.assert_array_equal(alone, root[cell])


def test_no_root_is_missing():
    root = solved(gap, xr.full_like(TARGET, 3.0), xr.full_like(TARGET, 5.0))
    # 3³ + 3 = 30 and 5³ + 5 = 130
    assert root.notnull().values.tolist() == [[False, False, True], [False, False, False]]


def test_root_at_an_end():
    zero = xr.DataArray([0.0, 0.0], dims="a")
    root = solved(lambda x: x * (x + 1), zero, zero + 3)
    np.testing.assert_allclose(root, 0, atol=1e-12)
    np.testing.assert_allclose(solved(lambda x: x - 3, zero, zero + 3), 3, atol=1e-12)


def test_lazy():
    pytest.importorskip("dask")
    low = xr.zeros_like(TARGET)
    target = TARGET.chunk(b=1)
    root = solved(lambda x: np.log((x**3 + x) / target), low + 0.01, low + 20)
    assert root.chunks is not None
    want = solved(lambda x: np.log((x**3 + x) / TARGET), low + 0.01, low + 20)
    np.testing.assert_allclose(root.compute(), want, rtol=1e-10)
