"""Regions that exchange people: what they have in common with one population, and what adds up."""

import numpy as np
import pytest
import xarray as xr

import migproj as mp

AGES = mp.age_coords(range(0, 85, 5))
SEXES = ["female", "male"]
PLACES = ["north", "west", "south"]
PERIODS = [2000.0, 2005.0, 2010.0]
RNG = np.random.default_rng(2025)
#: Rounding of sums and differences, as a share of the largest population.
ROUNDING = 1e-12


def array(low, high, *dims, regions=PLACES, **extra):
    labels = {"region": regions, "origin": regions, "destination": regions, "sex": SEXES}
    labels |= {"period": PERIODS, "draw": [0, 1, 2]}
    shape = [AGES["age"].size if dim == "age" else len(labels[dim]) for dim in dims]
    coords = {dim: labels[dim] for dim in dims if dim != "age"}
    if "age" in dims:
        coords |= dict(AGES)
    return xr.DataArray(RNG.uniform(low, high, shape), dims=dims, coords=coords | extra)


def hazards(high, *dims, regions=PLACES):
    moves = array(0, high, "origin", "destination", *dims, regions=regions)
    return moves.where(moves["origin"] != moves["destination"], 0.0)


def rates(*dims):
    array_ = array(0.05, 0.15, *dims, "age")
    return array_.sel(age=slice(15, 45)).drop_vars("age_width")


@pytest.fixture
def case():
    return {
        "population": array(1e3, 1e5, "region", "sex", "age", time=2000.0),
        "survival": array(0.5, 0.99, "period", "region", "sex", "age"),
        "fertility": rates("period", "region"),
        "sex_ratio_at_birth": array(1.0, 1.1, "region"),
        "moves": hazards(0.03, "period", "sex", "age"),
    }


def one_older(people, born):
    """By the group arrived in: everyone moves on, the open-ended group holds the last two."""
    older = people.shift(age=1, fill_value=0.0)
    older[{"age": 0}] = born
    older[{"age": -1}] = older.isel(age=-1) + people.isel(age=-1)
    return older


def test_change_is_births_less_deaths_and_net_migration_in_every_cohort(case):
    result = mp.project_regions(**case)
    size = float(result["population"].max())
    for k, period in enumerate(PERIODS):
        before, after = (result["population"].isel(time=t, drop=True) for t in (k, k + 1))
        flows = result.sel(period=period, drop=True)
        born = flows["births"].sum("mother_age")
        want = one_older(before, born) - flows["deaths_cohort"] + flows["net_migration"]
        xr.testing.assert_allclose(after, want, rtol=0, atol=ROUNDING * size)
        total = (after - before).sum(["sex", "age"])
        sums = flows.sum(["sex", "age", "mother_age"])
        want = sums["births"] - sums["deaths_cohort"] + sums["net_migration"]
        xr.testing.assert_allclose(total, want, rtol=0, atol=100 * ROUNDING * size)
    np.testing.assert_allclose(result["net_migration"].sum("region"), 0, atol=ROUNDING * size)
    assert (result["deaths_cohort"] > 0).all()
    assert result["population"].dims == ("time", "region", "sex", "age")
    assert result["births"].dims == ("period", "region", "sex", "mother_age")
    assert result["population"].attrs["units"] == "persons"
    assert result["net_migration"].attrs["units"] == "persons per period"
    assert result["time"].values.tolist() == [2000.0, 2005.0, 2010.0, 2015.0]
    assert result["period_width"].values.tolist() == [5.0, 5.0, 5.0]
    assert result["region"].values.tolist() == PLACES


def test_without_moves_each_region_is_projected_alone(case):
    case["moves"] = case["moves"] * 0.0
    result = mp.project_regions(**case)
    assert not result["net_migration"].any()
    for place in PLACES:
        alone = mp.project_population(
            *(case[name].sel(region=place) for name in list(case) if name != "moves")
        )
        for name in ("population", "births", "deaths_cohort"):
            want = alone[name]
            got = result[name].sel(region=place)
            np.testing.assert_allclose(got, want, rtol=1e-13, atol=1e-9, err_msg=f"{name} {place}")


def test_one_region_is_one_population(case):
    case = {name: given.isel(region=[0]) for name, given in case.items() if name != "moves"}
    moves = hazards(0.1, "age", regions=PLACES[:1])
    result = mp.project_regions(**case, moves=moves).isel(region=0, drop=True)
    alone = mp.project_population(*(given.isel(region=0, drop=True) for given in case.values()))
    for name in ("population", "births", "deaths_cohort"):
        np.testing.assert_allclose(result[name], alone[name], rtol=1e-13, atol=1e-9)


def test_common_rates_project_the_total_whatever_the_moves(case):
    case["survival"] = array(0.5, 0.99, "period", "sex", "age")
    case["fertility"] = rates("period")
    case["sex_ratio_at_birth"] = 1.05
    result = mp.project_regions(**case)
    total = mp.project_population(
        case["population"].sum("region"), case["survival"], case["fertility"], 1.05
    )
    for name in ("population", "births", "deaths_cohort"):
        np.testing.assert_allclose(result[name].sum("region"), total[name], rtol=1e-11)
    assert float(abs(result["net_migration"]).max()) > 1


def test_the_order_of_regions_and_sexes_only_labels(case):
    result = mp.project_regions(**case)
    order = ["south", "north", "west"]
    turned = {
        name: given.sel(
            {dim: order for dim in ("region", "origin", "destination") if dim in given.dims}
        )
        for name, given in case.items()
    }
    turned = {
        name: given.sel(sex=SEXES[::-1]) if "sex" in given.dims else given
        for name, given in turned.items()
    }
    got = mp.project_regions(**turned).sel(region=PLACES, sex=SEXES)
    for name in result.data_vars:
        np.testing.assert_allclose(got[name], result[name], rtol=1e-12, atol=1e-7, err_msg=name)


def test_moves_between_two_regions_alone_leave_the_third_as_it_is(case):
    outside = (case["moves"]["origin"] == "south") | (case["moves"]["destination"] == "south")
    case["moves"] = case["moves"].where(~outside, 0.0)
    result = mp.project_regions(**case)
    assert not result["net_migration"].sel(region="south").any()
    alone = mp.project_population(
        *(case[name].sel(region="south") for name in list(case) if name != "moves")
    )
    np.testing.assert_allclose(
        result["population"].sel(region="south"), alone["population"], rtol=1e-13
    )


def test_what_is_missing_stays_in_its_draw(case):
    moves = case["moves"].expand_dims(draw=[0, 1, 2]).copy()
    moves[{"draw": 1, "period": 1, "age": 4, "origin": 0, "destination": 1}] = np.nan
    result = mp.project_regions(**{**case, "moves": moves})
    whole = mp.project_regions(**case)
    for name in set(whole.data_vars) - {"n_survival_above_one"}:  # survival has no draws
        for draw in (0, 2):
            np.testing.assert_array_equal(result[name].sel(draw=draw), whole[name])
    missing = result["population"].sel(draw=1).isel(region=0, sex=0).isnull()
    assert not missing.isel(time=[0, 1]).any()
    assert missing.isel(time=2).values.nonzero()[0].tolist() == [0, 4, 5]  # born to those missing


def test_a_missing_region_without_moves_is_missing_alone(case):
    case["moves"] = case["moves"] * 0.0
    case["survival"] = case["survival"].where(case["survival"]["region"] != "west")
    result = mp.project_regions(**case)
    later = result["population"].isel(time=slice(1, None))
    assert later.sel(region="west").isnull().all()
    assert later.sel(region=["north", "south"]).notnull().all()


def test_batch_dims_broadcast_and_rates_may_be_common():
    people = array(1e3, 1e5, "draw", "region", "sex", "age")
    moves = hazards(0.03, "age").transpose("age", "destination", "origin")
    survival, fertility = array(0.5, 0.99, "sex", "age"), rates()
    result = mp.project_regions(people, survival, fertility, 1.05, moves, steps=2)
    assert result["population"].dims == ("draw", "time", "region", "sex", "age")
    assert result["time"].values.tolist() == [0.0, 5.0, 10.0]
    spread = {"sex": SEXES, "period": [0.0, 5.0]}
    by_region = survival.expand_dims(region=PLACES)
    for draw in (0, 1, 2):
        alone = mp.project_regions(
            people.sel(draw=draw), by_region, fertility, 1.05, moves.expand_dims(spread)
        )
        for name in set(alone.data_vars) - {"n_survival_above_one"}:
            np.testing.assert_array_equal(alone[name], result[name].sel(draw=draw))


@pytest.mark.parametrize("keep", [["population"], ["net_migration", "births"], "deaths_cohort"])
def test_only_what_is_kept_is_returned(case, keep):
    full = mp.project_regions(**case)
    result = mp.project_regions(**case, keep=keep)
    names = [keep] if isinstance(keep, str) else keep
    assert set(result.data_vars) == {*names, "n_survival_above_one"}
    for name in names:
        xr.testing.assert_identical(result[name], full[name])
    with pytest.raises(
        mp.SchemaError, match=r"keep: expected some of .*'births'.*got \['deaths'\]"
    ):
        mp.project_regions(**case, keep=["deaths"])


def test_survival_above_one_is_named(case):
    case["survival"].loc[{"period": 2005.0, "region": "west", "sex": "male", "age": 20}] = 1.1
    text = r"project_regions: survival ratios above 1 in 1 cell\(s\): period=2005.*region=west, sex"
    with pytest.warns(mp.DataQualityWarning, match=text):
        mp.project_regions(**case)


def test_lazy_input(case):
    lazy = {name: given.expand_dims(draw=[0, 1]).chunk(draw=1) for name, given in case.items()}
    result = mp.project_regions(**lazy)
    assert result["population"].chunks is not None
    now = mp.project_regions(**case)
    for name in now.data_vars:
        np.testing.assert_array_equal(result[name].isel(draw=1), now[name])


# --- wrong inputs


def says(error, *parts):
    return pytest.raises(error, match="(?s)" + ".*".join(parts))


@pytest.mark.parametrize("dim", ["origin", "destination"])
def test_moves_of_other_regions(case, dim):
    moves = case["moves"]
    with says(mp.AlignmentError, f"moves: dim '{dim}'", "3 labels of 'region'", "got 2", "'south'"):
        mp.project_regions(**{**case, "moves": moves.isel({dim: [0, 1]})})
    other = moves.assign_coords({dim: ["north", "west", "east"]})
    with says(mp.AlignmentError, f"moves: dim '{dim}'", r"missing: \['south'\]", r"\['east'\]"):
        mp.project_regions(**{**case, "moves": other})
    with says(mp.AlignmentError, f"moves: dim '{dim}'", "another order", rf"moves\.sel\({dim}="):
        mp.project_regions(**{**case, "moves": moves.isel({dim: [1, 0, 2]})})
    with says(mp.SchemaError, f"moves: dim '{dim}' has no labels", rf"assign_coords\({dim}="):
        mp.project_regions(**{**case, "moves": moves.drop_vars(dim)})
    with says(mp.SchemaError, rf"moves: expected the dim\(s\) \['{dim}'\]", "got dims", "rename"):
        mp.project_regions(**{**case, "moves": moves.isel({dim: 0}, drop=True)})


def test_moves_from_a_region_to_itself(case):
    moves = case["moves"].copy()
    moves.loc[{"origin": "west", "destination": "west", "sex": "male", "age": 80}] = 0.01
    with says(
        mp.SchemaError, "moves: expected 0 where origin is destination, got 3", "origin=west"
    ):
        mp.project_regions(**{**case, "moves": moves})
    missing = case["moves"].where(moves["origin"] != moves["destination"])
    xr.testing.assert_identical(
        mp.project_regions(**{**case, "moves": missing}), mp.project_regions(**case)
    )


def test_hazards_that_are_none(case):
    moves = case["moves"].copy()
    moves.loc[{"origin": "west", "destination": "south", "period": 2005.0, "age": 80}] = -0.01
    with says(mp.SchemaError, "moves: expected rates of 0 or more, got 2 negative", "origin=west"):
        mp.project_regions(**{**case, "moves": moves})
    with says(mp.SchemaError, "moves: expected rates per person and year"):
        mp.project_regions(**{**case, "moves": case["moves"] * 1000})


def test_dims_and_labels(case):
    def fails(error, *parts, **changed):
        with says(error, *parts):
            mp.project_regions(**{**case, **changed})

    people, survival, moves = case["population"], case["survival"], case["moves"]
    fails(
        mp.SchemaError,
        r"population: expected the dim\(s\) \['region'\]",
        population=people.isel(region=0, drop=True),
    )
    fails(
        mp.SchemaError,
        "population: dim 'region' has no labels",
        "assign_coords",
        population=people.drop_vars("region"),
    )
    fails(
        mp.AlignmentError,
        "survival: dim 'region'",
        "3 labels of population, got 2",
        survival=survival.isel(region=[0, 1]),
    )
    fails(
        mp.AlignmentError,
        "survival: is of region 'north' alone",
        "drop_vars",
        survival=survival.isel(region=0),
    )
    fails(
        mp.SchemaError,
        "moves: the dim 'region' is not expected here",
        "origin and destination",
        moves=moves.expand_dims(region=PLACES),
    )
    fails(
        mp.AlignmentError,
        "moves: dim 'sex'",
        "another order",
        moves=moves.isel(sex=[1, 0]),
    )
    fails(
        mp.AlignmentError,
        "moves: dim 'age'",
        r"missing: \['80\+'\]",
        moves=moves.isel(age=slice(0, -1)),
    )
    fails(
        mp.SchemaError,
        r"moves: expected the dim\(s\) \['age'\]",
        moves=moves.isel(age=0, drop=True),
    )
    fails(
        mp.AlignmentError,
        "moves: dim 'period'",
        moves=moves.isel(period=[0, 1]),
    )
    fails(mp.IntervalError, "steps: got 2, but survival has 3 periods", steps=2)


def test_counts_by_region_go_with_counts_by_region(case):
    people, survival, fertility = (case[k] for k in ("population", "survival", "fertility"))
    migration = array(-10, 10, "period", "sex", "age")
    with says(mp.SchemaError, r"migration: expected the dim\(s\) \['region'\] as in population"):
        mp.project_population(people, survival, fertility, 1.05, migration)
