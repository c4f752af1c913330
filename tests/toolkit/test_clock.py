"""The clock against loops that do what DESIGN says, one frame at a time."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.clock import (
    FRAME_RATES,
    SAMPLE_RATE,
    count_samples,
    find_stuck,
    frame_to_sample,
    show_frames,
)

Times = npt.NDArray[np.float64]
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


def hold(times: Times, first: int, last: int, fps: int) -> list[int]:
    """What a player shows: the last source frame that is at most 0.5 ms late."""
    return [
        max((i for i, time in enumerate(times) if time <= t / fps + 0.0005), default=-1)
        for t in range(first, last)
    ]


TIMES_MS = st.lists(st.integers(0, 4_000), min_size=1, max_size=60)


@given(TIMES_MS, RATES)
def test_whatever_the_times_a_frame_is_shown_within_half_a_clock_frame_of_them(
    times_ms: list[int], fps: int
) -> None:
    """From half a clock frame before its time to half a one after the next one's, in order."""
    times = np.sort(np.array(times_ms)) / 1000
    last = 4 * fps + 10
    shown = show_frames(times, 0, last, fps)
    assert shown.dtype == np.int64
    assert (np.diff(shown, prepend=-1) >= 0).all()
    after = np.append(times[1:], np.inf)
    for frame, index in enumerate(shown.tolist()):
        if index < 0:
            assert times[0] > frame / fps
        else:
            assert times[index] * fps - frame < 0.5
            assert frame - after[index] * fps < 0.5
    held = hold(times, 0, last, fps)
    assert len(set(shown.tolist())) >= len(set(held))


@given(TIMES_MS, st.integers(0, 100), st.integers(0, 100), RATES)
def test_what_a_frame_shows_does_not_depend_on_where_the_clip_lies(
    times_ms: list[int], first: int, num: int, fps: int
) -> None:
    times = np.sort(np.array(times_ms)) / 1000
    whole = show_frames(times, 0, 300, fps)
    part = show_frames(times, first, first + num, fps)
    assert part.tolist() == whole[first : first + num].tolist()


@pytest.mark.parametrize("fps", FRAME_RATES)
@pytest.mark.parametrize(
    "rate", [5, 10, 12.5, 15, 24_000 / 1001, 24, 25, 30_000 / 1001, 30, 50, 60]
)
def test_a_steady_rate_is_shown_as_players_do(rate: float, fps: int) -> None:
    for phase in np.linspace(0, 1, 7):
        times = np.arange(int(12 * rate)) / rate + phase / fps
        assert show_frames(times, 0, 12 * fps, fps).tolist() == hold(times, 0, 12 * fps, fps)


@pytest.mark.parametrize("fps", FRAME_RATES)
def test_a_millisecond_of_jitter_changes_nothing(fps: int) -> None:
    times = np.arange(199) / fps
    times[1::2] += 0.001
    assert show_frames(times, 0, 199, fps).tolist() == list(range(199))


@pytest.mark.parametrize("fps", FRAME_RATES)
@pytest.mark.parametrize("jitter", [0.001, 0.03, 0.2, 0.4, 0.499])
def test_jitter_under_half_a_frame_loses_no_frame_and_moves_none(jitter: float, fps: int) -> None:
    """On the clock's own frames: each is shown on its own one, less than half a frame off."""
    rng = np.random.default_rng(0)
    for _ in range(20):
        times = (np.arange(400) + rng.uniform(-jitter, jitter, 400)) / fps
        assert show_frames(times, 0, 400, fps).tolist() == list(range(400))


@pytest.mark.parametrize("rate", [10, 15, 20, 24, 25, 29, 30_000 / 1001, 30])
@pytest.mark.parametrize("jitter", [0.03, 0.1, 0.3, 0.49])
def test_jitter_under_half_a_frame_loses_none_wherever_the_source_begins(
    jitter: float, rate: float
) -> None:
    """But for one next to its end, where the frame that it would need is beyond the picture."""
    rng = np.random.default_rng(1)
    for start in np.linspace(1, 2, 20):
        times = np.arange(400) / rate + (start + rng.uniform(-jitter, jitter, 400)) / 30
        shown = show_frames(times, 0, int(times[-1] * 30) + 2, 30)
        assert set(range(385)) <= set(shown.tolist())
        assert len(set(shown.tolist()) - {-1}) >= 399


def test_a_source_that_is_too_fast_loses_only_what_it_must() -> None:
    """30.1 a second: one in 301, with jitter too."""
    rng = np.random.default_rng(2)
    times = np.arange(3010) / 30.1 + rng.uniform(-0.005, 0.005, 3010) + 0.05
    shown = show_frames(times, 0, 3010, 30)
    assert len(set(shown.tolist()) - {-1}) == pytest.approx(3000, abs=2)


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


# --- times that stand still ---------------------------------------------------------------------


def flag(times: Sequence[float] | npt.NDArray[np.float64]) -> list[int]:
    return np.flatnonzero(find_stuck(np.asarray(times, float))).tolist()


def test_frames_at_one_time_stand_still_but_for_the_first() -> None:
    """119 pictures, as many at the time of the last one, and ten that go on."""
    good = np.arange(119) / 30
    times = [*good, *[good[-1]] * 119, *(good[-1] + np.arange(1, 11) / 30)]
    assert flag(times) == list(range(119, 238))


@pytest.mark.parametrize("step", [0.0, 0.001, 0.0033])
def test_frames_that_follow_far_closer_than_others_stand_still(step: float) -> None:
    """A copy of joined recordings has them a tick apart; the limit is a tenth of 1/30 s."""
    good = np.arange(30) / 30
    assert flag([*good, *(good[-1] + step * np.arange(1, 101))]) == list(range(30, 130))


@pytest.mark.parametrize(("num", "found"), [(8, []), (9, list(range(30, 39)))])
def test_a_few_frames_at_one_time_are_usual(num: int, found: list[int]) -> None:
    good = np.arange(60) / 30
    assert flag([*good[:30], *[good[29]] * num, *good[30:]]) == found


@pytest.mark.parametrize(
    "times",
    [
        [0.0],
        [],
        np.arange(300) / 1000,
        np.arange(40) / 0.5,
        np.append(np.arange(300) / 30, 10 + np.arange(100) / 240),
        np.append(np.arange(300) / 4, 75 + np.arange(100) / 30),
    ],
    ids=["one", "none", "1000 a second", "slides", "30 and 240 a second", "4 and 30 a second"],
)
def test_no_rate_stands_still(times: Sequence[float]) -> None:
    assert flag(times) == []


def test_where_no_time_passes_all_frames_but_the_first_stand_still() -> None:
    assert flag([2.0] * 20) == list(range(1, 20))
