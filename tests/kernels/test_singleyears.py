import warnings

import numpy as np
import pytest
import xarray as xr
from scipy.interpolate import CubicHermiteSpline, CubicSpline
from scipy.optimize import brentq

import migproj as mp
from kernels import reference
from migproj._jit import run
from migproj._kernels import survival as kernels

COLUMNS = ("lx", "dx", "ax", "Lx", "Tx")
MADE = ("mx", "ax", "qx", "lx", "dx", "Lx", "Tx", "ex")


def tables(lower, n):
    rng = np.random.default_rng(len(lower))
    age = np.array(lower) + 0.5
    mx = 0.02 * np.exp(-1.2 * np.sqrt(age)) + 3e-5 * np.exp(0.09 * age)
    mx = np.minimum(mx * rng.uniform(0.2, 5, (n, 1)) * rng.uniform(0.6, 1.5, (n, len(lower))), 1.5)
    rates = xr.DataArray(
        mx,
        dims=("row", "age"),
        coords={"row": range(n), "sex": "male", **mp.age_coords(list(lower))},
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mp.DataQualityWarning)
        return mp.life_table(rates)


def deaths(lower, table):
    """The curve by SciPy's spline, tilted by its root-finder."""
    born, first = table["lx"][0], lower[0]
    x = np.log(np.array(lower[1:]) - first)
    y = np.log(-np.log(table["lx"][1:] / born))
    slope = CubicSpline(x, y).derivative()(x)
    steps = np.diff(y) / np.diff(x)
    least = np.minimum(np.append(steps[0], steps), np.append(steps, steps[-1]))
    curve = CubicHermiteSpline(x, y, np.clip(slope, 0, 3 * least))
    made = []
    for g in range(len(lower) - 1):
        low, high = lower[g] - first, lower[g + 1] - first
        n, a = high - low, table["ax"][g]
        if n == 1:
            made.append(table["dx"][g])
            continue
        years = np.arange(low, high + 1)
        if g == 0:
            alive = np.exp(-np.exp(y[0]) * years / high)
        else:
            alive = np.exp(-np.exp(curve(np.log(years))))
        weight, k = -np.diff(alive), np.arange(n)
        half = 0.5 if 0.5 < a < n - 0.5 else a / n

        def apart(tilt, weight=weight, k=k, goal=a - half):
            tilted = weight * np.exp(tilt * k)
            return (k * tilted).sum() / tilted.sum() - goal

        tilted = weight * np.exp(brentq(apart, -20, 20, xtol=1e-14) * k)
        made.extend(table["dx"][g] * tilted / tilted.sum())
    return np.array(made)


@pytest.mark.parametrize(
    "lower",
    [[0, 1, *range(5, 85, 5)], [15, 20, 30, 45, 60, 70], [0, 1, 2, 5, 9, 10, 15, 20]],
    ids=str,
)
def test_single_years(lower):
    n = 7
    table = tables(lower, 3)
    columns = [np.ascontiguousarray(table[name].values) for name in COLUMNS]
    rng = np.random.default_rng(2)
    row, out_row = reference.picks(rng, n, 3), rng.permutation(n)
    years = lower[-1] - lower[0]
    outs = [np.full((n, years + 1), np.nan) for _ in MADE]
    inputs = [part for column in columns for part in (column, row)]
    run(kernels.single_years, n, *inputs, *outs, out_row, np.array(lower) - lower[0])
    made = dict(zip(MADE, outs, strict=True))
    for b in range(n):
        one = {name: column[row[b]] for name, column in zip(COLUMNS, columns, strict=True)}
        want = deaths(lower, one)
        # The root-finders and differences of survivors leave this of the deaths.
        np.testing.assert_allclose(made["dx"][out_row[b], :-1], want, rtol=1e-8, atol=1e-14)
        lx = made["lx"][out_row[b]]
        np.testing.assert_allclose(lx[1:], 1 - np.cumsum(want), rtol=1e-8, atol=1e-13)
        Lx = lx[1:] + made["ax"][out_row[b], :-1] * made["dx"][out_row[b], :-1]
        np.testing.assert_allclose(made["Lx"][out_row[b], :-1], Lx, rtol=1e-12, atol=1e-15)
        sums = np.add.reduceat(Lx, np.array(lower[:-1]) - lower[0])
        np.testing.assert_allclose(sums, one["Lx"][:-1], rtol=1e-9)
