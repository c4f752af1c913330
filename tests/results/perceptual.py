"""The networks that judge a renderer's pictures in training, at equal time of training."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.results.four import WOMAN, train_sitter
from tests.results.kept import list_kept, measure_step
from tests.results.minutes import Point, measure_run
from tests.results.setup import Setup, Table
from toolkit.weights import Status, check_weights, locate
from zoo.training.face_weights import NAME
from zoo.training.options import FACE, RANDOM, VGG19

KEEP_EVERY = 50
"""Steps between two checkpoints that are kept: steps take longer by some judges than by others."""


def run_judges(setup: Setup) -> dict[str, Table]:
    """The woman's renderers by every judge that can be had, each after as many minutes."""
    runs = dict(list_runs(setup))
    shortest = min(max(list_kept(run)) * measure_step(run) / 60 for run in runs.values())
    rows = [
        {"judge": name} | describe_point(choose_point(setup, run, shortest))
        for name, run in runs.items()
    ]
    return {"judges-scores": Table(rows)}


def list_runs(setup: Setup) -> Iterator[tuple[str, Path]]:
    """Judge -> folder of a run, from random weights."""
    setup = dataclasses.replace(setup, keep_every=min(KEEP_EVERY, setup.keep_every))
    plan = {"base": None, "epochs": setup.judged_epochs}
    for name in list_judges():
        yield name, train_sitter(setup, WOMAN, name, perceptual=name, **plan).renderer


def list_judges() -> Iterator[str]:
    """Judges whose weights are here."""
    if check_weights(NAME) is Status.INTACT:
        yield FACE
    if locate(VGG19).is_file():
        yield VGG19
    yield RANDOM


def choose_point(setup: Setup, run: Path, minutes: float) -> Point:
    """The last kept checkpoint of a run after at most so many minutes, measured."""
    seconds = measure_step(run)
    kept = [steps for steps in list_kept(run) if steps * seconds / 60 <= minutes + 1e-9]
    (point,) = measure_run(setup, run, only=kept[-1:] or [min(list_kept(run))])
    return point


def describe_point(point: Point) -> dict[str, Any]:
    """A row of the table."""
    return {
        "steps": point.steps,
        "seconds a step": 60 * point.minutes / point.steps,
        "minutes": point.minutes,
        **point.figures,
    }
