"""Audio and motion of clips, from shards of one kind.

n frames of a clip.
"""

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from toolkit.dataset.find import find_clip as find_place
from toolkit.dataset.shard import ShardReader
from toolkit.errors import ToolkitError
from toolkit.schema import ARRAYS, SPEECH_FEATURES
from zoo.data.fingerprint import Fingerprint, digest_item, digest_parts
from zoo.data.holdout import Holdout
from zoo.data.layout import MIN_FRAMES
from zoo.data.source import (
    ClipSlice,
    describe_backend,
    find_dataset,
    require_one_kind,
    select_clips,
)

Floats = npt.NDArray[np.float32]
Audio = npt.NDArray[np.float32 | np.float16]

NAMES = ("face/expression", "face/pose", "face/au45", "face/valid")
"""Arrays that are read beside the speech features."""


@dataclass(frozen=True, eq=False, kw_only=True)
class MotionClip:
    """Audio and motion of one clip, or of what a holdout left of it, in stored units.

    Attributes:
        id: the clip's.
        identity: who is seen.
        source: path from the dataset's folder.
        start_frame: first frame on the source's clock.
        fps: frames a second.
        audio: (n, 29) float32 scores, or (n, 384) float16 states of Whisper, a view of the shard.
        motion: (n, 71) float32, see `MOTION_LAYOUT`.
        valid: (n,) bool, measured and not filled in.
    """

    id: str
    identity: str
    source: str
    start_frame: int
    fps: int
    audio: Audio
    motion: Floats
    valid: npt.NDArray[np.bool_]

    @property
    def num_frames(self) -> int:
        """Its length, n."""
        return len(self.motion)


@dataclass(frozen=True, eq=False, kw_only=True)
class ClipSet:
    """Clips of one kind.

    Attributes:
        clips: sorted by id.
        fps: frames a second, of all.
        scale: what the audio holds, `log_prob`, `logit` or, of Whisper, `state`.
        backends: feature -> name, version and weights' digest of what made it.
        num_short: clips left out because they are too short.
        lost: identities all of whose clips are.
        min_frames: of the shortest clip that is taken.
        part: of the split that was asked for, or `all`.
        speech_features: what the audio is, one of `SPEECH_FEATURES`.
    """

    clips: tuple[MotionClip, ...]
    fps: int
    scale: str
    backends: dict[str, str]
    num_short: int = 0
    lost: tuple[str, ...] = ()
    min_frames: int = 1
    part: str = "all"
    speech_features: str = SPEECH_FEATURES[0]

    def __iter__(self) -> Iterator[MotionClip]:
        return iter(self.clips)

    def __len__(self) -> int:
        return len(self.clips)

    @property
    def identities(self) -> tuple[str, ...]:
        """Everyone seen, sorted."""
        return tuple(sorted({clip.identity for clip in self.clips}))

    @property
    def num_frames(self) -> int:
        """Frames of all clips."""
        return sum(clip.num_frames for clip in self.clips)


def load_clips(
    shards: Path,
    *,
    split: str | None,
    identity: str | None = None,
    holdout: Holdout | None = None,
    held: bool = False,
    where: str | None = None,
    min_frames: int = MIN_FRAMES,
    mix_backends: bool = False,
    speech_features: str = SPEECH_FEATURES[0],
) -> ClipSet:
    """Clips of one part of the split, or of all, that are long enough.

    Args:
        shards: as all up to `where`, see `select_clips`.
        split: see there.
        identity: see there.
        holdout: see there.
        held: see there.
        where: see there.
        min_frames: shorter clips are left out and counted.
        mix_backends: take shards although other backends or weights made their arrays.
        speech_features: what to read as audio, one of `SPEECH_FEATURES`.

    Raises:
        ToolkitError: no clip is long enough; and see `select_clips`.
        ShardError: shards whose frame rates, audio scales or backends differ, or one that lacks an
            array; names the option that makes it.
    """
    slices = select_clips(
        shards, split=split, identity=identity, holdout=holdout, held=held, where=where
    )
    if slices:
        require_one_kind(
            slices, lambda reader: _describe_kind(reader, speech_features, not mix_backends)
        )
    clips = sorted(
        (_load_clip(part, f"audio/{speech_features}") for part in slices), key=lambda clip: clip.id
    )
    long = tuple(clip for clip in clips if clip.num_frames >= min_frames)
    if not long:
        cut = " once the holdout is cut" if holdout else ""
        longest = max((clip.num_frames for clip in clips), default=0)
        raise ToolkitError(
            f"{shards}: no clip of {split or 'all'} has {min_frames} frames{cut}: the longest has "
            f"{longest}"
        )
    readers = [part.reader for part in slices]
    return ClipSet(
        clips=long,
        fps=readers[0].fps,
        scale=_find_scale(readers[0], speech_features),
        backends=_join_backends(readers, speech_features),
        num_short=len(clips) - len(long),
        lost=tuple(sorted({clip.identity for clip in clips} - {clip.identity for clip in long})),
        min_frames=min_frames,
        part=split or "all",
        speech_features=speech_features,
    )


def warn_of_short(parts: Iterable[ClipSet]) -> None:
    """Warn of clips that are left out because they are too short, and of whom it costs.

    One line a part, before a training.
    """
    for clips in parts:
        if not clips.num_short:
            continue
        text = (
            f"part {clips.part}: {clips.num_short} of {clips.num_short + len(clips)} clips are "
            f"shorter than {clips.min_frames} frames ({clips.min_frames / clips.fps:.1f} s) "
            "and are left out"
        )
        if clips.lost:
            names = ", ".join(clips.lost[:5]) + (", …" if len(clips.lost) > 5 else "")
            people = "1 person" if len(clips.lost) == 1 else f"{len(clips.lost)} people"
            text += f", and with them {people} altogether: {names}"
        warnings.warn(text, stacklevel=2)


def take_fingerprint(trained: ClipSet, chosen_by: ClipSet) -> Fingerprint:
    """Digests of all that is read of the clips of a training."""
    return digest_parts(trained, chosen_by, _digest)


def _digest(clip: MotionClip) -> str:
    return digest_item(
        clip.identity, clip.start_frame, clip.fps, clip.audio, clip.motion, clip.valid
    )


def find_clip(shards: Path, clip_id: str, speech_features: str = SPEECH_FEATURES[0]) -> MotionClip:
    """One clip of a dataset, whatever its part and length, with its motion.

    Args:
        shards: as `load_clips`.
        clip_id: its id, or the beginning of it that no other clip has; errors as
            `toolkit.dataset.find.find_clip`.
        speech_features: as `load_clips`.
    """
    found, *_ = find_place(find_dataset(shards), clip_id)
    (clip,) = load_clips(
        shards,
        split=None,
        where=f"clip_id == {found!r}",
        min_frames=1,
        speech_features=speech_features,
    )
    return clip


def _load_clip(part: ClipSlice, audio_name: str) -> MotionClip:
    audio, expression, pose, au45, valid = map(part.read, (audio_name, *NAMES))
    return MotionClip(
        id=part.clip.id,
        identity=part.clip.identity,
        source=part.clip.source,
        start_frame=part.clip.start_frame + part.first,
        fps=part.reader.fps,
        audio=audio,
        motion=np.concatenate([expression, pose, au45[:, None]], axis=1),
        valid=valid,
    )


def _list_features(speech_features: str) -> list[str]:
    return sorted({speech_features, *(ARRAYS[name].feature for name in NAMES)})


def _find_scale(reader: ShardReader, speech_features: str) -> str:
    return reader.scale if speech_features == "deepspeech" else "state"


def _describe_kind(
    reader: ShardReader, speech_features: str, with_backends: bool
) -> Mapping[str, object]:
    scale = _find_scale(reader, speech_features)
    kind: dict[str, object] = {"frame rate": reader.fps, "audio scale": scale}
    if with_backends:
        features = _list_features(speech_features)
        made = {name: describe_backend(reader.provenance.get(name)) for name in features}
        kind |= {f"{feature} by": backend for feature, backend in made.items()}
    return kind


def _join_backends(readers: Sequence[ShardReader], speech_features: str) -> dict[str, str]:
    """Feature -> what made it; several where shards are mixed."""
    return {
        feature: " | ".join(
            sorted({describe_backend(reader.provenance.get(feature)) for reader in readers})
        )
        for feature in _list_features(speech_features)
    }
