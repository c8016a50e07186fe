import numpy as np
import pytest

from kernels import reference
from migproj._jit import run
from migproj._kernels import stable as kernels

# ages, first fertile group, fertile groups, years of a step, lower bound of the youngest
GRIDS = {
    "5-year": (21, 3, 7, 5.0, 0.0),
    "single years": (81, 15, 35, 1.0, 0.0),
    "bearing from the second to the last closed group": (5, 1, 3, 15.0, 0.0),
    "one fertile group": (9, 4, 1, 5.0, 0.0),
    "the last closed group alone": (4, 2, 1, 10.0, 10.0),
}
RATES = ["survival", "fertility", "ratio"]
each_grid = pytest.mark.parametrize("grid", GRIDS.values(), ids=GRIDS)


def draw(rng, grid, rows):
    """Survival, fertility and sex ratio at birth, each (rows of its own, ...)."""
    ages, _first, fertile, years, _youngest = grid
    survival = rng.uniform(0.9, 0.999, (rows[0], ages)) ** (years / 5)
    survival[:, -1] *= 0.5  # below the growth factor of every grid
    return {
        "survival": survival,
        "fertility": rng.uniform(0.05, 0.3, (rows[1], fertile)),
        "ratio": rng.uniform(1.0, 1.1, rows[2]),
    }


def every_age(fertility, grid):
    rates = np.zeros(grid[0])
    rates[grid[1] : grid[1] + grid[2]] = fertility
    return rates


def outputs(n, ages):
    ends = [(n,), (n, ages), (n, ages), (n,), (n,), (n,)]
    return [np.full(shape, np.nan) for shape in ends] + [np.full(n, -1) for _ in range(2)]


def run_stable(drawn, grid):
    """The kernel on rows of one index, as a dict of its outputs."""
    n = len(drawn["ratio"])
    row = np.arange(n)
    outs = outputs(n, grid[0])
    paired = [x for name in RATES for x in (drawn[name], row)]
    run(kernels.stable_population, n, *paired, *outs, row, grid[1], grid[4], grid[3])
    names = [
        "intrinsic_growth_rate",
        "age_distribution",
        "reproductive_value",
        "damping_ratio",
        "net_reproduction_rate",
        "mean_age_of_childbearing",
        "n_no_births",
        "n_no_stable_ages",
    ]
    return dict(zip(names, outs, strict=True))


@each_grid
def test_leslie_matrices_gather_rows_and_scatter_results(grid):
    rng = np.random.default_rng(60)
    n, (ages, first, fertile, years, _) = 7, grid
    drawn = draw(rng, grid, (3, 2, 4))
    rows = [reference.picks(rng, n, len(x)) for x in drawn.values()]
    paired = [x for pair in zip(drawn.values(), rows, strict=True) for x in pair]
    out_row = rng.permutation(n)
    matrix = np.full((n, ages, ages), np.nan)
    entries = np.full((n, fertile + 1 + ages), np.nan)
    run(kernels.leslie_matrix, n, *paired, matrix, out_row, first, years)
    run(kernels.leslie_entries, n, *paired, entries, out_row, first, years)
    for b in range(n):
        S, f, srb = (x[r[b]] for x, r in zip(drawn.values(), rows, strict=True))
        want = reference.leslie(S, every_age(f, grid), srb, years)
        reference.assert_close(matrix[out_row[b]], want)
        cells = np.nonzero(want)  # row after row
        np.testing.assert_array_equal(entries[out_row[b]], matrix[out_row[b]][cells])


@each_grid
def test_stable_population_is_that_of_the_eigenvectors(grid):
    rng = np.random.default_rng(61)
    n, (ages, first, _fertile, years, youngest) = 7, grid
    drawn = draw(rng, grid, (3, 2, 4))
    rows = [reference.picks(rng, n, len(x)) for x in drawn.values()]
    paired = [x for pair in zip(drawn.values(), rows, strict=True) for x in pair]
    out_row = rng.permutation(n)
    outs = outputs(n, ages)
    run(kernels.stable_population, n, *paired, *outs, out_row, first, youngest, years)
    middles = youngest + years * (np.arange(ages) + 0.5)
    for b in range(n):
        S, f, srb = (x[r[b]] for x, r in zip(drawn.values(), rows, strict=True))
        rates = every_age(f, grid)
        want = reference.stable(reference.leslie(S, rates, srb, years), rates, middles, years)
        for (name, value), got in zip(want.items(), outs, strict=False):
            np.testing.assert_allclose(got[out_row[b]], value, rtol=1e-12, atol=1e-14, err_msg=name)
    assert not outs[6].any()
    assert not outs[7].any()


@each_grid
def test_values_and_shares_are_eigenvectors_to_rounding(grid):
    # Nearer than LAPACK's own, which lose digits where an entry is small beside the others.
    ages, first, fertile, years, _ = grid
    drawn = draw(np.random.default_rng(62), grid, (4, 4, 4))
    got = run_stable(drawn, grid)
    for b in range(4):
        L = reference.leslie(
            drawn["survival"][b], every_age(drawn["fertility"][b], grid), drawn["ratio"][b], years
        )
        factor = np.exp(years * got["intrinsic_growth_rate"][b])
        c, v = got["age_distribution"][b], got["reproductive_value"][b]
        np.testing.assert_allclose(c.sum(), 1.0, rtol=1e-14)
        np.testing.assert_allclose(L @ c, factor * c, rtol=1e-13)
        np.testing.assert_allclose(v @ L, factor * v, rtol=1e-13)
        assert v[0] == 1.0
        np.testing.assert_array_equal(v[first + fertile :], np.zeros(ages - first - fertile))


@pytest.mark.parametrize("level", [1e-12, 1e-3, 1e3])
def test_growth_far_from_zero(level):
    # Newton's method converges from any level; in the open-ended group nobody survives.
    grid = GRIDS["5-year"]
    drawn = draw(np.random.default_rng(63), grid, (2, 2, 2))
    drawn["fertility"] *= level
    drawn["survival"][:, -1] = 0.0
    got = run_stable(drawn, grid)
    for b in range(2):
        f = every_age(drawn["fertility"][b], grid)
        L = reference.leslie(drawn["survival"][b], f, drawn["ratio"][b], 5.0)
        factor = np.exp(5 * got["intrinsic_growth_rate"][b])
        c = got["age_distribution"][b]
        np.testing.assert_allclose(c.sum(), 1.0, rtol=1e-14)
        np.testing.assert_allclose(L @ c, factor * c, rtol=1e-13)


def test_the_open_ended_group_may_hold_the_second_eigenvalue():
    grid = GRIDS["5-year"]
    drawn = draw(np.random.default_rng(64), grid, (1, 1, 1))
    slow = run_stable(drawn, grid)
    factor = np.exp(5 * slow["intrinsic_growth_rate"][0])
    drawn["survival"][0, -1] = 0.999 * factor
    got = run_stable(drawn, grid)
    np.testing.assert_array_equal(got["intrinsic_growth_rate"], slow["intrinsic_growth_rate"])
    np.testing.assert_allclose(got["damping_ratio"], 1 / 0.999, rtol=1e-13)
    assert got["damping_ratio"][0] < slow["damping_ratio"][0]


@pytest.mark.parametrize("share", [1.0, 1.25])
def test_an_open_ended_group_that_outlasts_the_rest(share):
    grid = GRIDS["5-year"]
    drawn = draw(np.random.default_rng(65), grid, (1, 1, 1))
    drawn["fertility"] *= 0.1
    before = run_stable(drawn, grid)
    # Above the factor by its rounding: at equality, too, nobody else is left in the end.
    factor = np.exp(5 * before["intrinsic_growth_rate"][0])
    drawn["survival"][0, -1] = share * factor * (1 + 4e-16)
    got = run_stable(drawn, grid)
    assert got["n_no_stable_ages"].tolist() == [1]
    assert np.isnan(got["age_distribution"]).all()
    np.testing.assert_allclose(got["damping_ratio"], 1 / share, rtol=1e-13)
    for name in ("intrinsic_growth_rate", "reproductive_value", "mean_age_of_childbearing"):
        np.testing.assert_array_equal(got[name], before[name])


@pytest.mark.parametrize("dead", ["fertility", "survival to them", "survival at birth"])
def test_no_births(dead):
    grid = GRIDS["5-year"]
    drawn = draw(np.random.default_rng(66), grid, (2, 2, 2))
    whole = run_stable(drawn, grid)
    if dead == "fertility":
        drawn["fertility"][0] = 0.0
    else:
        drawn["survival"][0, 0 if dead == "survival at birth" else 2] = 0.0
    got = run_stable(drawn, grid)
    assert got["n_no_births"].tolist() == [1, 0]
    assert got["net_reproduction_rate"][0] == 0.0
    for name, values in got.items():
        np.testing.assert_array_equal(values[1], whole[name][1])
        if name not in ("n_no_births", "n_no_stable_ages", "net_reproduction_rate"):
            assert np.isnan(values[0]).all(), name


@pytest.mark.parametrize("rate", RATES)
def test_missing_values_stay_in_their_row(rate):
    grid = GRIDS["5-year"]
    drawn = draw(np.random.default_rng(67), grid, (2, 2, 2))
    whole = run_stable(drawn, grid)
    drawn[rate][0, ...] = np.nan
    got = run_stable(drawn, grid)
    assert got["n_no_births"].tolist() == [0, 0]
    for name, values in got.items():
        np.testing.assert_array_equal(values[1], whole[name][1])
        if not name.startswith("n_"):
            assert np.isnan(values[0]).all(), name


def test_a_missing_survival_ratio_past_childbearing_leaves_the_growth_rate():
    grid = GRIDS["5-year"]
    drawn = draw(np.random.default_rng(68), grid, (1, 1, 1))
    whole = run_stable(drawn, grid)
    drawn["survival"][0, -1] = np.nan
    got = run_stable(drawn, grid)
    for name in ("intrinsic_growth_rate", "reproductive_value", "net_reproduction_rate"):
        np.testing.assert_array_equal(got[name], whole[name])
    assert np.isnan(got["age_distribution"]).all()
    assert np.isnan(got["damping_ratio"]).all()
    assert not got["n_no_stable_ages"].any()
