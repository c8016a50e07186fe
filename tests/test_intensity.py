"""Rates of migration, and indices of flows and of age profiles."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import migproj as mp

PLACES = ["north", "south", "west"]


def says(error, *parts):
    return pytest.raises(error, match="(?s)" + ".*".join(parts))


@pytest.fixture
def flows():
    values = np.random.default_rng(1).uniform(1, 100, (2, 3, 3))
    coords = {"draw": [0, 1], "origin": PLACES, "destination": PLACES}
    return xr.DataArray(values, dims=tuple(coords), coords=coords)


@pytest.fixture
def people():
    return xr.DataArray([900.0, 500.0, 700.0], dims="origin", coords={"origin": PLACES})


#: Ours and its of Korean provinces: name, function, measure, and how many of its are one of ours.
OF_MIGEST = [
    ("crude_intensity", "index_intensity", "cmp", 100),
    ("courgeau_k", "index_intensity", "courgeau_k", 100),
    ("aggregate_effectiveness", "index_impact", "effectivness", 100),
    ("net_intensity", "index_impact", "anmr", 100 * 1e6),
    ("connectivity", "index_connectivity", "connectivity", 1),
    ("inequality", "index_connectivity", "inequality_equal", 1),
    ("dissimilarity", "index_connectivity", "inequality_sim", 1),
    ("gini", "index_connectivity_uncorrected", "gini_total", 1),
    ("gini_origins", "index_connectivity", "gini_orig_standardized", 1),
    ("gini_destinations", "index_connectivity", "gini_dest_standardized", 1),
    ("weighted_variation", "index_connectivity", "acv", 2),  # theirs adds both directions
]


def korea(folder):
    """The table given, its flows and people, and the indices of migest."""
    given = pd.read_csv(folder / "input_korea_gravity.csv")
    flows = given.set_index(["year", "orig", "dest"])["flow"].to_xarray().astype(float)
    people = given.groupby(["year", "orig"])["orig_pop"].first().to_xarray() * 1e6
    theirs = pd.read_csv(folder / "index_korea.csv").set_index(["fn", "measure", "year"])["value"]
    flows, people = flows.rename(orig="origin", dest="destination"), people.rename(orig="origin")
    return given, flows, people, theirs.sort_index()


def of_streams(folder):
    """Preference and velocity of all streams: theirs are sums of what is one stream's, and have
    the people in millions."""
    _, flows, people, theirs = korea(folder)
    total = mp.indicators.stream_indices(flows, people).sum(["origin", "destination"])
    for name, units in (("preference", 1.0), ("velocity", 1e6)):
        yield units * total[name], theirs.loc["index_impact", name].sort_index()


def of_distance(folder):
    """Mean and median distance and its decay, by two distances."""
    given, flows, _, theirs = korea(folder)
    for name in ("cent", "pw"):
        distance = given.set_index(["year", "orig", "dest"])[f"dist_{name}"].to_xarray()
        distance = distance.sel(year=2012, drop=True).rename(orig="origin", dest="destination")
        got = mp.indicators.distance_indices(flows, distance)
        for measure in ("mean_distance", "median_distance", "distance_decay"):
            short = measure.replace("distance", "").strip("_")
            yield measure, got[measure], theirs.loc[f"index_distance_{name}", short].sort_index()


def of_four_places(folder):
    values = [[0.0, 100, 30, 70], [50, 0, 45, 5], [60, 35, 0, 40], [20, 25, 20, 0]]
    labels = {dim: list("ABCD") for dim in ("origin", "destination")}
    flows = xr.DataArray(values, dims=tuple(labels), coords=labels)
    people = xr.DataArray([1e3, 1e3, 1e3, 1e3], {"origin": labels["origin"]})
    got = mp.indicators.flow_indices(flows, people)
    theirs = pd.read_csv(folder / "index_connectivity_4x4.csv").set_index("measure")["value"]
    for name, function, measure, units in OF_MIGEST:
        if function == "index_connectivity":
            yield name, units * float(got[name]), theirs[measure]


#: Ours and its of rates by age, and how many of its are one of ours.
OF_PROFILES = [
    ("gross_migraproduction", "gmr", 1),
    ("peak_age", "peak_age", 1),
    ("peak_rate", "peak_mi", 100),
    ("rise_age", "murc", 1),
    ("fall_age", "mdrc", 1),
]


def profiles(folder):
    """The rates given, our indices and theirs."""
    given = pd.read_csv(folder / "input_ipumsi_age.csv").set_index(["sample", "age"]).to_xarray()
    rate = given["migrants"] / given["population"]
    rate = rate.assign_coords(age_width=("age", np.ones(rate.sizes["age"])))
    profile = mp.indicators.age_profile(rate)
    theirs = pd.read_csv(folder / "index_age.csv").drop_duplicates("sample").set_index("sample")
    return rate, profile, theirs.loc[profile["sample"].values]


OF_SCHEDULES = {
    "peaking": "peaking",
    "child_dependency": "child_dependency",
    "labour_dependency": "labor_dependency",
    "labour_asymmetry": "labor_asymmetry",
    "regularity": "regularity",
}


def schedule_profiles(folder):
    keys = ["schedule", "sex"]
    rows = pd.read_csv(folder / "rc_model_parameters.csv")
    table = rows.set_index([*keys, "param"])["value"].to_xarray().rename(param="parameter")
    theirs = pd.read_csv(folder / "index_age_rc.csv").set_index(keys).to_xarray()
    return mp.indicators.schedule_profile(table), theirs


def test_korea_of_migest(reference):
    """Bell's indices of Korean provinces. migest takes rates per 100, and its help a population in
    millions, so that its net rate there is a million times too large; its Gini index has a
    correction for the number of pairs by default."""
    folder = reference / "migest"
    _, flows, people, theirs = korea(folder)
    indices = mp.indicators.flow_indices(flows, people)

    def of(fn, measure):
        return theirs.loc[fn, measure].sort_index().to_numpy()

    for name, fn, measure, units in OF_MIGEST:
        np.testing.assert_allclose(units * indices[name], of(fn, measure), rtol=1e-9, err_msg=name)
    # Its "cv" is no coefficient of variation, and its weighted Gini indices are a sixteenth of one.
    one = flows.sel(year=2012).values[~np.eye(17, dtype=bool)]
    np.testing.assert_allclose(indices["variation"].sel(year=2012), one.std() / one.mean())
    assert of("index_connectivity", "cv")[0] > 5 * indices["variation"].sel(year=2012)
    assert (of("index_connectivity", "mwg_mean") < 0.07 * indices["weighted_gini"]).all()

    for got, want in of_streams(folder):
        np.testing.assert_allclose(got, want, rtol=1e-9)
    for measure, got, want in of_distance(folder):
        # They interpolate between streams, in the order listed where there and back are as far,
        # ours between distances: apart by less than the step from one to the next, 4 %.
        tolerance = 0.04 if measure == "median_distance" else 1e-8
        np.testing.assert_allclose(got, want, rtol=tolerance, err_msg=measure)


def test_four_places_of_migest(reference):
    """Connectivity needs no population. Their Gini index has the correction here."""
    for name, got, want in of_four_places(reference / "migest"):
        np.testing.assert_allclose(got, want, rtol=1e-12, err_msg=name)


def test_profiles_of_migest(reference):
    folder = reference / "migest"
    rate, profile, theirs = profiles(folder)
    for name, column, units in OF_PROFILES:
        np.testing.assert_allclose(units * profile[name], theirs[column], rtol=1e-12, err_msg=name)
    # Their asymmetry divides the two ages, ours the rise by the fall.
    np.testing.assert_allclose(theirs["asymmetry"], theirs["murc"] / theirs["mdrc"])
    one = rate.isel(sample=0).values
    rise, fall = (int(profile[f"{name}_age"][0]) for name in ("rise", "fall"))
    steep = (one[rise] - one[rise - 1]) / (one[fall - 1] - one[fall])
    np.testing.assert_allclose(profile["asymmetry"][0], steep, rtol=1e-12)


@pytest.mark.parametrize("breadth", [3, 5])
def test_breadths_of_migest_are_a_year_too_young(reference, breadth):
    """It sums the ages from breadth + 1 below the peak to breadth - 1 above it."""
    folder = reference / "migest"
    given = pd.read_csv(folder / "input_ipumsi_age.csv").set_index(["sample", "age"]).to_xarray()
    rate = given["migrants"] / given["population"]
    rate = rate.assign_coords(age_width=("age", np.ones(rate.sizes["age"])))
    theirs = pd.read_csv(folder / "index_age.csv")
    theirs = theirs[theirs["breadth"] == breadth].drop_duplicates("sample").set_index("sample")
    got = mp.indicators.age_profile(rate, breadth=breadth)
    for sample, row in theirs.iterrows():
        one, own = rate.sel(sample=sample).values, got.sel(sample=sample)
        peak = int(row["peak_age"])
        low, high = peak - breadth, peak + breadth
        np.testing.assert_allclose(100 * one[low - 1 : high].sum(), row["peak_breadth"])
        np.testing.assert_allclose(own["peak_breadth"], one[low : high + 1].sum(), rtol=1e-12)
        np.testing.assert_allclose(
            own["peak_share"] * own["gross_migraproduction"], own["peak_breadth"], rtol=1e-12
        )
        np.testing.assert_allclose(row["peak_share"], row["peak_breadth"] / row["gmr"])
    with says(mp.SchemaError, "breadth: expected years of 0 or more, got -1"):
        mp.indicators.age_profile(rate, breadth=-1)


def test_schedule_profiles_of_migest(reference):
    got, theirs = schedule_profiles(reference / "migest")
    for ours, name in OF_SCHEDULES.items():
        xr.testing.assert_allclose(got[ours].drop_attrs(), theirs[name].rename(ours), rtol=1e-13)
    assert got["labour_peak_age"].attrs["units"] == "years"


def test_the_labour_force_peaks_where_it_says():
    values = {"a1": 0.0, "alpha1": 0.1, "a2": 0.06, "alpha2": 0.1, "mu2": 20.0, "lambda2": 0.4}
    parameters = xr.DataArray(
        list(values.values()), dims="parameter", coords={"parameter": list(values)}
    )
    got = mp.indicators.schedule_profile(parameters)
    ages = np.arange(15, 40, 0.001)
    highest = ages[int(mp.rogers_castro(parameters, ages).argmax("age"))]
    np.testing.assert_allclose(got["labour_peak_age"], highest, atol=1e-3)
    # Nothing is divided by nothing.
    assert np.isnan(got["labour_dependency"])
    assert "retirement_asymmetry" not in got
    late = {"a3": 1e-4, "alpha3": 0.7, "mu3": 65.0, "lambda3": 0.14}
    more = xr.DataArray(list(late.values()), dims="parameter", coords={"parameter": list(late)})
    both = mp.indicators.schedule_profile(xr.concat([parameters, more], "parameter"))
    np.testing.assert_allclose(both["retirement_asymmetry"], 0.2)
    with says(mp.SchemaError, "parameters: dim 'parameter'", "lacks"):
        mp.indicators.schedule_profile(parameters[:-1])


def test_indices_by_hand(flows, people):
    indices = mp.indicators.flow_indices(flows, people)
    one = flows.isel(draw=1).values * (1 - np.eye(3))
    out, into = one.sum(1), one.sum(0)
    got = indices.isel(draw=1)
    assert abs(float(got["crude_intensity"]) - one.sum() / 2100) < 1e-15
    net = np.abs(into - out).sum()
    np.testing.assert_allclose(got["net_intensity"], net / 2 / 2100, rtol=1e-13)
    np.testing.assert_allclose(got["aggregate_effectiveness"], net / (2 * one.sum()), rtol=1e-13)
    pairs = one[~np.eye(3, dtype=bool)]
    gini = np.abs(pairs[:, None] - pairs).sum() / (2 * 36 * pairs.mean())
    np.testing.assert_allclose(got["gini"], gini, rtol=1e-13)
    assert indices["gini"].dims == ("draw",)
    assert indices["courgeau_k"].attrs["units"] == "1"
    # Those who stay are no flow.
    within = xr.DataArray(np.eye(3) * 1e6, dims=("origin", "destination"))
    xr.testing.assert_allclose(mp.indicators.flow_indices(flows + within, people), indices)


def test_flows_that_totals_alone_give_are_not_dissimilar(people):
    a, b = np.array([1.0, 2.0, 5.0]), np.array([3.0, 1.0, 2.0])
    values = np.outer(a, b) * (1 - np.eye(3))
    coords = {"origin": PLACES, "destination": PLACES}
    flows = xr.DataArray(values, dims=("origin", "destination"), coords=coords)
    assert float(mp.indicators.flow_indices(flows, people)["dissimilarity"]) < 1e-11


def test_spread_by_hand(flows, people):
    got = mp.indicators.flow_indices(flows, people).isel(draw=0)
    one = flows.isel(draw=0).values
    pairs = one[~np.eye(3, dtype=bool)]
    within, weighted, variation = [], 0.0, 0.0
    for table in (one, one.T):
        apart = 0.0
        for i in range(3):
            row = np.delete(table[i], i)
            difference = abs(row[0] - row[1])
            apart += difference
            share = row.sum() / pairs.sum()
            weighted += share * difference / (2 * row.sum()) / 2
            variation += share * row.std() / row.mean() / 2
        within.append(2 * apart / np.abs(pairs[:, None] - pairs).sum())
    np.testing.assert_allclose([got["gini_origins"], got["gini_destinations"]], within)
    np.testing.assert_allclose(got["weighted_gini"], weighted)
    np.testing.assert_allclose(got["weighted_variation"], variation)


@pytest.mark.parametrize("decay", [-2.5, -0.3, 0.7])
def test_decay_of_a_gravity_model(decay):
    rng = np.random.default_rng(3)
    labels = {"origin": list("abcdef"), "destination": list("abcdef")}
    at = rng.uniform(0, 1000, (6, 2))
    far = np.sqrt(((at[:, None] - at) ** 2).sum(-1))
    moves = rng.uniform(1, 9, (6, 1)) * rng.uniform(1, 9, 6) * (far + np.eye(6)) ** decay
    distance, flows = (xr.DataArray(x, dims=tuple(labels), coords=labels) for x in (far, moves))
    got = mp.indicators.distance_indices(flows, distance)
    np.testing.assert_allclose(got["distance_decay"], decay, rtol=1e-8)
    # Another unit of distance, or of movers, is the same decay.
    other = mp.indicators.distance_indices(flows * 1e6, distance / 1000)
    np.testing.assert_allclose(other["distance_decay"], decay, rtol=1e-8)
    np.testing.assert_allclose(1000 * other["median_distance"], got["median_distance"])
    lazy = mp.indicators.distance_indices(flows.expand_dims(draw=2).chunk(draw=1), distance)
    np.testing.assert_allclose(lazy["mean_distance"], float(got["mean_distance"]), rtol=1e-14)


def test_no_decay_where_distances_do_not_differ(flows):
    distance = xr.ones_like(flows.isel(draw=0, drop=True))
    got = mp.indicators.distance_indices(flows, distance)
    assert got["distance_decay"].isnull().all()
    np.testing.assert_allclose(got["mean_distance"], 1.0)
    missing = flows.where(flows.draw == 0)
    assert np.isnan(mp.indicators.distance_indices(missing, distance)["mean_distance"][1])


def test_what_is_not_known_of_one_pair_is_not_of_all(flows, people):
    missing = flows.where((flows.draw == 0) | (flows.origin != PLACES[0]))
    for name, index in mp.indicators.flow_indices(missing, people).items():
        assert index.isnull().values.tolist() == [False, True], name


def test_indices_of_the_same_draws(flows, people):
    """Labels that only one of two arrays has are not left out."""
    assert flows.sizes["draw"] == 2
    flows = flows.assign_coords(draw=[0, 1])
    several = people.expand_dims(draw=[1, 2])
    away = xr.ones_like(flows).assign_coords(draw=[1, 2])
    for indices in (mp.indicators.flow_indices, mp.indicators.stream_indices):
        with says(mp.AlignmentError, "population: dim 'draw'", "1 missing: .0.; 1 not in flows"):
            indices(flows, several)
    with says(mp.AlignmentError, "distance: dim 'draw'", "1 missing: .0.; 1 not in flows"):
        mp.indicators.distance_indices(flows, away)


def test_lazy_flows_are_whole(flows, people):
    lazy = mp.indicators.flow_indices(flows.chunk(draw=1), people)
    xr.testing.assert_allclose(lazy.compute(), mp.indicators.flow_indices(flows, people))
    with says(mp.SchemaError, "flows: dim 'origin' is split into 3 dask chunks", "expected one"):
        mp.indicators.flow_indices(flows.chunk(origin=1), people)
    distance = xr.ones_like(flows.isel(draw=0, drop=True))
    with says(mp.SchemaError, "distance: dim 'destination' is split into 3 dask chunks"):
        mp.indicators.distance_indices(flows, distance.chunk(destination=1))


def test_rates_and_effectiveness():
    ages = mp.age_coords([0, 15, 65])
    start = xr.DataArray([100.0, 300.0, 0.0], dims="age", coords=ages).assign_coords(time=2000)
    more = np.array([20.0, 100.0, 0.0])
    end = (start + more).assign_coords(time=2010)
    net = xr.DataArray([11.0, -35.0, 0.0], dims="age", coords=ages)
    rate = mp.indicators.net_migration_rate(net, start, end)
    np.testing.assert_allclose(rate[:2], [0.01, -0.01])
    assert np.isnan(rate[2])
    crude = mp.indicators.net_migration_rate(net.sum(), start.sum(), end.sum(), interval=10)
    np.testing.assert_allclose(crude, -24 / (10 * 460))
    assert rate.attrs["units"] == "1/year"
    share = mp.indicators.effectiveness(abs(net), abs(net) * 3)
    np.testing.assert_allclose(share[:2], -0.5)
    assert np.isnan(share[2])


def test_what_is_none(flows, people):
    with says(mp.SchemaError, "flows", "destination"):
        mp.indicators.flow_indices(flows.isel(destination=0), people)
    with says(mp.AlignmentError, "flows: dim 'destination'", "another order"):
        mp.indicators.flow_indices(flows.isel(destination=[1, 0, 2]), people)
    with says(mp.AlignmentError, "population"):
        mp.indicators.flow_indices(flows, people.assign_coords(origin=["north", "south", "east"]))
    with says(mp.SchemaError, "flows: expected some moves between places"):
        mp.indicators.flow_indices(flows * 0, people)
    with says(mp.SchemaError, "rate: dim 'age': expected ages from 15 to 64"):
        rate = xr.DataArray([0.1, 0.2], dims="age", coords=mp.age_coords(["0-4", "5-9"]))
        mp.indicators.age_profile(rate)
    with says(mp.SchemaError, "departures"):
        mp.indicators.effectiveness(people, -people)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint32"])
def test_differences_of_integers_do_not_wrap(dtype):
    """Balances below 0 of counts whose type has no numbers below 0, or none so large."""
    high, low = (xr.DataArray(np.array(x, dtype)) for x in (100, 90))
    assert float(mp.indicators.effectiveness(low, high)) == pytest.approx(-10 / 190)
    assert float(mp.net_migration_vital(high, low, low, high)) == 0.0
    assert float(mp.net_migration_vital(high, low, low, low)) == -10.0
    most = xr.DataArray(np.array(np.iinfo(dtype).max, dtype))
    rate = mp.indicators.net_migration_rate(high, most, most, interval=10)
    assert float(rate) == pytest.approx(10 / float(most))
    origin, destination = (
        xr.DataArray(np.array(x, dtype), dims=dim, coords={dim: ["A", "B"]})
        for dim, x in (("origin", [50, 51]), ("destination", [50, 50]))
    )
    table = xr.DataArray(np.ones((2, 2)), coords={**origin.coords, **destination.coords})
    with says(mp.SchemaError, "margins.1.: expected the totals", "differ by 1;"):
        mp.fit_margins(table, [origin, destination])
