"""Blinks that are generated, beside those of people whose blinks were not learnt from."""

import functools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tests.results.cascaded_figures import draw_durations
from tests.results.cascaded_runs import finish
from tests.results.cascaded_subjects import (
    TEST,
    TRAIN,
    VAL,
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
from zoo.training.loop import LAST

MOST_OFF = 0.15
"""Share by which rate and mean duration may differ from the training part's."""

LEARNT, CHOSEN, HELD, MADE = "trained on", "chosen by", "held out", "generated"


def run_blinks(setup: Setup, workers: int) -> dict[str, Table]:
    """Rate, durations and MMD of people who are not trained on; Fig. 5."""
    trained, chosen_by, held = load_people(setup, workers)
    model = train_blinks(setup, trained, chosen_by)
    real = {
        part: EyeWindows(clips, trained.canonical_neutral)
        for part, clips in ((LEARNT, trained), (CHOSEN, chosen_by), (HELD, held))
    }
    figures = {part: windows.figures for part, windows in real.items()}
    figures[MADE] = sample(model, setup.blink_minutes)
    mmd = compare_windows(model, real[LEARNT], real[HELD])
    target = setup.figures / "results_cascaded_blinks.png"
    shown = {part: figures[part].durations for part in (LEARNT, HELD, MADE)}
    draw_durations(shown, target)
    return {
        "cascaded-blinks": Table([{"eyes": part} | tabulate(f) for part, f in figures.items()]),
        "cascaded-blinks-mmd": Table([mmd]),
        "cascaded-blinks-targets": Table(judge_blinks(figures[MADE], figures[LEARNT], mmd)),
        "cascaded-blinks-figure": Table(figure=target, caption="How long blinks last"),
    }


def load_people(setup: Setup, workers: int) -> tuple[LandmarkClips, LandmarkClips, LandmarkClips]:
    """The parts of everyone's clips, without scores."""
    dataset, where = ingest_subjects(setup, workers), make_where()
    load: Callable[..., LandmarkClips] = functools.partial(
        load_landmark_clips, dataset, where=where, num_taps=0
    )
    trained = load(split=TRAIN)
    neutral = trained.canonical_neutral
    return trained, *(load(split=part, canonical_neutral=neutral) for part in (VAL, TEST))


def train_blinks(setup: Setup, trained: LandmarkClips, chosen_by: LandmarkClips) -> BlinkModel:
    """From the last epoch of the preset `small`.

    Its learning rate has fallen to nothing by then. The people who could choose another blink a
    dozen times: their MMD differs from epoch to epoch by chance.
    """
    recipe = BlinkRecipe(
        shards=Path("shards"), preset="small", epochs=setup.blink_epochs, device="cpu"
    )
    best = finish(
        lambda: BlinkTask(recipe, trained, chosen_by), setup.out / "blinks",
        epochs=recipe.epochs, what="windows",
    )  # fmt: skip
    return open_blink_gan(best.with_name(LAST))


def sample(model: BlinkModel, minutes: float) -> BlinkFigures:
    """Blinks of a long track at the training part's rate."""
    eyes = model.sample(round(60 * minutes * RATE), RATE)
    ear = measure_ear(eyes.reshape(len(eyes), -1), model.statistics.canonical_neutral)
    return count_blinks([ear])


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


def judge_blinks(
    made: BlinkFigures, trained: BlinkFigures, mmd: dict[str, float]
) -> list[dict[str, Any]]:
    """What is asked."""
    rate = divide(made.rate, trained.rate) - 1
    duration = divide(made.duration, trained.duration) - 1
    return [
        judge("rate, share off the training part's", MOST_OFF, abs(rate)),
        judge("mean duration, share off the training part's", MOST_OFF, abs(duration)),
        judge("MMD² of generated beside noise-free", mmd["MMD², no noise"], mmd["MMD², generated"]),
    ]
