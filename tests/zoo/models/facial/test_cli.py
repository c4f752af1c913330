"""`zoo train facial-gan` as its user meets it: misfits are one line, several processes train."""

import csv
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from tests.datasets import FakeClip, write_dataset, write_shard
from tests.runs import run_torch
from toolkit.dataset.manifest import write_split
from toolkit.dataset.split import SplitOptions, split_dataset
from zoo.cli import main
from zoo.synthetic.dataset import make_dataset
from zoo.synthetic.options import SyntheticOptions
from zoo.training.checkpoint import load_checkpoint

PARTS = ("train", "val", "test")


def write_clips(dataset: Path, num_frames: int = 140) -> None:
    """Three clips of one person, a shard for each part of the split."""
    clips = {part: FakeClip(source=f"videos/{part}.mp4", num_frames=num_frames) for part in PARTS}
    write_dataset(dataset, {part: [clip] for part, clip in clips.items()})
    write_split(
        dataset,
        [
            {"clip_id": clip.id, "split": part, "by": "source", "ratio": "1-1-1", "seed": 0}
            for part, clip in clips.items()
        ],
    )


def refuse(dataset: Path, *options: str) -> str:
    """What the command says when it refuses to train: one line, and no run."""
    out = dataset / "run"
    words = ["train", "facial-gan", "--shards", str(dataset / "shards"), "--out", str(out)]
    result = CliRunner().invoke(main, [*words, "--device", "cpu", "--preset", "small", *options])
    assert result.exit_code == 1
    assert not out.exists()
    (line,) = result.stderr.splitlines()
    assert line.startswith("zoo: error: ")
    return line


def test_a_missing_split_names_the_command_that_makes_one(tmp_path: Path) -> None:
    write_clips(tmp_path)
    (tmp_path / "manifests" / "split.parquet").unlink()
    assert "no split has been made: run ttk split" in refuse(tmp_path)


def test_clips_shorter_than_a_window_say_how_long_a_window_is(tmp_path: Path) -> None:
    write_clips(tmp_path, num_frames=127)
    assert "has the 128 frames of a window: the longest has 127" in refuse(tmp_path)


def test_an_identity_whose_clips_the_holdout_leaves_too_short_is_named_as_such(
    tmp_path: Path,
) -> None:
    write_clips(tmp_path)
    assert "once the holdout is cut" in refuse(tmp_path, "--holdout", "0.9")


@pytest.mark.parametrize("other", ["train", "val"])
def test_shards_of_another_frame_rate_are_refused(
    other: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within the training part, and between it and the validation part."""
    write_clips(tmp_path)
    path, clip = choose_other(tmp_path, other)
    monkeypatch.setattr("tests.datasets.FPS", 25)
    write_shard(path, [clip])
    line = refuse(tmp_path)
    assert "25" in line
    assert "30" in line
    assert "fps" in line or "frame rate" in line


@pytest.mark.parametrize("other", ["train", "val"])
def test_shards_of_other_backends_are_refused(other: str, tmp_path: Path) -> None:
    write_clips(tmp_path)
    path, clip = choose_other(tmp_path, other)
    write_shard(path, [clip], au45_version="2")
    line = refuse(tmp_path)
    assert "au45" in line
    assert "embedded 1" in line
    assert "embedded 2" in line


def choose_other(dataset: Path, part: str) -> tuple[Path, FakeClip]:
    """A shard that is to be written anew, and its clip: a second one of `train`, or that of val."""
    if part == "train":
        return dataset / "shards" / "more.h5", add_to_train(dataset)
    return dataset / "shards" / "val.h5", FakeClip(source="videos/val.mp4", num_frames=140)


def add_to_train(dataset: Path) -> FakeClip:
    """A second shard of the training part."""
    clip = FakeClip(source="videos/more.mp4", num_frames=140)
    write_dataset(dataset, {"more": [clip]})
    named = {part: FakeClip(source=f"videos/{part}.mp4", num_frames=140) for part in PARTS}
    rows = [(found.id, part) for part, found in named.items()] + [(clip.id, "train")]
    write_split(
        dataset,
        [
            {"clip_id": name, "split": part, "by": "source", "ratio": "1-1-1", "seed": 0}
            for name, part in rows
        ],
    )
    return clip


# --- several processes --------------------------------------------------------------------------


@pytest.mark.slow
def test_two_processes_train_stop_and_go_on_with_the_weights_of_an_undisturbed_run(
    tmp_path: Path,
) -> None:
    dataset = tmp_path / "data"
    make_dataset(dataset, SyntheticOptions(clips=6, seconds=5, identities=2))
    split_dataset(dataset, SplitOptions(by="clip"))
    common = ("facial-gan", "--shards", dataset / "shards", "--batch-size", 8)
    for out, epochs, more in (("whole", 2, ()), ("parts", 1, ()), ("parts", 2, ("--resume",))):
        result = run_torch(*common, "--out", tmp_path / out, "--epochs", epochs, *more)
        assert result.returncode == 0, result.stderr
        assert result.stdout.count("best:") == 1  # one process talks
    whole, parts = (load_checkpoint(tmp_path / out / "last.pt") for out in ("whole", "parts"))
    assert whole["epoch"] == parts["epoch"] == 2
    for network in ("generator", "discriminator"):
        ours, theirs = whole["model"][network], parts["model"][network]
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    with (tmp_path / "parts" / "log.csv").open(newline="") as file:
        steps = [r["total_steps"] for r in csv.DictReader(file) if r["name"] == "loss expression"]
    assert steps == [str(1 + k) for k in range(len(steps))]


@pytest.mark.slow
def test_a_batch_that_two_processes_cannot_share_is_refused_in_words(tmp_path: Path) -> None:
    write_clips(tmp_path)
    result = run_torch(
        "facial-gan", "--shards", tmp_path / "shards", "--batch-size", 7,
        "--out", tmp_path / "run",
    )  # fmt: skip
    assert result.returncode != 0
    assert "zoo: error: a batch of 7 windows cannot be shared evenly by 2" in result.stderr
    assert not (tmp_path / "run" / "last.pt").exists()
