"""Flows of the world from stocks, beside proportional fitting in plain NumPy.

``python -m benchmarks.flows COUNTRIES`` (230 by default) prints one line of JSON: seconds and
rounds of both, and the most memory that the library's run held at once; without a prior, with one,
and without one and summed over birthplaces.
"""

from __future__ import annotations

import json
import statistics
import sys
import time

import numpy as np
import xarray as xr

import migproj as mp

from . import process

TOLERANCE = 1e-10
ROUNDS = 9
#: Rounds before those that count: a virtual machine's host has to find new memory, which takes
#: up to ten times as long as the work, and keeps it for the rounds that follow.
WARM = 3


def world(countries: int) -> dict[str, xr.DataArray]:
    """Stocks of both sexes that grow by births less deaths and moves; a third of cells empty."""
    rng = np.random.default_rng(7)
    n, home = countries, np.arange(countries)
    people = np.exp(rng.normal(15.0, 1.5, n))
    abroad = np.outer(people, people) ** 0.5 * np.exp(rng.normal(0.0, 1.5, (n, n))) * 2e-4
    abroad *= rng.random((n, n)) > 1 / 3
    start = np.stack([abroad, abroad * np.exp(rng.normal(0.0, 0.1, (n, n)))])
    start[:, home, home] = people / 2
    deaths = 0.04 * start.sum(-1)
    births = 0.08 * start.sum(-1) * np.exp(rng.normal(0.0, 0.05, (2, n)))
    end = 0.96 * start * np.exp(rng.normal(0.05, 0.1, start.shape))
    end[:, home, home] = 0.96 * start[:, home, home] * rng.uniform(0.99, 1.0, (2, n)) + births
    places, sexes = [f"C{k:03d}" for k in range(n)], ["female", "male"]
    labels = {"sex": sexes, "country": places, "birthplace": places}
    made = {
        name: xr.DataArray(values, dims=tuple(labels), coords=labels)
        for name, values in (("start", start), ("end", end))
    }
    del labels["birthplace"]
    for name, values in (("births", births), ("deaths", deaths)):
        made[name] = xr.DataArray(values, dims=tuple(labels), coords=labels)
    return made


def distances(stock: xr.DataArray) -> xr.DataArray:
    """Numbers that fall with the distance between countries of a plane."""
    places = stock["country"].values
    at = np.random.default_rng(8).uniform(0.0, 10.0, (2, len(places)))
    apart = np.hypot(*(some[:, None] - some for some in at))
    return xr.DataArray(
        1 / (1 + apart), dims=("origin", "destination"),
        coords={"origin": places, "destination": places},
    )  # fmt: skip


def _fit(table: np.ndarray, *margins: tuple[np.ndarray, int]) -> tuple[np.ndarray, int]:
    """A table fitted to each margin in turn, the sums over an axis, and how often."""
    largest = max(float(margin.max()) for margin, _ in margins)
    times = 0
    while times < 10_000:
        times += 1
        worst = 0.0
        for margin, axis in margins:
            have = table.sum(axis)
            worst = max(worst, float(np.abs(have - margin).max()))
            ratio = np.divide(margin, have, out=np.zeros_like(have), where=have != 0)
            table = table * np.expand_dims(ratio, axis)
        if worst <= TOLERANCE * largest:
            break
    return table, times


def plain(start, end, births, deaths, seed):
    """Flows of one sex (birthplace, origin, destination), who stays, and rounds."""
    n = len(start)
    home = np.arange(n)
    first, last = start.copy(), end.copy()
    missing = births.sum() - deaths.sum() - (last.sum() - first.sum())
    first[home, home] *= 1 - missing / 2 / first.trace()
    last[home, home] *= 1 + missing / 2 / last.trace()
    first -= first * (deaths / first.sum(1))[:, None]
    last[home, home] -= births
    mean = (first.sum(0) + last.sum(0)) / 2
    first, once = _fit(first, (first.sum(1), 1), (mean, 0))
    last, twice = _fit(last, (last.sum(1), 1), (mean, 0))
    stay = np.minimum(first, last)
    rows, columns = (first - stay).T, (last - stay).T
    flows, times = _fit(np.repeat(seed, n, axis=0), (rows, 2), (columns, 1))
    return flows, stay, max(once, twice) + times


def measure(countries: int) -> dict[str, float]:
    """What a process of its own prints."""
    return process.fresh(__name__, str(countries))


def main(countries: str = "230") -> None:
    """Estimate, with the library and without, and print what it took."""
    given = world(int(countries))
    sexes = given["start"]["sex"].values
    prior = distances(given["start"])
    still = world(3)
    for some in (None, distances(still["start"])):  # loads the kernels
        mp.flows_from_stocks(still["start"], still["start"], prior=some)
    cases = {  # in the order of the memory they take
        "summed": {"by_birthplace": False},
        "uniform": {},
        "prior": {"prior": prior},
    }
    taken: dict = {"people": float(given["end"].sum())}
    for name, options in cases.items():
        mine: list[float] = []
        result = None
        for _ in range(WARM + ROUNDS):
            del result  # its memory serves the next round
            began = time.perf_counter()
            result = mp.flows_from_stocks(**given, **options, tolerance=TOLERANCE)
            mine.append(time.perf_counter() - began)
        taken[name] = {
            "seconds": statistics.median(mine[WARM:]),
            "peak": process.peak(),
            "rounds": int(result["iterations"].max()),
            "movers": float(result["flows"].sum(skipna=False)),  # with no copy
        }
    for name, options in cases.items():
        result = mp.flows_from_stocks(**given, **options, tolerance=TOLERANCE)["flows"]
        theirs: list[float] = []
        off, rounds = 0.0, 0
        some = options.get("prior")
        seed = np.ones((1, len(prior), len(prior))) if some is None else some.values[None]
        for k in range(1 + (ROUNDS if some is None else 1)):
            elapsed = 0.0
            for sex in sexes:
                began = time.perf_counter()
                arrays = [array.sel(sex=sex).values for array in given.values()]
                flows, _, times = plain(*arrays, seed)
                if name == "summed":
                    flows = flows.sum(0)
                elapsed += time.perf_counter() - began
                rounds = max(rounds, times)
                if k == 0:
                    same = result.sel(sex=sex).transpose("birthplace", ..., missing_dims="ignore")
                    off = max(off, float(np.abs(same.values - flows).max()))
            theirs.append(elapsed)
        taken[name] |= {
            "numpy_seconds": statistics.median(theirs[1:]),
            "numpy_rounds": rounds,
            "largest_difference": off,
        }
    print(json.dumps(taken))


if __name__ == "__main__":
    main(*sys.argv[1:])
