"""What was turned down, as a sheet: pictures from the sources, reasons, places."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from tests.datasets import FakeClip, make_source_row
from tests.toolkit.dataset.test_find import make_rejection
from toolkit.dataset.find import choose_rejected
from toolkit.dataset.manifest import write_part
from toolkit.media.encode import write_video
from toolkit.preview.draw import GREY
from toolkit.preview.rejected import read_thumbnail, render_rejected

FPS = 30
SIZE = (320, 180)
"""Of the video: its shape is that of a cell, 288 × 162."""

MIDDLE = (slice(60 + 71, 60 + 91), slice(8 + 134, 8 + 154))
"""Of the first cell's picture, on a sheet."""


def make_frames(num: int) -> list[npt.NDArray[np.uint8]]:
    """Frame t is grey of brightness 2·t."""
    return [np.full((SIZE[1], SIZE[0], 3), 2 * t, np.uint8) for t in range(num)]


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """A video of 4 s of which 1 to 3 s were turned down."""
    (tmp_path / "videos").mkdir()
    pcm = np.zeros(4 * 16000, np.int16)
    write_video(tmp_path / "videos" / "a.mp4", iter(make_frames(120)), fps=FPS, pcm=pcm)
    size = (tmp_path / "videos" / "a.mp4").stat().st_size
    row = make_source_row([FakeClip(source="videos/a.mp4")], "j") | {"size": size}
    write_part(tmp_path, "sources", "j", [row])
    write_part(
        tmp_path, "rejected", "j", [make_rejection("videos/a.mp4", 1.0, 2.0, "several_faces")]
    )
    write_part(tmp_path, "clips", "j", [])
    return tmp_path


def draw(dataset: Path) -> npt.NDArray[np.uint8]:
    render_rejected(dataset, choose_rejected(dataset), dataset / "x.png")
    with Image.open(dataset / "x.png") as picture:
        return np.asarray(picture.convert("RGB"))


def test_a_stretch_has_the_picture_of_its_middle(dataset: Path) -> None:
    """1 to 3 s: frame 60, of brightness 120."""
    np.testing.assert_allclose(draw(dataset)[MIDDLE], 120, atol=4)


@pytest.mark.parametrize(("time", "level"), [(0.0, 0), (0.5, 30), (3.9, 234), (9.0, 238)])
def test_a_thumbnail_is_what_the_source_shows_at_a_time(
    dataset: Path, time: float, level: int
) -> None:
    path = dataset / "videos" / "a.mp4"
    picture = read_thumbnail(path, time, path.stat().st_size)
    assert not isinstance(picture, str)
    assert picture.shape == (162, 288, 3)
    np.testing.assert_allclose(picture, level, atol=4)


def test_a_source_that_is_gone_changed_or_damaged_leaves_a_grey_cell(dataset: Path) -> None:
    path = dataset / "videos" / "a.mp4"
    size = path.stat().st_size
    assert read_thumbnail(path, 1, size - 1) == "the source has changed"
    path.write_bytes(bytes(size))
    assert read_thumbnail(path, 1, size) == "no picture can be read"
    path.unlink()
    assert read_thumbnail(path, 1, size) == "the source is gone"
    sheet = draw(dataset)
    assert (sheet[62:80, 10:30] == GREY).all()
