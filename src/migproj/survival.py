"""Survival ratios of life tables and of censuses, by the age group arrived in."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from migproj._apply import Input, Output, apply
from migproj._checks import (
    as_number,
    check_counts,
    check_dims,
    check_numbers,
    check_same_places,
    check_sexes,
    check_table,
)
from migproj._cohorts import Cohorts, cohorts
from migproj._diagnostics import finding, warn_findings
from migproj.ages import (
    AgeGroups,
    AgesLike,
    as_groups,
    closed_groups,
    groups_of,
)
from migproj.conventions import VARIABLES
from migproj.corrections import CORRECTED
from migproj.dates import instant_of, interval_years, snap
from migproj.errors import AlignmentError, IntervalError

__all__ = [
    "CENSUSES",
    "arrival_coords",
    "census_survival_ratios",
    "check_rounds",
    "cohorts_between",
    "interval_between",
    "located",
    "ratios_of",
    "separation_factors",
    "slices_of",
    "survival_on",
    "survival_ratios",
]

#: The mark of survival ratios that two censuses give.
CENSUSES = "two censuses"


def survival_ratios(
    life_table: xr.Dataset, *, ages: AgesLike | None = None, interval: float | None = None
) -> xr.DataArray:
    r"""Survival ratios of a life table, by the age group arrived in.

    Parameters
    ----------
    life_table : Dataset with ``lx`` and ``Tx`` (..., age)
        As made by :func:`life_table`. Its groups need not be those of `ages`.
    ages : array with an ``age`` coordinate, or sequence of int or str, optional
        The age groups of the population. Default: the life table's own, with ages 0 and 1-4
        put together.
    interval : float, optional
        Years between start and end. Default: the width that all groups of `ages` share.

    Returns
    -------
    DataArray "survival" (..., age)
        Dimensionless; ``age`` is the group arrived in at the end of the interval, with the
        coordinates ``age_width``, ``age_start`` (age - interval; negative: born in the
        interval) and the scalar ``period_width`` (the interval). The open-ended
        group's ratio is for everyone aged A - interval and over at the start, pooled.

    Raises
    ------
    SchemaError
        If the life table lacks lx or Tx, or its ages are not as they should be.
    IntervalError
        If no interval is given and the groups differ in width, or if a group would hold
        both people born in the interval and people born before it.
    AlignmentError
        If `ages` needs T(x) beyond the life table's ages.

    Warns
    -----
    DataQualityWarning
        Once a call, naming the labels, if a ratio is below 0 or above 1: between ages of the
        table with very high mortality the Hermite curve is not monotone.

    Notes
    -----
    For the group [x, x + w) after t years, with l(0) the radix:

    .. math:: S = \frac{T(x) - T(x+w)}{T(x-t) - T(x+w-t)}, \quad
              S_\text{born} = \frac{T(x) - T(x+w)}{w\, l(0)}, \quad S_A = \frac{T(A)}{T(A-t)}

    T(x) inside a group is the cubic Hermite with slope -l(x), exact at the table's ages.

    References
    ----------
    UN (1970), *Manual VI: Methods of Measuring Internal Migration*, ch. II; Preston,
    Heuveline & Guillot (2001), *Demography*, section 6.3.

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> mx = xr.DataArray([0.02, 0.001, 0.0005, 0.02], dims="age",
    ...                   coords=mp.age_coords(["0", "1-4", "5-9", "10+"]))
    >>> table = mp.life_table(mx.assign_coords(sex="female"))
    >>> mp.survival_ratios(table).round(4).values
    array([0.9788, 0.9963, 0.909 ])
    """
    check_table("life_table", life_table, "lx", "Tx")
    table = groups_of(life_table, "life_table")
    groups = _collapsed(table) if ages is None else as_groups(ages)
    if interval is None:
        if groups.step is None:
            raise IntervalError(
                f"interval: the age groups differ in width ({', '.join(groups.labels[:8])}); "
                "say how many years pass: interval=..."
            )
        interval = groups.step
    survival = survival_on(life_table, groups, years_above_zero(interval))
    warn_findings(
        "survival_ratios",
        [
            finding(
                "ratios below 0 or above 1, from T(x) between ages of the table, which is not "
                "monotone where mortality is very high (use a table by narrower groups, or wider "
                "ages)",
                (survival < 0) | (survival > 1),
            )
        ],
    )
    return survival


def survival_on(life_table: xr.Dataset, groups: AgeGroups, interval: float) -> xr.DataArray:
    """Survival ratios of a checked life table to the arrival groups of `interval`."""
    lower, upper = np.array(groups.lower, dtype=float), np.array(groups.upper)
    born = upper <= interval
    straddling = (lower < interval) & ~born
    if straddling.any():
        label = groups.labels[int(np.argmax(straddling))]
        raise IntervalError(
            f"interval: after {interval:g} years the group {label} holds both people born in the "
            f"interval and people born before it; expected a group bound at {interval:g} in ages "
            f"({', '.join(groups.labels[:8])}, ...)"
        )
    before = (np.where(born, np.nan, edge - interval) for edge in (lower, upper))
    survival = ratios_of(life_table, lower, upper, *before)
    return survival.assign_coords(arrival_coords(groups, interval))


def ratios_of(
    life_table: xr.Dataset,
    lower: npt.NDArray[np.float64],
    upper: npt.NDArray[np.float64],
    lower_start: npt.NDArray[np.float64],
    upper_start: npt.NDArray[np.float64],
) -> xr.DataArray:
    """Survival ratios (..., age) from slices of a life table to others, without labels of age.

    Missing bounds at the start: born since then, evenly over as many years as the slice is wide.
    """
    from migproj._kernels import survival as kernels

    table = groups_of(life_table, "life_table")
    bounds = np.unique(np.concatenate([lower, upper, lower_start, upper_start]))
    bounds = bounds[np.isfinite(bounds)]
    _check_covered(table, bounds, bool(np.isnan(lower_start).any()))

    def at(points: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        found = np.searchsorted(bounds, np.where(np.isfinite(points), points, bounds[0]))
        return np.where(np.isfinite(points), found, -1).astype(np.int64)

    (survival,) = apply(
        kernels.survival_ratios,
        [Input("lx", life_table["lx"], ("age",)), Input("Tx", life_table["Tx"], ("age",))],
        [Output("survival", ("age",), (len(lower),))],
        *located(table, bounds),
        *(at(points) for points in (lower, upper, lower_start, upper_start)),
        upper - lower,
    )
    return survival


def located(
    table: AgeGroups, ages: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Where ages lie in a life table: in which group, how far into it (0 to 1), and its width."""
    knots = np.array(table.lower, dtype=float)
    knot = np.searchsorted(knots, ages, side="right") - 1
    width = np.array(table.width)[knot]
    part = np.where(ages == knots[knot], 0.0, (ages - knots[knot]) / width)
    return knot.astype(np.int64), part, width


def slices_of(
    name: str,
    counts: xr.DataArray,
    life_table: xr.Dataset,
    lower: npt.NDArray[np.float64],
    interpolation: str,
) -> xr.DataArray:
    """Persons (..., age) between ages, the last slice open-ended, without labels of age.

    Interpolated against the person-years of the life table beyond each age.
    """
    from migproj._kernels import survival as kernels

    table, groups = groups_of(life_table, "life_table"), groups_of(counts, name)
    bounds = np.array(groups.lower, dtype=float)
    _check_covered(table, np.concatenate([bounds, lower]), births=False)
    alive = life_table["Tx"].isel(age=int(located(table, bounds)[0][-1]))
    if alive.chunks is None and bool((alive <= 0).any()):
        raise AlignmentError(
            f"life_table: dim 'age': nobody lives to the open-ended group {groups.labels[-1]} of "
            f"{name}, by which its people are told apart; mp.regroup_ages({name}, ...) opens it "
            "at a younger age"
        )
    (slices,) = apply(
        kernels.slices,
        [
            Input(name, counts, ("age",)),
            Input("lx", life_table["lx"], ("age",)),
            Input("Tx", life_table["Tx"], ("age",)),
        ],
        [Output("population", ("age",), (len(lower),))],
        *located(table, bounds),
        *located(table, lower),
        {"spline": kernels.NOT_A_KNOT, "pchip": kernels.PCHIP}[interpolation],
    )
    return slices


def separation_factors(life_table: xr.Dataset, *, ages: AgesLike | None = None) -> xr.DataArray:
    r"""Separation factors: shares of cohort deaths that fall in the age group of the start.

    Parameters
    ----------
    life_table : Dataset with ``lx`` and ``Tx`` (..., age)
        As made by :func:`life_table`.
    ages : array with an ``age`` coordinate, or sequence of int or str, optional
        The age groups of the population: of one width, with an open-ended last one, and
        bounds that are ages of the table. Default: the life table's own, with ages 0 and 1-4
        put together.

    Returns
    -------
    DataArray "separation" (..., age)
        Share (1), by the closed group at the start of the step, which is as long as the groups
        are wide: of those in the group who die in the step, who die before leaving it; the
        rest die in the next group. That of the last closed group is for the pooled deaths of
        the open-ended group. One half where nobody dies.

    Raises
    ------
    SchemaError
        If the life table lacks lx or Tx, or its ages are not as they should be.
    IntervalError
        If the groups differ in width or the last one is closed.
    AlignmentError
        If a bound of `ages` is no age of the life table.

    Notes
    -----
    .. math:: c_x = \frac{L_x - n\, l_{x+n}}{L_x - L_{x+n}}, \quad
              c_{A-n} = 1 - \frac{n\, l_A}{L_{A-n}}

    Those born in the step all die in the youngest group.

    References
    ----------
    Shryock & Siegel (1976), *The Methods and Materials of Demography*, ch. 14 (separation
    factors); UN (2022), *World Population Prospects 2022: Methodology*.

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> mx = xr.DataArray([0.02, 0.001, 0.0005, 0.02], dims="age",
    ...                   coords=mp.age_coords(["0", "1-4", "5-9", "10+"]))
    >>> table = mp.life_table(mx.assign_coords(sex="female"))
    >>> mp.separation_factors(table).round(3).values
    array([0.661, 0.001])
    """
    check_table("life_table", life_table, "lx", "Tx")
    table = groups_of(life_table, "life_table")
    groups = _collapsed(table) if ages is None else as_groups(ages)
    if groups.step is None or not groups.is_open:
        raise IntervalError(
            "ages: expected groups of one width (the step) and an open-ended last one, got "
            f"{', '.join(groups.labels[:8])}; mp.regroup_ages brings counts to one width"
        )
    odd = [low for low in groups.lower if low not in table.lower]
    if odd:
        raise AlignmentError(
            f"life_table: dim 'age': expected the bounds of the population's groups among its "
            f"ages, got none at {odd[:5]} ({', '.join(table.labels[:8])}, ...)"
        )
    lx, Tx = (
        life_table[name].astype(np.float64).drop_vars("age_width", errors="ignore")
        for name in ("lx", "Tx")
    )
    closed = list(groups.lower[:-1])
    survivors = groups.step * _at(lx, list(groups.lower[1:]), closed)
    lived = _at(Tx, closed, closed) - _at(Tx, list(groups.lower[1:]), closed)
    later = lived.shift(age=-1, fill_value=0.0)
    die = lived - later
    factors = ((lived - survivors) / die.where(die != 0)).where(die != 0, 0.5)
    factors = factors.transpose(*lx.dims).rename("separation")
    factors.attrs = {"units": VARIABLES["separation"].units}
    coords = closed_groups(groups).coords().assign(period_width=groups.step)
    return factors.assign_coords(coords)


def _at(array: xr.DataArray, ages: list[int], labels: list[int]) -> xr.DataArray:
    """The values at `ages` under the labels `labels`."""
    return array.sel(age=ages).assign_coords(age=labels)


def arrival_coords(groups: AgeGroups, interval: float) -> xr.Coordinates:
    """Coordinates of arrival groups: age, age_width, age_start and the scalar period_width."""
    age_start = np.array(groups.lower, dtype=np.float64) - interval
    own = {"age_start": ("age", age_start), "period_width": ((), interval)}
    return xr.Coordinates({**groups.variables(), **own})


def _collapsed(table: AgeGroups) -> AgeGroups:
    if table.lower[:2] == (0, 1) and table.width[1] == 4:
        return AgeGroups((0, *table.lower[2:]), (5.0, *table.width[2:]))
    return table


def _check_covered(table: AgeGroups, bounds: npt.NDArray[np.float64], births: bool) -> None:
    if births and table.lower[0] > 0:
        raise AlignmentError(
            f"life_table: dim 'age': expected to begin at 0, got {table.lower[0]}: the survival "
            "of births needs it; select ages of at least the interval"
        )
    top = table.lower[-1] if table.is_open else table.upper[-1]
    outside = bounds[(bounds < table.lower[0]) | (bounds > top)]
    if outside.size:
        raise AlignmentError(
            f"life_table: dim 'age': expected person-years T(x) at the ages "
            f"{outside[:5].tolist()}, got a table from {table.lower[0]} to {top:g}; give ages "
            f"with an open-ended group from {top:g} at the latest, or extend the life table"
        )


def census_survival_ratios(
    start: xr.DataArray, end: xr.DataArray, *, interval: float | None = None
) -> xr.DataArray:
    """Survival ratios of a population closed to migration, from its two censuses.

    Parameters
    ----------
    start, end : DataArray (..., age)
        Population (persons) at the two censuses, of a nation or of everyone born in a place.
        Their age grids may differ.
    interval : float, optional
        Years between them. Default: from the scalar coordinate ``time`` (or ``date``) of both.

    Returns
    -------
    DataArray "survival" (..., age)
        Enumerated survivors over those enumerated at the start, by the group arrived in;
        missing for groups born in the interval. Coordinates as in :func:`survival_ratios`; the
        attribute ``source`` says that they are of two censuses.

    Raises
    ------
    SchemaError, AlignmentError
        If dims, labels or values are not what is described here.
    IntervalError
        If the interval is unknown, not positive, or does not carry groups onto groups.

    Warns
    -----
    DataQualityWarning
        If a ratio is above 1: the censuses differ in coverage or age reporting, or the
        population was not closed. Nothing is changed.

    Notes
    -----
    S = P1(x) / P0(x - t), the open-ended group pooled over everyone aged A - t and over.
    Errors of enumeration that both censuses share cancel when the ratio is applied to a part
    of the same population.

    References
    ----------
    UN (1970), *Manual VI*, ch. II; UN (1992), *Preparing Migration Data for Subnational
    Population Projections*, table 6; Eldridge & Kim (1968) for ratios by birthplace.

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> start = xr.DataArray([100.0, 90.0, 50.0], dims="age", coords=mp.age_coords([0, 10, 20]))
    >>> end = xr.DataArray([120.0, 95.0, 112.0], dims="age", coords=mp.age_coords([0, 10, 20]))
    >>> mp.census_survival_ratios(start, end, interval=10).values
    array([ nan, 0.95, 0.8 ])
    """
    from migproj._kernels import survival as kernels

    ways = cohorts_between(start, end, interval)
    (survival,) = apply(
        kernels.census_survival_ratios,
        [Input("start", start, ("age",)), Input("end", end, ("age",))],
        [Output("survival", ("age",), (len(ways.groups),))],
        ways.start,
        ways.end,
        ways.born,
    )
    survival = survival.assign_coords(arrival_coords(ways.groups, ways.interval))
    corrected = all(array.attrs.items() >= CORRECTED.items() for array in (start, end))
    survival.attrs |= {"source": CENSUSES} | (CORRECTED if corrected else {})
    warn_findings("census_survival_ratios", [finding("survival ratios above 1", survival > 1)])
    return survival


def check_rounds(start: xr.DataArray, end: xr.DataArray) -> None:
    """Two rounds are counts by age of the same places."""
    for name, array in (("start", start), ("end", end)):
        check_dims(name, array, "age")
        check_counts(name, array)
        check_sexes(name, array, both=False)
    check_same_places("end", end, "start", start)


def cohorts_between(start: xr.DataArray, end: xr.DataArray, interval: float | None) -> Cohorts:
    """The checked cohorts of two rounds."""
    check_rounds(start, end)
    return cohorts(
        groups_of(start, "start"), groups_of(end, "end"), interval_between(start, end, interval)
    )


def interval_between(start: xr.DataArray, end: xr.DataArray, interval: float | None) -> float:
    """The interval given, or that between the scalar coordinates time (or date) of two rounds."""
    began, ended = instant_of(start, "start"), instant_of(end, "end")
    given = None if interval is None else years_above_zero(interval)
    if began is None or ended is None:
        if given is not None:
            return given
    else:
        between = interval_years(began, ended)
        if given is not None and abs(given - between) > 1:
            raise IntervalError(
                f"interval: got {given:g} years, but {between:g} years lie between start "
                f"({began:g}) and end ({ended:g}); correct one of them, or leave interval out"
            )
        return between if given is None else given
    raise IntervalError(
        "interval: unknown, for start and end do not both carry a scalar coordinate 'time' "
        "(or 'date'); pass interval=10, or label them: "
        "start.assign_coords(time=mp.decimal_year('1950-04-01'))"
    )


def years_above_zero(interval: Any) -> float:
    """The interval as a positive number of years."""
    years = as_number("interval", interval)
    check_numbers("interval", years)
    if years.ndim or not (np.isfinite(years) and years > 0):
        raise IntervalError(
            f"interval: expected one number of years above 0, got {years.values.tolist()}; "
            "give the years from start to end"
        )
    return snap(float(years))
