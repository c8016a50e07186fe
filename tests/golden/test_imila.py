"""Every derived figure printed in the IMILA tables, recomputed from the counts beside it.

A print error is named where it stands, and fails its test if it starts to agree.
"""

import itertools

import numpy as np
import pytest
import xarray as xr

import migproj as mp
from migproj import datasets
from migproj.indicators import growth_rate, sex_ratio, share

LATIN_AMERICA = "Latin America and the Caribbean"


def load(number):
    return datasets.load(f"imila_table_{number}")


def disagreements(recomputed, printed, decimals):
    """Labels (a tuple for several dims) where a recomputed figure is not the printed one.

    Cells without a printed figure are skipped; there must be nothing to compute them from.
    """
    recomputed, printed = xr.align(recomputed, printed, join="exact")
    recomputed = recomputed.transpose(*printed.dims)
    assert (recomputed.isnull() == printed.isnull()).all()
    # Half a unit of the last printed place, and what binary fractions add to it.
    differs = np.abs(recomputed - printed) > 0.5 * 10.0**-decimals + 1e-9
    if not differs.ndim:
        return [()] if differs else []
    series = differs.to_series()
    return list(series[series].index)


def over_periods(stock):
    """Growth rates (% a year) between the consecutive times of a stock."""
    times = stock["time"].values
    rates = [
        growth_rate(stock.sel(time=start), stock.sel(time=end))
        for start, end in itertools.pairwise(times)
    ]
    return 100 * xr.concat(rates, dim="period")


def test_every_figure_is_checked():
    """The tests below cover these variables; another one would need another test."""
    derived = {number: set(load(number).data_vars) - {"stock"} for number in (1, 2, 4, 5)}
    sexes = {"stock_both_sexes", "sex_ratio"}
    totals = {"stock_total", *(f"{name}_total" for name in sexes)}
    assert derived == {
        1: {"stock_total", "percentage", "percentage_total", "growth_rate", "growth_rate_total"},
        2: sexes | totals,
        4: {"stock_europe", "stock_total"},
        5: sexes | totals | {"stock_subregion", *(f"{name}_subregion" for name in sexes)},
    }


# Table 1: immigrants by origin -----


def test_table_1_totals():
    table = load(1)
    assert disagreements(table["stock"].sum("birthplace"), table["stock_total"], 0) == []
    assert table["stock"].sel(birthplace="Rest of world", time=1970).item() == 3_873_420


def test_table_1_percentages():
    table = load(1)
    assert disagreements(100 * share(table["stock"], "birthplace"), table["percentage"], 1) == []
    assert (table["percentage_total"] == 100).all()
    assert disagreements(table["percentage"].sum("birthplace"), table["percentage_total"], 1) == []


def test_table_1_growth_rates():
    table = load(1)
    rates = over_periods(table["stock"])
    wrong = disagreements(rates, table["growth_rate"], 1)
    # Printed 4.8; the stocks give 4.93.
    assert wrong == [(LATIN_AMERICA, 1970.0)]
    assert table["growth_rate"].sel(birthplace=LATIN_AMERICA, period=1970).item() == 4.8
    assert rates.sel(birthplace=LATIN_AMERICA, period=1970).item() == pytest.approx(4.927, abs=5e-4)


def test_table_1_growth_rates_of_the_total():
    table = load(1)
    rates = over_periods(table["stock_total"])
    assert disagreements(rates, table["growth_rate_total"], 1) == []


# Table 2: born abroad by country of residence and sex -----


def test_table_2_men_and_women():
    table = load(2)
    both = table["stock"].sum("sex")
    # Panama's total is printed 969 short.
    assert disagreements(both, table["stock_both_sexes"], 0) == [("Panama", "abroad")]
    missing = both - table["stock_both_sexes"]
    assert missing.sel(country="Panama", birthplace="abroad").item() == 969


def test_table_2_sex_ratios():
    table = load(2)
    assert disagreements(sex_ratio(table["stock"]), table["sex_ratio"], 1) == []
    assert disagreements(sex_ratio(table["stock_total"]), table["sex_ratio_total"], 1) == []


def test_table_2_bottom_line():
    table = load(2)
    bottom = table["stock_total"]
    assert disagreements(table["stock"].sum("country"), bottom, 0) == []
    both = table["stock_both_sexes_total"]
    assert disagreements(table["stock_both_sexes"].sum("country"), both, 0) == []
    # The total of men and women lacks Panama's 969.
    assert disagreements(bottom.sum("sex"), both, 0) == ["abroad"]
    assert (bottom.sum("sex") - both).sel(birthplace="abroad").item() == 969


def test_tables_1_and_2_agree():
    """Table 2 is the 2000 round of table 1."""
    first = load(1).sel(time=2000)
    second = load(2)["stock_both_sexes_total"]
    assert second.sel(birthplace="abroad").item() == first["stock_total"].item()
    regional = first["stock"].sel(birthplace=LATIN_AMERICA)
    assert second.sel(birthplace=LATIN_AMERICA).item() == regional.item()


# Table 4: abroad by country of residence -----


def test_table_4_totals():
    table = load(4)
    elsewhere = ["Australia", "Canada", "Israel", "Japan"]
    europe = table["stock"].drop_sel(country=elsewhere)
    # The United Kingdom stands below the total of Europe and is in it.
    assert "United Kingdom" in europe["country"]
    assert disagreements(europe.sum(), table["stock_europe"], 0) == []
    everywhere = table["stock_europe"] + table["stock"].sel(country=elsewhere).sum()
    assert disagreements(everywhere, table["stock_total"], 0) == []


def test_tables_4_and_5_agree():
    spain = load(5)["stock_both_sexes_total"].sel(time=2001)
    assert load(4)["stock"].sel(country="Spain").item() == spain.item() == 840_104


# Table 5: Spain by country of birth and sex -----


@pytest.mark.parametrize("row", ["", "_subregion", "_total"])
def test_table_5_men_and_women(row):
    table = load(5)
    both = table[f"stock{row}"].sum("sex", skipna=False)
    assert disagreements(both, table[f"stock_both_sexes{row}"], 0) == []


def test_table_5_sex_ratios():
    table = load(5)
    ratios = sex_ratio(table["stock"])
    # Reads 0.0; men and women give 49.1.
    assert disagreements(ratios, table["sex_ratio"], 1) == [("Dominican Republic", 1991.0)]
    here = {"birthplace": "Dominican Republic", "time": 1991}
    assert table["sex_ratio"].sel(here).item() == 0.0
    assert round(ratios.sel(here).item(), 1) == 49.1


@pytest.mark.parametrize("row", ["_subregion", "_total"])
def test_table_5_sex_ratios_of_the_sums(row):
    table = load(5)
    assert disagreements(sex_ratio(table[f"stock{row}"]), table[f"sex_ratio{row}"], 1) == []


def test_table_5_countries_of_a_subregion():
    table = load(5)
    sums = table["stock"].groupby("birthplace_subregion").sum()
    sums = sums.rename(birthplace_subregion="subregion")
    wrong = disagreements(sums, table["stock_subregion"], 0)
    # The countries of 1991 hold the Dominican Republic once more than their sum.
    caribbean = "Mesoamerica and the Caribbean"
    assert wrong == [(caribbean, 1991.0, "female"), (caribbean, 1991.0, "male")]
    excess = (sums - table["stock_subregion"]).sel(subregion=caribbean, time=1991)
    dominican = table["stock"].sel(birthplace="Dominican Republic", time=1991)
    np.testing.assert_array_equal(excess, dominican)
    assert dominican.sum().item() == 7_080


def test_table_5_bottom_line():
    table = load(5)
    for name in ("stock", "stock_both_sexes"):
        sums = table[f"{name}_subregion"].sum("subregion")
        assert disagreements(sums, table[f"{name}_total"], 0) == []


def test_table_5_what_is_not_printed_is_missing():
    stock = load(5)["stock"]
    lacking = stock.isnull().any("sex")
    assert not lacking.sel(time=2001).any()
    names = stock["birthplace"][lacking.sel(time=1991)].values.tolist()
    assert names == [
        "El Salvador",
        "Honduras",
        "Bolivia",
        "Colombia",
        "Chile",
        "Ecuador",
        "Paraguay",
        "Peru",
        "Uruguay",
    ]


@pytest.mark.parametrize(
    ("number", "words"),
    [(1, ["4.8", "4.93"]), (2, ["Panama", "969"]), (5, ["Dominican", "49.1", "7,080"])],
)
def test_print_errors_are_recorded(number, words):
    recorded = load(number).attrs["print_errors"]
    assert all(word in recorded for word in words)


def test_a_wrong_figure_would_be_found():
    """The comparison itself can fail: one digit of a ratio, one person of a total."""
    table = load(2)
    spoilt = table["sex_ratio"].copy()
    spoilt.loc[{"country": "Chile", "birthplace": "abroad"}] += 0.1
    assert disagreements(sex_ratio(table["stock"]), spoilt, 1) == [("Chile", "abroad")]
    assert disagreements(load(4)["stock_total"] + 1, load(4)["stock_total"], 0) == [()]
    with pytest.raises(xr.AlignmentError):
        disagreements(table["sex_ratio"].isel(country=slice(3)), table["sex_ratio"], 1)
    with pytest.raises(mp.SchemaError):
        sex_ratio(table["stock"].sel(sex="male"))
