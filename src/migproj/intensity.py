"""Rates of migration, its effectiveness and its age profile."""

from __future__ import annotations

import numpy as np
import xarray as xr

from migproj._checks import (
    check_counts,
    check_dims,
    check_finite,
    check_labels_match,
    check_rates,
)
from migproj.ages import groups_of
from migproj.conventions import VARIABLES
from migproj.errors import SchemaError
from migproj.survival import interval_between

__all__ = ["age_profile", "effectiveness", "net_migration_rate"]


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
    return named(net / lived.where(lived > 0), "net_migration_rate")


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
    return named((arrivals - departures) / both.where(both > 0), "effectiveness")


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
        ``peak_rate`` (1/year) of the largest rate from age 15 to 64, ``peak_share``, the share
        of the sum in the five years on each side of that age; and from 15 to 64 ``rise_age``
        and ``rise`` (1/year²), where the rate is most above that of the group before, per year
        between their middles, up to the peak, ``fall_age`` and ``fall`` (1/year², positive)
        of the largest fall after it, and ``asymmetry``, rise over fall.

    Raises
    ------
    SchemaError
        If `rate` is not of rates by age, or has no age from 15 to 64.

    Notes
    -----
    .. math:: GMR = \sum_x n_x m_x

    The ages of rise and fall are lower bounds of the groups arrived in; they are missing where
    the rate nowhere rises before the peak or falls after it. The open-ended group counts for as
    many years as the group before it. Children follow their parents, so that the peak is looked
    for among adults of working age.

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
    middle = xr.DataArray(list(groups.lower), dims="age", coords={"age": rate["age"]}) + years / 2
    slope = (adult - adult.shift(age=1)) / (middle - middle.shift(age=1))
    for name, way, part in (("rise", 1, rates["age"] <= peak_age), ("fall", -1, None)):
        steep = (way * slope).where(part if part is not None else rates["age"] > peak_age)
        some = (steep > 0).any("age") & known
        found[name] = steep.max("age").where(some)
        found[f"{name}_age"] = steep.fillna(0.0).idxmax("age").where(some)
    found["asymmetry"] = found["rise"] / found["fall"]
    return xr.Dataset({name: named(array, name) for name, array in found.items()})


def named(array: xr.DataArray, name: str) -> xr.DataArray:
    """The array under a name of the conventions, with its units and meaning."""
    spec = VARIABLES[name]
    return array.rename(name).assign_attrs(units=spec.units, long_name=spec.meaning)
