"""What a renderer is to draw: of a clip's own motion, or of one that a model made.

Legend: n frames, S the side of a drawn frame.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from zoo.data import AU45, EXPRESSION, POSE
from zoo.data.crop_camera import CropCamera
from zoo.data.frames import Picture, RenderClip
from zoo.motion.generate import Motion
from zoo.speaking.renderer import Renderer

Floats = npt.NDArray[np.floating[Any]]


@dataclass(frozen=True, eq=False, kw_only=True)
class Movement:
    """A motion as renderers take it.

    Attributes:
        expression: (n, 64) standard deviations.
        pose: (n, 6) of the model.
        au45: (n,) 0 to 5.
        smooth: False draws expression and pose as they are.
    """

    expression: Floats
    pose: Floats
    au45: Floats
    smooth: bool = True

    def __len__(self) -> int:
        return len(self.pose)

    def draw(self, renderer: Renderer, camera: CropCamera) -> Iterator[Picture]:
        """Frames (S, S, 3), or (S, S, 4) with an alpha, in order."""
        return renderer.draw(
            camera,
            expression=self.expression,
            pose=self.pose,
            au45=self.au45,
            smooth=self.smooth,
        )


def move_clip(clip: RenderClip) -> Movement:
    """As a clip moved."""
    return Movement(expression=clip.expression, pose=clip.model_pose, au45=clip.au45)


def move_by(renderer: Renderer, motion: Motion, *, smooth: bool = True) -> Movement:
    """As motion (n, 71) in stored units says."""
    return Movement(
        expression=motion[:, EXPRESSION],
        pose=renderer.pose_map.apply(motion[:, POSE]),
        au45=motion[:, AU45.start],
        smooth=smooth,
    )
