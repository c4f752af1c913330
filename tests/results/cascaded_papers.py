"""Tables 1 and 2 of Das et al. (ECCV 2020) in form, with the papers' rows beside."""

import math
from collections.abc import Mapping, Sequence

from tests.results.setup import Table
from zoo.evaluation.published import make_paper_table
from zoo.evaluation.summary import Mean
from zoo.metrics.intervals import Interval

METRICS = {"PSNR, dB": "psnr.mean", "SSIM": "ssim.gaussian", "CPBD": "cpbd", "LMD, px": "lmd.mouth"}
"""Column of the faces' table -> metric, as `zoo evaluate` names it."""


def tabulate_paper(name: str, figures: Mapping[str, Mapping[str, Interval]]) -> Table:
    """A table of the paper, this project on top.

    Args:
        name: `das-1` or `das-2`.
        figures: what is shown -> column -> mean.
    """
    summary = {
        metric: {shown: _take(of[column]) for shown, of in figures.items()}
        for column, metric in METRICS.items()
    }
    made = make_paper_table(name, summary, list(figures))
    return Table([_name(made.head, row) for row in (*made.measured, *made.papers)])


def _take(interval: Interval) -> Mean:
    return Mean(interval.value, math.nan, math.nan, 1)


def _name(head: Sequence[str], row: Sequence[str]) -> dict[str, str]:
    return dict(zip(["shown", *head[1:]], row, strict=True))
