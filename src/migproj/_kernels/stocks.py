"""Projection of migrant stocks: survival, arrivals and emigration, no births."""

from __future__ import annotations

import math

import numpy as np

from migproj._jit import FloatArray, IntArray, inline_helper, kernel, uintp

# Codes of the timing of arrivals, passed by the labelled layer.
END = 0
EVEN = 1
MIDPOINT = 2


@inline_helper
def _leaving(survival: float, hazard: float, stayers: float, leaving: float) -> float:
    """The share who emigrate of those exposed to death and emigration, both at constant hazards.

    Cumulated hazards: of dying -log(survival), of leaving -log(stayers).
    """
    if leaving == 0.0 or survival <= 0.0:  # nobody leaves, or nobody lives to leave
        return 0.0
    if survival >= 1.0:  # a census survival ratio: no deaths to share with
        return survival * (1.0 - stayers)
    share: float = (1.0 - survival * stayers) * leaving / (leaving + hazard)
    return share


@inline_helper
def _hazard(survival: float) -> float:
    hazard: float = -math.log(survival) if survival > 0.0 else np.inf
    return hazard


@kernel
def exits(
    lo: int,
    hi: int,
    survival: FloatArray,  # (rows, periods or 1, durations or 1, ages): by groups of arrival
    survival_row: IntArray,
    hazard: FloatArray,  # (rows, periods or 1, durations or 1, ages): of emigrating, a year
    hazard_row: IntArray,
    staying: FloatArray,  # outputs (rows, periods, moves, ages + 1): see below
    leaving: FloatArray,
    staying_half: FloatArray,  # (rows, periods, ages): over the second half of the step
    leaving_half: FloatArray,
    out_row: IntArray,
    step: float,
) -> None:
    """Shares who stay and live, and who emigrate, by the group arrived in.

    The last age is for those already in the open-ended group, who stay exposed to its own
    hazard. Moves in duration of residence are into each group, from the one before (those
    arriving in the step into the first, where they always were), and last those already in the
    open-ended one; or one move that stands for all. The stocks of all birthplaces that share
    survival and hazards share these.
    """
    ages = survival.shape[3]
    moves = staying.shape[2]
    for b in range(lo, hi):
        o = out_row[b]
        r = survival_row[b]
        h = hazard_row[b]
        for p in range(staying.shape[1]):
            ps = min(p, survival.shape[1] - 1)
            ph = min(p, hazard.shape[1] - 1)
            for move in range(moves):
                into = min(move, max(moves - 2, 0))
                ds = min(into, survival.shape[2] - 1)
                dh = min(into, hazard.shape[2] - 1)
                dh_from = min(max(move - 1, 0), hazard.shape[2] - 1)
                for i in range(ages):
                    s = survival[r, ps, ds, i]
                    mu = hazard[h, ph, dh, i]
                    if i > 0:
                        mu += hazard[h, ph, dh_from, i - 1]
                    out = 0.5 * step * mu
                    stay = math.exp(-out)
                    dying = _hazard(s)
                    staying[o, p, move, i] = s * stay
                    leaving[o, p, move, i] = _leaving(s, dying, stay, out)
                    if move == 0:
                        half = math.sqrt(stay)
                        alive = math.sqrt(s)
                        staying_half[o, p, i] = math.sqrt(s * stay)
                        leaving_half[o, p, i] = _leaving(alive, 0.5 * dying, half, 0.5 * out)
                s = survival[r, ps, ds, ages - 1]
                mu = hazard[h, ph, dh, ages - 1] + hazard[h, ph, dh_from, ages - 1]
                out = 0.5 * step * mu
                stay = math.exp(-out)
                staying[o, p, move, ages] = s * stay
                leaving[o, p, move, ages] = _leaving(s, _hazard(s), stay, out)


@kernel
def project_stocks(
    lo: int,
    hi: int,
    start: FloatArray,  # (rows, durations, ages)
    start_row: IntArray,
    staying: FloatArray,  # (rows, periods or 1, moves, ages + 1): see exits
    staying_row: IntArray,
    leaving: FloatArray,  # (rows, periods or 1, moves, ages + 1)
    leaving_row: IntArray,
    staying_half: FloatArray,  # (rows, periods or 1, ages)
    staying_half_row: IntArray,
    leaving_half: FloatArray,  # (rows, periods or 1, ages)
    leaving_half_row: IntArray,
    arrivals: FloatArray,  # (rows, periods or 1, ages)
    arrivals_row: IntArray,
    timing: IntArray,  # (rows): codes above
    timing_row: IntArray,
    stock: FloatArray,  # outputs (rows, periods + 1, durations, ages); no periods: not wanted
    deaths: FloatArray,  # (rows, periods, durations, ages): by groups of arrival
    emigrants: FloatArray,  # (rows, periods, durations, ages): by groups of arrival
    applied: FloatArray,  # (rows, periods, ages)
    n_negative: IntArray,  # (rows)
    out_row: IntArray,
    periods: int,
    entering: float,  # people entering the first group: 0 from age 0, else unknown (NaN)
) -> None:
    durations = start.shape[1]
    ages = start.shape[2]
    row = durations * ages
    moves = staying.shape[2]
    one = uintp(1)
    last = uintp(ages - 1)
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
    stock_ = stock.reshape(-1) if keeps_stock else np.empty(2 * row)
    deaths_ = deaths.reshape(-1) if keeps_deaths else np.empty(row)
    emigrants_ = emigrants.reshape(-1) if keeps_emigrants else np.empty(row)
    applied_ = applied.reshape(-1)
    for b in range(lo, hi):
        o = out_row[b]
        code = timing[timing_row[b]]
        now = o * (periods + 1) * row if keeps_stock else 0
        for k in range(uintp(row)):
            stock_[uintp(now) + uintp(k)] = start_[uintp(start_row[b] * row) + uintp(k)]
        negative = 0
        for p in range(periods):
            s = staying_row[b] * staying.shape[1] + min(p, staying.shape[1] - 1)
            s = s * moves * (ages + 1)
            e = leaving_row[b] * leaving.shape[1] + min(p, leaving.shape[1] - 1)
            e = e * moves * (ages + 1)
            m = uintp((arrivals_row[b] * arrivals.shape[1] + min(p, arrivals.shape[1] - 1)) * ages)
            flow = o * periods + p
            d = flow * row if keeps_deaths else 0
            w = flow * row if keeps_emigrants else 0
            new = now + row if keeps_stock else row - now
            half = 0.5 if code == EVEN else 1.0  # of the arrivals, those at the end of the step
            for into in range(durations):
                # From the group before, and into the last from itself as well.
                sources = 2 if into == durations - 1 and durations > 1 else 1
                for source in range(sources):
                    since = into if source == 1 or durations == 1 else into - 1
                    arriving = code == EVEN and into == 0
                    move = uintp(min(into + source, moves - 1))
                    n = uintp(now + since * ages)
                    x = uintp(s) + move * uintp(ages + 1)
                    y = uintp(e) + move * uintp(ages + 1)
                    to = uintp(new + into * ages)
                    out = uintp(w + into * ages)
                    lost = uintp(d + into * ages)
                    if source == 0:
                        stock_[to] = entering
                        emigrants_[out] = entering
                        deaths_[lost] = entering
                    # Everyone moves on by one age group. Nobody survives from nobody, whatever
                    # the ratio (two censuses tell none).
                    for k in range(last):
                        i = uintp(k)
                        j = i + one
                        exposed = stock_[n + i] if since >= 0 else 0.0
                        if arriving:
                            exposed += half * arrivals_[m + i]
                        nobody = exposed == 0.0
                        alive = 0.0 if nobody else staying_[x + j] * exposed
                        left = 0.0 if nobody else leaving_[y + j] * exposed
                        dead = exposed - alive - left
                        if source == 1:
                            alive += stock_[to + j]
                            left += emigrants_[out + j]
                            dead += deaths_[lost + j]
                        stock_[to + j] = alive
                        emigrants_[out + j] = left
                        deaths_[lost + j] = dead
                    if ages > 1:  # those already in the open-ended group
                        exposed = stock_[n + last] if since >= 0 else 0.0
                        if arriving:
                            exposed += half * arrivals_[m + last]
                        nobody = exposed == 0.0
                        alive = 0.0 if nobody else staying_[x + last + one] * exposed
                        left = 0.0 if nobody else leaving_[y + last + one] * exposed
                        stock_[to + last] += alive
                        emigrants_[out + last] += left
                        deaths_[lost + last] += exposed - alive - left
            if code == MIDPOINT:
                h = staying_half_row[b] * staying_half.shape[1]
                h = (h + min(p, staying_half.shape[1] - 1)) * ages
                g = leaving_half_row[b] * leaving_half.shape[1]
                g = (g + min(p, leaving_half.shape[1] - 1)) * ages
                for k in range(uintp(ages)):
                    i = uintp(k)
                    came = arrivals_[m + i]
                    kept = staying_half_[uintp(h) + i] * came
                    left = leaving_half_[uintp(g) + i] * came
                    stock_[uintp(new) + i] += kept
                    emigrants_[uintp(w) + i] += left
                    deaths_[uintp(d) + i] += came - kept - left
            else:
                for k in range(uintp(ages)):
                    stock_[uintp(new) + uintp(k)] += half * arrivals_[m + uintp(k)]
            if applied.shape[1] > 0:
                for k in range(uintp(ages)):
                    applied_[uintp(flow * ages) + uintp(k)] = arrivals_[m + uintp(k)]
            for k in range(uintp(row)):
                if stock_[uintp(new) + uintp(k)] < 0.0:
                    negative += 1
            now = new
        n_negative[o] = negative


@inline_helper
def _exit_shares(
    survival: FloatArray,  # from `at` on: ages
    at: int,
    dying: FloatArray,  # (ages) from `of` on: the hazards behind the ratios, cumulated
    of: int,
    hazard: FloatArray,
    by: int,
    ages: int,
    step: float,
    staying: FloatArray,  # outputs (ages + 1) from `to` on, see exits
    leaving: FloatArray,
    to: int,
) -> None:
    for i in range(ages + 1):
        into = min(i, ages - 1)
        mu = hazard[by + into]
        if i > 0:
            mu += hazard[by + i - 1]
        out = 0.5 * step * mu
        stay = math.exp(-out)
        s = survival[at + into]
        staying[to + i] = s * stay
        leaving[to + i] = _leaving(s, dying[of + into], stay, out)


@inline_helper
def _leave_or_stay(
    people: FloatArray,  # (ages) from `now` on
    now: int,
    staying: FloatArray,  # (ages + 1) from `by` on
    leaving: FloatArray,
    by: int,
    ages: int,
    after: FloatArray,  # outputs (ages) from `to` on: all but the youngest
    to: int,
    emigrants: FloatArray,
    out: int,
    deaths: FloatArray,
    lost: int,
) -> None:
    one = uintp(1)
    last = uintp(ages - 1)
    n = uintp(now)
    x = uintp(by)
    t = uintp(to)
    o = uintp(out)
    d = uintp(lost)
    for k in range(last):
        i = uintp(k)
        j = i + one
        exposed = people[n + i]
        nobody = exposed == 0.0
        alive = 0.0 if nobody else staying[x + j] * exposed
        left = 0.0 if nobody else leaving[x + j] * exposed
        after[t + j] = alive
        emigrants[o + j] = left
        deaths[d + j] = exposed - alive - left
    if ages > 1:  # those already in the open-ended group
        exposed = people[n + last]
        nobody = exposed == 0.0
        alive = 0.0 if nobody else staying[x + last + one] * exposed
        left = 0.0 if nobody else leaving[x + last + one] * exposed
        after[t + last] += alive
        emigrants[o + last] += left
        deaths[d + last] += exposed - alive - left


@inline_helper
def _send(
    share: float,
    emigrants: FloatArray,
    source: int,
    count: int,
    arrivals: FloatArray,
    target: int,
) -> None:
    """A share of the emigrants arrives. Unknown emigrants do not where the share is 0.

    Nor is a share read that nobody has, for it is unknown where nobody was seen to leave.
    """
    if math.isnan(share):
        for k in range(uintp(count)):
            if emigrants[uintp(source) + uintp(k)] != 0.0:
                arrivals[uintp(target) + uintp(k)] = math.nan
    elif share != 0.0:
        for k in range(uintp(count)):
            arrivals[uintp(target) + uintp(k)] += share * emigrants[uintp(source) + uintp(k)]


@inline_helper
def _send_of_four(
    shares: FloatArray,  # from `at` on, by rows of `width`: of four origins to four destinations
    at: int,
    width: int,
    emigrants: FloatArray,
    source: int,
    count: int,
    stride: int,  # from one country to the next
    arrivals: FloatArray,
    target: int,
) -> None:
    """The same for four origins and destinations at once, with no share that is 0 or unknown."""
    i = uintp(at)
    w = uintp(width)
    one = uintp(1)
    two = uintp(2)
    three = uintp(3)
    s00, s01, s02, s03 = shares[i], shares[i + one], shares[i + two], shares[i + three]
    i += w
    s10, s11, s12, s13 = shares[i], shares[i + one], shares[i + two], shares[i + three]
    i += w
    s20, s21, s22, s23 = shares[i], shares[i + one], shares[i + two], shares[i + three]
    i += w
    s30, s31, s32, s33 = shares[i], shares[i + one], shares[i + two], shares[i + three]
    n = uintp(stride)
    c0 = uintp(source)
    c1 = c0 + n
    c2 = c1 + n
    c3 = c2 + n
    d0 = uintp(target)
    d1 = d0 + n
    d2 = d1 + n
    d3 = d2 + n
    for j in range(uintp(count)):
        k = uintp(j)
        e0 = emigrants[c0 + k]
        e1 = emigrants[c1 + k]
        e2 = emigrants[c2 + k]
        e3 = emigrants[c3 + k]
        arrivals[d0 + k] += s00 * e0 + s10 * e1 + s20 * e2 + s30 * e3
        arrivals[d1 + k] += s01 * e0 + s11 * e1 + s21 * e2 + s31 * e3
        arrivals[d2 + k] += s02 * e0 + s12 * e1 + s22 * e2 + s32 * e3
        arrivals[d3 + k] += s03 * e0 + s13 * e1 + s23 * e2 + s33 * e3


@inline_helper
def _allot(
    emigrants: FloatArray,  # (countries, birthplaces, cells) from `out` on
    out: int,
    destinations: FloatArray,  # (birthplaces or 1, origins, destinations) from `at` on
    at: int,
    many: bool,  # whether they differ by birthplace
    countries: int,
    cells: int,
    arrivals: FloatArray,  # output (countries, birthplaces, cells) from `to` on
    to: int,
) -> None:
    stride = countries * cells
    for k in range(uintp(countries * stride)):
        arrivals[uintp(to) + uintp(k)] = 0.0
    whole = countries - countries % 4
    for b in range(countries):
        of = at + (b * countries * countries if many else 0)
        for d in range(0, countries, 4):  # what arrives there stays in the nearest cache
            for c in range(0, countries, 4):
                shares = of + c * countries + d
                zeros = c == whole or d == whole
                for i in range(16):
                    if zeros:
                        break
                    zeros = not destinations[shares + i // 4 * countries + i % 4] > 0.0
                source = out + c * stride + b * cells
                target = to + d * stride + b * cells
                if not zeros:
                    _send_of_four(
                        destinations,
                        shares,
                        countries,
                        emigrants,
                        source,
                        cells,
                        stride,
                        arrivals,
                        target,
                    )
                    continue
                for i in range(min(4, countries - c)):
                    for j in range(min(4, countries - d)):
                        _send(
                            destinations[shares + i * countries + j],
                            emigrants,
                            source + i * stride,
                            cells,
                            arrivals,
                            target + j * stride,
                        )


@kernel
def project_world(
    lo: int,
    hi: int,
    start: FloatArray,  # (rows, countries, birthplaces, sexes, ages): the same countries twice
    start_row: IntArray,
    survival: FloatArray,  # (rows, periods or 1, countries or 1, birthplaces or 1, sexes, ages)
    survival_row: IntArray,
    hazard: FloatArray,  # (rows, periods or 1, countries or 1, birthplaces or 1, sexes or 1, ages)
    hazard_row: IntArray,
    fertility: FloatArray,  # (rows, periods or 1, countries or 1, birthplaces or 1, fertile ages)
    fertility_row: IntArray,
    ratio: FloatArray,  # (rows, periods or 1, countries or 1): males per female at birth
    ratio_row: IntArray,
    destinations: FloatArray,  # (rows, periods or 1, birthplaces or 1, origins, destinations)
    destinations_row: IntArray,
    stock: FloatArray,  # outputs (rows, periods + 1, countries, birthplaces, sexes, ages)
    births: FloatArray,  # (rows, periods, countries, birthplaces of mothers, sexes, fertile ages)
    deaths: FloatArray,  # (rows, periods, countries, birthplaces, sexes, ages)
    emigrants: FloatArray,  # (rows, periods, countries, birthplaces, sexes, ages)
    arrivals: FloatArray,  # (rows, periods, countries, birthplaces, sexes, ages)
    out_row: IntArray,
    periods: int,
    first: int,  # the first fertile age group
    female: int,  # the position of women among the sexes
    step: float,
) -> None:
    """People by residence and birthplace: who leaves a country arrives in another.

    Who leaves is counted in the country of destination at the end of the step. Children are born
    where their mothers live, and are natives there.
    """
    countries = start.shape[1]
    ages = start.shape[4]
    cells = 2 * ages
    world = countries * countries * cells
    fertile = fertility.shape[4]
    bearing = countries * countries * 2 * fertile
    start_ = start.reshape(-1)
    survival_ = survival.reshape(-1)
    hazard_ = hazard.reshape(-1)
    destinations_ = destinations.reshape(-1)
    # What is not wanted is worked on arrays of its own.
    keeps_stock = stock.shape[1] > 0
    stock_ = stock.reshape(-1) if keeps_stock else np.empty(2 * world)
    births_ = births.reshape(-1) if births.shape[1] > 0 else np.empty(bearing)
    deaths_ = deaths.reshape(-1) if deaths.shape[1] > 0 else np.empty(world)
    emigrants_ = emigrants.reshape(-1) if emigrants.shape[1] > 0 else np.empty(world)
    arrivals_ = arrivals.reshape(-1) if arrivals.shape[1] > 0 else np.empty(world)
    staying = np.empty(2 * (ages + 1))
    leaving = np.empty(2 * (ages + 1))
    dying = np.empty(cells)
    own_staying = np.empty((countries, 2))  # of the youngest group of natives
    own_leaving = np.empty((countries, 2))
    by_birthplace = survival.shape[3] > 1 or hazard.shape[3] > 1
    for row in range(lo, hi):
        o = out_row[row]
        now = o * (periods + 1) * world if keeps_stock else 0
        for k in range(uintp(world)):
            stock_[uintp(now) + uintp(k)] = start_[uintp(start_row[row] * world) + uintp(k)]
        for p in range(periods):
            flow = o * periods + p
            new = now + world if keeps_stock else world - now
            lost = flow * world if deaths.shape[1] > 0 else 0
            out = flow * world if emigrants.shape[1] > 0 else 0
            came = flow * world if arrivals.shape[1] > 0 else 0
            born = flow * bearing if births.shape[1] > 0 else 0
            ps = survival_row[row] * survival.shape[1] + min(p, survival.shape[1] - 1)
            ph = hazard_row[row] * hazard.shape[1] + min(p, hazard.shape[1] - 1)
            pd = destinations_row[row] * destinations.shape[1] + min(p, destinations.shape[1] - 1)
            pd = pd * destinations.shape[2] * countries * countries
            for c in range(countries):
                sc = ps * survival.shape[2] + min(c, survival.shape[2] - 1)
                hc = ph * hazard.shape[2] + min(c, hazard.shape[2] - 1)
                for b in range(countries):
                    sb = sc * survival.shape[3] + min(b, survival.shape[3] - 1)
                    hb = hc * hazard.shape[3] + min(b, hazard.shape[3] - 1)
                    for sex in range(2):
                        if b == 0 or by_birthplace:
                            hs = hb * hazard.shape[4] + min(sex, hazard.shape[4] - 1)
                            at = (sb * 2 + sex) * ages
                            if b == 0 or survival.shape[3] > 1:
                                for i in range(ages):
                                    dying[sex * ages + i] = _hazard(survival_[at + i])
                            _exit_shares(
                                survival_,
                                at,
                                dying,
                                sex * ages,
                                hazard_,
                                hs * ages,
                                ages,
                                step,
                                staying,
                                leaving,
                                sex * (ages + 1),
                            )
                        if b == c:
                            own_staying[c, sex] = staying[sex * (ages + 1)]
                            own_leaving[c, sex] = leaving[sex * (ages + 1)]
                        at = (c * countries + b) * cells + sex * ages
                        stock_[new + at] = 0.0
                        emigrants_[out + at] = 0.0
                        deaths_[lost + at] = 0.0
                        _leave_or_stay(
                            stock_,
                            now + at,
                            staying,
                            leaving,
                            sex * (ages + 1),
                            ages,
                            stock_,
                            new + at,
                            emigrants_,
                            out + at,
                            deaths_,
                            lost + at,
                        )
            many = destinations.shape[2] > 1
            _allot(emigrants_, out, destinations_, pd, many, countries, cells, arrivals_, came)
            for k in range(uintp(world)):
                stock_[uintp(new) + uintp(k)] += arrivals_[uintp(came) + uintp(k)]
            pf = min(p, fertility.shape[1] - 1)
            for c in range(countries):
                srb = ratio[ratio_row[row], min(p, ratio.shape[1] - 1), min(c, ratio.shape[2] - 1)]
                cf = min(c, fertility.shape[2] - 1)
                children = 0.0
                for b in range(countries):
                    bf = min(b, fertility.shape[3] - 1)
                    women = (c * countries + b) * cells + female * ages + first
                    to = born + (c * countries + b) * 2 * fertile
                    for k in range(fertile):
                        exposed = 0.5 * (stock_[now + women + k] + stock_[new + women + k])
                        both = step * fertility[fertility_row[row], pf, cf, bf, k] * exposed
                        births_[to + female * fertile + k] = both / (1.0 + srb)
                        births_[to + (1 - female) * fertile + k] = both * srb / (1.0 + srb)
                        children += both
                for sex in range(2):
                    exposed = children / (1.0 + srb)
                    if sex != female:
                        exposed *= srb
                    alive = own_staying[c, sex] * exposed
                    left = own_leaving[c, sex] * exposed
                    own = (c * countries + c) * cells + sex * ages
                    stock_[new + own] += alive
                    emigrants_[out + own] = left
                    deaths_[lost + own] = exposed - alive - left
                    of = pd + (c * countries * countries if many else 0) + c * countries
                    for d in range(countries):
                        share = destinations_[of + d]
                        if share != 0.0 and left != 0.0:
                            at = (d * countries + c) * cells + sex * ages
                            arrivals_[came + at] = share * left
                            stock_[new + at] += share * left
            now = new
