"""What flows move, and how it becomes a picture: the prior's features, or pictures themselves.

Legend: B pictures, H their side, F channels of the prior's maps at 64 × 64, L vectors of w+.
"""

from collections.abc import Callable
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
from zoo.stylegan.drawing import FrameDrawer
from zoo.stylegan.generator import Features
from zoo.stylegan.optimise import optimise_maps
from zoo.stylegan.prior import Change, Inversion, Prior, open_prior


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

    def move(self, flow: Tensor) -> "Source":
        """By a flow (B, 2, 64, 64), with the colours so far; `shown` stays.

        The released code leaves the colours where they are: a generator that draws much of a face
        below 64 px then shows it twice.
        """
        skip = warp(self.skip, flow) if self.skip.numel() else self.skip
        return self._replace(maps=warp(self.maps, flow), skip=skip)


Draw = Callable[[Source], Tensor]
"""What was moved to pictures (B, 3, H, H)."""


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

    def draw(self, source: Source) -> Tensor:
        """(B, 3, H, H) of what was moved."""

    def prepare(self, source: Source) -> Draw:
        """`draw` for what is moved of one source (1, …) alone, faster and without gradients."""


class PictureCanvas:
    """Pictures are moved as they are: stage 1 without a prior."""

    features = 3

    def __init__(self, size: int) -> None:
        self.size = size

    def enter(self, pictures: Tensor) -> Source:
        """The pictures themselves."""
        nothing = pictures.new_zeros(len(pictures), 0)
        return Source(pictures, pictures, nothing, nothing)

    def draw(self, source: Source) -> Tensor:
        """They are drawn already."""
        return source.maps

    def prepare(self, source: Source) -> Draw:
        """As `draw`."""
        return self.draw


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
            return self._show(self.prior.invert(pictures, change))

    def optimise(self, pictures: Tensor, steps: int) -> Source:
        """The same, F made better by so many steps: see `optimise_maps`; pictures of side H."""
        with torch.no_grad():
            found = self.prior.invert(pictures)
        found = optimise_maps(self.prior, found, pictures, steps=steps)
        with torch.no_grad():
            return self._show(found)

    def _show(self, found: Inversion) -> Source:
        skip = self.prior.generator.begin(found.styles).skip
        shown = self.prior.generator.finish(Features(found.maps, skip), found.styles)
        return Source(shown, found.maps, skip, found.styles)

    def draw(self, source: Source) -> Tensor:
        """By the rest of the generator."""
        features = Features(source.maps, source.skip)
        return self.prior.generator.finish(features, source.styles)

    def prepare(self, source: Source) -> Draw:
        """By filters that are made once for its w+."""
        drawer = FrameDrawer(self.prior.generator, source.styles)
        return lambda moved: drawer(Features(moved.maps, moved.skip))


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
    """What was moved, and the descriptor (B, 256) of what moved it."""

    source: Source
    descriptor: Tensor


def move_by_video(video: VideoMotion, source: Source, windows: Tensor) -> Moved:
    """By windows (B, 27, 73)."""
    descriptor = video.describe(windows)
    return Moved(source.move(video.move(source.shown, descriptor)), descriptor)


def move_by_audio(audio: AudioMotion, source: Source, drawn: Tensor, mel: Tensor) -> Moved:
    """By mel windows (B, 32, 80): moved before, of which `drawn` (B, 3, H, H) was drawn, or not."""
    descriptor = audio.describe(mel)
    return Moved(source.move(audio.move(drawn, descriptor)), descriptor)


def calibrate(calibration: Calibration, moved: Moved) -> Source:
    """Maps, mended."""
    return moved.source._replace(maps=calibration(moved.source.maps, moved.descriptor))
