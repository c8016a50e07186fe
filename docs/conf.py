"""Sphinx: python -m sphinx -W -b html docs docs/_build/html (no network needed)."""

import sys
from importlib.metadata import version as installed
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "migproj"
author = "The migproj developers"
copyright = author
release = version = installed("migproj")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "matplotlib.sphinxext.plot_directive",
    "names_of_migproj",
    "errors_of_estimators",
    "agreement_table",
]
exclude_patterns = ["_build"]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
autodoc_typehints = "none"  # the docstrings say more: dims and units
numpydoc_show_class_members = False
nitpicky = True  # a function that a page names is there
nitpick_ignore_regex = [("py:obj", r"migproj\..*"), ("py:class", r"scipy\..*")]
html_theme = "furo"
html_title = f"migproj {release}"
# pictures.md: drawn at each build, a journal's column wide
plot_include_source = True
plot_html_show_source_link = plot_html_show_formats = False
plot_formats = [("png", 180)]
plot_rcparams = {"figure.figsize": (3.4, 3.0), "font.size": 8}
plot_apply_rcparams = True
