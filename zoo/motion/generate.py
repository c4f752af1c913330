"""Motion for audio of any length, window by window.

Windows of T = 128 frames start at 0, 127, 254, …: frame 0 of a window is the last frame of the one
before, whose motion is the window's initial state; the state term of the loss (FACIAL, eq. 5)
trains the network to begin there. What it misses the state by is taken off the window's first half
second, all of it at frame 0 and then ever less, so that no step is seen. What the first window
misses a state by that was given is faded out likewise, at the end. What is left at the end
is done by a window that starts at n − 128 with the state that stands there, and replaces what
follows. A seam is the step from frame s to s + 1 of a window that starts at s. Shorter audio is
one window, with zeros after the standardised audio. Of all this the paper has the state alone; the
fade can be left out.

Legend: n frames, T of a window, A numbers of speech features.
"""

import contextlib
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import torch
from scipy.signal import savgol_filter
from torch import nn

from toolkit.mesh import MAX_AU45
from zoo.data import AU45, CONTEXT, MOTION_SIZE, WINDOW, Normalisation, pad_audio

Motion = npt.NDArray[np.float32]

FADED_FRAMES = 16
"""How long a window's miss of its state is faded out, from its first frame on."""

SMOOTHED_FRAMES = 7
SMOOTHED_ORDER = 3
"""Savitzky–Golay filter of the released FACIAL code."""


def list_starts(num_frames: int, window: int = WINDOW) -> list[int]:
    """First frames of the windows of T frames that cover so many; all but the first are seams.

    Raises:
        ValueError: no frames.
    """
    if num_frames < 1:
        raise ValueError("no audio to make motion for")
    last = max(0, num_frames - window)
    starts = list(range(0, last + 1, window - 1))
    return starts if starts[-1] == last else [*starts, last]


def generate_motion(
    network: nn.Module,
    normalisation: Normalisation,
    audio: npt.ArrayLike,
    *,
    pose_mean: npt.ArrayLike,
    pose_deviation: npt.ArrayLike | None = None,
    state: npt.ArrayLike | None = None,
    smooth: bool = False,
    fade: bool = True,
    window: int = WINDOW,
) -> Motion:
    """Motion for the whole of an audio; the same every time.

    Args:
        network: from `(1, T + 15, A)` standardised audio and `(1, 71)` normalised state to
            `(1, T, 71)` normalised motion, all float32 on the network's device; it is run in eval
            mode and left as it was.
        normalisation: that the network was trained with.
        audio: (n, A) as shards store it.
        pose_mean: (6,) rad, mm: the mean pose to move about, an identity's or a clip's.
        pose_deviation: (6,) the same's deviation, for a normalisation of kind `clip`.
        state: (71,) normalised motion of frame 0, as a frame of `normalise_motion`: the motion
            begins with it. None begins near the identity's rest: mean pose, neutral expression,
            open eyes.
        smooth: apply `smooth_motion`.
        fade: take what a window misses its state by off its first half second; False: windows
            stand beside each other as the network makes them.
        window: T.

    Returns:
        (n, 71) float32 in stored units, AU45 within 0 to 5.

    Raises:
        ValueError: no frames, or a state of another shape.
    """
    standardised = normalisation.normalise_audio(np.asarray(audio, np.float32))
    first = np.zeros(MOTION_SIZE, np.float32) if state is None else np.asarray(state, np.float32)
    if first.shape != (MOTION_SIZE,):
        raise ValueError(f"state of shape {first.shape}, not ({MOTION_SIZE},)")
    normalised = _run_windows(network, standardised, first, window, fade=fade)
    deviation = None if pose_deviation is None else np.asarray(pose_deviation, np.float32)
    mean = np.asarray(pose_mean, np.float32)
    motion = normalisation.denormalise_motion(normalised, mean, deviation)
    motion = smooth_motion(motion) if smooth else np.asarray(motion, np.float32)
    if state is not None and fade:
        motion = begin_with(motion, normalisation.denormalise_motion(first[None], mean, deviation))
    return clip_au45(motion)


def begin_with(motion: npt.ArrayLike, first: npt.ArrayLike) -> Motion:
    """Motion (n, 71) that begins with a frame (71,), all of it its own after `FADED_FRAMES`."""
    begun = np.array(motion, np.float32)
    fade = _make_fade(FADED_FRAMES)[: len(begun)]
    begun[: len(fade)] += fade[:, None] * (np.asarray(first, np.float32) - begun[0])
    return begun


def smooth_motion(motion: npt.ArrayLike) -> Motion:
    """Motion (n, 71) without its fastest trembling, not delayed: a symmetric Savitzky–Golay filter.

    Polynomials of degree 3 over 7 frames, at the ends those of the outer 7; audio of fewer frames
    takes the largest odd number of them, and below 5 nothing is smoothed.
    """
    values = np.asarray(motion, np.float32)
    length = min(SMOOTHED_FRAMES, len(values) - 1 + len(values) % 2)
    if length <= SMOOTHED_ORDER:
        return values.copy()
    return np.asarray(savgol_filter(values, length, SMOOTHED_ORDER, axis=0), np.float32)


def clip_au45(motion: Motion) -> Motion:
    """A copy of motion (n, 71) in stored units whose AU45 is within 0 to 5."""
    clipped = motion.copy()
    clipped[:, AU45] = np.clip(motion[:, AU45], 0, MAX_AU45)
    return clipped


def _run_windows(
    network: nn.Module, audio: Motion, state: Motion, window: int, *, fade: bool
) -> Motion:
    """Normalised motion (n, 71) from standardised audio (n, A) and the state (71,) of frame 0."""
    num_frames = len(audio)
    starts = list_starts(num_frames, window)
    silence = np.zeros((max(0, window - num_frames), audio.shape[1]), np.float32)
    padded = pad_audio(np.concatenate([audio, silence]))
    device = next((p.device for p in network.parameters()), torch.device("cpu"))
    speech = torch.from_numpy(padded).to(device)
    reach = window + sum(CONTEXT)
    motion = torch.empty((max(num_frames, window), len(state)), device=device)
    now = torch.from_numpy(state).to(device)
    share = torch.from_numpy(_make_fade(window)).to(device)
    with _evaluating(network):
        for start in starts:
            made = network(speech[None, start : start + reach], now[None])[0].float()
            if start and fade:
                made += share[:, None] * (now - made[0])
            motion[start : start + window] = made
            now = _find_state(motion, start, num_frames, window)
    return motion[:num_frames].cpu().numpy()


def _make_fade(window: int) -> npt.NDArray[np.float32]:
    """(T,) share of a window's miss of its state that is taken off each of its frames: 1 to 0."""
    time = np.clip(np.arange(window) / FADED_FRAMES, 0, 1)
    return np.asarray(0.5 + 0.5 * np.cos(np.pi * time), np.float32)


def _find_state(motion: torch.Tensor, start: int, num_frames: int, window: int) -> torch.Tensor:
    """Motion at the first frame of the window that follows the one from `start`."""
    following = min(start + window - 1, max(0, num_frames - window))
    return motion[following].clone()


@contextlib.contextmanager
def _evaluating(network: nn.Module) -> Iterator[None]:
    was_training = network.training
    network.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        network.train(was_training)
