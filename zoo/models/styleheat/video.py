"""Stage 1a: the video-driven motion generator, `zoo train styleheat-video`."""

import numpy as np
import torch
from torch import Tensor

from zoo.models.styleheat import VIDEO_FAMILY
from zoo.models.styleheat.batches import DrivenBatch
from zoo.models.styleheat.canvas import PriorRecord, move_by_video
from zoo.models.styleheat.losses import transfer_loss
from zoo.models.styleheat.motion import VideoMotion, create_video_motion
from zoo.models.styleheat.options import VideoOptions
from zoo.models.styleheat.stage import StageInputs, StageTask, load_inputs
from zoo.training.distributed import Distributed
from zoo.training.loop import Setting, trainer

_LEAST = 1e-6
"""Deviation below which a coefficient does not vary."""


@trainer
def train_video(options: VideoOptions, setting: Setting) -> "VideoTask":
    """Train on the part `train`, choose the best epoch by the part `val`.

    Raises:
        ToolkitError: no split, no stretch of measured frames, a prior that is none; and see
            `train`.
    """
    device = setting.distributed.device
    inputs = load_inputs(options, device, prior=options.prior, known=PriorRecord())
    return VideoTask(options, inputs, setting.distributed)


class VideoTask(StageTask):
    """It learns to move a source picture as windows of coefficients say."""

    kind = VIDEO_FAMILY.name

    def __init__(
        self, options: VideoOptions, inputs: StageInputs, distributed: Distributed
    ) -> None:
        torch.manual_seed(options.seed)
        self.video = create_video_motion(options.preset)
        fit_statistics(self.video, inputs)
        rates = {"video": options.learning_rate}
        super().__init__(options, inputs, {"video": self.video}, rates, distributed)

    def predict(self, batch: DrivenBatch) -> tuple[Tensor, Tensor, Tensor]:
        canvas = self.inputs.canvas
        source = canvas.enter(batch.source).repeat(self.num_frames)
        moved = move_by_video(self.video, source, batch.motion.flatten(0, 1))
        return canvas.draw(moved.source), batch.target.flatten(0, 1), source.shown

    def measure(self, batch: DrivenBatch) -> dict[str, Tensor]:
        pred, target, _ = self.predict(batch)
        loss = transfer_loss(self.inputs.perceptual, pred, target, scales=self.scales)
        return {"transfer": loss}

    def weigh_places(self, batch: DrivenBatch) -> Tensor:
        return torch.ones_like(batch.target.flatten(0, 1)[:, :1])


def fit_statistics(video: VideoMotion, inputs: StageInputs) -> None:
    """Of coefficients of the training part, each clip about one of its frames."""
    rows = []
    for clip in inputs.trained:
        frames = clip.measured
        middle = clip.describe(int(frames[len(frames) // 2]), frames)
        rows.append(middle[:, middle.shape[1] // 2])
    values = np.concatenate(rows).astype(np.float64)
    deviation = values.std(axis=0)
    video.mean.copy_(torch.from_numpy(values.mean(axis=0)))
    video.deviation.copy_(torch.from_numpy(np.where(deviation > _LEAST, deviation, 1.0)))
