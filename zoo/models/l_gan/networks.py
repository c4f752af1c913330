"""G_L and D_L of Das et al. (2020), 3.1 and 4.2.

Legend: N frames (any leading axes), K taps of speech around each, 33 coefficients.
"""

from typing import Any

import torch
from torch import Tensor, nn

from zoo.landmarks.statistics import LandmarkStatistics
from zoo.models.l_gan.presets import BOTTLENECK, NUM_TAPS, PRESETS, Preset
from zoo.training.options import find_preset

SLOPE = 0.2
"""Of every LeakyReLU; the paper gives none."""

_NUM_SYMBOLS, _NUM_COORDINATES = 29, 136


class Generator(nn.Module):
    """Speech around a frame to the displacement of 68 canonical points.

    The encoder is VOCA's: convolutions over time, three taps wide, each halving it, then two
    linear layers. LeakyReLU follows every layer but the last, whose 33 numbers are coefficients of
    either sign. It knows no subject.

    Of each tap's scores their mean over the symbols is taken away first. Log-probabilities and what
    is before the softmax, which the paper reads, differ by one number for all symbols: less their
    means they are the same, and what is common to all symbols hides what tells them apart. Then
    they are standardised by statistics of the training part (buffers, so that they lie in the
    checkpoint), where VOCA has batch normalisation.

    Attributes:
        centring: share of the mean that is taken away: 1; 0 in checkpoints from before it was.
        score_mean: (29,).
        score_scale: (29,).
    """

    centring: Tensor
    score_mean: Tensor
    score_scale: Tensor

    def __init__(self, preset: Preset, num_taps: int = NUM_TAPS) -> None:
        """Random weights; `initialise` sets the last layer."""
        super().__init__()
        self.register_buffer("centring", torch.ones(()))
        self.register_buffer("score_mean", torch.zeros(_NUM_SYMBOLS))
        self.register_buffer("score_scale", torch.ones(_NUM_SYMBOLS))
        layers, channels, length = list[nn.Module](), _NUM_SYMBOLS, num_taps
        for width in preset.channels:
            layers += [nn.Conv1d(channels, width, 3, 2, padding=1), nn.LeakyReLU(SLOPE)]
            channels, length = width, (length + 1) // 2
        self.encoder = nn.Sequential(
            *layers,
            nn.Flatten(),
            nn.Linear(channels * length, preset.hidden),
            nn.LeakyReLU(SLOPE),
            nn.Linear(preset.hidden, BOTTLENECK),
        )
        self.decoder = nn.Linear(BOTTLENECK, _NUM_COORDINATES)

    @torch.no_grad()
    def initialise(
        self, statistics: LandmarkStatistics, score_mean: Tensor, score_scale: Tensor
    ) -> None:
        """Begin with the training part's directions: displacement = mean + coefficients · PCs."""
        self.decoder.weight.copy_(torch.from_numpy(statistics.displacement_pcs.T.copy()))
        self.decoder.bias.copy_(torch.from_numpy(statistics.displacement_mean))
        self.score_mean.copy_(score_mean)
        self.score_scale.copy_(score_scale)

    def forward(self, taps: Tensor) -> Tensor:
        """Displacements (N, 68, 2) of scores (N, K, 29) as they are stored."""
        centred = taps - self.centring * taps.mean(dim=-1, keepdim=True)
        standard = (centred - self.score_mean) / self.score_scale
        rows = standard.reshape(-1, *taps.shape[-2:]).transpose(1, 2)
        return torch.as_tensor(self.decoder(self.encoder(rows)).reshape(*taps.shape[:-2], 68, 2))

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Weights from before scores were centred are read, and go on without."""
        state_dict.setdefault(f"{prefix}centring", torch.zeros(()))
        super()._load_from_state_dict(state_dict, prefix, *rest)


class Discriminator(nn.Module):
    """Two linear layers on a frame's landmarks, a LeakyReLU between.

    The first gives the 33 coefficients of a displacement to begin with: its weights are the PCs,
    its bias takes the canonical face and the mean displacement away, as it sees landmarks.
    """

    def __init__(self) -> None:
        """Random weights; `initialise` sets the first layer."""
        super().__init__()
        self.encoder = nn.Linear(_NUM_COORDINATES, BOTTLENECK)
        self.judge = nn.Sequential(nn.LeakyReLU(SLOPE), nn.Linear(BOTTLENECK, 1))

    @torch.no_grad()
    def initialise(self, statistics: LandmarkStatistics) -> None:
        """Begin with the training part's directions."""
        middle = statistics.canonical_neutral.reshape(-1) + statistics.displacement_mean
        self.encoder.weight.copy_(torch.from_numpy(statistics.displacement_pcs))
        self.encoder.bias.copy_(torch.from_numpy(-statistics.displacement_pcs @ middle))

    def forward(self, points: Tensor) -> Tensor:
        """Logits (N,) of canonical landmarks (N, 68, 2): high where they look real."""
        return torch.as_tensor(self.judge(self.encoder(points.flatten(-2))).squeeze(-1))


class LGan(nn.Module):
    """Both networks."""

    def __init__(self, preset: Preset, num_taps: int = NUM_TAPS) -> None:
        """Random weights."""
        super().__init__()
        self.generator = Generator(preset, num_taps)
        self.discriminator = Discriminator()

    def forward(self, taps: Tensor) -> Tensor:
        """The generator's displacements (N, 68, 2) of (N, K, 29)."""
        return torch.as_tensor(self.generator(taps))


def create_l_gan(preset: str = "paper", *, num_taps: int = NUM_TAPS) -> LGan:
    """An untrained l-GAN; ValueError where there is no such preset."""
    return LGan(find_preset(PRESETS, preset), num_taps)
