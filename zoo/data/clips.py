"""Clips of one part of a dataset, from its shards, with what made them checked.

n frames of a clip.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from toolkit.dataset.manifest import FOLDER, filter_rows, read_table
from toolkit.dataset.shard import ShardClip, ShardReader
from toolkit.errors import ManifestError, ShardError, ToolkitError
from toolkit.schema import ARRAYS, Provenance
from zoo.data.holdout import Cut, Holdout, find_cuts
from zoo.data.layout import WINDOW

Floats = npt.NDArray[np.float32]

NAMES = ("audio/deepspeech", "face/expression", "face/pose", "face/au45", "face/valid")
"""Arrays that are read."""


@dataclass(frozen=True, eq=False, kw_only=True)
class MotionClip:
    """Audio and motion of one clip, or of what a holdout left of it, in stored units.

    Attributes:
        id: the clip's.
        identity: who is seen.
        source: path from the dataset's folder.
        start_frame: first frame on the source's clock.
        fps: frames a second.
        audio: (n, 29) float32 scores, a view of the shard.
        motion: (n, 71) float32, see `MOTION_LAYOUT`.
        valid: (n,) bool, measured and not filled in.
    """

    id: str
    identity: str
    source: str
    start_frame: int
    fps: int
    audio: Floats
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
        scale: what the audio holds, `log_prob` or `logit`.
        backends: feature -> name, version and weights' digest of what made it.
        num_short: clips left out because they are shorter than a window.
    """

    clips: tuple[MotionClip, ...]
    fps: int
    scale: str
    backends: dict[str, str]
    num_short: int = 0

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
    min_frames: int = WINDOW,
    mix_backends: bool = False,
) -> ClipSet:
    """Clips of one part of the split, or of all, that are at least a window long.

    Args:
        shards: a dataset's folder `shards`, or the dataset's folder.
        split: `train`, `val` or `test`; None: all clips, split or not.
        identity: this one alone.
        holdout: keep the last share of an identity's source time out.
        held: with `holdout`, ask for the held-out frames (of the identities it names) instead.
        where: keep clips for which this expression over the manifest's columns is true.
        min_frames: shorter clips are left out and counted.
        mix_backends: take shards although other backends or weights made their arrays.

    Raises:
        ToolkitError: no dataset or split here, nothing in this part, no such identity, no clip as
            long as a window, or shards whose frame rates, audio scales or backends differ.
        ShardError: a shard is damaged or lacks an array; names the option that makes it.
        ValueError: an expression that cannot be evaluated; `held` without `holdout`.
    """
    if held and holdout is None:
        raise ValueError("held frames need a holdout")
    dataset = find_dataset(shards)
    table = read_table(dataset, "clips")
    for name in {identity, holdout.identity if holdout else None} - {None}:
        _require_identity(dataset, table, str(name))
    cuts = find_cuts(table, holdout) if holdout else {}
    rows = _choose_rows(dataset, table, split, identity, where)
    if held:
        rows = rows[rows["identity"].isin(list(cuts))]
    found = _read_shards(dataset, rows)
    fps, scale = _require_one(found, "fps"), _require_one(found, "scale")
    backends = _name_backends([reader for reader, _ in found], mix_backends)
    clips = [clip for reader, chosen in found for clip in _load_clips(reader, chosen, cuts, held)]
    long = sorted((c for c in clips if c.num_frames >= min_frames), key=lambda clip: clip.id)
    if not long:
        where_cut = " once the holdout is cut" if holdout else ""
        raise ToolkitError(
            f"{dataset}: no clip of {split or 'all'} has the {min_frames} frames of a window"
            f"{where_cut}: the longest has {max((c.num_frames for c in clips), default=0)}"
        )
    return ClipSet(
        clips=tuple(long),
        fps=int(fps),
        scale=str(scale),
        backends=backends,
        num_short=len(clips) - len(long),
    )


def find_clip(shards: Path, clip_id: str) -> MotionClip:
    """One clip of a dataset, whatever its part and length; ToolkitError if there is none."""
    for clip in load_clips(shards, split=None, where=f"clip_id == {clip_id!r}", min_frames=1):
        return clip
    raise ToolkitError(f"{shards}: no clip {clip_id}: see the manifest")


def find_dataset(shards: Path) -> Path:
    """The dataset's folder, of it or of its `shards`; ManifestError where there is none."""
    for folder in (shards, shards.resolve().parent):
        if (folder / FOLDER).is_dir() and (folder == shards or shards.resolve().name == "shards"):
            return folder
    raise ManifestError(
        f"{shards}: no dataset here (its {FOLDER}/ lies beside shards/): run ttk ingest VIDEOS"
    )


# --- which --------------------------------------------------------------------------------------


def _choose_rows(
    dataset: Path, table: pd.DataFrame, split: str | None, identity: str | None, where: str | None
) -> pd.DataFrame:
    rows = table if where is None else filter_rows(table, where)
    if split is not None:
        parts = read_table(dataset, "split")
        rows = rows[rows["clip_id"].isin(parts.loc[parts["split"] == split, "clip_id"])]
    if identity is not None:
        rows = rows[rows["identity"] == identity]
    if rows.empty:
        of = f" of {identity}" if identity else ""
        true = f" for which {where} holds" if where else ""
        raise ToolkitError(
            f"{dataset}: no clip{of}{true} is in {split or 'it'}: see ttk stats --by split"
        )
    return rows


def _require_identity(dataset: Path, table: pd.DataFrame, identity: str) -> None:
    known = sorted(set(table["identity"]))
    if identity not in known:
        names = ", ".join(known[:8]) + (", …" if len(known) > 8 else "")
        raise ToolkitError(f"{dataset}: nobody is called {identity!r}: choose from {names}")


# --- reading ------------------------------------------------------------------------------------


def _read_shards(
    dataset: Path, rows: pd.DataFrame
) -> list[tuple[ShardReader, list[tuple[int, ShardClip]]]]:
    """Every shard that is needed, with those of its clips that are."""
    found = []
    for name, of_shard in rows.groupby("shard", sort=True):
        reader = ShardReader(dataset / str(name))
        wanted = set(of_shard["clip_id"])
        chosen = [(index, clip) for index, clip in enumerate(reader.clips) if clip.id in wanted]
        if missing := sorted(wanted - {clip.id for _, clip in chosen}):
            raise ShardError(f"{reader.path}: lacks clip {missing[0]}: see ttk validate --data")
        found.append((reader, chosen))
    return found


def _load_clips(
    reader: ShardReader,
    chosen: Sequence[tuple[int, ShardClip]],
    cuts: Mapping[str, Cut],
    held: bool,
) -> Iterator[MotionClip]:
    audio, expression, pose, au45, valid = (reader.column(name) for name in NAMES)
    for _, clip in chosen:
        first, last = 0, clip.num_frames
        if clip.identity in cuts:
            cut = cuts[clip.identity]
            first, last = cut.keep(clip.source, clip.start_frame, clip.num_frames, held=held)
        rows = slice(clip.first_frame + first, clip.first_frame + last)
        if first < last:
            yield MotionClip(
                id=clip.id,
                identity=clip.identity,
                source=clip.source,
                start_frame=clip.start_frame + first,
                fps=reader.fps,
                audio=audio[rows],
                motion=np.concatenate([expression[rows], pose[rows], au45[rows, None]], axis=1),
                valid=valid[rows],
            )


def _require_one(found: Sequence[tuple[ShardReader, Any]], attribute: str) -> int | str:
    """What all shards agree on; ToolkitError naming two that do not."""
    reader = found[0][0]
    ours: int | str = getattr(reader, attribute)
    for other, _ in found[1:]:
        if (theirs := getattr(other, attribute)) != ours:
            raise ToolkitError(
                f"{other.path}: {attribute} {theirs}, but {ours} in {reader.path}: "
                "train on one kind of shards"
            )
    return ours


def _name_backends(readers: Sequence[ShardReader], mix: bool) -> dict[str, str]:
    features = sorted({ARRAYS[name].feature for name in NAMES})
    named = [
        {f: describe_backend(reader.provenance.get(f)) for f in features} for reader in readers
    ]
    for reader, theirs in zip(readers, named, strict=True):
        for feature in features:
            if theirs[feature] != named[0][feature] and not mix:
                raise ShardError(
                    f"{reader.path}: its {feature} comes from {theirs[feature]}, that of "
                    f"{readers[0].path} from {named[0][feature]}: train on one kind"
                )
    return {f: " | ".join(sorted({theirs[f] for theirs in named})) for f in features}


def describe_backend(made: Provenance | None) -> str:
    """Name, version and weights' digest in one text."""
    if made is None:
        return "unknown"
    return " ".join(filter(None, (made.backend, made.version, made.weights_sha256)))
