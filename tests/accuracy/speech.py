"""The tables about the network behind `audio/deepspeech`."""

import functools
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.accuracy.real import ingest_talking
from tests.accuracy.speech_errors import tabulate_rates
from tests.accuracy.speech_official import compare_official
from tests.accuracy.speech_probe import (
    Result,
    draw_errors,
    probe_clips,
    tabulate_errors,
    tabulate_fits,
)
from tests.accuracy.speech_speed import measure_speed
from toolkit import weights as weights_files

Rows = Sequence[Mapping[str, Any]]


def find_speech_weights() -> Path | None:
    """The shipped weights, or the file that TTK_SPEECH_WEIGHTS names; None where there is none."""
    given = os.environ.get("TTK_SPEECH_WEIGHTS")
    path = Path(given) if given else weights_files.locate("deepspeech_small")
    return path if path.is_file() else None


def list_tables(
    folder: Path, weights: Path, out: Path, figure: Path, workers: int
) -> dict[str, Callable[[], Rows]]:
    """Name of each table -> what measures it.

    Args:
        folder: of the real data.
        weights: of the network.
        out: where the talking clips are ingested.
        figure: picture of the errors in noise, written with its table.
        workers: processes of the ingest.
    """

    @functools.cache
    def probe() -> list[Result]:
        return probe_clips(ingest_talking(folder, out, workers), folder, weights)

    def measure_noise() -> Rows:
        rows = tabulate_errors(probe())
        draw_errors(rows, figure)
        return rows

    return {
        "speech-errors": lambda: tabulate_rates(folder / "speech", weights),
        "speech-official": lambda: compare_official(folder, weights),
        "speech-probe": lambda: tabulate_fits(probe()),
        "speech-noise": measure_noise,
        "speech-speed": lambda: [measure_speed(folder, weights)],
    }
