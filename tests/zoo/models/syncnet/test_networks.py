"""The published layout, its weights, and the small network."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from toolkit.errors import ToolkitError
from zoo.models.registry import open_model
from zoo.models.syncnet.losses import matching_loss
from zoo.models.syncnet.networks import SyncNet, create_syncnet


def count(*modules: torch.nn.Module) -> int:
    return sum(value.numel() for module in modules for value in module.parameters())


def test_published_layout_has_its_parameters() -> None:
    """Counted by hand: kernel times inputs times outputs, biases, and two of each batch norm."""
    network = create_syncnet("published")
    sound = 640 + 110_784 + 663_936 + 884_992 + 590_080 + 2_621_952
    faces = 70_656 + 614_656 + 3 * 590_080 + 4_719_104
    head = 262_656 + 2 * 512 + 525_312
    assert count(network.netcnnaud) == sound + 2 * (64 + 192 + 384 + 256 + 256 + 512)
    assert count(network.netcnnlip) == faces + 2 * (96 + 4 * 256 + 512)
    assert count(network.netfcaud) == count(network.netfclip) == head
    assert count(network) == 13_631_616


def test_published_layout_has_its_names() -> None:
    """Those at the ends of each part, as the published file has them."""
    shapes = {name: tuple(v.shape) for name, v in create_syncnet("published").state_dict().items()}
    assert {name.split(".")[0] for name in shapes} == {
        "netcnnaud", "netfcaud", "netcnnlip", "netfclip"
    }  # fmt: skip
    assert shapes["netcnnaud.0.weight"] == (64, 1, 3, 3)
    assert shapes["netcnnaud.18.weight"] == (512, 256, 5, 4)
    assert shapes["netcnnlip.0.weight"] == (96, 3, 5, 7, 7)
    assert shapes["netcnnlip.18.weight"] == (512, 256, 1, 6, 6)
    assert shapes["netfcaud.3.weight"] == shapes["netfclip.3.weight"] == (1024, 512)


@pytest.mark.parametrize(
    ("preset", "channels", "size", "embedding"),
    [("published", 3, 224, 1024), ("small", 1, 48, 128)],
)
def test_windows_become_embeddings(preset: str, channels: int, size: int, embedding: int) -> None:
    """Of pictures and of sound, as long as one another."""
    network = create_syncnet(preset).eval()
    with torch.inference_mode():
        faces = network.embed_faces(torch.rand(1, channels, 5, size, size) * 255)
        sound = network.embed_sound(torch.randn(1, 1, 13, 20))
    assert faces.shape == sound.shape == (1, embedding)


def test_small_network_is_small() -> None:
    """By hand as above; four bytes each are 3.6 MB."""
    sound = 2_560 + 18_528 + 36_992 + 73_920 + 2 * (64 + 96 + 128 + 192)
    faces = 4_032 + 13_872 + 41_568 + 110_720 + 2 * (32 + 48 + 96 + 128)
    heads = 246_016 + 295_168 + 2 * (2 * 256 + 32_896)
    assert count(create_syncnet("small")) == sound + faces + heads == 911_760


def test_small_network_ignores_the_light() -> None:
    """Contrast and brightness of a window are divided out."""
    network = create_syncnet("small").eval()
    faces = torch.rand(2, 1, 5, 48, 48) * 200
    with torch.inference_mode():
        one, other = (network.embed_faces(x) for x in (faces, faces / 2 + 100))
    torch.testing.assert_close(one, other, atol=1e-4, rtol=0)


@pytest.mark.parametrize("suffix", [".model", ".safetensors"])
def test_published_weights_load(tmp_path: Path, suffix: str) -> None:
    """Names and tensors of either kind of file, with and without the counters of batch norms."""
    torch.manual_seed(1)
    weights = create_syncnet("published").state_dict()
    weights = {n: v for n, v in weights.items() if not n.endswith("num_batches_tracked")}
    path = tmp_path / f"syncnet_v2{suffix}"
    save_file(weights, path) if suffix == ".safetensors" else torch.save(weights, path)
    judge = open_model(path, makes="distances")
    assert judge.name == "syncnet_v2 (published)"
    assert judge.is_published
    assert len(judge.sha256) == 64
    for name, value in judge.network.state_dict().items():
        if name in weights:
            assert torch.equal(value, weights[name])


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"netfclip.3.bias": None}, "lacks netfclip.3.bias"),
        ({"head.weight": torch.zeros(1)}, "has an unknown head.weight"),
        ({"netfclip.3.bias": torch.zeros(7)}, "has another shape of netfclip.3.bias"),
    ],
)
def test_other_weights_are_refused(
    tmp_path: Path, changes: dict[str, torch.Tensor | None], text: str
) -> None:
    """With the name of one that is wrong."""
    weights = create_syncnet("published").state_dict() | changes
    path = tmp_path / "other.model"
    torch.save({name: value for name, value in weights.items() if value is not None}, path)
    with pytest.raises(ToolkitError, match=text):
        open_model(path, makes="distances")


def test_a_file_of_anything_else_is_refused(tmp_path: Path) -> None:
    """Nothing in it is run."""
    path = tmp_path / "syncnet_v2.model"
    torch.save(SyncNet, path)
    with pytest.raises(ToolkitError, match="damaged or not a checkpoint"):
        open_model(path, makes="distances")


def test_loss_is_the_cross_entropy_of_squared_distances() -> None:
    """By hand, for two windows: distances² 0 and 4 in step, 1 and 1 crossed, at a scale of 1."""
    faces, sound = torch.tensor([[[0.0], [1.0]]]), torch.tensor([[[0.0], [-1.0]]])
    e = torch.tensor([0.0, -1.0, -1.0, -4.0]).exp()
    rows = [-(e[0] / (e[0] + e[1])).log(), -(e[3] / (e[2] + e[3])).log()]
    expected = sum(rows) / 2  # the same by columns: the table is symmetric
    loss = matching_loss(faces, sound, torch.tensor(1.0))
    torch.testing.assert_close(loss, torch.as_tensor(expected))


def test_loss_compares_no_stretch_with_another() -> None:
    """Two stretches have the mean of their losses, though each fits the other's sound better."""
    torch.manual_seed(0)
    faces, sound, scale = torch.randn(2, 5, 3), torch.randn(2, 5, 3), torch.tensor(2.0)
    alone = [matching_loss(faces[k : k + 1], sound[k : k + 1], scale) for k in range(2)]
    torch.testing.assert_close(matching_loss(faces, sound, scale), torch.stack(alone).mean())
