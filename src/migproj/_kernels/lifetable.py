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

# Coale-Demeny (1983) West: a0 = c + b m0 below m0 = 0.107, a constant from there on.
_CD_LIMIT = 0.107


@helper
def _a0(rule: int, given: float, male: int, m0: float) -> float:
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
def _a1_4(male: int, m0: float) -> float:
    if male == 1:
        return 1.352 if m0 >= _CD_LIMIT else 1.651 - 2.816 * m0
    return 1.361 if m0 >= _CD_LIMIT else 1.522 - 1.518 * m0


@kernel
def life_table(
    lo: int,
    hi: int,
    mx: FloatArray,  # (rows, ages)
    mx_row: IntArray,
    male: IntArray,  # (rows): 1 male, 0 female
    male_row: IntArray,
    a0: FloatArray,  # (rows): read where a0_rule is GIVEN
    a0_row: IntArray,
    ax_in: FloatArray,  # (rows, ages): read where ax_rule is GIVEN
    ax_in_row: IntArray,
    ax: FloatArray,  # outputs (rows, ages)
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
    radix: float,
) -> None:
    last = lower.size - 1
    for b in range(lo, hi):
        r = mx_row[b]
        sex = male[male_row[b]]
        m0 = mx[r, 0]
        o = out_row[b]
        above_one = 0
        zero = 0
        high = 0
        survivors = radix
        for i in range(last + 1):
            m = mx[r, i]
            n = width[i]
            if m == 0.0:
                zero += 1
            elif m > 2.0:
                high += 1
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
                a = _a0(a0_rule, a0[a0_row[b]], sex, m0)
            elif lower[i] == 1.0 and n == 4.0:
                a = _a1_4(sex, m0)
            else:
                a = 0.5 * n
                if ax_rule == GREVILLE and n > 1.0 and lower[i] >= 15.0 and i > 0:
                    before = mx[r, i - 1]
                    after = mx[r, i + 1]
                    if before != 0.0 and after != 0.0:
                        # The open group counts as one as wide as the group before it.
                        wide = n if i + 1 == last else width[i + 1]
                        apart = lower[i + 1] + 0.5 * wide - lower[i - 1] - 0.5 * width[i - 1]
                        growth = math.log(after / before) / apart
                        a = 0.5 * n - n * n / 12.0 * (m - growth)
                        if lower[i] >= 45.0 and a < 0.97:
                            a = 0.97
            q = n * m / (1.0 + (n - a) * m)
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
