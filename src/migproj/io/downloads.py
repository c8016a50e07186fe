"""Public files, downloaded once and kept."""

from __future__ import annotations

import difflib
import os
import re
import tempfile
import warnings
from pathlib import Path
from typing import Any, Final

from migproj.errors import DataQualityWarning, SchemaError
from migproj.io._files import PathLike, require

__all__ = ["downloads", "fetch"]

_WPP: Final = (
    "https://population.un.org/wpp/assets/Excel%20Files/1_Indicator%20(Standard)/CSV_FILES/"
)
_STOCK: Final = "https://www.un.org/development/desa/pd/sites/www.un.org.development.desa.pd/files/"
_EUROSTAT: Final = (
    "https://ec.europa.eu/eurostat/api/dissemination/sdmx/2.1/data/migr_pop3ctb"
    "?format=SDMX-CSV&compressed=true"
)
#: Name to address. Checksums are not among them: the publishers state none and replace files in
#: place, so those of one release would refuse the next.
_FILES: Final[dict[str, str]] = {
    **{
        name: _WPP + name
        for name in (
            "WPP2024_Demographic_Indicators_Medium.csv.gz",
            "WPP2024_Fertility_by_Age1.csv.gz",
            "WPP2024_Fertility_by_Age5.csv.gz",
            "WPP2024_Life_Table_Abridged_Medium_1950-2023.csv.gz",
            "WPP2024_Life_Table_Abridged_Medium_2024-2100.csv.gz",
            "WPP2024_Population1JanuaryBySingleAgeSex_Medium_1950-2023.csv.gz",
            "WPP2024_PopulationByAge5GroupSex_Medium.csv.gz",
        )
    },
    **{
        name: _STOCK + name
        for name in (
            "undesa_pd_2020_ims_stock_by_age_sex_and_destination.xlsx",
            "undesa_pd_2020_ims_stock_by_sex_destination_and_origin.xlsx",
            "undesa_pd_2024_ims_stock_by_sex_destination_and_origin.xlsx",
        )
    },
    "migr_pop3ctb.csv.gz": _EUROSTAT,
}
#: www.un.org refuses the names that downloading programs give themselves.
_AGENT: Final = {"User-Agent": "Mozilla/5.0 (compatible; migproj)"}


_HEX: Final = re.compile("[0-9a-fA-F]{64}")


def downloads() -> list[str]:
    """Names of the files that :func:`fetch` knows.

    Returns
    -------
    list of str
        In alphabetical order.

    Examples
    --------
    >>> import migproj as mp
    >>> "WPP2024_Fertility_by_Age5.csv.gz" in mp.io.downloads()
    True
    """
    return sorted(_FILES)


def fetch(
    name: str,
    *,
    folder: PathLike | None = None,
    sha256: str | None = None,
    refresh: bool = False,
) -> Path:
    """Download a public file, once, and return where it is.

    The SHA-256 checksum of the first download is kept beside the file, in ``<name>.sha256`` (as
    ``sha256sum`` writes it and ``sha256sum --check`` reads it). The file is compared with it at
    every later use, and so is a new download where the file alone was deleted. Nothing else in
    migproj uses the network.

    Parameters
    ----------
    name : str
        One of :func:`downloads`.
    folder : str or path, optional
        Where files are kept; by default the user's cache folder for migproj.
    sha256 : str, optional
        Checksum that the file must have, 64 hexadecimal digits: that of the file that results
        were made from, say. By default that of the first download.
    refresh : bool, default False
        Download the file again and take it, and its checksum, in place of the one that is kept:
        the publishers revise their files.

    Returns
    -------
    pathlib.Path
        The file; one that is there already is not downloaded again.

    Raises
    ------
    SchemaError
        If there is no file of that name, `sha256` is no checksum, the kept checksum is unreadable,
        or the file has another checksum than expected. A download that has is not kept, and what
        was there before stays.
    ImportError
        Without pooch, in the extra ``io``.

    Warns
    -----
    DataQualityWarning
        If there is nothing yet to compare the file with (it was downloaded for the first time,
        without `sha256`), with the checksum to keep with results; or if `refresh` took a file
        that differs from the one kept.

    Examples
    --------
    >>> import migproj as mp
    >>> file = mp.io.fetch("WPP2024_Fertility_by_Age5.csv.gz")  # doctest: +SKIP
    >>> mp.io.read_wpp_fertility(file, countries=["ARG"], variant="Medium")  # doctest: +SKIP
    """
    if name not in _FILES:
        close = difflib.get_close_matches(str(name), _FILES)
        hint = f"Did you mean {close}? " if close else ""
        raise SchemaError(f"name: no file {name!r}. {hint}There are {downloads()}")
    if sha256 is not None and not _HEX.fullmatch(str(sha256)):
        raise SchemaError(
            f"sha256: expected the 64 hexadecimal digits that `sha256sum` prints, got {sha256!r}"
        )
    pooch = require("pooch", "mp.io.fetch")
    file = Path(pooch.os_cache("migproj") if folder is None else folder) / name
    beside = file.with_name(f"{name}.sha256")
    kept = _kept(beside, refresh=refresh)
    stated = sha256.lower() if sha256 else None
    expected = stated or (None if refresh else kept)
    if file.is_file() and not refresh:
        got = str(pooch.file_hash(str(file)))
        if expected not in (None, got):
            raise SchemaError(
                f"{file}: expected sha256 {expected} ({_origin(stated, beside)}), got {got}: the "
                "file was changed, damaged, or is of another release. Delete it to download it "
                "again; refresh=True takes what the publisher has now"
            )
    else:
        got = _download(pooch, file, expected, _origin(stated, beside))
    if got != kept:
        with tempfile.TemporaryDirectory(dir=file.parent) as scratch:
            line = Path(scratch) / beside.name
            line.write_text(f"{got}  {name}\n", encoding="ascii", newline="\n")
            os.replace(line, beside)
    if stated is None and kept is None:
        warnings.warn(
            f"{name}: its checksum is not known, so this first use is not verified; later ones "
            f"are, beside {beside.name}. To name this release: sha256={got!r}",
            DataQualityWarning,
            stacklevel=2,
        )
    elif refresh and stated is None and got != kept:
        warnings.warn(
            f"{name}: another file than before: its sha256 was {kept} and is {got}",
            DataQualityWarning,
            stacklevel=2,
        )
    return file


def _download(pooch: Any, file: Path, expected: str | None, origin: str) -> str:
    """Put the file in its place if its checksum is the expected one, and return that."""
    url = _FILES[file.name]
    pooch.get_logger().info("Downloading %s to %s", url, file)
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=file.parent) as scratch:
        new = Path(scratch) / file.name
        pooch.HTTPDownloader(headers=_AGENT)(url, str(new), None)
        got = str(pooch.file_hash(str(new)))
        if expected not in (None, got):
            raise SchemaError(
                f"{file.name}: expected sha256 {expected} ({origin}), got {got} from {url}: the "
                "publisher has revised the file, or it came damaged; it is not kept. To take this "
                f"release: refresh=True without sha256=; the other one has to be put at {file}"
            )
        os.replace(new, file)
    return got


def _kept(beside: Path, *, refresh: bool) -> str | None:
    """The checksum of the first download, none if there is none yet."""
    try:
        text = beside.read_text(encoding="ascii")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        text = ""
    digits = text[:64].lower()
    if _HEX.fullmatch(digits):
        return digits
    if refresh:  # makes it anew
        return None
    raise SchemaError(
        f"{beside}: expected 64 hexadecimal digits and the name of the file, got {text[:80]!r}. "
        "Delete it to take the file beside it as it is, or pass refresh=True to download both anew"
    )


def _origin(stated: str | None, beside: Path) -> str:
    return "sha256=" if stated else f"of the first download, in {beside.name}"
