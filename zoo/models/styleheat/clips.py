"""Clips with all that StyleHEAT's stages read of them, 25 frames a second.

Legend: n frames of a clip at 25 a second.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from toolkit.dataset.shard import ShardReader
from zoo.data.fingerprint import Fingerprint, digest_item, digest_parts
from zoo.data.mel import cut_mel_windows
from zoo.data.source import (
    ClipSlice,
    describe_backend,
    require_frames,
    require_one_kind,
    select_clips,
)
from zoo.data.stretches import Stretches, find_stretches, load_measured
from zoo.data.talking import TICK_SAMPLES, place_ticks
from zoo.landmarks.align import view68
from zoo.landmarks.ffhq import align_ffhq
from zoo.models.styleheat.coefficients import (
    Floats,
    Reference,
    make_coefficients,
    place_windows,
)

Picture = npt.NDArray[np.uint8]
"""(height, width, 3) uint8 RGB."""

FEATURES = ("landmarks", "coefficients")
"""Whose backends must be the same in all clips."""


@dataclass(frozen=True, eq=False, kw_only=True)
class DrivenClip:
    """One clip.

    Attributes:
        id: the clip's.
        identity: who is seen.
        expression: (n, 64) float32, standard deviations.
        pose: (n, 6) float32, that of the model which the expression belongs to.
        points: (n, 68, 2) landmarks, px of the stored pictures.
        stretches: first frame of each run of measured frames, and the one behind its last.
        pcm: (samples,) int16, 16 kHz; sample 0 belongs to frame 0.
        shown: (n,) which stored frame of the slice each is.
        part: where the pictures lie.
    """

    id: str
    identity: str
    expression: Floats
    pose: Floats
    points: npt.NDArray[np.float64]
    stretches: Stretches
    pcm: npt.NDArray[np.int16]
    shown: npt.NDArray[np.int64]
    part: ClipSlice

    @property
    def measured(self) -> npt.NDArray[np.int64]:
        """Frames of the stretches."""
        return np.concatenate([np.arange(*stretch) for stretch in self.stretches])

    def read(self, frame: int) -> Picture:
        """A stored picture."""
        return self.part.reader.frame(self.part.index, self.part.first + int(self.shown[frame]))

    def read_meshes(self, frames: npt.ArrayLike) -> Floats:
        """(k, 478, 3) px of the stored pictures; z in the same unit."""
        return np.asarray(
            self.part.read("face/landmarks")[self.shown[np.asarray(frames)]], np.float32
        )

    def describe(self, reference: int, frames: npt.ArrayLike) -> Floats:
        """Windows (k, 27, 73) about frames, relative to one, see `coefficients.py`."""
        places = place_windows(frames, len(self.pose))
        unique, where = np.unique(places, return_inverse=True)
        align = align_ffhq(self.points[reference])
        rows = make_coefficients(
            self.expression[unique],
            self.pose[unique],
            align.apply(self.points[unique]),
            Reference(
                self.expression[reference],
                self.pose[reference],
                align.apply(self.points[reference]),
            ),
        )
        return np.asarray(rows[where.reshape(places.shape)])

    def hear(self, first: int, last: int) -> Floats:
        """Mel windows (last − first, 32, 80) of frames."""
        return cut_mel_windows(self.pcm, first, last)

    def cut_sound(self, first: int, num_samples: int) -> npt.NDArray[np.int16]:
        """So many samples from a frame on, zeros behind the end."""
        heard = self.pcm[first * TICK_SAMPLES :][:num_samples]
        return np.pad(heard, (0, num_samples - len(heard)))


def load_driven_clips(
    shards: Path, *, num_frames: int, split: str | None
) -> tuple[DrivenClip, ...]:
    """Clips with at least one stretch of so many measured frames, sorted by id.

    Args:
        shards: as `split`, see `select_clips`; they may be of several frame rates.
        num_frames: of a stretch, at 25 a second; two at least, of which one is the source.
        split: see there.

    Raises:
        ToolkitError: no clip has such a stretch; and see `select_clips`.
        ShardError: a shard lacks crops or an array (names the option that makes them), or shards of
            several backends.
    """
    slices = select_clips(shards, split=split)
    require_one_kind(slices, _describe_kind)
    return load_measured(slices, _load_clip, num_frames, f"{shards}: no clip of {split or 'it'}")


def describe_backends(clips: Sequence[DrivenClip]) -> dict[str, str]:
    """Feature -> name, version and weights' digest of what made it."""
    made = clips[0].part.reader.provenance
    return {feature: describe_backend(made.get(feature)) for feature in FEATURES}


def take_fingerprint(trained: Sequence[DrivenClip], chosen_by: Sequence[DrivenClip]) -> Fingerprint:
    """Digests of what is read of the clips of a training; pictures by their clips' ids alone."""
    return digest_parts(trained, chosen_by, _digest)


def _digest(clip: DrivenClip) -> str:
    return digest_item(
        clip.identity, clip.expression, clip.pose, clip.points, clip.pcm, repr(clip.stretches)
    )


def _describe_kind(reader: ShardReader) -> dict[str, object]:
    made = reader.provenance
    return {f"{feature} by": describe_backend(made.get(feature)) for feature in FEATURES}


def _load_clip(part: ClipSlice, num_frames: int) -> DrivenClip:
    require_frames(part.reader)
    shown = place_ticks(part.last - part.first, part.reader.fps)
    meshes, expression, pose, valid = (
        np.asarray(part.read(f"face/{name}")[shown])
        for name in ("landmarks", "expression", "model_pose", "valid")
    )
    points = view68(meshes)
    valid = (
        valid.astype(bool) & np.isfinite(points).all(axis=(1, 2)) & np.isfinite(pose).all(axis=1)
    )
    return DrivenClip(
        id=part.clip.id,
        identity=part.clip.identity,
        expression=expression.astype(np.float32),
        pose=pose.astype(np.float32),
        points=points,
        stretches=find_stretches(valid, num_frames),
        pcm=part.read_sound(),
        shown=shown,
        part=part,
    )
