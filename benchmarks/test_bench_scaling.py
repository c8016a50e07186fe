"""How time grows with countries, draws, steps and threads, and memory with draws."""

from __future__ import annotations

import importlib.metadata
import os
import statistics

import pytest

import migproj as mp
from migproj import _jit

from . import inputs, measure

resource = pytest.importorskip("resource", reason="no resource usage on this system")
from . import world  # noqa: E402

#: Of ten times as much. Sorting n draws takes n log² n exchanges.
_LINEAR, _SORTED = 12.0, 20.0
_WORLD = "MIGPROJ_BENCH_WORLD"


def _totals(countries, draws, steps):
    given = inputs.ensemble(countries, draws, steps)
    return lambda: mp.project_population(
        given.population,
        given.survival,
        given.fertility,
        inputs.SEX_RATIO_AT_BIRTH,
        given.totals,
        migration_schedule=given.schedule,
        keep=["population", "births"],
        age_groups=["0+"],
    )


def _cells(countries, draws, steps):
    given = inputs.projection(countries, draws, steps)
    return lambda: mp.project_population(
        given.population,
        given.survival,
        given.fertility,
        inputs.SEX_RATIO_AT_BIRTH,
        given.migration,
        keep=["population"],
    )


def _quantiles(countries, draws, steps):
    given = inputs.ensemble(countries, draws, steps)
    return lambda: world.project(given, None)


def _in_turn(benchmark, rounds, less, more):
    """Median seconds of two calls, round by round, and of the kernels in them."""
    calls = measure.Clock(), measure.Clock()
    kernels: tuple[list[float], list[float]] = [], []
    held = []

    def call(which):
        held.clear()  # results are freed outside the clocks
        with measure.kernel_clock() as spent, calls[which]:
            held.append((less, more)[which]())
        kernels[which].append(sum(spent))

    held.append((less(), more()))  # compiles
    benchmark.pedantic(lambda: call(1), setup=lambda: call(0), rounds=rounds)
    return (
        [statistics.median(clock.seconds) for clock in calls],
        [statistics.median(seconds) for seconds in kernels],
    )


@pytest.mark.parametrize(
    ("case", "make", "dim", "most"),
    [
        ("totals and births", _totals, "countries", _LINEAR),
        ("totals and births", _totals, "draws", _LINEAR),
        ("totals and births", _totals, "steps", _LINEAR),
        ("population by single ages", _cells, "countries", _LINEAR),
        ("population by single ages", _cells, "draws", _LINEAR),
        ("population by single ages", _cells, "steps", _LINEAR),
        ("quantiles by single ages", _quantiles, "draws", _SORTED),
    ],
)
def test_ten_times_as_much(benchmark, memory, sizes, check, case, make, dim, most):
    # Enough rows for two threads in the smaller load as well.
    full = {
        "countries": 8,
        "draws": {_totals: 1000, _cells: 50, _quantiles: 100}[make],
        "steps": 8 if dim == "steps" else 76,
    }
    small = {"countries": 2, "draws": 3, "steps": 2}
    base = full if sizes.full else small
    ten = base | {dim: 10 * base[dim]}
    both = _in_turn(benchmark, sizes.rounds(5), make(**base), make(**ten))
    # What a call costs before it computes hides how the rest grows: the kernels show it.
    for what, (less, more) in zip(("time", "kernel"), both, strict=True):
        change = f"{what}, {dim} {base[dim]} -> {ten[dim]}"
        check(measure.Check(case, change, more / less, most))


def _one_to_all_threads(benchmark, rounds, call):
    """How many times as fast on all threads as on one: the call, and its kernel."""

    def on(count):
        with measure.threads(count):
            return call()

    both = _in_turn(benchmark, rounds, lambda: on(_jit.threads_available()), lambda: on(1))
    return [one / many for many, one in both]


def test_threads(benchmark, memory, sizes, check):
    threads = _jit.threads_available()
    if threads < 2:
        pytest.skip("one thread")
    # A tenth of the world's countries: what a call costs before it computes is small beside it.
    call = _totals(24, 1000, 76) if sizes.full else _totals(2, 70, 2)
    ratios = _one_to_all_threads(benchmark, sizes.rounds(9), call)
    for what, ratio in zip(("speed", "kernel's speed"), ratios, strict=True):
        change = f"{what}, threads 1 -> {threads}"
        check(measure.Check("totals and births", change, ratio, 0.8 * threads, least=True))


def test_threads_storing_cells(benchmark, memory, sizes, note):
    """All threads share one memory: they help less where every cell is stored."""
    threads = _jit.threads_available()
    if threads < 2:
        pytest.skip("one thread")
    call = _cells(8, 100, 76) if sizes.full else _cells(2, 70, 2)
    whole, kernel = _one_to_all_threads(benchmark, sizes.rounds(9), call)
    note(
        f"population by single ages: {whole:.2f} times as fast on {threads} threads as on one, "
        f"its kernel {kernel:.2f} times"
    )


def test_storage_in_float32(benchmark, memory, sizes, check):
    size = (8, 50, 76) if sizes.full else (2, 3, 2)
    given = inputs.projection(*size)

    def call(dtype):
        return mp.project_population(
            given.population,
            given.survival,
            given.fertility,
            inputs.SEX_RATIO_AT_BIRTH,
            given.migration,
            dtype=dtype,
        )

    (wide, narrow), _kernels = _in_turn(
        benchmark, sizes.rounds(9), lambda: call("float64"), lambda: call("float32")
    )
    check(measure.Check("every output, every cell", "time, float64 -> float32", narrow / wide, 1.2))


@pytest.mark.parametrize(
    ("ages", "dtype"), [*((ages, "float64") for ages in world.GROUPS), ("single ages", "float32")]
)
def test_memory_of_the_world(benchmark, memory, sizes, check, ages, dtype):
    """The peak of a fresh process, and how it grows with draws that are not stored."""
    asked = os.environ.get(_WORLD) or ("237x1000x76" if sizes.full else "3x20x3")
    countries, draws, steps = map(int, asked.split("x"))
    world.project(inputs.ensemble(1, 2, 1), world.GROUPS[ages], dtype)  # into the cache on disk
    few = world.measure(countries, max(draws // 10, 1), steps, ages, dtype)
    many = benchmark.pedantic(world.measure, args=(countries, draws, steps, ages, dtype), rounds=1)
    benchmark.extra_info.update(many)
    case = f"world {asked}, {ages}" + (", float32" if dtype == "float32" else "")
    check(measure.Check(case, "peak of the process, GB", many["peak"] / 1e9, 1.0))
    # The inputs have the draws: what grows beyond them is what the library holds.
    own = [taken["peak"] - taken["inputs"] for taken in (few, many)]
    change = f"memory, draws {max(draws // 10, 1)} -> {draws}"
    check(measure.Check(case, change, own[1] / own[0], 1.1))
    change = f"time, draws {max(draws // 10, 1)} -> {draws}"
    check(measure.Check(case, change, many["seconds"] / few["seconds"], _SORTED))


@pytest.mark.parametrize("package", ["leapfrog-py", "cohortproj"])
def test_other_packages(package, note):
    try:
        found = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        reason = f"{package}: not measured, it is not installed"
    else:
        reason = f"{package} {found}: not measured, no call of it has been written and checked"
    note(reason)
    pytest.skip(reason)
