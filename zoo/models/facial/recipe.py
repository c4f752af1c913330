"""Train FACIAL-GAN on the windows of a dataset, or fine-tune it to one identity.

Zhang et al., ICCV 2021, sections 3.2 and 5.1. Each step first trains the discriminator, then, with
the discriminator frozen, the generator.
"""

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from zoo.data import (
    AU45,
    EXPRESSION,
    WINDOW,
    ClipSet,
    Holdout,
    MotionBatch,
    MotionBatches,
    MotionWindows,
    Normalisation,
    load_clips,
)
from zoo.data.contract import Contract, make_contract
from zoo.metrics.dynamics import compare_spectra, measure_spectrum
from zoo.models.facial.losses import (
    LossWeights,
    gradient_ratio,
    make_paper_objective,
    output_gradients,
)
from zoo.models.facial.model import KIND, load_weights
from zoo.models.facial.options import FacialRecipe, FinetuneRecipe
from zoo.models.facial.presets import FacialGan, create_facial_gan
from zoo.motion.generate import Motion, clip_au45
from zoo.motion.lids import LidMap
from zoo.training.checkpoint import load_checkpoint
from zoo.training.distributed import World
from zoo.training.loop import Metrics, Step, train
from zoo.training.networks import frozen


def train_facial(
    recipe: FacialRecipe,
    out: Path,
    *,
    world: World | None = None,
    resume: bool = False,
    on_step: Callable[[Step], None] = lambda step: None,
) -> Metrics:
    """Train on the training part of a dataset, or fine-tune to an identity; best figures.

    Raises:
        ToolkitError: the shards do not fit together, have no split or no clip as long as a
            window, or differ from those of the base model; and see `train`.
    """
    world = world or World()
    task = FacialTask(recipe, *choose_clips(recipe), world=world)
    return train(
        task,
        out,
        epochs=recipe.epochs,
        seed=recipe.seed,
        resume=resume,
        world=world,
        on_step=on_step,
    )


def choose_clips(recipe: FacialRecipe) -> tuple[ClipSet, ClipSet]:
    """What is trained on, and what the best epoch is chosen by.

    Without a holdout the parts `train` and `val` of the split. With one, a base model still
    trains on `train`, less what is held out; fine-tuning trains on all clips of the identity,
    whatever their part, less what is held out, which it chooses by.
    """
    identity, holdout = recipe.identity or None, None
    if recipe.holdout:
        holdout = Holdout(share=recipe.holdout, identity=identity)
    if not isinstance(recipe, FinetuneRecipe):
        trained = load_clips(recipe.shards, split="train", holdout=holdout)
        return trained, load_clips(recipe.shards, split="val", holdout=holdout)
    if holdout is None:
        trained = load_clips(recipe.shards, split="train", identity=identity)
        return trained, load_clips(recipe.shards, split="val", identity=identity)
    trained = load_clips(recipe.shards, split=None, identity=identity, holdout=holdout)
    held = load_clips(recipe.shards, split=None, identity=identity, holdout=holdout, held=True)
    return trained, held


class FacialTask:
    """FACIAL-GAN under training."""

    kind = KIND

    def __init__(
        self, recipe: FacialRecipe, trained: ClipSet, chosen_by: ClipSet, *, world: World
    ) -> None:
        """Make the networks, or take those of the base model.

        Raises:
            ToolkitError: the base model knows data of another kind, or is of another preset.
        """
        torch.manual_seed(recipe.seed)
        self._recipe, self._world = recipe, world
        self._contract = make_contract(trained)
        self._contract.refuse_others(make_contract(chosen_by), "the validation part")
        self._model = make_model(recipe)
        self._normalisation = Normalisation.fit(trained, kind=_choose_kind(recipe))
        if isinstance(recipe, FinetuneRecipe):
            self._take_base(recipe, trained)
        self._lids: LidMap | None = None
        self._real_au45 = _gather_au45(trained)
        self._windows = MotionWindows(trained, self._normalisation)
        self._chosen_by = MotionWindows(chosen_by, self._normalisation, stride=WINDOW)
        self._model.to(world.device)
        generator = self._model.generator
        self._generate = torch.compile(generator) if recipe.compile else generator
        rate = recipe.learning_rate
        self._optimisers = {
            "generator": torch.optim.Adam(generator.parameters(), rate),
            "discriminator": torch.optim.Adam(self._model.discriminator.parameters(), rate),
        }

    def _take_base(self, recipe: FinetuneRecipe, trained: ClipSet) -> None:
        base = load_checkpoint(recipe.base, KIND)["model"]
        Contract.from_state(base["contract"]).refuse_others(self._contract, str(recipe.shards))
        load_weights(self._model, base, recipe.base)
        known = Normalisation.from_state(base["normalisation"])
        self._normalisation = known.add_identities(trained)

    def recipe(self) -> dict[str, Any]:
        content = dataclasses.asdict(self._recipe)
        return {k: str(v) if isinstance(v, Path) else v for k, v in content.items()}

    def count_steps(self, epoch: int) -> int:
        return len(self._make_epoch(epoch))

    def draw_batches(self, epoch: int, first: int) -> Iterator[MotionBatch]:
        pin = self._world.device.type == "cuda"
        return self._make_epoch(epoch).load(first, self._recipe.workers, pin_memory=pin)

    def step(self, batch: MotionBatch) -> Metrics:
        self._model.train()
        batch = batch.to(self._world.device)
        with self._autocast():
            found = self._generate(batch.audio, batch.motion[:, 0]).float()
        terms = self._model.objective.regression(found, batch.motion)
        losses = {f"loss {name}": value.detach() for name, value in terms.items()}
        regression = torch.stack(list(terms.values())).sum()
        if self._model.objective.uses_gan:
            losses |= self._step_discriminator(batch.motion, found.detach())
            losses |= self._push_back(found, regression)
        else:
            self._optimisers["generator"].zero_grad()
            regression.backward()  # type: ignore[no-untyped-call]
        self._world.average_gradients(self._model.generator)
        self._optimisers["generator"].step()
        figures = torch.stack(list(losses.values())).tolist()  # waits for the device once
        metrics = dict(zip(losses, figures, strict=True))
        return metrics | {"items": float(len(batch) * self._world.size)}

    def _step_discriminator(
        self, real: torch.Tensor, generated: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        discriminator = self._model.discriminator
        with self._autocast():
            logits = discriminator(real), discriminator(generated)
        loss = self._model.objective.discriminator(*logits)
        self._optimisers["discriminator"].zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._world.average_gradients(discriminator)
        self._optimisers["discriminator"].step()
        return {"loss discriminator": loss.detach()}

    def _push_back(self, found: torch.Tensor, regression: torch.Tensor) -> dict[str, torch.Tensor]:
        """The generator's gradients, of both losses; how they compare at its output."""
        with frozen(self._model.discriminator), self._autocast():
            logits = self._model.discriminator(found)
            adversarial = self._model.objective.adversarial(logits, found.shape[1])
            ours, theirs = output_gradients(found, regression, adversarial)
        self._optimisers["generator"].zero_grad()
        found.backward(ours + theirs)  # type: ignore[no-untyped-call]
        ratio = gradient_ratio(theirs, ours)
        return {"loss adversarial": adversarial.detach(), "gradient ratio": ratio}

    def validate(self) -> Metrics:
        """Expression error (rms, standard deviations) and how far the dynamics are from real.

        `score` is their sum: the error alone would choose motion that has collapsed to its mean.
        """
        self._model.eval()
        found, wanted, valid = [], [], []
        for batch in MotionBatches(self._chosen_by, batch_size=self._recipe.batch_size).load():
            with torch.inference_mode(), self._autocast():
                on_device = batch.to(self._world.device)
                made = self._model.generator(on_device.audio, on_device.motion[:, 0])
            found += list(made.float().cpu().numpy())
            wanted += list(batch.motion.numpy())
            valid += list(batch.valid.numpy())
        if isinstance(self._recipe, FinetuneRecipe):
            self._lids = self._fit_lids(found)
        pairs = zip(found, wanted, strict=True)
        squares = [float(((f - w)[:, EXPRESSION] ** 2).mean()) for f, w in pairs]
        scale = self._normalisation.expression_scale
        error = math.sqrt(sum(squares) / len(squares)) * scale
        rate = self._contract.fps
        spectra = measure_spectrum(found, rate), measure_spectrum(wanted, rate)
        distance = compare_spectra(*spectra)["mean"]
        return {"score": error + distance, "expression error": error, "spectrum distance": distance}

    def _fit_lids(self, found: Sequence[Motion]) -> LidMap:
        """How AU45 of normalised motion (n, 71), which was not learnt, becomes the person's."""
        no_move, as_is = np.zeros(6, np.float32), np.ones(6, np.float32)
        stored = (self._normalisation.denormalise_motion(part, no_move, as_is) for part in found)
        made = (clip_au45(part)[:, AU45.start] for part in stored)
        return LidMap.fit(self._recipe.identity, made, self._real_au45)

    def state_dict(self) -> dict[str, Any]:
        optimisers = {name: o.state_dict() for name, o in self._optimisers.items()}
        lids = self._lids and self._lids.to_state()
        return {"model": self._model.state_dict(), "optimisers": optimisers, "lids": lids}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._model.load_state_dict(state["model"])
        self._lids = LidMap.from_state(state["lids"]) if state["lids"] else None
        for name, optimiser in self._optimisers.items():
            optimiser.load_state_dict(state["optimisers"][name])

    def export(self) -> dict[str, Any]:
        def copy(network: torch.nn.Module) -> dict[str, torch.Tensor]:
            return {name: value.cpu() for name, value in network.state_dict().items()}

        return {
            "preset": self._recipe.preset,
            "without": self._recipe.without,
            "generator": copy(self._model.generator),
            "discriminator": copy(self._model.discriminator),
            "normalisation": self._normalisation.to_state(),
            "contract": self._contract.to_state(),
            "lids": self._lids and self._lids.to_state(),
        }

    def _make_epoch(self, epoch: int) -> MotionBatches:
        return MotionBatches(
            self._windows,
            batch_size=self._recipe.batch_size,
            seed=self._recipe.seed,
            epoch=epoch,
            rank=self._world.rank,
            world_size=self._world.size,
        )

    def _autocast(self) -> torch.autocast:
        enabled = self._recipe.precision == "bf16"
        return torch.autocast(self._world.device.type, torch.bfloat16, enabled=enabled)


def _gather_au45(clips: ClipSet) -> npt.NDArray[np.float32]:
    """(n,) AU45 of the clips' measured frames; of all, where none was."""
    au45 = np.concatenate([clip.motion[:, AU45.start] for clip in clips])
    valid = np.concatenate([clip.valid for clip in clips])
    return np.asarray(au45[valid] if valid.any() else au45)


def make_model(recipe: FacialRecipe) -> FacialGan:
    """New networks, with the recipe's weight of the adversarial loss."""
    model = create_facial_gan(
        recipe.preset, temporal=recipe.without != "temporal", local=recipe.without != "local"
    )
    if recipe.preset != "official":
        model.objective = make_paper_objective(LossWeights(gan=recipe.gan_weight))
    return model


def _choose_kind(recipe: FacialRecipe) -> str:
    return "clip" if recipe.preset == "official" else "split"
