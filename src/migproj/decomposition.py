"""Differences between life tables by age, and life tables put into wider groups or single years."""

from __future__ import annotations

import itertools
from typing import Final

import numpy as np
import xarray as xr

from migproj._apply import Input, Output, apply_together, dated_as
from migproj._checks import check_labels_match, check_table, check_weights
from migproj.ages import AgeGroups, age_coords, groups_of, regroup_ages
from migproj.conventions import VARIABLES
from migproj.errors import AlignmentError, SchemaError

__all__ = ["abridge_life_table", "decompose_life_expectancy", "single_year_life_table"]

#: What a decomposition reads of a life table, and what each of them counts.
_READ: Final = {"lx": "survivors", "Lx": "person-years", "Tx": "person-years"}
#: What single years are made of.
_SHARED: Final = ("lx", "dx", "ax", "Lx", "Tx")
_COLUMNS: Final = ("mx", "ax", "qx", "lx", "dx", "Lx", "Tx", "ex")


def decompose_life_expectancy(first: xr.Dataset, second: xr.Dataset) -> xr.Dataset:
    r"""Contribution of each age group to the difference of two life expectancies (Arriaga).

    Parameters
    ----------
    first, second : Dataset with ``lx``, ``Lx`` and ``Tx`` (..., age)
        As made by :func:`life_table`, with the same age groups, the last one open-ended. Dims
        that both have carry the same labels; the others broadcast. The radices may differ, and
        so may scalar coordinates, such as ``sex``: those that do not hold for both are left out.

    Returns
    -------
    Dataset
        ``direct``, ``indirect`` and ``total`` (years), all (..., age), of `second` less
        `first`. The total over age is the difference of the life expectancies at the first
        age of the tables, e0 where they begin at birth.

    Raises
    ------
    SchemaError
        If a table lacks a variable, has negative or infinite values in it (a rate of 0 in the
        open-ended group), or its last age group is not open-ended.
    AlignmentError
        If labels or age groups differ between the two.

    Notes
    -----
    For the group [x, x + n), with 1 for `first`, 2 for `second` and l(0) the survivors at the
    first age:

    .. math::
       D_x = \frac{l^1_x}{l^1_0} \left( \frac{L^2_x}{l^2_x} - \frac{L^1_x}{l^1_x} \right), \quad
       I_x = \frac{T^2_{x+n}}{l^1_0}
             \left( \frac{l^1_x}{l^2_x} - \frac{l^1_{x+n}}{l^2_{x+n}} \right)

    and for the open-ended group A, which nobody leaves alive:

    .. math::
       D_A = \frac{l^1_A}{l^1_0} \left( \frac{T^2_A}{l^2_A} - \frac{T^1_A}{l^1_A} \right), \quad
       I_A = 0

    The direct part is of years lived within the group. The indirect part is of years lived later
    by those who survive the group under the one mortality and not under the other; it includes
    what Arriaga calls interaction. Survivors are those of `first` and years to come those of
    `second`, so that the parts do not just change sign when the tables change places: only
    their sum does. The mean of one and the negative of the other is symmetric.

    A part is missing where a column that it needs is. Indirect parts need Tx of `second`, which
    is missing at all ages if a rate is missing at any. Parts are missing as well from the group
    on in which the last survivors of `second` die.

    References
    ----------
    Arriaga (1984), *Demography* 21(1); Preston, Heuveline & Guillot (2001), *Demography*, ch. 3.

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> mx = xr.DataArray(
    ...     [[0.02, 0.001, 0.0005, 0.02], [0.03, 0.002, 0.0010, 0.025]], dims=("sex", "age"),
    ...     coords={"sex": ["female", "male"], **mp.age_coords(["0", "1-4", "5-9", "10+"])})
    >>> table = mp.life_table(mx)
    >>> parts = mp.decompose_life_expectancy(table.sel(sex="male"), table.sel(sex="female"))
    >>> parts["total"].round(3).values
    array([0.57 , 0.221, 0.126, 9.582])
    >>> float(parts["total"].sum("age").round(3))
    10.499
    """
    one, other = _checked("first", first), _checked("second", second)
    _check_same(one, other)
    groups = groups_of(one, "first")
    lx_1, Lx_1, _ = _of_one_born(_of_both(one, other))
    lx_2, Lx_2, Tx_2 = _of_one_born(_of_both(other, one))
    survivors = lx_1 / lx_2.where(lx_2 > 0)
    # Beyond the open-ended group nobody lives: its indirect part is 0.
    later = Tx_2.shift(age=-1, fill_value=0.0)
    direct = survivors * Lx_2 - Lx_1
    indirect = later * (survivors - survivors.shift(age=-1, fill_value=0.0))
    parts = {"direct": direct, "indirect": indirect, "total": direct + indirect}
    made = xr.Dataset(
        {name: _in_units(part, VARIABLES[name].units) for name, part in parts.items()}
    )
    return made.transpose(..., "age").assign_coords(groups.coords())


def _checked(name: str, table: xr.Dataset) -> xr.Dataset:
    """What is read of a life table."""
    check_table(name, table, *_READ)
    _open_groups(name, table)
    for variable, what in _READ.items():
        check_weights(f"{name}[{variable!r}]", table[variable], what)
    return table[list(_READ)]


def _open_groups(name: str, table: xr.Dataset) -> AgeGroups:
    groups = groups_of(table, name)
    if not groups.is_open:
        raise SchemaError(
            f"{name}: dim 'age': expected an open-ended last group, got {groups.labels[-1]}; give "
            "the whole life table, as mp.life_table makes it"
        )
    return groups


def _check_same(first: xr.Dataset, second: xr.Dataset) -> None:
    """The tables have the same age groups, and the same labels on the dims that both have."""
    expected, got = groups_of(first, "first"), groups_of(second, "second")
    if expected != got:
        raise AlignmentError(
            f"second: dim 'age': expected the age groups of first; {expected.unlike(got)}; "
            "make both tables by the same groups"
        )
    # Of different sexes, places or years: scalar coordinates may differ.
    one, other = (table.reset_coords(drop=True) for table in (first, second))
    for variable in _READ:
        check_labels_match(
            {"first": one[variable], "second": other[variable]}, dims=one[variable].dims
        )


def _of_both(table: xr.Dataset, other: xr.Dataset) -> xr.Dataset:
    """The table without the scalar coordinates that do not hold for the other one."""
    own = [
        name
        for name, coord in table.coords.items()
        if coord.ndim == 0
        and not (name in other.coords and coord.variable.equals(other[name].variable))
    ]
    return table.drop_vars(own)


def _of_one_born(table: xr.Dataset) -> tuple[xr.DataArray, ...]:
    """The columns for one person at the first age."""
    born = table["lx"].isel(age=0, drop=True)
    return tuple(table[name].astype(np.float64) / born.where(born > 0) for name in _READ)


def _in_units(array: xr.DataArray, units: str) -> xr.DataArray:
    """The array with its units alone, whatever those of what it was made from."""
    made = array.copy(deep=False)
    made.attrs = {"units": units}
    return made


def abridge_life_table(life_table: xr.Dataset) -> xr.Dataset:
    r"""Abridged life table (0, 1-4, 5-9, ...) from one by single years.

    Parameters
    ----------
    life_table : Dataset with ``ax``, ``lx``, ``dx``, ``Lx``, ``Tx`` and ``ex`` (..., age)
        As made by :func:`life_table`, by single years from 0, the last group open-ended.

    Returns
    -------
    Dataset
        ``mx`` (1/year), ``ax`` (years), ``qx`` (1), ``lx``, ``dx`` (persons), ``Lx``, ``Tx``
        (person-years), ``ex`` (years), all (..., age), with the same open-ended group: the
        group before it is narrower where its age is not a multiple of 5. ``lx``, ``Tx`` and
        ``ex`` are those of `life_table` at the groups' lower bounds.

    Raises
    ------
    SchemaError
        If the table lacks a variable, or is not by single years from 0 with an open-ended last
        group.

    Notes
    -----
    With sums over the single years y of the group [x, x + n):

    .. math::
       {}_n d_x = \sum d_y, \quad {}_n L_x = \sum L_y, \quad {}_n m_x = {}_n d_x / {}_n L_x,
       \quad {}_n q_x = {}_n d_x / l_x, \quad
       {}_n a_x = \sum (y - x + a_y) d_y / {}_n d_x

    The rates are those of the stationary population, weighted by its person-years, not those
    of deaths and people put into groups. Where nobody dies in a group ax is n/2, as in
    :func:`life_table`; where nobody lives to it, mx, qx and ex are missing.

    References
    ----------
    Preston, Heuveline & Guillot (2001), *Demography*, ch. 3.

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> mx = xr.DataArray([0.02, *[0.001] * 9, 0.02], dims="age",
    ...                   coords={"sex": "female", **mp.age_coords(range(11))})
    >>> table = mp.life_table(mx)
    >>> abridged = mp.abridge_life_table(table)
    >>> abridged["age"].values
    array([ 0,  1,  5, 10])
    >>> abridged["mx"].round(4).values
    array([0.02 , 0.001, 0.001, 0.02 ])
    >>> bool((abridged["ex"] == table["ex"].sel(age=abridged["age"])).all())
    True
    """
    check_table("life_table", life_table, "ax", "lx", "dx", "Lx", "Tx", "ex")
    single = _open_groups("life_table", life_table)
    if single.lower != tuple(range(len(single))):
        raise SchemaError(
            f"life_table: dim 'age': expected single years from 0, got {single.labels[:4]} ...; "
            "a table by wider groups is not to be abridged"
        )
    oldest = single.lower[-1]
    bounds = sorted({low for low in (0, 1, *range(5, oldest, 5)) if low < oldest} | {oldest})
    wide = groups_of(age_coords(bounds), "life_table")
    lower = [low for low, high in itertools.pairwise(bounds) for _ in range(low, high)]
    into = xr.DataArray(np.array(single.lower) - [*lower, oldest], dims="age")
    deaths = life_table["dx"]
    dx, Lx, lived = (
        regroup_ages(counts.astype(np.float64), wide.coords())
        for counts in (deaths, life_table["Lx"], (into + life_table["ax"]) * deaths)
    )
    at = life_table[["lx", "Tx", "ex"]].isel(age=bounds).assign_coords(wide.coords())
    width = wide.coords()["age_width"]
    columns = {
        "mx": dx / Lx.where(Lx > 0),
        "ax": (lived / dx.where(dx > 0)).where(dx != 0, width / 2),
        "qx": dx / at["lx"].where(at["lx"] > 0),
        "dx": dx,
        "Lx": Lx,
        **{str(name): column.astype(np.float64) for name, column in at.data_vars.items()},
    }
    made = xr.Dataset({name: _in_units(columns[name], VARIABLES[name].units) for name in _COLUMNS})
    return made.transpose(..., "age")


def single_year_life_table(life_table: xr.Dataset) -> xr.Dataset:
    r"""Life table by single years from one by wider groups, whose lx, Lx and ex it keeps.

    Parameters
    ----------
    life_table : Dataset with ``ax``, ``lx``, ``dx``, ``Lx`` and ``Tx`` (..., age)
        As made by :func:`life_table`, two closed groups or more, the last group open-ended.

    Returns
    -------
    Dataset
        ``mx`` (1/year), ``ax`` (years), ``qx`` (1), ``lx``, ``dx`` (persons), ``Lx``, ``Tx``
        (person-years), ``ex`` (years), all (..., age), with the same open-ended group. lx never
        rises, and mx is above 0 where that of the group is. :func:`abridge_life_table` gives the
        abridged table back.

    Raises
    ------
    SchemaError
        If the table lacks a variable, has negative or infinite values in it, too few closed
        groups, or no open-ended last group.

    Notes
    -----
    Survivors by the C2 spline of :math:`\ln(-\ln(l_x / l_0))` by :math:`\ln x` (x from the
    first age; "not-a-knot", with Hyman's filter) have the deaths of each group, not its ax. With
    their deaths :math:`s_y` in the years of the group [x, x + n), those of the table are

    .. math::
       d_y = {}_n d_x \frac{s_y e^{\theta (y - x)}}{\sum_z s_z e^{\theta (z - x)}}, \quad
       \sum_y (y - x + \tfrac12)\, d_y = {}_n a_x \, {}_n d_x

    with the one :math:`\theta` that gives the group its ax: of all deaths by year that do, they
    are those nearest to the spline's in the sense of Kullback and Leibler. They are above 0, so
    survivors fall at any level of mortality (where the quadratic with the same lx and Lx rises
    if ax is below n/3 or above 2n/3). Those who die in a year live half of it, or ax/n where ax
    is less than half a year, or all but that of the group; a group of one year stays as it is.
    A missing value makes its own table missing, and no other; where nobody lives to a year mx,
    qx and ex are missing.

    Rates go on smoothly from group to group where ax is that of smooth rates. With "half" each
    group has the slope that n/2 implies, and so have ages under 15 with "greville".

    References
    ----------
    Hyman (1983), *SIAM J. Sci. Stat. Comput.* 4:645-654; Kullback (1959), *Information Theory and
    Statistics*, ch. 3; Preston, Heuveline & Guillot (2001), *Demography*, ch. 3.

    Examples
    --------
    >>> import migproj as mp, numpy as np, xarray as xr
    >>> rates = [0.02, 0.002, 0.001, 0.0008, 0.002, 0.003, 0.02]
    >>> mx = xr.DataArray(rates, dims="age",
    ...                   coords={"sex": "male", **mp.age_coords([0, 1, 5, 10, 15, 20, 25])})
    >>> table = mp.life_table(mx)
    >>> single = mp.single_year_life_table(table)
    >>> single["mx"].sel(age=slice(1, 4)).round(5).values
    array([0.00283, 0.00255, 0.00162, 0.00099])
    >>> back = mp.abridge_life_table(single)
    >>> bool(np.allclose(back["mx"], mx, rtol=1e-12))
    True
    """
    check_table("life_table", life_table, *_SHARED)
    groups = groups_of(life_table, "life_table")
    if not groups.is_open or len(groups) < 3:
        raise SchemaError(
            "life_table: dim 'age': expected two closed groups or more and an open-ended last "
            f"group, got {groups.labels[:8]}; give the whole life table, as mp.life_table makes it"
        )
    for name in _SHARED:
        check_weights(f"life_table[{name!r}]", life_table[name], "numbers")
    first, oldest = groups.lower[0], groups.lower[-1]
    from migproj._kernels import survival as kernels

    made = apply_together(
        kernels.single_years,
        [Input(f"life_table[{name!r}]", life_table[name], ("age",)) for name in _SHARED],
        [Output(name, ("age",), (oldest - first + 1,)) for name in _COLUMNS],
        np.array(groups.lower, dtype=np.int64) - first,
        coords=age_coords(range(first, oldest + 1)),
    )
    return dated_as(made, life_table)
