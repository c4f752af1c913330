"""How long t-GAN's steps, fine-tuning and drawing take, and what memory: of random weights."""

import resource
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from tests.results.cascaded_faces import SHORT, Sitting, load_held_out, sit
from tests.results.cascaded_runs import PRESET, load_faces
from tests.results.cascaded_subjects import VAL, ingest_subjects
from tests.results.setup import Setup, Table
from zoo.models.t_gan import FAMILY
from zoo.models.t_gan.finetune import finetune
from zoo.models.t_gan.judges import Judges, open_judges
from zoo.models.t_gan.options import MAML, NONE, TRANSFER, TGanRecipe
from zoo.models.t_gan.presets import FINETUNING_EPOCHS, PRESETS
from zoo.models.t_gan.recipe import TGanTask
from zoo.training.checkpoint import save_checkpoint
from zoo.training.distributed import Distributed

LOSSES = {"all": "", "eq. 8 alone": SHORT}
"""What is left out, as `zoo train t-gan --ablate` has it."""


class Clock:
    """Times since it was made, s: on the wall, and of all of the process's threads."""

    def __init__(self) -> None:
        self._wall, self._busy = time.perf_counter(), time.process_time()

    def read(self) -> dict[str, float]:
        """Both."""
        wall, busy = time.perf_counter() - self._wall, time.process_time() - self._busy
        return {"s": wall, "CPU s": busy}


def run_cascaded_speed(setup: Setup, workers: int) -> dict[str, Table]:
    """Of the preset small."""
    dataset = ingest_subjects(setup, workers)
    sitting = sit(setup, load_held_out(dataset)[0])
    rows = [row for losses in LOSSES for row in time_losses(setup, dataset, sitting, losses)]
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    machine = {"threads": torch.get_num_threads(), "memory, at most, GiB": memory}
    return {"cascaded-speed": Table(rows), "cascaded-speed-machine": Table([machine])}


def time_losses(
    setup: Setup, dataset: Path, sitting: Sitting, losses: str
) -> Iterator[dict[str, Any]]:
    """Steps of training, fine-tuning of K pictures, and frames drawn."""
    judges = None if LOSSES[losses] else open_judges(None, None, NONE, half=_is_half())
    for meta in (MAML, TRANSFER):
        recipe = TGanRecipe(
            shards=dataset / "shards", preset=PRESET, meta=meta, ablate=LOSSES[losses], device="cpu"
        )
        people = load_faces(dataset, VAL)[:1]
        task = TGanTask(recipe, people, people, judges=judges, distributed=Distributed())
        (batch,) = task.draw_batches(0, 0)
        task.step(batch)
        clock = Clock()
        task.step(batch)
        yield {"what": f"a step of {meta}", "losses": losses} | clock.read()
    base = setup.out / "speed.pt"
    save_checkpoint(base, {"kind": FAMILY.name, "recipe": {}, "model": task.export()})
    yield from time_finetuning(base, sitting, judges, losses)


def time_finetuning(
    base: Path, sitting: Sitting, judges: Judges | None, losses: str
) -> Iterator[dict[str, Any]]:
    """As a user fine-tunes, and draws with what comes out."""
    learnt, clock = sitting.learnt, Clock()
    model = finetune(base, learnt.pictures, learnt.landmarks, judges=judges)
    what = f"fine-tuning, K = {len(learnt)}, {FINETUNING_EPOCHS} epochs"
    yield {"what": what, "losses": losses} | clock.read()
    clock = Clock()
    number = sum(1 for _ in model.draw(sitting.judged.landmarks))
    times = {name: seconds / number for name, seconds in clock.read().items()}
    yield {"what": "drawing a frame", "losses": losses} | times


def _is_half() -> bool:
    return PRESETS[PRESET].half_size_judge
