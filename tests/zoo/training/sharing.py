"""Families whose steps are compared over numbers of processes, on generated data.

Small enough that all take some steps within seconds. Batch normalisation keeps its first
statistics, and the discriminator of StyleHEAT sees no spread over pictures: in training a process
has both of its own share.
"""

import contextlib
import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch import distributed as dist

from tests.talkers import write_talkers
from tests.tones import write_speech
from tests.zoo.models.blink_gan.blinking import make_blinking
from tests.zoo.models.styleheat import talkers as styleheat
from tests.zoo.models.t_gan import people
from toolkit.features.deepspeech import NetworkSizes
from zoo.data.talking import load_talking_clips
from zoo.models.blink_gan.options import BlinkRecipe
from zoo.models.blink_gan.recipe import BlinkTask
from zoo.models.deepspeech.options import DeepSpeechRecipe
from zoo.models.deepspeech.recipe import DeepSpeechTask
from zoo.models.style.options import PersonalizationRecipe
from zoo.models.style.recipe import PersonalizationTask
from zoo.models.styleheat import presets as styleheat_presets
from zoo.models.styleheat.audio import train_audio
from zoo.models.styleheat.joint import train_calibration
from zoo.models.styleheat.options import AudioOptions, CalibrationOptions, VideoOptions
from zoo.models.styleheat.video import train_video
from zoo.models.syncnet.options import SyncNetRecipe
from zoo.models.syncnet.recipe import SyncNetTask
from zoo.models.t_gan import presets as t_gan_presets
from zoo.models.t_gan.options import TGanRecipe
from zoo.models.t_gan.recipe import TGanTask, choose_people
from zoo.stylegan import discriminator
from zoo.training import perceptual
from zoo.training.checkpoint import load_checkpoint, save_checkpoint
from zoo.training.distributed import Distributed
from zoo.training.loop import Setting, Task

RATE, NUM_STEPS = 1e-4, 2

EPOCHS = (1, 2)
"""In the first one deepspeech changes no recording."""

STYLEHEAT = dataclasses.replace(styleheat.TINY, batch_size=10, epoch_steps=2)


@dataclasses.dataclass(frozen=True)
class Steps:
    """What some steps did.

    Attributes:
        figures: of each step.
        begin: all trained numbers before, end to end.
        end: behind the last step.
    """

    figures: list[dict[str, float]]
    begin: Tensor
    end: Tensor


def make_syncnet(folder: Path, distributed: Distributed) -> Task:
    parts = [
        load_talking_clips(folder / "sync" / "shards", split=part) for part in ("train", "val")
    ]
    recipe = SyncNetRecipe(shards=folder, epochs=4, batch_size=2, learning_rate=RATE)
    return SyncNetTask(recipe, *parts, distributed=distributed)


def make_personalization(folder: Path, distributed: Distributed) -> Task:
    rng = np.random.default_rng(0)
    clips = [(name, rng.normal(size=(200, 71)).astype(np.float32)) for name in ("ann", "bob")]
    recipe = PersonalizationRecipe(shards=folder, batch_size=8, stride=10, learning_rate=RATE)
    return PersonalizationTask(recipe, clips, clips, fps=30, distributed=distributed)


def make_deepspeech(folder: Path, distributed: Distributed) -> Task:
    """Four chains in a batch of 48 s."""
    sizes = NetworkSizes(conv_channels=(4, 4), rnn_type="gru", hidden_size=16, num_layers=1)
    recipe = DeepSpeechRecipe(
        speech=folder / "speech", sizes=sizes, synthetic_hours=0.0, batch_seconds=48.0, epochs=4,
        learning_rate=200 * RATE, dropout=0.0, workers=0,  # in its 200 first steps the rate goes up
    )  # fmt: skip
    return DeepSpeechTask(
        recipe, folder / f"deepspeech-{distributed.size}", distributed=distributed
    )


def make_blink_gan(folder: Path, distributed: Distributed) -> Task:
    recipe = BlinkRecipe(shards=folder, preset="small", batch_size=32, learning_rate=RATE)
    clips = [make_blinking(clips=2, seed=seed) for seed in (0, 1)]
    return BlinkTask(recipe, *clips, distributed=distributed)


def make_t_gan(folder: Path, distributed: Distributed, **changes: Any) -> Task:
    recipe = TGanRecipe(
        shards=folder / "people" / "shards", epochs=4, batch_size=2,
        inner_steps=2, inner_rate=RATE, learning_rate=RATE, **changes,
    )  # fmt: skip
    parts = [choose_people(recipe.shards, people.TINY, part) for part in ("train", "val")]
    return TGanTask(recipe, *parts, judges=None, distributed=distributed)


def make_styleheat(folder: Path, distributed: Distributed, stage: str) -> Task:
    """The task of a stage, as its recipe makes it, on checkpoints of random weights."""
    kinds: dict[str, tuple[Any, type[Any], dict[str, Any]]] = {
        "video": (train_video, VideoOptions, {"prior": folder / "prior.pt"}),
        "audio": (train_audio, AudioOptions, {"video": folder / "video.pt"}),
        "2a": (train_calibration, CalibrationOptions, {"video": folder / "video.pt"}),
        "2b": (
            train_calibration,
            CalibrationOptions,
            {
                "with_": "audio", "calibration": folder / "stage.pt", "audio": folder / "audio.pt"
            },
        ),
    }  # fmt: skip
    train, options, own = kinds[stage]
    if stage in ("audio", "2b"):
        own["syncnet"] = folder / "sync.pt"
    common = {"shards": folder / "styleheat" / "shards", "perceptual": "random", "device": "cpu"}
    setting = Setting(out=folder / "unused", resume=False, distributed=distributed)
    task: Task = train.__wrapped__(options(**common, **own, learning_rate=RATE), setting)
    return task


CASES: dict[str, Callable[[Path, Distributed], Task]] = {
    "blink-gan": make_blink_gan,
    "deepspeech": make_deepspeech,
    "personalization": make_personalization,
    "styleheat-video": lambda *run: make_styleheat(*run, stage="video"),
    "styleheat-audio": lambda *run: make_styleheat(*run, stage="audio"),
    "styleheat-calibration with video": lambda *run: make_styleheat(*run, stage="2a"),
    "styleheat-calibration with audio": lambda *run: make_styleheat(*run, stage="2b"),
    "syncnet": make_syncnet,
    "t-gan": lambda *run: make_t_gan(*run, inner="sgd"),
    "t-gan transfer": lambda *run: make_t_gan(*run, meta="transfer"),
}
"""Name -> what makes the task."""


QUICK = ("blink-gan", "personalization", "t-gan", "t-gan transfer")
"""Each shares in its own way: all of a batch in each process, parts of batches, tasks."""


def write_all(folder: Path, names: Sequence[str]) -> None:
    """Data and checkpoints that the cases of these names begin with."""
    people.write_people(folder / "people")
    if {*names} <= {*QUICK}:
        return
    write_talkers(folder / "sync", people=3, clips=1, num_frames=60)
    write_speech(folder / "speech", num_train=60)
    styleheat.write_talkers(folder / "styleheat")
    prior = styleheat.save_prior(folder / "prior.pt")
    styleheat.save_syncnet(folder / "sync.pt")
    with small_networks():
        styleheat.save_stage(folder / "stage.pt", prior)
    content = load_checkpoint(folder / "stage.pt")
    judge = discriminator.Discriminator(STYLEHEAT.discriminator)
    content["model"]["networks"]["discriminator"] = judge.state_dict()
    save_checkpoint(folder / "stage.pt", content)
    for name in ("video", "audio"):
        save_checkpoint(folder / f"{name}.pt", content | {"kind": f"styleheat-{name}"})


@contextlib.contextmanager
def small_networks() -> Iterator[None]:
    """Tiny presets, and batch normalisation that stays as it is."""

    def keep_still(layer: nn.Module, mode: bool = True) -> nn.Module:
        return nn.Module.train(layer, False)

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(styleheat_presets.PRESETS, "small", STYLEHEAT)
        patch.setitem(t_gan_presets.PRESETS, "small", people.TINY)
        patch.setattr(perceptual, "WIDTHS", people.TINY_VGG)
        patch.setattr(discriminator, "GROUP", 1)
        patch.setattr(nn.modules.batchnorm._BatchNorm, "train", keep_still)
        yield


def take_steps(name: str, folder: Path, distributed: Distributed) -> Steps:
    """Two steps of a case, seeded as the loop does."""
    with small_networks():
        task = CASES[name](folder, distributed)
        begin, figures = flatten(task), list[dict[str, float]]()
        batches = (batch for epoch in EPOCHS for batch in task.draw_batches(epoch, 0))
        for number, batch in zip(range(NUM_STEPS), batches, strict=False):
            torch.manual_seed(number)
            figures.append(distributed.average_figures(task.step(batch)))
    return Steps(figures=figures, begin=begin, end=flatten(task))


def flatten(task: Task) -> Tensor:
    """Every trained number of a task, (P,) float64."""
    found = list[Tensor]()

    def walk(part: Any) -> None:
        if isinstance(part, dict):
            for key, value in part.items():
                if key not in ("optimiser", "optimisers", "best", "mean"):
                    walk(value)
        elif isinstance(part, Tensor) and part.is_floating_point():
            found.append(part.detach().flatten().double())

    walk(task.state_dict())
    return torch.cat(found)


def take_steps_of_two(rank: int, folder: Path, names: Sequence[str]) -> None:
    """One of two processes: takes the steps of all cases, and leaves what came out."""
    torch.set_num_threads(1)
    meeting = f"file://{folder}/meeting"
    dist.init_process_group("gloo", init_method=meeting, rank=rank, world_size=2)
    store = dist.FileStore(str(folder / "counts"), 2)
    distributed = Distributed(rank, 2, store=store)
    taken = {name: dataclasses.asdict(take_steps(name, folder, distributed)) for name in names}
    torch.save(taken, folder / f"{rank}.pt")
    dist.destroy_process_group()
