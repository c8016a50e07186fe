"""Figures made to agree with totals."""

import hypothesis.extra.numpy as hnp
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

import migproj as mp
from test_invariants import FIXED

COUNTRIES = list("ABCDEF")
RULES = ["plus-minus", "two-sided", "proportional", "minimum-change"]


def says(error, *parts):
    return pytest.raises(error, match="(?s)" + ".*".join(parts))


def net(values, **more):
    coords = {"country": COUNTRIES, **more}
    return xr.DataArray(values, dims=tuple(coords), coords=coords)


def test_migest_rescale_net(reference):
    """migest's scaling to zero: each side to the mean of both (no switches), or an equal shift."""
    table = pd.read_csv(reference / "migest/rescale_net.csv")
    figures = xr.DataArray(
        table["x"].to_numpy(float), dims="region", coords={"region": np.arange(len(table))}
    )
    scaled = mp.reconcile(figures, 0.0, "region", method="two-sided")
    np.testing.assert_allclose(scaled["net_migration"], table["no_switches"], rtol=1e-13)
    assert scaled["n_sign_changes"] == 0
    with pytest.warns(mp.DataQualityWarning, match=r"changed sign in 1 cell\(s\): region=2"):
        shifted = mp.reconcile(figures, 0.0, "region", method="minimum-change")
    np.testing.assert_allclose(shifted["net_migration"], table["switches"], rtol=1e-13)
    assert shifted["n_sign_changes"] == 1


numbers = hnp.arrays(np.float64, (6,), elements=st.floats(-1e5, 1e5, allow_subnormal=False))


@pytest.mark.filterwarnings("ignore:reconcile. figures that")
@pytest.mark.parametrize("method", RULES)
@FIXED
@given(values=numbers, total=st.floats(-1e4, 1e4))
def test_the_figures_add_up(method, values, total):
    values = values.copy()
    values[:2] = 2e5, -1.1e5  # gains, losses and a balance, whatever the others are
    result = mp.reconcile(net(values), total, "country", method=method)
    scale = np.abs(values).sum() + abs(total)
    got = result["net_migration"].values
    assert abs(got.sum() - total) < 1e-12 * scale * max(1, np.abs(got).sum() / scale)
    if method == "two-sided":
        np.testing.assert_allclose(np.abs(got).sum(), np.abs(values).sum(), rtol=1e-12)
        assert (np.sign(got) == np.sign(values)).all()
    again = mp.reconcile(result["net_migration"], total, "country", method=method)
    np.testing.assert_allclose(again["net_migration"], got, rtol=1e-9, atol=1e-9 * scale)


def test_plus_minus_by_hand():
    result = mp.reconcile(net([100.0, 50, -30, -20, 0, 0]), 140.0, "country")
    # 40 more of 200: gains times 1.2, losses times 0.8
    np.testing.assert_allclose(result["net_migration"], [120, 60, -24, -16, 0, 0])


def test_the_least_change_is_the_least():
    rng = np.random.default_rng(1)
    values, v = rng.normal(0, 100, 6), rng.uniform(0.5, 4, 6)
    got = mp.reconcile(
        net(values), values.sum() + 5, "country", method="minimum-change", variance=net(v)
    )["net_migration"].values
    best = minimize(
        lambda x: ((x - values) ** 2 / v).sum(),
        values,
        constraints={"type": "eq", "fun": lambda x: x.sum() - values.sum() - 5},
        tol=1e-14,
    )
    np.testing.assert_allclose(got, best.x, rtol=1e-5)
    fixed = net(np.where(np.arange(6) == 2, 0.0, v))
    held = mp.reconcile(
        net(values), values.sum() + 5, "country", method="minimum-change", variance=fixed
    )
    assert float(held["net_migration"][2]) == values[2]


def test_totals_by_other_dims_and_sums_over_two():
    rng = np.random.default_rng(2)
    figures = net(rng.normal(0, 100, (6, 2, 3)), sex=["female", "male"], draw=[0, 1, 2])
    world = xr.DataArray([3.0, 0.0, -2.0], dims="draw", coords={"draw": [0, 1, 2]})
    result = mp.reconcile(figures.transpose("draw", "sex", "country"), world, ["country", "sex"])
    assert result["net_migration"].dims == ("draw", "sex", "country")
    np.testing.assert_allclose(result["net_migration"].sum(["country", "sex"]), world, atol=1e-9)
    for k in range(3):
        one = mp.reconcile(figures.isel(draw=k), float(world[k]), ["country", "sex"])
        got = result["net_migration"].isel(draw=k)
        np.testing.assert_allclose(got, one["net_migration"].transpose(*got.dims), rtol=1e-13)
    holed = figures.copy()
    holed[0, 0, 1] = np.nan
    missing = mp.reconcile(holed, world, ["country", "sex"])["net_migration"].isnull()
    assert missing.isel(draw=1).all()
    assert not missing.isel(draw=[0, 2]).any()


def test_margins_together():
    """Regions add up to the nation by sex and age, sexes to the regions: the least change."""
    rng = np.random.default_rng(3)
    truth = net(rng.normal(0, 100, (6, 2)), sex=["female", "male"])
    figures = truth + net(rng.normal(0, 10, (6, 2)), sex=["female", "male"])
    v = net(rng.uniform(0.5, 4, (6, 2)), sex=["female", "male"])
    margins = {"country": truth.sum("country"), "sex": truth.sum("sex")}
    result = mp.reconcile_margins(figures, margins, variance=v)["net_migration"]
    for dim, total in margins.items():
        np.testing.assert_allclose(result.sum(dim), total, rtol=1e-6, atol=1e-6)
    # The change of a least-squares adjustment is v times a sum of one number a total.
    a = np.zeros((8, 12))
    for i in range(6):
        for j in range(2):
            a[j, 2 * i + j] = a[2 + i, 2 * i + j] = 1
    off = np.concatenate([truth.sum("country"), truth.sum("sex")]) - a @ figures.values.ravel()
    change = v.values.ravel() * (a.T @ (np.linalg.pinv(a @ np.diag(v.values.ravel()) @ a.T) @ off))
    np.testing.assert_allclose(result.values.ravel(), figures.values.ravel() + change, atol=1e-5)


def test_margins_of_tables_of_their_own_are_met_each_by_its_size():
    """Contrary totals of few are not taken for rounding of those of many."""
    rng = np.random.default_rng(4)
    sizes = xr.DataArray([1e9, 1e-3], dims="draw", coords={"draw": [0, 1]})
    labels = {"sex": ["female", "male"], "draw": [0, 1]}
    truth = net(rng.uniform(1, 2, (6, 2, 2)), **labels) * sizes
    figures = truth * net(rng.uniform(0.9, 1.1, (6, 2, 2)), **labels)
    margins = {dim: truth.sum(dim) for dim in ("country", "sex")}
    result = mp.reconcile_margins(figures, margins)["net_migration"]
    for dim, total in margins.items():
        gap = abs(result.sum(dim) - total).max([d for d in total.dims if d != "draw"])
        assert (gap <= 1e-8 * sizes).all()
    for draw in (0, 1):
        one = {dim: total.sel(draw=draw) for dim, total in margins.items()}
        alone = mp.reconcile_margins(figures.sel(draw=draw), one)["net_migration"]
        np.testing.assert_allclose(alone, result.sel(draw=draw), atol=1e-8 * float(sizes[draw]))
    margins["sex"] = margins["sex"] + xr.DataArray([0.0, 1e-4], dims="draw")
    with says(mp.SchemaError, "margins: the totals contradict each other", "draw=1"):
        mp.reconcile_margins(figures, margins)


def test_what_sums_miss_by_their_rounding_is_not_scaled():
    """A balance of 0 but for its last digits is no balance, and a total met is met."""
    level = net([0.1, 0.2, -0.3, 0, 0, 0])
    assert float(level.sum()) != 0
    with says(mp.SchemaError, "method 'proportional': expected a balance other than 0"):
        mp.reconcile(level, 5.0, "country", method="proportional")
    gains = net([0.1, 0.2, 0.3, 0, 0, 0])
    assert float(gains.sum()) != 0.6
    for options in ({"method": "two-sided"}, {"method": "minimum-change", "variance": 0 * gains}):
        made = mp.reconcile(gains, 0.6, "country", **options)["net_migration"]
        np.testing.assert_allclose(made, gains, rtol=1e-12)
    with says(mp.SchemaError, "method 'two-sided': expected losses"):
        mp.reconcile(gains, 0.6 - 1e-9, "country", method="two-sided")


@pytest.mark.parametrize("method", ["proportional", "plus-minus", "two-sided", "minimum-change"])
def test_lazy_figures_that_cannot_be_brought_to_their_total_are_missing(method):
    figures = net([[2.0, 0], [-1, 0], [1, 0], [-1, 0], [1, 0], [0, 0]], draw=[0, 1])
    options = {"variance": figures**2} if method == "minimum-change" else {}
    made = mp.reconcile(figures.chunk(draw=1), 3.0, "country", method=method, **options)
    made = made["net_migration"]
    assert made.chunks is not None
    assert made.sel(draw=1).isnull().all()
    np.testing.assert_allclose(made.sel(draw=0).sum(), 3.0)


def test_lazy_margins_are_met():
    rng = np.random.default_rng(5)
    truth = net(rng.uniform(1, 2, (6, 2)), sex=["female", "male"])
    margins = {dim: truth.sum(dim) for dim in ("country", "sex")}
    plain = mp.reconcile_margins(1.1 * truth, margins)
    lazy = {dim: total.chunk() for dim, total in margins.items()}
    xr.testing.assert_identical(mp.reconcile_margins((1.1 * truth).chunk(sex=1), lazy), plain)


def test_a_missing_variance_makes_its_sum_missing():
    """The total is not left unmet in silence."""
    figures = net(np.arange(12.0).reshape(6, 2), sex=["female", "male"])
    variance = xr.ones_like(figures).where((figures["sex"] == "male") | (figures != 4))
    made = mp.reconcile(figures, 35.0, "country", method="minimum-change", variance=variance)
    missing = made["net_migration"].isnull()
    assert missing.sel(sex="female").all()
    np.testing.assert_allclose(made["net_migration"].sel(sex="male").sum(), 35.0)


def test_totals_that_are_none():
    figures = net([100.0, 50, -30, -20, 0, 0])
    with says(mp.SchemaError, "method: expected one of", "'prorate'"):
        mp.reconcile(figures, 0.0, "country", method="prorate")
    with says(mp.SchemaError, "net", "'region'"):
        mp.reconcile(figures, 0.0, "region")
    with says(mp.SchemaError, r"total: the dim\(s\) \['country'\] are not expected"):
        mp.reconcile(figures, figures, "country")
    with says(mp.SchemaError, "method 'proportional': expected a balance other than 0"):
        mp.reconcile(net([1.0, -1, 2, -2, 0, 0]), 5.0, "country", method="proportional")
    with says(mp.SchemaError, "method 'two-sided': expected losses", "minimum-change"):
        mp.reconcile(abs(figures), 0.0, "country", method="two-sided")
    with says(mp.SchemaError, "variance: method='plus-minus' does not use it"):
        mp.reconcile(figures, 0.0, "country", variance=figures)
    with says(mp.SchemaError, "variance: expected variances of 0 or more"):
        mp.reconcile(figures, 0.0, "country", method="minimum-change", variance=figures)
    with says(mp.SchemaError, "expected variances above 0", "give one of them a variance"):
        mp.reconcile(figures, 0.0, "country", method="minimum-change", variance=figures * 0)
    other = net(np.ones(6)).assign_coords(country=list("ABCDEG"))
    with says(mp.AlignmentError, "variance", "'country'"):
        mp.reconcile(figures, 0.0, "country", method="minimum-change", variance=other)
    by_sex = net(np.ones((6, 2)), sex=["female", "male"])
    contrary = {"country": by_sex.sum("country") + 1, "sex": by_sex.sum("sex")}
    with says(mp.SchemaError, "margins: the totals contradict each other"):
        mp.reconcile_margins(by_sex, contrary)
    with says(mp.SchemaError, "margins: expected a mapping of dims", "got list"):
        mp.reconcile_margins(by_sex, [0.0])
    with says(mp.SchemaError, "margins: expected totals"):
        mp.reconcile_margins(by_sex, {})
    with says(mp.SchemaError, "expected totals by", "'country'"):
        mp.reconcile_margins(by_sex, {"sex": 3.0})


def test_figures_of_one_sign_that_become_nothing():
    """Plus-minus brings gains alone to a total of 0 by a factor of 0, and says where."""
    figures = net(np.array([[1.0, -1], [2, 1]] * 3), sex=["female", "male"])
    with pytest.warns(
        mp.DataQualityWarning, match="figures that all become 0 in 1 cell.*sex=female"
    ):
        made = mp.reconcile(figures, 0.0, "country")["net_migration"]
    assert (made.sel(sex="female") == 0).all()
    assert (made.sel(sex="male") != 0).all()
