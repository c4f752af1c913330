"""Pictures beside pictures: PSNR and SSIM by hand and by another program."""

import math

import numpy as np
import pytest

from zoo.metrics.pictures import (
    measure_psnr,
    measure_squared_error,
    measure_ssim,
    measure_ssim_uniform,
    pool_psnr,
)

BOTH = pytest.mark.parametrize("measure", [measure_ssim, measure_ssim_uniform])


def flat(level, size=64):
    return np.full((size, size, 3), level, np.uint8)


def draw_noise(seed=0, size=48):
    return np.random.default_rng(seed).integers(0, 256, (size, size, 3), np.uint8)


# --- PSNR and SSIM ------------------------------------------------------------------------------


def test_psnr_of_a_difference_of_ten_levels_is_28_13_db():
    """20·log10(255/10) = 28.13."""
    assert measure_psnr(flat(100), flat(110)) == pytest.approx(28.1308, abs=1e-4)
    assert measure_psnr(flat(110), flat(100)) == pytest.approx(28.1308, abs=1e-4)


def test_psnr_counts_all_channels_and_pixels():
    """One of three channels off by 30: mean square 300, 10·log10(255²/300) = 23.36."""
    picture = flat(100)
    picture[..., 1] = 130
    assert measure_psnr(picture, flat(100)) == pytest.approx(23.3595, abs=1e-4)


def test_pooled_psnr_is_that_of_the_mean_squared_error():
    """Differences of 10 and 20 levels: 28.13 and 22.11 dB, mean 25.12; 10·log10(255²/250) = 24.15.

    One equal picture makes the mean infinite, and not the pooled value.
    """
    pairs = [(flat(100), flat(110)), (flat(100), flat(120)), (flat(5), flat(5))]
    errors = [measure_squared_error(*pair) for pair in pairs]
    assert errors == [100, 400, 0]
    assert pool_psnr(errors[:2]) == pytest.approx(24.1514, abs=1e-4)
    mean = np.mean([measure_psnr(*pair) for pair in pairs[:2]])
    assert mean == pytest.approx(25.1205, abs=1e-4)
    assert pool_psnr(errors) == pytest.approx(25.9123, abs=1e-4)
    assert pool_psnr([0.0]) == math.inf
    assert math.isnan(pool_psnr([]))


def test_equal_pictures_have_no_noise():
    picture = draw_noise()
    assert measure_psnr(picture, picture) == math.inf
    assert measure_ssim(picture, picture) == pytest.approx(1)
    assert measure_ssim_uniform(picture, picture) == pytest.approx(1)


@BOTH
def test_ssim_of_flat_pictures_is_their_luminance_term(measure):
    """(2·100·110 + 6.5025) / (100² + 110² + 6.5025) = 0.995477."""
    assert measure(flat(100), flat(110)) == pytest.approx(0.995477, abs=1e-6)


@BOTH
@pytest.mark.parametrize("level", [0, 3, 100, 255])
def test_ssim_is_never_over_one_on_flat_pictures(measure, level):
    """Variances of squares near 65,025 keep nothing of single precision's digits."""
    for other in (level, max(level - 1, 0)):
        assert measure(flat(level), flat(other)) <= 1 + 1e-12


@BOTH
def test_ssim_of_a_picture_and_its_negative_is_negative(measure):
    picture = draw_noise()
    assert measure(picture, 255 - picture) < -0.9


@pytest.mark.parametrize("noise", [5, 40])
@pytest.mark.parametrize("size", [48, 51])
def test_psnr_and_ssim_are_those_of_scikit_image(noise, size):
    """SSIM by each of its windows, which are not one value."""
    metrics = pytest.importorskip("skimage.metrics")
    real = np.asarray(draw_noise(1, size)[: size - 5], np.uint8)
    change = np.random.default_rng(2).normal(0, noise, real.shape)
    picture = np.clip(real + change, 0, 255).astype(np.uint8)
    gaussian = metrics.structural_similarity(
        real, picture, channel_axis=2, gaussian_weights=True, sigma=1.5,
        use_sample_covariance=False, data_range=255,
    )  # fmt: skip
    uniform = metrics.structural_similarity(real, picture, channel_axis=2)
    assert measure_ssim(picture, real) == pytest.approx(gaussian, abs=1e-9)
    assert measure_ssim_uniform(picture, real) == pytest.approx(uniform, abs=1e-9)
    assert gaussian != pytest.approx(uniform, abs=1e-5)
    psnr = metrics.peak_signal_noise_ratio(real, picture, data_range=255)
    assert measure_psnr(picture, real) == pytest.approx(psnr, rel=1e-9)


def test_the_two_windows_of_ssim_differ_by_more_than_a_hundredth_on_a_blurred_photograph():
    """Gaussian blur with σ = 2 px."""
    data, filters = (pytest.importorskip(f"skimage.{name}") for name in ("data", "filters"))
    real = data.astronaut()
    blurred = filters.gaussian(real, 2, channel_axis=2, preserve_range=True).astype(np.uint8)
    assert measure_ssim_uniform(blurred, real) - measure_ssim(blurred, real) > 0.01


@pytest.mark.parametrize("measure", [measure_psnr, measure_ssim, measure_ssim_uniform])
def test_pictures_of_other_sizes_are_refused(measure):
    with pytest.raises(ValueError, match="cannot be compared"):
        measure(flat(1, 64), flat(1, 32))
    with pytest.raises(ValueError, match="cannot be compared"):
        measure(flat(1, 8), flat(1, 8))
