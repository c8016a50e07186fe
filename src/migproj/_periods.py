"""Periods as intervals: where each starts, how wide it is, and how new ones follow old ones."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import xarray as xr

from migproj._checks import check_dims
from migproj.dates import DateLike, decimal_year, snap
from migproj.errors import IntervalError, SchemaError

__all__ = ["CLOSE", "Periods", "PeriodsLike", "follow", "periods_of"]

PeriodsLike: TypeAlias = "xr.DataArray | Sequence[DateLike] | range | npt.NDArray[Any]"

#: Periods meet where one starts within this many years of the end of the other: leap days.
CLOSE: Final = 0.005


@dataclass(frozen=True)
class Periods:
    """Contiguous periods by their starts (decimal years) and widths (years)."""

    starts: tuple[float, ...]
    widths: tuple[float, ...]

    @property
    def end(self) -> float:
        """When the last one ends."""
        return self.starts[-1] + self.widths[-1]

    def coords(self) -> dict[Hashable, Any]:
        """The coordinates period and period_width."""
        return {
            "period": np.array(self.starts),
            "period_width": ("period", np.array(self.widths)),
        }


def periods_of(array: xr.DataArray, name: str) -> Periods:
    """The checked periods of the dim ``period`` of an array.

    Widths are those of the coordinate ``period_width``; without it, the differences of the
    starts, and the last one's is that of the one before.

    Raises
    ------
    SchemaError
        If the dim or its labels are missing.
    IntervalError
        If the periods are not ascending and contiguous, or the width of a single one is unknown.
    """
    check_dims(name, array, "period")
    if "period" not in array.coords:
        raise SchemaError(
            f"{name}: dim 'period' has no labels; label each period by its start: "
            f"{name}.assign_coords(period=[...])"
        )
    stated = _stated(array, name, "period")
    if stated is None and array.sizes["period"] == 1:
        raise IntervalError(
            f"{name}: dim 'period': expected a period_width where there is a single period, got "
            f"none: nobody can tell where it ends; {name}.assign_coords(period_width=5)"
        )
    return _periods(name, array["period"].values, stated, None)


def follow(periods: PeriodsLike, old: Periods, name: str) -> Periods:
    """New periods, checked to begin where the old ones of the array `name` end.

    Widths are those of a coordinate ``period_width`` of `periods`, or the differences of the
    starts; the last one's is that of the one before, a single one's that of the last old one.

    Raises
    ------
    IntervalError
        If they are no dates, not contiguous, or leave a gap after the old ones or overlap them.
    """
    stated = None
    if isinstance(periods, xr.DataArray):
        if periods.ndim != 1:
            raise IntervalError(
                f"periods: expected one dim of period starts, got dims {tuple(periods.dims)!r}; "
                "give the coordinate of an array, array['period'], or a list of years"
            )
        stated = _stated(periods, "periods", periods.dims[0])
        labels: Iterable[Any] = periods.values
    elif isinstance(periods, str | bytes) or not isinstance(periods, Iterable):
        raise IntervalError(
            f"periods: expected the starts of periods, got {type(periods).__name__} {periods!r}; "
            "give a list of years or dates, also of a single one: [2020]"
        )
    else:
        labels = periods
    new = _periods("periods", labels, stated, old.widths[-1])
    if abs(new.starts[0] - old.end) > CLOSE:
        fault = "years are left out" if new.starts[0] > old.end else "years are there already"
        raise IntervalError(
            f"periods: expected to begin at {old.end:g}, where the last period of {name} ends "
            f"({old.starts[-1]:g}, {old.widths[-1]:g} years wide), got {new.starts[0]:g}: "
            f"{abs(new.starts[0] - old.end):g} {fault}; give periods from {old.end:g} on, or "
            f"correct the period_width of {name}"
        )
    return new


def _stated(array: xr.DataArray, name: str, dim: Hashable) -> npt.NDArray[np.float64] | None:
    """The period_width of each label, if there is one."""
    if "period_width" not in array.coords:
        return None
    width = array["period_width"]
    numeric = np.issubdtype(width.dtype, np.number)
    if (
        width.dims not in ((dim,), ())
        or not numeric
        or not bool(((width > 0) & np.isfinite(width)).all())
    ):
        raise SchemaError(
            f"{name}: period_width: expected years above 0 for each label of {dim!r}, got dims "
            f"{width.dims!r} of {width.dtype}: {np.ravel(width.values)[:5].tolist()}; "
            f"{name}.assign_coords(period_width=({dim!r}, [...])) states them"
        )
    return np.broadcast_to(width.values.astype(np.float64), array.sizes[dim])


def _periods(
    name: str,
    labels: Iterable[Any],
    stated: npt.NDArray[np.float64] | None,
    single: float | None,
) -> Periods:
    try:
        starts = tuple(decimal_year(label) for label in labels)
    except IntervalError as error:
        raise IntervalError(f"{name}: dim 'period': {error}") from None
    if not starts:
        raise IntervalError(f"{name}: empty; expected the start of at least one period")
    for before, after in itertools.pairwise(starts):
        if after <= before:
            raise IntervalError(
                f"{name}: dim 'period': expected ascending starts, got {after:g} after "
                f"{before:g}; sort them, {name}.sortby('period'), and give each once"
            )
    if stated is None:
        differences = [snap(after - before) for before, after in itertools.pairwise(starts)]
        last = differences[-1] if differences else single
        if last is None:
            raise IntervalError(f"{name}: expected two periods or a period_width")
        return Periods(starts, (*differences, last))
    widths = tuple(snap(float(width)) for width in stated)
    for start, width, after in zip(starts[:-1], widths[:-1], starts[1:], strict=True):
        if abs(start + width - after) > CLOSE:
            fault = "overlaps" if start + width > after else "leaves a gap before"
            raise IntervalError(
                f"{name}: dim 'period': the period from {start:g}, {width:g} years wide, {fault} "
                f"the next one, which starts at {after:g}; expected contiguous periods: correct "
                "period_width or the labels"
            )
    return Periods(starts, widths)
