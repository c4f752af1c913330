"""Films and clips beside a judge that reads codes: which picture is compared with which sound."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from tests.numbered import H264, draw_numbers, encode, make_tone, read_number, write_wav
from tests.talkers import make_mesh, write_talkers
from toolkit.errors import SourceError
from zoo.data.talking import load_talking_clips, place_ticks
from zoo.evaluation import sync
from zoo.evaluation.sync import find_shifts, judge_video
from zoo.metrics.sync import measure_distances, measure_moved, measure_sync

Floats = npt.NDArray[np.float64]


class Reader:
    """Embeds five numbers of pictures, and of sound those at its ticks' levels."""

    name, sha256 = "reader", ""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def place(self, meshes: Floats) -> Floats:
        return np.asarray(meshes)[:, 0, [0, 1, 0, 1]]

    def embed_pictures(self, pictures: Iterator[npt.NDArray[np.uint8]], places: Floats) -> Floats:
        self.seen = [read_number(picture) for picture in pictures]
        assert len(self.seen) == len(places)
        return _cut(np.array(self.seen, float))

    def embed_sound(self, pcm: npt.NDArray[np.int16]) -> Floats:
        return _cut(pcm[: len(pcm) // 640 * 640].reshape(-1, 640).mean(axis=1))


def _cut(codes: Floats) -> Floats:
    return np.lib.stride_tricks.sliding_window_view(codes, 5)


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Reader:
    """Every picture has a face."""

    def follow(pictures: Iterator[npt.NDArray[np.uint8]], mesh: object) -> Iterator[Floats]:
        for _ in pictures:
            yield make_mesh(1)[0]

    monkeypatch.setattr(sync, "follow_landmarks", follow)
    monkeypatch.setattr(sync, "FaceMesh", object)
    return Reader()


def make_film(path: Path, num_frames: int, rate: int, seconds: float) -> Path:
    wav = write_wav(path.with_suffix(".wav"), make_tone(seconds, 16_000), 16_000)
    return encode(
        path, draw_numbers(num_frames), *H264, "-c:a", "aac", rate=rate, inputs=("-i", wav)
    )


def test_a_film_of_30_frames_a_second_is_seen_at_25(tmp_path: Path, reader: Reader) -> None:
    """Each tick shows what a player shows then: frame ⌊1.2·t⌋."""
    distances = judge_video(make_film(tmp_path / "film.mp4", 60, 30, 2.0), reader)
    assert reader.seen[:12] == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 12, 13]
    assert len(reader.seen) == 50
    assert distances.shape == (46, 31)


def test_a_film_of_15_frames_a_second_repeats_them(tmp_path: Path, reader: Reader) -> None:
    """Frame ⌊0.6·t⌋."""
    judge_video(make_film(tmp_path / "film.mp4", 30, 15, 2.0), reader)
    assert reader.seen[:8] == [0, 0, 1, 1, 2, 3, 3, 4]


def test_a_film_without_sound_is_an_error(tmp_path: Path, reader: Reader) -> None:
    """It says so."""
    film = encode(tmp_path / "film.mp4", draw_numbers(50), *H264)
    with pytest.raises(SourceError, match="no audio stream"):
        judge_video(film, reader)


def test_a_film_without_a_face_is_an_error(tmp_path: Path) -> None:
    """Numbers are none."""
    with pytest.raises(SourceError, match="no face"):
        judge_video(make_film(tmp_path / "film.mp4", 10, 25, 0.4), Reader())


@pytest.mark.parametrize(
    ("fps", "frames"), [(25, [0, 1, 2, 3, 4, 5, 6]), (30, [0, 1, 2, 4, 5, 6, 7])]
)
def test_ticks_show_the_nearest_stored_frame(fps: int, frames: list[int]) -> None:
    """At 30 a second tick t is frame 1.2·t: 0, 1.2, 2.4, 3.6, 4.8, 6, 7.2."""
    ticks = place_ticks(300, fps)
    assert ticks[:7].tolist() == frames
    assert len(ticks) == 300 * 25 // fps


class Coder(Reader):
    """Pictures are known by their clip's codes, which its sound has as levels."""

    def __init__(self, codes: Floats) -> None:
        super().__init__()
        self._codes = codes

    def embed_pictures(self, pictures: Iterator[npt.NDArray[np.uint8]], places: Floats) -> Floats:
        return _cut(self._codes[: len(places)])


def test_moved_sound_is_found_at_every_shift(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a perfect judge; late sound has a negative offset."""
    (clip, *_) = load_talking_clips(
        write_talkers(tmp_path, people=3, clips=1, num_frames=75), split=None
    )
    codes = np.random.default_rng(0).integers(-20_000, 20_000, len(clip))
    clip = replace(clip, pcm=np.repeat(codes, 640).astype(np.int16))
    report = find_shifts([clip], Coder(codes.astype(float)))
    assert (report.num_clips, report.found, report.exact) == (1, 1.0, 1.0)
    assert set(report.by_shift) == set(range(-10, 11))
    assert (report.by_identity, report.offsets) == ({clip.identity: 1.0}, {clip.identity: 0.0})
    late = measure_moved(_cut(codes.astype(float)), _cut(codes.astype(float)), 3)
    assert (late.offset, late.describe()) == (-3, "the sound is 3 frames late (120 ms)")


def test_a_recording_that_is_out_of_step_shows_its_own_offset(tmp_path: Path) -> None:
    """Sound three frames late as it is: no shift is found, each is three away."""
    clip = load_talking_clips(
        write_talkers(tmp_path, people=3, clips=1, num_frames=75), split=None
    )[0]
    codes = np.random.default_rng(0).integers(-20_000, 20_000, len(clip) + 3)
    clip = replace(clip, pcm=np.repeat(codes[:-3], 640).astype(np.int16))
    report = find_shifts([clip], Coder(codes[3:].astype(float)))
    assert report.found == 0.0
    assert report.offsets == {clip.identity: -3.0}


def test_moving_sound_is_what_a_moved_film_would_give() -> None:
    """Late sound: the film's first ticks and the sound's last ones are gone; early, the others."""
    codes = np.random.default_rng(0).normal(size=80)
    for shift, pictures, sound in ((4, codes[4:], codes[:-4]), (-4, codes[:-4], codes[4:])):
        found = measure_moved(_cut(codes), _cut(codes), shift)
        assert found == measure_sync(measure_distances(_cut(pictures), _cut(sound)))
