"""Clips at 25 a second, in windows that blink."""

import numpy as np
import pytest
import torch

from tests.zoo.models.blink_gan.blinking import (
    CLOSING,
    close,
    gather_clips,
    make_clip,
    make_face,
)
from toolkit.errors import ToolkitError
from zoo.landmarks.statistics import take_eyes
from zoo.models.blink_gan.windows import (
    EyeWindows,
    count_blinks,
    measure_ear,
    measure_range,
    resample_clip,
)

LID = take_eyes(np.eye(136)[2 * 37 + 1]).argmax()
"""Of the 44 numbers: y of an upper lid's point."""


@pytest.mark.parametrize(
    ("fps", "frames", "ticks"), [(25, 75, 75), (30, 90, 75), (30, 89, 75), (30, 88, 74), (50, 2, 1)]
)
def test_ticks_begin_before_the_clip_ends(fps: int, frames: int, ticks: int) -> None:
    """A sentence of GRID, 3 s less a frame at 30 a second, is a window."""
    clip = resample_clip(make_clip(np.zeros(frames), fps), make_face())
    assert clip.displacements.shape == (ticks, 44)


def test_ticks_lie_between_frames_by_their_time() -> None:
    """Tick 1 at 30 a second is frame 1.2; the last one has no frame behind it."""
    shut = np.linspace(0, 1, 8)  # at 7/30 s
    clip = resample_clip(make_clip(shut, 30), make_face())
    expected = CLOSING * np.minimum(np.arange(7) * 1.2, 7) / 7
    np.testing.assert_allclose(clip.displacements[:, LID], expected, atol=1e-6)


def test_a_tick_is_measured_where_both_its_frames_are() -> None:
    """Frame 2 is not, and so neither are ticks 1 (frames 1, 2) and 2 (frames 2, 3)."""
    source = make_clip(np.zeros(12), 30)
    source.valid[2] = False
    assert resample_clip(source, make_face()).valid.tolist() == [True] + 2 * [False] + 7 * [True]


def test_the_aspect_ratio_is_height_over_width() -> None:
    """Eyes 0.06 high and 0.2 wide, open and half closed, the left one alone."""
    moved = np.zeros((2, 68, 2))
    moved[1, [43, 44], 1] = 0.03
    expected = [[0.3, 0.3], [0.15, 0.3]]
    np.testing.assert_allclose(measure_ear(take_eyes(moved), make_face()), expected)


def test_blinks_are_counted_by_the_second() -> None:
    """Two in 10 s; each reaches over the frames with more than a tenth of it."""
    clip = make_clip(close(250, 25, [3.0, 7.0], 0.4))
    figures = count_blinks([resample_clip(clip, make_face()).ear])
    assert figures.rate == pytest.approx(0.2)
    assert figures.durations == (7 / 25, 7 / 25)  # a half cosine of ±5 frames is 0.095 at ±4


def test_half_of_the_windows_blink_where_few_do() -> None:
    """One blink in a minute, whole in 5 % of the windows."""
    windows = EyeWindows(gather_clips(make_clip(close(1500, 25, [30.0], 0.4))), make_face())
    assert windows.blinks.mean() < 0.05
    drawn = windows.draw(2000, 0.5, np.random.default_rng(0))
    assert windows.blinks[drawn].mean() == pytest.approx(0.5, abs=0.04)
    lowest = windows.gather(drawn[windows.blinks[drawn]])[:, :, LID].amax(dim=1)
    torch.testing.assert_close(lowest, torch.full_like(lowest, CLOSING))


def test_windows_that_blink_often_are_drawn_as_they_are() -> None:
    """No fewer of them than there are."""
    clip = make_clip(close(1500, 25, np.arange(0.5, 60, 1.5), 0.4))
    windows = EyeWindows(gather_clips(clip), make_face())
    assert windows.blinks.all()
    assert len(np.unique(windows.draw(500, 0.5, np.random.default_rng(0)))) > 300


def test_no_window_has_a_frame_that_was_not_measured() -> None:
    """Of 160 ticks without number 80 there are 6 before and 5 behind."""
    clip = make_clip(np.zeros(160))
    clip.valid[80] = False
    windows = EyeWindows(gather_clips(clip), make_face())
    assert len(windows) == 6 + 5


def test_clips_that_are_too_short_are_refused_with_the_longest() -> None:
    with pytest.raises(ToolkitError, match=r"no clip has 3 s .* longest clip is 2\.9 s"):
        EyeWindows(gather_clips(make_clip(np.zeros(72)), make_clip(np.zeros(50))), make_face())


def test_the_range_is_that_of_windows() -> None:
    low, high = measure_range(torch.tensor([[[0.0], [2.0]], [[-1.0], [0.0]]]))
    assert (low.item(), high.item()) == (-0.5, 1.0)
