"""Laws of mortality fitted to the rates, or the deaths, of old ages."""

from __future__ import annotations

import math

import numpy as np

from migproj._jit import FloatArray, IntArray, helper, kernel

# Parameters of a law that are fitted: those of its level and slope always are.
MAKEHAM_TERM = 1
FREE_K = 2
QUADRATIC = 4

#: Steps of a fit, the step (relative) at which it stands, and the damping at which it is given up.
_ROUNDS = 1000
_STILL = 1e-11
_STUCK = 1e12
#: Below this, (1 + u) ln(1 + u) - u is summed as a series, which cancels no digits.
_SMALL = 0.01


@kernel
def fit_law(
    lo: int,
    hi: int,
    first: FloatArray,  # (rows, ages): rates, or deaths
    first_row: IntArray,
    exposure: FloatArray,  # (rows, ages): read by_deaths
    exposure_row: IntArray,
    found: FloatArray,  # output (rows, 4): a, b, c, k; NaN where there is no fit
    out_row: IntArray,
    x: FloatArray,  # (ages)
    terms: int,  # which parameters are fitted beside level and slope
    fixed_k: float,
    by_deaths: int,
) -> None:
    """Levenberg-Marquardt steps to the least squares of logarithms, or the least deviance."""
    ages = x.size
    # Level, slope, c and k, of years from the mean age; c and k are 0 or more.
    theta = np.empty(4)
    trial = np.empty(4)
    best = np.empty(4)
    at = np.empty(ages)
    y = np.empty(ages)
    weight = np.empty(ages)
    m = np.empty(ages)
    slopes = np.empty(4)
    # Of where the fit is and of where it tries to go.
    matrices = np.empty((2, 4, 4))
    rights = np.empty((2, 4))
    damped = np.empty((4, 5))
    step = np.empty(4)
    free = np.empty(4, dtype=np.int64)
    fitted = np.array([0, 1, 2, 3])
    if terms == 0:
        fitted = fitted[:2]
    elif terms == FREE_K:
        fitted = fitted[np.array([0, 1, 3])]
    elif terms != MAKEHAM_TERM + FREE_K:
        fitted = fitted[:3]
    fitted = fitted.copy()
    for b in range(lo, hi):
        o = out_row[b]
        for p in range(4):
            found[o, p] = math.nan
        count = 0
        centre = 0.0
        total = 0.0
        whole = True
        for i in range(ages):
            events = first[first_row[b], i]
            lived = exposure[exposure_row[b], i] if by_deaths == 1 else 1.0
            if not (math.isfinite(events) and math.isfinite(lived)):
                whole = False
            if by_deaths == 1 and lived == 0.0:
                continue
            at[count] = x[i]
            y[count] = events
            weight[count] = lived
            m[count] = max(events, 0.5) / lived if by_deaths == 1 else events
            if not m[count] > 0.0:
                whole = False
            centre += x[i]
            total += events
            count += 1
        if not whole or count < fitted.size or not total > 0.0:
            continue
        centre /= count
        for i in range(count):
            at[i] -= centre
        least = math.inf
        # With a Makeham term there can be several minima.
        for share in (0.5, 0.1, 0.9):
            _start(theta, at, m, count, terms, fixed_k, share)
            value = _descend(
                theta, trial, at, y, weight, count, terms, by_deaths, fitted,
                slopes, matrices, rights, damped, step, free,
            )  # fmt: skip
            if value < least:
                least = value
                best[:] = theta
            if not terms & MAKEHAM_TERM:
                break
        if not least < math.inf:
            continue
        if terms & QUADRATIC:
            found[o, 0] = best[0] - best[1] * centre + best[2] * centre * centre
            found[o, 1] = best[1] - 2.0 * best[2] * centre
        else:
            found[o, 0] = math.exp(best[0] - best[1] * centre)
            found[o, 1] = best[1]
        found[o, 2] = best[2]
        found[o, 3] = best[3]


@kernel
def replace_rates(
    lo: int,
    hi: int,
    mx: FloatArray,  # (rows, younger ages)
    mx_row: IntArray,
    found: FloatArray,  # (rows, 4): of fit_law
    found_row: IntArray,
    out: FloatArray,  # (rows, ages)
    out_row: IntArray,
    x: FloatArray,  # (older ages)
    quadratic: int,
) -> None:
    """The rates of younger ages, and those of the law at older ones."""
    younger = mx.shape[1]
    for b in range(lo, hi):
        o = out_row[b]
        r = found_row[b]
        for i in range(younger):
            out[o, i] = mx[mx_row[b], i]
        for i in range(x.size):
            if quadratic == 1:
                out[o, younger + i] = found[r, 0] + x[i] * (found[r, 1] + x[i] * found[r, 2])
            else:
                rise = math.exp(-found[r, 1] * x[i]) / found[r, 0]
                out[o, younger + i] = found[r, 2] + 1.0 / (found[r, 3] + rise)


@helper
def _start(
    theta: FloatArray,
    x: FloatArray,
    m: FloatArray,
    count: int,
    terms: int,
    fixed_k: float,
    share: float,
) -> None:
    """Level and slope by a log-linear regression; c is a share, and k half, of what it can be."""
    low = math.inf
    high = 0.0
    for i in range(count):
        low = min(low, m[i])
        high = max(high, m[i])
    c = share * low if terms & MAKEHAM_TERM else 0.0
    k = 0.5 / high if terms & FREE_K else min(fixed_k, 0.9 / high)
    level = 0.0
    rise = 0.0
    squares = 0.0
    for i in range(count):
        rate = m[i] - c
        y = math.log(rate / (1.0 - k * rate))
        level += y / count
        rise += x[i] * y
        squares += x[i] * x[i]
    theta[0] = level
    theta[1] = rise / squares
    theta[2] = c
    theta[3] = k if terms & FREE_K else fixed_k
    if terms & QUADRATIC:
        # Two terms of the series of the exponential, which is above 0 everywhere.
        theta[0] = math.exp(level)
        theta[1] *= theta[0]
        theta[2] = 0.5 * theta[1] * theta[1] / theta[0]


@helper
def _rate(theta: FloatArray, x: float, terms: int, slopes: FloatArray) -> float:
    """The rate of the law at x, and its derivatives by level, slope, c and k."""
    if terms & QUADRATIC:
        slopes[0] = 1.0
        slopes[1] = x
        slopes[2] = x * x
        slopes[3] = 0.0
        square: float = theta[0] + theta[1] * x + theta[2] * x * x
        return square
    base: float = 1.0 / (theta[3] + math.exp(-theta[0] - theta[1] * x))
    slopes[0] = base * (1.0 - theta[3] * base)
    slopes[1] = slopes[0] * x
    slopes[2] = 1.0
    slopes[3] = -base * base
    rate: float = base + theta[2]
    return rate


@helper
def _loss(
    theta: FloatArray,
    x: FloatArray,
    y: FloatArray,
    weight: FloatArray,
    count: int,
    terms: int,
    by_deaths: int,
    fitted: IntArray,
    slopes: FloatArray,
    matrix: FloatArray,
    right: FloatArray,
) -> float:
    """Squares of logarithms, or the deviance, and its normal equations.

    inf where the law gives no rate.
    """
    size = fitted.size
    for r in range(size):
        right[r] = 0.0
        for s in range(r + 1):
            matrix[r, s] = 0.0
    total = 0.0
    for i in range(count):
        mu = _rate(theta, x[i], terms, slopes)
        if not (mu > 0.0 and mu < math.inf):
            return math.inf
        if by_deaths == 1:
            expected = weight[i] * mu
            u = y[i] / expected - 1.0
            if abs(u) < _SMALL:
                power = u * u
                part = 0.0
                for n in range(9):
                    part += power / ((n + 1.0) * (n + 2.0))
                    power *= -u
            elif y[i] > 0.0:
                part = (1.0 + u) * math.log(1.0 + u) - u
            else:
                part = 1.0
            total += 2.0 * expected * part
            pull = weight[i] * u
            curve = weight[i] / mu
        else:
            residual = math.log(mu / y[i])
            total += residual * residual
            pull = -residual / mu
            curve = 1.0 / (mu * mu)
        for r in range(size):
            slope = slopes[fitted[r]]
            right[r] += pull * slope
            for s in range(r + 1):
                matrix[r, s] += curve * slope * slopes[fitted[s]]
    return total


@helper
def _descend(
    theta: FloatArray,
    trial: FloatArray,
    x: FloatArray,
    y: FloatArray,
    weight: FloatArray,
    count: int,
    terms: int,
    by_deaths: int,
    fitted: IntArray,
    slopes: FloatArray,
    matrices: FloatArray,
    rights: FloatArray,
    damped: FloatArray,
    step: FloatArray,
    free: IntArray,
) -> float:
    """Move theta to the least loss, and return that (inf: no convergence)."""
    bounded = not terms & QUADRATIC
    now = 0
    value: float = _loss(
        theta, x, y, weight, count, terms, by_deaths, fitted, slopes, matrices[0], rights[0]
    )
    if not value < math.inf:
        return math.inf
    damping = 1e-5
    for _ in range(_ROUNDS):
        size = 0
        for r in range(fitted.size):
            p = fitted[r]
            # What stands at its bound and is pushed beyond stays there.
            if not (bounded and p > 1 and theta[p] == 0.0 and rights[now, r] <= 0.0):
                free[size] = r
                size += 1
        moved = False
        while damping < _STUCK:
            for r in range(size):
                for s in range(r + 1):
                    damped[r, s] = matrices[now, free[r], free[s]]
                    damped[s, r] = damped[r, s]
                damped[r, r] *= 1.0 + damping
                damped[r, 4] = rights[now, free[r]]
            _solve(damped, size, step)
            trial[:] = theta
            change = 0.0
            for r in range(size):
                p = fitted[free[r]]
                trial[p] = theta[p] + step[r]
                if bounded and p > 1 and trial[p] < 0.0:
                    trial[p] = 0.0
                # In units in which the parameter alone changes the loss by 1.
                unit = math.sqrt(matrices[now, free[r], free[r]])
                change = max(change, abs(trial[p] - theta[p]) * unit)
            if math.isnan(change):
                damping *= 10.0
                continue
            after: float = _loss(
                trial, x, y, weight, count, terms, by_deaths, fitted, slopes,
                matrices[1 - now], rights[1 - now],
            )  # fmt: skip
            small = change <= 1e-7 * (1e-3 + math.sqrt(value))
            if after < value or (small and after <= value * (1.0 + 1e-13) + 1e-30):
                moved = True
                break
            if small:
                # Nothing left but rounding.
                return value
            damping *= 10.0
        if not moved:
            return math.inf
        theta[:] = trial
        value = after
        now = 1 - now
        damping = max(0.1 * damping, 1e-15)
        if change <= _STILL * (1.0 + math.sqrt(value)):
            return value
    return math.inf


@helper
def _solve(system: FloatArray, size: int, step: FloatArray) -> None:
    """Gauss elimination of a symmetric system above 0, its right-hand side in column 4."""
    for r in range(size):
        pivot = system[r, r]
        for s in range(r + 1, size):
            share = system[s, r] / pivot
            for t in range(r + 1, size):
                system[s, t] -= share * system[r, t]
            system[s, 4] -= share * system[r, 4]
    for r in range(size - 1, -1, -1):
        total = system[r, 4]
        for t in range(r + 1, size):
            total -= system[r, t] * step[t]
        step[r] = total / system[r, r]
