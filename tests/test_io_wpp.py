"""Small files in the exact layout of WPP 2019, 2022 and 2024."""

import gzip

import numpy as np
import pytest
import xarray as xr

import migproj as mp

BOM = "\ufeff"
PREFIX_2019 = "LocID,Location,VarID,Variant,Time,MidPeriod"
PREFIX_2024 = (
    "SortOrder,LocID,Notes,ISO3_code,ISO2_code,SDMX_code,LocTypeID,LocTypeName,ParentID,"
    "Location,VarID,Variant,Time,MidPeriod"
)
AGES = "AgeGrp,AgeGrpStart,AgeGrpSpan"
PLACES_2024 = [
    "1,900,,,,1,1,World,0,World",
    ',5507,,,,,,,,"ADB region: Central and West Asia"',
    "20,516,,NAM,NA,516,4,Country/Area,913,Namibia",
    "30,384,,CIV,CI,384,4,Country/Area,914,Côte d'Ivoire",
]
POPULATION = f"{PREFIX_2024},{AGES},PopMale,PopFemale,PopTotal"


def says(*parts, error=mp.SchemaError):
    return pytest.raises(error, match="(?s)" + ".*".join(parts))


def write(folder, name, header, rows, start=BOM):
    file = folder / name
    text = start + "\n".join([header, *rows]) + "\n"
    if file.suffix == ".gz":
        with gzip.open(file, "wt", encoding="utf-8", newline="") as stream:
            stream.write(text.replace("\n", "\r\n"))
    else:
        file.write_text(text, encoding="utf-8")
    return file


def population_rows(years=(2023, 2024), ages=(("0", 0, 1), ("1", 1, 1), ("2+", 2, -1)), half=".5"):
    return [
        f"{place},2,Medium,{year},{year}{half},{label},{low},{span},"
        f"{code + low + 0.125},{code + low + 0.5},{2 * (code + low) + 0.625}"
        for code, place in enumerate(PLACES_2024)
        for year in years
        for label, low, span in ages
    ]


@pytest.mark.parametrize("name", ["WPP2024_PopulationBySingleAgeSex_Medium.csv", "p.csv.gz"])
def test_population(tmp_path, name):
    file = write(tmp_path, name, POPULATION, population_rows())
    population = mp.io.read_wpp_population(file)
    assert population.dims == ("country", "time", "sex", "age")
    assert population.name == "population"
    assert population.attrs["units"] == "persons"
    assert population.attrs["published_units"] == "thousands"
    assert population.attrs["aggregates_left_out"] == 2
    assert population["country"].values.tolist() == [516, 384]  # as in the file
    assert population["country_name"].values.tolist() == ["Namibia", "Côte d'Ivoire"]
    assert population["iso3"].values.tolist() == ["NAM", "CIV"]
    assert population["time"].values.tolist() == [2023.5, 2024.5]
    assert population["sex"].values.tolist() == ["female", "male"]
    assert population["age"].values.tolist() == [0, 1, 2]
    assert population["age_width"].values.tolist() == [1, 1, np.inf]
    assert population["variant"].item() == "Medium"
    assert population.sel(country=516, time=2024.5, sex="male").values.tolist() == [
        2125.0, 3125.0, 4125.0,
    ]  # fmt: skip
    assert population.sel(country=384, time=2023.5, sex="female", age=1).item() == 4500.0


def test_population_of_1_january_and_of_2019(tmp_path):
    january = write(tmp_path, "j.csv", POPULATION, population_rows(years=[1950], half=""))
    assert mp.io.read_wpp_population(january)["time"].values.tolist() == [1950.0]
    older = write(
        tmp_path,
        "WPP2019_PopulationByAgeSex_Medium.csv",
        f"{PREFIX_2019},{AGES},PopMale,PopFemale,PopTotal",
        [
            "4,Afghanistan,2,Medium,1950,1950.497,0-4,0,5,630.044,661.578,1291.622",
            "4,Afghanistan,2,Medium,1950,1950.497,100+,5,-1,0,0,0",
            "903,Africa,2,Medium,1950,1950.497,0-4,0,5,19352.1,19069.2,38421.3",
        ],
    )
    array = mp.io.read_wpp_population(older)
    assert array["time"].values.tolist() == [1950.5]
    assert "iso3" not in array.coords
    assert array.attrs["aggregates_left_out"] == 1
    with_groups = mp.io.read_wpp_population(older, aggregates=True, gaps=True)
    assert with_groups["country"].values.tolist() == [4, 903]
    assert with_groups.attrs["aggregates_left_out"] == 0
    assert with_groups.sel(country=903, age=5).isnull().all()


def test_selections_and_several_files(tmp_path):
    one = write(tmp_path, "a.csv", POPULATION, population_rows(years=[2023]))
    two = write(tmp_path, "b.csv.gz", POPULATION, population_rows(years=[2024]))
    both = mp.io.read_wpp_population([one, two], countries=["CIV"])
    assert both["country"].values.tolist() == [384]
    assert both["time"].values.tolist() == [2023.5, 2024.5]
    assert "a.csv, b.csv.gz" in both.attrs["source"]
    picked = mp.io.read_wpp_population([one, two], countries=[516], years=[2024])
    xr.testing.assert_identical(
        picked, mp.io.read_wpp_population([one, two]).sel(country=[516], time=[2024.5])
    )
    with says("countries: not in a.csv", r"\['ARG'\]", "it has", "aggregates=True"):
        mp.io.read_wpp_population(one, countries=["ARG"])
    with says("years: not in a.csv", r"\[1950\]", r"\[2023\]"):
        mp.io.read_wpp_population(one, years=[1950])
    with says("path: expected the path of a file"):
        mp.io.read_wpp_population([])


def test_chunks_make_no_difference(tmp_path, monkeypatch):
    file = write(tmp_path, "a.csv", POPULATION, population_rows())
    whole = mp.io.read_wpp_population(file)
    monkeypatch.setattr("migproj.io._files._CHUNK", 5)
    xr.testing.assert_identical(mp.io.read_wpp_population(file), whole)


def test_variants(tmp_path):
    rows = population_rows(years=[2024])
    other = [row.replace(",2,Medium,", ",3,High,") for row in rows]
    file = write(tmp_path, "a.csv", POPULATION, rows + other)
    with says("a.csv: several variants", r"\['High', 'Medium'\]", "variant="):
        mp.io.read_wpp_population(file)
    assert mp.io.read_wpp_population(file, variant="High")["variant"].item() == "High"
    both = mp.io.read_wpp_population(file, variant=["High", "Medium"])
    assert both.dims == ("variant", "country", "time", "sex", "age")
    with says("variant: not in a.csv", "Low"):
        mp.io.read_wpp_population(file, variant="Low")


def life_table_rows(sex, code):
    return [
        f"32,Argentina,2,Medium,{time},{mid},{code},{sex},{label},{low},{span},"
        f"{0.01 * code},0.2,0.8,100000,20000,90000,0.95,7000000,70,0.1"
        for time, mid in (("2010-2015", 2013), ("2015-2020", 2018))
        for label, low, span in (("0", 0, 1), ("1-4", 1, 4), ("5-9", 5, 5), ("10+", 10, -1))
    ]


LIFE = f"{PREFIX_2019},SexID,Sex,{AGES},mx,qx,px,lx,dx,Lx,Sx,Tx,ex,ax"


def test_abridged_life_tables_of_2019(tmp_path):
    rows = [
        *life_table_rows("Male", 1),
        *life_table_rows("Female", 2),
        *life_table_rows("Total", 3),
    ]
    file = write(tmp_path, "WPP2019_Life_Table_Medium.csv", LIFE, rows)
    table = mp.io.read_wpp_life_table(file)
    assert set(table) == {"mx", "ax", "qx", "lx", "dx", "Lx", "Tx", "ex"}
    assert table["mx"].dims == ("country", "period", "sex", "age")
    assert table["period"].values.tolist() == [2010.5, 2015.5]
    assert table["period_width"].values.tolist() == [5.0, 5.0]
    assert table["age_width"].values.tolist() == [1, 4, 5, np.inf]
    assert table["mx"].sel(sex="female").values == pytest.approx(0.02)
    assert table["Lx"].attrs["units"] == "person-years"
    assert table["ax"].values == pytest.approx(0.1)
    total = mp.io.read_wpp_life_table(file, total=True)
    assert total["mx"].dims == ("country", "period", "age")
    assert total["mx"].values == pytest.approx(0.03)
    one = mp.io.read_wpp_life_table(file, years=[2015])
    assert one["period"].values.tolist() == [2015.5]


def test_complete_life_tables_of_2024_by_sex_in_two_files(tmp_path):
    header = f"{PREFIX_2024},SexID,Sex,{AGES},mx,qx,px,lx,dx,Lx,Sx,Tx,ex,ax"
    files = [
        write(
            tmp_path,
            f"WPP2024_Life_Table_Complete_Medium_{sex}_1950-2023.csv",
            header,
            [
                f"{place},2,Medium,2023,2023.5,{code},{sex},{label},{low},{span},"
                "0.01,0.2,0.8,1e5,2e4,9e4,0.95,7e6,70,0.5"
                for place in PLACES_2024
                for label, low, span in (("0", 0, 1), ("1", 1, 1), ("2+", 2, -1))
            ],
        )
        for code, sex in ((1, "Male"), (2, "Female"))
    ]
    table = mp.io.read_wpp_life_table(files)
    assert table["period"].values.tolist() == [2023.0]
    assert table["period_width"].values.tolist() == [1.0]
    assert table.sizes == {"country": 2, "period": 1, "sex": 2, "age": 3}
    with says("total=True", r"\['male'\]"):
        mp.io.read_wpp_life_table(files[0], total=True)
    rows = [
        "20,516,,NAM,NA,516,4,Country/Area,913,Namibia,2,Medium,2023,2023.5,9,Both,0,0,1"
        + ",1" * 10
    ]
    odd = write(tmp_path, "odd.csv", header, rows)
    with says("odd.csv: column 'Sex'", "Female", "'Both'"):
        mp.io.read_wpp_life_table(odd)


def test_fertility(tmp_path):
    file = write(
        tmp_path,
        "WPP2024_Fertility_by_Age5.csv",
        f"{PREFIX_2024},{AGES},ASFR,PASFR,Births",
        [
            f"{place},2,Medium,2023,2023.5,{low}-{low + 4},{low},5,{low * 2},14.0,100.5"
            for place in PLACES_2024
            for low in range(10, 55, 5)
        ],
    )
    rates = mp.io.read_wpp_fertility(file)
    assert rates.dims == ("country", "period", "age")
    assert rates.sel(country=516, period=2023, age=30).item() == pytest.approx(0.06)
    assert rates.attrs["units"] == "1/year"
    assert rates["age_width"].values.tolist() == [5.0] * 9
    assert rates.attrs["published_units"] == "births per 1000 women"


def test_indicators_of_2019_and_2024(tmp_path):
    older = write(
        tmp_path,
        "WPP2019_Period_Indicators_Medium.csv",
        f"{PREFIX_2019},TFR,NRR,CBR,Births,LEx,LExMale,LExFemale,IMR,Q5,CDR,Deaths,DeathsMale,"
        "DeathsFemale,CNMR,NetMigrations,GrowthRate,NatIncr,SRB,MAC",
        ["32,Argentina,2,Medium,2015-2020,2018" + ",2" * 14 + ",24.0,0.96,9.4,1.04,28"],
    )
    data = mp.io.read_wpp_indicators(older)
    assert data["net_migration"].dims == ("country", "period")
    assert data["net_migration"].item() == 24_000.0
    assert data["net_migration"].attrs["units"] == "persons per period"
    assert data["sex_ratio_at_birth"].item() == pytest.approx(1.04)
    assert data["period_width"].values.tolist() == [5.0]
    newer = write(
        tmp_path,
        "WPP2024_Demographic_Indicators_Medium.csv",
        f"{PREFIX_2024.removesuffix(',MidPeriod')},TPopulation1Jan,SRB,NetMigrations,CNMR",
        [f"{place},2,Medium,2023,45000,104.2,-3.886,0.09" for place in PLACES_2024],
    )
    data = mp.io.read_wpp_indicators(newer)
    assert data["net_migration"].values.ravel() == pytest.approx([-3886.0] * 2)
    assert data["sex_ratio_at_birth"].values.ravel() == pytest.approx([1.042] * 2)
    assert data["period"].values.tolist() == [2023.0]


def test_the_year_after_the_last_has_no_indicators(tmp_path):
    """Only its population of 1 January is published."""
    rows = [
        f"{place},2,Medium,{year},45000,{figures}"
        for place in PLACES_2024
        for year, figures in ((2099, "104.2,,"), (2100, "104.2,-3.886,0.09"), (2101, ",,"))
    ]
    header = f"{PREFIX_2024.removesuffix(',MidPeriod')},TPopulation1Jan,SRB,NetMigrations,CNMR"
    file = write(tmp_path, "WPP2024_Demographic_Indicators_Medium.csv", header, rows)
    with says("column 'NetMigrations'", "2 of 4 cells", "period=2099"):  # a gap within is told
        mp.io.read_wpp_indicators(file)
    whole = [row for row in rows if ",2099," not in row]
    file = write(tmp_path, "WPP2024_Demographic_Indicators_Medium.csv", header, whole)
    data = mp.io.read_wpp_indicators(file)
    assert data["period"].values.tolist() == [2100.0]
    assert data.attrs["years_left_out"] == [2101]
    with says("2 of 2 cells", "period=2101"):
        mp.io.read_wpp_indicators(file, years=[2101])
    every = mp.io.read_wpp_indicators(file, gaps=True)
    assert every["period"].values.tolist() == [2100.0, 2101.0]
    assert "years_left_out" not in every.attrs


def test_what_is_read_goes_into_estimates(tmp_path):
    ages = [(f"{low}-{low + 4}", low, 5) for low in range(0, 100, 5)] + [("100+", 100, -1)]
    rows = population_rows(years=[2015, 2020], ages=ages)
    population = mp.io.read_wpp_population(write(tmp_path, "p.csv", POPULATION, rows))
    rows = [
        f"{place},2,Medium,2015,2015.5,{code},{sex},{label},{low},{span},"
        f"{0.001 + low / 250},0,0,1,0,1,0,1,1,1"
        for place in PLACES_2024
        for code, sex in ((1, "Male"), (2, "Female"))
        for label, low, span in [("0", 0, 1), ("1-4", 1, 4), *ages[1:]]
    ]
    header = f"{PREFIX_2024},SexID,Sex,{AGES},mx,qx,px,lx,dx,Lx,Sx,Tx,ex,ax"
    mx = mp.io.read_wpp_life_table(write(tmp_path, "l.csv", header, rows))["mx"]
    table = mp.life_table(mx.isel(period=0, drop=True))
    start, end = (population.sel(time=time) for time in (2015.5, 2020.5))
    net = mp.net_migration(start, end, table, children="none", method="forward")
    assert net["net_migration"].dims == ("country", "sex", "age")
    assert net["net_migration"].sel(age=slice(5, None)).notnull().all()


def test_what_is_read_can_be_written(tmp_path):
    population = mp.io.read_wpp_population(write(tmp_path, "p.csv", POPULATION, population_rows()))
    assert population["variant"].dtype == object  # of variable length
    mp.io.write_zarr(population, tmp_path / "p.zarr")
    mp.io.write_netcdf(population, tmp_path / "p.nc")
    for back in (
        xr.open_zarr(tmp_path / "p.zarr", consolidated=False),
        xr.open_dataset(tmp_path / "p.nc", engine="h5netcdf"),
    ):
        with back:
            xr.testing.assert_equal(back["population"], population)
    tidied = mp.io.read_tidy(mp.io.write_tidy(population, tmp_path / "tidy.csv"))["population"]
    xr.testing.assert_equal(
        tidied.squeeze("variant", drop=True).transpose(*population.dims),
        population.drop_vars(["variant", "country_name", "iso3"]),
    )


# --- wrong files


def test_one_label_need_not_be_a_list(tmp_path):
    file = write(tmp_path, "p.csv", POPULATION, population_rows())
    one = mp.io.read_wpp_population(file, countries="CIV", years=2024)
    assert one["country"].values.tolist() == [384]
    assert one["time"].values.tolist() == [2024.5]


def test_empty_and_damaged_files(tmp_path):
    with says("a.csv: no rows"):
        mp.io.read_wpp_population(write(tmp_path, "a.csv", POPULATION, []))
    empty = tmp_path / "b.csv"
    empty.touch()
    with says("b.csv", "empty or no text"):
        mp.io.read_wpp_population(empty)
    whole = write(tmp_path, "c.csv.gz", POPULATION, population_rows(years=range(1000, 3000)))
    damaged = tmp_path / "d.csv.gz"
    damaged.write_bytes(whole.read_bytes()[:-5000])
    with says("d.csv.gz: the compressed file is damaged"):
        mp.io.read_wpp_population(damaged)


def test_unreadable_cells(tmp_path):
    rows = population_rows(years=[2023])
    broken = ",".join([*rows[7].split(",")[:-3], "n.a.", "1.5", "2.5"])
    file = write(tmp_path, "a.csv", POPULATION, [*rows[:7], broken, *rows[8:]])
    with says("a.csv: column 'PopMale'", r"1 other cell\(s\)", "6 rows", "row 9: 'n.a.'"):
        mp.io.read_wpp_population(file)
    blank = ",".join([*rows[7].split(",")[:-3], "", "1.5", "2.5"])
    file = write(tmp_path, "b.csv", POPULATION, [*rows[:7], blank, *rows[8:]])
    with says("b.csv: column 'male'", "1 of 6 cells are missing", "country=516", "gaps=True"):
        mp.io.read_wpp_population(file)
    assert int(mp.io.read_wpp_population(file, gaps=True).isnull().sum()) == 1
    code = rows[7].replace(",516,,", ",,,")
    with says("c.csv: column 'LocID'", "whole numbers", "row 9"):
        mp.io.read_wpp_population(write(tmp_path, "c.csv", POPULATION, [*rows[:7], code]))
    middle = rows[7].replace("2023.5", "2023.2")
    with says("d.csv: column 'MidPeriod'", "1 July", "2023.2"):
        mp.io.read_wpp_population(write(tmp_path, "d.csv", POPULATION, [middle]))


def test_repeated_and_missing_rows(tmp_path):
    rows = population_rows(years=[2023])
    with says("a.csv: columns", "one row", "1 repeated in 7 rows", "516"):
        mp.io.read_wpp_population(write(tmp_path, "a.csv", POPULATION, [*rows, rows[7]]))
    with says("b.csv: column 'female'", "1 of 6 cells", "age=2"):
        mp.io.read_wpp_population(write(tmp_path, "b.csv", POPULATION, rows[:-1]))
    wide = rows[6].replace(",0,0,1,", ",0,0,5,")
    with says("c.csv: expected one width for each age", r"\[0\]"):
        mp.io.read_wpp_population(write(tmp_path, "c.csv", POPULATION, [wide, *rows[7:]]))
    with says("d.csv", "leaves a gap"):
        mp.io.read_wpp_population(
            write(tmp_path, "d.csv", POPULATION, [row for row in rows if ",1,1,1," not in row])
        )
    with says("e.csv: no rows"):
        mp.io.read_wpp_population(write(tmp_path, "e.csv", POPULATION, rows[:2]))


def test_another_layout_is_named(tmp_path):
    population = write(tmp_path, "p.csv", POPULATION, population_rows())
    with says("p.csv: mp.io.read_wpp_fertility expected", "ASFR", "mp.io.read_wpp_population"):
        mp.io.read_wpp_fertility(population)
    life = write(tmp_path, "l.csv.gz", LIFE, life_table_rows("Male", 1))
    with says("l.csv.gz", "read_wpp_population expected", "file for mp.io.read_wpp_life_table"):
        mp.io.read_wpp_population(life)
    other = write(tmp_path, "o.csv", "a,b", ["1,2"])
    with says("o.csv", r"got \['a', 'b'\]", "no layout that migproj.io reads"):
        mp.io.read_wpp_indicators(other)
    picture = tmp_path / "x.csv"
    picture.write_bytes(b"\x89PNG\xff\xfe\x00")
    with says("x.csv", "empty or no text"):
        mp.io.read_wpp_population(picture)
    with pytest.raises(FileNotFoundError):
        mp.io.read_wpp_population(tmp_path / "none.csv")


def test_bytes_that_are_not_utf_8(tmp_path):
    text = "\n".join([POPULATION, *population_rows() * 40])
    rows = text.replace("Namibia", "Réunion").encode("latin-1")
    file = tmp_path / "latin.csv"
    file.write_bytes(rows)
    with says("latin.csv", "UTF-8"):
        mp.io.read_wpp_population(file)
    file.write_bytes(text.encode() + rows)  # beyond the head
    with says("latin.csv", "UTF-8, got other bytes"):
        mp.io.read_wpp_population(file)
