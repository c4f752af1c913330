"""Options of `ttk export`: `--help` loads no library for them."""

import re
from dataclasses import dataclass, field

from toolkit.dataset.options import PARTS


@dataclass(frozen=True, kw_only=True)
class ExportOptions:
    """Which clips are exported."""

    split: str = field(
        default="",
        metadata={"help": "Clips of this part of the split alone.", "choices": ("", *PARTS)},
    )
    where: str | None = field(
        default=None,
        metadata={"help": "Only clips for which this is true: 'face_size > 120'."},
    )


@dataclass(frozen=True, kw_only=True)
class FacialOptions(ExportOptions):
    """What is written beside numbers and sound."""

    pictures: bool = field(
        default=False,
        metadata={"help": "Write every frame as well, at 512 px, as its renderer is trained on."},
    )


@dataclass(frozen=True, kw_only=True)
class HubOptions(ExportOptions):
    """What the dataset card says beside what was measured."""

    license: str = field(
        default="unknown",
        metadata={"help": "Of the footage, by its name on the hub, as cc-by-4.0."},
    )
    consent: str = field(
        default="",
        metadata={"help": "What the people in the videos have agreed to, in a sentence."},
    )
    cite: str = field(
        default="", metadata={"help": "How the dataset is cited; its name, if not given."}
    )
    dataset_version: str = field(
        default="1.0.0", metadata={"help": "Of the dataset: MAJOR.MINOR.PATCH."}
    )

    def __post_init__(self) -> None:
        """Refuse a version that is none; raises ValueError."""
        if not re.fullmatch(r"(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}", self.dataset_version, re.ASCII):
            raise ValueError(f"dataset version {self.dataset_version!r}: write MAJOR.MINOR.PATCH")
