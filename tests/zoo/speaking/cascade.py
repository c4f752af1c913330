"""Stand-ins of the cascaded system's models: what they do is known by hand.

The l-gan lowers the jaw by how likely the blank is not; the blink-gan's eyes close and open; the
t-gan draws the landmarks that it is given.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.faces import MODEL
from toolkit.features.deepspeech import DeepSpeech
from toolkit.features.landmarks import FaceMesh
from zoo.data import describe_backend
from zoo.data.contract import Contract
from zoo.data.landmarks import LAYOUT, MESH68
from zoo.landmarks.align import average_shapes, view68
from zoo.landmarks.raster import draw_landmarks
from zoo.landmarks.statistics import EYE_REGION68, LandmarkStatistics

SIZE, FPS = 64, 25
REST = average_shapes(view68(MODEL.mean_shape)[None])
LOWER = [*range(4, 13), *range(54, 60), *range(64, 68)]
"""Jaw and lower lip."""

MESH = describe_backend(FaceMesh.provenance())


def make_statistics() -> LandmarkStatistics:
    return LandmarkStatistics(
        canonical_neutral=REST, displacement_mean=np.zeros(136),
        displacement_pcs=np.eye(136)[:33], eye_mean=np.zeros(44), eye_pcs=np.eye(44)[:4],
        eye_min=np.zeros(44), eye_max=np.zeros(44),
    )  # fmt: skip


class Lips:
    """Opens the mouth always, and more where a letter is heard; moves the eyes as well."""

    num_taps = 6

    def __init__(self, layout: str = MESH68, backend: str = MESH, fps: int = FPS) -> None:
        self.layout, self.statistics = layout, make_statistics()
        made = {"deepspeech": describe_backend(DeepSpeech().provenance()), "landmarks": backend}
        self.contract = Contract(layout=LAYOUT, fps=fps, scale="log_prob", backends=made)
        self.asked: list[npt.NDArray[np.float32]] = []

    def predict(self, taps: npt.ArrayLike) -> npt.NDArray[np.float32]:
        scores = np.asarray(taps, np.float32)
        self.asked.append(scores)
        opening = 0.05 + 0.1 * (1 - np.exp(scores[:, 3, 28]))
        points = np.repeat(REST[None], len(scores), axis=0).astype(np.float32)
        points[:, LOWER, 1] += opening[:, None]
        points[:, EYE_REGION68] += 0.5
        return points


class Eyes:
    """One blink of `WIDTH` frames every 2 s, at first after so many frames as the seed is."""

    def __init__(self, layout: str = MESH68, backend: str = MESH) -> None:
        self.layout, self.backends = layout, {"landmarks": backend}
        self.rates: list[float | None] = []

    def sample(
        self, num_frames: int, fps: float, seed: int = 0, rate: float | None = None
    ) -> npt.NDArray[np.float32]:
        self.rates.append(rate)
        shut = (np.arange(num_frames) - seed) % int(2 * fps) < 4
        moved = np.zeros((num_frames, 22, 2), np.float32)
        moved[shut, :, 1] = 0.04
        return moved


class Faces:
    """Draws landmarks as they are; `meshes`: it was fine-tuned to whom they are of."""

    identity, size = "bob", SIZE

    def __init__(
        self, meshes: Any = None, layout: str = MESH68, backend: str = MESH, *, tuned: bool = False
    ) -> None:
        self.path, self.layout, self.landmarks = Path("tgan.pt"), layout, backend
        self.meshes, self.texture = meshes, "bob's" if tuned else None
        self.asked: list[npt.NDArray[np.float64]] = []
        self.textures: list[Any] = []

    def embed(self, pictures: npt.ArrayLike, landmarks: npt.ArrayLike) -> Any:
        return f"of {len(np.asarray(pictures))} at {np.asarray(pictures).shape[1]}"

    def draw(
        self, landmarks: npt.ArrayLike, texture: Any = None
    ) -> Iterator[npt.NDArray[np.uint8]]:
        self.textures.append(texture)
        for points in np.asarray(landmarks):
            self.asked.append(points)
            yield draw_landmarks(points, SIZE)
