"""One projection of many countries in a process of its own, which says what memory it took.

``python -m benchmarks.world COUNTRIES DRAWS STEPS AGES DTYPE`` prints one line of JSON. AGES is
a key of GROUPS.
"""

from __future__ import annotations

import json
import sys
import time
import warnings

import migproj as mp

from . import inputs, process

GROUPS = {"totals": ["0+"], "broad ages": ["0-14", "15-64", "65+"], "single ages": None}
QUANTILES = [0.025, 0.1, 0.5, 0.9, 0.975]


def project(given: inputs.Ensemble, groups: list[str] | None, dtype: str = "float64"):
    """Quantiles of the population."""
    return mp.project_population(
        given.population,
        given.survival,
        given.fertility,
        inputs.SEX_RATIO_AT_BIRTH,
        given.totals,
        migration_schedule=given.schedule,
        keep=["population"],
        age_groups=groups,
        quantiles=QUANTILES,
        dtype=dtype,
    )


def measure(countries: int, draws: int, steps: int, ages: str, dtype: str) -> dict[str, float]:
    """Seconds, and bytes: of inputs, results, and the most that a fresh process held at once."""
    arguments = (*map(str, (countries, draws, steps)), ages, dtype)
    return process.fresh("benchmarks.world", *arguments)


def main(countries: str, draws: str, steps: str, ages: str, dtype: str) -> None:
    """Project, and print what it took."""
    # Who falls below 0 in a country is said once for it; that is no matter here.
    warnings.simplefilter("ignore", mp.DataQualityWarning)
    given = inputs.ensemble(int(countries), int(draws), int(steps))
    project(inputs.ensemble(1, 2, 1), GROUPS[ages], dtype)  # loads the kernels
    began = time.perf_counter()
    result = project(given, GROUPS[ages], dtype)
    seconds = time.perf_counter() - began
    taken = {
        "seconds": seconds,
        "inputs": sum(array.nbytes for array in vars(given).values()),
        "results": result.nbytes,
        "peak": process.peak(),
    }
    print(json.dumps(taken))


if __name__ == "__main__":
    main(*sys.argv[1:])
