"""Alignment by the rule of FFHQ, of faces whose eyes and mouth are known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zoo.landmarks.ffhq import align_ffhq


def make_face(mouth: float = 100.0) -> np.ndarray:
    """Eyes at (80, 60) and (120, 60), the mouth's corners at (85, mouth) and (115, mouth)."""
    points = np.zeros((68, 2))
    points[36:42], points[42:48] = (80, 60), (120, 60)
    points[48], points[54] = (85, mouth), (115, mouth)
    return points


@pytest.mark.parametrize(("mouth", "side"), [(100.0, 160.0), (120.0, 216.0)])
def test_the_square_is_as_large_as_the_rule_says(mouth: float, side: float) -> None:
    """Four times 40 px; or 3.6 times 60 px, which is more than that."""
    align = align_ffhq(make_face(mouth))
    assert align.scale == pytest.approx(1 / side)
    middle = (100, 60 + 0.1 * (mouth - 60))
    np.testing.assert_allclose(align.apply([middle]), [[0.5, 0.5]])
    np.testing.assert_allclose(align.apply([np.add(middle, side / 2)]), [[1, 1]])


@given(
    angle=st.floats(-3, 3), scale=st.floats(0.1, 10), x=st.floats(-500, 500), y=st.floats(-500, 500)
)
def test_a_face_lies_in_the_aligned_picture_however_it_is_turned_scaled_and_moved(
    angle: float, scale: float, x: float, y: float
) -> None:
    turn = scale * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    upright, moved = make_face(), make_face() @ turn + (x, y)
    found, expected = align_ffhq(moved).apply(moved), align_ffhq(upright).apply(upright)
    np.testing.assert_allclose(found[36:55], expected[36:55], atol=1e-6)


@pytest.mark.parametrize("points", [np.zeros((68, 2)), np.full((68, 2), np.nan)])
def test_no_face_is_refused(points: np.ndarray) -> None:
    with pytest.raises(ValueError, match="in one place, or are no numbers"):
        align_ffhq(points)
