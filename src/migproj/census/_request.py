"""What a call asks of records: dims, the columns they are read from, and what codes mean."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from migproj.census._coding import UNKNOWN, Coding, Dimension, Values, code_labels
from migproj.census._count import check_columns
from migproj.census._sources import Source, connection, source_of, with_columns
from migproj.conventions import FEMALE, MALE
from migproj.errors import SchemaError

if TYPE_CHECKING:
    import duckdb

__all__ = [
    "Codes",
    "Records",
    "Request",
    "Unknown",
    "label_coding",
    "names_of_dims",
    "opened",
    "request",
]

Codes: TypeAlias = Mapping[str, Mapping[Any, Any]]
Unknown: TypeAlias = Mapping[str, Iterable[Any]]

#: These come last among the dims.
_LAST: Final = ("sex", "age")


@dataclass(frozen=True)
class Records:
    """Person records with what is known of them, as :func:`read_ipums` returns them.

    :func:`tabulate` uses these where it is not given others.

    Parameters
    ----------
    source : Source
        Where the records are.
    columns : mapping
        The column that each dim is read from.
    codes : mapping
        What the codes of each dim mean.
    unknown : mapping
        The codes of each dim that stand for unknown.
    continuous : frozenset of str
        The dims of which a value without a code stands for itself.
    weight : str or None
        The column of weights.
    attrs : mapping
        What the tables carry: title, citation.
    """

    source: Source = field(repr=False)
    columns: Mapping[str, str] = field(default_factory=dict)
    codes: Codes = field(default_factory=dict, repr=False)
    unknown: Unknown = field(default_factory=dict)
    continuous: frozenset[str] = frozenset()
    weight: str | None = None
    attrs: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Request:
    """Records, the dims wanted of them, the column of weights, and attrs of the result."""

    source: Source
    dims: tuple[Dimension, ...]
    weight: str | None
    attrs: Mapping[str, str]

    @property
    def columns(self) -> list[str]:
        """The columns of the dims."""
        return [dim.column for dim in self.dims]

    def needed(self, **more: str | None) -> dict[str, str]:
        """The columns needed, and what each is for."""
        own = {dim.column: f"the dim {dim.name!r}" for dim in self.dims}
        others: dict[str, Any] = {"weight": self.weight, **more}
        for name, column in others.items():
            if column is not None and not isinstance(column, str):
                raise SchemaError(f"{name}: expected the name of a column, got {column!r}")
        return own | {column: name for name, column in others.items() if column}


def names_of_dims(by: Any, taken: Iterable[str]) -> list[str]:
    """The dims of `by`, which must not have the names of what the table holds beside them.

    Raises
    ------
    SchemaError
        If `by` is no list of names, or a name is taken.
    """
    names = None if isinstance(by, str) or not isinstance(by, Iterable) else list(by)
    if names is None or not all(isinstance(name, str) for name in names):
        raise SchemaError(
            f"by: expected names of dims such as ['birthplace', 'sex', 'age'], got {by!r}"
        )
    odd = [name for name in names if name in taken]
    if odd:
        raise SchemaError(
            f"by: {odd} would be dims and something else in the table; call them otherwise: "
            f"by=['my_{odd[0]}', ...], columns={{'my_{odd[0]}': {odd[0]!r}}}"
        )
    return names


def request(
    records: Any,
    by: Sequence[str],
    weight: str | None,
    columns: Mapping[str, str] | None,
    codes: Codes | None,
    unknown: Unknown | None,
) -> Request:
    """The request of a call, dims in the order of results.

    Raises
    ------
    SchemaError
        If `records`, `by` or a mapping is not what it should be.
    """
    twice = sorted({name for name in by if list(by).count(name) > 1})
    if twice:
        raise SchemaError(f"by: expected each dim once, got {twice} repeatedly")
    known = records if isinstance(records, Records) else Records(source_of(records))
    names = dict(known.columns) | dict(_mapping("columns", columns))
    meanings = _mapping("codes", codes)
    missing = dict(known.unknown) | dict(_mapping("unknown", unknown))
    dims = tuple(
        Dimension(
            name,
            names.get(name, name),
            meanings.get(name, known.codes.get(name)),
            _values_of("unknown", name, missing.get(name, ())),
            name in meanings,
            name in known.continuous and name not in meanings,
        )
        for name in sorted(by, key=lambda name: _LAST.index(name) if name in _LAST else -1)
    )
    return Request(known.source, dims, weight or known.weight, known.attrs)


def _mapping(name: str, given: Any) -> Mapping[str, Any]:
    """A mapping by dim, of which the values are checked where they are used."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise SchemaError(
            f"{name}: expected a mapping by dim such as {{'sex': ...}}, got "
            f"{type(given).__name__} {given!r}"
        )
    if name == "codes":
        for dim, codes in given.items():
            if not isinstance(codes, Mapping) or not codes:
                raise SchemaError(
                    f"codes: {dim!r}: expected a mapping such as {{1: 'male', 2: 'female'}}, got "
                    f"{codes!r}"
                )
    return given


def _values_of(name: str, dim: str, given: Any) -> tuple[Any, ...]:
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise SchemaError(
            f"{name}: {dim!r}: expected a list of codes such as [99, 999], got {given!r}"
        )
    return tuple(given)


@contextlib.contextmanager
def opened(
    asked: Request, memory_limit: str, threads: int | None, **more: str | None
) -> Iterator[tuple[duckdb.DuckDBPyConnection, Source]]:
    """A connection to the records, which have the columns asked for."""
    with connection(memory_limit, threads) as con:
        asked.source.prepare(con)
        source = with_columns(con, asked.source)
        check_columns(con, source, asked.needed(**more))
        yield con, source


def label_coding(dim: Dimension, source: Source, values: Values) -> Coding:
    """Labels of a dim; those of sex are the library's own.

    Raises
    ------
    SchemaError
        If a value has no code, or there is a sex of another name.
    """
    coding = code_labels(dim, values, source.called(), is_text=source.is_text)
    known = [label in (FEMALE, MALE, UNKNOWN) for label in coding.labels]
    if dim.name == "sex" and not all(known):
        odd = [value for (value, _), k in zip(values, coding.places, strict=True) if not known[k]]
        raise SchemaError(
            f"{source.called()}: column {dim.column!r} ('sex'): expected {FEMALE!r}, {MALE!r} and "
            f"{UNKNOWN!r}, got {odd[:5]!r}; say what the codes mean: codes={{'sex': "
            f"{{{odd[0]!r}: {MALE!r}, ...}}}}"
        )
    return coding
