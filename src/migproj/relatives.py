"""Emigrants whom their relatives at home report: the residence of children."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import xarray as xr

from migproj._checks import (
    check_counts,
    check_dims,
    check_labels_match,
    check_lacks,
    check_rates,
    check_same_places,
    check_table,
)
from migproj.ages import AgeGroups, groups_of
from migproj.conventions import VARIABLES
from migproj.errors import AlignmentError, SchemaError
from migproj.survival import ratios_of

__all__ = ["emigrants_from_children"]


def emigrants_from_children(
    abroad: xr.DataArray,
    resident: xr.DataArray,
    population: xr.DataArray,
    *,
    fertility: xr.DataArray | None = None,
    life_table: xr.Dataset | None = None,
) -> xr.Dataset:
    r"""Natives living abroad, from what mothers at a census say of where their children live.

    Parameters
    ----------
    abroad, resident : DataArray (..., age) or (..., mother_age)
        Living children (persons) of the women counted who live abroad and in the country, by
        their own age, or by the age group of the mother.
    population : DataArray (..., age)
        Residents born in the country (persons) at the census, by sex as the children.
    fertility : DataArray (..., age), optional
        Births per woman-year by age of mother, of the decades in which the children were born;
        only its pattern counts. By age of mother it is needed.
    life_table : Dataset with ``lx`` and ``Tx`` (..., age), optional
        Survival of the children (:func:`life_table`). By age of mother it is needed.

    Returns
    -------
    Dataset
        ``share_abroad`` (..., age), of those born in the country and alive, and
        ``natives_abroad`` (..., age; persons), in the age groups of `population`. Missing where
        nobody of an age is reported; by age of mother, where the middle of an age group is
        younger or older than the children of all mothers on average, and in the open-ended
        group. By age of mother with ``mean_age`` (..., mother_age; years) of the children.

    Raises
    ------
    SchemaError
        If dims or values are not what is described here.
    AlignmentError
        If labels or age groups differ.

    Notes
    -----
    With A children abroad and R in the country, of an age x, and N residents of that age,

    .. math:: E_x = N_x A_x / R_x

    Those whose mother died or left too are so taken to have gone in the same proportion; where
    whole families left, this is too few. By age of mother i the share A/(A + R) is that of the
    mean age of her living children,

    .. math::
       \bar{x}_i = \frac{\sum_x x\, f_{i-x} L_x}{\sum_x f_{i-x} L_x}

    which is exact where the share abroad is linear in age (3 percentage points off where it rises
    from 0 at age 15 to 30 % at 35); between these ages it is interpolated,
    and beyond them nothing is said. Somoza spreads each mother's children over their ages by a
    model of fertility; the mean age needs only its location.

    References
    ----------
    Somoza (1977), "Una idea para estimar la población emigrante por sexo y edad en el censo de un
    país", *Notas de Población* 15:89-106; Zaba (1986), *Measurement of Emigration Using Indirect
    Techniques*, IUSSP; Hill (1987), "New approaches to the estimation of migration flows from
    census and administrative data sources", *International Migration Review* 21:1279-1303; Zaba
    (1987), "The indirect estimation of migration: a critical review", ibid. 21:1395-1445.

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> ages = mp.age_coords(["15-19", "20-24", "25-29"], open_ended=False)
    >>> people, here, abroad = (xr.DataArray(x, dims="age", coords=ages)
    ...     for x in ([9000.0, 8000, 7000], [5000.0, 4000, 3000], [100.0, 200, 240]))
    >>> mp.emigrants_from_children(abroad, here, people)["natives_abroad"].values
    array([180., 400., 560.])
    """
    dim = "mother_age" if "mother_age" in getattr(abroad, "dims", ()) else "age"
    for name, array in (("abroad", abroad), ("resident", resident)):
        check_dims(name, array, dim)
        check_counts(name, array, people=False)
        if dim == "mother_age":
            check_lacks(name, array, "age", "by age of mother the children's ages are found here")
    check_dims("population", population, "age")
    check_counts("population", population)
    check_same_places("abroad", abroad, "population", population)
    check_labels_match({"abroad": abroad, "resident": resident}, dims=abroad.dims)
    others = [d for d in population.dims if d != "age"]
    check_labels_match({"abroad": abroad, "population": population}, dims=others)
    groups = groups_of(population, "population")
    own = groups_of(abroad, "abroad", dim=dim)
    if (got := groups_of(resident, "resident", dim=dim)) != own:
        raise AlignmentError(
            f"resident: dim {dim!r}: expected the groups of abroad; {own.unlike(got)}; sum both to "
            "the same groups"
        )
    children = abroad + resident
    share = abroad / children.where(children > 0)
    if dim == "age":
        if fertility is not None or life_table is not None:
            raise SchemaError(
                "fertility, life_table: not used where abroad is by the children's own age; drop "
                "them"
            )
        if own != groups:
            raise AlignmentError(
                f"abroad: dim 'age': expected the groups of population; "
                f"{groups.unlike(own)}; mp.regroup_ages makes one the other"
            )
        found = {"share_abroad": share}
    else:
        mean_age = _mean_age(own, fertility, life_table)
        found = {"share_abroad": _at_ages(share, mean_age, groups), "mean_age": mean_age}
    # With none in the country nothing is known of those abroad beside them.
    at_home = 1.0 - found["share_abroad"]
    found["natives_abroad"] = population * found["share_abroad"] / at_home.where(at_home > 0)
    made = {
        name: array.rename(name).assign_attrs(units=VARIABLES[name].units)
        for name, array in found.items()
    }
    for name in ("share_abroad", "natives_abroad"):
        made[name] = made[name].transpose(..., "age")
    return xr.Dataset(made)


def _mean_age(
    mothers: AgeGroups, fertility: xr.DataArray | None, life_table: xr.Dataset | None
) -> xr.DataArray:
    """Mean age (..., mother_age) of the living children of women in age groups."""
    if fertility is None or life_table is None:
        raise SchemaError(
            "fertility, life_table: expected both, for abroad is by age of mother and the "
            "children's ages follow from them"
        )
    check_dims("fertility", fertility, "age")
    check_rates("fertility", fertility)
    check_table("life_table", life_table, "lx", "Tx")
    check_lacks("fertility", fertility, "mother_age", "its dim is age: the mother's at the birth")
    births = groups_of(fertility, "fertility")
    if mothers.is_open:
        raise SchemaError(
            f"abroad: dim 'mother_age': expected closed age groups, got {mothers.labels[-1]}; "
            "leave it out: abroad.isel(mother_age=slice(-1)), with its width in mother_age_width"
        )
    # A woman's age less that of her child, in whole years, is her age at the birth.
    of_mother = np.arange(mothers.lower[0], mothers.lower[-1] + mothers.width[-1]).astype(int)
    child = np.arange(of_mother[-1] + 1)
    width = births.width[-2] if births.is_open and len(births.width) > 1 else births.width[-1]
    last = births.lower[-1] + width
    at_birth = of_mother[:, None] - child
    fertile = (at_birth >= births.lower[0]) & (at_birth < last)
    group = np.searchsorted(births.lower, at_birth, side="right") - 1
    bearing = fertile[..., None] & (group[..., None] == np.arange(len(births.lower)))
    which = np.searchsorted(mothers.lower, of_mother, side="right") - 1
    starts = np.searchsorted(which, np.arange(len(mothers.lower)))
    pattern = xr.DataArray(
        np.add.reduceat(bearing.astype(float), starts, axis=0), dims=("mother_age", "child", "age")
    )
    top = min(int(groups_of(life_table, "life_table").lower[-1]), len(child))
    low = np.arange(top, dtype=float)
    born = np.full(top, np.nan)
    alive = ratios_of(life_table, low, low + 1, born, born).rename(age="child")
    bare = fertility.drop_vars(["age", "age_width"], errors="ignore")
    living = xr.dot(pattern.isel(child=slice(top)), bare, dim="age") * alive
    years = xr.DataArray(low + 0.5, dims="child")
    total = living.sum("child", skipna=False)
    mean: xr.DataArray = (living * years).sum("child", skipna=False) / total.where(total > 0)
    return mean.transpose(..., "mother_age").assign_coords(mothers.coords(dim="mother_age"))


def _at_ages(share: xr.DataArray, mean_age: xr.DataArray, groups: AgeGroups) -> xr.DataArray:
    """A share by age of mother at the middles of age groups, between the children's mean ages."""
    middle = np.array(groups.lower) + np.array(groups.width) / 2
    middle[~np.isfinite(middle)] = np.nan

    def between(
        of_mothers: npt.NDArray[np.float64], at: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        known = np.isfinite(of_mothers) & np.isfinite(at)
        if not known.any() or (np.diff(at[known]) <= 0).any():
            return np.full(len(middle), np.nan)
        return np.interp(middle, at[known], of_mothers[known], left=np.nan, right=np.nan)

    found: xr.DataArray = xr.apply_ufunc(
        between,
        share.drop_vars(["mother_age", "mother_age_width"], errors="ignore"),
        mean_age.drop_vars(["mother_age", "mother_age_width"], errors="ignore"),
        input_core_dims=[["mother_age"], ["mother_age"]],
        output_core_dims=[["age"]],
        vectorize=True,
        dask="parallelized",
        dask_gufunc_kwargs={"output_sizes": {"age": len(middle)}},
        output_dtypes=[float],
    )
    return found.assign_coords(groups.coords())
