"""StyleHEAT's steps: what is measured of which videos, on drawn people and tiny networks."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.results import styleheat_motion as motion
from tests.results import styleheat_pictures as pictures
from tests.results import styleheat_runs as runs
from tests.results import styleheat_speed as speed
from tests.results import styleheat_takes as takes
from tests.results.cascaded_subjects import SUBJECTS, Subject
from tests.results.setup import STYLEHEAT_PAGE, Setup, make_rehearsal
from tests.results.styleheat import STYLEHEAT
from tests.results.styleheat_takes import Take
from tests.zoo.models.styleheat.talkers import (
    SIDE,
    TINY,
    TINY_PRIOR,
    TINY_VGG,
    save_prior,
    save_stage,
    save_syncnet,
    write_talkers,
)
from toolkit.dataset.manifest import read_table
from toolkit.weights import Status
from zoo.evaluation.pairing import REAL, STILL
from zoo.models.styleheat.clips import load_driven_clips
from zoo.models.styleheat.model import open_styleheat
from zoo.models.styleheat.presets import PRESETS
from zoo.models.styleheat_prior.presets import PRESETS as PRIORS
from zoo.models.styleheat_prior.presets import Preset
from zoo.stylegan.directions import Directions
from zoo.stylegan.prior import open_prior
from zoo.training.checkpoint import load_checkpoint, save_checkpoint
from zoo.training.pictures import to_pictures

TINY_RECIPE = Preset(
    sizes=TINY_PRIOR, discriminator=(4, 4, 4, 4), packed=2, samples=1, batch_size=4, epochs=1,
    epoch_pictures=8, coarse_pictures=4, learning_rate=2e-3,
)  # fmt: skip


def make_take(num_frames: int = 4) -> Take:
    rng = np.random.default_rng(0)
    return Take(
        name="a",
        identity="a",
        frames=rng.integers(0, 255, (num_frames, SIDE, SIDE, 3), dtype=np.uint8),
        driven=rng.normal(size=(num_frames, 27, 73)).astype(np.float32),
        still=np.zeros((num_frames, 27, 73), np.float32),
        mel=rng.normal(size=(num_frames, 32, 80)).astype(np.float32),
        pcm=np.zeros(num_frames * 640, np.int16),
    )


# --- which frames -------------------------------------------------------------------------------


def test_a_take_is_the_beginning_of_the_longest_stretch_in_the_square_of_its_first_frame(
    tmp_path: Path,
) -> None:
    """Frame 9 of 24 is not measured: 14 frames behind it, of which half a second is 12."""
    shards = write_talkers(tmp_path / "data")
    clip = load_driven_clips(shards, num_frames=4, split=None)[0]
    take = takes.cut_take(clip, SIDE, 0.5)
    assert len(take) == 12
    assert takes.find_longest(clip) == (10, 24)
    assert take.driven.shape == (12, 27, 73)
    assert take.mel.shape == (12, 32, 80)
    assert len(take.pcm) == 12 * 640
    middle = take.driven[0, 13]
    np.testing.assert_allclose(middle[70:], (1, 0, 0), atol=1e-6)  # the source, beside itself
    assert np.ptp(take.still[:, :, :64], axis=(0, 1)).max() == 0


def test_talkers_alone_are_divided(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_talkers(tmp_path / "data")
    known = {f"person{k}": dataclasses.replace(SUBJECTS["d10"], talks=k != 1) for k in range(4)}
    monkeypatch.setattr(runs, "SUBJECTS", known)
    out = runs.choose_talkers(tmp_path / "data", tmp_path / "talkers")
    found, whole = (dict(read_table(x, "split")[["clip_id", "split"]].itertuples(index=False))
                    for x in (out, tmp_path / "data"))  # fmt: skip
    assert set(whole) - set(found) == {"person1-0"}
    assert all(whole[clip] == part for clip, part in found.items())
    assert load_driven_clips(out / "shards", num_frames=4, split=None)


# --- methods ------------------------------------------------------------------------------------


@pytest.fixture(name="model")
def _model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setitem(PRESETS, "small", TINY)
    return open_styleheat(save_stage(tmp_path / "model.pt", save_prior(tmp_path / "prior.pt")))


def test_every_method_draws_as_many_frames_as_the_take_has(model: Any) -> None:
    take = make_take()
    methods = {
        "inverted": takes.draw_inverted(model),
        "video": takes.draw_by_video(model),
        "posed": takes.draw_posed(model),
        "both": takes.draw_by_both(model),
        **{kind: takes.draw_by_sound(model, kind=kind) for kind in ("", "shuffled", "mean")},
    }
    shown = {name: np.stack(list(draw(take))) for name, draw in methods.items()}
    assert {each.shape for each in shown.values()} == {take.frames.shape}
    assert np.array_equal(shown["inverted"][2], to_pictures(model.enter(take.frames[2]).shown)[0])
    assert (shown["mean"][0] == shown["mean"][3]).all()
    assert np.array_equal(shown["shuffled"], shown[""][[2, 3, 0, 1]])


def test_inversions_are_those_of_the_prior(model: Any, tmp_path: Path) -> None:
    prior, take = open_prior(tmp_path / "prior.pt"), make_take(9)
    coarse, fine = (np.stack(list(pictures.invert(prior, take.frames, k))) for k in (0, 1))
    assert coarse.shape == fine.shape == take.frames.shape
    row = pictures.optimise(prior, take)
    assert row["behind 250 steps, dB"] > row["PSNR, dB"]


def test_an_edit_by_nothing_leaves_pictures_and_brightness_is_the_mean_luma(
    model: Any, tmp_path: Path
) -> None:
    prior, take = open_prior(tmp_path / "prior.pt"), make_take(2)
    directions = Directions(
        names=("brightness",), vectors=torch.randn(1, 10, 512), means=(0.5,), deviations=(0.1,),
        correlations=(0.5,), prior="",
    )  # fmt: skip
    plain = np.stack(list(pictures.invert(prior, take.frames, 1)))
    unmoved = pictures.edit(prior, directions, take.frames, {"brightness": 0.0})
    assert np.abs(plain.astype(int) - unmoved).max() <= 1
    grey = np.full((1, 8, 8, 3), 51, np.uint8)
    assert pictures.measure("brightness", grey) == pytest.approx([0.2])


# --- from end to end ----------------------------------------------------------------------------


def save_judge(options: Any, out: Path, **more: Any) -> None:
    """A judge of lip-sync as its training leaves it."""
    out.mkdir()
    content = load_checkpoint(save_syncnet(out / "best.pt"))
    known = {"best": {"score": 0.5, "epoch": 0}, "total_steps": 1, "epoch": options.epochs}
    save_checkpoint(out / "last.pt", content | known)


@pytest.fixture(name="setup")
def _setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Setup:
    """Drawn people, networks as small as can be, and two steps of each stage."""
    write_talkers(tmp_path / "data")
    parts = dict(
        read_table(tmp_path / "data", "split")[["clip_id", "split"]].itertuples(index=False)
    )
    known = {
        clip.removesuffix("-0"): Subject(part=part, talks=True, videos=())
        for clip, part in parts.items()
    }
    monkeypatch.setenv("TTK_WEIGHTS", str(tmp_path / "no-weights"))
    monkeypatch.setitem(PRESETS, "small", TINY)
    monkeypatch.setitem(PRIORS, "small", TINY_RECIPE)
    monkeypatch.setattr("zoo.training.perceptual.WIDTHS", TINY_VGG)
    monkeypatch.setattr("zoo.training.perceptual.check_weights", lambda name: Status.MISSING)
    monkeypatch.setattr(
        "zoo.models.styleheat_prior.identity.check_weights", lambda name: Status.MISSING
    )
    monkeypatch.setattr("zoo.models.styleheat.stage.JUDGED_WINDOWS", 2)
    monkeypatch.setattr(runs, "SUBJECTS", known)
    monkeypatch.setattr(runs, "ingest_subjects", lambda setup, workers: tmp_path / "data")
    monkeypatch.setattr(runs, "train_syncnet", save_judge)
    monkeypatch.setattr(takes, "LEAST_FRAMES", 8)
    return make_rehearsal(tmp_path / "out")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:a random network judges", "ignore:no network judges")
def test_every_stage_is_trained_once_and_measured_beside_the_still_source(setup: Setup) -> None:
    """Nothing is drawn from a face here, so what needs one has a dash."""
    rows = pictures.run_training(setup, 1)["styleheat-training"].rows
    assert [row["steps"] for row in rows] == [2, 2, 1, 2, 2, 2]
    written = {path: path.stat().st_mtime_ns for path in setup.out.rglob("best.pt")}
    inversion = pictures.run_inversion(setup, 1)
    shown = [row["shown"] for row in inversion["styleheat-inversion"].rows]
    assert shown == [pictures.COARSE, pictures.FINE, REAL, STILL]
    (better,) = inversion["styleheat-optimised"].rows
    assert better["behind 250 steps, dB"] > better["PSNR, dB"]
    rows = motion.run_video(setup, 1)["styleheat-video"].rows
    assert [row["shown"] for row in rows][:3] == [motion.INVERTED, motion.WARPED, motion.MENDED]
    assert {row["frames"] for row in rows} == {14}
    assert all(row["psnr.mean dB"] != "–" for row in rows)
    assert {row["apd.angles_l1 °"] for row in rows} == {"–"}
    assert {path: path.stat().st_mtime_ns for path in written} == written


# --- the page -----------------------------------------------------------------------------------


def test_the_page_has_a_place_for_every_table_and_the_setup_rehearses_them() -> None:
    text = STYLEHEAT_PAGE.read_text()
    markers = set(re.findall(r"<!-- (styleheat-[a-z-]+) -->", text))
    assert set(STYLEHEAT) <= markers
    assert markers - set(STYLEHEAT) == {
        "styleheat-optimised", "styleheat-edit-targets", "styleheat-speed-targets"
    }  # fmt: skip
    small, whole = make_rehearsal(Path("x")), Setup(out=Path("x"))
    names = ("prior_epochs", "lip_epochs", "warp_epochs", "reenacted")
    for name in names:
        assert getattr(small, name) == 1 < getattr(whole, name)


def test_what_is_done_once_is_separated_from_what_each_frame_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """2 s once and a fiftieth of a second a frame: 100 frames in 4 s, 400 in 10 s."""
    spent = {100: 4.0, 400: 10.0}
    counts = iter((100, 400))

    def make_round(make: Any) -> tuple[int, float]:
        frames = next(counts)
        return frames, spent[frames]

    monkeypatch.setattr(speed, "time_rounds", make_round)
    row = speed.time_sound(tmp_path / "a.png", tmp_path / "m.pt", tmp_path, (4.0, 16.0))
    assert row["of which once for a picture"] == pytest.approx(2.0)
    assert row["without what is once"] == pytest.approx(50.0)
    assert row["frames a second of one core"] == pytest.approx(40.0)
    assert row["frames a second of two cores"] == pytest.approx(80.0)
