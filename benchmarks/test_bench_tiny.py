"""What a call costs when there is next to nothing to compute: checks, alignment, labels."""

from __future__ import annotations

import migproj as mp

from . import inputs, peers


def test_life_table_of_one(compare):
    mx = inputs.death_rates(1, 1)
    compare(
        "life_table, one country",
        lambda: mp.life_table(mx),
        lambda: peers.life_table(mx.values),
        [mx],
        rounds=200,
        tiny=True,
    )


def test_survival_ratios_of_one(compare):
    table = mp.life_table(inputs.death_rates(1, 1))
    lx, Tx = table["lx"].values, table["Tx"].values
    compare(
        "survival_ratios, one country",
        lambda: mp.survival_ratios(table),
        lambda: peers.survival_ratios(lx, Tx),
        [table["lx"], table["Tx"]],
        rounds=200,
        tiny=True,
    )


def test_net_migration_of_one(compare):
    given = inputs.rounds(1, 1, 1)
    arrays = [given.start, given.end, given.survival, given.births]
    values = [array.values for array in arrays]
    compare(
        "net_migration, one country",
        lambda: mp.net_migration(*arrays[:3], births=given.births, interval=5),
        lambda: peers.net_migration(*values, "average"),
        arrays,
        rounds=200,
        tiny=True,
    )


def test_project_population_of_one(compare):
    given = inputs.projection(1, 1, 1)
    arrays = [given.population, given.survival, given.fertility, given.migration]
    population, survival, fertility, migration = (array.values for array in arrays)
    ratio = inputs.SEX_RATIO_AT_BIRTH
    compare(
        "project_population, one step",
        lambda: mp.project_population(*arrays[:3], ratio, given.migration),
        lambda: peers.project_population(
            population, survival, fertility, ratio, migration, inputs.FERTILE.start
        ),
        arrays,
        rounds=200,
        tiny=True,
    )


def test_project_stocks_of_one(compare):
    given = inputs.stocks(1, 1, 1)
    arrays = [given.stock, given.survival, given.arrivals, given.emigration]
    values = [array.values for array in arrays]
    compare(
        "project_stocks, one step",
        lambda: mp.project_stocks(*arrays[:3], emigration=given.emigration),
        lambda: peers.project_stocks(*values, 5.0),
        arrays,
        rounds=200,
        tiny=True,
    )
