"""VG-net's named variants, and weights of its loss."""

from dataclasses import dataclass

SIZE = 128
"""Side of the pictures, px."""

GRID = 8
"""Side of the maps that landmarks are laid out in, and of the coarsest of a picture."""

NUM_COORDINATES = 136
"""Of 68 points: x and y of the first, then of the next."""

NUM_FRAMES = 16
"""T, of a window in training."""


@dataclass(frozen=True, kw_only=True)
class LossWeights:
    """Weights of the terms: the released code's; the poster prints β alone, as a letter.

    Attributes:
        pixel: of the pixel-wise loss.
        base: β, which is added to α in it.
        adversarial: of the cross-entropy.
        landmark: of the landmarks that the discriminator reads.
        mouth: what the residuals of the mouth's y are multiplied by before they are squared.
    """

    pixel: float = 10.0
    base: float = 0.5
    adversarial: float = 1.0
    landmark: float = 1.0
    mouth: float = 100.0


WEIGHTS = LossWeights()


@dataclass(frozen=True, kw_only=True)
class DiscriminatorSizes:
    """Of the regression discriminator.

    Attributes:
        packed: by how many pixels a side these are packed into channels where they enter.
        widths: channels behind each convolution, of which each halves the side.
        features: numbers of a frame.
        landmarks: numbers behind each layer for the picture's landmarks.
        hidden: of each of three recurrent layers.
        unused: numbers of the layer between, of a part that the released code makes and never
            uses; 0: there is none.
    """

    packed: int
    widths: tuple[int, ...]
    features: int
    landmarks: tuple[int, int]
    hidden: int
    unused: int = 0


@dataclass(frozen=True, kw_only=True)
class Preset:
    """What a name stands for.

    Attributes:
        packed: four pixels are one of four times the channels where they enter and leave, so that
            nothing is convolved at full resolution.
        image: channels behind each convolution of the picture: at 128 (packed: none), 64, 32, 16
            and 8 px.
        landmarks: channels behind each convolution of landmarks, at 8 px.
        attention: channels of the landmark attention, at 16 and 32 px.
        fused: channels in which picture and landmarks come together.
        hidden: channels of the recurrent layer and of the residual blocks, at 8 px.
        blocks: residual ones.
        decoder: channels at 16, 32, 64 and (packed: not) 128 px.
        dropout: behind the recurrent layer and within residual blocks.
        discriminator: its sizes.
        epochs: of a training.
        epoch_windows: the most in an epoch, drawn anew in each; 0: all there are.
        batch_size: windows of a step.
        learning_rate: of the generator.
        falls: whether the learning rates fall to 0 by a cosine.
    """

    packed: bool
    image: tuple[int, int, int, int, int]
    landmarks: tuple[int, int]
    attention: tuple[int, int]
    fused: int
    hidden: int
    blocks: int
    decoder: tuple[int, int, int, int]
    dropout: float
    discriminator: DiscriminatorSizes
    epochs: int
    epoch_windows: int
    batch_size: int
    learning_rate: float
    falls: bool


PRESETS = {
    "small": Preset(
        packed=True,
        image=(0, 48, 64, 128, 192),
        landmarks=(64, 128),
        attention=(64, 32),
        fused=96,
        hidden=160,
        blocks=4,
        decoder=(96, 64, 32, 0),
        dropout=0.0,
        discriminator=DiscriminatorSizes(
            packed=4, widths=(64, 128, 192), features=128, landmarks=(64, 128), hidden=128
        ),
        epochs=16,
        epoch_windows=400,
        batch_size=4,
        learning_rate=5e-4,
        falls=True,
    ),
    "paper": Preset(
        packed=False,
        image=(64, 64, 128, 256, 512),
        landmarks=(256, 512),
        attention=(256, 128),
        fused=128,
        hidden=512,
        blocks=9,
        decoder=(256, 128, 64, 32),
        dropout=0.5,
        discriminator=DiscriminatorSizes(
            packed=1, widths=(64, 128, 256, 512), features=512, landmarks=(256, 512), hidden=256,
            unused=512,
        ),
        epochs=5,
        epoch_windows=0,
        batch_size=10,
        learning_rate=2e-4,
        falls=False,
    ),
}  # fmt: skip
"""`small` for one core of a CPU, `paper` in the sizes of the released code."""
