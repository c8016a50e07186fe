"""The balance of the foreign-born and of natives abroad, and ages at migration."""

import numpy as np
import pytest
import xarray as xr

import migproj as mp
from test_exact import T, table

PLACES = ["ARG", "BOL", "CHL"]
AGES = mp.age_coords(range(0, 85, 5))


def says(error, *parts):
    return pytest.raises(error, match="(?s)" + ".*".join(parts))


@pytest.fixture
def rounds():
    rng = np.random.default_rng(8)
    coords = {"country": PLACES, "birthplace": [*PLACES, "rest"], "sex": ["female", "male"], **AGES}
    shape = [len(PLACES), len(PLACES) + 1, 2, 17]
    start, end = (
        xr.DataArray(
            rng.uniform(100, 1000, shape),
            dims=("country", "birthplace", "sex", "age"),
            coords=coords,
        )
        for _ in range(2)
    )
    return start.assign_coords(time=1980.806011), end.assign_coords(time=1991.367123)


@pytest.mark.filterwarnings("ignore:net_migration. survival ratios below 0.3")
@pytest.mark.parametrize("method", ["forward", "average"])
def test_a_balance_is_of_those_here_and_those_there(rounds, method):
    start, end = rounds
    result = mp.lifetime_migration(start, end, table(), method=method)
    assert result["net_migration"].dims == ("country", "sex", "age")
    one = mp.net_migration(start, end, table(), method=method, children="arrivals")
    one = one["net_migration"]
    for place in PLACES:
        others = [p for p in [*PLACES, "rest"] if p != place]
        foreign = one.sel(country=place, birthplace=others).sum("birthplace")
        natives = one.sel(birthplace=place, country=[p for p in PLACES if p != place])
        got = result.sel(country=place)
        np.testing.assert_allclose(got["net_foreign_born"], foreign, rtol=1e-9)
        np.testing.assert_allclose(got["net_natives_abroad"], natives.sum("country"), rtol=1e-9)
        np.testing.assert_allclose(
            got["net_migration"], foreign - natives.sum("country"), rtol=1e-9
        )
    # Among the places given what one gains of the others' natives the others lose.
    within = result["net_migration"].sum("country")
    rest = one.sel(birthplace="rest").sum("country")
    np.testing.assert_allclose(within, rest, rtol=1e-9, atol=1e-9)


def test_who_is_at_home_is_not_read(rounds):
    start, end = rounds
    want = mp.lifetime_migration(start, end, table(), method="forward")
    home = start.copy()
    for place in PLACES:
        home.loc[{"country": place, "birthplace": place}] = np.nan
    got = mp.lifetime_migration(home, end, table(), method="forward")
    xr.testing.assert_identical(got, want)


def test_stocks_that_are_none(rounds):
    start, end = rounds
    turned = start.isel(birthplace=[1, 0, 2, 3])
    with says(mp.AlignmentError, "start: dim 'birthplace'", "another order"):
        mp.lifetime_migration(turned, end, table())
    with says(mp.AlignmentError, "start: dim 'birthplace'", "missing"):
        mp.lifetime_migration(start.isel(birthplace=slice(1, None)), end, table())
    with says(mp.SchemaError, "birthplace"):
        mp.lifetime_migration(start.sum("birthplace"), end, table())
    with says(mp.AlignmentError, "end: dim 'birthplace'", "1 missing: .'rest'."):
        mp.lifetime_migration(start, end.isel(birthplace=slice(3)), table())


@pytest.mark.parametrize("years", [5, 10, 3.3, T])
def test_ages_at_migration_by_counting(years):
    """The areas as a count of many moments and ages of each cohort."""
    rng = np.random.default_rng(9)
    net = xr.DataArray(rng.normal(0, 100, 17), dims="age", coords=AGES)
    result = mp.age_at_migration(net, interval=years)
    np.testing.assert_allclose(result.sum(), net.sum(), rtol=1e-12)
    want = np.zeros(17)
    moments = (np.arange(2000) + 0.5) / 2000 * years
    for g in range(16):
        within = 5 * g + (np.arange(500) + 0.5) / 100
        ages = within[:, None] - moments
        ages = ages[ages >= 0]
        shares = np.histogram(ages, bins=[*range(0, 85, 5), 200])[0] / len(ages)
        want += float(net[g]) * shares
    want[-1] += float(net[-1])
    np.testing.assert_allclose(result, want, atol=0.01 * float(abs(net).max()))
    assert result["age_width"].values.tolist() == AGES["age_width"].values.tolist()


def test_halves_and_quarters():
    net = xr.DataArray(np.eye(17) * 8, dims=("cohort", "age"), coords=AGES)
    once = mp.age_at_migration(net, interval=5).values
    assert once[5].tolist() == [0] * 4 + [4, 4] + [0] * 11
    assert once[0].tolist() == [8] + [0] * 16
    twice = mp.age_at_migration(net, interval=10).values
    assert twice[6].tolist() == [0] * 4 + [2, 4, 2] + [0] * 10
    np.testing.assert_allclose(twice[1], [16 / 3, 8 / 3] + [0] * 15)  # born: 2/3 and 1/3
    assert twice[16].tolist() == [0] * 16 + [8]


def test_unknown_migrants_are_unknown_where_they_may_have_been():
    net = xr.DataArray(np.ones(17), dims="age", coords=AGES)
    net[6] = np.nan
    missing = mp.age_at_migration(net.assign_coords(period_width=10.0)).isnull().values
    assert missing.nonzero()[0].tolist() == [4, 5, 6]


def test_ages_that_are_none():
    net = xr.DataArray(np.ones(17), dims="age", coords=AGES)
    with says(mp.IntervalError, "interval: unknown"):
        mp.age_at_migration(net)
    several = net.expand_dims(period=[1990, 2000]).assign_coords(period_width=("period", [10, 10]))
    with says(mp.IntervalError, "interval: unknown", "scalar coordinate"):
        mp.age_at_migration(several)
    with says(mp.IntervalError, "above 0, got -5"):
        mp.age_at_migration(net, interval=-5)
    with says(mp.SchemaError, "expected ages from 0, got 5-9"):
        mp.age_at_migration(net.isel(age=slice(1, None)), interval=5)
