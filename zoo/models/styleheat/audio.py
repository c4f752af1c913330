"""Stage 1b: the audio-driven motion generator, `zoo train styleheat-audio`.

It learns from pairs that stage 1a makes (section 3.1 of the supplement, which does not say how they
are mixed): the source picture, moved by the video generator as a frame of the same clip, is what is
to be drawn; the same with the source's expression is what sound begins with. Sound alone can tell
the two apart.
"""

import torch
from torch import Tensor

from zoo.models.styleheat import AUDIO_FAMILY, VIDEO_FAMILY
from zoo.models.styleheat.batches import DrivenBatch
from zoo.models.styleheat.canvas import Moved, Source, move_by_audio, move_by_video
from zoo.models.styleheat.losses import (
    MOUTH,
    MOUTH_MARGIN,
    draw_boxes,
    draw_mouth,
    regular_loss,
    transfer_loss,
)
from zoo.models.styleheat.motion import AudioMotion, create_audio_motion, create_video_motion
from zoo.models.styleheat.options import AudioOptions
from zoo.models.styleheat.presets import WEIGHTS
from zoo.models.styleheat.stage import (
    StageInputs,
    StageTask,
    load_inputs,
    load_network,
    read_record,
    read_stage,
)
from zoo.models.styleheat.sync import judge_lips, sync_loss
from zoo.training.distributed import Distributed
from zoo.training.loop import Setting, trainer


@trainer
def train_audio(options: AudioOptions, setting: Setting) -> "AudioTask":
    """Train on the part `train`, choose the best epoch by the part `val`.

    Raises:
        ToolkitError: a checkpoint of something else, of another layout, preset or prior; no split,
            no stretch of measured frames; and see `train`.
    """
    content = read_stage(options.video, VIDEO_FAMILY.name, options.preset, ["video"])
    inputs = load_inputs(
        options,
        setting.distributed.device,
        prior=options.prior,
        known=read_record(content),
        bases={"video": options.video},
        syncnet=options.syncnet,
    )
    task = AudioTask(options, inputs, setting.distributed)
    load_network(task.networks["video"], content, "video", options.video)
    return task


class AudioTask(StageTask):
    """It learns to move lips by sound; the video generator stays as it is."""

    kind = AUDIO_FAMILY.name
    options: AudioOptions

    def __init__(
        self, options: AudioOptions, inputs: StageInputs, distributed: Distributed
    ) -> None:
        torch.manual_seed(options.seed)
        self.video = create_video_motion(options.preset)
        self.audio = create_audio_motion(options.preset, mapping=options.mapping)
        networks = {"video": self.video, "audio": self.audio}
        super().__init__(options, inputs, networks, {"audio": options.learning_rate}, distributed)

    def predict(self, batch: DrivenBatch) -> tuple[Tensor, Tensor, Tensor]:
        canvas = self.inputs.canvas
        source = canvas.enter(batch.source).repeat(self.num_frames)
        with torch.no_grad():
            taught = move_by_video(self.video, source, batch.motion.flatten(0, 1))
            target = canvas.draw(taught.source)
        _, proxy, moved = speak(self, source, batch, self.audio)
        return canvas.draw(moved.source), target, proxy

    def measure(self, batch: DrivenBatch) -> dict[str, Tensor]:
        pred, target, proxy = self.predict(batch)
        return measure_lips(self, batch, pred, target, proxy)

    def weigh_places(self, batch: DrivenBatch) -> Tensor:
        """The mouth's box alone."""
        return draw_boxes(
            batch.points.flatten(0, 1)[:, MOUTH], self.inputs.canvas.size, MOUTH_MARGIN
        )

    def export(self) -> dict[str, object]:
        content = super().export()
        return content | {"mapping": self.options.mapping}


def speak(
    task: StageTask, source: Source, batch: DrivenBatch, audio: AudioMotion
) -> tuple[Moved, Tensor, Moved]:
    """The source in the frames' pose with its own expression, its picture, and moved by sound.

    No gradient reaches the first two.
    """
    video = task.networks["video"]
    with torch.no_grad():
        posed = move_by_video(video, source, batch.posed.flatten(0, 1))  # type: ignore[arg-type]
        proxy = task.inputs.canvas.draw(posed.source)
    return posed, proxy, move_by_audio(audio, posed.source, proxy, batch.mel.flatten(0, 1))


def measure_lips(
    task: StageTask, batch: DrivenBatch, pred: Tensor, target: Tensor, proxy: Tensor
) -> dict[str, Tensor]:
    """Terms of L^a, eq. 4, weighted."""
    judge, lips, scales = task.inputs.perceptual, task.inputs.lips, task.scales
    assert lips is not None
    mask = draw_mouth(batch.points.flatten(0, 1), pred.shape[-1], task.num_steps)
    windows = pred.reshape(-1, task.num_frames, *pred.shape[1:]).float()
    return {
        "transfer": transfer_loss(judge, pred, target, mask, scales),
        "regular": WEIGHTS.regular * regular_loss(judge, pred, proxy, mask, scales),
        "sync": WEIGHTS.sync * sync_loss(judge_lips(lips, windows, batch.squares, batch.sound)),
    }
