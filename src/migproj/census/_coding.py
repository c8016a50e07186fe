"""What the values of a column mean: labels of a dim, ages, numbers of children."""

from __future__ import annotations

import decimal
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from migproj.ages import OLDEST, AgeGroups
from migproj.errors import SchemaError

__all__ = ["UNKNOWN", "Coding", "Dimension", "code_ages", "code_labels", "code_numbers"]

#: The label of what is missing or has a code for unknown.
UNKNOWN: Final = "unknown"
#: A whole number, also as a column of floats is written: "31.0".
_DIGITS: Final = re.compile(r"(-?\d+)(?:\.0+)?")


@dataclass(frozen=True)
class Dimension:
    """A dim, the column it is read from, and what the values of the column mean."""

    name: str
    column: str
    codes: Mapping[Any, Any] | None = None
    unknown: tuple[Any, ...] = ()
    #: Whether the dim gets all labels of the codes, or only those found.
    every_label: bool = True
    #: Whether a value without a code stands for itself.
    is_open: bool = False


@dataclass(frozen=True)
class Coding:
    """The labels of a dim, and for each value of the column the place of its label.

    Of ages and of numbers, those unknown have the place after the last label.
    """

    labels: tuple[Any, ...]
    places: npt.NDArray[np.int64]
    size: int


Values = Sequence[tuple[Any, int]]
"""The values of a column, with the number of records of each."""


def code_labels(dim: Dimension, values: Values, called: str, *, is_text: bool) -> Coding:
    """Labels in the order of the codes (else sorted), "unknown" last where there is any.

    Raises
    ------
    SchemaError
        If a value has no code.
    """
    named = _named(dim, values, called)
    if dim.codes is None:
        # Text of nothing but plain numbers is numbers: so a CSV file gives what a frame does.
        plain = [_plain(label) for label in named]
        if is_text and not any(isinstance(x, str) for x in plain if x != UNKNOWN):
            named = plain
        found = sorted({label for label in named if label != UNKNOWN}, key=_order)
    else:
        told = [_label(label) for label in dim.codes.values()]
        if dim.is_open:
            # Numbers, and codes of what is none: in the order of all of them.
            ranked = sorted(range(len(named)), key=lambda k: _order(_plain(values[k][0])))
            told = [named[k] for k in ranked]
        found = [x for x in dict.fromkeys(told) if x != UNKNOWN and (dim.every_label or x in named)]
    if UNKNOWN in named:
        found.append(UNKNOWN)
    place = {label: k for k, label in enumerate(found)}
    places = np.array([place[label] for label in named], dtype=np.int64)
    if any(isinstance(label, str) for label in found):
        # An index of numbers and text can be neither sorted nor written.
        found = [str(label) for label in found]
    return Coding(tuple(found), places, len(found))


def code_ages(dim: Dimension, groups: AgeGroups, called: str, values: Values) -> Coding:
    """The group of each age in completed years; those unknown come after the last group.

    Raises
    ------
    SchemaError
        If a value is no age, or is in none of the groups.
    """
    numbers = code_numbers(dim, "completed years", OLDEST, called, values)
    lower, upper = groups.lower, groups.upper[-1]
    unknown = len(numbers.labels)
    ages = np.array([*numbers.labels, -1])
    outside = [
        (value, count)
        for (value, count), place in zip(values, numbers.places, strict=True)
        if place != unknown and not lower[0] <= ages[place] < upper
    ]
    if outside:
        raise SchemaError(
            f"{called}: column {dim.column!r} ({dim.name!r}): expected ages in the groups "
            f"{groups.labels[0]} to {groups.labels[-1]}, got {_counted(outside)}; widen ages=, "
            "open its last group ('80+'), or leave these people out of the records"
        )
    group = np.searchsorted(np.array(lower), ages, side="right") - 1
    group[-1] = len(groups)
    return Coding(lower, group[numbers.places].astype(np.int64), len(groups) + 1)


def code_numbers(dim: Dimension, what: str, most: int, called: str, values: Values) -> Coding:
    """Whole numbers from 0 to `most`, sorted; those unknown come after the last.

    Raises
    ------
    SchemaError
        If a value is neither, nor a code for unknown.
    """
    named = [_number(label) for label in _named(dim, values, called)]
    odd = [
        entry
        for entry, label in zip(values, named, strict=True)
        if label != UNKNOWN and not (isinstance(label, int) and 0 <= label <= most)
    ]
    if odd:
        raise SchemaError(
            f"{called}: column {dim.column!r} ({dim.name!r}): expected {what} from 0 to {most}, "
            f"got {_counted(odd)}; say what they are: unknown={{{dim.name!r}: [...]}} for codes of "
            f"unknown, codes={{{dim.name!r}: {{code: number, ...}}}} for others"
        )
    labels = tuple(sorted({label for label in named if label != UNKNOWN}))
    place = {label: k for k, label in enumerate(labels)} | {UNKNOWN: len(labels)}
    places = np.array([place[label] for label in named], dtype=np.int64)
    return Coding(labels, places, len(labels) + 1)


def _named(dim: Dimension, values: Values, called: str) -> list[Any]:
    """The label of each value: by its code, or the value itself."""
    meaning = {UNKNOWN: UNKNOWN}
    meaning |= {_plain(code): _label(label) for code, label in (dim.codes or {}).items()}
    meaning |= {_plain(code): UNKNOWN for code in dim.unknown}
    labels = [_label(value) for value, _ in values]
    found = [_meaning(meaning, label) for label in labels]
    if dim.codes is None or dim.is_open:
        return [
            label if meant is None else meant for label, meant in zip(labels, found, strict=True)
        ]
    lacking = [entry for entry, meant in zip(values, found, strict=True) if meant is None]
    if lacking:
        raise SchemaError(
            f"{called}: column {dim.column!r} ({dim.name!r}): expected the codes "
            f"{_some(dim.codes)}, got {_counted(lacking)}; add them to "
            f"codes={{{dim.name!r}: ...}}, or to unknown={{{dim.name!r}: [...]}}"
        )
    return found


def _meaning(meaning: Mapping[Any, Any], label: Any) -> Any:
    """What a value means, or None: 1, '1', '01' and '1.0' are one unless the codes differ."""
    if label in meaning:
        return meaning[label]
    return meaning.get(_number(label))


def _label(value: Any) -> Any:
    """A value as a label: text, or a number, whole ones as int; missing and blank ones unknown."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or value != value:
        return UNKNOWN
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return value
    if isinstance(value, float | decimal.Decimal):
        number = float(value)
        return int(number) if number.is_integer() else number
    return (value.strip() or UNKNOWN) if isinstance(value, str) else str(value)


def _plain(label: Any) -> Any:
    """Text that says a whole number as int does is that number; all else is left."""
    label = _label(label)
    number = _number(label)
    return number if str(number) == label else label


def _number(label: Any) -> Any:
    """Text of a whole number as a number."""
    found = _DIGITS.fullmatch(label) if isinstance(label, str) else None
    return int(found[1]) if found else label


def _order(label: Any) -> tuple[bool, Any]:
    return isinstance(label, str), label


def _counted(entries: Iterable[tuple[Any, int]], most: int = 5) -> str:
    """Values with their records, the most frequent first."""
    ranked = sorted(entries, key=lambda entry: -entry[1])
    shown = ", ".join(f"{value!r} in {count:,} record(s)" for value, count in ranked[:most])
    more = f" and {len(ranked) - most} more value(s)" if len(ranked) > most else ""
    return f"{shown}{more}"


def _some(codes: Iterable[Any], most: int = 8) -> str:
    items = list(codes)
    return f"{items[:most]!r}" + (" ..." if len(items) > most else "")
