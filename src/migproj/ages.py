"""Age groups: lower bounds, widths, the open-ended group."""

from __future__ import annotations

import itertools
import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import xarray as xr

from migproj._checks import check_dims, check_numbers, shown
from migproj._choices import check_flag
from migproj.errors import SchemaError

__all__ = [
    "AgeGroups",
    "AgesLike",
    "age_coords",
    "by_age",
    "closed_groups",
    "covering",
    "fertile_groups",
    "groups_of",
    "regroup_ages",
    "unions",
]

AgesLike: TypeAlias = (
    "xr.DataArray | xr.Dataset | xr.Coordinates | Sequence[int] | Sequence[str] | range | "
    "npt.NDArray[np.integer]"
)

_LABEL = re.compile(
    r"\s*(?P<low>\d+)\s*(?:(?P<open>\+|and over)|(?:-+|–|—|to)\s*(?P<high>\d+))?\s*"
)
_WIDTH: Final = "age_width"
#: Nobody is older; codes for unknown age are.
OLDEST: Final = 130


@dataclass(frozen=True)
class AgeGroups:
    """Contiguous age groups by lower bound and width (inf: the open-ended last group)."""

    lower: tuple[int, ...]
    width: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.lower)

    @property
    def is_open(self) -> bool:
        """Whether the last group has no upper bound."""
        return self.width[-1] == float("inf")

    def unlike(self, got: AgeGroups) -> str:
        """Which of these groups are missing in others, and which are there beside them."""
        missing = [label for label in self.labels if label not in got.labels]
        extra = [label for label in got.labels if label not in self.labels]
        return f"missing: {missing[:5]}, not expected: {extra[:5]}"

    @cached_property
    def upper(self) -> tuple[float, ...]:
        """Upper bounds (inf for the open-ended group)."""
        return tuple(low + wide for low, wide in zip(self.lower, self.width, strict=True))

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Labels as printed in tables: 0-4, 5-9, ..., 80+; a single year is its number."""
        return tuple(_label(low, wide) for low, wide in zip(self.lower, self.width, strict=True))

    @property
    def step(self) -> float | None:
        """The width that all closed groups share, or None where it differs."""
        closed = set(self.width[:-1] if self.is_open else self.width)
        return closed.pop() if len(closed) == 1 else None

    def coords(self, dim: str = "age") -> xr.Coordinates:
        """The coordinates `dim` and its auxiliary age_width."""
        return xr.Coordinates(self.variables(dim))

    def variables(self, dim: str = "age") -> dict[Hashable, xr.Variable]:
        """The same as variables, for coordinates of which they are a part."""
        return {
            dim: xr.Variable(dim, np.array(self.lower, dtype=np.int64)),
            f"{dim}_width": xr.Variable(dim, np.array(self.width, dtype=np.float64)),
        }


def _label(lower: int, width: float) -> str:
    if width == float("inf"):
        return f"{lower}+"
    return f"{lower}" if width == 1 else f"{lower}-{lower + width - 1:g}"


def age_coords(
    ages: Sequence[int] | Sequence[str] | range, *, open_ended: bool = True
) -> xr.Coordinates:
    """Coordinates ``age`` and ``age_width`` from lower bounds or from printed labels.

    Parameters
    ----------
    ages : sequence of int or of str
        Lower bounds (``range(0, 85, 5)``) or labels (``["0-4", "5-9", "10-19", "20+"]``; one
        year is its number).
    open_ended : bool, default True
        With lower bounds: whether the last group has no upper bound. If False it gets the
        width of the group before it. Labels say it themselves.

    Returns
    -------
    xarray.Coordinates
        ``age`` (int64, years) and ``age_width`` (float64, years; inf for the open-ended group),
        ready for ``xr.DataArray(..., coords=...)``.

    Raises
    ------
    SchemaError
        If a label cannot be read, or the groups are not ascending and contiguous.

    Examples
    --------
    >>> import migproj as mp
    >>> mp.age_coords(["0-4", "5-9", "10-19", "20+"])["age_width"].values
    array([ 5.,  5., 10., inf])
    """
    check_flag("open_ended", open_ended)
    given: Any = ages
    if isinstance(given, str | bytes | set | Mapping) or not isinstance(given, Iterable):
        raise SchemaError(
            f"ages: expected lower bounds or labels, such as [0, 15, 65] or ['0-14', '15+'], got "
            f"{shown(given)}"
        )
    values = np.ravel(given.values).tolist() if isinstance(given, xr.DataArray) else list(given)
    if any(isinstance(value, str) for value in values):
        lower, width = _read_labels([str(value) for value in values])
        return _checked("ages", lower, width).coords()
    whole = [isinstance(x, int | np.integer) and not isinstance(x, bool) for x in values]
    if not values or not all(whole):
        raise SchemaError(
            "ages: expected lower bounds in whole years or labels, such as [0, 15, 65] or "
            f"['0-14', '15+'], got {shown(values[:5])}"
        )
    lower = [int(value) for value in values]
    width = [float(b - a) for a, b in itertools.pairwise(lower)]
    last = float("inf") if open_ended or not width else width[-1]
    return _checked("ages", lower, [*width, last]).coords()


def _read_labels(labels: Sequence[str]) -> tuple[list[int], list[float]]:
    lower: list[int] = []
    width: list[float] = []
    for label in labels:
        match = _LABEL.fullmatch(label)
        if match is None:
            raise SchemaError(
                f"ages: cannot read the label {label!r}; expected '0-4', '7', '80+' "
                "or whole lower bounds"
            )
        low = int(match["low"])
        lower.append(low)
        if match["open"]:
            width.append(float("inf"))
        else:
            width.append(float(int(match["high"]) - low + 1) if match["high"] else 1.0)
    return lower, width


def groups_of(
    array: xr.DataArray | xr.Dataset | xr.Coordinates, name: str, *, dim: str = "age"
) -> AgeGroups:
    """The checked age groups of an array.

    Without an auxiliary coordinate ``age_width`` the widths are the differences of the lower
    bounds and the last group is open-ended.

    Raises
    ------
    SchemaError
        If the dim or its labels are missing, not whole numbers, repeated, not ascending, or
        overlapping.
    """
    coords = array if isinstance(array, xr.Coordinates) else array.coords
    if dim not in coords:
        has_dim = dim in array.dims
        raise SchemaError(
            f"{name}: the dim {dim!r} has no labels; give them with "
            f"{name}.assign_coords(mp.age_coords([...]))"
            if has_dim
            else f"{name}: expected a dim {dim!r}, got dims {tuple(array.dims)!r}; rename the "
            f"dim of age groups to {dim!r} and label it by lower bounds (mp.age_coords)"
        )
    values = np.atleast_1d(coords.variables[dim].values)
    if values.size == 0:
        raise SchemaError(f"{name}: empty, its dim {dim!r} has no groups")
    if not np.issubdtype(values.dtype, np.integer):
        raise SchemaError(
            f"{name}: dim {dim!r}: expected whole lower bounds (int), got {values.dtype} "
            f"{values[:5].tolist()!r}; mp.age_coords reads labels such as '0-4', "
            f".assign_coords({dim}=....astype(int)) mends floats"
        )
    lower = [int(value) for value in values]
    if f"{dim}_width" in coords:
        stated = coords.variables[f"{dim}_width"]
        if stated.dims not in ((dim,), ()) or not np.issubdtype(stated.dtype, np.number):
            raise SchemaError(
                f"{name}: {dim}_width: expected a number of years for each label of {dim!r}, got "
                f"dims {stated.dims!r} of {stated.dtype}; mp.age_coords makes both"
            )
        width = [float(value) for value in np.broadcast_to(stated.values, values.shape)]
    else:
        width = [float(b - a) for a, b in itertools.pairwise(lower)]
        width.append(float("inf"))
    return _checked(name, lower, width, dim=dim)


def _checked(
    name: str, lower: Sequence[int], width: Sequence[float], *, dim: str = "age"
) -> AgeGroups:
    if len(set(lower)) < len(lower):
        duplicates = sorted({low for low in lower if lower.count(low) > 1})
        raise SchemaError(
            f"{name}: dim {dim!r}: expected each lower bound once, got {duplicates[:5]} "
            "repeatedly; sum or drop the repeated groups first"
        )
    if min(lower) < 0:
        raise SchemaError(
            f"{name}: dim {dim!r}: expected lower bounds of 0 or more, got {min(lower)}"
        )
    if max(lower) > OLDEST:
        raise SchemaError(
            f"{name}: dim {dim!r}: expected ages of people, got {max(lower)}, which reads like a "
            f"code for unknown age; share those out over the known ages, or leave them out: "
            f"{name}.sel({dim}=slice(None, {OLDEST}))"
        )
    falls = [(a, b) for a, b in itertools.pairwise(lower) if b <= a]
    if falls:
        a, b = falls[0]
        raise SchemaError(
            f"{name}: dim {dim!r}: expected ascending lower bounds, got {b} after {a}; "
            f"{name}.sortby({dim!r}) mends the order"
        )
    for low, wide, after in zip(lower[:-1], width[:-1], lower[1:], strict=True):
        if low + wide != after:
            fault = "overlaps" if low + wide > after else "leaves a gap before"
            raise SchemaError(
                f"{name}: dim {dim!r}: the group {_label(low, wide)} {fault} the next one, which "
                f"starts at {after}; expected contiguous groups: correct {_WIDTH} or the labels"
            )
    if not width[-1] > 0:
        raise SchemaError(f"{name}: {_WIDTH}: expected a positive width, got {width[-1]:g}")
    return AgeGroups(tuple(lower), tuple(width))


def closed_groups(groups: AgeGroups) -> AgeGroups:
    """The groups without an open-ended last one."""
    closed = len(groups) - groups.is_open
    return AgeGroups(groups.lower[:closed], groups.width[:closed])


def fertile_groups(
    fertility: xr.DataArray, population: AgeGroups, name: str = "fertility"
) -> tuple[int, AgeGroups]:
    """Where the ages of fertility begin among the population's groups, and those groups.

    Widths come from the population by label; an ``age_width`` of fertility must agree.

    Raises
    ------
    SchemaError
        If the ages are no contiguous part of the population's closed groups.
    """
    given = groups_of(fertility, name)
    lower = given.lower
    first = population.lower.index(lower[0]) if lower[0] in population.lower else -1
    part = slice(first, first + len(lower))
    closed = len(population) - population.is_open
    if first < 0 or population.lower[part] != lower or part.stop > closed:
        odd = [low for low in lower if low not in population.lower[:closed]]
        raise SchemaError(
            f"{name}: dim 'age': expected a contiguous part of the population's closed groups "
            f"({population.lower[0]} to {population.labels[closed - 1]}), got {list(lower[:8])}; "
            f"not among them: {odd[:5]}"
        )
    groups = AgeGroups(lower, population.width[part])
    # Widths that are not stated, and an open last group, are the population's.
    stated = (*given.width[:-1], min(given.width[-1], groups.width[-1]))
    if stated != groups.width or given.width[-1] < groups.width[-1]:
        raise SchemaError(
            f"{name}: {_WIDTH}: expected the population's widths {list(groups.width[:8])}, got "
            f"{list(given.width[:8])}; mp.regroup_ages brings counts to one grid"
        )
    return first, groups


def widened(array: xr.DataArray, groups: AgeGroups, name: str) -> xr.DataArray:
    """`array` on all of `groups`, with 0 in those it lacks.

    Raises
    ------
    SchemaError
        If one of its groups is none of `groups`.
    """
    given = groups_of(array, name)
    known = dict(zip(groups.lower, groups.width, strict=True))
    # A last group that is open because no widths are stated is as wide as in `groups`.
    stated = zip(given.lower[:-1], given.width[:-1], strict=True)
    odd = [low for low, width in stated if known.get(low) != width]
    last = given.lower[-1]
    if last not in known or (_WIDTH in array.coords and known[last] != given.width[-1]):
        odd.append(last)
    if odd:
        raise SchemaError(
            f"{name}: dim 'age': expected some of the groups {', '.join(groups.labels[:8])}, got "
            f"other bounds or widths at {odd[:5]}; mp.regroup_ages brings counts to one grid"
        )
    full = array.drop_vars(_WIDTH, errors="ignore").reindex(age=list(groups.lower), fill_value=0.0)
    return full.assign_coords(groups.coords())


def regroup_ages(array: xr.DataArray, ages: AgesLike) -> xr.DataArray:
    """Sum counts into wider age groups.

    Parameters
    ----------
    array : DataArray (..., age)
        Counts (persons, births, person-years): quantities that add up over age.
    ages : array with an ``age`` coordinate, or sequence of int or str
        The wanted groups: lower bounds (the last open-ended if the array's is) or labels,
        as in :func:`age_coords`. Each must be a union of groups of `array`.

    Returns
    -------
    DataArray (..., age)
        The sums, same units; the total over age is unchanged.

    Raises
    ------
    SchemaError
        If a wanted group cuts a group of `array`, or some ages would be lost.

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> people = xr.DataArray([1.0, 2.0, 3.0, 4.0], dims="age",
    ...                       coords=mp.age_coords(["0-4", "5-9", "10-19", "20+"]))
    >>> mp.regroup_ages(people, ["0-9", "10+"]).values
    array([3., 7.])
    """
    check_dims("array", array, "age")
    have = groups_of(array, "array")
    check_numbers("array", array)
    want = as_groups(ages, open_ended=have.is_open)
    result = summed(array, unions(have, want, "array"))
    result.attrs = dict(array.attrs)
    instants = {name: coord for name, coord in array.coords.items() if name not in result.coords}
    kept = {name: coord for name, coord in instants.items() if "age" not in coord.dims}
    return result.assign_coords(want.coords()).assign_coords(kept).rename(array.name)


def summed(array: xr.DataArray, offsets: npt.NDArray[np.int64]) -> xr.DataArray:
    """Sums over the age groups offsets[g]:offsets[g + 1], without labels of age."""
    from migproj._apply import Input, Output, apply
    from migproj._kernels import ages as kernels

    (result,) = apply(
        kernels.regroup,
        [Input("array", array, ("age",))],
        [Output("array", ("age",), (len(offsets) - 1,))],
        offsets,
    )
    return result


def by_age(parts: Sequence[xr.DataArray]) -> xr.DataArray:
    """Arrays without labels of age, one age or many, one after the other along it.

    Lazy ones are of one chunk of all ages, as every function that reads ages needs them.
    """
    joined: xr.DataArray = xr.concat(
        parts, "age", coords="minimal", compat="override", join="exact"
    )
    return joined if joined.chunks is None else joined.chunk({"age": -1})


def unions(have: AgeGroups, want: AgeGroups, name: str) -> npt.NDArray[np.int64]:
    """Offsets of wider groups among narrower ones: group g is offsets[g]:offsets[g + 1] of them.

    Raises
    ------
    SchemaError
        If a wanted group cuts a group, or some ages would be lost.
    """
    if want.lower[0] != have.lower[0] or want.upper[-1] != have.upper[-1]:
        raise SchemaError(
            f"ages: expected groups from {have.lower[0]} to {have.upper[-1]:g} like those of "
            f"{name}, got {want.lower[0]} to {want.upper[-1]:g}: people would be lost or invented"
        )
    cut = [low for low in want.lower if low not in have.lower]
    if cut:
        spans = zip(have.lower, have.upper, have.labels, strict=True)
        split = [own for low, high, own in spans if any(low < bound < high for bound in cut)]
        raise SchemaError(
            f"ages: the bound(s) {cut[:5]} fall inside groups of {name} "
            f"({', '.join(split[:5])}); expected unions of its groups"
        )
    return np.array([*(have.lower.index(low) for low in want.lower), len(have)], dtype=np.int64)


def covering(part: AgeGroups, groups: AgeGroups) -> tuple[AgeGroups, npt.NDArray[np.int64]]:
    """Those of `groups` that hold some of `part`, and their offsets in it, as in `unions`."""
    holds = [
        g
        for g, (low, high) in enumerate(zip(groups.lower, groups.upper, strict=True))
        if low < part.upper[-1] and high > part.lower[0]
    ]
    found = slice(holds[0], holds[-1] + 1)
    bounds = [part.lower.index(max(groups.lower[g], part.lower[0])) for g in holds]
    return (
        AgeGroups(groups.lower[found], groups.width[found]),
        np.array([*bounds, len(part)], dtype=np.int64),
    )


def as_groups(ages: AgesLike, *, open_ended: bool = True) -> AgeGroups:
    """Age groups from an array's coordinate, bounds or labels."""
    if isinstance(ages, xr.DataArray | xr.Dataset | xr.Coordinates):
        return groups_of(ages, "ages")
    given: Any = ages
    return groups_of(age_coords(given, open_ended=open_ended), "ages")
