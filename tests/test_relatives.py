"""Emigrants from what mothers say of where their children live."""

import numpy as np
import pytest
import xarray as xr

import migproj as mp

CHILDREN = mp.age_coords(range(0, 85, 5))
MOTHERS = mp.age_coords(range(15, 75, 5), open_ended=False)


def says(error, *parts):
    return pytest.raises(error, match="(?s)" + ".*".join(parts))


def mothers(values, **more):
    coords = {"mother_age": MOTHERS["age"].values}
    array = xr.DataArray(values, dims=("mother_age",), coords=coords)
    return array.assign_coords(mother_age_width=("mother_age", MOTHERS["age_width"].values))


@pytest.fixture
def table():
    rates = 0.03 * np.exp(-2.0 * np.arange(81)) + 0.0004 * np.exp(0.08 * np.arange(81))
    mx = xr.DataArray(rates, dims="age", coords=mp.age_coords(range(81)))
    return mp.life_table(mx.assign_coords(sex="female")).drop_vars("sex")


@pytest.fixture
def fertility():
    rates = [0.07, 0.21, 0.22, 0.16, 0.1, 0.04, 0.01]
    return xr.DataArray(rates, dims="age", coords=mp.age_coords(range(15, 50, 5), open_ended=False))


def reported(share, table, fertility):
    """Children abroad and in the country by age of mother, woman by woman and year by year."""
    alive = mp.survival_ratios(table, ages=range(81), interval=1)
    lived = np.cumprod(alive.values)
    rates = np.repeat(fertility.values, 5)
    away, home = np.zeros(12), np.zeros(12)
    for mother in range(15, 75):
        for child in range(mother - 14):
            at_birth = mother - child
            if at_birth < 50:
                living = 1000 * rates[at_birth - 15] * lived[child]
                away[(mother - 15) // 5] += living * share(child + 0.5)
                home[(mother - 15) // 5] += living * (1 - share(child + 0.5))
    return mothers(away), mothers(home)


def test_by_age_of_the_children():
    """Half of the mothers are gone or dead: the same proportion of children is told of."""
    rng = np.random.default_rng(1)
    coords = {"sex": ["female", "male"], **CHILDREN}
    born = xr.DataArray(rng.uniform(1e4, 1e5, (2, 17)), dims=("sex", "age"), coords=coords)
    gone = xr.DataArray(rng.uniform(0, 0.4, (2, 17)), dims=("sex", "age"), coords=coords)
    told = xr.DataArray(np.linspace(0.9, 0.05, 17), dims="age", coords=CHILDREN)
    got = mp.emigrants_from_children(
        born * gone * told, born * (1 - gone) * told, born * (1 - gone)
    )
    np.testing.assert_allclose(got["natives_abroad"], born * gone, rtol=1e-12)
    np.testing.assert_allclose(got["share_abroad"], gone, rtol=1e-12)
    assert got["natives_abroad"].attrs["units"] == "persons"


def test_by_age_of_the_mother(table, fertility):
    """A share that rises with age in a straight line comes back as it was."""

    def share(age):
        return 0.02 + 0.005 * age

    abroad, resident = reported(share, table, fertility)
    people = xr.DataArray(np.full(17, 1000.0), dims="age", coords=CHILDREN)
    got = mp.emigrants_from_children(
        abroad, resident, people, fertility=fertility, life_table=table
    )
    mean = got["mean_age"].values
    assert (np.diff(mean) > 0).all()
    middle = CHILDREN["age"].values + 2.5
    within = (middle >= mean[0]) & (middle <= mean[-1]) & (middle < 80)
    want = np.where(within, share(middle), np.nan)
    np.testing.assert_allclose(got["share_abroad"], want, rtol=1e-12)
    assert 0 < within.sum() < 17
    np.testing.assert_allclose(got["natives_abroad"], 1000 * want / (1 - want), rtol=1e-12)


def test_a_bend_is_followed(table, fertility):
    """Nobody leaves before 15, then more and more: the mean hides the bend, by 3 points at most."""

    def share(age):
        return 0.3 * np.clip((age - 15) / 20, 0, 1)

    abroad, resident = reported(share, table, fertility)
    people = xr.DataArray(np.full(17, 1000.0), dims="age", coords=CHILDREN)
    got = mp.emigrants_from_children(
        abroad, resident, people, fertility=fertility, life_table=table
    )["share_abroad"]
    off = got - share(got["age"] + 2.5)
    assert np.abs(off).max() < 0.031


def test_dims_and_chunks(table, fertility):
    abroad, resident = reported(lambda age: 0.1 + 0 * age, table, fertility)
    by = xr.DataArray([1.0, 2.0], dims="country", coords={"country": ["BOL", "PER"]})
    people = by * xr.DataArray(np.full(17, 1000.0), dims="age", coords=CHILDREN)
    models = {"fertility": fertility, "life_table": table}
    got = mp.emigrants_from_children((abroad * by).T, resident * by, people.T, **models)
    assert got["natives_abroad"].dims == ("country", "age")
    lazy = mp.emigrants_from_children(
        (abroad * by).chunk(country=1), resident * by, people, **models
    )
    xr.testing.assert_allclose(lazy.compute(), got)
    known = got["natives_abroad"].dropna("age")
    np.testing.assert_allclose(known, 1000 / 9 * by.values[:, None] * np.ones(known.shape))


def test_nobody_told_of_is_not_nobody_abroad():
    ages = mp.age_coords([0, 5, 10])
    none, some = (xr.DataArray(x, dims="age", coords=ages) for x in ([0.0, 0, 3], [0.0, 9, 0]))
    got = mp.emigrants_from_children(none, some, some + 10)["natives_abroad"]
    np.testing.assert_array_equal(got, [np.nan, 0, np.nan])


def test_wrong(table, fertility):
    abroad, resident = reported(lambda age: 0.1, table, fertility)
    people = xr.DataArray(np.full(17, 1000.0), dims="age", coords=CHILDREN)
    models = {"fertility": fertility, "life_table": table}
    with says(mp.SchemaError, "fertility, life_table: expected both"):
        mp.emigrants_from_children(abroad, resident, people, fertility=fertility)
    with says(mp.SchemaError, "fertility, life_table: not used"):
        mp.emigrants_from_children(people, people, people, **models)
    with says(mp.AlignmentError, "abroad: dim 'age': expected the groups of population"):
        wide = mp.regroup_ages(people, range(0, 90, 10))
        mp.emigrants_from_children(wide, wide, people)
    with says(mp.SchemaError, "abroad: dim 'mother_age': expected closed age groups"):
        bare = [a.drop_vars("mother_age_width") for a in (abroad, resident)]
        mp.emigrants_from_children(*bare, people, **models)
    with says(mp.SchemaError, "abroad: expected the dim", "'sex'"):
        by_sex = people.expand_dims(sex=["female", "male"])
        mp.emigrants_from_children(abroad, resident, by_sex, **models)
    with says(mp.SchemaError, "resident"):
        mp.emigrants_from_children(abroad, -resident, people, **models)
