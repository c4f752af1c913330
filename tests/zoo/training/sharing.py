"""Families whose steps are compared over numbers of processes, on generated data.

Small enough that all take some steps within seconds. Batch normalisation keeps its first
statistics, and the discriminator of StyleHEAT sees no spread over pictures: in training a process
has both of its own share. Adam's ε is large: with its own the sign of a gradient counts and not
its size, be it rounding alone, so that steps differ where gradients do not, and gradients of
another size go unseen.
"""

import contextlib
import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch import distributed as dist

from tests.datasets import FakeClip, write_dataset
from tests.speakers import write_speakers
from tests.talkers import write_talkers
from tests.tones import write_speech
from tests.zoo.models.at_net import hearing
from tests.zoo.models.blink_gan.blinking import make_blinking
from tests.zoo.models.renderer import test_recipe as renderer
from tests.zoo.models.styleheat import talkers as styleheat
from tests.zoo.models.styleheat_prior import test_recipe as styleheat_prior
from tests.zoo.models.t_gan import people
from tests.zoo.models.vg_net import talkers as vg_net
from toolkit.dataset.manifest import read_table, write_split
from toolkit.facemodel.model import DEFAULT_PATH
from toolkit.features.deepspeech import NetworkSizes
from toolkit.storage import hash_file
from zoo.data.talking import load_talking_clips
from zoo.models.at_net.options import AtNetRecipe
from zoo.models.at_net.recipe import AtNetTask
from zoo.models.at_net.recipe import choose_clips as choose_hearing
from zoo.models.blink_gan.options import BlinkRecipe
from zoo.models.blink_gan.recipe import BlinkTask
from zoo.models.deepspeech.options import DeepSpeechRecipe
from zoo.models.deepspeech.recipe import DeepSpeechTask
from zoo.models.facial.options import FacialRecipe
from zoo.models.facial.recipe import FacialTask
from zoo.models.facial.recipe import choose_clips as choose_moving
from zoo.models.l_gan.options import LGanRecipe
from zoo.models.l_gan.recipe import LGanTask
from zoo.models.l_gan.recipe import choose_clips as choose_speakers
from zoo.models.renderer.recipe import RendererTask, open_judge
from zoo.models.renderer.recipe import choose_clips as choose_frames
from zoo.models.style.options import PersonalizationRecipe
from zoo.models.style.recipe import PersonalizationTask
from zoo.models.styleheat import presets as styleheat_presets
from zoo.models.styleheat.audio import train_audio
from zoo.models.styleheat.joint import train_calibration
from zoo.models.styleheat.options import AudioOptions, CalibrationOptions, VideoOptions
from zoo.models.styleheat.video import train_video
from zoo.models.styleheat_prior import presets as prior_presets
from zoo.models.styleheat_prior.options import PriorRecipe
from zoo.models.styleheat_prior.recipe import PriorTask
from zoo.models.styleheat_prior.recipe import choose_clips as choose_pictures
from zoo.models.syncnet.options import SyncNetRecipe
from zoo.models.syncnet.recipe import SyncNetTask
from zoo.models.t_gan import presets as t_gan_presets
from zoo.models.t_gan.options import TGanRecipe
from zoo.models.t_gan.recipe import TGanTask, choose_people
from zoo.models.vg_net import presets as vg_presets
from zoo.models.vg_net.options import VGNetRecipe
from zoo.models.vg_net.recipe import VGNetTask
from zoo.models.vg_net.recipe import choose_clips as choose_faces
from zoo.stylegan import discriminator
from zoo.training import perceptual
from zoo.training.checkpoint import load_checkpoint, save_checkpoint
from zoo.training.distributed import Distributed
from zoo.training.loop import Setting, Task
from zoo.training.perceptual import open_perceptual

RATE, NUM_STEPS = 1e-4, 2

STEPS = {"epochs": 4, "batch_size": 4, "learning_rate": RATE}
"""Of recipes that need no others."""

ADAM = (1e-3, (0.9, 0.999), 1e-3, 0, False)
"""Defaults of Adam's learning rate, betas, ε, weight decay, and AMSGrad."""

EPOCHS = (1, 2)
"""In the first one deepspeech changes no recording."""

STYLEHEAT = dataclasses.replace(styleheat.TINY, batch_size=10, epoch_steps=2)

PRIOR = dataclasses.replace(styleheat_prior.TINY, samples=2)

LENGTHS = (200, 40, 150, 60, 128, 30)
"""Frames of clips, of which every other is shorter than a window of 128."""


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


def make_at_net(folder: Path, distributed: Distributed) -> Task:
    recipe = AtNetRecipe(shards=folder / "hearing" / "shards", preset="small", seed=3, **STEPS)
    return AtNetTask(recipe, *choose_hearing(recipe), distributed=distributed)


def make_l_gan(folder: Path, distributed: Distributed) -> Task:
    recipe = LGanRecipe(shards=folder / "speakers" / "shards", preset="small", **STEPS)
    return LGanTask(recipe, *choose_speakers(recipe), distributed=distributed)


def make_facial(folder: Path, distributed: Distributed) -> Task:
    recipe = FacialRecipe(shards=folder / "moving" / "shards", preset="small", **STEPS)
    return FacialTask(recipe, *choose_moving(recipe), distributed=distributed)


def make_renderer(folder: Path, distributed: Distributed) -> Task:
    recipe = renderer.make_recipe(folder / "frames", frames_per_person=0, **STEPS)
    clips = choose_frames(recipe)
    return RendererTask(recipe, *clips, judge=open_judge(recipe), distributed=distributed)


def make_vg_net(folder: Path, distributed: Distributed) -> Task:
    recipe = VGNetRecipe(
        shards=folder / "faces" / "shards", window=vg_net.WINDOW, warm_up=0.2, epochs=4,
        learning_rate=RATE,
    )  # fmt: skip
    return VGNetTask(recipe, *choose_faces(recipe), distributed=distributed)


def make_prior(folder: Path, distributed: Distributed) -> Task:
    recipe = PriorRecipe(
        shards=folder / "people" / "shards", epochs=4, face="none", perceptual="random",
        learning_rate=RATE,
    )  # fmt: skip
    return PriorTask(
        recipe, *choose_pictures(recipe), perceptual=open_perceptual("random"), identity=None,
        distributed=distributed,
    )  # fmt: skip


def make_styleheat(folder: Path, distributed: Distributed, stage: str) -> Task:
    """The task of a stage, as its recipe makes it, on checkpoints of random weights."""
    stages = folder / "styleheat"
    kinds: dict[str, tuple[Any, type[Any], dict[str, Any]]] = {
        "video": (train_video, VideoOptions, {"prior": stages / "prior.pt"}),
        "audio": (train_audio, AudioOptions, {"video": stages / "video.pt"}),
        "2a": (train_calibration, CalibrationOptions, {"video": stages / "video.pt"}),
        "2b": (
            train_calibration,
            CalibrationOptions,
            {
                "with_": "audio", "calibration": stages / "stage.pt", "audio": stages / "audio.pt"
            },
        ),
    }  # fmt: skip
    train, options, own = kinds[stage]
    if stage in ("audio", "2b"):
        own["syncnet"] = stages / "sync.pt"
    common = {"shards": stages / "shards", "perceptual": "random", "device": "cpu"}
    setting = Setting(out=folder / "unused", resume=False, distributed=distributed)
    task: Task = train.__wrapped__(options(**common, **own, learning_rate=RATE), setting)
    return task


CASES: dict[str, Callable[[Path, Distributed], Task]] = {
    "at-net": make_at_net,
    "blink-gan": make_blink_gan,
    "deepspeech": make_deepspeech,
    "facial-gan": make_facial,
    "l-gan": make_l_gan,
    "personalization": make_personalization,
    "renderer": make_renderer,
    "styleheat-prior": make_prior,
    "styleheat-video": lambda *run: make_styleheat(*run, stage="video"),
    "styleheat-audio": lambda *run: make_styleheat(*run, stage="audio"),
    "styleheat-calibration with video": lambda *run: make_styleheat(*run, stage="2a"),
    "styleheat-calibration with audio": lambda *run: make_styleheat(*run, stage="2b"),
    "syncnet": make_syncnet,
    "t-gan": lambda *run: make_t_gan(*run, inner="sgd"),
    "t-gan transfer": lambda *run: make_t_gan(*run, meta="transfer"),
    "vg-net": make_vg_net,
}
"""Name -> what makes the task."""


QUICK = ("blink-gan", "l-gan", "personalization", "styleheat-prior", "t-gan", "t-gan transfer",
         "vg-net")  # fmt: skip
"""Each shares in its own way: all of a batch in each process, parts of batches, tasks."""


def write_stages(folder: Path) -> None:
    """A dataset for StyleHEAT, and checkpoints that its stages begin with."""
    styleheat.write_talkers(folder)
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


def write_moving(folder: Path) -> None:
    """Clips of one person, half of them shorter than a window."""
    clips = [
        FakeClip(source=f"videos/{k}.mp4", num_frames=length) for k, length in enumerate(LENGTHS)
    ]
    write_dataset(folder, {"j": [*clips, FakeClip(source="videos/v.mp4", num_frames=130)]})
    mark_split(folder, clips)


def write_frames(folder: Path) -> None:
    """Two clips to train on, of which one's crop reaches beyond the picture."""
    clips = [renderer.make_clip("a", 24), renderer.make_clip("bb", 24)]
    other = renderer.make_clip("ccc", 12)
    write_dataset(folder, {"j": [*clips, other]}, frame_size=renderer.SIZE)
    renderer.name_face_model(folder, hash_file(DEFAULT_PATH))
    with h5py.File(folder / "shards" / "j.h5", "r+") as file:
        file["clips/intrinsics"][0, 2] = 30.5
    mark_split(folder, clips)


def mark_split(folder: Path, trained: Sequence[FakeClip]) -> None:
    """These clips are to be trained on, the others to be chosen by."""
    ids = {clip.id for clip in trained}
    rows = [
        {"clip_id": name, "split": "train" if name in ids else "val", "by": "source"}
        | {"ratio": "1-1-1", "seed": 0}
        for name in read_table(folder, "clips")["clip_id"]
    ]
    write_split(folder, rows)


WRITERS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "at-net": ("hearing", functools.partial(hearing.write_people, num_frames=100, with_gaps=True)),
    "deepspeech": ("speech", functools.partial(write_speech, num_train=60)),
    "facial-gan": ("moving", write_moving),
    "l-gan": ("speakers", functools.partial(write_speakers, num_frames=100, with_gaps=True)),
    "renderer": ("frames", write_frames),
    "styleheat-audio": ("styleheat", write_stages),
    "styleheat-calibration": ("styleheat", write_stages),
    "styleheat-prior": ("people", people.write_people),
    "styleheat-video": ("styleheat", write_stages),
    "syncnet": ("sync", functools.partial(write_talkers, people=3, clips=1, num_frames=60)),
    "t-gan": ("people", people.write_people),
    "vg-net": ("faces", vg_net.write_talkers),
}
"""Family -> folder of what its cases read, and what writes it."""


def write_all(folder: Path, names: Sequence[str]) -> None:
    """Data and checkpoints that the cases of these names begin with."""
    for name in names:
        place, write = WRITERS.get(name.split()[0], ("", None))
        if write is not None and not (folder / place).exists():
            write(folder / place)


@contextlib.contextmanager
def small_networks() -> Iterator[None]:
    """Tiny presets, batch normalisation that stays as it is, and a large ε."""
    never = property(lambda layer: False, lambda layer, mode: None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(styleheat_presets.PRESETS, "small", STYLEHEAT)
        patch.setitem(t_gan_presets.PRESETS, "small", people.TINY)
        patch.setitem(prior_presets.PRESETS, "small", PRIOR)
        patch.setitem(vg_presets.PRESETS, "small", vg_net.TINY)
        patch.setattr(perceptual, "WIDTHS", people.TINY_VGG)
        patch.setattr(torch.optim.Adam.__init__, "__defaults__", ADAM)
        patch.setattr(discriminator, "GROUP", 1)
        patch.setattr(nn.modules.batchnorm._BatchNorm, "training", never, raising=False)
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
