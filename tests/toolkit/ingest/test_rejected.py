"""Reasons for turning something down."""

from dataclasses import replace

import pytest

from toolkit.errors import SourceError, ToolkitError
from toolkit.ingest.rejected import check_source, explain_failure, reject_missing
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
