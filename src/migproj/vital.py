"""Intercensal net migration by vital statistics."""

from __future__ import annotations

import numpy as np
import xarray as xr

from migproj._births_in import Children
from migproj._checks import (
    check_counts,
    check_dims,
    check_labels_match,
    check_lacks,
    check_made_for,
    check_same_places,
    check_sexes,
)
from migproj.ages import groups_of
from migproj.conventions import VARIABLES
from migproj.dates import instant_of
from migproj.errors import AlignmentError, IntervalError, SchemaError
from migproj.netmigration import net_migration
from migproj.survival import cohorts_between, interval_between

__all__ = ["net_migration_vital"]


def net_migration_vital(
    start: xr.DataArray,
    end: xr.DataArray,
    births: xr.DataArray | None,
    deaths: xr.DataArray,
    *,
    interval: float | None = None,
) -> xr.DataArray:
    r"""Net migration by the vital-statistics (balancing) equation.

    Parameters
    ----------
    start, end : DataArray (...) or (..., age)
        Population (persons) at the two rounds.
    births : DataArray (..., sex) or (..., sex, age), or None
        Births of the interval (persons per period). With `deaths` by cohort: in total, spread
        evenly over the interval, or by the group in which the children arrive. None for people
        none of whom were born in it (ages from the interval on).
    deaths : DataArray (...) or (..., age)
        Deaths of the interval (persons per period): in total, or by arrival cohort (``age``:
        the group in which the dead would have been at the end).
    interval : float, optional
        Years between the rounds, needed with deaths by cohort. Default: from the scalar
        coordinate ``date`` or ``time`` of both.

    Returns
    -------
    DataArray "net_migration" (...) or, with deaths by cohort, (..., age)
        Net migration (persons per period), by age at the end.

    Raises
    ------
    SchemaError, AlignmentError, IntervalError
        As in :func:`net_migration`; also if births or deaths lack a dim sex, country or
        birthplace that the populations have (they would be counted once for each label).

    Notes
    -----
    .. math:: M = P_1 - P_0 - B + D

    References
    ----------
    UN (1970), *Manual VI*, ch. II; Bogue, Hinze & White (1982), *Techniques of Estimating Net
    Migration*.

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> start, end, births, deaths = (xr.DataArray(float(x)) for x in (1000, 1100, 150, 80))
    >>> float(mp.net_migration_vital(start, end, births, deaths))
    30.0
    """
    for name, array in (("start", start), ("end", end), ("births", births), ("deaths", deaths)):
        if array is not None:
            check_dims(name, array)
            check_lacks(name, array, "mother_age", f"sum over it: {name}.sum('mother_age')")
            if "period" not in start.dims:
                check_lacks(name, array, "period", f"select one interval: {name}.sel(period=...)")
            check_counts(name, array, people=name in ("start", "end"))
            check_sexes(name, array, both=False)
            check_same_places(name, array, "start", start)
    if "age" in deaths.dims:
        ways = cohorts_between(start, end, interval)
        given = groups_of(deaths, "deaths")
        if given != ways.groups:
            raise AlignmentError(
                f"deaths: dim 'age': expected deaths by arrival group, {ways.groups.labels[:8]}, "
                f"got {given.labels[:8]}; regroup them, or give the total (deaths.sum('age'))"
            )
        if births is None and ways.born:
            raise SchemaError(
                f"births: None, but end holds children under {ways.interval:g}, born in the "
                "interval; give their births, or select ages from the interval on"
            )
        check_made_for("deaths", deaths, ways.interval)
        everyone = xr.DataArray(np.ones(len(ways.groups)), dims="age", coords=ways.groups.coords())
        kind: Children = "births" if births is not None else "none"
        change = net_migration(
            start, end, everyone, method="forward", births=births, children=kind, interval=interval
        )["net_migration"]
        check_labels_match({"start": change, "deaths": deaths}, dims=deaths.dims)
        net = change + deaths.drop_vars(["age_width", "period", "period_width"], errors="ignore")
    else:
        totals = {
            name: array.sum("age", skipna=False) if "age" in array.dims else array
            for name, array in (
                ("start", start),
                ("end", end),
                ("births", births),
                ("deaths", deaths),
            )
            if array is not None
        }
        totals = {
            name: array.drop_vars(["time", "date"], errors="ignore").astype(np.float64)
            for name, array in totals.items()
        }
        check_labels_match(totals, dims=dict.fromkeys(d for a in totals.values() for d in a.dims))
        _check_one_interval(start, end, interval, {"births": births, "deaths": deaths})
        _check_everyone(start, end, births)
        net = totals["end"] - totals["start"] + totals["deaths"]
        if births is not None:
            net = net - totals["births"]
    net = net.transpose(..., *[dim for dim in ("sex", "age") if dim in net.dims])
    return net.rename("net_migration").assign_attrs(units=VARIABLES["net_migration"].units)


def _check_everyone(start: xr.DataArray, end: xr.DataArray, births: xr.DataArray | None) -> None:
    """Rounds by age hold everyone: from age 0 on, where births are counted."""
    for name, array in (("start", start), ("end", end)):
        if births is not None and "age" in array.dims:
            groups = groups_of(array, name)
            if groups.lower[0] != 0:
                raise AlignmentError(
                    f"{name}: dim 'age': expected everyone from age 0 on, as births are counted, "
                    f"got ages from {groups.lower[0]} on: the younger would be taken for migrants"
                )


def _check_one_interval(
    start: xr.DataArray,
    end: xr.DataArray,
    interval: float | None,
    flows: dict[str, xr.DataArray | None],
) -> None:
    """Births and deaths are of one interval, that between the rounds where it is known."""
    dated = instant_of(start, "start") is not None and instant_of(end, "end") is not None
    known = interval is not None or dated
    years, whose = (interval_between(start, end, interval), "the rounds") if known else (None, "")
    for name, array in flows.items():
        width = None if array is None else array.coords.get("period_width")
        if width is None or width.ndim:
            continue
        if years is None:
            years, whose = float(width), name
        elif float(width) != years:
            raise IntervalError(
                f"{name}: made for {float(width):g} years, but {whose} are of {years:g}; give "
                "both for the interval between the rounds"
            )
