"""Uncertain inputs as draws, through any estimator, and what the draws say.

Net migration of Greater Bombay under uncertain coverage of the second census: one factor (true over
enumerated) for everyone. A distribution whose parameters are labelled has an independent number for
each label instead.

>>> import migproj as mp, xarray as xr
>>> from scipy import stats
>>> inputs = {
...     "start": mp.datasets.load("bombay_1941")["population"],
...     "end": mp.datasets.load("bombay_1951")["population"],
...     "survival": mp.datasets.load("bombay_1941_1951")["survival"],
...     "coverage": stats.norm(1.02, 0.01),
... }
>>> def total(start, end, survival, coverage):
...     corrected = mp.correct_coverage(end, coverage)
...     return mp.net_migration(start, corrected, survival)[["net_migration"]].sum("age")
>>> result = mp.ensemble.summarise(total, inputs, 1000, seed=1, quantiles=[0.05, 0.95])
>>> result["net_migration_mean"].round(-3).values
array([611000.])
>>> cheap = mp.ensemble.standard_errors(total, inputs)
>>> (cheap["net_migration_sd"] / result["net_migration_sd"]).round(1).values
array([1.])
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import xarray as xr

from migproj._checks import where
from migproj._draws import Moments, checked_quantiles
from migproj._estimates import (
    DRAW,
    Estimator,
    called,
    cells_of,
    check_inputs,
    parts_of,
    warned_once,
)
from migproj._random import drawn, parameters, whole
from migproj.conventions import VARIABLES
from migproj.errors import SchemaError

__all__ = ["draws", "standard_errors", "summarise"]

#: Cells of the inputs of a block of draws (8 bytes each).
_BLOCK: Final = 2**20
#: Step of the central differences, in standard deviations: small against the curvature of any
#: estimator, large against rounding.
_STEP: Final = 0.01
_PERTURBED: Final = 64


def draws(
    distribution: Any, n: int, *, seed: int, name: str, chunks: int | None = None
) -> xr.DataArray:
    """Draws of an uncertain number, or of one for each label.

    Parameters
    ----------
    distribution : frozen distribution of scipy.stats
        Anything with ``ppf`` made by calling a distribution of ``scipy.stats``. Where its
        parameters are labelled arrays, ``stats.norm(loc=e0, scale=0.5)``, each of their labels
        has a number of its own, independent of the others; else there is one a draw.
    n : int
        How many draws.
    seed : int
        Draws of one seed, name and label are the same on any machine.
    name : str
        Of the uncertain quantity. Quantities of other names are independent under one seed.
    chunks : int, optional
        Draws in a dask chunk. Default: computed at once.

    Returns
    -------
    DataArray (draw, ...)
        In the units of the distribution; ``draw`` is labelled 0 to n - 1. A number depends on
        seed, name, its own labels and its draw alone: more draws, other chunks, a selection of
        the countries or another order of dims change none of them.

    Raises
    ------
    SchemaError
        If the distribution, the number of draws or the seed is not what is described here.
    AlignmentError
        If parameters carry other labels on a dim they share.

    Notes
    -----
    The inverse of the distribution function at uniform numbers made by Philox4x32-10 from the
    key (seed, name) and the counter (labels, draw).

    References
    ----------
    Salmon, Moraes, Dror & Shaw (2011), Parallel random numbers: as easy as 1, 2, 3, *SC'11*.

    Examples
    --------
    >>> import migproj as mp
    >>> from scipy import stats
    >>> few = mp.ensemble.draws(stats.norm(1.02, 0.01), 3, seed=1, name="coverage")
    >>> more = mp.ensemble.draws(stats.norm(1.02, 0.01), 500, seed=1, name="coverage")
    >>> bool((few == more[:3]).all())
    True
    """
    count = whole("n", n, 1)
    first = np.arange(count, dtype=np.int64)
    numbers = xr.DataArray(first, dims=DRAW, coords={DRAW: first})
    if chunks is not None:
        numbers = numbers.chunk({DRAW: whole("chunks", chunks, 1)})
    return drawn(distribution, numbers, seed, name)


def summarise(
    estimator: Estimator,
    inputs: Mapping[str, Any],
    n: int,
    *,
    seed: int,
    quantiles: Sequence[float] | None = None,
    by: str | None = None,
) -> xr.Dataset:
    """Mean, spread, quantiles and the probability of a positive balance over draws.

    Draws are made, estimated and summarised a block at a time; none is kept, but for quantiles.

    Parameters
    ----------
    estimator : function
        Called with the inputs by name, each a DataArray or Dataset, those uncertain with the dim
        ``draw``; returns a DataArray or Dataset with the dim ``draw``.
    inputs : mapping of str to distribution, DataArray or Dataset
        Frozen distributions of ``scipy.stats`` as in :func:`draws`, under their name here; arrays
        of draws, with ``draw`` labelled 0 to n - 1; arrays without draws, which serve all.
    n : int
        How many draws.
    seed : int
        As in :func:`draws`.
    quantiles : sequence of float, optional
        Ascending, from 0 to 1.
    by : str, optional
        A dim of all that the estimator returns, whose labels it estimates apart from each other,
        such as ``country``. With
        `quantiles`, a few of its labels are done at a time, so that memory does not grow with
        the draws until one label fills it; every draw of the rest would be kept otherwise.

    Returns
    -------
    Dataset
        For each variable of the estimate ``<name>_mean`` and ``<name>_sd`` in its units,
        ``<name>_positive`` (1), the share of draws above 0, and with `quantiles`
        ``<name>_quantile`` (quantile, ...). Counts of suspicious cells (``n_*``, whole numbers)
        are summed over the draws under their own name. A cell that is missing in one draw is
        missing in all.

    Raises
    ------
    SchemaError, AlignmentError
        If inputs are not what is described here, or the estimate has no draws.

    Warns
    -----
    DataQualityWarning
        Once, with the first of the estimator's own and in how many blocks it came.

    Notes
    -----
    Inside the estimator arithmetic of arrays whose labels differ is an error
    (``xr.set_options(arithmetic_join="exact")``). Moments of blocks of draws are merged.

    References
    ----------
    Chan, Golub & LeVeque (1983), Algorithms for computing the sample variance: analysis and
    recommendations, *The American Statistician* 37, 242-247.

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> from scipy import stats
    >>> inputs = {"net": xr.DataArray(100.0), "error": stats.norm(0.0, 100.0)}
    >>> result = mp.ensemble.summarise(lambda net, error: (net + error).rename("net"), inputs,
    ...                                10_000, seed=1)
    >>> round(float(result["net_positive"]), 2)
    0.84
    """
    count = whole("n", n, 1)
    wanted = None if quantiles is None else checked_quantiles(quantiles)
    check_inputs(inputs, by, count)
    with warned_once("summarise"):
        parts = [
            _summary(estimator, own, count, seed, wanted, by)
            for own in parts_of(inputs, by, None if wanted is None else count)
        ]
    return parts[0] if len(parts) == 1 else xr.concat(parts, str(by), join="exact")


def _summary(
    estimator: Estimator,
    inputs: Mapping[str, Any],
    n: int,
    seed: int,
    wanted: tuple[float, ...] | None,
    by: str | None,
) -> xr.Dataset:
    """The summaries of one estimate, a block of draws at a time."""
    cells = sum(
        cells_of(v) for v in inputs.values() if isinstance(v, xr.DataArray | xr.Dataset)
    ) + sum(parameters(v, k)[0].size for k, v in inputs.items() if hasattr(v, "ppf"))
    block = max(_BLOCK // max(cells, 1), 16)
    moments: dict[Hashable, Moments] = {}
    sums: dict[Hashable, xr.DataArray] = {}
    kept: dict[Hashable, list[xr.DataArray]] = {}
    units: dict[Hashable, dict[str, Any]] = {}
    for first in range(0, n, block):
        numbers = np.arange(first, min(first + block, n), dtype=np.int64)
        given = _with_draws(inputs, numbers, seed)
        for name, values in called(estimator, given, numbers.size, by).data_vars.items():
            units[name] = _units(name, values)
            if np.issubdtype(values.dtype, np.integer):
                total = values.sum(DRAW)
                sums[name] = sums[name] + total if name in sums else total
                continue
            own = Moments.of(values)
            moments[name] = moments[name].merged(own) if name in moments else own
            if wanted is not None:
                kept.setdefault(name, []).append(values)
    result = {}
    for name, known in moments.items():
        result[f"{name}_mean"] = known.mean.assign_attrs(units[name])
        spread = (known.squares / (n - 1)) ** 0.5 if n > 1 else known.squares * np.nan
        result[f"{name}_sd"] = spread.assign_attrs(units[name])
        share = (known.above / n).where(known.mean.notnull())
        result[f"{name}_positive"] = share.assign_attrs(units="1")
        if wanted is not None:
            every = xr.concat(kept.pop(name), DRAW, join="exact")
            found = every.quantile(list(wanted), DRAW, skipna=False)
            result[f"{name}_quantile"] = found.assign_attrs(units[name])
    for name, total in sums.items():
        result[str(name)] = total.assign_attrs(units[name])
    return xr.Dataset(result)


def _units(name: Hashable, values: xr.DataArray) -> dict[str, Any]:
    """The units that a variable has, or that its name tells where a sum has dropped them."""
    known = VARIABLES[str(name)].units if name in VARIABLES else None
    found = values.attrs.get("units", known)
    return {} if found is None else {"units": found}


def _with_draws(
    inputs: Mapping[str, Any], numbers: npt.NDArray[np.int64], seed: int
) -> dict[str, Any]:
    """The inputs for the draws of these numbers."""
    labelled = xr.DataArray(numbers, dims=DRAW, coords={DRAW: numbers})
    own: dict[str, Any] = {}
    for name, value in inputs.items():
        if not isinstance(value, xr.DataArray | xr.Dataset):
            own[name] = drawn(value, labelled, seed, name)
        else:
            own[name] = value.sel(draw=numbers) if DRAW in value.dims else value
    return own


def standard_errors(
    estimator: Estimator, inputs: Mapping[str, Any], *, by: str | None = None
) -> xr.Dataset:
    r"""Standard errors by the delta method: a cheap alternative to draws.

    Parameters
    ----------
    estimator : function
        As in :func:`summarise`, and linear or nearly so in the uncertain inputs.
    inputs : mapping of str to distribution, DataArray or Dataset
        As in :func:`summarise`, without arrays of draws.
    by : str, optional
        A dim whose labels are estimated apart from each other: they are then moved together,
        and the work does not grow with their number. All that the estimator returns has it;
        leave `by` out for a sum over it.

    Returns
    -------
    Dataset
        For each variable of the estimate ``<name>_mean``, the estimate at the means of the
        inputs, and ``<name>_sd``, both in its units. Counts (``n_*``) are left out.

    Raises
    ------
    SchemaError, AlignmentError
        As in :func:`summarise`; also if an input is an array of draws, or has no finite
        standard deviation.

    Warns
    -----
    DataQualityWarning
        As in :func:`summarise`.

    Notes
    -----
    .. math:: \sigma_f^2 = \sum_k \left( \frac{\partial f}{\partial \theta_k} \right)^2 \sigma_k^2

    over all uncertain numbers, which are independent, with derivatives by central differences
    (exact where the estimator is linear). Where it is not, skewness and curvature are missed:
    compare with :func:`summarise`.

    References
    ----------
    Oehlert (1992), A note on the delta method, *The American Statistician* 46, 27-29.

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> from scipy import stats
    >>> ages = mp.age_coords([0, 10, 20])
    >>> sd = xr.DataArray([3.0, 4.0, 12.0], dims="age", coords=ages)
    >>> inputs = {"net": stats.norm(sd * 10, sd)}
    >>> result = mp.ensemble.standard_errors(lambda net: net.sum("age").rename("net"), inputs)
    >>> result["net_sd"].round(6).item()
    13.0
    """
    check_inputs(inputs, by, None)
    means: dict[str, Any] = dict(inputs)
    spreads = {}
    for name, value in inputs.items():
        if not isinstance(value, xr.DataArray | xr.Dataset):
            means[name], spreads[name] = _mean_and_sd(value, name)
    list(parts_of(inputs, by, None))  # checks the labels of `by`
    result: dict[Hashable, xr.DataArray] = {}
    variance: dict[Hashable, Any] = {}
    with warned_once("standard_errors"):
        start = {name: means[name].expand_dims({DRAW: [0]}) for name in spreads}
        for output, values in called(estimator, means | start, 1, by).data_vars.items():
            if not np.issubdtype(values.dtype, np.integer):
                mean = values.isel({DRAW: 0}, drop=True)
                result[f"{output}_mean"] = mean.assign_attrs(_units(output, values))
                variance[output] = 0.0
        for name, spread in spreads.items():
            for moved in _moved(means[name], spread, by):
                shifted = {k: means[k].expand_dims({DRAW: moved[DRAW].values}) for k in spreads}
                given = means | shifted | {name: moved}
                found = called(estimator, given, moved.sizes[DRAW], by)
                for output in variance:
                    dims = (DRAW, *result[f"{output}_mean"].dims)
                    both = found[output].transpose(*dims).values
                    slope = (both[::2] - both[1::2]) / (2 * _STEP)
                    variance[output] = variance[output] + (slope**2).sum(axis=0)
    for output, total in variance.items():
        mean = result[f"{output}_mean"]
        result[f"{output}_sd"] = mean.copy(data=np.sqrt(total))
    return xr.Dataset(result)


def _mean_and_sd(distribution: Any, name: str) -> tuple[xr.DataArray, xr.DataArray]:
    template, (args, kwds) = parameters(distribution, name)
    mean, spread = (
        template.copy(
            data=np.broadcast_to(
                np.asarray(moment(*args, **kwds), dtype=np.float64), template.shape
            )
        ).rename(name)
        for moment in (distribution.dist.mean, distribution.dist.std)
    )
    odd = ~np.isfinite(spread.values)
    if odd.any():
        raise SchemaError(
            f"{name}: expected a distribution with a finite standard deviation, got "
            f"{float(spread.values[odd][0])} ({'; '.join(where(spread, odd))}); use summarise"
        )
    return mean, spread


def _moved(mean: xr.DataArray, spread: xr.DataArray, by: str | None) -> Iterator[xr.DataArray]:
    """The mean with one number after another moved up and down, in the place of the draws."""
    fixed = [str(dim) for dim in mean.dims if dim != by]
    mean, spread = mean.transpose(..., *fixed), spread.transpose(..., *fixed)
    shape = [mean.sizes[dim] for dim in fixed]
    count = math.prod(shape)
    for first in range(0, count, _PERTURBED):
        which = np.arange(first, min(first + _PERTURBED, count))
        signs = np.zeros((2 * which.size, count))
        signs[0::2][np.arange(which.size), which] = _STEP
        signs[1::2][np.arange(which.size), which] = -_STEP
        numbers = np.arange(len(signs))
        moves = xr.DataArray(signs.reshape(-1, *shape), dims=(DRAW, *fixed), coords={DRAW: numbers})
        yield (mean + moves * spread).transpose(DRAW, ...)
