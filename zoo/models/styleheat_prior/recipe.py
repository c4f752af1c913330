"""Train the prior: `zoo train styleheat-prior`.

Generator and encoders learn together to draw every picture again, first by w+ alone, then with F;
a discriminator judges what they draw, and faces that the generator draws of noise.
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import l1_loss

from zoo.data.fingerprint import Fingerprint
from zoo.data.order import Batches, draw_order, spread_order
from zoo.data.source import load_parts
from zoo.landmarks.cut import Picture
from zoo.models.styleheat_prior import FAMILY
from zoo.models.styleheat_prior.identity import IdentityDistance, open_identity
from zoo.models.styleheat_prior.networks import create_discriminator, create_prior
from zoo.models.styleheat_prior.options import PriorRecipe
from zoo.models.styleheat_prior.pictures import (
    PictureBatch,
    PictureClip,
    Pictures,
    load_picture_clips,
    take_fingerprint,
)
from zoo.models.styleheat_prior.presets import MEMORY, PENALTY_STEPS, PRESETS, WEIGHTS
from zoo.stylegan.discriminator import (
    adversarial_loss,
    discriminator_loss,
    gradient_penalty,
)
from zoo.stylegan.generator import STYLE
from zoo.stylegan.layers import place_network
from zoo.training.adversaries import Adversaries
from zoo.training.averaging import RunningMean
from zoo.training.distributed import Distributed
from zoo.training.loop import Metrics, Setting, Task, trainer
from zoo.training.networks import copy_to_cpu
from zoo.training.options import to_plain
from zoo.training.perceptual import PerceptualDistance, open_perceptual
from zoo.training.pictures import to_pictures

BETAS = (0.0, 0.99)
"""Of Adam (StyleGAN2)."""

GAP = 25
"""Frames before a held-out part that are in neither part."""

JUDGED_PICTURES = 48
"""The most that an epoch is judged by."""

SHEET_PICTURES = 8
"""Of those, how many stand on a sheet of pictures."""

Clips = tuple[PictureClip, ...]


@trainer
def train_prior(recipe: PriorRecipe, setting: Setting) -> "PriorTask":
    """Train on the training part of a dataset's split, choose on the validation part.

    Raises:
        ToolkitError: no split, no measured frame, an array that is missing, shards that do not fit
            together, weights of a network that judges cannot be read; and see `train`.
    """
    return PriorTask(
        recipe,
        *choose_clips(recipe),
        perceptual=open_perceptual(recipe.perceptual, recipe.vgg),
        identity=open_identity(recipe.face),
        distributed=setting.distributed,
    )


def choose_clips(recipe: PriorRecipe) -> tuple[Clips, Clips]:
    """What is trained on, and what the best epoch is chosen by; see `load_parts`."""
    return load_parts(
        load_picture_clips, recipe.shards, identity=recipe.identity, share=recipe.holdout, gap=GAP
    )


class PriorTask(Task):
    """Generator, encoders and discriminator under training."""

    kind = FAMILY.name

    def __init__(
        self,
        recipe: PriorRecipe,
        trained: Clips,
        chosen_by: Clips,
        *,
        perceptual: PerceptualDistance,
        identity: IdentityDistance | None,
        distributed: Distributed,
    ) -> None:
        """Make the networks; `identity`: None where nothing judges who is seen."""
        torch.manual_seed(recipe.seed)
        self._recipe, self._distributed = recipe, distributed
        self._preset = PRESETS[recipe.preset]
        self._trained, self._chosen_by = trained, chosen_by
        self._fingerprint = take_fingerprint(trained, chosen_by)
        self._perceptual = perceptual.to(distributed.device)
        self._identity = None if identity is None else identity.to(distributed.device)
        self._prior = place_network(create_prior(recipe.preset), distributed.device)
        judge = create_discriminator(recipe.preset)
        self._discriminator = place_network(judge, distributed.device)
        rates = dict.fromkeys(("generator", "discriminator"), recipe.learning_rate)
        self._gan = Adversaries(
            self._prior, self._discriminator, recipe, distributed, rates=rates, betas=BETAS
        )
        self._mean = RunningMean(self._prior, 0.5 ** (recipe.batch_size / MEMORY))
        self._sheet: Picture | None = None

    def recipe(self) -> dict[str, Any]:
        return to_plain(self._recipe) | self._describe_judges()

    def _describe_judges(self) -> dict[str, str]:
        judges = {"perceptual judge": self._perceptual, "identity judge": self._identity}
        return {
            name: "none" if judge is None else f"{judge.name} {judge.sha256[:12]}"
            for name, judge in judges.items()
        }

    def fingerprint(self) -> Fingerprint:
        return self._fingerprint

    def count_steps(self, epoch: int) -> int:
        return len(self._make_epoch(epoch))

    def draw_batches(self, epoch: int, first: int) -> Iterator[PictureBatch]:
        pin = self._distributed.device.type == "cuda"
        return self._make_epoch(epoch).load(first, self._recipe.workers, pin_memory=pin)

    def step(self, batch: PictureBatch) -> Metrics:
        """One step of the discriminator, then of generator and encoders.

        At first of generator and style encoder alone: see `Preset.coarse_pictures`. When the other
        terms come in, Adam begins anew: it would divide larger gradients by the size of those
        before.
        """
        batch = batch.to(self._distributed.device)
        shown: dict[str, Tensor] = {}
        left = self._preset.coarse_pictures - self._mean.num_updates * self._recipe.batch_size
        if left > 0:
            terms = {"coarse": self._measure_coarse(batch)}
        else:
            if left > -self._recipe.batch_size:
                self._gan.restart("generator")
            terms, shown = self._measure(batch)
        total = torch.stack([term.float() for term in terms.values()]).sum()
        self._gan.step("generator", total.backward)
        self._mean.update()
        losses = {"loss": total} | {f"loss {name}": value for name, value in terms.items()} | shown
        detached = {name: value.detach().float() for name, value in losses.items()}
        return self._gan.read_losses(detached, len(batch.pictures))

    def _measure_coarse(self, batch: PictureBatch) -> Tensor:
        """The weighted error of w+ alone."""
        with self._gan.autocast():
            coarse = self._gan.generate(batch.pictures, fine=False)[:, 0]
        return WEIGHTS.coarse * l1_loss(coarse.float(), batch.pictures)

    def _measure(self, batch: PictureBatch) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Weighted terms of all that is drawn, and the loss of the discriminator, a step on."""
        with self._gan.autocast():
            coarse, fine = self._gan.generate(batch.pictures).unbind(1)
            faces = self._draw_faces()
            drawn = torch.cat([fine, faces]).float()
        weight = self._preset.samples / (len(faces) * self._distributed.size)
        weights = torch.ones(len(drawn), device=drawn.device)
        weights[len(fine) :] = weight
        weights /= weights.mean()
        shown = self._step_discriminator(batch.pictures, drawn, weights)
        terms = {
            "pixel": WEIGHTS.pixel * l1_loss(fine.float(), batch.pictures),
            "coarse": WEIGHTS.coarse * l1_loss(coarse.float(), batch.pictures),
        }
        with self._gan.judging():
            terms["adversarial"] = WEIGHTS.adversarial * adversarial_loss(
                self._discriminator(drawn), weights
            )
            terms["perceptual"] = WEIGHTS.perceptual * self._perceptual(fine, batch.pictures)
            if self._identity is not None:
                distance = self._identity(fine, batch.pictures, batch.chips)
                terms["identity"] = WEIGHTS.identity * distance
        return terms, shown

    def _draw_faces(self) -> Tensor:
        """(n, 3, H, H) of noise, others in each process: its share of the preset's, rounded up."""
        generator, distributed = self._prior.generator, self._distributed
        count = math.ceil(self._preset.samples / distributed.size)
        noise = torch.randn(count * distributed.size, STYLE, device=distributed.device)
        noise = distributed.share(noise)  # all have drawn the same: the loop has seeded it
        return generator.synthesize(generator.map_noise(noise))

    def _step_discriminator(
        self, real: Tensor, drawn: Tensor, weights: Tensor
    ) -> dict[str, Tensor]:
        """R1 is measured in the first of every 16 steps."""
        penalised = self._mean.num_updates % PENALTY_STEPS == 0
        real = real.detach().requires_grad_(penalised)

        def weigh(real_logits: Tensor, drawn_logits: Tensor) -> Tensor:
            loss = discriminator_loss(real_logits.float(), drawn_logits.float(), weights)
            if penalised:
                penalty = gradient_penalty(real_logits, real)
                loss = loss + WEIGHTS.penalty / 2 * PENALTY_STEPS * penalty
            return loss

        return self._gan.step_discriminator(self._discriminator, real, drawn, weigh)

    def validate(self) -> Metrics:
        """`score`: mean absolute error in levels of 255; `psnr` in dB, over the mean square error.

        By the running mean of the weights, over at most 48 pictures, evenly spaced, of those that
        are not trained on; `score coarse` and `psnr coarse` are those of w+ alone.
        """
        pictures = Pictures(self._chosen_by, self._prior.size)
        order = spread_order(len(pictures), JUDGED_PICTURES)
        shown = {int(place[0]) for place in spread_order(len(order), SHEET_PICTURES)}
        errors, columns = list[Tensor](), list[Picture]()
        for number, on_cpu in enumerate(Batches(pictures, order).load()):
            target = on_cpu.to(self._distributed.device).pictures
            with torch.inference_mode(), self._gan.autocast():
                pred = self._mean.network(target)[0].float()
            errors.append(_sum_errors(pred, target))
            if number in shown:
                columns.append(np.concatenate(list(to_pictures(torch.cat([target, pred])))))
        self._sheet = np.concatenate(columns, axis=1)
        coarse, fine = torch.stack(errors).double().mean(dim=0)
        return _summarise(fine) | {f"{k} coarse": v for k, v in _summarise(coarse).items()}

    def draw_sheet(self) -> Picture | None:
        """Rows: the picture, as w+ alone gives it, with F."""
        return self._sheet

    def state_dict(self) -> dict[str, Any]:
        return {
            "prior": self._prior.state_dict(),
            "discriminator": self._discriminator.state_dict(),
            "mean": self._mean.state_dict(),
            "optimisers": self._gan.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._prior.load_state_dict(state["prior"])
        self._discriminator.load_state_dict(state["discriminator"])
        self._mean.load_state_dict(state["mean"])
        self._gan.load_state_dict(state["optimisers"])

    def export(self) -> dict[str, Any]:
        return {
            "preset": self._recipe.preset,
            "sizes": self._preset.sizes.to_state(),
            "prior": copy_to_cpu(self._mean.network),
            "discriminator": copy_to_cpu(self._discriminator),
            "judges": self._describe_judges(),
            "trained_on": sorted({clip.identity for clip in self._trained}),
        }

    def _make_epoch(self, epoch: int) -> Batches[PictureBatch]:
        recipe = self._recipe
        pictures = Pictures(self._trained, self._prior.size, seed=recipe.seed, epoch=epoch)
        order = draw_order(
            len(pictures),
            batch_size=recipe.batch_size,
            seed=recipe.seed,
            epoch=epoch,
            rank=self._distributed.rank,
            world_size=self._distributed.size,
            what="pictures",
        )
        most = math.ceil(self._preset.epoch_pictures / recipe.batch_size)
        return Batches(pictures, order[: most or None])


def _sum_errors(pred: Tensor, target: Tensor) -> Tensor:
    """(2, 2): mean absolute and mean square error in levels, of (2, 3, H, H) by one picture."""
    away = (pred - target) * 127.5
    sums = [error.mean(dim=(1, 2, 3)) for error in (away.abs(), away.square())]
    return torch.stack(sums, dim=1).cpu()


def _summarise(errors: Tensor) -> dict[str, float]:
    score, square = errors.tolist()
    return {"score": score, "psnr": 10 * math.log10(255**2 / max(square, 1e-12))}
