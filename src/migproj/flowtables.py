"""Tables of flows: totals of each place, and places summed to regions."""

from __future__ import annotations

from typing import Literal

import numpy as np
import xarray as xr

from migproj._checks import (
    check_counts,
    check_dims,
    check_labels_match,
    check_labels_of,
    check_lacks,
)
from migproj._choices import check_choice
from migproj._flowchecks import FLOW
from migproj.errors import AlignmentError, SchemaError
from migproj.intensity import effectiveness, named

__all__ = ["flow_totals", "regroup_flows"]


def flow_totals(flows: xr.DataArray) -> xr.Dataset:
    r"""In-, out- and net migration, turnover and effectiveness of each place.

    Parameters
    ----------
    flows : DataArray (..., origin, destination)
        Movers or moves (persons per period). From a place to itself nothing is read.

    Returns
    -------
    Dataset
        (..., place) ``in_migrants``, ``out_migrants``, ``net_migration`` and ``turnover``
        (persons per period), and ``effectiveness``, net migration as a share of turnover,
        missing where nobody moved.

    Raises
    ------
    SchemaError
        If dims or values are not what is described here.
    AlignmentError
        If the labels of origin and destination differ.

    Notes
    -----
    .. math:: I_i = \sum_{j \ne i} M_{ji}, \quad O_i = \sum_{j \ne i} M_{ij}, \quad
       N_i = I_i - O_i, \quad E_i = N_i / (I_i + O_i)

    Net migration adds up to zero over the places.

    References
    ----------
    Shryock & Siegel (1976), *The Methods and Materials of Demography*, ch. 21.

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> places = ["north", "south"]
    >>> flows = xr.DataArray([[9.0, 30.0], [10.0, 9.0]], dims=("origin", "destination"),
    ...                      coords={"origin": places, "destination": places})
    >>> totals = mp.indicators.flow_totals(flows)
    >>> totals["net_migration"].values, totals["effectiveness"].values
    (array([-20.,  20.]), array([-0.5,  0.5]))
    """
    away = _between(flows)
    moves = flows.where(away, 0.0).astype(np.float64)
    into = moves.sum("origin", skipna=False).rename(destination="place")
    out = moves.sum("destination", skipna=False).rename(origin="place").transpose(*into.dims)
    found = {
        "in_migrants": into,
        "out_migrants": out,
        "net_migration": into - out,
        "turnover": into + out,
        "effectiveness": effectiveness(into, out),
    }
    made = {name: named(array, name) for name, array in found.items()}
    return xr.Dataset(made).transpose(..., "place")


def regroup_flows(
    flows: xr.DataArray, regions: xr.DataArray, *, within: Literal["keep", "drop"] = "keep"
) -> xr.DataArray:
    """Flows between places summed to flows between the regions in which they lie.

    Parameters
    ----------
    flows : DataArray (..., origin, destination)
        Movers or moves (persons per period); also stocks renamed to these dims.
    regions : DataArray (place)
        The region of each place, under the labels of `flows`.
    within : {"keep", "drop"}, optional
        Whether flows between two places of one region stay, on the diagonal of the result, or
        are left out. What is on the diagonal of `flows` goes with them.

    Returns
    -------
    DataArray (..., origin, destination)
        Between regions, which are in the order in which they first come; units as `flows`. With
        "keep" the sum is that of `flows`.

    Raises
    ------
    SchemaError
        If dims or values are not what is described here, or a place has no region.
    AlignmentError
        If labels differ.

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> places = ["ARG", "BOL", "ESP"]
    >>> flows = xr.DataArray([[0.0, 2, 5], [7, 0, 9], [1, 0, 0]], dims=("origin", "destination"),
    ...                      coords={"origin": places, "destination": places})
    >>> regions = xr.DataArray(["Latin America", "Latin America", "Europe"], dims="place",
    ...                        coords={"place": places})
    >>> mp.regroup_flows(flows, regions).values
    array([[ 9., 14.],
           [ 1.,  0.]])
    """
    _between(flows)
    check_choice("within", within, ("keep", "drop"))
    check_dims("regions", regions, "place")
    if regions.ndim > 1:
        raise SchemaError(
            f"regions: expected the dim 'place' alone, got dims {regions.dims!r}; a place has one "
            "region for all: select one label of the others"
        )
    check_labels_match({"flows": flows.rename(origin="place"), "regions": regions}, ["place"])
    nowhere = regions["place"].values[regions.isnull().values]
    if nowhere.size:
        raise SchemaError(
            f"regions: expected one for each place, got none for {nowhere.size} place(s): "
            f"{nowhere.tolist()[:5]}; name theirs, such as 'other'"
        )
    values = regions.values.tolist()
    names = list(dict.fromkeys(values))
    belongs = np.array([[name == value for name in names] for value in values], dtype=float)
    result = flows
    for dim in FLOW:
        member = xr.DataArray(belongs, dims=(dim, "_region"), coords={"_region": names})
        # A missing flow is missing in the sums that it is part of, and in no other.
        missing = xr.dot(result.isnull().drop_vars(dim).astype(float), member, dim=dim) > 0
        summed = xr.dot(result.fillna(0.0).drop_vars(dim), member, dim=dim)
        result = summed.where(~missing).rename(_region=dim)
    result = result.transpose(*flows.dims)
    if within == "drop":
        result = result.where(result["origin"] != result["destination"], 0.0)
    return result.rename(flows.name).assign_attrs(flows.attrs)


def _between(flows: xr.DataArray) -> xr.DataArray:
    """Which cells are between two places, after checks."""
    check_dims("flows", flows, *FLOW)
    check_counts("flows", flows, people=False)
    check_lacks("flows", flows, "place", "its places are those of origin and destination")
    if "origin" not in flows.indexes:
        raise AlignmentError(
            "flows: dim 'origin' has no labels; nothing is aligned by position: "
            "flows.assign_coords(origin=[...], destination=[...])"
        )
    mend = "give every place as origin and as destination; 0 where nobody moved"
    check_labels_of("flows", flows, "destination", "flows", flows, "origin", mend)
    return xr.DataArray(~np.eye(flows.sizes["origin"], dtype=bool), dims=FLOW)
