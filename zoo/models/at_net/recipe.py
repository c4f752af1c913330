"""Train AT-net: `zoo train at-net`."""

import functools
from collections.abc import Iterator
from typing import Any

import torch

from zoo.data.fingerprint import Fingerprint
from zoo.data.order import Batches, draw_order
from zoo.data.sound_landmarks import SoundClips, load_sound_clips, take_fingerprint
from zoo.data.source import load_parts
from zoo.landmarks.aligned import AlignedStatistics
from zoo.models.at_net import FAMILY
from zoo.models.at_net.batches import SoundBatch, Stretches
from zoo.models.at_net.judge import Judge
from zoo.models.at_net.losses import coefficient_loss
from zoo.models.at_net.model import LandmarkSpeaker
from zoo.models.at_net.networks import create_at_net
from zoo.models.at_net.options import AtNetRecipe
from zoo.training.distributed import Distributed
from zoo.training.loop import Metrics, Setting, Task, trainer
from zoo.training.networks import copy_to_cpu
from zoo.training.options import to_plain
from zoo.training.precision import autocast

BETAS = (0.5, 0.999)
"""Of Adam, as the released code has them."""


@trainer
def train_at_net(recipe: AtNetRecipe, setting: Setting) -> "AtNetTask":
    """Train on the training part of a dataset's split, choose on the validation part.

    Raises:
        ToolkitError: no split, an array that is missing, shards that do not fit together; and see
            `train`.
    """
    return AtNetTask(recipe, *choose_clips(recipe), distributed=setting.distributed)


def choose_clips(recipe: AtNetRecipe) -> tuple[SoundClips, SoundClips]:
    """What is trained on, and what the best epoch is chosen by, aligned to one mean shape.

    The parts `train` and `val`, less what is held out; of an identity with a holdout all its clips
    less what is held out, by which is chosen.
    """
    return load_parts(
        load_sound_clips,
        recipe.shards,
        identity=recipe.identity,
        share=recipe.holdout,
        gap=recipe.window,
        hand_on=lambda trained: {"mean_shape": trained.mean_shape},
    )


class AtNetTask(Task):
    """AT-net under training.

    Attributes:
        statistics: of the training part.
    """

    kind = FAMILY.name

    def __init__(
        self,
        recipe: AtNetRecipe,
        trained: SoundClips,
        chosen_by: SoundClips,
        *,
        distributed: Distributed,
    ) -> None:
        """Find the directions of the training part, and make the network.

        Raises:
            ToolkitError: the parts are of different kinds.
        """
        torch.manual_seed(recipe.seed)
        self._recipe, self._distributed, self._clips = recipe, distributed, trained.clips
        self._contract = trained.contract
        self._contract.refuse_others(chosen_by.contract, "the validation part")
        self._fingerprint = take_fingerprint(trained, chosen_by)
        self.statistics = AlignedStatistics.fit(trained, trained.mean_shape)
        self._judge = Judge(trained, chosen_by, self.statistics)
        self._network = create_at_net(recipe.preset).to(distributed.device)
        self._compiled = torch.compile(self._network) if recipe.compile else self._network
        self._optimiser = torch.optim.Adam(
            self._network.parameters(), recipe.learning_rate, betas=BETAS
        )

    def recipe(self) -> dict[str, Any]:
        return to_plain(self._recipe)

    def fingerprint(self) -> Fingerprint:
        return self._fingerprint

    def count_steps(self, epoch: int) -> int:
        return len(self._make_epoch(epoch))

    def draw_batches(self, epoch: int, first: int) -> Iterator[SoundBatch]:
        """The batches of an epoch, whose learning rate is set."""
        for group in self._optimiser.param_groups:
            group["lr"] = self._recipe.rate(epoch)
        pin = self._distributed.device.type == "cuda"
        return self._make_epoch(epoch).load(first, self._recipe.workers, pin_memory=pin)

    def step(self, batch: SoundBatch) -> Metrics:
        self._network.train()
        here = batch.to(self._distributed.device)
        with autocast(self._distributed.device, self._recipe.precision, self._network):
            pred = self._compiled(here.windows, here.faces)
        loss = coefficient_loss(pred.float(), here.coefficients, here.valid)
        loss = loss * self._distributed.weigh(measured=here.valid.sum())["measured"]
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._distributed.average_gradients(self._network)
        self._optimiser.step()
        num_frames = here.valid.numel() * self._distributed.size
        return {"loss": loss.item(), "items": float(num_frames)}

    def validate(self) -> Metrics:
        """How far the lips of the validation part are, see `Judge`; `score` is the LMD."""
        model = LandmarkSpeaker(self._network, self.statistics, self._contract)
        figures = self._judge.measure(functools.partial(model.predict, keep_face=False))
        return {"score": figures["lmd"], **figures}

    def state_dict(self) -> dict[str, Any]:
        return {"network": self._network.state_dict(), "optimiser": self._optimiser.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._network.load_state_dict(state["network"])
        self._optimiser.load_state_dict(state["optimiser"])

    def export(self) -> dict[str, Any]:
        return {
            "preset": self._recipe.preset,
            "network": copy_to_cpu(self._network),
            "statistics": self.statistics.to_state(),
            "contract": self._contract.to_state(),
        }

    def _make_epoch(self, epoch: int) -> Batches[SoundBatch]:
        recipe = self._recipe
        stretches = Stretches(
            self._clips, self.statistics, recipe.window, seed=recipe.seed, epoch=epoch
        )
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
