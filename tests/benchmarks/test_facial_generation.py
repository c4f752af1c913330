"""From a sound file to motion, acoustic model included: over 1,000 frames a second on two cores."""

import os
import time
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.benchmarks.motion import make_clips
from zoo.data import Normalisation
from zoo.data.contract import make_contract
from zoo.evaluation.tables import write_table
from zoo.models.facial.model import create_facial_gan
from zoo.motion.model import MotionModel
from zoo.motion.motion_file import load_motion, save_motion
from zoo.motion.speech import predict_scores

SECONDS = (10, 600)
MIN_RATE = 1000


@pytest.fixture(scope="module")
def model() -> MotionModel:
    """The paper's generator with random weights: how long it takes is the same."""
    torch.manual_seed(0)
    clips = make_clips(5, 300)
    return MotionModel(
        path=Path("random"),
        network=create_facial_gan("paper").generator.eval(),
        normalisation=Normalisation.fit(clips),
        contract=make_contract(clips),
    )


def write_sound(path: Path, seconds: int) -> Path:
    """Noise that rises and falls, 16 kHz."""
    rng = np.random.default_rng(0)
    loud = 3000 * (1 + np.sin(np.arange(seconds * 16000) / 3000))
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16000, 0, "NONE", ""))
        file.writeframes(
            (loud * rng.standard_normal(len(loud))).clip(-32767, 32767).astype("<i2").tobytes()
        )
    return path


def generate(model: MotionModel, sound: Path, out: Path) -> float:
    """Seconds from a sound file to `motion.npz`, the loading of the acoustic model included."""
    began = time.perf_counter()
    scores = predict_scores(sound, model.contract)
    save_motion(out, model.generate(scores, identity="0"), model.contract.fps)
    return time.perf_counter() - began


def test_motion_comes_at_over_1_000_frames_a_second(
    benchmark: Any, model: MotionModel, tmp_path: Path
) -> None:
    """The first run of all, with its imports, is not counted."""
    sounds = {s: write_sound(tmp_path / f"{s}.wav", s) for s in SECONDS}
    out = tmp_path / "motion.npz"
    generate(model, sounds[SECONDS[0]], out)
    rows = []
    for seconds, sound in sounds.items():
        run = lambda sound=sound: min(generate(model, sound, out) for _ in range(3))  # noqa: E731
        took = benchmark.pedantic(run, rounds=1) if seconds == SECONDS[-1] else run()
        frames = len(load_motion(out).motion)
        rows.append(
            {
                "seconds of sound": seconds,
                "frames": frames,
                "seconds": took,
                "frames a second": frames / took,
                "cores": len(os.sched_getaffinity(0)),
            }
        )
    benchmark.extra_info["generation"] = rows
    print(f"\n{write_table(rows)}")
    assert min(row["frames a second"] for row in rows) > MIN_RATE
