"""The papers' own tables, and measured means in their form beside them.

The numbers lie in `published.json` with their sources. A column is filled only by a metric of the
same definition as far as the paper states it; what differs is said in a note.
"""

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from zoo.evaluation.summary import Mean, Summary, write_value
from zoo.metrics.table import METRICS

TABLES = ("facial-1", "das-1", "das-2")

NOT_COMPARABLE = (
    "The papers' rows are of other videos, other crops and other landmarks: they show the form and "
    "the order of magnitude, and their values are not comparable with those above them."
)


@dataclass(frozen=True)
class PaperTable:
    """A paper's table with the measured rows on top.

    Attributes:
        title: of the paper and its table.
        head: names of the columns, the first that of the rows.
        measured, papers: rows of cells.
        notes: which metric fills each column, why others are not filled, why nothing compares.
    """

    title: str
    head: list[str]
    measured: list[list[str]]
    papers: list[list[str]]
    notes: list[str]


def make_paper_table(
    name: str, summary: Summary, systems: list[str], *, is_judge_published: bool = False
) -> PaperTable:
    """A paper's table, with a row for each measured system.

    Args:
        name: one of `TABLES`.
        summary: the systems' means.
        systems: in the order of the rows.
        is_judge_published: whether lip-sync was judged by the published weights; columns of it are
            filled by no others.
    """
    if not is_judge_published:
        summary = {m: means for m, means in summary.items() if not METRICS[m].needs_sync_judge}
    content = _load()[name]
    columns = content["columns"]
    chosen = [_choose(column, summary) for column in columns]
    measured = [
        [system, *(_write(summary.get(metric, {}).get(system)) for metric in chosen)]
        for system in systems
    ]
    papers = [[row[0], *map(_write_published, row[1:])] for row in content["rows"]]
    head = ["", *(column["name"] for column in columns)]
    notes = [_explain(*pair) for pair in zip(columns, chosen, strict=True)]
    notes += [f"The papers' rows are measured on {content['data']}.", NOT_COMPARABLE]
    return PaperTable(content["title"], head, measured, papers, list(dict.fromkeys(notes)))


def _choose(column: Mapping[str, Any], summary: Summary) -> str:
    """The metric that fills a column; "" for none."""
    return next((metric for metric in column["metric"] if metric in summary), "")


def _explain(column: Mapping[str, Any], metric: str) -> str:
    name = column["name"]
    if not metric:
        default = f"not among the metrics measured: {', '.join(column['metric'])}"
        return f"{name}: {column.get('lacks', default)}."
    note = f": {column['note']}" if "note" in column else ""
    return f"{name} is {metric}{note}."


def _write(mean: Mean | None) -> str:
    return "–" if mean is None else write_value(mean.value)


def _write_published(value: float | None) -> str:
    return "–" if value is None else f"{value:g}".replace("-", "−")


@functools.cache
def _load() -> Any:
    return json.loads((files("zoo.evaluation") / "published.json").read_text("utf-8"))
