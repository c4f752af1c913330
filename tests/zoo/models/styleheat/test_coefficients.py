"""Coefficients of frames whose movement is known, and their windows."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.zoo.models.styleheat.talkers import NUM_FRAMES, place_points, write_talkers
from toolkit.errors import ShardError, ToolkitError
from zoo.landmarks.ffhq import align_ffhq
from zoo.models.styleheat.batches import DrivenWindows
from zoo.models.styleheat.clips import load_driven_clips
from zoo.models.styleheat.coefficients import (
    CROP,
    EXPRESSION,
    POSE,
    Reference,
    choose_reference,
    keep_expression,
    make_coefficients,
    place_windows,
)


def test_coefficients_are_in_order_and_relative_to_the_reference() -> None:
    """A face that is a tenth larger, 0.2 of the side to the right and 0.1 up."""
    still = align_ffhq(place_points(0, 0)).apply(place_points(0, 0))
    middle = still[[*range(27, 36), 36, 39, 42, 45]].mean(axis=0)
    moved = middle + 1.1 * (still - middle) + (0.2, -0.1)
    pose = np.array([[0.1, 0.2, 0.3, 11, 22, 633.0]])
    expression = np.arange(64.0)[None]
    reference = Reference(np.full(64, 3.0), [0.1, 0.1, 0.5, 10, 20, 630], still)
    (row,) = make_coefficients(expression, pose, moved[None], reference)
    np.testing.assert_allclose(row[EXPRESSION], np.arange(-3, 61))
    np.testing.assert_allclose(row[POSE], (0, 0.1, -0.2, 1, 2, 3), atol=1e-7)
    np.testing.assert_allclose(row[CROP], (1.1, 0.2, 0.1), rtol=1e-5)


@given(angle=st.floats(-3, 3), scale=st.floats(0.2, 5), x=st.floats(-99, 99))
@settings(max_examples=20, deadline=None)
def test_another_camera_gives_the_same_place_of_the_face(
    angle: float, scale: float, x: float
) -> None:
    points = np.stack([place_points(0.2, away) for away in (0, 1.5)])
    turn = scale * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    rows = []
    for seen in (points, points @ turn + x):
        placed = align_ffhq(seen[0]).apply(seen)
        rows.append(
            make_coefficients(
                np.zeros((2, 64)), np.zeros((2, 6)), placed, Reference([0] * 64, [0] * 6, placed[0])
            )
        )
    np.testing.assert_allclose(rows[0][:, CROP], rows[1][:, CROP], atol=1e-5)
    np.testing.assert_allclose(rows[0][0, CROP], (1, 0, 0), atol=1e-6)


def test_windows_repeat_the_first_and_the_last_frame() -> None:
    places = place_windows([0, 20, 39], 40)
    assert places.shape == (3, 27)
    assert places[0].tolist() == [0] * 13 + list(range(14))
    assert places[1].tolist() == list(range(7, 34))
    assert places[2].tolist() == list(range(26, 40)) + [39] * 13


def test_the_references_expression_leaves_pose_and_place() -> None:
    windows = np.random.default_rng(0).normal(size=(2, 27, 73)).astype(np.float32)
    found = keep_expression(windows)
    assert (found[..., EXPRESSION] == 0).all()
    np.testing.assert_array_equal(found[..., 64:], windows[..., 64:])


def test_the_reference_is_the_frame_that_looks_most_as_the_source() -> None:
    frames = np.stack([place_points(opening, 3.0) * 2 for opening in (0.9, 0.4, 0.1)])
    source = place_points(0.35, 0.0)
    assert choose_reference(frames, align_ffhq(source).apply(source)) == 1


# --- clips and windows of them ------------------------------------------------------------------


def test_windows_lie_in_measured_stretches_with_a_source_of_the_same_clip(tmp_path: Path) -> None:
    clips = load_driven_clips(write_talkers(tmp_path), num_frames=5, split="train")
    assert [clip.stretches for clip in clips] == [((0, 9), (10, NUM_FRAMES))] * 2
    known: dict[str, Any] = {"num_frames": 5, "size": 64, "judge": None, "seed": 0}
    windows = DrivenWindows(clips, 30, epoch=0, **known)
    for number, first, source in windows.drawn:
        assert any(a <= first and first + 5 <= b for a, b in clips[number].stretches)
        assert source in clips[number].measured
    assert DrivenWindows(clips, 30, epoch=0, **known).drawn == windows.drawn
    assert DrivenWindows(clips, 30, epoch=1, **known).drawn != windows.drawn
    batch = windows.gather(np.array([0, 1, 2]))
    assert batch.source.shape == (3, 3, 64, 64)
    assert batch.target.shape == (3, 5, 3, 64, 64)
    assert batch.motion.shape == batch.posed.shape == (3, 5, 27, 73)
    assert batch.mel.shape == (3, 5, 32, 80)
    number, first, source = windows.drawn[0]
    opening = clips[number].expression[:, 0]
    np.testing.assert_allclose(
        batch.motion[0, :, 13, 0], opening[first : first + 5] - opening[source], rtol=1e-5
    )
    assert (batch.posed[0, :, :, 0] == 0).all()


def test_the_source_itself_is_described_by_no_movement(tmp_path: Path) -> None:
    (clip, _) = load_driven_clips(write_talkers(tmp_path), num_frames=5, split="train")
    row = clip.describe(4, [4])[0, 13]
    np.testing.assert_allclose(row, [0] * 70 + [1, 0, 0], atol=1e-6)


def test_shards_of_25_and_30_frames_a_second_give_the_same_ticks(tmp_path: Path) -> None:
    (clip, _) = load_driven_clips(write_talkers(tmp_path, fps=30), num_frames=2, split="train")
    assert len(clip.pose) == NUM_FRAMES * 25 // 30
    np.testing.assert_array_equal(clip.shown[:6], [0, 1, 2, 4, 5, 6])


def test_shards_without_pictures_or_long_stretches_are_refused(tmp_path: Path) -> None:
    bare = write_talkers(tmp_path / "bare", frame_size=0)
    with pytest.raises(ShardError, match="has no frames: run ttk ingest with --frame-size 256"):
        load_driven_clips(bare, num_frames=2, split="train")
    whole = write_talkers(tmp_path / "whole")
    with pytest.raises(ToolkitError, match="no clip of train has 15 measured frames in a row"):
        load_driven_clips(whole, num_frames=15, split="train")
