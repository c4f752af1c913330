"""Pictures beside pictures: PSNR and SSIM by hand and by another program, blur, landmarks."""

import math

import numpy as np
import pytest

from tests.datasets import make_arrays
from toolkit.mesh import LANDMARKS68
from zoo.metrics.landmark_distance import (
    align_meshes,
    find_landmarks,
    measure_landmark_distance,
)
from zoo.metrics.pictures import (
    measure_cpbd,
    measure_psnr,
    measure_ssim,
    measure_widths,
)


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


def test_equal_pictures_have_no_noise():
    picture = draw_noise()
    assert measure_psnr(picture, picture) == math.inf
    assert measure_ssim(picture, picture) == pytest.approx(1)


def test_ssim_of_flat_pictures_is_their_luminance_term():
    """(2·100·110 + 6.5025) / (100² + 110² + 6.5025) = 0.995477."""
    assert measure_ssim(flat(100), flat(110)) == pytest.approx(0.995477, abs=1e-5)


def test_ssim_of_a_picture_and_its_negative_is_negative():
    picture = draw_noise()
    assert measure_ssim(picture, 255 - picture) < -0.9


@pytest.mark.parametrize("noise", [5, 40])
def test_psnr_and_ssim_are_those_of_scikit_image(noise):
    metrics = pytest.importorskip("skimage.metrics")
    wanted = draw_noise(1)
    change = np.random.default_rng(2).normal(0, noise, wanted.shape)
    found = np.clip(wanted + change, 0, 255).astype(np.uint8)
    theirs = metrics.structural_similarity(
        wanted, found, channel_axis=2, gaussian_weights=True, sigma=1.5,
        use_sample_covariance=False, data_range=255,
    )  # fmt: skip
    assert measure_ssim(found, wanted) == pytest.approx(theirs, abs=1e-5)
    theirs = metrics.peak_signal_noise_ratio(wanted, found, data_range=255)
    assert measure_psnr(found, wanted) == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize("measure", [measure_psnr, measure_ssim])
def test_pictures_of_other_sizes_are_refused(measure):
    with pytest.raises(ValueError, match="cannot be compared"):
        measure(flat(1, 64), flat(1, 32))
    with pytest.raises(ValueError, match="cannot be compared"):
        measure(flat(1, 8), flat(1, 8))


# --- blur ---------------------------------------------------------------------------------------


def draw_edge(width, low=50, high=200, size=64):
    """A vertical edge that rises over `width` px."""
    row = low + (high - low) * np.clip((np.arange(size) - 32) / width, 0, 1)
    return np.repeat(np.tile(np.rint(row).astype(np.uint8), (size, 1))[..., None], 3, axis=2)


def test_the_width_of_an_edge_is_the_length_of_its_rise():
    grey = np.array([[9, 9, 10, 30, 60, 60, 40, 20, 20]], np.uint8)
    assert measure_widths(grey)[0, 3] == 3
    assert measure_widths(grey)[0, 6] == 2
    assert measure_widths(grey)[0, 0] == 0


@pytest.mark.parametrize(("width", "cpbd"), [(1, 1.0), (2, 1.0), (4, 0.0), (9, 0.0)])
def test_blur_is_noticed_where_an_edge_is_wider_than_three_pixels(width, cpbd):
    """1 − exp(−(w/3)^3.6) is 0.21 at 2 px and 0.94 at 4; the line is 0.63."""
    assert measure_cpbd(draw_edge(width)) == cpbd


def test_edges_of_little_contrast_may_be_wider():
    """Up to 50 levels a blur of 5 px is just noticed."""
    assert measure_cpbd(draw_edge(4, 100, 140)) == 1
    assert measure_cpbd(draw_edge(4, 100, 200)) == 0
    assert measure_cpbd(draw_edge(6, 100, 140)) == 0


def test_half_of_the_edges_sharp_is_a_half():
    """The upper block has a sharp edge, the lower a wide one, one pixel a row of each."""
    assert measure_cpbd(np.concatenate([draw_edge(1), draw_edge(4, 0, 255)])) == 0.5


@pytest.mark.parametrize(("width", "low"), [(3, 50), (5, 155)])
def test_a_width_that_is_just_noticeable_is_not_yet_noticed(width, low):
    """3 px, or 5 up to 50 levels: 1 − 1/e, the paper's 63 %, is what sharpness is counted up to."""
    assert measure_cpbd(draw_edge(width, low, 200)) == 1
    assert measure_cpbd(draw_edge(width + 1, low, 200)) == 0


def test_slanted_edges_do_not_count():
    """At 45° an edge of 3 px is over 4 px wide along the row; the upright one beside it counts."""
    rows, columns = np.indices((64, 64))
    across = (columns - rows + 20) / np.sqrt(2)
    slanted = (50 + 150 * np.clip(across / 3, 0, 1)).astype(np.uint8)
    assert math.isnan(measure_cpbd(np.repeat(slanted[..., None], 3, axis=2)))
    both = np.concatenate([slanted, draw_edge(2)[..., 0]], axis=1)
    assert measure_cpbd(np.repeat(both[..., None], 3, axis=2)) == 1


def score_sharpness(grey):
    """CPBD once more, pixel by pixel as Narvekar and Karam tell it; every block counts as one."""
    values = grey.astype(float)
    height, width = values.shape
    around = np.pad(values, 1, mode="reflect")
    slope = np.zeros_like(values)
    for y, x in np.ndindex(height, width):
        slope[y, x] = np.array([1, 2, 1]) @ (around[y : y + 3, x + 2] - around[y : y + 3, x])
    energy, seen = slope**2, []
    for y, x in np.ndindex(height, width):
        row = values[y]
        if not (0 < x < width - 1 and 0 < y < height - 1 and energy[y, x] > 4 * energy.mean()):
            continue
        angle = math.atan2(abs(values[y + 1, x] - values[y - 1, x]), abs(row[x + 1] - row[x - 1]))
        if angle > math.pi / 8 or not energy[y, x - 1] < energy[y, x] >= energy[y, x + 1]:
            continue
        sign, first, last = np.sign(row[x + 1] - row[x - 1]), x, x
        while first > 0 and sign * (row[first] - row[first - 1]) > 0:
            first -= 1
        while last < width - 1 and sign * (row[last + 1] - row[last]) > 0:
            last += 1
        block = grey[y // 64 * 64 :, x // 64 * 64 :][:64, :64]
        just = 5 if int(block.max()) - int(block.min()) <= 50 else 3
        seen.append(1 - math.exp(-(((last - first) / just) ** 3.6)))
    return np.mean(np.array(seen) <= 1 - math.exp(-1) + 1e-12)


@pytest.mark.parametrize(("contrast", "blur"), [(40, 1.2), (40, 1.6), (250, 0.5), (250, 0.6)])
def test_sharpness_is_that_of_a_second_program(contrast, blur):
    """Squares of random brightness, blurred; whole blocks, all of which have edges."""
    import cv2

    rng = np.random.default_rng(4)
    cells = rng.integers(0, contrast, (16, 16)).astype(np.uint8)
    grey = cv2.resize(cells, (128, 128), interpolation=cv2.INTER_NEAREST)
    grey = cv2.GaussianBlur(grey, (0, 0), blur)
    measured = measure_cpbd(np.repeat(grey[..., None], 3, axis=2))
    assert measured == pytest.approx(score_sharpness(grey))
    assert 0 < measured < 1 or blur != 1.2


def test_a_picture_without_edges_has_no_sharpness():
    assert math.isnan(measure_cpbd(flat(128)))


def test_blurring_a_picture_lowers_its_sharpness():
    import cv2

    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (24, 24, 3), np.uint8)
    sharp = np.asarray(cv2.resize(small, (192, 192), interpolation=cv2.INTER_NEAREST), np.uint8)
    blurred = np.asarray(cv2.GaussianBlur(sharp, (0, 0), 2.0), np.uint8)
    assert measure_cpbd(sharp) > 0.95
    assert measure_cpbd(blurred) < 0.05


# --- landmarks ----------------------------------------------------------------------------------


def make_landmarks(num_frames=3):
    """Landmarks (n, 478, 3) whose eyes' outer corners are 50 px apart in the picture."""
    points = np.abs(make_arrays(num_frames)["face/landmarks"].astype(np.float64)) * 20
    points[:, 33], points[:, 263] = (10, 20, 0), (60, 20, 9)
    return points


def test_distances_of_face_and_mouth_by_hand():
    """All points 3 px right, the lips' also 4 px down: 3 and 5 px, over 50 px; no depth is seen."""
    wanted = make_landmarks()
    found = wanted + np.array([3, 0, 7])
    lips = list(LANDMARKS68[48:])
    found[:, lips] += [0, 4, 0]
    measured = measure_landmark_distance(found, wanted)
    num_lips = len(set(lips))
    assert measured.mouth == pytest.approx(5)
    assert measured.mouth_share == pytest.approx(0.1)
    assert measured.face == pytest.approx((3 * (468 - num_lips) + 5 * num_lips) / 468)
    assert measured.face_share == pytest.approx(measured.face / 50)
    assert (measured.num_frames, measured.num_missing, measured.num_unseen) == (3, 0, 0)


def test_frames_without_a_face_are_counted_and_left_out():
    """Frame 0 is drawn 100 px off but real without a face; frame 1 is missing in the drawing."""
    wanted, found = make_landmarks(), make_landmarks() + np.array([1, 0, 0])
    found[0] += 100
    wanted[0], found[1] = np.nan, np.nan
    measured = measure_landmark_distance(found, wanted)
    assert measured.face == pytest.approx(1)
    assert (measured.num_frames, measured.num_missing, measured.num_unseen) == (3, 1, 1)


def test_no_face_at_all_is_no_number():
    wanted = make_landmarks(2)
    measured = measure_landmark_distance(np.full_like(wanted, np.nan), wanted)
    assert math.isnan(measured.face)
    assert math.isnan(measured.mouth_share)
    assert measured.num_missing == 2


def test_landmarks_of_other_shapes_are_refused():
    with pytest.raises(ValueError, match="cannot be compared"):
        measure_landmark_distance(make_landmarks(2), make_landmarks(3))


class CountingMesh:
    """Says that face k is in the k-th picture it is given; in black ones, that there is none."""

    def __init__(self):
        self.calls = []

    def detect(self, picture):
        self.calls.append("detect")
        return self._find(picture)

    def start(self, picture):
        self.calls.append("start")
        return self._find(picture)

    def _find(self, picture):
        level = float(picture[0, 0, 0])
        small, large = np.full((478, 3), level, np.float32), np.full((478, 3), level, np.float32)
        large[0] += 50
        return [small, large] if level else []


def test_a_face_is_started_once_and_again_after_it_was_lost():
    """The larger of two faces counts."""
    mesh = CountingMesh()
    found = find_landmarks([flat(1), flat(2), flat(0), flat(4)], mesh)
    assert found.shape == (4, 478, 3)
    assert mesh.calls == ["start", "detect", "detect", "start"]
    assert np.isnan(found[2]).all()
    assert found[:, 0, 0].tolist()[:2] == [51, 52]
    assert find_landmarks([], mesh).shape == (0, 478, 3)


def test_a_moved_turned_and_scaled_mesh_is_put_back():
    rng = np.random.default_rng(0)
    target = rng.uniform(0, 200, (3, 478, 2))
    angle = np.deg2rad(20)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    pred = 1.3 * target @ turn.T + [12, -40]
    np.testing.assert_allclose(align_meshes(pred, target), target, atol=1e-5)
