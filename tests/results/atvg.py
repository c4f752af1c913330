"""ATVGnet (Chen et al., CVPR 2019), measured: the steps of its page."""

import os
from collections.abc import Callable

from tests.results.atvg_beside import run_beside
from tests.results.atvg_curves import run_distances, run_losses
from tests.results.atvg_motion import run_motion
from tests.results.atvg_pictures import run_parts, run_pictures
from tests.results.atvg_sheet import run_sheet
from tests.results.atvg_speed import run_speed
from tests.results.setup import Setup, Table

Run = Callable[[Setup, int], dict[str, Table]]


def _with_workers(run: Run) -> Callable[[Setup], dict[str, Table]]:
    return lambda setup: run(setup, len(os.sched_getaffinity(0)))


ATVG: dict[str, Callable[[Setup], dict[str, Table]]] = {
    "atvg-motion": _with_workers(run_motion),
    "atvg-pictures": _with_workers(run_pictures),
    "atvg-parts": run_parts,
    "atvg-curves": _with_workers(run_distances),
    "atvg-losses": run_losses,
    "atvg-beside": _with_workers(run_beside),
    "atvg-sheet": _with_workers(run_sheet),
    "atvg-speed": run_speed,
}
"""By their names; `atvg` is all of them."""
