"""What is stored of the training part: against numbers put into it."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pytest
import torch

from toolkit.errors import ToolkitError
from zoo.landmarks.statistics import EYE_REGION68, LandmarkStatistics, take_eyes


@dataclass
class Clip:
    """What is read of a clip."""

    canonical: npt.NDArray[np.float32]
    valid: npt.NDArray[np.bool_]


@dataclass
class Clips:
    """Clips about a face of zeros, or another."""

    clips: list[Clip]
    canonical_neutral: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros((68, 2)))

    def __iter__(self):
        return iter(self.clips)


def make_clip(displacement):
    """A clip whose frames are all measured."""
    return Clip(np.asarray(displacement, np.float32), np.ones(len(displacement), bool))


def draw_moving(rng, n=200):
    """A chin that moves by much and eyes that move by little, in one direction each."""
    moved = np.zeros((n, 68, 2))
    moved[:, 8, 1] = rng.normal(0, 1, n)
    moved[:, 37, 1] = rng.normal(0, 0.1, n)
    return moved


def test_directions_are_those_that_move_most_first():
    found = LandmarkStatistics.fit(Clips([make_clip(draw_moving(np.random.default_rng(0)))]))
    assert found.displacement_pcs.shape == (33, 136)
    assert found.displacement_pcs[0, 2 * 8 + 1] == pytest.approx(1, abs=1e-3)
    assert found.displacement_pcs[1, 2 * 37 + 1] == pytest.approx(1, abs=1e-3)
    square = found.displacement_pcs @ found.displacement_pcs.T
    assert square == pytest.approx(np.eye(33), abs=1e-9)


def test_the_eyes_keep_as_many_directions_as_hold_99_percent():
    """Variances 0.99, 0.005, 0.005 of three points: the first alone; 0.98: two are needed."""
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(3, 2000))
    noise -= noise.mean(axis=1, keepdims=True)
    noise = np.linalg.svd(noise, full_matrices=False)[2]  # uncorrelated, of equal size
    for share, kept in ((0.992, 1), (0.98, 2)):
        rest = (1 - share) / 2
        moved = np.zeros((2000, 68, 2))
        for k, part in enumerate((share, rest * 1.5, rest * 0.5)):
            moved[:, 36 + k, 0] = np.sqrt(part) * noise[k] * 40
        found = LandmarkStatistics.fit(Clips([make_clip(moved)]))
        assert len(found.eye_pcs) == kept
        assert abs(found.eye_pcs[0, 0]) == pytest.approx(1, abs=1e-3)


def test_the_eye_region_is_twelve_points_of_eyes_and_ten_of_brows():
    points = np.arange(136.0).reshape(68, 2)
    eyes = take_eyes(points).reshape(22, 2)
    assert EYE_REGION68[:2] == (36, 37)
    assert eyes[0].tolist() == [72, 73]
    assert eyes[12].tolist() == [34, 35]
    assert take_eyes(points.reshape(1, 136)).tolist() == [take_eyes(points).tolist()]


def test_least_and_greatest_are_means_over_stretches_of_75_frames():
    """A lid goes to 0.2 in the first 75 frames, to 0.4 in the next; 10 frames are left out."""
    moved = np.zeros((160, 68, 2))
    moved[10, 37, 1], moved[100, 37, 1], moved[155, 37, 1] = 0.2, 0.4, 9
    moved[20, 37, 0] = -0.6
    found = LandmarkStatistics.fit(Clips([make_clip(moved)]))
    assert found.eye_max[3] == pytest.approx(0.3)
    assert found.eye_min[2] == pytest.approx(-0.3)
    assert found.eye_min[3] == 0


def test_filled_frames_do_not_count():
    moved = draw_moving(np.random.default_rng(2))
    alone = LandmarkStatistics.fit(Clips([make_clip(moved)]))
    clip = make_clip(np.concatenate([moved, np.full((5, 68, 2), 7.0)]))
    clip.valid[-5:] = False
    assert LandmarkStatistics.fit(Clips([clip])).displacement_mean.tolist() == (
        alone.displacement_mean.tolist()
    )


def test_no_measured_frame_is_an_error():
    with pytest.raises(ToolkitError, match="no measured frame"):
        LandmarkStatistics.fit(Clips([Clip(np.zeros((3, 68, 2), np.float32), np.zeros(3, bool))]))


def test_they_come_back_from_a_checkpoint_to_the_bit(tmp_path):
    neutral = np.random.default_rng(3).normal(size=(68, 2))
    clips = Clips([make_clip(draw_moving(np.random.default_rng(4)))], neutral)
    found = LandmarkStatistics.fit(clips)
    torch.save(found.to_state(), tmp_path / "s.pt")
    back = LandmarkStatistics.from_state(torch.load(tmp_path / "s.pt", weights_only=True))
    for name in LandmarkStatistics.__dataclass_fields__:
        assert getattr(back, name).tolist() == getattr(found, name).tolist()
