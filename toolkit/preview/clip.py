"""One clip of a dataset as previews show it: found by its id, read from its shard, in shown units.

Legend: n frames of the clip.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from toolkit.dataset.find import find_clip
from toolkit.dataset.shard import ShardReader
from toolkit.errors import ManifestError
from toolkit.features.blink import find_blinks
from toolkit.preview.draw import GREY, Picture, find_axes
from toolkit.schema import NOMINAL_SIZE, Blink, Provenance

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class PreviewClip:
    """What is drawn of one clip; a feature that the shard lacks is None.

    Attributes:
        shard, index: where it lies; a shard of None has no pictures to show.
        name, identity, source: clip id, person, source path.
        fps, num_frames, start: clock rate, n, first frame on the source's clock.
        size: side of the crop that landmarks refer to, px.
        crop, intrinsics: in source px.
        provenance: feature -> what made it.
        pcm: (samples,) int16 at 16 kHz.
        valid: (n,) bool; all True where not stored.
        landmarks: (n, 478, 2) float64 in crop px.
        pose: (n, 6) float64 rad and mm.
        au45: (n,) float64, 0 to 5.
        ear: (n, 2) eye aspect ratio, subject's left and right.
        symbols: (n, 29) float64 probabilities, each row adding up to 1.
        blinks: found in `au45`.
    """

    shard: ShardReader | None
    index: int
    name: str
    identity: str
    source: str
    fps: int
    num_frames: int
    start: int
    size: int
    crop: tuple[float, float, float, float]
    intrinsics: tuple[float, float, float, float]
    provenance: Mapping[str, Provenance]
    pcm: npt.NDArray[np.int16]
    valid: npt.NDArray[np.bool_]
    landmarks: Floats | None
    pose: Floats | None
    au45: Floats | None
    ear: Floats | None
    symbols: Floats | None
    blinks: Sequence[Blink]

    @property
    def duration(self) -> float:
        """Length, s."""
        return self.num_frames / self.fps

    def find_blink(self, t: int) -> Blink | None:
        """The blink that frame t is part of."""
        return next((b for b in self.blinks if b.onset <= t <= b.offset), None)

    def read_picture(self, t: int, side: int) -> Picture:
        """Frame t as (side, side, 3) uint8 RGB; grey where no frames are stored."""
        import cv2

        if self.shard is None or not self.shard.frame_size:
            return np.full((side, side, 3), GREY, np.uint8)
        picture = self.shard.frame(self.index, t)
        if len(picture) == side:
            return picture
        method = cv2.INTER_CUBIC if len(picture) < side else cv2.INTER_AREA
        return np.asarray(cv2.resize(picture, (side, side), interpolation=method), np.uint8)

    def scale_landmarks(self, t: int, side: int) -> Floats | None:
        """Mesh (478, 2) of frame t in px of a picture (side, side)."""
        return None if self.landmarks is None else self.landmarks[t] * (side / self.size)

    def place_axes(self, t: int, side: int) -> Floats | None:
        """Pose axes (4, 2) of frame t in px of a picture (side, side): see `find_axes`."""
        axes = None if self.pose is None else find_axes(self.pose[t], self.intrinsics)
        return None if axes is None else self.place(axes, side)

    def place(self, points: Floats, side: int) -> Floats:
        """Points (k, 2) in source px, in px of a picture (side, side)."""
        x0, y0, x1, y1 = self.crop
        return np.asarray((points - (x0, y0)) * side / (x1 - x0, y1 - y0))


def load_clip(dataset: Path, clip_id: str) -> PreviewClip:
    """Read a clip by its id, or by the beginning of it.

    Raises:
        ToolkitError: no such clip; its shard is missing, damaged or not the manifest's.
    """
    return read_clip(*find_clip(dataset, clip_id))


def read_clip(name: str, path: Path, index: int) -> PreviewClip:
    """Read a clip of which the place is known.

    Args:
        name: its whole id.
        path: its shard.
        index: its place in it.

    Raises:
        ToolkitError: the shard is missing, damaged or not the manifest's.
    """
    reader = ShardReader(path)
    if index >= len(reader.clips) or reader.clips[index].id != name:
        raise ManifestError(f"{path}: clip {name} is not where it should be: run ttk validate")
    clip = reader.clips[index]
    landmarks, au45 = _read(reader, "face/landmarks", index), _read(reader, "face/au45", index)
    valid = np.ones(clip.num_frames, bool)
    if "face/valid" in reader.names:
        valid = reader.read("face/valid", index).astype(bool)
    return PreviewClip(
        shard=reader,
        index=index,
        name=clip.id,
        identity=clip.identity,
        source=clip.source,
        fps=reader.fps,
        num_frames=clip.num_frames,
        start=clip.start_frame,
        size=reader.frame_size or NOMINAL_SIZE,
        crop=clip.crop,
        intrinsics=clip.intrinsics,
        provenance=reader.provenance,
        pcm=reader.read("audio/pcm", index).astype(np.int16, copy=False),
        valid=valid,
        landmarks=None if landmarks is None else landmarks[..., :2],
        pose=_read(reader, "face/pose", index),
        au45=au45,
        ear=_read(reader, "face/ear", index),
        symbols=_read_symbols(reader, index),
        blinks=[] if au45 is None else find_blinks(au45, reader.fps),
    )


def _read(reader: ShardReader, name: str, index: int) -> Floats | None:
    return reader.read(name, index).astype(np.float64) if name in reader.names else None


def _read_symbols(reader: ShardReader, index: int) -> Floats | None:
    """Probabilities from log-probabilities or logits: both by a softmax."""
    scores = _read(reader, "audio/deepspeech", index)
    if scores is None:
        return None
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
