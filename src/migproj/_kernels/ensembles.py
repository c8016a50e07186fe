"""Projection of which only sums over ages are wanted, as of many draws: no cell is stored.

A few rows of the batch take a step together, for they often share their rates. These are copied
to rows padded with zeros, so that loops over ages run in whole vector registers.
"""

from __future__ import annotations

import math

import numpy as np

from migproj._jit import FloatArray, IntArray, helper, kernel, uintp

#: Rows that take a step together: with their rates they fit the first cache.
_ROWS = 4
#: Ages are padded to a multiple of this: what an unrolled loop takes at a time.
_UNROLLED = 32

# Codes of the timing of migration, as in _kernels.projection.
END = 0
EVEN = 1
MIDPOINT = 2


@helper
def _copy_padded(
    source: FloatArray,
    at: int,  # (2 x ages) from there on
    ages: int,
    out: FloatArray,  # output (2 x width), 0 beyond the ages
    width: int,
) -> None:
    for sex in range(2):
        for k in range(uintp(ages)):
            out[uintp(sex * width) + uintp(k)] = source[uintp(at + sex * ages) + uintp(k)]


@helper
def _move_on(
    code: int,
    state: FloatArray,
    before: int,
    after: int,
    alive: FloatArray,  # survival ratios from `s` on
    shares: FloatArray,  # the schedule from `s` on
    s: int,
    total: float,  # migrants at the end of the step (and, with "even", at its start) for each share
    ages: int,
    count: int,  # ages, padded
) -> float:
    """Everyone of one sex but the youngest, a group older; returns how many cells are negative."""
    one = uintp(1)
    b = uintp(before)
    a = uintp(after) + one
    m = uintp(s)
    g = m + one
    negative = 0.0
    if code == EVEN:
        for j in range(uintp(count)):
            k = uintp(j)
            exposed = state[b + k] + total * shares[m + k]
            new = alive[g + k] * exposed + total * shares[g + k]
            state[a + k] = new
            negative += 1.0 if new < 0.0 else 0.0
    elif code == END:
        for j in range(uintp(count)):
            k = uintp(j)
            new = alive[g + k] * state[b + k] + total * shares[g + k]
            state[a + k] = new
            negative += 1.0 if new < 0.0 else 0.0
    else:
        for j in range(uintp(count)):
            k = uintp(j)
            ratio = alive[g + k]
            new = ratio * state[b + k] + math.sqrt(ratio) * (total * shares[g + k])
            state[a + k] = new
            negative += 1.0 if new < 0.0 else 0.0
    # Those already in the open-ended group.
    last = uintp(ages - 1)
    exposed = state[b + last]
    if code == EVEN:
        exposed += total * shares[m + last]
    old = state[uintp(after) + last]
    new = old + alive[m + last] * exposed
    state[uintp(after) + last] = new
    negative += (1.0 if new < 0.0 else 0.0) - (1.0 if old < 0.0 else 0.0)
    return negative


@helper
def _sum_groups(
    state: FloatArray,  # (2 x width) from `at` on
    at: int,
    width: int,
    offsets: IntArray,
    out: FloatArray,  # output (2 x groups) from `to` on
    to: int,
) -> None:
    groups = offsets.size - 1
    for sex in range(2):
        for g in range(groups):
            total = 0.0
            first = uintp(at + sex * width + offsets[g])
            for k in range(uintp(offsets[g + 1] - offsets[g])):
                total += state[first + uintp(k)]
            out[uintp(to + sex * groups + g)] = total


@kernel
def project_sums(
    lo: int,
    hi: int,
    start: FloatArray,  # (rows, 1, sexes, ages)
    start_row: IntArray,
    survival: FloatArray,  # (rows, periods or 1, sexes, ages): by age of arrival
    survival_row: IntArray,
    fertility: FloatArray,  # (rows, periods or 1, fertile ages)
    fertility_row: IntArray,
    level: FloatArray,  # (rows, periods or 1): what the fertility is multiplied by
    level_row: IntArray,
    ratio: FloatArray,  # (rows, periods or 1): males per female at birth
    ratio_row: IntArray,
    schedule: FloatArray,  # (rows, periods or 1, sexes, ages): migrants, for each of the totals
    schedule_row: IntArray,
    totals: FloatArray,  # (rows, periods or 1, sexes or 1)
    totals_row: IntArray,
    population: FloatArray,  # outputs (rows, periods + 1, sexes, groups); no periods: not wanted
    births: FloatArray,  # (rows, periods, sexes, groups of mothers)
    n_negative: IntArray,  # (rows)
    out_row: IntArray,
    groups: IntArray,  # (groups + 1): group g is the ages groups[g]:groups[g + 1]
    mothers: IntArray,  # (groups of mothers + 1): of fertile ages
    periods: int,
    first: int,  # the first fertile age group
    female: int,  # the position of women among the sexes
    with_migrants: int,  # 1: all migrants of a period are in the women at its end
    code: int,  # of the timing
    step: float,
) -> None:
    ages = start.shape[3]
    row = 2 * ages
    count = (ages + _UNROLLED - 1) // _UNROLLED * _UNROLLED
    width = count + 8  # a cell is moved one on; lines of the cache have eight
    block = 2 * width
    fertile = fertility.shape[2]
    wide = 2 * (groups.size - 1)
    mothers_wide = 2 * (mothers.size - 1)
    start_ = start.reshape(-1)
    survival_ = survival.reshape(-1)
    fertility_ = fertility.reshape(-1)
    schedule_ = schedule.reshape(-1)
    population_ = population.reshape(-1)
    births_ = births.reshape(-1)
    state = np.zeros(2 * _ROWS * block)
    alive = np.zeros(block)
    shares = np.zeros(block)
    total = np.zeros(2)
    half = 0.5 if code == EVEN else 1.0  # of the migrants, those who come at the end of a step
    for lowest in range(lo, hi, _ROWS):
        highest = min(lowest + _ROWS, hi)
        held = -1  # where the rates in `alive` and `shares` are from
        held_shares = -1
        for b in range(lowest, highest):
            at = (b - lowest) * 2 * block
            _copy_padded(start_, start_row[b] * row, ages, state[at : at + block], width)
            n_negative[out_row[b]] = 0
            if population.shape[1] > 0:
                to = out_row[b] * (periods + 1) * wide
                _sum_groups(state, at, width, groups, population_, to)
        for p in range(periods):
            ps = min(p, survival.shape[1] - 1)
            pm = min(p, schedule.shape[1] - 1)
            pf = min(p, fertility.shape[1] - 1)
            pt = min(p, totals.shape[1] - 1)
            for b in range(lowest, highest):
                o = out_row[b]
                here = (survival_row[b] * survival.shape[1] + ps) * row
                if here != held:
                    _copy_padded(survival_, here, ages, alive, width)
                    held = here
                here = (schedule_row[b] * schedule.shape[1] + pm) * row
                if here != held_shares:
                    _copy_padded(schedule_, here, ages, shares, width)
                    held_shares = here
                before = ((b - lowest) * 2 + p % 2) * block
                after = ((b - lowest) * 2 + 1 - p % 2) * block
                negative = 0.0
                for sex in range(2):
                    total[sex] = totals[totals_row[b], pt, min(sex, totals.shape[2] - 1)]
                    at = sex * width
                    negative += _move_on(
                        code,
                        state,
                        before + at,
                        after + at,
                        alive,
                        shares,
                        at,
                        half * total[sex],
                        ages,
                        count,
                    )
                rate = 0.5 * step * level[level_row[b], min(p, level.shape[1] - 1)]
                srb = ratio[ratio_row[b], min(p, ratio.shape[1] - 1)]
                daughters = 1.0 / (1.0 + srb)
                women = uintp(female * width + first)
                f = uintp((fertility_row[b] * fertility.shape[1] + pf) * fertile)
                newborn = 0.0
                for g in range(mothers.size - 1):
                    born = 0.0
                    for j in range(uintp(mothers[g]), uintp(mothers[g + 1])):
                        k = uintp(j)
                        exposed = state[uintp(before) + women + k] + state[uintp(after) + women + k]
                        born += fertility_[f + k] * exposed
                    if with_migrants == 0:
                        # "end" leaves the period's migrants out; else half of them are there.
                        others = total[female] * (-1.0 if code == END else 0.5)
                        for j in range(uintp(mothers[g]), uintp(mothers[g + 1])):
                            k = uintp(j)
                            born += fertility_[f + k] * (others * shares[women + k])
                    born *= rate
                    newborn += born
                    if births.shape[1] > 0:
                        to = (o * periods + p) * mothers_wide + g
                        girls = born * daughters
                        births_[to + female * (mothers.size - 1)] = girls
                        births_[to + (1 - female) * (mothers.size - 1)] = born - girls
                for sex in range(2):
                    children = newborn * daughters
                    if sex != female:
                        children = newborn - children
                    s = alive[sex * width]
                    came = half * total[sex] * shares[sex * width]
                    if code == MIDPOINT:
                        came *= math.sqrt(s)
                    new = s * children + came
                    state[after + sex * width] = new
                    negative += 1.0 if new < 0.0 else 0.0
                n_negative[o] += int(negative)
                if population.shape[1] > 0:
                    to = (o * (periods + 1) + p + 1) * wide
                    _sum_groups(state, after, width, groups, population_, to)
