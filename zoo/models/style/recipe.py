"""Train the classifiers of personal style: `zoo train personalization`."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from toolkit.mesh import MAX_AU45
from zoo.data import POSE, load_clips
from zoo.data.clips import take_fingerprint, warn_of_short
from zoo.data.fingerprint import Fingerprint
from zoo.data.order import Batches, Places, share_order
from zoo.models.style import FAMILY
from zoo.models.style.model import (
    STYLES,
    Labelled,
    StyleClassifier,
    StyleClassifiers,
    StyleWindows,
)
from zoo.models.style.options import PersonalizationRecipe
from zoo.training.distributed import Distributed
from zoo.training.loop import Metrics, Setting, Task, trainer
from zoo.training.options import to_plain
from zoo.training.precision import autocast


@dataclass(frozen=True)
class StyleBatch:
    """Windows to learn from.

    Attributes:
        motion: (B, T, 71) float32, pose less its clip's mean.
        labels: (B,) int64 numbers of identities.
        mask: (B, T) bool, as in `MotionBatch`.
    """

    motion: torch.Tensor
    labels: torch.Tensor
    mask: torch.Tensor | None


@trainer
def train_personalization(recipe: PersonalizationRecipe, setting: Setting) -> "PersonalizationTask":
    """Train on the training part of a dataset's split, choose on the validation part.

    Raises:
        ToolkitError: no split, no clip of `MIN_FRAMES`, or no identity of the training part in
            the validation part; and see `train`.
    """
    trained, chosen_by = (load_clips(recipe.shards, split=part) for part in ("train", "val"))
    warn_of_short((trained, chosen_by))
    return PersonalizationTask(
        recipe,
        [(clip.identity, clip.motion) for clip in trained],
        [(clip.identity, clip.motion) for clip in chosen_by],
        fps=trained.fps,
        distributed=setting.distributed,
        fingerprint=take_fingerprint(trained, chosen_by),
    )


class PersonalizationTask(Task):
    """Both classifiers under training; of each, the weights of its best epoch are kept."""

    kind = FAMILY.name

    def __init__(
        self,
        recipe: PersonalizationRecipe,
        trained: Sequence[Labelled],
        chosen_by: Sequence[Labelled],
        *,
        fps: int,
        distributed: Distributed,
        fingerprint: Fingerprint | None = None,
    ) -> None:
        torch.manual_seed(recipe.seed)
        self._fingerprint = fingerprint or {}
        self._recipe, self._chosen_by = recipe, chosen_by
        self._distributed, self._device = distributed, distributed.device
        identities = tuple(sorted({identity for identity, _ in trained}))
        self._windows = _LabelledWindows(trained, identities, recipe.stride)
        StyleWindows(chosen_by, identities, recipe.stride)  # fails now if there is none
        self._model = StyleClassifiers(identities, fps)
        self._scale("pose").copy_(_measure_scale(self._windows.motion[:, POSE]))
        self._scale("blink").fill_(MAX_AU45)
        self._model.to(self._device)
        self._best = copy.deepcopy(self._model)
        self._accuracy = dict.fromkeys(STYLES, -1.0)
        parameters = self._model.networks.parameters()
        self._optimiser = torch.optim.Adam(parameters, recipe.learning_rate)

    def _scale(self, style: str) -> torch.Tensor:
        network = self._model.networks[style]
        assert isinstance(network, StyleClassifier)
        return network.scale

    def recipe(self) -> dict[str, Any]:
        return to_plain(self._recipe)

    def fingerprint(self) -> Fingerprint:
        return self._fingerprint

    def count_steps(self, epoch: int) -> int:
        return len(self._make_epoch(epoch))

    def draw_batches(self, epoch: int, first: int) -> Iterator[StyleBatch]:
        return self._make_epoch(epoch).load(first, self._recipe.workers)

    def _make_epoch(self, epoch: int) -> Batches[StyleBatch]:
        order = share_order(
            np.random.default_rng([self._recipe.seed, epoch]).permutation(len(self._windows)),
            self._recipe.batch_size,
            rank=self._distributed.rank,
            world_size=self._distributed.size,
            what="windows",
        )
        return Batches(self._windows, order)

    def step(self, batch: StyleBatch) -> Metrics:
        self._model.train()
        motion, labels = batch.motion.to(self._device), batch.labels.to(self._device)
        mask = None if batch.mask is None else batch.mask.to(self._device)
        with autocast(self._device, self._recipe.precision, self._model):
            scores = self._model(motion, mask)
        losses = {
            name: nn.functional.cross_entropy(pred.float(), labels)
            for name, pred in zip(STYLES, scores, strict=True)
        }
        self._optimiser.zero_grad()
        torch.stack(list(losses.values())).sum().backward()  # type: ignore[no-untyped-call]
        self._distributed.average_gradients(self._model)
        self._optimiser.step()
        return {f"loss {name}": loss.item() for name, loss in losses.items()} | {
            "items": float(len(labels) * self._distributed.size)
        }

    def validate(self) -> Metrics:
        """Accuracy of each classifier; `score` is the mean error of their best epochs so far."""
        confusions = self._model.measure(self._chosen_by, stride=self._recipe.stride)
        for name, confusion in confusions.items():
            if confusion.accuracy > self._accuracy[name]:
                state = self._model.networks[name].state_dict()
                self._best.networks[name].load_state_dict(state)
                self._accuracy[name] = confusion.accuracy  # last: a signal may cut this short
        figures = {f"accuracy {name}": value.accuracy for name, value in confusions.items()}
        return figures | {"score": 1 - sum(self._accuracy.values()) / len(self._accuracy)}

    def state_dict(self) -> dict[str, Any]:
        return {
            "networks": self._model.networks.state_dict(),
            "best": self._best.export(),
            "accuracy": dict(self._accuracy),
            "optimiser": self._optimiser.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._model.networks.load_state_dict(state["networks"])
        self._optimiser.load_state_dict(state["optimiser"])
        self._accuracy = dict(state["accuracy"])
        for name, network in self._best.networks.items():
            network.load_state_dict(state["best"][name])

    def export(self) -> dict[str, Any]:
        return self._best.export()


class _LabelledWindows(StyleWindows):
    """Windows that are gathered with the numbers of their identities."""

    def gather(self, windows: Places) -> StyleBatch:  # type: ignore[override]
        """Those of (B,) numbers."""
        labels = torch.from_numpy(self.labels[windows])
        return StyleBatch(super().gather(windows), labels, self.make_mask(windows))


def _measure_scale(pose: npt.NDArray[np.float32]) -> torch.Tensor:
    """(6,) deviation of poses (n, 6) less their clips' means, kept off zero."""
    return torch.from_numpy(np.maximum(pose.std(axis=0, dtype=np.float64), 1e-6)).float()
