"""CSV files of the UN Demographic Yearbook as downloaded from UNdata: population by age."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import xarray as xr

from migproj.ages import age_coords
from migproj.conventions import FEMALE, MALE
from migproj.errors import SchemaError
from migproj.io._cubes import check_found, check_rows, cubes, described, grid_of_labels, wanted
from migproj.io._files import PathLike, chunks, coded, first, numbers, whole

__all__ = ["read_demographic_yearbook"]

_COLUMNS: Final = (
    "Country or Area",
    "Year",
    "Area",
    "Sex",
    "Age",
    "Record Type",
    "Reliability",
    "Source Year",
    "Value",
)
_NOTES: Final = "Value Footnotes"
#: The first cell of the block of footnotes below the figures.
_END: Final = "footnoteSeqID"
_SEXES: Final = {"Female": FEMALE, "Male": MALE}
_TABLE: Final = ["Country or Area", "Year"]


def read_demographic_yearbook(
    path: PathLike,
    *,
    countries: Sequence[str] | None = None,
    years: Sequence[int] | None = None,
    area: str = "Total",
    record_type: str | None = None,
    all_sources: bool = False,
    ages: Sequence[str] | None = None,
) -> xr.Dataset:
    """Population by age and sex of the UN Demographic Yearbook, as downloaded from UNdata.

    Parameters
    ----------
    path : str or path
        The CSV file, or the zip archive that it comes in. The block of footnotes at its end is
        found and kept apart.
    countries : sequence of str, optional
        Names as in ``Country or Area``; all by default.
    years : sequence of int, optional
        All by default.
    area : str, default "Total"
        ``"Total"``, ``"Urban"`` or ``"Rural"``.
    record_type : str, optional
        How the record type begins: ``"Census"``, ``"Estimate - de jure"``, ... Needed where a
        country has several in one year.
    all_sources : bool, default False
        Whether figures of all editions (``Source Year``) are read. By default those of the
        latest are, of each country, year and record type; ``attrs["older_rows_left_out"]`` is
        the number of rows of others.
    ages : sequence of str, optional
        Printed groups (``["0", "1-4", "5-9", ...]``). By default the finest that follow each
        other, of the overlapping ones in the file.

    Returns
    -------
    Dataset (country, time, sex, age)
        ``population``, persons, and ``unknown_age`` without the dim age, if the file has any
        (the sum of both is the total printed). ``time`` is the middle of the year, for the file
        has no date; ``record_type``, ``reliability`` and ``source_year`` stand along (country,
        time); ``attrs["footnotes"]`` has the text of the footnotes used.

    Raises
    ------
    SchemaError
        If the file has another layout (the message names its reader), a cell is no number, a row
        comes twice, countries or years have different age groups or several record types.

    References
    ----------
    UN, Statistics Division, *Demographic Yearbook*: population by age, sex and urban or rural
    residence.

    Examples
    --------
    >>> import migproj as mp, pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "UNdata_Export.csv"
    >>> kind = '"Census - de facto - complete tabulation","Final figure, complete"'
    >>> _ = file.write_text(f'''"Country or Area","Year","Area","Sex","Age","Record Type",\
"Reliability","Source Year","Value","Value Footnotes"
    ... "Chile","2002","Total","Male","0 - 4",{kind},"2006","700",
    ... "Chile","2002","Total","Male","5 +",{kind},"2006","6700","1"
    ... "Chile","2002","Total","Female","0 - 4",{kind},"2006","680",
    ... "Chile","2002","Total","Female","5 +",{kind},"2006","6900",
    ... "footnoteSeqID","Footnote"
    ... "1","Excluding nomads."
    ... ''')
    >>> table = mp.io.read_demographic_yearbook(file)
    >>> table["population"].sel(country="Chile", time=2002.5, sex="male").values
    array([ 700., 6700.])
    >>> table.attrs["footnotes"]
    '1: Excluding nomads.'
    """
    file = Path(path)
    frame, notes = _read(file)
    areas = frame["Area"] == area
    check_found("area", [area], list(frame["Area"].unique()), file.name)
    check_found("countries", countries, list(frame["Country or Area"].unique()), file.name)
    check_found("years", years, list(frame["Year"].unique()), file.name)
    rows = areas & wanted(frame, ["Country or Area"], countries) & wanted(frame, ["Year"], years)
    frame = frame[rows & frame["sex"].notna() & (frame["Age"] != "Total")]
    frame = _of_one_record_type(frame, record_type, file)
    older = pd.Series(False, index=frame.index)
    if not all_sources:
        latest = frame.groupby([*_TABLE, "Record Type"])["Source Year"].transform("max")
        older = frame["Source Year"] < latest
    frame = frame[~older]
    check_rows(frame, file.name)
    unknown = frame["Age"] == "Unknown"
    known = frame[~unknown].assign(Age=frame["Age"].str.replace(" ", ""))
    grid = list(ages or _one_grid(known, file))
    check_found("ages", grid, list(known["Age"].unique()), file.name)
    known = known[known["Age"].isin(grid)]
    return _dataset(known, frame[unknown], grid, file).assign_attrs(
        source=f"United Nations, Demographic Yearbook, {file.name}",
        area=area,
        older_rows_left_out=int(older.sum()),
        footnotes=_used(pd.concat([known, frame[unknown]]), notes),
    )


def _read(file: Path) -> tuple[pd.DataFrame, dict[str, str]]:
    """The rows above the footnotes, and the footnotes."""
    rows: list[pd.DataFrame] = []
    notes: dict[str, str] = {}
    ended = False
    for part in chunks(
        file, "read_demographic_yearbook", _COLUMNS, optional=[_NOTES], text=[*_COLUMNS, _NOTES]
    ):
        is_end = part["Country or Area"] == _END
        below = is_end.cumsum().astype(bool) | ended
        ended = bool(below.any())
        cells = part.loc[below & ~is_end, ["Country or Area", "Year"]].dropna()
        notes |= dict(zip(cells["Country or Area"], cells["Year"], strict=True))
        rows.append(part[~below].dropna(how="all"))
    frame = pd.concat(rows)
    check_rows(frame, file.name)
    frame["sex"] = coded(frame["Sex"], _SEXES, file.name, ignored=["Both Sexes"])
    frame["Value"] = numbers(frame["Value"], file.name)
    for name in ("Year", "Source Year"):
        frame[name] = whole(frame[name], file.name)
    return frame, notes


def _of_one_record_type(frame: pd.DataFrame, wanted_type: str | None, file: Path) -> pd.DataFrame:
    types = list(frame["Record Type"].unique())
    if wanted_type is not None:
        frame = frame[frame["Record Type"].str.startswith(wanted_type)]
        if frame.empty:
            raise SchemaError(
                f"record_type: none in {file.name} begins with {wanted_type!r}; it "
                f"has {first(types, 10)}"
            )
    several = frame.groupby(_TABLE)["Record Type"].nunique()
    several = several[several > 1]
    if len(several):
        raise SchemaError(
            f"{file.name}: several record types in {len(several)} of the countries and years: "
            f"{first(several.index)}; choose with record_type=, one of {first(types, 10)}"
        )
    return frame


def _one_grid(frame: pd.DataFrame, file: Path) -> list[str]:
    """The finest age groups, the same in each country and year."""
    have = frame.groupby(_TABLE)["Age"].agg(frozenset)
    grids = {labels: grid_of_labels(sorted(labels), file.name) for labels in set(have)}
    different = {tuple(grid) for grid in grids.values()}
    if len(different) > 1:
        tables = [f"{table}: {', '.join(grids[labels][-3:])}" for table, labels in have.items()]
        raise SchemaError(
            f"{file.name}: {len(different)} different sets of age groups in {len(have)} tables; "
            f"their oldest: {first(tables)}; read them one by one with countries= and years=, or "
            "name groups that all of them have with ages="
        )
    return list(different.pop())


def _dataset(known: pd.DataFrame, unknown: pd.DataFrame, grid: list[str], file: Path) -> xr.Dataset:
    tables = pd.concat([known, unknown])
    columns = {"country": "Country or Area", "time": "time", "sex": "sex", "age": "Age"}
    order = {
        "country": list(tables["Country or Area"].unique()),
        "time": sorted(tables["Year"].unique() + 0.5),
        "sex": [FEMALE, MALE],
        "age": grid,
    }

    def figures(frame: pd.DataFrame, *dims: str) -> xr.DataArray:
        frame = frame.assign(time=frame["Year"] + 0.5)
        wide = {dim: columns[dim] for dim in dims}
        return cubes(frame, wide, ["Value"], file.name, order=order, gaps=True)["Value"]

    population = described(figures(known, *columns), "population")
    result = xr.Dataset({"population": population.assign_coords(age_coords(grid))})
    if len(unknown):
        counts = figures(unknown, "country", "time", "sex")
        result["unknown_age"] = described(counts, "unknown_age")
    return result.assign_coords(_of_tables(tables, population))


def _of_tables(frame: pd.DataFrame, array: xr.DataArray) -> dict[str, Any]:
    """What is said of each country and year as a whole."""
    each = frame.drop_duplicates(_TABLE)
    at = (
        array.indexes["country"].get_indexer(each["Country or Area"]),
        array.indexes["time"].get_indexer(each["Year"] + 0.5),
    )
    coords = {}
    for name, column in (
        ("record_type", "Record Type"),
        ("reliability", "Reliability"),
        ("source_year", "Source Year"),
    ):
        cells = np.full([array.sizes["country"], array.sizes["time"]], "", dtype=object)
        cells[at] = each[column].astype("str").to_numpy(dtype=object)
        coords[name] = (("country", "time"), cells)
    return coords


def _used(frame: pd.DataFrame, notes: dict[str, str]) -> str:
    if _NOTES not in frame:
        return ""
    used = frame[_NOTES].dropna().str.split(",").explode().str.strip().unique()
    return "\n".join(f"{number}: {notes[number]}" for number in used if number in notes)
