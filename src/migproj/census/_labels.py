"""Labels as printed in tables: one text for each, ages to groups, words for the sexes."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pandas as pd

from migproj.ages import OLDEST, AgeGroups, age_coords, groups_of
from migproj.conventions import FEMALE, MALE
from migproj.dates import decimal_year
from migproj.errors import IntervalError, SchemaError

__all__ = ["UNKNOWN", "Labels", "instant", "read_labels", "shown", "text"]

UNKNOWN: Final = "unknown"
_UNKNOWN: Final = {
    UNKNOWN, "not stated", "not reported", "not specified", "unspecified",
    "ignorado", "ignorada", "no declarado", "no declarada", "sin especificar",
}  # fmt: skip
_TOTAL: Final = {
    "total", "totals", "grand total", "total population", "all", "all ages", "both", "both sexes",
    "all countries", "world", "ambos sexos", "todas las edades", "todos",
}  # fmt: skip
#: "M" is male beside "F" (and mujer beside "H", which is not read for that reason).
_SEXES: Final = {
    **dict.fromkeys(("female", "females", "f", "woman", "women", "mujer", "mujeres"), FEMALE),
    **dict.fromkeys(("male", "males", "m", "man", "men", "hombre", "hombres"), MALE),
}
_YEARS: Final = re.compile(r"\b(?:years?(?: of age)?|yrs?|años|anos)\b\.?")
_OVER: Final = re.compile(
    r"\s*(?:\+|(?:and|or) (?:over|older|more|above)|plus|y más|y mas|o más|o mas)\s*"
)
_UNDER_ONE: Final = re.compile(r"(?:under|less than|<|menos de|menor de)\s*(?:1|one)")
_AGE: Final = re.compile(r"(?P<low>\d+)\s*(?:(?P<open>\+)|(?:-+|–|—|to|a)\s*(?P<high>\d+))?")
_WHOLE: Final = re.compile(r"0|-?[1-9]\d*")


@dataclass
class Labels:
    """Labels of a dim, and where each row of the table has its own.

    Places are those of `labels`, then one for unknown, then one for each of `totals`. `sums` are
    the places that each total adds up.
    """

    dim: str
    labels: list[Any]
    place: np.ndarray[Any, np.dtype[np.int64]]
    totals: list[str] = field(default_factory=list)
    sums: list[list[int]] = field(default_factory=list)
    groups: AgeGroups | None = None

    @property
    def size(self) -> int:
        """Places without those of totals."""
        return len(self.labels) + 1

    @property
    def names(self) -> list[str]:
        """The label of every place, for messages."""
        own = self.groups.labels if self.groups else self.labels
        return [*map(str, own), UNKNOWN, *self.totals]


def text(label: Any) -> str:
    """A label as one text, however the table stores it: 5, 5.0, "5.0" and " 5 " are "5"."""
    if label is None or pd.isna(label):
        return ""
    if isinstance(label, dt.date | np.datetime64):
        return pd.Timestamp(label).date().isoformat()
    if isinstance(label, int | float | np.number) and float(label).is_integer():
        return str(int(label))
    words = " ".join(str(label).split())
    return re.sub(r"^(-?\d+)\.0+$", r"\1", words)


def shown(labels: Iterable[Any], most: int = 5) -> str:
    """The first labels, for messages."""
    items = list(labels)
    return f"{items[:most]!r}" + (" ..." if len(items) > most else "")


def instant(label: str, column: str) -> float:
    """The decimal year of a label."""
    try:
        # Eight digits are a day: 20101027.
        return decimal_year(float(label) if re.fullmatch(r"\d{1,5}(\.\d+)?", label) else label)
    except IntervalError as error:
        raise IntervalError(f"column {column!r}: {error}") from None


def read_labels(
    dim: str,
    column: str,
    rows: np.ndarray[Any, np.dtype[np.int64]],
    found: list[str],
    *,
    totals: Iterable[str] = (),
    open_ended: bool = True,
) -> Labels:
    """The labels of a column; `rows` says which of `found` each row has.

    Raises
    ------
    SchemaError
        If a label is missing, cannot be read, or adds up others without being listed as a total.
    """
    counts = np.bincount(rows, minlength=len(found))

    def number(labels: Iterable[str]) -> int:
        return int(sum(counts[found.index(label)] for label in labels))

    if "" in found:
        at = np.flatnonzero(rows == found.index(""))
        hint = f"codes={{{dim!r}: {{'': 'unknown'}}}} if it means unknown"
        raise SchemaError(
            f"column {column!r}: no label in {len(at)} row(s), the first are rows "
            f"{(at[:5] + 1).tolist()}; fill them in"
            + (f", or pass {hint}" if dim in ("age", "sex") else "")
        )
    listed = [label for label in found if label in set(totals)]
    odd = [label for label in found if label.casefold() in _TOTAL and label not in listed]
    if odd and dim in ("age", "sex") and len(odd) == len(found):
        raise SchemaError(
            f"column {column!r}: expected labels of {dim}, got {shown(odd)} alone; read a "
            "table with the parts"
            + ("" if dim == "age" else ", or leave the column out: columns=[...]")
        )
    if odd and len(odd) < len(found):
        raise SchemaError(
            f"column {column!r}: {shown(odd)} in {number(odd)} row(s) is a total beside its parts, "
            f"which would count people twice; pass drop_totals={{{dim!r}: {odd!r}}} to check it "
            "against their sum and leave it out"
        )
    known = [
        label
        for label in found
        if label not in listed and not (dim in ("age", "sex") and label.casefold() in _UNKNOWN)
    ]
    if not known:
        raise SchemaError(
            f"column {column!r}: expected labels of {dim}, got {shown(found)} alone, which are "
            "unknown or totals"
        )
    if dim == "age":
        return _ages(column, rows, found, known, listed, number, open_ended=open_ended)
    final: dict[str, Any]
    if dim == "sex":
        final = _sexes(column, known, number)
    elif dim == "time":
        final = {label: instant(label, column) for label in known}
    elif all(_WHOLE.fullmatch(label) for label in known):
        final = {label: int(label) for label in known}
    else:
        final = {label: label for label in known}
    labels = sorted(set(final.values()))
    order = {label: k for k, label in enumerate(labels)}
    place = _places(rows, found, {label: order[end] for label, end in final.items()}, listed)
    everyone = list(range(len(labels) + 1))
    return Labels(dim, labels, place, listed, [everyone for _ in listed])


def _places(
    rows: np.ndarray[Any, np.dtype[np.int64]],
    found: list[str],
    known: dict[str, int],
    totals: list[str],
) -> np.ndarray[Any, np.dtype[np.int64]]:
    size = len(set(known.values()))
    own = dict(known) | {label: size + 1 + k for k, label in enumerate(totals)}
    places = np.array([own.get(label, size) for label in found], dtype=np.int64)
    return np.asarray(places[rows])


def _sexes(column: str, known: list[str], number: Any) -> dict[str, str]:
    odd = [label for label in known if label.casefold() not in _SEXES]
    if odd:
        raise SchemaError(
            f"column {column!r}: expected labels of the sexes ('female', 'male', 'F', 'M', ...), "
            f"got {shown(odd)} in {number(odd)} row(s); say what they are: "
            f"codes={{'sex': {{{odd[0]!r}: 'male', ...}}}}"
        )
    return {label: _SEXES[label.casefold()] for label in known}


def _ages(
    column: str,
    rows: np.ndarray[Any, np.dtype[np.int64]],
    found: list[str],
    known: list[str],
    listed: list[str],
    number: Any,
    *,
    open_ended: bool,
) -> Labels:
    bounds = {label: _bounds(label) for label in known}
    odd = [label for label, pair in bounds.items() if pair is None]
    if odd:
        raise SchemaError(
            f"column {column!r}: cannot read the age(s) {shown(odd)} in {number(odd)} row(s); "
            "expected '0-4', '7', '80+' or lower bounds; codes={'age': {...}} translates them, to "
            "'unknown' where they mean that"
        )
    read = {label: pair for label, pair in bounds.items() if pair is not None}
    old = [label for label, (low, _high) in read.items() if low > OLDEST]
    if old:
        raise SchemaError(
            f"column {column!r}: {shown(old)} in {number(old)} row(s) is no age; if it means "
            f"unknown, pass codes={{'age': {{{old[0]!r}: 'unknown'}}}}"
        )
    distinct = sorted(set(read.values()), key=lambda pair: pair[0])
    opens = [low for low, high in distinct if high == float("inf")]
    # Numbers, and at most one group of all older ages: lower bounds. Else a number is one year.
    bare = all(high is None or high == float("inf") for _low, high in distinct) and (
        not opens or [low for low, _high in distinct if low >= opens[0]] == opens
    )
    if not bare:
        read = {label: (low, high or low + 1.0) for label, (low, high) in read.items()}
        _check_apart(column, read, number)
        distinct = sorted(set(read.values()))
    try:
        groups = groups_of(
            age_coords([low for low, _ in distinct], open_ended=open_ended or bool(opens))
            if bare
            else age_coords([_printed(low, high) for low, high in distinct]),
            "ages",
        )
    except SchemaError as error:
        raise SchemaError(f"column {column!r}: {error}") from None
    place = {label: distinct.index(pair) for label, pair in read.items()}
    return Labels(
        "age",
        list(groups.lower),
        _places(rows, found, place, listed),
        listed,
        [_summed(label, groups) for label in listed],
        groups,
    )


def _bounds(label: str) -> tuple[int, float | None] | None:
    """Lower and upper bound of an age label; None above for a number alone."""
    slim = " ".join(_YEARS.sub(" ", label.casefold()).split())
    if _UNDER_ONE.fullmatch(slim):
        return 0, 1.0
    match = _AGE.fullmatch(_OVER.sub("+", slim))
    if match is None:
        return None
    low = int(match["low"])
    if match["open"]:
        return low, float("inf")
    if match["high"] is None:
        return low, None
    high = int(match["high"]) + 1.0
    return (low, high) if high > low else None


def _printed(low: int, high: float | None) -> str:
    return f"{low}+" if high == float("inf") else f"{low}-{(high or low + 1) - 1:g}"


def _check_apart(column: str, read: dict[str, tuple[int, float | None]], number: Any) -> None:
    """No age group holds another or shares ages with one."""
    spans = sorted({(low, high or 0.0) for low, high in read.values()})
    over = {
        (low, high)
        for low, high in spans
        for a, b in spans
        if (low, high) != (a, b) and low <= a and b <= high
    }
    if over:
        labels = [label for label, (low, high) in read.items() if (low, high or 0.0) in over]
        raise SchemaError(
            f"column {column!r}: the age(s) {shown(labels)} in {number(labels)} row(s) hold other "
            f"age groups of the table, which would count people twice; pass "
            f"drop_totals={{'age': {labels[:5]!r}}} to check them against the sum and leave them "
            "out"
        )


def _summed(label: str, groups: AgeGroups) -> list[int]:
    """The places that a total of ages adds up: all, or the groups within its bounds."""
    pair = _bounds(label)
    if pair is None:
        return list(range(len(groups) + 1))
    low, high = pair[0], pair[1] or pair[0] + 1.0
    inside = [
        g
        for g, (a, b) in enumerate(zip(groups.lower, groups.upper, strict=True))
        if low <= a and b <= high
    ]
    if not inside or groups.lower[inside[0]] != low or groups.upper[inside[-1]] != high:
        raise SchemaError(
            f"drop_totals: 'age': {label!r} is no sum of the table's age groups "
            f"({', '.join(groups.labels[:8])}); it cannot be checked"
        )
    return inside
