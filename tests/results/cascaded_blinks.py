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
from tests.results.cascaded_speech import divide_sentences
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

MOST_OFF = 0.15
"""Share by which rate and mean duration may differ from the training part's."""

PEOPLE, S1 = "everyone but s1", "s1's sentences"


def run_blinks(setup: Setup, workers: int) -> dict[str, Table]:
    """Rate, durations and MMD, of many people and of one man; Fig. 5."""
    rows, targets, durations = list[dict[str, Any]](), list[dict[str, Any]](), {}
    for name, load in (
        (PEOPLE, functools.partial(load_people, setup, workers)),
        (S1, functools.partial(load_s1, setup)),
    ):
        trained, chosen_by, held = load()
        model = train_blinks(setup, trained, chosen_by, f"blinks-{len(rows)}")
        neutral = trained.canonical_neutral
        real = {part: EyeWindows(clips, neutral) for part, clips in _name(trained, held)}
        made = sample(model, setup.blink_minutes)
        figures = {part: windows.figures for part, windows in real.items()} | {"generated": made}
        rows += [{"data": name, "eyes": part} | tabulate(f) for part, f in figures.items()]
        mmd = compare_windows(model, real["trained on"], real["held out"])
        rows[-1] |= mmd
        targets += [{"data": name} | row for row in judge_blinks(made, figures["trained on"], mmd)]
        durations |= {f"{name}, {part}": f.durations for part, f in figures.items()}
    target = setup.figures / "results_cascaded_blinks.png"
    draw_durations(durations, target)
    return {
        "cascaded-blinks": Table(rows),
        "cascaded-blinks-targets": Table(targets),
        "cascaded-blinks-figure": Table(figure=target, caption="How long blinks last"),
    }


def _name(trained: LandmarkClips, held: LandmarkClips) -> tuple[tuple[str, LandmarkClips], ...]:
    return ("trained on", trained), ("held out", held)


def load_people(setup: Setup, workers: int) -> tuple[LandmarkClips, LandmarkClips, LandmarkClips]:
    """The parts of everyone's clips, without scores."""
    dataset, where = ingest_subjects(setup, workers), make_where()
    load: Callable[..., LandmarkClips] = functools.partial(
        load_landmark_clips, dataset, where=where, num_taps=0
    )
    trained = load(split=TRAIN)
    neutral = trained.canonical_neutral
    return trained, *(load(split=part, canonical_neutral=neutral) for part in (VAL, TEST))


def load_s1(setup: Setup) -> tuple[LandmarkClips, LandmarkClips, LandmarkClips]:
    """One man's sentences, as the l-GAN's are divided."""
    clips = load_landmark_clips(ingest_s1(setup), split=None, num_taps=0)
    judged, chosen_by, trained = divide_sentences(clips)
    return trained, chosen_by, judged


def train_blinks(
    setup: Setup, trained: LandmarkClips, chosen_by: LandmarkClips, name: str
) -> BlinkModel:
    """From the best epoch of the preset `small`."""
    recipe = BlinkRecipe(
        shards=Path("shards"), preset="small", epochs=setup.blink_epochs, device="cpu"
    )
    best = finish(
        lambda: BlinkTask(recipe, trained, chosen_by), setup.out / name,
        epochs=recipe.epochs, what="windows",
    )  # fmt: skip
    return open_blink_gan(best)


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
    kinds = {"generated": made, "training windows": copies, "no noise": still}
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
