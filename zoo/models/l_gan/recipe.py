"""Train l-GAN: `zoo train l-gan`."""

import functools
from collections.abc import Iterator
from typing import Any

import torch

from toolkit.errors import ToolkitError
from zoo.data.contract import Contract
from zoo.data.fingerprint import Fingerprint
from zoo.data.landmarks import LAYOUT, MESH68, LandmarkClips, load_landmark_clips, take_fingerprint
from zoo.data.order import Batches, draw_order
from zoo.data.source import load_parts
from zoo.landmarks.statistics import LandmarkStatistics
from zoo.models.l_gan import FAMILY
from zoo.models.l_gan.batches import LandmarkBatch, Stretches
from zoo.models.l_gan.judge import Judge, standardise
from zoo.models.l_gan.losses import (
    adversarial_loss,
    discriminator_loss,
    find_counted,
    regression_loss,
)
from zoo.models.l_gan.model import LandmarkModel
from zoo.models.l_gan.networks import Generator, create_l_gan
from zoo.models.l_gan.options import LGanRecipe
from zoo.training.adversaries import Adversaries
from zoo.training.averaging import RunningMean
from zoo.training.distributed import Distributed
from zoo.training.loop import Metrics, Setting, Task, trainer
from zoo.training.networks import copy_to_cpu
from zoo.training.options import to_plain

BETAS = (0.5, 0.999)
"""Of Adam; the paper gives none."""


@trainer
def train_l_gan(recipe: LGanRecipe, setting: Setting) -> "LGanTask":
    """Train on the training part of a dataset's split, choose on the validation part.

    Raises:
        ToolkitError: no split, an array that is missing, shards that do not fit together; and see
            `train`.
    """
    return LGanTask(recipe, *choose_clips(recipe), distributed=setting.distributed)


def choose_clips(recipe: LGanRecipe) -> tuple[LandmarkClips, LandmarkClips]:
    """What is trained on, and what the best epoch is chosen by, both in one canonical space.

    The parts `train` and `val`, less what is held out; of an identity with a holdout all its clips
    less what is held out, by which is chosen.
    """
    return load_parts(
        functools.partial(load_landmark_clips, num_taps=recipe.taps),
        recipe.shards,
        identity=recipe.identity,
        share=recipe.holdout,
        gap=recipe.window,
        hand_on=lambda trained: {"canonical_neutral": trained.canonical_neutral},
    )


class LGanTask(Task):
    """l-GAN under training."""

    kind = FAMILY.name

    def __init__(
        self,
        recipe: LGanRecipe,
        trained: LandmarkClips,
        chosen_by: LandmarkClips,
        *,
        distributed: Distributed,
    ) -> None:
        """Make the networks by the statistics of what is trained on.

        Raises:
            ToolkitError: the parts are of different kinds, or no frame of them is measured.
        """
        torch.manual_seed(recipe.seed)
        self._recipe, self._distributed, self._clips = recipe, distributed, trained.clips
        self._contract = make_contract(trained)
        self._contract.refuse_others(make_contract(chosen_by), "the validation part")
        self._fingerprint = take_fingerprint(trained, chosen_by)
        self._statistics = LandmarkStatistics.fit(trained)
        scores = map(torch.from_numpy, standardise(trained, centred=True))
        self._model = create_l_gan(recipe.preset, num_taps=recipe.taps)
        self._model.generator.initialise(self._statistics, *scores)
        self._model.discriminator.initialise(self._statistics)
        self._model.to(distributed.device)
        self._mean = RunningMean(self._model.generator, recipe.average) if recipe.average else None
        self._judge = Judge(trained, chosen_by, *standardise(trained))
        self._neutral = torch.from_numpy(self._statistics.canonical_neutral).float()
        self._neutral = self._neutral.to(distributed.device)
        self._gan = Adversaries(
            self._model.generator,
            self._model.discriminator,
            recipe,
            distributed,
            rates=dict.fromkeys(("generator", "discriminator"), recipe.learning_rate),
            betas=BETAS,
        )

    def recipe(self) -> dict[str, Any]:
        return to_plain(self._recipe)

    def fingerprint(self) -> Fingerprint:
        return self._fingerprint

    def count_steps(self, epoch: int) -> int:
        return len(self._make_epoch(epoch))

    def draw_batches(self, epoch: int, first: int) -> Iterator[LandmarkBatch]:
        pin = self._distributed.device.type == "cuda"
        return self._make_epoch(epoch).load(first, self._recipe.workers, pin_memory=pin)

    def step(self, batch: LandmarkBatch) -> Metrics:
        on_device = batch.to(self._distributed.device)
        target, valid, weights = on_device.points, on_device.valid, self._recipe.weights
        with self._gan.autocast():
            pred = self._gan.generate(on_device.scores)
        pred = pred.float() + self._neutral
        counts = {name: mask.sum() for name, mask in find_counted(target, valid).items()}
        shares = self._distributed.weigh(gan=valid.sum(), **counts)
        losses = {}
        if weights.gan:
            losses = self._gan.step_discriminator(
                self._model.discriminator,
                target,
                pred,
                lambda real, generated: shares["gan"] * discriminator_loss(real, generated, valid),
            )
        with self._gan.judging():
            terms = regression_loss(pred, target, valid, weights)
            if weights.gan:
                terms["gan"] = adversarial_loss(self._model.discriminator(pred), valid, weights)
            terms = {name: shares[name] * value for name, value in terms.items()}
            total = torch.stack(list(terms.values())).sum()
        self._gan.step("generator", total.backward)
        if self._mean:
            self._mean.update()
        shown = {"loss": total} | {f"loss {name}": value for name, value in terms.items()} | losses
        detached = {name: value.detach() for name, value in shown.items()}
        return self._gan.read_losses(detached, valid.numel())

    def validate(self) -> Metrics:
        """How far the lips of the validation part are, see `Judge`; `score` is the LMD."""
        model = LandmarkModel(self._kept, self._statistics, self._recipe.taps)
        figures = self._judge.measure(model.predict)
        return {"score": figures["lmd"], **figures}

    @property
    def _kept(self) -> Generator:
        """The generator that is chosen and exported: the running mean's, where there is one."""
        return self._mean.network if self._mean else self._model.generator

    def state_dict(self) -> dict[str, Any]:
        return {
            "model": self._model.state_dict(),
            "mean": self._mean and self._mean.state_dict(),
            "optimisers": self._gan.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Raises ToolkitError for a run of a version that kept no running mean."""
        if self._mean:
            if not state.get("mean"):
                raise ToolkitError(
                    "the run was begun by a version that kept the last step's weights: go on with "
                    "--average 0"
                )
            self._mean.load_state_dict(state["mean"])
        self._model.load_state_dict(state["model"])
        self._gan.load_state_dict(state["optimisers"])

    def export(self) -> dict[str, Any]:
        return {
            "preset": self._recipe.preset,
            "taps": self._recipe.taps,
            "points": MESH68,
            "generator": copy_to_cpu(self._kept),
            "discriminator": copy_to_cpu(self._model.discriminator),
            "statistics": self._statistics.to_state(),
            "contract": self._contract.to_state(),
        }

    def _make_epoch(self, epoch: int) -> Batches[LandmarkBatch]:
        recipe = self._recipe
        stretches = Stretches(self._clips, recipe.window, seed=recipe.seed, epoch=epoch)
        order = draw_order(
            len(stretches),
            batch_size=recipe.batch_size,
            seed=recipe.seed,
            epoch=epoch,
            rank=self._distributed.rank,
            world_size=self._distributed.size,
            what="stretches",
        )
        return Batches(stretches, order)


def make_contract(clips: LandmarkClips) -> Contract:
    """What a network trained on these clips can be fed with."""
    return Contract(layout=LAYOUT, fps=clips.fps, scale=clips.scale, backends=clips.backends)
