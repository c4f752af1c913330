"""StyleHEAT's trainings, each made once, one upon the other; a killed one goes on."""

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.results.cascaded_subjects import SUBJECTS, TEST, ingest_subjects
from tests.results.setup import Setup
from toolkit.dataset.manifest import read_table, write_split
from zoo.cli.progress import TrainProgress
from zoo.models.styleheat.audio import train_audio
from zoo.models.styleheat.joint import train_calibration
from zoo.models.styleheat.options import AUDIO, AudioOptions, CalibrationOptions, VideoOptions
from zoo.models.styleheat.video import train_video
from zoo.models.styleheat_prior.options import PriorRecipe
from zoo.models.styleheat_prior.recipe import train_prior
from zoo.models.syncnet.options import SyncNetRecipe
from zoo.models.syncnet.recipe import train_syncnet
from zoo.training.checkpoint import load_checkpoint
from zoo.training.loop import BEST, LAST

PRESET = "small"
"""Of everything that is trained here."""


@dataclass(frozen=True, kw_only=True)
class Runs:
    """Checkpoints of all that is trained.

    Attributes:
        dataset: of all subjects, none of whom is in two parts.
        prior: the generator and what inverts pictures.
        sync: the judge of lip-sync, D_sync of the stages with sound.
        video: stage 1a.
        audio: stage 1b.
        mended: stage 2a.
        spoken: stage 2b.
    """

    dataset: Path
    prior: Path
    sync: Path
    video: Path
    audio: Path
    mended: Path
    spoken: Path

    def list_stages(self) -> dict[str, Path]:
        """By the names that the page has for them."""
        return {
            "styleheat-prior": self.prior,
            "syncnet": self.sync,
            "styleheat-video (1a)": self.video,
            "styleheat-audio (1b)": self.audio,
            "styleheat-calibration --with video (2a)": self.mended,
            "styleheat-calibration --with audio (2b)": self.spoken,
        }


def train_all(setup: Setup, workers: int) -> Runs:
    """Every stage, unless it is there."""
    people = ingest_subjects(setup, workers)
    talkers = choose_talkers(people, setup.out / "talkers")
    out = setup.out
    common: dict[str, Any] = {"shards": people / "shards", "preset": PRESET, "device": "cpu"}
    heard = common | {"shards": talkers / "shards"}
    prior = _finish(
        train_prior, PriorRecipe(**common, epochs=setup.prior_epochs), out / "styleheat-prior"
    )
    video = _finish(
        train_video,
        VideoOptions(**common, prior=prior, epochs=setup.warp_epochs),
        out / "styleheat-video",
    )
    sync = _finish(
        train_syncnet, SyncNetRecipe(**heard, epochs=setup.lip_epochs), out / "styleheat-sync"
    )
    audio = _finish(
        train_audio,
        AudioOptions(**heard, video=video, syncnet=sync, epochs=setup.warp_epochs),
        out / "styleheat-audio",
    )
    mended = _finish(
        train_calibration,
        CalibrationOptions(**common, video=video, epochs=setup.mend_epochs),
        out / "styleheat-mended",
    )
    spoken = _finish(
        train_calibration,
        CalibrationOptions(
            **heard, with_=AUDIO, calibration=mended, audio=audio, syncnet=sync,
            epochs=setup.mend_epochs,
        ),
        out / "styleheat-spoken",
    )  # fmt: skip
    return Runs(
        dataset=people, prior=prior, sync=sync, video=video, audio=audio, mended=mended,
        spoken=spoken,
    )  # fmt: skip


def _finish(train: Callable[..., Any], options: Any, out: Path) -> Path:
    """The best checkpoint of a run, trained to its end unless it is."""
    last = out / LAST
    if last.is_file() and load_checkpoint(last)["epoch"] >= options.epochs:
        return out / BEST  # what it was trained with need not be read again
    print(f"{out.name}: {options.epochs} epochs", file=sys.stderr, flush=True)
    with TrainProgress(options.epochs, "pictures") as progress:
        train(options, out, resume=last.is_file(), on_step=progress.advance)
    return out / BEST


def choose_talkers(people: Path, out: Path) -> Path:
    """A copy of the dataset, in whose split are those alone whose own voice is heard."""
    if not (out / "divided").is_file():
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(people / "manifests", out / "manifests")
        shutil.copytree(people / "shards", out / "shards")
        names = dict(read_table(people, "split")[["clip_id", "split"]].itertuples(index=False))
        made = {"by": "identity", "ratio": "talkers", "seed": 0}
        rows = [
            {"clip_id": clip, "split": names[clip], **made}
            for clip, identity in read_table(people, "clips")[["clip_id", "identity"]].itertuples(
                index=False
            )
            if clip in names and SUBJECTS[identity].talks
        ]
        write_split(out, rows)
        (out / "divided").touch()
    return out


def describe_runs(runs: Runs) -> list[dict[str, Any]]:
    """A row for each: how long it was trained, and what its best epoch has."""
    rows = []
    for name, path in runs.list_stages().items():
        content = load_checkpoint(path.with_name(LAST))
        best = content["best"]
        rows.append(
            {
                "trained": name,
                "steps": int(content["total_steps"]),
                "epoch chosen": 1 + int(best["epoch"]),
                "score": best["score"],
                "score, still": best.get("score still", "–"),
            }
        )
    return rows


def list_held(runs: Runs, *, talk: bool = False) -> list[str]:
    """Names of those that nothing was trained on; `talk`: whose own voice is heard."""
    known = set(read_table(runs.dataset, "clips")["identity"])
    return [
        name for name, subject in SUBJECTS.items()
        if subject.part == TEST and name in known and (subject.talks or not talk)
    ]  # fmt: skip
