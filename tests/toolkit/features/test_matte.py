"""The person's matte: of a portrait, the same whatever came before, and in forked processes."""

import multiprocessing

import numpy as np

from tests.numbered import Picture
from toolkit.features.matte import measure_matte


def test_a_matte_tells_a_person_from_what_is_behind_them(portrait: Picture) -> None:
    """The middle of her face is hers, the corners above her shoulders are not; nor is grey."""
    matte = measure_matte(portrait)
    assert matte.shape == portrait.shape[:2]
    assert matte.dtype == np.float32
    assert 0 <= matte.min() <= matte.max() <= 1
    assert matte[80:140, 140:190].min() > 0.9
    assert matte[:100, :40].max() < 0.1
    assert measure_matte(np.full((64, 64, 3), 128, np.uint8)).max() < 0.1


def test_a_matte_depends_on_its_picture_alone(portrait: Picture) -> None:
    first = measure_matte(portrait)
    measure_matte(np.ascontiguousarray(portrait[::-1]))
    np.testing.assert_array_equal(measure_matte(portrait), first)


def test_a_forked_process_measures_the_same(portrait: Picture) -> None:
    """As a worker of a DataLoader does, whose parent has measured mattes before."""
    here = measure_matte(portrait)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        there = pool.apply_async(measure_matte, (portrait,)).get(timeout=500)
    np.testing.assert_array_equal(there, here)
