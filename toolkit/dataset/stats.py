"""Statistics of a dataset, from the manifest alone: what there is, and what became of the input."""

import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from toolkit.clock import suits_25
from toolkit.dataset.excluded import drop_excluded
from toolkit.dataset.manifest import match_sources, read_table
from toolkit.dataset.options import GROUP_COLUMNS

MUCH_OUTSIDE = 0.1
"""Share of a crop outside the picture that is warned of."""

_OF_YIELD = ["clip_id", "source", "source_sha256", "duration", "source_fps", "fps", "job"]
"""Columns of `clips` that say what became of the input."""

NO_SPLIT = "(none)"
"""Group of the clips that have no part in the split."""


@dataclass(frozen=True, kw_only=True)
class ClipStats:
    """Clips of one group; None where the manifest has no such number.

    Shares are weighted by frames (valid, new pictures, outside the picture) and time (speech); face
    size, sharpness and mouth–audio agreement are medians over clips. A pose range is the median
    over clips of where 96 % of a clip's frames lie, from its 2nd to its 98th percentile, degrees;
    `*_low` and `*_high` are the extremes of all clips.
    """

    name: str
    num_clips: int
    num_identities: int
    num_sources: int
    minutes: float
    num_frames: int
    valid_share: float | None
    picture_share: float | None
    face_size: float | None
    sharpness: float | None
    outside_share: float | None
    pitch_range: float | None
    yaw_range: float | None
    roll_range: float | None
    pitch_low: float | None
    pitch_high: float | None
    yaw_low: float | None
    yaw_high: float | None
    roll_low: float | None
    roll_high: float | None
    speech_share: float | None
    mouth_audio_corr: float | None
    mouth_audio_lag: float | None


@dataclass(frozen=True, kw_only=True)
class Rejected:
    """Stretches turned down for one reason."""

    reason: str
    num_stretches: int
    hours: float


@dataclass(frozen=True, kw_only=True)
class YieldFunnel:
    """What became of the input, in hours; `other` is what no row speaks of (rounding, margins).

    `num_slow_sources` have 25 pictures a second, or nearly, and a faster clock. Clips that are left
    out (`toolkit.dataset.excluded`) are counted as excluded, not as clips.
    """

    num_sources: int
    num_slow_sources: int
    hours_in: float
    num_clips: int
    hours_out: float
    num_excluded: int
    hours_excluded: float
    rejected: tuple[Rejected, ...]
    other: float


def group_clips(
    dataset: Path, clips: pd.DataFrame, by: str | None
) -> Iterator[tuple[str, pd.DataFrame]]:
    """Pairs of name and clips: all of them as `all`, or one per identity, split or source.

    Raises:
        ManifestError: by split, and none has been made.
        ValueError: another word.
    """
    if by is None:
        yield "all", clips
        return
    if by not in GROUP_COLUMNS:
        raise ValueError(f"cannot group by {by!r}: choose from {', '.join(GROUP_COLUMNS)}")
    if by == "split":
        parts = read_table(dataset, "split").set_index("clip_id")["split"]
        clips = clips.assign(split=clips["clip_id"].map(parts).fillna(NO_SPLIT))
    for name, rows in clips.groupby(GROUP_COLUMNS[by], sort=True):
        yield str(name), rows


def describe_clips(name: str, clips: pd.DataFrame) -> ClipStats:
    """Numbers of one group of rows of the clips table."""
    poses: dict[str, float | None] = {}
    for axis in ("pitch", "yaw", "roll"):
        low, high = clips[f"{axis}_min"], clips[f"{axis}_max"]
        poses[f"{axis}_range"] = _degrees((high - low).median())
        poses[f"{axis}_low"] = _degrees(low.min())
        poses[f"{axis}_high"] = _degrees(high.max())
    return ClipStats(
        name=name,
        num_clips=len(clips),
        num_identities=clips["identity"].nunique(),
        num_sources=clips["source"].nunique(),
        minutes=float(clips["duration"].sum()) / 60,
        num_frames=int(clips["num_frames"].sum()),
        valid_share=_average(clips["valid_share"], clips["num_frames"]),
        picture_share=_average(clips["num_pictures"] / clips["num_frames"], clips["num_frames"]),
        face_size=_number(clips["face_size"].median()),
        sharpness=_number(clips["sharpness"].median()),
        outside_share=_average(clips["outside_share"], clips["num_frames"]),
        speech_share=_average(clips["speech_share"], clips["duration"]),
        mouth_audio_corr=_number(clips["mouth_audio_corr"].median()),
        mouth_audio_lag=_number(clips["mouth_audio_lag"].median()),
        **poses,
    )


def warn_of_borders(clips: pd.DataFrame) -> None:
    """Warn where crops of rows of the clips table lie outside their pictures to a large part."""
    number = int((clips["outside_share"] > MUCH_OUTSIDE).sum())
    if number:
        warnings.warn(
            f"in {number} of {len(clips)} clips over {MUCH_OUTSIDE:.0%} of the crop lies outside "
            "the picture, where its border is repeated: "
            f"--where 'outside_share <= {MUCH_OUTSIDE:g}' leaves them out",
            stacklevel=2,
        )


def compute_stats(
    dataset: Path, *, by: str | None = None, where: str | None = None
) -> list[ClipStats]:
    """Numbers of all clips that are not left out, or of each identity, split or source.

    Raises:
        ManifestError: no dataset here, a damaged file, or no split to group by.
        ValueError: an unknown word in `by`, or an expression that cannot be evaluated.
    """
    clips = drop_excluded(dataset, read_table(dataset, "clips", where))
    return [describe_clips(name, rows) for name, rows in group_clips(dataset, clips, by)]


def yield_funnel(dataset: Path, clips: pd.DataFrame | None = None) -> YieldFunnel:
    """Hours in, hours out, hours turned down per reason, of everything ingested so far.

    Of a source that has changed since, what it holds now counts, in and out.

    Args:
        dataset: the dataset's folder.
        clips: all rows of the clips table, where they have been read.

    Raises:
        ManifestError: no dataset here, or a damaged file.
    """
    clips = read_table(dataset, "clips", columns=_OF_YIELD) if clips is None else clips[_OF_YIELD]
    sources = read_table(dataset, "sources")
    rejected = read_table(dataset, "rejected")
    clips = clips[match_sources(clips, sources)]
    kept = drop_excluded(dataset, clips)
    seconds_in, seconds_out = sources["duration"].sum(), clips["duration"].sum()
    seconds_kept = kept["duration"].sum()
    reasons = [
        Rejected(
            reason=str(reason), num_stretches=len(rows), hours=float(rows["duration"].sum()) / 3600
        )
        for reason, rows in rejected.groupby("reason", sort=True)
    ]
    reasons.sort(key=lambda entry: (-entry.hours, entry.reason))
    return YieldFunnel(
        num_sources=len(sources),
        num_slow_sources=_count_slow(clips),
        hours_in=float(seconds_in) / 3600,
        num_clips=len(kept),
        hours_out=float(seconds_kept) / 3600,
        num_excluded=len(clips) - len(kept),
        hours_excluded=float(seconds_out - seconds_kept) / 3600,
        rejected=tuple(reasons),
        other=float(seconds_in - seconds_out - rejected["duration"].sum()) / 3600,
    )


def _count_slow(clips: pd.DataFrame) -> int:
    rates = clips[["source", "source_fps", "fps"]].drop_duplicates().itertuples(index=False)
    return len({source for source, rate, fps in rates if suits_25(rate, fps)})


def _number(value: float) -> float | None:
    return None if pd.isna(value) else float(value)


def _degrees(radians: float) -> float | None:
    return None if pd.isna(radians) else math.degrees(radians)


def _average(values: "pd.Series[float]", weights: "pd.Series[float]") -> float | None:
    known = values.notna()
    total = float(weights[known].sum())
    return float((values * weights)[known].sum()) / total if total else None
