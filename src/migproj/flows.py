"""Flows of people between countries from who was born where at two instants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import xarray as xr

from migproj._apply import Input, Output, apply
from migproj._checks import (
    as_number,
    check_counts,
    check_dims,
    check_labels_match,
    check_labels_of,
    check_lacks,
    check_same_places,
    check_weights,
    where,
)
from migproj._diagnostics import finding, warn_findings
from migproj.conventions import VARIABLES
from migproj.dates import instant_of, interval_years
from migproj.errors import SchemaError

__all__ = ["flows_from_stocks"]

_STOCK: Final = ("country", "birthplace")
_FLOW: Final = ("origin", "destination")
# Codes of the kernel.
_SYSTEMS: Final = {"closed": 0, "open": 1, "open-crossed": 2}
_BIRTHS: Final = {"native": 0, "proportional": 1}
_DEATHS: Final = {"proportional": 0, "accounting": 1}
_BALANCES: Final = {"before": 0, "after": 1}
#: Weight of the fewest movers.
_STAYERS: Final = {"quasi-independence": 1.0, "independence": 0.0}
_ACCOUNTING: Final = ("demographic-accounting", "pseudo-bayesian")
#: What each method reads beside the stocks.
_READS: Final[dict[str, tuple[str, ...]]] = {
    "demographic-accounting": (
        "births",
        "deaths",
        "system",
        "stayers",
        "birth_adjustment",
        "death_adjustment",
        "balance",
        "prior",
    ),
    "pseudo-bayesian": (
        "births",
        "deaths",
        "system",
        "birth_adjustment",
        "death_adjustment",
        "balance",
        "prior",
        "weight",
    ),
    "drop-negatives": (),
    "reverse-negatives": (),
    "dennett": ("total",),
    "rogers-von-rabenau": (),
}
_OUTSIDE: Final = 7
#: What is wrong with an account, by the kernel's code, and how to mend it.
_FAULTS: Final = {
    1: (
        "deaths: more than there are people to die at the start, in {place}",
        "correct them, or spread them with death_adjustment='proportional'",
    ),
    2: (
        "births: more than there are people at the end, in {place}",
        "correct the births, or the stock at the end",
    ),
    3: (
        "start, end: people of all countries do not grow by births less deaths, and there are not "
        "enough native-born to make up for it",
        "correct the totals, or use system='open'",
    ),
    4: (
        "deaths: cannot close the accounts of birthplaces, start + births - end: {place} is off by "
        "{error:g}",
        "use death_adjustment='proportional'",
    ),
    5: (
        "start: cannot be fitted to its totals by country and to the mean of both instants by "
        "birthplace: {place} is off by {error:g}",
        "correct the stocks, or use system='open'; where it is small, allow more max_iterations "
        "or a wider tolerance",
    ),
    6: (
        "end: cannot be fitted to its totals by country and to the mean of both instants by "
        "birthplace: {place} is off by {error:g}",
        "correct the stocks, or use system='open'; where it is small, allow more max_iterations "
        "or a wider tolerance",
    ),
    7: (
        "start, end: more people came from or left for the outside than the other instant's stock "
        "has, of {place}",
        "use system='open', or 'closed'",
    ),
    8: (
        "prior: does not allow flows that go with the stocks: {place} is off by {error:g}",
        "give it numbers above 0 where people can move (and stay, if stayers is 'independence'), "
        "or a wider tolerance",
    ),
}


def flows_from_stocks(
    start: xr.DataArray,
    end: xr.DataArray,
    *,
    method: str = "demographic-accounting",
    births: xr.DataArray | None = None,
    deaths: xr.DataArray | None = None,
    system: str = "closed",
    stayers: str = "quasi-independence",
    birth_adjustment: str = "native",
    death_adjustment: str = "proportional",
    balance: str = "before",
    prior: xr.DataArray | None = None,
    weight: float | None = None,
    total: float | xr.DataArray | None = None,
    agreement: float = 0.05,
    tolerance: float = 1e-10,
    max_iterations: int = 100_000,
) -> xr.Dataset:
    r"""Flows between countries that go with stocks by birthplace at two instants.

    Parameters
    ----------
    start, end : DataArray (..., country, birthplace)
        People (persons) of each country by birthplace at the start and the end of a period,
        those at home included. ``birthplace`` has the labels of ``country``, in the same order.
        Each cell of the other dims (sex, age, draw, ...) is an account of its own: with ages,
        give the same cohorts the same labels at both instants.
    method : str
        "demographic-accounting": all changes of stocks explained by births, deaths and moves.
        "pseudo-bayesian": a mixture of two such tables, with the fewest movers (`weight`) and
        with moves by chance.
        "drop-negatives": people of a birthplace in another country by how many they grew;
        "reverse-negatives": those by how many they shrank went home besides.
        "dennett": a `total` of movers shared out as people abroad at the start are.
        "rogers-von-rabenau": the moves that carry one table of stocks to the other.
    births, deaths : DataArray (..., country), optional
        Births and deaths (persons per period) of each country, by sex and age if the stocks
        are. Default: none.
    system : {"closed", "open", "open-crossed"}
        What becomes of a birthplace with more or fewer people than its account says. "closed":
        both stocks are fitted to the mean of the two, totals by country kept. "open": people
        left for the outside, spread over countries as the stock at the start is, or came from
        there, as the stock at the end is; "open-crossed": the other way round.
    stayers : {"quasi-independence", "independence"}
        "quasi-independence": as many people stay as can, of each birthplace in each country;
        "independence": they stay or move by chance.
    birth_adjustment : {"native", "proportional"}
        Births are of natives, or, in countries where that is more than there are natives at the
        end, spread as the stock at the end is; or spread in this way in all.
    death_adjustment : {"proportional", "accounting"}
        Deaths are spread over birthplaces as the stock at the start is, or fitted, so that the
        account of every birthplace closes.
    balance : {"before", "after"}
        When the native-born of all countries are scaled, in a closed system, so that people grow
        by births less deaths: before or after those are taken off.
    prior : DataArray (..., origin, destination), optional
        Numbers in proportion to which people would move (flows of an earlier period, a function
        of distance), 0 where nobody can. On the diagonal stayers, read with "independence".
        Default: all alike.
    weight : float, optional
        Of the table with the fewest movers, from 0 to 1, with "pseudo-bayesian".
    total : float or DataArray (...), optional
        Movers of the world (persons per period), with "dennett".
    agreement : float
        Share of all people by which their growth may differ from births less deaths in a closed
        system.
    tolerance : float
        Largest error of a fitted margin, as a share of the largest one.
    max_iterations : int
        How often proportional fitting may go round before it is given up.

    Returns
    -------
    Dataset
        ``flows`` (..., origin, destination, [birthplace,] sex, age; persons per period), 0 from a
        country to itself. By accounts also, by country and birthplace: ``stayers``,
        ``adjustment_start`` and ``adjustment_end``, by which a closed system changed the stocks
        (persons); ``births``, ``deaths``, ``to_outside``, ``from_outside`` (persons per period);
        and ``iterations`` and ``margin_error`` (persons), the most of all fits of an account, and
        ``n_births_spread``, the countries with more births than natives. Otherwise ``n_negative``:
        stocks that fell, or ("rogers-von-rabenau") flows below 0.

    Raises
    ------
    SchemaError
        If dims, labels or values are not what is described here, an option is not one of the
        method's, or accounts cannot be closed.
    AlignmentError
        If labels differ, or those of ``birthplace``, ``origin`` or ``destination`` from those of
        ``country``.

    Warns
    -----
    DataQualityWarning
        Once a call, naming the labels: births spread over birthplaces because there were fewer
        natives; negative flows.

    Notes
    -----
    For each birthplace, of the people who were there at both instants let r(i) be those in
    country i at the start (the stock less deaths and those who left for the outside) and c(j)
    those in j at the end (less births and those who came from there), Σ r = Σ c = N. With
    stayers s(i) = min(r(i), c(i)) and a prior m, flows are the table nearest to it:

    .. math::
       y_{ij} = a_i m_{ij} b_j, \quad \sum_j y_{ij} = r_i - s_i, \quad \sum_i y_{ij} = c_j - s_j

    so (r(i) - s(i)) (c(j) - s(j)) / Σ (r - s) without a prior. By chance, s = 0 and the diagonal
    of y stays. In every country and birthplace

    start + adjustment_start - deaths - to_outside = stayers + Σ flows to others,
    end + adjustment_end - births - from_outside = stayers + Σ flows from others.

    A missing number makes its whole account missing. People who moved on or back within the
    period, and those who moved and died in it, are in none of these flows.

    References
    ----------
    Abel (2013), "Estimating global migration flow tables using place of birth data",
    *Demographic Research* 28:505-546 (open accounts); Abel & Sander (2014), "Quantifying global
    international migration flows", *Science* 343:1520-1522 (closed); Azose & Raftery (2019),
    "Estimation of emigration, return migration, and transit migration between all pairs of
    countries", *PNAS* 116:116-122 (mixture); Dennett (2016), "Estimating an annual time series
    of global migration flows", in *Global Dynamics: Approaches from Complexity Science*; Rogers
    & von Rabenau (1971), "Estimation of interregional migration streams from
    place-of-birth-by-residence data", *Demography* 8:185-194; Abel & Cohen (2019), "Bilateral
    international migration flow estimates for 200 countries", *Scientific Data* 6:82 (compared).

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> places = ["ARG", "BOL", "CHL"]
    >>> def stock(people):
    ...     return xr.DataArray(people, dims=("country", "birthplace"),
    ...                         coords={"country": places, "birthplace": places})
    >>> start = stock([[900.0, 50.0, 20.0], [5.0, 300.0, 2.0], [30.0, 10.0, 400.0]])
    >>> end = stock([[880.0, 80.0, 20.0], [5.0, 270.0, 2.0], [50.0, 10.0, 400.0]])
    >>> result = mp.flows_from_stocks(start, end)
    >>> result["flows"].sum("birthplace").values
    array([[ 0.,  0., 20.],
           [30.,  0.,  0.],
           [ 0.,  0.,  0.]])
    """
    options = {
        "births": births,
        "deaths": deaths,
        "system": system,
        "stayers": stayers,
        "birth_adjustment": birth_adjustment,
        "death_adjustment": death_adjustment,
        "balance": balance,
        "prior": prior,
        "weight": weight,
        "total": total,
    }
    _check_options(method, options)
    _check_stocks(start, end)
    if method in _ACCOUNTING:
        rules = _Rules(
            _SYSTEMS[system],
            _BIRTHS[birth_adjustment],
            _DEATHS[death_adjustment],
            _BALANCES[balance],
            _STAYERS[stayers] if weight is None else weight,
            _positive("tolerance", tolerance),
            int(_positive("max_iterations", max_iterations)),
        )
        vital = {
            name: _vital(name, counts, start, end)
            for name, counts in (("births", births), ("deaths", deaths))
        }
        if rules.system == _SYSTEMS["closed"]:
            _check_growth(start, end, vital, _positive("agreement", agreement))
        result = _by_accounting(start, end, vital, prior, rules)
    elif method in ("drop-negatives", "reverse-negatives"):
        result = _by_difference(start, end, method == "reverse-negatives")
    else:
        result = _by_rates(start, end, None if total is None else as_number("total", total))
    return _labelled(result, start, end)


@dataclass(frozen=True)
class _Rules:
    """The choices of an account, as the kernels take them."""

    system: int
    births: int
    deaths: int
    balance: int
    weight: float
    tolerance: float
    limit: int


def _by_accounting(
    start: xr.DataArray,
    end: xr.DataArray,
    vital: Mapping[str, xr.DataArray],
    prior: xr.DataArray | None,
    rules: _Rules,
) -> dict[str, xr.DataArray]:
    from migproj._kernels import flows as kernels

    n = start.sizes["country"]
    parts = ("before", "after", "births", "deaths", "to_outside", "from_outside")
    scalars = ("iterations", "margin_error", "n_births_spread", "fault", "place")
    made = apply(
        kernels.accounts,
        [
            Input("start", start, _STOCK),
            Input("end", end, _STOCK),
            *(Input(name, counts, ("country",)) for name, counts in vital.items()),
        ],
        [
            *(Output(name, _STOCK, (n, n)) for name in parts),
            *(Output(name, dtype=_type_of(name)) for name in scalars),
        ],
        rules.births,
        rules.deaths,
        rules.system,
        rules.balance,
        rules.tolerance,
        rules.limit,
    )
    account = {str(array.name): array for array in made}
    places = start["country"].values
    _check_faults(account, places)
    here = {name: account[name].assign_coords(birthplace=places) for name in ("before", "after")}
    flows, stayers, times, error, fault, place = apply(
        kernels.fill,
        [
            Input("before", here["before"], ("country",)),
            Input("after", here["after"], ("country",)),
            Input("prior", _prior(prior, start), _FLOW),
        ],
        [
            Output("flows", _FLOW, (n, n)),
            Output("stayers", ("country",), (n,)),
            *(Output(name, dtype=_type_of(name)) for name in scalars if name[:2] != "n_"),
        ],
        prior is not None,
        rules.weight,
        rules.tolerance,
        rules.limit,
    )
    _check_faults({"fault": fault, "place": place, "margin_error": error}, places)
    if rules.births == _BIRTHS["native"]:
        spread = account["births"].where(xr.DataArray(~np.eye(n, dtype=bool), dims=_STOCK), 0.0)
        spread = (spread.sum("birthplace") > 0).assign_coords(country=places)
        what = "births spread over birthplaces, for there are fewer natives at the end,"
        warn_findings("flows_from_stocks", [finding(what, spread)])
    closed = rules.system == _SYSTEMS["closed"]
    sides = (("start", start, "deaths", "to_outside"), ("end", end, "births", "from_outside"))
    fitted = {}
    for name, stock, off, outside in sides:
        given = stock.drop_vars(list(stock.coords))  # labels are those of the account
        used = account["before" if name == "start" else "after"]
        change = used + account[off] + account[outside] - given
        fitted[f"adjustment_{name}"] = change if closed else change.where(change.isnull(), 0.0)
    worst = xr.concat([account["margin_error"], error.max("birthplace", skipna=False)], "_fit").max(
        "_fit", skipna=False
    )
    return {
        "flows": flows,
        "stayers": stayers,
        **{name: account[name] for name in parts[2:]},
        **fitted,
        "iterations": account["iterations"] + times.max("birthplace"),
        "margin_error": worst,
        "n_births_spread": account["n_births_spread"],
    }


def _type_of(name: str) -> type[np.float64] | type[np.int64]:
    return np.float64 if name == "margin_error" else np.int64


def _by_difference(
    start: xr.DataArray, end: xr.DataArray, returns: bool
) -> dict[str, xr.DataArray]:
    """Growth of people abroad as moves from their birthplace, and decline as moves back to it."""
    change = (end - start).where(~_home(start), 0.0)
    away = {"birthplace": "origin", "country": "destination"}
    back = {"birthplace": "destination", "country": "origin"}
    flows = change.clip(0.0).rename(away)
    if returns:
        flows = flows + (-change).clip(0.0).rename(back)
    return {"flows": flows, "n_negative": (change < 0).sum(_STOCK)}


def _by_rates(
    start: xr.DataArray, end: xr.DataArray, total: xr.DataArray | None
) -> dict[str, xr.DataArray]:
    if total is not None:
        abroad = start.where(~_home(start), 0.0)
        everyone = abroad.sum(_STOCK, skipna=False)
        _refuse(
            everyone == 0, "start: nobody lives abroad, to share out movers by; use another method"
        )
        flows = total * (abroad / everyone)
        flows = flows.rename(birthplace="origin", country="destination")
        return {"flows": flows, "n_negative": (flows < 0).sum(_FLOW)}
    # Stocks with birthplaces as rows: the matrix G of end = start G, times who can move.
    growth = xr.apply_ufunc(
        _solved,
        start,
        end,
        input_core_dims=[["birthplace", "country"], ["birthplace", "country"]],
        output_core_dims=[list(_FLOW)],
        join="exact",
        dask="parallelized",
        output_dtypes=[np.float64],
        dask_gufunc_kwargs={"output_sizes": dict.fromkeys(_FLOW, start.sizes["country"])},
    )
    places = start["country"].values
    growth = growth.assign_coords(dict.fromkeys(_FLOW, places))
    exposed = start.sum("birthplace", skipna=False).rename(country="origin")
    flows = (growth * exposed).where(growth["origin"] != growth["destination"], 0.0)
    count = (flows < 0).sum(_FLOW)
    warn_findings("flows_from_stocks", [finding("negative flows", flows < 0)])
    return {"flows": flows, "n_negative": count}


def _solved(start: npt.NDArray[Any], end: npt.NDArray[Any]) -> npt.NDArray[Any]:
    known = np.isfinite(start).all((-2, -1)) & np.isfinite(end).all((-2, -1))
    identity = np.eye(start.shape[-1])
    safe = np.where(known[..., None, None], start, identity)
    if (np.linalg.matrix_rank(safe) < start.shape[-1]).any():
        raise SchemaError(
            "start: expected stocks that tell birthplaces apart, got people of one spread over "
            "countries as those of others are (or nobody): no rates can be found; use another "
            "method"
        )
    solved: npt.NDArray[Any] = np.linalg.solve(safe, np.where(known[..., None, None], end, 0.0))
    return np.where(known[..., None, None], solved, np.nan)


def _labelled(
    made: Mapping[str, xr.DataArray], start: xr.DataArray, end: xr.DataArray
) -> xr.Dataset:
    """With labels, units, the period, and dims in their order."""
    places = start["country"].values
    arrays = {}
    for name, array in made.items():
        known = VARIABLES[name]
        units = "persons per period" if known.dims == ("sex", "age") else known.units
        order = [d for d in (*_FLOW, *_STOCK, "sex", "age") if d in array.dims]
        arrays[name] = array.transpose(..., *order).assign_attrs(units=units)
    labels = {d: places for d in (*_FLOW, *_STOCK) if any(d in a.dims for a in arrays.values())}
    result = xr.Dataset(arrays).assign_coords(labels)
    began, ended = instant_of(start, "start"), instant_of(end, "end")
    if began is None or ended is None:
        return result
    return result.assign_coords(period=began, period_width=interval_years(began, ended))


def _home(stock: xr.DataArray) -> xr.DataArray:
    """Whether a country is the birthplace."""
    n = stock.sizes["country"]
    places = dict.fromkeys(_STOCK, stock["country"].values)
    return xr.DataArray(np.eye(n) == 1, dims=_STOCK, coords=places)


def _check_options(method: str, options: Mapping[str, Any]) -> None:
    """Options are of those known, and of those the method reads."""
    if method not in _READS:
        raise SchemaError(f"method: expected one of {list(_READS)}, got {method!r}")
    for name, able in (
        ("system", _SYSTEMS),
        ("stayers", _STAYERS),
        ("birth_adjustment", _BIRTHS),
        ("death_adjustment", _DEATHS),
        ("balance", _BALANCES),
    ):
        if options[name] not in able:
            raise SchemaError(f"{name}: expected one of {list(able)}, got {options[name]!r}")
        if name not in _READS[method] and options[name] != next(iter(able)):
            raise SchemaError(f"{name}: method {method!r} does not read it; leave it out")
    for name in ("births", "deaths", "prior", "weight", "total"):
        if options[name] is not None and name not in _READS[method]:
            raise SchemaError(f"{name}: method {method!r} does not read it; leave it out")
    if options["balance"] != "before" and options["system"] != "closed":
        raise SchemaError("balance: is of system='closed' alone; leave it out")
    if method == "pseudo-bayesian":
        weight = options["weight"]
        if weight is None or not 0 <= as_number("weight", weight) <= 1:
            raise SchemaError(
                f"weight: expected a number from 0 to 1, the weight of the table with the fewest "
                f"movers, got {weight!r}"
            )
    if method == "dennett" and options["total"] is None:
        raise SchemaError("total: expected how many move in the world, with 'dennett', got none")


def _check_stocks(start: xr.DataArray, end: xr.DataArray) -> None:
    mend = (
        "Give every country as a birthplace, and others (the rest of the world, unknown) as "
        "countries too, or share them out"
    )
    for name, stock in (("start", start), ("end", end)):
        check_dims(name, stock, *_STOCK)
        check_counts(name, stock)
        if "country" not in stock.indexes:
            raise SchemaError(
                f"{name}: dim 'country' has no labels; nothing is aligned by position: "
                f"{name}.assign_coords(country=[...])"
            )
        check_labels_of(name, stock, "birthplace", name, stock, "country", mend)
        for dim in _FLOW:
            check_lacks(name, stock, dim, "stocks are by country and birthplace")
    _check_same_dims("start", start, "end", end)
    check_labels_match({"start": start, "end": end}, dims=[d for d in start.dims if d in end.dims])


def _check_same_dims(name: str, counts: xr.DataArray, whose: str, of: xr.DataArray) -> None:
    check_same_places(name, counts, whose, of)
    if ("age" in counts.dims) != ("age" in of.dims):
        short = name if "age" in of.dims else whose
        raise SchemaError(
            f"{short}: expected the dim 'age' as in {whose if short == name else name}: the same "
            f"{short} would be counted for each age; give it by age, or sum the other over age"
        )


def _vital(
    name: str, counts: xr.DataArray | None, start: xr.DataArray, end: xr.DataArray
) -> xr.DataArray:
    """Births or deaths by country, with the dims of the stocks."""
    if counts is None:
        places = start["country"]
        return xr.DataArray(np.zeros(places.size), dims="country", coords={"country": places})
    check_dims(name, counts, "country")
    check_counts(name, counts, people=False)
    check_lacks(name, counts, "birthplace", f"sum {name} over it")
    for stock in (start, end):
        everyone = stock.isel(birthplace=0, drop=True)
        _check_same_dims(name, counts, "start", everyone)
        check_labels_match({"start": everyone, name: counts}, dims=["country", "sex", "age"])
    return counts


def _prior(prior: xr.DataArray | None, start: xr.DataArray) -> xr.DataArray:
    if prior is None:
        return xr.DataArray([[1.0]], dims=_FLOW)
    check_dims("prior", prior, *_FLOW)
    check_weights("prior", prior, "numbers")
    check_lacks("prior", prior, "country", "its countries are those of origin and destination")
    for dim in _FLOW:
        mend = "Give 0 where nobody moves"
        check_labels_of("prior", prior, dim, "start", start, "country", mend)
    if prior.chunks is None and bool(prior.isnull().any()):
        odd = prior.isnull()
        raise SchemaError(
            f"prior: expected numbers, got {int(odd.sum())} missing one(s): "
            f"{'; '.join(where(prior, odd.values))}; give 0 where nobody can move"
        )
    return prior


def _positive(name: str, value: Any) -> float:
    number = as_number(name, value)
    if number.ndim or not (np.isfinite(number) and number > 0):
        raise SchemaError(f"{name}: expected one number above 0, got {value!r}")
    return float(number)


def _check_growth(
    start: xr.DataArray, end: xr.DataArray, vital: Mapping[str, xr.DataArray], agreement: float
) -> None:
    """People of all countries grow by about births less deaths."""
    if any(array.chunks is not None for array in (start, end, *vital.values())):
        return
    natural = vital["births"] - vital["deaths"]
    change = end.sum("birthplace", skipna=False) - start.sum("birthplace", skipna=False)
    people = end.sum(_STOCK, skipna=False)
    net = change - natural
    off = net.sum("country", skipna=False)
    odd = abs(off) > agreement * people
    if not odd.any():
        return
    largest = abs(net).where(odd).sum([d for d in net.dims if d != "country"])
    named = largest.sortby(largest, ascending=False)["country"].values[:5].tolist()
    share = float((abs(off) / people).where(odd).max())
    cells = f" ({'; '.join(where(odd, np.asarray(odd.values)))})" if odd.ndim else ""
    raise SchemaError(
        f"start, end: people of all countries grow by {float(off.where(odd).max()):g} more than "
        f"births less deaths, {share:.2%} of them{cells}; expected at most {agreement:.2%}. It is "
        f"most in {named}. Give births and deaths of the whole period, correct the stocks, or "
        "allow a larger agreement"
    )


def _check_faults(account: Mapping[str, xr.DataArray], places: npt.NDArray[Any]) -> None:
    """Raise if a kernel found an account that cannot be closed."""
    fault = account["fault"]
    if fault.chunks is not None or not bool((fault > 0).any()):
        return
    cell = tuple(np.argwhere(np.asarray(fault.values) > 0)[0])
    code, at = int(fault.values[cell]), int(account["place"].values[cell])
    is_flow = code == max(_FAULTS)
    sides = ("origin", "destination") if is_flow else _STOCK
    label = f"{sides[at // len(places)]} {places[at % len(places)]}"
    if code == _OUTSIDE:
        label = f"birthplace {places[at]}"
    what, mend = _FAULTS[code]
    said = what.format(place=label, error=float(account["margin_error"].values[cell]))
    cells = f" ({'; '.join(where(fault, np.asarray(fault.values) > 0))})" if fault.ndim else ""
    raise SchemaError(f"{said}{cells}; {mend}")


def _refuse(flags: xr.DataArray, text: str) -> None:
    if flags.chunks is None and bool(flags.any()):
        raise SchemaError(text)
