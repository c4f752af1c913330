"""l-GAN under training on speech whose faces are a function of it."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import zoo.cli
from tests.datasets import FPS, OPTIONS, make_clip
from tests.runs import train_killed
from tests.speakers import draw_speaker, write_speakers
from toolkit.dataset.writer import DatasetWriter
from toolkit.errors import ShardError, ToolkitError
from zoo.data.landmarks import load_landmark_clips
from zoo.data.order import draw_order
from zoo.models.l_gan.batches import Stretches
from zoo.models.l_gan.judge import Judge, measure_landmarks, standardise
from zoo.models.l_gan.options import LGanRecipe
from zoo.models.l_gan.recipe import LGanTask, choose_clips, train_l_gan
from zoo.models.registry import open_model
from zoo.training.checkpoint import load_checkpoint, save_checkpoint
from zoo.training.distributed import Distributed


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two clips of each of four people, 8 s each."""
    return write_speakers(tmp_path_factory.mktemp("l-gan"))


def make_recipe(dataset: Path, **changes: Any) -> LGanRecipe:
    settings = {"preset": "small", "epochs": 1, "device": "cpu"} | changes
    return LGanRecipe(shards=dataset / "shards", **settings)


@pytest.fixture(scope="module")
def run(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that learns something."""
    out = tmp_path_factory.mktemp("run")
    train_l_gan(make_recipe(dataset, epochs=20, learning_rate=2e-3), out)
    return out


def read_model(run: Path, name: str = "last.pt") -> dict[str, torch.Tensor]:
    model = load_checkpoint(run / name, "l-gan")["model"]
    return {
        f"{part} {k}": v for part in ("generator", "discriminator") for k, v in model[part].items()
    }


def test_speech_is_learnt_better_than_a_still_face(dataset: Path, run: Path) -> None:
    """On clips that it has not seen, by the distance of the lips and how far the mouth is open."""
    model = open_model(run / "best.pt", makes="landmarks")
    clips = load_landmark_clips(
        dataset, split="test", canonical_neutral=model.statistics.canonical_neutral
    )
    found = measure_landmarks(model.predict, clips.clips)
    neutral = model.statistics.canonical_neutral
    still = measure_landmarks(lambda s: np.repeat(neutral[None], len(s), axis=0), clips.clips)
    assert found["lmd"] < 0.5 * still["lmd"]
    assert found["opening r"] > 0.8
    assert still["opening r"] == 0


def test_the_log_has_the_baselines_beside_the_model(run: Path) -> None:
    rows = [line.split(",") for line in (run / "log.csv").read_text().splitlines()]
    names = {row[4] for row in rows if row[0] == "validation"}
    beside = {"lmd", "opening r", "lmd still", "lmd ridge", "opening r ridge"}
    assert beside | {"score"} == names


def test_a_run_killed_within_an_epoch_ends_with_the_weights_of_an_undisturbed_one(
    dataset: Path, tmp_path: Path
) -> None:
    recipe = make_recipe(dataset, epochs=2)
    train_l_gan(recipe, tmp_path / "whole")
    train_killed(train_l_gan, recipe, tmp_path / "killed", epoch=1, step=2)
    whole, resumed = read_model(tmp_path / "whole"), read_model(tmp_path / "killed")
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_a_run_of_before_goes_on_without_a_running_mean(dataset: Path, tmp_path: Path) -> None:
    """Its checkpoint has neither the mean nor the option."""
    train_l_gan(make_recipe(dataset, average=0.0), tmp_path)
    content = load_checkpoint(tmp_path / "last.pt")
    del content["state"]["mean"], content["recipe"]["average"]
    save_checkpoint(tmp_path / "last.pt", content)
    with pytest.raises(ToolkitError, match="go on with --average 0"):
        train_l_gan(make_recipe(dataset), tmp_path, resume=True)
    train_l_gan(make_recipe(dataset, average=0.0), tmp_path, resume=True)


@pytest.mark.parametrize(("average", "is_trained"), [(0.998, False), (0.0, True)])
def test_the_running_mean_of_the_generator_is_kept_unless_it_is_switched_off(
    dataset: Path, average: float, is_trained: bool
) -> None:
    recipe = make_recipe(dataset, average=average)
    task = LGanTask(recipe, *choose_clips(recipe), distributed=Distributed())
    for batch in task.draw_batches(0, 0):
        task.step(batch)
    trained, kept = task.state_dict()["model"], task.export()["generator"]
    same = [torch.equal(kept[name], trained[f"generator.{name}"]) for name in kept]
    assert all(same) is is_trained


def test_what_a_step_moves(dataset: Path) -> None:
    """Every parameter of both networks; without the adversarial term those of the generator."""
    for gan_weight, moved in ((1.0, {"generator", "discriminator"}), (0.0, {"generator"})):
        recipe = make_recipe(dataset, gan_weight=gan_weight)
        task = LGanTask(recipe, *choose_clips(recipe), distributed=Distributed())
        before = {k: v.clone() for k, v in task.state_dict()["model"].items()}
        figures = task.step(next(task.draw_batches(0, 0)))
        after = task.state_dict()["model"]
        changed = {k for k in before if not torch.equal(before[k], after[k])}
        buffers = {"generator.score_mean", "generator.score_scale"}
        assert changed == {k for k in before if k.split(".")[0] in moved} - buffers
        assert ("loss discriminator" in figures) is (gan_weight > 0)
        assert figures["items"] == 6 * 32


def test_a_checkpoint_says_all_that_speaking_needs(dataset: Path, run: Path) -> None:
    model = open_model(run / "best.pt", makes="landmarks")
    trained = load_landmark_clips(dataset, split="train")
    np.testing.assert_array_equal(model.statistics.canonical_neutral, trained.canonical_neutral)
    assert model.statistics.displacement_pcs.shape == (33, 136)
    assert model.num_taps == 6
    assert (model.contract.scale, model.contract.fps) == ("log_prob", 30)
    assert model.contract.backends == trained.backends
    assert model.layout == "mesh-68"
    mean, scale = standardise(trained)
    np.testing.assert_array_equal(model.network.score_mean.numpy(), mean)
    np.testing.assert_array_equal(model.network.score_scale.numpy(), scale)
    assert not model.network.training


def test_standardised_scores_of_the_training_part_have_mean_0_and_deviation_1(
    dataset: Path,
) -> None:
    clips = load_landmark_clips(dataset, split="train")
    mean, scale = standardise(clips)
    rows = np.concatenate([(clip.scores[:, 3] - mean) / scale for clip in clips])
    assert rows.mean(axis=0) == pytest.approx(np.zeros(29), abs=1e-3)
    assert rows.std(axis=0) == pytest.approx(np.ones(29), abs=1e-3)


def test_both_parts_share_the_training_parts_canonical_face(dataset: Path) -> None:
    trained, chosen_by = choose_clips(make_recipe(dataset))
    assert trained.canonical_neutral.tolist() == chosen_by.canonical_neutral.tolist()
    assert not {clip.id for clip in trained} & {clip.id for clip in chosen_by}


def test_one_person_is_learnt_from_the_first_part_of_their_time(dataset: Path) -> None:
    recipe = make_recipe(dataset, identity="person-1", holdout=0.25)
    trained, held = choose_clips(recipe)
    assert {clip.identity for clip in (*trained, *held)} == {"person-1"}
    frames = [sum(clip.num_frames for clip in part) for part in (trained, held)]
    assert frames[1] == 480 // 4
    assert 480 - 120 - 32 <= frames[0] <= 480 - 120


def test_ridge_is_a_good_guess_and_worse_on_speech_of_another_window(dataset: Path) -> None:
    """Its figures are those of `measure_landmarks` of its own predictions."""
    trained, held = choose_clips(make_recipe(dataset))
    judge = Judge(trained, held, *standardise(trained))
    own = measure_landmarks(judge.predict_ridge, held.clips)
    found = judge.measure(judge.predict_ridge)
    assert found["lmd"] == own["lmd"] == found["lmd ridge"]
    assert found["lmd ridge"] < found["lmd still"]
    late = measure_landmarks(lambda scores: judge.predict_ridge(np.roll(scores, 9, 0)), held.clips)
    assert late["opening r"] < own["opening r"] - 0.2


def test_a_perfect_prediction_has_no_distance_and_full_correlation(dataset: Path) -> None:
    _, held = choose_clips(make_recipe(dataset))
    real = {id(clip.scores): clip.canonical for clip in held}
    found = measure_landmarks(lambda scores: real[id(scores)], held.clips)
    assert found["lmd"] == 0
    assert found["opening r"] == pytest.approx(1)


def test_an_epoch_sees_every_stretch_once_whatever_the_number_of_processes(dataset: Path) -> None:
    clips = load_landmark_clips(dataset, split="train").clips
    stretches = Stretches(clips, 32, seed=0, epoch=0)
    assert len(stretches) == sum(clip.num_frames // 32 for clip in clips)
    seen: list[int] = []
    for rank in range(2):
        for places in draw_order(
            len(stretches), batch_size=6, seed=0, epoch=0, rank=rank, world_size=2
        ):
            seen += places.tolist()
    assert len(seen) == len(set(seen)) == len(stretches) // 6 * 6


def test_stretches_are_consecutive_frames_of_one_clip(dataset: Path) -> None:
    clips = load_landmark_clips(dataset, split="train").clips
    stretches = Stretches(clips[:1], 32, seed=3, epoch=1)
    batch = stretches.gather(np.array([0, 1]))
    assert batch.scores.shape == (2, 32, 6, 29)
    joined = batch.points.reshape(-1, 68, 2).numpy()
    frames = clips[0].canonical
    start = int(np.abs(frames - joined[0]).sum(axis=(1, 2)).argmin())
    np.testing.assert_array_equal(joined, frames[start : start + 64])
    assert batch.valid.all()


def test_a_short_clip_is_one_stretch_whose_rest_does_not_count(dataset: Path) -> None:
    clip = load_landmark_clips(dataset, split="train").clips[0]
    stretches = Stretches([clip], 300, seed=0, epoch=0)
    batch = stretches.gather(np.array([0]))
    assert batch.valid.sum() == clip.num_frames == 240
    assert batch.points[0, 290].tolist() == batch.points[0, 239].tolist()


def test_the_command_trains_with_more_taps_and_says_what_follows(
    dataset: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    words = ["train", "l-gan", "--shards", str(dataset / "shards"), "--out", str(out)]
    more = ["--epochs", "1", "--preset", "small", "--taps", "8", "--json"]
    done = CliRunner().invoke(zoo.cli.main, [*words, *more])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["lmd"] > 0
    assert open_model(out / "best.pt", makes="landmarks").num_taps == 8


def test_shards_without_landmarks_are_refused_in_a_line(tmp_path: Path) -> None:
    row = make_clip(draw_speaker(0, 0, 40), 0, 0)
    kept = {name: array for name, array in row.arrays.items() if name != "face/landmarks"}
    with DatasetWriter(
        tmp_path / "d", "a", options=OPTIONS, fps=FPS, frame_size=0, provenance={}
    ) as writer:
        writer.add_clip(replace(row, arrays=kept))
    with pytest.raises(ShardError, match="face/landmarks"):
        load_landmark_clips(tmp_path / "d", split=None)


def test_a_checkpoint_of_something_else_is_refused(tmp_path: Path, dataset: Path) -> None:
    with pytest.raises(ToolkitError, match="no such checkpoint"):
        open_model(tmp_path / "none.pt", makes="landmarks")
