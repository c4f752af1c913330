"""Tables of `zoo evaluate video` and `compare` on the terminal, 80 columns wide."""

import itertools
from collections.abc import Mapping, Sequence

import click

from toolkit.cli.tables import print_table
from toolkit.names import write_name
from zoo.evaluation.options import GIVEN_JUDGES
from zoo.evaluation.pairing import REAL, STILL
from zoo.evaluation.published import PaperTable
from zoo.evaluation.summary import (
    UNEVEN,
    Summary,
    find_best,
    summarise,
    write_mean,
    write_unit,
    write_value,
)
from zoo.evaluation.systems import VideoRow, count_measured, group_missing, list_systems
from zoo.metrics.table import Metric

WIDTH = 80
PER_TABLE = 2
"""Systems side by side."""

PAPER_COLUMNS = 6
"""Columns of a paper's table side by side; the rest stands below."""

_BETTER = {"higher": "↑", "lower": "↓", "near": "≈"}


def print_systems(
    rows: Sequence[VideoRow], metrics: Sequence[Metric], sets: Summary | None = None
) -> None:
    """A row a metric and a column a system, the best with a star.

    One system's means have their intervals. `sets`: values of all videos together.
    """
    summary = summarise(rows, metrics, sets)
    if not summary:
        return
    names = list_systems(rows)
    own = [name for name in names if name not in (REAL, STILL)]
    references = [name for name in names if name in (REAL, STILL)]
    write = write_mean if len(own) == 1 else lambda mean: write_value(mean.value)
    for first in range(0, len(own), PER_TABLE):
        columns = [*own[first : first + PER_TABLE], *references]
        cells = []
        for metric in metrics:
            means = summary.get(metric.name, {})
            best = find_best(metric.name, means)
            if means:
                cells.append([
                    metric.name,
                    *(
                        (("*" if name in best else "") + (write if name in own else _write)(
                            means[name])) if name in means else "–"
                        for name in columns
                    ),
                    f"{_BETTER[metric.better]} {write_unit(metric)}".rstrip(),
                ])  # fmt: skip
        heads = [*("still" if name == STILL else write_name(name) for name in columns), "unit"]
        print_table("Means over videos", ["metric", *heads], cells, gap=1, names=())
    _say("↑ higher is better, ↓ lower, ≈ the nearer to the real one's." + (
        " * the best system." if len(own) > 1 else ""))  # fmt: skip


def print_missing(rows: Sequence[VideoRow]) -> None:
    """What was measured in no video, and why."""
    for reason, lacking in group_missing(rows).items():
        _say(f"Not measured: {', '.join(lacking)}: {reason}.")


def print_notes(notes: Sequence[str]) -> None:
    """What must be known of figures of all videos together."""
    for note in notes:
        _say(f"{note}.")


def print_judges(judges: Mapping[str, str]) -> None:
    """Who judged what, with the digest: array -> judge."""
    for array, judge in judges.items():
        _say(f"{GIVEN_JUDGES[array].metrics}: by {judge}; not comparable with another judge's.")


def print_videos(rows: Sequence[VideoRow], metrics: Sequence[Metric]) -> None:
    """A row a video and system."""
    names = [metric.name for metric in metrics if metric.per != "set"]
    if not names or all(row.error for row in rows):
        return
    cells = [
        [
            row.video,
            row.system,
            *(
                write_value(row.measured.values[name]) if name in row.measured.values else "–"
                for name in names
            ),
        ]
        for row in rows
        if not row.error
    ]
    print_table("Videos", ["video", "system", *names], cells, names=(0, 1))


def print_paper(table: PaperTable) -> None:
    """A paper's table, measured rows above the printed ones, with what each column is."""
    num = len(table.head) - 1
    parts = -(-num // PAPER_COLUMNS)
    edges = [1 + num * part // parts for part in range(parts + 1)]
    for first, last in itertools.pairwise(edges):
        line = ["—" * 3, *[""] * (last - first)]
        rows = [[row[0], *row[first:last]] for row in table.measured]
        rows += [line, *([row[0], *row[first:last]] for row in table.papers)]
        print_table(table.title, ["", *table.head[first:last]], rows, gap=1)
    for note in table.notes:
        _say(note)


def print_errors(rows: Sequence[VideoRow], picture: str) -> None:
    """What was measured of the pictures, and the videos of which nothing was."""
    what = {"whole": "whole pictures", "face": "the square around the real face, at 256 px"}
    counts = count_measured(rows)
    texts = [f"{name} {good} of {total}" for name, (good, total) in counts.items()]
    _say(f"Videos measured: {', '.join(texts)}; {what[picture]}.")
    if len(counts) > 1 and any(good < total for good, total in counts.values()):
        _say(UNEVEN)
    for (system, note), videos in _group_notes(rows).items():
        more = f" and {len(videos) - 3} more" if len(videos) > 3 else ""
        _say(f"{system}: {note} ({', '.join(videos[:3])}{more}).")
    for row in rows:
        if row.error:
            _say(f"{row.video}, {row.system}: not measured: {row.error}")


def _group_notes(rows: Sequence[VideoRow]) -> dict[tuple[str, str], list[str]]:
    groups: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        for note in row.measured.notes:
            groups.setdefault((row.system, note), []).append(row.video)
    return groups


def _write(mean: object) -> str:
    return write_value(mean.value)  # type: ignore[attr-defined]


def _say(text: str) -> None:
    click.echo(click.wrap_text(write_name(text), WIDTH, subsequent_indent="  "))
