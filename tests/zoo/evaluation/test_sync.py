"""Clips beside a judge that reads codes: which picture is compared with which sound."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.talkers import write_talkers
from zoo.data.talking import load_talking_clips, place_ticks
from zoo.evaluation.sync import find_shifts
from zoo.metrics.sync import measure_distances, measure_moved, measure_sync

Floats = npt.NDArray[np.float64]


def _cut(codes: Floats) -> Floats:
    return np.lib.stride_tricks.sliding_window_view(codes, 5)


@pytest.mark.parametrize(
    ("fps", "frames"), [(25, [0, 1, 2, 3, 4, 5, 6]), (30, [0, 1, 2, 4, 5, 6, 7])]
)
def test_ticks_show_the_nearest_stored_frame(fps: int, frames: list[int]) -> None:
    """At 30 a second tick t is frame 1.2·t: 0, 1.2, 2.4, 3.6, 4.8, 6, 7.2."""
    ticks = place_ticks(300, fps)
    assert ticks[:7].tolist() == frames
    assert len(ticks) == 300 * 25 // fps


class Coder:
    """Pictures are known by their clip's codes, which its sound has as levels."""

    name, sha256, is_published = "coder", "", False

    def __init__(self, codes: Floats) -> None:
        self._codes = codes

    def place(self, meshes: npt.ArrayLike) -> Floats:
        return np.asarray(meshes)[:, 0, [0, 1, 0, 1]]

    def embed_pictures(self, pictures: Iterator[npt.NDArray[np.uint8]], places: Floats) -> Any:
        return _cut(self._codes[: len(places)])

    def embed_sound(self, pcm: npt.NDArray[np.int16]) -> Any:
        return _cut(pcm[: len(pcm) // 640 * 640].reshape(-1, 640).mean(axis=1))


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


def test_moving_sound_is_what_a_moved_video_would_give() -> None:
    """Late sound: the video's first ticks and the sound's last ones are gone; early, the others."""
    codes = np.random.default_rng(0).normal(size=80)
    for shift, pictures, sound in ((4, codes[4:], codes[:-4]), (-4, codes[:-4], codes[4:])):
        found = measure_moved(_cut(codes), _cut(codes), shift)
        assert found == measure_sync(measure_distances(_cut(pictures), _cut(sound)))
