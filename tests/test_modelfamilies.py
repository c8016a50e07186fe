"""Coale and Demeny's families of model life tables."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import migproj as mp
from migproj.errors import SchemaError
from migproj.modelfamilies import _REGRESSIONS, model_life_table

FAMILIES = ["west", "north", "south"]
AGES = [0, 1, *range(5, 105, 5)]

#: Shares by age (0, 1-4, ..., 80-84, 85+) of the stationary populations that Coale and Demeny
#: print for West, levels 1, 3 and 8, in ten thousands.
STATIONARY = {
    ("female", 20.0): "381 1050 1124 1055 987 906 818 729 642 559 482 406 326 241 158 88 37 10 2",
    ("female", 25.0): "321 953 1053 1000 946 881 810 736 662 591 522 452 375 291 203 123 58 19 4",
    ("female", 37.5): "233 784 912 884 854 817 775 730 683 635 586 532 469 393 306 213 123 54 18",
    ("male", 18.03): "399 1066 1147 1085 1024 944 852 757 660 560 462 367 276 192 118 61 24 6 1",
    ("male", 22.85): "334 973 1079 1031 982 918 843 765 682 596 507 418 328 241 159 90 40 11 2",
    ("male", 34.88): "243 808 942 916 888 850 805 757 704 646 582 512 434 348 258 169 91 36 10",
}


def own_probabilities(made):
    """Probabilities of dying with the years lived of the model, 5-9 to 75-79."""
    m = made.values[2:17]
    years = np.array([2.25, *[2.6] * 13, 2.5])
    return 5 * m / (1 + (5 - years) * m)


@pytest.mark.parametrize(("sex", "e0"), STATIONARY)
def test_printed_stationary_populations(sex, e0):
    printed = np.array(STATIONARY[sex, e0].split(), dtype=float) / 1e4
    made = model_life_table("west", e0=e0, sex=sex)
    table = mp.life_table(made)
    survivors = table["lx"].values[2] * np.cumprod(np.r_[1, 1 - own_probabilities(made)])
    lived = -np.diff(survivors) / made.values[2:17]
    oldest = survivors[-1] * table["lx"].values[17:] / table["lx"].values[17]
    above_80 = -np.diff(np.r_[oldest, 0]) / made.values[17:]
    lived = np.r_[table["Lx"].values[:2], lived, above_80]
    shares = np.r_[lived[:18], lived[18:].sum()] / lived.sum()
    # half of the last digit printed, and as much again: our e0 is by Greville's years lived
    np.testing.assert_allclose(shares, printed, atol=1e-4)


def by_hand(family, sex, e10):
    """Probabilities of dying up to 79 by the regressions."""
    made = []
    for a, b, c, d in _REGRESSIONS[family][sex]:
        straight, curved = a + b * e10, 10 ** (c + d * e10) / 10_000
        if straight > curved:
            made.append((straight + curved) / 2)
        else:
            slope = d * np.log(10) * curved
            made.append(straight if b > slope else curved)
    return np.array(made)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("sex", ["female", "male"])
@pytest.mark.parametrize("e0", [23.0, 41.0, 58.0, 74.0])
def test_probabilities_are_those_of_the_regressions(family, sex, e0):
    """Of all ages by one and the same e10, which is found here from 5q75 alone."""
    made = model_life_table(family, e0=e0, sex=sex)
    assert made["age"].values.tolist() == AGES
    later = own_probabilities(made)
    low, high = 10.0, 95.0
    for _ in range(60):
        middle = (low + high) / 2
        above = by_hand(family, sex, middle)[16] > later[-1]
        low, high = (middle, high) if above else (low, middle)
    want = by_hand(family, sex, low)
    np.testing.assert_allclose(later, want[2:], rtol=1e-9)
    slope, most = (3.0, 0.35) if sex == "female" else (2.875, 0.33)
    infants = min((0.05 if sex == "female" else 0.0425) + slope * want[0], most)
    m0 = made.values[0]
    np.testing.assert_allclose(m0 / (1 + (1 - infants) * m0), want[0], rtol=1e-9)
    table = mp.life_table(made)
    np.testing.assert_allclose(table["ex"][0], e0, atol=1e-9)
    # ours has the years lived by those who die by other rules
    np.testing.assert_allclose(table["qx"][:13], want[:13], rtol=6e-3)
    np.testing.assert_allclose(table["qx"][13:17], want[13:], rtol=4.5e-2)


def test_oldest_ages_follow_gompertz():
    made = model_life_table("west", e0=60.0, sex="male")
    force = float(made.sel(age=75))
    q75 = 5 * force / (1 + 2.5 * force)
    rise = np.log((0.551 + 1.75 * q75) / force) / 27.5
    x = np.linspace(80, 160, 800_001)
    falls = np.exp(-(force / rise) * (np.exp(rise * (x - 77.5)) - np.exp(rise * 2.5)))
    for age in (80, 85, 90, 95, 100):
        part = (x >= age - 1e-9) & (x <= (age + 5 if age < 100 else 160) + 1e-9)
        deaths = falls[part][0] - falls[part][-1]
        np.testing.assert_allclose(
            made.sel(age=age), deaths / np.trapezoid(falls[part], x[part]), rtol=1e-6
        )


E0 = xr.DataArray(
    [[20.5, 45.0, 79.0], [19.0, 43.0, 75.0]],
    dims=("sex", "country"),
    coords={"sex": ["female", "male"], "country": ["A", "B", "C"]},
)


@settings(max_examples=6, deadline=None)
@given(
    family=st.sampled_from(FAMILIES),
    values=st.lists(st.floats(20, 76), min_size=4, max_size=4),
)
def test_life_tables_of_any_level(family, values):
    e0 = xr.DataArray(
        np.reshape(values, (2, 2)),
        dims=("country", "sex"),
        coords={"country": ["A", "B"], "sex": ["male", "female"]},
    )
    made = model_life_table(family, e0=e0)
    assert made.dims == ("country", "sex", "age")
    assert made.attrs["units"] == "1/year"
    table = mp.life_table(made)
    reached = table["ex"].sel(age=0, drop=True)
    # at m0 of 0.107 the years lived by infants jump by 0.0026, and e0 with them
    infants = made.sel(age=0, drop=True)
    near = abs(infants - 0.107) < 1e-4
    assert (abs(reached - e0) < xr.where(near, 0.02, 1e-9)).all()
    assert (table["lx"].diff("age") < 0).all()
    assert (table["ex"].sel(age=slice(5, None)).diff("age") < 0).all()
    turned = model_life_table(family, e0=e0.transpose().isel(sex=[1, 0], country=[1, 0]))
    again = turned.sel(e0.coords).transpose(*made.dims)
    np.testing.assert_allclose(again, made, rtol=1e-9)
    alone = model_life_table(family, e0=float(e0[1, 0]), sex="male")
    np.testing.assert_allclose(alone, made.isel(country=1, sex=0), rtol=1e-9)


def test_higher_life_expectancy_has_lower_rates():
    for family in FAMILIES:
        e0 = xr.DataArray(np.arange(21.0, 79, 2), dims="level", coords={"level": range(29)})
        made = model_life_table(family, e0=e0, sex="female")
        assert (made.isel(age=slice(0, 17)).diff("level") < 0).all()


def test_missing_stays_where_it_is():
    holed = E0.where((E0["country"] != "B") | (E0["sex"] != "male"))
    made, whole = model_life_table("south", e0=holed), model_life_table("south", e0=E0)
    assert made.sel(country="B", sex="male").isnull().all()
    for part in ({"sex": "female"}, {"country": ["A", "C"]}):
        np.testing.assert_allclose(made.sel(part), whole.sel(part), rtol=1e-12)


def test_lazy():
    pytest.importorskip("dask")
    made = model_life_table("north", e0=E0.chunk(country=2))
    assert made.chunks is not None
    np.testing.assert_allclose(made.compute(), model_life_table("north", e0=E0), rtol=1e-9)


def test_wrong_inputs():
    with pytest.raises(SchemaError, match="family: expected one of.*'west'.*got 'east'"):
        model_life_table("east", e0=50.0, sex="male")
    with pytest.raises(SchemaError, match="expected 'female' or 'male', got None"):
        model_life_table("west", e0=50.0)
    with pytest.raises(SchemaError, match="leave out sex"):
        model_life_table("west", e0=E0, sex="male")
    with pytest.raises(SchemaError, match="the levels of the model, got 1 other"):
        model_life_table("west", e0=78.0, sex="male")
    with pytest.raises(SchemaError, match="got 1 other value.*sex=male, country=C"):
        model_life_table("west", e0=E0.where(E0 != 75, 79.0))
    with pytest.raises(SchemaError, match="e0: expected years between 0 and 150"):
        model_life_table("west", e0=-3.0, sex="male")
    with pytest.raises(SchemaError, match="the dim 'age' is not expected"):
        model_life_table("west", e0=E0.rename(country="age"))
    with pytest.raises(SchemaError, match="e0: dim 'sex': expected the labels"):
        model_life_table("west", e0=E0.assign_coords(sex=["F", "M"]))
