"""Cohort-component projection of a population of two sexes by equal steps."""

from __future__ import annotations

import math

from migproj._jit import FloatArray, IntArray, kernel, uintp

# Codes of the timing of migration, passed by the labelled layer.
END = 0
EVEN = 1
MIDPOINT = 2


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
    ratio: FloatArray,  # (rows, periods or 1): males per female at birth
    ratio_row: IntArray,
    migration: FloatArray,  # (rows, periods or 1, sexes, ages)
    migration_row: IntArray,
    separation: FloatArray,  # (rows, periods or 1, sexes, ages - 1): by closed group at the start
    separation_row: IntArray,
    timing: IntArray,  # (rows): codes above
    timing_row: IntArray,
    population: FloatArray,  # outputs (rows, periods + 1, sexes, ages)
    births: FloatArray,  # (rows, periods, sexes, fertile ages)
    deaths: FloatArray,  # (rows, periods, sexes, ages): by age of arrival
    deaths_period: FloatArray,  # (rows, periods or 0: not wanted, sexes, ages): by age at death
    applied: FloatArray,  # (rows, periods, sexes, ages)
    n_negative: IntArray,  # (rows)
    out_row: IntArray,
    first: int,  # the first fertile age group
    female: int,  # the position of women among the sexes
    with_migrants: int,  # 1: all migrants of a period are in the women at its end
    step: float,
) -> None:
    periods = births.shape[1]
    ages = uintp(start.shape[2])
    fertile = uintp(fertility.shape[2])
    row = uintp(2) * ages  # both sexes as one flat row; the ends of each are mended after
    one = uintp(1)
    women = uintp(female) * ages + uintp(first)
    start_ = start.reshape(-1)
    survival_ = survival.reshape(-1)
    fertility_ = fertility.reshape(-1)
    migration_ = migration.reshape(-1)
    population_ = population.reshape(-1)
    births_ = births.reshape(-1)
    deaths_ = deaths.reshape(-1)
    separation_ = separation.reshape(-1)
    deaths_period_ = deaths_period.reshape(-1)
    wanted = deaths_period.shape[1] > 0
    applied_ = applied.reshape(-1)
    for b in range(lo, hi):
        o = uintp(out_row[b])
        code = timing[timing_row[b]]
        now = o * uintp(periods + 1) * row
        source = uintp(start_row[b]) * row
        for k in range(row):
            population_[now + uintp(k)] = start_[source + uintp(k)]
        negative = 0
        for p in range(periods):
            sp = uintp(survival_row[b] * survival.shape[1] + min(p, survival.shape[1] - 1)) * row
            mp = uintp(migration_row[b] * migration.shape[1] + min(p, migration.shape[1] - 1)) * row
            fp = uintp(fertility_row[b] * fertility.shape[1] + min(p, fertility.shape[1] - 1))
            fp = fp * fertile
            srb = ratio[ratio_row[b], min(p, ratio.shape[1] - 1)]
            out = (o * uintp(periods) + uintp(p)) * row
            bp = (o * uintp(periods) + uintp(p)) * uintp(2) * fertile
            new = now + row

            # Everyone moves on by one group.
            if code == EVEN:
                for k in range(one, row):
                    i = uintp(k)
                    exposed = population_[now + i - one] + 0.5 * migration_[mp + i - one]
                    alive = survival_[sp + i] * exposed
                    population_[new + i] = alive + 0.5 * migration_[mp + i]
                    deaths_[out + i] = exposed - alive
            elif code == END:
                for k in range(one, row):
                    i = uintp(k)
                    exposed = population_[now + i - one]
                    alive = survival_[sp + i] * exposed
                    population_[new + i] = alive + migration_[mp + i]
                    deaths_[out + i] = exposed - alive
            else:
                for k in range(one, row):
                    i = uintp(k)
                    exposed = population_[now + i - one]
                    s = survival_[sp + i]
                    alive = s * exposed
                    half = math.sqrt(s) * migration_[mp + i]
                    population_[new + i] = alive + half
                    deaths_[out + i] = exposed - alive + migration_[mp + i] - half

            # The open-ended group also keeps those already in it.
            for sex in range(2):
                i = uintp(sex) * ages + ages - one
                exposed = population_[now + i]
                if code == EVEN:
                    exposed += 0.5 * migration_[mp + i]
                alive = survival_[sp + i] * exposed
                population_[new + i] += alive
                deaths_[out + i] += exposed - alive

            # Births of the women exposed, and their survivors.
            girls = 0.0
            boys = 0.0
            for k in range(fertile):
                i = uintp(k)
                w = women + i
                exposed = population_[now + w] + population_[new + w]
                if with_migrants == 0:
                    if code == END:
                        exposed -= migration_[mp + w]
                    else:
                        exposed += 0.5 * migration_[mp + w]
                born = step * fertility_[fp + i] * 0.5 * exposed
                daughters = born / (1.0 + srb)
                sons = born * srb / (1.0 + srb)
                births_[bp + uintp(female) * fertile + i] = daughters
                births_[bp + uintp(1 - female) * fertile + i] = sons
                girls += daughters
                boys += sons
            for sex in range(2):
                i = uintp(sex) * ages
                newborn = girls if sex == female else boys
                s = survival_[sp + i]
                m = migration_[mp + i]
                if code == EVEN:
                    population_[new + i] = s * newborn + 0.5 * m
                    deaths_[out + i] = newborn - s * newborn
                elif code == END:
                    population_[new + i] = s * newborn + m
                    deaths_[out + i] = newborn - s * newborn
                else:
                    half = math.sqrt(s) * m
                    population_[new + i] = s * newborn + half
                    deaths_[out + i] = newborn - s * newborn + m - half

            if wanted:
                for sex in range(2):
                    first_ = out + uintp(sex) * ages
                    c = uintp(
                        separation_row[b] * separation.shape[1] + min(p, separation.shape[1] - 1)
                    )
                    c = (c * uintp(2) + uintp(sex)) * (ages - one)
                    # Of each cohort's deaths a share in the group left, the rest in the next.
                    left = deaths_[first_]
                    for k in range(ages - one):
                        i = uintp(k)
                        dead = deaths_[first_ + i + one]
                        before = separation_[c + i] * dead
                        deaths_period_[first_ + i] = left + before
                        left = dead - before
                    deaths_period_[first_ + ages - one] = left

            for k in range(row):
                i = uintp(k)
                applied_[out + i] = migration_[mp + i]
                if population_[new + i] < 0.0:
                    negative += 1
            now = new
        n_negative[out_row[b]] = negative
