"""The prior: what an inversion is, what an edit keeps, how F is made better, its checkpoints."""

import itertools
from pathlib import Path

import pytest
import torch

from toolkit.errors import ToolkitError
from zoo.stylegan.optimise import optimise_maps
from zoo.stylegan.prior import KIND, Prior, open_prior
from zoo.stylegan.sizes import PriorSizes
from zoo.training.checkpoint import save_checkpoint

TINY = PriorSizes(generator=(8, 8, 8, 6, 4, 4), encoder=(4, 4, 8, 8, 8), mapping=1)


def make_prior() -> Prior:
    """One whose encoder of residuals does something: a new one leaves the maps as they are."""
    torch.manual_seed(0)
    prior = Prior(TINY).requires_grad_(False)
    prior.residuals.leave.weight.normal_()
    return prior


def draw_pictures(side: int = 128) -> torch.Tensor:
    y, x = torch.meshgrid(torch.linspace(-1, 1, side), torch.linspace(-1, 1, side), indexing="ij")
    return torch.stack([x, y, x * y]).repeat(2, 1, 1, 1)


def test_a_new_prior_gives_one_picture_by_w_alone_and_with_f() -> None:
    torch.manual_seed(0)
    coarse, fine = Prior(TINY)(draw_pictures()).unbind(1)
    assert coarse.shape == (2, 3, 128, 128)
    assert torch.equal(coarse, fine)


def test_an_inversion_holds_all_that_a_picture_is_drawn_from() -> None:
    prior = make_prior()
    pictures = draw_pictures()
    coarse, fine = prior(pictures).unbind(1)
    found = prior.invert(pictures)
    assert torch.equal(prior.reconstruct(found), fine)
    assert torch.equal(prior.synthesize(found.styles), coarse)
    assert torch.equal(prior.synthesize(found.styles, at_64=lambda maps: found.maps), fine)
    assert not torch.equal(coarse, fine)
    assert found.maps.shape == (2, prior.features, 64, 64)


def test_what_w_leaves_out_scales_and_shifts_the_maps() -> None:
    """By the difference between the picture and the one by w+ alone."""
    prior = make_prior()
    pictures = draw_pictures()
    found = prior.invert(pictures)
    residual = pictures - prior.synthesize(found.styles).clamp(-1, 1)
    scale, shift = prior.residuals(residual, pictures)
    expected = prior.generator.begin(found.styles).maps * (1 + scale) + shift
    torch.testing.assert_close(found.maps, expected)


def test_an_edit_keeps_what_w_left_out_of_the_picture() -> None:
    prior = make_prior()
    pictures = draw_pictures()
    plain = prior.invert(pictures)
    same = prior.invert(pictures, lambda styles: styles + 0)
    assert torch.equal(same.maps, plain.maps)
    edited = prior.invert(pictures, lambda styles: styles + 0.5)
    assert torch.equal(edited.styles, plain.styles + 0.5)
    residual = pictures - prior.synthesize(plain.styles).clamp(-1, 1)
    scale, shift = prior.residuals(residual, pictures)
    expected = prior.generator.begin(edited.styles).maps * (1 + scale) + shift
    torch.testing.assert_close(edited.maps, expected)


def test_pictures_of_any_size_are_brought_to_the_encoders() -> None:
    """A picture of twice the size, each pixel four times, is the same picture."""
    prior = make_prior()
    small = draw_pictures()
    large = small.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    torch.testing.assert_close(prior.invert(large).maps, prior.invert(small).maps)
    assert prior.invert(draw_pictures(100)).styles.shape == (2, 12, 512)


def test_optimising_f_brings_the_picture_nearer_and_moves_nothing_else() -> None:
    prior = make_prior()
    before = {name: value.clone() for name, value in prior.state_dict().items()}
    pictures = draw_pictures()
    found = prior.invert(pictures)
    kept, losses = found.maps.clone(), list[float]()
    better = optimise_maps(prior, found, pictures, steps=12, on_step=losses.append)
    assert len(losses) == 12
    assert all(later < sooner for sooner, later in itertools.pairwise(losses))
    away = [(prior.reconstruct(x) - pictures).square().mean() for x in (found, better)]
    assert losses[0] == pytest.approx(float(away[0]))
    assert away[1] < away[0]
    assert torch.equal(better.styles, found.styles)
    assert torch.equal(found.maps, kept)
    assert all(torch.equal(before[name], value) for name, value in prior.state_dict().items())


def test_a_further_distance_is_added_to_the_error() -> None:
    prior = make_prior()
    pictures = draw_pictures()
    losses = list[float]()
    for distance in (None, lambda pred, target: (pred - pred).sum() + 7):
        optimise_maps(
            prior, prior.invert(pictures), pictures, distance=distance, steps=1,
            on_step=losses.append,
        )  # fmt: skip
    assert losses[1] - losses[0] == pytest.approx(7, rel=1e-5)


def write_prior(path: Path, sizes: PriorSizes, prior: Prior) -> None:
    model = {"sizes": sizes.to_state(), "prior": prior.state_dict()}
    save_checkpoint(path, {"kind": KIND, "model": model})


def test_a_checkpoint_opens_with_the_same_pictures(tmp_path: Path) -> None:
    """To float32's rounding: the memory of what is opened has another order, and so have sums."""
    prior = make_prior()
    write_prior(tmp_path / "best.pt", TINY, prior)
    opened = open_prior(tmp_path / "best.pt")
    torch.testing.assert_close(opened(draw_pictures()), prior(draw_pictures()), rtol=0, atol=1e-4)
    assert not opened.training
    assert not any(value.requires_grad for value in opened.parameters())


def test_weights_of_another_size_are_refused(tmp_path: Path) -> None:
    other = PriorSizes(generator=(8, 8, 8, 6, 6, 4), encoder=TINY.encoder, mapping=1)
    write_prior(tmp_path / "best.pt", other, make_prior())
    with pytest.raises(ToolkitError, match=r"best.pt: its weights do not fit the networks"):
        open_prior(tmp_path / "best.pt")
    save_checkpoint(tmp_path / "other.pt", {"kind": "vg-net", "model": {}})
    with pytest.raises(ToolkitError, match="a checkpoint of vg-net, not of styleheat-prior"):
        open_prior(tmp_path / "other.pt")
