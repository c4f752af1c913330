"""Options and words of `ttk split` and `ttk stats`: `--help` loads no library for them."""

from dataclasses import dataclass, field

PARTS = ("train", "val", "test")
"""Of the split."""

GROUPS = {"source": "source_sha256", "identity": "identity", "clip": "clip_id"}
"""What a split never parts -> the column that says so: a source is its content."""

GROUP_COLUMNS = {"identity": "identity", "split": "split", "source": "source"}
"""What clips can be grouped by in statistics -> column."""


@dataclass(frozen=True, kw_only=True)
class SplitOptions:
    """How to split."""

    ratio: str = field(default="5-1-4", metadata={"help": "Shares of train, val and test."})
    by: str = field(
        default="source",
        metadata={"help": "What is never parted.", "choices": tuple(GROUPS)},
    )
    seed: int = field(default=0, metadata={"help": "Another seed, another split."})
    where: str | None = field(
        default=None,
        metadata={"help": "Split only clips for which this is true: 'face_size > 120'."},
    )
    reassign: bool = field(
        default=False, metadata={"help": "Start over: clips that have a split may move."}
    )
