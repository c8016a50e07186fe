"""What migproj raises and warns.

Every message says which variable, which dim, what was expected, what came, the first
offenders and how to mend it.
"""

from __future__ import annotations

import xarray as xr

__all__ = [
    "AlignmentError",
    "DataQualityWarning",
    "IntervalError",
    "MigprojError",
    "SchemaError",
]


class MigprojError(Exception):
    """Base of every error that migproj raises."""


class SchemaError(MigprojError, ValueError):
    """One input is not what it should be: its dims, labels, type or values."""


class AlignmentError(MigprojError, xr.AlignmentError):
    """Two inputs do not carry the same labels on a dim they share."""


class IntervalError(MigprojError, ValueError):
    """Dates or an interval that cannot be used with these age groups."""


class DataQualityWarning(UserWarning):
    """The data are usable but suspicious; nothing was changed in them."""
