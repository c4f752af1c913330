"""MediaPipe's face mesh with refined irises: 478 points per face, in video mode.

The mesh keeps state from frame to frame, so what it says of a frame depends on the one before:
without a reset, points are up to 5.8 px off after another video; the first frame after detection
differs by up to 14 px from continuous tracking; a frame fed twice moves its points. Therefore:
reset at every source and shot, feed the first frame of a face three times, no other one twice.
"""

import contextlib

import numpy as np
import numpy.typing as npt

from toolkit.features.face_detectors import (
    CONFIRM_SCALE,
    CONFIRM_SCORE,
    CONFIRM_SIDE,
    Boxes,
    FaceDetectors,
    Picture,
)
from toolkit.features.mediapipe_graphs import FRAME_MICROSECONDS, MeshGraph
from toolkit.features.native_log import quiet_native_log
from toolkit.features.small_faces import (
    LARGE_SHARE,
    Box,
    Region,
    choose_region,
    is_outgrown,
    least_height,
)
from toolkit.memory import require_memory
from toolkit.mesh import EYE_CORNERS, LANDMARKS68, LIP_MIDDLES, NUM_LANDMARKS
from toolkit.schema import Provenance

Mesh = npt.NDArray[np.float32]
"""(478, 3) float32: x, y in pixels of the picture, z in the same unit, smaller is nearer."""

_RECORD = 17
"""Bytes of one serialised landmark: tag, length, then tag and float32 for each of x, y, z."""

_SAME_FACE = 0.2
"""Least intersection over union of a detector's box and the mesh's box of one face; it is 0.28 to
0.85 where the head moves little in 0.2 s."""

_BOX_EXCESS = 1.3
"""A detector's box of a small face is up to so many times as high as the mesh's."""

_SIDEWAYS = 60
"""Degrees from which on a mesh lies on its side: a quarter turn of the picture, not of the head."""


class FaceMesh:
    """Finds up to `max_faces` meshes in successive pictures of one take."""

    constants = (FRAME_MICROSECONDS, CONFIRM_SCALE, CONFIRM_SIDE, CONFIRM_SCORE)
    """As `Extractor.constants`."""

    def __init__(self, max_faces: int = 2) -> None:
        self._has_face = False
        self._region: Region | None = None
        self._detectors = FaceDetectors()
        with quiet_native_log():
            self._graph = MeshGraph(max_faces)

    def reset(self) -> None:
        """Forget the frames before: call at every new source and at every shot."""
        require_memory()
        self._region = None
        with quiet_native_log():
            self._graph.reset()

    def detect(self, picture: Picture, *, look: bool = True) -> list[Mesh]:
        """Meshes in one RGB picture (height, width, 3) uint8, in the tracker's order.

        Args:
            picture: the frame after the one before.
            look: look for further faces where one is known already; see `sees_others`.

        Raises:
            MemoryError: memory is so short that MediaPipe might abort the process.
        """
        faces = self._detect(picture, look)
        height, width = picture.shape[:2]
        if self._region and faces:
            box = find_box(faces[0])
            if is_outgrown(self._region, box, width, height):
                return self._start_region(picture, box)
        return faces

    def _detect(self, picture: Picture, look: bool = True) -> list[Mesh]:
        require_memory()
        x0, y0, x1, y1 = self._region or (0, 0, picture.shape[1], picture.shape[0])
        with contextlib.nullcontext() if self._has_face else quiet_native_log():
            found = self._graph.process(picture[y0:y1, x0:x1], look=look)
        self._has_face = bool(found)
        scale = np.array([x1 - x0, y1 - y0, x1 - x0], np.float32)
        corner = np.array([x0, y0, 0], np.float32)
        return [_read_points(face) * scale + corner for face in found]

    def settle(self, picture: Picture) -> list[Mesh]:
        """Feed a face's first frame twice more, so that tracking has settled."""
        self._detect(picture)
        return self._detect(picture)

    def start(self, picture: Picture) -> list[Mesh]:
        """Meshes in a picture that has no predecessor: fed three times."""
        return self._detect(picture) and self.settle(picture)

    def confirm(self, picture: Picture, face: Mesh) -> bool:
        """Whether MediaPipe's face detector, looking at this place alone, sees a face as well."""
        return self._detectors.confirm(picture, find_box(face))

    def sees_others(self, picture: Picture, face: Mesh) -> bool:
        """Whether the detector, looking at the whole picture, sees more than this one face.

        A face that has moved away from where `face` was counts as another. The score asked for is
        lower than the mesh's own (0.5): a face that comes and goes around that one is not missed.
        """
        if self._region:
            return self.measure_outside(picture, face) > 0
        boxes = self._detectors.find(picture)
        return len(boxes) > 1 or not _is_face(boxes, face).all()

    def find_face(self, picture: Picture) -> npt.NDArray[np.float64] | None:
        """Box (4,) xyxy px of the largest face that a detector sees in the whole picture."""
        boxes = self._detectors.find(picture)
        boxes = boxes if len(boxes) else self._detectors.find_small(picture)
        sizes = boxes[:, 3] - boxes[:, 1]
        return boxes[int(sizes.argmax())] if len(boxes) else None

    # --- small faces ----------------------------------------------------------------------------

    def search(self, picture: Picture) -> tuple[list[Mesh], float]:
        """Look for a face that is too small for the mesh's own detector, and start to follow it.

        Returns:
            Meshes, none where there is no such face, and the height (px) of the largest face that
            is too small to be followed, 0 without one.
        """
        height, width = picture.shape[:2]
        least, largest = least_height(width, height), LARGE_SHARE * max(width, height)
        if self._region:
            self.reset()
        too_small = 0.0
        boxes = self._detectors.find_small(picture)
        for box in boxes[np.argsort(boxes[:, 1] - boxes[:, 3])]:
            if box[3] - box[1] > _BOX_EXCESS * largest:
                continue
            faces = [f for f in self._start_region(picture, box) if self.confirm(picture, f)]
            tallest = max((float(np.ptp(face[:, 1])) for face in faces), default=0.0)
            if least <= tallest < largest:
                return faces, 0.0
            self.reset()
            too_small = max(too_small, tallest if tallest < least else 0.0)
        return [], too_small

    def _start_region(self, picture: Picture, box: Box) -> list[Mesh]:
        """Follow the face in a box (4,) from now on, in a region around it."""
        self.reset()
        self._region = choose_region(box, picture.shape[1], picture.shape[0])
        return self.start(picture)

    def measure_outside(self, picture: Picture, face: Mesh) -> float:
        """Height (px) of the largest face but this one, where a small one is followed; else 0.

        The mesh then sees a region alone; this is what the detectors see in the whole picture.
        """
        if self._region is None:
            return 0.0
        boxes = self._detectors.find_small(picture, tiled=False)
        heights = (boxes[:, 3] - boxes[:, 1])[~_is_face(boxes, face)]
        return float(heights.max(initial=0.0))

    # --- turned pictures ------------------------------------------------------------------------

    def measure_turn(self, picture: Picture, face: Mesh) -> int:
        """Quarter turns of the picture, anticlockwise, after which this face stands upright.

        A mesh is drawn on its side on some faces that lie so, and upright on some upside down.
        """
        eyes, mouth = face[np.ravel(EYE_CORNERS), :2].mean(0), face[list(LIP_MIDDLES), :2].mean(0)
        angle = float(np.degrees(np.arctan2(*(mouth - eyes))))
        if abs(angle) > _SIDEWAYS:
            return round(-angle / 90) % 4
        return self._detectors.measure_turn(picture, find_box(face))

    def find_turn(self, picture: Picture) -> int:
        """The same of a picture in which no face is found, if one is once it is turned; else 0."""
        return self._detectors.find_turn(picture)

    @staticmethod
    def provenance() -> Provenance:
        """Name and version of the mesh; its models lie inside the mediapipe wheel."""
        from importlib.metadata import version

        return Provenance(backend="mediapipe_face_mesh", version=version("mediapipe"))


def landmarks68(landmarks: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The 68-point view of meshes: (..., 478, D) to (..., 68, D), same unit."""
    return landmarks[..., LANDMARKS68, :]


def find_box(face: Mesh) -> npt.NDArray[np.float32]:
    """(4,) xyxy of a mesh, in its unit."""
    return np.concatenate([face[:, :2].min(0), face[:, :2].max(0)])


def _is_face(boxes: Boxes, face: Mesh) -> npt.NDArray[np.bool_]:
    """(n,) whether a detector's box is of this face."""
    low, high = np.split(find_box(face), 2)
    overlap = np.minimum(boxes[:, 2:], high) - np.maximum(boxes[:, :2], low)
    shared = np.prod(np.maximum(overlap, 0), axis=1)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    return np.asarray(shared > _SAME_FACE * (areas + np.prod(high - low) - shared), np.bool_)


def _read_points(message: bytes) -> Mesh:
    """(478, 3) float32 from a serialised landmark list: ten times faster than by field."""
    data = np.frombuffer(message, np.uint8)
    if data.size != NUM_LANDMARKS * _RECORD:
        from mediapipe.framework.formats.landmark_pb2 import NormalizedLandmarkList

        points = NormalizedLandmarkList.FromString(message).landmark
        return np.array([(p.x, p.y, p.z) for p in points], np.float32)
    records = data.reshape(NUM_LANDMARKS, _RECORD)
    return np.ascontiguousarray(records[:, [3, 4, 5, 6, 8, 9, 10, 11, 13, 14, 15, 16]]).view("<f4")
