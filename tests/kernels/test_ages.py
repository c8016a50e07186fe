import numpy as np
import pytest
import xarray as xr

import migproj as mp
from kernels import reference
from migproj._jit import run
from migproj._kernels import ages as kernels


@pytest.mark.parametrize("seed", range(3))
def test_regroup_sums_the_groups_inside_each_wanted_group(seed):
    rng = np.random.default_rng(seed)
    lower, wanted = [0, 1, 5, 10, 15, 20, 30], [0, 5, 15, 20]
    counts = rng.uniform(0, 1e6, (4, 7))
    array = xr.DataArray(counts, dims=("country", "age"), coords=mp.age_coords(lower))
    result = mp.regroup_ages(array, wanted)
    for row, got in zip(counts, result.values, strict=True):
        groups = reference.age_groups(lower), reference.age_groups(wanted)
        reference.assert_close(got, reference.regroup(row, *groups))


def test_regroup_gathers_rows_and_scatters_results():
    rng = np.random.default_rng(7)
    n = 6
    counts, row, out_row = rng.uniform(0, 1e6, (2, 5)), reference.picks(rng, n, 2), np.arange(n)
    rng.shuffle(out_row)
    out = np.full((n, 3), np.nan)
    run(kernels.regroup, n, counts, row, out, out_row, np.array([0, 1, 4, 5]))
    for b in range(n):
        own = counts[row[b]]
        reference.assert_close(out[out_row[b]], [own[0], own[1:4].sum(), own[4]])


def test_regroup_writes_the_rows_of_its_range_only():
    counts = np.arange(8.0).reshape(4, 2)
    rows = np.arange(4)
    out = np.full((4, 1), -1.0)
    offsets = np.array([0, 2])
    kernels.regroup.compile_for((counts, rows, out, rows, offsets))(
        1, 3, counts, rows, out, rows, offsets
    )
    np.testing.assert_array_equal(out[:, 0], [-1.0, 5.0, 9.0, -1.0])
