"""Decimal years and intervals."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import migproj as mp

# 22 October 1980 is day 296 of a leap year.
IMILA = 1980 + 295 / 366


@pytest.mark.parametrize(
    "date",
    [
        "1980-10-22",
        dt.date(1980, 10, 22),
        dt.datetime(1980, 10, 22, 12),
        np.datetime64("1980-10-22"),
        pd.Timestamp("1980-10-22"),
        round(IMILA, 6),
    ],
)
def test_decimal_year(date):
    assert mp.decimal_year(date) == round(IMILA, 6)


@pytest.mark.parametrize("year", [1960, 1960.0, "1960", "1960-01-01", np.int64(1960)])
def test_bare_years(year):
    assert mp.decimal_year(year) == 1960.0


def test_the_last_day():
    assert mp.decimal_year("1999-12-31") == round(1999 + 364 / 365, 6)
    assert mp.decimal_year("2000-12-31") == round(2000 + 365 / 366, 6)


def test_the_same_day_ten_years_on_is_ten_years():
    # 1960 is a leap year: unsnapped 10.002.
    assert mp.interval_years("1950-04-01", "1960-04-01") == 10.0
    assert mp.interval_years(1950, 1960.0049) == 10.0


def test_other_intervals_are_kept():
    assert mp.interval_years(1950, 1960.0051) == pytest.approx(10.0051)
    assert mp.interval_years("1980-10-22", "1991-05-15") == pytest.approx(10.5611, abs=1e-4)
    assert mp.interval_years("1999-12-30", "2000-01-01") == pytest.approx(2 / 365, abs=1e-6)


def test_a_day_without_hyphens():
    assert mp.decimal_year("19801022") == mp.decimal_year("1980-10-22")
    for number in (19801022, 19801022.0):
        with pytest.raises(mp.IntervalError, match="expected a decimal year, got 19801022.*text"):
            mp.decimal_year(number)


@pytest.mark.parametrize(
    "date", ["last year", "1980-13-01", None, float("nan"), True, np.datetime64("NaT")]
)
def test_what_is_no_date(date):
    with pytest.raises(mp.IntervalError, match="date: expected"):
        mp.decimal_year(date)


def test_reversed_dates():
    with pytest.raises(
        mp.IntervalError, match=r"end \(1960\) must come after start \(1970\).*swap"
    ):
        mp.interval_years(1970, 1960)


OWN = {
    "time": 2000.5,
    "period": 1990.5,
    "period_width": 10.0,
    "date": ("country", [2000.5, 2001.0]),
}


def dated(array):
    return array.assign_coords(country=["ARG", "BOL"], **OWN)


def rates():
    e0 = xr.DataArray([60.0, 70.0], dims="country", coords={"country": ["ARG", "BOL"]})
    return dated(mp.model_life_table("west", e0=e0, sex="female"))


def people():
    return dated(xr.DataArray(np.full((2, 17), 9.0), dims=("country", "age"))).assign_coords(
        mp.age_coords(range(0, 85, 5))
    )


@pytest.mark.parametrize(
    "made",
    [
        *(
            lambda method=method: mp.graduate_ages(people(), method=method)
            for method in ("monotone", "pchip", "uniform", "sprague", "beers", "grabill", "pclm")
        ),
        lambda: mp.graduate_ages(people(), method="uniform", ages=[0, 15, 80]),
        lambda: mp.smooth_ages(people(), method="un"),
        lambda: mp.extend_mortality(rates()),
        lambda: mp.life_table(rates()),
        lambda: mp.close_life_table(mp.life_table(rates()), 85),
        lambda: mp.single_year_life_table(mp.life_table(rates())),
        lambda: mp.death_rates(qx=mp.life_table(rates())["qx"]),
    ],
)
def test_what_tells_of_an_instant_in_another_way_keeps_it(made):
    result = made()
    for name, value in OWN.items():
        expected = value[1] if isinstance(value, tuple) else value
        assert result[name].values.tolist() == expected
        assert result[name].dims == (("country",) if name == "date" else ())


def test_graduated_rounds_know_their_interval():
    one = people().drop_vars(["period", "period_width", "date"])
    rounds = [mp.graduate_ages(one.assign_coords(time=t), method="sprague") for t in (2000, 2005)]
    net = mp.net_migration(*rounds, mp.life_table(rates()), children="none")
    assert float(net["period_width"]) == 5


@pytest.mark.parametrize("method", ["entropy", "least-change", "fewest-movers"])
def test_flows_are_of_the_period_of_net_migration(method):
    net = xr.DataArray([-4.0, 4.0], dims="country")
    net = net.assign_coords(country=["A", "B"], period=1990.0, period_width=5.0)
    prior = xr.DataArray([[0.0, 9], [6, 0]], dims=("origin", "destination"))
    prior = prior.assign_coords(origin=["A", "B"], destination=["A", "B"], period=1980.0)
    made = mp.flows_from_net(net, prior, method=method)
    assert (float(made["period"]), float(made["period_width"])) == (1990.0, 5.0)
