"""Model migration schedules of Rogers and Castro: their curves, and their fit to rates by age."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import xarray as xr

from migproj._checks import check_dims, check_finite, check_lacks, check_numbers, check_rates, where
from migproj._diagnostics import finding, warn_findings
from migproj.errors import SchemaError

__all__ = ["fit_rogers_castro", "rogers_castro"]

_Array: TypeAlias = npt.NDArray[np.float64]

_CHILDREN: Final = ("a1", "alpha1")
_WORK: Final = ("a2", "alpha2", "mu2", "lambda2")
_RETIREMENT: Final = ("a3", "alpha3", "mu3", "lambda3")
_ELDERLY: Final = ("a4", "lambda4")
_COMPONENTS: Final = (_CHILDREN, _WORK, _RETIREMENT, _ELDERLY, ("c",))
#: The components of each kind of schedule, by how many parameters it has.
_KINDS: Final = {
    7: (_CHILDREN, _WORK, ("c",)),
    9: (_CHILDREN, _WORK, _ELDERLY, ("c",)),
    11: (_CHILDREN, _WORK, _RETIREMENT, ("c",)),
    13: _COMPONENTS,
}

#: Shapes from which a fit starts, beside those that the curve itself suggests.
_DECLINES: Final = (0.03, 0.1, 0.3)  # alpha1
_HUMPS: Final = ((0.1, 0.4), (0.05, 0.8), (0.15, 0.15))  # alpha2, lambda2
_LATE_HUMPS: Final = ((0.7, 0.15), (0.8, 0.6), (0.2, 0.3))  # alpha3, lambda3
_RISES: Final = (0.03, 0.1)  # lambda4
#: Starts followed to their end, the best ones first.
_FOLLOWED: Final = 6
#: The least level of a component at a start, of the peak: from 0 it would not grow again.
_LEAST: Final = 1e-3
#: Between which values a fit looks for each parameter; levels are relative to the peak.
_WITHIN: Final = {
    **dict.fromkeys(("a1", "a2", "a3", "a4", "c"), (1e-12, 1e6)),
    **dict.fromkeys(("alpha1", "alpha2", "alpha3", "lambda2", "lambda3"), (1e-3, 5.0)),
    "mu2": (1.0, 50.0),
    "mu3": (50.0, 120.0),
    "lambda4": (1e-3, 0.5),
}
#: The least distance of a start from those bounds, of the distance between them.
_EDGE: Final = 1e-3
#: A rate, of the peak, that no search need pass through.
_HIGHEST: Final = 1e6
#: A root mean square error, of the peak, that no other start need better.
_EXACT: Final = 1e-10


def rogers_castro(
    parameters: xr.DataArray, ages: xr.DataArray | xr.Coordinates | Sequence[float] | _Array
) -> xr.DataArray:
    r"""Migration rates by age of model migration schedules.

    Parameters
    ----------
    parameters : DataArray (..., parameter)
        By the labels ``a1``, ``alpha1`` (children), ``a2``, ``alpha2``, ``mu2``, ``lambda2``
        (labour force) and, all of a component or none, ``a3``, ``alpha3``, ``mu3``,
        ``lambda3`` (retirement), ``a4``, ``lambda4`` (elderly upslope), ``c``, in any order. The
        levels ``a1`` to ``a4`` and ``c`` are in 1/year, ``mu2`` and ``mu3`` in years of age, the
        others in 1/year of age.
    ages : array with an ``age`` coordinate, or sequence of numbers
        The ages (years) at which the curve is read: points, not groups.

    Returns
    -------
    DataArray "migration_rate" (..., age)
        Rates (1/year). A component that `parameters` lack is 0. A schedule with a missing
        parameter is missing.

    Raises
    ------
    SchemaError
        If labels of parameters are missing, unknown or repeated, a parameter is infinite, or
        ages are not ascending numbers of 0 or more.

    Notes
    -----
    .. math::
       m(x) = a_1 e^{-\alpha_1 x}
            + a_2 e^{-\alpha_2 (x - \mu_2) - e^{-\lambda_2 (x - \mu_2)}}
            + a_3 e^{-\alpha_3 (x - \mu_3) - e^{-\lambda_3 (x - \mu_3)}}
            + a_4 e^{\lambda_4 x} + c

    References
    ----------
    Rogers & Castro (1981), *Model Migration Schedules*, IIASA RR-81-30 (7 and 11 parameters);
    Rogers & Watkins (1987), "General versus elderly interstate migration and population
    redistribution in the United States", *Research on Aging* 9:483-529 (the upslope).

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> labels = ["a1", "alpha1", "a2", "alpha2", "mu2", "lambda2", "c"]
    >>> fundamental = xr.DataArray([0.02, 0.1, 0.06, 0.1, 20, 0.4, 0.003], dims="parameter",
    ...                            coords={"parameter": labels})
    >>> mp.rogers_castro(fundamental, [0, 10, 23, 60]).round(4).values
    array([0.023 , 0.0104, 0.0379, 0.0041])
    """
    check_dims("parameters", parameters, "parameter")
    check_lacks("parameters", parameters, "age", "select one label; ages are given by themselves")
    check_finite("parameters", parameters)
    components = _components_of(parameters)
    labels = list(itertools.chain.from_iterable(components))
    points = _points("ages", _labels_of(ages))
    rates: xr.DataArray = xr.apply_ufunc(
        _curve,
        _whole("parameters", parameters.sel(parameter=labels), "parameter").astype(np.float64),
        kwargs={"points": points, "components": components},
        input_core_dims=[["parameter"]],
        output_core_dims=[["age"]],
        keep_attrs=False,
        dask="parallelized",
        dask_gufunc_kwargs={"output_sizes": {"age": len(points)}},
        output_dtypes=[np.float64],
    )
    rates = rates.drop_vars("age", errors="ignore").assign_coords(age=_labels_of(ages))
    return rates.rename("migration_rate").assign_attrs(units="1/year")


def fit_rogers_castro(rates: xr.DataArray, *, kind: Literal[7, 9, 11, 13] = 7) -> xr.Dataset:
    """Model migration schedules that fit rates by age best, by least squares.

    Parameters
    ----------
    rates : DataArray (..., age)
        Rates (1/year) at the ages that the labels say; at least `kind` ages. The rate of an
        open-ended last group is taken for that of its youngest age.
    kind : 7, 9, 11 or 13
        Parameters of the schedule: 7 has children, labour force and a constant; 9 the elderly
        upslope as well, 11 the hump of retirement, 13 both.

    Returns
    -------
    Dataset
        ``parameters`` (..., parameter), positive, in the units of :func:`rogers_castro`;
        ``fitted`` (..., age) and ``rmse`` (...), the root mean square error, in 1/year;
        ``converged`` (...), whether the search that found them ended before its limit of
        steps. Rates that are missing at an age, or 0 at all ages, have no fit: missing, and
        not converged.

    Raises
    ------
    SchemaError
        If dims, ages or values are not what is described here, groups are wider than one year,
        or there are fewer ages than parameters.

    Warns
    -----
    DataQualityWarning
        Once a call, naming the labels, if a fit has not converged.

    Notes
    -----
    The sum of squared differences is minimised over the logarithms of the parameters, by a
    trust region with exact derivatives. So that components keep their meaning, parameters are
    looked for between bounds: ``mu2`` from 1 to 50 and ``mu3`` from 50 to 120 years, ``alpha1``
    to ``alpha3``, ``lambda2`` and ``lambda3`` from 0.001 to 5, ``lambda4`` from 0.001 to 0.5,
    and levels from 1e-12 to 1e6 times the highest rate. There are several minima: the search
    starts from humps at the peaks of the rates and slopes of several sizes, with the levels
    that fit each best, and the best end of the most promising starts is kept. That it is the
    lowest of all is not certain. Where the rates do not show a component, different parameters
    give nearly the same curve, and the search may end at a bound or not converge: compare
    curves, not parameters.

    References
    ----------
    Rogers & Castro (1981), *Model Migration Schedules*, IIASA RR-81-30; Rogers & Watkins (1987),
    *Research on Aging* 9:483-529.

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> labels = ["a1", "alpha1", "a2", "alpha2", "mu2", "lambda2", "c"]
    >>> fundamental = xr.DataArray([0.02, 0.1, 0.06, 0.1, 20, 0.4, 0.003], dims="parameter",
    ...                            coords={"parameter": labels})
    >>> fit = mp.fit_rogers_castro(mp.rogers_castro(fundamental, range(81)))
    >>> bool(fit["converged"]), fit["parameters"].sel(parameter="mu2").round(3).item()
    (True, 20.0)
    """
    if isinstance(kind, bool) or kind not in _KINDS:
        raise SchemaError(f"kind: expected one of {list(_KINDS)}, got {kind!r}")
    check_dims("rates", rates, "age")
    check_lacks("rates", rates, "parameter", "rates are by age")
    check_rates("rates", rates)
    points = _points("rates", _labels_of(rates, "rates"))
    _check_single_years(rates)
    if len(points) < kind:
        raise SchemaError(
            f"rates: dim 'age': expected at least {kind} ages for {kind} parameters, got "
            f"{len(points)}; give rates by single years, or fit a smaller kind"
        )
    components = _KINDS[kind]
    parameters, fitted, converged, rmse = xr.apply_ufunc(
        _fit,
        _whole("rates", rates, "age").astype(np.float64),
        kwargs={"points": points, "components": components},
        input_core_dims=[["age"]],
        output_core_dims=[["parameter"], ["age"], [], []],
        vectorize=True,
        keep_attrs=False,
        dask="parallelized",
        dask_gufunc_kwargs={"output_sizes": {"parameter": kind}},
        output_dtypes=[np.float64, np.float64, np.bool_, np.float64],
    )
    labels = list(itertools.chain.from_iterable(components))
    lost = ~converged & rmse.notnull()
    warn_findings("fit_rogers_castro", [finding("no convergence of the fit", lost)])
    return xr.Dataset(
        {
            "parameters": parameters.assign_coords(parameter=labels),
            "fitted": fitted.assign_attrs(units="1/year"),
            "converged": converged,
            "rmse": rmse.assign_attrs(units="1/year"),
        }
    )


def _components_of(parameters: xr.DataArray) -> tuple[tuple[str, ...], ...]:
    """The components whose parameters are there; each has all of its own."""
    if "parameter" not in parameters.indexes:
        raise SchemaError(
            "parameters: dim 'parameter' has no labels; nothing is told apart by position: "
            "parameters.assign_coords(parameter=['a1', 'alpha1', ...])"
        )
    have = parameters.indexes["parameter"].tolist()
    known = list(itertools.chain.from_iterable(_COMPONENTS))
    unknown = [label for label in have if label not in known]
    if unknown:
        raise SchemaError(
            f"parameters: dim 'parameter': expected labels among {known}, got {unknown[:5]}"
        )
    for component in _COMPONENTS:
        lacking = [label for label in component if label not in have]
        if lacking and (component in (_CHILDREN, _WORK) or len(lacking) < len(component)):
            raise SchemaError(
                f"parameters: dim 'parameter': expected all of {list(component)}, lacks "
                f"{lacking}; a component that is not wanted has the level 0, or, but for the "
                "first two, none of its parameters"
            )
    return tuple(component for component in _COMPONENTS if component[0] in have)


def _labels_of(ages: Any, name: str = "ages") -> npt.NDArray[Any]:
    if not isinstance(ages, xr.DataArray | xr.Coordinates):
        return np.asarray(ages)
    coords = ages if isinstance(ages, xr.Coordinates) else ages.coords
    if "age" not in coords:
        raise SchemaError(
            f"{name}: the dim 'age' has no labels; give the ages at which the rates are: "
            f"{name}.assign_coords(age=[...])"
        )
    return np.atleast_1d(coords["age"].values)


def _points(name: str, labels: npt.NDArray[Any]) -> _Array:
    """Ages as float64: ascending finite numbers of 0 or more."""
    if labels.ndim != 1 or labels.size == 0:
        raise SchemaError(f"{name}: expected a sequence of ages, got the shape {labels.shape}")
    check_numbers(name, xr.DataArray(labels, dims="age"))
    points = labels.astype(np.float64)
    odd = ~(np.isfinite(points) & (points >= 0))
    odd[1:] |= ~(np.diff(points) > 0)
    if odd.any():
        raise SchemaError(
            f"{name}: expected ascending ages of 0 or more, got {labels[odd][:5].tolist()} in "
            f"{labels[:8].tolist()}; sort them, .sortby('age')"
        )
    return points


def _check_single_years(rates: xr.DataArray) -> None:
    """What has widths is by single years; a last group may be open-ended."""
    if "age_width" not in rates.coords:
        return
    widths = np.broadcast_to(rates["age_width"].values, rates.sizes["age"])
    wide = widths != 1
    wide[-1] &= widths[-1] != np.inf
    if wide.any():
        raise SchemaError(
            "rates: expected single years of age, got wider groups "
            f"({'; '.join(where(rates['age'], wide))}); give rates at ages: "
            "rates.assign_coords(age=...).drop_vars('age_width') with the middle of each group"
        )


def _whole(name: str, array: xr.DataArray, dim: str) -> xr.DataArray:
    pieces = len(array.chunksizes.get(dim, ()))
    if pieces > 1:
        raise SchemaError(
            f"{name}: dim {dim!r} is split into {pieces} dask chunks; expected one: "
            f"{name}.chunk({{{dim!r}: -1}})"
        )
    return array


def _curve(parameters: _Array, points: _Array, components: tuple[tuple[str, ...], ...]) -> _Array:
    """Rates (..., age) of parameters (..., parameter)."""
    rates = np.zeros((*parameters.shape[:-1], len(points)))
    first = 0
    for component in components:
        own = parameters[..., first : first + len(component), np.newaxis]
        rates += own[..., 0, :] * _shape(own[..., 1:, :], points, component)
        first += len(component)
    return rates


def _shape(own: _Array, x: _Array, component: tuple[str, ...]) -> _Array:
    """A component of level 1 (..., age), of its other parameters (..., parameter, 1)."""
    with np.errstate(over="ignore"):  # exp(-inf) is the limit, 0
        if component == _CHILDREN:
            return np.asarray(np.exp(-own[..., 0, :] * x))
        if component == _ELDERLY:
            return np.asarray(np.exp(own[..., 0, :] * x))
        if component == ("c",):
            return np.ones_like(x)
        alpha, mu, lambda_ = (own[..., k, :] for k in range(3))
        return np.asarray(np.exp(-alpha * (x - mu) - np.exp(-lambda_ * (x - mu))))


def _slopes(logs: _Array, x: _Array, components: tuple[tuple[str, ...], ...]) -> _Array:
    """Derivatives (age, parameter) of the curve by the logarithms of its parameters."""
    columns: list[_Array] = []
    parameters = np.exp(logs)
    first = 0
    for component in components:
        level, *own = parameters[first : first + len(component)]
        first += len(component)
        rates = level * _shape(np.array(own)[:, np.newaxis], x, component)
        columns.append(np.broadcast_to(rates, x.shape))
        if component == _CHILDREN:
            columns.append(-own[0] * x * rates)
        elif component == _ELDERLY:
            columns.append(own[0] * x * rates)
        elif component != ("c",):
            alpha, mu, lambda_ = own
            u = x - mu
            with np.errstate(over="ignore"):
                # In one exponential: apart, an infinite rise would meet a rate of 0.
                rising = level * np.exp(-(alpha + lambda_) * u - np.exp(-lambda_ * u))
            columns += [
                -alpha * u * rates,
                mu * (alpha * rates - lambda_ * rising),
                lambda_ * u * rising,
            ]
    return np.stack(columns, axis=-1)


def _fit(
    rates: _Array, points: _Array, components: tuple[tuple[str, ...], ...]
) -> tuple[_Array, _Array, bool, float]:
    """Parameters, curve, whether converged, and root mean square error of one schedule."""
    from scipy import optimize, special

    count = sum(len(component) for component in components)
    peak = float(rates.max())
    if not peak > 0:  # NaN, too
        return np.full(count, np.nan), np.full(len(points), np.nan), False, np.nan
    wanted = rates / peak

    names = itertools.chain.from_iterable(components)
    lowest, highest = np.log([_WITHIN[name] for name in names]).T
    width = highest - lowest

    def part(free: _Array) -> _Array:
        """How far between its bounds each logarithm is; of slope 1 in their middle."""
        return np.asarray(special.expit(4 * free / width))

    def logs(free: _Array) -> _Array:
        return np.asarray(lowest + width * part(free))

    def misses(free: _Array) -> _Array:
        off = _curve(np.exp(logs(free)), points, components) - wanted
        # From infinite misses the search takes its step back.
        return off if off.max() < _HIGHEST else np.full_like(off, np.inf)

    def slopes(free: _Array) -> _Array:
        by_logs = _slopes(logs(free), points, components)
        return np.asarray(by_logs * 4 * part(free) * (1 - part(free)))

    best: Any = None
    exact = False
    for start in _starts(wanted, points, components):
        begun = np.clip((np.log(start) - lowest) / width, _EDGE, 1 - _EDGE)
        found = optimize.least_squares(
            misses,
            width / 4 * special.logit(begun),
            jac=slopes,
            ftol=1e-8,
            xtol=1e-12,
            gtol=1e-14,
            max_nfev=500,
        )
        if best is None or found.cost < best.cost:
            best = found
        exact = bool(np.sqrt(2 * best.cost / len(points)) < _EXACT)
        if exact:
            break
    parameters = np.exp(logs(best.x))
    parameters[_levels(components)] *= peak
    fitted = _curve(parameters, points, components)
    rmse = float(np.sqrt(np.mean((fitted - rates) ** 2)))
    return parameters, fitted, exact or bool(best.status > 0), rmse


def _levels(components: tuple[tuple[str, ...], ...]) -> list[int]:
    """Where the level of each component is among the parameters."""
    return [0, *itertools.accumulate(len(component) for component in components[:-1])]


def _starts(wanted: _Array, x: _Array, components: tuple[tuple[str, ...], ...]) -> list[_Array]:
    """Parameters to start from, those nearest to the rates (of peak 1) first."""
    shapes: dict[tuple[str, ...], Sequence[tuple[float, ...]]] = {
        _CHILDREN: [(decline,) for decline in (_decline(wanted, x), *_DECLINES)],
        _WORK: _humps(_peak(wanted, x, 15, 45), _HUMPS),
        _RETIREMENT: [
            hump for age in (_peak(wanted, x, 55, 80), 65.0) for hump in _humps(age, _LATE_HUMPS)
        ],
        _ELDERLY: [(rise,) for rise in _RISES],
        ("c",): [()],
    }
    tried: list[tuple[float, _Array]] = []
    for chosen in itertools.product(*(shapes[component] for component in components)):
        basis = np.stack(
            [
                np.broadcast_to(_shape(np.array(own)[:, np.newaxis], x, component), x.shape)
                for own, component in zip(chosen, components, strict=True)
            ],
            axis=-1,
        )
        largest = np.maximum(basis.max(axis=0), _LEAST)
        levels = np.linalg.lstsq(basis / largest, wanted, rcond=None)[0]
        levels = np.maximum(levels, _LEAST)
        miss = float(np.sum((basis / largest @ levels - wanted) ** 2))
        parts = zip(levels / largest, chosen, strict=True)
        tried.append((miss, np.array([value for level, own in parts for value in (level, *own)])))
    tried.sort(key=lambda pair: pair[0])
    return [start for _, start in tried[:_FOLLOWED]]


def _decline(wanted: _Array, x: _Array) -> float:
    """The mean slope of the logarithm of the rates from the first age to the trough."""
    young = wanted[x <= max(15.0, x[0])]
    trough = int(np.argmin(young))
    if trough == 0 or young[0] <= young[trough]:
        return 0.05
    fall = np.log(young[0] / max(float(young[trough]), _LEAST))
    return float(np.clip(fall / (x[trough] - x[0]), 0.01, 1.0))


def _peak(wanted: _Array, x: _Array, lowest: float, highest: float) -> float:
    """The age of the highest rate between two ages, or their middle if there is none."""
    within = (x >= lowest) & (x <= highest)
    if not within.any():
        return (lowest + highest) / 2
    return float(x[np.argmax(np.where(within, wanted, -1.0))])


def _humps(mode: float, slopes: Sequence[tuple[float, float]]) -> list[tuple[float, float, float]]:
    """Shapes (alpha, mu, lambda) of humps that are highest at an age."""
    return [
        (alpha, max(mode - float(np.log(lambda_ / alpha)) / lambda_, 1.0), lambda_)
        for alpha, lambda_ in slopes
    ]
