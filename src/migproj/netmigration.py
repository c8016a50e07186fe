"""Intercensal net migration: survival-ratio and vital-statistics methods."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import numpy as np
import xarray as xr

from migproj._apply import Input, Output, apply
from migproj._checks import (
    check_counts,
    check_dims,
    check_labels_match,
    check_lacks,
    check_same_places,
    check_sexes,
    check_survival,
)
from migproj._choices import choice_codes
from migproj._diagnostics import counted, finding, warn_findings
from migproj.ages import AgeGroups, Cohorts, groups_of
from migproj.conventions import FEMALE, VARIABLES
from migproj.dates import instant_of
from migproj.errors import AlignmentError, IntervalError, SchemaError
from migproj.survival import (
    arrival_coords,
    cohorts_between,
    interval_between,
    survival_on,
)

__all__ = ["net_migration", "net_migration_vital"]

Children: TypeAlias = Literal["births", "child-woman", "arrivals", "none"]

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
) -> xr.Dataset:
    r"""Net migration between two census rounds by survival ratios.

    Parameters
    ----------
    start, end : DataArray (..., age)
        Population or stock (persons) at the two rounds. Any other dims (sex, country,
        birthplace, draw, ...) broadcast and keep their labels; the age grids may differ.
    survival_or_life_table : DataArray or Dataset (..., age)
        Survival ratios by the group arrived in (:func:`survival_ratios`,
        :func:`census_survival_ratios`), on the groups of the result; or a life table, from
        which they are taken.
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
        If the interval is unknown, not positive, or does not carry groups onto groups.

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

    References
    ----------
    UN (1970), *Manual VI: Methods of Measuring Internal Migration*, ch. II; Siegel & Hamilton
    (1952), *JASA* 47:475-500; Shryock & Siegel (1976), *The Methods and Materials of
    Demography*, ch. 21; UN (1992), *Preparing Migration Data for Subnational Population
    Projections* (children by child-woman ratio).

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
    from migproj._kernels import netmigration as kernels

    ways = cohorts_between(start, end, interval)
    survival = _survival_of(survival_or_life_table, ways)
    codes = choice_codes("method", method, _METHODS)
    _check_periods(start, {"end": end, "survival": survival, "births": births, "method": codes})
    if str(children) not in _CHILDREN:
        raise SchemaError(f"children: expected one of {list(_CHILDREN)}, got {children!r}")
    _check_even(codes, ways, start, children)
    born = _births_by_group(births, children, ways, start)
    results = apply(
        kernels.net_migration,
        [
            Input("start", start, ("age",)),
            Input("end", end, ("age",)),
            Input("survival", survival, ("age",)),
            Input("births", born, ("age",)),
            Input("method", codes, dtype=np.int64),
        ],
        [Output(name, ("age",), (len(ways.groups),)) for name in ("net_migration", "expected")]
        + [Output(name, dtype=np.int64) for name in _COUNTS],
        ways.start,
        ways.end,
        ways.born,
        _CHILDREN[children],
    )
    result = xr.Dataset({str(array.name): array for array in results})
    result = result.assign_coords(_period_coords(start, ways))
    if children == "child-woman" and ways.born:
        result.update(_by_child_woman(result, end, ways))
    if "sex" in result.dims:
        result = result.transpose(..., "sex", "age")
    unborn = children == "births" and births is None and ways.born > 0
    warn_findings(
        "net_migration",
        [
            *_findings(result, survival, codes),
            ""
            if unborn or children not in ("births", "arrivals")
            else _unknown_children(result, survival, ways),
            f"no births given, so net migration under age {ways.interval:g} is missing: pass "
            "births=, or children='child-woman', 'arrivals' (a foreign-born stock) or 'none'"
            if unborn
            else finding("births missing", result["n_births_missing"] > 0),
            f"the interval of {ways.interval:g} years is over {_LONG_SPAN:g}: many moved and "
            "died or moved back within it"
            if ways.interval > _LONG_SPAN
            else "",
        ],
    )
    return result


def _findings(result: xr.Dataset, survival: xr.DataArray, codes: xr.DataArray) -> list[str]:
    """What is suspicious about the ratios and the survivors they give."""
    divides = codes.isin([_METHODS["reverse"], _METHODS["average"]])
    by_root = codes == _METHODS["midpoint"]
    return [
        finding("survival ratios above 1", survival > 1),
        finding(
            f"survival ratios below {_LOW_SURVIVAL} that reverse and average divide by",
            (survival < _LOW_SURVIVAL) & divides,
        ),
        finding("survival ratios of 0 that midpoint divides by", (survival == 0) & by_root),
        counted("negative survivors expected", result["n_negative"], result["expected"]),
    ]


def _unknown_children(result: xr.Dataset, survival: xr.DataArray, ways: Cohorts) -> str:
    young = {"age": slice(ways.born)}
    return finding(
        "survival of those born in the interval missing (two censuses tell none: take it from a "
        "life table, or use children='child-woman')",
        survival.isel(young).isnull() & result["net_migration"].isel(young).isnull(),
    )


def net_migration_vital(
    start: xr.DataArray,
    end: xr.DataArray,
    births: xr.DataArray | None,
    deaths: xr.DataArray,
    *,
    interval: float | None = None,
) -> xr.DataArray:
    r"""Net migration by the vital-statistics (balancing) equation.

    Parameters
    ----------
    start, end : DataArray (...) or (..., age)
        Population (persons) at the two rounds.
    births : DataArray (..., sex) or (..., sex, age), or None
        Births of the interval (persons per period). With `deaths` by cohort: in total, spread
        evenly over the interval, or by the group in which the children arrive. None for people
        none of whom were born in it (ages from the interval on).
    deaths : DataArray (...) or (..., age)
        Deaths of the interval (persons per period): in total, or by arrival cohort (``age``:
        the group in which the dead would have been at the end).
    interval : float, optional
        Years between the rounds, needed with deaths by cohort. Default: from the scalar
        coordinate ``date`` or ``time`` of both.

    Returns
    -------
    DataArray "net_migration" (...) or, with deaths by cohort, (..., age)
        Net migration (persons per period), by age at the end.

    Raises
    ------
    SchemaError, AlignmentError, IntervalError
        As in :func:`net_migration`; also if births or deaths lack a dim sex, country or
        birthplace that the populations have (they would be counted once for each label).

    Notes
    -----
    .. math:: M = P_1 - P_0 - B + D

    References
    ----------
    UN (1970), *Manual VI*, ch. II; Bogue, Hinze & White (1982), *Techniques of Estimating Net
    Migration*.

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> start, end, births, deaths = (xr.DataArray(float(x)) for x in (1000, 1100, 150, 80))
    >>> float(mp.net_migration_vital(start, end, births, deaths))
    30.0
    """
    for name, array in (("start", start), ("end", end), ("births", births), ("deaths", deaths)):
        if array is not None:
            check_dims(name, array)
            check_lacks(name, array, "mother_age", f"sum over it: {name}.sum('mother_age')")
            if "period" not in start.dims:
                check_lacks(name, array, "period", f"select one interval: {name}.sel(period=...)")
            check_counts(name, array, people=name in ("start", "end"))
            check_sexes(name, array, both=False)
            check_same_places(name, array, "start", start)
    if "age" in deaths.dims:
        ways = cohorts_between(start, end, interval)
        given = groups_of(deaths, "deaths")
        if given != ways.groups:
            raise AlignmentError(
                f"deaths: dim 'age': expected deaths by arrival group, {ways.groups.labels[:8]}, "
                f"got {given.labels[:8]}; regroup them, or give the total (deaths.sum('age'))"
            )
        if births is None and ways.born:
            raise SchemaError(
                f"births: None, but end holds children under {ways.interval:g}, born in the "
                "interval; give their births, or select ages from the interval on"
            )
        _check_made_for("deaths", deaths, ways)
        everyone = xr.DataArray(np.ones(len(ways.groups)), dims="age", coords=ways.groups.coords())
        kind: Children = "births" if births is not None else "none"
        change = net_migration(
            start, end, everyone, method="forward", births=births, children=kind, interval=interval
        )["net_migration"]
        check_labels_match({"start": change, "deaths": deaths}, dims=deaths.dims)
        net = change + deaths.drop_vars(["age_width", "period", "period_width"], errors="ignore")
    else:
        totals = {
            name: array.sum("age", skipna=False) if "age" in array.dims else array
            for name, array in (
                ("start", start),
                ("end", end),
                ("births", births),
                ("deaths", deaths),
            )
            if array is not None
        }
        totals = {
            name: array.drop_vars(["time", "date"], errors="ignore")
            for name, array in totals.items()
        }
        check_labels_match(totals, dims=dict.fromkeys(d for a in totals.values() for d in a.dims))
        _check_one_interval(start, end, interval, {"births": births, "deaths": deaths})
        _check_everyone(start, end, births)
        net = totals["end"] - totals["start"] + totals["deaths"]
        if births is not None:
            net = net - totals["births"]
    net = net.transpose(..., *[dim for dim in ("sex", "age") if dim in net.dims])
    return net.rename("net_migration").assign_attrs(units=VARIABLES["net_migration"].units)


def _check_everyone(start: xr.DataArray, end: xr.DataArray, births: xr.DataArray | None) -> None:
    """Rounds by age hold everyone: from age 0 on, where births are counted."""
    for name, array in (("start", start), ("end", end)):
        if births is not None and "age" in array.dims:
            groups = groups_of(array, name)
            if groups.lower[0] != 0:
                raise AlignmentError(
                    f"{name}: dim 'age': expected everyone from age 0 on, as births are counted, "
                    f"got ages from {groups.lower[0]} on: the younger would be taken for migrants"
                )


def _check_one_interval(
    start: xr.DataArray,
    end: xr.DataArray,
    interval: float | None,
    flows: dict[str, xr.DataArray | None],
) -> None:
    """Births and deaths are of one interval, that between the rounds where it is known."""
    dated = instant_of(start, "start") is not None and instant_of(end, "end") is not None
    known = interval is not None or dated
    years, whose = (interval_between(start, end, interval), "the rounds") if known else (None, "")
    for name, array in flows.items():
        width = None if array is None else array.coords.get("period_width")
        if width is None or width.ndim:
            continue
        if years is None:
            years, whose = float(width), name
        elif float(width) != years:
            raise IntervalError(
                f"{name}: made for {float(width):g} years, but {whose} are of {years:g}; give "
                "both for the interval between the rounds"
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
                f"the group {ways.groups.labels[-1]} holds both people born in the interval and "
                "people born before it, so a life table has no one ratio for it; give ages, or "
                "a survival ratio"
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
    _check_made_for("survival", source, ways)
    return source


def _check_made_for(name: str, array: xr.DataArray, ways: Cohorts) -> None:
    width = array.coords.get("period_width")
    if width is not None and width.ndim == 0 and float(width) != ways.interval:
        raise IntervalError(
            f"{name}: made for {float(width):g} years, but {ways.interval:g} years lie between "
            "start and end; make it for this interval"
        )


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


def _births_by_group(
    births: xr.DataArray | None, children: Children, ways: Cohorts, start: xr.DataArray
) -> xr.DataArray:
    """Births by the group in which they arrive (one missing group where there is none)."""
    groups = ways.groups
    pooled = groups.lower[-1] < ways.interval
    if pooled and children != "arrivals":
        raise IntervalError(
            f"the group {groups.labels[-1]} holds both people born in the {ways.interval:g} years "
            "between the rounds and people born before; children='arrivals' counts the former as "
            "migrants (a foreign-born stock), else give an age group that starts at "
            f"{ways.interval:g}"
        )
    if births is None:
        return xr.DataArray(np.full(max(ways.born, 1), np.nan), dims="age")
    if children != "births":
        raise SchemaError(
            f"births: given, but children={children!r} does not use them; drop one of the two"
        )
    if not ways.born:
        raise SchemaError(
            f"births: given, but end begins at age {groups.lower[0]}, so nobody born in the "
            f"{ways.interval:g} years is in it; drop births, or give end from age 0"
        )
    check_dims("births", births)
    check_lacks("births", births, "mother_age", "sum over it: births.sum('mother_age')")
    check_counts("births", births, people=False)
    check_sexes("births", births, both=False)
    _check_made_for("births", births, ways)
    check_same_places("births", births, "start", start)
    if "age" not in births.dims:
        share = np.array(groups.width[: ways.born]) / ways.interval
        births = births.drop_vars(["age", "age_width"], errors="ignore")
        return births * xr.DataArray(share, dims="age")
    wanted = AgeGroups(groups.lower[: ways.born], groups.width[: ways.born])
    given = groups_of(births, "births")
    if given.lower != wanted.lower:
        raise AlignmentError(
            f"births: dim 'age': expected the groups in which children arrive, {wanted.labels}, "
            f"got {given.lower}; sum or split them to these, or give births without age"
        )
    return births


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
            f"at {sorted(bounds)[:5]} (groups {', '.join(groups.labels[:8])}, ...)"
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


def _period_coords(start: xr.DataArray, ways: Cohorts) -> xr.Coordinates:
    coords = arrival_coords(ways.groups, ways.interval)
    began = instant_of(start, "start")
    return coords if began is None else coords.assign(period=began)
