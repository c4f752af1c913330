"""Audio-based self-reenactment by every metric, and in the form of the papers' tables."""

from collections.abc import Sequence
from typing import Any

from tests.results.people import personalize_longest
from tests.results.setup import Setup, Table
from zoo.evaluation.options import EvaluationOptions
from zoo.evaluation.pairing import list_tasks
from zoo.evaluation.published import TABLES, PaperTable, make_paper_table
from zoo.evaluation.summary import Summary, find_best, summarise, write_unit, write_value
from zoo.evaluation.systems import check_some, evaluate_tasks, list_systems
from zoo.metrics.table import Metric
from zoo.speaking.options import SelfReenactmentSettings
from zoo.speaking.self_reenactment import REAL, SelfReenactment

Rows = list[dict[str, Any]]


def run_evaluation(setup: Setup) -> dict[str, Table]:
    """The man of the longest video as `zoo evaluate person` measures him."""
    person = personalize_longest(setup)
    work = SelfReenactment(person, SelfReenactmentSettings(device="cpu"))
    for _ in work.make():
        pass
    options = EvaluationOptions(device="cpu")
    tasks = list_tasks(dict(work.systems), work.folder / REAL)
    rows = [row for found in evaluate_tasks(tasks, options) for row in found]
    check_some(rows)
    systems, metrics = list_systems(rows), options.list_metrics()
    summary = summarise(rows, metrics)
    papers = {name: make_paper_table(name, summary, systems) for name in TABLES}
    return {
        "person-metrics": Table(tabulate_metrics(summary, systems, metrics)),
        **{f"person-{name}": Table(tabulate_paper(table)) for name, table in papers.items()},
    }


def tabulate_metrics(summary: Summary, systems: Sequence[str], metrics: Sequence[Metric]) -> Rows:
    """A row for each metric that has a value, a column for each system; the best has a star."""
    rows = Rows()
    for metric in metrics:
        means = summary.get(metric.name, {})
        if not means:
            continue
        best = find_best(metric.name, means)
        cells = {
            name: ("\\*" if name in best else "") + write_value(means[name].value)
            if name in means
            else "–"
            for name in systems
        }
        rows.append({"metric": metric.name, "unit": write_unit(metric), "better": metric.better}
                    | cells)  # fmt: skip
    return rows


def tabulate_paper(table: PaperTable) -> Rows:
    """The measured rows, and below them the paper's own, which say so."""
    first, *columns = table.head
    return [
        {first or "shown": name} | dict(zip(columns, cells, strict=True))
        for name, *cells in [
            *table.measured,
            *([f"paper: {row[0]}", *row[1:]] for row in table.papers),
        ]
    ]
