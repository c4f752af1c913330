"""What a renderer is to draw: of a clip's own motion, or of one that a model made.

Legend: n frames, S the side of a drawn frame.
"""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from zoo.data import AU45, EXPRESSION, POSE
from zoo.data.crop_camera import CropCamera
from zoo.data.frames import Picture, RenderClip
from zoo.motion.generate import Motion
from zoo.motion.pose_range import measure_turns
from zoo.speaking.renderer import Renderer

Floats = npt.NDArray[np.floating[Any]]

LEAST_TURN = float(np.deg2rad(0.05))
"""From which on a limited turn is warned of, rad."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Movement:
    """A motion as renderers take it.

    Attributes:
        expression: (n, 64) standard deviations.
        pose: (n, 6) of the model.
        au45: (n,) 0 to 5.
        smooth: False draws expression and pose as they are.
        limit: False draws the head turned as it is, however far.
    """

    expression: Floats
    pose: Floats
    au45: Floats
    smooth: bool = True
    limit: bool = True

    def __len__(self) -> int:
        return len(self.pose)

    def draw(self, renderer: Renderer, camera: CropCamera) -> Iterator[Picture]:
        """Frames (S, S, 3), or (S, S, 4) with an alpha, in order; warns as `limit_turns`."""
        moves = self.limit_turns(renderer)
        return renderer.draw(
            camera,
            expression=moves.expression,
            pose=moves.pose,
            au45=moves.au45,
            smooth=moves.smooth,
        )

    def limit_turns(self, renderer: Renderer) -> Self:
        """With the head turned little further than a renderer learnt; warns where it was more."""
        if not self.limit or renderer.pose_range is None:
            return self
        pose = renderer.pose_range.limit(self.pose)
        turns = measure_turns(pose, self.pose)
        if num := int((turns >= LEAST_TURN).sum()):
            warnings.warn(
                f"in {num} of {len(self)} frames the head would turn further than {renderer.path} "
                f"learnt: turned back by {np.rad2deg(turns.max()):.1f}° at most",
                stacklevel=3,
            )
        return replace(self, pose=pose, limit=False)


def move_clip(clip: RenderClip) -> Movement:
    """As a clip moved."""
    return Movement(expression=clip.expression, pose=clip.model_pose, au45=clip.au45)


def move_by(
    renderer: Renderer, motion: Motion, *, smooth: bool = True, limit: bool = True
) -> Movement:
    """As motion (n, 71) in stored units says."""
    return Movement(
        expression=motion[:, EXPRESSION],
        pose=renderer.pose_map.apply(motion[:, POSE]),
        au45=motion[:, AU45.start],
        smooth=smooth,
        limit=limit,
    )
