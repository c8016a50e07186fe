"""Readers and writers of the files that demographers bring, one module a format."""

from migproj.io.bayespop import write_bayespop
from migproj.io.cf import write_netcdf, write_zarr
from migproj.io.downloads import downloads, fetch
from migproj.io.eurostat import read_eurostat_stock
from migproj.io.excel import write_excel
from migproj.io.hmd import read_hmd
from migproj.io.migrant_stock import read_migrant_stock_by_age, read_migrant_stock_by_origin
from migproj.io.tidy import read_tidy, tidy, write_tidy
from migproj.io.wpp import (
    read_wpp_fertility,
    read_wpp_indicators,
    read_wpp_life_table,
    read_wpp_population,
)
from migproj.io.yearbook import read_demographic_yearbook

__all__ = [
    "downloads",
    "fetch",
    "read_demographic_yearbook",
    "read_eurostat_stock",
    "read_hmd",
    "read_migrant_stock_by_age",
    "read_migrant_stock_by_origin",
    "read_tidy",
    "read_wpp_fertility",
    "read_wpp_indicators",
    "read_wpp_life_table",
    "read_wpp_population",
    "tidy",
    "write_bayespop",
    "write_excel",
    "write_netcdf",
    "write_tidy",
    "write_zarr",
]
