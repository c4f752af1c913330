"""Windows joined at open eyes, with as many blinks as asked for."""

import itertools

import numpy as np
import pytest

from tests.zoo.models.blink_gan.blinking import close, make_clip, make_face
from toolkit.errors import ToolkitError
from zoo.models.blink_gan.pieces import SEAM, Piece, cut_piece, fit_factor, join_pieces
from zoo.models.blink_gan.windows import EyeClip, resample_clip


def make_window(*middles: float) -> EyeClip:
    """75 ticks with blinks of 0.4 s about these moments, s."""
    return resample_clip(make_clip(close(75, 25, middles, 0.4)), make_face())


def cut(*middles: float) -> Piece | None:
    window = make_window(*middles)
    return cut_piece(window.displacements.astype(np.float64), window.ear)


def test_a_piece_begins_and_ends_with_open_eyes() -> None:
    """Cut off are a blink that was under way and all before it; one in the middle stays."""
    whole, cut_off = cut(1.5), cut(0.04, 1.5)
    assert whole is not None
    assert cut_off is not None
    assert (len(whole.eyes), whole.num_blinks) == (75, 1)
    assert 65 <= len(cut_off.eyes) <= 72
    assert cut_off.num_blinks == 1
    np.testing.assert_array_equal(cut_off.eyes[1:], whole.eyes[1 - len(cut_off.eyes) :])


def test_a_window_without_two_stretches_of_open_eyes_is_no_piece() -> None:
    """Blinks everywhere but in its last half second."""
    assert cut(*(0.1 + 0.4 * np.arange(6))) is None


def test_pieces_join_without_a_jump() -> None:
    """From 0 to 1 over the seam, in steps no larger than half a cosine's steepest."""
    low, high = (Piece(np.full((40, 44), value), 0) for value in (0.0, 1.0))
    track = join_pieces(itertools.cycle([low, high]), 100, lambda eyes: 0)
    assert track.shape == (100, 44)
    assert np.abs(np.diff(track, axis=0)).max() < np.pi / 2 / (SEAM + 1)
    np.testing.assert_array_equal(track[:30], 0)
    np.testing.assert_array_equal(track[40:60], 1)


def test_a_track_may_be_shorter_than_a_piece() -> None:
    for length in (0, 7):
        pieces = iter([Piece(np.zeros((40, 44)), 0)])
        assert join_pieces(pieces, length, lambda eyes: 0).shape == (length, 44)


def test_a_piece_that_makes_a_blink_beside_its_neighbour_is_left_out() -> None:
    """Eyes at 1 count as a blink, though the piece of them has none alone."""
    still, wide = (Piece(np.full((40, 44), value), 0) for value in (0.0, 1.0))
    pieces = itertools.cycle([still, wide, wide])
    track = join_pieces(pieces, 300, lambda eyes: int(eyes.max() > 0.5 > eyes.min()))
    np.testing.assert_array_equal(track, 0)


PIECES = [Piece(np.zeros((SEAM + 25, 44)), blinks) for blinks in (0, 0, 1, 2)]
"""A second each."""


def test_the_factor_gives_the_rate() -> None:
    """(f + 2f²) / (2 + f + f²) = 1/2 for 3f² + f = 2: f = 2/3. As they are: 3/4."""
    factor = fit_factor(PIECES, 0.5, strict=True)
    assert np.exp(factor.log) == pytest.approx(2 / 3)
    assert [factor.accept(n) for n in (0, 1, 2)] == pytest.approx([1, 2 / 3, 4 / 9])
    assert fit_factor(PIECES, 0.75, strict=True).log == pytest.approx(0, abs=1e-9)
    more = fit_factor(PIECES, 1.0, strict=True)  # f² = 2
    assert [more.accept(n) for n in (0, 1, 2)] == pytest.approx([0.5, 0.5**0.5, 1])


def test_no_blinks_are_none() -> None:
    factor = fit_factor(PIECES, 0.0, strict=True)
    assert factor.accept(0) == 1
    assert factor.accept(1) < 1e-12


def test_a_rate_out_of_reach_is_refused_or_brought_near() -> None:
    with pytest.raises(ToolkitError, match=r"blinks 0\.00 to 2\.00 times a second, not 3: choose"):
        fit_factor(PIECES, 3.0, strict=True)
    assert fit_factor(PIECES, 3.0, strict=False).accept(1) < 1e-12
