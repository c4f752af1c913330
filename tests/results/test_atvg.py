"""ATVGnet's steps: who is in which part, what is measured, and all from end to end."""

import functools
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.datasets import FakeClip, write_dataset
from tests.results import atvg_beside as beside
from tests.results import atvg_curves as curves
from tests.results import atvg_motion as motion
from tests.results import atvg_pictures as pictures
from tests.results import atvg_runs as runs
from tests.results import atvg_sheet as sheet
from tests.results import atvg_speed as speed
from tests.results import atvg_takes as takes
from tests.results import cascaded_speech as speech
from tests.results.atvg_takes import CPBD, JITTER, LMD, PSNR, SSIM, Figures, Take
from tests.results.cascaded_subjects import TEST, TRAIN, VAL
from tests.results.setup import ATVG_PAGE, Setup, make_rehearsal
from tests.zoo.models.at_net.hearing import write_people
from tests.zoo.models.t_gan.people import SIDE
from tests.zoo.models.vg_net.talkers import TINY, WINDOW, write_talkers
from tests.zoo.speaking.one_picture import save_at_net, save_vg_net
from toolkit.dataset.manifest import read_table
from zoo.data.holdout import Holdout
from zoo.evaluation.figures import TITLE
from zoo.metrics.intervals import Interval, bootstrap_interval
from zoo.models.at_net import presets as at_presets
from zoo.models.vg_net.clips import load_face_clips
from zoo.models.vg_net.model import open_vg_net
from zoo.models.vg_net.options import ABLATIONS, VGNetRecipe
from zoo.models.vg_net.presets import PRESETS


def test_a_tenth_of_the_sentences_judges_and_another_chooses(tmp_path: Path) -> None:
    clips = [FakeClip(source=f"videos/{k:02d}.mkv") for k in range(20)]
    write_dataset(tmp_path, {"j": clips})
    runs.divide_s1(tmp_path)
    counts = read_table(tmp_path, "split")["split"].value_counts()
    assert counts.to_dict() == {TRAIN: 16, VAL: 2, TEST: 2}


def test_every_part_that_can_be_left_out_has_a_row() -> None:
    assert set(pictures.ABLATED) == set(ABLATIONS) - {""}


# --- figures ------------------------------------------------------------------------------------


def test_turns_are_measured_from_the_picture() -> None:
    """By 10° in the picture; then by 10°, by 40°, and by 10° and 5° downwards."""
    pose = np.zeros((4, 6))
    pose[:, 1] = np.radians([10, 10, 40, 10])
    pose[3, 0] = np.radians(5)
    assert takes.measure_turned(pose) == pytest.approx([0, 30, 5], abs=1e-4)


def make_take(levels: list[int], **changes: Any) -> Take:
    """Frames of one level each, whose left half is still skin; the picture's level is 100."""
    frames = np.stack([np.full((128, 128, 3), level, np.uint8) for level in levels])
    still = np.zeros((128, 128), bool)
    still[:, :64] = True
    points = np.zeros((len(levels), 68, 2))
    known: dict[str, Any] = {
        "clip": "a", "fps": 25, "picture": np.full((128, 128, 3), 100, np.uint8),
        "identity": np.zeros((68, 2)), "landmarks": points, "frames": frames,
        "meshes": np.zeros((len(levels), 478, 3)), "still": still,
        "turned": np.zeros(len(levels)),
    }  # fmt: skip
    return Take(**known | changes)


@pytest.fixture
def faces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every picture shows the same face."""
    monkeypatch.setattr(
        takes, "find_landmarks", lambda pictures, mesh: np.zeros((len(list(pictures)), 478, 3))
    )


@pytest.mark.usefixtures("faces")
def test_figures_of_frames_are_those_of_their_levels() -> None:
    """10 levels away are 28.13 dB; 4 levels up, none and 8 down in turn are 4 on average."""
    drawn = [np.full((128, 128, 3), level, np.uint8) for level in (110, 114, 114, 106)]
    found = takes.score_take(drawn, make_take([100, 124, 104, 116]))
    assert found[PSNR] == pytest.approx(20 * np.log10(255 / 10))
    assert found[LMD].tolist() == [0, 0, 0, 0]
    assert found[JITTER] == pytest.approx([4])


@pytest.mark.usefixtures("faces")
def test_a_still_picture_does_not_jitter_and_the_frames_are_themselves() -> None:
    take = make_take([100, 130, 100])
    still = takes.score_takes(takes.draw_still, [take, take])
    real = takes.score_takes(takes.draw_real, [take, take])
    assert still.average(JITTER).value == 0
    assert real.average(JITTER).value == pytest.approx(30)
    assert real.subtract(still, JITTER).value == pytest.approx(30)
    assert np.isinf(real.frames[PSNR]).all()
    assert real.average(SSIM).value == pytest.approx(1)


def test_landmarks_are_away_by_their_mean_distance() -> None:
    """Half of the points 3 px to the right and 4 px down: 2.5 px."""
    moved = np.zeros((1, 68, 2))
    moved[:, ::2] = (3, 4)
    assert make_take([1], landmarks=moved).away == pytest.approx([2.5])


def test_frames_are_divided_into_bins_of_as_many() -> None:
    parts = curves.divide_frames(np.arange(10.0), 5)
    assert [part.rows.sum() for part in parts] == [2, 2, 2, 2, 2]
    assert parts[0].name == "0.0–1.8"
    assert [part.rows.sum() for part in curves.divide_frames(np.zeros(4), 5)] == []


def test_a_bin_s_figures_are_means_over_its_frames() -> None:
    values = {name: np.array([1.0, 2, 3, np.nan]) for name in curves.SHOWN}
    figures = Figures(frames=values, takes={}, lengths=[2, 2], block=1)
    part = curves.Bin("", np.array([False, True, True, True]))
    assert curves.average_bin(figures, part)[LMD].value == 2.5


def test_better_than_ridge_regression_means_a_difference_that_is_not_by_chance(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both ends of both differences' intervals lie on the good side, or one does not."""
    away = {
        f"{motion.LMD} over ridge's": Interval(-0.2, -0.3, -0.1),
        f"{motion.OPENING} over ridge's": Interval(0.1, -0.1, 0.3),
    }
    monkeypatch.setattr(motion, "measure", lambda predict, clips: None)
    monkeypatch.setattr(motion, "subtract", lambda made, other, whose: away)
    methods: Any = {motion.AT_NET: None, motion.RIDGE: None}
    assert [row["met"] for row in motion.compare(methods, None)] == ["yes", "no"]  # type: ignore[arg-type]


def test_losses_of_the_generator_begin_behind_the_warm_up(tmp_path: Path) -> None:
    """Of four steps in two stretches, the generator has a loss in the last: medians."""
    lines = ["kind,epoch,step,total_steps,name,value", "validation,0,2,2,score,9"]
    for step, loss in ((1, 5.0), (2, 7.0), (3, 1.0), (4, 2.0)):
        lines.append(f"train,0,{step},{step},loss discriminator,{loss}")
        lines += [f"train,0,{step},{step},{name},0.5" for name in ("real", "drawn")]
    lines.append("train,0,4,4,loss adversarial,0.8")
    (tmp_path / "log.csv").write_text("\n".join(lines))
    first, second = curves.tabulate_losses(tmp_path, 2)
    assert (first["steps"], second["steps"]) == ("1–2", "3–4")
    assert [row["discriminator's loss"] for row in (first, second)] == [6, 1.5]
    assert np.isnan(first["generator's adversarial loss"])
    assert second["generator's adversarial loss"] == 0.8


# --- from end to end ----------------------------------------------------------------------------


def tiny_sound() -> at_presets.Preset:
    """An AT-net of a few numbers."""
    small = at_presets.PRESETS["small"]
    return replace(small, landmarks=(4, 4), channels=(2, 2, 2, 2, 2), sound=(8, 8), memory=8)


@pytest.fixture(scope="module")
def talkers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Drawn people, two to train on, one that chooses, one that is tested on."""
    return write_talkers(tmp_path_factory.mktemp("atvg") / "people").parent


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where runs lie: what one test has trained, the next one opens."""
    return tmp_path_factory.mktemp("runs")


@pytest.fixture
def setup(talkers: Path, out: Path, monkeypatch: pytest.MonkeyPatch, faces: None) -> Setup:
    """Tiny trainings on them, in the places of people and of one man's sentences."""
    for name in ("ingest_subjects", "ingest_s1"):
        monkeypatch.setattr(runs, name, lambda *_: talkers)
    monkeypatch.setattr(runs, "make_where", lambda **_: None)
    monkeypatch.setitem(PRESETS, "small", TINY)
    monkeypatch.setattr(runs, "VGNetRecipe", functools.partial(VGNetRecipe, window=WINDOW))
    monkeypatch.setattr(pictures, "NUM_FRAMES", WINDOW)
    quick = functools.partial(bootstrap_interval, num_resamples=20)
    for module in (takes, speech):
        monkeypatch.setattr(module, "bootstrap_interval", quick)
    monkeypatch.setattr(takes, "find_still_skin", lambda *_: np.ones((128, 128), bool))
    return make_rehearsal(out)


def test_pictures_are_scored_beside_the_still_one(setup: Setup) -> None:
    rows = pictures.run_pictures(setup, 1)["atvg-pictures"].rows
    assert [row["shown"] for row in rows] == [pictures.REAL, pictures.STILL, pictures.VG_NET] * 3
    assert {row["frames"] for row in rows} == {8}
    real, still, drawn = rows[:3]
    assert real[PSNR] == "–"
    assert still[JITTER].startswith("0.000")
    assert float(drawn[PSNR].split()[0]) < float(still[PSNR].split()[0])
    assert {row[CPBD] == "–" for row in rows} <= {True, False}


def test_parts_are_left_out_of_trainings_of_one_length(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of them stands for all."""
    known = {"dynamic": pictures.ABLATED["dynamic"]}
    monkeypatch.setattr(pictures, "ABLATED", known)
    rows = pictures.run_parts(setup)["atvg-parts"].rows
    assert [row["shown"] for row in rows[2:]] == [pictures.VG_NET, *known.values()]
    assert f"{JITTER} over VG-net's" in rows[3]
    made = {path.name for path in setup.out.glob("atvg-faces-s1-*")}
    assert made == {"atvg-faces-s1-1", "atvg-faces-s1-1-dynamic"}


def test_quality_and_losses_are_drawn(setup: Setup) -> None:
    tables = curves.run_distances(setup, 1) | curves.run_losses(setup)
    assert set(tables) == {"atvg-by-landmarks", "atvg-by-pose", "atvg-losses"}
    figures = [table.figure for table in tables.values()]
    assert all(figure is not None and figure.is_file() for figure in figures)


def test_landmarks_are_scored_beside_ridge_regression(
    setup: Setup, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = write_people(tmp_path / "people", people=2, clips=5, num_frames=60)
    for name in ("ingest_subjects", "ingest_s1"):
        monkeypatch.setattr(runs, name, lambda *_: people)
    monkeypatch.setitem(at_presets.PRESETS, "small", tiny_sound())
    tables = motion.run_motion(setup, 1)
    rows = tables["atvg-motion"].rows
    assert [row["method"] for row in rows[:5]] == [
        motion.STILL, motion.MEAN, motion.RIDGE, motion.AT_NET, motion.OWN_FACE
    ]  # fmt: skip
    assert rows[0][motion.OPENING] == "–"
    lmd = [float(row[motion.LMD].split()[0]) for row in rows[:3]]
    assert lmd[2] < lmd[0]
    assert len(tables["atvg-motion-targets"].rows) == 6


def test_held_out_pictures_are_not_learnt_from(talkers: Path) -> None:
    """Half of one person's 22 frames; the tenth is not measured."""
    from zoo.models.t_gan.pictures import load_people

    (person, *_) = load_people(talkers / "shards", 64, split=None)
    setup = Setup(out=talkers, holdout=0.5)
    free = beside.mark_free(setup, talkers, person)
    assert person.places[free][:, 1].tolist() == [*range(9), 10]


def test_three_networks_draw_one_held_out_stretch_in_one_square(
    setup: Setup, talkers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last half of a person's 22 frames: 11 of which the first is the picture.

    A renderer that gives the stored frames, and a t-GAN that gives the stored picture which has the
    landmarks that it is asked for, both give the square's own frames.
    """
    corpus = runs.list_corpora(setup, 1, talks=False)[speech.OTHERS]
    model = open_vg_net(runs.train_faces(setup, corpus))
    (face,) = load_face_clips(
        talkers, num_frames=WINDOW, split=None, held=True,
        holdout=Holdout(share=0.5, identity="person1", gap=1),
    )  # fmt: skip
    clip = ClipStub(face)
    monkeypatch.setattr(beside, "draw_clip", lambda renderer, clip: clip.read_all())
    held = beside.find_stretch(face, clip, model, 5.0)  # type: ignore[arg-type]
    assert held.frames == range(12, 22)
    assert len(held.take) == 10
    (rendered,) = beside.draw_renderer(None, model, [held])  # type: ignore[arg-type]
    assert np.array_equal(rendered, held.take.frames)
    (drawn,) = beside.draw_t_gan(TGanStub(face, held.frames), model, [held])  # type: ignore[arg-type]
    assert np.array_equal(drawn, held.take.frames)


class ClipStub:
    """A whole clip as a renderer takes it."""

    first = 0

    def __init__(self, face: Any) -> None:
        self._face = face
        self.camera = SimpleNamespace(size=SIDE)

    def read_all(self) -> Any:
        reader, index = self._face.part.reader, self._face.part.index
        return (reader.frame(index, t) for t in range(22))


class TGanStub:
    """Gives stored frames for landmarks at half their size."""

    size = SIDE // 2

    def __init__(self, face: Any, frames: range) -> None:
        self._face, self._frames = face, frames

    def draw(self, landmarks: Any) -> Any:
        first = self._face.part.first
        for t, points in zip(self._frames, landmarks, strict=True):
            assert points == pytest.approx(self._face.landmarks[t - first] / 2)
            yield self._face.read(t - first)


def test_a_generated_person_speaks_on_the_sheet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of random weights: frames, attention and motion of a photo and of a painting."""
    networks = save_at_net(tmp_path / "at.pt"), save_vg_net(tmp_path / "vg.pt")
    monkeypatch.setattr(sheet, "train_both", lambda *_: networks)
    monkeypatch.setattr(sheet, "SECONDS", 1.0)
    table = sheet.run_sheet(make_rehearsal(tmp_path), 1)["atvg-sheet"]
    assert table.figure is not None
    with Image.open(table.figure) as image:
        assert image.size == (sheet.COLUMNS * sheet.PICTURE, 6 * (sheet.PICTURE + TITLE))


def test_speed_is_of_all_frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """0.4 s of sound by the small preset, in both surroundings."""
    cases = [("small", "crop", 0.4), ("small", "source", 0.4)]
    monkeypatch.setattr(speed, "CASES", cases)
    monkeypatch.setattr(speed, "ROUNDS", 1)
    monkeypatch.setattr(speed, "time_training", lambda folder: {"minutes": 61.0})
    tables = speed.run_speed(make_rehearsal(tmp_path))
    rows = tables["atvg-speed"].rows
    assert [row["frames"] for row in rows] == [10, 10]
    assert all(row["frames a second of one core"] > 0 for row in rows)
    assert [row["met"] for row in tables["atvg-speed-targets"].rows][1] == "no"


def test_minutes_of_a_training_are_those_of_its_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """100 steps in each of 18 epochs, a fifth of them the warm-up, and judging."""
    monkeypatch.setitem(PRESETS, "small", replace(TINY, epochs=18, epoch_windows=200))
    monkeypatch.setattr(speed, "PEOPLE", 4)
    monkeypatch.setattr(speed, "TIMED_STEPS", 1)
    found = speed.time_training(tmp_path)
    early, late = found["a step of the warm-up, s"], found["a later step, s"]
    assert found["steps"] == 1800
    assert found["minutes"] > (400 * early + 1400 * late) / 60


def test_all_steps_have_markers_on_their_page() -> None:
    """By the names in the modules' sources: a table without a marker would end a long run."""
    text = ATVG_PAGE.read_text()
    for module in (motion, pictures, curves, beside, sheet, speed):
        for name in re.findall(r'"(atvg-[a-z-]+)"', Path(str(module.__file__)).read_text()):
            assert f"<!-- {name} -->" in text or name in ("atvg-renderer", "atvg-samples")
