"""Differences of life expectancy by age, and single years put into abridged groups."""

import itertools
import warnings

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import migproj as mp
from migproj.decomposition import abridge_life_table, decompose_life_expectancy

FIXED = settings(derandomize=True, deadline=None, database=None, max_examples=40)
ABRIDGED = ["0", "1-4", *(f"{age}-{age + 4}" for age in range(5, 85, 5)), "85+"]
COUNTRIES = ["ARG", "BOL", "CHL"]
PARTS = ["direct", "indirect", "total"]
COLUMNS = ["mx", "ax", "qx", "lx", "dx", "Lx", "Tx", "ex"]


def says(error, *parts):
    """A pattern that finds the parts in this order."""
    return pytest.raises(error, match="(?s)" + ".*".join(parts))


def gompertz(seed, ages, countries=COUNTRIES):
    """Death rates (country, sex, age), each country and sex with its own level and slope."""
    coords = mp.age_coords(ages)
    age, shape = coords["age"].values, (len(countries), 2, 1)
    rng = np.random.default_rng(seed)
    level, slope = rng.uniform(5e-5, 3e-4, shape), rng.uniform(0.07, 0.085, shape)
    infant = rng.uniform(0.003, 0.1, shape)
    mx = level * np.exp(slope * age) + np.where(age == 0, infant, np.where(age < 5, infant / 9, 0))
    return xr.DataArray(
        mx,
        dims=("country", "sex", "age"),
        coords={"country": countries, "sex": ["female", "male"], **coords},
    )


def tables(ages=ABRIDGED, **options):
    return tuple(mp.life_table(gompertz(seed, ages), **options) for seed in (1, 2))


def drawn(levels):
    """A life table from any rates, also from those that a constant hazard has to close."""
    mx = xr.DataArray(levels, dims="age", coords={"sex": "female", **mp.age_coords(ABRIDGED)})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mp.DataQualityWarning)
        return mp.life_table(mx, ax="half")


def rates(n, low):
    return hnp.arrays(np.float64, n, elements=st.floats(low, 1.0, allow_subnormal=False))


def by_arriaga(first, second):
    """Contributions of one pair of tables, age by age, in the words of Arriaga (1984).

    Survivors gained in a group live on by the expectation of `first` (indirect effect), and the
    years by which that of `second` differs are the interaction; here they are one part.
    """
    l1, l2 = (np.asarray(t["lx"]) / float(t["lx"][0]) for t in (first, second))
    e1, e2 = (np.asarray(t["ex"]) for t in (first, second))
    L1, L2 = (np.asarray(t["Lx"]) / float(t["lx"][0]) for t in (first, second))
    direct, indirect = np.zeros(len(l1)), np.zeros(len(l1))
    for x in range(len(l1) - 1):
        direct[x] = l1[x] * (L2[x] / l2[x] - L1[x] / l1[x])
        gained = l1[x] * l2[x + 1] / l2[x] - l1[x + 1]
        indirect[x] = gained * e1[x + 1] + gained * (e2[x + 1] - e1[x + 1])
    direct[-1] = l1[-1] * (e2[-1] - e1[-1])
    return {"direct": direct, "indirect": indirect, "total": direct + indirect}


# --- the decomposition --------------------------------------------------------------------------


def test_against_the_effects_of_arriaga():
    first, second = tables()
    parts = decompose_life_expectancy(first, second)
    assert list(parts) == PARTS
    for country in COUNTRIES:
        for sex in ("female", "male"):
            here = {"country": country, "sex": sex}
            expected = by_arriaga(first.sel(here), second.sel(here))
            for name in PARTS:
                # Years of up to 80, some twenty operations each.
                np.testing.assert_allclose(parts[name].sel(here), expected[name], atol=1e-12)


def test_two_groups_by_hand():
    """Half or all survive a year, of which those who die live half; then 10 or 20 years on."""
    ages = mp.age_coords(["0", "1+"])
    mx = xr.DataArray([[2 / 3, 0.1], [0.0, 0.05]], dims=("variant", "age"), coords=ages)
    with pytest.warns(mp.DataQualityWarning, match="mx = 0"):
        table = mp.life_table(mx, a0=0.5, ax="half")
    first, second = table.isel(variant=0), table.isel(variant=1)
    np.testing.assert_allclose(first["ex"], [5.75, 10], rtol=1e-14)
    parts = decompose_life_expectancy(first, second)
    # A quarter of a year more in the first; half a person saved, who lives 20 years.
    np.testing.assert_allclose(parts["direct"], [0.25, 5.0], rtol=1e-13)
    np.testing.assert_allclose(parts["indirect"], [10.0, 0.0], rtol=1e-13)
    np.testing.assert_allclose(parts["total"].sum(), 21 - 5.75, rtol=1e-14)


@FIXED
@given(rates(len(ABRIDGED), low=0.01), rates(len(ABRIDGED), low=0.01))
def test_totals_sum_to_the_difference_of_life_expectancies(one, two):
    first, second = drawn(one), drawn(two)
    parts = decompose_life_expectancy(first, second)
    gap = float(second["ex"][0] - first["ex"][0])
    # Of some twenty terms of at most 200 years, each rounded to 3e-14.
    assert abs(float(parts["total"].sum()) - gap) <= 1e-12
    np.testing.assert_array_equal(parts["total"], parts["direct"] + parts["indirect"])
    assert float(parts["indirect"][-1]) == 0


@FIXED
@given(rates(len(ABRIDGED), low=0.01), rates(len(ABRIDGED), low=0.01))
def test_the_sum_changes_sign_and_the_symmetric_mean_with_it(one, two):
    first, second = drawn(one), drawn(two)
    there, back = (
        decompose_life_expectancy(*pair)["total"] for pair in ((first, second), (second, first))
    )
    np.testing.assert_allclose(there.sum(), -back.sum(), atol=1e-12)
    np.testing.assert_allclose((there - back).sum() / 2, there.sum(), atol=1e-12)


def test_the_parts_do_not_just_change_sign():
    first, second = (table.isel(country=0, sex=0) for table in tables())
    there, back = decompose_life_expectancy(first, second), decompose_life_expectancy(second, first)
    assert float(abs(there["total"] + back["total"]).max()) > 0.01
    np.testing.assert_allclose(there["total"].sum(), -back["total"].sum(), atol=1e-12)


def test_a_table_does_not_differ_from_itself():
    first, _ = tables()
    parts = decompose_life_expectancy(first, first)
    np.testing.assert_allclose(parts.to_dataarray(), 0, atol=1e-13)


def test_one_group_that_differs_takes_it_all():
    mx = gompertz(1, ABRIDGED)
    higher = mx.where(mx["age"] != 40, 2 * mx)
    # Given, for the rule of the years lived looks at the neighbours' rates.
    first, second = (mp.life_table(m, a0=0.1, ax=mp.life_table(mx)["ax"]) for m in (mx, higher))
    total = decompose_life_expectancy(first, second)["total"]
    gap = (second["ex"] - first["ex"]).sel(age=0, drop=True)
    np.testing.assert_allclose(total.sel(age=40), gap, atol=1e-12)
    np.testing.assert_allclose(total.where(total["age"] != 40, 0), 0, atol=1e-12)
    assert (gap < 0).all()


def test_from_another_first_age():
    first, second = (t.sel(age=slice(15, None)) for t in tables())
    total = decompose_life_expectancy(first, second)["total"]
    gap = (second["ex"] - first["ex"]).sel(age=15, drop=True)
    np.testing.assert_allclose(total.sum("age"), gap, atol=1e-12)


def test_the_radix_does_not_matter():
    first, second = tables()
    many = mp.life_table(gompertz(2, ABRIDGED), radix=100_000.0)
    expected = decompose_life_expectancy(first, second)
    xr.testing.assert_allclose(decompose_life_expectancy(first, many), expected, atol=1e-12)


def test_what_comes_back():
    first, second = tables()
    before = first.copy(deep=True), second.copy(deep=True)
    parts = decompose_life_expectancy(first, second)
    assert parts["total"].dims == ("country", "sex", "age")
    assert set(parts.coords) == {"country", "sex", "age", "age_width"}
    assert float(parts["age_width"][-1]) == np.inf
    assert all(parts[name].attrs == {"units": "years"} for name in PARTS)
    xr.testing.assert_identical(first, before[0])
    xr.testing.assert_identical(second, before[1])


def test_dims_in_any_order_and_dims_of_one_table_alone():
    first, second = tables()
    expected = decompose_life_expectancy(first, second)
    turned = decompose_life_expectancy(
        first.transpose("age", "sex", "country"), second.transpose("sex", "age", "country")
    )
    xr.testing.assert_allclose(turned.transpose(*expected["total"].dims), expected)
    assert turned["total"].dims[-1] == "age"
    variants = xr.concat([second, first], "variant").assign_coords(variant=["low", "high"])
    several = decompose_life_expectancy(first, variants)
    assert several["total"].dims == ("country", "sex", "variant", "age")
    xr.testing.assert_allclose(several.sel(variant="low", drop=True), expected)
    np.testing.assert_allclose(several["total"].sel(variant="high"), 0, atol=1e-13)


def test_between_the_sexes_and_against_one_country():
    table = tables()[0].assign_coords(source="model")
    women, men = table.sel(sex="female"), table.sel(sex="male")
    parts = decompose_life_expectancy(men, women)
    assert set(parts.coords) == {"country", "source", "age", "age_width"}
    gap = (women["ex"] - men["ex"]).sel(age=0, drop=True)
    np.testing.assert_allclose(parts["total"].sum("age"), gap, atol=1e-12)
    against = decompose_life_expectancy(table.sel(country="BOL"), table)
    assert against["country"].values.tolist() == COUNTRIES
    np.testing.assert_allclose(against["total"].sel(country="BOL"), 0, atol=1e-13)


def test_missing_rates_stay_with_their_table():
    first, second = tables()
    holed = gompertz(2, ABRIDGED)
    holed.loc[{"country": "BOL", "sex": "male", "age": 30}] = np.nan
    other = mp.life_table(holed)
    expected = decompose_life_expectancy(first, second)
    here = (holed["country"] == "BOL") & (holed["sex"] == "male")
    for parts, names in (
        (decompose_life_expectancy(first, other), ["indirect", "total"]),
        (decompose_life_expectancy(other, first), []),
    ):
        for name in PARTS:
            # From 25-29 on: the years lived in it depend on the rate that comes next.
            gone = here & ((parts["age"] >= 25) | (name in names))
            np.testing.assert_array_equal(parts[name].isnull(), gone.broadcast_like(parts[name]))
    parts = decompose_life_expectancy(first, other)
    xr.testing.assert_identical(parts.where(~here), expected.where(~here))


def test_dask_stays_lazy():
    pytest.importorskip("dask")
    first, second = tables()
    expected = decompose_life_expectancy(first, second)
    parts = decompose_life_expectancy(first.chunk(country=1), second.chunk(country=1, age=4))
    assert all(parts[name].chunks is not None for name in PARTS)
    xr.testing.assert_identical(parts.compute(), expected)


def test_other_labels_are_not_joined():
    first, second = tables()
    with says(mp.AlignmentError, "second: dim 'country'", "1 missing: .'CHL'.", "sel"):
        decompose_life_expectancy(first, second.sel(country=["ARG", "BOL"]))
    with says(mp.AlignmentError, "second: dim 'country'", "another order", "BOL"):
        decompose_life_expectancy(first, second.sel(country=["BOL", "ARG", "CHL"]))
    with says(mp.SchemaError, "second: dim 'country' has no labels", "by position"):
        decompose_life_expectancy(first, second.drop_vars("country"))


def test_other_ages():
    first, _ = tables()
    wider = mp.life_table(gompertz(2, [*ABRIDGED[:-2], "80+"]))
    with says(mp.AlignmentError, "second: dim 'age'", r"missing: \['80-84', '85\+'\]", r"'80\+'"):
        decompose_life_expectancy(first, wider)
    with says(mp.SchemaError, "second: dim 'age'", "open-ended last group, got 80-84"):
        decompose_life_expectancy(first, first.isel(age=slice(None, -1)))


def test_what_is_no_life_table():
    first, second = tables()
    with says(mp.SchemaError, "first: expected an xarray.Dataset", "DataArray"):
        decompose_life_expectancy(first["mx"], second)
    with says(mp.SchemaError, "second: expected a Dataset with", r"it lacks \['Lx', 'Tx'\]"):
        decompose_life_expectancy(first, second[["lx"]])
    with says(mp.SchemaError, r"first\['lx'\]: expected values of 0 or more", "country=ARG"):
        decompose_life_expectancy(first.assign(lx=-first["lx"]), second)


def test_nobody_dies_in_the_open_group():
    first, _ = tables()
    mx = gompertz(2, ABRIDGED)
    mx.loc[{"country": "CHL", "age": 85}] = 0.0
    with pytest.warns(mp.DataQualityWarning, match="mx = 0"):
        endless = mp.life_table(mx)
    with says(mp.SchemaError, r"second\['Lx'\]: expected finite", "country=CHL, .*age=85"):
        decompose_life_expectancy(first, endless)


def test_missing_where_nobody_of_the_second_is_left():
    ages = mp.age_coords(["0-4", "5-9", "10+"])
    first, second = (
        xr.Dataset(
            {
                "lx": ("age", lx),
                "Lx": ("age", Lx),
                "Tx": ("age", np.cumsum(Lx[::-1])[::-1]),
            },
            coords=ages,
        )
        for lx, Lx in (([1.0, 0.5, 0.2], [4.0, 2.0, 1.0]), ([1.0, 0.4, 0.0], [3.0, 1.0, 0.0]))
    )
    parts = decompose_life_expectancy(first, second)
    assert parts["direct"].isnull().values.tolist() == [False, False, True]
    assert parts["total"].isnull().values.tolist() == [False, True, True]
    # The other way round all is known: nobody of the first is left to gain.
    back = decompose_life_expectancy(second, first)
    np.testing.assert_allclose(back["total"].sum("age", skipna=False), 3.0, rtol=1e-14)


# --- single years into abridged groups ----------------------------------------------------------


def single(seed=1, open_age=100, **options):
    return mp.life_table(gompertz(seed, range(open_age + 1)), **options)


def test_columns_against_sums_age_by_age():
    table = single(open_age=20)
    abridged = abridge_life_table(table)
    assert list(abridged) == COLUMNS
    bounds = [0, 1, 5, 10, 15, 20, 21]
    one = table.sel(country="BOL", sex="male")
    l, d, L = (one[name].values for name in ("lx", "dx", "Lx"))  # noqa: E741
    for k, (low, high) in enumerate(itertools.pairwise(bounds)):
        here = abridged.sel(country="BOL", sex="male").isel(age=k)
        deaths, years = sum(d[low:high]), sum(L[low:high])
        left, n = (l[high], high - low) if high < 21 else (0.0, 0)
        expected = {
            "mx": deaths / years,
            "ax": (years - n * left) / deaths,
            "qx": 1 - left / l[low],
            "lx": l[low],
            "dx": deaths,
            "Lx": years,
            "Tx": sum(L[low:]),
            "ex": sum(L[low:]) / l[low],
        }
        assert int(here["age"]) == low
        for name in COLUMNS:
            # Years lived and q come from differences of numbers near 1, over deaths of 1e-3.
            np.testing.assert_allclose(here[name], expected[name], rtol=1e-11, err_msg=name)


@FIXED
@given(rates(31, low=1e-5), st.sampled_from([1.0, 1000.0]))
def test_the_abridged_table_is_one(levels, radix):
    mx = xr.DataArray(levels, dims="age", coords={"sex": "male", **mp.age_coords(range(31))})
    abridged = abridge_life_table(mp.life_table(mx, radix=radix))
    again = mp.life_table(abridged["mx"], ax=abridged["ax"], radix=radix)
    for name in COLUMNS:
        np.testing.assert_allclose(again[name], abridged[name], rtol=1e-10, err_msg=name)


def test_expectations_are_unchanged():
    table = single()
    abridged = abridge_life_table(table)
    assert abridged["age"].values.tolist() == [0, 1, *range(5, 105, 5)]
    assert abridged["age_width"].values.tolist() == [1, 4, *[5] * 19, np.inf]
    for name in ("lx", "Tx", "ex"):
        xr.testing.assert_equal(
            abridged[name].drop_vars("age_width"),
            table[name].sel(age=abridged["age"].values).drop_vars("age_width"),
        )
    for name in ("mx", "ax", "qx", "dx", "Lx"):
        np.testing.assert_allclose(abridged[name].sel(age=[0, 100]), table[name].sel(age=[0, 100]))
    assert abridged["ax"].attrs == table["ax"].attrs
    assert {name: abridged[name].attrs for name in COLUMNS} == {
        name: table[name].attrs for name in COLUMNS
    }


def test_contributions_of_abridged_groups_are_those_of_their_years_together():
    first, second = single(1), single(2)
    narrow = decompose_life_expectancy(first, second)["total"]
    wide = decompose_life_expectancy(abridge_life_table(first), abridge_life_table(second))["total"]
    gap = (second["ex"] - first["ex"]).sel(age=0, drop=True)
    np.testing.assert_allclose(wide.sum("age"), gap, atol=1e-12)
    np.testing.assert_allclose(wide, mp.regroup_ages(narrow, wide), atol=1e-12)


@pytest.mark.parametrize(
    ("open_age", "labels"),
    [(1, [0, 1]), (3, [0, 1, 3]), (5, [0, 1, 5]), (8, [0, 1, 5, 8]), (10, [0, 1, 5, 10])],
)
def test_the_open_age_is_kept(open_age, labels):
    table = single(open_age=open_age)
    abridged = abridge_life_table(table)
    assert abridged["age"].values.tolist() == labels
    np.testing.assert_allclose(abridged["dx"].sum("age"), 1, rtol=1e-14)
    np.testing.assert_allclose(abridged["Lx"].sum("age"), table["ex"].sel(age=0), rtol=1e-14)


def test_groups_without_deaths():
    mx = gompertz(1, range(21))
    mx.loc[{"country": "ARG", "age": slice(5, 9)}] = 0.0
    with pytest.warns(mp.DataQualityWarning, match="mx = 0"):
        table = mp.life_table(mx)
    here = abridge_life_table(table).sel(country="ARG", age=5)
    assert here["ax"].values.tolist() == [2.5, 2.5]
    assert here["qx"].values.tolist() == here["mx"].values.tolist() == [0, 0]


def test_abridging_keeps_gaps_order_and_scalars():
    table = single(open_age=20)
    expected = abridge_life_table(table)
    mx = gompertz(1, range(21))
    mx.loc[{"country": "BOL", "sex": "male", "age": 12}] = np.nan
    holed = abridge_life_table(mp.life_table(mx))
    here = (mx["country"] == "BOL") & (mx["sex"] == "male")
    xr.testing.assert_identical(holed.where(~here), expected.where(~here))
    gone = holed.sel(country="BOL", sex="male")
    assert gone["lx"].isnull().values.tolist() == [False] * 4 + [True] * 2
    for name in ("mx", "ax", "qx", "dx", "Lx"):
        assert gone[name].isnull().values.tolist() == [False] * 3 + [True] * 3, name
    for name in ("Tx", "ex"):
        assert gone[name].isnull().all()
    turned = abridge_life_table(table.transpose("age", "sex", "country"))
    xr.testing.assert_identical(turned.transpose(*expected["ex"].dims), expected)
    dated = abridge_life_table(table.isel(country=0).assign_coords(time=2000.5))
    assert set(dated.coords) == {"country", "time", "sex", "age", "age_width"}
    assert float(dated["time"]) == 2000.5


def test_abridging_is_lazy():
    pytest.importorskip("dask")
    table = single(open_age=20)
    lazy = abridge_life_table(table.chunk(country=1))
    assert all(lazy[name].chunks is not None for name in COLUMNS)
    xr.testing.assert_identical(lazy.compute(), abridge_life_table(table))


def test_what_is_not_to_be_abridged():
    first, _ = tables()
    with says(mp.SchemaError, "life_table: dim 'age': expected single years from 0", "'1-4'"):
        abridge_life_table(first)
    with says(mp.SchemaError, "life_table: dim 'age': expected single years from 0", "'10'"):
        abridge_life_table(single().sel(age=slice(10, None)))
    with says(mp.SchemaError, "life_table: dim 'age': expected an open-ended last group, got 99"):
        abridge_life_table(single().isel(age=slice(None, -1)))
    with says(mp.SchemaError, "life_table: expected a Dataset", r"it lacks \['dx'\]"):
        abridge_life_table(single().drop_vars("dx"))
    with says(mp.SchemaError, "life_table: expected an xarray.Dataset", "DataArray"):
        abridge_life_table(single()["mx"])


def abridged(country, spread, radix=1.0, start=0, ax="greville"):
    """Tables of very low to very high mortality, by abridged groups from an age on."""
    lower = [low for low in (0, 1, *range(5, 105, 5)) if low >= start]
    age = np.array(lower) + 0.5
    rates = 0.02 * np.exp(-1.2 * np.sqrt(age)) + 3e-5 * np.exp(0.095 * age)
    rng = np.random.default_rng(3)
    noise = np.exp(spread * rng.standard_normal((len(country), 2, len(lower))))
    level = np.array(country, float)[:, None, None]
    mx = xr.DataArray(
        np.minimum(level * rates * noise, 1.9),
        dims=("country", "sex", "age"),
        coords={"country": country, "sex": ["female", "male"], **mp.age_coords(lower)},
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mp.DataQualityWarning)
        return mp.life_table(mx, radix=radix, ax=ax)


LEVELS = [0.03, 0.3, 1.0, 3.0, 10.0, 60.0]


@pytest.mark.parametrize("ax", ["greville", "half", "un"])
@pytest.mark.parametrize("start", [0, 15, 60])
@pytest.mark.parametrize("spread", [0.0, 0.7])
@pytest.mark.parametrize("radix", [1.0, 1e5])
def test_single_years_keep_the_table(ax, start, spread, radix):
    table = abridged(LEVELS, spread, radix, start, ax)
    single = mp.single_year_life_table(table)
    assert single["age"].values.tolist() == list(range(start, 101))
    at = single.sel(age=table["age"].values)
    for name in ("lx", "Tx", "ex"):
        np.testing.assert_array_equal(at[name], table[name])
    assert (single["lx"].diff("age") <= 0).all()
    assert (single["mx"] > 0).all()
    assert ((single["ax"] > 0) & (single["ax"].isel(age=slice(0, -1)) <= 1)).all()
    # Years lived beyond an age are sums of those of the years.
    lived = single["Lx"][..., ::-1].cumsum("age")[..., ::-1]
    np.testing.assert_allclose(lived, single["Tx"], rtol=1e-11)
    sums = mp.regroup_ages(single["Lx"], table)
    np.testing.assert_allclose(sums, table["Lx"], rtol=1e-9, atol=1e-13 * radix)
    for name, units in {"mx": "1/year", "ax": "years", "qx": "1", "Lx": "person-years"}.items():
        assert single[name].attrs["units"] == units


def test_single_years_and_back():
    table = abridged(LEVELS[:5], 0.3)
    back = mp.abridge_life_table(mp.single_year_life_table(table))
    for name in ("lx", "Tx", "ex"):
        np.testing.assert_array_equal(back[name], table[name])
    closed = {"age": slice(0, -1)}
    for name in ("mx", "ax", "qx", "dx", "Lx"):
        # Differences of survivors lose the digits that few deaths do not have.
        np.testing.assert_allclose(back[name].isel(closed), table[name].isel(closed), rtol=1e-9)


def test_single_years_find_smooth_rates():
    """From a table whose ax are those of the single years: to 2 % from 20 on, 6 % from 2 on."""
    age = np.arange(101) + 0.5
    rates = 0.02 * np.exp(-1.2 * np.sqrt(age)) + 3e-5 * np.exp(0.095 * age)
    mx = xr.DataArray(rates, dims="age", coords={"sex": "male", **mp.age_coords(range(101))})
    known = mp.life_table(mx)
    found = mp.single_year_life_table(mp.abridge_life_table(known))
    apart = np.abs(np.log(found["mx"] / mx))
    assert apart.sel(age=slice(2, None)).max() < 0.06
    assert apart.sel(age=slice(20, None)).max() < 0.02


def test_single_years_without_deaths_or_survivors():
    lower = [0, 1, 5, 10, 15]
    coords = {"sex": "female", **mp.age_coords(lower)}
    mx = xr.DataArray([0.0, 0.0, 0.01, 0.0, 0.1], dims="age", coords=coords)
    with pytest.warns(mp.DataQualityWarning, match="mx = 0"):
        table = mp.life_table(mx)
    single = mp.single_year_life_table(table)
    np.testing.assert_array_equal(single["lx"].sel(age=lower), table["lx"])
    np.testing.assert_array_equal(single["mx"].sel(age=[0, 3, 12]), 0.0)
    dying = xr.DataArray([0.1, 0.1, 0.4, 2.0, 2.0], dims="age", coords=coords)
    with pytest.warns(mp.DataQualityWarning, match="qx > 1"):
        table = mp.life_table(dying)
    single = mp.single_year_life_table(table)
    np.testing.assert_array_equal(single["ex"].sel(age=lower), table["ex"])
    assert not (single["qx"] > 1).any()
    assert single["qx"].isnull().sel(age=slice(10, None)).all()  # nobody lives to them


def test_single_years_of_one_country_missing():
    table = abridged([0.3, 1.0, 3.0], 0.2)
    holed = table.where((table["country"] != 1.0) | (table["age"] != 40))
    made, full = mp.single_year_life_table(holed), mp.single_year_life_table(table)
    xr.testing.assert_identical(made.sel(country=[0.3, 3.0]), full.sel(country=[0.3, 3.0]))
    assert made.sel(country=1.0).to_array().isnull().all()
    turned = mp.single_year_life_table(table.transpose("age", "sex", "country"))
    xr.testing.assert_allclose(turned.transpose("country", "sex", "age"), full)


def test_single_years_wrong():
    table = abridged([1.0], 0.0)
    with pytest.raises(mp.SchemaError, match="expected two closed groups or more and an open"):
        mp.single_year_life_table(table.isel(age=slice(-2, None)))
    with pytest.raises(mp.SchemaError, match=r"it lacks \['ax'\]"):
        mp.single_year_life_table(table.drop_vars("ax"))


@pytest.mark.parametrize(
    "call", [mp.single_year_life_table, lambda t: mp.extend_mortality(t["mx"])]
)
def test_the_period_of_the_rates_stays(call):
    """Of one period, and by period with widths of their own."""
    mx = gompertz(1, ABRIDGED).sel(sex="female")
    one = mp.life_table(mx.assign_coords(period=2000.0, period_width=5.0))
    made = call(one)
    assert (float(made["period"]), float(made["period_width"])) == (2000, 5)
    widths = ("period", [5.0, 10.0, 5.0])
    several = mx.rename(country="period").assign_coords(period=[2000, 2005, 2015])
    made = call(mp.life_table(several.assign_coords(period_width=widths)))
    np.testing.assert_array_equal(made["period_width"], widths[1])
