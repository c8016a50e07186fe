import numpy as np
import pytest
import xarray as xr

import migproj as mp
from kernels import reference
from migproj._jit import run
from migproj._kernels import netmigration as kernels

COUNTRIES = ["ARG", "BOL", "CHL"]
METHODS = {"forward": 0, "reverse": 1, "average": 2, "midpoint": 3, "end": 4, "even": 5}
COUNTS = ("n_survival_above_one", "n_survival_low", "n_negative", "n_births_missing")

# lower bounds at the start and at the end, interval
GRIDS = {
    "5 years": (range(0, 25, 5), range(0, 25, 5), 5),
    "1 year": (range(6), range(6), 1),
    "10 years on 5": (range(0, 35, 5), range(0, 35, 5), 10),
    "mixed widths": (
        [0, 5, *range(10, 70, 10)],
        [0, 5, 10, 15, *range(20, 80, 10)],
        10,
    ),
    "finer start": ([0, 1, 5, 10, 15, 20, 25], [0, 5, 10, 15, 25, 30], 5),
    "different open ages": ([0, 5, 10, 15, 20, 25], [0, 5, 10, 15, 20], 5),
}
BORN = {"5 years": 1, "1 year": 1, "10 years on 5": 2, "mixed widths": 2, "finer start": 1}
EVEN_GRIDS = ("5 years", "1 year")


def labelled(values, lower, dim="country", labels=COUNTRIES):
    return xr.DataArray(
        values, dims=(dim, "age"), coords={dim: labels, **mp.age_coords(list(lower))}
    )


def rounds(rng, grid, low=0.35, high=1.0):
    """Arrays by country of start, end, survival and births, and both grids' groups."""
    start_lower, end_lower, interval = GRIDS[grid]
    groups = [reference.age_groups(list(lower)) for lower in (start_lower, end_lower)]
    arrivals = reference.arrival_groups(*groups, interval)
    born = BORN.get(grid, 1)
    n = len(COUNTRIES)
    start, end = (rng.uniform(1e2, 1e4, (n, len(g))) for g in groups)
    survival, births = rng.uniform(low, high, (n, len(arrivals))), rng.uniform(1e2, 1e4, (n, born))
    return start, end, survival, births, groups, [low for low, _ in arrivals], interval


def assert_result(got, want, scale):
    for name in ("net_migration", "expected"):
        reference.assert_close(got[name], want[name], scale=scale)
    for name in COUNTS:
        assert got[name] == want[name], name


@pytest.mark.parametrize(
    ("grid", "method"),
    [(grid, m) for grid in GRIDS for m in METHODS if m != "even" or grid in EVEN_GRIDS],
)
def test_net_migration(grid, method):
    start, end, survival, births, groups, arrivals, interval = rounds(
        np.random.default_rng(METHODS[method]), grid
    )
    born = births.shape[1]
    result = mp.net_migration(
        labelled(start, [low for low, _ in groups[0]]),
        labelled(end, [low for low, _ in groups[1]]),
        labelled(survival, arrivals),
        method=method,
        births=labelled(births, arrivals[:born]).drop_vars("age_width"),
        interval=interval,
    )
    assert result["age"].values.tolist() == arrivals
    for c in range(len(COUNTRIES)):
        want = reference.net_migration(
            start[c], groups[0], end[c], groups[1], survival[c], interval, method, births[c]
        )
        assert_result(result.isel(country=c), want, end[c] / survival[c].min())


@pytest.mark.parametrize("children", ["arrivals", "none"])
@pytest.mark.parametrize("method", ["forward", "reverse", "average", "midpoint", "end"])
def test_children_without_births(children, method):
    start, end, survival, _, groups, arrivals, interval = rounds(
        np.random.default_rng(5), "mixed widths"
    )
    result = mp.net_migration(
        labelled(start, [low for low, _ in groups[0]]),
        labelled(end, [low for low, _ in groups[1]]),
        labelled(survival, arrivals),
        method=method,
        children=children,
        interval=interval,
    )
    for c in range(len(COUNTRIES)):
        want = reference.net_migration(
            start[c],
            groups[0],
            end[c],
            groups[1],
            survival[c],
            interval,
            method,
            children=children,
        )
        assert_result(result.isel(country=c), want, end[c] / survival[c].min())


def test_even_arrivals_only():
    start, end, survival, _, groups, arrivals, _ = rounds(np.random.default_rng(6), "5 years")
    result = mp.net_migration(
        *(labelled(x, arrivals) for x in (start, end, survival)),
        method="even",
        children="arrivals",
        interval=5,
    )
    for c in range(len(COUNTRIES)):
        want = reference.net_migration(
            start[c], groups[0], end[c], groups[1], survival[c], 5, "even", children="arrivals"
        )
        assert_result(result.isel(country=c), want, end[c])


def test_open_group_with_people_born_in_the_interval():
    # 0-4 and 5+ ten years after 0-9 and 10+: 5+ holds everyone of the start and children of 5-9
    start, end = np.array([[100.0, 300.0]] * 3), np.array([[50.0, 420.0]] * 3)
    survival = np.array([[0.9, 0.8]] * 3)
    result = mp.net_migration(
        labelled(start, [0, 10]),
        labelled(end, [0, 5]),
        labelled(survival, [0, 5]),
        method="forward",
        children="arrivals",
        interval=10,
    )
    reference.assert_close(result["net_migration"].values[0], [50.0, 420.0 - 0.8 * 400.0])
    groups = reference.age_groups([0, 10]), reference.age_groups([0, 5])
    want = reference.net_migration(
        start[0], groups[0], end[0], groups[1], survival[0], 10, "forward", children="arrivals"
    )
    reference.assert_close(want["net_migration"], [50.0, 100.0])


def test_births_without_age_come_evenly_over_the_interval():
    start, end, survival, births, groups, arrivals, interval = rounds(
        np.random.default_rng(8), "mixed widths"
    )
    total = births.sum(axis=1)
    result = mp.net_migration(
        labelled(start, [low for low, _ in groups[0]]),
        labelled(end, [low for low, _ in groups[1]]),
        labelled(survival, arrivals),
        method="forward",
        births=xr.DataArray(total, dims="country", coords={"country": COUNTRIES}),
        interval=interval,
    )
    for c in range(len(COUNTRIES)):
        want = reference.net_migration(
            start[c],
            groups[0],
            end[c],
            groups[1],
            survival[c],
            interval,
            "forward",
            [total[c] / 2] * 2,
        )
        assert_result(result.isel(country=c), want, end[c])


def test_suspicious_groups_are_counted_and_named():
    start, end, survival, births, groups, _, interval = rounds(np.random.default_rng(9), "5 years")
    survival[0, 2], survival[1, :2], survival[2, 4] = 1.2, 0.2, 0.1
    births[2, 0] = np.nan
    lower = [low for low, _ in groups[0]]
    method = xr.DataArray(
        ["average", "reverse", "forward"], dims="country", coords={"country": COUNTRIES}
    )
    text = (
        r"net_migration: survival ratios above 1 in 1 cell\(s\): country=ARG, age=10\. "
        r"survival ratios below 0\.3 that reverse and average divide by in 2 cell\(s\): "
        r"country=BOL, age=0; country=BOL, age=5\. "
        r"births missing in 1 cell\(s\): country=CHL \(give them"
    )
    with pytest.warns(mp.DataQualityWarning, match=text):
        result = mp.net_migration(
            *(labelled(x, lower) for x in (start, end, survival)),
            method=method,
            births=labelled(births, [0]),
            interval=interval,
        )
    for c, name in enumerate(method.values):
        want = reference.net_migration(
            start[c], groups[0], end[c], groups[1], survival[c], interval, name, births[c]
        )
        assert_result(result.isel(country=c), want, end[c] / 0.2)
    assert result["n_survival_low"].values.tolist() == [0, 2, 0]


def test_net_migration_gathers_rows_and_scatters_results():
    rng = np.random.default_rng(21)
    n = 12
    # 0-4, 5-9, 10-19, 20-29, 30+ to 0-4, 5-9, 10-19, 20-29, 30-39, 40+ in 10 years
    groups = (
        reference.age_groups([0, 5, 10, 20, 30]),
        reference.age_groups([0, 5, *range(10, 50, 10)]),
    )
    inputs = [
        rng.uniform(1e2, 1e4, (2, 5)),
        rng.uniform(1e2, 1e4, (3, 6)),
        rng.uniform(0.4, 1.0, (4, 6)),
        rng.uniform(1e2, 1e4, (2, 2)),
        np.arange(5),  # every method but even, which is tested on its own grid
    ]
    rows = [reference.picks(rng, n, len(x)) for x in inputs]
    out_row = rng.permutation(n)
    net, expected = np.full((n, 6), np.nan), np.full((n, 6), np.nan)
    counts = [np.full(n, -1) for _ in COUNTS]
    paired = [x for pair in zip(inputs, rows, strict=True) for x in pair]
    run(
        kernels.net_migration,
        n,
        *(*paired, net, expected, *counts, out_row),
        np.array([0, 0, 0, 2, 3, 4, 5]),
        np.arange(7),
        2,
        kernels.COUNTED,
    )
    names = list(METHODS)
    for b in range(n):
        start, end, survival, births, code = (x[r[b]] for x, r in zip(inputs, rows, strict=True))
        want = reference.net_migration(
            start, groups[0], end, groups[1], survival, 10, names[code], births
        )
        o = out_row[b]
        got = {"net_migration": net[o], "expected": expected[o]}
        got |= {name: array[o] for name, array in zip(COUNTS, counts, strict=True)}
        assert_result(got, want, end / 0.4)


def test_even_gathers_rows():
    rng = np.random.default_rng(22)
    n, lower = 5, [0, 5, 10, 15]
    groups = reference.age_groups(lower)
    start, end = rng.uniform(1e2, 1e4, (2, 4)), rng.uniform(1e2, 1e4, (n, 4))
    survival, births = rng.uniform(0.4, 1.0, (1, 4)), rng.uniform(1e2, 1e4, (1, 1))
    pick, every, first = reference.picks(rng, n, 2), rng.permutation(n), np.zeros(n, dtype=int)
    net, expected = np.empty((n, 4)), np.empty((n, 4))
    counts = [np.empty(n, dtype=int) for _ in COUNTS]
    run(
        kernels.net_migration,
        n,
        *(start, pick, end, every, survival, first, births, first, np.array([5]), first),
        *(net, expected, *counts, every),
        np.array([0, 0, 1, 2, 4]),
        np.arange(5),
        1,
        kernels.COUNTED,
    )
    for b in range(n):
        want = reference.net_migration(
            start[pick[b]], groups, end[every[b]], groups, survival[0], 5, "even", births[0]
        )
        reference.assert_close(net[every[b]], want["net_migration"], scale=end)
        reference.assert_close(expected[every[b]], want["expected"])


SEXES = ["female", "male"]


@pytest.mark.parametrize("sexes", [SEXES, SEXES[::-1]], ids=["women first", "men first"])
@pytest.mark.parametrize("interval", [5, 10])
@pytest.mark.parametrize("method", ["forward", "average"])
def test_children_by_child_woman_ratio(interval, method, sexes):
    rng = np.random.default_rng(interval)
    lower = list(range(0, 65, 5))
    groups = reference.age_groups(lower)
    start, end = rng.uniform(1e2, 1e4, (2, 2, 13))
    survival = rng.uniform(0.5, 1.0, (2, 13))
    result = mp.net_migration(
        *(labelled(x, lower, "sex", sexes) for x in (start, end, survival)),
        method=method,
        children="child-woman",
        interval=interval,
    )
    female = sexes.index("female")
    both = [
        reference.net_migration(
            start[s], groups, end[s], groups, survival[s], interval, method, children="none"
        )
        for s in range(2)
    ]
    born = interval // 5
    for s in range(2):
        net, expected = reference.child_woman(
            both[female]["net_migration"], end[female], end[s], groups, groups, interval
        )
        want = {
            "net_migration": [*net, *both[s]["net_migration"][born:]],
            "expected": [*expected, *both[s]["expected"][born:]],
        }
        for name, values in want.items():
            reference.assert_close(result[name].values[s], values, scale=end)


def test_child_woman_shares_of_ten_years():
    # Every woman of 15-49 moved in: a quarter of the children of 0-4, three quarters of 5-9 came.
    lower = list(range(0, 65, 5))
    end = np.full((2, 13), 200.0)
    start = np.zeros((2, 13))
    result = mp.net_migration(
        *(labelled(x, lower, "sex", SEXES) for x in (start, end, np.full((2, 13), 0.5))),
        method="forward",
        children="child-woman",
        interval=10,
    )
    np.testing.assert_array_equal(result["net_migration"].values[:, :2], [[50.0, 150.0]] * 2)
    np.testing.assert_array_equal(result["expected"].values[:, :2], [[150.0, 50.0]] * 2)


def test_child_woman_gathers_rows_and_scatters_results():
    rng = np.random.default_rng(23)
    n, lower = 5, list(range(0, 55, 5))
    groups = reference.age_groups(lower)
    net, expected = rng.uniform(-500, 500, (3, 2, 11)), rng.uniform(1e2, 1e4, (2, 2, 11))
    end = rng.uniform(1e2, 1e4, (2, 2, 11))
    net_row, expected_row, end_row = (reference.picks(rng, n, k) for k in (3, 2, 2))
    out_row = rng.permutation(n)
    outs = np.full((n, 2, 11), np.nan), np.full((n, 2, 11), np.nan)
    run(
        kernels.child_woman,
        n,
        *(net, net_row, expected, expected_row, end, end_row, *outs, out_row),
        np.arange(12),
        np.array([3]),
        np.array([9]),
        np.array([0.5]),
        1,
    )
    for b in range(n):
        people = end[end_row[b]]
        for s in range(2):
            young = reference.child_woman(
                net[net_row[b], 1], people[1], people[s], groups, groups, 5
            )
            older = net[net_row[b], s, 1:], expected[expected_row[b], s, 1:]
            for out, child, rest in zip(outs, young, older, strict=True):
                reference.assert_close(out[out_row[b], s], [*child, *rest], scale=end)
