"""The toolkit's and the zoo's tests, in the same folders as what they test."""

import os
from pathlib import Path

ROOT = Path(__file__).parents[1]
"""Of the project."""

REAL_DATA = Path(os.environ.get("TTK_REAL_DATA") or ROOT.parent / "shared" / "data")
"""Folder of real videos; tests that use it skip where it is missing."""
