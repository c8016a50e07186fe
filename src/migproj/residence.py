"""Migration from tables of where people lived some years before the census."""

from __future__ import annotations

import xarray as xr

from migproj._checks import (
    check_counts,
    check_dims,
    check_labels_match,
    check_labels_of,
    check_lacks,
    check_made_for,
    check_survival,
)
from migproj.ages import groups_of
from migproj.conventions import VARIABLES
from migproj.dates import snap
from migproj.errors import AlignmentError, IntervalError, SchemaError

__all__ = ["residence_migration"]


def residence_migration(
    table: xr.DataArray,
    survival: xr.DataArray | None = None,
    *,
    interval: float | None = None,
) -> xr.Dataset:
    r"""In-, out- and net migration from residence at a fixed date before the census.

    Parameters
    ----------
    table : DataArray (..., origin, destination[, age])
        People (persons) at the census by residence then (``destination``) and `interval` years
        before (``origin``). ``destination`` has the labels of ``origin``, in the same order.
        By age at the census, those born since are not asked: their groups hold nobody.
    survival : DataArray (..., [origin,] age), optional
        Survival ratios over the interval by the group arrived in (:func:`survival_ratios`), by
        residence at its start or for all. With them those who moved and died before the census
        are restored.
    interval : float, optional
        Years asked about. Default: the scalar coordinate ``period_width`` of `survival`.

    Returns
    -------
    Dataset
        (..., place[, age]; persons per period) ``in_migrants``, ``out_migrants`` and
        ``net_migration``, and the ``flows`` (..., origin, destination[, age]) they come from;
        with the scalar coordinate ``period_width`` where the interval is known.

    Raises
    ------
    SchemaError, AlignmentError
        If dims, labels or values are not what is described here.
    IntervalError
        If `survival` is made for another interval.

    Notes
    -----
    Without survival the flows are those of survivors, as counted. With it a flow F of the group
    x is F / √S(x): movers lived through half the interval after they moved, on average. Those
    who moved and came back, or moved twice, in the interval are not there, or once.

    References
    ----------
    UN (1970), *Manual VI: Methods of Measuring Internal Migration*, ch. I (residence at a fixed
    prior date); Shryock & Siegel (1976), *The Methods and Materials of Demography*, ch. 21;
    Rees, Bell, Duke-Williams & Blake (2000), "Problems and solutions in the measurement of
    migration intensities", *Population Studies* 54:207-222.

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> places = ["north", "south"]
    >>> table = xr.DataArray([[900.0, 100.0], [40.0, 500.0]], dims=("origin", "destination"),
    ...     coords={"origin": places, "destination": places})
    >>> result = mp.residence_migration(table, interval=5)
    >>> result["net_migration"].values
    array([-60.,  60.])
    """
    check_dims("table", table, "origin", "destination")
    check_counts("table", table)
    check_lacks("table", table, "place", "its places are those of origin and destination")
    if "origin" not in table.indexes:
        raise SchemaError("table: dim 'origin' has no labels: table.assign_coords(origin=[...])")
    mend = "give all places as origin and as destination; select the people who answered"
    check_labels_of("table", table, "destination", "table", table, "origin", mend)
    years = None if interval is None else snap(float(interval))
    if years is not None and not years > 0:
        raise IntervalError(f"interval: expected a number of years above 0, got {interval!r}")
    flows = table.astype(float)
    if survival is not None:
        years = _check_survival(survival, table, years)
        flows = flows / survival.drop_vars("age_start", errors="ignore") ** 0.5
        flows = flows.transpose(*table.dims, ...)
    across = flows["origin"] != flows["destination"]
    moved = flows.where(across, 0.0)
    come = moved.sum("origin", skipna=False).rename(destination="place")
    left = moved.sum("destination", skipna=False).rename(origin="place")
    found = {
        "in_migrants": come,
        "out_migrants": left,
        "net_migration": come - left,
        "flows": moved.transpose(*flows.dims),
    }
    made = {
        name: array.rename(name).assign_attrs(units=VARIABLES[name].units)
        for name, array in found.items()
    }
    result = xr.Dataset(made).drop_vars(["time", "date"], errors="ignore")
    return result if years is None else result.assign_coords(period_width=years)


def _check_survival(survival: xr.DataArray, table: xr.DataArray, years: float | None) -> float:
    """Ratios for the ages and the interval of the table; returns the interval."""
    check_dims("table", table, "age")
    check_dims("survival", survival, "age")
    check_survival("survival", survival)
    check_labels_match({"table": table, "survival": survival}, dims=survival.dims)
    if groups_of(survival, "survival") != groups_of(table, "table"):
        raise AlignmentError(
            "survival: dim 'age': expected the age groups of table; mp.survival_ratios(life_table, "
            "ages=table, interval=...) makes them"
        )
    width = survival.coords.get("period_width")
    if years is None and width is None:
        raise IntervalError("interval: unknown, for survival does not say its own; pass interval=5")
    if years is None and width is not None:
        return float(width)
    check_made_for("survival", survival, float(years or 0))
    return float(years or 0)
