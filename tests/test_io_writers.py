"""What is written comes back; files of others read what is written."""

import sys

import dask.array
import numpy as np
import openpyxl
import pandas as pd
import pytest
import xarray as xr

import migproj as mp
from migproj.conventions import VARIABLES

AGES = mp.age_coords(["0", "1-4", "5-9", "10+"])


def says(*parts, error=mp.SchemaError):
    return pytest.raises(error, match="(?s)" + ".*".join(parts))


def table():
    """Populations and rates of two countries, one figure missing, one variable without ages."""
    rng = np.random.default_rng(7)
    places = np.array(["NA", "ARG"], object)  # NA is a label
    sexes = np.array(["female", "male"], object)
    population = xr.DataArray(
        rng.uniform(0, 1e7, (2, 3, 2, 4)),
        dims=("country", "time", "sex", "age"),
        coords={"country": places, "time": [1990.5, 1995.5, 2000.5], "sex": sexes, **AGES},
        attrs={"units": "persons", "long_name": VARIABLES["population"].meaning},
    )
    population[0, 1, 1, 2] = np.nan
    net = xr.DataArray(
        rng.normal(0, 1e4, (2, 2)),
        dims=("country", "period"),
        coords={
            "country": places,
            "period": [1990.5, 1995.5],
            "period_width": ("period", [5.0, 5.0]),
        },
        attrs={"units": "persons per period", "long_name": VARIABLES["net_migration"].meaning},
    )
    return xr.Dataset({"population": population, "net_migration": net})


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.parquet"])
@pytest.mark.parametrize("missing", ["keep", "drop"])
@pytest.mark.parametrize("codes", [False, True])
def test_tidy_round_trip(tmp_path, name, missing, codes):
    data = table().assign_coords(country=[516, 32]) if codes else table()
    file = mp.io.write_tidy(data, tmp_path / name, missing=missing)
    assert file == tmp_path / name
    back = mp.io.read_tidy(file)
    xr.testing.assert_identical(back.transpose(*data.dims), data.transpose(*data.dims))


def test_tidy_columns():
    frame = mp.io.tidy(table())
    assert list(frame) == [
        "variable", "country", "time", "sex", "age", "period", "age_group", "period_width",
        "value", "units",
    ]  # fmt: skip
    assert len(frame) == 2 * 3 * 2 * 4 + 2 * 2
    assert len(mp.io.tidy(table(), missing="drop")) == len(frame) - 1
    net = frame[frame["variable"] == "net_migration"]
    assert net[["time", "sex", "age", "age_group"]].isna().all(axis=None)
    assert set(net["period_width"]) == {5.0}
    assert frame["age_group"].dropna().unique().tolist() == ["0", "1-4", "5-9", "10+"]
    assert str(frame["age"].dtype) == "Int64"


def test_tidy_scalars_and_arrays(tmp_path):
    one = table()["population"].sel(country="ARG", time=1990.5)
    back = mp.io.read_tidy(mp.io.write_tidy(one, tmp_path / "a.csv"))["population"]
    assert back.sizes == {"country": 1, "time": 1, "sex": 2, "age": 4}
    np.testing.assert_array_equal(
        back.sel(country="ARG", time=1990.5).transpose(*one.dims).values, one.values
    )
    total = one.sum(keep_attrs=True).rename("population")
    assert mp.io.tidy(total)["value"].item() == pytest.approx(float(one.sum()))


def test_births_by_age_of_mother(tmp_path):
    births = xr.DataArray(
        [[1.0, 2.0]],
        dims=("sex", "mother_age"),
        coords={
            "sex": np.array(["female"], object),
            "mother_age": [15, 20],
            "mother_age_width": ("mother_age", [5.0, 5.0]),
        },
        name="births",
    )
    back = mp.io.read_tidy(mp.io.write_tidy(births, tmp_path / "b.csv"))
    assert back["mother_age_width"].values.tolist() == [5.0, 5.0]
    np.testing.assert_array_equal(back["births"].values, births.values)


def test_tidy_refuses():
    with says("variable 'flag': expected numbers", "drop_vars"):
        mp.io.tidy(table().assign(flag=("country", np.array(["b", ""], object))))
    with says("missing: expected one of"):
        mp.io.tidy(table(), missing="no")
    with says("needs a name", "rename"):
        mp.io.tidy(table()["population"].rename(None))
    with says("expected an xarray.Dataset", "DataFrame"):
        mp.io.tidy(pd.DataFrame())
    with says("with variables, got none"):
        mp.io.tidy(xr.Dataset())
    with says("path: expected a name in .csv", "t.txt"):
        mp.io.write_tidy(table(), "t.txt")


def test_tidy_files_of_others(tmp_path):
    file = tmp_path / "t.csv"
    head = "variable,age,age_group,value,units\n"
    file.write_text(head + "population,0,0-4,1,persons\npopulation,5,5+,x,persons\n")
    with says("t.csv: column 'value'", "row 3: 'x'"):
        mp.io.read_tidy(file)
    file.write_text(head + "population,0,0-4,1,persons\n" * 2)
    with says("t.csv: columns", "repeated"):
        mp.io.read_tidy(file)
    file.write_text(head + "population,0,0-4,1,persons\npopulation,10,10+,1,persons\n")
    with says("leaves a gap"):
        mp.io.read_tidy(file)
    file.write_text(head + "population,0,0-4,1,persons\npopulation,,,1,persons\n")
    with says("'population': expected labels", "1 blank of 2 rows"):
        mp.io.read_tidy(file)
    file.write_text("LocID,AgeGrpStart,ASFR\n1,2,3\n")
    with says("t.csv: mp.io.read_tidy expected", "mp.io.read_wpp_fertility"):
        mp.io.read_tidy(file)


def dated():
    return table().assign_coords(
        date=("time", np.array(["1990-07-01", "1995-07-02", "2000-07-01"], "datetime64[ns]"))
    )


@pytest.mark.parametrize("kind", ["nc", "zarr"])
@pytest.mark.parametrize("lazy", [False, True])
def test_netcdf_and_zarr(tmp_path, kind, lazy):
    data = dated().assign_attrs(territory_changes=[1990, 1991], complete=True)
    path = tmp_path / f"t.{kind}"
    given = data.chunk(country=1) if lazy else data
    if kind == "nc":
        assert mp.io.write_netcdf(given, path) == path
        with xr.open_dataset(path, engine="h5netcdf") as file:
            back = file.load()
    else:
        assert mp.io.write_zarr(given, path) == path
        with xr.open_zarr(path, consolidated=False) as file:
            back = file.load()
    xr.testing.assert_equal(back, data)
    assert back.attrs["Conventions"] == "CF-1.8"
    assert back.attrs["territory_changes"] == "1990, 1991"
    assert back.attrs["complete"] == 1
    assert back["population"].attrs == data["population"].attrs
    assert back["age"].attrs["units"] == "years"
    assert back["age_width"].attrs["long_name"] == "width of the group of age"
    assert back["time"].attrs["comment"].startswith("decimal year")
    assert back["date"].encoding["calendar"] == "proleptic_gregorian"
    assert back["date"].encoding["units"].startswith("days since 1900")
    assert "units" not in data["age"].attrs  # the input is as it was
    assert "Conventions" not in data.attrs


def test_lazy_arrays_stay_lazy_until_written(tmp_path):
    calls = []

    def block(x):
        calls.append(x.shape)
        return x

    cells = dask.array.ones((4, 2), chunks=(1, 2)).map_blocks(block, dtype=float, meta=np.ones(0))
    array = xr.DataArray(cells, dims=("draw", "country"), name="growth")
    mp.io.write_netcdf(array, tmp_path / "t.nc")
    assert calls == [(1, 2)] * 4


def test_units_that_are_known_are_added(tmp_path):
    bare = xr.DataArray([1.0, 2.0], dims="country", name="net_migration")
    mp.io.write_netcdf(bare, tmp_path / "t.nc")
    with xr.open_dataset(tmp_path / "t.nc", engine="h5netcdf") as back:
        assert back["net_migration"].attrs["units"] == "persons per period"
    other = xr.DataArray([1.0], dims="country", name="mine", attrs={"units": "m"})
    mp.io.write_netcdf(other, tmp_path / "t.nc")  # replaced
    with xr.open_dataset(tmp_path / "t.nc", engine="h5netcdf") as back:
        assert back["mine"].attrs == {"units": "m"}


def test_zarr_is_not_overwritten(tmp_path):
    path = mp.io.write_zarr(table(), tmp_path / "t.zarr")
    with says("exists; pass overwrite=True", error=FileExistsError):
        mp.io.write_zarr(table(), path)
    mp.io.write_zarr(table()[["net_migration"]], path, overwrite=True)
    with xr.open_zarr(path, consolidated=False) as back:
        assert list(back) == ["net_migration"]


def test_excel(tmp_path):
    data = table()
    file = mp.io.write_excel(data, tmp_path / "t.xlsx")
    book = openpyxl.load_workbook(file)
    assert book.sheetnames == ["population", "net_migration"]
    sheet = book["population"]
    assert sheet["A1"].value == VARIABLES["population"].meaning
    assert sheet["A2"].value == "persons"
    frame = pd.read_excel(file, sheet_name="population", header=3, keep_default_na=False,
                          na_values=[""])  # fmt: skip
    assert list(frame) == ["country", "time", "age", "age_group", "female", "male"]
    assert len(frame) == 2 * 3 * 4
    expected = data["population"].transpose("country", "time", "age", "sex").values
    # a workbook keeps 15 to 17 digits
    np.testing.assert_allclose(
        frame[["female", "male"]].to_numpy(), expected.reshape(-1, 2), rtol=1e-14
    )
    assert frame["country"].unique().tolist() == ["NA", "ARG"]
    assert frame["age_group"].astype(str).tolist()[:4] == ["0", "1-4", "5-9", "10+"]
    net = pd.read_excel(file, sheet_name="net_migration", header=3)
    assert list(net) == ["country", "period", "net_migration"]


def test_excel_of_several_tables(tmp_path):
    tables = {"round": table()["population"], "all": table(), "dates": dated()["date"]}
    file = mp.io.write_excel(tables, tmp_path / "t.xlsx")
    book = openpyxl.load_workbook(file)
    assert book.sheetnames == ["round", "all population", "all net_migration", "dates"]
    assert book["dates"]["B5"].value.isoformat().startswith("1990-07-01")
    alone = mp.io.write_excel({"x": table()[["net_migration"]]}, tmp_path / "u.xlsx")
    assert openpyxl.load_workbook(alone).sheetnames == ["x"]


def test_excel_of_a_life_table(tmp_path):
    """Sheets are told apart by more than capitals: lx and Lx are two."""
    life = mp.life_table(mp.model_life_table("west", e0=60.0, sex="female"))
    names = ["mx", "ax", "qx", "lx", "dx", "Lx (2)", "Tx", "ex"]
    for tables, before in ((life, ""), ({"now": life, "then": life}, "now ")):
        file = mp.io.write_excel(tables, tmp_path / "life.xlsx")
        book = openpyxl.load_workbook(file)
        assert book.sheetnames[:8] == [before + name for name in names]
        assert book[before + "Lx (2)"]["A1"].value == VARIABLES["Lx"].meaning
        first = book[before + "Lx (2)"]["C5"].value
        assert first == pytest.approx(float(life["Lx"][0]), rel=1e-15)


def test_excel_refuses(tmp_path, monkeypatch):
    array = table()["population"]
    for name in ("a" * 32, "a/b", ""):
        with says("names of sheets of 1 to 31 characters"):
            mp.io.write_excel({name: array}, tmp_path / "t.xlsx")
    with pytest.raises(FileNotFoundError, match="path: there is no folder"):
        mp.io.write_excel(array, tmp_path / "no" / "t.xlsx")
    with says("names of sheets that differ", "'a'"):
        mp.io.write_excel({"a": array, "A": array}, tmp_path / "t.xlsx")
    with says("expected one table or more"):
        mp.io.write_excel({}, tmp_path / "t.xlsx")
    monkeypatch.setattr("migproj.io.excel._ROWS", 10)
    with says("population: 24 rows", "write_tidy"):
        mp.io.write_excel(array, tmp_path / "t.xlsx")


@pytest.mark.parametrize(
    ("module", "call"),
    [
        ("openpyxl", lambda path: mp.io.write_excel(table(), path / "t.xlsx")),
        ("h5netcdf", lambda path: mp.io.write_netcdf(table(), path / "t.nc")),
        ("zarr", lambda path: mp.io.write_zarr(table(), path / "t.zarr")),
        ("pyarrow", lambda path: mp.io.write_tidy(table(), path / "t.parquet")),
    ],
)
def test_missing_libraries_name_the_extra(tmp_path, monkeypatch, module, call):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf"needs {module}.*pip install 'migproj\[io\]'"):
        call(tmp_path)


@pytest.mark.parametrize("countries", [2, 3])
def test_periods_as_wide_as_the_country_has_them(tmp_path, countries):
    """As between rounds with dates by country: neither another's width, nor an error."""
    names = ["NA", "ARG", "BOL"][:countries]
    widths = np.array([[10.0, 9.5], [7.3, 2.7], [7.3, 5.0]])[:countries]
    net = xr.DataArray(
        np.arange(4.0 * countries).reshape(countries, 2, 2),
        dims=("country", "period", "sex"),
        coords={
            "country": np.array(names, object),
            "period": [1, 2],
            "sex": np.array(["female", "male"], object),
            "period_width": (("country", "period"), widths),
        },
        name="net_migration",
        attrs={"units": "persons per period"},
    )
    rows = mp.io.tidy(net)
    for _, row in rows.iterrows():
        want = net["period_width"].sel(country=row["country"], period=row["period"])
        assert row["period_width"] == float(want)
    back = mp.io.read_tidy(mp.io.write_tidy(net, tmp_path / "net.csv"))
    np.testing.assert_array_equal(back["period_width"].transpose("country", "period"), widths)
    np.testing.assert_array_equal(back["net_migration"], net)
    alone = net.isel(country=1, period=0)
    assert set(mp.io.tidy(alone)["period_width"]) == {7.3}
    mixed = rows.assign(period_width=np.arange(len(rows)))
    mixed.to_csv(tmp_path / "mixed.csv", index=False)
    with pytest.raises(mp.SchemaError, match="period_width: expected one for each period"):
        mp.io.read_tidy(tmp_path / "mixed.csv")


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize(
    "labels",
    [["032", "068"], [4, 32], [0.5, 1.5], ["NA", "1"], ["1e3", "2e3"], ["True", "False"]],
    ids=str,
)
def test_labels_come_back_as_they_were(tmp_path, labels, suffix):
    """Beside a variable that lacks their dim, too."""
    sexes = {"sex": np.array(["female", "male"], object)}
    names = np.array(labels, object) if isinstance(labels[0], str) else labels
    people = xr.DataArray(
        [[1.0, 2.0], [3.0, 4.0]], dims=("country", "sex"), coords={"country": names, **sexes}
    )
    births = xr.DataArray([5.0, 6.0], dims="sex", coords=sexes)
    table = xr.Dataset({"population": people, "births": births})
    back = mp.io.read_tidy(mp.io.write_tidy(table, tmp_path / f"a.{suffix}"))
    assert back["country"].values.tolist() == labels
    assert {type(label) for label in back["country"].values.tolist()} == {type(labels[0])}
    np.testing.assert_array_equal(back["population"], people)
