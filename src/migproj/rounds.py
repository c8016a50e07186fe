"""Net migration of several rounds: one result for each interval between two of them."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from migproj._births_in import Children
from migproj._checks import check_dims
from migproj.ages import AgesLike
from migproj.dates import year_of
from migproj.errors import IntervalError, SchemaError
from migproj.netmigration import Interpolation, net_migration

__all__ = ["net_migration_rounds"]


def net_migration_rounds(
    rounds: xr.DataArray,
    survival_or_life_table: xr.DataArray | xr.Dataset,
    *,
    births: xr.DataArray | None = None,
    method: str | xr.DataArray = "average",
    children: Children = "births",
    ages: AgesLike | None = None,
    interpolation: Interpolation = "spline",
) -> xr.Dataset:
    """Net migration in each interval between consecutive rounds, all with their own dates.

    Parameters
    ----------
    rounds : DataArray (..., time, age) or (..., round, age)
        Population or stock (persons) of two or more rounds in order. ``time`` labels their
        instants, the same for all. ``round`` has any labels, and the coordinate ``date``
        (round) or (..., round), as of (country, round), says when each was, as decimal years or
        dates; where a date of (country, round) is missing the place had no such round.
    survival_or_life_table : DataArray or Dataset (..., [period,] age)
        As in :func:`net_migration`. Life tables with the dim ``period`` serve the years they
        are for, whatever the rounds; survival ratios with it, the interval that starts there.
    births : DataArray (..., [period,] sex) or (..., [period,] sex, age), optional
        Births of each interval; ``period`` has the labels of the rounds they start from.
    method, children, ages, interpolation
        As in :func:`net_migration`.

    Returns
    -------
    Dataset
        As of :func:`net_migration`, with the dim ``period``, labelled by the round at the start
        of each interval. ``period_width`` and, with rounds by ``round``, the ``date`` of the
        start are coordinates over ``period`` and what dates differ by; intervals without both
        rounds are missing.

    Raises
    ------
    SchemaError, AlignmentError, IntervalError
        As in :func:`net_migration`; also if there are fewer than two rounds or their dates are
        unknown.

    Warns
    -----
    DataQualityWarning
        As :func:`net_migration`, once for each interval (and each length it has).

    References
    ----------
    See :func:`net_migration`.

    Examples
    --------
    >>> import migproj as mp, numpy as np, xarray as xr
    >>> mx = xr.DataArray([0.02, 0.001, 0.001, 0.05], dims="age",
    ...                   coords=mp.age_coords(["0", "1-4", "5-19", "20+"]))
    >>> table = mp.life_table(mx.assign_coords(sex="female"))
    >>> people = xr.DataArray([[50.0, 150.0, 200.0], [52.0, 160.0, 210.0], [60.0, 160.0, 230.0]],
    ...     dims=("time", "age"), coords={"time": [1980.81, 1991.37, 2001.88],
    ...                                   **mp.age_coords(["0-4", "5-19", "20+"])})
    >>> births = xr.DataArray([105.0, 110.0], dims="period", coords={"period": [1980.81, 1991.37]})
    >>> result = mp.net_migration_rounds(people, table, births=births, method="forward")
    >>> result["net_migration"].sum("age").round(1).values
    array([26.4, 33.1])
    >>> result["period_width"].values
    array([10.56, 10.51])
    """
    dim, dates = _dates(rounds)
    options = {
        "method": method,
        "children": children,
        "ages": ages,
        "interpolation": interpolation,
    }
    labels = rounds[dim].values if dim in rounds.coords else np.arange(rounds.sizes[dim])
    results = []
    for k in range(rounds.sizes[dim] - 1):
        own = {
            "survival_or_life_table": _of(survival_or_life_table, labels[k], tables=True),
            "births": _of(births, labels[k], tables=False),
        }
        results.append(_interval(rounds, dim, dates, k, own, options))
    lower = [made["age"].values.tolist() for made in results]
    odd = [groups for groups in lower if groups != lower[0]]
    if odd:
        raise IntervalError(
            f"the intervals have results in different age groups, {lower[0][:8]} and "
            f"{odd[0][:8]} (they depend on the interval "
            "and the open-ended groups); say in which to return all: ages=[...]"
        )
    own_coords = [name for name in ("period_width", "date") if name in results[0].coords]
    # As variables they are put together along the period like all others.
    results = [made.reset_coords(own_coords) for made in results]
    result = xr.concat(results, "period", coords="minimal", compat="override", join="exact")
    result = result.transpose(..., *(d for d in ("period", "sex", "age") if d in result.dims))
    result = result.set_coords(own_coords).assign_coords(period=labels[:-1])
    starts = (result["age"] - result["period_width"]).transpose(..., "age")
    return result.assign_coords(age_start=starts)


def _dates(rounds: xr.DataArray) -> tuple[str, xr.DataArray]:
    """The dim of the rounds, and their decimal years."""
    check_dims("rounds", rounds, "age")
    dim = next((d for d in ("time", "round") if d in rounds.dims), None)
    if dim is None:
        raise SchemaError(
            f"rounds: expected the dim 'time' or 'round', got dims {tuple(rounds.dims)!r}; with "
            "two rounds as two arrays use mp.net_migration"
        )
    if rounds.sizes[dim] < 2:
        raise SchemaError(
            f"rounds: dim {dim!r}: expected two rounds or more, got one; "
            f"xr.concat([first, second], {dim!r}) puts them together"
        )
    name = "date" if "date" in rounds.coords else dim
    if name not in rounds.coords or (name == dim == "round"):
        raise IntervalError(
            f"rounds: dim {dim!r}: expected a coordinate with the date of each round; label them: "
            f"rounds.assign_coords(date=({dim!r}, ['1980-10-22', '1991-05-15', ...]))"
        )
    given = rounds[name]
    if dim not in given.dims:
        raise IntervalError(f"rounds: {name}: expected one for each label of {dim!r}, got one")
    years = [
        np.nan if pd.isna(label) else year_of(label, "rounds", name) for label in given.values.flat
    ]
    return dim, given.copy(data=np.reshape(years, given.shape)).reset_coords(drop=True)


def _of(source: Any, label: Hashable, *, tables: bool) -> Any:
    """What is given for the interval from the round with this label."""
    if "period" not in getattr(source, "dims", ()):  # what is no array is told below
        return source
    if tables and isinstance(source, xr.Dataset):
        return source  # life tables are for the years they say
    if "period" not in source.indexes or label not in source.indexes["period"]:
        raise SchemaError(
            f"dim 'period': expected the labels of the rounds at the start of each interval, got "
            f"none {label!r}; label what is given for an interval by that round"
        )
    return source.sel(period=label, drop=True)


def _interval(
    rounds: xr.DataArray,
    dim: str,
    dates: xr.DataArray,
    k: int,
    own: dict[str, Any],
    options: dict[str, Any],
) -> xr.Dataset:
    """One interval: places with the same dates together, in the order in which they came."""
    began, ended = (dates.isel({dim: k + i}, drop=True) for i in (0, 1))
    start, end = (
        rounds.isel({dim: k + i}, drop=True).drop_vars("date", errors="ignore") for i in (0, 1)
    )

    def estimate(places: dict[Hashable, Any], first: float, last: float) -> xr.Dataset:
        before = start.sel(places).assign_coords(time=first)
        after = end.sel(places).assign_coords(time=last)
        mine = {name: _select(value, places) for name, value in own.items()}
        mine |= {name: _select(value, places) for name, value in options.items()}
        source = mine.pop("survival_or_life_table")
        result = net_migration(before, after, source, **mine)
        return result.drop_vars(["period", "age_start"])

    if not began.dims and np.isnan([began, ended]).any():
        lacks = [name for name, at in (("first", began), ("second", ended)) if np.isnan(at)]
        raise IntervalError(
            f"rounds: date: expected those of both rounds {k} and {k + 1}, got none of the "
            f"{' and '.join(lacks)}; leave out rounds without a date: rounds.sel({dim}=[...])"
        )
    if not began.dims:
        result = estimate({}, float(began), float(ended))
        return result if dim == "time" else result.assign_coords(date=float(began))
    if began.ndim > 1:
        raise SchemaError(
            f"rounds: date: expected it by {dim!r} and one other dim, got {dates.dims!r}"
        )
    place = str(began.dims[0])
    parts = []
    labels = start[place].values
    for first, last, which in _alike(began.values, ended.values):
        part = estimate({place: labels[which]}, first, last)
        widths = xr.DataArray(np.full(len(which), part["period_width"].item()), dims=place)
        dated = {"period_width": widths, "date": (place, np.full(len(which), first))}
        parts.append(part.drop_vars("period_width").assign(dated))
    if not parts:
        raise IntervalError(f"rounds: no {place} has both rounds {k} and {k + 1} with their dates")
    joined = xr.concat(parts, place, coords="minimal", compat="override", join="exact")
    return joined.reindex({place: labels}).set_coords(["period_width", "date"])


def _alike(began: Any, ended: Any) -> Iterator[tuple[float, float, Any]]:
    """Pairs of dates, and the places that have them."""
    known = ~(np.isnan(began) | np.isnan(ended))
    for first, last in sorted({*zip(began[known], ended[known], strict=True)}):
        yield float(first), float(last), np.flatnonzero((began == first) & (ended == last))


def _select(value: Any, places: dict[Hashable, Any]) -> Any:
    if not isinstance(value, xr.DataArray | xr.Dataset):
        return value
    return value.sel({dim: labels for dim, labels in places.items() if dim in value.dims})
