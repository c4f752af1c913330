"""From the AU45 that a model makes to lids that close as far and as long as its person's.

Speech hardly says when people blink. What a model learns of it by least squares are dips of the
lids in the right number and of half the depth, which are no blinks in the picture. So AU45 is
mapped level by level: what the model exceeds in p of its frames becomes what the person exceeds
in p of their frames (quantile mapping; Panofsky & Brier, Some Applications of Statistics to
Meteorology, 1968). What it exceeds is measured on speech of the person that it was not trained on
and, since its dips are shallower in another voice, on the recording itself. Levels alone would
close the lids too often, for a person closes them seldom and far, a model often and a little: a
closing is as deep as a blink only where that gives as many blinks as the person has.
Legend: n frames.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from scipy.signal import find_peaks

from toolkit.features.blink import ON_INTENSITY, find_blinks
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
        least: AU45, level by level the person's, that becomes the least of a blink.
    """

    identity: str
    made: Floats
    real: Floats
    least: float = ON_INTENSITY

    @classmethod
    def fit(
        cls, identity: str, made: Iterable[npt.ArrayLike], real: npt.ArrayLike, *, fps: int
    ) -> Self:
        """The map of one person.

        Args:
            identity: who.
            made: stretches (n,) of AU45 by a model that has not learnt them.
            real: (n,) measured AU45 of the person.
            fps: frames a second.

        Raises:
            ValueError: no frames of one or of the other.
        """
        parts = [np.asarray(part, np.float64) for part in made]
        smoothed = [_smooth(part) for part in parts]
        if not sum(map(len, smoothed)) or not np.size(real):
            raise ValueError("no frames to learn from how the lids move")
        levels = cls(
            identity=identity,
            made=np.quantile(np.concatenate(smoothed), LEVELS),
            real=np.quantile(np.asarray(real, np.float64), LEVELS),
        )
        mapped = [levels.apply(part) for part in parts if len(part)]
        num_frames = sum(map(len, mapped))
        target = len(find_blinks(real, fps)) * num_frames / np.size(real)

        def miss(least: float) -> tuple[float, float]:
            lids = replace(levels, least=least)
            found = sum(len(find_blinks(lids._deepen(part), fps)) for part in mapped)
            return abs(found - target), abs(least - ON_INTENSITY)

        depths = np.unique(np.concatenate([part[find_peaks(part)[0]] for part in mapped]))
        between = (depths[:-1] + depths[1:]) / 2
        return replace(levels, least=min((ON_INTENSITY, *between.tolist()), key=miss))

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
        return self._deepen(np.asarray(np.interp(smoothed, levels, real)))

    def _deepen(self, mapped: Floats) -> Floats:
        """What reaches `least` reaches `ON_INTENSITY` and is a blink; the range stays."""
        low, top = float(self.real[0]), float(self.real[-1])
        if not low < ON_INTENSITY < top or not low < self.least < top:
            return mapped
        return np.asarray(np.interp(mapped, [low, self.least, top], [low, ON_INTENSITY, top]))

    def to_state(self) -> dict[str, Any]:
        """Text and tensors alone, for a checkpoint."""
        tensors = {"made": torch.from_numpy(self.made), "real": torch.from_numpy(self.real)}
        return {"identity": self.identity, "least": self.least, **tensors}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        """What `to_state` gave."""
        return cls(
            identity=state["identity"],
            made=state["made"].numpy(),
            real=state["real"].numpy(),
            least=float(state.get("least", ON_INTENSITY)),
        )


def _smooth(au45: npt.ArrayLike) -> Floats:
    """AU45 (n,) without its fastest trembling."""
    return np.asarray(smooth_motion(np.asarray(au45)[:, None])[:, 0], np.float64)
