"""What the judge is trained with: of all sounds of a batch, which belongs to these lips?

Legend: B windows, D numbers of an embedding.
"""

import torch
from torch import Tensor, nn


def matching_loss(faces: Tensor, sound: Tensor, scale: Tensor) -> Tensor:
    """Cross-entropy of finding a window's sound among all of them, and its lips likewise.

    The others are the same clip's at other shifts, and other clips'. What is compared is −scale
    times the squared distance.

    Args:
        faces: (B, D) embeddings.
        sound: (B, D), in the same order.
        scale: of the distances, learnt beside.
    """
    logits = -scale * _square_distances(faces, sound)
    labels = torch.arange(len(logits), device=logits.device)
    rows, columns = (nn.functional.cross_entropy(x, labels) for x in (logits, logits.T))
    return (rows + columns) / 2


def _square_distances(faces: Tensor, sound: Tensor) -> Tensor:
    """(B, B) by the product, whose gradient is finite where two are the same."""
    squares = faces.square().sum(1)[:, None] + sound.square().sum(1)
    return squares - 2 * faces @ sound.T
