"""The report of how well ages were reported."""

from __future__ import annotations

from collections.abc import Callable

import xarray as xr

from migproj._checks import check_dims
from migproj.ageheaping import (
    coale_li_index,
    digit_index,
    digit_shares,
    spoorenberg_index,
    whipple_index,
)
from migproj.ageratios import (
    age_ratio_score,
    age_sex_accuracy,
    roughness,
    sawtooth_index,
    sex_ratio_score,
)
from migproj.ages import groups_of, regroup_ages
from migproj.errors import SchemaError

__all__ = ["age_quality"]

#: What the scores say, for the report.
_MEANINGS = {
    "whipple_index": "100 no heaping on 0 and 5; < 105 highly accurate, < 110 fairly accurate, "
    "< 125 approximate, < 175 rough, else very rough (UN)",
    "myers_index": "per cent who report another last digit than their own, at least; 0 to 90",
    "bachi_index": "as Myers, of ages 23 to 77",
    "coale_li_index": "1 no heaping on ages 60, 70, ... ; up to 5",
    "spoorenberg_index": "0 no digit is preferred or avoided; up to 16",
    "age_ratio_score": "0 groups fall evenly; mean per cent off their neighbours",
    "sex_ratio_score": "mean change of the sex ratio from group to group, per 100 women",
    "age_sex_accuracy": "< 20 accurate, < 40 inaccurate, else highly inaccurate (UN)",
    "sawtooth_index": "1 no preference for ages that start a decade, from 40 to 79",
    "roughness": "0 groups change evenly; > 0.2 may want smoothing, > 0.5 do (DemoTools)",
}


def age_quality(population: xr.DataArray) -> xr.Dataset:
    """Report how well the ages of a census were reported: all scores that its ages allow.

    Parameters
    ----------
    population : DataArray (..., [sex,] age)
        Population (persons) by single years of age or in five-year groups.

    Returns
    -------
    Dataset
        (..., [sex]) Of single years ``whipple_index``, ``myers_index``, ``bachi_index``,
        ``coale_li_index``, ``spoorenberg_index`` and ``digit_shares`` (..., digit); of five-year
        groups (single years summed) ``age_ratio_score``, ``sawtooth_index``, ``roughness``, and
        with both sexes ``sex_ratio_score`` and ``age_sex_accuracy``. What a score says is its
        attribute ``meaning``. Scores that need other ages than there are, are left out.

    Raises
    ------
    SchemaError
        If the ages are neither single years nor five-year groups.

    Notes
    -----
    Real history moves scores too: a small country, war losses, migrants of one sex and age. Look
    at the ratios themselves before smoothing.

    References
    ----------
    Shryock & Siegel (1976), *The Methods and Materials of Demography*, ch. 8.

    Examples
    --------
    >>> import migproj as mp, numpy as np, xarray as xr
    >>> people = xr.DataArray(np.arange(101.0, 0, -1), dims="age",
    ...                       coords=mp.age_coords(range(101)))
    >>> report = mp.age_quality(people + 40 * (people["age"] % 10 == 0))
    >>> float(report["whipple_index"].round(1))
    125.6
    >>> report["whipple_index"].attrs["meaning"][:28]
    '100 no heaping on 0 and 5; <'
    """
    check_dims("population", population, "age")
    groups = groups_of(population, "population")
    closed = len(groups) - groups.is_open
    first, top = groups.lower[0], int(groups.upper[closed - 1])
    found = {}
    grouped = population
    if groups.step == 1:
        digits: dict[str, tuple[int, int, Callable[[], xr.DataArray]]] = {
            "whipple_index": (23, 62, lambda: whipple_index(population)),
            "myers_index": (10, 89, lambda: digit_index(population)),
            "bachi_index": (23, 77, lambda: digit_index(population, method="bachi")),
            "coale_li_index": (56, 94, lambda: coale_li_index(population)),
            "spoorenberg_index": (18, 66, lambda: spoorenberg_index(population)),
            "digit_shares": (10, 89, lambda: digit_shares(population)),
        }
        found = {
            name: make()
            for name, (youngest, oldest, make) in digits.items()
            if first <= youngest and oldest < top
        }
        last = top // 5 * 5
        if not groups.is_open and last < top:
            raise SchemaError(
                f"population: dim 'age': expected single years up to whole fives or an open-ended "
                f"group, got {groups.labels[-1]} as the last; select up to {last - 1}"
            )
        # Five-year groups begin at whole fives, whatever the first single year is.
        lacking = -first % 5
        first, top = first + lacking, last
        if first < top:
            bounds = list(range(first, last + groups.is_open, 5))
            grouped = regroup_ages(population.isel(age=slice(lacking, None)), bounds)
    elif groups.step != 5:
        raise SchemaError(
            f"population: dim 'age': expected single years or five-year groups, got "
            f"{groups.labels[:6]}; mp.regroup_ages sums narrower ones"
        )
    by_group: dict[str, Callable[[xr.DataArray], xr.DataArray]] = {}
    if min(top, 75) - first >= 15:
        by_group["age_ratio_score"] = age_ratio_score
    decades = [x for x in range(40, 80, 10) if first <= x - 5 and x + 10 <= top]
    if decades and first % 5 == 0:
        by_group["sawtooth_index"] = sawtooth_index
    if top - max(20, first) >= 35:
        by_group["roughness"] = roughness
    if "sex" in population.dims and population.sizes["sex"] == 2 and "age_ratio_score" in by_group:
        by_group |= {"sex_ratio_score": sex_ratio_score, "age_sex_accuracy": age_sex_accuracy}
    found |= {name: make(grouped) for name, make in by_group.items()}
    if not found:
        raise SchemaError(
            f"population: dim 'age': expected ages that a score reads, three five-year groups "
            f"under 75 or more, got {groups.labels[0]} to {groups.labels[-1]}"
        )
    for name, array in found.items():
        array.attrs["meaning"] = _MEANINGS.get(name, array.attrs["long_name"])
    return xr.Dataset(found)
