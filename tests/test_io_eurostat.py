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
    with says("column 'unit'", "'Number'", "with codes"):
        read(row("Greece", "Namibia", 2020, "Females", "Total", "1", unit="Number"))
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


def test_codes_beside_labels(tmp_path):
    """SDMX-CSV 2.0 with both: other columns are not looked at."""
    header = (
        "STRUCTURE,STRUCTURE_ID,STRUCTURE_NAME,freq,Time frequency,c_birth,Country of birth,age,"
        "Age class,unit,Unit of measure,sex,Sex,geo,Geopolitical entity (reporting),TIME_PERIOD,"
        "Time,OBS_VALUE,Observation value,OBS_FLAG,Observation status (Flag) V2 structure"
    )
    lines = [
        f"dataflow,ESTAT:MIGR_POP3CTB(1.0),People,A,Annual,NA,Namibia,{code},{label},NR,Number,"
        f'{sex},x,EL,Greece,2020,,{figure},,b,"break, in series"'
        for sex, figure in (("F", 5), ("M", 6))
        for code, label in (("Y_LT5", "under 5"), ("Y_GE5", "5 or over"))
    ]
    file = tmp_path / "both.csv"
    file.write_text("\n".join([header, *lines]))
    table = mp.io.read_eurostat_stock(file)
    assert table["stock"].values.ravel().tolist() == [5, 5, 6, 6]
    assert set(table["flag"].values.ravel()) == {"b"}


def test_tables_of_tabs_are_named(tmp_path):
    file = tmp_path / "migr_pop3ctb.tsv"
    file.write_text("freq,c_birth,age,unit,sex,geo\\TIME_PERIOD\t2019 \nA,NA,TOTAL,NR,F,EL\t: \n")
    with says("migr_pop3ctb.tsv", "Eurostat's TSV", "as SDMX-CSV"):
        mp.io.read_eurostat_stock(file)


def test_wider_groups_in_place_of_finer_ones_are_told(tmp_path):
    """EL has 85 and over where AT has three groups."""
    ages = {"AT": ["Y_LT85", "Y85-89", "Y_GE90", "Y_GE85"], "EL": ["Y_LT85", "Y_GE85"]}
    lines = [
        row(geo, "NA", 2020, sex, age, 10 * k)
        for geo, codes in ages.items()
        for sex in "FM"
        for k, age in enumerate(codes, 1)
    ]
    file = write(tmp_path, lines)
    with pytest.warns(
        mp.DataQualityWarning, match=r"2 table.s. have figures of .'85\+'.*country=EL.*ages="
    ):
        stock = mp.io.read_eurostat_stock(file)["stock"]
    assert stock.sel(country="EL", age=[85, 90]).isnull().all()
    assert stock.sel(country="AT").notnull().all()
    wide = mp.io.read_eurostat_stock(file, ages=["0-84", "85+"])["stock"]
    assert wide.sel(age=85, sex="male").values.ravel().tolist() == [40, 20]
    single = [row("AT", "NA", 2020, sex, "Y7", 1) for sex in "FM"]  # holds no other
    both = write(tmp_path, [line for line in lines + single if ",EL," not in line])
    assert mp.io.read_eurostat_stock(both)["stock"].notnull().all()
