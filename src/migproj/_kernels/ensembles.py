"""Projection of which only sums over ages are wanted, as of many draws: no cell is stored.

Rows of the batch go together, one in each lane of the vector registers. The arithmetic of a lane
is written out and its order kept (`strict_kernel`), so that a row has the same bits wherever it
stands and whatever goes beside it.
"""

from __future__ import annotations

import math

import numpy as np

from migproj._jit import FloatArray, IntArray, strict_helper, strict_kernel, uintp

#: Rows that go together.
LANES = 8

# Codes of the timing of migration, as in _kernels.projection.
END = 0
EVEN = 1
MIDPOINT = 2

Lanes = tuple[float, float, float, float, float, float, float, float]


@strict_helper
def _load(values: FloatArray, at: int) -> Lanes:
    i = uintp(at)
    return (
        values[i],
        values[i + uintp(1)],
        values[i + uintp(2)],
        values[i + uintp(3)],
        values[i + uintp(4)],
        values[i + uintp(5)],
        values[i + uintp(6)],
        values[i + uintp(7)],
    )


@strict_helper
def _store(values: FloatArray, at: int, new: Lanes) -> None:
    i = uintp(at)
    values[i] = new[0]
    values[i + uintp(1)] = new[1]
    values[i + uintp(2)] = new[2]
    values[i + uintp(3)] = new[3]
    values[i + uintp(4)] = new[4]
    values[i + uintp(5)] = new[5]
    values[i + uintp(6)] = new[6]
    values[i + uintp(7)] = new[7]


@strict_helper
def _spread(x: float) -> Lanes:
    return x, x, x, x, x, x, x, x


@strict_helper
def _plus(a: Lanes, b: Lanes) -> Lanes:
    return (
        a[0] + b[0],
        a[1] + b[1],
        a[2] + b[2],
        a[3] + b[3],
        a[4] + b[4],
        a[5] + b[5],
        a[6] + b[6],
        a[7] + b[7],
    )


@strict_helper
def _times(a: Lanes, b: Lanes) -> Lanes:
    return (
        a[0] * b[0],
        a[1] * b[1],
        a[2] * b[2],
        a[3] * b[3],
        a[4] * b[4],
        a[5] * b[5],
        a[6] * b[6],
        a[7] * b[7],
    )


@strict_helper
def _less(a: Lanes, b: Lanes) -> Lanes:
    return _plus(a, _times(_spread(-1.0), b))


@strict_helper
def _girls(children: Lanes, srb: Lanes) -> Lanes:
    """Girls among children, of whom there are so many boys a girl."""
    return (
        children[0] / (1.0 + srb[0]),
        children[1] / (1.0 + srb[1]),
        children[2] / (1.0 + srb[2]),
        children[3] / (1.0 + srb[3]),
        children[4] / (1.0 + srb[4]),
        children[5] / (1.0 + srb[5]),
        children[6] / (1.0 + srb[6]),
        children[7] / (1.0 + srb[7]),
    )


@strict_helper
def _lower(a: Lanes, b: Lanes) -> Lanes:
    """The lower of the two; `a` where either is NaN."""
    return (
        b[0] if b[0] < a[0] else a[0],
        b[1] if b[1] < a[1] else a[1],
        b[2] if b[2] < a[2] else a[2],
        b[3] if b[3] < a[3] else a[3],
        b[4] if b[4] < a[4] else a[4],
        b[5] if b[5] < a[5] else a[5],
        b[6] if b[6] < a[6] else a[6],
        b[7] if b[7] < a[7] else a[7],
    )


@strict_helper
def _rate(rates: FloatArray, k: int, own: bool) -> Lanes:
    """The rates of every lane for the group `k`: their own, or those they share."""
    if own:
        return _load(rates, uintp(k) * uintp(LANES))
    return _spread(rates[uintp(k)])


@strict_helper
def _pick(values: FloatArray, at: IntArray, beyond: int) -> Lanes:
    """A value of every lane, each from a place of its own."""
    i = uintp(beyond)
    return (
        values[uintp(at[0]) + i],
        values[uintp(at[1]) + i],
        values[uintp(at[2]) + i],
        values[uintp(at[3]) + i],
        values[uintp(at[4]) + i],
        values[uintp(at[5]) + i],
        values[uintp(at[6]) + i],
        values[uintp(at[7]) + i],
    )


@strict_helper
def _scatter(
    values: Lanes, out: FloatArray, rows: IntArray, size: int, beyond: int, used: int
) -> None:
    """The first `used` lanes, each to a row of its own."""
    for lane in range(used):
        out[uintp(rows[lane] * size + beyond)] = values[lane]


@strict_helper
def _fill(
    source: FloatArray,
    at: IntArray,  # of every lane: where its rates begin
    beyond: int,
    n: int,
    out: FloatArray,  # output (n x lanes)
) -> None:
    for j in range(uintp(n)):
        k = uintp(j)
        _store(out, k * uintp(LANES), _pick(source, at, uintp(beyond) + k))


@strict_helper
def _settle(
    code: int,
    ages: int,
    alive: FloatArray,  # survival ratios, ((sexes x ages) x lanes) or (sexes x ages), from a place
    alive_at: int,
    shares: FloatArray,  # of migrants, likewise
    shares_at: int,
    lanes: int,
    settled: FloatArray,  # output: those alive in the group at the end, of one in all
    settled_at: int,
) -> None:
    """Of one migrant of all ages, those at the end of the step in the groups they arrive in."""
    n = uintp(2 * ages * lanes)
    a = uintp(alive_at)
    b = uintp(shares_at)
    c = uintp(settled_at)
    if code == END:
        for j in range(n):
            settled[c + uintp(j)] = shares[b + uintp(j)]
    elif code == MIDPOINT:
        for j in range(n):
            k = uintp(j)
            settled[c + k] = math.sqrt(alive[a + k]) * shares[b + k]
    else:
        one = uintp(lanes)
        for sex in range(2):
            first = uintp(sex * ages * lanes)
            for j in range(one):
                k = first + uintp(j)
                settled[c + k] = 0.5 * shares[b + k]
            for j in range(uintp(ages * lanes) - one):
                k = first + uintp(j)
                here = 0.5 * shares[b + k + one]
                settled[c + k + one] = here + alive[a + k + one] * (0.5 * shares[b + k])
            last = first + uintp((ages - 1) * lanes)
            for j in range(one):
                k = last + uintp(j)
                settled[c + k] += alive[a + k] * (0.5 * shares[b + k])


@strict_helper
def _older(
    state: FloatArray,
    k: int,
    alive: FloatArray,
    alive_at: int,
    settled: FloatArray,
    settled_at: int,
    own: bool,
    migrants: Lanes,
) -> Lanes:
    """Into group `k` those of the group below it, and its migrants."""
    lanes = uintp(LANES)
    survivors = _load(state, (uintp(k) - uintp(1)) * lanes)
    new = _times(_rate(alive, uintp(alive_at) + uintp(k), own), survivors)
    new = _plus(new, _times(_rate(settled, uintp(settled_at) + uintp(k), own), migrants))
    _store(state, uintp(k) * lanes, new)
    return new


@strict_helper
def _move_on(
    state: FloatArray,  # ((sexes x ages) x lanes), changed
    sex: int,
    ages: int,
    groups: IntArray,
    alive: FloatArray,
    alive_at: int,
    settled: FloatArray,
    settled_at: int,
    own: bool,
    migrants: Lanes,  # of all ages
    sums: FloatArray,  # output ((sexes x groups) x lanes)
) -> Lanes:
    """Everyone of one sex a group older, but no newborn; returns the lowest number that results."""
    one = uintp(1)
    lanes = uintp(LANES)
    last = uintp(sex * ages + ages - 1)
    old = _times(_rate(alive, uintp(alive_at) + last, own), _load(state, last * lanes))
    lowest = _spread(math.inf)
    n = groups.size - 1
    k = last  # from the oldest down: each moves to where nobody is any more
    for g in range(n - 1, -1, -1):
        total = old
        for _ in range(groups[g + 1] - max(groups[g], 1)):
            new = _older(state, k, alive, alive_at, settled, settled_at, own, migrants)
            total = _plus(total, new)
            lowest = _lower(lowest, new)
            k -= one
        _store(sums, uintp(sex * n + g) * lanes, total)
        if g == n - 1:  # those who stay in the open-ended group
            new = _plus(_load(state, last * lanes), old)
            _store(state, last * lanes, new)
            lowest = _lower(lowest, new)
            old = _spread(0.0)
    return lowest


@strict_helper
def _both_move_on(
    state: FloatArray,
    ages: int,
    groups: IntArray,
    alive: FloatArray,
    alive_at: int,
    settled: FloatArray,
    settled_at: int,
    own: bool,
    migrants0: Lanes,
    migrants1: Lanes,
    sums: FloatArray,
) -> Lanes:
    """`_move_on` of both sexes."""
    return _lower(
        _move_on(
            state, 0, ages, groups, alive, alive_at, settled, settled_at, own, migrants0, sums
        ),
        _move_on(
            state, 1, ages, groups, alive, alive_at, settled, settled_at, own, migrants1, sums
        ),
    )


@strict_helper
def _enter(
    state: FloatArray,
    k: int,  # the youngest group of a sex
    alive: FloatArray,
    alive_at: int,
    settled: FloatArray,
    settled_at: int,
    own: bool,
    born: Lanes,
    migrants: Lanes,
) -> Lanes:
    """Those born in the step, at its end, with the migrants among them."""
    new = _times(_rate(alive, uintp(alive_at) + uintp(k), own), born)
    new = _plus(new, _times(_rate(settled, uintp(settled_at) + uintp(k), own), migrants))
    _store(state, uintp(k) * uintp(LANES), new)
    return new


@strict_helper
def _count_negative(state: FloatArray, n: int, lane: int) -> int:
    negative = 0
    for k in range(n):
        if state[uintp(k) * uintp(LANES) + uintp(lane)] < 0.0:
            negative += 1
    return negative


@strict_helper
def _dot(
    rates: FloatArray,
    first_rate: int,
    own: bool,
    values: FloatArray,
    first: int,
    n: int,
    own_values: bool,
) -> Lanes:
    """Sum of the products of `n` groups: even and odd apart, for a sum waits for its last term."""
    one = uintp(1)
    i = uintp(first_rate)
    k = uintp(first)
    even = _spread(0.0)
    odd = _spread(0.0)
    for _ in range(n // 2):
        even = _plus(even, _times(_rate(rates, i, own), _rate(values, k, own_values)))
        later = _times(_rate(rates, i + one, own), _rate(values, k + one, own_values))
        odd = _plus(odd, later)
        i += uintp(2)
        k += uintp(2)
    if n % 2 == 1:
        even = _plus(even, _times(_rate(rates, i, own), _rate(values, k, own_values)))
    return _plus(even, odd)


@strict_helper
def _sum(state: FloatArray, groups: IntArray, sums: FloatArray) -> None:
    """Sums over groups of both sexes."""
    n = groups.size - 1
    at = uintp(0)
    for sex in range(2):
        for g in range(n):
            total = _spread(0.0)
            for _ in range(groups[g + 1] - groups[g]):
                total = _plus(total, _load(state, at))
                at += uintp(LANES)
            _store(sums, uintp(sex * n + g) * uintp(LANES), total)


@strict_helper
def _write(
    sums: FloatArray,
    n: int,
    out: FloatArray,  # output (rows, steps x sexes x groups)
    rows: IntArray,
    size: int,
    beyond: int,
    used: int,
) -> None:
    for k in range(n):
        _scatter(_load(sums, uintp(k) * uintp(LANES)), out, rows, size, beyond + k, used)


@strict_helper
def _alike(rows: IntArray, lowest: int, highest: int) -> int:
    """How many rows from `lowest` on have the same rates as it."""
    b = lowest + 1
    while b < highest and rows[b] == rows[lowest]:
        b += 1
    return b - lowest


@strict_helper
def _places(rows: IntArray, size: int, lowest: int, used: int, at: IntArray) -> None:
    """Where the row of every lane begins; lanes not in use have the last one's."""
    for lane in range(LANES):
        at[lane] = rows[lowest + min(lane, used - 1)] * size


@strict_kernel
def project_sums(
    lo: int,
    hi: int,
    start: FloatArray,  # (rows, 1, sexes, ages)
    start_row: IntArray,
    survival: FloatArray,  # (rows, periods or 1, sexes, ages): by age of arrival
    survival_row: IntArray,
    fertility: FloatArray,  # (rows, periods or 1, fertile ages)
    fertility_row: IntArray,
    level: FloatArray,  # (rows, periods or 1): what the fertility is multiplied by
    level_row: IntArray,
    ratio: FloatArray,  # (rows, periods or 1): males per female at birth
    ratio_row: IntArray,
    schedule: FloatArray,  # (rows, periods or 1, sexes, ages): migrants, for each of the totals
    schedule_row: IntArray,
    totals: FloatArray,  # (rows, periods or 1, sexes or 1)
    totals_row: IntArray,
    population: FloatArray,  # outputs (rows, periods + 1, sexes, groups); no periods: not wanted
    births: FloatArray,  # (rows, periods, sexes, groups of mothers)
    n_negative: IntArray,  # (rows)
    out_row: IntArray,
    groups: IntArray,  # (groups + 1): group g is the ages groups[g]:groups[g + 1]
    mothers: IntArray,  # (groups of mothers + 1): of fertile ages
    periods: int,
    first: int,  # the first fertile age group
    female: int,  # the position of women among the sexes
    with_migrants: int,  # 1: all migrants of a period are in the women at its end
    code: int,  # of the timing
    step: float,
) -> None:
    ages = start.shape[3]
    row = 2 * ages
    fertile = fertility.shape[2]
    wide = 2 * (groups.size - 1)
    half = (groups.size - 1) * LANES
    n_mothers = mothers.size - 1
    start_ = start.reshape(-1)
    survival_ = survival.reshape(-1)
    fertility_ = fertility.reshape(-1)
    level_ = level.reshape(-1)
    ratio_ = ratio.reshape(-1)
    schedule_ = schedule.reshape(-1)
    totals_ = totals.reshape(-1)
    population_ = population.reshape(-1)
    births_ = births.reshape(-1)
    state = np.empty(row * LANES)
    alive = np.empty(row * LANES)
    shares = np.empty(row * LANES)
    settled = np.empty(row * LANES)
    bearing = np.empty(fertile * LANES)
    born = np.empty(n_mothers * LANES)
    sums = np.empty(wide * LANES)
    counts = np.empty(LANES, np.int64)
    # Where the lanes' rows begin.
    at_start = np.empty(LANES, np.int64)
    at_survival = np.empty(LANES, np.int64)
    at_fertility = np.empty(LANES, np.int64)
    at_level = np.empty(LANES, np.int64)
    at_ratio = np.empty(LANES, np.int64)
    at_schedule = np.empty(LANES, np.int64)
    at_totals = np.empty(LANES, np.int64)
    at_out = np.empty(LANES, np.int64)
    last_survival = survival.shape[1] - 1
    last_fertility = fertility.shape[1] - 1
    last_level = level.shape[1] - 1
    last_ratio = ratio.shape[1] - 1
    last_schedule = schedule.shape[1] - 1
    last_totals = totals.shape[1] - 1
    totalled = totals.shape[2]
    women = female * ages + first
    # What migrants come to by shared rates: made once for all rows that share them.
    kept = max(last_survival, last_schedule) + 1
    together = np.empty(kept * row)
    known_survival = known_schedule = -1
    half_step = _spread(0.5 * step)
    # Of the migrants, those (before + after) has too many or too few: "end" leaves all of them out.
    others = _spread(-1.0 if code == END else 0.5)
    lowest = lo
    while lowest < hi:
        most = min(lowest + LANES, hi)
        used = min(
            _alike(survival_row, lowest, most),
            _alike(fertility_row, lowest, most),
            _alike(schedule_row, lowest, most),
        )
        # Few rows alike: lanes with rates of their own cost less than empty lanes.
        own = used < most - lowest and 2 * used < LANES
        if own:
            used = most - lowest
        _places(start_row, row, lowest, used, at_start)
        _places(survival_row, (last_survival + 1) * row, lowest, used, at_survival)
        _places(fertility_row, (last_fertility + 1) * fertile, lowest, used, at_fertility)
        _places(level_row, last_level + 1, lowest, used, at_level)
        _places(ratio_row, last_ratio + 1, lowest, used, at_ratio)
        _places(schedule_row, (last_schedule + 1) * row, lowest, used, at_schedule)
        _places(totals_row, (last_totals + 1) * totalled, lowest, used, at_totals)
        _places(out_row, 1, lowest, used, at_out)
        counts[:] = 0
        _fill(start_, at_start, 0, row, state)
        if population.shape[1] > 0:
            size = (periods + 1) * wide
            _sum(state, groups, sums)
            _write(sums, wide, population_, at_out, size, 0, used)
        now_alive = now_shares = now_settled = now_bearing = 0
        if own:
            alive_, shares_, settled_, bearing_ = alive, shares, settled, bearing
        else:
            alive_, shares_, settled_, bearing_ = survival_, schedule_, together, fertility_
            if survival_row[lowest] != known_survival or schedule_row[lowest] != known_schedule:
                known_survival, known_schedule = survival_row[lowest], schedule_row[lowest]
                for p in range(min(kept, periods)):
                    _settle(
                        code,
                        ages,
                        survival_,
                        at_survival[0] + min(p, last_survival) * row,
                        schedule_,
                        at_schedule[0] + min(p, last_schedule) * row,
                        1,
                        together,
                        p * row,
                    )
        for p in range(periods):
            if own:
                if p <= last_survival:
                    _fill(survival_, at_survival, p * row, row, alive)
                if p <= last_schedule:
                    _fill(schedule_, at_schedule, p * row, row, shares)
                if p < kept:
                    _settle(code, ages, alive, 0, shares, 0, LANES, settled, 0)
                if p <= last_fertility:
                    _fill(fertility_, at_fertility, p * fertile, fertile, bearing)
            else:
                now_alive = at_survival[0] + min(p, last_survival) * row
                now_shares = at_schedule[0] + min(p, last_schedule) * row
                now_settled = min(p, kept - 1) * row
                now_bearing = at_fertility[0] + min(p, last_fertility) * fertile
            beyond = min(p, last_totals) * totalled
            migrants0 = _pick(totals_, at_totals, beyond)
            migrants1 = _pick(totals_, at_totals, beyond + totalled - 1)
            for g in range(n_mothers):
                n = mothers[g + 1] - mothers[g]
                exposed = _dot(
                    bearing_, now_bearing + mothers[g], own, state, women + mothers[g], n, True
                )
                _store(born, g * LANES, exposed)
            # Decided here, for the numbers of a loop without a choice fit the registers.
            if own:
                low = _both_move_on(
                    state, ages, groups, alive_, now_alive, settled_, now_settled, True, migrants0,
                    migrants1, sums,
                )  # fmt: skip
            else:
                low = _both_move_on(
                    state, ages, groups, alive_, now_alive, settled_, now_settled, False, migrants0,
                    migrants1, sums,
                )  # fmt: skip
            rate = _times(half_step, _pick(level_, at_level, min(p, last_level)))
            srb = _pick(ratio_, at_ratio, min(p, last_ratio))
            newborn = _spread(0.0)
            newborn_girls = _spread(0.0)
            for g in range(n_mothers):
                n = mothers[g + 1] - mothers[g]
                exposed = _dot(
                    bearing_, now_bearing + mothers[g], own, state, women + mothers[g], n, True
                )
                exposed = _plus(_load(born, g * LANES), exposed)
                if with_migrants == 0:
                    extra = _dot(
                        bearing_,
                        now_bearing + mothers[g],
                        own,
                        shares_,
                        now_shares + women + mothers[g],
                        n,
                        own,
                    )
                    extra = _times(extra, migrants0 if female == 0 else migrants1)
                    exposed = _plus(exposed, _times(others, extra))
                children = _times(rate, exposed)
                girls = _girls(children, srb)
                newborn = _plus(newborn, children)
                newborn_girls = _plus(newborn_girls, girls)
                if births.shape[1] > 0:
                    size = periods * 2 * n_mothers
                    to = p * 2 * n_mothers + g
                    boys = _less(children, girls)
                    _scatter(girls, births_, at_out, size, to + female * n_mothers, used)
                    _scatter(boys, births_, at_out, size, to + (1 - female) * n_mothers, used)
            newborn_boys = _less(newborn, newborn_girls)
            youngest = newborn_girls if female == 0 else newborn_boys
            new = _enter(
                state, 0, alive_, now_alive, settled_, now_settled, own, youngest, migrants0
            )
            _store(sums, 0, _plus(_load(sums, 0), new))
            low = _lower(low, new)
            youngest = newborn_boys if female == 0 else newborn_girls
            new = _enter(
                state, ages, alive_, now_alive, settled_, now_settled, own, youngest, migrants1
            )
            _store(sums, half, _plus(_load(sums, half), new))
            low = _lower(low, new)
            for lane in range(used):
                if low[lane] < 0.0:
                    counts[lane] += _count_negative(state, row, lane)
            if population.shape[1] > 0:
                size = (periods + 1) * wide
                _write(sums, wide, population_, at_out, size, (p + 1) * wide, used)
        for lane in range(used):
            n_negative[at_out[lane]] = counts[lane]
        lowest += used
