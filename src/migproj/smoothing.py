"""Five-year age groups smoothed of errors in age."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import xarray as xr

from migproj._checks import check_counts, check_dims, check_one_chunk, shown
from migproj._choices import check_choice, plain_number
from migproj._diagnostics import finding, warn_findings
from migproj.ages import AgeGroups, groups_of
from migproj.errors import SchemaError

__all__ = ["smooth_ages"]

_People: TypeAlias = npt.NDArray[np.float64]
#: Values, and from which group to before which they are there.
_Smoothed: TypeAlias = tuple[_People, int, int]

Smoothing: TypeAlias = Literal[
    "carrier-farrag",
    "karup-king-newton",
    "arriaga",
    "un",
    "strong",
    "zigzag",
    "moving-average",
]
Tails: TypeAlias = Literal["original", "arriaga", "strong", "moving-average"]


def smooth_ages(
    population: xr.DataArray,
    *,
    method: Smoothing,
    tails: Tails = "original",
    window: int = 3,
    youngest: int = 40,
) -> xr.DataArray:
    r"""Smooth counts in five-year age groups.

    Parameters
    ----------
    population : DataArray (..., age)
        Counts (persons, deaths) in five-year groups from an age that ends in 0, with or without
        an open-ended group.
    method : str
        "carrier-farrag", "karup-king-newton", "arriaga" (light: ten-year groups keep their
        sums); "un" (light, group by group); "strong" (ten-year groups are smoothed first);
        "zigzag" (moves people from every second group to its neighbours); "moving-average".
    tails : {"original", "arriaga", "strong", "moving-average"}
        What the first and last ages are where `method` needs more neighbours than there are:
        as counted, or as that method has them; with "moving-average" means of as many groups as
        there are on both sides, the outer two with half the weight: (1, 2, 1)/4 next to the last.
    window : int
        Groups in a moving average; of an even number the two at the ends count half.
    youngest : int
        The age from which "zigzag" smooths: the first of the groups that receive.

    Returns
    -------
    DataArray (..., age)
        Smoothed counts, same units and ages. The open-ended group, and a last closed group that
        has no pair in its decade, are as they were. With the tails "original", "carrier-farrag",
        "karup-king-newton" and "arriaga" keep the sum of every decade, "strong" the total and
        "zigzag" too.

    Raises
    ------
    SchemaError
        If groups are not of five years, too few, or a keyword is none of the above.

    Warns
    -----
    DataQualityWarning
        Once a call, naming the labels, if a smoothed count is below 0 (it is kept), or there is
        none (it is missing): between two empty decades "carrier-farrag" has no ratio, and where
        a group that gives is empty, "zigzag" no shares.

    Notes
    -----
    With v the five-year groups and V the ten-year ones, the neighbours' place in brackets, the
    second half of a ten-year group is, or (Karup-King-Newton) the first:

    .. math::
       \text{Carrier-Farrag: } & V / \bigl(1 + (V_{[-1]}/V_{[+1]})^{1/4}\bigr) \\
       \text{Karup-King-Newton: } & V/2 + (V_{[-1]} - V_{[+1]})/16 \\
       \text{Arriaga: } & (-V_{[-1]} + 11 V + 2 V_{[+1]})/24, \quad
          \text{of the first } (8V + 5V_{[+1]} - V_{[+2]})/24 \\
       \text{UN: } & v' = (-v_{[-2]} + 4v_{[-1]} + 10v + 4v_{[+1]} - v_{[+2]})/16 \\
       \text{strong: } & V' = (V_{[-1]} + 2V + V_{[+1]})/4

    Arriaga's last ten-year group mirrors the first. The strong V' are scaled to the sum of the
    decades but the first and last, then split by Arriaga's formula. Zigzag takes a share p(i) of
    every second group and gives each neighbour half of it, with the p that minimise
    Σ (v' - mean of neighbours)²/v' over the groups changed.

    References
    ----------
    Carrier & Farrag (1959), "The reduction of errors in census populations for statistically
    underdeveloped countries", *Population Studies* 12:240-285; Arriaga (1994), *Population
    Analysis with Microcomputers*, vol. I, ch. II (all but zigzag); UN (1955), *Manual II*; Feeney
    (2013), *Removing "Zigzag" from Age Data*.

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> people = xr.DataArray([640.0, 510, 360, 280, 270, 280, 240, 200, 130], dims="age",
    ...                       coords=mp.age_coords(range(0, 45, 5)))
    >>> mp.smooth_ages(people, method="arriaga").round(1).values
    array([656.2, 493.8, 348.8, 291.2, 287.9, 262.1, 234.6, 205.4, 130. ])
    """
    check_choice("tails", tails, ("original", "arriaga", "strong", "moving-average"))
    groups = _five_year(population, method, tails, youngest)
    closed = len(groups) - groups.is_open
    given: Any = window
    if not isinstance(given, int | np.integer) or not 2 <= given <= closed:
        raise SchemaError(f"window: expected from 2 to {closed} groups, got {shown(window)}")
    methods: dict[str, Callable[[_People], _Smoothed]] = {
        "carrier-farrag": _carrier_farrag,
        "karup-king-newton": _karup_king_newton,
        "arriaga": _arriaga,
        "un": _united_nations,
        "strong": _strong,
        "zigzag": lambda v: _zigzag(v, (youngest - groups.lower[0]) // 5),
        "moving-average": lambda v: _moving_average(v, window),
    }
    ends: dict[str, Callable[[_People], _Smoothed]] = {
        "original": lambda v: (v, 0, closed),
        "arriaga": _arriaga,
        "strong": _strong,
        "moving-average": lambda v: (_shrinking(v, window), 0, closed),
    }

    def smoothed(counts: _People) -> _People:
        result = counts.astype(np.float64)
        people = result[..., :closed].copy()
        for make in (ends[tails], methods[method]):
            values, first, last = make(people)
            result[..., first:last] = values
        return result

    result: xr.DataArray = xr.apply_ufunc(
        smoothed,
        population.drop_vars(["age", "age_width"], errors="ignore"),
        input_core_dims=[["age"]],
        output_core_dims=[["age"]],
        dask="parallelized",
        output_dtypes=[np.float64],
    )
    result = result.transpose(*population.dims).assign_coords(groups.coords())
    lost = result.isnull().any("age") & population.notnull().all("age")
    below = (result < 0) & (population >= 0)
    warn_findings(
        "smooth_ages",
        [
            finding("smoothed counts below 0", below, "use another method there"),
            finding("no smoothed counts", lost, "use another method there"),
        ],
    )
    return result.rename(population.name).assign_attrs(population.attrs)


_FEWEST: Final = {
    "carrier-farrag": 6,
    "karup-king-newton": 6,
    "arriaga": 6,
    "un": 5,
    "strong": 6,
    "zigzag": 3,
    "moving-average": 2,
}


def _five_year(population: xr.DataArray, method: str, tails: str, youngest: int) -> AgeGroups:
    """The checked age groups."""
    check_dims("population", population, "age")
    check_one_chunk("population", population, "age")
    check_counts("population", population)
    check_choice("method", method, _FEWEST)
    groups = groups_of(population, "population")
    closed = len(groups) - groups.is_open
    if groups.step != 5 or groups.lower[0] % 10:
        raise SchemaError(
            f"population: dim 'age': expected five-year groups from an age that ends in 0, got "
            f"{groups.labels[:5]}; mp.regroup_ages(population, ...) sums narrower groups"
        )
    fewest = _FEWEST[method]
    if method == "zigzag":
        if plain_number("youngest", youngest, "an age") not in groups.lower:
            raise SchemaError(
                "youngest: expected the lower bound of a group of population, one of "
                f"{list(groups.lower)}, got {youngest!r}"
            )
        fewest += groups.lower.index(youngest)
    for keyword, name, least in (
        ("method", method, fewest),
        ("tails", tails, _FEWEST.get(tails, 1)),
    ):
        if closed < least:
            raise SchemaError(
                f"population: dim 'age': expected {least} closed groups or more for {keyword} "
                f"{name!r}, got {closed}: {groups.labels[0]} to {groups.labels[closed - 1]}"
            )
    return groups


def _decades(v: _People) -> _People:
    """Ten-year sums; a last group without a pair is in none."""
    n = v.shape[-1] // 2
    whole: _People = v[..., : 2 * n : 2] + v[..., 1 : 2 * n : 2]
    return whole


def _halves(whole: _People, second: _People) -> _People:
    """Five-year groups of ten-year sums and their second halves."""
    return np.stack([whole - second, second], axis=-1).reshape(*whole.shape[:-1], -1)


def _carrier_farrag(v: _People) -> _Smoothed:
    whole = _decades(v)
    inner = whole[..., 1:-1]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = (whole[..., :-2] / whole[..., 2:]) ** 0.25
    return _halves(inner, inner / (1.0 + ratio)), 2, 2 * whole.shape[-1] - 2


def _karup_king_newton(v: _People) -> _Smoothed:
    whole = _decades(v)
    inner = whole[..., 1:-1]
    second = inner / 2 - (whole[..., :-2] - whole[..., 2:]) / 16
    return _halves(inner, second), 2, 2 * whole.shape[-1] - 2


def _arriaga(v: _People) -> _Smoothed:
    return _arriaga_of(_decades(v)), 0, v.shape[-1] // 2 * 2


def _arriaga_of(whole: _People) -> _People:
    second = np.empty_like(whole)
    second[..., 1:-1] = (-whole[..., :-2] + 11 * whole[..., 1:-1] + 2 * whole[..., 2:]) / 24
    second[..., 0] = (8 * whole[..., 0] + 5 * whole[..., 1] - whole[..., 2]) / 24
    first_of_last = (8 * whole[..., -1] + 5 * whole[..., -2] - whole[..., -3]) / 24
    second[..., -1] = whole[..., -1] - first_of_last
    return _halves(whole, second)


def _united_nations(v: _People) -> _Smoothed:
    middle = (
        -v[..., :-4] + 4 * v[..., 1:-3] + 10 * v[..., 2:-2] + 4 * v[..., 3:-1] - v[..., 4:]
    ) / 16
    return middle, 2, v.shape[-1] - 2


def _strong(v: _People) -> _Smoothed:
    whole = _decades(v)
    inner = whole[..., 1:-1]
    smooth = (whole[..., :-2] + 2 * inner + whole[..., 2:]) / 4
    total, made = inner.sum(-1, keepdims=True), smooth.sum(-1, keepdims=True)
    scaled = smooth * np.divide(total, made, out=np.zeros_like(made), where=made != 0)
    decades = np.concatenate([whole[..., :1], scaled, whole[..., -1:]], axis=-1)
    return _arriaga_of(decades), 0, v.shape[-1] // 2 * 2


def _moving_average(v: _People, window: int) -> _Smoothed:
    """Means of so many groups; of an even number the two at the ends count half."""
    reach = window // 2
    weights = np.ones(2 * reach + 1)
    if window % 2 == 0:
        weights[[0, -1]] = 0.5
    n = v.shape[-1]
    total = sum(w * v[..., k : n - 2 * reach + k] for k, w in enumerate(weights))
    return np.asarray(total / window), reach, n - reach


def _shrinking(v: _People, window: int) -> _People:
    """At the ends means of as many groups as there are on both sides, the outer two half."""
    result = v.copy()
    for narrower in range(2, window + window % 2, 2):
        values, first, last = _moving_average(v, narrower)
        result[..., first], result[..., last - 1] = values[..., 0], values[..., -1]
    return result


def _zigzag(v: _People, at: int) -> _Smoothed:
    from scipy import optimize

    # Groups at, at + 2, ... receive from those between them.
    givers = np.arange(at + 1, v.shape[-1] - 1, 2)
    inside = slice(at, int(givers[-1]) + 2)
    changed = np.arange(at, givers[-1] + 2)
    # Beyond the last group of all there is no neighbour to compare with.
    changed = changed[(changed > 0) & (changed < v.shape[-1] - 1)]

    def moved(people: _People, shares: _People) -> _People:
        given = people[givers] * shares
        result = people.copy()
        result[givers] -= given
        result[givers - 1] += given / 2
        result[givers + 1] += given / 2
        return result

    def rough(shares: _People, people: _People) -> _People:
        made = moved(people, shares)
        off = made[changed] - (made[changed - 1] + made[changed + 1]) / 2
        return np.asarray(off / np.sqrt(np.maximum(made[changed], 1e-12 * people.max())))

    def smoothed(people: _People) -> _People:
        # What an empty group gives is 0 at any share, and its roughness infinite.
        if not np.isfinite(people).all() or not (people[givers] > 0).all():
            return np.full_like(people, np.nan)
        start = np.full(len(givers), 0.05)
        found = optimize.least_squares(rough, start, args=(people,), xtol=1e-12, ftol=1e-14)
        return moved(people, found.x) if found.success else np.full_like(people, np.nan)

    result = np.apply_along_axis(smoothed, -1, v)
    return result[..., inside], inside.start, inside.stop
