"""FACIAL-GAN's named variants: networks, losses and units that belong together."""

from dataclasses import dataclass

from toolkit.schema import SPEECH_FEATURES
from zoo.training.options import find_preset


@dataclass(frozen=True, kw_only=True)
class LossWeights:
    """ω1 to ω6 (section 5.1).

    Attributes:
        expression: ω1.
        pose: ω2.
        eye: ω3.
        state: ω4, of the first frame against the initial state.
        motion: ω5, of the steps between frames against the frames.
        gan: ω6; 0 leaves the discriminator out.
    """

    expression: float = 2
    pose: float = 1
    eye: float = 5
    state: float = 10
    motion: float = 10
    gan: float = 0.1


PAPER_WEIGHTS = LossWeights()

PAPER_WINDOW, PAPER_STRIDE = 128, 5
"""`WINDOW` and `STRIDE` of `zoo.data`, which would import torch with every `--help`."""


@dataclass(frozen=True, kw_only=True)
class Preset:
    """What a name stands for.

    Attributes:
        generator: "module:class".
        objective: "module:function" from `LossWeights` to the losses.
        discriminator_width: its first channels.
        normalisation: kind of `zoo.data.Normalisation`.
        parts: of the generator, that may be left out.
        weighted: whether ω1 to ω5 may be chosen.
        multiple: that T is one of.
        learning_rate: of Adam, for both networks.
        stride: frames between the starts of windows.
        last_window: whether a clip's last window is trained on.
        any_features: whether speech features other than the scores may be chosen.
        averaged: whether a running mean of the generator's weights may be kept.
        fresh_discriminator: fine-tuning begins with a new one, not with the base model's.
        epochs, batch_size: of general training.
        tuning_epochs, tuning_batch_size: of fine-tuning.
    """

    generator: str = "zoo.models.facial.networks:Generator"
    objective: str = "zoo.models.facial.losses:make_paper_objective"
    discriminator_width: int = 64
    normalisation: str = "split"
    parts: tuple[str, ...] = ("temporal", "local")
    weighted: bool = True
    multiple: int = 4
    learning_rate: float = 1e-4
    stride: int = PAPER_STRIDE
    last_window: bool = True
    any_features: bool = True
    averaged: bool = True
    fresh_discriminator: bool = False
    epochs: int = 50
    batch_size: int = 64
    tuning_epochs: int = 10
    tuning_batch_size: int = 16


PRESETS = {
    "paper": Preset(),
    "small": Preset(discriminator_width=16),
    "official": Preset(
        generator="zoo.models.facial.official:OfficialGenerator",
        objective="zoo.models.facial.official:make_official_objective",
        normalisation="clip",
        parts=(),
        weighted=False,
        multiple=32,
        learning_rate=1e-5,
        stride=1,
        last_window=False,
        any_features=False,
        averaged=False,
        fresh_discriminator=True,
        epochs=11,
        batch_size=16,
        tuning_epochs=11,
    ),
}
"""`paper`, as printed (section 5.1); `small`, the same with a discriminator a quarter as wide, for
CPUs; `official`, as the released code has it, which fine-tunes alone: general training is done in
the same way."""


def check_features(preset: str, speech_features: str) -> None:
    """ValueError for none of `SPEECH_FEATURES`, or for one that a preset does not read."""
    if speech_features not in SPEECH_FEATURES:
        known = ", ".join(SPEECH_FEATURES)
        raise ValueError(f"no speech features {speech_features!r}: choose from {known}")
    if speech_features != SPEECH_FEATURES[0] and not find_preset(PRESETS, preset).any_features:
        raise ValueError(
            f"the {preset} preset reads the scores alone, as the released code: take paper or "
            f"small with {speech_features}"
        )


def check_part(preset: str, part: str) -> None:
    """ValueError where a preset has no such part that may be left out; "": nothing is."""
    if part and part not in find_preset(PRESETS, preset).parts:
        raise ValueError(f"the {preset} preset has no ablations: take paper or small")
