"""Projection of migrant stocks by birthplace."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import xarray as xr

from migproj._apply import Input, Output, apply_together
from migproj._checks import (
    check_counts,
    check_dims,
    check_finite,
    check_labels_match,
    check_lacks,
    check_rates,
    check_same_places,
    check_sexes,
)
from migproj._choices import choice_codes, float_type, outputs_kept
from migproj._components import shares_of_exits
from migproj._diagnostics import above_one, counted, finding, warn_findings
from migproj._steps import TIMINGS, Steps, check_survival_grid, plan, same_grid
from migproj.conventions import VARIABLES
from migproj.errors import SchemaError

__all__ = ["project_stocks"]

_PERIOD: Final = ("period",)
_FEWER: Final = (
    "more people leave than there are: check their migration, or give hazards (emigration=)"
)
_LAST: Final = ("time", "period", "duration", "sex", "age")


def project_stocks(
    stock: xr.DataArray,
    survival: xr.DataArray,
    arrivals: xr.DataArray | None = None,
    *,
    emigration: xr.DataArray | None = None,
    net_migration: xr.DataArray | None = None,
    timing: str | xr.DataArray = "even",
    population: xr.DataArray | None = None,
    keep: Sequence[str] | None = None,
    dtype: npt.DTypeLike = "float64",
    steps: int | None = None,
) -> xr.Dataset:
    r"""Project migrant stocks by survival, arrivals and emigration; nobody is born into them.

    Parameters
    ----------
    stock : DataArray (..., [duration,] age)
        People of each birthplace (persons; usually ..., birthplace, sex, age) at the start, in
        groups of one width with an open-ended last one. Where the groups begin above age 0,
        those who enter the youngest are unknown: it is missing from then on, and a group
        older each step. The dim ``duration`` is of completed years of residence by lower bound,
        in groups one step wide from 0, the last open-ended.
    survival : DataArray (..., [period,] [duration,] age)
        Survival ratios over one step by the group arrived in.
    arrivals : DataArray (..., [period,] age), optional
        People arriving (persons per period), by age as `timing` has it.
    emigration : DataArray (..., [period,] [duration,] age), optional
        Hazard of leaving the country (1/year), for a new place or in return, by completed age
        (and duration).
    net_migration : DataArray (..., [period,] age), optional
        Net migrants (persons per period), of either sign, instead of the two before.
    timing : {"even", "end", "midpoint"} or DataArray of str (...)
        When arrivals come, as in :func:`project_population`.
    population : DataArray (..., time, age), optional
        The whole population at all instants, as :func:`project_population` makes it; the
        native-born are what it has beyond the stocks of all birthplaces.
    keep : sequence of str, optional
        The variables wanted, of ``stock``, ``deaths_cohort``, ``emigrants`` and ``arrivals`` (or
        ``net_migration``); the others are not stored. Default: all.
    dtype : {"float64", "float32"} or the NumPy type
        The type in which to store results; "float32" (seven digits) takes half the memory.
        The computation is in float64 and each cell is rounded once; counts
        (``n_negative``) are int64.
        ``native_born`` are the complement of the stocks as stored.
    steps : int, optional
        How many steps, where no input has the dim ``period``. Default 1.

    Returns
    -------
    Dataset
        ``stock`` (..., time, sex, age; persons); ``deaths_cohort``, ``emigrants`` and
        ``arrivals`` or ``net_migration`` as applied (..., period, sex, age; persons per
        period), by the age arrived in; ``n_negative`` (...) counts cells below 0 and
        ``n_survival_above_one`` ratios above 1; with durations ``stock``, ``deaths_cohort`` and
        ``emigrants`` are by duration arrived in as well, before sex and age; with
        `population` also ``native_born`` (..., time, sex, age; persons).

    Raises
    ------
    SchemaError, AlignmentError, IntervalError
        As in :func:`project_population`; SchemaError also if `net_migration` comes with
        `arrivals` or `emigration` or with durations, or `population` without the dim
        birthplace on `stock`.

    Warns
    -----
    DataQualityWarning
        Once a call, naming the labels: survival above 1, negative stocks or native-born,
        a youngest group whose entrants are unknown.

    Notes
    -----
    Of those exposed, S E stay, with E = exp(-n (μ(x-n) + μ(x))/2), in the open-ended group
    exp(-n μ) for those already in it. Those lost are shared between deaths and emigration in
    proportion to their hazards, -log S and -log E (constant over the step); where a census
    survival ratio is 1 or more, emigrants are S (1 - E) and deaths 1 - S. Arrivals are exposed
    like the stock: half of them ("even"), for half the step ("midpoint"), or not ("end").

    A step adds one group to the duration of residence, and μ is the mean of the groups at its
    start and end; those who arrive in the step are in the first group throughout.

    References
    ----------
    Preston, Heuveline & Guillot (2001), *Demography*, ch. 4 (competing risks) and 6; UN
    (1970), *Manual VI*, ch. I (place-of-birth statistics).

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> stock = xr.DataArray([10.0, 20.0, 30.0], dims="age", coords=mp.age_coords([0, 30, 60]))
    >>> survival = xr.DataArray([0.95, 0.9, 0.5], dims="age", coords=stock.coords)
    >>> result = mp.project_stocks(stock, survival, net_migration=stock * 0.1, timing="end")
    >>> result["stock"].isel(time=1).values
    array([ 1., 11., 28.])
    """
    from migproj._kernels import stocks as kernels

    flow = _flow(arrivals, emigration, net_migration)
    rates = {"survival": survival}
    if flow is not None:
        rates[flow[0]] = flow[1]
    if emigration is not None:
        rates["emigration"] = emigration
    ways = _checked(stock, rates, steps)
    nothing = xr.DataArray(np.zeros(len(ways.groups)), dims="age")
    name, coming = flow or ("arrivals", nothing)
    stored = float_type(dtype)
    kept = outputs_kept(keep, ("stock", "deaths_cohort", "emigrants", name))
    if population is not None and "stock" not in kept:
        raise SchemaError(
            "keep: expected 'stock' among them, for the native-born are what the population has "
            f"beyond it; got {list(kept)}"
        )
    known = ways.groups.lower[0] == 0
    ages, count = len(ways.groups), ways.count
    durations = _durations(stock, rates, ways)
    spread = any("duration" in array.dims for array in rates.values())
    per_period, cells = ("period", "age"), ("period", "duration", "age")
    sizes = (len(durations or [0]), ages)
    spans = count if any("period" in rates[key].dims for key in rates if key != name) else 1
    hazards = nothing if emigration is None else emigration
    exits = shares_of_exits(survival, hazards, ways, spans, sizes[0] + 1 if spread else 1)
    result = apply_together(
        kernels.project_stocks,
        [
            Input("stock", stock, ("duration", "age"), may_lack=("duration",)),
            *(Input("survival", shares, ("period", "move", "age")) for shares in exits[:2]),
            *(Input("survival", shares, per_period) for shares in exits[2:]),
            Input(name, coming, per_period, may_lack=_PERIOD),
            Input("timing", choice_codes("timing", timing, TIMINGS), dtype=np.int64),
        ],
        [
            Output(
                "stock",
                ("time", "duration", "age"),
                (count + 1 if "stock" in kept else 0, *sizes),
                stored,
            ),
            *(
                Output(flow, cells, (count if flow in kept else 0, *sizes), stored)
                for flow in ("deaths_cohort", "emigrants")
            ),
            Output(name, per_period, (count if name in kept else 0, ages), stored),
            Output("n_negative", dtype=np.int64),
        ],
        count,
        0.0 if known else np.nan,
        coords={**ways.coords(), **_duration_coords(durations, ways)},
        keep=(*kept, "n_negative"),
    )
    if not durations and "duration" in result.dims:
        result = result.isel(duration=0)
    result = _sex_last(result)
    if population is not None:
        result["native_born"] = _native_born(population, result["stock"], ways)
    result["n_survival_above_one"], above = above_one(survival, "duration")
    warn_findings("project_stocks", [above, *_findings(result, ways)])
    return result


def _checked(stock: xr.DataArray, rates: Mapping[str, xr.DataArray], steps: int | None) -> Steps:
    """The steps of a projection whose stock and rates agree."""
    check_dims("stock", stock, "age")
    check_counts("stock", stock)
    check_sexes("stock", stock, both=False)
    for name, array in rates.items():
        check_dims(name, array, "age")
        check_lacks(
            name, array, "time", f"label its periods by their start: {name}.rename(time='period')"
        )
    given = {"stock": stock, **rates}
    dims = dict.fromkeys(dim for array in given.values() for dim in array.dims)
    check_labels_match(given, dims=[dim for dim in dims if dim not in ("period", "age")])
    ways = plan("stock", stock, rates, steps)
    check_survival_grid(rates["survival"], ways, "stock")
    for name, array in rates.items():
        same_grid(name, array, ways, "stock")
        if name in ("arrivals", "net_migration"):
            check_same_places(name, array, "stock", stock)
            check_finite(name, array)
        if name == "arrivals":
            check_counts(name, array, people=False)
        if name == "emigration":
            check_rates(name, array)
    return ways


def _durations(stock: xr.DataArray, rates: Mapping[str, xr.DataArray], ways: Steps) -> list[float]:
    """The groups of duration of residence by their lower bounds, one step wide; or none."""
    for name, array in rates.items():
        if "duration" not in array.dims:
            continue
        if name in ("arrivals", "net_migration"):
            raise SchemaError(
                f"{name}: the dim 'duration' is not expected here; those who arrive in a step are "
                "in the first group of durations at its end: sum over it"
            )
        if "duration" not in stock.dims:
            raise SchemaError(
                f"{name}: has the dim 'duration', and stock has not; give the stock at the start "
                "by duration of residence, with the same groups"
            )
    if "duration" not in stock.dims:
        return []
    if "net_migration" in rates:
        raise SchemaError(
            "net_migration: not with a stock by duration of residence, for who leaves has been "
            "there for some time; give arrivals and emigration"
        )
    lower = [ways.width * k for k in range(stock.sizes["duration"])]
    labels = stock["duration"].values.tolist() if "duration" in stock.coords else []
    if labels != lower:
        raise SchemaError(
            f"stock: dim 'duration': expected completed years of residence by lower bound, one "
            f"step wide from 0 ({lower[:5]}), the last open-ended; got {labels[:5]}"
        )
    return lower


def _duration_coords(lower: Sequence[float], ways: Steps) -> dict[Hashable, Any]:
    widths = [ways.width] * (len(lower) - 1) + [np.inf]
    return {"duration": lower, "duration_width": ("duration", widths)} if lower else {}


def _flow(
    arrivals: xr.DataArray | None,
    emigration: xr.DataArray | None,
    net_migration: xr.DataArray | None,
) -> tuple[str, xr.DataArray] | None:
    if net_migration is None:
        return None if arrivals is None else ("arrivals", arrivals)
    if arrivals is not None or emigration is not None:
        other = "arrivals" if arrivals is not None else "emigration"
        raise SchemaError(
            f"net_migration: given together with {other}, which it already contains; give "
            "either net_migration, or arrivals and emigration"
        )
    return "net_migration", net_migration


def _sex_last(result: xr.Dataset) -> xr.Dataset:
    """Dims in the order batch, time or period, duration, sex, age."""
    if "sex" not in result.dims:
        return result
    return result.assign(
        {
            name: array.variable.transpose(..., *(dim for dim in _LAST if dim in array.dims))
            for name, array in result.data_vars.items()
            if "age" in array.dims
        }
    )


def _native_born(population: xr.DataArray, stock: xr.DataArray, ways: Steps) -> xr.DataArray:
    if "birthplace" not in stock.dims:
        raise SchemaError(
            f"stock: expected the dim 'birthplace' to take the native-born as the complement of "
            f"all birthplaces, got dims {tuple(stock.dims)!r}; give the stock by birthplace, or "
            "leave population out"
        )
    check_dims("population", population, "time", "age")
    check_counts("population", population)
    same_grid("population", population, ways, "stock")
    over = [dim for dim in ("birthplace", "duration") if dim in stock.dims]
    abroad = stock.sum(over, skipna=False, dtype=np.float64)
    abroad = abroad.drop_vars("duration_width", errors="ignore")
    check_same_places("population", population, "stock over birthplaces", abroad)
    check_labels_match({"stock": abroad, "population": population}, dims=dict.fromkeys(abroad.dims))
    native = population.drop_vars(["period"], errors="ignore") - abroad
    tail = [dim for dim in ("time", "sex", "age") if dim in native.dims]
    order = [dim for dim in abroad.dims if dim not in tail]
    extra = [dim for dim in native.dims if dim not in (*order, *tail)]
    native = native.transpose(*order, *extra, *tail).astype(stock.dtype, copy=False)
    return native.rename("native_born").assign_attrs(units=VARIABLES["native_born"].units)


def _findings(result: xr.Dataset, ways: Steps) -> list[str]:
    found = [
        counted("negative stock", result["n_negative"], lambda: result["stock"] < 0, _FEWER)
        if "stock" in result
        else finding("negative stock", result["n_negative"] > 0, _FEWER),
    ]
    if "native_born" in result:
        found.append(
            finding(
                "native-born below 0",
                result["native_born"] < 0,
                "the stock is larger than the population: check both",
            )
        )
    if ways.groups.lower[0] > 0:
        first = ways.groups.lower[0]
        found.append(
            f"the stock begins at age {first}, so those entering {ways.groups.labels[0]} are "
            f"unknown: after each step of {ways.width:g} years one more group is missing"
        )
    return found
