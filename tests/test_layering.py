"""A module imports only from its left in the flow; kernels know no labels."""

import ast
from pathlib import Path

import migproj

ROOT = Path(migproj.__file__).parent

# From left to right.
FLOW = [
    ["errors"],
    ["conventions", "dates"],
    ["_checks", "_jit"],
    ["_beside", "_choices", "_diagnostics", "_kernels"],
    ["_solve"],
    ["_apply"],
    ["_rogerscastro"],
    ["_draws", "_periods", "_random", "ages"],
    ["_cohorts", "_estimates", "lifetable"],
    ["corrections", "ensemble", "testing"],
    [
        "baseyears",
        "closing",
        "decomposition",
        "modeltables",
        "openage",
        "relational",
        "rogerscastro",
        "smoothing",
    ],
    ["leecarter", "modelfamilies"],
    ["leecarterforecast"],
    ["survival"],
    ["_exact", "births", "graduation"],
    ["intercensal"],
    ["_births_in"],
    ["netmigration"],
    ["birthplace", "reconciliation", "relatives", "residence", "rounds", "vital"],
    ["_steps", "schedules"],
    ["distribution"],
    ["_migration"],
    ["_components"],
    ["projection"],
    ["stable"],
    ["stocks"],
    ["multiregional"],
    ["world"],
    ["_flowchecks", "intensity"],
    ["mirror"],
    ["filling", "fitting", "flows"],
    ["ageheaping", "ageratios", "flowaccounts", "flowtables"],
    ["agequality"],
    ["streams"],
    ["indicators"],
    ["_replacement"],
    ["scenarios"],
    ["census"],
    ["io"],
    ["datasets"],
    ["migrationmodels"],
    ["plot"],
    ["batch"],
    ["versions"],
    ["example"],
    ["cli"],
    ["__main__", "__init__"],
]
PLACE = {name: place for place, names in enumerate(FLOW) for name in names}


def imports(path):
    """Modules of migproj that a file imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            parts = node.module.split(".")
            if parts[0] == "migproj":
                yield from [parts[1]] if len(parts) > 1 else [alias.name for alias in node.names]
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.startswith("migproj."):
                    yield alias.name.split(".")[1]


def module_of(path):
    relative = path.relative_to(ROOT)
    return relative.parts[0].removesuffix(".py")


def test_every_module_has_a_place():
    modules = {module_of(path) for path in ROOT.rglob("*.py")}
    assert modules == set(PLACE)


def test_modules_import_only_from_their_left():
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in ROOT.rglob("*.py")
        for name in imports(path)
        if module_of(path) != "__init__"
        and name in PLACE
        and PLACE[name] >= PLACE[module_of(path)]
        and name != module_of(path)
    ]
    assert wrong == []


def test_kernels_import_numpy_numba_and_the_compiler_alone():
    allowed = {"__future__", "math", "numpy", "numba", "migproj._jit"}
    for path in (ROOT / "_kernels").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert node.module in allowed, f"{path.name} imports {node.module}"
            elif isinstance(node, ast.Import):
                assert {alias.name for alias in node.names} <= allowed, path.name


def test_only_the_bridge_and_kernels_touch_the_compiler():
    for path in ROOT.glob("*.py"):
        if module_of(path) not in ("_apply", "_jit"):
            assert "_jit" not in set(imports(path)), path.name
