"""Pictures draw what they are given, with labels and units."""

import sys

import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr

import migproj as mp

mpl.use("agg")
from matplotlib import pyplot

from migproj.plot import age_profile, age_quality, stock_lines


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


def test_times_are_dates_in_any_order():
    days = np.array(["2010-10-27", "1990-01-01", "2000-07-01"], "datetime64[ns]")
    stock = xr.DataArray([3.0, 1.0, 2.0], dims="time", coords={"time": days})
    for array in (stock, stock.assign_coords(time=[mp.decimal_year(day) for day in days])):
        (line,) = stock_lines(array).get_lines()
        np.testing.assert_array_equal(line.get_ydata(), [1.0, 2.0, 3.0])
        np.testing.assert_allclose(line.get_xdata(), [1990.0, 2000.497268, 2010.819178])
    with pytest.raises(mp.IntervalError, match="array: 'time': date: expected"):
        stock_lines(stock.assign_coords(time=["a", "b", "c"]))


def test_dates_are_days_in_print(net):
    days = np.array(["1990-01-01", "2000-07-01"], "datetime64[ns]")
    rounds = xr.concat([net.isel(birthplace=0, drop=True)] * 2, "time").assign_coords(time=days)
    lines = age_profile(rounds).get_lines()
    assert [line.get_label() for line in lines[:2]] == ["1990-01-01", "2000-07-01"]
    ax = mp.plot.heat_map(rounds)
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["1990-01-01", "2000-07-01"]
    people = abs(rounds).expand_dims(sex=["female", "male"])
    ax = mp.plot.pyramid(*(people.isel(time=k) for k in (1, 0)))
    shown = [text.get_text() for text in ax.get_legend().get_texts()]
    assert shown == ["2000-07-01", "1990-01-01"]


def test_stocks_below_0_have_no_logarithm():
    stock = xr.DataArray([1.0, -10.0], dims="time", coords={"time": [1960.0, 1970.0]})
    with pytest.raises(mp.SchemaError, match="array: expected counts of 0 or more"):
        stock_lines(stock)


def test_markers_of_many_points_are_as_wide_as_the_line(people):
    few = age_profile(mp.regroup_ages(people.sel(country="A"), range(0, 85, 5)))
    many = age_profile(people.sel(country="A"))
    assert few.get_lines()[0].get_markersize() > 3
    assert many.get_lines()[0].get_markersize() <= many.get_lines()[0].get_linewidth()
    assert (
        age_profile(people.sel(country="A"), marker="s", markersize=5).get_lines()[0].get_marker()
        == "s"
    )


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


@pytest.fixture
def people():
    """Two countries by single years, the second one heaped on tens."""
    level = 1000 * np.exp(-0.02 * np.arange(101)) * np.ones((2, 2, 1))
    level[1] *= np.where(np.arange(101) % 10 == 0, 4.0, 0.7)
    coords = {"country": ["A", "B"], "sex": ["female", "male"], **mp.age_coords(range(101))}
    return xr.DataArray(level, dims=("country", "sex", "age"), coords=coords)


def dots(ax):
    return [line for line in ax.get_lines() if line.get_linestyle() == "None"]


def test_age_quality_draws_every_score(people):
    report = mp.age_quality(people)
    axes = age_quality(report)
    titles = [ax.get_title() for ax in axes]
    assert sorted(titles) == sorted(report)
    assert titles[-1] == "digit_shares"
    assert len(axes[0].figure.axes) == len(axes)
    for name, ax in zip(titles[:-1], axes, strict=False):
        assert [tick.get_text() for tick in ax.get_yticklabels()] == ["A", "B"], name
        drawn = np.array([line.get_xdata() for line in dots(ax)])
        want = report[name].values.T if "sex" in report[name].dims else [report[name].values]
        np.testing.assert_array_equal(drawn, want)
    whipple = axes[titles.index("whipple_index")]
    assert [line.get_label() for line in dots(whipple)] == ["female", "male"]
    # B is beyond 175: all four worse bands are to be seen.
    assert len(whipple.patches) == 4
    lines = [line for line in axes[-1].get_lines() if not line.get_label().startswith("_")]
    assert [line.get_label() for line in lines] == ["A, female", "A, male", "B, female", "B, male"]
    np.testing.assert_array_equal(lines[2].get_ydata(), report["digit_shares"][1, 0])
    # What the colours mean is to be read, and is the same in all.
    assert [text.get_text() for text in axes[0].get_legend().get_texts()] == ["female", "male"]
    colours = [line.get_color() for line in dots(whipple)]
    assert [line.get_color() for line in lines] == colours * 2
    (both,) = dots(axes[titles.index("age_sex_accuracy")])
    assert both.get_color() not in colours


def test_age_quality_of_one_population_in_groups(people):
    groups = mp.regroup_ages(people.isel(country=[0], sex=0, drop=True), range(0, 85, 5))
    report = mp.age_quality(groups)
    _figure, given = pyplot.subplots(1, 3)
    axes = age_quality(report, axes=given)
    assert axes == list(given)
    assert [ax.get_title() for ax in axes] == list(report)
    assert all(len(dots(ax)) == 1 for ax in axes)
    assert axes[0].get_legend() is None
    # Sound ages: no worse band of the sawtooth.
    assert not axes[list(report).index("sawtooth_index")].patches


def test_age_quality_of_what_is_no_report(people):
    with pytest.raises(mp.SchemaError, match="report: expected the Dataset of scores.*DataArray"):
        age_quality(people)
    with pytest.raises(mp.SchemaError, match="report: expected the Dataset of scores"):
        age_quality(people.to_dataset(name="population"))
    report = mp.age_quality(people)
    with pytest.raises(mp.SchemaError, match="axes: expected 11, one for each"):
        age_quality(report, axes=[])
    many = xr.concat([report, report], xr.DataArray([1, 2], dims="round", name="round"))
    with pytest.raises(mp.SchemaError, match="one dim besides 'sex'.*isel"):
        age_quality(many)


def test_without_matplotlib_the_extra_is_named(net, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    monkeypatch.delattr(mpl, "pyplot")
    with pytest.raises(ImportError, match=r"pip install 'migproj\[plot\]'"):
        age_profile(net)


def test_what_is_no_axes(net):
    figure = pyplot.figure()
    for odd in (figure, figure.subplots(2), "x"):
        with pytest.raises(mp.SchemaError, match="ax: expected one matplotlib Axes, got"):
            age_profile(net, ax=odd)
