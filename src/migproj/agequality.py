"""Scores of how well ages were reported: heaping on digits, age ratios and sex ratios."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import xarray as xr

from migproj._checks import check_counts, check_dims, check_sexes
from migproj.ages import AgeGroups, groups_of, regroup_ages
from migproj.conventions import FEMALE, MALE
from migproj.errors import SchemaError
from migproj.intensity import named

__all__ = [
    "age_quality",
    "age_ratio_score",
    "age_sex_accuracy",
    "coale_li_index",
    "digit_index",
    "digit_shares",
    "roughness",
    "sawtooth_index",
    "sex_ratio_score",
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
        100 without heaping; 1,000 over the number of digits where all ages end in them. Missing
        where an age is.

    Raises
    ------
    SchemaError
        If the ages are not single years, or are not there.

    Notes
    -----
    .. math:: W = 100\,\frac{\sum_{x \in [a, b],\, x \bmod 10 \in D} P_x}
              {(|D| / 10) \sum_{x=a-2}^{b+2} P_x}

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
    if not digits or any(d not in _DIGITS for d in digits):
        raise SchemaError(f"digits: expected last digits from 0 to 9, got {tuple(digits)!r}")
    counts, single = _single_years(population, ages[0] - 2, ages[1] + 2)
    within = (single >= ages[0]) & (single <= ages[1])
    heaped = counts.where(_of_age(within & np.isin(single % 10, digits)), 0.0)
    share = heaped.sum("age", skipna=False) / counts.sum("age", skipna=False)
    return named(1000 / len(set(digits)) * share, "whipple_index")


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
        If the ages are not single years, not there, or not whole tens of years (Myers).

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
    if method not in ("myers", "bachi"):
        raise SchemaError(f"method: expected 'myers' or 'bachi', got {method!r}")
    low, high = ages or ((10, 89) if method == "myers" else (23, 77))
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
        blended = xr.dot(counts, xr.DataArray(weights, dims=("digit", "age")), dim="age")
        shares = 100 * blended / blended.sum("digit", skipna=False)
    else:
        long = (high - low) // 10 * 10
        shares = xr.DataArray(0.0)
        for after in (0, 1):
            starts = low + (_DIGITS - low - 5) % 5 + after
            inside = (single >= starts[:, None]) & (single < starts[:, None] + long)
            ends = inside & (single % 10 == _DIGITS[:, None])
            part, whole = (
                xr.dot(counts, xr.DataArray(flags.astype(float), dims=("digit", "age")), dim="age")
                for flags in (ends, inside)
            )
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
    heaped = [x for x in range(ages[0], ages[1] + 1) if x % 10 == digit]
    if not heaped:
        raise SchemaError(f"digit: expected a last digit of ages {ages}, got {digit!r}")
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
    counts, single = _single_years(population, ages[0] - 2, ages[1] + 2)
    inside = (single >= ages[0]) & (single <= ages[1])
    ends = inside & (single % 10 == _DIGITS[:, None])
    near = sum(np.roll(ends, k, axis=1).astype(float) for k in range(-2, 3))
    part, whole = (
        xr.dot(counts, xr.DataArray(weights, dims=("digit", "age")), dim="age")
        for weights in (ends.astype(float), np.asarray(near))
    )
    ratios = 5 * part / whole.where(whole > 0)
    return named(abs(ratios - 1).sum("digit", skipna=False), "spoorenberg_index")


def age_ratio_score(population: xr.DataArray) -> xr.DataArray:
    r"""Mean deviation from 100 of age ratios, five-year groups to the mean of their neighbours.

    Parameters
    ----------
    population : DataArray (..., age)
        Population (persons) in five-year groups. The open-ended group is not read.

    Returns
    -------
    DataArray "age_ratio_score" (...)
        Per cent; 0 where groups fall along a straight line.

    Raises
    ------
    SchemaError
        If the groups are not of five years, or fewer than three are closed.

    Notes
    -----
    .. math:: \operatorname{mean} \left| \frac{100\, P_x}{(P_{x-5} + P_{x+5})/2} - 100 \right|

    References
    ----------
    UN (1955), *Manual II: Methods of Appraisal of Quality of Basic Data for Population
    Estimates*; Arriaga (1994), *Population Analysis with Microcomputers*, vol. I (AGESEX).

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> people = xr.DataArray([100.0, 110, 100, 90, 80, 9], dims="age",
    ...                       coords=mp.age_coords(range(0, 30, 5)))
    >>> float(mp.indicators.age_ratio_score(people).round(2))
    3.33
    """
    counts, _ = _five_years(population, 3)
    return named(_off_neighbours(counts), "age_ratio_score")


def sex_ratio_score(population: xr.DataArray) -> xr.DataArray:
    r"""Mean change of the sex ratio from one five-year group to the next.

    Parameters
    ----------
    population : DataArray (..., sex, age)
        Population (persons) in five-year groups. The open-ended group is not read.

    Returns
    -------
    DataArray "sex_ratio_score" (...)
        Men per 100 women.

    Raises
    ------
    SchemaError
        If the groups are not of five years, fewer than two are closed, or a sex is lacking.

    References
    ----------
    UN (1955), *Manual II*; Arriaga (1994), vol. I (AGESEX).

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> people = xr.DataArray([[100.0, 100, 100, 9], [104, 102, 103, 8]], dims=("sex", "age"),
    ...     coords={"sex": ["female", "male"], **mp.age_coords([0, 5, 10, 15])})
    >>> float(mp.indicators.sex_ratio_score(people))
    1.5
    """
    check_dims("population", population, "sex", "age")
    check_sexes("population", population, both=True)
    counts, _ = _five_years(population, 2)
    women = counts.sel(sex=FEMALE, drop=True)
    ratio = 100 * counts.sel(sex=MALE, drop=True) / women.where(women > 0)
    change = abs(ratio.diff("age"))
    return named(change.mean("age", skipna=False), "sex_ratio_score")


def age_sex_accuracy(population: xr.DataArray) -> xr.DataArray:
    r"""UN age-sex accuracy index (joint score).

    Parameters
    ----------
    population : DataArray (..., sex, age)
        Population (persons) in five-year groups. The open-ended group is not read.

    Returns
    -------
    DataArray "age_sex_accuracy" (...)
        The UN's bands: below 20 accurate, to 40 inaccurate, above highly inaccurate.

    Raises
    ------
    SchemaError
        As :func:`age_ratio_score` and :func:`sex_ratio_score`.

    Notes
    -----
    Three times the sex-ratio score, and the age-ratio scores of both sexes.

    References
    ----------
    UN (1952), "Accuracy tests for census age distributions tabulated in five-year and ten-year
    groups", *Population Bulletin* 2:59-79; UN (1955), *Manual II*.

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> people = xr.DataArray([[100.0, 100, 100, 9], [104, 102, 103, 8]], dims=("sex", "age"),
    ...     coords={"sex": ["female", "male"], **mp.age_coords([0, 5, 10, 15])})
    >>> float(mp.indicators.age_sex_accuracy(people).round(2))
    5.95
    """
    by_sex = age_ratio_score(population).sum("sex", skipna=False)
    return named(3 * sex_ratio_score(population) + by_sex, "age_sex_accuracy")


def sawtooth_index(population: xr.DataArray, *, ages: tuple[int, int] = (40, 79)) -> xr.DataArray:
    r"""How much five-year groups that start with 0 exceed those that start with 5.

    Parameters
    ----------
    population : DataArray (..., age)
        Population (persons) in five-year groups. The open-ended group is not read.
    ages : tuple of int
        First and last age of the groups compared with their neighbours.

    Returns
    -------
    DataArray "sawtooth_index" (...)
        The mean ratio of a group from an age ending in 0 to the mean of its neighbours; above
        1.1 or so, ten-year groups or "zigzag" smoothing are the better counts.

    Raises
    ------
    SchemaError
        If the groups are not of five years, or none lies within `ages`.

    References
    ----------
    Feeney (2013), *Removing "Zigzag" from Age Data*.

    Examples
    --------
    >>> import migproj as mp, numpy as np, xarray as xr
    >>> people = xr.DataArray(np.tile([110.0, 100.0], 9), dims="age",
    ...                       coords=mp.age_coords(range(0, 90, 5)))
    >>> float(mp.indicators.sawtooth_index(people).round(2))
    1.1
    """
    counts, groups = _five_years(population, 3)
    lower = np.array(groups.lower[1 : counts.sizes["age"] - 1])
    chosen = (lower % 10 == 0) & (lower >= ages[0]) & (lower + 4 <= ages[1])
    if not chosen.any():
        raise SchemaError(
            f"ages: expected closed groups from an age that ends in 0 within {ages}, with both "
            f"neighbours, got {', '.join(groups.labels)}"
        )
    ratio = _to_neighbours(counts).isel(age=np.flatnonzero(chosen))
    return named(ratio.mean("age", skipna=False), "sawtooth_index")


def roughness(
    population: xr.DataArray, *, ages: tuple[int, int] | None = None, span: float = 0.75
) -> xr.DataArray:
    r"""How far the steps between five-year groups are off a smooth course of steps.

    Parameters
    ----------
    population : DataArray (..., age)
        Population (persons) in five-year groups. The open-ended group is not read.
    ages : tuple of int, optional
        First and last age of the groups read. Default: from 20 to the last closed group.
    span : float
        Share of the steps that a local fit reads, above 0 and up to 1.

    Returns
    -------
    DataArray "roughness" (...)
        0 where steps run along a parabola; above 0.2 groups may want smoothing, above 0.5 they do.

    Raises
    ------
    SchemaError
        If the groups are not of five years, or `ages` and `span` leave fewer than four steps to a
        fit.

    Notes
    -----
    .. math:: \operatorname{mean} \left| \frac{d_x - s_x}{s_x} \right|, \quad
              d_x = P_{x+5} - P_x

    with s the steps smoothed by local regression (loess): at each one a parabola through the
    nearest ones, by least squares with weights :math:`(1 - (|z|/h)^3)^3` that fall to 0 at the
    farthest of them; rescaled to the sum of d. It is large where a step of about 0 is expected,
    whatever the data: look at the ages.

    References
    ----------
    Riffe et al. (2019), *DemoTools: An R package of tools for aggregate demographic analysis*
    (``check_heaping_roughness``, whose loess is interpolated); Cleveland (1979), "Robust locally
    weighted regression and smoothing scatterplots", *JASA* 74:829-836.

    Examples
    --------
    >>> import migproj as mp, numpy as np, xarray as xr
    >>> people = xr.DataArray(1000 * np.exp(-0.1 * np.arange(18)), dims="age",
    ...                       coords=mp.age_coords(range(0, 90, 5)))
    >>> heaped = people * xr.where(people["age"] % 10 == 0, 1.03, 1.0)
    >>> [round(float(mp.indicators.roughness(x)), 2) for x in (people, heaped)]
    [0.0, 0.28]
    """
    counts, groups = _five_years(population, 3)
    lower = np.array(groups.lower[: counts.sizes["age"]])
    low, high = ages or (20, int(lower[-1]) + 4)
    chosen = np.flatnonzero((lower >= low) & (lower + 4 <= high))
    if not 0 < span <= 1:
        raise SchemaError(f"span: expected a share above 0 and up to 1, got {span!r}")
    near = int((len(chosen) - 1) * span + 1e-5)
    if near < 4:
        raise SchemaError(
            f"ages: expected groups within {(low, high)} with four steps or more to a local fit, "
            f"got {len(chosen)} closed groups at a span of {span:g}; widen them, or raise span="
        )
    steps = counts.isel(age=chosen).diff("age")
    smooth = xr.dot(
        steps, xr.DataArray(_loess(len(chosen) - 1, near), dims=("fit", "age")), dim="age"
    ).rename(fit="age")
    whole = smooth.sum("age", skipna=False)
    smooth = smooth * (steps.sum("age", skipna=False) / whole).where(whole != 0, 1.0)
    off = abs(steps - smooth)
    off = (off / abs(smooth.where(smooth != 0))).where(off != 0, 0.0)
    return named(off.mean("age", skipna=False), "roughness")


def _loess(size: int, near: int) -> npt.NDArray[np.float64]:
    """What each of `size` evenly spaced values adds to the local parabola at each place."""
    weights = np.empty((size, size))
    for k in range(size):
        z = np.arange(size) - float(k)
        reach = np.sort(abs(z))[near - 1]
        root = np.sqrt((1 - np.minimum(abs(z) / reach, 1) ** 3) ** 3)
        powers = np.vander(z, 3, increasing=True)
        weights[k] = (np.linalg.pinv(powers * root[:, None]) * root)[0]
    return weights


#: What the scores say, for the report.
_MEANINGS = {
    "whipple_index": "100 no heaping on 0 and 5; < 105 highly accurate, < 110 fairly accurate, "
    "< 125 approximate, < 175 rough, else very rough (UN)",
    "myers_index": "per cent who report another last digit than their own, at least; 0 to 90",
    "bachi_index": "as Myers, of ages 23 to 77",
    "coale_li_index": "1 no heaping on ages 60, 70, ... ; up to 5",
    "spoorenberg_index": "0 no digit is preferred or avoided; up to 16",
    "age_ratio_score": "0 groups fall evenly; mean per cent off their neighbours",
    "sex_ratio_score": "mean change of the sex ratio from group to group, per 100 women",
    "age_sex_accuracy": "< 20 accurate, < 40 inaccurate, else highly inaccurate (UN)",
    "sawtooth_index": "1 no preference for ages that start a decade, from 40 to 79",
    "roughness": "0 groups change evenly; > 0.2 may want smoothing, > 0.5 do (DemoTools)",
}


def age_quality(population: xr.DataArray) -> xr.Dataset:
    """Report how well the ages of a census were reported: all scores that its ages allow.

    Parameters
    ----------
    population : DataArray (..., [sex,] age)
        Population (persons) by single years of age or in five-year groups.

    Returns
    -------
    Dataset
        (..., [sex]) Of single years ``whipple_index``, ``myers_index``, ``bachi_index``,
        ``coale_li_index``, ``spoorenberg_index`` and ``digit_shares`` (..., digit); of five-year
        groups (single years summed) ``age_ratio_score``, ``sawtooth_index``, ``roughness``, and
        with both sexes ``sex_ratio_score`` and ``age_sex_accuracy``. What a score says is its
        attribute ``meaning``. Scores that need other ages than there are, are left out.

    Raises
    ------
    SchemaError
        If the ages are neither single years nor five-year groups.

    Notes
    -----
    Real history moves scores too: a small country, war losses, migrants of one sex and age. Look
    at the ratios themselves before smoothing.

    References
    ----------
    Shryock & Siegel (1976), *The Methods and Materials of Demography*, ch. 8.

    Examples
    --------
    >>> import migproj as mp, numpy as np, xarray as xr
    >>> people = xr.DataArray(np.arange(101.0, 0, -1), dims="age",
    ...                       coords=mp.age_coords(range(101)))
    >>> report = mp.age_quality(people + 40 * (people["age"] % 10 == 0))
    >>> float(report["whipple_index"].round(1))
    125.6
    >>> report["whipple_index"].attrs["meaning"][:28]
    '100 no heaping on 0 and 5; <'
    """
    check_dims("population", population, "age")
    groups = groups_of(population, "population")
    closed = len(groups) - groups.is_open
    top = int(groups.upper[closed - 1])
    found = {}
    grouped = population
    if groups.step == 1:
        digits: dict[str, tuple[int, Callable[[], xr.DataArray]]] = {
            "whipple_index": (62, lambda: whipple_index(population)),
            "myers_index": (89, lambda: digit_index(population)),
            "bachi_index": (77, lambda: digit_index(population, method="bachi")),
            "coale_li_index": (94, lambda: coale_li_index(population)),
            "spoorenberg_index": (66, lambda: spoorenberg_index(population)),
            "digit_shares": (89, lambda: digit_shares(population)),
        }
        found = {name: make() for name, (oldest, make) in digits.items() if oldest < top}
        last = top // 5 * 5
        bounds = list(range(groups.lower[0], last + (groups.is_open or last < top), 5))
        if not groups.is_open and last < top:
            raise SchemaError(
                f"population: dim 'age': expected single years up to whole fives or an open-ended "
                f"group, got {groups.labels[-1]} as the last; select up to {last - 1}"
            )
        grouped = regroup_ages(population, bounds)
    by_group = {"age_ratio_score": age_ratio_score}
    if top >= 55:
        by_group["sawtooth_index"] = sawtooth_index
    if top - max(20, groups.lower[0]) >= 35:
        by_group["roughness"] = roughness
    if "sex" in population.dims and population.sizes["sex"] == 2:
        by_group |= {"sex_ratio_score": sex_ratio_score, "age_sex_accuracy": age_sex_accuracy}
    found |= {name: make(grouped) for name, make in by_group.items()}
    for name, array in found.items():
        array.attrs["meaning"] = _MEANINGS.get(name, array.attrs["long_name"])
    return xr.Dataset(found)


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


def _five_years(population: xr.DataArray, fewest: int) -> tuple[xr.DataArray, AgeGroups]:
    """Counts of the closed five-year groups, without labels of age, and all groups."""
    check_dims("population", population, "age")
    check_counts("population", population)
    groups = groups_of(population, "population")
    closed = len(groups) - groups.is_open
    if groups.step != 5 or closed < fewest:
        raise SchemaError(
            f"population: dim 'age': expected {fewest} closed five-year groups or more, got "
            f"{', '.join(groups.labels[:6])}; mp.regroup_ages sums narrower ones"
        )
    counts = population.isel(age=slice(closed)).astype(np.float64)
    return counts.drop_vars(["age", "age_width"], errors="ignore"), groups


def _to_neighbours(counts: xr.DataArray) -> xr.DataArray:
    """Ratios of inner groups to the mean of their neighbours."""
    before, after = counts.isel(age=slice(None, -2)), counts.isel(age=slice(2, None))
    mean = (before + after) / 2
    return counts.isel(age=slice(1, -1)) / mean.where(mean > 0)


def _off_neighbours(counts: xr.DataArray) -> xr.DataArray:
    return abs(100 * _to_neighbours(counts) - 100).mean("age", skipna=False)
