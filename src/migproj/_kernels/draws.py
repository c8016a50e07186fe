"""Uniform numbers that depend on nothing but a key, a cell and the number of a draw."""

from __future__ import annotations

import numpy as np

from migproj._jit import FloatArray, IntArray, kernel

# Philox4x32-10: multipliers, and what the two halves of the key grow by in each round.
_M0 = np.uint64(0xD2511F53)
_M1 = np.uint64(0xCD9E8D57)
_W0 = np.uint64(0x9E3779B9)
_W1 = np.uint64(0xBB67AE85)
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_TOP = np.uint64(12)
_ROUNDS = 10


@kernel
def uniform(
    lo: int,
    hi: int,
    number: IntArray,  # (rows): which draw
    number_row: IntArray,
    cell: IntArray,  # (rows, cells): 64 bits that tell the cells apart
    cell_row: IntArray,
    out: FloatArray,  # output (rows, cells): above 0 and below 1
    out_row: IntArray,
    key: IntArray,  # (1): 64 bits that tell the streams apart
) -> None:
    key0 = np.uint64(key[0]) & _LOW
    key1 = np.uint64(key[0]) >> _HALF
    for b in range(lo, hi):
        o = out_row[b]
        r = cell_row[b]
        draw = np.uint64(number[number_row[b]])
        for j in range(cell.shape[1]):
            which = np.uint64(cell[r, j])
            c0 = draw & _LOW
            c1 = draw >> _HALF
            c2 = which & _LOW
            c3 = which >> _HALF
            k0 = key0
            k1 = key1
            for _ in range(_ROUNDS):
                p0 = _M0 * c0
                p1 = _M1 * c2
                c0 = (p1 >> _HALF) ^ c1 ^ k0
                c1 = p1 & _LOW
                c2 = (p0 >> _HALF) ^ c3 ^ k1
                c3 = p0 & _LOW
                k0 = (k0 + _W0) & _LOW
                k1 = (k1 + _W1) & _LOW
            # 52 bits and a half: neither 0 nor 1 can come.
            bits = ((c1 << _HALF) | c0) >> _TOP
            out[o, j] = (np.float64(bits) + 0.5) * 2.0**-52
