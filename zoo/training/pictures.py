"""Pictures as networks see them: levels of 0 to 255 as −1 to 1, and back.

Legend: H the side of a picture.
"""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor


def to_tensor(pictures: npt.NDArray[np.uint8]) -> Tensor:
    """(…, 3, H, H) float32, −1 to 1, of (…, H, H, 3) uint8."""
    return torch.from_numpy(pictures).movedim(-1, -3).float() / 127.5 - 1


def to_pictures(found: Tensor) -> npt.NDArray[np.uint8]:
    """(…, H, H, 3) uint8 of (…, 3, H, H), −1 to 1; what lies outside is cut off."""
    levels = ((found.float() + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return np.asarray(levels.movedim(-3, -1).cpu().numpy())
