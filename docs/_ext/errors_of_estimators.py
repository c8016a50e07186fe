"""A table of what estimators make of simulated rounds whose migration is known."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr
from docutils import nodes
from names_of_migproj import table_of
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import migproj as mp
from migproj.testing import SimulatedRounds, gompertz_makeham, simulate_rounds

AGES = range(0, 80, 5)
SEEDS = range(10)
#: Net migrants of each sex in a year, of about 4 million people: 5 per 1,000.
MIGRANTS = 10_000.0
SEXES = xr.DataArray([1.0, 1.4], dims="sex", coords={"sex": ["female", "male"]})
LEVELS = xr.DataArray([2e-5, 5e-5, 9e-5], dims="mortality", coords={"mortality": [83, 72, 64]})
INFANT = xr.DataArray([0.005, 0.03, 0.06], dims="mortality", coords=LEVELS.coords)
HEAD = [
    "estimator",
    "population",
    "total: bias",
    "total: error",
    "below 70: error",
    "70 and over: error",
]


@dataclass
class Errors:
    """Errors of one estimator, each as a share of the true total of its rounds."""

    total: list[np.ndarray] = field(default_factory=list)
    young: list[np.ndarray] = field(default_factory=list)
    old: list[np.ndarray] = field(default_factory=list)

    def add(self, net: xr.DataArray, truth: xr.DataArray) -> None:
        """Errors of all populations of one simulation."""
        if "age" not in net.dims:
            truth = truth.sum("age")
        error, migrants = (net - truth).sum("sex"), abs(truth.sum("sex"))
        if "age" not in net.dims:
            self.total.append((error / migrants).values.ravel())
            return
        self.total.append((error.sum("age") / migrants.sum("age")).values.ravel())
        for ages, found in ((slice(0, 69), self.young), (slice(70, None), self.old)):
            part = abs(error).sel(age=ages).sum("age") / migrants.sel(age=ages).sum("age")
            found.append(part.values.ravel())

    def cells(self) -> list[str]:
        """Percentages: the mean of the errors, and the means of their sizes."""
        total = np.concatenate(self.total)
        parts = [
            f"{100 * np.concatenate(p).mean():.1f} %" if p else "" for p in (self.young, self.old)
        ]
        return [f"{100 * total.mean():+.1f} %", f"{100 * abs(total).mean():.1f} %", *parts]


def _simulated(
    seed: int, years: float, growth: float, waves: float, sign: float
) -> SimulatedRounds:
    return simulate_rounds(
        [1990, 1990 + years],
        AGES,
        gompertz_makeham(level=LEVELS * SEXES, infant=INFANT),
        migration=sign * MIGRANTS,
        seed=seed,
        births=3e4,
        growth=growth,
        waves=waves,
    )


def _by_method(method: str, **options: Any) -> Callable[[SimulatedRounds], Any]:
    def estimate(made: SimulatedRounds) -> tuple[xr.DataArray, xr.DataArray]:
        births = None if "children" in options else made.births[0]
        result = mp.net_migration(
            *made.population, made.life_table, method=method, births=births, **options
        )
        truth = made.net_migration_by_age if method == "even" else made.net_migration
        return result["net_migration"], truth[0]

    return estimate


def _by_census(made: SimulatedRounds, other: SimulatedRounds) -> tuple[xr.DataArray, xr.DataArray]:
    """By the survival ratios of a nation of two regions, one of which gains from the other."""
    nation = [a + b for a, b in zip(made.population, other.population, strict=True)]
    nation = [n.assign_coords(time=p["time"]) for n, p in zip(nation, made.population, strict=True)]
    ratios = mp.census_survival_ratios(*nation)
    result = mp.net_migration(*made.population, ratios, method="average", children="none")
    truth = made.net_migration[0]
    return result["net_migration"].sel(age=slice(10, None)), truth.sel(age=slice(10, None))


def _vital(made: SimulatedRounds) -> tuple[xr.DataArray, xr.DataArray]:
    rounds = made.population
    return mp.net_migration_vital(*rounds, made.births[0], made.deaths[0]), made.net_migration[0]


ODD = 10.56
ESTIMATORS: dict[str, tuple[float, Callable[[SimulatedRounds], Any] | None]] = {
    "forward, end; 10 years": (10, _by_method("forward")),
    "reverse; 10 years": (10, _by_method("reverse")),
    "average; 10 years": (10, _by_method("average")),
    "midpoint; 10 years": (10, _by_method("midpoint")),
    "average, children by child-woman ratio; 10 years": (
        10,
        _by_method("average", children="child-woman"),
    ),
    "average, census survival ratios, from age 10; 10 years": (10, None),
    "vital statistics, total; 10 years": (10, _vital),
    "average; 10.56 years": (ODD, _by_method("average")),
    "midpoint; 10.56 years": (ODD, _by_method("midpoint")),
    "forward, end; 5 years": (5, _by_method("forward")),
    "average; 5 years": (5, _by_method("average")),
    "even, by age at the move; 5 years": (5, _by_method("even")),
}
STRUCTURES = {"stationary": (0.0, 0.0), "growing, with waves": (0.01, 0.1)}


def rows() -> Iterator[list[str]]:
    """A row an estimator and structure."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mp.DataQualityWarning)
        for structure, (growth, waves) in STRUCTURES.items():
            seeds = SEEDS if waves else range(1)
            made = {
                years: [
                    [_simulated(seed, years, growth, waves, sign) for sign in (1.0, -1.0)]
                    for seed in seeds
                ]
                for years in (5, 10, ODD)
            }
            for name, (years, estimate) in ESTIMATORS.items():
                errors = Errors()
                for gaining, losing in made[years]:
                    for own, other in ((gaining, losing), (losing, gaining)):
                        sign = 1.0 if own is gaining else -1.0
                        net, truth = estimate(own) if estimate else _by_census(own, other)
                        errors.add(sign * net, sign * truth)
                yield [name, structure, *errors.cells()]


class EstimatorErrors(SphinxDirective):
    """``{estimators}``: the table, simulated when the page is built."""

    def run(self) -> list[nodes.Node]:
        """Build the table."""
        return [table_of(HEAD, list(rows()))]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_directive("estimators", EstimatorErrors)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
