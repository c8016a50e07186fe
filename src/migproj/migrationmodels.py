"""Model age patterns of migration: shares of a total by sex and age."""

from __future__ import annotations

from typing import Final

import xarray as xr

from migproj._checks import as_number, check_dims, check_labels_match, check_lacks, check_sexes
from migproj.ages import AgeGroups, AgesLike, as_groups, summed, unions
from migproj.conventions import FEMALE, VARIABLES
from migproj.datasets import load
from migproj.errors import SchemaError
from migproj.rogerscastro import rogers_castro

__all__ = ["model_migration_schedule"]

#: The single years that a total is shared out over.
_YEARS: Final = 101


def model_migration_schedule(
    model: str | xr.DataArray = "western standard",
    ages: AgesLike = range(101),
    *,
    women: float | xr.DataArray | None = None,
) -> xr.DataArray:
    r"""Shares of a total of migrants by sex and age, from a model of how rates vary with age.

    Parameters
    ----------
    model : str or DataArray (..., sex, parameter), optional
        A schedule of ``mp.datasets.load("rogers_castro_models")``: "fundamental", "western
        standard", "low dependency", "high dependency", ...; or parameters of
        :func:`rogers_castro` for both sexes, with families and directions as further dims.
    ages : array with an ``age`` coordinate, or sequence of int or str, default single years to 100
        Age groups, the last open-ended, as in :func:`age_coords`.
    women : float or DataArray, optional
        Share of women in the total (1). Default: as the levels of the two curves have it, which
        is about one half in the schedules by name.

    Returns
    -------
    DataArray "migration_schedule" (..., sex, age)
        Shares (1) that sum to 1 over both; for :func:`distribute_migration`, or the
        `migration_schedule` of :func:`project_population`. Where people leave the shares are
        positive and the total is negative.

    Raises
    ------
    SchemaError
        If there is no such schedule, a share is not from 0 to 1, a sex is missing, or the groups
        are not from 0 to an open-ended one.
    AlignmentError
        If `model` and `women` share a dim with other labels, or another order, in one of them.

    Notes
    -----
    .. math::
       s_{kx} = f_k \, m_k(x) \Big/ \sum_{y=0}^{100} m_k(y)

    with m of :func:`rogers_castro` and f the share of sex k, summed over the ages of each group.
    Shares in proportion to rates suppose equal numbers of people at risk at every age, and so
    give too many old migrants. Where the people at risk are known by age, give rates and people
    to :func:`distribute_migration`.

    References
    ----------
    Rogers & Castro (1981), *Model Migration Schedules*, IIASA RR-81-30; UN (1992), *Preparing
    Migration Data for Subnational Population Projections*; Castro & Rogers (1983), "What the age
    composition of migrants can tell us", *Population Bulletin of the United Nations* 15:63-79.

    Examples
    --------
    >>> import migproj as mp
    >>> ages = ["0-14", "15-29", "30-64", "65+"]
    >>> shares = mp.model_migration_schedule("low dependency", ages, women=0.4)
    >>> shares.sel(sex="male").round(3).values
    array([0.082, 0.262, 0.196, 0.06 ])
    """
    parameters = _named(model) if isinstance(model, str) else model
    check_dims("model", parameters, "sex", "parameter")
    check_sexes("model", parameters, both=True)
    groups = as_groups(ages)
    single = AgeGroups(tuple(range(_YEARS)), (*([1.0] * (_YEARS - 1)), float("inf")))
    offsets = unions(single, groups, "the model")
    curve = rogers_castro(parameters, range(_YEARS)).transpose(..., "age")
    of_sex = curve / curve.sum("age")
    if women is None:
        level = curve.sum("age", skipna=False)
        of_sex = of_sex * (level / level.sum("sex", skipna=False))
    else:
        share = as_number("women", women)
        if share.chunks is None and bool(((share < 0) | (share > 1)).any()):
            raise SchemaError(
                "women: expected a share from 0 to 1, got "
                f"{share.values.ravel()[:5].tolist()}; divide percentages by 100"
            )
        check_lacks("women", share, "sex", "it is the share of one sex")
        check_labels_match({"model": parameters, "women": share}, dims=share.dims)
        of_women = curve["sex"] == FEMALE
        of_sex = of_sex * (of_women * share + ~of_women * (1 - share))
    shares = summed(of_sex, offsets).transpose(..., "sex", "age")
    shares = shares.assign_coords(groups.coords()).rename("migration_schedule")
    return shares.assign_attrs(units=VARIABLES["migration_schedule"].units)


def _named(model: str) -> xr.DataArray:
    table = load("rogers_castro_models")["parameters"]
    able = table["schedule"].values.tolist()
    if model not in able:
        raise SchemaError(f"model: expected one of {able}, or parameters, got {model!r}")
    return table.sel(schedule=model, drop=True)
