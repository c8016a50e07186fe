"""Age groups split into single years."""

from __future__ import annotations

import math

import numpy as np

from migproj._jit import FloatArray, IntArray, helper, kernel

#: Iterations of a fit, and the change of a logarithm at which it stands.
_ROUNDS = 200
_STILL = 1e-10
#: Steps of the golden section between two trial penalties.
_SECTIONS = 30


@kernel
def weighted(
    lo: int,
    hi: int,
    counts: FloatArray,  # (rows, groups and more)
    counts_row: IntArray,
    out: FloatArray,  # (rows, ages and what counts has more)
    out_row: IntArray,
    first: IntArray,  # (ages): the first group that counts for an age
    weights: FloatArray,  # (ages, groups that count)
) -> None:
    """Sums of neighbouring groups, each with its weight; what is beyond them stays as it is."""
    more = out.shape[1] - first.size
    for b in range(lo, hi):
        source = counts_row[b]
        target = out_row[b]
        for i in range(first.size):
            total = 0.0
            for k in range(weights.shape[1]):
                # What counts for nothing is not read: it may be missing.
                if weights[i, k] != 0.0:
                    total += weights[i, k] * counts[source, first[i] + k]
            out[target, i] = total
        for k in range(more):
            out[target, first.size + k] = counts[source, counts.shape[1] - more + k]


@kernel
def penalised(
    lo: int,
    hi: int,
    counts: FloatArray,  # (rows, groups)
    counts_row: IntArray,
    penalty: FloatArray,  # (rows, 1): read where nothing is chosen
    penalty_row: IntArray,
    out: FloatArray,  # (rows, ages)
    chosen: FloatArray,  # (rows): the penalty
    criterion: FloatArray,  # (rows): AIC or BIC at it
    out_row: IntArray,
    offsets: IntArray,  # (groups + 1): group g is the ages offsets[g]:offsets[g + 1]
    choice: int,  # 0: the penalty given, 1: least AIC, 2: least BIC
    trial: FloatArray,  # penalties to try, as common logarithms in equal steps
) -> None:
    """Penalised composite link model of Poisson counts (Eilers 2007; Rizzi et al. 2015)."""
    groups = offsets.size - 1
    ages = offsets[groups]
    band = 2
    for g in range(groups):
        band = max(band, offsets[g + 1] - offsets[g] - 1)
    y = np.empty(groups)
    log = np.empty(ages)
    mu = np.empty(groups)
    matrix = np.empty((ages, band + 1))
    information = np.empty((ages, band + 1))
    right = np.empty(ages)
    work = np.empty(ages)
    for b in range(lo, hi):
        o = out_row[b]
        total = 0.0
        for g in range(groups):
            y[g] = counts[counts_row[b], g]
            total += y[g]
        if not total > 0.0:
            for i in range(ages):
                out[o, i] = total  # nobody, or missing
            chosen[o] = math.nan
            criterion[o] = math.nan
            continue
        best = penalty[penalty_row[b], 0]
        at = 0
        if choice > 0:
            price = 2.0 if choice == 1 else math.log(groups)
            least = math.inf
            for k in range(trial.size):
                value = _fit(
                    y, offsets, 10.0 ** trial[k], price, log, mu, matrix, information, right, work
                )
                if value < least:
                    least = value
                    at = k
            low = trial[max(at - 1, 0)]
            high = trial[min(at + 1, trial.size - 1)]
            shrink = (math.sqrt(5.0) - 1.0) / 2.0
            one = high - shrink * (high - low)
            two = low + shrink * (high - low)
            at_one = _fit(y, offsets, 10.0**one, price, log, mu, matrix, information, right, work)
            at_two = _fit(y, offsets, 10.0**two, price, log, mu, matrix, information, right, work)
            for _ in range(_SECTIONS):
                if at_one < at_two:
                    high, two, at_two = two, one, at_one
                    one = high - shrink * (high - low)
                    at_one = _fit(
                        y, offsets, 10.0**one, price, log, mu, matrix, information, right, work
                    )
                else:
                    low, one, at_one = one, two, at_two
                    two = low + shrink * (high - low)
                    at_two = _fit(
                        y, offsets, 10.0**two, price, log, mu, matrix, information, right, work
                    )
            best = 10.0 ** (0.5 * (low + high))
        price = math.log(groups) if choice == 2 else 2.0
        criterion[o] = _fit(y, offsets, best, price, log, mu, matrix, information, right, work)
        if choice > 0 and not criterion[o] < math.inf:
            # Between the trials none was found, as where few people meet a large penalty.
            best = 10.0 ** trial[at]
            criterion[o] = _fit(y, offsets, best, price, log, mu, matrix, information, right, work)
        chosen[o] = best
        for i in range(ages):
            out[o, i] = math.exp(log[i]) if criterion[o] < math.inf else math.nan


@helper
def _fit(
    y: FloatArray,
    offsets: IntArray,
    penalty: float,
    price: float,
    log: FloatArray,
    mu: FloatArray,
    matrix: FloatArray,
    information: FloatArray,
    right: FloatArray,
    work: FloatArray,
) -> float:
    """Fit the logarithms; returns deviance + price x effective dimension (inf: no fit)."""
    groups = offsets.size - 1
    total = 0.0
    for g in range(groups):
        total += y[g]
    for g in range(groups):
        width = offsets[g + 1] - offsets[g]
        start = math.log(max(y[g], 1e-3 * total / groups) / width)
        for i in range(offsets[g], offsets[g + 1]):
            log[i] = start
    moved = math.inf
    for _ in range(_ROUNDS):
        _equations(y, offsets, penalty, log, mu, matrix, information, right)
        if not _factor(matrix):
            return math.inf
        _solve(matrix, right)
        moved = 0.0
        for i in range(log.size):
            # A step that is too long is cut: from a bad start the first is.
            step = min(max(right[i] - log[i], -2.0), 2.0)
            log[i] += step
            moved = max(moved, abs(step))
        if moved < _STILL:
            break
    if not moved < 1e-6:
        return math.inf
    _equations(y, offsets, penalty, log, mu, matrix, information, right)
    if not _factor(matrix):
        return math.inf
    deviance = 0.0
    for g in range(groups):
        if y[g] > 0.0:
            deviance += 2.0 * (y[g] * math.log(y[g] / mu[g]) - (y[g] - mu[g]))
        else:
            deviance += 2.0 * mu[g]
    dimension: float = _dimension(matrix, information, work)
    return deviance + price * dimension


@helper
def _equations(
    y: FloatArray,
    offsets: IntArray,
    penalty: float,
    log: FloatArray,
    mu: FloatArray,
    matrix: FloatArray,
    information: FloatArray,
    right: FloatArray,
) -> None:
    """Normal equations of a step: lower bands, matrix[i, k] is of i and i - k."""
    ages = log.size
    for i in range(ages):
        for k in range(matrix.shape[1]):
            information[i, k] = 0.0
    for g in range(offsets.size - 1):
        mu[g] = 0.0
        for i in range(offsets[g], offsets[g + 1]):
            mu[g] += math.exp(log[i])
        working = 0.0
        for i in range(offsets[g], offsets[g + 1]):
            working += math.exp(log[i]) * log[i]
        for i in range(offsets[g], offsets[g + 1]):
            gamma = math.exp(log[i])
            for j in range(offsets[g], i + 1):
                information[i, i - j] = gamma * math.exp(log[j]) / mu[g]
            right[i] = gamma * (working / mu[g] + (y[g] - mu[g]) / mu[g])
    for i in range(ages):
        for k in range(matrix.shape[1]):
            matrix[i, k] = information[i, k]
    for d in range(ages - 2):
        # (1, -2, 1) of three ages, with itself.
        matrix[d, 0] += penalty
        matrix[d + 1, 0] += 4.0 * penalty
        matrix[d + 2, 0] += penalty
        matrix[d + 1, 1] -= 2.0 * penalty
        matrix[d + 2, 1] -= 2.0 * penalty
        matrix[d + 2, 2] += penalty


@helper
def _factor(matrix: FloatArray) -> bool:
    """Cholesky factor of a symmetric band matrix, in its place; False if it has none."""
    size, width = matrix.shape
    for i in range(size):
        for k in range(min(i, width - 1), -1, -1):
            j = i - k
            total = matrix[i, k]
            for m in range(max(0, i - width + 1), j):
                total -= matrix[i, i - m] * matrix[j, j - m]
            if k > 0:
                matrix[i, k] = total / matrix[j, 0]
            elif total > 0.0:
                matrix[i, 0] = math.sqrt(total)
            else:
                return False
    return True


@helper
def _solve(factor: FloatArray, right: FloatArray) -> None:
    """Solve with the factor of a band matrix, in the place of the right-hand side."""
    size, width = factor.shape
    for i in range(size):
        for k in range(1, min(i, width - 1) + 1):
            right[i] -= factor[i, k] * right[i - k]
        right[i] /= factor[i, 0]
    for i in range(size - 1, -1, -1):
        for k in range(1, min(size - 1 - i, width - 1) + 1):
            right[i] -= factor[i + k, k] * right[i + k]
        right[i] /= factor[i, 0]


@helper
def _dimension(factor: FloatArray, information: FloatArray, work: FloatArray) -> float:
    """Trace of the inverse of a band matrix times the information: the effective dimension."""
    size, width = factor.shape
    total = 0.0
    for column in range(size):
        for i in range(size):
            k = abs(i - column)
            if k < width:
                work[i] = information[max(i, column), k]
            else:
                work[i] = 0.0
        _solve(factor, work)
        total += work[column]
    return total
