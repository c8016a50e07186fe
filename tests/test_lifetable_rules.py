"""Life tables by other rules, from qx or lx, and closed at other ages."""

import warnings

import numpy as np
import pytest
import xarray as xr

import migproj as mp

ABRIDGED = [0, 1, *range(5, 95, 5)]
RULES = [
    {"a0": a0, "ax": ax, "family": family}
    for a0 in ("coale-demeny", "andreev-kingkade", 0.2)
    for ax in ("greville", "half", "un")
    for family in (None, "east")
]


def rates(lower=ABRIDGED, countries=3):
    age = np.array(lower) + 0.5
    level = np.linspace(0.3, 2.0, countries * 2).reshape(countries, 2, 1)
    mx = level * (0.03 * np.exp(-1.2 * np.sqrt(age)) + 3e-5 * np.exp(0.095 * age))
    coords = {"country": list("ABCDEF"[:countries]), "sex": ["female", "male"]}
    return xr.DataArray(
        mx, dims=("country", "sex", "age"), coords={**coords, **mp.age_coords(lower)}
    )


@pytest.mark.parametrize("rules", RULES, ids=str)
@pytest.mark.parametrize("lower", [ABRIDGED, list(range(60))], ids=["abridged", "single"])
def test_rates_come_back(rules, lower):
    """They give qx back with a rate that goes on growing in the open-ended group."""
    mx = rates(lower)
    table = mp.life_table(mx, **rules)
    qx = table["qx"].isel(age=slice(0, -1))
    for given in ({"qx": table["qx"]}, {"lx": 1e5 * table["lx"]}):
        made = mp.death_rates(**given, **rules)
        assert made.dims == ("country", "sex", "age")
        assert made["age_width"].values.tolist() == mx["age_width"].values[:-1].tolist()
        # Rates by single years, and by n/2, have no neighbours; those far from the end feel none.
        alone = rules["ax"] == "half" or lower[2] == 2
        known = mx.isel(age=slice(0, -1 if alone else 10))
        np.testing.assert_allclose(made.isel(age=slice(0, known.sizes["age"])), known, rtol=1e-9)
        ends = made.isel(age=-1) ** 2 / made.isel(age=-2)
        longer = xr.concat([made.drop_vars("age_width"), ends.assign_coords(age=lower[-1])], "age")
        longer = longer.assign_coords(mx["age"].coords).assign_coords(age_width=mx["age_width"])
        # Survivors of 1e5 keep the fewest deaths of a group, 1e-4 of them, to 12 digits.
        np.testing.assert_allclose(
            mp.life_table(longer, **rules)["qx"].isel(age=slice(0, -1)), qx, rtol=1e-11
        )
    assert made.attrs["units"] == "1/year"


def test_rates_by_given_ax_and_closed_probabilities():
    table = mp.life_table(rates())
    closed = table.isel(age=slice(0, -1))
    made = mp.death_rates(qx=closed["qx"], ax=closed["ax"])
    np.testing.assert_allclose(made, closed["mx"], rtol=1e-12)
    lazy = mp.death_rates(qx=closed["qx"].chunk(country=1), ax=closed["ax"])
    assert lazy.chunks is not None
    xr.testing.assert_identical(lazy.compute(), made)


def test_rates_of_one_country_missing():
    qx = mp.life_table(rates())["qx"]
    holed = qx.where((qx["country"] != "B") | (qx["age"] != 30))
    made, full = mp.death_rates(qx=holed), mp.death_rates(qx=qx)
    xr.testing.assert_identical(made.sel(country=["A", "C"]), full.sel(country=["A", "C"]))
    missing = made.sel(country="B", sex="male").isnull()
    # Greville's rule asks the neighbours, and they theirs.
    assert missing["age"][missing].values.tolist() == list(range(15, 90, 5))


def test_a_jump_between_two_rates_is_told():
    """Andreev and Kingkade's a0 of males rises by 3e-6 at m0 = 0.08307, and q0 jumps with it."""
    coords = {"sex": "male", **mp.age_coords([0, 1, 5])}
    m0 = xr.DataArray([0.08307 - 1e-13, 0.08307], dims="side", coords={"side": [0, 1]})
    others = xr.DataArray([0.0, 0.02, 0.02], dims="age", coords=coords)
    below, above = mp.life_table(
        (others + m0 * (others["age"] == 0)).transpose("side", "age"), a0="andreev-kingkade"
    )["qx"].sel(age=0).values  # fmt: skip
    assert above - below > 1e-9
    qx = xr.DataArray([(below + above) / 2, 0.1, 1.0], dims="age", coords=coords)
    with pytest.warns(mp.DataQualityWarning, match="no rates give these probabilities back"):
        made = mp.death_rates(qx=qx, a0="andreev-kingkade")
    np.testing.assert_allclose(made[0], 0.08307, rtol=1e-6)


def test_infant_mortality_given():
    mx = rates()
    q0 = xr.DataArray([0.01, 0.05, 0.15], dims="country", coords={"country": list("ABC")})
    table = mp.life_table(mx, q0=q0, family="north")
    assert table["mx"].dims == mx.dims
    np.testing.assert_array_equal(table["qx"].sel(age=0), q0.expand_dims(sex=2, axis=1))
    female, male = (table["ax"].sel(age=0, sex=sex).values for sex in ("female", "male"))
    np.testing.assert_allclose(female, [0.05 + 3 * 0.01, 0.05 + 3 * 0.05, 0.35], rtol=1e-14)
    np.testing.assert_allclose(male, [0.0425 + 2.875 * 0.01, 0.0425 + 2.875 * 0.05, 0.33])
    at_one = table["ax"].sel(age=1, sex="female")
    np.testing.assert_allclose(at_one, [1.733 - 1.627 * 0.01, 1.733 - 1.627 * 0.05, 1.57])
    xr.testing.assert_equal(table["mx"].isel(age=slice(1, None)), mx.isel(age=slice(1, None)))
    # The table of the rates that come out is the same one but for a0 by m0, West.
    again = mp.life_table(table["mx"], ax=table["ax"])
    np.testing.assert_allclose(again["ex"], table["ex"], rtol=1e-13)


def test_both_sexes_together():
    mx = rates().isel(sex=0, drop=True)
    by_sex = [mp.life_table(mx.assign_coords(sex=sex))["ax"] for sex in ("female", "male")]
    both = mp.life_table(mx, sex_ratio_at_birth=1.05)["ax"]
    want = (by_sex[0].drop_vars("sex") + 1.05 * by_sex[1].drop_vars("sex")) / 2.05
    np.testing.assert_allclose(both.isel(age=slice(0, 2)), want.isel(age=slice(0, 2)), rtol=1e-14)
    ratio = xr.DataArray([1.03, np.nan, 1.1], dims="country", coords={"country": list("ABC")})
    table = mp.life_table(mx, sex_ratio_at_birth=ratio)
    assert table["ex"].isnull().any("age").values.tolist() == [False, True, False]


@pytest.mark.parametrize("age", [1, 60, 85, 90])
def test_closed_at(age):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = mp.life_table(rates(), radix=1e5)
    closed = mp.close_life_table(table, age)
    at = table.sel(age=age)
    assert closed["age_width"].values[-1] == np.inf
    last = closed.isel(age=-1)
    np.testing.assert_array_equal(last["Lx"], at["Tx"])
    np.testing.assert_array_equal(last["dx"], at["lx"])
    np.testing.assert_array_equal(last["ax"], at["ex"])
    np.testing.assert_array_equal(last["qx"], 1.0)
    np.testing.assert_allclose(last["mx"] * last["ex"], 1.0, rtol=1e-15)
    younger = slice(None, age - 1)
    xr.testing.assert_identical(closed.sel(age=younger), table.sel(age=younger))
    if age == 90:
        xr.testing.assert_allclose(closed, table)
    # A table of the closed rates is the same table, given its ax.
    again = mp.life_table(closed["mx"], ax=closed["ax"].where(closed["age_width"] < 1e9, 0.0))
    np.testing.assert_allclose(again["ex"], closed["ex"], rtol=1e-13)


@pytest.mark.parametrize(
    ("call", "parts"),
    [
        (lambda mx, t: mp.life_table(mx, family="oeste"), "family: expected one of.*'oeste'"),
        (
            lambda mx, t: mp.life_table(mx, q0=34.0),
            "q0: expected probabilities from 0 to 1, got 34",
        ),
        (
            lambda mx, t: mp.life_table(mx[..., 3:], q0=0.1),
            "q0: expected with a first group.*10-14",
        ),
        (
            lambda mx, t: mp.life_table(mx, sex_ratio_at_birth=1.05),
            "sex_ratio_at_birth: expected with both sexes together, got mx by sex",
        ),
        (
            lambda mx, t: mp.life_table(mx[:, 0].drop_vars("sex"), sex_ratio_at_birth=105.0),
            "sex_ratio_at_birth",
        ),
        (lambda mx, t: mp.death_rates(), "qx, lx: expected one of them, got none"),
        (lambda mx, t: mp.death_rates(qx=1e3 * t["qx"]), "qx: expected probabilities up to 1"),
        (lambda mx, t: mp.death_rates(qx=-t["qx"]), "qx: expected"),
        (
            lambda mx, t: mp.death_rates(lx=t["lx"][..., ::-1].drop_vars("age_width")),
            "lx: dim 'age'",
        ),
        (
            lambda mx, t: mp.death_rates(lx=t["lx"].where(t["age"] != 20, 2.0)),
            "lx: expected survivors that do not rise with age.*age=15",
        ),
        (
            lambda mx, t: mp.death_rates(qx=t["qx"], ax=t["ax"]),
            "ax: dim 'age': expected the groups",
        ),
        (lambda mx, t: mp.close_life_table(t, 87), "age: expected a lower bound.*got 87"),
        (lambda mx, t: mp.close_life_table(t[["lx"]], 85), "it lacks"),
    ],
)
def test_wrong_inputs(call, parts):
    mx = rates()
    with pytest.raises(mp.SchemaError, match=parts):
        call(mx, mp.life_table(mx))
