"""Train the texture GAN: `zoo train t-gan`, and its fine-tuning to one person.

Das et al. (ECCV 2020), sections 3.4 and 4.3.
"""

import copy
import functools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from toolkit.errors import ToolkitError
from zoo.data.fingerprint import Fingerprint
from zoo.data.landmarks import MESH68
from zoo.data.order import Batches, draw_order, spread_order
from zoo.models.t_gan import FAMILY
from zoo.models.t_gan.batches import (
    Episode,
    Episodes,
    EpisodeShape,
    PersonBatch,
    summarise_errors,
)
from zoo.models.t_gan.finetune import prepare_finetuning
from zoo.models.t_gan.judges import Judges, open_judges
from zoo.models.t_gan.losses import TextureLosses
from zoo.models.t_gan.meta import (
    Gradients,
    MakeOptimiser,
    adapt,
    first_order,
    learn_together,
    move,
    second_order,
)
from zoo.models.t_gan.networks import create_discriminator, create_generator, place_network
from zoo.models.t_gan.options import ABLATIONS, BETAS, TRANSFER, FinetuneRecipe, TGanRecipe
from zoo.models.t_gan.pictures import Person, Picture, load_people
from zoo.models.t_gan.presets import PRESETS, Preset
from zoo.models.t_gan.spectral import iterate_gains
from zoo.training.distributed import Distributed
from zoo.training.loop import Metrics, Setting, Task, trainer
from zoo.training.networks import copy_to_cpu
from zoo.training.options import to_plain
from zoo.training.pictures import to_pictures
from zoo.training.precision import autocast

JUDGED_PEOPLE = 8
"""The most that an epoch is judged by."""


@trainer
def train_t_gan(recipe: TGanRecipe | FinetuneRecipe, setting: Setting) -> Task:
    """Train on everyone of a dataset's training part, or go on with one person's pictures.

    Raises:
        ToolkitError: no split, no person with enough pictures, weights of the networks that judge
            cannot be read, or several processes fine-tune; and see `train`.
    """
    if isinstance(recipe, FinetuneRecipe):
        setting.distributed.require_one(f"finetune {FAMILY.name}")
        return prepare_finetuning(recipe, setting.distributed.device)
    preset = PRESETS[recipe.preset]
    trained, chosen_by = (choose_people(recipe.shards, preset, part) for part in ("train", "val"))
    judges = None
    if "feature" not in ABLATIONS[recipe.ablate]:
        judges = open_judges(recipe.vgg, recipe.vgg_face, recipe.face, half=preset.half_size_judge)
    return TGanTask(recipe, trained, chosen_by, judges=judges, distributed=setting.distributed)


def choose_people(shards: Path, preset: Preset, split: str) -> tuple[Person, ...]:
    """Everyone in a part of the split with enough pictures for an episode; ToolkitError
    where there is none.
    """
    least = preset.support + preset.queries
    people = load_people(shards, preset.size, split=split)
    enough = tuple(person for person in people if len(person) >= least)
    if not enough:
        raise ToolkitError(f"{shards}: no person in {split} has {least} measured frames")
    return enough


class TGanTask(Task):
    """Generator and discriminator under training."""

    kind = FAMILY.name

    def __init__(
        self,
        recipe: TGanRecipe,
        trained: Sequence[Person],
        chosen_by: Sequence[Person],
        *,
        judges: Judges | None,
        distributed: Distributed,
        size: int | None = None,
    ) -> None:
        """Make the networks; `size`: of the pictures, by default the preset's."""
        torch.manual_seed(recipe.seed)
        self._recipe, self._distributed, self._device = recipe, distributed, distributed.device
        preset, left_out = PRESETS[recipe.preset], ABLATIONS[recipe.ablate]
        self._size = size or preset.size
        self._judges = None if judges is None else judges.to(self._device)
        self._concatenates = "adain" in left_out
        networks: dict[str, nn.Module] = {}
        if "adversarial" not in left_out:
            networks["discriminator"] = create_discriminator(recipe.preset, self._size)
        networks["generator"] = create_generator(
            recipe.preset, self._size, concatenate=self._concatenates
        )
        self._networks = {
            name: place_network(network, self._device) for name, network in networks.items()
        }
        self._fast = copy.deepcopy(self._networks)
        self._optimisers = {
            name: torch.optim.Adam(network.parameters(), recipe.learning_rate, BETAS)
            for name, network in self._networks.items()
        }
        every = (*self._networks.values(), *self._fast.values())
        computing = functools.partial(autocast, self._device, recipe.precision, *every)
        self._losses = TextureLosses(self._judges, computing=computing)
        shape = EpisodeShape(
            support=preset.support, queries=preset.queries, references=preset.references
        )
        self._backend = trained[0].backend
        self._identities = [person.identity for person in trained]
        self._fingerprint = {
            "people to train on": {p.identity: p.digest() for p in trained},
            "people to choose by": {p.identity: p.digest() for p in chosen_by},
        }
        self._episodes = Episodes(trained, shape, seed=recipe.seed)
        self._chosen_by = Episodes(chosen_by, shape, seed=recipe.seed)
        self._sheet: Picture | None = None

    def recipe(self) -> dict[str, Any]:
        return to_plain(self._recipe) | self._describe_judges()

    def _describe_judges(self) -> dict[str, str]:
        return {} if self._judges is None else self._judges.describe()

    def fingerprint(self) -> Fingerprint:
        return self._fingerprint

    def count_steps(self, epoch: int) -> int:
        return len(self._make_epoch(epoch))

    def draw_batches(self, epoch: int, first: int) -> Iterator[list[Episode]]:
        return self._make_epoch(epoch).load(first, self._recipe.workers)

    def _make_epoch(self, epoch: int) -> Batches[list[Episode]]:
        order = draw_order(
            len(self._episodes),
            batch_size=self._recipe.batch_size,
            seed=self._recipe.seed,
            epoch=epoch,
            rank=self._distributed.rank,
            world_size=self._distributed.size,
            what="people",
        )
        episodes = copy.copy(self._episodes)
        episodes.epoch = epoch
        return Batches(episodes, order)

    def step(self, batch: list[Episode]) -> Metrics:
        """Move the global weights by the mean over the tasks of some people."""
        tasks = [task.to(self._device) for task in batch]
        losses = [copy.copy(self._losses) for _ in tasks]  # each remembers its own figures
        average = self._distributed.average
        iterate_gains(*self._networks.values())
        if self._recipe.meta == TRANSFER:
            people = [task.support.join(task.queries) for task in tasks]
            learn_together(self._networks, self._optimisers, losses, people, average)
        else:
            pairs = zip(losses, tasks, strict=True)
            found = [self._take_gradients(loss, task) for loss, task in pairs]
            for name in found[0]:
                network, gradients = self._networks[name], [one[name] for one in found]
                move(network, self._optimisers[name], gradients, average)
        figures = [one.read_figures() for one in losses]
        means = {name: float(np.mean([one[name] for one in figures])) for name in figures[0]}
        return means | {"items": float(len(tasks) * self._distributed.size)}

    def _take_gradients(self, losses: TextureLosses, task: Episode) -> Gradients:
        recipe = self._recipe
        if recipe.second_order:
            return second_order(
                self._networks, losses, task.support, task.queries,
                steps=recipe.inner_steps, rate=recipe.inner_rate,
            )  # fmt: skip
        return first_order(
            self._networks, self._fast, losses, task.support, task.queries,
            steps=recipe.inner_steps, make_optimiser=make_inner(recipe),
        )  # fmt: skip

    def validate(self) -> Metrics:
        """How well people that are not trained on are drawn behind the inner steps.

        `score`: mean absolute error in levels of 255 of their queries; `psnr` in dB over the mean
        square error; `before`: the score without inner steps. Of at most eight people.
        """
        order = spread_order(len(self._chosen_by), JUDGED_PEOPLE)
        away, before, columns = list[Picture](), list[float](), list[Picture]()
        for (drawn,) in Batches(self._chosen_by, order).load():
            task = drawn.to(self._device)
            before.append(float(np.abs(self._measure(self._networks, task.queries)[1]).mean()))
            steps = adapt(
                self._networks, self._fast, self._losses, task.support,
                steps=self._recipe.inner_steps, make_optimiser=make_inner(self._recipe),
            )  # fmt: skip
            for _ in steps:
                pass
            pred, error = self._measure(self._fast, task.queries)
            away.append(error)
            shown = (task.queries.pictures[:1], task.queries.raster[:1], pred[:1])
            rows = [to_pictures(row)[0] for row in (*shown, task.queries.target[:1])]
            columns.append(np.concatenate(rows))
        self._sheet = np.concatenate(columns, axis=1)
        return summarise_errors(away) | {"before": float(np.mean(before))}

    def _measure(
        self, networks: dict[str, nn.Module], batch: PersonBatch
    ) -> tuple[torch.Tensor, Any]:
        """Pictures, and how far they are from the target, in levels."""
        with torch.no_grad():
            pred = networks["generator"](batch.raster, batch.pictures, batch.rasters)
        return pred, ((pred - batch.target) * 127.5).cpu().numpy()

    def draw_sheet(self) -> Picture | None:
        return self._sheet

    def state_dict(self) -> dict[str, Any]:
        parts = {name: network.state_dict() for name, network in self._networks.items()}
        return parts | {"optimisers": {n: o.state_dict() for n, o in self._optimisers.items()}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name, network in self._networks.items():
            network.load_state_dict(state[name])
            self._optimisers[name].load_state_dict(state["optimisers"][name])

    def export(self) -> dict[str, Any]:
        weights = {name: copy_to_cpu(network) for name, network in self._networks.items()}
        return weights | {
            "preset": self._recipe.preset,
            "size": self._size,
            "meta": self._recipe.meta,
            "ablate": self._recipe.ablate,
            "landmarks": self._backend,
            "points": MESH68,
            "judges": self._describe_judges(),
            "trained_on": self._identities,
        }


def make_inner(recipe: TGanRecipe) -> MakeOptimiser:
    """What makes the optimiser of the inner steps."""
    if recipe.inner == "sgd":
        return functools.partial(torch.optim.SGD, lr=recipe.inner_rate)
    return functools.partial(torch.optim.Adam, lr=recipe.inner_rate, betas=BETAS)
