"""Enumeration, ages and mortality moved by a stated amount: one number, or draws of it."""

from __future__ import annotations

import warnings
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import xarray as xr

from migproj._checks import (
    as_number,
    check_counts,
    check_dims,
    check_labels_match,
    check_numbers,
    check_rates,
    where,
)
from migproj.ages import AgeGroups, groups_of
from migproj.conventions import VARIABLES
from migproj.errors import AlignmentError, DataQualityWarning, SchemaError
from migproj.lifetable import life_table

__all__ = ["CORRECTED", "correct_coverage", "scale_mortality", "transfer_ages"]

#: The mark of counts corrected for coverage.
CORRECTED: Final = {"coverage": "corrected"}
#: Secant steps to a life expectancy, to be had to this many years. Six do for most schedules.
_SECANTS: Final = 20
_CLOSE: Final = 1e-9
_ROUNDING: Final = 1e-14


def correct_coverage(population: xr.DataArray, coverage: float | xr.DataArray) -> xr.DataArray:
    r"""Counts corrected for under- or over-enumeration.

    Parameters
    ----------
    population : DataArray (...)
        Persons enumerated, or births registered.
    coverage : float or DataArray (...)
        True over enumerated (1): above 1 for an undercount. Any dims, ``draw`` among them.

    Returns
    -------
    DataArray (...)
        `population` times `coverage`, in its units, with the attribute ``coverage``, by which
        :func:`net_migration` refuses it together with the ratios of two uncorrected censuses.

    Raises
    ------
    SchemaError
        If a factor is below 0.2 or above 10 (a share of people missed, a percentage), or counts
        are none.
    AlignmentError
        If labels, or age groups, differ on a dim that the two share.

    Notes
    -----
    .. math:: N = c\, R

    with R the people enumerated and c the coverage. Errors that two censuses share cancel in
    census survival ratios: use this with ratios of a life table.

    References
    ----------
    Shryock & Siegel (1976), *The Methods and Materials of Demography*, ch. 4 (errors of coverage).

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> counted = xr.DataArray([200.0, 100.0], dims="age", coords=mp.age_coords([0, 5]))
    >>> mp.correct_coverage(counted, 1.03).values
    array([206., 103.])
    """
    check_dims("population", population)
    check_counts("population", population, people=False)
    factors = as_number("coverage", coverage)
    check_numbers("coverage", factors)
    if factors.chunks is None and (odd := _far_from_one(factors)).any():
        raise SchemaError(
            "coverage: expected true over enumerated, near 1, got "
            f"{float(factors.values[odd][0]):g} ({'; '.join(where(factors, odd))}); for 3 per cent "
            "of the people missed give 1 / (1 - 0.03), and divide percentages by 100"
        )
    _check_same_groups("population", population, "coverage", factors)
    return _product("population", population, "coverage", factors).assign_attrs(CORRECTED)


def _far_from_one(factors: xr.DataArray) -> npt.NDArray[np.bool_]:
    """Shares of people missed are below 0.2, percentages of them or of coverage above 10."""
    values = factors.values
    far: npt.NDArray[np.bool_] = (values < 0.2) | (values > 10)
    return far


def _check_same_groups(name: str, array: xr.DataArray, other: str, factor: xr.DataArray) -> None:
    """Age groups of both are as wide, where both say how wide they are."""
    if not all("age" in a.dims and "age_width" in a.coords for a in (array, factor)):
        return
    groups, got = groups_of(array, name), groups_of(factor, other)
    if groups.lower == got.lower and groups != got:
        raise AlignmentError(
            f"{other}: dim 'age': expected the age groups of {name}, {_ends(groups)}, got "
            f"{_ends(got)}; give it for these, or {other}.drop_vars('age_width')"
        )


def _ends(groups: AgeGroups) -> str:
    return ", ".join([*groups.labels[:3], "...", groups.labels[-1]])


def _product(name: str, array: xr.DataArray, other: str, factor: xr.DataArray) -> xr.DataArray:
    """`array` times `factor`, labels matched exactly; attributes and coordinates of `array`."""
    own = [n for n in ("time", "date", "age_width") if n not in factor.dims]
    factor = factor.drop_vars(own, errors="ignore")
    shared = dict.fromkeys([*array.dims, *factor.dims])
    check_labels_match({name: array, other: factor}, dims=shared)
    result = (array * factor).rename(array.name).assign_attrs(array.attrs)
    added = [dim for dim in factor.dims if dim not in array.dims]
    return result.transpose(*added, *array.dims)


def transfer_ages(population: xr.DataArray, share: float | xr.DataArray) -> xr.DataArray:
    r"""Counts corrected for ages misreported across the bounds of age groups.

    Parameters
    ----------
    population : DataArray (..., age)
        Persons enumerated, by reported age.
    share : float or DataArray (...) or (..., age)
        At each bound between two groups, labelled by the lower bound of the upper one: of the
        people reported in the group below it, the share (1) who are really above; if negative,
        of those reported above it the share who are really below. Without ``age``, the same at
        all bounds. From -0.5 to 0.5; any other dims, ``draw`` among them.

    Returns
    -------
    DataArray (..., age)
        Persons by true age, in the units of `population`, whose total is unchanged.

    Raises
    ------
    SchemaError
        If a share is beyond -0.5 to 0.5, or counts are none.
    AlignmentError
        If the ages of `share` are not the bounds between groups, or other labels differ.

    Notes
    -----
    .. math:: N_x = R_x - F_{x+w} + F_x, \quad
              F_x = \max(s_x, 0)\, R_{x-w} - \max(-s_x, 0)\, R_x

    with R the people reported, F those who are to be moved up across the bound x.

    References
    ----------
    Shryock & Siegel (1976), *The Methods and Materials of Demography*, ch. 8 (errors of age).

    Examples
    --------
    One in ten of those reported at 60-69 is really 70 or older:

    >>> import migproj as mp, xarray as xr
    >>> counted = xr.DataArray([300.0, 100.0, 50.0], dims="age",
    ...                        coords=mp.age_coords([50, 60, 70]))
    >>> share = xr.DataArray([0.0, 0.1], dims="age", coords={"age": [60, 70]})
    >>> mp.transfer_ages(counted, share).values
    array([300.,  90.,  60.])
    """
    check_dims("population", population, "age")
    check_counts("population", population, people=False)
    shares = as_number("share", share)
    check_numbers("share", shares)
    if shares.chunks is None and (odd := abs(shares.values) > 0.5).any():
        raise SchemaError(
            f"share: expected shares from -0.5 to 0.5, got {float(shares.values[odd][0]):g} "
            f"({'; '.join(where(shares, odd))}): a group would be emptied from both sides; divide "
            "percentages by 100"
        )
    bounds = list(groups_of(population, "population").lower[1:])
    if "age" in shares.dims:
        given = shares["age"].values.tolist() if "age" in shares.coords else []
        if given != bounds:
            raise AlignmentError(
                f"share: dim 'age': expected the bounds between groups, {bounds[:8]}, got "
                f"{given[:8]}; groups[1:] of the population"
            )
        shares = shares.drop_vars("age_width", errors="ignore")
    people = population.drop_vars("age_width", errors="ignore").astype(np.float64)
    above = people.sel(age=bounds)
    below = people.isel(age=slice(None, -1)).assign_coords(age=bounds)
    up = _product("population", below, "share", shares.clip(min=0)) - _product(
        "population", above, "share", (-shares).clip(min=0)
    )
    lower = population["age"].values
    gained = up.reindex(age=lower, fill_value=0.0)
    lost = up.assign_coords(age=lower[:-1]).reindex(age=lower, fill_value=0.0)
    moved = people + (gained - lost)
    result = moved.transpose(*[d for d in up.dims if d not in population.dims], *population.dims)
    return result.assign_coords(population.coords).assign_attrs(population.attrs)


def scale_mortality(mx: xr.DataArray, e0: float | xr.DataArray, **rules: Any) -> xr.DataArray:
    r"""Death rates in proportion to given ones, at a given life expectancy at birth.

    Parameters
    ----------
    mx : DataArray (..., age)
        Death rates (1/year), as in :func:`life_table`.
    e0 : float or DataArray (...)
        Life expectancy at birth (years) of each life table. Any dims, ``draw`` among them.
    **rules
        `a0` and `ax` of :func:`life_table`; give that function the same ones afterwards.

    Returns
    -------
    DataArray "mx" (..., age)
        1/year; all rates of a life table are multiplied by one number, so that its e0 is as
        given, to 1e-9 years.

    Raises
    ------
    SchemaError
        If inputs are not what is described here, or no proportion gives an e0.
    AlignmentError
        If labels differ on a dim that the two share.

    Notes
    -----
    .. math:: m_x^* = \kappa\, m_x, \quad \kappa \text{ such that } e_0^* = e_0

    κ is found by the secant method on the logarithms of κ and e0. On lazy input its success is
    not checked; where it fails the rates are not those of `e0`. *Use it* to give mortality a
    distribution, or to move a schedule a little. *It fails* far from the schedule given, for
    rates of children and of the old do not change in the same proportion: take
    :func:`log_quadratic` or :func:`brass_logit` then.

    References
    ----------
    Preston, Heuveline & Guillot (2001), *Demography*, ch. 3 (the life table whose e0 is met).

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> mx = xr.DataArray([0.02, 0.001, 0.0005, 0.02], dims="age",
    ...                   coords=mp.age_coords(["0", "1-4", "5-9", "10+"]))
    >>> rates = mp.scale_mortality(mx.assign_coords(sex="female"), 62.0)
    >>> mp.life_table(rates)["ex"].values[0].round(9)
    np.float64(62.0)
    """
    check_dims("mx", mx, "age")
    check_rates("mx", mx)
    if groups_of(mx, "mx").lower[0] != 0:
        raise SchemaError(
            f"mx: dim 'age': expected rates from birth on, as e0 is of births, got ages from "
            f"{groups_of(mx, 'mx').lower[0]} on; give the rates of all ages"
        )
    wanted = as_number("e0", e0)
    check_numbers("e0", wanted)
    if wanted.chunks is None and (odd := (wanted.values <= 0) | (wanted.values > 150)).any():
        raise SchemaError(
            f"e0: expected years between 0 and 150, got {float(wanted.values[odd][0]):g} "
            f"({'; '.join(where(wanted, odd))})"
        )
    rates = _scaled(mx, wanted, rules)
    if wanted.chunks is None and mx.chunks is None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DataQualityWarning)
            reached = life_table(rates, **rules)["ex"].isel(age=0, drop=True)
        known = wanted.notnull() & mx.notnull().all("age")
        odd = (known & ~(abs(reached - wanted) <= _CLOSE)).transpose(*reached.dims).values
        if odd.any():
            raise SchemaError(
                f"e0: no proportion of mx gives it in {int(odd.sum())} life table(s): "
                f"{'; '.join(where(reached, odd))}; give rates of a similar level"
            )
    return rates.assign_attrs(units=VARIABLES["mx"].units)


def _scaled(mx: xr.DataArray, e0: xr.DataArray, rules: dict[str, Any]) -> xr.DataArray:
    """The rates by the secant method on the logarithms of e0 and of the proportion."""

    def scaled(log_factor: Any) -> xr.DataArray:
        factor: Any = np.exp(log_factor)
        return _product("mx", mx, "e0", factor).rename("mx")

    def found(log_factor: Any) -> Any:
        return np.log(life_table(scaled(log_factor), **rules)["ex"].isel(age=0, drop=True))

    target: Any = np.log(e0.astype(np.float64))
    before: Any = 0.0 * target
    with warnings.catch_warnings():
        # Of rates on the way to those wanted; the life table of the result says it anew.
        warnings.simplefilter("ignore", DataQualityWarning)
        reached = found(before)
        # A first step as if e0 fell by 0.15 % for each percent of the rates.
        now = ((reached - target) / 0.15).clip(-1, 1)
        for _ in range(_SECANTS):
            after = found(now)
            gap, run, rise = after - target, now - before, after - reached
            # A table that has got there stays, whatever the others in the batch need.
            moving = (abs(gap) > _ROUNDING) & (rise != 0)
            step = (-gap * run / rise.where(moving, 1.0)).where(moving, 0.0).clip(-1, 1)
            before, reached, now = now, after, now + step
            if gap.chunks is None and not moving.any():
                break
    return scaled(now)
