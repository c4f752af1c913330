"""ArcFace from an ONNX file that a user has: faces to 512 numbers, whose cosine is CSIM.

The files are those of InsightFace (w600k_r50, glintr100, w600k_mbf), and what else has their layout
and their alignment. OpenCV runs them, on the CPU; nothing else of a file is executed.
"""

import contextlib
import functools
import hashlib
import itertools
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from toolkit.errors import SetupError
from toolkit.mesh import EYES68, LANDMARKS68, MOUTH_CORNERS, NOSE_TIP
from zoo.evaluation.onnx_file import read_graph
from zoo.training.face_alignment import Floats, Picture, fit_similarity, warp_face

SIDE = 112
"""Pixels of an aligned face."""

NUM_FEATURES = 512

PLACES = np.array([
    (38.2946, 51.6963),
    (73.5318, 51.5014),
    (56.0252, 71.7366),
    (41.5493, 92.3655),
    (70.7299, 92.2041),
])  # fmt: skip
"""Where the networks expect the middles of the right and of the left eye, the tip of the nose, and
the right and the left corner of the mouth: px from the middle of the first pixel (InsightFace)."""

_MIDDLE = 127.5
"""Of the levels, and what they reach to either side of it."""


class ArcFace:
    """A recogniser, ready for use.

    Attributes:
        label: the file's name with the digest of its bytes, for results.
    """

    def __init__(self, network: cv2.dnn.Net, label: str, *, takes_levels: bool = False) -> None:
        """`takes_levels`: it takes 0 to 255, in place of −1 to 1."""
        self._network, self.label = network, label
        self._middle, self._scale = (0.0, 1.0) if takes_levels else (_MIDDLE, _MIDDLE)

    def describe(self, picture: Picture, mesh: npt.ArrayLike) -> Floats:
        """(512,) of a face with a mesh (478, 2 or 3) px; not of length 1."""
        return self.run(align_face(picture, mesh)).ravel().astype(np.float64)

    def run(self, face: Picture) -> npt.NDArray[np.float32]:
        """What the network makes of an aligned face (112, 112, 3) RGB, as it comes."""
        values = (face.astype(np.float32) - self._middle) / self._scale
        self._network.setInput(np.ascontiguousarray(values.transpose(2, 0, 1)[None]))
        return np.asarray(self._network.forward())


def align_face(picture: Picture, mesh: npt.ArrayLike) -> Picture:
    """(112, 112, 3) face of a picture (height, width, 3) RGB, as InsightFace aligns it.

    Moved, turned and scaled so that five points of the mesh (478, 2 or 3) px come nearest to
    `PLACES`; between pixels it is linear, and black beyond the picture.
    """
    points = np.asarray(mesh, np.float64)[:, :2]
    eyes = [points[np.array(LANDMARKS68)[eye]].mean(axis=0) for eye in EYES68]
    five = np.array([*eyes, *points[[NOSE_TIP, *MOUTH_CORNERS]]])
    return warp_face(picture, fit_similarity(five, PLACES + 0.5), SIDE, cv2.BORDER_CONSTANT)


@functools.cache
def open_arcface(path: Path) -> ArcFace:
    """The recogniser of an ONNX file: pictures (n, 3, 112, 112) in, 512 numbers of each out.

    Raises:
        SetupError: no such file, no ONNX network, one that OpenCV cannot run, or another layout.
    """
    if not path.is_file():
        what = "a folder: give the ONNX file in it" if path.is_dir() else "no such file"
        raise SetupError(f"{path}: {what}")
    try:
        return _open(path)
    except ValueError as error:
        raise SetupError(f"{path}: no recogniser of ArcFace's layout: {error}") from error


def _open(path: Path) -> ArcFace:
    data = path.read_bytes()
    graph = read_graph(data)
    if [shape[1:] for shape in graph.inputs] != [(3, SIDE, SIDE)]:
        raise ValueError(f"its input is {_write(*graph.inputs)}, not (?, 3, {SIDE}, {SIDE})")
    label = f"{path.name}, sha256 {hashlib.sha256(data).hexdigest()[:12]}…"
    with _quiet():
        try:
            network = cv2.dnn.readNetFromONNX(np.frombuffer(data, np.uint8))
            judge = ArcFace(network, label, takes_levels=_scales(graph.operators))
            found = judge.run(np.zeros((SIDE, SIDE, 3), np.uint8))
        except cv2.error as error:
            raise ValueError(f"OpenCV {cv2.__version__} cannot run it") from error
    if found.shape != (1, NUM_FEATURES) or len(network.getUnconnectedOutLayers()) != 1:
        raise ValueError(f"its output is {_write(found.shape)}, not (1, {NUM_FEATURES})")
    if not np.isfinite(found).all():
        raise ValueError("its output is not finite")
    return judge


def _write(*shapes: tuple[int, ...]) -> str:
    texts = (", ".join("?" if size < 0 else str(size) for size in shape) for shape in shapes)
    return " and ".join(f"({text})" for text in texts) or "none"


def _scales(operators: list[str]) -> bool:
    """Whether the network brings levels to its scale itself, before its first convolution."""
    first = itertools.takewhile(lambda name: name != "Conv", operators)
    return {"Sub", "Mul"} <= set(first)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """OpenCV prints nothing beside the error that it raises."""
    level = cv2.setLogLevel(0)
    try:
        yield
    finally:
        cv2.setLogLevel(level)
