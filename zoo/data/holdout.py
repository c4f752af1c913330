"""The last share of an identity's source time, kept out of training.

An identity's sources are taken in the order of their names, one behind the other, as far as clips
were cut from them. Where the held-out part begins depends on all clips of the identity, whatever
part of the split they are in, so that a base model and its fine-tuning agree on it.
"""

import math
from dataclasses import dataclass

import pandas as pd

from zoo.data.layout import WINDOW


@dataclass(frozen=True, kw_only=True)
class Holdout:
    """What to hold out.

    Attributes:
        share: of the source time, over 0 and below 1.
        identity: whose; None: of everyone, each for itself.
        gap: frames before the held-out part, of its source, that are in neither part.
    """

    share: float
    identity: str | None = None
    gap: int = WINDOW

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise ValueError(f"a holdout is a share over 0 and below 1, not {self.share}")


@dataclass(frozen=True, kw_only=True)
class Cut:
    """Where an identity's held-out part begins: frame `frame` of `source`; later ones are in it."""

    source: str
    frame: int
    gap: int

    def keep(self, source: str, start: int, num_frames: int, *, held: bool) -> tuple[int, int]:
        """Frames [first, last) of a clip that are held out, or to be trained on; last may be first.

        Args:
            source: the clip's.
            start: its first frame on the source's clock.
            num_frames: its length.
            held: ask for the held-out part, else for what is trained on.
        """
        if source != self.source:
            return (0, num_frames if (source > self.source) == held else 0)
        if held:
            return (min(max(self.frame - start, 0), num_frames), num_frames)
        return (0, min(max(self.frame - self.gap - start, 0), num_frames))


def find_cuts(clips: pd.DataFrame, holdout: Holdout) -> dict[str, Cut]:
    """Identity -> where its held-out part begins, from rows of the manifest's `clips`."""
    if holdout.identity is not None:
        clips = clips[clips["identity"] == holdout.identity]
    return {str(name): _find_cut(rows, holdout) for name, rows in clips.groupby("identity")}


def _find_cut(rows: pd.DataFrame, holdout: Holdout) -> Cut:
    rows = rows.sort_values(["source", "start_frame"], ascending=False)
    num_held = math.ceil(holdout.share * int(rows["num_frames"].sum()))
    columns = (rows[name].tolist() for name in ("source", "start_frame", "num_frames"))
    for source, start, num_frames in zip(*columns, strict=True):
        if num_held <= num_frames:
            frame = start + num_frames - num_held
            return Cut(source=source, frame=frame, gap=holdout.gap)
        num_held -= num_frames
    raise ValueError("no clips to hold anything out of")
