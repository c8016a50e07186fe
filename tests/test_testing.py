"""Simulated rounds: against sums over a fine grid, and estimators against their truth."""

from itertools import pairwise

import numpy as np
import pytest
import xarray as xr

import migproj as mp
from migproj.testing import gompertz_makeham, migrant_schedule, simulate_rounds

LOWER = range(0, 85, 5)
#: The schedule is cut at age 120, where it is 1e-6 of all: the quadrature does not see that cut.
TAIL = 2e-6


def by_sex(female, male):
    return xr.DataArray([female, male], dims="sex", coords={"sex": ["female", "male"]})


def cumulative(x, a=0.03, d=1.5, c=5e-4, b=5e-5, k=0.09):
    return a / d * (1 - np.exp(-d * x)) + c * x + b / k * (np.exp(k * x) - 1)


def intensity(date):
    return 1 + 0.5 * np.sin(2 * np.pi * (np.asarray(date) - 1990) / 7)


def test_against_sums_over_a_fine_grid():
    """Survivors, and survivors of migrants, summed over squares of 1/40 year."""
    h, start, end = 1 / 40, 1990.25, 1996.75
    made = simulate_rounds(
        [start, end],
        LOWER,
        gompertz_makeham(),
        migration=-800.0,
        intensity=intensity,
        seed=1,
        waves=0.0,
        births=3e4,
        growth=0.02,
    )
    age = (np.arange(130 / h) + 0.5) * h
    group = np.minimum((age // 5).astype(int), 16)

    def grouped(values):
        return np.bincount(group, values * h, minlength=17)

    def born(date):
        return 3e4 * np.exp(0.02 * (date - start))

    density = migrant_schedule(age) * (age < 120) / (migrant_schedule(age[age < 120]).sum() * h)
    at_end, alive, at_move = np.zeros((3, age.size))
    for step in range(int((end - start) / h)):
        ago = (step + 0.5) * h
        moved = -800 * intensity(end - ago) * h * density
        at_move += moved
        # Those of a bin when they moved, in the middle of a step, end half in either of two.
        before = np.concatenate([np.zeros(step + 1), moved])[: age.size + 1]
        later = (before[1:] + before[:-1]) / 2
        at_end += later
        alive += later * np.exp(cumulative(np.maximum(age - ago, 0)) - cumulative(age))
    closed = [born(t - age) * np.exp(-cumulative(age)) for t in (start, end)]
    # Midpoint sums are wrong by the curvature of a bin, 1e-5 of a group.
    near = {"rtol": 2e-5}
    np.testing.assert_allclose(made.population[0], grouped(closed[0]), **near)
    np.testing.assert_allclose(made.population[1], grouped(closed[1] + alive), **near)
    migrants = {"rtol": 1e-4}
    np.testing.assert_allclose(made.net_migration[0], grouped(at_end), **migrants)
    np.testing.assert_allclose(made.net_migration_by_age[0], grouped(at_move), **migrants)
    years = start + (np.arange((end - start) / h) + 0.5) * h
    np.testing.assert_allclose(made.births[0], born(years).sum() * h, rtol=1e-6)
    survivors = np.exp(-cumulative(np.arange(111.0)))
    np.testing.assert_allclose(made.life_table["lx"], survivors, rtol=1e-12)
    lived = np.exp(-cumulative(age))
    tail = [lived[age > x].sum() * h for x in (0, 50, 80)]
    np.testing.assert_allclose(made.life_table["Tx"].sel(age=[0, 50, 80]), tail, rtol=1e-5)


def test_accounts_close():
    """Three rounds of two sexes and two countries: nobody is lost, whatever the groups."""
    migration = xr.DataArray([900.0, -400.0], dims="country", coords={"country": ["ARG", "BOL"]})
    dates = ["1980-10-22", "1991-05-15", "2001-11-17"]
    grids = [[*range(0, 65, 5)], ["0-4", "5-9", "10-19", "20-59", "60+"], range(101)]
    made = simulate_rounds(
        dates,
        grids,
        gompertz_makeham(level=by_sex(5e-5, 8e-5)),
        migration=migration,
        seed=4,
        births=2e4,
    )
    for array, grid in zip(made.population, grids, strict=True):
        assert array.dims == ("country", "sex", "age")
        assert array.sizes["age"] == len(grid)
        assert array["age_width"].values[-1] == np.inf
        assert array.attrs["units"] == "persons"
    assert [float(p["time"]) for p in made.population] == [mp.decimal_year(d) for d in dates]
    for k, (first, last) in enumerate(pairwise(dates)):
        net = made.net_migration[k]
        years = mp.interval_years(first, last)
        assert float(net["period_width"]) == years
        assert float(net["period"]) == mp.decimal_year(first)
        for truth in (net, made.net_migration_by_age[k]):
            total = truth.sum("age").transpose("country", "sex")
            want = (migration * years * by_sex(1.0, 1.0)).transpose("country", "sex")
            np.testing.assert_allclose(total, want, rtol=TAIL)
        balance = mp.net_migration_vital(
            made.population[k], made.population[k + 1], made.births[k], made.deaths[k]
        )
        np.testing.assert_allclose(balance, net.sum("age"), rtol=1e-9)
        assert (made.deaths[k] > 0).all()


def test_seeds():
    def people(seed, **options):
        made = simulate_rounds(
            [2000, 2010], LOWER, gompertz_makeham(), migration=0.0, seed=seed, **options
        )
        return made.population[0]

    xr.testing.assert_identical(people(1), people(1))
    assert (abs(people(1) / people(2) - 1) > 1e-4).all()
    xr.testing.assert_identical(people(1, waves=0.0), people(2, waves=0.0))


def test_death_rates_of_a_model():
    """Constant hazards within groups, as in a life table by single years."""
    ages = mp.age_coords(range(111))
    mx = xr.DataArray(5e-4 + 5e-5 * np.exp(0.09 * np.arange(111)), dims="age", coords=ages)
    made = simulate_rounds(
        [2000, 2010], LOWER, mx, migration=100.0, seed=1, waves=0.0, growth=0.0, births=1e4
    )
    lx = np.exp(-np.concatenate([[0.0], np.cumsum(mx.values[:-1])]))
    np.testing.assert_allclose(made.life_table["lx"], lx, rtol=1e-12)
    Lx = (lx[:-1] - lx[1:]) / mx.values[:-1]
    np.testing.assert_allclose(
        made.population[0].sel(age=slice(0, 75)), 1e4 * Lx[:80].reshape(16, 5).sum(1), rtol=1e-9
    )


@pytest.mark.parametrize("method", ["forward", "reverse", "average", "midpoint"])
def test_a_closed_stationary_population_has_no_migrants(method):
    made = simulate_rounds(
        [2000, 2010], LOWER, gompertz_makeham(), migration=0.0, seed=1, waves=0.0, growth=0.0
    )
    result = mp.net_migration(
        *made.population, made.life_table, births=made.births[0], method=method
    )
    # Quadratures by age and the truncation at 120, of 5 million people.
    assert np.abs(result["net_migration"]).max() < 1e-2
    assert (made.net_migration[0] == 0).all()


#: Expectation of life about 85, 74 and 66 years.
MORTALITY = {
    85: gompertz_makeham(infant=0.005, level=2e-5),
    74: gompertz_makeham(),
    66: gompertz_makeham(infant=0.06, level=9e-5),
}


@pytest.mark.parametrize("last", ["2000-10-21", "2001-05-15"])  # 10 and 10.56 years
@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("e0", MORTALITY)
def test_average_and_midpoint_over_ten_years(e0, sign, last):
    """The timing of evenly spread migration alone: the rest of the population is stationary."""
    made = simulate_rounds(
        ["1990-10-21", last],
        range(0, 80, 5),
        MORTALITY[e0],
        migration=sign * 2000.0,
        seed=1,
        waves=0.0,
        growth=0.0,
    )
    assert float(made.life_table["Tx"][0]) == pytest.approx(e0, abs=1)
    truth = made.net_migration[0]
    errors = {}
    for method in ("forward", "reverse", "average", "midpoint"):
        got = mp.net_migration(
            *made.population, made.life_table, births=made.births[0], method=method
        )["net_migration"]
        young = (got / truth - 1).sel(age=slice(0, 69))
        errors[method] = float(got.sum() / truth.sum() - 1), float(abs(young).max())
    assert abs(errors["average"][0]) < 0.01
    assert abs(errors["midpoint"][0]) < 0.01
    assert errors["average"][1] < 0.03
    assert errors["midpoint"][1] < 0.04
    # Those who died since are missing from forward; reverse counts deaths nobody was exposed to.
    assert errors["forward"][0] < -0.004
    assert errors["reverse"][0] > 0.004


def test_wrong_inputs():
    law = gompertz_makeham()

    def simulate(dates=(2000, 2010), ages=LOWER, mortality=law, **options):
        given = {"migration": 1.0, "seed": 1, **options}
        return simulate_rounds(dates, ages, mortality, **given)

    with pytest.raises(mp.IntervalError, match=r"end \(2000\) must come after start \(2010\)"):
        simulate(dates=(2010, 2000))
    with pytest.raises(mp.IntervalError, match=r"dates: expected two dates or more"):
        simulate(dates=(2010,))
    with pytest.raises(mp.SchemaError, match=r"ages: expected the groups of each of the 2 rounds"):
        simulate(ages=[LOWER])
    with pytest.raises(mp.SchemaError, match=r"ages: expected groups from 0 to an open-ended one"):
        simulate(ages=range(10, 85, 5))
    with pytest.raises(mp.SchemaError, match=r"mortality: expected parameters.*got float"):
        simulate(mortality=0.01)
    with pytest.raises(mp.SchemaError, match=r"migration: more leave than there are at 2010"):
        simulate(migration=-1e6)
    with pytest.raises(mp.SchemaError, match=r"schedule: expected a finite sum above 0"):
        simulate(schedule=lambda age: 0.0 * age)
    with pytest.raises(mp.SchemaError, match=r"waves: expected a share of births"):
        simulate(waves=1.5)
    with pytest.raises(mp.SchemaError, match=r"level: expected a hazard.*sex=female"):
        gompertz_makeham(level=by_sex(-1.0, 1e-5))
    with pytest.raises(mp.SchemaError, match=r"slope: expected a hazard, above 0, got 0"):
        gompertz_makeham(slope=0.0)
    other = xr.DataArray([1.0], dims="sex", coords={"sex": ["female"]})
    with pytest.raises(mp.AlignmentError, match=r"'sex'.*expected the 1 labels of migration"):
        simulate(mortality=gompertz_makeham(level=by_sex(5e-5, 8e-5)), migration=other)
