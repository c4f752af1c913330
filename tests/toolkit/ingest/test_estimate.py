"""What a dry run says of time, disk and backends."""

import json
from pathlib import Path

import pytest

from tests.media import run_ffmpeg
from tests.runs import error_lines, run_ttk
from toolkit.errors import SetupError
from toolkit.ingest.estimate import Estimate, count_frame_bytes, estimate
from toolkit.ingest.jobs import Plan
from toolkit.ingest.options import IngestOptions
from toolkit.ingest.run import plan_ingest

LIGHT = tuple(f"--{name}=none" for name in ("pose", "au45", "deepspeech", "coefficients"))
TINY = IngestOptions(pose="none", au45="none", deepspeech="none", coefficients="none")


def test_a_frame_takes_what_was_measured() -> None:
    """Bytes at 128, 256, 512 px: 14,500, 25,830, 56,350 generated; 14,620, 27,740, 64,560 real."""
    assert count_frame_bytes(0) == 7_430
    assert 14_500 < count_frame_bytes(128) < 15_000
    assert 25_830 < count_frame_bytes(256) < 27_740
    assert 56_350 < count_frame_bytes(512) < 64_560


@pytest.fixture
def minute(tmp_path: Path, videos: Path) -> Path:
    """A video of 60 s."""
    path = tmp_path / "minute.mp4"
    source = videos / "person00" / "clip00.mp4"
    run_ffmpeg("-stream_loop", 39, "-i", source, "-t", 60, "-c", "copy", path)
    return path


def test_disk_follows_from_length_and_rate_and_time_from_the_workers(
    minute: Path, tmp_path: Path
) -> None:
    """60 s at 30 frames a second; while it runs, its own copy and a store of 2^28 bytes."""
    plan = plan_ingest([minute], TINY, tmp_path / "d")
    cost = estimate(plan, TINY, tmp_path / "d", workers=4)
    assert cost.num_bytes == pytest.approx(1800 * count_frame_bytes(256), rel=0.01)
    assert cost.temporary_bytes == pytest.approx(cost.num_bytes + 2**28, rel=0.01)
    assert cost.bytes_per_hour == 108_000 * count_frame_bytes(256)
    assert cost.seconds is not None
    assert 5 < cost.seconds < 600
    assert not (tmp_path / "d").exists()


def test_nothing_is_timed_where_nothing_opens(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_text("no video")
    plan = plan_ingest([tmp_path / "a.mp4"], TINY, tmp_path / "d")
    assert estimate(plan, TINY, tmp_path / "d", workers=1).seconds is None


def test_a_disk_is_too_small_where_the_shards_and_what_is_temporary_do_not_fit() -> None:
    sizes = {"num_bytes": 60, "temporary_bytes": 40, "bytes_per_hour": 1, "seconds": None}
    assert Estimate(free_bytes=99, **sizes).is_too_large
    assert not Estimate(free_bytes=100, **sizes).is_too_large


def test_a_dry_run_says_what_it_costs_and_the_command_that_runs_it(
    minute: Path, tmp_path: Path
) -> None:
    words = ("ingest", minute, "--out", tmp_path / "d", *LIGHT, "--frame-size", "512")
    result = run_ttk(*words, "--dry-run")
    assert result.returncode == 0, result.stderr
    assert "every backend asked for can work" in result.stdout
    assert "GB an hour with crops of 512 px)" in result.stdout
    assert "time: about 0:" in result.stdout
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("next: ")]
    assert line == "next: ttk " + " ".join(map(str, words))
    shown = json.loads(run_ttk(*words, "--dry-run", "--json").stdout)
    assert shown["estimate"]["bytes_per_hour"] == 108_000 * count_frame_bytes(512)


def test_a_dry_run_finds_a_backend_that_cannot_work(minute: Path, tmp_path: Path) -> None:
    flags = ("--deepspeech", "checkpoint", "--weights", tmp_path / "gone.pth")
    result = run_ttk("ingest", minute, "--out", tmp_path / "d", *flags, "--dry-run")
    assert result.returncode == 1
    (line,) = error_lines(result)
    assert "gone.pth" in line
    with pytest.raises(SetupError, match=r"gone\.pth"):
        options = IngestOptions(deepspeech="checkpoint", weights=tmp_path / "gone.pth")
        plan: Plan = plan_ingest([minute], options, tmp_path / "d")
        estimate(plan, options, tmp_path / "d", workers=1)
