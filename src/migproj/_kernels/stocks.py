"""Projection of migrant stocks: survival, arrivals and emigration, no births."""

from __future__ import annotations

import math

from migproj._jit import FloatArray, IntArray, helper, kernel

# Codes of the timing of arrivals, passed by the labelled layer.
END = 0
EVEN = 1
MIDPOINT = 2


@helper
def _leavers(exposed: float, survival: float, stayers: float) -> float:
    """Emigrants among those exposed to death and emigration, both at constant hazards."""
    if stayers == 1.0 or survival <= 0.0:  # nobody leaves, or nobody lives to leave
        return 0.0 * exposed  # missing stays missing
    if survival >= 1.0:  # a census survival ratio: no deaths to share with
        return exposed * survival * (1.0 - stayers)
    out = math.log(stayers)
    return exposed * (1.0 - survival * stayers) * out / (out + math.log(survival))


@kernel
def project_stocks(
    lo: int,
    hi: int,
    start: FloatArray,  # (rows, ages)
    start_row: IntArray,
    survival: FloatArray,  # (rows, periods or 1, ages): by age of arrival
    survival_row: IntArray,
    arrivals: FloatArray,  # (rows, periods or 1, ages)
    arrivals_row: IntArray,
    hazard: FloatArray,  # (rows, periods or 1, ages): of emigrating, a year, by completed age
    hazard_row: IntArray,
    timing: IntArray,  # (rows): codes above
    timing_row: IntArray,
    stock: FloatArray,  # outputs (rows, periods + 1, ages)
    deaths: FloatArray,  # (rows, periods, ages): by age of arrival
    emigrants: FloatArray,  # (rows, periods, ages): by age of arrival
    applied: FloatArray,  # (rows, periods, ages)
    n_negative: IntArray,  # (rows)
    out_row: IntArray,
    entering: float,  # people entering the first group: 0 from age 0, else unknown (NaN)
    step: float,
) -> None:
    ages = start.shape[1]
    last = ages - 1
    for b in range(lo, hi):
        o = out_row[b]
        code = timing[timing_row[b]]
        for i in range(ages):
            stock[o, 0, i] = start[start_row[b], i]
        negative = 0
        for p in range(deaths.shape[1]):
            rs = survival_row[b]
            ps = min(p, survival.shape[1] - 1)
            ra = arrivals_row[b]
            pa = min(p, arrivals.shape[1] - 1)
            rh = hazard_row[b]
            ph = min(p, hazard.shape[1] - 1)
            for i in range(ages):
                s = survival[rs, ps, i]
                m = arrivals[ra, pa, i]
                mu = hazard[rh, ph, i]
                if i == 0:
                    exposed = entering
                    stay = math.exp(-0.5 * step * mu)
                else:
                    exposed = stock[o, p, i - 1]
                    if code == EVEN:
                        exposed += 0.5 * arrivals[ra, pa, i - 1]
                    stay = math.exp(-0.5 * step * (hazard[rh, ph, i - 1] + mu))
                # Nobody survives from nobody, whatever the ratio (two censuses tell none).
                after = 0.0 if exposed == 0.0 else s * stay * exposed
                left = 0.0 if exposed == 0.0 else _leavers(exposed, s, stay)
                gone = exposed - after
                if i == last and ages > 1:
                    # Those already in the open-ended group stay exposed to its own hazard.
                    exposed = stock[o, p, i]
                    if code == EVEN:
                        exposed += 0.5 * m
                    stay_open = math.exp(-step * mu)
                    survivors = s * stay_open * exposed
                    after += survivors
                    left += _leavers(exposed, s, stay_open)
                    gone += exposed - survivors
                if code == END:
                    after += m
                elif code == EVEN:
                    after += 0.5 * m
                else:
                    stay_half = math.sqrt(stay)
                    kept = math.sqrt(s) * stay_half * m
                    after += kept
                    left += _leavers(m, math.sqrt(s), stay_half)
                    gone += m - kept
                stock[o, p + 1, i] = after
                emigrants[o, p, i] = left
                deaths[o, p, i] = gone - left
                applied[o, p, i] = m
                if after < 0.0:
                    negative += 1
        n_negative[o] = negative
