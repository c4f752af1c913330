"""What the face recogniser makes of a measured video, collected while its pictures are read.

A few frames of each video are enough to tell whose face it shows, and the network is slow: at most
`NUM_FACES` of them, evenly over what is measured, however long the video is.
"""

import functools
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from toolkit.errors import SetupError
from toolkit.schema import Provenance
from toolkit.weights import WEIGHTS
from zoo.metrics.table import Metric
from zoo.training.face_weights import NAME, PACKAGE, find_face_weights

if TYPE_CHECKING:
    from zoo.training.face_network import FaceNetwork

Arrays = dict[str, Any]
Picture = npt.NDArray[np.uint8]

NUM_FACES = 25
"""Frames of a video at most."""

NUM_FEATURES = 128

FEATURES, MAPS = "identity_features", "identity_maps"
SIDES = ("", "real_")


def needs_recogniser(metric: Metric) -> bool:
    """Whether its arrays come from the recogniser."""
    return not {FEATURES, MAPS}.isdisjoint(metric.needs)


@functools.cache
def explain_recogniser() -> str:
    """Why the recogniser cannot be used; "": it can."""
    try:
        find_face_weights()
    except SetupError as error:
        return str(error)
    return ""


@functools.cache
def open_recogniser() -> "FaceNetwork":
    """The network with the installed weights; SetupError where there are none."""
    from zoo.training.face_network import FaceNetwork

    return FaceNetwork.open()


def find_provenance() -> Provenance | None:
    """Name, package and digest of the recogniser; None where it cannot be used."""
    if explain_recogniser():
        return None
    network = "dlib face recognition ResNet"
    digest = WEIGHTS[NAME].sha256 or ""
    return Provenance(backend=network, version=PACKAGE, weights_sha256=digest)


class Recognition:
    """Features of a video's faces and of the real ones beside them, from stretch to stretch.

    Attributes:
        is_needed: whether a metric asks for it and the recogniser can be used.
    """

    def __init__(self, metrics: Sequence[Metric], first: int, last: int) -> None:
        """Of frames [first, last)."""
        asking = [metric for metric in metrics if needs_recogniser(metric)]
        self.is_needed = bool(asking) and not explain_recogniser()
        self._comparing = [metric for metric in asking if metric.per == "picture"]
        spread = np.linspace(first, last - 1, NUM_FACES).round().astype(int)
        self._frames = frozenset(spread.tolist() if self.is_needed else ())
        self._rows: dict[str, list[Any]] = {}
        self._seen: dict[str, tuple[Picture, Arrays]] = {}

    def begin(self, first: int, arrays: Mapping[str, Any]) -> None:
        """A stretch from a frame on, with `landmarks` and `real_landmarks` where there are faces.

        Both (n, 478, 3), px of the pictures that come; NaN in frames without a face.
        """
        self._first = first
        self._meshes = {side: arrays.get(f"{side}landmarks") for side in SIDES}

    def add_pictures(self, frame: int, pictures: Sequence[Picture]) -> None:
        """A frame's picture (H, W, 3), and the real one if there is one; most are passed over."""
        if frame not in self._frames:
            return
        arrays: Arrays = {}
        for side, picture in zip(SIDES, pictures, strict=False):
            meshes = self._meshes[side]
            if meshes is not None:
                found = self._describe(side, picture, meshes[frame - self._first])
                arrays |= {side + name: values for name, values in found.items()}
        for metric in self._comparing:
            if set(metric.needs) <= set(arrays):
                is_seen = all(arrays[name] is not None for name in metric.needs)
                arrays[metric.name] = metric.measure(arrays) if is_seen else math.nan
        for name, values in arrays.items():
            if not name.endswith(MAPS):
                self._rows.setdefault(name, []).append(values)

    def take(self) -> Arrays:
        """Of the stretch: features (k, 128), and values (k,) of metrics that compare maps."""
        rows, self._rows = self._rows, {}
        return {name: np.array(values) for name, values in rows.items()}

    def _describe(self, side: str, picture: Picture, mesh: npt.NDArray[np.float32]) -> Arrays:
        """Features (128,) and maps of a face; a picture that is shown again is not seen again."""
        if not np.isfinite(mesh[0, 0]):
            return {FEATURES: np.full(NUM_FEATURES, np.nan), MAPS: None}
        if side not in self._seen or self._seen[side][0] is not picture:
            from zoo.evaluation.identity import describe_face

            features, maps = describe_face(open_recogniser(), picture, mesh)
            self._seen[side] = picture, {FEATURES: features, MAPS: maps}
        return self._seen[side][1]
