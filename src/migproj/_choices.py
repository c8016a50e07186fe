"""Keyword choices given as a string, or as an array of strings over batch dims."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import xarray as xr

from migproj._checks import where
from migproj.errors import SchemaError

__all__ = ["FloatType", "choice_codes", "float_type", "outputs_kept"]

FloatType: TypeAlias = type[np.float64] | type[np.float32]


def choice_codes(name: str, choice: str | xr.DataArray, codes: Mapping[str, int]) -> xr.DataArray:
    """The code of each choice, as int64 over the dims of `choice`."""
    if not isinstance(choice, str | xr.DataArray):
        raise SchemaError(
            f"{name}: expected one of {list(codes)} or a labelled array of them, got "
            f"{type(choice).__name__} {choice!r}; xr.DataArray([...], dims='country', coords=...)"
        )
    chosen = choice if isinstance(choice, xr.DataArray) else xr.DataArray(choice)
    values = np.asarray(chosen.values, dtype=object)
    known = np.isin(values.astype(str), list(codes))
    if not known.all():
        labels = "" if chosen.ndim == 0 else f" ({'; '.join(where(chosen, ~known))})"
        raise SchemaError(
            f"{name}: expected one of {list(codes)}, got {str(values[~known][0])!r}{labels}"
        )
    numbers = np.vectorize(codes.__getitem__, otypes=[np.int64])(values)
    return chosen.copy(data=numbers)


def float_type(dtype: Any) -> FloatType:
    """The type in which results are stored: float64, or float32 where that is asked for."""
    try:
        wanted = None if dtype is None else np.dtype(dtype)
    except (TypeError, ValueError):
        wanted = None
    for able in (np.float64, np.float32):
        if wanted == able:
            return able
    raise SchemaError(
        f"dtype: expected 'float64' or 'float32', the type in which results are stored, got "
        f"{dtype!r}"
    )


def outputs_kept(
    keep: Sequence[str] | None, able: Sequence[str], on_request: Sequence[str] = ()
) -> tuple[str, ...]:
    """The variables to return: those of `able` that are named in `keep`, or all by default."""
    if keep is None:
        return tuple(name for name in able if name not in on_request)
    given: Any = keep
    if not isinstance(given, str | Iterable):
        raise SchemaError(f"keep: expected a list of names, some of {list(able)}, got {given!r}")
    wanted = [given] if isinstance(given, str) else list(given)
    odd = [name for name in wanted if name not in able]
    if odd or not wanted:
        raise SchemaError(f"keep: expected some of {list(able)}, got {odd or wanted}")
    return tuple(name for name in able if name in wanted)
