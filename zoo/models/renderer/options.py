"""Options of `zoo train renderer`."""

import math
from dataclasses import dataclass
from pathlib import Path

from zoo.models.renderer.presets import PRESETS
from zoo.training.options import (
    AUTO,
    PERCEPTUAL,
    PERCEPTUAL_HELP,
    SURROUNDINGS,
    SURROUNDINGS_HELP,
    VGG_HELP,
    ClipRunOptions,
    check_judge,
    option,
)

DISCRIMINATOR_RATE = 1e-4
"""The most for the discriminator, whatever the generator's: at 4e-4 one in four trainings of small
lost it for good after 2,000 steps, and the heads stayed blurred."""

DECAY = 0.6
"""Share of the epochs, at their end, over which the learning rate falls: the last 30 of 50."""

BASE_SHARE = 1 / 3
"""Of the preset's epochs, where a run begins with another renderer."""

EVERYONE = "all"


@dataclass(frozen=True, kw_only=True)
class RendererRecipe(ClipRunOptions):
    """Options of a run; those of the preset paper are the paper's (section 5.1)."""

    identity: str = option("Who is to be learnt.", default="")
    people: tuple[str, ...] = option(
        "Instead of --identity, given several times: who is learnt for a base, which draws none of "
        "them: other runs begin with it. all: everyone.",
        default=(),
        metavar="NAME",
    )
    frames_per_person: int = option(
        "Frames of each person in an epoch. 0: all; of several people evenly, as many in all as "
        "there are.",
        default=0,
        at_least=0,
    )
    preset: str = option(
        "Networks and losses; small: for CPUs.", default="paper", one_of=tuple(PRESETS)
    )
    epochs: int = option(
        "An epoch is every item once. 0: the preset's; with --base a third of them.",
        default=0,
        at_least=0,
    )
    learning_rate: float = option(
        "Of Adam; the discriminator's is at most 1e-4. 0: the preset's.", default=0.0, at_least=0
    )
    batch_size: int = option("Items of a step, over all processes.", default=1, at_least=1)
    without: str = option(
        "Leave out the eye-attention map (eyes, Fig. 9).", default="", one_of=("", "eyes")
    )
    base: Path | None = option(
        "Checkpoint of another renderer to begin with, of anyone or of several people, as "
        "runs/other/best.pt.",
        default=None,
    )
    background: str = option(SURROUNDINGS_HELP, default=SURROUNDINGS[0], one_of=SURROUNDINGS)
    perceptual: str = option(PERCEPTUAL_HELP, default=AUTO, one_of=PERCEPTUAL)
    vgg: Path | None = option(VGG_HELP, default=None)

    def __post_init__(self) -> None:
        """Take the preset's epochs and rate, refuse what does not go together: ValueError."""
        super().__post_init__()
        check_judge(self.perceptual, self.vgg)
        if bool(self.identity) == bool(self.people):
            raise ValueError("give --identity NAME, or --people for a base of several people")
        preset = PRESETS[self.preset]
        if self.without and self.without not in preset.parts:
            raise ValueError(f"the {self.preset} preset has no ablations: take paper or small")
        share = 1 if self.base is None else BASE_SHARE
        object.__setattr__(self, "epochs", self.epochs or math.ceil(share * preset.epochs))
        object.__setattr__(self, "learning_rate", self.learning_rate or preset.learning_rate)

    @property
    def draws_whole(self) -> bool:
        """Whole frames are drawn, background and all."""
        return self.background == "full"

    @property
    def has_alpha(self) -> bool:
        """The generator gives an alpha."""
        return PRESETS[self.preset].alpha and not self.draws_whole

    def rates(self, epochs_done: float) -> dict[str, float]:
        """Learning rate of each network after so many epochs and a share of the next one.

        They fall linearly, to 0 at the end of the run.
        """
        scale = min(1.0, (1 - epochs_done / self.epochs) / DECAY)
        discriminator = min(self.learning_rate, DISCRIMINATOR_RATE)
        return {"generator": self.learning_rate * scale, "discriminator": discriminator * scale}
