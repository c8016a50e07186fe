"""Draws made from a seed, a name and labels, whatever else is drawn beside them."""

from __future__ import annotations

import hashlib
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import xarray as xr

from migproj._apply import Input, Output, apply
from migproj._checks import as_number, check_labels_match, check_lacks, check_numbers, where
from migproj.errors import SchemaError

__all__ = ["drawn", "parameters", "whole"]

_DRAW: Final = "draw"


def drawn(distribution: Any, numbers: xr.DataArray, seed: int, name: str) -> xr.DataArray:
    """The draws of the given numbers."""
    from migproj._kernels import draws as kernels

    template, (args, kwds) = parameters(distribution, name)
    cells = template.size
    key = _hash(f"{whole('seed', seed, 0)}:{name}")
    (uniform,) = apply(
        kernels.uniform,
        [
            Input("draw", numbers.rename("draw").reset_coords(drop=True), dtype=np.int64),
            Input("cell", xr.DataArray(_cells(template), dims="cell"), ("cell",), dtype=np.int64),
        ],
        [Output(name, ("cell",), (cells,))],
        np.array([key], dtype=np.uint64).view(np.int64),
    )
    args = [value.ravel() for value in args]
    kwds = {k: value.ravel() for k, value in kwds.items()}
    values = xr.apply_ufunc(
        lambda u: np.asarray(distribution.dist.ppf(u, *args, **kwds), dtype=np.float64),
        uniform,
        dask="parallelized",
        output_dtypes=[np.float64],
    )
    data = values.data.reshape((numbers.size, *template.shape))
    coords = {_DRAW: numbers[_DRAW].values, **template.coords}
    return xr.DataArray(data, dims=(_DRAW, *template.dims), coords=coords, name=name)


def parameters(
    distribution: Any, name: str
) -> tuple[xr.DataArray, tuple[list[Any], dict[str, Any]]]:
    """An array with the labels of a frozen distribution, and its parameters as values on them."""
    if not all(hasattr(distribution, part) for part in ("dist", "args", "kwds")) or not hasattr(
        distribution, "ppf"
    ):
        raise SchemaError(
            f"{name}: expected a frozen distribution such as scipy.stats.norm(1.02, 0.01), got "
            f"{type(distribution).__name__}; correlated numbers are given as an array of draws"
        )
    args = [_labelled(f"{name}: parameter {k}", a) for k, a in enumerate(distribution.args)]
    kwds = {k: _labelled(f"{name}: parameter {k!r}", a) for k, a in distribution.kwds.items()}
    every = {str(k): a for k, a in enumerate(args)} | kwds
    for parameter in every.values():
        check_lacks(name, parameter, _DRAW, "an array of draws is given as it is")
    named = {f"{name} ({k})": array for k, array in every.items()}
    check_labels_match(named, dims=dict.fromkeys(d for a in every.values() for d in a.dims))
    template = sum((array * 0.0 for array in every.values()), xr.DataArray(0.0))
    unlabelled = [dim for dim in template.dims if dim not in template.indexes]
    if unlabelled:
        raise SchemaError(
            f"{name}: dim {unlabelled[0]!r} of a parameter has no labels; draws are made for "
            f"labels: .assign_coords({unlabelled[0]}=...)"
        )
    like = [a.broadcast_like(template).transpose(*template.dims).values for a in args]
    by_name = {
        k: a.broadcast_like(template).transpose(*template.dims).values for k, a in kwds.items()
    }
    impossible = np.isnan(distribution.dist.ppf(0.5, *like, **by_name)) & template.notnull().values
    if impossible.any():
        raise SchemaError(
            f"{name}: expected parameters that scipy.stats.{distribution.dist.name} allows, got "
            f"others ({'; '.join(where(template, impossible))}); a scale must be above 0"
        )
    return template, (like, by_name)


def _labelled(name: str, parameter: Any) -> xr.DataArray:
    if isinstance(parameter, np.ndarray) and parameter.ndim == 0:
        parameter = parameter[()]
    array = as_number(name, parameter)
    check_numbers(name, array)
    return array.compute()


def _cells(template: xr.DataArray) -> npt.NDArray[np.int64]:
    """64 bits for each cell, from its labels alone, whatever the order of the dims."""
    total = np.zeros(template.shape, dtype=np.uint64)
    for axis, dim in enumerate(template.dims):
        own = [
            _hash(f"{dim}={label.item() if hasattr(label, 'item') else label}")
            for label in template[dim].values
        ]
        shape = [1] * template.ndim
        shape[axis] = -1
        total = total + np.array(own, dtype=np.uint64).reshape(shape)
    return total.ravel().view(np.int64)


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


def whole(name: str, value: Any, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise SchemaError(f"{name}: expected a whole number of {least} or more, got {value!r}")
    return int(value)
