"""Public files, downloaded once and kept."""

from __future__ import annotations

import difflib
import warnings
from pathlib import Path
from typing import Final

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
#: Name to address and, where it is known, checksum (sha256:...). The publishers state none and
#: replace files in place.
_FILES: Final[dict[str, tuple[str, str | None]]] = {
    **{
        name: (_WPP + name, None)
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
        name: (_STOCK + name, None)
        for name in (
            "undesa_pd_2020_ims_stock_by_age_sex_and_destination.xlsx",
            "undesa_pd_2020_ims_stock_by_sex_destination_and_origin.xlsx",
            "undesa_pd_2024_ims_stock_by_sex_destination_and_origin.xlsx",
        )
    },
    "migr_pop3ctb.csv.gz": (_EUROSTAT, None),
}
#: www.un.org refuses the names that downloading programs give themselves.
_AGENT: Final = {"User-Agent": "Mozilla/5.0 (compatible; migproj)"}


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


def fetch(name: str, *, folder: PathLike | None = None) -> Path:
    """Download a public file, once, and return where it is.

    Nothing else in migproj uses the network.

    Parameters
    ----------
    name : str
        One of :func:`downloads`.
    folder : str or path, optional
        Where files are kept; by default the user's cache folder for migproj.

    Returns
    -------
    pathlib.Path
        The file; one that is there already is not downloaded again.

    Raises
    ------
    SchemaError
        If there is no file of that name.
    ImportError
        Without pooch, in the extra ``io``.

    Warns
    -----
    DataQualityWarning
        If the file's checksum is not known, so that a damaged or a changed file goes unnoticed.
        The publishers state no checksums, and none is made up here; ``pooch.file_hash`` gives
        that of the file received, to be kept with results.

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
    pooch = require("pooch", "mp.io.fetch")
    url, checksum = _FILES[name]
    if checksum is None:
        warnings.warn(
            f"{name}: its checksum is not known, so the file is not verified; pooch.file_hash "
            "of it tells two downloads apart",
            DataQualityWarning,
            stacklevel=2,
        )
    kept = pooch.retrieve(
        url,
        known_hash=checksum,
        fname=name,
        path=pooch.os_cache("migproj") if folder is None else Path(folder),
        downloader=pooch.HTTPDownloader(headers=_AGENT),
    )
    return Path(kept)
