"""StyleHEAT's trainings, each made once, one upon the other; a killed one goes on."""

import functools
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


@dataclass(frozen=True)
class Runs:
    """Checkpoints of all that is trained: each when it is asked for, and what it is made upon.

    Attributes:
        setup: of the experiments.
        workers: processes of ingest.
    """

    setup: Setup
    workers: int

    @functools.cached_property
    def dataset(self) -> Path:
        """Of all subjects, none of whom is in two parts."""
        return ingest_subjects(self.setup, self.workers)

    @functools.cached_property
    def talkers(self) -> Path:
        """Of those whose own voice is heard."""
        return choose_talkers(self.dataset, self.setup.out / "talkers")

    @functools.cached_property
    def prior(self) -> Path:
        """The generator and what inverts pictures."""
        options = PriorRecipe(**self._see(self.dataset), epochs=self.setup.prior_epochs)
        return _finish(train_prior, options, self.setup.out / "styleheat-prior")

    @functools.cached_property
    def sync(self) -> Path:
        """The judge of lip-sync, D_sync of the stages with sound."""
        options = SyncNetRecipe(**self._see(self.talkers), epochs=self.setup.lip_epochs)
        return _finish(train_syncnet, options, self.setup.out / "styleheat-sync")

    @functools.cached_property
    def video(self) -> Path:
        """Stage 1a, without a prior: a step that draws nothing takes a third of the time."""
        options = VideoOptions(**self._see(self.dataset), epochs=self.setup.warp_epochs)
        return _finish(train_video, options, self.setup.out / "styleheat-video")

    @functools.cached_property
    def audio(self) -> Path:
        """Stage 1b."""
        options = AudioOptions(
            **self._see(self.talkers), video=self.video, syncnet=self.sync,
            epochs=self.setup.lip_warp_epochs,
        )  # fmt: skip
        return _finish(train_audio, options, self.setup.out / "styleheat-audio")

    @functools.cached_property
    def mended(self) -> Path:
        """Stage 2a."""
        options = CalibrationOptions(
            **self._see(self.dataset), video=self.video, prior=self.prior,
            epochs=self.setup.mend_epochs,
        )  # fmt: skip
        return _finish(train_calibration, options, self.setup.out / "styleheat-mended")

    @functools.cached_property
    def spoken(self) -> Path:
        """Stage 2b."""
        options = CalibrationOptions(
            **self._see(self.talkers), with_=AUDIO, calibration=self.mended, audio=self.audio,
            syncnet=self.sync, epochs=self.setup.lip_mend_epochs,
        )  # fmt: skip
        return _finish(train_calibration, options, self.setup.out / "styleheat-spoken")

    def list_stages(self) -> dict[str, Path]:
        """By the names that the page has for them."""
        return {
            "styleheat-prior": self.prior,
            "styleheat-video (1a)": self.video,
            "syncnet": self.sync,
            "styleheat-audio (1b)": self.audio,
            "styleheat-calibration --with video (2a)": self.mended,
            "styleheat-calibration --with audio (2b)": self.spoken,
        }

    def _see(self, dataset: Path) -> dict[str, Any]:
        return {"shards": dataset / "shards", "preset": PRESET, "device": "cpu"}


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
