"""Lee-Carter by few dates beside DemoTools (demotools/model_lt)."""

import numpy as np
import pandas as pd
import pytest

import migproj as mp

SEXES = {"f": "female", "m": "male"}
#: Theirs by name of the case: how bx and kt are found.
METHODS = {"A_basic": "sums", "svd": "svd"}


@pytest.fixture
def folder(reference):
    return reference / "demotools/model_lt"


@pytest.fixture
def mx(folder):
    """Death rates by sex at five dates, 4 to 11 years apart."""
    table = pd.read_csv(folder / "lclim_in.csv").replace({"Sex": SEXES})
    rates = table.set_index(["Sex", "Date", "Age"])["nMx"].to_xarray()
    rates = rates.rename(Sex="sex", Date="time", Age="age").sortby("time")
    return rates.assign_coords(mp.age_coords(rates["age"].values.tolist()))


def theirs(folder, case, parameter):
    table = pd.read_csv(folder / "lclim_params_out.csv").query("case == @case")
    rows = table[table["param"] == parameter].set_index("idx")[["f", "m"]]
    return rows.rename(columns=SEXES)


@pytest.mark.parametrize("case", METHODS)
def test_parameters(folder, mx, case):
    fit = mp.lee_carter(mx, method=METHODS[case])
    for name in ("ax", "bx"):
        want = theirs(folder, case, name)
        got = fit[name].sel(sex=want.columns.tolist(), age=want.index.tolist())
        np.testing.assert_allclose(got.transpose("age", "sex"), want, rtol=1e-9)
    want = theirs(folder, case, "kt")
    made = mp.forecast_lee_carter(fit, want.index.tolist(), between="drift")
    np.testing.assert_allclose(made["kt"].transpose("time", "sex"), want, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("case", METHODS)
def test_rates_and_life_tables(folder, mx, case):
    table = pd.read_csv(folder / "lclim_out.csv").query("case == @case").replace({"Sex": SEXES})
    table = table.set_index(["Sex", "Date", "Age"])
    want = table["nMx"].to_xarray()
    fit = mp.lee_carter(mx, method=METHODS[case])
    made = mp.forecast_lee_carter(fit, want["Date"].values, between="drift")
    closed = made.isel(age=slice(0, -1)).transpose("sex", "time", "age")
    np.testing.assert_allclose(closed, want.isel(Age=slice(0, -1)), rtol=1e-9)
