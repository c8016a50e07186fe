"""Net migration between rounds any time apart, and several life tables in the interval."""

import numpy as np
import pandas as pd
import pytest
import scipy.interpolate as si
import xarray as xr

import migproj as mp
from migproj.survival import slices_of

FIVE = mp.age_coords(range(0, 85, 5))
T = 10.561112  # 1980-10-22 to 1991-05-15
METHODS = ["forward", "reverse", "average", "midpoint"]
TABLE_AGES = [0, 1, *range(5, 105, 5)]


def says(error, *parts):
    return pytest.raises(error, match="(?s)" + ".*".join(parts))


def table(level=1.0, sex="female"):
    """A life table of Gompertz-Makeham mortality with an infant hump."""
    ages = np.array(TABLE_AGES, dtype=float)
    middle = ages + np.diff([*ages, 110]) / 2
    mx = level * (0.0006 + 0.00003 * np.exp(0.095 * middle) + 0.04 * np.exp(-2.0 * ages))
    array = xr.DataArray(mx, dims="age", coords=mp.age_coords(TABLE_AGES))
    return mp.life_table(array.assign_coords(sex=sex)).drop_vars("sex")


def stationary(life_table, lower=range(0, 85, 5), births=1e5):
    """Counts by age group of the closed population with so many births a year."""
    beyond = life_table["Tx"].sel(age=list(lower)).values * births
    lived = np.append(-np.diff(beyond), beyond[-1])
    return xr.DataArray(lived, dims="age", coords=mp.age_coords(list(lower)))


@pytest.fixture
def rounds():
    rng = np.random.default_rng(5)
    people = stationary(table())
    start, end = (people * rng.uniform(0.8, 1.2, people.shape) for _ in range(2))
    return start.assign_coords(time=1980.806011), end.assign_coords(time=1991.367123)


# --- what the interpolation is, by another implementation


def curve(x, y, interpolation):
    """People of an age and over, of person-years beyond it."""
    if interpolation == "pchip":
        return si.PchipInterpolator(x, y)
    slope = si.CubicSpline(x, y, bc_type="not-a-knot").derivative()(x)
    steps = np.diff(y) / np.diff(x)
    least = np.minimum(np.append(steps[0], steps), np.append(steps, steps[-1]))
    return si.CubicHermiteSpline(x, y, np.clip(slope, 0.0, 3.0 * least))


def beyond(life_table, ages):
    """T(x) of the cubic Hermite with slope -l(x)."""
    knots = life_table["age"].values
    return si.CubicHermiteSpline(knots, life_table["Tx"].values, -life_table["lx"].values)(ages)


@pytest.mark.parametrize("interpolation", ["spline", "pchip"])
@pytest.mark.parametrize("count", [2, 3, 4, 9, 17])
def test_slices_of_a_population(interpolation, count):
    rng = np.random.default_rng(count)
    lower = list(range(0, 85, 5))[:count]
    counts = xr.DataArray(rng.uniform(0, 1e5, (3, count)), dims=("country", "age"))
    counts[1, count // 2] = 0.0
    counts = counts.assign_coords(country=list("ABC"), **mp.age_coords(lower))
    at = np.sort(rng.uniform(0, lower[-1], 6))
    at[0] = 0.0
    got = slices_of("counts", counts, table(), at, interpolation)
    x = np.append(beyond(table(), np.array(lower, dtype=float)), 0.0)[::-1]
    for k in range(3):
        y = np.append(0.0, np.cumsum(counts.values[k][::-1]))
        kind = "pchip" if count < 3 else interpolation  # as many knots as a cubic has, at least
        older = curve(x, y, kind)(beyond(table(), at))
        want = older - np.append(older[1:], 0.0)
        np.testing.assert_allclose(got.isel(country=k), want, rtol=1e-9, atol=1e-7)
    np.testing.assert_allclose(got.sum("age"), counts.sum("age"), rtol=1e-13)
    assert (got >= -1e-9).all()


def test_slices_at_the_bounds_are_the_groups(rounds):
    start = rounds[0]
    at = start["age"].values.astype(float)
    got = slices_of("start", start, table(), at, "spline")
    np.testing.assert_allclose(got, start, rtol=1e-11)


# --- how near it comes


@pytest.mark.parametrize("growth", [-0.02, -0.01, 0.01, 0.02, 0.03, 0.04])
def test_stable_populations(growth):
    """From five-year groups at most 0.02 % of a group and 0.005 % of the population; from single
    years 0.005 % of a group. (With high infant mortality T(x) within the first year is known
    less well than that, whatever the population.)"""
    life_table = single_years()
    fine = np.linspace(0, 110, 110 * 200 + 1)
    density = np.exp(-growth * fine) * hazard_survivors(fine)
    sums = np.append(0, np.cumsum((density[1:] + density[:-1]) / 2 * np.diff(fine)))

    def older(age):
        return sums[-1] - np.interp(age, fine, sums)

    def groups(lower):
        return np.append(-np.diff(older(lower)), older(lower[-1]))

    for width, most in ((5, 2e-4), (1, 5e-5)):
        lower = np.arange(0, 80 + width, width)
        counts = xr.DataArray(groups(lower), dims="age", coords=mp.age_coords(lower))
        at = lower[lower >= T] - T
        got = slices_of("counts", counts, life_table, at, "spline").values
        error = np.abs(got - groups(at))
        assert (error <= most * groups(at)).all()
        assert error.sum() <= 5e-5 * sums[-1]


def hazard_survivors(ages):
    a, b, c = 0.0006, 0.00003, 0.095
    return np.exp(-(a * ages + b / c * np.expm1(c * ages) + 0.0025 * -np.expm1(-2.0 * ages)))


def single_years():
    """lx and Tx of the same mortality at single years, exact to 1e-9."""
    fine = np.linspace(0, 140, 140 * 1000 + 1)
    survivors = hazard_survivors(fine)
    years = (survivors[1:] + survivors[:-1]) / 2 * np.diff(fine)
    Tx = np.append(np.cumsum(years[::-1])[::-1], 0.0)[::1000][:111]
    return xr.Dataset(
        {"lx": ("age", survivors[::1000][:111]), "Tx": ("age", Tx)}, mp.age_coords(range(111))
    )


def test_canada_regrouped(reference):
    """Slices 10.56 years apart from groups of five years, beside those from single years."""
    folder = reference / "ccm/a_canada"
    by = ["time", "sex", "age"]
    tables = pd.read_csv(folder / "inputs_age_sex.csv.gz").set_index(by).to_xarray()
    people = pd.read_csv(folder / "run_outLT_end_pop.csv.gz").set_index(by).to_xarray()["pop"]
    single = mp.age_coords(range(101))
    lived = tables["out_nLx"].isel(age=slice(None, None, -1)).cumsum("age")
    life_table = xr.Dataset({"lx": tables["out_lx"], "Tx": lived.isel(age=slice(None, None, -1))})
    years = np.intersect1d(people["time"], tables["time"])
    life_table = life_table.sel(time=years).assign_coords(single)
    people = people.sel(time=years).assign_coords(single)
    grouped = mp.regroup_ages(people, range(0, 85, 5))
    at = np.arange(15, 85, 5) - T
    got, truth = (slices_of("people", a, life_table, at, "spline") for a in (grouped, people))
    error = abs(got - truth)
    share = error / truth
    assert float(share.median()) <= 0.0013
    assert float(share.max()) <= 0.0055
    assert float((error.sum("age") / grouped.sum("age")).max()) <= 0.002


# --- what must hold


@pytest.mark.parametrize("interpolation", ["spline", "pchip"])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("years", [0.7, 3.3, 7, T, 12.5])
@pytest.mark.filterwarnings("ignore:net_migration. survival ratios below 0.3")
def test_a_closed_stationary_population_has_no_migration(years, method, interpolation):
    people = stationary(table())
    births = xr.DataArray(1e5 * years)
    result = mp.net_migration(
        people,
        people,
        table(),
        births=births,
        method=method,
        interval=years,
        interpolation=interpolation,
    )
    assert result["age"].values.tolist() == people["age"].values.tolist()
    # 1e-13 of everyone, divided by the smallest ratio where the method divides
    assert np.abs(result["net_migration"]).max() < 1e-13 * people.sum() / 0.02
    np.testing.assert_allclose(result["expected"].sum(), people.sum(), rtol=1e-12)


@pytest.mark.filterwarnings("ignore:net_migration. survival ratios below 0.3")
def test_groups_of_other_widths_and_open_groups():
    """Rounds on mixed grids 7 years apart: the end's groups, up to the open one that both hold."""
    start = stationary(table(), [0, 5, 10, 20, 40, 60])
    end = stationary(table(), [0, 5, 10, 15, 30, 50, 65, 70, 80])
    result = mp.net_migration(start, end, table(), births=xr.DataArray(7e5), interval=7)
    assert result["age"].values.tolist() == [0, 5, 10, 15, 30, 50, 65]
    assert result["age_start"].values.tolist() == [x - 7.0 for x in result["age"].values]
    assert np.abs(result["net_migration"]).max() < 1e-9 * start.sum()
    total = result["expected"] + result["net_migration"]  # but for what average adds
    np.testing.assert_allclose(total.sum(), end.sum(), rtol=1e-9)


def test_nobody_is_lost(rounds):
    start, end = rounds
    result = mp.net_migration(start, end, table(), births=xr.DataArray(1e6), method="forward")
    both = result["expected"] + result["net_migration"]
    np.testing.assert_allclose(both, end, rtol=1e-11)
    assert float(result["period_width"]) == T
    assert float(result["period"]) == 1980.806011
    # Survivors of all: those slices of the start that live, and births.
    assert float(result["expected"].sum()) < float(start.sum()) + 1e6


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.filterwarnings("ignore:net_migration. survival ratios below 0.3")
def test_bounds_that_match_are_groups_that_shift(rounds, method):
    """Ten years by slices (the life table of one period is one of several) and by groups."""
    start, end = (a.assign_coords(time=t) for a, t in zip(rounds, (1980, 1990), strict=True))
    births = xr.DataArray(9e5)
    options = {"births": births, "method": method}
    want = mp.net_migration(start, end, table(), **options)
    several = table().expand_dims(period=[1980.0]).assign_coords(period_width=10.0)
    got = mp.net_migration(start, end, several, **options)
    for name in ("net_migration", "expected"):
        np.testing.assert_allclose(got[name], want[name], rtol=1e-9, atol=1e-6)


def test_the_parts_of_a_straddling_group(rounds):
    """10-14 after 10.56 years: those born since aged 10 to 10.56, and the slice of the youngest."""
    start, end = rounds
    births, life_table = xr.DataArray(8e5), table()
    result = mp.net_migration(start, end, life_table, births=births, method="reverse")
    x = np.append(beyond(life_table, start["age"].values.astype(float)), 0.0)[::-1]
    over = {
        name: curve(x, np.append(0.0, np.cumsum(a.values[::-1])), "spline")
        for name, a in (("start", start), ("end", end))
    }
    reached, bounds = beyond(life_table, np.array([10.0, T, 15.0])), np.array([0.0, 15.0 - T])
    then = beyond(life_table, bounds)
    born = 8e5 * (T - 10) / T
    survival = (
        (reached[0] - reached[1]) / ((T - 10) * float(life_table["lx"][0])),
        (reached[1] - reached[2]) / (then[0] - then[1]),
    )
    before = born, over["start"](then[0]) - over["start"](then[1])
    after = -np.diff(over["end"](reached))
    want = sum(a / s - b for a, s, b in zip(after, survival, before, strict=True))
    np.testing.assert_allclose(float(result["net_migration"].sel(age=10)), want, rtol=1e-8)
    expected = sum(s * b for s, b in zip(survival, before, strict=True))
    np.testing.assert_allclose(float(result["expected"].sel(age=10)), expected, rtol=1e-9)


def test_births_by_the_group_they_arrive_in(rounds):
    start, end = rounds
    widths = np.array([5, 5, T - 10])
    births = xr.DataArray(9e5 * widths / T, dims="age", coords=mp.age_coords([0, 5, 10]))
    births = births.drop_vars("age_width")
    want = mp.net_migration(start, end, table(), births=xr.DataArray(9e5))
    got = mp.net_migration(start, end, table(), births=births)
    xr.testing.assert_allclose(got, want, rtol=1e-12)
    with says(mp.AlignmentError, "births: dim 'age'", "'10-14'", "got"):
        mp.net_migration(start, end, table(), births=births.isel(age=[0, 1]))


def test_a_foreign_born_stock_has_no_births(rounds):
    start, end = rounds
    result = mp.net_migration(start, end, table(), children="arrivals", method="forward")
    np.testing.assert_allclose(result["net_migration"].sel(age=[0, 5]), end.sel(age=[0, 5]))
    unknown = mp.net_migration(start, end, table(), children="none", method="forward")
    assert unknown["net_migration"].sel(age=[0, 5, 10]).isnull().all()
    assert not unknown["net_migration"].sel(age=slice(15, None)).isnull().any()


# --- several life tables


def test_several_life_tables_that_are_one(rounds):
    start, end = rounds
    births = xr.DataArray(9e5)
    want = mp.net_migration(start, end, table(), births=births)
    several = xr.concat([table()] * 3, "period").assign_coords(period=[1979.0, 1984.5, 1990.0])
    got = mp.net_migration(start, end, several, births=births)
    for name in ("net_migration", "expected"):
        np.testing.assert_allclose(got[name], want[name], rtol=1e-9, atol=1e-6)


def test_life_tables_each_for_its_part():
    """Five years of one mortality and five of another are two intervals of five years."""
    life_tables = [table(), table(0.5)]
    start = stationary(life_tables[0]).assign_coords(time=1980)
    births = xr.DataArray(5e5)
    middle = mp.net_migration(
        start, start.assign_coords(time=1985), life_tables[0], births=births, method="forward"
    )["expected"]
    middle = middle.drop_vars(["age_start", "period", "period_width"]).assign_coords(time=1985)
    last = mp.net_migration(
        middle, middle.assign_coords(time=1990), life_tables[1], births=births, method="forward"
    )["expected"]
    several = xr.concat(life_tables, "period").assign_coords(
        period=[1980.0, 1985.0], period_width=5.0
    )
    end = start.assign_coords(time=1990)
    got = mp.net_migration(start, end, several, births=xr.DataArray(1e6), method="forward")
    # The open-ended group by steps is pooled twice; the others are the same slices.
    np.testing.assert_allclose(
        got["expected"].isel(age=slice(-1)), last.isel(age=slice(-1)), rtol=1e-9
    )


def test_life_tables_that_do_not_cover_the_interval(rounds):
    start, end = rounds
    births = xr.DataArray(9e5)
    several = xr.concat([table()] * 2, "period")
    for periods, text in (
        ([1981.0, 1986.0], "cover the interval from 1980.81"),
        ([1975.0, 1980.0], "cover the interval"),
        ([1990.0, 1980.0], "periods in order"),
    ):
        with says(mp.IntervalError, "life_table: dim 'period'", text):
            mp.net_migration(start, end, several.assign_coords(period=periods), births=births)
    with says(mp.IntervalError, "life_table: dim 'period' has no labels"):
        mp.net_migration(start, end, several, births=births)
    undated = (a.drop_vars("time") for a in rounds)
    with says(mp.IntervalError, "life_table", "no dates"):
        labelled = several.assign_coords(period=[1980.0, 1985.0])
        mp.net_migration(*undated, labelled, births=births, interval=10)


# --- wider groups, and what is refused


def test_wider_groups(rounds):
    start, end = rounds
    births = xr.DataArray(9e5)
    full = mp.net_migration(start, end, table(), births=births)
    result = mp.net_migration(start, end, table(), births=births, ages=["0-14", "15-64", "65+"])
    for name in ("net_migration", "expected"):
        sums = mp.regroup_ages(full[name].drop_vars("age_start"), [0, 15, 65])
        np.testing.assert_allclose(result[name], sums, rtol=1e-13)
        assert result[name].attrs == full[name].attrs
    assert result["age_start"].values.tolist() == [x - T for x in (0, 15, 65)]
    assert result["n_negative"] == full["n_negative"]
    shifted = rounds[0].assign_coords(time=1981.367123)
    whole = mp.net_migration(shifted, end, table(), births=births, ages=[0, 20])
    assert whole.sizes["age"] == 2
    with says(mp.SchemaError, "ages: the bound", "18"):
        mp.net_migration(start, end, table(), births=births, ages=[0, 18, 65])


def test_rounds_that_do_not_fit(rounds):
    start, end = rounds
    births = xr.DataArray(9e5)
    with says(mp.IntervalError, "must come after"):
        mp.net_migration(end, start, table(), births=births)
    with says(mp.IntervalError, "must come after"):
        mp.net_migration(start, end.assign_coords(time=start["time"]), table(), births=births)
    with says(mp.AlignmentError, "start: dim 'age': expected everyone, from 0", "5-9 to 80"):
        mp.net_migration(start.isel(age=slice(1, None)), end, table(), births=births)
    with says(mp.AlignmentError, "end: dim 'age': expected everyone", "75-79"):
        mp.net_migration(start, end.isel(age=slice(-1)), table(), births=births)
    short = table().isel(age=slice(None, 15))  # to 65-69
    short = short.assign_coords(age_width=("age", [*short["age_width"].values[:-1], np.inf]))
    with says(mp.AlignmentError, "life_table: dim 'age'", r"\[70.0, 75.0, 80.0", "65"):
        mp.net_migration(start, end, short, births=births)
    with says(mp.IntervalError, "children='child-woman'", "10.56", "give births"):
        mp.net_migration(start, end, table(), children="child-woman")
    with says(mp.IntervalError, "method 'even'", "10.56", "average"):
        mp.net_migration(start, end, table(), births=births, method="even")
    with says(mp.IntervalError, "the interval is 10.56"):
        ratios = mp.survival_ratios(table(), ages=start, interval=10)
        mp.net_migration(start, end, ratios, births=births)
    with says(mp.IntervalError, "births: made for 10 years, but 10.56"):
        made = births.assign_coords(period_width=10.0)
        mp.net_migration(start, end, table(), births=made)
    with says(mp.SchemaError, "interpolation: expected one of", "'linear'"):
        mp.net_migration(start, end, table(), births=births, interpolation="linear")
