"""Records as DuckDB reads them: files of CSV, Parquet and fixed width, and frames in memory."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import glob
import gzip
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

from migproj.errors import SchemaError

if TYPE_CHECKING:
    import duckdb

__all__ = [
    "Field",
    "FixedFiles",
    "Source",
    "columns_of",
    "connection",
    "count_rows",
    "quoted",
    "raise_unreadable",
    "source_of",
    "with_columns",
]

#: What separates the fields of a CSV file; the one that splits its header most often.
_DELIMITERS: Final = ",;\t|"
_CSV: Final = (".csv", ".tsv", ".txt")
_PARQUET: Final = (".parquet", ".pq")


def quoted(name: str) -> str:
    """A name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def text(value: str) -> str:
    """A string as SQL writes it."""
    return "'" + value.replace("'", "''") + "'"


@contextlib.contextmanager
def connection(memory_limit: str, threads: int | None) -> Iterator[duckdb.DuckDBPyConnection]:
    """DuckDB in memory, which writes what is over its limit into a folder that is then removed."""
    try:
        import duckdb
    except ImportError as error:
        raise ImportError(
            "records are read by duckdb, which is not installed: pip install 'migproj[io]'"
        ) from error
    with tempfile.TemporaryDirectory(prefix="migproj-") as folder:
        # Views must not come from variables of the caller that happen to have a name of ours.
        config: dict[str, Any] = {"temp_directory": folder, "python_enable_replacements": False}
        con = duckdb.connect(config=config)
        try:
            _set(con, "memory_limit", memory_limit)
            if threads is not None:
                _set(con, "threads", threads)
            yield con
        finally:
            con.close()


def _set(con: duckdb.DuckDBPyConnection, name: str, value: Any) -> None:
    import duckdb

    try:
        con.execute(f"SET {name} = {text(str(value))}")
    except duckdb.Error as error:
        raise SchemaError(
            f"{name}: expected such as {'400MB' if name == 'memory_limit' else '2'!r}, got "
            f"{value!r}; {_first_line(error)}"
        ) from None


@dataclass(frozen=True)
class Source:
    """Records in memory: a pandas frame or a pyarrow table."""

    frame: Any = None
    files: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()

    #: Whether every value is text, numbers too.
    is_text = False

    def prepare(self, con: duckdb.DuckDBPyConnection) -> None:
        """Make the records known to a connection."""
        if self.frame is not None:
            con.register("records", self.frame)

    def relation(self, files: Sequence[str] | None = None, *, lenient: bool = False) -> str:
        """What stands after FROM: all files, or some; `lenient`: without lines that have faults."""
        return "records"

    def number(self, column: str) -> str:
        """The value of a column as a number; missing if it is none."""
        # A cast of a column of text alone would be left to the reader, which fails at text.
        value = f"trim({quoted(column)})" if self.is_text else quoted(column)
        return f"TRY_CAST({value} AS DOUBLE)"

    def called(self) -> str:
        """The records, as messages call them."""
        if not self.files:
            return "records"
        more = f" and {len(self.files) - 1} more" if len(self.files) > 1 else ""
        return f"records: {self.files[0]}{more}"


@dataclass(frozen=True)
class ParquetFiles(Source):
    """Parquet files, all with the columns needed."""

    def relation(self, files: Sequence[str] | None = None, *, lenient: bool = False) -> str:
        """``read_parquet``."""
        return f"read_parquet([{_listed(files or self.files)}])"


@dataclass(frozen=True)
class CsvFiles(Source):
    """CSV files with one header; every value is read as text, so that no zero is lost."""

    delimiter: str = ","
    is_text = True

    def relation(self, files: Sequence[str] | None = None, *, lenient: bool = False) -> str:
        """``read_csv``."""
        columns = ", ".join(f"{text(name)}: 'VARCHAR'" for name in self.columns)
        return (
            f"read_csv([{_listed(files or self.files)}], auto_detect=false, header=true, "
            f"delim={text(self.delimiter)}, quote='\"', escape='\"', columns={{{columns}}}, "
            f"ignore_errors={str(lenient).lower()})"
        )


@dataclass(frozen=True)
class Field:
    """A variable of a fixed-width file: its first and last place, from 1, and its decimals."""

    name: str
    first: int
    last: int
    decimals: int = 0
    is_number: bool = True

    @property
    def sql(self) -> str:
        """The value; blanks are missing."""
        value = f"nullif(trim(substr(line, {self.first}, {self.last - self.first + 1})), '')"
        if not self.is_number:
            return f"{value} AS {quoted(self.name)}"
        # Some numbers are written with their point; the others have decimals implied.
        whole = f"CAST({value} AS DOUBLE)"
        number = (
            f"CASE WHEN contains({value}, '.') THEN {whole} ELSE {whole} / 1e{self.decimals} END"
            if self.decimals
            else f"CAST({value} AS BIGINT)"
        )
        return f"{number} AS {quoted(self.name)}"


@dataclass(frozen=True)
class FixedFiles(Source):
    """Files of lines in which each variable has its places."""

    fields: tuple[Field, ...] = ()
    encoding: str = "utf-8"

    def relation(self, files: Sequence[str] | None = None, *, lenient: bool = False) -> str:
        """Lines, cut; DuckDB cuts only the fields that a query uses."""
        fields = ", ".join(entry.sql for entry in self.fields)
        least = max(entry.last for entry in self.fields)
        short = (
            "false"
            if lenient
            else f"error('expected lines of {least} places or more, got ' || length(line) || "
            "' in ' || line)"
        )
        # A file of lines is a CSV file of one column: what would end a field does not occur.
        return (
            f"(SELECT {fields} FROM read_csv([{_listed(files or self.files)}], auto_detect=false, "
            "header=false, delim='\x01', quote='', escape='', columns={'line': 'VARCHAR'}, "
            f"encoding={text(self.encoding)}) WHERE line IS NOT NULL "
            f"AND CASE WHEN length(line) < {least} THEN {short} ELSE true END)"
        )


def source_of(records: Any) -> Source:
    """Files by path or pattern, or a frame."""
    if isinstance(records, str | Path):
        return _files([records])
    if isinstance(records, list | tuple):
        return _files(records)
    package = type(records).__module__.partition(".")[0]
    if package == "pandas" and hasattr(records, "columns"):
        names = tuple(records.columns)
        if not names:
            raise SchemaError("records: expected columns, got a frame without any")
        odd = [name for name in names if not isinstance(name, str)]
        if odd:
            raise SchemaError(
                f"records: expected columns named by text, got {odd[:5]!r}; name them: "
                "records.columns = [...]"
            )
        if not names:
            raise SchemaError("records: expected columns, got none; give the frame of records")
        return Source(frame=records, columns=names)
    if package == "pyarrow" and hasattr(records, "column_names"):
        return Source(frame=records, columns=tuple(records.column_names))
    if package == "polars" and hasattr(records, "to_arrow"):
        return Source(frame=records.to_arrow(), columns=tuple(records.columns))
    mend = "; collect it first: records.collect()" if hasattr(records, "collect") else ""
    raise SchemaError(
        "records: expected paths of CSV or Parquet files, a pandas or polars DataFrame or a "
        f"pyarrow Table, got {type(records).__name__}{mend}"
    )


def _files(given: Sequence[Any]) -> Source:
    """All files of paths and patterns, in the order given, those of a pattern by name."""
    files: list[str] = []
    for path in given:
        name = str(path)
        if Path(name).is_dir():
            raise SchemaError(f"records: {name} is a folder; give its files: '{name}/*.parquet'")
        found = [name] if Path(name).is_file() else sorted(glob.glob(name, recursive=True))
        if not found:
            raise SchemaError(f"records: no file {name} (seen from {Path.cwd()}); mend the path")
        files += found
    if not files:
        raise SchemaError("records: expected files, got an empty list")
    twice = sorted({name for name in files if files.count(name) > 1})
    if twice:
        raise SchemaError(f"records: expected each file once, got {twice[:5]} repeatedly")
    kinds = {name: _kind(name) for name in files}
    if len(set(kinds.values())) > 1:
        raise SchemaError(
            f"records: expected files of one kind, got {sorted(set(kinds.values()))}; tabulate "
            "them one by one and add the tables"
        )
    if kinds[files[0]] == "parquet":
        return ParquetFiles(files=tuple(files))
    return _csv_files(files)


def _kind(name: str) -> str:
    bare = name.lower().removesuffix(".gz")
    if bare.endswith(_CSV):
        return "csv"
    if bare.endswith(_PARQUET) and bare == name.lower():
        return "parquet"
    raise SchemaError(
        f"records: {name}: expected a name that ends in {', '.join((*_CSV, *_PARQUET))} (or .gz "
        "after those of text); rename it, or read it into a frame"
    )


def _csv_files(files: Sequence[str]) -> CsvFiles:
    """CSV files, whose headers must agree."""
    first, *others = files
    header, delimiter = _header(first)
    for name in others:
        other, _ = _header(name)
        if other != header:
            raise SchemaError(
                f"records: {name}: expected the header of {first}, {header[:8]}, got {other[:8]}; "
                "tabulate files that differ one by one"
            )
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise SchemaError(
            f"records: {first}: expected each column once in the header, got {twice[:5]} twice"
        )
    return CsvFiles(files=tuple(files), columns=tuple(header), delimiter=delimiter)


def _header(name: str) -> tuple[list[str], str]:
    reads: Any = gzip.open if name.lower().endswith(".gz") else open
    try:
        with reads(name, "rt", encoding="utf-8-sig") as file:
            line = file.readline().rstrip("\r\n")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise SchemaError(
            f"records: {name}: 0 rows read, its header is not text in UTF-8 ({error}); save it as "
            "UTF-8, or fetch it again"
        ) from None
    if not line:
        raise SchemaError(f"records: {name}: 0 rows, the file has no header; write it again")
    delimiter = max(_DELIMITERS, key=line.count)
    names = next(csv.reader([line], delimiter=delimiter))
    # The index of a frame is written without a name.
    return [name or f"column{k}" for k, name in enumerate(names)], delimiter


def with_columns(con: duckdb.DuckDBPyConnection, source: Source) -> Source:
    """The source with the columns that all its files have."""
    if not isinstance(source, ParquetFiles):
        return source
    found = [columns_of(con, source, name) for name in source.files]
    shared = tuple(name for name in found[0] if all(name in names for names in found))
    return dataclasses.replace(source, columns=shared)


def columns_of(con: duckdb.DuckDBPyConnection, source: Source, name: str) -> tuple[str, ...]:
    """The columns of one file."""
    import duckdb

    if not isinstance(source, ParquetFiles):
        return source.columns
    try:
        found = con.execute(f"SELECT * FROM {source.relation([name])} LIMIT 0").description
    except duckdb.Error as error:
        raise _unreadable(con, source, name, error) from None
    return tuple(column[0] for column in found or ())


def count_rows(con: duckdb.DuckDBPyConnection, source: Source, files: Sequence[str]) -> int | None:
    """How many records can be read of some files."""
    import duckdb

    try:
        found = con.execute(f"SELECT count(*) FROM {source.relation(files, lenient=True)}")
    except duckdb.Error:
        return None
    return int(found.fetchall()[0][0])


def raise_unreadable(
    con: duckdb.DuckDBPyConnection, source: Source, columns: Sequence[str], error: Exception
) -> NoReturn:
    """Say which file, and which column of it, cannot be read."""
    import duckdb

    for name in source.files:
        for column in columns:
            try:
                con.execute(
                    f"SELECT bit_xor(hash({quoted(column)})) FROM {source.relation([name])}"
                )
            except duckdb.OutOfMemoryException:
                break
            except duckdb.Error as found:
                raise _unreadable(con, source, name, found, column) from None
    if isinstance(error, duckdb.OutOfMemoryException):
        raise SchemaError(
            f"memory_limit: too low for these records: {_first_line(error)}; give more, or fewer "
            "columns in by="
        ) from None
    raise SchemaError(f"{source.called()}: cannot be read: {_first_line(error)}") from None


def _unreadable(
    con: duckdb.DuckDBPyConnection,
    source: Source,
    name: str,
    error: Exception,
    column: str | None = None,
) -> SchemaError:
    rows = count_rows(con, source, [name])
    what = f"column {column!r}: " if column else ""
    if rows is None:
        others = [other for other in source.files if other != name]
        counted = count_rows(con, source, others) if others else None
        held = "0 rows" + ("" if counted is None else f", {counted} of the other files")
    else:
        held = f"{rows} rows stated or without a fault"
    return SchemaError(
        f"records: {name}: {what}cannot be read to its end ({held}): {_first_line(error)}; write "
        "or fetch the file again, or leave it out of records="
    )


def _listed(files: Sequence[str]) -> str:
    # DuckDB takes names as patterns too.
    return ", ".join(text(glob.escape(name)) for name in files)


def _first_line(error: Exception) -> str:
    # It quotes the line of the file, of whatever length.
    lines = [line.strip()[:200] for line in str(error).splitlines() if line.strip()]
    return "; ".join(lines[:3])
