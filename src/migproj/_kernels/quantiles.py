"""Quantiles over draws, column by column."""

from __future__ import annotations

import math

import numpy as np

from migproj._jit import FloatArray, helper, kernel, uintp

#: Columns sorted side by side: as many comparisons in one go as vector registers allow, and with
#: 1,000 draws no more memory than the second cache has.
LANES = 64


@helper
def _exchange(work: FloatArray, lower: int, upper: int, count: int) -> None:
    """Put the smaller of each pair in the lower row."""
    a = uintp(lower)
    b = uintp(upper)
    for k in range(uintp(count)):
        x = work[a + uintp(k)]
        y = work[b + uintp(k)]
        work[a + uintp(k)] = y if y < x else x
        work[b + uintp(k)] = x if y < x else y


@helper
def _sort(work: FloatArray, draws: int) -> None:
    """Sort every lane of (draws x LANES) by Batcher's merge exchange (Knuth 1998, 5.2.2 M)."""
    top = 1
    while 2 * top < draws:
        top *= 2
    p = top
    while p > 0:
        q = top
        r = 0
        d = p
        while True:
            # All i with (i & p) == r, in runs of p.
            first = r
            while first < draws - d:
                run = min(p, draws - d - first)
                _exchange(work, first * LANES, (first + d) * LANES, run * LANES)
                first += 2 * p
            if q == p:
                break
            d = q - p
            q //= 2
            r = p
        p //= 2


@kernel
def quantiles(
    lo: int,
    hi: int,
    values: FloatArray,  # (draws, columns)
    wanted: FloatArray,  # (quantiles): from 0 to 1
    out: FloatArray,  # output (quantiles, columns)
) -> None:
    """Quantiles of the columns lo x LANES to hi x LANES, linear between the sorted draws."""
    draws, columns = values.shape
    work = np.empty(draws * LANES)
    missing = np.empty(LANES)
    for block in range(lo, hi):
        start = uintp(block * LANES)
        width = uintp(min(LANES, columns - block * LANES))
        for k in range(uintp(LANES)):
            missing[k] = 0.0
        for d in range(draws):
            row = uintp(d * LANES)
            for k in range(width):
                x = values[d, start + uintp(k)]
                work[row + uintp(k)] = x
                missing[k] += 0.0 * x  # NaN of a NaN, or of an infinity
            for k in range(width, uintp(LANES)):
                work[row + uintp(k)] = 0.0
        _sort(work, draws)
        for j in range(wanted.size):
            at = wanted[j] * (draws - 1)
            below = min(math.floor(at), draws - 1)
            above = min(below + 1, draws - 1)
            part = at - below
            for k in range(width):
                x = work[uintp(below * LANES) + uintp(k)]
                y = work[uintp(above * LANES) + uintp(k)]
                out[j, start + uintp(k)] = x + (y - x) * part + missing[k]
