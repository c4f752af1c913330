"""The judge of lip-sync on drawn pictures: eq. 3, with gradients.

D_sync is the network of `zoo train syncnet` or the published one, frozen. Both give embeddings of
five frames and of 0.2 s of sound, and no probability: that they belong together is taken to be
(1 + cos)/2 of their angle.

Legend: B windows, T = 5 frames, H the side of a picture, S that of the judge's.
"""

from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional

NUM_ROWS = 20
"""Of the cepstra of a window: 0.2 s at 100 a second."""

GREY = (0.299, 0.587, 0.114)
"""Of red, green and blue, as OpenCV and JPEG weigh them."""

_LEAST = 1e-6
"""Below which a probability is not told from 0."""


class Embedding(Protocol):
    """The judge's network."""

    def embed_faces(self, faces: Tensor) -> Tensor: ...
    def embed_sound(self, sound: Tensor) -> Tensor: ...


class LipJudge(Protocol):
    """An opened syncnet."""

    @property
    def name(self) -> str: ...
    @property
    def sha256(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def channels(self) -> int: ...
    @property
    def network(self) -> Embedding: ...

    def place(self, meshes: npt.ArrayLike) -> npt.NDArray[np.float64]: ...


def judge_lips(judge: LipJudge, pictures: Tensor, squares: Tensor, sound: Tensor) -> Tensor:
    """D (B,), 0 to 1, of pictures (B, 5, 3, H, H), −1 to 1, and cepstra (B, 13, 20).

    Args:
        judge: its weights are not to be trained.
        pictures: gradients reach them.
        squares: (B, 4) where it looks, see `DrivenBatch`.
        sound: of the same 0.2 s.
    """
    num_frames = pictures.shape[1]
    seen = cut_squares(
        pictures.flatten(0, 1), squares.repeat_interleave(num_frames, dim=0), judge.size
    )
    seen = seen.reshape(-1, num_frames, *seen.shape[1:]).transpose(1, 2)  # (B, 3, 5, S, S)
    levels = (seen + 1) * 127.5
    if judge.channels == 1:
        weights = levels.new_tensor(GREY)[:, None, None, None]
        levels = (levels * weights).sum(dim=1, keepdim=True)
    else:
        levels = levels.flip(1)  # blue, green, red
    faces, heard = judge.network.embed_faces(levels), judge.network.embed_sound(sound[:, None])
    return (1 + functional.cosine_similarity(faces, heard)) / 2


def sync_loss(probability: Tensor) -> Tensor:
    """Eq. 3 for one window of frames i − 2 to i + 2: −log D, mean over B."""
    return -probability.clamp(min=_LEAST).log().mean()


def cut_squares(pictures: Tensor, squares: Tensor, size: int) -> Tensor:
    """Squares (B, 3, S, S) of pictures (B, 3, H, H), each its own; the border is repeated outside.

    Args:
        pictures: gradients reach them.
        squares: (B, 4) x, y and side of the picture's side 1, and the angle, rad, clockwise.
        size: S.
    """
    x, y, side, angle = squares.unbind(1)
    longest = float(side.max()) * pictures.shape[-1]
    finer = max(1, round(longest / size))  # then averaged down
    steps = (torch.arange(size * finer, device=pictures.device) + 0.5) / (size * finer) - 0.5
    across, down = steps[None, None, :, None], steps[None, :, None, None]
    one = torch.stack([angle.cos(), angle.sin()], dim=1) * side[:, None]
    other = torch.stack([-angle.sin(), angle.cos()], dim=1) * side[:, None]
    middle = torch.stack([x, y], dim=1)[:, None, None]
    places = middle + across * one[:, None, None] + down * other[:, None, None]
    found = functional.grid_sample(
        pictures, 2 * places - 1, mode="bilinear", padding_mode="border", align_corners=False
    )
    return functional.avg_pool2d(found, finer) if finer > 1 else found
