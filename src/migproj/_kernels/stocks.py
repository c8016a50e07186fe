"""Projection of migrant stocks: survival, arrivals and emigration, no births."""

from __future__ import annotations

import math

import numpy as np

from migproj._jit import FloatArray, IntArray, helper, kernel, uintp

# Codes of the timing of arrivals, passed by the labelled layer.
END = 0
EVEN = 1
MIDPOINT = 2


@helper
def _leaving(survival: float, stayers: float) -> float:
    """The share who emigrate of those exposed to death and emigration, both at constant hazards."""
    if stayers == 1.0 or survival <= 0.0:  # nobody leaves, or nobody lives to leave
        return 0.0
    if survival >= 1.0:  # a census survival ratio: no deaths to share with
        return survival * (1.0 - stayers)
    out = math.log(stayers)
    share: float = (1.0 - survival * stayers) * out / (out + math.log(survival))
    return share


@kernel
def exits(
    lo: int,
    hi: int,
    survival: FloatArray,  # (rows, periods or 1, ages): by age of arrival
    survival_row: IntArray,
    hazard: FloatArray,  # (rows, periods or 1, ages): of emigrating, a year, by completed age
    hazard_row: IntArray,
    staying: FloatArray,  # outputs (rows, periods, ages + 1): see below
    leaving: FloatArray,
    staying_half: FloatArray,  # (rows, periods, ages): over the second half of the step
    leaving_half: FloatArray,
    out_row: IntArray,
    step: float,
) -> None:
    """Shares who stay and live, and who emigrate, by the group arrived in.

    The last entry is for those already in the open-ended group, who stay exposed to its own
    hazard. The stocks of all birthplaces that share survival and hazards share these.
    """
    ages = survival.shape[2]
    for b in range(lo, hi):
        o = out_row[b]
        for p in range(staying.shape[1]):
            ps = min(p, survival.shape[1] - 1)
            ph = min(p, hazard.shape[1] - 1)
            for i in range(ages):
                s = survival[survival_row[b], ps, i]
                mu = hazard[hazard_row[b], ph, i]
                if i > 0:
                    mu += hazard[hazard_row[b], ph, i - 1]
                stay = math.exp(-0.5 * step * mu)
                staying[o, p, i] = s * stay
                leaving[o, p, i] = _leaving(s, stay)
                staying_half[o, p, i] = math.sqrt(s * stay)
                leaving_half[o, p, i] = _leaving(math.sqrt(s), math.sqrt(stay))
            s = survival[survival_row[b], ps, ages - 1]
            stay = math.exp(-step * hazard[hazard_row[b], ph, ages - 1])
            staying[o, p, ages] = s * stay
            leaving[o, p, ages] = _leaving(s, stay)


@kernel
def project_stocks(
    lo: int,
    hi: int,
    start: FloatArray,  # (rows, ages)
    start_row: IntArray,
    staying: FloatArray,  # (rows, periods or 1, ages + 1): see exits
    staying_row: IntArray,
    leaving: FloatArray,  # (rows, periods or 1, ages + 1)
    leaving_row: IntArray,
    staying_half: FloatArray,  # (rows, periods or 1, ages)
    staying_half_row: IntArray,
    leaving_half: FloatArray,  # (rows, periods or 1, ages)
    leaving_half_row: IntArray,
    arrivals: FloatArray,  # (rows, periods or 1, ages)
    arrivals_row: IntArray,
    timing: IntArray,  # (rows): codes above
    timing_row: IntArray,
    stock: FloatArray,  # outputs (rows, periods + 1, ages); no periods: not wanted
    deaths: FloatArray,  # (rows, periods, ages): by age of arrival
    emigrants: FloatArray,  # (rows, periods, ages): by age of arrival
    applied: FloatArray,  # (rows, periods, ages)
    n_negative: IntArray,  # (rows)
    out_row: IntArray,
    periods: int,
    entering: float,  # people entering the first group: 0 from age 0, else unknown (NaN)
) -> None:
    ages = uintp(start.shape[1])
    one = uintp(1)
    last = ages - one
    start_ = start.reshape(-1)
    staying_ = staying.reshape(-1)
    leaving_ = leaving.reshape(-1)
    staying_half_ = staying_half.reshape(-1)
    leaving_half_ = leaving_half.reshape(-1)
    arrivals_ = arrivals.reshape(-1)
    # What is not wanted is worked on rows that stay in the nearest cache.
    keeps_stock = stock.shape[1] > 0
    keeps_deaths = deaths.shape[1] > 0
    keeps_emigrants = emigrants.shape[1] > 0
    stock_ = stock.reshape(-1) if keeps_stock else np.empty(2 * start.shape[1])
    deaths_ = deaths.reshape(-1) if keeps_deaths else np.empty(start.shape[1])
    emigrants_ = emigrants.reshape(-1) if keeps_emigrants else np.empty(start.shape[1])
    applied_ = applied.reshape(-1)
    for b in range(lo, hi):
        o = out_row[b]
        code = timing[timing_row[b]]
        source = uintp(start_row[b]) * ages
        now = uintp(o * (periods + 1)) * ages if keeps_stock else uintp(0)
        for k in range(ages):
            stock_[now + uintp(k)] = start_[source + uintp(k)]
        negative = 0
        for p in range(periods):
            s = uintp(staying_row[b] * staying.shape[1] + min(p, staying.shape[1] - 1))
            s = s * (ages + one)
            e = uintp(leaving_row[b] * leaving.shape[1] + min(p, leaving.shape[1] - 1))
            e = e * (ages + one)
            m = uintp(arrivals_row[b] * arrivals.shape[1] + min(p, arrivals.shape[1] - 1)) * ages
            out = uintp(o * periods + p) * ages
            d = out if keeps_deaths else uintp(0)
            w = out if keeps_emigrants else uintp(0)
            new = now + ages if keeps_stock else ages - now
            half = 0.5 if code == EVEN else 1.0  # of the arrivals, those at the end of the step

            # Everyone moves on by one group. Nobody survives from nobody, whatever the ratio (two
            # censuses tell none).
            for k in range(one, ages):
                i = uintp(k)
                exposed = stock_[now + i - one]
                if code == EVEN:
                    exposed += half * arrivals_[m + i - one]
                nobody = exposed == 0.0
                alive = 0.0 if nobody else staying_[s + i] * exposed
                left = 0.0 if nobody else leaving_[e + i] * exposed
                stock_[new + i] = alive
                emigrants_[w + i] = left
                deaths_[d + i] = exposed - alive - left
            alive = 0.0 if entering == 0.0 else entering
            stock_[new] = alive
            emigrants_[w] = alive
            deaths_[d] = alive
            if ages > one:
                # Those already in the open-ended group.
                exposed = stock_[now + last]
                if code == EVEN:
                    exposed += half * arrivals_[m + last]
                nobody = exposed == 0.0
                alive = 0.0 if nobody else staying_[s + ages] * exposed
                left = 0.0 if nobody else leaving_[e + ages] * exposed
                stock_[new + last] += alive
                emigrants_[w + last] += left
                deaths_[d + last] += exposed - alive - left

            if code == MIDPOINT:
                h = uintp(
                    staying_half_row[b] * staying_half.shape[1] + min(p, staying_half.shape[1] - 1)
                )
                h = h * ages
                g = uintp(
                    leaving_half_row[b] * leaving_half.shape[1] + min(p, leaving_half.shape[1] - 1)
                )
                g = g * ages
                for k in range(ages):
                    i = uintp(k)
                    came = arrivals_[m + i]
                    kept = staying_half_[h + i] * came
                    left = leaving_half_[g + i] * came
                    stock_[new + i] += kept
                    emigrants_[w + i] += left
                    deaths_[d + i] += came - kept - left
            else:
                for k in range(ages):
                    stock_[new + uintp(k)] += half * arrivals_[m + uintp(k)]
            if applied.shape[1] > 0:
                for k in range(ages):
                    applied_[out + uintp(k)] = arrivals_[m + uintp(k)]
            for k in range(ages):
                if stock_[new + uintp(k)] < 0.0:
                    negative += 1
            now = new
        n_negative[o] = negative
