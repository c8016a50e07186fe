import numpy as np
import pytest
import xarray as xr

import migproj as mp
from kernels import reference
from migproj._jit import run
from migproj._kernels import projection as kernels

AGES = [0, 5, 10, 15, 20, 25]
FERTILE = slice(2, 5)
SEXES = ["female", "male"]
COUNTRIES = ["ARG", "BOL", "CHL"]
PERIODS = 3
TIMINGS = ["end", "even", "midpoint"]
EXPOSURES = ["with-migrants", "ccmpp"]


def draw(rng, rows, periods=PERIODS):
    """Start, survival, fertility, sex ratio at birth and migration, each (rows, ...)."""
    flows = (rows, periods, 2, len(AGES))
    return {
        "population": rng.uniform(1e3, 1e4, (rows, 2, len(AGES))),
        "survival": rng.uniform(0.6, 0.99, flows),
        "fertility": rng.uniform(0.05, 0.3, (rows, periods, 3)),
        "ratio": rng.uniform(1.0, 1.1, (rows, periods)),
        "migration": rng.uniform(-20.0, 200.0, flows),
    }


def project(drawn, timing, exposure, sexes=SEXES, years=5.0):
    """The reference over PERIODS of one row, stacked as the library stacks them."""
    people = dict(zip(sexes, drawn["population"], strict=True))
    population, births, deaths = [drawn["population"]], [], []
    for p in range(PERIODS):
        now = {name: array[min(p, len(array) - 1)] for name, array in drawn.items()}
        rates = np.zeros(len(AGES))
        rates[FERTILE] = now["fertility"]
        S, M = (dict(zip(sexes, now[name], strict=True)) for name in ("survival", "migration"))
        people, born, dead = reference.step_population(
            people, S, rates, now["ratio"], M, timing, exposure, years
        )
        population.append([people[sex] for sex in sexes])
        births.append([born[sex][FERTILE] for sex in sexes])
        deaths.append([dead[sex] for sex in sexes])
    return np.array(population), np.array(births), np.array(deaths)


def labelled(drawn, sexes=SEXES):
    """Keyword arguments of project_population; a `period` of length 1 is left out."""
    coords = {
        "country": COUNTRIES,
        "sex": sexes,
        "period": 2000.0 + 5 * np.arange(PERIODS),
        **mp.age_coords(AGES),
    }
    dims = {
        "population": ("country", "sex", "age"),
        "survival": ("country", "period", "sex", "age"),
        "fertility": ("country", "period", "age"),
        "ratio": ("country", "period"),
        "migration": ("country", "period", "sex", "age"),
    }
    arrays = {}
    for name, values in drawn.items():
        own, array = dims[name], values
        if "period" in own and values.shape[1] == 1:
            own, array = tuple(d for d in own if d != "period"), values[:, 0]
        kept = {d: coords[d] for d in own}
        if "age" in own:
            kept |= {"age_width": coords["age_width"]}
        if name == "fertility":
            kept |= {"age": AGES[FERTILE]}
            del kept["age_width"]
        arrays[name] = xr.DataArray(array, dims=own, coords=kept)
    arrays["population"] = arrays["population"].assign_coords(time=2000)
    arrays["sex_ratio_at_birth"] = arrays.pop("ratio")
    return arrays


def assert_projected(got, drawn, timing, exposure, sexes=SEXES):
    want = project(drawn, timing, exposure, sexes)
    for array, values, name in zip(got, want, ("population", "births", "deaths"), strict=True):
        np.testing.assert_allclose(array, values, rtol=1e-12, atol=1e-8, err_msg=name)


@pytest.mark.parametrize("sexes", [SEXES, SEXES[::-1]], ids=["women first", "men first"])
@pytest.mark.parametrize("exposure", EXPOSURES)
@pytest.mark.parametrize("timing", TIMINGS)
def test_project_population(timing, exposure, sexes):
    drawn = draw(np.random.default_rng(TIMINGS.index(timing)), 3)
    result = mp.project_population(
        **labelled(drawn, sexes), timing=timing, births_exposure=exposure
    )
    assert result["population"].dims == ("country", "time", "sex", "age")
    assert result["births"].dims == ("country", "period", "sex", "mother_age")
    for c in range(3):
        row = result.isel(country=c)
        got = [row[name].values for name in ("population", "births", "deaths_cohort")]
        assert_projected(got, {k: v[c] for k, v in drawn.items()}, timing, exposure, sexes)
    np.testing.assert_array_equal(result["net_migration"].values, drawn["migration"])
    assert not result["n_negative"].any()


@pytest.mark.parametrize("constant", ["survival", "fertility", "ratio", "migration"])
def test_an_input_without_periods_holds_in_all_of_them(constant):
    drawn = draw(np.random.default_rng(42), 3)
    drawn[constant] = drawn[constant][:, :1]
    result = mp.project_population(**labelled(drawn), timing="even")
    for c in range(3):
        row = result.isel(country=c)
        got = [row[name].values for name in ("population", "births", "deaths_cohort")]
        assert_projected(got, {k: v[c] for k, v in drawn.items()}, "even", "with-migrants")
    np.testing.assert_array_equal(
        result["net_migration"].values,
        np.broadcast_to(drawn["migration"], result["net_migration"].shape),
    )


def test_timing_by_country():
    drawn = draw(np.random.default_rng(43), 3)
    timing = xr.DataArray(TIMINGS, dims="country", coords={"country": COUNTRIES})
    result = mp.project_population(**labelled(drawn), timing=timing)
    for c in range(3):
        row = result.isel(country=c)
        got = [row[name].values for name in ("population", "births", "deaths_cohort")]
        assert_projected(got, {k: v[c] for k, v in drawn.items()}, TIMINGS[c], "with-migrants")


def test_deaths_by_age_at_death():
    drawn = draw(np.random.default_rng(46), 3)
    inputs = labelled(drawn)
    shares = np.random.default_rng(47).uniform(0.1, 0.9, (2, PERIODS, len(AGES) - 1))
    separation = xr.DataArray(
        shares,
        dims=("sex", "period", "age"),
        coords={
            "sex": SEXES,
            "period": inputs["survival"]["period"].values,
            **mp.age_coords(AGES[:-1], open_ended=False),
        },
    )
    result = mp.project_population(**inputs, separation=separation)
    assert result["deaths"].dims == result["deaths_cohort"].dims
    for c in range(3):
        for p in range(PERIODS):
            for sex in range(2):
                cohort = result["deaths_cohort"].values[c, p, sex]
                want = reference.deaths_by_age(cohort, shares[sex, p])
                np.testing.assert_allclose(result["deaths"].values[c, p, sex], want, rtol=1e-13)
    total = result["deaths"].sum("age")
    np.testing.assert_allclose(total, result["deaths_cohort"].sum("age"), rtol=1e-13)
    without = mp.project_population(**inputs)
    xr.testing.assert_identical(result.drop_vars("deaths"), without)


def test_negative_population_is_counted_named_and_kept():
    drawn = draw(np.random.default_rng(44), 3)
    drawn["migration"][1, 0, 1, 3] = -1e5
    text = r"negative population in 3 cell\(s\): country=BOL, time=2005\.0, sex=male, age=15; "
    with pytest.warns(mp.DataQualityWarning, match=text):
        result = mp.project_population(**labelled(drawn), timing="end")
    assert result["n_negative"].values.tolist() == [0, 3, 0]
    row = result.isel(country=1)
    got = [row[name].values for name in ("population", "births", "deaths_cohort")]
    assert_projected(got, {k: v[1] for k, v in drawn.items()}, "end", "with-migrants")
    with pytest.raises(mp.SchemaError, match=text):
        mp.project_population(**labelled(drawn), timing="end", on_negative="raise")


@pytest.mark.parametrize("exposure", EXPOSURES)
def test_project_population_gathers_rows_and_scatters_results(exposure):
    rng = np.random.default_rng(45)
    n, ages = 7, len(AGES)
    sizes = {"population": 2, "survival": 3, "fertility": 1, "ratio": 2, "migration": 4}
    inputs = {name: draw(rng, size)[name] for name, size in sizes.items()}
    inputs["survival"] = inputs["survival"][:, :1].copy()  # one for all periods
    arrays = {
        "population": inputs["population"][:, None],
        "survival": inputs["survival"],
        "survival_open": inputs["survival"][..., -1].copy(),
        "leaving": np.zeros((1, 1, 2, ages + 1)),
        "leaving_half": np.zeros((1, 1, 2, ages)),
        "fertility": inputs["fertility"],
        "level": rng.uniform(0.5, 1.5, (3, PERIODS)),
        "ratio": inputs["ratio"],
        "migration": inputs["migration"],
        "totals": rng.uniform(0.0, 2.0, (5, PERIODS, 2)),
        "outflow": np.zeros((1, 1, 2, ages)),
        "rules": np.zeros((1, 1, 6)),
        "separation": rng.uniform(0.2, 0.8, (2, 1, 2, ages)),  # the last is not read
        "timing": np.array([kernels.END, kernels.EVEN, kernels.MIDPOINT]),
    }
    rows = {name: reference.picks(rng, n, len(x)) for name, x in arrays.items()}
    rows["survival_open"] = rows["survival"]
    out_row = rng.permutation(n)
    outs = [
        np.full((n, PERIODS + 1, 2, ages), np.nan),
        np.full((n, PERIODS, 2, 3), np.nan),
        *(np.full((n, PERIODS, 2, ages), np.nan) for _ in range(2)),
        np.full((n, 0, 0, 0), np.nan),  # emigrants
        np.full((n, PERIODS, 2, ages), np.nan),
        np.full((n, 0, 0, 0), np.nan),
        np.full((n, PERIODS, 2, ages), np.nan),
    ]
    negative = np.full(n, -1)
    paired = [x for name, array in arrays.items() for x in (array, rows[name])]
    run(
        kernels.project_population,
        n,
        *(
            *paired,
            *outs,
            negative,
            out_row,
            np.arange(ages + 1),
            np.arange(4),
            PERIODS,
            FERTILE.start,
            1,
            EXPOSURES[::-1].index(exposure),
            0,
            0,
            kernels.PROPORTIONAL,
            0,
            5.0,
        ),
    )
    for b in range(n):
        drawn = {name: x[rows[name][b]] for name, x in arrays.items()}
        timing = TIMINGS[drawn.pop("timing")]
        shares = drawn.pop("separation")[0]
        drawn["population"] = drawn["population"][0]
        for name in ("survival_open", "leaving", "leaving_half", "outflow", "rules"):
            del drawn[name]
        drawn["fertility"] = drawn["fertility"] * drawn.pop("level")[:, None]
        drawn["migration"] = drawn["migration"] * drawn.pop("totals")[:, :, None]
        o = out_row[b]
        assert_projected([x[o] for x in outs[:3]], drawn, timing, exposure, SEXES[::-1])
        for p in range(PERIODS):
            for sex in range(2):
                want = reference.deaths_by_age(outs[2][o, p, sex], shares[sex, :-1])
                np.testing.assert_allclose(outs[3][o, p, sex], want, rtol=1e-13)
        np.testing.assert_allclose(outs[5][o], drawn["migration"], rtol=1e-15)
        years = 5.0 * (outs[0][o, :-1] + outs[0][o, 1:]) / 2
        np.testing.assert_allclose(outs[7][o], years, rtol=1e-15)
        assert negative[o] == 0


def limited(timing, exposure, seed):
    """A projection in which many want to leave, unlimited and limited, one country."""
    rng = np.random.default_rng(seed)
    drawn = draw(rng, 3)
    drawn["migration"] = rng.uniform(-2.5e4, 1e4, drawn["migration"].shape)
    inputs = labelled(drawn)
    options = {"timing": timing, "births_exposure": exposure}
    with pytest.warns(mp.DataQualityWarning, match="negative population"):
        free = mp.project_population(**inputs, **options)
    return inputs, free, mp.project_population(**inputs, **options, on_negative="limit")


@pytest.mark.parametrize("exposure", EXPOSURES)
@pytest.mark.parametrize("timing", TIMINGS)
def test_emigration_limited_to_the_people_there(timing, exposure):
    inputs, free, result = limited(timing, exposure, 48)
    assert (free["population"] < 0).any()
    assert (result["population"] >= 0).all()
    assert not result["n_negative"].any()
    # Nothing vanishes: applied and unapplied are what was given, and only emigration is limited.
    applied, unapplied = result["net_migration"], result["net_migration_unapplied"]
    np.testing.assert_allclose(applied + unapplied, inputs["migration"], rtol=1e-12, atol=1e-9)
    assert (unapplied <= 0).all()
    assert (unapplied < 0).any()
    assert (applied.where(unapplied < 0, -1.0) <= 0).all()
    # The migration applied, given again, is within its limits and makes the same projection.
    again = mp.project_population(
        **(inputs | {"migration": applied}),
        timing=timing,
        births_exposure=exposure,
        on_negative="limit",
    )
    np.testing.assert_allclose(again["population"], result["population"], rtol=1e-12, atol=1e-8)
    total = result.sum(["sex", "age", "mother_age"])
    change = total["population"].diff("time").values
    flows = total["births"] - total["deaths_cohort"] + total["net_migration"]
    np.testing.assert_allclose(change, flows.values, rtol=1e-12, atol=1e-7)


@pytest.mark.parametrize("timing", TIMINGS)
def test_a_limit_binds_no_more_than_it_must(timing):
    """Where emigrants were cut nobody is left, at the end of the step or (evenly) at its start."""
    _, _, result = limited(timing, "with-migrants", 49)
    cut = (result["net_migration_unapplied"] < 0).values
    end = result["population"].isel(time=slice(1, None)).values
    empty = np.abs(end) < 1e-8
    if timing == "even":
        start = result["population"].isel(time=slice(-1)).values
        empty |= np.abs(start + result["net_migration"].values / 2) < 1e-8
    # The two youngest groups may keep a few where births set the limit of the first.
    assert empty[..., 2:][cut[..., 2:]].all()


def test_a_limit_that_does_not_bind_changes_nothing():
    inputs = labelled(draw(np.random.default_rng(50), 3))
    for timing in TIMINGS:
        free = mp.project_population(**inputs, timing=timing)
        result = mp.project_population(**inputs, timing=timing, on_negative="limit")
        assert not result["net_migration_unapplied"].any()
        xr.testing.assert_identical(result.drop_vars("net_migration_unapplied"), free)
