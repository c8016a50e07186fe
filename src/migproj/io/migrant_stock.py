"""Workbooks of the UN International Migrant Stock, 2020 and 2024."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import xarray as xr

from migproj.ages import age_coords
from migproj.conventions import FEMALE, MALE
from migproj.errors import SchemaError
from migproj.io._cubes import check_found, check_rows, cubes, described, wanted
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
        country of birth, C by citizenship, R with refugees added, I imputed. Cells ``..`` are
        NaN. There are no birthplaces in this table.

    Raises
    ------
    SchemaError
        If the workbook has another layout (the message names its reader), a cell is no number, a
        row comes twice, or something asked for is not in it.
    ImportError
        Without openpyxl.

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
    reader = "read_migrant_stock_by_age"
    file = Path(path)
    table = _Table.of(file, reader, sheet, ("year", "location code"), ("location code of origin",))
    ages = [key for key, head in table.figures() if _AGE.fullmatch(head.strip())]
    by_sex = {sex: [k for k in ages if table.sexes[k] == sex] for sex in (FEMALE, MALE)}
    labels = [table.heads[key].strip() for key in by_sex[FEMALE]]
    if not labels or labels != [table.heads[key].strip() for key in by_sex[MALE]]:
        raise SchemaError(
            f"{file.name}: sheet {sheet!r}: expected columns of the same ages under males and under "
            f"females, got {first(labels, 20)}"
        )
    frame = table.frame(file)
    code, place, year = "location code", table.column("country or area"), "year"
    frame[code], frame[year] = whole(frame[code], file.name), whole(frame[year], file.name)
    left_out = 0 if aggregates else frame.loc[frame[code] >= _AGGREGATES, code].nunique()
    frame = frame if aggregates else frame[frame[code] < _AGGREGATES]
    check_found("countries", countries, list(frame[code]), file.name)
    check_found("years", years, list(frame[year]), file.name)
    frame = frame[wanted(frame, [code], countries) & wanted(frame, [year], years)]
    check_rows(frame, file.name)
    long = pd.concat(
        pd.DataFrame(
            {
                "country": frame[code],
                "time": frame[year] + 0.5,
                "sex": sex,
                "age": age,
                "stock": numbers(frame[key], file.name, missing=_MISSING, name=label),
            }
        )
        for sex in (FEMALE, MALE)
        for age, (key, label) in enumerate(zip(by_sex[sex], labels, strict=True))
    )
    dims = ("country", "time", "sex", "age")
    order = {"country": list(frame[code].unique())}
    stock = cubes(long, dict(zip(dims, dims, strict=True)), ["stock"], file.name, order=order)
    array = stock["stock"].assign_coords(age_coords(labels))
    kinds = pd.Series(_texts(frame, table, "type of data"), index=[frame[code], frame[year] + 0.5])
    table_of_kinds = kinds.unstack(sort=False).reindex(array["country"].values)
    ordered = table_of_kinds[list(array["time"].values)].fillna("")
    return described(
        array.assign_coords(
            country_name=("country", _names(frame, code, place)),
            data_type=(("country", "time"), ordered.to_numpy(dtype=object)),
        ),
        "stock",
        source=f"{_SOURCE}, {file.name}",
        aggregates_left_out=left_out,
    )


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
    reader = "read_migrant_stock_by_origin"
    file = Path(path)
    to, origin = "location code of destination", "location code of origin"
    table = _Table.of(file, reader, sheet, (to, origin), ())
    figures = [
        (key, int(head)) for key, head in table.figures() if re.fullmatch(r"\d{4}", head.strip())
    ]
    figures = [(key, year) for key, year in figures if table.sexes[key] in (FEMALE, MALE)]
    check_found("years", years, [year for _, year in figures], file.name)
    frame = table.frame(file)
    frame[to], frame[origin] = whole(frame[to], file.name), whole(frame[origin], file.name)
    group = frame[to] >= _AGGREGATES
    born = (frame[origin] >= _AGGREGATES) & (frame[origin] != _OTHERS)
    left_out = len(set(frame[to][group]) | set(frame[origin][born])) if not aggregates else 0
    frame = frame if aggregates else frame[~group & ~born]
    check_found("countries", countries, list(frame[to]), file.name)
    check_found("birthplaces", birthplaces, list(frame[origin]), file.name)
    frame = frame[wanted(frame, [to], countries) & wanted(frame, [origin], birthplaces)]
    check_rows(frame, file.name)
    long = pd.concat(
        pd.DataFrame(
            {
                "country": frame[to],
                "birthplace": frame[origin],
                "time": year + 0.5,
                "sex": table.sexes[key],
                "stock": numbers(frame[key], file.name, missing=_MISSING, name=str(year)),
            }
        )
        for key, year in figures
        if years is None or year in years
    )
    dims = ("country", "birthplace", "time", "sex")
    order = {"country": list(frame[to].unique()), "birthplace": list(frame[origin].unique())}
    stock = cubes(
        long, dict(zip(dims, dims, strict=True)), ["stock"], file.name, order=order, gaps=True
    )
    kinds = pd.Series(_texts(frame, table, "type of data"), index=frame[to])
    kinds = kinds[~kinds.index.duplicated()]
    return described(
        stock["stock"].assign_coords(
            country_name=("country", _names(frame, to, table.column("area of destination"))),
            birthplace_name=("birthplace", _names(frame, origin, table.column("area of origin"))),
            data_type=("country", kinds[order["country"]].to_numpy(dtype=object)),
        ),
        "stock",
        source=f"{_SOURCE}, {file.name}",
        aggregates_left_out=left_out,
    )


class _Table:
    """A sheet: what stands over each column, and the rows below, read one by one."""

    def __init__(self, heads: dict[str, str], sexes: dict[str, str], rows: list[Any], top: int):
        self.heads = heads  # of each column, by its key
        self.sexes = sexes
        self.rows = rows
        self.top = top

    @classmethod
    def of(
        cls, file: Path, reader: str, sheet: str, marks: Sequence[str], without: Sequence[str]
    ) -> _Table:
        """The table whose row of heads has all of `marks` and none of `without`."""
        with _sheet(file, reader, sheet) as rows:
            above: list[tuple[Any, ...]] = []
            for top, row in enumerate(rows, 1):
                heads = [_head(cell) for cell in row]
                if all(mark in heads for mark in marks) and not set(without) & set(heads):
                    keys = _keys(heads)
                    texts = {key: str(cell) for key, cell in zip(keys, row, strict=True) if key}
                    sexes = dict(zip(keys, _sexes_of(above, row), strict=True))
                    return cls(texts, sexes, [list(rest) for rest in rows], top)
                above.append(row)
                if top == _HEAD:
                    break
        raise wrong_file(
            file, reader, f"a row of heads with {list(marks)} in sheet {sheet!r}", "none"
        )

    def figures(self) -> list[tuple[str, str]]:
        """Columns under a sex, and their heads."""
        return [(key, head) for key, head in self.heads.items() if self.sexes[key]]

    def column(self, words: str) -> str:
        """The first column whose head has these words."""
        return next(key for key in self.heads if words in key)

    def frame(self, file: Path) -> pd.DataFrame:
        """Rows that are not empty, by number of the row in the sheet."""
        width = max(len(row) for row in self.rows) if self.rows else 0
        padded = [[*row, *[None] * (width - len(row))] for row in self.rows]
        frame = pd.DataFrame(padded, dtype=object)
        frame.index += self.top + 1
        keys = list(self.sexes)
        frame = frame.iloc[:, : len(keys)].set_axis(keys, axis=1).dropna(how="all")
        check_rows(frame, file.name)
        return frame


@contextmanager
def _sheet(file: Path, reader: str, name: str) -> Iterator[Iterator[tuple[Any, ...]]]:
    openpyxl = require("openpyxl", f"mp.io.{reader}")
    try:
        book = openpyxl.load_workbook(file, read_only=True, data_only=True)
    except (openpyxl.utils.exceptions.InvalidFileException, OSError, KeyError) as error:
        if isinstance(error, FileNotFoundError):
            raise
        raise wrong_file(file, reader, "a workbook (.xlsx)", "another file") from error
    except Exception as error:  # zipfile.BadZipFile of whatever is named .xlsx
        raise wrong_file(file, reader, "a workbook (.xlsx)", "another file") from error
    try:
        if name not in book.sheetnames:
            raise SchemaError(f"{file.name}: sheet: no {name!r}; it has {book.sheetnames}")
        yield book[name].iter_rows(values_only=True)
    finally:
        book.close()


def _head(cell: Any) -> str:
    return re.sub(r"\s+", " ", str(cell)).strip().lower() if cell is not None else ""


def _keys(heads: Sequence[str]) -> list[str]:
    """One name a column: its head, with the number of the column where that is not unique."""
    return [
        head if head and heads.count(head) == 1 else f"{head}#{position}"
        for position, head in enumerate(heads)
    ]


def _sexes_of(above: Sequence[tuple[Any, ...]], row: tuple[Any, ...]) -> list[str]:
    """The sex that the banner over each column names; it stands over the first of a block."""
    found = ["" for _ in row]
    for banner in above:
        current = ""
        for position, cell in enumerate(banner[: len(row)]):
            text = _head(cell)
            named = next((sex for sex, word in _SEXES if word in text), "")
            current = named or current
            if current and position and len(text) < 200:
                found[position] = current
        if len({sex for sex in found if sex}) >= 2:
            return found
    return found


def _texts(frame: pd.DataFrame, table: _Table, words: str) -> np.ndarray[Any, Any]:
    key = next((key for key in table.heads if words in key), None)
    if key is None:
        return np.full(len(frame), "", object)
    return frame[key].fillna("").astype("str").str.strip().to_numpy(dtype=object)


def _names(frame: pd.DataFrame, code: str, place: str) -> np.ndarray[Any, Any]:
    """Names of the places in the order of their codes; the file marks notes by an asterisk."""
    each = frame.drop_duplicates(code)[place].fillna("").astype("str")
    return each.str.strip().str.rstrip("*").str.strip().to_numpy(dtype=object)
