"""A trained generator as a checkpoint holds it, ready to make motion."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from toolkit.errors import ToolkitError
from zoo.data import POSE, MotionClip, Normalisation
from zoo.data.contract import Contract
from zoo.models.facial.presets import FacialGan, create_facial_gan
from zoo.motion.generate import generate_motion
from zoo.motion.lids import LidMap
from zoo.training.checkpoint import load_checkpoint

KIND = "facial-gan"

Motion = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class MotionModel:
    """What a run of FACIAL-GAN learnt.

    Attributes:
        path: of the checkpoint.
        network: the generator, on its device.
        normalisation: it was trained with.
        contract: what it can be fed with.
        lids: how its AU45 becomes that of the person it was fine-tuned to; None of a base model.
    """

    path: Path
    network: torch.nn.Module
    normalisation: Normalisation
    contract: Contract
    lids: LidMap | None = None

    def find_identity(self, name: str | None) -> str:
        """An identity whose rest pose is known: `name`, or the only one there is.

        Raises:
            ToolkitError: there is no such identity, or none is named and there are several.
        """
        known = sorted(self.normalisation.pose_means)
        if name in known:
            return str(name)
        if name is None and len(known) == 1:
            return known[0]
        asked = f"does not know {name!r}" if name else "knows several identities"
        raise ToolkitError(f"{self.path}: {asked}: name one with --identity: {', '.join(known)}")

    def generate(
        self,
        audio: npt.ArrayLike,
        *,
        identity: str | None = None,
        initial: MotionClip | None = None,
        smooth: bool = False,
    ) -> Motion:
        """Motion (n, 71) in stored units for scores (n, 29), of any length.

        Args:
            audio: as shards store it.
            identity: about whose mean pose the head moves; may be left out where there is one.
            initial: begin with the first frame of this clip, and move about its mean pose.
            smooth: without the fastest trembling; see `smooth_motion`.
        """
        known = self.normalisation
        if initial is None:
            name = self.find_identity(identity)
            mean, deviation, state = known.pose_means[name], known.pose_deviations[name], None
        else:
            pose = initial.motion[:, POSE]
            mean, deviation = pose.mean(axis=0), np.maximum(pose.std(axis=0), 1e-4)
            state = known.normalise_motion(initial)[0]
        return generate_motion(
            self.network,
            known,
            audio,
            pose_mean=mean,
            pose_deviation=None if known.kind == "split" else deviation,
            state=state,
            smooth=smooth,
        )


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
