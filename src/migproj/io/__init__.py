"""Readers and writers of the files that demographers bring, one module a format."""

from migproj.io.migrant_stock import read_migrant_stock_by_age, read_migrant_stock_by_origin
from migproj.io.wpp import (
    read_wpp_fertility,
    read_wpp_indicators,
    read_wpp_life_table,
    read_wpp_population,
)

__all__ = [
    "read_migrant_stock_by_age",
    "read_migrant_stock_by_origin",
    "read_wpp_fertility",
    "read_wpp_indicators",
    "read_wpp_life_table",
    "read_wpp_population",
]
