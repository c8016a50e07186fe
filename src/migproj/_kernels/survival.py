"""Survival ratios of life tables and of censuses."""

from __future__ import annotations

import math

import numpy as np

from migproj._jit import FloatArray, IntArray, helper, kernel


@helper
def _between(
    T_low: float, T_high: float, l_low: float, l_high: float, part: float, width: float
) -> float:
    """T(x) inside a group by the cubic Hermite whose slope is −l(x)."""
    rest = 1.0 - part
    return rest * rest * ((1.0 + 2.0 * part) * T_low - part * width * l_low) + part * part * (
        (1.0 + 2.0 * rest) * T_high + rest * width * l_high
    )


@kernel
def survival_ratios(
    lo: int,
    hi: int,
    lx: FloatArray,  # (rows, table ages)
    lx_row: IntArray,
    Tx: FloatArray,  # (rows, table ages)
    Tx_row: IntArray,
    out: FloatArray,  # (rows, groups)
    out_row: IntArray,
    knot: IntArray,  # (points): the table age at or below each point
    part: FloatArray,  # (points): how far into that group the point lies, 0 to 1
    width: FloatArray,  # (points): the width of that group
    above: IntArray,  # (groups): the points that bound the arrival group; -1: no upper bound
    below: IntArray,
    above_start: IntArray,  # (groups): the same at the start; -1: born in the interval
    below_start: IntArray,
    wide: FloatArray,  # (groups): the width of the group, read where it was born
) -> None:
    points = np.empty(knot.size)
    for b in range(lo, hi):
        rl = lx_row[b]
        rt = Tx_row[b]
        for k in range(knot.size):
            i = knot[k]
            points[k] = Tx[rt, i]
            if part[k] > 0.0:
                points[k] = _between(
                    Tx[rt, i], Tx[rt, i + 1], lx[rl, i], lx[rl, i + 1], part[k], width[k]
                )
        for g in range(above.size):
            alive = points[above[g]]
            if below[g] >= 0:
                alive -= points[below[g]]
            if above_start[g] < 0:
                at_risk = wide[g] * lx[rl, 0]
            else:
                at_risk = points[above_start[g]]
                if below_start[g] >= 0:
                    at_risk -= points[below_start[g]]
            out[out_row[b], g] = alive / at_risk


@kernel
def census_survival_ratios(
    lo: int,
    hi: int,
    start: FloatArray,  # (rows, start groups)
    start_row: IntArray,
    end: FloatArray,  # (rows, end groups)
    end_row: IntArray,
    out: FloatArray,  # (rows, arrival groups)
    out_row: IntArray,
    start_at: IntArray,  # (arrival groups + 1): see ages.Cohorts
    end_at: IntArray,
    born: int,
) -> None:
    for b in range(lo, hi):
        for g in range(start_at.size - 1):
            if g < born:
                out[out_row[b], g] = math.nan
                continue
            before = 0.0
            for k in range(start_at[g], start_at[g + 1]):
                before += start[start_row[b], k]
            after = 0.0
            for k in range(end_at[g], end_at[g + 1]):
                after += end[end_row[b], k]
            out[out_row[b], g] = after / before
