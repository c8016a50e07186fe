"""Patterns of the flows between places: intensity, spread, preference and distance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt
import xarray as xr

from migproj._checks import (
    check_counts,
    check_dims,
    check_finite,
    check_labels_match,
    check_labels_of,
    where,
)
from migproj._flowchecks import FLOW, check_whole
from migproj.errors import SchemaError
from migproj.intensity import named

__all__ = ["distance_indices", "flow_indices", "stream_indices"]

#: Rounds of fitting margins, and the change at which they fit.
_ROUNDS: Final = 1000
_FITTED: Final = 1e-12
#: Size of decay above which it is not looked for.
_STEEPEST: Final = 64.0
_SPREAD: Final = (
    "gini",
    "gini_origins",
    "gini_destinations",
    "weighted_gini",
    "variation",
    "weighted_variation",
)


def flow_indices(flows: xr.DataArray, population: xr.DataArray) -> xr.Dataset:
    r"""Intensity, impact and spread of the flows between places.

    Parameters
    ----------
    flows : DataArray (..., origin, destination)
        Movers or moves (persons per period). From a place to itself nothing is read.
    population : DataArray (..., origin)
        Population at risk (persons) of each place.

    Returns
    -------
    Dataset
        (...) ``crude_intensity`` (movers per person of the period), ``courgeau_k``,
        ``aggregate_effectiveness``, ``net_intensity`` (people redistributed per person),
        ``connectivity`` (share of pairs with any flow), ``inequality`` (half the absolute
        difference from equal shares of all pairs), ``dissimilarity`` (from the flows that
        totals in and out alone would give), ``gini`` (of all pairs), ``gini_origins`` and
        ``gini_destinations`` (the part of its differences that is among the flows out of the same
        place, or into it), ``weighted_gini`` (the mean over places, weighted by movers, of the
        Gini index of the flows out of each and into each), ``variation`` (coefficient of
        variation of all pairs) and ``weighted_variation`` (the mean over places, as above).

    Raises
    ------
    SchemaError
        If dims or values are not what is described here, or there is no flow at all.
    AlignmentError
        If the labels of origin, destination and population differ.

    Notes
    -----
    With M movers in all, P people, n places, and the balance and turnover of each place:

    .. math::
       CMI = \frac{M}{P}, \quad k = \frac{CMI}{\ln n^2}, \quad
       MEI = \frac{\sum |I - O|}{\sum (I + O)}, \quad ANMR = \frac{\sum |I - O|}{2P}

    The flows that totals alone would give are those of quasi-independence: a(i) b(j) off the
    diagonal with the same totals, by up to 1,000 rounds of iterative proportional fitting (to 1e-3
    where the totals leave nobody for some pairs, a limit it nears slowly). The Gini index is of the
    n (n - 1) pairs, without the correction m/(m - 1) for their number.

    References
    ----------
    Bell, Blake, Boyle, Duke-Williams, Rees, Stillwell & Hugo (2002), "Cross-national comparison
    of internal migration: issues and measures", *JRSS A* 165:435-464; Courgeau (1973),
    "Migrants et migrations", *Population* 28:95-129; Plane & Mulligan (1997), "Measuring spatial
    focusing in a migration system", *Demography* 34:251-262; Rogers & Sweeney (1998), "Measuring
    the spatial focus of migration patterns", *The Professional Geographer* 50:232-242.

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> places = ["north", "south", "west"]
    >>> flows = xr.DataArray([[0.0, 30, 10], [10, 0, 10], [20, 20, 0]], dims=("origin",
    ...     "destination"), coords={"origin": places, "destination": places})
    >>> people = xr.DataArray([400.0, 300, 300], dims="origin", coords={"origin": places})
    >>> indices = mp.indicators.flow_indices(flows, people)
    >>> float(indices["crude_intensity"]), float(indices["aggregate_effectiveness"])
    (0.1, 0.3)
    """
    moves, pair = _between_places(flows)
    _check_population(population, flows)
    n = flows.sizes["origin"]
    total = moves.sum(FLOW, skipna=False)
    out = moves.sum("destination", skipna=False).drop_vars("origin").rename(origin="place")
    into = moves.sum("origin", skipna=False).drop_vars("destination").rename(destination="place")
    people = population.sum("origin", skipna=False)
    balance = abs(into - out).sum("place", skipna=False)
    intensity = total / people
    even = abs(moves / total - 1.0 / (n * (n - 1))).where(pair, 0.0)
    expected = xr.apply_ufunc(
        _quasi_independent,
        moves,
        input_core_dims=[FLOW],
        output_core_dims=[FLOW],
        dask="parallelized",
        output_dtypes=[float],
    )
    spread = xr.apply_ufunc(
        _spread,
        moves,
        input_core_dims=[FLOW],
        output_core_dims=[["index"]],
        dask="parallelized",
        dask_gufunc_kwargs={"output_sizes": {"index": len(_SPREAD)}},
        output_dtypes=[float],
    )
    found = {
        "crude_intensity": intensity,
        "courgeau_k": intensity / np.log(float(n) ** 2),
        "aggregate_effectiveness": balance / (into + out).sum("place", skipna=False),
        "net_intensity": balance / 2 / people,
        "connectivity": ((moves > 0).sum(FLOW) / (n * (n - 1))).where(total.notnull()),
        "inequality": even.sum(FLOW, skipna=False) / 2,
        "dissimilarity": abs(moves - expected).sum(FLOW, skipna=False) / 2 / total,
        **{name: spread.isel(index=i) for i, name in enumerate(_SPREAD)},
    }
    return xr.Dataset({name: named(array, name) for name, array in found.items()})


def stream_indices(flows: xr.DataArray, population: xr.DataArray) -> xr.Dataset:
    r"""Preference and velocity of each stream between two places.

    Parameters
    ----------
    flows : DataArray (..., origin, destination)
        Movers or moves (persons per period). From a place to itself nothing is read.
    population : DataArray (..., origin)
        Population (persons) of each place.

    Returns
    -------
    Dataset
        (..., origin, destination) ``preference``, movers over those expected if all places
        were left and chosen in proportion to their people, and ``velocity``, movers per person
        at the origin and per share of all people at the destination. Missing on the diagonal.

    Raises
    ------
    SchemaError
        If dims or values are not what is described here, or there is no flow at all.
    AlignmentError
        If the labels of origin, destination and population differ.

    Notes
    -----
    .. math:: p_{ij} = \frac{M_{ij}}{M\,(P_i/P)(P_j/P)}, \quad
              v_{ij} = \frac{M_{ij}}{P_i\,(P_j/P)}

    so that v is p times the crude intensity M/P. Manuals print both times 100.

    References
    ----------
    Bachi (1957), "Statistical analysis of geographical series"; Shryock & Siegel (1976), *The
    Methods and Materials of Demography*, ch. 21 (preference index, velocity).

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> places = ["north", "south"]
    >>> flows = xr.DataArray([[0.0, 30.0], [10.0, 0.0]], dims=("origin", "destination"),
    ...     coords={"origin": places, "destination": places})
    >>> people = xr.DataArray([600.0, 400.0], dims="origin", coords={"origin": places})
    >>> streams = mp.indicators.stream_indices(flows, people)
    >>> float(streams["velocity"].sel(origin="north", destination="south"))
    0.125
    """
    moves, pair = _between_places(flows)
    _check_population(population, flows)
    everyone = population.sum("origin", skipna=False)
    share = population / everyone
    there = share.rename(origin="destination")
    velocity = (moves / (population * there)).where(pair)
    preference = velocity * everyone / moves.sum(FLOW, skipna=False)
    found = {"preference": preference, "velocity": velocity}
    return xr.Dataset(
        {name: named(array.transpose(..., *FLOW), name) for name, array in found.items()}
    )


def distance_indices(flows: xr.DataArray, distance: xr.DataArray) -> xr.Dataset:
    r"""How far people move, and how fast flows fall with distance.

    Parameters
    ----------
    flows : DataArray (..., origin, destination)
        Movers or moves (persons per period). From a place to itself nothing is read.
    distance : DataArray (..., origin, destination)
        Distances between places (km, or another unit), above 0 off the diagonal.

    Returns
    -------
    Dataset
        (...) ``mean_distance`` and ``median_distance`` of all movers (unit of `distance`), and
        ``distance_decay``, the change of the flow's logarithm with that of the distance (below
        0 where near places exchange more).

    Raises
    ------
    SchemaError
        If dims or values are not what is described here, or there is no flow at all.
    AlignmentError
        If labels differ.

    Notes
    -----
    The median is interpolated between distances in order, each at the middle of its movers. The
    decay β is that of the Poisson gravity model with the totals of both margins,

    .. math:: M_{ij} = a_i b_j d_{ij}^{\beta}

    which has the same mean of ln d over movers as was seen.

    References
    ----------
    Bell et al. (2002), *JRSS A* 165:435-464; Flowerdew & Aitkin (1982), "A method of fitting the
    gravity model based on the Poisson distribution", *Journal of Regional Science* 22:191-202;
    Stillwell et al. (2016), "Internal migration around the world: comparing distance travelled
    and its frictional effect", *Environment and Planning A* 48:1657-1675.

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> places = ["north", "south", "west", "coast"]
    >>> labels = {"origin": places, "destination": places}
    >>> away = xr.DataArray([[0.0, 1, 2, 3], [1, 0, 4, 5], [2, 4, 0, 2], [3, 5, 2, 0]],
    ...     dims=tuple(labels), coords=labels)
    >>> result = mp.indicators.distance_indices(60 / away.where(away > 0, 1), away)
    >>> float(result["distance_decay"].round(6)), float(result["mean_distance"].round(3))
    (-1.0, 2.156)
    """
    moves, pair = _between_places(flows)
    check_dims("distance", distance, *FLOW)
    check_finite("distance", distance)
    check_labels_match({"flows": flows, "distance": distance}, dims=distance.dims)
    check_whole("distance", distance, FLOW)
    near = ((distance <= 0) & pair).transpose(*distance.dims)
    if near.chunks is None and bool(near.any()):
        raise SchemaError(
            f"distance: expected distances above 0 between two places, got 0 or less for "
            f"{int(near.sum())} pair(s): {'; '.join(where(near, near.values))}; correct them"
        )
    found = xr.apply_ufunc(
        _distances,
        moves,
        distance.where(pair, 1.0),
        input_core_dims=[FLOW, FLOW],
        output_core_dims=[["index"]],
        vectorize=True,
        dask="parallelized",
        dask_gufunc_kwargs={"output_sizes": {"index": 3}},
        output_dtypes=[float],
    )
    names = ("mean_distance", "median_distance", "distance_decay")
    return xr.Dataset({name: named(found.isel(index=i), name) for i, name in enumerate(names)})


def _between_places(flows: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
    """Checked flows with 0 on the diagonal, and what is off it."""
    check_dims("flows", flows, *FLOW)
    check_counts("flows", flows, people=False)
    if "origin" not in flows.indexes:
        raise SchemaError(
            "flows: dim 'origin' has no labels; nothing is aligned by position: "
            "flows.assign_coords(origin=[...], destination=[...])"
        )
    mend = "give all places as origin and as destination, with 0 where nobody moves"
    check_labels_of("flows", flows, "destination", "flows", flows, "origin", mend)
    check_whole("flows", flows, FLOW)
    pair = xr.DataArray(~np.eye(flows.sizes["origin"], dtype=bool), dims=FLOW)
    moves = flows.where(pair, 0.0).astype(np.float64)
    if moves.chunks is None and bool((moves.sum(FLOW, skipna=False) == 0).any()):
        raise SchemaError(
            "flows: expected some moves between places, got none; check that off the diagonal "
            "there are flows, and select the tables that have them"
        )
    return moves, pair


def _check_population(population: xr.DataArray, flows: xr.DataArray) -> None:
    check_dims("population", population, "origin")
    check_counts("population", population, people=False)
    check_labels_match({"flows": flows, "population": population}, dims=population.dims)


def _quasi_independent(moves: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Flows with the same totals in and out and no other pattern, none within a place."""
    pairs = ~np.eye(moves.shape[-1], dtype=bool)
    fitted = _fitted_to(np.broadcast_to(pairs, moves.shape).astype(float), moves)
    return np.where(np.isnan(moves.sum((-1, -2), keepdims=True)), np.nan, fitted)


def _fitted_to(
    weights: npt.NDArray[np.float64], moves: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """The weights times a factor of each origin and each destination, with the totals of moves."""
    fitted = weights
    out, into = moves.sum(-1, keepdims=True), moves.sum(-2, keepdims=True)
    for _ in range(_ROUNDS):
        rows = fitted.sum(-1, keepdims=True)
        fitted = fitted * np.divide(out, rows, out=np.zeros_like(rows), where=rows > 0)
        columns = fitted.sum(-2, keepdims=True)
        factor = np.divide(into, columns, out=np.zeros_like(columns), where=columns > 0)
        fitted = fitted * factor
        if not (np.abs(factor - 1.0)[columns > 0] > _FITTED).any():
            break
    return fitted


def _spread(moves: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The indices of _SPREAD, on the last axis."""
    n = moves.shape[-1]
    pairs = ~np.eye(n, dtype=bool)
    out = moves[..., pairs].reshape(*moves.shape[:-2], n, n - 1)
    into = np.swapaxes(moves, -1, -2)[..., pairs].reshape(out.shape)
    every = out.reshape(*out.shape[:-2], n * (n - 1))
    between = _differences(every)
    apart = [_differences(part) for part in (out, into)]
    total = every.sum(-1)
    found = [
        between / (every.shape[-1] * total),
        *(_ratio(part.sum(-1), between) for part in apart),
        sum(part.sum(-1) for part in apart) / (2 * (n - 1) * total),
        every.std(-1) / every.mean(-1),
        # each place's coefficient of variation weighted by its mean
        sum(part.std(-1).sum(-1) for part in (out, into)) * (n - 1) / (2 * total),
    ]
    return np.stack(np.broadcast_arrays(*found), axis=-1)


def _ratio(
    part: npt.NDArray[np.float64], whole: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Missing where there is nothing to be part of."""
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)


def _differences(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The absolute differences of all pairs of the last axis, each pair once, summed."""
    m = values.shape[-1]
    rank = 2.0 * np.arange(1, m + 1) - m - 1.0
    result: npt.NDArray[np.float64] = (np.sort(values, axis=-1) * rank).sum(-1)
    return result


def _distances(
    moves: npt.NDArray[np.float64], distance: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Mean, median and decay of one table."""
    if np.isnan(moves).any():
        return np.full(3, np.nan)
    pairs = ~np.eye(len(moves), dtype=bool)
    away, movers = distance[pairs], moves[pairs]
    near, at = np.unique(away, return_inverse=True)
    those = np.bincount(at, weights=movers)
    reached = np.cumsum(those) - those / 2
    total = movers.sum()
    median = np.interp(total / 2, reached, near)
    logs = np.where(pairs, np.log(distance), 0.0)
    seen = (moves * logs).sum()

    def short(decay: float) -> float:
        # Raised to 1 at the mean, so that no power overflows.
        weights = np.where(pairs, np.exp(decay * (logs - seen / total)), 0.0)
        return float(((_fitted_to(weights, moves) * logs).sum() - seen) / total)

    return np.array([(movers * away).sum() / total, median, _decay(short)])


def _decay(short: Callable[[float], float]) -> float:
    """Where the rising function is 0; missing where the margins alone, or nothing, decide."""
    width = 1.0
    while width < _STEEPEST and short(-width) * short(width) >= 0:
        width *= 2
    low, high = short(-width), short(width)
    if not low < -_FITTED < _FITTED < high:
        return np.nan
    from scipy import optimize

    return float(optimize.root_scalar(short, bracket=(-width, width), xtol=1e-13).root)
