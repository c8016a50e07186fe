"""From a tidy table to a checked round: nobody is lost, and errors say where to look."""

import itertools

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import migproj as mp

FIXED = settings(
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=25,
    phases=(Phase.explicit, Phase.generate),
)
AGES = ["0-4", "5-9", "10-14", "15+"]
COUNTRIES = ["ARG", "NA", "032x"]
PLACES = ["BOL", "CHL", "not stated"]
#: Sums of the same numbers in another order.
ROUNDING = 1e-12


def says(error, *parts):
    return pytest.raises(error, match="(?s)" + ".*".join(parts))


def tidy(seed=1, ages=(*AGES, "unknown"), sexes=("F", "M", "unknown"), **more):
    """A table with every combination, people of unknown age and sex among them."""
    labels = {"country": COUNTRIES, "birthplace": PLACES, "sex": sexes, "age": ages} | more
    rows = list(itertools.product(*labels.values()))
    frame = pd.DataFrame(rows, columns=list(labels))
    return frame.assign(population=np.random.default_rng(seed).integers(1, 1000, len(rows)))


def known(seed=1, **more):
    return tidy(seed, ages=AGES, sexes=("F", "M"), **more)


BOTH = {"unknown_age": "pro rata", "unknown_sex": "pro rata"}


def total(table):
    return float(table["population"].sum())


def reference(frame):
    """Pro rata of one country and birthplace, cell by cell."""
    people = frame.set_index(["sex", "age"])["population"].to_dict()
    result = {}
    for sex in ("F", "M"):
        for age in AGES:
            by_sex = sum(people[sex, a] for a in AGES)
            by_age = sum(people[s, age] for s in ("F", "M"))
            whole = sum(people[s, a] for s in ("F", "M") for a in AGES)
            share = people[sex, "unknown"] / by_sex + people["unknown", age] / by_age
            share += people["unknown", "unknown"] / whole
            result[sex, age] = people[sex, age] * (1 + share)
    return result


def test_a_plain_table():
    frame = known()
    made = mp.census.round(frame)
    assert list(made) == ["population"]
    people = made["population"]
    assert people.dims == ("country", "birthplace", "sex", "age")
    assert people["country"].values.tolist() == sorted(COUNTRIES)
    assert people["sex"].values.tolist() == ["female", "male"]
    assert people["age"].values.tolist() == [0, 5, 10, 15]
    assert people["age_width"].values.tolist() == [5, 5, 5, np.inf]
    assert people.attrs["units"] == "persons"
    for row in frame.itertuples():
        sex = {"F": "female", "M": "male"}[row.sex]
        age = int(row.age.rstrip("+").split("-")[0])
        cell = people.sel(country=row.country, birthplace=row.birthplace, sex=sex, age=age)
        assert float(cell) == row.population


def test_unknown_pro_rata_is_the_formula():
    frame = tidy()
    made = mp.census.round(frame, **BOTH)
    for (country, birthplace), part in frame.groupby(["country", "birthplace"]):
        want = reference(part)
        got = made["population"].sel(country=country, birthplace=birthplace)
        np.testing.assert_allclose(
            got.values.ravel(), [want[s, a] for s in "FM" for a in AGES], rtol=ROUNDING
        )
    of_age, of_sex = frame["age"] == "unknown", frame["sex"] == "unknown"
    for name, rows in (
        ("unknown_age_distributed", of_age & ~of_sex),
        ("unknown_sex_distributed", of_sex & ~of_age),
        ("unknown_age_and_sex_distributed", of_age & of_sex),
    ):
        assert float(made[name].sum()) == total(frame[rows])
        assert made[name].attrs["units"] == "persons"
    assert made["unknown_age_distributed"].dims == ("country", "birthplace", "sex")
    assert made["unknown_sex_distributed"].dims == ("country", "birthplace", "age")


@FIXED
@given(
    seed=st.integers(0, 10**6),
    columns=st.permutations(["country", "birthplace", "sex", "age", "population"]),
    spread=st.booleans(),
    factor=st.floats(1.0, 1.2),
)
def test_any_order_and_form_and_nobody_is_lost(tmp_path_factory, seed, columns, spread, factor):
    frame = tidy(seed)
    options = BOTH | ({"distribute_birthplace": ["not stated"]} if spread else {})
    want = mp.census.round(frame, **options)
    np.testing.assert_allclose(float(want["population"].sum()), total(frame), rtol=ROUNDING)
    by_country = want["population"].sum(["birthplace", "sex", "age"]).to_series()
    np.testing.assert_allclose(
        by_country, frame.groupby("country")["population"].sum(), rtol=ROUNDING
    )
    shuffled = frame.sample(frac=1, random_state=seed % 1000)[columns]
    path = tmp_path_factory.mktemp("round") / "table.csv"
    shuffled.to_csv(path, index=False)
    polars = pytest.importorskip("polars")
    forms = [shuffled, polars.from_dict(shuffled.to_dict("list")), path]
    for form in forms:
        got = mp.census.round(form, **options)
        xr.testing.assert_allclose(got.transpose(*want.dims), want, rtol=ROUNDING)
    corrected = mp.census.round(
        frame, **options, coverage=factor, time=2000, date=2003, growth=0.01
    )
    added = corrected["coverage_adjustment"].sum() + corrected["date_adjustment"].sum()
    np.testing.assert_allclose(
        float(corrected["population"].sum() - added), total(frame), rtol=ROUNDING
    )
    grown = factor * np.exp(0.03) * want["population"]
    xr.testing.assert_allclose(
        corrected["population"].drop_vars("time"), grown.rename("population"), rtol=ROUNDING
    )


@pytest.mark.parametrize(
    ("labels", "lower", "last"),
    [
        (["0-4", "5 - 9", " 10–14 ", "15 +"], [0, 5, 10, 15], np.inf),
        (["Under 1", "1-4", "5 to 9", "10 and over"], [0, 1, 5, 10], np.inf),
        (["0 a 4 años", "5 a 9 años", "10 años y más"], [0, 5, 10], np.inf),
        (["0-4", "5-9 years", "10 years and over"], [0, 5, 10], np.inf),
        ([0, 5, 10.0, 15], [0, 5, 10, 15], np.inf),
        (["0", "5", "10", "15+"], [0, 5, 10, 15], np.inf),
        (["0", "1", "2", "3+"], [0, 1, 2, 3], np.inf),
        (["0", "1-4", "5-9", "10-14"], [0, 1, 5, 10], 5),
        (["100-104", "105-109", "110+"], [100, 105, 110], np.inf),
    ],
)
def test_age_labels(labels, lower, last):
    frame = pd.DataFrame({"age": labels[::-1], "population": range(1, len(labels) + 1)})
    people = mp.census.round(frame)["population"]
    assert people["age"].values.tolist() == lower
    assert float(people["age_width"][-1]) == last
    assert people.values.tolist() == list(range(len(labels), 0, -1))


def test_packaged_rounds_come_back():
    for name in ("new_england_1950", "bombay_1941"):
        population = mp.datasets.load(name)["population"]
        frame = population.to_series().reset_index()
        frame["time"] = float(population["time"])
        again = mp.census.round(frame)["population"]
        want = population.sel({d: again[d].values for d in population.dims})
        assert again["age_width"].values.tolist() == want["age_width"].values.tolist()
        np.testing.assert_array_equal(again.transpose(*want.dims), want)
        assert float(again["time"]) == float(want["time"])


def test_single_years_without_an_open_group():
    frame = pd.DataFrame({"age": range(10), "population": 1})
    people = mp.census.round(frame, open_ended=False)["population"]
    assert people["age_width"].values.tolist() == [1] * 10


def test_codes_and_columns():
    frame = known().rename(columns={"sex": "SEXO", "age": "EDAD", "population": "N"})
    frame["SEXO"] = frame["SEXO"].map({"F": 2, "M": 1})
    frame["note"] = "printed"
    names = {"country": "country", "birthplace": "birthplace", "sex": "SEXO", "age": "EDAD"}
    made = mp.census.round(
        frame, columns=names, value="N", codes={"sex": {1: "male", "2": "female"}}
    )
    xr.testing.assert_identical(made, mp.census.round(known()))
    # Two labels under one: added up.
    codes = {"birthplace": {"CHL": "other", "not stated": "other"}}
    merged = mp.census.round(known(), codes=codes)["population"]
    assert merged["birthplace"].values.tolist() == ["BOL", "other"]
    assert float(merged.sum()) == total(known())
    spanish = known().replace({"sex": {"F": "Mujer", "M": "Hombre"}})
    xr.testing.assert_identical(mp.census.round(spanish), mp.census.round(known()))


def test_m_is_not_male_beside_h():
    """H and M are hombre and mujer: M must not be taken for male."""
    frame = known().replace({"sex": {"F": "M", "M": "H"}})
    with says(mp.SchemaError, "column 'sex'", r"\['H'\] in 36 row", "codes="):
        mp.census.round(frame)
    made = mp.census.round(frame, codes={"sex": {"H": "male", "M": "female"}})
    xr.testing.assert_identical(made, mp.census.round(known()))


def test_labels_that_are_numbers():
    frame = known(duration=[0, 5, 10]).assign(round="2010")
    people = mp.census.round(frame)["population"]
    assert people["duration"].values.tolist() == [0, 5, 10]
    assert people["round"].values.tolist() == [2010]
    padded = known().replace({"country": {"ARG": "032", "NA": "516", "032x": "858"}})
    assert mp.census.round(padded)["population"]["country"].values.tolist() == ["032", "516", "858"]


# --- totals beside their parts


def with_totals(frame):
    """The table with totals of the sexes, of ages, and of both."""
    by_age = frame.groupby(["country", "birthplace", "age"], as_index=False)["population"].sum()
    frame = pd.concat([frame, by_age.assign(sex="Both sexes")])
    all_ages = frame.groupby(["country", "birthplace", "sex"], as_index=False)["population"].sum()
    young = frame[frame["age"].isin(AGES[:3])]
    young = young.groupby(["country", "birthplace", "sex"], as_index=False)["population"].sum()
    return pd.concat([frame, all_ages.assign(age="Total"), young.assign(age="0-14")])


TOTALS = {"sex": ["Both sexes"], "age": ["Total", "0-14"]}


def test_totals_are_checked_and_left_out():
    frame = with_totals(tidy())
    made = mp.census.round(frame, drop_totals=TOTALS, **BOTH)
    xr.testing.assert_identical(made, mp.census.round(tidy(), **BOTH))
    with says(mp.SchemaError, "column 'sex'", r"\['Both sexes'\] in 63 row", "drop_totals="):
        mp.census.round(frame, **BOTH)
    with says(mp.SchemaError, "column 'age'", r"\['Total'\] in 36 row", r"\{'age': \['Total'\]\}"):
        mp.census.round(frame, drop_totals={"sex": ["Both sexes"]}, **BOTH)
    with says(mp.SchemaError, r"\['0-14'\] in 36 row", "hold other age groups", "twice"):
        mp.census.round(frame, drop_totals={"sex": ["Both sexes"], "age": ["Total"]}, **BOTH)
    odd = frame.reset_index(drop=True)
    at = odd.index[(odd["age"] == "Total") & (odd["sex"] == "Both sexes")][0]
    odd.loc[at, "population"] += 5
    with says(
        mp.SchemaError, "1 of 117 row", f"row {at + 1}:", "sex=Both sexes, age=Total", "add up to"
    ):
        mp.census.round(odd, drop_totals=TOTALS, **BOTH)


def test_a_total_of_other_groups():
    frame = pd.concat([known(), known()[known()["age"] == "0-4"].assign(age="0-6")])
    with says(mp.SchemaError, "'0-6'", "no sum of the table's age groups"):
        mp.census.round(frame, drop_totals={"age": ["0-6"]})


# --- what is wrong with a table


def test_rows_again():
    frame = pd.concat([known(), known().iloc[[3]]])
    with says(mp.SchemaError, "got 1 row", r"rows \[4, 73\]", "country=ARG, birthplace=BOL, sex="):
        mp.census.round(frame)
    mixed = pd.concat([known(), known().iloc[[0]].replace({"sex": {"F": "Female"}})])
    with says(mp.SchemaError, "got 1 row"):
        mp.census.round(mixed)
    urban = known(area=["urban", "rural"])
    with says(mp.SchemaError, "got 72 row", r"not used: \['area'\]"):
        mp.census.round(urban, columns=["country", "birthplace", "sex", "age"])


def test_rows_that_are_missing():
    frame = known().drop(index=[5, 17])
    with says(mp.SchemaError, "2 of 72 combinations", "country=ARG", "sex=male, age=5-9", "fill=0"):
        mp.census.round(frame)
    people = mp.census.round(frame, fill=0)["population"]
    assert float(people.sum()) == total(frame)
    assert int((people == 0).sum()) == 2
    with says(mp.SchemaError, "fill: expected 0"):
        mp.census.round(frame, fill=1)


@pytest.mark.parametrize(
    ("column", "cell", "parts"),
    [
        ("population", -3, ["'population'", "a negative count in 1 row", r"\[3\]", "-3"]),
        ("population", np.nan, ["'population'", "no count in 1 row", r"\[3\]", "fill=0"]),
        ("population", np.inf, ["infinite count in 1 row", r"\[3\]"]),
        ("population", "1,234", ["no number in 1 row", "'1,234'", "separators"]),
        ("sex", "X", ["'sex'", r"\['X'\] in 1 row", "codes="]),
        ("sex", None, ["'sex'", "no label in 1 row", r"\[3\]", "codes="]),
        ("age", "old", ["'age'", r"\['old'\] in 1 row", "'0-4'", "codes="]),
        ("age", "9-5", ["'age'", r"\['9-5'\]"]),
        ("age", "999+", ["'age'", r"\['999\+'\] in 1 row", "'unknown'"]),
        ("age", "20-24", ["'age'", r"\['15\+'\] in 18 row", "hold other age groups"]),
        ("age", "12-16", ["'age'", "overlaps"]),
        ("age", "7", ["'age'", r"\['5-9'\] in 18 row", "hold other age groups"]),
        ("country", np.nan, ["'country'", "no label"]),
        ("country", "World", ["'country'", r"\['World'\] in 1 row", "drop_totals"]),
    ],
)
def test_wrong_cells(column, cell, parts):
    frame = known().astype({"population": object})
    frame.loc[2, column] = cell
    with says(mp.SchemaError, *parts):
        mp.census.round(frame)


def test_ages_that_leave_a_gap():
    with says(mp.SchemaError, "column 'age'", "0-4 leaves a gap"):
        mp.census.round(known()[known()["age"] != "5-9"])


def test_wrong_columns():
    with says(mp.SchemaError, r"no column\(s\) \['SEX'\]", "it has", "'population'"):
        mp.census.round(known(), columns={"age": "age", "sex": "SEX"})
    with says(mp.SchemaError, r"no column\(s\) \['persons'\]"):
        mp.census.round(known(), value="persons")
    with says(mp.SchemaError, "expected a column of age"):
        mp.census.round(known(), columns=["country"])
    with says(mp.SchemaError, "columns: expected a list"):
        mp.census.round(known(), columns="age")
    with says(mp.SchemaError, "codes: expected dims of the table", r"\['SEX'\]"):
        mp.census.round(known(), codes={"SEX": {1: "male"}})
    with says(mp.SchemaError, "codes: 'sex': expected {label: label}, got list"):
        mp.census.round(known(), codes={"sex": ["male"]})
    with says(mp.SchemaError, "drop_totals: expected a mapping by dim"):
        mp.census.round(known(), drop_totals=["Total"])
    with says(mp.SchemaError, r"each column once, got \['age'\] for \['age', 'sex'\]"):
        mp.census.round(known(), columns={"age": "age", "sex": "age"})
    with says(mp.SchemaError, "'population'", "and as value"):
        mp.census.round(known(), columns={"age": "population"})
    with says(mp.SchemaError, r"got \['Both sexes'\] alone", "leave the column out"):
        mp.census.round(known().assign(sex="Both sexes"))
    with says(mp.SchemaError, r"got \['unknown'\] alone"):
        mp.census.round(known().assign(sex="unknown"))
    with says(mp.SchemaError, "got none"):
        mp.census.round(known().iloc[:0])
    with says(mp.SchemaError, "pandas or polars frame", "ndarray"):
        mp.census.round(np.zeros(3))
    with says(mp.SchemaError, "each column once"):
        mp.census.round(pd.concat([known(), known()[["sex"]]], axis=1))
    with says(mp.SchemaError, "unknown_age: expected one of .*, got 'drop'"):
        mp.census.round(known(), unknown_age="drop")


def test_a_file_that_is_no_table(tmp_path):
    path = tmp_path / "odd.csv"
    path.write_text("age,population\n0-4,1\n5+,2,3,4\n")
    with says(mp.SchemaError, "cannot read", "odd.csv", "CSV"):
        mp.census.round(path)
    with pytest.raises(FileNotFoundError):
        mp.census.round(tmp_path / "none.csv")


def test_shares_are_no_counts():
    with says(mp.SchemaError, "all below 1"):
        mp.census.round(known().assign(population=0.01))


# --- unknown age and sex


def test_unknown_is_an_error_unless_asked_for():
    frame = tidy()
    with says(
        mp.SchemaError, "of unknown age in 18 cell", "country=032x", "unknown_age='pro rata'"
    ):
        mp.census.round(frame, unknown_sex="pro rata")
    with says(mp.SchemaError, "of unknown sex in", "unknown_sex='pro rata'"):
        mp.census.round(frame, unknown_age="pro rata")
    nobody = frame.copy()
    nobody.loc[(frame["age"] == "unknown") | (frame["sex"] == "unknown"), "population"] = 0
    xr.testing.assert_identical(
        mp.census.round(nobody)["population"],
        mp.census.round(nobody, **BOTH)["population"],
    )


def test_unknown_ages_of_codes():
    frame = known().replace({"age": {"0-4": 0, "5-9": 5, "10-14": 10, "15+": 999}})
    with says(mp.SchemaError, r"\['999'\] in 18 row", "is no age", "'unknown'"):
        mp.census.round(frame)
    codes = {"age": {999: "unknown"}}
    made = mp.census.round(frame, codes=codes, unknown_age="pro rata")
    assert made["population"]["age"].values.tolist() == [0, 5, 10]
    np.testing.assert_allclose(float(made["population"].sum()), total(frame), rtol=ROUNDING)


def test_nobody_known_to_share_with():
    frame = tidy(sexes=("F", "M"))
    here = (frame["country"] == "NA") & (frame["birthplace"] == "CHL") & (frame["sex"] == "M")
    frame.loc[here & (frame["age"] != "unknown"), "population"] = 0
    with says(
        mp.SchemaError, "unknown age cannot be shared out", "country=NA, birthplace=CHL, sex=male"
    ):
        mp.census.round(frame, unknown_age="pro rata")


# --- birthplaces


def test_birthplaces_not_stated():
    frame = known()
    kept = mp.census.round(frame)["population"]
    assert "not stated" in kept["birthplace"].values
    made = mp.census.round(frame, distribute_birthplace=["not stated"])
    got, given_ = made["population"], made["birthplace_distributed"]
    assert got["birthplace"].values.tolist() == ["BOL", "CHL"]
    other = kept.sel(birthplace="not stated", drop=True)
    base = kept.sel(birthplace=["BOL", "CHL"])
    want = base * (1 + other / base.sum("birthplace"))
    xr.testing.assert_allclose(got, want.transpose(*got.dims), rtol=ROUNDING)
    xr.testing.assert_allclose(given_.sum("birthplace"), other.astype(float), rtol=ROUNDING)
    # To one of them alone.
    alone = mp.census.round(frame, distribute_birthplace={"not stated": ["CHL"]})["population"]
    xr.testing.assert_allclose(
        alone.sel(birthplace="CHL", drop=True),
        kept.sel(birthplace="CHL", drop=True) + other,
        rtol=ROUNDING,
    )


def test_birthplaces_where_the_cell_is_empty():
    """Nobody aged 15 and over is known: like all ages and both sexes."""
    frame = known()
    empty = (frame["age"] == "15+") & (frame["birthplace"] != "not stated")
    frame.loc[empty, "population"] = 0
    kept = mp.census.round(frame)["population"]
    got = mp.census.round(frame, distribute_birthplace=["not stated"])["population"]
    base = kept.sel(birthplace=["BOL", "CHL"]).sum(["sex", "age"])
    want = kept.sel(birthplace="not stated", age=15, drop=True) * base / base.sum("birthplace")
    old = got.sel(age=15, drop=True)
    xr.testing.assert_allclose(
        old, want.transpose(*old.dims).drop_vars("age_width", errors="ignore"), rtol=ROUNDING
    )
    frame.loc[(frame["country"] == "NA") & (frame["birthplace"] != "not stated"), "population"] = 0
    with says(mp.SchemaError, "birthplace 'not stated'", "nobody is known", "country=NA"):
        mp.census.round(frame, distribute_birthplace=["not stated"])


def test_wrong_birthplaces():
    with says(mp.SchemaError, "distribute_birthplace", r"got \['PER'\]"):
        mp.census.round(known(), distribute_birthplace=["PER"])
    with says(mp.SchemaError, "distribute_birthplace: expected a list"):
        mp.census.round(known(), distribute_birthplace="not stated")
    for odd in ("BOL", [], 1):
        with says(mp.SchemaError, "'not stated': expected a list of birthplaces", "got "):
            mp.census.round(known(), distribute_birthplace={"not stated": odd})
    numbered = known().replace({"birthplace": {"not stated": 9, "BOL": 1, "CHL": 2}})
    with says(mp.SchemaError, "distribute_birthplace: expected each label once", "'9'"):
        mp.census.round(numbered, distribute_birthplace=[9, "9"])
    with says(mp.SchemaError, r"\['BOL'\] cannot receive"):
        mp.census.round(known(), distribute_birthplace={"not stated": ["BOL"], "BOL": ["CHL"]})
    with says(mp.SchemaError, "no other birthplace"):
        mp.census.round(known(), distribute_birthplace=PLACES)
    with says(mp.SchemaError, "expected a column of birthplace"):
        mp.census.round(
            pd.DataFrame({"age": AGES, "population": 1}), distribute_birthplace=["not stated"]
        )


# --- coverage and dates


def test_coverage_by_country():
    factor = xr.DataArray([1.0, 1.1, 1.2], dims="country", coords={"country": sorted(COUNTRIES)})
    made = mp.census.round(known(), coverage=factor)
    plain = mp.census.round(known())["population"]
    xr.testing.assert_allclose(made["population"], factor * plain, rtol=ROUNDING)
    assert made["population"].attrs["coverage"] == "corrected"
    assert (made["coverage_adjustment"].sel(country="032x") == 0).all()
    with says(mp.AlignmentError, "coverage: dim 'country'", "another order"):
        mp.census.round(known(), coverage=factor[::-1])
    with says(mp.SchemaError, "coverage: expected true over enumerated"):
        mp.census.round(known(), coverage=0.0)


def test_dates_of_a_table():
    assert float(mp.census.round(known(), time="1980-10-22")["time"]) == 1980.806011
    frame = known().assign(date="1980-10-22")
    made = mp.census.round(frame)["population"]
    assert float(made["time"]) == 1980.806011
    assert "date" not in made.dims
    xr.testing.assert_identical(
        made, mp.census.round(known().assign(time=pd.Timestamp("1980-10-22")))["population"]
    )
    for compact in ("19801022", 19801022):
        for dim in ("date", "time"):
            xr.testing.assert_identical(
                mp.census.round(known().assign(**{dim: compact}))["population"], made
            )
    with says(mp.SchemaError, "time: the table has a column of dates"):
        mp.census.round(frame, time=1980)
    with says(mp.IntervalError, "column 'date'", "'October'"):
        mp.census.round(frame.assign(date="October"))


def test_dates_by_country_to_a_common_date():
    days = {"ARG": "1980-10-22", "NA": 1981.5, "032x": "1980-07-01"}
    frame = known().assign(date=known()["country"].map(days))
    made = mp.census.round(frame)["population"]
    assert made["date"].dims == ("country",)
    assert float(made["date"].sel(country="ARG")) == 1980.806011
    rate = xr.DataArray([0.01, 0.02, 0.03], dims="country", coords={"country": sorted(COUNTRIES)})
    moved = mp.census.round(frame, date=1981.5, growth=rate)
    years = 1981.5 - made["date"].drop_vars("date")
    want = made.drop_vars("date") * np.exp(rate * years)
    xr.testing.assert_allclose(moved["population"].drop_vars("time"), want, rtol=ROUNDING)
    assert float(moved["time"]) == 1981.5
    assert (moved["date_adjustment"].sel(country="NA") == 0).all()
    within = frame.assign(date=frame["sex"].map({"F": 1980, "M": 1981}))
    with says(mp.SchemaError, "'date': expected one date for all", "'time'"):
        mp.census.round(within)


def test_a_date_between_two_rounds():
    frame = known(time=[1980, 1990])
    rounds = mp.census.round(frame)["population"]
    assert rounds.dims == ("country", "birthplace", "time", "sex", "age")
    made = mp.census.round(frame, date=1985)["population"]
    want = np.sqrt(rounds.sel(time=1980) * rounds.sel(time=1990))
    xr.testing.assert_allclose(
        made.drop_vars("time"), want.drop_vars("time", errors="ignore"), rtol=ROUNDING
    )
    assert float(made["time"]) == 1985
    named = known(round=["first", "second"])
    named["date"] = named["round"].map({"first": 1980, "second": 1990})
    by_round = mp.census.round(named)["population"]
    assert by_round["date"].dims == ("round",)
    xr.testing.assert_identical(mp.census.round(named, date=1985)["population"], made)
    with says(mp.IntervalError, "between the rounds, 1980 to 1990, got 1995", "growth="):
        mp.census.round(frame, date=1995)
    with says(mp.SchemaError, "growth: expected one round"):
        mp.census.round(frame, date=1985, growth=0.01)


def test_one_of_the_rounds_is_moved_by_growth():
    frame = known().assign(round="first", date=1980)
    made = mp.census.round(frame, date=1985, growth=0.01)["population"]
    want = mp.census.round(known(), time=1980, date=1985, growth=0.01)["population"]
    xr.testing.assert_identical(made.sel(round="first", drop=True), want)


def test_what_is_shared_out_before_a_date_between_two_rounds():
    """The population is of one date, and what was shared out of each round: neither loses its."""
    frames = [tidy(seed).assign(time=year) for seed, year in ((1, 1980), (2, 1990))]
    frame = pd.concat(frames, ignore_index=True)
    options = {"unknown_age": "pro rata", "unknown_sex": "pro rata"}
    factor = xr.DataArray([1.1, 1.2], dims="time", coords={"time": [1980, 1990]})
    made = mp.census.round(frame, date=1985, coverage=factor, **options)
    assert float(made["time"]) == 1985
    assert "time" not in made.dims
    assert float(made["population"]["time"]) == 1985
    both = mp.census.round(frame, coverage=factor, **options)
    for name in ("unknown_age_distributed", "coverage_adjustment"):
        got = made[name].drop_vars("time").rename(round="time")
        np.testing.assert_array_equal(got.transpose(*both[name].dims), both[name])
    assert made["round"].values.tolist() == [1980, 1990]


def test_wrong_dates():
    with says(mp.IntervalError, "does not say when", "time="):
        mp.census.round(known(), date=1985, growth=0.01)
    with says(mp.SchemaError, "date: expected growth="):
        mp.census.round(known(), time=1980, date=1985)
    with says(mp.SchemaError, "growth: expected with date="):
        mp.census.round(known(), time=1980, growth=0.01)
    with says(mp.SchemaError, "divide percentages by 100"):
        mp.census.round(known(), time=1980, date=1985, growth=2.1)


# --- on to the estimate


def test_two_tables_to_net_migration():
    """Two tables in another row order go straight into the estimate."""
    frames = [
        tidy(seed, sexes=("F", "M")).assign(time=year).sample(frac=1, random_state=seed)
        for seed, year in ((1, "2000-06-30"), (2, "2005-06-30"))
    ]
    start, end = (mp.census.round(f, unknown_age="pro rata")["population"] for f in frames)
    ratios = xr.DataArray([0.95, 0.99, 0.99, 0.7], dims="age", coords=mp.age_coords(AGES))
    result = mp.net_migration(start, end, ratios, children="arrivals", method="forward")
    assert result["net_migration"].dims == ("country", "birthplace", "sex", "age")
    assert float(result["period_width"]) == 5
    by_hand = end.sel(age=5).values - 0.99 * start.sel(age=0).values
    np.testing.assert_allclose(result["net_migration"].sel(age=5).values, by_hand, rtol=ROUNDING)


# --- a table of records


def of_records():
    """What `tabulate` makes: people of unknown age, sex and birthplace apart."""
    pytest.importorskip("duckdb")
    records = pd.DataFrame(
        {
            "birthplace": ["BOL", "BOL", "BOL", "CHL", "CHL", "CHL", None, "BOL"],
            "sex": [1, 2, 2, 1, 2, 1, 2, 9],
            "age": [3, 20, 999, 40, 70, 999, 20, 20],
            "weight": [10.0, 20, 2, 30, 40, 3, 5, 1],
        }
    )
    return mp.census.tabulate(
        records,
        by=["birthplace", "sex", "age"],
        weight="weight",
        codes={"sex": {1: "male", 2: "female"}},
        unknown={"sex": [9], "age": [999]},
        ages=["0", "1-14", "15-64", "65+"],
        time="2010-07-01",
    )


def test_a_table_of_records_is_a_table():
    table = of_records()
    made = mp.census.round(table, **BOTH, distribute_birthplace=["unknown"])
    people = made["population"]
    assert float(people.sum()) == pytest.approx(111, rel=ROUNDING)
    assert float(made["unknown_age_distributed"].sum()) == 5
    assert people["sex"].values.tolist() == ["female", "male"]
    assert people["age_width"].values.tolist() == [1, 14, 50, np.inf]
    assert float(people["time"]) == float(table["time"])
    chile = people.sel(birthplace="CHL", sex="male", age=15)
    assert float(chile) == pytest.approx(33, rel=ROUNDING)


def test_a_table_of_records_by_one_label_of_a_dim():
    table = of_records().sel(sex=["female"], birthplace="BOL").drop_vars("time")
    made = mp.census.round(table, unknown_age="pro rata", time=2000)
    assert dict(made["population"].sizes) == {"birthplace": 1, "sex": 1, "age": 4}
    assert made["population"].sel(age=15).item() == pytest.approx(22, rel=ROUNDING)


def test_a_table_of_records_without_ages_or_with_another_date():
    table = of_records()
    with says(mp.SchemaError, "table: expected of a Dataset the variable 'population' by age"):
        mp.census.round(table.sum("age"))
    with says(mp.SchemaError, "time: the table has its own, 2010.5; leave time= out"):
        mp.census.round(table, **BOTH, time=2000)
    with says(mp.SchemaError, "got DataArray; pandas"):
        mp.census.round(table["population"])
    with says(mp.SchemaError, "unknown"):
        mp.census.round(table)


@pytest.mark.parametrize("name", ["age_width", "population"])
def test_dims_that_the_round_has_other_uses_for(name):
    """Their labels would be lost."""
    frame = known().rename(columns={"population": "persons"}).assign(**{name: 5})
    with says(mp.SchemaError, rf"columns: \['{name}'\] would be dims", f"'my_{name}': '{name}'"):
        mp.census.round(frame, value="persons")
    columns = {"age": "age", "my": name, "sex": "sex", "birthplace": "birthplace"}
    made = mp.census.round(frame[frame["country"] == "ARG"], columns=columns, value="persons")
    assert made["my"].values.tolist() == [5]


def test_what_to_cite_goes_with_the_round():
    table = of_records().assign_attrs(citation="Statistics of somewhere", doi="10.1/x")
    made = mp.census.round(table, **BOTH)
    assert made.attrs == {"citation": "Statistics of somewhere", "doi": "10.1/x"}
