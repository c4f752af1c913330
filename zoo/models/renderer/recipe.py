"""Train the rendering-to-video network of one person, or of several for a base.

FACIAL (Zhang et al., ICCV 2021), sections 3.4 and 5.1.
"""

import functools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from toolkit.errors import ToolkitError
from zoo.data.fingerprint import Fingerprint
from zoo.data.frames import (
    Picture,
    RenderClip,
    load_render_clips,
    note_stretches,
    require_whole,
    take_fingerprint,
)
from zoo.data.order import Batches, Places, draw_order, spread_order
from zoo.data.source import load_parts
from zoo.graphics.eyes import choose_threshold
from zoo.models.renderer import FAMILY
from zoo.models.renderer.base import take_base
from zoo.models.renderer.batches import ClipFrames, FrameBatch
from zoo.models.renderer.inputs import ELLIPSES, find_face_model, to_pictures
from zoo.models.renderer.losses import (
    LossWeights,
    adversarial_loss,
    alpha_loss,
    discriminator_loss,
    feature_matching_loss,
)
from zoo.models.renderer.networks import create_discriminator, create_generator, place_network
from zoo.models.renderer.options import RendererRecipe
from zoo.models.renderer.patches import Judge, Patch, create_patch_discriminators, pair_patches
from zoo.models.renderer.people import (
    PeopleMaker,
    check_kind,
    draw_evenly,
    fit_people,
    list_people,
    spread_evenly,
)
from zoo.models.renderer.presets import HALF_WINDOW, PRESETS
from zoo.training.adversaries import Adversaries
from zoo.training.checkpoint import load_checkpoint
from zoo.training.distributed import Distributed
from zoo.training.loop import LAST, Metrics, Setting, Task, trainer
from zoo.training.networks import copy_to_cpu
from zoo.training.options import AUTO, to_plain
from zoo.training.perceptual import PerceptualDistance, open_perceptual

BETAS = (0.5, 0.999)
"""Of Adam, pix2pixHD's."""

VALIDATION_FRAMES = 50
"""The most that an epoch is judged by."""

SHEET_FRAMES = 6
"""Of those, how many stand on a sheet of pictures."""

Clips = tuple[RenderClip, ...]


@trainer
def train_renderer(recipe: RendererRecipe, setting: Setting) -> "RendererTask":
    """Train on the training part of a person's clips, or of several people's; best figures.

    Raises:
        ToolkitError: no such identity, no frames to train on or to judge by, several people's of
            more than one kind, coefficients of another face model, or the judge's weights cannot be
            read; and see `train`.
    """
    judge = open_judge(recipe, setting.out if setting.resume else None)
    clips = choose_clips(recipe)
    task = RendererTask(recipe, *clips, judge=judge, distributed=setting.distributed)
    if recipe.base is not None and not setting.resume:
        task.begin_with(recipe.base)
    setting.say(task.describe())
    return task


def choose_clips(recipe: RendererRecipe) -> tuple[Clips, Clips]:
    """What is trained on, and what the best epoch is chosen by; errors as `load_parts`.

    ToolkitError, too, where whole frames are to be drawn and crops are stored.
    """
    trained, chosen_by = list[RenderClip](), list[RenderClip]()
    for name in list_people(recipe):
        parts = load_parts(
            load_render_clips,
            recipe.shards,
            identity=name,
            share=recipe.holdout,
            gap=2 * HALF_WINDOW,
        )
        trained += parts[0]
        chosen_by += parts[1]
    check_kind(trained + chosen_by)
    if recipe.draws_whole:
        require_whole(trained + chosen_by)
    return tuple(trained), tuple(chosen_by)


def open_judge(recipe: RendererRecipe, run: Path | None = None) -> PerceptualDistance:
    """The network of the perceptual term.

    Args:
        recipe: names it, or leaves it to be found.
        run: to be gone on with: what judged it goes on, though another could be had since.

    Raises:
        ToolkitError: its weights cannot be read; `run` holds no run.
    """
    kind = recipe.perceptual
    if run is not None and kind == AUTO and recipe.vgg is None:
        kind = load_checkpoint(run / LAST, FAMILY.name)["model"]["perceptual"]["name"]
    preset = PRESETS[recipe.preset]
    return open_perceptual(
        kind, recipe.vgg, half=preset.half_size_judge, normalised=preset.imagenet_colors
    )


class RendererTask(Task):
    """Generator and discriminator under training."""

    kind = FAMILY.name

    def __init__(
        self,
        recipe: RendererRecipe,
        trained: Clips,
        chosen_by: Clips,
        *,
        judge: PerceptualDistance,
        distributed: Distributed,
    ) -> None:
        """Make the networks and what they see.

        Raises:
            ToolkitError: coefficients of another face model.
            ValueError: a frame size that the networks cannot take.
        """
        torch.manual_seed(recipe.seed)
        self._recipe, self._distributed, self._weights = recipe, distributed, LossWeights()
        self._preset = PRESETS[recipe.preset]
        self._size, self._fps = trained[0].camera.size, trained[0].fps
        self._stretches = note_stretches(trained), note_stretches(chosen_by)
        self._fingerprint = take_fingerprint(trained, chosen_by)
        self._sheet: Picture | None = None
        self._people = fit_people(trained)
        self._face_model = find_face_model(self._people[0].backends["coefficients"])
        self._threshold = choose_threshold(self._face_model.model)
        maker = PeopleMaker.of_people(
            self._people,
            self._face_model.model,
            self._threshold,
            preset=recipe.preset,
            without=recipe.without,
        )
        self._trained, self._chosen_by = (
            ClipFrames(clips, maker, with_matte=recipe.has_alpha, with_regions=self._preset.patches)
            for clips in (trained, chosen_by)
        )
        self._perceptual = place_network(judge, distributed.device)
        self._make_networks()

    def _make_networks(self) -> None:
        recipe, device = self._recipe, self._distributed.device
        generator = create_generator(recipe.preset, self._size, alpha=recipe.has_alpha)
        self._generator = place_network(generator, device)
        self._discriminator = place_network(create_discriminator(recipe.preset), device)
        self._patches = place_network(create_patch_discriminators(recipe.preset), device)
        self._began: dict[str, Any] | None = None
        self._gan = Adversaries(
            self._generator,
            nn.ModuleList([self._discriminator, *self._patches.values()]),
            recipe,
            self._distributed,
            rates=recipe.rates(0),
            betas=BETAS,
        )

    def begin_with(self, path: Path) -> None:
        """Take another renderer's weights, and note whose.

        Raises:
            ToolkitError: it is of another preset, size or face model, draws something else, or has
                no alpha where this one has.
        """
        own = {
            "preset": self._recipe.preset,
            "size": self._size,
            "face_model": self._describe_face_model(),
            "whole_frames": self._recipe.draws_whole,
            "alpha": self._recipe.has_alpha,
        }
        self._began = take_base(path, own, self._networks)

    @property
    def _networks(self) -> dict[str, nn.Module]:
        """By their names in checkpoints."""
        return {
            "generator": self._generator,
            "discriminator": self._discriminator,
            "patches": self._patches,
        }

    def describe(self) -> str:
        """Whom it learns, of how many frames, and what it began with, in a line."""
        counts = self._trained.counts
        whom = ", ".join(f"{name} ({count} frames)" for name, count in counts.items())
        people = f"{len(counts)} people: " if self._recipe.people else ""
        began = f"; begun with the renderer of {self._began['identity']}" if self._began else ""
        return f"learns {people}{whom}{began}"

    def _describe_face_model(self) -> dict[str, str]:
        return {"name": self._face_model.name, "sha256": self._face_model.sha256}

    def recipe(self) -> dict[str, Any]:
        judge = f"{self._perceptual.name} {self._perceptual.sha256[:12]}"
        known: dict[str, Any] = {"perceptual": judge}
        if self._recipe.people:
            known["people"] = [person.identity for person in self._people]
        if self._began is not None:  # a run that goes on has read it by the time it is written
            known["began_with"] = self._began
        return to_plain(self._recipe) | known

    def fingerprint(self) -> Fingerprint:
        return self._fingerprint

    def count_steps(self, epoch: int) -> int:
        return len(self._order(epoch))

    def draw_batches(self, epoch: int, first: int) -> Iterator[FrameBatch]:
        """The batches of an epoch; before each the learning rates of its step are set."""
        pin, order = self._distributed.device.type == "cuda", self._order(epoch)
        batches = Batches(self._trained, order).load(first, self._recipe.workers, pin_memory=pin)
        for number, batch in enumerate(batches, first):
            self._gan.set_rates(self._recipe.rates(epoch + number / len(order)))
            yield batch

    def _order(self, epoch: int) -> list[Places]:
        counts, seed = tuple(self._trained.counts.values()), self._recipe.seed
        drawn = draw_evenly(counts, self._recipe.frames_per_person, seed=seed, epoch=epoch)
        order = draw_order(
            len(drawn),
            batch_size=self._recipe.batch_size,
            seed=seed,
            epoch=epoch,
            rank=self._distributed.rank,
            world_size=self._distributed.size,
            what="frames",
        )
        return [drawn[places] for places in order]

    def step(self, batch: FrameBatch) -> Metrics:
        self._generator.train()
        batch = batch.to(self._distributed.device)
        with self._gan.autocast():
            drawn = self._gan.generate(batch.window)
            pred = batch.hide_rest(drawn[:, :3])
        judge = functools.partial(self._discriminator, batch.window)
        losses = self._gan.step_discriminator(judge, batch.target, pred, discriminator_loss)
        patches = self._cut_patches(batch, pred)
        for patch in patches:
            found = self._gan.step_discriminator(
                patch.judge, patch.target, patch.pred, discriminator_loss
            )
            losses |= {f"{name} {patch.name}": value for name, value in found.items()}
        terms = self._step_generator(batch, pred, drawn[:, 3:], patches)
        names = {"perceptual": f"perceptual ({self._perceptual.name})"}
        losses |= {f"loss {names.get(name, name)}": value for name, value in terms.items()}
        first = {"loss l1": terms["l1"]}  # is shown
        return self._gan.read_losses(first | losses, len(batch))

    def _cut_patches(self, batch: FrameBatch, pred: Tensor) -> list[Patch]:
        """Mouth and eyes of a batch; none where the preset does not look at them."""
        if batch.regions is None:
            return []
        shape = self._preset.window
        rendered = batch.window[:, shape.current * shape.channels :][:, : shape.channels]
        return pair_patches(self._patches, rendered, batch.target, pred, batch.regions)

    def _step_generator(
        self, batch: FrameBatch, pred: Tensor, alpha: Tensor, patches: Sequence[Patch]
    ) -> dict[str, Tensor]:
        """Terms of eq. 10 and of an alpha, which is in no other, without their weights."""
        judge = functools.partial(self._discriminator, batch.window)
        with self._gan.judging():
            terms = self._compare(judge, pred, batch.target)
            terms["perceptual"] = self._perceptual(pred, batch.target)
            for patch in patches:
                found = self._compare(patch.judge, patch.pred, patch.target)
                terms |= {f"{name} {patch.name}": value for name, value in found.items()}
        if batch.matte is not None:
            count = batch.matte.numel() if batch.inside is None else batch.inside.sum()
            share = self._distributed.weigh(inside=count)["inside"]
            terms["alpha"] = share * alpha_loss(alpha, batch.matte, batch.inside)
        self._gan.step("generator", self._weights.sum(terms).backward)
        return {name: value.detach() for name, value in terms.items()}

    def _compare(self, judge: Judge, pred: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Terms of eq. 10 by a discriminator, and L1."""
        with torch.no_grad():
            known = judge(target)
        features = judge(pred)
        mean = self._preset.mean_over_scales
        return {
            "adversarial": adversarial_loss(features),
            "feature_matching": feature_matching_loss(features, known, mean=mean),
            "l1": (pred.float() - target).abs().mean(),
        }

    def validate(self) -> Metrics:
        """`score`: mean absolute error in levels of 255; `psnr` in dB, over the mean square error.

        Over at most 50 frames, evenly spaced, of those that are not trained on, or of several
        people evenly, at least one of each. What is not
        learnt, as the background beside an alpha, counts as drawn without error.
        """
        self._generator.eval()
        error, square, columns = 0.0, 0.0, list[Picture]()
        order = spread_evenly(tuple(self._chosen_by.counts.values()), VALIDATION_FRAMES)
        shown = {int(place[0]) for place in spread_order(len(order), SHEET_FRAMES)}
        for number, batch in enumerate(Batches(self._chosen_by, order).load()):
            on_device = batch.to(self._distributed.device)
            with torch.inference_mode(), self._gan.autocast():
                pred = on_device.hide_rest(self._gan.generate(on_device.window)[:, :3])
            away = (pred.float() - on_device.target) * 127.5
            error += float(away.abs().mean()) / len(order)
            square += float((away**2).mean()) / len(order)
            if number in shown:
                columns.append(self._draw_column(on_device, pred))
        self._sheet = np.concatenate(columns, axis=1)
        return {"score": error, "psnr": 10 * math.log10(255**2 / max(square, 1e-12))}

    def _draw_column(self, batch: FrameBatch, pred: Tensor) -> Picture:
        """What the network saw of the first frame, what it made of it, and what there was."""
        shape = self._preset.window
        first = shape.channels * shape.current
        rows = (batch.window[:1, first : first + 3], pred[:1], batch.target[:1])
        return np.concatenate([to_pictures(row)[0] for row in rows])

    def draw_sheet(self) -> Picture | None:
        return self._sheet

    def state_dict(self) -> dict[str, Any]:
        return {
            **{name: network.state_dict() for name, network in self._networks.items()},
            "optimisers": self._gan.state_dict(),
            "eyes": ELLIPSES,
            "alpha": self._recipe.has_alpha,
            "base": self._began,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Raises ToolkitError for a run of a version that saw, drew or judged otherwise."""
        own, known = self._generator.state_dict(), state["generator"]
        for what, fits in {
            "painted the eyes as whole triangles": state.get("eyes") == ELLIPSES,
            "drew squares without an alpha": state.get("alpha", False) == self._recipe.has_alpha,
            "did not look at mouth and eyes by themselves": bool(state.get("patches"))
            == self._preset.patches,
            "drew by other kernels": all(own[name].shape == known[name].shape for name in own),
        }.items():
            if not fits:
                raise ToolkitError(
                    f"the run was begun by a version that {what}: train anew in another --out"
                )
        self._generator.load_state_dict(state["generator"])
        self._discriminator.load_state_dict(state["discriminator"])
        self._patches.load_state_dict(state.get("patches", {}))
        self._gan.load_state_dict(state["optimisers"])
        self._began = state.get("base")

    def export(self) -> dict[str, Any]:
        people = [person.to_state() for person in self._people]
        return {
            "preset": self._recipe.preset,
            "without": self._recipe.without,
            **{name: copy_to_cpu(network) for name, network in self._networks.items()},
            "base": self._began,
            **({"people": people} if self._recipe.people else {"person": people[0]}),
            "trained_on": self._stretches[0],
            "held_out": self._stretches[1],
            "size": self._size,
            "fps": self._fps,
            "face_model": self._describe_face_model(),
            "threshold": self._threshold,
            "eyes": ELLIPSES,
            "alpha": self._recipe.has_alpha,
            "whole_frames": self._recipe.draws_whole,
            "perceptual": {"name": self._perceptual.name, "sha256": self._perceptual.sha256},
        }
