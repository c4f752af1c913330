"""The camera of a stored crop: the source's intrinsics, moved and scaled with the crop.

Picture coordinates are continuous, as everywhere in a shard: pixel (i, j) is the square from
(i, j) to (i + 1, j + 1), its centre lies at (i + 0.5, j + 0.5).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from toolkit.dataset.shard import ShardClip
from toolkit.facemodel.camera import crop_intrinsics
from toolkit.schema import NOMINAL_SIZE


@dataclass(frozen=True, kw_only=True)
class CropCamera:
    """A camera whose picture is square.

    Attributes:
        intrinsics: fx, fy, cx, cy in px of the picture.
        size: side of the picture, px.
    """

    intrinsics: tuple[float, float, float, float]
    size: int

    @classmethod
    def of_crop(
        cls, intrinsics: Sequence[float], crop: Sequence[float], size: int = NOMINAL_SIZE
    ) -> Self:
        """The camera that sees a crop of a picture, scaled to `size` px.

        Args:
            intrinsics: fx, fy, cx, cy in px of the whole picture.
            crop: xyxy in px of the whole picture.
            size: side of the crop once scaled, px.

        Raises:
            ValueError: an empty crop, or no size.
        """
        return cls(intrinsics=crop_intrinsics(intrinsics, crop, size), size=size)

    @classmethod
    def of_clip(cls, clip: ShardClip, frame_size: int) -> Self:
        """The camera of a clip's stored frames; of a nominal size where none are stored."""
        return cls.of_crop(clip.intrinsics, clip.crop, frame_size or NOMINAL_SIZE)

    def magnify(self, factor: int) -> Self:
        """The same view with `factor`² pixels for each."""
        fx, fy, cx, cy = (factor * value for value in self.intrinsics)
        return type(self)(intrinsics=(fx, fy, cx, cy), size=factor * self.size)
