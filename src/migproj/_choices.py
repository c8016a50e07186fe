"""Keyword choices: one of several, a number, a range of ages, or an array of strings over dims."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import xarray as xr

from migproj._checks import shown, where
from migproj.errors import SchemaError

__all__ = [
    "FloatType",
    "age_range",
    "check_choice",
    "check_flag",
    "choice_codes",
    "float_type",
    "outputs_kept",
    "plain_number",
]

FloatType: TypeAlias = type[np.float64] | type[np.float32]


def check_choice(name: str, given: Any, able: Iterable[Any]) -> None:
    """`given` is one of `able`; an array, which == compares cell by cell, is none."""
    known = list(able)
    if not (given is None or isinstance(given, str | int | np.integer)) or given not in known:
        raise SchemaError(f"{name}: expected one of {known}, got {shown(given)}")


def check_flag(name: str, given: Any) -> None:
    """`given` is True or False: anything else would be taken for one of them."""
    if not isinstance(given, bool | np.bool_):
        raise SchemaError(f"{name}: expected True or False, got {shown(given)}")


def plain_number(name: str, given: Any, expected: str) -> float:
    """One number, not an array or a text; its bounds are for the caller to check."""
    odd = isinstance(given, bool | np.timedelta64)
    if odd or not isinstance(given, int | float | np.integer | np.floating):
        raise SchemaError(f"{name}: expected {expected}, got {shown(given)}")
    return float(given)


def age_range(name: str, given: Any) -> tuple[int, int]:
    """A first and a last age, in whole years."""
    pair = tuple(given) if isinstance(given, Sequence) and not isinstance(given, str) else ()
    whole = [isinstance(age, int | np.integer) and not isinstance(age, bool) for age in pair]
    if len(pair) != 2 or not all(whole) or not 0 <= pair[0] <= pair[1]:
        raise SchemaError(
            f"{name}: expected a first and a last age in whole years, such as (20, 60), got "
            f"{shown(given)}"
        )
    return int(pair[0]), int(pair[1])


def choice_codes(name: str, choice: str | xr.DataArray, codes: Mapping[str, int]) -> xr.DataArray:
    """The code of each choice, as int64 over the dims of `choice`."""
    if not isinstance(choice, str | xr.DataArray):
        raise SchemaError(
            f"{name}: expected one of {list(codes)} or a labelled array of them, got "
            f"{shown(choice)}; xr.DataArray([...], dims='country', coords=...)"
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
        raise SchemaError(
            f"keep: expected a list of names, some of {list(able)}, got {shown(given)}"
        )
    wanted = [given] if isinstance(given, str) else list(given)
    odd = [name for name in wanted if name not in able]
    if odd or not wanted:
        raise SchemaError(f"keep: expected some of {list(able)}, got {odd or wanted}")
    return tuple(name for name in able if name in wanted)
