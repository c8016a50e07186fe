"""Life tables, survival ratios, net migration and stable populations."""

from __future__ import annotations

import statistics

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.interpolate import CubicHermiteSpline, CubicSpline

import migproj as mp
from migproj.survival import slices_of

from . import inputs, measure, peers


def test_life_table(compare, sizes):
    mx = inputs.death_rates(sizes.countries, sizes.periods)
    compare(
        "life_table",
        lambda: mp.life_table(mx),
        lambda: peers.life_table(mx.values),
        [mx],
        rounds=30,
    )


def test_survival_ratios(compare, sizes):
    table = mp.life_table(inputs.death_rates(sizes.countries, sizes.periods))
    lx, Tx = table["lx"], table["Tx"]
    compare(
        "survival_ratios",
        lambda: mp.survival_ratios(table),
        lambda: peers.survival_ratios(lx.values, Tx.values),
        [lx, Tx],
        rounds=30,
    )


def test_census_survival_ratios(compare, sizes):
    start, end = inputs.closed_rounds(sizes.countries, sizes.periods, sizes.draws)
    compare(
        f"census_survival_ratios, {sizes.draws} draws",
        lambda: mp.census_survival_ratios(start, end, interval=5),
        lambda: peers.census_survival_ratios(start.values, end.values),
        [start, end],
        rounds=9,
    )


@pytest.mark.parametrize("method", ["average", "even"])
def test_net_migration(compare, sizes, method):
    given = inputs.rounds(sizes.countries, sizes.periods, sizes.draws)
    start, end, survival, births = given.start, given.end, given.survival, given.births
    compare(
        f"net_migration {method!r}, {sizes.draws} draws",
        lambda: mp.net_migration(start, end, survival, births=births, method=method, interval=5),
        lambda: peers.net_migration(
            start.values, end.values, survival.values, births.values, method
        ),
        [start, end, survival, births],
        rounds=9,
    )


def test_slices_beside_scipy(benchmark, sizes, note):
    """Slices of cohorts 10.56 years apart, and the same spline by SciPy, row by row."""
    table = mp.life_table(inputs.death_rates(sizes.countries, sizes.periods))
    given = inputs.rounds(sizes.countries, sizes.periods, 1)
    people = given.start.isel(draw=0, drop=True).transpose(*table["Tx"].dims)
    at = np.append(0.0, np.arange(15, 105, 5) - 10.56)
    ages = people["age"].values
    Tx, lx = table["Tx"].values, table["lx"].values
    knots, own = table["age"].values, np.isin(table["age"].values, ages)
    counts = people.values
    theirs, mine = measure.Clock(), measure.Clock()

    def by_row():
        out = np.empty((*counts.shape[:-1], len(at)))
        for row in np.ndindex(counts.shape[:-1]):
            x = np.append(Tx[row][own], 0.0)[::-1]
            y = np.append(0.0, np.cumsum(counts[row][::-1]))
            slope = CubicSpline(x, y, bc_type="not-a-knot").derivative()(x)
            steps = np.diff(y) / np.diff(x)
            least = np.minimum(np.append(steps[0], steps), np.append(steps, steps[-1]))
            curve = CubicHermiteSpline(x, y, np.clip(slope, 0.0, 3.0 * least))
            # T(x) between its ages is the cubic with slope -l(x).
            older = curve(CubicHermiteSpline(knots, Tx[row], -lx[row])(at))
            out[row] = older - np.append(older[1:], 0.0)
        return out

    def ours():
        return slices_of("people", people, table, at, "spline")

    np.testing.assert_allclose(ours(), by_row(), rtol=1e-6, atol=1e-3)
    results = []

    def beside():
        with theirs:
            results.append(by_row())

    def once():
        with mine:
            results.append(ours())

    benchmark.pedantic(once, setup=beside, rounds=sizes.rounds(3))
    ratio = statistics.median(theirs.seconds) / statistics.median(mine.seconds)
    note(f"slices of cohorts: {ratio:.0f} times the speed of SciPy's splines row by row")


def test_net_migration_beside_pandas(benchmark, sizes, note):
    """Four methods of every country, period and sex, as groups of a long table estimate them."""
    given = inputs.rounds(sizes.countries, sizes.periods, 1)
    start = given.start.isel(draw=0, drop=True)
    rows = {"start": start, "end": given.end, "survival": given.survival}
    table = xr.Dataset({name: a.drop_vars("age_width") for name, a in rows.items()})
    table = table.drop_vars([c for c in table.coords if c not in table.dims])
    frame = table.assign(births=given.births).to_dataframe().reset_index()
    methods = ["forward", "reverse", "average", "midpoint"]
    keys = ["country", "period", "sex"]

    def of_group(group):
        before = group["start"].shift(1, fill_value=group["births"].iloc[0])
        before.iloc[-1] += group["start"].iloc[-1]
        s, after = group["survival"], group["end"]
        forward, reverse = after - s * before, after / s - before
        made = {"forward": forward, "reverse": reverse, "average": (forward + reverse) / 2}
        return pd.DataFrame({**made, "midpoint": forward / np.sqrt(s)})

    def ours():
        return [
            mp.net_migration(
                start, given.end, given.survival, births=given.births, method=m, interval=5
            )["net_migration"]
            for m in methods
        ]

    theirs = measure.Clock()
    mine = measure.Clock()

    def beside():
        with theirs:
            results.append(frame.groupby(keys, sort=False)[frame.columns].apply(of_group))

    def once():
        with mine:
            results.append(ours())

    results = [ours()]
    benchmark.pedantic(once, setup=beside, rounds=sizes.rounds(3))
    by_pandas = results[1]
    for method, net in zip(methods, results[0], strict=True):
        wanted = net.transpose(*keys, "age").values.ravel()
        order = by_pandas[method].sort_index(level=-1).to_numpy()
        np.testing.assert_allclose(order, wanted[np.argsort(frame_order(frame, keys))], rtol=1e-9)
    ratio = statistics.median(theirs.seconds) / statistics.median(mine.seconds)
    note(f"net_migration, four methods: {ratio:.0f} times the speed of pandas by group")


def frame_order(frame, keys):
    """Where each row of the long table stands in the order of keys and age."""
    return frame.sort_values([*keys, "age"], kind="stable").index.to_numpy()


def test_stable_population(compare, sizes):
    survival = inputs.survival(sizes.countries, sizes.periods).sel(sex="female", drop=True)
    fertility = inputs.fertility(sizes.countries, sizes.periods)
    ratio = inputs.SEX_RATIO_AT_BIRTH
    compare(
        "stable_population",
        lambda: mp.stable_population(survival, fertility, ratio),
        lambda: peers.stable_population(survival.values, fertility.values, ratio, 3, 5.0),
        [survival, fertility],
        rounds=9,
    )
