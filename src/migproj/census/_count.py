"""Weighted sums of records by the values of columns, and their sampling variance, in DuckDB."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from migproj.census._coding import Coding, Values
from migproj.census._sources import (
    Source,
    columns_of,
    count_rows,
    quoted,
    raise_unreadable,
)
from migproj.errors import MigprojError, SchemaError

if TYPE_CHECKING:
    import duckdb

__all__ = ["Counts", "check_columns", "check_total", "count", "variances", "weigh"]

#: The rounding that sums of weights may differ by, relative to their total.
_ROUNDING: Final = 1e-9
_MOST_CELLS: Final = 50_000_000
_MOST_LABELS: Final = 1_000_000
_BAD: Final = "w IS NULL OR NOT isfinite(w) OR w < 0"


@dataclass(frozen=True)
class Counts:
    """Persons and records of the cells that have any, and of all records.

    `cells` are places in an array of the `shape` of all labels.
    """

    shape: tuple[int, ...]
    cells: npt.NDArray[np.int64]
    persons: npt.NDArray[np.float64]
    records: npt.NDArray[np.int64]
    total: float
    total_records: int

    def spread(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Values of the cells as an array of all, 0 elsewhere.

        Raises
        ------
        SchemaError
            If the array would be too large.
        """
        if math.prod(self.shape) > _MOST_CELLS:
            raise _too_many(self.shape)
        array = np.zeros(math.prod(self.shape), dtype=values.dtype)
        array[self.cells] = values
        return array.reshape(self.shape)


def _too_many(shape: Sequence[int]) -> SchemaError:
    return SchemaError(
        f"by: expected at most {_MOST_CELLS:,} cells, got {' x '.join(map(str, shape))}; leave out "
        "a dim, or give labels of wider categories: codes={...}"
    )


def check_columns(
    con: duckdb.DuckDBPyConnection, source: Source, wanted: Mapping[str, str]
) -> None:
    """The columns are there, in every file; `wanted` says what each is for."""
    for column, use in wanted.items():
        if column in source.columns:
            alike = [name for name in source.columns if name.casefold() == column.casefold()]
            if len(alike) > 1:
                # DuckDB does not tell capitals apart, and would take the first.
                raise SchemaError(
                    f"{source.called()}: expected one column {column!r} for {use}, got {alike!r}; "
                    "rename those that differ in capitals alone, or not at all"
                )
            continue
        lacks = [name for name in source.files if column not in columns_of(con, source, name)]
        where = f"records: {lacks[0]}" if lacks else "records"
        names = columns_of(con, source, lacks[0]) if lacks else source.columns
        rows = count_rows(con, source, lacks[:1])
        raise SchemaError(
            f"{where} ({rows} rows): expected the column {column!r} for {use}, got "
            f"{list(names)[:12]!r}{' ...' if len(names) > 12 else ''}; name it: "
            f"{_how_to_name(use)}"
        )


def _how_to_name(use: str) -> str:
    return f"{use}='COLUMN'" if use.isidentifier() else f"columns={{{use.split()[-1]}: 'COLUMN'}}"


def weigh(
    con: duckdb.DuckDBPyConnection, source: Source, columns: Sequence[str], weight: str | None
) -> None:
    """Make the table ``sums``: persons and records by the values of the columns, and in all.

    One pass over the records. Sums are compensated (fsum), whatever the order of the threads.

    Raises
    ------
    SchemaError
        If a file cannot be read, or a weight is missing, negative or infinite.
    """
    import duckdb

    keys = [f"d{k}" for k in range(len(columns))]
    read = ", ".join(f"{quoted(c)} AS {key}" for c, key in zip(columns, keys, strict=True))
    persons, bad = ("count(*)::DOUBLE", "0") if weight is None else ("fsum(w)", _BAD)
    value = "" if weight is None else f", {source.number(weight)} AS w"
    by = ", ".join(keys)
    query = (
        f"CREATE TEMP TABLE sums AS SELECT {by}, {persons} AS persons, count(*) AS records, "
        f"count(*) FILTER (WHERE {bad}) AS bad, grouping({keys[0]}) = 1 AS whole "
        f"FROM (SELECT {read}{value} FROM {source.relation()}) "
        f"GROUP BY GROUPING SETS (({by}), ())"
    )
    try:
        con.execute(query)
    except duckdb.Error as error:
        raise_unreadable(con, source, [*columns, *([weight] if weight else [])], error)
    ((records, wrong),) = con.execute("SELECT records, bad FROM sums WHERE whole").fetchall()
    if records == 0:
        raise SchemaError(f"{source.called()}: 0 rows; the selection before this call kept nothing")
    if wrong and weight is not None:
        raise _bad_weights(con, source, weight, int(wrong), int(records))


def _bad_weights(
    con: duckdb.DuckDBPyConnection, source: Source, weight: str, wrong: int, records: int
) -> SchemaError:
    value = quoted(weight)
    for name in source.files or ("",):
        files = [name] if name else None
        found = con.execute(
            f"SELECT row, value FROM (SELECT row_number() OVER () AS row, {value} AS value, "
            f"{source.number(weight)} AS w FROM {source.relation(files)}) WHERE {_BAD} "
            "ORDER BY row LIMIT 5"
        ).fetchall()
        if found:
            break
    rows = ", ".join(f"row {row}: {value!r}" for row, value in found)
    return SchemaError(
        f"records{f': {name}' if name else ''}: column {weight!r} (weight): expected weights of 0 "
        f"or more, got {wrong:,} of {records:,} rows that are negative, missing or no numbers "
        f"(rows from 1: {rows}); mend them, or leave these rows out of the records"
    )


def count(
    con: duckdb.DuckDBPyConnection,
    codings: Mapping[str, Callable[[Values], Coding]],
) -> tuple[list[Coding], Counts]:
    """Sums of ``sums`` by the labels of each dim, checked against the total.

    The table ``m0`` has for each value of the first column its place, and so on.

    Raises
    ------
    SchemaError
        If a dim has too many different values, or all dims too many cells.
    """
    coded = []
    for k, (name, coding) in enumerate(codings.items()):
        con.execute(
            f"CREATE TEMP TABLE v{k} AS SELECT value, records, row_number() OVER () - 1 AS id FROM "
            f"(SELECT d{k} AS value, sum(records)::BIGINT AS records FROM sums WHERE NOT whole "
            f"GROUP BY d{k} ORDER BY d{k} NULLS LAST)"
        )
        ((different,),) = con.execute(f"SELECT count(*) FROM v{k}").fetchall()
        if different > _MOST_LABELS:
            raise SchemaError(
                f"by: {name!r}: expected at most {_MOST_LABELS:,} different values, got "
                f"{different:,}; is it an identifier? Leave it out of by="
            )
        values = con.execute(f"SELECT value, records FROM v{k} ORDER BY id").fetchall()
        coded.append(coding(values))
        con.register("places", pd.DataFrame({"place": coded[-1].places}).reset_index(names="id"))
        con.execute(
            f"CREATE TEMP TABLE m{k} AS SELECT value, place FROM v{k} JOIN places USING (id)"
        )
        con.unregister("places")
    shape = tuple(coding.size for coding in coded)
    if math.prod(shape) > np.iinfo(np.int64).max:  # cells are numbered
        raise _too_many(shape)
    cell, joins = _cell(shape, "sums")
    found = con.execute(
        f"SELECT {cell} AS cell, fsum(persons) AS persons, sum(records)::BIGINT AS records FROM "
        f"sums {joins} WHERE NOT whole GROUP BY cell ORDER BY cell"
    ).fetchnumpy()
    ((total, records),) = con.execute("SELECT persons, records FROM sums WHERE whole").fetchall()
    counts = Counts(
        shape,
        np.asarray(found["cell"], dtype=np.int64),
        np.asarray(found["persons"], dtype=np.float64),
        np.asarray(found["records"], dtype=np.int64),
        float(total),
        int(records),
    )
    check_total(counts)
    return coded, counts


def check_total(counts: Counts) -> None:
    """Every record is in one cell, and the persons of all cells are those of all records.

    Raises
    ------
    MigprojError
        If they are not: the records changed while they were read, or this is wrong.
    """
    records, persons = int(counts.records.sum()), float(counts.persons.sum())
    if records != counts.total_records or abs(persons - counts.total) > _ROUNDING * counts.total:
        raise MigprojError(
            f"records: {counts.total_records:,} rows of {counts.total:.15g} persons came in, but "
            f"{records:,} rows of {persons:.15g} are in the table"
        )


def variances(
    con: duckdb.DuckDBPyConnection,
    source: Source,
    columns: Sequence[str],
    counts: Counts,
    weight: str | None,
    strata: str | None,
    cluster: str | None,
) -> npt.NDArray[np.float64]:
    """Sampling variance of the persons in each of the cells of `counts`.

    Raises
    ------
    SchemaError
        If a stratum or a cluster is missing, or a stratum has one cluster only.
    """
    keys = ", ".join(f"{quoted(column)} AS d{k}" for k, column in enumerate(columns))
    stratum = quoted(strata) if strata else "0"
    cell, joins = _cell(counts.shape, "r")
    persons = source.number(weight) if weight else "1.0"
    # Without clusters each record is one.
    unit = quoted(cluster) if cluster else "0"
    for name, column in (("strata", strata), ("cluster", cluster)):
        if column:
            _check_none_missing(con, source, name, column)
    read = f"SELECT {keys}, {stratum} AS s, {unit} AS c, {persons} AS w FROM {source.relation()}"
    if cluster:
        parts = (
            "SELECT s, cell, t FROM (SELECT s, c, cell, fsum(w) AS t FROM r GROUP BY s, c, cell)"
        )
        units = "count(DISTINCT c)"
    else:
        parts, units = "SELECT s, cell, w AS t FROM r", "count(*)"
    con.execute(
        f"CREATE TEMP TABLE strata AS SELECT s, {units} AS n FROM (SELECT {stratum} AS s, {unit} "
        f"AS c FROM {source.relation()}) GROUP BY s"
    )
    _check_clusters(con, source, strata, cluster)
    found = con.execute(
        f"WITH r AS (SELECT s, c, {cell} AS cell, w FROM ({read}) AS r {joins}), "
        f"parts AS ({parts}), totals AS (SELECT s, cell, fsum(t) AS total, "
        "fsum(t * t) AS squares FROM parts GROUP BY s, cell) SELECT cell, "
        # Of equal clusters the difference is rounding, of either sign.
        "fsum(n / (n - 1) * greatest(squares - total * total / n, 0)) AS variance "
        "FROM totals JOIN strata USING (s) GROUP BY cell ORDER BY cell"
    ).fetchnumpy()
    # The cells are those of the first pass, in the same order.
    assert np.array_equal(found["cell"], counts.cells)
    return np.asarray(found["variance"], dtype=np.float64)


def _check_none_missing(
    con: duckdb.DuckDBPyConnection, source: Source, name: str, column: str
) -> None:
    value = quoted(column)
    query = (
        f"SELECT count(*) FROM {source.relation()} WHERE {value} IS NULL "
        # What is missing in a column of floats may be NaN.
        f"OR (typeof({value}) IN ('FLOAT', 'DOUBLE') AND isnan(TRY_CAST({value} AS DOUBLE)))"
    )
    ((missing,),) = con.execute(query).fetchall()
    if missing:
        raise SchemaError(
            f"{source.called()}: column {column!r} ({name}): expected a value in each row, got "
            f"{missing:,} rows without; every record is in the design of the sample: mend them"
        )


def _check_clusters(
    con: duckdb.DuckDBPyConnection, source: Source, strata: str | None, cluster: str | None
) -> None:
    single = con.execute("SELECT s FROM strata WHERE n < 2 ORDER BY s LIMIT 5").fetchall()
    if single:
        unit = f"values of {cluster!r} (cluster)" if cluster else "records"
        names = [name for (name,) in single]
        where = f"in each stratum of {strata!r}" if strata else "in all"
        raise SchemaError(
            f"{source.called()}: expected 2 or more {unit} {where}, got 1 in {names!r}: one says "
            "nothing of how they differ; join these strata to similar ones"
        )


def _cell(shape: Sequence[int], table: str) -> tuple[str, str]:
    """The place of a row in the array of all cells, and the joins that it needs."""
    strides = [math.prod(shape[k + 1 :]) for k in range(len(shape))]
    cell = " + ".join(f"m{k}.place * {stride}" for k, stride in enumerate(strides))
    joins = " ".join(
        f"JOIN m{k} ON {table}.d{k} IS NOT DISTINCT FROM m{k}.value" for k in range(len(shape))
    )
    return cell, joins
