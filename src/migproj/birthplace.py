"""Net migration of places from who was born where, and the ages at which people moved."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt
import xarray as xr

from migproj._checks import (
    check_dims,
    check_finite,
    check_labels_match,
    check_labels_of,
    check_lacks,
)
from migproj.ages import AgeGroups, AgesLike, groups_of
from migproj.conventions import VARIABLES
from migproj.errors import IntervalError, SchemaError
from migproj.netmigration import Interpolation, net_migration
from migproj.survival import years_above_zero

__all__ = ["age_at_migration", "lifetime_migration"]

_PLACES: Final = ("country", "birthplace")


def lifetime_migration(
    start: xr.DataArray,
    end: xr.DataArray,
    survival_or_life_table: xr.DataArray | xr.Dataset,
    *,
    method: str | xr.DataArray = "average",
    interval: float | None = None,
    ages: AgesLike | None = None,
    interpolation: Interpolation = "spline",
) -> xr.Dataset:
    r"""Net migration of places as the balance of the foreign-born and of the natives abroad.

    Parameters
    ----------
    start, end : DataArray (..., country, birthplace, age)
        People (persons) of each country by birthplace at two rounds. ``birthplace`` has the
        labels of ``country``, in the same order, and may have others after them (birthplaces
        that count nobody: "rest of the world", unknown). Those at home are not read.
    survival_or_life_table : DataArray or Dataset (..., [country,] [birthplace,] age)
        As in :func:`net_migration`: by country of residence, by birthplace or for all.
    method, interval, ages, interpolation
        As in :func:`net_migration`.

    Returns
    -------
    Dataset
        (..., country, age at the end; persons per period) ``net_foreign_born``, the net
        migration of those born in any other place; ``net_natives_abroad``, that of natives
        into all other countries; and ``net_migration``, the first less the second.

    Raises
    ------
    SchemaError, AlignmentError, IntervalError
        As in :func:`net_migration`; also if the labels of birthplace are not as described.

    Warns
    -----
    DataQualityWarning
        As :func:`net_migration`.

    Notes
    -----
    With N(c, b) the people of country c born in b, and D the estimate of the method (forward:
    N1 - S N0) for each, where everyone younger than the interval arrived:

    .. math::
       M_c = \sum_{b \ne c} D_{c,b} - \sum_{d \ne c} D_{d,c}

    Natives who leave or return count, and so do foreign-born who come or leave: also those who
    move between two countries of which neither is their birthplace, in both. Moves that were
    undone within the interval are not seen. Natives abroad in countries that are not given are
    missing, and a birthplace that is not one of the countries adds to the foreign-born only.

    References
    ----------
    UN (1970), *Manual VI: Methods of Measuring Internal Migration*, ch. I (place-of-birth
    statistics); Eldridge & Kim (1968), *The Estimation of Intercensal Migration from
    Birth-Residence Statistics*; Zachariah (1964).

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> places, ages = ["ARG", "BOL"], mp.age_coords([0, 10, 20])
    >>> def census(abroad):  # Bolivians in Argentina, by age; 10 Argentines in Bolivia in each
    ...     people = xr.DataArray([[[0.0] * 3, abroad], [[10.0] * 3, [0.0] * 3]],
    ...         dims=("country", "birthplace", "age"),
    ...         coords={"country": places, "birthplace": places, **ages})
    ...     return people
    >>> survival = xr.DataArray([0.95, 0.98, 0.8], dims="age", coords=ages)
    >>> result = mp.lifetime_migration(census([50.0, 100.0, 200.0]), census([80.0, 140.0, 330.0]),
    ...     survival, method="forward", interval=10)
    >>> result["net_migration"].sum("age").round(1).values
    array([ 256.8, -256.8])
    """
    for name, array in (("start", start), ("end", end)):
        check_dims(name, array, *_PLACES, "age")
        if "country" not in array.indexes:
            raise SchemaError(
                f"{name}: dim 'country' has no labels; nothing is aligned by position: "
                f"{name}.assign_coords(country=[...])"
            )
        count = array.sizes["country"]
        homes = array.isel(birthplace=slice(count))
        mend = "give every country as a birthplace first, in the order of the countries"
        check_labels_of(name, homes, "birthplace", name, array, "country", mend)
    check_labels_match({"start": start, "end": end}, dims=_PLACES)
    home = np.eye(start.sizes["country"], start.sizes["birthplace"]) == 1
    abroad = xr.DataArray(~home, dims=_PLACES)
    net = net_migration(
        start.where(abroad, 0.0),
        end.where(abroad, 0.0),
        survival_or_life_table,
        method=method,
        children="arrivals",  # nobody is born into a stock from abroad
        interval=interval,
        ages=ages,
        interpolation=interpolation,
    )["net_migration"]
    foreign = net.sum("birthplace", skipna=False)
    natives = net.isel(birthplace=slice(start.sizes["country"])).sum("country", skipna=False)
    natives = natives.rename(birthplace="country")
    parts = {
        "net_foreign_born": foreign,
        "net_natives_abroad": natives,
        "net_migration": foreign - natives,
    }
    made = {
        name: array.transpose(*foreign.dims).assign_attrs(units=VARIABLES[name].units)
        for name, array in parts.items()
    }
    return xr.Dataset(made)


def age_at_migration(net: xr.DataArray, *, interval: float | None = None) -> xr.DataArray:
    r"""Net migration by age at migration, from that by age at the end of the interval.

    Parameters
    ----------
    net : DataArray (..., age)
        Net migration (persons per period) by age at the end, from age 0 on, as
        :func:`net_migration` makes it.
    interval : float, optional
        Years of the interval. Default: the scalar coordinate ``period_width`` of `net`.

    Returns
    -------
    DataArray "net_migration" (..., age)
        By age at migration, in the same groups; the total is the same.

    Raises
    ------
    SchemaError
        If `net` does not begin at age 0.
    IntervalError
        If the interval is unknown or not positive.

    Notes
    -----
    If people of a cohort moved evenly over the interval, their ages at migration are in
    proportion to the areas that the cohort covers in the age groups of the Lexis diagram,

    .. math::
       a_{g} = \int_0^t |[x - s,\, x + w - s) \cap g \cap [0, \infty)| \, ds

    With groups as wide as the interval: one half each; twice as long: 1/4, 1/2, 1/4; those born
    in it, by their triangle. Migrants of the open-ended group, which has no area, stay in it:
    its own are somewhat too many, by those who moved younger and reached it.

    References
    ----------
    UN (1970), *Manual VI*, ch. II (age at migration); Shryock & Siegel (1976), *The Methods and
    Materials of Demography*, ch. 21.

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> net = xr.DataArray([10.0, 40.0, 0.0, 8.0], dims="age",
    ...                    coords=mp.age_coords(["0-4", "5-9", "10-14", "15+"]))
    >>> mp.age_at_migration(net, interval=5).values
    array([30., 20.,  0.,  8.])
    """
    check_dims("net", net, "age")
    check_finite("net", net)
    check_lacks("net", net, "time", "select one: net.sel(time=...)")
    groups = groups_of(net, "net")
    if groups.lower[0] != 0:
        raise SchemaError(
            f"net: dim 'age': expected ages from 0, got {groups.labels[0]}: people of the youngest "
            "group moved at younger ages, which are not there"
        )
    width = net.coords.get("period_width")
    if interval is None and (width is None or width.ndim):
        raise IntervalError(
            "interval: unknown, for net has no scalar coordinate 'period_width'; pass interval=10"
        )
    years = years_above_zero(width if interval is None else interval)
    shares = xr.DataArray(_lexis_shares(groups, years), dims=("age", "to"))
    plain = net.drop_vars([name for name, c in net.coords.items() if "age" in c.dims])
    moved = (plain.fillna(0.0) * shares).sum("age")
    unknown = (plain.isnull() & (shares > 0)).any("age")
    result = moved.where(~unknown).rename(to="age").transpose(*net.dims)
    result = result.assign_coords(groups.coords())
    return result.rename("net_migration").assign_attrs(net.attrs)


def _lexis_shares(groups: AgeGroups, years: float) -> npt.NDArray[np.float64]:
    """Of each arrival group (rows) the share that moved in each age group (columns)."""
    shares = np.zeros((len(groups), len(groups)))
    for i, (low, high) in enumerate(zip(groups.lower, groups.upper, strict=True)):
        if not np.isfinite(high):
            shares[i, i] = 1.0
            continue
        for g, (least, most) in enumerate(zip(groups.lower, groups.upper, strict=True)):
            shares[i, g] = _area(low, high, least, most, years)
        shares[i] /= shares[i].sum()
    return shares


def _area(low: float, high: float, least: float, most: float, years: float) -> float:
    """The area that a cohort, from low to high at the end, covers between two ages."""
    # The overlap of [low - s, high - s) and [least, most) is linear in s between these points.
    points = {0.0, years}
    points |= {edge - bound for edge in (low, high) for bound in (least, most)}
    s = np.array(sorted(p for p in points if 0 <= p <= years))
    covered = np.maximum(np.minimum(high - s, most) - np.maximum(low - s, least), 0.0)
    return float(((covered[1:] + covered[:-1]) / 2 * np.diff(s)).sum())
