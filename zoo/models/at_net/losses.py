"""What AT-net is trained for."""

from torch import Tensor


def coefficient_loss(pred: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    """Mean square error over coefficients (B, T, 6) of measured frames (B, T); 0 for none."""
    mask = valid[..., None].expand_as(pred)
    return ((pred - target).square() * mask).sum() / mask.sum().clamp(min=1)
