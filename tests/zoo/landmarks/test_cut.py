"""Squares out of pictures: where a pixel comes to lie, how one is reduced, what is outside."""

import numpy as np

from zoo.landmarks.align import Similarity
from zoo.landmarks.cut import cut_square


def place(x: float, y: float, side: float) -> Similarity:
    """From px to a square at (x, y), upright."""
    return Similarity(np.eye(2) / side, np.array([-x, -y]) / side)


def draw(size: int = 12) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (size, size, 3), np.uint8)


def test_a_square_of_whole_pixels_is_cut_as_it_is() -> None:
    picture = draw()
    assert np.array_equal(cut_square(picture, place(3, 4, 8), 8), picture[4:12, 3:11])


def test_a_reduced_square_is_the_mean_over_its_pixels() -> None:
    picture = draw()
    blocks = picture[2:10, 2:10].reshape(4, 2, 4, 2, 3).mean(axis=(1, 3))
    assert np.abs(cut_square(picture, place(2, 2, 8), 4) - blocks).max() <= 1


def test_beyond_the_border_the_picture_is_reflected() -> None:
    picture = draw()
    found = cut_square(picture, place(-2, 0, 12), 12)
    assert np.array_equal(found[:, 2:], picture[:, :10])
    assert np.array_equal(found[:, 1], picture[:, 1])  # the border itself stands once
    assert np.array_equal(found[:, 0], picture[:, 2])


def test_a_turn_takes_the_top_to_the_right() -> None:
    """By a quarter, clockwise, about the middle."""
    picture = draw(8)
    turn = np.array([[0, 1], [-1, 0]]) / 8  # px (x, y) to (1 − y, x) of the side
    found = cut_square(picture, Similarity(turn, np.array([1.0, 0.0])), 8)
    assert np.array_equal(found, np.rot90(picture, -1))
