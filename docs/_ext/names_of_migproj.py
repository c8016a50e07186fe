"""Tables of the names in migproj.conventions, and a check that the API page leaves none out."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from types import ModuleType
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.docutils import SphinxDirective

import migproj
from migproj import conventions

logger = logging.getLogger(__name__)


class Names(SphinxDirective):
    """``{names} dims`` or ``{names} variables``: what migproj.conventions holds, as a table."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Build the table anew from the package."""
        kind = self.arguments[0]
        if kind == "dims":
            head: list[str] = ["dim", "labels"]
            rows = [[name, meaning] for name, meaning in conventions.DIMS.items()]
        elif kind == "variables":
            head = ["variable", "dims", "units", "bounds", "meaning"]
            rows = [
                [spec.name, _dims(spec), spec.units, _bounds(spec), spec.meaning]
                for spec in conventions.VARIABLES.values()
            ]
        else:
            raise self.error(f"names: expected 'dims' or 'variables', got {kind!r}")
        return [table_of(head, rows)]


def _dims(spec: conventions.VariableSpec) -> str:
    return f"({', '.join(['...', *spec.dims])})"


def _bounds(spec: conventions.VariableSpec) -> str:
    if spec.lower is None:
        return ""
    return f"≥ {spec.lower:g}" if spec.upper is None else f"{spec.lower:g} to {spec.upper:g}"


def table_of(head: list[str], rows: list[list[str]]) -> nodes.table:
    """A table; the first cell of a row is printed as a name."""
    group = nodes.tgroup("", *(nodes.colspec(colwidth=1) for _ in head), cols=len(head))
    group += nodes.thead("", _row(head, literal=False))
    group += nodes.tbody("", *(_row(row, literal=True) for row in rows))
    return nodes.table("", group)


def _row(cells: list[str], *, literal: bool) -> nodes.row:
    """A row of a table; the first cell of a body row is a name of the package."""
    texts: list[Any] = [
        nodes.literal(text=text) if literal and column == 0 else nodes.Text(text)
        for column, text in enumerate(cells)
    ]
    return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", text)) for text in texts))


def check_public_names(app: Sphinx, env: BuildEnvironment) -> None:
    """Warn of public names that no page documents."""
    documented = set(env.get_domain("py").objects)
    missing = sorted(set(_public(migproj)) - documented)
    if missing:
        logger.warning("api.md: not documented: %s", ", ".join(missing))


def _public(module: ModuleType) -> Iterable[str]:
    for name in module.__all__:
        value = getattr(module, name)
        full = f"{module.__name__}.{name}"
        if inspect.ismodule(value):
            yield from _public(value)
        else:
            yield full


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_directive("names", Names)
    app.connect("env-check-consistency", check_public_names)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
