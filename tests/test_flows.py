"""Flows from stocks: what they must keep, and what wrong inputs say."""

from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import migproj as mp
from migproj import _jit

FEW = settings(
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=8,
    phases=(Phase.explicit, Phase.generate),
)
PLACES = ["ARG", "BOL", "CHL", "PER"]
STOCK = ("country", "birthplace")
FLOW = ("origin", "destination")
ACCOUNTS = [
    {"system": "closed"},
    {"system": "closed", "balance": "after", "birth_adjustment": "proportional"},
    {"system": "open"},
    {"system": "open", "stayers": "independence"},
    {"method": "pseudo-bayesian", "weight": 0.4},
]


def stock(values, places=PLACES, **coords):
    labels = {**coords, "country": places, "birthplace": places}
    return xr.DataArray(np.asarray(values, dtype=float), dims=tuple(labels), coords=labels)


def counts(values, places=PLACES, **coords):
    labels = {**coords, "country": places}
    return xr.DataArray(np.asarray(values, dtype=float), dims=tuple(labels), coords=labels)


def rounds(seed, empty=0.1):
    """Two rounds by sex, and births and deaths that nearly go with them."""
    rng = np.random.default_rng(seed)
    n, sexes = len(PLACES), {"sex": ["female", "male"]}
    start = rng.uniform(0.0, 500.0, (2, n, n)) * (rng.random((2, n, n)) > empty)
    start[:, np.arange(n), np.arange(n)] = rng.uniform(2e3, 2e4, (2, n))
    end = start * rng.uniform(0.9, 1.1, (2, n, n))
    deaths, births = start.sum(2) * 0.02, start.sum(2) * 0.02
    # Natives change little beside the foreign-born: these have to make up for it.
    end[:, np.arange(n), np.arange(n)] = rng.uniform(0.99, 1.01, (2, n)) * (
        start[:, np.arange(n), np.arange(n)] - 0.02 * start[:, np.arange(n), np.arange(n)] + births
    )
    return {
        "start": stock(start, **sexes),
        "end": stock(end, **sexes),
        "births": counts(births, **sexes),
        "deaths": counts(deaths, **sexes),
    }


def estimate(inputs, **options):
    closed = options.get("system", "closed") == "closed"
    return mp.flows_from_stocks(**inputs, **options, **({"agreement": 0.2} if closed else {}))


@pytest.mark.parametrize("options", ACCOUNTS)
@FEW
@given(seed=st.integers(0, 10**6))
def test_accounts_close(options, seed):
    inputs = rounds(seed)
    result = estimate(inputs, **options)
    flows = result["flows"]
    moved_out = flows.sum("destination").rename(origin="country")
    moved_in = flows.sum("origin").rename(destination="country")
    people = float(inputs["start"].sum())
    before = inputs["start"] + result["adjustment_start"] - result["deaths"] - result["to_outside"]
    after = inputs["end"] + result["adjustment_end"] - result["births"] - result["from_outside"]
    for side, moved in ((before, moved_out), (after, moved_in)):
        # As the error is reported; and people lose nothing but the rounding of their sums.
        gap = float(abs(side - result["stayers"] - moved).max())
        assert gap <= 1e-9
        assert gap <= float(result["margin_error"].max()) + 1e-12 * people
    for name in ("births", "deaths"):
        assert float(abs(result[name].sum("birthplace") - inputs[name]).max()) < 1e-10 * people
    assert float(flows.min()) >= 0
    assert float(result["margin_error"].max()) < 1e-10 * people
    home = flows.where(flows["origin"] == flows["destination"], 0.0)
    assert float(abs(home).max()) == 0
    # Totals by country are those given, but for a scale of natives.
    if options.get("system") == "open":
        assert float(abs(result["adjustment_start"]).max()) == 0
        assert (result["to_outside"] >= 0).all()
    else:
        assert float(result["to_outside"].sum() + result["from_outside"].sum()) == 0


@pytest.mark.parametrize("options", ACCOUNTS)
@FEW
@given(seed=st.integers(0, 10**6), order=st.permutations(range(len(PLACES))))
def test_countries_in_another_order(options, seed, order):
    inputs = rounds(seed)
    places = [PLACES[k] for k in order]
    moved = {
        name: array.sel({dim: places for dim in STOCK if dim in array.dims})
        for name, array in inputs.items()
    }
    plain, permuted = (estimate(given_, **options) for given_ in (inputs, moved))
    back = permuted.sel(dict.fromkeys(("origin", "destination", *STOCK), PLACES))
    # Sums in another order end their fits a little elsewhere, within the tolerance.
    scale = float(inputs["start"].max())
    for name in ("flows", "stayers", "births", "deaths", "to_outside"):
        xr.testing.assert_allclose(back[name], plain[name], rtol=0, atol=1e-8 * scale)


@pytest.mark.parametrize("options", ACCOUNTS)
def test_a_batch_is_its_accounts_one_by_one(options):
    draws = [rounds(seed) for seed in range(3)]
    together = {
        name: xr.concat([draw[name] for draw in draws], "draw").assign_coords(draw=range(3))
        for name in draws[0]
    }
    batch = estimate(together, **options)
    assert batch["flows"].dims == ("draw", "origin", "destination", "birthplace", "sex")
    # Whatever the order of dims.
    turned = estimate({k: v.transpose(*v.dims[::-1]) for k, v in together.items()}, **options)
    for name in batch:
        xr.testing.assert_identical(turned[name].transpose(*batch[name].dims), batch[name])
    for k, draw in enumerate(draws):
        for sex in ("female", "male"):
            one = estimate({name: a.sel(sex=sex) for name, a in draw.items()}, **options)
            for name in one:
                want = batch[name].sel(draw=k, sex=sex)
                np.testing.assert_array_equal(want.values, one[name].values, err_msg=name)


OTHERS = [
    {"method": "drop-negatives"},
    {"method": "reverse-negatives"},
    {
        "method": "dennett",
        "total": xr.DataArray([600.0, 400.0], dims="sex", coords={"sex": ["female", "male"]}),
    },
    {"method": "rogers-von-rabenau"},
]


@pytest.mark.filterwarnings("ignore:.*negative flows:migproj.DataQualityWarning")
@pytest.mark.parametrize("options", OTHERS, ids=[options["method"] for options in OTHERS])
def test_flows_without_accounts_are_those_of_all_birthplaces(options):
    inputs = rounds(6)
    del inputs["births"], inputs["deaths"]
    every, summed = (
        mp.flows_from_stocks(**inputs, **options, by_birthplace=whether)
        for whether in (True, False)
    )
    xr.testing.assert_identical(summed, every)
    assert "birthplace" not in summed["flows"].dims


@pytest.mark.parametrize("prior", [(), FLOW, ("birthplace", *FLOW), ("draw", *FLOW)])
@pytest.mark.parametrize("options", ACCOUNTS)
def test_flows_summed_over_birthplaces(options, prior):
    inputs = rounds(6)
    if prior:
        labels = dict.fromkeys(prior, PLACES) | ({"draw": [1, 2]} if "draw" in prior else {})
        sizes = [len(labels[dim]) for dim in prior]
        values = np.random.default_rng(7).uniform(0.5, 2.0, sizes)
        options = options | {"prior": xr.DataArray(values, labels)}
    every, summed = (
        estimate(inputs, **options, by_birthplace=whether) for whether in (True, False)
    )
    # Fits are the same ones, and only sums of 4 numbers are rounded otherwise.
    want = every["flows"].sum("birthplace")
    assert summed["flows"].dims == want.dims
    xr.testing.assert_allclose(summed["flows"], want, rtol=1e-14)
    assert summed["flows"].attrs == every["flows"].attrs
    xr.testing.assert_identical(summed.drop_vars("flows"), every.drop_vars("flows"))
    assert list(summed.coords) == list(every.coords)
    chunked = {name: array.chunk(sex=1) for name, array in inputs.items()}
    lazy = estimate(chunked, **options, by_birthplace=False)
    assert lazy["flows"].chunks is not None
    xr.testing.assert_identical(lazy.compute(), summed)


def test_summed_flows_of_missing_stocks():
    inputs = rounds(4)
    inputs["end"].loc["male", "BOL", "PER"] = np.nan
    result = estimate(inputs, by_birthplace=False)
    assert result["flows"].sel(sex="male").isnull().all()
    whole = estimate(rounds(4), by_birthplace=False)
    xr.testing.assert_equal(result.sel(sex="female"), whole.sel(sex="female"))


def test_heavy_accounts_get_a_thread_each(monkeypatch):
    """Though they are fewer than the rows for which other kernels use threads."""
    monkeypatch.setenv("MIGPROJ_NUM_THREADS", "2")
    jobs, parts = [], []
    pool, spread = _jit._shared_pool(), _jit._spread
    counting = SimpleNamespace(submit=lambda job: jobs.append(job) or pool.submit(job))
    monkeypatch.setattr(_jit, "_shared_pool", lambda: counting)

    def seen(part, *options):
        spread(lambda lo, hi: parts.append((lo, hi)) or part(lo, hi), *options)

    monkeypatch.setattr(_jit, "_spread", seen)
    alone = estimate(rounds(1), by_birthplace=False)
    assert sorted(parts) == [(0, 1), (0, 1), (1, 2), (1, 2)]  # accounts, and their flows
    assert len(jobs) == 2  # one beside the calling thread for each
    monkeypatch.setenv("MIGPROJ_NUM_THREADS", "1")
    xr.testing.assert_identical(estimate(rounds(1), by_birthplace=False), alone)


@FEW
@given(seed=st.integers(0, 10**6))
def test_stocks_that_stay_are_no_flows(seed):
    start = rounds(seed)["start"]
    for options in ({}, {"system": "open"}, {"method": "reverse-negatives"}):
        assert float(mp.flows_from_stocks(start, start, **options)["flows"].max()) == 0
    result = mp.flows_from_stocks(start, start, births=0.02 * start.sum("birthplace"),
                                  deaths=0.02 * start.sum("birthplace"),
                                  birth_adjustment="proportional")  # fmt: skip
    assert float(result["flows"].max()) < 1e-9


def test_the_mixture_is_between_its_tables():
    inputs = rounds(1)
    fewest, chance, mixed = (
        estimate(inputs, **options)["flows"]
        for options in (
            {},
            {"stayers": "independence"},
            {"method": "pseudo-bayesian", "weight": 0.25},
        )
    )
    xr.testing.assert_allclose(mixed, 0.25 * fewest + 0.75 * chance, rtol=1e-12)


def test_prior_moves_people_along_it():
    inputs = rounds(2, empty=0.0)
    ones = xr.DataArray(
        np.ones((4, 4)), dims=("origin", "destination"),
        coords={"origin": PLACES, "destination": PLACES},
    )  # fmt: skip
    inputs["stayers"] = "independence"
    plain = estimate(inputs)["flows"]
    xr.testing.assert_allclose(estimate(inputs, prior=3 * ones)["flows"], plain, atol=1e-7)
    far = ones.copy()
    far.loc["ARG", "BOL"] = 0.0
    few = estimate(inputs, prior=far + 1e-3)["flows"].sum(["birthplace", "sex"])
    assert float(few.sel(origin="ARG", destination="BOL")) < float(
        plain.sum(["birthplace", "sex"]).sel(origin="ARG", destination="BOL")
    )


def test_period_units_and_lazy_input():
    inputs = rounds(3)
    timed = inputs | {
        "start": inputs["start"].assign_coords(time=2010.0),
        "end": inputs["end"].assign_coords(time=2015.0),
    }
    result = estimate(timed)
    assert float(result["period"]) == 2010
    assert float(result["period_width"]) == 5
    units = {name: array.attrs["units"] for name, array in result.items()}
    assert units["flows"] == units["births"] == units["deaths"] == "persons per period"
    assert units["stayers"] == units["adjustment_start"] == units["margin_error"] == "persons"
    assert units["iterations"] == "1"
    chunked = {name: array.chunk(sex=1) for name, array in inputs.items()}
    lazy = estimate(chunked)
    assert lazy["flows"].chunks is not None
    plain = estimate(inputs)
    for name in plain:
        xr.testing.assert_identical(lazy[name].compute(), plain[name])


def test_missing_stocks():
    inputs = rounds(4)
    inputs["end"] = inputs["end"].where(
        (inputs["end"]["sex"] == "female")
        | (inputs["end"]["country"] != "BOL")
        | (inputs["end"]["birthplace"] != "PER")
    )
    result = estimate(inputs)
    whole = estimate(rounds(4))
    assert result["flows"].sel(sex="male").isnull().all()
    xr.testing.assert_equal(result.sel(sex="female"), whole.sel(sex="female"))


def test_rates_and_differences():
    start, end = (rounds(5)[name].sel(sex="male", drop=True) for name in ("start", "end"))
    flows = mp.flows_from_stocks(start, end, method="dennett", total=1000.0)["flows"]
    assert float(flows.sum()) == pytest.approx(1000.0, rel=1e-12)
    flat = mp.flows_from_stocks(start, end, method="drop-negatives")
    change = (end - start).sel(country="BOL", birthplace="PER")
    got = flat["flows"].sel(origin="PER", destination="BOL")
    assert float(got) == max(float(change), 0.0)
    off = ~np.eye(4, dtype=bool)
    assert int(flat["n_negative"]) == ((end - start).values < 0)[off].sum()
    with pytest.warns(mp.DataQualityWarning, match="negative flows in .*origin="):
        rates = mp.flows_from_stocks(start, end, method="rogers-von-rabenau")
    # The moves carry the start to the end: births places by countries of residence.
    growth = np.linalg.solve(start.values.T, end.values.T)
    np.fill_diagonal(growth, 0.0)
    want = growth * start.sum("birthplace").values[:, None]
    np.testing.assert_allclose(rates["flows"].values, want, rtol=1e-9, atol=1e-9)
    assert int(rates["n_negative"]) == (want < 0).sum()


def test_counts_may_be_unsigned():
    """Differences of counts are not taken in their own type, in which they would wrap."""
    inputs = {name: x.sel(sex="male", drop=True).round() for name, x in rounds(6).items()}
    whole = {name: x.astype("uint32") for name, x in inputs.items()}
    for method in ("drop-negatives", "reverse-negatives"):
        got, want = (
            mp.flows_from_stocks(x["start"], x["end"], method=method) for x in (whole, inputs)
        )
        xr.testing.assert_equal(got, want)
    xr.testing.assert_equal(estimate(whole), estimate(inputs))


def test_movers_of_the_world_are_of_the_same_cells():
    start, end = rounds(5)["start"], rounds(5)["end"]
    draws = {"draw": [0, 1, 2]}
    total = xr.DataArray([5.0, 6.0], dims="draw", coords={"draw": [1, 2]})
    with says(mp.AlignmentError, "total: dim 'draw'", "1 missing: .0"):
        mp.flows_from_stocks(
            start.expand_dims(draws),
            end.expand_dims(draws),
            method="dennett",
            total=total.expand_dims(sex=["female", "male"]),
        )
    with says(mp.SchemaError, "total: expected the dim", "sex", "as in start"):
        mp.flows_from_stocks(start, end, method="dennett", total=5.0)
    with says(mp.SchemaError, "total: the dim 'origin'"):
        mp.flows_from_stocks(start, end, method="dennett", total=total.rename(draw="origin"))


# --- wrong inputs


def says(error, *parts):
    return pytest.raises(error, match="(?s)" + ".*".join(parts))


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ({"method": "abel"}, ["method: expected one of", "'abel'"]),
        ({"method": ["dennett"]}, ["method: expected one of", "dennett"]),
        ({"system": "half"}, ["system: expected one of", "'half'"]),
        ({"method": "dennett"}, ["total: method 'dennett' needs how many move"]),
        ({"total": 5.0}, ["total: method 'demographic-accounting' does not read it"]),
        ({"method": "drop-negatives", "births": 1}, ["births: method 'drop-negatives'"]),
        ({"method": "dennett", "total": 1.0, "stayers": "independence"}, ["stayers: method"]),
        ({"method": "pseudo-bayesian"}, ["weight: expected a number from 0 to 1", "None"]),
        ({"method": "pseudo-bayesian", "weight": 1.5}, ["weight: expected", "1.5"]),
        ({"method": "pseudo-bayesian", "weight": xr.DataArray([0.1, 0.2])}, ["weight: expected"]),
        ({"system": "open", "balance": "after"}, ["balance: is read with system='closed' alone"]),
        ({"tolerance": 0.0}, ["tolerance: expected one number above 0"]),
        ({"max_iterations": -1}, ["max_iterations: expected one number above 0"]),
    ],
)
def test_wrong_options(options, parts):
    inputs = rounds(0)
    with says(mp.SchemaError, *parts):
        mp.flows_from_stocks(inputs["start"], inputs["end"], **options)


def test_negative_stocks_are_named():
    inputs = rounds(0)
    inputs["end"].loc["male", "BOL", "PER"] = -3.0
    with says(mp.SchemaError, "end: expected counts", "country=BOL, birthplace=PER"):
        estimate(inputs)


def test_birthplaces_that_are_no_countries():
    inputs = rounds(0)
    for dim in STOCK:
        labels = ["ARG", "BOL", "CHL", "XXX"]
        odd = inputs["start"].assign_coords({dim: labels})
        with says(mp.AlignmentError, "start: dim 'birthplace'", "of 'country'", "Give every"):
            estimate(inputs | {"start": odd})
    with says(mp.AlignmentError, "end: dim 'country'", "another order"):
        estimate(inputs | {"end": inputs["end"].sel(dict.fromkeys(STOCK, PLACES[::-1]))})


def test_growth_that_is_not_births_less_deaths():
    inputs = rounds(0)
    inputs["end"] = inputs["end"] * 1.3
    with says(mp.SchemaError, "people of all countries grow", "expected at most", r"\['"):
        mp.flows_from_stocks(**inputs)
    # Labels are looked at before numbers.
    for name in ("births", "deaths"):
        odd = {"end": inputs["end"].expand_dims(draw=[1, 2])}
        odd[name] = inputs[name].expand_dims(draw=[1, 3])
        with says(mp.AlignmentError, f"{name}: dim 'draw'", "labels of end"):
            mp.flows_from_stocks(**inputs | odd)
    with says(mp.SchemaError, "deaths: expected the dim.*'sex'"):
        estimate(inputs | {"deaths": inputs["deaths"].sum("sex")})


def test_accounts_that_cannot_be_closed():
    inputs = rounds(0)
    deaths, births = inputs["deaths"].copy(deep=True), inputs["births"].copy(deep=True)
    deaths.loc["female", "CHL"] = 1e6
    with says(mp.SchemaError, "deaths: more than", "country CHL", "sex=female"):
        estimate(inputs | {"deaths": deaths}, system="open")
    births.loc["male", "PER"] = 1e6
    with says(mp.SchemaError, "births: more than", "country PER", "sex=male"):
        estimate(inputs | {"births": births}, system="open")
    # People of BOL are nowhere at the start, yet somewhere at the end.
    start = inputs["start"].where(inputs["start"]["birthplace"] != "BOL", 0.0)
    with says(mp.SchemaError, "start: cannot be fitted", "birthplace BOL is off by"):
        mp.flows_from_stocks(**inputs | {"start": start}, agreement=9.0)
    # More of CHL at the end than births can explain: deaths would be below 0.
    more = inputs["end"].where(inputs["end"]["birthplace"] != "CHL", 1.1 * inputs["end"])
    with says(mp.SchemaError, "deaths: cannot close the accounts", "birthplace CHL is off by"):
        estimate(inputs | {"end": more}, death_adjustment="accounting")
    with says(mp.SchemaError, "end: dim 'country' is split into 4 dask chunks", "expected one"):
        mp.flows_from_stocks(start, start.chunk(country=1), method="rogers-von-rabenau")
    with says(mp.SchemaError, "start: nobody lives abroad"):
        home = inputs["start"]["country"] == inputs["start"]["birthplace"]
        none = inputs["start"].where(home, 0).sel(sex="male")
        mp.flows_from_stocks(none, none, method="dennett", total=1.0)
    with says(mp.SchemaError, "start: expected stocks that tell birthplaces apart"):
        mp.flows_from_stocks(start, start, method="rogers-von-rabenau")


def test_nobody_of_a_birthplace_is_no_fault():
    inputs = {k: v.copy(deep=True) for k, v in rounds(0).items()}
    for name in ("start", "end"):
        inputs[name] = inputs[name].where(inputs[name]["birthplace"] != "BOL", 0.0)
    inputs["births"].loc[:, "BOL"] = 0.0
    flows = estimate(inputs)["flows"]
    assert float(flows.sel(birthplace="BOL").max()) == 0


def test_fewer_natives_than_births():
    inputs = {k: v.copy(deep=True) for k, v in rounds(0).items()}
    inputs["births"].loc["female", "BOL"] = float(inputs["end"].sel(
        sex="female", country="BOL", birthplace="BOL")) + 1.0  # fmt: skip
    with pytest.warns(mp.DataQualityWarning, match="births spread .* country=BOL"):
        result = mp.flows_from_stocks(**inputs, system="open")
    assert result["n_births_spread"].values.tolist() == [1, 0]


def test_wrong_priors():
    inputs = rounds(0)
    prior = xr.DataArray(
        np.ones((4, 4)), dims=("origin", "destination"),
        coords={"origin": PLACES, "destination": PLACES},
    )  # fmt: skip
    with says(mp.SchemaError, "prior: expected numbers of 0 or more", "origin=ARG"):
        estimate(inputs, prior=-prior)
    with says(mp.SchemaError, "prior: expected numbers, got 4 missing", "origin=ARG"):
        estimate(inputs, prior=prior.where(prior["origin"] != prior["destination"]))
    with says(mp.AlignmentError, "prior: dim 'destination'", "another order"):
        estimate(inputs, prior=prior.sel(destination=PLACES[::-1]))
    with says(mp.AlignmentError, "prior: dim 'sex'", "labels of start", "missing: .'female'"):
        estimate(inputs, prior=prior.expand_dims(sex=["f", "male"]))
    of_all = {name: array.sum("sex") for name, array in inputs.items()}
    with says(mp.SchemaError, "prior: the dim 'sex'", "stocks are not by sex: sum it over sex"):
        estimate(of_all, prior=prior.expand_dims(sex=["female", "male"]))
    with says(mp.SchemaError, "prior: the dim 'age'", "sum it over age"):
        estimate(of_all, prior=prior.expand_dims(age=[0, 5]))
    for whether in (True, False):
        with says(mp.SchemaError, "prior: does not allow flows", "(origin|destination) .*is off by",
                  "sex=female"):  # fmt: skip
            estimate(inputs, prior=0 * prior, by_birthplace=whether)
        nobody = prior.expand_dims(birthplace=PLACES).copy()
        nobody.loc["CHL"] = 0.0
        with says(mp.SchemaError, "prior: does not allow flows", "birthplace=CHL"):
            estimate(inputs, prior=nobody, by_birthplace=whether)
        with says(mp.AlignmentError, "prior: dim 'birthplace'", "another order"):
            estimate(inputs, prior=nobody.sel(birthplace=PLACES[::-1]), by_birthplace=whether)
