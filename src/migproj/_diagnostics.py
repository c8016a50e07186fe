"""One DataQualityWarning a call, naming labels. On lazy input the counts are the only channel."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence

import numpy as np
import xarray as xr

from migproj._checks import where
from migproj.conventions import VARIABLES
from migproj.errors import DataQualityWarning

__all__ = ["above_one", "counted", "finding", "warn_findings"]


def finding(what: str, flags: xr.DataArray, mend: str = "") -> str:
    """``what`` with how many cells are flagged, the labels of the first five and a mend, or ""."""
    if flags.chunks is not None:
        return ""
    count = np.count_nonzero(flags.values)
    if count == 0:
        return ""
    more = f"; and {count - 5} more" if count > 5 else ""
    last = f" ({mend})" if mend else ""
    if flags.ndim == 0:
        return f"{what}{last}"
    return f"{what} in {count} cell(s): {'; '.join(where(flags, flags.values))}{more}{last}"


def counted(
    what: str,
    count: xr.DataArray | xr.Variable,
    flags: Callable[[], xr.DataArray],
    mend: str = "",
) -> str:
    """``what`` of the flagged cells, looked for only where a kernel counted any."""
    if count.chunks is not None or not count.values.any():
        return ""
    return finding(what, flags(), mend)


def above_one(survival: xr.DataArray, *over: str) -> tuple[xr.Variable, str]:
    """How many survival ratios are above 1, summed over groups (and `over`), and which."""
    flags = survival > 1
    summed = [dim for dim in ("period", "sex", "age", *over) if dim in flags.dims]
    count = flags.variable.sum(summed)
    count.attrs["units"] = VARIABLES["n_survival_above_one"].units
    return count, finding("survival ratios above 1", flags)


def warn_findings(caller: str, findings: Sequence[str]) -> None:
    """Warn once of everything that was found."""
    found = [text for text in findings if text]
    if found:
        warnings.warn(f"{caller}: " + ". ".join(found), DataQualityWarning, stacklevel=3)
