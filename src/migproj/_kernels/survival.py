"""Survival ratios of life tables and of censuses."""

from __future__ import annotations

import math

import numpy as np

from migproj._jit import FloatArray, IntArray, helper, kernel

# Curves through cumulated counts: the C2 spline with Hyman's filter ("not-a-knot", or with the
# third derivative of a cubic at its ends), or the monotone piecewise cubic.
NOT_A_KNOT = 0
PCHIP = 1
CUBIC_ENDS = 2


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


@helper
def _slopes(
    x: FloatArray, y: FloatArray, work: FloatArray, count: int, cubic_ends: int, out: FloatArray
) -> None:
    """Slopes at the knots of the C2 cubic spline.

    At both ends it is "not-a-knot" (de Boor 2001, ch. IV), or has the third derivative of the
    cubic through the four knots there (Forsythe, Malcolm & Moler 1977, ch. 4).
    """
    n = count
    # The equations of the slopes are tridiagonal; `work` keeps the upper diagonal once eliminated.
    h0 = x[1] - x[0]
    h1 = x[2] - x[1]
    s0 = (y[1] - y[0]) / h0
    s1 = (y[2] - y[1]) / h1
    both = h0 + h1
    if cubic_ends == 1:
        s2 = (y[3] - y[2]) / (x[3] - x[2])
        third = ((s2 - s1) / (x[3] - x[1]) - (s1 - s0) / both) / (x[3] - x[0])
        work[0] = 1.0
        out[0] = 2.0 * s0 + h0 * h0 * third
    else:
        work[0] = both / h1
        out[0] = ((h0 + 2.0 * both) * h1 * s0 + h0 * h0 * s1) / both / h1
    for i in range(1, n - 1):
        h0 = x[i] - x[i - 1]
        h1 = x[i + 1] - x[i]
        s0 = (y[i] - y[i - 1]) / h0
        s1 = (y[i + 1] - y[i]) / h1
        pivot = 2.0 * (h0 + h1) - h1 * work[i - 1]
        work[i] = h0 / pivot
        out[i] = (3.0 * (h1 * s0 + h0 * s1) - h1 * out[i - 1]) / pivot
    h0 = x[n - 2] - x[n - 3]
    h1 = x[n - 1] - x[n - 2]
    s0 = (y[n - 2] - y[n - 3]) / h0
    s1 = (y[n - 1] - y[n - 2]) / h1
    both = h0 + h1
    if cubic_ends == 1:
        before = (y[n - 3] - y[n - 4]) / (x[n - 3] - x[n - 4])
        third = ((s1 - s0) / both - (s0 - before) / (x[n - 2] - x[n - 4])) / (x[n - 1] - x[n - 4])
        right = 2.0 * s1 + h1 * h1 * third
        out[n - 1] = (right - out[n - 2]) / (1.0 - work[n - 2])
    else:
        right = (h1 * h1 * s0 + (2.0 * both + h1) * h0 * s1) / both
        out[n - 1] = (right - both * out[n - 2]) / (h0 - both * work[n - 2])
    for i in range(n - 2, -1, -1):
        out[i] -= work[i] * out[i + 1]


@helper
def _monotone_slopes(x: FloatArray, y: FloatArray, count: int, out: FloatArray) -> None:
    """Slopes of the monotone piecewise cubic (PCHIP; Fritsch & Butland 1984)."""
    n = count
    for i in range(1, n - 1):
        h0 = x[i] - x[i - 1]
        h1 = x[i + 1] - x[i]
        s0 = (y[i] - y[i - 1]) / h0
        s1 = (y[i + 1] - y[i]) / h1
        if s0 * s1 > 0.0:
            w0 = 2.0 * h1 + h0
            w1 = h1 + 2.0 * h0
            out[i] = (w0 + w1) / (w0 / s0 + w1 / s1)
        else:
            out[i] = 0.0 * (s0 + s1)  # missing where one of the two is
    if n == 2:
        out[0] = (y[1] - y[0]) / (x[1] - x[0])
        out[1] = out[0]
        return
    for end in range(2):
        i = 0 if end == 0 else n - 1
        step = 1 if end == 0 else -1
        h0 = abs(x[i + step] - x[i])
        h1 = abs(x[i + 2 * step] - x[i + step])
        s0 = (y[i + step] - y[i]) / (x[i + step] - x[i])
        s1 = (y[i + 2 * step] - y[i + step]) / (x[i + 2 * step] - x[i + step])
        slope = ((2.0 * h0 + h1) * s0 - h0 * s1) / (h0 + h1)
        if slope * s0 <= 0.0:
            slope = 0.0
        elif s0 * s1 <= 0.0 and abs(slope) > 3.0 * abs(s0):
            slope = 3.0 * s0
        out[i] = slope


@helper
def _filter(x: FloatArray, y: FloatArray, count: int, slope: FloatArray) -> None:
    """Limit slopes so that the curve rises where its knots do (Hyman 1983)."""
    for i in range(count):
        before = max(i - 1, 0)
        after = min(i + 1, count - 1)
        s0 = (y[before + 1] - y[before]) / (x[before + 1] - x[before])
        s1 = (y[after] - y[after - 1]) / (x[after] - x[after - 1])
        most = 3.0 * min(s0, s1)
        slope[i] = min(max(slope[i], 0.0), most)


@kernel
def slices(
    lo: int,
    hi: int,
    counts: FloatArray,  # (rows, groups): persons, the last group open-ended
    counts_row: IntArray,
    lx: FloatArray,  # (rows, table ages)
    lx_row: IntArray,
    Tx: FloatArray,  # (rows, table ages)
    Tx_row: IntArray,
    out: FloatArray,  # (rows, slices)
    out_row: IntArray,
    knot: IntArray,  # (groups): as in survival_ratios, of the lower bounds of the groups
    part: FloatArray,
    width: FloatArray,
    at_knot: IntArray,  # (slices): the same of the lower bounds of the slices
    at_part: FloatArray,
    at_width: FloatArray,
    curve: int,  # codes above
) -> None:
    """Persons between ages: people of an age and over, by person-years lived beyond it.

    In a closed stationary population the two are in proportion, whatever its age groups.
    """
    groups = knot.size
    count = groups + 1
    x = np.empty(count)
    y = np.empty(count)
    slope = np.empty(count)
    work = np.empty(count)
    for b in range(lo, hi):
        rl = lx_row[b]
        rt = Tx_row[b]
        rc = counts_row[b]
        # From the oldest down: nobody is older than all.
        x[0] = 0.0
        y[0] = 0.0
        for k in range(groups):
            g = groups - 1 - k
            i = knot[g]
            beyond = Tx[rt, i]
            if part[g] > 0.0:
                beyond = _between(
                    Tx[rt, i], Tx[rt, i + 1], lx[rl, i], lx[rl, i + 1], part[g], width[g]
                )
            x[k + 1] = beyond
            y[k + 1] = y[k] + counts[rc, g]
        if curve == PCHIP or count < 4:
            _monotone_slopes(x, y, count, slope)
        else:
            _slopes(x, y, work, count, int(curve == CUBIC_ENDS), slope)
            _filter(x, y, count, slope)
        older = 0.0
        for k in range(at_knot.size):
            g = at_knot.size - 1 - k
            i = at_knot[g]
            beyond = Tx[rt, i]
            if at_part[g] > 0.0:
                beyond = _between(
                    Tx[rt, i], Tx[rt, i + 1], lx[rl, i], lx[rl, i + 1], at_part[g], at_width[g]
                )
            j = 0
            while j < count - 2 and beyond >= x[j + 1]:
                j += 1
            h = x[j + 1] - x[j]
            p = (beyond - x[j]) / h
            rest = 1.0 - p
            people = rest * rest * ((1.0 + 2.0 * p) * y[j] + p * h * slope[j])
            people += p * p * ((1.0 + 2.0 * rest) * y[j + 1] - rest * h * slope[j + 1])
            out[out_row[b], g] = people - older
            older = people
