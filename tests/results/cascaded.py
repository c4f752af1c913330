"""The cascaded system of Das et al. (ECCV 2020), measured: the steps of its page."""

import os
from collections.abc import Callable

from tests.results.cascaded_alone import run_alone
from tests.results.cascaded_blinks import run_blinks
from tests.results.cascaded_curves import run_curves, run_noise
from tests.results.cascaded_faces import run_faces
from tests.results.cascaded_scores import run_scores
from tests.results.cascaded_speech import run_speech
from tests.results.cascaded_speed import run_cascaded_speed
from tests.results.cascaded_table_3 import run_table_3
from tests.results.cascaded_videos import run_videos
from tests.results.setup import Setup, Table

Run = Callable[[Setup, int], dict[str, Table]]


def _with_workers(run: Run) -> Callable[[Setup], dict[str, Table]]:
    return lambda setup: run(setup, len(os.sched_getaffinity(0)))


CASCADED: dict[str, Callable[[Setup], dict[str, Table]]] = {
    "cascaded-speech": _with_workers(run_speech),
    "cascaded-scores": run_scores,
    "cascaded-curves": run_curves,
    "cascaded-noise": run_noise,
    "cascaded-blinks": _with_workers(run_blinks),
    "cascaded-faces": _with_workers(run_faces),
    "cascaded-alone": _with_workers(run_alone),
    "cascaded-table-3": _with_workers(run_table_3),
    "cascaded-videos": _with_workers(run_videos),
    "cascaded-speed": _with_workers(run_cascaded_speed),
}
"""By their names; `cascaded` is all of them."""
