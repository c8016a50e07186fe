"""Extracts of IPUMS International, by their codebook."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any, Final
from xml.etree import ElementTree

from migproj.census._coding import UNKNOWN
from migproj.census._request import Records
from migproj.census._sources import Field, FixedFiles, Source, source_of
from migproj.errors import SchemaError

__all__ = ["read_ipums"]

#: The dims that variables of IPUMS International are; others keep the name of the variable.
_DIMS: Final = {
    "country": "COUNTRY",
    "year": "YEAR",
    "sample": "SAMPLE",
    "sex": "SEX",
    "age": "AGE",
    "birthplace": "BPLCOUNTRY",
    "nativity": "NATIVITY",
    "citizenship": "CITIZEN",
    "arrival_year": "YRIMM",
    "migration_status_5": "MIGRATE5",
    "residence_5": "MIGCTRY5",
    "education": "EDATTAIN",
    "marital_status": "MARST",
    "employment": "EMPSTAT",
    "children_born": "CHBORN",
    "children_surviving": "CHSURV",
}
#: Variables that are numbers, whatever their labels say beside it ("1 year", "30+").
_NUMBERS: Final = frozenset({"AGE", "CHBORN", "CHSURV"})
#: Codes that mean unknown also where a codebook does not say so.
_ALWAYS_UNKNOWN: Final = {"AGE": (999,), "SEX": (9,)}

_WORD: Final = r"(unknown|missing|not reported|not stated|no response|illegible|suppressed)"
_UNKNOWN: Final = re.compile(rf"(response )?{_WORD}((\s*/\s*|, | or ){_WORD})*", re.IGNORECASE)
_NOT_ASKED: Final = re.compile(r"NIU\b.*|not in universe", re.IGNORECASE)
_LEADING: Final = re.compile(r"\s*(\d+)")
_NONE: Final = re.compile(r"(no|none|less than)\b", re.IGNORECASE)


def read_ipums(
    ddi: str | Path, data: str | Path | None = None, *, weight: str | None = "PERWT"
) -> Records:
    """An extract of IPUMS International, ready to tabulate.

    Reads the codebook alone; the records stay in their file until they are tabulated.

    Parameters
    ----------
    ddi : path
        The codebook of the extract (DDI, ``.xml``).
    data : path, optional
        The records (``.dat``, ``.csv``, either with ``.gz``, or ``.parquet``); by default the file
        that the codebook names, beside it.
    weight : str, optional
        The variable of weights; None counts rows.

    Returns
    -------
    Records
        For :func:`tabulate` and :func:`children_ever_born`, with the dims ``country`` (COUNTRY),
        ``year`` (YEAR), ``sample`` (SAMPLE), ``sex`` (SEX), ``age`` (AGE), ``birthplace``
        (BPLCOUNTRY), ``nativity`` (NATIVITY), ``citizenship`` (CITIZEN), ``arrival_year`` (YRIMM),
        ``migration_status_5`` (MIGRATE5), ``residence_5`` (MIGCTRY5), ``education`` (EDATTAIN),
        ``marital_status`` (MARST), ``employment`` (EMPSTAT), ``children_born`` (CHBORN) and
        ``children_surviving`` (CHSURV); other variables are dims by their own name.

    Raises
    ------
    SchemaError
        If the codebook cannot be read, its file of records is not there, or the extract is
        hierarchical or lacks the weight.
    ImportError
        If ipumspy is not installed.

    Notes
    -----
    Places, types and implied decimals (two in PERWT) are those of the codebook, and so are the
    labels: those found in the records, in the order of the codes. What is labelled unknown,
    missing, not reported or not stated, and the codes AGE 999 and SEX 9, are ``"unknown"``. Those
    not asked (NIU) keep their label, but in numbers (AGE, CHBORN, CHSURV) they are unknown.
    Tables carry the ``citation`` and the ``doi`` that IPUMS asks for as attributes.

    References
    ----------
    Ruggles et al., *Integrated Public Use Microdata Series, International*, University of
    Minnesota; DDI Alliance, *DDI Codebook 2.5*.

    Examples
    --------
    >>> import migproj as mp
    >>> extract = mp.census.read_ipums("ipumsi_00001.xml")  # doctest: +SKIP
    >>> by = ["country", "birthplace", "sex", "age"]
    >>> stocks = mp.census.tabulate(extract, by=by)  # doctest: +SKIP
    """
    path = Path(ddi)
    book, categories = _codebook(path)
    described = book.file_description
    if described.structure != "rectangular":
        raise SchemaError(
            f"ddi: {path}: expected a rectangular extract, one row a person, got one that is "
            f"{described.structure}; ask IPUMS for rectangular records of persons"
        )
    variables = {entry.name: entry for entry in book.data_description}
    if weight is not None and weight not in variables:
        raise SchemaError(
            f"weight: the extract {path} has no {weight!r} among {list(variables)[:12]!r}; "
            "weight=None counts rows"
        )
    file = _data_file(path, described.filename, data)
    dims = {dim: name for dim, name in _DIMS.items() if name in variables}
    dims |= {name: name for name in variables}
    codes: dict[str, dict[int | str, Any]] = {}
    unknown: dict[str, tuple[Any, ...]] = {}
    for dim, name in dims.items():
        found = _codes(name, categories[name][1])
        if found:
            codes[dim] = found
        if name in _ALWAYS_UNKNOWN:
            unknown[dim] = _ALWAYS_UNKNOWN[name]
    return Records(
        source=_source(file, book),
        columns=dims,
        codes=codes,
        unknown=unknown,
        continuous=frozenset(dim for dim, name in dims.items() if categories[name][0]),
        weight=weight,
        attrs={
            "source": f"{book.ipums_collection} {described.filename}",
            "citation": " ".join(str(book.ipums_citation).split()),
            "doi": str(book.ipums_doi or "").removeprefix("DOI:"),
        },
    )


def _codebook(path: Path) -> tuple[Any, dict[str, tuple[bool, dict[int | str, str]]]]:
    """The codebook, and of each variable whether it is continuous, and its labels by code."""
    try:
        from ipumspy import fileutils, readers
    except ImportError as error:
        raise ImportError(
            "codebooks of IPUMS are read by ipumspy, which is not installed: "
            "pip install 'migproj[io]'"
        ) from error
    try:
        with warnings.catch_warnings():
            # What to cite goes into the attributes of every table.
            warnings.simplefilter("ignore", readers.CitationWarning)
            book = readers.read_ipums_ddi(path)
        with fileutils.xml_opener(path) as file:
            root = ElementTree.parse(file).getroot()
    except (
        *(OSError, ElementTree.ParseError, AttributeError, KeyError, ValueError),
        NotImplementedError,
    ) as error:
        raise SchemaError(
            f"ddi: {path}: expected the codebook of an IPUMS extract (DDI, .xml): "
            f"{type(error).__name__}: {error}; fetch it again"
        ) from None
    # ipumspy keeps one code a label, but codes may share one.
    categories: dict[str, tuple[bool, dict[int | str, str]]] = {}
    for entry in root.findall("./{*}dataDscr/{*}var"):
        labels = {
            _code(group.findtext("{*}catValu", "")): group.findtext("{*}labl", "").strip()
            for group in entry.findall("{*}catgry")
        }
        name = entry.attrib["name"]
        categories[name] = (entry.get("intrvl") == "contin" or name in _NUMBERS, labels)
    return book, categories


def _code(text: str) -> int | str:
    return int(text) if re.fullmatch(r"-?\d+", text.strip()) else text.strip()


def _codes(variable: str, labels: dict[int | str, str]) -> dict[int | str, Any]:
    """What the codes of a variable mean, in the library's terms."""
    meanings: dict[int | str, Any] = {}
    for code, label in sorted(labels.items(), key=lambda entry: (str(type(entry[0])), entry[0])):
        if _UNKNOWN.fullmatch(label) or (variable in _NUMBERS and _NOT_ASKED.fullmatch(label)):
            meanings[code] = UNKNOWN
        elif variable in _NUMBERS:
            number = _LEADING.match(label)
            meanings[code] = int(number[1]) if number else 0 if _NONE.match(label) else code
        elif label == str(code):  # years
            meanings[code] = code
        else:
            meanings[code] = label.lower() if variable == "SEX" else label
    return meanings


def _data_file(ddi: Path, named: str, data: str | Path | None) -> Path:
    """The file of records: the one given, or the one that the codebook names."""
    wanted = Path(data) if data is not None else ddi.parent / named
    for file in (wanted, wanted.with_name(f"{wanted.name}.gz"), wanted.with_suffix("")):
        if file.is_file():
            return file
    raise SchemaError(
        f"data: no file {wanted} (or {wanted.name}.gz) of the records that {ddi} describes; put it "
        "beside the codebook, or give its path"
    )


def _source(file: Path, book: Any) -> Source:
    if ".dat" not in file.suffixes:
        return source_of(file)
    fields = tuple(
        Field(
            name=entry.name,
            first=entry.start + 1,
            last=entry.end,
            decimals=entry.shift or 0,
            is_number=entry.python_type is not str,
        )
        for entry in book.data_description
    )
    charset = book.file_description.encoding
    return FixedFiles(
        files=(str(file),),
        columns=tuple(entry.name for entry in fields),
        fields=fields,
        encoding="latin-1" if charset == "iso-8859-1" else charset,
    )
