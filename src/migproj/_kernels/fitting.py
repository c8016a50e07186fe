"""Tables fitted to margins by proportional fitting, and flows fitted to net migration."""

from __future__ import annotations

import math

import numpy as np

from migproj._jit import FloatArray, IntArray, helper, kernel, uintp

# Why a total is not met.
NOBODY = 1  # no cell of the table can have any of it
UNFITTED = 2  # not in so many rounds

# What is nearest to a prior.
ENTROPY = 0  # the least sum of y ln(y / m) - y + m
LEAST_CHANGE = 1  # the least sum of (y - m)^2 / m

#: Share of its diagonal added to a matrix of flows, which tells places apart by differences only.
_RIDGE = 1e-13
#: Least share of the decrease expected that a step has to bring, and how often it is halved.
_DECREASE = 1e-4
_HALVINGS = 40


@kernel
def fit(
    lo: int,
    hi: int,
    table: FloatArray,  # (rows, cells): 0 or more
    table_row: IntArray,
    totals: FloatArray,  # (rows, totals of all margins)
    totals_row: IntArray,
    fitted: FloatArray,  # outputs (rows, cells)
    iterations: IntArray,  # (rows)
    error: FloatArray,
    fault: IntArray,  # codes above, or 0
    place: IntArray,  # the total with the largest error
    out_row: IntArray,
    total_of: IntArray,  # (margins, cells): the total that a cell is in
    first: IntArray,  # (margins + 1): where the totals of each margin begin
    tolerance: float,
    limit: int,
) -> None:
    cells = table.shape[1]
    sums = np.empty(totals.shape[1])
    for b in range(lo, hi):
        o = out_row[b]
        t = totals_row[b]
        largest = 0.0
        unknown = 0.0
        for k in range(totals.shape[1]):
            unknown += totals[t, k]
            largest = max(largest, totals[t, k])
        for x in range(cells):
            unknown += table[table_row[b], x]
            fitted[o, x] = table[table_row[b], x]
        iterations[o] = 0
        error[o] = math.nan
        fault[o] = 0
        place[o] = 0
        if math.isnan(unknown):
            for x in range(cells):
                fitted[o, x] = math.nan
            continue
        never = False
        for times in range(limit + 1):
            worst = 0.0
            at = 0
            for m in range(total_of.shape[0]):
                for k in range(first[m], first[m + 1]):
                    sums[k] = 0.0
                for x in range(uintp(cells)):
                    sums[total_of[m, x]] += fitted[o, x]
                for k in range(first[m], first[m + 1]):
                    miss = abs(sums[k] - totals[t, k])
                    if miss > worst:
                        worst = float(miss)
                        at = k
                    if sums[k] > 0.0:
                        sums[k] = totals[t, k] / sums[k]
                    elif totals[t, k] > 0.0:
                        worst = float(totals[t, k])
                        at = k
                        never = True
                        break
                if never:
                    break
                for x in range(uintp(cells)):
                    fitted[o, x] *= sums[total_of[m, x]]
            iterations[o] = times
            error[o] = worst
            place[o] = at
            if never or worst <= tolerance * largest:
                break
        if error[o] > tolerance * largest:
            fault[o] = NOBODY if never else UNFITTED
            for x in range(cells):
                fitted[o, x] = math.nan


@helper
def _tables(
    prior: FloatArray, levels: FloatArray, scale: float, nearest: int, flows: FloatArray
) -> float:
    """Flows by the levels of places, and the part of the dual function that is their sum."""
    n = levels.size
    dual = 0.0
    for i in range(n):
        for j in range(n):
            u = levels[j] - levels[i] + scale
            if nearest == ENTROPY:
                flows[i, j] = prior[i, j] * math.exp(min(u, 700.0))
                dual += flows[i, j]
            else:
                more = max(1.0 + u, 0.0)
                flows[i, j] = prior[i, j] * more
                dual += 0.5 * prior[i, j] * more * more
    return dual


@helper
def _solve(matrix: FloatArray, size: int, x: FloatArray) -> None:
    """Solve a positive definite system in place, by Cholesky's factors."""
    for i in range(size):
        for j in range(i + 1):
            rest = matrix[i, j]
            for k in range(j):
                rest -= matrix[i, k] * matrix[j, k]
            if i == j:
                matrix[i, i] = math.sqrt(max(rest, 1e-300))
            else:
                matrix[i, j] = rest / matrix[j, j]
    for i in range(size):
        for k in range(i):
            x[i] -= matrix[i, k] * x[k]
        x[i] /= matrix[i, i]
    for back in range(size):
        i = size - 1 - back
        for k in range(i + 1, size):
            x[i] -= matrix[k, i] * x[k]
        x[i] /= matrix[i, i]


@helper
def _system(
    prior: FloatArray,
    flows: FloatArray,
    levels: FloatArray,
    scale: float,
    nearest: int,
    matrix: FloatArray,
) -> None:
    """Second derivatives of the dual function in the levels of places, and in the scale."""
    n = levels.size
    for i in range(n + 1):
        for j in range(n + 1):
            matrix[i, j] = 0.0
    for i in range(n):
        for j in range(n):
            slope = flows[i, j]
            if nearest == LEAST_CHANGE:
                slope = prior[i, j] if 1.0 + levels[j] - levels[i] + scale > 0.0 else 0.0
            matrix[i, i] += slope
            matrix[j, j] += slope
            matrix[i, j] -= slope
            matrix[j, i] -= slope
            matrix[n, j] += slope
            matrix[n, i] -= slope
            matrix[n, n] += slope
    largest = 0.0
    for i in range(n + 1):
        largest = max(largest, matrix[i, i])
    for i in range(n + 1):
        matrix[i, i] += _RIDGE * largest + 1e-300


@kernel
def net_flows(
    lo: int,
    hi: int,
    net: FloatArray,  # (rows, places): adds up to 0
    net_row: IntArray,
    prior: FloatArray,  # (rows, origins, destinations)
    prior_row: IntArray,
    total: FloatArray,  # (rows): of all flows; not read unless `scaled`
    total_row: IntArray,
    flows: FloatArray,  # outputs (rows, origins, destinations)
    iterations: IntArray,  # (rows)
    error: FloatArray,
    fault: IntArray,
    place: IntArray,
    out_row: IntArray,
    nearest: int,  # codes above
    scaled: bool,
    tolerance: float,
    limit: int,
) -> None:
    n = net.shape[1]
    matrix = np.empty((n + 1, n + 1))
    step = np.empty(n + 1)
    way = np.empty(n + 1)
    levels = np.empty(n)
    tried = np.empty(n)
    here = np.empty((n, n))
    given = np.empty((n, n))
    size = n + 1 if scaled else n
    for b in range(lo, hi):
        o = out_row[b]
        unknown = total[total_row[b]] if scaled else 0.0
        for i in range(n):
            levels[i] = 0.0
            unknown += net[net_row[b], i]
            for j in range(n):
                given[i, j] = prior[prior_row[b], i, j]
                unknown += given[i, j]
        scale = 0.0
        worst = math.nan
        largest = 0.0
        at = 0
        times = 0
        known = not math.isnan(unknown)
        while known:
            dual = _tables(given, levels, scale, nearest, here)
            # How far off net migration is, with a minus: the way down.
            largest = 0.0
            gone = 0.0
            for i in range(n):
                step[i] = net[net_row[b], i]
                gross = 0.0
                for j in range(n):
                    step[i] += here[i, j] - here[j, i]
                    gross += here[i, j] + here[j, i]
                    gone += here[i, j]
                largest = max(largest, 0.5 * gross, abs(net[net_row[b], i]))
                dual -= net[net_row[b], i] * levels[i]
            step[n] = 0.0
            if scaled:
                step[n] = total[total_row[b]] - gone
                dual -= total[total_row[b]] * scale
            worst = 0.0
            at = 0
            for i in range(size):
                if abs(step[i]) > worst:
                    worst = float(abs(step[i]))
                    at = i
            if worst <= tolerance * largest or times == limit:
                break
            _system(given, here, levels, scale, nearest, matrix)
            decrease = 0.0
            for i in range(size):
                way[i] = step[i]
            _solve(matrix, size, way)
            for i in range(size):
                decrease += way[i] * step[i]
            share = 1.0
            for _ in range(_HALVINGS):
                for i in range(n):
                    tried[i] = levels[i] + share * way[i]
                then = scale + (share * way[n] if scaled else 0.0)
                value = _tables(given, tried, then, nearest, here)
                for i in range(n):
                    value -= net[net_row[b], i] * tried[i]
                if scaled:
                    value -= total[total_row[b]] * then
                # Near the end the function changes by less than its own rounding.
                if value <= dual - _DECREASE * share * decrease + 1e-12 * abs(dual):
                    break
                share *= 0.5
            for i in range(n):
                levels[i] += share * way[i]
            if scaled:
                scale += float(share * way[n])
            times += 1
        iterations[o] = times
        error[o] = worst
        fault[o] = 1 if known and worst > tolerance * largest else 0
        place[o] = at
        for i in range(n):
            for j in range(n):
                flows[o, i, j] = here[i, j] if known and fault[o] == 0 else math.nan
