"""The measures of surroundings, silence and delay, on data whose truth is known."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from tests.accuracy import speech_surroundings
from tests.accuracy.sound import Floats, Pcm
from tests.accuracy.speech_delay import (
    Recording,
    Word,
    align,
    measure_lags,
    read_recordings,
    tabulate_delay,
)
from tests.accuracy.speech_probe import Case
from tests.accuracy.speech_silence import make_silences, measure_symbols
from tests.accuracy.speech_surroundings import (
    ALONE,
    PEAK,
    Sentence,
    Surroundings,
    choose_sentences,
    cut_outputs,
    list_surroundings,
    predict_mouths,
    read_hour,
    tabulate_surroundings,
)
from tests.numbered import find_real, write_wav
from toolkit.media.audio import read_sound
from toolkit.schema import DEEPSPEECH_SYMBOLS
from zoo.data.transcripts import Utterance

RATE, STEP, BLANK = 16_000, 320, 28
VOICE = np.full(RATE, 9000, np.int16)
CORPORA = ("voicebank_demand_noisy", "librispeech")


def index(letter: str) -> int:
    return DEEPSPEECH_SYMBOLS.index(letter)


def spell(symbols: list[int]) -> Floats:
    """Log-probabilities (K, 29) that are sure of one symbol each."""
    scores = np.full((len(symbols), 29), np.log(0.01 / 28))
    scores[np.arange(len(symbols)), symbols] = np.log(0.99)
    return scores


def read_values(pcm: Pcm) -> np.ndarray:
    """A network that reads every sample 100·s, one an output, as symbol s, and else a blank."""
    values = np.append(pcm, 0)[: len(pcm) + 1 : STEP].astype(int)
    known = (values > 0) & (values % 100 == 0) & (values < 2700)
    return spell(np.where(known, values // 100, BLANK).tolist()).astype(np.float32)


def say(text: str, corpus: str = CORPORA[0]) -> Sentence:
    """A sound that `read_values` reads so: each letter 10 outputs long, and a blank."""
    values = [100 * index(letter) for letter in text for _ in range(10)]
    return Sentence(corpus, text, np.repeat(np.array([0, *values], np.int16), STEP))


# --- surroundings -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def surroundings() -> dict[str, Surroundings]:
    return {around.name: around for around in list_surroundings(VOICE)}


def test_the_outputs_of_a_sentence_are_found_again(surroundings: dict[str, Surroundings]) -> None:
    sentence = say("abc")
    for around in surroundings.values():
        assert len(around.before) * 30 % RATE == 0  # a whole number of frames
        whole = around.enclose(sentence.pcm)
        assert len(whole) == len(around.before) + len(sentence.pcm) + len(around.behind)
        cut = cut_outputs(read_values(whole), around.first, sentence.pcm, 0.0)
        assert len(cut) == 1 + len(sentence.pcm) // STEP
        if around.decibels == 0:
            assert np.array_equal(cut[:-1], read_values(sentence.pcm)[:-1]), around.name


def test_what_comes_late_is_cut_late() -> None:
    scores = np.arange(200.0)[:, None]
    cut = cut_outputs(scores, 50, np.zeros(10 * STEP, np.int16), 0.06)
    assert cut[:, 0].tolist() == list(range(53, 64))


def test_levels_change_by_so_many_decibels_and_six_more_fit(
    surroundings: dict[str, Surroundings],
) -> None:
    pcm = np.array([PEAK, -PEAK, 1000], np.int16)
    assert surroundings["+6 dB"].enclose(pcm).tolist() == [32688, -32688, 1995]
    assert surroundings["-20 dB"].enclose(pcm).tolist() == [1638, -1638, 100]


def test_silence_of_three_lengths_and_four_sounds_stand_before_and_behind(
    surroundings: dict[str, Surroundings],
) -> None:
    names = list(surroundings)
    assert names[0] == ALONE
    assert len(names) == 1 + 3 + 2 * (3 + 4)
    assert {"300 s of silence behind", "30 s of another voice before"} <= set(names)


def test_sentences_of_two_corpora_are_taken_evenly_and_mixed(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "a.wav", np.sin(np.arange(800.0)), RATE)

    def list_rows(corpus: str, number: int) -> list[Utterance]:
        row = Utterance(path=path, speaker="s", corpus=corpus, licence="own", text="", split="test")
        return [dataclasses.replace(row, text=str(k)) for k in range(number)]

    parts = {"test": list_rows(CORPORA[0], 79), "validation": list_rows(CORPORA[1], 33)}
    chosen = choose_sentences(parts)
    assert [sum(s.corpus == corpus for s in chosen) for corpus in CORPORA] == [40, 20]
    for every in (3, 6):
        assert {sentence.corpus for sentence in chosen[::every]} == set(CORPORA)
    texts = sorted(int(s.text) for s in chosen if s.corpus == CORPORA[0])
    assert texts == list(range(0, 79, 2))
    assert np.abs(chosen[0].pcm).max() == PEAK


def test_every_sentence_of_an_hour_is_read_in_its_own_stretch() -> None:
    sentences = [say("abc"), say("def"), say("ghi"), say("jkl"), say("mno"), say("pqr"), say("stu")]
    found = read_hour(sentences, VOICE, read_values, 0.0)
    assert found == [sentence.text for sentence in sentences]


def test_a_network_that_hears_alike_everywhere_has_no_difference(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One that says "a" at the end of any recording over 30 s has one, and only there."""
    monkeypatch.setattr(speech_surroundings, "list_surroundings", list_few)
    sentences = [say("abc"), say("bcd", CORPORA[1])] * 3

    def forget(pcm: Pcm) -> np.ndarray:
        return spell([BLANK] * (1 + len(pcm) // STEP)) if len(pcm) > 30 * RATE else read_values(pcm)

    rows = tabulate_surroundings(sentences, [], read_values, None, VOICE, 0.0)
    assert [row["CER"] for row in rows] == [0.0] * 4
    rows = tabulate_surroundings(sentences, [], forget, None, VOICE, 0.0)
    assert [row["difference"] for row in rows] == [0.0, 0.0, 1.0, 1.0]
    assert [row["sentences"] for row in rows] == [6, 6, 2, 6]


def list_few(voice: Pcm) -> list[Surroundings]:
    nothing, silence = np.zeros(0, np.int16), np.zeros(40 * RATE, np.int16)
    return [
        Surroundings(ALONE, nothing, nothing),
        Surroundings("short", silence[:RATE], nothing),
        Surroundings("long", nothing, silence, every=3),
    ]


class Clip:
    """Stands for a clip of 20 s whose mouth follows its loudness."""

    num_frames, fps = 600, 30

    def __init__(self) -> None:
        self.pcm = np.random.default_rng(0).integers(-9000, 9000, 320_000).astype(np.int16)
        self.pcm = (self.pcm * np.sin(np.arange(320_000) / 9000)).astype(np.int16)

    def read(self, name: str) -> np.ndarray:
        assert name == "audio/pcm"
        return self.pcm


def measure_loudness(pcm: Pcm, num_frames: int, fps: int) -> Floats:
    blocks = np.array_split(pcm[: num_frames * RATE // fps].astype(float), num_frames)
    return np.array([[block.std()] for block in blocks])


def test_a_mouth_changes_where_its_features_hang_on_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clip = Clip()
    opening = measure_loudness(clip.pcm, 600, 30)[:, 0]
    monkeypatch.setattr(speech_surroundings, "read_opening", lambda _: opening)
    case = Case("a", "a", [clip])  # type: ignore[list-item]
    fixed = predict_mouths(case, measure_loudness, list_few(VOICE))
    assert len(fixed[ALONE]) == 180 - 15
    assert np.corrcoef(fixed[ALONE], opening[210 + 8 : 390 - 7])[0, 1] > 0.99
    assert np.corrcoef(fixed["long"], fixed[ALONE])[0, 1] > 0.9999

    def drift(pcm: Pcm, num_frames: int, fps: int) -> Floats:
        loudness = measure_loudness(pcm, num_frames, fps)
        return loudness if len(pcm) < 30 * RATE else np.roll(loudness, 60)

    moved = predict_mouths(case, drift, list_few(VOICE))
    assert np.corrcoef(moved["long"], moved[ALONE])[0, 1] < 0.5
    assert np.corrcoef(moved["short"], moved[ALONE])[0, 1] > 0.9999


# --- silence ------------------------------------------------------------------------------------


def test_blanks_and_letters_are_counted_and_spaces_are_no_letters() -> None:
    scores = spell([BLANK, BLANK, index(" "), index("'")])
    found = measure_symbols(scores)
    assert found["mean probability of blank"] == pytest.approx((2 * 0.99 + 2 * 0.01 / 28) / 4)
    assert found["share with blank over 0.5"] == 0.5
    assert found["share with a letter over 0.5"] == 0.25
    assert measure_symbols(np.full((3, 29), -np.log(29)))["share with a letter over 0.5"] == 0


def test_room_noise_is_as_loud_as_its_name_says() -> None:
    sounds = make_silences()
    assert not sounds["digital silence"].any()
    for name in ("room noise, -60 dBFS", "room noise, -40 dBFS"):
        level = 20 * np.log10(sounds[name].astype(float).std() / 32767)
        assert level == pytest.approx(float(name.split()[2]), abs=0.2)


# --- delay --------------------------------------------------------------------------------------


def test_the_likeliest_path_says_every_letter_in_order() -> None:
    a, b = index("a"), index("b")
    scores = spell([BLANK, a, a, b, BLANK])
    assert align(scores, np.array([a, b])).tolist() == [-1, 0, 0, 1, -1]
    scores[1:3, a] = scores[1:3, BLANK] + 1  # none is sure of "a", which is said all the same
    assert align(scores, np.array([a, b])).tolist() == [-1, 0, 0, 1, -1]


def test_between_the_same_letter_twice_stands_a_blank() -> None:
    scores = spell([index("l")] * 4)
    scores[2, BLANK] += 1  # the cheapest place for it
    assert align(scores, np.array([index("l")] * 2)).tolist() == [0, 0, -1, 1]


def test_letters_40_ms_late_are_40_ms_late(tmp_path: Path) -> None:
    """A word "ab" of 0.4 s, whose letters belong to 0.1 and 0.3 s, and "c" at 0.6 s."""
    words = [Word("ab", 0.0, 0.4), Word("c", 0.5, 0.7)]
    symbols = [BLANK] * 50
    for letter, output in (("a", 5 + 2), ("b", 15 + 2), (" ", 22), ("c", 30 + 2)):
        symbols[output] = index(letter)
    scores = spell(symbols)
    assert measure_lags(scores, words) == pytest.approx([0.04] * 3)
    scores[32] = np.log(1 / 29)  # unsure of "c"
    assert len(measure_lags(scores, words)) == 2
    path = write_wav(tmp_path / "a.wav", np.zeros(RATE), RATE)
    row = tabulate_delay({"x": [Recording(path, words)]}, {"y": (lambda _: scores, 0.03)})[0]
    assert row["median lag, ms"] == pytest.approx(40)
    assert row["median left, ms"] == pytest.approx(10)
    assert (row["letters"], row["sure"]) == (3, 2)


@pytest.mark.real
def test_the_words_stand_where_it_is_loud() -> None:
    """Energy follows the words' times most closely within 30 ms of them."""
    for name, recordings in read_recordings(find_real()).items():
        lags = np.arange(-40, 41)
        totals = np.zeros(len(lags))
        for recording in recordings[:: 1 + len(recordings) // 30]:
            pcm = read_sound(recording.path).astype(float)
            loud = np.log(np.convolve(pcm**2, np.ones(320) / 320, "same")[::80] + 1)
            said = np.zeros(len(loud))
            for word in recording.words:
                said[round(200 * word.start) : round(200 * word.end)] = 1
            pairs = [(np.roll(loud, -lag)[40:-40], said[40:-40]) for lag in lags]
            totals += [np.corrcoef(a, b)[0, 1] for a, b in pairs]
        assert abs(5 * lags[totals.argmax()]) <= 30, name
