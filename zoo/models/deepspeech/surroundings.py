"""Sounds without words: noise, the ambience of a place, music, applause.

Everything is drawn from the generator that is handed in. Waveforms are (S,) float32 at 16 kHz with
a root mean square of about 1.
"""

import functools
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.fft import irfft, rfft

from toolkit.clock import SAMPLE_RATE

Wave = npt.NDArray[np.float32]
Rng = np.random.Generator

_SECONDS = 60
"""Length of each sound but music, which goes round after a quarter of it."""

_CHORDS = ((0, 4, 7), (0, 3, 7), (0, 5, 9), (0, 4, 7, 10), (0, 3, 7, 10))
"""Half tones over the root."""


@functools.lru_cache(maxsize=1)
def make_surroundings(seed: int) -> tuple[Wave, ...]:
    """Half an hour of sounds, the same for a seed: they take seconds, and stay as made."""
    makers: list[Callable[[Rng], Wave]] = [
        *(functools.partial(make_noise, slope=k / 2) for k in range(5)),
        *[make_ambience] * 10,
        *[make_music] * 8,
        *[make_applause] * 3,
    ]
    sounds = [make(np.random.default_rng([seed, k])) for k, make in enumerate(makers)]
    for sound in sounds:
        sound.setflags(write=False)
    return tuple(sounds)


def make_noise(rng: Rng, slope: float) -> Wave:
    """Noise whose power falls with frequency to the `slope`: 1 is pink, 2 brown."""
    size = _SECONDS * SAMPLE_RATE
    spectrum = rfft(rng.standard_normal(size))
    hertz = np.fft.rfftfreq(size, 1 / SAMPLE_RATE)
    return _normalise(irfft(spectrum / np.maximum(hertz, 50) ** (slope / 2), size))


def make_ambience(rng: Rng) -> Wave:
    """The sound of a place: five bands, each with a level that comes and goes."""
    sound = make_noise(rng, rng.uniform(0, 2.5))
    spectrum, hertz = rfft(sound), np.fft.rfftfreq(len(sound), 1 / SAMPLE_RATE)
    edges = [0, *np.sort(np.exp(rng.uniform(np.log(150), np.log(6000), 4))), SAMPLE_RATE]
    ambience = np.zeros_like(sound)
    for low, high in itertools.pairwise(edges):
        band = irfft(np.where((hertz >= low) & (hertz < high), spectrum, 0), len(sound))
        knots = rng.normal(rng.normal(0, 6), 6, int(_SECONDS / rng.uniform(0.05, 1.0)))
        decibels = np.interp(np.linspace(0, 1, len(sound)), np.linspace(0, 1, len(knots)), knots)
        ambience += np.asarray(band * 10 ** (decibels / 20), np.float32)
    return _normalise(ambience)


def make_music(rng: Rng) -> Wave:
    """Chords of an instrument with a melody over them and a drum under them, beat after beat."""
    beat = int(SAMPLE_RATE * 60 / rng.uniform(60, 150))
    music = np.zeros(_SECONDS * SAMPLE_RATE // 4, np.float32)
    harmonics, root = rng.uniform(0.3, 1.5), rng.integers(40, 56)
    drums, decay = rng.uniform(0, 1.5), rng.uniform(0.5, 4.0)
    for number, first in enumerate(range(0, len(music) - 4 * beat, beat)):
        if number % 4 == 0:
            chord = _CHORDS[rng.integers(len(_CHORDS))]
            base = root + rng.choice([0, 2, 4, 5, 7, 9])
            for step in chord:
                _add(music, first, _play(base + step, 4 * beat, harmonics, decay))
        if rng.random() < 0.7:
            note = base + 12 + rng.choice(chord)
            _add(music, first, 1.5 * _play(note, beat, harmonics, 2 * decay))
        _add(music, first, drums * _beat_drum(rng, beat))
    return _normalise(music)


def make_applause(rng: Rng) -> Wave:
    """Hundreds of claps a second, each a burst of noise of some milliseconds."""
    size = _SECONDS * SAMPLE_RATE
    claps = np.zeros(size)
    count = int(_SECONDS * np.exp(rng.uniform(np.log(30), np.log(800))))
    np.add.at(claps, rng.integers(0, size, count), rng.lognormal(0, 0.6, count))
    time = np.arange(SAMPLE_RATE // 50) / SAMPLE_RATE
    burst = rng.standard_normal(len(time)) * np.exp(-time / rng.uniform(0.001, 0.004))
    applause = irfft(rfft(claps) * rfft(burst, size), size)
    return _normalise(applause)


def _play(note: int, length: int, harmonics: float, decay: float) -> Wave:
    """A note of the MIDI scale whose harmonics fall with their number."""
    time = np.arange(length, dtype=np.float32) / np.float32(SAMPLE_RATE)
    base = 440 * 2 ** ((note - 69) / 12)
    orders = np.arange(1, max(2, int(7000 / base)))[:12].astype(np.float32)
    tone = (np.sin(2 * np.pi * base * orders[:, None] * time) / orders[:, None] ** harmonics).sum(0)
    attack = np.minimum(1, time / 0.02)
    return np.asarray(tone * attack * np.exp(-decay * time), np.float32)


def _beat_drum(rng: Rng, length: int) -> Wave:
    time = np.arange(length) / SAMPLE_RATE
    low = np.sin(2 * np.pi * 60 * time) * np.exp(-time / 0.08)
    return np.asarray(3 * low + rng.standard_normal(length) * np.exp(-time / 0.03), np.float32)


def _add(music: Wave, first: int, sound: Wave) -> None:
    music[first : first + len(sound)] += sound


def _normalise(sound: npt.NDArray[Any]) -> Wave:
    return np.asarray(sound / max(float(np.std(sound)), 1e-9), np.float32)
