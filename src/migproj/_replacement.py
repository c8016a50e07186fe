"""Fertility at replacement."""

from __future__ import annotations

import numpy as np
import xarray as xr

from migproj._beside import as_array, bare, check_agree
from migproj._checks import (
    as_number,
    check_counts,
    check_dims,
    check_lacks,
    check_rates,
    check_ratio_at_birth,
    check_sexes,
    check_table,
)
from migproj._diagnostics import finding, warn_findings
from migproj.ages import groups_of
from migproj.conventions import FEMALE, VARIABLES
from migproj.errors import AlignmentError, SchemaError

__all__ = ["instant_replacement"]


def instant_replacement(
    fertility: xr.DataArray, life_table: xr.Dataset, sex_ratio_at_birth: float | xr.DataArray
) -> xr.DataArray:
    r"""Scale fertility so that the net reproduction rate is 1, in every period.

    Parameters
    ----------
    fertility : DataArray (..., [period,] age)
        Births per woman-year; its ages are among the closed groups of `life_table`, with the
        same widths.
    life_table : Dataset with ``lx`` and ``Lx`` (..., [period,] age)
        As made by :func:`~migproj.life_table`, from age 0. Of a table with the dim ``sex`` the
        women are taken.
    sex_ratio_at_birth : float or DataArray (..., [period])
        Males per female.

    Returns
    -------
    DataArray "fertility" (..., [period,] age)
        Births per woman-year (1/year), the ages of mothers distributed as they were; dims in
        their order (those that `fertility` lacks come first) and its coordinates. Missing
        where a rate of the row, or what it is scaled by, is missing or there are no births.

    Raises
    ------
    SchemaError
        If dims, labels or values are not what is described here.
    AlignmentError
        If the inputs' labels differ, or the life table lacks age 0 or the ages of `fertility`.

    Warns
    -----
    DataQualityWarning
        Once a call, naming the labels, if a net reproduction rate is 0: no factor makes it 1.

    Notes
    -----
    With f births per woman-year, r males per female at birth, and L and l of women:

    .. math:: NRR = \sum_x f_x \, \frac{1}{1 + r} \, \frac{L_x}{l_0}, \quad
              f_x^* = f_x / NRR

    The same rate as that of :func:`~migproj.stable_population` with survival ratios of this life
    table. Populations at replacement still grow, or shrink, for decades: by the momentum of their
    ages.

    References
    ----------
    UN (2019), *World Population Prospects 2019: Methodology* (instant-replacement variant);
    Preston, Heuveline & Guillot (2001), *Demography*, ch. 5.

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> mx = xr.DataArray([0.02, 0.01, 0.01, 0.05], dims="age",
    ...                   coords=mp.age_coords([0, 20, 25, 30]))
    >>> table = mp.life_table(mx, ax=xr.full_like(mx, 2.5))
    >>> fertility = xr.DataArray([0.08, 0.12], dims="age", coords={"age": [20, 25]})
    >>> replacing = mp.scenarios.instant_replacement(fertility, table, 1.05)
    >>> replacing.round(4).values
    array([0.2461, 0.3691])
    >>> lived = table["Lx"] / table["lx"].sel(age=0)
    >>> daughters = (replacing * lived.sel(age=[20, 25])).sum() / (1 + 1.05)
    >>> float(daughters.round(12))
    1.0
    """
    ratio = as_number("sex_ratio_at_birth", sex_ratio_at_birth)
    lx, Lx = _of_women(life_table)
    check_dims("fertility", fertility, "age")
    check_dims("sex_ratio_at_birth", ratio)
    for name, array in (("fertility", fertility), ("sex_ratio_at_birth", ratio)):
        mend = f"label its periods by their start: {name}.rename(time='period')"
        check_lacks(name, array, "time", mend)
        mend = f"it is one for both sexes: {name}.sel(sex='female', drop=True)"
        check_lacks(name, array, "sex", mend)
    check_lacks("sex_ratio_at_birth", ratio, "age", "it is one for mothers of all ages")
    check_rates("fertility", fertility)
    check_ratio_at_birth("sex_ratio_at_birth", ratio)
    _check_fertile(fertility, Lx)
    survivors, lived = lx.sel(age=0, drop=True), Lx.sel(age=fertility["age"].values)
    for name, array in (("lx", survivors), ("Lx", lived)):
        check_counts(f"life_table[{name!r}]", array, people=False)
    named = {"fertility": fertility, "life_table": lived, "sex_ratio_at_birth": ratio}
    check_agree(named, ignore={"age_width"})
    rates, lived, survivors, males = (
        bare(array).astype(np.float64) for array in (fertility, lived, survivors, ratio)
    )
    daughters = (rates * lived).sum("age", skipna=False) / (1 + males)
    reproduction = daughters / survivors.where(survivors > 0)
    scaled = as_array(rates / reproduction.where(reproduction > 0), *named.values())
    nobody = finding("net reproduction rate of 0, which no factor makes 1", reproduction == 0)
    warn_findings("instant_replacement", [nobody])
    scaled = scaled.rename("fertility")
    scaled.attrs = {
        "units": VARIABLES["fertility"].units,
        "long_name": "fertility at a net reproduction rate of 1",
    }
    return scaled


def _of_women(life_table: xr.Dataset) -> tuple[xr.DataArray, xr.DataArray]:
    """The lx and Lx of women, found by label; without a sex they are theirs."""
    check_table("life_table", life_table, "lx", "Lx")
    lx, Lx = life_table["lx"], life_table["Lx"]
    for name, array in (("lx", lx), ("Lx", Lx)):
        mend = "label its periods by their start: life_table.rename(time='period')"
        check_lacks(f"life_table[{name!r}]", array, "time", mend)
    check_sexes("life_table", Lx, both=False)
    if "sex" not in Lx.coords:
        return lx, Lx
    labels = np.atleast_1d(Lx["sex"].values).tolist()
    if FEMALE not in labels:
        raise SchemaError(
            f"life_table: 'sex': expected {FEMALE!r}, got {labels}; a net reproduction rate is "
            "of women and their daughters: give the life table of women"
        )
    of_women = [a.sel(sex=FEMALE) if "sex" in a.dims else a for a in (lx, Lx)]
    return of_women[0], of_women[1]


def _check_fertile(fertility: xr.DataArray, Lx: xr.DataArray) -> None:
    """The life table begins at 0 and has the groups of fertility, as wide as they are."""
    given, table = groups_of(fertility, "fertility"), groups_of(Lx, "life_table")
    if table.lower[0] != 0:
        raise AlignmentError(
            f"life_table: dim 'age': expected to begin at 0, got {table.lower[0]}: the net "
            "reproduction rate follows girls from birth; give the whole life table"
        )
    closed = len(table) - table.is_open
    widths = dict(zip(table.lower[:closed], table.width[:closed], strict=True))
    # A last group without a stated width is inf: it is as wide as the life table says.
    odd = [
        label
        for low, width, label in zip(given.lower, given.width, given.labels, strict=True)
        if low not in widths or width not in (widths[low], float("inf"))
    ]
    if odd:
        raise AlignmentError(
            f"life_table: dim 'age': expected the groups of fertility among its closed ones, got "
            f"none that is {odd[:5]} ({', '.join(table.labels[:8])}, ...); make the life table "
            "by the age groups of fertility, from rates in them"
        )
