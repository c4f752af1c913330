"""Trainings of the cascaded system that are made once: a killed one goes on."""

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.results.cascaded_subjects import TRAIN, VAL, make_where
from tests.results.setup import Setup
from zoo.cli.progress import TrainProgress
from zoo.data.landmarks import LandmarkClips
from zoo.models.l_gan.options import LGanRecipe
from zoo.models.l_gan.recipe import LGanTask
from zoo.models.t_gan.judges import open_judges
from zoo.models.t_gan.options import ABLATIONS, MAML, TGanRecipe
from zoo.models.t_gan.pictures import Person, load_people
from zoo.models.t_gan.presets import PRESETS
from zoo.models.t_gan.recipe import TGanTask
from zoo.training.distributed import Distributed
from zoo.training.loop import BEST, LAST, Task, train

PRESET = "small"
"""Of everything that is trained here."""


LOOKS = 2
"""Of a person's videos, as many as a t-GAN learns from, each as a task of its own."""

INNER_STEPS = 3
"""m, so that the global weights move more often in the same time."""

TEXTURE_RATE = 5e-4
"""Of Adam, for the global weights; the paper's 1e-4 is for 200 visits of thousands of people."""


def finish(make: Callable[[], Task], out: Path, *, epochs: int, seed: int = 0, what: str) -> Path:
    """The best checkpoint of a run, trained to its end unless it is."""
    print(f"{out.name}: {epochs} epochs", file=sys.stderr, flush=True)
    with TrainProgress(epochs, what) as progress:
        train(
            make(), out, epochs=epochs, seed=seed, resume=(out / LAST).is_file(),
            on_step=progress.advance,
        )  # fmt: skip
    return out / BEST


def count_picture_steps(recipe: TGanRecipe) -> int:
    """Pictures that a step of a training goes through, there and back."""
    preset = PRESETS[recipe.preset]
    pictures = preset.support + preset.queries
    return pictures * recipe.inner_steps if recipe.meta == MAML else pictures


def load_faces(dataset: Path, part: str, most: int = LOOKS) -> tuple[Person, ...]:
    """Everyone of a part, once for each of their longest videos: clothes and light differ."""
    preset = PRESETS[PRESET]
    people = load_people(dataset / "shards", preset.size, split=part, where=make_where())
    videos = [video for person in people for video in part_videos(person)[:most]]
    return tuple(v for v in videos if len(v) >= preset.support + preset.queries)


def part_videos(person: Person) -> list[Person]:
    """Of each of a person's videos, the longest first."""
    sources = np.array([person.slices[k].clip.source for k in person.places[:, 0]])
    names, counts = np.unique(sources, return_counts=True)
    order = names[np.argsort(-counts, kind="stable")]
    return [
        dataclasses.replace(
            person,
            identity=f"{person.identity}/{number}",
            landmarks=person.landmarks[sources == name],
            places=person.places[sources == name],
        )
        for number, name in enumerate(order)
    ]


def train_texture(setup: Setup, dataset: Path, name: str, **changes: Any) -> Path:
    """A t-GAN of the training part: at every setting it goes through as many pictures."""
    recipe = TGanRecipe(
        shards=dataset / "shards", preset=PRESET, device="cpu", inner_steps=INNER_STEPS,
        **{"epochs": setup.texture_epochs, "learning_rate": TEXTURE_RATE} | changes,
    )  # fmt: skip
    most = count_picture_steps(dataclasses.replace(recipe, meta=MAML))
    visits = most // count_picture_steps(recipe)

    def make() -> Task:
        judges = None
        if "feature" not in ABLATIONS[recipe.ablate]:
            half = PRESETS[recipe.preset].half_size_judge
            judges = open_judges(recipe.vgg, recipe.vgg_face, recipe.face, half=half)
        people = load_faces(dataset, TRAIN) * visits
        return TGanTask(
            recipe, people, load_faces(dataset, VAL), judges=judges, distributed=Distributed()
        )

    return finish(make, setup.out / name, epochs=recipe.epochs, what="people")


def train_speech(
    setup: Setup, dataset: Path, trained: LandmarkClips, chosen_by: LandmarkClips, name: str,
    **changes: Any,
) -> Path:  # fmt: skip
    """An l-GAN of clips that are given."""
    settings = {"epochs": setup.speech_epochs, "learning_rate": setup.learning_rate} | changes
    recipe = LGanRecipe(shards=dataset / "shards", device="cpu", **settings)

    def make() -> Task:
        return LGanTask(recipe, trained, chosen_by, distributed=Distributed())

    return finish(make, setup.out / name, epochs=recipe.epochs, what="frames")
