"""Tables of flows fitted to what is known of them: margins, blocks of cells, net migration."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import xarray as xr

from migproj._apply import Input, Output, apply, dated_as
from migproj._checks import (
    as_number,
    check_dims,
    check_finite,
    check_labels_match,
    check_labels_of,
    check_lacks,
    check_weights,
    where,
)
from migproj._choices import check_choice
from migproj._flowchecks import FLOW, check_same_dims, of_origins, positive
from migproj.errors import AlignmentError, SchemaError

__all__ = ["fit_margins", "flows_from_net"]

#: Codes of the kernel, and how flows with the fewest movers are made.
_NEAREST: Final = {"entropy": 0, "least-change": 1}
_FEWEST: Final = "fewest-movers"
#: The kernel's code of a margin that no cell can have any of.
_NOBODY: Final = 1
_REPORT: Final = (
    Output("iterations", dtype=np.int64),
    Output("margin_error"),
    Output("fault", dtype=np.int64),
    Output("place", dtype=np.int64),
)


def fit_margins(
    table: xr.DataArray,
    margins: Sequence[xr.DataArray],
    *,
    blocks: Mapping[str, xr.DataArray] | None = None,
    tolerance: float = 1e-10,
    max_iterations: int = 100_000,
) -> xr.Dataset:
    r"""Fit a table to its margins by iterative proportional fitting.

    Parameters
    ----------
    table : DataArray (...)
        Numbers of 0 or more that the result should be like (flows of another period, an offset,
        1 everywhere); where it is 0 the result is (structural zeros).
    margins : sequence of DataArray
        Totals of 0 or more, by some of the dims of `table`, summed over its others; a total of
        all has none of them. Dims that all margins have are tables of their own, fitted one by
        one (birthplaces; draws): `table` may lack these.
    blocks : mapping of str to DataArray, optional
        For margins by a dim that `table` lacks: an array over dims of `table` with the label of
        that dim to which each cell belongs. So cells make up blocks, stripes or a diagonal whose
        total is a margin.
    tolerance : float
        Largest error of a margin, as a share of the largest total.
    max_iterations : int
        How often all margins may be fitted before the fit is given up.

    Returns
    -------
    Dataset
        ``fitted_table`` (..., dims of `table`), in the units of the margins; ``iterations`` and
        ``margin_error`` (...), how often all margins were fitted and the largest error left.

    Raises
    ------
    SchemaError
        If dims or values are not what is described here, totals of two margins disagree by more
        than `tolerance`, or there is no table with these margins and zeros.
    AlignmentError
        If labels differ, or a block has no total.

    Notes
    -----
    Each margin in turn is met by scaling what adds up to it, until all are. Of the tables with
    these margins the result is that with the least Σ y ln(y/m), or with log y = log m + a term
    of each margin (a log-linear model): of origins and destinations, y(i,j) = a(i) b(j) m(i,j).
    Odds ratios are those of `table`. Totals are never scaled to agree.

    References
    ----------
    Deming & Stephan (1940), "On a least squares adjustment of a sampled frequency table when the
    expected marginal totals are known", *Annals of Mathematical Statistics* 11:427-444; Willekens
    (1999), "Modeling approaches to the indirect estimation of migration flows: from entropy to
    EM", *Mathematical Population Studies* 7:239-278.

    Examples
    --------
    Flows of Willekens (1999):

    >>> import migproj as mp, xarray as xr
    >>> places = {"origin": ["A", "B"], "destination": ["A", "B"]}
    >>> before = xr.DataArray([[5.0, 2.0], [1.0, 7.0]], dims=list(places), coords=places)
    >>> leaving = xr.DataArray([18.0, 20.0], dims="origin", coords={"origin": ["A", "B"]})
    >>> coming = leaving.rename(origin="destination").copy(data=[16.0, 22.0])
    >>> mp.fit_margins(before, [leaving, coming])["fitted_table"].values.round(2)
    array([[13.25,  4.75],
           [ 2.75, 17.25]])
    """
    from migproj._kernels import fitting as kernels

    blocks = {} if blocks is None else blocks
    core = _core_dims(table, margins, blocks)
    sizes = [table.sizes[dim] for dim in core]
    own = [[dim for dim in margin.dims if dim in core or dim in blocks] for margin in margins]
    flat = [_flat(margin, dims) for margin, dims in zip(margins, own, strict=True)]
    total_of, first = _totals_of(table, core, margins, own, blocks)
    limits = positive("tolerance", tolerance), int(positive("max_iterations", max_iterations))
    totals = xr.concat(flat, "_cell", join="exact", coords="minimal", compat="override")
    if totals.chunks is not None:
        totals = totals.chunk(_cell=-1)
    _check_agree(margins, own, tolerance)
    cells = int(np.prod(sizes, dtype=np.int64))
    fitted, times, error, fault, place = apply(
        kernels.fit,
        [
            Input("table", _flat(table, core), ("_cell",)),
            Input("margins", totals.rename(_cell="_total"), ("_total",)),
        ],
        [Output("fitted_table", ("_cell",), (cells,)), *_REPORT],
        total_of,
        first,
        *limits,
    )
    _check_met(fault, place, error, margins, own, first, limits[1])
    batch = fitted.dims[:-1]
    shaped = xr.DataArray(
        fitted.data.reshape([*(fitted.sizes[dim] for dim in batch), *sizes]),
        dims=[*batch, *core],
        coords={
            **fitted.coords,
            **{name: c for name, c in table.coords.items() if c.dims and {*c.dims} <= {*core}},
        },
        attrs={"units": margins[0].attrs.get("units", table.attrs.get("units", "1"))},
    )
    others = [dim for dim in batch if dim not in table.dims]
    shaped = shaped.transpose(*others, *table.dims)
    made = xr.Dataset({"fitted_table": shaped, "iterations": times, "margin_error": error})
    return made.assign_coords(_periods_of(made, margins))


def flows_from_net(
    net: xr.DataArray,
    prior: xr.DataArray,
    *,
    method: str = "entropy",
    total: float | xr.DataArray | None = None,
    tolerance: float = 1e-10,
    max_iterations: int = 200,
) -> xr.Dataset:
    r"""Flows between countries that add up to their net migration.

    Parameters
    ----------
    net : DataArray (..., country)
        Net migration (persons per period); adds up to 0 over countries.
    prior : DataArray (..., origin, destination)
        Flows that the result should be like, 0 where nobody can move. ``origin`` and
        ``destination`` have the labels of ``country``, in the same order. By sex, age and
        birthplace as `net` is, unless `method` or `total` says how many move.
    method : {"entropy", "least-change", "fewest-movers"}
        "entropy": flows are multiplied by factors of destinations over those of origins;
        "least-change": the least sum of squared changes as shares of the prior; "fewest-movers":
        people leave countries that lose for those that gain, nobody else moves.
    total : float or DataArray (...), optional
        Of all flows, those of `prior` from a country to itself included; not with
        "fewest-movers"; by sex and age if net migration is. Default: what follows.
    tolerance : float
        Largest error of net migration, as a share of the largest turnover of a country.
    max_iterations : int
        Steps before it is given up.

    Returns
    -------
    Dataset
        ``flows`` (..., origin, destination; persons per period), ``iterations`` and
        ``margin_error`` (...; persons), the largest error of net migration left.

    Raises
    ------
    SchemaError
        If dims or values are not what is described here, net migration does not add up to 0, or
        no flows along the cells of `prior` have it.
    AlignmentError
        If labels differ.

    Notes
    -----
    With net migration M and prior m, flows y have Σ(i) y(i,j) - Σ(i) y(j,i) = M(j) and

    .. math::
       \text{entropy:}\; \min \sum y \ln \frac{y}{m} - y + m, \;
       y_{ij} = \tau\, m_{ij}\, e^{\lambda_j - \lambda_i}; \qquad
       \text{least change:}\; \min \sum \frac{(y - m)^2}{m}, \;
       y_{ij} = m_{ij} \max(0,\, \tau + \lambda_j - \lambda_i)

    τ = 1 without a `total`. Levels λ of countries are found by Newton's method on the dual
    problem, which is convex; proportional fitting of the same model ends at the same flows, after
    many more steps. Net migration alone says nothing of how many move: that is from the prior.

    References
    ----------
    Willekens (1999), *Mathematical Population Studies* 7:239-278; Plane (1981), "Estimation of
    place-to-place migration flows from net migration totals: a minimum information approach",
    *International Regional Science Review* 6:33-51.

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> places = ["A", "B", "C"]
    >>> prior = xr.DataArray([[0.0, 10.0, 5.0], [8.0, 0.0, 4.0], [6.0, 9.0, 0.0]],
    ...     dims=("origin", "destination"), coords={"origin": places, "destination": places})
    >>> net = xr.DataArray([-10.0, 12.0, -2.0], dims="country", coords={"country": places})
    >>> flows = mp.flows_from_net(net, prior)["flows"]
    >>> (flows.sum("origin") - flows.sum("destination").values).round(6).values
    array([-10.,  12.,  -2.])
    >>> flows.round(2).values
    array([[ 0.  , 13.39,  6.92],
           [ 5.97,  0.  ,  4.13],
           [ 4.34,  8.71,  0.  ]])
    """
    able = [*_NEAREST, _FEWEST]
    check_choice("method", method, able)
    check_dims("net", net, "country")
    check_finite("net", net)
    for dim in FLOW:
        check_lacks("net", net, dim, "net migration is by country")
    check_dims("prior", prior, *FLOW)
    check_weights("prior", prior, "flows")
    check_lacks("prior", prior, "country", "its countries are those of origin and destination")
    if "country" not in net.indexes:
        raise SchemaError(
            "net: dim 'country' has no labels; nothing is aligned by position: "
            "net.assign_coords(country=[...])"
        )
    for dim in FLOW:
        check_labels_of("prior", prior, dim, "net", net, "country", "Give 0 where nobody moves")
    if method != _FEWEST and total is None:
        check_same_dims("prior", of_origins(prior), "net", net)
    else:  # the level of the prior is not read
        alike = [d for d in net.dims if d not in prior.dims and d != "country"]
        check_same_dims("net", net, "prior", of_origins(prior).expand_dims(alike))
    limits = positive("tolerance", tolerance), int(positive("max_iterations", max_iterations))
    _check_no_balance(net, limits[0])
    n = net.sizes["country"]
    if method == _FEWEST:
        if total is not None:
            raise SchemaError("total: follows from net with 'fewest-movers'; leave it out")
        from migproj._kernels import flows as tables

        # Net migration and priors that are missing in part make all of their flows missing.
        check_labels_match({"net": net, "prior": prior}, [d for d in net.dims if d in prior.dims])
        net = net.where(net.notnull().all("country"))
        net = net.where(prior.notnull().all(FLOW).reset_coords(drop=True))
        one = ("_birthplace",)  # everyone's
        flows, _, times, error, fault, place = apply(
            tables.fill,
            [
                Input("losses", (-net).clip(0.0), (*one, "country"), one),
                Input("gains", net.clip(0.0), (*one, "country"), one),
                Input("prior", prior, (*one, *FLOW), one),
            ],
            [Output("flows", FLOW, (n, n)), Output("stayers", (*one, "country"), (1, n)), *_REPORT],
            True,
            1.0,
            *limits,
        )
    else:
        from migproj._kernels import fitting as kernels

        movers = as_number("total", 0.0 if total is None else total)
        check_weights("total", movers, "movers")
        if total is not None:
            check_same_dims("total", movers, "net", net.isel(country=0, drop=True))
        flows, times, error, fault, place = apply(
            kernels.net_flows,
            [
                Input("net", net, ("country",)),
                Input("prior", prior, FLOW),
                Input("total", movers),
            ],
            [Output("flows", FLOW, (n, n)), *_REPORT],
            _NEAREST[method],
            total is not None,
            *limits,
        )
    _check_found(net, fault, place, error, method != _FEWEST)
    flows = flows.assign_coords(dict.fromkeys(FLOW, net["country"].values))
    return dated_as(xr.Dataset({"flows": flows, "iterations": times, "margin_error": error}), net)


def _periods_of(made: xr.Dataset, totals: Sequence[xr.DataArray]) -> dict[str, xr.Variable]:
    """The period that the totals are of, if those that say it say the same."""
    found = {}
    for name in ("period", "period_width"):
        given = [total.coords[name].variable for total in totals if name in total.coords]
        if given and all(given[0].equals(other) for other in given[1:]):
            found[name] = given[0]
    return {name: own for name, own in found.items() if set(own.dims) <= set(made.dims)}


def _cells(flags: xr.DataArray) -> str:
    odd = np.asarray(flags.values) > 0
    return f" ({'; '.join(where(flags, odd))})" if flags.ndim else ""


def _check_found(
    net: xr.DataArray,
    fault: xr.DataArray,
    place: xr.DataArray,
    error: xr.DataArray,
    has_total: bool,
) -> None:
    """Raise SchemaError where no flows have this net migration."""
    if fault.chunks is not None or not bool((fault > 0).any()):
        return
    n = net.sizes["country"]
    cell = tuple(np.argwhere(np.asarray(fault.values) > 0)[0])
    at, off = int(place.values[cell]), float(error.values[cell])
    who = f"country {net['country'].values[at % n]}"
    mend = "give prior numbers above 0 where people can move"
    if at == n and has_total:
        who = "the total"
        mend += (
            ", or a total of all who have to move: those gained, and more if not all can directly"
        )
    raise SchemaError(
        f"net: no flows along the cells of prior have this net migration: {who} is off by "
        f"{off:g}{_cells(fault)}; {mend}"
    )


def _check_no_balance(net: xr.DataArray, tolerance: float) -> None:
    if net.chunks is not None:
        return
    off = net.sum("country", skipna=False)
    odd = abs(off) > tolerance * abs(net).max("country")
    if odd.any():
        size = abs(net).where(odd).max([d for d in net.dims if d != "country"])
        largest = size.sortby(size, ascending=False)["country"].values[:5].tolist()
        raise SchemaError(
            f"net: expected net migration that adds up to 0 over countries, got "
            f"{float(off.where(odd).max()):g}{_cells(odd)}; it is largest in {largest}; "
            "mp.reconcile spreads the difference"
        )


def _core_dims(
    table: xr.DataArray, margins: Sequence[xr.DataArray], blocks: Mapping[str, xr.DataArray]
) -> list[Hashable]:
    """Dims of the table that not all margins have; also checks what is given."""
    check_dims("table", table)
    check_weights("table", table, "numbers")
    given: Any = margins
    if not isinstance(given, Sequence) or isinstance(given, str) or not given:
        raise SchemaError(
            "margins: expected a list of totals, [by_origin, by_destination], got "
            + ("an empty one" if isinstance(given, Sequence) and not given else repr(given)[:60])
        )
    if not isinstance(blocks, Mapping):
        raise SchemaError(
            "blocks: expected a mapping of the name of a dim to the labels of cells, "
            f"{{'kind': labels}}, got {type(blocks).__name__}"
        )
    named = {f"margins[{k}]": margin for k, margin in enumerate(margins)}
    for name, margin in named.items():
        check_dims(name, margin)
        check_weights(name, margin, "totals")
    for dim, block in blocks.items():
        check_dims(f"blocks[{dim!r}]", block)
        if dim in table.dims or any(d not in table.dims for d in block.dims):
            raise SchemaError(
                f"blocks[{dim!r}]: expected labels by dims of the table, {table.dims!r}, under a "
                f"name that is none of them; got dims {block.dims!r}"
            )
    check_labels_match(
        {"table": table, **named, **{f"blocks[{d!r}]": b for d, b in blocks.items()}},
        dims=[*table.dims, *{d: None for m in margins for d in m.dims}],
    )
    shared = {d for d in margins[0].dims if all(d in margin.dims for margin in margins)}
    shared -= set(blocks)
    core = [dim for dim in table.dims if dim not in shared]
    for name, margin in named.items():
        odd = [d for d in margin.dims if d not in (*core, *shared, *blocks)]
        if odd:
            raise SchemaError(
                f"{name}: the dim(s) {odd} are neither of the table ({table.dims!r}) nor of all "
                "margins; sum over them, or give all margins by them"
            )
    for block in blocks.values():
        if any(d in shared for d in block.dims):
            raise SchemaError(
                f"blocks: expected labels by {core}, got dims {block.dims!r}; tables of their own "
                "have the same blocks"
            )
    return core


def _flat(array: xr.DataArray, dims: Sequence[Hashable]) -> xr.DataArray:
    """The array with `dims` as one, without their labels."""
    plain = array.drop_vars([n for n, c in array.coords.items() if {*c.dims} & {*dims}])
    if not dims:
        return plain.expand_dims("_cell", -1)
    return plain.transpose(..., *dims).stack(_cell=list(dims), create_index=False)


def _totals_of(
    table: xr.DataArray,
    core: Sequence[Hashable],
    margins: Sequence[xr.DataArray],
    own: Sequence[Sequence[Hashable]],
    blocks: Mapping[str, xr.DataArray],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Of each margin and cell the number of its total, and where the margins' totals begin."""
    sizes = [table.sizes[dim] for dim in core]
    grid = dict(zip(core, np.indices(sizes, dtype=np.int64).reshape(len(sizes), -1), strict=True))
    rows, first = [], [0]
    for k, (margin, dims) in enumerate(zip(margins, own, strict=True)):
        number = np.zeros(int(np.prod(sizes, dtype=np.int64)), dtype=np.int64)
        for dim in dims:
            if dim in grid:
                at = grid[dim]
            else:
                block = blocks[str(dim)]
                labels = block.transpose(*(d for d in core if d in block.dims)).values
                where_in = tuple(grid[d] for d in core if d in block.dims)
                if dim not in margin.indexes:
                    raise SchemaError(f"margins[{k}]: dim {dim!r} has no labels")
                at = margin.indexes[dim].get_indexer(labels.ravel()).reshape(labels.shape)[where_in]
                if (at < 0).any():
                    lacking = np.unique(labels[~np.isin(labels, margin[dim].values)])[:5].tolist()
                    raise AlignmentError(
                        f"margins[{k}]: dim {dim!r}: expected a total of each label of "
                        f"blocks[{dim!r}], {lacking} lack(s) one"
                    )
            number = number * margin.sizes[dim] + at
        rows.append(number + first[-1])
        first.append(first[-1] + int(np.prod([margin.sizes[d] for d in dims], dtype=np.int64)))
    return np.array(rows), np.array(first, dtype=np.int64)


def _check_agree(
    margins: Sequence[xr.DataArray], own: Sequence[Sequence[Hashable]], tolerance: float
) -> None:
    """Two margins have the same totals by the dims that they share."""
    for k, (margin, dims) in enumerate(zip(margins, own, strict=True)):
        for j in range(k):
            if margin.chunks is not None or margins[j].chunks is not None:
                continue
            both = [dim for dim in dims if dim in own[j]]
            mine, theirs = (
                one.astype(np.float64).sum([d for d in of if d not in both], skipna=False)
                for one, of in ((margin, dims), (margins[j], own[j]))
            )
            off = abs(mine - theirs)
            odd = off > tolerance * np.maximum(mine.max(both), theirs.max(both))
            if odd.any():
                raise SchemaError(
                    f"margins[{k}]: expected the totals of margins[{j}], got totals that differ by "
                    f"{float(off.max()):g}{_cells(odd)}; nothing is scaled for you: divide one by "
                    "its sum and multiply by that of the other"
                )


def _check_met(
    fault: xr.DataArray,
    place: xr.DataArray,
    error: xr.DataArray,
    margins: Sequence[xr.DataArray],
    own: Sequence[Sequence[Hashable]],
    first: npt.NDArray[np.int64],
    limit: int,
) -> None:
    if fault.chunks is not None or not bool((fault > 0).any()):
        return
    cell = tuple(np.argwhere(np.asarray(fault.values) > 0)[0])
    at = int(place.values[cell])
    k = int(np.searchsorted(first, at, side="right")) - 1
    margin, dims = margins[k], own[k]
    index = np.unravel_index(at - first[k], [margin.sizes[d] for d in dims]) if dims else ()
    labels: list[Any] = [
        f"{d}={margin[d].values[i]}" if d in margin.coords else f"{d}[{i}]"
        for d, i in zip(dims, index, strict=True)
    ]
    off = f"{', '.join(labels) or 'the total'} is off by {float(error.values[cell]):g}"
    mend = "give table numbers above 0 where there can be people"
    if int(fault.values[cell]) == _NOBODY:
        what = f"no table with the zeros of this one has these margins: {off}"
    else:
        what = (
            f"not met in {limit} rounds: {off}; the zeros of the table leave no room for them, or "
            "none but with more zeros, which fitting comes near to slowly"
        )
        mend += ", or allow more max_iterations or a wider tolerance"
    raise SchemaError(f"margins[{k}]: {what}{_cells(fault)}; {mend}")
