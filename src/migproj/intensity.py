"""Rates of migration, and indices of its intensity, impact and age profile."""

from __future__ import annotations

from typing import Final

import numpy as np
import xarray as xr

from migproj._checks import (
    check_counts,
    check_dims,
    check_finite,
    check_labels_match,
    check_labels_of,
    check_rates,
)
from migproj.ages import groups_of
from migproj.conventions import VARIABLES
from migproj.errors import SchemaError
from migproj.survival import interval_between

__all__ = ["age_profile", "effectiveness", "flow_indices", "net_migration_rate"]

_FLOW: Final = ("origin", "destination")
#: Rounds of fitting margins, and the change at which they fit.
_ROUNDS: Final = 1000
_FITTED: Final = 1e-12


def net_migration_rate(
    net: xr.DataArray,
    start: xr.DataArray,
    end: xr.DataArray,
    *,
    interval: float | None = None,
) -> xr.DataArray:
    r"""Net migration per person-year lived in the interval.

    Parameters
    ----------
    net : DataArray (...)
        Net migration (persons per period). Summed over ``age`` first it gives crude rates.
    start, end : DataArray (...)
        Population (persons) at the two rounds, in the groups of `net`.
    interval : float, optional
        Years between the rounds. Default: from the scalar coordinate ``time`` or ``date`` of
        both.

    Returns
    -------
    DataArray "net_migration_rate" (...)
        Rate (1/year). Missing where nobody lived.

    Raises
    ------
    SchemaError
        If dims or values are not what is described here.
    AlignmentError
        If labels differ.
    IntervalError
        If the interval is unknown or not positive.

    Notes
    -----
    .. math:: m = \frac{M}{t\,(P_0 + P_1)/2}

    The exposure is that of the place and group as counted at both ends, not of a cohort.

    References
    ----------
    Shryock & Siegel (1976), *The Methods and Materials of Demography*, ch. 20 and 21; UN (1970),
    *Manual VI*, ch. IV.

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> net, start, end = (xr.DataArray(float(x)) for x in (50, 900, 1100))
    >>> float(mp.indicators.net_migration_rate(net, start, end, interval=10))
    0.005
    """
    for name, array in (("net", net), ("start", start), ("end", end)):
        check_dims(name, array)
        check_finite(name, array)
    for name, array in (("start", start), ("end", end)):
        check_counts(name, array)
    years = interval_between(start, end, interval)
    own = ["time", "date"]
    first, last = (array.drop_vars(own, errors="ignore") for array in (start, end))
    check_labels_match({"net": net, "start": first, "end": last}, dims=first.dims)
    lived = years * (first + last) / 2
    return _named(net / lived.where(lived > 0), "net_migration_rate")


def effectiveness(arrivals: xr.DataArray, departures: xr.DataArray) -> xr.DataArray:
    r"""Effectiveness of migration: the balance as a share of all moves.

    Parameters
    ----------
    arrivals, departures : DataArray (...)
        In- and out-migrants (persons per period).

    Returns
    -------
    DataArray "effectiveness" (...)
        From -1 (all leave) to 1 (all arrive). Missing where nobody moved.

    Raises
    ------
    SchemaError
        If the inputs are not counts.
    AlignmentError
        If labels differ.

    Notes
    -----
    .. math:: E = (I - O) / (I + O)

    References
    ----------
    Thomas (1941), *Research Memorandum on Migration Differentials*; Bell et al. (2002),
    "Cross-national comparison of internal migration", *JRSS A* 165:435-464.

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> float(mp.indicators.effectiveness(xr.DataArray(60.0), xr.DataArray(40.0)))
    0.2
    """
    for name, array in (("arrivals", arrivals), ("departures", departures)):
        check_dims(name, array)
        check_counts(name, array, people=False)
    check_labels_match({"arrivals": arrivals, "departures": departures}, dims=arrivals.dims)
    both = arrivals + departures
    return _named((arrivals - departures) / both.where(both > 0), "effectiveness")


def flow_indices(flows: xr.DataArray, population: xr.DataArray) -> xr.Dataset:
    r"""Intensity, impact and spread of the flows between places.

    Parameters
    ----------
    flows : DataArray (..., origin, destination)
        Movers or moves (persons per period). From a place to itself nothing is read.
    population : DataArray (..., origin)
        Population at risk (persons) of each place.

    Returns
    -------
    Dataset
        (...) ``crude_intensity`` (movers per person of the period), ``courgeau_k``,
        ``aggregate_effectiveness``, ``net_intensity`` (people redistributed per person),
        ``connectivity`` (share of pairs with any flow), ``inequality`` (half the absolute
        difference from equal shares of all pairs), ``dissimilarity`` (from the flows that
        totals in and out alone would give) and ``gini`` (of all pairs).

    Raises
    ------
    SchemaError
        If dims or values are not what is described here, or there is no flow at all.
    AlignmentError
        If the labels of origin, destination and population differ.

    Notes
    -----
    With M movers in all, P people, n places, and the balance and turnover of each place:

    .. math::
       CMI = \frac{M}{P}, \quad k = \frac{CMI}{\ln n^2}, \quad
       MEI = \frac{\sum |I - O|}{\sum (I + O)}, \quad ANMR = \frac{\sum |I - O|}{2P}

    The flows that totals alone would give are those of quasi-independence: a(i) b(j) off the
    diagonal with the same totals, by iterative proportional fitting. The Gini index is of the
    n (n - 1) pairs, without the correction m/(m - 1) for their number.

    References
    ----------
    Bell, Blake, Boyle, Duke-Williams, Rees, Stillwell & Hugo (2002), "Cross-national comparison
    of internal migration: issues and measures", *JRSS A* 165:435-464; Courgeau (1973),
    "Migrants et migrations", *Population* 28:95-129; Plane & Mulligan (1997), "Measuring spatial
    focusing in a migration system", *Demography* 34:251-262.

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> places = ["north", "south", "west"]
    >>> flows = xr.DataArray([[0.0, 30, 10], [10, 0, 10], [20, 20, 0]], dims=("origin",
    ...     "destination"), coords={"origin": places, "destination": places})
    >>> people = xr.DataArray([400.0, 300, 300], dims="origin", coords={"origin": places})
    >>> indices = mp.indicators.flow_indices(flows, people)
    >>> float(indices["crude_intensity"]), float(indices["aggregate_effectiveness"])
    (0.1, 0.3)
    """
    check_dims("flows", flows, *_FLOW)
    check_counts("flows", flows, people=False)
    check_dims("population", population, "origin")
    check_counts("population", population, people=False)
    if "origin" not in flows.indexes:
        raise SchemaError("flows: dim 'origin' has no labels: flows.assign_coords(origin=[...])")
    mend = "give all places as origin and as destination, with 0 where nobody moves"
    check_labels_of("flows", flows, "destination", "flows", flows, "origin", mend)
    check_labels_match({"flows": flows, "population": population}, dims=["origin"])
    n = flows.sizes["origin"]
    pair = xr.DataArray(~np.eye(n, dtype=bool), dims=_FLOW)
    moves = flows.where(pair, 0.0).astype(np.float64)
    total = moves.sum(_FLOW, skipna=False)
    if total.chunks is None and bool((total == 0).any()):
        raise SchemaError("flows: expected some moves between places, got none; check the dims")
    out = moves.sum("destination", skipna=False).drop_vars("origin").rename(origin="place")
    into = moves.sum("origin", skipna=False).drop_vars("destination").rename(destination="place")
    people = population.sum("origin", skipna=False)
    balance = abs(into - out).sum("place", skipna=False)
    intensity = total / people
    even = abs(moves / total - 1.0 / (n * (n - 1))).where(pair, 0.0)
    expected = xr.apply_ufunc(
        _quasi_independent,
        moves,
        input_core_dims=[_FLOW],
        output_core_dims=[_FLOW],
        dask="parallelized",
        output_dtypes=[float],
    )
    gini = xr.apply_ufunc(
        _gini, moves, input_core_dims=[_FLOW], dask="parallelized", output_dtypes=[float]
    )
    found = {
        "crude_intensity": intensity,
        "courgeau_k": intensity / np.log(float(n) ** 2),
        "aggregate_effectiveness": balance / (into + out).sum("place", skipna=False),
        "net_intensity": balance / 2 / people,
        "connectivity": (moves > 0).sum(_FLOW) / (n * (n - 1)),
        "inequality": even.sum(_FLOW, skipna=False) / 2,
        "dissimilarity": abs(moves - expected).sum(_FLOW, skipna=False) / 2 / total,
        "gini": gini,
    }
    return xr.Dataset({name: _named(array, name) for name, array in found.items()})


def age_profile(rate: xr.DataArray) -> xr.Dataset:
    r"""Level and peak of an age profile of migration.

    Parameters
    ----------
    rate : DataArray (..., age)
        Migration rates or probabilities (1/year) by single years or groups of ages.

    Returns
    -------
    Dataset
        (...) ``gross_migraproduction`` (the sum over ages, each times its width; moves of a
        lifetime without deaths), ``peak_age`` (years; lower bound of the group) and
        ``peak_rate`` (1/year) of the largest rate from age 15 to 64, and ``peak_share``, the
        share of the sum in the five years on each side of that age.

    Raises
    ------
    SchemaError
        If `rate` is not of rates by age, or has no age from 15 to 64.

    Notes
    -----
    .. math:: GMR = \sum_x n_x m_x

    The open-ended group counts for as many years as the group before it. Children follow
    their parents, so that the peak is looked for among adults of working age.

    References
    ----------
    Rogers & Castro (1981), *Model Migration Schedules*, IIASA RR-81-30; Bell & Muhidin (2009),
    *Cross-National Comparison of Internal Migration*, UNDP; Bernard, Bell & Charles-Edwards
    (2014), "Life-course transitions and the age profile of internal migration", *Population
    and Development Review* 40:213-239.

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> rate = xr.DataArray([0.02, 0.08, 0.03, 0.01], dims="age",
    ...                     coords=mp.age_coords(["0-14", "15-29", "30-64", "65-79"]))
    >>> profile = mp.indicators.age_profile(rate)
    >>> round(float(profile["gross_migraproduction"]), 3), int(profile["peak_age"])
    (2.7, 15)
    """
    check_dims("rate", rate, "age")
    check_rates("rate", rate)
    groups = groups_of(rate, "rate")
    widths = list(groups.width)
    if groups.is_open:
        widths[-1] = widths[-2] if len(widths) > 1 else 1.0
    years = xr.DataArray(widths, dims="age", coords={"age": rate["age"]})
    working = (rate["age"] >= 15) & (rate["age"] < 65)
    if not bool(working.any()):
        raise SchemaError(
            f"rate: dim 'age': expected ages from 15 to 64, got {', '.join(groups.labels[:8])}"
        )
    rates = rate.drop_vars("age_width", errors="ignore").astype(np.float64)
    level = (rates * years).sum("age", skipna=False)
    adult = rates.where(working, drop=True)
    known = adult.notnull().all("age")
    peak_age = adult.fillna(0.0).idxmax("age").where(known)
    near = abs(rates["age"] - peak_age) <= 5
    found = {
        "gross_migraproduction": level,
        "peak_age": peak_age,
        "peak_rate": adult.max("age", skipna=False),
        "peak_share": (rates * years).where(near, 0.0).sum("age", skipna=False).where(known)
        / level.where(level > 0),
    }
    return xr.Dataset({name: _named(array, name) for name, array in found.items()})


def _named(array: xr.DataArray, name: str) -> xr.DataArray:
    spec = VARIABLES[name]
    return array.rename(name).assign_attrs(units=spec.units, long_name=spec.meaning)


def _quasi_independent(moves: np.ndarray) -> np.ndarray:
    """Flows with the same totals in and out and no other pattern, none within a place."""
    n = moves.shape[-1]
    fitted = np.broadcast_to(~np.eye(n, dtype=bool), moves.shape).astype(float)
    out, into = moves.sum(-1, keepdims=True), moves.sum(-2, keepdims=True)
    for _ in range(_ROUNDS):
        rows = fitted.sum(-1, keepdims=True)
        fitted = fitted * np.divide(out, rows, out=np.zeros_like(rows), where=rows > 0)
        columns = fitted.sum(-2, keepdims=True)
        factor = np.divide(into, columns, out=np.zeros_like(columns), where=columns > 0)
        fitted = fitted * factor
        if not (np.abs(factor - 1.0)[columns > 0] > _FITTED).any():
            break
    return np.where(np.isnan(moves.sum((-1, -2), keepdims=True)), np.nan, fitted)


def _gini(moves: np.ndarray) -> np.ndarray:
    """Half the mean absolute difference of all pairs, relative to the mean."""
    n = moves.shape[-1]
    flat = np.sort(moves[..., ~np.eye(n, dtype=bool)], axis=-1)
    m = flat.shape[-1]
    rank = 2.0 * np.arange(1, m + 1) - m - 1.0
    result: np.ndarray = (flat * rank).sum(-1) / (m * flat.sum(-1))
    return result
