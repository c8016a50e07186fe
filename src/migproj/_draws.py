"""Summaries over the dim draw: quantiles as keywords, moments block by block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
import xarray as xr

from migproj._apply import Input, Quantiles
from migproj.errors import SchemaError

__all__ = ["Moments", "checked_quantiles", "quantiles_over_draws"]

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


@dataclass
class Moments:
    """Mean, squares around it and number above 0 of draws, block by block.

    Merged as in Chan, Golub & LeVeque (1983), *The American Statistician* 37:242-247.
    """

    count: int
    mean: xr.DataArray
    squares: xr.DataArray
    above: xr.DataArray

    @classmethod
    def of(cls, block: xr.DataArray) -> Moments:
        """Those of a block of draws."""
        mean = block.mean(_DRAW, skipna=False)
        squares = ((block - mean) ** 2).sum(_DRAW, skipna=False)
        above = (block > 0).sum(_DRAW)
        return cls(block.sizes[_DRAW], mean, squares, above)

    def merged(self, other: Moments) -> Moments:
        """Those of both."""
        count = self.count + other.count
        apart = other.mean - self.mean
        return Moments(
            count,
            self.mean + apart * (other.count / count),
            self.squares + other.squares + apart**2 * (self.count * other.count / count),
            self.above + other.above,
        )
