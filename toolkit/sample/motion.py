"""What the heads of the samples do: random curves for pose, lids and mouth, one value a frame."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from toolkit.clock import SAMPLE_RATE, frame_to_sample
from toolkit.schema import Blink

Curve = npt.NDArray[np.float64]

TURN_CENTRE = (-5.0, 0.0, 0.0)
"""Mean turn from the portrait, which looks down a little, in pitch, yaw and roll, degrees."""

TURN_LIMITS = (12.0, 20.0, 12.0)
"""Most by which pitch, yaw and roll depart from that, degrees."""

SHIFT_LIMITS = (8.0, 6.0, 25.0)
"""Most by which the neck moves along x, y and z, mm."""

BLINK_RATE = 0.3
"""Blinks per second."""

BLINK_SECONDS = (0.1, 0.4)
"""Shortest and longest blink, at half its intensity."""

LONG_SECONDS = (0.9, 1.6)
"""Shortest and longest closure that is not a blink."""

_SHORTEST_GAP = 0.45
"""Seconds between the half intensities of two closures, at least."""

_LONG_SHARE, _LOWERED_SHARE = 0.2, 0.3
"""Share of clips with one long closure, with one look down; each needs 4 seconds."""


@dataclass(frozen=True, kw_only=True)
class Lids:
    """Lid closure of one clip, and what it is made of.

    Attributes:
        closure: (n,) 0 as open as in the portrait, 1 closed.
        blinks: onset, apex and offset frames, the ends inclusive, at closure 0.5.
        long_closures: the same for closures that last too long to be blinks.
        lowered: frames of half-lowered lids, closure never over 0.4, while looking down.
    """

    closure: Curve
    blinks: tuple[Blink, ...]
    long_closures: tuple[Blink, ...]
    lowered: tuple[Blink, ...]


def draw_turns(rng: np.random.Generator, num_frames: int, fps: int) -> tuple[Curve, Curve]:
    """Smooth random turns (n, 3) in rad and shifts (n, 3) in mm, within the limits above."""
    slow = _draw_smooth(rng, num_frames, 6, 0.8 * fps)
    quick = _draw_smooth(rng, num_frames, 6, 0.2 * fps)
    unit = np.tanh(0.75 * slow + 0.12 * quick)
    turns = np.radians(TURN_CENTRE) + np.radians(TURN_LIMITS) * unit[:, :3]
    return turns, np.array(SHIFT_LIMITS) * unit[:, 3:]


def _draw_smooth(rng: np.random.Generator, num_frames: int, count: int, sigma: float) -> Curve:
    """Gaussian-filtered white noise (n, count) of unit variance; `sigma` in frames."""
    reach = int(np.ceil(4 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    noise = rng.standard_normal((num_frames + 2 * reach, count))
    columns = [np.convolve(noise[:, i], kernel, mode="valid") for i in range(count)]
    return np.asarray(np.stack(columns, axis=1) / np.linalg.norm(kernel), np.float64)


# --- lids ---------------------------------------------------------------------------------------


def draw_lids(rng: np.random.Generator, num_frames: int, fps: int) -> Lids:
    """Blinks at random times, in some clips one long closure and one look down."""
    seconds = num_frames / fps
    spans = list[tuple[float, float]]()
    long = _place_one(rng, seconds, spans, LONG_SECONDS, _LONG_SHARE)
    lowered = _place_one(rng, seconds, spans, LONG_SECONDS, _LOWERED_SHARE)
    blinks = list[tuple[float, float]]()
    for _ in range(rng.poisson(BLINK_RATE * seconds)):
        span = _place(rng, seconds, spans, BLINK_SECONDS)
        if span is not None:
            blinks.append(span)
    closure = np.zeros(num_frames)
    kinds = [(blinks, 1.0), (long, 1.0), (lowered, 0.4)]
    made = list[tuple[Blink, ...]]()
    for placed, depth in kinds:
        curves = [depth * _close(start, length, num_frames, fps) for start, length in placed]
        closure = np.max([closure, *curves], axis=0)
        found = (_read_interval(curve, depth / 2) for curve in curves)
        made.append(tuple(sorted(found, key=lambda blink: blink.onset)))
    return Lids(closure=closure, blinks=made[0], long_closures=made[1], lowered=made[2])


def _place_one(
    rng: np.random.Generator,
    seconds: float,
    spans: list[tuple[float, float]],
    limits: tuple[float, float],
    share: float,
) -> list[tuple[float, float]]:
    """In `share` of clips one (start, length), s, put into `spans`; else none."""
    if rng.random() >= share or seconds < 4:
        return []
    span = _place(rng, seconds, spans, limits)
    return [] if span is None else [span]


def _place(
    rng: np.random.Generator,
    seconds: float,
    spans: list[tuple[float, float]],
    limits: tuple[float, float],
) -> tuple[float, float] | None:
    """A (start, length), s, clear of those in `spans` and of both ends; None where crowded."""
    for _ in range(20):
        length = float(rng.uniform(*limits))
        if seconds <= length + 2 * _SHORTEST_GAP:
            return None
        start = float(rng.uniform(_SHORTEST_GAP, seconds - length - _SHORTEST_GAP))
        if all(
            start > s + n + _SHORTEST_GAP or start + length + _SHORTEST_GAP < s for s, n in spans
        ):
            spans.append((start, length))
            return start, length
    return None


def _close(start: float, length: float, num_frames: int, fps: int) -> Curve:
    """Closure (n,) that is over 0.5 for `length` s from `start`: shuts fast, opens slowly."""
    time = (np.arange(num_frames) + 0.5) / fps
    down, up = min(0.35 * length, 0.12), min(0.8 * length, 0.22)
    shutting = np.clip((time - start) / down + 0.5, 0, 1)
    opening = np.clip((start + length - time) / up + 0.5, 0, 1)
    ramp = np.minimum(shutting, opening)
    return np.asarray(ramp**2 * (3 - 2 * ramp), np.float64)


def _read_interval(closure: Curve, half: float) -> Blink:
    """First and last frame at or over `half`, and the deepest one."""
    frames = np.flatnonzero(closure >= half)
    return Blink(onset=int(frames[0]), apex=int(closure.argmax()), offset=int(frames[-1]))


def look_down(turns: Curve, lids: Lids) -> Curve:
    """Turns with the head tipped forward by up to 8 degrees while the lids are lowered."""
    tipped = turns.copy()
    for span in lids.lowered:
        frames = np.arange(len(turns))
        middle, reach = (span.onset + span.offset) / 2, span.offset - span.onset + 1
        bump = np.exp(-0.5 * ((frames - middle) / (0.4 * reach)) ** 2)
        tipped[:, 0] += np.radians(8.0) * bump
    return tipped


# --- mouth --------------------------------------------------------------------------------------


def follow_speech(pcm: npt.NDArray[np.int16], num_frames: int, fps: int) -> Curve:
    """Mouth opening (n,) from 0 to 1: loudness in a smooth window about each frame's middle.

    Loudness is the root mean square under a Gaussian window of 30 ms, as a share of its 95th
    percentile, to the power of 0.7.
    """
    hop = SAMPLE_RATE // 200
    power = np.square(pcm[: len(pcm) // hop * hop].astype(np.float64)).reshape(-1, hop).mean(1)
    kernel = np.exp(-0.5 * (np.arange(-24, 25) * hop / (0.030 * SAMPLE_RATE)) ** 2)
    loudness = np.sqrt(np.convolve(power, kernel / kernel.sum(), mode="same"))
    middles = (np.arange(num_frames) + 0.5) / fps
    level = np.interp(middles, (np.arange(len(loudness)) + 0.5) * hop / SAMPLE_RATE, loudness)
    top = float(np.percentile(loudness, 95))
    return np.clip(level / max(top, 1.0), 0, 1) ** 0.7


def draw_claps(
    rng: np.random.Generator, num_frames: int, fps: int
) -> tuple[Curve, npt.NDArray[np.int16], list[int]]:
    """A mouth that snaps open as a click sounds: opening (n,), sound, the frames of the clicks.

    Opens from one frame to the next, about every second, for a third of one. A click is 10 ms of
    decaying noise whose first sample is the first of its frame.
    """
    opening = np.zeros(num_frames)
    pcm = np.zeros(frame_to_sample(num_frames, fps), np.int16)
    length = SAMPLE_RATE // 100
    decay = np.exp(-np.arange(length) / (0.002 * SAMPLE_RATE))
    frames = list[int]()
    frame = fps // 2
    while frame + fps // 2 <= num_frames:
        opening[frame : frame + fps // 3] = 1.0
        start = frame_to_sample(frame, fps)
        click = 24_000 * decay * rng.uniform(-1, 1, length)
        click[0] = 24_000
        pcm[start : start + length] = click.round()
        frames.append(frame)
        frame += fps + int(rng.integers(-fps // 6, fps // 6 + 1))
    return opening, pcm, frames
