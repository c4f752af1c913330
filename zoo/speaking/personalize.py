"""From one video of a person to everything that is needed to let them speak.

Three stages, each in a folder of its own: `data` (ingest), `motion` (FACIAL-GAN, fine-tuned from a
base model) and `renderer`. What is done is left alone, what was killed goes on.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from toolkit.clock import FRAME_RATES
from toolkit.dataset.job_records import read_jobs
from toolkit.dataset.manifest import read_table
from toolkit.errors import SourceError, ToolkitError
from toolkit.features import BACKENDS
from toolkit.ingest import ingest
from toolkit.ingest.backends import load_backends
from toolkit.ingest.jobs import Plan
from toolkit.ingest.options import IngestOptions
from toolkit.ingest.runners.base import Progress
from toolkit.media.video import probe
from toolkit.schema import SPEECH_FEATURES
from toolkit.storage import check_place, hash_file
from zoo.data import MOTION_LAYOUT, WINDOW, Holdout, describe_backend
from zoo.data.contract import Contract
from zoo.data.holdout import Cut, find_cuts
from zoo.models.registry import make_options, open_model, train_model
from zoo.speaking.options import PersonalizationSettings
from zoo.speaking.person_file import NAME, PersonFile, save_person
from zoo.training.checkpoint import load_checkpoint
from zoo.training.distributed import Distributed, find_device
from zoo.training.loop import BEST, LAST, Metrics, Step
from zoo.training.perceptual import open_perceptual

MOTION, RENDERER = "facial-gan", "renderer"
"""Families that a person is learnt by."""

OnStep = Callable[[Step], None]


@dataclass(frozen=True)
class Personalization:
    """One person's folder in the making; `check`, then the stages, are called in their order.

    Attributes:
        video: of the person, alone in it and speaking; their name is the file's.
        settings: see there.
        out: the folder.
    """

    video: Path
    settings: PersonalizationSettings
    out: Path

    @property
    def dataset(self) -> Path:
        """Of the first stage."""
        return self.out / "data"

    def check(self) -> None:
        """Refuse what cannot come out well, before anything is made.

        Raises:
            ToolkitError: not a video with sound, a folder of another one, or that cannot be
                written to, no such device, a judge without its weights, a base of the renderer
                that is none, or a base model whose features are not those that this installation
                makes.
        """
        check_video(self.video)
        check_place(self.out / NAME)
        find_device(self.settings.device)
        open_perceptual(self.settings.perceptual, self.settings.vgg)
        if self.settings.renderer_base is not None:
            check_renderer_base(self.settings.renderer_base, self.settings)
        contract = open_model(self.settings.base, makes="motion").contract
        check_base(contract, self.settings.base)
        jobs = read_jobs(self.dataset)
        if jobs and hash_file(self.video) not in {s.sha256 for job in jobs for s in job.sources}:
            raise ToolkitError(f"{self.out}: was made of another video: choose another --out")

    def ingest(
        self,
        *,
        on_plan: Callable[[Plan], None] = lambda plan: None,
        on_progress: Callable[[Progress], None] = lambda progress: None,
    ) -> None:
        """Stage 1: clips of the video, at the base model's frame rate.

        Raises:
            ToolkitError: there is no clip in it, or too little of one.
        """
        options = replace(
            plan_ingest(open_model(self.settings.base, makes="motion").contract),
            frame_size=self.settings.frame_size,
            crop="picture" if self.settings.background == "full" else "face",
        )
        load_backends.cache_clear()  # the worker has its own
        ingest(
            self.video,
            options,
            out=self.dataset,
            workers=1,
            on_plan=on_plan,
            on_progress=on_progress,
        )
        self.find_identity()

    def find_identity(self) -> str:
        """The identity in the video.

        Raises:
            ToolkitError: no face, for too short a time to hold a part out, or in pieces too short.
        """
        clips, share = read_table(self.dataset, "clips"), self.settings.holdout
        if clips.empty:
            reasons = read_table(self.dataset, "rejected")["message"].tolist()
            raise ToolkitError(f"{self.video}: no clip comes of it: {'; '.join(reasons[:3])}")
        fps, num_frames = int(clips["fps"].iloc[0]), int(clips["num_frames"].sum())
        needed = math.ceil(max(WINDOW / share, 2 * WINDOW / (1 - share)))
        if num_frames < needed:
            raise ToolkitError(
                f"{self.video}: {num_frames / fps:.1f} s of a face are too short: with --holdout "
                f"{share:g} at least {math.ceil(needed / fps)} s are needed"
            )
        identity = str(clips["identity"].iloc[0])
        cut = find_cuts(clips, Holdout(share=share, identity=identity))[identity]
        for held, what in ((False, "to learn from"), (True, "held out")):
            if (longest := measure_longest(clips, cut, held=held)) < WINDOW:
                raise ToolkitError(
                    f"{self.video}: the longest stretch {what} has {longest / fps:.1f} s, but "
                    f"{WINDOW / fps:.1f} s without a break are needed: take another video or "
                    "--holdout"
                )
        return identity

    def finetune(self, on_step: OnStep = lambda step: None) -> Metrics:
        """Stage 2: how the person moves when they speak; errors as of the family."""
        settings, out = self.settings, self.out / "motion"
        base = load_checkpoint(settings.base, MOTION)["model"]
        recipe = make_options(
            MOTION,
            "finetuning",
            shards=(self.dataset / "shards").resolve(),
            base=settings.base.resolve(),
            identity=self.find_identity(),
            preset=base["preset"],
            without=base["without"],
            window=base.get("window", WINDOW),
            speech_features=Contract.from_state(base["contract"]).speech_features,
            epochs=settings.motion_epochs,
            holdout=settings.holdout,
            precision=settings.precision,
            device=settings.device,
            workers=settings.workers,
            seed=settings.seed,
        )
        return self._train(MOTION, recipe, out, on_step)

    def train_renderer(self, on_step: OnStep = lambda step: None) -> Metrics:
        """Stage 3: how the person looks; errors as of the family."""
        recipe, out = self.plan_renderer(), self.out / "renderer"
        return self._train(RENDERER, recipe, out, on_step)

    def plan_renderer(self) -> Any:
        """What stage 3 does."""
        settings = self.settings
        return make_options(
            RENDERER,
            "training",
            shards=(self.dataset / "shards").resolve(),
            identity=self.find_identity(),
            preset=settings.preset,
            epochs=settings.renderer_epochs,
            holdout=settings.holdout,
            base=settings.renderer_base.resolve() if settings.renderer_base else None,
            background=settings.background,
            perceptual=settings.perceptual,
            vgg=settings.vgg.resolve() if settings.vgg else None,
            precision=settings.precision,
            device=settings.device,
            workers=settings.workers,
            seed=settings.seed,
        )

    def save(self) -> PersonFile:
        """Say where everything lies: from now on the person can speak."""
        person = PersonFile(
            identity=self.find_identity(),
            shards=self.dataset / "shards",
            motion_model=self.out / "motion" / BEST,
            renderer=self.out / "renderer" / BEST,
        )
        save_person(self.out, person)
        return person

    def _train(self, name: str, recipe: Any, out: Path, on_step: OnStep) -> Metrics:
        distributed = Distributed(device=find_device(self.settings.device))
        resume = (out / LAST).is_file()
        return train_model(
            name, recipe, out, distributed=distributed, resume=resume, on_step=on_step
        )


def measure_longest(clips: pd.DataFrame, cut: Cut, *, held: bool) -> int:
    """Frames of the longest piece of a clip that a cut holds out, or leaves."""
    names = ("source", "start_frame", "num_frames")
    places = zip(*(clips[name].tolist() for name in names), strict=True)
    return max(last - first for first, last in (cut.keep(*place, held=held) for place in places))


def check_video(path: Path) -> None:
    """ToolkitError where a file is not a video with sound."""
    if not path.is_file():
        what = "a folder: name one video" if path.is_dir() else "no such video"
        raise ToolkitError(f"{path}: {what}")
    try:
        _, streams = probe(path)
    except SourceError as error:
        raise ToolkitError(f"{path}: {error}: name a video of one person who speaks") from error
    if streams.audio is None:
        raise ToolkitError(f"{path}: has no sound: name a video of one person who speaks")


def plan_ingest(contract: Contract) -> IngestOptions:
    """How a video is ingested for a model: its frame rate and speech features, default backends.

    Raises:
        ToolkitError: no dataset has that frame rate.
    """
    if contract.fps not in FRAME_RATES:
        known = " or ".join(map(str, FRAME_RATES))
        raise ToolkitError(
            f"the base model has {contract.fps} frames a second, shards have {known}"
        )
    reads_states = contract.speech_features == "whisper"
    whisper = next(iter(BACKENDS["whisper"])) if reads_states else "none"
    return IngestOptions(fps=contract.fps, identity="stem", whisper=whisper)


def check_renderer_base(path: Path, settings: PersonalizationSettings) -> None:
    """ToolkitError where a file is no renderer of the settings' preset, frames and background."""
    content, full = load_checkpoint(path, RENDERER)["model"], settings.background == "full"
    found = content.get("preset"), content.get("size")
    if found != (settings.preset, settings.frame_size):
        raise ToolkitError(
            f"{path}: of preset {found[0]} and {found[1]} px, not {settings.preset} and "
            f"{settings.frame_size} px: choose another --renderer-base"
        )
    if bool(content.get("whole_frames", False)) != full:
        drawn, asked = ("heads", "whole frames") if full else ("whole frames", "heads")
        raise ToolkitError(
            f"{path}: draws {drawn}, not {asked}: choose another --renderer-base or --background"
        )


def check_base(contract: Contract, path: Path) -> None:
    """ToolkitError where a base model knows features that ingest would make in another way."""
    options = plan_ingest(contract)
    made = load_backends(options).provenance()
    found = Contract(
        layout=MOTION_LAYOUT,
        fps=options.fps,
        scale="log_prob" if contract.speech_features == SPEECH_FEATURES[0] else contract.scale,
        backends={feature: describe_backend(made[feature]) for feature in made},
        speech_features=contract.speech_features,
    )
    contract.refuse_others(found, f"what ttk ingest makes by default, for {path}")
