"""AT-net under training on people whose jaw follows their voice."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import zoo.cli
from tests.runs import train_killed
from tests.tones import write_wav
from tests.zoo.models.at_net.hearing import draw_person, play, write_people
from toolkit.dataset.split import SplitOptions, split_dataset
from toolkit.dataset.writer import DatasetWriter
from toolkit.errors import ShardError, ToolkitError
from zoo.data.mfcc import cut_frame_windows
from zoo.data.sound_landmarks import load_sound_clips
from zoo.landmarks.align import measure_opening, view68
from zoo.models.at_net.batches import Stretches
from zoo.models.at_net.judge import Judge, measure_landmarks, take_face
from zoo.models.at_net.options import AtNetRecipe
from zoo.models.at_net.recipe import AtNetTask, choose_clips, train_at_net
from zoo.models.registry import open_model
from zoo.training.checkpoint import load_checkpoint
from zoo.training.distributed import Distributed


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clips of each of four people, 6 s each."""
    return write_people(tmp_path_factory.mktemp("at-net"))


def make_recipe(dataset: Path, **changes: Any) -> AtNetRecipe:
    settings = {"preset": "small", "epochs": 1, "device": "cpu"} | changes
    return AtNetRecipe(shards=dataset / "shards", **settings)


@pytest.fixture(scope="module")
def run(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that learns something."""
    out = tmp_path_factory.mktemp("run")
    train_at_net(make_recipe(dataset, epochs=9, learning_rate=3e-3, batch_size=4), out)
    return out


def test_a_voice_is_learnt_better_than_a_still_face(dataset: Path, run: Path) -> None:
    """On clips that it has not seen, by the distance of the lips and how far the mouth is open."""
    model = open_model(run / "best.pt", makes="landmarks", family="at-net")
    clips = load_sound_clips(dataset, split="test", mean_shape=model.statistics.mean_shape)
    found = measure_landmarks(model.predict, clips)
    still = measure_landmarks(lambda w, face: np.repeat(face[None], len(w), axis=0), clips)
    assert found["lmd"] < 0.7 * still["lmd"]
    assert found["opening r"] > 0.6


def test_the_log_has_the_baselines_beside_the_model(run: Path) -> None:
    rows = [line.split(",") for line in (run / "log.csv").read_text().splitlines()]
    names = {row[4] for row in rows if row[0] == "validation"}
    beside = {"lmd still", "lmd mean", "lmd ridge", "opening r ridge"}
    assert {"score", "lmd", "opening r"} | beside == names


def test_a_run_killed_within_an_epoch_ends_with_the_weights_of_an_undisturbed_one(
    dataset: Path, tmp_path: Path
) -> None:
    recipe = make_recipe(dataset, epochs=2)
    train_at_net(recipe, tmp_path / "whole")
    train_killed(train_at_net, recipe, tmp_path / "killed", epoch=1, step=1)
    whole, resumed = (
        load_checkpoint(tmp_path / name / "last.pt", "at-net")["model"]["network"]
        for name in ("whole", "killed")
    )
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_a_step_moves_every_parameter(dataset: Path) -> None:
    recipe = make_recipe(dataset)
    task = AtNetTask(recipe, *choose_clips(recipe), distributed=Distributed())
    before = {k: v.clone() for k, v in task.state_dict()["network"].items()}
    figures = task.step(next(task.draw_batches(0, 0)))
    after = task.state_dict()["network"]
    assert all(not torch.equal(before[k], after[k]) for k in before)
    assert figures["items"] == 16 * 16


def test_the_learning_rate_falls_by_half_a_cosine(dataset: Path) -> None:
    recipe = make_recipe(dataset, epochs=4, learning_rate=1.0)
    assert [recipe.rate(epoch) for epoch in (0, 2)] == pytest.approx([1, 0.5])
    task = AtNetTask(recipe, *choose_clips(recipe), distributed=Distributed())
    task.draw_batches(2, 0)
    (group,) = task.state_dict()["optimiser"]["param_groups"]
    assert group["lr"] == pytest.approx(0.5)
    assert group["betas"] == (0.5, 0.999)


def test_epochs_and_rate_are_the_preset_s_unless_given(dataset: Path) -> None:
    recipes = [
        AtNetRecipe(shards=dataset, preset=preset, **changes)
        for preset, changes in (
            ("paper", {}),
            ("small", {}),
            ("small", {"epochs": 3, "learning_rate": 0.1}),
        )
    ]
    found = [(recipe.epochs, recipe.learning_rate) for recipe in recipes]
    assert found == [(10, 2e-4), (20, 5e-4), (3, 0.1)]


def test_a_checkpoint_says_all_that_speaking_needs(dataset: Path, run: Path) -> None:
    model = open_model(run / "best.pt", makes="landmarks")
    trained = load_sound_clips(dataset, split="train")
    np.testing.assert_array_equal(model.statistics.mean_shape, trained.mean_shape)
    assert model.statistics.pcs.shape == (6, 136)
    assert model.contract == trained.contract
    assert (model.contract.fps, model.contract.scale) == (25, "mfcc")


def test_windows_of_a_clip_are_those_of_its_sound_at_synthesis(dataset: Path) -> None:
    """One framing in training and in use, at 25 frames a second."""
    clip = load_sound_clips(dataset, split="train").clips[0]
    pcm = draw_person(*map(int, clip.id.split("-")[1:]), 150, 25).pcm
    assert pcm is not None
    np.testing.assert_array_equal(clip.windows, cut_frame_windows(np.asarray(pcm), 0, 150, 25))


def test_a_sound_file_moves_a_picture_s_mouth(dataset: Path, run: Path, tmp_path: Path) -> None:
    """As many whole frames as it lasts, at the place and in the unit of the picture."""
    model = open_model(run / "best.pt", makes="landmarks")
    write_wav(tmp_path / "speech.wav", play(3.03))
    face = view68(np.asarray(draw_person(0, 0, 20, 25).arrays["face/landmarks"])[3])
    found = model.speak(tmp_path / "speech.wav", face)
    assert found.shape == (75, 68, 2)
    assert np.abs(found.mean(axis=0) - face).max() < 0.25 * np.ptp(face)
    assert measure_opening(found).std() > 0.02
    again = model.speak(tmp_path / "speech.wav", face)
    np.testing.assert_array_equal(found, again)


def test_a_silent_sound_file_is_spoken_with_a_warning(run: Path, tmp_path: Path) -> None:
    model = open_model(run / "best.pt", makes="landmarks")
    write_wav(tmp_path / "silence.wav", np.zeros(16000, np.int16))
    with pytest.warns(UserWarning, match="is silent"):
        found = model.speak(tmp_path / "silence.wav", model.statistics.mean_shape)
    assert np.isfinite(found).all()


def test_something_without_sound_is_refused(run: Path, tmp_path: Path) -> None:
    model = open_model(run / "best.pt", makes="landmarks")
    (tmp_path / "speech.wav").write_text("none")
    with pytest.raises(ToolkitError, match="no sound can be read"):
        model.speak(tmp_path / "speech.wav", model.statistics.mean_shape)


def test_both_parts_share_the_training_part_s_mean_shape(dataset: Path) -> None:
    trained, chosen_by = choose_clips(make_recipe(dataset))
    assert trained.mean_shape.tolist() == chosen_by.mean_shape.tolist()
    assert not {clip.id for clip in trained} & {clip.id for clip in chosen_by}


def test_one_person_is_learnt_from_the_first_part_of_their_time(dataset: Path) -> None:
    recipe = make_recipe(dataset, identity="person-1", holdout=0.25)
    trained, held = choose_clips(recipe)
    assert {clip.identity for clip in (*trained, *held)} == {"person-1"}
    frames = [sum(clip.num_frames for clip in part) for part in (trained, held)]
    assert frames[1] == 300 // 4
    assert 300 - 75 - 16 <= frames[0] <= 300 - 75


def test_ridge_is_a_good_guess_and_worse_on_sound_of_another_time(dataset: Path) -> None:
    """Its figures are those of `measure_landmarks` of its own predictions."""
    recipe = make_recipe(dataset)
    trained, held = choose_clips(recipe)
    task = AtNetTask(recipe, trained, held, distributed=Distributed())
    judge = Judge(trained, held, task.statistics)
    own = measure_landmarks(judge.predict_ridge, held)
    found = judge.measure(judge.predict_ridge)
    assert found["lmd"] == own["lmd"] == found["lmd ridge"]
    assert found["lmd ridge"] < found["lmd still"]
    late = measure_landmarks(lambda w, f: judge.predict_ridge(np.roll(w, 9, 0), f), held)
    assert late["opening r"] < own["opening r"] - 0.2


def test_a_perfect_prediction_has_no_distance_and_full_correlation(dataset: Path) -> None:
    _, held = choose_clips(make_recipe(dataset))
    real = {id(clip.windows): clip.points for clip in held}
    found = measure_landmarks(lambda windows, face: real[id(windows)], held)
    assert found["lmd"] == 0
    assert found["opening r"] == pytest.approx(1)


def test_stretches_are_consecutive_frames_of_one_clip_with_its_own_picture(dataset: Path) -> None:
    trained, _ = choose_clips(make_recipe(dataset))
    task = AtNetTask(make_recipe(dataset), trained, trained, distributed=Distributed())
    clip, encode = trained.clips[0], task.statistics.encode
    stretches = Stretches([clip], task.statistics, 16, seed=3, epoch=1)
    assert len(stretches) == 150 // 16
    batch = stretches.gather(np.array([0, 1]))
    codes = encode(clip.points).astype(np.float32)
    joined = batch.coefficients.reshape(-1, 6).numpy()
    start = int(np.abs(codes - joined[0]).sum(axis=1).argmin())
    np.testing.assert_array_equal(joined, codes[start : start + 32])
    np.testing.assert_array_equal(
        batch.windows.reshape(-1, 28, 12).numpy(), clip.windows[start : start + 32]
    )
    assert batch.valid.all()
    assert (np.abs(codes - batch.faces[0].numpy()).sum(axis=1) < 1e-6).sum() == 1
    epochs = [Stretches([clip], task.statistics, 16, seed=3, epoch=k) for k in (1, 2)]
    first, second = (s.gather(np.arange(9)).faces.numpy() for s in epochs)
    assert not np.array_equal(first, second)


def test_a_short_clip_is_one_stretch_whose_rest_does_not_count(dataset: Path) -> None:
    trained, _ = choose_clips(make_recipe(dataset))
    task = AtNetTask(make_recipe(dataset), trained, trained, distributed=Distributed())
    stretches = Stretches(trained.clips[:1], task.statistics, 200, seed=0, epoch=0)
    batch = stretches.gather(np.array([0]))
    assert batch.valid.sum() == 150
    assert batch.coefficients[0, 190].tolist() == batch.coefficients[0, 149].tolist()


def test_the_command_trains_at_30_frames_a_second_and_prints_json(tmp_path: Path) -> None:
    dataset = write_people(tmp_path / "d", people=2, clips=5, num_frames=40, fps=30)
    out = tmp_path / "run"
    words = ["train", "at-net", "--shards", str(dataset / "shards"), "--out", str(out)]
    more = ["--epochs", "1", "--preset", "small", "--batch-size", "4", "--json"]
    done = CliRunner().invoke(zoo.cli.main, [*words, *more])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["lmd"] > 0
    assert open_model(out / "best.pt", makes="landmarks").contract.fps == 30


def write_some(folder: Path, valid: bool, left_out: str = "") -> Path:
    with DatasetWriter(
        folder, "j", options={"fps": 25}, fps=25, frame_size=0, provenance={}
    ) as writer:
        for number in range(10):
            row = draw_person(0, number, 40, 25)
            row.arrays["face/valid"][:] = valid
            row.arrays.pop(left_out, None)
            writer.add_clip(row)
    split_dataset(folder, SplitOptions(by="clip"))
    return folder / "shards"


def test_shards_without_landmarks_are_refused_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(ShardError, match="face/landmarks"):
        load_sound_clips(write_some(tmp_path, True, "face/landmarks"), split="train")


def test_clips_without_a_measured_frame_are_left_out(tmp_path: Path) -> None:
    with pytest.raises(ToolkitError, match="no measured frame"):
        load_sound_clips(write_some(tmp_path, False), split="train")


def test_a_checkpoint_of_l_gan_is_refused_where_at_net_is_asked_for(
    dataset: Path, run: Path, tmp_path: Path
) -> None:
    """And the other way round: both make landmarks, each of something else."""
    with pytest.raises(ToolkitError, match="a checkpoint of at-net, not of l-gan"):
        open_model(run / "best.pt", makes="landmarks", family="l-gan")
    torch.save({"kind": "l-gan"}, tmp_path / "l.pt")
    with pytest.raises(ToolkitError, match="a checkpoint of l-gan, not of at-net"):
        open_model(tmp_path / "l.pt", makes="landmarks", family="at-net")


def test_take_face_is_the_first_measured_one(dataset: Path) -> None:
    clip = load_sound_clips(dataset, split="train").clips[0]
    clip.valid[:3] = False
    np.testing.assert_array_equal(take_face(clip), clip.points[3])
