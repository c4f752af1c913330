"""Speech and canonical landmarks of clips, from shards of one kind.

Legend: n frames of a clip, K taps of a frame.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from toolkit.dataset.shard import ShardReader
from toolkit.errors import ToolkitError
from toolkit.features.blink import compute_ear
from zoo.data.fingerprint import Fingerprint, digest_item, digest_parts
from zoo.data.holdout import Holdout
from zoo.data.source import ClipSlice, describe_backend, require_one_kind, select_clips
from zoo.landmarks.align import average_shapes, measure_opening, remove_pose, view68
from zoo.landmarks.retarget import canonicalise, has_inverse

Floats = npt.NDArray[np.float32]

NUM_TAPS = 6
LAYOUT = "canonical-landmarks-68-2/v1"
"""Name and version of canonical points; stands in every checkpoint."""

MESH68 = "mesh-68"
"""The 68 points are vertices of the face mesh, `toolkit.mesh.LANDMARKS68`. Shards hold no other
points; models say which they know, for another mark-up puts them elsewhere on a face."""

TAP_RATE = 30
"""Taps a second: 33 ms from one to the next, whatever the clip's rate."""

FEATURES = ("deepspeech", "landmarks")

_REST_SHARE = 0.1
"""Of a person's frames with open eyes, those with the least open mouth are the face at rest."""


@dataclass(frozen=True, eq=False, kw_only=True)
class LandmarkClip:
    """One clip, or what a holdout left of it.

    Attributes:
        id: the clip's.
        identity: who is seen.
        source: path from the dataset's folder.
        fps: frames a second.
        scores: (n, K, 29) float32 scores at 33 ms around each frame, see `cut_taps`.
        canonical: (n, 68, 2) float32 in canonical space, the head still and seen from the front.
        neutral: (68, 2) float64, the person's face at rest, seen from the front, mm of the mean
            face.
        valid: (n,) bool, measured and not filled in, and a face: where points are displaced by as
            much as the face is large, the face at rest stands.
        ear: (n, 2) float32 eye aspect ratio, left and right of the subject.
    """

    id: str
    identity: str
    source: str
    fps: int
    scores: Floats
    canonical: Floats
    neutral: npt.NDArray[np.float64]
    valid: npt.NDArray[np.bool_]
    ear: Floats

    @property
    def num_frames(self) -> int:
        """Its length, n."""
        return len(self.canonical)


@dataclass(frozen=True, eq=False, kw_only=True)
class LandmarkClips:
    """Clips of one kind.

    Attributes:
        clips: sorted by id.
        canonical_neutral: (68, 2) float64, the canonical face at rest.
        fps: frames a second, of all.
        scale: what the scores are, `log_prob` or `logit`.
        backends: feature -> name, version and weights' digest of what made it.
    """

    clips: tuple[LandmarkClip, ...]
    canonical_neutral: npt.NDArray[np.float64]
    fps: int
    scale: str
    backends: dict[str, str]

    def __iter__(self) -> Iterator[LandmarkClip]:
        return iter(self.clips)

    def __len__(self) -> int:
        return len(self.clips)


def load_landmark_clips(
    shards: Path,
    *,
    split: str | None,
    identity: str | None = None,
    holdout: Holdout | None = None,
    held: bool = False,
    where: str | None = None,
    canonical_neutral: npt.ArrayLike | None = None,
    num_taps: int = NUM_TAPS,
) -> LandmarkClips:
    """Clips of one part of the split, or of all, with the inverse of eq. 7 as their truth.

    Args:
        shards: as all up to `where`, see `select_clips`.
        split: see there.
        identity: see there.
        holdout: see there.
        held: see there.
        where: see there.
        canonical_neutral: (68, 2) of the training part, where this is another; by default it is
            made of these clips: every person counts once.
        num_taps: K; 0: scores are not read, and need not be there.

    Raises:
        ToolkitError: nothing is left, or a person of whom no frame is measured; and see
            `select_clips`.
        ShardError: shards whose frame rates, scales or backends differ, or one that lacks an array;
            names the option that makes it.
    """
    slices = select_clips(
        shards, split=split, identity=identity, holdout=holdout, held=held, where=where
    )
    if not slices:
        raise ToolkitError(f"{shards}: the holdout leaves no frame")
    require_one_kind(slices, _describe_kind)
    slices.sort(key=lambda part: part.clip.id)
    rests = find_rests(slices)
    shapes = {name: view68(mesh) for name, mesh in rests.items()}
    if canonical_neutral is None:
        canonical_neutral = average_shapes(list(shapes.values()))
    neutral = np.asarray(canonical_neutral, np.float64)
    reader = slices[0].reader
    return LandmarkClips(
        clips=tuple(
            _load_clip(part, rests[part.clip.identity], neutral, num_taps) for part in slices
        ),
        canonical_neutral=neutral,
        fps=reader.fps,
        scale=reader.scale,
        backends={name: describe_backend(reader.provenance.get(name)) for name in FEATURES},
    )


def cut_taps(scores: npt.ArrayLike, fps: float, num_taps: int = NUM_TAPS) -> Floats:
    """Scores around each frame (n, K, 29) of scores (n, 29) on a clock of `fps`.

    Tap k of a frame lies (k − K // 2) / 30 s after it, so that tap K // 2 is the frame itself; of
    scores at 30 a second these are their rows. Between rows it is linear; beyond the first and
    the last these are repeated.
    """
    values = np.asarray(scores, np.float32)
    steps = np.arange(num_taps) - num_taps // 2
    position = np.arange(len(values))[:, None] + steps * fps / TAP_RATE
    position = np.clip(position, 0, len(values) - 1)
    before = np.floor(position).astype(np.int64)
    after = np.minimum(before + 1, len(values) - 1)
    share = (position - before).astype(np.float32)[..., None]
    return np.asarray(values[before] * (1 - share) + values[after] * share)


def find_rests(slices: Sequence[ClipSlice]) -> dict[str, npt.NDArray[np.float64]]:
    """Everyone's mesh at rest (468, 3), mm of the mean face, seen from the front.

    The mean over the tenth of the measured frames, of those whose eyes are at least as open as the
    person's usually are, in which the mouth is least open.

    Raises:
        ToolkitError: no frame of an identity is measured.
    """
    rests = {}
    for identity in sorted({part.clip.identity for part in slices}):
        own = [part for part in slices if part.clip.identity == identity]
        opening, ear, valid = (np.concatenate(x) for x in zip(*map(_measure, own), strict=True))
        if not valid.any():
            raise ToolkitError(f"{identity}: no frame is measured: leave them out with --where")
        rests[identity] = _average_frames(own, _choose_rest(opening, ear, valid))
    return rests


def find_rest(meshes: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """One person's mesh at rest (468, 3), as `find_rests`, of their meshes (n, 478, 3)."""
    faces = np.asarray(meshes, np.float32)
    moved = remove_pose(faces)
    opening, ear = measure_opening(view68(moved)), compute_ear(faces).mean(axis=1)
    chosen = _choose_rest(opening, ear.astype(np.float64), np.ones(len(faces), bool))
    return np.asarray(moved[chosen].mean(axis=0))


def _choose_rest(
    opening: npt.NDArray[np.float64],
    ear: npt.NDArray[np.float64],
    valid: npt.NDArray[np.bool_],
) -> npt.NDArray[np.int64]:
    """Frames at rest, rising, of (n,) each."""
    awake = np.flatnonzero(valid & (ear >= np.median(ear[valid])))
    count = max(1, round(_REST_SHARE * len(awake)))
    return np.sort(awake[np.argsort(opening[awake], kind="stable")[:count]])


def take_fingerprint(trained: LandmarkClips, chosen_by: LandmarkClips) -> Fingerprint:
    """Digests of all that is read of the clips of a training."""
    return digest_parts(trained, chosen_by, _digest)


def _digest(clip: LandmarkClip) -> str:
    return digest_item(clip.identity, clip.fps, clip.scores, clip.canonical, clip.valid, clip.ear)


def _measure(part: ClipSlice) -> tuple[npt.NDArray[np.float64], ...]:
    """Of a clip's frames (n,): how open the mouth and the eyes are, and which are measured."""
    opening = measure_opening(view68(remove_pose(part.read("face/landmarks"))))
    ear = part.read("face/ear").astype(np.float64).mean(axis=1)
    return opening, ear, part.read("face/valid").astype(bool) & np.isfinite(ear)


def _average_frames(
    parts: Sequence[ClipSlice], frames: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Mean mesh (468, 3) of frames counted over all parts."""
    first, moved = 0, []
    for part in parts:
        last = first + part.last - part.first
        here = frames[(frames >= first) & (frames < last)] - first
        moved.append(remove_pose(part.read("face/landmarks")[here]))
        first = last
    return np.asarray(np.concatenate(moved).mean(axis=0))


def _load_clip(
    part: ClipSlice,
    rest: npt.NDArray[np.float64],
    canonical_neutral: npt.NDArray[np.float64],
    num_taps: int,
) -> LandmarkClip:
    neutral = view68(rest)
    points = view68(remove_pose(part.read("face/landmarks"), rest))
    is_face = has_inverse(points, neutral)
    points[~is_face] = neutral
    return LandmarkClip(
        id=part.clip.id,
        identity=part.clip.identity,
        source=part.clip.source,
        fps=part.reader.fps,
        scores=_read_scores(part, num_taps),
        canonical=canonicalise(points, canonical_neutral, neutral).astype(np.float32),
        neutral=neutral,
        valid=part.read("face/valid").astype(bool) & is_face,
        ear=part.read("face/ear").astype(np.float32),
    )


def _read_scores(part: ClipSlice, num_taps: int) -> Floats:
    if not num_taps:
        return np.zeros((part.last - part.first, 0, 29), np.float32)
    return cut_taps(part.read("audio/deepspeech"), part.reader.fps, num_taps)


def _describe_kind(reader: ShardReader) -> dict[str, object]:
    made = {name: describe_backend(reader.provenance.get(name)) for name in FEATURES}
    return {
        "frame rate": reader.fps,
        "audio scale": reader.scale,
        **{f"{feature} by": backend for feature, backend in made.items()},
    }
