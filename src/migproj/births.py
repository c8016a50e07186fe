"""Births of an intercensal interval."""

from __future__ import annotations

from typing import Final

import numpy as np
import xarray as xr

from migproj._apply import Input, Output, apply
from migproj._checks import (
    as_number,
    check_counts,
    check_dims,
    check_of_women,
    check_rates,
    check_ratio_at_birth,
    check_same_places,
    check_sexes,
    check_survival,
)
from migproj.ages import AgeGroups, AgesLike, as_groups, fertile_groups, groups_of
from migproj.conventions import FEMALE, MALE, VARIABLES
from migproj.dates import DateLike, decimal_year, interval_years, year_of
from migproj.errors import AlignmentError, IntervalError, SchemaError
from migproj.survival import interval_between

__all__ = ["births_between", "births_from_rates"]

#: Years by which births may miss the rounds: one day.
_DAY: Final = 0.003


def births_from_rates(
    fertility: xr.DataArray,
    women_start: xr.DataArray,
    women_end: xr.DataArray,
    sex_ratio_at_birth: float | xr.DataArray,
    *,
    interval: float,
    survival: xr.DataArray | None = None,
) -> xr.DataArray:
    r"""Births of an interval from fertility rates and the women of two rounds.

    Parameters
    ----------
    fertility : DataArray (..., age)
        Births per woman-year; its ages are a contiguous part of the women's, other ages bear
        no children.
    women_start, women_end : DataArray (..., age)
        Women (persons) at the two rounds, on one age grid. Of an array with the dim ``sex``
        the women are taken; with both sexes, the births come in their order.
    sex_ratio_at_birth : float or DataArray (...)
        Males per female.
    interval : float
        Years between the rounds: at most the width of the age groups, or a multiple of it.
    survival : DataArray (..., age), optional
        Survival ratios of women over one width, by the group arrived in, used where the
        interval is a multiple of the width. Default: 1, which moves births by about half the
        square of the mortality of women of childbearing age.

    Returns
    -------
    DataArray "births" (..., sex) or (..., sex, age)
        Births of the whole interval (persons per period); where the interval is a multiple of
        the width, by the age group in which the children arrive. Both are accepted by
        :func:`net_migration`.

    Raises
    ------
    SchemaError, AlignmentError
        If dims, labels or values are not what is described here.
    IntervalError
        If the interval is longer than the groups' width and no multiple of it.

    Notes
    -----
    Within the width, exposure is linear in each group: B = t Σ f (W0 + W1)/2. Over k widths
    the women of group x after j of the k steps are the mean, weighted (k - j)/k and j/k, of
    their cohort's first count survived forward and its second survived in reverse; linear
    interpolation within age groups would miss cohorts of unequal size passing through them.

    References
    ----------
    Preston, Heuveline & Guillot (2001), *Demography*, section 6.3; UN (1983), *Manual X*, on
    reverse survival.

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> women = xr.DataArray([100.0, 100.0, 100.0], dims="age", coords=mp.age_coords([10, 15, 20]))
    >>> rates = xr.DataArray([0.1], dims="age", coords=mp.age_coords(["15-19"]))
    >>> births = mp.births_from_rates(rates, women, women, 1.05, interval=5)
    >>> births.round(2).values
    array([24.39, 25.61])
    """
    from migproj._kernels import births as kernels

    start = _women("women_start", women_start)
    end = _women("women_end", women_end)
    groups = groups_of(start, "women_start")
    if (got := groups_of(end, "women_end")) != groups:
        raise AlignmentError(
            f"women_end: dim 'age': expected the groups of women_start; {groups.unlike(got)}; "
            "mp.regroup_ages brings them together"
        )
    check_dims("fertility", fertility, "age")
    check_rates("fertility", fertility)
    first, fertile = fertile_groups(fertility, groups)
    ratio = as_number("sex_ratio_at_birth", sex_ratio_at_birth)
    check_ratio_at_birth("sex_ratio_at_birth", ratio)
    interval = interval_between(start, end, interval)
    steps, years = _steps(groups, fertile, first, interval)
    if survival is None:
        survival = xr.DataArray(np.ones(len(groups)), dims="age", coords=groups.coords())
    check_dims("survival", survival, "age")
    check_survival("survival", survival)
    if (got := groups_of(survival, "survival")) != groups:
        raise AlignmentError(
            f"survival: dim 'age': expected the groups of women_start; {groups.unlike(got)}; "
            "mp.survival_ratios(life_table, ages=women_start) makes them"
        )
    width = survival.coords.get("period_width")
    if width is not None and (width != years).any():
        raise IntervalError(
            f"survival: made for {np.unique(width).tolist()} years, but each step is {years:g}; "
            "make it for one width of the age groups"
        )
    check_same_places("women_end", end, "women_start", start)
    (births,) = apply(
        kernels.births_from_rates,
        [
            Input("fertility", fertility, ("age",)),
            Input("women_start", start, ("age",)),
            Input("women_end", end, ("age",)),
            Input("survival", _women("survival", survival), ("age",)),
            Input("sex_ratio_at_birth", ratio),
        ],
        [Output("births", ("sex", "age"), (2, steps))],
        first,
        years,
    )
    births = births.assign_coords(sex=[FEMALE, MALE], period_width=interval)
    if women_start.sizes.get("sex") == 2:  # in the order of the populations they will be used with
        births = births.sel(sex=women_start["sex"].values)
    if steps == 1:
        return births.isel(age=0)
    width = int(years)
    lower = tuple(range(0, steps * width, width))
    return births.assign_coords(AgeGroups(lower, (years,) * steps).coords())


def births_between(
    births_by_year: xr.DataArray,
    start_date: DateLike,
    end_date: DateLike,
    *,
    ages: AgesLike | None = None,
) -> xr.DataArray:
    r"""Births of an interval from births by calendar year.

    Parameters
    ----------
    births_by_year : DataArray (..., period)
        Births (persons), even within each year. ``period`` is labelled by the start of the
        year (1990 or 1990.0), with the coordinate ``period_width`` where it is not a year.
    start_date, end_date : date, str, int or float
        The two rounds.
    ages : array with an ``age`` coordinate, or sequence of int or str, optional
        Age groups at the end: births are then by the group in which the children arrive.

    Returns
    -------
    DataArray (..., [age])
        Births of the interval (persons per period), as ``births=`` of :func:`net_migration`
        takes them, with the scalar coordinate ``period_width``.

    Raises
    ------
    SchemaError
        If the years are not labelled, or births are not counts.
    IntervalError
        If the end is not after the start, or the years do not cover the interval.

    Notes
    -----
    .. math:: B = \sum_y B_y \,\frac{|[y, y + w_y) \cap [t_0, t_1)|}{w_y}

    Those of the group [x, x + w) were born from x + w to x years before the end, after t0.
    Dims such as ``sex`` and ``country`` stay. Where the sexes of the newborn are not known, B/(1 +
    r) are girls and B r/(1 + r) boys, with r the sex ratio at birth (males per female).

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> by_year = xr.DataArray([100.0, 110.0, 120.0], dims="period",
    ...                        coords={"period": [1990, 1991, 1992]})
    >>> float(mp.births_between(by_year, "1990-07-02", 1992.5).round(1))
    220.1
    """
    check_dims("births_by_year", births_by_year, "period")
    check_counts("births_by_year", births_by_year, people=False)
    began, ended = decimal_year(start_date), decimal_year(end_date)
    if not ended > began:
        raise IntervalError(
            f"end_date: must come after start_date, got {began:g} and {ended:g}; swap them"
        )
    if "period" not in births_by_year.coords:
        raise SchemaError(
            "births_by_year: dim 'period' has no labels; label each year by its start: "
            "births_by_year.assign_coords(period=[...])"
        )
    labels = births_by_year["period"].values
    starts = np.array([year_of(label, "births_by_year", "period") for label in labels])
    width = births_by_year.coords.get("period_width", xr.DataArray(1.0))
    widths = np.broadcast_to(width.values, starts.shape)
    if (np.diff(starts) <= 0).any() or (np.abs(np.diff(starts) - widths[:-1]) > _DAY).any():
        raise IntervalError(
            f"births_by_year: dim 'period': expected years in order without a gap, got "
            f"{starts[:8].tolist()}"
        )
    if starts[0] > began + _DAY or starts[-1] + widths[-1] < ended - _DAY:
        raise IntervalError(
            f"births_by_year: dim 'period': expected years that cover {began:g} to {ended:g}, got "
            f"{starts[0]:g} to {starts[-1] + widths[-1]:g}; add the births of the years missing"
        )
    years = interval_years(began, ended)
    if ages is None:
        from_, to = np.array([began]), np.array([ended])
    else:
        groups = as_groups(ages, open_ended=True)
        lower = np.array([low for low in groups.lower if low < years])
        upper = np.array(groups.upper[: len(lower)])
        from_, to = np.maximum(ended - upper, began), ended - lower
    lived = np.minimum(to, starts[:, None] + widths[:, None]) - np.maximum(from_, starts[:, None])
    shares = xr.DataArray(np.clip(lived, 0, None) / widths[:, None], dims=("period", "age"))
    bare = births_by_year.drop_vars(["period", "period_width"], errors="ignore")
    born: xr.DataArray = xr.dot(bare, shares, dim="period")
    if ages is None:
        born = born.isel(age=0)
    else:
        count = len(from_)
        born = born.assign_coords(AgeGroups(groups.lower[:count], groups.width[:count]).coords())
    attrs = births_by_year.attrs | {"units": VARIABLES["births"].units}
    return born.assign_coords(period_width=years).assign_attrs(attrs)


def _women(name: str, array: xr.DataArray) -> xr.DataArray:
    check_dims(name, array, "age")
    if name != "survival":
        check_counts(name, array)
    if "sex" not in array.dims:
        check_of_women(name, array)
        return array.drop_vars("sex", errors="ignore")
    check_sexes(name, array, both=False)
    if FEMALE not in array["sex"].values:
        raise AlignmentError(
            f"{name}: dim 'sex': expected {FEMALE!r}, got {array['sex'].values.tolist()}; births "
            f"are of women: give them"
        )
    return array.sel(sex=FEMALE, drop=True)


def _steps(groups: AgeGroups, fertile: AgeGroups, first: int, interval: float) -> tuple[int, float]:
    """Steps of one width in the interval, and the years of each."""
    widths = set(fertile.width)
    if interval <= min(widths):
        return 1, interval
    width = groups.step
    if width is None or interval % width:
        raise IntervalError(
            f"interval: expected at most {min(widths):g} years (the width of the fertile groups) "
            f"or a whole multiple of one width shared by all groups, got {interval:g} years with "
            f"groups {', '.join(groups.labels[:8])}"
        )
    steps = int(interval / width)
    closed = len(groups) - groups.is_open
    if first - (steps - 1) < 0 or first + len(fertile) + steps - 1 > closed:
        raise IntervalError(
            f"interval: over {interval:g} years the women of {fertile.labels[0]} to "
            f"{fertile.labels[-1]} come from and reach ages outside the closed groups "
            f"{groups.labels[0]} to {groups.labels[closed - 1]}; give women over a wider age range"
        )
    return steps, width
