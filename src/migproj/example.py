"""The main job on packaged data: New England 1950-60 by division of birth.

Two census rounds give net migration by birthplace and age; the migrant stocks of the second
are carried forward with the same survival ratios and the net migration repeated.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import xarray as xr

from migproj.ages import age_coords, groups_of, regroup_ages
from migproj.datasets import load
from migproj.errors import DataQualityWarning
from migproj.io import write_netcdf, write_tidy
from migproj.netmigration import net_migration
from migproj.stocks import project_stocks
from migproj.survival import census_survival_ratios

__all__ = ["ESTIMATORS", "Example", "run"]

ESTIMATORS: Final = ("forward", "reverse", "average", "midpoint")
#: The census of 1960 divided into groups as wide as the step.
_GRID: Final = age_coords(["10-19", "20-29", "30-39", "40-49", "50-59", "60-69", "70+"])
_BORN: Final = {"race": "white", "sex": ["male"]}


@dataclass(frozen=True)
class Example:
    """What the main job makes, each on its own age groups, and what it was warned of."""

    start: xr.DataArray
    end: xr.DataArray
    survival: xr.DataArray
    estimates: xr.Dataset  # net_migration and expected, with the dim estimator
    stocks: xr.Dataset
    warned: tuple[str, ...]
    sources: tuple[str, ...]

    def tables(self) -> dict[str, xr.Dataset]:
        """Every result as a Dataset, by the name of the file it is written to."""
        net = self.estimates.assign(survival=self.survival)
        return {
            "census_1950": self.start.to_dataset(name="population"),
            "census_1960": self.end.to_dataset(name="population"),
            "net_migration": net,
            "stocks": self.stocks,
        }

    def write(self, folder: Path) -> list[Path]:
        """Write each table as tidy CSV and as NetCDF; return the files."""
        folder.mkdir(parents=True, exist_ok=True)
        files = []
        for name, table in self.tables().items():
            files += [folder / f"{name}.csv", folder / f"{name}.nc"]
            write_tidy(table, files[-2], missing="drop")
            write_netcdf(table, files[-1])
        return files


def run(estimator: str, horizon: int) -> Example:
    """Estimate net migration 1950-60 and project the stocks of 1960 to `horizon`.

    The stocks are projected so that the chosen estimate is used as it was made: forward
    migrants join at the end of each decade; reverse migrants, counted at its start, survive
    it; average and midpoint migrants come in its middle.
    """
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", DataQualityWarning)
        tables = {name: load(name) for name in ("new_england_1950", "new_england_1960", "us_1950")}
        start, end = (tables[f"new_england_{year}"]["population"] for year in (1950, 1960))
        nation = [load(f"us_{year}")["population"].sel(_BORN, drop=True) for year in (1950, 1960)]
        survival = census_survival_ratios(*nation)
        which = xr.DataArray(
            np.array(ESTIMATORS, dtype=object),
            dims="estimator",
            coords={"estimator": list(ESTIMATORS)},
        )
        estimates = net_migration(start, end, survival, method=which)
        estimates = estimates.transpose("estimator", "birthplace", "sex", "age")
        stocks = _project(
            end, survival, estimates["net_migration"].sel(estimator=estimator), horizon
        )
    return Example(
        start,
        end,
        survival,
        estimates,
        stocks,
        tuple(dict.fromkeys(str(warning.message) for warning in caught)),
        tuple(dict.fromkeys(f"{t.attrs['source']}, {t.attrs['table']}" for t in tables.values())),
    )


def _project(
    end: xr.DataArray, survival: xr.DataArray, net: xr.DataArray, horizon: int
) -> xr.Dataset:
    estimator = str(net["estimator"].item())
    timing = "midpoint" if estimator in ("average", "midpoint") else "end"
    if estimator == "reverse":
        net = net * survival
    return project_stocks(
        regroup_ages(end, groups_of(_GRID, "grid").labels),
        _on_grid(survival),
        net_migration=_on_grid(net.drop_vars(["estimator", "period"])),
        timing=timing,
        steps=(horizon - 1960) // 10,
    )


def _on_grid(array: xr.DataArray) -> xr.DataArray:
    """Ages 20+ as they are; what leads to 10-19 is unknown, for nobody under 10 was counted."""
    wide = array.sel(age=_GRID["age"]).where(_GRID["age"] >= 20)
    return wide.drop_vars(["age_start", "age_width"], errors="ignore").assign_coords(_GRID)
