"""Sizes, the machine's bandwidth, the comparison of one case, and the table at the end."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from . import inputs, measure, peers

_ROWS = pytest.StashKey[list[measure.Row]]()
_CHECKS = pytest.StashKey[list[measure.Check]]()
_NOTES = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--smoke", action="store_true", help="Small inputs and few rounds: does it run at all?"
    )
    parser.addoption("--save", metavar="FILE", help="Write the table there as well.")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_ROWS] = []
    config.stash[_CHECKS] = []
    config.stash[_NOTES] = []


def _disabled(config: pytest.Config) -> bool:
    return config.getoption("benchmark_disable") and not config.getoption("benchmark_enable")


@pytest.fixture(scope="session")
def sizes(pytestconfig: pytest.Config) -> inputs.Sizes:
    """Full sizes, or small ones with --smoke or --benchmark-disable."""
    small = pytestconfig.getoption("--smoke") or _disabled(pytestconfig)
    return inputs.SMOKE if small else inputs.FULL


@pytest.fixture(scope="session")
def memory(pytestconfig: pytest.Config, sizes: inputs.Sizes) -> measure.Memory:
    """The machine's bandwidth, measured once a session."""
    machine = measure.Memory(sizes.triad, sizes.rounds(15))
    pytestconfig.stash[_NOTES].append(
        f"triad {machine.triad / 1e9:.1f} GB/s on {machine.threads} thread(s); the copying loop "
        f"runs at {machine.loop_to_copyto:.2f} of np.copyto's speed"
    )
    return machine


@pytest.fixture
def compare(
    benchmark: Any, memory: measure.Memory, sizes: inputs.Sizes, pytestconfig: pytest.Config
) -> Callable[..., None]:
    """Check a case against its peer, then time both and the loops in turn, round by round."""

    def run(
        case: str,
        ours: Callable[[], xr.Dataset | xr.DataArray],
        peer: Callable[[], Mapping[str, np.ndarray]],
        reads: Iterable[xr.DataArray],
        *,
        rounds: int,
        tiny: bool = False,
    ) -> None:
        result = ours()  # compiles
        expected = peer()
        peers.check_agrees(result, expected)
        read = sum(array.nbytes for array in reads)
        written = sum(array.nbytes for array in expected.values())
        del result, expected
        source, target = measure.cells(read), measure.cells(written)
        source[:] = 1.0
        clocks = {name: measure.Clock() for name in ("ours", "peer", "reused", "fresh")}
        kernel: list[float] = []
        held: list[object] = []  # results are freed outside the clocks

        def beside() -> None:
            held.clear()
            with clocks["peer"]:
                held.append(peer())
            held.clear()
            if tiny:
                return
            with clocks["reused"]:
                memory.move(target, source)
            with clocks["fresh"]:
                held.append(measure.cells(written))
                memory.move(held[0], source)
            held.clear()

        def once() -> None:
            with measure.kernel_clock() as spent, clocks["ours"]:
                held.append(ours())
            assert spent, "no kernel ran, or the bridge runs it by another way than _jit.run"
            kernel.append(sum(spent))

        memory.move(target, source)
        others = measure.Others()
        benchmark.pedantic(once, setup=beside, rounds=sizes.rounds(rounds))
        held.clear()
        median = {k: statistics.median(c.seconds) for k, c in clocks.items() if c.seconds}
        row = measure.Row(
            case,
            read + written,
            median["ours"],
            statistics.median(kernel),
            median["peer"],
            None if tiny else (read + written) / memory.triad,
            median.get("reused"),
            median.get("fresh"),
            others.processors,
        )
        benchmark.extra_info.update(
            {key: value for key, value in vars(row).items() if value is not None}
        )
        pytestconfig.stash[_ROWS].append(row)

    return run


@pytest.fixture
def check(pytestconfig: pytest.Config) -> Callable[[measure.Check], None]:
    """Add a row to the second part of the table."""
    return pytestconfig.stash[_CHECKS].append


@pytest.fixture
def note(pytestconfig: pytest.Config) -> Callable[[str], None]:
    """Add a line below the table."""
    return pytestconfig.stash[_NOTES].append


def _report(config: pytest.Config) -> list[str]:
    """The lines of the table; none where nothing was measured."""
    rows, checks, notes = (config.stash[key] for key in (_ROWS, _CHECKS, _NOTES))
    lines: list[str] = []
    if not (rows or checks or notes):
        return lines
    if config.getoption("--smoke") or _disabled(config):
        lines.append("Small inputs, few rounds: this shows that the benchmarks run, not how fast.")
    if rows:
        lines += [measure.HEADER, *map(measure.line, rows), "", measure.LEGEND, ""]
    if checks:
        lines += [measure.CHECK_HEADER, *map(measure.check_line, checks), ""]
    return lines + notes


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    lines = _report(config)
    if not lines:
        return
    terminalreporter.section("migproj beside NumPy and the memory (medians)")
    for text in lines:
        terminalreporter.write_line(text)
    if path := config.getoption("--save"):
        Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")
