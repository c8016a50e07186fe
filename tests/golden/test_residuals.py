"""Residual estimates of other programs (reference folders migest/ and demotools/)."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import migproj as mp

METHODS = ["forward", "reverse", "average"]
#: Survival below 0.3 is said where reverse and average divide by it, above 1 of census ratios.
pytestmark = pytest.mark.filterwarnings("ignore:net_migration. survival ratios")


def bounds(labels):
    """The group of each label such as 0-4 or 75+ as an age coordinate."""
    return mp.age_coords(list(dict.fromkeys(labels)))


def assert_residuals(start, end, survival, table, *, births=None, interval=10, children="births"):
    """Ours beside migest's columns, by the same labels."""
    for method in METHODS:
        result = mp.net_migration(
            start,
            end,
            survival,
            method=method,
            births=births,
            interval=interval,
            children=children,
        )
        want = table[f"net_{method}"]
        got = result["net_migration"].transpose(*want.dims)
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-9 * float(abs(want).max()))
        expected = result["expected"].transpose(*want.dims)
        np.testing.assert_allclose(expected, table["pop1_forward"], rtol=1e-9, atol=1e-6)


def columns(table, index, **renamed):
    """A table as a Dataset by the columns of `index`, its rows as age groups."""
    return table.set_index(index).to_xarray().rename(renamed)


def ordered(array, labels):
    """Ages in the order of the table, on their groups."""
    return array.sel(age=list(labels)).drop_vars("age").assign_coords(bounds(labels))


def test_bombay(reference):
    table = pd.read_csv(reference / "migest/net_sr_bombay_1951.csv")
    start, end = (
        xr.DataArray(
            table[f"pop_{year}"].to_numpy(float), dims="age", coords=bounds(table[f"age_{year}"])
        )
        for year in (1941, 1951)
    )
    made = {
        name: xr.DataArray(table[name].to_numpy(), dims="age")
        for name in ("net_forward", "net_reverse", "net_average", "pop1_forward")
    }
    ratios = xr.DataArray(table["sr"].to_numpy(), dims="age", coords=end.coords)
    assert_residuals(start, end, ratios, made)


def test_alabama(reference):
    """By race and sex, with births in the rows of those born in the interval."""
    table = pd.read_csv(reference / "migest/net_sr_alabama_1970.csv")
    labels = list(dict.fromkeys(table["age_1970"]))
    given = columns(table, ["race", "sex", "age_1970"], age_1970="age")
    arrays = {name: ordered(given[name], labels) for name in given.data_vars}
    births = arrays["pop_1960"].isel(age=slice(0, 2)).drop_vars("age_width")
    # Their rows at the start are labelled by the age ten years later.
    start = arrays["pop_1960"].isel(age=slice(2, None)).drop_vars(["age", "age_width"])
    start = start.assign_coords(mp.age_coords(arrays["pop_1970"]["age"].values[2:] - 10))
    assert_residuals(start, arrays["pop_1970"], arrays["us_census_sr"], arrays, births=births)


def test_vital_statistics_of_alabama(reference):
    table = pd.read_csv(reference / "migest/net_vs_alabama_1970.csv")
    given = columns(table, ["race", "sex"]).astype(float)
    net = mp.net_migration_vital(
        given["pop_1960"], given["pop_1970"], given["births"], given["deaths"]
    )
    np.testing.assert_allclose(net, given["net"], rtol=1e-9)


@pytest.mark.parametrize(
    ("name", "survival"), [("net_sr_new_england_1960", "sr"), ("net_sr_usa_1960", "sr_all")]
)
def test_birthplaces(reference, name, survival):
    """National, or all-birthplace, census survival ratios."""
    table = pd.read_csv(reference / f"migest/{name}.csv")
    labels = list(dict.fromkeys(table["age_1960"]))
    keys = [key for key in ("birthplace", "race", "sex") if key in table]
    given = columns(table, [*keys, "age_1960"], age_1960="age")
    if "age_1950" in given:
        given = given.drop_vars("age_1950")
    arrays = {a: ordered(given[a].astype(float), labels) for a in given.data_vars}
    lower = arrays["pop_1960"]["age"].values - 10
    start = arrays["pop_1950"].drop_vars(["age", "age_width"])
    start = start.assign_coords(mp.age_coords(list(lower)))
    assert_residuals(start, arrays["pop_1960"], arrays[survival], arrays)


def test_lifetime_migrants_of_indian_zones(reference):
    """Net lifetime migrants with a ratio of 0.8 for all: arithmetic only, for some are below 0.

    As counts of people those are refused; net lifetime migrants come by in- and out-migrants, each
    counted, and the difference of the two results. So do these: what is below 0 left.
    """
    table = pd.read_csv(reference / "migest/net_sr_indian_sub_sr08.csv")
    assert (table[["pop0", "pop1"]] < 0).any(axis=None)

    def counted(k, sign):
        people = np.clip(sign * table[f"pop{k}"].to_numpy(float), 0, None)
        return xr.DataArray(
            people[:, None],
            dims=("case", "age"),
            coords={"case": table.index, **mp.age_coords([f"{10 * k}-{10 * k + 9}"])},
        )

    ratio = xr.DataArray([0.8], dims="age", coords=mp.age_coords(["10-19"]))
    for name in ("forward", "reverse", "average"):
        came, left = (
            mp.net_migration(counted(0, sign), counted(1, sign), ratio, method=name, interval=10)
            for sign in (1, -1)
        )
        net = (came - left)["net_migration"].isel(age=0)
        np.testing.assert_allclose(net, table[f"net_{name}"], rtol=1e-9)


@pytest.mark.parametrize("grid", ["five", "single"])
def test_residual_method_of_demotools(reference, grid):
    """Its `stock` is the forward residual. Its `time` and `cohort` follow from it, with defects:

    `time` is 2 D(i) - S(i) R(i-1) in the open-ended group too, where half of the group's own
    migrants are at risk as well; ours ("even") divides by 1 + S there. `cohort` halves each
    cohort's migrants over the two age groups it was in, but counts those arriving in the last
    closed group one and a half times and leaves the open-ended group whole: its total is not
    that of `stock`.
    """
    folder = reference / "demotools/mig_resid"
    people, ratios = (
        pd.read_csv(folder / f"{grid}_in_{name}.csv").set_index(["sex", "age", "year"]).to_xarray()
        for name in ("pop", "sr")
    )
    width = float(people["age"][1] - people["age"][0])
    ages = mp.age_coords(people["age"].values)
    sexes = {"f": "female", "m": "male"}

    def named(array):
        array = array.astype(float).assign_coords(ages)
        return array.assign_coords(sex=[sexes[s] for s in array["sex"].values])

    population, survival = named(people["pop"]), named(ratios["sr"])
    fertility = pd.read_csv(folder / f"{grid}_in_asfr.csv").set_index(["age", "year"]).to_xarray()
    srb = pd.read_csv(folder / f"{grid}_in_srb.csv").set_index("year").to_xarray()["srb"]
    out = pd.read_csv(folder / f"{grid}_out.csv")
    out = out.rename(columns={"method": "kind"}).drop_duplicates(["kind", "sex", "age", "year"])
    theirs = out.set_index(["kind", "sex", "age", "year"]).to_xarray()["net_mig"]
    checked = 0
    for year in theirs["year"].values:
        if year not in survival["year"].values or np.isnan(theirs.sel(year=year)).all():
            continue
        start, end = (population.sel(year=y, drop=True) for y in (year, year + width))
        women = (a.sel(sex="female") for a in (start, end))
        births = mp.births_from_rates(
            fertility["asfr"].sel(year=year, drop=True).dropna("age"),
            *women,
            float(srb.sel(year=year)),
            interval=width,
        )
        S = survival.sel(year=year, drop=True)
        options = {"births": births, "interval": width}
        forward, even = (
            mp.net_migration(start, end, S, method=m, **options)["net_migration"]
            for m in ("forward", "even")
        )
        now = theirs.sel(year=year).assign_coords(sex=[sexes[s] for s in theirs["sex"].values])
        now = now.sel(sex=forward["sex"].values)
        scale = float(abs(now).max())
        D = forward.transpose("sex", "age").values
        stock = now.sel(kind="stock").transpose("sex", "age")
        np.testing.assert_allclose(D, stock, rtol=0, atol=1e-10 * float(population.max()))
        time = now.sel(kind="time").transpose("sex", "age").values
        got = even.transpose("sex", "age").values
        np.testing.assert_allclose(got[:, :-1], time[:, :-1], rtol=0, atol=1e-9 * scale)
        S_ = S.transpose("sex", "age").values
        np.testing.assert_allclose(got[:, -1] * (1 + S_[:, -1]), time[:, -1], rtol=1e-7, atol=1e-7)
        middle = D / np.sqrt(S_)  # ours, "midpoint"
        ours = mp.net_migration(start, end, S, method="midpoint", **options)["net_migration"]
        np.testing.assert_allclose(ours.transpose("sex", "age"), middle, rtol=1e-12)
        cohort = now.sel(kind="cohort").transpose("sex", "age").values
        halves = middle / 2
        np.testing.assert_allclose(
            cohort[:, 1:-2], halves[:, 1:-2] + halves[:, 2:-1], rtol=1e-9, atol=1e-9 * scale
        )
        np.testing.assert_allclose(
            cohort[:, 0], middle[:, 0] + halves[:, 1], rtol=1e-9, atol=1e-9 * scale
        )
        np.testing.assert_allclose(cohort[:, -2], middle[:, -2], rtol=1e-9, atol=1e-9 * scale)
        np.testing.assert_allclose(cohort[:, -1], D[:, -1], rtol=1e-9, atol=1e-9 * scale)
        checked += 1
    assert checked >= 5


def test_manila_children_by_child_woman_ratio(reference):
    """Quarter and three quarters of the ratio, as UN (1992) has it; survivors of the others by the
    ratios of the national censuses."""
    table = pd.read_csv(reference / "migest/net_sr_manila_1970.csv")
    table = table[table["case"] == "children_true"]
    labels = list(table["age_1970"])
    coords = {"sex": ["female"], **bounds(labels)}

    def column(name, part=slice(None)):
        values = table[name].to_numpy(float)[None, part]
        return xr.DataArray(values, dims=("sex", "age"), coords={"sex": ["female"]})

    end = column("pop_1970").assign_coords(coords)
    lower = end["age"].values[2:] - 10
    start = column("pop_1960", slice(2, None)).assign_coords(mp.age_coords(lower))
    ratios = column("phl_census_sr").assign_coords(coords)
    for method in METHODS:
        got = mp.net_migration(
            start, end, ratios, method=method, children="child-woman", interval=10
        )["net_migration"]
        np.testing.assert_allclose(got, column(f"net_{method}"), rtol=1e-9)
