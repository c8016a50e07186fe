"""The Lee-Carter model of death rates: its fit, also to few dates, and its forecasts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal, TypeAlias

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
    where,
)
from migproj._periods import follow, periods_of
from migproj._random import drawn, whole
from migproj._solve import solved
from migproj.ages import groups_of
from migproj.conventions import VARIABLES
from migproj.dates import DateLike, decimal_year, year_of
from migproj.errors import AlignmentError, IntervalError, SchemaError
from migproj.lifetable import life_table

__all__ = ["forecast_lee_carter", "lee_carter"]

_Floats: TypeAlias = npt.NDArray[np.float64]
Fit: TypeAlias = Literal["svd", "sums"]
Match: TypeAlias = Literal["e0", "deaths"]

#: A life table meets its e0 to this, but for where a rule for a0 jumps as rates rise.
_CLOSE: Final = 1e-9
_JUMP: Final = 0.02
#: Parameters of the fit, beside ax, bx and kt, that a forecast needs.
_WALK: Final = ("drift", "drift_error", "innovation")


def lee_carter(
    mx: xr.DataArray,
    *,
    method: Fit = "svd",
    match: Match | None = None,
    exposure: xr.DataArray | None = None,
    **rules: Any,
) -> xr.Dataset:
    r"""Death rates of several dates as an age pattern that moves by one index.

    Parameters
    ----------
    mx : DataArray (..., time, age) or (..., period, age)
        Death rates (1/year), above 0. Dates need not be evenly spaced: two are enough, three for
        the uncertainty of a forecast.
    method : {"svd", "sums"}, default "svd"
        "svd": bx and kt are the first term of a singular value decomposition. "sums": kt are
        the sums over ages of the log rates, less ax, and bx the regression of each age on them.
    match : {"e0", "deaths"}, optional
        Adjust kt until the rates of the model have the observed life expectancy at birth, or
        the observed number of deaths, of each date. Default: kt as first found.
    exposure : DataArray (..., time, age) or (..., period, age), optional
        Person-years by the groups of `mx`, for ``match="deaths"``.
    **rules
        `a0` and `ax` of :func:`life_table`, for ``match="e0"``.

    Returns
    -------
    Dataset
        ``ax`` (..., age), mean log rates, and ``bx`` (..., age), which sum to 1; ``kt``
        (..., time), which sum to 0; ``explained`` (...), the share of the variance of log rates
        that the model explains before kt is matched; and for forecasts ``drift`` (1/year) and
        its standard error ``drift_error``, and ``innovation``, the standard deviation of a
        year's change of k. Rates of the model are ``exp(ax + bx * kt)``.

    Raises
    ------
    SchemaError
        If dims, labels or values are not what is described here, log rates do not change in one
        direction, so that bx cannot sum to 1, or no kt has the life expectancy.
    IntervalError
        If dates are fewer than two, or not ascending.
    AlignmentError
        If the groups of `exposure` are not those of `mx`, or another shared dim has other
        labels, or another order.

    Notes
    -----
    .. math:: \ln m_{x,t} = a_x + b_x k_t + \epsilon_{x,t}, \quad
              \sum_x b_x = 1, \quad \sum_t k_t = 0

    "sums" follows from these sums: :math:`k_t = \sum_x (\ln m_{x,t} - a_x)`. With dates
    :math:`t_0 < \dots < t_n`, k is a random walk with the drift d and innovations of the
    variance s² a year (Li, Lee & Tuljapurkar 2004), so that gaps of any length count as they are
    long:

    .. math::
        d = \frac{k_n - k_0}{t_n - t_0}, \quad
        s^2 = \frac{\sum_i (k_i - k_{i-1} - d\,\Delta_i)^2}
                   {t_n - t_0 - \sum_i \Delta_i^2 / (t_n - t_0)}, \quad
        \operatorname{se}(d) = \frac{s}{\sqrt{t_n - t_0}}, \quad \Delta_i = t_i - t_{i-1}

    A period stands at its middle. After kt is matched, its mean is moved into ax. Life
    expectancies are met to 1e-9 years (where a rule for a0 jumps as rates rise, to 0.02); on
    lazy input this is not checked. A missing rate makes its own model missing, and no others.

    References
    ----------
    Lee & Carter (1992), *Journal of the American Statistical Association* 87:659-671; Li, Lee &
    Tuljapurkar (2004), "Using the Lee-Carter method to forecast mortality for populations with
    limited data", *International Statistical Review* 72(1):19-36.

    Examples
    --------
    >>> import migproj as mp, numpy as np, xarray as xr
    >>> mx = xr.DataArray(
    ...     np.exp([[-3.0, -6.0, -2.0], [-3.5, -6.3, -2.2], [-3.9, -6.6, -2.3]]),
    ...     dims=("time", "age"), coords={"time": [1980, 1991, 2000], **mp.age_coords([0, 1, 60])})
    >>> fit = mp.lee_carter(mx.assign_coords(sex="male"))
    >>> fit["bx"].round(3).values, fit["kt"].round(2).values
    (array([0.5  , 0.332, 0.168]), array([ 0.93, -0.06, -0.87]))
    >>> round(float(fit["drift"]), 4)
    -0.09
    """
    dim, at = _dates(mx)
    if method not in ("svd", "sums"):
        raise SchemaError(f"method: expected 'svd' or 'sums', got {method!r}")
    _check_match(mx, match, exposure, rules)
    log_rates = _logs(mx)
    whole_table = log_rates.notnull().all([dim, "age"])
    ax = log_rates.mean(dim).where(whole_table)
    moved = (log_rates - ax).where(whole_table)
    bx, kt, explained = xr.apply_ufunc(
        _first_term,
        moved.chunk({dim: -1, "age": -1}) if moved.chunks is not None else moved,
        input_core_dims=[[dim, "age"]],
        output_core_dims=[["age"], [dim], []],
        kwargs={"method": method},
        dask="parallelized",
        output_dtypes=[np.float64] * 3,
    )
    _check_direction(bx, whole_table)
    if match is not None:
        kt = _matched(mx, ax, bx, kt, dim, exposure, rules)
        middle = kt.mean(dim, skipna=False)
        ax, kt = ax + bx * middle, kt - middle
    fit = xr.Dataset({"ax": ax, "bx": bx, "kt": kt, "explained": explained} | _walk(kt, at))
    fit = fit.drop_vars("age_width", errors="ignore")
    fit = fit.assign_coords(groups_of(mx, "mx").coords())
    fit = fit.transpose(..., dim, "sex", "age", missing_dims="ignore")
    for name in fit:
        # the ax of this model are logarithms, not the years of a life table
        fit[name].attrs = {"units": "1" if name == "ax" else VARIABLES[str(name)].units}
    return fit


def forecast_lee_carter(
    fit: xr.Dataset,
    dates: xr.DataArray | Sequence[DateLike] | range | _Floats,
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
    if between not in ("neighbours", "drift"):
        raise SchemaError(f"between: expected 'neighbours' or 'drift', got {between!r}")
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


def _dates(mx: xr.DataArray) -> tuple[str, _Floats]:
    """The dim of the dates, and where they are in decimal years."""
    check_dims("mx", mx, "age")
    check_rates("mx", mx)
    groups_of(mx, "mx")
    present = [dim for dim in ("time", "period") if dim in mx.dims]
    if len(present) != 1:
        raise SchemaError(
            f"mx: expected one dim 'time' or 'period', got dims {tuple(mx.dims)!r}; name the dim "
            "of the dates so, mx.rename(...)"
        )
    dim = present[0]
    if mx.sizes[dim] < 2:
        raise IntervalError(
            f"mx: dim {dim!r}: expected two or more dates, got {mx.sizes[dim]}; a change needs "
            "two, and the uncertainty of a forecast three"
        )
    return dim, _middles(mx, dim, "mx")


def _middles(array: xr.DataArray, dim: str, name: str) -> _Floats:
    """Instants, or middles of periods, in decimal years."""
    if dim == "period":
        periods = periods_of(array, name)
        return np.array(periods.starts) + np.array(periods.widths) / 2
    if dim not in array.indexes:
        raise SchemaError(
            f"{name}: dim 'time' has no labels; label each date: {name}.assign_coords(time=[...])"
        )
    at = np.array([year_of(label, name, dim) for label in array[dim].values])
    if (np.diff(at) <= 0).any():
        raise IntervalError(
            f"{name}: dim 'time': expected ascending dates, got {at.tolist()[:8]}; sort them, "
            f"{name}.sortby('time')"
        )
    return at


def _check_match(
    mx: xr.DataArray, match: str | None, exposure: xr.DataArray | None, rules: dict[str, Any]
) -> None:
    if match not in (None, "e0", "deaths"):
        raise SchemaError(f"match: expected 'e0', 'deaths' or None, got {match!r}")
    if (exposure is not None) != (match == "deaths"):
        raise SchemaError(
            f"exposure: expected with match='deaths' and only then, got match={match!r} and "
            f"{'no exposure' if exposure is None else 'exposure'}"
        )
    if rules and match != "e0":
        raise SchemaError(f"{next(iter(rules))}: a rule of the life table, for match='e0' alone")
    if exposure is None:
        return
    check_dims("exposure", exposure, "age")
    check_counts("exposure", exposure, people=False)
    if (got := groups_of(exposure, "exposure")) != (groups := groups_of(mx, "mx")):
        raise AlignmentError(
            f"exposure: dim 'age': expected the groups of mx, {groups.labels}, got {got.labels}"
        )
    check_same_places("exposure", exposure, "mx", mx)
    arrays = {"mx": mx, "exposure": exposure}
    check_labels_match(arrays, dims=dict.fromkeys(d for a in arrays.values() for d in a.dims))


def _logs(mx: xr.DataArray) -> xr.DataArray:
    """The logarithms of the rates, none of which may be 0."""
    if mx.chunks is None and bool((mx == 0).any()):
        flags = np.asarray(mx.values == 0)
        raise SchemaError(
            f"mx: expected rates above 0, got {int(flags.sum())} of 0: "
            f"{'; '.join(where(mx, flags))}; their logarithms are fitted: use wider age groups, "
            "more years, or rates smoothed before"
        )
    rates = mx.drop_vars("age_width", errors="ignore").astype(np.float64)
    return rates.where(rates > 0).copy(data=np.log(rates.where(rates > 0).data))


def _first_term(moved: _Floats, method: str) -> tuple[_Floats, _Floats, _Floats]:
    """bx, kt and the share of variance that they explain, of (..., date, age)."""
    known = np.asarray(np.isfinite(moved).all(axis=(-2, -1)))
    table = np.where(known[..., None, None], moved, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        if method == "svd":
            left, size, right = np.linalg.svd(table, full_matrices=False)
            total = right[..., 0, :].sum(axis=-1)
            # where ages move against each other, their sum is but rounding
            total = np.where(np.abs(total) > 1e-8, total, 0.0)
            bx = right[..., 0, :] / total[..., None]
            kt = left[..., 0] * (size[..., 0] * total)[..., None]
        else:
            kt = table.sum(axis=-1)
            bx = (table * kt[..., None]).sum(axis=-2) / (kt**2).sum(axis=-1)[..., None]
        rest = table - kt[..., None] * bx[..., None, :]
        explained = 1 - (rest**2).sum(axis=(-2, -1)) / (table**2).sum(axis=(-2, -1))
    moves = np.asarray(known & np.isfinite(bx).all(axis=-1) & (np.abs(kt).max(axis=-1) > 1e-12))
    return (
        np.where(moves[..., None], bx, np.nan),
        np.where(moves[..., None], kt, np.nan),
        np.where(moves, explained, np.nan),
    )


def _check_direction(bx: xr.DataArray, known: xr.DataArray) -> None:
    if bx.chunks is not None:
        return
    still = bx.isnull().any("age") & known
    if bool(still.any()):
        named = f" ({'; '.join(where(still, still.values))})" if still.ndim else ""
        raise SchemaError(
            f"mx: expected rates that change over the dates, most ages alike, got none, or ages "
            f"that change against each other, in {int(still.sum())} table(s){named}; bx "
            "cannot sum to 1"
        )


def _matched(
    mx: xr.DataArray,
    ax: xr.DataArray,
    bx: xr.DataArray,
    kt: xr.DataArray,
    dim: str,
    exposure: xr.DataArray | None,
    rules: dict[str, Any],
) -> xr.DataArray:
    """The kt with which the model has the deaths, or the life expectancy, of each date."""
    groups = groups_of(mx, "mx")
    own = mx.drop_vars("age_width", errors="ignore").astype(np.float64)
    # rates on the way may go far above any seen: they are cut off where no result can be
    most = own.max(dim).clip(min=1.0)

    def rates(k: xr.DataArray) -> xr.DataArray:
        exponent = ax + bx * k
        made = exponent.copy(data=np.exp(exponent.data))
        made = made.clip(max=most)
        return made.assign_coords(groups.coords()).rename("mx")

    if exposure is None:
        if groups.lower[0] != 0:
            raise SchemaError(
                f"mx: dim 'age': expected rates from birth on for match='e0', got ages from "
                f"{groups.lower[0]} on"
            )

        def found(array: xr.DataArray) -> xr.DataArray:
            return life_table(array, **rules)["ex"].isel(age=0, drop=True)

    else:
        persons = exposure.drop_vars("age_width", errors="ignore")

        def found(array: xr.DataArray) -> xr.DataArray:
            return (array * persons).sum("age", skipna=False)

    target = found(mx)

    def gap(k: xr.DataArray) -> xr.DataArray:
        ratio = found(rates(k)) / target
        return ratio.copy(data=np.log(ratio.data))

    reach = kt.max(dim) - kt.min(dim)
    k = solved(gap, kt - reach, kt + reach)
    if k.chunks is None:
        error = abs(gap(k)) if exposure is not None else abs(found(rates(k)) - target)
        odd = (k.isnull() | (error > (_JUMP if exposure is None else _CLOSE))) & kt.notnull()
        odd = odd & target.notnull()
        if bool(odd.any()):
            what = "life expectancy" if exposure is None else "number of deaths"
            raise SchemaError(
                f"match: no kt near the one found gives the {what} in {int(odd.sum())} case(s): "
                f"{'; '.join(where(odd, odd.values))}; the model fits these rates badly"
            )
    return k


def _walk(kt: xr.DataArray, at: _Floats) -> dict[str, xr.DataArray]:
    """Drift of the random walk, its standard error, and the deviation of a year's change."""
    dim = next(dim for dim in ("time", "period") if dim in kt.dims)
    bare = kt.drop_vars([dim, "period_width"], errors="ignore")
    steps = xr.DataArray(np.diff(at), dims=dim)
    years = float(at[-1] - at[0])
    drift = (bare.isel({dim: -1}) - bare.isel({dim: 0})) / years
    rest = bare.isel({dim: slice(1, None)}) - bare.isel({dim: slice(None, -1)}) - drift * steps
    freedom = years - float((steps**2).sum()) / years
    variance = (rest**2).sum(dim, skipna=False) / (freedom if len(at) > 2 else np.nan)
    return {
        "drift": drift,
        "drift_error": (variance / years) ** 0.5,
        "innovation": variance**0.5,
    }


def _checked_fit(fit: Any) -> tuple[str, _Floats]:
    needed = ("ax", "bx", "kt", *_WALK)
    if not isinstance(fit, xr.Dataset) or any(name not in fit for name in needed):
        raise SchemaError(
            f"fit: expected a Dataset with {list(needed)}, got {type(fit).__name__}"
            f"{f' with {list(fit)}' if isinstance(fit, xr.Dataset) else ''}; "
            "mp.lee_carter(mx) makes one"
        )
    dim = next((dim for dim in ("time", "period") if dim in fit["kt"].dims), None)
    if dim is None:
        raise SchemaError(f"fit: expected kt by 'time' or 'period', got {fit['kt'].dims!r}")
    return dim, _middles(fit["kt"], dim, "fit")


def _wanted(fit: xr.Dataset, dim: str, dates: Any) -> tuple[dict[Any, Any], _Floats]:
    """Coordinates of the wanted dates, and where they are in decimal years."""
    if dim == "period":
        periods = follow(dates, periods_of(fit["kt"], "fit"), "fit")
        return periods.coords(), np.array(periods.starts) + np.array(periods.widths) / 2
    labels = dates.values if isinstance(dates, xr.DataArray) else dates
    if isinstance(labels, str | bytes) or not hasattr(labels, "__iter__"):
        raise IntervalError(f"dates: expected a list of dates, also of one: [2030], got {dates!r}")
    at = np.array([decimal_year(label) for label in labels])
    if at.size == 0 or (np.diff(at) <= 0).any():
        raise IntervalError(f"dates: expected ascending dates, got {at.tolist()[:8]}")
    return {dim: at}, at


def _jump_off(fit: xr.Dataset, jump_off: xr.DataArray) -> xr.DataArray:
    """The logarithms of the rates to start from."""
    check_dims("jump_off", jump_off, "age")
    check_rates("jump_off", jump_off)
    for dim in ("time", "period"):
        check_lacks("jump_off", jump_off, dim, f"select the last one, .isel({dim}=-1)")
    if (got := groups_of(jump_off, "jump_off")) != (groups := groups_of(fit["ax"], "fit")):
        raise AlignmentError(
            f"jump_off: dim 'age': expected the groups of fit, {groups.labels}, got {got.labels}"
        )
    own = jump_off.drop_vars(["time", "period", "period_width"], errors="ignore")
    arrays = {"fit": fit["ax"], "jump_off": own}
    check_labels_match(arrays, dims=dict.fromkeys(d for a in arrays.values() for d in a.dims))
    return _logs(own)


def _walks(
    fit: xr.Dataset,
    wanted: _Floats,
    at: _Floats,
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
