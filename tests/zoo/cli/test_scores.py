"""Tables of measured videos on the terminal."""

from pathlib import Path

import pytest

from zoo.cli.scores import print_systems
from zoo.evaluation.measure import Measured
from zoo.evaluation.pairing import REAL, STILL
from zoo.evaluation.systems import VideoRow
from zoo.metrics.table import METRICS


@pytest.mark.parametrize("systems", [("video",), ("ours", "blurred"), ("ours", "blurred", "third")])
def test_every_metric_of_several_systems_fits_eighty_columns(
    systems: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    values = dict.fromkeys(METRICS, 0.123456)
    rows = [
        VideoRow(
            system=system,
            video=video,
            path=Path(video),
            error="",
            measured=Measured(values=values, missing={}),
        )
        for system in (*systems, REAL, STILL)
        for video in ("1", "2")
    ]
    print_systems(rows, list(METRICS.values()))
    lines = capsys.readouterr().out.splitlines()
    assert all(any(name in line for line in lines) for name in METRICS)
    assert max(map(len, lines)) <= 80, max(lines, key=len)
    assert not [line for line in lines if line.endswith("none")]  # a metric without a unit
