"""Split clips into train, val and test: whole groups, shares counted in frames, nothing moves.

The groups without a part are taken in an order drawn from the seed, each to the part that lacks
most frames; then groups are moved and exchanged between parts as long as that brings the shares
nearer to the ratio. A handful of groups get the best of all assignments. Groups that hold copies of
one recording count as one. Same clips, same options: same split, whatever the order of the rows.
"""

import hashlib
import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from toolkit.dataset.doubts import find_parted
from toolkit.dataset.duplicates import DuplicateGroup, find_duplicates
from toolkit.dataset.excluded import drop_excluded
from toolkit.dataset.manifest import has_split, read_split_where, read_table, write_split
from toolkit.dataset.options import GROUPS, PARTS, SplitOptions
from toolkit.errors import ManifestError, ToolkitError

COLUMNS = ("clip_id", "identity", "source", "source_sha256", "num_frames", "duration")
"""Of `clips`: what is read of them, beside fingerprints and what `where` compares."""

MAX_SEARCHED = 8
"""Up to so many groups, all assignments are tried; beyond, groups are moved and exchanged."""


@dataclass(frozen=True, kw_only=True)
class SplitPart:
    """One part: its clips, and its share of all frames beside the share asked for."""

    name: str
    num_clips: int
    num_frames: int
    minutes: float
    num_sources: int
    num_identities: int
    share: float
    asked: float


@dataclass(frozen=True, kw_only=True)
class SplitReport:
    """What a split came to.

    Attributes:
        parts: train, val, test.
        deviation: largest distance of a share from what was asked for, 0 to 1.
        largest_group: share of all frames that the largest group has, 0 to 1.
        shared_identities: identities that stand in more than one part.
        num_tested: identities in test.
        num_known: those of them that are in train as well.
        doubts: sentences about identities of different parts that may be one person.
        num_kept: clips that had a split before.
        num_new: clips that have one now.
        joined: copies of one recording, whose groups are kept in one part.
        num_unknown: clips without a fingerprint, by which copies are found.
    """

    parts: tuple[SplitPart, ...]
    deviation: float
    largest_group: float
    shared_identities: tuple[str, ...]
    num_tested: int
    num_known: int
    doubts: tuple[str, ...]
    num_kept: int
    num_new: int
    joined: tuple[DuplicateGroup, ...] = ()
    num_unknown: int = 0


def split_dataset(dataset: Path, options: SplitOptions | None = None) -> SplitReport:
    """Give every clip a part and write `manifests/split.parquet`.

    A clip that has a split keeps it, and clips of its group follow it, unless `reassign` is set.
    Clips that are left out (`toolkit.dataset.excluded`) have no part. Groups that hold copies of
    one recording go together.

    Raises:
        ToolkitError: fewer groups than parts, a part would be empty, or the split at hand was made
            with other options.
        ManifestError: no dataset here, or a damaged one.
        ValueError: a ratio or expression that cannot be read.
    """
    options = options or SplitOptions()
    ratio = parse_ratio(options.ratio)
    clips = drop_excluded(dataset, read_table(dataset, "clips", options.where, COLUMNS))
    groups = clips[_group_column(options.by)]
    duplicates = find_duplicates(dataset, clips)
    if joined := duplicates.join(groups):
        groups = groups.map(joined).fillna(groups)
    frames = _count_frames(groups, clips["num_frames"])
    former = clips["clip_id"].map(_read_former(dataset, options))
    fixed = _fix_groups(dataset, options, groups, former)
    _check_number(dataset, options, len(frames), len(clips))
    chosen = groups.map(assign_groups(frames, ratio, options.seed, fixed))
    _check_none_empty(dataset, chosen)
    _write(dataset, clips["clip_id"], chosen, options)
    report = _report(clips.assign(part=chosen, group=groups), ratio, int(former.count()))
    return replace(
        report,
        joined=tuple(group for group in duplicates.groups if _is_joined(group, options.by)),
        num_unknown=duplicates.num_unknown,
    )


def _is_joined(group: DuplicateGroup, by: str) -> bool:
    return by != "identity" or len(group.identities) > 1


def parse_ratio(text: str) -> tuple[int, int, int]:
    """`5-1-4` as numbers; ValueError unless it is three whole numbers of 1 or more."""
    words = text.split("-")
    if len(words) != len(PARTS) or not all(word.isdecimal() and int(word) > 0 for word in words):
        raise ValueError(f"ratio {text!r}: give three whole numbers from 1, as in 5-1-4")
    train, val, test = (int(word) for word in words)
    return train, val, test


def _group_column(by: str) -> str:
    if by not in GROUPS:
        raise ValueError(f"cannot split by {by!r}: choose from {', '.join(GROUPS)}")
    return GROUPS[by]


def _count_frames(groups: "pd.Series[str]", frames: "pd.Series[int]") -> dict[str, int]:
    totals = frames.groupby(groups).sum()
    return {str(group): int(total) for group, total in totals.items()}


# --- the split at hand --------------------------------------------------------------------------


def _read_former(dataset: Path, options: SplitOptions) -> "dict[str, str]":
    """Clip -> part of the split at hand, unless it is to be made anew."""
    if options.reassign or not has_split(dataset):
        return {}
    former = read_table(dataset, "split")
    _check_same_options(dataset, options, former)
    return dict(zip(former["clip_id"].tolist(), former["split"].tolist(), strict=True))


def _fix_groups(
    dataset: Path, options: SplitOptions, groups: "pd.Series[str]", parts: "pd.Series[str]"
) -> dict[str, str]:
    """Group -> part, for the groups of which a clip has a part already."""
    found = parts.groupby(groups).agg(["nunique", "first"])
    parted = found[found["nunique"] > 1]
    if len(parted):
        raise ManifestError(
            f"{dataset / 'manifests/split.parquet'}: clips of {options.by} {parted.index[0]}, or "
            "copies of them, stand in several parts: run ttk split --reassign to start over"
        )
    known = found[found["nunique"] == 1]["first"]
    return {str(group): str(part) for group, part in known.items()}


def _check_same_options(dataset: Path, options: SplitOptions, former: pd.DataFrame) -> None:
    made = {} if former.empty else former.iloc[0][["by", "ratio", "seed"]].to_dict()
    made["where"] = read_split_where(dataset)
    for name, value in made.items():
        if getattr(options, str(name)) != value:
            given = f"made with --{name} {value}" if value is not None else f"made without --{name}"
            raise ToolkitError(
                f"{dataset / 'manifests/split.parquet'}: {given}: give the same, or --reassign to "
                "start over"
            )


# --- assignment ---------------------------------------------------------------------------------


def assign_groups(
    frames: Mapping[str, int],
    ratio: tuple[int, int, int],
    seed: int,
    fixed: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Group -> part, so that frames are shared as the ratio says, as closely as whole groups allow.

    With nothing fixed, no part exceeds its share by more than the largest group. No part is left
    empty while there are groups enough.

    Args:
        frames: group -> frames, 1 or more.
        ratio: shares of `PARTS`.
        seed: draws the order in which groups are taken.
        fixed: groups that have their part already.
    """
    fixed = {group: part for group, part in (fixed or {}).items() if group in frames}
    names = sorted(frames, key=lambda group: _draw(seed, group))
    free = [name for name in names if name not in fixed]
    assignment = _Assignment(np.array([frames[name] for name in free], np.int64), ratio)
    for group, part in fixed.items():
        assignment.fix(frames[group], PARTS.index(part))
    if len(free) <= MAX_SEARCHED:
        assignment.search()
    else:
        assignment.fill()
        assignment.spare_for_empty()
        while assignment.improve():
            pass
    chosen = assignment.part.tolist()
    return fixed | {name: PARTS[part] for name, part in zip(free, chosen, strict=True)}


def _draw(seed: int, group: str) -> bytes:
    return hashlib.sha256(f"{seed} {group}".encode()).digest()


class _Assignment:
    """Parts of G groups, and how many frames each part has too many.

    `excess[p]` is (frames of p)·(sum of the ratio) − (all frames)·ratio[p], in whole numbers, so
    that nothing is rounded and the order of the rows does not matter.
    """

    def __init__(self, frames: npt.NDArray[np.int64], ratio: tuple[int, int, int]) -> None:
        self.frames = frames
        self.part = np.full(len(frames), -1, np.int64)
        self.ratio, self.unit = ratio, sum(ratio)
        self.excess = [0] * len(ratio)
        self.num_groups = [0] * len(ratio)
        for num_frames in frames.tolist():
            self._expect(num_frames)

    def _expect(self, num_frames: int) -> None:
        self.excess = [
            excess - num_frames * share
            for excess, share in zip(self.excess, self.ratio, strict=True)
        ]

    def fix(self, num_frames: int, part: int) -> None:
        """Count a group that has its part already."""
        self._expect(num_frames)
        self.excess[part] += num_frames * self.unit
        self.num_groups[part] += 1

    def put(self, group: int, part: int) -> None:
        """Move a group (−1: none) to a part."""
        if group < 0:
            return
        former, amount = int(self.part[group]), int(self.frames[group]) * self.unit
        if former >= 0:
            self.excess[former] -= amount
            self.num_groups[former] -= 1
        self.excess[part] += amount
        self.num_groups[part] += 1
        self.part[group] = part

    def search(self) -> None:
        """Try every assignment; take the one of least squared excess that leaves no part empty."""
        number = len(self.frames)
        parts = np.indices((len(PARTS),) * number).reshape(number, len(PARTS) ** number).T
        taken = parts[..., None] == np.arange(len(PARTS))
        added = (taken * self.frames[:, None]).sum(axis=1) * self.unit
        cost = ((added + np.array(self.excess, np.float64)) ** 2).sum(axis=1)
        empty = (taken.sum(axis=1) + np.array(self.num_groups) == 0).sum(axis=1)
        best = np.lexsort((cost, empty))[0]
        for group, part in enumerate(parts[best].tolist()):
            self.put(group, part)

    def fill(self) -> None:
        """Give every group, in order, to the part that lacks most."""
        for group in range(len(self.frames)):
            self.put(group, self.excess.index(min(self.excess)))

    def spare_for_empty(self) -> None:
        """Give each empty part the smallest free group of the parts that can spare one."""
        for part in range(len(PARTS)):
            rich = [p for p in range(len(PARTS)) if self.num_groups[p] > 1]
            spare = np.flatnonzero(np.isin(self.part, rich))
            if self.num_groups[part] == 0 and len(spare):
                self.put(int(spare[np.argmin(self.frames[spare])]), part)

    def improve(self) -> bool:
        """Make the move or exchange that lowers the sum of squared excesses most, if any does."""
        best, step = 0, (-1, -1, 0, 0)
        for giver, taker in itertools.permutations(range(len(PARTS)), 2):
            gap = self.excess[giver] - self.excess[taker]
            if gap <= 0:
                continue
            given, returned = self._find_pair(giver, taker, gap)
            moved = (self._weigh(given) - self._weigh(returned)) * self.unit
            if moved * (gap - moved) > best:
                best, step = moved * (gap - moved), (given, returned, giver, taker)
        given, returned, giver, taker = step
        self.put(given, taker)
        self.put(returned, giver)
        return best > 0

    def _weigh(self, group: int) -> int:
        return int(self.frames[group]) if group >= 0 else 0

    def _find_pair(self, giver: int, taker: int, gap: int) -> tuple[int, int]:
        """Group to give and group to take back (−1: none) that move nearest to half the gap."""
        given, returned = np.flatnonzero(self.part == giver), np.flatnonzero(self.part == taker)
        returned = returned[np.argsort(self.frames[returned], kind="stable")]
        if self.num_groups[giver] > 1:
            returned = np.concatenate([[-1], returned])
        if not len(given) or not len(returned):
            return -1, -1
        sizes = np.where(returned < 0, 0, self.frames[returned])
        target = self.frames[given] - gap / (2 * self.unit)
        right = np.clip(np.searchsorted(sizes, target), 0, len(sizes) - 1)
        left = np.maximum(right - 1, 0)
        nearer = np.where(abs(sizes[left] - target) <= abs(sizes[right] - target), left, right)
        row = int(np.argmin(abs(sizes[nearer] - target)))
        return int(given[row]), int(returned[nearer[row]])


# --- result -------------------------------------------------------------------------------------


def _check_number(dataset: Path, options: SplitOptions, num_groups: int, num_clips: int) -> None:
    if num_groups >= len(PARTS):
        return
    what = "1 " + options.by if num_groups == 1 else f"{num_groups} {_plural(options.by)}"
    chosen = "" if options.where is None else f" of which {options.where!r} is true"
    hint = " or use --by clip" if options.by != "clip" and num_clips >= len(PARTS) else ""
    raise ToolkitError(
        f"{dataset}: {what}{chosen} cannot make {len(PARTS)} parts: ingest more videos{hint}"
    )


def _plural(by: str) -> str:
    return "identities" if by == "identity" else by + "s"


def _check_none_empty(dataset: Path, chosen: "pd.Series[str]") -> None:
    empty = [part for part in PARTS if not (chosen == part).any()]
    if empty:
        raise ToolkitError(
            f"{dataset}: {' and '.join(empty)} would be empty: ingest more videos, or start over "
            "with ttk split --reassign"
        )


def _write(
    dataset: Path, clip_ids: "pd.Series[str]", chosen: "pd.Series[str]", options: SplitOptions
) -> None:
    rows = pd.DataFrame({"clip_id": clip_ids, "split": chosen})
    rows = rows.sort_values("split").sort_values("clip_id", kind="stable")  # by both is slower
    rows = rows.assign(by=options.by, ratio=options.ratio, seed=options.seed)
    write_split(dataset, rows, options.where)


def _report(clips: pd.DataFrame, ratio: tuple[int, int, int], num_kept: int) -> SplitReport:
    total = int(clips["num_frames"].sum())
    parts = []
    for name, weight in zip(PARTS, ratio, strict=True):
        rows = clips.loc[clips["part"] == name, list(COLUMNS)]
        frames = int(rows["num_frames"].sum())
        parts.append(
            SplitPart(
                name=name,
                num_clips=len(rows),
                num_frames=frames,
                minutes=float(rows["duration"].sum()) / 60,
                num_sources=rows["source_sha256"].nunique(),
                num_identities=rows["identity"].nunique(),
                share=frames / total,
                asked=weight / sum(ratio),
            )
        )
    sides = clips.groupby("identity")["part"].nunique()
    trained, tested = (
        set(clips.loc[clips["part"] == part, "identity"].unique()) for part in ("train", "test")
    )
    largest = int(clips.groupby("group")["num_frames"].sum().max())
    return SplitReport(
        parts=tuple(parts),
        deviation=max(abs(part.share - part.asked) for part in parts),
        largest_group=largest / total,
        shared_identities=tuple(sorted(str(name) for name in sides[sides > 1].index)),
        num_tested=len(tested),
        num_known=len(tested & trained),
        doubts=tuple(find_parted(clips)),
        num_kept=num_kept,
        num_new=len(clips) - num_kept,
    )
