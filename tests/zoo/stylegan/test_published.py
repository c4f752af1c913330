"""Published weights: every tensor by rule, files in each layout, what is refused."""

from pathlib import Path

import pytest
import torch
from torch import nn

from tests.published_files import list_shapes
from tests.zoo.stylegan.published import (
    draw_parts,
    list_aligner,
    list_consultant,
    list_e4e,
    write_apart,
    write_whole,
)
from toolkit.errors import ToolkitError
from zoo.stylegan.hfgi import Aligner, Consultant, E4e, _Bottleneck
from zoo.stylegan.prior import open_prior
from zoo.stylegan.published import convert_published
from zoo.training.checkpoint import save_checkpoint


@pytest.mark.parametrize(
    ("network", "shapes", "count"),
    [
        (E4e, list_e4e(), 267_136_704),
        (Aligner, list_aligner(), 596_801),
        (Consultant, list_consultant(), 5_647_344),
    ],
)
def test_the_published_encoders_have_these_tensors(
    network: type[nn.Module], shapes: dict[str, tuple[int, ...]], count: int
) -> None:
    """Names, shapes, and as many parameters as were counted in them."""
    assert list_shapes(network) == shapes
    with torch.device("meta"):
        assert sum(value.numel() for value in network().parameters()) == count


def test_both_layouts_give_the_same_prior(tmp_path: Path) -> None:
    """One file of four networks; three files. Every tensor is where it belongs."""
    parts = write_whole(tmp_path / "ckpt.pt")
    stylegan, hfgi, e4e = write_apart(tmp_path)
    whole = convert_published(None, tmp_path / "ckpt.pt")["model"]["prior"]
    apart = convert_published(stylegan, hfgi, e4e)["model"]["prior"]
    assert whole.keys() == apart.keys()
    assert all(torch.equal(whole[name], apart[name]) for name in whole)
    for part, ours in {
        "decoder": "generator", "encoder": "encoder.encoder", "grid_align": "residuals.aligner",
        "residue": "residuals.encoder",
    }.items():  # fmt: skip
        for name, value in parts[part].items():
            assert torch.equal(whole[f"{ours}.{name}"], value)
    assert torch.equal(whole["encoder.latent_avg"], torch.arange(512.0).expand(18, -1))
    assert len(whole) == sum(map(len, parts.values())) + 1


def test_a_converted_file_opens_as_a_prior_of_1024_px(tmp_path: Path) -> None:
    write_whole(tmp_path / "ckpt.pt")
    save_checkpoint(tmp_path / "prior.pt", convert_published(None, tmp_path / "ckpt.pt"))
    prior = open_prior(tmp_path / "prior.pt")
    assert (prior.size, prior.features, prior.generator.num_styles) == (1024, 512, 18)
    assert prior.encoder.side == 256
    assert not any(value.requires_grad for value in prior.parameters())


def test_stylegan_of_another_size_is_refused_with_the_tensor_and_both_shapes(
    tmp_path: Path,
) -> None:
    write_whole(tmp_path / "ckpt.pt")
    weights = draw_parts()["decoder"]
    weights["convs.9.conv.weight"] = torch.zeros(1).expand(1, 128, 128, 3, 3)
    torch.save({"g_ema": weights}, tmp_path / "half.pt")
    text = r"half.pt: .* generator.convs.9.conv.weight is \(1, 128, .*, not \(1, 256, 256"
    with pytest.raises(ToolkitError, match=text):
        convert_published(tmp_path / "half.pt", tmp_path / "ckpt.pt")


def test_what_a_file_lacks_is_named(tmp_path: Path) -> None:
    stylegan, hfgi, e4e = write_apart(tmp_path)
    with pytest.raises(ToolkitError, match=r"hfgi.pth: .* lacks encoder.latent_avg"):
        convert_published(stylegan, hfgi)
    with pytest.raises(ToolkitError, match=r"hfgi.pth: .* lacks generator"):
        convert_published(None, hfgi, e4e)
    with pytest.raises(ToolkitError, match=r"stylegan.pth: .* has no aligner"):
        convert_published(None, stylegan)


def test_a_block_of_the_published_encoders_adds_what_went_in() -> None:
    """With its last norm at zero what comes out is every second pixel of what went in."""
    block = _Bottleneck(4, 4, 2).eval()
    nn.init.zeros_(block.res_layer[4].weight)
    x = torch.randn(1, 4, 6, 6)
    assert torch.equal(block(x), x[:, :, ::2, ::2])
