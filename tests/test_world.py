"""Everyone by residence and birthplace, where all emigrants arrive somewhere."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import migproj as mp
from kernels import reference
from test_invariants import FEW

AGES = [0, 5, 10, 15, 20, 25]
PLACES = ["ARG", "BOL", "CHL", "COL", "CRI", "CUB", "DOM", "ECU", "SLV"]
PERIODS = [2000.0, 2005.0]
LABELS = {
    "country": PLACES,
    "birthplace": PLACES,
    "origin": PLACES,
    "destination": PLACES,
    "sex": ["male", "female"],
    "period": PERIODS,
    "draw": [0, 1],
}
CELLS = ("country", "birthplace", "sex", "age")
NAMES = ("stock", "births", "deaths_cohort", "emigrants", "arrivals")


def array(rng, low, high, *dims, ages=AGES):
    own = {dim: ages if dim == "age" else LABELS[dim] for dim in dims}
    values = rng.uniform(low, high, [len(labels) for labels in own.values()])
    coords = own | (dict(mp.age_coords(ages)) if ages is AGES and "age" in dims else {})
    return xr.DataArray(values, dims=dims, coords=coords)


def shares(rng, *dims):
    weights = array(rng, 0.1, 1, *dims, "origin", "destination")
    weights = weights.where(weights["origin"] != weights["destination"], 0.0)
    return weights / weights.sum("destination")


def world(rng, full=True):
    """Rates by all the dims they may have, or by few."""
    by = ("period", "country", "birthplace") if full else ()
    return {
        "stock": array(rng, 1e3, 1e5, *CELLS),
        "survival": array(rng, 0.6, 0.99, *by, "sex", "age"),
        "fertility": array(rng, 0.05, 0.3, *by, "age", ages=[10, 15, 20]),
        "sex_ratio_at_birth": array(rng, 1.0, 1.1, *by[:2]),
        "emigration": array(rng, 0.0, 0.03, *by, *(["sex"] if full else []), "age"),
        "destinations": shares(rng, *(["period", "birthplace"] if full else [])),
    }


def spread(array, *dims):
    """With all of `dims`, in their order."""
    lacking = {dim: LABELS[dim] for dim in dims if dim not in array.dims}
    return array.expand_dims(lacking).transpose(*dims)


@pytest.fixture
def rng():
    return np.random.default_rng(31)


@pytest.mark.parametrize("full", [True, False])
def test_project_world(rng, full):
    given_ = world(rng, full)
    result = mp.project_world(**given_, steps=2)
    people = given_["stock"].values
    for p in range(2):
        now = {
            name: a.isel(period=p, drop=True) if "period" in a.dims else a
            for name, a in given_.items()
        }
        rates = np.zeros((len(PLACES), len(PLACES), len(AGES)))
        rates[..., 2:5] = spread(now["fertility"], "country", "birthplace", "age")
        want = reference.step_world(
            people,
            spread(now["survival"], *CELLS).values,
            spread(now["emigration"], *CELLS).values,
            rates,
            spread(now["sex_ratio_at_birth"], "country").values,
            spread(now["destinations"], "birthplace", "origin", "destination").values,
            5.0,
            1,
        )
        people = want["stock"]
        step = result.isel(period=p)
        want["births"] = want["births"][..., 2:5]
        for name in NAMES[1:]:
            np.testing.assert_allclose(step[name], want[name], rtol=1e-11, atol=1e-9, err_msg=name)
        np.testing.assert_allclose(result["stock"].isel(time=p + 1), people, rtol=1e-12)


def balanced(result):
    """In every cell change is births, less deaths and emigrants, plus arrivals."""
    for p in range(2):
        flows = result.isel(period=p)
        before, after = (result["stock"].isel(time=k) for k in (p, p + 1))
        older = before.shift(age=1, fill_value=0.0)
        older[{"age": -1}] += before.isel(age=-1)
        newborn = flows["births"].sum(["birthplace", "mother_age"])
        for k, place in enumerate(PLACES):
            older[{"country": k, "birthplace": k, "age": 0}] = newborn.sel(country=place)
        expected = older - flows["deaths_cohort"] - flows["emigrants"] + flows["arrivals"]
        np.testing.assert_allclose(after, expected.transpose(*after.dims), rtol=1e-12, atol=1e-7)
        # World net migration of those born anywhere, by sex and age.
        came, left = (flows[name].sum("country") for name in ("arrivals", "emigrants"))
        np.testing.assert_allclose(came, left, rtol=1e-13)


@FEW
@given(seed=st.integers(0, 2**32 - 1), full=st.booleans())
def test_a_world_balances_in_any_order_of_dims(seed, full):
    rng = np.random.default_rng(seed)
    given_ = world(rng, full)
    result = mp.project_world(**given_, steps=2)
    balanced(result)
    shuffled = {name: a.transpose(*rng.permutation(a.dims)) for name, a in given_.items()}
    xr.testing.assert_identical(mp.project_world(**shuffled, steps=2), result)


def test_countries_in_another_order(rng):
    given_ = world(rng)
    order = [PLACES[k] for k in rng.permutation(len(PLACES))]
    turned = {
        name: a.sel({dim: order for dim in a.dims if LABELS.get(dim) is PLACES})
        for name, a in given_.items()
    }
    result = mp.project_world(**turned)
    want = mp.project_world(**given_).sel(country=order, birthplace=order)
    for name in NAMES:  # sums over countries in another order
        np.testing.assert_allclose(result[name], want[name], rtol=1e-12)
        assert result[name].indexes["country"].tolist() == order


def test_draws_chunks_and_float32(rng):
    given_ = world(rng)
    given_["emigration"] = given_["emigration"] * xr.DataArray(
        [1.0, 0.5], dims="draw", coords={"draw": [0, 1]}
    )
    result = mp.project_world(**given_)
    for draw in (0, 1):
        one = given_ | {"emigration": given_["emigration"].sel(draw=draw, drop=True)}
        xr.testing.assert_identical(
            mp.project_world(**one), result.drop_vars("draw").isel(draw=draw)
        )
    lazy = given_ | {"emigration": given_["emigration"].chunk(draw=1)}
    xr.testing.assert_identical(mp.project_world(**lazy).compute(), result)
    short = mp.project_world(**given_, keep=["stock", "arrivals"], dtype="float32")
    assert set(short.data_vars) == {"stock", "arrivals", "n_survival_above_one"}
    for name in ("stock", "arrivals"):
        np.testing.assert_array_equal(short[name], result[name].astype(np.float32))


def test_a_country_without_leavers_is_a_population_of_its_own(rng):
    """Nobody leaves: each country, over birthplaces, is project_population."""
    given_ = world(rng, full=False)
    given_["emigration"] = given_["emigration"] * 0.0
    result = mp.project_world(**given_, steps=3)
    whole = mp.project_population(
        given_["stock"].sum("birthplace"),
        given_["survival"],
        given_["fertility"],
        given_["sex_ratio_at_birth"],
        steps=3,
    )
    people = result["stock"].sum("birthplace")
    np.testing.assert_allclose(people, whole["population"].transpose(*people.dims), rtol=1e-12)
    assert not result["arrivals"].any()


def test_stocks_are_those_of_project_stocks(rng):
    """With its arrivals a foreign-born stock is that of project_stocks, at the end of the step."""
    given_ = world(rng)
    result = mp.project_world(**given_)
    stocks = mp.project_stocks(
        given_["stock"],
        given_["survival"],
        result["arrivals"],
        emigration=given_["emigration"],
        timing="end",
    )
    for name in ("stock", "emigrants", "deaths_cohort"):
        for k, place in enumerate(PLACES):
            abroad = [other for other in PLACES if other != place]
            got, want = (x[name].sel(country=place, birthplace=abroad) for x in (result, stocks))
            np.testing.assert_allclose(
                got, want.transpose(*got.dims), rtol=1e-12, atol=1e-9, err_msg=f"{name} {k}"
            )


def test_what_is_missing_goes_where_its_people_go(rng):
    """Unknown people of BOL go to ARG alone, and their children born there on to CHL."""
    given_ = world(rng, full=False)
    to = xr.zeros_like(given_["destinations"])
    to.loc[{"destination": "ARG"}] = 1.0
    to.loc[{"origin": "ARG"}] = to["destination"] == "CHL"
    given_["destinations"] = to
    whole = mp.project_world(**given_)["stock"]
    given_["stock"] = given_["stock"].where(given_["stock"]["country"] != "BOL")
    result = mp.project_world(**given_)["stock"]
    older = {"country": "CHL", "age": AGES[1:]}
    xr.testing.assert_identical(result.sel(older), whole.sel(older))
    missing = result.sel(country="CHL", age=0).isel(time=1).isnull()
    assert missing.sel(birthplace="ARG").all()
    assert not missing.drop_sel(birthplace="ARG").any()
    assert result.sel(country=["ARG", "BOL"]).isel(time=1, age=slice(1, None)).isnull().all()


def test_shares_of_places_that_nobody_leaves_are_not_read(rng):
    """As flow_components has them, whose shares of nobody are missing."""
    given_ = world(rng)
    given_["emigration"] = given_["emigration"].where(given_["emigration"]["country"] != "BOL", 0.0)
    whole = mp.project_world(**given_)
    to = given_["destinations"]
    unknown = given_ | {"destinations": to.where(to["origin"] != "BOL")}
    xr.testing.assert_identical(mp.project_world(**unknown), whole)
    # Where somebody leaves it is not known who arrives elsewhere.
    given_["destinations"] = to.where(to["origin"] != "ARG")
    result, whole = (
        mp.project_world(**x)["arrivals"].isel(period=0, age=slice(1, None))
        for x in (given_, given_ | {"destinations": to})
    )
    assert result.drop_sel(country="ARG").isnull().all()
    xr.testing.assert_identical(result.sel(country="ARG"), whole.sel(country="ARG"))


def test_a_world_that_repeats_flows(rng):
    """Flows of some of the places make components of a projection without any missing."""
    given_ = world(rng, full=False)
    start = given_["stock"].sum(["sex", "age"])
    end = start.copy()
    end.loc["ARG", "BOL"] += 500.0
    end.loc["BOL", "BOL"] -= 500.0
    flows = mp.flows_from_stocks(start, end)["flows"]
    assert int((flows > 0).sum()) == 1
    parts = mp.flow_components(flows, start, interval=5)
    assert parts["destinations"].isnull().any()
    given_["emigration"] = parts["emigration"] * xr.ones_like(given_["emigration"])
    given_["destinations"] = parts["destinations"]
    result = mp.project_world(**given_)
    assert not any(result[name].isnull().any() for name in NAMES)
    came = result["arrivals"].sum(["sex", "age"]).isel(period=0)
    assert float(came.sel(country="ARG", birthplace="BOL")) > 0
    assert int((came > 0).sum()) == 1


def says(error, *parts):
    return pytest.raises(error, match="(?s)" + ".*".join(parts))


def test_worlds_that_are_none(rng):
    given_ = world(rng)

    def call(**other):
        return mp.project_world(**(given_ | other))

    to = given_["destinations"]
    with says(mp.SchemaError, "destinations: expected shares that sum to 1 over destination"):
        call(destinations=to * 0.9)
    own = to + 0.1 * (to["origin"] == to["destination"])
    with says(mp.SchemaError, "destinations: expected 0 where origin is destination", "ARG"):
        call(destinations=own)
    missing = to.where(to["origin"] != to["destination"])
    xr.testing.assert_identical(call(destinations=missing), call())
    with says(mp.SchemaError, "destinations: expected shares of 0 or more"):
        call(destinations=-to)
    other = given_["stock"].assign_coords(birthplace=[*PLACES[:-1], "PER"])
    with says(mp.AlignmentError, "stock: dim 'birthplace'", "SLV", "PER", "as birthplace"):
        call(stock=other)
    turned = to.sel(origin=PLACES[::-1])
    with says(mp.AlignmentError, "destinations: dim 'origin'", "another order", "stock"):
        call(destinations=turned)
    with says(mp.SchemaError, "stock: dim 'country' has no labels"):
        call(stock=given_["stock"].drop_vars("country"))
    with says(mp.SchemaError, "emigration: expected rates of 0 or more"):
        call(emigration=given_["emigration"] * 0 - 0.1)
    with says(mp.SchemaError, "stock", "birthplace"):
        call(stock=given_["stock"].sum("birthplace"))
    with says(mp.SchemaError, "destinations", "'country'"):
        call(destinations=to.rename(origin="country"))
