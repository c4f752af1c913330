"""Layers of StyleGAN2 beside their definitions, computed by SciPy in float64."""

import numpy as np
import pytest
import torch
from scipy.signal import convolve2d, correlate2d

from zoo.stylegan.layers import (
    BLUR,
    Blur,
    ConvLayer,
    EqualConv2d,
    EqualLinear,
    ModulatedConv2d,
    ToRGB,
    Upsample,
)

FILTER = np.outer(BLUR, BLUR) / 64


def draw(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def to_tensor(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(values).float()


def spread_zeros(x: np.ndarray) -> np.ndarray:
    """A row and a column of zeros behind each."""
    found = np.zeros((2 * len(x), 2 * x.shape[1]))
    found[::2, ::2] = x
    return found


def make_weights(layer: ModulatedConv2d, style: np.ndarray) -> np.ndarray:
    """(O, I, k, k) of one picture, as eqs. 1 and 3 have them."""
    weight = layer.weight[0].detach().double().numpy()
    of_style = layer.modulation.weight.detach().double().numpy()
    scales = of_style @ style / np.sqrt(len(style)) + layer.modulation.bias.detach().numpy()
    weight = weight / np.sqrt(np.prod(weight.shape[1:])) * scales[None, :, None, None]
    return weight / np.sqrt(np.square(weight).sum(axis=(1, 2, 3), keepdims=True) + 1e-8)


def test_a_modulated_convolution_is_one_whose_weights_are_scaled_for_each_picture() -> None:
    torch.manual_seed(0)
    layer = ModulatedConv2d(3, 5, 3, 8)
    x, styles = draw(2, 3, 6, 6), draw(2, 8, seed=1)
    found = layer(to_tensor(x), to_tensor(styles)).detach().numpy()
    for number in range(2):
        weights = make_weights(layer, styles[number])
        expected = [
            sum(correlate2d(x[number, i], weights[o, i], "same") for i in range(3))
            for o in range(5)
        ]
        np.testing.assert_allclose(found[number], expected, atol=1e-5)


def test_one_that_enlarges_puts_zeros_between_pixels_and_blurs_behind_its_filter() -> None:
    torch.manual_seed(0)
    layer = ModulatedConv2d(2, 3, 3, 8, upsample=True)
    x, styles = draw(1, 2, 5, 5), draw(1, 8, seed=1)
    weights = make_weights(layer, styles[0])
    found = layer(to_tensor(x), to_tensor(styles))[0].detach().numpy()
    for o in range(3):
        wide = sum(convolve2d(spread_zeros(x[0, i])[:-1, :-1], weights[o, i]) for i in range(2))
        blurred = convolve2d(np.pad(wide, 1), 4 * FILTER, "valid")
        np.testing.assert_allclose(found[o], blurred, atol=1e-5)
    assert found.shape == (3, 10, 10)


def test_colours_are_not_demodulated() -> None:
    torch.manual_seed(0)
    layer = ToRGB(4, 8, upsample=False)
    x, style = torch.randn(1, 4, 3, 3), torch.randn(1, 8)
    scales = layer.conv.modulation(style)[0]
    expected = torch.einsum("oi,i,ihw->ohw", layer.conv.weight[0, :, :, 0, 0] / 2, scales, x[0])
    torch.testing.assert_close(layer(x, style)[0], expected)


def test_a_larger_map_is_the_filter_over_pixels_with_zeros_between() -> None:
    x = draw(5, 5)
    padded = np.pad(spread_zeros(x), ((2, 1), (2, 1)))
    expected = convolve2d(padded, 4 * FILTER, "valid")
    found = Upsample()(to_tensor(x)[None, None])[0, 0]
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("padding", [(1, 1), (2, 2), (2, 1)])
def test_the_blur_is_a_convolution_with_the_binomial_filter(padding: tuple[int, int]) -> None:
    x = draw(6, 6)
    expected = convolve2d(np.pad(x, padding), FILTER, "valid")
    np.testing.assert_allclose(Blur(padding)(to_tensor(x)[None, None])[0, 0], expected, atol=1e-6)


def test_a_constant_keeps_its_value_when_it_is_enlarged() -> None:
    """But at its border, behind which zeros lie."""
    found = Upsample()(torch.ones(1, 2, 6, 6))
    torch.testing.assert_close(found[:, :, 1:-1, 1:-1], torch.ones(1, 2, 10, 10))


@pytest.mark.parametrize("size", [1, 3])
def test_a_layer_that_halves_gives_exactly_half(size: int) -> None:
    assert ConvLayer(2, 3, size, halves=True)(torch.zeros(1, 2, 8, 8)).shape == (1, 3, 4, 4)


@torch.no_grad()
def test_equalised_layers_keep_the_variance_of_what_goes_in() -> None:
    torch.manual_seed(0)
    linear = EqualLinear(256, 256, rate=0.01)
    assert linear.weight.std() == pytest.approx(100, rel=0.02)
    assert (linear(torch.randn(64, 256)) * 100).std() == pytest.approx(100, rel=0.05)
    conv = EqualConv2d(64, 64, 3, padding=1)
    assert conv(torch.randn(2, 64, 16, 16))[:, :, 1:-1, 1:-1].std() == pytest.approx(1, rel=0.05)
