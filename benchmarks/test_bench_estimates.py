"""Life tables, survival ratios, net migration and stable populations."""

from __future__ import annotations

import pytest

import migproj as mp

from . import inputs, peers


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
