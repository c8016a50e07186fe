"""Migrants of a projection given as rates, profiles and differences of flows."""

import numpy as np
import pytest
import xarray as xr

import migproj as mp
from kernels import reference

AGES = mp.age_coords(range(0, 70, 5))
FERTILE = np.arange(15, 50, 5)
SEXES = ["male", "female"]
COUNTRIES = ["ARG", "BOL", "CHL"]
PERIODS = 2000.0 + 5 * np.arange(4)
WIDTH = 5.0
FLOWS = ("country", "period", "sex", "age")
TIMINGS = ["end", "even", "midpoint"]


def says(error, *parts):
    return pytest.raises(error, match="(?s)" + ".*".join(parts))


def array(rng, low, high, *dims, **coords):
    coords = {"country": COUNTRIES, "period": PERIODS, "sex": SEXES, **coords}
    ages = {"age": coords["age"]} if "age" in coords else AGES
    own = {**{d: coords[d] for d in dims if d != "age"}, **(ages if "age" in dims else {})}
    return xr.DataArray(rng.uniform(low, high, [len(own[d]) for d in dims]), dims=dims, coords=own)


@pytest.fixture
def inputs():
    rng = np.random.default_rng(21)
    return {
        "population": array(rng, 4e5, 1e6, "country", "sex", "age").assign_coords(time=2000),
        "survival": array(rng, 0.7, 1, *FLOWS),
        "fertility": array(rng, 0.02, 0.2, "country", "period", "age", age=FERTILE),
        "sex_ratio_at_birth": array(rng, 1.0, 1.1, "country", "period"),
    }


@pytest.fixture
def rng():
    return np.random.default_rng(22)


def shares(rng, *over, low=0.1):
    weights = array(rng, low, 1, *FLOWS)
    return weights / weights.sum(over)


def rule_of(rng, **options):
    """A flow difference whose parameters differ by country and period."""
    own = ("country", "period")
    return mp.flow_difference(
        shares(rng, "age"),
        shares(rng, "age"),
        intercept=array(rng, 0.005, 0.03, *own),
        slope_gain=array(rng, 0.4, 0.9, *own),
        slope_loss=array(rng, 0.1, 0.4, *own),
        minimum=array(rng, 0.0, 0.002, *own),
        female_gain=array(rng, 0.4, 0.6, *own),
        female_loss=array(rng, 0.3, 0.7, *own),
        **options,
    )


def stayers_of(inputs, state):
    """The population one step on had nobody come, by sex: plain arrays of one country."""
    rates = np.zeros(len(AGES["age"]))
    rates[FERTILE // 5] = inputs["fertility"].values
    P0, S = (
        {sex: array.sel(sex=sex).values for sex in SEXES} for array in (state, inputs["survival"])
    )
    return reference.stayers(P0, S, rates, float(inputs["sex_ratio_at_birth"]), WIDTH)


def by_cell(N, total, now):
    return {sex: WIDTH * total.sel(sex=sex).values * N[sex] for sex in SEXES}


def total_of(N, now, part):
    """Totals as they are, or from rates of the people there."""
    if "migration_rate" in now:
        people = sum(N[sex].sum() for sex in part)
        return WIDTH * people * now["migration_rate"]
    return now["migration"]


def one_total(total, sex=None):
    return float(total.sel(sex=sex) if sex and "sex" in total.dims else total)


def shared(N, now):
    """A total (or each sex's) times a schedule, or a profile with one side scaled to it."""
    schedule = now["migration_schedule"].transpose("sex", "age")
    given = now.get("migration_rate", now.get("migration"))
    parts = [[sex] for sex in SEXES] if "sex" in given.dims else [SEXES]
    M = {}
    for part in parts:
        total = one_total(total_of(N, now, part), part[0])
        profile = schedule.sel(sex=part).values
        scaled = now.get("schedule_scaling") == "one-sided"
        cells = reference.one_sided(total, profile) if scaled else total * profile
        M |= dict(zip(part, cells, strict=True))
    return M


def differing(N, now):
    rule = now["migration_schedule"]
    given = now.get("migration_rate", now.get("migration"))
    numbers = [float(rule[name]) for name in ("intercept", "slope_gain", "slope_loss", "minimum")]
    M = {}
    for sex in SEXES:
        if "sex" in given.dims:
            total = one_total(total_of(N, now, [sex]), sex)
        else:
            both = one_total(total_of(N, now, SEXES))
            women = float(rule["female_gain"] if both >= 0 else rule["female_loss"])
            total = both * (women if sex == "female" else 1 - women)
        weights = rule["outflow"].sel(sex=sex).values
        if rule["weighted"]:
            weights = weights * N[sex]
        inflow = rule["inflow"].sel(sex=sex).values
        M[sex] = reference.flow_difference(total, inflow, weights, N[sex].sum(), numbers, WIDTH)
    return M


def totals(rng, *dims):
    return array(rng, -4e4, 4e4, *dims)


def rates(rng, *dims):
    return array(rng, -0.004, 0.004, *dims)


CP = ("country", "period")
CPS = (*CP, "sex")


def profile(rng, *over):
    """Net migrants by sex and age, with gains and losses."""
    return array(rng, -900, 1200, *FLOWS)


FORMS = {
    "rates by age": (lambda rng: {"migration_rate": rates(rng, *FLOWS)}, None),
    "rates and shares": (
        lambda rng: {
            "migration_rate": rates(rng, *CP),
            "migration_schedule": shares(rng, "sex", "age", low=-0.1),
        },
        shared,
    ),
    "rates by sex and shares": (
        lambda rng: {
            "migration_rate": rates(rng, *CPS),
            "migration_schedule": shares(rng, "age", low=-0.1),
        },
        shared,
    ),
    "totals and profile": (
        lambda rng: {
            "migration": totals(rng, *CP),
            "migration_schedule": profile(rng),
            "schedule_scaling": "one-sided",
        },
        shared,
    ),
    "totals by sex and profile": (
        lambda rng: {
            "migration": totals(rng, *CPS),
            "migration_schedule": profile(rng),
            "schedule_scaling": "one-sided",
        },
        shared,
    ),
    "rates and profile": (
        lambda rng: {
            "migration_rate": rates(rng, *CP),
            "migration_schedule": profile(rng),
            "schedule_scaling": "one-sided",
        },
        shared,
    ),
    "totals and flows": (
        lambda rng: {"migration": totals(rng, *CP), "migration_schedule": rule_of(rng)},
        differing,
    ),
    "totals by sex and flows": (
        lambda rng: {
            "migration": totals(rng, *CPS),
            "migration_schedule": rule_of(rng, weighted=False),
        },
        differing,
    ),
    "rates and flows": (
        lambda rng: {
            "migration_rate": array(rng, -0.01, 0.01, *CP),
            "migration_schedule": rule_of(rng, weighted=False),
        },
        differing,
    ),
    "rates by sex and flows": (
        lambda rng: {
            "migration_rate": array(rng, -0.01, 0.01, *CPS),
            "migration_schedule": rule_of(rng),
        },
        differing,
    ),
}


@pytest.mark.parametrize("timing", TIMINGS)
@pytest.mark.parametrize("form", FORMS)
def test_migrants_are_those_of_the_formula(inputs, rng, form, timing):
    make, rule = FORMS[form]
    given = make(rng)
    result = mp.project_population(**inputs, **given, timing=timing)
    for country in COUNTRIES:
        for p, period in enumerate(PERIODS):
            here = {"country": country}
            when = here | {"period": period}
            now = {
                name: value if isinstance(value, str) else value.sel(when)
                for name, value in given.items()
            }
            of_step = {
                name: value.sel(when) for name, value in inputs.items() if "period" in value.dims
            }
            state = result["population"].sel(here).isel(time=p)
            N = stayers_of(of_step, state)
            M = rule(N, now) if rule else by_cell(N, now["migration_rate"], now)
            want = np.stack([M[sex] for sex in SEXES])
            got = result["net_migration"].sel(when).transpose("sex", "age").values
            np.testing.assert_allclose(got, want, rtol=1e-11, atol=1e-9)
    # and with them the projection is that of the counts
    again = mp.project_population(**inputs, migration=result["net_migration"], timing=timing)
    xr.testing.assert_allclose(again, result, rtol=1e-13, atol=1e-9)


@pytest.mark.parametrize("form", [name for name in FORMS if "totals" in name])
def test_migrants_sum_to_the_total_given(inputs, rng, form):
    given = FORMS[form][0](rng)
    result = mp.project_population(**inputs, **given)["net_migration"]
    total = given["migration"]
    over = [dim for dim in ("sex", "age") if dim not in total.dims]
    np.testing.assert_allclose(
        result.sum(over).transpose(*total.dims), total, rtol=1e-12, atol=1e-8
    )


def test_a_minimum_that_binds(inputs, rng):
    """With a slope of nothing and no turnover but the least, nobody leaves beyond it."""
    inflow, outflow = shares(rng, "age"), shares(rng, "age")
    rule = mp.flow_difference(
        inflow, outflow, intercept=0, slope_gain=0, slope_loss=0, minimum=0.0, weighted=False
    )
    gained = abs(totals(rng, *CPS)) + 1
    for total, shape in ((gained, inflow), (-gained, outflow)):
        result = mp.project_population(**inputs, migration=total, migration_schedule=rule)
        want = (total * shape).transpose(*result["net_migration"].dims)
        np.testing.assert_allclose(result["net_migration"], want, rtol=1e-12)


def test_rates_beside_emigration_are_of_those_who_stay(inputs, rng):
    hazard, rate = array(rng, 0.0, 0.05, "sex", "age"), abs(rates(rng, *FLOWS))
    result = mp.project_population(**inputs, migration_rate=rate, emigration=hazard, timing="end")
    for p in range(len(PERIODS)):
        of_step = {
            name: value.isel(period=[p]) if "period" in value.dims else value
            for name, value in inputs.items()
        }
        of_step["population"] = result["population"].isel(time=p)
        nobody = mp.project_population(**of_step, emigration=hazard)["population"].isel(time=1)
        want = WIDTH * rate.isel(period=p) * nobody
        got = result["net_migration"].isel(period=p)
        np.testing.assert_allclose(got, want.transpose(*got.dims), rtol=1e-12)
    total = result.sum(["sex", "age", "mother_age"])
    change = total["population"].diff("time").values
    flows = total["births"] - total["deaths_cohort"] + total["net_migration"] - total["emigrants"]
    np.testing.assert_allclose(change, flows.values, rtol=1e-11, atol=1e-7)


@pytest.mark.parametrize("timing", TIMINGS)
def test_rates_limited_to_the_people_there(inputs, rng, timing):
    rate = array(rng, -0.3, 0.02, *FLOWS)
    result = mp.project_population(
        **inputs, migration_rate=rate, timing=timing, on_negative="limit"
    )
    assert (result["population"] >= 0).all()
    applied, unapplied = result["net_migration"], result["net_migration_unapplied"]
    assert (unapplied < 0).any()
    assert (unapplied <= 0).all()
    again = mp.project_population(**inputs, migration=applied, timing=timing, on_negative="limit")
    xr.testing.assert_allclose(again["population"], result["population"], rtol=1e-11, atol=1e-6)


def test_age_groups_without_migrants(inputs, rng):
    counts = array(rng, -500, 900, *FLOWS)
    for kept in ([0, 5, 10], [50, 55, 60, 65], [20]):
        some = counts.sel(age=kept)
        with says(mp.AlignmentError, "migration: dim 'age': expected the 14 groups", "with zeros"):
            mp.project_population(**inputs, migration=some)
        result = mp.project_population(**inputs, migration=some, missing_migration="zero")
        want = mp.project_population(
            **inputs, migration=counts.where(counts["age"].isin(kept), 0.0)
        )
        xr.testing.assert_identical(result, want)
    with says(mp.SchemaError, "leaves a gap"):
        gap = counts.sel(age=[0, 10])
        mp.project_population(**inputs, migration=gap, missing_migration="zero")
    # Other groups than the population's are never taken for some of them.
    ten = mp.regroup_ages(counts, range(0, 70, 10))
    with says(mp.SchemaError, "migration: dim 'age': expected some of the groups 0-4, 5-9", "got"):
        mp.project_population(**inputs, migration=ten, missing_migration="zero")
    closed = counts.isel(age=slice(0, 3)).assign_coords(age_width=("age", [5.0, 5.0, np.inf]))
    with says(mp.SchemaError, "other bounds or widths", "10"):
        mp.project_population(**inputs, migration=closed, missing_migration="zero")


@pytest.mark.parametrize("wide", [None, [0, 15, 40]])
def test_exposure_is_the_mean_population_for_the_length_of_the_step(inputs, rng, wide):
    rate = rates(rng, *FLOWS)
    full = mp.project_population(**inputs, migration_rate=rate)
    assert "exposure" not in full
    result = mp.project_population(
        **inputs, migration_rate=rate, keep=["exposure"], age_groups=wide
    )
    people = full["population"]
    start, end = (people.isel(time=part).values for part in (slice(-1), slice(1, None)))
    want = full["net_migration"].copy(data=WIDTH * (start + end) / 2)
    if wide:
        want = mp.regroup_ages(want, wide)
    xr.testing.assert_allclose(result["exposure"], want.transpose(*result["exposure"].dims))
    assert result["exposure"].attrs["units"] == "person-years"
    known = mp.vital_events(people, *list(inputs.values())[1:], keep=["exposure"], age_groups=wide)
    xr.testing.assert_allclose(known["exposure"], want.transpose(*known["exposure"].dims))


# --- what is none


def test_forms_that_do_not_go_together(inputs, rng):
    counts, rate = array(rng, -500, 900, *FLOWS), rates(rng, *FLOWS)
    with says(mp.SchemaError, "migration_rate: given together with migration"):
        mp.project_population(**inputs, migration=counts, migration_rate=rate)
    with says(mp.SchemaError, "migration_rate: expected the dims 'sex' and 'age'", "schedule"):
        mp.project_population(**inputs, migration_rate=rate.isel(age=0, drop=True))
    with says(mp.SchemaError, "migration_schedule: given without migration"):
        mp.project_population(**inputs, migration_schedule=rule_of(rng))
    with says(mp.SchemaError, "schedule_scaling: 'one-sided' is for a schedule of net migration"):
        mp.project_population(
            **inputs,
            migration=totals(rng, *CP),
            migration_schedule=rule_of(rng),
            schedule_scaling="one-sided",
        )
    with says(mp.SchemaError, "schedule_scaling: expected one of", "'both'"):
        mp.project_population(**inputs, migration=counts, schedule_scaling="both")
    with says(mp.SchemaError, "missing_migration: expected one of", "'ignore'"):
        mp.project_population(**inputs, migration=counts, missing_migration="ignore")


def test_rates_that_are_none(inputs, rng):
    rate = rates(rng, *FLOWS)
    rate[1, 2, 0, 3] = 12.0
    with says(
        mp.SchemaError, "migration_rate: expected net migrants per person and year, got 12", "BOL"
    ):
        mp.project_population(**inputs, migration_rate=rate)
    rate[1, 2, 0, 3] = np.inf
    with says(mp.SchemaError, "migration_rate", "inf", "BOL"):
        mp.project_population(**inputs, migration_rate=rate)
    other = rates(rng, *FLOWS).assign_coords(country=["ARG", "BOL", "PER"])
    with says(mp.AlignmentError, "migration_rate", "country"):
        mp.project_population(**inputs, migration_rate=other)


def test_profiles_with_nobody_to_scale(inputs, rng):
    gains = abs(profile(rng))
    total = -abs(totals(rng, *CP)) - 1
    with says(mp.SchemaError, "migration_schedule: expected cells of the sign of migration", "ARG"):
        mp.project_population(
            **inputs, migration=total, migration_schedule=gains, schedule_scaling="one-sided"
        )


def test_flow_differences_that_are_none(rng):
    inflow, outflow = shares(rng, "age"), shares(rng, "age")
    numbers = {"intercept": 0.02, "slope_gain": 0.5, "slope_loss": 0.2}
    with says(mp.SchemaError, "inflow: expected shares that sum to 1 over age"):
        mp.flow_difference(2 * inflow, outflow, **numbers)
    with says(mp.SchemaError, "outflow: expected weights of those who leave", "not of the balance"):
        mp.flow_difference(inflow, -outflow, **numbers)
    with says(mp.AlignmentError, "outflow", "age"):
        mp.flow_difference(inflow, outflow.isel(age=slice(1, None)), **numbers)
    with says(mp.SchemaError, "weighted: expected True or False, got 1"):
        mp.flow_difference(inflow, outflow, **numbers, weighted=1)
    with says(mp.SchemaError, "female_gain: expected a share of women from 0 to 1, got 51"):
        mp.flow_difference(inflow, outflow, **numbers, female_gain=51)
    with says(mp.SchemaError, "slope_loss: expected numbers of 0 or more"):
        mp.flow_difference(inflow, outflow, **(numbers | {"slope_loss": -0.2}))
    with says(mp.SchemaError, "inflow", "sex"):
        mp.flow_difference(inflow.isel(sex=0, drop=True), outflow, **numbers)
    rule = mp.flow_difference(inflow, outflow, **numbers).drop_vars("minimum")
    with says(mp.SchemaError, "migration_schedule", "minimum"):
        mp.project_population(
            array(rng, 1e4, 1e5, "country", "sex", "age"),
            array(rng, 0.7, 1, "sex", "age"),
            array(rng, 0.02, 0.2, "age", age=FERTILE),
            1.05,
            migration=totals(rng, "country"),
            migration_schedule=rule,
        )


# --- what is wrong in one country


def test_a_count_of_survival_above_one_on_lazy_input(inputs, rng):
    """Eager input is named in a warning too; of lazy input the count is all there is."""
    inputs["survival"][1, 2, 0, 3] = 1.01
    inputs["survival"][1, 3, 1, 0] = 1.2
    text = r"survival ratios above 1 in 2 cell\(s\): country=BOL, period=2010.0, sex=male, age=15"
    with pytest.warns(mp.DataQualityWarning, match=text):
        eager = mp.project_population(**inputs)
    assert eager["n_survival_above_one"].values.tolist() == [0, 2, 0]
    lazy = inputs | {"survival": inputs["survival"].chunk(country=1)}
    result = mp.project_population(**lazy)
    assert result["n_survival_above_one"].chunks
    xr.testing.assert_identical(result.compute(), eager)
    known = eager["population"]
    events = mp.vital_events(known, **{k: v for k, v in lazy.items() if k != "population"})
    assert events["n_survival_above_one"].values.tolist() == [0, 2, 0]


@pytest.mark.parametrize("form", FORMS)
def test_numbers_that_cannot_be_in_one_country_leave_the_others(inputs, rng, form):
    """Of lazy input nothing is refused; what is wrong stays where it is, and is counted."""
    given = FORMS[form][0](rng)
    clean = mp.project_population(**inputs, **given)
    survival = inputs["survival"].copy()
    survival[1, :, :, 2] = -3.0
    survival[1, :, :, 4] = 1.3
    lazy = inputs | {"survival": survival.chunk(country=3)}
    result = mp.project_population(**lazy, **given).compute()
    others = {"country": ["ARG", "CHL"]}
    xr.testing.assert_identical(result.sel(others), clean.sel(others))
    wrong = result.sel(country="BOL")
    assert wrong["n_negative"] > 0
    assert wrong["n_survival_above_one"] == 2 * len(PERIODS)
    with says(mp.SchemaError, "survival", "BOL"):
        mp.project_population(**(inputs | {"survival": survival}), **given)
