"""Named variants of the texture GAN: sizes of its networks and of its tasks."""

from dataclasses import dataclass

NUM_BLOCKS = 6
"""Residual blocks of each encoder, of the decoder and of the discriminator (section 4.3)."""

LEAST_SIDE = 4
"""Side of the bottleneck: 256 px halved six times. Smaller pictures reach it earlier, and the
blocks that are left keep it."""

ATTENTION_SIDE = 32
"""Side of the maps that attention follows, down and up (section 4.3)."""

NUM_REFERENCES = 5
"""N, pictures of the person that the texture is taken from in use (section 4.3)."""

NUM_PICTURES = 20
"""K, pictures that fine-tuning learns from (section 3.4)."""

FINETUNING_EPOCHS = 10
"""Section 4.3 and Table 4."""


@dataclass(frozen=True, kw_only=True)
class Preset:
    """What a name stands for.

    Attributes:
        size: side of the pictures, px.
        widths: channels behind each block of the encoders; the decoder has them in reverse. The
            paper prints none.
        packed: four pixels are one of four times the channels where they enter and leave, so that
            nothing is convolved at full resolution.
        half_size_judge: the feature term looks at pictures of half the size.
        references: N in a step of training, which the paper does not print.
        support, queries: d_trn and d_qry, pictures of a task; the paper prints neither.
        finetuning_batch: pictures of a step of fine-tuning.
        epochs: of a training; one is every subject once.
    """

    size: int
    widths: tuple[int, int, int, int, int, int]
    packed: bool = False
    half_size_judge: bool = False
    references: int = NUM_REFERENCES
    support: int = 8
    queries: int = 8
    finetuning_batch: int = 1
    epochs: int = 200


PRESETS = {
    "small": Preset(
        size=128,
        widths=(16, 32, 64, 128, 128, 128),
        packed=True,
        half_size_judge=True,
        references=2,
        support=4,
        queries=4,
        finetuning_batch=4,
        epochs=50,
    ),
    "paper": Preset(size=256, widths=(64, 128, 256, 512, 512, 512)),
}
"""`small` for two cores of a CPU, a quarter as wide; `paper` in the paper's size."""
