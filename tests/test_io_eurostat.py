"""SDMX-CSV in the layout of Eurostat's migr_pop3ctb."""

import gzip

import numpy as np
import pytest
import xarray as xr

import migproj as mp

HEADER = (
    "DATAFLOW,LAST UPDATE,freq,c_birth,age,unit,sex,geo,TIME_PERIOD,OBS_VALUE,OBS_FLAG,CONF_STATUS"
)
START = "ESTAT:MIGR_POP3CTB(1.0),27/03/25 23:00:00,A"
AGES = ["Y_LT5", "Y5-9", "Y10-14", "Y_LT15", "Y15-64", "Y_GE65", "TOTAL", "UNK"]


def says(*parts, error=mp.SchemaError):
    return pytest.raises(error, match="(?s)" + ".*".join(parts))


def row(geo, born, year, sex, age, value, flag="", unit="NR"):
    return f"{START},{born},{age},{unit},{sex},{geo},{year},{value},{flag},"


def rows(geos=("EL", "UK", "XK", "EU27_2020"), births=("NA", "NAT", "UNK", "FOR"), years=(2020,)):
    return [
        row(geo, born, year, sex, age, 1000 * g + 100 * b + 10 * s + a + (year - 2020) / 2)
        for g, geo in enumerate(geos, 1)
        for b, born in enumerate(births)
        for year in years
        for s, sex in enumerate("FMT")
        for a, age in enumerate(AGES)
    ]


def write(folder, lines, name="migr_pop3ctb.csv"):
    file = folder / name
    text = "\ufeff" + "\r\n".join([HEADER, *lines]) + "\r\n"
    data = text.encode()
    file.write_bytes(gzip.compress(data) if file.suffix == ".gz" else data)
    return file


@pytest.mark.parametrize("name", ["migr_pop3ctb.csv", "migr_pop3ctb_linear.csv.gz"])
def test_stock(tmp_path, name):
    lines = rows()
    lines[0] = row("EL", "NA", 2020, "F", "Y_LT5", ":", "c")
    lines[1] = row("EL", "NA", 2020, "F", "Y5-9", "77", "ep")
    table = mp.io.read_eurostat_stock(write(tmp_path, lines, name))
    stock, flag = table["stock"], table["flag"]
    assert stock.dims == flag.dims == ("country", "birthplace", "time", "sex", "age")
    assert stock.attrs["units"] == "persons"
    assert stock["country"].values.tolist() == ["EL", "UK", "XK"]
    assert stock["birthplace"].values.tolist() == ["NA", "NAT", "UNK"]  # NA is Namibia
    assert stock["time"].values.tolist() == [2020.0]
    assert stock["age"].values.tolist() == [0, 5, 10, 15, 65]
    assert stock["age_width"].values.tolist() == [5, 5, 5, 50, np.inf]
    assert table.attrs["age_groups_left_out"] == ["0-14"]
    assert table.attrs["aggregates_left_out"] == 2
    women = stock.sel(country="EL", birthplace="NA", sex="female")
    assert np.isnan(women.sel(age=0))
    assert women.sel(age=5).item() == 77
    assert flag.sel(country="EL", birthplace="NA", sex="female").values.ravel().tolist() == [
        "c",
        "ep",
        "",
        "",
        "",
    ]
    assert stock.sel(country="XK", birthplace="NAT", sex="male", age=65).item() == 3115.0
    unknown = table["unknown_age"]
    assert unknown.dims == ("country", "birthplace", "time", "sex")
    assert unknown.attrs["units"] == "persons"
    assert unknown.sel(country="UK", birthplace="UNK", sex="female").item() == 2207.0


def test_selections(tmp_path):
    file = write(tmp_path, rows(years=[2020, 2021]))
    iso = mp.io.read_eurostat_stock(file, codes="iso")
    assert iso["country"].values.tolist() == ["GR", "GB", "XK"]
    one = mp.io.read_eurostat_stock(
        file, countries=["EL"], birthplaces=["NA"], years=[2021], ages=["0-14", "15-64", "65+"]
    )
    assert one["stock"].shape == (1, 1, 1, 2, 3)
    assert one["stock"].values.ravel().tolist() == [1003.5, 1004.5, 1005.5, 1013.5, 1014.5, 1015.5]
    both = mp.io.read_eurostat_stock(file, total=True)["stock"]
    assert both.dims == ("country", "birthplace", "time", "age")
    assert both.sel(country="EL", birthplace="NA", time=2020, age=0).item() == 1020.0
    groups = mp.io.read_eurostat_stock(file, aggregates=True)["stock"]
    assert groups["country"].values.tolist() == ["EL", "UK", "XK", "EU27_2020"]
    assert "FOR" in groups["birthplace"]
    with says("countries: not in migr_pop3ctb.csv", "'GR'", "EL"):
        mp.io.read_eurostat_stock(file, countries=["GR"])
    with says("birthplaces: not in", "'FOR'", r"groups of countries \(2\) need aggregates=True"):
        mp.io.read_eurostat_stock(file, birthplaces=["FOR"])
    with says("ages: not in", "0-9"):
        mp.io.read_eurostat_stock(file, ages=["0-9"])
    with says("codes: expected one of"):
        mp.io.read_eurostat_stock(file, codes="ISO")


def test_chunks_make_no_difference(tmp_path, monkeypatch):
    file = write(tmp_path, rows())
    whole = mp.io.read_eurostat_stock(file)
    monkeypatch.setattr("migproj.io._files._CHUNK", 7)
    xr.testing.assert_identical(mp.io.read_eurostat_stock(file), whole)


def test_rows_that_are_not_there_are_missing(tmp_path):
    lines = [line for line in rows() if ",NA,Y_GE65,NR,F,UK," not in line]
    stock = mp.io.read_eurostat_stock(write(tmp_path, lines))["stock"]
    assert int(stock.isnull().sum()) == 1
    assert np.isnan(stock.sel(country="UK", birthplace="NA", sex="female", age=65))


def test_wrong_files(tmp_path):
    lines = rows()

    def read(*changed):
        return mp.io.read_eurostat_stock(write(tmp_path, [*changed, *lines[len(changed) :]]))

    with says("column 'OBS_VALUE'", "1 other cell", "row 2: '12 b'"):
        read(row("EL", "NA", 2020, "F", "Y_LT5", "12 b"))
    with says("column 'age'", "Y5-9", "'young'"):
        read(row("EL", "NA", 2020, "F", "young", "1"))
    with says("column 'sex'", "'X'"):
        read(row("EL", "NA", 2020, "X", "Y_LT5", "1"))
    with says("column 'unit'", "NR", "'PC'"):
        read(row("EL", "NA", 2020, "F", "Y_LT5", "1", unit="PC"))
    with says("columns", "repeated"):
        read(lines[1])
    with says("column 'TIME_PERIOD'", "expected numbers", "2020-Q1"):
        read(row("EL", "NA", "2020-Q1", "F", "Y_LT5", "1"))
    gap = [line for line in lines if "Y15-64" not in line]
    with says("contiguous age groups", "ages="):
        mp.io.read_eurostat_stock(write(tmp_path, gap))
    other = tmp_path / "m.csv"
    other.write_text("LocID,NetMigrations,SRB\n", encoding="utf-8")
    with says("m.csv: mp.io.read_eurostat_stock", "mp.io.read_wpp_indicators"):
        mp.io.read_eurostat_stock(other)
