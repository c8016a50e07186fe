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
- it can put the change of natives at home on the diagonal of differences: that is no flow.
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


def solved(folder):
    """Each case that has a solution, what is estimated, and the flows of migest."""
    rows = pd.read_csv(folder / "migest/ffs_demo_od.csv")
    wanted = {name: matrix(part, "flow_tight") for name, part in rows.groupby("case")}
    for case in cases(folder):
        if case["status"] == "ok" and not case["prob_fallback"] and not case["rng_dependent"]:
            yield case, estimate(folder, case), wanted[case["case"]]


def test_all_accounts_of_migest(reference):
    tested = 0
    for case, got, want in solved(reference):
        off = float(abs(got["flows"].sum("birthplace") - want).max())
        assert off < TIGHT, (case, off)
        tested += 1
    assert tested == 244


def by_birthplace(folder):
    """Flows and stayers of each case in one table: ours, and those of migest."""
    rows = pd.read_csv(folder / "migest/ffs_demo_full_array.csv")
    of = {case["case"]: case for case in cases(folder)}
    with_stayers = ("origin", "destination", "birthplace")
    home = xr.DataArray(np.eye(4), dims=("origin", "destination"))
    for name, part in rows.groupby("case"):
        got = estimate(folder, of[name])
        staying = got["stayers"].rename(country="origin")
        ours = (got["flows"] + staying * home).transpose(*with_stayers)
        yield name, ours, table(part, "flow_tight", *with_stayers, names=("orig", "dest", "pob"))


def test_flows_by_birthplace_and_stayers(reference):
    for name, got, want in by_birthplace(reference):
        assert float(abs(got - want).max()) < TIGHT, name


def accounts(folder):
    """Births, deaths and the outside of each case: ours, and migest's but for the two swaps."""
    rows = pd.read_csv(folder / "migest/ffs_demo_account.csv")
    of = {case["case"]: case for case in cases(folder)}
    for name, part in rows.groupby("case"):
        got = estimate(folder, of[name])
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
            yield (name, variable), got[variable].transpose(*want.dims), want


def test_the_whole_account(reference):
    """The account is of the fit that migest stops at 1e-3."""
    for name, got, want in accounts(reference):
        assert float(abs(got - want).max()) < 2e-3, name


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


def without_accounts(folder):
    """Differences and rates of each example: ours, and those of migest."""
    rows = pd.read_csv(folder / "migest/ffs_diff_rates.csv")
    for (example, name), part in rows.groupby(["example", "method"]):
        file = "ffs_diff_rates_doc_inputs.csv" if example == "doc" else "ffs_demo_inputs.csv"
        given = inputs(folder, example, file)
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
        yield (example, name), got.transpose(*want.dims), want


def test_differences_and_rates(reference):
    tested = 0
    for name, got, want in without_accounts(reference):
        assert float(abs(got - want).max()) < 1e-9, name
        tested += 1
    assert tested == 42
