"""What all stages of StyleHEAT have in common: which networks are trained, steps, checkpoints."""

import abc
import contextlib
import copy
import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from toolkit.errors import ToolkitError
from toolkit.storage import hash_file
from zoo.data.fingerprint import Fingerprint
from zoo.data.order import Batches, share_order, spread_order
from zoo.models.registry import open_model
from zoo.models.styleheat.batches import DrivenBatch, DrivenWindows
from zoo.models.styleheat.canvas import Canvas, PriorRecord, find_prior, open_canvas
from zoo.models.styleheat.clips import (
    DrivenClip,
    Picture,
    describe_backends,
    load_driven_clips,
    take_fingerprint,
)
from zoo.models.styleheat.coefficients import LAYOUT
from zoo.models.styleheat.options import StageOptions
from zoo.models.styleheat.presets import PRESETS
from zoo.models.styleheat.sync import LipJudge
from zoo.training.averaging import RunningMean
from zoo.training.checkpoint import load_checkpoint
from zoo.training.distributed import Distributed
from zoo.training.loop import Metrics, Task
from zoo.training.networks import copy_to_cpu
from zoo.training.options import to_plain
from zoo.training.perceptual import PerceptualDistance, open_perceptual
from zoo.training.pictures import to_pictures
from zoo.training.precision import autocast

BETAS = (0.5, 0.999)
"""Of Adam, the released code's; the supplement names Adam alone."""

KEPT = 0.5 ** (32 / 10_000)
"""Of the running mean of a network's weights, what stays at a step: the released code's."""

JUDGED_WINDOWS = 24
"""The most that an epoch is judged by."""

SHEET_WINDOWS = 6
"""Of those, how many stand on a sheet of pictures."""


@dataclass(frozen=True, eq=False, kw_only=True)
class StageInputs:
    """What a stage is trained with.

    Attributes:
        trained: clips to learn from.
        chosen_by: clips by which the best epoch is chosen.
        canvas: what is moved.
        prior: its record.
        perceptual: compares pictures.
        lips: D_sync, or None.
        bases: option -> digest of the checkpoint that is gone on from.
    """

    trained: Sequence[DrivenClip]
    chosen_by: Sequence[DrivenClip]
    canvas: Canvas
    prior: PriorRecord
    perceptual: PerceptualDistance
    lips: LipJudge | None = None
    bases: Mapping[str, str] = field(default_factory=dict)

    def describe(self) -> dict[str, str]:
        """Names and digests of all that is not trained."""
        judges = {"perceptual by": f"{self.perceptual.name} {self.perceptual.sha256[:12]}"}
        if self.lips is not None:
            judges["sync by"] = f"{self.lips.name} {self.lips.sha256[:12]}"
        bases = {f"content of --{name}": digest for name, digest in self.bases.items()}
        return judges | bases | {"content of --prior": self.prior.sha256}


def load_inputs(
    options: StageOptions,
    device: torch.device,
    *,
    prior: Path | None,
    known: PriorRecord,
    bases: Mapping[str, Path] | None = None,
    syncnet: Path | None = None,
) -> StageInputs:
    """Clips of the parts `train` and `val`, and networks that are not trained.

    Args:
        options: of the stage.
        device: where to compute.
        prior: see `find_prior`.
        known: see there.
        bases: option -> checkpoint that is gone on from; the first is that of `known`.
        syncnet: a checkpoint of it.

    Raises:
        ToolkitError: the prior or syncnet is missing or of another kind; and see
            `load_driven_clips`.
    """
    bases = bases or {}
    path, record = find_prior(prior, known, next(iter(bases.values()), None))
    canvas = open_canvas(path, PRESETS[options.preset].side, device)
    lips: LipJudge | None = None
    if syncnet is not None:
        lips = open_model(syncnet, device, makes="distances")
        assert isinstance(lips.network, nn.Module)
        lips.network.requires_grad_(False)
    trained, chosen_by = (
        load_driven_clips(options.shards, num_frames=max(options.num_frames, 2), split=part)
        for part in ("train", "val")
    )
    if describe_backends(trained) != describe_backends(chosen_by):
        raise ToolkitError(f"{options.shards}: parts train and val were measured differently")
    return StageInputs(
        trained=trained,
        chosen_by=chosen_by,
        canvas=canvas,
        prior=record,
        perceptual=open_perceptual(options.perceptual, options.vgg).to(device),
        lips=lips,
        bases={name: hash_file(base) for name, base in bases.items()},
    )


def read_stage(path: Path, kind: str, preset: str | None, parts: Sequence[str]) -> dict[str, Any]:
    """What an earlier stage exported.

    Args:
        path: its checkpoint.
        kind: the family.
        preset: it must have this one; None: any.
        parts: networks that it must hold.

    Raises:
        ToolkitError: no such checkpoint, or one of another layout.
    """
    content: dict[str, Any] = load_checkpoint(path, kind)["model"]
    if content["layout"] != LAYOUT:
        raise ToolkitError(
            f"{path}: coefficients are laid out as {content['layout']}, here as {LAYOUT}: train "
            "it with this version"
        )
    if preset not in (None, content["preset"]):
        raise ToolkitError(f"{path}: of --preset {content['preset']}, not of {preset}")
    if lacking := [name for name in parts if name not in content["networks"]]:
        raise ToolkitError(f"{path}: has no {lacking[0]} network: it is of another stage")
    return content


def read_record(content: Mapping[str, Any]) -> PriorRecord:
    """Of the prior that an earlier stage was trained with."""
    return PriorRecord(**content["prior"])


def load_network(network: nn.Module, content: Mapping[str, Any], name: str, path: Path) -> None:
    """Take a network's weights from an earlier stage; ToolkitError where they do not fit."""
    try:
        network.load_state_dict(content["networks"][name])
    except RuntimeError as error:
        raise ToolkitError(
            f"{path}: the weights of its {name} network do not fit those of this version, or of "
            "this prior: train it with both"
        ) from error


class StageTask(Task, abc.ABC):
    """Networks of which some are trained and the others stay as they are, to the bit."""

    def __init__(
        self,
        options: StageOptions,
        inputs: StageInputs,
        networks: Mapping[str, nn.Module],
        rates: Mapping[str, float],
        distributed: Distributed,
    ) -> None:
        """Place the networks and make Adam for those that have a learning rate.

        Args:
            options: of the run.
            inputs: what is not trained.
            networks: by their names; all are exported.
            rates: learning rates of those that are trained.
            distributed: the processes.
        """
        self.options, self.inputs = options, inputs
        self.distributed, self.device = distributed, distributed.device
        self.networks = dict(networks)
        self.num_steps = 0
        self._sheet: Picture | None = None
        for name, network in self.networks.items():
            network.to(self.device).requires_grad_(name in rates).train(name in rates)
        self.optimisers = {
            name: torch.optim.Adam(self.networks[name].parameters(), rate, BETAS)
            for name, rate in rates.items()
        }
        self._learners = [name for name in rates if name != "discriminator"]

    @functools.cached_property
    def _means(self) -> dict[str, RunningMean[nn.Module]]:
        """Of those that learn; begun at the first step, behind the weights of an earlier stage."""
        return {name: RunningMean(self.networks[name], KEPT) for name in self._learners}

    @abc.abstractmethod
    def measure(self, batch: DrivenBatch) -> dict[str, Tensor]:
        """Weighted terms of the loss, of a batch on the device."""

    @abc.abstractmethod
    def predict(self, batch: DrivenBatch) -> tuple[Tensor, Tensor, Tensor]:
        """What is drawn, what it should be, and what it was drawn from, (B · T, 3, H, H) each."""

    @abc.abstractmethod
    def weigh_places(self, batch: DrivenBatch) -> Tensor:
        """(B · T, 1, H, H) pixels by whose error an epoch is chosen."""

    @property
    def num_frames(self) -> int:
        """T."""
        return self.options.num_frames

    @property
    def scales(self) -> int:
        """Sizes at which pictures are compared."""
        return PRESETS[self.options.preset].scales

    def recipe(self) -> dict[str, Any]:
        return to_plain(self.options) | self.inputs.describe()

    def fingerprint(self) -> Fingerprint:
        return take_fingerprint(self.inputs.trained, self.inputs.chosen_by)

    def count_steps(self, epoch: int) -> int:
        return PRESETS[self.options.preset].epoch_steps

    def draw_batches(self, epoch: int, first: int) -> Iterator[DrivenBatch]:
        size = self.options.batch_size // self.num_frames
        num = size * self.count_steps(epoch)
        windows = self._draw_windows(self.inputs.trained, num, epoch)
        order = share_order(
            np.arange(num),
            size,
            rank=self.distributed.rank,
            world_size=self.distributed.size,
            what="windows",
        )
        return Batches(windows, order).load(first, self.options.workers)

    def _draw_windows(self, clips: Sequence[DrivenClip], num: int, epoch: int) -> DrivenWindows:
        return DrivenWindows(
            clips,
            num,
            num_frames=self.num_frames,
            size=self.inputs.canvas.size,
            judge=self.inputs.lips,
            seed=self.options.seed,
            epoch=epoch,
        )

    def step(self, batch: DrivenBatch) -> Metrics:
        """One step of every network that is trained."""
        means = self._means
        with autocast(self.device, self.options.precision, *self.networks.values()):
            terms = self.measure(batch.to(self.device))
        total = torch.stack(list(terms.values())).sum()
        for name in self._learners:
            self.optimisers[name].zero_grad()
        torch.autograd.backward(total)
        self.distributed.average_gradients(*(self.networks[name] for name in self._learners))
        for name in self._learners:
            self.optimisers[name].step()
            means[name].update()
        self.num_steps += 1
        losses = {"loss": total} | {f"loss {name}": value for name, value in terms.items()}
        figures = torch.stack([value.detach().float() for value in losses.values()]).tolist()
        items = {"items": float(self.options.batch_size)}
        return dict(zip(losses, figures, strict=True)) | items

    def validate(self) -> Metrics:
        """`score`: mean absolute error in levels of 255, of windows that are not trained on.

        By the running means of the weights; `score still` is that of the picture that it was drawn
        from.
        """
        windows = self._draw_windows(self.inputs.chosen_by, JUDGED_WINDOWS, 0)
        shown = {int(place[0]) for place in spread_order(len(windows), SHEET_WINDOWS)}
        errors, columns = list[Tensor](), list[Picture]()
        order = spread_order(len(windows), JUDGED_WINDOWS)
        with self._take_means():
            for number, on_cpu in enumerate(Batches(windows, order).load()):
                batch = on_cpu.to(self.device)
                with (
                    torch.no_grad(),
                    autocast(self.device, self.options.precision, *self.networks.values()),
                ):
                    pred, target, still = (x.float() for x in self.predict(batch))
                places = self.weigh_places(batch)
                errors.append(
                    torch.stack([_measure_error(x, target, places) for x in (pred, still)])
                )
                if number in shown:
                    rows = (batch.source[0], still[0], pred[0], target[0])
                    columns.append(np.concatenate([to_pictures(row) for row in rows]))
        self._sheet = np.concatenate(columns, axis=1)
        score, still_score = torch.stack(errors).double().mean(dim=0).tolist()
        return {"score": score, "score still": still_score}

    @contextlib.contextmanager
    def _take_means(self) -> Iterator[None]:
        """The networks are in evaluation mode, and those that learn hold their running means."""
        learnt = {name: copy.deepcopy(self.networks[name].state_dict()) for name in self._learners}
        for name, mean in self._means.items():
            self.networks[name].load_state_dict(mean.network.state_dict())
        for network in self.networks.values():
            network.eval()
        try:
            yield
        finally:
            for name in self._learners:
                self.networks[name].load_state_dict(learnt[name])
            for name in self.optimisers:
                self.networks[name].train()

    def draw_sheet(self) -> Picture | None:
        """Rows: the source, what it was drawn from, what was drawn, and what it should be."""
        return self._sheet

    def state_dict(self) -> dict[str, Any]:
        return {
            "networks": {name: self.networks[name].state_dict() for name in self.optimisers},
            "optimisers": {name: x.state_dict() for name, x in self.optimisers.items()},
            "means": {name: mean.state_dict() for name, mean in self._means.items()},
            "num_steps": self.num_steps,
            "layout": LAYOUT,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Raises ToolkitError for a run that was begun with coefficients of another layout."""
        if state.get("layout") != LAYOUT:
            raise ToolkitError(
                f"the run was begun by a version whose coefficients are not {LAYOUT}: train it "
                "anew, into another --out"
            )
        for name, optimiser in self.optimisers.items():
            self.networks[name].load_state_dict(state["networks"][name])
            optimiser.load_state_dict(state["optimisers"][name])
        for name, mean in self._means.items():
            mean.load_state_dict(state["means"][name])
        self.num_steps = state["num_steps"]

    def export(self) -> dict[str, Any]:
        return {
            "preset": self.options.preset,
            "layout": LAYOUT,
            "size": self.inputs.canvas.size,
            "prior": asdict(self.inputs.prior),
            "backends": describe_backends(self.inputs.trained),
            "made with": self.inputs.describe(),
            "networks": {
                name: copy_to_cpu(self._means[name].network if name in self._means else network)
                for name, network in self.networks.items()
            },
            "trained_on": sorted({clip.identity for clip in self.inputs.trained}),
        }


def _measure_error(pred: Tensor, target: Tensor, places: Tensor) -> Tensor:
    away = (pred - target).abs().mean(dim=1, keepdim=True) * 127.5
    return ((away * places).sum() / places.sum().clamp(min=1)).cpu()
