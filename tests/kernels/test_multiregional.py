import numpy as np
import pytest
import xarray as xr
from scipy.linalg import expm

import migproj as mp
from kernels import reference
from migproj._jit import run
from migproj._kernels import multiregional as kernels

AGES = [0, 10, 20, 30, 40]
FIRST, FERTILE = 1, 2
PLACES = ["north", "west", "south"]
PERIODS = 3
YEARS = 10.0
NAMES = ("population", "births", "deaths_cohort", "net_migration")


def draw(rng, rows, regions=3):
    """Survival of 0 and above 1, a region nobody leaves and one nobody enters among them."""
    cells = (rows, PERIODS, regions, 2, len(AGES))
    survival = rng.uniform(0.3, 0.99, cells)
    survival[:, 0, 0, :, 3] = 1.02
    survival[:, 1, 1, :, 4] = 0.0
    survival[:, 2, :, 0, 2] = 0.0
    moves = rng.uniform(0.0, 0.05, (rows, PERIODS, regions, regions, 2, len(AGES)))
    moves[:, 1, 0] = 0.0
    moves[:, 2, :, -1] = 0.0
    moves[:, 0, :, :, 1, 2:4] *= 40.0
    moves[:, :, np.arange(regions), np.arange(regions)] = 0.0
    return {
        "population": rng.uniform(1e3, 1e5, (rows, regions, 2, len(AGES))),
        "survival": survival,
        "fertility": rng.uniform(0.0, 0.2, (rows, PERIODS, regions, FERTILE)),
        "ratio": rng.uniform(1.0, 1.1, (rows, PERIODS, regions)),
        "moves": moves,
    }


def project(drawn, women):
    regions, _, ages = drawn["population"].shape
    made = {name: [] for name in NAMES}
    made["population"].append(drawn["population"])
    for p in range(PERIODS):
        S, f, srb, hazards = (
            drawn[key][min(p, len(drawn[key]) - 1)]
            for key in ("survival", "fertility", "ratio", "moves")
        )
        rates = np.zeros((regions, ages))
        rates[:, FIRST : FIRST + FERTILE] = f
        S = np.broadcast_to(S, (regions, 2, ages))
        hazards = np.broadcast_to(hazards, (regions, regions, 2, ages))
        srb = np.broadcast_to(srb, (regions,))
        step = reference.step_regions(made["population"][-1], S, rates, srb, hazards, YEARS, women)
        step["births"] = step["births"][..., FIRST : FIRST + FERTILE]
        for name in NAMES:
            made[name].append(step[name])
    return {name: np.array(values) for name, values in made.items()}


def assert_projected(got, want):
    for name in NAMES:
        # deaths and net migration are differences of the people, at most some 1e5
        np.testing.assert_allclose(got[name], want[name], rtol=1e-12, atol=1e-7, err_msg=name)


def labelled(drawn, sexes):
    coords = {
        "draw": np.arange(len(drawn["population"])),
        "period": 2000.0 + 10 * np.arange(PERIODS),
        "region": PLACES,
        "origin": PLACES,
        "destination": PLACES,
        "sex": sexes,
    }
    dims = {
        "population": ("draw", "region", "sex", "age"),
        "survival": ("draw", "period", "region", "sex", "age"),
        "fertility": ("draw", "period", "region", "age"),
        "ratio": ("draw", "period", "region"),
        "moves": ("draw", "period", "origin", "destination", "sex", "age"),
    }
    arrays = []
    for name, own in dims.items():
        ages = {"age": AGES[FIRST : FIRST + FERTILE]} if name == "fertility" else {}
        if name not in ("fertility", "ratio"):
            ages = dict(mp.age_coords(AGES))
        kept = {dim: coords[dim] for dim in own if dim != "age"}
        arrays.append(xr.DataArray(drawn[name], dims=own, coords={**kept, **ages}))
    return arrays


@pytest.mark.filterwarnings("ignore:project_regions. survival ratios above 1")
@pytest.mark.parametrize("sexes", [["female", "male"], ["male", "female"]])
def test_project_regions(sexes):
    drawn = draw(np.random.default_rng(60), 2)
    result = mp.project_regions(*labelled(drawn, sexes))
    for b in range(2):
        want = project({name: x[b] for name, x in drawn.items()}, sexes.index("female"))
        assert_projected({name: result[name].values[b] for name in NAMES}, want)


def test_project_regions_gathers_rows_and_scatters_results():
    rng = np.random.default_rng(61)
    n, ages, regions = 7, len(AGES), 4
    sizes = {"population": 5, "survival": 2, "fertility": 3, "ratio": 1, "moves": 3}
    inputs = {name: draw(rng, size, regions)[name] for name, size in sizes.items()}
    # The same in all periods, in all regions, for both sexes.
    inputs["survival"] = inputs["survival"][:, :, :1].copy()
    inputs["fertility"] = inputs["fertility"][:, :1, :1].copy()
    inputs["ratio"] = inputs["ratio"][:, :1].copy()
    inputs["moves"] = inputs["moves"][:, :1, :, :, :1].copy()
    rows = {name: reference.picks(rng, n, len(x)) for name, x in inputs.items()}
    out_row = rng.permutation(n)
    cells = (regions, 2, ages)
    outs = [
        np.full((n, PERIODS + 1, *cells), np.nan),
        np.full((n, PERIODS, regions, 2, FERTILE), np.nan),
        np.full((n, PERIODS, *cells), np.nan),
        np.full((n, PERIODS, *cells), np.nan),
    ]
    paired = [x for name, values in inputs.items() for x in (values, rows[name])]
    run(kernels.project_regions, n, *(*paired, *outs, out_row, PERIODS, FIRST, 1, YEARS))
    for b in range(n):
        want = project({name: x[rows[name][b]] for name, x in inputs.items()}, 1)
        got = dict(zip(NAMES, [x[out_row[b]] for x in outs], strict=True))
        assert_projected(got, want)


def transition(hazards, survival, years=10.0):
    """The share of people in each region after a step, in the open-ended group."""
    regions = len(survival)
    places = [str(k) for k in range(regions)]
    ages = mp.age_coords([0, 10, 20])
    people = xr.DataArray(
        np.zeros((regions, regions, 2, 3)),
        dims=("start", "region", "sex", "age"),
        coords={"start": places, "region": places, "sex": ["female", "male"], **ages},
    )
    people[{"age": 2}] = np.eye(regions)[:, :, None]
    alive = xr.DataArray(
        np.broadcast_to(np.asarray(survival)[:, None, None], (regions, 2, 3)),
        dims=("region", "sex", "age"),
        coords={"region": places, "sex": ["female", "male"], **ages},
    )
    moves = xr.DataArray(
        np.broadcast_to(hazards[..., None], (regions, regions, 3)),
        dims=("origin", "destination", "age"),
        coords={"origin": places, "destination": places, **ages},
    )
    fertility = xr.DataArray([0.0], dims="age", coords={"age": [10]})
    result = mp.project_regions(people * 1e3, alive, fertility, 1.0, moves)
    return result["population"].isel(time=1).sel(sex="female", age=20).values / 1e3


@pytest.mark.filterwarnings("ignore:project_regions. survival ratios above 1")
@pytest.mark.parametrize("scale", [1e-12, 1e-3, 0.05, 1.5])
@pytest.mark.parametrize("regions", [2, 3, 9])
def test_transitions_are_the_exponential_of_scipy(scale, regions):
    rng = np.random.default_rng(62)
    hazards = rng.uniform(0.0, scale, (regions, regions))
    np.fill_diagonal(hazards, 0.0)
    Q = hazards - np.diag(hazards.sum(axis=1))
    survival = rng.uniform(0.01, 1.2, regions)
    want = expm(10.0 * Q + np.diag(np.log(survival)))
    np.testing.assert_allclose(transition(hazards, survival), want, rtol=1e-11, atol=1e-14)
    same = np.full(regions, 0.7)
    np.testing.assert_allclose(transition(hazards, same), 0.7 * expm(10.0 * Q), rtol=1e-11)
    alive = transition(hazards, np.ones(regions))
    np.testing.assert_allclose(alive.sum(axis=1), 1.0, rtol=1e-12)


def test_two_regions_in_closed_form():
    # With hazards a and b between them and δ of dying, the share who are away is
    # a/(a + b) (1 − e^{−(a + b)n}) e^{−δn}.
    a, b, n = 0.03, 0.01, 10.0
    hazards = np.array([[0.0, a], [b, 0.0]])
    got = transition(hazards, np.array([0.8, 0.8]))
    away = -np.expm1(-(a + b) * n) / (a + b) * 0.8
    want = np.array([[0.8 - a * away, a * away], [b * away, 0.8 - b * away]])
    np.testing.assert_allclose(got, want, rtol=1e-14)


@pytest.mark.parametrize("tiny", [5e-324, 1e-300, 1e-20])
def test_survival_of_0_is_the_limit_of_small_survival(tiny):
    hazards = np.array([[0.0, 0.02, 0.03], [0.01, 0.0, 0.04], [0.05, 0.02, 0.0]])
    got = transition(hazards, np.array([0.9, 0.0, 0.8]))
    near = transition(hazards, np.array([0.9, tiny, 0.8]))
    assert not got[1].any()
    assert not got[:, 1].any()
    assert (got[::2, ::2] > 0.1).all()
    # Nobody is there for longer than n / ln(1/S).
    np.testing.assert_allclose(near, got, atol=0.5 / -np.log(tiny))
    np.testing.assert_array_equal(transition(hazards, np.zeros(3)), 0.0)


def test_a_region_nobody_leaves_keeps_its_survivors_exactly():
    hazards = np.array([[0.0, 0.02, 0.03], [0.0, 0.0, 0.0], [0.05, 0.02, 0.0]])
    got = transition(hazards, np.array([0.9, 0.7, 0.8]))
    np.testing.assert_array_equal(got[1], [0.0, 700.0 / 1e3, 0.0])
