"""Tables fitted to margins, blocks and net migration."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

import migproj as mp
from kernels import flows_reference as reference

FEW = settings(
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=10,
    phases=(Phase.explicit, Phase.generate),
)
PLACES = ["ARG", "BOL", "CHL", "PER"]
FLOW = ("origin", "destination")


def matrix(values, **coords):
    labels = {**coords, "origin": PLACES, "destination": PLACES}
    return xr.DataArray(np.asarray(values, dtype=float), dims=tuple(labels), coords=labels)


def drawn(seed, *more, low=0.1):
    return np.random.default_rng(seed).uniform(low, 2.0, (*more, 4, 4))


def says(error, *parts):
    return pytest.raises(error, match="(?s)" + ".*".join(parts))


@FEW
@given(seed=st.integers(0, 10**6), order=st.permutations(range(4)))
def test_margins_are_met_and_odds_ratios_kept(seed, order):
    table = matrix(drawn(seed))
    want = matrix(100 * drawn(seed + 1))
    margins = [want.sum("destination"), want.sum("origin")]
    result = mp.fit_margins(table, margins)
    got = result["fitted_table"]
    plain = reference.proportional(table.values, [m.values for m in margins], [1, 0])
    np.testing.assert_allclose(got.values, plain, rtol=1e-8)
    for margin, dim in zip(margins, FLOW[::-1], strict=True):
        assert float(abs(got.sum(dim) - margin).max()) <= 1e-10 * float(max(map(np.max, margins)))
    assert float(result["margin_error"]) <= 1e-10 * float(max(map(np.max, margins)))
    # Odds ratios, of any two rows and columns.
    first, last = (np.diff(np.diff(np.log(y.values), axis=0), axis=1) for y in (got, table))
    np.testing.assert_allclose(first, last, atol=1e-9)
    places = [PLACES[k] for k in order]
    moved = mp.fit_margins(
        table.sel(origin=places, destination=places),
        [margins[0].sel(origin=places), margins[1].sel(destination=places)],
    )["fitted_table"]
    xr.testing.assert_allclose(moved.sel(origin=PLACES, destination=PLACES), got, rtol=1e-8)


def test_tables_of_their_own_are_fitted_one_by_one():
    years = {"year": [2000, 2010, 2020]}
    want = matrix(100 * drawn(1, 3), **years)
    margins = [want.sum("destination"), want.sum("origin")]
    table = matrix(drawn(2))
    batch = mp.fit_margins(table, margins)
    assert batch["fitted_table"].dims == ("year", *FLOW)
    assert batch["iterations"].dims == ("year",)
    for year in years["year"]:
        one = mp.fit_margins(table, [m.sel(year=year) for m in margins])
        for name in one:
            np.testing.assert_array_equal(batch[name].sel(year=year), one[name])
    turned = mp.fit_margins(table.T, [m.transpose() for m in margins])["fitted_table"]
    assert turned.dims == ("year", "destination", "origin")
    xr.testing.assert_allclose(turned.transpose("year", *FLOW), batch["fitted_table"], rtol=1e-9)
    lazy = mp.fit_margins(table, [m.chunk(year=1) for m in margins])["fitted_table"]
    assert lazy.chunks is not None
    xr.testing.assert_identical(lazy.compute(), batch["fitted_table"])


def test_margins_of_pairs_of_dims():
    """Three faces of a cube, and the total of a block of it beside them."""
    labels = {"sex": ["female", "male"]}
    want = matrix(100 * drawn(3, 2), **labels)
    table = matrix(drawn(4, 2), **labels)
    faces = [want.sum("destination"), want.sum("origin"), want.sum("sex")]
    got = mp.fit_margins(table, faces)["fitted_table"]
    plain = reference.proportional(table.values, [f.values for f in faces], [2, 1, 0])
    np.testing.assert_allclose(got.values, plain, rtol=1e-7)

    blocks = xr.where(matrix(np.eye(4)) == 1, "home", "away")
    totals = xr.DataArray([30.0, 70.0], dims="move", coords={"move": ["away", "home"]})
    result = mp.fit_margins(matrix(drawn(5)), [totals], blocks={"move": blocks})["fitted_table"]
    assert float(result.where(blocks == "home").sum()) == pytest.approx(70.0, rel=1e-12)
    whole = mp.fit_margins(matrix(drawn(5)), [xr.DataArray(12.0)])["fitted_table"]
    assert float(whole.sum()) == pytest.approx(12.0, rel=1e-12)


def test_structural_zeros_stay_and_missing_numbers_spread():
    table = matrix(drawn(6) * (1 - np.eye(4)))
    want = matrix(100 * drawn(7) * (1 - np.eye(4)))
    margins = [want.sum("destination"), want.sum("origin")]
    got = mp.fit_margins(table, margins)["fitted_table"]
    assert (np.diagonal(got.values) == 0).all()
    odd = table.where(table["origin"] != "BOL")
    assert mp.fit_margins(odd, margins)["fitted_table"].isnull().all()


def test_margins_of_single_precision_are_compared_in_double():
    """Their sums would agree by rounding, and no table would be found."""
    labels = {"origin": range(230), "destination": range(230)}
    table = xr.DataArray(
        np.random.default_rng(1).uniform(1, 1e6, (230, 230)).astype("float32"), labels
    )
    margins = [table.sum("destination"), table.sum("origin")]
    with says(mp.SchemaError, r"margins\[1\]: expected the totals of margins\[0\]", "differ by"):
        mp.fit_margins(xr.ones_like(table), margins)


def test_totals_of_each_table_agree_by_its_own_size():
    want = matrix(drawn(8, 2), draw=[0, 1]) * xr.DataArray([1.0, 1e-12], dims="draw")
    out, into = want.sum("destination"), want.sum("origin")
    into[1] *= 1.5
    with says(mp.SchemaError, r"margins\[1\]: expected the totals of margins\[0\]", "draw=1"):
        mp.fit_margins(matrix(drawn(9)), [out, into])
    into[1] = np.nan
    fitted = mp.fit_margins(matrix(drawn(9)), [out, into])["fitted_table"]
    assert fitted.isnull().all(FLOW).values.tolist() == [False, True]


def test_widths_of_ages_stay_with_the_table():
    ages = mp.age_coords(["0-14", "15-64", "65-99"])
    table = matrix(drawn(3)) * xr.DataArray([1.0, 2.0, 3.0], dims="age", coords=ages)
    table = table.assign_coords(iso=("origin", [1, 2, 3, 4]))
    margins = [2 * table.sum("origin"), 2 * table.sum("destination")]
    for margin, dim in zip(margins, ("destination", "origin"), strict=True):
        assert margin.dims == (dim, "age")
    cube = [m.sum("age") for m in margins] + [2 * table.sum(FLOW)]
    for given_ in (margins, cube):
        fitted = mp.fit_margins(table, given_)["fitted_table"]
        np.testing.assert_array_equal(fitted["age_width"], [15, 50, 35])
        assert fitted["iso"].values.tolist() == [1, 2, 3, 4]


def test_margins_that_cannot_be_met():
    table, want = matrix(drawn(8)), matrix(drawn(9))
    margins = [want.sum("destination"), want.sum("origin")]
    with says(mp.SchemaError, r"margins\[1\]: expected the totals of margins\[0\]", "nothing is"):
        mp.fit_margins(table, [margins[0], 1.01 * margins[1]])
    with says(mp.SchemaError, r"margins\[0\]: no table", "origin=BOL is off by"):
        mp.fit_margins(table.where(table["origin"] != "BOL", 0.0), margins)
    with says(mp.SchemaError, r"margins\[0\]: expected totals of 0 or more", "origin=CHL"):
        mp.fit_margins(table, [margins[0].where(margins[0]["origin"] != "CHL", -1.0)])
    with says(mp.SchemaError, "table: expected numbers of 0 or more"):
        mp.fit_margins(-table, margins)
    for odd in ("x", None, {"origin": 3.0}):
        with says(mp.SchemaError, "margins: expected a list of totals", "got"):
            mp.fit_margins(table, odd)
    with says(mp.SchemaError, "blocks: expected a mapping", "got str"):
        mp.fit_margins(table, [table.sum("origin")], blocks="x")
    with says(mp.SchemaError, "margins: expected a list"):
        mp.fit_margins(table, margins[0])
    with says(mp.AlignmentError, r"margins\[0\]: dim 'origin'", "another order"):
        mp.fit_margins(table, [margins[0].sel(origin=PLACES[::-1])])
    by_year = margins[0].expand_dims(year=[2000, 2010])
    with says(mp.SchemaError, r"margins\[0\]: the dim\(s\) \['year'\]"):
        mp.fit_margins(table, [by_year, margins[1]])
    blocks = xr.where(matrix(np.eye(4)) == 1, "home", "away")
    total = xr.DataArray([1.0], dims="move", coords={"move": ["away"]})
    with says(mp.AlignmentError, "expected a total of each label", r"\['home'\]"):
        mp.fit_margins(table, [total], blocks={"move": blocks})
    with says(mp.SchemaError, "max_iterations: expected one number above 0"):
        mp.fit_margins(table, margins, max_iterations=0)
    with says(mp.SchemaError, r"margins\[\d\]: not met in 1 rounds", "more max_iterations"):
        mp.fit_margins(table, margins, max_iterations=1)
    # Everyone moves to or from ARG: the others have nobody for each other, which is a limit.
    hub = matrix(drawn(8) * (1 - np.eye(4))).where(
        lambda x: (x.origin == "ARG") ^ (x.destination == "ARG"), 0.0
    )
    pairs = matrix(1 - np.eye(4))
    with says(mp.SchemaError, r"margins\[0\]: not met in 50 rounds", "none but with more zeros"):
        mp.fit_margins(pairs, [hub.sum("destination"), hub.sum("origin")], max_iterations=50)
    near = mp.fit_margins(pairs, [hub.sum("destination"), hub.sum("origin")], tolerance=1e-3)
    np.testing.assert_allclose(near["fitted_table"], hub, atol=4e-3 * float(hub.sum()))


# --- net migration


def net_of(values, **coords):
    labels = {**coords, "country": PLACES}
    return xr.DataArray(np.asarray(values, dtype=float), dims=tuple(labels), coords=labels)


def balance(flows):
    come = flows.sum("origin").rename(destination="country")
    return come - flows.sum("destination").rename(origin="country")


@pytest.mark.parametrize("method", ["entropy", "least-change", "fewest-movers"])
@FEW
@given(seed=st.integers(0, 10**6), order=st.permutations(range(4)))
def test_net_migration_is_met(method, seed, order):
    rng = np.random.default_rng(seed)
    prior = matrix(drawn(seed) * (1 - np.eye(4)))
    change = rng.uniform(-1.0, 1.0, 4)
    net = net_of(change - change.mean())
    result = mp.flows_from_net(net, prior, method=method)
    flows = result["flows"]
    assert float(abs(balance(flows) - net).max()) <= 1e-9
    assert float(flows.min()) >= 0
    places = [PLACES[k] for k in order]
    moved = mp.flows_from_net(
        net.sel(country=places), prior.sel(origin=places, destination=places), method=method
    )["flows"]
    xr.testing.assert_allclose(moved.sel(dict.fromkeys(FLOW, PLACES)), flows, rtol=0, atol=1e-8)
    unchanged = mp.flows_from_net(balance(prior), prior, method=method)["flows"]
    if method != "fewest-movers":
        xr.testing.assert_allclose(unchanged, prior, rtol=1e-9)
    assert float(mp.flows_from_net(0 * net, 0 * prior, method=method)["flows"].max()) == 0


@pytest.mark.parametrize("method", ["entropy", "least-change", "fewest-movers"])
def test_net_migration_of_a_country_that_is_missing_makes_all_flows_missing(method):
    net = net_of([[-3.0, 1.5, 2.5, -1.0], [-3.0, np.nan, 2.5, -1.0]], draw=[0, 1])
    prior = matrix(drawn(1) * (1 - np.eye(4)))
    flows = mp.flows_from_net(net, prior, method=method)["flows"]
    assert flows.isnull().all(FLOW).values.tolist() == [False, True]
    whole = mp.flows_from_net(net[0], prior, method=method)["flows"]
    xr.testing.assert_equal(flows[0], whole)


@pytest.mark.parametrize("method", ["entropy", "least-change", "fewest-movers"])
def test_a_prior_that_is_missing_makes_its_own_flows_missing(method):
    prior = matrix([drawn(1) * (1 - np.eye(4)), drawn(2) * (1 - np.eye(4))], draw=[0, 1])
    net = net_of([-3.0, 1.5, 2.5, -1.0])
    whole = mp.flows_from_net(net, prior, method=method)["flows"]
    prior[1, 2, 3] = np.nan
    flows = mp.flows_from_net(net, prior, method=method)["flows"]
    assert flows.sel(draw=1).isnull().all()
    xr.testing.assert_equal(flows.sel(draw=0), whole.sel(draw=0))


def test_flows_are_of_the_period_of_their_totals():
    prior = matrix(drawn(1) * (1 - np.eye(4))).assign_coords(period=1990.0, period_width=10.0)
    one = net_of([-3.0, 1.5, 2.5, -1.0]).assign_coords(period=2000.0, period_width=5.0)
    several = xr.concat([one.drop_vars(["period", "period_width"])] * 2, "period").assign_coords(
        period=[2000.0, 2005.0], period_width=("period", [5.0, 10.0])
    )
    of_table = prior.drop_vars(["period", "period_width"])
    for net, near in ((one, prior), (several, of_table)):
        result = mp.flows_from_net(net, near)
        for made in (result, mp.flows_by_age(aged(net), of_table)):
            np.testing.assert_array_equal(made["period"], net["period"])
            np.testing.assert_array_equal(made["period_width"], net["period_width"])
        flows = result["flows"].assign_coords(result["period_width"].coords)
        margins = [flows.sum("destination"), flows.sum("origin")]
        fitted = mp.fit_margins(of_table, margins)
        np.testing.assert_array_equal(fitted["period"], net["period"])
        np.testing.assert_array_equal(fitted["period_width"], net["period_width"])
    other = margins[1].assign_coords(period_width=("period", [5.0, 6.0]))
    assert "period_width" not in mp.fit_margins(of_table, [margins[0], other]).coords


def aged(net):
    return net * xr.DataArray([0.25, 0.75], dims="age", coords=mp.age_coords([0, 30]))


@pytest.mark.parametrize("total", [None, 20.0])
@pytest.mark.parametrize("method", ["entropy", "least-change"])
def test_nearest_to_the_prior(method, total):
    """As found by a general optimiser."""
    prior = matrix(drawn(10) * (1 - np.eye(4)))
    net = net_of([-3.0, 1.5, 2.5, -1.0])
    flows = mp.flows_from_net(net, prior, method=method, total=total)["flows"]
    cells = prior.values > 0

    def distance(y):
        m = prior.values[cells]
        if method == "entropy":
            return float(np.sum(y * np.log(np.maximum(y, 1e-300) / m) - y + m))
        return float(np.sum((y - m) ** 2 / m))

    def gap(y):
        whole = np.zeros((4, 4))
        whole[cells] = y
        off = (whole.sum(0) - whole.sum(1) - net.values)[:-1]
        return off if total is None else np.append(off, whole.sum() - total)

    found = minimize(
        distance,
        prior.values[cells],
        method="SLSQP",
        bounds=[(1e-12, None)] * cells.sum(),
        constraints={"type": "eq", "fun": gap},
        options={"maxiter": 1000, "ftol": 1e-14},
    )
    assert found.success
    # The search stops near the lowest point, which is flat.
    np.testing.assert_allclose(flows.values[cells], found.x, atol=2e-4)
    assert distance(flows.values[cells]) <= found.fun + 1e-9


def test_a_batch_of_net_migration():
    years = {"year": [2000, 2010]}
    net = net_of([[-3.0, 1.5, 2.5, -1.0], [1.0, -1.0, 0.0, 0.0]], **years)
    prior = matrix(drawn(11) * (1 - np.eye(4)))
    batch = mp.flows_from_net(net, prior)
    assert batch["flows"].dims == ("year", *FLOW)
    assert batch["flows"].attrs["units"] == "persons per period"
    for year in years["year"]:
        one = mp.flows_from_net(net.sel(year=year), prior)
        for name in one:
            np.testing.assert_array_equal(batch[name].sel(year=year), one[name])
    missing = mp.flows_from_net(net.where(net["year"] == 2000), prior)["flows"]
    assert missing.sel(year=2010).isnull().all()
    xr.testing.assert_equal(missing.sel(year=2000), batch["flows"].sel(year=2000))
    lazy = mp.flows_from_net(net.chunk(year=1), prior)["flows"]
    xr.testing.assert_identical(lazy.compute(), batch["flows"])


@pytest.mark.parametrize("dim", ["sex", "age", "birthplace"])
def test_flows_of_all_are_not_those_of_each(dim):
    """A prior says how many move: of all it would be moved for each label."""
    net, prior = net_of([-3.0, 1.5, 2.5, -1.0]), matrix(drawn(1) * (1 - np.eye(4)))
    several = {dim: PLACES}
    with says(mp.SchemaError, f"prior: expected the dim.*'{dim}'", "as in net"):
        mp.flows_from_net(net.expand_dims(several), prior)
    with says(mp.SchemaError, "total: expected the dim", f"'{dim}'", "as in net"):
        mp.flows_from_net(net.expand_dims(several), prior, total=20.0)
    for options in ({}, {"total": 20.0}, {"method": "fewest-movers"}):
        with says(mp.SchemaError, f"net: expected the dim.*'{dim}'", "as in prior"):
            mp.flows_from_net(net, prior.expand_dims(several), **options)
    # Where something else says how many, only its pattern is read.
    total = xr.DataArray([20.0, 21.0, 22.0, 23.0], several)
    for options in ({"total": total}, {"method": "fewest-movers"}):
        each = mp.flows_from_net(net.expand_dims(several), prior, **options)["flows"]
        twice = mp.flows_from_net(net.expand_dims(several), 2 * prior, **options)["flows"]
        xr.testing.assert_allclose(each, twice, rtol=1e-9)


def test_net_migration_that_cannot_be():
    prior, net = matrix(drawn(12) * (1 - np.eye(4))), net_of([-3.0, 1.5, 2.5, -1.0])
    with says(mp.SchemaError, "net: expected net migration that adds up to 0", r"\['CHL', 'BOL'"):
        mp.flows_from_net(net + 1.0, prior)
    nobody = prior.where(prior["destination"] != "CHL", 0.0)
    for method in ("entropy", "least-change", "fewest-movers"):
        with says(mp.SchemaError, "net: no flows along the cells of prior", "is off by"):
            mp.flows_from_net(net, nobody, method=method)
    for method in ("entropy", "least-change"):  # 4 people have to leave
        with says(mp.SchemaError, "net: no flows", "the total is off by", "or a total of all who"):
            mp.flows_from_net(net, prior, method=method, total=3.5)
    with says(mp.SchemaError, "method: expected one of", "'maximum'"):
        mp.flows_from_net(net, prior, method="maximum")
    with says(mp.SchemaError, "total: follows from net"):
        mp.flows_from_net(net, prior, method="fewest-movers", total=9.0)
    with says(mp.AlignmentError, "prior: dim 'origin'", "another order"):
        mp.flows_from_net(net, prior.sel(origin=PLACES[::-1]))
    with says(mp.SchemaError, "prior: expected flows of 0 or more"):
        mp.flows_from_net(net, -prior)
