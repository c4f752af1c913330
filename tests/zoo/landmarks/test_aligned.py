"""Faces on their mean shape: what is taken out, what stays, and the directions of the rest."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest

from toolkit.errors import ToolkitError
from zoo.landmarks.aligned import (
    STEADY,
    AlignedStatistics,
    align_points,
    average_aligned,
    fit_alignment,
)


@dataclass(frozen=True)
class Clip:
    """What the statistics read."""

    points: npt.NDArray[np.float32]
    valid: npt.NDArray[np.bool_]


def draw_face(seed: int = 0) -> npt.NDArray[np.float64]:
    """Points on a rough face, the eyes level."""
    rng = np.random.default_rng(seed)
    face = rng.uniform(-1, 1, (68, 2))
    face[36:42] = rng.uniform((-0.5, -0.4), (-0.3, -0.2), (6, 2))
    face[42:48] = rng.uniform((0.3, -0.4), (0.5, -0.2), (6, 2))
    return face


def turn(points: npt.NDArray[np.float64], angle: float, scale: float) -> npt.NDArray[np.float64]:
    c, s = np.cos(angle), np.sin(angle)
    return np.asarray(scale * points @ [[c, s], [-s, c]] + [7, -3])


def test_the_mean_shape_has_a_norm_of_5_about_the_origin_and_level_eyes() -> None:
    faces = [np.stack([turn(draw_face(k), 0.1 * k, 50 + k)] * 3) for k in range(4)]
    mean = average_aligned(faces)
    assert np.linalg.norm(mean) == pytest.approx(5)
    assert mean.mean(axis=0) == pytest.approx([0, 0], abs=1e-9)
    eyes = mean[42:48].mean(axis=0) - mean[36:42].mean(axis=0)
    assert eyes[1] == pytest.approx(0, abs=1e-9)
    assert eyes[0] > 0


def test_every_clip_counts_once_in_the_mean_shape() -> None:
    a, b = draw_face(0), draw_face(1)
    short = average_aligned([np.stack([a]), np.stack([b])])
    long = average_aligned([np.stack([a] * 50), np.stack([b])])
    np.testing.assert_allclose(short, long, atol=1e-9)


def test_without_a_face_there_is_no_mean_shape() -> None:
    with pytest.raises(ToolkitError, match="no measured frame"):
        average_aligned([np.zeros((0, 68, 2))])


def test_place_size_and_turn_in_the_picture_are_taken_out() -> None:
    face = draw_face()
    mean = average_aligned([np.stack([face])])
    moved = np.stack([turn(face, angle, 30 + 90 * angle) for angle in (-0.5, 0, 0.4)])
    np.testing.assert_allclose(align_points(moved, mean), np.stack([mean] * 3), atol=1e-9)


def test_lips_and_jaw_move_no_other_point() -> None:
    """An open mouth leaves nose, eyes and brows where they are."""
    face = draw_face()
    mean = average_aligned([np.stack([face])])
    opened = face.copy()
    opened[:17, 1] += 0.3
    opened[48:, 1] += 0.5
    found = align_points(turn(opened, 0.2, 80), mean)
    rest = [*range(17, 48)]
    np.testing.assert_allclose(found[rest], mean[rest], atol=1e-9)
    assert np.linalg.norm(found[48:] - mean[48:], axis=1).min() > 0.1
    assert not {*STEADY} & {*range(17), *range(48, 68)}


def test_an_alignment_can_be_undone() -> None:
    face = turn(draw_face(1), 0.3, 120)
    mean = average_aligned([np.stack([draw_face()])])
    move = fit_alignment(face, mean)
    np.testing.assert_allclose(move.invert().apply(move.apply(face)), face, atol=1e-6)


def make_clips(count: int = 40) -> tuple[list[Clip], npt.NDArray[np.float64]]:
    """Two clips about a mean shape, moved along two directions, 3 times as far along the first."""
    mean = average_aligned([np.stack([draw_face()])])
    directions = np.linalg.qr(np.random.default_rng(2).normal(size=(136, 8)))[0].T
    spread = np.array([0.9, 0.3, 0.05, 0.04, 0.03, 0.02, 0.002, 0.001])
    rng = np.random.default_rng(3)
    clips = []
    for _ in range(2):
        rows = mean.reshape(136) + (rng.normal(size=(count, 8)) * spread) @ directions
        valid = np.ones(count, bool)
        valid[0] = False
        rows[0] += 100  # not measured
        clips.append(Clip(rows.reshape(-1, 68, 2).astype(np.float32), valid))
    return clips, mean


def test_directions_are_those_of_the_measured_frames() -> None:
    """Orthonormal, as an SVD of the rows finds them, but for their signs."""
    clips, mean = make_clips()
    found = AlignedStatistics.fit(clips, mean)
    rows = np.concatenate([clip.points[clip.valid].reshape(-1, 136) for clip in clips])
    rows = rows.astype(np.float64)
    np.testing.assert_allclose(found.mean, rows.mean(axis=0), atol=1e-6)
    expected = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)[2][:6]
    np.testing.assert_allclose(np.abs(np.sum(found.pcs * expected, axis=1)), 1, atol=1e-4)
    np.testing.assert_allclose(found.pcs @ found.pcs.T, np.eye(6), atol=1e-9)
    largest = np.abs(found.pcs).argmax(axis=1)
    assert (found.pcs[np.arange(6), largest] > 0).all()


def test_what_six_directions_hold_comes_back() -> None:
    clips, mean = make_clips()
    statistics = AlignedStatistics.fit(clips, mean)
    codes = np.random.default_rng(5).normal(size=(7, 6))
    points = statistics.decode(codes)
    assert points.shape == (7, 68, 2)
    np.testing.assert_allclose(statistics.encode(points), codes, atol=1e-9)
    again = AlignedStatistics.from_state(statistics.to_state())
    np.testing.assert_array_equal(again.decode(codes), points)


def test_statistics_of_nothing_are_refused() -> None:
    clips, mean = make_clips()
    none = [Clip(clip.points, np.zeros_like(clip.valid)) for clip in clips]
    with pytest.raises(ToolkitError, match="no measured frame"):
        AlignedStatistics.fit(none, mean)
