"""Cohort-component runs of other engines (reference folder ccm/)."""

import gzip
import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import migproj as mp

SEXES = ["female", "male"]


def by_sex(women, men, ages, dims=("sex", "age"), **coords):
    values = np.stack([women, men]).astype(float)
    return xr.DataArray(values, dims=dims, coords={"sex": SEXES, **ages, **coords})


def largest_error(ours, theirs):
    return np.abs(ours - theirs).max() / np.abs(theirs).max()


# --- Sweden 1993 (Preston, Heuveline & Guillot 2001, box 6.2), run through ccmppWPP


def projected_sweden(folder, timing):
    """Our projection, the table of theirs, and its columns by sex and age."""
    table = pd.read_csv(folder / "ccm/b_sweden/sweden_1993.csv")
    ages = mp.age_coords([int(age) for age in table["age"]])

    def column(name):
        return by_sex(table[name.format("f")], table[name.format("m")], ages)

    fertile = table[table["fert_rate_age_f"] > 0]
    fertility = xr.DataArray(
        fertile["fert_rate_age_f"].to_numpy(), dims="age", coords={"age": fertile["age"].to_numpy()}
    )
    result = mp.project_population(
        column("pop_count_age_{}_begin"),
        column("survival_ratio_age_{}"),
        fertility,
        1.05,
        column("mig_net_count_age_{}"),
        timing=timing,
        births_exposure="ccmpp",
    )
    return result, table, column


@pytest.mark.parametrize("timing", ["even", "end"])
def test_sweden_1993(reference, timing):
    result, table, column = projected_sweden(reference, timing)
    population = result["population"].isel(time=1).values
    theirs = column(f"run_{timing}_pop_count_age_{{}}_end").values
    assert largest_error(population, theirs) < 1e-11
    deaths = result["deaths_cohort"].isel(period=0).values
    theirs = column(f"run_{timing}_death_count_cohort_{{}}").values
    assert largest_error(deaths, theirs) < 1e-11
    births = result["births"].isel(period=0).sum("sex").values
    theirs = table.loc[table["fert_rate_age_f"] > 0, f"run_{timing}_birth_count_age_b"].to_numpy()
    assert largest_error(births, theirs) < 1e-11
    if timing == "even":  # the book's own figures, rounded to persons
        assert np.abs(population - column("pop_count_age_{}_end").values).max() <= 0.5


# --- bayesPop's C kernel on fully specified cases


def array(item):
    return np.array(item["data"], dtype=float).reshape(item["dim"], order="F")


def separation(Lx, lx, width):
    """Separation factors from Lx and lx of the population's groups (not from our own tables)."""
    closed = {"age": slice(None, -1)}
    after = Lx.shift(age=-1).isel(closed)
    after[{"age": -1}] = 0.0
    lived, survivors = Lx.isel(closed), width * lx.shift(age=-1).isel(closed)
    return (lived - survivors) / (lived - after)


class BayesPop:
    """One file of cases: the inputs they share as labelled arrays, and each case's own."""

    def __init__(self, path):
        content = json.loads(gzip.decompress(path.read_bytes()))
        common = {k: array(v) if isinstance(v, dict) else v for k, v in content["common"].items()}
        self.cases = content["cases"]
        self.width = 5 if common["abridged"] else 1
        self.ages = mp.age_coords(range(0, common["nages"] * self.width, self.width))
        self.period = 2000.0 + self.width * np.arange(common["npred"])
        self.population = by_sex(common["popf0"], common["popm0"], self.ages)
        self.survival = self.flows(common["srf"], common["srm"])
        first = common["fstart"] - 1
        self.fertility = xr.DataArray(
            common["asfr"] / self.width,  # five-year sums where abridged
            dims=("age", "period"),
            coords={
                "age": (first + np.arange(common["nfages"])) * self.width,
                "period": self.period,
            },
        )
        self.ratio = xr.DataArray(
            common["srb"].ravel(), dims="period", coords={"period": self.period}
        )

        Lx, lx = (self.of_life_table(common, name) for name in ("L", "lx"))
        self.separation = separation(Lx, lx, self.width)

    def of_life_table(self, common, name):
        """A column on the groups of the population (lx of abridged tables has 1 after 0)."""
        women, men = (np.asarray(common[f"{name}{sex}"]) for sex in "fm")
        if len(women) > len(self.ages["age"]):
            women, men = np.delete(women, 1, axis=0), np.delete(men, 1, axis=0)
        return self.flows(women, men)

    def flows(self, women, men):
        dims = ("sex", "age", "period")
        ages = self.ages
        if len(women) < len(ages["age"]):  # migrants of the youngest groups only
            ages = mp.age_coords(ages["age"].values[: len(women)], open_ended=False)
        return by_sex(women, men, ages, dims, period=self.period)

    def case(self, name):
        case = self.cases[name]
        outputs = {key: array(value) for key, value in case["outputs"].items()}
        migration = self.flows(array(case["inputs"]["migf"]), array(case["inputs"]["migm"]))
        timing = {0: "even", 9: "end"}[case["inputs"]["migtype"]]
        return migration, timing, outputs

    def step(self, population, p, **migration):
        """One period from a population given."""
        start = self.population.copy(data=population)
        rates = (array.isel(period=[p]) for array in (self.survival, self.fertility, self.ratio))
        factors = self.separation.isel(period=[p])
        exposed = {"births_exposure": "ccmpp", "separation": factors}
        return mp.project_population(start, *rates, **exposed, **migration)

    def migrants(self, inputs, p, population):
        """What bayesPop is given of the migrants of one period, as we take it, but for code 3."""
        code = int(array(inputs["migratecode"])[p])
        cells = self.flows(array(inputs["migf"]), array(inputs["migm"])).isel(period=[p])
        rate_f, rate_m = (float(array(inputs[f"migrate{sex}"])[p]) for sex in "fm")
        by_rate = {"migration_rate": xr.DataArray(rate_f / self.width)}
        if code == 0:
            return {"migration": cells, "missing_migration": "zero"}
        if code == 1 and rate_f != rate_m:  # of both sexes' totals each has its part
            stayers = self.step(population, p, timing="end")["population"].isel(time=1)
            total = stayers.sum("age") @ xr.DataArray([rate_f, rate_m], dims="sex")
            return {"migration": total.drop_vars("time"), "migration_schedule": cells}
        assert rate_f == rate_m
        if code == 1:
            return by_rate | {"migration_schedule": cells}
        if code == 2:
            return by_rate | {"migration_schedule": cells, "schedule_scaling": "one-sided"}
        leaving = np.stack([array(inputs[f"rcout{sex}"])[1:] for sex in "fm"])
        turnover, gain, loss, least, women_gain, women_loss = array(inputs["migfdm"])
        rule = mp.flow_difference(
            cells / cells.sum("age"),
            xr.zeros_like(cells.isel(period=0, drop=True)).copy(data=leaving),
            intercept=turnover / self.width,
            slope_gain=gain,
            slope_loss=loss,
            minimum=least / self.width,
            female_gain=women_gain,
            female_loss=women_loss,
            weighted=code == 5,
        )
        return by_rate | {"migration_schedule": rule}


def both(outputs, name):
    return np.stack([outputs[f"{name}f"], outputs[f"{name}m"]])


FILES = ["abridged_21", "abridged_27", "single_year_101"]


@pytest.mark.parametrize("name", ["counts_even", "counts_end", "zero", "negative_counts_even"])
@pytest.mark.parametrize("file", FILES)
def test_bayespop_counts(reference, file, name):
    setup = BayesPop(reference / f"ccm/d_bayespop/{file}.json.gz")
    migration, timing, outputs = setup.case(name)
    theirs = both(outputs, "pop")
    # bayesPop's kernel lifts every negative cell to 0.0005 with timing "end": people from
    # nowhere. Where it did, each step is run from its own (lifted) population, so that all
    # other cells still have to agree, and the lifted ones have to be negative in ours.
    lifted = np.isclose(theirs, 0.0005, atol=1e-9) & (timing == "end")
    assert lifted.any() == (name == "counts_end" and file != "single_year_101")
    starts = range(len(setup.period)) if lifted.any() else [0]
    for p in starts:
        periods = slice(p, p + 1) if lifted.any() else slice(None)
        arguments = (
            setup.population.copy(data=theirs[..., p]),
            setup.survival.isel(period=periods),
            setup.fertility.isel(period=periods),
            setup.ratio.isel(period=periods),
            migration.isel(period=periods),
        )
        steps = {
            "timing": timing,
            "births_exposure": "ccmpp",
            "separation": setup.separation.isel(period=periods),
        }
        seen = slice(p, p + 2) if lifted.any() else slice(None)
        # With "even" it leaves negative cells as they come, as we do (and we say so).
        raised = lifted[..., seen].copy()
        raised[..., 0] = False
        if raised.any() or (theirs[..., seen] < 0).any():
            with pytest.warns(mp.DataQualityWarning, match="negative population"):
                result = mp.project_population(*arguments, **steps)
        else:
            result = mp.project_population(*arguments, **steps)
        ours = result["population"].transpose("sex", "age", "time").values
        expected = theirs[..., seen]
        assert (ours[raised] < 0).all()
        assert np.abs(np.where(raised, 0.0, ours - expected)).max() < 1e-11 * theirs.max()
        births = result["births"].transpose("sex", "mother_age", "period").values
        assert largest_error(births, both(outputs, "btage")[..., periods]) < 1e-11
        # Their deaths of the cells they lifted are of the population before.
        deaths = result["deaths"].transpose("sex", "age", "period").values
        assert largest_error(deaths, both(outputs, "deaths")[..., periods]) < 1e-11


#: Some cell falls below 0 in each of the periods.
BELOW_IN_EVERY_PERIOD = [(n, f) for n in ("code2", "code4") for f in FILES[:2]]
SHORT = ["counts_even_short_mig", "counts_end_short_mig"]
RATES = [
    "code1",
    "code1_big_out",
    "code1_sex_rates",
    "code2",
    "code4",
    "code4_big_out",
    "code5",
    "code5_big_out",
    "code5_min_bind",
    "mixed_codes_even",
]


@pytest.mark.parametrize("name", SHORT + RATES)
@pytest.mark.parametrize("file", FILES)
def test_bayespop_rates_and_flows(reference, file, name):
    """Migrants that follow from rates, profiles and flow differences, or of some ages only.

    Each period is run from their population, since where more would leave than there are they
    lift cells that fall below 0 and take the people from other cells, or from nowhere. There
    ours is negative, or limited says what was not applied. Migrants that follow from rates
    come to bayesPop at the end of a period whatever the timing asked for.
    """
    setup = BayesPop(reference / f"ccm/d_bayespop/{file}.json.gz")
    _, timing, outputs = setup.case(name)
    inputs = setup.cases[name]["inputs"]
    population, migrants = both(outputs, "pop"), both(outputs, "finmig")
    agreeing = 0
    for p in range(len(setup.period)):
        code = array(inputs["migratecode"])[p]
        if code == 3:
            continue  # see below
        given = setup.migrants(inputs, p, population[..., p])
        given["timing"] = "end" if code > 0 else timing
        limited = setup.step(population[..., p], p, **given, on_negative="limit")
        unapplied = limited["net_migration_unapplied"].isel(period=0)
        assert (limited["population"] >= 0).all()
        if (unapplied < 0).any():
            with pytest.warns(mp.DataQualityWarning, match="negative population"):
                result = setup.step(population[..., p], p, **given).isel(period=0)
            below = (result["population"].isel(time=1) < 0).values
            assert (population[..., p + 1][below] > 0).all()
            applied = limited["net_migration"].isel(period=0)
            want = result["net_migration"]
            np.testing.assert_allclose(applied + unapplied, want, rtol=1e-12, atol=1e-9)
        else:
            agreeing += 1
            result = setup.step(population[..., p], p, **given).isel(period=0)
            ours = result["population"].isel(time=1).values
            assert largest_error(ours, population[..., p + 1]) < 1e-11
            ours = result["net_migration"].isel(age=slice(migrants.shape[1])).values
            assert largest_error(ours, migrants[..., p]) < 1e-11
        # Births, with these exposures, and deaths are of those there before anyone came or left.
        births = result["births"].transpose("sex", "mother_age").values
        assert largest_error(births, both(outputs, "btage")[..., p]) < 1e-11
        deaths = result["deaths"].values
        assert largest_error(deaths, both(outputs, "deaths")[..., p]) < 1e-11
    assert agreeing or "big_out" in name or (name, file) in BELOW_IN_EVERY_PERIOD


@pytest.mark.parametrize("name", ["code3", "code3_clamped"])
@pytest.mark.parametrize("file", FILES)
def test_bayespop_rates_by_age(reference, file, name):
    """bayesPop takes rates by age (its code 3) for counts: they are never multiplied by people.

    Its migrants are the numbers given, whoever is there. The rates by which ours gives the same
    migrants are these by the people there and the years; the change of the population is births
    less deaths plus migrants.
    """
    setup = BayesPop(reference / f"ccm/d_bayespop/{file}.json.gz")
    given, _, outputs = setup.case(name)
    population = both(outputs, "pop")
    codes = array(setup.cases[name]["inputs"]["migratecode"])
    for p in np.flatnonzero(codes == 3):
        start, cells = population[..., p], given.isel(period=p)
        stayers = setup.step(start, p, timing="end")["population"].isel(time=1, drop=True)
        rate = (cells / (setup.width * stayers)).expand_dims(period=[cells["period"].item()])
        result = setup.step(
            start, p, migration_rate=rate.clip(-1, 1), timing="end", on_negative="limit"
        ).isel(period=0)
        ours = result["population"].isel(time=1).values
        # They let no more than four in five of a cell leave; more than one who comes for each
        # person there and year ours refuses (the very old, in these made-up numbers).
        enough = (cells >= -0.8 * stayers).values & (abs(rate) <= 1).isel(period=0).values
        assert enough.sum() > 0.7 * enough.size
        np.testing.assert_allclose(ours[enough], population[..., p + 1][enough], rtol=1e-11)
        capped = (cells < -0.8 * stayers).values
        kept = population[..., p + 1][capped]
        np.testing.assert_allclose(kept, 0.2 * stayers.values[capped], rtol=1e-11)
        migrants = result["net_migration"].values
        np.testing.assert_allclose(migrants[enough], cells.values[enough], rtol=1e-11)
        total = result.sum(["sex", "age", "mother_age"])
        change = float(total["population"].diff("time").item())
        flows = total["births"] - total["deaths_cohort"] + total["net_migration"]
        assert abs(change - float(flows)) < 1e-11 * float(total["population"][0])
        if np.abs(cells).max() > 1:
            with pytest.raises(mp.SchemaError, match="counts go into migration"):
                setup.step(start, p, migration_rate=given.isel(period=[p]))


def test_every_case_of_bayespop_is_run(reference):
    counts = ["counts_even", "counts_end", "zero", "negative_counts_even", "negative_counts_end"]
    run = {*counts, *SHORT, *RATES, "code3", "code3_clamped", "observed_even", "observed_end"}
    for file in FILES:
        assert set(BayesPop(reference / f"ccm/d_bayespop/{file}.json.gz").cases) == run


@pytest.mark.parametrize("name", ["observed_even", "observed_end"])
@pytest.mark.parametrize("file", FILES)
def test_bayespop_observed(reference, file, name):
    """The population is known; only births and deaths are wanted."""
    setup = BayesPop(reference / f"ccm/d_bayespop/{file}.json.gz")
    migration, timing, outputs = setup.case(name)
    observed = setup.cases[name]["inputs"]
    known = np.stack([array(observed[f"pop{sex}_observed"]) for sex in "fm"])
    instants = np.append(setup.period, setup.period[-1] + setup.width)
    population = by_sex(*known, setup.ages, ("sex", "age", "time"), time=instants)
    result = mp.vital_events(
        population,
        setup.survival,
        setup.fertility,
        setup.ratio,
        migration,
        timing=timing,
        births_exposure="ccmpp",
        separation=setup.separation,
    )
    births = result["births"].transpose("sex", "mother_age", "period").values
    assert largest_error(births, both(outputs, "btage")) < 1e-11
    deaths = result["deaths"].transpose("sex", "age", "period").values
    assert largest_error(deaths, both(outputs, "deaths")) < 1e-11


@pytest.mark.parametrize("name", ["negative_counts_end", "counts_end"])
@pytest.mark.parametrize("file", ["abridged_21", "abridged_27"])
def test_limited_where_bayespop_lifts(reference, file, name):
    """bayesPop makes people of nothing: its change is not births less deaths plus the migration
    it reports. Ours, limited, loses and makes nobody, and differs from it by what it lifted."""
    setup = BayesPop(reference / f"ccm/d_bayespop/{file}.json.gz")
    migration, timing, _ = setup.case(name)
    result = mp.project_population(
        setup.population,
        setup.survival,
        setup.fertility,
        setup.ratio,
        migration,
        timing=timing,
        births_exposure="ccmpp",
        on_negative="limit",
    )
    assert (result["population"] >= 0).all()
    unapplied = result["net_migration_unapplied"]
    assert (unapplied < 0).any()
    given = migration.transpose(*unapplied.dims)
    np.testing.assert_allclose(result["net_migration"] + unapplied, given, rtol=1e-12, atol=1e-12)
    total = result.sum(["sex", "age", "mother_age"])
    flows = total["births"] - total["deaths_cohort"] + total["net_migration"]
    change = total["population"].diff("time").values
    np.testing.assert_allclose(change, flows, rtol=1e-11, atol=1e-9 * float(given.max()))


# --- Canada 1950-2020, single years, run through ccmppWPP


@pytest.fixture(scope="module")
def canada(reference):
    """Inputs as labelled arrays: of each life table its survival, lx and Lx; and the rest."""
    folder = reference / "ccm/a_canada"
    by = ["time", "sex", "age"]
    table = pd.read_csv(folder / "inputs_age_sex.csv.gz").set_index(by).to_xarray()
    table = table.rename(time="period").assign_coords(mp.age_coords(table["age"].values))
    asfr = pd.read_csv(folder / "asfr.csv.gz").set_index(["time", "age"]).to_xarray()["asfr"]
    srb = pd.read_csv(folder / "srb.csv").set_index("time").to_xarray()["srb"]
    base = pd.read_csv(folder / "base_pop_1950.csv").set_index(["sex", "age"]).to_xarray()["pop"]
    base = base.assign_coords(mp.age_coords(base["age"].values)).assign_coords(time=1950)
    return table, asfr.rename(time="period"), srb.rename(time="period"), base


@pytest.mark.parametrize("timing", ["end", "even"])
@pytest.mark.parametrize("tables", ["in", "out"])
def test_canada(reference, canada, tables, timing):
    table, asfr, srb, base = canada
    result = mp.project_population(
        base,
        table[f"{tables}_Sx"],
        asfr,
        srb,
        table["mig"],
        timing=timing,
        births_exposure="ccmpp",
        separation=separation(table[f"{tables}_nLx"], table[f"{tables}_lx"], 1),
    )
    run = f"run_{tables}LT_{timing}"

    def theirs(name, *by):
        frame = pd.read_csv(reference / f"ccm/a_canada/{run}_{name}.csv.gz").set_index(list(by))
        return frame.to_xarray()

    population = theirs("pop", "time", "sex", "age")["pop"]
    ours = result["population"].sel(time=population["time"])
    assert largest_error(ours.values, population.values) < 1e-11
    births = theirs("births_by_mother_age", "time", "age")["births"]
    ours = result["births"].sum("sex").values
    assert largest_error(ours, births.values) < 1e-11
    deaths = theirs("deaths", "time", "sex", "age")
    assert largest_error(result["deaths_cohort"].values, deaths["cohort"].values) < 1e-11
    assert largest_error(result["deaths"].values, deaths["period"].values) < 1e-11


# --- Thailand and Burkina Faso, five-year groups, run through demCore and popReconstruct


def demcore(folder, country, name):
    """A table of demCore by period or year, sex and age, with both sexes (men 0 where absent)."""
    frame = pd.read_csv(folder / f"{country}_{name}.csv")
    frame = frame.rename(columns={"year_start": "period", "year": "time", "age_start": "age"})
    when = "period" if "period" in frame else "time"
    by = [column for column in (when, "sex", "age") if column in frame]
    array = frame.set_index(by)["value"].to_xarray().astype(float)
    return array.reindex(sex=SEXES, fill_value=0.0) if "sex" in array.dims else array


@pytest.mark.parametrize("country", ["thailand", "burkina_faso"])
def test_demcore(reference, country):
    """Their open group has two ratios: 75-79 to 80+, and 80+ to 85+. With the group 80-84 between
    them, into which 80+ enters as one stock, ours does the same."""
    folder = reference / "ccm/c_demcore"
    survival, proportion, asfr, srb, base, theirs = (
        demcore(folder, country, name)
        for name in ("survival", "net_migration", "asfr", "srb", "baseline", "OUT_population")
    )
    ages = mp.age_coords(range(0, 90, 5))
    grid = ages["age"].values
    population = base.isel(time=0, drop=True).reindex(age=grid, fill_value=0).assign_coords(ages)
    proportion = proportion.reindex(age=grid, method="ffill")  # 80+ is 80-84 and 85+
    fertility = asfr.sel(age=asfr["age"][(asfr > 0).any("period")])
    for p in range(survival.sizes["period"]):
        S, M, f, ratio = (
            array.isel(period=p, drop=True) for array in (survival, proportion, fertility, srb)
        )
        migrants = population * M.assign_coords(ages)
        result = mp.project_population(population, S.assign_coords(ages), f, ratio, migrants)
        population = result["population"].isel(time=1, drop=True).assign_coords(ages)
        ours = mp.regroup_ages(population, range(0, 85, 5))
        expected = theirs.isel(time=p + 1).values
        assert largest_error(ours.values, expected) < 1e-10
