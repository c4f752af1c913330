"""What flows move, and how it becomes a picture: the prior's features, or pictures themselves.

Legend: B pictures, H their side, F channels of the prior's maps at 64 × 64, L vectors of w+.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from toolkit.errors import ToolkitError
from toolkit.storage import hash_file
from zoo.models.styleheat.calibration import Calibration
from zoo.models.styleheat.flow import warp
from zoo.models.styleheat.motion import AudioMotion, VideoMotion
from zoo.stylegan.generator import Features
from zoo.stylegan.prior import Change, Prior, open_prior


class Source(NamedTuple):
    """A source picture, taken in.

    Attributes:
        shown: (B, 3, H, H) as it comes out unmoved.
        maps: what is moved: (B, F, 64, 64), or (B, 3, H, H).
        skip: (B, 3, 32, 32) the generator's colours so far, or no numbers.
        styles: (B, L, 512), or no numbers.
    """

    shown: Tensor
    maps: Tensor
    skip: Tensor
    styles: Tensor

    def repeat(self, times: int) -> "Source":
        """(B · times, …): each for so many frames."""
        if times == 1:
            return self
        return Source(*(x.repeat_interleave(times, dim=0) for x in self))


class Canvas(Protocol):
    """Takes pictures in and draws what was moved."""

    @property
    def size(self) -> int:
        """H."""

    @property
    def features(self) -> int:
        """Channels of what is moved."""

    def enter(self, pictures: Tensor) -> Source:
        """Of aligned pictures (B, 3, ·, ·), −1 to 1; no gradient passes."""

    def draw(self, source: Source, maps: Tensor) -> Tensor:
        """(B, 3, H, H) of moved maps."""


class PictureCanvas:
    """Pictures are moved as they are: stage 1 without a prior."""

    features = 3

    def __init__(self, size: int) -> None:
        self.size = size

    def enter(self, pictures: Tensor) -> Source:
        """The pictures themselves."""
        nothing = pictures.new_zeros(len(pictures), 0)
        return Source(pictures, pictures, nothing, nothing)

    def draw(self, source: Source, maps: Tensor) -> Tensor:
        """They are drawn already."""
        return maps


class PriorCanvas:
    """The maps behind the generator's first convolution at 64 px are moved.

    Attributes:
        prior: its weights are not trained.
    """

    def __init__(self, prior: Prior) -> None:
        self.prior = prior.requires_grad_(False).eval()
        self.size, self.features = prior.size, prior.features

    def enter(self, pictures: Tensor) -> Source:
        """w+ and F of pictures."""
        return self.change(pictures, None)

    def change(self, pictures: Tensor, change: Change | None) -> Source:
        """The same, w+ changed: see `Prior.invert`."""
        with torch.no_grad():
            styles, maps = self.prior.invert(pictures, change)
            skip = self.prior.generator.begin(styles).skip
            shown = self.prior.generator.finish(Features(maps, skip), styles)
        return Source(shown, maps, skip, styles)

    def draw(self, source: Source, maps: Tensor) -> Tensor:
        """By the rest of the generator."""
        return self.prior.generator.finish(Features(maps, source.skip), source.styles)


@dataclass(frozen=True)
class PriorRecord:
    """Which prior a network was trained with: stands in its checkpoint.

    Attributes:
        path: where it lay; "" for none.
        sha256: of the file; "" for none.
    """

    path: str = ""
    sha256: str = ""


def find_prior(
    given: Path | None, known: PriorRecord, whose: Path | None = None
) -> tuple[Path | None, PriorRecord]:
    """The prior's file, and its record; None where pictures are moved.

    Args:
        given: by the user; None: where it lay.
        known: of the checkpoint that is gone on from.
        whose: that checkpoint.

    Raises:
        ToolkitError: the file is gone, or is not the one that the checkpoint was trained with.
    """
    if given is None and not known.path:
        return None, known
    path = given or Path(known.path)
    if not path.is_file():
        where = f"{whose}: its prior is not at {path}" if given is None else f"{path}: no such file"
        raise ToolkitError(f"{where}: give --prior")
    sha256 = hash_file(path)
    if known.sha256 and sha256 != known.sha256:
        raise ToolkitError(f"{path}: another prior than the one that {whose} was trained with")
    return path, PriorRecord(str(path.resolve()), sha256)


def open_canvas(path: Path | None, size: int, device: torch.device) -> Canvas:
    """Of a prior, or of pictures of so many px where there is none."""
    return PictureCanvas(size) if path is None else PriorCanvas(open_prior(path, device))


# --- what drives --------------------------------------------------------------------------------


class Moved(NamedTuple):
    """Maps that were moved, and the descriptor (B, 256) of what moved them."""

    maps: Tensor
    descriptor: Tensor


def move_by_video(video: VideoMotion, source: Source, windows: Tensor) -> Moved:
    """By windows (B, 27, 73)."""
    descriptor = video.describe(windows)
    return Moved(warp(source.maps, video.move(source.shown, descriptor)), descriptor)


def move_by_audio(audio: AudioMotion, maps: Tensor, drawn: Tensor, mel: Tensor) -> Moved:
    """By mel windows (B, 32, 80): maps moved before, of which `drawn` (B, 3, H, H) was drawn."""
    descriptor = audio.describe(mel)
    return Moved(warp(maps, audio.move(drawn, descriptor)), descriptor)


def calibrate(calibration: Calibration, moved: Moved) -> Tensor:
    """Maps, mended."""
    out: Tensor = calibration(*moved)
    return out
