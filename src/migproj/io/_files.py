"""Files as they come: opened, recognised by their head, read in chunks, checked cell by cell."""

from __future__ import annotations

import csv
import gzip
import importlib
import io
import os
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TextIO, TypeAlias

import pandas as pd

from migproj.errors import SchemaError

__all__ = [
    "PathLike",
    "chunks",
    "first",
    "head",
    "numbers",
    "paths_of",
    "require",
    "whole",
    "wrong_file",
]

PathLike: TypeAlias = "str | os.PathLike[str]"

#: Rows read at a time: a few tens of megabytes.
_CHUNK: Final = 250_000
#: What reading a damaged or an incomplete compressed file raises.
_DAMAGED: Final = (EOFError, zlib.error, zipfile.BadZipFile, gzip.BadGzipFile)
#: Lines of a file's head in which its layout shows.
_HEAD: Final = 20

#: Columns by which a table is recognised, and the reader that takes it; the first that fits.
_COLUMNS: Final[tuple[tuple[str, frozenset[str]], ...]] = (
    ("read_wpp_life_table", frozenset({"LocID", "AgeGrpStart", "mx", "qx", "lx"})),
    ("read_wpp_fertility", frozenset({"LocID", "AgeGrpStart", "ASFR"})),
    ("read_wpp_population", frozenset({"LocID", "AgeGrpStart", "PopMale", "PopFemale"})),
    ("read_wpp_indicators", frozenset({"LocID", "NetMigrations", "SRB"})),
    ("read_eurostat_stock", frozenset({"c_birth", "geo", "TIME_PERIOD", "OBS_VALUE"})),
    ("read_demographic_yearbook", frozenset({"Country or Area", "Year", "Record Type", "Age"})),
    ("read_tidy", frozenset({"variable", "value", "units"})),
)
_WORKBOOK: Final = (
    ("read_migrant_stock_by_origin", {"location code of origin"}),
    ("read_migrant_stock_by_age", {"year", "location code"}),
)


def require(module: str, purpose: str) -> Any:
    """An optional library; without it an ImportError that names the extra."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{purpose} needs {module}, which is not installed: pip install 'migproj[io]'"
        ) from error


def paths_of(path: PathLike | Iterable[PathLike]) -> list[Path]:
    """One file, or several, as a list."""
    given: Any = [path] if isinstance(path, str | os.PathLike) else path
    paths = list(given) if isinstance(given, Iterable) else []
    if not paths or not all(isinstance(each, str | os.PathLike) for each in paths):
        raise SchemaError(f"path: expected the path of a file, or a list of paths, got {path!r}")
    return [Path(each) for each in paths]


@contextmanager
def opened(path: Path) -> Iterator[TextIO]:
    """The text of a file, plain or compressed (.gz, .zip of one file), its byte-order mark off."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if len(names) != 1:
                raise SchemaError(f"{path.name}: expected one file in it, got {names[:5]}")
            with archive.open(names[0]) as inner:
                yield io.TextIOWrapper(inner, encoding="utf-8-sig", newline="")
    elif path.suffix == ".gz":
        with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as file:
            yield file
    else:
        with path.open(encoding="utf-8-sig", newline="") as file:
            yield file


def head(path: Path) -> list[str]:
    """The first lines of a text file, none of a workbook or of another file that is not text."""
    try:
        with opened(path) as file:
            return [line.rstrip("\r\n") for line, _ in zip(file, range(_HEAD), strict=False)]
    except (UnicodeDecodeError, *_DAMAGED):
        return []


def columns_of(path: Path, separator: str = ",") -> list[str]:
    """Names in the first line of a table."""
    lines = head(path)
    return next(csv.reader([lines[0]], delimiter=separator)) if lines else []


def reader_of(path: Path) -> str | None:
    """The function of migproj.io that reads a file, by the layout of its head."""
    columns = set(columns_of(path))
    for reader, wanted in _COLUMNS:
        if wanted <= columns:
            return reader
    if any(line.split()[:2] in (["Year", "Age"], ["Year", "Female"]) for line in head(path)[:5]):
        return "read_hmd"
    if path.suffix == ".xlsx":
        texts = {text.strip().lower() for text in _texts_of_workbook(path)}
        return next((reader for reader, marks in _WORKBOOK if marks <= texts), None)
    return None


def _texts_of_workbook(path: Path) -> Iterator[str]:
    try:
        book = require("openpyxl", "reading a workbook").load_workbook(path, read_only=True)
    except (ImportError, zipfile.BadZipFile):
        return
    try:
        for sheet in book.worksheets:
            for row in sheet.iter_rows(max_row=_HEAD, values_only=True):
                yield from (cell for cell in row if isinstance(cell, str))
    finally:
        book.close()


def wrong_file(path: Path, reader: str, expected: str, got: str) -> SchemaError:
    """The error for a file of another layout; it names the reader of that layout."""
    other = reader_of(path)
    if other not in (None, reader):
        hint = f"; this is a file for mp.io.{other}"
    elif any(r"\TIME_PERIOD" in name or r"\time" in name for name in columns_of(path)):
        hint = "; this is Eurostat's TSV: download the table as SDMX-CSV"
    else:
        hint = "; it is of no layout that migproj.io reads"
    return SchemaError(f"{path.name}: mp.io.{reader} expected {expected}, got {got}{hint}")


def chunks(
    path: Path,
    reader: str,
    columns: Sequence[str],
    *,
    optional: Sequence[str] = (),
    text: Sequence[str] = (),
) -> Iterator[pd.DataFrame]:
    """The columns of a CSV file that are needed, some rows at a time, its row number as index.

    Raises
    ------
    SchemaError
        If a column is missing (the error names the reader of that layout), or the file is not
        UTF-8.
    """
    have = columns_of(path)
    lacking = [name for name in columns if name not in have]
    if lacking:
        got = f"{have[:8]}" if have else "a file that is empty or no text in UTF-8"
        raise wrong_file(path, reader, f"a table with the columns {list(columns)}", got)
    wanted = [*columns, *(name for name in optional if name in have)]
    try:
        with (
            opened(path) as file,
            pd.read_csv(
                file,
                usecols=wanted,
                dtype=dict.fromkeys(text, "str"),
                keep_default_na=False,  # NA is Namibia
                na_values=[""],
                chunksize=_CHUNK,
                low_memory=False,
                skip_blank_lines=False,
                index_col=False,
            ) as parts,
        ):
            for part in parts:
                part.index += 2  # the number of the line, the first of which has the names
                yield part
    except UnicodeDecodeError as error:
        raise SchemaError(
            f"{path.name}: expected text in UTF-8, got other bytes at {error.start}; save it again "
            "as UTF-8"
        ) from error
    except _DAMAGED as error:
        raise SchemaError(f"{path.name}: the compressed file is damaged: {error}") from error
    except pd.errors.ParserError as error:
        raise SchemaError(f"{path.name}: lines with too many or too few cells: {error}") from error


def numbers(
    column: pd.Series[Any], file: str, *, missing: Sequence[str] = (), name: str | None = None
) -> pd.Series[float]:
    """A column as float64; blank cells and the marks of `missing` are NaN.

    Raises
    ------
    SchemaError
        If a cell is no number: the column, how many of how many rows, the first offenders.
    """
    if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
        return column.astype("float64")
    text = column.astype("str").str.strip()
    blank = column.isna() | text.isin(["", *missing])
    values = pd.to_numeric(text.mask(blank), errors="coerce").astype("float64")
    bad = values.isna() & ~blank
    if bad.any():
        cells = "; ".join(f"row {row}: {cell!r}" for row, cell in text[bad].head().items())
        raise SchemaError(
            f"{file}: column {name or column.name!r}: expected numbers, got {int(bad.sum())} other "
            f"cell(s) in {len(column)} rows: {cells}"
        )
    return values


def whole(column: pd.Series[Any], file: str) -> pd.Series[int]:
    """A column of codes as int64.

    Raises
    ------
    SchemaError
        If a cell is blank or no whole number.
    """
    values = numbers(column, file)
    odd = values.isna() | (values % 1 != 0)
    if odd.any():
        cells = "; ".join(f"row {row}: {cell!r}" for row, cell in column[odd].head().items())
        raise SchemaError(
            f"{file}: column {column.name!r}: expected whole numbers, got {int(odd.sum())} blank "
            f"or other cell(s) in {len(column)} rows: {cells}"
        )
    return values.astype("int64")


def coded(
    column: pd.Series[Any], codes: Mapping[str, str], file: str, ignored: Sequence[str] = ()
) -> pd.Series[str]:
    """The column in our labels; `ignored` values become missing.

    Raises
    ------
    SchemaError
        If there are other values.
    """
    labels = column.map(codes)
    odd = labels.isna() & ~column.isin(list(ignored))
    if odd.any():
        raise SchemaError(
            f"{file}: column {column.name!r}: expected {[*codes, *ignored]}, got {int(odd.sum())} "
            f"other cell(s) in {len(column)} rows: {first(column[odd].unique())}"
        )
    return labels


def first(items: Iterable[Any], most: int = 5) -> str:
    """The first of some labels, for messages."""
    listed = [item.item() if hasattr(item, "item") else item for item in items]
    return f"{listed[:most]!r}" + (" ..." if len(listed) > most else "")
