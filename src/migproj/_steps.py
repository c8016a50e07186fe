"""What the projections share: the age grid, the steps in time and the inputs along them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from migproj._checks import (
    check_dims,
    check_labels_match,
    check_lacks,
    check_numbers,
    check_survival,
)
from migproj.ages import AgeGroups, fertile_groups, groups_of
from migproj.dates import instant_of, year_of
from migproj.errors import AlignmentError, IntervalError, SchemaError

__all__ = [
    "TIMINGS",
    "Steps",
    "check_step",
    "check_survival_grid",
    "mothers",
    "plan",
    "same_grid",
]

TIMINGS = {"end": 0, "even": 1, "midpoint": 2}


@dataclass(frozen=True)
class Steps:
    """Equal steps from a start: the width of the age groups, and how many."""

    groups: AgeGroups
    width: float
    start: float
    count: int

    def coords(self) -> dict[Hashable, Any]:
        """Ages, the instants, and the periods by their start (one fewer) with their widths."""
        return {
            **self.groups.variables(),
            "time": self._labels(self.count + 1),
            "period": self._labels(self.count),
            "period_width": ("period", np.full(self.count, self.width)),
        }

    def _labels(self, count: int) -> npt.NDArray[np.float64]:
        return np.round(self.start + self.width * np.arange(count), 6)


def plan(
    name: str, start: xr.DataArray, inputs: Mapping[str, xr.DataArray], steps: int | None
) -> Steps:
    """The steps of a projection of `start`, from the dim period of its inputs or `steps`."""
    groups = groups_of(start, name)
    if groups.step is None or not groups.is_open:
        raise IntervalError(
            f"{name}: dim 'age': expected groups of one width and an open-ended last one, got "
            f"{', '.join(groups.labels[:8])}; people move on by one group a step: "
            "mp.regroup_ages brings them to one width"
        )
    check_lacks(name, start, "time", f"select the instant to start from: {name}.sel(time=...)")
    began = instant_of(start, name)
    along = {key: array for key, array in inputs.items() if "period" in array.dims}
    for key, array in along.items():
        if "period" not in array.coords:
            raise SchemaError(
                f"{key}: dim 'period' has no labels; label each period by its start: "
                f"{key}.assign_coords(period=[...])"
            )
    check_labels_match(along, dims=["period"])
    if not along:
        return Steps(
            groups,
            groups.step,
            0.0 if began is None else began,
            1 if steps is None else _whole(steps),
        )
    key, first = next(iter(along.items()))
    if steps is not None and steps != first.sizes["period"]:
        raise IntervalError(
            f"steps: got {steps}, but {key} has {first.sizes['period']} periods; drop one"
        )
    labels = np.array([year_of(label, key, "period") for label in first["period"].values])
    if (np.abs(np.diff(labels) - groups.step) > 0.005).any():
        raise IntervalError(
            f"{key}: dim 'period': expected periods {groups.step:g} years apart (the width of "
            f"the age groups), got {labels[:5].tolist()}"
        )
    if began is not None and abs(began - labels[0]) > 0.005:
        raise IntervalError(
            f"{key}: dim 'period': expected to begin when {name} stands, at {began:g}, got "
            f"{labels[0]:g}; select the periods from there, or the {name} of that time"
        )
    return Steps(groups, groups.step, float(labels[0]), first.sizes["period"])


def _whole(steps: Any) -> int:
    if isinstance(steps, bool) or not isinstance(steps, int | np.integer) or steps < 1:
        raise IntervalError(f"steps: expected a whole number of at least 1, got {steps!r}")
    return int(steps)


def same_grid(name: str, array: xr.DataArray, steps: Steps, whose: str) -> None:
    """`array` holds numbers on the age groups of the projection."""
    check_dims(name, array, "age")
    check_numbers(name, array)
    given = groups_of(array, name)
    if given != steps.groups:
        missing = [label for label in steps.groups.labels if label not in given.labels]
        extra = [label for label in given.labels if label not in steps.groups.labels]
        raise AlignmentError(
            f"{name}: dim 'age': expected the {len(steps.groups)} groups of {whose}, got "
            f"{len(given)}; missing: {missing[:5]}, not expected: {extra[:5]}. Fill groups that "
            "are zero with zeros; mp.regroup_ages sums counts to wider groups"
        )
    check_step(name, array, steps)


def check_step(name: str, array: xr.DataArray, steps: Steps) -> None:
    """`array` is for as many years as a step, if it says."""
    width = array.coords.get("period_width")
    if width is not None and (np.abs(width.values - steps.width) > 0.005).any():
        mend = (
            "make ratios for that interval"
            if name == "survival"
            else "bring it to one step (scale numbers of persons, not rates a year), "
            "then .drop_vars(['period', 'period_width'])"
        )
        raise IntervalError(
            f"{name}: made for {np.unique(width.values)[:5].tolist()} years, but each step is "
            f"{steps.width:g} years, the width of the age groups; {mend}, or give everything in "
            "wider groups (mp.regroup_ages)"
        )


def check_survival_grid(array: xr.DataArray, steps: Steps, whose: str) -> None:
    """Survival ratios on the age groups and for the step of the projection."""
    same_grid("survival", array, steps, whose)
    check_survival("survival", array)


def mothers(name: str, fertility: xr.DataArray, steps: Steps) -> tuple[int, AgeGroups]:
    """The first fertile group and all of them: one for both sexes, and older than one step."""
    check_lacks(
        name, fertility, "sex", f"it is one for both sexes: {name}.sel(sex='female', drop=True)"
    )
    first, fertile = fertile_groups(fertility, steps.groups, name)
    if first == 0:
        raise SchemaError(
            f"{name}: dim 'age': expected mothers older than {steps.width:g} years (one step), "
            f"got {fertile.labels[0]}; select ages of childbearing, such as 15-49"
        )
    return first, fertile
