"""Draws through an estimator of which only summaries are kept, beside single runs of it."""

from __future__ import annotations

import tracemalloc

import pytest

import migproj as mp

from . import inputs, measure

stats = pytest.importorskip("scipy.stats")


def _given(countries):
    given = inputs.rounds(countries, 1, 1)
    arrays = {name: getattr(given, name) for name in ("start", "end", "survival", "births")}
    one = {
        name: array.isel({dim: 0 for dim in ("period", "draw") if dim in array.dims}, drop=True)
        for name, array in arrays.items()
    }
    spread = one["start"].isel(sex=0, age=0, drop=True) * 0.0 + 0.01
    return one, {
        "coverage_start": stats.norm(1.01, spread),
        "coverage_end": stats.norm(1.02, spread),
        "births_factor": stats.norm(1.0, spread * 2),
    }


def _estimate(start, end, survival, births, coverage_start, coverage_end, births_factor):
    return mp.net_migration(
        mp.correct_coverage(start, coverage_start),
        mp.correct_coverage(end, coverage_end),
        survival,
        births=mp.correct_coverage(births, births_factor),
        interval=5,
    )[["net_migration"]]


def _summary(arrays, uncertain, n, **options):
    return mp.ensemble.summarise(_estimate, {**arrays, **uncertain}, n, seed=1, **options)


def test_a_thousand_draws_beside_a_thousand_runs(benchmark, sizes, check):
    n = 1000 if sizes.full else 20
    arrays, uncertain = _given(sizes.countries)
    factors = {name: mp.ensemble.draws(d, n, seed=1, name=name) for name, d in uncertain.items()}

    def singly():
        for k in range(n):
            _estimate(**arrays, **{name: f.isel(draw=k, drop=True) for name, f in factors.items()})

    def kernels(call):
        with measure.kernel_clock() as spent:
            call()
        return sum(spent)

    def together():
        return _summary(arrays, uncertain, n)

    together()  # compiles
    _estimate(**arrays, **{name: f.isel(draw=0, drop=True) for name, f in factors.items()})
    alone, clock = measure.Clock(), measure.Clock()
    with alone:
        single = kernels(singly)
    drawn = []

    def once():
        with clock:
            drawn.append(kernels(together))

    benchmark.pedantic(once, rounds=sizes.rounds(5))
    case = f"net_migration, {sizes.countries} countries, draws"
    check(measure.Check(case, f"kernel, {n} runs -> {n} draws", min(drawn) / single, 1.3))
    ratio = min(clock.seconds) / alone.seconds[0]
    check(measure.Check(case, f"time, {n} runs -> {n} draws", ratio, 1.0))


@pytest.mark.parametrize("options", [{}, {"quantiles": [0.05, 0.5, 0.95], "by": "country"}])
def test_memory(benchmark, sizes, check, options):
    arrays, uncertain = _given(sizes.countries)
    few, many = (200, 2000) if sizes.full else (10, 100)

    def peak(n):
        tracemalloc.start()
        try:
            _summary(arrays, uncertain, n, **options)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(few)
    less = peak(few)
    more = benchmark.pedantic(peak, args=(many,), rounds=1)
    case = f"summaries{' and quantiles' if options else ''}, peak {more / 1e6:.0f} MB"
    check(measure.Check(case, f"memory, draws {few} -> {many}", more / less, 1.1))
