"""Age ratios, sex ratios and roughness, from five-year age groups."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import xarray as xr

from migproj._checks import check_counts, check_dims, check_sexes
from migproj._choices import age_range, plain_number
from migproj.ages import AgeGroups, groups_of
from migproj.conventions import FEMALE, MALE
from migproj.errors import SchemaError
from migproj.intensity import named

__all__ = [
    "age_ratio_score",
    "age_sex_accuracy",
    "roughness",
    "sawtooth_index",
    "sex_ratio_score",
]


def age_ratio_score(population: xr.DataArray, *, ages: tuple[int, int] = (0, 74)) -> xr.DataArray:
    r"""Mean deviation from 100 of age ratios, five-year groups to the mean of their neighbours.

    Parameters
    ----------
    population : DataArray (..., age)
        Population (persons) in five-year groups. The open-ended group is not read.
    ages : tuple of int
        First and last age of the groups read. Beyond the default deaths, not errors, make
        ratios: a faultless population up to 100 then scores as an inaccurate one.

    Returns
    -------
    DataArray "age_ratio_score" (...)
        Per cent; 0 where groups fall along a straight line.

    Raises
    ------
    SchemaError
        If the groups are not of five years, or fewer than three are closed and within `ages`.

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
    counts, _ = _five_years(population, 3, ages)
    return named(_off_neighbours(counts), "age_ratio_score")


def sex_ratio_score(population: xr.DataArray, *, ages: tuple[int, int] = (0, 74)) -> xr.DataArray:
    r"""Mean change of the sex ratio from one five-year group to the next.

    Parameters
    ----------
    population : DataArray (..., sex, age)
        Population (persons) in five-year groups. The open-ended group is not read.
    ages : tuple of int
        First and last age of the groups read. Beyond the default deaths, not errors, make
        ratios: a faultless population up to 100 then scores as an inaccurate one.

    Returns
    -------
    DataArray "sex_ratio_score" (...)
        Men per 100 women.

    Raises
    ------
    SchemaError
        If the groups are not of five years, fewer than two are closed and within `ages`, or a
        sex is lacking.

    Notes
    -----
    .. math:: \operatorname{mean} | SR_{x+5} - SR_x |, \quad SR_x = 100\, P^m_x / P^f_x

    over the closed groups. Missing where a group has no women.

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
    counts, _ = _five_years(population, 2, ages)
    women = counts.sel(sex=FEMALE, drop=True)
    ratio = 100 * counts.sel(sex=MALE, drop=True) / women.where(women > 0)
    change = abs(ratio.diff("age"))
    return named(change.mean("age", skipna=False), "sex_ratio_score")


def age_sex_accuracy(population: xr.DataArray, *, ages: tuple[int, int] = (0, 74)) -> xr.DataArray:
    r"""UN age-sex accuracy index (joint score).

    Parameters
    ----------
    population : DataArray (..., sex, age)
        Population (persons) in five-year groups. The open-ended group is not read.
    ages : tuple of int
        First and last age of the groups read. Beyond the default deaths, not errors, make
        ratios: a faultless population up to 100 then scores as an inaccurate one.

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
    # First, for it says what is wrong of the dim sex.
    of_sexes = sex_ratio_score(population, ages=ages)
    by_sex = age_ratio_score(population, ages=ages).sum("sex", skipna=False)
    return named(3 * of_sexes + by_sex, "age_sex_accuracy")


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

    Notes
    -----
    .. math:: \operatorname{mean} \frac{P_x}{(P_{x-5} + P_{x+5})/2}, \quad x = 40, 50, 60, 70

    for the default `ages`.

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
    first, last = age_range("ages", ages)
    chosen = (lower % 10 == 0) & (lower >= first) & (lower + 4 <= last)
    if not chosen.any():
        raise SchemaError(
            f"ages: expected closed groups from an age that ends in 0 within {first} to {last}, "
            f"with both neighbours, got {', '.join(groups.labels)}; widen ages="
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
    low, high = (20, int(lower[-1]) + 4) if ages is None else age_range("ages", ages)
    chosen = np.flatnonzero((lower >= low) & (lower + 4 <= high))
    if not 0 < plain_number("span", span, "a share above 0 and up to 1") <= 1:
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


def _five_years(
    population: xr.DataArray, fewest: int, ages: tuple[int, int] | None = None
) -> tuple[xr.DataArray, AgeGroups]:
    """Counts of the closed five-year groups (within `ages`), without labels, and all groups."""
    check_dims("population", population, "age")
    check_counts("population", population)
    groups = groups_of(population, "population")
    closed = len(groups) - groups.is_open
    if groups.step != 5 or closed < fewest:
        raise SchemaError(
            f"population: dim 'age': expected {fewest} closed five-year groups or more, got "
            f"{', '.join(groups.labels[:6])}; mp.regroup_ages sums narrower ones"
        )
    lower = np.array(groups.lower[:closed])
    low, high = ages or (0, np.inf)
    chosen = np.flatnonzero((lower >= low) & (lower + 4 <= high))
    if len(chosen) < fewest:
        raise SchemaError(
            f"ages: expected {fewest} closed groups or more within {ages}, got "
            f"{', '.join(groups.labels[k] for k in chosen) or 'none'} of {groups.labels[0]} to "
            f"{groups.labels[-1]}; widen ages="
        )
    counts = population.isel(age=chosen).astype(np.float64)
    return counts.drop_vars(["age", "age_width"], errors="ignore"), groups


def _to_neighbours(counts: xr.DataArray) -> xr.DataArray:
    """Ratios of inner groups to the mean of their neighbours."""
    before, after = counts.isel(age=slice(None, -2)), counts.isel(age=slice(2, None))
    mean = (before + after) / 2
    return counts.isel(age=slice(1, -1)) / mean.where(mean > 0)


def _off_neighbours(counts: xr.DataArray) -> xr.DataArray:
    return abs(100 * _to_neighbours(counts) - 100).mean("age", skipna=False)
