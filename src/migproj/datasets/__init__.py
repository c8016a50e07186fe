"""Small published tables to learn and test with, each with its citation."""

from __future__ import annotations

import csv
import difflib
import tomllib
from functools import cache
from importlib.resources import files
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import xarray as xr

from migproj.ages import age_coords
from migproj.errors import SchemaError

__all__ = ["load", "names", "titles"]

_FOLDER: Final = files(__name__)
_INSTANTS: Final = ("time", "period")


def names() -> list[str]:
    """Names of the datasets.

    Returns
    -------
    list of str
        In alphabetical order, for :func:`load`.

    Examples
    --------
    >>> import migproj as mp
    >>> mp.datasets.names()[:2]
    ['alabama_1960', 'alabama_1960_1970']
    """
    return sorted(_index()["datasets"])


def titles() -> dict[str, str]:
    """Name and title of every dataset.

    Returns
    -------
    dict of str to str
        Titles by name, in the order of :func:`names`.

    Examples
    --------
    >>> import migproj as mp
    >>> mp.datasets.titles()["bombay_1941"]
    'Greater Bombay, males by age, census of 1941'
    """
    return {name: _index()["datasets"][name]["title"] for name in names()}


def load(name: str) -> xr.Dataset:
    """One packaged table, its figures as printed.

    Parameters
    ----------
    name : str
        One of :func:`names`. A census round (``bombay_1941``) is a dataset of its own, for two
        rounds rarely have the same age groups; what was printed about the interval between
        them is another (``bombay_1941_1951``).

    Returns
    -------
    Dataset
        Variables (float64) with ``units`` and ``long_name``; ``attrs`` with ``title``,
        ``source``, ``table``, ``licence``, ``units`` (of each variable), and ``notes`` and
        ``print_errors`` where there are any. A round has the scalar coordinate ``time``, an
        interval ``period`` and ``period_width``. What is not printed is missing
        (NaN).

    Raises
    ------
    SchemaError
        If there is no dataset of that name.

    Examples
    --------
    >>> import migproj as mp
    >>> bombay = mp.datasets.load("bombay_1941")
    >>> float(bombay["population"].sel(age=60).item())
    25094.0
    >>> bombay.attrs["table"]
    'table 24'
    """
    index = _index()
    if name not in index["datasets"]:
        close = difflib.get_close_matches(str(name), names())
        hint = f"Did you mean {close}? " if close else ""
        raise SchemaError(f"name: no dataset {name!r}. {hint}There are {names()}")
    entry = index["datasets"][name]
    with _FOLDER.joinpath(f"{name}.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    labels = {
        dim: list(dict.fromkeys(row[dim] for row in rows if row[dim]))
        for dim in rows[0]
        if dim not in ("variable", "value")
    }
    table = xr.Dataset(
        {
            variable: (*_figures(variable, rows, labels), index["variables"][variable])
            for variable in dict.fromkeys(row["variable"] for row in rows)
        },
        coords={dim: _labels(dim, found) for dim, found in labels.items() if dim != "age"},
        attrs=_attrs(entry, index),
    )
    table.attrs["units"] = "; ".join(f"{v}: {table[v].attrs['units']}" for v in table.data_vars)
    if "age" in labels:
        table = table.assign_coords(age_coords(labels["age"]))
    return table.assign_coords(_extra_coords(entry, table))


def _figures(
    variable: str, rows: list[dict[str, str]], labels: dict[str, list[str]]
) -> tuple[list[str], npt.NDArray[np.float64]]:
    """Dims and values of a variable; a combination of labels without a row is missing."""
    own = [row for row in rows if row["variable"] == variable]
    dims = [dim for dim in labels if own[0][dim]]
    values = np.full([len(labels[dim]) for dim in dims], np.nan)
    for row in own:
        values[tuple(labels[dim].index(row[dim]) for dim in dims)] = float(row["value"] or "nan")
    return dims, values


def _labels(dim: str, found: list[str]) -> npt.NDArray[Any]:
    # Strings as objects, of variable length: Zarr 3 warns of fixed ones.
    return np.array([float(x) for x in found]) if dim in _INSTANTS else np.array(found, object)


def _extra_coords(entry: dict[str, Any], table: xr.Dataset) -> dict[str, Any]:
    """Coordinates that are not labels of a dim: instants, intervals, groupings."""
    coords: dict[str, Any] = {}
    for name, given in entry.get("coords", {}).items():
        dims, data = (given["dims"], given["data"]) if isinstance(given, dict) else ((), given)
        text = isinstance(np.ravel(data)[0], str)
        coords[name] = (dims, np.array(data, object if text else float))
    if "period" in coords and "age" in table.dims:
        coords["age_start"] = ("age", table["age"].values - entry["coords"]["period_width"])
    return coords


def _attrs(entry: dict[str, Any], index: dict[str, Any]) -> dict[str, str]:
    attrs = {
        "title": entry["title"],
        "source": index["sources"][entry["source"]],
        "table": entry["table"],
        "licence": entry.get("licence", index["licence"]),
        "notes": entry.get("notes", ""),
        "print_errors": "\n".join(entry.get("print_errors", [])),
    }
    return {key: value for key, value in attrs.items() if value}


@cache
def _index() -> dict[str, Any]:
    return tomllib.loads(_FOLDER.joinpath("index.toml").read_text(encoding="utf-8"))
