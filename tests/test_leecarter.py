"""The Lee-Carter model."""

import warnings

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import migproj as mp
from migproj.errors import AlignmentError, IntervalError, SchemaError
from migproj.leecarter import lee_carter
from migproj.leecarterforecast import forecast_lee_carter

LABELS = ["0", "1-4", *(f"{x}-{x + 4}" for x in range(5, 85, 5)), "85+"]
TIMES = [1962.5, 1970.25, 1975.0, 1991.0, 2003.5]
SEXES = ["female", "male"]


def rates(seed=1, countries=("A", "B", "C"), times=TIMES, noise=0.03):
    """Rates that fall at a pace by age, with noise, (country, sex, time, age)."""
    rng = np.random.default_rng(seed)
    x = np.r_[0.5, 3, np.arange(7.5, 85, 5), 90]
    level = np.log(0.06 * np.exp(-x) + 2e-4 * np.exp(0.075 * x))
    pace = -0.03 * np.exp(-x / 60)
    shape = (len(countries), 2, len(times), len(x))
    logs = level + pace * (np.array(times)[:, None] - times[0])
    logs = logs + 0.2 * rng.random((len(countries), 2, 1, 1)) + noise * rng.normal(size=shape)
    coords = {"country": list(countries), "sex": SEXES, "time": times, **mp.age_coords(LABELS)}
    return xr.DataArray(np.exp(logs), dims=("country", "sex", "time", "age"), coords=coords)


def one(mx, country, sex):
    """The logs of a table (time, age) and the model by plain NumPy."""
    logs = np.log(mx.sel(country=country, sex=sex).values)
    ax = logs.mean(axis=0)
    left, size, right = np.linalg.svd(logs - ax)
    total = right[0].sum()
    return logs, ax, right[0] / total, left[:, 0] * size[0] * total


def test_svd_is_the_first_term():
    mx = rates()
    fit = lee_carter(mx)
    assert fit["ax"].dims == fit["bx"].dims == ("country", "sex", "age")
    assert fit["kt"].dims == ("country", "time", "sex")
    for country in "ABC":
        for sex in SEXES:
            logs, ax, bx, kt = one(mx, country, sex)
            own = fit.sel(country=country, sex=sex)
            np.testing.assert_allclose(own["ax"], ax, rtol=1e-12)
            np.testing.assert_allclose(own["bx"], bx, rtol=1e-9, atol=1e-12)
            np.testing.assert_allclose(own["kt"], kt, rtol=1e-9, atol=1e-12)
            rest = logs - ax - np.outer(kt, bx)
            share = 1 - (rest**2).sum() / ((logs - ax) ** 2).sum()
            np.testing.assert_allclose(own["explained"], share, rtol=1e-10)
    np.testing.assert_allclose(fit["bx"].sum("age"), 1, rtol=1e-12)
    np.testing.assert_allclose(fit["kt"].sum("time"), 0, atol=1e-10)


def test_sums_are_regressions_by_age():
    mx = rates()
    fit = lee_carter(mx, method="sums")
    logs, ax, _, _ = one(mx, "B", "male")
    own = fit.sel(country="B", sex="male")
    kt = (logs - ax).sum(axis=1)
    np.testing.assert_allclose(own["kt"], kt, rtol=1e-9)
    slopes = [np.polyfit(kt, logs[:, x], 1)[0] for x in range(len(ax))]
    np.testing.assert_allclose(own["bx"], slopes, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(fit["bx"].sum("age"), 1, rtol=1e-12)


@pytest.mark.parametrize("method", ["svd", "sums"])
def test_a_model_comes_back(method):
    ax = np.log(rates().isel(time=0, drop=True))
    bx = xr.DataArray(np.linspace(2, 0.5, len(LABELS)), dims="age", coords={"age": ax["age"]})
    bx = bx / bx.sum()
    kt = xr.DataArray([9.0, 4, 1, -5, -9], dims="time", coords={"time": TIMES})
    mx = np.exp(ax.drop_vars("age_width") + bx * kt).assign_coords(mp.age_coords(LABELS))
    fit = lee_carter(mx, method=method)
    np.testing.assert_allclose(fit["bx"].isel(country=2, sex=1), bx, rtol=1e-9)
    np.testing.assert_allclose(fit["kt"].isel(country=2, sex=1), kt, atol=1e-9)
    np.testing.assert_allclose(fit["ax"], ax.transpose(*fit["ax"].dims), rtol=1e-9)
    np.testing.assert_allclose(fit["explained"], 1, rtol=1e-12)


def test_walk_by_hand():
    fit = lee_carter(rates()).isel(country=1, sex=0)
    k, t = fit["kt"].values, np.array(TIMES)
    drift = (k[-1] - k[0]) / (t[-1] - t[0])
    squares = sum(((k[i] - k[i - 1]) - drift * (t[i] - t[i - 1])) ** 2 for i in range(1, len(t)))
    years = t[-1] - t[0]
    freedom = years - sum((t[i] - t[i - 1]) ** 2 for i in range(1, len(t))) / years
    np.testing.assert_allclose(fit["drift"], drift, rtol=1e-12)
    np.testing.assert_allclose(fit["innovation"], np.sqrt(squares / freedom), rtol=1e-10)
    error = np.sqrt(squares / freedom / years)
    np.testing.assert_allclose(fit["drift_error"], error, rtol=1e-10)


def test_innovations_come_back_from_a_long_walk():
    """Dates as unequal as can be: 40 years one by one, then gaps of 2 to 9."""
    rng = np.random.default_rng(5)
    times = np.r_[np.arange(1900.0, 1940), 1940 + np.cumsum(rng.integers(2, 10, 360))]
    steps = np.diff(times, prepend=1899)
    walk = np.cumsum(-0.2 * steps + 0.5 * np.sqrt(steps) * rng.normal(size=len(steps)))
    kt = xr.DataArray(walk, dims="time", coords={"time": times})
    ax = xr.DataArray([400.0, 300.0], dims="age", coords=mp.age_coords([0, 60]))
    # ax is what puts the rates in bounds: the walk goes down to k of -400
    logs = -ax / 100 + 0.0 * kt + 0.01 * kt * xr.DataArray([0.6, 0.4], dims="age")
    fit = lee_carter(np.exp(logs).assign_coords(mp.age_coords([0, 60])))
    # 400 steps: the standard error of the deviation is 0.5 / sqrt(800)
    assert abs(float(fit["innovation"]) / 0.01 - 0.5) < 4 * 0.5 / np.sqrt(800)
    assert abs(float(fit["drift"]) / 0.01 + 0.2) < 4 * float(fit["drift_error"]) / 0.01


def test_two_dates_have_a_drift_alone():
    fit = lee_carter(rates(times=[1980.0, 1990.0]))
    assert fit["drift"].notnull().all()
    assert fit["innovation"].isnull().all()
    assert fit["drift_error"].isnull().all()
    with pytest.raises(SchemaError, match="draws: expected a fit to three or more dates, got 2"):
        forecast_lee_carter(fit, [2000], draws=10)


@pytest.mark.parametrize("rules", [{}, {"a0": "andreev-kingkade", "ax": "half"}])
@pytest.mark.parametrize("method", ["svd", "sums"])
def test_life_expectancies_are_met(method, rules):
    mx = rates(noise=0.1)
    fit = lee_carter(mx, method=method, match="e0", **rules)
    made = np.exp(fit["ax"] + fit["bx"] * fit["kt"]).assign_coords(mp.age_coords(LABELS))
    got = mp.life_table(made, **rules)["ex"].sel(age=0)
    want = mp.life_table(mx, **rules)["ex"].sel(age=0).transpose(*got.dims)
    np.testing.assert_allclose(got, want, atol=1e-10)
    np.testing.assert_allclose(fit["kt"].sum("time"), 0, atol=1e-9)
    first = lee_carter(mx, method=method)
    np.testing.assert_array_equal(fit["bx"], first["bx"])
    assert (abs(fit["kt"] - first["kt"]) > 1e-6).any()


def test_deaths_are_met():
    mx = rates(noise=0.1)
    exposure = 1e5 * np.exp(-0.02 * mx["age"].drop_vars("age_width")) + 0.0 * mx
    fit = lee_carter(mx, match="deaths", exposure=exposure)
    made = np.exp(fit["ax"] + fit["bx"] * fit["kt"])
    got = (made * exposure).sum("age")
    np.testing.assert_allclose(got, (mx * exposure).sum("age").transpose(*got.dims), rtol=1e-12)


def test_forecast_goes_on_from_the_last_date():
    mx = rates()
    fit = lee_carter(mx)
    made = forecast_lee_carter(fit, [1950, 1962.5, 1983, 2003.5, 2023.5])
    assert made.dims == ("country", "time", "sex", "age")
    assert made.attrs["units"] == "1/year"
    kt, drift = fit["kt"].transpose(..., "time").values, fit["drift"].values
    want = [
        kt[..., 0] - 12.5 * drift,
        kt[..., 0],
        (kt[..., 2] + kt[..., 3]) / 2,
        kt[..., -1],
        kt[..., -1] + 20 * drift,
    ]
    np.testing.assert_allclose(
        made["kt"].transpose(..., "time"), np.stack(want, axis=-1), rtol=1e-10, atol=1e-12
    )
    logs = fit["ax"] + fit["bx"] * made["kt"]
    np.testing.assert_allclose(np.log(made), logs.transpose(*made.dims), rtol=1e-12)
    line = forecast_lee_carter(fit, [1983], between="drift")
    np.testing.assert_allclose(line["kt"].isel(time=0), kt[..., 0] + 20.5 * drift, rtol=1e-10)
    started = forecast_lee_carter(fit, [2003.5, 2013.5], jump_off=mx.isel(time=-1))
    np.testing.assert_allclose(
        started.isel(time=0), mx.isel(time=-1).transpose("country", "sex", "age"), rtol=1e-12
    )
    pace = np.log(started.isel(time=1) / started.isel(time=0))
    np.testing.assert_allclose(pace, 10 * fit["bx"] * fit["drift"], rtol=1e-9, atol=1e-12)
    mp.life_table(made)


def test_periods_stand_at_their_middles():
    mx = rates(times=[1960.0, 1970.0, 1975.0, 1980.0])
    periods = mx.rename(time="period").assign_coords(period_width=("period", [10.0, 5, 5, 5]))
    fit = lee_carter(periods)
    at = mx.assign_coords(time=[1965.0, 1972.5, 1977.5, 1982.5])
    np.testing.assert_allclose(fit["drift_error"], lee_carter(at)["drift_error"], rtol=1e-12)
    made = forecast_lee_carter(fit, [1985, 1990])
    assert made["period_width"].values.tolist() == [5, 5]
    want = forecast_lee_carter(lee_carter(at), [1987.5, 1992.5])
    np.testing.assert_allclose(made, want, rtol=1e-12)
    with pytest.raises(IntervalError, match="years are left out"):
        forecast_lee_carter(fit, [1990])


def test_draws_have_the_variance_of_the_walk():
    fit = lee_carter(rates())
    dates = [2004.5, 2013.5, 2033.5]
    made = forecast_lee_carter(fit, dates, draws=4000, seed=3)
    assert made.dims == ("draw", "country", "time", "sex", "age")
    ahead = xr.DataArray(np.array(dates) - 2003.5, dims="time", coords={"time": dates})
    variance = fit["drift_error"] ** 2 * ahead**2 + fit["innovation"] ** 2 * ahead
    got = made["kt"].var("draw")
    # of a variance the standard error is sqrt(2 / 4000); 18 of them
    assert (abs(got / variance - 1) < 4 * np.sqrt(2 / 4000)).all()
    mean = forecast_lee_carter(fit, dates)["kt"]
    assert (abs(made["kt"].mean("draw") - mean) < 4 * (variance / 4000) ** 0.5).all()
    between = xr.corr(made["kt"].isel(sex=0), made["kt"].isel(sex=1), "draw")
    assert (abs(between) < 4 / np.sqrt(4000)).all()


def test_draws_depend_on_their_own_labels_alone():
    mx = rates()
    made = forecast_lee_carter(lee_carter(mx), [2010, 2020], draws=5, seed=7)
    part = forecast_lee_carter(lee_carter(mx.sel(country=["C"])), [2010, 2020], draws=3, seed=7)
    np.testing.assert_allclose(part, made.sel(country=["C"], draw=[0, 1, 2]), rtol=1e-12)
    other = forecast_lee_carter(lee_carter(mx), [2010, 2020], draws=5, seed=8)
    assert (other["kt"] != made["kt"]).all()


def test_missing_stays_where_it_is():
    mx = rates()
    holed = mx.where((mx["country"] != "B") | (mx["sex"] != "male") | (mx["time"] != 1975))
    for options in ({}, {"match": "e0"}, {"method": "sums"}):
        fit, whole = lee_carter(holed, **options), lee_carter(mx, **options)
        for name in fit:
            assert fit[name].sel(country="B", sex="male").isnull().all()
            np.testing.assert_allclose(
                fit[name].sel(country=["A", "C"]), whole[name].sel(country=["A", "C"]), rtol=1e-12
            )
        assert forecast_lee_carter(fit, [2010], draws=2).sel(country="A").notnull().all()


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), order=st.permutations(range(4)))
def test_any_order_of_dims_and_labels(seed, order):
    mx = rates(seed, noise=0.05)
    fit = lee_carter(mx, match="e0")
    dims = [mx.dims[k] for k in order]
    turned = lee_carter(mx.transpose(*dims).isel(country=[2, 0, 1]), match="e0")
    for name in fit:
        again = turned[name].sel(country=fit["country"]).transpose(*fit[name].dims)
        np.testing.assert_allclose(again, fit[name], rtol=1e-9, atol=1e-9)
    made = mp.life_table(forecast_lee_carter(fit, [1990, 2010, 2050]))
    assert (made["lx"].diff("age") < 0).all()
    assert (made["ex"].sel(age=slice(5, None)).diff("age") < 0).all()
    alone = lee_carter(mx.isel(country=1, sex=0), match="e0")
    for name in alone:
        np.testing.assert_allclose(alone[name], fit[name].isel(country=1, sex=0), atol=1e-9)


def test_lazy():
    pytest.importorskip("dask")
    mx = rates()
    for options in ({}, {"match": "e0"}):
        fit = lee_carter(mx.chunk(country=1, time=2), **options)
        assert fit["kt"].chunks is not None
        whole = lee_carter(mx, **options)
        for name in whole:
            np.testing.assert_allclose(fit[name].compute(), whole[name], rtol=1e-9, atol=1e-9)
        made = forecast_lee_carter(fit, [2010], draws=3)
        assert made.chunks is not None
        want = forecast_lee_carter(whole, [2010], draws=3)
        np.testing.assert_allclose(made.compute(), want, rtol=1e-9)


def test_inputs_are_not_changed():
    mx = rates()
    before = mx.copy(deep=True)
    fit = lee_carter(mx, match="e0")
    kept = fit.copy(deep=True)
    forecast_lee_carter(fit, [2010], jump_off=mx.isel(time=-1), draws=2)
    xr.testing.assert_identical(mx, before)
    xr.testing.assert_identical(fit, kept)


def test_nothing_is_warned_of_on_the_way():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lee_carter(rates(), match="e0", ax="half")


def test_wrong_rates():
    mx = rates()
    with pytest.raises(SchemaError, match="expected one dim 'time' or 'period'"):
        lee_carter(mx.rename(time="year"))
    with pytest.raises(IntervalError, match="two or more dates, got 1"):
        lee_carter(mx.isel(time=[0]))
    with pytest.raises(IntervalError, match="expected ascending dates"):
        lee_carter(mx.isel(time=[1, 0, 2]))
    with pytest.raises(SchemaError, match="expected rates above 0, got 6 of 0"):
        lee_carter(mx.where((mx["age"] != 10) | (mx["time"] != 1975), 0.0))
    with pytest.raises(SchemaError, match="rates that change over the dates.*country=B"):
        lee_carter(mx.where(mx["country"] != "B", mx.isel(time=0, drop=True)))
    with pytest.raises(SchemaError, match="'time' has no labels"):
        lee_carter(mx.drop_vars("time"))


def test_wrong_choices():
    mx = rates()
    with pytest.raises(SchemaError, match="method: expected one of .* got 'ml'"):
        lee_carter(mx, method="ml")
    with pytest.raises(SchemaError, match="match: expected one of .* got 'e65'"):
        lee_carter(mx, match="e65")
    with pytest.raises(SchemaError, match="exposure: expected with match='deaths'"):
        lee_carter(mx, match="deaths")
    with pytest.raises(SchemaError, match="a0: a rule of the life table, for match='e0' alone"):
        lee_carter(mx, a0=0.1)
    with pytest.raises(SchemaError, match="expected rates from birth on for match='e0'"):
        lee_carter(mx.isel(age=slice(3, None)), match="e0")
    with pytest.raises(AlignmentError, match="exposure: dim 'age': expected the groups of mx"):
        lee_carter(mx, match="deaths", exposure=mx.isel(age=slice(0, 5)))
    with pytest.raises(AlignmentError, match="dim 'country'"):
        lee_carter(mx, match="deaths", exposure=1e4 * mx.isel(country=[1, 0, 2]))


def test_wrong_forecasts():
    mx = rates()
    fit = lee_carter(mx)
    with pytest.raises(SchemaError, match=r"fit: expected a Dataset.*mp.lee_carter\(mx\) makes"):
        forecast_lee_carter(fit[["ax", "bx"]], [2010])
    with pytest.raises(SchemaError, match="between: expected one of"):
        forecast_lee_carter(fit, [1990], between="spline")
    with pytest.raises(IntervalError, match="expected a list of dates"):
        forecast_lee_carter(fit, 2010)
    with pytest.raises(IntervalError, match="expected ascending dates"):
        forecast_lee_carter(fit, [2020, 2010])
    with pytest.raises(SchemaError, match="draws: expected dates after 2003.5"):
        forecast_lee_carter(fit, [1990, 2010], draws=10)
    with pytest.raises(SchemaError, match="draws: expected a whole number of 1 or more"):
        forecast_lee_carter(fit, [2010], draws=0)
    with pytest.raises(SchemaError, match="the dim 'time' is not expected"):
        forecast_lee_carter(fit, [2010], jump_off=mx)
    with pytest.raises(AlignmentError, match="jump_off: dim 'age': expected the groups of fit"):
        forecast_lee_carter(fit, [2010], jump_off=mx.isel(time=-1, age=slice(0, 5)))
