"""FACIAL-GAN as a whole: its networks and losses by preset, and what a checkpoint holds.

Legend: B batch, T frames of a window, A numbers of speech features.
"""

import pkgutil
from pathlib import Path
from typing import Any

import torch
from torch import nn

from toolkit.errors import ToolkitError
from toolkit.schema import ARRAYS, SPEECH_FEATURES
from zoo.data import WINDOW, Normalisation
from zoo.data.contract import Contract
from zoo.models.facial import FAMILY
from zoo.models.facial.losses import PAPER_WEIGHTS, LossWeights, Objective
from zoo.models.facial.networks import Discriminator
from zoo.models.facial.official import OfficialGenerator
from zoo.models.facial.presets import PRESETS, check_features, check_part
from zoo.models.facial.released import make_released_model
from zoo.motion.head_map import HeadMap
from zoo.motion.lids import LidMap
from zoo.motion.model import MotionModel
from zoo.training.checkpoint import load_checkpoint
from zoo.training.options import find_preset


class FacialGan(nn.Module):
    """A generator, its discriminator and what they are trained for.

    Attributes:
        preset: one of `PRESETS`.
        stride: T must be a multiple of it.
        objective: the losses of the preset.
    """

    def __init__(self, preset: str, generator: nn.Module, objective: Objective) -> None:
        """Put together what `create_facial_gan` made."""
        super().__init__()
        self.preset = preset
        self.generator = generator
        self.discriminator = Discriminator(PRESETS[preset].discriminator_width)
        self.stride = int(generator.stride)  # type: ignore[arg-type]
        self.objective = objective

    def forward(self, audio: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
        """The generator's (B, T, 71) motion from (B, T + 15, A) audio and (B, 71) state."""
        motion: torch.Tensor = self.generator(audio, state)
        return motion


def create_facial_gan(
    preset: str = "paper",
    *,
    without: str = "",
    weights: LossWeights = PAPER_WEIGHTS,
    speech_features: str = SPEECH_FEATURES[0],
) -> FacialGan:
    """FACIAL-GAN with random weights.

    Args:
        preset: one of `PRESETS`.
        without: `temporal` leaves G_tem out, so that the FC sees c alone (ablation, Fig. 8);
            `local` leaves G_loc out, so that it sees z alone.
        weights: of the losses; without an adversarial term no discriminator is trained.
        speech_features: what it reads, one of `SPEECH_FEATURES`.

    Raises:
        ValueError: an unknown preset, part or features, or a part or other features of `official`.
    """
    chosen = find_preset(PRESETS, preset)
    check_part(preset, without)
    check_features(preset, speech_features)
    options: dict[str, Any] = {without: False} if without else {}
    if speech_features != SPEECH_FEATURES[0]:
        options["audio_size"] = ARRAYS[f"audio/{speech_features}"].shape[0]
    generator = pkgutil.resolve_name(chosen.generator)(**options)
    return FacialGan(preset, generator, pkgutil.resolve_name(chosen.objective)(weights))


def open_facial_gan(path: Path, device: torch.device | str = "cpu") -> MotionModel:
    """The generator of a checkpoint, one converted from the released code included.

    Raises:
        ToolkitError: no such checkpoint, or one of something else.
    """
    content = load_checkpoint(path, FAMILY.name)["model"]
    contract = Contract.from_state(content["contract"])
    model = create_facial_gan(
        content["preset"],
        without=content.get("without", ""),
        speech_features=contract.speech_features,
    )
    load_weights(model, content, path)
    if isinstance(model.generator, OfficialGenerator) and "normalisation" not in content:
        return make_released_model(path, model.generator, content, device)
    return MotionModel(
        path=path,
        network=model.generator.eval().to(device),
        normalisation=Normalisation.from_state(content["normalisation"]),
        contract=contract,
        lids=LidMap.from_state(content["lids"]) if content.get("lids") else None,
        head=HeadMap.from_state(content["head"]) if content.get("head") else None,
        window=content.get("window", WINDOW),
    )


def load_weights(
    model: FacialGan, content: dict[str, Any], path: Path, *, discriminator: bool = True
) -> None:
    """Put a checkpoint's weights into networks of the same preset; ToolkitError if of another.

    Its discriminator is left alone where there is none, or none is asked for.
    """
    try:
        model.generator.load_state_dict(content["generator"])
        if discriminator and "discriminator" in content:
            model.discriminator.load_state_dict(content["discriminator"])
    except RuntimeError as error:
        raise ToolkitError(
            f"{path}: is of preset {content['preset']}, not {model.preset}: name its --preset"
        ) from error
