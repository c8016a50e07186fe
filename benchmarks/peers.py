"""The same formulas in plain NumPy, and the check that they agree with the library.

Each peer is written for speed: vectorised over the batch, steps and ages looped over where one
depends on the one before, shared inputs never expanded, work done in blocks that stay in cache,
results written in place. It takes arrays, checks nothing, labels nothing, and knows its age
groups beforehand. Like the library it stores every output; the layout in memory is its own, so
some results are views with their axes moved.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
import xarray as xr

Array: TypeAlias = np.ndarray
Results: TypeAlias = dict[str, Array]

#: The groups of an abridged life table, 0, 1-4, 5-9, ..., 95-99, 100+.
_WIDTH = np.array([1.0, 4.0] + [5.0] * 19)
_FROM_45 = 10


def check_agrees(result: xr.Dataset | xr.DataArray, peer: Mapping[str, Array]) -> None:
    """The peer's arrays are the library's to 1e-10 of each one's largest value."""
    for name, theirs in peer.items():
        ours = (result if isinstance(result, xr.DataArray) else result[name]).values
        assert ours.shape == theirs.shape, f"{name}: {ours.shape}, peer {theirs.shape}"
        scale = np.nanmax(np.abs(ours))
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-10 * scale, err_msg=name)


def life_table(mx: Array) -> Results:
    """Coale-Demeny a0 and 4a1, Greville ax; mx (..., sex: female and male, age) of 22 groups."""
    groups = mx.shape[-1]
    last = groups - 1
    # Ages first: sums along age are then sums of whole rows.
    m = np.ascontiguousarray(np.moveaxis(mx, -1, 0))
    made = {name: np.empty(m.shape) for name in ("ax", "qx", "lx", "dx", "Lx", "Tx", "ex")}
    a, q, l, d, L, T, e = made.values()  # noqa: E741
    high = m[0] >= 0.107
    female, male = np.s_[..., 0], np.s_[..., 1]
    for sex, infants, children in (
        (female, (0.350, 0.053, 2.800), (1.361, 1.522, -1.518)),
        (male, (0.330, 0.045, 2.684), (1.352, 1.651, -2.816)),
    ):
        for i, (constant, level, slope) in enumerate((infants, children)):
            a[i][sex] = np.where(high[sex], constant, level + slope * m[0][sex])
    a[2:4] = 2.5
    logs = np.log(m[3:])
    np.subtract(logs[2:], logs[:-2], out=a[4:last])
    a[4:last] *= 0.1
    a[4:last] -= m[4:last]
    a[4:last] *= 25.0 / 12.0
    a[4:last] += 2.5
    np.maximum(a[_FROM_45 + 1 : last], 0.97, out=a[_FROM_45 + 1 : last])
    n = _WIDTH.reshape(-1, *(1,) * (m.ndim - 1))
    closed = slice(0, last)
    np.subtract(n, a[closed], out=q[closed])
    q[closed] *= m[closed]
    q[closed] += 1.0
    hazard = n * m[closed]
    np.divide(hazard, q[closed], out=q[closed])
    above = q[closed] > 1.0
    if above.any():
        q[closed][above] = (1.0 - np.exp(-hazard))[above]
        a[closed][above] = (1.0 / m[closed] - n * (1.0 - q[closed]) / q[closed])[above]
    l[0] = 1.0
    for i in range(last):
        np.multiply(l[i], q[i], out=d[i])
        np.subtract(l[i], d[i], out=l[i + 1])
    np.multiply(a[closed], d[closed], out=L[closed])
    L[closed] += n * l[1:]
    np.divide(1.0, m[last], out=a[last])
    q[last] = 1.0
    d[last] = l[last]
    np.divide(l[last], m[last], out=L[last])
    T[last] = L[last]
    for i in range(last - 1, -1, -1):
        np.add(T[i + 1], L[i], out=T[i])
    np.divide(T, l, out=e)
    made = {name: np.moveaxis(array, 0, -1) for name, array in made.items()}
    made["n_qx_above_one"] = above.sum(axis=0)
    made["n_mx_zero"] = (m == 0.0).sum(axis=0)
    made["n_mx_high"] = (m > 2.0).sum(axis=0)
    return made


def survival_ratios(lx: Array, Tx: Array) -> Results:
    """Five-year ratios of an abridged life table (..., 22 groups), to the groups 0-4 to 100+."""
    lived = np.empty((*Tx.shape[:-1], Tx.shape[-1] - 1))
    np.subtract(Tx[..., 0], Tx[..., 2], out=lived[..., 0])
    np.subtract(Tx[..., 2:-1], Tx[..., 3:], out=lived[..., 1:-1])
    lived[..., -1] = Tx[..., -1]
    ratios = np.empty_like(lived)
    np.divide(lived[..., 0], 5.0 * lx[..., 0], out=ratios[..., 0])
    np.divide(lived[..., 1:-1], lived[..., :-2], out=ratios[..., 1:-1])
    np.divide(Tx[..., -1], Tx[..., -2], out=ratios[..., -1])
    return {"survival": ratios}


def census_survival_ratios(start: Array, end: Array) -> Results:
    """Ratios of two rounds one group apart; the draws stand on start (..., draw, sex, age)."""
    end = end[..., None, :, :]
    ratios = np.empty(start.shape)
    ratios[..., 0] = np.nan
    np.divide(end[..., 1:-1], start[..., :-2], out=ratios[..., 1:-1])
    np.divide(end[..., -1], start[..., -2] + start[..., -1], out=ratios[..., -1])
    return {"survival": ratios}


def net_migration(start: Array, end: Array, survival: Array, births: Array, method: str) -> Results:
    """Rounds one group apart, start (country, period, draw, sex, age), the others without draw.

    The average method, 1/2 (P1 - S P0 + P1/S - P0), is 1/2 (1 + 1/S) of the forward residual.
    """
    net, expected = np.empty(start.shape), np.empty(start.shape)
    negative = np.zeros(start.shape[:-1], dtype=np.int64)
    s, after = survival[:, :, None], end[:, :, None]
    first = (survival[..., 0] * births)[:, :, None]
    weight = 0.5 + 0.5 / s
    filters = _even(survival) if method == "even" else None
    spread = np.empty(start.shape[1:])
    for c in range(len(start)):  # one country at a time stays in cache
        alive, before = expected[c], start[c]
        # All as one row, moved on by one group; the ends of the age axis are mended after.
        # A spread copy in cache and one long loop beat many short ones.
        np.copyto(spread, s[c])
        np.multiply(spread.ravel()[1:], before.ravel()[:-1], out=alive.ravel()[1:])
        alive[..., 0] = first[c]
        alive[..., -1] += s[c][..., -1] * before[..., -1]
        if not alive.min() >= 0.0:
            negative[c] = (alive < 0.0).sum(axis=-1)
        if method == "average":
            np.copyto(spread, after[c])
            np.subtract(spread, alive, out=net[c])
            net[c] *= weight[c]
        else:
            residual = (after[c] - alive).swapaxes(1, 2)  # (period, sex, draw, age)
            net[c] = np.matmul(residual, filters[c]).swapaxes(1, 2)
    shared = np.broadcast_to
    return {
        "net_migration": net,
        "expected": expected,
        "n_survival_above_one": shared((s > 1.0).sum(axis=-1), negative.shape).copy(),
        "n_survival_low": shared(
            (s < 0.3).sum(axis=-1) * (method == "average"), negative.shape
        ).copy(),
        "n_negative": negative,
        "n_births_missing": shared(np.isnan(births)[:, :, None].astype(int), negative.shape).copy(),
    }


def _even(survival: Array) -> Array:
    """The recursion M = 2 D - S M of the group before, as matrices that D is multiplied by.

    In the open-ended group the right side is divided by 1 + S as well.
    """
    groups = np.arange(survival.shape[-1])
    made = np.zeros((*survival.shape, groups.size))  # group made, group read
    made[..., groups, groups] = 2.0
    for i in groups[1:]:
        np.multiply(made[..., i - 1, :i], -survival[..., i, None], out=made[..., i, :i])
    made[..., -1, :] /= 1.0 + survival[..., -1:]
    return np.ascontiguousarray(made.swapaxes(-1, -2))


def project_population(
    population: Array,
    survival: Array,
    fertility: Array,
    sex_ratio_at_birth: float,
    migration: Array,
    first: int,
) -> Results:
    """Even timing, one-year steps; the draws stand on fertility (country, draw, period, age)."""
    countries, draws, periods, fertile = fertility.shape
    ages = population.shape[-1]
    batch = (countries, draws)
    # Steps first: what one step writes is one piece of memory.
    people = np.empty((periods + 1, *batch, 2, ages))
    births = np.empty((periods, *batch, 2, fertile))
    deaths = np.empty((periods, *batch, 2, ages))
    applied = np.empty((periods, *batch, 2, ages))
    negative = np.zeros(batch, dtype=np.int64)
    exposed, spread = np.empty((*batch, 2, ages)), np.empty((*batch, 2, ages))
    women = slice(first, first + fertile)
    daughters = 1.0 / (1.0 + sex_ratio_at_birth)
    shares = np.array([[daughters], [daughters * sex_ratio_at_birth]])
    rate = np.moveaxis(0.5 * fertility, 2, 0)
    people[0] = population[:, None]
    for p in range(periods):
        now, new, dead = people[p], people[p + 1], deaths[p]
        s, m = survival[:, p, None], migration[:, p, None]
        half = 0.5 * m
        applied[p] = m
        np.add(now, half, out=exposed)
        # All as one row, moved on by one group; the ends of the age axis are mended after.
        np.copyto(spread, s)
        before, alive = exposed.ravel()[:-1], new.ravel()[1:]
        np.multiply(spread.ravel()[1:], before, out=alive)
        np.subtract(before, alive, out=dead.ravel()[1:])
        kept = s[..., -1] * exposed[..., -1]
        new[..., -1] += kept
        dead[..., -1] += exposed[..., -1] - kept
        new += half
        born = now[..., 0, women] + new[..., 0, women]
        born *= rate[p]
        np.multiply(born[..., None, :], shares, out=births[p])
        newborn = born.sum(axis=-1)[..., None] * shares[:, 0]
        kept = s[..., 0] * newborn
        np.subtract(newborn, kept, out=dead[..., 0])
        np.add(kept, half[..., 0], out=new[..., 0])
        if not new.min() >= 0.0:
            negative += (new < 0.0).sum(axis=(-1, -2))
    made = {"population": people, "births": births, "deaths_cohort": deaths}
    made["net_migration"] = applied
    made = {name: np.moveaxis(array, 0, 2) for name, array in made.items()}
    return {**made, "n_negative": negative}


def project_totals(
    population: Array,
    survival: Array,
    fertility: Array,
    sex_ratio_at_birth: float,
    totals: Array,
    schedule: Array,
    first: int,
) -> Results:
    """Totals of population and births alone, one country at a time; draws on the totals."""
    countries, draws, periods = totals.shape
    fertile = fertility.shape[-1]
    people = np.empty((countries, draws, periods + 1, 2, 1))
    births = np.empty((countries, draws, periods, 2, 1))
    negative = np.zeros((countries, draws), dtype=np.int64)
    women = slice(first, first + fertile)
    daughters = 1.0 / (1.0 + sex_ratio_at_birth)
    shares = np.array([daughters, daughters * sex_ratio_at_birth])
    for c in range(countries):
        now = np.repeat(population[c][None], draws, axis=0)
        people[c, :, 0, :, 0] = now.sum(axis=-1)
        new = np.empty_like(now)
        for p in range(periods):
            s = survival[c, p]
            half = (0.5 * totals[c, :, p])[:, None, None] * schedule
            exposed = now + half
            np.multiply(exposed[..., :-1], s[:, 1:], out=new[..., 1:])
            new[..., -1] += s[:, -1] * exposed[..., -1]
            new[..., 1:] += half[..., 1:]
            born = ((now[:, 0, women] + new[:, 0, women]) * (0.5 * fertility[c, p])).sum(axis=-1)
            by_sex = born[:, None] * shares
            new[..., 0] = by_sex * s[:, 0] + half[..., 0]
            births[c, :, p, :, 0] = by_sex
            people[c, :, p + 1, :, 0] = new.sum(axis=-1)
            if not new.min() >= 0.0:
                negative[c] += (new < 0.0).sum(axis=(-1, -2))
            now, new = new, now
    return {"population": people, "births": births, "n_negative": negative}


def project_totals_leslie(
    population: Array,
    survival: Array,
    fertility: Array,
    sex_ratio_at_birth: float,
    totals: Array,
    schedule: Array,
    first: int,
) -> Results:
    """Totals of population by dense Leslie matrices of both sexes: all draws in one product.

    With the migrants' first half x = P0 + M/2 the women exposed are half of x + A x, where A
    is survival alone: births are a row of the matrix as well.
    """
    countries, draws, periods = totals.shape
    sexes, ages = population.shape[1:]
    people = np.empty((countries, draws, periods + 1, sexes, 1))
    daughters = 1.0 / (1.0 + sex_ratio_at_birth)
    shares = np.array([daughters, daughters * sex_ratio_at_birth])
    youngest, oldest = np.arange(sexes) * ages, np.arange(1, sexes + 1) * ages - 1
    half = 0.5 * schedule.reshape(-1, 1)
    bearing = np.zeros(sexes * ages)
    for c in range(countries):
        now = np.repeat(population[c].reshape(-1, 1), draws, axis=1)
        people[c, :, 0, :, 0] = now.reshape(sexes, ages, draws).sum(axis=1).T
        for p in range(periods):
            s = survival[c, p].ravel()
            matrix = np.diag(s[1:], -1)
            matrix[youngest] = 0.0
            matrix[oldest, oldest] = s[oldest]
            bearing[first : first + fertility.shape[-1]] = 0.5 * fertility[c, p]
            births = bearing + bearing @ matrix
            matrix[youngest] = (shares * s[youngest])[:, None] * births
            moved = half * totals[c, :, p]
            now = matrix @ (now + moved) + moved
            people[c, :, p + 1, :, 0] = now.reshape(sexes, ages, draws).sum(axis=1).T
    return {"population": people}


def stable_population(
    survival: Array, fertility: Array, sex_ratio_at_birth: float, first: int, step: float
) -> Results:
    """Leslie matrices of the women, survival (..., age), and their eigenvalues and eigenvectors."""
    ages = survival.shape[-1]
    rates = np.zeros((*survival.shape[:-1], ages + 1))
    rates[..., first : first + fertility.shape[-1]] = fertility
    matrix = np.zeros((*survival.shape, ages))
    older = np.arange(1, ages)
    matrix[..., older, older - 1] = survival[..., 1:]
    matrix[..., -1, -1] = survival[..., -1]
    born = rates[..., :-1].copy()
    born[..., :-1] += rates[..., 1:-1] * survival[..., 1:]
    matrix[..., 0, :] = survival[..., :1] * born * (0.5 * step / (1.0 + sex_ratio_at_birth))
    roots, right = np.linalg.eig(matrix)
    roots_left, left = np.linalg.eig(matrix.swapaxes(-1, -2))

    def dominant(values: Array, vectors: Array) -> Array:
        place = np.argmax(values.real, axis=-1)[..., None, None]
        return np.take_along_axis(vectors, place, axis=-1)[..., 0].real

    shares, value = dominant(roots, right), dominant(roots_left, left)
    shares /= shares.sum(axis=-1, keepdims=True)
    value /= value[..., :1]
    modulus = np.sort(np.abs(roots), axis=-1)
    alive = survival.copy()
    alive[..., 0] = 1.0
    np.cumprod(alive, axis=-1, out=alive)
    mothers = rates[..., :-1] * shares
    return {
        "intrinsic_growth_rate": np.log(roots.real.max(axis=-1)) / step,
        "age_distribution": shares,
        "reproductive_value": value,
        "damping_ratio": modulus[..., -1] / modulus[..., -2],
        "net_reproduction_rate": (matrix[..., 0, :] * alive).sum(axis=-1),
        "mean_age_of_childbearing": (mothers @ (step * (np.arange(ages) + 0.5)))
        / mothers.sum(axis=-1),
    }


def project_stocks(
    stock: Array, survival: Array, arrivals: Array, emigration: Array, step: float
) -> Results:
    """Even timing; stock and arrivals (birthplace, country, sex, age), the others without.

    What depends on no birthplace (who stays, and which share of those lost left) is worked out
    once for all of them.
    """
    shape, periods = stock.shape, survival.shape[1]
    people = np.empty((periods + 1, *shape))
    deaths, left, applied = (np.empty((periods, *shape)) for _ in range(3))
    negative = np.zeros(shape[:-1], dtype=np.int64)
    hazard = np.zeros_like(emigration)
    hazard[..., 1:] = 0.5 * (emigration[..., :-1] + emigration[..., 1:])
    keep, leave = _staying(survival, np.exp(-step * hazard))
    keep[..., 0] = leave[..., 0] = 0.0  # nobody enters
    keep_open, leave_open = _staying(survival[..., -1:], np.exp(-step * emigration[..., -1:]))
    half = 0.5 * arrivals
    exposed = np.empty(shape)
    # All that one birthplace has as one row, moved on by one group.
    row = (shape[0], -1)
    before = exposed.reshape(row)[:, :-1]
    people[0] = stock
    for p in range(periods):
        now, new, dead, gone = people[p], people[p + 1], deaths[p], left[p]
        np.add(now, half, out=exposed)
        alive = new.reshape(row)[:, 1:]
        np.multiply(keep[p].ravel()[1:], before, out=alive)
        np.multiply(leave[p].ravel()[1:], before, out=gone.reshape(row)[:, 1:])
        np.subtract(exposed.ravel()[:-1], new.ravel()[1:], out=dead.ravel()[1:])
        new[..., 0] = gone[..., 0] = 0.0
        oldest = exposed[..., -1:]
        kept = keep_open[p] * oldest
        new[..., -1:] += kept
        gone[..., -1:] += leave_open[p] * oldest
        dead[..., -1:] += oldest - kept
        dead -= gone
        dead[..., 0] = 0.0
        new += half
        applied[p] = arrivals
        if not new.min() >= 0.0:
            negative += (new < 0.0).sum(axis=-1)
    made = {"stock": people, "deaths_cohort": deaths, "emigrants": left, "arrivals": applied}
    made = {name: np.moveaxis(array, 0, 2) for name, array in made.items()}
    return {**made, "n_negative": negative}


def project_world(
    stock: Array,
    survival: Array,
    fertility: Array,
    sex_ratio_at_birth: float,
    emigration: Array,
    destinations: Array,
    step: float,
    first: int,
) -> Results:
    """Stock (country, birthplace, sex, age); the destinations of all are one product a step.

    survival and fertility (country, period, ...), the hazards (country, sex, age).
    """
    countries, periods = len(stock), survival.shape[1]
    people = np.empty((periods + 1, *stock.shape))
    deaths, left, came = (np.empty((periods, *stock.shape)) for _ in range(3))
    hazard = 0.5 * emigration
    hazard[..., 1:] += hazard[..., :-1].copy()
    keep, leave = _staying(survival, np.exp(-step * hazard))
    keep_open, leave_open = _staying(survival[..., -1:], np.exp(-step * emigration[..., -1:]))
    women = slice(first, first + fertility.shape[-1])
    daughters = 1.0 / (1.0 + sex_ratio_at_birth)
    shares = np.array([daughters, daughters * sex_ratio_at_birth])
    births = np.empty((periods, *stock.shape[:2], 2, fertility.shape[-1]))
    natives = np.arange(countries)
    people[0] = stock
    for p in range(periods):
        now, new, gone, arrived = people[p], people[p + 1], left[p], came[p]
        new[..., 0] = gone[..., 0] = 0.0
        np.multiply(keep[p][:, None, :, 1:], now[..., :-1], out=new[..., 1:])
        np.multiply(leave[p][:, None, :, 1:], now[..., :-1], out=gone[..., 1:])
        new[..., -1:] += keep_open[p][:, None] * now[..., -1:]
        gone[..., -1:] += leave_open[p][:, None] * now[..., -1:]
        deaths[p, ..., 1:] = now[..., :-1]
        deaths[p, ..., -1] += now[..., -1]
        deaths[p, ..., 0] = 0.0
        deaths[p] -= new
        deaths[p] -= gone
        np.matmul(destinations.T, gone.reshape(countries, -1), out=arrived.reshape(countries, -1))
        new += arrived
        mothers = 0.5 * step * (now[:, :, 0, women] + new[:, :, 0, women])
        mothers *= fertility[:, p, None]
        np.multiply(mothers[:, :, None], shares[:, None], out=births[p])
        born = births[p].sum(axis=(1, 3))
        alive, out = keep[p][..., 0] * born, leave[p][..., 0] * born
        new[natives, natives, :, 0] += alive
        gone[natives, natives, :, 0] = out
        deaths[p, natives, natives, :, 0] = born - alive - out
        to = destinations.T[..., None] * out
        arrived[..., 0] += to
        new[..., 0] += to
    made = {"stock": people, "deaths_cohort": deaths, "emigrants": left, "arrivals": came}
    return {**made, "births": births}


def _staying(survival: Array, staying: Array) -> tuple[Array, Array]:
    """Of those exposed, the share still there and the share that left: (period, country, ...)."""
    s = np.ascontiguousarray(np.moveaxis(survival, 1, 0))
    keep = s * staying
    with np.errstate(invalid="ignore"):  # 0/0 where nobody can die or leave
        out = np.log(staying)
        leave = (1.0 - keep) * out / (out + np.log(s))
    leave = np.where(s >= 1.0, s * (1.0 - staying), leave)
    return keep, np.where(staying == 1.0, 0.0, leave)
