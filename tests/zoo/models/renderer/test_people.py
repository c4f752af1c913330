# ruff: noqa: F401 (fixtures are imported)
"""Renderers of several people, which others begin with, and what a run takes over from a base."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from tests.datasets import write_dataset
from tests.zoo.models.renderer.test_recipe import (
    CPU,
    SIZE,
    _no_weights,
    make_clip,
    make_maker,
    make_recipe,
    make_task,
    name_face_model,
    refuse,
)
from toolkit.dataset.manifest import write_split
from toolkit.errors import ToolkitError
from toolkit.facemodel.model import DEFAULT_PATH, load_default
from toolkit.storage import hash_file
from zoo.cli import main
from zoo.data.frames import load_render_clips
from zoo.graphics.eyes import EMBEDDED_THRESHOLD
from zoo.models.renderer.batches import ClipFrames
from zoo.models.renderer.inputs import WindowMaker
from zoo.models.renderer.model import open_renderer
from zoo.models.renderer.options import RendererRecipe
from zoo.models.renderer.people import (
    PeopleMaker,
    check_kind,
    draw_evenly,
    fit_people,
    list_people,
    spread_evenly,
)
from zoo.models.renderer.person import fit_person
from zoo.models.renderer.recipe import RendererTask, choose_clips
from zoo.training.checkpoint import load_checkpoint, save_checkpoint


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of 24 frames of ann to train on, one of 12 to choose by; one of 24 of bob."""
    folder = tmp_path_factory.mktemp("people") / "data"
    clips = [make_clip("a", 24), make_clip("bb", 12), make_clip("c", 24, identity="bob")]
    write_dataset(folder, {"j": clips}, frame_size=SIZE)
    name_face_model(folder, hash_file(DEFAULT_PATH))
    rows = [
        {"clip_id": clip.id, "split": part, "by": "source", "ratio": "1-1-1", "seed": 0}
        for clip, part in zip(clips, ("train", "val", "train"), strict=True)
    ]
    write_split(folder, rows)
    return folder


def make_base(dataset: Path, *people: str, **changes: Any) -> RendererRecipe:
    """Of several people, a quarter of each held out."""
    return make_recipe(dataset, identity="", people=people, **({"holdout": 0.25} | changes))


# --- how often each is drawn --------------------------------------------------------------------


def test_people_of_54000_and_240_frames_are_drawn_as_often() -> None:
    """At 100 a person, and at the mean of 27,120: 113 times through the shorter one's frames."""
    counts = (54_000, 240)
    drawn = draw_evenly(counts, 100, seed=0, epoch=0)
    assert [int((drawn < 54_000).sum()), int((drawn >= 54_000).sum())] == [100, 100]
    assert len(np.unique(drawn)) == 200
    drawn = draw_evenly(counts, 0, seed=0, epoch=0)
    assert [int((drawn < 54_000).sum()), int((drawn >= 54_000).sum())] == [27_120, 27_120]
    assert np.unique(drawn[drawn >= 54_000], return_counts=True)[1].tolist() == [113] * 240


def test_what_is_drawn_depends_on_seed_and_epoch_alone() -> None:
    first, again, later, other = (
        draw_evenly((50, 9), 5, seed=seed, epoch=epoch).tolist()
        for seed, epoch in ((0, 0), (0, 0), (0, 1), (1, 0))
    )
    assert first == again
    assert len({tuple(first), tuple(later), tuple(other)}) == 3


def test_of_one_person_every_frame_is_drawn_once_or_as_many_as_are_asked_for() -> None:
    assert draw_evenly((5,), 0, seed=0, epoch=3).tolist() == [0, 1, 2, 3, 4]
    assert sorted(draw_evenly((5,), 10, seed=0, epoch=3).tolist()) == sorted([0, 1, 2, 3, 4] * 2)


def test_people_are_judged_by_as_many_frames_of_each_and_by_one_at_least() -> None:
    assert np.concatenate(spread_evenly((101, 3), 6)).tolist() == [0, 50, 100, 101, 102, 103]
    assert np.concatenate(spread_evenly((9, 9, 9), 2)).tolist() == [0, 9, 18]


def test_an_epoch_has_as_many_frames_of_each_person_and_may_be_entered_anywhere(
    dataset: Path,
) -> None:
    task = make_task(make_base(dataset, "ann", "bob", frames_per_person=3))
    assert task.count_steps(0) == task.count_steps(4) == 6
    batches, later = list(task.draw_batches(1, 0)), list(task.draw_batches(1, 4))
    assert [torch.equal(a.target, b.target) for a, b in zip(batches[4:], later, strict=True)] == [
        True,
        True,
    ]


# --- whom it learns -----------------------------------------------------------------------------


def test_everyone_are_those_with_clips_to_train_on_and_to_choose_by(dataset: Path) -> None:
    """Bob has no clip in the part val; a holdout needs none."""
    assert list_people(make_base(dataset, "all")) == ("ann", "bob")
    assert list_people(make_base(dataset, "all", holdout=0.0)) == ("ann",)
    assert list_people(make_base(dataset, "bob", "ann", "bob")) == ("bob", "ann")
    assert list_people(make_recipe(dataset)) == ("ann",)


def test_a_split_in_which_everyone_is_in_one_part_is_one_clear_error(tmp_path: Path) -> None:
    clips = [make_clip("a", 12), make_clip("c", 12, identity="bob")]
    write_dataset(tmp_path, {"j": clips}, frame_size=SIZE)
    rows = [
        {"clip_id": clip.id, "split": part, "by": "identity", "ratio": "1-1-1", "seed": 0}
        for clip, part in zip(clips, ("train", "val"), strict=True)
    ]
    write_split(tmp_path, rows)
    with pytest.raises(ToolkitError, match="in both train and val: hold frames of each out"):
        list_people(make_base(tmp_path, "all", holdout=0.0))


def test_each_persons_own_end_is_held_out(dataset: Path) -> None:
    """Nine of ann's 36 frames and six of bob's 24, ten before them in neither part."""
    trained, held = choose_clips(make_base(dataset, "all"))
    assert [(c.identity, c.first, c.num_frames) for c in held] == [("ann", 3, 9), ("bob", 18, 6)]
    assert [(c.identity, c.first, c.num_frames) for c in trained] == [("ann", 0, 24), ("bob", 0, 8)]


def test_clips_of_another_size_rate_or_origin_are_refused(dataset: Path) -> None:
    (ann,) = load_render_clips(dataset, identity="ann", split="val")
    (bob,) = load_render_clips(dataset, identity="bob")
    check_kind([ann, bob])
    others = {
        "frames of 128, but 64": replace(bob, camera=bob.camera.magnify(2)),
        "frame rate 25, but 30": replace(bob, fps=25),
        "au45 by x, but": replace(bob, backends=bob.backends | {"au45": "x"}),
    }
    for words, other in others.items():
        with pytest.raises(ToolkitError, match=f"bob: {words}.* of ann"):
            check_kind([ann, other])


def test_a_stranger_among_them_and_a_run_of_no_one_are_one_clear_error(dataset: Path) -> None:
    assert "unknown identity 'eve'" in refuse(dataset, "--people", "ann", "--people", "eve")
    for words in ([], ["--identity", "ann", "--people", "bob"]):
        command = ["train", "renderer", "--shards", str(dataset), "--out", str(dataset / "no")]
        result = CliRunner().invoke(main, [*command, *words])
        assert result.exit_code == 2
        assert "give --identity NAME, or --people for a base" in result.stderr.splitlines()[-1]


def test_everyone_is_seen_in_their_own_light_and_shape(tmp_path: Path) -> None:
    """A frame of two people's is what it is of its person's alone; the two differ."""
    clips = [make_clip("a", 8), make_clip("c", 8, identity="bob")]
    clips[1].arrays["face/illumination"] = np.full((8, 27), 0.2, np.float32)
    clips[1].arrays["clips/identity_coefficients"] = np.ones(80, np.float32)
    write_dataset(tmp_path, {"j": clips}, frame_size=SIZE)
    ann, bob = (load_render_clips(tmp_path, identity=name)[0] for name in ("ann", "bob"))
    known: dict[str, Any] = {"preset": "small", "without": ""}
    maker = PeopleMaker.of_people(
        fit_people([ann, bob]), load_default(), EMBEDDED_THRESHOLD, **known
    )
    both = ClipFrames([ann, bob], maker)
    assert both.counts == {"ann": 6, "bob": 6}
    for first, clip in ((0, ann), (6, bob)):
        own = WindowMaker.of_person(fit_person([clip]), load_default(), EMBEDDED_THRESHOLD, **known)
        alone = ClipFrames([clip], own).gather(np.array([2]))
        assert torch.equal(both.gather(np.array([first + 2])).window, alone.window)
    moved = replace(ann, identity="bob")
    assert not torch.equal(maker.make_of_clip(ann)[2], maker.make_of_clip(moved)[2])


def test_frames_of_someone_never_measured_are_taken_as_they_are(dataset: Path) -> None:
    (ann,) = load_render_clips(dataset, identity="ann", split="val")
    (bob,) = load_render_clips(dataset, identity="bob")
    unknown = replace(bob, valid=np.zeros(24, bool))
    assert ClipFrames([ann, unknown], make_maker(dataset)).counts == {"ann": 9, "bob": 24}


# --- beginning with a base ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def base(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of ann and bob, as a run writes it, with a map of places that was learnt."""
    task = make_task(make_base(dataset, "ann", "bob"))
    export = task.export()
    export["generator"]["place"] += 0.25
    path = tmp_path_factory.mktemp("base") / "best pt"
    save_checkpoint(path, {"kind": "renderer", "recipe": task.recipe(), "model": export})
    return path


def test_a_base_names_all_whom_it_learnt_and_draws_none_of_them(dataset: Path, base: Path) -> None:
    content = load_checkpoint(base)
    assert content["recipe"]["people"] == ["ann", "bob"]
    model = content["model"]
    assert [person["identity"] for person in model["people"]] == ["ann", "bob"]
    clips = {name: load_render_clips(dataset, identity=name) for name in ("ann", "bob")}
    assert set(model["held_out"]) == {clips["ann"][1].id, clips["bob"][0].id}
    with pytest.raises(ToolkitError) as refused:
        open_renderer(base, CPU)
    assert str(refused.value) == (
        f"{base}: learnt from 2 people and draws none of them: begin with it: zoo train renderer "
        f"--base '{base}'"
    )


def begin(dataset: Path, base: Path, **changes: Any) -> RendererTask:
    task = make_task(make_recipe(dataset, base=base, **changes))
    task.begin_with(base)
    return task


def test_of_a_base_nothing_but_the_networks_is_taken_over(dataset: Path, base: Path) -> None:
    """Means, pose map, range of poses and frames are ann's own; the map of places is the base's."""
    begun, alone = begin(dataset, base).export(), make_task(make_recipe(dataset)).export()
    model = load_checkpoint(base)["model"]
    for part in ("generator", "discriminator", "patches"):
        assert all(torch.equal(begun[part][k], model[part][k]) for k in model[part])
    assert begun["generator"]["place"].mean() == 0.25
    for name, value in alone["person"].items():
        assert repr(begun["person"][name]) == repr(value)
    rest = alone.keys() - {"generator", "discriminator", "patches", "base", "person"}
    assert {name: begun[name] for name in rest} == {name: alone[name] for name in rest}


def test_checkpoint_and_recipe_say_what_a_run_began_with(dataset: Path, base: Path) -> None:
    task = begin(dataset, base)
    known = {"identity": "ann, bob", "sha256": hash_file(base), "base": None}
    assert task.export()["base"] == known
    assert task.recipe()["began_with"] == known
    assert task.recipe()["base"] == str(base)
    assert task.describe() == "learns ann (18 frames); begun with the renderer of ann, bob"
    again = make_task(make_recipe(dataset, base=base))
    assert "began_with" not in again.recipe()
    again.load_state_dict(task.state_dict())
    assert again.recipe()["began_with"] == known


def test_with_a_base_a_third_of_the_epochs_will_do_and_the_rate_still_falls(dataset: Path) -> None:
    known: dict[str, Any] = {"base": Path("base.pt"), "epochs": 0}
    small, paper = (make_recipe(dataset, preset=name, **known) for name in ("small", "paper"))
    assert (small.epochs, paper.epochs) == (2, 17)
    assert [small.rates(done)["generator"] for done in (0.8, 1.4)] == pytest.approx([4e-4, 2e-4])
    assert make_recipe(dataset, base=Path("base.pt"), epochs=4).epochs == 4


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("facial.pt", "a checkpoint of facial-gan, not of renderer"),
        ("none.pt", "no such checkpoint"),
        (".", "a folder: name the checkpoint in it"),
    ],
)
def test_what_is_no_renderer_is_one_clear_error(
    dataset: Path, tmp_path: Path, name: str, words: str
) -> None:
    save_checkpoint(tmp_path / "facial.pt", {"kind": "facial-gan", "model": {}})
    line = refuse(dataset, "--identity", "ann", "--base", str(tmp_path / name))
    assert line.startswith(f"zoo: error: {tmp_path / name}: {words}")


def test_the_commands_make_a_base_and_begin_with_it(dataset: Path, tmp_path: Path) -> None:
    """Two frames a person; a run that goes on keeps its base, and refuses another."""

    def train(out: str, *words: str) -> Any:
        command = ["train", "renderer", "--shards", str(dataset / "shards"), "--preset", "small"]
        command += ["--device", "cpu", "--perceptual", "random", "--frames-per-person", "2"]
        return CliRunner().invoke(main, [*command, "--out", str(tmp_path / out), *words])

    result = train("base", "--people", "all", "--holdout", "0.1", "--epochs", "1")
    assert result.exit_code == 0, result.stderr
    assert "learns 2 people: ann (18 frames), bob (" in result.stderr
    path = tmp_path / "base" / "best.pt"
    assert f"next: zoo train renderer --base {path}" in result.stderr
    assert json.loads((path.parent / "recipe.json").read_text())["people"] == ["ann", "bob"]

    words = ("--identity", "ann", "--base", str(path))
    assert train("ann", *words, "--epochs", "1").exit_code == 0
    result = train("ann", *words, "--epochs", "2", "--resume")
    assert result.exit_code == 0, result.stderr
    recipe = json.loads((tmp_path / "ann" / "recipe.json").read_text())
    assert recipe["began_with"]["identity"] == "ann, bob"
    result = train("ann", "--identity", "ann", "--epochs", "3", "--resume")
    assert result.exit_code == 1
    assert "the run has another base" in result.stderr.splitlines()[-1]
