"""A picture aligned by FFHQ's rule, whatever it is: moved, turned, tiny, of two people."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.sitters import draw_scene, load_face, write_pictures
from toolkit.errors import ToolkitError
from toolkit.features.landmarks import FaceMesh
from zoo.data.aligned import align_portrait
from zoo.data.portraits import find_faces
from zoo.landmarks.align import view68
from zoo.landmarks.ffhq import align_ffhq


def write(folder: Path, picture: np.ndarray) -> Path:
    return write_pictures(folder, face=picture) / "face.png"


def turn(picture: np.ndarray, degrees: float) -> np.ndarray:
    height, width = picture.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    return cv2.warpAffine(picture, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)


@pytest.mark.parametrize("degrees", [0, 25])
def test_a_face_lies_where_the_rule_says_however_it_lay(tmp_path: Path, degrees: float) -> None:
    """Measured again in the aligned picture, its square is the picture itself."""
    found = align_portrait(write(tmp_path, turn(draw_scene((80, 30, 260)), degrees)), 256)
    assert found.picture.shape == (256, 256, 3)
    (mesh,) = find_faces(FaceMesh(), found.picture)
    again = align_ffhq(view68(mesh))
    corners = again.apply([(0, 0), (256, 0), (256, 256), (0, 256)])
    assert np.abs(corners - [(0, 0), (1, 0), (1, 1), (0, 1)]).max() < 0.03


def test_a_tiny_face_is_refused_with_its_size(tmp_path: Path) -> None:
    path = write(tmp_path, cv2.resize(load_face(), (64, 64), interpolation=cv2.INTER_AREA))
    with pytest.raises(ToolkitError, match=r"face is too small: the square around it is \d\d px"):
        align_portrait(path, 128)


def test_a_small_face_is_enlarged_with_a_warning(tmp_path: Path) -> None:
    path = write(tmp_path, draw_scene((80, 30, 130)))
    with pytest.warns(UserWarning, match=r"the face is small: .* px wide, is enlarged to 256"):
        assert align_portrait(path, 256).picture.shape == (256, 256, 3)


def test_two_faces_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, draw_scene((0, 30, 190), (200, 30, 190)))
    with pytest.raises(ToolkitError, match="several faces in its one picture"):
        align_portrait(path, 128)
