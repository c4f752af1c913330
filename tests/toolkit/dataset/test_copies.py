"""Copies among fingerprints: found at their lag, and nothing else."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.dataset import copies
from toolkit.dataset.copies import MIN_STEPS, WINDOW, Copy, find_copies
from toolkit.features.fingerprint import PICTURE_SHIFT, SOUND_SIGNS

SOUND = (1 << PICTURE_SHIFT) - 1

Numbers = npt.NDArray[np.int64]


def make_numbers(seed: int, count: int = 60) -> Numbers:
    """A fingerprint of nothing in particular."""
    return np.random.default_rng(seed).integers(1, 1 << 59, count)


def change_signs(numbers: Numbers, share: float, seed: int = 0) -> Numbers:
    """Turn this share of the sound's signs."""
    turned = np.random.default_rng(seed).random((len(numbers), SOUND_SIGNS)) < share
    return np.asarray(numbers ^ (turned @ (1 << np.arange(SOUND_SIGNS))), np.int64)


def find(*clips: Numbers, sources: list[int] | None = None) -> list[Copy]:
    """Copies among clips, each of a source of its own if not said otherwise."""
    offsets = np.concatenate([[0], np.cumsum([len(clip) for clip in clips])])
    of = np.arange(len(clips)) if sources is None else np.array(sources)
    return find_copies(np.concatenate(clips), offsets, of)


@given(begin=st.integers(0, 30), count=st.integers(MIN_STEPS, 30), swapped=st.booleans())
@settings(max_examples=30, deadline=None)
def test_a_piece_is_found_where_it_was_cut(begin: int, count: int, swapped: bool) -> None:
    whole = make_numbers(1)
    clips = [whole, make_numbers(2), whole[begin : begin + count]]
    (found,) = find(*(reversed(clips) if swapped else clips))
    assert (found.first, found.second) == (0, 2)
    assert found.lag == (-begin if swapped else begin) / 10
    assert found.seconds == count / 10
    assert (found.sound, found.picture) == (1, 1)
    assert found.why == "sound and picture"


def test_sound_or_picture_alone_is_enough_and_said() -> None:
    first, other = make_numbers(1), make_numbers(2)
    same_sound = first & SOUND | other & ~SOUND
    same_picture = first & ~SOUND | other & SOUND
    (heard,) = find(first, same_sound)
    assert heard.why == "sound" and heard.sound == 1
    assert heard.picture is not None and 0.4 < heard.picture < 0.6
    (seen,) = find(first, same_picture)
    assert seen.why == "picture"


def test_signs_may_differ_up_to_the_bound() -> None:
    """All pictures are still; of the sound's signs 15 % or 40 % differ."""
    first = make_numbers(1) & SOUND
    (found,) = find(first, change_signs(first, 0.15))
    assert found.sound is not None and 0.8 < found.sound < 0.9
    assert found.picture is None
    assert find(first, change_signs(first, 0.4)) == []


def test_sound_that_agrees_less_counts_where_the_picture_agrees() -> None:
    """26 % of the sound's signs differ, beside the same picture, none, or another."""
    first, other = make_numbers(1), make_numbers(2)
    copy = change_signs(first, 0.26)
    (found,) = find(first, copy)
    assert found.why == "sound and picture"
    assert find(first & SOUND, copy & SOUND) == []
    assert find(first, copy & SOUND | other & ~SOUND) == []


def test_a_jingle_in_two_recordings_joins_them_not() -> None:
    """2 s of 20 s are the same."""
    first, second = make_numbers(1, 200), make_numbers(2, 200)
    second[:20] = first[:20]
    assert find(first, second) == []


def test_less_than_the_least_stretch_joins_nothing() -> None:
    whole = make_numbers(1)
    assert find(whole, whole[: MIN_STEPS - 1]) == []


def test_clips_of_one_source_and_clips_without_a_trace_are_no_copies() -> None:
    whole = make_numbers(1)
    assert find(whole, whole, sources=[5, 5]) == []
    assert find(np.zeros(50, np.int64), np.zeros(50, np.int64)) == []
    assert find(np.zeros(0, np.int64), np.zeros(3, np.int64)) == []


def test_many_copies_of_one_recording_hang_together() -> None:
    """More than are compared with each other."""
    number = 4 * WINDOW
    pairs = find(*[make_numbers(1)] * number)
    reached = {0}
    for pair in pairs:
        if pair.first in reached or pair.second in reached:
            reached |= {pair.first, pair.second}
    assert reached == set(range(number))


@pytest.mark.parametrize("most", [copies.MAX_KEYS, 400])
def test_keys_are_the_same_however_many_are_made_at_a_time(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Forty clips of any length, the second twenty copies of the first, some numbers empty."""
    lengths = np.random.default_rng(0).integers(0, 70, 20)
    first = [make_numbers(seed, length) for seed, length in enumerate(lengths)]
    for clip in first:
        clip[3::17] = 0
    monkeypatch.setattr(copies, "MAX_KEYS", most)
    whole = find(*first, *first)
    assert len(whole) > 5
    for piece in (1, 7, 64):
        monkeypatch.setattr(copies, "_PIECE", piece)
        assert find(*first, *first) == whole
