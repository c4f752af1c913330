"""Where faces lie in what the network sees."""

import numpy as np
import pytest

from tests.zoo.models.t_gan.people import place_points
from toolkit.errors import ToolkitError
from zoo.landmarks.aligned import STEADY, average_aligned
from zoo.models.vg_net.framing import frame_face

FACE = place_points(0.3)
MEAN = average_aligned([FACE[None]])


def turn(points: np.ndarray, angle: float, scale: float, offset: tuple[float, float]) -> np.ndarray:
    x, y = scale * np.cos(angle), scale * np.sin(angle)
    return points @ np.array([[x, y], [-y, x]]) + offset


def draw_spots(points: np.ndarray, side: int, radius: float) -> np.ndarray:
    """White discs on black about some points."""
    y, x = np.mgrid[:side, :side] + 0.5
    away = np.hypot(x[..., None] - points[:, 0], y[..., None] - points[:, 1]).min(axis=-1)
    picture = np.clip(radius - away + 0.5, 0, 1) * 255
    return np.repeat(picture[..., None], 3, axis=2).round().astype(np.uint8)


def find_spot(picture: np.ndarray) -> np.ndarray:
    """The middle of what is white, px."""
    weight = picture[..., 0].astype(float)
    y, x = np.mgrid[: len(picture), : len(picture)] + 0.5
    return np.array([(weight * x).sum(), (weight * y).sum()]) / weight.sum()


@pytest.mark.parametrize(
    ("side", "angle", "scale", "offset"),
    [(64, 0.0, 1.0, (0, 0)), (300, 0.4, 3.0, (100, 20)), (2000, -0.3, 25.0, (100, 700))],
)
def test_a_face_has_one_place_whatever_the_picture(
    side: int, angle: float, scale: float, offset: tuple[float, float]
) -> None:
    """A spot on the tip of the nose comes where the landmarks say, in a picture of any size."""
    moved = turn(FACE, angle, scale, offset)
    framing = frame_face(moved, MEAN)
    still = frame_face(FACE, MEAN)
    assert framing.place.apply(moved) == pytest.approx(still.place.apply(FACE))
    assert framing.align.apply(moved) == pytest.approx(MEAN, abs=1e-6)
    cut = framing.cut(draw_spots(moved[30:31], side, 3.0 * scale))
    assert cut.shape == (128, 128, 3)
    assert find_spot(cut) == pytest.approx(still.place.apply(FACE)[30], abs=0.1)


def test_the_middle_of_the_mean_face_is_the_pictures_and_a_quarter_is_left_on_each_side() -> None:
    """Of its box's larger side: 128 / 1.5 px."""
    placed = frame_face(FACE, MEAN).place.apply(FACE)
    low, high = placed.min(axis=0), placed.max(axis=0)
    assert (low + high) / 2 == pytest.approx([64, 64])
    assert (high - low).max() == pytest.approx(128 / 1.5)


def test_lips_jaw_and_lids_do_not_move_the_frame() -> None:
    open_mouth = FACE.copy()
    free = [k for k in range(68) if k not in STEADY]
    open_mouth[free] += np.random.default_rng(0).normal(0, 3, (len(free), 2))
    one, other = frame_face(FACE, MEAN), frame_face(open_mouth, MEAN)
    assert np.array_equal(one.place.matrix, other.place.matrix)
    assert np.array_equal(one.place.offset, other.place.offset)


def test_what_lies_outside_repeats_the_border() -> None:
    picture = np.full((64, 64, 3), (200, 10, 30), np.uint8)
    cut = frame_face(turn(FACE, 0, 1, (30, 0)), MEAN).cut(picture)
    assert (cut == (200, 10, 30)).all()


def test_landmarks_that_are_no_face_are_refused() -> None:
    with pytest.raises(ToolkitError, match="no face"):
        frame_face(np.full((68, 2), 5.0), MEAN)
    with pytest.raises(ToolkitError, match="no face"):
        frame_face(np.full((68, 2), np.nan), MEAN)
    with pytest.raises(ValueError, match=r"landmarks \(67, 2\): give \(68, 2\)"):
        frame_face(FACE[1:], MEAN)
