"""Missing destinations and rounds of stocks by birthplace."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import xarray as xr

from migproj._checks import check_counts, check_dims, check_labels_match
from migproj._choices import check_choice
from migproj._diagnostics import finding, warn_findings
from migproj._flowchecks import STOCK, check_same_dims, check_whole
from migproj.errors import SchemaError
from migproj.intensity import named
from migproj.mirror import away_of, check_dims_of, refuse

__all__ = ["fill_stocks"]

#: Where a cell of a filled stock comes from; the place in this list is its code.
_SOURCES: Final = ("missing", "reported", "interpolated", "extrapolated", "imputed")
_MISSING, _REPORTED, _INTERPOLATED, _EXTRAPOLATED, _IMPUTED = range(5)
#: Reported stocks may pass their total by its rounding.
_ROUNDING: Final = 1e-9

_Floats = npt.NDArray[np.float64]


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
    away = away_of(stocks, "stocks", disjoint, "time").transpose(*STOCK)
    instants = _instants(stocks)
    check_choice("outside", outside, ("growth", "constant", "none"))
    if groups is not None and totals is None:
        raise SchemaError("groups: a country that never reports needs its totals; pass totals=...")
    codes = None if groups is None else _codes(groups, stocks)
    known = xr.full_like(stocks.isel(birthplace=0, drop=True), np.nan, dtype=float)
    if totals is not None:
        _check_totals(totals, stocks, away)
        known = totals.astype(float)
    core = [*STOCK, "time"]
    for name, array in (("stocks", stocks), ("totals", known)):
        check_whole(name, array, core)
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
        "stock": named(stock, "stock"),
        "source": source.assign_attrs(units="1", **flags),
        "n_missing": named(missing.sum(core), "n_missing"),
        "n_totals_unmet": named(unmet.sum(["country", "time"]), "n_totals_unmet"),
    }
    return xr.Dataset(made)


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
        raise SchemaError(
            f"groups: expected the dim 'country' alone, got dims {groups.dims!r}; select one label "
            "of the others"
        )
    none = groups["country"].values[groups.isnull().values]
    if none.size:
        raise SchemaError(
            f"groups: expected one for each country, got none for {none.size}: "
            f"{none.tolist()[:5]}; name theirs, such as 'other'"
        )
    return np.unique(groups.values, return_inverse=True)[1]


def _check_totals(totals: xr.DataArray, stocks: xr.DataArray, away: xr.DataArray) -> None:
    check_dims("totals", totals, "country", "time")
    check_counts("totals", totals)
    check_labels_match({"stocks": stocks, "totals": totals}, totals.dims)
    check_dims_of("totals", totals, stocks)
    check_same_dims("totals", totals, "stocks", stocks.isel(birthplace=0, drop=True))
    reported = stocks.where(away).sum("birthplace")
    over = reported > totals * (1 + _ROUNDING)
    refuse("totals", over, "the foreign-born in all", "less than is reported", "mend either")


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
