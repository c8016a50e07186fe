"""Totals of migrants shared out over sex and age, and schedules by other groups."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import migproj as mp
from kernels import reference

AGES = mp.age_coords([0, 15, 30, 65])
SEXES = ["female", "male"]
BY = {"country": ["A", "B", "C"], "sex": SEXES, **AGES}
SIZES = {"country": 3, "sex": 2, "age": 4}


def array(rng, low, high, *dims):
    coords = {name: coord for name, coord in BY.items() if str(name).split("_")[0] in dims}
    values = rng.uniform(low, high, [SIZES[dim] for dim in dims])
    return xr.DataArray(values, dims=dims, coords=coords)


@pytest.fixture
def rng():
    return np.random.default_rng(8)


def shares(rng, *dims, over=("sex", "age")):
    weights = array(rng, 0.1, 1, *dims)
    return weights / weights.sum(over)


def test_shares_of_both_sexes(rng):
    total = array(rng, -1e4, 1e4, "country")
    schedule = shares(rng, "age", "sex")
    got = mp.distribute_migration(total, schedule)
    assert got.dims == ("country", "sex", "age")
    assert got.name == "migration"
    assert got.attrs["units"] == "persons per period"
    expected = total.values[:, None, None] * schedule.values.T
    np.testing.assert_allclose(got, expected, rtol=1e-13)
    np.testing.assert_allclose(got.sum(["sex", "age"]), total, rtol=1e-14)
    np.testing.assert_array_equal(got["age_width"], AGES["age_width"])


def test_shares_of_each_sex(rng):
    total = array(rng, -1e4, 1e4, "country", "sex")
    schedule = shares(rng, "country", "sex", "age", over="age")
    got = mp.distribute_migration(total, schedule)
    np.testing.assert_allclose(got, total.values[..., None] * schedule.values, rtol=1e-13)
    one = mp.distribute_migration(total, schedule.isel(sex=0, drop=True))
    assert one.dims == ("country", "sex", "age")
    np.testing.assert_allclose(one.sum("age"), total, rtol=1e-14)
    # A schedule of both at once is none of each.
    with pytest.raises(mp.SchemaError, match="shares that sum to 1 over age, got 0.5"):
        mp.distribute_migration(total, schedule / 2)


def test_shares_may_be_of_a_balance():
    """A net schedule has losses beside gains."""
    schedule = xr.DataArray([0.5, 1.0, -0.4, -0.1], dims="age", coords=AGES)
    got = mp.distribute_migration(-200, schedule)
    np.testing.assert_allclose(got, [-100, -200, 80, 20])


def test_rates_weigh_by_people(rng):
    total = array(rng, 1e2, 1e4, "country")
    rates = array(rng, 0.001, 0.05, "age")
    people = array(rng, 0, 1e6, "country", "sex", "age")
    got = mp.distribute_migration(total, rates, population=people)
    weights = people.values * rates.values
    expected = total.values[:, None, None] * weights / weights.sum((1, 2), keepdims=True)
    np.testing.assert_allclose(got, expected, rtol=1e-13)
    # The level of the rates does not matter.
    again = mp.distribute_migration(total, rates * 1000, population=people)
    xr.testing.assert_allclose(again, got, rtol=1e-13)


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("by_sex", [True, False])
def test_a_rule_against_plain_numpy(rng, weighted, by_sex):
    people = array(rng, 1e3, 1e5, "country", "sex", "age")
    inflow, outflow = (shares(rng, "country", "sex", "age", over="age") for _ in range(2))
    numbers = {
        "intercept": array(rng, 0.005, 0.03, "country"),
        "slope_gain": 0.7,
        "slope_loss": 0.3,
        "minimum": 0.001,
        "female_gain": 0.45,
        "female_loss": 0.6,
    }
    rule = mp.flow_difference(inflow, outflow, **numbers, weighted=weighted)
    total = array(rng, -3e4, 3e4, *(("country", "sex") if by_sex else ("country",)))
    total[0] = abs(total[0])
    total[1] = -abs(total[1])
    got = mp.distribute_migration(total, rule, population=people, interval=5)
    for c in range(3):
        for s in range(2):
            own = float(total[c, s]) if by_sex else float(total[c])
            if not by_sex:
                women = 0.45 if own >= 0 else 0.6
                own *= women if s == 0 else 1 - women
            weights = outflow.values[c, s] * (people.values[c, s] if weighted else 1.0)
            four = [float(numbers["intercept"][c]), 0.7, 0.3, 0.001]
            there = people.values[c, s].sum()
            expected = reference.flow_difference(
                own, inflow.values[c, s], weights, there, four, 5.0
            )
            np.testing.assert_allclose(got[c, s], expected, rtol=1e-11, atol=1e-8)
    over = "age" if by_sex else ["sex", "age"]
    np.testing.assert_allclose(got.sum(over), total, rtol=1e-12)
    told = total.assign_coords(period_width=5.0)
    xr.testing.assert_allclose(
        mp.distribute_migration(told, rule, population=people).drop_vars("period_width"), got
    )


def test_a_rule_is_that_of_a_projection(rng):
    """The migrants that project_population finds, of the people there without migration."""
    ages = mp.age_coords(range(0, 30, 5))
    coords = {"sex": SEXES, **ages}
    P = xr.DataArray(rng.uniform(1e3, 1e4, (2, 6)), dims=("sex", "age"), coords=coords)
    S = xr.DataArray(rng.uniform(0.8, 0.95, (2, 6)), dims=("sex", "age"), coords=coords)
    rates = xr.DataArray([0.1, 0.2], dims="age", coords={"age": [15, 20]})
    inflow, outflow = (
        xr.DataArray(rng.dirichlet(np.ones(6), 2), dims=("sex", "age"), coords=coords)
        for _ in range(2)
    )
    rule = mp.flow_difference(inflow, outflow, intercept=0.01, slope_gain=0.6, slope_loss=0.2)
    ways = {
        "population": P.assign_coords(time=2000.0),
        "survival": S,
        "fertility": rates,
        "sex_ratio_at_birth": 1.05,
        "steps": 1,
        "timing": "end",
    }
    for total in (900.0, -1500.0):
        moved = mp.project_population(
            **ways, migration=xr.DataArray(total), migration_schedule=rule
        )
        nobody = mp.project_population(**ways)["population"].isel(time=1, drop=True)
        got = mp.distribute_migration(total, rule, population=nobody, interval=5)
        want = moved["net_migration"].isel(period=0)
        np.testing.assert_allclose(got, want.transpose("sex", "age"), rtol=1e-11)


def test_a_rule_over_periods_of_their_own_widths(rng):
    """In any order of dims; each period's years are those that the total says."""
    people = array(rng, 1e3, 1e5, "country", "sex", "age")
    inflow, outflow = (shares(rng, "sex", "age", over="age") for _ in range(2))
    rule = mp.flow_difference(inflow, outflow, intercept=0.01, slope_gain=0.5, slope_loss=0.2)
    total = xr.DataArray(
        rng.uniform(-1e3, 1e3, (2, 3)),
        dims=("period", "country"),
        coords={"period": [2000.0, 2005.0], "country": ["A", "B", "C"]},
    ).assign_coords(period_width=("period", [5.0, 10.0]))
    got = mp.distribute_migration(total.T, rule, population=people.T)
    assert got.dims == ("country", "period", "sex", "age")
    for p, years in enumerate((5, 10)):
        one = total.isel(period=p, drop=True)
        want = mp.distribute_migration(one, rule, population=people, interval=years)
        np.testing.assert_allclose(got.isel(period=p), want, rtol=1e-12, atol=1e-9)
    holed = people.where(people["country"] != "B")
    part = mp.distribute_migration(total, rule, population=holed)
    assert part.sel(country="B").isnull().all()
    assert part.sel(country=["A", "C"]).notnull().all()


def test_where_nobody_lives_there_is_nobody_to_leave(rng):
    people = array(rng, 1e3, 1e5, "country", "sex", "age")
    people[1] = 0.0
    inflow, outflow = (shares(rng, "sex", "age", over="age") for _ in range(2))
    rule = mp.flow_difference(inflow, outflow, intercept=0.01, slope_gain=0.5, slope_loss=0.2)
    total = xr.full_like(people[:, 0, 0].drop_vars(["sex", "age", "age_width"]), 100.0)
    got = mp.distribute_migration(total, rule, population=people, interval=1)
    np.testing.assert_allclose(got[1], 50 * inflow, rtol=1e-14)
    with pytest.raises(mp.SchemaError, match=r"rates above 0 where there are.*\(country=B\)"):
        mp.distribute_migration(total, outflow, population=people)


def test_flows(rng):
    arrivals, departures = (array(rng, 0, 1e4, "country") for _ in range(2))
    inflow, rates = shares(rng, "sex", "age"), array(rng, 0.001, 0.05, "age")
    people = array(rng, 1e3, 1e5, "country", "sex", "age")
    got = mp.distribute_flows(arrivals, departures, inflow, rates, population=people)
    come = mp.distribute_migration(arrivals, inflow)
    leave = mp.distribute_migration(departures, rates, population=people)
    np.testing.assert_array_equal(got["in_migrants"], come)
    np.testing.assert_array_equal(got["out_migrants"], leave)
    np.testing.assert_allclose(got["net_migration"], come - leave, rtol=1e-14)
    np.testing.assert_allclose(
        got["net_migration"].sum(["sex", "age"]), arrivals - departures, rtol=1e-10
    )
    assert got["net_migration"].attrs["units"] == "persons per period"


def test_counts_and_weights_may_be_small_integers(rng):
    """Their products are not taken in their own type, in which they would wrap."""
    weights = (30_000 * array(rng, 0.5, 1, "age")).astype("int16")
    people = (1_000 * array(rng, 0.5, 1, "age")).astype("int16")
    got = mp.distribute_migration(100.0, weights, population=people)
    want = mp.distribute_migration(100.0, weights * 1.0, population=people * 1.0)
    xr.testing.assert_identical(got, want)


def test_people_who_leave_are_not_joined_with_those_who_come(rng):
    inflow, outflow = shares(rng, "sex", "age"), array(rng, 0.01, 0.02, "sex", "age")
    people = array(rng, 1, 9, "sex", "age")
    with pytest.raises(mp.AlignmentError, match="population: dim 'draw'"):
        mp.distribute_flows(
            10.0,
            5.0,
            inflow.expand_dims(draw=[0, 1]),
            outflow,
            population=people.expand_dims(draw=[1, 2]),
        )


def test_nothing_to_share_out_is_told(rng):
    none = array(rng, 1, 9, "country").isel(country=slice(0))
    with pytest.raises(mp.SchemaError, match="arrivals: empty, dim 'country' has length 0"):
        mp.distribute_flows(none, 5.0, shares(rng, "sex", "age"), shares(rng, "sex", "age"))


def test_missing_values_stay_in_their_row(rng):
    total = array(rng, 1e2, 1e4, "country")
    rates, people = array(rng, 0.001, 0.05, "age"), array(rng, 1, 1e6, "country", "sex", "age")
    total[0] = np.nan
    people[1, 0, 2] = np.nan
    before = [total.copy(deep=True), people.copy(deep=True)]
    got = mp.distribute_migration(total, rates, population=people)
    assert got[:2].isnull().all()
    assert got[2].notnull().all()
    xr.testing.assert_identical(total, before[0])
    xr.testing.assert_identical(people, before[1])


def test_lazy_input_is_worked_lazily(rng):
    pytest.importorskip("dask.array")
    people = array(rng, 1e3, 1e5, "country", "sex", "age")
    inflow, outflow = (shares(rng, "country", "sex", "age", over="age") for _ in range(2))
    rule = mp.flow_difference(inflow, outflow, intercept=0.01, slope_gain=0.5, slope_loss=0.2)
    total, rates = array(rng, -1e4, 1e4, "country"), array(rng, 0.001, 0.05, "age")
    for schedule, options in ((rule, {"interval": 5}), (rates, {})):
        eager = mp.distribute_migration(total, schedule, population=people, **options)
        lazy = mp.distribute_migration(
            total.chunk(country=1), schedule, population=people.chunk(country=1), **options
        )
        assert lazy.chunks is not None
        xr.testing.assert_allclose(lazy.compute(), eager, rtol=1e-13)


def test_what_cannot_be_shared_out(rng):
    total, schedule = array(rng, 1e2, 1e4, "country"), shares(rng, "sex", "age")
    people = array(rng, 1e3, 1e5, "country", "sex", "age")
    inflow = shares(rng, "sex", "age", over="age")
    rule = mp.flow_difference(inflow, inflow, intercept=0.01, slope_gain=0.5, slope_loss=0.2)
    five = mp.age_coords(["0-14", "15-29", "30-64", "65-69"])
    for message, arguments, options in (
        ("total: the dim 'age' is not expected", (people, schedule), {}),
        ("schedule: expected shares that sum to 1 over sex and age", (total, 2 * schedule), {}),
        ("schedule: expected rates or weights of 0", (total, -schedule), {"population": people}),
        ("interval: given without a rule", (total, schedule), {"interval": 5}),
        ("schedule: expected shares by age, or the Dataset", (total, rule[["inflow"]]), {}),
        ("population: a rule of mp.flow_difference needs", (total, rule), {}),
        ("interval: unknown; give interval", (total, rule), {"population": people}),
        ("expected years above 0", (total, rule), {"population": people, "interval": 0}),
        (r"total: expected the dim\(s\) \['country'\]", (9.0, rule), {"population": people}),
        ("population: dim 'country'", (total[:2], schedule), {"population": people}),
        (
            "population: age_width: expected the widths of schedule",
            (total, schedule),
            {"population": people.assign_coords(five)},
        ),
    ):
        with pytest.raises(mp.MigprojError, match=message):
            mp.distribute_migration(*arguments, **options)
    with pytest.raises(mp.SchemaError, match="departures: expected counts of 0 or more"):
        mp.distribute_flows(total, -total, schedule, schedule)


# Other groups ---------------------------------------------------------------------------------


def test_shares_are_summed_and_spread():
    shares = xr.DataArray([0.1, 0.4, 0.5], dims="age", coords=mp.age_coords(["0-4", "5-9", "10+"]))
    got = mp.regroup_schedule(shares, [0, 2, 7, 10])
    np.testing.assert_allclose(got, [0.04, 0.06 + 0.16, 0.24, 0.5], rtol=1e-14)
    assert got["age_width"].values.tolist() == [2, 5, 3, np.inf]
    single = mp.regroup_schedule(shares, range(11))
    np.testing.assert_allclose(single, [0.02] * 5 + [0.08] * 5 + [0.5], rtol=1e-14)
    np.testing.assert_allclose(mp.regroup_schedule(single, shares), shares, rtol=1e-14)
    np.testing.assert_allclose(mp.regroup_schedule(shares, [0, 5]), [0.1, 0.9], rtol=1e-14)


def test_rates_are_means_by_exposure():
    five = mp.age_coords(range(0, 15, 5))
    single = mp.age_coords(range(11))
    rng = np.random.default_rng(2)
    rates = xr.DataArray(rng.uniform(0, 0.1, 11), dims="age", coords=single)
    lived = xr.DataArray(rng.uniform(0, 1e4, (2, 11)), dims=("sex", "age"), coords=single)
    lived = lived.assign_coords(sex=SEXES)
    got = mp.regroup_schedule(rates, five, exposure=lived)
    assert got.dims == ("sex", "age")
    for s in range(2):
        want = [np.average(rates[k : k + 5], weights=lived[s, k : k + 5]) for k in (0, 5)]
        np.testing.assert_allclose(got[s], [*want, rates[10]], rtol=1e-13)
    # Back to single years, and the migrants are as many.
    again = mp.regroup_schedule(got, single, exposure=lived)
    np.testing.assert_allclose((again * lived).sum("age"), (rates * lived).sum("age"))
    np.testing.assert_allclose(again[:, :5], np.repeat(got.values[:, :1], 5, axis=1), rtol=1e-13)


def test_nobody_exposed_has_no_rate():
    rates = xr.DataArray([0.1, 0.2, 0.3], dims="age", coords=mp.age_coords([0, 1, 2]))
    lived = xr.zeros_like(rates).where(rates["age"] < 2, 5.0)
    got = mp.regroup_schedule(rates, [0, 2], exposure=lived)
    np.testing.assert_allclose(got, [np.nan, 0.3])


@settings(max_examples=40, deadline=None)
@given(
    have=st.sets(st.integers(1, 90), min_size=1, max_size=12),
    want=st.sets(st.integers(1, 90), min_size=1, max_size=12),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_sum_of_shares_is_kept(have, want, seed):
    old = max(have)
    want = {low for low in want if low < old}
    shares = np.random.default_rng(seed).dirichlet(np.ones(len(have) + 1))
    schedule = xr.DataArray(shares, dims="age", coords=mp.age_coords([0, *sorted(have)]))
    got = mp.regroup_schedule(schedule, [0, *sorted(want), old])
    np.testing.assert_allclose(got.sum(), 1.0, rtol=1e-13)


def test_groups_that_do_not_fit():
    shares = xr.DataArray([0.1, 0.4, 0.5], dims="age", coords=mp.age_coords(["0-4", "5-9", "10+"]))
    for message, ages, options in (
        (r"cut the open-ended group 10\+ of schedule", [0, 5, 10, 15], {}),
        ("expected groups from 0 to inf like those of schedule, got 5 to inf", [5, 10], {}),
        ("fall inside groups of exposure", [0, 3, 10], {"exposure": shares * 100}),
        ("cut", ["0-4", "5-12", "13+"], {}),
        ("got 0 to 10", ["0-4", "5-9"], {}),
    ):
        with pytest.raises(mp.SchemaError, match=message):
            mp.regroup_schedule(shares, ages, **options)


def test_flows_name_the_schedule_that_is_no_share():
    rng = np.random.default_rng(3)
    good = shares(rng, "sex", "age", over="age")
    good = good / good.sum()
    with pytest.raises(mp.SchemaError, match=r"inflow: expected shares that sum to 1.*inflow\.sum"):
        mp.distribute_flows(9.0, 8.0, 2 * good, good)
    with pytest.raises(mp.SchemaError, match="outflow: expected shares that sum to 1"):
        mp.distribute_flows(9.0, 8.0, good, 2 * good)
