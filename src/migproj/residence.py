"""Migration from census questions: residence some years before, and year of arrival."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import xarray as xr

from migproj._checks import (
    check_counts,
    check_dims,
    check_labels_match,
    check_labels_of,
    check_lacks,
    check_made_for,
    check_survival,
    check_table,
    where,
)
from migproj.ages import groups_of
from migproj.conventions import VARIABLES
from migproj.dates import instant_of, year_of
from migproj.errors import AlignmentError, IntervalError, SchemaError
from migproj.survival import ratios_of, years_above_zero

__all__ = ["residence_migration", "restore_arrivals"]


def residence_migration(
    table: xr.DataArray,
    survival: xr.DataArray | None = None,
    *,
    interval: float | None = None,
) -> xr.Dataset:
    r"""In-, out- and net migration from residence at a fixed date before the census.

    Parameters
    ----------
    table : DataArray (..., origin, destination[, age])
        People (persons) at the census by residence then (``destination``) and `interval` years
        before (``origin``). ``destination`` has the labels of ``origin``, in the same order.
        By age at the census, those born since are not asked: their groups hold nobody.
    survival : DataArray (..., [origin,] age), optional
        Survival ratios over the interval by the group arrived in (:func:`survival_ratios`), by
        residence at its start or for all. With them those who moved and died before the census
        are restored.
    interval : float, optional
        Years asked about. Default: the scalar coordinate ``period_width`` of `survival`.

    Returns
    -------
    Dataset
        (..., place[, age]; persons per period) ``in_migrants``, ``out_migrants`` and
        ``net_migration``, and the ``flows`` (..., origin, destination[, age]) they come from;
        with the scalar coordinate ``period_width`` where the interval is known.

    Raises
    ------
    SchemaError, AlignmentError
        If dims, labels or values are not what is described here.
    IntervalError
        If `survival` is made for another interval.

    Notes
    -----
    Without survival the flows are those of survivors, as counted. With it a flow F of the group
    x is F / √S(x): movers lived through half the interval after they moved, on average. People
    who moved and came back in the interval are not counted, those who moved twice are counted
    once.

    References
    ----------
    UN (1970), *Manual VI: Methods of Measuring Internal Migration*, ch. I (residence at a fixed
    prior date); Shryock & Siegel (1976), *The Methods and Materials of Demography*, ch. 21;
    Rees, Bell, Duke-Williams & Blake (2000), "Problems and solutions in the measurement of
    migration intensities", *Population Studies* 54:207-222.

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> places = ["north", "south"]
    >>> table = xr.DataArray([[900.0, 100.0], [40.0, 500.0]], dims=("origin", "destination"),
    ...     coords={"origin": places, "destination": places})
    >>> result = mp.residence_migration(table, interval=5)
    >>> result["net_migration"].values
    array([-60.,  60.])
    """
    check_dims("table", table, "origin", "destination")
    check_counts("table", table)
    check_lacks("table", table, "place", "its places are those of origin and destination")
    if "origin" not in table.indexes:
        raise SchemaError(
            "table: dim 'origin' has no labels; nothing is aligned by position: "
            "table.assign_coords(origin=[...], destination=[...])"
        )
    mend = "give all places as origin and as destination; select the people who answered"
    check_labels_of("table", table, "destination", "table", table, "origin", mend)
    years = None if interval is None else years_above_zero(interval)
    flows = table.astype(float)
    if survival is not None:
        years = _check_survival(survival, table, years)
        flows = flows / survival.drop_vars("age_start", errors="ignore") ** 0.5
        flows = flows.transpose(*table.dims, ...)
    across = flows["origin"] != flows["destination"]
    moved = flows.where(across, 0.0)
    pair = {"origin", "destination"}
    beside = [n for n, c in moved.coords.items() if n not in pair and {*c.dims} & pair]
    plain = moved.drop_vars(beside)  # of origins or of destinations, so not of both as places
    come = plain.sum("origin", skipna=False).rename(destination="place")
    left = plain.sum("destination", skipna=False).rename(origin="place")
    found = {
        "in_migrants": come,
        "out_migrants": left,
        "net_migration": come - left,
        "flows": moved.transpose(*flows.dims),
    }
    made = {
        name: array.rename(name).assign_attrs(units=VARIABLES[name].units)
        for name, array in found.items()
    }
    result = xr.Dataset(made).drop_vars(["time", "date"], errors="ignore")
    return result if years is None else result.assign_coords(period_width=years)


def _check_survival(survival: xr.DataArray, table: xr.DataArray, years: float | None) -> float:
    """Ratios for the ages and the interval of the table; returns the interval."""
    check_dims("table", table, "age")
    check_dims("survival", survival, "age")
    check_survival("survival", survival)
    check_labels_match({"table": table, "survival": survival}, dims=survival.dims)
    if groups_of(survival, "survival") != groups_of(table, "table"):
        raise AlignmentError(
            "survival: dim 'age': expected the age groups of table; mp.survival_ratios(life_table, "
            "ages=table, interval=...) makes them"
        )
    _check_alive("table", table, survival)
    width = survival.coords.get("period_width")
    if years is None and width is None:
        raise IntervalError("interval: unknown, for survival does not say its own; pass interval=5")
    if years is None and width is not None:
        return float(width)
    check_made_for("survival", survival, float(years or 0))
    return float(years or 0)


def _check_alive(name: str, people: xr.DataArray, survival: xr.DataArray) -> None:
    """Nobody is counted in a group that nobody lives to see."""
    odd = (people.drop_vars("age_width", errors="ignore") > 0) & (survival == 0)
    if odd.chunks is None and bool(odd.any()):
        cells = "; ".join(where(odd, odd.values))
        raise SchemaError(
            f"{name}: expected nobody where survival is 0, got people in {int(odd.sum())} cell(s): "
            f"{cells}; regroup the ages to an open-ended group that people live to see"
        )


def restore_arrivals(stock: xr.DataArray, life_table: xr.Dataset) -> xr.DataArray:
    r"""Arrivals by period, from a stock by period of arrival: those who died since restored.

    Parameters
    ----------
    stock : DataArray (..., period, age)
        People from abroad (persons) at a census by period of arrival and age at the census.
        ``period`` is labelled by the start of each, with the coordinate ``period_width`` or
        until the next, the last until the census. The scalar coordinate ``time`` or ``date``
        says when the census was. Period and age of arrival not stated are to be left out, or
        shared out before.
    life_table : Dataset with ``lx`` and ``Tx`` (..., age)
        Mortality since arrival (:func:`life_table`).

    Returns
    -------
    DataArray "arrivals" (..., period, age)
        People who arrived in each period (persons per period), by the age they would have at
        the census; those who left again are not there.

    Raises
    ------
    SchemaError, AlignmentError
        If dims, labels or values are not what is described here.
    IntervalError
        If the census has no date, or periods end after it.

    Notes
    -----
    Those of a period came on average in its middle, τ years before the census:

    .. math:: A = N / S, \quad S = \frac{T(x) - T(x+w)}{T(x-τ) - T(x+w-τ)}

    with ages at arrival of 0 or more; children who were born since then on average are taken
    from their birth.

    References
    ----------
    UN (1970), *Manual VI: Methods of Measuring Internal Migration*, ch. I (duration of
    residence); UN (1980), *National Data Sources and Programmes for Implementing the United
    Nations Recommendations on Statistics of International Migration*.

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> mx = xr.DataArray([0.02, 0.001, 0.001, 0.04], dims="age",
    ...                   coords=mp.age_coords(["0", "1-4", "5-39", "40+"]))
    >>> table = mp.life_table(mx.assign_coords(sex="female"))
    >>> stock = xr.DataArray([[10.0, 80.0, 30.0], [20.0, 90.0, 10.0]], dims=("period", "age"),
    ...     coords={"period": [1980, 1990], **mp.age_coords(["0-4", "5-39", "40+"])})
    >>> mp.restore_arrivals(stock.assign_coords(time=2000), table).round(1).values
    array([[10.2, 81.2, 48.1],
           [20.4, 90.4, 12. ]])
    """
    check_dims("stock", stock, "period", "age")
    check_counts("stock", stock)
    check_table("life_table", life_table, "lx", "Tx")
    tables = {"stock": stock, "life_table": life_table["Tx"]}
    check_labels_match(tables, dims=[dim for dim in stock.dims if dim != "age"])
    census = instant_of(stock, "stock")
    if census is None:
        raise IntervalError(
            "stock: expected a scalar coordinate 'time' or 'date' with the day of the census: "
            "stock.assign_coords(date='2001-11-17')"
        )
    began, ended = _periods(stock, census)
    groups = groups_of(stock, "stock")
    lower, upper = np.array(groups.lower, dtype=float), np.array(groups.upper)
    ratios = []
    for ago in census - (began + ended) / 2:
        born = upper <= ago
        # Of a group with people born since, those who were there to come.
        oldest = np.where(born, lower, np.maximum(lower, ago))
        before = [np.where(born, np.nan, np.maximum(edge - ago, 0.0)) for edge in (lower, upper)]
        ratios.append(ratios_of(life_table, oldest, upper, *before))
    survival = xr.concat(ratios, "period").transpose(..., "period", "age")
    _check_alive("stock", stock, survival)
    arrivals = stock.drop_vars(["time", "date"], errors="ignore") / survival
    return (
        arrivals.transpose(*stock.dims, ...)
        .rename("arrivals")
        .assign_attrs(units=VARIABLES["arrivals"].units)
    )


def _periods(stock: xr.DataArray, census: float) -> tuple[npt.NDArray[np.float64], ...]:
    """Starts and ends of the periods of arrival."""
    if "period" not in stock.coords:
        raise SchemaError(
            "stock: dim 'period' has no labels; label each period of arrival by its start: "
            "stock.assign_coords(period=[...])"
        )
    began = np.array([year_of(label, "stock", "period") for label in stock["period"].values])
    ended = np.append(began[1:], census)
    if "period_width" in stock.coords:
        ended = began + np.broadcast_to(stock["period_width"].values, began.shape)
    if (np.diff(began) <= 0).any() or (ended <= began).any() or ended.max() > census + 0.01:
        raise IntervalError(
            f"stock: dim 'period': expected periods in order that end by the census, at "
            f"{census:g}, got {began[:5].tolist()} to {float(ended.max()):g}"
        )
    return began, ended
