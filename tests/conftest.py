"""Fixtures that several test modules share."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def reference():
    """Folder of reference data: MIGPROJ_REFERENCE, or ../shared/reference beside the project."""
    folder = Path(os.environ.get("MIGPROJ_REFERENCE", ROOT / "../shared/reference"))
    if not folder.is_dir():
        pytest.skip(f"no reference data at {folder}: set MIGPROJ_REFERENCE to the folder")
    return folder
