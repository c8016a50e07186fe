"""Flows of people between countries from who was born where at two instants."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import xarray as xr

from migproj._apply import Input, Output, apply
from migproj._checks import as_number, check_labels_match, check_lacks, check_weights
from migproj._choices import check_flag
from migproj._diagnostics import finding, warn_findings
from migproj._flowchecks import (
    BALANCES,
    BIRTHS,
    DEATHS,
    FLOW,
    STAYERS,
    STOCK,
    SYSTEMS,
    check_faults,
    check_growth,
    check_options,
    check_same_dims,
    check_stocks,
    check_whole,
    positive,
    prior_of,
    vital_counts,
)
from migproj.conventions import VARIABLES
from migproj.dates import instant_of, interval_years
from migproj.errors import SchemaError

__all__ = ["flows_from_stocks"]

_ACCOUNTING: Final = ("demographic-accounting", "pseudo-bayesian")
#: The parts of an account, in the kernel's order.
_PARTS: Final = (
    "before",
    "after",
    "births",
    "deaths",
    "to_outside",
    "from_outside",
    "adjustment_start",
    "adjustment_end",
)
#: What the kernels say of each account.
_REPORT: Final = ("iterations", "margin_error", "fault", "place")


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
    by_birthplace: bool = True,
) -> xr.Dataset:
    r"""Flows between countries from stocks by birthplace at two instants.

    Parameters
    ----------
    start, end : DataArray (..., country, birthplace)
        People (persons) of each country by birthplace at the start and the end of a period,
        those at home included. ``birthplace`` has the labels of ``country``, in the same order.
        Each cell of the other dims (sex, age, draw, ...) is an account of its own: with ages,
        give the same cohorts the same labels at both instants, such as ``expected`` of
        :func:`net_migration` and the stock at the end.
    method : str
        "demographic-accounting": all changes of stocks explained by births, deaths and moves.
        "pseudo-bayesian": a mixture of two such tables, with the fewest movers (`weight`) and
        with moves by chance.
        "drop-negatives": the growth of each stock abroad, moved from the birthplace;
        "reverse-negatives": the same, and the decline of each stock abroad returned there.
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
        Movers of the world (persons per period), with "dennett"; by sex and age if the stocks
        are.
    agreement : float
        Share of all people by which their growth may differ from births less deaths in a closed
        system.
    tolerance : float
        Largest error of a fitted margin, as a share of the largest one.
    max_iterations : int
        How often proportional fitting may go round before it is given up.
    by_birthplace : bool
        Whether accounts keep the flows of each birthplace. If not, those are summed as they are
        found and take no memory; stayers and all else stay by birthplace. Other methods have no
        flows by birthplace.

    Returns
    -------
    Dataset
        ``flows`` (..., origin, destination, [birthplace,] sex, age; persons per period), 0 from a
        country to itself; by birthplace if accounts make them and `by_birthplace`. By accounts
        also, by country and birthplace: ``stayers``,
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
    check_options(method, options)
    check_flag("by_birthplace", by_birthplace)
    check_stocks(start, end)
    if method in _ACCOUNTING:
        rules = _Rules(
            SYSTEMS[system],
            BIRTHS[birth_adjustment],
            DEATHS[death_adjustment],
            BALANCES[balance],
            STAYERS[stayers] if weight is None else float(weight),
            positive("tolerance", tolerance),
            int(positive("max_iterations", max_iterations)),
        )
        vital = vital_counts({"births": births, "deaths": deaths}, start, end)
        if rules.system == SYSTEMS["closed"]:
            check_growth(start, end, vital, positive("agreement", agreement))
        result: Mapping[str, xr.DataArray | xr.Variable] = _by_accounting(
            start, end, vital, prior, rules, by_birthplace
        )
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
    by_birthplace: bool,
) -> dict[str, xr.DataArray | xr.Variable]:
    """Accounts of all countries and birthplaces, and the flows that close them."""
    from migproj._kernels import flows as kernels

    places = start["country"].values
    n = len(places)
    parts, account = _accounts(start, end, vital, rules)
    # Of a core dim that all lack the kernel sees a length of 1: birthplaces are batch rows then.
    over = "_birthplace" if by_birthplace else "birthplace"
    flows, stayers, times, error, fault, place = apply(
        kernels.fill,
        [
            *(
                Input(name, parts.isel(_part=k), (over, "country"), (over,))
                for k, name in enumerate(_PARTS[:2])
            ),
            Input("prior", prior_of(prior, start), (over, *FLOW), (over,)),
        ],
        [
            Output("flows", FLOW, (n, n)),
            Output("stayers", (over, "country"), (1 if by_birthplace else n, n)),
            *(Output(name, dtype=_type_of(name)) for name in _REPORT),
        ],
        prior is not None,
        rules.weight,
        rules.tolerance,
        rules.limit,
        least=None if by_birthplace else 1,
    )
    check_faults({"fault": fault, "place": place, "margin_error": error}, places)
    # One set of labels for all: that of the flows, which have every dim of the accounts.
    stay, most, worst = stayers.variable, times.variable, error.variable
    if by_birthplace:
        stay, most = stay.isel(_birthplace=0), most.max("birthplace")
        worst = worst.max("birthplace", skipna=False)
    result: dict[str, xr.DataArray | xr.Variable] = {"flows": flows, "stayers": stay}
    for k, name in enumerate(_PARTS[2:], start=2):
        result[name] = parts.variable.isel(_part=k)
    result["iterations"] = account["iterations"].variable + most
    result["margin_error"] = xr.apply_ufunc(
        np.maximum, account["margin_error"].variable, worst, dask="allowed"
    )
    result["n_births_spread"] = account["n_births_spread"].variable
    return result


def _accounts(
    start: xr.DataArray, end: xr.DataArray, vital: Mapping[str, xr.DataArray], rules: _Rules
) -> tuple[xr.DataArray, dict[str, xr.DataArray]]:
    """Where those are who are there at both instants, and the births, deaths and others.

    By part, then what is said of each account.
    """
    from migproj._kernels import flows as kernels

    n = start.sizes["country"]
    made = apply(
        kernels.accounts,
        [
            Input("start", start, STOCK),
            Input("end", end, STOCK),
            *(Input(name, counts, ("country",)) for name, counts in vital.items()),
        ],
        [
            Output("parts", ("_part", *STOCK), (len(_PARTS), n, n)),
            *(Output(name, dtype=_type_of(name)) for name in (*_REPORT, "n_births_spread")),
        ],
        rules.births,
        rules.deaths,
        rules.system,
        rules.balance,
        rules.tolerance,
        rules.limit,
        least=1,
    )
    parts = made[0].assign_coords(_places(start, STOCK))
    account = {str(array.name): array for array in made[1:]}
    check_faults(account, start["country"].values)
    many = account["n_births_spread"]
    if many.chunks is None and (many.values > 0).any():
        home = xr.DataArray(np.eye(n) == 1, dims=STOCK)
        spread = parts.isel(_part=_PARTS.index("births")).where(~home, 0.0).sum("birthplace") > 0
        what = "births spread over birthplaces, for there are fewer natives at the end,"
        warn_findings("flows_from_stocks", [finding(what, spread)])
    return parts, account


def _places(start: xr.DataArray, dims: Sequence[str]) -> xr.Coordinates:
    """Labels of countries for `dims`, which share one index."""
    places = start["country"].values
    known = start.get_index("country")
    indexes = {
        dim: xr.indexes.PandasIndex(known.rename(dim), dim, coord_dtype=places.dtype)
        for dim in dims
    }
    labels = {dim: index.create_variables()[dim] for dim, index in indexes.items()}
    return xr.Coordinates(labels, indexes)


def _type_of(name: str) -> type[np.float64] | type[np.int64]:
    return np.float64 if name == "margin_error" else np.int64


def _by_difference(
    start: xr.DataArray, end: xr.DataArray, returns: bool
) -> dict[str, xr.DataArray]:
    """Growth of people abroad as moves from their birthplace, and decline as moves back to it."""
    change = (end.astype(np.float64) - start).where(~_home(start), 0.0)
    away = {"birthplace": "origin", "country": "destination"}
    back = {"birthplace": "destination", "country": "origin"}
    flows = change.clip(0.0).rename(away)
    if returns:
        flows = flows + (-change).clip(0.0).rename(back)
    return {"flows": flows, "n_negative": (change < 0).sum(STOCK)}


def _by_rates(
    start: xr.DataArray, end: xr.DataArray, total: xr.DataArray | None
) -> dict[str, xr.DataArray]:
    if total is not None:
        abroad = start.where(~_home(start), 0.0)
        everyone = abroad.sum(STOCK, skipna=False)
        for dim in (*FLOW, *STOCK):
            check_lacks("total", total, dim, "it is of the world: sum it")
        check_labels_match({"start": everyone, "total": total}, dims=total.dims)
        check_same_dims("total", total, "start", everyone)
        if everyone.chunks is None and bool((everyone == 0).any()):
            raise SchemaError(
                "start: nobody lives abroad, to share out movers by; use another method"
            )
        check_weights("total", total, "movers")
        flows = total * (abroad / everyone)
        flows = flows.rename(birthplace="origin", country="destination")
        return {"flows": flows, "n_negative": (flows < 0).sum(FLOW)}
    for name, stock in (("start", start), ("end", end)):
        check_whole(name, stock, STOCK)
    # Stocks with birthplaces as rows: the matrix G of end = start G, times who can move.
    growth = xr.apply_ufunc(
        _solved,
        start,
        end,
        input_core_dims=[["birthplace", "country"], ["birthplace", "country"]],
        output_core_dims=[list(FLOW)],
        join="exact",
        dask="parallelized",
        output_dtypes=[np.float64],
        dask_gufunc_kwargs={"output_sizes": dict.fromkeys(FLOW, start.sizes["country"])},
    )
    places = start["country"].values
    growth = growth.assign_coords(dict.fromkeys(FLOW, places))
    exposed = start.sum("birthplace", skipna=False).rename(country="origin")
    flows = (growth * exposed).where(growth["origin"] != growth["destination"], 0.0)
    count = (flows < 0).sum(FLOW)
    warn_findings(
        "flows_from_stocks",
        [finding("negative flows", flows < 0, "methods that account for people make none")],
    )
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
    made: Mapping[str, xr.DataArray | xr.Variable], start: xr.DataArray, end: xr.DataArray
) -> xr.Dataset:
    """With labels, units, the period, and dims in their order."""
    used = {dim for array in made.values() for dim in array.dims}
    places = _places(start, [dim for dim in (*FLOW, *STOCK) if dim in used])
    variables: dict[Hashable, xr.Variable] = {}
    labels: dict[Hashable, xr.Variable] = {}
    indexes: dict[Hashable, xr.Index] = {}
    for name, array in made.items():
        known = VARIABLES[name]
        units = "persons per period" if known.dims == ("sex", "age") else known.units
        order = [d for d in (*FLOW, *STOCK, "sex", "age") if d in array.dims]
        bare = array if isinstance(array, xr.Variable) else array.variable
        variables[name] = bare.transpose(..., *order)
        variables[name].attrs["units"] = units
        if isinstance(array, xr.Variable):
            continue
        for key, coord in array.coords.variables.items():
            if key not in places:
                labels.setdefault(key, coord)
        indexes |= {k: v for k, v in array.xindexes.items() if k not in places}
    labels |= places.variables
    indexes |= places.xindexes
    result = xr.Dataset(variables, xr.Coordinates(labels, indexes))
    began, ended = instant_of(start, "start"), instant_of(end, "end")
    if began is None or ended is None:
        # People expected without migration say of which period.
        own = [c for c in ("period", "period_width") if c in start.coords and not start[c].dims]
        return result.assign_coords({c: start[c].variable for c in own})
    return result.assign_coords(period=began, period_width=interval_years(began, ended))


def _home(stock: xr.DataArray) -> xr.DataArray:
    """Whether a country is the birthplace."""
    n = stock.sizes["country"]
    places = dict.fromkeys(STOCK, stock["country"].values)
    return xr.DataArray(np.eye(n) == 1, dims=STOCK, coords=places)
