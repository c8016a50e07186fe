"""Quantiles over draws, column by column."""

from __future__ import annotations

import math

import numpy as np

from migproj._jit import FloatArray, IntArray, inline_helper, kernel, uintp

#: Columns sorted side by side: a line of the cache, and two vector registers of most processors.
LANES = 8
#: Rows sorted whole before their merging starts: with all lanes they are half of the first cache.
_CHUNK = 256


@inline_helper
def _ordered(x: float, y: float, falling: bool) -> tuple[float, float]:
    low = y if y < x else x
    high = x if y < x else y
    return (high, low) if falling else (low, high)


@inline_helper
def _eight(
    a: float,
    b: float,
    c: float,
    d: float,
    e: float,
    f: float,
    g: float,
    h: float,
    falling: bool,
) -> tuple[float, float, float, float, float, float, float, float]:
    """Three stages of a merge, half the size apart, a quarter and an eighth."""
    a, e = _ordered(a, e, falling)
    b, f = _ordered(b, f, falling)
    c, g = _ordered(c, g, falling)
    d, h = _ordered(d, h, falling)
    a, c = _ordered(a, c, falling)
    b, d = _ordered(b, d, falling)
    e, g = _ordered(e, g, falling)
    f, h = _ordered(f, h, falling)
    a, b = _ordered(a, b, falling)
    c, d = _ordered(c, d, falling)
    e, f = _ordered(e, f, falling)
    g, h = _ordered(g, h, falling)
    return a, b, c, d, e, f, g, h


@inline_helper
def _three_stages(work: FloatArray, first: int, apart: int, falling: bool) -> None:
    """On eight runs of `apart` rows."""
    row = uintp(apart * LANES)
    i = uintp(first * LANES)
    for j in range(row):
        k = i + uintp(j)
        (
            work[k],
            work[k + row],
            work[k + uintp(2) * row],
            work[k + uintp(3) * row],
            work[k + uintp(4) * row],
            work[k + uintp(5) * row],
            work[k + uintp(6) * row],
            work[k + uintp(7) * row],
        ) = _eight(
            work[k],
            work[k + row],
            work[k + uintp(2) * row],
            work[k + uintp(3) * row],
            work[k + uintp(4) * row],
            work[k + uintp(5) * row],
            work[k + uintp(6) * row],
            work[k + uintp(7) * row],
            falling,
        )


@inline_helper
def _last_stages(work: FloatArray, first: int, size: int, falling: bool) -> None:
    """The same on each eight rows that follow one another: at distances known beforehand."""
    row = uintp(LANES)
    for base in range(uintp(first), uintp(first + size), uintp(8)):
        i = uintp(base) * row
        for j in range(row):
            k = i + uintp(j)
            (
                work[k],
                work[k + row],
                work[k + uintp(2) * row],
                work[k + uintp(3) * row],
                work[k + uintp(4) * row],
                work[k + uintp(5) * row],
                work[k + uintp(6) * row],
                work[k + uintp(7) * row],
            ) = _eight(
                work[k],
                work[k + row],
                work[k + uintp(2) * row],
                work[k + uintp(3) * row],
                work[k + uintp(4) * row],
                work[k + uintp(5) * row],
                work[k + uintp(6) * row],
                work[k + uintp(7) * row],
                falling,
            )


@inline_helper
def _two_stages(work: FloatArray, first: int, apart: int, falling: bool) -> None:
    """On four runs of `apart` rows."""
    row = uintp(apart * LANES)
    i = uintp(first * LANES)
    for j in range(row):
        k = i + uintp(j)
        a, c = _ordered(work[k], work[k + uintp(2) * row], falling)
        b, d = _ordered(work[k + row], work[k + uintp(3) * row], falling)
        work[k], work[k + row] = _ordered(a, b, falling)
        work[k + uintp(2) * row], work[k + uintp(3) * row] = _ordered(c, d, falling)


@inline_helper
def _one_stage(work: FloatArray, first: int, apart: int, falling: bool) -> None:
    """On two runs of `apart` rows."""
    row = uintp(apart * LANES)
    i = uintp(first * LANES)
    for j in range(row):
        k = i + uintp(j)
        work[k], work[k + row] = _ordered(work[k], work[k + row], falling)


@inline_helper
def _sort_eight(work: FloatArray, first: int, falling: bool) -> None:
    """Sort eight rows that follow one another, in every lane."""
    row = uintp(LANES)
    i = uintp(first) * row
    for j in range(row):
        k = i + uintp(j)
        a, b = _ordered(work[k], work[k + row], falling)
        c, d = _ordered(work[k + uintp(2) * row], work[k + uintp(3) * row], falling)
        e, f = _ordered(work[k + uintp(4) * row], work[k + uintp(5) * row], falling)
        g, h = _ordered(work[k + uintp(6) * row], work[k + uintp(7) * row], falling)
        # The network of 19 exchanges (Knuth 1998, 5.3.4).
        a, c = _ordered(a, c, falling)
        b, d = _ordered(b, d, falling)
        e, g = _ordered(e, g, falling)
        f, h = _ordered(f, h, falling)
        b, c = _ordered(b, c, falling)
        f, g = _ordered(f, g, falling)
        a, e = _ordered(a, e, falling)
        d, h = _ordered(d, h, falling)
        b, f = _ordered(b, f, falling)
        c, g = _ordered(c, g, falling)
        b, e = _ordered(b, e, falling)
        d, g = _ordered(d, g, falling)
        c, e = _ordered(c, e, falling)
        d, f = _ordered(d, f, falling)
        d, e = _ordered(d, e, falling)
        work[k] = a
        work[k + row] = b
        work[k + uintp(2) * row] = c
        work[k + uintp(3) * row] = d
        work[k + uintp(4) * row] = e
        work[k + uintp(5) * row] = f
        work[k + uintp(6) * row] = g
        work[k + uintp(7) * row] = h


@inline_helper
def _first_stages(work: FloatArray, first: int, size: int, falling: bool) -> int:
    """Stages of a merge until a multiple of three is left; how far those that follow reach."""
    stages = 0
    while 2 << stages <= size:
        stages += 1
    if stages % 3 == 1:
        _one_stage(work, first, size >> 1, falling)
        return size >> 1
    if stages % 3 == 2:
        _two_stages(work, first, size >> 2, falling)
        return size >> 2
    return size


@inline_helper
def _merge(work: FloatArray, first: int, size: int, falling: bool) -> None:
    """Sort `size` rows that rise and then fall (or fall and rise)."""
    runs = _first_stages(work, first, size, falling)
    while runs > 8:
        for base in range(first, first + size, runs):
            _three_stages(work, base, runs >> 3, falling)
        runs >>= 3
    _last_stages(work, first, size, falling)


@inline_helper
def _merge_around(work: FloatArray, size: int, ranks: IntArray) -> None:
    """Merge all rows, as far as it takes to have what has some `ranks` in its place.

    Stages done twice change nothing, so ranks may come in any order.
    """
    runs = _first_stages(work, 0, size, False)
    while runs > 8:
        done = -1
        for rank in ranks:
            base = rank - rank % runs
            if base != done:
                _three_stages(work, base, runs >> 3, False)
            done = base
        runs >>= 3
    done = -1
    for rank in ranks:
        base = rank - rank % 8
        if base != done:
            _last_stages(work, base, 8, False)
        done = base


@inline_helper
def _sort(work: FloatArray, draws: int, rows: int, ranks: IntArray) -> None:
    """Bring what has some `ranks` into its place, in every lane of (rows x LANES).

    Rows are a power of 2, at least 8; from `draws` on they are infinite. Bitonic sorting (Knuth
    1998, 5.3.4), with what fits the first cache sorted there before it is merged, three stages
    at a time in registers, and nothing done to rows that are infinite already, nor in the last
    merge to those that no rank is among.
    """
    chunk = min(rows, _CHUNK)
    for start in range(0, draws, chunk):
        for first in range(start, min(start + chunk, draws), 8):
            _sort_eight(work, first, first // 8 % 2 == 1 and rows > 8)
        size = 16
        while size <= chunk and size < rows:
            for first in range(start, min(start + chunk, draws), size):
                _merge(work, first, size, first // size % 2 == 1)
            size *= 2
    size = 2 * chunk
    while size < rows:
        for first in range(0, draws, size):
            _merge(work, first, size, first // size % 2 == 1)
        size *= 2
    if rows > 8:
        _merge_around(work, rows, ranks)


@kernel
def quantiles(
    lo: int,
    hi: int,
    values: FloatArray,  # (draws, columns)
    wanted: FloatArray,  # (quantiles): from 0 to 1
    out: FloatArray,  # output (quantiles, columns less those skipped)
    skipped: int,  # columns at the beginning
) -> None:
    """Quantiles of the columns lo x LANES to hi x LANES, linear between the sorted draws."""
    draws = values.shape[0]
    columns = values.shape[1] - skipped
    rows = 8
    while rows < draws:
        rows *= 2
    work = np.empty(rows * LANES)
    missing = np.empty(LANES)
    # Kept as rounded: multiplied and subtracted at once, 0.3 of 11 draws would lie before the
    # fourth, and what is between two draws a little outside of them.
    at = np.empty(wanted.size)
    ranks = np.empty(2 * wanted.size, np.int64)
    for j in range(wanted.size):
        at[j] = wanted[j] * (draws - 1)
        ranks[2 * j] = min(math.floor(at[j]), draws - 1)
        ranks[2 * j + 1] = min(ranks[2 * j] + 1, draws - 1)
    for block in range(lo, hi):
        start = uintp(block * LANES)
        width = uintp(min(LANES, columns - block * LANES))
        for k in range(uintp(LANES)):
            missing[k] = 0.0
        for d in range(draws):
            row = uintp(d * LANES)
            for k in range(width):
                x = values[d, uintp(skipped) + start + uintp(k)]
                work[row + uintp(k)] = x
                missing[k] += 0.0 * x  # NaN of a NaN, or of an infinity
            for k in range(width, uintp(LANES)):
                work[row + uintp(k)] = 0.0
        for i in range(uintp(draws * LANES), uintp(rows * LANES)):
            work[i] = np.inf
        _sort(work, draws, rows, ranks)
        for j in range(wanted.size):
            below = ranks[2 * j]
            above = ranks[2 * j + 1]
            part = at[j] - below
            for k in range(width):
                x = work[uintp(below * LANES) + uintp(k)]
                y = work[uintp(above * LANES) + uintp(k)]
                out[j, start + uintp(k)] = x + (y - x) * part + missing[k]
