"""Age schedules of migration: how totals are shared out over sex and age."""

from __future__ import annotations

from typing import Final

import xarray as xr

from migproj._checks import (
    as_number,
    check_dims,
    check_labels_match,
    check_sexes,
    check_shares,
    check_weights,
    where,
)
from migproj.ages import groups_of
from migproj.errors import AlignmentError, SchemaError

__all__ = ["flow_difference"]

#: The parameters beside the two schedules, in the order in which kernels take them.
PARAMETERS: Final = (
    "intercept",
    "slope_gain",
    "slope_loss",
    "minimum",
    "female_gain",
    "female_loss",
)


def flow_difference(
    inflow: xr.DataArray,
    outflow: xr.DataArray,
    *,
    intercept: float | xr.DataArray,
    slope_gain: float | xr.DataArray,
    slope_loss: float | xr.DataArray,
    minimum: float | xr.DataArray = 0.0,
    female_gain: float | xr.DataArray = 0.5,
    female_loss: float | xr.DataArray = 0.5,
    weighted: bool = True,
) -> xr.Dataset:
    r"""Net migration by age as the difference of two flows, for a projection.

    The schedule of a total of net migration that is not a shape of its own: those who come and
    those who leave each have theirs, and the fewer leave (or come) on balance, the more the
    ages of the two show in what is left.

    Parameters
    ----------
    inflow : DataArray (..., [period,] sex, age)
        Shares (1) of those who come; they sum to 1 over age in each sex.
    outflow : DataArray (..., [period,] sex, age)
        Weights of those who leave by age. With `weighted`, relative rates of leaving; else
        shares of those who leave. Their level does not matter.
    intercept : float or DataArray (..., [period])
        Rate (1/year) at which people come, and leave, where the two balance.
    slope_gain, slope_loss : float or DataArray (..., [period])
        By how much the rate of coming rises with the net rate (1), where people are gained and
        where they are lost.
    minimum : float or DataArray (..., [period])
        The least rate (1/year) of leaving where people are gained, and of coming where they
        are lost.
    female_gain, female_loss : float or DataArray (..., [period])
        The share (1) of women in a total for both sexes, where people are gained and lost. It
        is not used where each sex has its own total.
    weighted : bool
        Whether those who leave are in proportion to the people there as well.

    Returns
    -------
    Dataset
        ``inflow``, ``outflow``, the parameters and ``weighted``, for the `migration_schedule` of
        :func:`project_population`.

    Raises
    ------
    SchemaError
        If dims or values are not what is described here.
    AlignmentError
        If the labels of the two schedules differ.

    Notes
    -----
    For the people N of one sex, a step of n years and their total T of net migrants,

    .. math::
       r = \frac{T}{nN}, \quad
       o = \begin{cases}
         \max(a + b_+ r - r,\ c) & r \ge 0 \\
         \max(a + b_- r,\ c) - r & r < 0
       \end{cases}, \quad
       M_x = nN \left[(o + r)\, i_x - o\, \frac{u_x w_x}{\sum u w}\right]

    with the intercept a, the slopes b, the minimum c, the inflow i and the outflow u; w is the
    number of people by age if weighted, and 1 if not. People are those at the end of the step
    had nobody migrated. The M of all ages sum to T.

    References
    ----------
    Ševčíková, Raymer & Raftery (2024), *Forecasting Net Migration by Age: The Flow-Difference
    Approach*, arXiv:2411.09878. The rules for the total of each sex, for slopes and minimum are
    those that bayesPop's outputs follow (its rate codes 4 and 5).

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> coords = {"sex": ["female", "male"], **mp.age_coords([0, 15, 30])}
    >>> inflow = xr.DataArray([[0.2, 0.7, 0.1]] * 2, dims=("sex", "age"), coords=coords)
    >>> outflow = xr.DataArray([[0.2, 0.5, 0.3]] * 2, dims=("sex", "age"), coords=coords)
    >>> rule = mp.flow_difference(inflow, outflow, intercept=0.02, slope_gain=0.8, slope_loss=0.2)
    >>> sorted(rule.data_vars)[:3]
    ['female_gain', 'female_loss', 'inflow']
    """
    if not isinstance(weighted, bool):
        raise SchemaError(f"weighted: expected True or False, got {weighted!r}")
    for name, array, who in (("inflow", inflow, "come"), ("outflow", outflow, "leave")):
        check_dims(name, array, "sex", "age")
        check_sexes(name, array, both=True)
        check_weights(name, array, f"weights of those who {who}, not of the balance,")
    check_labels_match({"inflow": inflow, "outflow": outflow}, dims=["sex", "age"])
    if groups_of(inflow, "inflow") != groups_of(outflow, "outflow"):
        raise AlignmentError(
            "outflow: dim 'age': expected the age groups of inflow, got the same lower bounds with "
            "other widths; correct age_width (mp.age_coords makes both)"
        )
    check_shares("inflow", inflow, ["age"])
    given = (intercept, slope_gain, slope_loss, minimum, female_gain, female_loss)
    parameters = {
        name: as_number(name, value) for name, value in zip(PARAMETERS, given, strict=True)
    }
    for name, number in parameters.items():
        check_weights(name, number, "numbers")
        if name.startswith("female") and number.chunks is None and (number > 1).any():
            odd = number.values > 1
            raise SchemaError(
                f"{name}: expected a share of women from 0 to 1, got "
                f"{float(number.values[odd][0]):g} ({'; '.join(where(number, odd))}); divide "
                "percentages by 100"
            )
    return xr.Dataset({"inflow": inflow, "outflow": outflow, **parameters, "weighted": weighted})
