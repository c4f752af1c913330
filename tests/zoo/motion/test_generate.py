"""Long generation: where windows lie, what they see, what becomes of their states; motion.npz."""

import dataclasses
import gc
import pickle
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from toolkit import storage
from toolkit.errors import StorageError, ToolkitError
from zoo.data import AU45, EXPRESSION, POSE, WINDOW, Normalisation
from zoo.metrics.continuity import measure_drift, measure_seams
from zoo.motion.generate import clip_au45, generate_motion, list_starts, smooth_motion
from zoo.motion.motion_file import load_motion, save_motion

IDENTITY = Normalisation(
    kind="split",
    audio_mean=np.zeros(29, np.float32),
    audio_scale=np.ones(29, np.float32),
    pose_scale=np.ones(6, np.float32),
    expression_scale=1.0,
)
LEVEL = np.zeros(6, np.float32)


def number_audio(num_frames: int) -> np.ndarray:
    """Audio (n, 29) whose first symbol is the number of the frame, from 1."""
    audio = np.zeros((num_frames, 29), np.float32)
    audio[:, 0] = np.arange(1, num_frames + 1)
    return audio


class Positions(nn.Module):
    """Says in every frame which audio frame it is at, and what its window was given.

    Expression 0: the audio frame's number; 1: that of the first of its local window; 2: that of
    the last; 3: expression 0 of the state; 4: frames of the window that were made before it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.calls = list[tuple[torch.Size, torch.Size]]()

    def forward(self, audio: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
        assert not self.training
        assert not torch.is_grad_enabled()
        self.calls.append((audio.shape, state.shape))
        num_frames = audio.shape[1] - 15
        motion = torch.zeros(len(audio), num_frames, 71)
        motion[..., 0] = audio[:, 8 : 8 + num_frames, 0]
        motion[..., 1] = audio[:, :num_frames, 0]
        motion[..., 2] = audio[:, 15:, 0]
        motion[..., 3] = state[:, 0, None]
        motion[..., 4] = torch.arange(num_frames)
        return motion


class Chain(nn.Module):
    """Counts on from its state: frame k of a window is the state plus k plus a jump after 0."""

    def __init__(self, jump: float = 0.0) -> None:
        super().__init__()
        self.jump = jump

    def forward(self, audio: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
        steps = torch.arange(audio.shape[1] - 15)
        steps = steps + self.jump * (steps > 0)
        return state[:, None] + steps[None, :, None]


def run(network: nn.Module, num_frames: int, **options: object) -> np.ndarray:
    """Motion of a fake network for numbered audio."""
    return generate_motion(
        network,
        IDENTITY,
        number_audio(num_frames),
        pose_mean=LEVEL,
        **options,  # type: ignore[arg-type]
    )


# --- windows ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("num_frames", "starts"),
    [
        (1, [0]),
        (127, [0]),
        (128, [0]),
        (129, [0, 1]),
        (200, [0, 72]),
        (255, [0, 127]),
        (256, [0, 127, 128]),
        (382, [0, 127, 254]),
        (500, [0, 127, 254, 372]),
    ],
)
def test_windows_start_every_127_frames_and_the_tail_ends_with_the_audio(
    num_frames: int, starts: list[int]
) -> None:
    """No window twice where the last one ends with the audio."""
    assert list_starts(num_frames) == starts


@given(num_frames=st.integers(1, 600))
def test_audio_of_any_length_has_motion_for_each_of_its_frames(num_frames: int) -> None:
    """Each at its own audio, with its own neighbours, zeros only beyond the audio's ends."""
    network = Positions()
    motion = run(network, num_frames)
    numbers = np.arange(1, num_frames + 1)
    assert motion.shape == (num_frames, 71)
    np.testing.assert_array_equal(motion[:, 0], numbers)
    np.testing.assert_array_equal(motion[:, 1], np.maximum(numbers - 8, 0))
    expected = np.where(numbers + 7 > num_frames, 0, numbers + 7)
    np.testing.assert_array_equal(motion[:, 2], expected)
    assert set(network.calls) == {((1, WINDOW + 15, 29), (1, 71))}


@given(num_frames=st.integers(129, 600))
def test_every_window_is_given_the_motion_that_stands_at_its_first_frame(num_frames: int) -> None:
    """And keeps it there; half a second later all is its own."""
    motion = run(Positions(), num_frames)
    starts = np.array(list_starts(num_frames))
    frames = np.arange(num_frames)
    window = np.maximum(np.searchsorted(starts, frames) - 1, 0)  # a shared frame is the former's
    place = frames - starts[window]
    own = np.where(window, starts[window] + 1, 0)  # what its state says the frame's number is
    late = (place >= 16) | (window == 0)
    np.testing.assert_array_equal(motion[late, 3], own[late])
    np.testing.assert_array_equal(motion[late, 4], place[late])
    for first in np.flatnonzero(place == 1)[1:]:
        stood = motion[first - 1, 4]  # of the window before, where this one's own is 0
        some = motion[window == window[first], 4][:15]
        missed = some - np.arange(1, len(some) + 1)
        assert (np.diff(missed) <= 0).all()
        assert missed[0] == pytest.approx(stood * (0.5 + 0.5 * np.cos(np.pi / 16)))
        assert len(some) < 8 or missed[7] == pytest.approx(stood / 2)


def test_what_a_window_adds_goes_on_from_the_one_before() -> None:
    """A network that counts from its state counts on without a break; the tail starts over."""
    motion = run(Chain(), 500)
    np.testing.assert_array_equal(motion[:, 0], np.arange(500))


def test_short_audio_is_one_window_that_is_cut_off() -> None:
    """The released code gives zeros for fewer than 128 frames."""
    np.testing.assert_array_equal(run(Chain(), 5)[:, 0], np.arange(5))


def test_no_audio_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="no audio"):
        run(Chain(), 0)


# --- states and units ---------------------------------------------------------------------------


def test_rest_is_the_mean_pose_with_a_neutral_face_and_open_eyes() -> None:
    """Which is what the first frame is given where no state is."""
    mean = np.array([0.1, -0.2, 0.3, 10, 20, 700], np.float32)
    motion = generate_motion(Chain(), IDENTITY, number_audio(3), pose_mean=mean)
    np.testing.assert_array_equal(motion[0, POSE], mean)
    assert not motion[0, EXPRESSION].any()
    assert motion[0, 70] == 0


def test_motion_begins_with_the_state_it_is_given() -> None:
    state = np.linspace(0, 1, 71, dtype=np.float32)
    motion = run(Chain(), 3, state=state)
    np.testing.assert_allclose(motion[0, EXPRESSION], state[EXPRESSION])
    with pytest.raises(ValueError, match=r"\(70,\)"):
        run(Chain(), 3, state=state[:70])


class Misses(nn.Module):
    """Never begins with its state: 3 everywhere, of any audio."""

    def forward(self, audio: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
        return torch.full((len(audio), audio.shape[1] - 15, 71), 3.0)


@pytest.mark.parametrize("smooth", [False, True])
@pytest.mark.parametrize("num_frames", [1, 9, 200])
def test_what_the_first_window_misses_its_state_by_fades_out_in_half_a_second(
    num_frames: int, smooth: bool
) -> None:
    """As at a seam: all at frame 0, half at frame 8, none from 16 on; without a state as it is."""
    state = np.ones(71, np.float32)
    state[70] = 0.5
    motion = run(Misses(), num_frames, state=state, smooth=smooth)
    share = 0.5 + 0.5 * np.cos(np.pi * np.minimum(np.arange(num_frames) / 16, 1))
    np.testing.assert_allclose(motion[:, :70], np.tile(3 - 2 * share[:, None], 70), atol=1e-5)
    np.testing.assert_allclose(motion[:, 70], 3 - 2.5 * share, atol=1e-5)
    np.testing.assert_allclose(run(Misses(), num_frames)[:, :70], 3)


def test_without_fading_windows_stand_as_the_network_makes_them() -> None:
    """3 everywhere, whatever they should begin with; with it half way between at frame 8."""
    state = np.ones(71, np.float32)
    for fade, level in ((True, 2), (False, 3)):
        motion = run(Misses(), 200, state=state, fade=fade)
        np.testing.assert_allclose(motion[8, :70], level, rtol=1e-6)
    jumps = run(Chain(1.0), 200, fade=False)
    np.testing.assert_array_equal(jumps[72:75, 0] - jumps[72, 0], [0, 2, 3])


def test_motion_comes_in_stored_units_from_standardised_audio() -> None:
    """Audio less 3 over 2; expression × 4, pose × 5 about its mean, AU45 as it is."""
    normalisation = Normalisation(
        kind="split",
        audio_mean=np.full(29, 3, np.float32),
        audio_scale=np.full(29, 2, np.float32),
        pose_scale=np.full(6, 5, np.float32),
        expression_scale=4.0,
    )

    class Echo(nn.Module):
        def forward(self, audio: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
            return audio[:, 8:-7, :1].expand(-1, -1, 71)

    audio = np.full((2, 29), 4, np.float32)  # 0.5 standardised
    mean = np.arange(6, dtype=np.float32)
    motion = generate_motion(Echo(), normalisation, audio, pose_mean=mean)
    np.testing.assert_allclose(motion[:, EXPRESSION], 2)
    np.testing.assert_allclose(motion[:, POSE], np.tile(2.5 + mean, (2, 1)))
    np.testing.assert_allclose(motion[:, 70], 0.5)


def test_motion_of_the_official_kind_needs_a_deviation_of_the_pose() -> None:
    """Its pose is in deviations of each clip."""
    normalisation = dataclasses.replace(IDENTITY, kind="clip")
    deviation = np.full(6, 3, np.float32)
    options = {"pose_mean": LEVEL, "pose_deviation": deviation}
    motion = generate_motion(Chain(), normalisation, number_audio(3), **options)
    np.testing.assert_allclose(motion[:, 64], [0, 3, 6])


def test_au45_is_clipped_to_its_range_and_nothing_else_is() -> None:
    """0 to 5, also after smoothing, which may overshoot."""
    motion = np.random.default_rng(0).normal(0, 10, (50, 71)).astype(np.float32)
    clipped = clip_au45(motion)
    assert clipped[:, 70].min() == 0
    assert clipped[:, 70].max() == 5
    np.testing.assert_array_equal(clipped[:, :70], motion[:, :70])
    assert motion[:, 70].min() < 0  # the caller's array is left alone
    assert run(Chain(), 300)[:, 70].max() == 5
    assert run(Chain(), 300, smooth=True)[:, 70].max() == 5


def test_generation_is_the_same_every_time_and_leaves_the_network_as_it_was() -> None:
    """Batch norm and dropout run in eval mode, and no statistic moves."""

    class Noisy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm1d(29)
            self.drop = nn.Dropout(0.5)
            self.dense = nn.Linear(29, 71)

        def forward(self, audio: torch.Tensor, state: torch.Tensor) -> torch.Tensor:
            x = self.drop(self.norm(audio.transpose(1, 2)).transpose(1, 2))
            return self.dense(x[:, 8:-7]) + 0.5 * state[:, None]

    network = Noisy()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    first, second = run(network, 300), run(network, 300)
    np.testing.assert_array_equal(first, second)
    assert network.training
    assert all(torch.equal(before[name], t) for name, t in network.state_dict().items())


# --- smoothing ----------------------------------------------------------------------------------


def test_smoothing_does_not_delay() -> None:
    """An impulse stays centred and symmetric, with the published weights of degree 3, 7 points.

    Savitzky and Golay (1964), table I: (−2, 3, 6, 7, 6, 3, −2) / 21. The released code's pose
    filter leads by 0.87 frames.
    """
    motion = np.zeros((41, 71), np.float32)
    motion[20] = 21
    smooth = smooth_motion(motion)
    expected = np.zeros(41)
    expected[17:24] = [-2, 3, 6, 7, 6, 3, -2]
    np.testing.assert_allclose(smooth, np.tile(expected[:, None], 71), atol=1e-5)


@pytest.mark.parametrize("num_frames", range(1, 12))
def test_smoothing_keeps_a_straight_line_of_any_length(num_frames: int) -> None:
    """At the ends too."""
    line = np.arange(num_frames, dtype=np.float32)[:, None].repeat(71, axis=1)
    np.testing.assert_allclose(smooth_motion(line), line, atol=1e-5)


def test_smoothing_calms_what_trembles() -> None:
    """White noise keeps the sum of the squared weights, 147 / 441 of its power."""
    noise = np.random.default_rng(0).normal(size=(20_000, 71)).astype(np.float32)
    assert smooth_motion(noise).var() == pytest.approx(1 / 3, rel=0.01)


# --- seams and drift ----------------------------------------------------------------------------


def test_seams_of_even_motion_make_no_difference() -> None:
    """A line that goes on: every step is the same; its bends are all 0."""
    seams = measure_seams(run(Chain(), 1000)[:, :71], list_starts(1000)[1:])
    assert seams["expression"].velocity == pytest.approx(1)
    assert seams["expression"].peak == pytest.approx(1)
    assert seams["expression"].acceleration == 1


def test_a_jump_at_seams_is_measured() -> None:
    """Steps of 1 elsewhere and of 3 at each seam; bends of 2 at seams alone."""
    jumps = Chain(jump=2.0)
    motion = run(jumps, 127 * 5 + 1)[1:]  # the first window jumps too, behind the state
    seams = [start - 1 for start in list_starts(127 * 5 + 1)[1:]]
    found = measure_seams(motion, seams)["rotation"]
    assert found.velocity == pytest.approx(3)
    assert found.peak == pytest.approx(3)
    assert found.acceleration == float("inf")


def test_steps_and_bends_at_seams_are_worked_out_by_hand() -> None:
    """Of 0 1 2 3 | 7 8 10 12: steps 1 1 1 4 1 2 2, bends 0 0 3 −3 1 0; the seam is the 4."""
    motion = np.zeros((8, 71))
    motion[:, 70] = [0, 1, 2, 3, 7, 8, 10, 12]
    found = measure_seams(motion, [3])["au45"]
    assert found.velocity == pytest.approx(4 / np.sqrt((1 + 1 + 1 + 1 + 4 + 4) / 6))
    assert found.acceleration == pytest.approx(3 / np.sqrt((0 + 0 + 1 + 0) / 4))
    assert found.peak == pytest.approx(2)


def test_random_motion_without_windows_shows_no_seams() -> None:
    """Both ratios are near 1 where seams are laid at random frames."""
    motion = np.random.default_rng(1).normal(size=(18_000, 71)).cumsum(axis=0)
    for found in measure_seams(motion, list_starts(18_000)[1:]).values():
        assert found.velocity == pytest.approx(1, abs=0.15)
        assert found.acceleration == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("seams", [[], [0], [8]])
def test_seams_out_of_range_are_a_mistake_of_the_caller(seams: list[int]) -> None:
    with pytest.raises(ValueError, match="seams"):
        measure_seams(np.zeros((10, 71)), seams)


def test_drift_compares_the_first_minute_with_the_last() -> None:
    """At 10 fps: a wave of deviation √½ that moves up by 3 and doubles in the last minute."""
    wave = np.sin(2 * np.pi * np.arange(600) / 20)
    column = np.concatenate([wave, np.zeros(777), 3 + 2 * wave])
    motion = np.tile(column[:, None], 71)
    for found in measure_drift(motion, 10).values():
        np.testing.assert_allclose(found.first_mean, 0, atol=1e-9)
        np.testing.assert_allclose(found.last_mean, 3)
        np.testing.assert_allclose(found.first_range, 2)
        np.testing.assert_allclose(found.last_range, 4)
        assert found.shift == pytest.approx(3 / np.sqrt(0.5))
        assert found.range_ratio == pytest.approx(2)


def test_drift_needs_two_stretches() -> None:
    with pytest.raises(ValueError, match="two stretches"):
        measure_drift(np.zeros((1199, 71)), 10)


# --- motion.npz ---------------------------------------------------------------------------------


def test_a_motion_file_gives_back_what_was_saved(tmp_path: Path) -> None:
    motion = np.random.default_rng(0).normal(size=(20, 71)).astype(np.float32)
    save_motion(tmp_path / "motion.npz", motion, 25)
    found = load_motion(tmp_path / "motion.npz")
    np.testing.assert_array_equal(found.motion, motion)
    assert found.fps == 25


def test_a_motion_file_has_named_arrays_with_units_and_no_pickles(tmp_path: Path) -> None:
    """Anyone may read it with numpy alone."""
    motion = np.arange(2 * 71, dtype=np.float32).reshape(2, 71)
    save_motion(tmp_path / "motion.npz", motion, 30)
    with np.load(tmp_path / "motion.npz", allow_pickle=False) as file:
        content = {name: file[name] for name in file.files}
    assert content["expression"].shape == (2, 64)
    assert content["pose"].shape == (2, 6)
    assert content["au45"].tolist() == [70, 141]
    assert content["fps"] == 30
    assert content["layout"] == "expression64-pose6-au45-1/v1"
    units = dict(content["units"].tolist())
    assert set(units) == set(content) - {"layout", "units"}
    assert "rad" in units["pose"]
    assert "mm" in units["pose"]


def test_the_same_motion_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz"):
        save_motion(tmp_path / name, np.ones((3, 71)), 30)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.npz", "b.npz"]


def write_text(path: Path) -> None:
    path.write_text("no archive")


def write_pickle(path: Path) -> None:
    np.savez(path, layout=np.array([print], object))


def write_bare_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps([1, 2]))


def write_other(path: Path) -> None:
    np.savez(path, voices=np.ones(3))


def write_half(path: Path) -> None:
    save_motion(path, np.ones((30, 71)), 30)
    path.write_bytes(path.read_bytes()[:3000])


def write_layout(path: Path) -> None:
    arrays = {"expression": np.ones((2, 64)), "pose": np.ones((2, 6)), "au45": np.ones(2)}
    np.savez(path, **arrays, fps=30, layout=np.array("pose6-au45-1-expression64/v0"))


@pytest.mark.parametrize(
    ("write", "complaint"),
    [
        (lambda path: None, "no such motion"),
        (write_text, "damaged"),
        (write_pickle, "damaged"),
        (write_bare_pickle, "damaged"),
        (write_other, "damaged"),
        (write_half, "damaged"),
        (write_layout, "layout pose6"),
    ],
)
def test_what_is_no_motion_is_one_clear_error(
    tmp_path: Path, write: Callable[[Path], None], complaint: str
) -> None:
    """Missing, text, pickles, another archive, cut off, another layout: it names the file."""
    path = tmp_path / "motion.npz"
    write(path)
    with pytest.raises(ToolkitError, match=complaint) as error:
        load_motion(path)
    assert "motion.npz" in str(error.value)


def test_motion_of_another_width_is_not_saved(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="70"):
        save_motion(tmp_path / "motion.npz", np.ones((3, 70)), 30)


# --- speed --------------------------------------------------------------------------------------


def test_everything_but_the_network_makes_ten_minutes_in_a_few_seconds() -> None:
    """18,000 frames; a thousand a second would take 18 s, and most of that is the network's."""
    audio = np.random.default_rng(0).normal(size=(18_000, 29)).astype(np.float32)
    began = time.process_time()
    motion = generate_motion(Positions(), IDENTITY, audio, pose_mean=LEVEL, smooth=True)
    assert motion.shape == (18_000, 71)
    assert time.process_time() - began < 4
    assert not np.isnan(motion[:, AU45]).any()


def test_a_full_disk_is_one_error_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing complains once more when it is thrown away."""
    monkeypatch.setattr(storage, "_remove_foreign", lambda path: None)  # links stand for the disk
    (tmp_path / ".motion.npz.tmp").symlink_to("/dev/full")
    with pytest.raises(StorageError, match=r"motion\.npz: cannot be written: the disk is full"):
        save_motion(tmp_path / "motion.npz", np.ones((3000, 71)), 30)
    assert list(tmp_path.iterdir()) == []
    gc.collect()
