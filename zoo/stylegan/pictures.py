"""Pictures as networks see them, and back."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Picture = npt.NDArray[np.uint8]
"""(…, height, width, 3) uint8 RGB."""


def to_tensor(pictures: Picture) -> Tensor:
    """(…, 3, H, H) float32, −1 to 1, of (…, H, H, 3) uint8."""
    return torch.from_numpy(pictures).movedim(-1, -3).float() / 127.5 - 1


def to_pictures(found: Tensor) -> Picture:
    """(…, H, H, 3) uint8 of (…, 3, H, H), −1 to 1."""
    levels = ((found.detach().float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return np.asarray(levels.movedim(-3, -1).cpu().numpy())
