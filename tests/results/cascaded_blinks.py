"""Blinks that are generated, beside those of people whose blinks were not learnt from."""

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from tests.results.cascaded_figures import draw_durations
from tests.results.cascaded_runs import finish
from tests.results.cascaded_speech import HELD as HELD_SENTENCES
from tests.results.cascaded_speech import SENTENCES, load_sentences
from tests.results.cascaded_subjects import (
    TEST,
    TRAIN,
    VAL,
    ingest_s1,
    ingest_subjects,
    make_where,
)
from tests.results.setup import Setup, Table, divide
from zoo.data.landmarks import LandmarkClips, load_landmark_clips
from zoo.evaluation.tables import judge
from zoo.models.blink_gan.losses import choose_sigma, measure_mmd
from zoo.models.blink_gan.model import BlinkModel, open_blink_gan
from zoo.models.blink_gan.options import BlinkRecipe
from zoo.models.blink_gan.presets import NOISE_SIZE, RATE, WINDOW
from zoo.models.blink_gan.recipe import JUDGED, BlinkTask
from zoo.models.blink_gan.windows import BlinkFigures, EyeWindows, count_blinks, measure_ear
from zoo.training.distributed import Distributed
from zoo.training.loop import LAST

MOST_OFF = 0.15
"""Share by which rate and mean duration may differ from the training part's."""

LEARNT, CHOSEN, HELD, MADE = "trained on", "chosen by", "held out", "generated"

CUT, WINDOWS = "trained on, cut to 3 s", "generated windows of 3 s, not joined"
"""Where an end cuts a blink off, what is left of it is counted: in 3 s they seem shorter."""

PEOPLE = "people"

LABELS = {PEOPLE: "people", SENTENCES: "s1"}
"""Of the runs' folders."""

Floats = npt.NDArray[np.float64]

Parts = tuple[LandmarkClips, LandmarkClips, LandmarkClips]
"""What is trained on, what chooses, what is held out."""


@dataclass(frozen=True, eq=False)
class Blinking:
    """A generator beside the clips that it learnt from and others.

    Attributes:
        figures: part -> blinks of its clips, and those that are generated.
        mmd: see `compare_windows`.
    """

    figures: dict[str, BlinkFigures]
    mmd: dict[str, float]


def run_blinks(setup: Setup, workers: int) -> dict[str, Table]:
    """Rate, durations and MMD of people, and of sentences, that are not trained on; Fig. 5."""
    parts = {PEOPLE: load_people(setup, workers), SENTENCES: load_s1(setup)}
    found = {name: learn_blinks(setup, name, of) for name, of in parts.items()}
    target = setup.figures / "results_cascaded_blinks.png"
    figures = found[PEOPLE].figures
    draw_durations({part: figures[part].durations for part in (LEARNT, HELD, MADE)}, target)
    rows = [
        {"of": name, "eyes": part} | tabulate(blinks)
        for name, of in found.items()
        for part, blinks in of.figures.items()
    ]
    targets = [
        {"of": name, **row}
        for name, beside in ((PEOPLE, LEARNT), (SENTENCES, HELD))
        for row in judge_blinks(found[name], beside)
    ]
    return {
        "cascaded-blinks": Table(rows),
        "cascaded-blinks-mmd": Table([{"of": name} | of.mmd for name, of in found.items()]),
        "cascaded-blinks-targets": Table(targets),
        "cascaded-blinks-figure": Table(figure=target, caption="How long blinks last"),
    }


def learn_blinks(setup: Setup, name: str, parts: Parts) -> Blinking:
    """Train a generator, and count its blinks and those of the clips."""
    trained, chosen_by, _ = parts
    model = train_blinks(setup, name, trained, chosen_by)
    real = {
        part: EyeWindows(clips, trained.canonical_neutral)
        for part, clips in zip((LEARNT, CHOSEN, HELD), parts, strict=True)
    }
    lengths = [len(clip.valid) for clip in real[HELD].clips]
    figures = {part: windows.figures for part, windows in real.items()}
    figures[MADE] = sample(model, setup.blink_minutes, lengths)
    ears = (np.where(c.valid[:, None], c.ear, np.nan) for c in real[LEARNT].clips)
    figures[CUT] = count_blinks(part for ear in ears for part in cut_ear(ear, [WINDOW]))
    windows = model.generate(JUDGED, torch.Generator().manual_seed(0))
    figures[WINDOWS] = count_blinks(measure_ear(windows, model.statistics.canonical_neutral))
    return Blinking(figures, compare_windows(model, real[LEARNT], real[HELD]))


def load_people(setup: Setup, workers: int) -> Parts:
    """The parts of everyone's clips, without scores."""
    dataset, where = ingest_subjects(setup, workers), make_where()
    load: Callable[..., LandmarkClips] = functools.partial(
        load_landmark_clips, dataset, where=where, num_taps=0
    )
    trained = load(split=TRAIN)
    neutral = trained.canonical_neutral
    return trained, *(load(split=part, canonical_neutral=neutral) for part in (VAL, TEST))


def load_s1(setup: Setup) -> Parts:
    """Those of GRID's first speaker's sentences: others of his are held out."""
    corpus = load_sentences(ingest_s1(setup))
    return corpus.trained, corpus.chosen_by, corpus.judged[HELD_SENTENCES]


def train_blinks(
    setup: Setup, name: str, trained: LandmarkClips, chosen_by: LandmarkClips
) -> BlinkModel:
    """From the last epoch of the preset `small`.

    Its learning rate has fallen to nothing by then. The people who could choose another blink a
    dozen times: their MMD differs from epoch to epoch by chance.
    """
    recipe = BlinkRecipe(
        shards=Path("shards"), preset="small", epochs=setup.blink_epochs, device="cpu"
    )
    best = finish(
        lambda: BlinkTask(recipe, trained, chosen_by, distributed=Distributed()),
        find_blinks_run(setup, name),
        epochs=recipe.epochs, what="windows",
    )  # fmt: skip
    return open_blink_gan(best.with_name(LAST))


def find_blinks_run(setup: Setup, name: str) -> Path:
    """Folder of a generator's run."""
    return setup.out / f"blinks-{LABELS[name]}"


def sample(model: BlinkModel, minutes: float, lengths: Sequence[int]) -> BlinkFigures:
    """Blinks of a long track at the training part's rate.

    It is cut to pieces as long as real clips, `lengths` ticks again and again: what a clip's end
    cuts off counts as a short blink, and there are many ends in sentences of 3 s.
    """
    eyes = model.sample(round(60 * minutes * RATE), RATE)
    ear = measure_ear(eyes.reshape(len(eyes), -1), model.statistics.canonical_neutral)
    return count_blinks(cut_ear(ear, lengths))


def cut_ear(ear: Floats, lengths: Sequence[int]) -> list[Floats]:
    """Ratios (m, 2) in stretches of so many ticks, one length behind the other, again and again."""
    ends = np.cumsum(np.resize(lengths, len(ear) // min(lengths) + 1))
    return np.split(ear, ends[ends < len(ear)])


def tabulate(figures: BlinkFigures) -> dict[str, Any]:
    """A row."""
    lengths = np.array(figures.durations)
    quartiles = np.quantile(lengths, (0.25, 0.5, 0.75)) if len(lengths) else [math.nan] * 3
    return {
        "blinks": len(lengths),
        "a second": figures.rate,
        "mean duration, s": figures.duration,
        "quartiles, s": ", ".join(f"{q:.2f}" for q in quartiles),
    }


def compare_windows(model: BlinkModel, trained: EyeWindows, held: EyeWindows) -> dict[str, float]:
    """Eq. 6, squared: generated windows, copies of the training part, and one without noise."""
    share = BlinkRecipe(shards=Path("shards")).blink_share

    def draw(windows: EyeWindows) -> Tensor:
        return windows.gather(windows.draw(JUDGED, share, np.random.default_rng(0)))

    copies, real = draw(trained), draw(held)
    sigma = choose_sigma(copies)
    made = torch.from_numpy(model.generate(JUDGED, torch.Generator().manual_seed(0))).float()
    with torch.inference_mode():
        still = model.network(torch.zeros(1, WINDOW, NOISE_SIZE)).expand_as(made)
    kinds = {"generated": made, "training part": copies, "no noise": still}
    return {f"MMD², {kind}": float(measure_mmd(real, of, sigma)) for kind, of in kinds.items()}


def judge_blinks(found: Blinking, beside: str) -> list[dict[str, Any]]:
    """What is asked, beside one part of the clips.

    A stranger's rate is not learnt: of people it is the training part's that is asked for.
    """
    made, real, mmd = found.figures[MADE], found.figures[beside], found.mmd
    rate, duration = divide(made.rate, real.rate) - 1, divide(made.duration, real.duration) - 1
    return [
        judge(f"rate, share off that of what is {beside}", MOST_OFF, abs(rate)),
        judge(f"mean duration, share off that of what is {beside}", MOST_OFF, abs(duration)),
        judge("MMD² of generated beside noise-free", mmd["MMD², no noise"], mmd["MMD², generated"]),
    ]
