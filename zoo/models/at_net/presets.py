"""AT-net's named variants."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Preset:
    """What a name stands for.

    Attributes:
        landmarks: numbers of the two layers on the picture's landmarks.
        channels: of the five convolutions on the sound.
        sound: numbers of the two layers behind them.
        memory: units of each of the three recurrent layers.
        epochs: of a run.
        learning_rate: the largest of a run.
    """

    landmarks: tuple[int, int]
    channels: tuple[int, int, int, int, int]
    sound: tuple[int, int]
    memory: int
    epochs: int
    learning_rate: float


PRESETS = {
    "paper": Preset(
        landmarks=(256, 512),
        channels=(64, 128, 256, 256, 512),
        sound=(2048, 256),
        memory=256,
        epochs=10,
        learning_rate=2e-4,
    ),
    "small": Preset(
        landmarks=(64, 64),
        channels=(16, 32, 48, 48, 64),
        sound=(256, 128),
        memory=128,
        epochs=20,
        learning_rate=5e-4,
    ),
}
"""`paper`: sizes, epochs and rate of the released code, as the poster prints none; `small`: for two
cores."""
