"""What draws a person's frames, whatever family it is of."""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import numpy.typing as npt

from toolkit.errors import ToolkitError
from zoo.data.crop_camera import CropCamera
from zoo.data.frames import Picture, RenderClip, Stretches
from zoo.motion.pose_map import PoseMap
from zoo.motion.pose_range import PoseRange
from zoo.training.options import AUTO


class Renderer(Protocol):
    """A trained renderer of one person.

    Attributes:
        path: of its checkpoint.
        identity: whom it draws.
        pose_map: from `face/pose` to the pose that is drawn.
        pose_range: between which turns of the head it learnt; None where that is not known.
        perceptual: network that judged its training.
        trained_on: which frames of which clips it learnt from.
        held_out: which it was chosen by and never learnt from.
        has_alpha: it draws heads with an alpha, and not whole squares.
        whole_frames: it draws whole frames of the video, background and all.
    """

    @property
    def path(self) -> Path: ...
    @property
    def identity(self) -> str: ...
    @property
    def pose_map(self) -> PoseMap: ...
    @property
    def pose_range(self) -> PoseRange | None: ...
    @property
    def perceptual(self) -> str: ...
    @property
    def trained_on(self) -> Stretches: ...
    @property
    def held_out(self) -> Stretches: ...
    @property
    def has_alpha(self) -> bool: ...
    @property
    def whole_frames(self) -> bool: ...

    def check_clip(self, clip: RenderClip) -> None:
        """ToolkitError for a clip that it cannot draw."""

    def draw(
        self,
        camera: CropCamera,
        *,
        expression: npt.ArrayLike,
        pose: npt.ArrayLike,
        au45: npt.ArrayLike,
        smooth: bool = True,
    ) -> Iterator[Picture]:
        """Frames of a motion (n, 64), (n, 6), (n,), in order; smoothed or as it is.

        Squares (S, S, 3), or heads (S, S, 4) whose last channel is the alpha, 0 to 255.
        """


def choose_background(renderer: Renderer, background: str) -> str:
    """What is shown around a drawn head: `source`, `crop`, or `full` where all of it is drawn.

    Raises:
        ToolkitError: another one is asked for than the renderer was trained for.
    """
    if background == AUTO:
        return "full" if renderer.whole_frames else "source"
    if renderer.whole_frames and background != "full":
        raise ToolkitError(
            f"{renderer.path}: draws whole frames: leave --background {background} away"
        )
    if background == "full" and not renderer.whole_frames:
        raise ToolkitError(
            f"{renderer.path}: draws heads, and no whole frames: train one that does with zoo "
            "train renderer --background full, or leave --background full away"
        )
    return background
