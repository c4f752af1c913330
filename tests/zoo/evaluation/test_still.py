"""Where nothing moves in a clip, by cases whose answer is plain."""

import numpy as np
import pytest

from zoo.evaluation import still
from zoo.evaluation.still import choose_looks, find_background, find_still_skin

SIZE = 64


def make_mesh(x0: float, x1: float) -> np.ndarray:
    """A mesh (478, 3) whose outline is a rectangle from x0 to x1, 10 to 50 px down."""
    corners = [[x0, 10, 0], [x1, 10, 0], [x1, 50, 0], [x0, 50, 0]]
    return np.resize(np.array(corners, float), (478, 3))


def test_still_skin_is_the_stillest_quarter_of_what_is_always_face() -> None:
    """The face is at 12 to 51, then at 12 to 31: 20 columns, the 5 on the left do not change."""
    rng = np.random.default_rng(0)
    pictures = [np.full((SIZE, SIZE, 3), 100, np.uint8) for _ in range(4)]
    for picture in pictures:
        picture[:, 17:] += rng.integers(0, 100, (SIZE, SIZE - 17, 1), np.uint8)
    meshes = np.stack([make_mesh(12, 51), make_mesh(12, 31), make_mesh(12, 51), make_mesh(12, 51)])
    found = find_still_skin(pictures, meshes)
    assert found.sum() == 5 * 41
    assert found[10:51, 12:17].all()


def test_frames_without_a_face_are_not_looked_at_and_none_at_all_has_no_skin() -> None:
    pictures = [np.zeros((SIZE, SIZE, 3), np.uint8)] * 3
    meshes = np.stack([make_mesh(10, 20), np.full((478, 3), np.nan), make_mesh(10, 20)])
    assert find_still_skin(pictures, meshes).sum() == 11 * 41
    assert not find_still_skin(pictures, np.full((3, 478, 3), np.nan)).any()
    with pytest.raises(ValueError, match="two pictures"):
        find_still_skin(pictures[:1], meshes[:1])


def test_the_background_is_what_no_person_comes_near(monkeypatch: pytest.MonkeyPatch) -> None:
    """A person at 10 to 19, then at 30 to 39 of 64: 12 px from those is 52 and beyond."""

    def see(picture: np.ndarray) -> np.ndarray:
        matte = np.zeros((SIZE, SIZE), np.float32)
        first = int(picture[0, 0, 0])
        matte[:, first : first + 10] = 1
        return matte

    monkeypatch.setattr(still, "measure_matte", see)
    found = find_background([np.full((SIZE, SIZE, 3), k, np.uint8) for k in (10, 30)])
    assert np.flatnonzero(found.all(axis=0)).tolist() == list(range(52, 64))
    assert not found[:, :52].any()


def test_at_most_ten_frames_are_looked_at() -> None:
    assert choose_looks(3) == [0, 1, 2]
    assert choose_looks(100) == list(range(0, 100, 11))
    assert choose_looks(0) == []
