"""Model migration schedules of Rogers and Castro, and their fit."""

import csv
import subprocess
import sys
from collections import defaultdict

import numpy as np
import pytest
import xarray as xr

import migproj as mp
from migproj.rogerscastro import fit_rogers_castro, rogers_castro

SEVEN = {"a1": 0.02, "alpha1": 0.1, "a2": 0.06, "alpha2": 0.1, "mu2": 20, "lambda2": 0.4, "c": 3e-3}
RETIREMENT = {"a3": 2e-4, "alpha3": 0.7, "mu3": 65, "lambda3": 0.15}
ELDERLY = {"a4": 1e-4, "lambda4": 0.04}
KINDS = {
    7: SEVEN,
    9: {**SEVEN, **ELDERLY},
    11: {**SEVEN, **RETIREMENT},
    13: {**SEVEN, **RETIREMENT, **ELDERLY},
}
ORDER = ["a1", "alpha1", "a2", "alpha2", "mu2", "lambda2"]


def labelled(values):
    return xr.DataArray(
        [float(value) for value in values.values()],
        dims="parameter",
        coords={"parameter": list(values)},
    )


def plain(p, x):
    """The formula, age by age."""

    def hump(k):
        if f"a{k}" not in p:
            return 0.0
        u = x - p[f"mu{k}"]
        return p[f"a{k}"] * np.exp(-p[f"alpha{k}"] * u - np.exp(-p[f"lambda{k}"] * u))

    rise = p["a4"] * np.exp(p["lambda4"] * x) if "a4" in p else 0.0
    return p["a1"] * np.exp(-p["alpha1"] * x) + hump(2) + hump(3) + rise + p.get("c", 0.0)


def read(path, keys, label, value):
    found = defaultdict(dict)
    with path.open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found[tuple(row[key] for key in keys)][row[label]] = float(row[value])
    return found


@pytest.fixture(scope="module")
def published(reference):
    folder = reference / "migest"
    keys = ("schedule_abb", "sex")
    sets = read(folder / "rc_model_parameters.csv", keys, "param", "value")
    return sets, read(folder / "rc_curve_formula_not_migest.csv", keys, "age", "m")


@pytest.fixture(scope="module")
def demotools(reference):
    folder = reference / "demotools/mig_models"
    sets = read(folder / "rc_in.csv", ("model",), "param", "value")
    return sets, read(folder / "rc_out.csv", ("model",), "age", "mx")


def test_published_schedules(published):
    sets, curves = published
    assert len(sets) == 13
    for key, values in sets.items():
        ages = [int(age) for age in curves[key]]
        got = rogers_castro(labelled(values), ages)
        np.testing.assert_allclose(got, list(curves[key].values()), rtol=1e-9)


def test_demotools_schedules(demotools):
    sets, curves = demotools
    assert sorted(len(values) for values in sets.values()) == [4, 7, 9, 11, 13]
    for key, values in sets.items():
        # One case is of the labour force alone: its children have the level 0.
        values = {"a1": 0.0, "alpha1": 0.0, **values}
        ages = [int(age) for age in curves[key]]
        got = rogers_castro(labelled(values), ages)
        # Far below the hump exp(-exp(..)) underflows to nothing.
        np.testing.assert_allclose(got, list(curves[key].values()), rtol=1e-9, atol=1e-300)


@pytest.mark.parametrize("kind", KINDS)
def test_against_the_formula_age_by_age(kind):
    ages = np.array([0.0, 0.5, 17.25, 66, 104])
    got = rogers_castro(labelled(KINDS[kind]), ages)
    np.testing.assert_allclose(got, [plain(KINDS[kind], x) for x in ages], rtol=1e-13)
    assert got.name == "migration_rate"
    assert got.attrs["units"] == "1/year"
    assert got["age"].values.tolist() == ages.tolist()


def test_dims_and_labels_in_any_order():
    parameters = labelled(KINDS[13]) * xr.DataArray(
        [1.0, 1.1], dims="country", coords={"country": ["A", "B"]}
    )
    expected = rogers_castro(parameters.transpose("country", "parameter"), range(91))
    assert expected.dims == ("country", "age")
    turned = parameters.isel(parameter=slice(None, None, -1)).transpose("parameter", "country")
    xr.testing.assert_identical(rogers_castro(turned, range(91)), expected)
    fit = fit_rogers_castro(expected, kind=13)
    assert fit["parameters"].dims == ("country", "parameter")
    assert fit["fitted"].dims == ("country", "age")
    assert fit["converged"].dims == fit["rmse"].dims == ("country",)
    xr.testing.assert_identical(fit_rogers_castro(expected.T, kind=13), fit)


def test_ages_of_an_array():
    population = xr.DataArray(np.ones(91), dims="age", coords=mp.age_coords(range(91)))
    expected = rogers_castro(labelled(SEVEN), range(91))
    for ages in (population, mp.age_coords(range(91)), np.arange(91)):
        xr.testing.assert_identical(rogers_castro(labelled(SEVEN), ages), expected)
    # The widths of single years, the last one open-ended, change nothing in a fit.
    grouped = expected.assign_coords(age_width=population["age_width"])
    fit = fit_rogers_castro(grouped)
    np.testing.assert_array_equal(fit["fitted"], fit_rogers_castro(expected)["fitted"])


def test_the_fit_gives_published_curves_back(published):
    for values in published[0].values():
        rates = rogers_castro(labelled(values), range(101))
        fit = fit_rogers_castro(rates)
        assert fit["converged"]
        assert (fit["parameters"] > 0).all()
        assert abs(fit["fitted"] - rates).max() <= 1e-7 * rates.max()
        # Every component of these shows, so that the parameters come back, too.
        expected = labelled(values).sel(parameter=fit["parameter"])
        np.testing.assert_allclose(fit["parameters"], expected, rtol=1e-5)


def test_the_fit_gives_curves_of_each_kind_back(demotools):
    sets = [values for values in demotools[0].values() if len(values) in KINDS]
    for values in [*sets, *KINDS.values()]:
        rates = rogers_castro(labelled(values), range(101))
        fit = fit_rogers_castro(rates, kind=len(values))
        assert fit["converged"]
        assert abs(fit["fitted"] - rates).max() <= 1e-7 * rates.max()
        again = rogers_castro(fit["parameters"], range(101))
        np.testing.assert_allclose(again, fit["fitted"], rtol=1e-12)


def test_more_parameters_than_the_curve_has(published):
    """The components that it lacks come out as next to nothing."""
    rates = rogers_castro(labelled(published[0][("hd", "female")]), range(101))
    for kind in (9, 11, 13):
        fit = fit_rogers_castro(rates, kind=kind)
        assert abs(fit["fitted"] - rates).max() <= 1e-7 * rates.max()


@pytest.mark.filterwarnings("ignore:fit_rogers_castro. no convergence")
@pytest.mark.parametrize("kind", KINDS)
def test_noise_is_not_fitted_worse_than_by_the_truth(kind):
    """The least squares are no more than those of the schedule that the noise was added to."""
    truth = rogers_castro(labelled(KINDS[kind]), range(91))
    noise = np.random.default_rng(kind).lognormal(0.0, 0.05, truth.shape)
    rates = truth * noise
    fit = fit_rogers_castro(rates, kind=kind)
    misses = fit["fitted"] - rates
    assert float(fit["rmse"]) <= float(np.sqrt(((truth - rates) ** 2).mean()))
    np.testing.assert_allclose(fit["rmse"], np.sqrt((misses**2).mean()), rtol=1e-12)


def test_a_hump_before_an_upslope_is_found():
    """A hump about 58, and a rise from there on: starts differ in their shapes at old ages."""
    moves = [
        299, 246, 235, 205, 193, 163, 156, 141, 145, 89, 105, 87, 85, 84, 100, 103, 96, 125, 141,
        222, 314, 458, 594, 663, 742, 814, 830, 760, 774, 798, 713, 749, 684, 652, 579, 531, 502,
        443, 435, 431, 392, 375, 329, 328, 263, 320, 272, 258, 272, 243, 264, 281, 272, 288, 308,
        331, 381, 441, 469, 431, 411, 398, 390, 332, 361, 354, 346, 393, 359, 375, 363, 398, 412,
        362, 453, 403, 480, 496, 541, 548, 576, 594, 602, 624, 641, 708,
    ]  # fmt: skip
    simulated_by = {
        "a1": 0.0168, "alpha1": 0.188,
        "a2": 0.0996, "alpha2": 0.107, "mu2": 23.4, "lambda2": 0.242,
        "a3": 0.00095, "alpha3": 0.7, "mu3": 68.3, "lambda3": 0.15,
        "a4": 0.00057, "lambda4": 0.05, "c": 0.003,
    }  # fmt: skip
    ages = np.arange(len(moves))
    rates = xr.DataArray(np.array(moves) / 16232, dims="age", coords={"age": ages})
    fit = fit_rogers_castro(rates, kind=13)
    truth = rogers_castro(labelled(simulated_by), ages)
    assert fit["converged"]
    assert float(fit["rmse"]) < float(np.sqrt(((truth - rates) ** 2).mean()))
    # The hump is where the moves have one.
    assert 55 <= int(fit["fitted"].sel(age=slice(50, 65)).idxmax("age")) <= 62


@pytest.mark.filterwarnings("ignore:fit_rogers_castro. no convergence")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", ["spike", "step", "flat", "rise", "random"])
def test_curves_that_are_no_schedules(kind, shape):
    """They are fitted as they can be, without overflow: better than by a constant."""
    ages = np.arange(0, 85, 5)
    rates = {
        "spike": np.where(ages == 0, 0.1, 0.0),
        "step": np.where(ages < 40, 0.0, 0.05),
        "flat": np.full(len(ages), 0.02),
        "rise": ages / 1000,
        "random": np.random.default_rng(7).uniform(0, 0.1, len(ages)),
    }[shape]
    fit = fit_rogers_castro(xr.DataArray(rates, dims="age", coords={"age": ages}), kind=kind)
    assert np.isfinite(fit["parameters"]).all()
    assert (fit["parameters"] > 0).all()
    # A search ends at a relative change of 1e-8 of the squares.
    assert float(fit["rmse"]) <= rates.std() + 1e-8 * rates.max()


def test_the_level_does_not_matter():
    rates = rogers_castro(labelled(SEVEN), range(91))
    low = fit_rogers_castro(rates * 1e-6)["parameters"]
    high = fit_rogers_castro(rates)["parameters"]
    levels = ["a1", "a2", "c"]
    # As close as the search, which ends at a relative change of 1e-8 or an exact curve.
    np.testing.assert_allclose(
        low.sel(parameter=levels), 1e-6 * high.sel(parameter=levels), rtol=1e-6
    )


def test_missing_and_empty_rows_stay_alone():
    rates = xr.concat([rogers_castro(labelled(SEVEN), range(91))] * 3, dim="country")
    rates = rates.assign_coords(country=["A", "B", "C"])
    rates[1, 40] = np.nan
    rates[2] = 0.0
    before = rates.copy(deep=True)
    fit = fit_rogers_castro(rates)
    xr.testing.assert_identical(rates, before)
    assert fit["converged"].values.tolist() == [True, False, False]
    for name in ("parameters", "fitted", "rmse"):
        assert fit[name].isel(country=0).notnull().all()
        assert fit[name].isel(country=[1, 2]).isnull().all()


def test_a_missing_parameter_is_of_its_row():
    parameters = xr.concat([labelled(SEVEN)] * 2, dim="country").assign_coords(country=["A", "B"])
    parameters[1, 3] = np.nan
    rates = rogers_castro(parameters, range(91))
    assert rates.sel(country="A").notnull().all()
    assert rates.sel(country="B").isnull().all()


def test_lazy():
    pytest.importorskip("dask.array")
    parameters = xr.concat([labelled(SEVEN)] * 2, dim="country").assign_coords(country=["A", "B"])
    rates = rogers_castro(parameters.chunk(country=1), range(91))
    assert rates.chunks is not None
    xr.testing.assert_allclose(rates.compute(), rogers_castro(parameters, range(91)), rtol=1e-14)
    fit = fit_rogers_castro(rates)
    assert fit["parameters"].chunks is not None
    # What an eager call refuses spoils its own row alone.
    spoilt = rates.where((rates["country"] != "B") | (rates["age"] != 3), np.inf)
    assert fit_rogers_castro(spoilt)["converged"].values.tolist() == [True, False]
    xr.testing.assert_identical(fit.compute(), fit_rogers_castro(rates.compute()))
    with pytest.raises(mp.SchemaError, match=r"'age' is split into .* chunks.*chunk\(\{'age': -1"):
        fit_rogers_castro(rates.chunk(age=10))


def test_scipy_is_imported_by_fits_alone():
    code = "import sys, migproj.rogerscastro; sys.exit('scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({**SEVEN, "mu4": 1.0}, r"expected labels among \['a1'.*got \['mu4'\]"),
        ({k: v for k, v in SEVEN.items() if k != "mu2"}, r"all of \['a2'.*lacks \['mu2'\]"),
        ({**SEVEN, "a3": 1.0}, r"lacks \['alpha3', 'mu3', 'lambda3'\]"),
        ({**SEVEN, "a1": np.inf}, r"expected finite numbers.*parameter=a1"),
    ],
)
def test_wrong_parameters(values, message):
    with pytest.raises(mp.SchemaError, match=message):
        rogers_castro(labelled(values), range(91))


def test_parameters_without_labels():
    with pytest.raises(mp.SchemaError, match=r"'parameter' has no labels.*by position"):
        rogers_castro(labelled(SEVEN).drop_vars("parameter"), range(91))
    with pytest.raises(mp.SchemaError, match=r"parameters: the dim 'age' is not expected"):
        rogers_castro(labelled(SEVEN).expand_dims(age=[0]), range(91))


@pytest.mark.parametrize(
    ("ages", "message"),
    [
        ([0, 2, 1], r"ages: expected ascending ages.*got \[1\] in \[0, 2, 1\]"),
        ([-1, 0], r"ages: expected ascending ages of 0 or more, got \[-1\]"),
        ([], r"ages: expected a sequence of ages"),
        (["0", "1"], r"ages: expected numbers"),
        (xr.DataArray([1.0], dims="age"), r"ages: the dim 'age' has no labels"),
    ],
)
def test_wrong_ages(ages, message):
    with pytest.raises(mp.SchemaError, match=message):
        rogers_castro(labelled(SEVEN), ages)


def test_wrong_rates():
    rates = rogers_castro(labelled(SEVEN), range(91))
    for kind in (8, True, "7"):
        with pytest.raises(mp.SchemaError, match=r"kind: expected one of \[7, 9, 11, 13\]"):
            fit_rogers_castro(rates, kind=kind)
    for wrong, message in (
        (rates.rename(age="x"), r"rates: expected the dim\(s\) \['age'\]"),
        (rates.drop_vars("age"), r"rates: the dim 'age' has no labels"),
        (rates - 1, r"rates: expected rates of 0 or more"),
        (rates * 1000, r"rates: expected rates per person and year"),
        (rates[::-1], r"rates: expected ascending ages"),
        (rates[:6], r"expected at least 7 ages for 7 parameters, got 6"),
        (rates.expand_dims(parameter=["a1"]), r"rates: the dim 'parameter' is not expected"),
        (rates.assign_coords(age_width=5.0), r"single years of age, got wider groups \(age=0"),
    ):
        with pytest.raises(mp.SchemaError, match=message):
            fit_rogers_castro(wrong)


def test_what_has_not_converged_is_named():
    ages = np.arange(0, 85, 5)
    steps = np.where(ages < 40, 0.0, 0.05)
    rates = xr.DataArray(
        [steps, np.full(len(ages), np.nan)],
        dims=("country", "age"),
        coords={"country": ["a", "b"], "age": ages},
    )
    with pytest.warns(mp.DataQualityWarning, match="no convergence of the fit in 1 .*country=a"):
        fit = fit_rogers_castro(rates, kind=13)
    assert not fit["converged"].any()
    assert fit["rmse"].isnull().values.tolist() == [False, True]
