"""NetCDF and Zarr with metadata in the form of the CF conventions."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import xarray as xr

from migproj.conventions import DIMS, VARIABLES
from migproj.io._files import PathLike, require
from migproj.io.tidy import as_dataset

__all__ = ["write_netcdf", "write_zarr"]

_CONVENTIONS: Final = "CF-1.8"
_YEARS: Final = ("age", "mother_age", "age_from", "duration", "time", "period")
_DECIMAL: Final = "decimal year: year + (day of year - 1) / days in the year"
_DATES: Final = {
    "units": "days since 1900-01-01",
    "calendar": "proleptic_gregorian",
    "dtype": "float64",
}


def write_netcdf(table: xr.Dataset | xr.DataArray, path: PathLike) -> Path:
    """Write a Dataset as NetCDF, with CF-style metadata.

    Parameters
    ----------
    table : Dataset or DataArray
        Any variables; lazy ones are computed chunk by chunk.
    path : str or path
        The file; an existing one is replaced. Needs the extra ``io``.

    Returns
    -------
    pathlib.Path
        The file, to be read with ``xarray.open_dataset(path)``. Variables have ``units`` and
        ``long_name`` (their own, else those of ``migproj.conventions.VARIABLES``), so have
        the dims and the widths of groups; decimal years say so in a ``comment``; dates are days
        since 1900 with their ``calendar``; numbers are compressed.

    Raises
    ------
    SchemaError
        If `table` is no Dataset and no array with a name.
    ImportError
        Without h5netcdf.

    Examples
    --------
    >>> import migproj as mp, pathlib, tempfile, xarray as xr
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "bombay.nc"
    >>> _ = mp.io.write_netcdf(mp.datasets.load("bombay_1941"), file)
    >>> with xr.open_dataset(file) as table:
    ...     print(table["age_width"].attrs["units"], table["population"].attrs["units"])
    years persons
    """
    require("h5netcdf", "mp.io.write_netcdf")
    file = Path(path)
    data, encoding = _described(as_dataset(table, "write_netcdf"))
    for name, array in data.data_vars.items():
        if array.ndim and np.issubdtype(array.dtype, np.number):
            encoding.setdefault(str(name), {}).update(zlib=True, complevel=4)
    data.to_netcdf(file, engine="h5netcdf", encoding=encoding)
    return file


def write_zarr(
    table: xr.Dataset | xr.DataArray, path: PathLike, *, overwrite: bool = False
) -> Path:
    """Write a Dataset as a Zarr store, with CF-style metadata.

    Parameters
    ----------
    table : Dataset or DataArray
        Any variables; lazy ones are written chunk by chunk.
    path : str or path
        The folder. Needs the extra ``io``.
    overwrite : bool, default False
        Whether an existing store is replaced; otherwise it is an error.

    Returns
    -------
    pathlib.Path
        The folder, to be read with ``xarray.open_zarr(path, consolidated=False)``, with the
        metadata of :func:`write_netcdf`.

    Raises
    ------
    SchemaError
        If `table` is no Dataset and no array with a name.
    FileExistsError
        If there is a store and `overwrite` is False.
    ImportError
        Without zarr.

    Examples
    --------
    >>> import migproj as mp, pathlib, tempfile, xarray as xr
    >>> folder = pathlib.Path(tempfile.mkdtemp()) / "bombay.zarr"
    >>> _ = mp.io.write_zarr(mp.datasets.load("bombay_1941"), folder)
    >>> with xr.open_zarr(folder, consolidated=False) as table:
    ...     print(float(table["population"].sel(sex="male", age=0).squeeze()))
    77135.0
    """
    require("zarr", "mp.io.write_zarr")
    folder = Path(path)
    if folder.exists() and not overwrite:
        raise FileExistsError(f"{folder} exists; pass overwrite=True to replace it")
    data, encoding = _described(as_dataset(table, "write_zarr"))
    data.to_zarr(folder, mode="w", consolidated=False, encoding=encoding)
    return folder


def _described(table: xr.Dataset) -> tuple[xr.Dataset, dict[str, dict[str, Any]]]:
    """A copy with units and meanings everywhere, and how dates are written."""
    data = table.copy()
    for name, array in table.variables.items():
        if array.dtype.kind == "U":  # Zarr 3 warns of strings of fixed length
            data[name] = array.astype(object)
    encoding: dict[str, dict[str, Any]] = {}
    for name, array in data.variables.items():
        known = _of_coordinate(str(name)) if name in data.coords else _of_variable(str(name))
        array.attrs = {**known, **{key: _plain(value) for key, value in array.attrs.items()}}
        array.encoding = {}
        if np.issubdtype(array.dtype, np.datetime64):
            for key in ("units", "calendar"):
                array.attrs.pop(key, None)
            encoding[str(name)] = dict(_DATES)
    data.attrs = {
        "Conventions": _CONVENTIONS,
        **{key: _plain(value) for key, value in data.attrs.items()},
    }
    return data, encoding


def _of_variable(name: str) -> dict[str, str]:
    if name not in VARIABLES:
        return {}
    return {"units": VARIABLES[name].units, "long_name": VARIABLES[name].meaning}


def _of_coordinate(name: str) -> dict[str, str]:
    if name.endswith("_width"):
        return {
            "units": "years",
            "long_name": f"width of the group of {name.removesuffix('_width')}",
        }
    known = {"long_name": DIMS[name]} if name in DIMS else {}
    if name in _YEARS:
        known["units"] = "years"
    if name in ("time", "period"):
        known["comment"] = _DECIMAL
    return known


def _plain(value: Any) -> Any:
    """What an attribute of a file can hold."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, str | int | float | np.number | np.ndarray):
        return value
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)
