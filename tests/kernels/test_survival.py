import numpy as np
import pytest
import xarray as xr

import migproj as mp
from kernels import reference
from migproj._jit import run
from migproj._kernels import survival as kernels

TABLE = [0, 1, *range(5, 65, 5)]

GRIDS = {
    "5 years": (range(0, 60, 5), 5),
    "10 years on 5": (range(0, 60, 5), 10),
    "mixed widths": ([0, 5, 10, 15, 20, 30, 40, 60], 10),
    "single years to 20": (range(21), 1),
    "between the table's ages": (range(0, 60, 3), 3),
    "cohorts from 7 on": ([7, 12, 18, 33], 7),
}


def tables(rng, rows):
    mx = rng.uniform(0.5, 2.0, (rows, len(TABLE))) * (0.01 + 0.002 * np.array(TABLE) / 10)
    columns = [reference.life_table(m, reference.age_groups(TABLE), radix=100.0) for m in mx]
    return (np.array([column[name] for column in columns]) for name in ("lx", "Tx"))


@pytest.mark.parametrize("grid", GRIDS)
def test_survival_ratios(grid):
    lower, interval = GRIDS[grid]
    lx, Tx = tables(np.random.default_rng(11), 3)
    coords = {"country": list("ABC"), **mp.age_coords(TABLE)}
    life_table = xr.Dataset(
        {"lx": (("country", "age"), lx), "Tx": (("country", "age"), Tx)}, coords=coords
    )
    result = mp.survival_ratios(life_table, ages=lower, interval=interval)
    groups = reference.age_groups(list(lower))
    for c in range(3):
        want = reference.survival_ratios(TABLE, lx[c], Tx[c], groups, interval)
        reference.assert_close(result.values[c], want)


def test_survival_ratios_gather_rows_and_scatter_results():
    rng = np.random.default_rng(12)
    n = 7
    lx, Tx = tables(rng, 4)
    Tx = Tx[:3]
    lx_row, Tx_row = reference.picks(rng, n, 4), reference.picks(rng, n, 3)
    out_row = rng.permutation(n)
    out = np.full((n, 3), np.nan)
    # 0-4, 5-16 (from 0-11) and 17+ (from 12+) after 5 years: points 0, 5, 12, 17 in the table
    run(
        kernels.survival_ratios,
        n,
        *(lx, lx_row, Tx, Tx_row, out, out_row),
        np.array([0, 2, 3, 4]),
        np.array([0.0, 0.0, 0.4, 0.4]),
        np.array([1.0, 5.0, 5.0, 5.0]),
        *(np.array([0, 1, 3]), np.array([1, 3, -1])),
        *(np.array([-1, 0, 2]), np.array([-1, 2, -1])),
        np.array([5.0, 12.0, np.inf]),
    )
    groups = reference.age_groups([0, 5, 17])
    for b in range(n):
        want = reference.survival_ratios(TABLE, lx[lx_row[b]], Tx[Tx_row[b]], groups, 5)
        reference.assert_close(out[out_row[b]], want)


def test_exponential_survivors_between_the_tables_ages():
    # l(x) = e^{-mx} has T = l/m and S = e^{-mt} for every group born before the interval. A cubic
    # Hermite over 5 years is off by h⁴/384 · max|T''''| = 625/384 · m³ l, 2e-7 of T at m = 0.005.
    m = 0.005
    lx = np.exp(-m * np.array(TABLE))
    coords = mp.age_coords(TABLE)
    life_table = xr.Dataset({"lx": ("age", lx), "Tx": ("age", lx / m)}, coords=coords)
    ratios = mp.survival_ratios(life_table, ages=range(0, 60, 3), interval=3).values
    bound = 2 * 625 / 384 * m**3 / (1 - np.exp(-3 * m))  # two ends, of a group's person-years
    np.testing.assert_allclose(ratios[1:], np.exp(-3 * m), atol=2 * m * bound, rtol=0)


CENSUSES = {
    "5 years": (range(0, 30, 5), range(0, 30, 5), 5),
    "10 years on 5": (range(0, 30, 5), range(0, 30, 5), 10),
    "mixed widths": ([0, 5, 10, 20, 30], [0, 5, 10, 15, 20, 30, 35, 40], 10),
    "no births": ([15, 20, 25], [20, 25, 30], 5),
}


@pytest.mark.parametrize("grid", CENSUSES)
def test_census_survival_ratios(grid):
    rng = np.random.default_rng(13)
    start_lower, end_lower, interval = CENSUSES[grid]
    start, end = (rng.uniform(1e3, 1e5, (3, len(g))) for g in (start_lower, end_lower))
    end *= 0.01  # each ratio below 1
    arrays = [
        xr.DataArray(
            values, dims=("country", "age"), coords={"country": list("ABC"), **mp.age_coords(lower)}
        )
        for values, lower in ((start, start_lower), (end, end_lower))
    ]
    result = mp.census_survival_ratios(*arrays, interval=interval)
    groups = [reference.age_groups(list(g)) for g in (start_lower, end_lower)]
    for c in range(3):
        want = reference.census_survival_ratios(start[c], groups[0], end[c], groups[1], interval)
        reference.assert_close(result.values[c], want)


def test_census_survival_ratios_gather_rows_and_scatter_results():
    rng = np.random.default_rng(14)
    n = 6
    start, end = rng.uniform(1e3, 1e5, (2, 4)), rng.uniform(1e3, 1e5, (3, 5))
    start_row, end_row, out_row = *(reference.picks(rng, n, k) for k in (2, 3)), rng.permutation(n)
    # 0-4, 5-9, 10-19, 20+ to 0-4, 5-9, 10-19, 20-29, 30+: arrivals 0-4, 5-9, 10-19 (from the
    # first two), 20-29 and 30+
    out = np.full((n, 5), -1.0)
    run(
        kernels.census_survival_ratios,
        n,
        *(start, start_row, end, end_row, out, out_row),
        np.array([0, 0, 0, 2, 3, 4]),
        np.array([0, 1, 2, 3, 4, 5]),
        2,
    )
    groups = reference.age_groups([0, 5, 10, 20]), reference.age_groups([0, 5, 10, 20, 30])
    for b in range(n):
        want = reference.census_survival_ratios(
            start[start_row[b]], groups[0], end[end_row[b]], groups[1], 10
        )
        reference.assert_close(out[out_row[b]], want)
