"""What an extractor is: from one clip to stored arrays, one row per frame."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from toolkit.schema import ClipInput, Provenance

Arrays = dict[str, npt.NDArray[np.generic]]


class Extractor(ABC):
    """A feature from one backend. Models load in `__init__`, once per worker.

    Attributes:
        arrays: names in `toolkit.schema.ARRAYS` that `extract` returns. Any extractor may also
            return `face/valid`, which is combined (and) with that of the others.
        constants: values in the code that shape its numbers. A test pins them to the version of
            `provenance`: a change of one needs a new version, so that datasets cannot mix.
    """

    arrays: tuple[str, ...]
    constants: ClassVar[tuple[object, ...]] = ()

    @abstractmethod
    def provenance(self) -> Provenance:
        """Name, version and weights of what this extractor runs."""

    def fit(self, clips: Iterable[ClipInput]) -> None:  # noqa: B027  nothing to do is a default
        """See all clips of one source before the first `extract` (calibration)."""

    @abstractmethod
    def extract(self, clip: ClipInput) -> Arrays:
        """Arrays of one clip: frame arrays have exactly `clip.num_frames` rows, finite."""
