"""Options of `zoo train vg-net`."""

from dataclasses import dataclass

from zoo.models.vg_net.presets import NUM_FRAMES, PRESETS
from zoo.training.options import ClipRunOptions, option

DISCRIMINATOR_SHARE = 0.25
"""Of the generator's learning rate, that the discriminator has by default."""

ABLATIONS = {
    "": (),
    "attention": ("attention", "dynamic"),
    "dynamic": ("dynamic",),
    "discriminator": ("discriminator",),
}
"""What each leaves out; without α there is nothing that the pixel-wise loss could follow."""


@dataclass(frozen=True, kw_only=True)
class VGNetRecipe(ClipRunOptions):
    """Options of a run; the preset paper's are those of the released code."""

    preset: str = option(
        "small: for CPUs; paper: the released code's sizes.",
        default="small",
        one_of=tuple(PRESETS),
    )
    epochs: int = option(
        "An epoch is every frame once, of small at most 6,400 of them. 0: the preset's.",
        default=0,
        at_least=0,
    )
    batch_size: int = option(
        "Windows of a step, over all processes. 0: the preset's.", default=0, at_least=0
    )
    window: int = option("T, consecutive frames of a window.", default=NUM_FRAMES, at_least=2)
    learning_rate: float = option(
        "Of Adam, for the generator. 0: the preset's.", default=0.0, at_least=0
    )
    discriminator_rate: float = option(
        "Of Adam, for the discriminator; 0: a quarter of the generator's. A fast one leaves the "
        "generator nothing to follow.",
        default=0.0,
        at_least=0,
    )
    warm_up: float = option(
        "Share of the epochs, at their start, of the pixel-wise loss alone.",
        default=0.2,
        at_least=0,
        below=1,
    )
    smoothing: float = option(
        "What the discriminator's target for real frames lacks to 1.",
        default=0.1,
        at_least=0,
        below=1,
    )
    ablate: str = option(
        "Leave out the attention (alpha and that of landmarks), the dynamic weight of pixels, or "
        "the discriminator.",
        default="",
        one_of=tuple(ABLATIONS),
    )
    identity: str = option("Learn one person alone, with --holdout 0.2.", default="")

    def __post_init__(self) -> None:
        """Take the preset's epochs, batch and rates: ValueError for values outside their limits."""
        super().__post_init__()
        preset = PRESETS[self.preset]
        object.__setattr__(self, "epochs", self.epochs or preset.epochs)
        object.__setattr__(self, "batch_size", self.batch_size or preset.batch_size)
        rate = self.learning_rate or preset.learning_rate
        object.__setattr__(self, "learning_rate", rate)
        slower = self.discriminator_rate or DISCRIMINATOR_SHARE * rate
        object.__setattr__(self, "discriminator_rate", slower)

    def leaves_out(self, part: str) -> bool:
        """Whether it trains without `attention`, `dynamic` or `discriminator`."""
        return part in ABLATIONS[self.ablate]
