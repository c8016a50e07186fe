"""Pictures draw what they are given, with labels and units."""

import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr

import migproj as mp

mpl.use("agg")
from matplotlib import pyplot

from migproj.plot import age_profile, stock_lines


@pytest.fixture(autouse=True)
def _close():
    yield
    pyplot.close("all")


@pytest.fixture
def net():
    return xr.DataArray(
        np.arange(9.0).reshape(3, 3) - 4,
        dims=("age", "birthplace"),
        coords={"birthplace": ["A", "B", "C"], **mp.age_coords(["0-4", "5-9", "10+"])},
        name="net_migration",
        attrs={"units": "persons per period"},
    )


def test_age_profile(net):
    ax = age_profile(net.expand_dims(sex=["male"]))
    lines = [line for line in ax.get_lines() if not line.get_label().startswith("_")]
    assert [line.get_label() for line in lines] == ["A", "B", "C"]
    np.testing.assert_array_equal(lines[1].get_ydata(), net.sel(birthplace="B"))
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["0-4", "5-9", "10+"]
    assert ax.get_ylabel() == "net_migration (persons per period)"


def test_stock_lines_on_given_axes(net):
    _figure, ax = pyplot.subplots()
    stock = xr.DataArray([1.0, 10.0], dims="time", coords={"time": [1960.0, 1970.0]})
    assert stock_lines(stock, ax=ax) is ax
    assert ax.get_yscale() == "log"
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["1960", "1970"]


def test_more_birthplaces_than_colours_are_told_apart():
    many = xr.DataArray(
        np.ones((20, 2)),
        dims=("birthplace", "time"),
        coords={"birthplace": range(20), "time": [0.0, 1.0]},
    )
    looks = {(line.get_color(), line.get_linestyle()) for line in stock_lines(many).get_lines()}
    assert len(looks) == 20


def test_one_dim_too_many(net):
    with pytest.raises(mp.SchemaError, match=r"expected 'age' and one more dim.*sum\('sex'\)"):
        age_profile(net.expand_dims(sex=["female", "male"]).transpose("birthplace", "sex", "age"))
