"""Offset, confidence and distance from distances that are known."""

import numpy as np
import numpy.typing as npt
import pytest

from zoo.metrics.sync import measure_distances, measure_offset, measure_sync


def draw_codes(num: int) -> npt.NDArray[np.float64]:
    return np.random.default_rng(0).normal(size=(num, 3))


@pytest.mark.parametrize(
    ("late", "offset", "words"),
    [
        (0, 0, "the sound is in step"),
        (2, -2, "the sound is 2 frames late (80 ms)"),
        (-1, 1, "the sound is 1 frame early (40 ms)"),
        (15, -15, "the sound is 15 frames late (600 ms)"),
    ],
)
def test_offset_has_the_published_sign_and_is_said_in_words(
    late: int, offset: int, words: str
) -> None:
    """Sound that is late shows what the lips did before: the program calls that negative."""
    codes = draw_codes(120)
    faces, sound = codes[20:100], codes[20 - late : 100 - late]
    score = measure_sync(measure_distances(faces, sound))
    assert score.offset == offset
    assert score.describe() == words
    assert score.distance == pytest.approx(0, abs=1e-12)


def test_figures_are_median_and_minimum_of_the_mean_distances() -> None:
    """Two windows, by hand: mean distance 5, but 4 and 3 at two shifts and 1 at one frame late."""
    mean = np.full(31, 5.0)
    mean[[3, 15, 16]] = 4, 3, 1
    distances = np.stack([mean - 0.5, mean + 0.5])
    score = measure_sync(distances)
    assert (score.offset, score.num_windows) == (-1, 2)
    assert (score.confidence, score.distance, score.in_place) == pytest.approx((4, 1, 3))


def test_ends_do_not_count() -> None:
    """Windows that lack a shift's sound are left out: of 71, the first and the last 15."""
    codes = draw_codes(71)
    distances = measure_distances(codes, codes)
    assert np.isnan(distances[0]).sum() == np.isnan(distances[-1]).sum() == 15
    assert np.isnan(distances[0, :15]).all()
    assert measure_sync(distances).num_windows == 41
    ends = np.isnan(distances).any(axis=1)
    changed = np.where(ends[:, None], distances * 100, distances)
    assert measure_sync(changed) == measure_sync(distances)


@pytest.mark.parametrize("num", [5, 30])
def test_a_film_that_is_too_short_is_an_error(num: int) -> None:
    """It says how long one must be."""
    codes = draw_codes(num)
    with pytest.raises(ValueError, match=r"a video needs 1\.4 s"):
        measure_sync(measure_distances(codes, codes))


def test_other_shapes_are_refused() -> None:
    """Embeddings of two networks, distances of other shifts."""
    with pytest.raises(ValueError, match="cannot be compared"):
        measure_distances(np.zeros((4, 3)), np.zeros((4, 2)))
    with pytest.raises(ValueError, match=r"are not \(n, 31\)"):
        measure_sync(np.zeros((4, 30)))


def test_rows_of_a_film_that_is_too_short_are_unknown() -> None:
    """30 windows: each lacks a shift's sound."""
    codes = draw_codes(30)
    assert np.isnan(measure_offset(measure_distances(codes, codes)))
