"""Text files of the Human Mortality Database."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import xarray as xr

from migproj._choices import check_choice
from migproj.ages import age_coords
from migproj.conventions import FEMALE, MALE
from migproj.errors import SchemaError
from migproj.io._cubes import check_found, check_rows, cubes, described, wanted
from migproj.io._files import PathLike, first, head, numbers, opened, wrong_file

__all__ = ["read_hmd"]

#: What a title says, the variable, and its units where they differ from those of the variable.
_TITLES: Final = (
    ("Population size", "population"),
    ("Exposure to risk", "exposure"),
    ("Death rates", "mx"),
    ("Deaths", "deaths"),
    ("Births", "births"),
)
_TABLE: Final = ("mx", "qx", "ax", "lx", "dx", "Lx", "Tx", "ex")
_SEXES: Final = {"Females": FEMALE, "Males": MALE}
_MISSING: Final = (".",)


@dataclass(frozen=True)
class _Text:
    """The title of a file and the cells below it, as text."""

    file: str
    title: str
    frame: pd.DataFrame


def read_hmd(
    path: PathLike,
    *,
    years: Sequence[int] | None = None,
    total: bool = False,
    territory: str = "after",
) -> xr.Dataset:
    """Population, deaths, exposures, death rates, births or life tables of one country.

    Files of the Human Mortality Database as downloaded, by single years, five-year groups or
    periods: ``Population.txt``, ``Deaths_1x1.txt``, ``Exposures_5x1.txt``, ``Mx_5x5.txt``,
    ``Births.txt``, ``fltper_1x1.txt``, ``mltper_1x1.txt``, ``bltper_1x1.txt``, ...

    Parameters
    ----------
    path : str or path
        The text file. What is in it is seen from its title.
    years : sequence of int, optional
        First years of periods, or years; all by default.
    total : bool, default False
        Read the column of both sexes together, without a dim ``sex``, instead of those of women
        and men.
    territory : {"after", "before"}, default "after"
        Where a territory changed, populations are given for one and the same 1 January as
        ``1959-`` and ``1959+``: which of the two is read. ``attrs["territory_changes"]`` are the
        years.

    Returns
    -------
    Dataset
        One of ``population`` (time, sex, age), on 1 January; ``deaths``, ``exposure``, ``mx``
        (period, sex, age); ``births`` (period, sex); or the life table's ``mx``, ``qx``, ``ax``,
        ``lx``, ``dx``, ``Lx``, ``Tx``, ``ex`` (period, age), of 100,000 births, with the scalar
        coordinate ``sex`` in tables of women or of men. ``period`` is the first year of
        ``1950-1954`` with ``period_width`` 5. Cells ``.`` are NaN; ``110+`` is open-ended, and so
        is ``110`` where the plus sign was lost on the way: the database has no one year 110.
        ``attrs["title"]`` is the file's title with its date.

    Raises
    ------
    SchemaError
        If the file has another layout (the message names its reader), is of cohorts or Lexis
        triangles, a cell is no number, a row comes twice or is missing.

    References
    ----------
    Human Mortality Database (Max Planck Institute for Demographic Research, University of
    California, Berkeley, and French Institute for Demographic Studies); Wilmoth et al. (2021),
    *Methods Protocol for the Human Mortality Database*, v6.

    Examples
    --------
    >>> import migproj as mp, pathlib, tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "Deaths_1x1.txt"
    >>> _ = file.write_text('''Sweden, Deaths (period 1x1),  Last modified: 05 Apr 2024;
    ...
    ...   Year          Age             Female            Male           Total
    ...   2023          109                1.00            0.00            1.00
    ...   2023         110+                0.00             .              0.00
    ... ''')
    >>> deaths = mp.io.read_hmd(file)["deaths"]
    >>> deaths.sel(period=2023, sex="male").values
    array([ 0., nan])
    >>> deaths["age_width"].values
    array([ 1., inf])
    """
    check_choice("territory", territory, ("after", "before"))
    text = _text(Path(path))
    if "Life tables" in text.title:
        return _life_table(text, years)
    name = next((name for words, name in _TITLES if words in text.title), None)
    columns = ["Total"] if total else ["Female", "Male"]
    lacking = {*columns, "Year"} - set(text.frame)
    if name is None or lacking:
        raise SchemaError(
            f"{text.file}: expected a title with one of {[words for words, _ in _TITLES]} or 'Life "
            f"tables', and columns {['Year', *columns]}, got {text.title!r} and {list(text.frame)}"
        )
    frame, changes = _one_territory(text.frame, territory)
    frame, width = _instants(frame, text, years)
    long = pd.concat(
        frame.assign(sex=sex, value=numbers(frame[column], text.file, missing=_MISSING))
        for column, sex in zip(columns, ["total"] if total else [FEMALE, MALE], strict=True)
    )
    instant = "time" if name == "population" else "period"
    array = _array(long, text, instant, ["value"], sexes=not total)["value"]
    result = xr.Dataset({name: described(array, name)})
    return _finished(result, text, width, changes)


def _life_table(text: _Text, years: Sequence[int] | None) -> xr.Dataset:
    lacking = [name for name in ("Year", "Age", *_TABLE) if name not in text.frame]
    if lacking:
        raise SchemaError(f"{text.file}: a life table without the columns {lacking}")
    frame, width = _instants(text.frame, text, years)
    values = {name: numbers(frame[name], text.file, missing=_MISSING) for name in _TABLE}
    arrays = _array(frame.assign(**values), text, "period", _TABLE, sexes=False)
    table = xr.Dataset({name: described(arrays[name], name) for name in _TABLE})
    sex = next((label for word, label in _SEXES.items() if word in text.title), None)
    table = table if sex is None else table.assign_coords(sex=((), np.array(sex, object)))
    return _finished(table, text, width, [])


def _text(file: Path) -> _Text:
    """The title, and what stands below the names of the columns, without the blanks around it."""
    lines = head(file)
    at = next((k for k, line in enumerate(lines) if line.split()[:1] == ["Year"]), None)
    if at is None:
        got = f"{lines[0][:80]!r}" if lines else "a file that is empty or no text in UTF-8"
        raise wrong_file(file, "read_hmd", "a title and then the names 'Year Age ...'", got)
    title = " ".join(lines[0].split())
    odd = [word for word in ("cohort", "Lexis") if word.lower() in title.lower()]
    if odd or "Cohort" in lines[at].split():
        raise SchemaError(
            f"{file.name}: expected figures by period, got {title!r}; take the file of the period "
            "(Deaths_1x1.txt, fltper_1x1.txt)"
        )
    with opened(file) as stream:
        lines = stream.readlines()
    names, *cells = [line.split() for line in lines[at:]]
    rows = {number: row for number, row in enumerate(cells, at + 2) if row}
    uneven = [number for number, row in rows.items() if len(row) != len(names)]
    if uneven:
        raise SchemaError(
            f"{file.name}: expected {len(names)} cells in a row ({' '.join(names)}), got others in "
            f"{len(uneven)} of {len(rows)} rows: rows {first(uneven)}"
        )
    frame = pd.DataFrame(list(rows.values()), index=list(rows), columns=names, dtype="str")
    if "Age" in frame:
        frame["Age"] = frame["Age"].replace({"110": "110+"})
    check_rows(frame, file.name)
    return _Text(file.name, title, frame)


def _one_territory(frame: pd.DataFrame, territory: str) -> tuple[pd.DataFrame, list[int]]:
    marked = frame["Year"].str.fullmatch(r"\d{4}[+-]")
    if not marked.any():
        return frame, []
    mark = "+" if territory == "after" else "-"
    frame = frame[~marked | frame["Year"].str.endswith(mark)]
    changes = sorted({int(year[:4]) for year in frame["Year"] if len(year) == 5})
    return frame.assign(Year=frame["Year"].str[:4]), changes


def _instants(
    frame: pd.DataFrame, text: _Text, years: Sequence[int] | None
) -> tuple[pd.DataFrame, pd.Series[float]]:
    """The rows of the years asked for, with the first year of each, and the width by first year."""
    spans = frame["Year"].str.extract(r"^(\d{4})(?:-(\d{4}))?$")
    odd = spans[0].isna()
    if odd.any():
        raise SchemaError(
            f"{text.file}: column 'Year': expected '1950' or '1950-1954', got {int(odd.sum())} "
            f"others in {len(frame)} rows: {first(frame['Year'][odd].unique())}"
        )
    start = spans[0].astype("int64")
    last = spans[1].astype("float64").fillna(start.astype("float64"))
    frame = frame.assign(start=start.astype("float64"), width=last - start + 1)
    check_found("years", years, list(start.unique()), text.file)
    frame = frame[wanted(frame, ["start"], years)]
    width = frame.drop_duplicates("start").set_index("start")["width"]
    return frame, width.sort_index()


def _array(
    frame: pd.DataFrame, text: _Text, instant: str, values: Sequence[str], *, sexes: bool
) -> dict[str, xr.DataArray]:
    dims = {instant: "start"} | ({"sex": "sex"} if sexes else {})
    order: dict[str, Sequence[Any]] = {"sex": [FEMALE, MALE]} if sexes else {}
    if "Age" not in frame:
        return cubes(frame, dims, values, text.file, order=order, gaps=True)
    labels = sorted(frame["Age"].unique(), key=_lower)
    order = {**order, "age": labels}
    sizes = frame.drop_duplicates([*dims.values(), "Age"]).groupby(list(dims.values())).size()
    if (sizes != len(labels)).any():
        short = sizes[sizes != len(labels)]
        raise SchemaError(
            f"{text.file}: expected the {len(labels)} ages {labels[0]} to {labels[-1]} in each "
            f"year, got {first(short)} in {first(short.index)}"
        )
    arrays = cubes(frame, {**dims, "age": "Age"}, values, text.file, order=order, gaps=True)
    return {name: array.assign_coords(age_coords(labels)) for name, array in arrays.items()}


def _lower(label: str) -> tuple[int, str]:
    found = re.match(r"\d+", label)
    return (int(found[0]) if found else -1), label


def _finished(
    table: xr.Dataset, text: _Text, width: pd.Series[float], changes: Sequence[int]
) -> xr.Dataset:
    if "period" in table.dims:
        table = table.assign_coords(period_width=("period", np.asarray(width, "float64")))
    attrs: dict[str, Any] = {
        "source": f"Human Mortality Database, {text.file}",
        "title": text.title,
    }
    if changes:
        attrs["territory_changes"] = list(changes)
    return table.assign_attrs(attrs)
