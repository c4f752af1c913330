"""Four people whose renderers are measured: clips of all of them in one dataset, and their runs.

`python -m tests.results.four FOLDER` copies their videos to `FOLDER/videos`, for another build to
ingest.
"""

import argparse
import math
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.numbered import run_ffmpeg
from tests.results.grid import SENTENCES
from tests.results.kept import train_kept
from tests.results.people import SHORT, VIDEOS, Subject, cut_media, find_real
from tests.results.real import LONGEST
from tests.results.runs import PRECISION
from tests.results.setup import OUT, Setup
from toolkit.dataset.manifest import read_table
from toolkit.ingest import ingest
from toolkit.ingest.options import IngestOptions
from zoo.models.renderer.options import BASE_SHARE, RendererRecipe
from zoo.training.stages import StageLog

SPEAKER, CROPPED = "grid_s1", "129"

CROPPED_VIDEO = "Weizhi-Zhong_IP_LAP/test/template_video/129.mp4"
"""The longest video of 256 × 256 px that shows hardly more than a face, and has no sound."""

NOISE = "anoisesrc=amplitude=0.02:seed=1:sample_rate=16000"


@dataclass(frozen=True)
class Sitter:
    """One of the four.

    Attributes:
        identity: who.
        epochs: name of the setup's number of epochs.
    """

    identity: str
    epochs: str


SITTERS = (
    Sitter(LONGEST, "alone_epochs"),
    Sitter(SHORT, "sitter_epochs"),
    Sitter(SPEAKER, "sentence_epochs"),
    Sitter(CROPPED, "cropped_epochs"),
)

MAN, WOMAN = SITTERS[0], SITTERS[1]


def find_dataset(setup: Setup) -> Path:
    """The dataset of all four: another build's where one is given, for it cannot read this one's.

    That lies in the folder `before` as `data`.
    """
    if setup.before is not None and (setup.before / "data").is_dir():
        return setup.before / "data"
    return ingest_four(setup)


def ingest_four(setup: Setup) -> Path:
    """The dataset of all four, made unless it is there."""
    out = setup.out / "four"
    if not (out / "ingested").is_file():
        ingest(collect_videos(setup, out / "videos"), IngestOptions(), out=out / "data", workers=1)
        (out / "ingested").touch()
    return out / "data"


def collect_videos(setup: Setup, folder: Path) -> Path:
    """Copies of all videos, each in a folder that is named as who is in it; returns `folder`."""
    videos = {cut_media(setup, find_real(path)): name for name, path in VIDEOS.items()}
    sentences = sorted(find_real(SENTENCES).glob("*.mkv"))[: setup.sentences_drawn]
    for video, identity in {**videos, **dict.fromkeys(sentences, SPEAKER)}.items():
        (folder / identity).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(video, folder / identity / video.name)
    add_noise(cut_media(setup, find_real(CROPPED_VIDEO)), folder / CROPPED / f"{CROPPED}.mkv")
    return folder


def add_noise(video: Path, copy: Path) -> None:
    """Write a copy of a video without sound that has a quiet noise: a clip needs both."""
    copy.parent.mkdir(parents=True, exist_ok=True)
    run_ffmpeg(
        "-i", video, "-f", "lavfi", "-i", NOISE, "-map", "0:v:0", "-map", "1:a", "-c:v", "copy",
        "-c:a", "pcm_s16le", "-shortest", copy,
    )  # fmt: skip


def list_sitters(setup: Setup) -> Iterator[Sitter]:
    """Those of the four of whom there are clips."""
    known = set(read_table(find_dataset(setup), "clips")["identity"])
    yield from (sitter for sitter in SITTERS if sitter.identity in known)


def train_sitter(setup: Setup, sitter: Sitter, name: str = "", **changes: Any) -> Subject:
    """A renderer of one of them, trained unless it is there; `changes` to its recipe have a name.

    Its run keeps checkpoints. Those beside another build are trained on that build's dataset. All
    but the man's begin with a base where one is given, for a third of the epochs.
    """
    dataset, epochs = find_dataset(setup), int(getattr(setup, sitter.epochs))
    runs = "renderers" if setup.before is None else "renderers-beside"  # of another dataset
    out = setup.out / runs / "-".join(filter(None, (sitter.identity, name)))
    plan: dict[str, Any] = {
        "shards": (dataset / "shards").resolve(),
        "identity": sitter.identity,
        "preset": "small",
        "epochs": epochs,
        "holdout": setup.holdout,
        "precision": PRECISION,
        "device": "cpu",
    }
    if setup.renderer_base is not None and sitter is not MAN:
        plan |= {"base": setup.renderer_base.resolve(), "epochs": math.ceil(BASE_SHARE * epochs)}
    recipe = RendererRecipe(**plan | changes)
    print(f"{out.name}: {recipe.epochs} epochs", file=sys.stderr)
    StageLog(out).run("renderer", lambda: train_kept(recipe, out, setup.keep_every))
    return Subject(identity=sitter.identity, shards=recipe.shards, renderer=out, stages=out)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.results.four", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="Of the other build.")
    collect_videos(Setup(out=OUT), parser.parse_args().folder / "videos")
