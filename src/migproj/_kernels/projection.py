"""Cohort-component projection of a population of two sexes by equal steps.

Both sexes are one flat row of 2 x ages cells; the youngest and the open-ended group of each are
mended after a loop over the row. A step works on rows that stay in the nearest cache, and only
what is asked for is written to memory. Offsets are unsigned: signed ones compile to gathers.
"""

from __future__ import annotations

import math

import numpy as np

from migproj._jit import FloatArray, IntArray, inline_helper, kernel, uintp

# Codes of the timing of migration, passed by the labelled layer.
END = 0
EVEN = 1
MIDPOINT = 2

# Codes of how migrants follow from what is given of them.
PROPORTIONAL = 0  # a total times a schedule
ONE_SIDED = 1  # of a schedule, the cells of the sign of the total are scaled
BY_CELL = 2  # rates by sex and age of the people there
FLOW_SHARES = 3  # an inflow less an outflow, each with its schedule
FLOW_RATES = 4  # the same, the outflow in proportion to the people there as well


@inline_helper
def _copy(source: FloatArray, at: int, target: FloatArray, to: int, count: int) -> None:
    for k in range(uintp(count)):
        target[uintp(to) + uintp(k)] = source[uintp(at) + uintp(k)]


@inline_helper
def _move_on(
    code: int,
    states: FloatArray,  # the population before, and (output) after
    before: int,
    after: int,
    total: float,  # migrants are this times the schedule
    schedule: FloatArray,
    mp: int,
    survival: FloatArray,
    sp: int,
    survival_open: FloatArray,
    op: int,
    ages: int,
    dead: FloatArray,  # output
    dp: int,
) -> None:
    """Everyone moves on by one group; the open-ended group also keeps those already in it."""
    half = 0.5 * total
    one = uintp(1)
    row = uintp(2 * ages)
    old = uintp(before)
    new = uintp(after)
    m = uintp(mp)
    s = uintp(sp)
    d = uintp(dp)
    if code == EVEN:
        for k in range(one, row):
            i = uintp(k)
            exposed = states[old + i - one] + half * schedule[m + i - one]
            alive = survival[s + i] * exposed
            states[new + i] = alive + half * schedule[m + i]
            dead[d + i] = exposed - alive
    elif code == END:
        for k in range(one, row):
            i = uintp(k)
            exposed = states[old + i - one]
            alive = survival[s + i] * exposed
            states[new + i] = alive + total * schedule[m + i]
            dead[d + i] = exposed - alive
    else:
        for k in range(one, row):
            i = uintp(k)
            exposed = states[old + i - one]
            ratio = survival[s + i]
            alive = ratio * exposed
            came = total * schedule[m + i]
            stayed = math.sqrt(ratio) * came
            states[new + i] = alive + stayed
            dead[d + i] = exposed - alive + came - stayed
    for sex in range(2):
        i = uintp((sex + 1) * ages - 1)
        exposed = states[old + i]
        if code == EVEN:
            exposed += half * schedule[m + i]
        alive = survival_open[op + sex] * exposed
        states[new + i] += alive
        dead[d + i] += exposed - alive


@inline_helper
def _bear(
    code: int,
    with_migrants: int,
    states: FloatArray,
    before: int,
    after: int,
    total: float,
    schedule: FloatArray,
    mp: int,
    fertility: FloatArray,
    fp: int,
    fertile: int,
    level: float,  # what the fertility is multiplied by
    srb: float,
    step: float,
    women: int,  # the cell of the youngest mothers
    female: int,
    born: FloatArray,  # output (2 x fertile ages): by sex of the child and age of the mother
    bp: int,
) -> float:
    """Births of the women exposed; those of both sexes together."""
    f = uintp(fp)
    old = uintp(before + women)
    new = uintp(after + women)
    m = uintp(mp + women)
    girls = uintp(bp + female * fertile)
    boys = uintp(bp + (1 - female) * fertile)
    rate = 0.5 * step * level
    daughters = 1.0 / (1.0 + srb)
    # Migrants of the step beyond those in the women at its end.
    others = 0.0
    if with_migrants == 0:
        others = -total if code == END else 0.5 * total
    newborn = 0.0
    for k in range(uintp(fertile)):
        i = uintp(k)
        exposed = states[old + i] + states[new + i] + others * schedule[m + i]
        births = rate * fertility[f + i] * exposed
        born[girls + i] = births * daughters
        born[boys + i] = births - births * daughters
        newborn += births
    return newborn


@inline_helper
def _of_sex(newborn: float, srb: float, sex: int, female: int) -> float:
    daughters = newborn * (1.0 / (1.0 + srb))
    return daughters if sex == female else newborn - daughters


@inline_helper
def _enter(
    code: int,
    states: FloatArray,
    after: int,
    total: float,
    schedule: FloatArray,
    mp: int,
    survival: FloatArray,
    sp: int,
    ages: int,
    newborn: float,
    srb: float,
    female: int,
    dead: FloatArray,
    dp: int,
) -> None:
    """Survivors of the births of the step."""
    for sex in range(2):
        i = sex * ages
        born = _of_sex(newborn, srb, sex, female)
        s = survival[uintp(sp + i)]
        m = total * schedule[uintp(mp + i)]
        alive = s * born
        lost = born - alive
        if code == EVEN:
            alive += 0.5 * m
        elif code == END:
            alive += m
        else:
            stayed = math.sqrt(s) * m
            alive += stayed
            lost += m - stayed
        states[uintp(after + i)] = alive
        dead[uintp(dp + i)] = lost


@inline_helper
def _scale(
    total: float,
    one_sided: bool,
    schedule: FloatArray,
    at: int,
    cells: int,
    given: FloatArray,  # output
    to: int,
) -> None:
    """Migrants of `cells`: the schedule times the total, or with one side scaled to it."""
    up = total
    down = total
    if one_sided:
        gain = 0.0
        loss = 0.0
        for k in range(cells):
            gain += max(schedule[at + k], 0.0)
            loss -= min(schedule[at + k], 0.0)
        up = (total + loss) / gain if total >= 0.0 and gain > 0.0 else 1.0
        down = (gain - total) / loss if total < 0.0 and loss > 0.0 else 1.0
        if np.isnan(total):
            up = total
    for k in range(uintp(cells)):
        share = schedule[uintp(at) + uintp(k)]
        given[uintp(to) + uintp(k)] = (up if share >= 0.0 else down) * share


@inline_helper
def _flow_difference(
    total: float,
    people: float,
    weighted: bool,
    inflow: FloatArray,
    at: int,
    outflow: FloatArray,
    out_at: int,
    stayers: FloatArray,
    first: int,
    parameters: FloatArray,
    pp: int,
    step: float,
    ages: int,
    given: FloatArray,  # output
    to: int,
) -> None:
    """Migrants of one sex: those who come less those who leave."""
    years = step * people
    rate = total / years if years != 0.0 else 0.0
    least = parameters[pp + 3]
    leaving = total * 0.0
    if rate >= 0.0:
        leaving += years * max(parameters[pp] + parameters[pp + 1] * rate - rate, least)
    else:
        leaving += years * max(parameters[pp] + parameters[pp + 2] * rate, least) - total
    coming = leaving + total
    weights = 0.0
    for k in range(ages):
        weights += outflow[out_at + k] * (stayers[first + k] if weighted else 1.0)
    per_weight = leaving / weights if weights != 0.0 else 0.0
    for k in range(ages):
        weight = outflow[out_at + k] * (stayers[first + k] if weighted else 1.0)
        given[to + k] = coming * inflow[at + k] - per_weight * weight


@inline_helper
def _migrants(
    sharing: int,  # codes above
    per_person: int,  # 1: totals are rates of the people there, a year
    totals: FloatArray,  # (rows, periods or 1, 2 or 1)
    row: int,
    schedule: FloatArray,
    at: int,
    outflow: FloatArray,
    out_at: int,
    parameters: FloatArray,
    pp: int,
    stayers: FloatArray,  # (2 x ages) from `first`: the population at the end without migrants
    first: int,
    p: int,
    ages: int,
    female: int,
    step: float,
    given: FloatArray,  # output (2 x ages)
) -> None:
    """Migrants by sex and age."""
    if sharing == BY_CELL:
        for k in range(2 * ages):
            given[k] = step * schedule[at + k] * stayers[first + k]
        return
    p = min(p, totals.shape[1] - 1)
    parts = totals.shape[2]  # one total for both sexes, or one for each
    cells = 2 * ages // parts
    flows = sharing >= FLOW_SHARES
    for part in range(parts):
        total = totals[row, p, part]
        if per_person == 1:
            people = 0.0
            for k in range(part * cells, (part + 1) * cells):
                people += stayers[first + k]
            total *= step * people
        if not flows:
            to = part * cells
            _scale(total, sharing == ONE_SIDED, schedule, at + to, cells, given, to)
            continue
        for sex in range(part, part + 3 - parts):
            own = total
            if parts == 1:
                share = parameters[pp + (4 if total >= 0.0 else 5)]
                own = total * (share if sex == female else 1.0 - share)
            to = sex * ages
            people = 0.0
            for k in range(ages):
                people += stayers[first + to + k]
            _flow_difference(
                own,
                people,
                sharing == FLOW_RATES,
                schedule,
                at + to,
                outflow,
                out_at + to,
                stayers,
                first + to,
                parameters,
                pp,
                step,
                ages,
                given,
                to,
            )


@inline_helper
def _without_migrants(
    states: FloatArray,
    before: int,
    survival: FloatArray,
    sp: int,
    survival_open: FloatArray,
    op: int,
    fertility: FloatArray,
    fp: int,
    fertile: int,
    level: float,
    srb: float,
    step: float,
    ages: int,
    women: int,
    female: int,
    stayers: FloatArray,  # output (2 x 2 x ages): at the start, and at the end without migrants
    dead: FloatArray,  # room for what is not wanted
    born: FloatArray,
) -> None:
    """The population at the end of the step had nobody come (or left but by hazards)."""
    row = 2 * ages
    _copy(states, before, stayers, 0, row)
    _move_on(END, stayers, 0, row, 0.0, stayers, 0, survival, sp, survival_open, op, ages, dead, 0)
    newborn = _bear(
        END,
        1,
        stayers,
        0,
        row,
        0.0,
        stayers,
        0,
        fertility,
        fp,
        fertile,
        level,
        srb,
        step,
        women,
        female,
        born,
        0,
    )
    _enter(
        END,
        stayers,
        row,
        0.0,
        stayers,
        0,
        survival,
        sp,
        ages,
        newborn,
        srb,
        female,
        dead,
        0,
    )


@inline_helper
def _limit(
    code: int,
    states: FloatArray,
    before: int,
    given: FloatArray,
    survival: FloatArray,
    sp: int,
    survival_open: FloatArray,
    op: int,
    ages: int,
    migrants: FloatArray,  # in and out: the youngest group of each sex stands already
) -> None:
    """No more emigrants than there are people, in every group but the youngest.

    Where half of them come at the start and half at the end of the step, neither half exceeds
    the people there.
    """
    for sex in range(2):
        for k in range(1, ages):
            i = sex * ages + k
            s = survival[sp + i]
            exposed = states[before + i - 1]
            if code == EVEN:
                exposed += 0.5 * migrants[i - 1]
            most = s * exposed
            own = 0.0  # survival of the open group's own, who came at its start
            if k == ages - 1:
                own = survival_open[op + sex]
                most += own * states[before + i]
            if code == MIDPOINT:
                most = most / math.sqrt(s) if s > 0.0 else 0.0
            elif code == EVEN:
                most = min(2.0 * most / (1.0 + own), 2.0 * states[before + i])
            migrants[i] = -most if given[i] < -most else given[i]


@inline_helper
def _limit_youngest(
    code: int,
    states: FloatArray,
    before: int,
    given: FloatArray,
    survival: FloatArray,
    sp: int,
    ages: int,
    newborn: float,
    srb: float,
    female: int,
    migrants: FloatArray,  # in and out
) -> bool:
    """The same in the youngest group, once births are known; whether anything changed."""
    changed = False
    for sex in range(2):
        i = sex * ages
        s = survival[sp + i]
        born = _of_sex(newborn, srb, sex, female)
        most = s * born
        if code == MIDPOINT:
            most = math.sqrt(s) * born
        elif code == EVEN:
            most = min(2.0 * most, 2.0 * states[before + i])
        m = -most if given[i] < -most else given[i]
        if migrants[i] < m:
            migrants[i] = m
            changed = True
    return changed


@inline_helper
def _step(
    code: int,
    with_migrants: int,
    limit: int,
    states: FloatArray,  # the population before, and (output) after
    before: int,
    after: int,
    given: FloatArray,  # (2 x ages): migrants who would come or leave, read if `limit`
    total: float,  # migrants who do: this times the schedule; with `limit`, 1 and an output
    schedule: FloatArray,
    mp: int,
    survival: FloatArray,
    sp: int,
    survival_open: FloatArray,
    op: int,
    fertility: FloatArray,
    fp: int,
    fertile: int,
    level: float,
    srb: float,
    step: float,
    ages: int,
    women: int,
    female: int,
    dead: FloatArray,  # outputs
    dp: int,
    born: FloatArray,
    bp: int,
    observed: bool,  # whether the population after the step is known
    seen: FloatArray,
    at: int,
) -> float:
    """One step: migrants as they are, or limited to the people there. Returns all births."""
    if limit == 1:
        for k in range(2 * ages):
            schedule[k] = given[k]
        if code == EVEN:
            for sex in range(2):
                i = sex * ages
                if given[i] < -2.0 * states[before + i]:
                    schedule[i] = -2.0 * states[before + i]
        _limit(code, states, before, given, survival, sp, survival_open, op, ages, schedule)
    # The limit of the youngest group follows from births, hence from women, some of whom may have
    # been in it at the start. The others' limits stay as they are (with more emigrants there would
    # be fewer births again), so that in a second pass nobody is fewer than in the first.
    newborn = 0.0
    for again in range(2):
        _move_on(
            code,
            states,
            before,
            after,
            total,
            schedule,
            mp,
            survival,
            sp,
            survival_open,
            op,
            ages,
            dead,
            dp,
        )
        if observed:
            _copy(seen, at, states, after, 2 * ages)
        newborn = _bear(
            code,
            with_migrants,
            states,
            before,
            after,
            total,
            schedule,
            mp,
            fertility,
            fp,
            fertile,
            level,
            srb,
            step,
            women,
            female,
            born,
            bp,
        )
        if (
            limit == 0
            or again == 1
            or not _limit_youngest(
                code, states, before, given, survival, sp, ages, newborn, srb, female, schedule
            )
        ):
            break
    _enter(
        code, states, after, total, schedule, mp, survival, sp, ages, newborn, srb, female, dead, dp
    )
    if observed:
        _copy(seen, at, states, after, 2 * ages)
    if limit == 1:
        for k in range(2 * ages):
            if states[after + k] < 0.0:  # what rounding leaves of a group that has left
                states[after + k] = 0.0
    return newborn


@inline_helper
def _emigrate(
    code: int,
    states: FloatArray,
    before: int,
    total: float,
    schedule: FloatArray,
    mp: int,
    leaving: FloatArray,  # by sex, age and (last) those already in the open-ended group
    lp: int,
    leaving_half: FloatArray,
    hp: int,
    ages: int,
    newborn: float,
    srb: float,
    female: int,
    dead: FloatArray,  # in and out: those lost, less those of them who left
    dp: int,
    out: FloatArray,  # output
    to: int,
) -> None:
    """Of those lost, the emigrants."""
    for sex in range(2):
        first = sex * ages
        shares = lp + sex * (ages + 1)
        for k in range(ages):
            i = first + k
            if k == 0:
                exposed = _of_sex(newborn, srb, sex, female)
            else:
                exposed = states[before + i - 1]
                if code == EVEN:
                    exposed += 0.5 * total * schedule[mp + i - 1]
            left = leaving[shares + k] * exposed
            if k == ages - 1:
                exposed = states[before + i]
                if code == EVEN:
                    exposed += 0.5 * total * schedule[mp + i]
                left += leaving[shares + ages] * exposed
            if code == MIDPOINT:
                left += leaving_half[hp + i] * total * schedule[mp + i]
            out[to + i] = left
            dead[dp + i] -= left


@inline_helper
def _by_age_at_death(
    dead: FloatArray,
    dp: int,
    separation: FloatArray,
    cp: int,
    ages: int,
    out: FloatArray,  # output
    to: int,
) -> None:
    """Of each cohort's deaths a share in the group it left, the rest in the next."""
    one = uintp(1)
    o = uintp(to)
    d = uintp(dp)
    c = uintp(cp)
    end = uintp(2 * ages - 1)
    for k in range(one, end):
        i = uintp(k)
        stay = separation[c + i] * dead[d + i + one]
        out[o + i] = dead[d + i] * (1.0 - separation[c + i - one]) + stay
    # The loop ran over the bound between the sexes.
    last = uintp(ages - 1)
    for first in (uintp(0), uintp(ages)):
        out[o + first] = dead[d + first] + separation[c + first] * dead[d + first + one]
        i = first + last
        out[o + i] = dead[d + i] * (1.0 - separation[c + i - one])


@inline_helper
def _sum_groups(
    values: FloatArray,  # (2 x cells), from `at` on
    at: int,
    cells: int,
    offsets: IntArray,  # (groups + 1): group g is the cells offsets[g]:offsets[g + 1]
    out: FloatArray,  # output
    to: int,
) -> None:
    """Write a row, summed over the cells of each group."""
    groups = offsets.size - 1
    for sex in range(2):
        for g in range(groups):
            total = 0.0
            base = uintp(at + sex * cells)
            for k in range(uintp(offsets[g]), uintp(offsets[g + 1])):
                total += values[base + uintp(k)]
            out[uintp(to + sex * groups + g)] = total


@kernel
def project_population(
    lo: int,
    hi: int,
    start: FloatArray,  # (rows, 1 or periods + 1: observed, sexes, ages)
    start_row: IntArray,
    survival: FloatArray,  # (rows, periods or 1, sexes, ages): who stay and live, by age of arrival
    survival_row: IntArray,
    survival_open: FloatArray,  # (rows, periods or 1, sexes): of those already in the open group
    survival_open_row: IntArray,
    leaving: FloatArray,  # (rows, periods or 1, sexes, ages + 1): see stocks.exits
    leaving_row: IntArray,
    leaving_half: FloatArray,  # (rows, periods or 1, sexes, ages)
    leaving_half_row: IntArray,
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
    outflow: FloatArray,  # (rows, periods or 1, sexes, ages): schedule of those who leave
    outflow_row: IntArray,
    rules: FloatArray,  # (rows, periods or 1, parameters): see schedules.flow_difference
    rules_row: IntArray,
    separation: FloatArray,  # (rows, periods or 1, sexes, ages): by group at the start
    separation_row: IntArray,
    timing: IntArray,  # (rows): codes above
    timing_row: IntArray,
    population: FloatArray,  # outputs (rows, periods + 1, sexes, groups); no periods: not wanted
    births: FloatArray,  # (rows, periods, sexes, groups of mothers)
    deaths_cohort: FloatArray,  # (rows, periods, sexes, groups): by age of arrival
    deaths: FloatArray,  # (rows, periods, sexes, groups): by age at death
    emigrants: FloatArray,  # (rows, periods, sexes, groups): by age of arrival
    applied: FloatArray,  # (rows, periods, sexes, groups)
    unapplied: FloatArray,  # (rows, periods, sexes, groups)
    exposure: FloatArray,  # (rows, periods, sexes, groups): person-years
    n_negative: IntArray,  # (rows)
    out_row: IntArray,
    groups: IntArray,  # (groups + 1): of ages, see _sum_groups
    mothers: IntArray,  # (groups of mothers + 1): of fertile ages
    periods: int,
    first: int,  # the first fertile age group
    female: int,  # the position of women among the sexes
    with_migrants: int,  # 1: all migrants of a period are in the women at its end
    limit: int,  # 1: no more emigrants than people
    emigrating: int,  # 1: some of those lost have left
    sharing: int,  # how migrants follow from totals and schedule: codes above
    per_person: int,  # 1: totals are rates of the people there, a year
    step: float,
) -> None:
    ages = start.shape[3]
    row = 2 * ages
    observed = start.shape[1] > 1
    fertile = fertility.shape[2]
    women = female * ages + first
    wide = 2 * (groups.size - 1)
    mothers_wide = 2 * (mothers.size - 1)
    start_ = start.reshape(-1)
    survival_ = survival.reshape(-1)
    fertility_ = fertility.reshape(-1)
    schedule_ = schedule.reshape(-1)
    separation_ = separation.reshape(-1)
    survival_open_ = survival_open.reshape(-1)
    leaving_ = leaving.reshape(-1)
    leaving_half_ = leaving_half.reshape(-1)
    emigrants_ = emigrants.reshape(-1)
    population_ = population.reshape(-1)
    births_ = births.reshape(-1)
    deaths_cohort_ = deaths_cohort.reshape(-1)
    deaths_ = deaths.reshape(-1)
    applied_ = applied.reshape(-1)
    unapplied_ = unapplied.reshape(-1)
    exposure_ = exposure.reshape(-1)
    # What is stored of every cell is worked on where it stands; the rest on rows that stay in the
    # nearest cache. (Views of rows would cost more than the work on them.)
    cells = groups.size == ages + 1
    keeps_states = cells and population.shape[1] > 0
    # Migrants are a total times a row of the schedule, unless each sex has its own, they follow
    # from the people there or are limited: then they are worked out on a row of their own.
    from_people = per_person == 1 or sharing > ONE_SIDED
    worked_out = limit == 1 or totals.shape[2] == 2 or sharing != PROPORTIONAL or from_people
    keeps_dead = cells and deaths_cohort.shape[1] > 0
    keeps_born = mothers.size == fertile + 1 and births.shape[1] > 0
    states = population_ if keeps_states else np.empty(2 * row)
    dead = deaths_cohort_ if keeps_dead else np.empty(row)
    born = births_ if keeps_born else np.empty(2 * fertile)
    keeps_emigrants = cells and emigrants.shape[1] > 0
    left = emigrants_ if keeps_emigrants else np.empty(row)
    given = np.empty(row)
    limited = np.empty(row)
    spare = np.empty(row)
    stayers = np.empty(2 * row)
    spare_born = np.empty(2 * fertile)
    outflow_ = outflow.reshape(-1)
    rules_ = rules.reshape(-1)
    moving = schedule_
    if limit == 1:
        moving = limited
    elif worked_out:
        moving = given
    for b in range(lo, hi):
        o = out_row[b]
        code = timing[timing_row[b]]
        first_seen = start_row[b] * start.shape[1] * row
        before = o * (periods + 1) * row if keeps_states else 0
        _copy(start_, first_seen, states, before, row)
        if population.shape[1] > 0 and not cells:
            _sum_groups(states, before, ages, groups, population_, o * (periods + 1) * wide)
        negative = 0
        for p in range(periods):
            sp = (survival_row[b] * survival.shape[1] + min(p, survival.shape[1] - 1)) * row
            fp = (fertility_row[b] * fertility.shape[1] + min(p, fertility.shape[1] - 1)) * fertile
            mp = (schedule_row[b] * schedule.shape[1] + min(p, schedule.shape[1] - 1)) * row
            flow = o * periods + p
            after = before + row if keeps_states else row - before
            to_dead = flow * row if keeps_dead else 0
            to_born = flow * 2 * fertile if keeps_born else 0
            op = survival_open_row[b] * survival_open.shape[1] + min(p, survival_open.shape[1] - 1)
            srb = ratio[ratio_row[b], min(p, ratio.shape[1] - 1)]
            children = level[level_row[b], min(p, level.shape[1] - 1)]
            total = totals[totals_row[b], min(p, totals.shape[1] - 1), 0]
            if from_people:
                _without_migrants(
                    states,
                    before,
                    survival_,
                    sp,
                    survival_open_,
                    op * 2,
                    fertility_,
                    fp,
                    fertile,
                    children,
                    srb,
                    step,
                    ages,
                    women,
                    female,
                    stayers,
                    spare,
                    spare_born,
                )
            if worked_out:
                out_p = outflow_row[b] * outflow.shape[1] + min(p, outflow.shape[1] - 1)
                rules_p = rules_row[b] * rules.shape[1] + min(p, rules.shape[1] - 1)
                _migrants(
                    sharing,
                    per_person,
                    totals,
                    totals_row[b],
                    schedule_,
                    mp,
                    outflow_,
                    out_p * row,
                    rules_,
                    rules_p * rules.shape[2],
                    stayers,
                    row,
                    p,
                    ages,
                    female,
                    step,
                    given,
                )
                total = 1.0
                mp = 0
            newborn = _step(
                code,
                with_migrants,
                limit,
                states,
                before,
                after,
                given,
                total,
                moving,
                mp,
                survival_,
                sp,
                survival_open_,
                op * 2,
                fertility_,
                fp,
                fertile,
                children,
                srb,
                step,
                ages,
                women,
                female,
                dead,
                to_dead,
                born,
                to_born,
                observed,
                start_,
                first_seen + (p + 1) * row,
            )
            if emigrating == 1:
                lp = leaving_row[b] * leaving.shape[1] + min(p, leaving.shape[1] - 1)
                hp = leaving_half_row[b] * leaving_half.shape[1]
                hp += min(p, leaving_half.shape[1] - 1)
                to = flow * row if keeps_emigrants else 0
                _emigrate(
                    code,
                    states,
                    before,
                    total,
                    moving,
                    mp,
                    leaving_,
                    lp * 2 * (ages + 1),
                    leaving_half_,
                    hp * row,
                    ages,
                    newborn,
                    srb,
                    female,
                    dead,
                    to_dead,
                    left,
                    to,
                )
                if emigrants.shape[1] > 0 and not cells:
                    _sum_groups(left, 0, ages, groups, emigrants_, flow * wide)
            for k in range(uintp(row)):
                if states[uintp(after) + uintp(k)] < 0.0:
                    negative += 1
            if deaths.shape[1] > 0:
                cp = separation_row[b] * separation.shape[1] + min(p, separation.shape[1] - 1)
                cp = cp * row
                if cells:
                    _by_age_at_death(dead, to_dead, separation_, cp, ages, deaths_, flow * row)
                else:
                    _by_age_at_death(dead, to_dead, separation_, cp, ages, spare, 0)
                    _sum_groups(spare, 0, ages, groups, deaths_, flow * wide)
            if unapplied.shape[1] > 0:
                for k in range(row):
                    spare[k] = given[k] - limited[k]
                _sum_groups(spare, 0, ages, groups, unapplied_, flow * wide)
            if exposure.shape[1] > 0:
                for k in range(row):
                    spare[k] = 0.5 * step * (states[before + k] + states[after + k])
                _sum_groups(spare, 0, ages, groups, exposure_, flow * wide)
            if applied.shape[1] > 0:
                to = flow * row if cells else 0
                into = applied_ if cells else spare
                for k in range(uintp(row)):
                    into[uintp(to) + uintp(k)] = total * moving[uintp(mp) + uintp(k)]
                if not cells:
                    _sum_groups(spare, 0, ages, groups, applied_, flow * wide)
            if not cells:
                if population.shape[1] > 0:
                    to = (o * (periods + 1) + p + 1) * wide
                    _sum_groups(states, after, ages, groups, population_, to)
                if deaths_cohort.shape[1] > 0:
                    _sum_groups(dead, 0, ages, groups, deaths_cohort_, flow * wide)
            if births.shape[1] > 0 and not keeps_born:
                _sum_groups(born, 0, fertile, mothers, births_, flow * mothers_wide)
            before = after
        n_negative[o] = negative
