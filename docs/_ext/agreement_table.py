"""The measured agreement with references, docs/agreement.csv, as tables.

``python -m docs._ext.agreement`` writes the file.
"""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

from docutils import nodes
from names_of_migproj import table_of
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

TABLE = Path(__file__).parents[1] / "agreement.csv"
HEAD = ["function", "case", "cells", "difference", "digits"]


class Agreement(SphinxDirective):
    """``{agreement} printed``: the rows of one part of the table."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Build the table."""
        self.env.note_dependency(str(TABLE))
        part = self.arguments[0]
        with TABLE.open(encoding="utf-8", newline="") as file:
            rows = [row for row in csv.DictReader(file) if row["part"] == part]
        if not rows:
            raise self.error(f"agreement: no rows of {part!r} in {TABLE.name}")
        return [table_of(HEAD, [_cells(row) for row in rows])]


def _cells(row: dict[str, str]) -> list[str]:
    """Digits that agree are of the largest figure."""
    size, unit, digits = row["difference"], row["unit"], ""
    if unit == "largest":
        found = float(size)
        digits = "all" if found < 1e-16 else str(math.floor(-math.log10(found)))
    if unit in ("largest", "1"):
        unit = ""
    return [row["function"], row["case"], f"{int(row['cells']):,}", f"{size} {unit}", digits]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_directive("agreement", Agreement)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
