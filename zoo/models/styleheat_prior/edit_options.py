"""Options of `zoo edit`."""

from dataclasses import dataclass
from pathlib import Path

from zoo.training.options import DEVICE_HELP, DEVICES, check_options, option

MEASURED = ("mouth", "smile", "yaw", "pitch", "au45", "brightness")
"""Attributes that are measured in shards and pictures."""


@dataclass(frozen=True, kw_only=True)
class DirectionOptions:
    """Of `zoo edit directions`."""

    prior: Path = option("Checkpoint of zoo train styleheat-prior, or converted.")
    shards: Path = option("The dataset's folder shards, its manifests beside it.")
    attributes: str = option(
        f"Names, by commas: {', '.join(MEASURED)}, or columns of the manifest or of --labels.",
        default=",".join(MEASURED),
    )
    labels: Path | None = option(
        "A table .csv with a column identity or clip_id, and a column of numbers for each label.",
        default=None,
        metavar="FILE.csv",
    )
    split: str = option(
        "The part to learn from; all: every clip.", default="train",
        one_of=("train", "val", "test", "all"),
    )  # fmt: skip
    num_pictures: int = option("At most, evenly spaced.", default=1000, at_least=20)
    device: str = option(DEVICE_HELP, default="auto", metavar=DEVICES)

    def __post_init__(self) -> None:
        """Refuse values outside their limits; raises ValueError."""
        check_options(self)

    def list_names(self) -> tuple[str, ...]:
        """Of the attributes; ValueError where there are none, or one comes twice."""
        names = tuple(filter(None, (name.strip() for name in self.attributes.split(","))))
        if not names or len(set(names)) < len(names):
            raise ValueError(f"--attributes {self.attributes!r}: give names, each once")
        return names


@dataclass(frozen=True, kw_only=True)
class LayerOptions:
    """Of `zoo edit layers`."""

    prior: Path = option("Checkpoint of zoo train styleheat-prior, or converted.")
    faces: int = option("Rows.", default=4, at_least=1)
    degrees: float = option("By which the maps of a level are turned.", default=12.0)
    seed: int = option("Of the faces.", default=0, at_least=0)
    device: str = option(DEVICE_HELP, default="auto", metavar=DEVICES)

    def __post_init__(self) -> None:
        """Refuse values outside their limits; raises ValueError."""
        check_options(self)
