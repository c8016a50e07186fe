"""Several arrays taken together: checked to agree, computed bare, and labelled again."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping
from typing import Final

import numpy as np
import xarray as xr

from migproj._checks import check_labels_match
from migproj.errors import AlignmentError, SchemaError

__all__ = ["VARIANT", "as_array", "bare", "beside", "check_agree", "check_same_units"]

VARIANT: Final = "variant"
#: Coordinates that say when an array is of; those of two operands may differ.
_OWN: Final = frozenset({"time", "date", "period", "period_width"})


def check_agree(
    arrays: Mapping[str, xr.DataArray],
    ignore: Collection[Hashable] = (),
    *,
    instants: bool = True,
) -> None:
    """Labels match on shared dims, and so do the other coordinates that two arrays carry.

    With `instants`, scalars that say when an array is of may differ.
    """
    check_labels_match(arrays, dims=dict.fromkeys(d for a in arrays.values() for d in a.dims))
    known: dict[Hashable, tuple[str, xr.DataArray]] = {}
    for name, array in arrays.items():
        for coord in array.coords:
            if coord in ignore or coord in array.dims or coord in array.xindexes:
                continue
            given = bare(array[coord]).drop_vars([coord], errors="ignore")
            owner, expected = known.setdefault(coord, (name, given))
            alone = coord in _OWN and not (given.dims and expected.dims)
            if not (instants and alone) and not given.equals(expected):
                raise AlignmentError(
                    f"{name}: the coordinate {coord!r} differs from that of {owner}: expected "
                    f"{_sample(expected)}, got {_sample(given)}; correct one, or "
                    f".drop_vars({coord!r}) if it says nothing of the values"
                )


def _sample(coord: xr.DataArray) -> str:
    values = np.ravel(coord.values)
    more = " ..." if values.size > 5 else ""
    return f"{values[:5].tolist()}{more} on the dims {tuple(coord.dims)!r}"


def check_same_units(arrays: Mapping[str, xr.DataArray]) -> None:
    """The arrays that state their units state the same."""
    stated = [(name, a.attrs["units"]) for name, a in arrays.items() if "units" in a.attrs]
    for name, units in stated[1:]:
        owner, expected = stated[0]
        if units != expected:
            raise SchemaError(
                f"{name}: units: expected {expected!r} as in {owner}, got {units!r}; convert the "
                "values, or correct attrs['units']"
            )


def bare(array: xr.DataArray) -> xr.DataArray:
    """The array with the labels of its dims alone: checked to agree, they join exactly."""
    return array.drop_vars([name for name in array.coords if name not in array.xindexes])


def as_array(result: xr.DataArray, array: xr.DataArray, *others: xr.DataArray) -> xr.DataArray:
    """The result with the coordinates, name and order of dims of `array`.

    Dims that only others have come first, with the coordinates along them.
    """
    own = [dim for dim in array.dims if dim in result.dims]
    first = [dim for dim in result.dims if dim not in array.dims]
    result = result.transpose(*first, *own)
    for source in (array, *others):
        beside = set(own) if source is array else set(first)
        gone = _OWN if source is array and "period" in first else frozenset()
        # Variables, for a coordinate as an array brings others along.
        kept = {
            name: coord.variable
            for name, coord in source.coords.items()
            if name not in {*result.coords, *result.dims, *gone}
            and set(coord.dims) <= beside
            and (coord.dims or source is array)
        }
        result = result.assign_coords(kept)
    result.attrs = dict(array.attrs)
    return result.rename(array.name)


def beside(
    labels: list[Hashable],
    arrays: Iterable[xr.DataArray],
    like: xr.DataArray,
    *others: xr.DataArray,
) -> xr.DataArray:
    """Arrays of one form along the new dim variant, which comes first."""
    text = any(isinstance(label, str) for label in labels)
    joined = xr.concat(list(arrays), dim=VARIANT, coords="minimal", compat="override", join="exact")
    result = as_array(joined, like, *others)
    # Strings as objects, of variable length.
    named = np.array(labels, dtype=object) if text else np.array(labels)
    result = result.assign_coords({VARIANT: named})
    return result.transpose(VARIANT, ...)
