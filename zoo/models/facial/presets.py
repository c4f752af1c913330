"""FACIAL-GAN's named variants: networks, losses and units that belong together."""

from dataclasses import dataclass

from zoo.training.options import find_preset


@dataclass(frozen=True, kw_only=True)
class Preset:
    """What a name stands for.

    Attributes:
        generator: "module:class".
        objective: "module:function" from the weight of the adversarial term to the losses.
        discriminator_width: its first channels.
        normalisation: kind of `zoo.data.Normalisation`.
        parts: of the generator, that may be left out.
    """

    generator: str = "zoo.models.facial.networks:Generator"
    objective: str = "zoo.models.facial.losses:make_paper_objective"
    discriminator_width: int = 64
    normalisation: str = "split"
    parts: tuple[str, ...] = ("temporal", "local")


PRESETS = {
    "paper": Preset(),
    "small": Preset(discriminator_width=16),
    "official": Preset(
        generator="zoo.models.facial.official:OfficialGenerator",
        objective="zoo.models.facial.official:make_official_objective",
        normalisation="clip",
        parts=(),
    ),
}
"""`paper`, as printed; `small`, the same with a discriminator a quarter as wide, for CPUs;
`official`, as the released code has it."""


def check_part(preset: str, part: str) -> None:
    """ValueError where a preset has no such part that may be left out; "": nothing is."""
    if part and part not in find_preset(PRESETS, preset).parts:
        raise ValueError(f"the {preset} preset has no ablations: take paper or small")
