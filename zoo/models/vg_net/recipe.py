"""Train VG-net: `zoo train vg-net`.

The generator learns from the pixel-wise loss alone at first; then a discriminator with a lower
learning rate and smoothed targets joins. On GRID the released settings let the discriminator's loss
fall to 0 and the generator's rise.
"""

import functools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from toolkit.errors import ToolkitError
from zoo.data.fingerprint import Fingerprint
from zoo.data.order import Batches, draw_order, spread_order
from zoo.data.source import load_parts
from zoo.landmarks.aligned import average_aligned
from zoo.models.vg_net import FAMILY
from zoo.models.vg_net.batches import WindowBatch, Windows
from zoo.models.vg_net.clips import (
    FaceClip,
    describe_landmarks,
    load_face_clips,
    take_fingerprint,
)
from zoo.models.vg_net.discriminator import create_discriminator
from zoo.models.vg_net.framing import MARGIN, Picture
from zoo.models.vg_net.losses import (
    adversarial_loss,
    discriminator_loss,
    landmark_loss,
    pixel_loss,
)
from zoo.models.vg_net.networks import compose, create_vg_net
from zoo.models.vg_net.options import VGNetRecipe
from zoo.models.vg_net.presets import PRESETS, SIZE, WEIGHTS
from zoo.training.adversaries import Adversaries
from zoo.training.distributed import Distributed
from zoo.training.loop import Metrics, Setting, Task, trainer
from zoo.training.networks import copy_to_cpu
from zoo.training.options import fall_by_cosine, to_plain
from zoo.training.pictures import to_pictures

BETAS = (0.5, 0.999)
"""Of Adam, the released code's."""

MOST_LAPS = 3
"""A window's frames are among the first T of a video or up to so many times T behind them, by
chance: a network trained on the first 16 alone drew dark patches in later frames' motion."""

JUDGED_WINDOWS = 24
"""The most that an epoch is judged by."""

SHEET_WINDOWS = 6
"""Of those, how many stand on a sheet of pictures."""

Clips = tuple[FaceClip, ...]


@trainer
def train_vg_net(recipe: VGNetRecipe, setting: Setting) -> "VGNetTask":
    """Train on the training part of a dataset's split, choose on the validation part.

    Raises:
        ToolkitError: no split, no stretch of measured frames that is long enough, an array that is
            missing, shards that do not fit together; and see `train`.
    """
    return VGNetTask(recipe, *choose_clips(recipe), distributed=setting.distributed)


def choose_clips(recipe: VGNetRecipe) -> tuple[Clips, Clips]:
    """What is trained on, and what the best epoch is chosen by.

    The parts `train` and `val`, less what is held out; of an identity with a holdout all its clips
    less what is held out, by which is chosen.
    """
    return load_parts(
        functools.partial(load_face_clips, num_frames=recipe.window),
        recipe.shards,
        identity=recipe.identity,
        share=recipe.holdout,
        gap=recipe.window,
    )


class VGNetTask(Task):
    """Generator and discriminator under training."""

    kind = FAMILY.name

    def __init__(
        self,
        recipe: VGNetRecipe,
        trained: Clips,
        chosen_by: Clips,
        *,
        distributed: Distributed,
    ) -> None:
        """Make the networks.

        Raises:
            ToolkitError: landmarks of the two parts are of different backends.
        """
        torch.manual_seed(recipe.seed)
        self._recipe, self._distributed = recipe, distributed
        self._trained, self._chosen_by = trained, chosen_by
        self._backend = describe_landmarks(trained)
        if (other := describe_landmarks(chosen_by)) != self._backend:
            raise ToolkitError(f"landmarks to train on are by {self._backend}, others by {other}")
        self._mean = average_aligned([clip.landmarks[clip.measured] for clip in trained])
        self._fingerprint = take_fingerprint(trained, chosen_by)
        self._epoch = 0
        self._sheet: Picture | None = None
        generator = create_vg_net(recipe.preset, attention=not recipe.leaves_out("attention"))
        discriminator = create_discriminator(recipe.preset)
        self._networks = {"generator": generator, "discriminator": discriminator}
        for network in self._networks.values():
            network.to(distributed.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._gan = Adversaries(
            generator, discriminator, recipe, distributed, rates=self._rate(0), betas=BETAS
        )

    def recipe(self) -> dict[str, Any]:
        return to_plain(self._recipe)

    def fingerprint(self) -> Fingerprint:
        return self._fingerprint

    def count_steps(self, epoch: int) -> int:
        return len(self._make_epoch(epoch))

    def draw_batches(self, epoch: int, first: int) -> Iterator[WindowBatch]:
        """The batches of an epoch, whose learning rates are set."""
        self._epoch = epoch
        self._gan.set_rates(self._rate(epoch))
        pin = self._distributed.device.type == "cuda"
        return self._make_epoch(epoch).load(first, self._recipe.workers, pin_memory=pin)

    def _rate(self, epoch: int) -> dict[str, float]:
        """Learning rates; while the discriminator reads alone, it does so as fast as the other."""
        recipe = self._recipe
        slow = recipe.learning_rate if self._is_warm_up(epoch) else recipe.discriminator_rate
        rates = {"generator": recipe.learning_rate, "discriminator": slow}
        if not PRESETS[recipe.preset].falls:
            return rates
        return {name: fall_by_cosine(rate, epoch, recipe.epochs) for name, rate in rates.items()}

    def _is_warm_up(self, epoch: int) -> bool:
        return epoch < math.ceil(self._recipe.warm_up * self._recipe.epochs)

    def step(self, batch: WindowBatch) -> Metrics:
        """One step of both networks; `real` and `drawn` are how real the discriminator finds them.

        In the warm-up the discriminator learns to read landmarks alone, and the generator does not
        follow it yet.
        """
        self._networks["generator"].train()
        batch = batch.to(self._distributed.device)
        laps = int(torch.randint(MOST_LAPS + 1, ()))
        with self._gan.autocast():
            found = self._gan.generate(batch.picture, batch.identity, batch.landmarks, laps)
        pred = compose(found, batch.picture)
        alpha = None if self._recipe.leaves_out("dynamic") else found[:, :, 3:]
        terms = {"pixel": WEIGHTS.pixel * pixel_loss(pred, batch.target, alpha)}
        shown = dict[str, Tensor]()
        has_judge = not self._recipe.leaves_out("discriminator")
        if has_judge:
            shown = self._step_discriminator(batch, pred)
        with self._gan.judging():
            if has_judge and not self._is_warm_up(self._epoch):
                read, logits = self._networks["discriminator"](pred, batch.identity)
                terms["adversarial"] = WEIGHTS.adversarial * adversarial_loss(logits)
                terms["landmark"] = WEIGHTS.landmark * landmark_loss(read, batch.shapes)
            total = torch.stack(list(terms.values())).sum()
        self._gan.step("generator", total.backward)
        losses = {"loss": total} | {f"loss {name}": value for name, value in terms.items()} | shown
        detached = {name: value.detach() for name, value in losses.items()}
        return self._gan.read_losses(detached, batch.landmarks.shape[:2].numel())

    def _step_discriminator(self, batch: WindowBatch, pred: Tensor) -> dict[str, Tensor]:
        figures = dict[str, Tensor]()

        def weigh(real: tuple[Tensor, Tensor], drawn: tuple[Tensor, Tensor]) -> Tensor:
            figures["real"], figures["drawn"] = (
                torch.sigmoid(logits.detach()).mean() for _, logits in (real, drawn)
            )
            reading = [landmark_loss(read, batch.shapes) for read, _ in (real, drawn)]
            loss = WEIGHTS.landmark * torch.stack(reading).sum()
            if self._is_warm_up(self._epoch):
                return loss
            return loss + discriminator_loss(real[1], drawn[1], self._recipe.smoothing)

        judge = functools.partial(self._judge, batch.identity)
        return self._gan.step_discriminator(judge, batch.target, pred, weigh) | figures

    def _judge(self, identity: Tensor, frames: Tensor) -> tuple[Tensor, Tensor]:
        found: tuple[Tensor, Tensor] = self._networks["discriminator"](frames, identity)
        return found

    def validate(self) -> Metrics:
        """`score`: mean absolute error in levels of 255; `psnr` in dB, over the mean square error.

        Over at most 24 windows, evenly spaced, of those that are not trained on; `score still` and
        `psnr still` are those of the picture that they were drawn from, left as it is.
        """
        self._networks["generator"].eval()
        recipe = self._recipe
        windows = Windows(self._chosen_by, self._mean, recipe.window, seed=recipe.seed, epoch=0)
        order = spread_order(len(windows), JUDGED_WINDOWS)
        shown = {int(place[0]) for place in spread_order(len(order), SHEET_WINDOWS)}
        drawn, still, columns = list[Tensor](), list[Tensor](), list[Picture]()
        for number, on_cpu in enumerate(Batches(windows, order).load()):
            batch = on_cpu.to(self._distributed.device)
            with torch.inference_mode(), self._gan.autocast():
                found = self._gan.generate(batch.picture, batch.identity, batch.landmarks)
            pred = compose(found, batch.picture)
            drawn.append(_measure_errors(pred, batch.target))
            still.append(_measure_errors(batch.picture[:, None], batch.target))
            if number in shown:
                columns.append(_draw_column(batch, found, pred))
        self._sheet = np.concatenate(columns, axis=1)
        return _summarise(drawn) | {f"{k} still": v for k, v in _summarise(still).items()}

    def draw_sheet(self) -> Picture | None:
        """Rows: the picture, a frame drawn from it, the real one, α and motion."""
        return self._sheet

    def state_dict(self) -> dict[str, Any]:
        networks = {name: network.state_dict() for name, network in self._networks.items()}
        return networks | {"optimisers": self._gan.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for name, network in self._networks.items():
            network.load_state_dict(state[name])
        self._gan.load_state_dict(state["optimisers"])

    def export(self) -> dict[str, Any]:
        return {
            "preset": self._recipe.preset,
            "ablate": self._recipe.ablate,
            **{name: copy_to_cpu(network) for name, network in self._networks.items()},
            "mean_face": torch.from_numpy(self._mean.copy()),
            "margin": MARGIN,
            "landmarks": self._backend,
            "size": SIZE,
            "trained_on": sorted({clip.identity for clip in self._trained}),
        }

    def _make_epoch(self, epoch: int) -> Batches[WindowBatch]:
        recipe = self._recipe
        windows = Windows(self._trained, self._mean, recipe.window, seed=recipe.seed, epoch=epoch)
        order = draw_order(
            len(windows),
            batch_size=recipe.batch_size,
            seed=recipe.seed,
            epoch=epoch,
            rank=self._distributed.rank,
            world_size=self._distributed.size,
            what="windows",
        )
        most = math.ceil(PRESETS[recipe.preset].epoch_windows / recipe.batch_size)
        return Batches(windows, order[: most or None])


def _measure_errors(pred: Tensor, target: Tensor) -> Tensor:
    """Mean absolute and mean square error, levels of 255."""
    away = (pred.float() - target) * 127.5
    return torch.stack([away.abs().mean(), away.square().mean()]).cpu()


def _summarise(errors: list[Tensor]) -> dict[str, float]:
    score, square = torch.stack(errors).double().mean(dim=0).tolist()
    return {"score": score, "psnr": 10 * math.log10(255**2 / max(square, 1e-12))}


def _draw_column(batch: WindowBatch, found: Tensor, pred: Tensor) -> Picture:
    """Of the window's middle frame."""
    middle = pred.shape[1] // 2
    alpha = (2 * found[0, middle, 3:] - 1).expand(3, -1, -1)
    rows = (
        batch.picture[0], pred[0, middle], batch.target[0, middle], alpha, found[0, middle, :3]
    )  # fmt: skip
    return np.concatenate([to_pictures(row) for row in rows])
