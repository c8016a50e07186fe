"""Births of an intercensal interval."""

from __future__ import annotations

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
from migproj.ages import AgeGroups, fertile_groups, groups_of
from migproj.conventions import FEMALE, MALE
from migproj.errors import AlignmentError, IntervalError
from migproj.survival import interval_between

__all__ = ["births_from_rates"]


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
    if groups_of(end, "women_end") != groups:
        raise AlignmentError(
            f"women_end: dim 'age': expected the groups of women_start, {groups.labels[:8]}, got "
            f"{groups_of(end, 'women_end').labels[:8]}; mp.regroup_ages brings them together"
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
    if groups_of(survival, "survival") != groups:
        raise AlignmentError(
            f"survival: dim 'age': expected the groups of women_start, {groups.labels[:8]}, got "
            f"{groups_of(survival, 'survival').labels[:8]}"
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


def _women(name: str, array: xr.DataArray) -> xr.DataArray:
    check_dims(name, array, "age")
    if name != "survival":
        check_counts(name, array)
    if "sex" not in array.dims:
        check_of_women(name, array)
        return array.drop_vars("sex", errors="ignore")
    check_sexes(name, array, both=False)
    if FEMALE not in array["sex"].values:
        raise AlignmentError(f"{name}: dim 'sex': expected {FEMALE!r}, got {array['sex'].values}")
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
