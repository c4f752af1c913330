"""Named variants of StyleHEAT's prior: sizes of its networks and weights of its losses."""

from dataclasses import dataclass

from zoo.stylegan.sizes import PUBLISHED_WIDTHS, PriorSizes


@dataclass(frozen=True, kw_only=True)
class LossWeights:
    """Of the terms; the supplement trains no prior and prints none.

    Attributes:
        pixel: of the absolute error, with F.
        coarse: of the absolute error by w+ alone, so that w+ holds as much of a face as it can.
        perceptual: of the distance between features.
        identity: of the squared distance between a face recogniser's numbers; at 1 its gradient
            is larger than that of the errors, as long as pictures are soft.
        adversarial: of the non-saturating loss.
        penalty: γ of R1, whose half counts.
    """

    pixel: float = 10.0
    coarse: float = 10.0
    perceptual: float = 1.0
    identity: float = 0.2
    adversarial: float = 0.1
    penalty: float = 1.0


WEIGHTS = LossWeights()

PENALTY_STEPS = 16
"""R1 is measured in one step of so many, and counts as many times then (StyleGAN2, 4.3)."""

MEMORY = 10_000
"""Pictures after which half of the weights' running mean is new (StyleGAN2)."""


@dataclass(frozen=True, kw_only=True)
class Preset:
    """What a name stands for.

    Attributes:
        sizes: of generator and encoders.
        discriminator: channels of its maps of 4, 8, … px.
        packed: by how many pixels a side the discriminator's pictures are packed into channels.
        samples: faces of noise in a step, over all processes; where these are more, each draws
            one, which counts less.
        batch_size: pictures of a step.
        epochs: of a training.
        epoch_pictures: the most in an epoch, drawn anew in each; 0: all there are.
        coarse_pictures: that w+ alone learns to draw at first, without F and discriminator: F,
            which sees every pixel, would leave w+ next to nothing to learn.
        learning_rate: of Adam.
    """

    sizes: PriorSizes
    discriminator: tuple[int, ...]
    packed: int
    samples: int
    batch_size: int
    epochs: int
    epoch_pictures: int
    coarse_pictures: int
    learning_rate: float


PRESETS = {
    "small": Preset(
        sizes=PriorSizes(
            generator=(128, 128, 128, 96, 48, 24), encoder=(48, 64, 96, 128, 128), mapping=4
        ),
        discriminator=(128, 128, 96, 64, 32),
        packed=2,
        samples=1,
        batch_size=4,
        epochs=9,
        epoch_pictures=1000,
        coarse_pictures=5000,
        learning_rate=2e-3,
    ),
    "paper": Preset(
        sizes=PriorSizes(generator=PUBLISHED_WIDTHS[:7], encoder=(128, 256, 512, 512, 512)),
        discriminator=PUBLISHED_WIDTHS[:7],
        packed=1,
        samples=4,
        batch_size=16,
        epochs=200,
        epoch_pictures=0,
        coarse_pictures=100_000,
        learning_rate=2e-3,
    ),
}
"""`small` of 128 px for a core of a CPU; `paper` of 256 px, whose maps at 64 px have the shape of
the published generator's of 1024 px, so that what is built on them has the published sizes."""
