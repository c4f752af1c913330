"""How far apart a face recogniser finds two aligned pictures: the identity term.

Legend: B batch, H the side of a picture.
"""

import warnings

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from toolkit.weights import Status, check_weights
from zoo.landmarks.align import Similarity
from zoo.models.styleheat_prior.options import NONE
from zoo.training.face_alignment import place_face
from zoo.training.face_network import SIDE, FaceNetwork
from zoo.training.face_weights import INSTALL, NAME
from zoo.training.options import AUTO, FACE

Floats = npt.NDArray[np.float64]


def place_chip(points: npt.ArrayLike, align: Similarity) -> Floats:
    """(2, 3) from the recogniser's face to an aligned picture, both −1 to 1: `affine_grid`'s.

    Args:
        points: (5, 2) px of a picture, those of the mesh's vertices `PLACED`.
        align: from px of it to the aligned one, whose side is 1.
    """
    turn, shift = np.split(place_face(align.apply(points)), [2], axis=1)
    back = np.linalg.inv(turn)  # from px of the recogniser's face to shares of the aligned side
    middle = back @ (np.full((2, 1), SIDE / 2) - shift)
    return np.concatenate([back * SIDE, 2 * middle - 1], axis=1)


class IdentityDistance(nn.Module):
    """Squared distance of a face recogniser's 128 numbers; 0.36 apart are two persons (King, 2017).

    Attributes:
        name: of the network.
        sha256: digest of its weights.
    """

    def __init__(self, network: FaceNetwork) -> None:
        super().__init__()
        self.network, self.name, self.sha256 = network, FACE, network.sha256

    def forward(self, pred: Tensor, target: Tensor, chips: Tensor) -> Tensor:
        """Mean over B of pictures (B, 3, H, H), −1 to 1; `chips` (B, 2, 3), see `place_chip`."""
        with torch.no_grad():
            known = self.network(cut_chips(target, chips))
        found = self.network(cut_chips(pred, chips))
        distance: Tensor = (found - known).square().sum() / len(pred)
        return distance


def cut_chips(pictures: Tensor, chips: Tensor) -> Tensor:
    """(B, 3, 150, 150) faces of pictures (B, 3, H, H), as the recogniser expects them."""
    grid = functional.affine_grid(chips, [len(pictures), 3, SIDE, SIDE], align_corners=False)
    return functional.grid_sample(pictures, grid, padding_mode="border", align_corners=False)


def open_identity(kind: str) -> IdentityDistance | None:
    """The network of a kind: `face`, `none`, or `auto`: a warning tells where there is none.

    Raises:
        SetupError: `face`, and the extra `identity` is missing.
    """
    if kind == AUTO and check_weights(NAME) is not Status.INTACT:
        warnings.warn(f"no network judges whether faces stay who they are: {INSTALL}", stacklevel=3)
        return None
    return None if kind == NONE else IdentityDistance(FaceNetwork.open())
