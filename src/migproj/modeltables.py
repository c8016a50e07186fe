"""Model life tables: Brass's relational logit and the log-quadratic model."""

from __future__ import annotations

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
    check_table,
    check_weights,
    where,
)
from migproj.ages import age_coords, groups_of
from migproj.conventions import FEMALE, MALE, VARIABLES
from migproj.errors import AlignmentError, SchemaError
from migproj.lifetable import life_table

__all__ = ["brass_logit", "fit_brass_logit", "log_quadratic"]

_Floats: TypeAlias = npt.NDArray[np.float64]

#: Bisection for k starts this far from 0 on both sides, and ends within 1e-12.
_WIDEST_K: Final = 100.0
_HALVINGS: Final = 52

#: a, b, c and v of the log-quadratic model by Wilmoth et al. (2012), unrounded, a row an age
#: group: 0, 1-4, 5-9, ..., 110+. The rate at ages 1-4 follows from the others.
_LOG_QUADRATIC: Final = {
    FEMALE: (
        (-0.6529504213392947, 0.7802579651170469, -0.025017114677113927, 0.0),
        (-0.9509379706753008, 1.9455222772085812, 0.10071748195745062, 0.1677881996666032),
        (-2.637281799034254, 1.72047333518132, 0.09346970399599595, 0.2519916654943545),
        (-3.314138201696701, 1.590887441091612, 0.09455676809065931, 0.31376327147617494),
        (-3.215508563218923, 1.4628932556821417, 0.09284707421837603, 0.3790228040823746),
        (-2.9999938167240314, 1.460157549726896, 0.09136472109903807, 0.38224397255301573),
        (-2.9927543672734784, 1.377838547299929, 0.0807371508687028, 0.3641672467524725),
        (-3.0309961132842522, 1.2642825472156667, 0.07213177665755875, 0.3287358993683368),
        (-3.181466681484506, 1.067973285314063, 0.055404959047142044, 0.2899298735403753),
        (-3.3332840927635536, 0.8673968511209106, 0.04021832335293314, 0.24470061136577753),
        (-3.5727946482867936, 0.6010120238290131, 0.01630936838144267, 0.20891616388761816),
        (-3.4662054469230967, 0.4897548520695682, 0.008244457929995555, 0.17682076918461112),
        (-3.3057927400699656, 0.39000861304811024, -0.0007537494620252129, 0.15933783305017937),
        (-2.94248518388918, 0.34136796481307935, -0.006719723470350993, 0.12318412606649765),
        (-2.7119380521120076, 0.204919999861025, -0.023696283831077195, 0.09549322598549481),
        (-2.3799055928344717, 0.09452385178630525, -0.037585722029638696, 0.06671828252645848),
        (-2.1190670124829287, -0.022436938529012847, -0.04804372482397395, 0.044374033978614794),
        (-1.7712278578120042, -0.04864495024621278, -0.043112938481173806, 0.030377816741251416),
        (-1.4711660975257201, -0.07728251188702569, -0.03785498524156451, 0.016407058548527486),
        (-1.1745186527983926, -0.07148110419674733, -0.02810185539335425, 0.008725239159203892),
        (-0.868384985642997, -0.05628857478389444, -0.019394389097255535, 0.0),
        (-0.621758979848113, -0.03864201765631662, -0.01129113744465053, 0.0),
        (-0.4098018414637754, -0.015623065880184325, -0.0044038670137157045, 0.0),
        (-0.2783663079527705, -0.00524266693141972, -0.0010856615581422231, 0.0),
    ),
    MALE: (
        (-0.49367809927649686, 0.8313840759295742, -0.021408085293289723, 0.0),
        (-1.0628842037740551, 1.9885337900862599, 0.11422009193528447, 0.09913047418262522),
        (-3.154013286287719, 1.4240191970805798, 0.059995612990132535, 0.16497796494244696),
        (-4.054665863414106, 1.152454988494629, 0.04694088456644752, 0.16565402984452918),
        (-4.147170436728899, 0.8362081278397799, 0.035584426767785025, 0.2312901729259832),
        (-3.5821848423674276, 0.9956459513823797, 0.06119201810164923, 0.307142163033356),
        (-3.500504408732534, 1.0642590736971635, 0.07298360649781498, 0.3551589441961848),
        (-3.482263311285749, 1.022415665175982, 0.06946948670407233, 0.37477207018412295),
        (-3.485437848270447, 0.8883338269440324, 0.05436929486148791, 0.3662302215678181),
        (-3.494438527591282, 0.7191281294325576, 0.03752360564703475, 0.3411859621118212),
        (-3.5810185241660797, 0.470740788888439, 0.010485574605770605, 0.29983449958423325),
        (-3.5622968547679617, 0.26529869232879083, -0.0115080015904653, 0.25436698540598196),
        (-3.54502889199432, 0.049247638256028306, -0.03648223683440178, 0.20836313345673205),
        (-3.2884342803585347, -0.048809279506676316, -0.04749413338776552, 0.17445649557865026),
        (-3.012072151637836, -0.12648072045214093, -0.05551334820188499, 0.13839443391684614),
        (-2.5686238814872904, -0.11266816393742034, -0.051442519356093515, 0.10444018186281448),
        (-2.1733056426584887, -0.11683158264030574, -0.04855586776575725, 0.07376958570688616),
        (-1.7177853236551088, -0.06591511156579975, -0.03638755347030678, 0.04937397085775826),
        (-1.3802335964658206, -0.0756164896311776, -0.03244208199398273, 0.02046143784973182),
        (-1.0744267556721918, -0.06267874772935424, -0.02402528651382453, 0.006376289504864022),
        (-0.7341988203833107, -0.021356929288985877, -0.014184335926721204, 0.0),
        (-0.48231663179758566, 0.005699473637998166, -0.006402561525840208, 0.0),
        (-0.3079577707285274, 0.017782121051829566, -0.0015542168289145069, 0.0),
        (-0.20234315880622053, 0.021387179898313333, 0.0007917394302374642, 0.0),
    ),
}


def brass_logit(
    standard: xr.Dataset,
    *,
    alpha: float | xr.DataArray = 0.0,
    beta: float | xr.DataArray = 1.0,
) -> xr.DataArray:
    r"""Survivors of a model life table related to a standard by Brass's logit.

    Parameters
    ----------
    standard : Dataset with ``lx`` (..., age)
        Life table from age 0, as made by :func:`life_table`, of any radix.
    alpha : float or DataArray (...), default 0.0
        Level: above 0, mortality is higher than the standard's at all ages.
    beta : float or DataArray (...), default 1.0
        Slope, above 0: above 1, mortality is lower than the standard's at young ages and higher
        at old ones, around the age by which half of the standard have died.

    Returns
    -------
    DataArray "lx" (..., age)
        Survivors to the group's lower bound, radix 1. Ages at which the standard's survivors
        are all or none stay so.

    Raises
    ------
    SchemaError
        If the standard has no lx from age 0, or lx above that at age 0; if alpha or beta is
        by age or infinite, or beta is not above 0.
    AlignmentError
        If a dim that inputs share has other labels, or another order, in one of them.

    Notes
    -----
    With l(x) the standard's survivors at radix 1:

    .. math:: Y(x) = \tfrac12 \ln \frac{1 - l(x)}{l(x)}, \quad
              l^*(x) = \frac{1}{1 + \exp(2 \alpha + 2 \beta\, Y(x))}

    A missing value makes missing what depends on it, and nothing else.

    References
    ----------
    Brass (1971), "On the scale of mortality", in *Biological Aspects of Demography*; Preston,
    Heuveline & Guillot (2001), *Demography*, ch. 9.

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> mx = xr.DataArray([0.02, 0.001, 0.0005, 0.02], dims="age",
    ...                   coords=mp.age_coords(["0", "1-4", "5-9", "10+"]))
    >>> standard = mp.life_table(mx.assign_coords(sex="female"))
    >>> mp.brass_logit(standard, alpha=0.3).round(4).values
    array([1.    , 0.9648, 0.9579, 0.9536])
    """
    given = {"alpha": as_number("alpha", alpha), "beta": as_number("beta", beta)}
    for name, parameter in given.items():
        check_dims(name, parameter)
        check_lacks(name, parameter, "age", f"a table has one {name}; select an age, or average")
        check_finite(name, parameter)
    if given["beta"].chunks is None and bool((given["beta"] <= 0).any()):
        flags = np.asarray(given["beta"].values <= 0)
        raise SchemaError(
            f"beta: expected slopes above 0, got {int(flags.sum())} other value(s): "
            f"{'; '.join(where(given['beta'], flags))}; at 0 or below survivors do not fall by age"
        )
    survivors = _survivors("standard", standard)
    arrays = {"standard": survivors, **given}
    check_labels_match(arrays, dims=_dims_of(arrays))
    exponent = 2.0 * (given["alpha"] + given["beta"] * _logit(survivors))
    related = 1.0 / (1.0 + exponent.copy(data=np.exp(exponent.data)))
    inside = _inside(survivors) | survivors.isnull()
    known = given["alpha"].notnull() & given["beta"].notnull()
    made = related.where(inside, survivors.where(known))
    made = made.transpose(..., "sex", "age", missing_dims="ignore")
    made = made.assign_coords(groups_of(survivors, "standard").coords()).rename("lx")
    made.attrs = {"units": VARIABLES["lx"].units}
    return made


def fit_brass_logit(life_table: xr.Dataset, standard: xr.Dataset) -> xr.Dataset:
    r"""Level and slope of Brass's logit that bring a standard nearest to a life table.

    Parameters
    ----------
    life_table, standard : Dataset with ``lx`` (..., age)
        Life tables from age 0 by the same groups, as made by :func:`life_table`, of any radix.

    Returns
    -------
    Dataset
        ``alpha`` and ``beta`` (...), dimensionless, by ordinary least squares of the logits
        over the ages at which both survivors are between all and none.

    Raises
    ------
    SchemaError
        If a table has no lx from age 0, or lx above that at age 0; if fewer than two ages can
        be used.
    AlignmentError
        If the age groups differ, or a dim that both share has other labels or another order.

    Notes
    -----
    .. math:: Y(x) = \alpha + \beta\, Y_s(x) + \epsilon(x), \quad
              Y(x) = \tfrac12 \ln \frac{1 - l(x)}{l(x)}

    A missing lx makes alpha and beta of its own table missing, and of no other.

    References
    ----------
    Brass (1971), "On the scale of mortality", in *Biological Aspects of Demography*; Preston,
    Heuveline & Guillot (2001), *Demography*, ch. 9.

    Examples
    --------
    >>> import migproj as mp, xarray as xr
    >>> mx = xr.DataArray([0.02, 0.001, 0.0005, 0.02], dims="age",
    ...                   coords=mp.age_coords(["0", "1-4", "5-9", "10+"]))
    >>> standard = mp.life_table(mx.assign_coords(sex="female"))
    >>> table = mp.brass_logit(standard, alpha=0.3, beta=0.9).to_dataset()
    >>> fit = mp.fit_brass_logit(table, standard)
    >>> round(float(fit["alpha"]), 6), round(float(fit["beta"]), 6)
    (0.3, 0.9)
    """
    tables = {
        "life_table": _survivors("life_table", life_table),
        "standard": _survivors("standard", standard),
    }
    groups, expected = (groups_of(table, name) for name, table in tables.items())
    if groups != expected:
        raise AlignmentError(
            f"life_table: dim 'age': expected the groups of standard, {expected.labels}, got "
            f"{groups.labels}; select the same lower bounds in both"
        )
    check_labels_match(tables, dims=_dims_of(tables))
    ours, theirs = tables.values()
    missing = (ours.isnull() | theirs.isnull()).any("age")
    used = _inside(ours) & _inside(theirs)
    few = (used.sum("age") < 2) & ~missing
    if few.chunks is None and bool(few.any()):
        raise SchemaError(
            f"life_table: dim 'age': expected two or more ages at which survivors of both tables "
            f"are between all and none, got fewer ({'; '.join(where(few, few.values))}); give "
            "tables by more ages"
        )
    y, x = _logit(ours).where(used), _logit(theirs).where(used)
    from_mean = x - x.mean("age")
    beta = (from_mean * y).sum("age") / (from_mean**2).sum("age").where(~missing)
    alpha = y.mean("age") - beta * x.mean("age")
    fit = xr.Dataset({"alpha": alpha, "beta": beta}).transpose(..., "sex", missing_dims="ignore")
    for name in fit:
        fit[name].attrs = {"units": "1"}
    return fit


def log_quadratic(
    *,
    child_mortality: float | xr.DataArray,
    adult_mortality: float | xr.DataArray | None = None,
    k: float | xr.DataArray | None = None,
    sex: str | None = None,
) -> xr.DataArray:
    r"""Death rates of the log-quadratic model, from mortality of children and of adults.

    Parameters
    ----------
    child_mortality : float or DataArray (...)
        5q0, the probability of dying between birth and age 5.
    adult_mortality : float or DataArray (...), optional
        45q15, the probability of dying between ages 15 and 60 of those who reach 15.
    k : float or DataArray (...), optional
        Departure of adult mortality from what goes with `child_mortality` on average, instead
        of `adult_mortality`. Default, where that is not given either: 0.
    sex : {"female", "male"}, optional
        The sex, where no input has a dim (or scalar coordinate) ``sex``.

    Returns
    -------
    DataArray "mx" (..., age)
        Death rates (1/year) by the age groups 0, 1-4, 5-9, ..., 110+, with the coordinate ``k``
        (...). ``life_table(mx, a0="andreev-kingkade")`` has the child mortality, and with
        ``ax="half"`` the adult mortality too (it then warns of qx > 1 above age 100).

    Raises
    ------
    SchemaError
        If probabilities are not between 0 and 1, an input is by age, both `adult_mortality`
        and `k` are given, or the sex is not known or given twice.
    AlignmentError
        If a dim that inputs share has other labels, or another order, in one of them.

    Notes
    -----
    .. math:: \ln m_x = a_x + b_x h + c_x h^2 + v_x k, \quad h = \ln {}_5q_0

    at all ages but 1-4, where 4q1 = 1 - (1 - 5q0) / (1 - 1q0). 1q0 follows from 1m0 by the rule
    of Andreev and Kingkade, 4m1 from 4q1 by that of Coale and Demeny. For adult mortality, k is
    found by bisection, with deaths in the middle of each five years. A missing value makes its
    own rates missing, and no others.

    References
    ----------
    Wilmoth, Zureick, Canudas-Romo, Inoue & Sawyer (2012), "A flexible two-dimensional mortality
    model for use in indirect estimation", *Population Studies* 66(1); Andreev & Kingkade (2015),
    *Demographic Research* 33(13); Preston, Heuveline & Guillot (2001), *Demography*, table 3.3.

    Examples
    --------
    >>> import migproj as mp
    >>> mx = mp.log_quadratic(child_mortality=0.05, adult_mortality=0.2, sex="male")
    >>> round(float(mx["k"]), 4)
    -0.751
    >>> table = mp.life_table(mx, a0="andreev-kingkade")
    >>> round(1 - float(table["lx"].sel(age=5)), 6)
    0.05
    """
    if adult_mortality is not None and k is not None:
        raise SchemaError(
            "k: expected either adult_mortality or k, got both; k follows from adult_mortality"
        )
    child = as_number("child_mortality", child_mortality)
    _check_probabilities("child_mortality", child)
    if adult_mortality is None:
        other, second = "k", as_number("k", 0.0 if k is None else k)
        check_finite("k", second)
    else:
        other, second = "adult_mortality", as_number("adult_mortality", adult_mortality)
        _check_probabilities("adult_mortality", second)
    arrays = {"child_mortality": child, other: second}
    for name, array in arrays.items():
        check_dims(name, array)
        check_lacks(name, array, "age", "a table has one; select an age")
        check_sexes(name, array, both=False)
    check_labels_match(arrays, dims=_dims_of(arrays))
    a, b, c, v = _coefficients(arrays, sex)
    h = child.copy(data=np.log(child.data))
    average = a + b * h + c * h**2
    if adult_mortality is not None:
        second = _solved(average, v, second)
    exponent = average + v * second
    rates = exponent.copy(data=np.exp(exponent.data))
    rates = _with_child_mortality(rates, child.astype(np.float64))
    rates = rates.assign_coords(k=second).transpose(..., "sex", "age", missing_dims="ignore")
    rates.attrs = {"units": VARIABLES["mx"].units}
    return rates.rename("mx")


def _coefficients(arrays: dict[str, xr.DataArray], sex: str | None) -> list[xr.DataArray]:
    """a, b, c and v (sex?, age), for the sexes of the inputs or for `sex`."""
    table = xr.DataArray(
        np.array([_LOG_QUADRATIC[FEMALE], _LOG_QUADRATIC[MALE]]),
        dims=("sex", "age", "term"),
        coords={"sex": [FEMALE, MALE], **age_coords([0, 1, *range(5, 115, 5)])},
    )
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
    chosen = table.sel(sex=sex if known is None else known.values)
    return [chosen.isel(term=term) for term in range(4)]


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


def _survivors(name: str, table: xr.Dataset) -> xr.DataArray:
    """The checked lx of a table, at radix 1."""
    check_table(name, table, "lx")
    lx = table["lx"]
    check_weights(f"{name}['lx']", lx, "survivors")
    groups = groups_of(table, name)
    if groups.lower[0] != 0:
        raise SchemaError(
            f"{name}: dim 'age': expected survivors from age 0, got {groups.labels[0]} first; "
            "logits are of the share of those born"
        )
    survivors = lx.astype(np.float64) / lx.isel(age=0, drop=True)
    if survivors.chunks is None and bool((survivors > 1).any()):
        above = np.asarray(survivors.values > 1)
        raise SchemaError(
            f"{name}['lx']: expected no more survivors than at age 0, got {int(above.sum())} "
            f"value(s) above: {'; '.join(where(survivors, above))}; mp.life_table(mx) makes lx"
        )
    return survivors.assign_coords(groups.coords())


def _inside(survivors: xr.DataArray) -> xr.DataArray:
    return (survivors > 0) & (survivors < 1)


def _logit(survivors: xr.DataArray) -> xr.DataArray:
    """Brass's logit, missing where it is infinite."""
    share = survivors.where(_inside(survivors))
    odds: xr.DataArray = (1.0 - share) / share
    return odds.copy(data=0.5 * np.log(odds.data))


def _dims_of(arrays: dict[str, xr.DataArray]) -> list[str]:
    return list(dict.fromkeys(str(dim) for array in arrays.values() for dim in array.dims))
