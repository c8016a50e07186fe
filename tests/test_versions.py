"""The versions that are printed are those that are installed."""

import io
import re
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import migproj as mp
from migproj import versions


def test_versions_are_printed_one_a_line(monkeypatch):
    monkeypatch.setattr(versions, "_PACKAGES", ("numpy", "no-such-package"))
    out = io.StringIO()
    mp.show_versions(out)
    rows = dict(line.split(maxsplit=1) for line in out.getvalue().splitlines())
    assert rows["python"] == ".".join(map(str, sys.version_info[:3]))
    assert rows["numpy"] == version("numpy")
    assert rows["no-such-package"] == "not installed"
    assert rows["platform"]


def test_all_that_is_used_is_named(capsys):
    mp.show_versions()
    names = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert names[:2] == ["python", "platform"]
    about = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    extras = about["optional-dependencies"]
    used = [*about["dependencies"], *(x for e in ("cli", "plot", "io", "batch") for x in extras[e])]
    assert {"migproj", *(re.split(r"[\[>]", name)[0] for name in used)} <= set(names)
