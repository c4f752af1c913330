"""Two networks side by side that give pictures and sound one space of embeddings.

Legend: B windows, C channels, H the side of a picture, D numbers of an embedding.
"""

import pkgutil

import torch
from torch import Tensor, nn

from zoo.models.syncnet.presets import NUM_CEPSTRA, PRESETS, WINDOW
from zoo.training.options import find_preset

SCALE_FLOOR = 4.0
"""Least deviation (levels of 255) that a picture is divided by."""


class SyncNet(nn.Module):
    """The published network (layout of syncnet_v2): 13.6 million parameters, D = 1024.

    Faces are (B, 3, 5, 224, 224), blue, green, red from 0 to 255; sound is (B, 1, 13, 20). The
    embeddings are not normalised.
    """

    def __init__(self) -> None:
        super().__init__()
        self.netcnnaud = nn.Sequential(
            *_conv2d(1, 64, 3, padding=1),
            nn.MaxPool2d(1, 1),
            *_conv2d(64, 192, 3, padding=1),
            nn.MaxPool2d(3, (1, 2)),
            *_conv2d(192, 384, 3, padding=1),
            *_conv2d(384, 256, 3, padding=1),
            *_conv2d(256, 256, 3, padding=1),
            nn.MaxPool2d(3, 2),  # (B, 256, 5, 4)
            *_conv2d(256, 512, (5, 4)),
        )
        self.netfcaud = _make_head()
        self.netcnnlip = nn.Sequential(
            *_conv3d(3, 96, (WINDOW, 7, 7), stride=(1, 2, 2)),  # 109
            nn.MaxPool3d((1, 3, 3), (1, 2, 2)),  # 54
            *_conv3d(96, 256, (1, 5, 5), stride=(1, 2, 2), padding=(0, 1, 1)),  # 26
            nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),  # 13
            *_conv3d(256, 256, (1, 3, 3), padding=(0, 1, 1)),
            *_conv3d(256, 256, (1, 3, 3), padding=(0, 1, 1)),
            *_conv3d(256, 256, (1, 3, 3), padding=(0, 1, 1)),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2)),  # 6
            *_conv3d(256, 512, (1, 6, 6)),
        )
        self.netfclip = _make_head()

    def embed_faces(self, faces: Tensor) -> Tensor:
        """(B, D) of windows of pictures."""
        return torch.as_tensor(self.netfclip(self.netcnnlip(faces.float()).flatten(1)))

    def embed_sound(self, sound: Tensor) -> Tensor:
        """(B, D) of windows of sound."""
        return torch.as_tensor(self.netfcaud(self.netcnnaud(sound).flatten(1)))

    def forward(self, faces: Tensor, sound: Tensor) -> Tensor:
        """Distances (B,) of pictures and sound."""
        return torch.as_tensor((self.embed_faces(faces) - self.embed_sound(sound)).norm(dim=1))


class SmallSyncNet(SyncNet):
    """A network for CPUs: 0.9 million parameters, D = 128.

    Faces are (B, 1, 5, 48, 48), grey from 0 to 255, whatever their light: a window's mean is taken
    off and its deviation divided out. Embeddings have length 1.
    """

    def __init__(self) -> None:
        nn.Module.__init__(self)
        self.netcnnaud = nn.Sequential(
            *_conv1d(NUM_CEPSTRA, 64),
            *_conv1d(64, 96),
            *_conv1d(96, 128, stride=2),
            *_conv1d(128, 192, stride=2),  # (B, 192, 5)
        )
        self.netfcaud = _make_head(192 * 5, 256, 128)
        self.netcnnlip = nn.Sequential(
            *_conv2d(WINDOW, 32, 5, stride=2, padding=2),
            *_conv2d(32, 48, 3, stride=2, padding=1),
            *_conv2d(48, 96, 3, stride=2, padding=1),
            *_conv2d(96, 128, 3, stride=2, padding=1),  # (B, 128, 3, 3)
        )
        self.netfclip = _make_head(128 * 9, 256, 128)
        self.normsound = nn.BatchNorm1d(NUM_CEPSTRA, affine=False)

    def embed_faces(self, faces: Tensor) -> Tensor:
        """(B, D) of windows of pictures."""
        x = faces[:, 0].float()  # (B, 5, H, H)
        mean, deviation = x.mean((1, 2, 3), keepdim=True), x.std((1, 2, 3), keepdim=True)
        x = (x - mean) / deviation.clamp(min=SCALE_FLOOR)
        return nn.functional.normalize(super().embed_faces(x))

    def embed_sound(self, sound: Tensor) -> Tensor:
        """(B, D) of windows of sound."""
        return nn.functional.normalize(super().embed_sound(self.normsound(sound[:, 0])))


def create_syncnet(preset: str = "small") -> SyncNet:
    """An untrained judge; ValueError where there is no such preset."""
    network: SyncNet = pkgutil.resolve_name(find_preset(PRESETS, preset).network)()
    return network


def _conv1d(inputs: int, outputs: int, stride: int = 1) -> tuple[nn.Module, ...]:
    convolution = nn.Conv1d(inputs, outputs, 3, stride, padding=1)
    return convolution, nn.BatchNorm1d(outputs), nn.ReLU(inplace=True)


def _conv2d(
    inputs: int,
    outputs: int,
    kernel: int | tuple[int, int],
    stride: int | tuple[int, int] = 1,
    padding: int = 0,
) -> tuple[nn.Module, ...]:
    convolution = nn.Conv2d(inputs, outputs, kernel, stride, padding)
    return convolution, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)


def _conv3d(
    inputs: int,
    outputs: int,
    kernel: tuple[int, int, int],
    stride: tuple[int, int, int] = (1, 1, 1),
    padding: tuple[int, int, int] = (0, 0, 0),
) -> tuple[nn.Module, ...]:
    convolution = nn.Conv3d(inputs, outputs, kernel, stride, padding)
    return convolution, nn.BatchNorm3d(outputs), nn.ReLU(inplace=True)


def _make_head(inputs: int = 512, hidden: int = 512, outputs: int = 1024) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, hidden),
        nn.BatchNorm1d(hidden),
        nn.ReLU(inplace=True),
        nn.Linear(hidden, outputs),
    )
