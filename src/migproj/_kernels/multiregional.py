"""Multiregional projection: survival and moves between regions by matrix exponentials.

A cohort's transition matrix has a row for the region of the start and a column for that of the
end. Matrices of the same rates are worked out once, for all rows of the batch that come one after
another with them.
"""

from __future__ import annotations

import math

import numpy as np

from migproj._jit import FloatArray, IntArray, helper, kernel

#: Norm to which a matrix is scaled, and the size of the first term of the series left out.
_SCALED = 0.5
_SMALLEST = 1e-18
#: Hazards times years that add up to more are no hazards (infinite ones, of input not read).
_LARGEST = 1e9


@helper
def _product(a: FloatArray, b: FloatArray, size: int, factor: float, out: FloatArray) -> None:
    """``out = factor a b``, past the cells of `a` that are 0."""
    for i in range(size):
        for j in range(size):
            out[i, j] = 0.0
        for k in range(size):
            share = factor * a[i, k]
            if share != 0.0:
                for j in range(size):
                    out[i, j] += share * b[k, j]


@helper
def _exponential(
    matrix: FloatArray,  # (size, size), no cell off the diagonal negative; overwritten
    size: int,
    term: FloatArray,  # (size, size), to work on
    other: FloatArray,  # (size, size), to work on
    out: FloatArray,  # output (size, size)
) -> None:
    """exp(matrix) by its series, scaled and squared.

    With q the most negative of the diagonal, exp(A) = exp(-q) exp(A + q I), in which no term is
    negative: nothing cancels, and small cells are as exact as large ones.
    """
    lowest = 0.0
    for i in range(size):
        lowest = min(lowest, matrix[i, i])
    norm = 0.0
    for i in range(size):
        matrix[i, i] -= lowest
        total = 0.0
        for j in range(size):
            total += matrix[i, j]
        norm = max(norm, total)
    halvings = 0
    while norm > _SCALED:
        norm *= 0.5
        halvings += 1
    scale = 0.5**halvings
    for i in range(size):
        for j in range(size):
            matrix[i, j] *= scale
            term[i, j] = matrix[i, j]
            out[i, j] = matrix[i, j]
        out[i, i] += 1.0
    bound = norm
    k = 1
    while bound > _SMALLEST:
        k += 1
        bound *= norm / k
        _product(matrix, term, size, 1.0 / k, other)
        for i in range(size):
            for j in range(size):
                term[i, j] = other[i, j]
                out[i, j] += other[i, j]
    shrink = math.exp(lowest * scale)
    for i in range(size):
        for j in range(size):
            out[i, j] *= shrink
    for _ in range(halvings):
        _product(out, out, size, 1.0, other)
        for i in range(size):
            for j in range(size):
                out[i, j] = other[i, j]


@helper
def _transition(
    moving: FloatArray,  # (regions, regions): hazards of moving x years; the diagonal is not read
    alive: FloatArray,  # (regions): survival ratios
    matrix: FloatArray,  # (regions, regions), to work on
    term: FloatArray,
    other: FloatArray,
    out: FloatArray,  # output (regions, regions)
) -> None:
    """Shares of those in a region (row) who are alive in each (column) at the end."""
    size = alive.size
    most = 0.0
    known = 0.0  # a number as long as all is known
    moves = False
    for i in range(size):
        most = max(most, alive[i])
        known += alive[i]
        for j in range(size):
            if j != i:
                known += abs(moving[i, j])
                moves = moves or moving[i, j] != 0.0
    unknown = not known < _LARGEST
    if moves and not unknown and most > 0.0:
        # Survival beyond the best region's is within the exponential, the best region's outside. A
        # region where nobody survives keeps nobody: those who move there are lost on the way.
        for i in range(size):
            out_rate = 0.0
            for j in range(size):
                if j != i:
                    out_rate += moving[i, j]
                open_ = alive[i] > 0.0 and alive[j] > 0.0
                matrix[i, j] = moving[i, j] if open_ else 0.0
            matrix[i, i] = math.log(alive[i]) - math.log(most) - out_rate if alive[i] > 0.0 else 0.0
        _exponential(matrix, size, term, other, out)
    for i in range(size):
        leaves = False
        for j in range(size):
            leaves = leaves or (j != i and moving[i, j] != 0.0)
        for j in range(size):
            if not leaves:  # whatever is known of the others
                out[i, j] = alive[i] if j == i else 0.0
            elif unknown:
                out[i, j] = np.nan
            elif alive[i] > 0.0 and alive[j] > 0.0:
                out[i, j] *= most
            else:
                out[i, j] = 0.0


@helper
def _transitions(
    survival: FloatArray,  # (rows, periods or 1, regions or 1, sexes, ages)
    survival_row: int,
    moves: FloatArray,  # (rows, periods or 1, regions, regions, sexes or 1, ages)
    moves_row: int,
    step: float,
    shares: FloatArray,  # output (spans, sexes, ages + 1, regions, regions)
) -> None:
    """Transition matrices by the group arrived in; the last are of those in the open group."""
    regions = moves.shape[2]
    ages = moves.shape[5]
    moving = np.empty((regions, regions))
    matrix = np.empty((regions, regions))
    term = np.empty((regions, regions))
    other = np.empty((regions, regions))
    alive = np.empty(regions)
    for p in range(shares.shape[0]):
        ps = min(p, survival.shape[1] - 1)
        pm = min(p, moves.shape[1] - 1)
        for sex in range(2):
            sm = min(sex, moves.shape[4] - 1)
            for x in range(ages + 1):
                here = min(x, ages - 1)
                for i in range(regions):
                    ri = min(i, survival.shape[2] - 1)
                    alive[i] = survival[survival_row, ps, ri, sex, here]
                    for j in range(regions):
                        hazard = 0.5 * step * moves[moves_row, pm, i, j, sm, here]
                        if x == ages:
                            hazard += hazard
                        elif x > 0:
                            hazard += 0.5 * step * moves[moves_row, pm, i, j, sm, x - 1]
                        moving[i, j] = hazard
                _transition(moving, alive, matrix, term, other, shares[p, sex, x])


@helper
def _carry(
    people: FloatArray,  # (regions): where they start
    shares: FloatArray,  # (regions, regions)
    sex: int,
    x: int,  # the group arrived in
    after: FloatArray,  # outputs (regions, sexes, ages), added to
    dead: FloatArray,
    net: FloatArray,
) -> None:
    """Bring a cohort to the regions of the end, and count who died and who moved."""
    for i in range(people.size):
        lost = people[i]
        left = 0.0
        for j in range(people.size):
            if shares[i, j] != 0.0:  # nobody comes of a number unknown if none can
                come = shares[i, j] * people[i]
                after[j, sex, x] += come
                lost -= come
                if j != i:
                    net[j, sex, x] += come
                    left += come
        dead[i, sex, x] += lost
        net[i, sex, x] -= left


@kernel
def project_regions(
    lo: int,
    hi: int,
    start: FloatArray,  # (rows, regions, sexes, ages)
    start_row: IntArray,
    survival: FloatArray,  # (rows, periods or 1, regions or 1, sexes, ages): by age of arrival
    survival_row: IntArray,
    fertility: FloatArray,  # (rows, periods or 1, regions or 1, fertile ages)
    fertility_row: IntArray,
    ratio: FloatArray,  # (rows, periods or 1, regions or 1): males per female at birth
    ratio_row: IntArray,
    moves: FloatArray,  # (rows, periods or 1, regions, regions, sexes or 1, ages): a year
    moves_row: IntArray,
    population: FloatArray,  # outputs (rows, periods + 1, regions, sexes, ages); no periods: not
    births: FloatArray,  # (rows, periods, regions, sexes, fertile ages)          wanted
    deaths: FloatArray,  # (rows, periods, regions, sexes, ages): by age of arrival
    net: FloatArray,  # (rows, periods, regions, sexes, ages): by age of arrival
    out_row: IntArray,
    periods: int,
    first: int,  # the first fertile age group
    female: int,  # the position of women among the sexes
    step: float,
) -> None:
    regions = start.shape[1]
    ages = start.shape[3]
    fertile = fertility.shape[3]
    spans = periods if survival.shape[1] > 1 or moves.shape[1] > 1 else 1
    shares = np.empty((spans, 2, ages + 1, regions, regions))
    before = np.empty((regions, 2, ages))
    after = np.empty((regions, 2, ages))
    dead = np.empty((regions, 2, ages))
    moved = np.empty((regions, 2, ages))
    born = np.empty((regions, fertile))  # of both sexes, by age of the mother
    newborn = np.empty((2, regions))
    people = np.empty(regions)
    survival_done = -1
    moves_done = -1
    for b in range(lo, hi):
        o = out_row[b]
        if survival_row[b] != survival_done or moves_row[b] != moves_done:
            survival_done = survival_row[b]
            moves_done = moves_row[b]
            _transitions(survival, survival_done, moves, moves_done, step, shares)
        for r in range(regions):
            for sex in range(2):
                for x in range(ages):
                    before[r, sex, x] = start[start_row[b], r, sex, x]
                    if population.shape[1] > 0:
                        population[o, 0, r, sex, x] = before[r, sex, x]
        for p in range(periods):
            span = min(p, spans - 1)
            for r in range(regions):
                for sex in range(2):
                    for x in range(ages):
                        after[r, sex, x] = 0.0
                        dead[r, sex, x] = 0.0
                        moved[r, sex, x] = 0.0
            for sex in range(2):
                for x in range(1, ages + 1):
                    for r in range(regions):
                        people[r] = before[r, sex, x - 1]
                    to = min(x, ages - 1)
                    _carry(people, shares[span, sex, x], sex, to, after, dead, moved)

            # Births where their mothers live.
            pf = min(p, fertility.shape[1] - 1)
            pr = min(p, ratio.shape[1] - 1)
            for r in range(regions):
                rate = ratio[ratio_row[b], pr, min(r, ratio.shape[2] - 1)]
                daughters = 1.0 / (1.0 + rate)
                rf = min(r, fertility.shape[2] - 1)
                total = 0.0
                for k in range(fertile):
                    exposed = before[r, female, first + k] + after[r, female, first + k]
                    born[r, k] = 0.5 * step * fertility[fertility_row[b], pf, rf, k] * exposed
                    total += born[r, k]
                newborn[female, r] = total * daughters
                newborn[1 - female, r] = total - total * daughters
                if births.shape[1] > 0:
                    for k in range(fertile):
                        births[o, p, r, female, k] = born[r, k] * daughters
                        births[o, p, r, 1 - female, k] = born[r, k] - born[r, k] * daughters
            for sex in range(2):
                _carry(newborn[sex], shares[span, sex, 0], sex, 0, after, dead, moved)

            for r in range(regions):
                for sex in range(2):
                    for x in range(ages):
                        before[r, sex, x] = after[r, sex, x]
                        if population.shape[1] > 0:
                            population[o, p + 1, r, sex, x] = after[r, sex, x]
                        if deaths.shape[1] > 0:
                            deaths[o, p, r, sex, x] = dead[r, sex, x]
                        if net.shape[1] > 0:
                            net[o, p, r, sex, x] = moved[r, sex, x]
