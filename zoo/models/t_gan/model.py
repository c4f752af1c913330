"""A trained texture GAN as a checkpoint holds it, ready to draw.

Legend: n frames of a motion, N pictures that the texture is taken from, H the side of a picture.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from toolkit.errors import ToolkitError
from zoo.data.landmarks import MESH68
from zoo.models.t_gan import FAMILY
from zoo.models.t_gan.batches import draw_rasters
from zoo.models.t_gan.networks import Generator, create_generator, place_network
from zoo.models.t_gan.options import ABLATIONS
from zoo.models.t_gan.pictures import Picture
from zoo.models.t_gan.spectral import fold_gains
from zoo.training.checkpoint import load_checkpoint
from zoo.training.pictures import to_pictures, to_tensor


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainedTGan:
    """What a run of `zoo train t-gan` or of its fine-tuning learnt.

    Attributes:
        path: of the checkpoint.
        preset: `small` or `paper`.
        size: H.
        landmarks: what measured the landmarks that it knows.
        layout: which 68 points these are, as `zoo.data.landmarks.MESH68`.
        judges: which networks compared features in training.
        identity: whom it was fine-tuned to; "": it was not.
        texture: of the pictures that it was fine-tuned by, as `draw` takes it; None: of none.
        meshes: (K, 478, 3) px of those pictures; None: unknown.
        trained_on: whose pictures the base learnt from.
        generator: on its device, its gains folded into its weights.
        device: where it draws.
    """

    path: Path
    preset: str
    size: int
    landmarks: str
    layout: str
    judges: dict[str, str]
    identity: str
    texture: Tensor | None
    meshes: npt.NDArray[np.float32] | None
    trained_on: tuple[str, ...]
    generator: Generator
    device: torch.device

    def embed(self, pictures: npt.ArrayLike, landmarks: npt.ArrayLike) -> Tensor:
        """The texture of N pictures of a person, as `draw` takes it.

        Args:
            pictures: (N, H, H, 3) uint8 RGB.
            landmarks: (N, 68, 2) px.

        Raises:
            ValueError: pictures of another size, or not as many landmarks.
        """
        seen, points = np.asarray(pictures), np.asarray(landmarks)
        if seen.shape != (len(points), self.size, self.size, 3):
            raise ValueError(
                f"pictures {seen.shape} with landmarks {points.shape}: the texture is taken from "
                f"(N, {self.size}, {self.size}, 3) with (N, 68, 2)"
            )
        inputs = (self._place(to_tensor(seen)), self._place(draw_rasters(points, self.size)))
        with torch.inference_mode():
            return self.generator.embed(*inputs)

    def draw(self, landmarks: npt.ArrayLike, texture: Tensor | None = None) -> Iterator[Picture]:
        """Frames of a motion of any length, in order: (H, H, 3) uint8 RGB each.

        Args:
            landmarks: (n, 68, 2) px of pictures of side H.
            texture: of the person; None: that of the pictures that it was fine-tuned by.

        Raises:
            ToolkitError: no texture is given, and it was not fine-tuned.
        """
        chosen = self.texture if texture is None else texture
        if chosen is None:
            raise ToolkitError(f"{self.path}: knows no person: run zoo finetune t-gan first")
        for points in np.asarray(landmarks, np.float64):
            raster = self._place(draw_rasters(points[None], self.size))
            with torch.inference_mode():
                pred = self.generator.draw(raster, chosen)
            yield to_pictures(pred)[0]

    def _place(self, value: Tensor) -> Tensor:
        return value.to(self.device, memory_format=torch.channels_last)


def open_t_gan(path: Path, device: torch.device | str = "cpu") -> TrainedTGan:
    """The generator of a checkpoint, ready to draw.

    Raises:
        ToolkitError: no such checkpoint, one of something else, or of another version.
    """
    content: dict[str, Any] = load_checkpoint(path, FAMILY.name)["model"]
    return open_content(content, path, torch.device(device))


def open_content(content: dict[str, Any], path: Path, device: torch.device) -> TrainedTGan:
    """The same of a checkpoint's content; `path`: where it lies, for messages."""
    generator = make_generator(content)
    try:
        generator.load_state_dict(content["generator"])
    except RuntimeError as error:
        raise ToolkitError(
            f"{path}: its weights do not fit the {content['preset']} generator of this version: "
            "train with it"
        ) from error
    fold_gains(generator)
    texture, meshes = content.get("texture"), content.get("meshes")
    return TrainedTGan(
        path=path,
        preset=str(content["preset"]),
        size=int(content["size"]),
        landmarks=str(content["landmarks"]),
        layout=str(content.get("points", MESH68)),
        judges=dict(content["judges"]),
        identity=str(content.get("identity", "")),
        texture=None if texture is None else texture.to(device),
        meshes=None if meshes is None else meshes.numpy(),
        trained_on=tuple(content["trained_on"]),
        generator=place_network(generator.eval(), device),
        device=device,
    )


def make_generator(content: dict[str, Any]) -> Generator:
    """Of the shape that a checkpoint's content says, with random weights."""
    concatenate = "adain" in ABLATIONS[content["ablate"]]
    return create_generator(content["preset"], int(content["size"]), concatenate=concatenate)
