"""The public names, what importing costs, and what docstrings must hold."""

import ast
import inspect
import json
import subprocess
import sys
from pathlib import Path

import migproj as mp
from migproj import conventions

LAZY = ["matplotlib", "dask", "duckdb", "scipy", "numba", "click", "rich", "h5netcdf"]
LAZY += ["openpyxl", "pooch", "pyarrow.parquet", "zarr", "pydantic", "distributed", "psutil"]


def test_import_loads_nothing_heavy_and_compiles_nothing():
    code = (
        "import json, sys, migproj; print(json.dumps([m for m in "
        f"{LAZY!r} + ['migproj._jit', 'migproj._kernels'] if m in sys.modules]))"
    )
    loaded = json.loads(
        subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    )
    assert loaded == []


def test_all_is_sorted_and_complete():
    assert list(mp.__all__) == sorted(mp.__all__)
    public = {
        name
        for name, value in vars(mp).items()
        if not name.startswith("_") and not inspect.ismodule(value)
    }
    assert public <= set(mp.__all__)
    assert all(hasattr(mp, name) for name in mp.__all__)


def test_contract_names():
    names = [
        "life_table",
        "survival_ratios",
        "census_survival_ratios",
        "net_migration",
        "net_migration_vital",
        "births_from_rates",
        "project_population",
        "project_stocks",
    ]
    assert set(names) <= set(mp.__all__)
    assert callable(mp.datasets.load)
    assert callable(mp.datasets.names)


def test_a_variable_is_specified_once():
    tree = ast.parse(Path(inspect.getfile(conventions)).read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    specs = [c.args[0].value for c in calls if getattr(c.func, "id", "") == "VariableSpec"]
    assert sorted(specs) == sorted(conventions.VARIABLES)


def test_public_functions_are_documented():
    for name in mp.__all__:
        value = getattr(mp, name)
        if not inspect.isfunction(value):
            continue
        doc = inspect.getdoc(value) or ""
        for section in ("Parameters", "Returns", "Raises", "Examples"):
            assert f"{section}\n{'-' * len(section)}" in doc, f"{name} lacks {section}"
        for parameter in inspect.signature(value).parameters:
            assert parameter in doc, f"{name} does not describe {parameter}"


def test_readers_and_writers_are_documented():
    for name in mp.io.__all__:
        value = getattr(mp.io, name)
        doc = inspect.getdoc(value) or ""
        assert "Examples\n--------" in doc, name
        for parameter in inspect.signature(value).parameters:
            assert parameter in doc, f"{name} does not describe {parameter}"
    assert list(mp.io.__all__) == sorted(mp.io.__all__)


def test_errors_are_what_callers_catch():
    import xarray as xr

    for error in (mp.SchemaError, mp.AlignmentError, mp.IntervalError):
        assert issubclass(error, mp.MigprojError)
        assert issubclass(error, ValueError)
    assert issubclass(mp.AlignmentError, xr.AlignmentError)
    assert issubclass(mp.DataQualityWarning, UserWarning)
