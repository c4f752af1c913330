"""A checkpoint of FACIAL-GAN, opened."""

from pathlib import Path
from typing import Any

import torch

from toolkit.errors import ToolkitError
from zoo.data import Normalisation
from zoo.data.contract import Contract
from zoo.models.facial.presets import FacialGan, create_facial_gan
from zoo.motion.lids import LidMap
from zoo.motion.model import MotionModel
from zoo.training.checkpoint import load_checkpoint

KIND = "facial-gan"


def open_model(path: Path, device: torch.device | str = "cpu") -> MotionModel:
    """The generator of a checkpoint.

    Raises:
        ToolkitError: no such checkpoint, one of something else, or one without normalisation
            (converted from the released code: it cannot be fed from shards).
    """
    content = load_checkpoint(path, KIND)["model"]
    if "normalisation" not in content:
        raise ToolkitError(
            f"{path}: converted from the released code: it takes raw logits and its own motion "
            "layout, which shards do not hold; train a model with --preset official instead"
        )
    model = create_facial_gan(
        content["preset"],
        temporal=content["without"] != "temporal",
        local=content["without"] != "local",
    )
    load_weights(model, content, path)
    return MotionModel(
        path=path,
        network=model.generator.eval().to(device),
        normalisation=Normalisation.from_state(content["normalisation"]),
        contract=Contract.from_state(content["contract"]),
        lids=LidMap.from_state(content["lids"]) if content.get("lids") else None,
    )


def load_weights(model: FacialGan, content: dict[str, Any], path: Path) -> None:
    """Put a checkpoint's weights into networks of the same preset; ToolkitError if of another."""
    try:
        model.generator.load_state_dict(content["generator"])
        if "discriminator" in content:
            model.discriminator.load_state_dict(content["discriminator"])
    except RuntimeError as error:
        raise ToolkitError(
            f"{path}: is of preset {content['preset']}, not {model.preset}: name its --preset"
        ) from error
