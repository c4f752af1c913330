"""t-GAN: people that it has not learnt from, drawn behind a few steps on a few of their pictures.

Legend: K pictures that are learnt from, n that are judged, H their side.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from tests.accuracy.real import choose_evenly
from tests.results.cascaded_papers import tabulate_paper
from tests.results.cascaded_runs import train_texture
from tests.results.cascaded_subjects import S1, TEST, ingest_subjects, make_where
from tests.results.setup import Setup, Table, divide
from toolkit.features.landmarks import FaceMesh
from zoo.evaluation.tables import judge, write_interval
from zoo.evaluation.videos import compare_pictures
from zoo.landmarks.spread import choose_spread
from zoo.metrics.intervals import Interval, bootstrap_interval
from zoo.metrics.landmark_distance import find_landmarks
from zoo.metrics.landmarks import measure_lmd_mouth
from zoo.metrics.series import average_finite, average_known
from zoo.models.t_gan import FAMILY
from zoo.models.t_gan.batches import make_batch
from zoo.models.t_gan.finetune import Finetuning, PersonPictures
from zoo.models.t_gan.judges import Judges
from zoo.models.t_gan.losses import pixel_loss, sum_terms
from zoo.models.t_gan.model import open_content
from zoo.models.t_gan.options import INNER_RATE, MAML, TRANSFER
from zoo.models.t_gan.pictures import Person, Picture, load_people
from zoo.models.t_gan.presets import FINETUNING_EPOCHS, NUM_PICTURES, PRESETS
from zoo.training.checkpoint import load_checkpoint

Floats = npt.NDArray[np.float64]

SHORT = "feature"
"""What is trained longest leaves the terms of eqs. 9 and 10 out: they take three quarters of a
step's time on a CPU."""

NEAREST = "the nearest of the K pictures"

PSNR, SSIM, CPBD, LMD = "PSNR, dB", "SSIM", "CPBD", "LMD, px"

PICTURES, EPOCHS = (1, 5, 10, 20), (1, 5, 10)
"""K and epochs of Table 4."""

GAIN, SHARE = 2.0, 0.5
"""dB over the nearest picture, and share of its LMD, that are asked for."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Sitting:
    """One held-out person's pictures.

    Attributes:
        identity: who.
        learnt: what fine-tuning sees, K of the most different.
        judged: others.
        meshes: (n, 478, 3) px found in the judged ones.
    """

    identity: str
    learnt: PersonPictures
    judged: PersonPictures
    meshes: Floats


@dataclass(frozen=True, eq=False, kw_only=True)
class Tuned:
    """What fine-tuning to one person gave.

    Attributes:
        losses: (epochs + 1,) pixel term of eq. 11 of the learnt pictures, before and behind each.
        held_out: the same of the judged ones.
        figures: epoch -> name -> mean over the judged pictures.
    """

    losses: Floats
    held_out: Floats
    figures: Mapping[int, Mapping[str, float]]


def run_faces(setup: Setup, workers: int) -> dict[str, Table]:
    """Fig. 8, Table 4 and Fig. 9 in form, and what is asked beside the nearest picture."""
    dataset = ingest_subjects(setup, workers)
    bases = {meta: train_base(setup, dataset, meta) for meta in (MAML, TRANSFER)}
    sittings = [sit(setup, person) for person in load_held_out(dataset)]
    tuned = {meta: tune_all(base, sittings) for meta, base in bases.items()}
    nearest = [score_nearest(sitting) for sitting in sittings]
    best = [t.figures[FINETUNING_EPOCHS] for t in tuned[MAML]]
    rows = [{"shown": NEAREST} | summarise(nearest)]
    for meta, of in tuned.items():
        rows += [
            {"shown": f"{meta}, {epoch} epochs"} | summarise([t.figures[epoch] for t in of])
            for epoch in (0, *EPOCHS)
        ]
    return {
        "cascaded-faces": Table(rows),
        "cascaded-faces-targets": Table(list(judge_all(best, nearest, tuned))),
        "cascaded-meta": Table(list(tabulate_losses(tuned))),
        "cascaded-table-1": tabulate_paper("das-1", name_all(tuned[MAML], nearest)),
        "cascaded-table-2": tabulate_paper("das-2", name_s1(sittings, tuned[MAML], nearest)),
        "cascaded-few": Table(list(tabulate_few(setup, bases[MAML], sittings))),
    }


def train_base(setup: Setup, dataset: Path, meta: str) -> Path:
    """The long training."""
    return train_texture(setup, dataset, f"texture-{meta}", meta=meta, ablate=SHORT)


# --- people -------------------------------------------------------------------------------------


def load_held_out(dataset: Path) -> tuple[Person, ...]:
    """Everyone of the part `test`."""
    size = PRESETS["small"].size
    return load_people(dataset / "shards", size, split=TEST, where=make_where())


def sit(setup: Setup, person: Person) -> Sitting:
    """K pictures to learn from, and of all others some, evenly over the person's frames."""
    chosen = choose_spread(person.landmarks, NUM_PICTURES)
    others = np.setdiff1d(np.arange(len(person)), chosen)
    rest = np.array(choose_evenly(others.tolist(), setup.judged_pictures))
    learnt, judged = (
        PersonPictures(
            identity=person.identity, pictures=person.read(part), landmarks=person.landmarks[part]
        )
        for part in (chosen, rest)
    )
    meshes = look(judged.pictures)
    return Sitting(identity=person.identity, learnt=learnt, judged=judged, meshes=meshes)


def look(pictures: Sequence[Picture] | Picture) -> Floats:
    """Meshes (n, 478, 3) px found in pictures that are no film: each is looked at anew."""
    mesh = FaceMesh()
    return np.concatenate([find_landmarks([picture], mesh) for picture in pictures])


# --- fine-tuning --------------------------------------------------------------------------------


def tune_all(base: Path, sittings: Sequence[Sitting]) -> list[Tuned]:
    """One after the other, from the same base."""
    return [tune(base, sitting) for sitting in sittings]


def tune(
    base: Path,
    sitting: Sitting,
    epochs: Sequence[int] = (0, *EPOCHS),
    *,
    curve: bool = True,
    judges: Judges | None = None,
) -> Tuned:
    """Fine-tune, and measure what is drawn behind these epochs."""
    content = load_checkpoint(base, FAMILY.name)["model"]
    tuning = Finetuning(
        base, content, sitting.learnt, judges=judges, learning_rate=INNER_RATE, device="cpu"
    )
    losses, figures = list[tuple[float, float]](), dict[int, dict[str, float]]()
    for epoch in range(max(epochs) + 1):
        if epoch:
            for places in tuning.draw_order(0, epoch - 1):
                tuning.step(places)
        if curve:
            losses.append(
                (measure_loss(tuning, sitting.learnt), measure_loss(tuning, sitting.judged))
            )
        if epoch in epochs:
            figures[epoch] = score_pictures(draw(tuning, base, sitting), sitting)
    print(sitting.identity, figures[max(epochs)], file=sys.stderr, flush=True)
    known, held_out = np.array(losses).reshape(-1, 2).T
    return Tuned(losses=known, held_out=held_out, figures=figures)


@torch.no_grad()
def measure_loss(tuning: Finetuning, person: PersonPictures) -> float:
    """The pixel term of eq. 11 over all pictures of a person."""
    generator, batch = tuning.networks["generator"], tuning.batch
    texture = generator.embed(batch.pictures, batch.rasters)  # type: ignore[operator]
    asked = make_batch(person.pictures, person.landmarks, np.zeros(1, np.int64))
    pred = generator.draw(asked.raster, texture)  # type: ignore[operator]
    return float(sum_terms({"pixel": pixel_loss(pred, asked.target)}))


def draw(tuning: Finetuning, base: Path, sitting: Sitting) -> list[Picture]:
    """The judged pictures, by their landmarks."""
    model = open_content(tuning.export(), base, torch.device("cpu"))
    return list(model.draw(sitting.judged.landmarks))


# --- figures ------------------------------------------------------------------------------------


def score_pictures(pictures: Sequence[Picture], sitting: Sitting) -> dict[str, float]:
    """Means over the judged pictures; LMD where both show a face."""
    rows = [compare_pictures(a, b) for a, b in zip(pictures, sitting.judged.pictures, strict=True)]
    found = measure_lmd_mouth(look(pictures), sitting.meshes)
    return {
        PSNR: average_finite(np.array([row["PSNR"] for row in rows])),
        SSIM: float(np.mean([row["SSIM"] for row in rows])),
        CPBD: average_known(np.array([row["CPBD"] for row in rows])),
        LMD: average_known(found),
        "faces found": float(np.isfinite(found).mean()),
    }


def score_nearest(sitting: Sitting) -> dict[str, float]:
    """Of each judged picture the one of the K whose landmarks are nearest."""
    return score_pictures(sitting.learnt.pictures[find_nearest(sitting)], sitting)


def find_nearest(sitting: Sitting) -> npt.NDArray[np.int64]:
    """Their numbers (n,)."""
    away = sitting.judged.landmarks[:, None] - sitting.learnt.landmarks[None]
    return np.asarray(np.linalg.norm(away, axis=-1).mean(axis=-1).argmin(axis=1))


def summarise(rows: Sequence[Mapping[str, float]]) -> dict[str, str]:
    """Means over people, with intervals over people."""
    return {name: write_interval(mean) for name, mean in average_rows(rows).items()}


def average(values: Sequence[float]) -> Interval:
    """Mean over people, who are drawn anew for its interval; what is not known is left out."""
    known = np.array([value for value in values if np.isfinite(value)])
    if not len(known):
        return Interval(np.nan, None, None)
    return bootstrap_interval(lambda rows: float(known[rows].mean()), [1] * len(known), block=1)


Rows = Sequence[Mapping[str, float]]


def name_all(tuned: Sequence[Tuned], nearest: Rows) -> dict[str, dict[str, Interval]]:
    """Means over all people, of landmarks that are real."""
    drawn = [t.figures[FINETUNING_EPOCHS] for t in tuned]
    shown = {"t-gan, real landmarks, held-out people": drawn, NEAREST: nearest}
    return {name: average_rows(rows) for name, rows in shown.items()}


def name_s1(
    sittings: Sequence[Sitting], tuned: Sequence[Tuned], nearest: Rows
) -> dict[str, dict[str, Interval]]:
    """Those of GRID's first speaker alone, where he is among them."""
    own = [k for k, sitting in enumerate(sittings) if sitting.identity == S1]
    if not own:
        return {}
    drawn = tuned[own[0]].figures[FINETUNING_EPOCHS]
    shown = {"t-gan, real landmarks, s1": drawn, NEAREST: nearest[own[0]]}
    return {name: average_rows([row]) for name, row in shown.items()}


def average_rows(rows: Rows) -> dict[str, Interval]:
    """Column -> mean over people."""
    return {name: average([row[name] for row in rows]) for name in rows[0]}


def judge_all(
    best: Sequence[Mapping[str, float]],
    nearest: Sequence[Mapping[str, float]],
    tuned: Mapping[str, Sequence[Tuned]],
) -> Iterator[dict[str, Any]]:
    """What is asked of t-GAN, by means over people."""

    def mean(rows: Sequence[Mapping[str, float]], name: str) -> float:
        return average_known(np.array([row[name] for row in rows]))

    yield judge(
        f"PSNR over {NEAREST}, dB", GAIN, mean(best, PSNR) - mean(nearest, PSNR), most=False
    )
    yield judge(f"LMD over that of {NEAREST}", SHARE, divide(mean(best, LMD), mean(nearest, LMD)))
    for what, name in (("learnt", "losses"), ("held-out", "held_out")):
        ends = [[getattr(t, name)[-1] for t in tuned[meta]] for meta in (MAML, TRANSFER)]
        change = average([divide(a, b) for a, b in zip(*ends, strict=True)])
        row = judge(f"loss behind 10 epochs over transfer's, {what} pictures", 1.0, change.value)
        yield row | {"interval": write_interval(change)}


def tabulate_losses(tuned: Mapping[str, Sequence[Tuned]]) -> Iterator[dict[str, Any]]:
    """Fig. 8: mean loss behind each epoch, intervals over people."""
    for epoch in range(FINETUNING_EPOCHS + 1):
        row: dict[str, Any] = {"epoch": epoch}
        for meta, of in tuned.items():
            row[f"{meta}, learnt"] = write_interval(average([t.losses[epoch] for t in of]))
            row[f"{meta}, held out"] = write_interval(average([t.held_out[epoch] for t in of]))
        yield row


def tabulate_few(setup: Setup, base: Path, sittings: Sequence[Sitting]) -> Iterator[dict[str, Any]]:
    """Table 4 and Fig. 9: a few people, by few pictures and epochs."""
    people = sittings[: setup.few_people]
    for number in PICTURES:
        fewer = [take_fewer(sitting, number) for sitting in people]
        tuned = [tune(base, sitting, curve=False, epochs=EPOCHS) for sitting in fewer]
        for epoch in EPOCHS:
            yield {"K": number, "epochs": epoch, "people": len(people)} | {
                name: average_known(np.array([t.figures[epoch][name] for t in tuned]))
                for name in (PSNR, SSIM, CPBD, LMD)
            }


def take_fewer(sitting: Sitting, number: int) -> Sitting:
    """With so many of the pictures that are learnt from: again those that differ most."""
    chosen = choose_spread(sitting.learnt.landmarks, number)
    learnt = PersonPictures(
        identity=sitting.identity,
        pictures=sitting.learnt.pictures[chosen],
        landmarks=sitting.learnt.landmarks[chosen],
    )
    return Sitting(
        identity=sitting.identity, learnt=learnt, judged=sitting.judged, meshes=sitting.meshes
    )
