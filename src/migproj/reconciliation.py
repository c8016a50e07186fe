"""Net migration made to agree with totals: of the world, of a nation, of both sexes."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias

import numpy as np
import xarray as xr

from migproj._checks import (
    as_number,
    check_dims,
    check_finite,
    check_labels_match,
    check_numbers,
    check_weights,
    shown,
    where,
)
from migproj._choices import check_choice
from migproj._diagnostics import finding, warn_findings
from migproj.conventions import VARIABLES
from migproj.errors import SchemaError

__all__ = ["reconcile", "reconcile_margins"]

Rule: TypeAlias = Literal["plus-minus", "two-sided", "proportional", "minimum-change"]

_RULES: Final = ("plus-minus", "two-sided", "proportional", "minimum-change")
#: Margins agree to this share of the sum of absolute values.
_CLOSE: Final = 1e-9
#: What sums may miss by their rounding, as a share of the sum of absolute values.
_ROUNDING: Final = 1e-12
#: Rounds of adjustment to margins, and by how much each leaves less than the one before where the
#: margins agree.
_ROUNDS: Final = 10_000
_SHRINKS: Final = 0.9999


def reconcile(
    net: xr.DataArray,
    total: float | xr.DataArray,
    dim: str | Sequence[str],
    *,
    method: Rule = "plus-minus",
    variance: xr.DataArray | None = None,
) -> xr.Dataset:
    r"""Adjust net migration so that it adds up to a given total over some dims.

    Parameters
    ----------
    net : DataArray (..., dim)
        Net migration (persons per period), or other figures of both signs.
    total : float or DataArray (...)
        What it is to add up to: 0 over the countries of the world, the national figure over
        regions, that of both sexes over ``sex``. Without the dims of `dim`.
    dim : str or sequence of str
        The dims to sum over.
    method : {"plus-minus", "two-sided", "proportional", "minimum-change"}
        How to share the difference; see Notes.
    variance : DataArray (..., dim), optional
        For "minimum-change": variances, or other weights (0 or more), of what is adjusted;
        where it is 0 nothing changes. Default: equal.

    Returns
    -------
    Dataset
        ``net_migration`` as adjusted, in the dims and order of `net`, and ``n_sign_changes``
        (...), how many figures changed sign.

    Raises
    ------
    SchemaError
        If dims or values are not what is described here, or the figures cannot be brought to
        the total by the method.
    AlignmentError
        If labels differ.

    Warns
    -----
    DataQualityWarning
        Once a call, naming the labels, if a figure changes sign, or all become 0.

    Notes
    -----
    With gains G and losses L (as a positive number), D = T - (G - L):

    - "plus-minus": gains times 1 + D/(G + L), losses times 1 - D/(G + L).
    - "two-sided": gains times (G + L + T)/2G, losses times (G + L - T)/2L: G + L stays.
    - "proportional": all times T/(G - L).
    - "minimum-change": M + D v/Σv, which minimises Σ (change)²/v.

    A missing figure, or variance, makes missing all of its sum.

    References
    ----------
    Shryock & Siegel (1976), *The Methods and Materials of Demography*, ch. 22 and 23
    (plus-minus method); Akers & Siegel (1965), *National Census Survival Rates, by Color and
    Sex, for 1950 to 1960*; Deming (1943), *Statistical Adjustment of Data*.

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> net = xr.DataArray([-200.0, -30.0, 80.0], dims="country",
    ...                    coords={"country": ["ARG", "BOL", "CHL"]})
    >>> mp.reconcile(net, 0.0, "country")["net_migration"].round(1).values
    array([-103.2,  -15.5,  118.7])
    """
    given: Any = dim
    dims = [given] if isinstance(given, str) else list(given) if isinstance(given, Sequence) else []
    if not dims or not all(isinstance(name, str) for name in dims):
        raise SchemaError(
            f"dim: expected the dim or dims to sum over, such as 'country', got {shown(dim)}"
        )
    check_choice("method", method, _RULES)
    wanted = as_number("total", total)
    _check_net(net, {"total": wanted}, {"total": dims})
    if variance is not None:
        if method != "minimum-change":
            raise SchemaError(f"variance: method={method!r} does not use it; drop one of the two")
        _check_variance(variance, net)
    figures = net.astype(np.float64)
    if method == "minimum-change":
        result = _share(figures, wanted, dims, variance)
    else:
        result = _scaled(figures, wanted, dims, method)
    return _reported("reconcile", net, result, dims)


def reconcile_margins(
    net: xr.DataArray,
    margins: Mapping[Hashable, float | xr.DataArray],
    *,
    variance: xr.DataArray | None = None,
) -> xr.Dataset:
    r"""Adjust net migration to several totals at once, with the least change.

    Parameters
    ----------
    net : DataArray (...)
        Net migration (persons per period), as by region, sex and age.
    margins : mapping of str or tuple of str to float or DataArray
        Of each dim, or dims, to sum over: the totals, which have all other dims of `net`.
        ``{"region": national, "sex": by_region}`` makes regions add up to the nation by sex
        and sexes to the regions.
    variance : DataArray (...), optional
        Variances, or other weights (0 or more); where it is 0 nothing changes. Default: equal.

    Returns
    -------
    Dataset
        ``net_migration`` as adjusted, and ``n_sign_changes``, how many figures changed sign.

    Raises
    ------
    SchemaError
        If dims or values are not what is described here, or the margins contradict each other
        (or the figures of variance 0).
    AlignmentError
        If labels differ.

    Warns
    -----
    DataQualityWarning
        Once a call, naming the labels, if a figure changes sign.

    Notes
    -----
    Minimises Σ (change)²/v under all totals: each in turn is met by :func:`reconcile` with
    "minimum-change" until all are (projection onto the intersection). Lazy arrays are computed.

    References
    ----------
    Deming (1943), *Statistical Adjustment of Data*, ch. VII; Byron (1978), "The estimation of
    large social account matrices", *Journal of the Royal Statistical Society A* 141:359-367.

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> net = xr.DataArray([[-20.0, 30.0], [10.0, -15.0]], dims=("region", "sex"),
    ...     coords={"region": ["north", "south"], "sex": ["female", "male"]})
    >>> by_sex = xr.DataArray([-6.0, 9.0], dims="sex", coords={"sex": ["female", "male"]})
    >>> by_region = xr.DataArray([8.0, -5.0], dims="region", coords={"region": ["north", "south"]})
    >>> result = mp.reconcile_margins(net, {"region": by_sex, "sex": by_region})
    >>> result["net_migration"].values
    array([[-18.5,  26.5],
           [ 12.5, -17.5]])
    """
    if not isinstance(margins, Mapping):
        raise SchemaError(
            "margins: expected a mapping of dims to totals, such as {'country': 0.0}, got "
            f"{type(margins).__name__}"
        )
    given = {
        ((over,) if isinstance(over, str) else tuple(over)): as_number(f"margins[{over!r}]", total)  # type: ignore[arg-type]
        for over, total in margins.items()
    }
    if not given:
        raise SchemaError("margins: expected totals over one dim or more, got none")
    named = {
        f"margins[{over[0] if len(over) == 1 else over!r}]": total for over, total in given.items()
    }
    _check_net(net, named, dict(zip(named, map(list, given), strict=True)))
    for over, summed in zip(named, given, strict=True):
        lacking = [d for d in net.dims if d not in (*summed, *named[over].dims)]
        if lacking:
            raise SchemaError(
                f"{over}: expected totals by {lacking}, got dims {named[over].dims!r}; sum net "
                "over them, or give the totals of each"
            )
    if variance is not None:
        _check_variance(variance, net)
    # Rounds go on until the values say that they are done, so that lazy ones are read.
    result = net.astype(np.float64).compute()
    given = {over: total.compute() for over, total in given.items()}
    # Dims that no margin sums over are tables of their own, each met by its own size.
    within = [d for d in net.dims if any(d in summed for summed in given)]
    scale = _sum_over((abs(array) for array in (result, *given.values())), "sum", within)
    misses = np.inf
    for _ in range(_ROUNDS):
        for dims, total in given.items():
            result = _share(result, total, list(dims), variance)
        gaps = (abs(result.sum(dims, skipna=False) - total) for dims, total in given.items())
        off = _sum_over(gaps, "max", within)
        unmet = off > _CLOSE * scale
        before, misses = misses, float((off / scale).where(unmet).max()) if unmet.any() else 0.0
        if not 0 < misses < _SHRINKS * before:
            break
    if unmet.any():
        cells = f" ({'; '.join(where(unmet, unmet.values))})" if unmet.ndim else ""
        raise SchemaError(
            "margins: the totals contradict each other (they still differ by "
            f"{float(off.where(unmet).max()):g}{cells}); each must add up to the same sum, and "
            "figures of variance 0 must leave room for them"
        )
    return _reported("reconcile_margins", net, result, list(net.dims))


def _sum_over(
    arrays: Iterable[xr.DataArray], reduction: Literal["sum", "max"], dims: Sequence[Hashable]
) -> xr.DataArray:
    """The sum of what arrays add up to, or of the largest of each, over the `dims` they have."""
    parts = [getattr(a, reduction)([d for d in dims if d in a.dims]) for a in arrays]
    return sum(parts, xr.DataArray(0.0))


def _check_net(
    net: xr.DataArray, totals: Mapping[str, xr.DataArray], over: Mapping[str, list[str]]
) -> None:
    check_dims("net", net, *{dim for dims in over.values() for dim in dims})
    check_finite("net", net)
    for name, total in totals.items():
        check_finite(name, total)
        extra = [dim for dim in total.dims if dim in over[name] or dim not in net.dims]
        if extra:
            raise SchemaError(
                f"{name}: the dim(s) {extra} are not expected: it is the total over {over[name]} "
                f"of net, which has dims {net.dims!r}"
            )
    check_labels_match({"net": net, **totals}, dims=net.dims)


def _check_variance(variance: xr.DataArray, net: xr.DataArray) -> None:
    check_dims("variance", variance)
    check_numbers("variance", variance)
    check_weights("variance", variance, "variances")
    extra = [dim for dim in variance.dims if dim not in net.dims]
    if extra:
        raise SchemaError(f"variance: the dim(s) {extra} are none of net, {net.dims!r}")
    check_labels_match({"net": net, "variance": variance}, dims=net.dims)


def _scaled(
    figures: xr.DataArray, total: xr.DataArray, dims: list[str], method: str
) -> xr.DataArray:
    gain, loss = (side.clip(0.0).sum(dims, skipna=False) for side in (figures, -figures))
    both, balance = gain + loss, gain - loss
    slack = _ROUNDING * both
    if method == "proportional":
        level = abs(balance) <= slack
        impossible = level & (abs(total - balance) > slack)
        _check_possible(impossible, "a balance other than 0 to scale", method)
        up = down = (total / balance.where(~level)).where(~level, 1.0)
    elif method == "plus-minus":
        impossible = (both == 0) & (total != 0)
        _check_possible(impossible, "figures other than 0 to scale", method)
        share = ((total - balance) / both.where(both != 0)).where(both != 0, 0.0)
        up, down = 1 + share, 1 - share
    else:
        wanted = {"gains": (gain, (both + total) / 2), "losses": (loss, (both - total) / 2)}
        impossible = xr.zeros_like(both, dtype=bool)
        for name, (have, want) in wanted.items():
            lacking = (have == 0) & (abs(want) > slack) | (want < -slack)
            _check_possible(lacking, f"{name} to scale to it", method)
            impossible = impossible | lacking
        up, down = (
            (want.clip(0.0) / have.where(have != 0)).where(have != 0, 1.0)
            for have, want in wanted.values()
        )
    # Lazy figures that cannot be brought to their total are missing.
    return (figures * up.where(figures >= 0, down)).where(~impossible)


def _check_possible(
    impossible: xr.DataArray,
    what: str,
    method: str,
    mend: str = "method='minimum-change' shares any difference",
) -> None:
    if impossible.chunks is None and bool(impossible.any()):
        labels = (
            "" if impossible.ndim == 0 else f" ({'; '.join(where(impossible, impossible.values))})"
        )
        raise SchemaError(f"net: method {method!r}: expected {what}, got none{labels}; {mend}")


def _share(
    figures: xr.DataArray, total: xr.DataArray, dims: list[str], variance: xr.DataArray | None
) -> xr.DataArray:
    weights = xr.ones_like(figures) if variance is None else variance.broadcast_like(figures)
    whole = weights.sum(dims, skipna=False)
    missing = total - figures.sum(dims, skipna=False)
    slack = _ROUNDING * (abs(figures).sum(dims) + abs(total))
    impossible = (whole == 0) & (abs(missing) > slack)
    _check_possible(
        impossible,
        "variances above 0 where something is missing",
        "minimum-change",
        "give one of them a variance, or correct the total",
    )
    shares = (weights / whole.where(whole != 0)).where(whole != 0, 0.0)
    return (figures + missing * shares).where(~impossible)


def _reported(
    caller: str, net: xr.DataArray, result: xr.DataArray, dims: Sequence[Hashable]
) -> xr.Dataset:
    result = result.transpose(*net.dims).assign_attrs(
        units=net.attrs.get("units", "persons per period")
    )
    changed = (net * result) < 0
    count = changed.sum(dims).assign_attrs(units=VARIABLES["n_sign_changes"].units)
    nothing = (result == 0).all(dims) & (net != 0).any(dims)
    warn_findings(
        caller,
        [
            finding("figures that changed sign", changed, "look at them, or use another method"),
            finding("figures that all become 0", nothing),
        ],
    )
    return xr.Dataset({"net_migration": result, "n_sign_changes": count})
