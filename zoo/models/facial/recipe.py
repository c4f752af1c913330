"""Train FACIAL-GAN on the windows of a dataset, or fine-tune it to one identity.

Zhang et al., ICCV 2021, sections 3.2 (losses) and 5.1 (schedule, ω1 to ω6, T).
"""

import functools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from toolkit.errors import ToolkitError
from zoo.data import (
    AU45,
    EXPRESSION,
    MIN_FRAMES,
    POSE,
    WINDOW,
    ClipSet,
    Holdout,
    MotionBatch,
    MotionBatches,
    MotionWindows,
    Normalisation,
    load_clips,
)
from zoo.data.clips import take_fingerprint, warn_of_short
from zoo.data.contract import Contract, make_contract
from zoo.data.fingerprint import Fingerprint
from zoo.data.source import load_parts
from zoo.metrics.dynamics import compare_spectra, measure_spectrum
from zoo.models.facial import FAMILY
from zoo.models.facial.losses import gradient_ratio, output_gradients
from zoo.models.facial.model import create_facial_gan, load_weights
from zoo.models.facial.options import FacialRecipe, FinetuneRecipe
from zoo.models.facial.presets import PRESETS
from zoo.motion.generate import Motion, clip_au45, generate_motion
from zoo.motion.head_map import HeadMap
from zoo.motion.lids import LidMap
from zoo.training.adversaries import Adversaries
from zoo.training.averaging import RunningMean
from zoo.training.checkpoint import load_checkpoint
from zoo.training.distributed import Distributed
from zoo.training.loop import Metrics, Setting, Task, trainer
from zoo.training.networks import copy_to_cpu
from zoo.training.options import to_plain

UNITS = 2
"""Of what networks see, in a run's state; 1, without a name: AU45 over 5, log-probabilities of the
kind `clip` as stored."""

SETTLING_WINDOWS = 2048
"""By which statistics of batch normalisation are computed anew before each validation."""


@trainer
def train_facial(recipe: FacialRecipe, setting: Setting) -> "FacialTask":
    """Train on the training part of a dataset, or fine-tune to an identity; best figures.

    Raises:
        ToolkitError: the shards do not fit together, have no split or no clip of
            `MIN_FRAMES`, or differ from those of the base model; and see `train`.
    """
    clips = choose_clips(recipe)
    warn_of_short(clips)
    return FacialTask(recipe, *clips, distributed=setting.distributed)


def choose_clips(recipe: FacialRecipe) -> tuple[ClipSet, ClipSet]:
    """What is trained on, and what the best epoch is chosen by.

    A base model trains on the part `train` of the split and is chosen by `val`, both less what is
    held out; fine-tuning as `load_parts` says.
    """
    shortest = MIN_FRAMES if PRESETS[recipe.preset].last_window else recipe.window
    load = functools.partial(
        load_clips,
        min_frames=min(shortest, recipe.window),
        speech_features=recipe.speech_features,
    )
    identity, share, gap = recipe.identity, recipe.holdout, recipe.window
    if isinstance(recipe, FinetuneRecipe):
        return load_parts(load, recipe.shards, identity=identity, share=share, gap=gap)
    holdout = Holdout(share=share, identity=identity or None, gap=gap) if share else None
    trained = load(recipe.shards, split="train", holdout=holdout)
    return trained, load(recipe.shards, split="val", holdout=holdout)


class FacialTask(Task):
    """FACIAL-GAN under training."""

    kind = FAMILY.name

    def __init__(
        self,
        recipe: FacialRecipe,
        trained: ClipSet,
        chosen_by: ClipSet,
        *,
        distributed: Distributed,
    ) -> None:
        """Make the networks, or take those of the base model.

        Raises:
            ToolkitError: the base model knows data of another kind, or is of another preset or
                length of windows.
        """
        torch.manual_seed(recipe.seed)
        self._recipe, self._distributed = recipe, distributed
        self._fingerprint = take_fingerprint(trained, chosen_by)
        self._contract = make_contract(trained)
        self._contract.refuse_others(make_contract(chosen_by), "the validation part")
        self._model = create_facial_gan(
            recipe.preset,
            without=recipe.without,
            weights=recipe.weights,
            speech_features=recipe.speech_features,
        )
        preset = PRESETS[recipe.preset]
        self._normalisation = Normalisation.fit(trained, preset.normalisation, scale=trained.scale)
        if isinstance(recipe, FinetuneRecipe):
            self._take_base(recipe, trained)
        self._lids: LidMap | None = None
        self._head: HeadMap | None = None
        self._clips = trained, chosen_by
        self._real_au45 = _gather_au45(trained)
        self._windows = MotionWindows(
            trained,
            self._normalisation,
            num_frames=recipe.window,
            stride=recipe.stride,
            last=preset.last_window,
        )
        length = max(recipe.window, WINDOW)  # spectra are of so many frames
        self._chosen_by = MotionWindows(
            chosen_by, self._normalisation, num_frames=length, stride=length
        )
        self._model.to(distributed.device)
        self._mean = RunningMean(self._model.generator, recipe.average) if recipe.average else None
        self._gan = Adversaries(
            self._model.generator,
            self._model.discriminator,
            recipe,
            distributed,
            rates=dict.fromkeys(("generator", "discriminator"), recipe.learning_rate),
        )

    def _take_base(self, recipe: FinetuneRecipe, trained: ClipSet) -> None:
        base = load_checkpoint(recipe.base, FAMILY.name)["model"]
        known_data = Contract.from_state(base["contract"])
        if (features := known_data.speech_features) != recipe.speech_features:
            raise ToolkitError(
                f"{recipe.base}: was trained on {features}, not on {recipe.speech_features}: add "
                f"--speech-features {features}"
            )
        known_data.refuse_others(self._contract, str(recipe.shards))
        if (window := base.get("window", WINDOW)) != recipe.window:
            raise ToolkitError(
                f"{recipe.base}: was trained on windows of {window} frames: add --window {window}"
            )
        fresh = PRESETS[recipe.preset].fresh_discriminator
        load_weights(self._model, base, recipe.base, discriminator=not fresh)
        known = Normalisation.from_state(base["normalisation"])
        self._normalisation = known.add_identities(trained)

    def recipe(self) -> dict[str, Any]:
        return to_plain(self._recipe)

    def fingerprint(self) -> Fingerprint:
        return self._fingerprint

    def count_steps(self, epoch: int) -> int:
        return len(self._make_epoch(epoch))

    def draw_batches(self, epoch: int, first: int) -> Iterator[MotionBatch]:
        pin = self._distributed.device.type == "cuda"
        return self._make_epoch(epoch).load(first, self._recipe.workers, pin_memory=pin)

    def step(self, batch: MotionBatch) -> Metrics:
        self._model.train()
        batch = batch.to(self._distributed.device)
        with self._gan.autocast():
            pred = self._gan.generate(batch.audio, batch.motion[:, 0]).float()
        terms = self._model.objective.regression(pred, batch.motion, mask=batch.mask)
        share = self._distributed.weigh(frames=batch.num_frames)["frames"]
        terms = {name: share * value for name, value in terms.items()}
        losses = {f"loss {name}": value.detach() for name, value in terms.items()}
        regression = torch.stack(list(terms.values())).sum()
        if self._model.objective.uses_gan:
            judge = functools.partial(self._model.discriminator, mask=batch.mask)
            losses |= self._gan.step_discriminator(judge, batch.motion, pred, self._compare)
            losses |= self._step_generator(pred, regression, batch)
        else:
            self._gan.step("generator", regression.backward)
        if self._mean:
            self._mean.update()
        return self._gan.read_losses(losses, len(batch))

    def _compare(self, real: torch.Tensor, generated: torch.Tensor) -> torch.Tensor:
        """The discriminator's loss; of shorter clips fewer patches are judged."""
        share = self._distributed.weigh(patches=real.numel())["patches"]
        return share * self._model.objective.discriminator(real, generated)

    def _step_generator(
        self, pred: torch.Tensor, regression: torch.Tensor, batch: MotionBatch
    ) -> dict[str, Any]:
        """By the gradients of both losses; how they compare at the generator's output."""
        with self._gan.judging():
            logits = self._model.discriminator(pred, batch.mask)
            shares = self._distributed.weigh(frames=batch.num_frames, patches=logits.numel())
            adversarial = self._model.objective.adversarial(logits, batch.num_frames)
            adversarial = adversarial * shares["frames"] * shares["patches"]
            gradients = output_gradients(pred, regression, adversarial)
        backward = functools.partial(pred.backward, gradients[0] + gradients[1])
        self._gan.step("generator", backward)
        ratio = gradient_ratio(gradients[1], gradients[0])
        return {"loss adversarial": adversarial.detach(), "gradient ratio": ratio}

    def validate(self) -> Metrics:
        """Expression error (rms, standard deviations) and how far the dynamics are from real.

        `score` is their sum: the error alone would choose motion that has collapsed to its mean.
        """
        self._settle()
        generator = self._kept.eval()
        preds, targets = list[Motion](), list[Motion]()
        for batch in MotionBatches(self._chosen_by, batch_size=self._recipe.batch_size).load():
            with torch.inference_mode(), self._gan.autocast():
                on_device = batch.to(self._distributed.device)
                pred = generator(on_device.audio, on_device.motion[:, 0])
            preds += batch.split(pred.float().cpu())
            targets += batch.split(batch.motion)
        if isinstance(self._recipe, FinetuneRecipe):
            self._lids = self._fit_lids(preds)
            self._head = self._fit_head()
        pairs = zip(preds, targets, strict=True)
        squares = [float(((p - t)[:, EXPRESSION] ** 2).mean()) for p, t in pairs]
        scale = self._normalisation.expression_scale
        error = math.sqrt(sum(squares) / len(squares)) * scale
        rate = self._contract.fps
        spectra = measure_spectrum(preds, rate), measure_spectrum(targets, rate)
        distance = compare_spectra(*spectra)["mean"]
        return {"score": error + distance, "expression error": error, "spectrum distance": distance}

    @property
    def _kept(self) -> nn.Module:
        """The generator that is chosen and exported: the running mean's, where there is one."""
        return self._mean.network if self._mean else self._model.generator

    def _settle(self) -> None:
        """Statistics of the running mean by windows trained on, the same in every process."""
        if self._mean is None:
            return
        size = self._recipe.batch_size
        windows = MotionBatches(self._windows, batch_size=size, seed=self._recipe.seed)

        def look(network: nn.Module, batch: MotionBatch) -> None:
            on_device = batch.to(self._distributed.device)
            with self._gan.autocast():
                network(on_device.audio, on_device.motion[:, 0])

        self._mean.settle(windows.load(), look, math.ceil(SETTLING_WINDOWS / size))

    def _fit_lids(self, preds: Sequence[Motion]) -> LidMap:
        """How AU45 of normalised motion (n, 71), not trained on, becomes the person's."""
        no_move, as_is = np.zeros(6, np.float32), np.ones(6, np.float32)
        stored = (self._normalisation.denormalise_motion(part, no_move, as_is) for part in preds)
        au45 = (clip_au45(part)[:, AU45.start] for part in stored)
        return LidMap.fit(self._recipe.identity, au45, self._real_au45, fps=self._contract.fps)

    def _fit_head(self) -> HeadMap:
        """How the head that is made of whole recordings, not trained on, becomes the person's."""
        known, name, parts = self._normalisation, self._recipe.identity, list[Motion]()
        deviation = None if known.kind == "split" else known.pose_deviations[name]
        with self._gan.autocast():
            parts += (
                generate_motion(
                    self._kept,
                    known,
                    clip.audio,
                    pose_mean=known.pose_means[name],
                    pose_deviation=deviation,
                    window=self._recipe.window,
                )
                for clip in self._clips[1]
            )
        real = [clip.motion[:, POSE] for clip in self._clips[0]]
        return HeadMap.fit(name, [part[:, POSE] for part in parts], real, fps=self._contract.fps)

    def state_dict(self) -> dict[str, Any]:
        lids = self._lids and self._lids.to_state()
        optimisers = self._gan.state_dict()
        return {
            "model": self._model.state_dict(),
            "mean": self._mean and self._mean.state_dict(),
            "optimisers": optimisers,
            "lids": lids,
            "head": self._head and self._head.to_state(),
            "units": UNITS,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Raises ToolkitError for a run that saw its clips in other units than this version."""
        if state.get("units") != UNITS:
            raise ToolkitError(
                "the run was begun by a version that trained on motion and scores in other units: "
                "fine-tune its best.pt, or train anew in another --out"
            )
        self._model.load_state_dict(state["model"])
        if self._mean:
            self._mean.load_state_dict(state["mean"])
        self._lids = LidMap.from_state(state["lids"]) if state["lids"] else None
        self._head = HeadMap.from_state(state["head"]) if state.get("head") else None
        self._gan.load_state_dict(state["optimisers"])

    def export(self) -> dict[str, Any]:
        return {
            "preset": self._recipe.preset,
            "window": self._recipe.window,
            "without": self._recipe.without,
            "generator": copy_to_cpu(self._kept),
            "discriminator": copy_to_cpu(self._model.discriminator),
            "normalisation": self._normalisation.to_state(),
            "contract": self._contract.to_state(),
            "lids": self._lids and self._lids.to_state(),
            "head": self._head and self._head.to_state(),
        }

    def _make_epoch(self, epoch: int) -> MotionBatches:
        return MotionBatches(
            self._windows,
            batch_size=self._recipe.batch_size,
            seed=self._recipe.seed,
            epoch=epoch,
            rank=self._distributed.rank,
            world_size=self._distributed.size,
        )


def _gather_au45(clips: ClipSet) -> npt.NDArray[np.float32]:
    """(n,) AU45 of the clips' measured frames; of all, where none was."""
    au45 = np.concatenate([clip.motion[:, AU45.start] for clip in clips])
    valid = np.concatenate([clip.valid for clip in clips])
    return np.asarray(au45[valid] if valid.any() else au45)
