"""Births of an interval by the group, or the slice, in which the children arrive."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
import xarray as xr

from migproj._checks import (
    check_counts,
    check_dims,
    check_lacks,
    check_made_for,
    check_same_places,
    check_sexes,
)
from migproj._cohorts import Cohorts
from migproj._exact import Slices
from migproj.ages import AgeGroups, groups_of
from migproj.errors import AlignmentError, IntervalError, SchemaError

__all__ = ["Children", "births_by_group", "births_by_slice"]

Children: TypeAlias = Literal["births", "child-woman", "arrivals", "none"]


def births_by_group(
    births: xr.DataArray | None, children: Children, ways: Cohorts, start: xr.DataArray
) -> xr.DataArray:
    """Births by the group in which they arrive (one missing group where there is none)."""
    groups = ways.groups
    pooled = groups.lower[-1] < ways.interval
    if pooled and children != "arrivals":
        raise IntervalError(
            f"end: dim 'age': the group {groups.labels[-1]} holds both people born in the "
            f"{ways.interval:g} years between the rounds and people born before; "
            "children='arrivals' counts the former as migrants (a foreign-born stock), else give "
            f"an age group that starts at {ways.interval:g}"
        )
    if births is None:
        return xr.DataArray(np.full(max(ways.born, 1), np.nan), dims="age")
    if not ways.born:
        raise SchemaError(
            f"births: given, but end begins at age {groups.lower[0]}, so nobody born in the "
            f"{ways.interval:g} years is in it; drop births, or give end from age 0"
        )
    _check_births(births, children, ways.interval, start)
    if "age" not in births.dims:
        share = np.array(groups.width[: ways.born]) / ways.interval
        births = births.drop_vars(["age", "age_width"], errors="ignore")
        return births * xr.DataArray(share, dims="age")
    wanted = AgeGroups(groups.lower[: ways.born], groups.width[: ways.born])
    given = groups_of(births, "births")
    if given.lower != wanted.lower:
        raise AlignmentError(
            f"births: dim 'age': expected the groups in which children arrive, {wanted.labels}, "
            f"got {given.lower}; sum or split them to these, or give births without age"
        )
    return births


def _check_births(
    births: xr.DataArray, children: Children, interval: float, start: xr.DataArray
) -> None:
    if children != "births":
        raise SchemaError(
            f"births: given, but children={children!r} does not use them; drop one of the two"
        )
    check_dims("births", births)
    check_lacks("births", births, "mother_age", "sum over it: births.sum('mother_age')")
    check_counts("births", births, people=False)
    check_sexes("births", births, both=False)
    check_made_for("births", births, interval)
    check_same_places("births", births, "start", start)


def births_by_slice(
    births: xr.DataArray | None, children: Children, ways: Slices, start: xr.DataArray
) -> xr.DataArray:
    """Births by the slice in which they arrive (one missing slice where there is none)."""
    if births is None:
        return xr.DataArray(np.full(max(ways.born, 1), np.nan), dims="age")
    _check_births(births, children, ways.interval, start)
    widths, group = ways.of_births()
    if "age" not in births.dims:
        births = births.drop_vars(["age", "age_width"], errors="ignore")
        return births * xr.DataArray(widths / ways.interval, dims="age")
    last = int(group[-1]) + 1
    given = groups_of(births, "births")
    if given.lower != ways.groups.lower[:last]:
        raise AlignmentError(
            f"births: dim 'age': expected the groups in which children arrive, "
            f"{ways.groups.labels[:last]}, got {given.lower}; sum or split them to these, or give "
            "births without age"
        )
    whole = np.bincount(group, widths)
    spread = births.drop_vars(["age", "age_width"], errors="ignore").isel(age=group)
    return spread * xr.DataArray(widths / whole[group], dims="age")
