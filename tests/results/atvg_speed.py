"""Frames a second from a sound file to an MP4, of one core of a CPU: CPU time alone is counted."""

import os
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
from tests.zoo.speaking.one_picture import save_at_net, save_vg_net
from zoo.evaluation.tables import judge
from zoo.models.at_net.networks import create_at_net
from zoo.models.vg_net.networks import create_vg_net
from zoo.speaking.atvg import synthesize_atvg
from zoo.speaking.atvg_options import AtvgSettings

SCENE = (60, 30, 240)

LEAST = 25.0
"""Frames a second that are asked of `small`: real time."""

CASES = (("small", "crop", 10.0), ("small", "source", 10.0), ("paper", "crop", 0.4))
"""Preset, what is around the face, and seconds of sound."""

ROUNDS = 3
"""Of which the middle one counts, behind one that loads what is loaded once."""


def run_speed(setup: Setup) -> dict[str, Table]:
    """Of random weights, which take as long as trained ones."""
    rows = list(time_cases(setup.out / "atvg-speed", CASES))
    (small,) = (r for r in rows if (r["preset"], r["background"]) == ("small", "crop"))
    what = "frames a second of one core, small"
    target = judge(what, LEAST, small["frames a second of one core"], most=False)
    return {"atvg-speed": Table(rows), "atvg-speed-targets": Table([target])}


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
