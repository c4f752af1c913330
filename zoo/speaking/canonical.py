"""Canonical landmarks of a video: speech moves the lips, a generator the eyes, silence nothing.

Legend: n frames of the video, b of a block, K taps of a frame.
"""

import math
from collections.abc import Iterator
from typing import Protocol

import numpy as np
import numpy.typing as npt

from zoo.data.contract import Contract
from zoo.data.landmarks import TAP_RATE, cut_taps
from zoo.landmarks.statistics import EYE_REGION68, LandmarkStatistics

Floats = npt.NDArray[np.float32]

BLOCK = 1024
"""Frames that are made at once."""


class LipModel(Protocol):
    """What moves landmarks by speech: an opened l-gan."""

    @property
    def statistics(self) -> LandmarkStatistics: ...
    @property
    def contract(self) -> Contract: ...
    @property
    def num_taps(self) -> int: ...
    @property
    def layout(self) -> str: ...

    def predict(self, taps: npt.ArrayLike) -> Floats:
        """Canonical landmarks (n, 68, 2) of scores (n, K, 29)."""


class EyeModel(Protocol):
    """What makes eyes blink: an opened blink-gan."""

    @property
    def backends(self) -> dict[str, str]: ...
    @property
    def layout(self) -> str: ...

    def sample(
        self, num_frames: int, fps: float, seed: int = 0, rate: float | None = None
    ) -> Floats:
        """Displacements (n, 22, 2) of the eye region."""


def speak(lips: LipModel, scores: npt.ArrayLike, voice: Floats, eyes: Floats) -> Iterator[Floats]:
    """Canonical landmarks (b, 68, 2) of block after block.

    The eye region is the blink generator's, all else the speech's; outside of speech the face
    is at rest.

    Args:
        lips: the model.
        scores: (n, 29) at the model's rate.
        voice: (n,) how far the mouth follows, 0 to 1.
        eyes: (n, 22, 2) displacements of the eye region.
    """
    values = np.asarray(scores, np.float32)
    fps, rest = lips.contract.fps, lips.statistics.canonical_neutral.astype(np.float32)
    reach = math.ceil(lips.num_taps * fps / TAP_RATE) + 1
    for first in range(0, len(values), BLOCK):
        last = min(first + BLOCK, len(values))
        start = max(0, first - reach)
        taps = cut_taps(values[start : last + reach], fps, lips.num_taps)
        moved = lips.predict(taps[first - start : last - start]) - rest
        moved *= voice[first:last, None, None]
        moved[:, EYE_REGION68] = eyes[first:last]
        yield rest + moved
