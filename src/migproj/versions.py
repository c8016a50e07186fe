"""The versions to report with a bug."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Final, TextIO

__all__ = ["show_versions"]

_PACKAGES: Final = (
    "migproj",
    "numpy",
    "scipy",
    "pandas",
    "xarray",
    "numba",
    # of the extras
    "click",
    "rich",
    "matplotlib",
    "h5netcdf",
    "h5py",
    "duckdb",
    "ipumspy",
    "openpyxl",
    "pyarrow",
    "pooch",
    "dask",
    "distributed",
    "zarr",
    "pydantic",
    "psutil",
)


def show_versions(file: TextIO | None = None) -> None:
    """Print the versions of Python, the platform and the packages that migproj uses.

    Parameters
    ----------
    file : text file, optional
        Where to print to. Default: standard output.

    Returns
    -------
    None
        Nothing is imported to find the versions; a package of an extra may be "not installed".

    Raises
    ------
    OSError
        If `file` cannot be written to.

    Examples
    --------
    >>> import migproj as mp
    >>> mp.show_versions()
    python        3...
    platform      ...
    migproj       ...
    """
    rows = {"python": platform.python_version(), "platform": platform.platform()}
    rows |= {name: _version(name) for name in _PACKAGES}
    for name, found in rows.items():
        print(f"{name:<13} {found}", file=sys.stdout if file is None else file)


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
