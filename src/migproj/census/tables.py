"""A tidy table of a census as a checked round."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from migproj._checks import as_number, check_counts, check_finite, check_labels_match, where
from migproj._choices import check_choice, check_flag
from migproj.baseyears import interpolate_rounds
from migproj.census._labels import UNKNOWN, shown
from migproj.census._read import Rows, cube_of, read_rows, tidied
from migproj.census._share import check_kept, distribute_birthplaces, distribute_unknown
from migproj.corrections import correct_coverage
from migproj.dates import DateLike, decimal_year
from migproj.errors import IntervalError, SchemaError
from migproj.intensity import named

__all__ = ["round"]

#: What a date of the census may differ by, alone or together.
_DATED_BY: Final = (
    ("country",), ("region",), ("round",), ("time",), ("country", "round"), ("region", "round"),
    ("country", "time"), ("region", "time"),
)  # fmt: skip
#: Growth rates beyond this a year are per cent.
_FASTEST: Final = 0.3


def round(
    table: pd.DataFrame | str | os.PathLike[str] | xr.Dataset | Any,
    *,
    columns: Mapping[str, str] | Sequence[str] | None = None,
    value: str = "population",
    codes: Mapping[str, Mapping[Any, Any]] | None = None,
    drop_totals: Mapping[str, Sequence[Any]] | None = None,
    fill: Literal[0] | None = None,
    open_ended: bool = True,
    unknown_age: Literal["error", "pro rata"] = "error",
    unknown_sex: Literal["error", "pro rata"] = "error",
    distribute_birthplace: Sequence[Any] | Mapping[Any, Sequence[Any] | None] = (),
    coverage: float | xr.DataArray | None = None,
    time: DateLike | None = None,
    date: DateLike | None = None,
    growth: float | xr.DataArray | None = None,
) -> xr.Dataset:
    r"""A census round from a tidy table, one row a combination of labels, checked.

    Parameters
    ----------
    table : pandas or polars DataFrame, path, or Dataset
        One row for each combination of labels. A path is of a CSV file, read as text ("NA" is a
        label). A Dataset is what :func:`tabulate` returns; its ``unknown_age`` are the people of
        unknown age, and standard errors and numbers of records are not kept; what to cite is.
    columns : mapping of dim to column, or list of columns, optional
        Which column holds ``age``, ``sex``, ``country``, ``birthplace`` or any other dim. Others
        are not read. Default: every column but `value` is a dim of its own name.
    value : str
        The column of persons.
    codes : mapping of dim to {label: label}, optional
        What labels mean: ``{"sex": {1: "male", 2: "female"}, "age": {999: "unknown"}}``. Rows
        that it puts under one label are added up; labels it does not list are as they are.
    drop_totals : mapping of dim to list of labels, optional
        Labels of totals: checked against the sum of their parts, to half a person, and left out.
        An age group that holds others is such a total.
    fill : 0, optional
        What a combination without a row is. Default: an error. Without a row of unknown age or
        sex there was nobody.
    open_ended : bool
        Where ages are lower bounds alone (0, 5, 10): whether the last group is open-ended.
    unknown_age, unknown_sex : {"error", "pro rata"}
        Whether people of unknown age or sex are shared out over those known. Of `age` and `sex`,
        "unknown", "not stated" and the like mean that.
    distribute_birthplace : list of labels, or mapping of label to list of labels
        Birthplaces such as "not stated" that are shared out over all others, or over those named
        for each. Default: they are kept as labels.
    coverage : float or DataArray (...), optional
        True over enumerated persons, as in :func:`~migproj.correct_coverage`.
    time : int, float, str or date, optional
        When the census was, if no column ``time`` or ``date`` says.
    date : int, float, str or date, optional
        A common date to which the round is moved.
    growth : float or DataArray (...), optional
        Growth rate (1/year) for that. Without it the table has two rounds or more along
        ``time``, and :func:`~migproj.interpolate_rounds` finds the counts between them.

    Returns
    -------
    Dataset
        ``population`` (..., [time, sex,] age), persons, float64. Labels are sorted, so that two
        rounds go together, whole numbers as integers; ``sex`` is "female" and "male", ``age`` has
        ``age_width``, one ``time`` is a scalar coordinate, and dates that differ by country (a
        column ``date``) are the coordinate ``date``.
        With "pro rata", persons shared out: ``unknown_age_distributed`` (..., [sex]),
        ``unknown_sex_distributed`` (..., age) and ``unknown_age_and_sex_distributed`` (...). On
        request ``birthplace_distributed`` (..., age), what each birthplace was given,
        ``coverage_adjustment`` and, with `growth`, ``date_adjustment``, persons added. Where
        `date` is between two rounds along ``time``, these are of each ``round``.

    Raises
    ------
    SchemaError
        If a column is lacking; a label is missing or cannot be read; a combination of labels has
        several rows or none; a count is missing, negative or no number; totals or overlapping age
        groups stand beside their parts, or are not their sum; there are people of unknown age or
        sex, or nobody known to share them out over.
    AlignmentError
        If labels of `coverage` or `growth` are not those of the table.
    IntervalError
        If a date cannot be read, or `date` cannot be reached.

    Notes
    -----
    With K the people of known sex s and age a, and those of unknown age, sex and both,

    .. math:: P_{sa} = K_{sa} \left(1 + \frac{U_{s\cdot}}{K_{s\cdot}} +
              \frac{U_{\cdot a}}{K_{\cdot a}} + \frac{U_{\cdot\cdot}}{K_{\cdot\cdot}}\right)

    in each country, birthplace and so on by itself. A birthplace is shared out like the receiving
    ones of the same sex and age or, where there are none, of all ages and both sexes. Then
    coverage is corrected, and last the round moved, :math:`P e^{r (t_1 - t_0)}`. Before these two
    the total is that of the table, which is asserted. *They fail* where the unknown are not like
    the known: children's ages, the sexes of lone travellers, and birthplaces that are not stated
    because they are foreign.

    References
    ----------
    Shryock & Siegel (1976), *The Methods and Materials of Demography*, ch. 8 (unknown ages).

    Examples
    --------
    >>> import migproj as mp, pandas as pd
    >>> table = pd.DataFrame({
    ...     "age": ["0-14", "15-64", "65+", "not stated"], "sex": "F", "time": "2010-10-27",
    ...     "population": [300, 600, 100, 10],
    ... })
    >>> made = mp.census.round(table, unknown_age="pro rata")
    >>> made["population"].values
    array([[303., 606., 101.]])
    >>> float(made["unknown_age_distributed"].sum())
    10.0
    """
    choices = {"age": unknown_age, "sex": unknown_sex}
    for dim, choice in choices.items():
        check_choice(f"unknown_{dim}", choice, ("error", "pro rata"))
    check_flag("open_ended", open_ended)
    if fill is not None and (isinstance(fill, bool) or fill != 0):
        raise SchemaError(f"fill: expected 0, or nothing, got {fill!r}")
    attrs: dict[str, Any] = {}
    if isinstance(table, xr.Dataset):
        # What to cite; numbers are those of the records.
        attrs = {name: said for name, said in table.attrs.items() if isinstance(said, str)}
        if "time" in table.coords and not table["time"].dims:
            if time is not None:
                raise SchemaError(
                    f"time: the table has its own, {float(table['time']):g}; leave time= out, or "
                    "take that away: table.drop_vars('time')"
                )
            time = float(table["time"])
        table, value = tidied(table, columns, value)
    rows = read_rows(
        table,
        columns=columns,
        value=value,
        codes=codes or {},
        totals=drop_totals or {},
        open_ended=open_ended,
    )
    counts = _dated(_labelled(cube_of(rows, fill=fill), rows), rows, time)
    population, found = distribute_unknown(
        counts, {dim: choices[dim] for dim in choices if dim in counts.dims}
    )
    if distribute_birthplace:
        population, found["birthplace_distributed"] = distribute_birthplaces(
            population, distribute_birthplace
        )
    check_kept("the table", xr.DataArray(rows.counts[rows.detail].sum()), population, [])
    check_counts("population", population)
    if coverage is not None:
        corrected = _corrected(population, coverage)
        found["coverage_adjustment"] = named(corrected - population, "coverage_adjustment")
        population = corrected
    if date is not None:
        population = _moved(population, date, growth, found)
    elif growth is not None:
        raise SchemaError("growth: expected with date=, the common date to which the round moves")
    result = xr.Dataset({"population": named(population, "population")} | found, attrs=attrs)
    groups = rows.labels["age"].groups
    return result if groups is None else result.assign_coords(groups.coords())


def _labelled(counts: npt.NDArray[np.float64], rows: Rows) -> xr.DataArray:
    """The counts with labels; age and sex keep a last place for the unknown."""
    array = xr.DataArray(counts, dims=list(rows.labels))
    coords: dict[str, Any] = {}
    for dim, own in rows.labels.items():
        if dim == "age":
            coords[dim] = [*own.labels, -1]
        elif dim == "sex":
            # Strings as objects, of variable length: Zarr 3 warns of fixed ones.
            coords[dim] = np.array([*own.labels, UNKNOWN], object)
        else:
            array = array.isel({dim: slice(-1)})
            is_text = any(isinstance(label, str) for label in own.labels)
            coords[dim] = np.array(own.labels, object if is_text else None)
    array = array.assign_coords(coords)
    if array.sizes.get("time") == 1:
        array = array.squeeze("time")
    return array.transpose(..., *(dim for dim in ("time", "sex", "age") if dim in array.dims))


def _dated(counts: xr.DataArray, rows: Rows, time: DateLike | None) -> xr.DataArray:
    """The counts with the date of the census, or with one for each country or round."""
    if time is not None:
        if rows.dates is not None or "time" in counts.coords:
            raise SchemaError(
                "time: the table has a column of dates; leave it out of columns=, or time="
            )
        return counts.assign_coords(time=decimal_year(time))
    if rows.dates is None:
        return counts
    if len(set(rows.dates)) == 1:
        return counts.assign_coords({"date" if "time" in counts.coords else "time": rows.dates[0]})
    dated = rows.dates[rows.detail]
    for dims in _DATED_BY:
        if not set(dims) <= set(counts.dims):
            continue
        dates = np.full([counts.sizes[dim] for dim in dims], np.nan)
        at = tuple(rows.labels[dim].place[rows.detail] for dim in dims)
        dates[at] = dated
        if (dates[at] == dated).all():
            return counts.assign_coords(date=(dims, dates))
    raise SchemaError(
        f"columns: 'date': expected one date for all, or for each country or round, got "
        f"{shown(sorted(set(rows.dates.tolist())))} within them; several censuses of a country are "
        "a dim: columns={'time': ...}, or {'round': ..., 'date': ...}"
    )


def _corrected(population: xr.DataArray, coverage: float | xr.DataArray) -> xr.DataArray:
    factor = as_number("coverage", coverage)
    shared = [dim for dim in factor.dims if dim in population.dims]
    check_labels_match({"table": population, "coverage": factor}, shared)
    return correct_coverage(population, factor)


def _moved(
    population: xr.DataArray,
    date: DateLike,
    growth: float | xr.DataArray | None,
    found: dict[str, xr.DataArray],
) -> xr.DataArray:
    """The population at another date, by growth rates or between two rounds."""
    then = decimal_year(date)
    several = next((dim for dim in ("time", "round") if dim in population.dims), None)
    if growth is None:
        for part, array in found.items():  # those of each round, beside one population
            if "time" in array.dims:
                found[part] = array.rename(time="round")
        return _between(population, several, then).assign_coords(time=then)
    if several is not None and population.sizes[several] > 1:
        raise SchemaError(
            f"growth: expected one round, got {population.sizes[several]} along {several!r}; "
            "without growth= the counts between them are found, or keep the rows of one"
        )
    name = next((name for name in ("date", "time") if name in population.coords), None)
    if name is None:
        raise IntervalError(
            "date: the table does not say when the census was; pass time=, or a column 'date'"
        )
    rates = as_number("growth", growth).drop_vars(["age_width", "time", "date"], errors="ignore")
    check_finite("growth", rates)
    fast = (abs(rates) > _FASTEST).values
    if fast.any():
        raise SchemaError(
            f"growth: expected rates a year near 0, got {float(rates.values[fast][0]):g} "
            f"({'; '.join(where(rates, fast))}); divide percentages by 100"
        )
    shared = [dim for dim in rates.dims if dim in population.dims]
    check_labels_match({"table": population, "growth": rates}, shared)
    began = population[name].reset_coords(drop=True)
    factor: Any = np.exp(rates * (then - began))
    people = population.drop_vars(["time", "date"], errors="ignore")
    moved: xr.DataArray = (people * factor).assign_attrs(population.attrs)
    added = [dim for dim in moved.dims if dim not in people.dims]
    moved = moved.transpose(*added, *people.dims)
    found["date_adjustment"] = named(moved - people, "date_adjustment")
    for part, array in found.items():
        found[part] = array.drop_vars(["time", "date"], errors="ignore")
    return moved.assign_coords(time=then)


def _between(population: xr.DataArray, dim: str | None, then: float) -> xr.DataArray:
    """The population at an instant between two rounds."""
    dated = population
    if dim is not None and "date" in population.coords and population["date"].dims == (dim,):
        dated = population.drop_vars("time", errors="ignore")
        dated = dated.rename({"date": "time"}).swap_dims({dim: "time"}).drop_vars(dim)
    if "time" not in dated.dims or "date" in dated.coords:
        raise SchemaError(
            "date: expected growth=, rates a year, to move one round, or rounds whose dates are "
            "the same for all, as a column 'time'; got "
            f"dims {tuple(population.dims)!r}"
        )
    first, last = float(dated["time"][0]), float(dated["time"][-1])
    if not first <= then <= last:
        raise IntervalError(
            f"date: expected a date between the rounds, {first:g} to {last:g}, got {then:g}; to go "
            "beyond them keep the rows of one round and pass growth="
        )
    return interpolate_rounds(dated, [then]).isel(time=0)
