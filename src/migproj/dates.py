"""Census dates, decimal years and intervals between them."""

from __future__ import annotations

import calendar
import datetime as dt
import math
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import xarray as xr

from migproj.errors import IntervalError, SchemaError

__all__ = ["DateLike", "decimal_year", "interval_years"]

DateLike: TypeAlias = "int | float | str | dt.date | np.datetime64 | pd.Timestamp"

#: Places kept of a decimal year: 6 tell days apart (1 day = 0.0027) and match exactly as labels.
_PLACES = 6
#: Years from here on are days without hyphens.
_FIVE_DIGITS = 10_000
#: An interval this close to a whole number of years is that number (leap years move it by 0.003).
_SNAP = 0.005


def decimal_year(date: DateLike) -> float:
    """Decimal year of a date: year + (day of year − 1) / days in the year.

    Parameters
    ----------
    date : int, float, str, datetime.date, numpy.datetime64 or pandas.Timestamp
        A number is taken as a decimal year; a string as an ISO date (``"1980-10-22"``)
        or a bare year.

    Returns
    -------
    float
        The decimal year, rounded to 6 places so that it can serve as a label.

    Raises
    ------
    IntervalError
        If `date` is not a finite number, not a date, or an ambiguous string.

    Examples
    --------
    >>> import migproj as mp
    >>> mp.decimal_year("1980-10-22")
    1980.806011
    >>> mp.decimal_year(1950)
    1950.0
    """
    if isinstance(date, bool | np.timedelta64):
        raise IntervalError(f"date: expected a year, such as 1980.8, or a date, got {date!r}")
    if isinstance(date, int | float | np.integer | np.floating):
        year = float(date)
        if not math.isfinite(year):
            raise IntervalError(f"date: expected a finite decimal year, got {date!r}")
        if year >= _FIVE_DIGITS:
            raise IntervalError(
                f"date: expected a decimal year, got {date!r}; a day is written as text, "
                "'1980-10-22' or '19801022'"
            )
        return round(year, _PLACES)
    if isinstance(date, str):
        text = str(date).strip()  # of NumPy's strings too
        if text.isdigit() and len(text) == 4:
            return float(text)
        try:
            day = dt.date.fromisoformat(text)
        except ValueError:
            raise IntervalError(
                f"date: expected an ISO date such as '1980-10-22' or a year, got {text!r}"
            ) from None
        return _of_day(day)
    if isinstance(date, dt.date | np.datetime64):
        stamp = pd.Timestamp(date)
        if isinstance(stamp, pd.Timestamp):  # not NaT
            return _of_day(stamp.date())
    raise IntervalError(
        f"date: expected a decimal year, an ISO date, a datetime.date or a datetime64, "
        f"got {date!r} ({type(date).__name__})"
    )


def interval_years(start: DateLike, end: DateLike) -> float:
    """Years between two dates.

    An interval within 0.005 years of a whole number of years is that number: leap days move
    the decimal date of one and the same calendar day by up to 0.003.

    Parameters
    ----------
    start, end : int, float, str, datetime.date, numpy.datetime64 or pandas.Timestamp
        The two dates, as in :func:`decimal_year`.

    Returns
    -------
    float
        The interval in years.

    Raises
    ------
    IntervalError
        If `end` is not after `start`.

    Examples
    --------
    >>> import migproj as mp
    >>> mp.interval_years("1950-04-01", "1960-04-01")
    10.0
    >>> mp.interval_years("1980-10-22", "1991-05-15")
    10.561112
    """
    first, last = decimal_year(start), decimal_year(end)
    if last <= first:
        raise IntervalError(
            f"end ({end!s}) must come after start ({start!s}): the interval would be "
            f"{last - first:g} years. If the two rounds were given in the wrong order, swap them."
        )
    return snap(last - first)


def instant_of(array: xr.DataArray, name: str) -> float | None:
    """Decimal year of the scalar coordinate ``date`` or ``time`` of an array, if it has one."""
    for coord in ("date", "time"):
        if coord in array.dims:
            raise SchemaError(
                f"{name}: expected one instant, got {array.sizes[coord]} along {coord!r}; select "
                f"one: {name}.sel({coord}=...)"
            )
        if coord in array.coords and array[coord].ndim:
            raise SchemaError(
                f"{name}: expected one {coord} for all, got one for each label of "
                f"{array[coord].dims!r}; take the labels one by one, with interval= where they "
                f"are of one length: {name}.drop_vars({coord!r})"
            )
        if coord in array.coords:
            return year_of(array[coord].values[()], name, coord)
    return None


def year_of(label: Any, name: str, coord: str) -> float:
    """The decimal year of a label of an array; the error says of which."""
    try:
        return decimal_year(label)
    except IntervalError as error:
        raise IntervalError(f"{name}: {coord!r}: {error}") from None


def snap(years: float) -> float:
    """`years`, or the whole number within 0.005 of it."""
    whole = round(years)
    return float(whole) if whole > 0 and abs(years - whole) <= _SNAP else round(years, _PLACES)


def _of_day(day: dt.date) -> float:
    days = 366 if calendar.isleap(day.year) else 365
    return round(day.year + (day.timetuple().tm_yday - 1) / days, _PLACES)
