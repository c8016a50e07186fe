"""Tables as bayesPop's documentation says, read as it reads them."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import migproj as mp

FIVE = mp.age_coords(range(0, 105, 5))
ABRIDGED = mp.age_coords(["0", "1-4", *(f"{a}-{a + 4}" for a in range(5, 100, 5)), "100+"])
SINGLE = mp.age_coords(range(101))
SEXES = np.array(["female", "male"], object)
CODES = [32, 68]


def says(*parts, error=mp.SchemaError):
    return pytest.raises(error, match="(?s)" + ".*".join(parts))


def array(dims, seed=0, **coords):
    sizes = [len(coords[dim] if dim in coords else coords["ages"]["age"]) for dim in dims]
    ages = coords.pop("ages", {})
    values = np.random.default_rng(seed).uniform(1, 2e6, sizes).round()
    return xr.DataArray(values, dims=dims, coords={**coords, **ages})


def periods(starts, width=5.0):
    return {"period": starts, "period_width": ("period", [width] * len(starts))}


def read(file):
    """As R's read.delim."""
    return pd.read_csv(file, sep="\t")


def inputs():
    dims = ("country", "period", "sex", "age")
    population = array(
        ("age", "sex", "country", "time"),
        country=CODES,
        time=[2015.5, 2020.5],
        sex=SEXES,
        ages=FIVE,
    )
    spans = {"country": CODES, "period": [2015.5, 2020.5], "sex": SEXES}
    width = {"period_width": ("period", [5.0, 5.0])}
    fertility = array(
        ("country", "period", "age"),
        country=CODES,
        period=[2015.5, 2020.5],
        ages=mp.age_coords(range(15, 50, 5), open_ended=False),
    )
    return {
        "population": population,
        "mx": (array(dims, **spans, ages=ABRIDGED) / 1e8).assign_coords(width),
        "fertility": (fertility / 1e7).assign_coords(width),
        "sex_ratio_at_birth": xr.DataArray(
            [[1.04, 1.05], [1.03, np.nan]],
            dims=("country", "period"),
            coords={"country": CODES, **periods([2015.5, 2020.5])},
        ),
        "net_migration": (array(dims, **spans, ages=FIVE) - 1e6).assign_coords(width),
    }


def test_five_year_tables(tmp_path):
    given = inputs()
    names = {32: "Argentina", 68: "Bolivia (Plur. State of)"}
    files = mp.io.write_bayespop(tmp_path / "new" / "inputs", **given, names=names)
    assert {key: file.name for key, file in files.items()} == {
        "popF": "popF.txt", "popM": "popM.txt", "mxF": "mxF.txt", "mxM": "mxM.txt",
        "pasfr": "pasfr.txt", "tfr.file": "tfr.csv", "srb": "srb.txt",
        "migF": "migF.txt", "migM": "migM.txt",
    }  # fmt: skip
    women = read(files["popF"])
    assert list(women) == ["country_code", "name", "age", "2015", "2020"]
    assert women["age"].tolist() == [*(f"{a}-{a + 4}" for a in range(0, 100, 5)), "100+"] * 2
    assert women["country_code"].tolist() == [32] * 21 + [68] * 21
    assert set(women["name"]) == set(names.values())
    expected = given["population"].sel(sex="female", country=68, time=2020.5) / 1000
    np.testing.assert_allclose(women["2020"].to_numpy()[21:], expected.values, rtol=1e-15)

    men = read(files["mxM"])
    assert list(men) == ["country_code", "name", "age", "2015-2020", "2020-2025"]
    assert men["age"].tolist() == [0, 1, *range(5, 105, 5)] * 2
    expected = given["mx"].sel(sex="male", country=32, period=2015.5)
    np.testing.assert_array_equal(men["2015-2020"].to_numpy()[:22], expected.values)

    migrants = read(files["migF"])
    expected = given["net_migration"].sel(sex="female", country=32, period=2020.5) / 1000
    np.testing.assert_allclose(migrants["2020-2025"].to_numpy()[:21], expected.values, rtol=1e-15)

    shares = read(files["pasfr"])
    assert shares["age"].tolist() == [f"{a}-{a + 4}" for a in range(15, 50, 5)] * 2
    assert shares["2015-2020"].to_numpy()[:7].sum() == pytest.approx(100)
    fertility = pd.read_csv(files["tfr.file"])
    assert list(fertility) == ["LocID", "Year", "Trajectory", "TF"]
    assert fertility["Year"].tolist() == [2018, 2023] * 2
    assert fertility["LocID"].tolist() == [32, 32, 68, 68]
    total = 5 * given["fertility"].sum("age")
    np.testing.assert_allclose(fertility["TF"].to_numpy(), total.values.ravel(), rtol=1e-14)

    ratio = read(files["srb"])
    assert list(ratio) == ["country_code", "name", "2015-2020", "2020-2025"]
    assert ratio["2015-2020"].tolist() == [1.04, 1.03]
    assert files["srb"].read_text(encoding="utf-8").endswith("\tNA\n")


@pytest.mark.parametrize(("instant", "start"), [(2021.0, 2021.0), (2020.5, 2020.5)])
def test_annual_tables_label_the_31_december(tmp_path, instant, start):
    population = array(
        ("country", "time", "sex", "age"), country=CODES, time=[instant], sex=SEXES, ages=SINGLE
    )
    net = array(
        ("country", "period", "sex", "age"), country=CODES, period=[start], sex=SEXES, ages=SINGLE
    ).assign_coords(period_width=("period", [1.0]))
    files = mp.io.write_bayespop(
        tmp_path, population=population, net_migration=net, mx=net, thousands=False
    )
    women = read(files["popF"])
    assert list(women) == ["country_code", "name", "age", "2020"]
    assert women["age"].tolist() == [*range(101)] * 2
    assert women["name"].tolist()[0] == 32  # without a name its code
    assert women["2020"].to_numpy().tolist() == population.sel(sex="female").values.ravel().tolist()
    assert list(read(files["migM"]))[-1] == "2021"
    assert list(read(files["mxM"]))[-1] == "2021"


def test_totals_of_migrants(tmp_path):
    net = inputs()["net_migration"].assign_coords(
        country_name=("country", np.array(["Argentina", "Bolivia"], object))
    )
    by_sex = mp.io.write_bayespop(tmp_path, net_migration=net.sum("age"))
    assert set(by_sex) == {"migFt", "migMt"}
    total = mp.io.write_bayespop(tmp_path, net_migration=net.sum(["age", "sex"]))
    assert set(total) == {"mig"}
    table = read(total["mig"])
    assert table["name"].tolist() == ["Argentina", "Bolivia"]
    expected = net.sum(["age", "sex"]).values / 1000
    np.testing.assert_allclose(table[["2015-2020", "2020-2025"]].to_numpy(), expected, rtol=1e-14)


def test_wrong_inputs(tmp_path):
    given = inputs()

    def write(**changed):
        return mp.io.write_bayespop(tmp_path / "none", **changed)

    with says("expected one table or more"):
        write()
    with says("population: expected the dims", r"\['draw'\]"):
        write(population=given["population"].expand_dims(draw=2))
    with says("population: dim 'country'", "numeric location codes", "ARG"):
        write(population=given["population"].assign_coords(country=["ARG", "BOL"]))
    with says("population: dim 'sex'", "both"):
        write(population=given["population"].sel(sex=["male"]))
    with says("population: expected age groups of one or of five years"):
        write(population=mp.regroup_ages(given["population"], range(0, 110, 10)))
    with says("fertility: expected the coordinate period_width"):
        write(fertility=given["fertility"].drop_vars("period_width"))
    ten = given["mx"].assign_coords(period_width=("period", [10.0, 10.0]))
    with says("mx: period_width: expected 1 or 5 years", "10.0"):
        write(mx=ten)
    with says("net_migration: expected dims sex and age", "age alone"):
        write(net_migration=given["net_migration"].sum("sex"))
    twice = given["population"].assign_coords(time=[2020.0, 2020.5])
    with says("population: dim 'time'", "fall in", "2020"):
        write(population=twice)
    assert not (tmp_path / "none").exists()
