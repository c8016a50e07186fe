"""UN World Population Prospects 2019, 201 countries (reference folder wpp2019/)."""

import numpy as np
import pytest
import xarray as xr

import migproj as mp


@pytest.fixture
def wpp(reference):
    path = reference / "wpp2019/wpp2019_5x5.nc"
    with xr.open_dataset(path, engine="h5netcdf") as data:
        return data.load()


def clean(array, **names):
    keep = {"sex", "location", "period"}
    extra = [name for name in array.coords if name not in keep]
    return array.drop_vars(extra).rename(location="country", **names)


def test_life_expectancy_at_birth(wpp):
    groups = ["0", "1-4", *(f"{age}-{age + 4}" for age in range(5, 100, 5)), "100+"]
    mx = clean(wpp["mx"], age_mx="age").assign_coords(mp.age_coords(groups))
    with pytest.warns(mp.DataQualityWarning, match="qx > 1.*country=144, sex=female"):
        table = mp.life_table(mx)
    # Sri Lanka's m(95) = 4.9 would make q(95) > 1 (README of the reference): counted there only.
    assert int(table["n_qx_above_one"].sum()) == 1
    published = clean(wpp["e0"])
    estimates = table["ex"].sel(age=0, drop=True).isel(period=slice(14))  # 1950-2020
    difference = np.abs(estimates - published.isel(period=slice(14))).values
    # Print has two decimals. Countries whose published tables follow other rules (Latin
    # America mostly; README of the reference) make up the rest.
    printed = np.round(estimates.values, 2) == np.round(published.isel(period=slice(14)).values, 2)
    assert printed.mean() >= 0.85
    assert np.percentile(difference, 99) <= 0.08
