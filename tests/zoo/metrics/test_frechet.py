"""The Fréchet distance of two sets of features, by hand, by another form, and where it is hard."""

import numpy as np
import pytest
from scipy import linalg

from zoo.metrics.frechet import _ROWS, fit_gaussian, measure_fid, measure_frechet


def draw(num: int, size: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(num, size)) @ rng.normal(size=(size, size)) + rng.normal(size=size)


def test_it_is_that_of_numbers_by_hand() -> None:
    """One feature: means 1 and 4, deviations √2 and 2√2: 3² + (√2)²."""
    assert measure_fid([[0], [2]], [[2], [6]]) == pytest.approx(9 + 2)


def test_a_turn_of_the_features_changes_nothing() -> None:
    turn = np.linalg.qr(draw(6, 6, 2))[0]
    a, b = draw(40, 6), draw(50, 6, 1)
    assert measure_fid(a @ turn, b @ turn) == pytest.approx(measure_fid(a, b), rel=1e-9)


def test_it_is_that_of_the_root_of_the_product() -> None:
    """The form of the paper, where covariances are of full rank."""
    a, b = draw(300, 20), draw(200, 20, 1)
    (c, d), moved = (np.cov(x, rowvar=False) for x in (a, b)), a.mean(axis=0) - b.mean(axis=0)
    expected = moved @ moved + np.trace(c + d - 2 * linalg.sqrtm(c @ d).real)
    assert measure_fid(a, b) == pytest.approx(expected, rel=1e-9)


def test_fewer_pictures_than_features_have_a_distance_too() -> None:
    """Two sets that vary in directions at right angles: the sum of their variances."""
    a, b = np.zeros((4, 50)), np.zeros((4, 50))
    a[:, 7], b[:, 9] = [3, -3, 3, -3], [1, -1, 1, -1]
    assert measure_fid(a, b) == pytest.approx((36 + 4) / 3)
    assert not fit_gaussian([a]).is_full
    assert fit_gaussian([draw(51, 50)]).is_full
    assert not fit_gaussian([draw(50, 50)]).is_full


@pytest.mark.parametrize("num", [2, 30, 500])
def test_a_set_beside_itself_has_none(num: int) -> None:
    a = draw(num, 64)
    assert measure_fid(a, a) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("num", [3, 20, 21, 70])
def test_of_few_pictures_as_of_many_the_root_is_that_of_the_covariance(num: int) -> None:
    """Of 20 features, in one block and in several."""
    features = draw(num, 20)
    for parts in ([features], np.array_split(features, 3)):
        found = fit_gaussian(parts)
        np.testing.assert_allclose(found.mean, features.mean(axis=0), rtol=1e-12)
        expected = np.cov(features, rowvar=False)
        np.testing.assert_allclose(found.root @ found.root.T, expected, rtol=1e-9, atol=1e-9)


def test_a_still_picture_is_a_set_without_spread() -> None:
    """Its distance is the squared one of the means, and all of the other's variance."""
    a = draw(30, 5)
    still = np.repeat(a[:1], 9, axis=0)
    moved = a[0] - a.mean(axis=0)
    assert measure_fid(still, a) == pytest.approx(moved @ moved + a.var(axis=0, ddof=1).sum())


def test_blocks_are_one_set() -> None:
    """Far from 0, where sums of squares lose digits; and more rows than are summed at once."""
    features = (draw(_ROWS + 500, 3) + 1e5).astype(np.float32)
    one, parts = fit_gaussian([features]), fit_gaussian(np.array_split(features, 7))
    assert one.num == parts.num == len(features)
    expected = np.cov(features.astype(np.float64), rowvar=False)
    for found in (one, parts):
        np.testing.assert_allclose(found.root @ found.root.T, expected, rtol=1e-9)
    assert measure_frechet(one, parts) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        (np.ones((1, 3)), np.ones((5, 3)), "pictures: 1; two of each set at least"),
        (np.ones((0, 3)), np.ones((5, 3)), "pictures: 0; two"),
        (np.full((4, 3), np.nan), np.ones((5, 3)), "not finite"),
        (np.ones((4, 3)), np.ones((5, 2)), "3 and 2 features cannot be compared"),
    ],
)
def test_what_has_no_distance_is_refused(a: np.ndarray, b: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        measure_fid(a, b)
