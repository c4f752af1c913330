"""Pictures and videos of a portrait, for what measures faces in them."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from toolkit.media.encode import write_video

Picture = npt.NDArray[np.uint8]
WIDTH, HEIGHT = 400, 320


def load_face() -> Picture:
    """(260, 260, 3) head and shoulders; skips the test without scikit-image."""
    pytest.importorskip("skimage")
    from skimage.data import astronaut

    return np.asarray(astronaut(), np.uint8)[0:260, 90:350]


def draw_scene(*places: tuple[int, int, int], light: float = 1.0) -> Picture:
    """(320, 400, 3) grey with the portrait at (x, y, side) each."""
    picture = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
    for x, y, side in places:
        face = cv2.resize(load_face(), (side, side), interpolation=cv2.INTER_AREA)
        picture[y : y + side, x : x + side] = np.rint(face * light).astype(np.uint8)
    return picture


def write_pictures(folder: Path, **pictures: Picture) -> Path:
    """A folder with these as PNG."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, picture in pictures.items():
        Image.fromarray(picture).save(folder / f"{name}.png")
    return folder


def write_walk(path: Path, *, num_frames: int = 30, step: int = 2) -> Path:
    """A video in which the portrait moves right, 30 frames a second, no sound."""
    places = ((20 + step * frame, 30, 240) for frame in range(num_frames))
    write_video(path, [draw_scene(place) for place in places], fps=30)
    return path
