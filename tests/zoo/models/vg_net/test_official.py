"""Checkpoints of the released generator's layout, written here: the authors' was not at hand."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner
from torch import Tensor, nn

import zoo.cli
from toolkit.errors import ToolkitError
from zoo.models.vg_net.model import open_vg_net
from zoo.models.vg_net.networks import VGNet, create_vg_net
from zoo.models.vg_net.official import convert_official
from zoo.training.checkpoint import save_checkpoint


@pytest.fixture(scope="module", name="network")
def _network() -> VGNet:
    """Of numbers that differ everywhere."""
    torch.manual_seed(0)
    network = create_vg_net("paper").eval()
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.running_mean, 0, 0.1)
            nn.init.uniform_(layer.running_var, 0.5, 2.0)
            nn.init.normal_(layer.bias, 0, 0.1)
    return network


def list_released(network: VGNet) -> Iterator[tuple[str, nn.Module, dict[str, Tensor]]]:
    """(name, our layer, its tensors) in the order of the published sizes, gates one by one."""
    number = 0
    for name, layer in network.named_modules():
        state = dict(layer.state_dict())
        if name == "recurrent.gates":
            update, reset = ({k: v.chunk(2)[i] for k, v in state.items()} for i in range(2))
            yield "rnn.cell0.reset_gate", layer, reset
            yield "rnn.cell0.update_gate", layer, update
        elif name == "recurrent.candidate":
            yield "rnn.cell0.out_gate", layer, state
        elif isinstance(layer, nn.Conv2d | nn.ConvTranspose2d | nn.Linear | nn.BatchNorm2d):
            yield f"part{number}.0", layer, state
            number += 1


def write_released(
    network: VGNet, *, counters: bool = True, all_biases: bool = False
) -> dict[str, Tensor]:
    """A state dict; with all biases what a norm takes away is added to its mean."""
    released, spare = {}, 0.0
    for name, layer, state in list_released(network):
        tensors = {k: v.clone() for k, v in state.items() if counters or "num_" not in k}
        if isinstance(layer, nn.BatchNorm2d):
            tensors["running_mean"] += spare
        elif all_biases and "bias" not in tensors:
            width = layer.out_channels  # type: ignore[union-attr]
            spare = tensors["bias"] = torch.linspace(-0.3, 0.3, int(width))
        else:
            spare = 0.0
        released |= {f"module.{name}.{entry}": value for entry, value in tensors.items()}
    return released


@torch.inference_mode()
def test_released_checkpoints_draw_as_they_did(network: VGNet, tmp_path: Path) -> None:
    """Of 206 tensors: all biases, norms without counters."""
    released = write_released(network, counters=False, all_biases=True)
    assert len(released) == 206
    save_checkpoint(tmp_path / "generator_23.pth", released)
    words = ["convert", "atvg-official", str(tmp_path / "generator_23.pth")]
    words += ["--out", str(tmp_path / "vg.pt")]
    result = CliRunner().invoke(zoo.cli.main, words)
    assert result.exit_code == 0, result.output
    assert "the VG-net of" in result.stdout
    result = CliRunner().invoke(zoo.cli.main, [*words, "--mean", "mean.npy"])
    assert result.exit_code == 2
    assert "is of VG-net, which has none" in result.stderr
    model = open_vg_net(tmp_path / "vg.pt")
    torch.manual_seed(1)
    inputs = torch.rand(1, 3, 128, 128), torch.randn(1, 136), torch.randn(1, 2, 136)
    assert torch.allclose(model.network(*inputs), network(*inputs), atol=1e-3)
    assert (model.preset, model.margin) == ("paper", 1.28)


def test_biases_and_counters_may_be_left_out(network: VGNet, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "generator.pth", write_released(network))
    state = convert_official(tmp_path / "generator.pth")["model"]["generator"]
    expected = network.state_dict()
    assert state.keys() == expected.keys()
    assert all(torch.equal(state[name], expected[name]) for name in expected)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("update_gate", "gate_1", "one must be named update and one reset"),
        ("module.part0.0.weight", "part0.0.weight", r"no state dict with names of module\.…"),
        ("module.part0.0.weight", "module.part0.0.kernel", r"part0\.0 has no weight"),
        ("running_var", "deviation", r"part1\.0 has no running_var"),
    ],
)
def test_another_layout_is_refused_in_a_line(
    network: VGNet, tmp_path: Path, old: str, new: str, message: str
) -> None:
    released = {name.replace(old, new): value for name, value in write_released(network).items()}
    save_checkpoint(tmp_path / "x.pth", released)
    with pytest.raises(ToolkitError, match=message) as error:
        convert_official(tmp_path / "x.pth")
    assert "\n" not in str(error.value)


def test_layers_that_are_too_many_are_refused(network: VGNet, tmp_path: Path) -> None:
    released = write_released(network) | {"module.more.weight": torch.zeros(3)}
    save_checkpoint(tmp_path / "x.pth", released)
    with pytest.raises(ToolkitError, match="it has 71 layers, not 70"):
        convert_official(tmp_path / "x.pth")


def test_layers_of_other_shapes_are_refused(network: VGNet, tmp_path: Path) -> None:
    released = write_released(network)
    released["module.part2.0.weight"] = torch.zeros(64, 32, 3, 3)
    save_checkpoint(tmp_path / "x.pth", released)
    with pytest.raises(ToolkitError, match=r"part2\.0\.weight is \(64, 32, 3, 3\), not \(64, 64"):
        convert_official(tmp_path / "x.pth")
