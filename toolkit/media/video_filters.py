"""The filters that make a picture upright, square, cropped and scaled: ffmpeg's, as a graph."""

from typing import Any

from toolkit.schema import VideoInfo

Crop = tuple[int, int, int, int]

_EXACT = "area+accurate_rnd+full_chroma_int"
"""How stored crops are scaled: `area` alone rounds chroma down, two levels of red and blue."""


def fit_picture(node: Any, info: VideoInfo, size: tuple[int, int], crop: Crop | None) -> Any:
    """Square pixels, then the crop, then the size; `area` averages where it shrinks."""
    if crop is None:
        return node.filter("scale", *size, flags="area").filter("setsar", 1)
    node = node.filter("scale", info.width, info.height, flags="area").filter("setsar", 1)
    is_even = not any(value % 2 for value in (*crop, *_find_margins(info, crop)))
    return cut_crop(node.filter("format", "yuv420p" if is_even else "rgb24"), info, size, crop)


def cut_crop(
    node: Any, info: VideoInfo, size: tuple[int, int], crop: Crop, origin: tuple[int, int] = (0, 0)
) -> Any:
    """The crop of a source's picture, of which the node gives the part that begins at `origin`."""
    x0, y0, x1, y1 = crop
    left, top, right, bottom = _find_margins(info, crop)
    x, y = x0 + left - origin[0], y0 + top - origin[1]
    node = node.filter("crop", x1 - x0 - left - right, y1 - y0 - top - bottom, x, y, exact=1)
    if left or top or right or bottom:
        node = _smear(node, x1 - x0, y1 - y0, left, top, right, bottom)
    return node.filter("scale", *size, flags=_EXACT)


def _find_margins(info: VideoInfo, crop: Crop) -> Crop:
    """How far the crop leaves the picture on the left, top, right and bottom, px."""
    x0, y0, x1, y1 = crop
    return max(0, -x0), max(0, -y0), max(0, x1 - info.width), max(0, y1 - info.height)


def _smear(node: Any, width: int, height: int, left: int, top: int, right: int, bottom: int) -> Any:
    """Replicate the border by so many pixels, to a picture of the given size.

    As wide on both sides and then cut, because fillborders refuses over half the picture.
    """
    x, y = max(left, right), max(top, bottom)
    node = node.filter("pad", width - left - right + 2 * x, height - top - bottom + 2 * y, x, y)
    node = node.filter("fillborders", left=x, right=x, top=y, bottom=y, mode="smear")
    return node.filter("crop", width, height, x - left, y - top, exact=1)
