"""Sound around each frame and landmarks as they are seen, from shards of one kind.

Legend: n frames of a clip.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from toolkit.dataset.shard import ShardReader
from toolkit.errors import ToolkitError
from zoo.data.contract import Contract
from zoo.data.fingerprint import Fingerprint, digest_item, digest_parts
from zoo.data.holdout import Holdout
from zoo.data.mfcc import cut_frame_windows
from zoo.data.source import ClipSlice, describe_backend, require_one_kind, select_clips
from zoo.landmarks.align import view68
from zoo.landmarks.aligned import LAYOUT, align_points, average_aligned

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False, kw_only=True)
class SoundClip:
    """One clip, or what a holdout left of it.

    Attributes:
        id: the clip's.
        identity: who is seen.
        windows: (n, 28, 12) float32, see `cut_frame_windows`; beyond its ends the clip is silent.
        points: (n, 68, 2) float32, aligned.
        valid: (n,) bool, measured and not filled in.
    """

    id: str
    identity: str
    windows: Floats
    points: Floats
    valid: npt.NDArray[np.bool_]

    @property
    def num_frames(self) -> int:
        """Its length, n."""
        return len(self.points)


@dataclass(frozen=True, eq=False, kw_only=True)
class SoundClips:
    """Clips of one kind, in each of which a frame at least is measured.

    Attributes:
        clips: sorted by id.
        mean_shape: (68, 2) float64, that their points are aligned to.
        contract: what a network trained on them can be fed with.
    """

    clips: tuple[SoundClip, ...]
    mean_shape: npt.NDArray[np.float64]
    contract: Contract

    def __iter__(self) -> Iterator[SoundClip]:
        return iter(self.clips)

    def __len__(self) -> int:
        return len(self.clips)


def load_sound_clips(
    shards: Path,
    *,
    split: str | None,
    identity: str | None = None,
    holdout: Holdout | None = None,
    held: bool = False,
    where: str | None = None,
    mean_shape: npt.ArrayLike | None = None,
) -> SoundClips:
    """Clips of one part of the split, or of all.

    Args:
        shards: as all up to `where`, see `select_clips`.
        split: see there.
        identity: see there.
        holdout: see there.
        held: see there.
        where: see there.
        mean_shape: (68, 2) of the training part, where this is another; by default it is made of
            these clips.

    Raises:
        ToolkitError: no clip is left, or none with a measured frame; and see `select_clips`.
        ShardError: shards whose frame rates or landmarks differ, or one that lacks an array.
    """
    slices = select_clips(
        shards, split=split, identity=identity, holdout=holdout, held=held, where=where
    )
    slices = [part for part in slices if part.read("face/valid").any()]
    if not slices:
        raise ToolkitError(f"{shards}: no measured frame is left to learn from")
    kind = require_one_kind(slices, _describe_kind)
    slices.sort(key=lambda part: part.clip.id)
    clips = [_load_clip(part) for part in slices]
    if mean_shape is None:
        mean_shape = average_aligned([clip.points[clip.valid] for clip in clips])
    mean = np.asarray(mean_shape, np.float64)
    return SoundClips(
        clips=tuple(
            replace(clip, points=align_points(clip.points, mean).astype(np.float32))
            for clip in clips
        ),
        mean_shape=mean,
        contract=make_contract(int(str(kind["frame rate"])), str(kind["landmarks by"])),
    )


def make_contract(fps: int, landmarks: str) -> Contract:
    """What a network on cepstra and aligned landmarks can be fed with.

    Args:
        fps: frames a second.
        landmarks: name and version of what measured them.
    """
    return Contract(layout=LAYOUT, fps=fps, scale="mfcc", backends={"landmarks": landmarks})


def take_fingerprint(trained: SoundClips, chosen_by: SoundClips) -> Fingerprint:
    """Digests of all that is read of the clips of a training."""
    return digest_parts(trained, chosen_by, _digest)


def _digest(clip: SoundClip) -> str:
    return digest_item(clip.identity, clip.windows, clip.points, clip.valid)


def _load_clip(part: ClipSlice) -> SoundClip:
    """Its points are those of the stored crop, px."""
    return SoundClip(
        id=part.clip.id,
        identity=part.clip.identity,
        windows=cut_frame_windows(part.read_sound(), 0, part.last - part.first, part.reader.fps),
        points=view68(part.read("face/landmarks")).astype(np.float32),
        valid=part.read("face/valid").astype(bool),
    )


def _describe_kind(reader: ShardReader) -> dict[str, object]:
    return {
        "frame rate": reader.fps,
        "landmarks by": describe_backend(reader.provenance.get("landmarks")),
    }
