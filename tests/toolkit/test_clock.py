"""The clock against loops that do what DESIGN says, one frame at a time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.clock import FRAME_RATES, SAMPLE_RATE, count_samples, frame_to_sample, show_frames

RATES = st.sampled_from(FRAME_RATES)
FRAMES = st.integers(0, 10**7)


def test_one_second_is_16000_samples_at_every_rate() -> None:
    assert [frame_to_sample(fps, fps) for fps in FRAME_RATES] == [16_000, 16_000]
    assert [frame_to_sample(n, 30) for n in range(4)] == [0, 533, 1066, 1600]
    assert [frame_to_sample(n, 25) for n in range(3)] == [0, 640, 1280]


@given(FRAMES, FRAMES, FRAMES, RATES)
def test_samples_of_neighbouring_clips_tile(start: int, first: int, second: int, fps: int) -> None:
    together = count_samples(start, first + second, fps)
    assert count_samples(start, first, fps) + count_samples(start + first, second, fps) == together


@given(FRAMES, RATES)
def test_a_frame_holds_the_samples_of_its_period_to_within_one(frame: int, fps: int) -> None:
    count = count_samples(frame, 1, fps)
    assert count in (SAMPLE_RATE // fps, -(-SAMPLE_RATE // fps))
    assert 0 <= frame * SAMPLE_RATE - frame_to_sample(frame, fps) * fps < fps


@given(
    st.lists(st.integers(0, 4_000), min_size=1, max_size=60),
    st.integers(0, 60),
    st.integers(0, 80),
    RATES,
)
def test_the_frame_shown_is_the_last_that_is_not_late(
    times_ms: list[int], first: int, num: int, fps: int
) -> None:
    times = np.sort(np.array(times_ms)) / 1000
    shown = show_frames(times, first, first + num, fps)
    assert shown.dtype == np.int64
    assert shown.tolist() == [
        max((i for i, time in enumerate(times) if time <= t / fps + 0.0005), default=-1)
        for t in range(first, first + num)
    ]


@pytest.mark.parametrize("fps", FRAME_RATES)
def test_a_source_at_the_clock_s_own_rate_shows_every_frame_once(fps: int) -> None:
    exact = np.arange(18_000) / fps
    for times in (exact, np.round(exact, 3), np.round(exact * 90_000) / 90_000):
        assert show_frames(times, 0, 18_000, fps).tolist() == list(range(18_000))


def test_25_a_second_on_a_clock_of_30_repeats_one_frame_in_six() -> None:
    shown = show_frames(np.arange(50) / 25, 0, 60, 30)
    assert shown[:12].tolist() == [0, 0, 1, 2, 3, 4, 5, 5, 6, 7, 8, 9]
    assert np.bincount(shown).tolist() == [2, 1, 1, 1, 1] * 10


def test_60_a_second_on_a_clock_of_30_drops_every_other_frame() -> None:
    assert show_frames(np.arange(60) / 60, 0, 30, 30).tolist() == list(range(0, 60, 2))


def test_nothing_is_shown_before_the_first_frame() -> None:
    assert show_frames(np.array([0.1]), 0, 5, 30).tolist() == [-1, -1, -1, 0, 0]
