"""An epoch of the acoustic model: recordings and synthetic speech, augmented anew every time.

B utterances, S samples, T spectrogram frames, K outputs, L characters.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from toolkit.clock import SAMPLE_RATE
from toolkit.features.deepspeech import compute_spectrogram
from zoo.data.order import Loadable
from zoo.data.transcripts import SpeechStore, encode_text
from zoo.models.deepspeech.augment import (
    Augmenter,
    Rng,
    Wave,
    change_speed,
    draw_speed,
    draw_tract,
    mask_spectrogram,
    place,
    stretch_spectrum,
    to_pcm,
    to_wave,
)
from zoo.models.deepspeech.bands import pool_bands

_MARGIN = 0.25
"""Seconds of room sound around the longest utterance of a batch."""

CLEAN_LOUDNESS = -24.0
"""dBFS at which the bands of clean speech are taken."""


@dataclass(frozen=True)
class Batch:
    """Utterances of about one length, which the room they are in fills up to the same.

    Attributes:
        spectrogram: (B, 161, T) float32.
        targets: (sum of L,) int64, one text behind the other.
        lengths: (B,) int64, L of each.
        bands: (B, K, 8) float32, of the clean recordings: see `zoo.models.deepspeech.bands`.
    """

    spectrogram: torch.Tensor
    targets: torch.Tensor
    lengths: torch.Tensor
    bands: torch.Tensor


@dataclass(frozen=True)
class Material:
    """Speech, and how likely each utterance of it is in an epoch, 0 to 1."""

    speech: SpeechStore
    shares: npt.NDArray[np.float64]


class EpochBatches(Loadable[Batch]):
    """The batches of one epoch; each depends on the seed, the epoch and its number alone."""

    def __init__(
        self,
        materials: Sequence[Material],
        *,
        epoch: int,
        seed: int,
        batch_seconds: float,
        augmenter: Augmenter,
        strength: float,
    ) -> None:
        """`strength`, 0 to 1, is how much the recordings are changed, on average."""
        self._materials, self._augmenter, self._strength = materials, augmenter, strength
        self._seed = [seed, epoch]
        rng = np.random.default_rng([*self._seed, 0])
        items = [
            (material, number, draw_speed(rng, strength))
            for material, content in enumerate(materials)
            for number in np.flatnonzero(rng.random(len(content.shares)) < content.shares)
        ]
        counts = [content.speech.count_samples() for content in materials]
        seconds = np.array([counts[m][n] / speed / SAMPLE_RATE for m, n, speed in items])
        order = np.argsort(seconds * rng.uniform(0.9, 1.1, len(seconds)))
        self._groups = list(_cut(order, seconds, batch_seconds))
        if epoch:  # the first epoch goes from short to long (Deep Speech 2, section 3.2)
            rng.shuffle(self._groups)
        self._items = items

    def __len__(self) -> int:
        return len(self._groups)

    def __getitem__(self, index: int) -> Batch:
        rng = np.random.default_rng([*self._seed, 1, index])
        chosen = [self._items[k] for k in self._groups[index]]
        waves, texts = [], []
        for material, number, speed in chosen:
            speech = self._materials[material].speech
            waves.append(change_speed(to_wave(speech.read(number)), speed))
            texts.append(encode_text(speech.texts[number]))
        num_samples = max(map(len, waves)) + int(_MARGIN * SAMPLE_RATE)
        augmented = [self._augment(place(wave, num_samples, rng), rng) for wave in waves]
        spectrograms, bands = zip(*augmented, strict=True)
        return Batch(
            spectrogram=torch.from_numpy(np.stack(spectrograms)),
            targets=torch.from_numpy(np.concatenate(texts)),
            lengths=torch.tensor([len(text) for text in texts]),
            bands=torch.from_numpy(np.stack(bands)),
        )

    def _augment(self, wave: Wave, rng: Rng) -> tuple[Wave, Wave]:
        """A changed recording's spectrogram (161, T), and the bands (K, 8) of it unchanged."""
        pcm = self._augmenter.change_wave(wave, rng, self._strength)
        tract = draw_tract(rng, self._strength)
        spectrogram = stretch_spectrum(compute_spectrogram(pcm), tract)
        clean = stretch_spectrum(compute_spectrogram(to_pcm(wave, CLEAN_LOUDNESS)), tract)
        return mask_spectrogram(spectrogram, rng, self._strength), pool_bands(clean)


def _cut(
    order: npt.NDArray[np.int64], seconds: npt.NDArray[np.float64], batch_seconds: float
) -> Iterator[list[int]]:
    """Neighbours in `order` whose padded lengths add up to `batch_seconds` at most."""
    group: list[int] = []
    longest = 0.0
    for k in order.tolist():
        longest = max(longest, float(seconds[k]) + _MARGIN)
        if group and longest * (len(group) + 1) > batch_seconds:
            yield group
            group, longest = [], float(seconds[k]) + _MARGIN
        group.append(k)
    if group:
        yield group
