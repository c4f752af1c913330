"""Train the rendering-to-video network of one person.

FACIAL (Zhang et al., ICCV 2021), sections 3.4 and 5.1. Each step first trains the discriminator,
then, with the discriminator frozen, the generator.
"""

import dataclasses
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zoo.data import Holdout
from zoo.data.frames import RenderClip, load_render_clips, note_stretches
from zoo.data.order import Batches, Places, draw_order, spread_order
from zoo.graphics.eyes import choose_threshold
from zoo.models.renderer.batches import ClipFrames, FrameBatch
from zoo.models.renderer.inputs import WindowMaker, find_face_model
from zoo.models.renderer.losses import LossWeights, deceive, discriminate, match_features
from zoo.models.renderer.model import KIND
from zoo.models.renderer.networks import create_discriminator, create_generator, place_network
from zoo.models.renderer.options import RendererRecipe
from zoo.models.renderer.person import fit_person
from zoo.models.renderer.windows import HALF_WINDOW
from zoo.training.checkpoint import load_checkpoint
from zoo.training.distributed import World
from zoo.training.loop import LAST, Metrics, Step, check_folder, train
from zoo.training.networks import frozen
from zoo.training.perceptual import PerceptualDistance, find_vgg

BETAS = (0.5, 0.999)
"""Of Adam, pix2pixHD's."""

VALIDATION_FRAMES = 50
"""The most that an epoch is judged by."""

Clips = tuple[RenderClip, ...]


def train_renderer(
    recipe: RendererRecipe,
    out: Path,
    *,
    world: World | None = None,
    resume: bool = False,
    on_step: Callable[[Step], None] = lambda step: None,
) -> Metrics:
    """Train on the training part of a person's clips; best figures.

    Raises:
        ToolkitError: no such identity, no frames to train on or to judge by, coefficients of
            another face model, or VGG19 cannot be read; and see `train`.
    """
    check_folder(out, resume)
    world = world or World()
    judge = open_judge(recipe, out if resume else None)
    task = RendererTask(recipe, *choose_clips(recipe), judge=judge, world=world)
    return train(
        task,
        out,
        epochs=recipe.epochs,
        seed=recipe.seed,
        resume=resume,
        world=world,
        on_step=on_step,
    )


def choose_clips(recipe: RendererRecipe) -> tuple[Clips, Clips]:
    """What is trained on, and what the best epoch is chosen by.

    With a holdout all clips of the person, whatever their part of the split, less what is held
    out, which chooses; else the person's clips of the parts `train` and `val`.

    Raises:
        ToolkitError: there is nothing of the person in one of the two.
    """
    shards, identity = recipe.shards, recipe.identity
    if recipe.holdout:
        cut = Holdout(share=recipe.holdout, identity=identity, gap=2 * HALF_WINDOW)
        held = load_render_clips(shards, identity=identity, holdout=cut, held=True)
        return load_render_clips(shards, identity=identity, holdout=cut), held
    trained = load_render_clips(shards, identity=identity, split="train")
    return trained, load_render_clips(shards, identity=identity, split="val")


def open_judge(recipe: RendererRecipe, run: Path | None = None) -> PerceptualDistance:
    """The network of the perceptual term.

    Args:
        recipe: names VGG19's weights, or leaves them to be found.
        run: to be gone on with: what was judged by a random network stays so, though VGG19 should
            have been fetched since.

    Raises:
        ToolkitError: VGG19 cannot be read; `run` holds no run.
    """
    weights = find_vgg(recipe.vgg)
    if run is not None and recipe.vgg is None:
        known = load_checkpoint(run / LAST, KIND)["model"]["perceptual"]["name"]
        weights = None if known == "random" else weights
    half, normalised = recipe.preset == "small", recipe.preset != "official"
    return PerceptualDistance(weights, half=half, normalised=normalised)


class RendererTask:
    """Generator and discriminator under training."""

    kind = KIND

    def __init__(
        self,
        recipe: RendererRecipe,
        trained: Clips,
        chosen_by: Clips,
        *,
        judge: PerceptualDistance,
        world: World,
    ) -> None:
        """Make the networks and what they see.

        Raises:
            ToolkitError: coefficients of another face model.
            ValueError: a frame size that the networks cannot take.
        """
        torch.manual_seed(recipe.seed)
        self._recipe, self._world, self._weights = recipe, world, LossWeights()
        self._size, self._fps = trained[0].camera.size, trained[0].fps
        self._stretches = note_stretches(trained), note_stretches(chosen_by)
        self._person = fit_person(trained)
        self._face_model = find_face_model(self._person.backends["coefficients"])
        self._threshold = choose_threshold(self._face_model.model)
        maker = WindowMaker.of_person(
            self._person,
            self._face_model.model,
            self._threshold,
            preset=recipe.preset,
            without=recipe.without,
        )
        self._trained, self._chosen_by = ClipFrames(trained, maker), ClipFrames(chosen_by, maker)
        self._perceptual = place_network(judge, world.device)
        self._make_networks()

    def _make_networks(self) -> None:
        recipe, device = self._recipe, self._world.device
        self._generator = place_network(create_generator(recipe.preset, self._size), device)
        self._discriminator = place_network(create_discriminator(recipe.preset), device)
        self._generate = torch.compile(self._generator) if recipe.compile else self._generator
        networks = {"generator": self._generator, "discriminator": self._discriminator}
        self._optimisers = {
            name: torch.optim.Adam(networks[name].parameters(), rate, BETAS)
            for name, rate in recipe.rates(0).items()
        }

    def recipe(self) -> dict[str, Any]:
        content = dataclasses.asdict(self._recipe) | {"perceptual": self._name_judge()}
        return {k: str(v) if isinstance(v, Path) else v for k, v in content.items()}

    def _name_judge(self) -> str:
        return f"{self._perceptual.name} {self._perceptual.sha256[:12]}"

    def count_steps(self, epoch: int) -> int:
        return len(self._order(epoch))

    def draw_batches(self, epoch: int, first: int) -> Iterator[FrameBatch]:
        """The batches of an epoch, whose learning rates are set."""
        for name, rate in self._recipe.rates(epoch).items():
            for group in self._optimisers[name].param_groups:
                group["lr"] = rate
        pin = self._world.device.type == "cuda"
        batches = Batches(self._trained, self._order(epoch))
        return batches.load(first, self._recipe.workers, pin_memory=pin)

    def _order(self, epoch: int) -> list[Places]:
        return draw_order(
            len(self._trained),
            batch_size=self._recipe.batch_size,
            seed=self._recipe.seed,
            epoch=epoch,
            rank=self._world.rank,
            world_size=self._world.size,
            what="frames",
        )

    def step(self, batch: FrameBatch) -> Metrics:
        self._generator.train()
        batch = batch.to(self._world.device)
        with self._autocast():
            found = self._generate(batch.window)
        losses = {"loss discriminator": self._step_discriminator(batch, found.detach())}
        terms = self._step_generator(batch, found)
        names = {"perceptual": f"perceptual ({self._perceptual.name})"}
        losses |= {f"loss {names.get(name, name)}": value for name, value in terms.items()}
        figures = torch.stack(list(losses.values())).tolist()  # waits for the device once
        metrics = dict(zip(losses, figures, strict=True))
        return metrics | {"items": float(len(batch) * self._world.size)}

    def _step_discriminator(self, batch: FrameBatch, found: Tensor) -> Tensor:
        with self._autocast():
            real = self._discriminator(batch.window, batch.target)
            generated = self._discriminator(batch.window, found)
        loss = discriminate(real, generated)
        self._descend("discriminator", self._discriminator, loss)
        return loss.detach()

    def _step_generator(self, batch: FrameBatch, found: Tensor) -> dict[str, Tensor]:
        """Terms of eq. 10, without their weights."""
        with frozen(self._discriminator), self._autocast():
            with torch.no_grad():
                real = self._discriminator(batch.window, batch.target)
            generated = self._discriminator(batch.window, found)
            perceptual = self._perceptual(found, batch.target)
        terms = {
            "adversarial": deceive(generated),
            "feature_matching": match_features(
                real, generated, mean=self._recipe.preset == "official"
            ),
            "perceptual": perceptual,
            "l1": (found.float() - batch.target).abs().mean(),
        }
        self._descend("generator", self._generator, self._weights.sum(terms))
        return {name: value.detach() for name, value in terms.items()}

    def _descend(self, name: str, network: torch.nn.Module, loss: Tensor) -> None:
        self._optimisers[name].zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._world.average_gradients(network)
        self._optimisers[name].step()

    def validate(self) -> Metrics:
        """`score`: mean absolute error in levels of 255; `psnr` in dB, over the mean square error.

        Over at most 50 frames, evenly spaced, of those that are not trained on.
        """
        self._generator.eval()
        error = square = 0.0
        order = spread_order(len(self._chosen_by), VALIDATION_FRAMES)
        for batch in Batches(self._chosen_by, order).load():
            on_device = batch.to(self._world.device)
            with torch.inference_mode(), self._autocast():
                found = self._generator(on_device.window)
            away = (found.float() - on_device.target) * 127.5
            error += float(away.abs().mean()) / len(order)
            square += float((away**2).mean()) / len(order)
        return {"score": error, "psnr": 10 * math.log10(255**2 / max(square, 1e-12))}

    def state_dict(self) -> dict[str, Any]:
        optimisers = {name: o.state_dict() for name, o in self._optimisers.items()}
        return {
            "generator": self._generator.state_dict(),
            "discriminator": self._discriminator.state_dict(),
            "optimisers": optimisers,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._generator.load_state_dict(state["generator"])
        self._discriminator.load_state_dict(state["discriminator"])
        for name, optimiser in self._optimisers.items():
            optimiser.load_state_dict(state["optimisers"][name])

    def export(self) -> dict[str, Any]:
        return {
            "preset": self._recipe.preset,
            "without": self._recipe.without,
            "generator": {k: v.cpu() for k, v in self._generator.state_dict().items()},
            "person": self._person.to_state(),
            "trained_on": self._stretches[0],
            "held_out": self._stretches[1],
            "size": self._size,
            "fps": self._fps,
            "face_model": {"name": self._face_model.name, "sha256": self._face_model.sha256},
            "threshold": self._threshold,
            "perceptual": {"name": self._perceptual.name, "sha256": self._perceptual.sha256},
        }

    def _autocast(self) -> torch.autocast:
        enabled = self._recipe.precision == "bf16"
        return torch.autocast(self._world.device.type, torch.bfloat16, enabled=enabled)
