"""Russian men between two censuses, beside DemoTools' `mig_beta` and `interp_coh`.

Reference folder demotools/rup (README section 2). They survive a birth cohort over a calendar year
by the root of two ratios, its own and that of the age before: half a year too young.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import migproj as mp

FIRST, LAST = 2002 + 288 / 365, 2010 + 297 / 365
YEARS = np.arange(2002, 2011)


@dataclass
class Russia:
    counts: list[np.ndarray]  # of the two rounds, by single age, 100 and over last
    births: dict[int, float]  # within the interval
    survival: np.ndarray  # (age arrived in, calendar year) over the part of it in the interval


@pytest.fixture
def russia(reference):
    folder = reference / "demotools/rup"
    census = pd.read_csv(folder / "rus_in_census.csv")
    births = pd.read_csv(folder / "rus_in_births.csv").set_index("year")["births"].astype(float)
    births[2002] *= 2003 - FIRST
    births[2010] *= LAST - 2010
    ratios = pd.read_csv(folder / "rus_mid_pxt.csv").pivot_table(
        index="age", columns="date", values="pxt_single_lx"
    )
    counts = [census[c].to_numpy(float) for c in ("c1", "c2")]
    return Russia(counts, births.to_dict(), ratios.to_numpy())


def cohorts(counts, when):
    """Closed ages of a round by year of birth, each age's people even over it."""
    part, year = when % 1, int(when)
    padded = np.concatenate([[0.0], counts[:-1], [0.0]])
    people = part * padded[1:] + (1 - part) * padded[:-1]
    return {year - age: people[age] for age in range(len(people))}


def followed(russia, whole):
    """By cohort: who is there at each 1 January and at the end without migration, and the residual.

    Survival of the whole year of age, or as theirs of half a year younger.
    """
    last = cohorts(russia.counts[1], LAST)
    people = cohorts(russia.counts[0], FIRST)
    for year, born in russia.births.items():
        people[year] = people.get(year, 0.0) + born
    alive, residual = {}, {}
    for cohort, there in people.items():
        x = there
        for k, year in enumerate(YEARS):
            age = year - cohort
            if age >= 0:
                own, before = (
                    russia.survival[a, k] if 0 <= a <= 100 else 1.0 for a in (age, age - 1)
                )
                x *= own if whole else np.sqrt(own * before)
                alive[cohort, year] = x
        residual[cohort] = last[cohort] - x if cohort in last else 0.0
    return alive, residual


def test_their_steps(russia, reference):
    """What is compared below are their own figures, made again from the same ratios."""
    folder = reference / "demotools/rup"
    theirs = pd.read_csv(folder / "rus_out_mig_beta.csv").query(
        "lx_input == 'single' and adjust == 'none'"
    )
    alive, residual = followed(russia, whole=False)
    net = np.zeros(len(theirs))
    spread = {(c, y): (y + 1 - FIRST) / (LAST - FIRST) if y < 2010 else 1.0 for c, y in alive}
    for (cohort, year), share in spread.items():
        age = year - cohort
        if age < len(net):
            net[age] += residual[cohort] * (share - spread.get((cohort, year - 1), 0.0))
    # Their dates went through names of columns with 15 digits, and to days.
    np.testing.assert_allclose(net, theirs["net_mig"], atol=25)
    people = pd.read_csv(folder / "rus_out_interp_coh.csv").query(
        "lx_input == 'single' and case == 'jan1' and age > 0 and age < 90"
    )
    made = [
        alive[int(date) - 1 - age, int(date) - 1]
        + residual[int(date) - 1 - age] * (date - FIRST) / (LAST - FIRST)
        for age, date in zip(people["age"], people["date"], strict=True)
    ]
    np.testing.assert_allclose(made, people["pop"], rtol=2e-4)


def ours(russia):
    """The rounds, their births, and a life table of each calendar year with the same ratios."""
    ratios = russia.survival.copy()
    ratios[:, 0] **= 1 / (2003 - FIRST)
    ratios[:, -1] **= 1 / (LAST - 2010)
    lived = np.cumprod(ratios[:-1], axis=0)
    oldest = ratios[-1] * lived[-1] / (1 - ratios[-1])
    beyond = np.cumsum(np.vstack([lived, oldest])[::-1], axis=0)[::-1]
    alive = np.vstack([np.ones(len(YEARS)), (lived[:-1] + lived[1:]) / 2, 0.9 * lived[-1:]])
    ages = mp.age_coords(range(101))
    tables = xr.Dataset(
        {"lx": (("age", "period"), alive), "Tx": (("age", "period"), beyond)},
        {**ages, "period": [FIRST, *range(2003, 2011)]},
    )
    start, end = (
        xr.DataArray(counts, dims="age", coords=ages).assign_coords(time=when)
        for counts, when in zip(russia.counts, (FIRST, LAST), strict=True)
    )
    return start, end, tables, xr.DataArray(sum(russia.births.values()))


def test_half_a_year_is_what_is_between_us(russia):
    start, end, tables, births = ours(russia)
    totals = {}
    for whole in (False, True):
        _, residual = followed(russia, whole)
        totals[whole] = sum(r for cohort, r in residual.items() if 2010 - cohort < 90)
    result = mp.net_migration(start, end, tables, method="forward", births=births)
    mine = float(result["net_migration"].sel(age=slice(0, 88)).sum())
    # A quarter more by whole years; what is left is the people within ages, even or by a spline.
    assert totals[True] > 1.24 * totals[False]
    assert abs(mine - totals[True]) < 0.002 * totals[True]


def test_population_between(russia):
    start, end, tables, births = ours(russia)
    result = mp.intercensal_population(start, end, tables, births)
    alive, residual = followed(russia, whole=True)
    for date in (2003, 2006, 2010):
        got = result["population"].sel(time=date)
        want = [
            alive[date - 1 - age, date - 1]
            + residual[date - 1 - age] * (date - FIRST) / (LAST - FIRST)
            for age in range(9, 85)
        ]
        off = got.sel(age=slice(9, 84)) - want
        # Within single ages theirs are even, at the trough of births of 1943 too, ours are not.
        assert float(np.abs(off).sum()) < 0.006 * np.sum(want), date
        assert date - 1 - (9 + np.argmax(np.abs(off / want).values)) == 1943
        assert abs(float(off.sum())) < 1e-4 * np.sum(want), date
