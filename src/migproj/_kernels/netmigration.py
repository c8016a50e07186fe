"""Net migration as the residual of two rounds and their survivors."""

from __future__ import annotations

import math

from migproj._jit import FloatArray, IntArray, kernel

# Codes of the estimators, passed by the labelled layer.
FORWARD = 0
REVERSE = 1
AVERAGE = 2
MIDPOINT = 3
END = 4
EVEN = 5

# What births are: numbers, none into this stock (a foreign-born one), or left out of account.
COUNTED = 0
NONE = 1
IGNORED = 2


@kernel
def net_migration(
    lo: int,
    hi: int,
    start: FloatArray,  # (rows, start groups)
    start_row: IntArray,
    end: FloatArray,  # (rows, end groups)
    end_row: IntArray,
    survival: FloatArray,  # (rows, arrival groups)
    survival_row: IntArray,
    births: FloatArray,  # (rows, groups born in the interval, at least one): read below `born`
    births_row: IntArray,
    method: IntArray,  # (rows): codes above
    method_row: IntArray,
    net: FloatArray,  # outputs (rows, arrival groups)
    expected: FloatArray,
    n_survival_above_one: IntArray,  # outputs (rows)
    n_survival_low: IntArray,
    n_negative: IntArray,
    n_births_missing: IntArray,
    out_row: IntArray,
    start_at: IntArray,  # (arrival groups + 1): see _cohorts.Cohorts
    end_at: IntArray,
    born: int,
    births_are: int,  # codes above
) -> None:
    groups = start_at.size - 1
    for b in range(lo, hi):
        o = out_row[b]
        code = method[method_row[b]]
        above_one = 0
        low = 0
        negative = 0
        missing = 0
        earlier = 0.0
        for g in range(groups):
            s = survival[survival_row[b], g]
            after = 0.0
            for k in range(end_at[g], end_at[g + 1]):
                after += end[end_row[b], k]
            before = 0.0
            if g < born:
                if births_are == COUNTED:
                    before = births[births_row[b], g]
                    if math.isnan(before):
                        missing += 1
                elif births_are == IGNORED:
                    before = math.nan
            else:
                for k in range(start_at[g], start_at[g + 1]):
                    before += start[start_row[b], k]
            # Nobody survives from no births, whatever the survival ratio (it may be unknown).
            survivors = 0.0 if g < born and births_are == NONE else s * before
            residual = after - survivors
            expected[o, g] = survivors
            if s > 1.0:
                above_one += 1
            if survivors < 0.0:
                negative += 1
            if (s < 0.3 and code in (REVERSE, AVERAGE)) or (s == 0.0 and code == MIDPOINT):
                low += 1
            if code in (FORWARD, END):
                m = residual
            elif code == REVERSE:
                m = after / s - before
            elif code == AVERAGE:
                m = 0.5 * (residual + (after / s - before))
            elif code == MIDPOINT:
                m = residual / math.sqrt(s)
            elif g == groups - 1 and groups > 1:
                # Even: half of the open group's own migrants came at the start as well.
                m = (2.0 * residual - s * earlier) / (1.0 + s)
            else:
                m = 2.0 * residual - s * earlier
            earlier = m
            net[o, g] = m
        n_survival_above_one[o] = above_one
        n_survival_low[o] = low
        n_negative[o] = negative
        n_births_missing[o] = missing


@kernel
def child_woman(
    lo: int,
    hi: int,
    net: FloatArray,  # (rows, sexes, arrival groups)
    net_row: IntArray,
    expected: FloatArray,  # (rows, sexes, arrival groups)
    expected_row: IntArray,
    end: FloatArray,  # (rows, sexes, end groups)
    end_row: IntArray,
    net_out: FloatArray,  # outputs (rows, sexes, arrival groups)
    expected_out: FloatArray,
    out_row: IntArray,
    end_at: IntArray,  # (arrival groups + 1)
    first_mother: IntArray,  # (groups born): arrival groups of women 15 + g to 45 + g
    last_mother: IntArray,
    share: FloatArray,  # (groups born): (g + w/2) / t
    female: int,
) -> None:
    for b in range(lo, hi):
        o = out_row[b]
        for s in range(net.shape[1]):
            for g in range(share.size, net.shape[2]):
                net_out[o, s, g] = net[net_row[b], s, g]
                expected_out[o, s, g] = expected[expected_row[b], s, g]
            for g in range(share.size):
                women = 0.0
                migrants = 0.0
                for i in range(first_mother[g], last_mother[g]):
                    migrants += net[net_row[b], female, i]
                    for k in range(end_at[i], end_at[i + 1]):
                        women += end[end_row[b], female, k]
                children = 0.0
                for k in range(end_at[g], end_at[g + 1]):
                    children += end[end_row[b], s, k]
                m = share[g] * children / women * migrants
                net_out[o, s, g] = m
                expected_out[o, s, g] = children - m
