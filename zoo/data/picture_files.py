"""Pictures in files, as people have them: any format that Pillow or OpenCV reads; their size.

Legend: h, w height and width of a picture.
"""

import contextlib
import warnings
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from toolkit.errors import ToolkitError

Picture = npt.NDArray[np.uint8]

_DEEP = 257
"""65,535 levels over 255."""

_MOVING = ("GIF",)
"""Formats of Pillow that are videos here, where they hold more than one picture."""


def list_pictures(folder: Path) -> list[Path]:
    """Files of a folder whose names end as pictures' do, by name; not those of folders in it."""
    endings = Image.registered_extensions()
    return sorted(
        path
        for path in folder.iterdir()
        if path.is_file() and path.suffix.lower() in endings and not path.name.startswith(".")
    )


def is_picture(path: Path) -> bool:
    """Whether a file holds one picture and no video."""
    try:
        with _open(path) as image:
            return image.format not in _MOVING or not getattr(image, "is_animated", False)
    except Image.DecompressionBombError:
        return True  # which `read_picture` refuses
    except (OSError, ValueError):
        return path.suffix.lower() in (".tif", ".tiff", ".exr", ".hdr")


def read_picture(path: Path) -> Picture:
    """(h, w, 3) uint8 RGB, upright as its EXIF says.

    Grey becomes RGB, 16 bits become 8, what is transparent shows white.

    Raises:
        ToolkitError: the file holds no picture that can be read, or one of more than 179 million
            px.
    """
    try:
        with _open(path) as image:
            upright = ImageOps.exif_transpose(image)
            if upright.mode.startswith("I"):
                return _reduce_depth(np.asarray(upright))
            if upright.mode == "F":
                raise ToolkitError(f"{path}: a picture of floating point numbers: save it as PNG")
            if upright.has_transparency_data:
                upright = upright.convert("RGBA")
                white = Image.new("RGBA", upright.size, "white")
                upright = Image.alpha_composite(white, upright)
            return np.array(upright.convert("RGB"), np.uint8)
    except Image.DecompressionBombError as error:
        raise ToolkitError(f"{path}: too large a picture: reduce it: {error}") from error
    except (OSError, ValueError, SyntaxError) as error:
        return _read_by_opencv(path, error)


def resize_square(picture: Picture, size: int) -> Picture:
    """A square picture (h, h, 3) at another side; reduced by means over pixels."""
    if len(picture) == size:
        return picture
    how = cv2.INTER_AREA if len(picture) > size else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, (size, size), interpolation=how), np.uint8)


@contextlib.contextmanager
def _open(path: Path) -> Iterator[Image.Image]:
    """A picture of up to 179 million px, twice what Pillow would warn of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with Image.open(path) as image:
            yield image


def _reduce_depth(levels: npt.NDArray[np.generic]) -> Picture:
    """Grey of 16 bits (h, w), or colours (h, w, 3), as (h, w, 3) of 8."""
    values = np.rint(np.asarray(levels, np.float64).clip(0, 65_535) / _DEEP).astype(np.uint8)
    return np.array(values if values.ndim == 3 else np.repeat(values[..., None], 3, axis=2))


def _read_by_opencv(path: Path, error: Exception) -> Picture:
    """What Pillow does not read: TIFF with colours of 16 bits, among others."""
    data = np.fromfile(path, np.uint8) if path.is_file() else np.empty(0, np.uint8)
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH
    try:
        found = cv2.imdecode(data, flags) if data.size else None
    except cv2.error:
        found = None
    if found is None or found.dtype not in (np.uint8, np.uint16):
        raise ToolkitError(f"{path}: no picture that can be read: {error}") from error
    colors = np.asarray(found)[..., ::-1]
    return _reduce_depth(colors) if found.dtype == np.uint16 else np.array(colors, np.uint8)
