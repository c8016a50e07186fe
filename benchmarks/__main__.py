"""``python -m benchmarks [--save FILE]``: run all cases and print the table.

Takes pytest's options.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest


def main() -> int:
    """Run the cases; the exit code is pytest's."""
    folder = str(Path(__file__).parent)
    return int(pytest.main([folder, "-q", "--benchmark-quiet", *sys.argv[1:]]))


if __name__ == "__main__":
    sys.exit(main())
