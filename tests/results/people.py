"""People whose faces are drawn: two of real videos and a generated one; their models.

What is trained already is not trained again, and what was killed goes on.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.accuracy.real import find_data
from tests.numbered import run_ffmpeg
from tests.results.heard import SHIPPED, Heard
from tests.results.real import LONGEST, ingest_clips, load_real
from tests.results.runs import PRECISION, plan_base, train_once
from tests.results.setup import MissingDataError, Setup, Table
from toolkit.dataset.manifest import has_split, write_split
from toolkit.media.video import read_duration
from toolkit.sample import SampleOptions, make_samples
from zoo.cli.progress import TrainProgress
from zoo.models.renderer.options import RendererRecipe
from zoo.models.renderer.recipe import train_renderer
from zoo.speaking.options import PersonalizationSettings
from zoo.speaking.person_file import load_person
from zoo.speaking.personalize import Personalization
from zoo.training.loop import BEST, LAST
from zoo.training.stages import StageLog

VIDEOS = {
    LONGEST: "sstzal_DFRF/dataset/vids/cnn2_25fps.mp4",
    "WDA_KatieHill_000": "OpenTalker_SadTalker/examples/ref_video/WDA_KatieHill_000.mp4",
}
"""Identity -> video, from the folder of real data."""

SHORT = "WDA_KatieHill_000"

EVERY = 6
"""Of the clips that the base model has, every sixth chooses its epoch."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A person with a trained renderer.

    Attributes:
        identity: who.
        shards: with their clips.
        renderer: folder of the run.
        stages: folder with the times of its training.
    """

    identity: str
    shards: Path
    renderer: Path
    stages: Path


def find_real(*names: str) -> Path:
    """A file or folder of the real data; MissingDataError where it is not there."""
    folder = find_data()
    path = Path("nowhere") if folder is None else folder.joinpath(*names)
    if not path.exists():
        raise MissingDataError(f"no {'/'.join(names)} (TTK_REAL_DATA)")
    return path


def cut_media(setup: Setup, source: Path) -> Path:
    """A file with a picture or sound; its beginning in a file of the same name, if too long."""
    if not read_duration(source) > setup.most_seconds:
        return source
    target = setup.out / "cut" / source.name
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.is_file():
        run_ffmpeg("-i", source, "-t", str(setup.most_seconds), "-c", "copy", target)
    return target


# --- motion -------------------------------------------------------------------------------------


def train_real_base(setup: Setup) -> Path:
    """Checkpoint of a motion model of the real clips, without anything of the longest video."""
    dataset = ingest_clips(setup.out / "real", workers=1)
    loud = load_real(Heard(SHIPPED, dataset))
    others = [clip.id for clip in loud if clip.identity != LONGEST]
    if not has_split(dataset):
        write_split(dataset, list(_divide(others)))
    recipe = plan_base(setup, dataset, epochs=setup.real_epochs)
    return train_once(recipe, setup.out / "video-base") / BEST


def _divide(clips: Sequence[str]) -> list[dict[str, object]]:
    """Rows of a split: every sixth clip chooses; what is not named is in no part."""
    return [
        {"clip_id": clip, "split": "train" if k % EVERY else "val", "by": "clip",
         "ratio": f"{EVERY - 1}-1-0", "seed": 0}
        for k, clip in enumerate(clips)
    ]  # fmt: skip


# --- whole persons ------------------------------------------------------------------------------


def personalize_longest(setup: Setup) -> Path:
    """Folder of the man of the longest video, ready to speak."""
    video = cut_media(setup, find_real(VIDEOS[LONGEST]))
    return personalize(setup, video, setup.out / "video-person")


def make_sample_video(setup: Setup) -> Path:
    """The generated person's video."""
    folder = setup.out / "video-samples"
    options = SampleOptions(identities=1, clips=1, seconds=setup.sample_seconds, workers=1)
    if not (folder / "truth.json").is_file():
        make_samples(folder, options)
    (video,) = folder.glob("*/*.mp4")
    return video


def personalize_sample(setup: Setup) -> Path:
    """Folder of a generated person, ready to speak."""
    return personalize(setup, make_sample_video(setup), setup.out / "video-sample-person")


def personalize(setup: Setup, video: Path, out: Path) -> Path:
    """What `zoo personalize` does, with the time that each stage takes noted; returns `out`."""
    settings = PersonalizationSettings(
        base=train_real_base(setup),
        preset="small",
        holdout=setup.holdout,
        motion_epochs=setup.person_epochs,
        renderer_epochs=setup.renderer_epochs,
        precision=PRECISION,
        device="cpu",
    )
    work, log = Personalization(video, settings, out), StageLog(out)
    print(f"{out.name}: {video.name}", file=sys.stderr)
    work.check()
    log.run("ingest", work.ingest)
    with TrainProgress(settings.motion_epochs, "windows") as progress:
        log.run("fine-tuning", lambda: work.finetune(progress.advance))
    with TrainProgress(settings.renderer_epochs, "frames") as progress:
        log.run("renderer", lambda: work.train_renderer(progress.advance))
    work.save()
    return out


def run_personalization(setup: Setup) -> dict[str, Table]:
    """How long one command takes from the longest video to a person who can speak."""
    log = StageLog(personalize_longest(setup))
    return {"personalize": Table(log.tabulate())}


# --- renderers ----------------------------------------------------------------------------------


def find_longest(setup: Setup) -> Subject:
    """The man of the longest video."""
    return _find_subject(personalize_longest(setup))


def find_sample(setup: Setup) -> Subject:
    """The generated person."""
    return _find_subject(personalize_sample(setup))


def _find_subject(folder: Path) -> Subject:
    person = load_person(folder)
    return Subject(
        identity=person.identity,
        shards=person.shards,
        renderer=person.renderer.parent,
        stages=folder,
    )


def train_without_eyes(setup: Setup) -> Subject:
    """The same man, drawn without the eye-attention map, all else being equal."""
    shards = find_longest(setup).shards
    return train_alone(
        setup, LONGEST, shards, "video-without-eyes", setup.renderer_epochs, without="eyes"
    )


def train_short(setup: Setup) -> Subject:
    """The woman of the short video: a renderer alone."""
    shards = ingest_clips(setup.out / "real", workers=1) / "shards"
    return train_alone(setup, SHORT, shards, "video-short", setup.short_epochs)


def train_alone(
    setup: Setup, identity: str, shards: Path, name: str, epochs: int, without: str = ""
) -> Subject:
    """A renderer of one person, `setup.holdout` of whose time is held out."""
    recipe = RendererRecipe(
        shards=shards.resolve(),
        identity=identity,
        preset="small",
        epochs=epochs,
        without=without,
        holdout=setup.holdout,
        precision=PRECISION,
        device="cpu",
    )
    out = setup.out / name
    print(f"{name}: {epochs} epochs", file=sys.stderr)
    with TrainProgress(epochs, "frames") as progress:
        StageLog(out).run(
            "renderer",
            lambda: train_renderer(
                recipe, out, resume=(out / LAST).is_file(), on_step=progress.advance
            ),
        )
    return Subject(identity=identity, shards=shards, renderer=out, stages=out)
