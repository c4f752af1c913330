"""Clips of one person with everything that drawing and its training need, from the shards.

Legend: n frames of a clip.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from toolkit.dataset.shard import ShardReader
from toolkit.errors import ToolkitError
from zoo.data.crop_camera import CropCamera
from zoo.data.fingerprint import Fingerprint, digest_item, digest_parts
from zoo.data.holdout import Holdout
from zoo.data.source import (
    ClipSlice,
    describe_backend,
    require_frames,
    require_one_kind,
    select_clips,
)

Floats = npt.NDArray[np.float32]

Picture = npt.NDArray[np.uint8]
"""(height, width, 3) uint8 RGB."""

Stretches = Mapping[str, tuple[int, int]]
"""Clip id -> first frame, and the one behind the last."""

FEATURES = ("coefficients", "pose", "au45")
"""What a network sees of the clips that it draws."""

_NAMES = ("face/expression", "face/model_pose", "face/pose", "face/au45", "face/illumination")
_COEFFICIENTS = ("identity_coefficients", "texture_coefficients")


@dataclass(frozen=True, eq=False, kw_only=True)
class RenderClip:
    """One clip, or what a holdout left of it, in stored units.

    Attributes:
        id: the clip's.
        identity: who is seen.
        source: path from the dataset's folder.
        first: frames of the clip that come before these.
        fps: frames a second.
        camera: of the stored frames.
        backends: `coefficients`, `pose` and `au45` -> name, version and weights' digest of what
            made them.
        identity_coefficients, texture_coefficients: (80,) float32.
        expression: (n, 64) float32.
        model_pose: (n, 6) float32, which is drawn.
        pose: (n, 6) float32, which motion models learn.
        au45: (n,) float32, 0 to 5.
        illumination: (n, 27) float32.
        valid: (n,) bool, measured and not filled in.
        inside: (size, size) bool, which pixels of the frames lie in the picture; elsewhere its
            border is repeated. None where all do.
        reader, index: where the frames lie.
    """

    id: str
    identity: str
    source: str
    first: int
    fps: int
    camera: CropCamera
    backends: dict[str, str]
    identity_coefficients: Floats
    texture_coefficients: Floats
    expression: Floats
    model_pose: Floats
    pose: Floats
    au45: Floats
    illumination: Floats
    valid: npt.NDArray[np.bool_]
    inside: npt.NDArray[np.bool_] | None
    reader: ShardReader
    index: int

    @property
    def num_frames(self) -> int:
        """Its length, n."""
        return len(self.model_pose)

    @property
    def kind(self) -> dict[str, object]:
        """What must be the same in all clips that one network sees, by its name in messages."""
        return {
            "frames of": self.camera.size,
            "frame rate": self.fps,
            **{f"{feature} by": self.backends[feature] for feature in FEATURES},
        }

    @property
    def is_whole(self) -> bool:
        """Its frames are the largest square of the picture, or more, and no part of that."""
        clip = self.reader.clips[self.index]
        x0, _, x1, _ = clip.crop
        _, _, cx, cy = clip.intrinsics  # the principal point lies in the picture's middle
        return bool(x1 - x0 >= 2 * min(cx, cy) // 2 * 2)

    def take(self, first: int, last: int) -> "RenderClip":
        """Frames [first, last) of these; ValueError where there are none such."""
        if not 0 <= first < last <= self.num_frames:
            raise ValueError(f"clip {self.id}: no frames {first} to {last} of {self.num_frames}")
        names = (*(name.split("/")[1] for name in _NAMES), "valid")
        taken = {name: getattr(self, name)[first:last] for name in names}
        return replace(self, first=self.first + first, **taken)

    def read_frame(self, t: int) -> npt.NDArray[np.uint8]:
        """Stored frame t of these: (size, size, 3) uint8 RGB; ShardError where none are stored."""
        if not 0 <= t < self.num_frames:
            raise ValueError(f"clip {self.id} has {self.num_frames} frames, no frame {t}")
        return self.reader.frame(self.index, self.first + t)


def load_render_clips(
    shards: Path,
    *,
    identity: str,
    split: str | None = None,
    holdout: Holdout | None = None,
    held: bool = False,
    clip_id: str | None = None,
) -> tuple[RenderClip, ...]:
    """Clips of one person, sorted by source and place in it.

    Args:
        shards: as all up to `held`, see `select_clips`.
        identity: who.
        split: see there.
        holdout: see there.
        held: see there.
        clip_id: this one alone.

    Raises:
        ToolkitError: nothing is left; and see `select_clips`.
        ShardError: a shard lacks an array or its frames (names the option that makes it), or shards
            of several frame sizes, frame rates or backends.
    """
    where = None if clip_id is None else f"clip_id == {clip_id!r}"
    slices = select_clips(
        shards, split=split, identity=identity, holdout=holdout, held=held, where=where
    )
    if not slices:
        raise ToolkitError(f"{shards}: the holdout leaves no frame of {identity}")
    slices.sort(key=lambda part: (part.clip.source, part.clip.start_frame))
    require_one_kind(slices, _describe_kind)
    return tuple(map(_load_clip, slices))


def _describe_kind(reader: ShardReader) -> dict[str, object]:
    made = {name: describe_backend(reader.provenance.get(name)) for name in FEATURES}
    return {
        "frames of": reader.frame_size,
        "frame rate": reader.fps,
        **{f"{feature} by": backend for feature, backend in made.items()},
    }


def _load_clip(part: ClipSlice) -> RenderClip:
    reader = part.reader
    require_frames(reader)
    return RenderClip(
        id=part.clip.id,
        identity=part.clip.identity,
        source=part.clip.source,
        first=part.first,
        fps=reader.fps,
        camera=CropCamera.of_clip(part.clip, reader.frame_size),
        backends={name: describe_backend(reader.provenance.get(name)) for name in FEATURES},
        identity_coefficients=reader.read("clips/identity_coefficients", part.index),
        texture_coefficients=reader.read("clips/texture_coefficients", part.index),
        reader=reader,
        index=part.index,
        valid=part.read("face/valid").astype(bool),
        inside=find_inside(part.clip.crop, part.clip.intrinsics, reader.frame_size),
        **{name.split("/")[1]: part.read(name).astype(np.float32) for name in _NAMES},
    )


def require_whole(clips: Sequence[RenderClip]) -> None:
    """ToolkitError where a clip's frames are a part of its picture."""
    for clip in clips:
        if not clip.is_whole:
            raise ToolkitError(
                f"clip {clip.id}: a crop is stored of it, and no whole frames: run ttk ingest with "
                "--crop picture into a new folder"
            )


def find_inside(
    crop: Sequence[float], intrinsics: Sequence[float], size: int
) -> npt.NDArray[np.bool_] | None:
    """Which pixels of a crop scaled to `size` lie in the picture, (size, size); None: all.

    The picture is known by its principal point, which lies in its middle.

    Args:
        crop: xyxy in px of the picture.
        intrinsics: fx, fy, cx, cy in the same; a source that is no picture has none there.
        size: side of the stored frames, px.
    """
    x0, y0, x1, y1 = crop
    shares = (np.arange(size) + 0.5) / size
    columns, rows = x0 + shares * (x1 - x0), y0 + shares * (y1 - y0)
    width, height = 2 * intrinsics[2], 2 * intrinsics[3]
    across, down = (columns >= 0) & (columns < width), (rows >= 0) & (rows < height)
    inside = down[:, None] & across
    return inside if inside.any() and not inside.all() else None


def note_stretches(clips: Sequence[RenderClip]) -> dict[str, list[int]]:
    """Which frames these are, as a checkpoint holds it."""
    return {clip.id: [clip.first, clip.first + clip.num_frames] for clip in clips}


def take_fingerprint(trained: Sequence[RenderClip], chosen_by: Sequence[RenderClip]) -> Fingerprint:
    """Digests of what is read of the clips of a training; frames by their camera alone."""
    return digest_parts(trained, chosen_by, _digest)


def _digest(clip: RenderClip) -> str:
    names = (*(name.split("/")[1] for name in _NAMES), "valid", *_COEFFICIENTS)
    camera = repr(clip.camera)
    arrays = (getattr(clip, name) for name in names)
    return digest_item(clip.identity, clip.first, clip.fps, camera, *arrays)
