"""A tidy table of any kind as columns of labels and one of counts."""

from __future__ import annotations

import gzip
import os
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from migproj.ages import groups_of
from migproj.census._labels import UNKNOWN, Labels, instant, read_labels, shown, text
from migproj.errors import SchemaError

__all__ = ["Rows", "cube_of", "read_rows", "tidied"]

#: Names of variables and coordinates of a round, which no dim may have.
_TAKEN: Final = {
    "population", "age_width", "unknown_age_distributed", "unknown_sex_distributed",
    "unknown_age_and_sex_distributed", "birthplace_distributed", "coverage_adjustment",
    "date_adjustment",
}  # fmt: skip
#: More cells than this are not one table but a column that is no dim.
_MOST_CELLS = 200_000_000
#: A printed total may differ by this from the sum of its parts: both are rounded to persons.
_ROUNDED = 0.5


@dataclass
class Rows:
    """Rows of a table: labels by dim, counts, and the date of each row where there is one."""

    labels: dict[str, Labels]
    counts: npt.NDArray[np.float64]
    dates: npt.NDArray[np.float64] | None

    @cached_property
    def detail(self) -> npt.NDArray[np.bool_]:
        """Rows that are no totals."""
        of_dims = [own.place < own.size for own in self.labels.values()]
        return np.asarray(np.logical_and.reduce(of_dims))

    def at(self, rows: npt.NDArray[Any]) -> tuple[npt.NDArray[np.int64], ...]:
        """Where these rows stand in the cube."""
        return tuple(own.place[rows] for own in self.labels.values())

    def named(self, row: int) -> str:
        """The labels of a row, for messages."""
        return ", ".join(f"{dim}={own.names[own.place[row]]}" for dim, own in self.labels.items())


def read_rows(
    table: Any,
    *,
    columns: Mapping[str, str] | Sequence[str] | None,
    value: str,
    codes: Mapping[str, Mapping[Any, Any]],
    totals: Mapping[str, Sequence[Any]],
    open_ended: bool,
) -> Rows:
    """The checked rows of a table.

    Raises
    ------
    SchemaError
        If the table, a column, a count or a label is not as described in `round`.
    """
    frame = _frame(table)
    names = _columns(frame, columns, value)
    options: dict[str, Any] = {"codes": codes, "drop_totals": totals}
    for keyword, given in options.items():
        if not isinstance(given, Mapping):
            raise SchemaError(
                f"{keyword}: expected a mapping by dim such as {{'sex': ...}}, got {given!r}"
            )
        odd = [dim for dim in given if dim not in names]
        if odd:
            raise SchemaError(
                f"{keyword}: expected dims of the table, {list(names)}, got {odd}; columns= says "
                "which column holds which dim"
            )
    for dim, given in options["drop_totals"].items():
        if isinstance(given, str) or not isinstance(given, Iterable):
            raise SchemaError(
                f"drop_totals: {dim!r}: expected a list of labels, got {given!r}; give "
                f"{{{dim!r}: [{given!r}]}}"
            )
    for dim, pairs in options["codes"].items():
        if not isinstance(pairs, Mapping):
            raise SchemaError(
                f"codes: {dim!r}: expected {{label: label}}, got {type(pairs).__name__} {pairs!r}"
            )
    counts = _counts(frame[value], value)
    labels: dict[str, Labels] = {}
    dates = None
    same: dict[str, Any] = {}
    for dim, column in names.items():
        at, uniques = pd.factorize(frame[column], use_na_sentinel=False)
        raw = [text(label) for label in uniques]
        own = {text(code): text(label) for code, label in codes.get(dim, {}).items()}
        coded = [own.get(label, label) for label in raw]
        found, rows = _numbered(coded, at)
        if dim == "date":
            dates = np.array([instant(label, column) for label in found])[rows]
            continue
        several = options["drop_totals"].get(dim, ())
        listed = [text(label) for label in ([several] if isinstance(several, str) else several)]
        labels[dim] = read_labels(dim, column, rows, found, totals=listed, open_ended=open_ended)
        same[dim] = labels[dim].place
        if own:
            # What codes put under one label is added up; the same label twice is not.
            same[f"{dim} as coded"] = _numbered([x if x in own else "" for x in raw], at)[1]
    unused = [name for name in frame.columns if name not in names.values() and name != value]
    result = Rows(labels, counts, dates)
    _check_once(pd.DataFrame(same), result, unused)
    return result


def tidied(table: xr.Dataset, columns: Any, value: str) -> tuple[pd.DataFrame, str]:
    """The rows of a table of records, people of unknown age among them, and their column."""
    if columns is not None or value not in table or "age" not in table[value].dims:
        raise SchemaError(
            f"table: expected of a Dataset the variable {value!r} by age, and no columns=, got "
            f"variables {shown(table.data_vars)} and columns={columns!r}; mp.census.tabulate "
            "makes such a table, with 'age' in by="
        )
    parts = {value: table[value].assign_coords(age=list(groups_of(table[value], value).labels))}
    if "unknown_age" in table:
        parts["unknown_age"] = table["unknown_age"].expand_dims(age=[UNKNOWN])
    frames = []
    for array in parts.values():
        own = [c for c in array.coords if not array[c].dims and c != "time"]
        frames.append(array.expand_dims(own).rename(value).to_series().reset_index())
    return pd.concat(frames, ignore_index=True), value


def _numbered(
    labels: list[str], at: npt.NDArray[np.int64]
) -> tuple[list[str], npt.NDArray[np.int64]]:
    """The different labels, and which of them each row has."""
    number = {label: k for k, label in enumerate(dict.fromkeys(labels))}
    return list(number), np.array([number[label] for label in labels], dtype=np.int64)[at]


def _frame(table: Any) -> pd.DataFrame:
    if isinstance(table, str | os.PathLike):
        try:
            # As text: "NA" is Namibia, and "032" is no number.
            frame = pd.read_csv(table, dtype=str, keep_default_na=False, skipinitialspace=True)
        except (
            pd.errors.ParserError,
            pd.errors.EmptyDataError,
            UnicodeDecodeError,
            gzip.BadGzipFile,
            zipfile.BadZipFile,
        ) as error:
            raise SchemaError(
                f"table: cannot read {os.fspath(table)!r} as CSV: {error}; expected one header "
                "line, commas, UTF-8"
            ) from None
    elif isinstance(table, pd.DataFrame):
        frame = table
    elif hasattr(table, "to_dict") and hasattr(table, "columns") and hasattr(table, "schema"):
        frame = pd.DataFrame(table.to_dict(as_series=False))
    else:
        raise SchemaError(
            "table: expected a pandas or polars frame, the path of a CSV file, or the Dataset of "
            f"mp.census.tabulate, got {type(table).__name__}; pandas.DataFrame(...) makes a frame, "
            ".collect() one of a lazy one"
        )
    if frame.shape[0] == 0:
        raise SchemaError("table: expected rows, got none; the selection before kept nothing")
    twice = frame.columns[frame.columns.duplicated()].tolist()
    if twice:
        raise SchemaError(f"table: expected each column once, got {shown(twice)} repeatedly")
    return frame


def _columns(
    frame: pd.DataFrame, columns: Mapping[str, str] | Sequence[str] | None, value: str
) -> dict[str, str]:
    """The column of each dim."""
    if columns is None:
        names = {str(name): str(name) for name in frame.columns if name != value}
    elif isinstance(columns, Mapping):
        names = dict(columns)
    elif isinstance(columns, str) or not isinstance(columns, Iterable):
        raise SchemaError(
            f"columns: expected a list of columns or {{dim: column}}, got {columns!r}"
        )
    else:
        names = {name: name for name in columns}
    if not isinstance(value, str):
        raise SchemaError(f"value: expected the name of the column of counts, got {value!r}")
    have = [str(name) for name in frame.columns]
    lacking = [name for name in [*names.values(), value] if name not in frame.columns]
    if lacking:
        raise SchemaError(
            f"table: no column(s) {shown(lacking)}; it has {shown(have, 12)}; columns={{dim: "
            "column} and value= say where they are"
        )
    used = [*names.values(), value]
    twice = sorted({name for name in used if used.count(name) > 1})
    if twice:
        raise SchemaError(
            f"columns: expected each column once, got {twice} for "
            f"{[dim for dim, name in names.items() if name in twice]}"
            + (" and as value" if value in twice else "")
        )
    odd = [dim for dim in names if dim in _TAKEN]
    if odd:
        raise SchemaError(
            f"columns: {odd} would be dims and something else in the round; leave them out of "
            f"columns=[...], or call them otherwise: columns={{'my_{odd[0]}': {names[odd[0]]!r}}}"
        )
    if "age" not in names:
        raise SchemaError(
            f"columns: expected a column of age, got the dims {list(names)}; say which it is: "
            "columns={'age': ..., 'sex': ..., ...}"
        )
    return names


def _counts(series: Any, column: str) -> npt.NDArray[np.float64]:
    read: Any = pd.to_numeric(series, errors="coerce")
    counts: npt.NDArray[np.float64] = read.to_numpy(dtype=np.float64, na_value=np.nan)
    given = (
        np.array([text(cell) for cell in series], dtype=object) if np.isnan(counts).any() else None
    )
    for odd, what, mend in (
        (
            np.isnan(counts) & (given != "") if given is not None else None,
            "no number",
            "take marks and separators of thousands out",
        ),
        (
            np.isnan(counts),
            "no count",
            "fill them in, or drop these rows and pass fill=0 if nobody was counted",
        ),
        (counts < 0, "a negative count", "correct them"),
        (np.isinf(counts), "an infinite count", "correct them"),
    ):
        if odd is not None and odd.any():
            at = np.flatnonzero(odd)
            sample = series.iloc[at[:5]].tolist()
            raise SchemaError(
                f"column {column!r}: {what} in {len(at)} row(s), the first are rows "
                f"{(at[:5] + 1).tolist()}: {sample!r}; {mend}"
            )
    return counts


def _check_once(same: pd.DataFrame, rows: Rows, unused: list[Any]) -> None:
    """Each combination of labels stands in one row."""
    again = same.duplicated(keep=False).to_numpy()
    if not again.any():
        return
    at = np.flatnonzero(again)
    extra = int(same.duplicated().sum())
    first = "; ".join(dict.fromkeys(rows.named(row) for row in at[:10]))
    apart = (
        f"name in columns= what tells them apart (not used: {shown(unused)}), or " if unused else ""
    )
    raise SchemaError(
        f"table: expected each combination of {list(rows.labels)} once, got {extra} row(s) again, "
        f"the first in rows {(at[:5] + 1).tolist()} ({first}); {apart}drop the repeats, or add "
        "them up first with .groupby(...).sum()"
    )


def cube_of(rows: Rows, *, fill: float | None) -> npt.NDArray[np.float64]:
    """The counts over all labels and unknown, totals checked and left out.

    Raises
    ------
    SchemaError
        If a combination of labels is missing, or a total is not the sum of its parts.
    """
    dims = list(rows.labels)
    sizes = [rows.labels[dim].size for dim in dims]
    if np.prod(sizes, dtype=float) > _MOST_CELLS:
        raise SchemaError(
            f"table: {len(rows.counts)} rows would make {np.prod(sizes, dtype=float):.3g} cells "
            f"({dict(zip(dims, sizes, strict=True))}); columns=[...] names those that are dims"
        )
    at = rows.at(rows.detail)
    counts = np.zeros(sizes)
    present = np.zeros(sizes, dtype=bool)
    np.add.at(counts, at, rows.counts[rows.detail])
    present[at] = True
    known = tuple(slice(size - 1) for size in sizes)
    absent = ~present[known]
    if absent.any() and fill is None:
        first = "; ".join(
            ", ".join(
                f"{dim}={rows.labels[dim].names[k]}" for dim, k in zip(dims, cell, strict=True)
            )
            for cell in np.argwhere(absent)[:5]
        )
        hint = (
            "; where dates differ by country give them as columns={'date': ...}"
            if "time" in dims
            else ""
        )
        raise SchemaError(
            f"table: {int(absent.sum())} of {absent.size} combinations have no row: {first}; pass "
            f"fill=0 if nobody was counted there, or columns=[...] if not all of {dims} are dims"
            f"{hint}"
        )
    _check_totals(rows, counts)
    return counts


def _check_totals(rows: Rows, counts: npt.NDArray[np.float64]) -> None:
    """Rows of totals are the sums of what they hold, to the rounding of a person."""
    if rows.detail.all():
        return
    full = counts
    for axis, own in enumerate(rows.labels.values()):
        parts = [full.take(places, axis=axis).sum(axis=axis) for places in own.sums]
        if parts:
            full = np.concatenate([full, np.stack(parts, axis=axis)], axis=axis)
    at = np.flatnonzero(~rows.detail)
    sums = full[rows.at(at)]
    given = rows.counts[at]
    odd = abs(given - sums) > _ROUNDED + 1e-9 * given
    if odd.any():
        first = "; ".join(
            f"{rows.named(row)}: {rows.counts[row]:,.10g} where the parts add up to {total:,.10g}"
            for row, total in zip(at[odd][:5], sums[odd][:5], strict=True)
        )
        raise SchemaError(
            f"drop_totals: {int(odd.sum())} of {len(at)} row(s) of totals are not the sum of "
            f"their parts, the first is row {int(at[odd][0]) + 1}: {first}; a row may be missing "
            "or misprinted, or the total not hold all labels: correct it, or take it out"
        )
