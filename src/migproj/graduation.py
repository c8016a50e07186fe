"""Age groups split into single years of age."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import xarray as xr

from migproj._apply import Input, Output, apply, dated_as
from migproj._checks import as_number, check_counts, check_dims, where
from migproj._choices import check_choice
from migproj._diagnostics import finding, warn_findings
from migproj.ages import AgeGroups, AgesLike, by_age, groups_of, regroup_ages
from migproj.errors import SchemaError

__all__ = ["graduate_ages"]

_Weights: TypeAlias = npt.NDArray[np.float64]

Graduation: TypeAlias = Literal[
    "monotone",
    "pchip",
    "uniform",
    "sprague",
    "beers",
    "beers-modified",
    "grabill",
    "pclm",
]

#: Multipliers times 10,000 of five five-year groups for the five ages of the first, second and
#: middle group of them; the last two mirror the first two (Shryock & Siegel 1976, app. C).
_PANELS: Final[dict[str, tuple[tuple[tuple[int, ...], ...], ...]]] = {
    "sprague": (
        (
            (3616, -2768, 1488, -336, 0),
            (2640, -960, 400, -80, 0),
            (1840, 400, -320, 80, 0),
            (1200, 1360, -720, 160, 0),
            (704, 1968, -848, 176, 0),
        ),
        (
            (336, 2272, -752, 144, 0),
            (80, 2320, -480, 80, 0),
            (-80, 2160, -80, 0, 0),
            (-160, 1840, 400, -80, 0),
            (-176, 1408, 912, -144, 0),
        ),
        (
            (-128, 848, 1504, -240, 16),
            (-16, 144, 2224, -416, 64),
            (64, -336, 2544, -336, 64),
            (64, -416, 2224, 144, -16),
            (16, -240, 1504, 848, -128),
        ),
    ),
    "beers": (
        (
            (3333, -1636, -210, 796, -283),
            (2595, -780, 130, 100, -45),
            (1924, 64, 184, -256, 84),
            (1329, 844, 54, -356, 129),
            (819, 1508, -158, -284, 115),
        ),
        (
            (404, 2000, -344, -128, 68),
            (93, 2268, -402, 28, 13),
            (-108, 2272, -248, 112, -28),
            (-198, 1992, 172, 72, -38),
            (-191, 1468, 822, -84, -15),
        ),
        (
            (-117, 804, 1570, -284, 27),
            (-20, 160, 2200, -400, 60),
            (50, -280, 2460, -280, 50),
            (60, -400, 2200, 160, -20),
            (27, -284, 1570, 804, -117),
        ),
    ),
    "beers-modified": (
        (
            (3332, -1938, 702, -118, 22),
            (2569, -753, 205, -27, 6),
            (1903, 216, -146, 32, -5),
            (1334, 969, -351, 59, -11),
            (862, 1506, -410, 54, -12),
        ),
        (
            (486, 1831, -329, 21, -9),
            (203, 1955, -123, -31, -4),
            (8, 1893, 193, -97, 3),
            (-108, 1677, 577, -153, 7),
            (-159, 1354, 972, -170, 3),
        ),
        (
            (-160, 973, 1321, -121, -13),
            (-129, 590, 1564, 18, -43),
            (-85, 260, 1650, 260, -85),
            (-43, 18, 1564, 590, -129),
            (-13, -121, 1321, 973, -160),
        ),
    ),
    # Of the middle alone; its ends are blended with Sprague's.
    "grabill": (
        (
            (826, 256, -9, 0, 0),
            (903, 377, -2, 0, 0),
            (932, 519, 15, 0, 0),
            (903, 673, 49, 0, 0),
            (826, 816, 111, 0, 0),
        ),
        (
            (816, 826, 256, -9, 0),
            (673, 903, 377, -2, 0),
            (519, 932, 519, 15, 0),
            (377, 903, 673, 49, 0),
            (256, 826, 816, 111, 0),
        ),
        (
            (111, 816, 826, 256, -9),
            (49, 673, 903, 377, -2),
            (15, 519, 932, 519, 15),
            (-2, 377, 903, 673, 49),
            (-9, 256, 826, 816, 111),
        ),
    ),
}
_CURVES: Final = ("monotone", "pchip")
_METHODS: Final = (*_CURVES, "uniform", *_PANELS, "pclm")
#: Penalties tried, as common logarithms.
_TRIAL: Final = np.arange(-2.0, 8.5, 0.5)


def graduate_ages(
    population: xr.DataArray,
    *,
    method: Graduation = "monotone",
    ages: AgesLike | None = None,
    penalty: float | xr.DataArray | Literal["aic", "bic"] = "bic",
) -> xr.DataArray:
    r"""Split counts by age group into single years of age.

    Parameters
    ----------
    population : DataArray (..., age)
        Counts (persons, deaths, births). For "sprague", "beers", "beers-modified" and "grabill"
        five-year groups, five closed ones or more; for the others groups of any widths.
    method : str
        "monotone", "pchip": smooth curves through the cumulated counts that never fall;
        "uniform": every year of a group the same; "sprague", "beers": osculatory interpolation;
        "beers-modified", "grabill": the same, smoothing the groups as well; "pclm": the smoothest
        curve that could have given the counts.
    ages : array with an ``age`` coordinate, or sequence of int or str, optional
        Wider age groups to return, sums of single years. Default: single years.
    penalty : float, DataArray (...), "aic" or "bic"
        Of "pclm": the weight of roughness, or the criterion that it is the least of.

    Returns
    -------
    DataArray (..., age)
        Counts by single year, same units; the open-ended group as it was. "monotone", "pchip",
        "uniform", "sprague" and "beers" keep every group, "grabill" the total. With "pclm" the
        coordinate ``penalty`` (...).

    Raises
    ------
    SchemaError
        If groups are not as `method` needs them, or counts are below 0.

    Warns
    -----
    DataQualityWarning
        Once a call, naming the labels, if a single year is below 0 (it is kept), or no fit is
        found (it is missing).

    Notes
    -----
    "monotone" is the C2 cubic spline of people up to each age, its third derivative at the ends
    that of the cubic through four groups' bounds, with Hyman's filter. The osculatory methods
    are multipliers of five groups for each of five years; Sprague's first and last group follow
    other multipliers, and Grabill's first and last ten years are a mean of his and Sprague's
    with the weight exp(i - 10.1) for the i-th year from the end (what then lacks in the total is
    shared out in proportion to Grabill's part of the result).

    "pclm" has counts y = Cγ of groups C as Poisson, with γ = exp β and the penalty λ on the
    squares of second differences of β; AIC and BIC are the deviance plus 2 or ln(groups) times
    the effective dimension. Groups are kept the better the more people there are.

    References
    ----------
    Sprague (1881), *J. Institute of Actuaries* 22:270-285; Beers (1944, 1945), *Record of the
    American Institute of Actuaries* 33:245-260 and 34:14-20; Shryock & Siegel (1976), *The
    Methods and Materials of Demography*, app. C; Hyman (1983), *SIAM J. Sci. Stat. Comput.*
    4:645-654; Rizzi, Gampe & Eilers (2015), "Efficient estimation of smooth distributions from
    coarsely grouped data", *American J. of Epidemiology* 182:138-147.

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> people = xr.DataArray([100.0, 90, 70, 60, 40, 30], dims="age",
    ...                       coords=mp.age_coords(range(0, 30, 5)))
    >>> single = mp.graduate_ages(people, method="sprague")
    >>> single.sel(age=slice(0, 4)).values.round(3)
    array([19.648, 20.08 , 20.24 , 20.16 , 19.872])
    """
    check_choice("method", method, _METHODS)
    if method != "pclm" and not (isinstance(penalty, str) and penalty == "bic"):
        raise SchemaError(f"penalty: method {method!r} does not read it; leave it out")
    check_dims("population", population, "age")
    check_counts("population", population)
    groups = groups_of(population, "population")
    closed = len(groups) - groups.is_open
    if closed < 2:
        raise SchemaError(
            f"population: dim 'age': expected two closed groups or more, got {groups.labels}; give "
            "counts by narrower groups"
        )
    lower = range(groups.lower[0], int(groups.upper[closed - 1]))
    made = AgeGroups(tuple(lower), (1.0,) * len(lower))
    if groups.is_open:
        made = AgeGroups((*made.lower, groups.lower[-1]), (*made.width, np.inf))
    if method in _CURVES:
        single = _by_curve(population, groups, method)
    elif method in ("pclm", "grabill"):
        people = population.isel(age=slice(closed))
        if method == "pclm":
            single = _penalised(people, groups, penalty)
        else:
            single = _grabill(people, groups)
        if groups.is_open:
            oldest = population.isel(age=[-1]).drop_vars(["age", "age_width"], errors="ignore")
            single = by_age([single, oldest])
    else:
        single = _weighted(population, groups, method)
    single = single.transpose(*population.dims, ...).assign_coords(made.coords())
    single = dated_as(single, population)
    findings = []
    if method in _PANELS:
        findings.append(
            finding("single years below 0", single < 0, "method='monotone' or 'pclm' makes none")
        )
    if method == "pclm":
        findings.append(
            finding(
                "no fit",
                single.isnull().any("age") & population.notnull().all("age"),
                "give penalty= a number",
            )
        )
    warn_findings("graduate_ages", findings)
    single = single.rename(population.name).assign_attrs(population.attrs)
    return single if ages is None else regroup_ages(single, ages)


def _by_curve(population: xr.DataArray, groups: AgeGroups, method: str) -> xr.DataArray:
    """Slices of the closed groups against years of age, and the open-ended group as it is."""
    from migproj._kernels import survival as kernels

    closed = len(groups) - groups.is_open
    lower = np.array(groups.lower[:closed], dtype=np.int64) - groups.lower[0]
    years = int(groups.upper[closed - 1]) - groups.lower[0]
    ages = np.arange(years)
    plain = xr.Dataset({"lx": ("age", np.ones(years)), "Tx": ("age", years - 1.0 * ages)})
    (single,) = apply(
        kernels.slices,
        [
            Input("population", population, ("age",)),
            Input("lx", plain["lx"], ("age",)),
            Input("Tx", plain["Tx"], ("age",)),
        ],
        [Output("population", ("age",), (years + groups.is_open,))],
        *(lower, np.zeros(closed), np.ones(closed)),
        *(ages, np.zeros(years), np.ones(years)),
        {"monotone": kernels.CUBIC_ENDS, "pchip": kernels.PCHIP}[method],
    )
    return single


def _weighted(people: xr.DataArray, groups: AgeGroups, method: str) -> xr.DataArray:
    """Of the closed groups, and the open-ended one as it is, if `people` has it."""
    from migproj._kernels import graduation as kernels

    closed = len(groups) - groups.is_open
    first, weights = _multipliers(closed, groups, method)
    (single,) = apply(
        kernels.weighted,
        [Input("population", people, ("age",))],
        [Output("population", ("age",), (len(first) + people.sizes["age"] - closed,))],
        first,
        weights,
    )
    return single


def _multipliers(
    count: int, groups: AgeGroups, method: str
) -> tuple[npt.NDArray[np.int64], _Weights]:
    """Of each single year the first group that counts, and the weights of it and the next."""
    if method == "uniform":
        wide = np.array(groups.width[:count])
        group = np.repeat(np.arange(count), wide.astype(int))
        return group.astype(np.int64), (1.0 / wide[group])[:, None]
    if groups.step != 5 or count < 5:
        raise SchemaError(
            f"population: dim 'age': expected five closed five-year groups or more for method "
            f"{method!r}, got {groups.labels[:6]}; mp.regroup_ages sums narrower groups, and "
            "method='monotone' takes any"
        )
    start, second, middle = (np.array(panel) / 10_000 for panel in _PANELS[method])
    weights = np.concatenate(
        [start, second, *[middle] * (count - 4), second[::-1, ::-1], start[::-1, ::-1]]
    )
    of_group = np.clip(np.arange(count) - 2, 0, count - 5)
    return np.repeat(of_group, 5).astype(np.int64), weights


def _grabill(people: xr.DataArray, groups: AgeGroups) -> xr.DataArray:
    """Grabill's multipliers, blended into Sprague's at both ends."""
    own, sprague = (_weighted(people, groups, method) for method in ("grabill", "sprague"))
    share = np.ones(own.sizes["age"])
    share[:10] = np.exp(np.arange(1, 11) - 10.1)
    share[-10:] = np.minimum(share[-10:], share[:10][::-1])
    weight = xr.DataArray(share, dims="age")
    blended = weight * own + (1.0 - weight) * sprague
    lacking = sprague.sum("age", skipna=False) - blended.sum("age", skipna=False)
    part = blended * weight
    total = part.sum("age", skipna=False)
    share_of_lack = (part / total.where(total != 0)).where(total != 0, 0.0)
    result = blended + lacking * share_of_lack
    return result.transpose(*own.dims)


def _penalised(
    people: xr.DataArray,
    groups: AgeGroups,
    penalty: float | xr.DataArray | Literal["aic", "bic"],
) -> xr.DataArray:
    from migproj._kernels import graduation as kernels

    choice = {"aic": 1, "bic": 2}.get(penalty, 0) if isinstance(penalty, str) else 0
    if isinstance(penalty, str) and choice == 0:
        raise SchemaError(f"penalty: expected a number above 0, 'aic' or 'bic', got {penalty!r}")
    given = xr.DataArray(1.0) if isinstance(penalty, str) else as_number("penalty", penalty)
    if given.chunks is None and (odd := ~(given > 0).values).any():
        raise SchemaError(
            f"penalty: expected numbers above 0, got {float(given.values[odd][0]):g} "
            f"({'; '.join(where(given, odd))})"
        )
    count = people.sizes["age"]
    offsets = np.concatenate([[0], np.cumsum(groups.width[:count])]).astype(np.int64)
    single, chosen, _ = apply(
        kernels.penalised,
        [
            Input("population", people, ("age",)),
            Input("penalty", given.expand_dims("one"), ("one",)),
        ],
        [
            Output("population", ("age",), (int(offsets[-1]),)),
            Output("penalty"),
            Output("criterion"),
        ],
        offsets,
        choice,
        _TRIAL,
    )
    return single.assign_coords(penalty=chosen)
