"""Copies of a video: what is done to its pictures, and how metrics move on generated faces."""

import math
from pathlib import Path

import numpy as np
import pytest

from tests.accuracy.changed import CHANGES, KEPT, SIDE, STRENGTHS, Face
from tests.accuracy.moves import (
    find_change,
    find_gap,
    find_not_monotone,
    measure_copies,
    should_worsen,
    write_kept,
    write_moves,
    write_number,
)
from toolkit.sample import SampleOptions, make_samples
from zoo.metrics.table import METRICS

NUM_FRAMES = 12


def make_face(seed: int) -> Face:
    """Pictures of noise that differ from frame to frame, with points that rest."""
    rng = np.random.default_rng(seed)
    pictures = rng.integers(0, 256, (NUM_FRAMES, SIDE, SIDE, 3), np.uint8)
    points = np.repeat(rng.uniform(100, 156, (1, 68, 2)), NUM_FRAMES, axis=0).astype(np.float32)
    ear = np.full(NUM_FRAMES, 0.2, np.float32)
    ear[5] = 0.3
    return Face(pictures=pictures, points=points, ear=ear, fps=30, sound=Path("none"))


FACE, OTHER = make_face(0), make_face(1)


@pytest.mark.parametrize("change", STRENGTHS)
def test_each_further_strength_moves_pictures_further(change: str) -> None:
    """Mean squared difference; late pictures of noise are as far at any lag, but more of them."""
    errors = []
    for strength in STRENGTHS[change]:
        changed = CHANGES[change](FACE, OTHER, strength)
        assert changed.shape == FACE.pictures.shape
        assert changed.dtype == np.uint8
        errors.append(np.square(changed.astype(float) - FACE.pictures).mean())
    assert errors[0] > 0
    if change != "late":
        assert errors == sorted(errors)


def test_late_pictures_are_those_of_before() -> None:
    """By 4 frames; before there was one, the first."""
    late = CHANGES["late"](FACE, OTHER, 4)
    assert np.array_equal(late[4:], FACE.pictures[:-4])
    assert np.array_equal(late[:4], np.repeat(FACE.pictures[:1], 4, axis=0))


def test_the_other_face_is_shown_for_its_share_of_the_frames() -> None:
    changed = CHANGES["other face"](FACE, OTHER, 1 / 3)
    assert np.array_equal(changed[:4], OTHER.pictures[:4])
    assert np.array_equal(changed[4:], FACE.pictures[4:])


@pytest.mark.parametrize(("change", "source"), [("frozen mouth", 0), ("frozen eyes", 5)])
def test_a_frozen_part_is_that_of_one_frame_and_the_rest_is_not_touched(
    change: str, source: int
) -> None:
    """Eyes are those of the frame where they are open furthest. A head that rests moves nothing."""
    part = slice(48, 68) if change == "frozen mouth" else slice(36, 42)
    x, y = FACE.points[0, part].mean(axis=0).astype(int)
    changed = CHANGES[change](FACE, OTHER, 2 / 3)
    assert np.abs(changed[:8, y, x].astype(int) - FACE.pictures[source, y, x]).max() <= 1
    assert np.array_equal(changed[8:], FACE.pictures[8:])
    assert np.array_equal(changed[:, :40], FACE.pictures[:, :40])


def test_a_change_is_how_much_worse_a_copy_is_than_the_real_video() -> None:
    """SSIM 0.9 of 1: 0.1. Speeds 4 and 2 of 3: 1 each. PSNR 30 dB of infinity: −30."""
    names = ("ssim.gaussian", "pose.speed", "psnr.mean")
    real = dict(zip(names, (1.0, 3.0, math.inf), strict=True))
    copies = [dict(zip(names, values, strict=True)) for values in ((0.9, 4, 30), (0.8, 2, 20))]
    found = [{"real": real, "copy": copy} for copy in copies]
    changes = [find_change(METRICS[name], found, "copy") for name in names]
    assert changes == pytest.approx([0.15, 1, -25])
    assert math.isnan(find_change(METRICS["cpbd"], found, "copy"))


def test_what_does_not_worsen_at_each_strength_is_named() -> None:
    """CPBD falls by 0.1, 0.3, and then rises; PSNR falls throughout."""
    values = {"real": {"cpbd": 0.5, "psnr.mean": math.inf}}
    for k, (cpbd, psnr) in enumerate([(0.4, 30), (0.2, 25), (0.3, 20)]):
        values |= {f"{change} {k}": {"cpbd": cpbd, "psnr.mean": psnr} for change in STRENGTHS}
    named = find_not_monotone([values])
    assert "cpbd" in named["blur"]
    assert "psnr.mean" not in named["blur"]
    assert "cpbd" not in named["noise"]
    assert find_gap(METRICS["cpbd"], [values]) == pytest.approx(0.3)


def test_a_metric_that_no_video_has_is_left_out_of_the_tables() -> None:
    """As those of a judge that is not installed; `cpbd` alone was measured."""
    copies = ["real", *KEPT, *(f"{change} {k}" for change in STRENGTHS for k in range(3))]
    found = [{name: {"cpbd": 0.5} for name in copies}]
    for table in (write_moves(found), write_kept(found)):
        rows = [line for line in table.splitlines() if line.startswith("| `")]
        assert [line.split(" | ")[0] for line in rows] == ["| `cpbd`"]
    named = find_not_monotone(found)
    assert {name for names in named.values() for name in names} == {"cpbd"}


def test_numbers_have_two_digits() -> None:
    numbers = (0.01234, 12.34, 1234.5, -0.5, 1e-6, math.nan, math.inf)
    assert [write_number(v) for v in numbers] == ["0.012", "12", "1234", "−0.5", "0", "–", "∞"]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_metrics_worsen_with_blur_and_hardly_move_in_another_container(tmp_path: Path) -> None:
    """A generated face, files in; the real video beside itself is perfect in every metric."""
    make_samples(tmp_path, SampleOptions(identities=1, clips=1, seconds=2, size=256, workers=1))
    videos = sorted(tmp_path.rglob("*.mp4"))
    found = measure_copies(videos, changes=("blur",), same=("re-muxed",))
    not_monotone = find_not_monotone([f | _repeat(f["real"]) for f in found])["blur"]
    assert not_monotone == []
    for metric in METRICS.values():
        if metric.needs_real:
            best = {f["real"][metric.name] for f in found if metric.name in f["real"]}
            assert best <= ({0.0} if metric.better == "lower" else {1.0, math.inf})
        if not should_worsen(metric.name, "noise"):
            moved = find_change(metric, found, "re-muxed")
            assert math.isnan(moved) or moved == pytest.approx(0, abs=1e-9)


def _repeat(real: dict[str, float]) -> dict[str, dict[str, float]]:
    """Copies that were not made, as the real video."""
    others = [change for change in STRENGTHS if change != "blur"]
    return {f"{change} {k}": real for change in others for k in range(3)}
