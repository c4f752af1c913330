"""StyleHEAT (Yin et al., ECCV 2022), measured: the steps of its page."""

import os
from collections.abc import Callable

from tests.results.setup import Setup, Table
from tests.results.styleheat_figures import run_layers, run_sheet
from tests.results.styleheat_motion import run_audio, run_both, run_video
from tests.results.styleheat_pictures import run_edit, run_inversion, run_training
from tests.results.styleheat_speed import run_speed

Run = Callable[[Setup, int], dict[str, Table]]


def _with_workers(run: Run) -> Callable[[Setup], dict[str, Table]]:
    return lambda setup: run(setup, len(os.sched_getaffinity(0)))


STYLEHEAT: dict[str, Callable[[Setup], dict[str, Table]]] = {
    "styleheat-training": _with_workers(run_training),
    "styleheat-inversion": _with_workers(run_inversion),
    "styleheat-video": _with_workers(run_video),
    "styleheat-audio": _with_workers(run_audio),
    "styleheat-both": _with_workers(run_both),
    "styleheat-edit": _with_workers(run_edit),
    "styleheat-layers": _with_workers(run_layers),
    "styleheat-sheet": _with_workers(run_sheet),
    "styleheat-speed": run_speed,
}
"""By their names; `styleheat` is all of them."""
