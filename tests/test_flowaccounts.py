"""Flows by age that add up to net migration, and the components of a projection from flows."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import migproj as mp
from test_invariants import FEW

PLACES = ["A", "B", "C", "D"]
SEXES = ["female", "male"]
AGES = mp.age_coords(range(0, 60, 5))
PAIR = {"origin": PLACES, "destination": PLACES}


def says(error, *parts):
    return pytest.raises(error, match="(?s)" + ".*".join(parts))


def world(seed):
    """Net migration by sex and age that closes, and flows of all ages with its sums."""
    rng = np.random.default_rng(seed)
    off = 1.0 - np.eye(4)
    by_age = rng.uniform(1, 100, (4, 4, 2, 12)) * off[..., None, None]
    by_age = xr.DataArray(
        by_age,
        dims=("origin", "destination", "sex", "age"),
        coords={**PAIR, "sex": SEXES, **AGES},
    )
    return net_of(by_age), by_age.sum(["sex", "age"]), by_age


def net_of(flows):
    into = flows.sum("origin").rename(destination="country")
    return into - flows.sum("destination").rename(origin="country")


def near(got, want, scale, error=1e-9):
    assert float(abs(got - want).max()) <= error * float(abs(scale).max())


@FEW
@given(st.integers(0, 2**32 - 1))
def test_net_migration_by_age_is_met(seed):
    net, flows, _ = world(seed)
    result = mp.flows_by_age(net.transpose("age", "country", "sex"), flows)
    assert result["flows"].dims == ("origin", "destination", "sex", "age")
    near(net_of(result["flows"]), net, flows)
    assert bool((result["flows"] >= 0).all())
    assert float(result["margin_error"]) <= 1e-10 * 2 * float(flows.sum("origin").max())
    assert result["flows"].attrs["units"] == "persons per period"


@FEW
@given(st.integers(0, 2**32 - 1))
def test_flows_of_all_ages_are_met_too(seed):
    net, flows, _ = world(seed)
    result = mp.flows_by_age(net, flows, keep="both")
    near(net_of(result["flows"]), net, flows)
    near(result["flows"].sum(["sex", "age"]), flows, flows)
    assert int(result["iterations"]) > 1


def test_flows_that_already_agree_come_back():
    """With every flow's own ages as the schedule's, net migration adds nothing."""
    _, flows, _ = world(1)
    shape = xr.DataArray(np.random.default_rng(2).uniform(1, 2, (2, 12)), dims=("sex", "age"))
    shape = shape.assign_coords(sex=SEXES, **AGES) / shape.sum()
    by_age = flows * shape
    result = mp.flows_by_age(net_of(by_age), flows, shape)
    near(result["flows"], by_age, by_age, 1e-12)


def test_the_result_is_the_nearest_of_all_with_this_net_migration():
    """ln(y/m) is a difference of levels of destination and origin: the condition of least
    information added, cohort by cohort."""
    net, flows, _ = world(3)
    schedule = abs(net).sum("country")
    schedule = schedule / schedule.sum()
    made = mp.flows_by_age(net, flows, schedule)["flows"]
    levels = np.log((made / (flows * schedule)).transpose(*made.dims).values)
    off = ~np.eye(4, dtype=bool)
    for sex in range(2):
        for age in range(12):
            table = levels[:, :, sex, age]
            design = np.array(
                [np.eye(4)[j] - np.eye(4)[i] for i in range(4) for j in range(4) if i != j]
            )
            fit, *_ = np.linalg.lstsq(design, table[off], rcond=None)
            np.testing.assert_allclose(design @ fit, table[off], atol=1e-7)


@pytest.mark.parametrize("keep", ["net", "both"])
def test_flows_by_sex_are_those_of_each_sex(keep):
    net, _, by_age = world(5)
    flows = by_age.sum("age")
    result = mp.flows_by_age(net, flows, keep=keep)
    assert result["flows"].dims == ("origin", "destination", "sex", "age")
    for sex in SEXES:
        alone = mp.flows_by_age(net.sel(sex=sex), flows.sel(sex=sex), keep=keep)
        near(result["flows"].sel(sex=sex), alone["flows"], flows)
    if keep == "both":
        near(result["flows"].sum("age"), flows, flows)


def test_the_error_is_the_largest_of_all_ages():
    net, flows, _ = world(2)
    schedule = abs(net).sum("country").drop_vars("age_width")
    schedule = schedule.where(schedule["age"] > 0, 1e-3)  # far from net migration, many steps
    made = mp.flows_by_age(net, flows, schedule, tolerance=1e-3)
    each = mp.flows_from_net(net, flows * (schedule / schedule.sum()), tolerance=1e-3)
    assert each["margin_error"].min() < each["margin_error"].max()
    assert each["iterations"].min() < each["iterations"].max()
    for name in ("margin_error", "iterations"):
        assert float(made[name]) == float(each[name].max())


def test_ages_are_those_of_net_migration():
    net, flows, _ = world(2)
    closed = abs(net).sum("country").assign_coords(age_width=("age", 12 * [5.0]))
    made = mp.flows_by_age(net, flows, closed)
    np.testing.assert_array_equal(made["age_width"], AGES["age_width"])


def test_flows_of_all_ages_are_of_none_where_one_is_missing():
    net, flows, _ = world(6)
    schedule = abs(net).sum("country")
    holed = net.where((net["age"] != 20) | (net["country"] != "B"))
    made = mp.flows_by_age(holed, flows, schedule, keep="both")
    assert made["flows"].isnull().all()


@pytest.mark.parametrize("keep", ["net", "both"])
def test_an_age_that_is_missing_is_not_taken_for_0(keep):
    """Shares of all ages are of none where net migration of one is not known."""
    net, flows, _ = world(6)
    draws = xr.concat([net, net], dim=xr.Variable("draw", [0, 1]))
    known = (draws["draw"] == 0) | (draws["age"] != 20) | (draws["country"] != "B")
    result = mp.flows_by_age(draws.where(known), flows, keep=keep)
    assert result["flows"].sel(draw=1).isnull().all()
    whole = mp.flows_by_age(net, flows, keep=keep)["flows"]
    near(result["flows"].sel(draw=0), whole, flows)
    schedule = abs(net).sum("country")
    given = mp.flows_by_age(draws.where(known), flows, schedule, keep=keep)["flows"]
    given = given.sel(draw=1, drop=True)
    if keep == "net":
        xr.testing.assert_allclose(given, whole.where(whole["age"] != 20), rtol=1e-12)
    else:
        assert given.isnull().all()


@pytest.mark.parametrize("keep", ["net", "both"])
def test_lazy_net_migration_makes_the_same_flows(keep):
    net, flows, _ = world(9)
    draws = net.expand_dims(draw=[0, 1]).chunk(draw=1)
    lazy = mp.flows_by_age(draws, flows.chunk(), keep=keep)
    assert (lazy["flows"].chunks is not None) == (keep == "net")
    plain = mp.flows_by_age(net, flows, keep=keep)
    for draw in (0, 1):
        xr.testing.assert_identical(lazy.sel(draw=draw, drop=True).compute(), plain)


def test_wrong_flows_by_age_are_told():
    net, flows, _ = world(4)
    with says(mp.SchemaError, "net", "adds up to 0 over countries", "mp.reconcile"):
        mp.flows_by_age(net + 1.0, flows)
    with says(mp.SchemaError, "net: over ages", "country=A", "keep='net'"):
        mp.flows_by_age(net, flows * 2, keep="both")
    with says(mp.SchemaError, "net: expected the dim.*'sex'", "as in flows", "sum flows over it"):
        mp.flows_by_age(net.sum("sex"), flows.expand_dims(sex=SEXES))
    with says(mp.SchemaError, "flows: the dim 'age'", "sum"):
        mp.flows_by_age(net, flows.expand_dims(age=net["age"].values))
    with says(mp.SchemaError, "schedule: expected a share above 0 by 'sex' and 'age'", "got 0"):
        mp.flows_by_age(net, flows, 0 * abs(net).sum("country"))
    with says(mp.SchemaError, "net: expected net migration other than 0", "give a schedule"):
        mp.flows_by_age(0 * net, flows)
    with says(mp.SchemaError, "net: expected the dim.*'birthplace'", "sum flows over it"):
        mp.flows_by_age(net, flows.expand_dims(birthplace=PLACES))
    with says(mp.SchemaError, "flows: expected the dim.*'birthplace'", "as in net"):
        mp.flows_by_age(net.expand_dims(birthplace=PLACES), flows)
    with says(mp.SchemaError, "flows: the dim 'country'", "origin and destination"):
        mp.flows_by_age(net, flows.expand_dims(country=PLACES))
    with says(mp.SchemaError, "schedule: the dim 'country'", "rename.country='origin'"):
        mp.flows_by_age(net, flows, abs(net))
    with says(mp.SchemaError, "keep", "'all'"):
        mp.flows_by_age(net, flows, keep="all")
    with says(mp.AlignmentError, "flows", "'destination'", "'D'"):
        mp.flows_by_age(net, flows.isel(destination=slice(3)))
    with says(mp.AlignmentError, "schedule", "'sex'"):
        bad = abs(net).sum("country").assign_coords(sex=["f", "m"])
        mp.flows_by_age(net, flows, bad)


# --- components of a projection


def stocks(seed, *extra):
    rng = np.random.default_rng(seed)
    coords = {"country": PLACES, "birthplace": PLACES, **dict(extra)}
    shape = [len(labels) for labels in coords.values()]
    return xr.DataArray(rng.uniform(1e3, 1e4, shape), dims=tuple(coords), coords=coords)


def of_all_ages(array):
    """Everyone in the open-ended group: who is there has been there."""
    return array * xr.DataArray([0.0, 1.0], dims="age", coords=mp.age_coords([0, 10]))


@FEW
@given(st.integers(0, 2**32 - 1))
def test_stocks_roll_forth_and_back(seed):
    """Accounts of stocks without ages: the end from the start and the start from the end."""
    start, end = stocks(seed), stocks(seed + 1)
    end = end * (start.sum() / end.sum())
    deaths = 0.1 * start.sum("birthplace")
    births = 0.01 * start.sum("birthplace")  # fewer than natives
    account = mp.flows_from_stocks(start, end, births=births, deaths=deaths, system="open")
    gone = account["deaths"] + account["to_outside"]
    come = account["births"] + account["from_outside"]
    expected = start - gone
    expected = expected.assign_coords(time=2000.0)
    parts = mp.flow_components(account["flows"].assign_coords(period=2000.0), expected, interval=10)
    assert "time" not in parts.coords
    assert float(parts["period"]) == 2000
    near(expected + parts["net_migration"] + come, end, end)
    survival = expected / start
    rolled = mp.project_stocks(
        of_all_ages(start),
        of_all_ages(survival) + xr.DataArray([0.5, 0.0], dims="age"),
        of_all_ages(parts["arrivals"] + come),
        emigration=of_all_ages(parts["emigration"]),
        timing="end",
    )
    last = rolled["stock"].isel(time=1, age=1)
    near(last, end, end)
    back = (last - come - parts["net_migration"]) / survival
    near(back, start, start)
    shares = parts["destinations"]
    left = (parts["emigrants"] > 0).rename(country="origin")
    near(shares.sum("destination").where(left, 1.0), 1.0, xr.DataArray(1.0), 1e-12)


def test_stocks_by_age_roll_with_net_migration():
    ages = mp.age_coords(range(0, 40, 5))
    rng = np.random.default_rng(7)
    start = stocks(7, ("sex", SEXES), ("age", ages["age"].values)).assign_coords(ages)
    survival = xr.full_like(start, 0.97)
    still = mp.project_stocks(start, survival)["stock"].isel(time=1)
    flows = xr.DataArray(
        rng.uniform(0, 60, (4, 4, 4, 2, 8)) * (1 - np.eye(4))[..., None, None, None],
        dims=("origin", "destination", "birthplace", "sex", "age"),
        coords={**PAIR, "birthplace": PLACES, "sex": SEXES, **ages},
    )
    flows = flows.where(flows["age"] > 0, 0.0)  # nobody is born into a stock, so nobody leaves
    expected = still.drop_vars("time")
    parts = mp.flow_components(flows, expected, interval=5)
    near(parts["net_migration"].sum("country"), 0.0, flows, 1e-12)
    rolled = mp.project_stocks(start, survival, net_migration=parts["net_migration"], timing="end")[
        "stock"
    ].isel(time=1)
    near(rolled, expected + parts["net_migration"], rolled, 1e-12)
    estimate = mp.net_migration(
        start, rolled, survival, method="forward", children="arrivals", interval=5
    )
    near(estimate["net_migration"], parts["net_migration"], rolled, 1e-12)


def test_hazards_of_steady_flows_repeat_them():
    """Where a twentieth of every cohort leaves, the hazard is that of a twentieth at all ages."""
    ages = mp.age_coords(range(0, 40, 5))
    expected = stocks(8, ("age", ages["age"].values)).assign_coords(ages)
    shares = xr.DataArray((1 - np.eye(4)) / 3, dims=tuple(PAIR), coords=PAIR)
    flows = 0.05 * expected.rename(country="origin") * shares
    parts = mp.flow_components(flows, expected, interval=5)
    np.testing.assert_allclose(parts["emigration"], -np.log(0.95) / 5, rtol=1e-12)
    near(parts["destinations"], shares, shares, 1e-12)


def test_components_of_counts_that_go_together():
    people = stocks(3, ("draw", [0, 1]))
    flows = mp.flows_from_stocks(stocks(3), 1.01 * stocks(3), agreement=0.5)["flows"]
    parts = mp.flow_components(flows, people, interval=5)
    for draw in (0, 1):
        alone = mp.flow_components(flows, people.sel(draw=draw, drop=True), interval=5)
        near(parts["emigration"].sel(draw=draw), alone["emigration"], alone["emigration"])
    assert parts["emigration"].dims == people.dims
    for dim, labels in (("sex", SEXES), ("age", [0, 5])):
        with says(mp.SchemaError, "expected: expected the dim", dim, "as in flows"):
            mp.flow_components(flows.expand_dims({dim: labels}), stocks(3), interval=5)
        with says(mp.SchemaError, "flows: expected the dim", dim, "as in expected"):
            mp.flow_components(flows, stocks(3).expand_dims({dim: labels}), interval=5)
    years = xr.DataArray([5.0, 5.0], dims="draw", coords={"draw": [1, 2]})
    with says(mp.AlignmentError, "interval: dim 'draw'"):
        mp.flow_components(flows.expand_dims(draw=[0, 1]), stocks(3), interval=years)


def test_what_else_is_known_of_places_is_that_of_the_people_expected():
    start = stocks(3)
    flows = mp.flows_from_stocks(start, 1.01 * start, agreement=0.5)["flows"]
    want = mp.flow_components(flows, start, interval=5)
    codes = [1, 2, 3, 4]
    beside = {
        "code": ("origin", codes),
        "other": ("destination", codes),
        "of": ("birthplace", codes),
    }
    expected = start.assign_coords(code=("country", codes))
    got = mp.flow_components(flows.assign_coords(beside), expected, interval=5)
    assert got["code"].dims == ("country",)
    xr.testing.assert_identical(got.drop_vars(["code", "of"]), want)


def test_components_of_unsigned_counts():
    people = stocks(3).round()
    flows = mp.flows_from_stocks(people, 1.01 * people, agreement=0.5)["flows"].round()
    want = mp.flow_components(flows, people, interval=5)
    assert float(want["net_migration"].min()) < 0
    got = mp.flow_components(flows.astype("uint32"), people.astype("uint32"), interval=5)
    xr.testing.assert_equal(got, want)


def test_wrong_components_are_told():
    start, end = stocks(1), stocks(2)
    end = end * (start.sum() / end.sum())
    flows = mp.flows_from_stocks(start, end, system="open")["flows"]
    with says(mp.IntervalError, "interval: unknown", "interval=10"):
        mp.flow_components(flows, start)
    with says(mp.IntervalError, "interval", "above 0"):
        mp.flow_components(flows, start, interval=-5)
    with says(mp.SchemaError, "flows", "leave", "country=A"):
        mp.flow_components(flows * 100, start, interval=5)
    leaving = flows.sum("destination").rename(origin="country")
    nobody = start.where(leaving == 0, 0.0)
    with says(mp.SchemaError, "flows", "leave", f"in {int((leaving > 0).sum())} cell"):
        mp.flow_components(flows, nobody, interval=5)
    with says(mp.SchemaError, "flows: the dim 'country'", "origin and destination"):
        mp.flow_components(flows.expand_dims(country=PLACES), start, interval=5)
    with says(mp.AlignmentError, "'birthplace'", "'D'"):
        mp.flow_components(flows, start.isel(birthplace=slice(3)), interval=5)
    with says(mp.SchemaError, "flows", "birthplace"):
        mp.flow_components(flows.sum("birthplace"), start, interval=5)


def test_people_expected_say_of_which_period_the_flows_are():
    start, end = stocks(5), stocks(6)
    expected = start.assign_coords(period=1990.0, period_width=10.0)
    made = mp.flows_from_stocks(expected, end.assign_coords(time=2000.0), system="open")
    assert (float(made["period"]), float(made["period_width"])) == (1990.0, 10.0)
    given = mp.flow_components(made["flows"], expected, interval=10)
    xr.testing.assert_identical(mp.flow_components(made["flows"], expected), given)
