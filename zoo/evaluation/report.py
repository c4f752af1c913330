"""The report of an evaluation as one HTML file that needs no network, and as a record for JSON."""

import math
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from toolkit.page import (
    MAX_ROWS,
    embed_picture,
    escape,
    write_list,
    write_page,
    write_section,
    write_table,
    write_words,
)
from zoo.evaluation.distributions import draw_blinks, draw_distributions
from zoo.evaluation.gallery import SHEET, TRACE
from zoo.evaluation.pairing import REAL, STILL
from zoo.evaluation.published import PaperTable
from zoo.evaluation.sets import SetScores
from zoo.evaluation.summary import (
    Summary,
    find_best,
    rank_worst,
    summarise,
    write_mean,
    write_unit,
    write_value,
)
from zoo.evaluation.systems import VideoRow, find_missing, group_missing, list_systems
from zoo.evaluation.tracked import list_judges
from zoo.metrics.table import Metric

NUM_WORST, NUM_TRACES = 6, 4
"""Clips shown as the worst, and videos whose trace maps are shown."""

BETTER = {"higher": "higher", "lower": "lower", "near": "near the real one's"}

PICTURES = {
    "whole": "whole pictures, resized to the real video's size where they are compared with it "
    "(means of areas down, cubic up)",
    "face": "the fixed square around the real face, at 256 × 256 px where it is compared",
}


def make_record(
    rows: Sequence[VideoRow],
    metrics: Sequence[Metric],
    picture: str,
    judges: Mapping[str, str] | None = None,
    sets: SetScores | None = None,
) -> dict[str, Any]:
    """Everything that was measured, for JSON; infinite values are "inf", unknown ones null.

    `judges`: see `list_judges`. `sets`: see `score_sets`.
    """
    sets = sets or SetScores()

    def keep(value: float) -> Any:
        return None if math.isnan(value) else "inf" if math.isinf(value) else value

    summary = summarise(rows, metrics, sets.means)
    return {
        "toolkit": version("ttk"),
        "picture": PICTURES[picture],
        "judges": list_judges(judges),
        "metrics": {
            m.name: {"text": m.text, "unit": m.unit, "better": m.better, "source": m.source}
            for m in metrics
        },
        "means": {
            metric: {
                system: {
                    "mean": keep(mean.value),
                    "low": keep(mean.low),
                    "high": keep(mean.high),
                    "videos": mean.num_videos,
                }
                for system, mean in means.items()
            }
            for metric, means in summary.items()
        },
        "sets": {"pictures": dict(sets.num_pictures), "notes": list(sets.notes)},
        "not_measured": find_missing(rows),
        "videos": [row.to_record() for row in rows],
    }


def write_report(
    path: Path,
    rows: Sequence[VideoRow],
    metrics: Sequence[Metric],
    paper: PaperTable | None,
    *,
    face: bool,
    judges: Mapping[str, str] | None = None,
    sets: SetScores | None = None,
) -> None:
    """Write the report; its pictures are those that `evaluate_tasks` left in the gallery.

    `judges`: see `list_judges`. `sets`: see `score_sets`.

    Raises:
        StorageError: see `write_whole`.
    """
    sets = sets or SetScores()
    summary, systems = summarise(rows, metrics, sets.means), list_systems(rows)
    shown = [m for m in metrics if m.name in summary and m.per != "set"]
    parts = [
        f"<p>Measured: {escape(PICTURES['face' if face else 'whole'])}. Each video is measured "
        "on the clock of its own rate, 25 or 30 frames a second, beside the real frame of the same "
        "time.</p>",
        write_section(
            "Means over videos, with 95 % intervals",
            _write_means(summary, systems, metrics) + write_list(sets.notes),
        ),
        write_section("What was not measured", _write_missing(rows)),
        write_section(paper.title, _write_paper(paper)) if paper else "",
        write_section("Distributions over videos", _show_distributions(rows, systems, metrics)),
        write_section("Blinks, as FACIAL's Fig. 9 has them", _show_blinks(rows, systems)),
        write_section("Head motion: trace maps, early blue, late yellow", _show_traces(rows)),
        write_section("The worst clips, the real frames below", _show_worst(rows)),
        write_section("Every video", _write_videos(rows, shown)),
        write_section("Judges", _write_judges(judges)),
        write_section("Definitions", _write_definitions(metrics)),
    ]
    title = "Evaluation of " + ", ".join(n for n in systems if n not in (REAL, STILL))
    write_page(path, title, parts)


def _write_means(summary: Summary, systems: list[str], metrics: Sequence[Metric]) -> str:
    lines = []
    for metric in metrics:
        means = summary.get(metric.name)
        if not means:
            continue
        best = find_best(metric.name, means)
        cells = [f'<span title="{escape(metric.text)}">{metric.name}</span>']
        for system in systems:
            mean = means.get(system)
            text = "–" if mean is None else write_value(mean.value)
            text = f"<b>{text}</b>" if system in best else text
            if mean is not None and not math.isnan(mean.low):
                text += f"<small>{write_mean(mean).partition(' ')[2]}</small>"
            cells.append(text)
        lines.append([*cells, escape(write_unit(metric)), BETTER[metric.better]])
    heads = [*map(escape, systems), "unit", "better"]
    return write_table(["metric", *heads], lines)


def _write_missing(rows: Sequence[VideoRow]) -> str:
    notes = [f"{', '.join(names)}: {reason}" for reason, names in group_missing(rows).items()]
    notes += [f"{row.video}, {row.system}: {row.error}" for row in rows if row.error]
    notes += [f"{row.video}, {row.system}: {n}" for row in rows for n in row.measured.notes]
    return write_list(notes)


def _write_paper(paper: PaperTable) -> str:
    measured, printed = (
        [[escape(cell) for cell in row] for row in rows] for rows in (paper.measured, paper.papers)
    )
    return write_table(paper.head, measured, printed) + write_list(paper.notes)


def _show_distributions(
    rows: Sequence[VideoRow], systems: list[str], metrics: Sequence[Metric]
) -> str:
    drawn = draw_distributions(rows, systems, metrics)
    return embed_picture(drawn, "png", "a dot a video, a line at the mean", "plot") if drawn else ""


def _show_blinks(rows: Sequence[VideoRow], systems: list[str]) -> str:
    drawn = draw_blinks(rows, systems)
    text = "shares of the whole stretches of 4 s, and of the blinks; how many there are in brackets"
    return embed_picture(drawn, "png", text, "plot") if drawn else ""


def _show_traces(rows: Sequence[VideoRow]) -> str:
    videos = list(dict.fromkeys(row.video for row in rows if row.gallery))[:NUM_TRACES]
    return "".join(
        _figure(row.gallery / TRACE, f"{video}, {row.system}", "map")
        for video in videos
        for row in rows
        if row.video == video and row.gallery and row.system != STILL
    )


def _show_worst(rows: Sequence[VideoRow]) -> str:
    shown = ("ssim.gaussian", "psnr.mean", "lmd.mouth", "cpbd", "mouth_sound.correlation")
    parts = []
    for row in rank_worst(rows, NUM_WORST):
        values = row.measured.values
        text = ", ".join(f"{name} {write_value(values[name])}" for name in shown if name in values)
        if row.gallery:
            parts.append(_figure(row.gallery / SHEET, f"{row.video}, {row.system}: {text}", ""))
    return "".join(parts)


def _write_videos(rows: Sequence[VideoRow], metrics: Sequence[Metric]) -> str:
    lines = [
        [
            escape(row.video),
            escape(row.system),
            f"{row.measured.num_frames / max(row.measured.fps, 1):.1f}",
            *(
                write_value(row.measured.values[m.name]) if m.name in row.measured.values else "–"
                for m in metrics
            ),
        ]
        for row in rows
        if not row.error
    ]
    left = f"<p>The first {MAX_ROWS} of {len(lines)}.</p>" if len(lines) > MAX_ROWS else ""
    heads = ["video", "system", "s", *(metric.name for metric in metrics)]
    return (
        f"<details><summary>Table</summary>{left}{write_table(heads, lines[:MAX_ROWS])}</details>"
    )


def _write_judges(judges: Mapping[str, str] | None) -> str:
    lines = [[escape(array), escape(judge)] for array, judge in list_judges(judges).items()]
    return write_table(["array", "made by"], [*lines, ["everything else", f"ttk {version('ttk')}"]])


def _write_definitions(metrics: Sequence[Metric]) -> str:
    lines = [[m.name, write_words(m.text), escape(m.source)] for m in metrics]
    table = write_table(["metric", "what", "source"], lines)
    return f"<details><summary>Table</summary>{table}</details>"


def _figure(path: Path, caption: str, kind: str) -> str:
    """A picture of the gallery, within the page; nothing where there is none."""
    if not path.is_file():
        return ""
    form = "png" if path.suffix == ".png" else "jpeg"
    return embed_picture(path.read_bytes(), form, caption, kind)
