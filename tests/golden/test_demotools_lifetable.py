"""Life tables beside DemoTools (demotools/lifetable): rules, laws, closing, abridging.

Theirs is fitted by Nelder-Mead, stopped early: what depends on the law (the open-ended group, and
with Greville's rule ax of the group before it) agrees to 4e-4 at the age put in, at 110 to 7e-4 and
with a Makeham term to 1e-2; the rest to 1e-9. Conventions that are not ours:

- mx of the open-ended group is the rate put in, where its age is the one put in, though the
  Lx beside it are those of the law (mx is not lx / Tx). Ours is lx / Tx.
- With n/2, where n m implies qx > 1 qx is that of a constant hazard and ax stays n/2, so that mx
  is not dx / Lx. Ours takes the ax of the hazard.
- 4a1 goes by the q0 that Andreev and Kingkade's a0 of the sex implies, whatever the rule for a0 is.
  Ours goes by the q0 of the table.
- Probabilities of dying turned into rates come back changed, at ages 0 and 1-4 (their a0 by q0 is
  not the one by m0) and, with Greville's rule, in the group before the open-ended one. Ours give
  them back.
"""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import migproj as mp

FAMILIES = {"w": "west", "n": "north", "e": "east", "s": "south"}
SEXES = {"m": "male", "f": "female"}
RULES = {"ak": "andreev-kingkade", "cd": "coale-demeny"}
COLUMNS = {
    "nMx": "mx", "nAx": "ax", "nqx": "qx", "lx": "lx", "ndx": "dx", "nLx": "Lx", "Tx": "Tx",
    "ex": "ex",
}  # fmt: skip
#: Relative difference of the rates above 100 where their search stops farthest from the least.
LOOSE = {"kannisto_makeham": 1e-2, "beard_makeham": 1e-2, "makeham": 1e-2}
WARNING = "ignore:(life_table|extend_mortality)"


@pytest.fixture
def folder(reference):
    return reference / "demotools/lifetable"


def by_age(ages, values, open_ended=True, **coords):
    grid = mp.age_coords([int(age) for age in ages], open_ended=open_ended)
    return xr.DataArray(np.asarray(values, float), dims="age", coords={**coords, **grid})


def infants(m0, sex, **rules):
    """Life tables of ages 0, 1-4 and 5+ by m0 (any rates above)."""
    rates = np.column_stack([m0, np.full((len(m0), 2), 0.02)])
    coords = {"case": range(len(m0)), **mp.age_coords([0, 1, 5])}
    mx = xr.DataArray(rates, dims=("case", "age"), coords=coords)
    if sex == "b":
        return mp.life_table(mx, sex_ratio_at_birth=1.05, **rules)
    return mp.life_table(mx.assign_coords(sex=SEXES[sex]), **rules)


def test_rules_of_the_first_years(folder):
    """Not here: infants' share of deaths under five (4m0), and a guess at the radix (l0_1L0)."""
    rows = pd.read_csv(folder / "rules_out.csv")
    seen = set()
    for (rule, sex, region), part in rows.groupby(["rule", "sex", "region"], dropna=False):
        if rule.startswith(("4m0", "l0", "L0")):
            continue
        x, age = part["x"].to_numpy(), 1 if rule.startswith("4a1") else 0
        rules = {"a0": RULES["ak" if "ak" in rule or ("IMR" in rule and age == 1) else "cd"]}
        if isinstance(region, str):
            rules["family"] = FAMILIES[region]
        if "IMR" in rule or "q0" in rule:
            q0 = xr.DataArray(x, dims="case", coords={"case": range(len(x))})
            table = infants(np.full(len(x), 0.05), sex, q0=q0, **rules)
            np.testing.assert_array_equal(table["qx"].sel(age=0), x)
            lived = table["Lx"].sel(age=0)
            np.testing.assert_allclose(table["mx"].sel(age=0), x / lived, rtol=1e-14)
        else:
            table = infants(x, sex, **rules)
        np.testing.assert_allclose(table["ax"].sel(age=age), part["value"], rtol=1e-9)
        seen.add(rule)
    assert len(seen) == 9


def test_a0_that_gives_person_years(folder):
    rows = pd.read_csv(folder / "rules_out.csv").query("rule.str.startswith('L0')")
    for sex in "mf":
        part = rows[rows["sex"] == sex].pivot_table("value", "x", "rule")
        table = infants(part["L0_1a0:m0"].to_numpy(), sex, a0="andreev-kingkade")
        # Their rule by L0 has coefficients of its own, rounded to four digits.
        a0 = part["L0_1a0:a0"].to_numpy()
        same = np.abs(table["ax"].sel(age=0).values - a0) < 1e-9
        assert same.sum() >= 8
        np.testing.assert_allclose(table["Lx"].sel(age=0)[same], part.index[same], rtol=3e-5)


@pytest.mark.filterwarnings(WARNING)
def test_laws(folder):
    """Our squares are never more than theirs, and the rates agree as far as theirs are least."""
    given = pd.read_csv(folder / "abridged_in.csv").query("dataset == 'PAS_LTPOPDTH'")
    mx = by_age(given["age"], given["nMx"])
    seen = 0
    for law, rows in pd.read_csv(folder / "extrapolate_out.csv").groupby("law"):
        name = {"ggompertz": "gamma-gompertz"}.get(law, law.replace("_", "-"))
        made = mp.extend_mortality(mx, law=name, fit_ages=(60, 100), from_age=60, to_age=130)
        ours = float((np.log(made / mx).sel(age=slice(60, 95)) ** 2).sum())
        theirs = rows.loc[rows["what"] == "objective_LF2", "value"].item()
        assert ours <= theirs
        assert ours > theirs - 3e-4
        rates = rows.query("what == 'mx' and x >= 100")
        wanted = made.sel(age=rates["x"].astype(int).values)
        np.testing.assert_allclose(wanted, rates["value"], rtol=LOOSE.get(law, 2e-3), err_msg=law)
        seen += 1
    assert seen == 8


def arguments(text):
    return dict(part.split("=") for part in text.split("|"))


def closed(mx, fit, args, rules, width):
    """The rates with those of the law, and our life table closed as theirs is."""
    groups_end = int(mx["age"][-1])
    law = args.get("extrapLaw", "kannisto" if groups_end >= 90 else "makeham").replace("_", "-")
    law = law.replace("ggompertz", "gamma-gompertz")
    start = int(args["extrapFrom"]) if "extrapFrom" in args else None
    long = mp.extend_mortality(mx, law=law, fit_ages=fit, to_age=130, from_age=start)
    if width == 1:
        long = long.assign_coords(mp.age_coords(long["age"].values.tolist()))
    table = mp.life_table(long, radix=float(args.get("radix", 1e5)), **rules)
    return long, table, mp.close_life_table(table, int(args.get("OAnew", groups_end)))


def their_open_years(long, table, age, keeps_half):
    """Expectation of life at the open-ended group, with ax of n/2 where q is a hazard's."""
    old = table.sel(age=slice(age, None))
    m, q = long.sel(age=slice(age, None)).values, old["qx"].values
    n = old["age_width"].values
    a = old["ax"].values
    alive = np.append(1.0, np.cumprod(1 - q[:-1]))
    n, a, hazard = n[:-1], a[:-1], np.isclose(q, 1 - np.exp(-n * m), rtol=1e-12)[:-1]
    a = np.where(hazard & keeps_half, n / 2, a)
    dead = alive[:-1] * q[:-1]
    return (n * alive[1:] + a * dead).sum() + alive[-1] / m[-1]


def check(table, want, below, columns=COLUMNS, skip=()):
    """Columns below an age; Tx and ex as what is lived before the open-ended group."""
    ages = want["Age"].to_numpy()
    np.testing.assert_array_equal(table["age"], ages)
    rows = (ages < below) & ~np.isin(ages, skip)
    for theirs, name in columns.items():
        ours, other = table[name].values, want[theirs].to_numpy()
        if name in ("Tx", "ex"):
            lived, known = table["Tx"].values, want["Tx"].to_numpy()
            at = int(np.searchsorted(ages, below))
            ours, other = lived - lived[at], known - known[at]
        np.testing.assert_allclose(ours[rows], other[rows], rtol=1e-9, err_msg=name)


@pytest.mark.filterwarnings(WARNING)
def test_abridged(folder):
    cases = pd.read_csv(folder / "abridged_cases.csv").query("input == 'nMx'")
    out = pd.read_csv(folder / "abridged_out.csv").set_index("case")
    given = pd.read_csv(folder / "abridged_in.csv").set_index("dataset")
    for case in cases.itertuples():
        args, want = arguments(case.args), out.loc[case.case]
        age = given.loc[case.dataset, "age"].tolist()
        mx = by_age(age, given.loc[case.dataset, "nMx"], args.get("OAG") != "FALSE")
        if args.get("OAG") == "FALSE":
            mx = mx.assign_coords(age_width=("age", [1.0, 4.0, *[5.0] * (len(age) - 2)]))
        oldest = age[-1]
        rules = {
            "a0": RULES[args.get("a0rule", "ak")],
            "ax": "un" if args.get("axmethod") == "un" else "half",
            "family": FAMILIES[args.get("region", "w")],
        }
        if "IMR" in args:
            rules["q0"] = float(args["IMR"])
        sex = args.get("Sex", "m")
        if sex == "b":
            rules["sex_ratio_at_birth"] = float(args.get("SRB", 1.05))
        else:
            mx = mx.assign_coords(sex=SEXES[sex])
        fit = (60, oldest) if age[-2] >= 85 else (age[-2] - 20, oldest)
        if args.get("OAG") == "FALSE":
            fit = (60, oldest + 5)  # the last group is fitted, and replaced all the same
            args["extrapFrom"] = str(oldest)
        long, table, made = closed(mx, fit, {"OAnew": str(oldest), **args}, rules, 5)
        start = int(args.get("extrapFrom", oldest))
        open_age = int(args.get("OAnew", oldest))
        below = min(start - 5 * (rules["ax"] != "half"), open_age)
        # By the sexes' own q0 by Andreev and Kingkade, theirs at ages 1-4.
        own_q0 = sex == "b" or (rules["a0"] == RULES["cd"] and "IMR" not in args)
        odd = [1] if own_q0 and made["qx"][0] < 0.1 else []
        if args.get("mod") == "FALSE":  # no formula below 15
            odd += [5, 10]
            assert (want["nAx"].iloc[2:4] == 2.5).all()
        check(made, want, below, {n: COLUMNS[n] for n in ("nMx", "nAx", "nqx")}, skip=odd)
        if odd:
            ax = table["ax"].where(table["age_width"] < np.inf, 0.0)
            theirs = xr.DataArray(want["nAx"].to_numpy(), coords={"age": want["Age"].to_numpy()})
            ax = ax.where(~ax["age"].isin(odd), theirs.reindex(age=ax["age"]))
            table = mp.life_table(long, ax=ax, radix=float(args.get("radix", 1e5)))
            made = mp.close_life_table(table, open_age)
        check(made, want, below)
        half = rules["ax"] == "half"
        law = args.get("extrapLaw", "makeham" if oldest < 90 else "kannisto")
        limit = LOOSE.get(law, 7e-4) if open_age > oldest else 4e-4
        years = their_open_years(long, table, open_age, half)
        np.testing.assert_allclose(years, want["ex"].iloc[-1], rtol=limit, err_msg=case.case)
        # The open-ended group: ours is always closed, theirs where it is not the one put in.
        kept = open_age == oldest and args.get("OAG") != "FALSE"
        assert kept == (abs(want["nMx"].iloc[-1] * want["ex"].iloc[-1] - 1) > 1e-3), case.case
        np.testing.assert_allclose(made["mx"][-1] * made["ex"][-1], 1.0, rtol=1e-14)


@pytest.mark.filterwarnings(WARNING)
@pytest.mark.parametrize("axmethod", ["pas", "un"])
@pytest.mark.parametrize("column", ["nqx", "lx"])
def test_abridged_from_probabilities_and_survivors(folder, column, axmethod):
    out = pd.read_csv(folder / "abridged_out.csv").set_index("case")
    source, want = out.loc["opt_f_pas_ak"], out.loc[f"from_{column}_{axmethod}"]
    rules = {
        "a0": "andreev-kingkade",
        "ax": {"pas": "half", "un": "un"}[axmethod],
        "family": "west",
    }
    given = by_age(source["Age"], source[column], sex="female")
    mx = mp.death_rates(**{column.removeprefix("n"): given}, **rules)
    _, _, made = closed(mx, (60, 100), {"OAnew": "100"}, rules, 5)
    np.testing.assert_allclose(made["qx"][:-1], source["nqx"][:-1], rtol=1e-9)
    ages = want["Age"].to_numpy()
    below = 100 if axmethod == "pas" else 70
    rows = (ages < below) & (ages != 1)
    for name in ("nMx", "nAx", "nqx"):
        np.testing.assert_allclose(made[COLUMNS[name]][rows], want[name][rows], rtol=2e-9)
    if axmethod == "pas":  # their q at ages 1-4 is not what was put in
        assert abs(want["nqx"].iloc[1] / source["nqx"].iloc[1] - 1) > 1e-5
    else:  # nor is that at 95, which goes into their rates from 70 on
        assert abs(want["nqx"].iloc[-2] / source["nqx"].iloc[-2] - 1) > 1e-3


@pytest.mark.filterwarnings(WARNING)
def test_survivors_to_60(folder):
    """Their law is fitted to the open-ended group as well, and leaves 0.11 years to live at 60."""
    given = pd.read_csv(folder / "abridged_in.csv").query("dataset == 'lx14'")
    want = pd.read_csv(folder / "abridged_out.csv").query("case == 'test_lx14'")
    rules = {"a0": "coale-demeny", "ax": "un", "family": "west"}
    mx = mp.death_rates(lx=by_age(given["age"], given["lx"], sex="male"), **rules)
    _, _, made = closed(mx, (20, 60), {"OAnew": "60"}, rules, 5)
    np.testing.assert_allclose(made["lx"][:-1], want["lx"][:-1], rtol=1e-9)
    np.testing.assert_allclose(made["ax"][:9], want["nAx"][:9], rtol=1e-9)
    assert want["ex"].iloc[-1] < 0.11
    assert 15 < float(made["ex"][-1]) < 40


@pytest.mark.filterwarnings(WARNING)
def test_single_years(folder):
    cases = pd.read_csv(folder / "single_cases.csv").query("func == 'lt_single_mx'")
    out = pd.read_csv(folder / "single_out.csv").set_index("case")
    given = pd.read_csv(folder / "single_in.csv")
    for case in cases.itertuples():
        args, want = arguments(case.args), out.loc[case.case]
        mx = by_age(given["age"], given["nMx"], args.get("OAG") != "FALSE")
        rules = {"a0": RULES[args.get("a0rule", "ak")], "family": FAMILIES[args.get("region", "w")]}
        sex = args["Sex"]
        if sex == "b":
            rules["sex_ratio_at_birth"] = 1.05
        else:
            mx = mx.assign_coords(sex=SEXES[sex])
        fit = (60, 80 if "extrapFit" in args else 101 if args.get("OAG") == "FALSE" else 100)
        args.setdefault("extrapFrom", "100")
        _, _, made = closed(mx, fit, {"OAnew": "100", **args}, rules, 1)
        start = int(args.get("extrapFrom", 100))
        check(made, want, min(start, int(args.get("OAnew", 100))))
        limit = LOOSE.get(args.get("extrapLaw"), 7e-4)
        np.testing.assert_allclose(made["ex"][-1], want["ex"].iloc[-1], rtol=limit)


@pytest.mark.filterwarnings(WARNING)
def test_single_years_from_probabilities(folder):
    cases = pd.read_csv(folder / "single_cases.csv").query("func == 'lt_single_qx'")
    out = pd.read_csv(folder / "single_out.csv").set_index("case")
    given = pd.read_csv(folder / "single_in.csv").iloc[:-1]
    for case in cases.itertuples():
        args, want = arguments(case.args), out.loc[case.case]
        qx = by_age(given["age"], given["nqx"], open_ended=False, sex=SEXES[args["Sex"]])
        rules = {"a0": "andreev-kingkade", "family": "west"}
        mx = mp.death_rates(qx=qx, **rules)
        args = {"OAnew": "99", "extrapFrom": "99", **args}  # 99 is fitted, and replaced
        _, _, made = closed(mx, (60, 100), args, rules, 1)
        np.testing.assert_allclose(made["qx"][:99], given["nqx"][:99], rtol=1e-12)
        check(made, want, 99, {k: COLUMNS[k] for k in ("nMx", "nAx", "nqx")}, skip=[0])
        assert 1e-6 < abs(want["nqx"].iloc[0] / given["nqx"].iloc[0] - 1) < 1e-5
        np.testing.assert_allclose(made["ex"][-1], want["ex"].iloc[-1], rtol=7e-4)


@pytest.mark.filterwarnings(WARNING)
def test_abridged_of_single_years(folder):
    given = pd.read_csv(folder / "single_in.csv")
    rules = {"a0": "andreev-kingkade", "family": "west"}
    mx = by_age(given["age"], given["nMx"], sex="male")
    _, _, single = closed(mx, (60, 100), {}, rules, 1)
    made = mp.abridge_life_table(single)
    out = pd.read_csv(folder / "ambiguous_out.csv").set_index("case")
    for case in ("single2abridged_of_default_m", "ambiguous_single_m_to_abridged"):
        check(made, out.loc[case], 100)


@pytest.mark.filterwarnings(WARNING)
def test_single_years_of_the_abridged_table(folder):
    """Theirs (a penalised composite link model) rounds counts; ours is told by where it comes from.

    Of the smooth single years they give, abridged, ours finds the rates again.
    """
    given = pd.read_csv(folder / "single_in.csv")
    mx = by_age(given["age"], given["nMx"], sex="male")
    table = mp.abridge_life_table(mp.life_table(mx))
    apart = np.abs(np.log(mp.single_year_life_table(table)["mx"] / mx))
    assert apart.sel(age=slice(5, 19)).max() < 0.045
    assert apart.sel(age=slice(20, 99)).max() < 0.006


@pytest.mark.filterwarnings(WARNING)
@pytest.mark.parametrize("kind", ["m", "l"])
def test_ambiguous_abridged(folder, kind):
    want = pd.read_csv(folder / "ambiguous_out.csv").set_index("case")
    want = want.loc[f"ambiguous_abridged_{kind}"]
    rules = {"a0": "andreev-kingkade", "ax": "half", "family": "west"}
    if kind == "l":
        mx = mp.death_rates(lx=by_age(want["Age"], want["lx"], sex="male"), **rules)
    else:
        mx = by_age(want["Age"], want["nMx"], sex="male")
    _, _, made = closed(mx, (60, 100), {"OAnew": "100"}, rules, 5)
    # Of the l at 95 their own rate implies q > 1.
    check(made, want, 95, skip=[0, 1] if kind == "l" else [])
