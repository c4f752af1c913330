"""From the AU45 that a model makes to lids that close as far and as long as its person's.

Speech hardly says when people blink. What a model learns of it by least squares are dips of the
lids in the right number and of half the depth, which are no blinks in the picture. So AU45 is
mapped level by level: what the model exceeds in p of its frames becomes what the person exceeds
in p of their frames (quantile mapping; Panofsky & Brier, Some Applications of Statistics to
Meteorology, 1968). What it exceeds is measured on speech of the person that it was not trained on
and, since its dips are shallower in another voice, on the recording itself. Legend: n frames.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch

from zoo.motion.generate import smooth_motion

Floats = npt.NDArray[np.float64]

LEVELS = np.linspace(0, 1, 501)

SETTLED = 128
"""Frames of a recording whose own levels count as much as those of the person's speech."""


@dataclass(frozen=True, eq=False)
class LidMap:
    """Quantiles of AU45 at `LEVELS`, ascending, of one person.

    Attributes:
        identity: who.
        made: (501,) by the model, smoothed.
        real: (501,) of the person.
    """

    identity: str
    made: Floats
    real: Floats

    @classmethod
    def fit(cls, identity: str, made: Iterable[npt.ArrayLike], real: npt.ArrayLike) -> Self:
        """The map of one person.

        Args:
            identity: who.
            made: stretches (n,) of AU45 by a model that has not learnt them.
            real: (n,) measured AU45 of the person.

        Raises:
            ValueError: no frames of one or of the other.
        """
        smoothed = [_smooth(part) for part in made]
        if not sum(map(len, smoothed)) or not np.size(real):
            raise ValueError("no frames to learn from how the lids move")
        return cls(
            identity=identity,
            made=np.quantile(np.concatenate(smoothed), LEVELS),
            real=np.quantile(np.asarray(real, np.float64), LEVELS),
        )

    def apply(self, au45: npt.ArrayLike) -> Floats:
        """AU45 (n,) as the person's lids would show it, in the range of the person's own.

        It is smoothed first (`smooth_motion`), for the map steepens what trembles; the height that
        a blink loses by it the map gives back.
        """
        smoothed = _smooth(au45)
        share = len(smoothed) / (len(smoothed) + SETTLED)
        made = (1 - share) * self.made + share * np.quantile(smoothed, LEVELS)
        levels, which = np.unique(made, return_inverse=True)
        real = np.bincount(which, self.real) / np.bincount(which)  # of equal levels the mean
        return np.asarray(np.interp(smoothed, levels, real))

    def to_state(self) -> dict[str, Any]:
        """Text and tensors alone, for a checkpoint."""
        tensors = {"made": torch.from_numpy(self.made), "real": torch.from_numpy(self.real)}
        return {"identity": self.identity, **tensors}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """What `to_state` gave."""
        return cls(
            identity=state["identity"], made=state["made"].numpy(), real=state["real"].numpy()
        )


def _smooth(au45: npt.ArrayLike) -> Floats:
    """AU45 (n,) without its fastest trembling."""
    return np.asarray(smooth_motion(np.asarray(au45)[:, None])[:, 0], np.float64)
