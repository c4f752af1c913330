"""FACIAL-GAN's networks as the paper's supplement prints them.

Legend: B batch, T frames of a window, 29 symbol scores, A numbers of speech features (29, or 384 of
Whisper), 71 numbers of motion, s initial state, z temporal and c local features (32 each).

Where the paper is silent: paddings are those that attain the printed shapes; the slope of the
leaky ReLU is 0.01; the stretching of G_tem is by pixel centres, so that position k stands on
frames 2k and 2k + 1 whatever T is; the discriminator has the shape of the released code's.
"""

import torch
from torch import nn
from torch.nn import functional

from toolkit.schema import DEEPSPEECH_SYMBOLS
from zoo.data.layout import CONTEXT, MOTION_SIZE

__all__ = [
    "Discriminator",
    "Generator",
    "LocalNetwork",
    "TemporalNetwork",
    "check_shapes",
]

NUM_SYMBOLS = len(DEEPSPEECH_SYMBOLS)

LOCAL_FRAMES = sum(CONTEXT) + 1
"""Frames of a local window: 16."""

NUM_FEATURES = 32
"""Of z and of c."""


class Generator(nn.Module):
    """Eq. 3: FC(z ⊕ c) for every frame; G_tem makes z, G_loc makes c."""

    stride = 4
    """T must be a multiple: G_tem halves time twice."""

    def __init__(
        self, *, temporal: bool = True, local: bool = True, audio_size: int = NUM_SYMBOLS
    ) -> None:
        """Random weights.

        Args:
            temporal: leave G_tem out for the ablations of Fig. 8: the FC then sees c alone.
            local: the same of G_loc.
            audio_size: A. Where it is not 29, a linear map without offset, one for all frames,
                makes 29 numbers of them that both networks read as the paper's scores.
        """
        super().__init__()
        if not (temporal or local):
            raise ValueError("a generator needs its temporal or its local network")
        self.audio_size = audio_size
        self.reduce = (
            None if audio_size == NUM_SYMBOLS else nn.Linear(audio_size, NUM_SYMBOLS, bias=False)
        )
        self.temporal = TemporalNetwork() if temporal else None
        self.local = LocalNetwork() if local else None
        self.head = nn.Linear(NUM_FEATURES * (temporal + local), MOTION_SIZE)

    def forward(self, audio: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
        """Motion of a window.

        Args:
            audio: (B, T + 15, A) speech features of the window, 8 frames before and 7 after it, as
                the normalisation gives them.
            state: (B, 71) motion to begin with, normalised.

        Returns:
            (B, T, 71) normalised motion.

        Raises:
            ValueError: other shapes, or a T that is no multiple of `stride`.
        """
        num_frames = check_shapes(audio, state, self.stride, self.audio_size)
        if self.reduce is not None:
            audio = self.reduce(audio)
        features = []
        if self.temporal is not None:
            features.append(self.temporal(audio.narrow(1, CONTEXT[0], num_frames), state))
        if self.local is not None:
            features.append(self.local(audio))
        motion: torch.Tensor = self.head(torch.cat(features, dim=2))
        return motion


class TemporalNetwork(nn.Module):
    """G_tem, Table 1; each convolution is followed by a leaky ReLU, then batch normalisation."""

    def __init__(self) -> None:
        """Random weights."""
        super().__init__()
        self.encoder = nn.Sequential(
            *_leaky(nn.Conv2d(1, 32, 4, 2, padding=(1, 0))),
            *_leaky(nn.Conv2d(32, 128, 4, 2, padding=(1, 0))),
            nn.ZeroPad2d((0, 0, 1, 2)),  # an even kernel keeps the length only so
            *_leaky(nn.Conv2d(128, 256, 4)),
            *_leaky(nn.Conv2d(256, 256, (3, 1), padding=(1, 0))),
        )
        self.decoder = nn.Sequential(
            *_leaky(nn.Conv1d(256 + MOTION_SIZE, 256, 3, padding=1)),
            *_leaky(nn.Conv1d(256, 256, 3, padding=1)),
            *_leaky(nn.Conv1d(256, NUM_FEATURES, 3, padding=1)),
        )

    def forward(self, audio: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
        """z: (B, T, 32) from (B, T, 29) scores and (B, 71) s."""
        num_frames = audio.shape[1]
        x = self.encoder(audio[:, None])  # (B, 256, T / 4, 2)
        x = x.flatten(2)  # (B, 256, T / 2), time first
        x = functional.interpolate(x, size=num_frames, mode="linear", align_corners=False)
        x = torch.cat([x, tile_state(state, num_frames)], dim=1)  # (B, 327, T)
        z: torch.Tensor = self.decoder(x).transpose(1, 2)
        return z


class LocalNetwork(nn.Module):
    """G_loc, Table 2; each convolution is followed by a ReLU, then batch normalisation.

    All windows of a batch run at once: frames lie along the axis that the 3 × 1 kernels do not
    reach over, which takes a third of the CPU time of one convolution over B·T short signals
    (forward and backward of 64 × 128 frames: 0.08 s against 0.26 s on one core).
    With batch normalisation in training this is another statistic than frame by frame; in
    evaluation the two are equal.
    """

    def __init__(self) -> None:
        """Random weights."""
        super().__init__()
        self.convolutions = nn.Sequential(
            *_shorten(NUM_SYMBOLS, 32), *_shorten(32, 32), *_shorten(32, 64), *_shorten(64, 64)
        )
        self.dense = nn.Linear(64, NUM_FEATURES)

    def forward(self, audio: torch.Tensor) -> torch.Tensor:
        """c: (B, T, 32) from (B, T + 15, 29) scores, as `Generator.forward` takes them."""
        x = audio.unfold(1, LOCAL_FRAMES, 1)  # (B, T, 29, 16), a view
        x = x.permute(0, 2, 3, 1)  # (B, 29, 16, T)
        x = x.contiguous(memory_format=torch.channels_last)  # whole stretches of audio are copied
        x = self.convolutions(x)  # (B, 64, 1, T)
        return torch.tanh(self.dense(x[:, :, 0].transpose(1, 2)))


class Discriminator(nn.Module):
    """D: judges patches of a motion and of its steps from frame to frame; sees no audio."""

    stride = 8
    """Rows of the picture from patch to patch."""

    def __init__(self, width: int = 64) -> None:
        """`width` is the number of channels of the first layer."""
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, width, 3, 2, padding=1),
            nn.LeakyReLU(0.2),
            *_judge(width, 2 * width, stride=2),
            *_judge(2 * width, 4 * width, stride=2),
            *_judge(4 * width, 8 * width, stride=1),
            nn.Conv2d(8 * width, 1, 3, padding=1),
        )
        self.layers.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, motion: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        """Logits of the patches: (B, 1, 32, 9) for (B, 128, 71) normalised motion.

        T rows of values and below them T - 1 rows of differences make one picture. With a mask, as
        in `MotionBatch`, rows behind a clip's end are zero, and what is left are the (n, 9) logits
        of patches in whose middle a row of the clip stands.
        """
        picture = torch.cat([motion, motion.diff(dim=1)], dim=1)
        if mask is None:
            return torch.as_tensor(self.layers(picture[:, None]))
        rows = torch.cat([mask, mask[:, 1:]], dim=1)
        logits = self.layers(picture.where(rows[..., None], 0)[:, None])
        return torch.as_tensor(logits[rows[:, None, :: self.stride]])


def check_shapes(
    audio: torch.Tensor, state: torch.Tensor, stride: int, audio_size: int = NUM_SYMBOLS
) -> int:
    """T of a generator's input; ValueError if it is not (B, T + 15, A) and (B, 71)."""
    num_frames = audio.shape[1] - LOCAL_FRAMES + 1 if audio.ndim == 3 else 0
    if num_frames < 1 or num_frames % stride or audio.shape[2] != audio_size:
        raise ValueError(
            f"audio must be (B, T + {LOCAL_FRAMES - 1}, {audio_size}), T a multiple of {stride}, "
            f"not {tuple(audio.shape)}"
        )
    if state.shape != (len(audio), MOTION_SIZE):
        raise ValueError(f"state must be ({len(audio)}, {MOTION_SIZE}), not {tuple(state.shape)}")
    return num_frames


def tile_state(state: torch.Tensor, num_frames: int) -> torch.Tensor:
    """(B, 71, T): the (B, 71) state at every frame."""
    return state[:, :, None].expand(-1, -1, num_frames)


def _leaky(convolution: nn.Conv1d | nn.Conv2d) -> tuple[nn.Module, ...]:
    norm = nn.BatchNorm1d if isinstance(convolution, nn.Conv1d) else nn.BatchNorm2d
    return convolution, nn.LeakyReLU(), norm(convolution.out_channels)


def _shorten(channels: int, num_filters: int) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(channels, num_filters, (3, 1), (2, 1), padding=(1, 0))
    return convolution, nn.ReLU(), nn.BatchNorm2d(num_filters)


def _judge(channels: int, num_filters: int, stride: int) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(channels, num_filters, 3, stride, padding=1, bias=False)
    return convolution, nn.BatchNorm2d(num_filters), nn.LeakyReLU(0.2)
