"""Videos beside a judge that reads codes: which picture is compared with which sound."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.numbered import H264, draw_numbers, encode, read_number, write_wav
from tests.talkers import make_mesh
from toolkit.errors import SourceError
from toolkit.features.landmarks import FaceMesh
from zoo.data.talking import RATE
from zoo.evaluation import tracked
from zoo.evaluation.judges import Judges
from zoo.evaluation.lips import judge_shown, judge_video
from zoo.evaluation.measure import Measured, measure_video
from zoo.evaluation.sync import Judge
from zoo.evaluation.tracked import LaidOutVideo, StillVideo, TrackedVideo, track_video
from zoo.evaluation.view import View
from zoo.metrics.sync import measure_sync
from zoo.metrics.table import METRICS, Metric

Floats = npt.NDArray[np.float64]

CODES = np.random.default_rng(0).integers(-20_000, 20_000, 128)
"""Of each number; in sound the level of a tick."""


class Reader:
    """Perfect: embeds the codes of five numbers of pictures, and of sound its ticks' levels."""

    name, sha256, is_published = "reader", "0" * 64, False

    def __init__(self) -> None:
        self.seen: list[int] = []

    def place(self, meshes: npt.ArrayLike) -> Floats:
        return np.asarray(meshes, np.float64)[:, 0, [0, 1, 0, 1]]

    def embed_pictures(self, pictures: Iterator[npt.NDArray[np.uint8]], places: Floats) -> Any:
        self.seen = [read_number(picture) for picture in pictures]
        assert len(self.seen) == len(places)
        return _cut(CODES[self.seen].astype(float))

    def embed_sound(self, pcm: npt.NDArray[np.int16]) -> Any:
        return _cut(pcm[: len(pcm) // 640 * 640].reshape(-1, 640).mean(axis=1))


def _cut(codes: Floats) -> Floats:
    return np.lib.stride_tricks.sliding_window_view(codes, 5)


def measure(shown: LaidOutVideo, metrics: list[Metric], judge: Judge) -> Measured:
    view = View(size=shown.video.size)
    return measure_video(shown, None, view, metrics, judges=Judges(sync=judge))


@pytest.fixture
def faces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every picture shows a face, of which nothing but the lips is measured."""
    track_faces = tracked.track_faces

    def track(*args: Any, spool: Path, **options: Any) -> Any:
        seen = track_faces(*args, spool=spool, **options)
        make_mesh(len(seen.times)).tofile(spool)
        return replace(seen, has_face=np.ones(len(seen.times), bool))

    monkeypatch.setattr(tracked, "track_faces", track)
    monkeypatch.setattr(LaidOutVideo, "calibrate", lambda *_: None)
    monkeypatch.setattr(LaidOutVideo, "read_arrays", lambda *_: {})


def make_video(
    folder: Path, num_frames: int, rate: int, *, late: int = 0, ticks: int = 0
) -> TrackedVideo:
    """Frame k shows the number k; tick t has the level of code t − late, of `ticks` all in all."""
    ticks = ticks or num_frames * RATE // rate
    codes = np.concatenate([CODES[-late:], CODES])[:ticks] if late else CODES[:ticks]
    wav = write_wav(folder / "sound.wav", np.repeat(codes, 640) / 32768, 16_000)
    video = encode(
        folder / "video.mkv",
        draw_numbers(num_frames), *H264, "-c:a", "pcm_s16le", rate=rate, inputs=("-i", wav),
    )  # fmt: skip
    return track(video, folder)


def track(video: Path, folder: Path) -> TrackedVideo:
    spool = folder / video.stem
    spool.mkdir()
    return track_video(video, spool, FaceMesh())


@pytest.mark.usefixtures("faces")
def test_a_video_of_30_frames_a_second_is_seen_at_25(tmp_path: Path) -> None:
    """Each tick shows what a player shows then: frame ⌊1.2·t⌋."""
    reader = Reader()
    distances = judge_video(make_video(tmp_path, 60, 30), reader)
    assert reader.seen[:12] == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 12, 13]
    assert len(reader.seen) == 50
    assert distances.shape == (46, 31)


@pytest.mark.usefixtures("faces")
def test_a_video_of_15_frames_a_second_repeats_them_until_its_end(tmp_path: Path) -> None:
    """Frame ⌊0.6·t⌋; the last one is shown as long as the others."""
    reader = Reader()
    judge_video(make_video(tmp_path, 30, 15), reader)
    assert reader.seen[:8] == [0, 0, 1, 1, 2, 3, 3, 4]
    assert reader.seen[-3:] == [28, 28, 29]
    assert len(reader.seen) == 50


@pytest.mark.usefixtures("faces")
@pytest.mark.parametrize(("late", "in_step"), [(0, True), (3, False)])
def test_a_perfect_judge_finds_by_how_much_the_sound_is_late(
    tmp_path: Path, late: int, in_step: bool
) -> None:
    """Distances are 0 there, and nowhere else."""
    score = measure_sync(judge_video(make_video(tmp_path, 60, 25, late=late), Reader()))
    assert score.offset == -late
    assert score.distance == pytest.approx(0, abs=5)  # levels, of some 10,000
    assert (score.in_place < 5) == in_step
    assert score.confidence > 5_000
    assert score.num_windows == 60 - 4 - 2 * 15


@pytest.mark.usefixtures("faces")
def test_a_stretch_of_a_video_has_its_own_pictures_and_the_sound_behind_them(
    tmp_path: Path,
) -> None:
    """From 1 s to 2.6 s: ticks 25 to 64, whose windows have sound up to tick 79."""
    reader = Reader()
    shown = LaidOutVideo(make_video(tmp_path, 90, 25, late=2), RATE)
    distances = judge_shown(shown, reader, 25, 65)
    assert reader.seen == list(range(25, 65))
    assert measure_sync(distances).offset == -2
    assert np.isfinite(distances).all(axis=1).tolist() == [False] * 15 + [True] * 21


@pytest.mark.usefixtures("faces")
def test_a_still_picture_is_as_far_from_every_sound(tmp_path: Path) -> None:
    """Window i beside sound j: the codes of ticks j to j + 4, each less that of picture 0."""
    own = LaidOutVideo(make_video(tmp_path, 50, 25), RATE)
    distances = judge_shown(StillVideo(own), Reader(), 0, 50)
    sound = np.linalg.norm(_cut(CODES[:50].astype(float)) - CODES[0], axis=1)
    assert distances.shape == (46, 31)
    np.testing.assert_allclose(distances[:, 15], sound, atol=5)
    np.testing.assert_allclose(distances[20, 10:20], sound[15:25], atol=5)


@pytest.mark.usefixtures("faces")
def test_rows_of_lip_sync_are_measured_with_all_others(tmp_path: Path) -> None:
    """By the judge that is given, over all that is measured."""
    shown = LaidOutVideo(make_video(tmp_path, 60, 25, late=4), RATE)
    judge: Judge = Reader()
    names = [name for name in METRICS if name.startswith("sync.")]
    metrics = [METRICS[name] for name in (*names, "cpbd")]
    found = measure(shown, metrics, judge)
    expected = measure_sync(judge_video(shown.video, judge))
    assert names == ["sync.offset", "sync.lse_c", "sync.lse_d", "sync.in_place"]
    assert [found.values[name] for name in names] == pytest.approx(
        [-4, expected.confidence, expected.distance, expected.in_place]
    )


@pytest.mark.usefixtures("faces")
@pytest.mark.parametrize(("num_frames", "ticks"), [(35, 60), (60, 35)])
def test_picture_and_sound_of_36_ticks_are_needed(
    tmp_path: Path, num_frames: int, ticks: int
) -> None:
    """1.44 s."""
    video = make_video(tmp_path, num_frames, 25, ticks=ticks)
    with pytest.raises(ValueError, match=r"too short: lips and sound of 1\.44 s"):
        judge_video(video, Reader())
    metric = METRICS["sync.offset"]
    shown = LaidOutVideo(video, RATE)
    found = measure(shown, [metric], Reader())
    assert found.missing["sync.offset"].startswith("the video is too short: lips and sound")


def test_a_video_without_sound_or_face_is_not_judged_and_says_why(tmp_path: Path) -> None:
    """Numbers are no faces."""
    mute = encode(tmp_path / "mute.mp4", draw_numbers(40), *H264)
    shown = LaidOutVideo(track(mute, tmp_path), RATE)
    with pytest.raises(SourceError, match="no audio stream"):
        judge_video(shown.video, Reader())
    metrics = [METRICS["sync.lse_c"], METRICS["cpbd"]]
    found = measure(shown, metrics, Reader())
    assert found.missing["sync.lse_c"].endswith("has no sound: the file has no audio stream")
    video = make_video(tmp_path, 40, 25)
    with pytest.raises(SourceError, match="no face is seen"):
        judge_video(video, Reader())
    shown = LaidOutVideo(video, RATE)
    found = measure(shown, metrics, Reader())
    assert found.missing["sync.lse_c"].startswith("the video shows no face")
