"""Person records in Parquet tabulated, beside ``pandas.groupby``, each in a process of its own.

``python -m benchmarks.microdata [RECORDS]`` writes 20 million records, chunk by chunk, to a folder
that is deleted afterwards, and prints seconds, records a second, peak memory and the ratio of times
(below 1 is faster than pandas).
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from . import process

RECORDS = 20_000_000
LIMIT = 1e9
"""Bytes that the process may take."""
_CHUNK = 1_000_000
_PLACES = 40
_BY = ["country", "birthplace", "sex", "age"]


def write(folder: Path, records: int) -> None:
    """A file for each million records, and one of few in a folder of its own."""
    import duckdb
    import pandas as pd

    rng = np.random.default_rng(20)
    (folder / "few").mkdir()
    chunks = [("few/part", 1000)] + [
        (f"part{k:04}", min(_CHUNK, records - first))
        for k, first in enumerate(range(0, records, _CHUNK))
    ]
    first = 0
    for name, n in chunks:
        ages = np.minimum(rng.exponential(32, n).astype(np.int16), 100)
        households = (first + np.arange(n)) // 4
        frame = pd.DataFrame(
            {
                "SERIAL": households,
                "STRATA": (households % 100).astype(np.int16),
                "COUNTRY": rng.integers(0, 20, n, dtype=np.int16),
                "BPLCOUNTRY": rng.integers(0, _PLACES, n, dtype=np.int16),
                "SEX": rng.integers(1, 3, n, dtype=np.int16),
                "AGE": np.where(rng.random(n) < 0.005, 999, ages).astype(np.int16),
                "PERWT": rng.uniform(5, 20, n).round(2),
            }
        )
        con = duckdb.connect()
        con.register("chunk", frame)
        con.execute(f"COPY chunk TO '{folder}/{name}.parquet' (FORMAT parquet)")
        con.close()
        first += n


def ours(folder: str, errors: bool = False) -> float:
    """Persons of all cells."""
    import migproj as mp

    table = mp.census.tabulate(
        f"{folder}/*.parquet",
        by=_BY,
        weight="PERWT",
        columns={"country": "COUNTRY", "birthplace": "BPLCOUNTRY", "sex": "SEX", "age": "AGE"},
        codes={"sex": {1: "male", 2: "female"}},
        unknown={"age": [999]},
        **({"strata": "STRATA", "cluster": "SERIAL"} if errors else {}),
    )
    return float(table["population"].sum() + table["unknown_age"].sum())


def with_errors(folder: str) -> float:
    """The same with standard errors by strata and households."""
    return ours(folder, errors=True)


def pandas(folder: str) -> float:
    """The same sums by pandas, of all records at once."""
    import pandas as pd

    columns = ["COUNTRY", "BPLCOUNTRY", "SEX", "AGE", "PERWT"]
    people = pd.concat(
        [pd.read_parquet(path, columns=columns) for path in sorted(Path(folder).glob("*.parquet"))],
        ignore_index=True,
    )
    group = np.where(people["AGE"] == 999, -1, np.minimum(people["AGE"] // 5, 16))
    sums = people.groupby(["COUNTRY", "BPLCOUNTRY", "SEX", group])["PERWT"].sum()
    return float(sums.sum())


CONTENDERS = {run.__name__: run for run in (ours, with_errors, pandas)}


def measure(records: int = RECORDS) -> dict[str, dict[str, Any]]:
    """Seconds, peak bytes and the total of each contender."""
    with tempfile.TemporaryDirectory(prefix="migproj-bench-") as folder:
        process.fresh("benchmarks.microdata", "write", folder, str(records))
        return {name: process.fresh("benchmarks.microdata", name, folder) for name in CONTENDERS}


def main(*arguments: str) -> None:
    """Write or tabulate for a parent process, or measure all."""
    if arguments[:1] == ("write",):
        write(Path(arguments[1]), int(arguments[2]))
        print("{}")
    elif arguments and arguments[0] in CONTENDERS:
        CONTENDERS[arguments[0]](f"{arguments[1]}/few")  # loads the modules
        began = time.perf_counter()
        total = CONTENDERS[arguments[0]](arguments[1])
        seconds = time.perf_counter() - began
        print(json.dumps({"seconds": seconds, "peak": process.peak(), "total": total}))
    else:
        records = int(arguments[0]) if arguments else RECORDS
        found = measure(records)
        print(f"{records:,} records{'':12}{'s':>8}{'M records/s':>13}{'peak MB':>9}{'s/pandas':>9}")
        for name, taken in found.items():
            rate = records / taken["seconds"] / 1e6
            ratio = taken["seconds"] / found["pandas"]["seconds"]
            megabytes = taken["peak"] / 1e6
            print(f"{name:28}{taken['seconds']:8.2f}{rate:13.2f}{megabytes:9.0f}{ratio:9.2f}")


if __name__ == "__main__":
    main(*sys.argv[1:])
