"""Model migration schedules of Rogers and Castro: their curves, and their fit to rates by age."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import xarray as xr

from migproj._checks import (
    check_counts,
    check_dims,
    check_finite,
    check_labels_match,
    check_lacks,
    check_numbers,
    check_one_chunk,
    check_rates,
    check_same_places,
    where,
)
from migproj._choices import check_choice, plain_number
from migproj._diagnostics import finding, warn_findings
from migproj._rogerscastro import COMPONENTS, KINDS, REQUIRED, curve, fit_counts, fit_rates
from migproj.conventions import VARIABLES
from migproj.errors import SchemaError

__all__ = ["fit_rogers_castro", "rogers_castro"]

_Array: TypeAlias = npt.NDArray[np.float64]


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
    check_one_chunk("parameters", parameters, "parameter")
    components = components_of(parameters)
    labels = list(itertools.chain.from_iterable(components))
    points = _points("ages", _labels_of(ages))
    rates: xr.DataArray = xr.apply_ufunc(
        curve,
        parameters.sel(parameter=labels).astype(np.float64),
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


def fit_rogers_castro(
    rates: xr.DataArray | None = None,
    *,
    kind: Literal[7, 9, 11, 13] = 7,
    counts: xr.DataArray | None = None,
    exposure: xr.DataArray | None = None,
    penalty: float = 0.0,
) -> xr.Dataset:
    r"""Model migration schedules that fit best: rates by least squares, counts by likelihood.

    Parameters
    ----------
    rates : DataArray (..., age), optional
        Rates (1/year) at the ages that the labels say; at least `kind` ages. The rate of an
        open-ended last group is taken for that of its youngest age.
    kind : 7, 9, 11 or 13
        Parameters of the schedule: 7 has children, labour force and a constant; 9 the elderly
        upslope as well, 11 the hump of retirement, 13 both.
    counts, exposure : DataArray (..., age), optional
        Instead of `rates`: migrants (persons) and the person-years that they come from, by the
        same ages. Ages without exposure are left out.
    penalty : float, default 0.0
        With `counts`: how strongly shapes (not levels) are drawn to those of the fundamental
        schedule, and retirement to a hump at 65, as the number of observations, each with a
        standard error of 1 in the logarithm. 0 is maximum likelihood; 1 to 25 (standard errors of
        1 to 0.2) keeps few migrants from giving odd shapes.

    Returns
    -------
    Dataset
        ``parameters`` (..., parameter), positive, in the units of :func:`rogers_castro`, and
        their ``standard_error``; ``fitted`` (..., age) in 1/year; ``rmse`` (...), the root mean
        square error of rates in 1/year, or ``deviance`` (...) of counts;
        ``converged`` (...), whether the search that found them ended before its limit of
        steps. Figures that are missing at an age, 0 at all ages, or (with exposure) at fewer
        ages than parameters have no fit: missing, and not converged.

    Raises
    ------
    SchemaError
        If dims, ages or values are not what is described here, groups are wider than one year,
        there are fewer ages than parameters, or migrants without exposure.
    AlignmentError
        If labels of counts and exposure differ.

    Warns
    -----
    DataQualityWarning
        Once a call, naming the labels, if a fit has not converged.

    Notes
    -----
    Minimised is the sum of the squared differences of rates, or

    .. math::
       2 \sum_x \left[y_x \ln \frac{y_x}{E_x m_x} - y_x + E_x m_x\right]
       + \kappa \sum_j (\ln \theta_j - \ln \theta_j^0)^2

    with counts y, exposure E, the penalty κ and shapes θ: the Poisson deviance, and a term that
    draws the shapes towards θ⁰. The search is a trust region with exact derivatives over the
    logarithms of the parameters. So that components keep their meaning, parameters have bounds:
    ``mu2`` from 1 to 50 and ``mu3`` from 50 to 120 years, ``alpha1`` to ``alpha3``, ``lambda2``
    and ``lambda3`` from 0.001 to 5, ``lambda4`` from 0.001 to 0.5, and levels from 1e-12 to 1e6
    times the highest rate (of counts, the rate of all ages). There are several minima: the search
    starts from humps at the peaks of the rates and slopes of several sizes, with the levels
    that fit each best, and the best end of the most promising starts is kept. It need not be
    the lowest minimum of all. Where the rates do not show a component, different parameters
    give nearly the same curve, and the search may end at a bound or not converge: compare
    curves, not parameters.

    Standard errors are those of the logarithms times the parameters: of counts, from the Poisson
    information (with that of the penalty); of rates, as if all had the variance of the residuals.
    They are large where the data do not show a parameter, and mean little at a bound.

    References
    ----------
    Rogers & Castro (1981), *Model Migration Schedules*, IIASA RR-81-30; Rogers & Watkins (1987),
    *Research on Aging* 9:483-529; McCullagh & Nelder (1989), *Generalized Linear Models*
    (deviance).

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> labels = ["a1", "alpha1", "a2", "alpha2", "mu2", "lambda2", "c"]
    >>> fundamental = xr.DataArray([0.02, 0.1, 0.06, 0.1, 20, 0.4, 0.003], dims="parameter",
    ...                            coords={"parameter": labels})
    >>> rates = mp.rogers_castro(fundamental, range(81))
    >>> fit = mp.fit_rogers_castro(rates)
    >>> bool(fit["converged"]), fit["parameters"].sel(parameter="mu2").round(3).item()
    (True, 20.0)

    A thousand people of each age, and as many migrants as are expected:

    >>> lived = xr.full_like(rates, 1000.0)
    >>> fit = mp.fit_rogers_castro(counts=rates * lived, exposure=lived)
    >>> fit["standard_error"].sel(parameter="mu2").round(2).item()
    0.66
    """
    check_choice("kind", kind, KINDS)
    given = _given(rates, counts, exposure, penalty)
    name, first = next(iter(given.items()))
    points = _points(name, _labels_of(first, name))
    for own, array in given.items():
        _check_single_years(own, array)
        check_one_chunk(own, array, "age")
    if len(points) < kind:
        raise SchemaError(
            f"{name}: dim 'age': expected at least {kind} ages for {kind} parameters, got "
            f"{len(points)}; give {name} by single years, or fit a smaller kind"
        )
    options: dict[str, Any] = {"points": points, "components": KINDS[kind]}
    if rates is None:
        options["penalty"] = float(penalty)
    arrays = [
        array.drop_vars("age_width", errors="ignore").astype(np.float64) for array in given.values()
    ]
    parameters, errors, fitted, converged, off = xr.apply_ufunc(
        fit_counts if rates is None else fit_rates,
        *arrays,
        kwargs=options,
        input_core_dims=[["age"]] * len(arrays),
        output_core_dims=[["parameter"], ["parameter"], ["age"], [], []],
        vectorize=True,
        keep_attrs=False,
        dask="parallelized",
        dask_gufunc_kwargs={"output_sizes": {"parameter": kind}},
        output_dtypes=[np.float64, np.float64, np.float64, np.bool_, np.float64],
    )
    labels = list(itertools.chain.from_iterable(KINDS[kind]))
    lost = ~converged & off.notnull()
    warn_findings(
        "fit_rogers_castro",
        [
            finding(
                "no convergence of the fit", lost, "fit a smaller kind, or counts with a penalty"
            )
        ],
    )
    fit = {
        "parameters": parameters.assign_coords(parameter=labels),
        "standard_error": errors.assign_coords(parameter=labels),
        "fitted": fitted,
        "converged": converged,
        "deviance" if rates is None else "rmse": off,
    }
    # parameters, and their errors, have each their own unit
    units = {name: VARIABLES[name].units for name in fit} | {"standard_error": "1"}
    return xr.Dataset({name: array.assign_attrs(units=units[name]) for name, array in fit.items()})


def _given(
    rates: xr.DataArray | None,
    counts: xr.DataArray | None,
    exposure: xr.DataArray | None,
    penalty: float,
) -> dict[str, xr.DataArray]:
    """The checked input: rates, or counts and exposure."""
    named = {"rates": rates, "counts": counts, "exposure": exposure}
    given = {name: array for name, array in named.items() if array is not None}
    if list(given) not in (["rates"], ["counts", "exposure"]):
        raise SchemaError(
            f"rates: expected either rates, or counts and exposure, got {list(given) or None}"
        )
    strength = plain_number("penalty", penalty, "a number of 0 or more")
    if not 0 <= strength < np.inf:
        raise SchemaError(f"penalty: expected a number of 0 or more, got {penalty!r}")
    if rates is not None and strength > 0:
        raise SchemaError(
            f"penalty: {penalty:g} is part of a likelihood, and rates have none; give counts and "
            "exposure"
        )
    for name, array in given.items():
        check_dims(name, array, "age")
        check_lacks(name, array, "parameter", f"{name} are by age")
        if name == "rates":
            check_rates(name, array)
        else:
            check_counts(name, array, people=False)
    if len(given) == 2:
        _check_pair(given["counts"], given["exposure"])
    return given


def _check_pair(counts: xr.DataArray, exposure: xr.DataArray) -> None:
    """Migrants and exposure go together, and nobody moves who is not exposed."""
    check_labels_match({"counts": counts, "exposure": exposure}, counts.dims)
    check_same_places("counts", counts, "exposure", exposure)
    if counts.chunks is None and exposure.chunks is None:
        odd = (counts > 0) & (exposure.drop_vars("age_width", errors="ignore") == 0)
        if odd.any():
            raise SchemaError(
                f"exposure: expected person-years wherever there are counts, got 0 in "
                f"{int(odd.sum())} cell(s): {'; '.join(where(odd, odd.values))}"
            )


def components_of(parameters: xr.DataArray) -> tuple[tuple[str, ...], ...]:
    """The components whose parameters are there; each has all of its own."""
    if "parameter" not in parameters.indexes:
        raise SchemaError(
            "parameters: dim 'parameter' has no labels; nothing is told apart by position: "
            "parameters.assign_coords(parameter=['a1', 'alpha1', ...])"
        )
    have = parameters.indexes["parameter"].tolist()
    known = list(itertools.chain.from_iterable(COMPONENTS))
    unknown = [label for label in have if label not in known]
    if unknown:
        raise SchemaError(
            f"parameters: dim 'parameter': expected labels among {known}, got {unknown[:5]}"
        )
    for component in COMPONENTS:
        lacking = [label for label in component if label not in have]
        if lacking and (component in REQUIRED or len(lacking) < len(component)):
            raise SchemaError(
                f"parameters: dim 'parameter': expected all of {list(component)}, lacks "
                f"{lacking}; a component that is not wanted has the level 0, or, but for the "
                "first two, none of its parameters"
            )
    return tuple(component for component in COMPONENTS if component[0] in have)


def _labels_of(ages: Any, name: str = "ages") -> npt.NDArray[Any]:
    if not isinstance(ages, xr.DataArray | xr.Coordinates):
        return np.asarray(list(ages) if isinstance(ages, Iterable) else ages)
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


def _check_single_years(name: str, rates: xr.DataArray) -> None:
    """What has widths is by single years; a last group may be open-ended."""
    if "age_width" not in rates.coords:
        return
    widths = np.broadcast_to(rates["age_width"].values, rates.sizes["age"])
    wide = widths != 1
    wide[-1] &= widths[-1] != np.inf
    if wide.any():
        raise SchemaError(
            f"{name}: expected single years of age, got wider groups "
            f"({'; '.join(where(rates['age'], wide))}); give {name} at ages: "
            f"{name}.assign_coords(age=...).drop_vars('age_width') with the middle of each group"
        )
