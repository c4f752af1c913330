"""Programs that read text aloud, each with voices that differ in pitch, pace and more.

eSpeak NG is always there; flite where its program is; SVOX Pico and Hibari (a neural voice) with
the extra `voices`.
"""

import functools
import importlib.util
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.signal import resample_poly

from toolkit.media.audio import read_sound
from toolkit.sample.speech import Voice, open_synthesiser

ACCENTS = (
    "en-us", "en-us", "en-us", "en-gb-x-rp", "en-gb-x-rp", "en-gb-scotland", "en-029", "en-us-nyc",
)  # fmt: skip
VARIANTS = ("", "+m1", "+m2", "+m3", "+m4", "+m5", "+m6", "+m7", "+f1", "+f4")
FLITE = ("slt", "rms", "awb", "kal16")
"""Voices that come with flite; the first three are made from recordings of people."""

PICO = ("en-US", "en-GB")

LOUDEST = 0.5 * 32767
"""Largest sample of a sentence."""

Pcm = npt.NDArray[np.int16]
Rng = np.random.Generator
Read = Callable[[Sequence[str], Rng], Iterator[tuple[Pcm, str]]]


@dataclass(frozen=True)
class Engine:
    """A program.

    Attributes:
        read: sentences to the samples of each, int16 at 16 kHz, and the voice's name; one voice.
        share: of what is read, where all engines are there.
        is_there: whether it is installed.
    """

    read: Read
    share: float
    is_there: Callable[[], bool] = lambda: True


def read_with_espeak(sentences: Sequence[str], rng: Rng) -> Iterator[tuple[Pcm, str]]:
    """By eSpeak NG; SetupError where it is not installed."""
    name = f"{rng.choice(ACCENTS)}{rng.choice(VARIANTS)}"
    voice = Voice(name=name, rate=int(rng.integers(120, 220)), pitch=int(rng.integers(20, 80)))
    with open_synthesiser(voice) as synthesise:
        for sentence in sentences:
            yield _to_pcm(synthesise(sentence)), f"espeak {voice.name} {voice.rate} {voice.pitch}"


def read_with_flite(sentences: Sequence[str], rng: Rng) -> Iterator[tuple[Pcm, str]]:
    """By flite."""
    name, stretch = str(rng.choice(FLITE)), rng.uniform(0.8, 1.25)
    pitch = rng.uniform(85, 230)
    values = f"duration_stretch={stretch:.3f}", f"int_f0_target_mean={pitch:.0f}"
    words = ["-voice", name, *(word for value in values for word in ("--setf", value))]
    with tempfile.TemporaryDirectory(prefix="ttk-") as folder:
        target = Path(folder) / "speech.wav"
        for sentence in sentences:
            command = ["flite", *words, "-t", f" {sentence}", "-o", str(target)]
            subprocess.run(command, check=True, capture_output=True)
            yield read_sound(target), f"flite {name} {stretch:.2f} {pitch:.0f}"


def read_with_pico(sentences: Sequence[str], rng: Rng) -> Iterator[tuple[Pcm, str]]:
    """By SVOX Pico, 16 kHz."""
    name, speed, pitch = str(rng.choice(PICO)), rng.uniform(0.8, 1.25), rng.uniform(0.7, 1.35)
    for sentence in sentences:
        sound = _open_pico().speak(sentence, voice=name, speed=speed, pitch=pitch)
        samples = np.frombuffer(sound, np.int16).astype(np.float64)
        yield _to_pcm(samples), f"pico {name} {speed:.2f} {pitch:.2f}"


def read_with_hibari(sentences: Sequence[str], rng: Rng) -> Iterator[tuple[Pcm, str]]:
    """By Hibari, 24 kHz: its one voice with another pitch, range of pitch, vocal tract and pace."""
    from hibari import dsp

    hibari = _open_hibari()
    is_low = bool(rng.random() < 0.5)
    tract = rng.uniform(0.88, 0.96) if is_low else rng.uniform(0.95, 1.1)
    pitch = rng.uniform(0.48, 0.66) if is_low else rng.uniform(0.8, 1.15)
    span, tilt, speed = rng.uniform(0.6, 1.5), rng.uniform(-1.2, 1.2), rng.uniform(0.8, 1.3)
    for sentence in sentences:
        parts = [
            dsp.synth(
                *_change_voice(_run_hibari(hibari, part, speed), tract, pitch, span, tilt), rng
            )
            for part in hibari.phonemize(sentence)
        ]
        sound = resample_poly(np.concatenate(parts).astype(np.float64), 2, 3)
        yield _to_pcm(sound), f"hibari {tract:.2f} {pitch:.2f} {span:.2f} {tilt:.2f} {speed:.2f}"


ENGINES: dict[str, Engine] = {
    "espeak": Engine(read_with_espeak, 0.1),
    "flite": Engine(read_with_flite, 0.25, lambda: shutil.which("flite") is not None),
    "pico": Engine(
        read_with_pico, 0.25, lambda: importlib.util.find_spec("py_nanotts") is not None
    ),
    "hibari": Engine(read_with_hibari, 0.4, lambda: importlib.util.find_spec("hibari") is not None),
}


def list_engines() -> list[str]:
    """Names of those that are installed."""
    return [name for name, engine in ENGINES.items() if engine.is_there()]


def _to_pcm(sound: npt.NDArray[np.float64]) -> Pcm:
    return (sound * (LOUDEST / max(float(np.abs(sound).max(initial=0)), 1.0e-6))).astype(np.int16)


@functools.cache
def _open_pico() -> Any:
    from py_nanotts import NanoTTS

    return NanoTTS()


@functools.cache
def _open_hibari() -> Any:
    from hibari import Hibari

    return Hibari(threads=1)


def _run_hibari(hibari: Any, phonemes: Any, speed: float) -> list[Any]:
    """Spectra (frames, 601), phases and pitch (frames,) of a phrase: what its vocoder takes."""
    inputs = {
        "ids": np.asarray([hibari.ids(phonemes)], np.int64),
        "speed": np.asarray([speed], np.float32),
    }
    return [output[0] for output in hibari.sess.run(None, inputs)]


def _change_voice(
    outputs: list[Any], tract: float, pitch: float, span: float, tilt: float
) -> tuple[Any, ...]:
    harmonic, tones, noise, rest, phase, hertz = outputs
    voiced = hertz > 40
    if voiced.any():
        middle = np.exp(np.log(hertz[voiced]).mean())
        moved = middle * pitch * (np.maximum(hertz, 1) / middle) ** span
        hertz = np.where(voiced, moved, hertz).astype(np.float32)
    slope = np.linspace(0, 1, len(harmonic), dtype=np.float32)[:, None] * tilt
    parts = (_stretch(part, tract) for part in (harmonic, tones, noise, rest))
    harmonic, tones, noise, rest = parts
    return harmonic + slope, tones, noise + slope, rest + slope, phase, hertz


def _stretch(bins: npt.NDArray[np.float32], factor: float) -> npt.NDArray[np.float32]:
    """Move what is at bin f of axis 0 to bin f · factor."""
    source = np.arange(len(bins)) / factor
    low = np.minimum(source.astype(np.int64), len(bins) - 2)
    share = np.clip(source - low, 0, 1).astype(np.float32)[:, None]
    stretched: npt.NDArray[np.float32] = bins[low] * (1 - share) + bins[low + 1] * share
    return stretched
