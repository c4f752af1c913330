"""Options of `zoo evaluate video` and `compare`, apart from what measures: `--help` is quick."""

from dataclasses import dataclass, field

from zoo.metrics.table import METRICS, Metric, find_metric

ALL = "all"


@dataclass(frozen=True, kw_only=True)
class EvaluationOptions:
    """What is measured, and how."""

    metrics: str = field(
        default=ALL, metadata={"help": "Names with commas between; cpbd,lmd.mouth for example."}
    )
    picture: str = field(
        default="whole",
        metadata={
            "help": "What of the pictures: all, or the square around the real face at 256 px.",
            "choices": ("whole", "face"),
        },
    )
    workers: int = field(
        default=1, metadata={"help": "Processes, each with videos of its own; memory for each."}
    )

    def __post_init__(self) -> None:
        """Refuse what cannot be measured; raises ValueError."""
        self.list_metrics()
        if self.workers < 1:
            raise ValueError("workers must be at least 1")

    def list_metrics(self) -> list[Metric]:
        """The metrics chosen, in the table's order for `all`."""
        if self.metrics == ALL:
            return list(METRICS.values())
        return [find_metric(name.strip()) for name in self.metrics.split(",") if name.strip()]
