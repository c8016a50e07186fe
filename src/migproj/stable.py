"""Leslie matrices of women, and the stable populations they lead to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, overload

import numpy as np
import xarray as xr

from migproj._apply import Input, Output, apply, apply_together
from migproj._checks import (
    as_number,
    check_dims,
    check_lacks,
    check_rates,
    check_ratio_at_birth,
    check_sexes,
)
from migproj._diagnostics import finding, warn_findings
from migproj._steps import Steps, check_survival_grid, mothers
from migproj.ages import groups_of
from migproj.conventions import FEMALE
from migproj.errors import IntervalError, SchemaError

if TYPE_CHECKING:
    from scipy.sparse import csr_array

__all__ = ["leslie_matrix", "stable_population"]


@overload
def leslie_matrix(
    survival: xr.DataArray,
    fertility: xr.DataArray,
    sex_ratio_at_birth: float | xr.DataArray,
    *,
    sparse: Literal[False] = False,
) -> xr.DataArray: ...


@overload
def leslie_matrix(
    survival: xr.DataArray,
    fertility: xr.DataArray,
    sex_ratio_at_birth: float | xr.DataArray,
    *,
    sparse: Literal[True],
) -> csr_array: ...


def leslie_matrix(
    survival: xr.DataArray,
    fertility: xr.DataArray,
    sex_ratio_at_birth: float | xr.DataArray,
    *,
    sparse: bool = False,
) -> xr.DataArray | csr_array:
    r"""Leslie matrix of women: one step of a projection without migration.

    Parameters
    ----------
    survival : DataArray (..., age)
        Survival ratios of women over one step by the group arrived in
        (:func:`survival_ratios`), in groups of one width with an open-ended last one. Of an
        array with the dim ``sex`` the women are taken.
    fertility : DataArray (..., age)
        Births per woman-year; its ages are a contiguous part of those of `survival`, other ages
        bear no children.
    sex_ratio_at_birth : float or DataArray (...)
        Males per female.
    sparse : bool, default False
        Make a sparse array of one matrix, without labels and without making the dense one.

    Returns
    -------
    DataArray "leslie_matrix" (..., age, age_from)
        Women of each group ``age`` after a step for each woman of the group ``age_from`` at its
        start (1), with their widths ``age_width`` and ``age_from_width`` and the scalars
        ``period_width`` (the step, years) and ``sex``. With `sparse`, a
        :class:`scipy.sparse.csr_array` whose rows are the groups of `survival` in their order,
        the youngest first, and its columns the same groups at the start.

    Raises
    ------
    SchemaError
        If dims, labels or values are not what is described here; with `sparse`, if an input
        has a dim besides ``age``.
    AlignmentError
        If the inputs' labels differ.
    IntervalError
        If the age groups differ in width, the last one is not open-ended, or `survival` is for
        another interval.

    Warns
    -----
    DataQualityWarning
        Once a call, naming the labels: survival above 1.

    Notes
    -----
    With S by the group arrived in, f births per woman-year, r males per female at birth and n
    the step, for the youngest group 0 and the open-ended group A:

    .. math::
       L_{0,j} = S_0 \frac{n}{2 (1 + r)} \left( f_j + f_{j+1} S_{j+1} \right), \quad
       L_{x,x-1} = S_x, \quad L_{A,A} = S_A

    and 0 elsewhere. The women of :func:`project_population` after a step without migration are
    this matrix times those at the start. Its period is one of the dims that broadcast: one
    matrix for each.

    References
    ----------
    Leslie (1945), *Biometrika* 33; Preston, Heuveline & Guillot (2001), *Demography*, ch. 6;
    Caswell (2001), *Matrix Population Models*, ch. 2.

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> ages = mp.age_coords([0, 15, 30])
    >>> survival = xr.DataArray([0.9, 0.8, 0.5], dims="age", coords=ages)
    >>> fertility = xr.DataArray([0.1], dims="age", coords={"age": [15]})
    >>> matrix = mp.leslie_matrix(survival, fertility, 1.0)
    >>> matrix.values
    array([[0.27  , 0.3375, 0.    ],
           [0.8   , 0.    , 0.    ],
           [0.    , 0.5   , 0.5   ]])
    >>> women = xr.DataArray([100.0, 100.0, 100.0], dims="age_from",
    ...                      coords={"age_from": ages["age"].values})
    >>> matrix.dot(women, "age_from").values
    array([ 60.75,  80.  , 100.  ])
    """
    from migproj._kernels import stable as kernels

    women = _of_women(survival, fertility, sex_ratio_at_birth)
    ages = len(women.steps.groups)
    if not isinstance(sparse, bool):
        raise SchemaError(f"sparse: expected True or False, got {sparse!r}")
    if sparse:
        made: xr.DataArray | csr_array = _sparse(women)
    else:
        (matrix,) = apply(
            kernels.leslie_matrix,
            women.inputs(),
            [Output("leslie_matrix", ("age", "age_from"), (ages, ages))],
            women.first,
            women.steps.width,
        )
        groups = women.steps.groups
        matrix = matrix.assign_coords(groups.coords()).assign_coords(groups.coords("age_from"))
        made = matrix.assign_coords(period_width=women.steps.width, sex=FEMALE)
    warn_findings("leslie_matrix", [finding("survival ratios above 1", women.survival > 1)])
    return made


def stable_population(
    survival: xr.DataArray, fertility: xr.DataArray, sex_ratio_at_birth: float | xr.DataArray
) -> xr.Dataset:
    r"""Stable population of women that constant survival and fertility lead to.

    Parameters
    ----------
    survival : DataArray (..., age)
        Survival ratios of women over one step by the group arrived in
        (:func:`survival_ratios`), in groups of one width with an open-ended last one. Of an
        array with the dim ``sex`` the women are taken.
    fertility : DataArray (..., age)
        Births per woman-year; its ages are a contiguous part of those of `survival`, other ages
        bear no children.
    sex_ratio_at_birth : float or DataArray (...)
        Males per female.

    Returns
    -------
    Dataset
        ``intrinsic_growth_rate`` (...; 1/year); ``age_distribution`` (..., age; 1),
        shares that add up to 1; ``reproductive_value`` (..., age; 1), 1 in the youngest group
        and 0 past childbearing; ``damping_ratio`` (...; 1) per step; ``net_reproduction_rate``
        (...; 1), daughters per newborn girl; ``mean_age_of_childbearing`` (...; years), of
        mothers in the stable population. ``n_no_births`` (...) is 1 where no daughters are born
        or none live to bear their own (rate 0, the others missing), ``n_no_stable_ages``
        (...) where there is no stable age distribution (missing). The scalars ``period_width``
        (the step, years) and ``sex`` stand beside them.

    Raises
    ------
    SchemaError
        If dims, labels or values are not what is described here.
    AlignmentError
        If the inputs' labels differ.
    IntervalError
        If the age groups differ in width, the last one is not open-ended, or `survival` is for
        another interval.

    Warns
    -----
    DataQualityWarning
        Once a call, naming the labels: survival above 1, no daughters who live to bear their
        own, or an open-ended group that keeps a larger share than the others grow by.

    Notes
    -----
    With L the Leslie matrix (:func:`leslie_matrix`) of step n, φ(j) = L(0, j) S(1) ... S(j) the
    daughters of a girl of the youngest group after j + 1 steps, and c the age distribution:

    .. math::
       \sum_j \varphi_j \lambda^{-(j+1)} = 1, \quad r = \frac{\ln \lambda}{n}, \quad
       c_x = c_{x-1} \frac{S_x}{\lambda}, \quad c_A = c_{A-1} \frac{S_A}{\lambda - S_A}

    .. math::
       v_x = \frac{L_{0,x} + S_{x+1} v_{x+1}}{\lambda}, \quad
       NRR = \sum_j \varphi_j, \quad
       \text{mean age} = \frac{\sum_x (x + n/2) f_x c_x}{\sum_x f_x c_x}

    λ is the dominant eigenvalue of L, c its right and v its left eigenvector. NRR is the dominant
    eigenvalue of the next-generation matrix F (I - T)⁻¹, with F the first row of L and T the
    rest; of a life table with l(0) = 1 it is Σ f(x) L(x) / (1 + sex ratio at birth). The damping
    ratio is λ over the modulus of the second largest eigenvalue. Where S(A) is λ or more, the
    open-ended group comes to hold everyone: there is no stable age distribution, the growth
    rate is that of the births, and the damping ratio is at most 1.

    References
    ----------
    Preston, Heuveline & Guillot (2001), *Demography*, ch. 5 and 7; Caswell (2001), *Matrix
    Population Models*, ch. 4 and 5; Keyfitz & Caswell (2005), *Applied Mathematical Demography*.

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> ages = mp.age_coords([0, 15, 30])
    >>> survival = xr.DataArray([0.9, 0.8, 0.5], dims="age", coords=ages)
    >>> fertility = xr.DataArray([0.1], dims="age", coords={"age": [15]})
    >>> stable = mp.stable_population(survival, fertility, 1.0)
    >>> rate, daughters = stable["intrinsic_growth_rate"], stable["net_reproduction_rate"]
    >>> float(rate.round(4)), float(daughters.round(2))
    (-0.0265, 0.54)
    >>> stable["age_distribution"].round(3).values
    array([0.177, 0.211, 0.613])
    """
    from migproj._kernels import stable as kernels

    women = _of_women(survival, fertility, sex_ratio_at_birth)
    groups = women.steps.groups
    by_age, count = (("age",), (len(groups),)), np.int64
    result = apply_together(
        kernels.stable_population,
        women.inputs(),
        [
            Output("intrinsic_growth_rate"),
            Output("age_distribution", *by_age),
            Output("reproductive_value", *by_age),
            Output("damping_ratio"),
            Output("net_reproduction_rate"),
            Output("mean_age_of_childbearing"),
            Output("n_no_births", dtype=count),
            Output("n_no_stable_ages", dtype=count),
        ],
        women.first,
        float(groups.lower[0]),
        women.steps.width,
        coords={**groups.variables(), "period_width": ((), women.steps.width), "sex": ((), FEMALE)},
    )
    warn_findings(
        "stable_population",
        [
            finding("survival ratios above 1", women.survival > 1),
            finding("no daughters who live to bear their own", result["n_no_births"] > 0),
            finding(
                f"no stable age distribution, as the open-ended group {groups.labels[-1]} keeps "
                "a larger share of its women than the others grow by",
                result["n_no_stable_ages"] > 0,
            ),
        ],
    )
    return result


@dataclass(frozen=True)
class _Women:
    """Checked rates of women, their age groups and step, and the first fertile group."""

    survival: xr.DataArray
    fertility: xr.DataArray
    ratio: xr.DataArray
    steps: Steps
    first: int

    def inputs(self) -> list[Input]:
        """The inputs of the kernels, in their order."""
        return [
            Input("survival", self.survival, ("age",)),
            Input("fertility", self.fertility, ("age",)),
            Input("sex_ratio_at_birth", self.ratio),
        ]


def _of_women(
    survival: xr.DataArray, fertility: xr.DataArray, sex_ratio_at_birth: float | xr.DataArray
) -> _Women:
    """Check what both functions are given, by the rules of a projection."""
    ratio = as_number("sex_ratio_at_birth", sex_ratio_at_birth)
    check_dims("survival", survival, "age")
    check_dims("fertility", fertility, "age")
    check_dims("sex_ratio_at_birth", ratio)
    rates = {"survival": survival, "fertility": fertility, "sex_ratio_at_birth": ratio}
    for name, array in rates.items():
        check_lacks(
            name, array, "time", f"label its periods by their start: {name}.rename(time='period')"
        )
    survival = _female(survival)
    groups = groups_of(survival, "survival")
    if groups.step is None or not groups.is_open:
        raise IntervalError(
            "survival: dim 'age': expected groups of one width and an open-ended last one, got "
            f"{', '.join(groups.labels[:8])}; women move on by one group a step: "
            "mp.survival_ratios(life_table, ages=range(0, 85, 5)) makes such ratios"
        )
    steps = Steps(groups, groups.step, 0.0, 1)
    check_survival_grid(survival, steps, "survival")
    check_rates("fertility", fertility)
    check_ratio_at_birth("sex_ratio_at_birth", ratio)
    mend = "it is one for both sexes: sex_ratio_at_birth.sel(sex='female', drop=True)"
    check_lacks("sex_ratio_at_birth", ratio, "sex", mend)
    first, _ = mothers("fertility", fertility, steps)
    survival, fertility, ratio = (
        array.drop_vars("sex", errors="ignore") for array in (survival, fertility, ratio)
    )
    return _Women(survival, fertility, ratio, steps, first)


def _female(survival: xr.DataArray) -> xr.DataArray:
    """The survival of women, found by label; without a sex it is theirs."""
    check_sexes("survival", survival, both=False)
    if "sex" not in survival.coords:
        return survival
    labels = np.atleast_1d(survival["sex"].values).tolist()
    if FEMALE not in labels:
        raise SchemaError(
            f"survival: 'sex': expected {FEMALE!r}, got {labels}; the matrix follows women and "
            "their daughters: give the survival ratios of women"
        )
    return survival.sel(sex=FEMALE) if "sex" in survival.dims else survival


def _sparse(women: _Women) -> csr_array:
    """The matrix from its entries, row after row."""
    from scipy.sparse import csr_array

    from migproj._kernels import stable as kernels

    batch = {dim for item in women.inputs() for dim in item.array.dims if dim not in item.core}
    if batch:
        raise SchemaError(
            f"sparse: expected one matrix, got inputs with the dim(s) {sorted(map(str, batch))}; "
            "select one label of each with .sel, or make the labelled matrices with sparse=False"
        )
    ages, bearing = len(women.steps.groups), women.fertility.sizes["age"] + 1
    (entries,) = apply(
        kernels.leslie_entries,
        women.inputs(),
        [Output("leslie_matrix", ("entry",), (bearing + ages,))],
        women.first,
        women.steps.width,
    )
    mothers = np.arange(women.first - 1, women.first - 1 + bearing)
    columns = np.concatenate([mothers, np.arange(ages)])
    ends = bearing + np.arange(ages)
    ends[-1] += 1
    return csr_array((entries.values, columns, np.insert(ends, 0, 0)), shape=(ages, ages))
