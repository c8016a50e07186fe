"""Populations at other instants than the censuses, and children under ten from fertility."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import xarray as xr

from migproj._checks import (
    as_number,
    check_counts,
    check_dims,
    check_labels_match,
    check_of_women,
    check_one_chunk,
    check_rates,
    check_ratio_at_birth,
    check_table,
)
from migproj._choices import check_choice, check_flag, plain_number
from migproj._diagnostics import finding, warn_findings
from migproj.ages import by_age, groups_of
from migproj.conventions import FEMALE, MALE, VARIABLES
from migproj.dates import year_of
from migproj.errors import AlignmentError, IntervalError, SchemaError

__all__ = ["base_population", "interpolate_rounds"]

_Values: TypeAlias = npt.NDArray[np.float64]
#: Years before the census of births of those aged 0, 1-4 and 5-9, on average.
_BEFORE = (0.5, 2.5, 7.5)


def interpolate_rounds(
    population: xr.DataArray,
    times: Sequence[Any] | npt.NDArray[Any],
    *,
    method: Literal["linear", "exponential", "power"] = "exponential",
    power: float = 2.0,
    extrapolate: bool = False,
) -> xr.DataArray:
    r"""Counts of rounds at other instants, each cell by itself.

    Parameters
    ----------
    population : DataArray (..., time)
        Counts (persons) at two rounds or more, in the order of ``time`` (years or dates).
    times : sequence of float, int, str or date
        The instants wanted.
    method : {"linear", "exponential", "power"}
        What changes evenly between two rounds: the count, its logarithm, or its root.
    power : float
        Of "power": the count's 1/power-th power changes evenly.
    extrapolate : bool
        Whether instants before the first or after the last round may be asked for: they follow
        from the nearest two.

    Returns
    -------
    DataArray (..., time)
        Counts at the instants, same units. ``time`` is in decimal years.

    Raises
    ------
    SchemaError
        If counts or a keyword are not as described.
    IntervalError
        If rounds are not in order, fewer than two, or an instant is outside them.

    Warns
    -----
    DataQualityWarning
        Once a call, naming the labels, if a count is extrapolated to below 0 (it is kept), or a
        round of 0 has it grow without bound (it is missing).

    Notes
    -----
    .. math:: f(P(t)) = f(P_0) + \frac{t - t_0}{t_1 - t_0} \bigl(f(P_1) - f(P_0)\bigr)

    with f the identity, ln or the root, of which a value below 0 is a count below 0. A count
    that is the same in both rounds stays, also 0. Each age group by itself: cohorts are not
    followed (:func:`intercensal_population` does).

    References
    ----------
    Shryock & Siegel (1976), *The Methods and Materials of Demography*, ch. 13.

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> people = xr.DataArray([100.0, 400.0], dims="time", coords={"time": [1980, 1990]})
    >>> mp.interpolate_rounds(people, [1985]).values
    array([200.])
    """
    check_dims("population", population, "time")
    check_one_chunk("population", population, "time")
    check_counts("population", population)
    check_choice("method", method, ("linear", "exponential", "power"))
    if not 0 < plain_number("power", power, "a number above 0") < np.inf:
        raise SchemaError(
            f"power: expected a number above 0, got {power!r}; method='exponential' is its limit"
        )
    check_flag("extrapolate", extrapolate)
    if "time" not in population.coords:
        raise SchemaError(
            "population: dim 'time' has no labels; label each round: "
            "population.assign_coords(time=[...])"
        )
    known = np.array([year_of(t, "population", "time") for t in population["time"].values])
    wanted = np.array([year_of(t, "times", "times") for t in np.atleast_1d(np.asarray(times))])
    if len(known) < 2 or (np.diff(known) <= 0).any():
        raise IntervalError(
            f"population: dim 'time': expected two rounds or more in order, got "
            f"{known[:5].tolist()}; population.sortby('time') mends the order"
        )
    if not wanted.size:
        raise IntervalError("times: empty; give the instants wanted, such as [1985, 1990]")
    outside = wanted[(wanted < known[0]) | (wanted > known[-1])]
    if outside.size and not extrapolate:
        raise IntervalError(
            f"times: expected instants from {known[0]:g} to {known[-1]:g}, got "
            f"{outside[:5].tolist()}; pass extrapolate=True to follow the nearest two rounds"
        )
    at = np.clip(np.searchsorted(known, wanted, side="right") - 1, 0, len(known) - 2)
    part = (wanted - known[at]) / (known[at + 1] - known[at])

    def between(counts: _Values) -> _Values:
        before, after = (counts[..., k].astype(np.float64) for k in (at, at + 1))
        with np.errstate(divide="ignore", invalid="ignore"):
            if method == "linear":
                grown = before + part * (after - before)
            elif method == "exponential":
                grown = np.exp((1 - part) * np.log(before) + part * np.log(after))
            else:
                root = before ** (1 / power)
                root = root + part * (after ** (1 / power) - root)
                grown = np.sign(root) * np.abs(root) ** power
        grown = np.where(before == after, before, grown)
        # 0 times the logarithm of 0: at a round it is the round, whatever the other one is.
        return np.where(part == 0, before, np.where(part == 1, after, grown))

    result: xr.DataArray = xr.apply_ufunc(
        between,
        population.drop_vars(["time", "date"], errors="ignore"),
        input_core_dims=[["time"]],
        output_core_dims=[["time"]],
        exclude_dims={"time"},
        dask="parallelized",
        dask_gufunc_kwargs={"output_sizes": {"time": len(wanted)}},
        output_dtypes=[np.float64],
    )
    result = result.transpose(*population.dims).assign_coords(time=wanted)
    endless = abs(result) == np.inf
    result = result.where(~endless)
    found = [
        finding("counts below 0", result < 0),
        finding("growth without bound from or to a count of 0", endless),
    ]
    warn_findings("interpolate_rounds", found)
    return result.rename(population.name).assign_attrs(population.attrs)


def base_population(
    population: xr.DataArray,
    life_table: xr.Dataset,
    fertility: xr.DataArray,
    sex_ratio_at_birth: float | xr.DataArray,
) -> xr.DataArray:
    r"""Children under ten of a census from its women, fertility and mortality (BASEPOP).

    Parameters
    ----------
    population : DataArray (..., sex, age)
        Population (persons) of both sexes at a census, with five-year groups from 10 on; younger
        ages are 0, 1-4 and 5-9.
    life_table : Dataset with ``Lx`` and ``lx`` (..., before, sex, age)
        Mortality (:func:`life_table`), or one for each of the three instants of ``before``, the
        years before the census 0.5, 2.5 and 7.5 (interpolate death rates to them), in the ages of
        `population` and up to 60 at least.
    fertility : DataArray (..., [before,] age)
        Births per woman-year, five-year groups 15-19 to 45-49; ``before`` as above.
    sex_ratio_at_birth : float or DataArray (..., [before])
        Males per female.

    Returns
    -------
    DataArray (..., sex, age)
        The population, its children under ten replaced, same units.

    Raises
    ------
    SchemaError
        If dims, ages or values are not what is described here.
    AlignmentError
        If labels differ.

    Notes
    -----
    Women W of today were five and ten years ago those five and ten years younger over their
    survival, W5(x) = W(x+5) L(x)/L(x+5), W10(x) = W5(x+5) L(x)/L(x+5). The children of age 0, 1-4
    and 5-9 are of the births B of the last year, five years and the five before, with women
    exposed 0.9 W + 0.1 W5, (W + W5)/2 and (W5 + W10)/2:

    .. math::
       N_0 = B_1 L_0, \quad N_{1-4} = B_2 (L_0 + {}_4L_1) - N_0, \quad
       N_{5-9} = B_3 (L_0 + {}_4L_1) \frac{{}_5L_5}{L_0 + {}_4L_1}

    with B a year's births and l(0) = 1, the last ratio of mortality 2.5 years ago. *Use it* where
    the youngest are missed; it needs fertility that is not itself from these children.

    References
    ----------
    Arriaga (1994), *Population Analysis with Microcomputers*, vol. I, ch. II (BASEPOP).

    Examples
    --------
    >>> import migproj as mp, numpy as np, xarray as xr
    >>> ages = ["0", "1-4", *(f"{x}-{x + 4}" for x in range(5, 80, 5)), "80+"]
    >>> mx = xr.DataArray(0.003 * np.exp(np.arange(18) / 5), dims="age", coords=mp.age_coords(ages))
    >>> table = mp.life_table(mx.expand_dims(sex=["female", "male"]))
    >>> people = table["Lx"] * 1000
    >>> rates = xr.DataArray([0.05, 0.1, 0.1, 0.08, 0.05, 0.02, 0.005], dims="age",
    ...                      coords=mp.age_coords(range(15, 50, 5), open_ended=False))
    >>> made = mp.base_population(people, table, rates, 1.05)
    >>> made.sel(sex="female", age=[0, 1, 5]).round().values
    array([ 822., 3258., 4005.])
    """
    check_dims("population", population, "sex", "age")
    check_counts("population", population)
    check_dims("fertility", fertility, "age")
    check_of_women("fertility", fertility)
    check_rates("fertility", fertility)
    ratio = as_number("sex_ratio_at_birth", sex_ratio_at_birth)
    check_ratio_at_birth("sex_ratio_at_birth", ratio)
    lived = _person_years(life_table, population)
    bearing = groups_of(fertility, "fertility")
    if bearing.lower != tuple(range(15, 50, 5)):
        raise AlignmentError(
            f"fertility: dim 'age': expected five-year groups from 15-19 to 45-49, got "
            f"{', '.join(bearing.labels[:8])}; groups without births are 0"
        )
    rates = fertility.drop_vars(["age", "age_width", "sex"], errors="ignore")
    _check_match(population, lived, rates, ratio)
    women = population.sel(sex=FEMALE, drop=True).drop_vars(["age", "age_width"], errors="ignore")
    of_women = lived.sel(sex=FEMALE, drop=True)

    def by(array: xr.DataArray, k: int) -> xr.DataArray:
        return array.isel(before=k, drop=True) if "before" in array.dims else array

    def groups(array: xr.DataArray, low: int, high: int) -> xr.DataArray:
        """Five-year groups of an array without labels of age, 5-9 being the third."""
        return array.isel(age=slice(low // 5 + 1, high // 5 + 2))

    def younger(counts: xr.DataArray, low: int, high: int, k: int) -> xr.DataArray:
        back = groups(by(of_women, k), low, high) / groups(by(of_women, k), low + 5, high + 5)
        return counts * back

    now = groups(women, 15, 45)
    ago = younger(groups(women, 20, 55), 15, 50, 1)  # 15 to 50, five years ago
    long_ago = younger(ago.isel(age=slice(1, None)), 15, 45, 2)
    ago = ago.isel(age=slice(0, 7))
    exposed = (0.9 * now + 0.1 * ago, 0.5 * (now + ago), 0.5 * (ago + long_ago))
    births = [
        (by(rates, k) * women_of).sum("age", skipna=False) for k, women_of in enumerate(exposed)
    ]
    of_sex = xr.concat(
        [1.0 / (1.0 + ratio), ratio / (1.0 + ratio)], "sex", coords="minimal", compat="override"
    ).assign_coords(sex=[FEMALE, MALE])
    of_sex = of_sex.sel(sex=population["sex"].values)
    born = [total * by(of_sex, k) for k, total in enumerate(births)]
    young = [by(lived, k).isel(age=slice(0, 2)).sum("age", skipna=False) for k in range(3)]
    infants = born[0] * by(lived, 0).isel(age=0)
    small = born[1] * young[1] - infants
    school = born[2] * young[2] * by(lived, 1).isel(age=2) / young[1]
    old = population.isel(age=slice(3, None))
    old = old.drop_vars(["age", "age_width"], errors="ignore")
    made = by_age([infants, small, school, old])
    made = made.transpose(..., "sex", "age").assign_coords(
        groups_of(population, "population").coords()
    )
    warn_findings(
        "base_population",
        [finding("children below 0", made < 0, "check the life table and fertility")],
    )
    return made.rename(population.name).assign_attrs(units=VARIABLES["population"].units)


def _person_years(life_table: xr.Dataset, population: xr.DataArray) -> xr.DataArray:
    """Checked person-years per birth, without labels of age."""
    check_table("life_table", life_table, "lx", "Lx")
    lived = life_table["Lx"] / life_table["lx"].isel(age=0, drop=True)
    check_dims("life_table", lived, "sex", "age")
    tables, people = groups_of(life_table, "life_table"), groups_of(population, "population")
    start = (0, 1, *range(5, 65, 5))
    for name, groups in (("life_table", tables), ("population", people)):
        if groups.lower[: len(start)] != start or not groups.is_open:
            raise AlignmentError(
                f"{name}: dim 'age': expected 0, 1-4, 5-9, ... up to 60 or older, got "
                f"{', '.join(groups.labels[:6])} to {groups.labels[-1]}"
            )
    return lived.drop_vars(["age", "age_width"], errors="ignore")


def _check_match(
    population: xr.DataArray, lived: xr.DataArray, fertility: xr.DataArray, ratio: xr.DataArray
) -> None:
    """Labels match on shared dims, and those by ``before`` are of its three instants."""
    arrays = {
        "population": population,
        "life_table": lived,
        "fertility": fertility,
        "sex_ratio_at_birth": ratio,
    }
    for name, array in arrays.items():
        if "before" in array.dims and array.sizes["before"] != len(_BEFORE):
            raise SchemaError(
                f"{name}: dim 'before': expected the three instants {_BEFORE} years before the "
                f"census, got {array.sizes['before']}; interpolate the rates to them"
            )
        if "before" in array.indexes and tuple(array.indexes["before"]) != _BEFORE:
            raise AlignmentError(
                f"{name}: dim 'before': expected {_BEFORE}, the years before the census, got "
                f"{array.indexes['before'].tolist()}; label or select them so"
            )
    dims = dict.fromkeys(dim for array in arrays.values() for dim in array.dims)
    check_labels_match(arrays, dims=[dim for dim in dims if dim not in ("age", "before")])
