"""Long tables into labelled arrays: one cell a row, none twice, none lost."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from migproj.ages import AgeGroups, age_coords, groups_of
from migproj.conventions import VARIABLES
from migproj.errors import SchemaError
from migproj.io._files import first

__all__ = [
    "age_groups",
    "as_list",
    "check_found",
    "check_rows",
    "cubes",
    "described",
    "grid_of_labels",
    "wanted",
]


def cubes(
    frame: pd.DataFrame,
    dims: Mapping[str, str],
    values: Sequence[str],
    file: str,
    *,
    order: Mapping[str, Sequence[Any]] | None = None,
    gaps: bool = False,
) -> dict[str, xr.DataArray]:
    """An array of each column of `values` over `dims` (dim to the column with its labels).

    Labels ascend, or stand as in `order`. A combination of labels without a row, or a blank
    cell, is NaN where `gaps` are allowed.

    Raises
    ------
    SchemaError
        If the table is empty, a combination of labels has several rows or, without `gaps`, none.
    """
    check_rows(frame, file)
    indexes = {
        dim: pd.Index((order or {}).get(dim, sorted(frame[column].unique())))
        for dim, column in dims.items()
    }
    shape = tuple(len(index) for index in indexes.values())
    positions = [index.get_indexer(frame[dims[dim]]) for dim, index in indexes.items()]
    flat = np.ravel_multi_index(positions, shape)
    _check_once(frame, dims, flat, file)
    arrays = {}
    for name in values:
        cells = np.full(math.prod(shape), np.nan)
        cells[flat] = frame[name].to_numpy(dtype="float64")
        array = xr.DataArray(
            cells.reshape(shape),
            dims=list(indexes),
            coords={dim: _labels(index) for dim, index in indexes.items()},
        )
        if not gaps:
            _check_full(array, name, file)
        arrays[name] = array
    return arrays


def check_rows(frame: pd.DataFrame, file: str) -> None:
    """Some rows are left of those of the file."""
    if frame.empty:
        raise SchemaError(f"{file}: no rows are left of those that were asked for")


def _labels(index: pd.Index[Any]) -> np.ndarray[Any, Any]:
    # Strings as objects, of variable length: Zarr 3 warns of fixed ones.
    numeric = pd.api.types.is_numeric_dtype(index.dtype)
    return index.to_numpy() if numeric else index.to_numpy(dtype=object)


def _check_once(
    frame: pd.DataFrame, dims: Mapping[str, str], flat: np.ndarray[Any, Any], file: str
) -> None:
    twice = pd.Series(flat).duplicated().to_numpy()
    if twice.any():
        columns = list(dims.values())
        cells = frame.loc[twice, columns].head().to_dict("records")
        raise SchemaError(
            f"{file}: columns {columns}: expected one row for each combination, got "
            f"{int(twice.sum())} repeated in {len(frame)} rows: {cells}"
        )


def _check_full(array: xr.DataArray, name: str, file: str) -> None:
    missing = np.isnan(array.values)
    if missing.any():
        cells = [
            {str(dim): array[dim].values[k] for dim, k in zip(array.dims, at, strict=True)}
            for at in np.argwhere(missing)[:5]
        ]
        shown = "; ".join(", ".join(f"{dim}={label}" for dim, label in c.items()) for c in cells)
        raise SchemaError(
            f"{file}: column {name!r}: {int(missing.sum())} of {array.size} cells are missing or "
            f"have no row: {shown}; select countries= and years= that have them, or pass "
            "gaps=True for NaN there"
        )


def as_list(asked: Any) -> list[Any] | None:
    """What is asked for, one label or several, as a list; None stays None."""
    if asked is None:
        return None
    return [asked] if isinstance(asked, str | int | np.integer) else list(asked)


def wanted(
    frame: pd.DataFrame, columns: Sequence[str], asked: Sequence[Any] | None
) -> pd.Series[bool]:
    """Rows with one of the labels asked for in one of `columns`; all rows if none are."""
    labels = as_list(asked)
    if labels is None:
        return pd.Series(True, index=frame.index)
    found = pd.Series(False, index=frame.index)
    for column in columns:
        found |= frame[column].isin(labels)
    return found


def check_found(
    name: str, asked: Sequence[Any] | None, have: Sequence[Any], file: str, mend: str = ""
) -> None:
    """Everything asked for is in the file."""
    odd = [label for label in as_list(asked) or () if label not in set(have)]
    if odd:
        known = sorted({label for label in have if not pd.isna(label)}, key=str)
        raise SchemaError(f"{name}: not in {file}: {first(odd)}; it has {first(known)}{mend}")


def age_groups(lower: pd.Series[Any], width: pd.Series[Any], file: str) -> AgeGroups:
    """Contiguous groups from their lower bounds and widths in each row.

    Raises
    ------
    SchemaError
        If a bound comes with two widths, or the groups overlap or leave gaps.
    """
    pairs = pd.DataFrame({"lower": lower, "width": width}).drop_duplicates().sort_values("lower")
    twice = pairs["lower"][pairs["lower"].duplicated()]
    if len(twice):
        raise SchemaError(
            f"{file}: expected one width for each age, got several for {first(twice.unique())}"
        )
    coords = xr.Coordinates(
        {
            "age": ("age", pairs["lower"].to_numpy(dtype="int64")),
            "age_width": ("age", pairs["width"].to_numpy(dtype="float64")),
        }
    )
    return groups_of(coords, file)


def grid_of_labels(labels: Sequence[str], file: str) -> list[str]:
    """The finest contiguous groups among printed ones, of which some overlap, up to the oldest.

    From the youngest on the narrowest group that starts where the one before ends; where that
    leads nowhere, the next wider one.

    Raises
    ------
    SchemaError
        If no chain of groups leads to an open-ended or to the last one.
    """
    bounds = {label: _bounds(label) for label in dict.fromkeys(labels)}
    if not bounds:
        raise SchemaError(f"{file}: expected age groups, got none")
    top = max(high for _, high in bounds.values())
    starts: dict[float, list[tuple[float, str]]] = {}
    for label, (low, high) in bounds.items():
        starts.setdefault(low, []).append((high, label))
    chain = _chain(min(starts), top, starts)
    if chain is None:
        raise SchemaError(
            f"{file}: expected contiguous age groups, got {first(list(bounds), 30)}; name those "
            "to read with ages="
        )
    return chain


def _bounds(label: str) -> tuple[float, float]:
    coords = age_coords([label])
    low = float(coords["age"].values[0])
    return low, low + float(coords["age_width"].values[0])


def _chain(
    low: float, top: float, starts: Mapping[float, Sequence[tuple[float, str]]]
) -> list[str] | None:
    if low == top:
        return []
    for high, label in sorted(starts.get(low, ())):
        rest = _chain(high, top, starts)
        if rest is not None:
            return [label, *rest]
    return None


def described(array: xr.DataArray, name: str, **attrs: Any) -> xr.DataArray:
    """The array under its name, with units and meaning, and whatever else is known of it."""
    spec = VARIABLES[name]
    known = {"units": spec.units, "long_name": spec.meaning}
    result = array.rename(name)
    result.attrs = {**known, **attrs}
    return result
