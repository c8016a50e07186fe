import numpy as np
import pytest
import xarray as xr

import migproj as mp
from kernels import reference
from migproj._jit import run
from migproj._kernels import births as kernels

WOMEN = list(range(0, 75, 5))
FERTILE = list(range(15, 50, 5))
COUNTRIES = ["ARG", "BOL", "CHL"]


def labelled(values, lower):
    return xr.DataArray(
        values, dims=("country", "age"), coords={"country": COUNTRIES, **mp.age_coords(lower)}
    )


def on_all_ages(fertility):
    rates = np.zeros(len(WOMEN))
    rates[3:10] = fertility
    return rates


@pytest.mark.parametrize(("interval", "steps"), [(5, 1), (3.5, 1), (10, 2), (15, 3)])
@pytest.mark.parametrize("survive", [True, False])
def test_births_from_rates(interval, steps, survive):
    rng = np.random.default_rng(steps)
    fertility = rng.uniform(0.01, 0.3, (3, 7))
    start, end = rng.uniform(1e2, 1e4, (2, 3, len(WOMEN)))
    survival = rng.uniform(0.5, 1.0, (3, len(WOMEN))) if survive else np.ones((3, len(WOMEN)))
    ratio = np.array([1.02, 1.05, 1.08])
    result = mp.births_from_rates(
        labelled(fertility, FERTILE).drop_vars("age_width"),
        labelled(start, WOMEN),
        labelled(end, WOMEN),
        xr.DataArray(ratio, dims="country", coords={"country": COUNTRIES}),
        interval=interval,
        survival=labelled(survival, WOMEN) if survive else None,
    )
    assert result.dims == (("country", "sex", "age") if steps > 1 else ("country", "sex"))
    if steps > 1:
        assert result["age"].values.tolist() == list(range(0, interval, 5))
    for c in range(3):
        want = reference.births_from_rates(
            on_all_ages(fertility[c]),
            *(start[c], end[c], survival[c], ratio[c], interval / steps, steps),
        )
        for sex in ("female", "male"):
            got = np.atleast_1d(result.sel(country=COUNTRIES[c], sex=sex).values)
            reference.assert_close(got, want[sex])


def test_closed_women_of_a_cohort_have_births_of_the_later_step_only():
    # Women are aged 20-24 in mid-interval only, so half a step's exposure falls in each step:
    # cohort 15-19 → 25-29, 100 women at the start and (without deaths) at the end.
    lower = list(range(0, 45, 5))
    start, end = (xr.DataArray(np.zeros(9), dims="age", coords=mp.age_coords(lower)) for _ in "01")
    start.loc[{"age": 15}], end.loc[{"age": 25}] = 100.0, 100.0
    rate = xr.DataArray([0.1], dims="age", coords=mp.age_coords(["20-24"]))
    births = mp.births_from_rates(rate, start, end, 1.0, interval=10)
    np.testing.assert_array_equal(births.values, [[12.5, 12.5], [12.5, 12.5]])


def test_births_from_rates_gather_rows_and_scatter_results():
    rng = np.random.default_rng(31)
    n = 6
    inputs = [
        rng.uniform(0.01, 0.3, (3, 7)),
        rng.uniform(1e2, 1e4, (2, len(WOMEN))),
        rng.uniform(1e2, 1e4, (n, len(WOMEN))),
        rng.uniform(0.5, 1.0, (1, len(WOMEN))),
        np.array([1.02, 1.08]),
    ]
    rows = [reference.picks(rng, n, len(x)) for x in inputs]
    out_row = rng.permutation(n)
    out = np.full((n, 2, 2), np.nan)
    paired = [x for pair in zip(inputs, rows, strict=True) for x in pair]
    run(kernels.births_from_rates, n, *paired, out, out_row, 3, 5.0)
    for b in range(n):
        fertility, start, end, survival, ratio = (
            x[r[b]] for x, r in zip(inputs, rows, strict=True)
        )
        want = reference.births_from_rates(
            on_all_ages(fertility), start, end, survival, ratio, 5.0, 2
        )
        reference.assert_close(out[out_row[b]], [want["female"], want["male"]])
