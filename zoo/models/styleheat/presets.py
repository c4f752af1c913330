"""Named variants of StyleHEAT's networks, and weights of its losses."""

from dataclasses import dataclass

NUM_COEFFICIENTS, RADIUS = 73, 13
"""Of a frame; and frames either side of it that a window has."""

NUM_FRAMES = 2 * RADIUS + 1

DESCRIPTOR = 256
"""Numbers that a window of motion or sound is squeezed into."""


@dataclass(frozen=True, kw_only=True)
class LossWeights:
    """The printed weights, of eqs. 1 to 5 of the supplement and its section 3.1.

    Attributes:
        pixel: λ1, of the absolute error beside the perceptual term, everywhere.
        regular: λr of eq. 4, what may not change outside the mouth.
        sync: λs of eq. 4.
        domain: λd of eq. 5.
        adversarial: λadv of eq. 5.
        motion: β of eq. 5, of the motion generator that is trained beside the calibration network.
    """

    pixel: float = 10.0
    regular: float = 0.1
    sync: float = 1.0
    domain: float = 0.01
    adversarial: float = 0.1
    motion: float = 0.01


WEIGHTS = LossWeights()


@dataclass(frozen=True, kw_only=True)
class Preset:
    """What a name stands for.

    Attributes:
        side: of the picture that a motion generator sees, px.
        width: channels of the hourglass where the picture enters; each layer doubles them.
        most: channels at most.
        layers: that halve the side; three double it again, to 64 px.
        mapped: channels of the convolutions over time.
        calibration: channels of the calibration network.
        heads: levels from 64 px down for which it makes a scale and a shift; the first alone
            reaches the generator.
        discriminator: channels of its maps of 4, 8, … px, the last those of the side of the
            pictures that it sees; larger ones are averaged down.
        scales: sizes at which pictures are compared, each half of the one before.
        batch_size: frames of a step.
        rate: of Adam, of the motion generators in stage 1 and the calibration network in stage 2.
        motion_rate: of the motion generator in stage 2.
        epoch_steps: steps of an epoch.
        epochs: of stage 1.
        joint_epochs: of stage 2.
    """

    side: int
    width: int
    most: int
    layers: int
    mapped: int
    calibration: int
    heads: int
    discriminator: tuple[int, ...]
    scales: int
    batch_size: int
    rate: float
    motion_rate: float
    epoch_steps: int
    epochs: int
    joint_epochs: int


PRESETS = {
    "small": Preset(
        side=64,
        width=24,
        most=96,
        layers=3,
        mapped=96,
        calibration=32,
        heads=1,
        discriminator=(96, 96, 96, 64, 48, 32),
        scales=1,
        batch_size=5,
        rate=1e-3,
        motion_rate=2e-4,
        epoch_steps=200,
        epochs=20,
        joint_epochs=5,
    ),
    "paper": Preset(
        side=256,
        width=32,
        most=256,
        layers=5,
        mapped=256,
        calibration=256,
        heads=4,
        discriminator=(512, 512, 512, 512, 512, 256, 128),
        scales=4,
        batch_size=20,
        rate=1e-4,
        motion_rate=2e-5,
        epoch_steps=2000,
        epochs=100,
        joint_epochs=10,
    ),
}
"""`small` for a core of a CPU; `paper` has the printed settings, 200,000 and 20,000 steps, and the
released code's sizes, which the supplement does not print."""
