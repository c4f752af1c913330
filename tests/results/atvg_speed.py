"""Frames a second from a sound file to an MP4, of one core, by CPU time; minutes of a training."""

import math
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from tests.results.setup import Setup, Table
from tests.sitters import draw_scene
from tests.tones import write_wav
from tests.toolkit.features.test_voice_activity import make_vowels
from tests.zoo.models.vg_net.talkers import write_talkers
from tests.zoo.speaking.one_picture import save_at_net, save_vg_net
from zoo.evaluation.tables import judge
from zoo.models.at_net.networks import create_at_net
from zoo.models.vg_net.networks import create_vg_net
from zoo.models.vg_net.options import VGNetRecipe
from zoo.models.vg_net.presets import PRESETS
from zoo.models.vg_net.recipe import VGNetTask, choose_clips
from zoo.speaking.atvg import synthesize_atvg
from zoo.speaking.atvg_options import AtvgSettings
from zoo.training.distributed import Distributed

SCENE = (60, 30, 240)

LEAST = 25.0
"""Frames a second that are asked of `small`: real time."""

CASES = (("small", "crop", 10.0), ("small", "source", 10.0), ("paper", "crop", 0.4))
"""Preset, what is around the face, and seconds of sound."""

ROUNDS = 3
"""Of which the middle one counts, behind one that loads what is loaded once."""

MOST_MINUTES = 60.0
"""Of a training of VG-net `small` on two cores, that are asked."""

TIMED_STEPS = 6

PEOPLE, FRAMES = 48, 42
"""Drawn people who are trained on and judged by: half of them and a quarter."""


def run_speed(setup: Setup) -> dict[str, Table]:
    """Of random weights, which take as long as trained ones."""
    rows = list(time_cases(setup.out / "atvg-speed", CASES))
    (small,) = (r for r in rows if (r["preset"], r["background"]) == ("small", "crop"))
    what = "frames a second of one core, small"
    target = judge(what, LEAST, small["frames a second of one core"], most=False)
    training = time_training(setup.out / "atvg-speed")
    minutes = judge("minutes of a training, small", MOST_MINUTES, training["minutes"])
    return {
        "atvg-speed": Table(rows),
        "atvg-speed-training": Table([training]),
        "atvg-speed-targets": Table([target, minutes]),
    }


def time_cases(folder: Path, cases: Sequence[tuple[str, str, float]]) -> Iterator[dict[str, Any]]:
    """A row for each of some `CASES`."""
    folder.mkdir(parents=True, exist_ok=True)
    image = folder / "face.png"
    Image.fromarray(draw_scene(SCENE)).save(image)
    for preset, background, seconds in cases:
        settings = AtvgSettings(
            audio=write_speech(folder, seconds),
            image=image,
            at_net=save_at_net(folder / f"at-{preset}.pt", preset),
            vg_net=save_vg_net(folder / f"vg-{preset}.pt", preset),
            background=background,
            device="cpu",
        )
        num_frames, busy = time_film(settings, folder / "out.mp4")
        yield {
            "preset": preset,
            "parameters": f"{count(preset) / 1e6:.1f} M",
            "background": background,
            "frames": num_frames,
            "frames a second of one core": num_frames / busy,
        }


def time_training(folder: Path) -> dict[str, Any]:
    """Of VG-net `small`, by steps in the warm-up and behind it, and by what judges an epoch.

    Drawn people are flat, so that batch norms make numbers that are all but zero; unlike those of
    photographs they would take a CPU five times as long.
    """
    torch.set_flush_denormal(True)
    try:
        return _time_training(folder)
    finally:
        torch.set_flush_denormal(False)


def _time_training(folder: Path) -> dict[str, Any]:
    shards = write_talkers(folder / "people", people=PEOPLE, num_frames=FRAMES)
    recipe = VGNetRecipe(shards=shards, preset="small", device="cpu")
    task = VGNetTask(recipe, *choose_clips(recipe), distributed=Distributed())
    warm_up = math.ceil(recipe.warm_up * recipe.epochs)
    early, late = (time_steps(task, epoch) for epoch in (0, warm_up))
    began = time.perf_counter()
    task.validate()
    judging = time.perf_counter() - began
    steps = math.ceil(PRESETS["small"].epoch_windows / recipe.batch_size)
    seconds = steps * (warm_up * early + (recipe.epochs - warm_up) * late)
    return {
        "threads": torch.get_num_threads(),
        "a step of the warm-up, s": early,
        "a later step, s": late,
        "steps": recipe.epochs * steps,
        "minutes": (seconds + recipe.epochs * judging) / 60,
    }


def time_steps(task: VGNetTask, epoch: int) -> float:
    """Seconds on the wall of a step, the middle one."""
    times = list[float]()
    while len(times) < TIMED_STEPS:
        for batch in task.draw_batches(epoch, 0):
            began = time.perf_counter()
            task.step(batch)
            times.append(time.perf_counter() - began)
    return float(np.median(times))


def write_speech(folder: Path, seconds: float) -> Path:
    """Vowels, so long."""
    vowels = make_vowels()
    samples = round(seconds * 16_000)
    return write_wav(folder / "speech.wav", np.tile(vowels, 1 + samples // len(vowels))[:samples])


def time_film(settings: AtvgSettings, out: Path) -> tuple[int, float]:
    """How many frames, and the CPU seconds of the middle round."""
    threads, times, num_frames = torch.get_num_threads(), list[float](), 0
    torch.set_num_threads(1)
    try:
        for _ in range(1 + ROUNDS):
            began = read_clock()
            num_frames = synthesize_atvg(settings, out).num_frames
            times.append(read_clock() - began)
    finally:
        torch.set_num_threads(threads)
    return num_frames, float(np.median(times[1:]))


def count(preset: str) -> int:
    """Parameters of both networks."""
    networks = create_at_net(preset), create_vg_net(preset)
    return sum(p.numel() for network in networks for p in network.parameters())


def read_clock() -> float:
    """CPU seconds of this process and of those that it waited for."""
    return float(sum(os.times()[:4]))
