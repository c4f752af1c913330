"""Options of a run: how they are declared, what they may be, and those that every run has."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

DEVICES = "auto|cpu|cuda|cuda:N"
DEVICE_HELP = "Where to compute; auto: a GPU where there is one."
PRECISIONS = ("fp32", "bf16")

Preset = TypeVar("Preset")


def option(
    text: str,
    *,
    one_of: tuple[str, ...] | None = None,
    above: float | None = None,
    at_least: float | None = None,
    below: float | None = None,
    metavar: str | None = None,
    **more: Any,
) -> Any:
    """A field of an options record that its command offers, with this help text.

    Args:
        text: the help.
        one_of: values it may have.
        above: a number must be more than this.
        at_least: this or more.
        below: less than this.
        metavar: what help shows for the value.
        more: as `dataclasses.field` takes it.
    """
    limits = {"one_of": one_of, "above": above, "at_least": at_least, "below": below}
    return dataclasses.field(metadata={"help": text, "metavar": metavar, **limits}, **more)


AUTO, FACE, VGG19, RANDOM = "auto", "face", "vgg19", "random"

PERCEPTUAL = (AUTO, FACE, VGG19, RANDOM)
"""Networks by which pictures are compared in training."""

PERCEPTUAL_HELP = (
    "Network of the perceptual term. auto: face where the extra identity is installed, else vgg19 "
    "where it was fetched, else random."
)

VGG_HELP = "Weights of VGG19, which then judges. Default: those of ttk weights --fetch vgg19."


SURROUNDINGS = ("source", "full")
"""What stands around a head: the source's picture, which is not learnt; all of it is drawn."""

SURROUNDINGS_HELP = (
    "source: a head is drawn, to be laid over its video. full: whole frames are drawn, as in the "
    "paper, background and all; their clips are of ttk ingest --crop picture."
)


def check_judge(perceptual: str, vgg: Path | None) -> None:
    """ValueError where VGG19's weights are given and another network is to judge."""
    if vgg is not None and perceptual not in (AUTO, VGG19):
        raise ValueError(f"--vgg {vgg}: --perceptual {perceptual} has no use for it")


def check_options(record: Any) -> None:
    """ValueError for the first field of a record that lies outside its limits."""
    for field in dataclasses.fields(record):
        value, limits = getattr(record, field.name), field.metadata
        flag = "--" + field.name.rstrip("_").replace("_", "-")
        one_of = limits.get("one_of")
        if one_of is not None and value not in one_of:
            known = ", ".join(filter(None, one_of))
            raise ValueError(f"{flag} {value!r}: choose from {known}")
        for name, holds in _LIMITS.items():
            limit = limits.get(name)
            if limit is not None and not holds(value, limit):
                words = {"above": "more than", "at_least": "at least", "below": "below"}[name]
                raise ValueError(f"{flag} {value}: must be {words} {limit:g}")


_LIMITS: dict[str, Any] = {
    "above": lambda value, limit: value > limit,
    "at_least": lambda value, limit: value >= limit,
    "below": lambda value, limit: value < limit,
}


def find_preset(presets: Mapping[str, Preset], name: str) -> Preset:
    """The record of a preset; ValueError where there is none of this name."""
    if name not in presets:
        raise ValueError(f"no preset {name!r}: choose from {', '.join(presets)}")
    return presets[name]


def fall_by_cosine(rate: float, epoch: int, epochs: int) -> float:
    """Learning rate in an epoch, from 0: half a wave of the cosine, from `rate` to 0."""
    return rate * (1 + math.cos(math.pi * epoch / epochs)) / 2


def to_plain(record: Any) -> dict[str, Any]:
    """An options record as numbers, text and lists, paths whole, for `recipe.json`."""
    content = dataclasses.asdict(record)
    return {name: _to_text(value) for name, value in content.items()}


def _to_text(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_to_text(item) for item in value]
    return str(value) if isinstance(value, Path) else value


@dataclass(frozen=True, kw_only=True)
class ComputeOptions:
    """Where and how a run computes."""

    device: str = option(DEVICE_HELP, default="auto", metavar=DEVICES)
    precision: str = option(
        "bf16 is up to twice as fast on a processor that has instructions for it.",
        default="fp32",
        one_of=PRECISIONS,
    )
    workers: int = option("Processes that make batches; 0: this one.", default=0, at_least=0)
    seed: int = option("Of weights and order.", default=0, at_least=0)

    def __post_init__(self) -> None:
        """Refuse values outside their limits; raises ValueError."""
        check_options(self)


@dataclass(frozen=True, kw_only=True)
class RunOptions(ComputeOptions):
    """Of every run."""

    epochs: int = option("An epoch is every item once.", default=50, at_least=1)


@dataclass(frozen=True, kw_only=True)
class ClipRunOptions(RunOptions):
    """Of every run that learns from a dataset's clips."""

    shards: Path = option("The dataset's folder shards, its manifests beside it.")
    batch_size: int = option("Items of a step, over all processes.", default=64, at_least=1)
    holdout: float = option(
        "Share of source time kept out, at its end.", default=0.0, at_least=0, below=1
    )
    compile: bool = option(
        "Let torch compile the generator; on a CPU it needs a C++ compiler.", default=False
    )
