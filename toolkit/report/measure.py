"""Every figure of a report, from the manifest alone."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from toolkit.dataset.blink_stats import BlinkStats, describe_blinks
from toolkit.dataset.doubts import find_parted
from toolkit.dataset.excluded import drop_excluded
from toolkit.dataset.find import shorten_ids
from toolkit.dataset.job_records import read_jobs
from toolkit.dataset.manifest import has_split, read_split_where, read_table
from toolkit.dataset.options import PARTS
from toolkit.dataset.stats import (
    NO_SPLIT,
    ClipStats,
    YieldFunnel,
    describe_clips,
    yield_funnel,
)
from toolkit.dataset.stats_plot import Distribution, measure_distributions
from toolkit.report.pick import Picks, find_doubts, pick_clips, rank_clips
from toolkit.storage import digest_record

NUM_EXAMPLES = 3
"""Stretches named for each reason: the longest."""

MAX_IDENTITIES = 200
"""Identities described one by one: those of most minutes."""

FEATURES = ("landmarks", "pose", "au45", "deepspeech", "whisper", "coefficients")


@dataclass(frozen=True, kw_only=True)
class Group:
    """Numbers of some clips and of their blinks."""

    clips: ClipStats
    blinks: BlinkStats


@dataclass(frozen=True, kw_only=True)
class Example:
    """A stretch that was turned down; start and duration in s."""

    source: str
    start: float
    duration: float
    message: str


@dataclass(frozen=True, kw_only=True)
class Split:
    """The split that was made.

    Attributes:
        parts: train, val, test, and `(none)` where clips have no part.
        by, ratio, where: as asked for; `where` of None took all clips.
        num_tested: identities in test.
        num_known: those of them that are in train as well.
        doubts: sentences about identities of different parts that may be one person.
    """

    parts: tuple[Group, ...]
    by: str
    ratio: str
    where: str | None
    num_tested: int
    num_known: int
    doubts: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """What made the clips.

    Attributes:
        backends: feature -> name and version of its backend -> number of clips.
        options: digest of a set of options -> number of clips made with it.
        option_values: the same digest -> the options, where a job's record has them.
        first, last: when the first and the last clip were ingested; "" without clips.
    """

    backends: dict[str, dict[str, int]]
    options: dict[str, int]
    option_values: dict[str, dict[str, object]]
    first: str
    last: str


@dataclass(frozen=True, kw_only=True)
class Report:
    """All that `ttk report` says of a dataset.

    Attributes:
        dataset: the folder's name.
        tool_version: of ttk, which made the report.
        funnel: what became of the input.
        examples: reason -> the longest stretches.
        whole: all clips.
        split: None where there is none.
        identities: of most minutes, in that order; the others are counted only.
        num_other_identities: how many those are.
        distributions: over all clips.
        picks: clips of the contact sheets.
        provenance: see there.
    """

    dataset: str
    tool_version: str
    funnel: YieldFunnel
    examples: dict[str, tuple[Example, ...]]
    whole: Group
    split: Split | None
    identities: tuple[Group, ...]
    num_other_identities: int
    distributions: tuple[Distribution, ...]
    picks: Picks
    provenance: Provenance

    def to_record(self) -> dict[str, Any]:
        """The same for JSON; arrays as lists, paths as text."""
        record = dataclasses.asdict(self)
        for entry in record["distributions"]:
            entry |= {name: entry[name].tolist() for name in ("edges", "counts")}
        for name in ("best", "worst", "doubtful"):
            for entry in record["picks"][name]:
                entry["shard"] = entry["shard"].as_posix()
        return record


def read_clips(dataset: Path) -> pd.DataFrame:
    """Rows of the clips table that are not left out, by source and time, with what a report adds.

    Returns:
        The table's columns, `split` ("" where a clip has none), `short_id`, `rank` and a column of
        bool for each of `toolkit.report.pick.DOUBTS`.

    Raises:
        ManifestError: no dataset here, or a damaged file.
    """
    clips = drop_excluded(dataset, read_table(dataset, "clips")).drop_duplicates("clip_id")
    clips = clips.sort_values(["source", "start_frame"], kind="stable").reset_index(drop=True)
    parts: dict[str, str] = {}
    if has_split(dataset):
        split = read_table(dataset, "split")
        parts = dict(zip(split["clip_id"], split["split"], strict=True))
    short = shorten_ids(clips["clip_id"].tolist())
    added = clips.assign(
        split=clips["clip_id"].map(parts).fillna(""),
        short_id=clips["clip_id"].map(short),
        rank=rank_clips(clips),
    )
    return pd.concat([added, find_doubts(clips)], axis=1)


def measure_report(dataset: Path, clips: pd.DataFrame) -> Report:
    """Measure everything.

    Args:
        dataset: the dataset's folder.
        clips: as of `read_clips`.

    Raises:
        ManifestError: a damaged file.
    """
    minutes = clips.groupby("identity")["duration"].sum().sort_values(ascending=False)
    names = minutes.index[:MAX_IDENTITIES]
    people = dict(list(clips[clips["identity"].isin(names)].groupby("identity")))
    return Report(
        dataset=dataset.resolve().name,
        tool_version=version("ttk"),
        funnel=yield_funnel(dataset),
        examples=_choose_examples(read_table(dataset, "rejected")),
        whole=_describe("all", clips),
        split=_describe_split(dataset, clips) if has_split(dataset) else None,
        identities=tuple(_describe(str(name), people[name]) for name in names),
        num_other_identities=len(minutes) - len(names),
        distributions=tuple(measure_distributions([("all", clips)])),
        picks=pick_clips(clips),
        provenance=_find_provenance(dataset, clips),
    )


def _describe(name: str, rows: pd.DataFrame) -> Group:
    return Group(clips=describe_clips(name, rows), blinks=describe_blinks(name, rows))


def _describe_split(dataset: Path, clips: pd.DataFrame) -> Split | None:
    table = read_table(dataset, "split")
    if table.empty:
        return None
    trained, tested = (set(clips.loc[clips["split"] == p, "identity"]) for p in ("train", "test"))
    order = {name: place for place, name in enumerate(PARTS)}
    parts = sorted(clips.groupby("split"), key=lambda part: order.get(str(part[0]), len(order)))
    return Split(
        parts=tuple(_describe(str(name) or NO_SPLIT, rows) for name, rows in parts),
        by=str(table["by"].iloc[0]),
        ratio=str(table["ratio"].iloc[0]),
        where=read_split_where(dataset),
        num_tested=len(tested),
        num_known=len(tested & trained),
        doubts=tuple(find_parted(clips[clips["split"] != ""].rename(columns={"split": "part"}))),
    )


def _choose_examples(rejected: pd.DataFrame) -> dict[str, tuple[Example, ...]]:
    names = [field.name for field in dataclasses.fields(Example)]
    longest = rejected.sort_values(["duration", "source"], ascending=[False, True])
    return {
        str(reason): tuple(
            Example(**{str(name): value for name, value in row.items()})
            for row in rows[names][:NUM_EXAMPLES].to_dict("records")
        )
        for reason, rows in longest.groupby("reason")
    }


def _find_provenance(dataset: Path, clips: pd.DataFrame) -> Provenance:
    options = _count(clips, "options_digest")
    known = {digest_record(job.options): job.options for job in read_jobs(dataset)}
    times: Sequence[str] = [f"{time:%Y-%m-%d %H:%M} UTC" for time in _span(clips["ingested_at"])]
    return Provenance(
        backends={name: _count(clips, f"{name}_backend") for name in FEATURES},
        options=options,
        option_values={digest: known[digest] for digest in options if digest in known},
        first=times[0] if times else "",
        last=times[-1] if times else "",
    )


def _count(clips: pd.DataFrame, column: str) -> dict[str, int]:
    return {str(value): int(number) for value, number in clips[column].value_counts().items()}


def _span(times: "pd.Series[Any]") -> list[Any]:
    return [times.min(), times.max()] if len(times) else []
