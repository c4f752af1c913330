"""Expression as a function of the local window and of two seconds around it.

n frames, H hidden units, K = 64 components.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from zoo.data import CONTEXT, EXPRESSION, pad_audio
from zoo.synthetic.speech import Scores

Curve = npt.NDArray[np.float64]

SCALE = 1.2
"""Deviation of the first component, about; the others' fall off to a twentieth of it."""

_HIDDEN, _CONTEXTS = 8, 4
_GAINS = (3.0, 2.5)
_SHARES = (0.8, 0.6)
"""Weights of the local window and of the two seconds."""

_REACH = 30


class MouthMap:
    """A random two-layer tanh map of the window (16, 29), plus a term of two seconds.

    Every hidden unit looks at one mixture of symbols at one moment of the window, over some
    frames. Sums before a tanh are scaled to one deviation times a gain on the given speech, so
    that the map is as far from linear whatever acoustic model made the scores.
    """

    def __init__(self, speech: Sequence[Scores], seed: int) -> None:
        """Draw the map and scale it on (n, 29) scores."""
        rng = np.random.default_rng([seed, 2])
        everything = np.concatenate(speech)
        num_components = EXPRESSION.stop
        self._mean, self._scale = everything.mean(axis=0), everything.std(axis=0) + 1e-4
        self._symbols = rng.normal(size=(everything.shape[1], _HIDDEN))
        self._moments = _draw_moments(rng)
        self._bias = rng.normal(0, 0.5, _HIDDEN)
        self._mix = rng.normal(size=(_HIDDEN, num_components))
        self._slow = rng.normal(size=(everything.shape[1], _CONTEXTS))
        self._slow_mix = rng.normal(size=(_CONTEXTS, num_components)) / np.sqrt(_CONTEXTS)
        self.scales = SCALE * np.maximum(np.exp(-np.arange(num_components) / 10), 0.05)
        self._norms = [np.ones(_HIDDEN), np.ones(num_components), np.ones(_CONTEXTS)]
        for layer in range(len(self._norms)):
            sums = np.concatenate([self._sum(layer, scores) for scores in speech])
            self._norms[layer] = sums.std(axis=0) + 1e-9

    def __call__(self, scores: Scores) -> Curve:
        """(n, 64) noise-free expression of (n, 29) scores, standard deviations."""
        local = np.tanh(_GAINS[1] * self._sum(1, scores))
        slow = np.tanh(_GAINS[0] * self._sum(2, scores)) @ self._slow_mix
        return np.asarray((_SHARES[0] * local + _SHARES[1] * slow) * self.scales)

    def _sum(self, layer: int, scores: Scores) -> Curve:
        """What goes into a tanh: of the hidden units, the components, the two seconds."""
        if layer == 1:
            hidden = np.tanh(_GAINS[0] * self._sum(0, scores) + self._bias)
            return np.asarray(hidden @ self._mix / self._norms[1])
        standard = (scores - self._mean) / self._scale
        if layer == 0:
            mixed = pad_audio(np.asarray(standard, np.float32)) @ self._symbols
            windows = np.lib.stride_tricks.sliding_window_view(mixed, sum(CONTEXT) + 1, axis=0)
            return np.asarray(np.einsum("nhw,hw->nh", windows, self._moments) / self._norms[0])
        kernel = np.hanning(2 * _REACH + 3)[1:-1]
        mixed = standard @ self._slow
        slow = [np.convolve(column, kernel)[_REACH:-_REACH] for column in mixed.T]
        return np.asarray(np.stack(slow, axis=1) / self._norms[2])


def _draw_moments(rng: np.random.Generator) -> Curve:
    """(H, 16) bumps of random place and width: speech moves a mouth smoothly."""
    width = sum(CONTEXT) + 1
    centre = rng.uniform(4, 12, (_HIDDEN, 1))
    spread = rng.uniform(1.5, 3, (_HIDDEN, 1))
    return np.asarray(np.exp(-0.5 * ((np.arange(width) - centre) / spread) ** 2))
