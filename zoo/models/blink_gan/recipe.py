"""Train the blink generator: `zoo train blink-gan`.

Das et al., ECCV 2020, 3.2 (losses) and 4.2 (sizes, learning rate).
"""

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from zoo.data.fingerprint import Fingerprint
from zoo.data.holdout import Holdout
from zoo.data.landmarks import MESH68, LandmarkClips, load_landmark_clips, take_fingerprint
from zoo.data.order import Batches, cut_order
from zoo.landmarks.statistics import LandmarkStatistics
from zoo.models.blink_gan import FAMILY
from zoo.models.blink_gan.losses import choose_sigma, measure_mmd, measure_range_error
from zoo.models.blink_gan.networks import create_blink_gan
from zoo.models.blink_gan.options import BlinkRecipe
from zoo.models.blink_gan.presets import NOISE_SIZE, WINDOW
from zoo.models.blink_gan.windows import EyeWindows, count_blinks, measure_ear, measure_range
from zoo.training.distributed import Distributed
from zoo.training.loop import Metrics, Setting, Task, trainer
from zoo.training.networks import copy_to_cpu
from zoo.training.options import to_plain
from zoo.training.precision import autocast

EPOCH_STEPS = 100

JUDGED = 512
"""Windows of each kind by which an epoch is judged, and from which the data's figures are."""


@trainer
def train_blink_gan(recipe: BlinkRecipe, setting: Setting) -> "BlinkTask":
    """Train on the training part of a dataset's split, choose on the validation part.

    With a holdout on all clips but for what is held out, by which is chosen.

    Raises:
        ToolkitError: no split, or no clip with a window in either part; and see
            `load_landmark_clips` and `train`.
    """
    load = functools.partial(load_landmark_clips, recipe.shards, identity=recipe.identity or None)
    if recipe.holdout:
        holdout = Holdout(share=recipe.holdout, identity=recipe.identity or None, gap=0)
        load = functools.partial(load, split=None, holdout=holdout)
        parts: tuple[dict[str, Any], ...] = ({}, {"held": True})
    else:
        parts = ({"split": "train"}, {"split": "val"})
    trained = load(**parts[0])
    chosen_by = load(**parts[1], canonical_neutral=trained.canonical_neutral)
    return BlinkTask(recipe, trained, chosen_by, distributed=setting.distributed)


class BlinkTask(Task):
    """A blink generator under training.

    Attributes:
        figures: the blinks of the training part.
    """

    kind = FAMILY.name

    def __init__(
        self,
        recipe: BlinkRecipe,
        trained: LandmarkClips,
        chosen_by: LandmarkClips,
        *,
        distributed: Distributed,
    ) -> None:
        torch.manual_seed(recipe.seed)
        self._recipe, self._distributed, self._device = recipe, distributed, distributed.device
        self._fingerprint = take_fingerprint(trained, chosen_by)
        self._backends, self._fps = trained.backends, trained.fps
        self._statistics = LandmarkStatistics.fit(trained)
        neutral = self._statistics.canonical_neutral
        self._windows = EyeWindows(trained, neutral)
        self.figures = self._windows.figures
        self._copies = _draw(self._windows, recipe)
        self._judged_by = _draw(EyeWindows(chosen_by, neutral), recipe)
        self._real = count_blinks(measure_ear(self._judged_by, neutral))
        self._sigma = choose_sigma(self._copies)
        self._range = tuple(side.to(self._device) for side in measure_range(self._copies))
        self._network = self._make_network().to(self._device)
        self._optimiser = torch.optim.Adam(self._network.parameters(), recipe.learning_rate)

    def _make_network(self) -> torch.nn.Module:
        pcs, mean = (
            torch.from_numpy(v).float()
            for v in (self._statistics.eye_pcs, self._statistics.eye_mean)
        )
        network = create_blink_gan(self._recipe.preset, num_components=len(pcs))
        network.begin_with(pcs, mean, ((self._copies - mean) @ pcs.T).std(dim=(0, 1)))
        return network

    def recipe(self) -> dict[str, Any]:
        return to_plain(self._recipe)

    def fingerprint(self) -> Fingerprint:
        return self._fingerprint

    def count_steps(self, epoch: int) -> int:
        return EPOCH_STEPS

    def draw_batches(self, epoch: int, first: int) -> Iterator[Tensor]:
        """The batches of an epoch, whose learning rate is set."""
        for group in self._optimiser.param_groups:
            group["lr"] = self._recipe.rate(epoch)
        size = self._recipe.batch_size
        rng = np.random.default_rng([self._recipe.seed, epoch])
        places = self._windows.draw(EPOCH_STEPS * size, self._recipe.blink_share, rng)
        return Batches(self._windows, cut_order(places, size)).load(first, self._recipe.workers)

    def step(self, batch: Tensor) -> Metrics:
        """One step; each process has all real windows, and makes its share of the others.

        Eq. 6 compares every window of the batch with every other, so it is of the whole batch.
        """
        self._network.train()
        real = batch.to(self._device)
        noise = torch.randn(len(real), WINDOW, NOISE_SIZE, device=self._device)
        noise = self._distributed.share(noise)  # all have drawn the same: the loop has seeded it
        with autocast(self._device, self._recipe.precision, self._network):
            generated = self._network(noise)
        generated = self._distributed.gather(generated.float())
        mmd = measure_mmd(real, generated, self._sigma)
        error = measure_range_error(generated, *self._range)
        loss = mmd + self._recipe.range_weight * error
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._distributed.average_gradients(self._network)
        self._optimiser.step()
        return {
            "loss": loss.item(),
            "mmd": mmd.item(),
            "range error": error.item(),
            "items": float(len(real)),
        }

    def validate(self) -> Metrics:
        """How near generated windows are to those of the validation part, drawn alike.

        `score` and `mmd` are eq. 6; beside it stands what other windows in their place would have:
        `mmd copies`, windows of the training part, which no generator need beat; `mmd noise-free`,
        what the generator makes of no noise, again and again. Then blinks a second and their mean
        duration (s; 0 without any), generated and real.
        """
        generator = torch.Generator().manual_seed(self._recipe.seed)
        noise = torch.randn(JUDGED, WINDOW, NOISE_SIZE, generator=generator)
        self._network.eval()
        with torch.inference_mode():
            generated = self._network(noise.to(self._device)).float().cpu()
            still = self._network(torch.zeros_like(noise[:1]).to(self._device)).float().cpu()
        measure = functools.partial(measure_mmd, self._judged_by, sigma=self._sigma)
        blinks = count_blinks(measure_ear(generated, self._statistics.canonical_neutral))
        mmd = float(measure(generated))
        return {
            "score": mmd,
            "mmd": mmd,
            "mmd copies": float(measure(self._copies)),
            "mmd noise-free": float(measure(still.expand_as(generated))),
            "blink rate": blinks.rate,
            "real blink rate": self._real.rate,
            "blink duration": blinks.duration if blinks.durations else 0.0,
            "real blink duration": self._real.duration if self._real.durations else 0.0,
        }

    def state_dict(self) -> dict[str, Any]:
        return {"network": self._network.state_dict(), "optimiser": self._optimiser.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._network.load_state_dict(state["network"])
        self._optimiser.load_state_dict(state["optimiser"])

    def export(self) -> dict[str, Any]:
        return {
            "preset": self._recipe.preset,
            "network": copy_to_cpu(self._network),
            "statistics": self._statistics.to_state(),
            "rate": self.figures.rate,
            "backends": dict(self._backends),
            "points": MESH68,
        }


def _draw(windows: EyeWindows, recipe: BlinkRecipe) -> Tensor:
    """(512, T, 44), drawn as a step's are."""
    rng = np.random.default_rng(recipe.seed)
    return windows.gather(windows.draw(JUDGED, recipe.blink_share, rng))
