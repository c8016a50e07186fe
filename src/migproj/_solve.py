"""Roots of many equations at once, each in an interval of its own."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Final

import numpy as np
import xarray as xr

from migproj.errors import DataQualityWarning

__all__ = ["solved"]

_STEPS: Final = 60
#: On lazy arrays every step is taken: as many as halve an interval down to rounding.
_LAZY_STEPS: Final = 50
_ROUNDING: Final = 1e-14


def solved(
    gap: Callable[[xr.DataArray], xr.DataArray], low: xr.DataArray, high: xr.DataArray
) -> xr.DataArray:
    """Where `gap` is 0 between `low` and `high`, missing where its signs there are the same.

    By the method of false position in its Illinois form: the secant through the ends of an
    interval that always holds the root; an end that stays twice counts half.

    Dowell & Jarratt (1971), *BIT* 11:168-174.
    """
    with warnings.catch_warnings():
        # Of rates on the way to those wanted; the life table of the result says it anew.
        warnings.simplefilter("ignore", DataQualityWarning)
        below, above = gap(low), gap(high)
        within = below * above <= 0
        low, high = (end + 0.0 * below for end in (low, high))
        root = low.where(abs(below) < abs(above), high).where(within)
        lazy = below.chunks is not None
        sought = within
        for _ in range(_LAZY_STEPS if lazy else _STEPS):
            rise = above - below
            moving = within & (rise != 0)
            middle = (low * above - high * below) / rise.where(moving, 1.0)
            middle = middle.where(moving, root).clip(np.minimum(low, high), np.maximum(low, high))
            found = gap(middle)
            # what has been found stays, however long others take
            root = middle.where(sought, root)
            same = found * above > 0
            # the end that moves, and the other, halved where it has just stayed
            low, below = low.where(same, high), (below / 2).where(same, above)
            high, above = middle, found
            sought = sought & (abs(found) > _ROUNDING) & (low != high)
            if not lazy and not bool(sought.any()):
                break
    return root
