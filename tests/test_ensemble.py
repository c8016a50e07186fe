"""Draws, summaries over them and the delta method."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats

import migproj as mp
from migproj import _estimates, ensemble

COUNTRIES = ["ARG", "BOL", "CHL"]
SEXES = ["female", "male"]
LOWER = list(range(0, 85, 5))


def aged(values, *dims, lower=LOWER, **coords):
    return xr.DataArray(
        values, dims=(*dims, "age"), coords={**coords, **mp.age_coords(lower)}
    ).astype(float)


@pytest.fixture(scope="module")
def rounds():
    """Two rounds ten years apart of three countries, with their life tables and births."""
    lower = np.array(LOWER)
    size = np.array([1.0, 3.0, 0.5])[:, None, None]
    start = 1e5 * size * np.exp(-0.02 * lower) * np.ones((3, 2, 1))
    labels = {"country": COUNTRIES, "sex": SEXES}
    ages = ["0", "1-4", *(f"{x}-{x + 4}" for x in range(5, 100, 5)), "100+"]
    coords = mp.age_coords(ages)
    x = coords["age"].values
    mx = 0.03 * np.exp(-1.2 * x) + 0.0006 + 6e-5 * np.exp(0.085 * (x + 2.5))
    mx = xr.DataArray(
        mx * np.array([[1.0], [1.3]]), dims=("sex", "age"), coords={"sex": SEXES, **coords}
    )
    births = xr.DataArray(
        1.9e5 * np.broadcast_to(size[..., 0], (3, 2)), dims=("country", "sex"), coords=labels
    )
    people = aged(start, "country", "sex", **labels)
    table = mp.life_table(mx)
    ratios = mp.survival_ratios(table, ages=people, interval=10)
    still = mp.net_migration(people, people, ratios, births=births, interval=10)
    moved = people * 0.002 * np.array([1.0, -1.0, 0.0]).reshape(3, 1, 1)
    end = (still["expected"] + moved).rename("population")
    return {"start": people, "end": end, "mx": mx, "births": births}


def estimate(start, end, mx, births, **uncertain):
    """Net migration by age and sex, and in all, with all that may be uncertain."""
    table = mp.life_table(mx * np.exp(uncertain.get("log_mx", 0.0)))
    result = mp.net_migration(
        mp.correct_coverage(start, uncertain.get("coverage_start", 1.0)),
        mp.transfer_ages(
            mp.correct_coverage(end, uncertain.get("coverage_end", 1.0)),
            uncertain.get("shift", 0.0),
        ),
        table,
        births=mp.correct_coverage(births, uncertain.get("births_factor", 1.0)),
        method=uncertain.get("method", "average"),
        interval=10,
    )[["net_migration"]]
    total = result["net_migration"].sum(["sex", "age"])
    return result.assign(total=total.assign_attrs(units="persons per period"))


def labelled(value, *dims):
    coords = {"country": COUNTRIES, "sex": SEXES, "age": LOWER}
    shape = [len(coords[dim]) for dim in dims]
    return xr.DataArray(np.full(shape, value), dims=dims, coords={d: coords[d] for d in dims})


# --- draws --------------------------------------------------------------------------------------


def test_the_same_draws_whatever_is_drawn_beside_them():
    spread = labelled(0.1, "country", "age")
    every = ensemble.draws(stats.norm(1, spread), 200, seed=5, name="x")
    assert every.dims == ("draw", "country", "age")
    assert every["draw"].values.tolist() == list(range(200))
    fewer = ensemble.draws(stats.norm(1, spread), 50, seed=5, name="x")
    one = ensemble.draws(stats.norm(1, spread.sel(country=["CHL"])), 200, seed=5, name="x")
    turned = ensemble.draws(stats.norm(loc=1, scale=spread.T), 200, seed=5, name="x")
    backwards = ensemble.draws(stats.norm(1, spread[::-1]), 200, seed=5, name="x")
    xr.testing.assert_identical(fewer, every[:50])
    xr.testing.assert_identical(one, every.sel(country=["CHL"]))
    xr.testing.assert_identical(turned.transpose(*every.dims), every)
    xr.testing.assert_identical(backwards[:, ::-1], every)


@pytest.mark.parametrize("chunks", [1, 7, 64, 1000])
def test_the_same_draws_whatever_the_chunks(chunks):
    spread = labelled(0.1, "country", "sex")
    every = ensemble.draws(stats.gamma(4.0, scale=spread), 150, seed=5, name="x")
    lazy = ensemble.draws(stats.gamma(4.0, scale=spread), 150, seed=5, name="x", chunks=chunks)
    assert lazy.chunks[0][0] == min(chunks, 150)
    xr.testing.assert_identical(lazy.compute(), every)
    xr.testing.assert_identical(lazy.chunk(draw=40).compute(), every)


def test_seeds_names_and_labels_are_independent():
    spread = labelled(1.0, "country", "sex")
    draws = [
        ensemble.draws(stats.norm(0, spread), 20_000, seed=seed, name=name).values.reshape(
            20_000, 6
        )
        for seed, name in ((1, "x"), (2, "x"), (1, "y"))
    ]
    found = np.corrcoef(np.concatenate(draws, axis=1).T)
    # Five standard errors of a correlation of 20,000 pairs.
    assert np.abs(found - np.eye(18)).max() < 5 / np.sqrt(20_000)


@pytest.mark.parametrize(
    "distribution",
    [
        stats.norm(1.02, 0.01),
        stats.beta(80, 3),
        stats.gamma(50, scale=0.02),
        stats.truncnorm(-2, 1, loc=1, scale=0.05),
        stats.triang(0.3, loc=0.95, scale=0.1),
        stats.uniform(0.9, 0.2),
        stats.poisson(30.0),
    ],
    ids=lambda d: d.dist.name,
)
def test_draws_follow_their_distribution(distribution):
    got = ensemble.draws(distribution, 20_000, seed=3, name="x").values
    mean, sd = distribution.mean(), distribution.std()
    assert abs(got.mean() - mean) < 4 * sd / np.sqrt(20_000)
    # The spread of a sample's spread depends on kurtosis, here below 1: 4 standard errors.
    assert got.std() == pytest.approx(sd, rel=4 * np.sqrt(0.75 / 20_000))
    at = distribution.ppf([0.1, 0.5, 0.9])
    below = distribution.cdf(at)
    assert np.abs((got[:, None] <= at).mean(axis=0) - below).max() < 4 * 0.5 / np.sqrt(20_000)


def test_draws_do_not_change_between_versions():
    got = ensemble.draws(stats.uniform(), 2, seed=1, name="coverage").values
    # Philox4x32-10 by hand from blake2b("1:coverage") as the key, cell 0, draws 0 and 1.
    np.testing.assert_allclose(got, UNIFORM, rtol=1e-15)


def philox(counter, key):
    """Philox4x32-10 in Python's own integers."""
    c, k = list(counter), list(key)
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(p1 >> 32) ^ c[1] ^ k[0], p1 % 2**32, (p0 >> 32) ^ c[3] ^ k[1], p0 % 2**32]
        k = [(k[0] + 0x9E3779B9) % 2**32, (k[1] + 0xBB67AE85) % 2**32]
    return c


def _uniform(draw):
    import hashlib

    key = int.from_bytes(hashlib.blake2b(b"1:coverage", digest_size=8).digest(), "little")
    c = philox([draw, 0, 0, 0], [key % 2**32, key >> 32])
    return (((c[1] << 32 | c[0]) >> 12) + 0.5) / 2**52


UNIFORM = [_uniform(0), _uniform(1)]


# --- summaries ----------------------------------------------------------------------------------

UNCERTAIN = {
    "coverage_start": stats.norm(1.0, 0.004),
    "coverage_end": stats.norm(1.02, labelled(0.006, "country")),
    "log_mx": stats.norm(0.0, labelled(0.05, "sex")),
    "births_factor": stats.norm(1.01, labelled(0.02, "country", "sex")),
    # Transfers are linear on each side of 0 alone: all but 1 in 10,000 of these are above it.
    "shift": stats.norm(0.03, 0.008),
}


@pytest.fixture
def inputs(rounds):
    return {**rounds, **UNCERTAIN}


def all_at_once(inputs, n, seed, **extra):
    """The estimate of all draws in one call."""
    made = {
        k: v if isinstance(v, xr.DataArray) else ensemble.draws(v, n, seed=seed, name=k)
        for k, v in inputs.items()
    }
    return estimate(**made, **extra)


def test_summaries_are_those_of_all_draws_at_once(inputs, monkeypatch):
    whole = all_at_once(inputs, 300, 11)
    monkeypatch.setattr(ensemble, "_BLOCK", 30 * 1000)
    monkeypatch.setattr(_estimates, "_KEPT", 300 * 500)
    wanted = [0.05, 0.5, 0.95]
    for by in (None, "country"):
        got = ensemble.summarise(estimate, inputs, 300, seed=11, quantiles=wanted, by=by)
        for name in ("net_migration", "total"):
            values = whole[name]
            for label, want in (
                ("mean", values.mean("draw")),
                ("sd", values.std("draw", ddof=1)),
                ("positive", (values > 0).mean("draw")),
                ("quantile", values.quantile(wanted, "draw")),
            ):
                found = got[f"{name}_{label}"]
                assert set(found.dims) == set(want.dims)
                # Sums of a few hundred numbers in another order.
                np.testing.assert_allclose(
                    found.transpose(*want.dims), want, rtol=1e-10, atol=1e-9, err_msg=label
                )
        assert got["total_mean"].attrs["units"] == "persons per period"
        assert got["total_quantile"].attrs["units"] == "persons per period"
        assert got["total_positive"].attrs["units"] == "1"
        assert got["country"].values.tolist() == COUNTRIES
        assert got["net_migration_mean"]["age_width"].values[-1] == np.inf


def test_probability_of_a_positive_balance():
    inputs = {"net": stats.norm(labelled(100.0, "country") * [1.0, 0.0, -2.0], 100.0)}
    got = ensemble.summarise(lambda net: net.rename("net"), inputs, 40_000, seed=2)
    want = stats.norm.cdf([1.0, 0.0, -2.0])
    assert np.abs(got["net_positive"].values - want).max() < 4 * 0.5 / 200


def test_units_that_a_sum_drops(rounds):
    def total(start, end, mx, births, coverage_end):
        result = estimate(start, end, mx, births, coverage_end=coverage_end)["net_migration"]
        bare = result.sum("age").drop_attrs()
        return xr.Dataset({"net_migration": bare, "own": bare})

    inputs = {**rounds, "coverage_end": UNCERTAIN["coverage_end"]}
    drawn = ensemble.summarise(total, inputs, 10, seed=1, quantiles=[0.5])
    cheap = ensemble.standard_errors(total, inputs)
    for got in (drawn, cheap):
        for label in ("mean", "sd"):
            assert got[f"net_migration_{label}"].attrs == {"units": "persons per period"}
            assert got[f"own_{label}"].attrs == {}


def test_arrays_of_draws_and_counts(rounds):
    given = ensemble.draws(UNCERTAIN["coverage_end"], 40, seed=3, name="coverage_end")
    inputs = {**rounds, "coverage_end": UNCERTAIN["coverage_end"]}
    arrays = {**rounds, "coverage_end": given}
    a = ensemble.summarise(estimate, inputs, 40, seed=3)
    b = ensemble.summarise(estimate, arrays, 40, seed=99)
    xr.testing.assert_allclose(a, b, rtol=1e-12)

    def counted(start, end, mx, births, coverage_end):
        return mp.net_migration(
            start, mp.correct_coverage(end, coverage_end), mp.life_table(mx), interval=10
        )[["net_migration", "n_births_missing"]]

    with pytest.warns(mp.DataQualityWarning, match="summarise: in some draws.*no births given"):
        got = ensemble.summarise(counted, inputs, 40, seed=3)
    assert got["n_births_missing"].values.tolist() == [[80, 80]] * 3
    assert np.isnan(got["net_migration_mean"].sel(age=[0, 5])).all()
    assert np.isnan(got["net_migration_positive"].sel(age=[0, 5])).all()
    assert not np.isnan(got["net_migration_positive"].sel(age=10)).any()


def test_missing_in_one_country_only(inputs):
    inputs["start"] = inputs["start"].where(inputs["start"]["country"] != "BOL")
    got = ensemble.summarise(estimate, inputs, 30, seed=1, quantiles=[0.5])
    for label in ("mean", "sd", "positive", "quantile"):
        missing = np.isnan(got[f"net_migration_{label}"]).transpose("country", ...)
        assert missing.sel(country="BOL", age=slice(10, None)).all()
        assert not missing.sel(country=["ARG", "CHL"]).any()


def test_lazy_rounds(inputs):
    want = ensemble.summarise(estimate, inputs, 20, seed=1)
    inputs["start"] = inputs["start"].chunk(country=1)
    got = ensemble.summarise(estimate, inputs, 20, seed=1)
    xr.testing.assert_allclose(got, want, rtol=1e-12)


# --- the delta method ---------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["forward", "reverse", "average", "midpoint"])
def test_standard_errors_are_those_of_ten_thousand_draws(rounds, method):
    names = ["coverage_start", "coverage_end", "births_factor", "shift"]
    inputs = {**rounds, **{name: UNCERTAIN[name] for name in names}}

    def chosen(**given):
        return estimate(**given, method=method)

    drawn = ensemble.summarise(chosen, inputs, 10_000, seed=1)
    for by in (None, "country"):
        cheap = ensemble.standard_errors(chosen, inputs, by=by)
        for name in ("net_migration", "total"):
            ratio = cheap[f"{name}_sd"] / drawn[f"{name}_sd"]
            # The sample's own error is 0.7 %, that of the largest of 200 cells thrice that.
            assert np.abs(ratio - 1).max() < 0.03, (name, by)


def test_standard_errors_of_mortality(inputs):
    drawn = ensemble.summarise(estimate, inputs, 10_000, seed=1)
    cheap = ensemble.standard_errors(estimate, inputs, by="country")
    for name in ("net_migration", "total"):
        assert np.abs(cheap[f"{name}_sd"] / drawn[f"{name}_sd"] - 1).max() < 0.03


def test_mortality_by_its_expectation_of_life(rounds):
    """By sex: e0 of the rates, give or take half a year."""
    e0 = mp.life_table(rounds["mx"])["ex"].sel(age=0, drop=True)
    given = {name: rounds[name] for name in ("start", "end", "mx", "births")}
    inputs = {**given, "e0": stats.norm(e0, 0.5)}

    def by_e0(start, end, mx, births, e0):
        return estimate(start, end, mp.scale_mortality(mx, e0), births)

    drawn = ensemble.summarise(by_e0, inputs, 10_000, seed=4)
    cheap = ensemble.standard_errors(by_e0, inputs)
    # 10,000 draws have an error of 0.7 %; e0 to migration is curved by less than 2 %.
    assert np.abs(cheap["total_sd"] / drawn["total_sd"] - 1).max() < 0.03
    # A longer life leaves more survivors, and so fewer migrants.
    longer = by_e0(**given, e0=e0 + 0.5)["total"]
    change = longer - by_e0(**given, e0=e0)["total"]
    assert (change < 0).all()
    # Both sexes at once, in quadrature: between the sum over the square root of 2 and the sum.
    assert (cheap["total_sd"] > 0.7 * abs(change)).all()
    assert (cheap["total_sd"] < abs(change)).all()


def test_standard_errors_whatever_dim_is_kept_apart(inputs):
    def by_age(**given):
        return estimate(**given)[["net_migration"]]

    whole = ensemble.standard_errors(by_age, inputs)
    for by in ("country", "sex"):
        apart = ensemble.standard_errors(by_age, inputs, by=by)
        np.testing.assert_allclose(
            apart["net_migration_sd"].transpose(*whole["net_migration_sd"].dims),
            whole["net_migration_sd"],
            rtol=1e-9,
        )


def test_standard_errors_by_hand(rounds):
    """M = c1 P1 - S c0 P0: each factor moves a count by its own standard deviation."""
    ratios = mp.survival_ratios(mp.life_table(rounds["mx"]), ages=rounds["end"], interval=10)
    old = ratios["age"].values[2:]
    inputs = {
        "start": rounds["start"],
        "end": rounds["end"].sel(age=old),
        "survival": ratios.sel(age=old),
        "c0": stats.norm(1.0, 0.01),
        "c1": stats.norm(1.0, labelled(0.02, "age").sel(age=old)),
    }

    def forward(start, end, survival, c0, c1):
        return mp.net_migration(start * c0, end * c1, survival, method="forward", interval=10)[
            ["net_migration"]
        ]

    got = ensemble.standard_errors(forward, inputs)
    plain = mp.net_migration(
        inputs["start"], inputs["end"], inputs["survival"], method="forward", interval=10
    )
    want = np.sqrt((0.02 * inputs["end"]) ** 2 + (0.01 * plain["expected"]) ** 2)
    # Central differences of a linear function, rounded.
    np.testing.assert_allclose(got["net_migration_sd"], want, rtol=1e-10)
    np.testing.assert_allclose(got["net_migration_mean"], plain["net_migration"], rtol=1e-12)
    assert got["net_migration_sd"].attrs["units"] == "persons per period"


# --- wrong inputs -------------------------------------------------------------------------------


def test_wrong_distributions():
    with pytest.raises(mp.SchemaError, match=r"x: expected a frozen distribution.*got float"):
        ensemble.draws(1.02, 10, seed=1, name="x")
    with pytest.raises(mp.SchemaError, match=r"x: expected a frozen distribution.*array of draws"):
        ensemble.draws(stats.multivariate_normal([0, 0]), 10, seed=1, name="x")
    with pytest.raises(mp.SchemaError, match=r"x: parameter 0: expected a number.*ndarray"):
        ensemble.draws(stats.norm(np.zeros(3)), 10, seed=1, name="x")
    with pytest.raises(mp.SchemaError, match=r"x: dim 'country' of a parameter has no labels"):
        ensemble.draws(stats.norm(xr.DataArray([0.0, 1.0], dims="country")), 9, seed=1, name="x")
    with pytest.raises(mp.AlignmentError, match=r"x \(1\): dim 'country'.*missing: \['CHL'\]"):
        ensemble.draws(
            stats.norm(labelled(0.0, "country"), labelled(1.0, "country")[:2]),
            9,
            seed=1,
            name="x",
        )
    with pytest.raises(mp.SchemaError, match=r"n: expected a whole number of 1 or more, got 0"):
        ensemble.draws(stats.norm(), 0, seed=1, name="x")
    with pytest.raises(mp.SchemaError, match=r"seed: expected a whole number of 0 or more"):
        ensemble.draws(stats.norm(), 9, seed=-1, name="x")
    with pytest.raises(
        mp.SchemaError, match=r"x: expected parameters that scipy.stats.norm allows.*scale"
    ):
        ensemble.draws(stats.norm(0, -1.0), 9, seed=1, name="x")


def test_wrong_summaries(rounds):
    inputs = {**rounds, "coverage_end": UNCERTAIN["coverage_end"]}
    with pytest.raises(mp.SchemaError, match=r"inputs: expected a distribution or an array"):
        ensemble.summarise(estimate, rounds, 9, seed=1)
    short = ensemble.draws(stats.norm(1, 0.1), 5, seed=1, name="coverage_end")
    with pytest.raises(mp.AlignmentError, match=r"coverage_end: dim 'draw'.*0 to 8, got 5 draws"):
        ensemble.summarise(estimate, {**rounds, "coverage_end": short}, 9, seed=1)
    with pytest.raises(mp.SchemaError, match=r"by: expected a dim of the inputs, got 'region'"):
        ensemble.summarise(estimate, inputs, 9, seed=1, by="region")
    with pytest.raises(mp.SchemaError, match=r"by: expected the dim 'sex' on all.*\['total'\]"):
        ensemble.summarise(estimate, inputs, 9, seed=1, by="sex")
    with pytest.raises(mp.SchemaError, match=r"by: expected the dim 'sex' on all.*\['total'\]"):
        ensemble.standard_errors(estimate, inputs, by="sex")
    with pytest.raises(mp.SchemaError, match=r"quantiles: expected ascending"):
        ensemble.summarise(estimate, inputs, 9, seed=1, quantiles=[0.9, 0.1])
    with pytest.raises(mp.SchemaError, match=r"estimator: expected the dim 'draw'.*\['estimate'\]"):
        ensemble.summarise(lambda start, coverage_end, **_: start, inputs, 9, seed=1)
    with pytest.raises(mp.SchemaError, match=r"estimator: expected it to return.*float"):
        ensemble.summarise(lambda **_: 1.0, inputs, 9, seed=1)
    with pytest.raises(mp.SchemaError, match=r"standard deviation is known, got an array of draws"):
        ensemble.standard_errors(estimate, {**rounds, "coverage_end": short})
    with pytest.raises(mp.SchemaError, match=r"x: expected.*finite standard deviation, got inf"):
        ensemble.standard_errors(lambda x: x, {"x": stats.t(1.5)})


def test_arithmetic_of_other_labels_is_an_error(inputs):
    def careless(start, end, coverage_end, **_):
        return end * coverage_end - start.isel(country=slice(2))

    with pytest.raises(ValueError, match="exact"):
        ensemble.summarise(careless, inputs, 9, seed=1)
