"""Decimal years and intervals."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

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
