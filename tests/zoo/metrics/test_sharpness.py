"""CPBD: edges whose widths are known by hand, a second program, pictures of a package."""

import math

import cv2
import numpy as np
import pytest

from zoo.metrics.sharpness import find_slopes, find_widths, measure_cpbd


def color(grey):
    return np.repeat(np.asarray(grey, np.uint8)[..., None], 3, axis=2)


def draw_edge(width, low=50, high=200, size=64):
    """A vertical edge that rises over `width` px, grey."""
    row = low + (high - low) * np.clip((np.arange(size) - 32) / width, 0, 1)
    return np.tile(np.rint(row).astype(np.uint8), (size, 1))


@pytest.mark.parametrize(("width", "measured"), [(1, 2), (2, 2), (3, 3), (4, 4), (9, 9)])
def test_the_width_of_an_edge_is_the_length_of_its_rise_and_at_least_two(width, measured):
    """A step between two pixels reaches to the pixel on either side of the one that is the edge."""
    for grey in (draw_edge(width), draw_edge(width, 200, 50)):
        widths = find_widths(grey)
        assert set(np.unique(widths[1:-1].max(axis=1))) == {measured}
        assert not widths[[0, -1]].any()


@pytest.mark.parametrize(("width", "cpbd"), [(1, 1.0), (2, 1.0), (3, 1.0), (4, 0.0), (9, 0.0)])
def test_blur_is_noticed_where_an_edge_is_wider_than_three_pixels(width, cpbd):
    """1 − exp(−(w/3)^3.6) is 0.21 at 2 px, 0.63 at 3, which is the line, and 0.94 at 4."""
    assert measure_cpbd(color(draw_edge(width))) == cpbd


def test_edges_of_little_contrast_may_be_wider():
    """Up to 50 levels a blur of 5 px is just noticed."""
    assert measure_cpbd(color(draw_edge(5, 150, 200))) == 1
    assert measure_cpbd(color(draw_edge(5, 149, 200))) == 0
    assert measure_cpbd(color(draw_edge(6, 100, 140))) == 0


def test_half_of_the_edges_sharp_is_a_half():
    """A sharp rise in the left block, a wide fall in the right one, one pixel a row of each."""
    both = np.concatenate([draw_edge(1), draw_edge(5)[:, ::-1]], axis=1)
    assert measure_cpbd(color(both)) == 0.5


@pytest.mark.parametrize(("high", "edge"), [(104, False), (105, True)])
def test_a_slope_over_two_levels_a_pixel_is_an_edge_whatever_the_picture(high, edge):
    """Sobel over 8 of a step by 4 levels is 2, whose square is not over 4; by 5 levels it is 2.5.

    A strong edge elsewhere in the picture does not change that.
    """
    weak = draw_edge(1, 100, high)
    for grey in (weak, np.concatenate([weak, draw_edge(1, 0, 255)])):
        assert find_slopes(grey)[1:62].any() == edge


def test_a_slope_that_is_largest_along_the_column_is_an_edge():
    """Ramps of one slope within a row, 3 levels a pixel and 6 in the row 30: no largest in a row.

    (Sobel's rows weigh 1, 2, 1: 6 · ½ + 3 · ½ = 4.5 in row 30, 3.75 beside it, 3 elsewhere.)
    """
    grey = 3 * np.arange(40) * np.ones((64, 1))
    grey[30] *= 2
    found = find_slopes(grey.astype(np.uint8))
    assert found[30, 2:-2].all()
    assert not np.delete(found, 30, axis=0)[1:-1, 2:-2].any()


def test_pixels_outside_the_blocks_change_nothing():
    """Noise, black or white around the one block of a picture of 100 px with two edges a row."""
    block = np.concatenate([draw_edge(1)[:, 16:48], draw_edge(5)[:, 48:16:-1]], axis=1)
    black = color(np.pad(block, (0, 36)))
    noise = np.random.default_rng(0).integers(0, 256, black.shape, np.uint8)
    noise[:64, :64] = color(block)
    white = color(np.pad(block, (0, 36), constant_values=255))
    assert {measure_cpbd(picture) for picture in (color(block), black, noise, white)} == {0.5}


def test_slanted_edges_do_not_count():
    """At 45° an edge of 3 px is over 4 px wide along the row; the upright one beside it counts."""
    rows, columns = np.indices((64, 64))
    across = (columns - rows + 20) / np.sqrt(2)
    slanted = (50 + 150 * np.clip(across / 3, 0, 1)).astype(np.uint8)
    assert math.isnan(measure_cpbd(color(slanted)))
    assert measure_cpbd(color(np.concatenate([slanted, draw_edge(2)], axis=1))) == 1


def score_sharpness(grey):
    """CPBD once more, pixel by pixel; every block counts as one."""
    values = grey.astype(float)
    height, width = values.shape
    around = np.pad(values, 1, mode="edge")
    slope = np.zeros_like(values)
    for y, x in np.ndindex(height, width):
        slope[y, x] = np.array([1, 2, 1]) @ (around[y : y + 3, x + 2] - around[y : y + 3, x]) / 8
    energy, seen = slope**2, []
    for y in range(1, height - 1):
        for x in range(1, width - 1):
            row, here = values[y], energy[y, x]
            along, down = row[x + 1] - row[x - 1], values[y + 1, x] - values[y - 1, x]
            if not here > 4 or (along and math.atan2(abs(down), abs(along)) > math.pi / 8):
                continue
            in_row = energy[y, x - 1] <= here > energy[y, x + 1]
            if not in_row and not energy[y - 1, x] <= here > energy[y + 1, x]:
                continue
            sign, first, last = -1 if along < 0 else 1, x - 1, x + 1
            while first > 0 and sign * (row[first] - row[first - 1]) > 0:
                first -= 1
            while last < width - 1 and sign * (row[last + 1] - row[last]) > 0:
                last += 1
            block = grey[y // 64 * 64 :, x // 64 * 64 :][:64, :64]
            just = 5 if int(block.max()) - int(block.min()) <= 50 else 3
            seen.append(1 - math.exp(-(((last - first) / just) ** 3.6)))
    return np.mean(np.array(seen) <= 1 - math.exp(-1) + 1e-12)


@pytest.mark.parametrize(("contrast", "blur"), [(40, 1.2), (40, 1.6), (250, 0.6), (250, 0.8)])
def test_sharpness_is_that_of_a_second_program(contrast, blur):
    """Squares of random brightness, blurred; whole blocks, all of which have edges."""
    rng = np.random.default_rng(4)
    cells = rng.integers(0, contrast, (16, 16)).astype(np.uint8)
    grey = cv2.resize(cells, (128, 128), interpolation=cv2.INTER_NEAREST)
    grey = np.asarray(cv2.GaussianBlur(grey, (0, 0), blur), np.uint8)
    measured = measure_cpbd(color(grey))
    assert measured == pytest.approx(score_sharpness(grey))
    assert 0 < measured < 1


@pytest.mark.parametrize(
    ("name", "cpbd"), [("camera", 0.7461), ("astronaut", 0.4048), ("coffee", 0.6219)]
)
def test_sharpness_of_photographs(name, cpbd):
    """As the PyPI package cpbd 1.0.7 has it with the authors' threshold and our outline for its."""
    data = pytest.importorskip("skimage.data")
    picture = getattr(data, name)()
    picture = color(picture) if picture.ndim == 2 else picture
    assert measure_cpbd(picture) == pytest.approx(cpbd, abs=1e-4)


def test_a_picture_without_edges_or_smaller_than_a_block_has_no_sharpness():
    assert math.isnan(measure_cpbd(color(np.full((64, 64), 128))))
    assert math.isnan(measure_cpbd(color(draw_edge(1))[:63]))


def test_blurring_a_picture_lowers_its_sharpness_step_by_step():
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (24, 24, 3), np.uint8)
    sharp = np.asarray(cv2.resize(small, (192, 192), interpolation=cv2.INTER_NEAREST), np.uint8)
    blurred = [np.asarray(cv2.GaussianBlur(sharp, (0, 0), s), np.uint8) for s in (0.7, 1.0, 2.0)]
    values = [measure_cpbd(picture) for picture in (sharp, *blurred)]
    assert values == sorted(values, reverse=True)
    assert values[0] > 0.95
    assert values[-1] < 0.05
