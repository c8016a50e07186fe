"""Sums over age groups."""

from __future__ import annotations

from migproj._jit import FloatArray, IntArray, kernel


@kernel
def regroup(
    lo: int,
    hi: int,
    counts: FloatArray,  # (rows, groups)
    counts_row: IntArray,
    out: FloatArray,  # (rows, wider groups)
    out_row: IntArray,
    offsets: IntArray,  # (wider groups + 1): wider group g is the groups offsets[g]:offsets[g + 1]
) -> None:
    for b in range(lo, hi):
        source = counts_row[b]
        target = out_row[b]
        for g in range(offsets.size - 1):
            total = 0.0
            for k in range(offsets[g], offsets[g + 1]):
                total += counts[source, k]
            out[target, g] = total
