"""VG-net of Chen et al. (CVPR 2019), in the released code's sizes: the poster prints none.

`paper` has 58,355,781 parameters. `small` has its parts, a fraction as wide, and convolves nothing
at full resolution.

Legend: B pictures, T frames, H the side of a picture, 136 coordinates of 68 aligned points.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from zoo.models.vg_net.presets import GRID, NUM_COORDINATES, PRESETS, Preset
from zoo.training.options import find_preset

_Convolution = nn.Conv2d | nn.ConvTranspose2d


class EncodedPicture(NamedTuple):
    """What a picture (B, 3, H, H) and its landmarks are to the network, once for all frames.

    Attributes:
        fine: (B, C, H/4, H/4), i′.
        coarse: (B, C, H/16, H/16), i″.
        landmarks: (B, C, 8, 8), its landmarks' first map, which the attention compares.
        landmarks_deep: (B, C, 8, 8), their second, which is taken from that of every frame.
    """

    fine: Tensor
    coarse: Tensor
    landmarks: Tensor
    landmarks_deep: Tensor


class VGNet(nn.Module):
    """A picture and landmarks to frames: what moves, and where."""

    def __init__(self, preset: Preset, *, attention: bool = True) -> None:
        """Random weights.

        Args:
            preset: the sizes.
            attention: False: colours alone are drawn, every pixel of them; see `forward`.
        """
        super().__init__()
        self._attends = attention
        self._hidden = preset.hidden
        first, second, fine, middle, coarse = preset.image
        self.image_fine = nn.Sequential(
            *_enter(preset.packed, first, second), *_convolve(second, fine, 1 + (not preset.packed))
        )
        self.image_coarse = nn.Sequential(
            *_convolve(fine, middle, 2), *_convolve(middle, coarse, 2)
        )
        shallow, deep = preset.landmarks
        self.landmarks_enter = nn.Sequential(nn.Linear(NUM_COORDINATES, GRID**2), nn.ReLU())
        self.landmarks_shallow = nn.Sequential(*_convolve(1, shallow))
        self.landmarks_deep = nn.Sequential(*_convolve(shallow, deep))
        self.attention = nn.Sequential(
            *_double(2 * shallow, preset.attention[0]),
            *_double(preset.attention[0], preset.attention[1]),
            nn.Conv2d(preset.attention[1], 1, 3, padding=1),
            nn.Sigmoid(),
        )
        self.fuse = nn.Sequential(*_convolve(coarse + deep, preset.fused))
        self.recurrent = ConvGRU(preset.fused, preset.hidden)
        self.dropout = nn.Dropout(preset.dropout)
        a, b, c, d = preset.decoder
        self.decode = nn.Sequential(
            *(ResidualBlock(preset.hidden, preset.dropout) for _ in range(preset.blocks)),
            *_double(preset.hidden, a),
            *_double(a, b),
        )
        if b != fine:
            raise ValueError(f"the decoder has {b} channels where the picture has {fine}")
        self.leave = nn.Sequential(*_double(fine, c), *(() if preset.packed else _double(c, d)))
        self.heads = PackedHeads(c) if preset.packed else Heads(d)
        self.apply(_init_weights)

    def encode(self, picture: Tensor, identity: Tensor) -> EncodedPicture:
        """Of a picture (B, 3, H, H), −1 to 1, and its landmarks (B, 136)."""
        fine = self.image_fine(picture)
        return EncodedPicture(fine, self.image_coarse(fine), *self._read_landmarks(identity))

    def begin(self, picture: EncodedPicture) -> Tensor:
        """The recurrent state (B, C, 8, 8) before the first frame."""
        b, _, h, w = picture.coarse.shape
        return picture.coarse.new_zeros(b, self._hidden, h, w)

    def advance(
        self, picture: EncodedPicture, landmarks: Tensor, state: Tensor, laps: int = 0
    ) -> tuple[Tensor, Tensor]:
        """Frames of the next landmarks (B, T, 136), as `forward`'s, and the state behind them."""
        b, t = landmarks.shape[:2]
        shallow, deep = self._read_landmarks(landmarks.flatten(0, 1))
        moved = deep - _repeat(picture.landmarks_deep, t)
        fused = self.fuse(torch.cat([_repeat(picture.coarse, t), moved], dim=1))
        steps = fused.unflatten(0, (b, t)).unbind(1)
        for _ in range(laps):
            for x in steps:
                state = self.recurrent(x, state)
            state = state.detach()
        states = []
        for x in steps:
            state = self.recurrent(x, state)
            states.append(state)
        drawn = self.decode(self.dropout(torch.stack(states, dim=1).flatten(0, 1)))
        if self._attends:
            compared = torch.cat([shallow, _repeat(picture.landmarks, t)], dim=1)
            share = self.attention(compared)
            drawn = share * drawn + (1 - share) * _repeat(picture.fine, t)
        found: Tensor = self.heads(self.leave(drawn)).float().unflatten(0, (b, t))
        if not self._attends:
            found = torch.cat([found[:, :, :3], torch.ones_like(found[:, :, 3:])], dim=2)
        return found, state

    def forward(
        self, picture: Tensor, identity: Tensor, landmarks: Tensor, laps: int = 0
    ) -> Tensor:
        """Motion and attention (B, T, 4, H, H): colours m, −1 to 1, then α, 0 to 1.

        Without attention α is 1, and v′ is v.

        Args:
            picture: (B, 3, H, H), −1 to 1.
            identity: (B, 136) its landmarks.
            landmarks: (B, T, 136) of the frames.
            laps: how often the recurrent state goes through the landmarks before, without a
                gradient: frames are then as far into a video as `laps` · T.
        """
        encoded = self.encode(picture, identity)
        return self.advance(encoded, landmarks, self.begin(encoded), laps)[0]

    def _read_landmarks(self, points: Tensor) -> tuple[Tensor, Tensor]:
        grid = self.landmarks_enter(points).reshape(-1, 1, GRID, GRID)
        shallow = self.landmarks_shallow(grid)
        return shallow, self.landmarks_deep(shallow)


def create_vg_net(preset: str = "small", *, attention: bool = True) -> VGNet:
    """An untrained VG-net; ValueError where there is no such preset."""
    return VGNet(find_preset(PRESETS, preset), attention=attention)


def compose(found: Tensor, picture: Tensor) -> Tensor:
    """v̂ = α ⊙ m + (1 − α) ⊙ i_p: frames (B, T, 3, H, H) of `VGNet.forward`'s and the picture."""
    motion, alpha = found[:, :, :3], found[:, :, 3:]
    return alpha * motion + (1 - alpha) * picture[:, None]


def fold_norms(network: nn.Module) -> None:
    """Multiply every batch norm into the convolution before it: of a network in use, for good."""
    for layers in network.modules():
        if not isinstance(layers, nn.Sequential):
            continue
        for k in range(1, len(layers)):
            before, norm = layers[k - 1], layers[k]
            if isinstance(norm, nn.BatchNorm2d) and isinstance(before, _Convolution):
                is_transposed = isinstance(before, nn.ConvTranspose2d)
                layers[k - 1] = fuse_conv_bn_eval(before, norm, is_transposed)
                layers[k] = nn.Identity()


# --- layers -------------------------------------------------------------------------------------


class ConvGRU(nn.Module):
    """One convolutional gated recurrent unit, 3 × 3, dilation 2."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.gates = nn.Conv2d(inputs + hidden, 2 * hidden, 3, padding=2, dilation=2)
        self.candidate = nn.Conv2d(inputs + hidden, hidden, 3, padding=2, dilation=2)

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        """The state (B, hidden, h, w) behind x (B, inputs, h, w): (1 − z)·state + z·candidate."""
        gates = torch.sigmoid(self.gates(torch.cat([x, state], dim=1)))
        update, reset = gates.chunk(2, dim=1)
        candidate = torch.tanh(self.candidate(torch.cat([x, reset * state], dim=1)))
        return torch.lerp(state, candidate, update)


class ResidualBlock(nn.Module):
    """Two convolutions with batch norm, added to what comes in."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, width, h, w) both ways."""
        out: Tensor = x + self.layers(x)
        return out


class Heads(nn.Module):
    """Colours and alpha, 7 × 7, at full resolution."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.pad = nn.ReflectionPad2d(3)
        self.color, self.alpha = nn.Conv2d(width, 3, 7), nn.Conv2d(width, 1, 7)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 4, h, w) of (B, width, h, w)."""
        x = self.pad(x)
        return torch.cat([torch.tanh(self.color(x)), torch.sigmoid(self.alpha(x))], dim=1)


class PackedHeads(nn.Module):
    """The same at half the resolution: four subpixels of each leave together."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.both = nn.Sequential(nn.Conv2d(width, 16, 3, padding=1), nn.PixelShuffle(2))

    def forward(self, x: Tensor) -> Tensor:
        """(B, 4, 2h, 2w) of (B, width, h, w)."""
        found = self.both(x)
        return torch.cat([torch.tanh(found[:, :3]), torch.sigmoid(found[:, 3:])], dim=1)


def _enter(packed: bool, first: int, second: int) -> tuple[nn.Module, ...]:
    """Layers from a picture (B, 3, H, H) to (B, second, H/4 or H/2, …): of a packed one H/4."""
    if packed:
        return (nn.PixelUnshuffle(2), *_convolve(12, second, 2))
    return (
        nn.ReflectionPad2d(3),
        nn.Conv2d(3, first, 7),
        nn.BatchNorm2d(first),
        nn.ReLU(),
        *_convolve(first, second, 2),
    )


def _convolve(inputs: int, outputs: int, stride: int = 1) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1)
    return convolution, nn.BatchNorm2d(outputs), nn.ReLU()


def _double(inputs: int, outputs: int) -> tuple[nn.Module, ...]:
    convolution = nn.ConvTranspose2d(
        inputs, outputs, 3, stride=2, padding=1, output_padding=1, bias=False
    )
    return convolution, nn.BatchNorm2d(outputs), nn.ReLU()


def _repeat(x: Tensor, times: int) -> Tensor:
    """(B · times, …) of (B, …): every one for each of its frames."""
    repeated = x.repeat_interleave(times, dim=0)
    return repeated.contiguous(memory_format=torch.channels_last)


def _init_weights(layer: nn.Module) -> None:
    """The released code's: convolutions N(0, 0.02), scales of batch norm N(1, 0.02)."""
    if isinstance(layer, _Convolution):
        nn.init.normal_(layer.weight, 0.0, 0.02)
    elif isinstance(layer, nn.BatchNorm2d):
        nn.init.normal_(layer.weight, 1.0, 0.02)
