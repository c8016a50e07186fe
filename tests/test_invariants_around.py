"""Labels only label: what is done before and around an estimate, by function."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import migproj as mp
from test_invariants import (
    FEW,
    SEXES,
    Case,
    aged,
    by_country,
    countries,
    drawn,
    keeps_missing_values_apart,
    leaves_inputs,
    permutes,
    takes_dims_in_any_order,
)

#: Sums of a few dozen terms may be added up in another order, and fits stop within 1e-10.
NEAR = 1e-9

FIVE = list(range(0, 90, 5))
ABRIDGED = [0, 1, *range(5, 105, 5)]
SINGLE = list(range(101))
PLACES = ["P", "Q", "R"]


def people(rng, labels, lower, **more):
    """Counts that fall with age, as those of a population do."""
    made = drawn(rng, 0.9, 1.1, lower, country=labels, **more)
    return made * 1e6 * np.exp(-np.array(lower) / 40.0)


def rates(rng, labels, lower, **more):
    level = drawn(rng, 0.8, 1.2, country=labels, **more)
    ages = np.array(lower, float)
    shape = 0.02 * np.exp(-2 * ages) + 0.0003 + 3e-5 * np.exp(0.095 * ages)
    made = (level * aged(shape, lower)).transpose(..., "age")
    return made if "sex" in more else made.assign_coords(sex="female")


def two(make):
    return lambda rng, labels: {"first": make(rng, labels), "second": make(rng, labels)}


def swapped(array):
    """Countries of residence are the country of the function, and ours a batch dim of it."""
    if "residence" in array.dims:
        names = {"country": "draw"} if "country" in array.dims else {}
        return array.rename(residence="country", **names)
    return array.rename(draw="country") if "draw" in array.dims else array


def matrix(rng, labels, *dims):
    return drawn(rng, 1.0, 1e4, country=labels, **dict.fromkeys(dims, PLACES))


CASES = {
    "smooth_ages": Case(
        lambda rng, labels: {"population": people(rng, labels, FIVE, sex=SEXES)},
        lambda population: mp.smooth_ages(population, method="arriaga"),
    ),
    "graduate_ages": Case(
        lambda rng, labels: {"population": people(rng, labels, FIVE, sex=SEXES)},
        mp.graduate_ages,
    ),
    "graduate_ages by pclm": Case(
        lambda rng, labels: {"population": people(rng, labels, FIVE)},
        lambda population: mp.graduate_ages(population, method="pclm", penalty=100.0),
    ),
    "redistribute_open_group": Case(
        lambda rng, labels: {
            "population": people(rng, labels, list(range(0, 75, 5))),
            "mx": rates(rng, labels, ABRIDGED),
        },
        lambda population, mx: mp.redistribute_open_group(population, mp.life_table(mx)),
    ),
    "base_population": Case(
        lambda rng, labels: {
            "population": people(rng, labels, [0, 1, *FIVE[1:]], sex=SEXES),
            "mx": rates(rng, labels, ABRIDGED, sex=SEXES),
            "fertility": drawn(rng, 0.02, 0.2, country=labels, age=np.arange(15, 50, 5)),
        },
        lambda population, mx, fertility: mp.base_population(
            population, mp.life_table(mx), fertility, 1.05
        ),
    ),
    "interpolate_rounds": Case(
        lambda rng, labels: {
            "population": people(rng, labels, FIVE, time=[1990.0, 2001.5]).transpose(..., "age")
        },
        lambda population: mp.interpolate_rounds(population, [1995.0, 2000.0]),
    ),
    "births_between": Case(
        lambda rng, labels: {
            "births_by_year": drawn(rng, 1e4, 1e5, country=labels, period=np.arange(1990, 2001.0))
        },
        lambda births_by_year: mp.births_between(births_by_year, 1990.5, 2000.5),
    ),
    "extend_mortality": Case(
        lambda rng, labels: {"mx": rates(rng, labels, ABRIDGED)},
        mp.extend_mortality,
    ),
    "log_quadratic": Case(
        lambda rng, labels: {
            "child_mortality": drawn(rng, 0.01, 0.1, country=labels, sex=SEXES),
            "adult_mortality": drawn(rng, 0.1, 0.3, country=labels, sex=SEXES),
        },
        mp.log_quadratic,
    ),
    "brass_logit": Case(
        lambda rng, labels: {
            "mx": rates(rng, labels, ABRIDGED),
            "alpha": drawn(rng, -0.5, 0.5, country=labels),
        },
        lambda mx, alpha: mp.brass_logit(mp.life_table(mx), alpha=alpha),
    ),
    "fit_brass_logit": Case(
        two(lambda rng, labels: rates(rng, labels, ABRIDGED)),
        lambda first, second: mp.fit_brass_logit(mp.life_table(first), mp.life_table(second)),
    ),
    "abridge_life_table": Case(
        lambda rng, labels: {"mx": rates(rng, labels, SINGLE)},
        lambda mx: mp.abridge_life_table(mp.life_table(mx)),
    ),
    "decompose_life_expectancy": Case(
        two(lambda rng, labels: rates(rng, labels, ABRIDGED)),
        lambda first, second: mp.decompose_life_expectancy(
            mp.life_table(first), mp.life_table(second)
        ),
    ),
    "age_quality": Case(
        lambda rng, labels: {"population": people(rng, labels, SINGLE, sex=SEXES)},
        mp.age_quality,
    ),
    "model_migration_schedule": Case(
        lambda rng, labels: {"women": drawn(rng, 0.2, 0.8, country=labels)},
        lambda women: mp.model_migration_schedule(ages=[0, 15, 65], women=women),
    ),
    "distribute_migration": Case(
        lambda rng, labels: {
            "total": drawn(rng, -1e4, 1e4, country=labels),
            "women": drawn(rng, 0.2, 0.8, country=labels),
        },
        lambda total, women: mp.distribute_migration(
            total, mp.model_migration_schedule(ages=[0, 15, 65], women=women)
        ),
    ),
    "emigrants": Case(
        lambda rng, labels: {"stocks": matrix(rng, labels, "residence", "birthplace")},
        lambda stocks: swapped(mp.emigrants(swapped(stocks))),
    ),
    "reconcile_reports": Case(
        lambda rng, labels: {
            "by_destination": matrix(rng, labels, "origin", "destination"),
            "by_origin": matrix(rng, labels, "origin", "destination"),
        },
        mp.reconcile_reports,
    ),
    "regroup_flows": Case(
        lambda rng, labels: {"flows": matrix(rng, labels, "origin", "destination")},
        lambda flows: mp.regroup_flows(
            flows, xr.DataArray(list("xxy"), dims="place", coords={"place": PLACES})
        ),
    ),
    "flow_totals": Case(
        lambda rng, labels: {"flows": matrix(rng, labels, "origin", "destination")},
        mp.indicators.flow_totals,
    ),
    "correct_coverage": Case(
        lambda rng, labels: {
            "population": people(rng, labels, FIVE),
            "coverage": drawn(rng, 1.0, 1.1, country=labels),
        },
        mp.correct_coverage,
    ),
}
each = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
seeds = st.integers(0, 2**32 - 1)


def dataset(result):
    result = result if isinstance(result, xr.Dataset) else result.to_dataset(name="result")
    return result.reset_coords(drop=True).transpose(*sorted(result.dims, key=str))


def assert_close(got, want):
    got, want = dataset(got), dataset(want)
    assert list(got.variables) == list(want.variables)
    for name, array in want.variables.items():
        assert got[name].dims == array.dims, name
        if array.dtype.kind == "f":
            scale = float(np.nanmax(np.abs(np.where(np.isinf(array), 0, array)), initial=0.0))
            np.testing.assert_allclose(
                got[name], array, rtol=NEAR, atol=NEAR * scale, err_msg=str(name)
            )
        else:
            np.testing.assert_array_equal(got[name], array, err_msg=str(name))


@each
@FEW
@given(seed=seeds, order=st.permutations(range(3)))
def test_countries_in_another_order_give_results_in_that_order(case, seed, order):
    permutes(case, seed, order, assert_close)


@each
@FEW
@given(seed=seeds)
def test_a_batch_is_a_loop_over_its_countries(case, seed):
    inputs = case.make(np.random.default_rng(seed), countries(2))
    together = case.call(**inputs)
    for k in range(2):
        alone = case.call(**by_country(inputs, lambda array, k=k: array.isel(country=k, drop=True)))
        assert_close(alone, together.isel(country=k, drop=True))


@each
@FEW
@given(seed=seeds)
def test_dims_in_any_order_give_the_same_result(case, seed):
    takes_dims_in_any_order(case, seed, assert_close)


@each
@FEW
@given(seed=seeds)
@pytest.mark.filterwarnings("ignore::migproj.DataQualityWarning")
def test_a_missing_value_stays_in_its_country(case, seed):
    keeps_missing_values_apart(case, seed, assert_close)


@each
@FEW
@given(seed=seeds)
def test_inputs_are_left_as_they_were(case, seed):
    leaves_inputs(case, seed)


@each
def test_results_have_units(case):
    inputs = case.make(np.random.default_rng(6), countries(2))
    inputs = {name: array.assign_attrs(units="persons") for name, array in inputs.items()}
    result = dataset(case.call(**inputs))
    assert [name for name, array in result.items() if "units" not in array.attrs] == []


@each
def test_another_dim_is_carried_along(case):
    """A draw dim on the first input alone: each draw as if it were given by itself."""
    inputs = case.make(np.random.default_rng(3), countries(2))
    name, array = next(iter(inputs.items()))
    other = case.make(np.random.default_rng(4), countries(2))[name]
    draws = xr.concat([array, other], dim=xr.Variable("variant", [0, 1]))
    together = case.call(**(inputs | {name: draws}))
    for k, one in enumerate((array, other)):
        alone = case.call(**(inputs | {name: one}))
        assert_close(together.isel(variant=k, drop=True), alone)
