"""Chains of sentences: what is in an epoch, where, and what the teacher says of it."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from tests.tones import play_text, write_speech
from toolkit.features.spectrogram import compute_spectrogram
from zoo.data.rows import RowStore, store_rows
from zoo.data.transcripts import (
    SpeechStore,
    encode_text,
    read_transcripts,
    store_speech,
    store_utterances,
)
from zoo.models.deepspeech import chains
from zoo.models.deepspeech.augment import Augmenter
from zoo.models.deepspeech.chains import SECONDS, Batch, EpochChains, Material

BLANK = 28


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> SpeechStore:
    """Sixty-four sentences of tones."""
    folder = tmp_path_factory.mktemp("speech")
    write_speech(folder)
    return store_utterances(folder / "s.s16", read_transcripts(folder))


def make_babble(rng: np.random.Generator) -> npt.NDArray[np.float32]:
    return rng.standard_normal(16000).astype(np.float32) / 10


def make_epoch(
    store: SpeechStore,
    epoch: int = 3,
    seed: int = 0,
    strength: float = 1.0,
    posteriors: RowStore | None = None,
) -> EpochChains:
    return EpochChains(
        [Material(store, np.ones(len(store)), posteriors)],
        epoch=epoch,
        seed=seed,
        batch_seconds=2 * SECONDS,
        augmenter=Augmenter(make_babble),
        strength=strength,
    )


def are_equal(a: Batch, b: Batch) -> bool:
    return all(torch.equal(x, vars(b)[name]) for name, x in vars(a).items() if x is not None)


def split_texts(batch: Batch) -> list[list[int]]:
    """The characters of each chain."""
    return [text.tolist() for text in batch.targets.split(batch.lengths.tolist())]


def test_batches_depend_on_seed_epoch_and_number_alone(store: SpeechStore) -> None:
    wanted = list(make_epoch(store).load(0, 0))
    assert len(wanted) > 3
    for workers in (0, 2):
        again = list(make_epoch(store).load(2, workers))
        assert len(again) == len(wanted) - 2
        assert all(map(are_equal, again, wanted[2:]))
    assert not are_equal(make_epoch(store, seed=1)[0], wanted[0])
    assert not are_equal(make_epoch(store, epoch=4)[0], wanted[0])


@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_an_epoch_has_every_sentence_once_in_chains_of_one_length(
    store: SpeechStore, strength: float
) -> None:
    found, num_wordless = list[str](), 0
    for batch in make_epoch(store, strength=strength).load(0, 0):
        assert batch.spectrogram.shape[1:] == (161, 1 + int(SECONDS * 100))
        assert len(batch.spectrogram) <= 2
        for text in split_texts(batch):
            num_wordless += not text
            found.append("".join(" abcdefghijklmnopqrstuvwxyz'"[symbol] for symbol in text))
    words = sorted(word for text in store.texts for word in text.split())
    assert sorted(" ".join(found).split()) == words
    assert (num_wordless > 0) == (strength > 0)


def test_what_the_network_is_asked_for_stands_where_it_is_heard(
    store: SpeechStore, tmp_path: Path
) -> None:
    """Without augmentation a teacher that marks sound as `a` marks what the bands show as sound."""

    def mark(number: int) -> npt.NDArray[np.float16]:
        pcm = np.pad(store.read(number), (160, 320))
        rows = np.zeros((1 + len(store.read(number)) // 320, 29), np.float16)
        loud = [np.abs(pcm[320 * k : 320 * k + 320]).max() > 1000 for k in range(len(rows))]
        rows[np.arange(len(rows)), np.where(loud, 1, BLANK)] = 1
        return rows

    posteriors = store_rows(tmp_path / "p", "", map(mark, range(len(store))))
    num_heard = 0
    for batch in itertools.islice(make_epoch(store, 0, 0, 0.0, posteriors).load(0, 0), 3):
        assert batch.posteriors is not None
        assert batch.posteriors.shape == (*batch.bands.shape[:2], 29)
        np.testing.assert_allclose(batch.posteriors.sum(2), 1, atol=1e-3)
        said = batch.posteriors[..., 1].numpy() > 0.5
        loud = batch.bands.numpy().max(2) > 0.5
        num_heard += int(said.sum())
        agreement = [(np.roll(said, lag, axis=1) == loud).mean() for lag in range(-2, 3)]
        assert np.argmax(agreement) == 2  # neither early nor late
    assert num_heard > 500


def test_recordings_stand_end_to_end_as_they_are(store: SpeechStore) -> None:
    """Each stretch is made of whole sentences, up to its end: their samples and nothing else."""
    first = next(chains.string_recordings(store, 0))
    assert first.shape == (4, 161, 2001)
    assert torch.equal(first, next(chains.string_recordings(store, 0)))
    rng = np.random.default_rng(0)
    sound = np.concatenate([store.read(int(rng.integers(len(store)))) for _ in range(40)])
    expected = compute_spectrogram(sound[: 20 * 16000], chains.SCALING)
    np.testing.assert_allclose(first[0], expected, atol=1e-6)


def test_chains_without_words_are_spread_over_the_batches(store: SpeechStore) -> None:
    """A batch of silence alone would have statistics that no speech has."""
    texts = [split_texts(batch) for batch in make_epoch(store).load(0, 0)]
    wordless = [sum(not text for text in batch) for batch in texts]
    assert sum(wordless) > 0
    assert all(count < len(batch) for count, batch in zip(wordless, texts, strict=True))


def test_a_faster_sentence_has_the_teachers_rows_faster() -> None:
    """Twice as fast, from sample 3200 on: output 10 shows row 0, output 14 row 8."""
    posteriors = np.zeros((40, 29), np.float32)
    rows = np.tile(np.arange(21, dtype=np.float16)[:, None], (1, 29))
    chains._place_posteriors(posteriors, rows, 3200, 3200 + 10 * 320, 2.0)
    assert posteriors[9:22, 0].tolist() == [0, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 0]
    posteriors[:] = 0
    chains._place_posteriors(posteriors, rows, 3200 + 160, 3200 + 160 + 20 * 320, 1.0)
    assert posteriors[11:14, 0].tolist() == [0.5, 1.5, 2.5]  # half an output late


def test_a_sentence_that_is_too_long_for_a_chain_has_one_of_its_own(tmp_path: Path) -> None:
    def speak() -> Iterator[tuple[npt.NDArray[np.int16], str]]:
        for seconds, text in ((1, "ab"), (14, "long"), (25, "longer"), (2, "cd")):
            yield np.resize(play_text("abc"), seconds * 16000), text

    store = store_speech(tmp_path / "s", "", speak())
    epoch = make_epoch(store, strength=0.0)
    batches = list(epoch.load(0, 0))
    texts = [text for batch in batches for text in split_texts(batch)]
    assert encode_text("long").tolist() in texts
    assert all(len(text) <= 5 for text in texts)  # the one of 25 s is left out
    assert max(batch.spectrogram.shape[2] for batch in batches) in range(1400, 1410)


def test_the_loudness_that_is_asked_for_does_not_hang_on_the_recordings_level(
    tmp_path: Path,
) -> None:
    bands = []
    for gain in (1, 8):
        sound = (play_text("abcde") // gain).astype(np.int16)
        store = store_speech(tmp_path / f"{gain}", "", [(sound, "abcde")])
        bands.append(make_epoch(store, strength=0.0)[0].bands)
    np.testing.assert_allclose(*bands, atol=0.15)  # an eighth has fewer steps
