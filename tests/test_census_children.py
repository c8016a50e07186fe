"""Children ever born and dead, by age and birthplace of the women."""

import numpy as np
import pytest
import xarray as xr

import migproj as mp

pd = pytest.importorskip("pandas")
pytest.importorskip("duckdb")

OPTIONS = {
    "weight": "W",
    "columns": {
        "birthplace": "BPL",
        "sex": "SEX",
        "age": "AGE",
        "children_born": "BORN",
        "children_surviving": "ALIVE",
    },
    "codes": {"sex": {1: "male", 2: "female"}},
    "unknown": {
        "age": [999],
        "children_born": [98, 99],
        "children_surviving": [98, 99],
        "sex": [9],
    },
}
PLACES = ["ARG", "BOL", "unknown"]


def people(n=3000, seed=2):
    rng = np.random.default_rng(seed)
    born = rng.choice([0, 1, 2, 3, 7, 98], n)
    alive = np.where(born == 98, 98, rng.binomial(np.where(born == 98, 0, born), 0.9))
    alive[rng.random(n) < 0.1] = 98
    sex = rng.choice([1, 2, 9], n, p=[0.45, 0.5, 0.05])
    return pd.DataFrame(
        {
            "BPL": pd.Series(rng.choice(np.array(["ARG", "BOL", None], object), n), dtype="str"),
            "SEX": sex,
            "AGE": rng.choice([*range(10, 60), 999], n),
            "BORN": np.where(sex == 1, 99, born),
            "ALIVE": np.where(sex == 1, 99, alive),
            "W": rng.uniform(1, 20, n).round(2),
            "RURAL": rng.choice(["no", "yes"], n),
        }
    )


def plain(frame):
    """The same figures, one woman after the other."""
    sums = {
        name: np.zeros((3, 7)) for name in ("women", "unknown", "born", "dead", "at risk", "lost")
    }
    for row in frame.itertuples(index=False):
        if row.SEX != 2 or not 15 <= row.AGE < 50:
            continue
        cell = PLACES.index(row.BPL if row.BPL in PLACES else "unknown"), (row.AGE - 15) // 5
        sums["women"][cell] += row.W
        if row.BORN == 98:
            sums["unknown"][cell] += row.W
            continue
        sums["born"][cell] += row.W * row.BORN
        if row.ALIVE == 98 and row.BORN > 0:
            sums["lost"][cell] += row.W
        elif row.BORN > 0:
            sums["dead"][cell] += row.W * (row.BORN - row.ALIVE)
            sums["at risk"][cell] += row.W * row.BORN
    return sums


def says(*parts):
    return pytest.raises(mp.SchemaError, match="(?s)" + ".*".join(parts))


def test_figures_are_those_of_the_women():
    frame = people()
    table = mp.census.children_ever_born(frame, **OPTIONS, time="2010-10-27")
    want = plain(frame)
    assert table["women"].dims == ("birthplace", "age")
    assert table["birthplace"].values.tolist() == PLACES
    assert table["age"].values.tolist() == list(range(15, 50, 5))
    assert table["age_width"].values.tolist() == [5.0] * 7
    expected = {
        "women": want["women"],
        "women_unknown_parity": want["unknown"],
        "children_born": want["born"],
        "mean_children_born": want["born"] / (want["women"] - want["unknown"]),
        "women_unknown_survival": want["lost"],
        "children_dead": want["dead"],
        "proportion_dead": want["dead"] / want["at risk"],
    }
    for name, values in expected.items():
        np.testing.assert_allclose(table[name].values, values, rtol=1e-11, err_msg=name)
    assert table["sex"].item() == "female"
    assert table["mean_children_born"].attrs["units"] == "1"
    counted = (frame["SEX"] == 2) & frame["AGE"].between(15, 49)
    assert int(table["n_records"].sum()) == counted.sum()


def test_women_of_unknown_parity_change_no_mean():
    frame = people()
    known = frame[frame["BORN"] != 98]
    whole, part = (mp.census.children_ever_born(f, **OPTIONS) for f in (frame, known))
    names = ["children_born", "mean_children_born", "children_dead", "proportion_dead"]
    xr.testing.assert_allclose(whole[names], part[names], rtol=1e-12)
    assert float(part["women_unknown_parity"].sum()) == 0.0


def test_without_children_surviving():
    frame = people().drop(columns="ALIVE")
    table = mp.census.children_ever_born(frame, **OPTIONS, surviving=False)
    full = mp.census.children_ever_born(people(), **OPTIONS)
    xr.testing.assert_allclose(table, full[list(table.data_vars)], rtol=1e-12)
    assert "proportion_dead" not in table


def test_other_dims_and_ages():
    frame = people()
    table = mp.census.children_ever_born(
        frame, by=["birthplace", "RURAL"], ages=["15-24", "25-49", "50+"], **OPTIONS
    )
    assert table["women"].dims == ("birthplace", "RURAL", "age")
    assert table["age_width"].values.tolist() == [10.0, 25.0, np.inf]
    fine = mp.census.children_ever_born(frame, **OPTIONS)
    np.testing.assert_allclose(
        table["children_born"].sum("RURAL").values[:, :2].sum(axis=1),
        fine["children_born"].sum("age").values,
        rtol=1e-12,
    )
    everyone = mp.census.children_ever_born(frame, by=[], **OPTIONS)
    np.testing.assert_allclose(
        everyone["women"].values, fine["women"].sum("birthplace").values, rtol=1e-12
    )


def test_groups_without_women_are_missing():
    frame = people()
    none = frame[~((frame["BPL"] == "BOL") & (frame["AGE"] < 20))]
    table = mp.census.children_ever_born(none, **OPTIONS).sel(birthplace="BOL", age=15)
    assert float(table["women"]) == 0.0
    assert np.isnan(table["mean_children_born"])
    assert np.isnan(table["proportion_dead"])


def test_records_of_men_alone():
    men = people()
    men = men[men["SEX"] == 1]
    table = mp.census.children_ever_born(men, **OPTIONS)
    assert float(table["women"].sum()) == 0.0


def test_codes_for_unknown_that_were_not_told():
    options = OPTIONS | {"unknown": OPTIONS["unknown"] | {"children_born": [99]}}
    with says("column 'BORN'", "numbers of children from 0 to 60", r"98 in \d+ record", "unknown="):
        mp.census.children_ever_born(people(), **options)


def test_more_surviving_than_born():
    frame = people()
    first = frame.index[(frame["SEX"] == 2) & (frame["AGE"] == 30) & (frame["BORN"] < 9)][0]
    frame.loc[first, ["BORN", "ALIVE"]] = [2, 5]
    with says("children surviving as born", r"in 1 record\(s\) of women", "5 of 2", "unknown"):
        mp.census.children_ever_born(frame, **OPTIONS)
    frame.loc[first, ["BORN", "ALIVE"]] = [0, 1]
    with says("children surviving as born", r"in 1 record\(s\) of women", "1 of 0"):
        mp.census.children_ever_born(frame, **OPTIONS)
    frame.loc[first, "ALIVE"] = 99  # not asked
    table = mp.census.children_ever_born(frame, **OPTIONS)
    known = mp.census.children_ever_born(
        frame.assign(ALIVE=frame["ALIVE"].where(frame["BORN"] > 0, 0)), **OPTIONS
    )
    xr.testing.assert_allclose(table, known, rtol=1e-12)  # sums in another order


def test_dims_that_are_there_in_any_case():
    with says("by:", r"\['age'\]", "leave them out"):
        mp.census.children_ever_born(people(), by=["birthplace", "age"], **OPTIONS)


def test_dims_that_the_table_has_other_uses_for():
    frame = people().assign(women=1)
    with says(r"by: \['women'\] would be dims and something else"):
        mp.census.children_ever_born(frame, by=["women"], **OPTIONS)
    with says("by: expected names of dims", "'birthplace'"):
        mp.census.children_ever_born(frame, by="birthplace", **OPTIONS)
