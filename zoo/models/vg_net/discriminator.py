"""The regression discriminator of Chen et al. (CVPR 2019), in the released code's sizes.

It reads landmarks out of frames, each aligned by itself as the released code's data are, and says
how real the frames are together; `paper` has 21,491,473 parameters.

Legend: B windows, T frames of each, H the side of a picture, 136 coordinates of 68 points.
"""

import torch
from torch import Tensor, nn

from zoo.models.vg_net.presets import NUM_COORDINATES, PRESETS, SIZE, DiscriminatorSizes
from zoo.training.options import find_preset

SLOPE = 0.2
"""Of every LeakyReLU between convolutions; the sources say none."""

_LAYERS = 3


class RegressionDiscriminator(nn.Module):
    """Frames and the picture's landmarks to every frame's landmarks and one score."""

    def __init__(self, sizes: DiscriminatorSizes) -> None:
        """Random weights."""
        super().__init__()
        layers, channels = list[nn.Module](), 3 * sizes.packed**2
        for number, width in enumerate(sizes.widths):
            is_first = number == 0
            layers.append(nn.Conv2d(channels, width, 3, stride=2, padding=1, bias=is_first))
            layers += [] if is_first else [nn.BatchNorm2d(width)]
            layers.append(nn.LeakyReLU(SLOPE))
            channels = width
        side = SIZE // sizes.packed >> len(sizes.widths)
        pack = nn.PixelUnshuffle(sizes.packed) if sizes.packed > 1 else nn.Identity()
        self.look = nn.Sequential(
            pack, *layers, nn.Flatten(), nn.Linear(channels * side**2, sizes.features), nn.ReLU()
        )
        first, second = sizes.landmarks
        self.read = nn.Sequential(
            nn.Linear(NUM_COORDINATES, first), nn.ReLU(), nn.Linear(first, second), nn.ReLU()
        )
        self.recurrent = nn.LSTM(sizes.features + second, sizes.hidden, _LAYERS, batch_first=True)
        self.landmarks = nn.Linear(sizes.hidden, NUM_COORDINATES)
        self.score = nn.Linear(sizes.hidden, 1)
        if sizes.unused:
            self.decoder = nn.Sequential(
                nn.Linear(sizes.features + second, sizes.unused),
                nn.Linear(sizes.unused, NUM_COORDINATES),
            )

    def forward(self, frames: Tensor, identity: Tensor) -> tuple[Tensor, Tensor]:
        """Landmarks (B, T, 136) and the logits (B,) of frames' being real, means over T.

        Args:
            frames: (B, T, 3, H, H), −1 to 1.
            identity: (B, 136) landmarks of the picture that they are to be drawn from.
        """
        b, t = frames.shape[:2]
        seen = self.look(frames.flatten(0, 1)).unflatten(0, (b, t))
        known = self.read(identity)[:, None].expand(-1, t, -1)
        behind = self.recurrent(torch.cat([seen, known.to(seen.dtype)], dim=2))[0]
        landmarks = torch.tanh(self.landmarks(behind)).float() + identity[:, None]
        return landmarks, self.score(behind).float().mean(dim=(1, 2))


def create_discriminator(preset: str) -> RegressionDiscriminator:
    """An untrained one; ValueError where there is no such preset."""
    return RegressionDiscriminator(find_preset(PRESETS, preset).discriminator)
