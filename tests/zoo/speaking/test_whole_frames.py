# ruff: noqa: F401, F811 (fixtures are imported)
"""`--background full` as its user meets it: whole frames are shown as they are drawn."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests import datasets
from tests.numbered import read_all
from tests.zoo.speaking.test_commands import (
    SIZE,
    Stages,
    data,
    load_clip,
    make_data,
    make_stand_in,
    personalize,
    reenact,
    refused,
    renderer,
    synthesize,
    video,
    write_speech,
)

SQUARE = (80, 0, 560, 480)


@pytest.fixture
def whole(data, monkeypatch: pytest.MonkeyPatch) -> None:
    """The dataset's clip has whole frames."""
    monkeypatch.setattr(datasets, "CROP", SQUARE)
    shutil.rmtree(data)
    make_data(data)


@pytest.fixture
def drawn(whole, data, renderer):
    """A renderer of whole frames, and where its clips are."""
    renderer["now"] = make_stand_in(load_clip(data), whole_frames=True)
    return data


@pytest.mark.parametrize("words", [(), ("--background", "auto"), ("--background", "full")])
def test_whole_frames_are_the_video_and_their_source_is_not_needed(drawn, words):
    """Of 32 px, though the source has 160 × 120, and is gone."""
    (drawn / "data/videos/ann.mp4").unlink()
    assert synthesize(drawn, write_speech(drawn / "a.wav"), *words).exit_code == 0
    info, times, _ = read_all(drawn / "out.mp4")
    assert ((info.width, info.height), len(times)) == ((SIZE, SIZE), 30)
    (drawn / "out.mp4").unlink()
    result = reenact(drawn, *words, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["whole"]["psnr"] is None  # the stand-in draws what is stored
    info, _, _ = read_all(drawn / "out.mp4")
    assert (info.width, info.height) == (SIZE, SIZE)


@pytest.mark.parametrize("background", ["source", "crop"])
def test_a_renderer_of_whole_frames_is_laid_over_nothing(drawn, background):
    words = ("--background", background)
    for result in (
        synthesize(drawn, write_speech(drawn / "a.wav"), *words),
        reenact(drawn, *words),
    ):
        line = refused(drawn, result)
        assert line.endswith(f"draws whole frames: leave --background {background} away")


def test_a_renderer_of_heads_gives_no_whole_frames(whole, data, renderer):
    words = ("--background", "full")
    for result in (synthesize(data, write_speech(data / "a.wav"), *words), reenact(data, *words)):
        line = refused(data, result)
        assert "draws heads, and no whole frames: train one that does with zoo train rend" in line


def test_whole_frames_need_clips_of_whole_frames(data, renderer):
    renderer["now"] = make_stand_in(load_clip(data), whole_frames=True)
    line = refused(data, synthesize(data, write_speech(data / "a.wav")))
    assert "a crop is stored of it, and no whole frames: run ttk ingest with --crop picture" in line


# --- personalize --------------------------------------------------------------------------------


class Recorder(Stages):
    """Remembers what ingest and the renderer were asked for."""

    def ingest(self, video, options, **more):
        self.ingested = options
        super().ingest(video, options, **more)

    def train(self, model, recipe, out, **more):
        self.recipe = recipe
        return super().train(model, recipe, out, **more)


@pytest.mark.parametrize(
    ("words", "crop", "size"),
    [
        ((), "face", 256),
        (("--preset", "paper"), "face", 256),
        (("--background", "full"), "picture", 256),
        (("--background", "full", "--preset", "paper"), "picture", 512),
        (("--background", "full", "--frame-size", "512"), "picture", 512),
        (("--background", "full", "--preset", "paper", "--frame-size", "256"), "picture", 256),
        (("--frame-size", "96"), "face", 96),
    ],
)
def test_a_person_is_ingested_as_they_are_to_be_drawn(video, monkeypatch, words, crop, size):
    done = Recorder(monkeypatch)
    assert personalize(video, *words, "--perceptual", "random").exit_code == 0
    assert (done.ingested.crop, done.ingested.frame_size) == (crop, size)
    assert done.recipe.background == {"face": "source", "picture": "full"}[crop]


def test_a_side_that_no_network_takes_is_refused_before_ingest(video, monkeypatch):
    done = Recorder(monkeypatch)
    result = personalize(video, "--frame-size", "100")
    assert result.exit_code == 2
    assert "--frame-size 100: give a multiple of 32" in result.stderr
    assert done.calls == []
