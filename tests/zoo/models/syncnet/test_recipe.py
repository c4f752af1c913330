"""Training on drawn mouths that follow their sound: it learns, goes on when killed, and is used."""

import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import zoo.cli
from tests.datasets import FakeClip, write_dataset
from tests.talkers import write_talkers
from toolkit.errors import ShardError, ToolkitError
from toolkit.storage import hash_file
from zoo.data.mfcc import compute_mfcc
from zoo.data.talking import load_talking_clips
from zoo.evaluation.lips import describe_judge, open_judge
from zoo.evaluation.sync import find_shifts, judge_clip
from zoo.metrics.sync import measure_sync
from zoo.models.registry import open_model
from zoo.models.syncnet import model
from zoo.models.syncnet.batches import TICKS, Stretches, SyncClip, cut_faces, cut_sound
from zoo.models.syncnet.model import SyncJudge
from zoo.models.syncnet.options import SyncNetRecipe
from zoo.models.syncnet.presets import PRESETS
from zoo.models.syncnet.recipe import train_syncnet
from zoo.training.checkpoint import load_checkpoint
from zoo.training.loop import Step
from zoo.training.stopping import Stopped


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_talkers(tmp_path_factory.mktemp("talkers"))


@pytest.fixture(scope="module")
def run(shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 steps of 100 windows."""
    out = tmp_path_factory.mktemp("runs") / "sync"
    train_syncnet(SyncNetRecipe(shards=shards, epochs=2, batch_size=4, device="cpu"), out)
    return out


def test_it_learns_within_seconds_that_a_mouth_follows_its_sound(shards: Path, run: Path) -> None:
    """Of people it has not seen, every moved sound is found; three in 31 would be by chance."""
    judge = open_model(run / "best.pt", makes="distances")
    clips = load_talking_clips(shards, split="test")
    report = find_shifts(clips, judge, shifts=(-7, 10))
    assert report.found == 1.0
    assert min(report.confidence.values()) > 0.05
    together = measure_sync(np.concatenate([judge_clip(clip, judge) for clip in clips]))
    assert together.offset == 0


def test_a_clip_in_step_is_found_so_at_30_frames_a_second(run: Path, tmp_path: Path) -> None:
    """Whatever the dataset's clock, the window is 0.2 s."""
    shards = write_talkers(tmp_path, people=3, clips=1, num_frames=180, fps=30)
    judge = open_model(run / "best.pt", makes="distances")
    (clip, *_) = load_talking_clips(shards, split=None)
    assert len(clip) == 150
    assert measure_sync(judge_clip(clip, judge)).offset == 0


def test_the_command_measures_the_judge(shards: Path, run: Path) -> None:
    """With the judge's name and digest."""
    words = ["evaluate", "sync", "--judge", str(run / "best.pt"), "--shards", str(shards)]
    result = CliRunner().invoke(zoo.cli.main, [*words, "--split", "test", "--json"])
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    assert report["judge"] == "syncnet small"
    assert report["found"] == 1.0
    assert len(report["sha256"]) == 64


def test_a_run_that_is_stopped_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    """To the bit, weights and figures."""
    shards = write_talkers(tmp_path / "data", people=3, clips=2, num_frames=60)
    recipe = SyncNetRecipe(shards=shards, epochs=2, batch_size=2, device="cpu")
    whole, cut = tmp_path / "whole", tmp_path / "cut"

    def stop(step: Step) -> None:
        if step.epoch == 1 and not step.validation:
            os.kill(os.getpid(), signal.SIGTERM)

    best = train_syncnet(recipe, whole)
    with pytest.raises(Stopped):
        train_syncnet(recipe, cut, on_step=stop)
    assert train_syncnet(recipe, cut, resume=True) == best
    one, other = (load_checkpoint(folder / "last.pt")["model"] for folder in (whole, cut))
    assert one["trained_on"] == other["trained_on"]
    for name, value in one["network"].items():
        assert torch.equal(value, other["network"][name]), name


def test_an_exported_judge_judges_as_its_run_does(shards: Path, run: Path, tmp_path: Path) -> None:
    """A file of half the size whose embeddings are the same to float16's rounding."""
    out = tmp_path / "judge.safetensors"
    result = CliRunner().invoke(
        zoo.cli.main, ["export", "syncnet", "--run", str(run), "--out", str(out)]
    )
    assert result.exit_code == 0, result.output
    assert out.stat().st_size < 2_000_000  # 911,760 parameters of 2 bytes
    whole, small = (open_model(path, makes="distances") for path in (run / "best.pt", out))
    assert small.name == whole.name == "syncnet small"
    clip = load_talking_clips(shards, split="test")[0]
    np.testing.assert_allclose(small.embed_sound(clip.pcm), whole.embed_sound(clip.pcm), atol=5e-3)
    assert judge_clip(clip, small) == pytest.approx(judge_clip(clip, whole), abs=0.02, nan_ok=True)


def test_a_runs_folder_is_the_judge_of_its_best_epoch(run: Path) -> None:
    """Named with the digest of that file."""
    judge = open_judge(run, "cpu")
    assert judge.sha256 == hash_file(run / "best.pt")
    expected = f"syncnet small, sha256 {judge.sha256[:12]}…, a stand-in for syncnet_v2"
    assert describe_judge(judge) == expected


# --- batches ------------------------------------------------------------------------------------


def test_stretches_depend_on_seed_and_epoch_alone(shards: Path) -> None:
    """And not on which come before them."""
    clips = [SyncClip(clip, PRESETS["small"]) for clip in load_talking_clips(shards, split=None)]
    first, again, other = (
        Stretches(clips, 6, seed=3, epoch=epoch).gather(np.array(places))
        for epoch, places in ((1, [2, 5]), (1, [5]), (2, [5]))
    )
    assert first.faces.shape == (2, TICKS, 1, 48, 48)
    assert first.sound.shape == (2, 4 * TICKS, 13)
    assert torch.equal(first.faces[1], again.faces[0])
    assert torch.equal(first.sound[1], again.sound[0])
    assert not torch.equal(again.faces, other.faces)


def test_people_count_by_the_root_of_their_time(tmp_path: Path) -> None:
    """Nine clips of one and one of another are drawn three to one."""
    shards = write_talkers(tmp_path, people=3, clips=1, num_frames=40)
    one, other, _ = (
        SyncClip(clip, PRESETS["small"]) for clip in load_talking_clips(shards, split=None)
    )
    drawn = Stretches([*[one] * 9, other], 4000, seed=0, epoch=0)._clip
    assert np.mean(drawn < 9) == pytest.approx(0.75, abs=0.03)


def test_windows_of_pictures_and_sound_begin_together() -> None:
    """Window i holds pictures i to i + 4 and rows 4·i to 4·i + 19."""
    pictures = torch.arange(7.0)[:, None, None, None].expand(7, 1, 2, 2)
    faces = cut_faces(pictures)
    assert faces.shape == (3, 1, 5, 2, 2)
    assert faces[2, 0, :, 0, 0].tolist() == [2, 3, 4, 5, 6]
    rows = torch.arange(28.0)[:, None].expand(28, 13)
    sound = cut_sound(rows)
    assert sound.shape == (3, 1, 13, 20)
    assert sound[2, 0, 0].tolist() == list(range(8, 28))


def test_sound_of_a_stretch_is_the_clips(shards: Path) -> None:
    """Its cepstra are those of the whole sound there, but for the first sample's pre-emphasis."""
    clip = SyncClip(load_talking_clips(shards, split=None)[0], PRESETS["small"])
    whole, part = clip.read_sound(0, 100), clip.read_sound(30, 50)
    assert whole.shape == (400, 13)
    np.testing.assert_allclose(part[1:], whole[121:200], atol=1e-4)


def test_a_video_is_embedded_in_blocks_as_at_once(shards: Path) -> None:
    """100 pictures are two blocks of windows."""
    torch.manual_seed(0)
    clip = load_talking_clips(shards, split=None)[0]
    judge = SyncJudge(zoo.create_model("syncnet"), "small")
    faces = SyncClip(clip, PRESETS["small"]).read_faces(0, 100)
    pictures = (clip.read_picture(tick) for tick in range(100))
    found = judge.embed_pictures(pictures, judge.place(clip.read_landmarks()))
    assert found.shape == (96, 128)
    np.testing.assert_allclose(found, judge.embed_faces(faces), atol=2e-3)


@pytest.mark.parametrize("num_samples", [64 * 640 + 2800, 125 * 640, 125 * 640 + 123])
def test_sound_is_embedded_in_parts_as_at_once(
    num_samples: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parts of 16 ticks: each knows the sample before it, and the last one's end."""
    torch.manual_seed(0)
    judge = SyncJudge(zoo.create_model("syncnet"), "small")
    pcm = np.random.default_rng(0).integers(-9_000, 9_000, num_samples).astype(np.int16)
    with torch.inference_mode():
        whole = judge.network.embed_sound(cut_sound(torch.from_numpy(compute_mfcc(pcm)))).numpy()
    monkeypatch.setattr(model, "_TICKS", 16)
    np.testing.assert_allclose(judge.embed_sound(pcm), whole, atol=1e-5)


# --- what is refused ----------------------------------------------------------------------------


def test_shards_without_pictures_are_refused(tmp_path: Path) -> None:
    """With the option that stores them."""
    write_dataset(tmp_path, {"j": [FakeClip(num_frames=60)]})
    with pytest.raises(ShardError, match="--frame-size 256"):
        load_talking_clips(tmp_path, split=None)


def test_clips_that_are_too_short_are_refused(tmp_path: Path) -> None:
    """Where there are no others."""
    shards = write_talkers(tmp_path, people=3, clips=1, num_frames=35)
    with pytest.raises(ToolkitError, match=r"no clip of train is 1\.4 s long or more"):
        load_talking_clips(shards, split="train")
