"""Every metric by its name: what it measures, in which unit, which way is better, what it needs.

A metric is a pure function. Its parameters are the arrays that `needs` names, so that

    METRICS["lmd.mouth"].measure(arrays)

calls it with the right ones of a clip's arrays. Nothing is imported before that.
"""

import pkgutil
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from zoo.metrics.rows import ARRAYS, COMPARING, DISTANCES, ROWS, Better, Per


@dataclass(frozen=True)
class Metric:
    """One row of the table.

    Attributes:
        name: parts with dots between them, from the general to the variant.
        text: what it measures, in a line.
        path: of the function, "module:function".
        unit: of its values.
        better: `higher` or `lower`; `near`: the nearer to the real video's value, the better.
        needs: names of `ARRAYS`, which are the names of the function's parameters.
        per: what the function is called with, and what it returns. `picture`: with one picture of
            each of `needs`, a number. `frame`: with a clip's arrays, (n,) numbers. `clip`: with a
            clip's arrays, a number. `set`: with arrays of all videos of a system together, a
            number. Those of pictures and frames are averaged over the frames
            whose value is a number (`average_known`). NaN: there is nothing to measure.
        source: paper, section, equation; "this project" where the definition is its own.
    """

    name: str
    text: str
    path: str
    unit: str
    better: Better
    needs: tuple[str, ...]
    per: Per
    source: str

    def measure(self, arrays: Mapping[str, Any]) -> Any:
        """Its value or values, see `per`; KeyError where a needed array is missing."""
        function = pkgutil.resolve_name(self.path)
        return function(**{name: arrays[name] for name in self.needs})

    @property
    def needs_real(self) -> bool:
        """Whether it compares with the real video."""
        return any(name.startswith("real_") or name in COMPARING for name in self.needs)

    @property
    def needs_sync_judge(self) -> bool:
        """Whether its arrays come from a judge of lip-sync."""
        return DISTANCES in self.needs


METRICS: dict[str, Metric] = {row[0]: Metric(*row) for row in ROWS}
"""Name -> metric, in the order in which tables show them."""


def list_metrics(available: Collection[str] = tuple(ARRAYS)) -> Iterator[Metric]:
    """Metrics that can be measured from these arrays."""
    return (metric for metric in METRICS.values() if set(metric.needs) <= set(available))


def find_metric(name: str) -> Metric:
    """The metric of a name; ValueError where there is none."""
    if name not in METRICS:
        raise ValueError(f"no metric {name!r}: choose from {', '.join(METRICS)}")
    return METRICS[name]
