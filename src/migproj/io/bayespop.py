"""Input tables of the R package bayesPop."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import xarray as xr

from migproj._checks import check_dims, check_sexes
from migproj.ages import AgeGroups, groups_of
from migproj.conventions import FEMALE, MALE
from migproj.errors import SchemaError
from migproj.io._files import PathLike, first

__all__ = ["write_bayespop"]

_SEXES: Final = {"F": FEMALE, "M": MALE}
_WIDTHS: Final = (1.0, 5.0)


def write_bayespop(
    folder: PathLike,
    *,
    population: xr.DataArray | None = None,
    mx: xr.DataArray | None = None,
    fertility: xr.DataArray | None = None,
    sex_ratio_at_birth: xr.DataArray | None = None,
    net_migration: xr.DataArray | None = None,
    names: Mapping[int, str] | None = None,
    thousands: bool = True,
) -> dict[str, Path]:
    """Write the input tables of bayesPop (``pop.predict``), by single or five years.

    Parameters
    ----------
    folder : str or path
        Made if it is not there.
    population : DataArray (country, time, sex, age), optional
        Persons: ``popF.txt`` and ``popM.txt``.
    mx : DataArray (country, period, sex, age), optional
        Death rates of the ages 0, 1-4, 5-9, ... or of single years: ``mxF.txt``, ``mxM.txt``.
    fertility : DataArray (country, period, age), optional
        Births per woman-year: ``pasfr.txt``, the rates in per cent of total fertility, and
        ``tfr.csv``, total fertility as one trajectory.
    sex_ratio_at_birth : DataArray (country, period), optional
        Males per female: ``srb.txt``.
    net_migration : DataArray (country, period, sex, age), (country, period, sex) or (country,
        period), optional
        Persons per period: ``migF.txt`` and ``migM.txt``; totals of each sex ``migFt.txt`` and
        ``migMt.txt``; totals ``mig.txt``.
    names : mapping of int to str, optional
        Names of the countries; by default their coordinate ``country_name``, else their code.
    thousands : bool, default True
        Populations and migrants in thousands, as in the data that bayesPop comes with. If False
        they are written in persons.

    Returns
    -------
    dict of str to pathlib.Path
        The files, by the name of the element of ``inputs`` that takes them (``tfr.csv`` is
        ``tfr.file``).

    Raises
    ------
    SchemaError
        If nothing is given, dims are other than these, countries are not numeric codes, ages or
        periods are not of one or of five years throughout.

    Notes
    -----
    The tables are those of bayesPop's documentation: tab-delimited with ``country_code``,
    ``name``, ``age`` and a column for each time, which is a year for populations and ``2015-2020``
    for five-year periods. ``mx`` is labelled by lower bounds (0, 1, 5, ...), five-year groups of
    the others ``0-4`` ... ``100+``; single years by their number, the open-ended one too.
    ``tfr.csv`` has ``LocID``, ``Year``, ``Trajectory``, ``TF``; the year of 2020-2025 is 2023.

    Tables by single years follow the R packages of UN data, in which population stands for 31
    December of a year: one of 1 January 2021, and one of 1 July 2020, is in the column 2020, and
    what happens in the following twelve months in the column 2021. Missing figures (NaN) are
    written as ``NA``.

    References
    ----------
    .. [1] Sevcikova, H. & Raftery, A. E. (2016). bayesPop: Probabilistic population projections.
       Journal of Statistical Software, 75(5).

    Examples
    --------
    >>> import migproj as mp, pathlib, tempfile, xarray as xr
    >>> ratio = xr.DataArray([[1.04, 1.05]], dims=("country", "period"), coords={
    ...     "country": [32], "period": [2015.5, 2020.5], "period_width": ("period", [5.0, 5.0])})
    >>> files = mp.io.write_bayespop(
    ...     tempfile.mkdtemp(), sex_ratio_at_birth=ratio, names={32: "Argentina"})
    >>> print(files["srb"].read_text().expandtabs(14))
    country_code  name          2015-2020     2020-2025
    32            Argentina     1.04          1.05
    <BLANKLINE>
    """
    place = Path(folder)
    per = 1000.0 if thousands else 1.0
    tables: dict[str, pd.DataFrame] = {}
    if population is not None:
        _check("population", population, "time", ("sex", "age"))
        tables |= _by_sex("pop", "population", population / per, names, "time")
    if mx is not None:
        _check("mx", mx, "period", ("sex", "age"))
        tables |= _by_sex("mx", "mx", mx, names, "period")
    if fertility is not None:
        _check("fertility", fertility, "period", ("age",))
        tables |= _fertility(fertility, names)
    if sex_ratio_at_birth is not None:
        _check("sex_ratio_at_birth", sex_ratio_at_birth, "period", ())
        tables["srb"] = _wide("sex_ratio_at_birth", sex_ratio_at_birth, names, "period")
    if net_migration is not None:
        tables |= _migration(net_migration / per, names)
    if not tables:
        raise SchemaError("expected one table or more: population=, mx=, fertility=, ...")
    place.mkdir(parents=True, exist_ok=True)
    files = {}
    for name, table in tables.items():
        comma = name == "tfr.file"
        files[name] = place / ("tfr.csv" if comma else f"{name}.txt")
        table.to_csv(files[name], sep="," if comma else "\t", index=False, na_rep="NA")
    return files


def _check(name: str, array: xr.DataArray, instant: str, dims: Sequence[str]) -> None:
    check_dims(name, array, "country", instant, *dims)
    extra = [dim for dim in array.dims if dim not in ("country", instant, *dims)]
    if extra:
        raise SchemaError(
            f"{name}: expected the dims {('country', instant, *dims)}, got {extra} too; select one "
            f"label: {name}.sel({extra[0]}=...)"
        )
    codes = array["country"].values
    if "country" not in array.coords or not np.issubdtype(codes.dtype, np.integer):
        raise SchemaError(
            f"{name}: dim 'country': expected numeric location codes, got {first(codes)}; "
            f"{name}.assign_coords(country=[...])"
        )
    if "sex" in dims:
        check_sexes(name, array, both=True)


def _by_sex(
    stem: str,
    name: str,
    array: xr.DataArray,
    names: Mapping[int, str] | None,
    instant: str,
    end: str = "",
) -> dict[str, pd.DataFrame]:
    return {
        f"{stem}{letter}{end}": _wide(name, array.sel(sex=sex, drop=True), names, instant)
        for letter, sex in _SEXES.items()
    }


def _migration(array: xr.DataArray, names: Mapping[int, str] | None) -> dict[str, pd.DataFrame]:
    dims = tuple(dim for dim in ("sex", "age") if dim in array.dims)
    if dims == ("age",):
        raise SchemaError(
            "net_migration: expected dims sex and age, sex, or neither, got age alone; bayesPop "
            "takes ages by sex only"
        )
    _check("net_migration", array, "period", dims)
    if not dims:
        return {"mig": _wide("net_migration", array, names, "period")}
    end = "" if "age" in dims else "t"
    return _by_sex("mig", "net_migration", array, names, "period", end)


def _fertility(fertility: xr.DataArray, names: Mapping[int, str] | None) -> dict[str, pd.DataFrame]:
    groups = groups_of(fertility, "fertility")
    if math.isinf(groups.width[-1]) and len(groups) > 1:  # widths that are not stated
        groups = AgeGroups(groups.lower, (*groups.width[:-1], groups.width[-2]))
    fertility = fertility.drop_vars("age_width", errors="ignore").assign_coords(groups.coords())
    weights = xr.DataArray(list(groups.width), dims="age")
    total = (fertility * weights).sum("age", skipna=False)
    columns = _columns("fertility", fertility, "period")
    annual = _width_of("fertility", fertility) == 1.0
    years = [int(column) if annual else int(column[:4]) + 3 for column in columns]
    wide = total.transpose("country", "period")
    trajectory = pd.DataFrame(
        {
            "LocID": np.repeat(wide["country"].values, len(years)),
            "Year": np.tile(years, wide.sizes["country"]),
            "Trajectory": 1,
            "TF": wide.values.ravel(),
        }
    )
    shares = 100.0 * fertility * weights / total
    return {"pasfr": _wide("fertility", shares, names, "period"), "tfr.file": trajectory}


def _wide(
    name: str, array: xr.DataArray, names: Mapping[int, str] | None, instant: str
) -> pd.DataFrame:
    """Rows of countries and ages, a column for each time."""
    columns = _columns(name, array, instant)
    rows = [dim for dim in ("country", "age") if dim in array.dims]
    cells = array.transpose(*rows, instant).values.reshape(-1, len(columns))
    ages = _ages(name, array) if "age" in rows else []
    codes = array["country"].values
    known = array.coords.get("country_name")
    own = {int(code): str(code) for code in codes}
    if known is not None and known.dims == ("country",):
        own = {int(code): str(text) for code, text in zip(codes, known.values, strict=True)}
    called = {**own, **(names or {})}
    each = max(len(ages), 1)
    keys: dict[str, Any] = {
        "country_code": np.repeat(codes, each),
        "name": np.repeat([called[int(code)] for code in codes], each),
    }
    if ages:
        keys["age"] = ages * len(codes)
    figures = pd.DataFrame(cells, columns=columns)
    return pd.concat([pd.DataFrame(keys), figures], axis=1)


def _ages(name: str, array: xr.DataArray) -> list[str]:
    groups = groups_of(array, name)
    widths = set(groups.width[: len(groups) - groups.is_open])
    if name == "mx" or widths == {1.0}:
        return [str(low) for low in groups.lower]
    if widths != {5.0}:
        raise SchemaError(
            f"{name}: expected age groups of one or of five years, got {list(groups.labels[:6])}; "
            "mp.regroup_ages brings counts to one grid"
        )
    return list(groups.labels)


def _columns(name: str, array: xr.DataArray, instant: str) -> list[str]:
    """Heads of the columns of figures: 2020, or 2020-2025."""
    starts = [float(start) for start in array[instant].values]
    if instant == "time":
        annual = "age" in array.dims and groups_of(array, name).width[0] == 1.0
        years = [math.ceil(start) - 1 if annual else math.floor(start) for start in starts]
        heads = [str(year) for year in years]
    elif _width_of(name, array) == 1.0:
        heads = [str(math.ceil(start + 1.0) - 1) for start in starts]
    else:
        heads = [f"{math.floor(start)}-{math.floor(start) + 5}" for start in starts]
    twice = sorted({head for head in heads if heads.count(head) > 1})
    if twice:
        raise SchemaError(f"{name}: dim {instant!r}: several of {first(starts)} fall in {twice}")
    return heads


def _width_of(name: str, array: xr.DataArray) -> float:
    if "period_width" not in array.coords:
        raise SchemaError(
            f"{name}: expected the coordinate period_width (1 or 5 years); "
            f"{name}.assign_coords(period_width=('period', [...]))"
        )
    widths = {float(width) for width in np.atleast_1d(array["period_width"].values)}
    if len(widths) != 1 or not widths <= set(_WIDTHS):
        raise SchemaError(
            f"{name}: period_width: expected 1 or 5 years throughout, got {sorted(widths)}"
        )
    return widths.pop()
