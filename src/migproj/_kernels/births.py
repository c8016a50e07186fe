"""Births of an interval from fertility rates and two rounds of women."""

from __future__ import annotations

from migproj._jit import FloatArray, IntArray, helper, kernel


@helper
def _cohort(
    start: FloatArray,
    start_row: int,
    end: FloatArray,
    end_row: int,
    survival: FloatArray,
    survival_row: int,
    group: int,
    step: int,
    steps: int,
) -> float:
    """Women of a group after some steps: their cohort's two counts, each survived to then."""
    forward = 1.0
    for k in range(group - step + 1, group + 1):
        forward *= survival[survival_row, k]
    reverse = 1.0
    for k in range(group + 1, group + steps - step + 1):
        reverse /= survival[survival_row, k]
    before = 0.0 if step == steps else start[start_row, group - step] * forward
    after = 0.0 if step == 0 else end[end_row, group + steps - step] * reverse
    return ((steps - step) * before + step * after) / steps


@kernel
def births_from_rates(
    lo: int,
    hi: int,
    fertility: FloatArray,  # (rows, fertile groups)
    fertility_row: IntArray,
    start: FloatArray,  # (rows, groups of women)
    start_row: IntArray,
    end: FloatArray,  # (rows, groups of women)
    end_row: IntArray,
    survival: FloatArray,  # (rows, groups of women): over one step
    survival_row: IntArray,
    ratio: FloatArray,  # (rows): males per female
    ratio_row: IntArray,
    out: FloatArray,  # (rows, sexes female and male, groups the children arrive in)
    out_row: IntArray,
    first: int,  # the first fertile group among the women's
    years: float,  # of one step
) -> None:
    steps = out.shape[2]
    for b in range(lo, hi):
        o = out_row[b]
        for p in range(steps):
            births = 0.0
            for f in range(fertility.shape[1]):
                exposed = 0.0
                for step in range(p, p + 2):
                    exposed += 0.5 * _cohort(
                        start,
                        start_row[b],
                        end,
                        end_row[b],
                        survival,
                        survival_row[b],
                        first + f,
                        step,
                        steps,
                    )
                births += years * fertility[fertility_row[b], f] * exposed
            srb = ratio[ratio_row[b]]
            youngest = steps - 1 - p
            out[o, 0, youngest] = births / (1.0 + srb)
            out[o, 1, youngest] = births * srb / (1.0 + srb)
