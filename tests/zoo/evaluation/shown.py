"""Videos whose arrays and pictures are given, in place of tracked files."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np


class GivenVideo:
    """A video on a clock: as `zoo.evaluation.tracked.LaidOutVideo`, from what is given."""

    def __init__(
        self, pictures, arrays=None, *, first=0, fps=30, silence="it has no sound",
        path=Path("given.mp4"), sound=None,
    ):  # fmt: skip
        self.pictures, self.arrays = pictures, arrays or {}
        self.first, self.last, self.fps = first, first + len(pictures), fps
        self.silent_detector = None
        height, width = pictures[0].shape[:2]
        self.video = SimpleNamespace(
            size=(width, height), silence=silence, has_face="landmarks" in self.arrays,
            first=0, last=len(pictures), fps=fps, path=path, sound=sound,
        )  # fmt: skip

    def calibrate(self, first, last):
        self.calibrated = first, last

    def read_arrays(self, first, last):
        rows = slice(first - self.first, last - self.first)
        return {name: np.asarray(values)[rows] for name, values in self.arrays.items()}

    def read_pictures(self, first, last):
        return iter(self.pictures[first - self.first : last - self.first])


def make_grey(level, size=64):
    """A picture (size, size, 3) of one level."""
    return np.full((size, size, 3), level, np.uint8)
