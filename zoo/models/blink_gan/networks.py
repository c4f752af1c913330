"""The blink generator G_B of Das et al. (ECCV 2020, 3.2 and 4.2): noise to eye landmarks.

Legend: B windows, T = 75 frames of a window, K principal components, 44 = 22 points × (x, y).
"""

import torch
from torch import Tensor, nn

from zoo.models.blink_gan.presets import (
    EYE_SIZE,
    NOISE_SIZE,
    NUM_COMPONENTS,
    PRESETS,
    WINDOW,
)
from zoo.training.options import find_preset

MEMORY = (4, 24)
"""Frames that a unit remembers at first, least and most: half a blink to a second."""


class BlinkGenerator(nn.Module):
    """A recurrent network from noise to displacements of the eyes' and brows' 22 points.

    The paper says "RNN" and "last linear layer"; here one layer of gated recurrent units, whose
    states become K coefficients and these, by the last layer, displacements. The units' biases say
    how long they remember (Tallec and Ollivier, 2018): at first `MEMORY`, for noise is new in every
    frame and a blink takes ten.

    Attributes:
        rnn, encoder: noise to coefficients.
        decoder: coefficients to displacements; begins as the principal components.
    """

    def __init__(self, num_hidden: int = 128, num_components: int = NUM_COMPONENTS) -> None:
        super().__init__()
        self.rnn = nn.GRU(NOISE_SIZE, num_hidden, batch_first=True)
        self.encoder = nn.Linear(num_hidden, num_components)
        self.decoder = nn.Linear(num_components, EYE_SIZE)
        update = slice(num_hidden, 2 * num_hidden)  # torch's order: reset, update, new
        frames = torch.empty(num_hidden).uniform_(*MEMORY)
        self.rnn.get_parameter("bias_ih_l0").data[update] = frames.log()

    def begin_with(self, components: Tensor, mean: Tensor, deviations: Tensor) -> None:
        """Let displacements be of the data's size, whatever the unit.

        Args:
            components: (K, 44), the decoder's weights.
            mean: (44,) about which they are taken, its bias.
            deviations: (K,) of the data's coefficients.
        """
        with torch.no_grad():
            states, _ = self.rnn(torch.randn(64, WINDOW, NOISE_SIZE))
            weight = torch.randn_like(self.encoder.weight)
            coefficients = (states @ weight.T).flatten(0, 1)
            scale = deviations / coefficients.std(dim=0)
            self.encoder.weight.copy_(scale[:, None] * weight)
            self.encoder.bias.copy_(-scale * coefficients.mean(dim=0))
            self.decoder.weight.copy_(components.T)
            self.decoder.bias.copy_(mean)

    def forward(self, noise: Tensor) -> Tensor:
        """Displacements (B, T, 44) of noise (B, T, 10) of mean 0 and deviation 1."""
        states, _ = self.rnn(noise)
        return torch.as_tensor(self.decoder(self.encoder(states)))


def create_blink_gan(preset: str = "paper", num_components: int = NUM_COMPONENTS) -> BlinkGenerator:
    """An untrained generator; ValueError where there is no such preset."""
    return BlinkGenerator(find_preset(PRESETS, preset).num_hidden, num_components)
