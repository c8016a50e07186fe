"""Children under ten from fertility, and rounds interpolated, beside DemoTools and PAS."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import migproj as mp

AGES = ["0", "1-4", *(f"{x}-{x + 4}" for x in range(5, 80, 5)), "80+"]
CENSUS = 1986.21


def at(values, dates, when):
    """Straight lines between two dates, and on beyond them."""
    share = (when - dates[0]) / (dates[1] - dates[0])
    return values[0] + share * (values[1] - values[0])


def inputs(folder):
    """Person-years and fertility at 0.5, 2.5 and 7.5 years before the census."""
    table = pd.read_csv(folder / "pas_in_nlx_asfr.csv")
    whens = [CENSUS - k for k in (0.5, 2.5, 7.5)]
    lived = np.full((3, 2, 18), 1e5)  # ages that are not read
    labels = [0, 1, *range(5, 85, 5)]
    for sex, series in enumerate(("nLx_f", "nLx_m")):
        rows = table[table["series"] == series]
        for age, both in rows.groupby("age"):
            both = both.sort_values("date")
            for k, when in enumerate(whens):
                value = at(both["value"].to_numpy(float), both["date"].to_numpy(), when)
                lived[k, sex, labels.index(age)] = value
    rates = np.array(
        [
            [
                at(*(both.sort_values("date")[c].to_numpy(float) for c in ("value", "date")), when)
                for _, both in table.query("series == 'asfr'").groupby("age")
            ]
            for when in whens
        ]
    )
    before = {"before": [0.5, 2.5, 7.5]}
    ages = mp.age_coords(AGES)
    years = xr.DataArray(
        lived, dims=("before", "sex", "age"), coords={**before, "sex": ["female", "male"], **ages}
    )
    tables = xr.Dataset({"Lx": years, "lx": xr.full_like(years, 1e5)})
    births = mp.age_coords(range(15, 50, 5), open_ended=False)
    return tables, xr.DataArray(rates, dims=("before", "age"), coords={**before, **births})


@pytest.mark.parametrize("case", ["bpe", "bpa", "bpa_age10patch"])
def test_base_population_of_pas(reference, case):
    """Also the figures that the BASEPOP workbook prints."""
    folder = reference / "demotools/basepop"
    tables, rates = inputs(folder)
    rows = pd.read_csv(folder / "pas_pop_in_out.csv").query("case == @case")
    coords = {"sex": ["female", "male"], **mp.age_coords(AGES)}
    people, want = (
        xr.DataArray(
            rows[[f"females_{k}", f"males_{k}"]].to_numpy(float).T,
            dims=("sex", "age"),
            coords=coords,
        )
        for k in ("in", "out")
    )
    got = mp.base_population(people, tables, rates, 1.03)
    np.testing.assert_allclose(got, want, rtol=1e-9)
    printed = {
        "bpe": ((13587, 48101, 55882), (13679, 47967, 55721)),
        "bpa": ((13315, 47315, 54554), (13406, 47184, 54397)),
    }
    if case in printed:
        np.testing.assert_array_equal(got.isel(age=slice(3)).round(), printed[case])
    # Any order of dims, places side by side.
    both = xr.concat([people, people * 2], xr.Variable("country", ["a", "b"]))
    again = mp.base_population(both.transpose("age", "country", "sex"), tables, rates, 1.03)
    np.testing.assert_allclose(again.sel(country="b"), 2 * got, rtol=1e-12)


@pytest.mark.filterwarnings("ignore:interpolate_rounds. counts below 0")
def test_rounds_interpolated(reference):
    """Theirs gives nothing outside the rounds unless asked, ours says so."""
    folder = reference / "demotools/interp"
    given = pd.read_csv(folder / "interp_in.csv")
    people = xr.DataArray(
        given[["pop_1980.5", "pop_1990.25"]].to_numpy(float),
        dims=("row", "time"),
        coords={"row": given["row"], "time": [1980.5, 1990.25]},
    )
    table = pd.read_csv(folder / "interp_out.csv")
    seen = 0
    for (method, extrapolate), rows in table.groupby(["method", "extrap"]):
        if method not in ("linear", "exponential", "power"):
            continue
        wide = rows.pivot_table(index="row", columns="date", values="pop")
        times = wide.columns.to_numpy(float)
        if extrapolate:
            assert times.min() < 1980.5
            # There a count below 0 is set to 0; ours stays, and is named.
        else:
            assert times.min() >= 1980.5
        got = mp.interpolate_rounds(people, times, method=method, extrapolate=bool(extrapolate))
        want = wide.loc[people["row"].values].to_numpy()
        kept = got.values > 0
        np.testing.assert_allclose(got.values[kept], want[kept], rtol=1e-9)
        assert (want[~kept] == 0).all()
        seen += kept.sum()
    assert seen > 300
