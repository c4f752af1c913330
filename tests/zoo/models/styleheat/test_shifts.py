"""Shifted pictures: what drives right, left, up and down is learnt, and all of a face moves."""

import torch
from torch import Tensor
from torch.nn import functional

from tests.zoo.models.styleheat.talkers import TINY, TINY_PRIOR
from zoo.models.styleheat.canvas import PriorCanvas, Source
from zoo.models.styleheat.coefficients import CROP
from zoo.models.styleheat.flow import GRID, warp
from zoo.models.styleheat.motion import VideoMotion
from zoo.stylegan.prior import Prior

SHIFTS = torch.tensor([(0.1, 0.0), (-0.1, 0.0), (0.0, 0.1), (0.0, -0.1)])
"""Of the picture's side, right and down."""


def draw_blobs(count: int, side: int) -> Tensor:
    """(count, 3, side, side) smooth pictures, −1 to 1."""
    coarse = torch.randn(count, 3, side // 8, side // 8)
    return functional.interpolate(coarse, (side, side), mode="bicubic").clamp(-1, 1)


def shift(pictures: Tensor, shares: Tensor) -> Tensor:
    """Pictures moved by shares (B, 2) of their side: what is seen there lay the other way."""
    flow = (-shares * GRID)[:, :, None, None].expand(-1, -1, GRID, GRID)
    return warp(pictures, flow)


def test_a_picture_moves_as_a_driver_that_differs_by_a_shift_alone() -> None:
    """All four ways at once, by coefficients of the place of the face: y of these points up."""
    torch.manual_seed(0)
    network = VideoMotion(TINY)
    optimiser = torch.optim.Adam(network.parameters(), 2e-3, (0.5, 0.999))
    picture = draw_blobs(1, TINY.side).expand(4, -1, -1, -1)
    target = shift(picture, SHIFTS)
    windows = torch.zeros(4, 27, 73)
    windows[:, :, CROP.start + 1 : CROP.stop] = (10 * SHIFTS * torch.tensor([1, -1]))[:, None]
    errors = list[float]()
    for _ in range(80):
        flow = network(picture, windows)
        loss = (warp(picture, flow) - target).abs().mean()
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        optimiser.step()
        errors.append(loss.item())
    still = float((picture - target).abs().mean())
    assert errors[0] > 0.9 * still
    assert errors[-1] < 0.35 * still
    found = -flow.detach()[:, :, 16:-16, 16:-16].mean(dim=(2, 3)) / GRID
    torch.testing.assert_close(found, SHIFTS, rtol=0, atol=0.05)


def test_motion_reaches_the_norms_of_a_new_network() -> None:
    """It changes the descriptor by about as much as it varies itself."""
    torch.manual_seed(0)
    network = VideoMotion(TINY).requires_grad_(False)
    windows = torch.zeros(2, 27, 73)
    windows[1] = torch.randn(73)
    descriptors = network.describe(windows)
    assert 0.3 < float(descriptors.diff(dim=0).square().mean().sqrt()) < 3
    norm = network.hourglass.up[0].norm_in
    maps = torch.randn(1, norm.scale.out_features, 8, 8).expand(2, -1, -1, -1)
    moved = norm(maps, descriptors).diff(dim=0)
    assert float(moved.square().mean().sqrt()) > 0.1


def test_colours_of_the_smaller_sizes_move_with_the_maps() -> None:
    """Else a face that the generator draws below 64 px would stay, and be seen twice."""
    torch.manual_seed(0)
    canvas = PriorCanvas(Prior(TINY_PRIOR))
    source: Source = canvas.enter(draw_blobs(1, canvas.size))
    flow = torch.full((1, 2, GRID, GRID), 8.0)
    moved = source.move(flow)
    torch.testing.assert_close(moved.skip[..., :-4, :-4], source.skip[..., 4:, 4:])
    torch.testing.assert_close(moved.maps[..., :-8, :-8], source.maps[..., 8:, 8:])
    assert torch.equal(moved.shown, source.shown)
    still = source.move(torch.zeros(1, 2, GRID, GRID))
    torch.testing.assert_close(canvas.draw(still), source.shown, rtol=0, atol=1e-5)


def test_a_prepared_canvas_draws_as_the_plain_one_within_a_level() -> None:
    torch.manual_seed(0)
    canvas = PriorCanvas(Prior(TINY_PRIOR))
    source = canvas.enter(draw_blobs(1, canvas.size))
    moved = source.repeat(3).move(torch.randn(3, 2, GRID, GRID))
    away = canvas.prepare(source)(moved) - canvas.draw(moved)
    assert float(away.abs().max()) * 127.5 < 1
