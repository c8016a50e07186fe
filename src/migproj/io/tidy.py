"""Tidy tables, one row a figure, as CSV or Parquet."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import xarray as xr

from migproj._choices import check_choice
from migproj.ages import age_coords, groups_of
from migproj.conventions import DIMS, VARIABLES
from migproj.errors import SchemaError
from migproj.io._cubes import check_rows, cubes
from migproj.io._files import PathLike, chunks, columns_of, first, numbers, require

__all__ = ["read_tidy", "tidy", "write_tidy"]

_AGES: Final = ("age", "mother_age", "age_from", "duration")
_LAST: Final = ["value", "units"]
#: Dims whose labels ascend; those of others stand in the order of the file.
_ASCENDING: Final = (*_AGES, "time", "period", "draw", "quantile")


def as_dataset(table: xr.Dataset | xr.DataArray, writer: str) -> xr.Dataset:
    """A Dataset of what is written; an array needs a name."""
    if isinstance(table, xr.DataArray):
        if table.name is None:
            raise SchemaError(
                f"table: mp.io.{writer} needs a name for the array: table.rename('population')"
            )
        return table.to_dataset()
    if not isinstance(table, xr.Dataset):
        raise SchemaError(
            f"table: expected an xarray.Dataset or DataArray, got {type(table).__name__}"
        )
    if not table.data_vars:
        raise SchemaError("table: expected a Dataset with variables, got none")
    return table


def tidy(table: xr.Dataset | xr.DataArray, *, missing: str = "keep") -> pd.DataFrame:
    """A table with one row for each figure.

    Parameters
    ----------
    table : Dataset or DataArray
        Variables of numbers, over any dims.
    missing : {"keep", "drop"}, default "keep"
        Whether figures that are missing (NaN) have a row.

    Returns
    -------
    pandas.DataFrame
        Columns: ``variable``; each dim and each scalar coordinate that is a dim of
        ``migproj.conventions.DIMS``; ``age_group`` with the printed group beside ``age`` (and
        likewise for other dims of ages); ``period_width``; ``value``; ``units``. Dims that a
        variable lacks are blank in its rows.

    Raises
    ------
    SchemaError
        If a variable is not of numbers.

    Examples
    --------
    >>> import migproj as mp
    >>> round_ = mp.datasets.load("bombay_1941")
    >>> mp.io.tidy(round_).iloc[0][["variable", "sex", "age_group", "units"]].to_list()
    ['population', 'male', '0-4', 'persons']
    """
    check_choice("missing", missing, ("keep", "drop"))
    data = as_dataset(table, "tidy")
    scalars = [name for name, coord in data.coords.items() if name in DIMS and coord.ndim == 0]
    keys = [*map(str, data.dims), *map(str, scalars)]
    parts = [
        _rows(str(name), array, missing).assign(
            **{str(scalar): array.coords[scalar].item() for scalar in scalars}
        )
        for name, array in data.data_vars.items()
    ]
    both = pd.concat(parts, ignore_index=True)
    for dim in _AGES:
        if dim in data.coords:
            group = groups_of(data, "table", dim=dim)
            both[f"{dim}_group"] = both[dim].map(dict(zip(group.lower, group.labels, strict=True)))
    if "period_width" in data.coords:
        both["period_width"] = _width_of(data["period_width"], both)
    for key in keys:
        # Whole, also where variables without this dim have none.
        if key in both and key in data.coords and data[key].dtype.kind in "iu":
            both[key] = both[key].astype("Int64")
    extra = [name for name in both if name not in ("variable", *keys, *_LAST)]
    return both[["variable", *(key for key in keys if key in both), *extra, *_LAST]]


def _width_of(width: xr.DataArray, rows: pd.DataFrame) -> Any:
    """The width of the period of each row, also where it differs by country."""
    if width.ndim == 0:
        return width.item()
    dims = [str(dim) for dim in width.dims]
    known = width.drop_vars([name for name in width.coords if name not in width.dims])
    each = known.rename("period_width").to_series().reset_index()
    labels = rows.reindex(columns=dims)
    return labels.merge(each.astype(labels.dtypes), on=dims, how="left")["period_width"].to_numpy()


def _rows(name: str, array: xr.DataArray, missing: str) -> pd.DataFrame:
    if not np.issubdtype(array.dtype, np.number) and array.dtype != bool:
        raise SchemaError(
            f"table: variable {name!r}: expected numbers, got {array.dtype}; leave it out: "
            f"table.drop_vars({name!r})"
        )
    plain = array.drop_vars([coord for coord in array.coords if coord not in array.dims])
    if plain.ndim == 0:
        frame = pd.DataFrame({"value": [float(plain)]})
    else:
        frame = plain.rename("value").to_series().reset_index()
    if missing == "drop":
        frame = frame.dropna(subset="value")
    return frame.assign(variable=name, units=array.attrs.get("units", ""))


def write_tidy(table: xr.Dataset | xr.DataArray, path: PathLike, *, missing: str = "keep") -> Path:
    """Write a tidy table, one row a figure, as CSV or Parquet.

    Parameters
    ----------
    table : Dataset or DataArray
        Variables of numbers, over any dims.
    path : str or path
        ``.csv``, ``.csv.gz`` or ``.parquet`` (which needs pyarrow, in the extra ``io``).
    missing : {"keep", "drop"}, default "keep"
        Whether figures that are missing (NaN) have a row.

    Returns
    -------
    pathlib.Path
        The file. Its columns are those of :func:`tidy`; :func:`read_tidy` reads it back.

    Raises
    ------
    SchemaError
        If a variable is not of numbers, or the name of the file ends otherwise.
    ImportError
        Without pyarrow, for Parquet.

    Examples
    --------
    >>> import migproj as mp, pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "bombay.csv"
    >>> _ = mp.io.write_tidy(mp.datasets.load("bombay_1941"), file)
    >>> print(file.read_text().splitlines()[1])
    population,male,0,1941.0,0-4,77135.0,persons
    """
    file = Path(path)
    kind = _kind(file)
    frame = tidy(table, missing=missing)
    if kind == "parquet":
        require("pyarrow", "mp.io.write_tidy of .parquet")
        frame.to_parquet(file, index=False, engine="pyarrow")
    else:
        frame.to_csv(file, index=False)
    return file


def read_tidy(path: PathLike) -> xr.Dataset:
    """Read a tidy table that :func:`write_tidy` wrote, or one made in the same form.

    Parameters
    ----------
    path : str or path
        ``.csv``, ``.csv.gz`` or ``.parquet``, with the columns ``variable``, ``value``,
        ``units`` and one for each dim; ``age`` has ``age_group`` beside it.

    Returns
    -------
    Dataset
        The variables, each over the dims that its rows fill, with ``units``. Ages, times and
        draws ascend; other labels stand in the order of the file. Cells without a row are NaN. A
        scalar coordinate comes back as a dim of length 1.

    Raises
    ------
    SchemaError
        If the file has another layout (the message names its reader), a cell is no number, a row
        comes twice, or the age groups leave gaps.
    ImportError
        Without pyarrow, for Parquet.

    Examples
    --------
    >>> import migproj as mp, pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "bombay.csv"
    >>> _ = mp.io.write_tidy(mp.datasets.load("bombay_1941"), file)
    >>> mp.io.read_tidy(file)["population"].sel(time=1941, sex="male", age=0).item()
    77135.0
    """
    file = Path(path)
    frame = _frame(file)
    check_rows(frame, file.name)
    groups = [f"{dim}_group" for dim in _AGES if f"{dim}_group" in frame]
    keys = [key for key in frame if key not in ("variable", *_LAST, *groups, "period_width")]
    frame["value"] = numbers(frame["value"], file.name)
    result = xr.Dataset()
    for name, rows in frame.groupby("variable", sort=False):
        dims = [str(key) for key in keys if rows[key].notna().any()]
        blank = rows[dims].isna().any(axis=1)
        if blank.any():
            raise SchemaError(
                f"{file.name}: variable {name!r}: expected labels in the columns {dims}, got "
                f"{int(blank.sum())} blank of {len(rows)} rows: {first(rows.index[blank])}"
            )
        order = {dim: list(rows[dim].unique()) for dim in dims if dim not in _ASCENDING}
        array = cubes(
            rows, dict(zip(dims, dims, strict=True)), ["value"], file.name, order=order, gaps=True
        )["value"]
        array.attrs = _meaning(str(name), rows["units"])
        result = result.merge({str(name): array}, join="outer")
    return result.assign_coords(_widths(frame, result))


def _kind(file: Path) -> str:
    if file.suffix == ".parquet":
        return "parquet"
    if file.name.endswith((".csv", ".csv.gz")):
        return "csv"
    raise SchemaError(f"path: expected a name in .csv, .csv.gz or .parquet, got {file.name!r}")


def _frame(file: Path) -> pd.DataFrame:
    if _kind(file) == "parquet":
        require("pyarrow", "mp.io.read_tidy of .parquet")
        try:
            return pd.read_parquet(file, engine="pyarrow")
        except ValueError as error:  # pyarrow's ArrowInvalid is one
            raise SchemaError(f"{file.name}: is no Parquet file: {error}; write it again") from None
    have = columns_of(file)
    text = [name for name in have if name not in (*_ASCENDING, "value", "period_width")]
    parts = chunks(file, "read_tidy", ["variable", *_LAST], optional=have, text=text)
    frame = pd.concat(parts)
    groups = [f"{dim}_group" for dim in _AGES]
    labels = [name for name in text if name not in ("variable", "units", *groups)]
    return frame.assign(**{name: _as_written(frame[name]) for name in labels})


def _as_written(column: pd.Series[Any]) -> pd.Series[Any]:
    """Labels as numbers where these would be written so, else as text: 32 is one, 032 is not."""
    labels = column.dropna().unique().tolist()
    for kind in (int, float):
        try:
            known: dict[Any, Any] = {label: kind(label) for label in labels}
        except ValueError:
            continue
        if all(str(number) == label for label, number in known.items()):
            read = [known.get(label) for label in column]
            return pd.Series(read, index=column.index, dtype=object)
    return column


def _meaning(name: str, units: pd.Series[Any]) -> dict[str, str]:
    known = {"units": str(units.iloc[0])} if units.notna().any() else {}
    if name in VARIABLES:
        known["long_name"] = VARIABLES[name].meaning
    return known


def _widths(frame: pd.DataFrame, table: xr.Dataset) -> dict[str, Any]:
    coords: dict[str, Any] = {}
    for dim in _AGES:
        if dim in table.dims and f"{dim}_group" in frame:
            each = frame[[dim, f"{dim}_group"]].dropna().drop_duplicates().sort_values(dim)
            groups = age_coords(list(each[f"{dim}_group"].astype("str")))
            coords[dim] = (dim, groups["age"].values)
            coords[f"{dim}_width"] = (dim, groups["age_width"].values)
    if "period" in table.dims and "period_width" in frame:
        coords["period_width"] = _period_widths(frame, table)
    return coords


def _period_widths(frame: pd.DataFrame, table: xr.Dataset) -> tuple[list[str], Any]:
    """Widths by period, or by another dim too where one period has several."""
    others = [str(dim) for dim in table.dims if dim != "period" and dim in frame]
    for dims in (["period"], *([dim, "period"] for dim in others)):
        each = frame[[*dims, "period_width"]].dropna().drop_duplicates()
        if not each.duplicated(dims).any():
            width = each.set_index(dims)["period_width"].to_xarray()
            width = width.reindex({dim: table[dim].values for dim in dims})
            return dims, width.transpose(*dims).values.astype(np.float64)
    raise SchemaError(
        "period_width: expected one for each period, or for each period and label of another dim, "
        f"got several for {first(sorted(frame['period'].dropna().unique()))}"
    )
