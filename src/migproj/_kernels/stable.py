"""Leslie matrices of women, and the stable population that each of them leads to."""

from __future__ import annotations

import math

import numpy as np

from migproj._jit import FloatArray, IntArray, helper, kernel

#: Newton's steps rise to the root of a convex function: a few are enough, these are too many.
_MOST_STEPS = 200


@helper
def _daughters(
    survival: FloatArray,
    s: int,
    fertility: FloatArray,
    f: int,
    ratio: float,
    group: int,
    first: int,
    step: float,
) -> float:
    """Daughters alive after a step for each woman of a group at its start."""
    k = group - first
    rate = 0.0
    if 0 <= k < fertility.shape[1]:
        rate = fertility[f, k]
    if 0 <= k + 1 < fertility.shape[1]:
        rate += fertility[f, k + 1] * survival[s, group + 1]
    daughters: float = survival[s, 0] * step / (2.0 * (1.0 + ratio)) * rate
    return daughters


@kernel
def leslie_matrix(
    lo: int,
    hi: int,
    survival: FloatArray,  # (rows, ages): of women, by age of arrival
    survival_row: IntArray,
    fertility: FloatArray,  # (rows, fertile ages)
    fertility_row: IntArray,
    ratio: FloatArray,  # (rows): males per female at birth
    ratio_row: IntArray,
    matrix: FloatArray,  # output (rows, ages of arrival, ages at the start)
    out_row: IntArray,
    first: int,  # the first fertile age group
    step: float,
) -> None:
    ages = survival.shape[1]
    for b in range(lo, hi):
        o = out_row[b]
        s = survival_row[b]
        f = fertility_row[b]
        srb = ratio[ratio_row[b]]
        for i in range(ages):
            for j in range(ages):
                matrix[o, i, j] = 0.0
        for j in range(first - 1, first + fertility.shape[1]):
            matrix[o, 0, j] = _daughters(survival, s, fertility, f, srb, j, first, step)
        for i in range(1, ages):
            matrix[o, i, i - 1] = survival[s, i]
        matrix[o, ages - 1, ages - 1] = survival[s, ages - 1]


@kernel
def leslie_entries(
    lo: int,
    hi: int,
    survival: FloatArray,  # (rows, ages): of women, by age of arrival
    survival_row: IntArray,
    fertility: FloatArray,  # (rows, fertile ages)
    fertility_row: IntArray,
    ratio: FloatArray,  # (rows): males per female at birth
    ratio_row: IntArray,
    entries: FloatArray,  # output (rows, fertile ages + 1 + ages): row after row of the matrix
    out_row: IntArray,
    first: int,  # the first fertile age group
    step: float,
) -> None:
    ages = survival.shape[1]
    bearing = fertility.shape[1] + 1
    for b in range(lo, hi):
        o = out_row[b]
        s = survival_row[b]
        f = fertility_row[b]
        srb = ratio[ratio_row[b]]
        for k in range(bearing):
            j = first - 1 + k
            entries[o, k] = _daughters(survival, s, fertility, f, srb, j, first, step)
        for i in range(1, ages):
            entries[o, bearing + i - 1] = survival[s, i]
        entries[o, bearing + ages - 1] = survival[s, ages - 1]


@helper
def _log_growth(maternity: FloatArray, groups: int) -> float:
    """The s with Σ maternity[j] exp(−(j + 1) s) = 1.

    The logarithm of the sum is convex in s and falls by 1 to `groups` a unit of s: from its
    first step on, Newton's method rises to the root.
    """
    s = 0.0
    for _ in range(_MOST_STEPS):
        largest = -math.inf
        for j in range(groups):
            if maternity[j] > 0.0:
                largest = max(largest, math.log(maternity[j]) - (j + 1) * s)
        total = 0.0
        weighted = 0.0
        for j in range(groups):
            if maternity[j] > 0.0:
                term = math.exp(math.log(maternity[j]) - (j + 1) * s - largest)
                total += term
                weighted += (j + 1) * term
        change = (largest + math.log(total)) * total / weighted
        s += change
        if abs(change) < 1e-15:
            break
    return s


@helper
def _largest_other(maternity: FloatArray, groups: int, s: float) -> float:
    """The largest modulus of the other roots of Lotka's equation, relative to the first.

    With a[j] = maternity[j] exp(−(j + 1) s), which add to 1, the equation is z^m = Σ a[j]
    z^(m−1−j). Divided by z − 1, the coefficients are the sums of a from k on.
    """
    others = groups - 1
    if others == 0:
        return 0.0
    rest = np.zeros(groups)
    above = 0.0
    for k in range(groups - 1, -1, -1):
        above += maternity[k] * math.exp(-(k + 1) * s)
        rest[k] = above
    companion = np.zeros((others, others), dtype=np.complex128)
    for k in range(others):
        companion[0, k] = -rest[k + 1] / rest[0]
    for k in range(1, others):
        companion[k, k - 1] = 1.0
    largest = 0.0
    for root in np.linalg.eigvals(companion):
        largest = max(largest, abs(root))
    return largest


@kernel
def stable_population(
    lo: int,
    hi: int,
    survival: FloatArray,  # (rows, ages): of women, by age of arrival
    survival_row: IntArray,
    fertility: FloatArray,  # (rows, fertile ages)
    fertility_row: IntArray,
    ratio: FloatArray,  # (rows): males per female at birth
    ratio_row: IntArray,
    growth: FloatArray,  # outputs (rows): per year
    distribution: FloatArray,  # (rows, ages)
    value: FloatArray,  # (rows, ages)
    damping: FloatArray,  # (rows)
    reproduction: FloatArray,  # (rows)
    mean_age: FloatArray,  # (rows)
    n_no_births: IntArray,  # (rows)
    n_no_stable_ages: IntArray,  # (rows)
    out_row: IntArray,
    first: int,  # the first fertile age group
    youngest: float,  # lower bound of the first age group
    step: float,
) -> None:
    ages = survival.shape[1]
    last = first + fertility.shape[1]  # one past the last group that bears children
    maternity = np.empty(last)  # daughters by steps since a woman was in the youngest group
    women = np.empty(ages)
    for b in range(lo, hi):
        o = out_row[b]
        s = survival_row[b]
        f = fertility_row[b]
        srb = ratio[ratio_row[b]]
        alive = 1.0
        total = 0.0
        bearing = 0
        for j in range(last):
            if j > 0:
                alive *= survival[s, j]
            maternity[j] = 0.0
            if j >= first - 1:
                maternity[j] = alive * _daughters(survival, s, fertility, f, srb, j, first, step)
            total += maternity[j]
            if maternity[j] > 0.0:
                bearing = j + 1
        reproduction[o] = total
        n_no_births[o] = 1 if total == 0.0 else 0
        n_no_stable_ages[o] = 0
        if not (total > 0.0 and total < math.inf):  # no births, or a missing value
            growth[o] = math.nan
            damping[o] = math.nan
            mean_age[o] = math.nan
            for i in range(ages):
                distribution[o, i] = math.nan
                value[o, i] = math.nan
            continue
        log_factor = _log_growth(maternity, bearing)
        factor = math.exp(log_factor)
        growth[o] = log_factor / step

        # The stable women: one in the youngest group, then those who survive of fewer or more.
        women[0] = 1.0
        everyone = 1.0
        for i in range(1, ages):
            women[i] = women[i - 1] * survival[s, i] / factor
            everyone += women[i]
        open_ended = survival[s, ages - 1]
        if open_ended < factor:
            # The open-ended group is a sum: the last closed group of ever earlier steps.
            pooled = women[ages - 1] * factor / (factor - open_ended)
            everyone += pooled - women[ages - 1]
            women[ages - 1] = pooled
        else:
            everyone = math.nan
            if open_ended >= factor:
                n_no_stable_ages[o] = 1
        for i in range(ages):
            distribution[o, i] = women[i] / everyone

        # Their value as mothers of the future, back from the last who bear children.
        for i in range(bearing, ages):
            value[o, i] = 0.0
        later = 0.0
        for j in range(bearing - 1, 0, -1):
            later = (_daughters(survival, s, fertility, f, srb, j, first, step) + later) / factor
            value[o, j] = later
            later *= survival[s, j]
        value[o, 0] = 1.0

        other = _largest_other(maternity, bearing, log_factor)
        damping[o] = 1.0 / max(other, open_ended / factor) if open_ended >= 0.0 else math.nan

        births = 0.0
        weighted = 0.0
        for k in range(fertility.shape[1]):
            born = fertility[f, k] * women[first + k]
            births += born
            weighted += born * (youngest + (first + k + 0.5) * step)
        mean_age[o] = weighted / births
