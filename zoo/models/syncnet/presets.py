"""Named variants of the judge: what it sees and how it is trained."""

from dataclasses import dataclass

WINDOW = 5
"""Frames of a window, 25 a second."""

NUM_ROWS, NUM_CEPSTRA = 20, 13
"""Of the sound of a window: 0.2 s at 100 a second."""

ROWS_PER_FRAME = 4


@dataclass(frozen=True, kw_only=True)
class Preset:
    """What a name stands for.

    Attributes:
        network: "module:class" without arguments.
        size: side of the pictures, px.
        channels: 1 grey, 3 blue, green, red, as the published network has them.
        framing: `mouth` or `face`, see `zoo.models.syncnet.faces`.
        learning_rate: the largest of a run.
        epochs: of a run.
    """

    network: str
    size: int
    channels: int
    framing: str
    learning_rate: float
    epochs: int


PRESETS = {
    "small": Preset(
        network="zoo.models.syncnet.networks:SmallSyncNet",
        size=48,
        channels=1,
        framing="mouth",
        learning_rate=1e-3,
        epochs=30,
    ),
    "published": Preset(
        network="zoo.models.syncnet.networks:SyncNet",
        size=224,
        channels=3,
        framing="face",
        learning_rate=1e-4,
        epochs=50,
    ),
}
"""`small` for a core of a CPU; `published` is the layout of syncnet_v2.model, with its inputs."""
