"""The prior under training: what moves, runs that go on, what comes out, what is edited."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

import zoo.cli
from tests.zoo.models.t_gan.people import NUM_FRAMES, SIDE, TINY_VGG, write_people
from tests.zoo.stylegan.published import write_apart
from tests.zoo.training.drawn_face import make_face_network
from toolkit.errors import ToolkitError
from zoo.landmarks.align import view68
from zoo.landmarks.cut import cut_square
from zoo.landmarks.ffhq import align_ffhq
from zoo.models.registry import open_model
from zoo.models.styleheat_prior.identity import IdentityDistance, cut_chips, place_chip
from zoo.models.styleheat_prior.options import PriorRecipe
from zoo.models.styleheat_prior.pictures import Pictures, load_picture_clips
from zoo.models.styleheat_prior.presets import PRESETS, Preset
from zoo.models.styleheat_prior.recipe import PriorTask, choose_clips, train_prior
from zoo.stylegan.directions import open_directions
from zoo.stylegan.sizes import PriorSizes
from zoo.training import perceptual
from zoo.training.checkpoint import load_checkpoint
from zoo.training.distributed import Distributed
from zoo.training.face_alignment import PLACED, align_face
from zoo.training.loop import Step
from zoo.training.perceptual import open_perceptual

TINY = Preset(
    sizes=PriorSizes(generator=(4, 4, 4, 4, 4), encoder=(4, 4, 4, 4, 4), mapping=1),
    discriminator=(4, 4, 4, 4), packed=2, samples=1, batch_size=4, epochs=2, epoch_pictures=8,
    coarse_pictures=0, learning_rate=2e-3,
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def _tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Small networks, of which a random one judges, whatever the user has fetched."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TTK_WEIGHTS", str(tmp_path_factory.mktemp("no-weights")))
        patch.setitem(PRESETS, "small", TINY)
        patch.setattr(perceptual, "WIDTHS", TINY_VGG)
        yield


@pytest.fixture(scope="module", name="shards")
def _shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_people(tmp_path_factory.mktemp("people"))


def make_recipe(shards: Path, **changes: Any) -> PriorRecipe:
    settings = {"device": "cpu", "face": "none", "perceptual": "random"} | changes
    return PriorRecipe(shards=shards, **settings)


@pytest.fixture(scope="module", name="run")
def _run(shards: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "prior"
    train_prior(make_recipe(shards), out)
    return out


def make_task(
    recipe: PriorRecipe,
    identity: IdentityDistance | None = None,
    distributed: Distributed | None = None,
) -> PriorTask:
    return PriorTask(
        recipe, *choose_clips(recipe), perceptual=open_perceptual("random"), identity=identity,
        distributed=distributed or Distributed(),
    )  # fmt: skip


def copy_state(task: PriorTask) -> dict[str, torch.Tensor]:
    state = task.state_dict()
    parts = {name: state[name] for name in ("prior", "discriminator")}
    parts["mean"] = state["mean"]["network"]
    return {
        f"{part}.{key}": value.clone() for part, of in parts.items() for key, value in of.items()
    }


# --- what is seen -------------------------------------------------------------------------------


def test_measured_frames_are_aligned_by_the_rule(shards: Path) -> None:
    clip = load_picture_clips(shards, split="train")[0]
    assert len(clip) == NUM_FRAMES - 1
    assert 3 not in clip.frames
    stored = clip.part.reader.frame(clip.part.index, int(clip.frames[5]))
    align = align_ffhq(clip.points[5])
    assert np.array_equal(clip.read(5, SIDE), cut_square(stored, align, SIDE))


def test_half_of_the_pictures_are_mirrored_anew_in_every_epoch(shards: Path) -> None:
    clips = load_picture_clips(shards, split="train")
    plain = Pictures(clips, SIDE)
    epochs = [Pictures(clips, SIDE, seed=0, epoch=epoch) for epoch in (0, 1)]
    mirrored = []
    for pictures in epochs:
        found, expected = (x.gather(np.arange(len(plain))) for x in (pictures, plain))
        turned = [
            not torch.equal(*pair) for pair in zip(found.pictures, expected.pictures, strict=True)
        ]
        for k, is_turned in enumerate(turned):
            picture = found.pictures[k].flip(-1) if is_turned else found.pictures[k]
            assert torch.equal(picture, expected.pictures[k])
        mirrored.append(turned)
    assert 4 <= sum(mirrored[0]) <= 14
    assert mirrored[0] != mirrored[1]


def test_the_recogniser_sees_the_face_as_it_expects_it_mirrored_or_not(shards: Path) -> None:
    """As if it had been cut out of the stored picture."""
    rng = np.random.default_rng(0)
    mesh = rng.uniform(80, 180, (478, 3))
    mesh[[33, 133, 362, 263, 2], :2] = [(90, 110), (115, 112), (145, 111), (170, 108), (130, 160)]
    smooth = np.add.outer(np.arange(256), np.arange(256))[..., None] / np.array([3, 4, 5])
    picture = smooth.astype(np.uint8)
    align = align_ffhq(view68(mesh))
    aligned = torch.from_numpy(cut_square(picture, align, 512)).permute(2, 0, 1)[None].float()
    chip = torch.from_numpy(place_chip(mesh[list(PLACED), :2], align)).float()[None]
    found = cut_chips(aligned, chip)[0].permute(1, 2, 0).numpy()
    away = np.abs(found - align_face(picture, mesh))[10:-10, 10:-10]
    assert np.median(away) < 2
    other = cut_chips(aligned.flip(-1), chip * torch.tensor([[-1.0], [1.0]]))
    np.testing.assert_allclose(other[0].permute(1, 2, 0).numpy(), found, atol=0.02)


def test_the_identity_term_is_the_squared_distance_of_its_numbers() -> None:
    network = make_face_network()
    judge = IdentityDistance(network)
    pred, target = torch.rand(2, 2, 3, 64, 64).mul(2).sub(1).unbind(0)
    chips = torch.eye(2, 3).expand(2, -1, -1)
    features = [network(cut_chips(x, chips)) for x in (pred, target)]
    expected = (features[0] - features[1]).square().sum(dim=1).mean()
    torch.testing.assert_close(judge(pred, target, chips), expected)
    assert judge(target, target, chips) == 0


# --- under training -----------------------------------------------------------------------------


def test_a_step_moves_every_network_by_all_terms(shards: Path) -> None:
    task = make_task(make_recipe(shards), IdentityDistance(make_face_network()))
    for _ in range(2):  # encoders of residuals begin with a last layer of zeros
        before = copy_state(task)
        figures = task.step(next(task.draw_batches(0, 0)))
    after = copy_state(task)
    fixed = {name for name in before if torch.equal(before[name], after[name])}
    assert all("noises." in name or "kernel" in name for name in fixed)
    terms = ("pixel", "coarse", "adversarial", "perceptual", "identity")
    total = sum(figures[f"loss {name}"] for name in terms)
    assert figures["loss"] == pytest.approx(total, rel=1e-5)
    assert figures["items"] == TINY.batch_size


def test_r1_is_measured_in_one_of_sixteen_steps(
    shards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = list[int]()
    task = make_task(make_recipe(shards, batch_size=1))

    def measure(logits: torch.Tensor, pictures: torch.Tensor) -> torch.Tensor:
        calls.append(task._mean.num_updates)
        return logits.sum() * 0

    monkeypatch.setattr("zoo.models.styleheat_prior.recipe.gradient_penalty", measure)
    batch = next(task.draw_batches(0, 0))
    for number in (0, 1, 15, 16, 17):
        task._mean.num_updates = number
        task.step(batch)
    assert calls == [0, 16]


@pytest.mark.parametrize(
    ("samples", "expected"), [(1, [1.2, 1.2, 0.6]), (2, [1, 1, 1]), (4, [1, 1, 1, 1])]
)
def test_faces_of_noise_count_as_many_times_whatever_the_number_of_processes(
    samples: int, expected: list[float], shards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of two processes, with two pictures of four: a face that both draw counts half."""
    found = list[torch.Tensor | None]()

    def measure(logits: torch.Tensor, weights: torch.Tensor | None = None) -> torch.Tensor:
        found.append(weights)
        return logits.sum() * 0

    monkeypatch.setattr("zoo.models.styleheat_prior.recipe.adversarial_loss", measure)
    monkeypatch.setattr("zoo.training.distributed.dist.all_reduce", lambda flat: flat.mul_(2))
    monkeypatch.setitem(PRESETS, "small", replace(TINY, samples=samples))
    task = make_task(make_recipe(shards), distributed=Distributed(rank=1, size=2))
    task.step(next(task.draw_batches(0, 0)))
    (weights,) = found
    assert weights is not None
    assert weights.tolist() == pytest.approx(expected)


def test_w_is_learnt_alone_until_so_many_pictures_were_seen(
    shards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two steps of four; then F, which had nothing to do, and the discriminator."""
    monkeypatch.setitem(PRESETS, "small", replace(TINY, coarse_pictures=8))
    task = make_task(make_recipe(shards))
    batch = next(task.draw_batches(0, 0))
    before = copy_state(task)
    for _ in range(2):
        figures = task.step(batch)
        assert {name for name in figures if name.startswith("loss ")} == {"loss coarse"}
    after = copy_state(task)
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    parts = ("prior.residuals.", "prior.generator.style.", "discriminator.")
    assert not [name for name in moved if name.startswith(parts)]
    assert {"prior.encoder.leave.weight", "prior.generator.conv1.conv.weight"} <= moved
    for taken in (1, 2):  # by Adam, which begins anew with the other terms
        assert "loss pixel" in task.step(batch)
        states = task.state_dict()["optimisers"]["generator"]["state"].values()
        assert {int(state["step"]) for state in states} == {taken}


def test_a_run_that_is_resumed_goes_on_learning_w_alone(
    shards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It counts steps that the checkpoint knows of."""
    monkeypatch.setitem(PRESETS, "small", replace(TINY, coarse_pictures=12))
    train_prior(make_recipe(shards, epochs=1), tmp_path / "run")
    train_prior(make_recipe(shards, epochs=2), tmp_path / "run", resume=True)
    rows = [line.split(",") for line in (tmp_path / "run" / "log.csv").read_text().splitlines()]
    steps = [int(row[3]) for row in rows if row[0] == "train" and row[4] == "loss pixel"]
    assert steps == [4]


def test_one_picture_is_learnt(shards: Path) -> None:
    """The error falls by more than a half in 20 steps."""
    task = make_task(make_recipe(shards, batch_size=1, learning_rate=1e-2))
    batch = next(task.draw_batches(0, 0))
    first = task.step(batch)
    for _ in range(20):
        last = task.step(batch)
    assert last["loss pixel"] < first["loss pixel"] / 2


def test_a_run_killed_within_an_epoch_ends_with_the_weights_of_an_undisturbed_one(
    shards: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class KilledError(Exception):
        pass

    def kill(step: Step) -> None:
        if (step.epoch, step.step) == (1, 1):
            raise KilledError

    with monkeypatch.context() as patch, pytest.raises(KilledError):
        patch.setattr("zoo.training.loop.SAVE_SECONDS", 0)
        train_prior(make_recipe(shards), tmp_path / "killed", on_step=kill)
    train_prior(make_recipe(shards), tmp_path / "killed", resume=True)
    whole, resumed = (
        load_checkpoint(folder / "last.pt")["state"] for folder in (run, tmp_path / "killed")
    )
    assert whole["mean"]["num_updates"] == resumed["mean"]["num_updates"]
    for part in ("prior", "discriminator"):
        assert all(torch.equal(whole[part][key], resumed[part][key]) for key in whole[part])
    mean, other = whole["mean"]["network"], resumed["mean"]["network"]
    assert all(torch.equal(mean[key], other[key]) for key in mean)


def test_a_run_leaves_a_prior_its_judges_and_a_sheet(run: Path) -> None:
    prior = open_model(run / "best.pt", makes="priors")
    assert (prior.size, prior.features) == (SIDE, 4)
    content = load_checkpoint(run / "best.pt")["model"]
    assert content["judges"]["identity judge"] == "none"
    assert content["judges"]["perceptual judge"].startswith("random ")
    assert content["trained_on"] == ["person0", "person2"]
    assert np.asarray(Image.open(run / "sheets" / "epoch-0001.png")).shape[0] == 3 * SIDE
    rows = [line.split(",") for line in (run / "log.csv").read_text().splitlines()]
    names = {row[4] for row in rows if row[0] == "validation"}
    assert names == {"score", "psnr", "score coarse", "psnr coarse"}


def test_an_epoch_of_a_large_dataset_is_as_many_pictures_as_the_preset_says(
    shards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert make_task(make_recipe(shards)).count_steps(0) == 2
    monkeypatch.setitem(PRESETS, "small", replace(TINY, epoch_pictures=0))
    assert make_task(make_recipe(shards)).count_steps(0) == 4


def test_judges_that_are_not_there_are_said(shards: Path) -> None:
    with pytest.raises(ValueError, match=r"--vgg .* --perceptual random has no use for it"):
        make_recipe(shards, vgg=Path("vgg19.pth"))


# --- the command line ---------------------------------------------------------------------------


def invoke(*words: str | Path) -> Any:
    result = CliRunner().invoke(zoo.cli.main, [str(word) for word in words])
    assert result.exit_code == 0, result.output + str(result.exception)
    return result


def test_directions_are_found_by_measured_and_labelled_attributes(
    shards: Path, run: Path, tmp_path: Path
) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("identity,beard\nperson0,1\nperson2,0\n")
    out = tmp_path / "directions.pt"
    result = invoke(
        "edit", "directions", "--prior", run / "best.pt", "--shards", shards, "--attributes",
        "mouth,brightness,beard", "--labels", labels, "--device", "cpu", "--json", "--out", out,
    )  # fmt: skip
    rows = {row["name"]: row for row in json.loads(result.stdout)}
    assert rows["beard"]["mean"] == pytest.approx(0.5)
    assert rows["mouth"]["deviation"] > 0
    found = open_directions(out)
    assert found.names == ("mouth", "brightness", "beard")
    assert found.vectors.shape == (3, 10, 512)


def test_an_attribute_that_is_nowhere_is_refused(shards: Path, run: Path, tmp_path: Path) -> None:
    words = ["edit", "directions", "--prior", run / "best.pt", "--shards", shards]
    words += ["--attributes", "hair", "--device", "cpu", "--out", tmp_path / "d.pt"]
    result = CliRunner().invoke(zoo.cli.main, [str(word) for word in words])
    assert result.exit_code == 1
    assert "--attributes hair: neither measured" in result.output


def test_the_layers_are_drawn(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "layers.png"
    invoke(
        "edit",
        "layers",
        "--prior",
        run / "best.pt",
        "--faces",
        "2",
        "--device",
        "cpu",
        "--out",
        out,
    )
    assert np.asarray(Image.open(out)).shape == (2 * SIDE, 6 * SIDE, 3)


def test_published_files_are_converted(tmp_path: Path) -> None:
    stylegan, hfgi, e4e = write_apart(tmp_path)
    out = tmp_path / "prior.pt"
    words = ["--stylegan", stylegan, "--hfgi", hfgi, "--e4e", e4e, "--out", out]
    invoke("convert", "styleheat-prior", *words)
    assert load_checkpoint(out, "styleheat-prior")["model"]["preset"] == "published"


def test_one_person_is_learnt_with_what_is_held_out_to_choose_by(
    shards: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = make_recipe(shards, identity="person0", holdout=0.3)
    with pytest.raises(ToolkitError, match="no frame of person0 is measured"):
        choose_clips(recipe)  # a gap of 25 frames leaves none of 10
    monkeypatch.setattr("zoo.models.styleheat_prior.recipe.GAP", 1)
    trained, chosen_by = choose_clips(recipe)
    assert [len(clip) for clip in (*trained, *chosen_by)] == [5, 3]
    assert {clip.identity for clip in (*trained, *chosen_by)} == {"person0"}
