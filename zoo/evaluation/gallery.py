"""Pictures of one measured video for a report: frames beside the real ones, and its trace map."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from toolkit.mesh import LANDMARKS68
from toolkit.storage import write_whole
from zoo.evaluation.figures import EVERY, SIDE, TRACE_SIDE
from zoo.metrics.head import draw_trace_map

NUM_SHOWN = 6
"""Frames of a sheet, evenly over what is measured."""

SHEET, TRACE = "sheet.jpg", "trace.png"


class Gallery:
    """Collects while a video is measured; `write` makes the files.

    Attributes:
        is_needed: whether it keeps anything.
    """

    def __init__(self, folder: Path | None, first: int, last: int) -> None:
        self._folder, self.is_needed = folder, folder is not None
        self._frames = np.linspace(first, last - 1, NUM_SHOWN).round().astype(int).tolist()
        self._columns = list[npt.NDArray[np.uint8]]()
        self._faces = list[Any]()

    def add_pictures(self, frame: int, pictures: Sequence[npt.NDArray[np.uint8]]) -> None:
        """A frame's picture, and below it the real one if there is one."""
        if self.is_needed and frame in self._frames:
            column = np.concatenate([_make_square(picture) for picture in pictures])
            self._columns += [column] * self._frames.count(frame)

    def add_meshes(self, landmarks: Any, size: tuple[int, int]) -> None:
        """Landmarks (n, 478, 3) of the next frames, in px of pictures of a size."""
        if self.is_needed and landmarks is not None:
            scale = TRACE_SIDE / max(size)
            self._faces.append(landmarks[::EVERY, LANDMARKS68, :2] * scale)

    def write(self) -> None:
        """Write the sheet and the trace map into the folder."""
        if self._folder is None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        if self._columns:
            with write_whole(self._folder / SHEET) as temporary:
                sheet = Image.fromarray(np.concatenate(self._columns, axis=1))
                sheet.save(temporary, format="JPEG", quality=85)
        if self._faces:
            with write_whole(self._folder / TRACE) as temporary:
                drawn = draw_trace_map(np.concatenate(self._faces), TRACE_SIDE)
                small = Image.fromarray(drawn).resize((TRACE_SIDE // 2, TRACE_SIDE // 2))
                small.quantize(64).save(temporary, format="PNG", optimize=True)


def _make_square(picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """A picture within a white square of `SIDE` px, its shape kept."""
    image = Image.fromarray(picture)
    image.thumbnail((SIDE, SIDE))
    square = Image.new("RGB", (SIDE, SIDE), "white")
    square.paste(image, ((SIDE - image.width) // 2, (SIDE - image.height) // 2))
    return np.asarray(square, np.uint8)
