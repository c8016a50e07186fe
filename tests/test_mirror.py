"""Natives abroad, two reports of the same people, and stocks filled by rule."""

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

import migproj as mp
from test_invariants import FIXED

PLACES = ["ARG", "BOL", "CHL", "PER"]
NAN = float("nan")
quiet = pytest.mark.filterwarnings("ignore::migproj.DataQualityWarning")


def matrix(values, **coords):
    coords = coords or {"country": PLACES, "birthplace": PLACES}
    return xr.DataArray(np.array(values, float), dims=tuple(coords), coords=coords)


def stocks(seed, *extra):
    rng = np.random.default_rng(seed)
    coords = {"country": PLACES, "birthplace": PLACES, **dict(extra)}
    shape = [len(labels) for labels in coords.values()]
    return xr.DataArray(rng.uniform(1, 1e4, shape).round(), dims=tuple(coords), coords=coords)


def says(error, *parts):
    return pytest.raises(error, match="(?s)" + ".*".join(parts))


# --- natives abroad


@FIXED
@given(st.integers(0, 2**32 - 1))
def test_emigrants_are_what_a_loop_over_countries_finds(seed):
    array = stocks(seed, ("sex", ["female", "male"]))
    rng = np.random.default_rng(seed)
    array = array.where(xr.DataArray(rng.random(array.shape) < 0.6, dims=array.dims))
    reference = stocks(seed + 1)
    result = mp.emigrants(array.transpose("sex", "birthplace", "country"), reference=reference)
    for b in PLACES:
        for sex in ("female", "male"):
            others = [float(array.sel(country=c, birthplace=b, sex=sex)) for c in PLACES if c != b]
            there = [float(reference.sel(country=c, birthplace=b)) for c in PLACES if c != b]
            known = [x for x in others if not np.isnan(x)]
            got = result.sel(birthplace=b, sex=sex)
            assert int(got["n_destinations"]) == len(known)
            assert int(got["n_destinations_missing"]) == len(others) - len(known)
            total = float(got["natives_abroad"])
            assert total == sum(known) if known else np.isnan(total)
            seen = sum(t for t, x in zip(there, others, strict=True) if not np.isnan(x))
            assert float(got["coverage"]) == pytest.approx(seen / sum(there), rel=1e-14)


def test_everyone_abroad_is_of_some_birthplace():
    array = stocks(1)
    abroad = float(array.sum()) - sum(float(array.sel(country=p, birthplace=p)) for p in PLACES)
    result = mp.emigrants(array)
    assert float(result["natives_abroad"].sum()) == abroad
    assert result["natives_abroad"].attrs["units"] == "persons"


def test_natives_at_home_are_not_read():
    array = stocks(2)
    home = array["country"] == array["birthplace"].rename(birthplace="b").drop_vars("b").rename(
        b="birthplace"
    )
    xr.testing.assert_identical(mp.emigrants(array), mp.emigrants(array.where(~home)))


def test_latin_americans_in_spain_are_emigrants_of_their_countries():
    spain = mp.datasets.load("imila_table_5")["stock"].expand_dims("country")
    result = mp.emigrants(spain, disjoint=True)
    kept = spain.squeeze("country", drop=True)
    xr.testing.assert_equal(result["natives_abroad"].variable, kept.variable)
    # a dot in print is missing, not zero
    assert int(result["n_destinations_missing"].sum()) == int(kept.isnull().sum()) > 0


def test_names_and_codes_are_told():
    array = stocks(3).assign_coords(country=["Argentina", "Bolivia", "Chile", "Peru"])
    with says(mp.AlignmentError, "none of its 4 countries", "'Argentina'", "'ARG'", "disjoint"):
        mp.emigrants(array)
    with says(mp.AlignmentError, "disjoint", "4 countries", "'ARG'"):
        mp.emigrants(stocks(3), disjoint=True)
    with says(mp.SchemaError, "dim 'country' has no labels", "assign_coords"):
        mp.emigrants(stocks(3).drop_vars("country"))
    with says(mp.AlignmentError, "reference", "'PER'"):
        mp.emigrants(stocks(3), reference=stocks(3).isel(country=slice(3)))
    with says(mp.SchemaError, "stocks", "negative", "country=ARG"):
        mp.emigrants(-stocks(3))


def test_a_reference_of_another_round():
    now = stocks(4).assign_coords(time=2000.0)
    then = stocks(5).assign_coords(time=1990.0, source="register")
    result = mp.emigrants(now.where(now["country"] != "CHL"), reference=then)
    assert float(result["time"]) == 2000
    assert "source" not in result.coords
    off = ~np.eye(4, dtype=bool)
    there = np.where(off, then.values, 0.0)
    want = 1 - there[PLACES.index("CHL")] / there.sum(0)
    np.testing.assert_allclose(result["coverage"], want, rtol=1e-14)
    nobody = mp.emigrants(now.where(now["country"] == "CHL"), reference=then)
    assert np.isnan(nobody["natives_abroad"].sel(birthplace="CHL"))
    assert float(nobody["coverage"].sel(birthplace="CHL")) == 0


# --- two reports


def pair(seed=0):
    coords = {"origin": PLACES, "destination": PLACES}
    rng = np.random.default_rng(seed)
    first = xr.DataArray(rng.uniform(1, 100, (4, 4)), dims=tuple(coords), coords=coords)
    return first, first * rng.uniform(0.2, 1.5, (4, 4))


@pytest.mark.parametrize("scale", ["counts", "logs"])
def test_reconciled_is_the_weighted_mean(scale):
    received, sent = pair()
    trust = xr.DataArray([4.0, 3.0, 2.0, 1.0], dims="destination", coords={"destination": PLACES})
    result = mp.reconcile_reports(
        received,
        sent.transpose("destination", "origin"),
        reliability_of_destination=trust,
        reliability_of_origin=2.0,
        scale=scale,
    )
    for o in PLACES:
        for d in PLACES:
            a, b = (float(x.sel(origin=o, destination=d)) for x in (received, sent))
            w = float(trust.sel(destination=d))
            mean = (w * a + 2 * b) / (w + 2)
            if scale == "logs":
                mean = (a**w * b**2) ** (1 / (w + 2))
            cell = result.sel(origin=o, destination=d)
            assert float(cell["reconciled"]) == pytest.approx(mean, rel=1e-13)
            assert float(cell["ratio"]) == a / b
            assert float(cell["difference"]) == a - b
            assert int(cell["n_reports"]) == 2


def test_nothing_is_measured_by_what_is_not_there():
    """Neither coverage by an incomplete reference, nor a ratio to nobody."""
    array, reference = stocks(6), stocks(7)
    reference.loc["CHL", "BOL"] = NAN
    coverage = mp.emigrants(array, reference=reference)["coverage"]
    assert coverage.isnull().values.tolist() == [False, True, False, False]
    received, sent = pair()
    result = mp.reconcile_reports(received, sent.where(sent["origin"] != "ARG", 0.0))
    assert result["ratio"].isnull().all("destination").values.tolist() == [True] + 3 * [False]
    assert result["reconciled"].notnull().all()


def test_one_report_is_taken_and_none_stays_missing():
    received, sent = pair()
    received = received.copy()
    sent = sent.copy()
    received[0, 1] = NAN
    sent[1, 0] = NAN
    received[2, 3] = sent[2, 3] = NAN
    result = mp.reconcile_reports(received, sent)
    assert float(result["reconciled"][0, 1]) == float(sent[0, 1])
    assert float(result["reconciled"][1, 0]) == float(received[1, 0])
    assert np.isnan(result["reconciled"][2, 3])
    assert result["n_reports"].values[[0, 1, 2], [1, 0, 3]].tolist() == [1, 1, 0]


def test_what_both_report_as_nobody_is_nobody():
    """As on the diagonal of flows, on either scale."""
    received, sent = (x.where(x["origin"] != x["destination"]) for x in pair())
    for scale in ("counts", "logs"):
        want = mp.reconcile_reports(received, sent, scale=scale)["reconciled"]
        filled = mp.reconcile_reports(received.fillna(0.0), sent.fillna(0.0), scale=scale)
        xr.testing.assert_equal(filled["reconciled"], want.fillna(0.0))
        alone = mp.reconcile_reports(received.fillna(0.0), sent, scale=scale)
        xr.testing.assert_equal(alone["reconciled"], want.fillna(0.0))


def test_reports_are_in_the_units_of_the_first():
    received, sent = pair()
    to_stock = {"origin": "birthplace", "destination": "country"}
    for names, units in (({}, "persons per period"), (to_stock, "persons")):
        got = mp.reconcile_reports(received.rename(names), sent.rename(names))
        assert got["reconciled"].attrs["units"] == got["difference"].attrs["units"] == units
    got = mp.reconcile_reports(received.assign_attrs(units="1000 persons"), sent)
    assert got["reconciled"].attrs["units"] == "1000 persons"


@pytest.mark.parametrize("dim", ["sex", "age"])
def test_a_report_of_all_is_not_that_of_each(dim):
    received, sent = pair()
    with says(mp.SchemaError, f"by_origin: expected the dim.*'{dim}'", "as in by_destination"):
        mp.reconcile_reports(received.expand_dims({dim: [0, 1]}), sent)
    with says(mp.SchemaError, f"by_destination: expected the dim.*'{dim}'", "as in by_origin"):
        mp.reconcile_reports(received, sent.expand_dims({dim: [0, 1]}))


def test_wrong_reports_are_told():
    received, sent = pair()
    with says(mp.SchemaError, "by_origin", "'destination'"):
        mp.reconcile_reports(received, sent.isel(destination=0, drop=True))
    with says(mp.AlignmentError, "by_origin", "'PER'"):
        mp.reconcile_reports(received, sent.isel(origin=slice(3)))
    with says(mp.SchemaError, "scale", "'log'"):
        mp.reconcile_reports(received, sent, scale="log")
    with says(mp.SchemaError, "0 for both sides", "origin=ARG"):
        mp.reconcile_reports(
            received, sent, reliability_of_destination=0.0, reliability_of_origin=0.0
        )
    with says(mp.SchemaError, "by_origin", "logs", "origin=ARG", "scale='counts'"):
        mp.reconcile_reports(received, sent.where(sent["origin"] != "ARG", 0.0), scale="logs")
    of_years = xr.DataArray([1.0], dims="time", coords={"time": [2000]})
    with says(mp.AlignmentError, "reliability_of_origin", "time"):
        mp.reconcile_reports(received, sent, reliability_of_origin=of_years)


# --- filled stocks

TIMES = [1980.0, 1990.0, 1995.0, 2010.0]


def known(seed=0):
    return stocks(seed, ("time", TIMES))


def filled_by_loops(array, totals=None, groups=None, outside="growth"):
    """The rules of fill_stocks, cell by cell."""
    cells = array.transpose("country", "birthplace", "time").values
    made, source = cells.copy(), np.where(np.isnan(cells), 0, 1)
    n, t = len(PLACES), np.array(TIMES)
    pairs = [(c, b) for c in range(n) for b in range(n) if c != b]
    for c, b in pairs:
        have = [k for k in range(len(t)) if not np.isnan(cells[c, b, k])]
        for k in range(len(t)):
            low, high = [j for j in have if j < k], [j for j in have if j > k]
            if k in have or not low or not high:
                continue
            i, j = low[-1], high[0]
            share = (t[k] - t[i]) / (t[j] - t[i])
            x, y = cells[c, b, i], cells[c, b, j]
            straight = x + share * (y - x)
            made[c, b, k] = x ** (1 - share) * y**share if x > 0 and y > 0 else straight
            source[c, b, k] = 2
    inner = made.copy()
    for c, b in pairs:
        have = [k for k in range(len(t)) if not np.isnan(cells[c, b, k])]
        for k in range(len(t)):
            if not np.isnan(inner[c, b, k]) or not have or outside == "none":
                continue
            s = max((j for j in have if j < k), default=min(have))
            both = [d for d in range(n) if d != b and not np.isnan(inner[d, b, s] + inner[d, b, k])]
            base = sum(inner[d, b, s] for d in both)
            if outside == "growth" and not base > 0:
                continue
            growth = sum(inner[d, b, k] for d in both) / base if outside == "growth" else 1.0
            made[c, b, k], source[c, b, k] = cells[c, b, s] * growth, 3
    before = made.copy()
    for c in range(n):
        for k in range(len(t)):
            others = [b for b in range(n) if b != c]
            if groups is not None and all(np.isnan(before[c, b, k]) for b in others):
                peers = [d for d in range(n) if groups[d] == groups[c]]
                counts = [
                    sum(np.nan_to_num(before[d, b, k]) for d in peers if d != b) for b in others
                ]
                if sum(counts) > 0:
                    for b, count in zip(others, counts, strict=True):
                        made[c, b, k] = totals[c, k] * count / sum(counts)
                        if not np.isnan(made[c, b, k]):
                            source[c, b, k] = 4
            if (
                totals is None
                or np.isnan(totals[c, k])
                or any(source[c, b, k] == 0 for b in others)
            ):
                continue
            rest = totals[c, k] - sum(made[c, b, k] for b in others if source[c, b, k] == 1)
            given_ = sum(made[c, b, k] for b in others if source[c, b, k] > 1)
            for b in others:
                if source[c, b, k] > 1 and given_ > 0:
                    made[c, b, k] *= rest / given_
    return made, source


@FIXED
@given(st.integers(0, 2**32 - 1), st.sampled_from(["growth", "constant", "none"]), st.booleans())
@quiet
def test_stocks_are_filled_by_the_rules(seed, outside, with_totals):
    rng = np.random.default_rng(seed)
    whole = known(seed)
    hidden = rng.random(whole.shape) < 0.5
    array = whole.where(~xr.DataArray(hidden, dims=whole.dims))
    if rng.random() < 0.5:
        array = array.where(array["country"] != "PER")  # never reports
    totals = groups = None
    if with_totals:
        home = np.eye(4, dtype=bool)[..., None]
        all_told = np.where(home, 0.0, whole.values).sum(1)
        totals = xr.DataArray(
            np.where(rng.random((4, 4)) < 0.7, all_told, NAN),
            dims=("country", "time"),
            coords={"country": PLACES, "time": TIMES},
        )
        groups = xr.DataArray(list("aabb"), dims="country", coords={"country": PLACES})
    order = ("time", "birthplace", "country")
    result = mp.fill_stocks(array.transpose(*order), totals=totals, groups=groups, outside=outside)
    assert result["stock"].dims == order
    expected, source = filled_by_loops(
        array,
        None if totals is None else totals.values,
        None if groups is None else groups.values,
        outside,
    )
    got = result.transpose("country", "birthplace", "time")
    np.testing.assert_array_equal(got["source"], source)
    np.testing.assert_allclose(got["stock"], expected, rtol=1e-12)
    away = ~np.eye(4, dtype=bool)[..., None]
    assert int(result["n_missing"]) == int(((source == 0) & away).sum())


def test_what_is_reported_and_natives_at_home_stay():
    array = known().where(known()["time"] != 1990)
    result = mp.fill_stocks(array)["stock"]
    reported = array.notnull()
    np.testing.assert_array_equal(result.where(reported), array)
    home = result.sel(country="ARG", birthplace="ARG", time=1990.0)
    assert np.isnan(home)


def test_a_type_of_data_stays_with_its_country():
    kinds = ("country", ["B", "C", "B", "BR"])
    array = known().assign_coords(type_of_data=kinds)
    assert mp.fill_stocks(array)["stock"]["type_of_data"].values.tolist() == ["B", "C", "B", "BR"]


def test_a_total_below_what_is_reported_is_refused():
    array = known()
    totals = array.sum("birthplace") * 0.1
    with says(mp.SchemaError, "totals", "country=ARG, time=1980.0", "mend"):
        mp.fill_stocks(array, totals=totals)


def test_what_cannot_be_filled_is_named():
    array = known().where(known()["country"] != "PER")
    with pytest.warns(mp.DataQualityWarning, match="still missing in 12.*country=PER"):
        result = mp.fill_stocks(array)
    assert int(result["n_missing"]) == 12
    totals = xr.full_like(array.isel(birthplace=0, drop=True), NAN)
    totals.loc[{"country": "PER"}] = 1e5
    with pytest.warns(mp.DataQualityWarning, match="totals not met in 4 cell"):
        result = mp.fill_stocks(array, totals=totals)
    assert int(result["n_totals_unmet"]) == 4
    # Nor one of which all is reported, and less than it: nothing is there to be changed.
    array, totals = known(), xr.full_like(totals, NAN)
    totals.loc[{"country": "CHL", "time": 1990.0}] = 1e6
    with pytest.warns(mp.DataQualityWarning, match="totals not met.*country=CHL, time=1990"):
        result = mp.fill_stocks(array, totals=totals)
    assert int(result["n_totals_unmet"]) == 1
    xr.testing.assert_equal(result["stock"], array)


def test_wrong_fillings_are_told():
    array = known()
    groups = xr.DataArray(list("aabb"), dims="country", coords={"country": PLACES})
    with says(mp.SchemaError, "groups", "totals"):
        mp.fill_stocks(array, groups=groups)
    with says(mp.SchemaError, "outside", "'linear'"):
        mp.fill_stocks(array, outside="linear")
    with says(mp.SchemaError, "dim 'time'", "ascending", "2010.0"):
        mp.fill_stocks(array.isel(time=slice(None, None, -1)))
    with says(mp.SchemaError, "stocks: dim 'time' is split into 4 dask chunks", "expected one"):
        mp.fill_stocks(array.chunk(time=1))
    with says(mp.SchemaError, "totals: dim 'country' is split into 2 dask chunks"):
        mp.fill_stocks(array, totals=array.sum("birthplace").chunk(country=2))
    with says(mp.AlignmentError, "groups", "'PER'"):
        mp.fill_stocks(array, groups=groups[:3], totals=array.sum("birthplace"))
    more = array.sum("birthplace").expand_dims(sex=["female"])
    with says(mp.AlignmentError, "totals", "sex"):
        mp.fill_stocks(array, totals=more)


def test_totals_of_both_sexes_are_not_those_of_each():
    array = known().where(known()["country"] != "PER")
    totals = known().where(known()["country"] != known()["birthplace"]).sum("birthplace")
    groups = xr.DataArray(list("aaaa"), dims="country", coords={"country": PLACES})
    with says(mp.SchemaError, "totals: expected the dim", "sex", "as in stocks"):
        mp.fill_stocks(array.expand_dims(sex=["female", "male"]), totals=totals, groups=groups)
    with says(mp.SchemaError, "totals: expected the dim 'age' as in stocks"):
        mp.fill_stocks(array.expand_dims(age=[0, 15]), totals=totals, groups=groups)


def test_countries_of_no_group_are_none():
    """Two without a group are not of one."""
    array = known()
    groups = xr.DataArray(
        np.array(["a", None, "a", None], object), dims="country", coords={"country": PLACES}
    )
    with says(
        mp.SchemaError,
        "groups: expected one for each country",
        "none for 2",
        f"{PLACES[1]}",
        f"{PLACES[3]}",
    ):
        mp.fill_stocks(array, totals=array.sum("birthplace"), groups=groups)


def test_a_reference_of_more_dims_is_told():
    array = known()
    with says(mp.AlignmentError, "reference: dims .'time'. are not in stocks"):
        mp.emigrants(array.isel(time=0, drop=True), reference=array)


def test_reports_may_be_unsigned():
    coords = {"origin": ["A", "B"], "destination": ["A", "B"]}
    one = xr.DataArray(np.array([[0, 4], [9, 0]], "uint16"), dims=tuple(coords), coords=coords)
    other = one.copy(data=np.array([[0, 9], [4, 0]], "uint16"))
    got = mp.reconcile_reports(one, other)
    np.testing.assert_array_equal(got["difference"], [[0, -5], [5, 0]])


@quiet
def test_batches_are_loops_of_singles():
    sexes = xr.Variable("sex", ["a", "b", "c"])
    array = xr.concat([known(k) for k in range(3)], dim=sexes).where(lambda x: x > 2e3)
    together = mp.fill_stocks(array)
    for sex in "abc":
        alone = mp.fill_stocks(array.sel(sex=sex, drop=True))
        xr.testing.assert_identical(together.sel(sex=sex, drop=True), alone)


@quiet
def test_lazy_input_stays_lazy():
    array = known().where(known() > 2e3).expand_dims(draw=[0, 1]).chunk(draw=1)
    lazy = mp.fill_stocks(array)
    assert lazy["stock"].chunks is not None
    xr.testing.assert_equal(lazy.compute(), mp.fill_stocks(array.compute()))
