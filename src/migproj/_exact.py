"""Cohorts of two rounds any time apart: slices of one round that arrive in those of the other."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

from migproj.ages import AgeGroups, summed
from migproj.dates import year_of
from migproj.errors import AlignmentError, IntervalError
from migproj.survival import ratios_of, slices_of

__all__ = ["Part", "Slices", "parts_of", "slices_between"]

_Ages = npt.NDArray[np.float64]
#: Years by which the periods of life tables may miss the rounds: one day.
_DAY = 0.003


@dataclass(frozen=True)
class Part:
    """A part of the interval, with the life table of its mortality."""

    life_table: xr.Dataset
    years: float
    remaining: float  # years from its end to that of the interval


@dataclass(frozen=True)
class Slices:
    """What arrives in the result's groups: slices of those born in the interval, then of others.

    Group g of the result is the slices ``offsets[g]:offsets[g + 1]``.
    """

    groups: AgeGroups
    interval: float
    lower: _Ages  # by age at the end
    born: int
    offsets: npt.NDArray[np.int64]

    @property
    def upper(self) -> _Ages:
        """Upper bounds by age at the end."""
        return np.append(self.lower[1:], np.inf)

    def of_births(self) -> tuple[_Ages, npt.NDArray[np.int64]]:
        """Widths of the slices of those born, and the group each is in."""
        group = np.searchsorted(self.offsets, np.arange(self.born), side="right") - 1
        return (self.upper - self.lower)[: self.born], group

    def start(self, start: xr.DataArray, parts: Sequence[Part], interpolation: str) -> xr.DataArray:
        """Those at the start who arrive in each slice of people not born since."""
        ages = np.maximum(self.lower[self.born :] - self.interval, 0.0)  # but for rounding
        return slices_of("start", start, parts[0].life_table, ages, interpolation)

    def end(self, end: xr.DataArray, parts: Sequence[Part], interpolation: str) -> xr.DataArray:
        """Those at the end in each slice."""
        return slices_of("end", end, parts[-1].life_table, self.lower, interpolation)

    def survival(self, parts: Sequence[Part]) -> xr.DataArray:
        """Survival ratios of the slices, over all parts that they live in.

        Births are even: of a slice born in several parts the ratio is a mean, by their years.
        """
        cuts = [part.remaining for part in parts if part.remaining < self.interval - _DAY]
        inner = [cut for cut in cuts if np.abs(self.lower - cut).min() > _DAY]
        lower = np.unique(np.append(self.lower, inner))
        upper = np.append(lower[1:], np.inf)
        born = lower < self.interval - _DAY
        weights = np.where(born, upper - lower, 1.0)
        fine = _survival(lower, upper, parts) * xr.DataArray(weights, dims="age")
        offsets = np.append(np.searchsorted(lower, self.lower), len(lower)).astype(np.int64)
        sums = summed(fine, offsets) / np.add.reduceat(weights, offsets[:-1])
        return sums.assign_coords(age=self.lower.round(6)).rename("survival")


def _survival(lower: _Ages, upper: _Ages, parts: Sequence[Part]) -> xr.DataArray:
    survival = xr.DataArray(1.0)
    for part in parts:
        low, high = lower - part.remaining, upper - part.remaining
        before = [edge - part.years for edge in (low, high)]
        unborn, born = high <= _DAY, before[1] <= _DAY
        before = [np.where(born, np.nan, np.maximum(edge, 0.0)) for edge in before]
        # Any slice stands in for those not yet born, whose ratio is not read.
        low = np.where(born, np.maximum(low, 0.0), low)
        high = np.where(unborn, low + 1.0, high)
        ratios = ratios_of(part.life_table, low, high, *before)
        survival = survival * ratios.where(xr.DataArray(~unborn, dims="age"), 1.0)
    return survival


def slices_between(start: AgeGroups, end: AgeGroups, interval: float) -> Slices:
    """The slices of two rounds, bounded by the end's groups and by those born since.

    The result's groups are the end's, up to the largest bound A with A - interval within the
    closed ages of the start.

    Raises
    ------
    AlignmentError
        If a round does not hold everyone: from age 0 on, with an open-ended last group.
    """
    for name, groups in (("start", start), ("end", end)):
        if groups.lower[0] != 0 or not groups.is_open:
            raise AlignmentError(
                f"{name}: dim 'age': expected everyone, from 0 to an open-ended last group, as "
                f"{interval:g} years do not carry age groups onto age groups; got "
                f"{groups.labels[0]} to {groups.labels[-1]}"
            )
    lower = [low for low in end.lower if low - interval <= start.lower[-1]]
    width = [float(b - a) for a, b in itertools.pairwise(lower)]
    result = AgeGroups(tuple(lower), (*width, np.inf))
    between = min(abs(interval - low) for low in lower) > _DAY
    bounds = np.unique(np.array([*lower, *([interval] if between else [])], dtype=float))
    offsets = np.searchsorted(bounds, np.array(lower, dtype=float))
    born = int(np.sum(bounds < interval - _DAY))
    return Slices(result, interval, bounds, born, np.append(offsets, len(bounds)).astype(np.int64))


def parts_of(life_table: xr.Dataset, began: float | None, interval: float) -> list[Part]:
    """The life tables of the interval, each for its part (one for all without the dim period).

    Raises
    ------
    IntervalError
        If the periods of the life tables do not cover the interval, or it has no dates.
    """
    if "period" not in life_table.dims:
        return [Part(life_table, interval, 0.0)]
    if began is None:
        raise IntervalError(
            "life_table: has the dim 'period', but the rounds have no dates to place them in it; "
            "label the rounds with 'date' or 'time', or select one table: .sel(period=...)"
        )
    if "period" not in life_table.coords:
        raise IntervalError(
            "life_table: dim 'period' has no labels; label each period by its start: "
            "life_table.assign_coords(period=[...])"
        )
    starts = np.array([year_of(x, "life_table", "period") for x in life_table["period"].values])
    ended = began + interval
    last = float(starts[-1] + np.diff(starts)[-1]) if len(starts) > 1 else np.inf
    if "period_width" in life_table.coords:
        widths = np.broadcast_to(life_table["period_width"].values, starts.shape)
        last = float(starts[-1] + widths[-1])
    if (np.diff(starts) <= 0).any() or starts[0] > began + _DAY or last < ended - _DAY:
        raise IntervalError(
            f"life_table: dim 'period': expected periods in order that cover the interval from "
            f"{began:g} to {ended:g}, got {starts[:5].tolist()} to {last:g}; add the tables of the "
            "years missing"
        )
    edges = np.clip(np.append(starts, max(last, ended)), began, ended)
    edges[0] = began
    edges[-1] = ended
    tables = [life_table.isel(period=k, drop=True) for k in range(len(starts))]
    return [
        Part(table.drop_vars("period_width", errors="ignore"), float(b - a), float(ended - b))
        for table, a, b in zip(tables, edges[:-1], edges[1:], strict=True)
        if b - a > _DAY
    ]
