"""Mirror statistics: a country's emigrants are counted by the others."""

from __future__ import annotations

from typing import Literal

import numpy as np
import xarray as xr

from migproj._checks import (
    as_number,
    check_counts,
    check_dims,
    check_labels_match,
    check_weights,
    where,
)
from migproj._choices import check_choice, check_flag
from migproj._flowchecks import FLOW, STOCK, check_same_dims
from migproj.conventions import VARIABLES
from migproj.errors import AlignmentError, SchemaError
from migproj.intensity import named

__all__ = ["emigrants", "reconcile_reports"]


def emigrants(
    stocks: xr.DataArray, *, reference: xr.DataArray | None = None, disjoint: bool = False
) -> xr.Dataset:
    r"""Natives of each country abroad, from the counts of the countries where they live.

    Parameters
    ----------
    stocks : DataArray (..., country, birthplace)
        People (persons) of each country of residence by birthplace; missing where a country does
        not report. Natives at home, where country and birthplace have one label, are not read.
    reference : DataArray (country, birthplace), optional
        Stocks of another source or round, complete, from which coverage is taken.
    disjoint : bool, optional
        That no country is meant to be one of the birthplaces, as with Latin Americans in Europe.

    Returns
    -------
    Dataset
        (..., birthplace) ``natives_abroad`` (persons), over the countries that report;
        ``n_destinations`` that report and ``n_destinations_missing``; with `reference`,
        ``coverage``, the share of the natives abroad there who live in countries that report
        here. Where no country reports natives abroad are missing, and coverage is 0.

    Raises
    ------
    SchemaError
        If dims or values are not what is described here.
    AlignmentError
        If no label of country is one of birthplace, unless `disjoint`; if the labels of
        `reference` differ.

    Notes
    -----
    .. math:: E_b = \sum_{c \ne b,\, c \in R_b} N_{c,b}, \qquad
       \text{coverage}_b = \sum_{c \in R_b} N'_{c,b} \Big/ \sum_{c \ne b} N'_{c,b}

    with R the countries that report natives of b. It is a lower bound, not an estimate: whoever
    lives in a country that does not count them is not in it, and censuses differ in their dates,
    in whom they take for a resident and in what they call a birthplace. E / coverage would be an
    estimate if the missing countries had kept their share.

    References
    ----------
    Martínez Pizarro & Villa (2005), *International Migration in Latin America and the
    Caribbean*, ECLAC/CELADE (the IMILA project: emigrants by the censuses of other countries).

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> places = ["ARG", "BOL", "CHL"]
    >>> nan = float("nan")
    >>> stocks = xr.DataArray([[nan, 230.0, 210.0], [nan, nan, nan], [50.0, 12.0, nan]],
    ...     dims=("country", "birthplace"), coords={"country": places, "birthplace": places})
    >>> result = mp.emigrants(stocks)
    >>> result["natives_abroad"].values
    array([ 50., 242., 210.])
    >>> result["n_destinations_missing"].values  # Bolivia counts neither
    array([1, 0, 1])
    """
    away = away_of(stocks, "stocks", disjoint)
    reported = stocks.notnull() & away
    found = {
        "natives_abroad": stocks.where(away).astype(float).sum("country", min_count=1),
        "n_destinations": reported.sum("country"),
        "n_destinations_missing": (stocks.isnull() & away).sum("country"),
    }
    if reference is not None:
        check_dims("reference", reference, *STOCK)
        check_counts("reference", reference)
        check_labels_match({"stocks": stocks, "reference": reference}, reference.dims)
        check_dims_of("reference", reference, stocks)
        # It may be of another instant than the stocks, which the result is of.
        there = reference.reset_coords(drop=True).where(away, 0.0).astype(float)
        seen = there.where(reported, 0.0).where(there.notnull())
        share = seen.sum("country", skipna=False) / there.sum("country", skipna=False)
        found["coverage"] = share.transpose(*found["natives_abroad"].dims)
    return xr.Dataset({name: named(array, name) for name, array in found.items()})


def reconcile_reports(
    by_destination: xr.DataArray,
    by_origin: xr.DataArray,
    *,
    reliability_of_destination: float | xr.DataArray = 1.0,
    reliability_of_origin: float | xr.DataArray = 1.0,
    scale: Literal["counts", "logs"] = "counts",
) -> xr.Dataset:
    r"""One matrix from two: what destinations report, and what origins report of the same people.

    Parameters
    ----------
    by_destination, by_origin : DataArray (..., origin, destination) or (..., country, birthplace)
        Flows or stocks, each as one side reports it; missing where it does not.
    reliability_of_destination, reliability_of_origin : float or DataArray, optional
        Weights of the two sides: inverse variances, relative to each other; along any dims of
        the matrices, such as ``destination`` alone. Default: equal.
    scale : {"counts", "logs"}, optional
        Of which the variances are: of the counts, or of their logarithms, where errors are in
        per cent; what both report as 0 is 0.

    Returns
    -------
    Dataset
        In the dims of both: ``reconciled`` (its units), ``difference`` (reported by
        the destination less by the origin), ``ratio`` of the two, and ``n_reports``, how many
        sides report: with one it is taken as it is, with none the cell is missing.

    Raises
    ------
    SchemaError
        If values are not counts or weights, if one report is by sex or age and the other of all,
        if both weights are 0 where both sides report, or if one side reports 0 and the other does
        not on the scale of logarithms.
    AlignmentError
        If dims or labels differ.

    Notes
    -----
    The weighted least squares of two reports D and O:

    .. math:: \hat x = \frac{w_D D + w_O O}{w_D + w_O}, \qquad
       \ln \hat x = \frac{w_D \ln D + w_O \ln O}{w_D + w_O}

    *Use* logarithms where one side may miss most of what it should count; then a half and a
    double weigh the same. Receiving countries mostly count better, for those who leave seldom
    deregister. Definitions that differ (three months or a year) are bias, not variance: bring
    them into line first.

    References
    ----------
    Poulain (1993), "Confrontation des statistiques de migrations intra-européennes: vers plus
    d'harmonisation?", *European Journal of Population* 9:353-381 (double-entry matrices);
    Raymer, Wiśniowski, Forster, Smith & Bijak (2013), "Integrated modeling of European
    migration", *JASA* 108:801-819 (errors of either side, on the scale of logarithms).

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> coords = {"origin": ["SWE", "POL"], "destination": ["SWE", "POL"]}
    >>> nan = float("nan")
    >>> received = xr.DataArray([[nan, 40.0], [900.0, nan]], dims=tuple(coords), coords=coords)
    >>> sent = xr.DataArray([[nan, 70.0], [100.0, nan]], dims=tuple(coords), coords=coords)
    >>> trust = xr.DataArray([9.0, 1.0], dims="destination", coords={"destination": ["SWE", "POL"]})
    >>> mp.reconcile_reports(received, sent, reliability_of_destination=trust)["reconciled"].values
    array([[ nan,  55.],
           [820.,  nan]])
    """
    given = {"by_destination": by_destination, "by_origin": by_origin}
    pair = STOCK if set(STOCK) <= set(getattr(by_destination, "dims", ())) else FLOW
    for name, array in given.items():
        check_dims(name, array, *pair)
        check_counts(name, array)
    check_same_dims("by_destination", by_destination, "by_origin", by_origin)
    check_labels_match(given, by_destination.dims)
    by_destination, by_origin = (
        array.astype(float) for array in xr.broadcast(by_destination, by_origin)
    )
    check_choice("scale", scale, ("counts", "logs"))
    weights = {
        "reliability_of_destination": as_number(
            "reliability_of_destination", reliability_of_destination
        ),
        "reliability_of_origin": as_number("reliability_of_origin", reliability_of_origin),
    }
    for name, weight in weights.items():
        check_dims(name, weight)
        check_weights(name, weight, "weights")
        check_labels_match({"by_destination": by_destination, name: weight}, weight.dims)
        if extra := set(weight.dims) - set(by_destination.dims):
            raise AlignmentError(
                f"{name}: dims {sorted(map(str, extra))} are not in by_destination; expected some "
                f"of {tuple(by_destination.dims)}"
            )
    of_destination, of_origin = weights.values()
    both = (by_destination.notnull() & by_origin.notnull()).transpose(*by_destination.dims)
    idle = (both & (of_destination + of_origin == 0)).transpose(*by_destination.dims)
    refuse(
        "reliability_of_destination",
        idle,
        "weights above 0",
        "0 for both sides",
        "give one a weight",
    )
    first, second = by_destination, by_origin
    nobody = (first == 0) & (second == 0)
    if scale == "logs":
        for name, array in (("by_destination", first), ("by_origin", second)):
            odd = both & (array == 0) & ~nobody
            refuse(name, odd, "counts above 0, for logs", "0 beside more", "take scale='counts'")
        first, second = (xr.DataArray(np.log(x.where(x > 0))) for x in (first, second))
    mean = (of_destination * first + of_origin * second) / (of_destination + of_origin)
    value = xr.DataArray(np.exp(mean)).where(~nobody, 0.0) if scale == "logs" else mean
    value = value.where(both, by_destination.fillna(0.0) + by_origin.fillna(0.0))
    n_reports = by_destination.notnull().astype(int) + by_origin.notnull()
    usual = VARIABLES["flows" if pair == FLOW else "stock"].units
    units = by_destination.attrs.get("units", usual)
    made = {
        "reconciled": value.where(n_reports > 0).assign_attrs(units=units),
        "difference": (by_destination - by_origin).assign_attrs(units=units),
        "ratio": (by_destination / by_origin.where(by_origin != 0)).assign_attrs(units="1"),
        "n_reports": n_reports.assign_attrs(units="1"),
    }
    return xr.Dataset({name: a.transpose(*by_destination.dims) for name, a in made.items()})


def away_of(stocks: xr.DataArray, name: str, disjoint: bool, *dims: str) -> xr.DataArray:
    """Which cells are of people abroad, after checks of the stocks."""
    check_flag("disjoint", disjoint)
    check_dims(name, stocks, *STOCK, *dims)
    check_counts(name, stocks)
    for dim in STOCK:
        if dim not in stocks.indexes:
            raise SchemaError(
                f"{name}: dim {dim!r} has no labels; nothing is aligned by position: "
                f"{name}.assign_coords({dim}=[...])"
            )
    countries, birthplaces = (stocks.indexes[dim] for dim in STOCK)
    common = countries.isin(birthplaces)
    if common.any() and disjoint:
        raise AlignmentError(
            f"disjoint: {int(common.sum())} countries of {name} are birthplaces: "
            f"{countries[common].tolist()[:5]}; leave it out"
        )
    if not common.any() and not disjoint:
        raise AlignmentError(
            f"{name}: none of its {len(countries)} countries ({countries.tolist()[:5]}) is one of "
            f"its {len(birthplaces)} birthplaces ({birthplaces.tolist()[:5]}), so natives at home "
            "cannot be told; name both alike, or disjoint=True if none are in it"
        )
    country, birthplace = (stocks[dim].drop_vars(dim) for dim in STOCK)
    same = country.astype(object) == birthplace.astype(object)
    return (~same).reset_coords(drop=True)


def check_dims_of(name: str, array: xr.DataArray, stocks: xr.DataArray) -> None:
    """`array` has no dims beyond those of the stocks."""
    if extra := set(array.dims) - set(stocks.dims):
        raise AlignmentError(
            f"{name}: dims {sorted(map(str, extra))} are not in stocks, which has "
            f"{tuple(stocks.dims)!r}; select one label of {name}"
        )


def refuse(name: str, flags: xr.DataArray, expected: str, got: str, mend: str) -> None:
    if flags.chunks is None and bool(flags.any()):
        cells = "; ".join(where(flags, flags.values))
        raise SchemaError(
            f"{name}: expected {expected}, got {got} in {int(flags.sum())} cell(s): {cells}; {mend}"
        )
