"""The Lee-Carter model of death rates: its fit, also to few dates."""

from __future__ import annotations

from typing import Any, Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import xarray as xr

from migproj._checks import (
    check_counts,
    check_dims,
    check_labels_match,
    check_rates,
    check_same_places,
    where,
)
from migproj._choices import check_choice
from migproj._periods import periods_of
from migproj._solve import solved
from migproj.ages import groups_of
from migproj.conventions import VARIABLES
from migproj.dates import year_of
from migproj.errors import AlignmentError, IntervalError, SchemaError
from migproj.lifetable import life_table

__all__ = ["lee_carter"]

Floats: TypeAlias = npt.NDArray[np.float64]
Fit: TypeAlias = Literal["svd", "sums"]
Match: TypeAlias = Literal["e0", "deaths"]

#: A life table meets its e0 to this, but for where a rule for a0 jumps as rates rise.
_CLOSE: Final = 1e-9
_JUMP: Final = 0.02


def lee_carter(
    mx: xr.DataArray,
    *,
    method: Fit = "svd",
    match: Match | None = None,
    exposure: xr.DataArray | None = None,
    **rules: Any,
) -> xr.Dataset:
    r"""Lee-Carter model: log death rates of several dates as an age pattern and one index of time.

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
    check_choice("method", method, ("svd", "sums"))
    _check_match(mx, match, exposure, rules)
    log_rates = logs_of(mx)
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


def _dates(mx: xr.DataArray) -> tuple[str, Floats]:
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
    return dim, middles(mx, dim, "mx")


def middles(array: xr.DataArray, dim: str, name: str) -> Floats:
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
    check_choice("match", match, (None, "e0", "deaths"))
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
            f"exposure: dim 'age': expected the groups of mx; {groups.unlike(got)}; "
            "mp.regroup_ages sums it to wider groups"
        )
    check_same_places("exposure", exposure, "mx", mx)
    arrays = {"mx": mx, "exposure": exposure}
    check_labels_match(arrays, dims=dict.fromkeys(d for a in arrays.values() for d in a.dims))


def logs_of(mx: xr.DataArray) -> xr.DataArray:
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


def _first_term(moved: Floats, method: str) -> tuple[Floats, Floats, Floats]:
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
                f"{groups.lower[0]} on; give the rates of all ages, or match='deaths'"
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


def _walk(kt: xr.DataArray, at: Floats) -> dict[str, xr.DataArray]:
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
