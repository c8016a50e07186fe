"""A process of its own, for what it takes of memory."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes


def peak() -> int:
    """The most bytes that this process held at once."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT


def fresh(module: str, *arguments: str) -> dict[str, Any]:
    """What a module prints, run in a fresh process: one line of JSON."""
    # Linux counts what the parent held as the child's own peak. A shell between the two holds
    # little, and the line after the command keeps it from becoming the command itself.
    done = subprocess.run(
        ["sh", "-c", '"$@"\nexit $?', "sh", sys.executable, "-m", module, *arguments],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
