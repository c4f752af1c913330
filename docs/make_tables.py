"""Write generated tables anew: `python docs/make_tables.py`.

Those of docs/formats.md come from toolkit/schema.py, that of docs/models.md from the records of the
families, those of docs/metrics.md from the table of metrics. Each table stands between
`<!-- begin NAME -->` and `<!-- end NAME -->`; the rest is by hand.
"""

import functools
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from toolkit.schema import ARRAYS, TABLES
from zoo.metrics.known_pair import make_known_pair, repeat_real
from zoo.metrics.rows import ARRAYS as METRIC_ARRAYS
from zoo.metrics.series import average_known
from zoo.metrics.table import METRICS, Metric
from zoo.models.family import list_commands
from zoo.models.registry import list_families

PAGES = tuple(Path(__file__).parent / name for name in ("formats.md", "models.md", "metrics.md"))


BETTER = {"higher": "higher", "lower": "lower", "near": "near the real one's"}


@functools.cache
def make_tables() -> dict[str, str]:
    """Name of each table of these pages -> its Markdown."""
    arrays = (
        (f"`{a.name}`", _write_shape(a.axis, a.shape), a.dtype, a.unit, a.text, a.feature)
        for a in ARRAYS.values()
    )
    head = ("dataset", "shape", "dtype", "unit", "what it is", "feature")
    tables = {"arrays": _write_table(head, arrays)}
    for name, columns in TABLES.items():
        rows = ((f"`{c.name}`", f"`{c.type}`", c.unit, c.text) for c in columns)
        tables[name] = _write_table(("column", "type", "unit", "what it is"), rows)
    families = (
        (f"`{f.name}`", f.summary, _quote(f.presets), _quote(f.reads), _quote(list_commands(f)))
        for f in list_families()
    )
    head = ("family", "what it does", "presets", "arrays it is trained on", "commands")
    tables["families"] = _write_table(head, families)
    needed = ((f"`{name}`", text) for name, text in METRIC_ARRAYS.items())
    tables["metric-arrays"] = _write_table(("array", "what it is"), needed)
    head = ("metric", "what it measures", "unit", "better", "of a", "needs", "source")
    tables["metrics"] = _write_table(
        (*head, "real beside itself", "known pair"), list_metric_rows()
    )
    return tables


def list_metric_rows() -> Iterator[tuple[str, ...]]:
    """A row for every metric, with its values on the known pair of clips."""
    pair = make_known_pair()
    real = repeat_real(pair)
    for metric in METRICS.values():
        yield (
            f"`{metric.name}`", metric.text, metric.unit, BETTER[metric.better], metric.per,
            _quote(metric.needs), metric.source,
            *(_measure(metric, arrays) for arrays in (real, pair)),
        )  # fmt: skip


def _measure(metric: Metric, arrays: dict[str, object]) -> str:
    value = average_known(np.atleast_1d(metric.measure(arrays)))
    return "∞" if math.isinf(value) else f"{round(value, 9):.4g}"


def _quote(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "none"


def _write_shape(axis: str, shape: Sequence[int]) -> str:
    numbers = ", ".join(str(number) for number in shape)
    return f"({axis}, {numbers})" if numbers else f"({axis},)"


def _write_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def fill_page(text: str) -> str:
    """A page with its tables between their markers; ValueError for an unknown table."""
    tables = make_tables()

    def write(match: re.Match[str]) -> str:
        if match[1] not in tables:
            raise ValueError(f"no table {match[1]!r}: there are {', '.join(tables)}")
        return f"<!-- begin {match[1]} -->\n\n{tables[match[1]]}\n\n<!-- end {match[1]} -->"

    return re.sub(r"<!-- begin (\S+) -->\n.*?<!-- end \1 -->", write, text, flags=re.DOTALL)


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(fill_page(page.read_text("utf-8")), "utf-8")
