"""Reasons for turning something down."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.toolkit.ingest.test_clips import make_track
from toolkit.dataset.writer import Rejection
from toolkit.errors import SourceError, ToolkitError
from toolkit.ingest.rejected import (
    Stretch,
    check_source,
    explain_failure,
    judge_faces,
    merge_scraps,
    reject_missing,
    reject_silence,
    reject_stuck,
)
from toolkit.ingest.timeline import lay_out
from toolkit.schema import Reason, Source, VideoInfo


@pytest.mark.parametrize(
    "error",
    [MemoryError(), OSError(28, "No space left"), ToolkitError("x"),
     RuntimeError("[enforce fail at alloc_cpu.cpp:118] DefaultCPUAllocator: can't allocate memory"),
     RuntimeError("OpenCV(4.11) error: (-4:Insufficient memory) Failed to allocate 9 bytes")],
)  # fmt: skip
def test_what_is_not_the_videos_fault_becomes_no_row(error: Exception) -> None:
    with pytest.raises((MemoryError, OSError, ToolkitError)):
        explain_failure(error, "a.mp4")


def test_a_duplicate_and_a_source_that_kills_workers_are_turned_down() -> None:
    source = Source(path="a", size=1, mtime_ns=2, sha256="3", identity="ann", duration=1.0)
    check_source(source, None)
    for crash, other, reason in (("killed", None, "failed"), (None, "b.mp4", "duplicate")):
        with pytest.raises(SourceError) as caught:
            check_source(replace(source, duplicate_of=other), crash)
        assert caught.value.reason == reason


@pytest.mark.parametrize(("claimed", "missing"), [(None, []), (9.4, []), (12.0, [3.0])])
def test_what_a_file_claims_beyond_its_end_is_missing(
    claimed: float | None, missing: list[float]
) -> None:
    info = VideoInfo(width=8, height=8, fps=30, duration=claimed, audio_start=0)
    found = list(reject_missing(info, 9.0))
    assert [(r.start, r.duration, r.reason) for r in found] == [
        (9.0, seconds, Reason.UNREADABLE) for seconds in missing
    ]


def test_the_least_height_is_that_of_the_part_of_the_source_in_which_the_face_is() -> None:
    """1920 x 1080, whose least is 1080 / 14 = 77 px, then 640 x 360, whose least is 48 px."""
    seen = make_track("." * 60)
    seen.sizes[:30], seen.sizes[30:] = (1920, 1080), (640, 360)
    seen.too_small[10], seen.too_small[40] = 70, 45
    info = VideoInfo(width=1920, height=1080, fps=30, duration=None, audio_start=None)
    parts = (Stretch(0, 30, Reason.NO_FACE, "-"), Stretch(30, 30, Reason.NO_FACE, "-"))
    assert [s.message for s in judge_faces(parts, seen, lay_out(seen, 30), info)] == [
        "the face is about 70 px high, the least is 77 px",
        "the face is about 45 px high, the least is 48 px",
    ]


def test_pictures_at_one_time_are_a_row_as_long_as_they_would_be() -> None:
    """At 30 a second: 30 pictures, 60 more at the time of the last, one that follows."""
    times = [*(k / 30 for k in range(30)), *[29 / 30] * 60, 1.0]
    (row,) = reject_stuck(make_track("f" * 91, times=times))
    assert (row.start, row.reason) == (pytest.approx(29 / 30), Reason.UNREADABLE)
    assert row.duration == pytest.approx(2.0)
    assert row.message.startswith("61 pictures stand at one time")
    assert not list(reject_stuck(make_track("f" * 90)))


def test_scraps_that_follow_one_another_are_one_row_with_the_reason_of_the_longest() -> None:
    seven = [
        Rejection(2.0 + 0.1 * k, 0.1, reason, message)
        for k, (reason, message) in enumerate(
            3 * [(Reason.NO_FACE, "no face"), (Reason.TOO_SHORT, "short")]
        )
    ]
    last = Rejection(2.6, 0.15, Reason.TOO_SHORT, "short")
    (row,) = merge_scraps([last, *seven])
    assert (row.start, row.reason) == (2.0, Reason.TOO_SHORT)
    assert row.duration == pytest.approx(0.75)
    assert row.message == "7 scraps under 0.2 s: no face; short"


def test_long_stretches_and_scraps_by_themselves_stay_as_they_are() -> None:
    rows = [
        Rejection(0.0, 0.1, Reason.NO_AUDIO, "a"),
        Rejection(5.0, 0.1, Reason.TOO_SHORT, "b"),
        Rejection(5.1, 0.2, Reason.NO_FACE, "c"),
        Rejection(5.3, 0.1, Reason.TOO_SHORT, "d"),
        Rejection(5.4, 4.0, Reason.STILL, "e"),
    ]
    assert merge_scraps(reversed(rows)) == rows
    assert merge_scraps([]) == []


def test_stretches_that_are_silent_are_turned_down_each_for_itself(tmp_path: Path) -> None:
    """Frame 30 of 30 a second begins with sample 16000: there alone is sound, of −50 dBFS."""
    pcm = np.zeros(48_000, np.int16)
    pcm[16_000] = 104  # 104 / 32768: −49.97 dBFS
    pcm[32_000] = 30  # −60.8 dBFS, silent
    pcm.tofile(tmp_path / "sound.s16")
    dark = Stretch(60, 30, Reason.NO_FACE, "no face")
    given = [Stretch(0, 30), Stretch(30, 30), dark, Stretch(60, 30), Stretch(0, 90)]
    found = list(reject_silence(given, tmp_path / "sound.s16", 30))
    assert [stretch.reason for stretch in found] == [
        Reason.SILENT, None, Reason.NO_FACE, Reason.SILENT, None,
    ]  # fmt: skip
    assert [(s.start, s.num) for s in found] == [(s.start, s.num) for s in given]
