"""Leslie matrices and stable populations against the projection, Lotka's equation and print."""

import warnings

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import migproj as mp

FIXED = settings(derandomize=True, deadline=None, database=None, max_examples=20)
SEXES = ["female", "male"]
COUNTRIES = ["ARG", "BOL", "CHL"]
LOWER = range(0, 85, 5)
FERTILE = range(15, 50, 5)
ARRAYS = ["intrinsic_growth_rate", "age_distribution", "reproductive_value", "damping_ratio"]


def numbers(*shape, low, high):
    return hnp.arrays(np.float64, shape, elements=st.floats(low, high, allow_subnormal=False))


def says(error, *parts):
    """A pattern that finds the parts in this order."""
    return pytest.raises(error, match="(?s)" + ".*".join(parts))


def rates(seed=0, countries=COUNTRIES):
    """Survival of both sexes, fertility and sex ratio at birth of some countries."""
    rng = np.random.default_rng(seed)
    by, n = {"country": countries}, len(countries)
    ageing = np.linspace(0.999, 0.5, len(LOWER))
    pattern = np.array([0.05, 0.2, 0.25, 0.2, 0.1, 0.05, 0.01])
    return {
        "survival": xr.DataArray(
            ageing * rng.uniform(0.95, 1.0, (n, 2, len(LOWER))),
            dims=("country", "sex", "age"),
            coords={**by, "sex": SEXES, **mp.age_coords(LOWER)},
        ),
        "fertility": xr.DataArray(
            pattern * rng.uniform(0.5, 1.5, (n, 7)),
            dims=("country", "age"),
            coords={**by, "age": list(FERTILE)},
        ),
        "sex_ratio_at_birth": xr.DataArray(rng.uniform(1.0, 1.1, n), dims="country", coords=by),
    }


def people(seed=1, countries=COUNTRIES):
    values = np.random.default_rng(seed).uniform(1e3, 1e5, (len(countries), 2, len(LOWER)))
    return xr.DataArray(
        values,
        dims=("country", "sex", "age"),
        coords={"country": countries, "sex": SEXES, **mp.age_coords(LOWER)},
    )


def times(matrix, women):
    """The matrix times women by age, who are by `age_from` at the start."""
    start = women.drop_vars(["age_width", "sex", "time"], errors="ignore").rename(age="age_from")
    return matrix.dot(start, "age_from")


# --- the matrix is the projection ---------------------------------------------------------------

AGES = [0, 5, 10, 15, 20]


@pytest.mark.parametrize("fertile", [[5], [10], [10, 15], [5, 10, 15], [15]], ids=str)
@FIXED
@given(data=st.data())
def test_the_matrix_moves_women_as_the_projection_does(fertile, data):
    ages, countries = mp.age_coords(AGES), {"country": ["ARG", "BOL"]}
    population = xr.DataArray(
        data.draw(numbers(5, 2, 2, low=1e3, high=1e6)),
        dims=("age", "sex", "country"),
        coords={**countries, "sex": data.draw(st.permutations(SEXES)), **ages},
    )
    survival = xr.DataArray(
        data.draw(numbers(2, 5, 2, low=0, high=1)),
        dims=("sex", "age", "country"),
        coords={**countries, "sex": population["sex"].values, **ages},
    )
    fertility = xr.DataArray(
        data.draw(numbers(len(fertile), 3, low=0, high=0.5)),
        dims=("age", "draw"),
        coords={"age": fertile, "draw": [0, 1, 2]},
    )
    ratio = xr.DataArray(data.draw(numbers(2, low=0.9, high=1.2)), dims="country", coords=countries)
    matrix = mp.leslie_matrix(survival, fertility, ratio)
    assert matrix.dims == ("country", "draw", "age", "age_from")
    projected = mp.project_population(population, survival, fertility, ratio)["population"]
    want = projected.isel(time=1).sel(sex="female")
    got = times(matrix, population.sel(sex="female")).transpose(*want.dims)
    np.testing.assert_array_equal(got["age"], want["age"])
    scale = float(population.max())
    np.testing.assert_allclose(got.values, want.values, rtol=1e-13, atol=1e-14 * scale)


def test_labels_of_the_matrix():
    given_ = rates()
    matrix = mp.leslie_matrix(**given_)
    assert matrix.name == "leslie_matrix"
    assert matrix.attrs == {"units": "1"}
    assert matrix.dims == ("country", "age", "age_from")
    for dim in ("age", "age_from"):
        np.testing.assert_array_equal(matrix[dim], LOWER)
        np.testing.assert_array_equal(matrix[f"{dim}_width"], [5.0] * 16 + [np.inf])
    assert matrix["period_width"].item() == 5.0
    assert matrix["sex"].item() == "female"
    # Rows are of arrival: the diagonal below the first holds survival by the group arrived in.
    bolivia = matrix.sel(country="BOL")
    survival = given_["survival"].sel(country="BOL", sex="female")
    for low in LOWER[1:]:
        assert bolivia.sel(age=low, age_from=low - 5).item() == survival.sel(age=low).item()
    assert bolivia.sel(age=80, age_from=80).item() == survival.sel(age=80).item()
    filled = (bolivia != 0).sum("age_from")
    np.testing.assert_array_equal(filled, [8] + [1] * 15 + [2])


def test_survival_of_women_alone_is_the_same():
    given_ = rates()
    women = given_["survival"].sel(sex="female")
    for function in (mp.leslie_matrix, mp.stable_population):
        whole = function(**given_)
        for alone in (women, women.drop_vars("sex"), women.expand_dims("sex")):
            xr.testing.assert_identical(function(**{**given_, "survival": alone}), whole)


def test_periods_broadcast():
    given_ = rates()
    years = xr.DataArray([0.9, 1.1], dims="period", coords={"period": [2000.0, 2005.0]})
    both = given_["fertility"] * years
    matrix = mp.leslie_matrix(given_["survival"], both, 1.05)
    assert matrix.dims == ("country", "period", "age", "age_from")
    one = mp.leslie_matrix(given_["survival"], both.sel(period=2005.0), 1.05)
    np.testing.assert_array_equal(matrix.sel(period=2005.0).values, one.values)


# --- sparse -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lower", "fertile"),
    [(list(range(101)), range(15, 50)), ([0, 5, 10], [5]), ([0, 10, 20, 30], [10, 20])],
    ids=["single years", "smallest", "up to the open-ended group"],
)
def test_sparse_is_dense(lower, fertile):
    rng = np.random.default_rng(3)
    ages = mp.age_coords(lower)
    survival = xr.DataArray(rng.uniform(0.5, 1, len(lower)), dims="age", coords=ages)
    fertility = xr.DataArray(
        rng.uniform(0.05, 0.2, len(fertile)), dims="age", coords={"age": list(fertile)}
    )
    dense = mp.leslie_matrix(survival, fertility, 1.05)
    sparse = mp.leslie_matrix(survival, fertility, 1.05, sparse=True)
    assert sparse.format == "csr"
    assert sparse.shape == (len(lower), len(lower))
    assert sparse.has_canonical_format
    assert sparse.nnz == np.count_nonzero(dense)
    np.testing.assert_array_equal(sparse.toarray(), dense.values)


def test_sparse_is_one_matrix():
    one = {name: array.sel(country="BOL") for name, array in rates().items()}
    sparse = mp.leslie_matrix(**one, sparse=True)
    np.testing.assert_array_equal(sparse.toarray(), mp.leslie_matrix(**one).values)
    with says(mp.SchemaError, "sparse: expected one matrix", r"\['country'\]", r"\.sel", "False"):
        mp.leslie_matrix(**rates(), sparse=True)
    with says(mp.SchemaError, "sparse: expected True or False", "'csr'"):
        mp.leslie_matrix(**one, sparse="csr")


# --- the stable population ----------------------------------------------------------------------


def test_projecting_on_and_on_leads_to_the_stable_population():
    given_ = rates(4)
    stable = mp.stable_population(**given_)
    factor = np.exp(5 * stable["intrinsic_growth_rate"])
    result = mp.project_population(people(), **given_, steps=300)
    women = result["population"].sel(sex="female")
    before, after = women.isel(time=299), women.isel(time=300)
    np.testing.assert_allclose(
        (after / before).transpose("country", "age").values,
        np.repeat(factor.values[:, None], 17, axis=1),
        rtol=1e-12,
    )
    shares = after / after.sum("age")
    np.testing.assert_allclose(shares.values, stable["age_distribution"].values, rtol=1e-12)
    # Women of the start count in the end by their reproductive value.
    start = people().sel(sex="female")
    value = stable["reproductive_value"]
    weight = (value * start).sum("age") / (value * stable["age_distribution"]).sum("age")
    np.testing.assert_allclose(after.sum("age"), weight * factor**300, rtol=1e-10)


def test_deviations_fade_by_the_damping_ratio():
    given_ = rates(5, ["ARG"])
    given_["survival"].loc[{"age": 80}] = 0.99  # a real second eigenvalue
    given_["fertility"] = 1.3 * given_["fertility"]
    stable = mp.stable_population(**given_)
    result = mp.project_population(people(2, ["ARG"]), **given_, steps=202)
    women = result["population"].sel(sex="female", country="ARG").sum("age")
    scaled = women.values * np.exp(-stable["intrinsic_growth_rate"].item() * result["time"].values)
    change = np.diff(scaled)
    fades = change[200] / change[201]
    assert fades == pytest.approx(stable["damping_ratio"].item(), rel=1e-8)


@FIXED
@given(seed=st.integers(0, 2**32 - 1))
def test_eigenvectors_and_the_equation_of_lotka(seed):
    given_ = rates(seed)
    matrix, stable = mp.leslie_matrix(**given_), mp.stable_population(**given_)
    factor = np.exp(5 * stable["intrinsic_growth_rate"])
    c, v = stable["age_distribution"], stable["reproductive_value"]
    np.testing.assert_allclose(times(matrix, c), factor * c, rtol=1e-12)
    np.testing.assert_allclose(matrix.dot(v.drop_vars("age_width"), "age"), factor * v, rtol=1e-12)
    np.testing.assert_allclose(c.sum("age"), 1.0, rtol=1e-14)
    np.testing.assert_array_equal(v.sel(age=0), 1.0)
    assert (v.sel(age=slice(0, 49)) > 0).all()
    assert (v.sel(age=slice(50, None)) == 0).all()
    daughters = matrix.sel(age=0).values  # by the group of the mother at the start
    S = given_["survival"].sel(sex="female").values.copy()
    S[:, 0] = 1.0
    maternity = daughters * np.cumprod(S, axis=1)
    steps = np.arange(1, 18)
    discounted = maternity * factor.values[:, None] ** -steps
    np.testing.assert_allclose(discounted.sum(axis=1), 1.0, rtol=1e-12)
    np.testing.assert_allclose(stable["net_reproduction_rate"], maternity.sum(axis=1), rtol=1e-13)
    assert (stable["damping_ratio"] > 1).all()
    f = given_["fertility"]
    mothers = (f * c.sel(age=slice(15, 49))).drop_vars("age_width", errors="ignore")
    mean = (mothers * (f["age"] + 2.5)).sum("age") / mothers.sum("age")
    np.testing.assert_allclose(stable["mean_age_of_childbearing"], mean, rtol=1e-13)


def life_table():
    lower = [0, 1, *range(5, 85, 5)]
    mx = 0.001 + 5e-5 * np.exp(0.08 * (np.array(lower) + 2.0))
    mx[0] += 0.03
    mx = xr.DataArray(mx, dims="age", coords=mp.age_coords(lower))
    return mp.life_table(mx.assign_coords(sex="female"))


def test_replacement_fertility_gives_the_stationary_population():
    table = life_table()
    lived = mp.regroup_ages(table["Lx"], LOWER)
    women = lived.sel(age=slice(15, 49))
    fertility = (2.05 / women.sum() + 0 * women).drop_vars("age_width")
    stable = mp.stable_population(mp.survival_ratios(table, ages=LOWER), fertility, 1.05)
    assert stable["intrinsic_growth_rate"].item() == pytest.approx(0.0, abs=1e-15)
    assert stable["net_reproduction_rate"].item() == pytest.approx(1.0, rel=1e-14)
    np.testing.assert_allclose(stable["age_distribution"], lived / lived.sum(), rtol=1e-12)
    middle = (women["age"] + 2.5).dot(women) / women.sum()
    np.testing.assert_allclose(stable["mean_age_of_childbearing"], middle, rtol=1e-13)


def test_net_reproduction_rate_is_that_of_the_life_table():
    table = life_table()
    fertility = rates()["fertility"]
    stable = mp.stable_population(mp.survival_ratios(table, ages=LOWER), fertility, 1.05)
    lived = mp.regroup_ages(table["Lx"], LOWER).drop_vars("age_width").sel(age=slice(15, 49))
    want = (fertility * lived).sum("age") / 2.05
    np.testing.assert_allclose(stable["net_reproduction_rate"], want, rtol=1e-13)


def test_egypt_1997():
    # Preston, Heuveline & Guillot (2001), box 7.1: person-years lived per woman born and
    # daughters per woman-year at 15-19 to 45-49; the net reproduction rate is printed as 1.527.
    # Neither depends on how the deaths before 15 are spread, nor on any after 50.
    lived = np.array([4.66740, 4.63097, 4.58518, 4.53206, 4.46912, 4.39135, 4.28969])
    daughters = [0.00567, 0.06627, 0.11204, 0.07889, 0.05075, 0.01590, 0.00610]
    ages = mp.age_coords(range(0, 55, 5))
    ratios = [lived[0] / 5, 1, 1, 1, *(lived[1:] / lived[:-1]), 0.5]
    survival = xr.DataArray(ratios, dims="age", coords=ages)
    fertility = xr.DataArray(daughters, dims="age", coords={"age": list(FERTILE)})
    stable = mp.stable_population(survival, 2 * fertility, 1.0)
    assert round(stable["net_reproduction_rate"].item(), 3) == 1.527


# --- what is doubtful or wrong ------------------------------------------------------------------


def test_labels_of_the_stable_population():
    stable = mp.stable_population(**rates())
    assert stable["age_distribution"].dims == ("country", "age")
    units = {name: array.attrs["units"] for name, array in stable.items()}
    assert units == {
        "intrinsic_growth_rate": "1/year",
        "age_distribution": "1",
        "reproductive_value": "1",
        "damping_ratio": "1",
        "net_reproduction_rate": "1",
        "mean_age_of_childbearing": "years",
        "n_no_births": "1",
        "n_no_stable_ages": "1",
    }
    np.testing.assert_array_equal(stable["age_width"], [5.0] * 16 + [np.inf])
    assert stable["period_width"].item() == 5.0
    assert stable["sex"].item() == "female"


@pytest.mark.parametrize("rate", ["survival", "fertility", "sex_ratio_at_birth"])
def test_a_missing_value_is_missing_in_its_country_alone(rate):
    given_ = rates()
    whole = mp.stable_population(**given_)
    holed = given_[rate].copy()
    holed.loc[{"country": "BOL"}] = np.nan
    stable = mp.stable_population(**{**given_, rate: holed})
    xr.testing.assert_identical(stable.isel(country=[0, 2]), whole.isel(country=[0, 2]))
    assert stable.sel(country="BOL")[ARRAYS].isnull().all().to_array().all()
    assert stable["n_no_births"].sum() == 0


def test_no_births_are_named_and_counted():
    given_ = rates()
    whole = mp.stable_population(**given_)
    given_["fertility"].loc[{"country": "BOL"}] = 0.0
    text = r"^stable_population: no daughters .* in 1 cell\(s\): country=BOL$"
    with pytest.warns(mp.DataQualityWarning, match=text):
        stable = mp.stable_population(**given_)
    assert stable["n_no_births"].values.tolist() == [0, 1, 0]
    assert stable["net_reproduction_rate"].sel(country="BOL").item() == 0.0
    assert stable.sel(country="BOL")[ARRAYS].isnull().all().to_array().all()
    xr.testing.assert_identical(stable.isel(country=[0, 2]), whole.isel(country=[0, 2]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lazy = mp.stable_population(**{k: a.chunk(country=1) for k, a in given_.items()})
    xr.testing.assert_identical(lazy.compute(), stable)


def test_an_open_ended_group_that_outlasts_the_rest_is_named_and_counted():
    given_ = rates()
    given_["fertility"].loc[{"country": "CHL"}] *= 0.05
    given_["survival"].loc[{"country": "CHL", "age": 80}] = 0.9
    text = r"no stable age distribution, .*group 80\+ .* in 1 cell\(s\): country=CHL$"
    with pytest.warns(mp.DataQualityWarning, match=text):
        stable = mp.stable_population(**given_)
    assert stable["n_no_stable_ages"].values.tolist() == [0, 0, 1]
    chile = stable.sel(country="CHL")
    assert chile["age_distribution"].isnull().all()
    assert chile["damping_ratio"].item() == pytest.approx(
        np.exp(5 * chile["intrinsic_growth_rate"].item()) / 0.9, rel=1e-13
    )


def test_survival_above_one_is_named_for_women_alone():
    given_ = rates()
    given_["survival"].loc[{"country": "ARG", "sex": "male", "age": 10}] = 1.01
    mp.leslie_matrix(**given_)
    given_["survival"].loc[{"country": "ARG", "sex": "female", "age": 10}] = 1.01
    for function in (mp.leslie_matrix, mp.stable_population):
        text = rf"^{function.__name__}: survival ratios above 1 in 1 cell\(s\): country=ARG, age=10"
        with pytest.warns(mp.DataQualityWarning, match=text):
            function(**given_)


each = pytest.mark.parametrize("function", [mp.leslie_matrix, mp.stable_population])


@each
def test_wrong_inputs(function):
    given_ = rates()
    survival, fertility, ratio = given_.values()

    def call(**changed):
        return function(**{**given_, **changed})

    with says(mp.SchemaError, r"survival: expected the dim\(s\) \['age'\]", "country"):
        call(survival=survival.mean("age"))
    with says(mp.SchemaError, "survival: 'sex': expected 'female', got", r"\['male'\]", "women"):
        call(survival=survival.sel(sex=["male"]))
    with says(mp.SchemaError, "survival: 'sex': expected 'female', got", r"\['male'\]", "women"):
        call(survival=survival.sel(sex="male"))
    with says(mp.SchemaError, "survival: dim 'sex'", "'female' and 'male'", r"\['F', 'M'\]"):
        call(survival=survival.assign_coords(sex=["F", "M"]))
    with says(mp.IntervalError, "survival: dim 'age'", "one width", "0, 1-4", "survival_ratios"):
        call(survival=survival.isel(age=slice(4)).assign_coords(mp.age_coords([0, 1, 5, 10])))
    with says(mp.IntervalError, "survival: dim 'age'", "open-ended last one", "0-4, 5-9"):
        call(survival=survival.isel(age=slice(-1)))
    with says(mp.IntervalError, r"survival: made for \[10.0\] years", "step is 5 years"):
        call(survival=survival.assign_coords(period_width=10.0))
    with says(mp.SchemaError, "survival: expected survival ratios of 0 or more", "age=20"):
        call(survival=survival.where(survival["age"] != 20, -0.1))
    with says(mp.SchemaError, "survival: expected survival ratios near 0 to 1", "percentages"):
        call(survival=100 * survival)
    with says(mp.SchemaError, "survival: the dim 'time'", r"rename\(time='period'\)"):
        call(survival=survival.expand_dims(time=[2000]))
    with says(mp.SchemaError, "survival: the dim 'age_from' is not expected"):
        mp.leslie_matrix(survival.expand_dims(age_from=[0]), fertility, ratio)
    with says(mp.SchemaError, "fertility: the dim 'sex'", r"sel\(sex='female'"):
        call(fertility=fertility.expand_dims(sex=["female"]))
    with says(mp.SchemaError, "fertility: dim 'age'", "mothers older than 5 years", "got 0-4"):
        call(fertility=fertility.assign_coords(age=list(range(0, 35, 5))))
    with says(mp.SchemaError, "fertility: dim 'age'", "closed groups", r"not among them: \[80\]"):
        call(fertility=fertility.assign_coords(age=list(range(50, 85, 5))))
    with says(mp.SchemaError, "fertility: expected rates per person and year", "1,000"):
        call(fertility=1000 * fertility)
    with says(mp.SchemaError, "fertility: expected an xarray.DataArray, got ndarray", "wrap it"):
        call(fertility=fertility.values)
    with says(mp.SchemaError, "sex_ratio_at_birth: expected males per female", "by 100"):
        call(sex_ratio_at_birth=100 * ratio)
    with says(mp.SchemaError, "sex_ratio_at_birth: expected a number", "got '"):
        call(sex_ratio_at_birth="1.05")
    with says(mp.AlignmentError, "fertility: dim 'country'", "another order", "sel"):
        call(fertility=fertility.isel(country=[1, 0, 2]))
    with says(mp.AlignmentError, "sex_ratio_at_birth: dim 'country'", r"missing: \['CHL'\]"):
        call(sex_ratio_at_birth=ratio.isel(country=[0, 1]))
