import itertools
import warnings

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import migproj as mp
from migproj.scenarios import (
    constant,
    instant_replacement,
    linear_approach,
    multiply,
    variants,
    zero,
)

SEXES = ["female", "male"]
COUNTRIES = ["ARG", "BOL", "CHL"]
AGES = mp.age_coords(range(0, 90, 5))
ABRIDGED = mp.age_coords(["0", "1-4", *(f"{x}-{x + 4}" for x in range(5, 85, 5)), "85+"])
FERTILE = np.arange(15, 50, 5)
OLD = [2005.0, 2010.0, 2015.0]
NEW = [2020.0, 2025.0, 2030.0, 2035.0]


@pytest.fixture
def moves():
    """Net migration by country, period, sex and age."""
    values = np.random.default_rng(1).uniform(-500, 900, (3, 3, 2, 18))
    return xr.DataArray(
        values,
        dims=("country", "period", "sex", "age"),
        coords={
            "country": COUNTRIES,
            "period": OLD,
            "period_width": ("period", [5.0, 5.0, 5.0]),
            "sex": SEXES,
            **AGES,
            "name": ("country", ["Argentina", "Bolivia", "Chile"]),
            "revision": 2019,
        },
        name="net_migration",
        attrs={"units": "persons per period", "source": "a census"},
    )


@pytest.fixture
def fertility():
    values = np.random.default_rng(2).uniform(0.02, 0.2, (3, 4, 7))
    return xr.DataArray(
        values,
        dims=("country", "period", "age"),
        coords={"country": COUNTRIES, "period": NEW, "age": FERTILE},
        name="fertility",
        attrs={"units": "1/year"},
    )


@pytest.fixture
def table():
    """Life tables by country, period and sex, abridged."""
    level = np.random.default_rng(3).uniform(0.8, 1.3, (3, 4, 2, 1))
    mx = level * 0.002 * np.exp(np.arange(19) / 4)
    coords = {"country": COUNTRIES, "period": NEW, "sex": SEXES, **ABRIDGED}
    return mp.life_table(xr.DataArray(mx, dims=("country", "period", "sex", "age"), coords=coords))


def reproduction(fertility, table, ratio):
    """Net reproduction rates from the arrays themselves, by position."""
    women = table.sel(sex="female").transpose("country", "period", "age")
    lived = women["Lx"].values[..., 4:11]
    survivors = women["lx"].values[..., 0]
    rates = fertility.transpose("country", "period", "age").values
    return (rates * lived).sum(-1) / (1 + ratio) / survivors


def says(error, *parts):
    """A pattern that finds the parts in this order."""
    return pytest.raises(error, match="(?s)" + ".*".join(parts))


ALL = {
    "zero": zero,
    "constant": lambda x: constant(x, NEW, last=2),
    "linear_approach": lambda x: linear_approach(x, 10.0, NEW, until=2030),
    "multiply": lambda x: multiply(x, {"low": 0.5, "high": 1.5}),
    "variants": lambda x: variants(medium=x, half=0.5 * x),
}


# All of them ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
def test_units_name_and_auxiliary_coordinates_are_kept(moves, name):
    result = ALL[name](moves)
    assert result.name == "net_migration"
    assert result.attrs["units"] == "persons per period"
    for coord in ("age_width", "name", "revision", "sex", "country", "age"):
        xr.testing.assert_identical(
            result[coord].reset_coords(drop=True), moves[coord].reset_coords(drop=True)
        )
    assert result["period_width"].dims == ("period",)
    assert result["period_width"].values.tolist() == [5.0] * result.sizes["period"]
    assert result.dtype == np.float64


@pytest.mark.parametrize("name", ALL)
def test_inputs_stay_as_they_were(moves, name):
    before = moves.copy(deep=True)
    moves.values.flags.writeable = False
    result = ALL[name](moves)
    result += 1  # its own memory
    xr.testing.assert_identical(moves, before)


@pytest.mark.parametrize("order", list(itertools.permutations(["country", "period", "sex", "age"])))
@pytest.mark.parametrize("name", ALL)
def test_order_of_dims_does_not_matter(moves, name, order):
    result = ALL[name](moves.transpose(*order))
    new = ("variant",) if name in ("multiply", "variants") else ()
    assert result.dims == (*new, *order)
    expected = ALL[name](moves)
    xr.testing.assert_identical(result.transpose(*expected.dims), expected)


@pytest.mark.parametrize("name", ALL)
def test_other_dims_go_through(moves, name):
    drawn = xr.concat(
        [moves, 3 * moves],
        dim=xr.Variable("draw", [0, 1]),
        coords="minimal",
        compat="override",
        join="exact",
    )
    result = ALL[name](drawn)
    for draw, alone in ((0, moves), (1, 3 * moves)):
        got = result.sel(draw=draw, drop=True)
        np.testing.assert_array_equal(got, ALL[name](alone).transpose(*got.dims))


@pytest.mark.parametrize("name", ALL)
def test_lazy_arrays_stay_lazy(moves, name):
    pytest.importorskip("dask.array")
    result = ALL[name](moves.chunk({"country": 1}))
    assert result.chunks is not None
    assert len(result.chunksizes["period"]) == 1  # as projections want it
    xr.testing.assert_identical(result.compute(), ALL[name](moves))


@pytest.mark.parametrize("name", ALL)
def test_whole_numbers_count_as_numbers(moves, name):
    whole = moves.round().astype(np.int32)
    np.testing.assert_array_equal(ALL[name](whole), ALL[name](whole.astype(np.float64)))


@pytest.mark.parametrize("name", [name for name in ALL if name != "zero"])
def test_missing_stays_missing_in_its_own_country(moves, name):
    expected = ALL[name](moves)
    moves.loc[{"country": "BOL"}] = np.nan
    result = ALL[name](moves)
    own = result.sel(country="BOL")
    if name == "linear_approach":  # from until on the target is known
        assert (own.sel(period=[2030, 2035]) == 10).all()
        own = own.sel(period=[2020, 2025])
    assert own.isnull().all()
    others = {"country": ["ARG", "CHL"]}
    xr.testing.assert_identical(result.sel(others), expected.sel(others))


@pytest.mark.parametrize("name", [name for name in ALL if name != "variants"])
def test_text_and_datasets_are_refused(moves, name):
    with says(mp.SchemaError, "array: expected numbers", r"astype\(float\)"):
        ALL[name](moves.astype(str).astype(object))
    with says(mp.SchemaError, "array: expected an xarray.DataArray, got Dataset", "select"):
        ALL[name](moves.to_dataset())


# Zero -----------------------------------------------------------------------------------------


def test_zero_is_zero_also_where_the_array_is_missing(moves):
    moves.loc[{"country": "BOL"}] = np.nan
    result = zero(moves)
    assert (result == 0).all()
    xr.testing.assert_identical(result.coords.to_dataset(), moves.coords.to_dataset())


# Constant -------------------------------------------------------------------------------------


def test_constant_holds_the_last_period(moves):
    result = constant(moves, NEW)
    assert result["period"].values.tolist() == NEW
    for period in NEW:
        np.testing.assert_array_equal(result.sel(period=period), moves.sel(period=2015))


@pytest.mark.parametrize("last", [1, 2, 3, np.int64(2)])
def test_constant_is_the_mean_of_the_last(moves, last):
    result = constant(moves, NEW, last=last)
    mean = sum(moves.isel(period=-k - 1, drop=True) for k in range(last)) / last
    for period in NEW:
        got = result.sel(period=period)
        np.testing.assert_allclose(got, mean.transpose(*got.dims), rtol=1e-13, atol=1e-12)


def test_a_missing_period_before_the_last_does_not_matter(moves):
    moves.loc[{"period": 2010}] = np.nan
    assert constant(moves, NEW).notnull().all()
    assert constant(moves, NEW, last=2).isnull().all()


@pytest.mark.parametrize(
    "periods",
    [
        [2020, 2025, 2030],
        range(2020, 2035, 5),
        np.array([2020, 2025, 2030]),
        ["2020-01-01", "2025-01-01", "2030-01-01"],
        np.array(["2020-01-01", "2025-01-01", "2030-01-01"], dtype="datetime64[ns]"),
        xr.DataArray([2020, 2025, 2030], dims="period"),
        xr.DataArray([2020.0, 2025.0, 2030.0], dims="start"),
    ],
)
def test_periods_are_years_or_dates(moves, periods):
    result = constant(moves, periods)
    assert result["period"].values.tolist() == [2020.0, 2025.0, 2030.0]
    assert result["period_width"].values.tolist() == [5.0, 5.0, 5.0]


def test_dates_in_the_middle_of_leap_years(moves):
    middle = [mp.decimal_year(f"{year}-07-01") for year in (2005, 2010, 2015)]
    result = constant(moves.assign_coords(period=middle), ["2020-07-01", "2025-07-01"])
    assert result["period"].values.tolist() == [2020.497268, 2025.49589]
    assert result["period_width"].values.tolist() == [5.0, 5.0]


def test_widths_of_the_periods_given_are_taken():
    rates = xr.DataArray([0.1, 0.2], dims="period", coords={"period": [2010, 2015]})
    periods = xr.DataArray([2020, 2025], dims="period", coords={"period": [2020, 2025]})
    result = constant(rates, periods.assign_coords(period_width=("period", [5.0, 10.0])))
    assert result["period_width"].values.tolist() == [5.0, 10.0]
    result = constant(rates, periods.assign_coords(period_width=5))
    assert result["period_width"].values.tolist() == [5.0, 5.0]


def test_a_single_new_period_is_as_wide_as_the_last_old_one():
    rates = xr.DataArray([0.1, 0.2, 0.3], dims="period", coords={"period": [2000, 2010, 2015]})
    assert constant(rates, [2020])["period_width"].values.tolist() == [5.0]


def test_rates_may_be_held_over_periods_of_another_width():
    rates = xr.DataArray(
        [0.1, 0.2], dims="period", coords={"period": [2010, 2015]}, attrs={"units": "1/year"}
    )
    result = constant(rates, [2020, 2021, 2022], last=2)
    np.testing.assert_allclose(result, 0.15, rtol=1e-14)
    assert result["period_width"].values.tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("name", "units"),
    [(None, "persons per period"), ("arrivals", None), ("survival", "1"), ("separation", None)],
)
@pytest.mark.parametrize("how", [constant, lambda x, p: linear_approach(x, 0, p, until=2030)])
def test_values_of_a_whole_period_may_not(name, units, how):
    attrs = {} if units is None else {"units": units}
    counts = xr.DataArray(
        [0.1, 0.2], dims="period", coords={"period": [2010, 2015]}, name=name, attrs=attrs
    )
    with says(mp.IntervalError, "periods: expected them as wide", "5 years", r"\[1.0", "yearly"):
        how(counts, [2020, 2021])
    assert how(counts, [2020, 2025])["period_width"].values.tolist() == [5.0, 5.0]


@pytest.mark.parametrize(
    ("periods", "parts"),
    [
        ([2025, 2030], ["begin at 2020", "array", "2015, 5 years", "got 2025: 5 years are left"]),
        ([2015, 2020], ["begin at 2020", "got 2015: 5 years are there already", "from 2020 on"]),
        ([2020.01, 2025], ["begin at 2020", "got 2020.01"]),
        ([2020, 2030, 2025], ["periods: dim 'period'", "ascending", "got 2025 after 2030"]),
        ([2020, 2020], ["ascending", "got 2020 after 2020", "each once"]),
        ([], ["periods: empty", "at least one"]),
        ("2020", ["expected the starts of periods, got str '2020'", r"\[2020\]"]),
        (2020, ["expected the starts of periods, got int 2020"]),
        (["soon"], ["periods: dim 'period': date", "'soon'"]),
        (xr.DataArray(2020), ["periods: expected one dim", r"got dims \(\)", "period"]),
    ],
)
@pytest.mark.parametrize("how", [constant, lambda x, p: linear_approach(x, 0, p, until=2040)])
def test_periods_that_do_not_follow(moves, how, periods, parts):
    with says(mp.IntervalError, *parts):
        how(moves, periods)


def test_periods_with_gaps(moves):
    new = xr.DataArray([2020.0, 2030.0], dims="period")
    with says(mp.IntervalError, "periods: .*from 2020, 5 years wide, leaves a gap", "2030"):
        constant(moves, new.assign_coords(period_width=5.0))
    with says(mp.IntervalError, "array: .*from 2005, 10 years wide, overlaps", "2010", "correct"):
        constant(moves.assign_coords(period_width=10.0), NEW)


@pytest.mark.parametrize("width", [0.0, -5.0, np.inf, np.nan])
def test_widths_that_are_none(moves, width):
    with says(mp.SchemaError, "array: period_width: expected years above 0", "states them"):
        constant(moves.assign_coords(period_width=width), NEW)


def test_a_single_period_needs_a_width(moves):
    single = moves.isel(period=[2]).drop_vars("period_width")
    with says(mp.IntervalError, "array: dim 'period'", r"assign_coords\(period_width=5\)"):
        constant(single, NEW)
    result = constant(single.assign_coords(period_width=5), NEW)
    xr.testing.assert_identical(result, constant(moves, NEW))


def test_one_period_of_a_scalar_is_made_a_dim_first(moves):
    estimate = moves.sel(period=2015)
    with says(mp.SchemaError, "array: expected the dim", "period", "expand_dims"):
        constant(estimate, NEW)
    result = constant(estimate.expand_dims("period"), NEW)
    expected = constant(moves, NEW)
    xr.testing.assert_identical(result.transpose(*expected.dims), expected)


def test_periods_without_labels(moves):
    with says(mp.SchemaError, "array: dim 'period' has no labels", "assign_coords"):
        constant(moves.drop_vars("period"), NEW)


@pytest.mark.parametrize("last", [0, -1, 4, 1.5, True, "1"])
def test_last_is_a_number_of_periods(moves, last):
    with says(mp.IntervalError, "last: expected a whole number", "1 to the 3", "got"):
        constant(moves, NEW, last=last)


def test_means_of_unequal_periods_are_refused():
    counts = xr.DataArray([1.0, 2.0, 3.0], dims="period", coords={"period": [2000, 2010, 2015]})
    with says(mp.IntervalError, "last: expected periods of one width", r"\[10.0, 5.0, 5.0\]"):
        constant(counts, NEW, last=3)
    assert constant(counts, NEW, last=2).values.tolist() == [2.5] * 4


def test_coordinates_of_the_old_periods_are_dropped(moves):
    dated = moves.assign_coords(label=("period", ["a", "b", "c"]))
    assert "label" not in constant(dated, NEW).coords
    assert "label" not in linear_approach(dated, 0, NEW, until=2030).coords


# Linear approach ------------------------------------------------------------------------------


def test_a_straight_line_by_hand():
    array = xr.DataArray([90.0, 100.0], dims="period", coords={"period": [2010, 2015]})
    result = linear_approach(array, 40, [2020, 2025, 2030, 2035], until=2030)
    np.testing.assert_allclose(result, [80, 60, 40, 40], rtol=1e-14)
    assert result["period"].values.tolist() == NEW


@pytest.mark.parametrize("until", [2022, 2024.9, 2025, 2025.004, "2025-01-01", "2023-03-09"])
def test_the_target_is_reached_in_the_first_period_from_until_on(moves, until):
    result = linear_approach(moves, 123.4, NEW, until=until)
    assert (result.sel(period=[2025, 2030, 2035]) == 123.4).all()
    assert (result.sel(period=2020) != 123.4).all()


def test_an_approach_that_is_over_at_once(moves):
    assert (linear_approach(moves, 0, NEW, until=2020) == 0).all()
    assert (linear_approach(moves, 0, NEW, until=2017) == 0).all()


def test_an_approach_beyond_the_last_period():
    array = xr.DataArray([0.0, 0.0], dims="period", coords={"period": [2010, 2015]})
    result = linear_approach(array, 100, NEW, until=2115)
    np.testing.assert_allclose(result, [5, 10, 15, 20], rtol=1e-14)


def test_steps_of_an_approach_are_equal(moves):
    target = moves.sel(period=2005, drop=True).drop_vars("period_width", errors="ignore")
    result = linear_approach(moves, target, NEW, until=2035)
    line = xr.concat(
        [moves.isel(period=-1, drop=True), *(result.isel(period=k, drop=True) for k in range(4))],
        dim="k",
        coords="minimal",
        compat="override",
        join="exact",
    )
    np.testing.assert_allclose(line.diff("k", n=2), 0, atol=1e-10)
    np.testing.assert_array_equal(result.sel(period=2035), target)
    assert np.abs(line.diff("k")).max() > 1


def test_targets_by_some_dims_and_by_new_ones(moves):
    target = xr.DataArray(
        [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]],
        dims=("variant", "country"),
        coords={"variant": ["low", "high"], "country": COUNTRIES, "note": ("variant", ["a", "b"])},
    )
    result = linear_approach(moves, target, NEW, until=2030)
    assert result.dims == ("variant", "country", "period", "sex", "age")
    assert result["note"].values.tolist() == ["a", "b"]
    for variant in ("low", "high"):
        for country in COUNTRIES:
            one = {"variant": variant, "country": country}
            alone = linear_approach(
                moves.sel(country=country), float(target.sel(one)), NEW, until=2030
            )
            np.testing.assert_array_equal(result.sel(one), alone)


def test_a_missing_target_is_missing_all_the_way(moves):
    target = xr.DataArray([0.0, np.nan, 0.0], dims="country", coords={"country": COUNTRIES})
    result = linear_approach(moves, target, NEW, until=2030)
    assert result.sel(country="BOL").isnull().all()
    assert result.sel(country=["ARG", "CHL"]).notnull().all()


@settings(derandomize=True, deadline=None, database=None, max_examples=50)
@given(start=st.floats(-1e6, 1e6), target=st.floats(-1e6, 1e6), until=st.floats(2015.5, 2060))
def test_an_approach_stays_between_start_and_target(start, target, until):
    array = xr.DataArray([start], dims="period", coords={"period": [2015], "period_width": 5.0})
    result = linear_approach(array, target, range(2020, 2065, 5), until=until)
    slack = 1e-9 * max(abs(start), abs(target), 1)
    assert (result >= min(start, target) - slack).all()
    assert (result <= max(start, target) + slack).all()
    away = np.abs(result - target).values
    assert (np.diff(away) <= slack).all()
    assert away[-1] == 0  # starts in 2060


def test_targets_that_are_refused(moves):
    other = xr.DataArray([0.0, 1.0, 2.0], dims="country", coords={"country": ["ARG", "BOL", "PER"]})
    with says(mp.AlignmentError, "target: dim 'country'", r"missing: \['CHL'\]", r"\['PER'\]"):
        linear_approach(moves, other, NEW, until=2030)
    with says(mp.SchemaError, "target: the dim 'period' is not expected"):
        linear_approach(moves, moves, NEW, until=2030)
    with says(mp.SchemaError, "target: expected a number or an xarray.DataArray", "'none'"):
        linear_approach(moves, "none", NEW, until=2030)
    rate = xr.DataArray(0.1, attrs={"units": "1/year"})
    with says(mp.SchemaError, "target: units: expected 'persons per period'", "got '1/year'"):
        linear_approach(moves, rate, NEW, until=2030)
    wide = moves.isel(period=0, drop=True).assign_coords(age_width=("age", [5.0] * 18))
    with says(mp.AlignmentError, "target: the coordinate 'age_width' differs", "array", "drop_v"):
        linear_approach(moves, wide, NEW, until=2030)


@pytest.mark.parametrize("until", [2015, 2010, "2015-01-01"])
def test_until_comes_after_the_last_period_starts(moves, until):
    with says(mp.IntervalError, "until: expected a time after 2015", "got 201", "2035"):
        linear_approach(moves, 0, NEW, until=until)


# Instant replacement --------------------------------------------------------------------------


def test_net_reproduction_rates_are_one(fertility, table):
    result = instant_replacement(fertility, table, 1.05)
    np.testing.assert_allclose(reproduction(result, table, 1.05), 1, rtol=1e-12)
    assert np.abs(reproduction(fertility, table, 1.05) - 1).min() > 1e-3
    assert result.name == "fertility"
    assert result.attrs["units"] == "1/year"
    assert result.dims == fertility.dims
    xr.testing.assert_identical(result.coords.to_dataset(), fertility.coords.to_dataset())


def test_the_ages_of_mothers_stay_distributed_as_they_were(fertility, table):
    result = instant_replacement(fertility, table, 1.05)
    np.testing.assert_allclose(
        result / result.sum("age"), fertility / fertility.sum("age"), rtol=1e-13
    )


def test_the_rate_is_that_of_the_stable_population(fertility, table):
    result = instant_replacement(fertility, table, 1.05)
    survival = mp.survival_ratios(table, ages=AGES)
    stable = mp.stable_population(survival, result, 1.05)
    np.testing.assert_allclose(stable["net_reproduction_rate"], 1, rtol=1e-12)
    np.testing.assert_allclose(stable["intrinsic_growth_rate"], 0, atol=1e-12)


def test_twice_is_once(fertility, table):
    once = instant_replacement(fertility, table, 1.05)
    xr.testing.assert_allclose(instant_replacement(once, table, 1.05), once, rtol=1e-13)


@settings(derandomize=True, deadline=None, database=None, max_examples=30)
@given(
    rates=hnp.arrays(np.float64, 4, elements=st.floats(1e-4, 0.4)),
    level=st.floats(0.2, 5),
    ratio=st.floats(1.0, 1.3),
    radix=st.sampled_from([1.0, 1000.0, 1e5]),
)
def test_reproduction_at_any_level(rates, level, ratio, radix):
    mx = xr.DataArray(level * 0.002 * np.exp(np.arange(19) / 6), dims="age", coords=ABRIDGED)
    table = mp.life_table(mx.assign_coords(sex="female"), radix=radix)
    ages = FERTILE[1:5]
    given_rates = xr.DataArray(rates, dims="age", coords={"age": ages})
    result = instant_replacement(given_rates, table, ratio)
    daughters = float((result.values * table["Lx"].sel(age=ages).values).sum()) / (1 + ratio)
    assert daughters / radix == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("order", list(itertools.permutations(["country", "period", "age"])))
def test_order_of_dims_of_fertility_and_table_does_not_matter(fertility, table, order):
    expected = instant_replacement(fertility, table, 1.05)
    result = instant_replacement(
        fertility.transpose(*order), table.transpose(*order[::-1], "sex"), 1.05
    )
    assert result.dims == order
    xr.testing.assert_allclose(result.transpose(*expected.dims), expected, rtol=1e-14)


def test_sex_is_found_by_label(fertility, table):
    expected = instant_replacement(fertility, table, 1.05)
    for women in (
        table.sel(sex=["male", "female"]),
        table.sel(sex=["female"]),
        table.sel(sex="female"),
        table.sel(sex="female", drop=True),
    ):
        xr.testing.assert_identical(instant_replacement(fertility, women, 1.05), expected)
    with says(mp.SchemaError, "life_table: 'sex'", "'female'", r"got \['male'\]", "women"):
        instant_replacement(fertility, table.sel(sex="male"), 1.05)


def test_dims_that_fertility_lacks_come_first(fertility, table):
    one = fertility.sel(country="ARG", period=2020, drop=True)
    ratios = xr.DataArray([1.03, 1.05, 1.08], dims="draw", coords={"draw": [0, 1, 2]})
    result = instant_replacement(one, table.assign_coords(period_width=5.0), ratios)
    assert result.dims == ("country", "period", "draw", "age")
    for draw in (0, 1, 2):
        got = reproduction(result.sel(draw=draw), table, float(ratios[draw]))
        np.testing.assert_allclose(got, 1, rtol=1e-12)


def test_periods_of_the_table_are_those_of_the_result(fertility, table):
    tables = table.assign_coords(period_width=("period", [5.0] * 4)).sel(country="ARG")
    one = fertility.sel(country="ARG", period=2020).assign_coords(period_width=10.0)
    result = instant_replacement(one, tables, 1.05)
    assert result.dims == ("period", "age")
    assert result["period"].values.tolist() == NEW
    assert result["period_width"].values.tolist() == [5.0] * 4
    assert result["country"].item() == "ARG"
    with says(mp.AlignmentError, "fertility: is of country 'ARG' alone", "life_table"):
        instant_replacement(one, table, 1.05)


def test_sex_ratios_by_period(fertility, table):
    ratio = xr.DataArray([1.03, 1.05, 1.07, 1.09], dims="period", coords={"period": NEW})
    result = instant_replacement(fertility, table, ratio)
    np.testing.assert_allclose(reproduction(result, table, ratio.values), 1, rtol=1e-12)


def test_single_years(fertility):
    ages = mp.age_coords(range(101))
    mx = xr.DataArray(0.0005 * np.exp(np.arange(101) / 20), dims="age", coords=ages)
    table = mp.life_table(mx.assign_coords(sex="female"))
    rates = xr.DataArray(np.full(35, 0.05), dims="age", coords={"age": range(15, 50)})
    result = instant_replacement(rates, table, 1.05)
    lived = table["Lx"].sel(age=range(15, 50)).values
    assert (result.values * lived).sum() / 2.05 == pytest.approx(1, rel=1e-12)


def test_no_births_are_missing_and_said(fertility, table):
    expected = instant_replacement(fertility, table, 1.05)
    fertility.loc[{"country": "CHL", "period": 2025}] = 0
    with pytest.warns(mp.DataQualityWarning) as caught:
        result = instant_replacement(fertility, table, 1.05)
    assert len(caught) == 1
    message = str(caught[0].message)
    assert "net reproduction rate of 0" in message
    assert "in 1 cell(s): country=CHL, period=2025.0" in message
    assert caught[0].filename == __file__
    own = (expected["country"] == "CHL") & (expected["period"] == 2025)
    xr.testing.assert_identical(result, expected.where(~own))
    assert result.isnull().sum() == 7


def test_a_missing_rate_is_missing_in_its_own_row_only(fertility, table):
    expected = instant_replacement(fertility, table, 1.05)
    fertility.loc[{"country": "BOL", "period": 2030, "age": 20}] = np.nan
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = instant_replacement(fertility, table, 1.05)
    own = (expected["country"] == "BOL") & (expected["period"] == 2030)
    xr.testing.assert_identical(result, expected.where(~own))
    assert result.isnull().sum() == 7


def test_replacement_leaves_its_inputs_and_reads_no_lazy_values(fertility, table):
    pytest.importorskip("dask.array")
    before, tables = fertility.copy(deep=True), table.copy(deep=True)
    expected = instant_replacement(fertility, table, 1.05)
    xr.testing.assert_identical(fertility, before)
    xr.testing.assert_identical(table, tables)
    result = instant_replacement(fertility.chunk({"country": 1}), table.chunk(), 1.05)
    assert result.chunks is not None
    xr.testing.assert_allclose(result.compute(), expected, rtol=1e-14)


def test_ages_that_the_life_table_has_not(fertility, table):
    with says(
        mp.AlignmentError, "life_table: dim 'age'", "groups of fertility", r"\['85-89'\]", "0, 1-4"
    ):
        instant_replacement(
            fertility.isel(age=[0]).assign_coords(mp.age_coords(["85-89"])), table, 1.05
        )
    with says(mp.AlignmentError, r"none that is \['15-16', '17-18'\]"):
        instant_replacement(
            fertility.isel(age=[0, 1]).assign_coords(mp.age_coords(["15-16", "17-18"])), table, 1.05
        )
    ages = mp.age_coords(range(101))
    mx = xr.DataArray(np.full(101, 0.01), dims="age", coords=ages).assign_coords(sex="female")
    with says(mp.AlignmentError, r"none that is \['15-19', '20-24'", r"\(0, 1, 2", "make the life"):
        instant_replacement(fertility, mp.life_table(mx), 1.05)
    with says(mp.AlignmentError, "life_table: dim 'age': expected to begin at 0, got 5"):
        instant_replacement(fertility, table.isel(age=slice(2, None)), 1.05)


def test_replacement_of_other_labels(fertility, table):
    with says(mp.AlignmentError, "life_table: dim 'country'", r"\['CHL'\]"):
        instant_replacement(fertility, table.sel(country=["ARG", "BOL"]), 1.05)
    with says(mp.AlignmentError, "life_table: dim 'period'", "2015"):
        instant_replacement(fertility, table.assign_coords(period=[2015.0, *NEW[:3]]), 1.05)


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        ({"life_table": 0.9}, ["life_table: expected an xarray.Dataset", "'lx', 'Lx'", "float"]),
        ({"sex_ratio_at_birth": 105.0}, ["sex_ratio_at_birth", "divide", "by 100"]),
        ({"sex_ratio_at_birth": "1.05"}, ["sex_ratio_at_birth: expected a number"]),
    ],
)
def test_wrong_inputs_of_replacement(fertility, table, change, parts):
    inputs = {"fertility": fertility, "life_table": table, "sex_ratio_at_birth": 1.05} | change
    with says(mp.SchemaError, *parts):
        instant_replacement(**inputs)


def test_wrong_fertility_of_replacement(fertility, table):
    with says(mp.SchemaError, "life_table", "lacks", "Lx"):
        instant_replacement(fertility, table.drop_vars("Lx"), 1.05)
    with says(mp.SchemaError, "fertility: expected rates per person and year", "per 1,000"):
        instant_replacement(1000 * fertility, table, 1.05)
    with says(mp.SchemaError, "fertility: the dim 'time'", r"rename\(time='period'\)"):
        instant_replacement(fertility.rename(period="time"), table, 1.05)
    with says(mp.SchemaError, "fertility: the dim 'sex'", "one for both sexes"):
        instant_replacement(fertility.expand_dims(sex=SEXES), table, 1.05)
    with says(mp.SchemaError, r"fertility: expected the dim\(s\) \['age'\]"):
        instant_replacement(fertility.sum("age"), table, 1.05)


# Multiply and variants ------------------------------------------------------------------------


def test_multiply_by_numbers(moves):
    factors = {"low": 0.8, "medium": 1, "high": 1.2}
    result = multiply(moves, factors)
    assert result["variant"].values.tolist() == list(factors)
    assert result["variant"].dtype == object  # strings of variable length
    for name, factor in factors.items():
        xr.testing.assert_identical(result.sel(variant=name, drop=True), factor * moves)


def test_multiply_by_arrays(moves):
    level = xr.DataArray([1.0, 2.0, 3.0], dims="country", coords={"country": COUNTRIES})
    noise = xr.DataArray([0.9, 1.1], dims="draw", coords={"draw": [0, 1]})
    turned = moves.transpose("age", "country", "sex", "period")
    result = multiply(turned, {"one": 1, "level": level, "noise": noise})
    assert result.dims == ("variant", "draw", "age", "country", "sex", "period")
    for draw in (0, 1):
        got = result.sel(draw=draw)
        for name, factor in (("one", 1), ("level", level), ("noise", float(noise[draw]))):
            expected = (turned * factor).transpose(*turned.dims)
            np.testing.assert_allclose(got.sel(variant=name), expected, rtol=1e-14)


def test_multiply_by_half_a_child(fertility):
    """The low and high variants of the United Nations."""
    total = 5 * fertility.sum("age")
    result = multiply(fertility, {"low": 1 - 0.5 / total, "medium": 1, "high": 1 + 0.5 / total})
    totals = 5 * result.sum("age") - total
    for name, change in (("low", -0.5), ("medium", 0.0), ("high", 0.5)):
        np.testing.assert_allclose(totals.sel(variant=name), change, atol=1e-12)


def test_factors_that_are_refused(moves):
    other = xr.DataArray([1.0, 2.0], dims="country", coords={"country": ["ARG", "BOL"]})
    with says(mp.AlignmentError, r"factors\['low'\]: dim 'country'", r"missing: \['CHL'\]"):
        multiply(moves, {"low": other})
    with says(mp.SchemaError, r"factors\['low'\]: expected a number", "'0.8'"):
        multiply(moves, {"low": "0.8"})
    with says(mp.SchemaError, "array: the dim 'variant'", "select one"):
        multiply(multiply(moves, {"low": 1}), {"low": 1})
    for wrong in ({}, [0.8, 1.2], None):
        with says(mp.SchemaError, "factors: expected a mapping", "such as", "'low': 0.8"):
            multiply(moves, wrong)


def test_variants_are_the_arrays(moves):
    half = 0.5 * moves
    given_arrays = {"medium": moves, "half": half, "zero-migration": zero(moves)}
    result = variants(given_arrays)
    assert result.dims == ("variant", *moves.dims)
    for name, array in given_arrays.items():
        xr.testing.assert_identical(result.sel(variant=name, drop=True), array)
    xr.testing.assert_identical(
        variants(medium=moves, half=half), variants({"medium": moves, "half": half})
    )


def test_variants_in_another_order_of_dims(moves):
    result = variants(a=moves, b=2 * moves.transpose("age", "sex", "period", "country"))
    assert result.dims == ("variant", *moves.dims)
    xr.testing.assert_identical(result, variants(a=moves, b=2 * moves))


def test_variants_of_numbers_and_of_any_label():
    result = variants({2019: 1.05, 2022: 1.06})
    assert result.values.tolist() == [1.05, 1.06]
    assert result.sel(variant=2022).item() == 1.06


def test_variants_of_what_was_selected_from_variants(moves):
    both = multiply(moves, {"low": 0.5, "high": 1.5})
    result = variants(least=both.sel(variant="low"), most=both.sel(variant="high"))
    xr.testing.assert_identical(result, both.assign_coords(variant=["least", "most"]))


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (lambda x: x.isel(period=0, drop=True), ["expected the dims", "period", "expand_dims"]),
        (lambda x: x.expand_dims(draw=[0]), ["expected the dims", "draw", "too many"]),
        (lambda x: x.sel(country=["ARG", "CHL"]), ["dim 'country'", r"missing: \['BOL'\]"]),
        (lambda x: x.sel(sex=["male", "female"]), ["dim 'sex'", "another order"]),
        (lambda x: x.assign_coords(period=NEW[:3]), ["dim 'period'", "3 missing"]),
        (
            lambda x: x.assign_coords(age_width=("age", [5.0] * 18)),
            ["coordinate 'age_width' differs", "expected", "got", "drop_vars"],
        ),
        (
            lambda x: x.assign_coords(period_width=("period", [5.0, 5.0, 10.0])),
            ["coordinate 'period_width' differs"],
        ),
        (lambda x: x.assign_coords(revision=2022), ["'revision' differs", "2019", "2022"]),
    ],
)
def test_variants_of_other_form(moves, change, parts):
    with says(mp.AlignmentError, r"variants\['other'\]: ", *parts):
        variants({"medium": moves, "other": change(moves)})


def test_variants_that_are_none(moves):
    with says(mp.SchemaError, r"variants\['b'\]: units: expected 'persons per period'", "1/year"):
        variants(a=moves, b=moves.assign_attrs(units="1/year"))
    with says(mp.SchemaError, r"variants\['b'\]: the dim 'variant'"):
        variants(a=moves, b=multiply(moves, {"low": 1}))
    with says(mp.SchemaError, r"variants\['b'\]: expected a number or an xarray.DataArray"):
        variants(a=moves, b=moves.to_dataset())
    with says(mp.SchemaError, "variants: expected either a mapping or keywords"):
        variants({"a": moves}, b=moves)
    for wrong in (moves.to_dataset(), [moves], {}):
        with says(mp.SchemaError, "variants: expected a mapping", "zero-migration"):
            variants(wrong)
    with says(mp.SchemaError, "variants: expected a mapping"):
        variants()


def test_variants_without_labels_are_not_aligned_by_position(moves):
    bare = moves.drop_vars("country")
    with says(mp.SchemaError, "dim 'country' has no labels", "by position"):
        variants(a=bare, b=bare)


# In projections -------------------------------------------------------------------------------


@pytest.fixture
def projection(moves, table):
    rng = np.random.default_rng(5)
    coords = {"country": COUNTRIES, "sex": SEXES, **AGES, "time": 2020}
    people = xr.DataArray(
        rng.uniform(1e4, 1e5, (3, 2, 18)), dims=("country", "sex", "age"), coords=coords
    )
    rates = xr.DataArray(
        rng.uniform(0.02, 0.15, (3, 3, 7)),
        dims=("country", "period", "age"),
        coords={"country": COUNTRIES, "period": OLD, "age": FERTILE},
        name="fertility",
        attrs={"units": "1/year"},
    )
    held = constant(rates, NEW)
    return {
        "population": people,
        "survival": mp.survival_ratios(table, ages=AGES),
        "fertility": variants(
            {
                "constant": held,
                "approach": linear_approach(
                    rates, rates.mean(["country", "period"]), NEW, until=2030
                ),
                "instant-replacement": instant_replacement(held, table, 1.05),
                "zero-migration": held,
            }
        ),
        "sex_ratio_at_birth": 1.05,
        "migration": variants(
            {
                "constant": constant(moves, NEW, last=2),
                "approach": linear_approach(moves, 0, NEW, until=2030),
                "instant-replacement": constant(moves, NEW),
                "zero-migration": zero(constant(moves, NEW)),
            }
        ),
    }


def test_a_projection_of_variants_is_the_loop_over_them(projection):
    result = mp.project_population(**projection)
    assert set(result["population"].dims) == {"variant", "country", "time", "sex", "age"}
    names = projection["fertility"]["variant"].values
    assert len(names) == 4
    for name in names:
        one = {
            key: value.sel(variant=name, drop=True) if key in ("fertility", "migration") else value
            for key, value in projection.items()
        }
        expected = mp.project_population(**one)
        xr.testing.assert_identical(
            result.sel(variant=name, drop=True).drop_vars(["name", "revision"]),
            expected.drop_vars(["name", "revision"]),
        )
    totals = result["population"].isel(time=-1).sum(["country", "sex", "age"])
    assert len(set(totals.values.tolist())) == 4


def test_lazy_variants_are_projected(projection):
    pytest.importorskip("dask.array")
    lazy = projection | {
        key: projection[key].chunk({"country": 1}) for key in ("fertility", "migration")
    }
    result = mp.project_population(**lazy)
    assert result["population"].chunks is not None
    xr.testing.assert_identical(result.compute(), mp.project_population(**projection))


def test_a_projection_of_stocks_by_variant(moves):
    rng = np.random.default_rng(6)
    coords = {"country": COUNTRIES, "sex": SEXES, **AGES}
    stock, survival = (
        xr.DataArray(
            rng.uniform(low, high, (3, 2, 18)), dims=("country", "sex", "age"), coords=coords
        )
        for low, high in ((1e4, 1e5), (0.9, 0.99))
    )
    net = variants(
        medium=constant(0.1 * abs(moves), NEW), none=zero(constant(0.1 * abs(moves), NEW))
    )
    result = mp.project_stocks(stock, survival, net_migration=net)
    assert result["stock"].sizes["time"] == 5
    for name in ("medium", "none"):
        one = mp.project_stocks(stock, survival, net_migration=net.sel(variant=name, drop=True))[
            "stock"
        ]
        np.testing.assert_array_equal(result["stock"].sel(variant=name).transpose(*one.dims), one)


def test_stacked_dims_keep_their_levels(moves):
    plain = moves.drop_vars(["name", "revision", "age_width"])
    stacked = plain.stack(row=["country", "sex"])
    for result in (
        multiply(stacked, {"one": 1, "two": 2}),
        variants(one=stacked, two=2 * stacked),
    ):
        expected = multiply(plain, {"one": 1, "two": 2})
        xr.testing.assert_identical(result.unstack("row").transpose(*expected.dims), expected)
