"""Heaping on last digits, from single years of age."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import xarray as xr

from migproj._checks import check_counts, check_dims, shown
from migproj._choices import age_range, check_choice, plain_number
from migproj.ages import groups_of
from migproj.errors import SchemaError
from migproj.intensity import named

__all__ = [
    "coale_li_index",
    "digit_index",
    "digit_shares",
    "spoorenberg_index",
    "whipple_index",
]

_Ages: TypeAlias = npt.NDArray[np.int64]
_DIGITS = np.arange(10)


def whipple_index(
    population: xr.DataArray, *, digits: Sequence[int] = (0, 5), ages: tuple[int, int] = (25, 60)
) -> xr.DataArray:
    r"""Whipple's index of heaping on ages that end in 0 and 5, or in other digits.

    Parameters
    ----------
    population : DataArray (..., age)
        Population (persons) by single years of age.
    digits : sequence of int
        The last digits.
    ages : tuple of int
        The first and last age that may be heaped.

    Returns
    -------
    DataArray "whipple_index" (...)
        100 without heaping; where all ages end in the digits 100 n / n_D, 500 for 0 and 5.
        Missing where an age is.

    Raises
    ------
    SchemaError
        If the ages are not single years, or are not there, or none of them ends in the digits.

    Notes
    -----
    .. math:: W = 100\,\frac{\sum_{x \in [a, b],\, x \bmod 10 \in D} P_x \,/\, n_D}
              {\sum_{x=a-2}^{b+2} P_x \,/\, n}

    with n_D and n the ages in the two sums: of 0 and 5 a fifth, 8 of 40.

    The UN's bands for 0 and 5: below 105 highly accurate, to 110 fairly accurate, to 125
    approximate, to 175 rough, above very rough.

    References
    ----------
    Shryock & Siegel (1976), *The Methods and Materials of Demography*, ch. 8; UN (1955), *Manual
    II*.

    Examples
    --------
    >>> import migproj as mp, numpy as np, xarray as xr
    >>> people = xr.DataArray(np.full(80, 10.0), dims="age", coords=mp.age_coords(range(80)))
    >>> float(mp.indicators.whipple_index(people + 10 * (people["age"] % 10 == 0)).round(1))
    136.4
    """
    able: Any = digits
    wanted = list(able) if isinstance(able, Iterable) and not isinstance(able, str) else []
    if not wanted or any(not isinstance(d, int | np.integer) or d not in _DIGITS for d in wanted):
        raise SchemaError(
            f"digits: expected last digits from 0 to 9, such as (0, 5), got {shown(digits)}"
        )
    first, last = age_range("ages", ages)
    counts, single = _single_years(population, first - 2, last + 2)
    within = (single >= first) & (single <= last) & np.isin(single % 10, wanted)
    if not within.any():
        raise SchemaError(
            f"digits: expected last digits of ages from {first} to {last}, got {shown(digits)}"
        )
    heaped = counts.where(_of_age(within), 0.0)
    share = heaped.sum("age", skipna=False) / counts.sum("age", skipna=False)
    return named(100 * len(single) / int(within.sum()) * share, "whipple_index")


def digit_shares(
    population: xr.DataArray,
    *,
    method: Literal["myers", "bachi"] = "myers",
    ages: tuple[int, int] | None = None,
) -> xr.DataArray:
    r"""Shares of the population whose age ends in each digit, free of the slope over ages.

    Parameters
    ----------
    population : DataArray (..., age)
        Population (persons) by single years of age.
    method : {"myers", "bachi"}
        Blended population, or means of ranges centred on each digit.
    ages : tuple of int, optional
        First and last age. Default: 10 to 89, or 23 to 77.

    Returns
    -------
    DataArray "digit_shares" (..., digit)
        Per cent; 10 each where no digit is preferred. Bachi's need not add up to 100.

    Raises
    ------
    SchemaError
        If the ages are not single years, not there, too few, or not whole tens of years (Myers).

    Notes
    -----
    Myers: digit d counts d + 1 times from the first ten ages on and 9 - d times from the second
    ten on, so that each has ten tens. Bachi: of two ranges of whole tens of years in which the
    digit's ages are as near the middle as can be, the mean of the digit's shares.

    References
    ----------
    Myers (1940), "Errors and bias in the reporting of ages in census data", *Transactions of the
    Actuarial Society of America* 41:395-415; Bachi (1951), *Bulletin of the International
    Statistical Institute* 33:195-222; Shryock & Siegel (1976), ch. 8.

    Examples
    --------
    >>> import migproj as mp, numpy as np, xarray as xr
    >>> people = xr.DataArray(np.full(91, 10.0), dims="age", coords=mp.age_coords(range(91)))
    >>> mp.indicators.digit_shares(people.where(people["age"] % 5 == 0, 0.0)).round(3).values
    array([50.,  0.,  0.,  0.,  0., 50.,  0.,  0.,  0.,  0.])
    """
    check_choice("method", method, ("myers", "bachi"))
    default = (10, 89) if method == "myers" else (23, 77)
    low, high = default if ages is None else age_range("ages", ages)
    counts, single = _single_years(population, low, high)
    weights = np.zeros((10, len(single)))
    if method == "myers":
        if (high + 1 - low) % 10 or high + 1 - low < 20:
            raise SchemaError(f"ages: expected two or more whole tens of years, got {(low, high)}")
        for d in _DIGITS:
            at = low + (d - low) % 10
            place = (single - at) % 10 == 0
            first, last = single < low + 10, single > high - 10
            rank = (d - low) % 10
            weights[d] = place * np.where(first, rank + 1, np.where(last, 9 - rank, 10))
        blended = _by_digit(counts, weights)
        shares = 100 * blended / blended.sum("digit", skipna=False)
    else:
        # The last range begins five years after the first age.
        long = (high - low - 4) // 10 * 10
        if long < 10:
            raise SchemaError(f"ages: expected 15 years or more, got {(low, high)}")
        shares = xr.DataArray(0.0)
        for after in (0, 1):
            starts = low + (_DIGITS - low - 5) % 5 + after
            inside = (single >= starts[:, None]) & (single < starts[:, None] + long)
            ends = inside & (single % 10 == _DIGITS[:, None])
            part, whole = (_by_digit(counts, flags.astype(float)) for flags in (ends, inside))
            shares = shares + 50 * part / whole.where(whole > 0)
    return named(shares.transpose(..., "digit").assign_coords(digit=_DIGITS), "digit_shares")


def digit_index(
    population: xr.DataArray,
    *,
    method: Literal["myers", "bachi"] = "myers",
    ages: tuple[int, int] | None = None,
) -> xr.DataArray:
    r"""Myers' or Bachi's index: the share of people who would have to change their last digit.

    Parameters
    ----------
    population : DataArray (..., age)
        Population (persons) by single years of age.
    method, ages
        As of :func:`digit_shares`.

    Returns
    -------
    DataArray "digit_index" (...)
        Per cent, from 0 to 90.

    Raises
    ------
    SchemaError
        As :func:`digit_shares`.

    Notes
    -----
    .. math:: \tfrac{1}{2} \sum_d |s_d - 10|

    References
    ----------
    See :func:`digit_shares`.

    Examples
    --------
    >>> import migproj as mp, numpy as np, xarray as xr
    >>> people = xr.DataArray(np.full(91, 10.0), dims="age", coords=mp.age_coords(range(91)))
    >>> float(mp.indicators.digit_index(people.where(people["age"] % 5 == 0, 0.0)).round(3))
    80.0
    """
    shares = digit_shares(population, method=method, ages=ages)
    return named(abs(shares - 10).sum("digit", skipna=False) / 2, "digit_index")


def coale_li_index(
    population: xr.DataArray, *, digit: int = 0, ages: tuple[int, int] = (60, 95)
) -> xr.DataArray:
    r"""Coale and Li's index of heaping at old ages.

    Parameters
    ----------
    population : DataArray (..., age)
        Population (persons) by single years of age.
    digit : int
        The last digit.
    ages : tuple of int
        First and last age that may be heaped; four ages on each side are read as well.

    Returns
    -------
    DataArray "coale_li_index" (...)
        1 without heaping, up to 5.

    Raises
    ------
    SchemaError
        If the ages are not single years, or are not there.

    Notes
    -----
    The mean, over the ages that end in the digit, of the count over a moving average of five of
    moving averages of five.

    References
    ----------
    Coale & Li (1991), "The effect of age misreporting in China on the calculation of mortality
    rates at very high ages", *Demography* 28:293-301.

    Examples
    --------
    >>> import migproj as mp, numpy as np, xarray as xr
    >>> people = xr.DataArray(np.full(101, 10.0), dims="age", coords=mp.age_coords(range(101)))
    >>> float(mp.indicators.coale_li_index(people).round(6))
    1.0
    """
    first, last = age_range("ages", ages)
    wanted = plain_number("digit", digit, "a last digit from 0 to 9")
    heaped = [x for x in range(first, last + 1) if x % 10 == wanted]
    if not heaped:
        raise SchemaError(
            f"digit: expected a last digit of one of the ages {first} to {last}, got {digit!r}"
        )
    counts, single = _single_years(population, heaped[0] - 4, heaped[-1] + 4)
    smooth = np.convolve(np.full(5, 0.2), np.full(5, 0.2))
    total = xr.DataArray(0.0)
    for x in heaped:
        near = np.zeros(len(single))
        near[(single >= x - 4) & (single <= x + 4)] = smooth
        level = (counts * _of_age(near)).sum("age", skipna=False)
        total = total + counts.isel(age=int(x - single[0])) / level.where(level > 0)
    return named(total / len(heaped), "coale_li_index")


def spoorenberg_index(
    population: xr.DataArray, *, ages: tuple[int, int] = (20, 64)
) -> xr.DataArray:
    r"""Spoorenberg's total modified Whipple index.

    Parameters
    ----------
    population : DataArray (..., age)
        Population (persons) by single years of age.
    ages : tuple of int
        First and last age; two ages on each side are read as well.

    Returns
    -------
    DataArray "spoorenberg_index" (...)
        0 without heaping, up to 16.

    Raises
    ------
    SchemaError
        If the ages are not single years, or are not there.

    Notes
    -----
    With Noumbissi's ratio of a digit's ages to a fifth of the five ages about each,

    .. math:: \sum_d |W_d - 1|, \quad W_d = 5 \sum_{x \bmod 10 = d} P_x \Big/
              \sum_{x \bmod 10 = d} \sum_{y=x-2}^{x+2} P_y

    References
    ----------
    Noumbissi (1992), *Population* 47:1038-1041; Spoorenberg (2007), "Quality of age reporting:
    extension and application of the modified Whipple's index", *Population* 62:729-741.

    Examples
    --------
    >>> import migproj as mp, numpy as np, xarray as xr
    >>> people = xr.DataArray(np.full(80, 10.0), dims="age", coords=mp.age_coords(range(80)))
    >>> float(mp.indicators.spoorenberg_index(people))
    0.0
    """
    first, last = age_range("ages", ages)
    counts, single = _single_years(population, first - 2, last + 2)
    inside = (single >= first) & (single <= last)
    ends = inside & (single % 10 == _DIGITS[:, None])
    near = sum(np.roll(ends, k, axis=1).astype(float) for k in range(-2, 3))
    part, whole = (_by_digit(counts, some) for some in (ends.astype(float), np.asarray(near)))
    ratios = 5 * part / whole.where(whole > 0)
    return named(abs(ratios - 1).sum("digit", skipna=False), "spoorenberg_index")


def _by_digit(counts: xr.DataArray, weights: npt.NDArray[np.float64]) -> xr.DataArray:
    """Weighted sums (..., digit) over ages, by weights (digit, age)."""
    sums: xr.DataArray = xr.dot(counts, xr.DataArray(weights, dims=("digit", "age")), dim="age")
    return sums


def _of_age(values: npt.NDArray[np.float64] | npt.NDArray[np.bool_]) -> xr.DataArray:
    return xr.DataArray(values, dims="age")


def _single_years(population: xr.DataArray, low: int, high: int) -> tuple[xr.DataArray, _Ages]:
    """Counts of single years from `low` to `high`, without labels of age, and these ages."""
    check_dims("population", population, "age")
    check_counts("population", population)
    groups = groups_of(population, "population")
    single = {x for x, width in zip(groups.lower, groups.width, strict=True) if width == 1}
    lacking = [x for x in range(low, high + 1) if x not in single]
    if lacking:
        raise SchemaError(
            f"population: dim 'age': expected single years from {low} to {high}, got "
            f"{groups.labels[0]} to {groups.labels[-1]}; {lacking[:5]} are not there; pass ages= "
            "for fewer, or score five-year groups (age_ratio_score)"
        )
    at = groups.lower.index(low)
    counts = population.isel(age=slice(at, at + high + 1 - low)).astype(np.float64)
    ages = np.arange(low, high + 1, dtype=np.int64)
    return counts.drop_vars(["age", "age_width"], errors="ignore"), ages
