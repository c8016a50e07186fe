"""Summaries over the dim draw, as keywords of the functions that make draws."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np

from migproj._apply import Input, Quantiles
from migproj.errors import SchemaError

__all__ = ["checked_quantiles", "quantiles_over_draws"]

_DRAW: Final = "draw"


def quantiles_over_draws(wanted: Sequence[float], inputs: Sequence[Input]) -> Quantiles:
    """The checked quantiles of a call whose `inputs` have the dim draw."""
    values = checked_quantiles(wanted)
    if not any(_DRAW in item.array.dims for item in inputs):
        dims = {item.name: item.array.dims for item in inputs if item.array.ndim}
        raise SchemaError(
            f"quantiles: expected the dim 'draw' on one of the inputs, got {dims}; without draws "
            "there is nothing to summarise: drop quantiles="
        )
    return Quantiles(_DRAW, values)


def checked_quantiles(wanted: Sequence[float]) -> tuple[float, ...]:
    """Ascending numbers from 0 to 1."""
    try:
        numbers = np.atleast_1d(np.asarray(wanted))
    except ValueError:  # lists of different lengths
        numbers = np.array([])
    real = numbers.ndim == 1 and numbers.size and numbers.dtype.kind in "fiu"
    if not real or not ((numbers >= 0) & (numbers <= 1)).all():
        raise SchemaError(
            f"quantiles: expected numbers from 0 to 1, such as [0.05, 0.5, 0.95], got {wanted!r}"
        )
    values = tuple(float(q) for q in numbers)
    if any(b <= a for a, b in pairwise(values)):
        raise SchemaError(f"quantiles: expected ascending numbers, each once, got {list(values)}")
    return values
