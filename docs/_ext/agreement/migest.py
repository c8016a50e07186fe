"""Estimates and indices of migest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import xarray as xr
from tests import test_intensity as intensity
from tests import test_rogerscastro as curves
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


def indices(folder: Path) -> Iterator[Row]:
    """Indices of flows, and model schedules."""
    part = "migest"
    _, flows, people, theirs = intensity.korea(folder / "migest")
    ours = mp.indicators.flow_indices(flows, people)
    pairs = [
        (units * ours[name], theirs.loc[fn, measure].sort_index())
        for name, fn, measure, units in intensity.OF_MIGEST[:8]
    ]
    yield relative(
        part, "index_*, eight indices of Korea 2012-20", "indicators.flow_indices", *pairs
    )
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
