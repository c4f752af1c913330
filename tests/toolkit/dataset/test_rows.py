"""Measured columns, by hand-computed cases."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from toolkit.clock import count_samples
from toolkit.dataset.rows import describe_clip, measure_outside_share, measure_sharpness
from toolkit.mesh import EYE_CORNERS, LIP_MIDDLES
from toolkit.schema import CLIP_COLUMNS, ClipInput, VideoInfo

FPS, NUM = 30, 150
INFO = VideoInfo(
    width=640, height=480, fps=29.97, duration=5.0, audio_start=0.0, dynamic_range="hlg"
)


@pytest.mark.parametrize(
    ("crop", "share"),
    [
        ((0, 0, 100, 100), 0.0),
        ((-50, 0, 50, 100), 0.5),
        ((-100, -100, 300, 300), 15 / 16),  # 100 · 100 of 400 · 400
        ((60, 60, 160, 160), 0.84),  # 40 · 40 of 100 · 100
        ((200, 0, 300, 100), 1.0),
    ],
)
def test_the_share_of_a_crop_outside_a_picture_of_100_px(
    crop: tuple[int, ...], share: float
) -> None:
    assert measure_outside_share(crop, (100, 100)) == pytest.approx(share)


def describe(
    landmarks: npt.NDArray[np.float32] | None = None,
    pcm: npt.NDArray[np.int16] | None = None,
    **arrays: npt.NDArray[Any],
) -> dict[str, Any]:
    """The columns of a clip of 5 s: what is not given is 0."""
    stored = {f"face/{name}": array for name, array in arrays.items()}
    clip = ClipInput(
        clip_id="c", path=Path(), fps=FPS, start_frame=0, num_frames=NUM, picture_size=(640, 480),
        intrinsics=(1, 1, 1, 1), crop=(-50, 0, 150, 200), valid=np.ones(NUM, bool),
        source_time=np.zeros(NUM), source_index=np.zeros(NUM, np.int64), source_num_frames=NUM,
        num_pictures=123, load_landmarks=lambda: np.zeros(0), load_pcm=lambda: np.zeros(0),
        read_frames=lambda: iter(()), arrays={"face/valid": np.ones(NUM, bool)} | stored,
    )  # fmt: skip
    return describe_clip(
        clip,
        landmarks=np.zeros((NUM, 478, 3), np.float32) if landmarks is None else landmarks,
        pcm=np.zeros(count_samples(0, NUM, FPS), np.int16) if pcm is None else pcm,
        sharpness=12.5,
        small=np.zeros((NUM, 64, 64), np.uint8),
        info=INFO,
    )


def test_what_is_known_of_the_source_is_passed_on() -> None:
    row = describe()
    assert (row["width"], row["height"], row["dynamic_range"]) == (640, 480, "hlg")
    assert (row["source_fps"], row["sharpness"], row["num_pictures"]) == (29.97, 12.5, 123)
    assert row["outside_share"] == pytest.approx(0.25)  # 50 of 200 columns
    assert row.keys() <= {column.name for column in CLIP_COLUMNS}


def test_a_faces_size_is_the_median_height_of_its_mesh() -> None:
    """A third of the frames each 100, 120 and 500 px high, whatever the width and the depth."""
    landmarks = np.zeros((NUM, 478, 3), np.float32)
    landmarks[:, :, 0], landmarks[:, 7, 2] = np.arange(478), 900
    landmarks[:, :, 1] = 40
    landmarks[:, 9, 1] = 40 + np.tile([100, 120, 500], 50)
    assert describe(landmarks)["face_size"] == 120


def test_the_share_of_valid_frames_is_counted() -> None:
    assert describe(valid=np.arange(NUM) < 120)["valid_share"] == pytest.approx(0.8)


@pytest.mark.parametrize(("level", "loudness"), [(16384, -6.0206), (3277, -20.0), (0, -120.0)])
def test_loudness_is_the_root_mean_square(level: int, loudness: float) -> None:
    """Of a square wave: its level over 32768, in decibels."""
    signs = np.tile([1, -1], count_samples(0, NUM, FPS) // 2)
    row = describe(pcm=(level * signs).astype(np.int16))
    assert row["loudness"] == pytest.approx(loudness, abs=1e-3)


def test_speech_is_where_a_voice_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clip's own samples are given to the detector, of which other tests are."""
    assert describe()["speech_share"] == 0
    monkeypatch.setattr(
        "toolkit.dataset.rows.measure_speech_share", lambda pcm: float((pcm == 7).mean())
    )
    pcm = np.zeros(count_samples(0, NUM, FPS), np.int16)
    pcm[: len(pcm) // 4] = 7
    assert describe(pcm=pcm)["speech_share"] == pytest.approx(0.25)


@pytest.mark.parametrize("late", [-4, 0, 3])
def test_a_mouth_that_follows_the_sound_agrees_at_its_lag(late: int) -> None:
    """The lips are as far apart as the sound is loud (dB), so many frames later."""
    loud = np.random.default_rng(1).uniform(500, 8000, NUM)
    pcm = np.repeat(loud, count_samples(0, NUM, FPS) // NUM).astype(np.int16)
    pcm = np.pad(pcm, (0, count_samples(0, NUM, FPS) - len(pcm)), "edge")
    landmarks = np.zeros((NUM, 478, 3), np.float32)
    landmarks[:, EYE_CORNERS[1], 0] = 60  # between the eyes
    landmarks[:, LIP_MIDDLES[1], 1] = np.roll(20 * np.log10(loud / 500), late)
    row = describe(landmarks, pcm)
    assert row["mouth_audio_lag"] == pytest.approx(late / FPS)
    assert row["mouth_audio_corr"] > 0.95
    still = describe(pcm=pcm)
    assert (still["mouth_audio_corr"], still["mouth_audio_lag"]) == (0, None)


def test_blinks_are_told_by_when_they_begin_and_end() -> None:
    au45 = np.zeros(NUM)
    au45[30:36] = au45[90:95] = 5
    row = describe(au45=au45)
    assert row["num_blinks"] == 2
    assert row["blink_onsets"] == pytest.approx([1.0, 3.0])
    assert row["blink_offsets"] == pytest.approx([1.2, 95 / 30])
    nothing = describe()
    assert [nothing[n] for n in ("num_blinks", "blink_onsets", "blink_offsets")] == [None] * 3


def test_pose_ranges_are_the_2nd_and_98th_percentiles_of_each_angle() -> None:
    """Of 0, 1/149, …, 1: 0.02 and 0.98."""
    pose = np.zeros((NUM, 6), np.float32)
    pose[:, 0] = np.linspace(0, 1, NUM)
    pose[:, 1] = 0.25
    pose[:, 2] = np.linspace(0, -2, NUM)
    pose[:, 3:] = 9
    row = describe(pose=pose)
    found = [row[f"{name}_{end}"] for name in ("pitch", "yaw", "roll") for end in ("min", "max")]
    assert found == pytest.approx([0.02, 0.98, 0.25, 0.25, -1.96, -0.04], abs=1e-6)
    assert describe()["yaw_max"] is None


@pytest.mark.parametrize("level", [0, 50, 200])
def test_sharpness_is_the_variance_of_the_laplacian(level: int) -> None:
    """A point of v: −4 v there and v on four sides; 20 v² over 256² pixels, whose mean is 0."""
    picture = np.zeros((256, 256, 3), np.uint8)
    picture[100, 100] = level
    assert measure_sharpness(picture) == pytest.approx(20 * level**2 / 256**2)


def test_sharpness_is_of_256_pixels_whatever_the_size() -> None:
    """Four pixels of a picture of 512 make one."""
    picture = np.zeros((512, 512, 3), np.uint8)
    picture[200:202, 200:202] = 200
    assert measure_sharpness(picture) == pytest.approx(20 * 200**2 / 256**2)
