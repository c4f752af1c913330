"""Frames of a film of 128 × 128 px from a sound file and a picture, on one core, by CPU time."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from tests.benchmarks.test_facial_training import report
from tests.sitters import draw_scene
from tests.tones import write_wav
from tests.toolkit.features.test_voice_activity import make_vowels
from tests.zoo.speaking.one_picture import save_at_net, save_vg_net
from zoo.speaking.atvg import synthesize_atvg
from zoo.speaking.atvg_options import AtvgSettings

REPEATS, ROUNDS = 5, 3
"""Of two seconds of sound; of the measurement."""

LEAST = 25.0
"""Frames a second: real time."""


@pytest.mark.timeout(1800)
def test_small_networks_speak_faster_than_real_time(benchmark: Any, tmp_path: Path) -> None:
    """All but the interpreter's start and its imports: ffmpeg and its start count."""
    rows = list[dict[str, Any]]()

    def measure() -> None:
        rows.append(time_film(tmp_path, "small", background="crop"))
        rows.append(time_film(tmp_path, "small", background="source"))

    benchmark.pedantic(measure, rounds=1)
    report(benchmark, "ATVGnet", rows)
    assert rows[0]["frames a second of one core"] >= LEAST


def time_film(folder: Path, preset: str, background: str) -> dict[str, Any]:
    """A row: the middle one of some rounds, behind one that loads what is loaded once."""
    audio = write_wav(folder / "speech.wav", np.tile(make_vowels(), REPEATS))
    image = folder / "face.png"
    Image.fromarray(draw_scene((60, 30, 240))).save(image)
    settings = AtvgSettings(
        audio=audio,
        image=image,
        at_net=save_at_net(folder / "at.pt", preset),
        vg_net=save_vg_net(folder / "vg.pt", preset),
        background=background,
        device="cpu",
    )
    threads, times, num_frames = torch.get_num_threads(), list[float](), 0
    torch.set_num_threads(1)
    try:
        for _ in range(1 + ROUNDS):
            began = read_clock()
            num_frames = synthesize_atvg(settings, folder / "out.mp4").num_frames
            times.append(read_clock() - began)
    finally:
        torch.set_num_threads(threads)
    middle = float(np.median(times[1:]))
    return {
        "preset": preset,
        "background": background,
        "frames": num_frames,
        "frames a second of one core": num_frames / middle,
    }


def read_clock() -> float:
    """CPU seconds of this process and of those that it waited for."""
    return float(sum(os.times()[:4]))
