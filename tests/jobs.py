"""A small world in NetCDF files, and jobs on it."""

from pathlib import Path

import numpy as np
import xarray as xr

import migproj as mp

SEXES = ["female", "male"]
AGES = mp.age_coords(range(0, 105, 5))
START = 2020.0


def world(countries, periods, odd=True):
    """Inputs of a projection by five-year groups; with `odd`, two countries have doubtful cells."""
    rng = np.random.default_rng(7)
    names = [f"C{k:03d}" for k in range(countries)]
    years = START + 5.0 * np.arange(periods)
    age = np.asarray(AGES["age"].values, dtype=float)
    place = {"country": names, "sex": SEXES, **AGES}
    people = 1e5 * np.exp(-((age / 70) ** 2)) * rng.uniform(0.5, 2.0, (countries, 2, 1))
    level = rng.uniform(0.8, 1.2, (countries, periods, 2, 1))
    survival = np.exp(-5 * level * (4e-4 + 5e-5 * np.exp(0.08 * age)))
    leaving = -rng.uniform(0.0, 0.02, (countries, periods, 2, 1)) * people[:, None]
    if odd:
        survival[1, 0, 0, 3] = 1.01
        leaving[2, 1, 1, 4] = -1e7
    bearing = 0.15 * np.exp(-(((np.arange(15, 50, 5) - 25.0) / 8.0) ** 2))
    fertility = rng.uniform(0.8, 1.6, (countries, periods, 1)) * bearing
    by = ("country", "period", "sex", "age")
    return xr.Dataset(
        {
            "population": (("country", "sex", "age"), people),
            "survival": (by, survival),
            "migration": (by, leaving),
        },
        coords={**place, "period": years, "time": START},
    ), xr.DataArray(
        fertility,
        dims=("country", "period", "age"),
        coords={"country": names, "period": years, "age": np.arange(15, 50, 5)},
        name="fertility",
    )


JOB = """
task = "project_population"
store = "world.zarr"

[inputs]
population = {{ file = "world.nc" }}
survival = {{ file = "world.nc" }}
migration = {{ file = "world.nc" }}
sex_ratio_at_birth = 1.05

[inputs.fertility]
file = "fertility.nc"
[inputs.fertility.spread]
distribution = "lognorm"
parameters = {{ s = 0.1 }}
by = ["country"]

[draws]
count = {draws}
seed = 1

[chunks]
country = {country}
draw = {draw}
{more}
"""


def write_job(folder: Path, countries=5, periods=3, draws=4, country=2, draw=3, more="", odd=True):
    """The files of a world and of a job on it; returns the job file."""
    folder.mkdir(exist_ok=True)
    data, fertility = world(countries, periods, odd)
    data.to_netcdf(folder / "world.nc", engine="h5netcdf")
    fertility.to_netcdf(folder / "fertility.nc", engine="h5netcdf")
    file = folder / "job.toml"
    file.write_text(JOB.format(draws=draws, country=country, draw=draw, more=more))
    return file


def contents(store: Path):
    """The bytes of every file of a store."""
    return {
        str(file.relative_to(store)): file.read_bytes()
        for file in sorted(store.rglob("*"))
        if file.is_file()
    }
