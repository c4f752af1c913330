"""Fig. 5 in form: how good VG-net's frames are, by how far they are from the picture.

And what both networks' losses were while it was trained.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tests.results.atvg_pictures import STILL, VG_NET, cut_part
from tests.results.atvg_runs import find_sentences, list_corpora, train_faces
from tests.results.atvg_takes import (
    LMD,
    PSNR,
    SSIM,
    Figures,
    Floats,
    Take,
    average_values,
    draw_still,
    draw_with,
    score_takes,
    write_row,
)
from tests.results.cascaded_figures import draw_lines
from tests.results.cascaded_speech import OTHERS, PEOPLE
from tests.results.setup import Setup, Table
from zoo.evaluation.figures import draw_curves
from zoo.evaluation.tables import write_interval
from zoo.metrics.intervals import Interval
from zoo.models.vg_net.model import open_vg_net
from zoo.training.log import LOG

NUM_BINS = 5
"""Of frames, as many in each."""

NUM_STRETCHES = 12
"""Of a training's steps."""

SHOWN = (PSNR, SSIM, LMD)

LANDMARKS, POSE = "landmarks' distance, px", "head's turn, degrees"

LOSSES = {
    "discriminator's loss": "loss discriminator",
    "generator's adversarial loss": "loss adversarial",
    "real, found real": "real",
    "drawn, found real": "drawn",
}
"""Column -> name in a run's log."""


def run_distances(setup: Setup, workers: int) -> dict[str, Table]:
    """Held-out people, whose heads move, by the network of other people."""
    corpus = list_corpora(setup, workers, talks=False)[OTHERS]
    model = open_vg_net(train_faces(setup, corpus))
    takes = cut_part(setup, corpus.judged[PEOPLE], model)
    scores = {name: score_takes(draw, takes) for name, draw in _list_methods(model).items()}
    return {
        "atvg-by-landmarks": draw_by(setup, scores, takes, LANDMARKS),
        "atvg-by-pose": draw_by(setup, scores, takes, POSE),
    }


def _list_methods(model: Any) -> dict[str, Any]:
    return {VG_NET: draw_with(model), STILL: draw_still}


def draw_by(
    setup: Setup, scores: Mapping[str, Figures], takes: Sequence[Take], across: str
) -> Table:
    """Lines of every figure over bins of frames, and their rows."""
    values = np.concatenate([t.away if across == LANDMARKS else t.turned for t in takes])
    bins = divide_frames(values, NUM_BINS)
    lines = {name: [average_bin(of, b) for b in bins] for name, of in scores.items()}
    panels = {
        figure: {name: [each[figure] for each in of] for name, of in lines.items()}
        for figure in SHOWN
    }
    name = "landmarks" if across == LANDMARKS else "pose"
    target = setup.figures / f"results_atvg_{name}.png"
    places = [b.name for b in bins]
    draw_lines(panels, places, across, target)
    rows = [
        {across: place, "shown": name} | write_row(of[k], write_interval)
        for name, of in lines.items()
        for k, place in enumerate(places)
    ]
    return Table(rows, figure=target, caption=f"Quality by {across}")


@dataclass(frozen=True, eq=False)
class Bin:
    """Frames whose value lies between two others.

    Attributes:
        name: these two.
        rows: (N,) which frames of all takes.
    """

    name: str
    rows: np.ndarray[Any, np.dtype[np.bool_]]


def divide_frames(values: Floats, number: int) -> list[Bin]:
    """Bins of about as many frames each, smallest values first; fewer where many are equal."""
    edges = np.unique(np.quantile(values, np.linspace(0, 1, number + 1)))
    places = np.searchsorted(edges[1:-1], values, side="right")
    return [Bin(f"{edges[k]:.1f}–{edges[k + 1]:.1f}", places == k) for k in range(len(edges) - 1)]


def average_bin(figures: Figures, part: Bin) -> dict[str, Interval]:
    """Means over the frames of a bin, with intervals over blocks within takes."""
    ends = np.cumsum([0, *figures.lengths])
    lengths = [int(part.rows[a:b].sum()) for a, b in itertools.pairwise(ends)]
    return {
        name: average_values(figures.frames[name][part.rows], lengths, figures.block)
        for name in SHOWN
    }


# --- losses -------------------------------------------------------------------------------------


def run_losses(setup: Setup) -> dict[str, Table]:
    """Of the longest training, from its first step to its last."""
    run = train_faces(setup, find_sentences(setup)).parent
    target = setup.figures / "results_atvg_losses.png"
    rows = list(tabulate_losses(run))
    draw_losses(rows, target)
    return {"atvg-losses": Table(rows, figure=target, caption="Losses and scores by steps")}


def tabulate_losses(run: Path, number: int = NUM_STRETCHES) -> Iterator[dict[str, Any]]:
    """Medians over stretches of steps; the generator's loss begins behind the warm-up."""
    log = pd.read_csv(run / LOG)
    log = log[log["kind"] == "train"]
    steps = log["total_steps"]
    edges = np.unique(np.linspace(0, steps.max(), number + 1).round().astype(int)).tolist()
    for first, last in itertools.pairwise(edges):
        part = log[(steps > first) & (steps <= last)].groupby("name")["value"].median()
        medians = {column: float(part.get(name, np.nan)) for column, name in LOSSES.items()}
        yield {"steps": f"{first + 1}–{last}"} | medians


def draw_losses(rows: Sequence[Mapping[str, Any]], target: Path) -> None:
    """Two panels: losses, and how real frames are found."""
    names = list(LOSSES)
    steps = [int(row["steps"].split("–")[1]) for row in rows]
    panels = {
        what: {name: (steps, [row[name] for row in rows]) for name in part}
        for what, part in (("loss", names[:2]), ("score, 0 to 1", names[2:]))
    }
    draw_curves(panels, "steps", target)
