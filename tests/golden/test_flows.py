"""Flows from stocks beside migest (Abel), whose fits are taken at their tight tolerance.

Where migest goes another way, what is done here instead is tested below:

- it rounds the native-born to whole people when it scales them ("before"): `whole` gives the
  stocks so rounded, with nothing left to scale;
- it ignores a seed if people are assumed to stay: a prior is always read here;
- it swaps the row and the column of the outside in its accounts (open systems), and countries
  and birthplaces in that of births;
- with a seed that lets nobody stay it returns flows that miss the totals: an error here;
- it turns flows into probabilities where margins disagree, and goes on where deaths by account
  cannot be had: an error here;
- it adds what natives abroad changed to differences of stocks on the diagonal: that is no flow.
"""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import migproj as mp

pytestmark = pytest.mark.filterwarnings(  # births of e6, and flows by rates
    "ignore:flows_from_stocks. (births spread|negative flows):migproj.DataQualityWarning"
)

PLACES = list("ABCD")
SYSTEMS = {"rescale": "closed", "open": "open-crossed", "open-dr": "open"}
STAYERS = {True: "quasi-independence", False: "independence"}
#: People; the margins of the reference are fitted to 1e-9 or 1e-10 each.
TIGHT = 1e-5


def table(rows, value, *dims, names):
    wide = rows.set_index(list(names))[value].sort_index()
    sizes = [len(wide.index.unique(level=k)) for k in range(len(names))]
    coords = dict.fromkeys(dims, PLACES)
    return xr.DataArray(wide.to_numpy(float).reshape(sizes), dims=dims, coords=coords)


def inputs(folder, example, file="ffs_demo_inputs.csv"):
    rows = pd.read_csv(folder / "migest" / file).query("example == @example")
    stocks = {
        name: table(
            rows[rows["table"] == f"stock_{name}"],
            "value",
            "country",
            "birthplace",
            names=("residence", "birth"),
        )
        for name in ("start", "end")
    }
    vital = {
        name: table(rows[rows["table"] == name], "value", "country", names=("residence",))
        for name in ("births", "deaths")
        if (rows["table"] == name).any()
    }
    return stocks | vital


def whole(given):
    """Stocks whose native-born are scaled, and rounded, so that people grow as they should."""
    more = float(
        given["births"].sum() - given["deaths"].sum() - (given["end"].sum() - given["start"].sum())
    )
    made = dict(given)
    for name, part in (("start", -more / 2), ("end", more / 2)):
        stock = given[name].copy(deep=True)
        natives = np.diagonal(stock.values)
        scaled = np.round(natives * (1 + part / natives.sum()))
        assert scaled.sum() == natives.sum() + part
        np.fill_diagonal(stock.values, scaled)
        made[name] = stock
    return made


def options(case):
    chosen = {
        "system": SYSTEMS[case["match_birthplace_tot_method"]],
        "stayers": STAYERS[bool(case["stayer_assumption"])],
        "birth_adjustment": {"proportion": "proportional"}.get(
            case["birth_method"], case["birth_method"]
        ),
        "death_adjustment": {"proportion": "proportional"}.get(
            case["death_method"], case["death_method"]
        ),
    }
    if chosen["system"] == "closed":
        chosen["balance"] = case["match_global"].removesuffix("-demo-adjust")
    return chosen


def cases(folder):
    return pd.read_csv(folder / "migest/ffs_demo_cases.csv").to_dict("records")


def estimate(folder, case):
    given = inputs(folder, case["example"])
    rounded = case["match_global"] == "before-demo-adjust"
    if rounded and SYSTEMS[case["match_birthplace_tot_method"]] == "closed":
        given = whole(given)
    return mp.flows_from_stocks(**given, **options(case))


def matrix(rows, value, names=("orig", "dest")):
    return table(rows, value, "origin", "destination", names=names)


def test_all_accounts_of_migest(reference):
    rows = pd.read_csv(reference / "migest/ffs_demo_od.csv")
    wanted = {name: matrix(part, "flow_tight") for name, part in rows.groupby("case")}
    tested = 0
    for case in cases(reference):
        if case["status"] != "ok" or case["prob_fallback"] or case["rng_dependent"]:
            continue
        got = estimate(reference, case)["flows"].sum("birthplace")
        off = float(abs(got - wanted[case["case"]]).max())
        assert off < TIGHT, (case, off)
        tested += 1
    assert tested == 244


def test_flows_by_birthplace_and_stayers(reference):
    rows = pd.read_csv(reference / "migest/ffs_demo_full_array.csv")
    of = {case["case"]: case for case in cases(reference)}
    with_stayers = ("origin", "destination", "birthplace")
    for name, part in rows.groupby("case"):
        names = ("orig", "dest", "pob")
        want = table(part, "flow_tight", *with_stayers, names=names)
        got = estimate(reference, of[name])
        staying = got["stayers"].rename(country="origin")
        home = xr.DataArray(np.eye(4), dims=("origin", "destination"))
        assert float(abs(got["flows"] + staying * home - want).max()) < TIGHT, name


def test_the_whole_account(reference):
    """Births, deaths and the outside, as migest has them but for the two swaps above."""
    rows = pd.read_csv(reference / "migest/ffs_demo_account.csv")
    of = {case["case"]: case for case in cases(reference)}
    for name, part in rows.groupby("case"):
        got = estimate(reference, of[name])
        swapped = of[name]["match_birthplace_tot_method"] != "rescale"
        to, came = ("from_outside", "to_outside") if swapped else ("to_outside", "from_outside")
        for variable, side, label, other in (
            ("births", "orig", "birth", "dest"),
            ("deaths", "dest", "death", "orig"),
            (to, "dest", "outside", "orig"),
            (came, "orig", "outside", "dest"),
        ):
            some = part[(part[side] == label) & part[other].isin(PLACES)]
            names = ("birth", other) if variable == "births" else (other, "birth")
            want = table(some, "value", "country", "birthplace", names=names)
            # The account is of the fit that migest stops at 1e-3.
            assert float(abs(got[variable] - want).max()) < 2e-3, (name, variable)


def test_prior_is_read(reference):
    """A seed with nobody staying has no table: migest's misses the totals of origins."""
    given = inputs(reference, "e1")
    rows = pd.read_csv(reference / "migest/ffs_demo_seed_e2.csv")
    chance = rows[~rows["stayer_assumption"].astype(bool)]
    with pytest.raises(mp.SchemaError, match="prior: does not allow.*origin A is off"):
        mp.flows_from_stocks(**given, stayers="independence", prior=matrix(chance, "seed"))

    # With the fewest movers migest ignores it. Here it is read, under the same margins.
    seed = matrix(rows[rows["stayer_assumption"].astype(bool)], "seed")
    without, got = (mp.flows_from_stocks(**given, prior=prior) for prior in (None, seed))
    want = matrix(rows[rows["stayer_assumption"].astype(bool)], "flow_tight")
    assert float(abs(without["flows"].sum("birthplace") - want).max()) < TIGHT
    assert float(abs(got["flows"] - without["flows"]).max()) > 0.1
    for side in ("origin", "destination"):
        xr.testing.assert_allclose(got["flows"].sum(side), without["flows"].sum(side))


def test_margins_that_disagree_are_an_error(reference):
    """migest turns them into probabilities, or stops with a message of its fit."""
    tested = 0
    for case in cases(reference):
        if case["status"] == "ok" and not case["prob_fallback"]:
            continue
        with pytest.raises(mp.SchemaError, match="deaths: (cannot close|more than)"):
            estimate(reference, case)
        tested += 1
    assert tested == 44


def test_differences_and_rates(reference):
    rows = pd.read_csv(reference / "migest/ffs_diff_rates.csv")
    tested = 0
    for (example, name), part in rows.groupby(["example", "method"]):
        file = "ffs_diff_rates_doc_inputs.csv" if example == "doc" else "ffs_demo_inputs.csv"
        given = inputs(reference, example, file)
        start, end = given["start"], given["end"]
        method = {
            "zero": "drop-negatives",
            "return": "reverse-negatives",
        }.get(name.removesuffix("+native"), name)
        more = {}
        if method == "dennett":
            change = end.sum("birthplace") - start.sum("birthplace")
            more["total"] = float(abs(change).sum())
        got = mp.flows_from_stocks(start, end, method=method, **more)["flows"]
        want = matrix(part, "flow")
        want = want.where(want["origin"] != want["destination"], 0.0)  # natives are no flow
        assert float(abs(got - want).max()) < 1e-9, (example, method)
        tested += 1
    assert tested == 42
