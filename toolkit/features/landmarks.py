"""MediaPipe's face mesh with refined irises: 478 points per face, in video mode.

The mesh keeps state from frame to frame, so what it says of a frame depends on the one before:
without a reset, points are up to 5.8 px off after another video; the first frame after detection
differs by up to 14 px from continuous tracking; a frame fed twice moves its points. Therefore:
reset at every source and shot, feed the first frame of a face three times, no other one twice.
"""

import contextlib
import functools
import os
import sys
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from toolkit.features.mediapipe_graphs import FRAME_MICROSECONDS, DetectorGraph, MeshGraph
from toolkit.memory import require_memory
from toolkit.mesh import LANDMARKS68, NUM_LANDMARKS
from toolkit.schema import Provenance

Mesh = npt.NDArray[np.float32]
"""(478, 3) float32: x, y in pixels of the picture, z in the same unit, smaller is nearer."""

_RECORD = 17
"""Bytes of one serialised landmark: tag, length, then tag and float32 for each of x, y, z."""

_CONFIRM_SCALE, _CONFIRM_SIDE, _CONFIRM_SCORE = 1.6, 192, 0.75
_LOOK_SCORE = 0.3
"""Measured: what scores less, beside one face, is mostly nothing; faces at the mesh's 0.5 more."""

_SAME_FACE = 0.2
"""Least intersection over union of a detector's box and the mesh's box of one face; it is 0.28 to
0.85 where the head moves little in 0.2 s."""


class FaceMesh:
    """Finds up to `max_faces` meshes in successive pictures of one take."""

    constants = (FRAME_MICROSECONDS, _CONFIRM_SCALE, _CONFIRM_SIDE, _CONFIRM_SCORE)
    """As `Extractor.constants`."""

    def __init__(self, max_faces: int = 2) -> None:
        self._has_face = False
        with _quiet_native_log():
            self._graph = MeshGraph(max_faces)

    def reset(self) -> None:
        """Forget the frames before: call at every new source and at every shot."""
        require_memory()
        with _quiet_native_log():
            self._graph.reset()

    def detect(self, picture: npt.NDArray[np.uint8], *, look: bool = True) -> list[Mesh]:
        """Meshes in one RGB picture (height, width, 3) uint8, in the tracker's order.

        Args:
            picture: the frame after the one before.
            look: look for further faces where one is known already; see `sees_others`.

        Raises:
            MemoryError: memory is so short that MediaPipe might abort the process.
        """
        require_memory()
        with contextlib.nullcontext() if self._has_face else _quiet_native_log():
            found = self._graph.process(picture, look=look)
        self._has_face = bool(found)
        height, width = picture.shape[:2]
        scale = np.array([width, height, width], np.float32)
        return [_read_points(face) * scale for face in found]

    def settle(self, picture: npt.NDArray[np.uint8]) -> list[Mesh]:
        """Feed a face's first frame twice more, so that tracking has settled."""
        self.detect(picture)
        return self.detect(picture)

    def start(self, picture: npt.NDArray[np.uint8]) -> list[Mesh]:
        """Meshes in a picture that has no predecessor: fed three times."""
        return self.detect(picture) and self.settle(picture)

    def confirm(self, picture: npt.NDArray[np.uint8], face: Mesh) -> bool:
        """Whether MediaPipe's face detector, looking at this place alone, sees a face as well.

        The mesh is sometimes drawn on plants and badges and then kept there. Measured: of such
        meshes 95 of 100 score under 0.66, of real second faces 95 of 100 over 0.83.
        """
        import cv2

        low, high = face[:, :2].min(0), face[:, :2].max(0)
        half = _CONFIRM_SCALE * float((high - low).max()) / 2
        (x0, y0), (x1, y1) = (low + high) / 2 - half, (low + high) / 2 + half
        part = picture[max(0, int(y0)) : max(1, int(y1)), max(0, int(x0)) : max(1, int(x1))]
        if not part.size:
            return False
        small = cv2.resize(part, (_CONFIRM_SIDE, _CONFIRM_SIDE))
        _, scores = self._detector.detect(np.asarray(small, np.uint8))
        return max(scores, default=0.0) >= _CONFIRM_SCORE

    def sees_others(self, picture: npt.NDArray[np.uint8], face: Mesh) -> bool:
        """Whether the detector, looking at the whole picture, sees more than this one face.

        A face that has moved away from where `face` was counts as another. The score asked for is
        lower than the mesh's own (0.5): a face that comes and goes around that one is not missed.
        """
        require_memory()
        boxes, _ = self._detector.detect(picture)
        low, high = face[:, :2].min(0), face[:, :2].max(0)
        overlap = np.minimum(boxes[:, 2:], high) - np.maximum(boxes[:, :2], low)
        shared = np.prod(np.maximum(overlap, 0), axis=1)
        areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
        is_it = shared > _SAME_FACE * (areas + np.prod(high - low) - shared)
        return len(boxes) > 1 or not is_it.all()

    def find_face(self, picture: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64] | None:
        """Box (4,) xyxy px of the largest face that the detector sees in the whole picture."""
        require_memory()
        boxes, _ = self._detector.detect(picture)
        sizes = boxes[:, 3] - boxes[:, 1]
        return boxes[int(sizes.argmax())] if len(boxes) else None

    @functools.cached_property
    def _detector(self) -> DetectorGraph:
        with _quiet_native_log():
            detector = DetectorGraph(_LOOK_SCORE)
            detector.detect(np.zeros((128, 128, 3), np.uint8))
            return detector

    @staticmethod
    def provenance() -> Provenance:
        """Name and version of the mesh; its models lie inside the mediapipe wheel."""
        from importlib.metadata import version

        return Provenance(backend="mediapipe_face_mesh", version=version("mediapipe"))


def landmarks68(landmarks: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The 68-point view of meshes: (..., 478, D) to (..., 68, D), same unit."""
    return landmarks[..., LANDMARKS68, :]


def _read_points(message: bytes) -> Mesh:
    """(478, 3) float32 from a serialised landmark list: ten times faster than by field."""
    data = np.frombuffer(message, np.uint8)
    if data.size != NUM_LANDMARKS * _RECORD:
        from mediapipe.framework.formats.landmark_pb2 import NormalizedLandmarkList

        points = NormalizedLandmarkList.FromString(message).landmark
        return np.array([(p.x, p.y, p.z) for p in points], np.float32)
    records = data.reshape(NUM_LANDMARKS, _RECORD)
    return np.ascontiguousarray(records[:, [3, 4, 5, 6, 8, 9, 10, 11, 13, 14, 15, 16]]).view("<f4")


@contextlib.contextmanager
def _quiet_native_log() -> Iterator[None]:
    """Keep TensorFlow Lite's start-up lines, which no setting silences, off stderr."""
    sys.stderr.flush()
    saved = os.dup(2)
    try:
        with open(os.devnull, "wb") as sink:  # noqa: PTH123
            os.dup2(sink.fileno(), 2)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
