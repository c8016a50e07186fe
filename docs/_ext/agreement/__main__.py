"""``python -m docs._ext.agreement``: measure everything and write the table."""

from __future__ import annotations

import csv
import os
import warnings
from dataclasses import astuple, fields
from pathlib import Path

import migproj as mp

from . import TABLE, Row, demotools, engines, migest, printed

MEASURES = (
    printed.manuals,
    printed.workbooks,
    printed.world,
    engines.projections,
    migest.estimates,
    migest.flows,
    migest.fits,
    migest.indices,
    demotools.life_tables,
    demotools.age_groups,
    demotools.migrants,
)


def main() -> None:
    """Measure everything and write the table."""
    beside = TABLE.parents[1] / "../shared/reference"
    folder = Path(os.environ.get("MIGPROJ_REFERENCE", beside)).resolve()
    # Doubtful cells of the references are named in the golden tests.
    warnings.simplefilter("ignore", mp.DataQualityWarning)
    rows = [row for measure in MEASURES for row in measure(folder)]
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([field.name for field in fields(Row)])
        for row in rows:
            *labels, difference, unit = astuple(row)
            writer.writerow([*labels, f"{difference:.2g}", unit])
    print(f"{len(rows)} comparisons in {TABLE.name}")


if __name__ == "__main__":
    main()
