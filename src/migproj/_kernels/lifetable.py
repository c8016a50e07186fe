"""Period life tables from death rates."""

from __future__ import annotations

import math

import numpy as np

from migproj._jit import FloatArray, IntArray, kernel, strict_helper, strict_kernel, uintp

# Codes that the labelled layer passes; module constants are frozen into the compiled code.
GIVEN = 0
COALE_DEMENY = 1
ANDREEV_KINGKADE = 2
GREVILLE = 1
HALF = 2
UNITED_NATIONS = 3

#: Times that rules are applied to rates made by them: a few are enough but where a rule jumps.
_ROUNDS = 200
_STILL = 1e-15

#: Rows that go side by side, age by age: what is done to one is done to the next in memory.
_LANES = 64
# Where the columns of an age stand in working memory, a number a row; _PX are person-years.
_MX, _AX, _QX, _LX, _DX, _PX, _TX, _EX = (uintp(_LANES * column) for column in range(8))
#: From an age to the next: no power of 2, for such addresses share their place in the cache.
_SIZE = 8 * _LANES + 8
_AGE = uintp(_SIZE)

# Bits and constants of natural logarithms, as in fdlibm's e_log.c.
_ROOT_HALF = 0x3FE6A09E667F3BCD  # sqrt(1/2)
_SHIFT = 0x3FF0000000000000 - _ROOT_HALF
_MANTISSA = 0x000FFFFFFFFFFFFF
_TWO_52 = 2.0**52
_TWO_52_BITS = 0x4330000000000000
_TWO_54 = 2.0**54
_SMALLEST_NORMAL = 2.0**-1022
_LN2_HIGH = 6.93147180369123816490e-01
_LN2_LOW = 1.90821492927058770002e-10
_LG1 = 6.666666666666735130e-01
_LG2 = 3.999999999940941908e-01
_LG3 = 2.857142874366239149e-01
_LG4 = 2.222219843214978396e-01
_LG5 = 1.818357216161805012e-01
_LG6 = 1.531383769920937332e-01
_LG7 = 1.479819860511658591e-01

# Coale-Demeny (1983) West: a0 = c + b m0 below m0 = 0.107, a constant from there on.
_CD_LIMIT = 0.107


# Coale & Demeny (1983) by the probability of dying in the first year, up to 0.1 and from there
# on, in the families West, North, East, South of males and of females.
_CD_LIMIT_Q0 = 0.1
_CD_A0 = (
    ((0.0425, 2.875, 0.33), (0.0425, 2.875, 0.33), (0.0025, 2.875, 0.29), (0.0425, 2.875, 0.33)),
    ((0.05, 3.0, 0.35), (0.05, 3.0, 0.35), (0.01, 3.0, 0.31), (0.05, 3.0, 0.35)),
)
_CD_A1_4 = (
    (
        (1.653, -3.013, 1.352),
        (1.859, -3.013, 1.558),
        (1.614, -3.013, 1.313),
        (1.541, -3.013, 1.240),
    ),
    (
        (1.524, -1.627, 1.361),
        (1.733, -1.627, 1.570),
        (1.487, -1.627, 1.324),
        (1.402, -1.627, 1.239),
    ),
)


@strict_helper
def _a0(rule: int, family: int, given: float, male: float, m0: float) -> float:
    """By the death rate; of both sexes together the mean, `male` being the males' share."""
    years = 0.0
    for sex in range(2):
        share = male if sex == 1 else 1.0 - male
        if not share <= 0.0:
            years += share * _a0_of_sex(rule, family, given, sex, m0)
    return years


@strict_helper
def _a0_by_q0(rule: int, family: int, given: float, male: float, q0: float) -> float:
    """By the probability of dying in the first year."""
    years = 0.0
    for sex in range(2):
        share = male if sex == 1 else 1.0 - male
        if not share <= 0.0:
            years += share * _a0_by_q0_of_sex(rule, family, given, sex, q0)
    return years


@strict_helper
def _a1_4(family: int, male: float, m0: float, q0: float) -> float:
    """At ages 1-4, by m0, or in a family by q0."""
    years = 0.0
    for sex in range(2):
        share = male if sex == 1 else 1.0 - male
        if not share <= 0.0:
            years += share * _a1_4_of_sex(family, sex, m0, q0)
    return years


@strict_helper
def _a0_by_q0_of_sex(rule: int, family: int, given: float, male: int, q0: float) -> float:
    if rule == COALE_DEMENY:
        start, rise, high = _CD_A0[1 - male][max(family, 1) - 1]
        return start + rise * q0 if q0 <= _CD_LIMIT_Q0 else high
    if rule == ANDREEV_KINGKADE:
        if male == 1:
            if q0 < 0.0226:
                return 0.1493 - 2.0367 * q0
            return 0.0244 + 3.4994 * q0 if q0 < 0.0785 else 0.2991
        if q0 < 0.0170:
            return 0.1490 - 2.0867 * q0
        return 0.0438 + 4.1075 * q0 if q0 < 0.0658 else 0.3141
    return given


@strict_helper
def _a0_of_sex(rule: int, family: int, given: float, male: int, m0: float) -> float:
    if rule == COALE_DEMENY and family > 0:
        # The root of q0 (1 + (1 - a0) m0) = m0 with a0 = start + rise q0.
        start, rise, high = _CD_A0[1 - male][family - 1]
        linear = 1.0 + (1.0 - start) * m0
        q0 = 2.0 * m0 / (linear + math.sqrt(max(linear * linear - 4.0 * rise * m0 * m0, 0.0)))
        return start + rise * q0 if q0 <= _CD_LIMIT_Q0 else high
    if rule == COALE_DEMENY:
        if male == 1:
            return 0.330 if m0 >= _CD_LIMIT else 0.045 + 2.684 * m0
        return 0.350 if m0 >= _CD_LIMIT else 0.053 + 2.800 * m0
    if rule == ANDREEV_KINGKADE:
        if male == 1:
            if m0 < 0.02300:
                return 0.14929 - 1.99545 * m0
            return 0.02832 + 3.26021 * m0 if m0 < 0.08307 else 0.29915
        if m0 < 0.01724:
            return 0.14903 - 2.05527 * m0
        return 0.04667 + 3.88089 * m0 if m0 < 0.06891 else 0.31411
    return given


@strict_helper
def _a1_4_of_sex(family: int, male: int, m0: float, q0: float) -> float:
    if family > 0:
        start, rise, high = _CD_A1_4[1 - male][family - 1]
        return start + rise * q0 if q0 <= _CD_LIMIT_Q0 else high
    if male == 1:
        return 1.352 if m0 >= _CD_LIMIT else 1.651 - 2.816 * m0
    return 1.361 if m0 >= _CD_LIMIT else 1.522 - 1.518 * m0


@strict_helper
def _apart(rule: int, lower: FloatArray, width: FloatArray, i: int) -> float:
    """Years between the midpoints of the neighbours of a closed group; 0 if its ax is n/2."""
    youngest = 15.0 if rule == GREVILLE else 5.0
    if rule == HALF or width[i] <= 1.0 or lower[i] < youngest or i == 0:
        return 0.0
    # The open group counts as one as wide as the group before it.
    wide: float = width[i + 1] if width[i + 1] < math.inf else width[i]
    apart: float = lower[i + 1] + 0.5 * wide - lower[i - 1] - 0.5 * width[i - 1]
    return apart


@strict_helper
def _least(rule: int, lower: float) -> float:
    """Fewest years lived by those who die in a group whose ax goes by its neighbours."""
    return 0.97 if rule == GREVILLE and lower >= 45.0 else -math.inf


@strict_helper
def _curved(n: float, least: float, m: float, growth: float) -> float:
    """Years lived where the rate grows through the group at such a speed."""
    a = 0.5 * n - n * n / 12.0 * (m - growth)
    return least if a < least else a


@strict_helper
def _of_constant_hazard(n: float, m: float) -> float:
    return 0.5 * n if m == 0.0 else n + 1.0 / m + n / math.expm1(-n * m)


@strict_helper
def _logs(values: FloatArray, bits: IntArray, at: int, spare: int, rows: int) -> None:
    """Put natural logarithms in the place of `rows` numbers; `bits` are the values as integers.

    To 1 ulp, by the steps and polynomial of fdlibm's e_log.c (Sun Microsystems, 1993, freely
    licensed), without a choice on the way: a library's log takes one number at a time.
    """
    # x = 2^e z with z from sqrt(1/2) to sqrt(2). What is no positive number waits.
    for k in range(rows):
        x = values[at + k]
        x = x if (x > 0.0) & (x < math.inf) else 1.0
        values[spare + k] = x * _TWO_54 if x < _SMALLEST_NORMAL else x
    for k in range(rows):
        shifted = bits[spare + k] + _SHIFT
        bits[spare + k] = (shifted & _MANTISSA) + _ROOT_HALF
        # As the last bits of a float that has no bits behind the point.
        bits[spare + uintp(_LANES) + k] = (shifted >> 52) | _TWO_52_BITS
    for k in range(rows):
        x = values[at + k]
        e = values[spare + uintp(_LANES) + k] - (_TWO_52 + 1023.0)
        e -= 54.0 if x < _SMALLEST_NORMAL else 0.0
        f = values[spare + k] - 1.0
        s = f / (2.0 + f)
        z = s * s
        w = z * z
        even = w * (_LG2 + w * (_LG4 + w * _LG6))
        odd = z * (_LG1 + w * (_LG3 + w * (_LG5 + w * _LG7)))
        half = 0.5 * f * f
        y = e * _LN2_HIGH - ((half - (s * (half + (even + odd)) + e * _LN2_LOW)) - f)
        y = y if x < math.inf else x
        y = y if x > 0.0 else -math.inf
        values[at + k] = y if x >= 0.0 else math.nan


@strict_helper
def _by_neighbours(
    work: FloatArray, bits: IntArray, at: int, n: float, apart: float, least: float, rows: int
) -> None:
    """Years lived in a group by its neighbours; n/2 where a neighbour's rate is 0."""
    for k in range(rows):
        before, after = work[at - _AGE + _MX + k], work[at + _AGE + _MX + k]
        known = (before != 0.0) & (after != 0.0)
        work[at + _EX + k] = (after if known else 1.0) / (before if known else 1.0)
    _logs(work, bits, at + _EX, at + _DX, rows)
    for k in range(rows):
        before, after = work[at - _AGE + _MX + k], work[at + _AGE + _MX + k]
        a = _curved(n, least, work[at + _MX + k], work[at + _EX + k] / apart)
        work[at + _AX + k] = a if (before != 0.0) & (after != 0.0) else 0.5 * n


@strict_helper
def _kept_near_half(work: FloatArray, at: int, n: float, rows: int) -> None:
    """Years lived at a constant hazard where they are far from n/2."""
    outside = 0
    for k in range(rows):
        a = work[at + _AX + k]
        outside += 0 if (a >= 0.4 * n) & (a <= 0.6 * n) else 1
    if outside > 0:
        for k in range(rows):
            a = work[at + _AX + k]
            if not 0.4 * n <= a <= 0.6 * n:
                work[at + _AX + k] = _of_constant_hazard(n, work[at + _MX + k])


@strict_helper
def _die(work: FloatArray, at: int, n: float, rows: int) -> int:
    """Who of a closed group dies; in how many rows there is more to it."""
    odd = 0
    for k in range(rows):
        m = work[at + _MX + k]
        q = n * m / (1.0 + (n - work[at + _AX + k]) * m)
        work[at + _QX + k] = q
        odd += 1 if (q > 1.0) | (m == 0.0) | (m > 2.0) else 0
    return odd


@strict_helper
def _survive(work: FloatArray, at: int, n: float, rows: int) -> None:
    """The dead, the survivors to the next group and the years lived."""
    for k in range(rows):
        survivors = work[at + _LX + k]
        deaths = survivors * work[at + _QX + k]
        after = survivors - deaths
        work[at + _DX + k] = deaths
        work[at + _PX + k] = n * after + work[at + _AX + k] * deaths
        work[at + _AGE + _LX + k] = after


@strict_helper
def _end(work: FloatArray, at: int, rows: int) -> int:
    """The open-ended group; in how many rows there is more to it."""
    odd = 0
    for k in range(rows):
        m, survivors = work[at + _MX + k], work[at + _LX + k]
        lived = survivors / m
        work[at + _AX + k] = 1.0 / m
        work[at + _QX + k] = m if math.isnan(m) else 1.0
        work[at + _DX + k] = m if math.isnan(m) else survivors
        work[at + _PX + k] = lived
        work[at + _TX + k] = lived
        work[at + _EX + k] = lived / survivors
        odd += 1 if (m == 0.0) | (m > 2.0) else 0
    return odd


@strict_helper
def _mend(work: FloatArray, at: int, n: float, rows: int, counts: IntArray) -> None:
    """Count rates of 0 and high ones, and close groups in which more than all would die."""
    for k in range(rows):
        m = work[at + _MX + k]
        counts[k, 1] += m == 0.0
        counts[k, 2] += m > 2.0
        if n < math.inf and work[at + _QX + k] > 1.0:
            counts[k, 0] += 1
            q = 1.0 - math.exp(-n * m)
            work[at + _QX + k] = q
            work[at + _AX + k] = 1.0 / m - n * (1.0 - q) / q


@strict_kernel
def life_table(
    lo: int,
    hi: int,
    mx: FloatArray,  # (rows, ages)
    mx_row: IntArray,
    male: FloatArray,  # (rows): the share of males, 0 or 1 of one sex
    male_row: IntArray,
    a0: FloatArray,  # (rows): read where a0_rule is GIVEN
    a0_row: IntArray,
    ax_in: FloatArray,  # (rows, ages): read where ax_rule is GIVEN
    ax_in_row: IntArray,
    infant: FloatArray,  # (rows): q0, read where it is given
    infant_row: IntArray,
    mx_used: FloatArray,  # outputs (rows, ages)
    ax: FloatArray,
    qx: FloatArray,
    lx: FloatArray,
    dx: FloatArray,
    Lx: FloatArray,
    Tx: FloatArray,
    ex: FloatArray,
    n_qx_above_one: IntArray,  # outputs (rows)
    n_mx_zero: IntArray,
    n_mx_high: IntArray,
    out_row: IntArray,
    lower: FloatArray,
    width: FloatArray,
    a0_rule: int,
    ax_rule: int,
    family: int,  # of Coale & Demeny, from 1 on; 0: by the death rate
    infant_given: int,
    radix: float,
) -> None:
    ages = uintp(lower.size)
    last = lower.size - 1
    work = np.empty(lower.size * _SIZE)
    bits = work.view(np.int64)
    counts = np.empty((_LANES, 3), np.int64)
    columns = (mx_used, ax, qx, lx, dx, Lx, Tx, ex)
    infants = ax_rule != GIVEN and lower[0] == 0.0 and width[0] == 1.0
    for b in range(lo, hi, _LANES):
        rows = uintp(min(_LANES, hi - b))
        for k in range(rows):
            x = uintp(b) + k
            r = uintp(mx_row[x])
            for i in range(ages):
                work[i * _AGE + _MX + k] = mx[r, i]
            q0 = math.nan
            if infant_given == 1:
                q0 = infant[infant_row[x]]
                a = _a0_by_q0(a0_rule, family, a0[a0_row[x]], male[male_row[x]], q0)
                if ax_rule == GIVEN:
                    a = ax_in[ax_in_row[x], 0]
                work[_MX + k] = q0 / (1.0 - (1.0 - a) * q0)
                work[_AX + k] = a
                work[_QX + k] = q0
            elif infants:
                m0 = work[_MX + k]
                a = _a0(a0_rule, family, a0[a0_row[x]], male[male_row[x]], m0)
                work[_AX + k] = a
                q0 = m0 / (1.0 + (1.0 - a) * m0)
            if ax_rule != GIVEN:
                for i in range(uintp(min(2, last))):
                    if lower[i] == 1.0 and width[i] == 4.0:
                        a = _a1_4(family, male[male_row[x]], work[_MX + k], q0)
                        work[i * _AGE + _AX + k] = a
            work[_LX + k] = radix
        counts[:] = 0
        for i in range(last):
            at = uintp(i) * _AGE
            n = width[i]
            apart = _apart(ax_rule, lower, width, i)
            if ax_rule == GIVEN:
                for k in range(rows):
                    work[at + _AX + k] = ax_in[ax_in_row[uintp(b) + k], i]
            elif apart > 0.0:
                _by_neighbours(work, bits, at, n, apart, _least(ax_rule, lower[i]), rows)
                if ax_rule == UNITED_NATIONS and lower[i] >= 10.0:
                    _kept_near_half(work, at, n, rows)
            elif not (infants and i == 0) and not (lower[i] == 1.0 and n == 4.0):
                for k in range(rows):
                    work[at + _AX + k] = 0.5 * n
            odd = 1
            if i > 0 or infant_given == 0:
                odd = _die(work, at, n, rows)
            if odd > 0:
                _mend(work, at, n, rows, counts)
            _survive(work, at, n, rows)
        at = uintp(last) * _AGE
        if _end(work, at, rows) > 0:
            _mend(work, at, math.inf, rows, counts)
        for _ in range(last):
            at -= _AGE
            for k in range(rows):
                total = work[at + _AGE + _TX + k] + work[at + _PX + k]
                work[at + _TX + k] = total
                work[at + _EX + k] = total / work[at + _LX + k]
        for k in range(rows):
            o = out_row[uintp(b) + k]
            n_qx_above_one[o] = counts[k, 0]
            n_mx_zero[o] = counts[k, 1]
            n_mx_high[o] = counts[k, 2]
        for column in range(8):
            out = columns[column]
            first = uintp(column * _LANES)
            for k in range(rows):
                o = uintp(out_row[uintp(b) + k])
                for i in range(ages):
                    out[o, i] = work[first + i * _AGE + k]


@strict_helper
def _ax(
    rule: int,
    lower: FloatArray,
    width: FloatArray,
    i: int,
    before: float,
    m: float,
    after: float,
) -> float:
    """Of a closed group that is none of the first two, by its rate and its neighbours'."""
    n: float = width[i]
    apart = _apart(rule, lower, width, i)
    if apart == 0.0 or before == 0.0 or after == 0.0:
        return 0.5 * n
    a: float = _curved(n, _least(rule, lower[i]), m, math.log(after / before) / apart)
    if rule == UNITED_NATIONS and lower[i] >= 10.0 and not 0.4 * n <= a <= 0.6 * n:
        a = _of_constant_hazard(n, m)
    return a


@kernel
def death_rates(
    lo: int,
    hi: int,
    qx: FloatArray,  # (rows, closed groups)
    qx_row: IntArray,
    male: FloatArray,  # (rows): as in life_table
    male_row: IntArray,
    a0: FloatArray,  # (rows)
    a0_row: IntArray,
    ax_in: FloatArray,  # (rows, closed groups)
    ax_in_row: IntArray,
    mx: FloatArray,  # output (rows, closed groups)
    n_unmatched: IntArray,  # output (rows): groups whose rate does not give qx back
    out_row: IntArray,
    lower: FloatArray,  # (closed groups + 1): and the open-ended one
    width: FloatArray,
    a0_rule: int,
    ax_rule: int,
    family: int,
) -> None:
    """Rates whose life table has these qx: the rules are applied until the rates stand."""
    closed = lower.size - 1
    for b in range(lo, hi):
        r = qx_row[b]
        o = out_row[b]
        sex = male[male_row[b]]
        for i in range(closed):
            mx[o, i] = qx[r, i] / (width[i] - 0.5 * width[i] * qx[r, i])
        for _ in range(_ROUNDS):
            moved = 0.0
            n_unmatched[o] = 0
            for i in range(closed):
                n = width[i]
                m = mx[o, i]
                if ax_rule == GIVEN:
                    a = ax_in[ax_in_row[b], i]
                elif lower[i] == 0.0 and n == 1.0:
                    a = _a0(a0_rule, family, a0[a0_row[b]], sex, m)
                elif lower[i] == 1.0 and n == 4.0:
                    a = _a1_4(family, sex, mx[o, 0], qx[r, 0])
                else:
                    # Beyond the last group the rate grows as before it.
                    before = mx[o, i - 1] if i > 0 else 0.0
                    after = mx[o, i + 1] if i + 1 < closed else m * m / before
                    a = _ax(ax_rule, lower, width, i, before, m, after)
                new = qx[r, i] / (n - (n - a) * qx[r, i])
                if abs(new - m) > 1e-9 * m:
                    n_unmatched[o] += 1
                moved = max(moved, abs(new - m) - _STILL * m)
                mx[o, i] = new
            if moved <= 0.0:
                break
