"""Projections by other engines: ccmppWPP, demCore, bayesPop."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from tests.golden import test_ccm as ccm

import migproj as mp

from . import Row, relative


def projections(folder: Path) -> Iterator[Row]:
    """Cohort components of the same inputs."""
    part, function = "projection", "project_population"
    for timing in ("even", "end"):
        result, _, column = ccm.projected_sweden(folder, timing)
        yield relative(
            part,
            f"ccmppWPP, Sweden 1993, {timing}",
            function,
            (result["population"].isel(time=1), column(f"run_{timing}_pop_count_age_{{}}_end")),
            (
                result["deaths_cohort"].isel(period=0),
                column(f"run_{timing}_death_count_cohort_{{}}"),
            ),
        )
    yield from _canada(folder / "ccm/a_canada")
    for country, name in (("thailand", "Thailand 1960-2000"), ("burkina_faso", "Burkina Faso")):
        theirs, ours = _demcore(folder / "ccm/c_demcore", country)
        yield relative(part, f"demCore, {name}", function, (ours, theirs))
    for file in ccm.FILES:
        yield _bayespop(folder / f"ccm/d_bayespop/{file}.json.gz")


def _canada(folder: Path) -> Iterator[Row]:
    by = ["time", "sex", "age"]
    table = pd.read_csv(folder / "inputs_age_sex.csv.gz").set_index(by).to_xarray()
    table = table.rename(time="period").assign_coords(mp.age_coords(table["age"].values))
    asfr = pd.read_csv(folder / "asfr.csv.gz").set_index(["time", "age"]).to_xarray()["asfr"]
    srb = pd.read_csv(folder / "srb.csv").set_index("time").to_xarray()["srb"]
    base = pd.read_csv(folder / "base_pop_1950.csv").set_index(["sex", "age"]).to_xarray()["pop"]
    base = base.assign_coords(mp.age_coords(base["age"].values)).assign_coords(time=1950)
    for tables in ("in", "out"):
        for timing in ("even", "end"):
            result = mp.project_population(
                base,
                table[f"{tables}_Sx"],
                asfr.rename(time="period"),
                srb.rename(time="period"),
                table["mig"],
                timing=timing,
                births_exposure="ccmpp",
                separation=ccm.separation(table[f"{tables}_nLx"], table[f"{tables}_lx"], 1),
            )

            def theirs(name: str, *by: str, run: str = f"run_{tables}LT_{timing}") -> xr.Dataset:
                return pd.read_csv(folder / f"{run}_{name}.csv.gz").set_index(list(by)).to_xarray()

            people = theirs("pop", "time", "sex", "age")["pop"]
            deaths = theirs("deaths", "time", "sex", "age")
            yield relative(
                "projection",
                f"ccmppWPP, Canada 1950-2020 by single years, {timing}, {tables}put life tables",
                "project_population",
                (result["population"].sel(time=people["time"]), people),
                (
                    result["births"].sum("sex"),
                    theirs("births_by_mother_age", "time", "age")["births"],
                ),
                (result["deaths_cohort"], deaths["cohort"]),
                (result["deaths"], deaths["period"]),
            )


def _demcore(folder: Path, country: str) -> tuple[np.ndarray, np.ndarray]:
    """Theirs and ours at the end of each period, stepped as in the golden test."""
    survival, proportion, asfr, srb, base, theirs = (
        ccm.demcore(folder, country, name)
        for name in ("survival", "net_migration", "asfr", "srb", "baseline", "OUT_population")
    )
    ages = mp.age_coords(range(0, 90, 5))
    grid = ages["age"].values
    people = base.isel(time=0, drop=True).reindex(age=grid, fill_value=0).assign_coords(ages)
    proportion = proportion.reindex(age=grid, method="ffill")
    fertility = asfr.sel(age=asfr["age"][(asfr > 0).any("period")])
    found = []
    for p in range(survival.sizes["period"]):
        S, M, f, ratio = (
            array.isel(period=p, drop=True) for array in (survival, proportion, fertility, srb)
        )
        migrants = people * M.assign_coords(ages)
        result = mp.project_population(people, S.assign_coords(ages), f, ratio, migrants)
        people = result["population"].isel(time=1, drop=True).assign_coords(ages)
        found.append(mp.regroup_ages(people, range(0, 85, 5)).values)
    return theirs.isel(time=slice(1, None)).transpose("time", ...).values, np.stack(found)


def _bayespop(path: Path) -> Row:
    """All counts and observed cases where the kernel lifts nobody out of nothing."""
    setup = ccm.BayesPop(path)
    pairs: list[tuple[Any, Any]] = []
    for name in ("counts_even", "counts_end", "zero", "negative_counts_even"):
        migration, timing, outputs = setup.case(name)
        theirs = ccm.both(outputs, "pop")
        if (np.isclose(theirs, 0.0005, atol=1e-9) & (timing == "end")).any():
            continue
        result = mp.project_population(
            setup.population,
            setup.survival,
            setup.fertility,
            setup.ratio,
            migration,
            timing=timing,
            births_exposure="ccmpp",
            separation=setup.separation,
        )
        pairs += [
            (result["population"].transpose("sex", "age", "time"), theirs),
            (
                result["births"].transpose("sex", "mother_age", "period"),
                ccm.both(outputs, "btage"),
            ),
            (result["deaths"].transpose("sex", "age", "period"), ccm.both(outputs, "deaths")),
        ]
    cases = len(pairs) // 3
    name = f"bayesPop's C kernel, {path.name.removesuffix('.json.gz')}, {cases} cases of counts"
    return relative("projection", name, "project_population", *pairs)
