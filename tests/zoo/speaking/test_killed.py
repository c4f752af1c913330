"""`zoo personalize` killed in each of its stages, on a generated video: it goes on, to one end."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.networks import save_model
from tests.numbered import make_tone, read_all, write_wav
from tests.results.killed import read_weights
from tests.runs import kill_group, read_clips
from toolkit.sample import SampleOptions, make_samples
from zoo.cli import main
from zoo.speaking.options import ReenactmentSettings
from zoo.speaking.reenact import reenact
from zoo.training.log import LOG

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]

SECONDS = 18
"""With a half held out, hardly more than two windows of 128 frames to train on."""

_PROGRAM = """
import zoo.training.loop
from zoo.cli import main
from zoo.training import perceptual

perceptual.WIDTHS = tuple(width // 8 for width in perceptual.WIDTHS)
zoo.training.loop.SAVE_SECONDS = 0
main()
"""
"""The command itself, judged by a narrow network, saved at every step."""


def start(video: Path, out: Path) -> "subprocess.Popen[str]":
    """`zoo personalize` as the leader of a process group of its own."""
    words = ["personalize", video, "--base", video.with_name("base.pt"), "--out", out]
    words += ["--holdout", "0.5", "--motion-epochs", "3", "--renderer-epochs", "1", "--json"]
    words += ["--perceptual", "random", "--frame-size", "64"]
    return subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, *map(str, words), "--device", "cpu"],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(video: Path, out: Path) -> dict[str, object]:
    """What it prints at its end."""
    process = start(video, out)
    output, errors = process.communicate(timeout=1800)
    assert process.returncode == 0, errors
    made: dict[str, object] = json.loads(output)
    return made


def count_lines(path: Path) -> int:
    """Of a log; 0 where there is none yet."""
    return len(path.read_text().splitlines()) if path.is_file() else 0


STAGES: dict[str, Callable[[Path], bool]] = {
    "ingest": lambda out: any((out / "data" / "shards").glob(".*/*")),
    "motion": lambda out: count_lines(out / "motion" / LOG) > 5,
    "renderer": lambda out: count_lines(out / "renderer" / LOG) > 50,
}
"""In which stage it dies -> that it is in the midst of it."""


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A talking head, beside a base model of random weights trained without this person."""
    pytest.importorskip("skimage")
    pytest.importorskip("espeakng_loader")
    folder = tmp_path_factory.mktemp("me")
    options = SampleOptions(identities=1, clips=1, seconds=SECONDS, size=256, workers=1)
    make_samples(folder / "made", options)
    save_model(folder / "base.pt", "ann")
    return (folder / "made" / "person00" / "clip00.mp4").rename(folder / "me.mp4")


@pytest.fixture(scope="module")
def undisturbed(video: Path) -> Path:
    """What one run leaves."""
    out = video.with_name("undisturbed")
    assert finish(video, out)["identity"] == "me"
    return out


def test_killed_in_every_stage_it_ends_as_if_undisturbed(
    video: Path, undisturbed: Path, tmp_path: Path
) -> None:
    out = video.with_name("killed")
    for stage, is_there in STAGES.items():
        process = start(video, out)
        while not is_there(out):
            assert process.poll() is None, f"{stage}: {process.communicate()}"
            time.sleep(0.02)
        kill_group(process)
        assert process.returncode < 0
        assert not (out / "person.json").exists()
    assert finish(video, out)["identity"] == "me"
    assert read_clips(out / "data") == read_clips(undisturbed / "data")
    for run in ("motion", "renderer"):
        assert read_weights(out / run) == read_weights(undisturbed / run)
    assert (out / "person.json").read_text() == (undisturbed / "person.json").read_text()


def test_what_it_made_speaks_and_can_be_judged(undisturbed: Path, tmp_path: Path) -> None:
    """A second and a half of a tone; then the clip itself, whose second half was held out."""
    audio = write_wav(tmp_path / "speech.wav", make_tone(1.55, 44_100), 44_100)
    out = tmp_path / "out.mp4"
    command = ["synthesize", "--audio", audio, "--person", undisturbed, "--out", out]
    result = CliRunner().invoke(main, [*map(str, command), "--device", "cpu"])
    assert result.exit_code == 0, result.output
    info, times, _ = read_all(out)
    assert ((info.width, info.height), len(times), info.audio_start) == ((256, 256), 46, 0)
    person = json.loads((undisturbed / "person.json").read_text())
    settings = ReenactmentSettings(
        shards=undisturbed / person["shards"],
        renderer=undisturbed / person["renderer"],
        background="crop",
        device="cpu",
    )
    (clip,) = read_clips(undisturbed / "data")
    film = reenact(clip, settings, tmp_path / "clip.mp4")
    assert film.whole.num_frames == 30 * SECONDS
    assert film.held_out is not None
    assert film.held_out.num_frames == pytest.approx(15 * SECONDS, abs=20)
