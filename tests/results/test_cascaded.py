"""The cascaded system's steps: who is in which part, what is measured, and all from end to end."""

import dataclasses
import functools
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.datasets import FakeClip, write_dataset
from tests.results import cascaded_alone as alone
from tests.results import cascaded_blinks as blinks
from tests.results import cascaded_curves as curves
from tests.results import cascaded_faces as faces
from tests.results import cascaded_runs as runs
from tests.results import cascaded_scores as scores
from tests.results import cascaded_speech as speech
from tests.results import cascaded_speed as speed
from tests.results import cascaded_table_3 as table_3
from tests.results import cascaded_videos as videos
from tests.results.cascaded_curves import mix_noise
from tests.results.cascaded_runs import count_picture_steps
from tests.results.cascaded_speech import LMD, OPENING, compare, score
from tests.results.cascaded_subjects import SUBJECTS, TEST, TRAIN, VAL, divide_subjects, make_where
from tests.results.setup import CASCADED_PAGE, Setup, make_rehearsal
from tests.speakers import draw_speaker
from tests.zoo.models.t_gan.people import TINY, TINY_VGG, write_people
from toolkit.dataset.manifest import read_table
from toolkit.errors import ToolkitError
from toolkit.features.deepspeech import infer_scores, load_network
from toolkit.weights import locate
from zoo.data.landmarks import LandmarkClip, LandmarkClips
from zoo.metrics.intervals import Interval, bootstrap_interval
from zoo.models.t_gan.finetune import PersonPictures
from zoo.models.t_gan.options import TGanRecipe
from zoo.models.t_gan.presets import PRESETS
from zoo.speaking.cascaded import CascadedVideo
from zoo.training import perceptual
from zoo.training.checkpoint import load_checkpoint


def test_no_video_shows_two_people_and_every_part_has_some() -> None:
    """Five people and more are tested on; a person is in one part, as there is one record each."""
    videos = Counter(video for subject in SUBJECTS.values() for video in subject.videos)
    assert set(videos.values()) == {1}
    parts = Counter(subject.part for subject in SUBJECTS.values())
    assert set(parts) == {TRAIN, VAL, TEST}
    assert parts[TEST] >= 5


def test_people_known_under_several_names_are_one() -> None:
    """Files whose paths name one person belong to one subject."""
    for word in ("obama", "fadg0", "M030", "grid_s1"):
        of = {n for n, s in SUBJECTS.items() for video in s.videos if word in video}
        assert len(of) <= 1, word


def test_a_split_keeps_a_person_in_their_part(tmp_path: Path) -> None:
    names = ("obama", "obama", "may", "s18")
    clips = [
        FakeClip(identity=name, source=f"videos/{name}-{k}.mp4") for k, name in enumerate(names)
    ]
    write_dataset(tmp_path, {"j": clips})
    divide_subjects(tmp_path)
    rows = read_table(tmp_path, "split").set_index("clip_id")["split"]
    assert [rows[clip.id] for clip in clips] == [TRAIN, TRAIN, TEST, VAL]


def test_grid_s_speakers_and_the_silent_can_be_left_out() -> None:
    everyone, talking = make_where(), make_where(talks=True, grid=False)
    assert "'grid-brbk7n'" in everyone
    assert "'ip-lap'" in everyone
    assert "grid" not in talking
    assert "'ip-lap'" not in talking
    assert "'obama'" in talking


def test_a_step_of_maml_goes_through_its_pictures_once_for_each_inner_step() -> None:
    """The preset small has 4 pictures of support and 4 queries."""
    recipe = TGanRecipe(shards=Path("shards"), inner_steps=3)
    assert count_picture_steps(recipe) == 24
    assert count_picture_steps(dataclasses.replace(recipe, meta="transfer")) == 8


@pytest.mark.parametrize(("level", "share"), [(0.0, 1.0), (10.0, 0.1), (20.0, 0.01)])
def test_noise_has_the_power_that_is_asked_for(level: float, share: float) -> None:
    pcm = (3000 * np.sin(np.arange(48_000) / 7)).astype(np.int16)
    noise = mix_noise(pcm, level).astype(float) - pcm
    power = np.square(pcm.astype(float)).mean()
    assert np.square(noise).mean() == pytest.approx(share * power, rel=0.05)


# --- landmarks ----------------------------------------------------------------------------------


def make_clips(openings: list[np.ndarray]) -> LandmarkClips:
    """Faces whose inner lips are so far apart, of eyes 1 apart; scores hold the opening."""
    clips = []
    for number, opening in enumerate(openings):
        points = np.zeros((len(opening), 68, 2), np.float32)
        points[:, 45, 0] = 1
        points[:, 65:68, 1] = opening[:, None]
        scores = np.repeat(opening[:, None, None], 29, axis=2).astype(np.float32)
        clips.append(
            LandmarkClip(
                id=f"clip-{number}", identity=f"person-{number}", source="a.mp4", fps=30,
                scores=scores, canonical=points, neutral=points[0].astype(float),
                valid=np.ones(len(opening), bool), ear=np.ones((len(opening), 2), np.float32),
            )
        )  # fmt: skip
    neutral = np.zeros((68, 2))
    return LandmarkClips(
        clips=tuple(clips), canonical_neutral=neutral, fps=30, scale="log_prob", backends={}
    )


def test_mouths_are_correlated_within_clips() -> None:
    """A person whose mouth is open at rest moves no figure; a copy of the truth is perfect."""
    wave = 0.1 * np.sin(np.arange(200) / 5)
    clips = make_clips([0.2 + wave, 0.9 + wave])

    def invert(scores: np.ndarray) -> np.ndarray:
        """The clip's motion the wrong way round, about its own mean."""
        points = np.zeros((len(scores), 68, 2))
        points[:, 45, 0] = 1
        opening = scores[:, 0, 0]
        points[:, 65:68, 1] = (2 * opening.mean() - opening)[:, None]
        return points

    def copy(scores: np.ndarray) -> np.ndarray:
        return clips.clips[int(scores[0, 0, 0] > 0.5)].canonical

    assert score(invert, clips)[OPENING].value == pytest.approx(-1)
    assert score(copy, clips)[OPENING].value == pytest.approx(1)
    assert score(copy, clips)[LMD].value == pytest.approx(0)


def test_better_than_ridge_means_intervals_apart() -> None:
    ridge = {LMD: Interval(1.2, 1.1, 1.3), OPENING: Interval(0.80, 0.78, 0.82)}
    near = {LMD: Interval(1.1, 1.0, 1.15), OPENING: Interval(0.85, 0.83, 0.87)}
    rows = list(compare({"l-GAN": near, "ridge, same window": ridge}))
    assert [row["met"] for row in rows] == ["no", "yes"]


# --- faces --------------------------------------------------------------------------------------


def make_sitting(learnt: list[float], judged: list[float]) -> faces.Sitting:
    """Landmarks all at one place each; pictures of one level."""

    def make(places: list[float]) -> PersonPictures:
        return PersonPictures(
            identity="ann",
            pictures=np.zeros((len(places), 16, 16, 3), np.uint8),
            landmarks=np.full((len(places), 68, 2), np.array(places)[:, None, None]),
        )

    meshes = np.zeros((len(judged), 478, 3))
    return faces.Sitting(identity="ann", learnt=make(learnt), judged=make(judged), meshes=meshes)


def test_the_nearest_picture_has_the_nearest_landmarks() -> None:
    sitting = make_sitting([0.0, 4.0, 10.0], [1.0, 9.0, 5.0])
    assert faces.find_nearest(sitting).tolist() == [0, 2, 1]


def test_fewer_pictures_are_some_of_those_of_more() -> None:
    """The middle one and the farthest from it; those that are judged stay."""
    fewer = faces.take_fewer(make_sitting([0.0, 4.0, 10.0], [1.0]), 2)
    assert fewer.learnt.landmarks[:, 0, 0].tolist() == [4.0, 10.0]
    assert len(fewer.judged) == 1


def test_a_mean_over_people_leaves_out_whom_nothing_is_known_of() -> None:
    found = faces.average([1.0, np.nan, 3.0])
    assert found.value == 2
    assert (found.low, found.high) == (1, 3)


def test_meta_learning_is_judged_beside_transfer_and_the_nearest_picture() -> None:
    """By hand: 30 − 27 dB; 1.0 / 2.5 of the LMD; losses 1 / 2 and 3 / 2."""
    best, nearest = ({faces.PSNR: p, faces.LMD: d} for p, d in ((30.0, 1.0), (27.0, 2.5)))
    meta, transfer = (
        faces.Tuned(losses=np.array([9.0, a]), held_out=np.array([9.0, b]), figures={})
        for a, b in ((1.0, 3.0), (2.0, 2.0))
    )
    rows = list(faces.judge_all([best], [nearest], {"maml": [meta], "transfer": [transfer]}))
    assert [row["measured"] for row in rows] == pytest.approx([3.0, 0.4, 0.5, 1.5])
    assert [row["met"] for row in rows] == ["yes", "yes", "yes", "no"]


# --- from end to end ----------------------------------------------------------------------------

PARTS = ("obama", "cnn2", "s18", "retalking-2", "may", "news")
"""Two of each part."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Generated speakers in the places of people and of one man's sentences."""
    folder = tmp_path_factory.mktemp("cascaded")
    drawn = [draw_speaker(k, 0, 120) for k in range(len(PARTS))]
    people = [dataclasses.replace(c, identity=n) for c, n in zip(drawn, PARTS, strict=True)]
    write_dataset(folder / "subjects", {"j": people})
    divide_subjects(folder / "subjects")
    (folder / "subjects" / "ingested").touch()
    sentences = [draw_speaker(9, k, 100) for k in range(20)]
    write_dataset(folder / "s1", {"j": sentences})
    return folder


@pytest.fixture
def setup(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Setup:
    """Tiny trainings on them."""
    for module in (speech, scores, curves, blinks, faces):
        for name, where in (("ingest_subjects", "subjects"), ("ingest_s1", "s1")):
            if hasattr(module, name):
                monkeypatch.setattr(module, name, lambda *_, folder=data / where: folder)
    quick = functools.partial(bootstrap_interval, num_resamples=20)
    monkeypatch.setattr(speech, "bootstrap_interval", quick)
    return make_rehearsal(tmp_path)


def test_speech_is_scored_on_people_and_sentences_beside_baselines(setup: Setup) -> None:
    """And a second run trains nothing again."""
    tables = speech.run_speech(setup, 1)
    rows = tables["cascaded-speech"].rows
    assert {(row["trained on"], row["tested on"]) for row in rows} == {
        (speech.OTHERS, speech.PEOPLE), (speech.OTHERS, speech.HELD),
        (speech.SENTENCES, speech.HELD),
    }  # fmt: skip
    still, ridge, *_ = [row for row in rows if row["trained on"] == speech.SENTENCES]
    assert still[OPENING] == "–"
    assert float(ridge[LMD].split()[0]) < float(still[LMD].split()[0])
    log = (setup.out / "speech-s1-l-gan" / "log.csv").read_text()
    speech.run_speech(setup, 1)
    assert (setup.out / "speech-s1-l-gan" / "log.csv").read_text() == log


@pytest.mark.slow
def test_curves_are_drawn_by_time_losses_and_noise(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(curves, "TIMES", (2, 6))
    monkeypatch.setattr(curves, "NOISES", (None, 0.0))
    tables = curves.run_curves(setup) | curves.run_noise(setup)
    assert [row["Δt"] for row in tables["cascaded-times"].rows] == [2, 6, 2, 6]
    assert len(tables["cascaded-losses"].rows) == 5
    assert [row["noise, dB"] for row in tables["cascaded-noise"].rows] == ["clean", "0"] * 2
    figures = [table.figure for table in tables.values()]
    assert all(figure is not None and figure.is_file() for figure in figures)


@pytest.mark.slow
def test_blinks_are_counted_beside_real_ones(setup: Setup) -> None:
    tables = blinks.run_blinks(setup, 1)
    rows = tables["cascaded-blinks"].rows
    assert [row["of"] for row in rows] == ["people"] * 6 + [speech.SENTENCES] * 6
    assert [row["eyes"] for row in rows[:4]] == ["trained on", "chosen by", "held out", "generated"]
    assert "MMD², no noise" in tables["cascaded-blinks-mmd"].rows[0]
    assert len(tables["cascaded-blinks-targets"].rows) == 6


def test_a_track_is_cut_to_the_lengths_of_clips_again_and_again() -> None:
    parts = blinks.cut_ear(np.zeros((10, 2)), [3, 2])
    assert [len(part) for part in parts] == [3, 2, 3, 2]
    assert [len(part) for part in blinks.cut_ear(np.zeros((4, 2)), [3, 2])] == [3, 1]


def test_log_probabilities_are_what_is_before_the_softmax_less_one_number_a_frame() -> None:
    pcm = np.random.default_rng(0).normal(0, 3000, 16_000).astype(np.int16)
    network = load_network(locate("deepspeech_small"))
    logits, log_probabilities = scores.LogitReader().read(pcm), infer_scores(network, pcm)
    away = logits - log_probabilities
    assert away == pytest.approx(np.repeat(away[:, :1], 29, axis=1), abs=1e-4)
    assert away.std() > 0.1


def test_what_is_before_the_softmax_stands_beside_log_probabilities(setup: Setup) -> None:
    rows = scores.run_scores(setup)["cascaded-scores"].rows
    kinds = [(row["method"], row["scores"]) for row in rows]
    both = (scores.LOG_PROBABILITIES, scores.LOGITS)
    assert kinds == [(method, kind) for method in (speech.RIDGE, speech.L_GAN) for kind in both]
    for row in rows:
        assert (f"{LMD} over {both[0]}" in row) == (row["scores"] == scores.LOGITS)


def use_tiny_people(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawn people in the dataset `subjects`, a tiny network, four pictures, no face to be found.

    Nor is there any file of weights.
    """
    write_people(folder / "subjects")
    monkeypatch.setenv("TTK_WEIGHTS", str(folder / "no-weights"))
    monkeypatch.setitem(PRESETS, "small", TINY)
    for module in (runs, faces):
        monkeypatch.setattr(module, "make_where", lambda: None)
    monkeypatch.setattr(faces, "NUM_PICTURES", 4)
    monkeypatch.setattr(faces, "look", lambda pictures: np.zeros((len(pictures), 478, 3)))


def test_faces_are_fine_tuned_and_scored_beside_the_nearest_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_tiny_people(tmp_path, monkeypatch)
    monkeypatch.setattr(faces, "ingest_subjects", lambda *_: tmp_path / "subjects")
    monkeypatch.setattr(faces, "PICTURES", (1, 4))
    tables = faces.run_faces(make_rehearsal(tmp_path), 1)
    shown = [row["shown"] for row in tables["cascaded-faces"].rows]
    assert shown[0] == faces.NEAREST
    assert shown[1:] == [
        f"{meta}, {n} epochs" for meta in ("maml", "transfer") for n in (0, 1, 5, 10)
    ]
    assert [row["epoch"] for row in tables["cascaded-meta"].rows] == list(range(11))
    assert [(row["K"], row["epochs"]) for row in tables["cascaded-few"].rows] == [
        (k, n) for k in (1, 4) for n in (1, 5, 10)
    ]


def test_one_person_is_learnt_from_random_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_tiny_people(tmp_path, monkeypatch)
    monkeypatch.setattr(alone, "ingest_subjects", lambda *_: tmp_path / "subjects")
    setup = dataclasses.replace(make_rehearsal(tmp_path), untrained_epochs=30)
    nearest, *tuned = alone.run_alone(setup, 1)["cascaded-alone"].rows
    assert nearest["shown"] == faces.NEAREST
    assert [row["shown"] for row in tuned] == [f"{n} epochs" for n in (1, 3, 7, 15, 30)]
    assert tuned[-1][faces.PSNR] > tuned[0][faces.PSNR] + 2


def test_speed_is_measured_with_all_losses_and_with_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps of both trainings, fine-tuning and drawing, in seconds that are above 0."""
    use_tiny_people(tmp_path, monkeypatch)
    monkeypatch.setattr(perceptual, "WIDTHS", TINY_VGG)
    monkeypatch.setattr(speed, "ingest_subjects", lambda *_: tmp_path / "subjects")
    rows = speed.run_cascaded_speed(make_rehearsal(tmp_path), 1)["cascaded-speed"].rows
    assert [row["losses"] for row in rows] == ["all"] * 4 + ["eq. 8 alone"] * 4
    assert rows[2]["what"] == "fine-tuning, K = 4, 10 epochs"
    assert all(row["CPU s"] > 0 for row in rows)


def test_rows_of_table_3_are_trained_for_as_long_as_eq_8_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps that take 1, 1, 4 and 5 s: of eight epochs two are left; what is planned stays."""
    times = dict(zip(table_3.ROWS.values(), (1.0, 1.0, 4.0, 5.0), strict=True))
    monkeypatch.setattr(table_3, "time_step", lambda dataset, ablate: times[ablate])
    planned = table_3.plan_epochs(Setup(out=tmp_path, row_epochs=8), tmp_path)
    assert list(planned.values()) == [8, 8, 2, 2]
    times.clear()
    assert table_3.plan_epochs(Setup(out=tmp_path), tmp_path) == planned


@pytest.mark.slow
def test_table_3_has_the_paper_s_rows_below_those_that_are_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_tiny_people(tmp_path, monkeypatch)
    monkeypatch.setattr(table_3, "ingest_subjects", lambda *_: tmp_path / "subjects")
    monkeypatch.setattr(perceptual, "WIDTHS", TINY_VGG)
    rows = table_3.run_table_3(make_rehearsal(tmp_path), 1)["cascaded-table-3"].rows
    assert [row["shown"] for row in rows[:4]] == list(table_3.ROWS)
    assert [row[faces.PSNR] for row in rows[4:]] == [27.2, 28.3, 28.9, 30.7]
    recipes = [
        load_checkpoint(tmp_path / f"table-3-{name}" / "best.pt", "t-gan")["model"]
        for name in ("adain", "feature", "adversarial", "all")
    ]
    assert ["discriminator" in model for model in recipes] == [False, False, False, True]


def test_a_face_is_compared_with_its_own_and_with_other_people_s(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By hand, on a line: the drawn at 0, own pictures at 1 and 3, the other's at 7."""
    features = {"drawn.mp4": [0.0], "own.mp4": [1.0, 3.0], "other.mp4": [7.0, 7.0]}
    monkeypatch.setattr(videos, "explain_recogniser", lambda: "")
    monkeypatch.setattr(videos, "describe", lambda path: np.array(features[path.name])[:, None])
    spoken = {name: make_spoken(f"{name}.mp4", "drawn.mp4") for name in ("own", "other")}
    row, _ = videos.tabulate_likeness(spoken)
    assert row == {
        "who": "own", "frames": 40, "drawn to own": 2, "own among themselves": 2,
        "own to other people's": 5,
    }  # fmt: skip


def test_without_a_recogniser_no_likeness_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(videos, "explain_recogniser", lambda: "not installed")
    rows = list(videos.tabulate_likeness({"own": make_spoken("own.mp4", "drawn.mp4")}))
    assert rows == [{"who": "own", "frames": 40}]


def test_a_video_without_a_face_has_no_likeness(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its distance is unknown, and the other figures stand."""

    def describe(path: Path) -> np.ndarray:
        if path.name == "drawn.mp4":
            raise ToolkitError("no face is seen")
        return np.full((2, 3), float(path.name == "b.mp4"))

    monkeypatch.setattr(videos, "explain_recogniser", lambda: "")
    monkeypatch.setattr(videos, "describe", describe)
    spoken = {name: make_spoken(f"{name}.mp4", "drawn.mp4") for name in ("a", "b")}
    for row in videos.tabulate_likeness(spoken):
        assert np.isnan(row["drawn to own"])
        assert row["own to other people's"] == pytest.approx(np.sqrt(3))


def make_spoken(source: str, made: str) -> videos.Spoken:
    """Of files that are not there."""
    models = videos.Models(l_gan=Path("l.pt"), blink_gan=Path("b.pt"), t_gan=Path("t.pt"))
    video = CascadedVideo(
        path=Path(made), num_frames=40, fps=25, person="ann", pictures=20, finetuned=True
    )
    return videos.Spoken(source=Path(source), models=models, video=video)


def test_all_steps_have_markers_on_their_page() -> None:
    """By the names in the modules' sources: a table without a marker would end a long run."""
    text = CASCADED_PAGE.read_text()
    for module in (speech, scores, curves, blinks, faces, alone, table_3, videos, speed):
        for name in re.findall(r'"(cascaded-[a-z-]+)"', Path(str(module.__file__)).read_text()):
            assert f"<!-- {name} -->" in text
