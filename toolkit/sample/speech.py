"""Speech for the samples: eSpeak NG, from espeakng-loader's library and data, through ctypes."""

import contextlib
import ctypes
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.signal import resample_poly

from toolkit.clock import SAMPLE_RATE
from toolkit.errors import SetupError

Samples = npt.NDArray[np.int16]

SENTENCES = (
    "Please put the kettle on before the others come down for breakfast.",
    "We walked along the river until the path ended at an old stone bridge.",
    "My brother keeps five bees in a box behind the garden shed.",
    "The last train to the coast leaves at a quarter past nine.",
    "Could you bring me the blue folder from the top of the shelf?",
    "Every morning the baker opens his window and calls to the boats.",
    "It rained all afternoon, so we stayed inside and played cards.",
    "Maps from that time show a lake where the market stands today.",
    "She painted the door yellow because nobody else on the street had.",
    "Have you ever heard the sound that ice makes when it starts to melt?",
    "A good pair of boots is worth more than a fast horse up here.",
    "Most people never notice how often they blink while they talk.",
    "Turn left after the school, then follow the wall to the big oak.",
    "The museum is free on Mondays, but it closes much earlier.",
    "Five people voted for it, four against, and one fell asleep.",
    "Wait for the foam to settle, then pour the rest very slowly.",
    "He wrote both names on the paper and folded it twice.",
    "Nobody knows why the whole village moved away in that summer.",
    "Open your mouth a little more when you sing the high part.",
    "We bought plums, bread, a map of the moon, and two small lamps.",
)
"""Written for this project."""

_VOICES = ("en-us+f1", "en-gb-x-rp", "en-029+f4", "en-us-nyc+m3", "en-gb-scotland+f1", "en-us+m7")
"""Voices without breath noise, which eSpeak draws anew in every process (f2, f3 and f5 have it)."""

_RATE, _PITCH = 1, 3
_SYNCHRONOUS = 2
_UTF8 = 1
_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)


@dataclass(frozen=True, kw_only=True)
class Voice:
    """How one identity speaks: an eSpeak voice, words a minute, pitch from 0 to 100."""

    name: str
    rate: int
    pitch: int


def draw_voice(index: int, seed: int) -> Voice:
    """The voice of an identity."""
    rng = np.random.default_rng([seed, index, 2])
    return Voice(
        name=_VOICES[index % len(_VOICES)],
        rate=int(rng.integers(140, 180)),
        pitch=int(rng.integers(35, 65)),
    )


def speak(voice: Voice, rng: np.random.Generator, num_samples: int) -> tuple[Samples, str]:
    """Sentences in random order, with pauses: (num_samples,) int16 at 16 kHz, and what is said.

    The sound is cut off where the samples end, within the transcript's last sentence.

    Raises:
        SetupError: espeakng-loader is not installed or its library does not load.
    """
    parts = [np.zeros(int(rng.uniform(0.2, 0.5) * SAMPLE_RATE))]
    said = list[str]()
    with open_synthesiser(voice) as synthesise:
        for index in _shuffle_endlessly(rng):
            said.append(SENTENCES[index])
            parts += [
                synthesise(SENTENCES[index]),
                np.zeros(int(rng.uniform(0.3, 0.8) * SAMPLE_RATE)),
            ]
            if sum(map(len, parts)) >= num_samples:
                break
    sound = np.concatenate(parts)[:num_samples]
    sound *= 0.7 * 32767 / max(float(np.abs(sound).max()), 1.0)
    return sound.round().astype(np.int16), " ".join(said)


def _shuffle_endlessly(rng: np.random.Generator) -> Iterator[int]:
    while True:
        yield from rng.permutation(len(SENTENCES)).tolist()


@contextlib.contextmanager
def open_synthesiser(voice: Voice) -> Iterator[Callable[[str], npt.NDArray[np.float64]]]:
    """From text to sound at 16 kHz.

    The library is loaded afresh and unloaded: its noise source keeps state across
    initialisations, and a clip must not depend on those made before it.
    """
    library, data = _load_library()
    chunks = list[Samples]()

    def receive(wave: Any, count: int, _events: Any) -> int:
        if wave and count > 0:
            chunks.append(np.ctypeslib.as_array(wave, (count,)).copy())
        return 0

    rate = library.espeak_Initialize(_SYNCHRONOUS, 0, data.encode(), 0)
    if rate <= 0 or library.espeak_SetVoiceByName(voice.name.encode()) != 0:
        raise SetupError(
            "eSpeak NG's data is incomplete: pip install --force-reinstall espeakng-loader"
        )
    callback = _CALLBACK(receive)  # must outlive the calls below
    library.espeak_SetSynthCallback(callback)
    library.espeak_SetParameter(_RATE, voice.rate, 0)
    library.espeak_SetParameter(_PITCH, voice.pitch, 0)

    def synthesise(text: str) -> npt.NDArray[np.float64]:
        chunks.clear()
        encoded = text.encode()
        size = ctypes.c_size_t(len(encoded) + 1)
        library.espeak_Synth(encoded, size, 0, 1, 0, _UTF8, None, None)
        library.espeak_Synchronize()
        sound = np.concatenate([*chunks, np.zeros(0, np.int16)]).astype(np.float64)
        return np.asarray(resample_poly(sound, SAMPLE_RATE, rate), np.float64)

    try:
        yield synthesise
    finally:
        library.espeak_Terminate()
        _unload(library)


def _load_library() -> tuple[ctypes.CDLL, str]:
    try:
        import espeakng_loader

        path = str(espeakng_loader.get_library_path())
        return ctypes.CDLL(path), str(espeakng_loader.get_data_path())
    except (ImportError, OSError) as error:
        raise SetupError(
            f"samples need eSpeak NG's speech ({error}): pip install 'ttk[sample]'"
        ) from error


def _unload(library: ctypes.CDLL) -> None:
    import _ctypes

    _ctypes.dlclose(library._handle)
