"""Each wrong input names the variable, the dim, what was expected, what came and the mend."""

import warnings

import numpy as np
import pytest
import xarray as xr

import migproj as mp

AGES = mp.age_coords(range(0, 85, 5))
COUNTRIES = ["ARG", "BOL", "CHL"]


def round_(value=1000.0, countries=COUNTRIES, ages=AGES, time=None, sexes=("female", "male")):
    coords = {"country": countries, "sex": list(sexes), **ages}
    shape = (len(countries), len(sexes), ages["age"].size)
    array = xr.DataArray(
        np.full(shape, float(value)), dims=("country", "sex", "age"), coords=coords
    )
    return array if time is None else array.assign_coords(time=time)


def ratios(value=0.95, **where):
    return round_(value, **where)


def estimate(start=None, end=None, survival=None, **options):
    options = {"interval": 5, "children": "none", **options}
    return mp.net_migration(
        round_() if start is None else start,
        round_() if end is None else end,
        ratios() if survival is None else survival,
        **options,
    )


def project(population=None, survival=None, fertility=None, ratio=1.05, **options):
    rates = xr.DataArray(np.full(7, 0.1), dims="age", coords={"age": np.arange(15, 50, 5)})
    return mp.project_population(
        round_() if population is None else population,
        ratios() if survival is None else survival,
        rates if fertility is None else fertility,
        ratio,
        **options,
    )


def says(error, *parts):
    """A pattern that finds the parts in this order."""
    return pytest.raises(error, match="(?s)" + ".*".join(parts))


# --- labels that differ


def test_missing_country():
    with says(
        mp.AlignmentError, "end: dim 'country'", "3 labels of start, got 2", "'CHL'", r"\.sel"
    ):
        estimate(end=round_(countries=["ARG", "BOL"]))


def test_other_country():
    with says(mp.AlignmentError, "survival: dim 'country'", r"missing: \['CHL'\]", r"\['PER'\]"):
        estimate(survival=ratios(countries=["ARG", "BOL", "PER"]))


def test_countries_in_another_order():
    with says(mp.AlignmentError, "end: dim 'country'", "another order", r"end\.sel\(country"):
        estimate(end=round_(countries=["BOL", "ARG", "CHL"]))


def test_rounds_of_different_countries():
    with says(mp.AlignmentError, "end: 'country' is 'BOL', but 'ARG' in start"):
        estimate(
            start=round_().sel(country="ARG"),
            end=round_().sel(country="BOL"),
            survival=ratios().isel(country=0, drop=True),
        )


def test_alignment_error_is_xarrays_too():
    with pytest.raises(xr.AlignmentError):
        estimate(end=round_(countries=["ARG", "BOL"]))


def test_unlabelled_dim_is_not_aligned_by_position():
    with says(mp.SchemaError, "start: dim 'country' has no labels", "by position", "assign_coords"):
        estimate(start=round_().drop_vars("country"))


def test_extra_age_in_survival():
    extra = ratios(ages=mp.age_coords(range(0, 90, 5)))
    with says(
        mp.AlignmentError, "survival: dim 'age'", r"missing: \['80\+'\]", r"\['80-84', '85\+'\]"
    ):
        estimate(survival=extra)
    with says(mp.AlignmentError, "survival: dim 'age'", r"\['80-84', '85\+'\]", "regroup_ages"):
        project(survival=extra)


def test_sex_labelled_f():
    odd = round_(sexes=("F", "M"))
    with says(
        mp.SchemaError, "start: dim 'sex'", "'female' and 'male'", r"\['F', 'M'\]", "renames"
    ):
        estimate(start=odd)
    with says(mp.SchemaError, "population: dim 'sex'", r"\['F', 'M'\]"):
        project(population=odd)


def test_one_sex_cannot_be_projected():
    with says(mp.SchemaError, "population: dim 'sex'", "both", r"got \['female'\]"):
        project(population=round_(sexes=("female",)))


# --- dims


def test_missing_age():
    with says(mp.SchemaError, r"start: expected the dim\(s\) \['age'\]", "country", "rename"):
        estimate(start=round_().sum("age"))


def test_missing_sex():
    with says(mp.SchemaError, r"survival: expected the dim\(s\) \['sex'\]", "country"):
        project(survival=ratios().mean("sex"))


def test_duplicate_labels():
    with says(mp.SchemaError, "start: dim 'country'", "each label once", r"\['ARG'\]", "groupby"):
        estimate(start=round_(countries=["ARG", "ARG", "CHL"]))


def test_a_dataset_is_not_an_array():
    with says(mp.SchemaError, "start: expected an xarray.DataArray, got Dataset", "select a var"):
        estimate(start=round_().to_dataset(name="population"))


def test_a_numpy_array_is_not_labelled():
    with says(mp.SchemaError, "start: expected an xarray.DataArray, got ndarray", "wrap it"):
        estimate(start=round_().values)


def test_an_empty_array():
    with says(mp.SchemaError, "start: empty", "'country' has length 0", "kept nothing"):
        estimate(start=round_().isel(country=slice(0, 0)))


def test_several_instants():
    series = xr.concat([round_(time=2000), round_(time=2005)], "time")
    with says(mp.SchemaError, "start: expected one instant, got 2", r"start\.sel\(time"):
        estimate(start=series)
    with says(mp.SchemaError, "population", "'time'", r"population\.sel\(time"):
        project(population=series)


def test_rates_carry_period_not_time():
    with says(mp.SchemaError, "survival", "'time'", "rename", "period"):
        project(survival=ratios().expand_dims(time=[2000]))


def test_counts_without_country_would_be_counted_for_each():
    births = xr.DataArray([100.0, 100.0], dims="sex", coords={"sex": ["female", "male"]})
    with says(mp.SchemaError, r"births: expected the dim\(s\) \['country'\]", "each label"):
        estimate(children="births", births=births)


# --- ages


def test_ages_not_ascending():
    with says(mp.SchemaError, "start: dim 'age'", "ascending", "75 after 80", "sortby"):
        estimate(start=round_().isel(age=slice(None, None, -1)))


def test_ages_overlap():
    wide = AGES.to_dataset()["age_width"].copy()
    wide[3] = 10
    with says(mp.SchemaError, "start: dim 'age'", "15-24 overlaps", "starts at 20", "age_width"):
        estimate(start=round_().assign_coords(age_width=wide))


def test_ages_leave_a_gap():
    with says(mp.SchemaError, "start: dim 'age'", "10-14 leaves a gap", "starts at 20"):
        estimate(start=round_().drop_sel(age=15))


def test_ages_as_text():
    with says(mp.SchemaError, "start: dim 'age'", "whole lower bounds", "mp.age_coords"):
        estimate(
            start=round_()
            .drop_vars("age_width")
            .assign_coords(age=[f"{a}" for a in AGES["age"].values])
        )


def test_duplicate_ages():
    twice = round_().drop_vars("age_width").assign_coords(age=[0, 5, 5, *range(15, 85, 5)])
    with says(mp.SchemaError, "start: dim 'age'", "each label once", r"\[5\]"):
        estimate(start=twice)


def test_unreadable_age_label():
    with says(mp.SchemaError, "cannot read the label 'old'", "'0-4', '7', '80\\+'"):
        mp.age_coords(["0-4", "old"])


def test_people_who_would_be_lost():
    adults = mp.age_coords(range(20, 85, 5))
    with says(mp.AlignmentError, "aged 0-4 at the start", "end begins at 20", "from 15 on"):
        estimate(end=round_(ages=adults), survival=ratios(ages=adults))
    with says(mp.AlignmentError, "end has ages 0 to 25", "under 20", "from 25 on"):
        estimate(start=round_(ages=adults))


def test_fertility_beyond_the_population():
    odd = xr.DataArray(np.full(2, 0.1), dims="age", coords={"age": [15, 22]})
    with says(mp.SchemaError, "fertility: dim 'age'", "contiguous part", r"\[22\]"):
        project(fertility=odd)


def test_infants_cannot_be_mothers():
    rates = xr.DataArray(np.full(2, 0.1), dims="age", coords={"age": [0, 5]})
    with says(mp.SchemaError, "fertility: dim 'age'", "older than 5 years", "got 0-4"):
        project(fertility=rates)


# --- values


def test_strings_for_numbers():
    with says(mp.SchemaError, "start: expected numbers", "'1000.0'", r"astype\(float\)"):
        estimate(start=round_().astype(str))


def test_negative_counts():
    start = round_()
    start.loc[{"country": "BOL", "sex": "male", "age": 10}] = -5
    with says(
        mp.SchemaError,
        "start: expected counts of 0 or more",
        "1 negative",
        "country=BOL, sex=male, age=10",
    ):
        estimate(start=start)


def test_rates_where_counts_belong():
    with says(mp.SchemaError, "start: expected counts of people", "all below 1", "0.5", "multiply"):
        estimate(start=round_(0.5))
    with says(mp.SchemaError, "population: expected counts of people", "rates or shares"):
        project(population=round_(0.5))


def test_survival_below_zero():
    bad = ratios()
    bad.loc[{"country": "CHL", "sex": "female", "age": 0}] = -0.1
    with says(mp.SchemaError, "survival: expected survival ratios of 0 or more", "country=CHL"):
        estimate(survival=bad)
    with says(mp.SchemaError, "survival", "country=CHL, sex=female, age=0"):
        project(survival=bad)


def test_survival_in_per_cent():
    with says(mp.SchemaError, "survival", "above 1.5", "divide percentages by 100"):
        estimate(survival=ratios(95.0))


def test_survival_above_one_is_counted_and_named():
    high = ratios()
    high.loc[{"country": "CHL", "sex": "female", "age": 10}] = 1.02
    with pytest.warns(
        mp.DataQualityWarning, match="above 1 in 1 cell.*country=CHL, sex=female, age=10"
    ):
        result = estimate(survival=high)
    assert result["n_survival_above_one"].sel(country="CHL", sex="female") == 1
    assert result["n_survival_above_one"].sum() == 1
    with pytest.warns(mp.DataQualityWarning, match="country=CHL, sex=female, age=10"):
        project(survival=high)


def test_low_survival_is_named_where_it_divides():
    low = ratios()
    low.loc[{"age": 80}] = 0.2
    with pytest.warns(mp.DataQualityWarning, match="below 0.3.*age=80"):
        result = estimate(survival=low, method="average")
    assert (result["n_survival_low"] == 1).all()
    assert (estimate(survival=low, method="forward")["n_survival_low"] == 0).all()


def test_missing_births_are_named():
    with pytest.warns(mp.DataQualityWarning, match="no births given.*under age 5.*children="):
        result = estimate(children="births")
    assert np.isnan(result["net_migration"].sel(age=0)).all()
    assert result["net_migration"].sel(age=slice(5, None)).notnull().all()


def test_a_long_interval_is_named():
    with pytest.warns(mp.DataQualityWarning, match="20 years is over 15"):
        estimate(interval=20)


def test_nan_in_one_country_stays_there():
    start = round_()
    start.loc[{"country": "BOL", "sex": "male", "age": 10}] = np.nan
    whole, holed = estimate(), estimate(start=start)
    missing = holed["net_migration"].isnull()
    assert missing.sel(country="BOL", sex="male", age=15)
    # Everywhere else only the children are missing (children="none").
    assert int(missing.sel(age=slice(5, None)).sum()) == 1
    others = ["ARG", "CHL"]
    xr.testing.assert_identical(whole.sel(country=others), holed.sel(country=others))
    projected = project(population=start)["population"].isel(time=1)
    assert projected.sel(country="BOL").isnull().sum() == 1
    assert projected.sel(country=others).notnull().all()


def test_rates_per_thousand():
    mx = xr.DataArray(np.full(17, 12.0), dims="age", coords=AGES)
    with says(mp.SchemaError, "mx", "median of 12", "per 1,000"):
        mp.life_table(mx)


def test_sex_ratio_per_hundred():
    with says(mp.SchemaError, "sex_ratio_at_birth", "got 105", "divide"):
        project(ratio=105)


def test_negative_population_can_raise():
    out = round_(-5000.0)
    with says(mp.SchemaError, "negative population", "country=ARG", "on_negative='warn'"):
        project(migration=out, on_negative="raise")
    with pytest.warns(mp.DataQualityWarning, match="negative population in 102 cell"):
        result = project(migration=out)
    assert (result["n_negative"] == 34).all()


# --- dates and intervals


def test_end_before_start():
    with says(mp.IntervalError, r"end \(1990\.0\) must come after start \(2000\.0\)", "swap"):
        estimate(start=round_(time=2000), end=round_(time=1990), interval=None)


def test_interval_zero():
    with says(mp.IntervalError, "one number of years above 0, got 0"):
        estimate(interval=0)
    with says(mp.IntervalError, "must come after", "0 years"):
        estimate(start=round_(time=2000), end=round_(time=2000), interval=None)


def test_interval_unknown():
    with says(mp.IntervalError, "unknown", "interval=10", "decimal_year"):
        estimate(interval=None)


def test_fractional_interval():
    start = round_().assign_coords(time=mp.decimal_year("1980-10-22"))
    end = round_().assign_coords(time=mp.decimal_year("1991-05-15"))
    with says(mp.IntervalError, "10.5611 years", "whole multiple", "interval=10"):
        estimate(start=start, end=end, interval=None)


def test_interval_that_carries_no_group_onto_a_group():
    with says(mp.IntervalError, "interval of 7 years", r"bound\(s\) \[7, 10,", "whole multiple"):
        estimate(interval=7)


def test_survival_of_another_interval():
    with says(mp.IntervalError, "survival: made for 10 years, but 5 years"):
        estimate(survival=ratios().assign_coords(period_width=10.0))
    with says(mp.IntervalError, "survival: made for \\[10.0\\] years", "5 years", "make ratios"):
        project(survival=ratios().assign_coords(period_width=10.0))


def test_periods_that_are_not_steps():
    odd = ratios().expand_dims(period=[2000.0, 2010.0])
    with says(mp.IntervalError, "survival: dim 'period'", "5 years apart", "2010"):
        project(survival=odd)


def test_periods_that_begin_elsewhere():
    later = ratios().expand_dims(period=[2005.0])
    with says(mp.IntervalError, "survival: dim 'period'", "at 2000, got 2005"):
        project(population=round_(time=2000), survival=later)


def test_unknown_choices():
    with says(mp.SchemaError, "method: expected one of", "'forward'", "'foward'"):
        estimate(method="foward")
    with says(mp.SchemaError, "children: expected one of", "'all'"):
        estimate(children="all")
    by_country = xr.DataArray(
        ["even", "ends", "end"], dims="country", coords={"country": COUNTRIES}
    )
    with says(mp.SchemaError, "timing", "'ends'", "country=BOL"):
        project(timing=by_country)


def test_births_nobody_uses():
    births = round_().isel(age=0, drop=True)
    with says(mp.SchemaError, "births: given", "children='arrivals'", "drop one"):
        estimate(births=births, children="arrivals")


def test_life_table_that_stops_too_early():
    short = mp.age_coords(["0", "1-4", *(f"{a}-{a + 4}" for a in range(5, 70, 5)), "70+"])
    mx = xr.DataArray(np.full(16, 0.02), dims="age", coords=short).assign_coords(sex="female")
    women = round_().sel(sex="female")
    with says(
        mp.AlignmentError, "life_table: dim 'age'", r"T\(x\) at the ages \[75.0, 80.0\]", "70"
    ):
        estimate(start=women, end=women, survival=mp.life_table(mx))


def test_net_migration_already_holds_emigration():
    stock = round_()
    with says(mp.SchemaError, "net_migration: given together with emigration", "either"):
        mp.project_stocks(stock, ratios(), net_migration=stock, emigration=ratios(0.01))


def test_nothing_warns_on_clean_input():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        estimate()
        project()


def test_children_whose_survival_is_unknown_are_named():
    start = round_().isel(country=0, drop=True)
    end = start.copy()
    ratios = mp.census_survival_ratios(start, end * 0.9, interval=5)
    with pytest.warns(mp.DataQualityWarning, match="born in the interval missing.*sex=male, age=0"):
        result = mp.net_migration(start, end, ratios, interval=5, children="arrivals")
    assert result["net_migration"].isnull().sum() == 2
    # Forward does not need it: all children arrived.
    forward = mp.net_migration(
        start, end, ratios, interval=5, children="arrivals", method="forward"
    )
    assert (forward["net_migration"].sel(age=0) == 1000).all()


def test_births_of_another_interval():
    births = round_().isel(age=0, drop=True).assign_coords(period_width=10.0)
    with says(mp.IntervalError, "births: made for 10 years, but 5 years"):
        estimate(births=births, children="births")


# --- labels that would be aligned, repeated or dropped without a word


@pytest.mark.parametrize("lacking", ["start", "end"])
def test_a_round_without_sex_would_be_counted_twice(lacking):
    with says(mp.SchemaError, rf"{lacking}: expected the dim\(s\) \['sex'\]", "counted for each"):
        estimate(**{lacking: round_().sum("sex")})
    with says(mp.SchemaError, rf"{lacking}: expected the dim\(s\) \['sex'\]"):
        rounds = {"start": round_(), "end": round_(), lacking: round_().sum("sex")}
        mp.census_survival_ratios(**rounds, interval=5)


def test_migration_of_more_countries_than_the_population():
    with says(mp.SchemaError, r"population: expected the dim\(s\) \['country'\]", "sum migration"):
        project(
            population=round_().isel(country=0, drop=True),
            survival=ratios().isel(country=0, drop=True),
            migration=round_(1.0),
        )


def test_ratios_of_one_country_or_sex_for_all():
    one = ratios().sel(country="ARG")
    with says(mp.AlignmentError, "survival: is of country 'ARG' alone", r"drop_vars\('country'\)"):
        estimate(survival=one)
    women = ratios().sel(sex="female")
    with says(mp.AlignmentError, "survival: is of sex 'female' alone", "start has the dim 'sex'"):
        estimate(survival=women)
    estimate(survival=women.drop_vars("sex"))


def test_fertility_may_say_that_it_is_of_women():
    rates = xr.DataArray(np.full(7, 0.1), dims="age", coords={"age": np.arange(15, 50, 5)})
    named = project(fertility=rates.assign_coords(sex="female"))
    xr.testing.assert_identical(named, project(fertility=rates))


def test_a_choice_or_rate_by_a_dim_of_its_own():
    by_sex = xr.DataArray(["end", "even"], dims="sex", coords={"sex": ["female", "male"]})
    with says(mp.SchemaError, "timing: the dim 'sex' is not expected here", r"timing\.sel\(sex"):
        project(timing=by_sex)
    with says(mp.SchemaError, "survival", "'period' is not expected", r"survival\.sel\(period"):
        estimate(survival=ratios().expand_dims(period=[2000.0]))
    with says(mp.SchemaError, "start", "'period' is not expected", r"start\.sel\(period"):
        estimate(start=round_().expand_dims(period=[2000.0]))
    start, end = (round_(time=t).expand_dims(period=[2000.0]) for t in (2000, 2005))
    with says(mp.SchemaError, "start: expected the dim 'period' or", "got both", "drop_vars"):
        estimate(start=start, end=end)


@pytest.mark.parametrize("given", [["forward", "reverse"], np.array(["forward"]), None])
def test_choices_without_labels(given):
    with says(mp.SchemaError, "method: expected one of", "labelled array", "got"):
        estimate(method=given)


@pytest.mark.parametrize("given", [[1.05, 1.06], "1.05", None, True])
def test_a_ratio_that_is_no_number(given):
    with says(mp.SchemaError, "sex_ratio_at_birth: expected a number or an xarray.DataArray"):
        project(ratio=given)


@pytest.mark.parametrize("sexless", [mp.project_stocks, mp.census_survival_ratios])
def test_sex_is_checked_where_it_is_only_a_batch_dim(sexless):
    odd = round_(sexes=("F", "M"))
    options = {"interval": 5} if sexless is mp.census_survival_ratios else {}
    with says(mp.SchemaError, "dim 'sex'", r"\['F', 'M'\]"):
        sexless(odd, odd if options else ratios(sexes=("F", "M")), **options)


def test_infinite_counts():
    start = round_()
    start.loc[{"country": "BOL", "sex": "male", "age": 10}] = np.inf
    with says(mp.SchemaError, "start: expected finite", "country=BOL, sex=male, age=10", "by 0"):
        estimate(start=start)


@pytest.mark.parametrize("interval", ["10", True, np.timedelta64(5, "D"), [5]])
def test_an_interval_that_is_no_number(interval):
    with says(mp.SchemaError, "interval: expected a number"):
        estimate(interval=interval)


def test_an_interval_that_contradicts_the_dates():
    with says(mp.IntervalError, "got 5 years, but 20 years lie between", "1990", "2010"):
        estimate(start=round_(time=1990), end=round_(time=2010), interval=5)
    with says(mp.IntervalError, "must come after"):
        estimate(start=round_(time=2010), end=round_(time=1990), interval=5)
    # Rounding the interval between two dates is a choice.
    estimate(start=round_(time=1990), end=round_(time=1995.4), interval=5)


def test_steps_that_are_none():
    for steps in (0, -1, 1.5, "two", [1]):
        with says(mp.IntervalError, "steps: expected a whole number of at least 1"):
            project(steps=steps)


def test_even_needs_its_children():
    with says(mp.SchemaError, "children: expected 'births' or 'arrivals' with method 'even'"):
        estimate(method="even", children="none")


def test_age_widths_that_are_no_numbers():
    text = ("age", [str(width) for width in AGES["age_width"].values])
    with says(mp.SchemaError, "start: age_width: expected a number of years for each label"):
        estimate(start=round_().assign_coords(age_width=text))


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ({"ax": 2.5}, ["ax: expected an xarray.DataArray, got float"]),
        ({"a0": 5.0}, ["a0: expected years between 0 and the width", "got 5"]),
        ({"a0": [0.1]}, ["a0: expected a number or an xarray.DataArray, got list"]),
        ({"a0": "west"}, ["a0: expected one of", "coale-demeny", "'west'"]),
        ({"ax": "grevile"}, ["ax: expected one of", "greville", "'grevile'"]),
        ({"radix": 0}, ["radix: expected survivors above 0"]),
        ({"radix": "big"}, ["radix: expected survivors above 0", "'big'"]),
    ],
)
def test_life_table_options(options, parts):
    mx = xr.DataArray([0.02, 0.001, 0.02], dims="age", coords=mp.age_coords(["0", "1-4", "5+"]))
    with says(mp.SchemaError, *parts):
        mp.life_table(mx.assign_coords(sex="male"), **options)


def test_ax_longer_than_its_group():
    mx = xr.DataArray([0.02, 0.001, 0.02], dims="age", coords=mp.age_coords(["0", "1-4", "5+"]))
    with says(mp.SchemaError, "ax: expected years between 0 and the width", "got 9", "age=1"):
        mp.life_table(mx.assign_coords(sex="male"), ax=mx.copy(data=[0.5, 9.0, 20.5]))


def test_not_a_table():
    with says(
        mp.SchemaError, "life_table: expected an xarray.Dataset", "got DataArray", "life_table"
    ):
        mp.survival_ratios(ratios())


def test_survival_of_another_step_for_births():
    women = round_().sel(sex="female", country="ARG", drop=True)
    rates = xr.DataArray(np.full(6, 0.1), dims="age", coords={"age": np.arange(15, 45, 5)})
    decade = xr.full_like(women, 0.9).assign_coords(period_width=10.0)
    with says(mp.IntervalError, r"survival: made for \[10.0\] years, but each step is 5"):
        mp.births_from_rates(rates, women, women, 1.05, interval=10, survival=decade)


def test_native_born_of_a_population_without_sex():
    stock = round_(countries=["ARG"]).rename(country="birthplace").assign_coords(time=2000)
    whole = stock.sum(["birthplace", "sex"]).expand_dims(time=[2000.0, 2005.0])
    with says(mp.SchemaError, r"population: expected the dim\(s\) \['sex'\]"):
        mp.project_stocks(stock, ratios().isel(country=0, drop=True), population=whole)


def test_vital_statistics_by_cohort_on_other_grids():
    """60+ is 70+ ten years later, and deaths come by the group arrived in."""
    start = xr.DataArray([100.0, 90.0, 80.0], dims="age", coords=mp.age_coords([0, 50, 60]))
    end = xr.DataArray([95.0, 85.0, 60.0], dims="age", coords=mp.age_coords([10, 60, 70]))
    deaths = xr.DataArray([3.0, 4.0, 15.0], dims="age", coords=end.coords)
    net = mp.net_migration_vital(start, end, None, deaths, interval=10)
    assert net.values.tolist() == [-2.0, -1.0, -5.0]
    assert net["age"].values.tolist() == [10, 60, 70]


# --- separation factors


def table(lower=(0, 1, *range(5, 85, 5))):
    mx = xr.DataArray(np.full(len(lower), 0.05), dims="age", coords=mp.age_coords(lower))
    return mp.life_table(mx.assign_coords(sex="female"))


def shares(value=0.5):
    return ratios(value).isel(age=slice(-1))


def test_separation_of_the_open_group():
    with says(mp.AlignmentError, "separation: dim 'age'", "expected the 16 groups", r"\['80\+'\]"):
        project(separation=ratios(0.5))


def test_separation_outside_its_bounds():
    odd = shares()
    odd[1, 0, 3] = 1.2
    with says(mp.SchemaError, "separation", "from 0 to 1, got 1.2", "country=BOL, sex=female"):
        project(separation=odd)


def test_separation_of_another_step():
    with says(mp.IntervalError, "separation: made for", "10.0", "5 years"):
        project(separation=shares().assign_coords(period_width=10.0))


def test_separation_on_unequal_groups():
    with says(mp.IntervalError, "ages: expected groups of one width", "0-4, 5-14"):
        mp.separation_factors(table(), ages=[0, 5, 15])


def test_separation_between_ages_of_the_table():
    with says(mp.AlignmentError, "life_table: dim 'age'", r"none at \[2, 4\]"):
        mp.separation_factors(table((0, 1, 5, 10)), ages=[0, 2, 4])


# --- what is of one sex, of another interval, infinite, or of the wrong kind


def test_totals_of_one_sex():
    shares_ = ratios(1 / 34)
    total = xr.DataArray([1e3, 2e3, 3e3], dims="country", coords={"country": COUNTRIES})
    with says(mp.AlignmentError, "migration: is of sex 'female' alone", "dim 'sex'"):
        project(migration=total.assign_coords(sex="female"), migration_schedule=shares_)


def test_rates_of_men_where_women_bear():
    rates = xr.DataArray(np.full(7, 0.1), dims="age", coords={"age": np.arange(15, 50, 5)})
    with says(mp.SchemaError, "fertility: 'sex': expected 'female', got 'male'"):
        project(fertility=rates.assign_coords(sex="male"))
    women = round_().sel(sex="female")
    with says(mp.SchemaError, "women_end: 'sex': expected 'female', got 'male'", r"\.sel\(sex="):
        mp.births_from_rates(rates, women, round_().sel(sex="male"), 1.05, interval=5)


def test_totals_of_another_interval():
    total = xr.DataArray([1e3, 2e3, 3e3], dims="country", coords={"country": COUNTRIES})
    with says(mp.IntervalError, "migration: made for", "10.0", "5 years", "bring it to one step"):
        project(migration=total.assign_coords(period_width=10.0), migration_schedule=ratios(1 / 34))


def test_vital_statistics_of_another_interval():
    start, end = (round_(time=t).sum("age") for t in (2000, 2005))
    births, deaths = (0.1 * start.drop_vars("time") for _ in range(2))
    with says(mp.IntervalError, "deaths: made for 10 years, but the rounds are of 5"):
        mp.net_migration_vital(start, end, births, deaths.assign_coords(period_width=10.0))
    with says(mp.IntervalError, "deaths: made for 10 years, but births are of 5"):
        mp.net_migration_vital(
            start.drop_vars("time"),
            end.drop_vars("time"),
            births.assign_coords(period_width=5.0),
            deaths.assign_coords(period_width=10.0),
        )
    cohorts = round_().drop_vars("age_width").assign_coords(period_width=10.0)
    with says(mp.IntervalError, "deaths: made for 10 years, but 5 years"):
        mp.net_migration_vital(round_(time=2000), round_(time=2005), births, cohorts)


def test_births_of_a_projection_say_which_period():
    result = project()
    start, end = (result["population"].isel(time=k) for k in (0, 1))
    births = result["births"].sum("mother_age")
    with says(mp.SchemaError, "births: the dim 'period'", r"births\.sel\(period=\.\.\.\)"):
        mp.net_migration(start, end, ratios(), births=births)
    with says(mp.SchemaError, "births: the dim 'period'"):
        mp.net_migration_vital(start, end, births, result["deaths_cohort"].isel(period=0))


def test_infinite_migration():
    endless = round_(0.0)
    endless[1, 0, 3] = -np.inf
    with says(mp.SchemaError, "migration: expected finite", "country=BOL, sex=female, age=15"):
        project(migration=endless)
    with says(mp.SchemaError, "net_migration: expected finite"):
        mp.project_stocks(round_(), ratios(), net_migration=endless)
    with says(mp.SchemaError, "survival: expected finite"):
        project(survival=ratios(np.inf) * 1.0)


def test_options_of_the_wrong_kind():
    with says(mp.SchemaError, "births_exposure: expected one of"):
        project(births_exposure=["ccmpp"])
    with says(mp.SchemaError, "keep: expected a list of names", "got 5"):
        project(keep=5)
    with says(mp.SchemaError, "ages: expected lower bounds or labels", "got 5"):
        project(age_groups=5)
    with says(mp.SchemaError, "quantiles: expected numbers"):
        project(quantiles=[[0.1], [0.2, 0.3]])


def test_the_input_at_fault_is_named_as_given():
    hazard = xr.full_like(ratios(), 0.01).isel(country=[1, 0, 2])
    with says(mp.AlignmentError, "emigration: dim 'country'", "another order"):
        project(survival=ratios().isel(country=0, drop=True), emigration=hazard)
    with says(mp.AlignmentError, "survival: dim 'country'", "another order"):
        mp.project_stocks(round_(), ratios().isel(country=[1, 0, 2]))
    with says(mp.IntervalError, "population: 'time': date: expected a finite"):
        project(population=round_(time=np.nan))


def test_quantiles_can_be_used_again():
    draws = ratios().expand_dims(draw=3) * xr.DataArray([0.9, 1, 1.02], dims="draw")
    draws = draws.clip(max=1).assign_coords(draw=range(3))
    first = project(population=round_(time=2000), survival=draws, quantiles=[0.5])
    again = first["population"].sel(quantile=0.5, time=2005)
    second = project(population=again, survival=draws, quantiles=[0.1, 0.5])
    assert second["population"].sizes["quantile"] == 2
    with says(mp.SchemaError, "population: the dim 'quantile' is not expected here"):
        project(population=first["population"].isel(time=1), survival=draws, quantiles=[0.5])


def test_nobody_survives_from_an_empty_open_group():
    nobody = round_(0.0)
    result = mp.project_stocks(nobody, ratios() * np.nan)
    assert (result["stock"] == 0).all()


def test_births_by_mothers_age_are_summed_first():
    result = project()
    start, end = (result["population"].isel(time=k) for k in (0, 1))
    births = result["births"].isel(period=0, drop=True)
    for call in (
        lambda: mp.net_migration(start, end, ratios(), births=births),
        lambda: mp.net_migration_vital(start, end, births, births.sum("mother_age")),
    ):
        with says(mp.SchemaError, "births: the dim 'mother_age'", r"births\.sum\('mother_age'\)"):
            call()


def test_vital_statistics_of_part_of_a_population():
    start, end = round_(time=2000), round_(time=2005)
    events = 0 * start.sum("age")
    with says(mp.AlignmentError, "end: dim 'age': expected everyone from age 0 on", "from 10 on"):
        mp.net_migration_vital(start, end.isel(age=slice(2, None)), events, events)
    with says(mp.IntervalError, "must come after start"):
        mp.net_migration_vital(end, start, events, events)


def test_one_draw_with_all_of_them():
    draws = ratios().expand_dims(draw=[0, 1, 2])
    with says(mp.AlignmentError, "is of draw 1 alone", "dim 'draw'"):
        project(population=round_().assign_coords(draw=1), survival=draws)


def test_dates_by_country():
    dated = round_().assign_coords(date=("country", [1999, 2000, 2001]), time=2000)
    with says(mp.SchemaError, "start: expected one date for all", "'country'", "drop_vars"):
        estimate(start=dated)


def test_rates_that_are_not_given():
    with says(mp.SchemaError, "fertility: expected an xarray.DataArray, got NoneType"):
        mp.project_population(round_(), ratios(), None, 1.05)
    with says(mp.SchemaError, "array: expected an xarray.DataArray, got Dataset"):
        mp.regroup_ages(round_().to_dataset(name="population"), [0, 15])


def test_survival_between_ages_of_very_high_mortality_is_named():
    lower = [0, 1, *range(5, 105, 5)]
    mx = xr.DataArray(np.full(22, 0.01), dims="age", coords=mp.age_coords(lower))
    mx[-3:] = [0.6, 1.9, 0.9]
    with pytest.warns(mp.DataQualityWarning, match="qx > 1"):
        table_ = mp.life_table(mx.assign_coords(sex="female"))
    with pytest.warns(mp.DataQualityWarning, match=r"ratios below 0 or above 1.*age=9"):
        mp.survival_ratios(table_, ages=range(101), interval=1)


def test_midpoint_divides_by_no_ratio_of_zero_unseen():
    gone = ratios()
    gone[0, 0, 5] = 0.0
    with pytest.warns(mp.DataQualityWarning, match="0 that midpoint divides by.*country=ARG"):
        result = estimate(survival=gone, method="midpoint")
    assert result["n_survival_low"].values.tolist() == [[1, 0], [0, 0], [0, 0]]


def test_child_woman_ratios_need_bounds_of_mothers():
    tens = round_(ages=mp.age_coords(range(0, 90, 10)))
    with says(
        mp.SchemaError, "end: children='child-woman' needs age groups", r"\[15, 45\]", "five-year"
    ):
        estimate(
            start=tens,
            end=tens,
            survival=ratios(ages=mp.age_coords(range(0, 90, 10))),
            interval=10,
            children="child-woman",
        )


# --- codes, options and kinds of input


@pytest.mark.parametrize("name", ["start", "end"])
def test_codes_for_missing_have_their_mend(name):
    counts = round_()
    counts[0, 1, 2] = -9.0
    with says(
        mp.SchemaError,
        f"{name}: expected counts of 0 or more, got 1 negative",
        "lowest -9: country=ARG, sex=male, age=10",
        rf"{name}\.where\({name} >= 0\)",
    ):
        estimate(**{name: counts})


def test_a_life_table_of_negative_numbers():
    table = mp.life_table(mp.log_quadratic(child_mortality=0.02, k=0.0, sex="female"))
    with says(mp.SchemaError, r"life_table\['lx'\]: expected values of 0 or more", "negative"):
        mp.survival_ratios(table.assign(lx=-table["lx"]), ages=AGES)


def test_a_share_of_boys_is_no_ratio():
    with says(mp.SchemaError, "sex_ratio_at_birth: expected males per female", r"1 - share"):
        project(ratio=0.512)


def test_time_differences_are_no_numbers():
    years = round_().copy(data=np.full(round_().shape, np.timedelta64(5, "D")))
    with says(mp.SchemaError, "start: expected numbers, got dtype timedelta64"):
        estimate(start=years)
    with says(mp.IntervalError, "date: expected a year"):
        mp.decimal_year(np.timedelta64(5, "D"))


SINGLE = xr.DataArray(np.full(101, 100.0), dims="age", coords=mp.age_coords(range(101)))
FIVES = mp.regroup_ages(SINGLE, range(0, 85, 5))
PLACES = {"origin": ["A", "B"], "destination": ["A", "B"]}
FLOWS = xr.DataArray([[0.0, 3.0], [5.0, 0.0]], dims=list(PLACES), coords=PLACES)
NET = xr.DataArray([1.0, -2.0], dims="country", coords={"country": ["A", "B"]})
ROUNDS = FIVES.expand_dims(time=[1990.0, 2000.0])
OF = mp.indicators
ARRAY = xr.DataArray([1.0, 2.0], dims="country", coords={"country": ["A", "B"]})


@pytest.mark.parametrize(
    ("call", "parts"),
    [
        (lambda: OF.whipple_index(SINGLE, ages=25), ["ages: expected a first and a last age"]),
        (lambda: OF.whipple_index(SINGLE, ages=(25.0, 60.0)), ["ages: expected a first and"]),
        (lambda: OF.whipple_index(SINGLE, digits=5), ["digits: expected last digits", "got 5"]),
        (lambda: OF.digit_shares(SINGLE, ages=()), [r"ages: expected a first and", r"got \(\)"]),
        (lambda: OF.coale_li_index(SINGLE, digit="0"), ["digit: expected a last digit", "got '0'"]),
        (lambda: OF.spoorenberg_index(SINGLE, ages={"from": 20}), ["ages: expected", "dict"]),
        (lambda: OF.sawtooth_index(FIVES, ages="40-79"), ["ages: expected", "'40-79'"]),
        (lambda: OF.roughness(FIVES, ages=(60, 20)), [r"ages: expected", r"\(60, 20\)"]),
        (lambda: OF.roughness(FIVES, span="wide"), ["span: expected a share", "'wide'"]),
        (lambda: OF.dependency_ratio(FIVES, young="15"), ["young: expected an age, got '15'"]),
        (lambda: OF.age_sex_accuracy(FIVES), ["population: expected the dim.*'sex'"]),
        (lambda: OF.flow_totals(FLOWS.values), ["flows: expected an xarray.DataArray", "ndarray"]),
        (lambda: OF.share(FIVES, ["age"]), ["dim: expected one of", r"list \['age'\]"]),
        (
            lambda: OF.growth_rate(FIVES, FIVES.rename(age="ages"), interval=5),
            ["end: expected the dim"],
        ),
        (lambda: mp.interpolate_rounds(ROUNDS, []), ["times: empty"]),
        (lambda: mp.interpolate_rounds(ROUNDS, [1995], power="2"), ["power: expected a number"]),
        (lambda: mp.interpolate_rounds(ROUNDS, [2005], extrapolate="no"), ["True or False"]),
        (lambda: mp.age_at_migration(FIVES, interval="5"), ["interval: expected a number", "'5'"]),
        (lambda: mp.age_at_migration(FIVES, interval=np.inf), ["years above 0, got inf"]),
        (lambda: mp.age_coords(5), ["ages: expected lower bounds or labels", "got 5"]),
        (lambda: mp.age_coords([0.5, 5.0]), ["ages: expected lower bounds in whole years"]),
        (lambda: mp.age_coords({0, 5}), ["ages: expected lower bounds or labels", "set"]),
        (lambda: mp.age_coords([0, 5], open_ended="no"), ["open_ended: expected True or False"]),
        (lambda: mp.regroup_ages(FIVES.astype(str), [0, 15]), ["array: expected numbers"]),
        (lambda: mp.reconcile(NET, 0.0, []), ["dim: expected the dim or dims"]),
        (lambda: mp.reconcile(NET, 0.0, ARRAY), ["dim: expected the dim or dims", "DataArray"]),
        (lambda: mp.reconcile(NET, 0.0, "country", method=ARRAY), ["method: expected one of"]),
        (lambda: mp.correct_coverage(FIVES, 103), ["coverage: expected true over", "0.03"]),
        (lambda: mp.correct_coverage(FIVES, 0.03), ["coverage: expected true over", "0.03"]),
        (lambda: mp.graduate_ages(FIVES, method=ARRAY), ["method: expected one of", "DataArray"]),
        (lambda: mp.smooth_ages(FIVES, method=["un"]), ["method: expected one of", "list"]),
        (lambda: mp.flows_from_net(NET, FLOWS, method=ARRAY), ["method: expected one of"]),
        (
            lambda: mp.flows_from_net(NET.drop_vars("country"), FLOWS),
            ["net: dim 'country' has no labels", "by position", "assign_coords"],
        ),
        (lambda: mp.emigrants(ARRAY, disjoint="no"), ["disjoint: expected True or False"]),
        (lambda: mp.rogers_castro(ARRAY, SINGLE.to_dataset(name="x")), ["parameters"]),
        (lambda: mp.batch.run("job.toml", workers="2"), ["workers: expected a whole number"]),
        (
            lambda: mp.scenarios.variants(low=ARRAY.astype(str)),
            [r"variants\['low'\]: expected num"],
        ),
    ],
)
def test_options_and_kinds(call, parts):
    with says(mp.MigprojError, *parts):
        call()


def test_a_long_value_is_not_printed():
    with pytest.raises(mp.SchemaError) as caught:
        mp.correct_coverage(FIVES, SINGLE.to_dataset(name="x"))
    assert "got Dataset;" in str(caught.value)


def test_five_year_groups_need_no_widths():
    counts = xr.DataArray(np.arange(17.0, 0, -1), dims="age", coords={"age": range(0, 85, 5)})
    smooth = mp.smooth_ages(counts, method="arriaga")
    assert smooth["age_width"].values[-1] == np.inf


def test_schedules_of_other_widths():
    coords = {"sex": ["female", "male"], **mp.age_coords([0, 15, 30])}
    shares = xr.DataArray([[0.2, 0.7, 0.1]] * 2, dims=("sex", "age"), coords=coords)
    closed = shares.assign_coords(mp.age_coords([0, 15, 30], open_ended=False))
    with says(mp.AlignmentError, "outflow: dim 'age'", "groups of inflow", "age_width"):
        mp.flow_difference(shares, closed, intercept=0.02, slope_gain=0.8, slope_loss=0.2)


def test_lifetime_migration_of_other_countries():
    places = ["A", "B"]
    people = xr.DataArray(
        np.full((2, 2, 3), 10.0),
        dims=("country", "birthplace", "age"),
        coords={"country": places, "birthplace": places, **mp.age_coords([0, 10, 20])},
    )
    with says(mp.AlignmentError, "end: dim 'country'", "1 missing: \\['B'\\]"):
        one = {"country": [0], "birthplace": [0]}
        survival = people.isel(country=0, birthplace=0, drop=True) * 0.09
        mp.lifetime_migration(people, people.isel(one), survival, interval=10)


@pytest.mark.parametrize("name", ["survival_or_life_table", "births"])
def test_what_is_no_array_between_several_rounds(name):
    given = {"survival_or_life_table": ratios(), "births": ratios()} | {name: [0.9]}
    rounds = round_().expand_dims(time=[2000.0, 2005.0])
    with says(mp.SchemaError, name.split("_")[0], "expected an xarray.DataArray, got list"):
        mp.net_migration_rounds(rounds, **given)
