"""Workbooks of the UN International Migrant Stock, 2020 and 2024."""

from __future__ import annotations

import itertools
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import xarray as xr

from migproj.ages import age_coords
from migproj.conventions import FEMALE, MALE
from migproj.errors import SchemaError
from migproj.io._cubes import as_list, check_found, check_rows, cubes, described, wanted
from migproj.io._files import PathLike, first, numbers, require, whole, wrong_file

__all__ = ["read_migrant_stock_by_age", "read_migrant_stock_by_origin"]

_SOURCE: Final = "United Nations, International Migrant Stock"
#: Codes from here on are of regions and other groups; 2003 is people of other origins.
_AGGREGATES: Final = 900
_OTHERS: Final = 2003
#: Rows in which the names of the columns are looked for.
_HEAD: Final = 40
_SEXES: Final = ((FEMALE, "female"), (MALE, "male"), ("total", "both"))
_MISSING: Final = ("..", "…", "-")
_KIND: Final = ("type of data", "data type")
_AGE: Final = re.compile(r"\d+\s*(-\s*\d+|\+)")


def read_migrant_stock_by_age(
    path: PathLike,
    *,
    sheet: str = "Table 1",
    countries: Sequence[int] | None = None,
    years: Sequence[int] | None = None,
    aggregates: bool = False,
) -> xr.DataArray:
    """Migrant stocks by age, sex and country of residence (International Migrant Stock 2020).

    Parameters
    ----------
    path : str or path
        ``undesa_pd_2020_ims_stock_by_age_sex_and_destination.xlsx``. Needs the extra ``io``.
    sheet : str, default "Table 1"
        The sheet with numbers of migrants.
    countries : sequence of int, optional
        Location codes; all by default.
    years : sequence of int, optional
        All by default.
    aggregates : bool, default False
        Whether to read regions and other groups (codes of 900 and over) too.
        ``attrs["aggregates_left_out"]`` is the number of those left out.

    Returns
    -------
    DataArray (country, time, sex, age)
        ``stock``, persons, at mid-year: ``time`` is 1990.5. ``country`` is the location code,
        with ``country_name`` beside it, and ``data_type`` (country, time) as in the file: B by
        country of birth, C by citizenship, R with refugees added, I imputed. Cells ``..``, and
        a year without a row, are NaN. There are no birthplaces in this table.

    Raises
    ------
    SchemaError
        If the workbook has another layout (the message names its reader), a cell is no number, a
        row comes twice, or something asked for is not in it.
    ImportError
        Without openpyxl.

    References
    ----------
    UN, Department of Economic and Social Affairs, Population Division (2020),
    *International Migrant Stock*.

    Examples
    --------
    >>> import migproj as mp, openpyxl, pathlib, tempfile
    >>> book = openpyxl.Workbook()
    >>> book.active.title = "Table 1"
    >>> for row in [
    ...     [None] * 5 + ["International migrant stock: males", None, None, "females", None, None],
    ...     ["Year", "Region, development group, country or area", "Notes", "Location code",
    ...      "Type of data"] + ["0-4", " 5+", "Total"] * 2,
    ...     [2020, "Argentina*", None, 32, "B R", 10, 20, 30, 11, 21, 32],
    ... ]:
    ...     book.active.append(row)
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "stock.xlsx"
    >>> book.save(file)
    >>> stock = mp.io.read_migrant_stock_by_age(file)
    >>> stock.sel(country=32, time=2020.5, sex="female").values
    array([11., 21.])
    """
    file = Path(path)
    table = _Table.of(file, "read_migrant_stock_by_age", sheet, ("year", "location code"))
    columns = _columns_of_ages(table, file)
    code, year = "location code", "year"
    frame = table.rows(code)
    frame[code], frame[year] = whole(frame[code], file.name), whole(frame[year], file.name)
    group = frame[code] >= _AGGREGATES
    left_out = 0 if aggregates else frame[code][group].nunique()
    frame = frame if aggregates else frame[~group]
    check_found("countries", countries, list(frame[code]), file.name)
    check_found("years", years, list(frame[year]), file.name)
    frame = frame[wanted(frame, [code], countries) & wanted(frame, [year], years)]
    rows = {"country": frame[code], "time": frame[year] + 0.5}
    array = _stock(frame, rows, columns, file)
    array = array.assign_coords(age_coords([label for _, sex, label in columns if sex == FEMALE]))
    place, kind = table.column("development group"), table.column(*_KIND)
    return array.assign_coords(
        country_name=_along(array, ("country",), rows, _names(frame[place])),
        data_type=_along(array, ("country", "time"), rows, _texts(frame[kind])),
    ).assign_attrs(aggregates_left_out=left_out)


def read_migrant_stock_by_origin(
    path: PathLike,
    *,
    sheet: str = "Table 1",
    countries: Sequence[int] | None = None,
    birthplaces: Sequence[int] | None = None,
    years: Sequence[int] | None = None,
    aggregates: bool = False,
) -> xr.DataArray:
    """Migrant stocks by sex, country of residence and of origin (Migrant Stock 2020 and 2024).

    Parameters
    ----------
    path : str or path
        ``undesa_pd_2024_ims_stock_by_sex_destination_and_origin.xlsx``, or that of 2020. Needs
        the extra ``io``.
    sheet : str, default "Table 1"
        The sheet with numbers of migrants.
    countries, birthplaces : sequence of int, optional
        Location codes of destination and of origin; all by default.
    years : sequence of int, optional
        All by default.
    aggregates : bool, default False
        Whether to read regions and other groups (codes of 900 and over) too.
        ``attrs["aggregates_left_out"]`` is the number of those left out. Code 2003, people of
        other origins, is no group and always a birthplace of its own.

    Returns
    -------
    DataArray (country, birthplace, time, sex)
        ``stock``, persons, at mid-year: ``time`` is 1990.5. Labels are location codes, with
        ``country_name``, ``birthplace_name`` and ``data_type`` (country) beside them. The file
        has no row for a pair without a figure: NaN, as are cells ``..``.

    Raises
    ------
    SchemaError
        As for :func:`read_migrant_stock_by_age`.
    ImportError
        Without openpyxl.

    References
    ----------
    UN, Department of Economic and Social Affairs, Population Division (2020, 2024),
    *International Migrant Stock*.

    Examples
    --------
    >>> import migproj as mp, openpyxl, pathlib, tempfile
    >>> book = openpyxl.Workbook()
    >>> book.active.title = "Table 1"
    >>> for row in [
    ...     [None] * 6 + ["both sexes", None, "male", None, "female", None],
    ...     ["Region, development group, country or area of destination", "Notes of destination",
    ...      "Location code of destination", "Type of data of destination",
    ...      "Region, development group, country or area of origin", "Location code of origin"]
    ...     + [1990, 2024] * 3,
    ...     ["Argentina", None, 32, "B R", "Bolivia*", 68, 30, 50, 10, 20, 20, 30],
    ... ]:
    ...     book.active.append(row)
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "stock.xlsx"
    >>> book.save(file)
    >>> stock = mp.io.read_migrant_stock_by_origin(file)
    >>> stock.sel(country=32, birthplace=68, sex="male").to_series().to_dict()
    {1990.5: 10.0, 2024.5: 20.0}
    """
    file = Path(path)
    to, origin = "location code of destination", "location code of origin"
    table = _Table.of(file, "read_migrant_stock_by_origin", sheet, (to, origin))
    figures = [figure for figure in table.figures() if re.fullmatch(r"\d{4}", figure[2])]
    columns = [(key, sex, int(year) + 0.5) for key, sex, year in figures]
    check_found("years", years, [int(time) for _, _, time in columns], file.name)
    chosen = as_list(years)
    columns = [column for column in columns if chosen is None or int(column[2]) in chosen]
    frame = table.rows(to)
    frame[to], frame[origin] = whole(frame[to], file.name), whole(frame[origin], file.name)
    group = frame[to] >= _AGGREGATES
    born = (frame[origin] >= _AGGREGATES) & (frame[origin] != _OTHERS)
    left_out = 0 if aggregates else len(set(frame[to][group]) | set(frame[origin][born]))
    frame = frame if aggregates else frame[~group & ~born]
    check_found("countries", countries, list(frame[to]), file.name)
    check_found("birthplaces", birthplaces, list(frame[origin]), file.name)
    frame = frame[wanted(frame, [to], countries) & wanted(frame, [origin], birthplaces)]
    rows = {"country": frame[to], "birthplace": frame[origin]}
    array = _stock(frame, rows, columns, file)
    place, born_in = table.column("area of destination"), table.column("area of origin")
    kind = table.column(*_KIND)
    return array.assign_coords(
        country_name=_along(array, ("country",), rows, _names(frame[place])),
        birthplace_name=_along(array, ("birthplace",), rows, _names(frame[born_in])),
        data_type=_along(array, ("country",), rows, _texts(frame[kind])),
    ).assign_attrs(aggregates_left_out=left_out)


def _columns_of_ages(table: _Table, file: Path) -> list[tuple[str, str, Any]]:
    """Columns with women and with men of each age group; the age is its printed label."""
    columns = [figure for figure in table.figures() if _AGE.fullmatch(figure[2])]
    women, men = ([age for _, sex, age in columns if sex == each] for each in (FEMALE, MALE))
    if not women or women != men:
        raise SchemaError(
            f"{file.name}: expected columns of the same ages under males and under females, got "
            f"{first(men, 20)} and {first(women, 20)}"
        )
    return columns


def _stock(
    frame: pd.DataFrame,
    rows: Mapping[str, pd.Series[Any]],
    columns: Sequence[tuple[str, str, Any]],
    file: Path,
) -> xr.DataArray:
    """The figures of the columns (key, sex, label of time or age), with the labels of the rows."""
    check_rows(frame, file.name)
    across = "age" if "time" in rows else "time"
    long = pd.concat(
        pd.DataFrame(
            {
                **rows,
                "sex": sex,
                across: label,
                "stock": numbers(frame[key], file.name, missing=_MISSING, name=f"{sex} {label}"),
            }
        )
        for key, sex, label in columns
    )
    dims = [*rows, "time", "sex"] if across == "time" else [*rows, "sex", "age"]
    order = {dim: list(long[dim].unique()) for dim in dims if dim not in ("sex", "time")}
    arrays = cubes(
        long, dict(zip(dims, dims, strict=True)), ["stock"], file.name, order=order, gaps=True
    )
    return described(arrays["stock"], "stock", source=f"{_SOURCE}, {file.name}")


def _along(
    array: xr.DataArray,
    dims: tuple[str, ...],
    rows: Mapping[str, pd.Series[Any]],
    texts: np.ndarray[Any, Any],
) -> tuple[tuple[str, ...], np.ndarray[Any, Any]]:
    """Texts of the rows along their labels."""
    cells = np.full([array.sizes[dim] for dim in dims], "", dtype=object)
    cells[tuple(array.indexes[dim].get_indexer(rows[dim]) for dim in dims)] = texts
    return dims, cells


class _Table:
    """A sheet: what stands over each column, and the rows below."""

    def __init__(
        self, row: tuple[Any, ...], above: list[tuple[Any, ...]], frame: pd.DataFrame
    ) -> None:
        heads = [_head(cell) for cell in row]
        #: A name for each column: its head, with its number where others have that too.
        self.keys = [
            head if head and heads.count(head) == 1 else f"{head}#{position}"
            for position, head in enumerate(heads)
        ]
        self.heads = heads
        self.sexes = _sexes_of(above, heads)
        self.frame = frame.set_axis(self.keys, axis=1)

    @classmethod
    def of(cls, file: Path, reader: str, sheet: str, marks: tuple[str, str]) -> _Table:
        """The table whose row of heads has both of `marks`."""
        with _sheet(file, reader, sheet) as rows:
            above: list[tuple[Any, ...]] = []
            for row in itertools.islice(rows, _HEAD):
                if set(marks) <= {_head(cell) for cell in row}:
                    wide = len(row)
                    padded = [[*each, *[None] * wide][:wide] for each in rows]
                    frame = pd.DataFrame(padded, columns=range(wide), dtype=object)
                    frame.index += len(above) + 2  # the number of the row in the sheet
                    return cls(row, above, frame.dropna(how="all"))
                above.append(row)
        raise wrong_file(
            file, reader, f"a row of heads with {list(marks)} in sheet {sheet!r}", "none"
        )

    def rows(self, code: str) -> pd.DataFrame:
        """The rows but those of notes, which have neither a code nor figures."""
        figures = self.frame[[key for key, _, _ in self.figures()]]
        return self.frame[self.frame[code].notna() | figures.notna().any(axis=1)].copy()

    def figures(self) -> list[tuple[str, str, str]]:
        """Columns of women or of men: key, sex, and head."""
        each = zip(self.keys, self.sexes, self.heads, strict=True)
        return [(key, sex, head) for key, sex, head in each if sex in (FEMALE, MALE)]

    def column(self, *words: str) -> str:
        """The first column whose head has the first of these words that one has."""
        found = [key for word in words for key in self.keys if word in key]
        if not found:
            raise SchemaError(
                f"expected a column '... {words[0]} ...', got {first(filter(None, self.heads), 20)}"
            )
        return found[0]


@contextmanager
def _sheet(file: Path, reader: str, name: str) -> Iterator[Iterator[tuple[Any, ...]]]:
    openpyxl = require("openpyxl", f"mp.io.{reader}")
    wrong = (zipfile.BadZipFile, KeyError, openpyxl.utils.exceptions.InvalidFileException)
    try:
        book = openpyxl.load_workbook(file, read_only=True, data_only=True)
    except wrong as error:
        raise wrong_file(file, reader, "a workbook (.xlsx)", "another file") from error
    try:
        if name not in book.sheetnames:
            raise SchemaError(f"{file.name}: sheet: no {name!r}; it has {book.sheetnames}")
        table = book[name]
        table.reset_dimensions()  # which some programs write wrong
        yield table.iter_rows(values_only=True)
    finally:
        book.close()


def _head(cell: Any) -> str:
    """What stands over a column, in small letters and without the blanks around it."""
    if cell is None:
        return ""
    number = isinstance(cell, float) and cell.is_integer()
    return re.sub(r"\s+", " ", str(int(cell) if number else cell)).strip().lower()


def _sexes_of(above: Sequence[tuple[Any, ...]], heads: Sequence[str]) -> list[str]:
    """The sex of each column: what the banner above names, which stands over the first of a block.

    Without such a banner heads that come three times are of both sexes, males and females.
    """
    for banner in reversed(above):
        cells = [_head(cell) for cell in banner]
        named = [next((sex for sex, word in _SEXES if word in cell), "") for cell in cells]
        if len(set(filter(None, named))) > 1:
            padded = pd.Series([*named, *[""] * len(heads)][: len(heads)], dtype="object")
            return list(padded.where(padded != "").ffill().fillna(""))
    order = ("total", MALE, FEMALE)
    return [
        order[heads[:position].count(head)] if head and heads.count(head) == 3 else ""
        for position, head in enumerate(heads)
    ]


def _texts(column: pd.Series[Any]) -> np.ndarray[Any, Any]:
    return column.fillna("").astype("str").str.strip().to_numpy(dtype=object)


def _names(column: pd.Series[Any]) -> np.ndarray[Any, Any]:
    """Names of places without the asterisk of a note."""
    return np.array([text.rstrip("*").rstrip() for text in _texts(column)], dtype=object)
