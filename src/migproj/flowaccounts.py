"""Flows beside what they must agree with: net migration by age, and projections of stocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import xarray as xr

from migproj._checks import (
    as_number,
    check_counts,
    check_dims,
    check_finite,
    check_labels_match,
    check_labels_of,
    check_lacks,
    check_same_places,
    check_weights,
    where,
)
from migproj._choices import check_choice
from migproj._flowchecks import FLOW, check_same_dims, of_origins, positive
from migproj.errors import IntervalError, SchemaError
from migproj.fitting import flows_from_net
from migproj.intensity import named

__all__ = ["flow_components", "flows_by_age"]


def flows_by_age(
    net: xr.DataArray,
    flows: xr.DataArray,
    schedule: xr.DataArray | None = None,
    *,
    keep: Literal["net", "both"] = "net",
    tolerance: float = 1e-10,
    max_iterations: int = 1000,
) -> xr.Dataset:
    r"""Flows between countries by sex and age that add up to each country's net migration.

    Parameters
    ----------
    net : DataArray (..., country, [sex,] age)
        Net migration (persons per period) by age at the end (:func:`net_migration`), adding up
        to 0 over countries in each cohort (:func:`reconcile`).
    flows : DataArray (..., origin, destination)
        Flows of all ages (persons per period), such as those of :func:`flows_from_stocks`; by sex
        if need be, where net migration is.
    schedule : DataArray (..., [origin,] [sex,] age), optional
        Shares of the flows by sex and age (1), or by age of flows by sex, or numbers in
        proportion. Default: the sizes of net migration of all countries added up, the ages at
        which countries gain or lose; missing where that of a country is.
    keep : {"net", "both"}, optional
        Whether net migration alone is met, or the flows of all ages too, for which lazy arrays
        are computed.
    tolerance : float
        Largest error, as a share of the largest turnover (net migration) or flow.
    max_iterations : int
        How often both may be met in turn, with "both".

    Returns
    -------
    Dataset
        ``flows`` (..., origin, destination, sex, age; persons per period); ``iterations`` (...)
        and ``margin_error`` (...; persons), the largest error left.

    Raises
    ------
    SchemaError
        If dims or values are not what is described here, the schedule (or net migration without
        one) is 0 throughout, net migration does not add up to 0 over countries, or, with "both",
        not to that of the flows over ages.
    AlignmentError
        If labels differ.

    Notes
    -----
    Of all flows with the net migration M they are those nearest to m = F s, of least
    Σ y ln(y/m) - y + m:

    .. math::
       y_{ijx} = F_{ij} s_x\, \mu_{ij}\, e^{\lambda_{jx} - \lambda_{ix}}, \qquad
       \sum_i y_{ijx} - \sum_i y_{jix} = M_{jx}

    with μ = 1 for "net", or such that Σ(x) y = F, in turn until both hold. The ages of net
    migration are kept whatever the schedule; how many move in and out at each age is from it.

    References
    ----------
    Willekens (1999), "Modeling approaches to the indirect estimation of migration flows: from
    entropy to EM", *Mathematical Population Studies* 7:239-278; Rogers, Willekens & Raymer
    (2003), "Imposing age and spatial structures on inadequate migration-flow datasets", *The
    Professional Geographer* 55:56-69.

    Examples
    --------
    >>> import migproj as mp, numpy as np, xarray as xr
    >>> places = ["A", "B", "C"]
    >>> flows = xr.DataArray([[0.0, 40, 20], [30, 0, 10], [10, 10, 0]],
    ...     dims=("origin", "destination"), coords={"origin": places, "destination": places})
    >>> net = xr.DataArray([[-10.0, -8], [6, 5], [4, 3]], dims=("country", "age"),
    ...     coords={"country": places, **mp.age_coords([0, 30])})
    >>> made = mp.flows_by_age(net, flows)["flows"]
    >>> (made.sum("origin") - made.sum("destination").values).round(6).values
    array([[-10.,  -8.],
           [  6.,   5.],
           [  4.,   3.]])
    """
    check_dims("net", net, "country", "age")
    check_finite("net", net)
    check_dims("flows", flows, *FLOW)
    check_counts("flows", flows, people=False)
    check_lacks("flows", flows, "age", "sum them over it: .sum('age')")
    check_lacks("flows", flows, "country", "its countries are those of origin and destination")
    for dim in FLOW:
        check_labels_of("flows", flows, dim, "net", net, "country", "Give 0 where nobody moves")
    check_labels_match({"net": net, "flows": flows}, net.dims)
    check_choice("keep", keep, ("net", "both"))
    positive("tolerance", tolerance)
    positive("max_iterations", max_iterations)
    if keep == "both":  # in turn until the values say that both are met
        net, flows = net.compute(), flows.compute()
    cells = [dim for dim in ("sex", "age") if dim in net.dims and dim not in flows.dims]
    of_cell = net.isel(dict.fromkeys(cells, 0), drop=True)
    check_same_places("net", of_cell, "flows", of_origins(flows))
    shares = abs(net).sum("country", skipna=False) if schedule is None else schedule
    shares = shares.compute() if keep == "both" else shares
    if schedule is not None:
        check_dims("schedule", schedule, *cells)
        check_weights("schedule", schedule, "shares")
        check_lacks("schedule", schedule, "country", ".rename(country='origin') of those who leave")
        check_labels_match({"net": net, "schedule": schedule, "flows": flows}, schedule.dims)
    _check_somebody("net" if schedule is None else "schedule", shares, cells)
    shares = shares / shares.sum(cells, skipna=False)
    if keep == "both":
        _check_agree(net, flows, cells, tolerance)
    made = flows_from_net(net, flows * shares, tolerance=tolerance)
    if keep == "both":
        made = _both(made, net, flows, cells, tolerance, max_iterations)
    made["flows"] = made["flows"].transpose(..., *FLOW, "sex", "age", missing_dims="ignore")
    over = [dim for dim in cells if dim in made["iterations"].dims]
    made["iterations"] = made["iterations"].max(over)
    made["margin_error"] = made["margin_error"].max(over, skipna=False)
    return made.assign_coords({name: c for name, c in net.coords.items() if set(c.dims) <= {"age"}})


def _check_somebody(name: str, shares: xr.DataArray, cells: Sequence[str]) -> None:
    nobody = shares.sum(cells, skipna=False) == 0
    if nobody.chunks is None and bool(nobody.any()):
        at = f" ({'; '.join(where(nobody, nobody.values))})" if nobody.ndim else ""
        what = "net migration other than 0 somewhere" if name == "net" else "a share above 0"
        mend = "; give a schedule" if name == "net" else ""
        raise SchemaError(
            f"{name}: expected {what} by {' and '.join(map(repr, cells))}, got 0 alone{at}, from "
            f"which no ages of flows follow{mend}"
        )


def _both(
    made: xr.Dataset,
    net: xr.DataArray,
    flows: xr.DataArray,
    cells: Sequence[str],
    tolerance: float,
    max_iterations: int,
) -> xr.Dataset:
    largest = flows.max(FLOW)
    error = largest
    for count in range(1, max_iterations + 1):
        total = made["flows"].sum(cells, skipna=False)
        error = abs(total - flows).max(FLOW, skipna=False)
        if bool((error <= tolerance * largest).where(error.notnull(), True).all()):
            made["flows"] = made["flows"].where(total.notnull())
            made["iterations"] = xr.full_like(made["iterations"], count)
            made["margin_error"] = made["margin_error"].where(made["margin_error"] > error, error)
            return made
        factor = (flows / total.where(total > 0)).where(total != 0, 0.0)
        made = flows_from_net(net, made["flows"] * factor, tolerance=tolerance / 10)
    raise SchemaError(
        f"flows: cannot be met together with net migration in {max_iterations} rounds: off by "
        f"{float(error.max()):g}; give a schedule nearer to the ages of net migration, a "
        "wider tolerance, or keep='net'"
    )


def _check_agree(
    net: xr.DataArray, flows: xr.DataArray, cells: Sequence[str], tolerance: float
) -> None:
    pair = flows.drop_vars(FLOW)
    into = pair.sum("origin", skipna=False).rename(destination="country")
    out = pair.sum("destination", skipna=False).rename(origin="country")
    of_ages = net.sum(cells, skipna=False).drop_vars("country")
    off = abs(of_ages - (into - out))
    flags = (off > 1e3 * tolerance * (into + out).max()).assign_coords(country=net["country"])
    if flags.chunks is None and bool(flags.any()):
        raise SchemaError(
            f"net: over ages expected the net migration of flows, got another in "
            f"{int(flags.sum())} cell(s): {'; '.join(where(flags, flags.values))}; the largest "
            f"difference is {float(off.max()):g}; reconcile them first, or keep='net'"
        )


def flow_components(
    flows: xr.DataArray, expected: xr.DataArray, *, interval: float | None = None
) -> xr.Dataset:
    r"""Arrivals and emigration of stocks by birthplace, for a projection that repeats flows.

    Parameters
    ----------
    flows : DataArray (..., origin, destination, birthplace)
        Flows (persons per period), by the age at the end if at all, as
        :func:`flows_from_stocks` makes them.
    expected : DataArray (..., country, birthplace)
        People of each stock who would be there at the end without migration (persons): the
        start less deaths, or ``expected`` of :func:`net_migration`.
    interval : float, optional
        Years of the interval. Default: the coordinate ``period_width`` of `flows`.

    Returns
    -------
    Dataset
        (..., country, birthplace, ...) ``arrivals``, ``emigrants`` and ``net_migration``, the
        first less the second (persons per period); ``emigration``, the hazard of leaving
        (1/year); and (..., origin, destination, birthplace) ``destinations``, shares of those
        who leave, for :func:`project_world`; missing where nobody does.

    Raises
    ------
    SchemaError
        If dims or values are not what is described here, or more people leave than there are.
    AlignmentError
        If labels differ.
    IntervalError
        If the interval is unknown or not positive.

    Notes
    -----
    With A who arrive, D who leave, and E expected, of a stock by the age arrived in,

    .. math::
       N_1 = E + A - D, \qquad c_x = -\tfrac{1}{n} \ln(1 - D_x / E_x), \qquad
       \mu_x = \tfrac12 (c_x + c_{x+n})

    so :func:`project_stocks` with ``net_migration`` and ``timing="end"`` gives the end from the
    start to rounding, and (end - net migration) / survival the start from the end. With
    ``arrivals`` and ``emigration`` it does so for a stock of all ages, put into the open-ended
    group; by age the hazard of a group is the mean of those of the two cohorts that pass
    through it, which agrees where they vary slowly with age. It is missing where nobody is
    expected. ``emigrants`` of a projection are more than here: some of them died in the interval.

    References
    ----------
    Abel & Cohen (2019), "Bilateral international migration flow estimates for 200 countries",
    *Scientific Data* 6:82 (the account of stocks by birthplace); Rogers (1995), *Multiregional
    Demography*, ch. 2 (hazards).

    Examples
    --------
    >>> import migproj as mp, numpy as np, xarray as xr
    >>> places = ["ARG", "BOL", "CHL"]
    >>> def stock(people):
    ...     return xr.DataArray(people, dims=("country", "birthplace"),
    ...                         coords={"country": places, "birthplace": places})
    >>> start = stock([[900.0, 50.0, 20.0], [5.0, 300.0, 2.0], [30.0, 10.0, 400.0]])
    >>> end = stock([[880.0, 80.0, 20.0], [5.0, 270.0, 2.0], [50.0, 10.0, 400.0]])
    >>> flows = mp.flows_from_stocks(start, end)["flows"]
    >>> parts = mp.flow_components(flows, start, interval=10)
    >>> bool(np.allclose(start + parts["net_migration"], end))
    True
    >>> float(parts["emigration"].sel(country="BOL", birthplace="BOL").round(4))
    0.0105
    """
    check_dims("flows", flows, *FLOW, "birthplace")
    check_counts("flows", flows, people=False)
    check_lacks("flows", flows, "country", "its countries are those of origin and destination")
    check_dims("expected", expected, "country", "birthplace")
    check_counts("expected", expected, people=False)
    for dim in FLOW:
        mend = "Give 0 where nobody moves"
        check_labels_of("flows", flows, dim, "expected", expected, "country", mend)
    check_same_dims("flows", of_origins(flows), "expected", expected)
    shared = [dim for dim in flows.dims if dim in expected.dims]
    check_labels_match({"flows": flows, "expected": expected}, shared)
    # The instant or interval of the result is that of the flows.
    expected = expected.drop_vars(["time", "date", "period", "period_width"], errors="ignore")
    years = _years(flows, interval)
    # What else is known of places is that of the people expected.
    beside = [n for n, c in flows.coords.items() if n not in FLOW and {*c.dims} & {*FLOW}]
    flows, expected = flows.drop_vars(beside).astype(np.float64), expected.astype(np.float64)
    into = flows.sum("origin", skipna=False).rename(destination="country")
    out = flows.sum("destination", skipna=False).rename(origin="country")
    kept = 1.0 - out / expected.where(expected > 0)
    _check_enough((kept <= 0) | (out > 0) & (expected == 0))
    hazard = xr.DataArray(np.log(1.0 / kept)) / years  # 0, not -0, where nobody leaves
    if "age" in hazard.dims:
        older = hazard.shift(age=-1)
        closed = xr.DataArray(np.arange(hazard.sizes["age"]) < hazard.sizes["age"] - 1, dims="age")
        hazard = ((hazard + older) / 2).where(closed, hazard)
    order = expected.dims
    found = {
        "arrivals": into,
        "emigrants": out,
        "net_migration": into - out,
        "emigration": hazard,
    }
    made = {
        name: named(a.transpose(..., *order, missing_dims="ignore"), name)
        for name, a in found.items()
    }
    leaving = flows.sum("destination", skipna=False)
    shares = (flows / leaving.where(leaving > 0)).transpose(*flows.dims)
    made["destinations"] = named(shares, "destinations")
    return xr.Dataset(made)


def _years(flows: xr.DataArray, interval: float | None) -> xr.DataArray:
    width = flows.coords.get("period_width")
    if interval is None and width is None:
        raise IntervalError(
            "interval: unknown, for flows has no coordinate 'period_width'; pass interval=10"
        )
    years = width.drop_vars("period_width") if interval is None and width is not None else None
    years = as_number("interval", interval) if years is None else years
    check_labels_match({"flows": flows, "interval": years}, years.dims)
    if not bool((years > 0).all()):
        raise IntervalError(f"interval: expected years above 0, got {years.values.tolist()!r}")
    return years


def _check_enough(none_left: xr.DataArray) -> None:
    if none_left.chunks is None and bool(none_left.any()):
        raise SchemaError(
            f"flows: as many people leave as are expected, or more, in {int(none_left.sum())} "
            f"cell(s): {'; '.join(where(none_left, none_left.values))}; no hazard has them leave: "
            "give expected before migration, and flows of the same period"
        )
