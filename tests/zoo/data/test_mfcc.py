"""Cepstra beside those of the package python_speech_features 0.6."""

import numpy as np
import numpy.typing as npt
import pytest

from zoo.data.mfcc import compute_mfcc

EXPECTED = np.array([
    [19.4487, 13.2623, -27.4622, -7.0717, 1.2771, -47.5187, -57.8783, -2.8299, 17.3325, -10.6959,
     -0.3591, 32.9441, 17.7263],
    [19.7360, 19.0813, -15.6088, 9.2736, 11.9910, -44.0423, -57.2319, -0.5816, 22.7995, -3.4451,
     6.1979, 38.0434, 21.5625],
    [19.2993, 17.6831, -26.3273, -1.2260, 7.9196, -41.3200, -51.9884, 1.9643, 20.5268, -7.6701,
     2.2710, 34.0541, 18.3624],
])  # fmt: skip
"""`mfcc(samples, 16000)` of `play_tones()`, rows 0, 2 and 4."""


def play_tones() -> npt.NDArray[np.int16]:
    """1,000 samples: 440 Hz that swells and fades, and 1,900 Hz."""
    t = np.arange(1000)
    swelling = 8000 * np.sin(2 * np.pi * 440 * t / 16000) * np.sin(np.pi * t / 1000)
    return np.round(swelling + 2000 * np.sin(2 * np.pi * 1900 * t / 16000)).astype(np.int16)


def test_cepstra_are_the_packages() -> None:
    """To the digits written here."""
    found = compute_mfcc(play_tones())
    assert found.shape == (5, 13)
    np.testing.assert_allclose(found[[0, 2, 4]], EXPECTED, atol=6e-5)


@pytest.mark.parametrize(
    ("samples", "rows"), [(1, 1), (399, 1), (400, 1), (401, 2), (560, 2), (561, 3), (16000, 99)]
)
def test_rows_are_counted_as_the_package_counts(samples: int, rows: int) -> None:
    """The last one is filled up with zeros."""
    assert compute_mfcc(np.ones(samples, np.int16)).shape == (rows, 13)


def test_digital_silence_is_finite() -> None:
    """The logarithm of no energy is that of the least double above 1: 2⁻⁵²."""
    found = compute_mfcc(np.zeros(400, np.int16))
    assert found[0, 0] == pytest.approx(np.log(2.0**-52))
    np.testing.assert_allclose(found[0, 1:], 0, atol=1e-4)


def test_a_warp_moves_the_bands_of_a_voice() -> None:
    """By 1.1, a tone of 1,000 Hz is nearer to one of 909 Hz than half; by 1 nothing changes."""
    times = np.arange(4000) / 16000
    tone, lower = (
        (8000 * np.sin(2 * np.pi * f * times)).astype(np.int16) for f in (1000, 1000 / 1.1)
    )
    plain, warped, expected = compute_mfcc(tone), compute_mfcc(tone, 1.1), compute_mfcc(lower)
    np.testing.assert_array_equal(compute_mfcc(tone, 1.0), plain)
    near = np.abs(warped - expected)[2:-2, 1:].mean()
    assert near < 0.5 * np.abs(plain - expected)[2:-2, 1:].mean()
