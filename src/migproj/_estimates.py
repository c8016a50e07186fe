"""Estimators of uncertain inputs: what they are given, a few labels at a time, and return."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import xarray as xr

from migproj._checks import check_labels_match
from migproj._random import parameters
from migproj.errors import AlignmentError, DataQualityWarning, SchemaError

__all__ = ["DRAW", "Estimator", "called", "cells_of", "check_inputs", "parts_of", "warned_once"]

Estimator: TypeAlias = Callable[..., "xr.Dataset | xr.DataArray"]

DRAW: Final = "draw"
#: Cells of results kept for quantiles (8 bytes each).
_KEPT: Final = 2**22


def check_inputs(inputs: Mapping[str, Any], by: str | None, n: int | None) -> None:
    """Arrays are labelled, arrays of draws have draws 0 to n - 1, something is uncertain."""
    uncertain = False
    for name, value in inputs.items():
        given = isinstance(value, xr.DataArray | xr.Dataset)
        template: xr.DataArray | xr.Dataset = value if given else parameters(value, name)[0]
        uncertain = uncertain or not given
        if DRAW in template.dims:
            uncertain = True
            _check_draws(name, template, n)
        if by is not None and by in template.dims and by not in template.indexes:
            raise SchemaError(
                f"{name}: dim {by!r} has no labels, and the estimates are made by it; "
                f".assign_coords({by}=...)"
            )
    if not uncertain:
        raise SchemaError(
            f"inputs: expected a distribution or an array with the dim 'draw' among "
            f"{list(inputs)}, got none; without draws there is nothing to summarise"
        )


def _check_draws(name: str, array: xr.DataArray | xr.Dataset, n: int | None) -> None:
    if n is None:
        raise SchemaError(
            f"{name}: expected a distribution, whose standard deviation is known, got an array of "
            "draws; summarise takes them as they are"
        )
    found = array[DRAW].values if DRAW in array.coords else np.array([])
    if not np.array_equal(found, np.arange(n)):
        raise AlignmentError(
            f"{name}: dim 'draw': expected the labels 0 to {n - 1}, got {array.sizes[DRAW]} draws "
            f"labelled {found[:5].tolist()} ...; give n={array.sizes[DRAW]} and "
            f".assign_coords(draw=range({n}))"
        )


def parts_of(
    inputs: Mapping[str, Any], by: str | None, kept: int | None
) -> Iterator[dict[str, Any]]:
    """The inputs, a few labels of `by` at a time where `kept` draws of their results are kept."""
    if by is None:
        yield dict(inputs)
        return
    arrays = {k: v for k, v in inputs.items() if isinstance(v, xr.DataArray | xr.Dataset)}
    arrays |= {k: parameters(v, k)[0] for k, v in inputs.items() if k not in arrays}
    having = {k: v for k, v in arrays.items() if by in v.dims}
    if not having:
        raise SchemaError(
            f"by: expected a dim of the inputs, got {by!r}; they have "
            f"{sorted({str(d) for v in arrays.values() for d in v.dims})}"
        )
    plain = {k: v if isinstance(v, xr.DataArray) else v[by] for k, v in having.items()}
    check_labels_match(plain, dims=[by])
    labels = next(iter(having.values()))[by].values
    each = max(sum(cells_of(v) for v in having.values()) // len(labels), 1)
    step = len(labels) if kept is None else max(_KEPT // (kept * each), 1)
    for first in range(0, len(labels), step):
        some = labels[first : first + step]
        yield {k: _selected(v, by, some) for k, v in inputs.items()}


def cells_of(array: xr.DataArray | xr.Dataset) -> int:
    """Cells of a draw."""
    parts = [array] if isinstance(array, xr.DataArray) else list(array.values())
    return sum(part.size // part.sizes.get(DRAW, 1) for part in parts)


def _selected(value: Any, by: str, labels: npt.NDArray[Any]) -> Any:
    """An input for some labels of `by`: an array, or a distribution with other parameters."""
    if isinstance(value, xr.DataArray | xr.Dataset):
        return value.sel({by: labels}) if by in value.dims else value

    def of(parameter: Any) -> Any:
        return _selected(parameter, by, labels) if hasattr(parameter, "dims") else parameter

    return type(value)(
        value.dist, *map(of, value.args), **{k: of(v) for k, v in value.kwds.items()}
    )


def called(
    estimator: Estimator, inputs: Mapping[str, Any], size: int, by: str | None
) -> xr.Dataset:
    """What the estimator makes of `size` draws, with the dim draw first on each variable."""
    options: Any = xr.set_options
    with options(arithmetic_join="exact"):
        found: Any = estimator(**inputs)
    if isinstance(found, xr.DataArray):
        found = found.to_dataset(name="estimate" if found.name is None else found.name)
    if not isinstance(found, xr.Dataset):
        raise SchemaError(
            f"estimator: expected it to return a DataArray or Dataset, got {type(found).__name__}"
        )
    without = [name for name, v in found.data_vars.items() if DRAW not in v.dims]
    if without or found.sizes[DRAW] != size:
        raise SchemaError(
            f"estimator: expected the dim 'draw' with the {size} labels of its inputs on all it "
            f"returns, got {without or found.sizes[DRAW]}; return those that the draws change, "
            "such as result[['net_migration']]"
        )
    mixed = [name for name, v in found.data_vars.items() if by is not None and by not in v.dims]
    if mixed:
        raise SchemaError(
            f"by: expected the dim {by!r} on all that the estimator returns, got none on {mixed}: "
            "its labels are estimated apart from each other; leave out by, or what mixes them"
        )
    return found.transpose(DRAW, ...).compute()


@contextlib.contextmanager
def warned_once(caller: str) -> Iterator[None]:
    """Pass on the first DataQualityWarning of the estimator, and how often one came."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    doubtful = [w for w in caught if issubclass(w.category, DataQualityWarning)]
    for other in caught:
        if other not in doubtful:
            warnings.warn_explicit(other.message, other.category, other.filename, other.lineno)
    if doubtful:
        more = f" (and {len(doubtful) - 1} more of other draws)" if len(doubtful) > 1 else ""
        warnings.warn(
            f"{caller}: in some draws, {doubtful[0].message}{more}",
            DataQualityWarning,
            stacklevel=4,
        )
