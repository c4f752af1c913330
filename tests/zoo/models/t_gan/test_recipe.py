"""The texture GAN under training and fine-tuning: what moves, runs that go on, what comes out."""

import json
import os
import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import zoo.cli
from tests.sitters import write_pictures
from tests.zoo.models.t_gan.people import (
    NUM_FRAMES,
    SIDE,
    TINY,
    TINY_VGG,
    draw_person,
    place_points,
    write_people,
)
from toolkit.errors import ToolkitError
from toolkit.mesh import LANDMARKS68, NUM_LANDMARKS
from toolkit.schema import Provenance
from zoo.data import portraits
from zoo.landmarks.spread import choose_spread
from zoo.models.registry import open_model
from zoo.models.t_gan.finetune import Finetuning, PersonPictures, finetune
from zoo.models.t_gan.judges import open_judges
from zoo.models.t_gan.model import open_t_gan
from zoo.models.t_gan.options import FinetuneRecipe, TGanRecipe
from zoo.models.t_gan.pictures import load_people
from zoo.models.t_gan.presets import PRESETS
from zoo.models.t_gan.recipe import TGanTask, choose_people, train_t_gan
from zoo.training import perceptual
from zoo.training.checkpoint import load_checkpoint, save_checkpoint
from zoo.training.distributed import Distributed
from zoo.training.loop import Step
from zoo.training.stopping import Stopped


@pytest.fixture(scope="module", autouse=True)
def _tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Small networks, of which a random one judges, whatever the user has fetched."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TTK_WEIGHTS", str(tmp_path_factory.mktemp("no-weights")))
        patch.setitem(PRESETS, "small", TINY)
        patch.setattr(perceptual, "WIDTHS", TINY_VGG)
        yield


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_people(tmp_path_factory.mktemp("people"))


def make_recipe(shards: Path, **changes: Any) -> TGanRecipe:
    settings = {"epochs": 1, "inner_steps": 2, "device": "cpu", "face": "none"} | changes
    return TGanRecipe(shards=shards, **settings)


@pytest.fixture(scope="module")
def run(shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one epoch."""
    out = tmp_path_factory.mktemp("runs") / "tgan"
    train_t_gan(make_recipe(shards), out)
    return out


def make_task(recipe: TGanRecipe) -> TGanTask:
    preset = PRESETS[recipe.preset]
    people = (choose_people(recipe.shards, preset, part) for part in ("train", "val"))
    judges = None if recipe.ablate else open_judges(None, None, "none", half=True)
    return TGanTask(recipe, *people, judges=judges, distributed=Distributed())


def copy_state(task: TGanTask) -> dict[str, torch.Tensor]:
    """Weights and vectors by network and name."""
    return {
        f"{name}.{key}": value.clone()
        for name in ("generator", "discriminator")
        for key, value in task.state_dict().get(name, {}).items()
    }


def moves(name: str, state: dict[str, torch.Tensor]) -> bool:
    """Whether it should: shifts that a norm takes away need not, nor vectors of one row."""
    layer = name.rpartition(".")[0]
    is_row = len(state.get(f"{layer}.left", (0, 0))) == 1 and not name.endswith("weight")
    return not name.endswith("bias") and not is_row


# --- what is seen -------------------------------------------------------------------------------


def test_measured_frames_alone_are_seen_and_reduced_with_their_landmarks(shards: Path) -> None:
    (person, *_) = load_people(shards, SIDE // 2, split="train")
    assert len(person) == NUM_FRAMES - 1
    assert 3 not in person.places[:, 1]
    stored = person.slices[0].reader.frame(person.slices[0].index, 1)
    picture = person.read([1])[0]
    assert picture.shape == (SIDE // 2, SIDE // 2, 3)
    corner = stored[:2, :2].astype(float).mean(axis=(0, 1))
    assert np.abs(picture[0, 0] - corner).max() <= 1
    assert person.landmarks[0, 0] == pytest.approx(place_points(0.0)[0] / 2, abs=1e-4)


def test_an_episode_is_one_persons_and_no_picture_comes_twice(shards: Path) -> None:
    task = make_task(make_recipe(shards))
    batches = list(task.draw_batches(0, 0))
    assert len(batches) == task.count_steps(0) == 2
    for (episode,) in batches:
        pictures = torch.cat([episode.support.target, episode.queries.target])
        assert len(pictures) == TINY.support + TINY.queries
        rows = {tuple(raster.flatten().tolist()) for raster in episode.support.raster}
        assert not rows & {tuple(raster.flatten().tolist()) for raster in episode.queries.raster}
        assert torch.equal(episode.queries.pictures, episode.support.target[: TINY.references])
        skins = pictures[:, :, 0, 0]
        assert (skins.max(dim=0).values - skins.min(dim=0).values).max() < 0.05


def test_episodes_depend_on_the_epoch_and_their_place_alone(shards: Path) -> None:
    task = make_task(make_recipe(shards))

    def read(epoch: int, first: int) -> list[torch.Tensor]:
        return [episode.queries.target for (episode,) in task.draw_batches(epoch, first)]

    assert torch.equal(read(1, 0)[1], read(1, 1)[0])
    assert not all(map(torch.equal, read(0, 0), read(1, 0)))


def test_people_with_too_few_frames_are_refused(shards: Path) -> None:
    with pytest.raises(ToolkitError, match="no person in train has 30 measured frames"):
        choose_people(shards, replace(TINY, support=25, queries=5), "train")


def test_pictures_that_differ_most_are_chosen() -> None:
    """The mean face of these is 3.25: 3 is nearest, then 10, 0 and 1."""
    points = np.zeros((5, 68, 2))
    points[:, 66, 1] = (0, 3, 10, 2.25, 1)
    assert choose_spread(points, 1).tolist() == [1]
    assert choose_spread(points, 3).tolist() == [0, 1, 2]
    assert choose_spread(points, 9).tolist() == [0, 1, 2, 3, 4]


# --- what moves ---------------------------------------------------------------------------------


@pytest.mark.parametrize("changes", [{}, {"meta": "transfer"}, {"inner": "sgd"}])
def test_a_step_moves_every_weight_and_vector_and_validation_none(
    shards: Path, changes: dict[str, Any]
) -> None:
    """Attention's share is 0 at first, so that what is behind it would have no gradient."""
    task = make_task(make_recipe(shards, **changes))
    for name, value in task.state_dict()["generator"].items():
        if name.endswith("share"):
            value.fill_(0.3)
    batch = next(iter(task.draw_batches(0, 0)))
    before = copy_state(task)
    task.step(batch)
    after = copy_state(task)
    still = {name for name in before if torch.equal(before[name], after[name])}
    assert not [name for name in still if moves(name, before)]
    validation = task.validate()
    assert validation.keys() == {"score", "psnr", "before"}
    assert all(torch.equal(value, after[name]) for name, value in copy_state(task).items())
    sheet = task.draw_sheet()
    assert sheet is not None
    assert sheet.shape == (4 * SIDE, SIDE, 3)


@pytest.mark.parametrize(
    ("ablate", "networks", "terms"),
    [
        ("", {"generator", "discriminator"}, {"pixel", "adversarial", "feature (random + none)"}),
        ("adversarial", {"generator"}, {"pixel", "feature (random + none)"}),
        ("feature", {"generator"}, {"pixel"}),
        ("adain", {"generator"}, {"pixel"}),
    ],
)
def test_rows_of_table_3_leave_out_what_they_say(
    shards: Path, tmp_path: Path, ablate: str, networks: set[str], terms: set[str]
) -> None:
    seen: list[set[str]] = []
    recipe = make_recipe(shards, ablate=ablate, meta="transfer")

    def note(step: Step) -> None:
        seen.append({name.removeprefix("loss ") for name in step.metrics})

    train_t_gan(recipe, tmp_path / "run", on_step=note)
    content = load_checkpoint(tmp_path / "run" / "best.pt", "t-gan")["model"]
    assert content.keys() & {"generator", "discriminator"} == networks
    assert seen[0] - {"loss", "discriminator"} == terms
    joins = any("modulate.join" in name for name in content["generator"])
    assert joins == (ablate == "adain")


def test_second_order_steps_differ_from_first_order_ones(shards: Path) -> None:
    found = []
    for second_order in (False, True):
        recipe = make_recipe(
            shards, inner="sgd", inner_rate=0.3, second_order=second_order, ablate="feature"
        )
        task = make_task(recipe)
        task.step(next(iter(task.draw_batches(0, 0))))
        found.append(copy_state(task)["generator.encoder.1.first.weight"])
    assert torch.isfinite(found[1]).all()
    assert not torch.equal(*found)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"second_order": True}, "give --inner sgd"),
        ({"second_order": True, "inner": "sgd", "preset": "paper"}, "take --preset small"),
        ({"second_order": True, "meta": "transfer"}, "--second-order is of --meta maml"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    shards: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make_recipe(shards, **changes)


# --- runs ---------------------------------------------------------------------------------------


def stop_after(number: int) -> Any:
    def stop(step: Step) -> None:
        if not step.validation and step.step == number:
            os.kill(os.getpid(), signal.SIGINT)

    return stop


def same(one: Any, other: Any) -> bool:
    """Whether two trees of tensors and numbers are alike to the bit."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    return bool(one == other)


@pytest.mark.parametrize("meta", ["maml", "transfer"])
def test_a_run_that_is_stopped_goes_on_as_if_it_had_not_been(
    shards: Path, tmp_path: Path, meta: str
) -> None:
    recipe = make_recipe(shards, meta=meta)
    train_t_gan(recipe, tmp_path / "whole")
    with pytest.raises(Stopped):
        train_t_gan(recipe, tmp_path / "cut", on_step=stop_after(1))
    train_t_gan(recipe, tmp_path / "cut", resume=True)
    whole, cut = (load_checkpoint(tmp_path / name / "last.pt") for name in ("whole", "cut"))
    assert same(whole, cut)


def test_a_stopped_fine_tuning_goes_on_as_if_it_had_not_been(
    shards: Path, run: Path, tmp_path: Path
) -> None:
    recipe = FinetuneRecipe(
        base=run / "best.pt", images="person3-0", shards=shards, epochs=2, num_pictures=4,
        device="cpu", face="none",
    )  # fmt: skip
    train_t_gan(recipe, tmp_path / "whole")
    with pytest.raises(Stopped):
        train_t_gan(recipe, tmp_path / "cut", on_step=stop_after(1))
    train_t_gan(recipe, tmp_path / "cut", resume=True)
    whole, cut = (load_checkpoint(tmp_path / name / "last.pt") for name in ("whole", "cut"))
    assert same(whole, cut)


def test_recipe_and_checkpoint_name_the_networks_that_judge(run: Path) -> None:
    recipe = json.loads((run / "recipe.json").read_text())
    content = load_checkpoint(run / "best.pt")["model"]
    assert recipe["vgg"] == content["judges"]["vgg"]
    assert recipe["vgg"].startswith("random ")
    assert content["judges"]["face"] == "none"
    assert "loss feature (random + none)" in (run / "log.csv").read_text()
    assert len(content["trained_on"]) == 2


# --- fine-tuning and drawing --------------------------------------------------------------------


def make_person(number: int = 5, count: int = 4) -> tuple[Any, Any]:
    points = np.stack([place_points(opening) for opening in np.linspace(0, 1, count)])
    return np.stack([draw_person(face, 100 + 20 * number) for face in points]), points


def measure(model: Any, pictures: Any, points: Any) -> float:
    drawn = np.stack(list(model.draw(points)))
    return float(np.abs(drawn.astype(float) - pictures).mean())


def test_a_few_pictures_are_overfitted(run: Path) -> None:
    """40 epochs of four pictures: an error of levels, where the base is tens away."""
    pictures, points = make_person()
    base = run / "best.pt"
    judges = open_judges(None, None, "none", half=True)
    ends = [
        measure(
            finetune(base, pictures, points, epochs=epochs, learning_rate=4e-3, judges=judges),
            pictures,
            points,
        )
        for epochs in (0, 40)
    ]
    assert ends[0] > 30
    assert ends[1] < 12


def test_fine_tuning_moves_every_weight(run: Path) -> None:
    pictures, points = make_person()
    person = PersonPictures(identity="ann", pictures=pictures, landmarks=points)
    content = load_checkpoint(run / "best.pt")["model"]
    tuning = Finetuning(
        run / "best.pt", content, person, judges=None, learning_rate=1e-3, device="cpu"
    )
    for places in tuning.draw_order(0, 0) + tuning.draw_order(0, 1):
        tuning.step(places)
    for name in ("generator", "discriminator"):
        before, after = content[name], tuning.export()[name]
        still = {key for key in before if torch.equal(before[key], after[key])}
        assert not [key for key in still if moves(key, before)]


def test_the_command_learns_a_clip_and_what_it_learnt_draws(
    shards: Path, run: Path, tmp_path: Path
) -> None:
    out = tmp_path / "me"
    words = ["finetune", "t-gan", "--base", run / "best.pt", "--images", "person3", "--shards"]
    words += [shards, "--out", out, "--epochs", 1, "--num-pictures", 4, "--face", "none", "--json"]
    result = CliRunner().invoke(zoo.cli.main, [*map(str, words)])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["epoch"] == 0
    model = open_model(out / "best.pt", makes="faces")
    assert model.identity == "person3"
    pictures, points = make_person()
    texture = model.embed(pictures, points)
    by_own, by_other = (list(model.draw(points, t)) for t in (None, texture))
    assert len(by_own) == len(points)
    assert by_own[0].shape == (SIDE, SIDE, 3)
    assert by_own[0].dtype == np.uint8
    assert not np.array_equal(by_own[0], by_other[0])
    assert np.array_equal(by_other[2], next(model.draw(points[2:3], texture)))


class DrawnMesh:
    """Finds in every picture of tests the mesh that they were drawn by."""

    @staticmethod
    def provenance() -> Provenance:
        return Provenance(backend="drawn", version="1")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Six pictures of one person, whose faces are found where they were drawn."""
    pictures, points = make_person(count=6)
    meshes = np.zeros((len(points), NUM_LANDMARKS, 3), np.float32)
    meshes[:, :, :2] = np.random.default_rng(0).uniform(8, 56, (NUM_LANDMARKS, 2))
    meshes[:, list(LANDMARKS68), :2] = points
    found = dict(zip((picture.tobytes() for picture in pictures), meshes, strict=True))
    monkeypatch.setattr(portraits, "FaceMesh", DrawnMesh)
    monkeypatch.setattr(portraits, "find_faces", lambda mesh, picture: [found[picture.tobytes()]])
    return write_pictures(
        tmp_path / "ann", **{f"p{k}": picture for k, picture in enumerate(pictures)}
    )


def finetune_by_command(run: Path, images: Path | str, out: Path, *more: object) -> Any:
    words = ["finetune", "t-gan", "--base", run / "best.pt", "--images", images, "--out", out]
    words += ["--epochs", 1, "--face", "none", *more]
    return CliRunner().invoke(zoo.cli.main, [*map(str, words)])


def test_the_command_learns_a_folder_of_pictures(run: Path, folder: Path, tmp_path: Path) -> None:
    """Its checkpoint knows the meshes of what it learnt from, px of the pictures that are drawn."""
    result = finetune_by_command(run, folder, tmp_path / "me", "--num-pictures", 4)
    assert result.exit_code == 0, result.output
    assert "zoo synthesize --system cascaded" in result.stderr
    model = open_model(tmp_path / "me" / "best.pt", makes="faces")
    assert model.identity == "ann"
    assert model.meshes.shape == (4, NUM_LANDMARKS, 3)
    assert model.meshes[..., :2].min() >= 0
    assert model.meshes[..., :2].max() <= SIDE


def test_few_pictures_are_their_own_judges(run: Path, folder: Path, tmp_path: Path) -> None:
    result = finetune_by_command(run, folder, tmp_path / "me")
    assert result.exit_code == 0, result.output
    assert len(open_model(tmp_path / "me" / "best.pt", makes="faces").meshes) == len(
        list(folder.iterdir())
    )


def test_one_picture_is_learnt(run: Path, folder: Path, tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="one picture alone"):
        result = finetune_by_command(run, folder / "p0.png", tmp_path / "me")
    assert result.exit_code == 0, result.output


def test_images_are_a_path_or_a_clip_of_shards(shards: Path, run: Path, tmp_path: Path) -> None:
    result = finetune_by_command(run, "person3", tmp_path / "me")
    assert result.exit_code == 2
    assert "--images person3: no such folder, video or picture; the id of a clip" in result.stderr
    result = finetune_by_command(run, tmp_path, tmp_path / "me", "--shards", shards)
    assert result.exit_code == 2
    assert "is no clip: leave --shards away" in result.stderr


def test_a_base_draws_by_a_texture_alone(run: Path) -> None:
    model = open_t_gan(run / "best.pt")
    pictures, points = make_person()
    with pytest.raises(ToolkitError, match="knows no person: run zoo finetune t-gan first"):
        next(model.draw(points))
    assert next(model.draw(points, model.embed(pictures, points))).shape == (SIDE, SIDE, 3)


def test_pictures_of_another_size_are_refused(run: Path) -> None:
    pictures, points = make_person()
    with pytest.raises(ValueError, match=r"the texture is taken from \(N, 64, 64, 3\)"):
        open_t_gan(run / "best.pt").embed(pictures[:, :32], points)
    judges = open_judges(None, None, "none", half=True)
    with pytest.raises(ToolkitError, match=r"pictures of 32 × 64 × 3, but .* draws 64 × 64 px"):
        finetune(run / "best.pt", pictures[:, :32], points, judges=judges)


def test_landmarks_of_another_backend_are_refused(run: Path, tmp_path: Path) -> None:
    shards = write_people(tmp_path / "other", version="2")
    recipe = FinetuneRecipe(
        base=run / "best.pt", images="person3-0", shards=shards, num_pictures=4, device="cpu",
        face="none",
    )  # fmt: skip
    with pytest.raises(ToolkitError, match=r"landmarks by drawn 2, but .* with drawn 1"):
        train_t_gan(recipe, tmp_path / "me")


def test_a_base_of_other_points_is_refused(run: Path, folder: Path, tmp_path: Path) -> None:
    """The run itself says that its points are the mesh's."""
    content = load_checkpoint(run / "best.pt")
    assert content["model"]["points"] == "mesh-68"
    content["model"]["points"] = "openface-68"
    (tmp_path / "other").mkdir()
    save_checkpoint(tmp_path / "other" / "best.pt", content)
    result = finetune_by_command(tmp_path / "other", folder, tmp_path / "me")
    assert result.exit_code == 1
    assert "knows openface-68 landmarks, but those of pictures are mesh-68" in result.stderr


def test_a_clip_without_frames_to_choose_by_is_refused(
    shards: Path, run: Path, tmp_path: Path
) -> None:
    recipe = FinetuneRecipe(
        base=run / "best.pt", images="person3-0", shards=shards, device="cpu", face="none"
    )
    with pytest.raises(ToolkitError, match="9 measured frames, none beside those to learn from"):
        train_t_gan(recipe, tmp_path / "me")


def test_weights_of_another_version_are_refused(run: Path, tmp_path: Path) -> None:
    content = load_checkpoint(run / "best.pt")
    del content["model"]["generator"]["decoder.0.first.weight"]
    save_checkpoint(tmp_path / "old.pt", content)
    with pytest.raises(ToolkitError, match="do not fit the small generator of this version"):
        open_t_gan(tmp_path / "old.pt")


def test_finetuning_offers_no_processes_for_pictures_that_are_in_memory() -> None:
    result = CliRunner().invoke(zoo.cli.main, ["finetune", "t-gan", "--workers", "2"])
    assert result.exit_code == 2
    assert "No such option" in result.output
    assert "--workers" in result.output
