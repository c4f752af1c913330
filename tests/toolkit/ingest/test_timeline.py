"""What clock frames show: holes, stills and stale repeats, on tracks made by hand."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tests.numbered import (
    H264,
    encode_at,
    find_real,
    read_all,
    read_numbers,
    run_ffmpeg,
)
from toolkit.clock import show_frames
from toolkit.errors import SourceError
from toolkit.ingest.clips import cut_clips
from toolkit.ingest.shots import ShotDetector
from toolkit.ingest.timeline import lay_out
from toolkit.ingest.track import Track
from toolkit.media.video import check_span

Times = npt.NDArray[np.float64]


def make_track(times: Sequence[float] | Times, copies: Sequence[int] = (), by: float = 0) -> Track:
    """A face in every picture; those numbered in `copies` differ by so many levels at most."""
    count = len(times)
    changes = np.full(count, 50, np.float32)
    changes[0] = np.inf
    changes[list(copies)] = by
    return Track(
        times=np.asarray(times, np.float64),
        has_face=np.ones(count, bool),
        boxes=np.tile(np.array([100, 50, 200, 150], np.float32), (count, 1)),
        second_height=np.zeros(count, np.float32),
        starts=np.zeros(count, bool),
        changes=changes,
        too_small=np.zeros(count, np.float32),
        turns=np.full(count, -1, np.int8),
        sizes=np.tile(np.array([640, 480], np.int32), (count, 1)),
        damaged=np.zeros(count, bool),
        spool=Path("unused"),
    )


def cut(track: Track, fps: int = 30, min_frames: int = 1) -> list[tuple[int, int, str]]:
    """(start, length, reason or "clip") of each stretch."""
    stretches = cut_clips(
        track, fps=fps, audio_span=(0, 10**9), min_frames=min_frames, max_frames=10**6
    )
    return [(s.start, s.num, str(s.reason or "clip")) for s in stretches]


def find_stale(times: Sequence[float] | Times, fps: int = 30, **copies: object) -> list[int]:
    track = make_track(times, **copies)  # type: ignore[arg-type]
    return np.flatnonzero(lay_out(track, fps).stale).tolist()


def steady(rate: float, seconds: float = 4) -> Times:
    return np.arange(round(rate * seconds)) / rate


# --- holes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("fps", [25, 30])
def test_a_hole_of_five_frames_is_bridged_but_not_valid(fps: int) -> None:
    times = np.delete(steady(fps), range(20, 25))
    assert cut(make_track(times), fps) == [(0, 4 * fps, "clip")]
    assert find_stale(times, fps) == [20, 21, 22, 23, 24]


@pytest.mark.parametrize("fps", [25, 30])
def test_a_hole_of_six_frames_ends_the_clip(fps: int) -> None:
    times = np.delete(steady(fps), range(20, 26))
    assert cut(make_track(times), fps) == [
        (0, 20, "clip"), (20, 6, "still"), (26, 4 * fps - 26, "clip")
    ]  # fmt: skip


def test_three_seconds_without_pictures_are_no_clip() -> None:
    times = np.delete(steady(30, 6), range(60, 150))
    assert cut(make_track(times)) == [(0, 60, "clip"), (60, 90, "still"), (150, 30, "clip")]


@pytest.mark.parametrize("rate", [5, 6, 10, 12.5, 15])
def test_a_low_rate_is_the_source_s_own(rate: float) -> None:
    times = steady(rate)
    assert cut(make_track(times)) == [(0, 120, "clip")]
    assert find_stale(times) == []


@pytest.mark.parametrize("rate", [0.2, 1, 2, 4])
def test_under_five_pictures_a_second_nothing_is_a_clip(rate: float) -> None:
    assert cut(make_track(steady(rate, 20))) == [(0, 600, "still")]


def test_slides_are_one_stretch_though_each_is_another_shot() -> None:
    track = make_track(steady(1, 20))
    track.starts[:] = True
    assert cut(track) == [(0, 600, "still")]


def test_a_cut_behind_a_hole_parts_what_follows() -> None:
    track = make_track(np.delete(steady(30), range(20, 30)))
    track.starts[20] = True
    assert cut(track) == [(0, 20, "clip"), (20, 10, "still"), (30, 90, "clip")]


def test_a_hole_that_shows_no_face_is_told_by_its_face() -> None:
    track = make_track(np.delete(steady(30), range(20, 30)))
    track.has_face[19] = False
    assert cut(track) == [(0, 19, "clip"), (19, 11, "no_face"), (30, 90, "clip")]


def test_a_hole_does_not_lower_the_source_s_rate() -> None:
    """Three seconds without pictures in six: 30 a second all the same; slides have one a second."""
    assert make_track(np.delete(steady(30, 6), range(60, 150))).mean_fps == pytest.approx(30)
    assert make_track(steady(1, 20)).mean_fps == pytest.approx(1)
    assert make_track([0.0]).mean_fps == 0


# --- times that are wrong -----------------------------------------------------------------------

JOINED = np.append(steady(25), [*[3.96] * 300, *(3.96 + np.arange(1, 101) / 25)])
"""Four seconds, twelve at one instant, and four that go on."""


def test_frames_at_one_time_change_no_rate_and_are_not_stale() -> None:
    """25 a second; the clock of 30 repeats every sixth picture, which is not stale."""
    track = make_track(JOINED)
    assert track.mean_fps == pytest.approx(25)
    assert track.frame_seconds == pytest.approx(0.04)
    assert find_stale(JOINED) == []
    assert make_track([0.0, 0.04, 0.04, 0.08, 0.12]).mean_fps == pytest.approx(25)
    assert make_track([0.0] * 20).mean_fps == 0


def test_a_clip_ends_where_frames_stand_at_one_time() -> None:
    """The last of those at 3.96 s is the first of the second clip."""
    assert cut(make_track(JOINED), 25) == [(0, 99, "clip"), (99, 101, "clip")]


@pytest.mark.parametrize("far", [1e6, 1e8, 1e300])
@pytest.mark.parametrize("place", [0, 60, 119])
def test_a_wrong_time_stamp_makes_a_source_unreadable_and_no_array(far: float, place: int) -> None:
    """The times after a wrong one are the same, as they never run backwards."""
    times = steady(30)
    times[place:] = far
    with pytest.raises(SourceError, match="a wrong time stamp") as caught:
        cut(make_track(times))
    assert caught.value.reason == "unreadable"


def test_two_pictures_a_day_apart_are_taken_as_they_stand_and_no_more() -> None:
    check_span(np.array([0.0, 86_400.0]))
    with pytest.raises(SourceError, match="stands at 24 h"):
        check_span(np.array([0.0, 86_401.0]))


def test_long_recordings_with_pauses_are_taken_as_they_stand() -> None:
    """A picture a second for three hours, 23 h of nothing, and that again: a fifth is filled."""
    hours = np.arange(3 * 3600.0)
    check_span(np.append(hours, 26 * 3600 + hours))


# --- repeats that are too short to be holes -----------------------------------------------------


def test_a_missing_picture_makes_its_frame_stale() -> None:
    assert find_stale(np.delete(steady(30), [20, 50, 51])) == [20, 50, 51]
    assert find_stale(np.delete(steady(25), [20]), fps=25) == [20]


@pytest.mark.parametrize("rate", [5, 10, 12, 15, 20, 23.976, 24, 25, 29.97, 30, 50, 59.94, 60])
@pytest.mark.parametrize("digits", [3, 9])
def test_what_a_steady_rate_repeats_is_not_stale(rate: float, digits: int) -> None:
    for phase in np.linspace(0, 0.04, 5):
        times = np.round(steady(rate, 40) + phase, digits)
        assert find_stale(times) == []
        assert find_stale(times, fps=25) == []


def test_pictures_that_alternate_in_length_are_not_stale() -> None:
    times = np.cumsum(np.tile([1 / 30, 2 / 30], 40))
    assert find_stale(times) == []


def test_at_25_a_second_on_a_clock_of_30_the_frame_too_many_is_stale() -> None:
    """Picture 20, of 0.8 s, is gone: 19 stays from 0.76 to 0.84 s, frames 23 to 25 show it."""
    times = np.delete(steady(25), [20])
    assert show_frames(steady(25), 22, 27, 30).tolist() == [18, 19, 20, 20, 21]
    assert show_frames(times, 22, 27, 30).tolist() == [18, 19, 19, 19, 20]
    assert find_stale(times) == [24, 25]


def test_jitter_makes_nothing_stale() -> None:
    rng = np.random.default_rng(0)
    times = (np.arange(300) + rng.uniform(-0.3, 0.3, 300)) / 30
    assert find_stale(times) == []


# --- copies -------------------------------------------------------------------------------------


def test_a_still_at_30_a_second_is_one_picture() -> None:
    track = make_track(steady(30), range(1, 120), by=2)
    assert cut(track) == [(0, 120, "still")]
    assert set(lay_out(track, 30).pictures.tolist()) == {0}


def test_the_pulse_of_key_frames_does_not_revive_a_still() -> None:
    copies = [k for k in range(1, 120) if k % 12]
    assert cut(make_track(steady(30), copies, by=3)) == [(0, 120, "still")]


def test_copies_are_pictures_only_once() -> None:
    """25 a second brought to 30 by showing every fifth picture twice: 100 pictures in 4 s."""
    copies = range(5, 120, 6)
    track = make_track(steady(30), copies)
    assert cut(track) == [(0, 120, "clip")]
    assert len(set(lay_out(track, 30).pictures.tolist())) == 100
    assert find_stale(steady(30), copies=copies) == []


def test_a_few_copies_on_end_are_stale_and_many_end_the_clip() -> None:
    assert find_stale(steady(30), copies=[50, 51, 52], by=3) == [50, 51, 52]
    assert find_stale(steady(30), copies=[117, 118, 119], by=3) == [117, 118, 119]
    track = make_track(steady(30), range(50, 56), by=3)
    assert cut(track) == [(0, 50, "clip"), (50, 6, "still"), (56, 64, "clip")]


def test_one_copy_alone_is_not_stale() -> None:
    """It may be a quiet moment."""
    assert find_stale(steady(30), copies=[50, 60, 70], by=4) == []


def test_the_detector_of_shots_measures_the_largest_change() -> None:
    detector = ShotDetector()
    picture = np.full((64, 96, 3), 100, np.uint8)
    other = picture.copy()
    other[10, 20, 1] = 93
    for shown in (picture, picture, other):
        detector.is_cut(shown)
        detector.add_face(np.full((478, 3), np.nan, np.float32))
    assert detector.finish().largest.tolist() == [np.inf, 0, 7]


# --- files --------------------------------------------------------------------------------------


def test_no_numbered_picture_is_lost_as_ffmpeg_loses_none(tmp_path: Path) -> None:
    """Times that jitter by up to 15 ms around a clock of 25."""
    rng = np.random.default_rng(3)
    times_ms = (40 * np.arange(60) + rng.integers(-15, 16, 60)).tolist()
    times_ms[0] = 0
    path = encode_at(tmp_path / "jitter.mp4", times_ms)
    again = tmp_path / "again.mkv"
    run_ffmpeg("-i", path, "-vf", "fps=25", *H264, again)
    assert read_numbers(again)[:59] == list(range(59))
    assert show_frames(np.array(times_ms) / 1000, 0, 60, 25).tolist() == list(range(60))


REAL = "OpenTalker_video-retalking/examples/face/4.mp4", "deerajnagothu_face2face-demo/obama.mp4"


def track_changes(path: Path) -> Track:
    """A track of what the detector of shots sees of a file; a face in every picture."""
    detector = ShotDetector()
    _, times, pictures = read_all(path)
    for picture in pictures:
        detector.is_cut(picture)
        detector.add_face(np.full((478, 3), np.nan, np.float32))
    return replace(make_track(times), changes=detector.finish().largest)


@pytest.mark.real
@pytest.mark.parametrize("name", REAL)
def test_a_real_head_whose_times_jitter_shows_every_picture_and_is_no_still(
    name: str, tmp_path: Path
) -> None:
    path = find_real(name)
    late = "trim=end_frame=197,setpts='(N/30+0.001*mod(N,2))/TB'"
    again = tmp_path / "late.mkv"
    run_ffmpeg("-i", path, "-an", "-vf", late, "-fps_mode", "passthrough", *H264, again)
    timeline = lay_out(track_changes(again), 30)
    assert timeline.shown[:197].tolist() == list(range(197))
    assert not timeline.still.any()


@pytest.mark.real
@pytest.mark.parametrize("codec", ["libx264", "mpeg4", "libx265"])
def test_a_still_of_a_real_head_is_no_clip(codec: str, tmp_path: Path) -> None:
    path = find_real(REAL[0])
    still = tmp_path / "still.mkv"
    hold = "loop=119:1,trim=end_frame=120,setpts=N/30/TB"
    run_ffmpeg("-i", path, "-an", "-vf", hold, "-c:v", codec, "-pix_fmt", "yuv420p", still)
    assert cut(track_changes(still), min_frames=75) == [(0, 120, "still")]
