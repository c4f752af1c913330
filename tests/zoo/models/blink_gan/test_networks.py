"""The blink generator's sizes, and what it begins with."""

import pytest
import torch

from zoo.models.blink_gan.networks import BlinkGenerator, create_blink_gan
from zoo.models.blink_gan.presets import EYE_SIZE, NOISE_SIZE, WINDOW


@pytest.mark.parametrize(("preset", "hidden"), [("paper", 128), ("small", 32)])
def test_parameters_are_counted(preset: str, hidden: int) -> None:
    """Three gates of inputs, states and two biases; hidden to 8 coefficients; these to 44."""
    gates = 3 * (hidden * 10 + hidden * hidden + 2 * hidden)
    expected = gates + (hidden * 8 + 8) + (8 * 44 + 44)
    network = create_blink_gan(preset)
    assert sum(value.numel() for value in network.parameters()) == expected
    assert {"paper": 55_188, "small": 4_884}[preset] == expected


def test_noise_becomes_a_window() -> None:
    """(n, 75, 10) to (n, 75, 44), as the paper has it; no frame depends on later ones."""
    torch.manual_seed(0)
    network = create_blink_gan("small")
    noise = torch.randn(3, WINDOW, NOISE_SIZE)
    whole = network(noise)
    assert whole.shape == (3, WINDOW, EYE_SIZE)
    torch.testing.assert_close(network(noise[:, :20]), whole[:, :20])


def test_the_last_layer_begins_as_the_principal_components() -> None:
    """So every first displacement lies in their span about the mean, and has the data's size."""
    torch.manual_seed(0)
    components = torch.linalg.qr(torch.randn(EYE_SIZE, 3))[0].T
    mean, deviations = torch.randn(EYE_SIZE), torch.tensor([0.05, 0.02, 0.01])
    network = BlinkGenerator(128, 3)
    network.begin_with(components, mean, deviations)
    assert torch.equal(network.decoder.weight, components.T)
    with torch.inference_mode():
        moved = network(torch.randn(64, WINDOW, NOISE_SIZE)) - mean
    coefficients = moved @ components.T
    torch.testing.assert_close(coefficients @ components, moved, atol=1e-6, rtol=0)
    torch.testing.assert_close(coefficients.std(dim=(0, 1)), deviations, atol=0, rtol=0.15)
