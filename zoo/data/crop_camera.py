"""The camera of a stored crop: the source's intrinsics, moved and scaled with the crop.

Picture coordinates are continuous, as everywhere in a shard: pixel (i, j) is the square from
(i, j) to (i + 1, j + 1), its centre lies at (i + 0.5, j + 0.5).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from toolkit.dataset.shard import ShardClip
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
        fx, fy, cx, cy = intrinsics
        x0, y0, x1, y1 = crop
        if x1 <= x0 or y1 <= y0 or size < 1:
            raise ValueError(f"no camera sees a crop {tuple(crop)} at {size} px")
        across, down = size / (x1 - x0), size / (y1 - y0)
        return cls(
            intrinsics=(fx * across, fy * down, (cx - x0) * across, (cy - y0) * down), size=size
        )

    @classmethod
    def of_clip(cls, clip: ShardClip, frame_size: int) -> Self:
        """The camera of a clip's stored frames; of a nominal size where none are stored."""
        return cls.of_crop(clip.intrinsics, clip.crop, frame_size or NOMINAL_SIZE)

    def magnify(self, factor: int) -> Self:
        """The same view with `factor`² pixels for each."""
        fx, fy, cx, cy = (factor * value for value in self.intrinsics)
        return type(self)(intrinsics=(fx, fy, cx, cy), size=factor * self.size)
