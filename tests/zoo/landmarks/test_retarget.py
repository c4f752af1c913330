"""Eq. 7: by hand, back and forth over random faces, and where it has no way back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.faces import MODEL
from zoo.landmarks.align import average_shapes, view68
from zoo.landmarks.retarget import canonicalise, measure_extent, retarget

BASE = average_shapes([view68(MODEL.mean_shape)])

SEEDS = st.integers(0, 2**32 - 1)


def draw_person(rng):
    """Somebody's face at rest, px: of other proportions, rolled, anywhere and of any size."""
    own = BASE * rng.uniform(0.7, 1.3, 2) + rng.normal(0, 0.03, BASE.shape)
    angle, size = rng.uniform(-0.6, 0.6), rng.uniform(0.5, 500)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return size * own @ turn + rng.uniform(-1000, 1000, 2)


def make_box():
    """A canonical face and a person four times its size, with a box to calculate with by hand."""
    canonical = np.zeros((68, 2))
    canonical[:4] = [[-1, -1], [1, -1], [1, 1], [-1, 1]]
    return canonical, 100 * canonical + [128, 64]


def test_a_chin_that_drops_by_hand():
    """Two corners go down by 50 px; the box is then 250 px high and not 200: 40 px are left."""
    canonical, person = make_box()
    frame = canonical + np.isin(np.arange(68), (2, 3))[:, None] * [0, 0.5]
    moved = retarget(frame[None], canonical, person)[0]
    assert moved[2] == pytest.approx([228, 204])
    assert moved[0] == pytest.approx([28, -36])


def test_the_way_back_by_hand():
    """40 px of a face 200 high are a = 0.2; k = 200 + 0.2 k gives k = 250, and 0.2 · 250 / 100."""
    canonical, person = make_box()
    frame = person + np.isin(np.arange(68), (2, 3))[:, None] * [0, 40.0]
    assert canonicalise(frame[None], canonical, person)[0, 2] == pytest.approx([1, 1.5])


@given(SEEDS)
@settings(max_examples=150, deadline=None)
def test_forward_after_inverse_is_the_identity(seed):
    rng = np.random.default_rng(seed)
    person = draw_person(rng)
    size = measure_extent(person)
    points = person + rng.normal(0, rng.uniform(0, 0.08), (4, 68, 2)) * size
    canonical = canonicalise(points, BASE, person)
    assert np.abs(retarget(canonical, BASE, person) - points).max() < 1e-5 * size.max()


@given(SEEDS)
@settings(max_examples=150, deadline=None)
def test_inverse_after_forward_is_the_identity(seed):
    rng = np.random.default_rng(seed)
    person = draw_person(rng)
    canonical = BASE + rng.normal(0, rng.uniform(0, 0.15), (4, 68, 2))
    there = retarget(canonical, BASE, person)
    assert np.abs(canonicalise(there, BASE, person) - canonical).max() < 1e-9


def test_the_extent_that_is_found_is_its_own_to_rounding():
    """The equation of the way back, by its residual: k = extent(q + a·k)."""
    rng = np.random.default_rng(5)
    person = draw_person(rng)
    size = measure_extent(person)
    points = person + rng.normal(0, 0.1, (20, 68, 2)) * size
    canonical = canonicalise(points, BASE, person)
    again = retarget(canonical, BASE, person)
    assert np.abs(again - points).max() / size.max() < 1e-9


def test_no_motion_is_the_person_at_rest():
    person = draw_person(np.random.default_rng(6))
    assert retarget(BASE[None], BASE, person)[0] == pytest.approx(person)
    assert canonicalise(person[None], BASE, person)[0] == pytest.approx(BASE)


def test_a_person_twice_as_large_moves_twice_as_far():
    """T's scale cancels: what counts is S(ℓ_p)."""
    rng = np.random.default_rng(7)
    person = draw_person(rng)
    canonical = BASE + rng.normal(0, 0.05, (3, 68, 2))
    small, large = (retarget(canonical, BASE, k * person) for k in (1, 2))
    assert large == pytest.approx(2 * small)


def test_displacements_as_wide_as_the_face_are_refused():
    canonical, person = make_box()
    frame = person + np.isin(np.arange(68), (2, 3))[:, None] * [0, 200.0]
    with pytest.raises(ValueError, match="as far as the face"):
        canonicalise(frame[None], canonical, person)


def test_a_face_that_shrinks_has_a_way_back_too():
    """Both sides go in by 60 px: a = ∓0.3, k = 200 − 0.6 k = 125, x = ±(1 − 0.3 · 1.25)."""
    canonical, person = make_box()
    frame = person + np.sign(canonical) * [-60.0, 0]
    back = canonicalise(frame[None], canonical, person)[0]
    assert back[1] == pytest.approx([0.625, -1])
