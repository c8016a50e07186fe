"""Person records tabulated in little memory; ``python -m benchmarks.microdata`` has 20 million."""

from __future__ import annotations

import pytest

from . import microdata
from .measure import Check


def test_records_tabulated(sizes, check):
    pytest.importorskip("duckdb")
    pytest.importorskip("pyarrow")
    from . import inputs

    records = 3000 if sizes is inputs.SMOKE else 4_000_000
    found = microdata.measure(records)
    for taken in found.values():
        assert taken["total"] == pytest.approx(found["pandas"]["total"], rel=1e-9)
    of = f"{records / 1e6:g} million records"
    for name in ("ours", "with_errors"):
        peak, seconds = (found[name][key] for key in ("peak", "seconds"))
        check(Check(f"tabulate, {name}: memory, GB", of, peak / 1e9, microdata.LIMIT / 1e9))
        ratio = seconds / found["pandas"]["seconds"]
        if sizes is inputs.SMOKE:
            continue  # a few records take as long as the call itself
        check(Check(f"tabulate, {name}: time / pandas", of, ratio, 1.0 if name == "ours" else 10.0))
