"""Estimates and indices of migest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr
from tests import test_intensity as intensity
from tests import test_rogerscastro as curves
from tests.golden import test_fitting as fitting
from tests.golden import test_flows as stocks
from tests.golden import test_residuals as residuals

import migproj as mp

from . import Row, relative


def estimates(folder: Path) -> Iterator[Row]:
    """Residuals, the vital-statistics equation and figures scaled to a total."""
    part, function = "migest", "net_migration"
    table = pd.read_csv(folder / "migest/net_sr_bombay_1951.csv")
    start, end = (
        xr.DataArray(
            table[f"pop_{year}"].to_numpy(float),
            dims="age",
            coords=residuals.bounds(table[f"age_{year}"]),
        )
        for year in (1941, 1951)
    )
    ratios = xr.DataArray(table["sr"].to_numpy(), dims="age", coords=end.coords)
    pairs = [
        (
            mp.net_migration(start, end, ratios, method=m, interval=10)["net_migration"],
            table[f"net_{m}"],
        )
        for m in residuals.METHODS
    ]
    yield relative(part, "net_sr, Bombay", function, *pairs)
    for name, column in (("new_england_1960", "sr"), ("usa_1960", "sr_all")):
        table = pd.read_csv(folder / f"migest/net_sr_{name}.csv")
        labels = list(dict.fromkeys(table["age_1960"]))
        keys = [key for key in ("birthplace", "race", "sex") if key in table]
        given = residuals.columns(table, [*keys, "age_1960"], age_1960="age")
        given = given.drop_vars("age_1950", errors="ignore")
        arrays = {a: residuals.ordered(given[a].astype(float), labels) for a in given.data_vars}
        end = arrays["pop_1960"]
        start = arrays["pop_1950"].drop_vars(["age", "age_width"])
        start = start.assign_coords(mp.age_coords((end["age"].values - 10).tolist()))
        pairs = []
        for m in residuals.METHODS:
            theirs = arrays[f"net_{m}"]
            net = mp.net_migration(start, end, arrays[column], method=m, interval=10)
            pairs.append((net["net_migration"].transpose(*theirs.dims), theirs))
        yield relative(part, f"net_sr, {name}", function, *pairs)
    yield _alabama(folder / "migest")
    yield _manila(folder / "migest")
    table = pd.read_csv(folder / "migest/net_vs_alabama_1970.csv")
    given = residuals.columns(table, ["race", "sex"]).astype(float)
    net = mp.net_migration_vital(*(given[n] for n in ("pop_1960", "pop_1970", "births", "deaths")))
    yield relative(part, "net_vs, Alabama", "net_migration_vital", (net, given["net"]))
    table = pd.read_csv(folder / "migest/rescale_net.csv")
    figures = xr.DataArray(
        table["x"].to_numpy(float), dims="region", coords={"region": range(len(table))}
    )
    pairs = [
        (mp.reconcile(figures, 0.0, "region", method=method)["net_migration"], table[column])
        for method, column in (("two-sided", "no_switches"), ("minimum-change", "switches"))
    ]
    yield relative(part, "rescale_net", "reconcile", *pairs)


def _alabama(folder: Path) -> Row:
    """Births stand in the rows of those born in the interval."""
    table = pd.read_csv(folder / "net_sr_alabama_1970.csv")
    labels = list(dict.fromkeys(table["age_1970"]))
    given = residuals.columns(table, ["race", "sex", "age_1970"], age_1970="age")
    arrays = {name: residuals.ordered(given[name], labels) for name in given.data_vars}
    end = arrays["pop_1970"]
    births = arrays["pop_1960"].isel(age=slice(0, 2)).drop_vars("age_width")
    start = arrays["pop_1960"].isel(age=slice(2, None)).drop_vars(["age", "age_width"])
    start = start.assign_coords(mp.age_coords((end["age"].values[2:] - 10).tolist()))
    pairs = []
    for method in residuals.METHODS:
        net = mp.net_migration(
            start, end, arrays["us_census_sr"], births=births, method=method, interval=10
        )["net_migration"]
        theirs = arrays[f"net_{method}"]
        pairs.append((net.transpose(*theirs.dims), theirs))
    return relative("migest", "net_sr, Alabama by race and sex", "net_migration", *pairs)


def _manila(folder: Path) -> Row:
    """Children by child-woman ratio."""
    table = pd.read_csv(folder / "net_sr_manila_1970.csv")
    table = table[table["case"] == "children_true"]
    coords = {"sex": ["female"], **residuals.bounds(table["age_1970"])}

    def column(name: str) -> xr.DataArray:
        values = table[name].to_numpy(float)[None]
        return xr.DataArray(values, dims=("sex", "age"), coords=coords)

    end, ratios = column("pop_1970"), column("phl_census_sr")
    start = column("pop_1960").isel(age=slice(2, None)).drop_vars(["age", "age_width"])
    start = start.assign_coords(mp.age_coords((end["age"].values[2:] - 10).tolist()))
    pairs = [
        (
            mp.net_migration(
                start, end, ratios, method=method, children="child-woman", interval=10
            )["net_migration"],
            column(f"net_{method}"),
        )
        for method in residuals.METHODS
    ]
    return relative("migest", "net_sr, Manila with net_children", "net_migration", *pairs)


def flows(folder: Path) -> Iterator[Row]:
    """Flows from stocks."""
    part, function = "migest", "flows_from_stocks"
    # The pairs of each case, its examples and options: a case is over its own largest figure.
    solved = list(stocks.solved(folder))
    for system, theirs in (("closed", "rescale"), ("open", "open-dr"), ("open-crossed", "open")):
        pairs = [
            (got["flows"].sum("birthplace"), want)
            for case, got, want in solved
            if case["match_birthplace_tot_method"] == theirs
        ]
        name = f"ffs_demo, {theirs} (ours: {system}): {len(pairs)} cases"
        yield relative(part, name, function, *pairs)
    pairs = [(got, want) for _, got, want in stocks.by_birthplace(folder)]
    name = f"ffs_demo, flows and stayers by birthplace: {len(pairs)} cases"
    yield relative(part, name, function, *pairs)
    accounts = list(stocks.accounts(folder))
    cases = len({case for (case, _), _, _ in accounts})
    for variables, named in (
        (("births", "deaths"), "births and deaths"),
        (("to_outside", "from_outside"), "to and from the outside"),
    ):
        pairs = [(got, want) for (_, name), got, want in accounts if name in variables]
        pairs = [pair for pair in pairs if pair[1].any()]  # a closed system has no outside
        yield relative(part, f"ffs_demo, accounts of {cases} cases: {named}", function, *pairs)
    others = list(stocks.without_accounts(folder))
    for theirs, names in (
        ("ffs_diff", ("zero", "return", "zero+native", "return+native")),
        ("ffs_rates", ("dennett", "rogers-von-rabenau")),
    ):
        pairs = [(got, want) for (_, name), got, want in others if name in names]
        yield relative(part, f"{theirs}: {len(pairs)} cases", function, *pairs)


def fits(folder: Path) -> Iterator[Row]:
    """Margins, blocks and net migration."""
    part, function = "migest", "fit_margins"
    for name in ("ipf2", "cm2"):
        pairs = [fitting.two_margins(folder, *c) for c in fitting.OF_TWO_MARGINS if c[2] == name]
        if name == "ipf2":
            pairs.append(fitting.one_margin(folder))
        yield relative(part, f"{name}: {len(pairs)} tables", function, *pairs)
    pairs = [fitting.of_birthplaces(folder, offset) for offset in ("", "_dis")]
    yield relative(part, f"ipf3: {len(pairs)} tables by birthplace", function, *pairs)
    pairs = [fitting.all_types(folder, case) for case in fitting.OF_TYPES]
    yield relative(part, f"cm3: {len(pairs)} tables of types", function, *pairs)
    yield relative(part, "ipf2_block", function, fitting.by_blocks(folder))
    yield relative(part, "ipf2_stripe", function, fitting.by_stripes(folder))
    function = "flows_from_net"
    for theirs in fitting.BY_ENTROPY:
        pairs = [
            fitting.by_entropy(folder, net, table, theirs)
            for net in fitting.NETS
            for table in ("m44", "m16")
        ]
        name = "net_matrix_entropy, solved independently" if "entropy" in theirs else theirs
        yield relative(part, f"{name}: {len(pairs)} tables", function, *pairs)
    pairs = [(got, want) for _, got, want in fitting.with_totals(folder)]
    yield relative(part, f"cm_net_tot: {len(pairs)} tables", function, *pairs)


def indices(folder: Path) -> Iterator[Row]:
    """Totals and indices of flows, and model schedules."""
    part, here = "migest", folder / "migest"
    places = pd.read_csv(here / "sum_region_4x4.csv").set_index("region")
    pair = dict.fromkeys(("origin", "destination"), places.index.to_numpy())
    ours = mp.indicators.flow_totals(xr.DataArray(fitting.TABLES["m44"], pair))
    names = {
        "out_mig": "out_migrants",
        "in_mig": "in_migrants",
        "turn": "turnover",
        "net": "net_migration",
    }
    pairs = [(ours[name], places[column]) for column, name in names.items()]
    yield relative(part, "sum_region, four places", "indicators.flow_totals", *pairs)
    _, moves, people, theirs = intensity.korea(here)
    ours = mp.indicators.flow_indices(moves, people)
    function = "indicators.flow_indices"
    pairs = [
        (units * ours[name], theirs.loc[fn, measure].sort_index())
        for name, fn, measure, units in intensity.OF_MIGEST
    ]
    name = f"index_intensity, _connectivity, _impact: {len(pairs)} indices of Korea 2012-20"
    yield relative(part, name, function, *pairs)
    pairs = [(got, want) for _, got, want in intensity.of_four_places(here)]
    name = f"index_connectivity: {len(pairs)} indices of four places"
    yield relative(part, name, function, *pairs)
    name = "index_impact: preference and velocity, summed over streams"
    yield relative(part, name, "indicators.stream_indices", *intensity.of_streams(here))
    found = list(intensity.of_distance(here))
    for names, named in (
        (("mean_distance", "distance_decay"), "mean and decay"),
        (("median_distance",), "median"),
    ):
        pairs = [(got, want) for name, got, want in found if name in names]
        yield relative(
            part, f"index_distance: {named}, two distances", "indicators.distance_indices", *pairs
        )
    _, ours, theirs = intensity.profiles(here)
    pairs = [(units * ours[name], theirs[column]) for name, column, units in intensity.OF_PROFILES]
    name = "index_age: gross migraproduction, peak, steepest rise and fall"
    yield relative(part, name, "indicators.age_profile", *pairs)
    ours, theirs = intensity.schedule_profiles(here)
    pairs = [(ours[name], theirs[column]) for name, column in intensity.OF_SCHEDULES.items()]
    name = f"index_age_rc: {len(pairs)} indices of 13 curves"
    yield relative(part, name, "indicators.schedule_profile", *pairs)
    sets, shapes = (
        curves.read(folder / "migest" / name, ("schedule_abb", "sex"), label, value)
        for name, label, value in (
            ("rc_model_parameters.csv", "param", "value"),
            ("rc_curve_formula_not_migest.csv", "age", "m"),
        )
    )
    yield model_curves(part, "rc_model_fund, rc_model_un: 13 curves", sets, shapes)


def model_curves(part: str, name: str, sets: Any, shapes: Any) -> Row:
    """Curves of parameters, beside theirs age by age."""
    pairs = []
    for key, values in sets.items():
        parameters = curves.labelled({"a1": 0.0, "alpha1": 0.0, **values})
        ours = mp.rogers_castro(parameters, [int(age) for age in shapes[key]])
        pairs.append((ours, list(shapes[key].values())))
    return relative(part, name, "rogers_castro", *pairs)
