"""How still a video is where nothing moves: flicker from frame to frame, and drift over its length.

Pictures are (height, width, 3) uint8 RGB, taken one at a time; figures are in levels of 255.
"""

import itertools
from collections import deque
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
Region = npt.NDArray[np.bool_]


def measure_flicker(frames: Iterable[Picture], region: Region) -> float:
    """Mean absolute change of a region's pixels from frame to frame, over all channels.

    Args:
        frames: two or more, (H, W, 3).
        region: (H, W), which pixels count.

    Raises:
        ValueError: a single frame, or no pixels.
    """
    changes = [
        float(np.abs(after - before).mean())
        for before, after in itertools.pairwise(_cut(frame, region) for frame in frames)
    ]
    if not changes:
        raise ValueError("flicker is a change between two frames or more")
    return float(np.mean(changes))


def measure_picture_drift(frames: Iterable[Picture], region: Region, fps: int) -> float:
    """How far a region's pixels are in the last second from where they were in the first.

    The mean over pixels and channels of the absolute difference of their means over these seconds.

    Args:
        frames: of two seconds or more, (H, W, 3).
        region: (H, W), which pixels count.
        fps: frames a second.

    Raises:
        ValueError: less than two seconds, or no pixels.
    """
    first, last, num = np.zeros(1), deque[Picture](maxlen=fps), 0
    for num, frame in enumerate(frames, 1):
        last.append(frame)
        if num <= fps:
            first = first + _cut(frame, region)
    if num < 2 * fps:
        raise ValueError(f"{num} frames hold no first and last second of {fps}")
    change = sum(_cut(frame, region) for frame in last) - first
    return float(np.abs(change).mean() / fps)


def _cut(frame: Picture, region: Region) -> npt.NDArray[np.float64]:
    """(pixels, 3) of a region."""
    if not region.any():
        raise ValueError("a region without pixels")
    return frame[region].astype(np.float64)
