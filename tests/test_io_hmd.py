"""Text files in the layout of the Human Mortality Database."""

import numpy as np
import pytest

import migproj as mp

DATE = "\tLast modified: 05 Apr 2024;  Methods Protocol: v6 (2017)"


def says(*parts, error=mp.SchemaError):
    return pytest.raises(error, match="(?s)" + ".*".join(parts))


def write(folder, name, title, columns, rows, ending="\n"):
    lines = [title + DATE, "", "  " + "   ".join(columns)]
    lines += ["  " + "   ".join(str(cell).rjust(12) for cell in row) for row in rows]
    file = folder / name
    file.write_bytes((ending.join(lines) + ending).encode())
    return file


BY_SEX = ["Year", "Age", "Female", "Male", "Total"]
AGES = ["0", "1", "109", "110+"]


def single(years, ages=None):
    ages = ages or [*map(str, range(110)), "110+"]
    return [
        (year, age, f"{1000 * k + j}.25", f"{2000 * k + j}.50", f"{3000 * k + 2 * j}.75")
        for k, year in enumerate(years, 1)
        for j, age in enumerate(ages)
    ]


@pytest.mark.parametrize(
    ("title", "name", "units"),
    [
        ("Sweden, Deaths (period 1x1),", "deaths", "persons per period"),
        ("Sweden, Exposure to risk (period 1x1),", "exposure", "person-years"),
        ("Sweden, Death rates (period 1x1),", "mx", "1/year"),
    ],
)
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_by_single_years(tmp_path, title, name, units, ending):
    rows = single([1751, 1752])
    rows[-1] = ("1752", "110+", ".", "0.00", "0.00")
    table = mp.io.read_hmd(write(tmp_path, "x_1x1.txt", title, BY_SEX, rows, ending))
    array = table[name]
    assert list(table) == [name]
    assert array.dims == ("period", "sex", "age")
    assert array.attrs["units"] == units
    assert array["period"].values.tolist() == [1751.0, 1752.0]
    assert array["period_width"].values.tolist() == [1.0, 1.0]
    assert array["age"].values.tolist() == list(range(111))
    assert array["age_width"].values[-2:].tolist() == [1.0, np.inf]
    assert array.sel(period=1752, sex="male", age=3).item() == 4003.5
    assert np.isnan(array.sel(period=1752, sex="female", age=110))
    assert array.isnull().sum() == 1
    assert table.attrs["title"].startswith(title)
    assert "Last modified: 05 Apr 2024" in table.attrs["title"]


def test_files_that_lost_a_plus_and_those_of_japan(tmp_path):
    """The oldest group is open-ended; the Japanese database has another title."""
    rows = single([1947], [*map(str, range(111))])
    file = tmp_path / "Deaths_1x1.txt"
    lines = ["Japan, Deaths (1x1) Last modified:2026-02-20, ver.005_002 JMD(IPSS)", ""]
    file.write_text("\n".join([*lines, *map(" ".join, [BY_SEX, *map(_texts, rows)])]))
    deaths = mp.io.read_hmd(file)["deaths"]
    assert deaths["age"].values[-1] == 110
    assert deaths["age_width"].values[-2:].tolist() == [1.0, np.inf]


def _texts(row):
    return [str(cell) for cell in row]


def test_by_five_years_and_periods(tmp_path):
    ages = ["0", "1-4", "5-9", "10-14", "15+"]
    rows = single(["1950-1954", "1955-1959", "1960-1961"], ages)
    table = mp.io.read_hmd(
        write(tmp_path, "Mx_5x5.txt", "Italy, Death rates (period 5x5),", BY_SEX, rows)
    )
    assert table["period"].values.tolist() == [1950.0, 1955.0, 1960.0]
    assert table["period_width"].values.tolist() == [5.0, 5.0, 2.0]
    assert table["age_width"].values.tolist() == [1, 4, 5, 5, np.inf]
    both = mp.io.read_hmd(tmp_path / "Mx_5x5.txt", total=True, years=[1955])
    assert both["mx"].dims == ("period", "age")
    assert both["mx"].values.ravel()[:2].tolist() == [6000.75, 6002.75]


def test_population_and_changes_of_territory(tmp_path):
    rows = single(["1958", "1959-", "1959+", "1960"], ["0", "1", "2+"])
    file = write(tmp_path, "Population.txt", "Exland, Population size (1-year),", BY_SEX, rows)
    table = mp.io.read_hmd(file)
    population = table["population"]
    assert population.dims == ("time", "sex", "age")
    assert population["time"].values.tolist() == [1958.0, 1959.0, 1960.0]
    assert population.sel(time=1959, sex="female", age=0).item() == 3000.25
    assert table.attrs["territory_changes"] == [1959]
    before = mp.io.read_hmd(file, territory="before")["population"]
    assert before.sel(time=1959, sex="female", age=0).item() == 2000.25
    with says("territory: expected one of", "'old'"):
        mp.io.read_hmd(file, territory="old")


def test_births_have_no_age(tmp_path):
    rows = [(1950, 10, 11, 21), (1951, 12, 13, 25)]
    columns = ["Year", "Female", "Male", "Total"]
    file = write(tmp_path, "Births.txt", "Italy, Births (1-year),", columns, rows)
    births = mp.io.read_hmd(file)["births"]
    assert births.dims == ("period", "sex")
    assert births.sel(sex="male").values.tolist() == [11, 13]


@pytest.mark.parametrize(
    ("word", "sex"), [("Females", "female"), ("Males", "male"), ("Total", None)]
)
def test_life_tables(tmp_path, word, sex):
    columns = ["Year", "Age", "mx", "qx", "ax", "lx", "dx", "Lx", "Tx", "ex"]
    rows = [
        (year, age, 0.01, 0.02, 0.14, 100000, 2000, 99500, 7900000, 79.0)
        for year in (1990, 1991)
        for age in ("0", "1-4", "5-9", "10+")
    ]
    title = f"Germany, Life tables (period 5x1), {word}"
    table = mp.io.read_hmd(write(tmp_path, "fltper_5x1.txt", title, columns, rows))
    assert set(table) == set(columns[2:])
    assert table["mx"].dims == ("period", "age")
    assert table["age_width"].values.tolist() == [1, 4, 5, np.inf]
    assert table["ax"].values == pytest.approx(0.14)
    assert table["lx"].attrs["units"] == "persons"
    assert (table["sex"].item() if sex else None) == sex
    assert sex or "sex" not in table.coords


def test_wrong_files(tmp_path):
    columns = ["Year", "Age", "Cohort", "Female", "Male", "Total"]
    lexis = write(
        tmp_path, "Deaths_lexis.txt", "Italy, Deaths (Lexis triangles),", columns,
        [(1950, 0, 1950, 1, 2, 3)],
    )  # fmt: skip
    with says("Deaths_lexis.txt: expected figures by period", "Lexis", "Deaths_1x1"):
        mp.io.read_hmd(lexis)
    rows = single([1950], AGES)
    cohort = write(tmp_path, "cMx.txt", "Italy, Death rates (cohort 1x1),", BY_SEX, rows)
    with says("cMx.txt: expected figures by period", "cohort"):
        mp.io.read_hmd(cohort)
    unknown = write(tmp_path, "e0.txt", "Italy, Life expectancy (period 1x1),", BY_SEX, rows)
    with says("e0.txt: expected a title", "Life expectancy"):
        mp.io.read_hmd(unknown)
    csv = tmp_path / "p.csv"
    csv.write_text("LocID,AgeGrpStart,PopMale,PopFemale\n1,2,3,4\n", encoding="utf-8")
    with says("p.csv: mp.io.read_hmd expected", "mp.io.read_wpp_population"):
        mp.io.read_hmd(csv)
    with says("cMx.txt: mp.io.read_wpp_population", "file for mp.io.read_hmd"):
        mp.io.read_wpp_population(cohort)


def test_wrong_cells(tmp_path):
    ages = ["0", "1", "2+"]
    title = "Italy, Deaths (period 1x1),"

    def read(rows):
        return mp.io.read_hmd(write(tmp_path, "a.txt", title, BY_SEX, rows))

    rows = single([1950, 1951], ages)
    with says("a.txt: column 'Male'", "1 other cell", "6 rows", "row 5: '1,000'"):
        read([rows[0], ("1950", "1", "1", "1,000", "2"), *rows[2:]])
    with says("a.txt: columns", "repeated"):
        read([*rows, rows[0]])
    with says("a.txt: expected the 3 ages 0 to 2\\+ in each year", "1951"):
        read(rows[:-1])
    with says("a.txt: column 'Year'", "1950-1954", "'50'"):
        read([("50", *rows[0][1:]), *rows[1:]])
    with says("cannot read the label", "young"):
        read([(1950, "young", 1, 2, 3)])
    with says("years: not in a.txt", "1900"):
        write(tmp_path, "a.txt", title, BY_SEX, rows)
        mp.io.read_hmd(tmp_path / "a.txt", years=[1900])
    with says(
        "a.txt: expected 5 cells in a row", "Year Age Female Male Total", "2 of 6 rows", r"\[4, 6\]"
    ):
        read([(1950, "0", 1, 2), rows[1], (*rows[2], 7), *rows[3:]])
