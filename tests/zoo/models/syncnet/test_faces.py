"""Where the judge looks, and what is cut out there."""

import numpy as np
import pytest

from tests.talkers import make_mesh
from toolkit.errors import ToolkitError
from toolkit.mesh import LIP_MIDDLES, NUM_LANDMARKS
from zoo.models.syncnet.faces import cut_square, place_squares, smooth_places


def test_square_of_the_mouth_hangs_below_the_nose() -> None:
    """Eyes 50 px apart, the nose at (32, 26): 20 px below it, 55 px wide."""
    np.testing.assert_allclose(place_squares(make_mesh(1), "mouth"), [[32, 46, 55, 0]], atol=1e-5)


def test_square_of_the_mouth_turns_with_the_head() -> None:
    """A quarter turn clockwise: what was below the nose is at its left."""
    mesh = make_mesh(1)
    turned = np.stack([-mesh[..., 1], mesh[..., 0], mesh[..., 2]], axis=-1)
    (place,) = place_squares(turned, "mouth")
    np.testing.assert_allclose(place, [-26 - 20, 32, 55, np.pi / 2], atol=1e-5)


def test_lips_do_not_move_the_square_of_the_mouth() -> None:
    """It depends on the eyes and the nose."""
    mesh = make_mesh(2)
    mesh[1, list(LIP_MIDDLES)] += 9
    first, second = place_squares(mesh, "mouth")
    np.testing.assert_array_equal(first, second)


def test_square_of_the_face_is_the_published_crop() -> None:
    """A face in (10, 20) to (50, 100) has a half side of 40 around (30, 60).

    1.4 times 40 to each side, 40 up, 1.8 times 40 down.
    """
    mesh = np.full((1, NUM_LANDMARKS, 3), 30.0)
    mesh[0, 0, :2], mesh[0, 1, :2] = (10, 20), (50, 100)
    ((x, y, side, angle),) = place_squares(mesh, "face")
    assert (x - side / 2, x + side / 2) == pytest.approx((30 - 56, 30 + 56))
    assert (y - side / 2, y + side / 2) == pytest.approx((60 - 40, 60 + 72))
    assert angle == 0


def test_unknown_places_are_guessed_between_their_neighbours() -> None:
    """Then averaged over five frames: a straight line stays one but at its ends."""
    places = np.arange(9.0)[:, None] * np.ones(4)
    places[3:5] = np.nan
    np.testing.assert_allclose(smooth_places(places)[2:7, 0], [2, 3, 4, 5, 6])
    np.testing.assert_allclose(smooth_places(places)[0], 0.6)  # (0 + 0 + 0 + 1 + 2) / 5


def test_a_film_without_a_face_is_an_error() -> None:
    """Nothing is guessed from nothing."""
    with pytest.raises(ToolkitError, match="no face"):
        smooth_places(np.full((3, 4), np.nan))


PICTURE = np.arange(64, dtype=np.uint8).reshape(8, 8)


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ((4, 4, 4, 0), PICTURE[2:6, 2:6]),
        ((4, 4, -4, 0), PICTURE[2:6, 5:1:-1]),
        ((4, 4, 4, np.pi / 2), np.rot90(PICTURE[2:6, 2:6])),
        ((0, 4, 4, 0), PICTURE[2:6, [0, 0, 0, 1]]),
        ((4, 4, 8, 0), PICTURE.reshape(4, 2, 4, 2).mean(axis=(1, 3)).round()),
    ],
    ids=["plain", "mirrored", "turned", "border repeated", "averaged"],
)
def test_squares_are_cut_by_their_place(
    place: tuple[float, ...], expected: np.ndarray[tuple[int, int], np.dtype[np.uint8]]
) -> None:
    """Pixel for pixel where nothing is between pixels."""
    found = cut_square(PICTURE, place, 4)
    np.testing.assert_allclose(found.astype(float), expected, atol=1)
    if "." not in str(place) and place[2] != 8:
        np.testing.assert_array_equal(found, expected)
