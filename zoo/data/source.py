"""Which frames of which clips: by part of the split, identity, holdout or expression; once.

What is read of them, and into which record, is up to `clips.py` and `frames.py`.
"""

import functools
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy.typing as npt
import pandas as pd

from toolkit.clock import frame_to_sample
from toolkit.dataset.excluded import drop_excluded
from toolkit.dataset.manifest import FOLDER, read_table
from toolkit.dataset.paths import check_inside
from toolkit.dataset.shard import ShardClip, ShardReader
from toolkit.dataset.where import filter_rows
from toolkit.errors import ManifestError, ShardError, ToolkitError
from toolkit.schema import Provenance
from toolkit.store.address import find_address
from toolkit.store.cache import hold
from toolkit.store.mirror import read_mirror
from zoo.data.holdout import Cut, Holdout, find_cuts

Clips = TypeVar("Clips")


@dataclass(frozen=True, eq=False)
class ClipSlice:
    """Frames [first, last) of a clip of a shard.

    Attributes:
        reader, index: where the clip lies.
        clip: the shard's record of it.
        first, last: frames of the clip.
    """

    reader: ShardReader
    index: int
    clip: ShardClip
    first: int
    last: int

    def read(self, name: str) -> npt.NDArray[Any]:
        """(last − first, ...) rows of a per-frame array, a view; ShardError where it is absent."""
        start = self.clip.first_frame
        return self.reader.column(name)[start + self.first : start + self.last]

    def read_sound(self) -> npt.NDArray[Any]:
        """(S,) int16, 16 kHz, of these frames; sample 0 belongs to the first. A view."""
        sample, start, fps = self.clip.first_sample, self.clip.start_frame, self.reader.fps
        begin, end = (
            sample + frame_to_sample(start + frame, fps) - frame_to_sample(start, fps)
            for frame in (self.first, self.last)
        )
        return self.reader.column("audio/pcm")[begin:end]


def select_clips(
    shards: Path,
    *,
    split: str | None = None,
    identity: str | None = None,
    holdout: Holdout | None = None,
    held: bool = False,
    where: str | None = None,
) -> list[ClipSlice]:
    """Clips of one part of the split, or of all, sorted by shard and place in it.

    Clips that are left out (`toolkit.dataset.excluded`) are not among them.

    Args:
        shards: a dataset's folder `shards`, or the dataset's folder.
        split: `train`, `val` or `test`; None: all clips, split or not.
        identity: this one alone.
        holdout: keep the last share of an identity's source time out.
        held: with `holdout`, ask for the held-out frames (of the identities it names) instead.
        where: keep clips for which this expression over the manifest's columns is true.

    Raises:
        ToolkitError: no dataset or split here, nothing in this part, or no such identity.
        ShardError: a shard is damaged or lacks a clip of the manifest.
        ValueError: an expression that cannot be evaluated; `held` without `holdout`.
    """
    if held and holdout is None:
        raise ValueError("held frames need a holdout")
    dataset = find_dataset(shards)
    table = drop_excluded(dataset, read_table(dataset, "clips"))
    for name in {identity, holdout.identity if holdout else None} - {None}:
        _require_identity(dataset, table, str(name))
    cuts = find_cuts(table, holdout) if holdout else {}
    rows = _choose_rows(dataset, table, split, identity, where)
    if held:
        rows = rows[rows["identity"].isin(list(cuts))]
    slices = []
    for shard, of_shard in rows.groupby("shard", sort=True):
        with hold(dataset / str(shard), str(of_shard["shard_sha256"].iloc[0])):
            reader = ShardReader(dataset / str(shard))
        paths = dict(zip(of_shard["clip_id"].tolist(), of_shard["source"].tolist(), strict=True))
        slices += _cut_clips(reader, paths, cuts, held)
    return slices


def load_parts(
    load: Callable[..., Clips],
    shards: Path,
    *,
    identity: str,
    share: float,
    gap: int,
    hand_on: Callable[[Clips], Mapping[str, Any]] = lambda clips: {},
) -> tuple[Clips, Clips]:
    """What a model is trained on, and what its best epoch is chosen by.

    The parts `train` and `val`, less what is held out; of an identity with a holdout all its clips,
    whatever their part of the split, less what is held out, by which is chosen.

    Args:
        load: makes clips; errors as there.
        shards: the dataset's.
        identity: whose clips; empty: everyone's.
        share: to hold out; 0: nothing.
        gap: frames between both sides of it.
        hand_on: arguments by which the second are loaded, of the first.
    """
    holdout = Holdout(share=share, identity=identity or None, gap=gap) if share else None
    whole = bool(identity and holdout)
    load = functools.partial(load, shards, identity=identity or None, holdout=holdout)
    trained = load(split=None if whole else "train")
    return trained, load(split=None if whole else "val", held=whole, **hand_on(trained))


def find_dataset(shards: Path) -> Path:
    """The dataset's folder, of it or of its `shards`; ManifestError where there is none.

    Of an address it is a mirror in the cache, whose tables are read anew.
    """
    if (address := find_address(shards)) is not None:
        shards = read_mirror(address.removesuffix("/shards"))
    if (shards / FOLDER).is_dir():
        return shards
    here = Path(os.path.abspath(shards))  # noqa: PTH100  a link is not followed to another dataset
    if here.name == "shards" and (here.parent / FOLDER).is_dir():
        check_inside(here, here.parent)
        return here.parent
    raise ManifestError(
        f"{shards}: no dataset here (its {FOLDER}/ lies beside shards/): run ttk ingest VIDEOS"
    )


def require_one_kind(
    slices: Sequence[ClipSlice], describe: Callable[[ShardReader], Mapping[str, object]]
) -> Mapping[str, object]:
    """What all shards agree on, by its name in messages.

    Raises:
        ShardError: two do not; names both.
    """
    readers = list({part.reader.path: part.reader for part in slices}.values())
    first = describe(readers[0])
    for reader in readers[1:]:
        for what, value in describe(reader).items():
            if value != first[what]:
                raise ShardError(
                    f"{reader.path}: {what} {value}, but {first[what]} in {readers[0].path}: "
                    "train on one kind of shards"
                )
    return first


def require_frames(reader: ShardReader) -> None:
    """ShardError where a shard holds no pictures."""
    if not reader.frame_size:
        raise ShardError(
            f"{reader.path} has no frames: run ttk ingest with --frame-size 256 into a new folder"
        )


def describe_landmark_kind(reader: ShardReader) -> dict[str, object]:
    """What shards of landmarks must agree on, see `require_one_kind`."""
    return {"landmarks by": describe_backend(reader.provenance.get("landmarks"))}


def describe_backend(made: Provenance | None) -> str:
    """Name, version and weights' digest in one text."""
    if made is None:
        return "unknown"
    return " ".join(filter(None, (made.backend, made.version, made.weights_sha256)))


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
            f"{dataset}: no clip{of}{true} is in {split or 'it'}: see ttk stats --by split, or "
            "hold frames out: --holdout 0.2"
        )
    return rows


def _require_identity(dataset: Path, table: pd.DataFrame, identity: str) -> None:
    known = sorted(set(table["identity"]))
    if identity not in known:
        names = ", ".join(known[:8]) + (", …" if len(known) > 8 else "")
        raise ToolkitError(f"{dataset}: unknown identity {identity!r}: choose from {names}")


def _cut_clips(
    reader: ShardReader, paths: Mapping[str, str], cuts: Mapping[str, Cut], held: bool
) -> list[ClipSlice]:
    """The clips of these ids, or what a holdout leaves of them.

    Their sources are those of the manifest, `paths`: a shard has where they lay at ingest.
    """
    chosen = [
        (index, replace(clip, source=paths[clip.id]))
        for index, clip in enumerate(reader.clips)
        if clip.id in paths
    ]
    if missing := sorted(paths.keys() - {clip.id for _, clip in chosen}):
        raise ShardError(f"{reader.path}: lacks clip {missing[0]}: see ttk validate --data")
    slices = []
    for index, clip in chosen:
        first, last = 0, clip.num_frames
        if clip.identity in cuts:
            cut = cuts[clip.identity]
            first, last = cut.keep(clip.source, clip.start_frame, clip.num_frames, held=held)
        if first < last:
            slices.append(ClipSlice(reader, index, clip, first, last))
    return slices
