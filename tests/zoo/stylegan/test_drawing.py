"""Frames of one w+ drawn by filters that are made once, beside the plain generator."""

import pytest
import torch

from zoo.stylegan.drawing import FrameDrawer
from zoo.stylegan.generator import Features, Generator


@pytest.mark.parametrize("widths", [(6, 6, 6, 6, 5), (6, 6, 6, 6, 5, 4), (8, 6, 6, 6, 5, 4, 3)])
def test_frames_are_those_of_the_plain_generator(widths: tuple[int, ...]) -> None:
    """Of 64, 128 and 256 px, with noise and biases that are not zero: within 1e-4 of −1 to 1."""
    torch.manual_seed(0)
    generator = Generator(widths, num_mapping=1).requires_grad_(False)
    for name, value in generator.named_parameters():
        if name.endswith(("noise.weight", "bias")) and "modulation" not in name:
            torch.nn.init.normal_(value, 0.0, 0.3)
    styles = torch.randn(1, generator.num_styles, 512)
    maps = torch.randn(3, generator.feature_channels, 64, 64)
    features = Features(maps, torch.randn(3, 3, 32, 32))
    expected = generator.finish(features, styles.expand(3, -1, -1))
    found = FrameDrawer(generator, styles)(features)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4 * float(expected.abs().max()))
