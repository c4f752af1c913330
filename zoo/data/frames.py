"""Clips of one person with everything that drawing and its training need, from the shards.

Legend: n frames of a clip.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from toolkit.dataset.manifest import has_split, read_table
from toolkit.dataset.shard import ShardReader
from toolkit.errors import ShardError, ToolkitError
from zoo.data.clips import describe_backend, find_dataset
from zoo.data.crop_camera import CropCamera
from zoo.data.holdout import Cut, Holdout, find_cuts

Floats = npt.NDArray[np.float32]

Picture = npt.NDArray[np.uint8]
"""(height, width, 3) uint8 RGB."""

Stretches = Mapping[str, tuple[int, int]]
"""Clip id -> first frame, and the one behind the last."""

FEATURES = ("coefficients", "pose", "au45")
"""What a network sees of the clips that it draws."""

_HOLD_OUT = "hold frames out: --holdout 0.2"

_NAMES = ("face/expression", "face/model_pose", "face/pose", "face/au45", "face/illumination")


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
        shards: a dataset's folder `shards`, or the dataset's folder.
        identity: who.
        split: `train`, `val` or `test`; None: all clips, split or not.
        holdout: keep the last share of the person's source time out.
        held: with `holdout`, ask for the held-out frames instead.
        clip_id: this one alone.

    Raises:
        ToolkitError: no such identity, no split, nothing is left, or clips of several frame sizes,
            frame rates or backends.
        ShardError: a shard is damaged or lacks an array or its frames; names the option that
            makes it.
        ValueError: `held` without `holdout`.
    """
    if held and holdout is None:
        raise ValueError("held frames need a holdout")
    dataset = find_dataset(shards)
    table = read_table(dataset, "clips")
    known = sorted(set(table["identity"]))
    if identity not in known:
        names = ", ".join(known[:8]) + (", …" if len(known) > 8 else "")
        raise ToolkitError(f"{dataset}: nobody is called {identity!r}: choose from {names}")
    rows = table[table["identity"] == identity].sort_values(["source", "start_frame"])
    cut = find_cuts(rows, holdout).get(identity) if holdout else None
    if split is not None and not has_split(dataset):
        raise ToolkitError(f"{dataset} has no split: run ttk split, or {_HOLD_OUT}")
    if split is not None:
        parts = read_table(dataset, "split")
        rows = rows[rows["clip_id"].isin(parts.loc[parts["split"] == split, "clip_id"])]
    if rows.empty:
        raise ToolkitError(
            f"{dataset}: no clip of {identity} is in {split}: see ttk split, or {_HOLD_OUT}"
        )
    if clip_id is not None:
        rows = rows[rows["clip_id"] == clip_id]
    readers = {name: ShardReader(dataset / name) for name in map(str, rows["shard"].unique())}
    places = zip(rows["shard"].tolist(), rows["index"].tolist(), strict=True)
    clips = [
        clip for shard, index in places for clip in _load(readers[shard], int(index), cut, held)
    ]
    if not clips:
        raise ToolkitError(f"{dataset}: the holdout leaves no frame of {identity}")
    _require_one_kind(clips)
    return tuple(clips)


def _load(reader: ShardReader, index: int, cut: Cut | None, held: bool) -> Iterator[RenderClip]:
    if not reader.frame_size:
        raise ShardError(
            f"{reader.path} has no frames: run ttk ingest with --frame-size 256 into a new folder"
        )
    clip = reader.clips[index]
    first, last = 0, clip.num_frames
    if cut is not None:
        first, last = cut.keep(clip.source, clip.start_frame, clip.num_frames, held=held)
    arrays = {name: reader.read(name, index)[first:last] for name in (*_NAMES, "face/valid")}
    if first >= last:
        return
    yield RenderClip(
        id=clip.id,
        identity=clip.identity,
        source=clip.source,
        first=first,
        fps=reader.fps,
        camera=CropCamera.of_clip(clip, reader.frame_size),
        backends={name: describe_backend(reader.provenance.get(name)) for name in FEATURES},
        identity_coefficients=reader.read("clips/identity_coefficients", index),
        texture_coefficients=reader.read("clips/texture_coefficients", index),
        reader=reader,
        index=index,
        valid=arrays.pop("face/valid").astype(bool),
        **{name.split("/")[1]: values.astype(np.float32) for name, values in arrays.items()},
    )


def _require_one_kind(clips: Sequence[RenderClip]) -> None:
    ours = clips[0]
    for theirs in clips[1:]:
        for what, value in theirs.kind.items():
            if value != ours.kind[what]:
                raise ToolkitError(
                    f"{theirs.reader.path}: {what} {value}, but {ours.kind[what]} in "
                    f"{ours.reader.path}: train on one kind of shards"
                )


def note_stretches(clips: Sequence[RenderClip]) -> dict[str, list[int]]:
    """Which frames these are, as a checkpoint holds it."""
    return {clip.id: [clip.first, clip.first + clip.num_frames] for clip in clips}
