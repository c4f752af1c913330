"""StyleHEAT's prior: held-out pictures inverted and drawn again, and edited."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import torch

from tests.results.setup import Setup, Table
from tests.results.styleheat_runs import Runs, describe_runs, list_held
from tests.results.styleheat_takes import Draw, Take, cut_takes, evaluate, limit
from toolkit.features.landmarks import FaceMesh
from zoo.data.picture_files import Picture
from zoo.evaluation.identity import describe_faces
from zoo.evaluation.recognition import explain_recogniser, open_recogniser
from zoo.evaluation.tables import judge
from zoo.landmarks.align import measure_opening, view68
from zoo.metrics.identity import measure_cosine
from zoo.metrics.landmark_distance import find_landmarks
from zoo.metrics.pictures import measure_psnr
from zoo.metrics.series import average_finite
from zoo.models.styleheat_prior.directions import LUMA, find_directions
from zoo.models.styleheat_prior.edit_options import DirectionOptions
from zoo.stylegan.directions import Directions
from zoo.stylegan.optimise import STEPS, optimise_maps
from zoo.stylegan.prior import Prior, open_prior
from zoo.training.pictures import to_pictures, to_tensor

COARSE, FINE = "w+ alone", "w+ and F"

METRICS = (
    "psnr.mean", "ssim.uniform", "lpips.alex", "identity.map_distance.dlib", "identity.csim.dlib"
)  # fmt: skip
"""LPIPS needs a judge that does not come with the project; the fourth is what stands in for it."""

ATTRIBUTES = ("mouth", "smile", "brightness")
"""Of those that are measured, these can be measured in a drawn picture."""

AMOUNTS = (-2.0, -1.0, 0.0, 1.0, 2.0)
"""Standard deviations by which is edited."""

NUM_PICTURES = 400
"""Of the training part, that directions are learnt from."""

_BATCH = 8


def run_training(setup: Setup, workers: int) -> dict[str, Table]:
    """What was trained for how long."""
    return {"styleheat-training": Table(describe_runs(Runs(setup, workers)))}


def run_inversion(setup: Setup, workers: int) -> dict[str, Table]:
    """Frames of held-out people, each by itself, and first frames with F made better."""
    runs = Runs(setup, workers)
    prior = open_prior(runs.prior)
    takes = cut_held(setup, runs, prior.size)
    methods: dict[str, Draw] = {
        name: lambda take, column=column: invert(prior, take.frames, column)  # type: ignore[misc]
        for column, name in enumerate((COARSE, FINE))
    }
    rows = evaluate(methods, takes, setup.out / "styleheat-inversion", METRICS)
    optimised = [optimise(prior, take) for take in takes]
    return {"styleheat-inversion": Table(rows), "styleheat-optimised": Table(optimised)}


def cut_held(setup: Setup, runs: Runs, size: int, *, talk: bool = False) -> list[Take]:
    """Takes of held-out people."""
    names = limit(list_held(runs, talk=talk), setup.reenacted)
    return cut_takes(runs.dataset, size, names, setup.reenacted_seconds)


@torch.inference_mode()
def invert(prior: Prior, frames: Picture, column: int) -> Iterator[Picture]:
    """Frames (n, H, H, 3) by w+ alone (0), or with F (1)."""
    for first in range(0, len(frames), _BATCH):
        drawn = prior(to_tensor(frames[first : first + _BATCH]))
        yield from to_pictures(drawn[:, column])


def optimise(prior: Prior, take: Take) -> dict[str, Any]:
    """PSNR of the first frame before and behind 250 steps on F."""
    frames = take.frames[:1]
    pictures = to_tensor(frames)
    with torch.no_grad():
        found = prior.invert(pictures)
    better = optimise_maps(prior, found, pictures)
    with torch.no_grad():
        drawn = [to_pictures(prior.reconstruct(each))[0] for each in (found, better)]
    before, behind = (measure_psnr(picture, frames[0]) for picture in drawn)
    return {"picture of": take.identity, "PSNR, dB": before, f"behind {STEPS} steps, dB": behind}


# --- editing ------------------------------------------------------------------------------------


def run_edit(setup: Setup, workers: int) -> dict[str, Table]:
    """First frames of held-out people, edited by directions of the training part."""
    runs = Runs(setup, workers)
    prior = open_prior(runs.prior)
    options = DirectionOptions(
        prior=runs.prior, shards=runs.dataset / "shards", attributes=",".join(ATTRIBUTES),
        num_pictures=NUM_PICTURES,
    )  # fmt: skip
    directions = find_directions(options, torch.device("cpu"))
    takes = [
        dataclasses.replace(take, frames=take.frames[:1])
        for take in cut_held(setup, runs, prior.size)
    ]
    rows, targets = list[dict[str, Any]](), list[dict[str, Any]]()
    for name in ATTRIBUTES:
        row = edit_all(prior, directions, takes, name)
        rows.append(row)
        least = min(np.diff([row[write_amount(amount)] for amount in AMOUNTS]))
        targets.append(judge(f"{name}: smallest step upwards", 0.0, float(least), most=False))
    return {"styleheat-edit": Table(rows), "styleheat-edit-targets": Table(targets)}


def edit_all(
    prior: Prior, directions: Directions, takes: Iterable[Take], name: str
) -> dict[str, Any]:
    """Mean of an attribute over pictures for each amount, and of CSIM beside the unedited one."""
    pictures = np.concatenate([take.frames for take in takes])
    shown = {amount: edit(prior, directions, pictures, {name: amount}) for amount in AMOUNTS}
    measured = {
        write_amount(amount): average_finite(measure(name, drawn))
        for amount, drawn in shown.items()
    }
    known = directions.names.index(name)
    return {
        "attribute": name,
        "r of w+, people left out": directions.correlations[known],
        **measured,
        "CSIM at the ends": average_finite(
            np.concatenate([compare(shown[0.0], shown[end]) for end in (AMOUNTS[0], AMOUNTS[-1])])
        ),
    }


def write_amount(amount: float) -> str:
    """Name of a column."""
    return f"{amount:+.0f} sd"


@torch.inference_mode()
def edit(
    prior: Prior, directions: Directions, pictures: Picture, amounts: Mapping[str, float]
) -> Picture:
    """Pictures drawn with w+ moved, and what w+ leaves out as it was."""
    found = prior.invert(to_tensor(pictures), lambda styles: directions.apply(styles, amounts))
    return np.asarray(to_pictures(prior.reconstruct(found)))


def measure(name: str, pictures: Picture) -> np.ndarray[Any, np.dtype[np.float64]]:
    """(n,) of pictures; NaN where no face is found."""
    if name == "brightness":
        return np.asarray((pictures @ np.array(LUMA)).mean(axis=(1, 2)) / 255)
    points = view68(find_meshes(pictures))
    if name == "mouth":
        return np.asarray(measure_opening(points))
    lips = np.linalg.norm(points[:, 48] - points[:, 54], axis=1)
    return np.asarray(lips / np.linalg.norm(points[:, 36] - points[:, 45], axis=1))


def compare(pictures: Picture, others: Picture) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Cosines (n,) of a recogniser's features of faces; NaN where there is none."""
    if explain_recogniser():
        return np.full(len(pictures), np.nan)
    recogniser = open_recogniser()
    features = [describe_faces(recogniser, each, find_meshes(each)) for each in (pictures, others)]
    return np.asarray(measure_cosine(*features))


def find_meshes(pictures: Picture) -> np.ndarray[Any, np.dtype[np.float64]]:
    """(n, 478, 3) px of single pictures; NaN where no face is found."""
    return np.concatenate([find_landmarks([picture], FaceMesh()) for picture in pictures])
