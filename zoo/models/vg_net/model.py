"""A trained VG-net as a checkpoint holds it, ready to draw.

Legend: n frames, H the side of a picture.
"""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from toolkit.errors import ToolkitError
from zoo.models.vg_net import FAMILY
from zoo.models.vg_net.framing import Floats, Framing, Picture, frame_face
from zoo.models.vg_net.networks import VGNet, compose, create_vg_net, fold_norms
from zoo.models.vg_net.options import ABLATIONS
from zoo.models.vg_net.presets import SIZE
from zoo.training.checkpoint import load_checkpoint
from zoo.training.pictures import to_pictures, to_tensor

_BLOCK = 8
"""Frames that are computed at once."""


class DrawnFrame(NamedTuple):
    """A frame, and how it came about.

    Attributes:
        frame: (H, H, 3) uint8 RGB, α ⊙ m + (1 − α) ⊙ picture.
        alpha: (H, H) uint8, α of 255.
        motion: (H, H, 3) uint8 RGB, m.
    """

    frame: Picture
    alpha: npt.NDArray[np.uint8]
    motion: Picture


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainedVGNet:
    """What a run of `zoo train vg-net` learnt.

    Attributes:
        path: of the checkpoint.
        preset: `small` or `paper`.
        size: H.
        mean_face: (68, 2) onto which pictures and landmarks are aligned.
        margin: side of its pictures over the larger side of the mean face.
        landmarks: what measured the landmarks that it knows.
        trained_on: whose pictures it learnt from.
        network: on its device, its norms folded into its convolutions.
        device: where it draws.
    """

    path: Path
    preset: str
    size: int
    mean_face: Floats
    margin: float
    landmarks: str
    trained_on: tuple[str, ...]
    network: VGNet
    device: torch.device

    def frame(self, landmarks: npt.ArrayLike) -> Framing:
        """How a picture with these landmarks (68, 2) px is brought to what `draw` takes.

        Its `cut` gives the picture; its `place.apply` moves landmarks (…, 68, 2) px of it and of
        other frames of the same camera.

        Raises:
            ToolkitError: they are of no face.
        """
        return frame_face(landmarks, self.mean_face, self.margin)

    def draw(
        self, picture: Picture, identity: npt.ArrayLike, landmarks: npt.ArrayLike
    ) -> Iterator[DrawnFrame]:
        """Frames of any number of landmarks, in order; memory does not grow with them.

        Args:
            picture: (H, H, 3) uint8 RGB, see `frame`.
            identity: (68, 2) its landmarks, in any unit and place.
            landmarks: (n, 68, 2) of the frames, in the same.

        Raises:
            ValueError: other shapes.
            ToolkitError: `identity` is of no face.
        """
        moved = np.asarray(landmarks, np.float64)
        if moved.ndim != 3 or moved.shape[1:] != (68, 2):
            raise ValueError(f"landmarks {moved.shape}: give (n, 68, 2)")
        return self.draw_blocks(picture, identity, [moved])

    def draw_blocks(
        self, picture: Picture, identity: npt.ArrayLike, blocks: Iterable[npt.ArrayLike]
    ) -> Iterator[DrawnFrame]:
        """The same of consecutive landmarks (b, 68, 2), block after block."""
        seen = np.asarray(picture)
        if seen.shape != (self.size, self.size, 3) or seen.dtype != np.uint8:
            raise ValueError(
                f"a picture {seen.shape} {seen.dtype}: give ({self.size}, {self.size}, 3) uint8"
            )
        align = self.frame(identity).align
        own = self._place(align.apply(identity))
        others = (self._place(align.apply(points)) for points in blocks)
        return self._draw_aligned(to_tensor(seen[None]).to(self.device), own, others)

    def _place(self, points: Floats) -> torch.Tensor:
        return torch.from_numpy(points).float().reshape(1, -1, 136).to(self.device)

    def _draw_aligned(
        self, picture: torch.Tensor, identity: torch.Tensor, blocks: Iterable[torch.Tensor]
    ) -> Iterator[DrawnFrame]:
        picture = picture.contiguous(memory_format=torch.channels_last)
        with torch.inference_mode():
            encoded = self.network.encode(picture, identity[:, 0])
            state = self.network.begin(encoded)
        for block in itertools.chain.from_iterable(torch.split(x, _BLOCK, dim=1) for x in blocks):
            with torch.inference_mode():
                found, state = self.network.advance(encoded, block, state)
                drawn = to_pictures(compose(found, picture))[0]
                motion = to_pictures(found[:, :, :3])[0]
                alpha = (255 * found[0, :, 3]).round().to(torch.uint8).cpu().numpy()
            yield from map(DrawnFrame, drawn, alpha, motion)


def open_vg_net(path: Path, device: torch.device | str = "cpu") -> TrainedVGNet:
    """The generator of a checkpoint, ready to draw.

    Raises:
        ToolkitError: no such checkpoint, one of something else, or of another version.
    """
    content: dict[str, Any] = load_checkpoint(path, FAMILY.name)["model"]
    attends = "attention" not in ABLATIONS[content["ablate"]]
    network = create_vg_net(content["preset"], attention=attends)
    try:
        network.load_state_dict(content["generator"])
    except RuntimeError as error:
        raise ToolkitError(
            f"{path}: its weights do not fit the {content['preset']} network of this version: "
            "train with it"
        ) from error
    fold_norms(network.eval())
    placed = torch.device(device)
    return TrainedVGNet(
        path=path,
        preset=str(content["preset"]),
        size=SIZE,
        mean_face=content["mean_face"].numpy().copy(),
        margin=float(content["margin"]),
        landmarks=str(content["landmarks"]),
        trained_on=tuple(content["trained_on"]),
        network=network.to(placed, memory_format=torch.channels_last),  # type: ignore[call-overload]
        device=placed,
    )
