"""Curves of model migration schedules and the search for those that fit, of plain arrays."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["COMPONENTS", "KINDS", "REQUIRED", "curve", "fit_counts", "fit_rates"]

_Array: TypeAlias = npt.NDArray[np.float64]
_Components: TypeAlias = "tuple[tuple[str, ...], ...]"
#: Parameters, their standard errors, curve, whether converged, and how far off.
_Fit: TypeAlias = "tuple[_Array, _Array, _Array, bool, float]"

_CHILDREN: Final = ("a1", "alpha1")
_WORK: Final = ("a2", "alpha2", "mu2", "lambda2")
_RETIREMENT: Final = ("a3", "alpha3", "mu3", "lambda3")
_ELDERLY: Final = ("a4", "lambda4")
COMPONENTS: Final = (_CHILDREN, _WORK, _RETIREMENT, _ELDERLY, ("c",))
#: Components that every schedule has.
REQUIRED: Final = (_CHILDREN, _WORK)
#: The components of each kind of schedule, by how many parameters it has.
KINDS: Final = {
    7: (_CHILDREN, _WORK, ("c",)),
    9: (_CHILDREN, _WORK, _ELDERLY, ("c",)),
    11: (_CHILDREN, _WORK, _RETIREMENT, ("c",)),
    13: COMPONENTS,
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
#: What a penalty draws shapes to: the fundamental schedule, and a hump at 65.
_TYPICAL: Final = {
    "alpha1": 0.1,
    "alpha2": 0.1,
    "mu2": 20.0,
    "lambda2": 0.4,
    "alpha3": 0.7,
    "mu3": 75.0,
    "lambda3": 0.15,
    "lambda4": 0.03,
}
#: The least distance of a start from those bounds, of the distance between them.
_EDGE: Final = 1e-3
#: A rate, of the peak, that no search need pass through.
_HIGHEST: Final = 1e6
#: A root mean square error, of the peak (or of rates), that no other start need better.
_EXACT: Final = 1e-10
#: Single years of age whose counts are pooled to look for humps.
_POOLED: Final = 5
#: Below this relative difference a series says what a deviance is.
_NEAR: Final = 1e-3


def curve(parameters: _Array, points: _Array, components: _Components) -> _Array:
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


def _slopes(logs: _Array, x: _Array, components: _Components) -> _Array:
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


def fit_rates(rates: _Array, points: _Array, components: _Components) -> _Fit:
    """The schedule of least squares, and its root mean square error."""
    peak = float(rates.max())
    if not (peak > 0 and np.isfinite(rates).all()):
        return _no_fit(points, components)
    wanted = rates / peak
    logs, ended = _search(
        _starts(wanted, points, components),
        lambda rate: (rate - wanted, np.ones_like(rate)),
        points,
        components,
        least=_EXACT * np.sqrt(len(points)),
        ftol=1e-8,
    )
    parameters = _scaled(np.exp(logs), peak, components)
    fitted = curve(parameters, points, components)
    squares = float(np.sum((fitted - rates) ** 2))
    free = len(points) - len(parameters)
    spread = np.sqrt(squares / free) if free else np.nan
    errors = parameters * spread * _spreads(_slopes(np.log(parameters), points, components))
    return parameters, errors, fitted, ended, float(np.sqrt(squares / len(points)))


def fit_counts(
    counts: _Array, exposure: _Array, points: _Array, components: _Components, penalty: float
) -> _Fit:
    """The schedule of the largest (penalised) Poisson likelihood, and its deviance."""
    some = exposure > 0
    level = float(counts.sum()) / float(exposure.sum()) if some.any() else np.nan
    few = some.sum() < sum(len(component) for component in components)
    if few or not 0 < level < np.inf:  # NaN, too
        return _no_fit(points, components)
    moves, x = counts[some], points[some]
    expected = level * exposure[some]  # at a rate of 1
    window = np.ones(_POOLED)
    pooled = np.convolve(moves, window, "same") / np.convolve(expected, window, "same")
    logs, ended = _search(
        _starts(pooled, x, components, np.sqrt(expected)),
        lambda rate: _deviances(moves, expected, rate),
        x,
        components,
        least=_EXACT * np.sqrt(moves.sum()),
        ftol=1e-12,
        penalty=penalty,
    )
    rate = curve(np.exp(logs), x, components)
    off, _ = _deviances(moves, expected, rate)
    slopes = _slopes(logs, x, components) * np.sqrt(expected / rate)[:, np.newaxis]
    parameters = _scaled(np.exp(logs), level, components)
    pull, _ = _pull(logs, components, penalty)
    errors = parameters * _spreads(np.vstack([slopes, pull]))
    return parameters, errors, curve(parameters, points, components), ended, float(np.sum(off**2))


def _deviances(counts: _Array, exposure: _Array, rate: _Array) -> tuple[_Array, _Array]:
    """Signed square roots of what each count adds to the deviance, and their slopes by rate."""
    some = counts > 0
    known = np.where(some, counts, 1.0)
    t = exposure * rate / known - 1  # how far expected counts are above
    with np.errstate(invalid="ignore", divide="ignore"):
        far = (t - np.log1p(t)) / t**2
    half = np.where(abs(t) < _NEAR, 0.5 - t / 3 + t**2 / 4 - t**3 / 5 + t**4 / 6, far)
    steep = np.sqrt(2 * known * half)
    # Without moves: 2 (expected counts), and sqrt of it.
    nothing = np.sqrt(2 * exposure * rate)
    with np.errstate(divide="ignore"):
        slope = exposure / np.where(some, (1 + t) * steep, nothing)
    return np.where(some, t * steep, nothing), slope


def _search(
    starts: Sequence[_Array],
    off: Callable[[_Array], tuple[_Array, _Array]],
    points: _Array,
    components: _Components,
    *,
    least: float,
    ftol: float,
    penalty: float = 0.0,
) -> tuple[_Array, bool]:
    """Logarithms of parameters by which the squares of `off` are least, and whether that ended.

    `off` has the misses of a curve, and their slopes by its rates. Misses whose squares' root is
    below `least` are none.
    """
    from scipy import optimize, special

    names = itertools.chain.from_iterable(components)
    lowest, highest = np.log([_WITHIN[name] for name in names]).T
    width = highest - lowest

    def part(free: _Array) -> _Array:
        """How far between its bounds each logarithm is; of slope 1 in their middle."""
        return np.asarray(special.expit(4 * free / width))

    def logs(free: _Array) -> _Array:
        return np.asarray(lowest + width * part(free))

    def misses(free: _Array) -> _Array:
        here = logs(free)
        rate = curve(np.exp(here), points, components)
        pulled = _pull(here, components, penalty)[1]
        # From infinite misses the search takes its step back.
        if rate.max() >= _HIGHEST:
            return np.full(len(rate) + len(pulled), np.inf)
        return np.concatenate([off(rate)[0], pulled])

    def slopes(free: _Array) -> _Array:
        here = logs(free)
        by_rate = off(curve(np.exp(here), points, components))[1]
        by_logs = by_rate[:, np.newaxis] * _slopes(here, points, components)
        rows = np.vstack([by_logs, _pull(here, components, penalty)[0]])
        return np.asarray(rows * 4 * part(free) * (1 - part(free)))

    best: Any = None
    exact = False
    for start in starts:
        begun = np.clip((np.log(start) - lowest) / width, _EDGE, 1 - _EDGE)
        # At a bound a slope underflows to 0, and the trust region divides by it to no effect.
        with np.errstate(divide="ignore", over="ignore"):
            found = optimize.least_squares(
                misses,
                width / 4 * special.logit(begun),
                jac=slopes,
                ftol=ftol,
                xtol=1e-12,
                gtol=1e-14,
                max_nfev=500,
            )
        if best is None or found.cost < best.cost:
            best = found
        exact = bool(np.sqrt(2 * best.cost) < least)
        if exact:
            break
    return logs(best.x), exact or bool(best.status > 0)


def _pull(logs: _Array, components: _Components, penalty: float) -> tuple[_Array, _Array]:
    """Rows that draw shapes to typical ones: their slopes by the logarithms, and their values."""
    names = list(itertools.chain.from_iterable(components))
    drawn = [k for k, name in enumerate(names) if name in _TYPICAL] if penalty > 0 else []
    weight = np.sqrt(penalty)
    wanted = np.log([_TYPICAL[names[k]] for k in drawn])
    return weight * np.eye(len(names))[drawn], weight * (logs[drawn] - wanted)


def _spreads(slopes: _Array) -> _Array:
    """Standard errors of logarithms for misses of variance 1, from the slopes of the misses."""
    _, sizes, ways = np.linalg.svd(slopes, full_matrices=False)
    sizes = np.maximum(sizes, np.finfo(float).eps * sizes[0])  # what is not shown: huge
    return np.asarray(np.sqrt(np.sum((ways / sizes[:, np.newaxis]) ** 2, axis=0)))


def _no_fit(points: _Array, components: _Components) -> _Fit:
    none = np.full(sum(len(component) for component in components), np.nan)
    return none, none, np.full(len(points), np.nan), False, np.nan


def _scaled(parameters: _Array, level: float, components: _Components) -> _Array:
    """With levels in rates again."""
    scaled = parameters.copy()
    scaled[[0, *itertools.accumulate(len(component) for component in components[:-1])]] *= level
    return scaled


def _starts(
    wanted: _Array, x: _Array, components: _Components, weights: _Array | None = None
) -> list[_Array]:
    """Parameters to start from, those nearest to the rates (of peak 1) first.

    One for each shape at old ages, then the others: near starts with the same shape end alike.
    """
    from scipy import optimize

    shapes: dict[tuple[str, ...], Sequence[tuple[float, ...]]] = {
        _CHILDREN: [(decline,) for decline in (_decline(wanted, x), *_DECLINES)],
        _WORK: _humps(_peak(wanted, x, 15, 45), _HUMPS),
        _RETIREMENT: [
            hump for age in (_peak(wanted, x, 55, 80), 65.0) for hump in _humps(age, _LATE_HUMPS)
        ],
        _ELDERLY: [(rise,) for rise in _RISES],
        ("c",): [()],
    }
    weighing = np.ones_like(wanted) if weights is None else weights / weights.max()
    old = [k for k, component in enumerate(components) if component in (_RETIREMENT, _ELDERLY)]
    tried: list[tuple[float, _Array, tuple[tuple[float, ...], ...]]] = []
    for chosen in itertools.product(*(shapes[component] for component in components)):
        basis = np.stack(
            [
                np.broadcast_to(_shape(np.array(own)[:, np.newaxis], x, component), x.shape)
                for own, component in zip(chosen, components, strict=True)
            ],
            axis=-1,
        )
        largest = np.maximum(basis.max(axis=0), _LEAST)
        rows = weighing[:, np.newaxis] * basis / largest
        levels = np.maximum(optimize.nnls(rows, weighing * wanted)[0], _LEAST)
        miss = float(np.sum((rows @ levels - weighing * wanted) ** 2))
        parts = zip(levels / largest, chosen, strict=True)
        start = np.array([value for level, own in parts for value in (level, *own)])
        tried.append((miss, start, tuple(chosen[k] for k in old)))
    tried.sort(key=lambda each: each[0])
    ahead: dict[tuple[tuple[float, ...], ...], _Array] = {}
    behind = []
    for _, start, shape in tried:
        if shape in ahead:
            behind.append(start)
        else:
            ahead[shape] = start
    return [*ahead.values(), *behind][:_FOLLOWED]


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
