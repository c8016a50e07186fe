"""SDMX-CSV files of Eurostat: population by country of birth, age and sex."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import xarray as xr

from migproj._choices import check_choice
from migproj.ages import age_coords
from migproj.conventions import FEMALE, MALE
from migproj.errors import DataQualityWarning, SchemaError
from migproj.io._cubes import check_found, check_rows, cubes, described, grid_of_labels, wanted
from migproj.io._files import PathLike, chunks, coded, first, numbers, whole

__all__ = ["read_eurostat_stock"]

_COLUMNS: Final = ("c_birth", "age", "unit", "sex", "geo", "TIME_PERIOD", "OBS_VALUE")
_KEYS: Final = ["geo", "c_birth", "TIME_PERIOD", "sex", "age"]
_DIMS: Final = ("country", "birthplace", "time", "sex", "age")
_SEXES: Final = {"F": FEMALE, "M": MALE, "T": "total"}
_ISO: Final = {"EL": "GR", "UK": "GB"}
#: Birthplaces that are no country but no group of countries either: native-born, unknown.
_OWN: Final = ("NAT", "UNK")


def read_eurostat_stock(
    path: PathLike,
    *,
    countries: Sequence[str] | None = None,
    birthplaces: Sequence[str] | None = None,
    years: Sequence[int] | None = None,
    ages: Sequence[str] | None = None,
    total: bool = False,
    aggregates: bool = False,
    codes: str = "eurostat",
) -> xr.Dataset:
    """Population by country of birth, age and sex on 1 January (``migr_pop3ctb``).

    Parameters
    ----------
    path : str or path
        The table as SDMX-CSV with codes, compressed or not; read some rows at a time.
    countries, birthplaces : sequence of str, optional
        Codes of ``geo`` and of ``c_birth`` as in the file; all by default.
    years : sequence of int, optional
        All by default.
    ages : sequence of str, optional
        Printed groups (``["0-14", "15-64", "65+"]``). By default the finest that follow each
        other, of the overlapping ones in the file; ``attrs["age_groups_left_out"]`` are the
        others.
    total : bool, default False
        Read both sexes together (T), without a dim ``sex``, instead of women and men.
    aggregates : bool, default False
        Whether to read groups of countries too (codes of other than two letters: ``FOR``,
        ``EU27_2020``, ``TOTAL``, ...). ``NAT``, born in the country of residence, and ``UNK`` are
        always birthplaces. ``attrs["aggregates_left_out"]`` is the number of those left out.
    codes : {"eurostat", "iso"}, default "eurostat"
        Keep ``EL`` and ``UK``, or make them ISO's ``GR`` and ``GB``. Kosovo is ``XK`` in both.

    Returns
    -------
    Dataset (country, birthplace, time, sex, age)
        ``stock``, persons: ``:`` and what has no row is NaN. ``flag``, Eurostat's flags of each
        figure (``b`` break in series, ``e`` estimated, ``p`` provisional, ...; "" for none).
        ``unknown_age`` without the dim age, if the file has any.

    Raises
    ------
    SchemaError
        If the file has another layout (the message names its reader) or another unit than
        persons, a cell is no number, a row comes twice, a code is unknown, or something asked
        for is not in it.

    Warns
    -----
    DataQualityWarning
        If some tables have a wider group (85 and over) in place of the finer ones that others
        have: these are NaN there.

    References
    ----------
    Eurostat, *Population on 1 January by age group, sex and country of birth*.

    Examples
    --------
    >>> import migproj as mp, pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "migr_pop3ctb.csv"
    >>> start = "ESTAT:MIGR_POP3CTB(1.0),27/03/25 23:00:00,A"
    >>> _ = file.write_text(f'''DATAFLOW,LAST UPDATE,freq,c_birth,age,unit,sex,geo,TIME_PERIOD,\
OBS_VALUE,OBS_FLAG,CONF_STATUS
    ... {start},AR,Y_LT5,NR,F,EL,2020,12,b,
    ... {start},AR,Y_GE5,NR,F,EL,2020,:,,
    ... {start},AR,Y_LT5,NR,M,EL,2020,14,,
    ... {start},AR,Y_GE5,NR,M,EL,2020,150,e,
    ... ''')
    >>> table = mp.io.read_eurostat_stock(file, codes="iso")
    >>> table["stock"].sel(country="GR", birthplace="AR", time=2020).values
    array([[ 12.,  nan],
           [ 14., 150.]])
    >>> table["flag"].sel(sex="female", age=0).item()
    'b'
    """
    check_choice("codes", codes, ("eurostat", "iso"))
    file = Path(path)
    asked = {"geo": countries, "c_birth": birthplaces, "year": years}
    frame, left_out = _read(file, asked, aggregates=aggregates, total=total)
    if codes == "iso":
        frame[["geo", "c_birth"]] = frame[["geo", "c_birth"]].replace(_ISO)
    frame["time"] = frame["year"].astype("float64")
    unknown = frame["age"] == "UNK"
    labels = frame["age"].map({code: _age(code, file) for code in frame["age"].unique()})
    grid = list(ages or grid_of_labels(list(labels.dropna().unique()), file.name))
    check_found("ages", grid, list(labels.dropna().unique()), file.name)
    printed = frame.assign(age=labels)
    known = printed[labels.isin(grid)]
    dims = {dim: key for dim, key in zip(_DIMS, _KEYS, strict=True) if dim != "sex" or not total}
    dims["time"] = "time"
    order: dict[str, Sequence[Any]] = {
        dim: list(frame[dims[dim]].unique()) for dim in ("country", "birthplace")
    }
    order |= {"time": sorted(frame["time"].unique()), "age": grid}
    stock = _stock(known, dims, order, file).assign_coords(age_coords(grid))
    if ages is None:
        _warn_of_wider(stock["stock"], printed[~labels.isin(grid) & ~unknown], dims, file)
    if unknown.any():
        ageless = {dim: key for dim, key in dims.items() if dim != "age"}
        counts = _stock(frame[unknown], ageless, order, file)["stock"]
        stock["unknown_age"] = described(counts, "unknown_age")
    return stock.assign_attrs(
        source=f"Eurostat, {file.name}",
        aggregates_left_out=left_out,
        age_groups_left_out=sorted(set(labels.dropna().unique()) - set(grid)),
    )


def _read(
    file: Path, asked: dict[str, Sequence[Any] | None], *, aggregates: bool, total: bool
) -> tuple[pd.DataFrame, int]:
    """Rows of what is asked for, chunk by chunk, and the number of groups of countries left out."""
    kept: list[pd.DataFrame] = []
    seen: dict[str, set[Any]] = {name: set() for name in asked}
    left_out: set[str] = set()
    texts = ["c_birth", "age", "unit", "sex", "geo", "OBS_FLAG"]
    for part in chunks(file, "read_eurostat_stock", _COLUMNS, optional=["OBS_FLAG"], text=texts):
        other = part["unit"] != "NR"
        if other.any():
            units = first(part["unit"][other].unique())
            raise SchemaError(
                f"{file.name}: column 'unit': expected NR (persons), got {units}; of persons, take "
                "the table with codes, not with labels in their place"
            )
        part["sex"] = coded(part["sex"], _SEXES, file.name, ignored=["UNK"])
        part["year"] = whole(part["TIME_PERIOD"], file.name)
        if not aggregates:
            groups = {name: ~_is_country(part[name], name) for name in ("geo", "c_birth")}
            left_out |= {code for name in groups for code in part[name][groups[name]]}
            part = part[~groups["geo"] & ~groups["c_birth"]]
        rows = pd.Series(True, index=part.index)
        for name, labels in asked.items():
            seen[name] |= set(part[name].unique())
            rows &= wanted(part, [name], labels)
        part = part[rows & part["sex"].isin(["total"] if total else [FEMALE, MALE])].copy()
        part["OBS_VALUE"] = numbers(part["OBS_VALUE"], file.name, missing=[":"])
        kept.append(part[part["age"] != "TOTAL"])
    names = {"geo": "countries", "c_birth": "birthplaces", "year": "years"}
    mend = f"; groups of countries ({len(left_out)}) need aggregates=True" if left_out else ""
    for name, labels in asked.items():
        check_found(names[name], labels, list(seen[name]), file.name, mend)
    frame = pd.concat(kept, ignore_index=True)
    check_rows(frame, file.name)
    return frame, len(left_out)


def _is_country(codes: pd.Series[str], column: str) -> pd.Series[bool]:
    two = codes.str.fullmatch("[A-Z]{2}")
    return two | codes.isin(_OWN) if column == "c_birth" else two


def _age(code: str, file: Path) -> str | None:
    """The printed group of a code (Y_LT5, Y5-9, Y7, Y_GE85), none of unknown age."""
    if code == "UNK":
        return None
    found = re.fullmatch(r"Y(?:_LT(?P<below>\d+)|_GE(?P<over>\d+)|(?P<group>\d+(?:-\d+)?))", code)
    if found is None:
        raise SchemaError(
            f"{file.name}: column 'age': expected codes such as Y_LT5, Y5-9, Y_GE85, UNK, TOTAL, "
            f"got {code!r}"
        )
    if found["below"]:
        return "0" if found["below"] == "1" else f"0-{int(found['below']) - 1}"
    return f"{found['over']}+" if found["over"] else found["group"]


def _warn_of_wider(
    stock: xr.DataArray, left_out: pd.DataFrame, dims: Mapping[str, str], file: Path
) -> None:
    """Tell of tables that have a group left out where all of its finer ones are missing."""
    lower = stock["age"].values
    upper = lower + stock["age_width"].values
    rows = left_out[left_out["OBS_VALUE"].notna()]
    tables = [dim for dim in dims if dim != "age"]
    found: set[tuple[Any, ...]] = set()
    groups = []
    for label, part in rows.groupby("age", sort=False):
        coords = age_coords([str(label)])
        low, width = float(coords["age"].values[0]), float(coords["age_width"].values[0])
        finer = (lower >= low) & (upper <= low + width)
        lacking = stock.isel(age=finer).isnull().all("age") & finer.any()
        at = tuple(stock.indexes[dim].get_indexer(part[dims[dim]]) for dim in tables)
        missing = part[lacking.transpose(*tables).values[at]]
        if len(missing):
            groups.append(str(label))
            found |= set(missing[[dims[dim] for dim in tables]].itertuples(index=False, name=None))
    if found:
        cells = ", ".join(f"{d}={v}" for d, v in zip(tables, min(found), strict=True))
        warnings.warn(
            f"{file.name}: {len(found)} table(s) have figures of {first(groups)}, which are left "
            "out, in place of finer groups that others have and that are NaN there; the first: "
            f"{cells}; name groups that all of them have with ages=",
            DataQualityWarning,
            stacklevel=3,
        )


def _stock(
    frame: pd.DataFrame, dims: Mapping[str, str], order: Mapping[str, Sequence[Any]], file: Path
) -> xr.Dataset:
    stock = cubes(frame, dims, ["OBS_VALUE"], file.name, order=order, gaps=True)
    array = described(stock["OBS_VALUE"], "stock")
    flags = np.full(array.shape, "", dtype=object)
    if "OBS_FLAG" in frame:
        at = tuple(array.indexes[dim].get_indexer(frame[key]) for dim, key in dims.items())
        flags[at] = frame["OBS_FLAG"].fillna("").to_numpy(dtype=object)
    flag = array.copy(data=flags).rename("flag")
    flag.attrs = {"long_name": "Eurostat's flags of the figure"}
    return xr.Dataset({"stock": array, "flag": flag})
