"""Clips, sources and rejected stretches by what a person calls them: id, person, file, part."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

import pandas as pd

from toolkit.dataset.manifest import has_split, read_table
from toolkit.dataset.paths import encode_name, encode_path
from toolkit.errors import ToolkitError

NUM_KNOWN = 5
"""Ids, names and files listed where none fits."""

SCRAP = 0.2
"""Rejected stretches shorter than this (s) are counted, not shown one by one."""

MIN_PREFIX = 8
"""Characters of a clip's id that are shown at least."""


def find_clip(dataset: Path, clip_id: str) -> tuple[str, Path, int]:
    """Id of a clip, its shard, and its place in it.

    Args:
        dataset: the dataset's folder.
        clip_id: an id, or the beginning of one that only one clip has, or as `ttk ls` has it: the
            beginning of its source's digest and, behind a dash, its first frame.

    Raises:
        ToolkitError: no clip's id begins so, or several do; names some of them.
    """
    table = read_table(dataset, "clips").drop_duplicates("clip_id")
    ids = [str(each) for each in table["clip_id"]]
    fits = match_ids(ids, clip_id)
    if len(fits) != 1:
        problem = "several clips' ids begin with" if fits else "no clip's id begins with"
        short = shorten_ids(ids)
        known = _name_some([short[each] for each in fits or ids])
        raise ToolkitError(f"{dataset}: {problem} {clip_id!r}: {known}")
    row: pd.Series = table.iloc[ids.index(fits[0])]
    return fits[0], dataset / str(row["shard"]), int(row["index"])


def match_ids(ids: Sequence[str], text: str) -> list[str]:
    """Ids that a text may mean: itself; else those of this digest and first frame; else all that
    begin so.
    """
    digest, _, frame = text.partition("-")
    if text in ids:
        return [text]
    start = int(frame) if frame.isdecimal() else None
    named = [
        each
        for each in ids
        if start is not None and _find_start(each) == start and each.startswith(digest)
    ]
    return named or [each for each in ids if each.startswith(text)]


def _find_start(clip_id: str) -> int | None:
    """The first frame, as an id that ingest gave says it."""
    parts = re.fullmatch(r"[0-9a-f]{16}-(\d+)-\d+", clip_id)
    return int(parts[1]) if parts else None


def choose_clips(
    dataset: Path,
    *,
    identity: str | None = None,
    source: str | None = None,
    part: str | None = None,
    where: str | None = None,
) -> pd.DataFrame:
    """Rows of the clips table with their part of the split, in order of source and time.

    Args:
        dataset: the dataset's folder.
        identity: this person's alone.
        source: those of this file alone: its path, or the end of it (`ann/1.mp4`).
        part: those of this part of the split alone.
        where: those for which this expression over the columns is true.

    Returns:
        The table's columns, `split` ("" where a clip has none) and `short_id`, see `shorten_ids`.

    Raises:
        ToolkitError: no such identity or source, no split to choose from, or nothing is left.
        ValueError: an expression that cannot be evaluated.
    """
    everything = read_table(dataset, "clips")
    table = everything if where is None else read_table(dataset, "clips", where)
    parts: dict[str, str] = {}
    if part is not None or has_split(dataset):
        split = read_table(dataset, "split")
        parts = dict(zip(split["clip_id"], split["split"], strict=True))
    short = shorten_ids(everything["clip_id"].tolist())
    table = table.assign(
        split=table["clip_id"].map(parts).fillna(""), short_id=table["clip_id"].map(short)
    )
    table = _keep(dataset, table, everything, identity, source)
    if part is not None:
        table = table[table["split"] == part]
    if everything.empty:
        raise ToolkitError(f"{dataset}: the dataset has no clips: run ttk ingest")
    if table.empty:
        raise ToolkitError(f"{dataset}: no clip is left: ttk ls lists all")
    table = table.drop_duplicates("clip_id")
    return table.sort_values(["source", "start_frame"], kind="stable").reset_index(drop=True)


def choose_rejected(
    dataset: Path,
    *,
    identity: str | None = None,
    source: str | None = None,
    reason: str | None = None,
    where: str | None = None,
) -> pd.DataFrame:
    """Rows of the rejected table with their `identity`, in order of source and time.

    Arguments and errors as `choose_clips`; a dataset in which nothing fits is none.
    """
    people = read_table(dataset, "sources").set_index("source")["identity"]
    everything = read_table(dataset, "rejected")
    table = everything if where is None else read_table(dataset, "rejected", where)
    everything, table = (
        each.assign(identity=each["source"].map(people).fillna("")) for each in (everything, table)
    )
    table = _keep(dataset, table, read_table(dataset, "sources"), identity, source)
    if reason is not None:
        table = table[table["reason"] == reason]
    return table.sort_values(["source", "start"], kind="stable").reset_index(drop=True)


def choose_sources(
    dataset: Path,
    *,
    identity: str | None = None,
    source: str | None = None,
    where: str | None = None,
) -> pd.DataFrame:
    """Rows of the sources table, by name; arguments and errors as `choose_clips`."""
    everything = read_table(dataset, "sources")
    table = everything if where is None else read_table(dataset, "sources", where)
    table = _keep(dataset, table, everything, identity, source)
    return table.sort_values("source", kind="stable").reset_index(drop=True)


def part_scraps(rejected: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """Rejected rows worth a line of their own, and reason -> number of the scraps.

    Files turned down whole have a row of their own, whatever length they claim.
    """
    is_scrap = rejected["duration"].between(0, SCRAP, inclusive="neither")
    numbers = rejected.loc[is_scrap, "reason"].value_counts()
    return rejected[~is_scrap], {str(reason): int(number) for reason, number in numbers.items()}


def describe_scraps(scraps: dict[str, int]) -> str:
    """`7 scraps under 0.2 s: no_face 4, too_short 3`; "" where there is none."""
    if not scraps:
        return ""
    reasons = ", ".join(f"{reason} {number}" for reason, number in scraps.items())
    return f"{sum(scraps.values())} scraps under {SCRAP:g} s: {reasons}"


def shorten_ids(ids: Iterable[str]) -> dict[str, str]:
    """Id -> what `find_clip` finds it by, as short as that may be.

    It is the beginning of the source's digest, 8 characters or more, that no other has; where the
    source has several clips, with the first frame behind it: `60fb69b9-180`.
    """
    clips = defaultdict[str, list[str]](list)
    for each in sorted(set(ids)):
        clips[each if _find_start(each) is None else each.partition("-")[0]].append(each)
    shared = [0, *map(_count_shared, clips, list(clips)[1:]), 0]
    short = {}
    for (digest, of_source), before, after in zip(clips.items(), shared, shared[1:], strict=False):
        head = digest[: max(MIN_PREFIX, before + 1, after + 1)]
        starts = [_find_start(each) for each in of_source]
        for each, start in zip(of_source, starts, strict=True):
            several = f"{head}-{start}" if starts.count(start) == 1 else each
            short[each] = head if len(of_source) == 1 else several
    return short


def _count_shared(first: str, second: str) -> int:
    """Characters at the beginning that two texts share."""
    pairs = zip(first, second, strict=False)
    return next((k for k, (a, b) in enumerate(pairs) if a != b), min(len(first), len(second)))


def _keep(
    dataset: Path,
    table: pd.DataFrame,
    everything: pd.DataFrame,
    identity: str | None,
    source: str | None,
) -> pd.DataFrame:
    """Rows of an identity and of a source; `everything` says which there are."""
    if identity is not None:
        names = sorted(map(str, set(everything["identity"])))
        if identity not in names:
            raise ToolkitError(f"{dataset}: no person {identity!r}: {_name_some(names)}")
        table = table[table["identity"] == identity]
    if source is not None:
        paths = sorted(map(str, set(everything["source"])))
        fits = [path for path in paths if _fits(path, source, dataset)]
        if not fits:
            raise ToolkitError(f"{dataset}: no source {source!r}: {_name_some(paths)}")
        table = table[table["source"].isin(fits)]
    return table


def _fits(path: str, source: str, dataset: Path) -> bool:
    """Whether a source's path in the manifest is, or ends with, what the user calls it."""
    parts = PurePosixPath(encode_name(source)).parts
    ends_so = bool(parts) and PurePosixPath(path).parts[-len(parts) :] == parts
    return ends_so or path in (source, encode_path(Path(source), dataset))


def _name_some(known: Sequence[str]) -> str:
    if not known:
        return "the dataset has no clips: run ttk ingest"
    more = len(known) - NUM_KNOWN
    return f"choose from {', '.join(known[:NUM_KNOWN])}{f' and {more} more' if more > 0 else ''}"
