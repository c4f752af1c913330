"""When pass 1 looks for further faces: every 0.2 s, and in every frame around what it sees then.

Looking costs as much as half the face mesh. A stretch in which no face but the followed one is seen
at either end has none in between that would count: a second face of at most `clips.MAX_GAP` frames
is bridged. Frames are therefore read in groups of up to 0.2 s, and the last one of a group is
looked at before the others are given to the mesh. Once another face is seen, so is every frame of
that group and of the next second.
"""

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from toolkit.features.landmarks import FaceMesh, Mesh
from toolkit.media.decode import Frame

MAX_GROUP = 6
"""Frames of a group at most: as many pictures are held in memory."""

_GROUP_SECONDS = 0.2
_WATCH_SECONDS = 1.0


def group_frames(frames: Iterator[Frame]) -> Iterator[list[Frame]]:
    """The frames in groups: each ends at most 0.2 s after the one before it, and has 1 to 6.

    Args:
        frames: in order.
    """
    group: list[Frame] = []
    end: float | None = None  # of the group before
    for frame in frames:
        group.append(frame)
        end = frame.time if end is None else end
        step = frame.time - (group[-2].time if len(group) > 1 else end)
        if len(group) == MAX_GROUP or frame.time + step > end + _GROUP_SECONDS + step / 2:
            yield group
            group, end = [], frame.time
    if group:
        yield group


class Lookout:
    """Says of each group whether its every frame must be looked at."""

    def __init__(self, mesh: FaceMesh) -> None:
        self._mesh = mesh
        self._until = -np.inf

    def must_look(
        self, group: list[Frame], *, face: Mesh | None, num_faces: int, has_cut: bool
    ) -> bool:
        """Whether the mesh must look for further faces in every frame of a group.

        Args:
            group: the frames, none of which the mesh has seen.
            face: the followed face in the frame before, in pixels of these pictures.
            num_faces: faces that the mesh knew there, the followed one included.
            has_cut: whether a shot begins in the group.
        """
        if face is None or has_cut:
            return True
        end: npt.NDArray[np.uint8] = group[-1].picture
        if num_faces > 1 or self._mesh.sees_others(end, face):
            self._until = group[-1].time + _WATCH_SECONDS
        return group[0].time <= self._until
