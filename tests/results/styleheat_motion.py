"""StyleHEAT's stages on held-out people: moved by their own video, by sound, by both."""

import dataclasses
from pathlib import Path

from tests.results.setup import Setup, Table
from tests.results.styleheat_pictures import cut_held
from tests.results.styleheat_runs import Runs
from tests.results.styleheat_takes import (
    Draw,
    Take,
    draw_by_both,
    draw_by_sound,
    draw_by_video,
    draw_inverted,
    draw_posed,
    evaluate,
)
from zoo.models.styleheat.model import TrainedStyleHEAT, open_styleheat

INVERTED, WARPED, MENDED = (
    "every frame inverted", "the first frame, warped", "warped and calibrated"
)  # fmt: skip

OWN, SHUFFLED, MEAN = "its own sound", "sound of another moment", "mean sound"

POSED, BOTH = "pose alone", "pose and sound"

PICTURES = (
    "psnr.mean", "ssim.uniform", "lmd.mouth", "lmd.face", "aed.embedded_l1", "apd.angles_l1",
    "identity.csim.dlib",
)  # fmt: skip

LIPS = ("psnr.mean", "lmd.mouth", "sync.lse_c", "sync.in_place", "apd.angles_l1")


def run_video(setup: Setup, workers: int) -> dict[str, Table]:
    """Same-person reenactment beside the source, still, and the warp that is not calibrated.

    Both by the video generator of stage 2a, which is trained beside the calibration network.
    """
    runs = Runs(setup, workers)
    model = open_styleheat(runs.mended)
    methods: dict[str, Draw] = {
        INVERTED: draw_inverted(model),
        WARPED: draw_by_video(dataclasses.replace(model, calibration=None)),
        MENDED: draw_by_video(model),
    }
    takes = cut_held(setup, runs, model.size)
    rows = evaluate(methods, takes, setup.out / "styleheat-by-video", PICTURES)
    return {"styleheat-video": Table(rows)}


def run_audio(setup: Setup, workers: int) -> dict[str, Table]:
    """By sound beside that of another moment and one sound throughout; the head stays."""
    runs = Runs(setup, workers)
    model = open_styleheat(runs.spoken)
    methods: dict[str, Draw] = {
        OWN: draw_by_sound(model),
        SHUFFLED: draw_by_sound(model, kind="shuffled"),
        MEAN: draw_by_sound(model, kind="mean"),
    }
    takes = cut_held(setup, runs, model.size, talk=True)
    return {
        "styleheat-audio": Table(_judge(setup, "styleheat-by-sound", methods, takes, runs.sync))
    }


def run_both(setup: Setup, workers: int) -> dict[str, Table]:
    """The head by the video's pose and the lips by sound, beside the pose alone."""
    runs = Runs(setup, workers)
    model: TrainedStyleHEAT = open_styleheat(runs.spoken)
    methods: dict[str, Draw] = {
        POSED: draw_posed(model),
        BOTH: draw_by_both(model),
    }
    takes = cut_held(setup, runs, model.size, talk=True)
    return {"styleheat-both": Table(_judge(setup, "styleheat-by-both", methods, takes, runs.sync))}


def _judge(
    setup: Setup, name: str, methods: dict[str, Draw], takes: list[Take], sync: Path
) -> list[dict[str, object]]:
    return evaluate(methods, takes, setup.out / name, LIPS, sync)
