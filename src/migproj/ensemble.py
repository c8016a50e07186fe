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

import contextlib
import math
import warnings
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import xarray as xr

from migproj._checks import check_labels_match, where
from migproj._draws import Moments, checked_quantiles
from migproj._random import drawn, parameters, whole
from migproj.conventions import VARIABLES
from migproj.errors import AlignmentError, DataQualityWarning, SchemaError

__all__ = ["draws", "standard_errors", "summarise"]

Estimator: TypeAlias = Callable[..., "xr.Dataset | xr.DataArray"]

_DRAW: Final = "draw"
#: Cells of the inputs of a block of draws, and of results kept for quantiles (8 bytes each).
_BLOCK: Final = 2**20
_KEPT: Final = 2**22
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
    numbers = xr.DataArray(first, dims=_DRAW, coords={_DRAW: first})
    if chunks is not None:
        numbers = numbers.chunk({_DRAW: whole("chunks", chunks, 1)})
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
    (``xr.set_options(arithmetic_join="exact")``).

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
    _check_inputs(inputs, by, count)
    with _warned_once("summarise"):
        parts = [
            _summary(estimator, own, count, seed, wanted, by)
            for own in _parts(inputs, by, None if wanted is None else count)
        ]
    return parts[0] if len(parts) == 1 else xr.concat(parts, str(by), join="exact")


def _check_inputs(inputs: Mapping[str, Any], by: str | None, n: int | None) -> None:
    """Arrays are labelled, arrays of draws have draws 0 to n - 1, something is uncertain."""
    uncertain = False
    for name, value in inputs.items():
        given = isinstance(value, xr.DataArray | xr.Dataset)
        template: xr.DataArray | xr.Dataset = value if given else parameters(value, name)[0]
        uncertain = uncertain or not given
        if _DRAW in template.dims:
            uncertain = True
            _check_draws(name, template, n)
        if by is not None and by in template.dims and by not in template.indexes:
            raise SchemaError(
                f"{name}: dim {by!r} has no labels, and the estimates are made by it; "
                f".assign_coords({by}=...)"
            )
    if not uncertain:
        raise SchemaError(
            f"inputs: expected a distribution or an array with the dim 'draw' among "
            f"{list(inputs)}, got none; without draws there is nothing to summarise"
        )


def _check_draws(name: str, array: xr.DataArray | xr.Dataset, n: int | None) -> None:
    if n is None:
        raise SchemaError(
            f"{name}: expected a distribution, whose standard deviation is known, got an array of "
            "draws; summarise takes them as they are"
        )
    found = array[_DRAW].values if _DRAW in array.coords else np.array([])
    if not np.array_equal(found, np.arange(n)):
        raise AlignmentError(
            f"{name}: dim 'draw': expected the labels 0 to {n - 1}, got {array.sizes[_DRAW]} draws "
            f"labelled {found[:5].tolist()} ...; give n={array.sizes[_DRAW]} and "
            f".assign_coords(draw=range({n}))"
        )


def _parts(inputs: Mapping[str, Any], by: str | None, kept: int | None) -> Iterator[dict[str, Any]]:
    """The inputs, a few labels of `by` at a time where `kept` draws of their results are kept."""
    if by is None:
        yield dict(inputs)
        return
    arrays = {k: v for k, v in inputs.items() if isinstance(v, xr.DataArray | xr.Dataset)}
    arrays |= {k: parameters(v, k)[0] for k, v in inputs.items() if k not in arrays}
    having = {k: v for k, v in arrays.items() if by in v.dims}
    if not having:
        raise SchemaError(
            f"by: expected a dim of the inputs, got {by!r}; they have "
            f"{sorted({str(d) for v in arrays.values() for d in v.dims})}"
        )
    plain = {k: v if isinstance(v, xr.DataArray) else v[by] for k, v in having.items()}
    check_labels_match(plain, dims=[by])
    labels = next(iter(having.values()))[by].values
    each = max(sum(_cells_of(v) for v in having.values()) // len(labels), 1)
    step = len(labels) if kept is None else max(_KEPT // (kept * each), 1)
    for first in range(0, len(labels), step):
        some = labels[first : first + step]
        yield {k: _selected(v, by, some) for k, v in inputs.items()}


def _cells_of(array: xr.DataArray | xr.Dataset) -> int:
    """Cells of a draw."""
    parts = [array] if isinstance(array, xr.DataArray) else list(array.values())
    return sum(part.size // part.sizes.get(_DRAW, 1) for part in parts)


def _selected(value: Any, by: str, labels: npt.NDArray[Any]) -> Any:
    """An input for some labels of `by`: an array, or a distribution with other parameters."""
    if isinstance(value, xr.DataArray | xr.Dataset):
        return value.sel({by: labels}) if by in value.dims else value

    def of(parameter: Any) -> Any:
        return _selected(parameter, by, labels) if hasattr(parameter, "dims") else parameter

    return type(value)(
        value.dist, *map(of, value.args), **{k: of(v) for k, v in value.kwds.items()}
    )


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
        _cells_of(v) for v in inputs.values() if isinstance(v, xr.DataArray | xr.Dataset)
    ) + sum(parameters(v, k)[0].size for k, v in inputs.items() if hasattr(v, "ppf"))
    block = max(_BLOCK // max(cells, 1), 16)
    moments: dict[Hashable, Moments] = {}
    sums: dict[Hashable, xr.DataArray] = {}
    kept: dict[Hashable, list[xr.DataArray]] = {}
    units: dict[Hashable, dict[str, Any]] = {}
    for first in range(0, n, block):
        numbers = np.arange(first, min(first + block, n), dtype=np.int64)
        given = _with_draws(inputs, numbers, seed)
        for name, values in _called(estimator, given, numbers.size, by).data_vars.items():
            units[name] = _units(name, values)
            if np.issubdtype(values.dtype, np.integer):
                total = values.sum(_DRAW)
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
            every = xr.concat(kept.pop(name), _DRAW, join="exact")
            found = every.quantile(list(wanted), _DRAW, skipna=False)
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
    labelled = xr.DataArray(numbers, dims=_DRAW, coords={_DRAW: numbers})
    own: dict[str, Any] = {}
    for name, value in inputs.items():
        if not isinstance(value, xr.DataArray | xr.Dataset):
            own[name] = drawn(value, labelled, seed, name)
        else:
            own[name] = value.sel(draw=numbers) if _DRAW in value.dims else value
    return own


def _called(
    estimator: Estimator, inputs: Mapping[str, Any], size: int, by: str | None
) -> xr.Dataset:
    """What the estimator makes of `size` draws, with the dim draw first on each variable."""
    options: Any = xr.set_options
    with options(arithmetic_join="exact"):
        found: Any = estimator(**inputs)
    if isinstance(found, xr.DataArray):
        found = found.to_dataset(name="estimate" if found.name is None else found.name)
    if not isinstance(found, xr.Dataset):
        raise SchemaError(
            f"estimator: expected it to return a DataArray or Dataset, got {type(found).__name__}"
        )
    without = [name for name, v in found.data_vars.items() if _DRAW not in v.dims]
    if without or found.sizes[_DRAW] != size:
        raise SchemaError(
            f"estimator: expected the dim 'draw' with the {size} labels of its inputs on all it "
            f"returns, got {without or found.sizes[_DRAW]}; return those that the draws change, "
            "such as result[['net_migration']]"
        )
    mixed = [name for name, v in found.data_vars.items() if by is not None and by not in v.dims]
    if mixed:
        raise SchemaError(
            f"by: expected the dim {by!r} on all that the estimator returns, got none on {mixed}: "
            "its labels are estimated apart from each other; leave out by, or what mixes them"
        )
    return found.transpose(_DRAW, ...).compute()


@contextlib.contextmanager
def _warned_once(caller: str) -> Iterator[None]:
    """Pass on the first DataQualityWarning of the estimator, and how often one came."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    doubtful = [w for w in caught if issubclass(w.category, DataQualityWarning)]
    for other in caught:
        if other not in doubtful:
            warnings.warn_explicit(other.message, other.category, other.filename, other.lineno)
    if doubtful:
        more = f" (and {len(doubtful) - 1} more of other draws)" if len(doubtful) > 1 else ""
        warnings.warn(
            f"{caller}: in some draws, {doubtful[0].message}{more}",
            DataQualityWarning,
            stacklevel=4,
        )


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
    _check_inputs(inputs, by, None)
    means: dict[str, Any] = dict(inputs)
    spreads = {}
    for name, value in inputs.items():
        if not isinstance(value, xr.DataArray | xr.Dataset):
            means[name], spreads[name] = _mean_and_sd(value, name)
    list(_parts(inputs, by, None))  # checks the labels of `by`
    result: dict[Hashable, xr.DataArray] = {}
    variance: dict[Hashable, Any] = {}
    with _warned_once("standard_errors"):
        start = {name: means[name].expand_dims({_DRAW: [0]}) for name in spreads}
        for output, values in _called(estimator, means | start, 1, by).data_vars.items():
            if not np.issubdtype(values.dtype, np.integer):
                mean = values.isel({_DRAW: 0}, drop=True)
                result[f"{output}_mean"] = mean.assign_attrs(_units(output, values))
                variance[output] = 0.0
        for name, spread in spreads.items():
            for moved in _moved(means[name], spread, by):
                shifted = {k: means[k].expand_dims({_DRAW: moved[_DRAW].values}) for k in spreads}
                given = means | shifted | {name: moved}
                found = _called(estimator, given, moved.sizes[_DRAW], by)
                for output in variance:
                    dims = (_DRAW, *result[f"{output}_mean"].dims)
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
        moves = xr.DataArray(
            signs.reshape(-1, *shape), dims=(_DRAW, *fixed), coords={_DRAW: numbers}
        )
        yield (mean + moves * spread).transpose(_DRAW, ...)
