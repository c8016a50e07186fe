"""The open-ended age group shared out over older ages like a stable population."""

from __future__ import annotations

import numpy as np
import xarray as xr

from migproj._checks import (
    as_number,
    check_counts,
    check_dims,
    check_finite,
    check_labels_match,
    check_lacks,
    check_table,
)
from migproj._diagnostics import finding, warn_findings
from migproj.ages import AgeGroups, by_age, groups_of
from migproj.errors import AlignmentError, SchemaError

__all__ = ["redistribute_open_group"]

#: What is of the life table's own time, where it has one.
_WHEN = ("time", "date", "period", "period_width")
#: Growth rates between which one is looked for (1/year), and how often their range is halved.
_RANGE = (-0.1, 0.1)
_HALVINGS = 60


def redistribute_open_group(
    population: xr.DataArray,
    life_table: xr.Dataset,
    *,
    growth: float | xr.DataArray | None = 0.0,
    fit_ages: tuple[int, int] | None = None,
) -> xr.DataArray:
    r"""Share the open-ended age group out over older ages, like a stable population.

    Parameters
    ----------
    population : DataArray (..., age)
        Counts (persons), the last group open-ended, from an age A.
    life_table : Dataset with ``Lx`` (..., age)
        Mortality (:func:`life_table`) in the groups wanted from A on, to an older open-ended
        group.
    growth : float, DataArray (...) or None
        Growth rate (1/year) of the stable population; 0 is the stationary one. None: the rate
        that fits the counts of `fit_ages`.
    fit_ages : tuple of int, optional
        First age, and age after the last: of the stable population the mean age between them
        is that of the counts. Bounds of groups of both arrays, two groups or more.

    Returns
    -------
    DataArray (..., age)
        Counts in the groups of `population` below A and those of `life_table` from it on, same
        units; the sum of these is the open-ended group's. With the coordinate ``growth`` where
        it was fitted.

    Raises
    ------
    SchemaError
        If the last group is not open-ended, or keywords do not go together.
    AlignmentError
        If `life_table` has no group from A, none beyond it, or none at the fitted ages; if
        another dim that inputs share has other labels, or another order, in one of them.

    Warns
    -----
    DataQualityWarning
        Once a call, naming the labels, where no growth rate from -0.1 to 0.1 fits, or growth is
        so far below 0 that the series has no sum (the group's parts are then missing).

    Notes
    -----
    .. math:: w_x = e^{-r (x + n/2)}\, {}_nL_x

    and for the oldest, with s = T/(T + L) of the group before them, the sum of a geometric
    series, w s e^{-rn} / (1 - s e^{-rn}).

    References
    ----------
    UN (1983), *Manual X*, ch. VII (stable populations); Preston, Heuveline & Guillot (2001),
    *Demography*, ch. 7.

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> lived = xr.DataArray([59.0, 7, 4, 2], dims="age",
    ...                      coords=mp.age_coords(["0-59", "60-69", "70-79", "80+"]))
    >>> table = xr.Dataset({"Lx": lived})
    >>> people = xr.DataArray([900.0, 100.0], dims="age", coords=mp.age_coords(["0-59", "60+"]))
    >>> mp.redistribute_open_group(people, table).round(1).values
    array([900. ,  53.8,  30.8,  15.4])
    """
    check_dims("population", population, "age")
    check_counts("population", population)
    check_table("life_table", life_table, "Lx")
    have, table = groups_of(population, "population"), groups_of(life_table, "life_table")
    for name, groups in (("population", have), ("life_table", table)):
        if not groups.is_open:
            raise SchemaError(
                f"{name}: dim 'age': expected an open-ended last group, got {groups.labels[-1]}; "
                "its age_width is inf"
            )
    start = have.lower[-1]
    if start not in table.lower or start == table.lower[-1]:
        raise AlignmentError(
            f"life_table: dim 'age': expected a group from {start}, where the open-ended group of "
            f"population begins, and older ones; got {table.labels[0]} to {table.labels[-1]}"
        )
    of_table = [name for name in _WHEN if name not in life_table.dims]
    lived = life_table["Lx"].drop_vars(["age", "age_width", *of_table], errors="ignore")
    bare = population.drop_vars(["age", "age_width"], errors="ignore")
    arrays = {"population": bare, "life_table": lived}
    if (growth is None) != (fit_ages is not None):
        raise SchemaError(
            "growth, fit_ages: expected fit_ages with growth=None, and only then; got "
            f"growth={growth!r}, fit_ages={fit_ages!r}"
        )
    if growth is not None:
        rate = as_number("growth", growth)
        check_finite("growth", rate)
        check_lacks("growth", rate, "age", "a stable population grows alike at all ages")
        arrays["growth"] = rate
    dims = dict.fromkeys(dim for array in arrays.values() for dim in array.dims if dim != "age")
    check_labels_match(arrays, dims=dims)
    if growth is None and fit_ages is not None:
        rate = _fitted(population, lived, have, table, fit_ages)
    first = table.lower.index(start)
    weights = _stable(lived, table, rate).isel(age=slice(first, None))
    share = weights / weights.sum("age", skipna=False)
    old = bare.isel(age=-1) * share
    made = by_age([bare.isel(age=slice(-1)), old])
    groups = AgeGroups(
        (*have.lower[:-1], *table.lower[first:]), (*have.width[:-1], *table.width[first:])
    )
    made = made.transpose(*population.dims, ...).assign_coords(groups.coords())
    endless = share.isnull().any("age") & rate.notnull() & lived.notnull().all("age")
    found = [finding("people decline too fast for a stable open-ended group", endless)]
    if growth is None:
        made = made.assign_coords(growth=rate)
        lost = rate.isnull() & bare.notnull().all("age")
        found.insert(0, finding("no growth rate fits", lost))
    warn_findings("redistribute_open_group", found)
    return made.rename(population.name).assign_attrs(population.attrs)


def _stable(lived: xr.DataArray, table: AgeGroups, rate: xr.DataArray) -> xr.DataArray:
    """A stable population (..., age) in the groups of a life table."""
    lower, width = np.array(table.lower[:-1]), np.array(table.width[:-1])
    middle = xr.DataArray(lower + width / 2, dims="age")
    closed: xr.DataArray = lived.isel(age=slice(-1)) * np.exp(-rate * middle)
    oldest, before = lived.isel(age=-1), lived.isel(age=-2)
    stay = oldest / (oldest + before) * np.exp(-rate * float(width[-1]))
    open_ended = closed.isel(age=-1) * stay / (1.0 - stay).where(stay < 1.0)
    return by_age([closed, open_ended])


def _fitted(
    population: xr.DataArray,
    lived: xr.DataArray,
    have: AgeGroups,
    table: AgeGroups,
    ages: tuple[int, int],
) -> xr.DataArray:
    """Growth rates (...) at which the stable population's mean age is that of the counts."""
    low, high = ages
    at = []
    for name, groups in (("population", have), ("life_table", table)):
        bounds = [*groups.lower[:-1], groups.lower[-1]]
        if low not in bounds or high not in bounds or bounds.index(high) - bounds.index(low) < 2:
            raise AlignmentError(
                f"{name}: dim 'age': expected closed groups from {low} to {high}, two or more, "
                f"got {', '.join(groups.labels[:6])} to {groups.labels[-1]}"
            )
        at.append(slice(bounds.index(low), bounds.index(high)))

    def mean_age(counts: xr.DataArray, groups: AgeGroups, within: slice) -> xr.DataArray:
        lower, width = np.array(groups.lower[within]), np.array(groups.width[within])
        middle = xr.DataArray(lower + width / 2, dims="age")
        total = counts.sum("age", skipna=False)
        return (counts * middle).sum("age", skipna=False) / total.where(total > 0)

    bare = population.drop_vars(["age", "age_width"], errors="ignore").isel(age=at[0])
    wanted = mean_age(bare, have, at[0])

    def too_old(rate: xr.DataArray) -> xr.DataArray:
        return mean_age(_stable(lived, table, rate).isel(age=at[1]), table, at[1]) > wanted

    slowest, fastest = (xr.zeros_like(wanted) + edge for edge in _RANGE)
    inside = too_old(slowest) & ~too_old(fastest) & wanted.notnull()
    for _ in range(_HALVINGS):
        middle = (slowest + fastest) / 2
        older = too_old(middle)
        slowest, fastest = middle.where(older, slowest), fastest.where(older, middle)
    return ((slowest + fastest) / 2).where(inside)
