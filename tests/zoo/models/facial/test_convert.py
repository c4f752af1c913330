"""Checkpoints of the released FACIAL code: read by name, run as there, and refused elsewhere.

The names, shapes and the forward pass below are written down apart from the code under test.
"""

import dataclasses
import pickle
import re
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from torch.nn import functional

from tests.networks import save_model
from tests.numbered import find_real
from toolkit.errors import ToolkitError
from toolkit.facemodel.official import OFFICIAL_LAYOUT
from zoo.cli import main
from zoo.data.contract import Contract
from zoo.data.layout import MOTION_LAYOUT
from zoo.models.facial.convert import OFFICIAL_CONTRACT, convert_official
from zoo.models.facial.official import OfficialGenerator
from zoo.training.checkpoint import load_checkpoint, save_checkpoint

Numbers = dict[str, torch.Tensor]

LEVEL_2, LEVEL_3 = "model.model.1.model.3.model", "model.model.1.model.3.model.3.model"
LEVEL_4 = f"{LEVEL_3}.3.model"

LAYERS = {
    "conv11": (32, 1, 4, 4),
    "conv21": (128, 32, 4, 4),
    "conv31": (256, 128, 4, 4),
    "conv41": (256, 256, 3, 1),
    "conv42": (256, 327, 3),
    "conv52": (256, 256, 3),
    "conv62": (32, 256, 3),
    "G1.conv1.0": (32, 29, 3, 1),
    "G1.conv2.0": (32, 32, 3, 1),
    "G1.conv3.0": (64, 32, 3, 1),
    "G1.conv4.0": (64, 64, 3, 1),
    "G1.fc1": (32, 64),
    "G1.fc2": (71, 64),
    "model.model.3": (512, 256, 4),
}
"""Name -> shape of the weight, with a bias; the last is transposed."""

BARE = {
    "model.model.0": (256, 256, 4),
    "model.model.1.model.1": (256, 256, 4),
    "model.model.1.model.5": (512, 256, 4),
    f"{LEVEL_2}.1": (512, 256, 4),
    f"{LEVEL_2}.5": (1024, 256, 4),
    f"{LEVEL_3}.1": (512, 512, 4),
    f"{LEVEL_3}.5": (1024, 512, 4),
    f"{LEVEL_4}.1": (512, 512, 4),
    f"{LEVEL_4}.3": (512, 512, 4),
}
"""The same without a bias: 5, 5, 5 and 3 are transposed."""

NORMS = {
    "bn11": 32,
    "bn21": 128,
    "bn31": 256,
    "bn41": 256,
    "bn42": 256,
    "bn52": 256,
    "G1.conv1.2": 32,
    "G1.conv2.2": 32,
    "G1.conv3.2": 64,
    "G1.conv4.2": 64,
    "G1.bn1": 32,
    "model.model.1.model.2": 256,
    "model.model.1.model.6": 256,
    f"{LEVEL_2}.2": 512,
    f"{LEVEL_2}.6": 256,
    f"{LEVEL_3}.2": 512,
    f"{LEVEL_3}.6": 512,
    f"{LEVEL_4}.4": 512,
}


def draw_checkpoint() -> Numbers:
    """Numbers that keep activations near 1."""
    generator = torch.Generator().manual_seed(0)
    numbers: Numbers = OrderedDict()
    for name, shape in {**LAYERS, **BARE}.items():
        fan = torch.Size(shape[1:]).numel()
        numbers[f"{name}.weight"] = torch.randn(shape, generator=generator) * fan**-0.5
    for name, shape in LAYERS.items():
        size = 256 if name == "model.model.3" else shape[0]
        numbers[f"{name}.bias"] = 0.1 * torch.randn(size, generator=generator)
    for name, size in NORMS.items():
        for key in ("weight", "running_var"):
            numbers[f"{name}.{key}"] = 0.5 + torch.rand(size, generator=generator)
        for key in ("bias", "running_mean"):
            numbers[f"{name}.{key}"] = 0.2 * torch.randn(size, generator=generator)
        numbers[f"{name}.num_batches_tracked"] = torch.tensor(7)
    return numbers


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A file as the released code saves one."""
    path = tmp_path / "Gen-20.mdl"
    torch.save(draw_checkpoint(), path)
    return path


# --- the released network, by its own names -----------------------------------------------------


def norm(x: torch.Tensor, numbers: Numbers, name: str) -> torch.Tensor:
    """Batch normalisation in evaluation."""
    keys = ("running_mean", "running_var", "weight", "bias")
    return functional.batch_norm(x, *(numbers[f"{name}.{key}"] for key in keys))


def run_unet(x: torch.Tensor, numbers: Numbers, level: int, prefix: str) -> torch.Tensor:
    """One level around the next: down, what is inside, up."""
    conv, deep, up, up_norm = (0, 1, 3, 0) if level == 0 else (1, 3, 5, 6)
    if level == 4:
        up, up_norm = 3, 4
    y = x if level == 0 else functional.leaky_relu(x, 0.2)
    y = functional.conv1d(y, numbers[f"{prefix}.{conv}.weight"], stride=2, padding=1)
    if 0 < level < 4:
        y = norm(y, numbers, f"{prefix}.2")
    if level < 4:
        y = run_unet(y, numbers, level + 1, f"{prefix}.{deep}.model")
    weight, bias = numbers[f"{prefix}.{up}.weight"], numbers.get(f"{prefix}.{up}.bias")
    y = functional.conv_transpose1d(functional.relu(y), weight, bias, stride=2, padding=1)
    if level == 0:
        return torch.tanh(y)
    return torch.cat([x, norm(y, numbers, f"{prefix}.{up_norm}")], dim=1)


def run_released(numbers: Numbers, audio: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
    """(B, 128, 71) from (B, 143, 29) and (B, 71), one frame after the other."""

    def layer(x: torch.Tensor, name: str, function: Any, **options: Any) -> torch.Tensor:
        result: torch.Tensor = function(
            x, numbers[f"{name}.weight"], numbers[f"{name}.bias"], **options
        )
        return result

    x = audio[:, None, 8:136]
    for number, stride, padding in ((11, 2, 2), (21, 2, 2), (31, 1, 2), (41, 1, 1)):
        options = {"stride": stride, "padding": (padding, 0)}
        x = layer(x, f"conv{number}", functional.conv2d, **options)
        x = functional.leaky_relu(norm(x, numbers, f"bn{number}"), 0.01)
    x = x.reshape(len(x), 256, 68, 1)
    x = functional.interpolate(x, size=(128, 1), mode="bilinear", align_corners=True)[..., 0]
    x = run_unet(x, numbers, 0, "model.model")
    x = torch.cat([x, state[:, :, None].repeat(1, 1, 128)], dim=1)
    for number in (42, 52):
        x = layer(x, f"conv{number}", functional.conv1d, padding=1)
        x = functional.leaky_relu(norm(x, numbers, f"bn{number}"), 0.01)
    z = layer(x, "conv62", functional.conv1d, padding=1)
    frames = []
    for t in range(128):
        y = audio[:, t : t + 16].transpose(1, 2)[..., None]
        for index in (1, 2, 3, 4):
            options = {"stride": (2, 1), "padding": (1, 0)}
            y = functional.relu(layer(y, f"G1.conv{index}.0", functional.conv2d, **options))
            y = norm(y, numbers, f"G1.conv{index}.2")
        y = torch.tanh(layer(y[:, :, 0, 0], "G1.fc1", functional.linear))
        y = torch.cat([norm(y, numbers, "G1.bn1"), z[:, :, t]], dim=1)
        frames.append(layer(y, "G1.fc2", functional.linear))
    return torch.stack(frames, dim=1)


def test_a_converted_network_computes_what_the_released_one_does(checkpoint: Path) -> None:
    """Every number finds its place: two layers of one shape swapped would show."""
    generator = OfficialGenerator()
    generator.load_state_dict(convert_official(checkpoint)["model"]["generator"])
    generator.eval()
    seed = torch.Generator().manual_seed(1)
    audio, state = torch.randn(2, 143, 29, generator=seed), torch.randn(2, 71, generator=seed)
    with torch.no_grad():
        found = generator(audio, state)
        wanted = run_released(draw_checkpoint(), audio, state)
    assert wanted.std() > 0.1
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


def test_every_number_of_the_checkpoint_is_used(checkpoint: Path) -> None:
    """As many as the released network has parameters and statistics."""
    numbers = convert_official(checkpoint)["model"]["generator"]
    assert len(numbers) == len(draw_checkpoint()) == 127
    wanted = sum(value.double().sum() for value in draw_checkpoint().values())
    found = sum(value.double().sum() for value in numbers.values())
    assert found.item() == pytest.approx(wanted.item())


def test_a_converted_checkpoint_is_one_of_the_zoo(checkpoint: Path, tmp_path: Path) -> None:
    """Plain data, with what it may be fed with."""
    save_checkpoint(tmp_path / "converted.pt", convert_official(checkpoint))
    content = load_checkpoint(tmp_path / "converted.pt", "facial-gan")
    assert content["recipe"]["preset"] == content["model"]["preset"] == "official"
    assert Contract.from_state(content["model"]["contract"]) == OFFICIAL_CONTRACT


# --- refusals -----------------------------------------------------------------------------------


def test_the_discriminators_file_is_refused(tmp_path: Path) -> None:
    """It has names of its own."""
    torch.save({"model.0.weight": torch.zeros(64, 1, 3, 3)}, tmp_path / "Dis-20.mdl")
    with pytest.raises(
        ToolkitError, match=r"Dis-20.mdl: not a generator .* holds model\.0\.weight"
    ):
        convert_official(tmp_path / "Dis-20.mdl")


def test_a_missing_layer_is_named(tmp_path: Path) -> None:
    """The first of them."""
    numbers = draw_checkpoint()
    del numbers["conv62.bias"]
    torch.save(numbers, tmp_path / "Gen.mdl")
    with pytest.raises(ToolkitError, match=r"lacks conv62\.bias"):
        convert_official(tmp_path / "Gen.mdl")


def test_a_layer_of_another_shape_is_named_with_both(tmp_path: Path) -> None:
    """As of a model with other features."""
    numbers = draw_checkpoint() | {"G1.conv1.0.weight": torch.zeros(32, 26, 3, 1)}
    torch.save(numbers, tmp_path / "Gen.mdl")
    with pytest.raises(
        ToolkitError, match=r"G1\.conv1\.0\.weight is \(32, 26, 3, 1\), not \(32, 29"
    ):
        convert_official(tmp_path / "Gen.mdl")


def test_something_else_than_a_tensor_is_named(tmp_path: Path) -> None:
    """By its type."""
    torch.save(draw_checkpoint() | {"conv11.bias": "none"}, tmp_path / "Gen.mdl")
    with pytest.raises(ToolkitError, match=r"conv11\.bias is str"):
        convert_official(tmp_path / "Gen.mdl")


def test_something_else_than_a_state_dict_is_refused(tmp_path: Path) -> None:
    """A list of tensors."""
    torch.save([torch.zeros(3)], tmp_path / "Gen.mdl")
    with pytest.raises(ToolkitError, match="no state dict but list"):
        convert_official(tmp_path / "Gen.mdl")


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_nothing_in_a_checkpoint_is_executed(tmp_path: Path) -> None:
    """It comes from the network."""
    trap = tmp_path / "touched"
    (tmp_path / "Gen.mdl").write_bytes(pickle.dumps(Trap(trap), protocol=2))
    torch.save({"conv11.weight": Trap(trap)}, tmp_path / "Gen-2.mdl")
    for name in ("Gen.mdl", "Gen-2.mdl"):
        with pytest.raises(ToolkitError, match=name):
            convert_official(tmp_path / name)
    assert not trap.exists()


# --- motion from logits -------------------------------------------------------------------------


def convert(checkpoint: Path) -> Path:
    """The zoo's checkpoint of it, beside it."""
    save_checkpoint(checkpoint.with_name("c.pt"), convert_official(checkpoint))
    return checkpoint.with_name("c.pt")


def generate(model: Path, *words: object) -> Result:
    out = model.with_name("motion.npz")
    return CliRunner().invoke(
        main, ["generate", "--model", str(model), "--out", str(out), *map(str, words)]
    )


def test_a_converted_model_makes_motion_of_raw_logits(checkpoint: Path) -> None:
    """Of 128 frames what the released network does, from a state of zeros, zeros around them."""
    model = convert(checkpoint)
    logits = np.random.default_rng(0).normal(0, 9, (128, 29)).astype(np.float32)
    np.save(checkpoint.with_name("s.npy"), logits)
    result = generate(model, "--scores", checkpoint.with_name("s.npy"))
    assert result.exit_code == 0, result.stderr
    audio = torch.from_numpy(np.pad(logits, ((8, 7), (0, 0))))[None]
    wanted = run_released(draw_checkpoint(), audio, torch.zeros(1, 71))[0].numpy()
    with np.load(model.with_name("motion.npz")) as file:
        np.testing.assert_allclose(file["pose"], wanted[:, :6], atol=1e-4)
        np.testing.assert_allclose(file["au45"], wanted[:, 6].clip(0, 5), atol=1e-4)
        np.testing.assert_allclose(file["expression"], wanted[:, 7:], atol=1e-4)
        assert str(file["layout"]) == OFFICIAL_LAYOUT
        assert "less a clip's mean" in dict(file["units"].tolist())["pose"]


def test_the_pose_gets_the_mean_and_the_deviation_of_a_clip(checkpoint: Path) -> None:
    """Whose motion the released code stored: its first six numbers are the pose."""
    model, folder = convert(checkpoint), checkpoint.parent
    np.save(folder / "s.npy", np.random.default_rng(0).normal(0, 9, (50, 29)))
    like = np.zeros((2, 71))
    like[:, 0], like[:, 3] = [1, 5], [168, 172]  # means 3 and 170, deviations 2
    np.save(folder / "like.npy", like)
    poses = []
    for words in ((), ("--pose-like", folder / "like.npy")):
        assert generate(model, "--scores", folder / "s.npy", *words).exit_code == 0
        with np.load(folder / "motion.npz") as file:
            poses.append(file["pose"])
            unit = dict(file["units"].tolist())["pose"]
    np.testing.assert_allclose(poses[1][:, [0, 3]], poses[0][:, [0, 3]] * 2 + [3, 170], rtol=1e-5)
    np.testing.assert_array_equal(poses[1][:, [1, 2, 4, 5]], 0)
    assert unit.startswith("rx, ry, rz: deg; s: px/dm")


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((9, 16, 29)), r"logits of shape \(9, 16, 29\), not \(n, 29\)"),
        (np.zeros((0, 29)), r"logits of shape \(0, 29\)"),
        (np.full((9, 29), np.nan), "logits that are NaN"),
        (np.array(["a"]), "no .npy file of numbers"),
    ],
)
def test_what_are_no_logits_is_refused(array: Any, message: str, checkpoint: Path) -> None:
    np.save(checkpoint.with_name("s.npy"), array)
    result = generate(convert(checkpoint), "--scores", checkpoint.with_name("s.npy"))
    assert result.exit_code == 1
    assert re.search(message, result.stderr)


def test_each_kind_of_model_names_what_it_takes(checkpoint: Path) -> None:
    """A recording for a converted one, logits for one of the zoo."""
    folder = checkpoint.parent
    np.save(folder / "s.npy", np.zeros((9, 29)))
    result = generate(convert(checkpoint), "--audio", folder / "speech.wav")
    assert "takes raw logits of DeepSpeech 0.1.0, no recording" in result.stderr
    result = generate(save_model(folder / "own.pt", "ann"), "--scores", folder / "s.npy")
    assert "this one takes log_prob" in result.stderr
    assert result.exit_code == 1


@pytest.mark.real
def test_the_released_sample_has_the_shapes_and_units_that_a_converted_model_takes(
    checkpoint: Path,
) -> None:
    """Real logits of 731 frames, and the authors' motion of them; their weights are not here."""
    logits = find_real("reference/facial/obama2_deepspeech_logits.npy")
    motion = find_real("reference/facial/obama2_motion.npy")
    poses = []
    for words in ((), ("--pose-like", motion)):
        result = generate(convert(checkpoint), "--scores", logits, *words)
        assert result.exit_code == 0, result.stderr
        with np.load(checkpoint.with_name("motion.npz")) as file:
            assert file["expression"].shape == (731, 64)
            poses.append(file["pose"])
    real = np.load(motion)
    assert real.shape == (731, 71)
    assert np.abs(real[:, :3]).max() < 12  # degrees
    assert 160 < real[:, 3].min() <= real[:, 3].max() < 180  # px/dm
    assert real[:, 6].max() == pytest.approx(1.79, abs=0.01)  # AU45
    back = (poses[1] - real[:, :6].mean(axis=0)) / real[:, :6].std(axis=0)
    np.testing.assert_allclose(back, poses[0], atol=1e-3)


OURS = Contract(
    layout=MOTION_LAYOUT, fps=30, scale="log_prob", backends={"deepspeech": "small 1 abc"}
)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"scale": "log_prob"}, "scale of the audio is log_prob.* trained with logit"),
        ({"layout": MOTION_LAYOUT}, f"motion layout is {MOTION_LAYOUT}.* with {OFFICIAL_LAYOUT}"),
        ({"fps": 25}, "frame rate is 25.* trained with 30"),
        ({"backends": {"deepspeech": "small"}}, "deepspeech is small.* Mozilla DeepSpeech 0.1.0"),
    ],
)
def test_a_converted_model_refuses_what_it_was_not_trained_on(
    changes: dict[str, Any], message: str
) -> None:
    """Log-probabilities, the toolkit's motion, another rate, another network's logits."""
    other = dataclasses.replace(OFFICIAL_CONTRACT, **changes)
    with pytest.raises(ToolkitError, match=f"shards: {message}"):
        OFFICIAL_CONTRACT.refuse_others(other, "shards")


def test_a_model_takes_data_of_its_own_kind() -> None:
    """Whole, or the sound alone; a feature that it does not know is none of its business."""
    contract = dataclasses.replace(OURS, backends={**OURS.backends, "pose": "mesh 1"})
    contract.refuse_others(contract, "shards")
    contract.refuse_others(OURS, "speech.wav")
    OURS.refuse_others(contract, "shards")


def test_a_contract_survives_a_checkpoint(tmp_path: Path) -> None:
    """Text and numbers alone."""
    save_checkpoint(tmp_path / "last.pt", {"kind": "x", "contract": OURS.to_state()})
    assert Contract.from_state(load_checkpoint(tmp_path / "last.pt")["contract"]) == OURS
