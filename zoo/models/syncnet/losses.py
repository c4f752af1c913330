"""What the judge is trained with: of a stretch's sounds, which belongs to these lips?

Legend: B stretches, W windows of each, D numbers of an embedding.
"""

import torch
from torch import Tensor, nn


def matching_loss(faces: Tensor, sound: Tensor, scale: Tensor) -> Tensor:
    """Cross-entropy of finding a window's sound among its stretch's, and its lips likewise.

    The others are the same clip's at other shifts. Those of other clips are left out: who speaks
    would tell them apart. What is compared is −scale times the squared distance.

    Args:
        faces: (B, W, D) embeddings.
        sound: (B, W, D), in the same order.
        scale: of the distances, learnt beside.
    """
    logits = -scale * _square_distances(faces, sound)
    labels = torch.arange(logits.shape[1], device=logits.device).expand(len(logits), -1)
    both = (logits, logits.transpose(1, 2))  # classes are the second axis: sounds, then lips
    columns, rows = (nn.functional.cross_entropy(x, labels) for x in both)
    return (rows + columns) / 2


def _square_distances(faces: Tensor, sound: Tensor) -> Tensor:
    """(B, W, W) by the product, whose gradient is finite where two are the same."""
    squares = faces.square().sum(2)[:, :, None] + sound.square().sum(2)[:, None]
    return squares - 2 * faces @ sound.transpose(1, 2)
