"""Workbooks in the layout of the International Migrant Stock of 2020 and 2024."""

import sys

import numpy as np
import openpyxl
import pytest

import migproj as mp

PLACE = "Region, development group, country or area"
LABELS = ["0-4", "5-9", "10-14", " 15-19", "20-24", "75+", "Total"]
YEARS = [1990, 2020, 2024]


def says(*parts, error=mp.SchemaError):
    return pytest.raises(error, match="(?s)" + ".*".join(parts))


def workbook(folder, rows, name="stock.xlsx", sheets=("Contents", "Table 1", "Table 2")):
    book = openpyxl.Workbook()
    book.remove(book.active)
    for sheet in sheets:
        book.create_sheet(sheet)
    for row in rows:
        book["Table 1"].append(row)
    book.save(folder / name)
    return folder / name


def by_age(rows, *, banner=True):
    """Heads in row 11, as published."""
    blocks = [
        text
        for sex in ("both sexes combined", "males", "females")
        for text in [f"International migrant stock at mid-year: {sex}", *[None] * (len(LABELS) - 1)]
    ]
    top = [["United Nations"], ["Population Division"], *[[None]] * 7]
    top.append([*[None] * 6, *blocks] if banner else [None])
    heads = ["Index", "Year", PLACE, "Notes", "Location code", "Type of data", *LABELS * 3]
    return [*top, heads, *rows]


def row_of_ages(index, year, place, code, kind, scale):
    males = [scale * (k + 1) for k in range(len(LABELS) - 1)]
    females = [figure + 0.5 for figure in males]
    both = [a + b for a, b in zip(males, females, strict=True)]
    figures = [part for block in (both, males, females) for part in (*block, sum(block))]
    return [index, year, place, None, code, kind, *figures]


ROWS_OF_AGES = [
    row_of_ages(1, 1990, "WORLD", 900, None, 1000),
    row_of_ages(2, 1990, "  Argentina*", 32, "B R", 10),
    row_of_ages(3, 1990, "Bolivia (Plurinational State of)*", 68, "I", 20),
    row_of_ages(4, 2020, "Sub-Saharan Africa", 947, None, 2000),
    row_of_ages(5, 2020, "  Argentina*", 32, "B", 30),
    row_of_ages(6, 2020, "Bolivia (Plurinational State of)*", 68, "C", 40),
]


@pytest.mark.parametrize("banner", [True, False])
def test_by_age(tmp_path, banner):
    labels = [label for label in LABELS if label != "75+"]
    assert " 15-19" in labels
    rows = by_age(ROWS_OF_AGES, banner=banner)
    rows[-1][9] = ".."  # 15-19 of both sexes: not read
    rows[-1][-2] = ".."  # women 75+
    for row in rows:  # contiguous: 20-24, 75+ has a gap, so call it 20-74
        row[:] = ["20-74" if cell == "20-24" else cell for cell in row]
    stock = mp.io.read_migrant_stock_by_age(workbook(tmp_path, rows))
    assert stock.dims == ("country", "time", "sex", "age")
    assert stock.name == "stock"
    assert stock.attrs["units"] == "persons"
    assert stock["country"].values.tolist() == [32, 68]
    assert stock["country_name"].values.tolist() == [
        "Argentina",
        "Bolivia (Plurinational State of)",
    ]
    assert stock["time"].values.tolist() == [1990.5, 2020.5]
    assert stock["age"].values.tolist() == [0, 5, 10, 15, 20, 75]
    assert stock["age_width"].values.tolist() == [5, 5, 5, 5, 55, np.inf]
    assert stock["data_type"].values.tolist() == [["B R", "B"], ["I", "C"]]
    assert stock["data_type"].dims == ("country", "time")
    assert stock.attrs["aggregates_left_out"] == 2
    assert stock.sel(country=32, time=2020.5, sex="male").values.tolist() == [
        30, 60, 90, 120, 150, 180,
    ]  # fmt: skip
    assert stock.sel(country=68, time=1990.5, sex="female", age=15).item() == 80.5
    assert stock.isnull().sum() == 1
    assert np.isnan(stock.sel(country=68, time=2020.5, sex="female", age=75))


def contiguous(rows):
    return [["20-74" if cell == "20-24" else cell for cell in row] for row in rows]


def test_by_age_selected(tmp_path):
    file = workbook(tmp_path, contiguous(by_age(ROWS_OF_AGES)))
    one = mp.io.read_migrant_stock_by_age(file, countries=[68], years=[2020])
    assert one.sizes == {"country": 1, "time": 1, "sex": 2, "age": 6}
    everyone = mp.io.read_migrant_stock_by_age(file, aggregates=True)
    assert everyone["country"].values.tolist() == [900, 32, 68, 947]
    assert everyone.sel(country=947, time=1990.5).isnull().all()
    with says("countries: not in stock.xlsx", "76"):
        mp.io.read_migrant_stock_by_age(file, countries=[76])
    with says("sheet: no 'Table 9'", "Table 1"):
        mp.io.read_migrant_stock_by_age(file, sheet="Table 9")


def by_origin(rows, *, years=YEARS, banner=True):
    blocks = [
        text
        for sex in ("both sexes", "male", "female")
        for text in [f"International migrant stock at mid-year ({sex})", *[None] * (len(years) - 1)]
    ]
    heads = [
        "Index",
        f"{PLACE} of destination",
        "Coverage",
        "Data type",
        "Location code of destination",
        "Type of data of destination",
        f"{PLACE} of origin",
        "Location code of origin",
        *years * 3,
    ]
    return [*[[None]] * 9, [*[None] * 8, *blocks] if banner else [None], heads, *rows]


def row_of_origin(to, code, kind, origin, born, scale):
    males = [scale + k for k in range(len(YEARS))]
    females = [2 * figure for figure in males]
    both = [3 * figure for figure in males]
    return [1, to, None, None, code, kind, origin, born, *both, *males, *females]


ROWS_OF_ORIGIN = [
    row_of_origin("World", 900, None, "World", 900, 9000),
    row_of_origin("Argentina", 32, "B R", "World", 900, 500),
    row_of_origin("Argentina", 32, "B R", "Bolivia*", 68, 100),
    row_of_origin("Argentina", 32, "B R", "Others", 2003, 50),
    row_of_origin("Chile", 152, "C", "Bolivia*", 68, 10),
    row_of_origin("South America", 931, None, "Bolivia*", 68, 600),
]


@pytest.mark.parametrize("banner", [True, False])
def test_by_origin(tmp_path, banner):
    rows = by_origin(ROWS_OF_ORIGIN, banner=banner)
    stock = mp.io.read_migrant_stock_by_origin(workbook(tmp_path, rows))
    assert stock.dims == ("country", "birthplace", "time", "sex")
    assert stock["country"].values.tolist() == [32, 152]
    assert stock["birthplace"].values.tolist() == [68, 2003]
    assert stock["birthplace_name"].values.tolist() == ["Bolivia", "Others"]
    assert stock["data_type"].values.tolist() == ["B R", "C"]
    assert stock["time"].values.tolist() == [1990.5, 2020.5, 2024.5]
    assert stock.attrs["aggregates_left_out"] == 2  # World, South America
    assert stock.sel(country=32, birthplace=2003, sex="female").values.tolist() == [100, 102, 104]
    assert stock.sel(country=152, birthplace=68, sex="male").values.tolist() == [10, 11, 12]
    assert stock.sel(country=152, birthplace=2003).isnull().all()


def test_notes_below(tmp_path):
    notes = [[], ["Source: United Nations."], [None, "* See the sheet Notes."]]
    origin = workbook(tmp_path, by_origin([*ROWS_OF_ORIGIN, *notes]), "origin.xlsx")
    assert mp.io.read_migrant_stock_by_origin(origin)["country"].values.tolist() == [32, 152]
    age = workbook(tmp_path, contiguous(by_age([*ROWS_OF_AGES, *notes])), "age.xlsx")
    assert mp.io.read_migrant_stock_by_age(age)["country"].values.tolist() == [32, 68]


def test_rows_that_end_early(tmp_path):
    short = row_of_origin("Chile", 152, "C", "Peru", 604, 10)[:-2]
    stock = mp.io.read_migrant_stock_by_origin(
        workbook(tmp_path, by_origin([*ROWS_OF_ORIGIN, short]))
    )
    women = stock.sel(country=152, birthplace=604, sex="female")
    assert women.values[0] == 20
    assert np.isnan(women.values[1:]).all()


def test_by_origin_selected(tmp_path):
    file = workbook(tmp_path, by_origin(ROWS_OF_ORIGIN))
    one = mp.io.read_migrant_stock_by_origin(
        file, countries=[32], birthplaces=[68, 2003], years=[2024]
    )
    assert one.sizes == {"country": 1, "birthplace": 2, "time": 1, "sex": 2}
    everyone = mp.io.read_migrant_stock_by_origin(file, aggregates=True)
    assert everyone["birthplace"].values.tolist() == [900, 68, 2003]
    with says("birthplaces: not in", "32"):
        mp.io.read_migrant_stock_by_origin(file, birthplaces=[32])
    with says("years: not in", "1995"):
        mp.io.read_migrant_stock_by_origin(file, years=[1995])


LAYOUTS = {
    2020: ["Notes", "Location code", "Type of data"],
    2024: ["Coverage", "Data type", "Location code"],
}


@pytest.mark.parametrize("edition", LAYOUTS)
def test_by_origin_as_published(tmp_path, edition):
    """What stands between the names of destination and of origin differs between editions."""
    between = LAYOUTS[edition]
    of_destination = "" if edition == 2024 else " of destination"
    heads = [
        "Index",
        f"{PLACE} of destination",
        *(
            f"{head} of destination" if head == "Location code" else head + of_destination
            for head in between
        ),
        f"{PLACE} of origin",
        "Location code of origin",
        *[1990, edition] * 3,
    ]
    banner = [None] * 7
    for sex in ("both sexes", "male", "female"):
        banner += [f"International migrant stock at mid-year ({sex})", None]
    known = {"Location code": 32, "Type of data": "B R", "Data type": "B R"}
    row = [2, "  Argentina*", *(known.get(head) for head in between), "Bolivia", 68, 3, 30]
    rows = [*[[None]] * 9, banner, heads, [*row, "..", 10, 2, 20]]
    stock = mp.io.read_migrant_stock_by_origin(workbook(tmp_path, rows))
    assert stock.sel(country=32, birthplace=68, time=edition + 0.5).values.tolist() == [20, 10]
    assert stock.sel(time=1990.5, sex="male").isnull().all()
    assert stock["country_name"].values.tolist() == ["Argentina"]
    assert stock["data_type"].values.ravel().tolist() == ["B R"]


def test_wrong_workbooks(tmp_path):
    heads = ["Index", PLACE, "Coverage", "Data type", "Location code", *YEARS * 3]
    destination = workbook(tmp_path, [*[[None]] * 10, heads], "destination.xlsx")
    for reader in (mp.io.read_migrant_stock_by_origin, mp.io.read_migrant_stock_by_age):
        with says("destination.xlsx", "a row of heads", "no layout that migproj.io reads"):
            reader(destination)
    origin = workbook(tmp_path, by_origin(ROWS_OF_ORIGIN), "origin.xlsx")
    with says("origin.xlsx: mp.io.read_migrant_stock_by_age", "read_migrant_stock_by_origin"):
        mp.io.read_migrant_stock_by_age(origin)
    age = workbook(tmp_path, by_age(ROWS_OF_AGES), "age.xlsx")
    with says("age.xlsx", "file for mp.io.read_migrant_stock_by_age"):
        mp.io.read_migrant_stock_by_origin(age)
    with says("age.xlsx: mp.io.read_wpp_population", "file for mp.io.read_migrant_stock_by_age"):
        mp.io.read_wpp_population(age)
    text = tmp_path / "text.xlsx"
    text.write_text("Year Age Female Male Total\n", encoding="utf-8")
    with says("text.xlsx", "expected a workbook"):
        mp.io.read_migrant_stock_by_age(text)
    csv = tmp_path / "text.csv"
    csv.write_text("LocID,AgeGrpStart,ASFR\n", encoding="utf-8")
    with says("text.csv", "expected a workbook", "mp.io.read_wpp_fertility"):
        mp.io.read_migrant_stock_by_age(csv)
    with pytest.raises(FileNotFoundError):
        mp.io.read_migrant_stock_by_age(tmp_path / "none.xlsx")


def test_wrong_cells(tmp_path):
    rows = contiguous(by_age(ROWS_OF_AGES))
    rows[12] = [*rows[12][:-2], "many", 1]
    with says("a.xlsx: column 'female 75\\+'", r"1 other cell", "row 13: 'many'"):
        mp.io.read_migrant_stock_by_age(workbook(tmp_path, rows, "a.xlsx"))
    rows = contiguous(by_age([*ROWS_OF_AGES, ROWS_OF_AGES[1]]))
    with says("b.xlsx: columns", "repeated"):
        mp.io.read_migrant_stock_by_age(workbook(tmp_path, rows, "b.xlsx"))
    rows = contiguous(by_age(ROWS_OF_AGES))
    rows[12] = [*rows[12][:4], "BOL", *rows[12][5:]]
    with says("c.xlsx: column 'location code'", "row 13: 'BOL'"):
        mp.io.read_migrant_stock_by_age(workbook(tmp_path, rows, "c.xlsx"))
    with says("d.xlsx: no rows"):
        mp.io.read_migrant_stock_by_age(workbook(tmp_path, contiguous(by_age([])), "d.xlsx"))


def test_without_openpyxl(tmp_path, monkeypatch):
    file = workbook(tmp_path, by_age(ROWS_OF_AGES))
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    with pytest.raises(ImportError, match=r"needs openpyxl.*pip install 'migproj\[io\]'"):
        mp.io.read_migrant_stock_by_age(file)
