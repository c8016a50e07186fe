"""Survival ratios of life tables and of censuses, and what lies between the ages of a table."""

from __future__ import annotations

import math

import numpy as np

from migproj._jit import FloatArray, IntArray, helper, kernel

# Curves through cumulated counts: the C2 spline with Hyman's filter ("not-a-knot", or with the
# third derivative of a cubic at its ends), or the monotone piecewise cubic.
NOT_A_KNOT = 0
PCHIP = 1
CUBIC_ENDS = 2

# Abridged tables by single years: the least share of survivors, hazard and share of a group's
# deaths that the curve is made of, steps of a tilt, and the steepest one.
_FEWEST = 1e-300
_LEAST_HAZARD = 1e-10
_LEAST_DEATHS = 1e-6
_ROUNDS = 200
_STEEPEST = 200.0


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
    start_at: IntArray,  # (arrival groups + 1): see _cohorts.Cohorts
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
    counts: FloatArray,  # (rows, groups and more): persons, the last group the oldest
    counts_row: IntArray,
    lx: FloatArray,  # (rows, table ages)
    lx_row: IntArray,
    Tx: FloatArray,  # (rows, table ages)
    Tx_row: IntArray,
    out: FloatArray,  # (rows, slices and what counts has more)
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

    In a closed stationary population the two are in proportion, whatever its age groups. Counts
    beyond the groups stay what they are, beyond the slices.
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
        # People beyond a bound are those beyond a knot, and of its group those nearest to it: a
        # slice of a group is a difference of the latter, and 0 where the group is empty.
        older_at = 0
        older = 0.0
        j = 0
        for k in range(at_knot.size):
            g = at_knot.size - 1 - k
            i = at_knot[g]
            beyond = Tx[rt, i]
            if at_part[g] > 0.0:
                beyond = _between(
                    Tx[rt, i], Tx[rt, i + 1], lx[rl, i], lx[rl, i + 1], at_part[g], at_width[g]
                )
            # From where the older slice was: it is the one before, or the same.
            while j > 0 and beyond < x[j]:
                j -= 1
            while j < count - 2 and beyond >= x[j + 1]:
                j += 1
            h = x[j + 1] - x[j]
            p = (beyond - x[j]) / h
            rest = 1.0 - p
            near = p * p * (1.0 + 2.0 * rest) * (y[j + 1] - y[j])
            near += p * rest * h * (rest * slope[j] - p * slope[j + 1])
            out[out_row[b], g] = (y[j] - y[older_at]) + (near - older)
            older_at = j
            older = near
        for k in range(counts.shape[1] - groups):
            out[out_row[b], at_knot.size + k] = counts[rc, groups + k]


@kernel
def single_years(
    lo: int,
    hi: int,
    lx_of: FloatArray,  # (rows, groups): columns of the table by groups
    lx_row: IntArray,
    dx_of: FloatArray,
    dx_row: IntArray,
    ax_of: FloatArray,
    ax_row: IntArray,
    Lx_of: FloatArray,
    Lx_row: IntArray,
    Tx_of: FloatArray,
    Tx_row: IntArray,
    mx: FloatArray,  # outputs (rows, years + 1): the last one is the open-ended group
    ax: FloatArray,
    qx: FloatArray,
    lx: FloatArray,
    dx: FloatArray,
    Lx: FloatArray,
    Tx: FloatArray,
    ex: FloatArray,
    out_row: IntArray,
    offsets: IntArray,  # (groups): group g is the years offsets[g]:offsets[g + 1]
) -> None:
    """Deaths of each group's years with its mean age at death; lx and Tx of the groups kept."""
    groups = offsets.size
    years = offsets[groups - 1]
    count = groups - 1
    weight = np.empty(years)
    # ln of the cumulated hazard by ln of the years since the first age, which is no knot.
    x = np.empty(count)
    y = np.empty(count)
    slope = np.empty(count)
    work = np.empty(count)
    for g in range(1, groups):
        x[g - 1] = math.log(offsets[g])
    for b in range(lo, hi):
        rl = lx_row[b]
        rd = dx_row[b]
        ra = ax_row[b]
        rL = Lx_row[b]
        rT = Tx_row[b]
        o = out_row[b]
        born = lx_of[rl, 0]
        whole = 0.0
        for g in range(groups):
            whole += lx_of[rl, g] + dx_of[rd, g] + ax_of[ra, g] + Lx_of[rL, g] + Tx_of[rT, g]
        if math.isnan(whole):
            for out in (mx, ax, qx, lx, dx, Lx, Tx, ex):
                for i in range(years + 1):
                    out[o, i] = math.nan
            continue
        for g in range(1, groups):
            share = max(lx_of[rl, g] / born, _FEWEST)
            y[g - 1] = math.log(max(-math.log(share), _LEAST_HAZARD))
        if count < 4:
            _monotone_slopes(x, y, count, slope)
        else:
            _slopes(x, y, work, count, 0, slope)
            _filter(x, y, count, slope)
        for g in range(groups - 1, -1, -1):
            first = offsets[g]
            alive = lx_of[rl, g]
            dead = dx_of[rd, g]
            a = ax_of[ra, g]
            if g == groups - 1 or offsets[g + 1] == first + 1:
                lx[o, first] = alive
                dx[o, first] = dead
                ax[o, first] = a
                Lx[o, first] = Lx_of[rL, g]
                Tx[o, first] = Tx_of[rT, g]
            else:
                n = offsets[g + 1] - first
                half = 0.5 if 0.5 < a < n - 0.5 else a / n
                older = 1.0 if g == 0 else math.exp(-math.exp(y[g - 1]))
                for k in range(n):
                    before = older
                    older = _alive(x, y, slope, g, first + k + 1)
                    weight[k] = max(before - older, 0.0)
                _lift(weight, n)
                _tilt(weight, n, a - half)
                for k in range(n):
                    lx[o, first + k] = alive
                    dx[o, first + k] = dead * weight[k]
                    ax[o, first + k] = half
                    after = alive - dx[o, first + k]
                    # The survivors to the next group are its own, to the last digit.
                    if k == n - 1:
                        after = lx_of[rl, g + 1]
                        dx[o, first + k] = alive - after
                    Lx[o, first + k] = after + half * dx[o, first + k]
                    alive = after
                total = Tx_of[rT, g + 1]
                for k in range(n - 1, 0, -1):
                    total += Lx[o, first + k]
                    Tx[o, first + k] = total
                Tx[o, first] = Tx_of[rT, g]
        for i in range(years + 1):
            mx[o, i] = dx[o, i] / Lx[o, i]
            qx[o, i] = dx[o, i] / lx[o, i]
            ex[o, i] = Tx[o, i] / lx[o, i]


@helper
def _alive(x: FloatArray, y: FloatArray, slope: FloatArray, g: int, year: int) -> float:
    """Survivors to a year within group g, by the curve; by a constant hazard in the first group."""
    if g == 0:
        return math.exp(-math.exp(y[0] + math.log(year) - x[0]))
    h = x[g] - x[g - 1]
    p = (math.log(year) - x[g - 1]) / h
    rest = 1.0 - p
    value = rest * rest * ((1.0 + 2.0 * p) * y[g - 1] + p * h * slope[g - 1])
    value += p * p * ((1.0 + 2.0 * rest) * y[g] - rest * h * slope[g])
    return math.exp(-math.exp(value))


@helper
def _lift(weight: FloatArray, n: int) -> None:
    """See that no year is without deaths, so that the weights can have any mean."""
    total = 0.0
    for k in range(n):
        total += weight[k]
    for k in range(n):
        weight[k] = max(weight[k], _LEAST_DEATHS * total) if total > 0.0 else 1.0


@helper
def _tilt(weight: FloatArray, n: int, mean: float) -> None:
    """Multiply weights by exp(tilt k), for k = 0, ..., n - 1 of that mean, and sum them to 1."""
    low = -_STEEPEST
    high = _STEEPEST
    tilt = 0.0
    for _ in range(_ROUNDS):
        top = max(0.0, tilt * (n - 1))
        total = 0.0
        one = 0.0
        two = 0.0
        for k in range(n):
            w = weight[k] * math.exp(tilt * k - top)
            total += w
            one += k * w
            two += k * k * w
        got = one / total
        if not got - mean < 0.0:
            high = tilt
        else:
            low = tilt
        step = (mean - got) / (two / total - got * got)
        after = tilt + step
        if not low < after < high:
            after = 0.5 * (low + high)
        if abs(got - mean) <= 1e-15 * n or after == tilt or math.isnan(got):
            break
        tilt = after
    top = max(0.0, tilt * (n - 1))
    total = 0.0
    for k in range(n):
        weight[k] *= math.exp(tilt * k - top)
        total += weight[k]
    for k in range(n):
        weight[k] /= total
