"""Person records tabulated: sums, forms of input, sampling errors, and what goes wrong."""

import math
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import migproj as mp

pd = pytest.importorskip("pandas")
pytest.importorskip("duckdb")

BY = ["country", "birthplace", "sex", "age"]
COLUMNS = {"country": "CTRY", "birthplace": "BPL", "sex": "SEX", "age": "AGE"}
CODES = {"sex": {1: "male", 2: "female"}}
UNKNOWN = {"sex": [9], "age": [999], "birthplace": ["ZZZ"]}
PLACES = ["ARG", "BOL", "CHL"]
BOUNDS = [*range(0, 85, 5)]


def people(seed=5, n=4000):
    rng = np.random.default_rng(seed)
    ages = rng.integers(0, 105, n)
    ages[rng.random(n) < 0.02] = 999
    places = rng.choice(np.array([*PLACES, "ZZZ", ""], object), n, p=[0.5, 0.3, 0.1, 0.05, 0.05])
    places[places == ""] = None
    return pd.DataFrame(
        {
            "CTRY": rng.choice(["ARG", "CHL"], n),
            "BPL": pd.Series(places, dtype="str"),
            "SEX": rng.choice([1, 2, 9], n, p=[0.49, 0.49, 0.02]),
            "AGE": ages,
            "PERWT": rng.uniform(0, 40, n).round(2),
            "STRATUM": rng.integers(0, 6, n),
            "HOUSEHOLD": rng.integers(0, 300, n),
        }
    )


def tabulate(records, **options):
    given = {"by": BY, "weight": "PERWT", "columns": COLUMNS, "codes": CODES, "unknown": UNKNOWN}
    return mp.census.tabulate(records, **(given | options))


def plain(frame):
    """The same sums, one record after the other."""
    sums = np.zeros((2, 4, 3, 18))
    for row in frame.itertuples(index=False):
        place = PLACES.index(row.BPL) if row.BPL in PLACES else 3
        age = 17 if row.AGE == 999 else min(row.AGE // 5, 16)
        sex = {1: 0, 2: 1, 9: 2}[row.SEX]
        sums[["ARG", "CHL"].index(row.CTRY), place, sex, age] += row.PERWT
    return sums


def says(*parts, error=mp.SchemaError):
    """A pattern that finds the parts in this order."""
    return pytest.raises(error, match="(?s)" + ".*".join(parts))


@pytest.fixture(scope="module")
def frame():
    return people()


@pytest.fixture(scope="module")
def files(frame, tmp_path_factory):
    """The records in all the forms that files have."""
    folder = tmp_path_factory.mktemp("records")
    parts = [frame.iloc[:1500], frame.iloc[1500:]]
    for k, part in enumerate(parts):
        part.to_parquet(folder / f"part{k}.parquet", index=False)
        part.to_csv(folder / f"part{k}.csv", index=False)
        part.to_csv(folder / f"semicolons{k}.csv.gz", index=False, sep=";")
    return folder


# --- sums


def test_sums_are_those_of_the_records(frame):
    table = tabulate(frame)
    want = plain(frame)
    assert table["population"].dims == ("country", "birthplace", "sex", "age")
    # Sums of thousands of weights in another order.
    np.testing.assert_allclose(table["population"].values, want[..., :-1], rtol=1e-12)
    np.testing.assert_allclose(table["unknown_age"].values, want[..., -1], rtol=1e-12)
    assert table["birthplace"].values.tolist() == [*PLACES, "unknown"]
    assert table["sex"].values.tolist() == ["male", "female", "unknown"]
    xr.testing.assert_identical(
        table["age_width"].reset_coords(drop=True),
        mp.age_coords(BOUNDS).to_dataset()["age_width"].reset_coords(drop=True),
    )
    assert table["population"].attrs["units"] == "persons"


def test_totals_in_are_totals_out(frame):
    table = tabulate(frame)
    total = float(table["population"].sum() + table["unknown_age"].sum())
    assert total == pytest.approx(frame["PERWT"].sum(), rel=1e-12)
    assert table.attrs["persons"] == pytest.approx(total, rel=1e-12)
    assert table.attrs["records"] == len(frame)
    assert int(table["n_records"].sum()) == (frame["AGE"] != 999).sum()


def test_without_weights_rows_are_counted(frame):
    table = tabulate(frame, weight=None)
    np.testing.assert_array_equal(table["population"].values, table["n_records"].values)
    assert float(table["population"].sum() + table["unknown_age"].sum()) == len(frame)


@settings(deadline=None, max_examples=40)  # DuckDB starts each time
@given(st.lists(st.tuples(st.integers(0, 99), st.floats(0, 1e6)), min_size=1, max_size=40))
def test_any_weights_add_up(rows):
    ages, weights = zip(*rows, strict=True)
    table = mp.census.tabulate(
        pd.DataFrame({"age": ages, "w": weights}), by=["age"], weight="w", ages=[0, 20, 40]
    )
    want = [
        math.fsum(w for age, w in rows if low <= age < high)
        for low, high in [(0, 20), (20, 40), (40, 100)]
    ]
    # Compensated sums are off by a rounding or two.
    np.testing.assert_allclose(table["population"].values, want, rtol=1e-15, atol=0)


def test_other_traits_are_dims(frame):
    frame = frame.assign(SCHOOL=np.arange(len(frame)) % 4, RURAL=np.arange(len(frame)) % 2 == 0)
    table = tabulate(frame, by=["SCHOOL", "sex", "RURAL"], unknown={"sex": [9], "SCHOOL": [3]})
    assert table["population"].dims == ("SCHOOL", "RURAL", "sex")
    # Numbers beside the text "unknown" are text.
    assert table["SCHOOL"].values.tolist() == ["0", "1", "2", "unknown"]
    assert table["RURAL"].values.tolist() == ["false", "true"]
    assert "age" not in table.coords
    assert "unknown_age" not in table
    known = tabulate(frame, by=["SCHOOL"])
    assert known["SCHOOL"].values.tolist() == [0, 1, 2, 3]


def test_labels_of_the_codes_are_all_there_in_their_order(frame):
    codes = {"birthplace": {"CHL": "Chile", "PER": "Peru", "ARG": "Rest", "BOL": "Rest"}}
    table = tabulate(frame, codes=codes | CODES)
    assert table["birthplace"].values.tolist() == ["Chile", "Peru", "Rest", "unknown"]
    assert float(table["population"].sel(birthplace="Peru").sum()) == 0.0
    apart = tabulate(frame)["population"].sel(birthplace=["ARG", "BOL"]).sum("birthplace")
    np.testing.assert_allclose(table["population"].sel(birthplace="Rest"), apart, rtol=1e-12)


def test_ages_by_code_of_group(frame):
    coded = frame.assign(AGE=np.where(frame["AGE"] == 999, 99, np.minimum(frame["AGE"] // 5, 16)))
    codes = CODES | {"age": {k: 5 * k for k in range(17)}}
    table = tabulate(coded, codes=codes, unknown=UNKNOWN | {"age": [99]})
    xr.testing.assert_allclose(table, tabulate(frame), rtol=1e-12)


def test_ages_as_wanted(frame):
    table = tabulate(frame, ages=["0-14", "15-64", "65+"])
    fine = tabulate(frame)["population"]
    xr.testing.assert_allclose(
        table["population"].drop_attrs(), mp.regroup_ages(fine, [0, 15, 65]).drop_attrs()
    )
    single = tabulate(frame, ages=range(101))
    assert single["age_width"].values[[0, -1]].tolist() == [1.0, np.inf]


def test_tables_go_straight_into_net_migration(frame):
    known = frame[(frame["SEX"] != 9) & (frame["AGE"] != 999)]
    start = tabulate(known, time=2000)["population"]
    end = tabulate(known.assign(PERWT=known["PERWT"] * 1.5), time=2005)["population"]
    assert float(start["time"]) == 2000.0
    result = mp.net_migration(start, end, xr.ones_like(start.drop_vars("time")), children="none")
    assert result["net_migration"].sel(age=slice(5, None)).notnull().all()


# --- forms of input


def test_all_forms_of_records_agree(frame, files):
    pa = pytest.importorskip("pyarrow")
    pl = pytest.importorskip("polars")
    want = tabulate(frame)
    forms = [
        str(files / "part*.parquet"),
        [files / "part0.parquet", files / "part1.parquet"],
        files / "part*.csv",
        [str(files / "semicolons*.csv.gz")],
        pa.Table.from_pandas(frame),
        pl.from_pandas(frame),
        frame.astype({"BPL": "category", "SEX": "Int64", "CTRY": "object"}),
        frame.astype({"SEX": float, "AGE": float, "PERWT": "float32"}),
        frame.astype({"SEX": str}),
    ]
    for form in forms:
        # float32 weights of two decimals
        xr.testing.assert_allclose(tabulate(form), want, rtol=1e-6)


def test_codes_with_leading_zeros_keep_them(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("bpl,age\n032,1\n068,2\n068,\n")
    table = mp.census.tabulate(path, by=["bpl", "age"], ages=[0, 15])
    assert table["bpl"].values.tolist() == ["032", "068"]
    assert table["unknown_age"].values.tolist() == [0.0, 1.0]
    codes = {"bpl": {32: "ARG", 68: "BOL"}}
    by_number = mp.census.tabulate(path, by=["bpl"], codes=codes)
    assert by_number["population"].values.tolist() == [1.0, 2.0]


def test_plain_numbers_of_a_csv_file_are_numbers(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("year\n1990\n2000\n2000\n")
    assert mp.census.tabulate(path, by=["year"])["year"].values.tolist() == [1990, 2000]


def test_whole_numbers_as_text_of_floats(tmp_path):
    """As pandas writes a column of whole numbers in which some are missing."""
    frame = pd.DataFrame({"sex": [1.0, 2.0, np.nan], "age": [31.0, np.nan, 7.0]})
    path = tmp_path / "a.csv"
    frame.to_csv(path, index=False)
    assert "1.0,31.0" in path.read_text()
    options = {"by": ["sex", "age"], "codes": CODES, "ages": [0, 15]}
    xr.testing.assert_equal(
        mp.census.tabulate(path, **options), mp.census.tabulate(frame, **options)
    )
    # Without a code they stay what they are: 250.0 and 250.00 may be two.
    apart = pd.DataFrame({"cause": ["250.0", "250.00"]})
    assert mp.census.tabulate(apart, by=["cause"])["cause"].values.tolist() == ["250.0", "250.00"]


def test_blank_text_is_missing(tmp_path):
    frame = pd.DataFrame({"bpl": ["ARG", "", " ", None], "age": ["3", " ", "", "4"]})
    path = tmp_path / "a.csv"
    frame.to_csv(path, index=False)
    for records in (frame, path):
        table = mp.census.tabulate(records, by=["bpl", "age"], ages=[0, 15])
        assert table["bpl"].values.tolist() == ["ARG", "unknown"]
        assert table["unknown_age"].values.tolist() == [0.0, 2.0]
        # Unless the codes say what it means.
        told = mp.census.tabulate(
            records, by=["bpl"], codes={"bpl": {"": "native", "ARG": "foreign"}}
        )
        assert told["population"].to_series().to_dict() == {"native": 3.0, "foreign": 1.0}


def test_dims_in_any_list(frame):
    want = tabulate(frame, by=["country", "sex"])
    for by in (("country", "sex"), pd.Index(["country", "sex"]), iter(["country", "sex"])):
        xr.testing.assert_identical(tabulate(frame, by=by), want)


@pytest.mark.parametrize("name", ["population", "n_records", "age_width", "time"])
def test_dims_that_the_table_has_other_uses_for(frame, name):
    """Labels of age_width would be lost without a word."""
    frame = frame.assign(**{name: frame["SEX"]})
    with says(rf"by: \['{name}'\] would be dims and something else", f"'my_{name}': '{name}'"):
        tabulate(frame, by=[name, "age"], time=2000)
    table = tabulate(frame, by=["my", "age"], columns=COLUMNS | {"my": name}, time=2000)
    assert table["my"].values.tolist() == [1, 2, 9]


def test_little_memory_changes_nothing(frame, files):
    small = tabulate(
        files / "*.parquet", memory_limit="60MB", threads=1, cluster="HOUSEHOLD", strata="STRATUM"
    )
    xr.testing.assert_allclose(
        small, tabulate(frame, cluster="HOUSEHOLD", strata="STRATUM"), rtol=1e-12
    )


def test_names_with_quotes(frame):
    odd = frame.rename(columns={"PERWT": 'per"wt', "SEX": "the sex'"})
    table = tabulate(odd, weight='per"wt', columns=COLUMNS | {"sex": "the sex'"})
    xr.testing.assert_identical(table, tabulate(frame))


def test_names_of_files_are_no_patterns(frame, tmp_path):
    frame.to_parquet(tmp_path / "part[1].parquet")
    frame.iloc[:5].to_parquet(tmp_path / "part1.parquet")
    assert tabulate(tmp_path / "part[1].parquet").attrs["records"] == len(frame)


def test_columns_that_differ_in_capitals_alone(frame):
    both = frame.assign(sex=frame["SEX"].map({1: 2, 2: 1, 9: 9}))
    with says("one column 'SEX' for the dim 'sex'", r"\['SEX', 'sex'\]", "rename"):
        tabulate(both)
    twice = pd.concat([frame, frame[["AGE"]]], axis=1)
    with says("one column 'AGE'", r"\['AGE', 'AGE'\]"):
        tabulate(twice)
    # One that is not asked for is no matter.
    xr.testing.assert_identical(
        tabulate(frame.assign(perwT=0, stratum=1), weight=None), tabulate(frame, weight=None)
    )


# --- sampling errors


def plain_variance(frame, stratum, cluster, cells):
    """Total by cluster, then their spread in each stratum, zeros included."""
    result = np.zeros(cells.max() + 1)
    for cell in range(len(result)):
        inside = np.where(cells == cell, frame["PERWT"], 0.0)
        for s in np.unique(stratum):
            own = stratum == s
            totals = [inside[own & (cluster == c)].sum() for c in np.unique(cluster[own])]
            result[cell] += len(totals) * np.var(totals, ddof=1)
    return result


@pytest.mark.parametrize(
    "design", [{}, {"strata": "STRATUM"}, {"cluster": "HOUSEHOLD"}, {"both": True}]
)
def test_standard_errors(design):
    frame = people(n=500)
    names = {"strata": "STRATUM", "cluster": "HOUSEHOLD"} if "both" in design else design
    table = tabulate(frame, by=["sex"], standard_errors=True, **names)
    stratum = frame["STRATUM"].values if "strata" in names else np.zeros(len(frame))
    cluster = frame["HOUSEHOLD"].values if "cluster" in names else np.arange(len(frame))
    cells = frame["SEX"].map({1: 0, 2: 1, 9: 2}).values
    want = np.sqrt(plain_variance(frame, stratum, cluster, cells))
    np.testing.assert_allclose(table["standard_error"].values, want, rtol=1e-10)
    assert table["standard_error"].attrs["units"] == "persons"


def test_standard_errors_of_a_sample_drawn_again_and_again():
    """The formula gives the spread of estimates over many samples of clusters."""
    rng = np.random.default_rng(3)
    sizes = rng.integers(1, 9, 400)
    village = pd.DataFrame({"c": np.repeat(np.arange(400), sizes)})
    village["sex"] = np.where(rng.random(len(village)) < 0.5, "female", "male")
    women = village[village["sex"] == "female"].groupby("c").size().reindex(range(400)).fillna(0)
    drawn = rng.integers(0, 400, (4000, 40))
    spread = np.std(women.values[drawn].sum(axis=1) * 10.0)
    errors = []
    for draw in drawn[:60]:
        rows = [village[village["c"] == c].assign(c=k) for k, c in enumerate(draw)]
        sample = pd.concat(rows).assign(w=10.0)
        table = mp.census.tabulate(sample, by=["sex"], weight="w", cluster="c")
        errors.append(float(table["standard_error"].sel(sex="female")) ** 2)
    # The mean of 60 variances, each with a relative spread of about √(2/39).
    assert np.sqrt(np.mean(errors)) == pytest.approx(spread, rel=0.08)


def test_clusters_that_are_all_alike_have_no_error():
    frame = pd.DataFrame({"sex": ["male", "female"] * 9, "c": np.repeat(range(9), 2), "w": 0.1})
    table = mp.census.tabulate(frame, by=["sex"], weight="w", cluster="c")
    np.testing.assert_allclose(table["standard_error"].values, 0.0, atol=1e-8)


def test_a_stratum_of_one_cluster():
    frame = people(n=200)
    frame.loc[frame["STRATUM"] == 4, "HOUSEHOLD"] = 7
    with says("2 or more values of 'HOUSEHOLD'", r"each stratum of 'STRATUM'", r"1 in \[4\]"):
        tabulate(frame, strata="STRATUM", cluster="HOUSEHOLD")


def test_a_missing_stratum():
    frame = people(n=200).assign(STRATUM=lambda f: f["STRATUM"].where(f.index > 2))
    with says("column 'STRATUM'", "strata", "3 rows without"):
        tabulate(frame, strata="STRATUM")
    polars = pytest.importorskip("polars")
    # Where missing numbers are NaN and no nulls.
    frame = polars.from_pandas(frame, nan_to_null=False)
    assert frame["STRATUM"].is_nan().sum() == 3
    for name in ("strata", "cluster"):
        with says("column 'STRATUM'", name, "3 rows without"):
            tabulate(frame, **{name: "STRATUM"})


# --- what goes wrong


def test_a_missing_column(frame, files):
    with says(r"records \(4000 rows\)", "'SEXO'", "the dim 'sex'", "'SEX'", "columns={'sex':"):
        tabulate(frame, columns=COLUMNS | {"sex": "SEXO"})
    with says(r"part0.csv \(1500 rows\)", "'WT' for weight", "weight='COLUMN'"):
        tabulate(files / "*.csv", weight="WT")


def test_a_column_missing_from_one_file(files, tmp_path, frame):
    whole, lacking = tmp_path / "a.parquet", tmp_path / "b.parquet"
    frame.to_parquet(whole)
    frame.iloc[:77].drop(columns="AGE").to_parquet(lacking)
    with says(r"b\.parquet \(77 rows\)", "column 'AGE'", "the dim 'age'"):
        tabulate([whole, lacking])
    frame.drop(columns="AGE").to_csv(tmp_path / "b.csv")
    frame.to_csv(tmp_path / "a.csv")
    with says(r"b\.csv", "expected the header of", r"a\.csv", "one by one"):
        tabulate(tmp_path / "*.csv")


@pytest.mark.parametrize("keep", [0.5, 0.0])
def test_a_parquet_file_cut_short(files, tmp_path, keep):
    data = (files / "part0.parquet").read_bytes()
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(data[: int(len(data) * keep)])
    with says(r"broken\.parquet", "cannot be read", "0 rows, 2500 of the other", "again"):
        tabulate([files / "part1.parquet", broken])


def test_a_parquet_file_with_a_damaged_column(tmp_path):
    pq = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "damaged.parquet"
    people(n=20_000).to_parquet(path, index=False)
    column = pq.ParquetFile(path).metadata.row_group(0).column(4)
    assert column.path_in_schema == "PERWT"
    first = column.dictionary_page_offset or column.data_page_offset
    data = bytearray(path.read_bytes())
    data[first : first + column.total_compressed_size] = b"\xff" * column.total_compressed_size
    path.write_bytes(data)
    with says(r"damaged\.parquet", "column 'PERWT'", "20000 rows stated", "fetch the file again"):
        tabulate(path)


def test_a_csv_file_with_a_short_line(tmp_path, frame):
    path = tmp_path / "short.csv"
    lines = frame.to_csv(index=False).splitlines()
    lines[100] = "ARG,BOL"
    path.write_text("\n".join(lines))
    with says(r"short\.csv", r"\(3999 rows", "Line: 101", "Expected Number of Columns: 7 Found: 2"):
        tabulate(path)


def test_a_csv_file_without_rows(tmp_path):
    path = tmp_path / "empty.csv"
    path.write_text("")
    with says(r"empty\.csv", "0 rows", "no header"):
        tabulate(path)
    path.write_text("CTRY,BPL,SEX,AGE,PERWT\n")
    with says(r"empty\.csv", "0 rows"):
        tabulate(path)


def test_weights_that_are_none(frame, files, tmp_path):
    bad = frame.copy()
    bad.loc[[7, 8], "PERWT"] = [-3.5, np.nan]
    bad.loc[3999, "PERWT"] = np.inf
    told = ("column 'PERWT'", "3 of 4,000 rows", "row 8: -3.5", "row 9: ", "row 4000: inf", "mend")
    with says(*told):
        tabulate(bad)
    bad.to_parquet(tmp_path / "bad.parquet")
    with says(r"bad\.parquet", *told):
        tabulate(tmp_path / "bad.parquet")
    bad.astype({"PERWT": object}).replace({"PERWT": {-3.5: "many"}}).to_csv(tmp_path / "bad.csv")
    with says(r"bad\.csv", "3 of 4,000 rows", "row 8: 'many'", "row 9: None", "row 4000: 'inf'"):
        tabulate(tmp_path / "bad.csv")


def test_codes_that_are_not_known(frame):
    odd = frame.copy()
    odd.loc[:4, "SEX"] = 3
    odd.loc[5:6, "SEX"] = 7
    with says(
        "column 'SEX'",
        r"the codes \[1, 2\]",
        r"3 in 5 record\(s\), 7 in 2 record",
        "unknown={'sex'",
    ):
        tabulate(odd)
    with says("'sex'", "'female', 'male' and 'unknown'", r"\[1, 2\]", "codes={'sex'"):
        tabulate(frame, codes={})


def test_ages_that_are_none(frame):
    with says(
        "column 'AGE'", "completed years from 0 to 130", r"999 in \d+ record", "unknown={'age"
    ):
        tabulate(frame, unknown={"sex": [9]})
    with says("ages in the groups 0-4 to 75-79", "in", "widen ages="):
        tabulate(frame, ages=[f"{a}-{a + 4}" for a in range(0, 80, 5)])
    with says("completed years", "0.5 in 1 record"):
        mp.census.tabulate(pd.DataFrame({"age": [0.5, 3.0]}), by=["age"])


def test_files_that_are_not_there(tmp_path):
    with says("no file", "gone", "mend the path"):
        tabulate(tmp_path / "gone.parquet")
    with says("is a folder", r"\*\.parquet"):
        tabulate(tmp_path)
    (tmp_path / "a.sav").write_text("x")
    with says(r"a\.sav", "ends in", ".csv"):
        tabulate(tmp_path / "a.sav")


def test_wrong_arguments(frame):
    with says("records: expected paths", "got dict"):
        tabulate({"a": 1})
    with says("by: expected names of dims", "'sex'"):
        tabulate(frame, by="sex")
    with says("by: expected each dim once", "'sex'"):
        tabulate(frame, by=["sex", "sex"])
    with says("codes: expected a mapping"):
        tabulate(frame, codes=[1])
    with says("codes: 'sex'", "1: 'male'"):
        tabulate(frame, codes={"sex": "male"})
    with says("unknown: 'age'", r"\[99, 999\]", "999"):
        tabulate(frame, unknown={"age": 999})
    with says("memory_limit: expected", "'400MB'", "'much'"):
        tabulate(frame, memory_limit="much")
    with says("threads: expected", "0"):
        tabulate(frame, threads=0)
    with says("at most 50,000,000 cells", "x 1001", "wider categories"):
        wide = pd.DataFrame({f"c{k}": range(1001) for k in range(3)})
        mp.census.tabulate(wide, by=["c0", "c1", "c2"])
    with says("at most 50,000,000 cells", "70000 x 70000 x 70000 x 70000"):
        wide = pd.DataFrame({f"c{k}": range(70_000) for k in range(4)})
        mp.census.tabulate(wide, by=["c0", "c1", "c2", "c3"])
    with says("records: expected columns"):
        mp.census.tabulate(pd.DataFrame(index=[0, 1]), by=["age"])
    with says("by: expected dims such as", "got none"):
        tabulate(frame, by=[])
    with says("'id'", "at most 1,000,000 different values", "1,000,001", "identifier"):
        mp.census.tabulate(pd.DataFrame({"id": range(1_000_001)}), by=["id"])
    polars = pytest.importorskip("polars")
    with says("records: expected paths", "LazyFrame", "collect"):
        tabulate(polars.from_pandas(frame).lazy())


def test_totals_that_differ_are_an_error():
    from migproj.census._count import Counts, check_total

    def counts(total, records):
        return Counts((2,), np.arange(2), np.array([1.0, 2.0]), np.array([1, 1]), total, records)

    check_total(counts(3.0, 2))
    for total, records in ((3.001, 2), (3.0, 3)):
        with says("came in, but 2 rows of 3", error=mp.MigprojError):
            check_total(counts(total, records))


def test_without_duckdb_the_error_says_what_to_install():
    code = (
        "import sys; sys.modules['duckdb'] = None; import pandas, migproj as mp\n"
        "try: mp.census.tabulate(pandas.DataFrame({'age': [1]}), by=['age'])\n"
        "except ImportError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'migproj[io]'" in done.stdout
