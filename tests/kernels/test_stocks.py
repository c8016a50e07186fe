import numpy as np
import pytest
import xarray as xr

import migproj as mp
from kernels import reference
from migproj._jit import run
from migproj._kernels import stocks as kernels

AGES = [0, 10, 20, 30, 40]
PLACES = ["BOL", "CHL", "PRY"]
TIMINGS = ["end", "even", "midpoint"]
PERIODS = 3
NAMES = ("stock", "deaths_cohort", "emigrants")


def draw(rng, rows):
    flows = (rows, PERIODS, len(AGES))
    survival = rng.uniform(0.5, 0.99, flows)
    hazard = rng.uniform(0.0, 0.03, flows)
    survival[:, 0, 3] = 1.02  # a census survival ratio
    survival[:, 1, 2] = 0.0
    hazard[:, 2, :2] = 0.0
    return {
        "stock": rng.uniform(1e2, 1e4, (rows, len(AGES))),
        "survival": survival,
        "arrivals": rng.uniform(0.0, 1e3, flows),
        "emigration": hazard,
    }


def project(drawn, timing, years=10.0, entering=0.0):
    stocks, deaths, emigrants = [drawn["stock"]], [], []
    for p in range(PERIODS):
        S, M, mu = (
            drawn[k][min(p, len(drawn[k]) - 1)] for k in ("survival", "arrivals", "emigration")
        )
        after, dead, left = reference.step_stock(stocks[-1], S, M, mu, timing, years, entering)
        stocks.append(after)
        deaths.append(dead)
        emigrants.append(left)
    return dict(zip(NAMES, map(np.array, (stocks, deaths, emigrants)), strict=True))


def labelled(drawn, lower=AGES):
    coords = {"birthplace": PLACES, "period": 2000.0 + 10 * np.arange(PERIODS)}
    coords |= mp.age_coords(lower)
    dims = ("birthplace", "period", "age")
    arrays = {}
    for name, values in drawn.items():
        own = ("birthplace", "age") if name == "stock" else dims
        kept = {key: value for key, value in coords.items() if key in (*own, "age_width")}
        arrays[name] = xr.DataArray(values, dims=own, coords=kept)
    return arrays


def assert_projected(got, want):
    for name in NAMES:
        # deaths are what is lost less emigrants: to 1e-12 of the people lost, at most 1e4
        np.testing.assert_allclose(got[name], want[name], rtol=1e-12, atol=1e-8, err_msg=name)


ABOVE_ONE = r"survival ratios above 1 in 3 cell\(s\): birthplace=BOL, period=2000\.0, age=30; "


@pytest.mark.parametrize("timing", TIMINGS)
def test_project_stocks(timing):
    drawn = draw(np.random.default_rng(TIMINGS.index(timing)), 3)
    with pytest.warns(mp.DataQualityWarning, match=ABOVE_ONE):
        result = mp.project_stocks(**labelled(drawn), timing=timing)
    for c in range(3):
        row = {name: result[name].values[c] for name in NAMES}
        assert_projected(row, project({k: v[c] for k, v in drawn.items()}, timing))
    np.testing.assert_array_equal(result["arrivals"].values, drawn["arrivals"])
    assert not result["n_negative"].any()


@pytest.mark.parametrize("timing", TIMINGS)
def test_net_migration_instead_of_arrivals_and_emigration(timing):
    drawn = draw(np.random.default_rng(50), 3)
    drawn["survival"] = np.clip(drawn["survival"], 0.5, 0.99)
    drawn["arrivals"][..., 1:] -= 5.0
    drawn["emigration"] = np.zeros_like(drawn["emigration"])
    arrays = labelled(drawn)
    del arrays["emigration"]
    arrays["net_migration"] = arrays.pop("arrivals")
    result = mp.project_stocks(**arrays, timing=timing)
    for c in range(3):
        want = project({k: v[c] for k, v in drawn.items()}, timing)
        assert_projected({name: result[name].values[c] for name in NAMES}, want)
    assert not result["emigrants"].any()
    assert "arrivals" not in result


def test_a_stock_from_some_age_on_loses_a_group_each_step():
    drawn = draw(np.random.default_rng(51), 3)
    text = "the stock begins at age 15, so those entering 15-24 are unknown: after each step of 10 "
    with pytest.warns(mp.DataQualityWarning, match=text):
        result = mp.project_stocks(**labelled(drawn, [15, 25, 35, 45, 55]))
    missing = result["stock"].isnull().isel(birthplace=0)
    assert missing.values.tolist() == [[i < p for i in range(5)] for p in range(4)]
    for c in range(3):
        drawn_row = {k: v[c] for k, v in drawn.items()}
        want = project(drawn_row, "even", entering=np.nan)
        assert_projected({name: result[name].values[c] for name in NAMES}, want)


@pytest.mark.parametrize("timing", ["end", "midpoint"])
def test_unknown_arrivals_are_missing_in_their_own_group_alone(timing):
    drawn = draw(np.random.default_rng(54), 3)
    drawn["survival"] = np.clip(drawn["survival"], 0.5, 0.99)
    drawn["arrivals"][:, 0, 1] = np.nan
    result = mp.project_stocks(**labelled(drawn), timing=timing)
    missing = result["stock"].isnull().isel(birthplace=0).values
    assert missing[1].tolist() == [False, True, False, False, False]
    assert missing[2].tolist() == [False, False, True, False, False]


def test_negative_stock_is_counted_and_named():
    drawn = draw(np.random.default_rng(52), 3)
    drawn["survival"] = np.clip(drawn["survival"], 0.5, 0.99)
    arrays = labelled(drawn)
    net = arrays.pop("arrivals") * 0.0
    net[2, 1, 4] = -1e6
    del arrays["emigration"]
    text = r"negative stock in 2 cell\(s\): birthplace=PRY, time=2020\.0, age=40; "
    with pytest.warns(mp.DataQualityWarning, match=text):
        result = mp.project_stocks(**arrays, net_migration=net, timing="end")
    assert result["n_negative"].values.tolist() == [0, 0, 2]


def test_competing_risks_in_closed_form():
    # Constant hazards of dying δ and leaving μ: of P exposed t years, P(1 − e^{−(δ+μ)t}) are lost,
    # μ/(δ+μ) of them leave.
    delta, mu, t = 0.02, 0.05, 10
    coords = mp.age_coords(AGES)
    stock = xr.DataArray(np.full(5, 1000.0), dims="age", coords=coords)
    result = mp.project_stocks(
        stock,
        xr.full_like(stock, np.exp(-delta * t)),
        emigration=xr.full_like(stock, mu),
        timing="end",
    )
    lost = 1000.0 * -np.expm1(-(delta + mu) * t) * np.array([0, 1, 1, 1, 2])
    reference.assert_close(result["emigrants"].values[0], lost * mu / (delta + mu), scale=lost)
    reference.assert_close(
        result["deaths_cohort"].values[0], lost * delta / (delta + mu), scale=lost
    )


def test_project_stocks_gathers_rows_and_scatters_results():
    rng = np.random.default_rng(53)
    n, ages = 7, len(AGES)
    sizes = {"stock": 2, "survival": 3, "arrivals": 4, "emigration": 1}
    inputs = {name: draw(rng, size)[name] for name, size in sizes.items()}
    inputs["arrivals"] = inputs["arrivals"][:, :1].copy()  # the same in all periods
    codes = np.array([kernels.END, kernels.EVEN, kernels.MIDPOINT])
    rates = {name: inputs[name] for name in ("survival", "emigration")}
    rows = {name: reference.picks(rng, n, len(x)) for name, x in inputs.items()}
    rows["timing"] = reference.picks(rng, n, 3)
    exits = [np.full((n, PERIODS, 1, ages + 1), np.nan) for _ in range(2)]
    exits += [np.full((n, PERIODS, ages), np.nan) for _ in range(2)]
    paired = [x for name, rate in rates.items() for x in (rate[:, :, None], rows[name])]
    exit_row = rng.permutation(n)
    run(kernels.exits, n, *(*paired, *exits, exit_row, 10.0))
    out_row = rng.permutation(n)
    outs = [np.full((n, PERIODS + (k == 0), 1, ages), np.nan) for k in range(3)]
    outs.append(np.full((n, PERIODS, ages), np.nan))
    negative = np.full(n, -1)
    arrays = [
        (inputs["stock"][:, None], rows["stock"]),
        *((share, exit_row) for share in exits),
        (inputs["arrivals"], rows["arrivals"]),
        (codes, rows["timing"]),
    ]
    paired = [x for pair in arrays for x in pair]
    run(kernels.project_stocks, n, *(*paired, *outs, negative, out_row, PERIODS, 0.0))
    for b in range(n):
        drawn = {name: x[rows[name][b]] for name, x in inputs.items()}
        o = out_row[b]
        want = project(drawn, TIMINGS[codes[rows["timing"][b]]])
        assert_projected(dict(zip(NAMES, [x[o][:, 0] for x in outs[:3]], strict=True)), want)
        applied = np.broadcast_to(drawn["arrivals"], (PERIODS, ages))
        np.testing.assert_array_equal(outs[3][o], applied)
        assert negative[o] == 0


# --- by duration of residence


def by_duration(rng, durations):
    """Stock and rates by duration for three birthplaces, labelled."""
    drawn = draw(rng, 3)
    arrays = labelled(drawn)
    spread = xr.DataArray(
        rng.uniform(0.5, 1.0, (durations, len(AGES))),
        dims=("duration", "age"),
        coords={"duration": 10.0 * np.arange(durations), **mp.age_coords(AGES)},
    )
    for name in ("stock", "survival", "emigration"):
        arrays[name] = (
            arrays[name].clip(max=0.95) if name == "survival" else arrays[name]
        ) * spread
    arrays["survival"] = arrays["survival"].clip(min=0.1)
    return arrays


@pytest.mark.parametrize("durations", [1, 2, 3, 5])
@pytest.mark.parametrize("timing", TIMINGS)
def test_a_stock_by_duration(timing, durations):
    arrays = by_duration(np.random.default_rng(60), durations)
    result = mp.project_stocks(**arrays, timing=timing)
    assert result["stock"].dims == ("birthplace", "time", "duration", "age")
    assert result["emigrants"].dims == ("birthplace", "period", "duration", "age")
    assert result["arrivals"].dims == ("birthplace", "period", "age")
    assert result["duration_width"].values.tolist() == [10.0] * (durations - 1) + [np.inf]
    for place in PLACES:
        one = {name: array.sel(birthplace=place) for name, array in arrays.items()}
        people = one["stock"].transpose("duration", "age").values
        for p in range(PERIODS):
            S, mu = (
                one[k].isel(period=p).transpose("duration", "age").values
                for k in ("survival", "emigration")
            )
            M = one["arrivals"].isel(period=p).values
            people, dead, left = reference.step_stock_by_duration(people, S, M, mu, timing, 10.0)
            got = result.sel(birthplace=place)
            np.testing.assert_allclose(got["stock"].isel(time=p + 1), people, rtol=1e-12)
            for name, want in (("deaths_cohort", dead), ("emigrants", left)):
                np.testing.assert_allclose(
                    got[name].isel(period=p), want, rtol=1e-12, atol=1e-9, err_msg=name
                )


@pytest.mark.parametrize("timing", TIMINGS)
def test_durations_add_up_to_a_stock_without_where_rates_are_the_same(timing):
    arrays = by_duration(np.random.default_rng(61), 4)
    for name in ("survival", "emigration"):
        arrays[name] = arrays[name].isel(duration=0, drop=True)
    split = mp.project_stocks(**arrays, timing=timing)
    whole = mp.project_stocks(
        **(arrays | {"stock": arrays["stock"].sum("duration")}), timing=timing
    )
    for name in NAMES:
        got = split[name].sum("duration").transpose(*whole[name].dims)
        np.testing.assert_allclose(got, whole[name], rtol=1e-12, atol=1e-9, err_msg=name)
    assert (whole["n_negative"] == split["n_negative"]).all()
    # and with rates by duration that happen to be equal, bit for bit
    durations = split["duration"].drop_vars("duration_width", errors="ignore")
    spread = {n: arrays[n].expand_dims(duration=durations) for n in ("survival", "emigration")}
    again = mp.project_stocks(**(arrays | spread), timing=timing)
    xr.testing.assert_identical(again, split)
