"""Cohort-component projection of a population of two sexes by equal steps.

Both sexes are one flat row of 2 x ages cells; the youngest and the open-ended group of each are
mended after a loop over the row. A step works on rows that stay in the nearest cache, and only
what is asked for is written to memory. Offsets are unsigned: signed ones compile to gathers.
"""

from __future__ import annotations

import math

import numpy as np

from migproj._jit import FloatArray, IntArray, helper, kernel, uintp

# Codes of the timing of migration, passed by the labelled layer.
END = 0
EVEN = 1
MIDPOINT = 2


@helper
def _migrants(
    totals: FloatArray,  # (rows, periods or 1, 2 or 1)
    row: int,
    schedule: FloatArray,  # flat
    at: int,  # where the row of the schedule begins
    p: int,
    ages: int,
    given: FloatArray,  # output (2 x ages)
) -> None:
    """Migrants by sex and age: totals shared out by a schedule (for counts, 1 by the counts)."""
    p = min(p, totals.shape[1] - 1)
    for sex in range(2):
        total = totals[row, p, min(sex, totals.shape[2] - 1)]
        base = uintp(sex) * uintp(ages)
        for k in range(ages):
            i = base + uintp(k)
            given[i] = total * schedule[uintp(at) + i]


@helper
def _move_on(
    code: int,
    now: FloatArray,
    migrants: FloatArray,
    survival: FloatArray,  # flat
    at: int,
    ages: int,
    new: FloatArray,  # outputs (2 x ages)
    dead: FloatArray,
) -> None:
    """Everyone moves on by one group; the open-ended group also keeps those already in it."""
    one = uintp(1)
    row = uintp(2) * uintp(ages)
    sp = uintp(at)
    if code == EVEN:
        for k in range(one, row):
            i = uintp(k)
            exposed = now[i - one] + 0.5 * migrants[i - one]
            alive = survival[sp + i] * exposed
            new[i] = alive + 0.5 * migrants[i]
            dead[i] = exposed - alive
    elif code == END:
        for k in range(one, row):
            i = uintp(k)
            exposed = now[i - one]
            alive = survival[sp + i] * exposed
            new[i] = alive + migrants[i]
            dead[i] = exposed - alive
    else:
        for k in range(one, row):
            i = uintp(k)
            exposed = now[i - one]
            s = survival[sp + i]
            alive = s * exposed
            half = math.sqrt(s) * migrants[i]
            new[i] = alive + half
            dead[i] = exposed - alive + migrants[i] - half
    for sex in range(2):
        i = uintp(sex + 1) * uintp(ages) - one
        exposed = now[i]
        if code == EVEN:
            exposed += 0.5 * migrants[i]
        alive = survival[sp + i] * exposed
        new[i] += alive
        dead[i] += exposed - alive


@helper
def _bear(
    code: int,
    with_migrants: int,
    now: FloatArray,
    new: FloatArray,
    migrants: FloatArray,
    fertility: FloatArray,  # flat
    at: int,
    level: float,  # what the fertility is multiplied by
    srb: float,
    step: float,
    women: int,  # the cell of the youngest mothers
    female: int,
    born: FloatArray,  # output (sexes x fertile ages)
) -> None:
    """Births of the women exposed, by sex of the child and age of the mother."""
    fertile = uintp(born.size) // uintp(2)
    girls = uintp(female) * fertile
    boys = uintp(1 - female) * fertile
    for k in range(fertile):
        i = uintp(k)
        w = uintp(women) + i
        exposed = now[w] + new[w]
        if with_migrants == 0:
            if code == END:
                exposed -= migrants[w]
            else:
                exposed += 0.5 * migrants[w]
        births = step * (level * fertility[uintp(at) + i]) * 0.5 * exposed
        born[girls + i] = births / (1.0 + srb)
        born[boys + i] = births * srb / (1.0 + srb)


@helper
def _newborn(born: FloatArray, sex: int) -> float:
    fertile = born.size // 2
    total = 0.0
    for k in range(sex * fertile, (sex + 1) * fertile):
        total += born[k]
    return total


@helper
def _enter(
    code: int,
    migrants: FloatArray,
    survival: FloatArray,  # flat
    at: int,
    ages: int,
    born: FloatArray,
    new: FloatArray,  # outputs (2 x ages): the youngest group of each sex
    dead: FloatArray,
) -> None:
    """Survivors of the births of the step."""
    for sex in range(2):
        i = uintp(sex) * uintp(ages)
        newborn = _newborn(born, sex)
        s = survival[uintp(at) + i]
        m = migrants[i]
        dead[i] = newborn - s * newborn
        if code == EVEN:
            new[i] = s * newborn + 0.5 * m
        elif code == END:
            new[i] = s * newborn + m
        else:
            half = math.sqrt(s) * m
            new[i] = s * newborn + half
            dead[i] += m - half


@helper
def _limit(
    code: int,
    now: FloatArray,
    given: FloatArray,
    survival: FloatArray,  # flat
    at: int,
    ages: int,
    migrants: FloatArray,  # in and out (2 x ages): the youngest group of each sex stands already
) -> None:
    """No more emigrants than there are people, in every group but the youngest.

    Where half of them come at the start and half at the end of the step, neither half exceeds
    the people there.
    """
    for sex in range(2):
        for k in range(1, ages):
            i = sex * ages + k
            s = survival[at + i]
            exposed = now[i - 1]
            if code == EVEN:
                exposed += 0.5 * migrants[i - 1]
            if k == ages - 1:
                exposed += now[i]
            most = s * exposed
            if code == MIDPOINT:
                most = math.sqrt(s) * exposed
            elif code == EVEN:
                # Those of the open group who came at its start are exposed in it.
                most = 2.0 * most / (1.0 + s) if k == ages - 1 else 2.0 * most
                most = min(most, 2.0 * now[i])
            migrants[i] = -most if given[i] < -most else given[i]


@helper
def _limit_youngest(
    code: int,
    now: FloatArray,
    given: FloatArray,
    survival: FloatArray,  # flat
    at: int,
    ages: int,
    born: FloatArray,
    migrants: FloatArray,  # in and out (2 x ages)
) -> bool:
    """The same in the youngest group, once births are known; whether anything changed."""
    changed = False
    for sex in range(2):
        i = sex * ages
        s = survival[at + i]
        newborn = _newborn(born, sex)
        most = s * newborn
        if code == MIDPOINT:
            most = math.sqrt(s) * newborn
        elif code == EVEN:
            most = min(2.0 * most, 2.0 * now[i])
        m = -most if given[i] < -most else given[i]
        if migrants[i] < m:
            migrants[i] = m
            changed = True
    return changed


@helper
def _step(
    code: int,
    with_migrants: int,
    limit: int,
    now: FloatArray,
    given: FloatArray,
    survival: FloatArray,  # flat
    sp: int,
    fertility: FloatArray,  # flat
    fp: int,
    level: float,
    srb: float,
    step: float,
    ages: int,
    women: int,
    female: int,
    migrants: FloatArray,  # outputs (2 x ages)
    new: FloatArray,
    dead: FloatArray,
    born: FloatArray,  # output (2 x fertile ages)
) -> None:
    """One step: migrants as they are, or limited to the people there."""
    row = 2 * ages
    for k in range(row):
        migrants[uintp(k)] = given[uintp(k)]
    if limit == 1:
        if code == EVEN:
            for sex in range(2):
                i = sex * ages
                if given[i] < -2.0 * now[i]:
                    migrants[i] = -2.0 * now[i]
        _limit(code, now, given, survival, sp, ages, migrants)
    _move_on(code, now, migrants, survival, sp, ages, new, dead)
    _bear(
        code,
        with_migrants,
        now,
        new,
        migrants,
        fertility,
        fp,
        level,
        srb,
        step,
        women,
        female,
        born,
    )
    # With fewer emigrants in the youngest group there may be more women, hence births: once more
    # is enough, for the limit found before errs on the safe side.
    if limit == 1 and _limit_youngest(code, now, given, survival, sp, ages, born, migrants):
        _limit(code, now, given, survival, sp, ages, migrants)
        _move_on(code, now, migrants, survival, sp, ages, new, dead)
        _bear(
            code,
            with_migrants,
            now,
            new,
            migrants,
            fertility,
            fp,
            level,
            srb,
            step,
            women,
            female,
            born,
        )
    _enter(code, migrants, survival, sp, ages, born, new, dead)
    if limit == 1:
        for k in range(row):
            if new[k] < 0.0:  # what rounding leaves of a group that has left
                new[k] = 0.0


@helper
def _by_age_at_death(
    dead: FloatArray,
    separation: FloatArray,  # flat
    at: int,
    ages: int,
    out: FloatArray,  # output (2 x ages)
) -> None:
    """Of each cohort's deaths a share in the group it left, the rest in the next."""
    for sex in range(2):
        base = sex * ages
        shares = at + sex * (ages - 1)
        left = dead[base]
        for k in range(ages - 1):
            cohort = dead[base + k + 1]
            before = separation[shares + k] * cohort
            out[base + k] = left + before
            left = cohort - before
        out[base + ages - 1] = left


@helper
def _store(
    values: FloatArray,  # (2 x cells)
    offsets: IntArray,  # (groups + 1): group g is the cells offsets[g]:offsets[g + 1]
    out: FloatArray,  # flat output
    at: int,
) -> None:
    """Write a row, summed over the cells of each group."""
    to = uintp(at)
    cells = values.size // 2
    groups = offsets.size - 1
    if groups == cells:
        for k in range(uintp(values.size)):
            out[to + uintp(k)] = values[uintp(k)]
        return
    for sex in range(2):
        for g in range(groups):
            total = 0.0
            for k in range(offsets[g], offsets[g + 1]):
                total += values[uintp(sex * cells + k)]
            out[to + uintp(sex * groups + g)] = total


@kernel
def project_population(
    lo: int,
    hi: int,
    start: FloatArray,  # (rows, sexes, ages)
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
    separation: FloatArray,  # (rows, periods or 1, sexes, ages - 1): by closed group at the start
    separation_row: IntArray,
    timing: IntArray,  # (rows): codes above
    timing_row: IntArray,
    population: FloatArray,  # outputs (rows, periods + 1, sexes, groups); no periods: not wanted
    births: FloatArray,  # (rows, periods, sexes, groups of mothers)
    deaths_cohort: FloatArray,  # (rows, periods, sexes, groups): by age of arrival
    deaths: FloatArray,  # (rows, periods, sexes, groups): by age at death
    applied: FloatArray,  # (rows, periods, sexes, groups)
    unapplied: FloatArray,  # (rows, periods, sexes, groups)
    n_negative: IntArray,  # (rows)
    out_row: IntArray,
    groups: IntArray,  # (groups + 1): of ages, see _store
    mothers: IntArray,  # (groups of mothers + 1): of fertile ages
    periods: int,
    first: int,  # the first fertile age group
    female: int,  # the position of women among the sexes
    with_migrants: int,  # 1: all migrants of a period are in the women at its end
    limit: int,  # 1: no more emigrants than people
    step: float,
) -> None:
    ages = start.shape[2]
    row = 2 * ages
    fertile = fertility.shape[2]
    women = female * ages + first
    wide = 2 * (groups.size - 1)
    mothers_wide = 2 * (mothers.size - 1)
    start_ = start.reshape(-1)
    survival_ = survival.reshape(-1)
    fertility_ = fertility.reshape(-1)
    schedule_ = schedule.reshape(-1)
    separation_ = separation.reshape(-1)
    population_ = population.reshape(-1)
    births_ = births.reshape(-1)
    deaths_cohort_ = deaths_cohort.reshape(-1)
    deaths_ = deaths.reshape(-1)
    applied_ = applied.reshape(-1)
    unapplied_ = unapplied.reshape(-1)
    now = np.empty(row)
    new = np.empty(row)
    given = np.empty(row)
    migrants = np.empty(row)
    dead = np.empty(row)
    spare = np.empty(row)
    born = np.empty(2 * fertile)
    for b in range(lo, hi):
        o = out_row[b]
        code = timing[timing_row[b]]
        source = uintp(start_row[b] * row)
        for k in range(row):
            now[uintp(k)] = start_[source + uintp(k)]
        if population.shape[1] > 0:
            _store(now, groups, population_, o * (periods + 1) * wide)
        negative = 0
        for p in range(periods):
            at = survival_row[b] * survival.shape[1] + min(p, survival.shape[1] - 1)
            fp = fertility_row[b] * fertility.shape[1] + min(p, fertility.shape[1] - 1)
            mp = schedule_row[b] * schedule.shape[1] + min(p, schedule.shape[1] - 1)
            _migrants(totals, totals_row[b], schedule_, mp * row, p, ages, given)
            _step(
                code,
                with_migrants,
                limit,
                now,
                given,
                survival_,
                at * row,
                fertility_,
                fp * fertile,
                level[level_row[b], min(p, level.shape[1] - 1)],
                ratio[ratio_row[b], min(p, ratio.shape[1] - 1)],
                step,
                ages,
                women,
                female,
                migrants,
                new,
                dead,
                born,
            )
            for k in range(row):
                if new[uintp(k)] < 0.0:
                    negative += 1
            to = (o * periods + p) * wide
            if population.shape[1] > 0:
                _store(new, groups, population_, (o * (periods + 1) + p + 1) * wide)
            if births.shape[1] > 0:
                _store(born, mothers, births_, (o * periods + p) * mothers_wide)
            if deaths_cohort.shape[1] > 0:
                _store(dead, groups, deaths_cohort_, to)
            if deaths.shape[1] > 0:
                cp = separation_row[b] * separation.shape[1] + min(p, separation.shape[1] - 1)
                _by_age_at_death(dead, separation_, cp * 2 * (ages - 1), ages, spare)
                _store(spare, groups, deaths_, to)
            if applied.shape[1] > 0:
                _store(migrants, groups, applied_, to)
            if unapplied.shape[1] > 0:
                for k in range(row):
                    spare[uintp(k)] = given[uintp(k)] - migrants[uintp(k)]
                _store(spare, groups, unapplied_, to)
            now, new = new, now
        n_negative[o] = negative
