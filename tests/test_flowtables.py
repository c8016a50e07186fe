"""Totals of places and flows between regions."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import migproj as mp
from migproj.indicators import flow_totals
from test_invariants import FIXED

PLACES = list("ABCDE")
REGIONS = xr.DataArray(list("xyxzy"), dims="place", coords={"place": PLACES})


def table(seed=0):
    values = np.random.default_rng(seed).uniform(1, 1000, (2, 5, 5)).round()
    return xr.DataArray(
        values,
        dims=("sex", "origin", "destination"),
        coords={"sex": ["female", "male"], "origin": PLACES, "destination": PLACES},
    )


def says(error, *parts):
    return pytest.raises(error, match="(?s)" + ".*".join(parts))


@FIXED
@given(st.integers(0, 2**32 - 1))
def test_totals_by_loops(seed):
    flows = table(seed)
    totals = flow_totals(flows.transpose("destination", "sex", "origin"))
    for sex in ("female", "male"):
        for k, place in enumerate(PLACES):
            cells = flows.sel(sex=sex).values
            into = cells[:, k].sum() - cells[k, k]
            out = cells[k].sum() - cells[k, k]
            here = totals.sel(sex=sex, place=place)
            assert float(here["in_migrants"]) == into
            assert float(here["out_migrants"]) == out
            assert float(here["net_migration"]) == into - out
            assert float(here["turnover"]) == into + out
            assert float(here["effectiveness"]) == (into - out) / (into + out)
    assert abs(totals["net_migration"].sum("place")).max() == 0
    assert totals["turnover"].attrs["units"] == "persons per period"


def test_totals_of_single_precision_are_summed_in_double():
    flows = table().astype(np.float32)
    totals = flow_totals(flows)
    assert {array.dtype for array in totals.data_vars.values()} == {np.dtype(np.float64)}
    xr.testing.assert_equal(totals, flow_totals(table()))
    stocks = flows.rename(origin="country", destination="birthplace")
    assert mp.emigrants(stocks)["natives_abroad"].dtype == np.float64


def test_totals_of_migest(reference):
    """sum_region of its example of four places."""
    frame = pd.read_csv(reference / "migest" / "sum_region_4x4.csv").set_index("region")
    m44 = np.array([[0, 100, 30, 70], [50, 0, 45, 5], [60, 35, 0, 40], [20, 25, 20, 0]], float)
    places = list("ABCD")
    flows = xr.DataArray(
        m44,
        dims=("origin", "destination"),
        coords={"origin": places, "destination": places},
    )
    totals = flow_totals(flows).to_dataframe()
    columns = {
        "out_mig": "out_migrants",
        "in_mig": "in_migrants",
        "turn": "turnover",
        "net": "net_migration",
    }
    for theirs, ours in columns.items():
        assert totals[ours].tolist() == frame[theirs].tolist()


def test_missing_stays_with_its_places():
    flows = table().where(~((table()["origin"] == "A") & (table()["destination"] == "B")))
    totals = flow_totals(flows)
    assert totals["in_migrants"].isnull().any("sex").values.tolist() == [0, 1, 0, 0, 0]
    assert totals["net_migration"].isnull().any("sex").values.tolist() == [1, 1, 0, 0, 0]


@FIXED
@given(st.integers(0, 2**32 - 1))
def test_regions_by_loops(seed):
    flows = table(seed)
    kept = mp.regroup_flows(flows, REGIONS)
    between = mp.regroup_flows(flows, REGIONS, within="drop")
    assert kept["origin"].values.tolist() == list("xyz")
    assert kept.dims == flows.dims
    for o in "xyz":
        for d in "xyz":
            inside = flows.values[:, REGIONS.values == o][:, :, REGIONS.values == d].sum((1, 2))
            assert kept.sel(origin=o, destination=d).values.tolist() == inside.tolist()
            cell = between.sel(origin=o, destination=d).values.tolist()
            assert cell == (inside.tolist() if o != d else [0, 0])
    assert float(kept.sum()) == float(flows.sum())


def test_balances_of_regions_are_sums_of_those_of_places():
    flows = table()
    net = flow_totals(flows)["net_migration"]
    of_regions = flow_totals(mp.regroup_flows(flows, REGIONS))["net_migration"]
    for region in "xyz":
        own = net.sel(place=REGIONS.values == region).sum("place")
        xr.testing.assert_equal(of_regions.sel(place=region, drop=True).variable, own.variable)


def test_a_missing_flow_is_missing_in_its_regions_alone():
    flows = table().isel(sex=0).copy()
    flows.loc[{"origin": "A", "destination": "B"}] = np.nan
    got, whole = (mp.regroup_flows(x, REGIONS) for x in (flows, table().isel(sex=0)))
    missing = (got["origin"] == "x") & (got["destination"] == "y")
    xr.testing.assert_equal(got, whole.where(~missing))
    both = mp.regroup_flows(table().where(table()["sex"] == "male"), REGIONS)
    assert both.sel(sex="female").isnull().all()
    assert not both.sel(sex="male").isnull().any()


def test_flows_may_be_by_region_besides():
    flows = table()
    several = flows.rename(sex="region")
    got = mp.regroup_flows(several, REGIONS)
    xr.testing.assert_identical(got.rename(region="sex"), mp.regroup_flows(flows, REGIONS))


def test_wrong_inputs_are_told():
    flows = table()
    for function in (flow_totals, lambda x: mp.regroup_flows(x, REGIONS)):
        with says(mp.SchemaError, "flows: the dim 'place'", "origin and destination"):
            function(flows.rename(sex="place"))
    with says(mp.AlignmentError, "regions", "'E'"):
        mp.regroup_flows(flows, REGIONS[:4])
    with says(mp.SchemaError, "regions: expected one for each place", "none for 1", "'D'"):
        mp.regroup_flows(flows, REGIONS.where(REGIONS != "z"))
    with says(mp.SchemaError, "regions", "'place'", "country"):
        mp.regroup_flows(flows, REGIONS.rename(place="country"))
    with says(mp.SchemaError, "within", "'kept'"):
        mp.regroup_flows(flows, REGIONS, within="kept")
    with says(mp.AlignmentError, "'destination'", "'E'"):
        flow_totals(flows.isel(destination=slice(4)))
    with says(mp.SchemaError, "flows", "negative", "origin=A"):
        flow_totals(-flows)
    with says(mp.AlignmentError, "dim 'origin' has no labels", "assign_coords"):
        flow_totals(flows.drop_vars("origin"))
