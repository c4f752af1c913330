"""Clips worth a look: the best, the worst, and those that something speaks against."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from toolkit.dataset.blink_stats import HUMAN_RATE
from toolkit.dataset.stats import MUCH_OUTSIDE
from toolkit.names import names_no_person

NUM_SHOWN = 6
"""Clips on a contact sheet at most."""

RANKED = ("face_size", "sharpness", "valid_share", "mouth_audio_corr")
"""Columns of the clips table that rank a clip, all the higher the better."""

LATE_PICTURE, LATE_SOUND = 0.09, 0.185
"""Seconds beyond which ITU-R BT.1359-1 calls the timing of sound and picture not acceptable."""

NO_BLINK = 20.0
"""Valid seconds without a blink that speak against a clip.

At `HUMAN_RATE`'s lower end, 0.28 a second, e^−5.6 of such stretches have none: one in 270.
"""


@dataclass(frozen=True, kw_only=True)
class Doubt:
    """Something that may be wrong with a clip: in two words, in a sentence, and where it is so."""

    name: str
    text: str
    test: Callable[[pd.DataFrame], "pd.Series[bool]"]

    @property
    def column(self) -> str:
        """Of `find_doubts`; no column of the clips table has a space in its name."""
        return f"doubt {self.name}"


def _has_bad_sync(clips: pd.DataFrame) -> "pd.Series[bool]":
    lag = clips["mouth_audio_lag"]
    return (lag > LATE_PICTURE) | (lag < -LATE_SOUND)


def _has_no_blink(clips: pd.DataFrame) -> "pd.Series[bool]":
    seconds = clips["duration"] * clips["valid_share"]
    return (clips["num_blinks"] == 0) & (seconds >= NO_BLINK)


def _has_no_name(clips: pd.DataFrame) -> "pd.Series[bool]":
    return clips["identity"].isin(filter(names_no_person, clips["identity"].unique()))


DOUBTS = (
    Doubt(
        name="lip sync",
        text=f"the picture is over {1000 * LATE_PICTURE:.0f} ms late, or the sound over "
        f"{1000 * LATE_SOUND:.0f} ms (ITU-R BT.1359-1)",
        test=_has_bad_sync,
    ),
    Doubt(
        name="whose voice",
        text="speech in at least half of the time, and a mouth–audio correlation under 0.1",
        test=lambda clips: (clips["speech_share"] >= 0.5) & (clips["mouth_audio_corr"] < 0.1),
    ),
    Doubt(
        name="tracking",
        text="under 90 % of the frames are valid",
        test=lambda clips: clips["valid_share"] < 0.9,
    ),
    Doubt(
        name="border",
        text=f"over {100 * MUCH_OUTSIDE:g} % of the crop lies outside the picture",
        test=lambda clips: clips["outside_share"] > MUCH_OUTSIDE,
    ),
    Doubt(
        name="repeated pictures",
        text="under 80 % of the frames show a new picture (25 a second on a clock of 30: 83 %)",
        test=lambda clips: clips["num_pictures"] < 0.8 * clips["num_frames"],
    ),
    Doubt(
        name="no blink",
        text=f"no blink in {NO_BLINK:g} s or more of valid frames; people blink "
        f"{HUMAN_RATE[0]:g}–{HUMAN_RATE[1]:g} times a second as they talk",
        test=_has_no_blink,
    ),
    Doubt(
        name="identity",
        text="the identity's name looks like no person's",
        test=_has_no_name,
    ),
)


@dataclass(frozen=True, kw_only=True)
class Pick:
    """A clip of a contact sheet.

    Attributes:
        clip_id, short_id: whole id, and as `ttk ls` has it.
        identity, source: person and source path.
        shard, index: where it lies, from the dataset's folder.
        rank: 0 to 1, see `rank_clips`.
        doubts: names of `DOUBTS`.
    """

    clip_id: str
    short_id: str
    identity: str
    source: str
    shard: Path
    index: int
    rank: float
    doubts: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Picks:
    """Clips of the contact sheets, and how many clips there are doubts about, by name."""

    best: tuple[Pick, ...]
    worst: tuple[Pick, ...]
    doubtful: tuple[Pick, ...]
    num_doubtful: int
    num_by_doubt: dict[str, int]


def rank_clips(clips: pd.DataFrame) -> "pd.Series[float]":
    """Mean over `RANKED` of the share of the other clips that a clip is not below, 0 to 1.

    An order within one dataset, no measure of quality; unknown values are left out.
    """
    return clips[list(RANKED)].rank(pct=True).mean(axis=1)


def find_doubts(clips: pd.DataFrame) -> pd.DataFrame:
    """A column of bool for each of `DOUBTS`; what is not known is no doubt."""
    return pd.DataFrame(
        {doubt.column: doubt.test(clips).fillna(False).astype(bool) for doubt in DOUBTS},
        index=clips.index,
    )


def pick_clips(clips: pd.DataFrame) -> Picks:
    """Choose the clips of the contact sheets; no clip is both among the best and the worst.

    Args:
        clips: rows of the clips table with `short_id`, `rank` and the columns of `find_doubts`.
    """
    ranked = clips.sort_values(["rank", "clip_id"], ascending=[False, True])
    num_best = min(NUM_SHOWN, (len(clips) + 1) // 2)
    num_worst = min(NUM_SHOWN, len(clips) - num_best)
    number = clips[[doubt.column for doubt in DOUBTS]].sum(axis=1)
    order = ["number", "rank", "clip_id"]
    doubtful = clips.assign(number=number)[number > 0]
    doubtful = doubtful.sort_values(order, ascending=[False, True, True])
    return Picks(
        best=_describe(ranked[:num_best]),
        worst=_describe(ranked[len(ranked) - num_worst :][::-1]),
        doubtful=_describe(doubtful[:NUM_SHOWN]),
        num_doubtful=len(doubtful),
        num_by_doubt={doubt.name: int(clips[doubt.column].sum()) for doubt in DOUBTS},
    )


def _describe(rows: pd.DataFrame) -> tuple[Pick, ...]:
    return tuple(
        Pick(
            clip_id=row["clip_id"],
            short_id=row["short_id"],
            identity=row["identity"],
            source=row["source"],
            shard=Path(row["shard"]),
            index=int(row["index"]),
            rank=float(row["rank"]),
            doubts=tuple(doubt.name for doubt in DOUBTS if row[doubt.column]),
        )
        for row in rows.to_dict("records")
    )
