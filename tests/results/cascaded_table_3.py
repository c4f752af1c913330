"""Table 3 of Das et al. (ECCV 2020) in form: t-GANs without AdaIN and some of the losses."""

import json
import sys
from pathlib import Path
from typing import Any

from tests.results.cascaded_faces import (
    CPBD,
    LMD,
    PSNR,
    SSIM,
    Sitting,
    load_held_out,
    sit,
    summarise,
    tune,
)
from tests.results.cascaded_runs import PRESET, load_faces, train_texture
from tests.results.cascaded_speed import Clock
from tests.results.cascaded_subjects import VAL, ingest_subjects
from tests.results.setup import Setup, Table
from zoo.models.t_gan.judges import Judges, open_judges
from zoo.models.t_gan.options import ABLATIONS, NONE, TRANSFER, TGanRecipe
from zoo.models.t_gan.presets import FINETUNING_EPOCHS, PRESETS
from zoo.models.t_gan.recipe import TGanTask
from zoo.training.distributed import Distributed

PIXELS = "AdaIN + pix"
"""The row whose time all have."""

ROWS = {"CC + pix": "adain", PIXELS: "feature", "+ feat": "adversarial", "+ adv": ""}
"""A row's name -> what `--ablate` is given."""

COLUMNS = (PSNR, SSIM, CPBD, LMD)

PAPER = {
    "CC + pix": (27.2, 0.62, 0.51, 1.65),
    PIXELS: (28.3, 0.66, 0.56, 1.57),
    "+ feat": (28.9, 0.70, 0.58, 1.5),
    "+ adv": (30.7, 0.74, 0.61, 1.4),
}
"""Its rows, of TCD-TIMIT at 256 px."""

TIMED_STEPS = 3


def run_table_3(setup: Setup, workers: int) -> dict[str, Table]:
    """Each row trained for as much processor time, and fine-tuned to the same people."""
    dataset = ingest_subjects(setup, workers)
    sittings = [sit(setup, person) for person in load_held_out(dataset)[: setup.row_people]]
    epochs = plan_epochs(setup, dataset)
    rows = [run_row(setup, dataset, sittings, name, epochs[name]) for name in ROWS]
    paper = [
        {"shown": f"{name}, the paper's"} | dict(zip(COLUMNS, PAPER[name], strict=True))
        for name in ROWS
    ]
    return {"cascaded-table-3": Table(rows + paper)}


def run_row(
    setup: Setup, dataset: Path, sittings: list[Sitting], name: str, epochs: int
) -> dict[str, Any]:
    """Means over people of what is drawn behind ten epochs of fine-tuning."""
    ablate = ROWS[name]
    run = f"table-3-{ablate or 'all'}"
    base = train_texture(
        setup, dataset, run, meta=TRANSFER, ablate=ablate, face=NONE, epochs=epochs
    )
    print(run, file=sys.stderr, flush=True)
    tuned = [
        tune(base, sitting, (FINETUNING_EPOCHS,), curve=False, judges=open_row_judges(ablate))
        for sitting in sittings
    ]
    figures = summarise([t.figures[FINETUNING_EPOCHS] for t in tuned])
    return {"shown": name} | figures | {"epochs trained": epochs}


def plan_epochs(setup: Setup, dataset: Path) -> dict[str, int]:
    """Row -> epochs that take as long as `row_epochs` of eq. 8 alone, by steps that are timed.

    They are written down, so that a run that goes on goes on with them.
    """
    path = setup.out / "table-3-epochs.json"
    if not path.is_file():
        times = {name: time_step(dataset, ablate) for name, ablate in ROWS.items()}
        most = setup.row_epochs * times[PIXELS]
        epochs = {name: max(round(most / time), 1) for name, time in times.items()}
        path.write_text(json.dumps(epochs))
    found: dict[str, int] = json.loads(path.read_text())
    return found


def time_step(dataset: Path, ablate: str) -> float:
    """Seconds of a processor core that a training step takes."""
    recipe = TGanRecipe(
        shards=dataset / "shards", preset=PRESET, meta=TRANSFER, ablate=ablate, device="cpu"
    )
    people = load_faces(dataset, VAL)[:1]
    task = TGanTask(
        recipe, people, people, judges=open_row_judges(ablate), distributed=Distributed()
    )
    (batch,) = task.draw_batches(0, 0)
    task.step(batch)
    clock = Clock()
    for _ in range(TIMED_STEPS):
        task.step(batch)
    return clock.read()["CPU s"]


def open_row_judges(ablate: str) -> Judges | None:
    """VGG19, or the random network in its place, where eq. 10 is a part of the loss."""
    if "feature" in ABLATIONS[ablate]:
        return None
    return open_judges(None, None, NONE, half=PRESETS[PRESET].half_size_judge)
