"""A face recogniser: dlib's residual network (King, 2017) of 5.6 M numbers, in plain torch.

29 convolutions turn a face into 128 numbers whose Euclidean distance is small between pictures of
one person. Its maps at several depths compare pictures. The weights are published: `face_weights`.
Legend: B batch, H side of a picture, C channels.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from toolkit.errors import SetupError
from zoo.training.face_weights import FaceWeights, find_face_weights, read_face_weights

SIDE = 150
"""Pixels of an aligned face, as in its training."""

LEAST_SIDE = 103
"""Pixels of a picture of which there is a last map."""

NUM_FEATURES = 128

STAGES = ((32, 3), (64, 4), (128, 3), (256, 3), (256, 1))
"""Channels and residual blocks of each stage; the first block of all but the first halves."""

MEAN = (122.782, 117.001, 104.298)
"""Of red, green and blue in its training pictures, levels."""

RANGE = 256.0
"""What levels are divided by."""

_PARTS = ("weight", "bias")


class FaceNetwork(nn.Module):
    """Faces to 128 numbers; its weights are never trained, gradients reach the pictures.

    Attributes:
        label: name, release and the start of the digest, for results.
        sha256: of the file of weights.
    """

    def __init__(self, weights: FaceWeights) -> None:
        """Take the place of the weights; SetupError where they are another network's."""
        super().__init__()
        self.label, self.sha256 = weights.label, weights.sha256
        self.stem = nn.Conv2d(3, STAGES[0][0], 7, stride=2)
        widths = [STAGES[0][0], *(width for width, _ in STAGES)]
        self.stages = nn.ModuleList(
            nn.Sequential(
                *(
                    _Block(before if k == 0 else width, width, halves=k == 0 and number > 0)
                    for k in range(blocks)
                )
            )
            for number, (before, (width, blocks)) in enumerate(zip(widths, STAGES, strict=False))
        )
        self.leave = nn.Linear(STAGES[-1][0], NUM_FEATURES, bias=False)
        self._load(weights)
        self.requires_grad_(False).eval()

    @classmethod
    def open(cls, given: Path | None = None) -> "FaceNetwork":
        """Read a file or folder of weights, by default the installed package's.

        Raises:
            SetupError: the extra `identity` or the file is missing, or the file is another one.
        """
        return cls(read_face_weights(find_face_weights(given)))

    def forward(self, pictures: Tensor) -> Tensor:
        """(B, 128) of aligned faces (B, 3, 150, 150) RGB, −1 to 1; not of length 1."""
        features: Tensor = self.leave(self.features(pictures)[-1].mean(dim=(2, 3)))
        return features

    def features(self, pictures: Tensor) -> list[Tensor]:
        """Maps (B, C, ·, ·) behind each of the five stages, of pictures (B, 3, H, H), −1 to 1.

        C is 32, 64, 128, 256 and 256; of H = 150 the sides are 35, 17, 8, 4 and 2. ValueError for
        pictures smaller than `LEAST_SIDE`.
        """
        height, width = pictures.shape[2:]
        if min(height, width) < LEAST_SIDE:
            raise ValueError(f"pictures of {height} × {width} px: {LEAST_SIDE} at least")
        mean = pictures.new_tensor(MEAN)[:, None, None]
        x = ((pictures + 1) * 127.5 - mean) / RANGE
        x = functional.max_pool2d(functional.relu(self.stem(x)), 3, stride=2)
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        return maps

    def _load(self, weights: FaceWeights) -> None:
        names = [name for name, layer in self.named_modules() if isinstance(layer, nn.Conv2d)]
        try:
            pairs = zip(names, weights.convolutions, strict=True)
            numbers = {f"{name}.{part}": getattr(c, part) for name, c in pairs for part in _PARTS}
            numbers["leave.weight"] = weights.leave
            self.load_state_dict({name: torch.from_numpy(v) for name, v in numbers.items()})
        except (ValueError, RuntimeError) as error:
            text = f"{weights.path}: not the weights of dlib's face recogniser"
            raise SetupError(text) from error


class _Block(nn.Module):
    """Two convolutions, and what went in added to what comes out."""

    def __init__(self, before: int, width: int, *, halves: bool) -> None:
        super().__init__()
        self._halves = halves
        step, padding = (2, 0) if halves else (1, 1)
        self.first = nn.Conv2d(before, width, 3, stride=step, padding=padding)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.second(functional.relu(self.first(x)))
        if self._halves:
            x = functional.avg_pool2d(x, 2)
        shape = [max(a, b) for a, b in zip(x.shape[1:], y.shape[1:], strict=True)]
        return functional.relu(_extend(x, shape) + _extend(y, shape))


def _extend(x: Tensor, shape: Sequence[int]) -> Tensor:
    """Zeros behind the last channel, row and column of (B, C, ·, ·), as dlib adds tensors."""
    c, h, w = (more - size for more, size in zip(shape, x.shape[1:], strict=True))
    return functional.pad(x, (0, w, 0, h, 0, c))
