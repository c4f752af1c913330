"""Pictures of every kind that people have come out as upright RGB of 8 bits."""

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from toolkit.errors import ToolkitError
from zoo.data.picture_files import is_picture, list_pictures, read_picture


def draw() -> npt.NDArray[np.uint8]:
    """(24, 32, 3): red above, green below on the left, blue below on the right."""
    picture = np.zeros((24, 32, 3), np.uint8)
    picture[:12] = (200, 0, 0)
    picture[12:, :16] = (0, 200, 0)
    picture[12:, 16:] = (0, 0, 200)
    return picture


@pytest.mark.parametrize("ending", [".png", ".jpg", ".webp", ".bmp", ".tif", ".ppm"])
def test_formats_give_the_same_picture(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"ann{ending}"
    Image.fromarray(draw()).save(path, **({"quality": 100} if ending in (".jpg", ".webp") else {}))
    found = read_picture(path)
    assert found.dtype == np.uint8
    flat = np.s_[[4, 20, 20], [16, 4, 28]]  # away from edges, where chroma is shared
    assert np.abs(found[flat].astype(int) - draw()[flat]).max() <= 8


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_turned_photograph_stands_upright(tmp_path: Path, orientation: int) -> None:
    """EXIF 6: the camera was turned right, so the stored picture must be turned right, and so on;
    `np.rot90` turns left.
    """
    stored = np.rot90(draw(), {1: 0, 3: 2, 6: 1, 8: 3}[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(stored).save(tmp_path / "ann.png", exif=exif)
    assert np.array_equal(read_picture(tmp_path / "ann.png"), draw())


def test_grey_becomes_rgb(tmp_path: Path) -> None:
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    Image.fromarray(grey).save(tmp_path / "ann.png")
    assert np.array_equal(read_picture(tmp_path / "ann.png"), np.repeat(grey[..., None], 3, 2))


def test_grey_of_16_bits_keeps_its_shades(tmp_path: Path) -> None:
    """Pillow's own conversion cuts all but the darkest shades off."""
    levels = (np.arange(256, dtype=np.uint16) * 257).reshape(16, 16)
    cv2.imwrite(str(tmp_path / "ann.png"), levels)
    found = read_picture(tmp_path / "ann.png")
    assert np.array_equal(found[..., 0].ravel(), np.arange(256))


@pytest.mark.parametrize("ending", [".png", ".tiff"])
def test_colours_of_16_bits_are_reduced(tmp_path: Path, ending: str) -> None:
    cv2.imwrite(str(tmp_path / f"ann{ending}"), draw()[..., ::-1].astype(np.uint16) * 257)
    assert np.array_equal(read_picture(tmp_path / f"ann{ending}"), draw())


def test_what_is_transparent_shows_white(tmp_path: Path) -> None:
    """Half of 255 and half of 0 are 127 or 128; a palette may have it, too."""
    layers = np.dstack([draw(), np.full((24, 32), 255, np.uint8)])
    layers[:12, :, :3], layers[:12, :, 3] = 0, 128
    layers[12:, :16, 3] = 0
    Image.fromarray(layers).save(tmp_path / "ann.png")
    found = read_picture(tmp_path / "ann.png")
    assert abs(int(found[0, 0, 0]) - 127) <= 1
    assert found[20, 4].tolist() == [255, 255, 255]
    assert found[20, 28].tolist() == [0, 0, 200]
    palette = Image.fromarray(draw()).quantize(8)
    palette.info["transparency"] = palette.getpixel((0, 0))
    palette.save(tmp_path / "bob.png")
    assert read_picture(tmp_path / "bob.png")[0, 0].tolist() == [255, 255, 255]


def test_what_is_no_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "ann.jpg").write_text("a letter")
    (tmp_path / "bob.png").write_bytes(b"")
    for name in ("ann.jpg", "bob.png"):
        with pytest.raises(ToolkitError, match=f"{name}: no picture that can be read"):
            read_picture(tmp_path / name)


def test_a_picture_of_too_many_pixels_is_named_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of twice as many as Pillow would warn of; here 24 × 32 are."""
    Image.fromarray(draw()).save(tmp_path / "ann.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 383)
    assert is_picture(tmp_path / "ann.png")
    with pytest.raises(ToolkitError, match=r"ann.png: too large a picture: reduce it"):
        read_picture(tmp_path / "ann.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 384)
    assert np.array_equal(read_picture(tmp_path / "ann.png"), draw())


def test_a_cut_file_is_no_picture(tmp_path: Path) -> None:
    Image.fromarray(draw()).save(tmp_path / "whole.jpg")
    data = (tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(data[: len(data) // 3])
    with pytest.raises(ToolkitError, match=r"cut.jpg: no picture that can be read"):
        read_picture(tmp_path / "cut.jpg")


def test_a_folders_pictures_stand_in_order_without_anything_else(tmp_path: Path) -> None:
    for name in ("b.JPG", "a.png", "notes.txt", ".hidden.png", "c.webp"):
        (tmp_path / name).touch()
    (tmp_path / "folder.png").mkdir()
    assert [path.name for path in list_pictures(tmp_path)] == ["a.png", "b.JPG", "c.webp"]


def test_a_gif_that_moves_is_a_video_and_one_that_does_not_a_picture(tmp_path: Path) -> None:
    still, other = Image.fromarray(draw()), Image.fromarray(255 - draw())
    still.save(tmp_path / "still.gif")
    still.save(tmp_path / "moves.gif", save_all=True, append_images=[other])
    assert is_picture(tmp_path / "still.gif")
    assert not is_picture(tmp_path / "moves.gif")
    assert read_picture(tmp_path / "still.gif").shape == (*draw().shape[:2], 3)
