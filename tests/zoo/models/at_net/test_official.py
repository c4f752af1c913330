"""Checkpoints of the released AT-net's sizes, written with drawn numbers: 52 tensors, `module.…`.

The released names of layers are not known here: any are read.
"""

import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from torch.nn import functional

from toolkit.errors import ToolkitError
from zoo.cli import main
from zoo.models.at_net.networks import create_at_net
from zoo.models.at_net.official import OFFICIAL_CONTRACT, convert_official
from zoo.models.registry import open_model
from zoo.training.checkpoint import load_checkpoint, save_checkpoint

Numbers = OrderedDict[str, torch.Tensor]

LINEAR = {"a.0": (256, 6), "a.2": (512, 256), "c.0": (2048, 12288), "c.2": (256, 2048)}
CONVOLUTIONS = {
    "b.0.0": (64, 1),
    "b.1.0": (128, 64),
    "b.3.0": (256, 128),
    "b.4.0": (256, 256),
    "b.5.0": (512, 256),
}
HEAD = (6, 256)


def draw_checkpoint() -> Numbers:
    """Numbers that keep activations near 1, in an order as modules are registered."""
    generator = torch.Generator().manual_seed(0)
    numbers: Numbers = OrderedDict()

    def draw(*shape: int, spread: float) -> torch.Tensor:
        return torch.randn(shape, generator=generator) * spread

    def add_linear(name: str, shape: tuple[int, int]) -> None:
        numbers[f"module.{name}.weight"] = draw(*shape, spread=(2 / shape[1]) ** 0.5)
        numbers[f"module.{name}.bias"] = draw(shape[0], spread=0.1)

    for name in ("a.0", "a.2"):
        add_linear(name, LINEAR[name])
    for name, (out, channels) in CONVOLUTIONS.items():
        spread = (2 / (9 * channels)) ** 0.5
        numbers[f"module.{name}.weight"] = draw(out, channels, 3, 3, spread=spread)
        norm = f"module.{name[:-1]}1"
        numbers[f"{norm}.weight"] = 1 + draw(out, spread=0.2)
        numbers[f"{norm}.bias"] = draw(out, spread=0.2)
        numbers[f"{norm}.running_mean"] = draw(out, spread=0.2)
        numbers[f"{norm}.running_var"] = 1 + draw(out, spread=0.2).abs()
        numbers[f"{norm}.num_batches_tracked"] = torch.tensor(7)
    for name in ("c.0", "c.2"):
        add_linear(name, LINEAR[name])
    for layer, width in enumerate((768, 256, 256)):
        for entry, shape in (
            ("weight_ih", (1024, width)),
            ("weight_hh", (1024, 256)),
            ("bias_ih", (1024,)),
            ("bias_hh", (1024,)),
        ):
            numbers[f"module.d.{entry}_l{layer}"] = draw(*shape, spread=0.06)
    add_linear("e.0", HEAD)
    return numbers


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file as the released code saves one."""
    path = tmp_path_factory.mktemp("official") / "atnet_lstm_18.pth"
    torch.save(draw_checkpoint(), path)
    return path


@pytest.fixture
def basis(tmp_path: Path) -> tuple[Path, Path]:
    """Mean and directions of landmarks."""
    rng = np.random.default_rng(1)
    np.save(tmp_path / "mean.npy", rng.normal(0, 0.4, 136))
    np.save(tmp_path / "pcs.npy", np.linalg.qr(rng.normal(size=(136, 20)))[0])
    return tmp_path / "mean.npy", tmp_path / "pcs.npy"


def run_released(numbers: Numbers, windows: torch.Tensor, face: torch.Tensor) -> torch.Tensor:
    """(B, T, 6) by the released names and torch's functions, an LSTM step at a time."""
    n = {name.removeprefix("module."): value for name, value in numbers.items()}

    def linear(x: torch.Tensor, name: str) -> torch.Tensor:
        return functional.relu(functional.linear(x, n[f"{name}.weight"], n[f"{name}.bias"]))

    def convolve(x: torch.Tensor, name: str) -> torch.Tensor:
        x = functional.conv2d(x, n[f"{name}.0.weight"], padding=1)
        keys = ("running_mean", "running_var", "weight", "bias")
        return functional.relu(functional.batch_norm(x, *(n[f"{name}.1.{key}"] for key in keys)))

    seen = linear(linear(face, "a.0"), "a.2")
    states = [[torch.zeros(len(face), 256)] * 2 for _ in range(3)]
    found = []
    for t in range(windows.shape[1]):
        x = convolve(convolve(windows[:, t, None], "b.0"), "b.1")
        x = functional.max_pool2d(x, 3, (1, 2))
        for name in ("b.3", "b.4", "b.5"):
            x = convolve(x, name)
        x = functional.max_pool2d(x, 3, 2).flatten(1)
        x = torch.cat([seen, linear(linear(x, "c.0"), "c.2")], dim=1)
        for layer, (h, c) in enumerate(states):
            gates = functional.linear(x, n[f"d.weight_ih_l{layer}"], n[f"d.bias_ih_l{layer}"])
            gates += functional.linear(h, n[f"d.weight_hh_l{layer}"], n[f"d.bias_hh_l{layer}"])
            i, f, g, o = gates.chunk(4, dim=1)
            cell = f.sigmoid() * c + i.sigmoid() * g.tanh()
            x = o.sigmoid() * cell.tanh()
            states[layer] = [x, cell]
        found.append(functional.linear(x, n["e.0.weight"], n["e.0.bias"]))
    return torch.stack(found, dim=1)


def test_a_converted_network_computes_what_the_released_one_does(checkpoint: Path) -> None:
    """Every number finds its place: two layers of one shape swapped would show."""
    network = create_at_net("paper")
    network.load_state_dict(convert_official(checkpoint)["model"]["network"])
    network.eval()
    torch.manual_seed(1)
    windows, face = torch.randn(2, 3, 28, 12), torch.randn(2, 6)
    with torch.no_grad():
        found = network(windows, face)
        released = run_released(draw_checkpoint(), windows, face)
    assert released.std() > 0.01
    torch.testing.assert_close(found, released, rtol=1e-4, atol=1e-5)


def test_the_written_layout_has_the_released_size() -> None:
    """52 tensors, of which 30,071,750 numbers are parameters."""
    numbers = draw_checkpoint()
    assert len(numbers) == 52
    statistics = ("running_mean", "running_var", "num_batches_tracked")
    parameters = [v.numel() for k, v in numbers.items() if not k.endswith(statistics)]
    assert sum(parameters) == 30_071_750


def test_parts_may_stand_in_any_order_and_under_any_names(checkpoint: Path, tmp_path: Path) -> None:
    """Sound before the face, and other words."""
    numbers = draw_checkpoint()
    names = sorted(numbers, key=lambda name: name.split(".")[1] == "a")
    other = OrderedDict((name.replace("module.", "net.x"), numbers[name]) for name in names)
    torch.save(other, tmp_path / "other.pth")
    found, released = (
        convert_official(path)["model"]["network"] for path in (tmp_path / "other.pth", checkpoint)
    )
    assert all(torch.equal(found[name], released[name]) for name in released)


def run(*words: object) -> Result:
    return CliRunner().invoke(main, ["convert", "atvg-official", *map(str, words)])


def test_the_command_makes_a_checkpoint_that_speaks(
    checkpoint: Path, basis: tuple[Path, Path], tmp_path: Path
) -> None:
    """With the mean and the directions of its landmarks."""
    mean, directions = basis
    words = ("--mean", mean, "--directions", directions, "--out", tmp_path / "at.pt")
    result = run(checkpoint, *words)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"{tmp_path / 'at.pt'}: the AT-net of {checkpoint}\n"
    model = open_model(tmp_path / "at.pt", makes="landmarks", family="at-net")
    assert model.contract == OFFICIAL_CONTRACT
    shape = np.load(mean).reshape(68, 2)
    np.testing.assert_array_equal(model.statistics.mean_shape, shape)
    np.testing.assert_array_equal(model.statistics.pcs, np.load(directions)[:, :6].T)
    windows = np.random.default_rng(2).normal(size=(4, 28, 12))
    found = model.predict(windows, shape * 90 + 100, keep_face=False)
    released = run_released(
        draw_checkpoint(),
        torch.from_numpy(windows).float()[None],
        torch.zeros(1, 6),  # the mean face itself
    )[0].numpy()
    expected = (np.load(mean) + released @ np.load(directions)[:, :6].T).reshape(4, 68, 2)
    np.testing.assert_allclose(found, expected * 90 + 100, atol=0.02)


def test_without_them_weights_alone_come_out(checkpoint: Path, tmp_path: Path) -> None:
    assert run(checkpoint, "--out", tmp_path / "at.pt").exit_code == 0
    content = load_checkpoint(tmp_path / "at.pt", "at-net")
    assert content["recipe"]["preset"] == content["model"]["preset"] == "paper"
    with pytest.raises(ToolkitError, match="convert it again with --mean and --directions"):
        open_model(tmp_path / "at.pt", makes="landmarks")


# --- refusals -----------------------------------------------------------------------------------


def refuse(tmp_path: Path, content: Any, *words: object) -> str:
    """What the command says of a file with this content, in a line."""
    torch.save(content, tmp_path / "x.pth")
    result = run(tmp_path / "x.pth", *words, "--out", tmp_path / "out.pt")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "out.pt").exists()
    return result.stderr


def change(**changes: torch.Tensor | None) -> Numbers:
    """The checkpoint with some tensors changed."""
    numbers = draw_checkpoint()
    numbers.update(
        {f"module.{k.replace('_', '.')}": v for k, v in changes.items() if v is not None}
    )
    return numbers


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"module.x.weight": torch.zeros(3)}, "its 1 entries are not as many as the tensors of "),
        ([torch.zeros(3)], "its 0 entries"),
        ({f"x{k}": torch.zeros(3) for k in range(52)}, "not the released AT-net: it lacks a layer"),
        ({f"x{k}": "text" for k in range(52)}, "no state dict, names with a tensor each"),
    ],
)
def test_another_layout_is_refused_in_a_line(content: Any, message: str, tmp_path: Path) -> None:
    assert message in refuse(tmp_path, content)


def test_a_layer_of_another_shape_is_named(tmp_path: Path) -> None:
    """As of the frame-only network, or of 13 cepstra."""
    found = refuse(tmp_path, change(a_0_weight=torch.zeros(256, 136)))
    assert "it lacks a layer of weight (256, 6)" in found
    found = refuse(tmp_path, change(c_0_weight=torch.zeros(2048, 1024)))
    assert "it lacks a layer of weight (2048, 12288)" in found


def test_a_norm_that_stands_elsewhere_is_refused(tmp_path: Path) -> None:
    """Two have one shape: where they do not follow their convolutions they cannot be told apart."""
    numbers = draw_checkpoint()
    last = [name for name in numbers if name.startswith("module.b.3.1")]
    moved = OrderedDict((k, numbers[k]) for k in [*(k for k in numbers if k not in last), *last])
    assert "lacks a layer of weight (256,)" in refuse(tmp_path, moved)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(135), "not of 136 numbers"),
        (np.full(136, np.nan), "NaN or infinite"),
        (np.array(["a"]), "no .npy file of numbers"),
    ],
)
def test_what_is_no_mean_is_refused(
    array: Any, message: str, basis: tuple[Path, Path], tmp_path: Path
) -> None:
    np.save(tmp_path / "bad.npy", array)
    words = ("--mean", tmp_path / "bad.npy", "--directions", basis[1])
    assert message in refuse(tmp_path, draw_checkpoint(), *words)


def test_an_archive_of_arrays_is_no_mean(basis: tuple[Path, Path], tmp_path: Path) -> None:
    np.savez(tmp_path / "bad.npz", mean=np.zeros(136))
    words = ("--mean", tmp_path / "bad.npz", "--directions", basis[1])
    assert "bad.npz: no .npy file of numbers" in refuse(tmp_path, draw_checkpoint(), *words)


def test_what_are_no_directions_is_refused(basis: tuple[Path, Path], tmp_path: Path) -> None:
    np.save(tmp_path / "bad.npy", np.zeros((136, 5)))
    words = ("--mean", basis[0], "--directions", tmp_path / "bad.npy")
    assert "(136, 5), not (136, 6)" in refuse(tmp_path, draw_checkpoint(), *words)


def test_the_mean_alone_is_a_mistake_of_usage(
    checkpoint: Path, basis: tuple[Path, Path], tmp_path: Path
) -> None:
    result = run(checkpoint, "--mean", basis[0], "--out", tmp_path / "at.pt")
    assert result.exit_code == 2
    assert "--mean and --directions belong together" in result.stderr


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_nothing_in_a_checkpoint_is_executed(tmp_path: Path) -> None:
    trap = tmp_path / "touched"
    (tmp_path / "a.pth").write_bytes(pickle.dumps(Trap(trap), protocol=2))
    assert run(tmp_path / "a.pth", "--out", tmp_path / "out.pt").exit_code == 1
    assert not trap.exists()


def test_a_converted_checkpoint_can_be_stored_again(checkpoint: Path, tmp_path: Path) -> None:
    """Plain data."""
    content = convert_official(checkpoint)
    save_checkpoint(tmp_path / "c.pt", content)
    assert load_checkpoint(tmp_path / "c.pt", "at-net")["model"].keys() == content["model"].keys()
