"""FACIAL-GAN under training: a killed run goes on as if it had not been, misfits are refused."""

import dataclasses
import json
import math
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import distributed, multiprocessing, nn

from tests.runs import train_killed
from toolkit.dataset.split import SplitOptions, split_dataset
from toolkit.errors import ToolkitError
from toolkit.features.blink import find_blinks
from zoo.cli import main
from zoo.data import AU45, EXPRESSION, POSE, WINDOW, Normalisation, load_clips, pad_audio
from zoo.data.batches import STRIDE
from zoo.evaluation.motion import evaluate_part
from zoo.models.facial.model import create_facial_gan, open_facial_gan
from zoo.models.facial.options import FacialRecipe, FinetuneRecipe
from zoo.models.facial.recipe import FacialTask, choose_clips, train_facial
from zoo.synthetic.dataset import make_dataset
from zoo.synthetic.options import SyntheticOptions
from zoo.training.checkpoint import load_checkpoint, save_checkpoint
from zoo.training.distributed import Distributed


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten clips of two people, five to train on."""
    folder = tmp_path_factory.mktemp("facial") / "synthetic"
    make_dataset(folder, SyntheticOptions(clips=10, seconds=6, identities=2))
    split_dataset(folder, SplitOptions(by="clip"))
    return folder


def make_recipe(dataset: Path, **changes: Any) -> FacialRecipe:
    settings = {"preset": "small", "epochs": 1, "batch_size": 16, "device": "cpu"} | changes
    return FacialRecipe(shards=dataset / "shards", **settings)


@pytest.fixture(scope="module")
def base(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one epoch."""
    out = tmp_path_factory.mktemp("base")
    train_facial(make_recipe(dataset), out)
    return out


def read_weights(run: Path) -> dict[str, torch.Tensor]:
    model = load_checkpoint(run / "last.pt", "facial-gan")["model"]
    return {
        f"{part} {k}": v for part in ("generator", "discriminator") for k, v in model[part].items()
    }


# --- runs ---------------------------------------------------------------------------------------


def test_a_run_killed_within_an_epoch_ends_with_the_weights_of_an_undisturbed_one(
    dataset: Path, tmp_path: Path
) -> None:
    recipe = make_recipe(dataset, epochs=2)
    train_facial(recipe, tmp_path / "whole")
    train_killed(train_facial, recipe, tmp_path / "killed", epoch=1, step=2)
    whole, resumed = read_weights(tmp_path / "whole"), read_weights(tmp_path / "killed")
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


@pytest.mark.parametrize(("average", "is_trained"), [(0.998, False), (0.0, True)])
def test_the_running_mean_of_the_generator_is_kept_unless_it_is_switched_off(
    dataset: Path, tmp_path: Path, average: float, is_trained: bool
) -> None:
    train_facial(make_recipe(dataset, average=average), tmp_path)
    content = load_checkpoint(tmp_path / "last.pt", "facial-gan")
    trained = {
        name.removeprefix("generator."): value
        for name, value in content["state"]["model"].items()
        if name.startswith("generator.")
    }
    kept = content["model"]["generator"]
    assert kept.keys() == trained.keys()
    assert all(torch.equal(kept[name], trained[name]) for name in kept) is is_trained


def test_the_released_code_has_no_running_mean(dataset: Path) -> None:
    assert make_recipe(dataset, preset="official").average == 0


def test_a_checkpoint_says_all_that_generation_needs(dataset: Path, base: Path) -> None:
    model = open_facial_gan(base / "best.pt")
    clips = load_clips(dataset, split="train")
    assert model.contract.fps == clips.fps
    assert model.contract.backends == clips.backends
    known = Normalisation.fit(clips)
    np.testing.assert_array_equal(model.normalisation.pose_scale, known.pose_scale)
    assert sorted(model.normalisation.pose_means) == ["person-0", "person-1"]
    assert not model.network.training


def test_without_the_adversarial_term_there_is_no_discriminator_step(dataset: Path) -> None:
    task = make_task(make_recipe(dataset, gan_weight=0.0))
    seen = task.step(next(iter(task.draw_batches(0, 0))))
    assert "loss expression" in seen
    assert not {"loss discriminator", "loss adversarial", "gradient ratio"} & set(seen)


def test_the_gradient_ratio_grows_with_the_weight_of_the_adversarial_term(dataset: Path) -> None:
    """Of the first step, in which both see the same batch with the same weights."""
    ratios = []
    for weight in (0.1, 10.0):
        task = make_task(make_recipe(dataset, gan_weight=weight))
        torch.manual_seed(0)
        ratios.append(task.step(next(iter(task.draw_batches(0, 0))))["gradient ratio"])
    assert ratios[1] == pytest.approx(100 * ratios[0], rel=1e-3)


# --- fine-tuning --------------------------------------------------------------------------------


def finetune(dataset: Path, base: Path, **changes: Any) -> FinetuneRecipe:
    settings = dataclasses.asdict(make_recipe(dataset)) | {"identity": "person-1", "holdout": 0.2}
    return FinetuneRecipe(**settings | {"base": base / "best.pt"} | changes)


@pytest.fixture(scope="module")
def tuned_run(dataset: Path, base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fine-tuning of one epoch."""
    out = tmp_path_factory.mktemp("tuned")
    train_facial(finetune(dataset, base), out)
    return out


def test_fine_tuning_keeps_the_base_models_statistics(base: Path, tuned_run: Path) -> None:
    before, after = open_facial_gan(base / "best.pt"), open_facial_gan(tuned_run / "best.pt")
    ours, theirs = before.normalisation, after.normalisation
    np.testing.assert_array_equal(ours.audio_mean, theirs.audio_mean)
    assert ours.expression_scale == theirs.expression_scale
    assert not torch.equal(before.network.head.weight, after.network.head.weight)


def test_fine_tuning_learns_how_the_persons_lids_move(
    dataset: Path, base: Path, tuned_run: Path
) -> None:
    """From the frames that it was trained on: their AU45 is what the highest made becomes."""
    lids = open_facial_gan(tuned_run / "best.pt").lids
    trained, _ = choose_clips(finetune(dataset, base))
    real = np.concatenate([clip.motion[clip.valid, AU45.start] for clip in trained])
    assert lids.apply(np.full(9, 5.0)) == pytest.approx(np.full(9, real.max()))
    assert lids.real[250] == pytest.approx(np.median(real))
    assert open_facial_gan(base / "best.pt").lids is None


def test_a_fine_tuned_model_moves_its_head_as_the_person_unless_it_is_asked_otherwise(
    dataset: Path, base: Path, tuned_run: Path
) -> None:
    """Its own pose through the map of heads; another identity's stays as it is made."""
    model = open_facial_gan(tuned_run / "best.pt")
    audio = np.concatenate([clip.audio for clip in load_clips(dataset, split="test")])
    raw, shown = (
        model.generate(audio, identity="person-1", map_head=mapped) for mapped in (False, True)
    )
    mean = model.normalisation.pose_means["person-1"]
    np.testing.assert_allclose(shown[:, POSE], model.head.apply(raw[:, POSE], mean), atol=1e-5)
    assert np.abs(shown[:, POSE] - raw[:, POSE]).max() > 0.1
    np.testing.assert_array_equal(shown[:, EXPRESSION], raw[:, EXPRESSION])
    others = (
        model.generate(audio, identity="person-0", map_head=mapped) for mapped in (False, True)
    )
    np.testing.assert_array_equal(*others)
    assert open_facial_gan(base / "best.pt").head is None


def test_a_fine_tuned_model_blinks_as_the_person_unless_it_is_asked_otherwise(
    dataset: Path, tuned_run: Path
) -> None:
    """Its own AU45 through the map of lids; another identity's stays as it is made."""
    model = open_facial_gan(tuned_run / "best.pt")
    audio = np.concatenate([clip.audio for clip in load_clips(dataset, split="test")])
    raw, shown = (
        model.generate(audio, identity="person-1", blink_rate=rate) for rate in ("model", "person")
    )
    np.testing.assert_allclose(shown[:, 70], model.lids.apply(raw[:, 70]), atol=1e-5)
    assert np.abs(shown[:, 70] - raw[:, 70]).max() > 0.1
    np.testing.assert_array_equal(shown[:, :70], raw[:, :70])
    other = model.generate(audio, identity="person-0")
    np.testing.assert_array_equal(
        other, model.generate(audio, identity="person-0", blink_rate="model")
    )
    often = model.generate(audio, identity="person-1", blink_rate=20.0)
    assert len(find_blinks(often[:, 70], 30)) == round(20 * len(audio) / 1800)


@pytest.mark.parametrize("tuned", [False, True])
def test_motion_begins_as_the_clip_that_it_is_to_begin_with(
    tuned: bool, dataset: Path, base: Path, tuned_run: Path
) -> None:
    """Expression, pose and AU45; half a second later it is what the network makes of the sound.

    Left to itself the network misses the first frame by more than the expression's own rms.
    """
    model = open_facial_gan((tuned_run if tuned else base) / "best.pt")
    clip = load_clips(dataset, split="test", identity="person-1").clips[0]
    motion = model.generate(clip.audio, initial=clip, smooth=tuned)
    np.testing.assert_allclose(motion[0], clip.motion[0], rtol=1e-5, atol=1e-4)
    state = model.normalisation.normalise_motion(clip)[0]
    first = clip.audio[:WINDOW]
    speech = torch.from_numpy(pad_audio(model.normalisation.normalise_audio(first)))[None]
    with torch.inference_mode():
        alone = model.network(speech, torch.from_numpy(state)[None])[0].numpy()
    miss = np.sqrt(np.mean((alone[0] - state)[EXPRESSION] ** 2))
    assert miss > np.sqrt(np.mean(state[EXPRESSION] ** 2))
    if not tuned:
        scale = model.normalisation.expression_scale
        own = slice(16, clip.num_frames - WINDOW)  # what follows is the next window's
        made = motion[own, EXPRESSION] / scale
        np.testing.assert_allclose(made, alone[own, EXPRESSION], atol=1e-4)


def test_a_person_of_whom_nothing_was_measured_can_be_learnt_all_the_same(
    dataset: Path, base: Path
) -> None:
    """What was filled in stands for the lids, too."""
    recipe = finetune(dataset, base)
    trained, held = choose_clips(recipe)
    clips = tuple(
        dataclasses.replace(clip, valid=np.zeros_like(clip.valid)) for clip in trained.clips
    )
    blind = dataclasses.replace(trained, clips=clips)
    task = FacialTask(recipe, blind, held, distributed=Distributed())
    assert math.isfinite(task.validate()["score"])
    wanted = max(clip.motion[:, AU45.start].max() for clip in clips)
    assert float(task.export()["lids"]["real"].max()) == pytest.approx(wanted)


def test_what_is_held_out_is_never_trained_on(dataset: Path, base: Path) -> None:
    trained, held = choose_clips(finetune(dataset, base))
    assert {clip.identity for clip in (*trained, *held)} == {"person-1"}
    ends = {clip.source: clip.start_frame + clip.num_frames for clip in trained}
    for clip in held:
        assert ends.get(clip.source, 0) + WINDOW <= clip.start_frame or clip.source not in ends
    total = load_clips(dataset, split=None, identity="person-1").num_frames
    assert 0.15 < held.num_frames / total <= 0.2


def test_a_base_model_can_leave_the_held_out_part_alone(dataset: Path, base: Path) -> None:
    _, held = choose_clips(finetune(dataset, base))
    recipe = make_recipe(dataset, identity="person-1", holdout=0.2)
    trained, _ = choose_clips(recipe)
    frames = {
        (c.source, t) for c in held for t in range(c.start_frame, c.start_frame + c.num_frames)
    }
    seen = {
        (c.source, t) for c in trained for t in range(c.start_frame, c.start_frame + c.num_frames)
    }
    assert not frames & seen
    assert "person-0" in {clip.identity for clip in trained}


# --- refusals -----------------------------------------------------------------------------------


def test_a_base_model_of_another_preset_is_refused(
    dataset: Path, base: Path, tmp_path: Path
) -> None:
    with pytest.raises(ToolkitError, match="preset small"):
        train_facial(finetune(dataset, base, preset="paper"), tmp_path)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("layout", "other/v9", "motion layout"),
        ("fps", 25, "frame rate"),
        ("scale", "logit", "scale"),
    ],
)
def test_a_base_model_that_knows_other_data_is_refused(
    name: str, value: object, words: str, dataset: Path, base: Path, tmp_path: Path
) -> None:
    content = load_checkpoint(base / "best.pt")
    content["model"]["contract"][name] = value
    save_checkpoint(tmp_path / "best.pt", content)
    with pytest.raises(ToolkitError, match=words):
        train_facial(finetune(dataset, tmp_path), tmp_path / "run")


def test_a_stranger_is_refused_with_the_names_that_are_known(dataset: Path, base: Path) -> None:
    model = open_facial_gan(base / "best.pt")
    audio = load_clips(dataset, split="test").clips[0].audio
    with pytest.raises(ToolkitError, match="person-0, person-1"):
        model.generate(audio, identity="nobody")
    with pytest.raises(ToolkitError, match="--identity"):
        model.generate(audio)


@pytest.mark.parametrize(
    "changes", [{"preset": "big"}, {"without": "both"}, {"precision": "fp8"}, {"epochs": -1}]
)
def test_settings_that_cannot_be_meant_are_refused(changes: dict[str, Any], dataset: Path) -> None:
    with pytest.raises(ValueError, match=next(iter(changes)).replace("_", "-")):
        make_recipe(dataset, **changes)


# --- presets and weights ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("preset", "general", "tuning"),
    [
        ("paper", (50, 64, 1e-4, 5), (10, 16, 1e-4, 5)),
        ("official", (11, 16, 1e-5, 1), (11, 16, 1e-5, 1)),
    ],
)
def test_a_preset_brings_its_schedule(
    preset: str, general: tuple[float, ...], tuning: tuple[float, ...]
) -> None:
    """Epochs, batch, rate and stride: section 5.1's, and the released code's."""
    more: dict[str, Any] = {"shards": Path("shards"), "preset": preset}
    recipe = FacialRecipe(**more)
    tuned = FinetuneRecipe(**more, base=Path("b.pt"), identity="ann")
    for found, wanted in ((recipe, general), (tuned, tuning)):
        assert (found.epochs, found.batch_size, found.learning_rate, found.stride) == wanted
    assert recipe.window == WINDOW
    assert FacialRecipe(shards=Path("shards")).stride == STRIDE
    asked = FacialRecipe(**more, epochs=3, batch_size=8, learning_rate=0.5, stride=7)
    assert (asked.epochs, asked.batch_size, asked.learning_rate, asked.stride) == (3, 8, 0.5, 7)


def test_the_official_preset_takes_the_weight_of_its_gan_and_no_other() -> None:
    recipe = FacialRecipe(shards=Path("shards"), preset="official", gan_weight=0.5)
    assert recipe.weights.gan == 0.5
    with pytest.raises(ValueError, match=r"official preset has weights of its own.*--gan-weight"):
        FacialRecipe(shards=Path("shards"), preset="official", eye_weight=1.0)
    with pytest.raises(ValueError, match="official preset takes multiples of 32"):
        FacialRecipe(shards=Path("shards"), preset="official", window=100)


def test_every_weight_of_the_paper_is_an_option(dataset: Path) -> None:
    """Each doubles its own terms; that of the steps those of steps."""
    pred = torch.zeros(1, 4, 71)
    target = torch.ones(1, 4, 71) * torch.arange(4)[None, :, None] + 1
    wanted = {
        "expression": {"expression", "expression_motion"},
        "pose": {"pose", "pose_motion"},
        "eye": {"eye", "eye_motion"},
        "state": {"state"},
        "motion": {"expression_motion", "pose_motion", "eye_motion"},
        "gan": set[str](),
    }

    def measure(**changes: float) -> dict[str, torch.Tensor]:
        recipe = make_recipe(dataset, **changes)
        model = create_facial_gan("small", weights=recipe.weights)
        return model.objective.regression(pred, target)

    usual, weights = measure(), dataclasses.asdict(FacialRecipe(shards=dataset).weights)
    assert weights == {
        "expression": 2, "pose": 1, "eye": 5, "state": 10, "motion": 10, "gan": 0.1
    }  # fmt: skip
    for name, names in wanted.items():
        found = measure(**{f"{name}_weight": 2 * weights[name]})
        changed = {term for term in usual if not torch.equal(found[term], usual[term])}
        assert changed == names
        assert all(found[term] == 2 * usual[term] for term in names)


def make_task(recipe: FacialRecipe) -> FacialTask:
    return FacialTask(recipe, *choose_clips(recipe), distributed=Distributed())


def test_networks_see_au45_in_its_own_unit(dataset: Path) -> None:
    """0 to 5, in both presets: ω3 weighs those."""
    for preset in ("small", "official"):
        task = make_task(make_recipe(dataset, preset=preset))
        trained, _ = choose_clips(task._recipe)
        batch = next(iter(task.draw_batches(0, 0)))
        stored = {clip.id: clip.motion for clip in trained}
        name, start = task._windows.ids[int(batch.clip[0])], int(batch.start[0])
        real = stored[name][start : start + WINDOW, 70]
        np.testing.assert_array_equal(batch.motion[0, :, 70], real)


def test_official_trains_on_every_window_but_each_clips_last(dataset: Path) -> None:
    """Of 180 frames starts 0 to 51, where 52 would be the last."""
    task = make_task(make_recipe(dataset, preset="official"))
    trained, _ = choose_clips(task._recipe)
    assert {clip.num_frames for clip in trained} == {180}
    assert len(task._windows) == 52 * len(trained)


@pytest.mark.parametrize(("preset", "is_fresh"), [("small", False), ("official", True)])
def test_official_fine_tunes_with_a_new_discriminator(
    preset: str, is_fresh: bool, dataset: Path, tmp_path: Path
) -> None:
    task = make_task(make_recipe(dataset, preset=preset, seed=1))
    save_checkpoint(
        tmp_path / "best.pt", {"kind": "facial-gan", "recipe": {}, "model": task.export()}
    )
    tuned = make_task(finetune(dataset, tmp_path, preset=preset))
    first, second = (next(iter(t._model.discriminator.parameters())) for t in (task, tuned))
    assert torch.equal(first, second) is not is_fresh
    assert torch.equal(task._model.generator.head.weight, tuned._model.generator.head.weight)


def test_a_base_model_that_divided_au45_is_tuned_and_used_as_it_was_trained(
    dataset: Path, base: Path, tmp_path: Path
) -> None:
    content = load_checkpoint(base / "best.pt")
    audio = np.zeros((9, 29), np.float32)
    now = open_facial_gan(base / "best.pt").generate(audio, identity="person-1")
    del content["model"]["normalisation"]["au45_scale"]
    save_checkpoint(tmp_path / "best.pt", content)
    model = open_facial_gan(tmp_path / "best.pt")
    assert model.normalisation.au45_scale == 5
    before = model.generate(audio, identity="person-1")
    np.testing.assert_allclose(before[:, 70], np.clip(5 * now[:, 70], 0, 5), atol=1e-5)
    task = make_task(finetune(dataset, tmp_path))
    assert task.export()["normalisation"]["au45_scale"] == 5


def test_a_run_begun_in_other_units_is_not_gone_on_with(
    dataset: Path, base: Path, tmp_path: Path
) -> None:
    content = load_checkpoint(base / "last.pt")
    del content["state"]["units"]
    save_checkpoint(tmp_path / "last.pt", content)
    with pytest.raises(ToolkitError, match=r"other units: fine-tune its best\.pt, or train anew"):
        train_facial(make_recipe(dataset), tmp_path, resume=True)


def test_a_model_makes_motion_in_windows_as_long_as_it_was_trained_on(
    dataset: Path, tmp_path: Path
) -> None:
    train_facial(make_recipe(dataset, window=64), tmp_path)
    model = open_facial_gan(tmp_path / "best.pt")
    assert model.window == 64
    lengths = []
    hook = model.network.register_forward_pre_hook(
        lambda module, args: lengths.append(args[0].shape[1] - 15)
    )
    assert model.generate(np.zeros((150, 29)), identity="person-0").shape == (150, 71)
    hook.remove()
    assert lengths == [64, 64, 64]  # from 0, 63 and 86
    with pytest.raises(ToolkitError, match="windows of 64 frames: add --window 64"):
        make_task(finetune(dataset, tmp_path))


def test_speech_of_another_acoustic_model_is_one_clear_error(base: Path, tmp_path: Path) -> None:
    with wave.open(str(tmp_path / "speech.wav"), "wb") as file:
        file.setparams((1, 2, 16000, 16000, "NONE", ""))
        file.writeframes(bytes(32000))
    words = ["generate", "--model", base / "best.pt", "--audio", tmp_path / "speech.wav"]
    result = CliRunner().invoke(main, [*map(str, words), "--out", str(tmp_path / "motion.npz")])
    assert result.exit_code == 1
    assert "deepspeech is" in result.stderr
    assert not (tmp_path / "motion.npz").exists()


# --- scores -------------------------------------------------------------------------------------


def test_the_real_motion_scores_as_itself_and_ridge_better_than_a_constant(
    dataset: Path, base: Path
) -> None:
    found = evaluate_part(str(base / "best.pt"), dataset / "shards", "test")
    scores = {score.method: score for score in found}
    real = scores["real"]
    assert real.expression_error.value == real.mouth_error.value == real.spectrum["mean"] == 0
    assert real.mouth_correlation.value == pytest.approx(1)
    assert real.pose_range == pytest.approx(1)
    assert scores["ridge"].expression_error.high < scores["constant"].expression_error.low
    assert scores["constant"].pose_range < 1e-4
    assert len(scores["model"].by_position) == WINDOW


def forget(base: Path, name: str, out: Path) -> Path:
    """The base model as if it had never seen a person."""
    content = load_checkpoint(base / "best.pt")
    known = content["model"]["normalisation"]
    for table in ("pose_means", "pose_deviations"):
        del known[table][name]
    save_checkpoint(out, content)
    return out


def test_people_whom_the_model_was_not_trained_on_are_marked(
    dataset: Path, base: Path, tmp_path: Path
) -> None:
    """In the table, below it and in JSON; the baselines know them, and the real motion all."""
    model = forget(base, "person-1", tmp_path / "one.pt")
    words = ["evaluate", "motion", "--model", str(model), "--shards", str(dataset / "shards")]
    result = CliRunner().invoke(main, [*words, "--device", "cpu"])
    assert result.exit_code == 0, result.stderr
    rows = [line.split()[:3] for line in result.stdout.splitlines()]
    marked = [row[0] for row in rows if row[1:] == ["person-1,", "unseen"]]
    assert marked == ["model"]
    assert result.stdout.count("unseen") == 1
    assert "Unseen: the model was not trained on person-1; it begins" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 100
    found = json.loads(CliRunner().invoke(main, [*words, "--device", "cpu", "--json"]).stdout)
    assert {score["method"]: score["unseen"] for score in found} == {
        "model": ["person-1"], "constant": [], "ridge": [], "real": [],
    }  # fmt: skip


def test_a_plot_without_classifiers_is_the_error_along_a_window_and_the_table_is_printed(
    dataset: Path, base: Path, tmp_path: Path
) -> None:
    words = ["evaluate", "motion", "--shards", str(dataset / "shards"), "--device", "cpu"]
    plot = tmp_path / "plot.svg"
    result = CliRunner().invoke(
        main, [*words, "--model", str(base / "best.pt"), "--plot", str(plot)]
    )
    assert result.exit_code == 0, result.stderr
    assert "Generated motion beside the real one" in result.stdout
    assert "pose range" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert "nseen" not in result.stdout
    assert plot.read_text().startswith("<?xml")
    assert "frame of the window" in plot.read_text()
    for name in ("plot.mp3", "plot"):
        plot = tmp_path / name
        result = CliRunner().invoke(main, [*words, "--model", "none.pt", "--plot", str(plot)])
        assert result.exit_code == 2
        assert f"{name}: the name must end in .png, .pdf, .svg or .jpg" in result.stderr


# --- several processes --------------------------------------------------------------------------


def _average(rank: int, folder: str) -> None:
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2
    )
    network = nn.Linear(3, 2)
    for number, value in enumerate(network.parameters()):
        value.grad = torch.full_like(value, float(10 * number + rank))
    Distributed(rank, 2).average_gradients(network)
    torch.save([value.grad for value in network.parameters()], f"{folder}/{rank}.pt")
    distributed.destroy_process_group()


def test_processes_share_the_mean_of_their_gradients(tmp_path: Path) -> None:
    multiprocessing.spawn(_average, (str(tmp_path),), nprocs=2)
    for rank in (0, 1):
        weight, bias = torch.load(tmp_path / f"{rank}.pt")
        assert torch.equal(weight, torch.full((2, 3), 0.5))
        assert torch.equal(bias, torch.full((2,), 10.5))
