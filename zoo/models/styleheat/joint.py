"""Stages 2a and 2b: the calibration network, `zoo train styleheat-calibration`.

It is trained beside the video generator, then beside the audio generator, while the video generator
stays as it is. A discriminator of real and drawn frames is trained against it.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from toolkit.errors import ToolkitError
from zoo.models.styleheat import AUDIO_FAMILY, CALIBRATION_FAMILY, VIDEO_FAMILY
from zoo.models.styleheat.audio import measure_lips, speak
from zoo.models.styleheat.batches import DrivenBatch
from zoo.models.styleheat.calibration import create_calibration
from zoo.models.styleheat.canvas import calibrate, move_by_video
from zoo.models.styleheat.losses import (
    MOUTH,
    MOUTH_MARGIN,
    domain_loss,
    draw_boxes,
    transfer_loss,
)
from zoo.models.styleheat.motion import create_audio_motion, create_video_motion
from zoo.models.styleheat.options import AUDIO, CalibrationOptions
from zoo.models.styleheat.presets import PRESETS, WEIGHTS
from zoo.models.styleheat.stage import (
    StageInputs,
    StageTask,
    load_inputs,
    load_network,
    read_record,
    read_stage,
)
from zoo.stylegan.discriminator import (
    Discriminator,
    adversarial_loss,
    discriminator_loss,
    gradient_penalty,
)
from zoo.training.adversaries import frozen
from zoo.training.distributed import Distributed
from zoo.training.loop import Metrics, Setting, trainer

PENALTY, PENALTY_EVERY = 5.0, 16
"""Weight of R1, and in which steps of the discriminator it counts, as many times as much."""

_BASES = {
    "video": VIDEO_FAMILY.name, "audio": AUDIO_FAMILY.name, "calibration": CALIBRATION_FAMILY.name
}  # fmt: skip
"""Option -> family of the checkpoint that it names."""


@trainer
def train_calibration(options: CalibrationOptions, setting: Setting) -> "CalibrationTask":
    """Train on the part `train`, choose the best epoch by the part `val`.

    Raises:
        ToolkitError: a checkpoint of something else, of another layout, preset or prior, or there
            is no prior; no split, no stretch of measured frames; and see `train`.
    """
    bases = {name: path for name in _BASES if (path := getattr(options, name)) is not None}
    taken = _list_networks(options.with_)
    contents = {
        base: read_stage(
            path, _BASES[base], options.preset, [name for name, x in taken.items() if x == base]
        )
        for base, path in bases.items()
    }
    records = {base: read_record(content) for base, content in contents.items()}
    with_prior = [base for base, record in records.items() if record.path] or list(bases)
    first, *others = with_prior
    for base in others:
        if records[base].sha256 != records[first].sha256:
            raise ToolkitError(f"{bases[base]}: trained with another prior than {bases[first]}")
    inputs = load_inputs(
        options,
        setting.distributed.device,
        prior=options.prior,
        known=records[first],
        bases=bases,
        syncnet=options.syncnet,
    )
    if not inputs.prior.path:
        raise ToolkitError(f"{bases[first]}: was trained without a prior: give --prior")
    mapping = next((x["mapping"] for x in contents.values() if "mapping" in x), None)
    task = CalibrationTask(options, inputs, setting.distributed, mapping=mapping)
    for name, base in taken.items():
        load_network(task.networks[name], contents[base], name, bases[base])
    return task


def _list_networks(driver: str) -> dict[str, str]:
    """Networks that are not begun anew, and the option of the checkpoint that they come from."""
    if driver == AUDIO:
        earlier = ("video", "calibration", "discriminator")
        return dict.fromkeys(earlier, "calibration") | {"audio": "audio"}
    return {"video": "video"}


class CalibrationTask(StageTask):
    """It learns to mend what a flow has moved."""

    kind = CALIBRATION_FAMILY.name
    options: CalibrationOptions

    def __init__(
        self,
        options: CalibrationOptions,
        inputs: StageInputs,
        distributed: Distributed,
        *,
        mapping: str | None = None,
    ) -> None:
        """`mapping`: of the audio generator, with sound."""
        torch.manual_seed(options.seed)
        preset = PRESETS[options.preset]
        self.video = create_video_motion(options.preset)
        self.calibration = create_calibration(options.preset, features=inputs.canvas.features)
        self.discriminator = Discriminator(preset.discriminator)
        networks: dict[str, nn.Module] = {
            "video": self.video,
            "calibration": self.calibration,
            "discriminator": self.discriminator,
        }
        if mapping is not None:
            networks["audio"] = create_audio_motion(options.preset, mapping=mapping)
        self._mapping = mapping
        self._side = 4 << (len(preset.discriminator) - 1)
        rates = {
            "calibration": options.learning_rate,
            "discriminator": options.learning_rate,
            options.with_: options.motion_rate,
        }
        super().__init__(options, inputs, networks, rates, distributed)
        self._shown: dict[str, Tensor] = {}

    def predict(self, batch: DrivenBatch) -> tuple[Tensor, Tensor, Tensor]:
        pred, _, warped = self._draw(batch)
        return pred, batch.target.flatten(0, 1), warped

    def _draw(self, batch: DrivenBatch) -> tuple[Tensor, Tensor, Tensor]:
        """What is drawn, what the video generator alone moved, and what was not calibrated."""
        canvas = self.inputs.canvas
        source = canvas.enter(batch.source).repeat(self.num_frames)
        if self.options.with_ == AUDIO:
            audio: Any = self.networks["audio"]
            _, proxy, moved = speak(self, source, batch, audio)
            warped = canvas.draw(moved.source)
        else:
            moved = move_by_video(self.video, source, batch.motion.flatten(0, 1))
            proxy = warped = canvas.draw(moved.source)
        return canvas.draw(calibrate(self.calibration, moved)), proxy, warped

    def measure(self, batch: DrivenBatch) -> dict[str, Tensor]:
        """Eq. 5; the discriminator takes its step first."""
        pred, proxy, warped = self._draw(batch)
        target = batch.target.flatten(0, 1)
        judge, scales = self.inputs.perceptual, self.scales
        self._shown = self._step_discriminator(pred.detach(), target)
        points = batch.points.flatten(0, 1)
        terms = {
            "transfer": transfer_loss(judge, pred, target, scales=scales),
            "domain": WEIGHTS.domain * domain_loss(judge, pred, proxy, points, scales),
        }
        with frozen(self.discriminator):
            logits = self.discriminator(self._fit(pred))
        terms["adversarial"] = WEIGHTS.adversarial * adversarial_loss(logits.float())
        if self.options.with_ == AUDIO:
            lips = measure_lips(self, batch, warped, target, proxy)
            own = {f"motion {name}": value for name, value in lips.items()}
        else:
            own = {"motion transfer": transfer_loss(judge, warped, target, scales=scales)}
        return terms | {name: WEIGHTS.motion * value for name, value in own.items()}

    def step(self, batch: DrivenBatch) -> Metrics:
        """One step of every network; `loss discriminator` is the other player's."""
        figures = super().step(batch)
        return figures | {name: float(value) for name, value in self._shown.items()}

    def weigh_places(self, batch: DrivenBatch) -> Tensor:
        """All of the picture; with sound the mouth's box alone."""
        if self.options.with_ == AUDIO:
            points = batch.points.flatten(0, 1)[:, MOUTH]
            return draw_boxes(points, self.inputs.canvas.size, MOUTH_MARGIN)
        return torch.ones_like(batch.target.flatten(0, 1)[:, :1])

    def _step_discriminator(self, pred: Tensor, target: Tensor) -> dict[str, Tensor]:
        real = self._fit(target)
        is_penalised = self.num_steps % PENALTY_EVERY == 0
        real.requires_grad_(is_penalised)
        logits = self.discriminator(real)
        loss = discriminator_loss(logits.float(), self.discriminator(self._fit(pred)).float())
        shown = {"loss discriminator": loss.detach()}
        if is_penalised:
            loss = loss + PENALTY * PENALTY_EVERY * gradient_penalty(logits, real)
        optimiser = self.optimisers["discriminator"]
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        self.distributed.average_gradients(self.discriminator)
        optimiser.step()
        return shown

    def _fit(self, pictures: Tensor) -> Tensor:
        """At the discriminator's side."""
        if pictures.shape[-1] == self._side:
            return pictures.float()
        size = (self._side, self._side)
        return functional.interpolate(
            pictures.float(), size, mode="bilinear", align_corners=False, antialias=True
        )

    def export(self) -> dict[str, Any]:
        content = super().export() | {"features": self.inputs.canvas.features}
        return content if self._mapping is None else content | {"mapping": self._mapping}
