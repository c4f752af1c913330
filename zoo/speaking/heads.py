"""Which frames of a clip have their head nearest to a drawn one, played as a video plays.

Legend: n drawn frames, m frames of the clip.
"""

import numpy as np
import numpy.typing as npt

from zoo.data.crop_camera import CropCamera

Floats = npt.NDArray[np.float64]
Frames = npt.NDArray[np.int64]

HEAD = 100.0
"""Half of a head's height, mm."""

JUMP, TURN = 1000.0, 200.0
"""What it costs to jump to any frame, and to turn forwards or backwards: squared distances of
heads, px² of a crop of 256 px, summed over the frames. A jump saves 6 px over a second, or is not
made."""

BLOCK = 1024
"""Frames for which the way is found at once: bounds memory."""

_KEEP, _TURN, _JUMP = range(3)
_STEPS = (1, -1)


def place_heads(pose: npt.ArrayLike, camera: CropCamera) -> Floats:
    """Where heads are seen, in what size and roll.

    Args:
        pose: (n, 6) `face/model_pose`.
        camera: of a crop.

    Returns:
        (n, 4): middle x and y, half height, and how far roll moves the top of a mean head; px of a
        crop of 256 px, so that the distance of two rows says how far apart outlines lie.
    """
    pose = np.asarray(pose, np.float64)
    fx, fy, cx, cy = (value * 256 / camera.size for value in camera.intrinsics)
    x, y, z = pose[:, 3], pose[:, 4], pose[:, 5]
    half = fy * HEAD / z
    return np.stack([cx + fx * x / z, cy + fy * y / z, half, half.mean() * pose[:, 2]], axis=1)


def follow_heads(drawn: Floats, own: Floats) -> Frames:
    """The frames (n,) of a clip that lie below drawn heads, each the one before's neighbour.

    They run forwards and backwards; turning and jumping cost. By dynamic programming, in blocks.

    Args:
        drawn: (n, 4) of `place_heads`.
        own: (m, 4) of the clip.
    """
    if len(own) == 1 or not len(drawn):
        return np.zeros(len(drawn), np.int64)
    path = list[npt.NDArray[np.int64]]()
    costs = np.zeros((2, len(own)))
    for first in range(0, len(drawn), BLOCK):
        way, turned = _follow_block(drawn[first : first + BLOCK], own, costs, begins=not first)
        path.append(way)
        costs = np.full_like(costs, np.inf)
        costs[turned, way[-1]] = 0
    return np.concatenate(path)


def _follow_block(drawn: Floats, own: Floats, costs: Floats, *, begins: bool) -> tuple[Frames, int]:
    """The way through a block from states of such costs (2, m), and its last direction.

    States are frames, arrived at forwards (0) or backwards (1).
    """
    choices = np.zeros((len(drawn), 2, len(own)), np.uint8)
    nearest = np.zeros(len(drawn), np.int64)
    for t, head in enumerate(drawn):
        if t or not begins:
            nearest[t] = costs.argmin()
            costs, choices[t] = _step(costs)
        costs = costs + ((own - head) ** 2).sum(axis=1)
    way = np.empty(len(drawn), np.int64)
    direction, frame = divmod(int(costs.argmin()), len(own))
    last = direction
    for t in range(len(drawn) - 1, -1, -1):
        way[t] = frame
        choice = choices[t, direction, frame]
        if choice == _JUMP:
            direction, frame = divmod(int(nearest[t]), len(own))
        else:
            frame -= _STEPS[direction]
            direction = 1 - direction if choice == _TURN else direction
    return way, last


def _step(costs: Floats) -> tuple[Floats, npt.NDArray[np.uint8]]:
    """Least costs (2, m) of states a frame later, and by which choice (2, m)."""
    options = np.full((3, *costs.shape), np.inf)
    for direction in (0, 1):
        to, come = (slice(1, None), slice(-1)) if direction == 0 else (slice(-1), slice(1, None))
        options[_KEEP, direction, to] = costs[direction, come]
        options[_TURN, direction, to] = costs[1 - direction, come] + TURN
    options[_JUMP] = costs.min() + JUMP
    choices = options.argmin(axis=0)
    return options.min(axis=0), choices.astype(np.uint8)
