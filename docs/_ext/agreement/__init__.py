"""How far migproj is from printed figures and other programs, for docs/validation.md.

``python -m docs._ext.agreement`` in the checkout computes every case anew from the reference folder
(MIGPROJ_REFERENCE, see CONTRIBUTING.md) and writes docs/agreement.csv, which the page shows. The
inputs are read as in the golden tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

TABLE = Path(__file__).parents[2] / "agreement.csv"


@dataclass
class Row:
    """One comparison."""

    part: str  # of the page
    case: str
    function: str
    cells: int
    difference: float  # the largest
    unit: str  # "largest": of the largest figure of the other side; else the unit itself


def relative(part: str, case: str, function: str, *pairs: tuple[Any, Any]) -> Row:
    """The largest difference of some pairs (ours, theirs), each over its largest figure."""
    found, cells = 0.0, 0
    for ours, theirs in pairs:
        a, b = np.asarray(ours, float), np.asarray(theirs, float)
        assert a.shape == b.shape, (case, a.shape, b.shape)
        known = np.isfinite(b)
        assert np.isfinite(a[known]).all(), case
        found = max(found, np.abs(a - b)[known].max() / np.abs(b[known]).max())
        cells += int(known.sum())
    return Row(part, case, function, cells, found, "largest")


def absolute(part: str, case: str, function: str, ours: Any, theirs: Any, unit: str) -> Row:
    """The largest difference in the unit of the figures."""
    a, b = np.broadcast_arrays(np.asarray(ours, float), np.asarray(theirs, float))
    return Row(part, case, function, a.size, float(np.abs(a - b).max()), unit)
