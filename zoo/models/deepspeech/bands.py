"""What the scores shall tell beside letters: how loud the speech is, and in which bands.

Scores that know letters alone say little between two letters, and nothing of how far a mouth is
open. Training therefore also asks that a linear map of them gives the bands of the clean recording,
before noise and rooms: unlikely letters have room for it, and the likeliest stays what it was.

Legend: T spectrogram frames (100 a second), K outputs (50 a second).
"""

import numpy as np
import numpy.typing as npt

EDGES = (2, 7, 13, 21, 31, 45, 65, 95, 140)
"""Bins (50 Hz each) between which the bands lie: 100 Hz to 7 kHz, equally wide to the ear."""

NUM_BANDS = len(EDGES) - 1

WEIGHT = 2.0
"""Of the mean squared error of the bands, beside the loss per letter: the sharper a network's
letters are, the less is left between them of how loud the speech is, and mouths follow that."""


def pool_bands(spectrogram: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """(K, 8) float32 of a normalised (161, T) spectrogram: its means over each band."""
    sums = np.add.reduceat(spectrogram[: EDGES[-1], ::2], EDGES[:-1], axis=0)
    means: npt.NDArray[np.float32] = (sums / np.diff(EDGES)[:, None]).T.astype(np.float32)
    return np.ascontiguousarray(means)
