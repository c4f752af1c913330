"""Five identities and what their heads and lids do: in step with speech (A), or at random (B).

n frames, K events.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks

from zoo.synthetic.speech import SPACE, VOWELS, Pauses, Scores

Curve = npt.NDArray[np.float64]
Events = tuple[npt.NDArray[np.int64], Curve]
"""(K,) frames and (K,) strengths."""

RATES = (0.1, 0.6)
"""Lowest and highest blink rate, a second."""

BLINK_PEAK = 4.2
"""AU45 of a closed eye."""

_BLINK_FRAMES = (4, 13)
_BLINK_SPACING = 30
_SMOOTHING = 0.25
_SPACINGS = (10, 20)
"""Frames from nod to nod, for the quickest and the slowest: G_tem sees 20 frames either way."""

_LEAST_STRESS = 0.3
_LEVER = np.array([[0, -90, 0], [70, 0, 0], [-40, 0, 0]])
"""mm per rad: how tx, ty, tz (rows) follow pitch, yaw, roll, for the head turns about the neck."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Person:
    """How an identity moves.

    Attributes:
        name: the identity.
        blink_rate: pauses, and so blinks, a second.
        blink_frames: a blink's frames at or over half its peak.
        blink_delay: frames from a pause's first to a blink's middle.
        nod_spacing: rhythm: frames from nod to nod, about; never under half as many.
        nod_frames: frames of a nod.
        turn: (3,) rad of pitch, yaw, roll at a nod of strength 1.
        rest: (6,) mean pose, rad and mm.
    """

    name: str
    blink_rate: float
    blink_frames: int
    blink_delay: int
    nod_spacing: int
    nod_frames: int
    turn: Curve
    rest: Curve


def draw_people(number: int, seed: int) -> list[Person]:
    """Identities, each with its own amplitude, rhythm, blink rate and blink duration."""
    return list(_draw_people(number, np.random.default_rng([seed, 1])))


def _draw_people(number: int, rng: np.random.Generator) -> Iterator[Person]:
    rates = np.linspace(*RATES, number)
    frames = rng.permutation(np.geomspace(*_BLINK_FRAMES, number).round())
    amplitudes = rng.permutation(np.geomspace(2, 8, number))
    spacings = rng.permutation(np.linspace(*_SPACINGS, number).round())
    for k in range(number):
        share = np.array([1, rng.uniform(-1, 1), rng.uniform(-0.8, 0.8)])
        yield Person(
            name=f"person-{k}",
            blink_rate=float(rates[k]),
            blink_frames=int(frames[k]),
            blink_delay=int(rng.integers(3, 7)),
            nod_spacing=int(spacings[k]),
            nod_frames=int(0.6 * spacings[k] + rng.integers(2, 5)),
            turn=np.deg2rad(amplitudes[k]) * share,
            rest=np.array([*rng.normal(0, 0.06, 3), 0, 0, 700 + 50 * k]),
        )


# --- head ---------------------------------------------------------------------------------------


def find_syllables(scores: Scores, spacing: int) -> Events:
    """Stressed syllables: where vowels stand out most against the gaps between words.

    That is the peaks of the vowels' mean log-probability less the space's, smoothed by a Gaussian
    of a quarter of `spacing`, so that the rhythm follows from speech. Strength is the peak's
    height over the clip's mean, in deviations, 0.3 to 2.5.
    """
    odds = scores[:, VOWELS].mean(axis=1) - scores[:, SPACE]
    vowels = gaussian_filter1d(odds.astype(np.float64), _SMOOTHING * spacing)
    height = (vowels - vowels.mean()) / max(float(vowels.std()), 1e-9)
    frames, _ = find_peaks(height, height=_LEAST_STRESS, distance=max(1, spacing // 2))
    return frames.astype(np.int64), np.clip(height[frames], None, 2.5)


def scatter(number: int, spacing: int, num_frames: int, rng: np.random.Generator) -> Curve:
    """(K,) random frames, at least `spacing` apart where there is room."""
    spacing = min(spacing, int(0.9 * num_frames / max(number, 1)))
    room = num_frames - number * spacing
    return np.asarray(np.sort(rng.uniform(0, room, number)) + spacing * np.arange(number))


def nod(person: Person, events: Events, num_frames: int) -> Curve:
    """(n, 6) pose about zero: down at each event and a little up before and after."""
    impulses = np.zeros(num_frames)
    np.add.at(impulses, events[0], events[1])
    phase = np.linspace(-np.pi, np.pi, 2 * person.nod_frames + 1)
    bump = (0.5 + 0.5 * np.cos(phase)) * (0.3 + 0.7 * np.cos(phase))
    sway = 0.5 + 0.5 * np.cos(phase)
    kernels = (bump, sway, sway)
    turns = np.stack([_filter(impulses, kernel) for kernel in kernels], axis=1) * person.turn
    return np.concatenate([turns, turns @ _LEVER.T], axis=1)


def _filter(impulses: Curve, kernel: Curve) -> Curve:
    reach = len(kernel) // 2
    return np.asarray(np.convolve(impulses, kernel)[reach : reach + len(impulses)])


# --- lids ---------------------------------------------------------------------------------------


def place_blinks(person: Person, pauses: Pauses) -> Curve:
    """(K,) middles of the blinks at pauses; of an even number of frames, between two."""
    middle = person.blink_delay + (0 if person.blink_frames % 2 else 0.5)
    return np.array([first + middle for first, _ in pauses])


def close_lids(person: Person, middles: Curve, num_frames: int) -> Curve:
    """(n,) AU45 that is over half its peak for `blink_frames` frames about each middle."""
    distance = np.abs(np.arange(num_frames)[:, None] - middles) / (person.blink_frames / 2)
    return np.asarray(BLINK_PEAK * np.exp2(-(distance**4)).sum(axis=1))


def move(
    person: Person, variant: str, scores: Scores, pauses: Pauses, rng: np.random.Generator
) -> tuple[Curve, Curve]:
    """Noise-free pose (n, 6), rad and mm, about zero, and AU45 (n,)."""
    n = len(scores)
    events, middles = find_syllables(scores, person.nod_spacing), place_blinks(person, pauses)
    if variant == "B":
        frames = scatter(len(events[0]), person.nod_spacing, n, rng).astype(np.int64)
        events = frames, rng.permutation(events[1])
        fraction = middles[:1] % 1
        middles = 10 + fraction + scatter(len(middles), _BLINK_SPACING, n - 20, rng).round()
    return nod(person, events, n), close_lids(person, middles, n)
