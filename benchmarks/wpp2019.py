"""Total net migration of UN WPP 2019 estimated from its populations, by method.

``python -m benchmarks.wpp2019`` prints how far each method is from the published totals: 201
countries, 14 periods from 1950 to 2020, per 1,000 people and year and in thousands. The data are
those of the reference folder (see CONTRIBUTING.md), read from MIGPROJ_REFERENCE.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import migproj as mp

ESTIMATES = slice(14)  # 1950-2020
STEP = 5.0


def load(folder: Path) -> xr.Dataset:
    """The published tables, all 201 countries."""
    with xr.open_dataset(folder / "wpp2019/wpp2019_5x5.nc", engine="h5netcdf") as data:
        return data.load()


def inputs(wpp: xr.Dataset, periods: slice = ESTIMATES) -> dict[str, Any]:
    """Rounds, death rates, births and timings by country and period, and the published totals."""
    starts = wpp["year"].values[:-1].astype(float)[: wpp.sizes["period"]]
    groups = ["0", "1-4", *(f"{age}-{age + 4}" for age in range(5, 100, 5)), "100+"]

    def clean(name: str, **names: str) -> xr.DataArray:
        array = wpp[name]
        extra = [c for c in array.coords if c not in ("sex", "location", "period")]
        array = array.drop_vars(extra).rename(location="country", **names)
        return array.assign_coords(period=starts) if "period" in array.dims else array

    ages = mp.age_coords(range(0, 105, 5))
    people = clean("population", year="time").assign_coords(ages)
    start, end = (
        people.isel(time=part).rename(time="period").assign_coords(period=starts)
        for part in (slice(-1), slice(1, None))
    )
    fertility = clean("asfr", age_fert="age").assign_coords(age=range(15, 50, 5))
    ratio = clean("srb")
    births = mp.births_from_rates(fertility, start, end, ratio, interval=STEP)
    code = clean("mig_code_inferred")
    made = {
        "start": start,
        "end": end,
        "mx": clean("mx", age_mx="age").assign_coords(mp.age_coords(groups)),
        "births": births,
        "fertility": fertility,
        "published": clean("net_migration"),
    }
    chosen: dict[str, Any] = {name: array.isel(period=periods) for name, array in made.items()}
    chosen["timing"] = code.copy(data=np.where(code == 9, "end", "even"))
    return chosen


def differences(given: dict[str, Any], method: Any, **table: Any) -> tuple[xr.DataArray, ...]:
    """Estimated less published totals: per 1,000 people and year, and in thousands."""
    with warnings.catch_warnings():
        # Sri Lanka's women of 1950-55 at 100 and over, and low ratios that reverse divides by.
        warnings.simplefilter("ignore", mp.DataQualityWarning)
        survival = mp.survival_ratios(mp.life_table(given["mx"], **table))
        net = mp.net_migration(
            given["start"],
            given["end"],
            survival,
            births=given["births"],
            method=method,
            interval=STEP,
        )["net_migration"]
    return off_by(given, net)


def off_by(given: dict[str, Any], net: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
    """Net migration less the published totals, per 1,000 people and year and in thousands."""
    off = net.sum(["sex", "age"]) - given["published"]
    lived = STEP * (given["start"] + given["end"]).sum(["sex", "age"]) / 2
    return 1000 * off / lived, off


def ccmpp(given: dict[str, Any], timing: str) -> tuple[xr.DataArray, xr.DataArray]:
    """Differences where ccmppWPP's projection is inverted, with its women exposed to births.

    With "end" it leaves the migrants out of the women at the end; with "even" it adds half of
    them to those at the start, though they are among those at the end already.
    """
    births = given["births"]
    sexes = births / births.sum("sex")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mp.DataQualityWarning)
        survival = mp.survival_ratios(mp.life_table(given["mx"]))
        for _ in range(3):  # the births follow from the migrants, and theirs from the births
            found = mp.net_migration(
                given["start"],
                given["end"],
                survival,
                births=births,
                method=timing,
                interval=STEP,
            ).drop_vars(["age_start", "age_width"])
            net = found["net_migration"]
            start, end = given["start"], given["end"]
            women = start + found["expected"] if timing == "end" else start + net / 2 + end
            rates = given["fertility"]
            mothers = women.sel(sex="female", age=rates["age"]) / 2
            births = STEP * (rates * mothers).sum("age") * sexes
    return off_by(given, net)


def table(wpp: xr.Dataset) -> dict[str, list[float]]:
    """Of each method the median, 90th and 99th percentile and largest absolute difference."""
    given = inputs(wpp)
    variants: dict[str, tuple[Any, dict[str, Any]]] = {
        "WPP 2019 conventions": (given["timing"], {}),
        "same, Andreev-Kingkade a0": (given["timing"], {"a0": "andreev-kingkade"}),
        "same, ax = n/2": (given["timing"], {"ax": "half"}),
        "forward everywhere": ("forward", {}),
        "reverse": ("reverse", {}),
        "average": ("average", {}),
        "midpoint": ("midpoint", {}),
    }
    found = {
        name: differences(given, method, **options) for name, (method, options) in variants.items()
    }
    for timing in ("end", "even"):
        found[f"ccmppWPP, {timing}"] = ccmpp(given, timing)
    return {name: [x for off in pair for x in spread(off)] for name, pair in found.items()}


def spread(off: xr.DataArray) -> list[float]:
    """The median, 90th and 99th percentile and largest size of what is known."""
    size = np.abs(off.values[np.isfinite(off.values)])
    return [*np.percentile(size, [50, 90, 99]).tolist(), float(size.max())]


def main() -> None:
    """Print the table."""
    root = Path(__file__).parents[1] / "../shared/reference"
    folder = Path(os.environ.get("MIGPROJ_REFERENCE", root))
    print(f"{'':28}{'per 1,000 people and year':>34} | thousands")
    print(f"{'':28}{'median':>8} {'p90':>8} {'p99':>8} {'max':>8} | the same")
    for name, figures in table(load(folder)).items():
        parts = [
            " ".join(f"{x:8.4f}" for x in figures[:4]),
            " ".join(f"{x:8.3g}" for x in figures[4:]),
        ]
        print(f"{name:28}{' | '.join(parts)}")


if __name__ == "__main__":
    main()
