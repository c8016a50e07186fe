"""Net migration from census rounds, and populations and migrant stocks carried forward."""

from migproj import batch, census, datasets, ensemble, indicators, io, plot, scenarios, testing
from migproj.agequality import age_quality
from migproj.ages import age_coords, regroup_ages
from migproj.baseyears import base_population, interpolate_rounds
from migproj.birthplace import age_at_migration, lifetime_migration
from migproj.births import births_between, births_from_rates
from migproj.closing import extend_mortality
from migproj.corrections import correct_coverage, scale_mortality, transfer_ages
from migproj.dates import decimal_year, interval_years
from migproj.decomposition import (
    abridge_life_table,
    decompose_life_expectancy,
    single_year_life_table,
)
from migproj.distribution import distribute_flows, distribute_migration, regroup_schedule
from migproj.errors import (
    AlignmentError,
    DataQualityWarning,
    IntervalError,
    MigprojError,
    SchemaError,
)
from migproj.filling import fill_stocks
from migproj.fitting import fit_margins, flows_from_net
from migproj.flowaccounts import flow_components, flows_by_age
from migproj.flows import flows_from_stocks
from migproj.flowtables import regroup_flows
from migproj.graduation import graduate_ages
from migproj.intercensal import intercensal_population
from migproj.leecarter import lee_carter
from migproj.leecarterforecast import forecast_lee_carter
from migproj.lifetable import close_life_table, death_rates, life_table
from migproj.migrationmodels import model_migration_schedule
from migproj.mirror import emigrants, reconcile_reports
from migproj.modelfamilies import model_life_table
from migproj.modeltables import log_quadratic
from migproj.multiregional import project_regions
from migproj.netmigration import net_migration
from migproj.openage import redistribute_open_group
from migproj.projection import project_population, vital_events
from migproj.reconciliation import reconcile, reconcile_margins
from migproj.relational import brass_logit, fit_brass_logit
from migproj.relatives import emigrants_from_children
from migproj.residence import residence_migration, restore_arrivals
from migproj.rogerscastro import fit_rogers_castro, rogers_castro
from migproj.rounds import net_migration_rounds
from migproj.schedules import flow_difference
from migproj.smoothing import smooth_ages
from migproj.stable import leslie_matrix, stable_population
from migproj.stocks import project_stocks
from migproj.survival import census_survival_ratios, separation_factors, survival_ratios
from migproj.versions import show_versions
from migproj.vital import net_migration_vital
from migproj.world import project_world

__all__ = [
    "AlignmentError",
    "DataQualityWarning",
    "IntervalError",
    "MigprojError",
    "SchemaError",
    "abridge_life_table",
    "age_at_migration",
    "age_coords",
    "age_quality",
    "base_population",
    "batch",
    "births_between",
    "births_from_rates",
    "brass_logit",
    "census",
    "census_survival_ratios",
    "close_life_table",
    "correct_coverage",
    "datasets",
    "death_rates",
    "decimal_year",
    "decompose_life_expectancy",
    "distribute_flows",
    "distribute_migration",
    "emigrants",
    "emigrants_from_children",
    "ensemble",
    "extend_mortality",
    "fill_stocks",
    "fit_brass_logit",
    "fit_margins",
    "fit_rogers_castro",
    "flow_components",
    "flow_difference",
    "flows_by_age",
    "flows_from_net",
    "flows_from_stocks",
    "forecast_lee_carter",
    "graduate_ages",
    "indicators",
    "intercensal_population",
    "interpolate_rounds",
    "interval_years",
    "io",
    "lee_carter",
    "leslie_matrix",
    "life_table",
    "lifetime_migration",
    "log_quadratic",
    "model_life_table",
    "model_migration_schedule",
    "net_migration",
    "net_migration_rounds",
    "net_migration_vital",
    "plot",
    "project_population",
    "project_regions",
    "project_stocks",
    "project_world",
    "reconcile",
    "reconcile_margins",
    "reconcile_reports",
    "redistribute_open_group",
    "regroup_ages",
    "regroup_flows",
    "regroup_schedule",
    "residence_migration",
    "restore_arrivals",
    "rogers_castro",
    "scale_mortality",
    "scenarios",
    "separation_factors",
    "show_versions",
    "single_year_life_table",
    "smooth_ages",
    "stable_population",
    "survival_ratios",
    "testing",
    "transfer_ages",
    "vital_events",
]
