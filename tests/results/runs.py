"""Training runs that are made once: a finished one is opened, a killed one goes on."""

import csv
import statistics
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

from tests.results.setup import Setup
from zoo.cli.progress import TrainProgress
from zoo.data import ClipSet
from zoo.models.facial.options import FacialRecipe, FinetuneRecipe
from zoo.models.facial.recipe import FacialTask, train_facial
from zoo.models.style.options import PersonalizationRecipe
from zoo.models.style.recipe import train_personalization
from zoo.training.distributed import Distributed
from zoo.training.log import LOG
from zoo.training.loop import BEST, LAST, train

PRECISION = "bf16"
"""Of the networks: a step takes half the time of fp32 on processors that multiply bf16."""


def train_base(setup: Setup, name: str, dataset: Path, **changes: Any) -> Path:
    """The folder of a run of the preset `small` on a dataset's training part."""
    return train_once(plan_base(setup, dataset, **changes), setup.out / name)


def finetune(setup: Setup, base: Path, dataset: Path, identity: str) -> Path:
    """The folder of a run that goes on from a base model's best epoch with one identity."""
    recipe = plan_finetuning(setup, dataset, base / BEST, identity)
    return train_once(recipe, base.with_name(f"{base.name}-{identity}"))


def plan_base(setup: Setup, dataset: Path, **changes: Any) -> FacialRecipe:
    """A base model of the preset `small` on a CPU."""
    return FacialRecipe(
        shards=dataset / "shards",
        preset="small",
        learning_rate=setup.learning_rate,
        device="cpu",
        precision=PRECISION,
        **{"epochs": setup.epochs, "batch_size": setup.batch_size} | changes,
    )


def plan_finetuning(
    setup: Setup, dataset: Path, base: Path, identity: str, **changes: Any
) -> FinetuneRecipe:
    """What follows it for one identity."""
    return FinetuneRecipe(
        shards=dataset / "shards",
        preset="small",
        base=base,
        identity=identity,
        epochs=setup.finetune_epochs,
        batch_size=setup.finetune_batch_size,
        learning_rate=setup.learning_rate,
        device="cpu",
        precision=PRECISION,
        **changes,
    )


def train_once(recipe: FacialRecipe, out: Path) -> Path:
    """Train, or go on; nothing is done where all epochs are."""
    print(f"{out.name}: {recipe.epochs} epochs", file=sys.stderr)
    with TrainProgress(recipe.epochs, "windows") as progress:
        train_facial(recipe, out, resume=(out / LAST).is_file(), on_step=progress.advance)
    return out


def train_parts(recipe: FacialRecipe, trained: ClipSet, chosen_by: ClipSet, out: Path) -> None:
    """The same with clips that are given, whatever split the dataset has."""
    task = FacialTask(recipe, trained, chosen_by, distributed=Distributed())
    print(f"{out.name}: {recipe.epochs} epochs", file=sys.stderr)
    with TrainProgress(recipe.epochs, "windows") as progress:
        train(
            task,
            out,
            epochs=recipe.epochs,
            seed=recipe.seed,
            resume=(out / LAST).is_file(),
            on_step=progress.advance,
        )


def train_judges(setup: Setup, name: str, dataset: Path) -> Path:
    """The checkpoint of the classifiers of personal style, learnt from a dataset's real motion."""
    out = setup.out / name
    recipe = PersonalizationRecipe(shards=dataset / "shards", epochs=setup.style_epochs)
    print(f"{name}: {recipe.epochs} epochs", file=sys.stderr)
    with TrainProgress(recipe.epochs, "windows") as progress:
        train_personalization(recipe, out, resume=(out / LAST).is_file(), on_step=progress.advance)
    return out / BEST


def read_epochs(run: Path, name: str, kind: str = "train") -> list[float]:
    """Median of a logged figure in each epoch of a run."""
    found = defaultdict[int, list[float]](list)
    with (run / LOG).open(newline="") as file:
        for row in csv.DictReader(file):
            if (row["kind"], row["name"]) == (kind, name):
                found[int(row["epoch"])].append(float(row["value"]))
    return [statistics.median(values) for _, values in sorted(found.items())]
