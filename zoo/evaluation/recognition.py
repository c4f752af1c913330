"""What face recognisers make of a measured video, collected while its pictures are read.

A few frames of each video are enough to tell whose face it shows, and the networks are slow: at
most `NUM_FACES` of them, evenly over what is measured, however long the video is.
"""

import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

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

FEATURES, MAPS = "identity_features", "identity_maps"
SIDES = ("", "real_")


class Recogniser(Protocol):
    """What makes arrays of a face.

    Attributes:
        blank: name of an array -> what it is of a frame without a face.
    """

    blank: Arrays

    def describe(self, picture: Picture, mesh: npt.NDArray[np.float32]) -> Arrays:
        """The arrays of a face with a mesh (478, 3) px."""


class _Dlib:
    """Features and maps by the installed weights."""

    def __init__(self) -> None:
        self.blank: Arrays = {FEATURES: np.full(128, np.nan), MAPS: None}

    def describe(self, picture: Picture, mesh: npt.NDArray[np.float32]) -> Arrays:
        from zoo.evaluation.identity import describe_face

        features, maps = describe_face(open_recogniser(), picture, mesh)
        return {FEATURES: features, MAPS: maps}


class GivenRecogniser(Protocol):
    """A judge of the user's, `ArcFace` for example."""

    def describe(self, picture: Picture, mesh: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """(512,) of a face with a mesh (478, 3) px."""


class _Given:
    """Features by a judge of the user's."""

    def __init__(self, array: str, judge: GivenRecogniser) -> None:
        self._array, self._judge = array, judge
        self.blank: Arrays = {array: np.full(512, np.nan)}

    def describe(self, picture: Picture, mesh: npt.NDArray[np.float32]) -> Arrays:
        return {self._array: self._judge.describe(picture, mesh)}


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
        is_needed: whether a metric asks for a recogniser that can be used.
    """

    def __init__(
        self,
        metrics: Sequence[Metric],
        first: int,
        last: int,
        given: Mapping[str, GivenRecogniser] | None = None,
    ) -> None:
        """Of frames [first, last), by the installed recogniser and by judges of the user's.

        `given`: array that a judge gives -> the judge.
        """
        usable: list[Recogniser] = [] if explain_recogniser() else [_Dlib()]
        usable += [_Given(*pair) for pair in (given or {}).items()]
        asked = {name for metric in metrics for name in metric.needs}
        self._recognisers = [one for one in usable if not asked.isdisjoint(one.blank)]
        self.is_needed = bool(self._recognisers)
        self._comparing = [metric for metric in metrics if MAPS in metric.needs]
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
        """Of the stretch: features (k, K), and values (k,) of metrics that compare maps."""
        rows, self._rows = self._rows, {}
        return {name: np.array(values) for name, values in rows.items()}

    def _describe(self, side: str, picture: Picture, mesh: npt.NDArray[np.float32]) -> Arrays:
        """Features (K,) and maps of a face; a picture that is shown again is not seen again."""
        if not np.isfinite(mesh[0, 0]):
            return self._merge(one.blank for one in self._recognisers)
        if side not in self._seen or self._seen[side][0] is not picture:
            found = self._merge(one.describe(picture, mesh) for one in self._recognisers)
            self._seen[side] = picture, found
        return self._seen[side][1]

    @staticmethod
    def _merge(parts: Iterable[Arrays]) -> Arrays:
        return {name: values for part in parts for name, values in part.items()}
