"""Projection of sums over ages alone, which has a kernel of its own."""

import warnings

import numpy as np
import pytest
import xarray as xr

import migproj as mp
from kernels.test_projection import (
    COUNTRIES,
    EXPOSURES,
    SEXES,
    TIMINGS,
    draw,
    labelled,
    project,
)
from migproj import _jit
from migproj._kernels import ensembles

WIDE = {"age_groups": [0, 10], "keep": ["population", "births"]}


@pytest.fixture(autouse=True)
def ran(monkeypatch):
    """The kernels that ran."""
    names = []
    run = _jit.run

    def spy(kernel, *args, **options):
        names.append(kernel)
        run(kernel, *args, **options)

    monkeypatch.setattr(_jit, "run", spy)
    return names


def wide(array):
    return np.stack([array[..., :2].sum(-1), array[..., 2:].sum(-1)], -1)


@pytest.mark.parametrize("sexes", [SEXES, SEXES[::-1]])
@pytest.mark.parametrize("exposure", EXPOSURES)
@pytest.mark.parametrize("timing", TIMINGS)
def test_sums_over_ages(ran, timing, exposure, sexes):
    drawn = draw(np.random.default_rng(60), 3)
    drawn["migration"][1, 1, 0, :] -= 9e3  # more leave than there are
    inputs = labelled(drawn, sexes)
    options = {"timing": timing, "births_exposure": exposure}
    with pytest.warns(mp.DataQualityWarning, match="negative population"):
        result = mp.project_population(**inputs, **options, **WIDE)
    assert ran == [ensembles.project_sums]
    with pytest.warns(mp.DataQualityWarning, match="negative population"):
        full = mp.project_population(**inputs, **options)
    assert result["n_negative"].values.tolist() == full["n_negative"].values.tolist()
    for c in range(3):
        one = {name: values[c] for name, values in drawn.items()}
        population, births, _ = project(one, timing, exposure, sexes)
        scale = np.abs(population).max()
        got = result.isel(country=c)
        np.testing.assert_allclose(
            got["population"], wide(population), rtol=1e-12, atol=1e-12 * scale
        )
        # FERTILE begins at the bound of the wide groups: one group of mothers.
        np.testing.assert_allclose(
            got["births"].isel(mother_age=0), births.sum(-1), rtol=1e-12, atol=1e-12 * scale
        )


def ensemble(rng, draws, own):
    """Totals by draw (and sex), with rates that are shared or each draw's own."""
    inputs = labelled(draw(rng, 3))
    by_draw = xr.DataArray(
        rng.uniform(0.8, 1.0, draws), dims="draw", coords={"draw": np.arange(draws)}
    )
    weights = inputs["migration"] ** 2
    totals = inputs["migration"].sum("age") * by_draw
    inputs |= {"migration": totals, "migration_schedule": weights / weights.sum("age")}
    if own:
        inputs["survival"] = inputs["survival"] * by_draw
        inputs["fertility"] = inputs["fertility"] * by_draw
        inputs["migration_schedule"] = inputs["migration_schedule"].expand_dims(draw=draws)
        inputs["migration_schedule"] = inputs["migration_schedule"].assign_coords(
            draw=np.arange(draws)
        )
    return inputs


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("timing", TIMINGS)
def test_draws_together_are_draws_alone(ran, timing, own):
    inputs = ensemble(np.random.default_rng(61), 7, own)
    result = mp.project_population(**inputs, timing=timing, **WIDE)
    full = mp.project_population(**inputs, timing=timing)
    for name, group in (("population", 10), ("births", 10)):
        dim = "age" if name == "population" else "mother_age"
        sums = full[name].where(full[name][dim] >= group, 0.0).sum(dim)
        np.testing.assert_allclose(result[name].sel({dim: group}), sums, rtol=1e-12)
    for k in range(7):
        one = {n: a.isel(draw=k) if "draw" in a.dims else a for n, a in inputs.items()}
        alone = mp.project_population(**one, timing=timing, **WIDE)
        xr.testing.assert_identical(alone, result.isel(draw=k))
    some = inputs | {"migration": inputs["migration"].isel(draw=[5, 2])}
    for name in ("survival", "fertility", "migration_schedule"):
        if "draw" in some[name].dims:
            some[name] = some[name].isel(draw=[5, 2])
    again = mp.project_population(**some, timing=timing, **WIDE)
    xr.testing.assert_identical(again, result.isel(draw=[5, 2]))


@pytest.mark.parametrize("draws", [2, 5, 11])
def test_what_goes_beside_a_row_leaves_it_alone(draws):
    """Lanes in use or not, of one country or two; NaN and negative numbers stay where they are."""
    inputs = ensemble(np.random.default_rng(64), draws, False)
    inputs["migration"][{"country": 1, "draw": 1}] = np.nan
    inputs["migration"][{"country": 1, "draw": 0}] -= 5e4
    inputs["migration"][{"country": 2, "draw": -1}] -= 5e4
    with pytest.warns(mp.DataQualityWarning, match="negative population"):
        result = mp.project_population(**inputs, **WIDE)
    assert result["population"].isnull().any(["time", "sex", "age"]).sum() == 1
    assert np.argwhere(result["n_negative"].values > 0).tolist() == [[1, 0], [2, draws - 1]]
    for c in range(3):
        for k in range(draws):
            one = {
                name: values.isel(
                    {d: i for d, i in (("country", c), ("draw", k)) if d in values.dims}
                )
                for name, values in inputs.items()
            }
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", mp.DataQualityWarning)
                alone = mp.project_population(**one, **WIDE)
            xr.testing.assert_identical(alone, result.isel(country=c, draw=k))


def test_a_mixed_timing_and_other_forms_have_the_kernel_of_all_cells(ran):
    inputs = labelled(draw(np.random.default_rng(62), 3))
    timing = xr.DataArray(TIMINGS, dims="country", coords={"country": COUNTRIES})
    mp.project_population(**inputs, timing=timing, **WIDE)
    mp.project_population(**inputs, on_negative="limit", **WIDE)
    mp.project_population(**inputs, age_groups=[0, 10], keep=["births", "deaths_cohort"])
    assert ensembles.project_sums not in ran


def test_ages_beyond_a_loop_of_the_registers():
    """Single ages from 0 to 100: the sum over all of them is that of the cells."""
    rng = np.random.default_rng(63)
    ages = mp.age_coords(range(101))
    coords = {"sex": SEXES, **ages}
    people = xr.DataArray(rng.uniform(1e3, 1e4, (2, 101)), dims=("sex", "age"), coords=coords)
    survival = xr.DataArray(rng.uniform(0.9, 1, (2, 101)), dims=("sex", "age"), coords=coords)
    moves = xr.DataArray(rng.uniform(-9, 20, (2, 101)), dims=("sex", "age"), coords=coords)
    fertility = xr.DataArray(rng.uniform(0, 0.1, 35), dims="age", coords={"age": np.arange(15, 50)})
    given = (people, survival, fertility, 1.05, moves)
    full = mp.project_population(*given, steps=30)
    result = mp.project_population(*given, steps=30, age_groups=["0+"], keep=["population"])
    sums = full["population"].sum("age")
    np.testing.assert_allclose(result["population"].isel(age=0), sums, rtol=1e-12)
