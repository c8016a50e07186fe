"""Fixtures that several test modules share."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples in every run: what passed here passes elsewhere.
settings.register_profile("migproj", derandomize=True, deadline=None, database=None)
settings.load_profile("migproj")

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def reference():
    """Folder of reference data: MIGPROJ_REFERENCE, or ../shared/reference beside the project."""
    folder = Path(os.environ.get("MIGPROJ_REFERENCE", ROOT / "../shared/reference"))
    if not folder.is_dir():
        pytest.skip(f"no reference data at {folder}: set MIGPROJ_REFERENCE to the folder")
    return folder
