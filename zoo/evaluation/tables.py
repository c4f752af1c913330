"""Results as rows of tables, and tables as Markdown between the markers of a page."""

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from toolkit.dataset.blink_stats import BlinkStats
from zoo.evaluation.motion import MotionScores
from zoo.metrics.intervals import Interval

Rows = Sequence[Mapping[str, Any]]
"""Column -> value of each row."""


def write_table(rows: Rows) -> str:
    """A Markdown table; numbers with three digits."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    lines = [columns, ["---"] * len(columns)]
    lines += [[_write_cell(row.get(name, "")) for name in columns] for row in rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _write_cell(value: Any) -> str:
    if isinstance(value, float):
        if math.isnan(value):
            return "–"
        return f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"
    return str(value)


def replace_table(page: Path, name: str, table: str) -> None:
    """Put a table between its markers; ValueError where the page has none."""
    text = page.read_text("utf-8")
    pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"{page} has no markers for {name}")
    page.write_text(pattern.sub(lambda m: f"{m[1]}\n{table}\n\n{m[2]}", text), "utf-8")


# --- rows ---------------------------------------------------------------------------------------


def tabulate_motion(scores: Mapping[str, MotionScores], baseline: str = "") -> list[dict[str, Any]]:
    """A row per method: errors with their 95 % intervals, dynamics, personal style.

    Args:
        scores: method -> its figures.
        baseline: method beside whose expression error each other's gets an R²; none where there
            is no such method.
    """
    constant = scores.get(baseline)
    rows = []
    for name, score in scores.items():
        row: dict[str, Any] = {
            "method": name,
            "expression error, sd": write_interval(score.expression_error),
        }
        if constant is not None:
            share = score.expression_error.value / constant.expression_error.value
            row[f"R² beside the {baseline}"] = 1 - share**2
        row |= {
            "mouth error, mm": write_interval(score.mouth_error),
            "mouth opening, r": write_interval(score.mouth_correlation),
            **{
                f"spectrum: {part}": score.spectrum[part]
                for part in ("expression", "pose", "au45", "mean")
            },
            "pose range over real": score.pose_range,
            **{f"{style} style": share for style, share in score.personalization.items()},
        }
        rows.append(row)
    return rows


def tabulate_blinks(
    target: Mapping[str, BlinkStats], scores: Mapping[str, MotionScores]
) -> list[dict[str, Any]]:
    """A row per identity: the real rate and duration, and how far each method is from them.

    Args:
        target: identity -> blinks of the real motion.
        scores: method -> its figures.
    """
    return [
        {
            "identity": identity,
            "blinks a second": truth.rate,
            "seconds a blink": truth.duration or float("nan"),
            **{
                f"{what}, {name}": _write_share(errors[identity])
                for name, score in scores.items()
                for what, errors in (
                    ("rate", score.blink_rate),
                    ("duration", score.blink_duration),
                )
            },
        }
        for identity, truth in target.items()
    ]


def write_interval(interval: Interval) -> str:
    """A figure with its 95 % interval, a dash where there is none; a dash alone for NaN."""
    if math.isnan(interval.value):
        return "–"
    if interval.low is None:
        return f"{interval.value:.3f} (–)"
    return f"{interval.value:.3f} ({interval.low:.3f}–{interval.high:.3f})"


def _write_share(value: float | None) -> str:
    return "–" if value is None else f"{value:+.0%}"


def judge(what: str, target: float, value: float, *, most: bool = True) -> dict[str, Any]:
    """A row: what was asked, at most or at least, what was measured, and whether it is met."""
    met = value <= target if most else value >= target
    sign = "at most" if most else "at least"
    return {"what": what, "asked": f"{sign} {target:.3f}", "measured": value,
            "met": "yes" if met else "no"}  # fmt: skip
