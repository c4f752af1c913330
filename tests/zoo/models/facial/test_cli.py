"""`zoo train facial-gan` as its user meets it: misfits are one line, several processes train."""

import csv
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

from tests import ROOT
from tests.datasets import FakeClip, write_dataset, write_shard
from tests.runs import run_torch
from toolkit.dataset.manifest import write_split
from toolkit.dataset.split import SplitOptions, split_dataset
from zoo.cli import main
from zoo.models.facial.options import FacialRecipe, FinetuneRecipe
from zoo.synthetic.dataset import make_dataset
from zoo.synthetic.options import SyntheticOptions
from zoo.training.checkpoint import load_checkpoint

PARTS = ("train", "val", "test")


def write_clips(dataset: Path, num_frames: int = 140) -> None:
    """Three clips of one person, a shard for each part of the split."""
    clips = {part: FakeClip(source=f"videos/{part}.mp4", num_frames=num_frames) for part in PARTS}
    write_dataset(dataset, {part: [clip] for part, clip in clips.items()})
    write_split(dataset, make_rows(num_frames=num_frames))


def make_rows(*trained: FakeClip, num_frames: int = 140) -> list[dict[str, object]]:
    """Of the split: the clips of `write_clips`, and more to train on."""
    clips = {part: FakeClip(source=f"videos/{part}.mp4", num_frames=num_frames) for part in PARTS}
    parts = [(clip.id, part) for part, clip in clips.items()]
    parts += [(clip.id, "train") for clip in trained]
    return [
        {"clip_id": name, "split": part, "by": "source", "ratio": "1-1-1", "seed": 0}
        for name, part in parts
    ]


def write_parts(dataset: Path, trained: list[FakeClip]) -> None:
    """These clips to train on, one of 140 frames to choose by."""
    chosen_by = FakeClip(source="videos/val.mp4", num_frames=140)
    write_dataset(dataset, {"train": trained, "val": [chosen_by]})
    parts = [*((clip.id, "train") for clip in trained), (chosen_by.id, "val")]
    write_split(
        dataset,
        [
            {"clip_id": name, "split": part, "by": "clip", "ratio": "1-1-1", "seed": 0}
            for name, part in parts
        ],
    )


def train(dataset: Path, *options: str) -> Result:
    """The command, run to its end."""
    words = ["train", "facial-gan", "--shards", str(dataset / "shards"), "--epochs", "1"]
    return CliRunner().invoke(main, [*words, "--device", "cpu", "--preset", "small", *options])


def refuse(dataset: Path, *options: str) -> str:
    """What the command says when it refuses to train: one line, and no run."""
    out = dataset / "run"
    result = train(dataset, "--out", str(out), *options)
    assert result.exit_code == 1
    assert not out.exists()
    (line,) = result.stderr.splitlines()
    assert line.startswith("zoo: error: ")
    return line


def test_a_missing_split_names_the_command_that_makes_one(tmp_path: Path) -> None:
    write_clips(tmp_path)
    (tmp_path / "manifests" / "split.parquet").unlink()
    assert "no split has been made: run ttk split" in refuse(tmp_path)


def test_clips_that_are_too_short_say_how_long_one_must_be(tmp_path: Path) -> None:
    write_clips(tmp_path, num_frames=15)
    assert "no clip of train has 16 frames: the longest has 15" in refuse(tmp_path)


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
    write_split(dataset, make_rows(clip))
    return clip


# --- short clips --------------------------------------------------------------------------------


def test_clips_that_are_too_short_and_who_has_no_other_are_told_before_training(
    tmp_path: Path,
) -> None:
    """Of 4 clips to train on one of ann and both of bob have under 16 frames; val has none such."""
    lengths = [("ann", 16), ("ann", 15), ("bob", 15), ("bob", 14)]
    trained = [
        FakeClip(source=f"{k}.mp4", identity=name, num_frames=length)
        for k, (name, length) in enumerate(lengths)
    ]
    write_parts(tmp_path, trained)
    with pytest.warns(UserWarning, match="shorter") as told:
        result = train(tmp_path, "--out", str(tmp_path / "run"))
    assert result.exit_code == 0, result.output
    assert [str(warning.message) for warning in told] == [
        "part train: 3 of 4 clips are shorter than 16 frames (0.5 s) and are left out, "
        "and with them 1 person altogether: bob"
    ]


def test_nothing_is_told_where_every_clip_is_long_enough(
    tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    write_clips(tmp_path)
    assert train(tmp_path, "--out", str(tmp_path / "run")).exit_code == 0
    assert not [warning for warning in recwarn if "shorter" in str(warning.message)]


# --- whom to hold out ---------------------------------------------------------------------------


def test_an_identity_without_a_holdout_is_refused(tmp_path: Path) -> None:
    """It would train on everyone; with a holdout, and in fine-tuning, it says whose."""
    write_clips(tmp_path)
    result = train(tmp_path, "--out", str(tmp_path / "run"), "--identity", "ann")
    assert result.exit_code == 2
    assert "--identity ann names whom --holdout holds out: add --holdout" in result.stderr
    assert not (tmp_path / "run").exists()
    held = FacialRecipe(shards=tmp_path, identity="ann", holdout=0.2)
    assert held.identity == "ann"
    assert FinetuneRecipe(shards=tmp_path, base=tmp_path, identity="ann").holdout == 0


# --- going on -----------------------------------------------------------------------------------


def test_resume_auto_begins_where_there_is_no_run_and_goes_on_where_there_is(
    tmp_path: Path,
) -> None:
    write_clips(tmp_path)
    auto = ("--out", str(tmp_path / "run"), "--resume", "auto")
    for epochs in (1, 2, 2):
        result = train(tmp_path, *auto, "--epochs", str(epochs))
        assert result.exit_code == 0, result.output
        assert load_checkpoint(tmp_path / "run" / "last.pt")["epoch"] == epochs
    with (tmp_path / "run" / "log.csv").open(newline="") as file:
        steps = [r["total_steps"] for r in csv.DictReader(file) if r["name"] == "loss expression"]
    assert steps == ["1", "2"]


def test_resume_alone_needs_a_run(tmp_path: Path) -> None:
    write_clips(tmp_path)
    assert "holds no run to go on with" in refuse(tmp_path, "--resume")


def test_a_run_whose_split_or_clips_changed_is_refused_with_what_changed(tmp_path: Path) -> None:
    write_clips(tmp_path)
    words = ("--out", str(tmp_path / "run"))
    assert train(tmp_path, *words, "--epochs", "1").exit_code == 0
    clip = add_to_train(tmp_path)
    result = train(tmp_path, *words, "--epochs", "2", "--resume")
    assert result.exit_code == 1
    assert f"other data, clips to train on: 1 new ({clip.id}): bring back" in result.stderr
    old = FakeClip(source="videos/val.mp4", num_frames=140)
    changed = FakeClip(
        source="videos/val.mp4", num_frames=140,
        arrays={"face/au45": np.full(140, 0.5, np.float32)},
    )  # fmt: skip
    write_split(tmp_path, make_rows())
    write_shard(tmp_path / "shards" / "val.h5", [changed])
    result = train(tmp_path, *words, "--epochs", "2", "--resume")
    assert f"clips to choose by: 1 with other content ({old.id})" in result.stderr


def test_a_signal_ends_the_command_with_its_code_and_the_line_that_goes_on(
    tmp_path: Path,
) -> None:
    write_clips(tmp_path)
    out = tmp_path / "a run"
    words = ["train", "facial-gan", "--shards", str(tmp_path / "shards"), "--out", str(out)]
    words += ["--preset", "small", "--device", "cpu", "--epochs", "100000"]
    command = [sys.executable, "-m", "zoo", *words]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        while not (out / "log.csv").is_file() and process.poll() is None:
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=500)
    assert process.returncode == 128 + signal.SIGTERM
    *_, said, again = errors.splitlines()
    assert re.fullmatch(
        r"zoo: stopped by SIGTERM in epoch \d+, after step [01]; saved. Go on with:", said
    )
    program, *same = shlex.split(again)
    assert (program, same) == ("zoo", [*words, "--resume", "auto"])
    assert load_checkpoint(out / "last.pt")["kind"] == "facial-gan"


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
