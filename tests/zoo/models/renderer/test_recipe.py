"""The renderer under training: what it sees, runs that go on as if never killed, checkpoints."""

import json
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from safetensors.torch import save_file
from torch.nn import functional

from tests.datasets import FakeClip, write_dataset
from tests.numbered import make_tone, write_wav
from tests.runs import make_once, run_torch, stop_torch, train_killed
from toolkit.dataset.manifest import write_split
from toolkit.errors import SetupError, ToolkitError
from toolkit.facemodel.model import DEFAULT_PATH, load_default
from toolkit.storage import hash_file
from toolkit.weights import Status
from zoo.cli import main
from zoo.data.fingerprint import describe_changes
from zoo.data.frames import Picture, RenderClip, load_render_clips, take_fingerprint
from zoo.data.order import Batches, draw_order, spread_order
from zoo.graphics.eyes import EMBEDDED_THRESHOLD
from zoo.models.renderer.batches import ClipFrames
from zoo.models.renderer.inputs import WindowMaker, find_face_model, to_pictures
from zoo.models.renderer.model import TrainedRenderer, open_renderer
from zoo.models.renderer.options import RendererRecipe
from zoo.models.renderer.person import fit_person
from zoo.models.renderer.recipe import RendererTask, choose_clips, open_judge, train_renderer
from zoo.models.renderer.windows import BLOCK
from zoo.speaking.movement import move_clip
from zoo.speaking.reenact import draw_clip
from zoo.training import perceptual
from zoo.training.checkpoint import load_checkpoint, save_checkpoint
from zoo.training.distributed import Distributed
from zoo.training.perceptual import VggDistance
from zoo.training.pictures import to_tensor

CPU = torch.device("cpu")
SIZE = 64
BEFORE_THE_CROP = (-323.0, -226.0, 600.0)
"""mm: where a head is seen in the crop of generated clips."""


@pytest.fixture(scope="module", autouse=True)
def _no_weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Whatever the user has fetched: a random network judges."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TTK_WEIGHTS", str(tmp_path_factory.mktemp("no-weights")))
        yield


def make_clip(name: str, num_frames: int, **more: Any) -> FakeClip:
    """A clip whose head moves within its crop; every fourth frame was not measured."""
    rng = np.random.default_rng(len(name))
    pose = rng.normal(0, 0.1, (num_frames, 6)).astype(np.float32)
    pose[:, 3:] = BEFORE_THE_CROP + rng.normal(0, 3, (num_frames, 3))
    arrays = {
        "face/model_pose": pose,
        "face/pose": pose,
        "face/au45": rng.uniform(0, 5, num_frames).astype(np.float32),
        "face/illumination": np.zeros((num_frames, 27), np.float32),
        "face/valid": np.arange(num_frames) % 4 > 0,
        "clips/identity_coefficients": np.zeros(80, np.float32),
        "clips/texture_coefficients": np.zeros(80, np.float32),
    }
    return FakeClip(source=f"videos/{name}.mp4", num_frames=num_frames, arrays=arrays, **more)


def name_face_model(dataset: Path, sha256: str) -> None:
    """Write into the shards which face model their coefficients are of."""
    for path in (dataset / "shards").glob("*.h5"):
        with h5py.File(path, "r+") as file:
            record = json.loads(file.attrs["provenance"])
            made = {"backend": "embedded", "version": "1", "weights_sha256": sha256, "note": ""}
            record["features"]["coefficients"] = made
            file.attrs["provenance"] = json.dumps(record)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of 24 frames of ann to train on, one of 12 to choose by, 64 px; one of bob."""
    folder = tmp_path_factory.mktemp("renderer") / "data"
    clips = {"train": make_clip("a", 24), "val": make_clip("bb", 12)}
    other = make_clip("c", 12, identity="bob")
    write_dataset(folder, {"j": [*clips.values(), other]}, frame_size=SIZE)
    name_face_model(folder, hash_file(DEFAULT_PATH))
    rows = [(clip.id, part) for part, clip in clips.items()] + [(other.id, "train")]
    write_split(
        folder,
        [
            {"clip_id": clip, "split": part, "by": "source", "ratio": "1-1-1", "seed": 0}
            for clip, part in rows
        ],
    )
    return folder


def make_recipe(dataset: Path, **changes: Any) -> RendererRecipe:
    settings = {"identity": "ann", "preset": "small", "epochs": 1, "device": "cpu"}
    settings |= {"perceptual": "random", "frames_per_person": 5} | changes
    return RendererRecipe(shards=dataset / "shards", **settings)


@pytest.fixture(scope="module")
def run(dataset: Path, media: Path) -> Path:
    """A run of one epoch, of the session: all modules' datasets are alike."""
    return make_once(media / "renderer-run", lambda out: train_renderer(make_recipe(dataset), out))


@pytest.fixture(scope="module")
def renderer(run: Path) -> TrainedRenderer:
    """What it learnt."""
    return open_renderer(run / "best.pt", CPU)


def draw_colors(renderer: TrainedRenderer, clip: RenderClip) -> list[Picture]:
    """What it draws of a clip's own motion, without the alpha."""
    return [drawn[..., :3] for drawn in move_clip(clip).draw(renderer, clip.camera)]


def make_task(recipe: RendererRecipe) -> RendererTask:
    """A renderer under training in one process."""
    clips = choose_clips(recipe)
    return RendererTask(recipe, *clips, judge=open_judge(recipe), distributed=Distributed())


def make_maker(dataset: Path, preset: str = "small", without: str = "") -> WindowMaker:
    """Of ann, in the training part."""
    person = fit_person(load_render_clips(dataset, identity="ann", split="train"))
    model = load_default()
    return WindowMaker.of_person(person, model, EMBEDDED_THRESHOLD, preset=preset, without=without)


# --- what it sees -------------------------------------------------------------------------------


def test_a_window_holds_ten_frames_of_colours_and_blink_the_current_one_at_5(
    dataset: Path,
) -> None:
    clip = load_render_clips(dataset, identity="ann", split="train")[0]
    windows = make_maker(dataset).make_of_clip(clip)
    frames = windows[9].unflatten(0, (10, 4))
    assert frames.shape == (10, 4, SIZE, SIZE)
    assert frames[5, 3].max() == pytest.approx(clip.au45[9] / 5)
    assert frames[0, 3].max() == pytest.approx(clip.au45[4] / 5)
    assert frames[:, :3].max() > 0  # a face is seen


def test_without_eyes_the_blink_is_zero_and_the_rest_as_ever(dataset: Path) -> None:
    clip = load_render_clips(dataset, identity="ann", split="train")[0]
    frames, blind = (
        make_maker(dataset, without=part).make_of_clip(clip)[9].unflatten(0, (10, 4))
        for part in ("", "eyes")
    )
    assert not blind[:, 3].any()
    assert torch.equal(blind[:, :3], frames[:, :3])


def test_the_official_window_has_three_channels_and_the_current_frame_at_6(dataset: Path) -> None:
    clip = load_render_clips(dataset, identity="ann", split="train")[0]
    maker = make_maker(dataset, "official")
    frames = maker.make_of_clip(clip)[9].unflatten(0, (10, 3))
    assert frames.shape == (10, 3, SIZE, SIZE)
    assert (frames[6] == clip.au45[9]).any()
    assert not (frames[5] == clip.au45[9]).any()


def test_pairs_are_the_measured_frames_and_their_windows(dataset: Path) -> None:
    """Of 24 frames every fourth was not measured; frame t of a generated clip is grey of 10·t."""
    clip = load_render_clips(dataset, identity="ann", split="train")[0]
    maker = make_maker(dataset)
    frames = ClipFrames([clip], maker)
    assert len(frames) == 18
    batch = frames.gather(np.array([0, 3]))  # frames 1 and 5
    levels = (batch.target.mean(dim=(1, 2, 3)) + 1) * 127.5
    assert levels.tolist() == pytest.approx([10, 50], abs=2)
    assert torch.equal(batch.window[1], maker.make_of_clip(clip)[5])


def test_pictures_survive_the_way_to_the_networks_scale_and_back() -> None:
    levels = np.arange(256, dtype=np.uint8).repeat(3).reshape(16, 16, 3)
    assert np.array_equal(to_pictures(to_tensor(levels)[None])[0], levels)


# --- order --------------------------------------------------------------------------------------


def test_every_epoch_sees_every_frame_once_in_another_order() -> None:
    first, second = (draw_order(20, batch_size=1, seed=0, epoch=epoch) for epoch in (0, 1))
    assert sorted(np.concatenate(first)) == sorted(np.concatenate(second)) == list(range(20))
    assert np.concatenate(first).tolist() != np.concatenate(second).tolist()
    again = draw_order(20, batch_size=1, seed=0, epoch=0)
    assert np.array_equal(np.concatenate(first), np.concatenate(again))


def test_processes_share_the_batches_of_one() -> None:
    whole = draw_order(22, batch_size=4, seed=0, epoch=0)
    shares = [
        draw_order(22, batch_size=4, seed=0, epoch=0, rank=rank, world_size=2) for rank in (0, 1)
    ]
    assert [len(whole), len(shares[0]), len(shares[1])] == [5, 5, 5]
    for batch, *parts in zip(whole, *shares, strict=True):
        assert sorted(np.concatenate(parts)) == sorted(batch)
    with pytest.raises(ValueError, match="evenly"):
        draw_order(22, batch_size=1, seed=0, epoch=0, world_size=2)


def test_frames_to_judge_by_are_spread_from_the_first_to_the_last() -> None:
    assert np.concatenate(spread_order(101, 3)).tolist() == [0, 50, 100]
    assert np.concatenate(spread_order(2, 50)).tolist() == [0, 1]


def test_a_worker_renders_the_same_batches_from_any_place_on(dataset: Path) -> None:
    clips = load_render_clips(dataset, identity="ann", split="train")
    order = draw_order(18, batch_size=2, seed=0, epoch=0)
    batches = Batches(ClipFrames(clips, make_maker(dataset)), order)
    here, there = list(batches.load()), list(batches.load(6, workers=1))
    assert (len(here), len(there)) == (9, 3)
    for ours, theirs in zip(here[6:], there, strict=True):
        assert torch.equal(ours.window, theirs.window)
        assert torch.equal(ours.target, theirs.target)


# --- settings -----------------------------------------------------------------------------------


def test_the_learning_rates_fall_to_zero_over_the_last_30_of_50_epochs_and_3_of_5(
    dataset: Path,
) -> None:
    paper, small = (make_recipe(dataset, preset=name, epochs=0) for name in ("paper", "small"))
    assert (paper.epochs, small.epochs) == (50, 5)
    for network, rate in (("generator", 1e-4), ("discriminator", 1e-4)):
        rates = [paper.rates(done)[network] / rate for done in (0, 19, 20, 35, 49, 49.5, 50)]
        assert rates == pytest.approx([1, 1, 1, 1 / 2, 1 / 30, 1 / 60, 0])
    for network, rate in (("generator", 4e-4), ("discriminator", 1e-4)):
        rates = [small.rates(done)[network] / rate for done in (0, 2, 2.75, 3.5, 5)]
        assert rates == pytest.approx([1, 1, 3 / 4, 1 / 2, 0])


@pytest.mark.parametrize(("rate", "discriminator"), [(1e-3, 1e-4), (1e-6, 1e-6)])
def test_the_discriminator_learns_at_the_generators_rate_or_more_slowly(
    dataset: Path, rate: float, discriminator: float
) -> None:
    rates = make_recipe(dataset, preset="small", learning_rate=rate).rates(0)
    assert rates == {"generator": rate, "discriminator": discriminator}


def test_each_network_is_trained_at_its_own_rate(dataset: Path) -> None:
    recipe = make_recipe(dataset, preset="small", epochs=5, learning_rate=4e-4)
    task = make_task(recipe)
    next(iter(task.draw_batches(3, 0)))
    groups = {n: o["param_groups"] for n, o in task.state_dict()["optimisers"].items()}
    rates = {name: [group["lr"] for group in found] for name, found in groups.items()}
    assert rates["generator"] == pytest.approx([4e-4 * 2 / 3])
    assert rates["discriminator"] == pytest.approx([1e-4 * 2 / 3])


@pytest.mark.parametrize(
    "changes",
    [
        {"preset": "big"},
        {"without": "nose"},
        {"precision": "fp8"},
        {"epochs": -1},
        {"batch_size": 0},
        {"holdout": 1.0},
        {"preset": "official", "without": "eyes"},
    ],
)
def test_settings_that_cannot_be_meant_are_refused(changes: dict[str, Any], dataset: Path) -> None:
    with pytest.raises(ValueError, match=next(iter(changes)).replace("_", "-")):
        make_recipe(dataset, **changes)


def test_what_is_held_out_is_never_trained_on_nor_seen_in_a_window(dataset: Path) -> None:
    """A quarter of 36 frames, 9 of the last clip; ten frames before them are in neither part."""
    trained, held = choose_clips(make_recipe(dataset, holdout=0.25))
    assert [(clip.source, clip.first, clip.num_frames) for clip in held] == [
        ("videos/bb.mp4", 3, 9)
    ]
    assert [(clip.source, clip.num_frames) for clip in trained] == [("videos/a.mp4", 24)]
    trained, held = choose_clips(make_recipe(dataset, holdout=0.5))
    assert sum(clip.num_frames for clip in held) == 18
    assert [(clip.source, clip.num_frames) for clip in trained] == [("videos/a.mp4", 8)]


def test_without_a_holdout_the_parts_of_the_split_are_taken(dataset: Path) -> None:
    trained, chosen_by = choose_clips(make_recipe(dataset))
    assert [clip.source for clip in trained] == ["videos/a.mp4"]
    assert [clip.source for clip in chosen_by] == ["videos/bb.mp4"]


# --- runs ---------------------------------------------------------------------------------------


def read_state(out: Path) -> dict[str, torch.Tensor]:
    """Weights of both networks as a run left them."""
    state = load_checkpoint(out / "last.pt", "renderer")["state"]
    return {f"{p} {k}": v for p in ("generator", "discriminator") for k, v in state[p].items()}


def test_a_run_killed_within_an_epoch_ends_with_the_weights_of_an_undisturbed_one(
    dataset: Path, tmp_path: Path
) -> None:
    recipe = make_recipe(dataset, epochs=2)
    train_renderer(recipe, tmp_path / "whole")
    train_killed(train_renderer, recipe, tmp_path / "killed", epoch=1, step=3)
    whole, resumed = read_state(tmp_path / "whole"), read_state(tmp_path / "killed")
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_a_step_trains_both_networks_and_says_which_network_judged(dataset: Path) -> None:
    task = make_task(make_recipe(dataset))
    before = {name: value.clone() for name, value in task.state_dict()["generator"].items()}
    judge = {name: value.clone() for name, value in task.state_dict()["discriminator"].items()}
    metrics = task.step(next(task.draw_batches(0, 0)))
    after = task.state_dict()
    assert all(not torch.equal(before[name], after["generator"][name]) for name in before)
    assert any(not torch.equal(judge[name], after["discriminator"][name]) for name in judge)
    assert set(metrics) == {
        "loss discriminator", "loss adversarial", "loss feature_matching",
        "loss perceptual (random)", "loss l1", "loss alpha", "items",
        *(f"loss {term} {part}" for part in ("mouth", "eyes")
          for term in ("discriminator", "adversarial", "feature_matching", "l1")),
    }  # fmt: skip


def test_where_a_frame_is_no_picture_nothing_is_lost(dataset: Path) -> None:
    task = make_task(make_recipe(dataset))
    batch = next(task.draw_batches(0, 0))
    nowhere = torch.zeros(1, 1, SIZE, SIZE, dtype=torch.bool)
    metrics = task.step(replace(batch, inside=nowhere))
    assert [metrics[f"loss {n}"] for n in ("l1", "perceptual (random)", "feature_matching")] == [
        0, 0, 0,
    ]  # fmt: skip


def test_an_epochs_score_is_the_error_in_levels_of_255(
    dataset: Path, run: Path, renderer: TrainedRenderer
) -> None:
    """Computed once more from what the trained renderer draws, before rounding to levels."""
    clip = load_render_clips(dataset, identity="ann", split="val")[0]
    drawn = draw_colors(renderer, clip)
    measured = clip.valid.nonzero()[0]
    errors = [np.abs(drawn[t].astype(float) - clip.read_frame(t)).mean() for t in measured]
    best = load_checkpoint(run / "best.pt")["best"]
    assert best["score"] == pytest.approx(np.mean(errors), abs=0.5)
    squares = [np.square(drawn[t].astype(float) - clip.read_frame(t)).mean() for t in measured]
    assert best["psnr"] == pytest.approx(10 * np.log10(255**2 / np.mean(squares)), abs=0.1)


# --- sheets, fingerprints -----------------------------------------------------------------------


def test_a_sheet_shows_what_was_seen_and_made_of_the_same_held_out_frames_every_epoch(
    dataset: Path, run: Path, renderer: TrainedRenderer
) -> None:
    """Below what was made stand the stored frames: measured ones of the 12, evenly spaced."""
    clip = load_render_clips(dataset, identity="ann", split="val")[0]
    frames = clip.valid.nonzero()[0]
    chosen = frames[np.linspace(0, len(frames) - 1, 6).round().astype(int)]
    sheet = np.asarray(Image.open(run / "sheets" / "epoch-0001.png"))
    assert sheet.shape == (3 * SIZE, 6 * SIZE, 3)
    stored = np.concatenate([clip.read_frame(t) for t in chosen], axis=1)
    np.testing.assert_array_equal(sheet[2 * SIZE :], stored)
    drawn = draw_colors(renderer, clip)
    made = np.concatenate([drawn[t] for t in chosen], axis=1).astype(int)
    assert np.abs(sheet[SIZE : 2 * SIZE] - made).mean() < 1
    assert sheet[:SIZE].std() > 5


def test_a_run_knows_its_clips_by_what_is_read_of_them(dataset: Path) -> None:
    parts = choose_clips(make_recipe(dataset))
    before = take_fingerprint(*parts)
    assert take_fingerprint(*choose_clips(make_recipe(dataset))) == before
    (clip,) = parts[0]
    others = (
        replace(clip, au45=clip.au45 + 1),
        replace(clip, camera=clip.camera.magnify(2)),
        replace(clip, first=1),
        replace(clip, texture_coefficients=clip.texture_coefficients + 1),
    )
    for other in others:
        assert describe_changes(before, take_fingerprint((other,), parts[1])) == (
            f"clips to train on: 1 with other content ({clip.id})"
        )


# --- checkpoints --------------------------------------------------------------------------------


def test_a_checkpoint_says_whom_it_draws_and_how(dataset: Path, renderer: TrainedRenderer) -> None:
    known = (renderer.size, renderer.fps, renderer.preset, renderer.perceptual)
    assert known == (SIZE, 30, "small", "random")
    person = fit_person(load_render_clips(dataset, identity="ann", split="train"))
    assert renderer.person.identity == "ann"
    np.testing.assert_array_equal(renderer.person.illumination, person.illumination)


def test_a_checkpoint_says_which_frames_were_trained_on(dataset: Path, tmp_path: Path) -> None:
    """A quarter of 36 frames is held out, the last 9 of the second clip."""
    train_renderer(make_recipe(dataset, holdout=0.25), tmp_path)
    renderer = open_renderer(tmp_path / "best.pt", CPU)
    first, second = load_render_clips(dataset, identity="ann")
    assert renderer.trained_on == {first.id: (0, 24)}
    assert renderer.held_out == {second.id: (3, 12)}


def test_every_frame_is_drawn_from_the_window_that_training_saw(
    dataset: Path, renderer: TrainedRenderer
) -> None:
    """As the head turned, which is further than in the few frames that were learnt."""
    clip = load_render_clips(dataset, identity="ann", split="val")[0]
    drawn = list(replace(move_clip(clip), limit=False).draw(renderer, clip.camera))
    assert len(drawn) == clip.num_frames
    assert drawn[0].shape == (SIZE, SIZE, 4)
    windows = renderer.maker.make_of_clip(clip)
    for t in (0, 5, clip.num_frames - 1):
        with torch.inference_mode():
            expected = to_pictures(renderer.generator(windows[t][None]))[0]
        assert np.abs(drawn[t].astype(int) - expected).max() <= 1


def test_the_rendered_frames_are_those_of_the_windows(
    dataset: Path, renderer: TrainedRenderer
) -> None:
    clip = load_render_clips(dataset, identity="ann", split="val")[0]
    motion = {"expression": clip.expression, "pose": clip.model_pose, "au45": clip.au45}
    seen = list(renderer.rendered(clip.camera, **motion))
    assert len(seen) == clip.num_frames
    current = renderer.maker.make_of_clip(clip)[7].unflatten(0, (10, 4))[5, :3]
    assert np.array_equal(to_pictures(current[None])[0], seen[7])


def test_of_a_long_motion_no_frames_are_kept(renderer: TrainedRenderer, dataset: Path) -> None:
    """Eleven minutes: at most 2 kB a frame in memory, of which a picture alone has 12."""
    clip = load_render_clips(dataset, identity="ann", split="val")[0]
    num_frames = 20_000
    pose = np.repeat(clip.model_pose[:1], num_frames, axis=0)
    motion = {"expression": np.zeros((num_frames, 64), np.float32), "pose": pose}
    tracemalloc.start()
    try:
        frames = renderer.draw(clip.camera, **motion, au45=np.zeros(num_frames, np.float32))
        for _ in range(3 * BLOCK):
            next(frames)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2000 * num_frames


def test_no_motion_gives_no_frames(renderer: TrainedRenderer, dataset: Path) -> None:
    clip = load_render_clips(dataset, identity="ann", split="val")[0]
    nothing = {"expression": np.zeros((0, 64)), "pose": np.zeros((0, 6)), "au45": np.zeros(0)}
    assert list(renderer.draw(clip.camera, **nothing)) == []


def change(run: Path, tmp_path: Path, edit: Callable[[dict[str, Any]], None]) -> Path:
    """A copy of the run's best checkpoint, changed."""
    content = load_checkpoint(run / "best.pt")
    edit(content)
    save_checkpoint(tmp_path / "best.pt", content)
    return tmp_path / "best.pt"


def test_a_checkpoint_of_another_face_model_is_refused(run: Path, tmp_path: Path) -> None:
    path = change(run, tmp_path, lambda c: c["model"]["face_model"].update(sha256="other"))
    with pytest.raises(ToolkitError, match="face model embedded other"):
        open_renderer(path, CPU)


def test_weights_of_another_generator_are_refused(run: Path, tmp_path: Path) -> None:
    """As a later version would find them."""
    path = change(run, tmp_path, lambda c: c["model"]["generator"].pop("place"))
    with pytest.raises(ToolkitError, match="do not fit the small generator"):
        open_renderer(path, CPU)


def test_a_checkpoint_of_something_else_is_refused(run: Path, tmp_path: Path) -> None:
    path = change(run, tmp_path, lambda content: content.update(kind="facial-gan"))
    with pytest.raises(ToolkitError, match="of facial-gan, not of renderer"):
        open_renderer(path, CPU)


def test_clips_of_another_size_or_face_model_are_refused(
    renderer: TrainedRenderer, dataset: Path, tmp_path: Path
) -> None:
    (mine,) = load_render_clips(dataset, identity="ann", split="val")
    renderer.check_clip(mine)
    other = write_dataset(tmp_path / "data", {"j": [make_clip("d", 12)]}, frame_size=32)
    (small,) = load_render_clips(other, identity="ann")
    with pytest.raises(ToolkitError, match="frames of 32, but"):
        renderer.check_clip(small)
    with pytest.raises(ToolkitError, match="32"):
        next(draw_clip(renderer, small))
    for feature in ("coefficients", "pose", "au45"):
        theirs = replace(mine, backends=mine.backends | {feature: "another 123"})
        with pytest.raises(ToolkitError, match=f"{feature} by another 123, but"):
            renderer.check_clip(theirs)


def test_a_run_begins_with_another_renderers_networks_and_says_whose(
    dataset: Path, run: Path
) -> None:
    task = make_task(make_recipe(dataset))
    task.begin_with(run / "best.pt")
    base, begun = load_checkpoint(run / "best.pt", "renderer")["model"], task.export()
    for part in ("generator", "discriminator"):
        assert all(torch.equal(begun[part][k], base[part][k]) for k in base[part])
    known = {"identity": "ann", "sha256": hash_file(run / "best.pt"), "base": None}
    assert begun["base"] == known


def test_a_run_goes_on_without_its_base_and_still_says_what_it_began_with(
    dataset: Path, run: Path, tmp_path: Path
) -> None:
    base = tmp_path / "other.pt"
    base.write_bytes((run / "best.pt").read_bytes())
    train_renderer(make_recipe(dataset, base=base), tmp_path / "run")
    base.unlink()
    train_renderer(make_recipe(dataset, base=base, epochs=2), tmp_path / "run", resume=True)
    began = load_checkpoint(tmp_path / "run" / "last.pt", "renderer")["model"]["base"]
    assert began["identity"] == "ann"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"preset": "paper"}, "preset paper, not small"),
        ({"size": 96}, "size 96, not 64"),
        ({"alpha": False}, "alpha no, not yes"),
    ],
)
def test_a_base_of_another_kind_is_one_clear_error(
    dataset: Path, run: Path, tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    content = load_checkpoint(run / "best.pt", "renderer")
    content["model"] |= change
    save_checkpoint(tmp_path / "other.pt", content)
    recipe = make_recipe(dataset, base=tmp_path / "other.pt")
    with pytest.raises(ToolkitError, match=words):
        train_renderer(recipe, tmp_path / "run")


def test_a_run_keeps_its_judge_though_another_can_be_had_meanwhile(
    dataset: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anew it would be VGG19; to go on it is what judged so far, or what is asked for."""
    fetched = tmp_path / "vgg19.safetensors"
    features = VggDistance().features.state_dict()
    save_file({f"features.{name}": value for name, value in features.items()}, fetched)
    monkeypatch.setattr(perceptual, "check_weights", lambda name: Status.MISSING)
    monkeypatch.setattr(perceptual, "locate", lambda name: fetched)
    recipe = make_recipe(dataset, perceptual="auto")
    assert open_judge(recipe).name == "vgg19"
    assert open_judge(recipe, run).name == "random"
    assert open_judge(make_recipe(dataset, perceptual="auto", vgg=fetched), run).name == "vgg19"


def test_weights_of_vgg19_are_refused_beside_another_judge(dataset: Path) -> None:
    with pytest.raises(ValueError, match="--perceptual face has no use for it"):
        make_recipe(dataset, perceptual="face", vgg=Path("vgg19.pth"))


def test_coefficients_without_their_face_model_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TTK_WEIGHTS", str(tmp_path))
    with pytest.raises(ToolkitError, match="no face model at hand"):
        find_face_model("embedded 1 0123")
    with pytest.raises(ToolkitError, match="no face model at hand"):
        find_face_model("unknown")
    with pytest.raises(SetupError, match="BFM"):
        find_face_model("deng resnet50 0123")


# --- the command --------------------------------------------------------------------------------


def refuse(dataset: Path, *words: str) -> str:
    """What the command says when it refuses to train: one line behind the warning, and no run."""
    out = dataset / "refused"
    command = ["train", "renderer", "--shards", str(dataset / "shards"), "--out", str(out)]
    result = CliRunner().invoke(main, [*command, "--device", "cpu", "--preset", "small", *words])
    assert result.exit_code == 1
    assert not out.exists()
    return result.stderr.splitlines()[-1]


def test_a_stranger_and_a_person_without_frames_to_choose_by_are_one_clear_error(
    dataset: Path,
) -> None:
    assert "unknown identity 'eve'" in refuse(dataset, "--identity", "eve")
    line = refuse(dataset, "--identity", "bob")
    assert "no clip of bob is in val" in line
    assert "--holdout" in line


def test_clips_without_pictures_are_one_clear_error(tmp_path: Path) -> None:
    write_dataset(tmp_path, {"j": [make_clip("a", 24)]})
    assert "--frame-size 256" in refuse(tmp_path, "--identity", "ann", "--holdout", "0.2")


@pytest.mark.parametrize("name", ["a.wav", "a.txt", "a.safetensors", "a.pt", "none.pth", "."])
def test_what_is_not_vgg19_is_one_clear_error(dataset: Path, tmp_path: Path, name: str) -> None:
    write_wav(tmp_path / "a.wav", make_tone(1, 16_000), 16_000)
    (tmp_path / "a.txt").write_text("no weights\n" * 9)
    (tmp_path / "a.safetensors").write_text("no weights\n" * 9)
    save_checkpoint(tmp_path / "a.pt", {"kind": "renderer", "model": {}})
    words = ("--identity", "ann", "--holdout", "0.25", "--vgg", str(tmp_path / name))
    line = refuse(dataset, *words)
    assert line.startswith(f"zoo: error: {tmp_path / name}: ")
    assert len(line) < len(str(tmp_path / name)) + 120


def test_a_run_in_a_place_that_cannot_be_written_is_one_clear_error(
    dataset: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    out = tmp_path / "file" / "run"
    command = ["train", "renderer", "--shards", str(dataset), "--out", str(out)]
    result = CliRunner().invoke(main, [*command, "--identity", "ann", "--device", "cpu"])
    assert result.exit_code == 1
    assert f"{tmp_path / 'file'} is a file: choose a folder" in result.stderr.splitlines()[-1]


def test_the_command_trains_and_says_that_a_random_network_judges(
    dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(perceptual, "check_weights", lambda name: Status.MISSING)
    monkeypatch.setattr(perceptual, "locate", lambda name: tmp_path / "none.pth")
    command = ["train", "renderer", "--shards", str(dataset), "--out", str(tmp_path / "run")]
    command += ["--identity", "ann", "--preset", "small", "--epochs", "1", "--device", "cpu"]
    command += ["--frames-per-person", "3"]
    with pytest.warns(UserWarning, match="a random network judges pictures"):
        result = CliRunner().invoke(main, [*command, "--precision", "bf16"])
    assert result.exit_code == 0, result.stderr
    assert "best: score" in result.stdout
    content = load_checkpoint(tmp_path / "run" / "best.pt", "renderer")
    assert content["recipe"]["perceptual"].startswith("random ")
    assert "loss perceptual (random)" in (tmp_path / "run" / "log.csv").read_text()


# --- several processes --------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_two_processes_train_as_one_does_and_go_on_where_they_stopped(
    dataset: Path, tmp_path: Path
) -> None:
    """Each takes one frame of a batch of two, and both the mean of their gradients.

    In small steps: in large ones two numbers of threads, too, soon go different ways.
    """
    rate = 1e-6
    common = ("renderer", "--shards", dataset, "--identity", "ann", "--batch-size", 2)
    common += ("--learning-rate", rate, "--perceptual", "random")
    common += ("--epochs", 2)
    last = tmp_path / "parts" / "last.pt"
    assert stop_torch(last, *common, "--out", tmp_path / "parts") != 0
    for out, more in (("whole", ()), ("parts", ("--resume",))):
        result = run_torch(*common, "--out", tmp_path / out, *more)
        assert result.returncode == 0, result.stderr
        assert result.stdout.count("best:") == 1  # one process talks
    known = {"batch_size": 2, "epochs": 2, "frames_per_person": 0}
    recipe = make_recipe(dataset, learning_rate=rate, **known)
    first = make_task(recipe).state_dict()["generator"]
    begin = torch.cat([value.flatten() for value in first.values()])
    train_renderer(recipe, tmp_path / "alone")
    whole, parts, alone = (read_state(tmp_path / name) for name in ("whole", "parts", "alone"))
    ways = []
    for state in (whole, alone):
        end = [value.flatten() for name, value in state.items() if name.startswith("generator")]
        ways.append(torch.cat(end) - begin)
    assert functional.cosine_similarity(*ways, dim=0) > 0.98
    assert ways[0].norm().item() == pytest.approx(ways[1].norm().item(), rel=0.05)
    assert whole.keys() == parts.keys()
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
