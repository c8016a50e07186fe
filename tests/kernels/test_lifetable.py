import math
import re
import warnings

import numpy as np
import pytest
import xarray as xr

import migproj as mp
from kernels import reference
from migproj._jit import run, uintp
from migproj._kernels import lifetable as kernels

ABRIDGED = [0, 1, *range(5, 90, 5)]
SINGLE = list(range(0, 12))
FROM_15 = [15, 20, 30, 40, 45, 60]
FLOATS = ("mx", "ax", "qx", "lx", "dx", "Lx", "Tx", "ex")
COUNTS = ("n_qx_above_one", "n_mx_zero", "n_mx_high")


def gompertz(rng, lower, infant=None):
    """Plausible rates with noise: high at birth, lowest in childhood, rising from age 30."""
    age = np.array(lower, dtype=float)
    mx = rng.uniform(2e-4, 2e-3) + 5e-5 * np.exp(rng.uniform(0.07, 0.1) * age)
    mx *= rng.uniform(0.7, 1.3, age.size)
    mx[0] = infant if infant is not None else rng.uniform(0.002, 0.2)
    return mx


def labelled(mx, lower, sex):
    array = xr.DataArray(mx, dims=("country", "age"), coords=mp.age_coords(lower))
    return array.assign_coords(sex=sex, country=[f"C{c}" for c in range(len(mx))])


def assert_table(got, want):
    for name in FLOATS:
        reference.assert_close(got[name], want[name])
    for name in COUNTS:
        assert got[name] == want[name], name


@pytest.mark.parametrize("sex", ["female", "male"])
@pytest.mark.parametrize("a0", ["coale-demeny", "andreev-kingkade", 0.2])
@pytest.mark.parametrize("ax", ["greville", "half"])
@pytest.mark.parametrize("lower", [ABRIDGED, SINGLE, FROM_15], ids=["abridged", "single", "15+"])
def test_life_table_by_rules(sex, a0, ax, lower):
    rng = np.random.default_rng(len(lower))
    # m0 in each piece of both rules for the first year
    mx = np.array([gompertz(rng, lower, infant) for infant in (0.003, 0.02, 0.05, 0.09, 0.15)])
    table = mp.life_table(labelled(mx, lower, sex), a0=a0, ax=ax, radix=1000.0)
    for c, rates in enumerate(mx):
        want = reference.life_table(rates, reference.age_groups(lower), sex, a0, ax, 1000.0)
        assert_table({k: v.values[c] for k, v in table.items()}, want)


def test_life_table_of_given_ax():
    rng = np.random.default_rng(1)
    lower = [0, 5, 10, 15]
    mx, ax = rng.uniform(0.01, 0.1, (3, 4)), rng.uniform(1.0, 4.0, (3, 4))
    rates, given = (labelled(values, lower, "male").drop_vars("sex") for values in (mx, ax))
    table = mp.life_table(rates, ax=given)
    for c in range(3):
        want = reference.life_table(mx[c], reference.age_groups(lower), ax=ax[c])
        assert_table({k: v.values[c] for k, v in table.items()}, want)


def test_life_table_counts_and_closes_impossible_groups():
    mx = np.array([[0.4, 0.9, 0.01, 0.5], [0.1, 0.0, 0.2, 2.5], [0.1, 0.01, 0.7, 3.0]])
    lower = [0, 1, 5, 10]
    findings = [
        "qx > 1, closed by a constant hazard in 2 cell(s): country=C0; country=C2",
        "mx = 0 in 1 cell(s): country=C1, age=1",
        "mx above 2 a year (rates per 1,000?) in 2 cell(s): country=C1, age=10; country=C2, age=10",
    ]
    with pytest.warns(mp.DataQualityWarning, match=re.escape(". ".join(findings))):
        table = mp.life_table(labelled(mx, lower, "female"))
    for c, rates in enumerate(mx):
        want = reference.life_table(rates, reference.age_groups(lower))
        assert_table({k: v.values[c] for k, v in table.items()}, want)
    assert table["n_qx_above_one"].values.tolist() == [1, 0, 1]


def test_constant_rate_closed_form():
    # With a constant hazard m, ax = 1/m − n/(e^{nm} − 1), q = 1 − e^{−nm} and e_x = 1/m throughout.
    m, lower = 0.03, [0, 5, 10, 15, 20]
    ax = 1 / m - 5 / math.expm1(5 * m)
    coords = mp.age_coords(lower)
    rates = xr.DataArray(np.full(5, m), dims="age", coords=coords)
    table = mp.life_table(rates, ax=xr.full_like(rates, ax))
    reference.assert_close(table["ex"], np.full(5, 1 / m))
    reference.assert_close(table["lx"], np.exp(-m * np.array(lower)))


def test_greville_leaves_half_where_a_neighbours_rate_is_zero():
    lower = [0, 1, 5, 10, 15, 20, 25]
    mx = np.array([[0.01, 0.01, 0.01, 0.0, 0.02, 0.03, 0.04]])
    with pytest.warns(mp.DataQualityWarning, match=r"mx = 0 in 1 cell\(s\): country=C0, age=10"):
        ax = mp.life_table(labelled(mx, lower, "male"))["ax"].isel(country=0)
    assert ax.sel(age=15) == 2.5
    assert ax.sel(age=20) != 2.5


def test_life_table_gathers_rows_and_scatters_results():
    rng = np.random.default_rng(3)
    n, lower = 7, [0, 1, 5, 10, 15, 20, 25, 45, 50]
    groups = reference.age_groups(lower)
    mx, male = np.array([gompertz(rng, lower) for _ in range(3)]), np.array([1.0, 0.0])
    a0, ax_in = np.array([0.1, 0.3]), np.zeros((1, 1))
    mx_row, male_row = reference.picks(rng, n, 3), reference.picks(rng, n, 2)
    a0_row, ax_row, out_row = reference.picks(rng, n, 2), np.zeros(n, dtype=int), rng.permutation(n)
    outs = [np.full((n, len(lower)), np.nan) for _ in FLOATS]
    counts = [np.full(n, -1) for _ in COUNTS]
    run(
        kernels.life_table,
        n,
        *(mx, mx_row, male, male_row, a0, a0_row, ax_in, ax_row),
        *(np.zeros(1), ax_row, *outs, *counts, out_row),
        np.array(lower, dtype=float),
        np.array([high - low for low, high in groups]),
        kernels.GIVEN,
        kernels.GREVILLE,
        0,
        0,
        2.0,
    )
    for b in range(n):
        sex = "male" if male[male_row[b]] else "female"
        want = reference.life_table(mx[mx_row[b]], groups, sex, a0[a0_row[b]], "greville", 2.0)
        got = dict(zip((*FLOATS, *COUNTS), [a[out_row[b]] for a in (*outs, *counts)], strict=True))
        assert_table(got, want)


def test_a_missing_rate_is_missing_from_its_age_on_and_leaves_other_rows():
    rng = np.random.default_rng(4)
    mx = np.array([gompertz(rng, ABRIDGED) for _ in range(3)])
    whole = mp.life_table(labelled(mx, ABRIDGED, "male"))
    mx[1, 6] = np.nan
    table = mp.life_table(labelled(mx, ABRIDGED, "male"))
    xr.testing.assert_identical(table.isel(country=[0, 2]), whole.isel(country=[0, 2]))
    row = table.isel(country=1)
    assert row[["Tx", "ex"]].to_array().isnull().all()
    # Greville's ax of the two neighbours needs the missing rate as well.
    assert row["qx"].isnull().values.tolist() == [i in (5, 6, 7) for i in range(19)]
    assert row["lx"].isnull().values.tolist() == [False] * 6 + [True] * 13


@pytest.mark.parametrize("rule", ["greville", "un"])
@pytest.mark.parametrize("lower", [ABRIDGED, SINGLE, FROM_15], ids=["abridged", "single", "15+"])
@pytest.mark.parametrize("both", [False, True], ids=["female", "both"])
def test_rows_together_are_rows_alone(lower, rule, both):
    """Rows go through the kernel many at a time: as many as that, one more, fewer, in any order."""
    rng = np.random.default_rng(5)
    lanes = kernels._LANES
    n = 2 * lanes + 1
    mx = np.array([gompertz(rng, lower) for _ in range(n)])
    mx[1, 3] = np.nan
    mx[4, 2] = 0.0
    mx[lanes, -2] = 2.1
    order = rng.permutation(n)
    rates = labelled(mx, lower, "female")
    options = {"ax": rule}
    if both:
        rates, options = rates.drop_vars("sex"), {**options, "sex_ratio_at_birth": 1.05}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mp.DataQualityWarning)
        alone = [mp.life_table(rates.isel(country=[k]), **options) for k in range(n)]
        for some in ([0], order[: lanes - 1], order[:lanes], order[: lanes + 1], order):
            together = mp.life_table(rates.isel(country=some), **options)
            for at, k in enumerate(some):
                for name in (*FLOATS, *COUNTS):
                    got, want = together[name].values[at], alone[k][name].values[0]
                    np.testing.assert_array_equal(got, want, err_msg=name)


def logs(values):
    """The kernel's logarithms of some numbers."""
    lanes = kernels._LANES
    made = []
    for first in range(0, len(values), lanes):
        some = values[first : first + lanes]
        work = np.concatenate([some, np.full(lanes - some.size + 2 * lanes, 7.0)])
        rows = [uintp(0), uintp(lanes), uintp(some.size)]
        kernels._logs(work, work.view(np.int64), *rows)
        made.append(work[: some.size])
    return np.concatenate(made)


def test_logarithms():
    rng = np.random.default_rng(6)
    tiny, root = np.finfo(float).tiny, math.sqrt(0.5)
    edges = [5e-324, tiny / 2, np.nextafter(tiny, 0), tiny, np.finfo(float).max, 1.0, 2.0, root]
    edges += [np.nextafter(x, up) for x in (0.5, root, 1.0, 2.0 * root) for up in (0.0, 9.0)]
    x = np.concatenate(
        [edges, 10.0 ** rng.uniform(-323, 308, 500), 2.0 ** rng.uniform(-1, 1, 500), [1 + 1e-9]]
    )
    want = np.array([math.log(value) for value in x])
    got = logs(x)
    assert got[x == 1.0] == 0.0
    assert (np.abs(got - want) <= np.spacing(np.abs(want))).all()
    odd = logs(np.array([0.0, -0.0, math.inf, math.nan, -math.nan, -1.0, -math.inf]))
    np.testing.assert_array_equal(odd, [-math.inf, -math.inf, math.inf, *[math.nan] * 4])


def test_a_rate_of_zero_between_others_that_grow_fast_lives_half_the_group():
    lower = [0, 1, 5, 10, 15, 20]
    mx = np.array([[0.01, 0.002, 1e-5, 0.0, 0.05, 0.1]])
    with pytest.warns(mp.DataQualityWarning, match="mx = 0 in 1 cell"):
        row = mp.life_table(labelled(mx, lower, "male"), ax="un").isel(country=0)
    assert row["ax"].sel(age=10) == 2.5
    assert row["qx"].sel(age=10) == 0.0
    assert row["ex"].notnull().all()
