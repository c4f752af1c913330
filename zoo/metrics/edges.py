"""How well a drawn head sits in its picture: the ring around it, and lines where no edge should be.

Pictures are (height, width, 3) uint8 RGB. Errors and steps are in levels of 255.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]

RING = 12.0
"""Width of the ring around a person, px."""

STRIP = 4
"""Width of the strips whose brightness is compared across a line, px."""


def measure_ring_error(
    frames: Picture, real_frames: Picture, matte: npt.ArrayLike, width: float = RING
) -> float:
    """Mean absolute difference of two pictures in the ring around a person, over all channels.

    Args:
        frames: drawn, (H, W, 3).
        real_frames: the real one, (H, W, 3).
        matte: (H, W) 0 to 1 of the person in the real one; from a half on a pixel is the person's.
        width: pixels beside the person, no farther away than this, form the ring.

    Returns:
        Levels; NaN without a ring, where the person is nowhere or everywhere.

    Raises:
        ValueError: pictures or matte of different sizes.
    """
    person = np.asarray(matte) >= 0.5
    if frames.shape != real_frames.shape or person.shape != frames.shape[:2]:
        raise ValueError(f"{frames.shape}, {real_frames.shape} and {person.shape} do not belong")
    if not person.any():
        return float("nan")
    away = cv2.distanceTransform((~person).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    ring = ~person & (away <= width)
    error = cv2.absdiff(frames, real_frames)[ring]
    return float(error.mean(dtype=np.float64)) if error.size else float("nan")


@dataclass(frozen=True)
class Step:
    """Mean absolute differences of brightness over the length of lines.

    Attributes:
        across: of the strips on both sides of the lines.
        beside: of as many strips, as far apart, on either side of those.
    """

    across: float
    beside: float


def measure_border_step(
    picture: Picture, square: Sequence[float], soft: float, strip: int = STRIP
) -> Step:
    """The step of brightness across the border of a square that was put into a picture.

    On each side of the square that lies in the picture, the strip just outside is compared with
    the one inside behind the soft border, place by place; beside it two strips as far apart, one
    such distance further in and further out.

    Args:
        picture: (H, W, 3).
        square: xyxy px.
        soft: width of the soft border, px, inside the square.
        strip: width of a strip, px.

    Returns:
        Levels of brightness (0.299 R + 0.587 G + 0.114 B); NaN where no side has room.
    """
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float64)
    x0, y0, x1, y1 = (round(value) for value in square)
    rows, columns = (slice(max(low, 0), max(high, 0)) for low, high in ((y0, y1), (x0, x1)))
    gap = round(soft)
    sides = (
        (grey[rows], x0),
        (grey[rows, ::-1], grey.shape[1] - x1),
        (grey[:, columns].T, y0),
        (grey[::-1, columns].T, len(grey) - y1),
    )
    across, beside = list[float](), list[float]()
    for lines, edge in sides:
        step = _compare(lines, edge, gap, strip)
        if step is None:
            continue
        reach = gap + 2 * strip
        others = [_compare(lines, edge + way * reach, gap, strip) for way in (-1, 1)]
        across.append(step)
        beside.extend(value for value in others if value is not None)
    mean = [float(np.mean(values)) if values else float("nan") for values in (across, beside)]
    return Step(*mean)


def _compare(lines: npt.NDArray[np.float64], edge: int, gap: int, strip: int) -> float | None:
    """Mean over lines (n, W) of the difference of the strips before an edge and behind a gap."""
    first, last = edge - strip, edge + gap + strip
    if first < 0 or last > lines.shape[1] or not len(lines):
        return None
    before = lines[:, first:edge].mean(axis=1)
    behind = lines[:, edge + gap : last].mean(axis=1)
    return float(np.abs(before - behind).mean())
