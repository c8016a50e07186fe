"""Projection of people by residence and birthplace where all emigrants arrive somewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy.typing as npt
import xarray as xr

from migproj._apply import Input, Output, apply_together
from migproj._checks import (
    as_number,
    check_dims,
    check_labels_of,
    check_lacks,
    check_none_within,
    check_shares,
    check_weights,
)
from migproj._choices import float_type, outputs_kept
from migproj._components import Components, components
from migproj._diagnostics import above_one, warn_findings
from migproj.conventions import FEMALE
from migproj.errors import SchemaError

__all__ = ["project_world"]

_CELLS: Final = ("country", "birthplace", "sex", "age")
_RATES: Final = ("period", "country", "birthplace")
_WORLD: Final = (
    "The world has every country as residence and as birthplace; the rest of it can be one more"
)
#: What a projection can return, in the order of the kernel's outputs.
_OUTPUTS: Final = ("stock", "births", "deaths_cohort", "emigrants", "arrivals")


def project_world(
    stock: xr.DataArray,
    survival: xr.DataArray,
    fertility: xr.DataArray,
    sex_ratio_at_birth: float | xr.DataArray,
    emigration: xr.DataArray,
    destinations: xr.DataArray,
    *,
    steps: int | None = None,
    keep: Sequence[str] | None = None,
    dtype: npt.DTypeLike = "float64",
) -> xr.Dataset:
    r"""Project everyone by residence and birthplace: who leaves a country arrives in another.

    Parameters
    ----------
    stock : DataArray (..., country, birthplace, sex, age)
        People (persons) of each country by birthplace at the start, natives among them, in
        groups of one width with an open-ended last one. ``birthplace`` has the labels of
        ``country``, in the same order.
    survival : DataArray (..., [period,] [country,] [birthplace,] sex, age)
        Survival ratios over one step by the group arrived in (:func:`survival_ratios`).
    fertility : DataArray (..., [period,] [country,] [birthplace,] age)
        Births per woman-year, where women live (by their birthplace).
    sex_ratio_at_birth : float or DataArray (..., [period,] [country])
        Males per female.
    emigration : DataArray (..., [period,] [country,] [birthplace,] [sex,] age)
        Hazard of leaving the country (1/year), by completed age, as in :func:`project_stocks`.
    destinations : DataArray (..., [period,] [birthplace,] origin, destination)
        Shares (1) of those leaving each origin by destination; they sum to 1 over
        ``destination``, and are 0 or missing from a country to itself. By ``birthplace`` they
        hold return migration: the share whose destination is the birthplace. Where they are
        missing nobody may leave, or arrivals are missing too.
    steps : int, optional
        How many steps, where no input has the dim ``period``. Default 1.
    keep : sequence of str, optional
        The variables wanted, of those below; the others are not stored. Default: all.
    dtype : {"float64", "float32"} or the NumPy type
        The type in which to store results, as in :func:`project_population`.

    Returns
    -------
    Dataset
        ``stock`` (..., time, country, birthplace, sex, age; persons), ``births`` (..., period,
        country, birthplace of the mother, sex of the child, mother_age), ``deaths_cohort``,
        ``emigrants`` and ``arrivals`` (..., period, country, birthplace, sex, age arrived in), in
        persons per period. ``n_survival_above_one`` (dims of `survival` but period, sex and age)
        counts ratios above 1.

    Raises
    ------
    SchemaError
        If dims, labels or values are not what is described here.
    AlignmentError
        If the inputs' labels differ, or those of ``birthplace``, ``origin`` or ``destination``
        from those of ``country``.
    IntervalError
        If the age groups differ in width, or the periods are not one width apart.

    Warns
    -----
    DataQualityWarning
        Once a call, naming the labels: survival above 1.

    Notes
    -----
    In each country and birthplace those exposed stay, die or leave as in :func:`project_stocks`.
    Who leaves is in the country of destination at the end of the step, in the same age group,

    .. math::
       A_{d,b}(x) = \sum_c \sigma_{b,c,d}\, E_{c,b}(x),

    with the emigrants E by the age arrived in and the shares σ: whoever has left does not die
    or move on within the step. Women exposed are the mean of the start and the end; children
    are natives of the country where their mothers live, and may leave it. So in every country,
    birthplace, sex and age change = births (of natives) - deaths + arrivals - emigrants, and
    over all countries arrivals are emigrants: net migration of the world is 0 to rounding.

    References
    ----------
    Rogers (1995), *Multiregional Demography*; Abel & Cohen (2019), "Bilateral international
    migration flow estimates for 200 countries", *Scientific Data* 6:82 (stocks by birthplace as
    the account that flows have to keep).

    Examples
    --------
    >>> import migproj as mp, numpy as np, xarray as xr
    >>> places, ages = ["ARG", "BOL"], mp.age_coords([0, 15, 30])
    >>> people = xr.DataArray([[900.0, 100.0], [10.0, 500.0]], dims=("country", "birthplace"),
    ...     coords={"country": places, "birthplace": places})
    >>> shape = xr.DataArray(np.full((2, 3), 1 / 6), dims=("sex", "age"),
    ...     coords={"sex": ["female", "male"], **ages})
    >>> survival = xr.full_like(shape, 0.9)
    >>> fertility = xr.DataArray([0.05], dims="age", coords={"age": [15]})
    >>> leaving = xr.DataArray([0.01, 0.02, 0.0], dims="age", coords=ages)
    >>> to = xr.DataArray([[0.0, 1.0], [1.0, 0.0]], dims=("origin", "destination"),
    ...     coords={"origin": places, "destination": places})
    >>> result = mp.project_world(people * shape, survival, fertility, 1.05, leaving, to)
    >>> net = result["arrivals"] - result["emigrants"]
    >>> net.sum(["birthplace", "sex", "age"]).values.round(2)
    array([[-56.13,  56.13]])
    """
    from migproj._kernels import stocks as kernels

    destinations = _of_others(destinations)
    parts = _checked(
        stock, survival, fertility, sex_ratio_at_birth, emigration, destinations, steps
    )
    kept, stored = outputs_kept(keep, _OUTPUTS), float_type(dtype)
    ways, places = parts.ways, stock["country"]
    sexes = stock["sex"].values
    cells = (places.size, places.size, 2, len(ways.groups))
    mothers = (places.size, places.size, 2, len(parts.fertile))
    coords = {**ways.coords(), **parts.fertile.variables("mother_age"), "sex": sexes}
    coords |= dict.fromkeys(("country", "birthplace"), places.values)
    count, above = above_one(survival)
    count = count.transpose(..., *(dim for dim in _CELLS if dim in count.dims))
    result = apply_together(
        kernels.project_world,
        [
            Input("stock", stock, _CELLS),
            Input("survival", survival, (*_RATES, "sex", "age"), may_lack=_RATES),
            Input("emigration", emigration, (*_RATES, "sex", "age"), may_lack=(*_RATES, "sex")),
            Input("fertility", parts.fertility, (*_RATES, "age"), may_lack=_RATES),
            Input("sex_ratio_at_birth", parts.ratio, _RATES[:2], may_lack=_RATES[:2]),
            Input(
                "destinations",
                destinations,
                ("period", "birthplace", "origin", "destination"),
                may_lack=("period", "birthplace"),
            ),
        ],
        [
            Output(name, dims, (count if name in kept else 0, *sizes), stored)
            for name, dims, count, sizes in (
                ("stock", ("time", *_CELLS), ways.count + 1, cells),
                ("births", (*_RATES, "sex", "mother_age"), ways.count, mothers),
                ("deaths_cohort", ("period", *_CELLS), ways.count, cells),
                ("emigrants", ("period", *_CELLS), ways.count, cells),
                ("arrivals", ("period", *_CELLS), ways.count, cells),
            )
        ],
        ways.count,
        parts.first,
        sexes.tolist().index(FEMALE),
        ways.width,
        coords=coords,
        keep=kept,
        beside={"n_survival_above_one": count},
    )
    warn_findings("project_world", [above])
    return result


def _of_others(destinations: xr.DataArray) -> xr.DataArray:
    """Shares of other countries, where a table has none (or nothing) for the country itself."""
    check_dims("destinations", destinations, "origin", "destination")
    check_none_within("destinations", destinations, "who leaves arrives elsewhere")
    origin, destination = (destinations[dim] for dim in ("origin", "destination"))
    return destinations.where(origin != destination, 0.0)


def _checked(
    stock: xr.DataArray,
    survival: xr.DataArray,
    fertility: xr.DataArray,
    sex_ratio_at_birth: float | xr.DataArray,
    emigration: xr.DataArray,
    destinations: xr.DataArray,
    steps: int | None,
) -> Components:
    """The components of the projection, by the rules of one population and of its world."""
    check_dims("stock", stock, *_CELLS)
    check_lacks("destinations", destinations, "country", "its countries are those of the origin")
    if "country" not in stock.indexes:
        raise SchemaError(
            "stock: dim 'country' has no labels; nothing is aligned by position: "
            "stock.assign_coords(country=[...])"
        )
    for name, array, dim in (
        ("stock", stock, "birthplace"),
        ("destinations", destinations, "origin"),
        ("destinations", destinations, "destination"),
    ):
        check_labels_of(name, array, dim, "stock", stock, "country", _WORLD)
    parts = components(
        stock,
        {
            "survival": survival,
            "fertility": fertility,
            "sex_ratio_at_birth": as_number("sex_ratio_at_birth", sex_ratio_at_birth),
            "emigration": emigration,
            "destinations": destinations,
        },
        steps,
        exits=False,
    )
    check_lacks(
        "sex_ratio_at_birth", parts.ratio, "birthplace", "it is one for all children of a country"
    )
    check_weights("destinations", destinations, "shares")
    check_shares("destinations", destinations, ["destination"])
    return parts
