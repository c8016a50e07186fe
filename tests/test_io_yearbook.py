"""CSV files in the layout of the Demographic Yearbook on UNdata."""

import zipfile

import numpy as np
import pytest
import xarray as xr

import migproj as mp

HEADER = (
    '"Country or Area","Year","Area","Sex","Age","Record Type","Reliability","Source Year",'
    '"Value","Value Footnotes"'
)
CENSUS = "Census - de facto - complete tabulation"
FOOTNOTES = ['"footnoteSeqID","Footnote"', '"1","Excluding nomads, as published."', '"7","Other."']
AGES = ["Total", "0 - 4", "0", "1 - 4", "5 - 9", "10 +", "Unknown"]


def says(*parts, error=mp.SchemaError):
    return pytest.raises(error, match="(?s)" + ".*".join(parts))


def row(place, year, sex, age, value, *, area="Total", kind=CENSUS, source=2006, notes=""):
    reliability = '"Final figure, complete"'
    return (
        f'"{place}","{year}","{area}","{sex}","{age}","{kind}",{reliability},"{source}",'
        f'"{value}","{notes}"'
    )


def rows(places=("Chile", "Namibia"), years=(1992, 2002), ages=AGES, scale=1, **options):
    return [
        row(place, year, sex, age, scale * (1000 * p + 100 * y + 10 * s + a), **options)
        for p, place in enumerate(places, 1)
        for y, year in enumerate(years)
        for s, sex in enumerate(["Both Sexes", "Male", "Female"])
        for a, age in enumerate(ages)
    ]


def write(folder, lines, name="UNdata_Export.csv", notes=FOOTNOTES):
    text = "\n".join([HEADER, *lines, *notes]) + "\n"
    if name.endswith(".zip"):
        with zipfile.ZipFile(folder / name, "w") as archive:
            archive.writestr("UNdata_Export.csv", "\ufeff" + text)
    else:
        (folder / name).write_text("\ufeff" + text, encoding="utf-8")
    return folder / name


@pytest.mark.parametrize("name", ["UNdata_Export.csv", "UNdata_Export.zip"])
def test_population(tmp_path, name):
    lines = rows()
    lines[8] = row("Chile", 1992, "Male", "0 - 4", 1011, notes="1")
    table = mp.io.read_demographic_yearbook(write(tmp_path, lines, name))
    population = table["population"]
    assert population.dims == ("country", "time", "sex", "age")
    assert population.attrs["units"] == "persons"
    assert population["country"].values.tolist() == ["Chile", "Namibia"]
    assert population["time"].values.tolist() == [1992.5, 2002.5]
    assert population["sex"].values.tolist() == ["female", "male"]
    assert population["age"].values.tolist() == [0, 1, 5, 10]
    assert population["age_width"].values.tolist() == [1, 4, 5, np.inf]
    assert population.sel(country="Namibia", time=2002.5, sex="male").values.tolist() == [
        2112, 2113, 2114, 2115,
    ]  # fmt: skip
    assert table["unknown_age"].sel(country="Chile", time=1992.5, sex="female").item() == 1026
    assert table["record_type"].values.tolist() == [[CENSUS] * 2] * 2
    assert table["source_year"].values.tolist() == [["2006"] * 2] * 2
    assert table["reliability"].dims == ("country", "time")
    assert table.attrs["footnotes"] == ""  # of a row that is not read


def test_footnotes_used(tmp_path):
    lines = rows()
    lines[9] = row("Chile", 1992, "Male", "0", 1012, notes="1,7")
    table = mp.io.read_demographic_yearbook(write(tmp_path, lines))
    assert table.attrs["footnotes"] == "1: Excluding nomads, as published.\n7: Other."


def test_ages_that_are_named(tmp_path):
    file = write(tmp_path, rows())
    table = mp.io.read_demographic_yearbook(
        file, countries=["Chile"], years=[1992], ages=["0-4", "5-9", "10+"]
    )
    assert table["population"].shape == (1, 1, 2, 3)
    assert table["age_width"].values.tolist() == [5, 5, np.inf]
    assert table["population"].sel(sex="male").values.ravel().tolist() == [1011, 1014, 1015]


def test_editions_and_record_types(tmp_path):
    older = rows(source=2003, scale=2)
    file = write(tmp_path, [*older, *rows()])
    table = mp.io.read_demographic_yearbook(file)
    assert table["population"].sel(country="Chile", time=1992.5, sex="male", age=0).item() == 1012
    assert table.attrs["older_rows_left_out"] == 2 * 2 * 2 * 6  # of both sexes, without totals
    with says("columns", "one row for each"):
        mp.io.read_demographic_yearbook(file, all_sources=True)
    mixed = write(tmp_path, [*rows(), *rows(kind="Estimate - de jure", years=[2002], scale=3)])
    with says("several record types in 2", "Chile", "record_type=", "Estimate - de jure"):
        mp.io.read_demographic_yearbook(mixed)
    estimate = mp.io.read_demographic_yearbook(mixed, record_type="Estimate")
    assert estimate["time"].values.tolist() == [2002.5]
    assert estimate["population"].sel(country="Chile", sex="male", age=0).item() == 3036
    with says("record_type: none", "'Survey'", "Census"):
        mp.io.read_demographic_yearbook(mixed, record_type="Survey")


def test_areas(tmp_path):
    file = write(tmp_path, [*rows(), *rows(area="Rural", scale=0.5)])
    rural = mp.io.read_demographic_yearbook(file, area="Rural")
    whole = mp.io.read_demographic_yearbook(file)
    xr.testing.assert_allclose(rural["population"], whole["population"] / 2)
    assert rural.attrs["area"] == "Rural"
    with says("area: not in", "'Urban'", "Rural"):
        mp.io.read_demographic_yearbook(file, area="Urban")


def test_other_age_groups_elsewhere(tmp_path):
    finer = rows(places=["Peru"], ages=["0", "1 - 4", "5 - 9", "10 - 14", "15 +"])
    file = write(tmp_path, [*rows(), *finer])
    with says("2 different sets of age groups in 6 tables", "countries=", "ages="):
        mp.io.read_demographic_yearbook(file)
    peru = mp.io.read_demographic_yearbook(file, countries=["Peru"])
    assert peru["age"].values.tolist() == [0, 1, 5, 10, 15]
    assert "unknown_age" not in peru


def test_chunks_make_no_difference(tmp_path, monkeypatch):
    lines = rows()
    lines[9] = row("Chile", 1992, "Male", "0", 1012, notes="1,7")
    file = write(tmp_path, lines)
    whole = mp.io.read_demographic_yearbook(file)
    for size in (2, 5):  # the footnotes in a chunk of their own
        monkeypatch.setattr("migproj.io._files._CHUNK", size)
        xr.testing.assert_identical(mp.io.read_demographic_yearbook(file), whole)


def test_no_footnotes(tmp_path):
    table = mp.io.read_demographic_yearbook(write(tmp_path, rows(), notes=[]))
    assert table.attrs["footnotes"] == ""


def test_wrong_files(tmp_path):
    lines = rows()

    def read(*changed):
        return mp.io.read_demographic_yearbook(write(tmp_path, [*changed, *lines[len(changed) :]]))

    with says("column 'Value'", "1 other cell", "84 rows", "row 2: 'x'"):
        read(row("Chile", 1992, "Male", "0", "x"))
    with says("column 'Sex'", "'Men'"):
        read(row("Chile", 1992, "Men", "0", "1"))
    with says("column 'Year'", "expected numbers", "2001/2002"):
        read(row("Chile", "2001/2002", "Male", "0", "1"))
    with says("cannot read the label", "young"):
        read(*lines[:7], row("Chile", 1992, "Male", "young", "1"))
    with says("columns", "repeated"):
        read(lines[9])
    other = tmp_path / "m.csv"
    other.write_text("LocID,NetMigrations,SRB\n", encoding="utf-8")
    with says("m.csv: mp.io.read_demographic_yearbook", "mp.io.read_wpp_indicators"):
        mp.io.read_demographic_yearbook(other)
