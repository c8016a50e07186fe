"""Laws of mortality fitted at old ages."""

import numpy as np
import pytest
import xarray as xr

import migproj as mp
from migproj.closing import extend_mortality
from migproj.errors import AlignmentError, DataQualityWarning, SchemaError

PARAMETERS = {
    "gompertz": {"a": 3e-5, "b": 0.095},
    "makeham": {"a": 1e-5, "b": 0.11, "c": 2e-3},
    "kannisto": {"a": 2e-5, "b": 0.105},
    "logistic": {"a": 2e-5, "b": 0.11, "k": 1.4},
    "beard": {"a": 4e-5, "b": 0.1, "k": 0.6},
    "kannisto-makeham": {"a": 1e-5, "b": 0.12, "c": 2e-3},
    "beard-makeham": {"a": 1e-5, "b": 0.12, "c": 2e-3, "k": 1.3},
    "gamma-gompertz": {"a": 3e-5, "b": 0.11, "g": 0.15},
    "quadratic": {"a": 0.5, "b": -0.02, "c": 2.1e-4},
}
UNITS = {"a": "1/year", "b": "1/year", "c": "1/year", "k": "years", "g": "1"}


def formula(law, x, a, b, c=0.0, k=0.0, g=0.0):
    if law == "quadratic":
        return a + b * x + c * x**2
    rise = a * np.exp(b * x)
    if law == "gamma-gompertz":
        return rise / (1 + g * a / b * (np.exp(b * x) - 1))
    if law.startswith("kannisto"):
        return c + rise / (1 + rise)
    return c + rise / (1 + k * rise)


def exact(law, groups=range(0, 105, 5)):
    coords = mp.age_coords(groups)
    step = groups.step
    mx = formula(law, np.array(groups) + step / 2, **PARAMETERS[law])
    return xr.DataArray(mx, dims="age", coords=coords)


def events(seed=1):
    rng = np.random.default_rng(seed)
    mx = exact("logistic", range(50, 101)).expand_dims(country=["A", "B", "C"])
    exposure = mx.copy(data=2e4 * np.exp(-0.06 * np.add.outer([0, 1, 5], np.arange(51))))
    return exposure.copy(data=rng.poisson((mx * exposure).values).astype(float)), exposure


@pytest.mark.parametrize("step", [1, 5])
@pytest.mark.parametrize("by", ["rates", "deaths"])
@pytest.mark.parametrize("law", list(PARAMETERS))
def test_parameters_come_back(law, by, step):
    mx = exact(law, range(0, 100 + step, step))
    counts = {"deaths": 1e5 * mx, "exposure": 1e5 * xr.ones_like(mx)} if by == "deaths" else {}
    made = extend_mortality(mx, law=law, **counts)
    for name, value in PARAMETERS[law].items():
        np.testing.assert_allclose(float(made[name]), value, rtol=1e-8)
        if law != "quadratic":
            assert made[name].attrs["units"] == UNITS[name]
    np.testing.assert_allclose(made.values, exact(law, range(0, 120 + step, step)), rtol=1e-7)
    assert made["age_width"].values.tolist() == [step] * (120 // step) + [np.inf]
    assert made.name == "mx"
    assert made.attrs["units"] == "1/year"


@pytest.mark.parametrize("law", list(PARAMETERS))
def test_score_equations_hold(law):
    """The likelihood's derivatives by ln a, b and c or k, in units of their standard errors."""
    deaths, exposure = events()
    made = extend_mortality(deaths / exposure, law=law, deaths=deaths, exposure=exposure)
    x = np.arange(60, 95) + 0.5
    for country in "ABC":
        D, E = (
            array.sel(country=country, age=slice(60, 94)).values for array in (deaths, exposure)
        )
        found = {n: float(made[n].sel(country=country)) for n in PARAMETERS[law]}
        mu = formula(law, x, **found)
        for name, value in found.items():
            if name in "ck" and value < 1e-6:  # at its bound, where the slope need not be 0
                continue
            h = 1e-5 * value
            up, down = (formula(law, x, **{**found, name: value + s * h}) for s in (1, -1))
            slope = (up - down) / (2 * h)
            score = ((D / mu - E) * slope).sum()
            # The differences and the solver's last step are good to about 1e-6 of an error.
            assert abs(score) < 1e-4 * np.sqrt((E * slope**2 / mu).sum()), name


def test_least_squares_of_logarithms():
    deaths, exposure = events()
    mx = (deaths / exposure).sel(country="A")
    made = extend_mortality(mx, law="gompertz")
    b, level = np.polyfit(np.arange(60, 95) + 0.5, np.log(mx.sel(age=slice(60, 94)).values), 1)
    np.testing.assert_allclose([made["b"], np.log(made["a"])], [b, level], rtol=1e-8)


def test_rates_below_are_untouched():
    mx = exact("makeham")
    odd = mx.where(mx["age"] != 100, 9.0)
    made = extend_mortality(odd, from_age=85, to_age=110)
    np.testing.assert_array_equal(made.values[:17], mx.values[:17])
    assert made["age"].values.tolist() == list(range(0, 115, 5))
    law = formula("kannisto", np.arange(87.5, 115, 5), float(made["a"]), float(made["b"]))
    np.testing.assert_allclose(made.values[17:], law, rtol=1e-12)
    default = extend_mortality(odd)
    np.testing.assert_array_equal(default.values[:20], mx.values[:20])
    np.testing.assert_allclose(default.sel(age=[85]), mx.sel(age=[85]))


def test_closed_rates_are_continued():
    mx = exact("gompertz").isel(age=slice(0, 20))
    mx = mx.assign_coords(mp.age_coords(range(0, 100, 5), open_ended=False))
    made = extend_mortality(mx, law="gompertz")
    np.testing.assert_allclose(made, exact("gompertz", range(0, 125, 5)), rtol=1e-8)


def test_abridged_goes_into_a_life_table():
    labels = ["0", "1-4", *(f"{x}-{x + 4}" for x in range(5, 100, 5)), "100+"]
    x = np.r_[0.5, 3, np.arange(7.5, 105, 5)]
    mx = xr.DataArray(
        formula("kannisto", x, **PARAMETERS["kannisto"]), dims="age", coords=mp.age_coords(labels)
    ).assign_coords(sex="female")
    made = extend_mortality(mx)
    assert made["age_width"].values[:3].tolist() == [1, 4, 5]
    long = mp.life_table(made)["lx"].sel(age=mx["age"])
    np.testing.assert_allclose(long, mp.life_table(mx)["lx"], rtol=1e-3)


def test_missing_value_stays_in_its_row():
    deaths, exposure = events()
    mx = deaths / exposure
    holed = mx.where((mx["country"] != "B") | (mx["age"] != 70))
    made, full = extend_mortality(holed), extend_mortality(mx)
    np.testing.assert_array_equal(made.sel(country=["A", "C"]), full.sel(country=["A", "C"]))
    assert made.sel(country="B", age=slice(100, None)).isnull().all()
    assert bool(np.isnan(made["a"].sel(country="B")))
    assert int(made.sel(country="B", age=slice(None, 99)).isnull().sum()) == 1
    by_deaths = extend_mortality(mx, deaths=deaths.where(holed.notnull()), exposure=exposure)
    assert by_deaths["a"].isnull().values.tolist() == [False, True, False]


def test_dims_in_any_order_and_dask():
    deaths, exposure = events()
    mx = (deaths / exposure).expand_dims(sex=["female", "male"])
    expected = extend_mortality(mx)
    assert expected.dims == ("country", "sex", "age")
    turned = extend_mortality(mx.transpose("age", "sex", "country"))
    xr.testing.assert_identical(turned.transpose(*expected.dims), expected)
    lazy = extend_mortality(mx.chunk({"country": 1, "age": 20}))
    assert lazy.chunks is not None
    xr.testing.assert_identical(lazy.compute(), expected)
    counts = {"deaths": deaths, "exposure": exposure}
    one = extend_mortality(mx, **counts)
    both = extend_mortality(mx, **{name: array.chunk(country=1) for name, array in counts.items()})
    xr.testing.assert_identical(both.compute(), one)


def test_inputs_are_not_changed():
    mx = exact("kannisto")
    before = mx.copy(deep=True)
    extend_mortality(mx)
    xr.testing.assert_identical(mx, before)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"law": "weibull"}, r"law: expected one of \['gompertz'.*got 'weibull'"),
        ({"fit_ages": (95, 60)}, r"fit_ages: expected a first and a last age.*got \(95, 60\)"),
        ({"fit_ages": (95, 110)}, "fit_ages: expected 2 or more closed groups.*got 1 between 95"),
        ({"from_age": 83}, "from_age: expected the lower bound.*got 83; the nearest is 85"),
        ({"from_age": 0}, "from_age: expected the lower bound.*got 0; the nearest is 5"),
        ({"to_age": 95}, "to_age: expected 100 to 130, by steps of 5.*got 95"),
        ({"to_age": 112}, "to_age: expected 100 to 130, by steps of 5.*got 112"),
        ({"to_age": 135}, "to_age: expected 100 to 130.*got 135"),
        ({"to_age": "110"}, "to_age: expected a whole age, got '110'"),
        ({"fit_ages": 60}, "fit_ages: expected a first and a last age.*got 60"),
        ({"deaths": exact("kannisto")}, "exposure: expected with deaths, got None"),
        ({"exposure": exact("kannisto")}, "deaths: expected with exposure, got None"),
    ],
)
def test_wrong_choices(given, message):
    with pytest.raises(SchemaError, match=message):
        extend_mortality(exact("kannisto"), **given)


def test_wrong_arrays():
    mx = exact("kannisto")
    with pytest.raises(SchemaError, match="mx: expected rates above 0 at fit_ages.*age=70"):
        extend_mortality(mx.where(mx["age"] != 70, 0.0))
    with pytest.raises(SchemaError, match="mx: expected rates of 0 or more.*age=0"):
        extend_mortality(-mx)
    with pytest.raises(SchemaError, match=r"mx: expected the dim\(s\) \['age'\]"):
        extend_mortality(mx.rename(age="x"))
    with pytest.raises(SchemaError, match="mx: dim 'age': expected closed groups, got"):
        extend_mortality(mx.isel(age=[-1]))
    ones = xr.ones_like(mx)
    with pytest.raises(AlignmentError, match="deaths: dim 'age': expected the groups of mx"):
        extend_mortality(mx, deaths=mx.isel(age=slice(2, None)), exposure=ones)
    with pytest.raises(SchemaError, match="exposure: expected more than 0 where.*age=70"):
        extend_mortality(mx, deaths=ones, exposure=ones.where(mx["age"] != 70, 0.0))
    two = mx.expand_dims(country=["A", "B"])
    other = xr.ones_like(two).assign_coords(country=["A", "C"])
    with pytest.raises(AlignmentError, match="deaths: dim 'country'.*not in mx"):
        extend_mortality(two, deaths=other, exposure=other)


def test_what_cannot_be_fitted_is_told():
    deaths, exposure = events()
    none = deaths.where(deaths["country"] != "B", 0.0)
    with pytest.warns(DataQualityWarning, match="no law found, or no deaths.*country=B"):
        made = extend_mortality(none / exposure, deaths=none, exposure=exposure)
    assert made["a"].isnull().values.tolist() == [False, True, False]
    mx = exact("gompertz")
    with pytest.warns(DataQualityWarning, match="the law does not rise with age"):
        extend_mortality(mx.copy(data=mx.values[::-1]))


def test_life_tables_of_two_laws_are_variants():
    """Parameters stay with the rates: tables of two laws say the same of all but values."""
    rates = mp.model_life_table("west", e0=60.0, sex="female")
    tables = {
        law: mp.life_table(mp.extend_mortality(rates, law=law, fit_ages=(60, 85)))
        for law in ("kannisto", "kannisto-makeham")
    }
    tables["log-quadratic"] = mp.life_table(mp.log_quadratic(child_mortality=0.1, sex="female"))
    assert all(set(table.coords) == {"age", "age_width", "sex"} for table in tables.values())
    ratios = {law: mp.survival_ratios(t, ages=range(0, 85, 5)) for law, t in tables.items()}
    assert dict(mp.scenarios.variants(ratios).sizes) == {"variant": 3, "age": 17}
