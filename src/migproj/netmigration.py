"""Intercensal net migration by survival ratios."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import xarray as xr

from migproj._apply import Input, Output, apply, apply_together
from migproj._births_in import Children, births_by_group, births_by_slice
from migproj._checks import check_dims, check_lacks, check_made_for, check_sexes, check_survival
from migproj._choices import check_choice, choice_codes
from migproj._cohorts import Cohorts, cohorts
from migproj._diagnostics import counted, finding, warn_findings
from migproj._exact import parts_of, slices_between
from migproj.ages import AgeGroups, AgesLike, groups_of, regroup_ages, summed
from migproj.conventions import FEMALE
from migproj.corrections import CORRECTED
from migproj.dates import instant_of
from migproj.errors import AlignmentError, IntervalError, SchemaError
from migproj.survival import (
    CENSUSES,
    arrival_coords,
    check_rounds,
    cohorts_between,
    interval_between,
    survival_on,
)

__all__ = ["Interpolation", "net_migration"]

Interpolation: TypeAlias = Literal["spline", "pchip"]

_INTERPOLATIONS: Final = ("spline", "pchip")
_METHODS: Final = {
    "forward": 0,
    "reverse": 1,
    "average": 2,
    "midpoint": 3,
    "end": 4,
    "even": 5,
}
_CHILDREN: Final = {"births": 0, "child-woman": 2, "arrivals": 1, "none": 2}
_COUNTS: Final = ("n_survival_above_one", "n_survival_low", "n_negative", "n_births_missing")
#: Years over which survivors stop telling when people moved (Manual VI).
_LONG_SPAN: Final = 15.0
_LOW_SURVIVAL: Final = 0.3


def net_migration(
    start: xr.DataArray,
    end: xr.DataArray,
    survival_or_life_table: xr.DataArray | xr.Dataset,
    *,
    method: str | xr.DataArray = "average",
    births: xr.DataArray | None = None,
    children: Children = "births",
    interval: float | None = None,
    ages: AgesLike | None = None,
    interpolation: Interpolation = "spline",
) -> xr.Dataset:
    r"""Net migration between two census rounds by survival ratios.

    Parameters
    ----------
    start, end : DataArray (..., age)
        Population or stock (persons) at the two rounds. Any other dims (sex, country,
        birthplace, draw, ...) broadcast and keep their labels; the age grids may differ.
    survival_or_life_table : DataArray or Dataset (..., [period,] age)
        Survival ratios by the group arrived in (:func:`survival_ratios`,
        :func:`census_survival_ratios`), on the groups of the result; or a life table, from
        which they are taken. A life table serves any interval and any two age grids from 0 to
        an open-ended group; with the dim ``period`` there are several, each for its part of
        the interval.
    method : str or DataArray of str (...), default "average"
        With P0, P1 the rounds, S the ratio and D = P1 - S P0:
        "forward" D, migrants at the end of the interval; "reverse" P1/S - P0, at its start;
        "average" their mean; "midpoint" D/√S; "end" and "even" the exact inverses of
        :func:`project_population` with that `timing` ("even" needs equal steps from age 0).
    births : DataArray (..., sex) or (..., sex, age), optional
        Births of the whole interval, spread evenly over it, or by the age group in which the
        children arrive.
    children : {"births", "child-woman", "arrivals", "none"}
        Those born in the interval: survivors of `births`; a share (g + w/2)/t of the
        child-woman ratio times the net migration of women 15 + g to 44 + g at the end;
        all of them arrived (a foreign-born stock has no births); or left missing.
    interval : float, optional
        Years between the rounds. Default: from the scalar coordinate ``date`` or ``time`` of
        both.
    ages : array with an ``age`` coordinate, or sequence of int or str, optional
        Wider age groups in which to return the result, sums of its own.
    interpolation : {"spline", "pchip"}
        Of the population between ages, where the interval does not carry groups onto groups:
        the C2 cubic spline with Hyman's filter, or the monotone piecewise cubic.

    Returns
    -------
    Dataset
        ``net_migration`` (persons per period) and ``expected`` = S P0 (persons), both
        (..., sex, age) by age at the end of the interval (with "even", net migration is by
        the completed age group, as the projection takes it), with the coordinates
        ``age_start``, ``period`` and ``period_width``; and counts (...) of suspicious groups:
        ``n_survival_above_one``, ``n_survival_low`` (divided by less than 0.3), ``n_negative``
        (expected below 0), ``n_births_missing``.

    Raises
    ------
    SchemaError
        If dims, labels or values of one input are not what is described here.
    AlignmentError
        If labels differ between inputs, or a round holds ages the other cannot account for.
    IntervalError
        If the interval is unknown, not positive, or (with survival ratios) does not carry
        groups onto groups; or if the periods of life tables do not cover it.

    Warns
    -----
    DataQualityWarning
        Once a call, naming the labels, if a count is not 0, the interval exceeds 15 years, or
        the survival of those born in the interval is needed and unknown. Nothing is replaced;
        a missing value makes missing what is computed from it: its own cell, the older cells
        of its row with "even", the children of missing women with "child-woman".

    Notes
    -----
    The groups of the result are bounds(end) ∩ (bounds(start) + t), and the bounds up to t for
    those born in the interval; its open-ended group starts at the largest such bound A with
    A ≤ the end's open age and A - t ≤ the start's (60+ is 70+ ten years later).

    Where no bounds match (10.56 years on five-year groups, or 5-9, 10-19 seven years later) the
    groups are the end's, and who arrives in [x, x + w) is the slice [x - t, x + w - t) of the
    start. People of an age and over are interpolated against the life table's T(x), person-years
    beyond it, so that a closed stationary population has no migration. A group that holds both
    people born in the interval and others is the sum of its two parts, each estimated by the
    method; the second round is divided between them in the same way.

    References
    ----------
    UN (1970), *Manual VI: Methods of Measuring Internal Migration*, ch. II; Siegel & Hamilton
    (1952), *JASA* 47:475-500; Shryock & Siegel (1976), *The Methods and Materials of
    Demography*, ch. 21; UN (1992), *Preparing Migration Data for Subnational Population
    Projections* (children by child-woman ratio); Hyman (1983), *SIAM J. Sci. Stat. Comput.*
    4:645-654 (monotone spline).

    Examples
    --------
    Two rows of Bombay 1941-51 (Manual VI, table 24):

    >>> import migproj as mp, xarray as xr
    >>> start = xr.DataArray([77135.0, 85434.0], dims="age", name="population",
    ...                      coords=mp.age_coords(["0-4", "5-9"]))
    >>> end = xr.DataArray([132870.0, 170227.0], dims="age", name="population",
    ...                    coords=mp.age_coords(["10-14", "15-19"]))
    >>> ratios = xr.DataArray([0.9087, 0.9573], dims="age", coords=end.coords)
    >>> result = mp.net_migration(start, end, ratios, method="forward", interval=10)
    >>> result["net_migration"].round(1).values
    array([62777.4, 88441. ])
    """
    check_choice("children", children, _CHILDREN)
    check_choice("interpolation", interpolation, _INTERPOLATIONS)
    codes = choice_codes("method", method, _METHODS)
    check_rounds(start, end)
    years = interval_between(start, end, interval)
    source = survival_or_life_table
    if isinstance(source, xr.Dataset) and _needs_slices(start, end, years, source):
        rounds = _slices(start, end, source, codes, births, children, years, interpolation)
    else:
        rounds = _groups(start, end, source, codes, births, children, interval)
    coords = dict(arrival_coords(rounds.groups, years))
    began = instant_of(start, "start")
    if began is not None:
        coords["period"] = xr.DataArray(began)
    result = _estimate(rounds, codes, _CHILDREN[children], coords)
    if rounds.ways is not None and children == "child-woman" and rounds.ways.born:
        result.update(_by_child_woman(result, end, rounds.ways))
    if "sex" in result.dims:
        result = result.transpose(..., "sex", "age")
    unborn = children == "births" and births is None and rounds.born > 0
    warn_findings(
        "net_migration",
        [
            *_findings(result, rounds.survival, codes),
            ""
            if unborn or children not in ("births", "arrivals")
            else _unknown_children(result, rounds),
            f"no births given, so net migration under age {years:g} is missing: pass "
            "births=, or children='child-woman', 'arrivals' (a foreign-born stock) or 'none'"
            if unborn
            else finding(
                "births missing", result["n_births_missing"] > 0, "give them, or children='none'"
            ),
            f"the interval of {years:g} years is over {_LONG_SPAN:g}: many moved and "
            "died or moved back within it"
            if years > _LONG_SPAN
            else "",
        ],
    )
    return result if ages is None else _wider(result, ages, years)


@dataclass(frozen=True)
class _Rounds:
    """What the kernel compares: groups, or slices of them, by where they arrive."""

    start: xr.DataArray
    end: xr.DataArray
    survival: xr.DataArray
    births: xr.DataArray
    start_at: npt.NDArray[np.int64]  # (arrivals + 1): see _cohorts.Cohorts
    end_at: npt.NDArray[np.int64]
    born: int  # arrivals born in the interval
    groups: AgeGroups  # of the result
    offsets: npt.NDArray[np.int64] | None  # of its groups among the arrivals, if these are slices
    ways: Cohorts | None


def _needs_slices(
    start: xr.DataArray, end: xr.DataArray, years: float, life_table: xr.Dataset
) -> bool:
    """Whether the interval carries no groups onto groups, or its life tables are several.

    Survival ratios are of groups: with them the error says what is accepted.
    """
    if not {"lx", "Tx"} <= set(life_table):
        return False
    if "period" in life_table.dims and "period" not in start.dims:
        return True
    try:
        cohorts(groups_of(start, "start"), groups_of(end, "end"), years)
    except IntervalError:
        return True
    return False


def _groups(
    start: xr.DataArray,
    end: xr.DataArray,
    source: xr.DataArray | xr.Dataset,
    codes: xr.DataArray,
    births: xr.DataArray | None,
    children: Children,
    interval: float | None,
) -> _Rounds:
    """Rounds whose groups arrive in groups."""
    ways = cohorts_between(start, end, interval)
    survival = _survival_of(source, ways)
    _check_coverage(start, end, survival)
    _check_periods(start, {"end": end, "survival": survival, "births": births, "method": codes})
    _check_even(codes, ways, start, children)
    born = births_by_group(births, children, ways, start)
    return _Rounds(
        start, end, survival, born, ways.start, ways.end, ways.born, ways.groups, None, ways
    )


def _slices(
    start: xr.DataArray,
    end: xr.DataArray,
    life_table: xr.Dataset,
    codes: xr.DataArray,
    births: xr.DataArray | None,
    children: Children,
    years: float,
    interpolation: Interpolation,
) -> _Rounds:
    """Rounds any time apart: slices of the first that arrive in those of the second."""
    if children == "child-woman":
        raise IntervalError(
            f"children='child-woman': expected an interval that carries age groups onto age "
            f"groups, got {years:g} years; give births"
        )
    if bool((codes == _METHODS["even"]).any()):
        raise IntervalError(
            f"method 'even': expected an interval of one group's width, got {years:g} years; it "
            "inverts the projection. Use 'average' or 'midpoint'"
        )
    _check_periods(start, {"end": end, "births": births, "method": codes})
    parts = parts_of(life_table, instant_of(start, "start"), years)
    ways = slices_between(groups_of(start, "start"), groups_of(end, "end"), years)
    count = len(ways.lower)
    return _Rounds(
        ways.start(start, parts, interpolation),
        ways.end(end, parts, interpolation),
        ways.survival(parts),
        births_by_slice(births, children, ways, start),
        np.append(np.zeros(ways.born), np.arange(count - ways.born + 1)).astype(np.int64),
        np.arange(count + 1),
        ways.born,
        ways.groups,
        ways.offsets,
        None,
    )


def _estimate(
    rounds: _Rounds, codes: xr.DataArray, births_are: int, coords: Mapping[Hashable, xr.DataArray]
) -> xr.Dataset:
    from migproj._kernels import netmigration as kernels

    count = len(rounds.end_at) - 1
    made = apply_together(
        kernels.net_migration,
        [
            Input("start", rounds.start, ("age",)),
            Input("end", rounds.end, ("age",)),
            Input("survival", rounds.survival, ("age",)),
            Input("births", rounds.births, ("age",)),
            Input("method", codes, dtype=np.int64),
        ],
        [Output(name, ("age",), (count,)) for name in ("net_migration", "expected")]
        + [Output(name, dtype=np.int64) for name in _COUNTS],
        rounds.start_at,
        rounds.end_at,
        rounds.born,
        births_are,
        coords=coords if rounds.offsets is None else {},
    )
    if rounds.offsets is None:
        return made
    sums = {
        name: summed(made[name], rounds.offsets).assign_attrs(made[name].attrs)
        for name in ("net_migration", "expected")
    }
    return made.drop_dims("age").assign(sums).assign_coords(coords)[list(made)]


def _wider(result: xr.Dataset, ages: AgesLike, years: float) -> xr.Dataset:
    """The result in wider groups, sums of its own."""
    sums = {
        name: regroup_ages(result[name].drop_vars("age_start"), ages)
        for name in ("net_migration", "expected")
    }
    wide = groups_of(sums["net_migration"], "ages")
    counts = result.drop_vars(["net_migration", "expected", "age", "age_width", "age_start"])
    return xr.Dataset(sums).merge(counts).assign_coords(arrival_coords(wide, years))


def _findings(result: xr.Dataset, survival: xr.DataArray, codes: xr.DataArray) -> list[str]:
    """What is suspicious about the ratios and the survivors they give."""
    divides = codes.isin([_METHODS["reverse"], _METHODS["average"]])
    by_root = codes == _METHODS["midpoint"]
    return [
        counted("survival ratios above 1", result["n_survival_above_one"], lambda: survival > 1),
        counted(
            f"survival ratios below {_LOW_SURVIVAL} that reverse and average divide by",
            result["n_survival_low"],
            lambda: (survival < _LOW_SURVIVAL) & divides,
        ),
        counted(
            "survival ratios of 0 that midpoint divides by",
            by_root,
            lambda: (survival == 0) & by_root,
        ),
        counted(
            "negative survivors expected", result["n_negative"], lambda: result["expected"] < 0
        ),
    ]


def _unknown_children(result: xr.Dataset, rounds: _Rounds) -> str:
    if rounds.ways is None:  # a life table tells the survival of births
        return ""
    young = {"age": slice(rounds.born)}
    missing = rounds.survival.isel(young).isnull()
    return counted(
        "survival of those born in the interval missing (two censuses tell none: take it from a "
        "life table, or use children='child-woman')",
        missing,
        lambda: missing & result["net_migration"].isel(young).isnull(),
    )


def _check_coverage(start: xr.DataArray, end: xr.DataArray, survival: xr.DataArray) -> None:
    """Coverage errors that two censuses share cancel in their survival ratios."""
    marks = CORRECTED.items()
    corrected = [n for n, a in (("start", start), ("end", end)) if a.attrs.items() >= marks]
    of_censuses = survival.attrs.get("source") == CENSUSES and not survival.attrs.items() >= marks
    if corrected and of_censuses:
        raise SchemaError(
            f"survival: of two censuses as they were enumerated, but {' and '.join(corrected)} "
            "corrected for coverage; the errors cancel in the ratios, so correct the censuses they "
            "come from as well, take a life table, or confirm with survival.drop_attrs()"
        )


def _survival_of(source: xr.DataArray | xr.Dataset, ways: Cohorts) -> xr.DataArray:
    """Survival ratios on the arrival groups, from ratios or from a life table."""
    if isinstance(source, xr.Dataset):
        if "lx" not in source or "Tx" not in source:
            raise SchemaError(
                "survival_or_life_table: expected survival ratios (a DataArray) or a life table "
                f"with lx and Tx, got a Dataset of {list(source)}; select the ratios, such as "
                "ds['survival']"
            )
        if ways.groups.lower[-1] < ways.interval:
            raise IntervalError(
                f"end: dim 'age': the group {ways.groups.labels[-1]} holds both people born in the "
                "interval and people born before it, so a life table has no one ratio for it; give "
                "ages, or a survival ratio"
            )
        return survival_on(source, ways.groups, ways.interval)
    check_dims("survival", source, "age")
    check_survival("survival", source)
    check_sexes("survival", source, both=False)
    groups = groups_of(source, "survival")
    if groups != ways.groups:
        lacking = [x for x in ways.groups.labels if x not in groups.labels]
        extra = [x for x in groups.labels if x not in ways.groups.labels]
        raise AlignmentError(
            f"survival: dim 'age': expected a ratio for each group arrived in after "
            f"{ways.interval:g} years, got {len(groups)} groups; missing: {lacking[:5]}, not "
            f"expected: {extra[:5]}. mp.survival_ratios(life_table, ages=..., interval="
            f"{ways.interval:g}) makes them, or pass the life table itself"
        )
    check_made_for("survival", source, ways.interval)
    return source


def _check_periods(start: xr.DataArray, others: dict[str, xr.DataArray | None]) -> None:
    """A dim period is a batch dim of both rounds, each period of the same length, or absent."""
    if "period" not in start.dims:
        for name, array in others.items():
            if isinstance(array, xr.DataArray):
                check_lacks(name, array, "period", f"select one interval: {name}.sel(period=...)")
    else:
        end = others["end"]
        if end is not None and "period" not in end.dims:
            check_lacks("start", start, "period", "select one interval: start.sel(period=...)")
        if instant_of(start, "start") is not None:
            raise SchemaError(
                "start: expected the dim 'period' or a scalar coordinate 'time' (or 'date'), got "
                "both: the dim says when each interval starts; start.drop_vars('time')"
            )


def _check_even(
    codes: xr.DataArray, ways: Cohorts, start: xr.DataArray, children: Children
) -> None:
    if not bool((codes == _METHODS["even"]).any()):
        return
    if children not in ("births", "arrivals"):
        raise SchemaError(
            f"children: expected 'births' or 'arrivals' with method 'even', got {children!r}: each "
            "group's estimate starts from the one before it, the first from births"
        )
    if ways.groups != groups_of(start, "start") or ways.groups.step != ways.interval:
        raise IntervalError(
            f"method 'even': expected rounds on one grid of {ways.interval:g}-year groups (the "
            f"interval), got {', '.join(ways.groups.labels[:8])}; it inverts the projection, "
            "which moves everyone on by one group. Use 'average' or 'midpoint'"
        )


def _by_child_woman(result: xr.Dataset, end: xr.DataArray, ways: Cohorts) -> xr.Dataset:
    """net_migration and expected with children by the child-woman ratio."""
    from migproj._kernels import netmigration as kernels

    if "sex" not in end.dims or FEMALE not in end["sex"].values:
        raise SchemaError(
            f"end: children='child-woman' needs the dim 'sex' with {FEMALE!r}, got dims "
            f"{tuple(end.dims)!r}: children follow the net migration of women"
        )
    groups = ways.groups
    young = np.array(groups.lower[: ways.born])
    bounds = {int(low) for low in [*(15 + young), *(45 + young)]} - set(groups.lower)
    if bounds:
        raise SchemaError(
            f"end: children='child-woman' needs age groups bounded at 15 + g and 45 + g, got none "
            f"at {sorted(bounds)[:5]} (groups {', '.join(groups.labels[:8])}, ...): mothers of "
            "children aged g; give the rounds in five-year groups, or births="
        )
    result = result.transpose(..., "sex", "age")
    sizes = (result.sizes["sex"], len(groups))
    net, expected = apply(
        kernels.child_woman,
        [
            Input("net_migration", result["net_migration"], ("sex", "age")),
            Input("expected", result["expected"], ("sex", "age")),
            Input("end", end, ("sex", "age")),
        ],
        [Output(name, ("sex", "age"), sizes) for name in ("net_migration", "expected")],
        ways.end,
        np.array([groups.lower.index(low) for low in 15 + young], dtype=np.int64),
        np.array([groups.lower.index(low) for low in 45 + young], dtype=np.int64),
        (young + np.array(groups.width[: ways.born]) / 2) / ways.interval,
        end["sex"].values.tolist().index(FEMALE),
    )
    both = xr.Dataset({"net_migration": net, "expected": expected})
    return both.assign_coords(sex=end["sex"].values).assign_coords(result["age"].coords)
