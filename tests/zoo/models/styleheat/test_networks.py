"""Networks of StyleHEAT: their sizes, and that flows move what they say."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates
from torch import nn

from zoo.models.styleheat.calibration import create_calibration
from zoo.models.styleheat.flow import resize_flow, warp
from zoo.models.styleheat.motion import create_audio_motion, create_video_motion
from zoo.models.styleheat.presets import PRESETS
from zoo.stylegan.discriminator import Discriminator


def count(network: nn.Module) -> int:
    return sum(value.numel() for value in network.parameters())


@pytest.mark.parametrize(
    ("make", "num"),
    [
        (lambda: create_video_motion("paper"), 13_428_802),
        (lambda: create_video_motion("paper").mapping, 721_664),
        (lambda: create_video_motion("paper").hourglass, 12_707_138),
        (lambda: create_audio_motion("paper", mapping="conv"), 13_441_346),
        (lambda: create_calibration("paper"), 30_492_672),
        (lambda: Discriminator(PRESETS["paper"].discriminator), 28_864_129),
    ],
)
def test_networks_of_the_preset_paper_have_the_released_sizes(
    make: Callable[[], nn.Module], num: int
) -> None:
    with torch.device("meta"):
        assert count(make()) == num


def test_another_mapping_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="no mapping 'gru': choose from mlp, conv"):
        create_audio_motion(mapping="gru")


def test_the_perceptron_reads_every_step_and_the_convolutions_reach_over_most() -> None:
    torch.manual_seed(0)
    windows = torch.randn(1, 32, 80, requires_grad=True)
    for mapping in ("mlp", "conv"):
        described = create_audio_motion(mapping=mapping).describe(windows)
        assert described.shape == (1, 256)
        (gradient,) = torch.autograd.grad(described.square().sum(), windows)
        assert (gradient.abs().sum(dim=2) > 0).all()


def test_the_video_generator_takes_mean_and_deviation_off_what_it_reads() -> None:
    torch.manual_seed(0)
    network, windows = create_video_motion(), torch.randn(2, 27, 73)
    plain = network.describe(windows)
    network.mean.fill_(3.0)
    network.deviation.fill_(2.0)
    torch.testing.assert_close(network.describe(2 * windows + 3), plain, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("side", [128, 64])
def test_a_flow_is_64_by_64_and_hardly_any_at_first(side: int) -> None:
    torch.manual_seed(0)
    network = create_video_motion()
    flow = network(torch.rand(1, 3, side, side) * 2 - 1, torch.randn(1, 27, 73))
    assert flow.shape == (1, 2, 64, 64)
    assert 0 < flow.abs().max() < 1


def test_an_untrained_calibration_network_leaves_features_as_they_are() -> None:
    torch.manual_seed(0)
    features = torch.randn(1, 16, 64, 64)
    found = create_calibration(features=16)(features, torch.randn(1, 256))
    torch.testing.assert_close(found, features, rtol=0, atol=0)


def draw_maps(seed: int, height: int, width: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(1, 3, height, width, generator=generator) * 2 - 1


# --- flows --------------------------------------------------------------------------------------


@given(
    height=st.integers(2, 70), width=st.integers(2, 70), side=st.sampled_from([0, 16, 64]),
    seed=st.integers(0, 99),
)  # fmt: skip
@settings(max_examples=20, deadline=None)
def test_a_flow_of_zeros_is_the_identity_to_rounding(
    height: int, width: int, side: int, seed: int
) -> None:
    """Whatever the sizes of both: places are off by 1e-5 px, neighbours differ by up to 8."""
    maps = draw_maps(seed, height, width)
    shape = (side, side) if side else (height, width)
    assert (warp(maps, torch.zeros(1, 2, *shape)) - maps).abs().max() < 1e-4


@pytest.mark.parametrize("size", [4, 64, 256])
def test_a_flow_of_zeros_is_the_identity_at_the_sizes_in_use(size: int) -> None:
    """Those are powers of two, whose grid is exact."""
    maps = draw_maps(0, size, size)
    assert (warp(maps, torch.zeros(1, 2, 64, 64)) - maps).abs().max() < 1e-6


def test_a_flow_of_whole_pixels_shows_what_lies_there() -> None:
    """Right and down; the border is repeated outside."""
    maps = torch.arange(12.0).reshape(1, 1, 3, 4)
    flow = torch.zeros(1, 2, 3, 4)
    flow[:, 0], flow[:, 1] = 2.0, 1.0
    expected = torch.tensor([[6.0, 7, 7, 7], [10, 11, 11, 11], [10, 11, 11, 11]])
    torch.testing.assert_close(warp(maps, flow)[0, 0], expected)


def test_flows_sample_as_scipy_does() -> None:
    rng = np.random.default_rng(0)
    maps, flow = rng.normal(size=(9, 13)), rng.normal(scale=3, size=(2, 9, 13))
    y, x = np.mgrid[:9, :13]
    expected = map_coordinates(maps, [y + flow[1], x + flow[0]], order=1, mode="nearest")
    given_maps, given_flow = (torch.from_numpy(v).float() for v in (maps, flow))
    found = warp(given_maps[None, None], given_flow[None])[0, 0]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_larger_grid_is_moved_by_the_same_share_of_its_side() -> None:
    flow = torch.zeros(1, 2, 64, 64)
    flow[:, 0], flow[:, 1] = 1.5, -2.0
    larger = resize_flow(flow, 128, 256)
    assert larger.shape == (1, 2, 128, 256)
    assert (larger[0, 0] == 6.0).all()
    assert (larger[0, 1] == -4.0).all()
