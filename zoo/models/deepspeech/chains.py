"""An epoch of the acoustic model: chains of sentences, each as if cut out of a long recording.

Sentences of any speakers follow each other with pauses between, and at times music, noise or
applause in the pauses: what stands before and behind a sentence shall not change how it is read.

B chains of a batch, S samples, T spectrogram frames (100 a second), K outputs (50 a second), L
characters.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from toolkit.clock import SAMPLE_RATE
from toolkit.features.spectrogram import Pcm, Scaling, compute_spectrogram
from toolkit.schema import DEEPSPEECH_SYMBOLS
from zoo.data.order import Loadable, cut_order, share_order
from zoo.data.rows import Rows, RowStore
from zoo.data.transcripts import SpeechStore, encode_text
from zoo.models.deepspeech.augment import (
    Augmenter,
    Rng,
    Wave,
    change_speed,
    draw_speed,
    draw_tract,
    mask_spectrogram,
    measure_level,
    stretch_spectrum,
    to_wave,
)
from zoo.models.deepspeech.bands import pool_bands

SCALING = Scaling(gain=1000.0, mean=3.16, deviation=1.85)
"""Mean and standard deviation over 150 recordings at −24 dBFS, rounded."""

SECONDS = 12.0
"""Length of a chain; one of a longer sentence is as long as that."""

MAX_SECONDS = 20.0
"""No longer utterance is trained on: all of a batch are as long as its longest."""

GAPS = (0.05, 0.3, 0.8, 2.5)
"""Seconds between two sentences."""

_GAP_SHARES = (0.3, 0.35, 0.2, 0.15)

LEVEL = 0.07
"""Root mean square of a sentence in a chain, before the whole is brought to some loudness."""

SPREAD = 6.0
"""dB that one sentence may be louder or quieter than that."""

INTRUSION = (-15.0, 15.0)
"""dB of a sound without words in a pause, over the sentences."""

_INTRUSION_CHANCE = 0.3
_WORDLESS_SHARE = 0.02
_BLANK = len(DEEPSPEECH_SYMBOLS) - 1


@dataclass(frozen=True)
class Batch:
    """Chains of one length.

    Attributes:
        spectrogram: (B, 161, T) float32.
        targets: (sum of L,) int64, one text behind the other.
        lengths: (B,) int64, L of each.
        bands: (B, K, 8) float32, of the clean recordings: see `zoo.models.deepspeech.bands`.
        posteriors: (B, K, 29) float32, the teacher's probabilities; None without one.
    """

    spectrogram: torch.Tensor
    targets: torch.Tensor
    lengths: torch.Tensor
    bands: torch.Tensor
    posteriors: torch.Tensor | None = None


@dataclass(frozen=True)
class Material:
    """Speech, how likely each utterance of it is in an epoch, 0 to 1, and the teacher's rows."""

    speech: SpeechStore
    shares: npt.NDArray[np.float64]
    posteriors: RowStore | None = None


@dataclass(frozen=True)
class Link:
    """A sentence of a chain: which one, how much faster it is played, and the pause before it."""

    material: int
    number: int
    speed: float
    gap: float


def string_recordings(speech: SpeechStore, seed: int) -> Iterator[torch.Tensor]:
    """Spectrograms (4, 161, T) of recordings as they are, end to end, each `MAX_SECONDS` long.

    There is no last one; recordings are drawn with repetition.
    """
    rng, length = np.random.default_rng(seed), int(MAX_SECONDS * SAMPLE_RATE)
    while True:
        stretches = []
        for _ in range(4):
            parts = list[Pcm]()
            while sum(map(len, parts)) < length:
                parts.append(speech.read(int(rng.integers(len(speech)))))
            stretches.append(compute_spectrogram(np.concatenate(parts)[:length], SCALING))
        yield torch.from_numpy(np.stack(stretches))


class EpochChains(Loadable[Batch]):
    """The batches of one epoch; a chain depends on the seed, the epoch and its number alone."""

    def __init__(
        self,
        materials: Sequence[Material],
        *,
        epoch: int,
        seed: int,
        batch_seconds: float,
        augmenter: Augmenter,
        strength: float,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        """`strength`, 0 to 1, is how much the recordings are changed, on average.

        Of several processes each has its share of every batch, as long as the whole batch is.
        """
        self._materials, self._augmenter, self._strength = materials, augmenter, strength
        self._seed = [seed, epoch]
        rng = np.random.default_rng([*self._seed, 0])
        self._counts = [material.speech.count_samples() for material in materials]
        self._chains, seconds = self._link(rng)
        # mixed, for a batch's statistics are of speech and of silence
        mixed = rng.permutation(len(self._chains))
        order = mixed[np.argsort(seconds[mixed], kind="stable")]
        size = max(1, int(batch_seconds / SECONDS))
        shares = share_order(
            order,
            size,
            rank=rank,
            world_size=world_size,
            what=f"chains of {SECONDS:g} s",
        )
        lengths = [max(map(self._measure, whole.tolist())) for whole in cut_order(order, size)]
        numbers = [*range(len(shares))]
        rng.shuffle(numbers)
        self._batches = [(shares[k], lengths[k]) for k in numbers]

    def _link(self, rng: Rng) -> tuple[list[list[Link]], npt.NDArray[np.float64]]:
        """The epoch's chains, and how long each is (s): `SECONDS` or more."""
        items = [
            (material, int(number))
            for material, content in enumerate(self._materials)
            for number in np.flatnonzero(rng.random(len(content.shares)) < content.shares)
        ]
        chains, lengths = [list[Link]()], [0.0]
        for k in rng.permutation(len(items)):
            material, number = items[k]
            speed = draw_speed(rng, self._strength)
            gap = float(rng.choice(GAPS, p=_GAP_SHARES))
            seconds = self._counts[material][number] / speed / SAMPLE_RATE
            if seconds > MAX_SECONDS:
                continue
            if chains[-1] and lengths[-1] + gap + seconds > SECONDS:
                chains.append([])
                lengths.append(0.0)
            if not chains[-1] and seconds + gap > SECONDS:
                gap = GAPS[0]
            chains[-1].append(Link(material, number, speed, gap))
            lengths[-1] += gap + seconds
        wordless = int(np.ceil(_WORDLESS_SHARE * len(chains) * self._strength))
        chains += [[] for _ in range(wordless)]
        return chains, np.maximum(SECONDS, [*lengths, *[0.0] * wordless])

    def __len__(self) -> int:
        return len(self._batches)

    def __getitem__(self, index: int) -> Batch:
        share, seconds = self._batches[index]
        made = [self._make(number, int(SAMPLE_RATE * seconds)) for number in share.tolist()]
        spectrograms, bands, posteriors, texts = zip(*made, strict=True)
        has_teacher = self._materials[0].posteriors is not None
        return Batch(
            spectrogram=torch.from_numpy(np.stack(spectrograms)),
            targets=torch.from_numpy(np.concatenate(texts)),
            lengths=torch.tensor([len(text) for text in texts]),
            bands=torch.from_numpy(np.stack(bands)),
            posteriors=torch.from_numpy(np.stack(posteriors)) if has_teacher else None,
        )

    def _measure(self, number: int) -> float:
        """Seconds of a chain as it is played, rounded up, and `SECONDS` at least."""
        chain = self._chains[number]
        played = (self._counts[k.material][k.number] / k.speed + k.gap * SAMPLE_RATE for k in chain)
        return max(SECONDS, float(sum(played) + 2 * len(chain)) / SAMPLE_RATE)

    def _make(
        self, number: int, num_samples: int
    ) -> tuple[Wave, Wave, Wave, npt.NDArray[np.int64]]:
        """Spectrogram (161, T), clean bands (K, 8), posteriors (K, 29) and text (L,) of a chain."""
        rng = np.random.default_rng([*self._seed, 1, number])
        clean = np.zeros(num_samples, np.float32)
        posteriors = np.zeros((1 + num_samples // 320, _BLANK + 1), np.float32)
        posteriors[:, _BLANK] = 1
        heard, texts, end, pauses = clean.copy(), list[str](), 0, list[tuple[int, int]]()
        for link in self._chains[number]:
            material = self._materials[link.material]
            wave = change_speed(to_wave(material.speech.read(link.number)), link.speed)
            wave = wave * np.float32(LEVEL / max(measure_level(wave), 1e-4))
            first = end + int(link.gap * SAMPLE_RATE)
            pauses.append((end, first))
            end = first + len(wave)
            clean[first:end] = wave
            heard[first:end] = wave * np.float32(10 ** (rng.uniform(-SPREAD, SPREAD) / 20))
            texts.append(material.speech.texts[link.number])
            if material.posteriors is not None:
                rows = material.posteriors.read(link.number)
                _place_posteriors(posteriors, rows, first, end, link.speed)
        for pause in [*pauses, (end, num_samples)]:
            self._intrude(heard, *pause, rng)
        spectrogram, bands = self._augment(heard, clean, rng)
        return spectrogram, bands, posteriors, encode_text(" ".join(texts))

    def _intrude(self, heard: Wave, first: int, last: int, rng: Rng) -> None:
        """Put a sound without words into a pause of half a second or more, or leave it."""
        if last - first < SAMPLE_RATE // 2 or rng.random() > _INTRUSION_CHANCE * self._strength:
            return
        sound = self._augmenter.draw_sound(last - first, rng)
        fade = SAMPLE_RATE // 50
        ramp = np.minimum(1, np.arange(last - first, dtype=np.float32) / fade)
        gain = LEVEL * 10 ** (rng.uniform(*INTRUSION) / 20) / max(measure_level(sound), 1e-4)
        heard[first:last] += sound * ramp * ramp[::-1] * np.float32(gain)

    def _augment(self, heard: Wave, clean: Wave, rng: Rng) -> tuple[Wave, Wave]:
        """A changed recording's spectrogram (161, T), and the bands (K, 8) of it unchanged."""
        tract = draw_tract(rng, self._strength)
        pcm = self._augmenter.change_wave(heard, rng, self._strength)
        spectrogram = stretch_spectrum(compute_spectrogram(pcm, SCALING), tract)
        whole = np.clip(clean * 32767, -32768, 32767).astype(np.int16)
        bands = pool_bands(stretch_spectrum(compute_spectrogram(whole, SCALING), tract))
        return mask_spectrogram(spectrogram, rng, self._strength), bands


def _place_posteriors(posteriors: Wave, rows: Rows, first: int, end: int, speed: float) -> None:
    """Write (n, 29) rows over the outputs of samples [first, end), played `speed` times as fast."""
    outputs = np.arange(-(-first // 320), min(end // 320 + 1, len(posteriors)))
    position = np.clip((outputs - first / 320) * speed, 0, len(rows) - 1)
    low = position.astype(np.int64)
    share = (position - low).astype(np.float32)[:, None]
    high = np.minimum(low + 1, len(rows) - 1)
    posteriors[outputs] = rows[low] * (1 - share) + rows[high] * share
