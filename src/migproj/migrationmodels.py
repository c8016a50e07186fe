"""Model age patterns of migration: shares of a total by sex and age."""

from __future__ import annotations

from typing import Final, Literal

import numpy as np
import xarray as xr

from migproj.ages import AgeGroups, AgesLike, as_groups, unions
from migproj.conventions import VARIABLES
from migproj.datasets import load
from migproj.errors import SchemaError
from migproj.rogerscastro import rogers_castro

__all__ = ["model_migration_schedule"]

#: The single years that a total is shared out over.
_YEARS: Final = 121


def model_migration_schedule(
    family: Literal["family", "female labour", "male labour"],
    ages: AgesLike = range(101),
    *,
    direction: Literal["in", "out"] = "in",
) -> xr.DataArray:
    r"""Shares of a total of migrants by sex and age, of a family of the United Nations.

    Parameters
    ----------
    family : {"family", "female labour", "male labour"}
        Whole families, as many women as men; workers with few dependants, 64% women, or 66%
        men.
    ages : array with an ``age`` coordinate, or sequence of int or str, default single years to 100
        Age groups, the last open-ended, as in :func:`age_coords`.
    direction : {"in", "out"}, default "in"
        Whether people come or leave, on balance. The two fits differ by less than 0.5% of a
        share but at old ages.

    Returns
    -------
    DataArray "migration_schedule" (sex, age)
        Shares (1) that sum to 1 over both; for :func:`distribute_migration`, or the
        `migration_schedule` of :func:`project_population`. Where people leave the shares are
        positive and the total is negative.

    Raises
    ------
    SchemaError
        If there is no such family or direction, or the groups are not from 0 to an open-ended
        one.

    Notes
    -----
    .. math::
       s_{kx} = \frac{m_k(x)}{\sum_{k} \sum_{y=0}^{120} m_k(y)}

    with m of :func:`rogers_castro` for sex k (``mp.datasets.load("un_migration_families")``),
    summed over the ages of each group.

    References
    ----------
    Castro & Rogers (1983), "What the age composition of migrants can tell us", *Population
    Bulletin of the United Nations* 15:63-79; Riffe et al., *DemoTools* (mig_un_params).

    Examples
    --------
    >>> import migproj as mp
    >>> shares = mp.model_migration_schedule("male labour", ["0-14", "15-29", "30-64", "65+"])
    >>> shares.sum("age").round(3).to_series().to_dict()
    {'female': 0.344, 'male': 0.656}
    """
    table = load("un_migration_families")["parameters"]
    for name, value, dim in (("family", family, "family"), ("direction", direction, "direction")):
        able = table[dim].values.tolist()
        if value not in able:
            raise SchemaError(f"{name}: expected one of {able}, got {value!r}")
    groups = as_groups(ages)
    single = AgeGroups(tuple(range(_YEARS)), (*([1.0] * (_YEARS - 1)), float("inf")))
    offsets = unions(single, groups, "the model")
    curve = rogers_castro(
        table.sel(family=family, direction=direction, drop=True), range(_YEARS)
    ).transpose("sex", "age")
    shares = np.add.reduceat(curve.values, offsets[:-1], axis=1) / curve.values.sum()
    return xr.DataArray(
        shares,
        dims=("sex", "age"),
        coords={"sex": curve["sex"].values, **groups.coords()},
        name="migration_schedule",
        attrs={"units": VARIABLES["migration_schedule"].units},
    )
