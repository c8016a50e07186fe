"""What must hold for any input: accounting, exact inverses, and labels that only label."""

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, NamedTuple

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import xarray as xr
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import migproj as mp
from kernels import reference
from migproj import _jit

#: The same examples on every machine; no time limits. Examples are not shrunk: they are small, and
#: looking for a smaller one takes minutes.
FIXED = settings(
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=12,
    phases=(Phase.explicit, Phase.generate),
)
FEW = settings(FIXED, max_examples=4)

SEXES = ["female", "male"]
TIMINGS = ["end", "even", "midpoint"]
METHODS = ["forward", "reverse", "average", "midpoint", "end", "even"]
#: Rounding of sums and differences of at most a few dozen terms, as a share of the largest.
ROUNDING = 1e-12


def numbers(*shape, low, high):
    return hnp.arrays(np.float64, shape, elements=st.floats(low, high, allow_subnormal=False))


def aged(values, lower, *dims, **coords):
    """`values` with the dims named, then age."""
    return xr.DataArray(values, dims=(*dims, "age"), coords={**coords, **mp.age_coords(lower)})


def assert_zero(array, scale):
    assert np.abs(np.asarray(array)).max() <= ROUNDING * np.abs(np.asarray(scale)).max()


def assert_same(got, want, scale=None):
    """Equal to rounding of the largest number that entered."""
    assert_zero(np.asarray(got) - np.asarray(want), want if scale is None else scale)


# --- rounds that differ by survival alone -------------------------------------------------------

# lower bounds at the start and at the end, interval
GRIDS = {
    "5x5": (range(0, 40, 5), range(0, 40, 5), 5),
    "1x1": (range(8), range(8), 1),
    "10 years on 5": (range(0, 40, 5), range(0, 40, 5), 10),
    "mixed widths": ([0, 5, *range(10, 70, 10)], [0, 5, 10, 15, *range(20, 80, 10)], 10),
    "finer end": ([0, 10, 20, 30], range(0, 45, 5), 10),
    "other open ages": ([0, 5, 10, 15, 20, 25, 30], [0, 5, 10, 15, 20], 5),
}


@pytest.mark.parametrize(
    ("grid", "method"),
    [(g, m) for g in GRIDS for m in METHODS if m != "even" or g in ("5x5", "1x1")],
)
@FIXED
@given(data=st.data())
def test_survivors_alone_are_no_migrants(grid, method, data):
    start_lower, end_lower, interval = GRIDS[grid]
    start_groups, end_groups = (reference.age_groups(list(g)) for g in (start_lower, end_lower))
    arrivals = reference.arrival_groups(start_groups, end_groups, interval)
    born = sum(high <= interval for _, high in arrivals)
    start = data.draw(numbers(2, len(start_groups), low=100, high=1e6))
    births = data.draw(numbers(2, born, low=1, high=1e6))
    survival = data.draw(numbers(2, len(arrivals), low=0.3, high=1))
    shares = data.draw(numbers(len(end_groups), low=0.1, high=1))
    end = np.zeros((2, len(end_groups)))
    for c in range(2):
        for g, (low, high) in enumerate(arrivals):
            before = reference.count_between(
                start[c], start_groups, low - interval, high - interval
            )
            survivors = survival[c, g] * (births[c, g] if g < born else before)
            inside = [low <= a and b <= high for a, b in end_groups]
            end[c, inside] = survivors * shares[inside] / shares[inside].sum()
    lower = [low for low, _ in arrivals]
    country = {"country": ["ARG", "BOL"]}
    result = mp.net_migration(
        aged(start, start_lower, "country", **country),
        aged(end, end_lower, "country", **country),
        aged(survival, lower, "country", **country),
        method=method,
        births=aged(births, lower[:born], "country", **country).drop_vars("age_width"),
        interval=interval,
    )
    assert result["age"].values.tolist() == lower
    assert_zero(result["net_migration"], [start.max(), births.max()])
    assert_same(result["expected"].sum("age"), end.sum(axis=1))


ABRIDGED = [0, 1, *range(5, 65, 5)]
FIVES = list(range(0, 65, 5))


@st.composite
def life_tables(draw):
    """Life tables of both sexes by Gompertz and Makeham, with infant mortality."""
    age = np.array(ABRIDGED) + 2.0
    rates = []
    for _ in SEXES:
        background, level, slope, infant = (
            draw(st.floats(*bounds))
            for bounds in ((1e-4, 5e-3), (1e-5, 5e-5), (0.07, 0.1), (2e-3, 0.15))
        )
        mx = background + level * np.exp(slope * age)
        mx[0] += infant
        rates.append(mx)
    return mp.life_table(aged(rates, ABRIDGED, "sex", sex=SEXES), radix=1e5)


def stationary(table):
    """The population of a life table in five-year groups, and its births a year by sex."""
    people = mp.regroup_ages(table["Lx"], FIVES)
    births = xr.DataArray([1e5, 1e5], dims="sex", coords={"sex": SEXES})
    births.loc[{"sex": "male"}] *= 1.05
    people.loc[{"sex": "male"}] *= 1.05
    return people, births


@pytest.mark.parametrize(
    ("interval", "method"), [(t, m) for t in (5, 10) for m in METHODS if (t, m) != (10, "even")]
)
@FEW
@given(table=life_tables())
def test_stationary_population_has_no_migrants(interval, method, table):
    people, births = stationary(table)
    result = mp.net_migration(
        people, people, table, method=method, births=births * interval, interval=interval
    )
    assert_zero(result["net_migration"], people)


@pytest.mark.parametrize("timing", TIMINGS)
@FEW
@given(table=life_tables())
def test_stationary_population_is_projected_to_itself(timing, table):
    people, births = stationary(table)
    survival = mp.survival_ratios(table, ages=FIVES)
    women = people.sel(sex="female", age=slice(15, 49), drop=True)
    replacement = births.sum() / women.sum()
    fertility = xr.full_like(women, float(replacement)).drop_vars("age_width")
    result = mp.project_population(people, survival, fertility, 1.05, timing=timing, steps=4)
    for time in result["time"]:
        assert_same(result["population"].sel(time=time), people)
    assert_same(result["births"].sum("mother_age").isel(period=3), births * 5)
    # As many die as are born
    assert_same(result["deaths_cohort"].sum("age").isel(period=3), births * 5)


# --- accounting ---------------------------------------------------------------------------------

AGES = [0, 5, 10, 15, 20]
PERIODS = [2000.0, 2005.0]


@st.composite
def projections(draw, periods=2, *, most=1.0):
    """Inputs of project_population that leave no negative population; survival up to `most`."""
    flows = {"period": PERIODS[:periods], "sex": SEXES}
    rates = draw(numbers(periods, 2, low=0.05, high=0.5))
    return {
        "population": aged(draw(numbers(2, 5, low=1e3, high=1e6)), AGES, "sex", sex=SEXES),
        "survival": aged(draw(numbers(periods, 2, 5, low=0.6, high=most)), AGES, *flows, **flows),
        "fertility": xr.DataArray(
            rates, dims=("period", "age"), coords={"period": PERIODS[:periods], "age": [10, 15]}
        ),
        "sex_ratio_at_birth": 1.05,
        "migration": aged(draw(numbers(periods, 2, 5, low=-20, high=1e5)), AGES, *flows, **flows),
    }


def one_older(array, born=0.0):
    """Everyone in the next age group; `born` come into the first."""
    last = array.isel(age=-1)
    older = array.shift(age=1)
    older[{"age": 0}] = born
    older[{"age": -1}] += last
    return older


def joined_cohorts(migration, timing):
    """The migrants who joined each cohort of arrival: even splits its groups in two halves."""
    return migration if timing != "even" else migration / 2 + one_older(migration / 2)


def assert_population_balances(result, timing, ratio=1.05):
    """In every cohort and in total, change is births less deaths and emigrants plus migrants."""
    for p in range(2):
        flows = result.drop_vars("population").isel(period=p, drop=True)
        before, after = (result["population"].isel(time=k, drop=True) for k in (p, p + 1))
        scale = max(float(before.max()), float(after.max()), float(flows["births"].sum()))
        born = flows["births"].sum("mother_age")
        joined = joined_cohorts(flows["net_migration"], timing)
        cohorts = one_older(before, born)
        lost = flows["deaths_cohort"] + flows.get("emigrants", 0.0)
        assert_same(after - cohorts, joined - lost, scale)
        total = born.sum() - lost.sum() + flows["net_migration"].sum()
        assert_same(after.sum() - before.sum(), total, 2 * 5 * scale)
        assert_same(born.sel(sex="male"), ratio * born.sel(sex="female"))


@pytest.mark.parametrize("exposure", ["with-migrants", "ccmpp"])
@pytest.mark.parametrize("timing", TIMINGS)
@FIXED
@given(inputs=projections())
def test_population_balances(timing, exposure, inputs):
    result = mp.project_population(**inputs, timing=timing, births_exposure=exposure)
    np.testing.assert_array_equal(result["net_migration"].values, inputs["migration"].values)
    assert_population_balances(result, timing)


@pytest.mark.parametrize("timing", TIMINGS)
@FIXED
@given(inputs=projections(), many=st.floats(-1e6, -1e3))
def test_population_with_limited_emigration_balances(timing, inputs, many):
    """Also in every cohort: the migration applied is still half and half with "even"."""
    leaving = inputs | {"migration": inputs["migration"] + many}
    result = mp.project_population(**leaving, timing=timing, on_negative="limit")
    assert (result["population"] >= 0).all()
    assert_population_balances(result, timing)
    given_ = result["net_migration"] + result["net_migration_unapplied"]
    assert_same(given_, leaving["migration"].transpose(*given_.dims), 2e6)


@pytest.mark.parametrize("timing", TIMINGS)
@FIXED
@given(data=st.data())
def test_stocks_balance(timing, data):
    flows = {"period": PERIODS, "birthplace": ["BOL", "PRY"]}
    stock = aged(
        data.draw(numbers(2, 5, low=0, high=1e6)), AGES, "birthplace", birthplace=["BOL", "PRY"]
    )
    if 0 < float(stock.max()) < 1:
        stock = stock + 1.0  # less than one person is refused as a share
    survival, arrivals, emigration = (
        aged(data.draw(numbers(2, 2, 5, low=low, high=high)), AGES, *flows, **flows)
        for low, high in ((0, 1), (0, 1e5), (0, 0.2))
    )
    result = mp.project_stocks(stock, survival, arrivals, emigration=emigration, timing=timing)
    for p in range(2):
        before, after = (result["stock"].isel(time=k, drop=True) for k in (p, p + 1))
        flow = result.drop_vars("stock").isel(period=p, drop=True)
        lost = flow["deaths_cohort"] + flow["emigrants"]
        joined = joined_cohorts(flow["arrivals"], timing)
        scale = before.max() + flow["arrivals"].max()
        assert_same(after - one_older(before), joined - lost, scale)
        total = flow["arrivals"].sum("age") - lost.sum("age")
        assert_same(after.sum("age") - before.sum("age"), total, 5 * scale)
        # Neither can be negative, but for the rounding of their difference
        assert flow["emigrants"].min() >= 0
        assert flow["deaths_cohort"].min() >= -ROUNDING * scale


@pytest.mark.parametrize("timing", TIMINGS)
@FIXED
@given(inputs=projections(periods=1, most=0.999))  # at 1, rounding may leave -1e-10 deaths
def test_vital_statistics_of_a_projection_give_its_migration(timing, inputs):
    result = mp.project_population(**inputs, timing=timing)
    start, end = (result["population"].isel(time=k) for k in range(2))
    flows = result.drop_vars("population").isel(period=0, drop=True)
    births, deaths = flows["births"].sum("mother_age"), flows["deaths_cohort"]
    scale = max(float(start.sum()), float(end.sum()), float(births.sum()))
    total = mp.net_migration_vital(start, end, births, deaths.sum("age"))
    assert_same(total, flows["net_migration"].sum("age"), scale)
    by_cohort = mp.net_migration_vital(start, end, births, deaths)
    assert_same(by_cohort, joined_cohorts(flows["net_migration"], timing), scale)


# --- estimate and projection are inverses -------------------------------------------------------

MATCHING = {"end": "end", "forward": "end", "even": "even", "midpoint": "midpoint"}


@pytest.mark.parametrize("method", MATCHING)
@FIXED
@given(data=st.data())
def test_projecting_the_estimate_gives_the_second_round(method, data):
    inputs = data.draw(projections(periods=1))
    start = inputs["population"].assign_coords(time=2000.0)
    end = aged(data.draw(numbers(2, 5, low=1e3, high=1e6)), AGES, "sex", sex=SEXES)
    end = end.assign_coords(time=2005.0)
    survival, fertility = (inputs[k].isel(period=0, drop=True) for k in ("survival", "fertility"))
    births = mp.births_from_rates(fertility, start, end, 1.05, interval=5)
    estimate = mp.net_migration(start, end, survival, method=method, births=births)
    again = mp.project_population(
        start,
        survival,
        fertility,
        1.05,
        estimate["net_migration"].drop_vars("period"),
        timing=MATCHING[method],
    )
    scale = max(float(start.max()), float(end.max()), float(births.sum()))
    assert_same(again["population"].sel(time=2005.0), end, scale)
    assert_same(
        again["births"].sum("mother_age").isel(period=0),
        births.drop_vars("age_width", errors="ignore"),
        scale,
    )


@pytest.mark.parametrize("timing", TIMINGS)
@FIXED
@given(inputs=projections(periods=1))
def test_estimating_from_a_projection_gives_its_migration(timing, inputs):
    result = mp.project_population(**inputs, timing=timing)
    start, end = (result["population"].isel(time=k) for k in range(2))
    births = result["births"].isel(period=0, drop=True).sum("mother_age")
    survival = inputs["survival"].isel(period=0, drop=True)
    estimate = mp.net_migration(start, end, survival, method=timing, births=births)
    scale = max(float(start.max()), float(end.max()), float(births.sum()))
    assert_same(estimate["net_migration"], result["net_migration"].isel(period=0), scale)


@FEW
@given(data=st.data())
def test_how_the_methods_relate(data):
    start, end = (aged(data.draw(numbers(5, low=1, high=1e6)), AGES) for _ in range(2))
    survival = aged(data.draw(numbers(5, low=0.3, high=1)), AGES)
    births = xr.DataArray(data.draw(st.floats(1, 1e6)))

    def net(method, factor=1):
        arrays = (start * factor, end * factor, survival)
        return mp.net_migration(*arrays, method=method, births=births * factor, interval=5)[
            "net_migration"
        ].values

    scale = max(float(start.max()), float(end.max()), float(births)) / 0.3
    assert_same(net("average"), (net("forward") + net("reverse")) / 2, scale)
    assert_same(net("forward"), survival.values * net("reverse"), scale)
    # Midpoint is the geometric mean of the two, with their sign
    assert_same(net("midpoint"), net("forward") / np.sqrt(survival.values), scale)
    assert_same(net("midpoint"), net("reverse") * np.sqrt(survival.values), scale)
    for method in METHODS:
        np.testing.assert_array_equal(net(method, 4), 4 * net(method))


# --- age groups ---------------------------------------------------------------------------------


@FIXED
@given(
    counts=hnp.arrays(np.int64, (2, 8), elements=st.integers(0, 2**48)),
    inner=st.sets(st.sampled_from([1, 5, 10, 15, 20, 30, 40])),
)
def test_regrouping_keeps_totals(counts, inner):
    # Whole numbers below 2**53 add up without rounding: the totals are equal, bit for bit.
    array = aged(counts.astype(float), [0, 1, 5, 10, 15, 20, 30, 40], "country")
    wide = mp.regroup_ages(array, [0, *sorted(inner)])
    assert wide["age"].values.tolist() == [0, *sorted(inner)]
    xr.testing.assert_equal(wide.sum("age"), array.sum("age"))
    for low in inner:
        above = (grouped.where(grouped["age"] >= low, 0).sum("age") for grouped in (wide, array))
        xr.testing.assert_equal(*above)


# --- labels only label --------------------------------------------------------------------------


class Case(NamedTuple):
    """A public function: inputs for some countries, and the call."""

    make: Callable[[np.random.Generator, list[str]], dict[str, xr.DataArray]]
    call: Callable[..., Any]


FERTILE = [10, 15]
LONG = list(range(0, 55, 5))


def drawn(rng, low, high, lower=None, **coords):
    """A random array with the dims of `coords`, then age if `lower` is given."""
    shape = [len(labels) for labels in coords.values()]
    if lower is None:
        return xr.DataArray(rng.uniform(low, high, shape), dims=tuple(coords), coords=coords)
    return aged(rng.uniform(low, high, (*shape, len(lower))), lower, *coords, **coords)


def rounds(rng, countries, lower=AGES, births=True):
    by = {"country": countries, "sex": SEXES}
    arrays = {
        "start": drawn(rng, 1e3, 1e5, lower, **by),
        "end": drawn(rng, 1e3, 1e5, lower, **by),
        "survival": drawn(rng, 0.4, 1, lower, **by),
    }
    return arrays | ({"births": drawn(rng, 1e3, 1e5, **by)} if births else {})


def tables_and_rounds(rng, countries):
    """Rounds on five-year groups and death rates of a life table."""
    inputs = rounds(rng, countries)
    by = {"country": countries, "sex": SEXES}
    ages = [0, 1, 5, 10, 15, 20, 25, 30]
    inputs["mx"] = drawn(rng, 1e-3, 0.1, ages, **by)
    del inputs["survival"]
    return inputs


def rounds_and_methods(rng, countries):
    chosen = rng.choice(METHODS, len(countries))
    methods = xr.DataArray(chosen, dims="country", coords={"country": countries})
    return rounds(rng, countries) | {"method": methods}


def vital(rng, countries):
    arrays = rounds(rng, countries)
    arrays["deaths"] = arrays.pop("survival") * 100
    return arrays


def fertile_women(rng, countries):
    by = {"country": countries}
    return {
        "fertility": drawn(rng, 0.01, 0.3, [20, 25, 30], **by).drop_vars("age_width"),
        "women_start": drawn(rng, 1e3, 1e5, LONG, **by),
        "women_end": drawn(rng, 1e3, 1e5, LONG, **by),
        "sex_ratio_at_birth": drawn(rng, 1, 1.1, **by),
        "survival": drawn(rng, 0.5, 1, LONG, **by),
    }


def population(rng, countries):
    by = {"country": countries, "sex": SEXES}
    flows = {"country": countries, "period": PERIODS, "sex": SEXES}
    rates = {"country": countries, "period": PERIODS}
    return {
        "population": drawn(rng, 1e4, 1e5, AGES, **by),
        "survival": drawn(rng, 0.6, 1, AGES, **flows),
        "fertility": drawn(rng, 0.05, 0.3, FERTILE, **rates).drop_vars("age_width"),
        "sex_ratio_at_birth": drawn(rng, 1, 1.1, country=countries),
        "migration": drawn(rng, 0, 1e3, AGES, **by),
        "separation": drawn(rng, 0, 1, AGES, country=countries, sex=SEXES).isel(age=slice(-1)),
        "emigration": drawn(rng, 0, 0.05, AGES, country=countries, period=PERIODS),
    }


def by_rates(rng, countries):
    rates = {"country": countries, "sex": SEXES}
    inputs = population(rng, countries) | {"migration_rate": drawn(rng, 0, 0.02, AGES, **rates)}
    del inputs["migration"]
    return inputs


def by_flows(rng, countries):
    """Totals that become a difference of two flows: its inputs as arrays of their own."""
    by = {"country": countries, "period": PERIODS}
    inputs = population(rng, countries)
    del inputs["emigration"]
    return inputs | {
        "migration": drawn(rng, 0, 4e3, None, **by),
        "inflow": drawn(rng, 0.1, 1, AGES, country=countries, sex=SEXES),
        "outflow": drawn(rng, 0.1, 1, AGES, country=countries, sex=SEXES),
        "intercept": drawn(rng, 0.0, 0.01, None, **by),
        "slope_gain": drawn(rng, 0.2, 0.9, None, country=countries),
    }


def project_by_flows(inflow, outflow, intercept, slope_gain, **inputs):
    rule = mp.flow_difference(
        inflow / inflow.sum("age", skipna=False),
        outflow,
        intercept=intercept,
        slope_gain=slope_gain,
        slope_loss=0.2,
    )
    return mp.project_population(**inputs, migration_schedule=rule)


def by_profile(rng, countries):
    """Totals that scale the gains of a profile of gains and losses."""
    inputs = by_flows(rng, countries)
    for name in ("inflow", "outflow", "intercept", "slope_gain"):
        del inputs[name]
    profile = drawn(rng, -50, 100, AGES, country=countries, sex=SEXES)
    return inputs | {"migration_schedule": profile}


def known_population(rng, countries):
    by = {"country": countries, "time": [2000.0, 2005.0, 2010.0], "sex": SEXES}
    return population(rng, countries) | {"population": drawn(rng, 1e4, 1e5, AGES, **by)}


def stocks(rng, countries):
    by = {"country": countries, "birthplace": ["BOL", "PRY"], "sex": SEXES}
    flows = {"country": countries, "period": PERIODS, "birthplace": ["BOL", "PRY"], "sex": SEXES}
    return {
        "stock": drawn(rng, 1e3, 1e5, AGES, **by),
        "survival": drawn(rng, 0.6, 1, AGES, country=countries, sex=SEXES),
        "arrivals": drawn(rng, 0, 1e3, AGES, **flows),
        "emigration": drawn(rng, 0, 0.05, AGES, country=countries),
    }


def stocks_by_duration(rng, countries):
    inputs = stocks(rng, countries)
    spread = drawn(rng, 0.2, 1, duration=[0.0, 5.0, 10.0])
    return inputs | {name: inputs[name] * spread for name in ("stock", "emigration")}


def women(rng, countries):
    by = {"country": countries}
    return {
        "survival": drawn(rng, 0.75, 0.85, AGES, **by, sex=SEXES),
        "fertility": drawn(rng, 0.5, 0.9, FERTILE, **by).drop_vars("age_width"),
        "sex_ratio_at_birth": drawn(rng, 1, 1.1, **by),
    }


CASES = {
    "regroup_ages": Case(
        lambda rng, countries: {"array": drawn(rng, 0, 1e5, AGES, country=countries, sex=SEXES)},
        lambda array: mp.regroup_ages(array, [0, 5, 15]),
    ),
    "regroup_schedule": Case(
        lambda rng, countries: {
            "schedule": drawn(rng, 0, 0.1, AGES, country=countries, sex=SEXES),
            "exposure": drawn(rng, 1, 1e5, AGES, country=countries, sex=SEXES),
        },
        lambda schedule, exposure: mp.regroup_schedule(schedule, [0, 5, 15], exposure=exposure),
    ),
    "life_table": Case(
        lambda rng, countries: {
            "mx": drawn(rng, 1e-3, 0.1, [0, 1, 5, 10, 15, 20, 25], country=countries, sex=SEXES)
        },
        mp.life_table,
    ),
    "life_table of infant mortality": Case(
        lambda rng, countries: {
            "mx": drawn(rng, 1e-3, 0.1, [0, 1, 5, 10, 15, 20, 25], country=countries, sex=SEXES),
            "q0": drawn(rng, 1e-3, 0.2, [0], country=countries).isel(age=0, drop=True),
        },
        lambda mx, q0: mp.life_table(mx, q0=q0, ax="un", family="north"),
    ),
    "death_rates": Case(
        lambda rng, countries: {
            "qx": drawn(rng, 1e-3, 0.3, [0, 1, 5, 10, 15, 20, 25], country=countries, sex=SEXES)
        },
        lambda qx: mp.death_rates(qx=qx, family="west"),
    ),
    "close_life_table": Case(
        lambda rng, countries: {
            "mx": drawn(rng, 1e-3, 0.1, [0, 1, 5, 10, 15, 20, 25], country=countries, sex=SEXES)
        },
        lambda mx: mp.close_life_table(mp.life_table(mx), 15),
    ),
    "single_year_life_table": Case(
        lambda rng, countries: {
            "mx": drawn(rng, 1e-3, 0.1, [0, 1, 5, 10, 15, 20, 25], country=countries, sex=SEXES)
        },
        lambda mx: mp.single_year_life_table(mp.life_table(mx)),
    ),
    "extend_mortality": Case(
        lambda rng, countries: {
            "mx": drawn(rng, 0.9, 1.1, range(60, 105, 5), country=countries, sex=SEXES)
            * np.exp(0.09 * np.arange(0, 45, 5))
            * 0.01
        },
        lambda mx: mp.extend_mortality(mx, law="makeham"),
    ),
    "scale_mortality": Case(
        lambda rng, countries: {
            "mx": drawn(rng, 0.01, 0.05, [0, 1, 5, 10, 15], country=countries, sex=SEXES),
            "e0": drawn(rng, 15.0, 40.0, [0], country=countries).isel(age=0, drop=True),
        },
        mp.scale_mortality,
    ),
    "survival_ratios": Case(
        lambda rng, countries: {
            "mx": drawn(rng, 1e-3, 0.1, [0, 1, 5, 10, 15], country=countries, sex=SEXES)
        },
        lambda mx: mp.survival_ratios(mp.life_table(mx), ages=range(0, 15, 3)),
    ),
    "separation_factors": Case(
        lambda rng, countries: {
            "mx": drawn(rng, 1e-3, 0.1, [0, 1, 5, 10, 15], country=countries, sex=SEXES)
        },
        lambda mx: mp.separation_factors(mp.life_table(mx)),
    ),
    "census_survival_ratios": Case(
        lambda rng, countries: {
            "start": drawn(rng, 1e4, 1e5, AGES, country=countries, sex=SEXES),
            "end": drawn(rng, 1e3, 1e4, AGES, country=countries, sex=SEXES),
        },
        lambda start, end: mp.census_survival_ratios(start, end, interval=5),
    ),
    "net_migration": Case(
        rounds_and_methods,
        lambda start, end, survival, births, method: mp.net_migration(
            start, end, survival, births=births, method=method, interval=5
        ),
    ),
    "rounds 7 years apart": Case(
        tables_and_rounds,
        lambda start, end, mx, births: mp.net_migration(
            start, end, mp.life_table(mx), births=births, method="midpoint", interval=7
        ),
    ),
    "child-woman": Case(
        lambda rng, countries: rounds(rng, countries, LONG, births=False),
        lambda start, end, survival: mp.net_migration(
            start, end, survival, method="forward", children="child-woman", interval=5
        ),
    ),
    "net_migration_vital": Case(
        vital, lambda **inputs: mp.net_migration_vital(**inputs, interval=5)
    ),
    "births_from_rates": Case(
        fertile_women, lambda **inputs: mp.births_from_rates(**inputs, interval=10)
    ),
    "project_population": Case(population, mp.project_population),
    "migration by rates": Case(by_rates, mp.project_population),
    "migration by flows": Case(by_flows, project_by_flows),
    "migration by profile": Case(
        by_profile, lambda **inputs: mp.project_population(**inputs, schedule_scaling="one-sided")
    ),
    "vital_events": Case(known_population, mp.vital_events),
    "leslie_matrix": Case(women, mp.leslie_matrix),
    "stable_population": Case(women, mp.stable_population),
    "project_stocks": Case(stocks, mp.project_stocks),
    "stocks by duration": Case(stocks_by_duration, mp.project_stocks),
}

#: What is warned of when all of an input is missing in one country
WARNINGS = {
    ("net_migration", "births"): "births missing in .*country=C001",
    ("rounds 7 years apart", "births"): "births missing in .*country=C001",
    ("net_migration", "survival"): "survival of those born in the interval missing",
    ("net_migration_vital", "births"): "births missing in .*country=C001",
}

each_function = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
seeds = st.integers(0, 2**32 - 1)


def countries(n):
    return [f"C{k:03d}" for k in range(n)]


def by_country(inputs, change):
    """The inputs with `change` made to those that have countries."""
    return {
        name: change(array) if "country" in array.dims else array for name, array in inputs.items()
    }


def in_one_order(result):
    """A result with its dims in alphabetical order, for comparison."""
    return result.transpose(*sorted(result.dims, key=str))


# What labels that only label mean, by `same`, which compares two results.


def permutes(case, seed, order, same):
    """Countries in another order give results in that order."""
    inputs = case.make(np.random.default_rng(seed), countries(len(order)))
    permuted = case.call(**by_country(inputs, lambda array: array.isel(country=order)))
    same(permuted, case.call(**inputs).isel(country=order))


def takes_dims_in_any_order(case, seed, same):
    rng = np.random.default_rng(seed)
    inputs = case.make(rng, countries(3))
    shuffled = {
        name: array.transpose(*rng.permutation(array.dims)) for name, array in inputs.items()
    }
    same(in_one_order(case.call(**shuffled)), in_one_order(case.call(**inputs)))


def keeps_missing_values_apart(case, seed, same, warned=lambda name: None):
    """A missing value stays in its country, and is missing there; `warned` is what is said."""
    inputs = case.make(np.random.default_rng(seed), countries(3))
    whole = case.call(**inputs)
    for name, array in inputs.items():
        if array.dtype != float:
            continue
        holed = array.copy()
        holed[{"country": 1}] = np.nan
        text = warned(name)
        with pytest.warns(mp.DataQualityWarning, match=text) if text else nullcontext():
            result = case.call(**(inputs | {name: holed}))
        same(result.isel(country=[0, 2]), whole.isel(country=[0, 2]))
        missing = result.isel(country=1).isnull()
        missing = missing.to_array() if isinstance(missing, xr.Dataset) else missing
        assert missing.any(), name


def leaves_inputs(case, seed):
    """Inputs are left as they were."""
    inputs = case.make(np.random.default_rng(seed), countries(3))
    before = {name: array.copy(deep=True) for name, array in inputs.items()}
    case.call(**inputs)
    for name, array in inputs.items():
        xr.testing.assert_identical(array, before[name])


@pytest.mark.parametrize("timing", TIMINGS)
@pytest.mark.parametrize("form", ["project_population", *(n for n in CASES if "migration by" in n)])
@FIXED
@given(seed=seeds, lazy=st.booleans())
def test_a_projection_balances_with_any_dims_in_any_order_and_chunks(form, timing, seed, lazy):
    """Some inputs are by country and some for all; each has its dims in an order of its own."""
    case, rng = CASES[form], np.random.default_rng(seed)
    inputs = case.make(rng, countries(3))
    for name, array in inputs.items():
        if (
            name not in ("population", "migration")
            and "country" in array.dims
            and rng.random() < 0.5
        ):
            array = array.isel(country=0, drop=True)
        array = array.transpose(*rng.permutation(array.dims))
        if lazy and "country" in array.dims:
            array = array.chunk(country=int(rng.integers(1, 4)))
        inputs[name] = array
    result = case.call(**inputs, timing=timing).compute()
    ratio = inputs["sex_ratio_at_birth"].compute()
    for k in range(3):
        one = result.isel(country=k)
        own = ratio.isel(country=k) if "country" in ratio.dims else ratio
        assert_population_balances(one, timing, float(own))


@each_function
@FEW
@given(seed=seeds, order=st.permutations(range(4)))
def test_countries_in_another_order_give_results_in_that_order(case, seed, order):
    permutes(case, seed, order, xr.testing.assert_identical)


@each_function
@FEW
@given(seed=seeds)
def test_a_batch_is_a_loop_over_its_countries(case, seed):
    inputs = case.make(np.random.default_rng(seed), countries(3))
    together = case.call(**inputs)
    for k in range(3):
        part = case.call(**by_country(inputs, lambda array, k=k: array.isel(country=[k])))
        xr.testing.assert_identical(part, together.isel(country=[k]))
        alone = case.call(**by_country(inputs, lambda array, k=k: array.isel(country=k)))
        xr.testing.assert_identical(alone, together.isel(country=k))


def test_periods_of_rounds_are_a_batch_too():
    made = rounds(np.random.default_rng(8), PERIODS)
    along = {name: array.rename(country="period") for name, array in made.items()}
    call = CASES["net_migration"].call
    result = call(**along, method="average")
    np.testing.assert_array_equal(result["period"], PERIODS)
    for k in range(2):
        part = {name: array.isel(period=k, drop=True) for name, array in along.items()}
        alone = call(**part, method="average")
        xr.testing.assert_identical(alone, result.isel(period=k, drop=True))


@each_function
@FEW
@given(seed=seeds)
def test_dims_in_any_order_give_the_same_result(case, seed):
    takes_dims_in_any_order(case, seed, xr.testing.assert_identical)


@each_function
@FEW
@given(seed=seeds, size=st.integers(1, 3))
def test_chunks_of_countries_give_the_same_result(case, seed, size):
    inputs = case.make(np.random.default_rng(seed), countries(4))
    lazy = case.call(
        **by_country(
            inputs, lambda array: array.chunk(country=size) if array.dtype == float else array
        )
    )
    assert lazy.chunks
    xr.testing.assert_identical(lazy.compute(), case.call(**inputs))


@pytest.mark.parametrize("function", CASES)
@FEW
@given(seed=seeds)
def test_a_missing_value_stays_in_its_country(function, seed):
    keeps_missing_values_apart(
        CASES[function],
        seed,
        xr.testing.assert_identical,
        warned=lambda name: WARNINGS.get((function, name)),
    )


@each_function
@FEW
@given(seed=seeds)
def test_inputs_are_left_as_they_were(case, seed):
    leaves_inputs(case, seed)


@each_function
def test_two_threads_give_what_one_gives(case, monkeypatch):
    inputs = case.make(np.random.default_rng(5), countries(201))
    monkeypatch.setenv("MIGPROJ_NUM_THREADS", "1")
    alone = case.call(**inputs)
    pool, used = _jit._shared_pool, []
    monkeypatch.setattr(_jit, "_shared_pool", lambda: used.append(1) or pool())
    monkeypatch.setenv("MIGPROJ_NUM_THREADS", "2")
    xr.testing.assert_identical(case.call(**inputs), alone)
    assert used, "the batch was not split"
