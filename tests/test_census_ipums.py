"""Extracts of IPUMS International: codebook, places, implied decimals, what is unknown."""

import gzip
import warnings

import numpy as np
import pytest
import xarray as xr

import migproj as mp

pd = pytest.importorskip("pandas")
pytest.importorskip("duckdb")
readers = pytest.importorskip("ipumspy.readers")

#: Variable, width, decimals, interval, labels by code.
VARIABLES = [
    ("COUNTRY", 3, 0, "discrete", {32: "Argentina", 604: "Peru", 858: "Uruguay"}),
    ("YEAR", 4, 0, "discrete", {2011: "2011", 2010: "2010"}),
    ("SERIAL", 10, 0, "contin", {}),
    ("PERWT", 8, 2, "contin", {}),
    ("AGE", 3, 0, "discrete", {0: "Less than 1 year", 1: "1 year", 2: "2 years", 100: "100+"}),
    ("SEX", 1, 0, "discrete", {1: "Male", 2: "Female", 9: "Unknown"}),
    (
        "BPLCOUNTRY",
        5,
        0,
        "discrete",
        {
            23010: "Argentina",
            23020: "Bolivia",
            23021: "Bolivia",  # two codes of one label
            29999: "South America, country unknown",
            99999: "Unknown",
        },
    ),
    ("NATIVITY", 1, 0, "discrete", {1: "Native-born", 2: "Foreign-born", 9: "Unknown / missing"}),
    ("YRIMM", 4, 0, "contin", {0: "NIU (not in universe)", 9999: "Not reported/missing"}),
    ("MIGRATE5", 2, 0, "discrete", {0: "NIU (not in universe)", 10: "Same place", 30: "Abroad"}),
    ("MIGCTRY5", 5, 0, "discrete", {0: "NIU (not in universe)", 23020: "Bolivia"}),
    ("CHBORN", 2, 0, "discrete", {0: "No children", 1: "1 child", 98: "Unknown", 99: "NIU"}),
    ("NOTE", 3, 0, "discrete", {}),
]


def codebook(structure="rectangular", file="ipumsi_00001.dat"):
    """A codebook in the form of those that come with extracts."""
    places, at = [], 1
    for name, width, decimals, interval, labels in VARIABLES:
        groups = "".join(
            f"<catgry><catValu>{code:0{width}d}</catValu><labl>{label}</labl></catgry>"
            for code, label in labels.items()
        )
        kind = "character" if name == "NOTE" else "numeric"
        places.append(
            f'<var ID="{name}" name="{name}" dcml="{decimals}" intrvl="{interval}">'
            f'<location StartPos="{at}" EndPos="{at + width - 1}" width="{width}"/>'
            f"<labl>{name}</labl><txt>About {name}</txt>{groups}<concept>A</concept>"
            f'<varFormat schema="other" type="{kind}"/></var>'
        )
        at += width
    return (
        '<?xml version="1.0" encoding="UTF-8"?><codeBook xmlns="ddi:codebook:2_5"><stdyDscr>'
        '<citation><serStmt><serName abbr="ipumsi">IPUMS International</serName>'
        "<serInfo>DOI:10.18128/D020.V7.6</serInfo></serStmt></citation><stdyInfo>"
        "<notes>Sample: Argentina 2010</notes></stdyInfo><dataAccs><useStmt>"
        "<citReq>Minnesota Population Center.\n IPUMS, International.</citReq>"
        "<conditions>Cite it.</conditions></useStmt></dataAccs></stdyDscr><fileDscr><fileTxt>"
        f'<fileName>{file}</fileName><fileCont>Persons</fileCont><fileStrc type="{structure}"/>'
        '<fileType charset="ISO-8859-1">data</fileType><format>fixed length fields</format>'
        "<filePlac>Minneapolis</filePlac></fileTxt></fileDscr><dataDscr>"
        f"{''.join(places)}</dataDscr></codeBook>"
    )


def people(n=600, seed=8):
    rng = np.random.default_rng(seed)
    women = rng.integers(0, 3, n)
    return pd.DataFrame(
        {
            "COUNTRY": rng.choice([32, 858], n),
            "YEAR": 2010,
            "SERIAL": np.arange(n) // 3 * 1000,
            "PERWT": rng.integers(0, 4000, n) / 100,
            "AGE": rng.choice([0, 1, 2, 14, 15, 33, 79, 80, 100, 999], n),
            "SEX": rng.choice([1, 2, 9], n, p=[0.5, 0.45, 0.05]),
            "BPLCOUNTRY": rng.choice([23010, 23020, 23021, 29999, 99999], n),
            "NATIVITY": rng.choice([1, 2, 9], n),
            "YRIMM": rng.choice([0, 1995, 2005, 9999], n),
            "MIGRATE5": rng.choice([0, 10, 30], n),
            "MIGCTRY5": rng.choice([0, 23020], n),
            "CHBORN": np.where(women == 0, 99, rng.choice([0, 1, 4, 98], n)),
            "NOTE": rng.choice(["ñá ", "   ", "abc"], n),
        }
    )


def line(row):
    values = []
    for (name, width, decimals, *_), value in zip(VARIABLES, row, strict=True):
        if name == "NOTE":
            values.append(f"{value:{width}}")
        else:
            values.append(f"{round(value * 10**decimals):0{width}d}")
    return "".join(values)


@pytest.fixture
def frame():
    return people()


@pytest.fixture
def extract(frame, tmp_path):
    """The codebook, and beside it the records."""
    (tmp_path / "ipumsi_00001.xml").write_text(codebook(), encoding="utf-8")
    lines = "\n".join(map(line, frame.itertuples(index=False)))
    (tmp_path / "ipumsi_00001.dat").write_text(lines + "\n", encoding="iso-8859-1")
    return tmp_path / "ipumsi_00001.xml"


def says(*parts):
    return pytest.raises(mp.SchemaError, match="(?s)" + ".*".join(parts))


def test_sums_are_those_of_the_records(extract, frame):
    table = mp.census.tabulate(
        mp.census.read_ipums(extract), by=["country", "birthplace", "sex", "age"]
    )
    assert table["country"].values.tolist() == ["Argentina", "Uruguay"]
    places = ["Argentina", "Bolivia", "South America, country unknown", "unknown"]
    assert table["birthplace"].values.tolist() == places
    assert table["sex"].values.tolist() == ["male", "female", "unknown"]
    want = np.zeros((2, 4, 3, 18))
    place = {23010: 0, 23020: 1, 23021: 1, 29999: 2, 99999: 3}
    for row in frame.itertuples(index=False):
        age = 17 if row.AGE == 999 else min(row.AGE // 5, 16)
        cell = (row.COUNTRY == 858) * 1, place[row.BPLCOUNTRY], {1: 0, 2: 1, 9: 2}[row.SEX], age
        want[cell] += row.PERWT
    np.testing.assert_allclose(table["population"].values, want[..., :-1], rtol=1e-12)
    np.testing.assert_allclose(table["unknown_age"].values, want[..., -1], rtol=1e-12)
    assert table.attrs["citation"] == "Minnesota Population Center. IPUMS, International."
    assert table.attrs["doi"] == "10.18128/D020.V7.6"


def test_records_are_those_that_ipumspy_reads(extract, frame):
    """Places, decimals and types beside an independent reading."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", readers.CitationWarning)
        book = readers.read_ipums_ddi(extract)
    theirs = readers.read_microdata(book, extract.with_suffix(".dat"))
    ours = mp.census.read_ipums(extract)
    theirs["NOTE"] = theirs["NOTE"].fillna("unknown")
    table = mp.census.tabulate(ours, by=["SERIAL"])
    want = theirs.groupby("SERIAL")["PERWT"].sum()
    assert table["SERIAL"].values.tolist() == want.index.tolist()
    np.testing.assert_allclose(table["population"].values, want.values, rtol=1e-12)
    notes = mp.census.tabulate(ours, by=["NOTE"])["population"].to_series()
    np.testing.assert_allclose(
        notes.sort_index(), theirs.groupby("NOTE")["PERWT"].sum().sort_index(), rtol=1e-12
    )


def test_years_are_numbers(extract):
    """Though codebooks have a label for each."""
    years = mp.census.tabulate(mp.census.read_ipums(extract), by=["year"])["year"]
    assert years.values.tolist() == [2010]
    assert years.dtype.kind == "i"


def test_what_is_unknown_and_what_was_not_asked(extract, frame):
    records = mp.census.read_ipums(extract)
    found = {
        dim: mp.census.tabulate(records, by=[dim])[dim].values.tolist()
        for dim in ("nativity", "arrival_year", "migration_status_5", "residence_5")
    }
    assert found == {
        "nativity": ["Native-born", "Foreign-born", "unknown"],
        "arrival_year": ["NIU (not in universe)", "1995", "2005", "unknown"],
        "migration_status_5": ["NIU (not in universe)", "Same place", "Abroad"],
        "residence_5": ["NIU (not in universe)", "Bolivia"],
    }
    assert mp.census.tabulate(records, by=["AGE"])["AGE"].values.tolist() == [
        *("0", "1", "2", "14", "15", "33", "79", "80", "100", "unknown")
    ]
    children = mp.census.tabulate(records, by=["children_born"])["population"].to_series()
    numbers = {0: "0", 1: "1", 4: "4", 98: "unknown", 99: "unknown"}
    want = frame.groupby(frame["CHBORN"].map(numbers))["PERWT"].sum()
    np.testing.assert_allclose(children.sort_index(), want.sort_index(), rtol=1e-12)


def test_children_of_those_asked(extract, frame):
    table = mp.census.children_ever_born(
        mp.census.read_ipums(extract), by=[], surviving=False, ages=["15-49"]
    )
    asked = frame[(frame["SEX"] == 2) & frame["AGE"].between(15, 49)]
    known = asked[asked["CHBORN"] < 98]
    want = (known["CHBORN"] * known["PERWT"]).sum() / known["PERWT"].sum()
    assert float(table["mean_children_born"].item()) == pytest.approx(want, rel=1e-12)
    assert table["women"].item() == pytest.approx(asked["PERWT"].sum(), rel=1e-12)


def test_own_codes_go_before_those_of_the_codebook(extract):
    records = mp.census.read_ipums(extract)
    codes = {"birthplace": {23010: "ARG", 23020: "BOL", 23021: "BOL", 29999: "other", 23030: "BRA"}}
    table = mp.census.tabulate(
        records, by=["birthplace"], codes=codes, unknown={"birthplace": [99999]}
    )
    assert table["birthplace"].values.tolist() == ["ARG", "BOL", "other", "BRA", "unknown"]
    with says("column 'BPLCOUNTRY'", r"expected the codes \[23010\]", "23020 in"):
        mp.census.tabulate(records, by=["birthplace"], codes={"birthplace": {23010: "ARG"}})


def test_packed_records_and_csv(extract, frame, tmp_path):
    by = ["country", "sex", "age"]
    want = mp.census.tabulate(mp.census.read_ipums(extract), by=by)
    data = extract.with_suffix(".dat")
    data.with_name("ipumsi_00001.dat.gz").write_bytes(gzip.compress(data.read_bytes()))
    data.unlink()
    xr.testing.assert_allclose(mp.census.tabulate(mp.census.read_ipums(extract), by=by), want)
    frame.to_csv(tmp_path / "own.csv", index=False)
    frame.to_parquet(tmp_path / "own.parquet", index=False)
    for name in ("own.csv", "own.parquet"):
        records = mp.census.read_ipums(extract, tmp_path / name)
        xr.testing.assert_allclose(mp.census.tabulate(records, by=by), want)


def test_standard_errors_by_household(extract, frame):
    records = mp.census.read_ipums(extract)
    table = mp.census.tabulate(records, by=["sex"], cluster="SERIAL")
    women = frame["PERWT"].where(frame["SEX"] == 2, 0.0).groupby(frame["SERIAL"]).sum()
    want = np.sqrt(len(women) * women.var(ddof=1))
    assert float(table["standard_error"].sel(sex="female")) == pytest.approx(want, rel=1e-10)


def test_codebooks_that_are_none(extract, tmp_path):
    broken = tmp_path / "broken.xml"
    broken.write_text("<codeBook><var></codeBook>")
    with says(r"ddi: .*broken\.xml", "ParseError", "fetch it again"):
        mp.census.read_ipums(broken)
    with says(r"ddi: .*gone\.xml", "does not exist"):
        mp.census.read_ipums(tmp_path / "gone.xml")
    broken.write_text("<codeBook/>")
    with says("expected the codebook"):
        mp.census.read_ipums(broken)
    with says("rectangular", "hierarchical", "ask IPUMS"):
        text = codebook().replace(
            '<fileStrc type="rectangular"/>', '<fileStrc type="hierarchical"/>'
        )
        broken.write_text(text)
        mp.census.read_ipums(broken)


def test_records_that_are_not_there(extract):
    extract.with_suffix(".dat").unlink()
    with says("data: no file", r"ipumsi_00001\.dat", "beside the codebook"):
        mp.census.read_ipums(extract)


def test_an_extract_without_weights(extract):
    with says("weight", "'PERSONS'", "'COUNTRY'", "weight=None"):
        mp.census.read_ipums(extract, weight="PERSONS")
    records = mp.census.read_ipums(extract, weight=None)
    assert float(mp.census.tabulate(records, by=["sex"])["population"].sum()) == 600


def test_damaged_records(extract):
    data = extract.with_suffix(".dat")
    lines = data.read_text(encoding="iso-8859-1").splitlines()
    data.write_text("\n".join([*lines[:9], lines[9][:20], *lines[10:]]), encoding="iso-8859-1")
    records = mp.census.read_ipums(extract)
    with says(r"ipumsi_00001\.dat", "599 rows", "expected lines of 51 places or more, got 20"):
        mp.census.tabulate(records, by=["sex"])
    lines[4] = lines[4][:28] + "x" + lines[4][29:]
    data.write_text("\n".join(lines), encoding="iso-8859-1")
    with says(r"ipumsi_00001\.dat", "column 'SEX'", "600 rows", "'x'"):
        mp.census.tabulate(records, by=["sex"])
