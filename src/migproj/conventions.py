"""Dimension names, sex labels and one specification for every variable."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

__all__ = ["DIMS", "FEMALE", "MALE", "VARIABLES", "VariableSpec"]

FEMALE: Final = "female"
MALE: Final = "male"

#: Meaning of the dims the library knows; every other dim simply broadcasts.
DIMS: Final[dict[str, str]] = {
    "age": "lower bounds of age groups, with the auxiliary coordinate age_width (years)",
    "mother_age": "age of mother on births, as age",
    "age_from": "age group at the start of a step, as age, which is that of arrival",
    "sex": "'female' and 'male', found by label",
    "country": "country or region of residence",
    "region": "one of the regions between which people move",
    "birthplace": "country or region of birth",
    "duration": "completed years of residence, lower bound of the group; auxiliary duration_width",
    "place": "a place as origin and as destination",
    "parameter": "a parameter of a model, by its symbol",
    "digit": "the last digit of an age",
    "origin": "where a move starts (flows and hazards only)",
    "destination": "where a move ends (flows and hazards only)",
    "time": "an instant, in decimal years",
    "period": "an interval, labelled by its start, with the auxiliary coordinate period_width",
    "round": "a census",
    "draw": "one draw of an uncertain quantity",
    "variant": "a scenario",
    "quantile": "a quantile over draws",
}


@dataclass(frozen=True, slots=True)
class VariableSpec:
    """What a variable is called, the dims it ends with, its units, bounds and meaning.

    Attributes
    ----------
    name : str
        The name in results, and of inputs.
    dims : tuple of str
        The dims that it ends with; others come before them.
    units : str
        As in ``attrs["units"]``.
    meaning : str
        In words, as in ``attrs["long_name"]``.
    lower, upper : float or None
        Bounds of sound data; None where there are none.
    """

    name: str
    dims: tuple[str, ...]
    units: str
    meaning: str
    lower: float | None = None
    upper: float | None = None


def _specs(*specs: VariableSpec) -> dict[str, VariableSpec]:
    return {spec.name: spec for spec in specs}


_AGE = ("age",)
_SEX_AGE = ("sex", "age")
_FLOW = ("origin", "destination")

VARIABLES: Final[dict[str, VariableSpec]] = _specs(
    # rounds and stocks
    VariableSpec("population", _SEX_AGE, "persons", "population at an instant", 0.0),
    VariableSpec("stock", _SEX_AGE, "persons", "people of one birthplace at an instant", 0.0),
    VariableSpec("native_born", _SEX_AGE, "persons", "population less the foreign-born stocks"),
    # what making a round of a table moved
    VariableSpec(
        "unknown_age_distributed", ("sex",), "persons", "of unknown age, given ages pro rata", 0.0
    ),
    VariableSpec(
        "unknown_sex_distributed", _AGE, "persons", "of unknown sex, given sexes pro rata", 0.0
    ),
    VariableSpec(
        "unknown_age_and_sex_distributed", (), "persons", "of neither known, given both", 0.0
    ),
    VariableSpec(
        "birthplace_distributed", _SEX_AGE, "persons", "of others, given known birthplaces", 0.0
    ),
    VariableSpec(
        "coverage_adjustment", _SEX_AGE, "persons", "corrected for coverage less enumerated"
    ),
    VariableSpec("date_adjustment", _SEX_AGE, "persons", "at the common date less at the census"),
    # life tables
    VariableSpec("mx", _AGE, "1/year", "death rate", 0.0),
    VariableSpec("ax", _AGE, "years", "years lived in the group by those who die in it", 0.0),
    VariableSpec("qx", _AGE, "1", "probability of dying in the group", 0.0, 1.0),
    VariableSpec("lx", _AGE, "persons", "survivors to the group's lower bound", 0.0),
    VariableSpec("dx", _AGE, "persons", "deaths in the group", 0.0),
    VariableSpec("Lx", _AGE, "person-years", "person-years lived in the group", 0.0),
    VariableSpec("Tx", _AGE, "person-years", "person-years lived above the lower bound", 0.0),
    VariableSpec("ex", _AGE, "years", "life expectancy at the lower bound", 0.0),
    VariableSpec("survival", _AGE, "1", "survival ratio, by the group arrived in", 0.0),
    VariableSpec("separation", _AGE, "1", "share of a group's deaths before it is left", 0.0, 1.0),
    # estimates
    VariableSpec("net_migration", _AGE, "persons per period", "net migration"),
    VariableSpec("in_migrants", _AGE, "persons per period", "people who came", 0.0),
    VariableSpec("out_migrants", _AGE, "persons per period", "people who left", 0.0),
    VariableSpec("flows", _FLOW, "persons per period", "people who moved", 0.0),
    VariableSpec("net_foreign_born", _AGE, "persons per period", "net migration of foreign-born"),
    VariableSpec("direct", _AGE, "years", "difference of life expectancy lived in the group"),
    VariableSpec("indirect", _AGE, "years", "the same lived later, and interaction"),
    VariableSpec("total", _AGE, "years", "contribution to the difference of life expectancy"),
    VariableSpec("growth", (), "1/year", "growth rate of a stable population"),
    VariableSpec("alpha", (), "1", "level of a relational logit"),
    VariableSpec("beta", (), "1", "slope of a relational logit", 0.0),
    VariableSpec("k", (), "1", "adult mortality beside that of children, log-quadratic"),
    # the Lee-Carter model (its ax, mean log rates, is not the ax of life tables)
    VariableSpec("bx", _AGE, "1", "share of the group in the change of log rates"),
    VariableSpec("kt", (), "1", "sum of log rates over ages, less their mean, Lee-Carter"),
    VariableSpec("explained", (), "1", "share of variance that a model explains", None, 1.0),
    VariableSpec("drift", (), "1/year", "mean change of kt"),
    VariableSpec("drift_error", (), "1/year", "standard error of the drift", 0.0),
    VariableSpec(
        "innovation", (), "1/year^0.5", "standard deviation of a year's change of kt", 0.0
    ),
    VariableSpec(
        "parameters", ("parameter",), "1", "of a migration schedule, each in its own unit"
    ),
    VariableSpec("fitted", _AGE, "1/year", "rates of the schedule that fits best", 0.0),
    VariableSpec("converged", (), "1", "whether a fit ended before its limit of steps"),
    VariableSpec("rmse", (), "1/year", "root mean square error of a fit", 0.0),
    VariableSpec("penalty", (), "1", "weight of roughness in a fit", 0.0),
    VariableSpec("criterion", (), "1", "AIC or BIC of a fit"),
    VariableSpec(
        "natives_abroad", _AGE, "persons", "people born in the country who live abroad", 0.0
    ),
    VariableSpec("share_abroad", _AGE, "1", "share abroad of those born in the country", 0.0, 1.0),
    VariableSpec("mean_age", (), "years", "mean age", 0.0),
    VariableSpec("net_natives_abroad", _AGE, "persons per period", "natives' net migration abroad"),
    VariableSpec("expected", _AGE, "persons", "survivors expected without migration"),
    VariableSpec(
        "net_migration_unapplied",
        _AGE,
        "persons per period",
        "net migration given less net migration applied",
    ),
    # components of change
    VariableSpec("births", ("sex",), "persons per period", "births of an interval", 0.0),
    VariableSpec("fertility", _AGE, "1/year", "births per woman-year", 0.0),
    VariableSpec("sex_ratio_at_birth", (), "1", "male births per female birth", 0.0),
    VariableSpec("migration", _SEX_AGE, "persons per period", "net migrants"),
    VariableSpec("deaths", _SEX_AGE, "persons per period", "deaths, by the group died in"),
    VariableSpec(
        "deaths_cohort", _SEX_AGE, "persons per period", "deaths, by the group arrived in"
    ),
    VariableSpec("exposure", _SEX_AGE, "person-years", "person-years lived in the group"),
    VariableSpec("migration_rate", _SEX_AGE, "1/year", "net migrants per person and year"),
    VariableSpec("migration_schedule", _SEX_AGE, "1", "shares of a total of net migrants"),
    VariableSpec("arrivals", _SEX_AGE, "persons per period", "people arriving in the stock", 0.0),
    VariableSpec("emigration", _SEX_AGE, "1/year", "hazard of leaving the country", 0.0),
    VariableSpec(
        "emigrants", _SEX_AGE, "persons per period", "people who left, by the group arrived in"
    ),
    VariableSpec(
        "moves",
        ("origin", "destination", "age"),
        "1/year",
        "hazard of moving from a region to another",
        0.0,
    ),
    # flows between countries from stocks
    VariableSpec("stayers", ("country", "birthplace"), "persons", "people who did not move", 0.0),
    VariableSpec(
        "to_outside", ("country", "birthplace"), "persons per period", "who left all places", 0.0
    ),
    VariableSpec(
        "from_outside", ("country", "birthplace"), "persons per period", "who came to them", 0.0
    ),
    VariableSpec(
        "adjustment_start", ("country", "birthplace"), "persons", "a stock as used less as given"
    ),
    VariableSpec("adjustment_end", ("country", "birthplace"), "persons", "the same at the end"),
    VariableSpec("fitted_table", (), "1", "a table with the margins wanted", 0.0),
    VariableSpec("iterations", (), "1", "rounds of a fit", 0.0),
    VariableSpec("margin_error", (), "persons", "largest error of a fitted margin", 0.0),
    VariableSpec("n_births_spread", (), "1", "countries with more births than natives"),
    # stable populations of women
    VariableSpec(
        "leslie_matrix", ("age", "age_from"), "1", "women after a step for each at its start", 0.0
    ),
    VariableSpec("intrinsic_growth_rate", (), "1/year", "intrinsic rate of natural increase"),
    VariableSpec("age_distribution", _AGE, "1", "share of the women in each age group", 0.0, 1.0),
    VariableSpec(
        "reproductive_value", _AGE, "1", "share in future births, to that of the youngest", 0.0
    ),
    VariableSpec(
        "damping_ratio", (), "1", "growth over that of the slowest deviation to fade, a step", 1.0
    ),
    VariableSpec("net_reproduction_rate", (), "1", "daughters of a newborn girl", 0.0),
    VariableSpec(
        "mean_age_of_childbearing", (), "years", "mean age of mothers in the stable population", 0.0
    ),
    # rates and indices of migration
    VariableSpec("net_migration_rate", (), "1/year", "net migration per person-year"),
    VariableSpec("destinations", _FLOW, "1", "shares of those who leave by destination", 0.0, 1.0),
    VariableSpec("turnover", (), "persons per period", "people who came and who left", 0.0),
    VariableSpec("effectiveness", (), "1", "balance as a share of arrivals and departures"),
    VariableSpec("crude_intensity", (), "1", "movers per person of the period", 0.0),
    VariableSpec("courgeau_k", (), "1", "crude intensity over ln n², of n places", 0.0),
    VariableSpec("aggregate_effectiveness", (), "1", "balances as a share of turnover", 0.0, 1.0),
    VariableSpec("net_intensity", (), "1", "people redistributed per person of the period", 0.0),
    VariableSpec("connectivity", (), "1", "share of pairs of places with a flow", 0.0, 1.0),
    VariableSpec("inequality", (), "1", "difference of flows from equal shares", 0.0, 1.0),
    VariableSpec("dissimilarity", (), "1", "difference from what totals alone give", 0.0, 1.0),
    VariableSpec("gini", (), "1", "Gini index of the flows of all pairs", 0.0, 1.0),
    VariableSpec("gini_origins", (), "1", "differences of flows that are within origins", 0.0, 1.0),
    VariableSpec(
        "gini_destinations", (), "1", "differences that are within destinations", 0.0, 1.0
    ),
    VariableSpec("weighted_gini", (), "1", "mean Gini index of the places, by movers", 0.0, 1.0),
    VariableSpec("variation", (), "1", "coefficient of variation of all pairs", 0.0),
    VariableSpec("weighted_variation", (), "1", "mean variation of the places, by movers", 0.0),
    VariableSpec("preference", _FLOW, "1", "movers over those by people alone", 0.0),
    VariableSpec("velocity", _FLOW, "1", "movers per person and share of destination", 0.0),
    VariableSpec("mean_distance", (), "km", "mean distance moved", 0.0),
    VariableSpec("median_distance", (), "km", "median distance moved", 0.0),
    VariableSpec("distance_decay", (), "1", "change of ln flow with ln distance"),
    # mirror statistics
    VariableSpec("n_destinations", (), "1", "countries that report natives of a birthplace", 0.0),
    VariableSpec("n_destinations_missing", (), "1", "countries that do not report them", 0.0),
    VariableSpec("coverage", (), "1", "share of natives abroad in countries that report", 0.0, 1.0),
    VariableSpec("n_reports", (), "1", "sides that report a cell", 0.0),
    VariableSpec("source", (), "1", "the rule by which a cell was filled, as a code"),
    VariableSpec("whipple_index", (), "1", "heaping on digits, 100 without", 0.0),
    VariableSpec("digit_shares", ("digit",), "per cent", "people by last digit of age", 0.0),
    VariableSpec("digit_index", (), "per cent", "people who would change their last digit", 0.0),
    VariableSpec("coale_li_index", (), "1", "heaping at old ages, 1 without", 0.0),
    VariableSpec("spoorenberg_index", (), "1", "total modified Whipple index", 0.0),
    VariableSpec("age_ratio_score", (), "per cent", "mean deviation of age ratios", 0.0),
    VariableSpec("sex_ratio_score", (), "men per 100 women", "mean change of sex ratios", 0.0),
    VariableSpec("age_sex_accuracy", (), "1", "UN age-sex accuracy index", 0.0),
    VariableSpec("sawtooth_index", (), "1", "groups from 0 over their neighbours", 0.0),
    VariableSpec("roughness", (), "1", "steps between groups off a smooth course", 0.0),
    VariableSpec("gross_migraproduction", (), "1", "moves of a lifetime without deaths", 0.0),
    VariableSpec("peak_age", (), "years", "age of the largest rate, from 15 to 64"),
    VariableSpec("peak_rate", (), "1/year", "the largest rate, from 15 to 64", 0.0),
    VariableSpec("rise_age", (), "years", "age of the largest rise up to the peak"),
    VariableSpec("rise", (), "1/year^2", "the largest rise of the rate up to the peak", 0.0),
    VariableSpec("fall_age", (), "years", "age of the largest fall after the peak"),
    VariableSpec("fall", (), "1/year^2", "the largest fall of the rate after the peak", 0.0),
    VariableSpec("asymmetry", (), "1", "largest rise over largest fall", 0.0),
    VariableSpec("peak_share", (), "1", "share of all moves within years of the peak", 0.0, 1.0),
    # migration schedules: fits to counts, and shapes
    VariableSpec("deviance", (), "1", "Poisson deviance of a fit", 0.0),
    VariableSpec("peak_breadth", (), "1", "moves within years of the peak", 0.0),
    VariableSpec("peaking", (), "years", "mu2 of a migration schedule"),
    VariableSpec("labour_peak_age", (), "years", "age at which the labour force moves most"),
    VariableSpec("child_dependency", (), "1", "level of children over that of the labour force"),
    VariableSpec("labour_dependency", (), "1", "level of the labour force over that of children"),
    VariableSpec("labour_asymmetry", (), "1", "slope of rise over slope of fall, labour force"),
    VariableSpec("regularity", (), "1", "slope of children over that of the labour force's fall"),
    VariableSpec("retirement_asymmetry", (), "1", "slope of rise over slope of fall, retirement"),
    # tables of census records
    VariableSpec("unknown_age", ("sex",), "persons", "people whose age is not known", 0.0),
    VariableSpec("standard_error", _SEX_AGE, "persons", "of a count of a sample", 0.0),
    VariableSpec("women", _AGE, "persons", "women", 0.0),
    VariableSpec(
        "women_unknown_parity", _AGE, "persons", "women whose children ever born are not known", 0.0
    ),
    VariableSpec(
        "women_unknown_survival", _AGE, "persons", "mothers whose children alive are not known", 0.0
    ),
    VariableSpec("children_born", _AGE, "persons", "children ever born to the women", 0.0),
    VariableSpec("mean_children_born", _AGE, "1", "children ever born per woman", 0.0),
    VariableSpec("children_dead", _AGE, "persons", "children of the women who have died", 0.0),
    VariableSpec("proportion_dead", _AGE, "1", "share of children ever born who died", 0.0, 1.0),
    VariableSpec("n_records", _SEX_AGE, "1", "records behind a figure", 0.0),
    # diagnostics: counts of cells, one for each row of the batch
    VariableSpec("n_qx_above_one", (), "1", "groups with qx > 1, closed by a constant hazard"),
    VariableSpec("n_mx_zero", (), "1", "groups with mx = 0"),
    VariableSpec("n_mx_high", (), "1", "groups with mx above 2 a year"),
    VariableSpec("n_survival_above_one", (), "1", "groups with a survival ratio above 1"),
    VariableSpec("n_survival_low", (), "1", "groups divided by a survival ratio below 0.3"),
    VariableSpec(
        "n_negative",
        (),
        "1",
        "cells with a negative population, or with negative survivors expected",
    ),
    VariableSpec("n_missing", (), "1", "cells that could not be filled"),
    VariableSpec("n_totals_unmet", (), "1", "totals that cells could not be brought to"),
    VariableSpec("n_sign_changes", (), "1", "figures that changed sign when they were adjusted"),
    VariableSpec("n_births_missing", (), "1", "child groups without births"),
    VariableSpec("n_no_births", (), "1", "1 where no daughters are born, or none grow up"),
    VariableSpec(
        "n_no_stable_ages", (), "1", "1 where the open-ended group outlasts the growth of the rest"
    ),
)
