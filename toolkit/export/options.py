"""Options of `ttk export`: `--help` loads no library for them."""

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
