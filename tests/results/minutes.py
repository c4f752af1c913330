"""How a renderer gets better with the minutes of its training: alone, from a base, another build's.

Every kept checkpoint draws the held-out frames by this build, whichever build trained it, and no
video is encoded.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.results.four import MAN, WOMAN, find_dataset, train_sitter
from tests.results.judged import find_part, read_frames
from tests.results.kept import list_kept, measure_step
from tests.results.setup import Setup, Table
from zoo.data.frames import RenderClip, load_render_clips
from zoo.evaluation.figures import draw_curves
from zoo.evaluation.films import measure_likeness
from zoo.evaluation.recognition import explain_recogniser
from zoo.evaluation.tables import judge
from zoo.evaluation.videos import Shown, look_at, measure_lmd, score_shown
from zoo.metrics.series import average_known
from zoo.models.renderer.model import TrainedRenderer, open_renderer
from zoo.speaking.reenact import draw_clip
from zoo.training.loop import BEST

ALONE, BASED, BEFORE = "alone", "from a base", "before"

LMD, DISTANCE = "mouth LMD, px", "face distance"

SHARES = {BASED: 1 / 3, ALONE: 2 / 3}
"""Of the other build's minutes, the most until its last figures are reached."""


@dataclass(frozen=True)
class Point:
    """A kept checkpoint.

    Attributes:
        steps, minutes: of training.
        figures: column -> value over the held-out frames.
    """

    steps: int
    minutes: float
    figures: Mapping[str, float]


Curve = Sequence[Point]

Held = list[tuple[RenderClip, Shown]]
"""What was held out of clips, and what its stored frames show."""


def run_minutes(setup: Setup) -> dict[str, Table]:
    """Curves of the man's renderers over minutes, and when they reach the other build's figures."""
    curves = {name: list(measure_run(setup, run)) for name, run in list_runs(setup).items()}
    target = setup.figures / "results_minutes.png"
    series = {
        what: {
            name: ([p.minutes for p in curve], [p.figures[what] for p in curve])
            for name, curve in curves.items()
        }
        for what in list_figures()
    }
    draw_curves(series, "minutes of training", target)
    rows = [{"training": name} | row for name, row in describe_curves(curves).items()]
    caption = "Figures of held-out frames over the minutes of training"
    return {
        "minutes-runs": Table(rows),
        "minutes-targets": Table(judge_curves(curves)),
        "minutes-curves": Table(figure=target, caption=caption),
    }


def list_figures() -> list[str]:
    """What is measured: the distance of faces where there is a recogniser."""
    return [LMD] if explain_recogniser() else [LMD, DISTANCE]


def list_runs(setup: Setup) -> dict[str, Path]:
    """Name -> folder of a run of the man's, trained unless it is there."""
    base = setup.renderer_base or train_sitter(setup, WOMAN).renderer / BEST
    runs = {
        ALONE: train_sitter(setup, MAN).renderer,
        BASED: train_sitter(
            setup, MAN, "based", base=base.resolve(), epochs=setup.base_epochs
        ).renderer,
    }
    if setup.before is None:
        return runs
    return runs | {BEFORE: setup.before / MAN.identity / "run"}


# --- curves -------------------------------------------------------------------------------------


def measure_run(setup: Setup, run: Path, only: Sequence[int] | None = None) -> Iterator[Point]:
    """Figures of each kept checkpoint of a run of one of the four; `only`: of so many steps."""
    seconds, held = measure_step(run), Held()
    for steps, path in list_kept(run).items():
        if only is None or steps in only:
            renderer = open_renderer(path, torch.device("cpu"))
            held = held or load_held(setup, renderer)
            yield Point(steps, steps * seconds / 60, score_drawing(renderer, held))


def load_held(setup: Setup, renderer: TrainedRenderer) -> Held:
    """What a renderer of one of the four was not trained on."""
    clips = load_render_clips(find_dataset(setup), identity=renderer.identity)
    places = [(clip, find_part(renderer.held_out, clip)) for clip in clips]
    parts = [clip.take(part.start, part.stop) for clip, part in places if part.stop]
    return [(part, look_at(read_frames(part), part, slice(None))) for part in parts]


def score_drawing(renderer: TrainedRenderer, held: Held) -> dict[str, float]:
    """LMD of the lips, distance of faces and figures of the pictures, over all parts."""
    pictures = [list(draw_clip(renderer, part)) for part, _ in held]
    drawn = [look_at(of, part, slice(None)) for of, (part, _) in zip(pictures, held, strict=True)]
    real = [shown for _, shown in held]
    figures = {LMD: measure_lmd(drawn, real)}
    if DISTANCE in list_figures():
        distances = [
            measure_likeness(of, part, shown, stored)
            for of, shown, (part, stored) in zip(pictures, drawn, held, strict=True)
        ]
        figures[DISTANCE] = average_known(np.concatenate(distances))
    whole = score_shown(drawn, real)
    return figures | {name: whole[name] for name in ("PSNR, dB", "SSIM", "CPBD")}


def describe_curves(curves: Mapping[str, Curve]) -> dict[str, dict[str, Any]]:
    """A row per run: its time, its last figures, and when it was as good as the other build's."""
    rows = {
        name: {
            "steps": curve[-1].steps,
            "seconds a step": 60 * curve[-1].minutes / curve[-1].steps,
            "minutes": curve[-1].minutes,
            **{what: curve[-1].figures.get(what, math.nan) for what in (LMD, DISTANCE)},
        }
        for name, curve in curves.items()
    }
    if BEFORE in curves:
        last = curves[BEFORE][-1]
        for name, curve in curves.items():
            rows[name][f"minutes until as good as {BEFORE}"] = find_minutes(curve, last)
    return rows


def find_minutes(curve: Curve, other: Point) -> float:
    """Minutes of the first point that is in every figure at least as good as another; NaN: none."""
    for point in curve:
        if all(point.figures[what] <= other.figures[what] for what in list_figures()):
            return point.minutes
    return math.nan


def judge_curves(curves: Mapping[str, Curve]) -> list[dict[str, Any]]:
    """Whether the other build's last figures come soon enough; nothing without that build."""
    if BEFORE not in curves:
        return []
    last = curves[BEFORE][-1]
    return [
        judge(
            f"minutes {name} to that build's last figures, over its own",
            share,
            find_minutes(curves[name], last) / last.minutes,
        )
        for name, share in SHARES.items()
    ]
