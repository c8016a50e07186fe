import csv
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import migproj as mp
from migproj import datasets
from migproj.conventions import VARIABLES

NAMES = [
    "alabama_1960",
    "alabama_1960_1970",
    "alabama_1970",
    "bombay_1941",
    "bombay_1941_1951",
    "bombay_1951",
    "imila_table_1",
    "imila_table_2",
    "imila_table_4",
    "imila_table_5",
    "india_1921_1931",
    "manila_1960",
    "manila_1960_1970",
    "manila_1970",
    "new_england_1950",
    "new_england_1960",
    "rogers_castro_models",
    "us_1950",
    "us_1960",
]
INTERVALS = [
    ("bombay_1941", "bombay_1951", "bombay_1941_1951"),
    ("manila_1960", "manila_1970", "manila_1960_1970"),
    ("alabama_1960", "alabama_1970", "alabama_1960_1970"),
]


def published(reference, name, **options):
    return pd.read_csv(reference / "published" / f"{name}.csv", **options)


def labels(ages):
    """The reference files' age labels, as the library writes them."""
    return [age.replace("--", "-") for age in ages]


def column(array, **selected):
    """An array over age as a Series by printed label."""
    array = array.sel(selected).squeeze(drop=True)
    widths = array["age_width"].values
    index = [
        f"{low}+" if np.isinf(width) else f"{low}-{low + width - 1:.0f}"
        for low, width in zip(array["age"].values, widths, strict=True)
    ]
    return pd.Series(array.values, index)


def assert_printed(array, ages, figures, **selected):
    expected = pd.Series(np.asarray(figures, dtype=float), labels(ages))
    pd.testing.assert_series_equal(column(array, **selected), expected, check_exact=True)


# Loading -------------------------------------------------------------------------------------


def test_names_and_titles():
    assert datasets.names() == NAMES
    assert list(datasets.titles()) == NAMES
    assert all(datasets.titles().values())


def test_an_unknown_name_gets_the_close_ones_and_all_names():
    with pytest.raises(mp.SchemaError) as error:
        datasets.load("bombay_1942")
    message = str(error.value)
    assert "'bombay_1942'" in message
    close, everything = message.split("There are")
    assert "Did you mean" in close
    assert "'bombay_1941'" in close
    assert "imila" not in close
    assert all(name in everything for name in NAMES)


def test_a_name_like_no_other_gets_no_guess():
    with pytest.raises(mp.SchemaError, match=r"'xyz'\. There are \['alabama_1960'"):
        datasets.load("xyz")


@pytest.mark.parametrize("name", NAMES)
def test_every_dataset_says_what_it_is(name):
    table = datasets.load(name)
    assert table.attrs["title"] == datasets.titles()[name]
    assert all(table.attrs[key] for key in ("source", "table", "licence", "units"))
    for variable, array in table.data_vars.items():
        assert array.dtype == np.float64
        assert array.attrs["long_name"]
        assert f"{variable}: {array.attrs['units']}" in table.attrs["units"]


@pytest.mark.parametrize("name", NAMES)
def test_units_are_those_of_the_library(name):
    for variable, array in datasets.load(name).data_vars.items():
        if variable in VARIABLES and variable != "stock":
            assert array.attrs["units"] == VARIABLES[variable].units, variable


@pytest.mark.parametrize("name", NAMES)
def test_labels_follow_the_conventions(name):
    table = datasets.load(name)
    assert set(table.dims) <= set(table.coords)
    if "age" in table.dims:
        assert table["age"].dtype == np.int64
        assert np.isinf(table["age_width"].values[-1])
        assert np.isfinite(table["age_width"].values[:-1]).all()
    if "sex" in table.dims:
        assert set(table["sex"].values) <= {"female", "male"}
    for coord in table.coords.values():
        assert coord.dtype.kind in "ifO"  # strings of variable length
        if coord.dtype.kind == "O":
            assert all(label == label.strip() for label in np.ravel(coord.values))


@pytest.mark.parametrize("name", NAMES)
def test_every_figure_is_typed_once(name):
    """A figure typed twice would overwrite the first; the loader does not look."""
    with files(datasets).joinpath(f"{name}.csv").open(encoding="utf-8") as file:
        cells = [tuple(row.values())[:-1] for row in csv.DictReader(file)]
    assert len(set(cells)) == len(cells)


def test_each_load_is_its_own():
    first = datasets.load("bombay_1941")
    first["population"][:] = 0
    first["population"].attrs["units"] = "spoilt"
    first.attrs["title"] = "spoilt"
    second = datasets.load("bombay_1941")
    assert second["population"].min() > 0
    assert second["population"].attrs["units"] == "persons"
    assert second.attrs["title"] != "spoilt"


@pytest.mark.parametrize("name", NAMES)
def test_datasets_survive_netcdf(name, tmp_path):
    pytest.importorskip("h5netcdf")
    table = datasets.load(name)
    table.to_netcdf(tmp_path / "table.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "table.nc", engine="h5netcdf") as back:
        xr.testing.assert_equal(back.load(), table)
        assert back.attrs == table.attrs


@pytest.mark.parametrize(
    ("name", "year"),
    [(name, int(name[-4:])) for pair in INTERVALS for name in pair[:2]]
    + [(f"{place}_{year}", year) for place in ("new_england", "us") for year in (1950, 1960)],
)
def test_a_round_has_its_year(name, year):
    time = datasets.load(name)["time"]
    assert time.ndim == 0
    assert time.item() == float(year)


@pytest.mark.parametrize(("start", "end", "between"), INTERVALS)
def test_an_interval_lies_on_the_groups_of_its_end(start, end, between):
    first, last, table = (datasets.load(name) for name in (start, end, between))
    xr.testing.assert_identical(table["age"].drop_vars(_own(table)), last["age"].drop_vars("time"))
    assert table["period"].item() == first["time"].item()
    assert table["period_width"].item() == 10.0
    np.testing.assert_array_equal(table["age_start"], table["age"] - 10)
    survivors = table["age_start"].values >= 0
    np.testing.assert_array_equal(table["age_start"].values[survivors], first["age"])


def _own(table):
    return ["period", "period_width", "age_start"]


def test_birthplaces_of_new_england_and_the_united_states_are_the_same():
    rounds = [datasets.load(f"{p}_{y}") for p in ("new_england", "us") for y in (1950, 1960)]
    for table in rounds:
        assert table.indexes["birthplace"].equals(rounds[0].indexes["birthplace"])
    assert list(rounds[0]["birthplace"].values[[0, -2, -1]]) == [
        "New England",
        "Mountain States",
        "Pacific",
    ]


# Sums as printed ------------------------------------------------------------------------------


def test_alabama_adds_up_to_the_printed_totals():
    end, table = datasets.load("alabama_1970"), datasets.load("alabama_1960_1970")
    np.testing.assert_array_equal(end["population"].sum("age"), end["population_total"])
    for name in ("expected", "net_migration", "net_migration_average"):
        np.testing.assert_array_equal(table[name].sum("age"), table[f"{name}_total"], err_msg=name)
    at_start = table["births"].sum("age") + datasets.load("alabama_1960")["population"].sum("age")
    np.testing.assert_array_equal(at_start, table["births_and_population_total"])


def test_alabama_births_stand_in_the_groups_the_children_arrive_in():
    births = datasets.load("alabama_1960_1970")["births"]
    assert np.isfinite(births.sel(age=[0, 5])).all()
    assert np.isnan(births.sel(age=slice(10, None))).all()


@pytest.mark.parametrize("year", [1950, 1960])
def test_new_england_adds_up_to_the_printed_totals(year):
    table = datasets.load(f"new_england_{year}")
    population = table["population"]
    np.testing.assert_array_equal(population.sum("age"), table["population_all_ages"])
    np.testing.assert_array_equal(population.sum("birthplace"), table["population_all_birthplaces"])
    np.testing.assert_array_equal(population.sum(["birthplace", "age"]), table["population_total"])


@pytest.mark.parametrize("year", [1950, 1960])
def test_the_united_states_add_up_to_the_printed_totals(year):
    table = datasets.load(f"us_{year}")
    np.testing.assert_array_equal(table["population"].sum("age"), table["population_all_ages"])


@pytest.mark.parametrize(("start", "end", "between"), INTERVALS)
def test_printed_rows_follow_from_one_another(start, end, between):
    """Expected = ratio × start to the rounding (Bogue's to 0.7), net = end − expected."""
    first, last, table = (datasets.load(name) for name in (start, end, between))
    place = {"region": "Manila"} if "region" in first.dims else {}
    before, after = (table["population"].sel(place) for table in (first, last))
    survivors = table.sel(age=slice(10, None))
    # Row by row: that the rows stand on the same cohorts is tested above.
    expected = survivors["survival"].values * before.values
    assert np.abs(expected - survivors["expected"]).max() < 0.7
    net = after.sel(age=slice(10, None)).values - survivors["expected"].values
    np.testing.assert_array_equal(net, survivors["net_migration"])


def test_bombay_total():
    assert datasets.load("bombay_1941_1951")["net_migration"].sum() == 562_043


def test_manila_total_is_one_off_the_print():
    table = datasets.load("manila_1960_1970")
    assert table["net_migration"].sum() == -40_223
    assert "-40,224" in table.attrs["print_errors"]


def test_manila_prints_no_ratios_for_children():
    table = datasets.load("manila_1960_1970")
    for name in ("survival", "expected"):
        assert np.isnan(table[name].sel(age=[0, 5])).all()
        assert np.isfinite(table[name].sel(age=slice(10, None))).all()
    assert np.isfinite(table["net_migration"]).all()


def test_india_is_one_open_age_group():
    table = datasets.load("india_1921_1931")
    assert table["population"].dims == ("direction", "state", "time", "sex", "age")
    assert table["age"].values.tolist() == [0]
    assert table["age_width"].values.tolist() == [np.inf]
    assert table["survival"].dims == ("age",)
    assert table["survival"].item() == 0.81


# Against the reference files ------------------------------------------------------------------


def test_bombay_is_as_published(reference):
    frame = published(reference, "un_manual6_table24_bombay_males_1941_1951")
    assert_printed(
        datasets.load("bombay_1941")["population"], frame["age_start"], frame["pop_1941"]
    )
    assert_printed(datasets.load("bombay_1951")["population"], frame["age_end"], frame["pop_1951"])
    table = datasets.load("bombay_1941_1951")
    assert_printed(table["survival"], frame["age_end"], frame["survival_ratio"])
    assert_printed(table["expected"], frame["age_end"], frame["expected_1951_published"])
    assert_printed(table["net_migration"], frame["age_end"], frame["net_forward_published"])


def test_manila_is_as_published(reference):
    frame = published(reference, "un1992_table6_manila_females_1960_1970")
    start, end = datasets.load("manila_1960")["population"], datasets.load("manila_1970")
    ages = [*(f"{low}-{low + 4}" for low in range(0, 65, 5)), "65+"]
    for region, place in (("Philippines", "phl"), ("Manila", "manila")):
        assert_printed(start, ages, frame[f"{place}_pop_1960"].dropna(), region=region)
        assert_printed(
            end["population"], frame["age_1970"], frame[f"{place}_pop_1970"], region=region
        )
    table = datasets.load("manila_1960_1970")
    for variable, name in (
        ("survival", "csr"),
        ("expected", "expected_1970_published"),
        ("net_migration", "net_published"),
    ):
        assert_printed(table[variable], frame["age_1970"], frame[name])


@pytest.mark.parametrize("race", ["white", "non-white"])
@pytest.mark.parametrize("sex", ["female", "male"])
def test_alabama_is_as_published(reference, race, sex):
    frame = published(reference, "bogue1982_alabama_1960_1970")
    frame = frame[frame["race"] == race].filter(regex=f"^{sex}_")
    frame.columns = frame.columns.str.removeprefix(f"{sex}_")
    cells, total = frame.iloc[:-1], frame.iloc[-1]
    here = {"race": race, "sex": sex}
    ages = [*(f"{low}-{low + 4}" for low in range(0, 70, 5)), "70+"]
    start, end = datasets.load("alabama_1960"), datasets.load("alabama_1970")
    table = datasets.load("alabama_1960_1970")
    assert_printed(start["population"], ages, cells["pop_1960"].iloc[2:], **here)
    assert_printed(end["population"], cells["age_1970"], cells["pop_1970"], **here)
    births = cells["pop_1960"].where(cells["age_1970"].isin(["0--4", "5--9"]))
    assert_printed(table["births"], cells["age_1970"], births, **here)
    for variable, name in (
        ("survival", "sr"),
        ("expected", "pop_exp_1970"),
        ("net_migration", "net_forward"),
        ("net_migration_average", "net_average"),
    ):
        assert_printed(table[variable], cells["age_1970"], cells[name], **here)
        if variable != "survival":
            assert table[f"{variable}_total"].sel(here).item() == total[name]
    assert end["population_total"].sel(here).item() == total["pop_1970"]
    assert table["births_and_population_total"].sel(here).item() == total["pop_1960"]


@pytest.mark.parametrize("year", [1950, 1960])
def test_new_england_is_as_published(reference, year):
    frame = published(reference, "un_manual6_tables8-10_new_england_birthplace_1950_1960_males")
    frame = frame[frame["year"] == year].rename(columns=str.strip)
    cells, total = frame.iloc[:-1], frame.iloc[-1]
    table = datasets.load(f"new_england_{year}")
    assert list(table["birthplace"].values) == list(frame.columns[2:-1])
    for birthplace in table["birthplace"].values:
        assert_printed(table["population"], cells["age"], cells[birthplace], birthplace=birthplace)
        printed = table["population_all_ages"].sel(birthplace=birthplace).item()
        assert printed == total[birthplace]
    assert_printed(table["population_all_birthplaces"], cells["age"], cells["Total"])
    assert table["population_total"].item() == total["Total"]


@pytest.mark.parametrize("year", [1950, 1960])
def test_the_united_states_are_as_published(reference, year):
    frame = published(reference, "eldridge_kim1968_tableD_us_birthplace_1950_1960")
    frame = frame[frame["year"] == year]
    table = datasets.load(f"us_{year}")
    assert list(table["birthplace"].values) == list(frame["place_of_birth"].unique())
    for race in ("white", "non-white"):
        for sex in ("female", "male"):
            for birthplace, rows in frame.groupby("place_of_birth"):
                here = {"race": race, "sex": sex, "birthplace": birthplace}
                figures = rows[f"{race}_{sex}"]
                assert_printed(table["population"], rows["age"][:-1], figures[:-1], **here)
                assert table["population_all_ages"].sel(here).item() == figures.iloc[-1]


def test_new_england_goes_with_the_ratios_of_white_males(reference):
    frame = published(reference, "un_manual6_new_england_birthplace_residual_calc")
    start, end = datasets.load("us_1950")["population"], datasets.load("us_1960")["population"]
    for birthplace, rows in frame.groupby("birthplace"):
        here = {"race": "white", "sex": "male", "birthplace": birthplace}
        assert_printed(start, rows["age_1950"], rows["us_born_there_1950"], **here)
        assert_printed(end, rows["age_1960"], rows["us_born_there_1960"], **here)


def test_india_is_as_published(reference):
    frame = published(reference, "zachariah_india_males_1921_1931_birthplace_totals")
    table = datasets.load("india_1921_1931")
    population = table["population"].squeeze(["sex", "age"])
    assert population.size == 2 * len(frame)
    for row in frame.itertuples():
        here = population.sel(direction=row.location, state=row.state)
        assert here.sel(time=1921).item() == row.pop_1921
        assert here.sel(time=1931).item() == row.pop_1931
    assert set(frame["sr"]) == {table["survival"].item()}


def test_schedules_are_as_published(reference):
    frame = pd.read_csv(reference / "migest" / "rc_model_parameters.csv")
    table = datasets.load("rogers_castro_models")["parameters"]
    short = ["fund", "ws", "ld", "hd", "ylfe", "olfe", "ldllfe"]
    named = dict(zip(short, table["schedule"].values, strict=True))
    for row in frame.itertuples():
        for sex in ("female", "male") if row.sex == "both" else (row.sex,):
            here = {"schedule": named[row.schedule_abb], "sex": sex, "parameter": row.param}
            assert table.sel(here).item() == row.value
    # The fundamental schedule, of both, stands under each.
    assert table.size == len(frame) + 7
