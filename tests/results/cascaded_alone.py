"""How near a t-GAN comes to one person's pictures by fine-tuning for long, from random weights.

What twenty pictures alone can give shows what the network can draw, and what a base is worth.
"""

from pathlib import Path
from typing import Any

from tests.results.cascaded_faces import NEAREST, load_held_out, score_nearest, sit, tune
from tests.results.cascaded_runs import PRESET, load_faces
from tests.results.cascaded_subjects import S1, VAL, ingest_subjects
from tests.results.setup import Setup, Table
from zoo.models.t_gan import FAMILY
from zoo.models.t_gan.options import TGanRecipe
from zoo.models.t_gan.recipe import TGanTask
from zoo.training.checkpoint import save_checkpoint
from zoo.training.distributed import Distributed

SHARES = (1, 2, 4, 10, 40)
"""Epochs that are measured, one in so many of the last: 200, 100, 50, 20 and 5."""


def run_alone(setup: Setup, workers: int) -> dict[str, Table]:
    """GRID's first speaker, where he is among those who are tested on, or another of them."""
    dataset = ingest_subjects(setup, workers)
    people = load_held_out(dataset)
    person = next((one for one in people if one.identity == S1), people[0])
    sitting = sit(setup, person)
    epochs = sorted({max(setup.untrained_epochs // share, 1) for share in SHARES})
    tuned = tune(make_untrained(setup, dataset), sitting, epochs, curve=False)
    rows: list[dict[str, Any]] = [{"shown": NEAREST} | score_nearest(sitting)]
    rows += [{"shown": f"{epoch} epochs"} | tuned.figures[epoch] for epoch in epochs]
    return {"cascaded-alone": Table(rows)}


def make_untrained(setup: Setup, dataset: Path) -> Path:
    """A checkpoint of random weights, for eq. 8 alone."""
    recipe = TGanRecipe(shards=dataset / "shards", preset=PRESET, ablate="feature", device="cpu")
    people = load_faces(dataset, VAL)[:1]
    task = TGanTask(recipe, people, people, judges=None, distributed=Distributed())
    path = setup.out / "untrained.pt"
    save_checkpoint(path, {"kind": FAMILY.name, "recipe": {}, "model": task.export()})
    return path
