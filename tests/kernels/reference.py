"""The kernels' formulas in plain NumPy: one row at a time, by ages rather than by offsets.

Written from the public docstrings and their literature (Preston, Heuveline & Guillot 2001; UN
Manual VI; UN WPP 2019), for reading. Age groups are (low, high) pairs, the open-ended one ends
at infinity.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.interpolate import CubicHermiteSpline
from scipy.linalg import expm

INF = math.inf


def assert_close(actual, desired, *, scale=None):
    """Equal to 1e-12 of each value, or of `scale` for differences of numbers of that size."""
    np.testing.assert_allclose(
        actual,
        desired,
        rtol=1e-12,
        atol=0.0 if scale is None else 1e-12 * float(np.nanmax(np.abs(scale))),
    )


def picks(rng, n, rows):
    """An index that reads `rows` rows for `n` rows of a batch: shared, out of order, all used."""
    return rng.permutation(np.arange(n) % rows).astype(np.int64)


# --- ages ---------------------------------------------------------------------------------------


def age_groups(lower, top=INF):
    return list(zip(lower, [*lower[1:], top], strict=True))


def count_between(counts, groups, low, high):
    """People in the groups that lie inside [low, high)."""
    inside = [low <= g_low and g_high <= high for g_low, g_high in groups]
    return float(np.sum(np.asarray(counts)[inside]))


def regroup(counts, groups, wanted):
    return np.array([count_between(counts, groups, low, high) for low, high in wanted])


def arrival_groups(start, end, interval):
    """bounds(end) ∩ (bounds(start) + t), and the bounds of those born in the interval."""
    arriving = {low + interval for low, _ in start}
    bounds = [low for low, _ in end if low in arriving or low < min(arriving)]
    return age_groups(bounds, end[-1][1])


# --- life tables --------------------------------------------------------------------------------

# Coale & Demeny (1983) West, Preston et al. table 3.3: a0 and 4a1 at m0 of 0.107 and over, and
# intercept and slope on m0 below it.
COALE_DEMENY = {
    "male": {"a0": (0.330, 0.045, 2.684), "a1": (1.352, 1.651, -2.816)},
    "female": {"a0": (0.350, 0.053, 2.800), "a1": (1.361, 1.522, -1.518)},
}
# Andreev & Kingkade (2015), table 3-2: pieces of (upper end of m0, intercept, slope).
ANDREEV_KINGKADE = {
    "male": [(0.02300, 0.14929, -1.99545), (0.08307, 0.02832, 3.26021), (INF, 0.29915, 0.0)],
    "female": [(0.01724, 0.14903, -2.05527), (0.06891, 0.04667, 3.88089), (INF, 0.31411, 0.0)],
}


def coale_demeny(which, sex, m0):
    high, intercept, slope = COALE_DEMENY[sex][which]
    return high if m0 >= 0.107 else intercept + slope * m0


def andreev_kingkade(sex, m0):
    _, intercept, slope = next(piece for piece in ANDREEV_KINGKADE[sex] if m0 < piece[0])
    return intercept + slope * m0


def years_lived_by_the_dying(mx, groups, sex, a0, rule):
    """ax of the closed groups by rule: first years of life, Greville's in wide adult groups."""
    ax = []
    for i, (low, high) in enumerate(groups[:-1]):
        n = high - low
        a = n / 2
        if (low, high) == (0, 1):
            if a0 == "coale-demeny":
                a = coale_demeny("a0", sex, mx[0])
            elif a0 == "andreev-kingkade":
                a = andreev_kingkade(sex, mx[0])
            else:
                a = a0
        elif (low, high) == (1, 5):
            a = coale_demeny("a1", sex, mx[0])
        elif rule == "greville" and n > 1 and low >= 15 and i > 0 and min(mx[i - 1], mx[i + 1]) > 0:
            before, after = groups[i - 1], groups[i + 1]
            wide = n if after[1] == INF else after[1] - after[0]
            apart = (after[0] + wide / 2) - (before[0] + before[1]) / 2
            growth = math.log(mx[i + 1] / mx[i - 1]) / apart
            a = n / 2 - n**2 / 12 * (mx[i] - growth)
            if low >= 45:
                a = max(a, 0.97)
        ax.append(a)
    return ax


def life_table(mx, groups, sex="female", a0="coale-demeny", ax="greville", radix=1.0):
    """Columns mx ax qx lx dx Lx Tx ex, and the counts of suspicious groups."""
    mx = np.asarray(mx, dtype=float)
    n = np.array([high - low for low, high in groups])
    a = ax if not isinstance(ax, str) else years_lived_by_the_dying(mx, groups, sex, a0, ax)
    a = np.array([*a[: len(groups) - 1], 1 / mx[-1]], dtype=float)
    q = np.ones(len(groups))
    q[:-1] = n[:-1] * mx[:-1] / (1 + (n[:-1] - a[:-1]) * mx[:-1])
    beyond = np.flatnonzero(q > 1)
    for i in beyond:  # a constant hazard closes the group
        alive = math.exp(-n[i] * mx[i])
        q[i] = 1 - alive
        a[i] = 1 / mx[i] - n[i] * alive / (1 - alive)
    lx = radix * np.cumprod([1.0, *(1 - q[:-1])])
    dx = lx * q
    after = np.append(lx[1:], 0.0)
    Lx = np.append(n[:-1] * after[:-1] + a[:-1] * dx[:-1], lx[-1] / mx[-1])
    Tx = np.array([Lx[i:].sum() for i in range(len(groups))])
    return {
        "mx": mx,
        "ax": a,
        "qx": q,
        "lx": lx,
        "dx": dx,
        "Lx": Lx,
        "Tx": Tx,
        "ex": Tx / lx,
        "n_qx_above_one": len(beyond),
        "n_mx_zero": int((mx == 0).sum()),
        "n_mx_high": int((mx > 2).sum()),
    }


# --- survival -----------------------------------------------------------------------------------


def survival_ratios(table_ages, lx, Tx, arrivals, interval):
    """S = (T(x) − T(x+w)) / (T(x−t) − T(x+w−t)), or / (w l0) for those born in the interval."""
    between = CubicHermiteSpline(table_ages, Tx, -np.asarray(lx))

    def T(x):
        if x == INF:
            return 0.0
        return Tx[table_ages.index(x)] if x in table_ages else float(between(x))

    ratios = []
    for low, high in arrivals:
        alive = T(low) - T(high)
        if high <= interval:
            ratios.append(alive / ((high - low) * lx[0]))
        else:
            ratios.append(alive / (T(low - interval) - T(high - interval)))
    return np.array(ratios)


def census_survival_ratios(start, start_groups, end, end_groups, interval):
    ratios = []
    for low, high in arrival_groups(start_groups, end_groups, interval):
        if high <= interval + start_groups[0][0]:
            ratios.append(math.nan)
            continue
        before = count_between(start, start_groups, low - interval, high - interval)
        ratios.append(count_between(end, end_groups, low, high) / before)
    return np.array(ratios)


# --- net migration ------------------------------------------------------------------------------


def net_migration(
    start, start_groups, end, end_groups, survival, interval, method, births=None, children="births"
):
    """Net migration, survivors expected and the counts of suspicious groups.

    `births` are those of each group born in the interval.
    """
    P0, P1 = [], []
    missing = 0
    for low, high in arrival_groups(start_groups, end_groups, interval):
        P1.append(count_between(end, end_groups, low, high))
        if high > interval + start_groups[0][0]:
            P0.append(count_between(start, start_groups, low - interval, high - interval))
        elif children == "arrivals":
            P0.append(0.0)
        elif children == "births":
            P0.append(births[len(P0)])
            missing += math.isnan(P0[-1])
        else:
            P0.append(math.nan)
    P0, P1, S = np.array(P0), np.array(P1), np.asarray(survival)
    D = P1 - S * P0
    if method in ("forward", "end"):
        M = D
    elif method == "reverse":
        M = P1 / S - P0
    elif method == "average":
        M = (D + P1 / S - P0) / 2
    elif method == "midpoint":
        M = D / np.sqrt(S)
    else:
        # P1 = S (P0 + M/2) + M/2 solved from the youngest: M_i = 2 D_i − S_i M_{i−1}
        M = np.zeros_like(D)
        M[0] = 2 * D[0]
        for i in range(1, len(M) - 1):
            M[i] = 2 * D[i] - S[i] * M[i - 1]
        M[-1] = (2 * D[-1] - S[-1] * M[-2]) / (1 + S[-1])
    return {
        "net_migration": M,
        "expected": S * P0,
        "n_survival_above_one": int((S > 1).sum()),
        "n_survival_low": int((S < 0.3).sum()) if method in ("reverse", "average") else 0,
        "n_negative": int((S * P0 < 0).sum()),
        "n_births_missing": missing,
    }


def child_woman(net_of_women, women, children, arrivals, end_groups, interval):
    """Net migration and expected number of the children born in the interval."""
    net, expected = [], []
    for low, high in arrivals:
        if high > interval:
            break
        mothers = [k for k, (a, b) in enumerate(arrivals) if a >= 15 + low and b <= 45 + low]
        ratio = count_between(children, end_groups, low, high) / count_between(
            women, end_groups, 15 + low, 45 + low
        )
        share = (low + (high - low) / 2) / interval
        net.append(share * ratio * np.sum(np.asarray(net_of_women)[mothers]))
        expected.append(count_between(children, end_groups, low, high) - net[-1])
    return np.array(net), np.array(expected)


# --- births -------------------------------------------------------------------------------------


def births_from_rates(fertility, women_start, women_end, survival, sex_ratio_at_birth, years, k):
    """Births of each sex by the step (0 the latest) of `years` in which they come.

    `fertility` has a rate, often zero, for every age group of women.
    """

    def later(women, steps):
        for _ in range(steps):
            women = np.append(0.0, women[:-1] * survival[1:])
        return women

    def earlier(women, steps):
        for _ in range(steps):
            women = np.append(women[1:] / survival[1:], 0.0)
        return women

    by_step = [
        ((k - j) * later(women_start, j) + j * earlier(women_end, k - j)) / k for j in range(k + 1)
    ]
    births = [years * np.sum(fertility * (by_step[j] + by_step[j + 1]) / 2) for j in range(k)]
    births = np.array(births[::-1])  # the first to be born are the oldest at the end
    girls = births / (1 + sex_ratio_at_birth)
    return {"female": girls, "male": births - girls}


# --- projections --------------------------------------------------------------------------------


def one_older(people, born):
    """Everyone in the next group, the open-ended one pooled with the one before it."""
    older = np.append(born, people[:-1])
    older[-1] += people[-1]
    return older


def step_population(P0, S, fertility, srb, M, timing, exposure, years):
    """One step. Arguments by sex are dicts; `fertility` has a rate for every age group."""

    def one_sex(sex, born):
        if timing == "end":
            return S[sex] * one_older(P0[sex], born) + M[sex]
        if timing == "even":
            return S[sex] * one_older(P0[sex] + M[sex] / 2, born) + M[sex] / 2
        return S[sex] * one_older(P0[sex], born) + np.sqrt(S[sex]) * M[sex]

    before, after = P0["female"], one_sex("female", 0.0)  # women of childbearing age
    if exposure == "ccmpp":
        if timing == "end":
            after = after - M["female"]
        else:
            before = before + M["female"] / 2
    births = years * fertility * (before + after) / 2
    born = {"female": births / (1 + srb), "male": births * srb / (1 + srb)}
    P1, deaths = {}, {}
    for sex in P0:
        newborn = born[sex].sum()
        P1[sex] = one_sex(sex, newborn)
        exposed = P0[sex] + M[sex] / 2 if timing == "even" else P0[sex]
        deaths[sex] = one_older(exposed, newborn) * (1 - S[sex])
        if timing == "midpoint":
            deaths[sex] = deaths[sex] + M[sex] * (1 - np.sqrt(S[sex]))
    return P1, born, deaths


def stayers(P0, S, fertility, srb, years):
    """The population at the end of a step in which nobody comes."""
    nobody = {sex: 0.0 * people for sex, people in P0.items()}
    return step_population(P0, S, fertility, srb, nobody, "end", "with-migrants", years)[0]


def one_sided(total, profile):
    """The profile with its gains (or its losses) scaled, so that it sums to the total."""
    gains, losses = profile[profile > 0].sum(), -profile[profile < 0].sum()
    if total >= 0:
        return np.where(profile > 0, profile * (total + losses) / gains, profile)
    return np.where(profile < 0, profile * (gains - total) / losses, profile)


def flow_difference(total, inflow, weights, people, rule, years):
    """Net migrants of one sex by age. `weights`: of those who leave; `people` in all."""
    intercept, slope_gain, slope_loss, least = rule[:4]
    r = total / (years * people)
    if r >= 0:
        out = max(intercept + slope_gain * r - r, least)
        come = r + out
    else:
        come = max(intercept + slope_loss * r, least)
        out = come - r
    return years * people * (come * inflow - out * weights / weights.sum())


def deaths_by_age(cohort, shares):
    """Deaths by completed age at death, from those by group arrived in and separation factors."""
    deaths = np.zeros(len(cohort))
    deaths[0] = cohort[0]
    for x, share in enumerate(shares):  # the cohort that leaves group x
        deaths[x] += share * cohort[x + 1]
        deaths[x + 1] += (1 - share) * cohort[x + 1]
    return deaths


def step_stock(P0, S, arrivals, hazard, timing, years, entering=0.0):
    """One step of a migrant stock: people after it, deaths and emigrants by group arrived in."""
    M = arrivals
    mean_hazard = np.append(hazard[0] / 2, (hazard[:-1] + hazard[1:]) / 2)
    last = len(P0) - 1
    # Each flow of people at risk: from where, to which group, S and E over their exposure.
    E = np.exp(-years * mean_hazard)
    at_start = P0 + M / 2 if timing == "even" else P0
    flows = [(entering, 0, S[0], E[0])]
    flows += [(at_start[i - 1], i, S[i], E[i]) for i in range(1, last + 1)]
    flows += [(at_start[last], last, S[last], math.exp(-years * hazard[last]))]
    if timing == "midpoint":
        flows += [(M[i], i, math.sqrt(S[i]), math.sqrt(E[i])) for i in range(last + 1)]
    P1, deaths, emigrants = np.zeros(last + 1), np.zeros(last + 1), np.zeros(last + 1)
    for people, to, s, e in flows:
        lost = people * (1 - s * e)
        if s >= 1:  # a census survival ratio
            left = people * s * (1 - e)
        elif s == 0 or e == 1:  # an infinite hazard of dying, or none of leaving
            left = 0.0 * people  # of an unknown number, unknown
        else:
            left = lost * math.log(e) / (math.log(e) + math.log(s))
        P1[to] += people * s * e
        emigrants[to] += left
        deaths[to] += lost - left
    P1 += {"end": M, "even": M / 2, "midpoint": 0 * M}[timing]
    return P1, deaths, emigrants


def step_stock_by_duration(P0, S, arrivals, hazard, timing, years):
    """The same by duration of residence (rows: completed steps, the last open-ended) and age.

    S and the hazards are by both; those who arrive are in the first duration throughout.
    """
    M = arrivals
    durations, ages = P0.shape
    P1, deaths, emigrants = (np.zeros(P0.shape) for _ in range(3))

    def carry(people, d0, x0, d1, x1, part=1.0):
        """Move on by an age group and a duration, with hazards over a part of the step."""
        s = S[d1, x1] ** part
        mean_hazard = (hazard[d0, x0] + hazard[d1, x1]) / 2 if x0 >= 0 else hazard[d1, x1] / 2
        e = math.exp(-years * part * mean_hazard)
        lost = people * (1 - s * e)
        left = 0.0 if e == 1 else lost * math.log(e) / (math.log(e) + math.log(s))
        P1[d1, x1] += people * s * e
        emigrants[d1, x1] += left
        deaths[d1, x1] += lost - left

    for x0 in range(ages):
        x1 = min(x0 + 1, ages - 1)
        for d0 in range(durations):
            carry(P0[d0, x0], d0, x0, min(d0 + 1, durations - 1), x1)
        if timing == "even":
            carry(M[x0] / 2, 0, x0, 0, x1)
        if timing == "midpoint":
            carry(M[x0], 0, x0 - 1, 0, x0, part=0.5)
    P1[0] += {"end": M, "even": M / 2, "midpoint": 0 * M}[timing]
    return P1, deaths, emigrants


def step_world(N, S, hazard, fertility, srb, destinations, years, women):
    """One step of people by country, birthplace, sex and age.

    `destinations`: (birthplace, origin, destination); the rates have all dims, and `fertility`
    a rate for every age group by country and birthplace.
    """
    countries, ages = len(N), N.shape[3]
    zeros = {
        name: np.zeros(N.shape) for name in ("stock", "deaths_cohort", "emigrants", "arrivals")
    }
    births = np.zeros((countries, countries, 2, ages))

    def carry(people, c, b, sex, x0, x1):
        s = S[c, b, sex, x1]
        mu = (hazard[c, b, sex, x1] + (hazard[c, b, sex, x0] if x0 >= 0 else 0.0)) / 2
        e = math.exp(-years * mu)
        lost = people * (1 - s * e)
        left = 0.0 if e == 1 else lost * math.log(e) / (math.log(e) + math.log(s))
        zeros["stock"][c, b, sex, x1] += people * s * e
        zeros["emigrants"][c, b, sex, x1] += left
        zeros["deaths_cohort"][c, b, sex, x1] += lost - left
        for d in range(countries):
            came = destinations[b, c, d] * left
            zeros["arrivals"][d, b, sex, x1] += came
            zeros["stock"][d, b, sex, x1] += came

    for c, b, sex, x in np.ndindex(N.shape):
        carry(N[c, b, sex, x], c, b, sex, x, min(x + 1, ages - 1))
    for c in range(countries):
        for b in range(countries):
            exposed = (N[c, b, women] + zeros["stock"][c, b, women]) / 2
            born = years * fertility[c, b] * exposed
            births[c, b, women] = born / (1 + srb[c])
            births[c, b, 1 - women] = born * srb[c] / (1 + srb[c])
    for c in range(countries):
        for sex in range(2):
            carry(births[c, :, sex].sum(), c, c, sex, -1, 0)
    return {**zeros, "births": births}


# --- regions ------------------------------------------------------------------------------------


def transition(hazards, S, years, years_lived=None):
    """Shares of those in a region (rows) who are in each (columns) after `years`.

    Moves are possible for `years_lived` of them (a child's share of the step).
    """
    alive = S > 0  # an infinite hazard of dying elsewhere: nobody is there at the end
    Q = hazards - np.diag(hazards.sum(axis=1))
    exponent = (years if years_lived is None else years_lived) * Q[np.ix_(alive, alive)]
    P = np.zeros((len(S), len(S)))
    P[np.ix_(alive, alive)] = expm(exponent + np.diag(np.log(S[alive])))
    return P


def step_regions(N, S, fertility, srb, hazards, years, women):
    """One step of regions. N and S: (region, sex, age); hazards: (origin, destination, sex, age).

    `fertility` (region, age) has a rate for every group; `women` is their place among the sexes.
    """
    last = N.shape[2] - 1
    parts = {name: np.zeros(N.shape) for name in ("population", "deaths_cohort", "net_migration")}

    def carry(people, P, sex, to):
        arrived = people @ P
        stayed = people * np.diag(P)
        parts["population"][:, sex, to] += arrived
        parts["deaths_cohort"][:, sex, to] += people - people * P.sum(axis=1)
        parts["net_migration"][:, sex, to] += arrived - stayed - (people * P.sum(axis=1) - stayed)

    for sex in range(2):
        m = hazards[:, :, sex]
        for x in range(1, last + 1):
            P = transition((m[..., x - 1] + m[..., x]) / 2, S[:, sex, x], years)
            carry(N[:, sex, x - 1], P, sex, x)
        carry(N[:, sex, last], transition(m[..., last], S[:, sex, last], years), sex, last)
    exposed = (N[:, women] + parts["population"][:, women]) / 2
    born = years * fertility * exposed
    births = np.empty((len(N), 2, last + 1))
    births[:, women] = born / (1 + srb)[:, None]
    births[:, 1 - women] = born * (srb / (1 + srb))[:, None]
    for sex in range(2):
        P = transition(hazards[:, :, sex, 0], S[:, sex, 0], years, years_lived=years / 2)
        carry(births[:, sex].sum(axis=1), P, sex, 0)
    return {**parts, "births": births}


# --- stable populations -------------------------------------------------------------------------


def leslie(S, fertility, srb, years):
    """Women after a step (rows) for each at its start; `fertility` has a rate for every group."""
    ages = len(S)
    L = np.zeros((ages, ages))
    for x in range(1, ages):
        L[x, x - 1] = S[x]
    L[-1, -1] = S[-1]
    for j in range(ages):
        # A woman lives half the step in her group, and half in the next if she gets there.
        born = fertility[j] / 2
        if j + 1 < ages:
            born += S[j + 1] * fertility[j + 1] / 2
        L[0, j] = years * born / (1 + srb) * S[0]
    return L


def stable(L, fertility, middles, years):
    """What eigenvalues and eigenvectors say of a Leslie matrix."""
    roots, right = np.linalg.eig(L)
    reals = np.abs(roots.imag) < 1e-12 * np.abs(roots).max()
    first = np.flatnonzero(reals)[np.argmax(roots[reals].real)]
    w = right[:, first].real
    roots_of_left, left = np.linalg.eig(L.T)
    v = left[:, np.argmin(np.abs(roots_of_left - roots[first]))].real
    survivors = L.copy()
    survivors[0] = 0.0
    daughters = L - survivors
    next_generation = daughters @ np.linalg.inv(np.eye(len(L)) - survivors)
    return {
        "intrinsic_growth_rate": math.log(roots[first].real) / years,
        "age_distribution": w / w.sum(),
        "reproductive_value": v / v[0],
        "damping_ratio": roots[first].real / np.abs(np.delete(roots, first)).max(),
        "net_reproduction_rate": np.abs(np.linalg.eigvals(next_generation)).max(),
        "mean_age_of_childbearing": np.sum(middles * fertility * w) / np.sum(fertility * w),
    }
