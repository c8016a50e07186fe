"""Brass's relational logit: one life table from another by level and slope."""

from __future__ import annotations

import numpy as np
import xarray as xr

from migproj._checks import (
    as_number,
    check_dims,
    check_finite,
    check_labels_match,
    check_lacks,
    check_table,
    check_weights,
    where,
)
from migproj.ages import groups_of
from migproj.conventions import VARIABLES
from migproj.errors import AlignmentError, SchemaError

__all__ = ["brass_logit", "fit_brass_logit"]


def brass_logit(
    standard: xr.Dataset,
    *,
    alpha: float | xr.DataArray = 0.0,
    beta: float | xr.DataArray = 1.0,
) -> xr.DataArray:
    r"""Survivors of a model life table related to a standard by Brass's logit.

    Parameters
    ----------
    standard : Dataset with ``lx`` (..., age)
        Life table from age 0, as made by :func:`life_table`, of any radix.
    alpha : float or DataArray (...), default 0.0
        Level: above 0, mortality is higher than the standard's at all ages.
    beta : float or DataArray (...), default 1.0
        Slope, above 0: above 1, mortality is lower than the standard's at young ages and higher
        at old ones, around the age by which half of the standard have died.

    Returns
    -------
    DataArray "lx" (..., age)
        Survivors to the group's lower bound, radix 1. Ages at which the standard's survivors
        are all or none stay so.

    Raises
    ------
    SchemaError
        If the standard has no lx from age 0, or lx above that at age 0; if alpha or beta is
        by age or infinite, or beta is not above 0.
    AlignmentError
        If a dim that inputs share has other labels, or another order, in one of them.

    Notes
    -----
    With l(x) the standard's survivors at radix 1:

    .. math:: Y(x) = \tfrac12 \ln \frac{1 - l(x)}{l(x)}, \quad
              l^*(x) = \frac{1}{1 + \exp(2 \alpha + 2 \beta\, Y(x))}

    A missing value makes missing what depends on it, and nothing else.

    References
    ----------
    Brass (1971), "On the scale of mortality", in *Biological Aspects of Demography*; Preston,
    Heuveline & Guillot (2001), *Demography*, ch. 9.

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> mx = xr.DataArray([0.02, 0.001, 0.0005, 0.02], dims="age",
    ...                   coords=mp.age_coords(["0", "1-4", "5-9", "10+"]))
    >>> standard = mp.life_table(mx.assign_coords(sex="female"))
    >>> mp.brass_logit(standard, alpha=0.3).round(4).values
    array([1.    , 0.9648, 0.9579, 0.9536])
    """
    given = {"alpha": as_number("alpha", alpha), "beta": as_number("beta", beta)}
    for name, parameter in given.items():
        check_dims(name, parameter)
        check_lacks(name, parameter, "age", f"a table has one {name}; select an age, or average")
        check_finite(name, parameter)
    if given["beta"].chunks is None and bool((given["beta"] <= 0).any()):
        flags = np.asarray(given["beta"].values <= 0)
        raise SchemaError(
            f"beta: expected slopes above 0, got {int(flags.sum())} other value(s): "
            f"{'; '.join(where(given['beta'], flags))}; at 0 or below survivors do not fall by age"
        )
    survivors = _survivors("standard", standard)
    arrays = {"standard": survivors, **given}
    check_labels_match(arrays, dims=_dims_of(arrays))
    exponent = 2.0 * (given["alpha"] + given["beta"] * _logit(survivors))
    related = 1.0 / (1.0 + exponent.copy(data=np.exp(exponent.data)))
    inside = _inside(survivors) | survivors.isnull()
    known = given["alpha"].notnull() & given["beta"].notnull()
    made = related.where(inside, survivors.where(known))
    made = made.transpose(..., "sex", "age", missing_dims="ignore")
    made = made.assign_coords(groups_of(survivors, "standard").coords()).rename("lx")
    made.attrs = {"units": VARIABLES["lx"].units}
    return made


def fit_brass_logit(life_table: xr.Dataset, standard: xr.Dataset) -> xr.Dataset:
    r"""Level and slope of Brass's logit that bring a standard nearest to a life table.

    Parameters
    ----------
    life_table, standard : Dataset with ``lx`` (..., age)
        Life tables from age 0 by the same groups, as made by :func:`life_table`, of any radix.

    Returns
    -------
    Dataset
        ``alpha`` and ``beta`` (...), dimensionless, by ordinary least squares of the logits
        over the ages at which both survivors are between all and none.

    Raises
    ------
    SchemaError
        If a table has no lx from age 0, or lx above that at age 0; if fewer than two ages can
        be used, or the standard's survivors do not fall between them.
    AlignmentError
        If the age groups differ, or a dim that both share has other labels or another order.

    Notes
    -----
    .. math:: Y(x) = \alpha + \beta\, Y_s(x) + \epsilon(x), \quad
              Y(x) = \tfrac12 \ln \frac{1 - l(x)}{l(x)}

    A missing lx makes alpha and beta of its own table missing, and of no other.

    References
    ----------
    Brass (1971), "On the scale of mortality", in *Biological Aspects of Demography*; Preston,
    Heuveline & Guillot (2001), *Demography*, ch. 9.

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> mx = xr.DataArray([0.02, 0.001, 0.0005, 0.02], dims="age",
    ...                   coords=mp.age_coords(["0", "1-4", "5-9", "10+"]))
    >>> standard = mp.life_table(mx.assign_coords(sex="female"))
    >>> table = mp.brass_logit(standard, alpha=0.3, beta=0.9).to_dataset()
    >>> fit = mp.fit_brass_logit(table, standard)
    >>> round(float(fit["alpha"]), 6), round(float(fit["beta"]), 6)
    (0.3, 0.9)
    """
    tables = {
        "life_table": _survivors("life_table", life_table),
        "standard": _survivors("standard", standard),
    }
    groups, expected = (groups_of(table, name) for name, table in tables.items())
    if groups != expected:
        raise AlignmentError(
            f"life_table: dim 'age': expected the groups of standard; "
            f"{expected.unlike(groups)}; make both tables by the same groups"
        )
    check_labels_match(tables, dims=_dims_of(tables))
    ours, theirs = tables.values()
    missing = (ours.isnull() | theirs.isnull()).any("age")
    used = _inside(ours) & _inside(theirs)
    y, x = _logit(ours).where(used), _logit(theirs).where(used)
    few = ~(x.max("age") > x.min("age")) & ~missing
    if few.chunks is None and bool(few.any()):
        raise SchemaError(
            f"life_table: dim 'age': expected two or more ages at which survivors of both tables "
            f"are between all and none, and fall in the standard, got fewer "
            f"({'; '.join(where(few, few.values))}); give tables by more ages"
        )
    from_mean = x - x.mean("age")
    beta = (from_mean * y).sum("age") / (from_mean**2).sum("age").where(~missing)
    alpha = y.mean("age") - beta * x.mean("age")
    fit = xr.Dataset({"alpha": alpha, "beta": beta}).transpose(..., "sex", missing_dims="ignore")
    for name in fit:
        fit[name].attrs = {"units": "1"}
    return fit


def _survivors(name: str, table: xr.Dataset) -> xr.DataArray:
    """The checked lx of a table, at radix 1."""
    check_table(name, table, "lx")
    lx = table["lx"]
    check_weights(f"{name}['lx']", lx, "survivors")
    groups = groups_of(table, name)
    if groups.lower[0] != 0:
        raise SchemaError(
            f"{name}: dim 'age': expected survivors from age 0, got {groups.labels[0]} first; "
            "logits are of the share of those born"
        )
    survivors = lx.astype(np.float64) / lx.isel(age=0, drop=True)
    if survivors.chunks is None and bool((survivors > 1).any()):
        above = np.asarray(survivors.values > 1)
        raise SchemaError(
            f"{name}['lx']: expected no more survivors than at age 0, got {int(above.sum())} "
            f"value(s) above: {'; '.join(where(survivors, above))}; mp.life_table(mx) makes lx"
        )
    return survivors.assign_coords(groups.coords())


def _inside(survivors: xr.DataArray) -> xr.DataArray:
    return (survivors > 0) & (survivors < 1)


def _logit(survivors: xr.DataArray) -> xr.DataArray:
    """Brass's logit, missing where it is infinite."""
    share = survivors.where(_inside(survivors))
    odds: xr.DataArray = (1.0 - share) / share
    return odds.copy(data=0.5 * np.log(odds.data))


def _dims_of(arrays: dict[str, xr.DataArray]) -> list[str]:
    return list(dict.fromkeys(str(dim) for array in arrays.values() for dim in array.dims))
