"""Printed figures: manuals, workbooks, and the UN's World Population Prospects 2019."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from benchmarks import wpp2019
from tests.golden import test_ccm as ccm
from tests.golden import test_published as golden
from tests.golden import test_smoothing as smoothing
from tests.golden import test_wpp2019 as wpp

import migproj as mp
from migproj.datasets import load

from . import Row, absolute
from .demotools import agesex, base_population


def manuals(folder: Path) -> Iterator[Row]:
    """Worked examples of net migration."""
    persons = "persons"

    def row(case: str, function: str, ours: Any, theirs: Any, unit: str = persons) -> Row:
        return absolute("printed", case, function, ours, theirs, unit)

    bombay = load("bombay_1941_1951")
    rounds = [load(f"bombay_{year}")["population"] for year in (1941, 1951)]
    net = mp.net_migration(*rounds, bombay["survival"], method="forward")["net_migration"]
    name = "Bombay 1941-51, UN Manual VI (1970), table 24"
    yield row(f"{name}: rows", "net_migration", net, bombay["net_migration"])
    yield row(f"{name}: total", "net_migration", net.sum(), 562_043)

    manila = load("manila_1960_1970")
    start, end, ratios = golden.manila()
    name = "Manila 1960-70, UN (1992), table 6"
    known = {"age": slice(10, None)}
    yield row(
        f"{name}: survival ratios",
        "census_survival_ratios",
        ratios.sel(known),
        manila["survival"].squeeze().sel(known),
        "1",
    )
    net = mp.net_migration(start, end, ratios, method="forward", children="child-woman")
    net, theirs = net["net_migration"].squeeze(), manila["net_migration"].squeeze()
    yield row(f"{name}: from age 10", "net_migration", net.sel(known), theirs.sel(known))
    for age in (0, 5):
        yield row(
            f"{name}: {age}-{age + 4}", "net_migration", net.sel(age=age), theirs.sel(age=age)
        )

    alabama = load("alabama_1960_1970")
    rounds = [load(f"alabama_{year}")["population"] for year in (1960, 1970)]
    for method, column in (("forward", "net_migration"), ("average", "net_migration_average")):
        net = mp.net_migration(
            *rounds,
            alabama["survival"],
            births=alabama["births"].sel(age=[0, 5]),
            method=method,
        )["net_migration"]
        name = f"Alabama 1960-70, Bogue et al. (1982), {method}"
        theirs = alabama[column].transpose(*net.dims)
        yield row(f"{name}: rows", "net_migration", net, theirs)
        totals = alabama[f"{column}_total"].transpose(*(d for d in net.dims if d != "age"))
        yield row(f"{name}: totals", "net_migration", net.sum("age"), totals)

    start, end, ratios = golden.new_england()
    rows = pd.read_csv(folder / "published/un_manual6_new_england_birthplace_residual_calc.csv")
    at = {
        "birthplace": xr.DataArray(rows["birthplace"].str.strip().to_numpy(), dims="row"),
        "age": xr.DataArray(
            rows["age_1960"].str.extract(r"^(\d+)", expand=False).astype(int).to_numpy(),
            dims="row",
        ),
    }
    name = "New England 1950-60, UN Manual VI, tables 8-10 (recomputed, to 0.1)"
    for method in ("forward", "reverse", "average"):
        net = mp.net_migration(start, end, ratios, method=method)["net_migration"].squeeze("sex")
        yield row(f"{name}, {method}", "net_migration", net.sel(at), rows[f"net_{method}"])

    india = load("india_1921_1931")
    rows = pd.read_csv(folder / "published/zachariah_india_males_1921_1931_birthplace_totals.csv")
    at = {
        "state": xr.DataArray(rows["state"].to_numpy(), dims="row"),
        "direction": xr.DataArray(rows["location"].to_numpy(), dims="row"),
    }
    for method in ("forward", "reverse", "average"):
        net = mp.net_migration(
            india["population"].sel(time=1921),
            india["population"].sel(time=1931),
            india["survival"],
            method=method,
            children="arrivals",
        )["net_migration"].squeeze(["age", "sex"])
        name = f"India 1921-31, Zachariah (1964) (recomputed, to 0.01), {method}"
        yield row(name, "net_migration", net.sel(at), rows[f"net_{method}"])


def workbooks(folder: Path) -> Iterator[Row]:
    """A textbook's projection, and workbooks of the U.S. Census Bureau (PAS)."""
    part = "printed"
    result, _, column = ccm.projected_sweden(folder, "even")
    yield absolute(
        part,
        "Sweden 1993, Preston et al. (2001), box 6.2",
        "project_population",
        result["population"].isel(time=1),
        column("pop_count_age_{}_end"),
        "persons",
    )
    got = base_population(folder, "bpe")[0].isel(age=slice(3)).round()
    theirs = [(13587, 48101, 55882), (13679, 47967, 55721)]
    name = "BASEPOP workbook of PAS (rounded)"
    yield absolute(part, name, "base_population", got, theirs, "persons")

    workbooks = folder / "demotools/smooth"
    people = smoothing.counts(workbooks, "pasex")
    table = pd.read_csv(workbooks / "published_pas_rounded.csv")
    for case, rows in table[~table["case"].str.endswith("_tails")].groupby("case"):
        method = smoothing.METHODS[str(case).removeprefix("smooth_age_5_")][0]
        theirs = rows["published"].to_numpy()
        known = np.isfinite(theirs)
        ours = mp.smooth_ages(people, method=method).values
        name = f"AGESMTH workbook of PAS, {method}"
        yield absolute(part, name, "smooth_ages", ours[known], theirs[known], "persons")

    both = agesex(folder)
    ratios = mp.indicators.age_ratio_score(both)
    ours = [
        ratios.sel(sex="male"),
        ratios.sel(sex="female"),
        mp.indicators.sex_ratio_score(both),
        mp.indicators.age_sex_accuracy(both),
    ]
    name = "AGESEX workbook of PAS: scores"
    yield absolute(part, name, "indicators", ours, [3.907, 3.655, 2.249, 14.308], "1")

    given = pd.read_csv(folder / "demotools/lifetable/abridged_in.csv")
    given = given.query("dataset == 'PAS_LTPOPDTH'")
    ages = mp.age_coords(given["age"].astype(int).tolist())
    rates = given["nMx"].to_numpy(float).copy()
    rates[0] = 0.1 / (1 - 0.1 * (1 - 0.33))  # its infant mortality of 0.1
    lived = np.array([0.33, 1.5577, *[2.5] * (len(rates) - 3), 1 / rates[-1]])  # North
    rates, lived = (xr.DataArray(column, dims="age", coords=ages) for column in (rates, lived))
    table = mp.life_table(rates.assign_coords(sex="male"), a0=0.33, ax=lived)
    name = "LTPOPDTH workbook of PAS: e(x) (two decimals)"
    yield absolute(part, name, "life_table", table["ex"], given["ex_published"], "years")


def world(folder: Path) -> Iterator[Row]:
    """Life expectancies, total net migration, and populations projected again."""
    part = "WPP 2019"
    data = wpp2019.load(folder)
    mx = wpp.death_rates(data)
    seen = mp.life_table(mx)["ex"].sel(age=0, drop=True).isel(period=slice(14))
    theirs = wpp.clean(data["e0"]).isel(period=slice(14)).transpose(*seen.dims)
    size = np.abs(seen - theirs).values
    name = "life expectancy at birth 1950-2020, 201 countries"
    for what, figure, unit in (
        (f"{name}: difference, median", np.median(size), "years"),
        (f"{name}: difference, 99 %", np.percentile(size, 99), "years"),
        (f"{name}: difference, largest", size.max(), "years"),
    ):
        yield Row(part, what, "life_table", size.size, float(figure), unit)
    figures = wpp2019.table(data)["WPP 2019 conventions"]
    for label, figure in zip(("median", "90 %", "99 %", "largest"), figures[:4], strict=True):
        case = f"total net migration 1950-2020, {label}"
        yield Row(part, case, "net_migration", 2814, figure, "per 1,000 and year")
    yield _round_trip(data)


def _round_trip(data: xr.Dataset) -> Row:
    """Estimated net migration of 2020-2100 projected again, beside the populations."""
    given = wpp2019.inputs(data, slice(14, None))
    survival = mp.survival_ratios(mp.life_table(given["mx"]))
    net = mp.net_migration(
        given["start"],
        given["end"],
        survival,
        births=given["births"],
        method=given["timing"],
        interval=5,
    )["net_migration"]
    ratio = wpp.clean(data["srb"]).isel(period=slice(14, None))
    ratio = ratio.assign_coords(period=survival["period"])
    first = given["start"].isel(period=0, drop=True)
    result = mp.project_population(
        first, survival, given["fertility"], ratio, net, timing=given["timing"]
    )
    ours = result["population"].isel(time=slice(1, None))
    theirs = given["end"].rename(period="time").transpose(*ours.dims)
    name = "populations 2025-2100 from projected estimates of migration, 201 countries"
    return absolute("WPP 2019", name, "project_population", ours, theirs, "thousands")
