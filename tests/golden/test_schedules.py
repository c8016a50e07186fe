"""Age schedules of migration against DemoTools' families."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import migproj as mp


@pytest.fixture(scope="module")
def folder(reference):
    return reference / "demotools/mig_models"


def table(frame, column):
    """By sex and single year, from rows."""
    wide = frame.pivot_table(index="sex", columns="age", values=column).rename(index=str.lower)
    return xr.DataArray(
        wide.values,
        dims=("sex", "age"),
        coords={"sex": list(wide.index), **mp.age_coords([int(age) for age in wide.columns])},
    )


def families(folder):
    frame = pd.read_csv(folder / "un_families_in.csv")
    for (family, sign), rows in frame.groupby(["family", "mig_sign"]):
        name = family.lower().replace("labor", "labour")
        shares = table(rows, "prop")
        yield family, sign, name, shares / shares.sum()


def test_totals_shared_out_by_families(folder):
    """Its own shares by our functions: a total over ages, the open group and five-year groups."""
    out = pd.read_csv(folder / "un_fam_out.csv")
    cases = 0
    for family, sign, _, shares in families(folder):
        own = (out["family"] == family) & ((out["NM"] > 0) == (sign == "Inmigration"))
        for (total, _, _), rows in out[own].groupby(["NM", "single", "OAnew"]):
            expected = table(rows, "net_mig")
            got = mp.distribute_migration(float(total), mp.regroup_schedule(shares, expected))
            np.testing.assert_allclose(got, expected, rtol=1e-9)
            cases += 1
    assert cases == 18


def test_model_families(folder):
    """DemoTools' shares are medians by age of a posterior sample; ours are the curve of the
    medians of its parameters, of which it says that they make the shares. Of 10,000 migrants, no
    more than 0.3 are of another age."""
    frame = pd.read_csv(folder / "un_params_in.csv").assign(
        sex=lambda rows: rows["sex"].str.lower()
    )
    for family, sign, _, shares in families(folder):
        own = frame[(frame["family"] == family) & (frame["mig_sign"] == sign)]
        parameters = own.set_index(["sex", "param"])["median"].to_xarray()
        curve = mp.rogers_castro(parameters.rename(param="parameter"), range(121))
        got = (curve / curve.sum()).assign_coords(shares.coords)
        assert abs(got - shares).max() < 3e-5
        assert abs(got.sum("age") - shares.sum("age")).max() < 3e-4
        # The constant is what the two differ by most.
        young = slice(0, 60)
        np.testing.assert_allclose(got.sel(age=young), shares.sel(age=young), rtol=5e-3)
