"""Excel workbooks with one sheet a table."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import xarray as xr

from migproj.ages import groups_of
from migproj.conventions import VARIABLES
from migproj.errors import SchemaError
from migproj.io._files import PathLike, first, require
from migproj.io.tidy import as_dataset

__all__ = ["write_excel"]

_LONGEST: Final = 31
_FORBIDDEN: Final = re.compile(r"[\[\]:*?/\\]")
_ROWS: Final = 1_048_576
_COLUMNS: Final = 16_384
#: Dims whose labels stand side by side, the first that an array has.
_ACROSS: Final = ("sex", "variant", "quantile", "estimator")


def write_excel(
    tables: xr.Dataset | xr.DataArray | Mapping[str, xr.Dataset | xr.DataArray], path: PathLike
) -> Path:
    """Write tables into an Excel workbook, one sheet a table.

    Parameters
    ----------
    tables : Dataset, DataArray, or mapping of names to them
        Each variable of a Dataset is a sheet; in a mapping an array's sheet has the name given,
        and those of a Dataset with several variables the name and that of the variable. As
        Excel does not tell ``lx`` from ``Lx``, the sheet of the second is ``Lx (2)``.
    path : str or path
        The ``.xlsx`` file; an existing one is replaced. Needs the extra ``io``.

    Returns
    -------
    pathlib.Path
        The file. A sheet starts with the meaning and the units; then labels stand down the
        sheet, one column a dim (ages as printed groups, with the lower bound beside), and sexes
        (or variants) side by side. What is missing is a blank cell.

    Raises
    ------
    SchemaError
        If a name is not one of a sheet (of 31 characters, without brackets, colon, slashes, * and
        ?), two are the same, or a table has more rows or columns than a sheet.
    FileNotFoundError
        If there is no such folder.
    ImportError
        Without openpyxl.

    Examples
    --------
    >>> import migproj as mp, openpyxl, pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "bombay.xlsx"
    >>> _ = mp.io.write_excel(mp.datasets.load("bombay_1941"), file)
    >>> sheet = openpyxl.load_workbook(file)["population"]
    >>> [[cell.value for cell in row] for row in sheet["A1:C5"]][3:]
    [['age', 'age_group', 'male'], [0, '0-4', 77135]]
    """
    openpyxl = require("openpyxl", "mp.io.write_excel")
    file = Path(path)
    if not file.parent.is_dir():
        raise FileNotFoundError(f"path: there is no folder {file.parent}; make it first")
    sheets = _sheets(tables)
    book = openpyxl.Workbook(write_only=True)
    for name, array in sheets.items():
        sheet = book.create_sheet(name)
        known = VARIABLES.get(str(array.name))
        units, meaning = (str(array.attrs.get(key, "")) for key in ("units", "long_name"))
        sheet.append([meaning or (known.meaning if known else str(array.name))])
        sheet.append([units])
        sheet.append([])
        for row in _rows(array, name):
            sheet.append(row)
    book.save(file)
    return file


def _sheets(tables: Any) -> dict[str, xr.DataArray]:
    given = tables if isinstance(tables, Mapping) and not isinstance(tables, xr.Dataset) else None
    if given is None:
        given = _told_apart(as_dataset(tables, "write_excel"))
    if not given:
        raise SchemaError("tables: expected one table or more, got none")
    pairs: list[tuple[str, xr.DataArray]] = []
    for name, table in given.items():
        if isinstance(table, xr.DataArray):
            pairs.append((str(name), table))
            continue
        variables = _told_apart(as_dataset(table, "write_excel"))
        alone = len(variables) == 1
        pairs += [(str(name) if alone else f"{name} {key}", v) for key, v in variables.items()]
    names = [name for name, _ in pairs]
    odd = [name for name in names if not 0 < len(name) <= _LONGEST or _FORBIDDEN.search(name)]
    twice = [name for name in names if [n.lower() for n in names].count(name.lower()) > 1]
    if odd or twice:
        fault = f"of 1 to {_LONGEST} characters without []:*?/\\" if odd else "that differ"
        raise SchemaError(
            f"tables: expected names of sheets {fault}, got {first(odd or twice)}; name them in a "
            "mapping: mp.io.write_excel({'name': table}, path)"
        )
    for name, array in pairs:  # before anything is written
        _check_size(array, name)
    return dict(pairs)


def _told_apart(table: xr.Dataset) -> dict[str, xr.DataArray]:
    """Variables by names that differ by more than the case of letters, which sheets ignore."""
    named: dict[str, xr.DataArray] = {}
    for name, array in table.data_vars.items():
        before = [str(other).lower() for other in table.data_vars][: len(named)]
        same = before.count(str(name).lower())
        named[f"{name} ({same + 1})" if same else str(name)] = array
    return named


def _shape(array: xr.DataArray) -> tuple[str | None, list[str], int, int]:
    """The dim that stands across, if any, those down, and the numbers of rows and columns."""
    across = next((dim for dim in _ACROSS if dim in array.dims), None)
    down = [str(dim) for dim in array.dims if dim != across]
    size = array.sizes[across] if across else 1
    return across, down, array.size // size if size else 0, size


def _check_size(array: xr.DataArray, name: str) -> None:
    _, down, rows, size = _shape(array)
    if rows + 4 > _ROWS or size + 2 * len(down) > _COLUMNS:
        raise SchemaError(
            f"{name}: {rows} rows and {size} columns are more than a sheet takes ({_ROWS} and "
            f"{_COLUMNS}); select a part, or use mp.io.write_tidy or write_netcdf"
        )


def _rows(array: xr.DataArray, name: str) -> list[list[Any]]:
    """The heads and the rows of a sheet."""
    across, down, rows, size = _shape(array)
    figures = array.transpose(*down, *([across] if across else [])).values.reshape(rows, size)
    at = np.indices([array.sizes[dim] for dim in down]).reshape(len(down), rows)
    heads: list[Any] = []
    columns: list[list[Any]] = []
    for dim, positions in zip(down, at, strict=True):
        labels = [_cell(label) for label in array[dim].values]
        heads.append(dim)
        columns.append([labels[k] for k in positions])
        if f"{dim}_width" in array.coords and dim != "period":
            groups = groups_of(array, name, dim=dim).labels
            heads.append(f"{dim}_group")
            columns.append([groups[k] for k in positions])
    values = ["value" if array.name is None else str(array.name)]
    heads += [_cell(label) for label in array[across].values] if across else values
    body = [
        [*(column[k] for column in columns), *(_cell(figure) for figure in figures[k])]
        for k in range(rows)
    ]
    return [heads, *body]


def _cell(value: Any) -> Any:
    """A number, a text or a date as a cell; nothing where it is missing."""
    if isinstance(value, np.datetime64):
        return value.astype("datetime64[D]").astype(object)
    plain = value.item() if hasattr(value, "item") else value
    if isinstance(plain, float) and not np.isfinite(plain):
        return None if np.isnan(plain) else str(plain)
    return plain
