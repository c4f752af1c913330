"""VG-net: frames of held-out sentences and people, by their own landmarks, from one picture.

And what its parts are for: without attention, the dynamic weight, the regression discriminator.
"""

import functools
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tests.results.atvg_runs import Corpus, Part, find_sentences, list_corpora, train_faces
from tests.results.atvg_takes import (
    CPBD,
    FOUND,
    JITTER,
    LMD,
    PSNR,
    SSIM,
    Draw,
    Figures,
    Take,
    cut_takes,
    draw_real,
    draw_still,
    draw_with,
    score_takes,
    write_row,
)
from tests.results.setup import Setup, Table
from zoo.evaluation.tables import write_interval
from zoo.models.vg_net.model import TrainedVGNet, open_vg_net
from zoo.models.vg_net.presets import NUM_FRAMES

REAL, STILL, VG_NET = "the frames themselves", "the input picture, still", "VG-net"

ABLATED = {
    "attention": "without attention",
    "dynamic": "without the dynamic weight",
    "discriminator": "without the regression discriminator",
}
"""`--ablate` -> name of the row."""

COLUMNS = (PSNR, SSIM, CPBD, LMD, FOUND, JITTER)

BESIDE = (LMD, JITTER)
"""What is stated as a difference too, by the same resamples."""


def run_pictures(setup: Setup, workers: int) -> dict[str, Table]:
    """Of networks of one man's sentences and of other people."""
    rows = list[dict[str, Any]]()
    for name, corpus in list_corpora(setup, workers, talks=False).items():
        model = open_vg_net(train_faces(setup, corpus))
        for tested, part in corpus.judged.items():
            takes = cut_part(setup, part, model)
            where = {"trained on": name, "tested on": tested, "frames": sum(map(len, takes))}
            methods = {REAL: draw_real, STILL: draw_still, VG_NET: draw_with(model)}
            rows += [where | row for row in tabulate(score_all(methods, takes))]
    return {"atvg-pictures": Table(rows)}


def run_parts(setup: Setup) -> dict[str, Table]:
    """Networks of one man's sentences that leave something out, all trained for as many steps."""
    corpus = find_sentences(setup)
    models = train_parts(setup, corpus)
    (part,) = corpus.judged.values()
    takes = cut_part(setup, part, models[VG_NET])
    methods: dict[str, Draw] = {REAL: draw_real, STILL: draw_still}
    methods |= {name: draw_with(model) for name, model in models.items()}
    scores = score_all(methods, takes)
    return {"atvg-parts": Table(tabulate(scores, beside=VG_NET))}


def train_parts(setup: Setup, corpus: Corpus) -> dict[str, TrainedVGNet]:
    """The whole network, and one without each of its parts."""
    train: Callable[..., Any] = functools.partial(
        train_faces, setup, corpus, epochs=setup.ablated_epochs
    )
    return {VG_NET: open_vg_net(train())} | {
        name: open_vg_net(train(ablate=ablate)) for ablate, name in ABLATED.items()
    }


def cut_part(setup: Setup, part: Part, model: TrainedVGNet) -> list[Take]:
    """Some held-out clips of a part, evenly spaced."""
    clips = part.load_faces(NUM_FRAMES)
    return cut_takes(clips, model, setup.judged_seconds, setup.judged_sentences)


def score_all(methods: Mapping[str, Draw], takes: Sequence[Take]) -> dict[str, Figures]:
    """Figures of each method."""
    scores = dict[str, Figures]()
    for name, draw in methods.items():
        scores[name] = score_takes(draw, takes)
        known = {column: scores[name].average(column).value for column in COLUMNS}
        print(name, known, file=sys.stderr, flush=True)
    return scores


def tabulate(scores: Mapping[str, Figures], beside: str = "") -> list[dict[str, Any]]:
    """A row of each method; `beside`: the one whose figures others' are subtracted from."""
    rows = list[dict[str, Any]]()
    for name, of in scores.items():
        columns = COLUMNS if name != REAL else (CPBD, JITTER)
        row = write_row({column: of.average(column) for column in columns}, write_interval)
        if beside and name in ABLATED.values():
            away = {f"{c} over {beside}'s": of.subtract(scores[beside], c) for c in BESIDE}
            row |= write_row(away, write_interval)
        rows.append({"shown": name} | dict.fromkeys(COLUMNS, "–") | row)
    return rows
