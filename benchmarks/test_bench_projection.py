"""Projection of populations and migrant stocks, on all threads and on one."""

from __future__ import annotations

import statistics

import numpy as np
import pytest
import xarray as xr

import migproj as mp
from migproj import _jit

from . import inputs, measure, peers

_STORED = ["population", "births", "deaths_cohort", "deaths"]


def _projecting(given):
    return lambda: mp.project_population(
        given.population,
        given.survival,
        given.fertility,
        inputs.SEX_RATIO_AT_BIRTH,
        given.migration,
    )


def test_project_population(compare, sizes):
    given = inputs.projection(sizes.projected, sizes.projected_draws, sizes.steps)
    arrays = [given.population, given.survival, given.fertility, given.migration]
    population, survival, fertility, migration = (array.values for array in arrays)
    compare(
        f"project_population, {sizes.projected * sizes.projected_draws} country-draws",
        _projecting(given),
        lambda: peers.project_population(
            population,
            survival,
            fertility,
            inputs.SEX_RATIO_AT_BIRTH,
            migration,
            inputs.FERTILE.start,
        ),
        arrays,
        rounds=25,
    )


def test_every_cell_beside_the_copying_loop(sizes, memory, benchmark, note):
    """Full output into outputs used before; the loop reads the same own input and writes them."""
    given = inputs.projection(sizes.stored, 1, sizes.steps)
    rng = np.random.default_rng(6)
    level = rng.uniform(0.0, 1.0, (sizes.stored, sizes.stored_draws, 1, 1, 1))
    draws = given.migration.expand_dims(draw=np.arange(sizes.stored_draws), axis=1)
    migration = draws.copy(data=draws.values * level)
    of_deaths = xr.full_like(given.survival.isel(age=slice(-1)), 0.5)
    with measure.kernel_calls() as calls:
        result = mp.project_population(
            given.population,
            given.survival,
            given.fertility.isel(draw=0, drop=True),
            inputs.SEX_RATIO_AT_BIRTH,
            migration,
            separation=of_deaths,
            keep=_STORED,
        )
    (project,) = calls
    written = [result[name].variable.to_base_variable().values.reshape(-1) for name in _STORED]
    source = migration.values.reshape(-1)
    # The loop reads the source in parts, each for the output it is written to.
    bounds = (
        np.cumsum([0, *(out.size for out in written)])
        * source.size
        // sum(out.size for out in written)
    )
    ours, moving = measure.Clock(), measure.Clock()

    def move() -> None:
        with moving:
            for out, lo, hi in zip(written, bounds[:-1], bounds[1:], strict=True):
                memory.move(out, source[lo:hi])

    def once() -> None:
        with ours:
            project()

    others = measure.Others()
    benchmark.pedantic(once, setup=move, rounds=sizes.rounds(9), warmup_rounds=1)
    ratio = statistics.median(moving.seconds) / statistics.median(ours.seconds)
    busy = others.processors
    benchmark.extra_info["ratio"] = ratio
    note(
        f"every cell of population, births and deaths, {sizes.stored} x {sizes.stored_draws}: "
        f"{ratio:.2f} times the speed of the loop that reads the same migration and writes the "
        f"same outputs" + ("" if busy is None else f" (other work: {busy:.1f})")
    )


def test_project_stocks(compare, sizes):
    given = inputs.stocks(sizes.birthplaces, sizes.residences, sizes.stock_steps)
    arrays = [given.stock, given.survival, given.arrivals, given.emigration]
    values = [array.values for array in arrays]
    compare(
        f"project_stocks, {sizes.birthplaces} x {sizes.residences} places",
        lambda: mp.project_stocks(
            given.stock, given.survival, given.arrivals, emigration=given.emigration
        ),
        lambda: peers.project_stocks(*values, 5.0),
        arrays,
        rounds=25,
    )


def test_project_world(compare, sizes):
    given = inputs.world(sizes.world, sizes.stock_steps)
    arrays = [given.stock, given.survival, given.fertility, given.emigration, given.destinations]
    population, survival, fertility, hazard, destinations = (array.values for array in arrays)
    ratio = inputs.SEX_RATIO_AT_BIRTH
    first = inputs.FIVE_YEAR.index(int(given.fertility["age"][0]))
    compare(
        f"project_world, {sizes.world} x {sizes.world} corridors",
        lambda: mp.project_world(
            given.stock,
            given.survival,
            given.fertility,
            ratio,
            given.emigration,
            given.destinations,
        ),
        lambda: peers.project_world(
            population, survival, fertility, ratio, hazard, destinations, 5.0, first
        ),
        arrays,
        rounds=5,
    )


def test_threads(benchmark, sizes, note):
    if _jit.threads_available() < 2:
        pytest.skip("one thread")
    given = inputs.projection(max(sizes.projected, 8), max(sizes.projected_draws, 16), sizes.steps)
    call = _projecting(given)
    calls: dict[int, list[float]] = {1: [], 2: []}
    kernels: dict[int, list[float]] = {1: [], 2: []}
    held = []

    def once(count):
        held.clear()
        clock = measure.Clock(calls[count])
        with measure.threads(count), measure.kernel_clock() as spent, clock:
            held.append(call())
        kernels[count].append(sum(spent))

    call()  # compiles
    others = measure.Others()
    benchmark.pedantic(
        lambda: once(2), setup=lambda: once(1), rounds=sizes.rounds(25), warmup_rounds=1
    )
    held.clear()
    busy = others.processors
    beside = "" if busy is None else f" (other work: {busy:.1f})"
    median, fastest = (
        [pick(seconds[1]) / pick(seconds[2]) for seconds in (calls, kernels)]
        for pick in (statistics.median, min)
    )
    benchmark.extra_info.update(zip(("call_ratio", "kernel_ratio"), median, strict=True))
    note(
        f"project_population, time on 1 thread / on 2: {median[0]:.2f} the call, "
        f"{median[1]:.2f} its kernel; of the fastest rounds {fastest[0]:.2f} and "
        f"{fastest[1]:.2f}{beside}"
    )
