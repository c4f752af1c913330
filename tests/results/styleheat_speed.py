"""Frames a second of `zoo synthesize --system styleheat`, sound file to MP4, by CPU time."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from tests.results.atvg_speed import read_clock, write_speech
from tests.results.setup import Setup, Table
from tests.sitters import draw_scene
from tests.zoo.models.styleheat.talkers import save_stage
from tests.zoo.speaking.cascade import MESH
from zoo.evaluation.tables import judge
from zoo.models.styleheat_prior.networks import create_prior
from zoo.models.styleheat_prior.presets import PRESETS
from zoo.speaking.styleheat import synthesize_styleheat
from zoo.speaking.styleheat_options import StyleHEATSettings
from zoo.stylegan.prior import KIND
from zoo.training.checkpoint import save_checkpoint

SCENE = (60, 30, 240)

LEAST = 15.0
"""Frames a second that are asked of `small` on two cores."""

CORES = 2

SECONDS = (2.0, 8.0)
"""Of sound: what is loaded and measured once for a picture cancels in their difference."""

ROUNDS = 3
"""Of which the middle one counts, behind one that loads what is loaded once."""


def run_speed(setup: Setup) -> dict[str, Table]:
    """Of random weights, which take as long as trained ones."""
    folder = setup.out / "styleheat-speed"
    folder.mkdir(parents=True, exist_ok=True)
    image = folder / "face.png"
    Image.fromarray(draw_scene(SCENE)).save(image)
    prior = save_prior(folder / "prior.pt")
    model = save_stage(
        folder / "model.pt", prior, size=PRIOR_SIDE, features=PRESETS["small"].sizes.generator[4],
        backends={"landmarks": MESH},
    )  # fmt: skip
    row = time_sound(image, model, folder, SECONDS)
    target = judge(
        "frames a second of two cores, small",
        LEAST,
        row["frames a second of two cores"],
        most=False,
    )
    return {"styleheat-speed": Table([row]), "styleheat-speed-targets": Table([target])}


PRIOR_SIDE = 4 << (len(PRESETS["small"].sizes.generator) - 1)
"""px."""


def time_sound(
    image: Path, model: Path, folder: Path, seconds: tuple[float, float]
) -> dict[str, Any]:
    """CPU seconds of a short and a long recording, and what follows of them."""
    counts, busy = list[int](), list[float]()
    for length in seconds:
        settings = StyleHEATSettings(
            audio=write_speech(folder, length), image=image, model=model, device="cpu"
        )
        frames, spent = time_rounds(lambda: _speak(settings, folder / "out.mp4"))  # noqa: B023
        counts.append(frames)
        busy.append(spent)
    each = (busy[1] - busy[0]) / (counts[1] - counts[0])
    once = busy[1] - each * counts[1]
    return {
        "frames": counts[1],
        "CPU seconds": busy[1],
        "of which once for a picture": once,
        "frames a second of one core": counts[1] / busy[1],
        "without what is once": 1 / each,
        "frames a second of two cores": CORES * counts[1] / busy[1],
    }


def _speak(settings: StyleHEATSettings, out: Path) -> int:
    return synthesize_styleheat(settings, out).num_frames


def time_rounds(make: Callable[[], int]) -> tuple[int, float]:
    """How many frames, and the CPU seconds of the middle round, of one thread."""
    threads, times, num_frames = torch.get_num_threads(), list[float](), 0
    torch.set_num_threads(1)
    try:
        for _ in range(1 + ROUNDS):
            began = read_clock()
            num_frames = make()
            times.append(read_clock() - began)
    finally:
        torch.set_num_threads(threads)
    return num_frames, float(np.median(times[1:]))


def save_prior(path: Path) -> Path:
    """The small one of random weights."""
    torch.manual_seed(0)
    model = {"sizes": PRESETS["small"].sizes.to_state(), "prior": create_prior().state_dict()}
    save_checkpoint(path, {"kind": KIND, "recipe": {}, "model": model})
    return path
