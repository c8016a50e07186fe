"""Model migration schedules fitted to counts, and the standard errors of fits."""

import numpy as np
import pytest
import xarray as xr

import migproj as mp
from migproj._rogerscastro import _deviances
from test_rogerscastro import KINDS, SEVEN, labelled

AGES = np.arange(101)


def lived(size, like):
    """Person-years that fall with age, of every row of `like`."""
    by_age = xr.DataArray(size * np.exp(-AGES / 60), dims="age", coords={"age": AGES})
    return xr.ones_like(like) * by_age


def drawn(rates, exposure, seed):
    counts = np.random.default_rng(seed).poisson((rates * exposure).values)
    return rates.copy(data=counts.astype(float))


def deviance(counts, expected):
    """The formula, age by age."""
    total = 0.0
    for y, m in zip(counts, expected, strict=True):
        total += 2 * ((y * np.log(y / m) if y else 0.0) - y + m)
    return total


@pytest.fixture(scope="module")
def models():
    return mp.datasets.load("rogers_castro_models")["parameters"]


@pytest.fixture(scope="module")
def published(models):
    rates = mp.rogers_castro(models, AGES)
    exposure = lived(1e5, rates)
    counts = drawn(rates, exposure, 3)
    return models, rates, exposure, counts, mp.fit_rogers_castro(counts=counts, exposure=exposure)


def test_published_curves_come_back(models):
    """From rates and from expected counts, of all packaged schedules, to 1e-8 of the rates."""
    rates = mp.rogers_castro(models, AGES)
    exposure = lived(1e4, rates)
    for fit in (
        mp.fit_rogers_castro(rates),
        mp.fit_rogers_castro(counts=rates * exposure, exposure=exposure),
    ):
        assert fit["converged"].all()
        np.testing.assert_allclose(fit["fitted"], rates, rtol=1e-8)
        expected = models.sel(parameter=fit["parameter"]).transpose(*fit["parameters"].dims)
        np.testing.assert_allclose(fit["parameters"], expected, rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_curves_of_each_kind_come_back(kind):
    rates = mp.rogers_castro(labelled(KINDS[kind]), AGES)
    exposure = lived(1e4, rates)
    fit = mp.fit_rogers_castro(counts=rates * exposure, exposure=exposure, kind=kind)
    assert fit["converged"]
    assert abs(fit["fitted"] - rates).max() <= 1e-8 * rates.max()


def test_parameters_are_within_their_errors(published):
    """Of 98 parameters with noise none is 4.5 standard errors off (the chance is 0.0007), and
    their scatter is that of the errors: its own standard error is 0.07."""
    models, _, _, _, fit = published
    assert fit["converged"].all()
    truth = models.sel(parameter=fit["parameter"])
    off = np.log(fit["parameters"] / truth) / (fit["standard_error"] / fit["parameters"])
    assert abs(off).max() < 4.5
    assert 0.72 < float(np.sqrt((off**2).mean())) < 1.28


def test_the_deviance_is_that_of_noise(published):
    """On average ages less parameters, 94; its standard error over 14 schedules is 3.7."""
    _, rates, exposure, counts, fit = published
    assert abs(float(fit["deviance"].mean()) - 94) < 4 * 3.7
    for schedule in rates["schedule"].values:
        for sex in ("female", "male"):
            one = {"schedule": schedule, "sex": sex}
            y, E = counts.sel(one).values, exposure.sel(one).values
            own = deviance(y, fit["fitted"].sel(one).values * E)
            np.testing.assert_allclose(fit["deviance"].sel(one), own, rtol=1e-9)
            assert own <= deviance(y, rates.sel(one).values * E)


def test_it_is_the_maximum(published):
    """No parameter moved by a thousandth of its standard error is more likely."""
    _, _, exposure, counts, fit = published
    for label in fit["parameter"].values:
        for way in (-1e-3, 1e-3):
            one = fit["parameter"] == label
            moved = fit["parameters"] + xr.where(one, way * fit["standard_error"], 0.0)
            expected = mp.rogers_castro(moved, AGES) * exposure
            gain = (counts * np.log(expected) - expected).sum("age")
            expected = fit["fitted"] * exposure
            best = (counts * np.log(expected) - expected).sum("age")
            assert (gain <= best).all()


@pytest.mark.filterwarnings("ignore:fit_rogers_castro. no convergence")
@pytest.mark.parametrize("size", [30.0, 300.0])
def test_few_migrants(models, size):
    """Tens of moves: a penalty keeps fits from odd shapes, so that they are nearer to the truth."""
    rates = mp.rogers_castro(models.isel(schedule=slice(3)), AGES)
    exposure = lived(size, rates)
    counts = drawn(rates, exposure, 11)
    drawn_in = mp.fit_rogers_castro(counts=counts, exposure=exposure, penalty=10)
    free = mp.fit_rogers_castro(counts=counts, exposure=exposure)
    assert drawn_in["converged"].all()
    for fit in (drawn_in, free):
        for name in ("parameters", "standard_error", "fitted"):
            assert np.isfinite(fit[name]).all()
    assert (free["deviance"] <= drawn_in["deviance"] * (1 + 1e-8)).all()
    off, freely_off = (float(((fit["fitted"] - rates) ** 2).mean()) for fit in (drawn_in, free))
    assert off < freely_off


def test_a_strong_penalty_gives_the_shape_it_draws_to():
    rates = 2 * mp.rogers_castro(labelled(SEVEN), AGES)
    exposure = lived(1e3, rates)
    fit = mp.fit_rogers_castro(counts=drawn(rates, exposure, 5), exposure=exposure, penalty=1e9)
    shape = fit["parameters"].sel(parameter=["alpha1", "alpha2", "mu2", "lambda2"])
    np.testing.assert_allclose(shape, [0.1, 0.1, 20, 0.4], rtol=1e-5)
    errors = fit["standard_error"].sel(parameter=shape["parameter"])
    np.testing.assert_allclose(errors / shape, 1e9**-0.5, rtol=1e-3)


def test_errors_by_the_information(published):
    """The inverse of the information, with slopes by differences."""
    _, _, exposure, _, fit = published
    one = {"schedule": "low dependency", "sex": "male"}
    at = fit["parameters"].sel(one)
    E = exposure.sel(one).values

    def curve(values):
        return mp.rogers_castro(at.copy(data=values), AGES).values

    steps = 1e-5 * np.diag(at.values)
    slopes = np.array([(curve(at + d) - curve(at - d)) / (2 * d.sum()) for d in steps])
    information = (slopes * E / curve(at.values)) @ slopes.T
    errors = np.sqrt(np.diag(np.linalg.inv(information)))
    np.testing.assert_allclose(fit["standard_error"].sel(one), errors, rtol=1e-4)


def test_errors_of_rates():
    """Rates with noise of one variance: parameters scatter as their errors say."""
    rates = mp.rogers_castro(labelled(SEVEN), AGES).expand_dims(draw=range(40))
    noise = np.random.default_rng(4).normal(0, 2e-4, rates.shape)
    fit = mp.fit_rogers_castro(rates + noise)
    off = np.log(fit["parameters"] / labelled(SEVEN))
    off = off / (fit["standard_error"] / fit["parameters"])
    # The standard error of each root mean square is 0.11.
    assert (abs(np.sqrt((off**2).mean("draw")) - 1) < 0.4).all()


def test_deviances_and_their_slopes():
    counts = np.array([0.0, 5.0, 5.0, 5.0, 5.0, 1e6])
    exposure = np.full(6, 2.0)
    rate = np.array([3.0, 2.5, 2.5 * (1 + 1e-5), 9.0, 0.1, 5e5 * (1 + 9e-4)])
    off, slope = _deviances(counts, exposure, rate)
    for k in range(6):
        own = deviance(counts[k : k + 1], 2 * rate[k : k + 1])
        # The difference of the terms of the formula loses digits near 0.
        np.testing.assert_allclose(off[k] ** 2, own, rtol=1e-6, atol=1e-8)
    up, down = (_deviances(counts, exposure, rate * (1 + h))[0] for h in (1e-6, -1e-6))
    np.testing.assert_allclose(slope, (up - down) / (2e-6 * rate), rtol=1e-6)
    assert off[4] < 0 < off[3]
    # No step where the series takes over.
    near = 2.5 * (1 + np.array([0.999e-3, 1.001e-3]))
    one = _deviances(np.full(2, 5.0), np.full(2, 2.0), near)[0]
    np.testing.assert_allclose(one / (near - 2.5), (one / (near - 2.5))[0], rtol=2e-6)


def test_rows_without_a_fit_and_ages_without_exposure():
    rates = xr.concat([mp.rogers_castro(labelled(SEVEN), AGES)] * 5, dim="country")
    rates = rates.assign_coords(country=list("ABCDE"))
    exposure = lived(1e4, rates)
    counts = rates * exposure
    exposure[0, 90:] = counts[0, 90:] = 0.0
    counts[1, 3] = np.nan
    counts[2] = 0.0
    exposure[3, :-6] = counts[3, :-6] = 0.0
    exposure[4, 7] = np.nan
    fit = mp.fit_rogers_castro(counts=counts, exposure=exposure)
    assert fit["converged"].values.tolist() == [True, False, False, False, False]
    for name in ("parameters", "standard_error", "fitted", "deviance"):
        assert fit[name][0].notnull().all()
        assert fit[name][1:].isnull().all()
    np.testing.assert_allclose(fit["fitted"][0], rates[0], rtol=1e-8)


def test_lazy_and_in_any_order(published):
    pytest.importorskip("dask.array")
    _, _, exposure, counts, fit = published
    lazy = mp.fit_rogers_castro(
        counts=counts.chunk(schedule=2).transpose("age", ...), exposure=exposure.chunk(schedule=2)
    )
    assert lazy["parameters"].chunks is not None
    xr.testing.assert_identical(lazy.compute().transpose(*fit.dims), fit.transpose(*fit.dims))


def test_wrong_counts():
    rates = mp.rogers_castro(labelled(SEVEN), AGES)
    exposure = lived(1e4, rates)
    counts = rates * exposure
    both = {"counts": counts, "exposure": exposure}
    for message, options in (
        ("expected either rates, or counts and exposure, got None", {}),
        (r"got \['rates', 'exposure'\]", {"rates": rates, "exposure": exposure}),
        (r"got \['counts'\]", {"counts": counts}),
        ("counts: expected counts of 0 or more", both | {"counts": -counts}),
        (
            r"exposure: expected person-years wherever.*age=3",
            both | {"exposure": exposure.where(exposure["age"] != 3, 0.0)},
        ),
        ("exposure: dim 'age'", both | {"exposure": exposure[1:]}),
        (
            r"counts: expected the dim\(s\) \['country'\]",
            both | {"exposure": exposure.expand_dims(country=["A"])},
        ),
        ("penalty: expected a number of 0 or more, got -1", both | {"penalty": -1}),
        ("penalty: 2 is part of a likelihood", {"rates": rates, "penalty": 2}),
        (
            "counts: dim 'age': expected at least 11 ages",
            {"counts": counts[:9], "exposure": exposure[:9], "kind": 11},
        ),
        (
            "counts: expected single years of age",
            {name: array.assign_coords(age_width=5.0) for name, array in both.items()},
        ),
    ):
        with pytest.raises(mp.MigprojError, match=message):
            mp.fit_rogers_castro(**options)
