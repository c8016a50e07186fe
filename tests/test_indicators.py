import itertools
import warnings

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import migproj as mp
from migproj.indicators import dependency_ratio, growth_rate, median_age, sex_ratio, share

SEXES = ["female", "male"]
COUNTRIES = ["ARG", "BOL", "CHL"]


@pytest.fixture
def population():
    values = np.random.default_rng(1).uniform(100, 1000, (3, 2, 17))
    return xr.DataArray(
        values,
        dims=("country", "sex", "age"),
        coords={"country": COUNTRIES, "sex": SEXES, **mp.age_coords(range(0, 85, 5))},
        name="population",
        attrs={"units": "persons", "long_name": "of a census", "source": "a census"},
    )


def by_age(values, ages):
    return xr.DataArray(values, dims="age", coords=mp.age_coords(ages))


ALL = {
    "growth_rate": lambda x: growth_rate(x, 2 * x, interval=10),
    "share": lambda x: share(x, "country"),
    "sex_ratio": sex_ratio,
    "dependency_ratio": dependency_ratio,
    "median_age": median_age,
}
UNITS = {
    "growth_rate": "1/year",
    "share": "1",
    "sex_ratio": "men per 100 women",
    "dependency_ratio": "per 100 people of working age",
    "median_age": "years",
}
#: What each indicator sums over: a missing cell makes these missing with it.
OVER = {
    "growth_rate": [],
    "share": ["country"],
    "sex_ratio": ["sex"],
    "dependency_ratio": ["age"],
    "median_age": ["age"],
}


# All of them ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
def test_name_and_units(population, name):
    result = ALL[name](population)
    assert result.name == name
    assert result.attrs["units"] == UNITS[name]
    assert result.attrs["long_name"] != population.attrs["long_name"]
    assert set(result.attrs) == {"units", "long_name"}


@pytest.mark.parametrize("name", ALL)
def test_inputs_stay_as_they_were(population, name):
    before = population.copy(deep=True)
    population.values.flags.writeable = False
    ALL[name](population)
    xr.testing.assert_identical(population, before)


@pytest.mark.parametrize("name", ALL)
def test_order_of_dims_does_not_matter(population, name):
    expected = ALL[name](population)
    turned = ALL[name](population.transpose("age", "country", "sex"))
    xr.testing.assert_allclose(turned.transpose(*expected.dims), expected, rtol=1e-13)
    kept = [dim for dim in ("age", "country", "sex") if dim in expected.dims]
    assert list(turned.dims) == kept  # as they came


@pytest.mark.parametrize("name", ALL)
def test_other_dims_broadcast(population, name):
    drawn = xr.concat([population, 3 * population], dim=xr.Variable("draw", [0, 1]))
    result = ALL[name](drawn)
    for draw, alone in ((0, population), (1, 3 * population)):
        xr.testing.assert_allclose(result.sel(draw=draw, drop=True), ALL[name](alone), rtol=1e-13)


@pytest.mark.parametrize("age", [0, 40, 80])
@pytest.mark.parametrize("name", ALL)
def test_a_missing_cell_makes_its_own_result_missing_and_no_other(population, name, age):
    expected = ALL[name](population)
    hit = {"country": "BOL", "sex": "female", "age": age}
    population.loc[hit] = np.nan
    result = ALL[name](population)
    own = {
        dim: label
        for dim, label in hit.items()
        if dim in result.dims and (name == "growth_rate" or dim not in OVER[name])
    }
    untouched = xr.ones_like(expected, dtype=bool)
    untouched.loc[own] = False
    assert result.sel(own).isnull().all()
    xr.testing.assert_equal(result.where(untouched), expected.where(untouched))
    assert untouched.any()


@pytest.mark.parametrize("name", ALL)
def test_whole_numbers_count_as_counts(population, name):
    counts = population.astype(np.int32)
    xr.testing.assert_identical(ALL[name](counts), ALL[name](counts.astype(np.float64)))


@pytest.mark.parametrize("name", ALL)
def test_lazy_arrays_stay_lazy(population, name):
    pytest.importorskip("dask.array")
    result = ALL[name](population.chunk({"country": 1}))
    assert result.chunks is not None
    xr.testing.assert_allclose(result.compute(), ALL[name](population), rtol=1e-13)


@pytest.mark.parametrize("name", ALL)
def test_negative_counts_are_refused(population, name):
    population.loc[{"country": "CHL", "sex": "male", "age": 20}] = -1
    with pytest.raises(mp.SchemaError, match=r"country=CHL, sex=male, age=20"):
        ALL[name](population)


@pytest.mark.parametrize("name", ALL)
def test_text_is_refused(population, name):
    with pytest.raises(mp.SchemaError, match=r"expected numbers.*astype\(float\)"):
        ALL[name](population.astype(str).astype(object))


@pytest.mark.parametrize("name", ALL)
def test_a_dataset_is_refused(population, name):
    with pytest.raises(mp.SchemaError, match=r"expected an xarray.DataArray.*ds\['population'\]"):
        ALL[name](population.to_dataset())


# Growth rate ------------------------------------------------------------------------------------


def test_growth_rate_of_a_doubling():
    start, end = xr.DataArray(50.0), xr.DataArray(100.0)
    assert growth_rate(start, end, interval=10).item() == pytest.approx(np.log(2) / 10, rel=1e-14)
    assert growth_rate(end, start, interval=10).item() == pytest.approx(-np.log(2) / 10, rel=1e-14)


def test_growth_rate_takes_the_interval_from_the_rounds(population):
    start = population.assign_coords(time=mp.decimal_year("1980-10-22"))
    end = (population * np.exp(0.02 * 10.561112)).assign_coords(time=np.datetime64("1991-05-15"))
    rate = growth_rate(start, end)
    np.testing.assert_allclose(rate, 0.02, rtol=1e-12)
    assert rate["period"].item() == 1980.806011
    assert rate["period_width"].item() == 10.561112
    assert "time" not in rate.coords


def test_growth_rate_prefers_the_interval_given(population):
    start, end = (population.assign_coords(time=year) for year in (1950, 1960))
    rate = growth_rate(start, np.e * end, interval=10.5)
    np.testing.assert_allclose(rate, 1 / 10.5, rtol=1e-14)
    assert rate["period_width"].item() == 10.5


def test_growth_rate_without_time_has_no_period(population):
    assert "period" not in growth_rate(population, population, interval=5).coords


def test_growth_rate_keeps_no_instant(population):
    start = population.assign_coords(time=1950.0, date=np.datetime64("1950-01-01", "ns"))
    rate = growth_rate(start, population, interval=10)
    assert rate["period"].item() == 1950.0
    assert not {"time", "date"} & set(rate.coords)


def test_growth_rate_keeps_the_order_of_dims_of_the_start(population):
    end = population.expand_dims(draw=[0, 1]).transpose("age", "draw", "sex", "country")
    rate = growth_rate(population, end, interval=10)
    assert rate.dims == ("country", "sex", "age", "draw")


def test_growth_rates_join_over_periods(population):
    rounds = [(population * 1.1**k).assign_coords(time=1950.0 + 10 * k) for k in range(3)]
    rates = [growth_rate(a, b) for a, b in itertools.pairwise(rounds)]
    joined = xr.concat(rates, dim="period", coords=["period_width"])
    assert joined["period"].values.tolist() == [1950.0, 1960.0]
    assert joined["period_width"].values.tolist() == [10.0, 10.0]


def test_growth_rate_from_or_to_nobody_is_missing():
    start = xr.DataArray([0.0, 5.0, 0.0, 5.0], dims="country")
    end = xr.DataArray([5.0, 0.0, 0.0, 5.0], dims="country")
    start, end = (x.assign_coords(country=list("ABCD")) for x in (start, end))
    result = growth_rate(start, end, interval=10)
    np.testing.assert_array_equal(result, [np.nan, np.nan, np.nan, 0.0])


def test_growth_rate_without_any_interval(population):
    with pytest.raises(mp.IntervalError, match=r"interval.*time.*interval=10"):
        growth_rate(population, population)


@pytest.mark.parametrize("interval", [0, -10, np.nan])
def test_growth_rate_refuses_an_interval_that_is_none(population, interval):
    with pytest.raises(mp.IntervalError, match="interval"):
        growth_rate(population, population, interval=interval)


def test_growth_rate_refuses_rounds_in_the_wrong_order(population):
    start, end = (population.assign_coords(time=year) for year in (1960.0, 1950.0))
    with pytest.raises(mp.IntervalError, match=r"1950.*after.*1960.*swap"):
        growth_rate(start, end)


def test_growth_rate_refuses_a_dim_time(population):
    rounds = population.expand_dims(time=[1950.0, 1960.0])
    with pytest.raises(mp.SchemaError, match=r"start: .*'time'.*start.sel\(time=...\)"):
        growth_rate(rounds, population, interval=10)
    with pytest.raises(mp.SchemaError, match=r"end: .*'time'.*end.sel\(time=...\)"):
        growth_rate(population, rounds, interval=10)


def test_growth_rate_refuses_other_labels(population):
    end = population.assign_coords(country=["ARG", "BOL", "PER"])
    with pytest.raises(mp.AlignmentError) as error:
        growth_rate(population, end, interval=10)
    message = str(error.value)
    for part in ("end", "'country'", "1 missing: ['CHL']", "['PER']", ".sel(country=[...])"):
        assert part in message


def test_growth_rate_refuses_another_order(population):
    end = population.sel(country=["CHL", "ARG", "BOL"])
    with pytest.raises(mp.AlignmentError, match=r"'country'.*another order.*sel\(country="):
        growth_rate(population, end, interval=10)


def test_growth_rate_refuses_dims_without_labels(population):
    with pytest.raises(mp.SchemaError, match=r"'country' has no labels.*assign_coords\(country"):
        growth_rate(population, population.drop_vars("country"), interval=10)


def test_growth_rate_refuses_other_countries_in_scalar_coordinates(population):
    start, end = population.sel(country="ARG"), population.sel(country="CHL")
    with pytest.raises(mp.AlignmentError, match=r"end: 'country' is 'CHL', but 'ARG' in start"):
        growth_rate(start, end, interval=10)


def test_growth_rate_refuses_other_age_groups_with_the_same_bounds():
    start = by_age([1.0, 2.0], ["0-4", "5-9"])
    end = by_age([1.0, 2.0], ["0-4", "5+"])
    with pytest.raises(mp.AlignmentError, match=r"end: dim 'age'.*'5-9'.*\['5\+'\].*regroup_ages"):
        growth_rate(start, end, interval=10)


# Share ------------------------------------------------------------------------------------------


def test_shares_add_up_to_one(population):
    np.testing.assert_allclose(share(population, "age").sum("age"), 1, rtol=1e-14)
    result = share(population, "sex").sel(country="ARG", age=0)
    here = population.sel(country="ARG", age=0).values
    np.testing.assert_allclose(result, here / (here[0] + here[1]), rtol=1e-14)


def test_share_keeps_the_coordinates(population):
    result = share(population, "age")
    assert result.dims == population.dims
    assert set(result.coords) == set(population.coords)


def test_share_of_nobody_is_missing():
    stock = xr.DataArray([[0.0, 0.0], [1.0, 3.0]], dims=("country", "birthplace"))
    np.testing.assert_array_equal(share(stock, "birthplace"), [[np.nan, np.nan], [0.25, 0.75]])


def test_share_over_a_dim_that_is_not_there(population):
    with pytest.raises(
        mp.SchemaError, match=r"dim: expected one of .*'country', 'sex', 'age'.*'birthplace'"
    ):
        share(population, "birthplace")


# Sex ratio ---------------------------------------------------------------------------------------


def test_sex_ratio_goes_by_label(population):
    expected = 100 * population.values[:, 1] / population.values[:, 0]
    np.testing.assert_allclose(sex_ratio(population), expected, rtol=1e-14)
    np.testing.assert_allclose(sex_ratio(population.isel(sex=[1, 0])), expected, rtol=1e-14)


def test_sex_ratio_leaves_nothing_of_the_dim_sex(population):
    labelled = population.assign_coords(label=("sex", ["F", "M"]))
    result = sex_ratio(labelled)
    assert result.dims == ("country", "age")
    assert set(result.coords) == {"country", "age", "age_width"}


def test_sex_ratio_without_women_is_missing():
    people = xr.DataArray([[0.0, 4.0], [5.0, 0.0]], dims=("sex", "country"))
    result = sex_ratio(people.assign_coords(sex=SEXES))
    np.testing.assert_array_equal(result, [np.nan, 0.0])


def test_sex_ratio_refuses_other_names_of_the_sexes(population):
    with pytest.raises(mp.SchemaError) as error:
        sex_ratio(population.assign_coords(sex=["F", "M"]))
    message = str(error.value)
    for part in ("array", "'sex'", "'female' and 'male'", "['F', 'M']", "assign_coords(sex="):
        assert part in message


def test_sex_ratio_needs_both_sexes(population):
    with pytest.raises(mp.SchemaError, match=r"'sex'.*both 'female' and 'male'.*\['male'\]"):
        sex_ratio(population.sel(sex=["male"]))


def test_sex_ratio_needs_the_dim(population):
    with pytest.raises(mp.SchemaError, match=r"array: .*\['sex'\].*'country', 'age'.*rename"):
        sex_ratio(population.sum("sex"))


# Dependency ratio --------------------------------------------------------------------------------


def test_dependency_ratio_by_hand(population):
    young, working, old = (
        population.sel(age=ages).sum("age")
        for ages in (slice(0, 10), slice(15, 60), slice(65, None))
    )
    expected = 100 * (young + old) / working
    xr.testing.assert_allclose(dependency_ratio(population), expected, rtol=1e-13)


def test_dependency_ratio_with_other_limits(population):
    young, working, old = (
        population.sel(age=ages).sum("age")
        for ages in (slice(0, 15), slice(20, 55), slice(60, None))
    )
    result = dependency_ratio(population, young=20, old=60)
    xr.testing.assert_allclose(result, 100 * (young + old) / working, rtol=1e-13)


def test_dependency_ratio_without_workers_is_missing():
    people = by_age([3.0, 0.0, 1.0], ["0-14", "15-64", "65+"])
    assert np.isnan(dependency_ratio(people).item())


@pytest.mark.parametrize(
    ("ages", "lacking"),
    [
        (["0-9", "10-19", "20-64", "65+"], r"\[15\]"),
        (["0-14", "15-59", "60+"], r"\[65\]"),
        (["5-14", "15-64", "65+"], r"\[0\]"),
        (["0-19", "20+"], r"\[15, 65\]"),
    ],
)
def test_dependency_ratio_needs_groups_that_begin_at_its_limits(ages, lacking):
    people = by_age(np.ones(len(ages)), ages)
    with pytest.raises(mp.SchemaError, match=rf"population: dim 'age'.*none at {lacking}.*young="):
        dependency_ratio(people)


@pytest.mark.parametrize(("young", "old"), [(65, 15), (15, 15), (0, 65)])
def test_dependency_ratio_needs_young_before_old(population, young, old):
    with pytest.raises(mp.SchemaError, match=rf"young={young}, old={old}"):
        dependency_ratio(population, young=young, old=old)


def test_dependency_ratio_needs_the_dim(population):
    with pytest.raises(mp.SchemaError, match=r"population: .*\['age'\]"):
        dependency_ratio(population.sum("age"))


# Median age --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("people", "expected"),
    [
        ([10, 10, 10, 10], 10.0),  # on a bound
        ([10, 30, 0, 20], 5 + 5 * 20 / 30),  # within a group
        ([20, 0, 10, 10], 5.0),  # on a bound before an empty group
        ([0, 0, 8, 0], 15.0),  # a wide group
        ([0, 12, 0, 4], 5 + 5 * 8 / 12),
        ([1, 1, 1, 0], 5 + 5 * 0.5),
    ],
)
def test_median_age_by_hand(people, expected):
    result = median_age(by_age(np.array(people, dtype=float), ["0-4", "5-9", "10-19", "20+"]))
    assert result.item() == pytest.approx(expected, rel=1e-14)


def test_median_age_in_the_open_ended_group_is_missing_and_said(population):
    population.loc[{"country": "CHL", "sex": "male", "age": 80}] = 1e6
    with pytest.warns(mp.DataQualityWarning) as caught:
        result = median_age(population)
    assert len(caught) == 1
    message = str(caught[0].message)
    assert "open-ended group 80+ in 1 cell(s): country=CHL, sex=male" in message
    assert caught[0].filename == __file__
    assert np.isnan(result.sel(country="CHL", sex="male"))
    assert result.isnull().sum() == 1


def test_median_age_of_nobody_is_missing(population):
    population.loc[{"country": "CHL"}] = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = median_age(population)
    assert result.sel(country="CHL").isnull().all()
    assert result.drop_sel(country="CHL").notnull().all()


def test_median_age_of_closed_groups():
    assert median_age(by_age([0.0, 4.0], ["0-4", "5-9"])).item() == 7.5


def test_median_age_needs_labels(population):
    with pytest.raises(mp.SchemaError, match=r"population: .*'age' has no labels.*age_coords"):
        median_age(population.drop_vars(["age", "age_width"]))


@given(hnp.arrays(np.float64, 12, elements=st.floats(0, 1e9, allow_subnormal=False)))
def test_half_of_the_people_are_younger_than_the_median(people):
    """Not by the formula: people spread evenly, so the cumulative count at the median is half."""
    ages = by_age(people, [f"{low}-{low + 4}" for low in range(0, 60, 5)])
    median = median_age(ages).item()
    if people.sum() == 0:
        assert np.isnan(median)
    else:
        younger = np.interp(median, np.arange(0, 65, 5), [0, *np.cumsum(people)])
        assert younger == pytest.approx(people.sum() / 2, rel=1e-9)
