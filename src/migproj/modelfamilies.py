"""Coale and Demeny's families of model life tables."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import xarray as xr

from migproj._checks import as_number, check_dims, check_lacks, check_sexes, where
from migproj._solve import solved
from migproj.ages import age_coords
from migproj.conventions import FEMALE, MALE, VARIABLES
from migproj.errors import SchemaError
from migproj.lifetable import life_table
from migproj.modeltables import check_years, of_sex

__all__ = ["model_life_table"]

_Floats: TypeAlias = npt.NDArray[np.float64]
Family: TypeAlias = Literal["west", "north", "south"]

#: Coale, Demeny & Vaughan (1983): a row an age group 0, 1-4, 5-9, ..., 75-79, with a, b and c, d
#: of nqx = a + b e10 and 10000 nqx = 10^(c + d e10). The first of West, males, 75-79, is 0.89976:
#: copies that have 0.98976 miss the printed stable populations of males.
_REGRESSIONS: Final = {
    "west": {
        FEMALE: (
            (0.53774, -0.008044, 5.8992, -0.05406),
            (0.39368, -0.006162, 7.4576, -0.08834),
            (0.10927, -0.001686, 6.2018, -0.0741),
            (0.08548, -0.00132, 5.9627, -0.07181),
            (0.10979, -0.001672, 5.9335, -0.06812),
            (0.1358, -0.002051, 5.9271, -0.06577),
            (0.15134, -0.002276, 5.8145, -0.06262),
            (0.17032, -0.002556, 5.6578, -0.05875),
            (0.18464, -0.002745, 5.3632, -0.05232),
            (0.1939, -0.002828, 4.96, -0.0438),
            (0.20138, -0.002831, 4.5275, -0.03436),
            (0.2535, -0.003487, 4.4244, -0.03004),
            (0.31002, -0.004118, 4.3131, -0.02554),
            (0.43445, -0.005646, 4.3439, -0.02295),
            (0.53481, -0.00646, 4.2229, -0.01773),
            (0.69394, -0.007713, 4.1838, -0.01376),
            (0.84589, -0.008239, 4.1294, -0.00978),
        ),
        MALE: (
            (0.63726, -0.009958, 5.8061, -0.05338),
            (0.40548, -0.006653, 7.1062, -0.08559),
            (0.10393, -0.001662, 5.4472, -0.06295),
            (0.07435, -0.001183, 5.0654, -0.05817),
            (0.0988, -0.001539, 4.87, -0.0507),
            (0.14009, -0.002183, 5.0677, -0.05156),
            (0.15785, -0.002479, 5.266, -0.05471),
            (0.1826, -0.002875, 5.3438, -0.05511),
            (0.21175, -0.003312, 5.2792, -0.05229),
            (0.25049, -0.003864, 5.0415, -0.04573),
            (0.27894, -0.004158, 4.6666, -0.03637),
            (0.33729, -0.004856, 4.4506, -0.02961),
            (0.38425, -0.00519, 4.2202, -0.02256),
            (0.48968, -0.0063, 4.1851, -0.01891),
            (0.59565, -0.007101, 4.1249, -0.01491),
            (0.73085, -0.007911, 4.1051, -0.01161),
            (0.89976, -0.008695, 4.1133, -0.00895),
        ),
    },
    "north": {
        FEMALE: (
            (0.47504, -0.006923, 5.7332, -0.05133),
            (0.45025, -0.006805, 7.6298, -0.08909),
            (0.19376, -0.002928, 7.1271, -0.08647),
            (0.10041, -0.001497, 6.1089, -0.07192),
            (0.10126, -0.00148, 5.4984, -0.05955),
            (0.11261, -0.001618, 5.2649, -0.05372),
            (0.13137, -0.001893, 5.2547, -0.05236),
            (0.15448, -0.002239, 5.3691, -0.05339),
            (0.17693, -0.002566, 5.3186, -0.05136),
            (0.1844, -0.002612, 4.9099, -0.04261),
            (0.1944, -0.002712, 4.6164, -0.03627),
            (0.22364, -0.003011, 4.3673, -0.02961),
            (0.30043, -0.004053, 4.4363, -0.02858),
            (0.41033, -0.005394, 4.4163, -0.02511),
            (0.56691, -0.007187, 4.403, -0.02152),
            (0.77206, -0.009334, 4.3826, -0.01784),
            (0.96175, -0.010681, 4.3108, -0.01355),
        ),
        MALE: (
            (0.54327, -0.008251, 5.6151, -0.05022),
            (0.46169, -0.00729, 7.2025, -0.08475),
            (0.18983, -0.002974, 6.1947, -0.07195),
            (0.09551, -0.001476, 5.3488, -0.06047),
            (0.09666, -0.001422, 4.5662, -0.04322),
            (0.13472, -0.001968, 4.697, -0.04277),
            (0.14325, -0.002103, 4.7661, -0.04372),
            (0.1528, -0.002244, 4.7248, -0.04236),
            (0.17535, -0.002589, 4.7568, -0.04197),
            (0.20924, -0.003083, 4.728, -0.03986),
            (0.24673, -0.003605, 4.602, -0.03578),
            (0.28578, -0.004016, 4.3499, -0.02857),
            (0.36171, -0.005037, 4.3718, -0.02682),
            (0.45849, -0.006124, 4.2977, -0.02244),
            (0.59986, -0.007677, 4.2858, -0.01913),
            (0.82662, -0.010241, 4.3482, -0.0171),
            (1.03681, -0.011906, 4.3197, -0.01357),
        ),
    },
    "south": {
        FEMALE: (
            (0.52069, -0.007051, 4.5097, -0.02566),
            (0.68268, -0.010453, 5.9815, -0.05332),
            (0.17066, -0.002657, 5.6479, -0.06136),
            (0.09, -0.00138, 5.1045, -0.05537),
            (0.12189, -0.001851, 5.2384, -0.05494),
            (0.15083, -0.002279, 5.1708, -0.05171),
            (0.16073, -0.002412, 5.0949, -0.04945),
            (0.16719, -0.002505, 4.9291, -0.0459),
            (0.17408, -0.002583, 4.8035, -0.0428),
            (0.17278, -0.002504, 4.4917, -0.03615),
            (0.178, -0.002513, 4.2693, -0.03092),
            (0.22639, -0.00314, 4.1982, -0.02717),
            (0.30167, -0.00413, 4.2724, -0.02588),
            (0.47682, -0.006501, 4.4242, -0.02491),
            (0.6744, -0.008891, 4.4554, -0.0219),
            (0.92943, -0.011532, 4.4348, -0.01775),
            (1.16023, -0.013009, 4.3542, -0.01296),
        ),
        MALE: (
            (0.61903, -0.008974, 4.7096, -0.0298),
            (0.70613, -0.011375, 6.3246, -0.06433),
            (0.16455, -0.002674, 5.64, -0.06389),
            (0.07634, -0.001207, 4.6816, -0.05008),
            (0.11449, -0.00181, 4.9454, -0.0517),
            (0.17104, -0.002693, 5.2748, -0.05458),
            (0.17171, -0.00271, 5.1168, -0.05152),
            (0.16483, -0.002535, 4.8459, -0.04547),
            (0.17905, -0.002734, 4.766, -0.04292),
            (0.20606, -0.003081, 4.5796, -0.03738),
            (0.23208, -0.00337, 4.3559, -0.03116),
            (0.28, -0.003917, 4.1918, -0.02547),
            (0.35245, -0.004765, 4.1492, -0.02193),
            (0.49465, -0.006569, 4.2479, -0.02063),
            (0.66947, -0.008608, 4.3069, -0.01863),
            (0.89759, -0.010843, 4.3251, -0.01552),
            (1.10111, -0.011806, 4.2684, -0.01123),
        ),
    },
}
#: The force of mortality at 105 is this and 1.75 times the probability of dying at 75-79.
_AT_105: Final = {FEMALE: 0.613, MALE: 0.551}
#: Life expectancies at birth of the first and of the last level, about.
_LEVELS: Final = {FEMALE: (20.0, 80.0), MALE: (18.0, 76.0)}

#: Years lived in their group by those who die in it, of West: at age 0 the first and the second
#: times 1q0, at most the third, and at 1-4 the fourth less the fifth times 1q0, at least the sixth.
_YOUNG: Final = {
    FEMALE: (0.05, 3.0, 0.35, 1.524, 1.625, 1.361),
    MALE: (0.0425, 2.875, 0.33, 1.653, 3.013, 1.352),
}
#: The same at 5-9, 10-14, ..., 75-79.
_LATER: Final = (2.25, *(2.6,) * 13, 2.5)
_LOWER: Final = (0, 1, *range(5, 105, 5))
#: e10 is looked for between these.
_E10: Final = (12.0, 92.0)
#: What the jumps of the rule for a0 leave of a life expectancy at most.
_JUMP: Final = 0.02


def model_life_table(
    family: Family, *, e0: float | xr.DataArray, sex: str | None = None
) -> xr.DataArray:
    r"""Death rates of a model life table by Coale and Demeny, from its life expectancy.

    Parameters
    ----------
    family : {"west", "north", "south"}
        Pattern of mortality by age. "west" is the general one. Beside it, "north" has low rates
        of infants and above age 50, and "south" high rates of children and low ones at 40 to 60.
    e0 : float or DataArray (...)
        Life expectancy at birth (years): 20 to 80 for females, 18 to 76 for males.
    sex : {"female", "male"}, optional
        The sex, where `e0` has no dim (or scalar coordinate) ``sex``.

    Returns
    -------
    DataArray "mx" (..., age)
        Death rates (1/year) of the model by the age groups 0, 1-4, 5-9, ..., 100+.
        ``life_table(mx)`` has the life expectancy.

    Raises
    ------
    SchemaError
        If the family or the sex is not known, e0 is by age, or beyond the levels of the model.

    Notes
    -----
    Up to age 79 probabilities of dying follow from life expectancy at age 10, a regression each
    by sex and age:

    .. math:: q_A = a_x + b_x e_{10}, \quad q_B = 10^{c_x + d_x e_{10} - 4}

    nqx is :math:`q_A` at the low e10 before the two curves first meet, :math:`q_B` after they
    have met again, and their mean between; nmx follows with the years lived by those who die of
    West, 2.6 of five years at 10 to 74. From 80 on the force of mortality rises exponentially,
    from nmx of 75-79 at 77.5 to 0.613 (males: 0.551) + 1.75 5q75 at age 105. e10 is the one with
    which :func:`life_table` has the e0; its qx are those above to 0.6 % below age 60, and to 4 %
    at 75-79 where e0 is 23, as it has the years lived by Greville's rule.

    The life expectancy is met to 1e-9 years; where the rule for a0 jumps (m0 near 0.107), to
    0.02, and on lazy input this is not checked. Tables of one level have e0 of females of 20 +
    2.5 (level - 1); those of males are 2 to 4 years lower, which is for the caller to say. A
    missing e0 makes its own rates missing, and no others.

    References
    ----------
    Coale, Demeny & Vaughan (1983), *Regional Model Life Tables and Stable Populations*, 2nd ed.

    Examples
    --------
    >>> import migproj as mp
    >>> mx = mp.model_life_table("west", e0=50.0, sex="female")
    >>> table = mp.life_table(mx)
    >>> round(float(table["ex"][0]), 9), table["lx"].sel(age=[1, 5, 60]).round(4).values
    (50.0, array([0.8813, 0.8176, 0.5045]))
    """
    if family not in list(_REGRESSIONS):
        raise SchemaError(
            f"family: expected one of {list(_REGRESSIONS)}, got {family!r}; log_quadratic and "
            "brass_logit make other patterns"
        )
    wanted = as_number("e0", e0)
    check_dims("e0", wanted)
    check_lacks("e0", wanted, "age", "a table has one life expectancy at birth; select age 0")
    check_sexes("e0", wanted, both=False)
    check_years("e0", wanted, 0.0, 150.0)
    regressions, constants = _of_family(family, wanted, sex)
    _check_level(wanted, sex)

    def rates(e10: xr.DataArray) -> xr.DataArray:
        made: xr.DataArray = xr.apply_ufunc(
            _rates,
            e10,
            regressions,
            constants,
            input_core_dims=[[], ["group", "term"], ["constant"]],
            output_core_dims=[["age"]],
            join="exact",
            dask="parallelized",
            output_dtypes=[np.float64],
            dask_gufunc_kwargs={"output_sizes": {"age": len(_LOWER)}},
        )
        return made.assign_coords(age_coords(list(_LOWER))).rename("mx")

    def gap(e10: xr.DataArray) -> xr.DataArray:
        ratio = life_table(rates(e10))["ex"].isel(age=0, drop=True) / wanted
        return ratio.copy(data=np.log(ratio.data))

    zero = 0.0 * wanted + 0.0 * constants.isel(constant=0, drop=True)
    e10 = solved(gap, zero + _E10[0], zero + _E10[1])
    made = rates(e10)
    if made.chunks is None:
        _check_reached(life_table(made)["ex"].isel(age=0, drop=True), wanted, e10)
    made = made.transpose(..., "sex", "age", missing_dims="ignore")
    made.attrs = {"units": VARIABLES["mx"].units}
    return made


def _of_family(family: str, e0: xr.DataArray, sex: str | None) -> tuple[xr.DataArray, xr.DataArray]:
    """The regressions (sex?, group, term), and the constants by sex (sex?, constant)."""
    sexes = [FEMALE, MALE]
    regressions = xr.DataArray(
        np.array([_REGRESSIONS[family][each] for each in sexes]),
        dims=("sex", "group", "term"),
        coords={"sex": sexes},
    )
    constants = xr.DataArray(
        np.array([(_AT_105[each], *_YOUNG[each]) for each in sexes]),
        dims=("sex", "constant"),
        coords={"sex": sexes},
    )
    return of_sex(regressions, {"e0": e0}, sex), of_sex(constants, {"e0": e0}, sex)


def _check_level(e0: xr.DataArray, sex: str | None) -> None:
    """Every life expectancy is that of a level of the model."""
    if e0.chunks is not None:
        return
    males = (e0["sex"] == MALE) if sex is None else xr.DataArray(sex == MALE)
    low, high = (
        _LEVELS[FEMALE][end] + (_LEVELS[MALE][end] - _LEVELS[FEMALE][end]) * males for end in (0, 1)
    )
    odd = (e0 < low) | (e0 > high)
    if bool(odd.any()):
        named = f": {'; '.join(where(odd, odd.values))}" if odd.ndim else ""
        raise SchemaError(
            f"e0: expected 20 to 80 years for females and 18 to 76 for males, the levels of the "
            f"model, got {int(odd.sum())} other value(s), such as "
            f"{float(e0.values[odd.values][0]):g}{named}; log_quadratic goes higher"
        )


def _check_reached(reached: xr.DataArray, e0: xr.DataArray, e10: xr.DataArray) -> None:
    odd = ((abs(reached - e0) > _JUMP) | e10.isnull()) & e0.notnull()
    if bool(odd.any()):
        named = f": {'; '.join(where(odd, odd.values))}" if odd.ndim else ""
        raise SchemaError(f"e0: no life table of the model has it{named}")


def _rates(e10: _Floats, regressions: _Floats, constants: _Floats) -> _Floats:
    """Death rates (..., age) of the tables with e10."""
    a, b, c, d = np.moveaxis(regressions, -1, 0)
    years = e10[..., np.newaxis]
    straight, curved = a + b * years, 10.0 ** (c + d * years - 4.0)
    # where the line is below, the curve still falls faster than it before they have met
    before = b / (d * np.log(10.0) * curved) < 1
    q = np.where(straight > curved, (straight + curved) / 2, np.where(before, straight, curved))
    at_105, start, rise, most, start_1, fall_1, least_1 = np.moveaxis(constants, -1, 0)
    ax = np.empty_like(q)
    ax[..., 0] = np.minimum(start + rise * q[..., 0], most)
    ax[..., 1] = np.maximum(start_1 - fall_1 * q[..., 0], least_1)
    ax[..., 2:] = _LATER
    width = np.diff(_LOWER)[: q.shape[-1]]
    young = q / (width - (width - ax) * q)
    return np.concatenate([young, _oldest(q[..., -1], at_105)], axis=-1)


def _oldest(q75: _Floats, at_105: _Floats) -> _Floats:
    """Rates at 80-84, ..., 95-99, 100+ by a force of mortality that rises exponentially."""
    from scipy.special import exp1

    at_77 = q75 / (5.0 - 2.5 * q75)
    rise = (np.log((at_105 + 1.75 * q75) / at_77) / 27.5)[..., np.newaxis]
    age = np.arange(80.0, 105.0, 5.0)
    force = at_77[..., np.newaxis] * np.exp(rise * (age - 77.5))
    # e_x = exp(y) E1(y) / rise with y = force / rise
    expectation = np.exp(force / rise) * exp1(force / rise) / rise
    survival = np.exp(-force[..., :-1] / rise * np.expm1(5.0 * rise))
    lived = expectation[..., :-1] - survival * expectation[..., 1:]
    return np.concatenate([(1.0 - survival) / lived, 1.0 / expectation[..., -1:]], axis=-1)
