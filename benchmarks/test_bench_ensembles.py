"""Projections of many draws of which little is stored, and the sorting behind quantiles."""

from __future__ import annotations

import statistics
from concurrent.futures import ThreadPoolExecutor

import numpy as np

import migproj as mp
from migproj import _jit

from . import inputs, measure, peers

QUANTILES = [0.025, 0.1, 0.5, 0.9, 0.975]


def _call(given, **options):
    return lambda: mp.project_population(
        given.population,
        given.survival,
        given.fertility,
        inputs.SEX_RATIO_AT_BIRTH,
        given.totals,
        migration_schedule=given.schedule,
        **options,
    )


def test_totals_and_births(compare, sizes, memory, note):
    given = inputs.ensemble(sizes.ensemble, sizes.ensemble_draws, sizes.steps)
    arrays = [given.population, given.survival, given.fertility, given.totals, given.schedule]
    population, survival, fertility, totals, schedule = (array.values for array in arrays)
    ours = _call(given, keep=["population", "births"], age_groups=["0+"])
    compare(
        f"totals, {sizes.ensemble * sizes.ensemble_draws} country-draws",
        ours,
        lambda: peers.project_totals(
            population,
            survival,
            fertility,
            inputs.SEX_RATIO_AT_BIRTH,
            totals,
            schedule,
            inputs.FERTILE.start,
        ),
        arrays,
        rounds=9,
    )
    # Beside them the loop that would only move what storing every cell of it all writes.
    cells = 2 * len(inputs.SINGLE) * sizes.steps
    country_draws = sizes.ensemble * min(sizes.ensemble_draws, 50)
    target = measure.cells(8 * 4 * cells * country_draws)
    source = measure.cells(8 * cells * country_draws)
    target[:] = source[:] = 1.0
    moving, calling = measure.Clock(), measure.Clock()
    for _ in range(sizes.rounds(9)):
        with moving:
            memory.move(target, source)
        with calling:
            ours()
    each = [
        statistics.median(clock.seconds) / count
        for clock, count in (
            (calling, sizes.ensemble * sizes.ensemble_draws),
            (moving, country_draws),
        )
    ]
    note(
        "totals and births alone: "
        f"{each[1] / each[0]:.2f} times the speed of a loop that moves every cell of population, "
        "deaths by cohort and age, and migration"
    )


def test_totals_beside_leslie_matrices(compare, sizes):
    given = inputs.ensemble(sizes.ensemble, sizes.ensemble_draws, sizes.steps)
    arrays = [given.population, given.survival, given.fertility, given.totals, given.schedule]
    population, survival, fertility, totals, schedule = (array.values for array in arrays)
    compare(
        "totals, dense Leslie matrices",
        _call(given, keep=["population"], age_groups=["0+"]),
        lambda: peers.project_totals_leslie(
            population,
            survival,
            fertility,
            inputs.SEX_RATIO_AT_BIRTH,
            totals,
            schedule,
            inputs.FERTILE.start,
        ),
        arrays,
        rounds=9,
    )


def test_quantiles(benchmark, sizes, note):
    """The sorting of draws, beside NumPy's on as many threads, and with the projection."""
    given = inputs.ensemble(sizes.ensemble, sizes.ensemble_draws, sizes.steps)
    every = _call(given, keep=["population"], quantiles=QUANTILES)
    every()  # compiles
    draws = np.random.default_rng(6).normal(size=(sizes.ensemble_draws, 4096))
    from migproj._kernels import quantiles as kernels

    wanted = np.array(QUANTILES)
    out = np.empty((len(wanted), draws.shape[1]))
    blocks = -(-draws.shape[1] // kernels.LANES)
    threads = _jit.threads_available()
    parts = np.array_split(np.arange(draws.shape[1]), threads)
    sorting, ours = measure.Clock(), measure.Clock()
    with ThreadPoolExecutor(threads) as pool:

        def beside():
            columns = [np.ascontiguousarray(draws[:, part].T) for part in parts]
            with sorting:
                list(pool.map(lambda rows: rows.sort(axis=1), columns))
            with ours:
                _jit.run(kernels.quantiles, blocks, draws, wanted, out, 0)

        for _ in range(sizes.rounds(25)):
            beside()
    benchmark.pedantic(every, rounds=sizes.rounds(5))
    np.testing.assert_allclose(out, np.quantile(draws, wanted, axis=0), rtol=1e-12, atol=1e-13)
    ratio = statistics.median(sorting.seconds) / statistics.median(ours.seconds)
    note(
        f"quantiles of {sizes.ensemble_draws} draws: {ratio:.2f} times the speed of np.sort on "
        f"{threads} thread(s), cells already in rows"
    )
