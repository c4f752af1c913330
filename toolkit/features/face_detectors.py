"""MediaPipe's two face detectors, and what they say of boxes, tiles and turned pictures.

A detector sees faces that stand upright, or nearly so; a turned one it sees in the picture turned
back, or scores higher there.
"""

import functools

import numpy as np
import numpy.typing as npt

from toolkit.features.mediapipe_graphs import DetectorGraph
from toolkit.features.native_log import quiet_native_log
from toolkit.features.small_faces import Box, list_tiles
from toolkit.memory import require_memory

Picture = npt.NDArray[np.uint8]
"""(height, width, 3) uint8 RGB."""

Boxes = npt.NDArray[np.float64]
"""(n, 4) xyxy pixels of the picture."""

CONFIRM_SCALE, CONFIRM_SIDE, CONFIRM_SCORE = 1.6, 192, 0.75
"""A face counts where the short-range detector gives this score to a square around it, so many
times its size, scaled to so many pixels."""

_LOOK_SCORE = 0.3
"""Measured: what scores less, beside one face, is mostly nothing; faces at the mesh's 0.5 more."""

_SEARCH_SCORE = 0.2
"""Of the full-range detector, for what is then confirmed: real faces score from 0.24 on where they
are 90 px high in 1920, and many things that are no faces up to 0.8."""

_TURN_SIDE = 480
"""Longer side of a picture in which turned faces are looked for, px."""


class FaceDetectors:
    """The short-range and the full-range detector; neither keeps state."""

    def find(self, picture: Picture) -> Boxes:
        """Boxes of the faces that the short-range detector sees in the whole picture."""
        require_memory()
        return self._short_range.detect(picture)[0]

    def find_small(self, picture: Picture, *, tiled: bool = True) -> Boxes:
        """Boxes of the faces that both detectors see, small ones too; one face may come twice.

        Args:
            picture: an RGB picture.
            tiled: look at overlapping squares of it, which takes twice the time at 16 : 9; in the
                whole of it, one face in ten is missed that is 80 px high in 1920.
        """
        require_memory()
        height, width = picture.shape[:2]
        tiles = list_tiles(width, height) if tiled else [(0, 0, width, height)]
        boxes = [
            box + np.array([x0, y0, x0, y0])
            for x0, y0, x1, y1 in tiles
            for box in self._full_range.detect(picture[y0:y1, x0:x1])[0]
        ]
        return np.array([b for b in boxes if self.confirm(picture, b)], np.float64).reshape(-1, 4)

    def confirm(self, picture: Picture, box: Box) -> bool:
        """Whether the short-range detector, looking at the place of a box (4,) alone, sees a face.

        The mesh is sometimes drawn on plants and badges and then kept there. Measured: of such
        meshes 95 of 100 score under 0.66, of real second faces 95 of 100 over 0.83.
        """
        part = _cut_square(picture, box)
        return part is not None and self._score(part) >= CONFIRM_SCORE

    def measure_turn(self, picture: Picture, box: Box) -> int:
        """Quarter turns anticlockwise, 0 to 3, in which the face in a box (4,) is seen best."""
        part = _cut_square(picture, box)
        if part is None:
            return 0
        return int(np.argmax([self._score(np.rot90(part, turn)) for turn in range(4)]))

    def find_turn(self, picture: Picture) -> int:
        """Quarter turns anticlockwise, 1 to 3, after which a face is seen in the picture; 0: none.

        For a picture in which no face is found as it stands.
        """
        import cv2

        require_memory()
        scale = min(1.0, _TURN_SIDE / max(picture.shape))
        small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        scores = [0.0]
        for turn in (1, 2, 3):
            turned = np.ascontiguousarray(np.rot90(np.asarray(small, np.uint8), turn))
            parts = [_cut_square(turned, box) for box in self._full_range.detect(turned)[0]]
            scores.append(max((self._score(p) for p in parts if p is not None), default=0.0))
        best = int(np.argmax(scores))
        return best if scores[best] >= CONFIRM_SCORE else 0

    def _score(self, part: Picture) -> float:
        return max(self._short_range.detect(part)[1], default=0.0)

    @functools.cached_property
    def _short_range(self) -> DetectorGraph:
        return _open_detector(_LOOK_SCORE, full_range=False)

    @functools.cached_property
    def _full_range(self) -> DetectorGraph:
        return _open_detector(_SEARCH_SCORE, full_range=True)


def _open_detector(min_score: float, *, full_range: bool) -> DetectorGraph:
    with quiet_native_log():
        detector = DetectorGraph(min_score, full_range=full_range)
        detector.detect(np.zeros((128, 128, 3), np.uint8))
        return detector


def _cut_square(picture: Picture, box: Box) -> Picture | None:
    """A square around a box (4,), scaled; None where nothing of it lies in the picture."""
    import cv2

    low, high = box[:2], box[2:]
    half = CONFIRM_SCALE * float((high - low).max()) / 2
    (x0, y0), (x1, y1) = (low + high) / 2 - half, (low + high) / 2 + half
    part = picture[max(0, int(y0)) : max(1, int(y1)), max(0, int(x0)) : max(1, int(x1))]
    if not part.size:
        return None
    return np.asarray(cv2.resize(part, (CONFIRM_SIDE, CONFIRM_SIDE)), np.uint8)
