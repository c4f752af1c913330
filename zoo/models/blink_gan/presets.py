"""Named variants of the blink generator, and what all have in common."""

from dataclasses import dataclass

RATE = 25
"""Frames a second of a window, whatever the dataset's clock: the rate of the paper's corpora."""

WINDOW = 75
"""T, frames of a window: 3 s."""

NOISE_SIZE = 10
"""Numbers of noise a frame."""

EYE_SIZE = 44
"""Numbers of a frame: x and y of 12 points of the eyes, then 10 of the brows."""

NUM_COMPONENTS = 8
"""Of the eyes' displacements in an untrained network; data need as many as hold 99 %."""


@dataclass(frozen=True, kw_only=True)
class Preset:
    """What a name stands for.

    Attributes:
        num_hidden: size of the recurrent state.
        learning_rate: the largest of a run.
        epochs: of a run.
    """

    num_hidden: int
    learning_rate: float
    epochs: int


PRESETS = {
    "paper": Preset(num_hidden=128, learning_rate=2e-4, epochs=200),
    "small": Preset(num_hidden=32, learning_rate=2e-3, epochs=20),
}
"""`paper` has the printed learning rate; `small` is for two cores and a few minutes."""
