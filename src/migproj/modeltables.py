"""Model life tables: the log-quadratic model."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt
import xarray as xr

from migproj._checks import (
    as_number,
    check_dims,
    check_finite,
    check_labels_match,
    check_lacks,
    check_numbers,
    check_sexes,
    where,
)
from migproj._solve import solved
from migproj.ages import age_coords
from migproj.conventions import FEMALE, MALE, VARIABLES
from migproj.errors import DataQualityWarning, SchemaError
from migproj.lifetable import life_table

__all__ = ["check_years", "log_quadratic", "of_sex"]

_Floats: TypeAlias = npt.NDArray[np.float64]

#: Bisection for k starts this far from 0 on both sides, and ends within 1e-12.
_WIDEST_K: Final = 100.0
_HALVINGS: Final = 52
#: Where k for a life expectancy is looked for, and log 5q0.
_WIDEST_MET: Final = 12.0
_WIDEST_H: Final = (float(np.log(2e-4)), float(np.log(0.7)))
#: What the jumps of the rule for a0 leave of a life expectancy at most.
_JUMP: Final = 1e-4

#: a, b, c and v of the log-quadratic model by Wilmoth et al. (2012, table 3), unrounded as in
#: MortCast, a row an age group: 0, 1-4, 5-9, ..., 110+. The rate at 1-4 follows from the others.
_LOG_QUADRATIC: Final = {
    FEMALE: (
        (-0.66186281334383, 0.768375458075558, -0.0276526585094366, 0.0),
        (0.0, 0.0, 0.0, 0.0),
        (-2.56080042827845, 1.79373011625491, 0.108216798562532, 0.278808239532778),
        (-3.2434878477907, 1.66526158454675, 0.108766992722135, 0.342303850077532),
        (-3.1099288731249, 1.5797313207243, 0.114700047874228, 0.400651352065886),
        (-2.97888535560963, 1.5053346523347, 0.101140941230641, 0.413295601703652),
        (-3.01850744347823, 1.37293093611924, 0.0815358641018554, 0.388381361268693),
        (-3.02007345064568, 1.28785756036351, 0.0778066615434165, 0.339109883184782),
        (-3.1487394748916, 1.1070968843203, 0.0637190778615326, 0.282881596445607),
        (-3.2689991388194, 0.933945495750759, 0.0532645824343458, 0.224621867430123),
        (-3.52021817909588, 0.66423763821388, 0.028940536431634, 0.177428479313842),
        (-3.40763858322437, 0.55555206086523, 0.0208263976424387, 0.142885823566349),
        (-3.25866971099761, 0.446083766592483, 0.0101357810784305, 0.118995407806435),
        (-2.89072949528753, 0.398831600180196, 0.00416416475640234, 0.0806551650937455),
        (-2.66082588429976, 0.259052615142433, -0.0134545437606229, 0.0571175061539533),
        (-2.29491646957014, 0.175935416831952, -0.0228570091951607, 0.0294545653670851),
        (-2.04141341199065, 0.0480799155591892, -0.0353733886507841, 0.0114467891147405),
        (-1.73079992673339, -0.00639781767232538, -0.0347172980592731, 0.00325923672487253),
        (-1.44730928191656, -0.0530736182674413, -0.0327308729914504, 0.00397136749889219),
        (-1.15821785044026, -0.0616508044525306, -0.025930204151502, 0.0),
        (-0.865460308477975, -0.0598255797151004, -0.0198085213587724, 0.0),
        (-0.629412748419085, -0.0512937141148681, -0.013442435994291, 0.0),
        (-0.428180253428647, -0.0341091971534106, -0.00748259441202121, 0.0),
        (-0.296637588244167, -0.0229038259495638, -0.00406758137892444, 0.0),
    ),
    MALE: (
        (-0.510107073962714, 0.816432067570651, -0.0245146667827915, 0.0),
        (0.0, 0.0, 0.0, 0.0),
        (-3.04354042028688, 1.52698179637429, 0.081660318917543, 0.171998295840614),
        (-3.95543164882019, 1.23895852618124, 0.0638495465637181, 0.16826320631001),
        (-3.93740052043582, 1.04247971314827, 0.0749508953560368, 0.216109468588607),
        (-3.4164986611631, 1.16506229518495, 0.0945484255006006, 0.302174752514936),
        (-3.42366110538792, 1.14438512774588, 0.0904725205022772, 0.362364394513608),
        (-3.44384462756528, 1.06824286396208, 0.0814323811155612, 0.384826779170831),
        (-3.41977578780034, 0.962047590094026, 0.0714160686973468, 0.377948103547558),
        (-3.38285782742949, 0.833684934341847, 0.0608632135453063, 0.352974487081659),
        (-3.44556504331732, 0.603887660258663, 0.036249800687667, 0.306021622001942),
        (-3.42168407832628, 0.400074172047341, 0.0138365101311965, 0.256350699123925),
        (-3.4144040006723, 0.176036145554819, -0.0128101074119134, 0.201668788651162),
        (-3.14020739430562, 0.0920879367556321, -0.0216442591190353, 0.16160884408274),
        (-2.8565469687576, 0.0217311014927721, -0.0282702581602213, 0.121574259404048),
        (-2.41138733840464, 0.038758091016001, -0.023489596309721, 0.0864481864193535),
        (-2.04114778656127, 0.00926081295777703, -0.0252409364112197, 0.0536683076419322),
        (-1.64560207675431, 0.008493270232893, -0.0221101299327932, 0.0315725222264515),
        (-1.32027803108074, -0.0183437558715347, -0.0218625016743341, 0.00611987620003284),
        (-1.03683382739214, -0.0314240694580901, -0.0183977248259947, 0.0),
        (-0.731049386156319, -0.0169880858480371, -0.0132725927876603, 0.0),
        (-0.502444761065897, -0.00809281483923157, -0.0086277579926198, 0.0),
        (-0.327491127748372, 6.03004389815864e-05, -0.00476005675454231, 0.0),
        (-0.221175648673133, 0.00280790366227191, -0.0026504159205318, 0.0),
    ),
}


def log_quadratic(
    *,
    child_mortality: float | xr.DataArray | None = None,
    adult_mortality: float | xr.DataArray | None = None,
    e0: float | xr.DataArray | None = None,
    k: float | xr.DataArray | None = None,
    sex: str | None = None,
    coefficients: xr.DataArray | None = None,
) -> xr.DataArray:
    r"""Death rates of the log-quadratic model, from mortality of children, of adults, or e0.

    Parameters
    ----------
    child_mortality : float or DataArray (...), optional
        5q0, the probability of dying between birth and age 5. Default: found for `e0`.
    adult_mortality : float or DataArray (...), optional
        45q15, the probability of dying between ages 15 and 60 of those who reach 15.
    e0 : float or DataArray (...), optional
        Life expectancy at birth (years): with `child_mortality` instead of
        `adult_mortality`, or alone, with `k`.
    k : float or DataArray (...), optional
        Departure of adult mortality from what goes with mortality of children on average.
        Default, where neither `adult_mortality` nor both others are given: 0.
    sex : {"female", "male"}, optional
        The sex, where no input has a dim (or scalar coordinate) ``sex``.
    coefficients : DataArray (sex, age, parameter), optional
        Coefficients ``a``, ``b``, ``c`` and ``v`` of the model, by the age groups 0, 1-4, 5-9,
        ..., 110+. Default: those of Wilmoth et al. (2012).

    Returns
    -------
    DataArray "mx" (..., age)
        Death rates (1/year) by the age groups 0, 1-4, 5-9, ..., 110+, with the coordinates ``k``
        and ``child_mortality`` (...). ``life_table(mx, a0="andreev-kingkade")`` has the child
        mortality and the e0, and with ``ax="half"`` the adult mortality (it then warns of
        qx > 1 above age 100).

    Raises
    ------
    SchemaError
        If probabilities are not between 0 and 1, an input is by age, inputs are too many or too
        few, the sex is not known or given twice, or no life table of the model has the e0.
    AlignmentError
        If a dim that inputs share has other labels, or another order, in one of them.

    Notes
    -----
    .. math:: \ln m_x = a_x + b_x h + c_x h^2 + v_x k, \quad h = \ln {}_5q_0

    at all ages but 1-4, where 4q1 = 1 - (1 - 5q0) / (1 - 1q0). 1q0 follows from 1m0 by the rule
    of Andreev and Kingkade, 4m1 from 4q1 by that of Coale and Demeny. For adult mortality, k is
    found by bisection, with deaths in the middle of each five years; for e0, k or 5q0 by false
    position, to 1e-9 years (at the two rates where that rule for a0 jumps, to 1e-5), which is
    not checked on lazy input. A missing value makes its own rates missing, and no others.

    References
    ----------
    Wilmoth, Zureick, Canudas-Romo, Inoue & Sawyer (2012), "A flexible two-dimensional mortality
    model for use in indirect estimation", *Population Studies* 66(1):1-28; Andreev & Kingkade
    (2015), *Demographic Research* 33(13); Preston, Heuveline & Guillot (2001), *Demography*,
    table 3.3.

    Examples
    --------
    >>> import migproj as mp
    >>> mx = mp.log_quadratic(child_mortality=0.05, adult_mortality=0.2, sex="male")
    >>> round(float(mx["k"]), 4)
    -0.6381
    >>> table = mp.life_table(mx, a0="andreev-kingkade")
    >>> round(1 - float(table["lx"].sel(age=5)), 6)
    0.05

    A life table from its life expectancy alone:

    >>> mx = mp.log_quadratic(e0=60.0, sex="male")
    >>> round(float(mx["child_mortality"]), 4)
    0.0851
    >>> round(float(mp.life_table(mx, a0="andreev-kingkade")["ex"][0]), 9)
    60.0
    """
    given = _checked_inputs(child_mortality, adult_mortality, e0, k)
    a, b, c, v = _coefficients(given, sex, coefficients)
    solve_k = "child_mortality" in given and "k" not in given

    def rates(child: xr.DataArray, departure: xr.DataArray) -> xr.DataArray:
        h = child.copy(data=np.log(child.data))
        exponent = a + b * h + c * h**2 + v * departure
        made = exponent.copy(data=np.exp(exponent.data))
        return _with_child_mortality(made, child.astype(np.float64))

    if not solve_k and "child_mortality" in given:
        child, departure = given["child_mortality"], given["k"]
    elif "adult_mortality" in given:
        child = given["child_mortality"]
        h = child.copy(data=np.log(child.data))
        departure = _solved(a + b * h + c * h**2, v, given["adult_mortality"])
    else:
        child, departure = _met(rates, given, 0.0 * a.isel(age=0, drop=True))
    said = {"k": departure, "child_mortality": child}
    said = {name: own.assign_attrs(parameter_of="log-quadratic") for name, own in said.items()}
    made = rates(child, departure).assign_coords(said)
    made = made.transpose(..., "sex", "age", missing_dims="ignore")
    made.attrs = {"units": VARIABLES["mx"].units}
    return made.rename("mx")


def _checked_inputs(
    child_mortality: float | xr.DataArray | None,
    adult_mortality: float | xr.DataArray | None,
    e0: float | xr.DataArray | None,
    k: float | xr.DataArray | None,
) -> dict[str, xr.DataArray]:
    """The two inputs that make a life table."""
    inputs = {
        "child_mortality": child_mortality,
        "adult_mortality": adult_mortality,
        "e0": e0,
        "k": k,
    }
    named = [name for name, value in inputs.items() if value is not None]
    if named in (["child_mortality"], ["e0"]):
        inputs["k"] = 0.0
    elif len(named) != 2 or named in (["adult_mortality", "e0"], ["adult_mortality", "k"]):
        raise SchemaError(
            "child_mortality: expected child_mortality with one of adult_mortality, e0 and k, or "
            f"e0 with k, got {named or 'none'}; the others follow"
        )
    given = {name: as_number(name, value) for name, value in inputs.items() if value is not None}
    for name, array in given.items():
        if name == "k":
            check_finite(name, array)
        elif name == "e0":
            check_years(name, array, 0.0, 150.0)
        else:
            _check_probabilities(name, array)
        check_dims(name, array)
        check_lacks(name, array, "age", "a table has one; select an age")
        check_sexes(name, array, both=False)
    check_labels_match(
        given, dims=dict.fromkeys(dim for array in given.values() for dim in array.dims)
    )
    return given


def check_years(name: str, array: xr.DataArray, low: float, high: float) -> None:
    """`array` holds years of life above `low`, up to `high`."""
    check_numbers(name, array)
    if array.chunks is None and bool((odd := (array <= low) | (array > high)).any()):
        flags = np.asarray(odd.values)
        raise SchemaError(
            f"{name}: expected years between {low:g} and {high:g}, got {int(flags.sum())} other "
            f"value(s): {'; '.join(where(array, flags))}"
        )


def _met(
    rates: Callable[[xr.DataArray, xr.DataArray], xr.DataArray],
    given: dict[str, xr.DataArray],
    zero: xr.DataArray,
) -> tuple[xr.DataArray, xr.DataArray]:
    """5q0 and k with which the model has the life expectancy."""
    wanted = given["e0"] + zero

    def both(x: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray]:
        if "k" in given:
            return x.copy(data=np.exp(x.data)), given["k"]
        return given["child_mortality"], x

    def found(x: xr.DataArray) -> xr.DataArray:
        table = life_table(rates(*both(x)), a0="andreev-kingkade")
        return table["ex"].isel(age=0, drop=True)

    low, high = _WIDEST_H if "k" in given else (-_WIDEST_MET, _WIDEST_MET)
    start = sum((0.0 * array for array in given.values()), zero)

    def gap(x: xr.DataArray) -> xr.DataArray:
        ratio = found(x) / wanted
        return ratio.copy(data=np.log(ratio.data))

    x = solved(gap, start + low, start + high)
    if x.chunks is None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DataQualityWarning)
            error = abs(found(x) - wanted)
        odd = (x.isnull() | (error > _JUMP)) & start.notnull()
        if bool(odd.any()):
            named = f": {'; '.join(where(odd, odd.values))}" if odd.ndim else ""
            raise SchemaError(
                f"e0: no life table of the model has it in {int(odd.sum())} case(s){named}; 5q0 "
                "was looked for from 0.0002 to 0.7, k from -12 to 12"
            )
    return both(x)


def _coefficients(
    arrays: dict[str, xr.DataArray], sex: str | None, coefficients: xr.DataArray | None
) -> list[xr.DataArray]:
    """a, b, c and v (sex?, age), for the sexes of the inputs or for `sex`."""
    table = xr.DataArray(
        np.array([_LOG_QUADRATIC[FEMALE], _LOG_QUADRATIC[MALE]]),
        dims=("sex", "age", "parameter"),
        coords={
            "sex": [FEMALE, MALE],
            "parameter": list("abcv"),
            **age_coords([0, 1, *range(5, 115, 5)]),
        },
    )
    if coefficients is not None:
        check_dims("coefficients", coefficients, *map(str, table.dims))
        check_finite("coefficients", coefficients)
        check_labels_match({"the model": table, "coefficients": coefficients}, dims=table.dims)
        table = coefficients.astype(np.float64).assign_coords(table.coords)
    chosen = of_sex(table, arrays, sex)
    return [chosen.sel(parameter=name, drop=True) for name in "abcv"]


def of_sex(table: xr.DataArray, arrays: dict[str, xr.DataArray], sex: str | None) -> xr.DataArray:
    """The part of a table by sex for the sexes of the inputs or for `sex`."""
    known = next((array["sex"] for array in arrays.values() if "sex" in array.coords), None)
    if known is not None and sex is not None:
        raise SchemaError(
            f"sex: got {sex!r}, but the inputs say of which sex they are; leave out sex=..., or "
            "select one, array.sel(sex=..., drop=True)"
        )
    if known is None and sex not in (FEMALE, MALE):
        raise SchemaError(
            f"sex: expected {FEMALE!r} or {MALE!r}, got {sex!r}; the model is by sex: give "
            "sex=..., or inputs with a dim 'sex'"
        )
    return table.sel(sex=sex if known is None else known.values)


def _solved(average: xr.DataArray, v: xr.DataArray, adult_mortality: xr.DataArray) -> xr.DataArray:
    """The k (...) by which the log rates give the adult mortality."""
    adults = slice(15, 55)
    k: xr.DataArray = xr.apply_ufunc(
        _bisected,
        average.sel(age=adults),
        v.sel(age=adults),
        adult_mortality,
        input_core_dims=[["age"], ["age"], []],
        join="exact",
        dask="parallelized",
        output_dtypes=[np.float64],
    )
    return k


def _bisected(average: _Floats, v: _Floats, target: _Floats) -> _Floats:
    """Bisection for k: adult mortality rises with it, as v is above 0 at these ages."""
    shape = np.broadcast_shapes(average.shape[:-1], v.shape[:-1], target.shape)
    low, high = np.full(shape, -_WIDEST_K), np.full(shape, _WIDEST_K)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        half = 2.5 * np.exp(average + v * middle[..., np.newaxis])
        # with rates so high that deaths in mid-group cannot be, none survives
        survival = np.maximum((1 - half) / (1 + half), 0.0).prod(axis=-1)
        above = 1 - survival > target
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    known = ~np.isnan(average).any(axis=-1) & ~np.isnan(target)
    k: _Floats = np.where(known, (low + high) / 2, np.nan)
    return k


def _with_child_mortality(rates: xr.DataArray, child: xr.DataArray) -> xr.DataArray:
    """`rates` with that of ages 1-4 by which the table has the child mortality."""
    young = rates.isel(age=slice(0, 3)).assign_coords(age_coords(["0", "1-4", "5+"]))
    # what is read depends on the rate at age 0 alone
    young = young.where(young["age"] != 1, 0.01)
    table = life_table(young, a0="andreev-kingkade")
    q = 1 - (1 - child) / (1 - table["qx"].isel(age=0, drop=True))
    rate = q / (4 - (4 - table["ax"].isel(age=1, drop=True)) * q)
    return rates.where(rates["age"] != 1, rate)


def _check_probabilities(name: str, array: xr.DataArray) -> None:
    check_numbers(name, array)
    if array.chunks is None and bool((odd := (array <= 0) | (array >= 1)).any()):
        flags = np.asarray(odd.values)
        raise SchemaError(
            f"{name}: expected probabilities between 0 and 1, got {int(flags.sum())} other "
            f"value(s): {'; '.join(where(array, flags))}; divide deaths per 1,000 by 1,000"
        )
