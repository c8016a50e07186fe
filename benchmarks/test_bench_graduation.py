"""Age groups split into single years, beside SciPy's splines row by row."""

from __future__ import annotations

import statistics

import numpy as np
from scipy.interpolate import CubicHermiteSpline, CubicSpline

import migproj as mp

from . import inputs, measure


def hyman(counts: np.ndarray) -> np.ndarray:
    """The monotone spline of cumulated five-year groups (its ends not-a-knot)."""
    x = np.arange(len(counts) + 1) * 5.0
    y = np.append(0.0, np.cumsum(counts))
    slope = CubicSpline(x, y, bc_type="not-a-knot").derivative()(x)
    steps = np.diff(y) / np.diff(x)
    least = np.minimum(np.append(steps[0], steps), np.append(steps, steps[-1]))
    curve = CubicHermiteSpline(x, y, np.clip(slope, 0.0, 3.0 * least))
    return np.diff(curve(np.arange(x[-1] + 1)))


def test_graduation_beside_scipy(benchmark, sizes, note):
    given = inputs.rounds(sizes.countries, sizes.periods, 1)
    people = given.start.isel(draw=0, drop=True)
    counts = people.values[..., :-1].reshape(-1, people.sizes["age"] - 1)
    theirs, mine = measure.Clock(), measure.Clock()

    def by_row():
        with theirs:
            for row in counts:
                hyman(row)

    def ours():
        with mine:
            mp.graduate_ages(people)

    ours()
    mine.seconds.clear()
    benchmark.pedantic(ours, setup=by_row, rounds=sizes.rounds(9))
    ratio = statistics.median(theirs.seconds) / statistics.median(mine.seconds)
    each = 1e6 * statistics.median(mine.seconds) / len(counts)
    note(f"graduate_ages: {ratio:.0f} times as fast as SciPy by row ({each:.2f} us a population)")
