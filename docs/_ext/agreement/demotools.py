"""Life tables, age groups and migrants of DemoTools."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from tests import test_modeltables as modeltables
from tests import test_rogerscastro as curves
from tests.golden import test_baseyears as baseyears
from tests.golden import test_graduation as graduation
from tests.golden import test_schedules as schedules
from tests.golden import test_smoothing as smoothing

import migproj as mp

from . import Row, absolute, relative
from .migest import model_curves


def life_tables(folder: Path) -> Iterator[Row]:
    """Theirs takes 4a1 from 1q0, Greville's rule from age 5, and closes tables by a fitted law."""
    part, folder = "DemoTools", folder / "demotools/lifetable"
    rates = _rates(folder)
    out = pd.read_csv(folder / "abridged_out.csv")
    rules = {"ak": "andreev-kingkade", "cd": "coale-demeny"}
    sexes = {"f": "female", "m": "male"}
    for ax, method, ages, what in (
        ("half", "pas", slice(2, -1), "q from age 5"),
        ("half", "pas", slice(2), "q of 0 and 1-4"),
        ("greville", "un", slice(4, -2), "q from 15 to 94"),
        ("greville", "un", slice(2, 4), "q from 5 to 14"),
    ):
        pairs: list[tuple[Any, Any]] = []
        for sex, label in sexes.items():
            for a0, rule in rules.items():
                theirs = out[out["case"] == f"opt_{sex}_{method}_{a0}"]
                table = mp.life_table(rates.assign_coords(sex=label), a0=rule, ax=ax)
                pairs.append((table["qx"][ages], theirs["nqx"][ages]))
        name = f"lt_abridged, ax {method}, both rules of a0: {what}"
        yield relative(part, name, "life_table", *pairs)
    theirs = out[out["case"] == "opt_f_un_ak"]
    table = mp.life_table(rates.assign_coords(sex="female"), a0="andreev-kingkade")
    name = "lt_abridged, ax un, females: life expectancy at birth"
    yield absolute(part, name, "life_table", table["ex"][0], theirs["ex"].iloc[0], "years")
    given = pd.read_csv(folder / "single_in.csv")
    out = pd.read_csv(folder / "single_out.csv")
    single = xr.DataArray(
        given["nMx"].to_numpy(float), dims="age", coords=mp.age_coords(given["age"].tolist())
    )
    pairs = []
    for sex, label in sexes.items():
        theirs = out[out["case"] == f"default_{sex}"]
        table = mp.life_table(single.assign_coords(sex=label), a0="andreev-kingkade", radix=1e5)
        for name, column in (("qx", "nqx"), ("lx", "lx"), ("Lx", "nLx")):
            pairs.append((table[name][:-1], theirs[column][:-1]))
    yield relative(part, "lt_single_mx: q, l, L of closed ages", "life_table", *pairs)
    yield from _old_ages(folder)
    yield from _log_quadratic(folder.parents[1])


def _rates(folder: Path) -> xr.DataArray:
    given = pd.read_csv(folder / "abridged_in.csv").query("dataset == 'PAS_LTPOPDTH'")
    ages = mp.age_coords(given["age"].astype(int).tolist())
    return xr.DataArray(given["nMx"].to_numpy(float), dims="age", coords=ages)


def _old_ages(folder: Path) -> Iterator[Row]:
    """Rates from 100 on of laws fitted from 60 to 99."""
    out = pd.read_csv(folder / "extrapolate_out.csv")
    out = out[out["what"] == "mx"]
    for law in ("kannisto", "gompertz", "makeham", "beard"):
        theirs = out[(out["law"] == law) & out["x"].between(100, 130)]["value"]
        ours = mp.extend_mortality(_rates(folder), law=law, fit_ages=(60, 100), to_age=130)
        name = f"lt_rule_m_extrapolate, {law}: rates from 100 to 130"
        pair = (ours.sel(age=slice(100, 130)), theirs)
        yield relative("DemoTools", name, "extend_mortality", pair)


def _log_quadratic(folder: Path) -> Iterator[Row]:
    """By their coefficients and k, but for ages 1-4, where 4a1 is from 1q0 there."""
    given = modeltables.of_demotools(folder)
    pairs = []
    for _, sex, row, table in modeltables.cases(folder):
        ours = mp.log_quadratic(child_mortality=0.05, k=row["k"], sex=sex, coefficients=given)
        pairs.append((np.delete(ours.values, 1), np.delete(table["nMx"].to_numpy(), 1)))
    name = "lt_model_lq, its coefficients and k: rates"
    yield relative("DemoTools", name, "log_quadratic", *pairs)


def _stock(folder: Path) -> Iterator[Row]:
    """Residuals of cohorts in a projection by five-year and by single ages."""
    folder = folder / "demotools/mig_resid"
    sexes = {"f": "female", "m": "male"}
    for grid in ("five", "single"):
        people, ratios = (
            pd.read_csv(folder / f"{grid}_in_{name}.csv")
            .set_index(["sex", "age", "year"])[name]
            .to_xarray()
            .astype(float)
            for name in ("pop", "sr")
        )
        width = float(people["age"][1] - people["age"][0])
        labels = [sexes[s] for s in people["sex"].values]
        people, ratios = (
            a.assign_coords(sex=labels, **mp.age_coords(people["age"].values))
            for a in (people, ratios)
        )
        out = pd.read_csv(folder / f"{grid}_out.csv").query("method == 'stock'")
        out = out.drop_duplicates(["sex", "age", "year"]).set_index(["sex", "age", "year"])
        theirs = out["net_mig"].to_xarray()
        theirs = theirs.assign_coords(sex=[sexes[s] for s in theirs["sex"].values])
        pairs = []
        for year in sorted(set(theirs["year"].values) & set(ratios["year"].values)):
            want = theirs.sel(year=year)
            if np.isnan(want).all():
                continue
            net = mp.net_migration(
                *(people.sel(year=y, drop=True) for y in (year, year + width)),
                ratios.sel(year=year, drop=True),
                method="forward",
                children="none",
                interval=width,
            )["net_migration"]
            older = {"age": slice(1, None)}  # births are compared in the golden test
            pairs.append((net[older], want.sel(sex=net["sex"].values)[older]))
        name = f"mig_resid_stock, {grid}-year ages" if grid == "five" else "mig_resid_stock, single"
        yield relative("DemoTools", name, "net_migration", *pairs)


def base_population(folder: Path, case: str) -> tuple[xr.DataArray, xr.DataArray]:
    """Ours and theirs."""
    folder = folder / "demotools/basepop"
    tables, rates = baseyears.inputs(folder)
    rows = pd.read_csv(folder / "pas_pop_in_out.csv").query("case == @case")
    coords = {"sex": ["female", "male"], **mp.age_coords(baseyears.AGES)}
    people, theirs = (
        xr.DataArray(
            rows[[f"females_{k}", f"males_{k}"]].to_numpy(float).T,
            dims=("sex", "age"),
            coords=coords,
        )
        for k in ("in", "out")
    )
    return mp.base_population(people, tables, rates, 1.03), theirs


def agesex(folder: Path) -> xr.DataArray:
    """The population of the workbook."""
    table = pd.read_csv(folder / "demotools/agequality/agesex_in.csv")
    return xr.DataArray(
        table[["females", "males"]].to_numpy(float).T,
        dims=("sex", "age"),
        coords={"sex": ["female", "male"], **mp.age_coords(table["age"].tolist())},
    )


def age_groups(folder: Path) -> Iterator[Row]:
    """Children, single years, smoothing, other dates, the open-ended group, heaping."""
    part = "DemoTools"
    for name in ("bpe", "bpa", "bpa_age10patch"):
        got, want = base_population(folder, name)
        yield relative(part, f"basepop_five, {name}", "base_population", (got, want))
    yield from _graduations(folder / "demotools/graduate")
    here = folder / "demotools/smooth"
    people, outputs = smoothing.counts(here, "pasex"), smoothing.outputs(here)
    for name, (method, _) in smoothing.METHODS.items():
        theirs = outputs[f"smooth_age_5_{name}"]
        got = mp.smooth_ages(people, method=method)
        yield relative(part, f"smooth_age_5, {name}", "smooth_ages", (got, theirs))
    yield _interpolated(folder / "demotools/interp")
    yield _open_group(folder / "demotools/opag")
    given = pd.read_csv(folder / "demotools/agequality/pasex_single_in.csv")
    men = xr.DataArray(
        given["pop1m_pasex"].to_numpy(float), dims="age", coords=mp.age_coords(range(100))
    )
    want = pd.read_csv(folder / "demotools/agequality/out.csv").set_index("index")["value"]
    of = mp.indicators
    pairs = [
        (of.whipple_index(men) / 100, want["whipple"]),
        (of.digit_index(men), want["myers"]),
        (of.digit_index(men, method="bachi"), want["bachi"]),
        (of.coale_li_index(men), want["coale_li"]),
        (of.spoorenberg_index(men), want["spoorenberg"]),
    ]
    yield relative(part, "check_heaping_*: five indices", "indicators", *pairs)


def _graduations(folder: Path) -> Iterator[Row]:
    table = pd.read_csv(folder / "out.csv").query("dataset == 'pasex'")
    people = graduation.counts(folder, "pasex")
    for name, method in graduation.METHODS.items():
        rows = table[table["case"] == name]
        got = mp.graduate_ages(people, method=method)
        case = name.removeprefix("graduate_")
        yield relative("DemoTools", f"graduate, {case}", "graduate_ages", (got, rows["value"]))


def _interpolated(folder: Path) -> Row:
    """Where theirs is positive: it sets a negative count to 0."""
    given = pd.read_csv(folder / "interp_in.csv")
    people = xr.DataArray(
        given[["pop_1980.5", "pop_1990.25"]].to_numpy(float),
        dims=("row", "time"),
        coords={"row": given["row"], "time": [1980.5, 1990.25]},
    )
    pairs = []
    for (method, extrapolate), rows in pd.read_csv(folder / "interp_out.csv").groupby(
        ["method", "extrap"]
    ):
        if method not in ("linear", "exponential", "power"):
            continue
        wide = rows.pivot_table(index="row", columns="date", values="pop")
        got = mp.interpolate_rounds(
            people, wide.columns.to_numpy(float), method=method, extrapolate=bool(extrapolate)
        )
        theirs = wide.loc[people["row"].values].to_numpy()
        pairs.append((got.where(got > 0), np.where(got > 0, theirs, np.nan)))
    return relative(
        "DemoTools", "interp, three methods, in and beyond the rounds", "interpolate_rounds", *pairs
    )


def _open_group(folder: Path) -> Row:
    """Theirs without the half year that its open-ended group's weight lacks."""
    given = pd.read_csv(folder / "opag_in.csv")
    lived, counts = (
        given[given["series"] == name]["value"].to_numpy(float) for name in ("nLx5", "pasex")
    )
    single = mp.graduate_ages(
        xr.DataArray(lived, dims="age", coords=mp.age_coords(range(0, 5 * len(lived), 5)))
    )
    people = xr.DataArray(counts, dims="age", coords=mp.age_coords(range(0, 85, 5)))
    rows = pd.read_csv(folder / "opag_fit_out.csv").query("case == 'pasex80plus_to100'")
    rate = float(rows[rows["what"] == "r"]["value"].iloc[0])
    theirs = rows[rows["what"] == "stable_standard"]["value"].to_numpy().copy()
    theirs[-1] *= np.exp(-rate / 2)
    got = mp.redistribute_open_group(people, xr.Dataset({"Lx": single}), growth=rate)
    old = got.sel(age=slice(80, None))
    theirs = theirs[80:] / theirs[80:].sum() * counts[-1]
    return relative(
        "DemoTools", "OPAG, weights at its growth rate", "redistribute_open_group", (old, theirs)
    )


def migrants(folder: Path) -> Iterator[Row]:
    """Residuals, and ages of migrants."""
    yield from _stock(folder)
    part, here = "DemoTools", folder / "demotools/mig_models"
    sets, shapes = (
        curves.read(here / name, ("model",), label, value)
        for name, label, value in (("rc_in.csv", "param", "value"), ("rc_out.csv", "age", "mx"))
    )
    yield model_curves(part, "mig_calculate_rc: models of 4 to 13 parameters", sets, shapes)
    out = pd.read_csv(here / "un_fam_out.csv")
    pairs = []
    for family, sign, _, shares in schedules.families(here):
        own = (out["family"] == family) & ((out["NM"] > 0) == (sign == "Inmigration"))
        for (total, _, _), rows in out[own].groupby(["NM", "single", "OAnew"]):
            theirs = schedules.table(rows, "net_mig")
            ours = mp.distribute_migration(float(total), mp.regroup_schedule(shares, theirs))
            pairs.append((ours, theirs))
    yield relative(
        part, f"mig_un_fam: {len(pairs)} totals by its shares", "distribute_migration", *pairs
    )
