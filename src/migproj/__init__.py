"""Net migration from census rounds, and populations and migrant stocks carried forward."""

from migproj import datasets, ensemble, indicators, scenarios, testing
from migproj.ages import age_coords, regroup_ages
from migproj.births import births_from_rates
from migproj.corrections import correct_coverage, scale_mortality, transfer_ages
from migproj.dates import decimal_year, interval_years
from migproj.errors import (
    AlignmentError,
    DataQualityWarning,
    IntervalError,
    MigprojError,
    SchemaError,
)
from migproj.lifetable import life_table
from migproj.multiregional import project_regions
from migproj.netmigration import net_migration, net_migration_vital
from migproj.projection import project_population, vital_events
from migproj.schedules import flow_difference
from migproj.stable import leslie_matrix, stable_population
from migproj.stocks import project_stocks
from migproj.survival import census_survival_ratios, separation_factors, survival_ratios

__all__ = [
    "AlignmentError",
    "DataQualityWarning",
    "IntervalError",
    "MigprojError",
    "SchemaError",
    "age_coords",
    "births_from_rates",
    "census_survival_ratios",
    "correct_coverage",
    "datasets",
    "decimal_year",
    "ensemble",
    "flow_difference",
    "indicators",
    "interval_years",
    "leslie_matrix",
    "life_table",
    "net_migration",
    "net_migration_vital",
    "project_population",
    "project_regions",
    "project_stocks",
    "regroup_ages",
    "scale_mortality",
    "scenarios",
    "separation_factors",
    "stable_population",
    "survival_ratios",
    "testing",
    "transfer_ages",
    "vital_events",
]
