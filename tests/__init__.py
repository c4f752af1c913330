"""The toolkit's and the zoo's tests, in the same folders as what they test."""

import os
from pathlib import Path

if "PYTEST_XDIST_WORKER" in os.environ:
    # As many processes as cores: threads would only get in one another's way, and spin while they
    # wait. Here, because OpenBLAS reads it when numpy is first imported, which a conftest does.
    os.environ.setdefault("OMP_NUM_THREADS", "1")

ROOT = Path(__file__).parents[1]
"""Of the project."""

REAL_DATA = Path(os.environ.get("TTK_REAL_DATA") or ROOT.parent / "shared" / "data")
"""Folder of real videos; tests that use it skip where it is missing."""
