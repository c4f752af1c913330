"""Train the personalisation metric's classifiers: `zoo train personalization`."""

import copy
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from toolkit.mesh import MAX_AU45
from zoo.data import POSE, load_clips
from zoo.models.style.model import (
    KIND,
    STYLES,
    Labelled,
    StyleWindows,
    create_classifiers,
    measure_personalization,
)
from zoo.models.style.options import PersonalizationRecipe
from zoo.training.loop import Metrics, Step, train


@dataclass(frozen=True)
class StyleBatch:
    """Windows to learn from.

    Attributes:
        motion: (B, T, 71) float32, pose less its clip's mean.
        labels: (B,) int64 numbers of identities.
    """

    motion: torch.Tensor
    labels: torch.Tensor


def train_personalization(
    recipe: PersonalizationRecipe,
    out: Path,
    *,
    resume: bool = False,
    on_step: Callable[[Step], None] = lambda step: None,
) -> Metrics:
    """Train on the training part of a dataset's split, choose on the validation part.

    Raises:
        ToolkitError: no split, no clip as long as a window, no identity of the training part in
            the validation part; and see `train`.
    """
    trained, chosen_by = (load_clips(recipe.shards, split=part) for part in ("train", "val"))
    task = PersonalizationTask(
        recipe,
        [(clip.identity, clip.motion) for clip in trained],
        [(clip.identity, clip.motion) for clip in chosen_by],
        fps=trained.fps,
    )
    return train(task, out, epochs=recipe.epochs, seed=recipe.seed, resume=resume, on_step=on_step)


class PersonalizationTask:
    """Both classifiers under training; of each, the weights of its best epoch are kept."""

    kind = KIND

    def __init__(
        self,
        recipe: PersonalizationRecipe,
        trained: Sequence[Labelled],
        chosen_by: Sequence[Labelled],
        *,
        fps: int,
    ) -> None:
        torch.manual_seed(recipe.seed)
        self._recipe, self._chosen_by = recipe, chosen_by
        identities = tuple(sorted({identity for identity, _ in trained}))
        self._windows = StyleWindows(trained, identities, recipe.stride)
        StyleWindows(chosen_by, identities, recipe.stride)  # fails now if there is none
        self._now = create_classifiers(identities, fps)
        self._networks = nn.ModuleDict(self._now.networks).to(recipe.device)
        self._now.networks["pose"].scale.copy_(_measure_scale(self._windows.motion[:, POSE]))
        self._now.networks["blink"].scale.fill_(MAX_AU45)
        self._best = copy.deepcopy(self._now)
        self._accuracy = dict.fromkeys(STYLES, -1.0)
        self._optimiser = torch.optim.Adam(self._networks.parameters(), recipe.learning_rate)

    def recipe(self) -> dict[str, Any]:
        return dataclasses.asdict(self._recipe) | {"shards": str(self._recipe.shards)}

    def count_steps(self, epoch: int) -> int:
        return -(-len(self._windows) // self._recipe.batch_size)

    def draw_batches(self, epoch: int, first: int) -> Iterator[StyleBatch]:
        order = np.random.default_rng([self._recipe.seed, epoch]).permutation(len(self._windows))
        size = self._recipe.batch_size
        for step in range(first, self.count_steps(epoch)):
            chosen = order[step * size : (step + 1) * size]
            labels = torch.from_numpy(self._windows.labels[chosen])
            yield StyleBatch(self._windows.gather(chosen), labels)

    def step(self, batch: StyleBatch) -> Metrics:
        self._networks.train()
        motion, labels = batch.motion.to(self._recipe.device), batch.labels.to(self._recipe.device)
        losses = {
            name: nn.functional.cross_entropy(self._networks[name](motion[..., part]), labels)
            for name, part in STYLES.items()
        }
        self._optimiser.zero_grad()
        torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()
        return {f"loss {name}": loss.item() for name, loss in losses.items()} | {
            "items": float(len(labels))
        }

    def validate(self) -> Metrics:
        """Accuracy of each classifier; `score` is the mean error of their best epochs so far."""
        found = measure_personalization(self._now, self._chosen_by, stride=self._recipe.stride)
        for name, confusion in found.items():
            if confusion.accuracy > self._accuracy[name]:
                self._accuracy[name] = confusion.accuracy
                self._best.networks[name].load_state_dict(self._networks[name].state_dict())
        figures = {f"accuracy {name}": confusion.accuracy for name, confusion in found.items()}
        return figures | {"score": 1 - sum(self._accuracy.values()) / len(self._accuracy)}

    def state_dict(self) -> dict[str, Any]:
        return {
            "networks": self._networks.state_dict(),
            "best": self._best.export(),
            "accuracy": dict(self._accuracy),
            "optimiser": self._optimiser.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._networks.load_state_dict(state["networks"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._accuracy = dict(state["accuracy"])
        for name, network in self._best.networks.items():
            network.load_state_dict(state["best"][name])

    def export(self) -> dict[str, Any]:
        return self._best.export()


def _measure_scale(pose: npt.NDArray[np.float32]) -> torch.Tensor:
    """(6,) deviation of poses (n, 6) less their clips' means, kept off zero."""
    return torch.from_numpy(np.maximum(pose.std(axis=0, dtype=np.float64), 1e-6)).float()
