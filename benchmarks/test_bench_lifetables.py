"""Life tables, their closing and single years beside one vector at a time in NumPy and SciPy."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from itertools import accumulate

import numpy as np
import pandas as pd
import xarray as xr
from scipy.interpolate import CubicHermiteSpline, CubicSpline
from scipy.optimize import brentq, least_squares

import migproj as mp

from . import inputs, measure
from .test_bench_graduation import hyman

#: Vectors that the loop goes through, of all: it takes as long for each.
SAMPLE = 40
FIT = (60, 95)


def rates(sizes: inputs.Sizes) -> xr.DataArray:
    """Both sexes in thirty periods of all countries, abridged, to 100 and over."""
    return inputs.death_rates(sizes.countries, 30 if sizes.full else sizes.periods)


def life_table(mx: np.ndarray, lower: np.ndarray, male: bool) -> dict[str, np.ndarray]:
    """The same rules as mp.life_table's, ages as vectors."""
    n = np.append(np.diff(lower), np.inf)
    m0 = mx[0]
    a = 0.5 * n
    wide = np.append(n[:-1], n[-2])
    middle = lower + 0.5 * wide
    k = np.log(mx[2:] / mx[:-2]) / (middle[2:] - middle[:-2])
    inner = slice(1, -1)
    greville = 0.5 * n[inner] - n[inner] ** 2 / 12.0 * (mx[inner] - k)
    greville = np.where(lower[inner] >= 45, np.maximum(greville, 0.97), greville)
    a[inner] = np.where(lower[inner] >= 15, greville, a[inner])
    if male:
        a[0] = 0.33 if m0 >= 0.107 else 0.045 + 2.684 * m0
        a[1] = 1.352 if m0 >= 0.107 else 1.651 - 2.816 * m0
    else:
        a[0] = 0.35 if m0 >= 0.107 else 0.053 + 2.8 * m0
        a[1] = 1.361 if m0 >= 0.107 else 1.522 - 1.518 * m0
    nc, mc, ac = n[:-1], mx[:-1], a[:-1]
    q = nc * mc / (1.0 + (nc - ac) * mc)
    over = q > 1.0
    if over.any():
        q[over] = 1.0 - np.exp(-nc[over] * mc[over])
        ac[over] = 1.0 / mc[over] - nc[over] * (1.0 - q[over]) / q[over]
    lx = np.append(1.0, np.cumprod(1.0 - q))
    dx = np.append(lx[:-1] * q, lx[-1])
    Lx = np.append(nc * lx[1:] + ac * dx[:-1], lx[-1] / mx[-1])
    Tx = np.cumsum(Lx[::-1])[::-1]
    a[-1] = 1.0 / mx[-1]
    q = np.append(q, 1.0)
    return {"mx": mx, "ax": a, "qx": q, "lx": lx, "dx": dx, "Lx": Lx, "Tx": Tx, "ex": Tx / lx}


def life_table_by_age(mx: list[float], lower: list[int], male: bool) -> dict[str, list[float]]:
    """The same rules, age by age without arrays."""
    last = len(mx) - 1
    width = [lower[x + 1] - lower[x] for x in range(last)]
    a = [0.5 * n for n in width]
    m0 = mx[0]
    if male:
        a[0] = 0.33 if m0 >= 0.107 else 0.045 + 2.684 * m0
        a[1] = 1.352 if m0 >= 0.107 else 1.651 - 2.816 * m0
    else:
        a[0] = 0.35 if m0 >= 0.107 else 0.053 + 2.8 * m0
        a[1] = 1.361 if m0 >= 0.107 else 1.522 - 1.518 * m0
    lx, dx, Lx, qx = [1.0], [], [], []
    for x in range(last):
        n = width[x]
        if lower[x] >= 15:
            beside = [width[x - 1], n, width[min(x + 1, last - 1)]]
            apart = beside[0] / 2 + n + beside[2] / 2
            k = math.log(mx[x + 1] / mx[x - 1]) / apart
            a[x] = 0.5 * n - n * n / 12.0 * (mx[x] - k)
            if lower[x] >= 45:
                a[x] = max(a[x], 0.97)
        q = n * mx[x] / (1.0 + (n - a[x]) * mx[x])
        if q > 1.0:
            q = 1.0 - math.exp(-n * mx[x])
            a[x] = 1.0 / mx[x] - n * (1.0 - q) / q
        qx.append(q)
        dx.append(lx[x] * q)
        lx.append(lx[x] * (1.0 - q))
        Lx.append(n * lx[x + 1] + a[x] * dx[x])
    dx.append(lx[last])
    Lx.append(lx[last] / mx[last])
    Tx = list(accumulate(reversed(Lx)))[::-1]
    ex = [lived / alive for lived, alive in zip(Tx, lx, strict=True)]
    a.append(1.0 / mx[last])
    qx.append(1.0)
    return {"mx": mx, "ax": a, "qx": qx, "lx": lx, "dx": dx, "Lx": Lx, "Tx": Tx, "ex": ex}


def kannisto(mx: np.ndarray, lower: np.ndarray) -> np.ndarray:
    """Old ages by a law of least squares of logarithms, with derivatives."""
    use = (lower >= FIT[0]) & (lower < FIT[1])
    x, y = lower[use] + 2.5, np.log(mx[use])

    def residuals(theta: np.ndarray) -> np.ndarray:
        return -np.log1p(np.exp(-theta[0] - theta[1] * (x - 80.0))) - y

    def slopes(theta: np.ndarray) -> np.ndarray:
        rise = 1.0 / (1.0 + np.exp(theta[0] + theta[1] * (x - 80.0)))
        return np.stack([rise, rise * (x - 80.0)], axis=1)

    logit = y - np.log1p(-np.minimum(mx[use], 0.99))
    slope, level = np.polyfit(x - 80.0, logit, 1)
    found = least_squares(residuals, [level, slope], jac=slopes, method="lm").x
    old = np.arange(lower[-1], 125, 5) + 2.5
    return np.append(mx[:-1], 1.0 / (1.0 + np.exp(-found[0] - found[1] * (old - 80.0))))


def single_years(table: dict[str, np.ndarray], lower: np.ndarray) -> np.ndarray:
    """Deaths by single years as in mp.single_year_life_table."""
    x, y = np.log(lower[1:]), np.log(-np.log(table["lx"][1:]))
    slope = CubicSpline(x, y).derivative()(x)
    steps = np.diff(y) / np.diff(x)
    least = np.minimum(np.append(steps[0], steps), np.append(steps, steps[-1]))
    curve = CubicHermiteSpline(x, y, np.clip(slope, 0.0, 3.0 * least))
    alive = np.exp(-np.exp(curve(np.log(np.arange(1, lower[-1] + 1)))))
    made = [table["dx"][:1]]
    for g in range(1, len(lower) - 1):
        n, a = int(lower[g + 1] - lower[g]), table["ax"][g]
        weight = -np.diff(alive[lower[g] - 1 : lower[g + 1]])
        k = np.arange(n)

        def apart(tilt: float, w: np.ndarray = weight, k: np.ndarray = k, a: float = a) -> float:
            tilted = w * np.exp(tilt * k)
            return float((tilted * (k + 0.5)).sum() / tilted.sum() - a)

        tilted = weight * np.exp(brentq(apart, -20.0, 20.0, xtol=1e-13) * k)
        made.append(table["dx"][g] * tilted / tilted.sum())
    return np.concatenate(made)


def beside(
    benchmark: object,
    sizes: inputs.Sizes,
    note: Callable[[str], None],
    what: str,
    rows: list,
    total: int,
    one: Callable,
    all_at_once: Callable,
) -> None:
    theirs, mine = measure.Clock(), measure.Clock()

    def by_row() -> None:
        with theirs:
            for row in rows:
                one(*row)

    def ours() -> None:
        with mine:
            all_at_once()

    ours()
    mine.seconds.clear()
    benchmark.pedantic(ours, setup=by_row, rounds=sizes.rounds(9))  # type: ignore[attr-defined]
    each = statistics.median(mine.seconds) / total
    ratio = statistics.median(theirs.seconds) / len(rows) / each
    note(f"{what}: {ratio:.0f} times as fast as by vector ({1e6 * each:.2f} us a vector)")


def sample(mx: xr.DataArray) -> list:
    flat = mx.transpose("country", "period", "sex", "age").values
    flat = flat.reshape(-1, mx.sizes["age"])
    males = np.arange(len(flat)) % 2 == list(mx["sex"].values).index("male")
    return [(flat[i], bool(males[i])) for i in range(0, len(flat), max(len(flat) // SAMPLE, 1) | 1)]


def test_life_tables_by_vector(benchmark, sizes, note):
    mx = rates(sizes)
    lower = mx["age"].values
    rows = sample(mx)
    total = mx.size // len(lower)
    known = mp.life_table(mx)["ex"].transpose("country", "period", "sex", "age").values
    known = known.reshape(-1, len(lower))[0]
    np.testing.assert_allclose(life_table(rows[0][0], lower, rows[0][1])["ex"], known, rtol=1e-12)
    plain = [(m.tolist(), male) for m, male in rows]
    ages = lower.tolist()
    np.testing.assert_allclose(life_table_by_age(plain[0][0], ages, plain[0][1])["ex"], known)
    columns = list(life_table(rows[0][0], lower, rows[0][1]))
    index = mx["age"].to_index()
    loops: dict[str, Callable[[], object]] = {
        "by vector in NumPy": lambda: [life_table(m, lower, male) for m, male in rows],
        "by age in Python": lambda: [life_table_by_age(m, ages, male) for m, male in plain],
        # What comes out of the library has labels as well.
        "by vector into tables of pandas": lambda: pd.concat(
            {
                k: pd.DataFrame(life_table(m, lower, male), index, columns)
                for k, (m, male) in enumerate(rows)
            }
        ),
    }
    clocks = {name: measure.Clock() for name in (*loops, "ours")}

    def by_row() -> None:
        for name, loop in loops.items():
            with clocks[name]:
                loop()

    def ours() -> None:
        with clocks["ours"]:
            mp.life_table(mx)

    mp.life_table(mx)
    benchmark.pedantic(ours, setup=by_row, rounds=sizes.rounds(15))
    each = statistics.median(clocks["ours"].seconds) / total
    for name in loops:
        ratio = statistics.median(clocks[name].seconds) / len(rows) / each
        note(f"life_table: {ratio:.0f} times as fast as {name} ({1e6 * each:.2f} us a vector)")


def test_kannisto_by_vector(benchmark, sizes, note):
    mx = rates(sizes)
    lower = mx["age"].values
    longer = np.append(lower, np.arange(lower[-1] + 5, 125, 5))

    def ours() -> xr.Dataset:
        return mp.life_table(mp.extend_mortality(mx, fit_ages=FIT, to_age=120))

    def theirs(m: np.ndarray, male: bool) -> dict[str, np.ndarray]:
        return life_table(kannisto(m, lower), longer, male)

    rows = sample(mx)
    known = ours()["ex"].transpose("country", "period", "sex", "age").values
    known = known.reshape(-1, len(longer))[0]
    np.testing.assert_allclose(theirs(*rows[0])["ex"], known, rtol=1e-6)
    beside(
        benchmark, sizes, note, "extend_mortality and life_table", rows,
        mx.size // len(lower), theirs, ours,
    )  # fmt: skip


def test_single_years_by_vector(benchmark, sizes, note):
    mx = rates(sizes)
    lower = mx["age"].values
    table = mp.life_table(mx)
    rows = [(life_table(m, lower, male),) for m, male in sample(mx)]
    known = mp.single_year_life_table(table)["dx"].transpose("country", "period", "sex", "age")
    known = known.values.reshape(-1, lower[-1] + 1)[0, :-1]
    np.testing.assert_allclose(single_years(rows[0][0], lower), known, rtol=1e-8)
    beside(
        benchmark, sizes, note, "single_year_life_table", rows, mx.size // len(lower),
        lambda row: single_years(row, lower), lambda: mp.single_year_life_table(table),
    )  # fmt: skip


def test_graduation_by_vector(benchmark, sizes, note):
    periods = 30 if sizes.full else sizes.periods
    people = inputs.rounds(sizes.countries, periods, 1).start.isel(draw=0, drop=True)
    counts = people.values[..., :-1].reshape(-1, people.sizes["age"] - 1)
    rows = [(row,) for row in counts[:: max(len(counts) // SAMPLE, 1)]]
    beside(
        benchmark, sizes, note, "graduate_ages", rows, len(counts), hyman,
        lambda: mp.graduate_ages(people),
    )  # fmt: skip


def test_both_by_vector(benchmark, sizes, note):
    """What precedes an estimate, for every country, period and sex: its table, its single ages."""
    mx = rates(sizes)
    lower = mx["age"].values
    people = inputs.rounds(sizes.countries, mx.sizes["period"], 1).start.isel(draw=0, drop=True)
    counts = people.values[..., :-1].reshape(-1, people.sizes["age"] - 1)
    tables = sample(mx)
    loops = {
        "life_table": lambda: [life_table(m, lower, male) for m, male in tables],
        "graduate_ages": lambda: [hyman(row) for row in counts[: len(tables)]],
    }
    calls = {
        "life_table": lambda: mp.life_table(mx),
        "graduate_ages": lambda: mp.graduate_ages(people),
    }
    theirs, mine = ({name: measure.Clock() for name in calls} for _ in range(2))

    def run(jobs: dict[str, Callable[[], object]], clocks: dict[str, measure.Clock]) -> None:
        for name, job in jobs.items():
            with clocks[name]:
                job()

    run(calls, mine)
    for clock in mine.values():
        clock.seconds.clear()
    benchmark.pedantic(
        lambda: run(calls, mine), setup=lambda: run(loops, theirs), rounds=sizes.rounds(15)
    )
    one, every = (
        {name: statistics.median(clock.seconds) / n for name, clock in clocks.items()}
        for clocks, n in ((theirs, len(tables)), (mine, len(counts)))
    )
    each = ", ".join(f"{name} {one[name] / every[name]:.0f}" for name in calls)
    ratio = sum(one.values()) / sum(every.values())
    note(
        f"life_table and graduate_ages: {ratio:.0f} times as fast as by vector "
        f"({1e6 * sum(every.values()):.2f} us a vector; in turn {each})"
    )
