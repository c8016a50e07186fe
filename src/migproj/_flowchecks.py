"""What flows from stocks are made of: the choices, the inputs, and what can be wrong with them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any, Final, TypeVar

import numpy as np
import numpy.typing as npt
import xarray as xr

from migproj._checks import (
    as_number,
    check_counts,
    check_dims,
    check_labels_match,
    check_labels_of,
    check_lacks,
    check_same_places,
    check_weights,
    shown,
    where,
)
from migproj._choices import check_choice
from migproj.errors import SchemaError

__all__ = [
    "BALANCES",
    "BIRTHS",
    "DEATHS",
    "FLOW",
    "STAYERS",
    "STOCK",
    "SYSTEMS",
    "check_faults",
    "check_growth",
    "check_options",
    "check_same_dims",
    "check_stocks",
    "check_whole",
    "of_origins",
    "positive",
    "prior_of",
    "vital_counts",
]

_Array = TypeVar("_Array", xr.DataArray, xr.Variable)

STOCK: Final = ("country", "birthplace")
FLOW: Final = ("origin", "destination")
# Codes of the kernel.
SYSTEMS: Final = {"closed": 0, "open": 1, "open-crossed": 2}
BIRTHS: Final = {"native": 0, "proportional": 1}
DEATHS: Final = {"proportional": 0, "accounting": 1}
BALANCES: Final = {"before": 0, "after": 1}
#: Weight of the fewest movers.
STAYERS: Final = {"quasi-independence": 1.0, "independence": 0.0}
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


def check_options(method: str, options: Mapping[str, Any]) -> None:
    """Options are of those known, and of those the method reads."""
    check_choice("method", method, _READS)
    for name, able in (
        ("system", SYSTEMS),
        ("stayers", STAYERS),
        ("birth_adjustment", BIRTHS),
        ("death_adjustment", DEATHS),
        ("balance", BALANCES),
    ):
        check_choice(name, options[name], able)
        if name not in _READS[method] and options[name] != next(iter(able)):
            raise SchemaError(f"{name}: method {method!r} does not read it; leave it out")
    for name in ("births", "deaths", "prior", "weight", "total"):
        if options[name] is not None and name not in _READS[method]:
            raise SchemaError(f"{name}: method {method!r} does not read it; leave it out")
    if options["balance"] != "before" and options["system"] != "closed":
        raise SchemaError("balance: is read with system='closed' alone; leave it out")
    if method == "pseudo-bayesian":
        weight = options["weight"]
        number = as_number("weight", np.nan if weight is None else weight)
        if number.ndim or not 0 <= float(number) <= 1:
            raise SchemaError(
                f"weight: expected a number from 0 to 1, the weight of the table with the fewest "
                f"movers, got {weight!r}"
            )
    if method == "dennett" and options["total"] is None:
        raise SchemaError(
            "total: method 'dennett' needs how many move in the world; give total=..."
        )


def check_stocks(start: xr.DataArray, end: xr.DataArray) -> None:
    mend = (
        "Give every country as a birthplace, and others (the rest of the world, unknown) as "
        "countries too, or share them out"
    )
    for name, stock in (("start", start), ("end", end)):
        check_dims(name, stock, *STOCK)
        check_counts(name, stock)
        if "country" not in stock.indexes:
            raise SchemaError(
                f"{name}: dim 'country' has no labels; nothing is aligned by position: "
                f"{name}.assign_coords(country=[...])"
            )
        check_labels_of(name, stock, "birthplace", name, stock, "country", mend)
        for dim in FLOW:
            check_lacks(name, stock, dim, "stocks are by country and birthplace")
    check_same_dims("start", start, "end", end)
    check_labels_match({"start": start, "end": end}, dims=[d for d in start.dims if d in end.dims])


def check_same_dims(name: str, counts: xr.DataArray, whose: str, of: xr.DataArray) -> None:
    """Counts that go together have the same dims of sex, place and age."""
    check_same_places(name, counts, whose, of)
    if ("age" in counts.dims) != ("age" in of.dims):
        short = name if "age" in of.dims else whose
        raise SchemaError(
            f"{short}: expected the dim 'age' as in {whose if short == name else name}: the same "
            f"{short} would be counted for each age; give it by age, or sum the other over age"
        )


def check_whole(name: str, array: xr.DataArray, dims: Iterable[Hashable]) -> None:
    """A lazy array is not split along dims that are worked on together."""
    for dim in dims:
        if (count := len(array.chunksizes.get(dim, ()))) > 1:
            raise SchemaError(
                f"{name}: dim {dim!r} is split into {count} dask chunks; expected one: "
                f"{name}.chunk({{{dim!r}: -1}})"
            )


def of_origins(flows: xr.DataArray) -> xr.DataArray:
    """The dims of flows, of which ``country`` is the origin."""
    return flows.isel(destination=0, drop=True).rename(origin="country")


def vital_counts(
    vital: Mapping[str, xr.DataArray | None], start: xr.DataArray, end: xr.DataArray
) -> dict[str, xr.DataArray]:
    """Births and deaths by country, with the dims and the labels of the stocks."""
    places = start.coords["country"].variable
    none = xr.DataArray(xr.Variable("country", np.zeros(places.size)), {"country": places})
    people = {
        name: stock.isel(birthplace=0, drop=True)
        for name, stock in (("start", start), ("end", end))
    }
    given = {name: none if counts is None else counts for name, counts in vital.items()}
    for name, counts in given.items():
        if counts is not none:
            check_dims(name, counts, "country")
            check_counts(name, counts, people=False)
            check_lacks(name, counts, "birthplace", f"sum {name} over it")
            for whose, of in people.items():
                check_same_dims(name, counts, whose, of)
    every = people | given
    check_labels_match(every, dims=dict.fromkeys(d for a in every.values() for d in a.dims))
    return given


def prior_of(prior: xr.DataArray | None, start: xr.DataArray) -> xr.DataArray:
    if prior is None:
        return xr.DataArray([[1.0]], dims=FLOW)
    check_dims("prior", prior, *FLOW)
    check_weights("prior", prior, "numbers")
    check_lacks("prior", prior, "country", "its countries are those of origin and destination")
    for dim in (*FLOW, "birthplace"):
        if dim in prior.dims:
            mend = "Give 0 where nobody moves"
            check_labels_of("prior", prior, dim, "start", start, "country", mend)
    shared = [dim for dim in prior.dims if dim in start.dims and dim != "birthplace"]
    check_labels_match({"start": start, "prior": prior}, shared)
    for dim in ("sex", "age"):
        if dim not in start.dims:
            check_lacks("prior", prior, dim, f"stocks are not by {dim}: sum it over {dim}")
    if prior.chunks is None and bool(prior.isnull().any()):
        odd = prior.isnull()
        raise SchemaError(
            f"prior: expected numbers, got {int(odd.sum())} missing one(s): "
            f"{'; '.join(where(prior, odd.values))}; give 0 where nobody can move"
        )
    return prior


def positive(name: str, value: Any) -> float:
    number = as_number(name, value)
    if number.ndim or not 0 < float(number) < np.inf:
        raise SchemaError(f"{name}: expected one number above 0, got {shown(value)}")
    return float(number)


def _growth_unexplained(start: _Array, end: _Array, births: _Array, deaths: _Array) -> _Array:
    change = end.sum("birthplace", skipna=False) - start.sum("birthplace", skipna=False)
    return change - (births - deaths)


def check_growth(
    start: xr.DataArray, end: xr.DataArray, vital: Mapping[str, xr.DataArray], agreement: float
) -> None:
    """People of all countries grow by about births less deaths (labels are known to match)."""
    given = (start, end, vital["births"], vital["deaths"])
    if any(array.chunks is not None for array in given):
        return
    arrays = [array.variable.astype(np.float64, copy=False) for array in given]  # ints would wrap
    people = arrays[1].sum(STOCK, skipna=False)
    miss = _growth_unexplained(*arrays).sum("country", skipna=False)
    if not (abs(miss) > agreement * people).any():
        return
    net = _growth_unexplained(*(array.astype(np.float64, copy=False) for array in given))
    off = net.sum("country", skipna=False)
    odd = abs(off) > agreement * people
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


def check_faults(account: Mapping[str, xr.DataArray], places: npt.NDArray[Any]) -> None:
    """Raise if a kernel found an account that cannot be closed."""
    fault = account["fault"]
    if fault.chunks is not None or not (fault.values > 0).any():
        return
    cell = tuple(np.argwhere(np.asarray(fault.values) > 0)[0])
    code, at = int(fault.values[cell]), int(account["place"].values[cell])
    is_flow = code == max(_FAULTS)
    sides = ("origin", "destination") if is_flow else STOCK
    k, at = divmod(at, 2 * len(places))
    label = f"{sides[at // len(places)]} {places[at % len(places)]}"
    if is_flow and "birthplace" not in fault.dims:
        label += f" (birthplace={places[k]})"
    if code == _OUTSIDE:
        label = f"birthplace {places[at]}"
    what, mend = _FAULTS[code]
    said = what.format(place=label, error=float(account["margin_error"].values[cell]))
    cells = f" ({'; '.join(where(fault, np.asarray(fault.values) > 0))})" if fault.ndim else ""
    raise SchemaError(f"{said}{cells}; {mend}")
