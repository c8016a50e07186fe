"""Cohorts that move from the age groups of one round into those of another."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from migproj.ages import AgeGroups
from migproj.errors import AlignmentError, IntervalError

__all__ = ["Cohorts", "cohorts"]


@dataclass(frozen=True)
class Cohorts:
    """How the groups of a start round arrive in the groups of an end round.

    `groups` are the arrival groups. The first `born` of them hold only people born in the
    interval. Arrival group g sums the end round's groups ``end[g]:end[g + 1]`` and, from
    ``g = born`` on, the start round's groups ``start[g]:start[g + 1]``.
    """

    groups: AgeGroups
    interval: float
    born: int
    start: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]


def cohorts(start: AgeGroups, end: AgeGroups, interval: float) -> Cohorts:
    """Arrival groups of two rounds: bounds(end) ∩ (bounds(start) + interval), and birth cohorts.

    The open-ended arrival group starts at the largest common bound A with A ≤ the end round's
    open age and A − interval ≤ the start round's. Nothing is dropped: every group of both
    rounds belongs to exactly one arrival group.

    Raises
    ------
    IntervalError
        If the interval is not a whole number of years or does not carry groups onto groups.
    AlignmentError
        If one round holds ages that the other cannot account for.
    """
    if interval != round(interval):
        widths = sorted({int(w) for w in start.width if np.isfinite(w)})
        near = round(interval / widths[0]) * widths[0] if widths else 0
        mend = f", or pass interval={near} to treat it as that many years"
        raise IntervalError(
            f"the interval is {interval:g} years; expected a whole multiple of the age groups' "
            f"widths (start has groups of {_widths(start)} years). mp.net_migration takes any "
            f"interval when it is given a life table; else move one round to a common "
            f"date{mend if near and abs(near - interval) <= 1 else ''}"
        )
    t = int(interval)
    _check_nothing_lost(start, end, t)
    arriving = [low + t for low in start.lower]
    born = [low for low in end.lower if low < arriving[0]]
    pooled = len(born) == len(end)  # the open group also holds people born in the interval
    if pooled:
        lower = born
    else:
        top = min(end.lower[-1], arriving[-1]) if end.is_open else end.upper[-1]
        ends = [low for low in end.lower if arriving[0] <= low <= top]
        starts = [low for low in arriving if low <= top]
        if arriving[0] not in ends or not (set(ends) <= set(starts) or set(starts) <= set(ends)):
            raise _mismatch(start, end, t, sorted(set(ends) ^ set(starts)))
        lower = born + [low for low in ends if low in starts]
    width = [float(b - a) for a, b in itertools.pairwise(lower)]
    width.append(end.upper[-1] - lower[-1])
    start_at = [arriving.index(low) if low in arriving else 0 for low in lower]
    end_at = [end.lower.index(low) for low in lower]
    return Cohorts(
        groups=AgeGroups(tuple(lower), tuple(width)),
        interval=float(interval),
        born=len(born) - pooled,
        start=np.array([*start_at, len(start)], dtype=np.int64),
        end=np.array([*end_at, len(end)], dtype=np.int64),
    )


def _check_nothing_lost(start: AgeGroups, end: AgeGroups, t: int) -> None:
    """Raise AlignmentError if people of one round have no place in the other."""
    if start.is_open != end.is_open:
        closed, name = (end, "end") if start.is_open else (start, "start")
        raise AlignmentError(
            f"{name}: dim 'age': expected an open-ended last group as in the other round, got "
            f"{closed.labels[-1]}; set its age_width to inf"
        )
    first, last = start.lower[0] + t, start.upper[-1] + t
    if end.upper[-1] != last:
        raise AlignmentError(
            f"dim 'age': start ends at {last - t:g}, which arrives at {last:g} after {t} years; "
            f"end stops at {end.upper[-1]:g}. Select the same cohorts in both, or give both an "
            "open-ended last group"
        )
    if end.lower[0] > first:
        raise AlignmentError(
            f"dim 'age': people aged {start.labels[0]} at the start are {first} and over at the "
            f"end, but end begins at {end.lower[0]}; select start's ages from "
            f"{max(end.lower[0] - t, 0)} on, so that none are lost"
        )
    if start.lower[0] > 0 and end.lower[0] < first:
        raise AlignmentError(
            f"dim 'age': end has ages {end.lower[0]} to {first}, who were under {start.lower[0]} "
            f"at the start, where start begins; select end's ages from {first} on, or give start "
            "from age 0"
        )


def _widths(groups: AgeGroups) -> str:
    closed = sorted(set(groups.width[:-1] if groups.is_open else groups.width))
    return ", ".join(f"{width:g}" for width in closed) or "open"


def _mismatch(start: AgeGroups, end: AgeGroups, t: int, odd: Sequence[int]) -> IntervalError:
    return IntervalError(
        f"an interval of {t} years does not carry start's age groups onto end's: bound(s) "
        f"{list(odd[:5])} do not match (start + {t}: {[low + t for low in start.lower][:8]}, end: "
        f"{list(end.lower)[:8]}). Accepted: an interval that is a whole multiple of the groups' "
        "widths; mp.regroup_ages brings a round to wider groups"
    )
