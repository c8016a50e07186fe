"""Forecasts of death rates by the Lee-Carter model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal

import numpy as np
import xarray as xr

from migproj._checks import check_dims, check_labels_match, check_lacks, check_numbers, check_rates
from migproj._choices import check_choice
from migproj._periods import follow, periods_of
from migproj._random import drawn, whole
from migproj.ages import groups_of
from migproj.conventions import VARIABLES
from migproj.dates import DateLike, decimal_year
from migproj.errors import AlignmentError, IntervalError, SchemaError
from migproj.leecarter import Floats, logs_of, middles

__all__ = ["forecast_lee_carter"]

#: Parameters of the fit, beside ax, bx and kt, that a forecast needs.
_WALK: Final = ("drift", "drift_error", "innovation")


def forecast_lee_carter(
    fit: xr.Dataset,
    dates: xr.DataArray | Sequence[DateLike] | range | Floats,
    *,
    jump_off: xr.DataArray | None = None,
    draws: int | None = None,
    seed: int = 0,
    between: Literal["neighbours", "drift"] = "neighbours",
) -> xr.DataArray:
    r"""Death rates of other dates by a Lee-Carter model, also as draws.

    Parameters
    ----------
    fit : Dataset
        As made by :func:`lee_carter`.
    dates : array or sequence of dates
        The wanted instants. Where the model is by period, the starts of periods that follow the
        last one, with ``period_width`` or as wide as their differences.
    jump_off : DataArray (..., age), optional
        Death rates (1/year) that the forecast starts from at the last date of the model.
        Default: those of the model, which differ from what was observed by its errors.
    draws : int, optional
        How many draws of the random walk; default: its mean, without draws. Needs dates after
        the last one of the model.
    seed : int, default 0
        Draws of one seed are the same on any machine, and each depends on its own labels alone.
    between : {"neighbours", "drift"}, default "neighbours"
        At dates within those of the model, k on straight lines between neighbouring dates, or
        on one line from the first to the last.

    Returns
    -------
    DataArray "mx" ([draw], ..., time, age) or ([draw], ..., period, age)
        Death rates (1/year), as :func:`life_table` takes them, with the coordinate ``kt``.

    Raises
    ------
    SchemaError
        If `fit` is not a fit, or draws are wanted before its last date or of fewer than three.
    IntervalError
        If dates are no dates, not ascending, or leave periods out.
    AlignmentError
        If `jump_off` has other age groups, or a shared dim other labels, or another order.

    Notes
    -----
    With d, se(d) and s of :func:`lee_carter` and :math:`h` years after the last date:

    .. math:: k(t_n + h) = k_n + (d + \operatorname{se}(d)\, z_0)\, h
              + s \sum_i \sqrt{\Delta_i}\, z_i

    and for draws z from the standard normal distribution: z_0, the error of the drift, is one
    number a draw, :math:`z_i` one for each step between dates, both independent for each label of
    every other dim (countries, sexes). Errors of ax, bx and of the fit at the last date are not
    in the draws. Before the first date k goes back by the drift.

    References
    ----------
    Lee & Carter (1992), *Journal of the American Statistical Association* 87:659-671; Li, Lee &
    Tuljapurkar (2004), *International Statistical Review* 72(1):19-36; Lee & Miller (2001),
    *Demography* 38(4):537-549 (rates to start from).

    Examples
    --------
    >>> import migproj as mp, numpy as np, xarray as xr
    >>> mx = xr.DataArray(
    ...     np.exp([[-3.0, -6.0, -2.0], [-3.5, -6.3, -2.2], [-3.9, -6.6, -2.3]]),
    ...     dims=("time", "age"), coords={"time": [1980, 1991, 2000], **mp.age_coords([0, 1, 60])})
    >>> fit = mp.lee_carter(mx.assign_coords(sex="male"))
    >>> mp.forecast_lee_carter(fit, [1985, 2020])["kt"].round(3).values
    array([ 0.481, -2.673])
    >>> many = mp.forecast_lee_carter(fit, [2010, 2020], draws=1000, seed=1)
    >>> many.dims, many["kt"].std("draw").round(3).values
    (('draw', 'time', 'age'), array([0.007, 0.012]))
    """
    dim, at = _checked_fit(fit)
    check_choice("between", between, ("neighbours", "drift"))
    coords, wanted = _wanted(fit, dim, dates)
    kt, drift = fit["kt"], fit["drift"]
    bare = kt.drop_vars([dim, "period_width"], errors="ignore")
    first, last = bare.isel({dim: 0}), bare.isel({dim: -1})
    after = xr.DataArray(np.maximum(wanted - at[-1], 0.0), dims=dim)
    before = xr.DataArray(np.minimum(wanted - at[0], 0.0), dims=dim)
    within = np.clip(wanted, at[0], at[-1])
    if between == "drift":
        inside = first + drift * xr.DataArray(within - at[0], dims=dim)
    else:
        place = np.clip(np.searchsorted(at, within, side="right") - 1, 0, len(at) - 2)
        part = xr.DataArray((within - at[place]) / np.diff(at)[place], dims=dim)
        inside = bare.isel({dim: place}) * (1 - part) + bare.isel({dim: place + 1}) * part
    k = inside + drift * (before + after)
    k = k.assign_coords(coords)
    if draws is not None:
        k = k + _walks(fit, wanted, at, coords, dim, draws, seed)
    level = fit["ax"]
    if jump_off is not None:
        level = _jump_off(fit, jump_off) - fit["bx"] * last
    exponent = level + fit["bx"] * k
    rates = exponent.copy(data=np.exp(exponent.data)).assign_coords(kt=k)
    rates = rates.transpose("draw", ..., dim, "sex", "age", missing_dims="ignore")
    rates = rates.assign_coords(groups_of(fit["ax"], "fit").coords()).rename("mx")
    rates.attrs = {"units": VARIABLES["mx"].units}
    return rates


def _checked_fit(fit: Any) -> tuple[str, Floats]:
    needed = ("ax", "bx", "kt", *_WALK)
    if not isinstance(fit, xr.Dataset) or any(name not in fit for name in needed):
        raise SchemaError(
            f"fit: expected a Dataset with {list(needed)}, got {type(fit).__name__}"
            f"{f' with {list(fit)}' if isinstance(fit, xr.Dataset) else ''}; "
            "mp.lee_carter(mx) makes one"
        )
    for name in needed:
        check_numbers(f"fit[{name!r}]", fit[name])
    dim = next((dim for dim in ("time", "period") if dim in fit["kt"].dims), None)
    if dim is None:
        raise SchemaError(
            f"fit: expected kt by 'time' or 'period', got dims {fit['kt'].dims!r}; "
            "mp.lee_carter(mx) makes it so"
        )
    return dim, middles(fit["kt"], dim, "fit")


def _wanted(fit: xr.Dataset, dim: str, dates: Any) -> tuple[dict[Any, Any], Floats]:
    """Coordinates of the wanted dates, and where they are in decimal years."""
    if dim == "period":
        periods = follow(dates, periods_of(fit["kt"], "fit"), "fit")
        return periods.coords(), np.array(periods.starts) + np.array(periods.widths) / 2
    labels = dates.values if isinstance(dates, xr.DataArray) else dates
    if isinstance(labels, str | bytes) or not hasattr(labels, "__iter__"):
        raise IntervalError(f"dates: expected a list of dates, also of one: [2030], got {dates!r}")
    at = np.array([decimal_year(label) for label in labels])
    if at.size == 0 or (np.diff(at) <= 0).any():
        raise IntervalError(
            f"dates: expected ascending dates, each once, got {at.tolist()[:8]}; sort them"
        )
    return {dim: at}, at


def _jump_off(fit: xr.Dataset, jump_off: xr.DataArray) -> xr.DataArray:
    """The logarithms of the rates to start from."""
    check_dims("jump_off", jump_off, "age")
    check_rates("jump_off", jump_off)
    for dim in ("time", "period"):
        check_lacks("jump_off", jump_off, dim, f"select the last one, .isel({dim}=-1)")
    if (got := groups_of(jump_off, "jump_off")) != (groups := groups_of(fit["ax"], "fit")):
        raise AlignmentError(
            f"jump_off: dim 'age': expected the groups of fit; {groups.unlike(got)}; "
            "give rates in them, as those that were fitted"
        )
    own = jump_off.drop_vars(["time", "period", "period_width"], errors="ignore")
    arrays = {"fit": fit["ax"], "jump_off": own}
    check_labels_match(arrays, dims=dict.fromkeys(d for a in arrays.values() for d in a.dims))
    return logs_of(own)


def _walks(
    fit: xr.Dataset,
    wanted: Floats,
    at: Floats,
    coords: dict[Any, Any],
    dim: str,
    draws: int,
    seed: int,
) -> xr.DataArray:
    """Departures of the draws from the mean of the random walk (draw, ..., date)."""
    if (wanted <= at[-1]).any():
        raise SchemaError(
            f"draws: expected dates after {at[-1]:g}, the last one of fit, got "
            f"{wanted[wanted <= at[-1]].tolist()[:5]}; take those without draws"
        )
    if len(at) < 3:
        raise SchemaError(
            f"draws: expected a fit to three or more dates, got {len(at)}; two say nothing of "
            "the uncertainty of a forecast"
        )
    from scipy import stats

    first = np.arange(whole("draws", draws, 1), dtype=np.int64)
    numbers = xr.DataArray(first, dims="draw", coords={"draw": first})
    spread = fit["innovation"].reset_coords(drop=True)
    zero = xr.zeros_like(spread, dtype=np.float64).compute()
    of_drift = drawn(stats.norm(zero, 1.0), numbers, seed, "lee-carter drift")
    steps = xr.DataArray(np.diff(wanted, prepend=at[-1]), dims=dim, coords={dim: coords[dim]})
    by_date = zero + 0.0 * steps
    of_steps = drawn(stats.norm(by_date, 1.0), numbers, seed, "lee-carter innovations")
    walk = (of_steps * steps**0.5).cumsum(dim)
    ahead = xr.DataArray(wanted - at[-1], dims=dim, coords={dim: coords[dim]})
    error = fit["drift_error"].reset_coords(drop=True)
    return spread * walk + error * of_drift * ahead
