"""Heads that move as far and as fast as their person's."""

import numpy as np
import pytest

from zoo.motion.head_map import HeadMap


def make_nods(num_frames: int = 600, amplitude: float = 0.1, fps: int = 30) -> np.ndarray:
    """A pose (n, 6): every number a wave of 0.5 Hz about its own mean."""
    time = np.arange(num_frames) / fps
    return np.arange(6) + amplitude * np.sin(np.pi * time)[:, None]


def test_a_head_that_turns_half_as_far_turns_as_far_as_the_persons() -> None:
    """Twice as far about the mean; nothing trembles, so nothing is smoothed."""
    head = HeadMap.fit("ann", [make_nods(amplitude=0.05)], [make_nods()], fps=30)
    np.testing.assert_allclose(head.gains, 2)
    assert head.width == 0
    mapped = head.apply(make_nods(amplitude=0.05), np.arange(6))
    np.testing.assert_allclose(mapped, make_nods(), atol=1e-12)


def test_a_head_that_trembles_becomes_as_fast_as_the_persons() -> None:
    """Trembling of 0.03 rad from frame to frame is six times as fast as the nods of 0.1 rad."""
    trembling = make_nods() + 0.03 * np.random.default_rng(0).standard_normal((600, 6))
    head = HeadMap.fit("ann", [trembling], [make_nods()], fps=30)
    mapped = head.apply(trembling, np.arange(6))
    assert head.width > 0
    before, behind, real = (
        np.abs(np.diff(pose[:, :3], axis=0)).mean() for pose in (trembling, mapped, make_nods())
    )
    assert before > 4 * real
    assert behind == pytest.approx(real, rel=0.35)
    assert np.corrcoef(mapped[:, 0], make_nods()[:, 0])[0, 1] > 0.98


def test_no_head_is_scaled_without_bounds() -> None:
    still, wild = make_nods(amplitude=1e-6), make_nods(amplitude=100)
    np.testing.assert_allclose(HeadMap.fit("ann", [still], [make_nods()], fps=30).gains, 3)
    np.testing.assert_allclose(HeadMap.fit("ann", [wild], [make_nods()], fps=30).gains, 0.5)


def test_what_a_checkpoint_holds_is_the_same_map() -> None:
    head = HeadMap.fit("ann", [make_nods(amplitude=0.07)], [make_nods()], fps=25)
    again = HeadMap.from_state(head.to_state())
    assert (again.identity, again.width) == ("ann", head.width)
    np.testing.assert_array_equal(again.gains, head.gains)


def test_without_two_frames_there_is_nothing_to_learn_from() -> None:
    for made, real in (([], [make_nods()]), ([make_nods()], [make_nods(1)])):
        with pytest.raises(ValueError, match="no frames to learn from"):
            HeadMap.fit("ann", made, real, fps=30)
