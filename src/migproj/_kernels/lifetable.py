"""Period life tables from death rates."""

from __future__ import annotations

import math

from migproj._jit import FloatArray, IntArray, helper, kernel

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


@helper
def _a0(rule: int, family: int, given: float, male: float, m0: float) -> float:
    """By the death rate; of both sexes together the mean, `male` being the males' share."""
    years = 0.0
    if not male <= 0.0:
        years += male * _a0_of_sex(rule, family, given, 1, m0)
    if not male >= 1.0:
        years += (1.0 - male) * _a0_of_sex(rule, family, given, 0, m0)
    return years


@helper
def _a0_by_q0(rule: int, family: int, given: float, male: float, q0: float) -> float:
    """By the probability of dying in the first year."""
    years = 0.0
    if not male <= 0.0:
        years += male * _a0_by_q0_of_sex(rule, family, given, 1, q0)
    if not male >= 1.0:
        years += (1.0 - male) * _a0_by_q0_of_sex(rule, family, given, 0, q0)
    return years


@helper
def _a1_4(family: int, male: float, m0: float, q0: float) -> float:
    """At ages 1-4, by m0, or in a family by q0."""
    years = 0.0
    if not male <= 0.0:
        years += male * _a1_4_of_sex(family, 1, m0, q0)
    if not male >= 1.0:
        years += (1.0 - male) * _a1_4_of_sex(family, 0, m0, q0)
    return years


@helper
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


@helper
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


@helper
def _a1_4_of_sex(family: int, male: int, m0: float, q0: float) -> float:
    if family > 0:
        start, rise, high = _CD_A1_4[1 - male][family - 1]
        return start + rise * q0 if q0 <= _CD_LIMIT_Q0 else high
    if male == 1:
        return 1.352 if m0 >= _CD_LIMIT else 1.651 - 2.816 * m0
    return 1.361 if m0 >= _CD_LIMIT else 1.522 - 1.518 * m0


@helper
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
    a = 0.5 * n
    youngest = 15.0 if rule == GREVILLE else 5.0
    if rule == HALF or n <= 1.0 or lower[i] < youngest or i == 0:
        return a
    if before != 0.0 and after != 0.0:
        # The open group counts as one as wide as the group before it.
        wide = width[i + 1] if width[i + 1] < math.inf else n
        apart = lower[i + 1] + 0.5 * wide - lower[i - 1] - 0.5 * width[i - 1]
        growth = math.log(after / before) / apart
        a = 0.5 * n - n * n / 12.0 * (m - growth)
        if rule == GREVILLE:
            if lower[i] >= 45.0 and a < 0.97:
                a = 0.97
        elif lower[i] >= 10.0 and not 0.4 * n <= a <= 0.6 * n:
            a = n + 1.0 / m + n / math.expm1(-n * m)
    return a


@kernel
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
    last = lower.size - 1
    for b in range(lo, hi):
        r = mx_row[b]
        sex = male[male_row[b]]
        m0 = mx[r, 0]
        a_first = math.nan
        q_first = math.nan
        if infant_given == 1:
            q_first = infant[infant_row[b]]
            a_first = _a0_by_q0(a0_rule, family, a0[a0_row[b]], sex, q_first)
            if ax_rule == GIVEN:
                a_first = ax_in[ax_in_row[b], 0]
            m0 = q_first / (1.0 - (1.0 - a_first) * q_first)
        o = out_row[b]
        above_one = 0
        zero = 0
        high = 0
        survivors = radix
        for i in range(last + 1):
            m = m0 if i == 0 else mx[r, i]
            n = width[i]
            if m == 0.0:
                zero += 1
            elif m > 2.0:
                high += 1
            mx_used[o, i] = m
            lx[o, i] = survivors
            if i == last:
                ax[o, i] = 1.0 / m
                qx[o, i] = 1.0 if not math.isnan(m) else m
                dx[o, i] = survivors if not math.isnan(m) else m
                Lx[o, i] = survivors / m
                break
            if ax_rule == GIVEN:
                a = ax_in[ax_in_row[b], i]
            elif lower[i] == 0.0 and n == 1.0:
                a = a_first
                if infant_given == 0:
                    a = _a0(a0_rule, family, a0[a0_row[b]], sex, m0)
            elif lower[i] == 1.0 and n == 4.0:
                a = _a1_4(family, sex, m0, q_first)
            else:
                before = 0.0
                if i > 0:
                    before = m0 if i == 1 else mx[r, i - 1]
                a = _ax(ax_rule, lower, width, i, before, m, mx[r, i + 1])
            q = n * m / (1.0 + (n - a) * m)
            if i == 0:
                if infant_given == 1:
                    q = q_first
                q_first = q
            if q > 1.0:
                above_one += 1
                q = 1.0 - math.exp(-n * m)
                a = 1.0 / m - n * (1.0 - q) / q
            deaths = survivors * q
            after_group = survivors - deaths
            ax[o, i] = a
            qx[o, i] = q
            dx[o, i] = deaths
            Lx[o, i] = n * after_group + a * deaths
            survivors = after_group
        total = 0.0
        for k in range(last + 1):
            i = last - k
            total += Lx[o, i]
            Tx[o, i] = total
            ex[o, i] = total / lx[o, i]
        n_qx_above_one[o] = above_one
        n_mx_zero[o] = zero
        n_mx_high[o] = high


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
