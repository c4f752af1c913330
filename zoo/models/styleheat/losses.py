"""Losses of StyleHEAT, eqs. 1 to 5 of the supplement.

Norms are means over pictures and numbers, of a mask over what it lets through, so that weights do
not hang on sizes: a mouth is a twentieth of its picture, and its error would be as little beside
the other terms. The perceptual network's layers count as everywhere in the zoo.

Legend: B pictures, H their side.
"""

import torch
from torch import Tensor
from torch.nn import functional

from toolkit.mesh import EYES68
from zoo.models.styleheat.presets import WEIGHTS
from zoo.training.perceptual import PerceptualDistance

MOUTH = slice(48, 68)
"""Of the 68 points."""

MOUTH_MARGIN, EYE_MARGIN = 8 / 256, 15 / 256
"""By which boxes are wider than their points, of the picture's side: the released code's."""

BACKGROUND = ((500, 0.2), (2000, 0.05))
"""What counts outside the mouth in the soft mask, up to so many steps: the released code's."""

LEAST_BACKGROUND = 0.005


def draw_boxes(points: Tensor, size: int, margin: float) -> Tensor:
    """(B, 1, H, H): 1 where a pixel's middle lies in the box of points, 0 elsewhere.

    Args:
        points: (B, P, 2) of the picture's side 1.
        size: H.
        margin: by which the box is wider on each side.
    """
    low = points.amin(dim=1) - margin
    high = points.amax(dim=1) + margin
    middles = (torch.arange(size, device=points.device) + 0.5) / size
    inside = (middles >= low[..., None]) & (middles <= high[..., None])  # (B, 2, H)
    return (inside[:, 1, :, None] & inside[:, 0, None, :])[:, None].float()


def draw_mouth(points: Tensor, size: int, step: int) -> Tensor:
    """M of eqs. 1 and 2, in its soft form (B, 1, H, H), of landmarks (B, 68, 2).

    1 in the mouth's box; outside less and less as training goes on.
    """
    outside = next((value for last, value in BACKGROUND if step < last), LEAST_BACKGROUND)
    return draw_boxes(points[:, MOUTH], size, MOUTH_MARGIN).clamp(min=outside)


def draw_surroundings(points: Tensor, size: int) -> Tensor:
    """(B, 1, H, H): 0 in the boxes of mouth and eyes, 1 elsewhere, of landmarks (B, 68, 2)."""
    boxes = [draw_boxes(points[:, MOUTH], size, MOUTH_MARGIN)]
    boxes += [draw_boxes(points[:, eye], size, EYE_MARGIN) for eye in EYES68]
    return 1 - torch.stack(boxes).amax(dim=0)


def even_out(mask: Tensor) -> Tensor:
    """A mask (B, 1, H, H) of mean 1 in every picture: what is counted is then a mean over it."""
    return mask / mask.mean(dim=(1, 2, 3), keepdim=True)


def perceptual_loss(
    judge: PerceptualDistance,
    pred: Tensor,
    target: Tensor,
    mask: Tensor | None = None,
    scales: int = 1,
) -> Tensor:
    """Σ‖M·φ(I) − M·φ(Î)‖₁ over layers and sizes; gradients reach `pred`.

    Args:
        judge: the network.
        pred: (B, 3, H, H), −1 to 1.
        target: the same.
        mask: (B, 1, H, H) that is averaged down to each layer's size; None: 1.
        scales: sizes at which pictures are compared, each half of the one before.
    """
    mask = None if mask is None else even_out(mask)
    total = pred.new_zeros(())
    for number in range(scales):
        if number:
            pred, target = functional.avg_pool2d(pred, 2), functional.avg_pool2d(target, 2)
        with torch.no_grad():
            known = judge.see(target)
        for weight, a, b in zip(judge.weights, judge.see(pred), known, strict=True):
            away = a.float() - b.float()
            if mask is not None:
                away = away * functional.adaptive_avg_pool2d(mask, (away.shape[2], away.shape[3]))
            total = total + weight * judge.compare(b.float() + away, b.float())
    return total


def transfer_loss(
    judge: PerceptualDistance,
    pred: Tensor,
    target: Tensor,
    mask: Tensor | None = None,
    scales: int = 1,
) -> Tensor:
    """L_t: eq. 1, and without a mask the same of the whole picture, L_t^v and L_t^c."""
    away = (pred.float() - target).abs()
    pixel = (away if mask is None else even_out(mask) * away).mean()
    return perceptual_loss(judge, pred, target, mask, scales) + WEIGHTS.pixel * pixel


def regular_loss(
    judge: PerceptualDistance, pred: Tensor, proxy: Tensor, mask: Tensor, scales: int = 1
) -> Tensor:
    """L_reg, eq. 2: outside the mouth nothing changes beside the picture that sound moves."""
    return perceptual_loss(judge, pred, proxy, 1 - mask, scales)


def domain_loss(
    judge: PerceptualDistance, pred: Tensor, warped: Tensor, points: Tensor, scales: int = 1
) -> Tensor:
    """L_domain of eq. 5, which the supplement does not define: the released code's.

    Outside mouth and eyes the calibrated picture looks as the one that is only warped.

    Args:
        judge: the network.
        pred: (B, 3, H, H) calibrated.
        warped: the same before; no gradient reaches it.
        points: (B, 68, 2) of the picture's side 1.
        scales: see `perceptual_loss`.
    """
    mask = draw_surroundings(points, pred.shape[-1])
    return perceptual_loss(judge, pred, warped.detach(), mask, scales)
