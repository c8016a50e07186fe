"""Mirror statistics: a country's emigrants are counted by the others."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import xarray as xr

from migproj._checks import (
    check_counts,
    check_dims,
    check_labels_match,
    check_same_places,
    check_weights,
    where,
)
from migproj._diagnostics import finding, warn_findings
from migproj.conventions import VARIABLES
from migproj.errors import AlignmentError, SchemaError

__all__ = ["emigrants", "fill_stocks", "reconcile_reports"]

_STOCK: Final = ("country", "birthplace")
_FLOW: Final = ("origin", "destination")
#: Where a cell of a filled stock comes from; the place in this list is its code.
_SOURCES: Final = ("missing", "reported", "interpolated", "extrapolated", "imputed")
_MISSING, _REPORTED, _INTERPOLATED, _EXTRAPOLATED, _IMPUTED = range(5)
#: Reported stocks may pass their total by its rounding.
_ROUNDING: Final = 1e-9

_Floats = npt.NDArray[np.float64]


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
        here. Missing where no country reports.

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
    away = _away(stocks, "stocks", disjoint)
    reported = stocks.notnull() & away
    found = {
        "natives_abroad": stocks.where(away).astype(float).sum("country", min_count=1),
        "n_destinations": reported.sum("country"),
        "n_destinations_missing": (stocks.isnull() & away).sum("country"),
    }
    if reference is not None:
        check_dims("reference", reference, *_STOCK)
        check_counts("reference", reference)
        check_labels_match({"stocks": stocks, "reference": reference}, reference.dims)
        _check_dims_of("reference", reference, stocks)
        there = reference.where(away, 0.0).astype(float)
        seen = there.where(reported, 0.0).where(there.notnull())
        share = seen.sum("country", skipna=False) / there.sum("country", skipna=False)
        found["coverage"] = share.transpose(*found["natives_abroad"].dims)
    return xr.Dataset({name: _named(array, name) for name, array in found.items()})


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
        per cent.

    Returns
    -------
    Dataset
        In the dims of both: ``reconciled`` (its units), ``difference`` (reported by
        the destination less by the origin), ``ratio`` of the two, and ``n_reports``, how many
        sides report: with one it is taken as it is, with none the cell is missing.

    Raises
    ------
    SchemaError
        If values are not counts or weights, if both weights are 0 where both sides report, or if
        a count is 0 on the scale of logarithms.
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
    pair = _STOCK if set(_STOCK) <= set(getattr(by_destination, "dims", ())) else _FLOW
    for name, array in given.items():
        check_dims(name, array, *pair)
        check_counts(name, array)
    check_labels_match(given, by_destination.dims)
    by_destination, by_origin = (
        array.astype(float) for array in xr.broadcast(by_destination, by_origin)
    )
    if scale not in ("counts", "logs"):
        raise SchemaError(f"scale: expected 'counts' or 'logs', got {scale!r}")
    weights = {
        "reliability_of_destination": xr.DataArray(reliability_of_destination),
        "reliability_of_origin": xr.DataArray(reliability_of_origin),
    }
    for name, weight in weights.items():
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
    _refuse("reliability_of_destination", idle, "weights above 0", "0 for both sides", "weigh one")
    if scale == "logs":
        for name, array in given.items():
            _refuse(name, array == 0, "counts above 0, for logs", "0", "scale='counts'")
    first, second = (
        (np.log(array) if scale == "logs" else array) for array in (by_destination, by_origin)
    )
    mean = (of_destination * first + of_origin * second) / (of_destination + of_origin)
    value = xr.DataArray(np.exp(mean)) if scale == "logs" else mean
    value = value.where(both, by_destination.fillna(0.0) + by_origin.fillna(0.0))
    n_reports = by_destination.notnull().astype(int) + by_origin.notnull()
    units = by_destination.attrs.get("units", VARIABLES["flows"].units)
    made = {
        "reconciled": value.where(n_reports > 0).assign_attrs(units=units),
        "difference": (by_destination - by_origin).assign_attrs(units=units),
        "ratio": (by_destination / by_origin.where(by_origin != 0)).assign_attrs(units="1"),
        "n_reports": n_reports.assign_attrs(units="1"),
    }
    return xr.Dataset({name: a.transpose(*by_destination.dims) for name, a in made.items()})


def fill_stocks(
    stocks: xr.DataArray,
    *,
    totals: xr.DataArray | None = None,
    groups: xr.DataArray | None = None,
    outside: Literal["growth", "constant", "none"] = "growth",
    disjoint: bool = False,
) -> xr.Dataset:
    r"""Stocks by birthplace with their missing destinations and rounds filled, each cell marked.

    Parameters
    ----------
    stocks : DataArray (..., country, birthplace, time)
        Foreign-born (persons) at several instants; missing where not reported. Natives at home
        (one label) are passed on as they are.
    totals : DataArray (..., country, time), optional
        Foreign-born of each country in all (persons); missing where unknown.
    groups : DataArray (country), optional
        Group of each country, such as its region: a country that never reports takes the
        birthplaces of the others of its group; it needs `totals`.
    outside : {"growth", "constant", "none"}, optional
        Before the first and after the last report: with the growth of the natives of the same
        birthplace in the countries known at both instants; as at the nearest report; not at all.
    disjoint : bool, optional
        As in :func:`emigrants`.

    Returns
    -------
    Dataset
        ``stock``, as `stocks` with its coordinates (a type of data along country stays), and
        ``source`` of each cell: 0 missing, 1 reported, 2 interpolated, 3 extrapolated, 4 imputed
        from the group (in its attributes too); ``n_missing`` (...), cells still missing, and
        ``n_totals_unmet`` (...), totals of which nothing could be made.

    Raises
    ------
    SchemaError
        If dims or values are not what is described here, or a country reports more than its
        total.
    AlignmentError
        If labels differ.

    Warns
    -----
    DataQualityWarning
        If cells stay missing or totals unmet.

    Notes
    -----
    Each cell by the first rule that gives a figure: (1) reported; (2) between two reports,
    exponential growth between them, or a straight line where one is 0; (3) `outside`,

    .. math:: N_{c,b}(t) = N_{c,b}(s) \, \frac{\sum_{d} N_{d,b}(t)}{\sum_{d} N_{d,b}(s)}

    with s the nearest report and d the countries known at both by (1) or (2); (4) the birthplaces
    of the group, added up over its countries that are known. Then, where the total of a country
    is known and none of its cells is missing, what (2) to (4) gave is brought in proportion to
    the total less what is reported.

    References
    ----------
    Özden, Parsons, Schiff & Walmsley (2011), "Where on Earth is Everybody? The Evolution of Global
    Bilateral Migration 1960-2000", *World Bank Economic Review* 25:12-56; UN DESA (2020),
    *International Migrant Stock 2020: Documentation* (growth of known rounds; model countries).

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> nan = float("nan")
    >>> stocks = xr.DataArray([[[100.0, nan, 400.0]], [[10.0, 30.0, nan]]],
    ...     dims=("country", "birthplace", "time"), coords={"country": ["ARG", "CHL"],
    ...     "birthplace": ["BOL"], "time": [1980, 1990, 2000]})
    >>> filled = mp.fill_stocks(stocks, disjoint=True)
    >>> filled["stock"].sel(birthplace="BOL").values  # Chile grows as Argentina from 1990 on
    array([[100., 200., 400.],
           [ 10.,  30.,  60.]])
    >>> filled["source"].sel(birthplace="BOL").values
    array([[1, 2, 1],
           [1, 1, 3]], dtype=int8)
    """
    away = _away(stocks, "stocks", disjoint, "time").transpose(*_STOCK)
    instants = _instants(stocks)
    if outside not in ("growth", "constant", "none"):
        raise SchemaError(f"outside: expected 'growth', 'constant' or 'none', got {outside!r}")
    if groups is not None and totals is None:
        raise SchemaError("groups: a country that never reports needs its totals; pass totals=...")
    codes = None if groups is None else _codes(groups, stocks)
    known = xr.full_like(stocks.isel(birthplace=0, drop=True), np.nan, dtype=float)
    if totals is not None:
        _check_totals(totals, stocks, away)
        known = totals.astype(float)
    core = [*_STOCK, "time"]
    stock, source = xr.apply_ufunc(
        _filled,
        stocks.astype(float),
        known,
        input_core_dims=[core, ["country", "time"]],
        output_core_dims=[core, core],
        kwargs={"away": away.values, "t": instants, "outside": outside, "codes": codes},
        dask="parallelized",
        output_dtypes=[float, np.int8],
        join="exact",
    )
    stock, source = (array.transpose(..., *stocks.dims) for array in (stock, source))
    flags = {"flag_values": list(range(5)), "flag_meanings": " ".join(_SOURCES)}
    missing = away & (source == _MISSING)
    sums, open_cells = stock.where(away, 0.0).sum("birthplace"), missing.any("birthplace")
    unmet = known.notnull() & (open_cells | (abs(sums - known) > _ROUNDING * known))
    found = [finding("cells still missing", missing), finding("totals not met", unmet)]
    warn_findings("fill_stocks", found)
    made = {
        "stock": _named(stock, "stock"),
        "source": source.assign_attrs(units="1", **flags),
        "n_missing": _named(missing.sum(core), "n_missing"),
        "n_totals_unmet": _named(unmet.sum(["country", "time"]), "n_totals_unmet"),
    }
    return xr.Dataset(made)


def _named(array: xr.DataArray, name: str) -> xr.DataArray:
    return array.rename(name).assign_attrs(units=VARIABLES[name].units)


def _away(stocks: xr.DataArray, name: str, disjoint: bool, *dims: str) -> xr.DataArray:
    """Which cells are of people abroad, after checks of the stocks."""
    check_dims(name, stocks, *_STOCK, *dims)
    check_counts(name, stocks)
    for dim in _STOCK:
        if dim not in stocks.indexes:
            raise SchemaError(
                f"{name}: dim {dim!r} has no labels; nothing is aligned by position: "
                f"{name}.assign_coords({dim}=[...])"
            )
    countries, birthplaces = (stocks.indexes[dim] for dim in _STOCK)
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
    country, birthplace = (stocks[dim].drop_vars(dim) for dim in _STOCK)
    same = country.astype(object) == birthplace.astype(object)
    return (~same).reset_coords(drop=True)


def _instants(stocks: xr.DataArray) -> _Floats:
    times = stocks.indexes.get("time")
    if times is None or times.dtype.kind not in "if" or not (np.diff(times) > 0).all():
        raise SchemaError(
            "stocks: dim 'time': expected instants in decimal years, ascending, got "
            f"{None if times is None else times.tolist()[:5]}; mp.decimal_year makes them of dates"
        )
    return np.asarray(times, dtype=float)


def _codes(groups: xr.DataArray, stocks: xr.DataArray) -> npt.NDArray[np.int64]:
    check_dims("groups", groups, "country")
    check_labels_match({"stocks": stocks, "groups": groups}, ["country"])
    if groups.ndim > 1:
        raise SchemaError(f"groups: expected the dim 'country' alone, got {groups.dims}")
    none = groups["country"].values[groups.isnull().values]
    if none.size:
        raise SchemaError(f"groups: {none.size} countries have none: {none.tolist()[:5]}")
    return np.unique(groups.values, return_inverse=True)[1]


def _check_totals(totals: xr.DataArray, stocks: xr.DataArray, away: xr.DataArray) -> None:
    check_dims("totals", totals, "country", "time")
    check_counts("totals", totals)
    check_labels_match({"stocks": stocks, "totals": totals}, totals.dims)
    _check_dims_of("totals", totals, stocks)
    check_same_places("totals", totals, "stocks", stocks.isel(birthplace=0, drop=True))
    reported = stocks.where(away).sum("birthplace")
    over = reported > totals * (1 + _ROUNDING)
    _refuse("totals", over, "the foreign-born in all", "less than is reported", "mend either")


def _check_dims_of(name: str, array: xr.DataArray, stocks: xr.DataArray) -> None:
    if extra := set(array.dims) - set(stocks.dims):
        raise AlignmentError(
            f"{name}: dims {sorted(map(str, extra))} are not in stocks, which has "
            f"{tuple(stocks.dims)!r}; select one label of {name}"
        )


def _refuse(name: str, flags: xr.DataArray, expected: str, got: str, mend: str) -> None:
    if flags.chunks is None and bool(flags.any()):
        cells = "; ".join(where(flags, flags.values))
        raise SchemaError(
            f"{name}: expected {expected}, got {got} in {int(flags.sum())} cell(s): {cells}; {mend}"
        )


def _filled(
    stocks: _Floats,
    totals: _Floats,
    *,
    away: npt.NDArray[np.bool_],
    t: _Floats,
    outside: str,
    codes: npt.NDArray[np.int64] | None,
) -> tuple[_Floats, npt.NDArray[np.int8]]:
    """Stocks (..., country, birthplace, time) by the rules in their order, and their sources."""
    known = ~np.isnan(stocks)
    source = np.where(known, _REPORTED, _MISSING).astype(np.int8)
    made = stocks.copy()

    def take(values: _Floats, code: int) -> None:
        new = np.isnan(made) & ~np.isnan(values) & away[..., None]
        made[new] = values[new]
        source[new] = code

    last, following = _neighbours(known)
    take(_between(stocks, t, last, following), _INTERPOLATED)
    if outside != "none":
        nearest = np.where(last >= 0, last, np.minimum(following, len(t) - 1))
        base = np.take_along_axis(stocks, nearest, -1)
        factor = 1.0 if outside == "constant" else _growth(made, away, nearest)
        take(base * factor, _EXTRAPOLATED)
    if codes is not None:
        take(_of_group(made, away, totals, codes), _IMPUTED)
    _meet(made, source, away, totals)
    return made, source


def _neighbours(
    known: npt.NDArray[np.bool_],
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """For each instant the last one known, or -1, and the next one, or the number of instants."""
    n = known.shape[-1]
    place = np.arange(n)
    last = np.maximum.accumulate(np.where(known, place, -1), axis=-1)
    following = np.flip(
        np.minimum.accumulate(np.flip(np.where(known, place, n), axis=-1), axis=-1), axis=-1
    )
    return last, following


def _between(
    stocks: _Floats, t: _Floats, last: npt.NDArray[np.intp], following: npt.NDArray[np.intp]
) -> _Floats:
    n = len(t)
    inside = (last >= 0) & (following < n)
    low, high = np.maximum(last, 0), np.minimum(following, n - 1)
    before, after = np.take_along_axis(stocks, low, -1), np.take_along_axis(stocks, high, -1)
    span = t[high] - t[low]
    share = (t - t[low]) / np.where(span > 0, span, 1.0)
    grown = (before > 0) & (after > 0)
    quotient = np.where(grown, after, 1.0) / np.where(grown, before, 1.0)
    straight = before + (after - before) * share
    return np.where(inside, np.where(grown, before * quotient**share, straight), np.nan)


def _growth(made: _Floats, away: npt.NDArray[np.bool_], nearest: npt.NDArray[np.intp]) -> _Floats:
    """Growth of the natives of each birthplace in all countries known, from `nearest` on."""
    known = ~np.isnan(made) & away[..., None]
    counts = np.where(known, made, 0.0)
    seen = known.astype(float)
    at_end = np.einsum("...cbs,...cbt->...bst", seen, counts)
    at_start = np.einsum("...cbs,...cbt->...bst", counts, seen)
    growth = np.full_like(at_end, np.nan)
    np.divide(at_end, at_start, out=growth, where=at_start > 0)
    growth = np.broadcast_to(growth[..., None, :, :, :], (*made.shape, made.shape[-1]))
    return np.take_along_axis(growth, nearest[..., None, :], -2)[..., 0, :]


def _of_group(
    made: _Floats,
    away: npt.NDArray[np.bool_],
    totals: _Floats,
    codes: npt.NDArray[np.int64],
) -> _Floats:
    """The total of a country with no figure at an instant, by the birthplaces of its group."""
    same = (codes[:, None] == codes).astype(float)
    known = np.where(away[..., None], ~np.isnan(made), False)
    counts = np.einsum("cd,...dbt->...cbt", same, np.where(known, made, 0.0))
    shares = np.where(away[..., None], counts, 0.0)
    whole = shares.sum(-2, keepdims=True)
    nothing = ~known.any(-2, keepdims=True) & (whole > 0)
    return (
        np.where(nothing, shares / np.where(whole > 0, whole, 1.0), np.nan) * totals[..., None, :]
    )


def _meet(
    made: _Floats,
    source: npt.NDArray[np.int8],
    away: npt.NDArray[np.bool_],
    totals: _Floats,
) -> None:
    """Bring what is not reported to the totals, where no cell is missing."""
    abroad = away[..., None]
    estimated = abroad & (source > _REPORTED)
    whole = ~(abroad & (source == _MISSING)).any(-2)
    rest = totals - np.where(abroad & (source == _REPORTED), made, 0.0).sum(-2)
    given = np.where(estimated, made, 0.0).sum(-2)
    able = whole & (given > 0) & ~np.isnan(rest)
    factor = np.where(able, np.maximum(rest, 0.0) / np.where(given > 0, given, 1.0), 1.0)
    np.multiply(made, factor[..., None, :], out=made, where=estimated)
