"""Options of `zoo train l-gan`."""

from dataclasses import dataclass

from zoo.models.l_gan.presets import NUM_TAPS, PAPER_WEIGHTS, PRESETS, LossWeights
from zoo.training.options import ClipRunOptions, option


@dataclass(frozen=True, kw_only=True)
class LGanRecipe(ClipRunOptions):
    """Options of a run; those that the paper prints are its own (4.2)."""

    preset: str = option(
        "paper: VOCA's widths; small: half as wide.", default="paper", one_of=tuple(PRESETS)
    )
    epochs: int = option("An epoch is every frame once.", default=40, at_least=1)
    batch_size: int = option(
        "Stretches of consecutive frames of a step, over all processes.", default=6, at_least=1
    )
    window: int = option("Frames of a stretch.", default=32, at_least=2)
    taps: int = option(
        "Δt: scores around each frame, 33 ms from one to the next.", default=NUM_TAPS, at_least=1
    )
    learning_rate: float = option("Of Adam, for both networks.", default=2e-4, above=0)
    distance_weight: float = option("λ_dist of eq. 5.", default=PAPER_WEIGHTS.distance, at_least=0)
    regularisation_weight: float = option(
        "λ_reg of eq. 5.", default=PAPER_WEIGHTS.regularisation, at_least=0
    )
    direction_weight: float = option("λ_dir of eq. 5.", default=PAPER_WEIGHTS.direction, at_least=0)
    gan_weight: float = option(
        "λ_gan of eq. 5; 0 trains without a discriminator.", default=PAPER_WEIGHTS.gan, at_least=0
    )
    identity: str = option("Learn one person alone, with --holdout 0.2.", default="")

    @property
    def weights(self) -> LossWeights:
        """λ of eq. 5."""
        return LossWeights(
            distance=self.distance_weight,
            regularisation=self.regularisation_weight,
            direction=self.direction_weight,
            gan=self.gan_weight,
        )
