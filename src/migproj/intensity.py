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
from migproj._choices import plain_number
from migproj.ages import groups_of
from migproj.conventions import VARIABLES
from migproj.errors import SchemaError
from migproj.rogerscastro import components_of
from migproj.survival import interval_between

__all__ = ["age_profile", "effectiveness", "net_migration_rate", "schedule_profile"]


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
    first, last = (
        array.drop_vars(own, errors="ignore").astype(np.float64) for array in (start, end)
    )
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
    arrivals, departures = (array.astype(np.float64) for array in (arrivals, departures))
    both = arrivals + departures
    return named((arrivals - departures) / both.where(both > 0), "effectiveness")


def age_profile(rate: xr.DataArray, *, breadth: float = 5.0) -> xr.Dataset:
    r"""Level and peak of an age profile of migration.

    Parameters
    ----------
    rate : DataArray (..., age)
        Migration rates or probabilities (1/year) by single years or groups of ages.
    breadth : float, default 5.0
        Years on each side of the peak that are counted to it.

    Returns
    -------
    Dataset
        (...) ``gross_migraproduction`` (the sum over ages, each times its width; moves of a
        lifetime without deaths), ``peak_age`` (years; lower bound of the group) and
        ``peak_rate`` (1/year) of the largest rate from age 15 to 64, ``peak_breadth``, the sum
        over the ages within `breadth` years of that age, each times its width, and
        ``peak_share``, its share of the whole; and from 15 to 64 ``rise_age``
        and ``rise`` (1/year²), where the rate is most above that of the group before, per year
        between their middles, up to the peak, ``fall_age`` and ``fall`` (1/year², positive)
        of the largest fall after it, and ``asymmetry``, rise over fall.

    Raises
    ------
    SchemaError
        If `rate` is not of rates by age, or has no age from 15 to 64; if `breadth` is below 0.

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
    if not 0 <= plain_number("breadth", breadth, "years of 0 or more") < np.inf:
        raise SchemaError(f"breadth: expected years of 0 or more, got {breadth!r}")
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
            f"rate: dim 'age': expected ages from 15 to 64, got {', '.join(groups.labels[:8])}; "
            "give rates of these ages, from which the peak is told"
        )
    rates = rate.drop_vars("age_width", errors="ignore").astype(np.float64)
    level = (rates * years).sum("age", skipna=False)
    adult = rates.where(working, drop=True)
    known = adult.notnull().all("age")
    peak_age = adult.fillna(0.0).idxmax("age").where(known)
    near = abs(rates["age"] - peak_age) <= breadth
    broad = (rates * years).where(near, 0.0).sum("age", skipna=False).where(known)
    found = {
        "gross_migraproduction": level,
        "peak_age": peak_age,
        "peak_rate": adult.max("age", skipna=False),
        "peak_breadth": broad,
        "peak_share": broad / level.where(level > 0),
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


def schedule_profile(parameters: xr.DataArray) -> xr.Dataset:
    r"""What the parameters of a model migration schedule say of its shape.

    Parameters
    ----------
    parameters : DataArray (..., parameter)
        As for :func:`~migproj.rogers_castro`.

    Returns
    -------
    Dataset
        (...) ``peaking`` (years), the parameter mu2, and ``labour_peak_age`` (years), where the
        component of the labour force is highest; ``child_dependency`` and its inverse
        ``labour_dependency``, children's level over the labour force's; ``labour_asymmetry``, its
        slope of rise over that of fall; ``regularity``, children's slope over that of their
        parents' fall; and, of schedules that have it, ``retirement_asymmetry``. Missing where
        what is divided by is 0.

    Raises
    ------
    SchemaError
        If labels of parameters are missing, unknown or repeated, or a parameter is infinite.

    Notes
    -----
    .. math::
       \mu_2, \quad \mu_2 + \frac{\ln(\lambda_2 / \alpha_2)}{\lambda_2}, \quad
       \frac{a_1}{a_2}, \quad \frac{a_2}{a_1}, \quad \frac{\lambda_2}{\alpha_2}, \quad
       \frac{\alpha_1}{\alpha_2}, \quad \frac{\lambda_3}{\alpha_3}

    A schedule peaks years above mu2, at the second of these but for the other components.
    Levels and ages of the whole curve are those of ``age_profile(rogers_castro(...))``.

    References
    ----------
    Rogers & Castro (1981), *Model Migration Schedules*, IIASA RR-81-30.

    Examples
    --------
    >>> import migproj as mp
    >>> models = mp.datasets.load("rogers_castro_models")["parameters"]
    >>> profile = mp.indicators.schedule_profile(models.sel(schedule="fundamental", sex="male"))
    >>> float(profile["peaking"]), round(float(profile["labour_peak_age"]), 2)
    (20.0, 23.47)
    """
    check_dims("parameters", parameters, "parameter")
    check_finite("parameters", parameters)
    components_of(parameters)
    have = parameters.indexes["parameter"]
    p = {label: parameters.sel(parameter=label, drop=True).astype(np.float64) for label in have}
    ratio = _over(p["lambda2"], p["alpha2"])
    rises = ratio.where(ratio > 0)
    steps = rises.copy(data=np.log(rises.data))
    found = {
        "peaking": p["mu2"],
        "labour_peak_age": p["mu2"] + _over(steps, p["lambda2"]),
        "child_dependency": _over(p["a1"], p["a2"]),
        "labour_dependency": _over(p["a2"], p["a1"]),
        "labour_asymmetry": ratio,
        "regularity": _over(p["alpha1"], p["alpha2"]),
    }
    if "a3" in p:
        found["retirement_asymmetry"] = _over(p["lambda3"], p["alpha3"])
    return xr.Dataset({name: named(array, name) for name, array in found.items()})


def _over(above: xr.DataArray, below: xr.DataArray) -> xr.DataArray:
    return above / below.where(below != 0)


def named(array: xr.DataArray, name: str) -> xr.DataArray:
    """The array under a name of the conventions, with its units and meaning."""
    spec = VARIABLES[name]
    return array.rename(name).assign_attrs(units=spec.units, long_name=spec.meaning)
