"""Frames of a film of 128 × 128 px from a sound file and a picture, on one core, by CPU time."""

from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.test_facial_training import report
from tests.results.atvg_speed import CASES, LEAST, time_cases


@pytest.mark.timeout(1800)
def test_small_networks_speak_faster_than_real_time(benchmark: Any, tmp_path: Path) -> None:
    """All but the interpreter's start and its imports: ffmpeg and its start count."""
    small = [case for case in CASES if case[0] == "small"]
    rows = list[dict[str, Any]]()
    benchmark.pedantic(lambda: rows.extend(time_cases(tmp_path, small)), rounds=1)
    report(benchmark, "ATVGnet", rows)
    assert rows[0]["frames a second of one core"] >= LEAST
