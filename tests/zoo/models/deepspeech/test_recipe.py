"""The acoustic model's training: what it reads, hears, changes, keeps apart, learns and writes."""

import copy
import dataclasses
import json
import math
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tones import COLUMNS, play_text, write_speech, write_table, write_wav
from toolkit.cli import main as ttk
from toolkit.errors import SetupError, ToolkitError
from toolkit.features.deepspeech import (
    NetworkSizes,
    decode_greedy,
    infer_scores,
    load_network,
)
from toolkit.features.spectrogram import compute_spectrogram
from toolkit.features.transcribe import open_network, transcribe
from toolkit.media import codec
from zoo.cli import main as zoo
from zoo.data.transcripts import (
    SpeechStore,
    Utterance,
    encode_text,
    find_doubt,
    normalise_text,
    read_transcripts,
    store_utterances,
)
from zoo.evaluation.speech import transcribe_utterances
from zoo.metrics.error_rates import (
    Transcription,
    count_edits,
    measure_cer,
    measure_errors,
    measure_wer,
)
from zoo.models.deepspeech import augment, recipe, voices
from zoo.models.deepspeech.augment import Augmenter
from zoo.models.deepspeech.bands import pool_bands
from zoo.models.deepspeech.chains import SCALING, Batch
from zoo.models.deepspeech.model import find_run_weights
from zoo.models.deepspeech.options import DeepSpeechRecipe
from zoo.training import loop
from zoo.training.checkpoint import load_checkpoint
from zoo.training.distributed import Distributed
from zoo.training.loop import LAST, Step

TINY = NetworkSizes(conv_channels=(4, 4), rnn_type="gru", hidden_size=32, num_layers=1)


def make_recipe(speech: Path, **changes: Any) -> DeepSpeechRecipe:
    settings_ = {"synthetic_hours": 0.0, "batch_seconds": 30.0, "epochs": 2, "workers": 0}
    return DeepSpeechRecipe(speech=speech, sizes=TINY, **{**settings_, **changes})


def make_utterance(text: str = "a", **changes: str) -> Utterance:
    row = {"speaker": "s", "corpus": "c", "licence": "CC BY 4.0", "split": "train", "note": ""}
    return Utterance(path=Path("none.wav"), text=text, **{**row, **changes})


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty rows to train on, four to test."""
    folder = tmp_path_factory.mktemp("speech")
    write_speech(folder)
    return folder


# --- the table ----------------------------------------------------------------------------------


def test_a_table_is_read_as_it_stands(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", play_text("a"))
    write_table(tmp_path, [("a.wav", "ann", "tones", "CC BY 4.0", "It’s  A-B!", "test", "loud")])
    content = (tmp_path / "transcripts.csv").read_text()
    for prefix in ("", "\ufeff"):  # as some table programs write it
        (tmp_path / "transcripts.csv").write_text(prefix + content, "utf-8")
        (row,) = read_transcripts(tmp_path)
        assert row == Utterance(
            path=tmp_path / "a.wav", speaker="ann", corpus="tones", licence="CC BY 4.0",
            text="it's a b", split="test", note="loud",
        )  # fmt: skip


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "cannot be read"),
        ("", "column corpus is missing"),
        (",".join(COLUMNS).replace("split", "part"), "column split is missing"),
        (",".join(COLUMNS), "holds no row"),
        (",".join(COLUMNS) + "\nb.wav,s,c,l,t,train,", r"line 2: .*b\.wav is not there"),
        (",".join(COLUMNS) + "\n", "holds no row"),
        (",".join(COLUMNS) + "\na.wav,s,c,l,t,valid,", "line 2: split 'valid' is not train or"),
        (",".join(COLUMNS) + "\na.wav,s,c,l", "line 2: split None is not"),
    ],
)
def test_a_table_with_a_fault_is_an_error_that_names_it(
    tmp_path: Path, content: str | None, message: str
) -> None:
    (tmp_path / "a.wav").touch()
    if content is not None:
        (tmp_path / "transcripts.csv").write_text(content)
    with pytest.raises(ToolkitError, match=f"transcripts.csv.*{message}"):
        read_transcripts(tmp_path)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Hello, World!", "hello world"),
        ("  DON’T   stop--now ", "don't stop now"),
        ("'quoted' rock 'n' roll", "quoted rock n roll"),
        ("42", ""),
        ("' '", ""),
        ("naïve", "naive"),
        ("Déjà vu, Ångström, Łódź", "deja vu angstrom lodz"),
        ("De\u0301ja\u0300", "deja"),  # accents as characters of their own
        ("ﬁne Œuvre æther Straße ẞ", "fine oeuvre aether strasse ss"),
        ("don’t donʼt don´t don`t ＤＯＮ＇Ｔ ‘n’", "don't don't don't don't don't n"),
        ("İstanbul ısı", "istanbul isi"),
        ("soft\u00adhyphen zero\u200bwidth", "softhyphen zerowidth"),
        ("Foo™ bar", "foo bar"),
    ],
)
def test_texts_keep_letters_and_apostrophes_within_words(text: str, wanted: str) -> None:
    assert normalise_text(text) == wanted


@pytest.mark.parametrize(
    ("text", "doubt"),
    [
        ("Déjà vu!", ""),
        ("it's 'quoted' -- (twice) ...", ""),
        ("Chapter 7", "digits"),
        ("half a mile is ½", "digits"),
        ("x²", "digits"),
        ("rock & roll", "signs that are read aloud"),
        ("five €", "signs that are read aloud"),
        ("Привет", "letters of another script"),
        ("the word λόγος", "letters of another script"),
        ("一", "letters of another script"),
        ("", "no letters"),
        ("-- ' --", "no letters"),
        ("\u0301", "no letters"),
    ],
)
def test_a_transcript_that_is_not_what_is_said_is_doubted(text: str, doubt: str) -> None:
    assert find_doubt(text) == doubt


@given(st.text(max_size=40))
def test_a_text_without_doubt_has_letters_and_no_other_ones(text: str) -> None:
    if not find_doubt(text):
        assert normalise_text(text)
        assert not any(c.isnumeric() for c in text)


@given(st.text(max_size=40))
def test_a_normalised_text_stays_as_it_is_and_can_be_encoded(text: str) -> None:
    once = normalise_text(text)
    assert normalise_text(once) == once
    assert once == " ".join(once.split())
    assert len(encode_text(once)) == len(once)


def test_samples_are_decoded_once_and_again_when_the_rows_change(
    tmp_path: Path, speech: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, path, num_read = read_transcripts(speech)[:3], tmp_path / "s.s16", [0]
    read = recipe.store_utterances.__globals__["read_sound"]

    def count(sound: Path) -> Any:
        num_read[0] += 1
        return read(sound)

    monkeypatch.setattr("zoo.data.transcripts.read_sound", count)
    for _ in range(2):
        store = store_utterances(path, rows)
        assert store.texts == [row.text for row in rows]
        for number, row in enumerate(rows):
            np.testing.assert_array_equal(store.read(number), play_text(row.text))
    assert num_read == [3]
    assert store.count_samples().tolist() == [len(play_text(row.text)) for row in rows]
    assert len(store_utterances(path, rows[:2])) == 2
    assert num_read == [5]
    path.write_bytes(path.read_bytes()[:-2])  # cut off behind our back
    assert len(store_utterances(path, rows[:2])) == 2
    assert num_read == [7]


# --- error rates --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("found", "wanted", "edits"),
    [("kitten", "sitting", 3), ("", "abc", 3), ("abc", "", 3), ("flaw", "lawn", 2), ("a", "a", 0)],
)
def test_edits_are_those_counted_by_hand(found: str, wanted: str, edits: int) -> None:
    assert count_edits(found, wanted) == edits


def test_error_rates_are_pooled_over_the_texts() -> None:
    """One of 5 + 1 of 3 characters; 1 of 2 + 1 of 1 words."""
    found, wanted = ["a bid", "cat"], ["a bad", "hat"]
    assert measure_cer(found, wanted) == pytest.approx(2 / 8)
    assert measure_wer(found, wanted) == pytest.approx(2 / 3)
    assert measure_cer(["abc"], ["ab"]) == pytest.approx(1 / 2)


WORDS = st.text("ab c", max_size=8)


@given(WORDS, WORDS, WORDS)
def test_edits_are_a_distance(a: str, b: str, c: str) -> None:
    assert (count_edits(a, b) == 0) == (a == b)
    assert count_edits(a, b) == count_edits(b, a)
    assert count_edits(a, c) <= count_edits(a, b) + count_edits(b, c)
    assert abs(len(a) - len(b)) <= count_edits(a, b) <= max(len(a), len(b))


@given(WORDS, WORDS, WORDS)
def test_what_two_texts_begin_with_costs_nothing(a: str, b: str, start: str) -> None:
    assert count_edits(start + a, start + b) == count_edits(a, b)


def test_rates_are_those_of_each_corpus_and_known_sentences_are_apart() -> None:
    known = make_utterance("ab", corpus="y", note="b, sentence-in-train")
    items = [
        Transcription(corpus="x", target="ab cd", pred="ab cx", seconds=30),
        Transcription(corpus="y", target="abcde", pred="abcde", seconds=60),
        Transcription(corpus="y", target="ab", pred="", seconds=6, in_train=known.in_train),
    ]
    rates = measure_errors(iter(items))
    found = {(r.corpus, r.in_train): (r.num_utterances, r.minutes, r.cer, r.wer) for r in rates}
    assert found == {
        ("x", False): (1, 0.5, 0.2, 0.5),
        ("y", False): (1, 1.0, 0.0, 0.0),
        ("all", False): (2, 1.5, 0.1, pytest.approx(1 / 3)),
        ("y", True): (1, 0.1, 1.0, 1.0),
        ("all", True): (1, 0.1, 1.0, 1.0),
    }
    assert list(found)[2] == ("all", False)


def test_what_cannot_be_judged_is_counted_apart_and_is_no_error() -> None:
    """One of 5 characters is wrong, though two rows' digits and one's letters are not read."""
    items = [
        Transcription(corpus="x", target="ab cd", pred="ab cx", seconds=30),
        Transcription(corpus="x", target="chapter", pred="", seconds=0, doubt="digits"),
        Transcription(corpus="y", target="room", pred="", seconds=0, doubt="digits"),
        Transcription(corpus="y", target="", pred="", seconds=0, doubt="no letters"),
    ]
    rates = {rate.corpus: rate for rate in measure_errors(items)}
    assert [rates[name].num_utterances for name in ("x", "y", "all")] == [1, 0, 1]
    assert (rates["all"].cer, rates["all"].wer, rates["all"].minutes) == (0.2, 0.5, 0.5)
    assert rates["y"].cer is rates["y"].wer is None
    assert rates["all"].not_judged == {"digits": 2, "no letters": 1}
    assert rates["x"].not_judged == {"digits": 1}


# --- augmentation -------------------------------------------------------------------------------


def make_tone(hertz: float, seconds: float = 2.0) -> npt.NDArray[np.float32]:
    time = np.arange(int(16000 * seconds)) / 16000
    return (0.3 * np.sin(2 * np.pi * hertz * time)).astype(np.float32)


def find_peak(wave: npt.NDArray[np.float32]) -> float:
    """Hz of the strongest component."""
    return float(np.argmax(np.abs(np.fft.rfft(wave))) * 16000 / len(wave))


@settings(max_examples=20)
@given(st.floats(0, 30), st.integers(0, 99))
def test_noise_stands_as_far_under_the_speech_as_asked(snr: float, seed: int) -> None:
    wave = make_tone(440)
    noise = np.random.default_rng(seed).standard_normal(len(wave)).astype(np.float32) * seed
    added = augment.add_noise(wave, noise, snr) - wave
    if seed == 0:
        assert not added.any()  # silence cannot be made louder
        return
    power = np.mean(wave.astype(np.float64) ** 2) / np.mean(added.astype(np.float64) ** 2)
    assert 10 * np.log10(power) == pytest.approx(snr, abs=0.1)


@pytest.mark.parametrize("factor", [0.8, 1.0, 1.25])
def test_faster_speech_is_shorter_and_higher(factor: float) -> None:
    wave = make_tone(1000)
    changed = augment.change_speed(wave, factor)
    assert len(changed) == pytest.approx(len(wave) / factor, abs=1)
    assert find_peak(changed) == pytest.approx(1000 * factor, abs=2)


@pytest.mark.parametrize("factor", [0.9, 1.0, 1.1])
def test_a_stretched_spectrum_has_its_tone_where_it_should(factor: float) -> None:
    """3 kHz is bin 60 of 161, 50 Hz each."""
    pcm = (make_tone(3000) * 20000).astype(np.int16)
    moved = augment.stretch_spectrum(compute_spectrogram(pcm), factor)
    assert moved.shape[0] == 161
    assert np.argmax(moved.mean(1)) == round(60 * factor)


def test_masks_hide_bands_and_moments_and_leave_the_rest() -> None:
    ones = np.ones((161, 400), np.float32)
    shares = []
    for seed in range(30):
        masked = augment.mask_spectrogram(ones, np.random.default_rng(seed))
        hidden = masked == 0
        rows, columns = hidden.all(1), hidden.all(0)
        np.testing.assert_array_equal(hidden, rows[:, None] | columns[None])
        assert rows.sum() <= 2 * 25
        assert columns.sum() <= 2 * 15
        shares.append(hidden.mean())
    assert max(shares) > 0.1
    assert ones.all()


def test_a_telephone_and_its_room_change_speech_but_not_its_length_or_place() -> None:
    """The loudest of what comes out is the direct sound, where the speech was put."""
    click = np.zeros(8000, np.float32)
    click[4000] = 1.0
    for seed in range(20):
        room = augment.make_room(np.random.default_rng(seed))
        assert np.argmax(np.abs(room)) == 0
        assert np.abs(room[15000:]).max() < 0.01  # over 60 dB down after the longest time
    changer = Augmenter(lambda rng: click)
    changed = changer.change_wave(click, np.random.default_rng(1))
    assert changed.shape == (8000,)
    assert changed.dtype == np.int16


@pytest.mark.parametrize("name", list(codec.CODECS))
def test_coded_sound_stays_in_its_place_and_loses_by_bit_rate(name: str) -> None:
    time = np.arange(32000) / 16000
    sweep = np.sin(2 * np.pi * (200 + 400 * time) * time) * (time % 0.4 > 0.1)
    pcm = np.round(12000 * sweep).astype(np.int16)
    losses = []
    for bit_rate in (8_000, 32_000):
        found = codec.recode(pcm, name, bit_rate)
        assert found.shape == pcm.shape
        around = np.correlate(found[2000:-2000].astype(float), pcm[1900:-1900].astype(float))
        assert abs(int(around.argmax()) - 100) <= 2
        losses.append(float(np.square(found.astype(float) - pcm).mean()))
    assert losses[0] > losses[1] > 0


def test_a_tone_is_in_its_band_alone() -> None:
    """3 kHz is bin 60: of the edges 45 and 65 around it, the sixth band."""
    spectrogram = np.zeros((161, 5), np.float32)
    spectrogram[60] = 4.0
    bands = pool_bands(spectrogram)
    np.testing.assert_allclose(bands, np.tile(4.0 / 20 * np.eye(8)[5], (3, 1)), rtol=1e-6)


# --- what is trained on -------------------------------------------------------------------------


def test_rows_are_chosen_by_split_licence_and_text() -> None:
    good = [make_utterance("a", licence="public domain"), make_utterance("b")]
    bad = [
        make_utterance("c", split="test"),
        make_utterance("d", licence="CC BY-NC 4.0"),
        make_utterance("e", licence=""),
        make_utterance(""),
        make_utterance("room", doubt="digits"),
    ]
    assert recipe.choose_rows([*bad, *good]) == good


@pytest.mark.parametrize("licence", ["CC0-1.0", "cc-by-4.0", "Public Domain", "own recording"])
def test_free_licences_as_people_write_them_are_trained_on(licence: str) -> None:
    row = make_utterance("a", licence=licence)
    assert recipe.choose_rows([row]) == [row]
    assert recipe.describe_unused([row]) == ""


def test_rows_that_are_not_trained_on_are_explained() -> None:
    """The commonest reasons; the list of licences where one of them is missing there."""
    rows = [
        *[make_utterance("a", licence="my own")] * 3,
        *[make_utterance("b", licence="my own", split="test")] * 9,
        *[make_utterance("room", doubt="digits")] * 2,
        make_utterance("c", licence=""),
        make_utterance("", doubt="no letters"),
        make_utterance("d"),
    ]
    assert recipe.describe_unused(rows) == (
        "; not used: 3 for the licence 'my own', 2 for digits, 1 for no licence, 1 others: "
        "a licence must begin with CC BY 4.0, CC-BY-4.0, CC0, public domain, Apache-2.0, "
        "free for commercial, own"
    )
    assert recipe.describe_unused([*rows[12:14], rows[-1]]) == "; not used: 2 for digits"


def test_neither_validation_nor_test_sentences_are_trained_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not as recordings, nor read aloud, though the texts to be read hold them all."""
    folder = tmp_path / "speech"
    texts = write_speech(folder)
    rows = read_transcripts(folder)
    kept = recipe.find_validation(recipe.choose_rows(rows))
    assert kept
    book = tmp_path / "book.txt"
    book.write_text("\n\n".join(f"{text.upper().lower()} too." for text in texts))
    asked = list[str]()

    def read(sentences: Sequence[str], rng: Any) -> Any:
        asked.extend(sentences)
        return (voices.Spoken(pcm=np.ones(9000, np.int16), text=s, voice="") for s in sentences)

    monkeypatch.setattr(voices, "read_sentences", lambda paths: list(texts))
    monkeypatch.setattr(voices, "read_aloud", read)
    given_ = make_recipe(folder, text=(book,), synthetic_hours=1.0)
    recipe.DeepSpeechTask(given_, tmp_path / "run", distributed=Distributed())
    recorded = set(SpeechStore(tmp_path / "run" / "speech.s16").texts)
    tests = {row.text for row in rows if row.split == "test"}
    assert recorded == set(texts) - kept - tests
    assert set(asked) == recorded
    assert set(SpeechStore(tmp_path / "run" / "validation.s16").texts) == kept


def test_too_few_rows_are_an_error(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", play_text("a"))
    write_table(tmp_path, [("a.wav", "s", "c", "CC BY-NC", "a", "train", "")])
    words = "too few rows .*: 0; not used: 1 for the licence 'CC BY-NC': a licence must begin with"
    with pytest.raises(ToolkitError, match=words):
        recipe.train_deepspeech(make_recipe(tmp_path), tmp_path / "run")


def test_rows_that_training_leaves_out_are_told_where_the_others_are_enough(
    speech: Path, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    folder = shutil.copytree(speech, tmp_path / "speech")
    recipe.DeepSpeechTask(make_recipe(folder), tmp_path / "all", distributed=Distributed())
    assert not [w for w in recwarn if "trained on" in str(w.message)]
    with (folder / "transcripts.csv").open("a") as file:
        file.write("0.wav,s,tones,CC BY 4.0,Room 5,train,\n")
    recipe.DeepSpeechTask(make_recipe(folder), tmp_path / "some", distributed=Distributed())
    (told,) = [str(w.message) for w in recwarn if "trained on" in str(w.message)]
    assert told == f"{folder}: 60 rows are trained on; not used: 1 for digits"


@pytest.mark.parametrize(
    "change",
    [{"epochs": 0}, {"batch_seconds": -1}, {"dropout": 1.0}, {"workers": -1}, {"seed": -1}],
)
def test_settings_that_cannot_be_meant_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(change)).replace("_", "-")):
        make_recipe(Path("speech"), **change)


# --- voices -------------------------------------------------------------------------------------


def test_sentences_come_from_text_and_pages_each_once(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(
        "The cat sat down. The cat sat down.\n\nToo short. It cost 5 pounds then.\n\n"
        "NATO letters are spelt. Why did it\nrain so much?"
    )
    (tmp_path / "b.html").write_text("<p>Rain &amp; snow fell today.</p><p>We all went home.</p>")
    found = voices.read_sentences([tmp_path])
    assert found == ["The cat sat down.", "Why did it rain so much?", "We all went home."]
    with pytest.raises(ToolkitError, match="no such text"):
        voices.read_sentences([tmp_path / "c.txt"])
    (tmp_path / "a.txt").write_text("1 2 3")
    with pytest.raises(ToolkitError, match="no sentence"):
        voices.read_sentences([tmp_path / "a.txt"])


def test_robots_say_what_is_written_in_different_voices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("espeakng_loader")
    monkeypatch.setattr(shutil, "which", lambda name: None)  # without flite
    monkeypatch.setattr(voices, "PER_VOICE", 1)
    sentences = ["Put the kettle on.", "It's a long, long way to the sea."]
    found = list(voices.read_aloud(sentences, np.random.default_rng(0)))
    assert [spoken.text for spoken in found] == [
        "put the kettle on", "it's a long long way to the sea",
    ]  # fmt: skip
    assert len({spoken.voice for spoken in found}) == 2
    for spoken in found:
        assert spoken.pcm.dtype == np.int16
        assert 0.5 < len(spoken.pcm) / 16000 < 6
        assert np.abs(spoken.pcm).max() > 10_000
    hours = 2 / 3600  # one sentence is enough
    store = voices.store_synthetic(tmp_path / "r.s16", [], sentences, avoid=(), hours=hours, seed=1)
    assert len(store) < 3
    assert set(store.texts) <= {spoken.text for spoken in found}


def test_nothing_left_to_read_aloud_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ToolkitError, match="no speech"):
        voices.store_synthetic(tmp_path / "r.s16", [], ["We go."], avoid={"we go"}, hours=1, seed=0)
    assert list(tmp_path.iterdir()) == []


# --- learning -----------------------------------------------------------------------------------


KNOWN = ("ab cd", "dec a", "b eda", "cad e")


def make_batch(texts: Sequence[str]) -> Batch:
    """Texts of one length, played as they are."""
    spectrograms = [compute_spectrogram(play_text(text), SCALING) for text in texts]
    return Batch(
        spectrogram=torch.from_numpy(np.stack(spectrograms)),
        bands=torch.from_numpy(np.stack([pool_bands(known) for known in spectrograms])),
        targets=torch.from_numpy(np.concatenate([encode_text(text) for text in texts])),
        lengths=torch.tensor([len(text) for text in texts]),
    )


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory, speech: Path) -> recipe.DeepSpeechTask:
    """A tiny network that was shown four texts until it knew them."""
    out = tmp_path_factory.mktemp("learned")
    settings_ = make_recipe(speech, epochs=1000, learning_rate=5e-2, dropout=0.0)
    task = recipe.DeepSpeechTask(settings_, out, distributed=Distributed())
    batch = make_batch(KNOWN)
    for _ in range(120):
        torch.manual_seed(0)
        task.step(batch)
    return task


def open_learned(task: recipe.DeepSpeechTask, folder: Path) -> Path:
    """Its weights, by way of a checkpoint."""
    loop.save_checkpoint(folder / "best.pt", {"kind": recipe.FAMILY.name, "model": task.export()})
    recipe.export_weights(folder / "best.pt", folder / "best.safetensors")
    return folder / "best.safetensors"


def test_a_tiny_network_learns_a_handful_of_texts_by_heart(
    learned: recipe.DeepSpeechTask, tmp_path: Path
) -> None:
    network = load_network(open_learned(learned, tmp_path))
    found = [decode_greedy(infer_scores(network, play_text(text))) for text in KNOWN]
    assert measure_cer(found, KNOWN) == 0


def test_batch_statistics_are_computed_anew_for_the_weights_that_are_kept(
    learned: recipe.DeepSpeechTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mean over batches of recordings as they are; what stood there is gone."""
    batches = [make_batch(KNOWN[:2]), make_batch(KNOWN[2:4])]
    monkeypatch.setattr(
        recipe, "string_recordings", lambda speech, seed: (b.spectrogram for b in batches)
    )
    kept = copy.deepcopy(learned._mean.network)
    convolution, normalised = learned._mean.network.conv.seq_module[:2]
    with torch.no_grad():
        inputs = [convolution(batch.spectrogram[:, None]) for batch in batches]
    normalised.running_mean.fill_(1e3)
    learned._settle()
    expected = torch.stack([x.mean(dim=(0, 2, 3)) for x in inputs]).mean(dim=0)
    torch.testing.assert_close(normalised.running_mean, expected, rtol=1e-3, atol=1e-3)
    assert not any(module.training for module in learned._mean.network.modules())
    for name, weight in learned._mean.network.named_parameters():
        assert torch.equal(weight, dict(kept.named_parameters())[name])


def test_silence_counts_in_the_loss_as_much_as_speech(learned: recipe.DeepSpeechTask) -> None:
    """A chain without a letter, all outputs' blanks at one half: ln 2 an output, `SPARSE` a letter.

    Summed it would be a hundred times as much.
    """
    batch = make_batch(["a" * 8])
    scores = torch.full((1, batch.bands.shape[1], 29), math.log(0.5 / 28))
    scores[..., 28] = math.log(0.5)
    silent = dataclasses.replace(
        batch, targets=torch.zeros(0, dtype=torch.int64), lengths=torch.tensor([0])
    )
    loss = learned._measure_losses(scores, silent)["loss"]
    outputs = scores.shape[1]
    expected = outputs * math.log(2) / (outputs // recipe.SPARSE)
    assert loss.item() == pytest.approx(expected, rel=1e-4)


def test_exported_weights_give_the_same_scores_but_for_rounding(
    learned: recipe.DeepSpeechTask, tmp_path: Path
) -> None:
    """Half precision keeps 11 bits: weights are off by 2⁻¹² of themselves at most."""
    exact = recipe.DeepSpeechNetwork(TINY)
    exact.load_state_dict(learned.export()["network"])
    exact.scaling = SCALING
    exact.eval()
    rounded = load_network(open_learned(learned, tmp_path))
    for name, tensor in exact.state_dict().items():
        ours = rounded.state_dict()[name]
        assert torch.allclose(ours, tensor, rtol=2**-11, atol=1e-6), name
    assert rounded.sizes == TINY
    pcm = play_text("abc de")
    np.testing.assert_allclose(infer_scores(rounded, pcm), infer_scores(exact, pcm), atol=0.05)
    assert any(
        not torch.equal(tensor, rounded.state_dict()[name])
        for name, tensor in exact.state_dict().items()
    )


def test_training_goes_on_from_known_weights_of_its_sizes_alone(
    learned: recipe.DeepSpeechTask, speech: Path, tmp_path: Path
) -> None:
    path = open_learned(learned, tmp_path)
    given = make_recipe(speech, initial=path)
    begun = recipe.DeepSpeechTask(given, tmp_path / "run", distributed=Distributed()).export()[
        "network"
    ]
    known = load_network(path).state_dict()
    assert all(torch.equal(begun[name].float(), known[name].float()) for name in known)
    other = dataclasses.replace(given, sizes=NetworkSizes(num_layers=1))
    with pytest.raises(ToolkitError, match="is 1x32 gru bidirectional, not 1x320"):
        recipe.DeepSpeechTask(other, tmp_path / "other", distributed=Distributed())
    assert not (tmp_path / "other").exists()  # refused before the sound is prepared


def test_scores_tell_the_bands_by_a_linear_map(learned: recipe.DeepSpeechTask) -> None:
    """Least squares over all frames of what was learnt: most of the bands' variance is told."""
    network = recipe.DeepSpeechNetwork(TINY)
    network.load_state_dict(learned.export()["network"])
    batch = make_batch(KNOWN)
    with torch.no_grad():
        scores = network.eval()(batch.spectrogram).flatten(0, 1).numpy()
    bands = batch.bands.flatten(0, 1).numpy()
    inputs = np.column_stack([scores, np.ones(len(scores))])
    left = bands - inputs @ np.linalg.lstsq(inputs, bands, rcond=None)[0]
    assert left.var() < 0.5 * bands.var(axis=0).mean()


def test_bf16_trains_other_weights_than_fp32_and_nothing_else_is_known(
    speech: Path, tmp_path: Path
) -> None:
    moved = []
    for precision in ("fp32", "bf16"):
        settings_ = make_recipe(speech, precision=precision, learning_rate=1e-2)
        task = recipe.DeepSpeechTask(settings_, tmp_path / precision, distributed=Distributed())
        torch.manual_seed(0)
        losses = task.step(make_batch(KNOWN))
        assert np.isfinite(losses["loss"])
        moved.append(task.state_dict()["network"]["fc.0.module.1.weight"].clone())
    assert not torch.equal(*moved)
    assert all(weights.dtype == torch.float32 for weights in moved)
    with pytest.raises(ValueError, match="precision 'fp8'"):
        make_recipe(speech, precision="fp8")


def test_a_killed_training_ends_with_the_same_weights(
    speech: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings_ = make_recipe(speech)
    best = recipe.train_deepspeech(settings_, tmp_path / "whole")
    assert best["score"] > 0
    assert best["score"] == best["cer tones"]
    monkeypatch.setattr(loop, "SAVE_SECONDS", -1.0)

    def kill(step: Step) -> None:
        if (step.epoch, step.step) == (1, 2):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        recipe.train_deepspeech(settings_, tmp_path / "killed", on_step=kill)
    assert load_checkpoint(tmp_path / "killed" / LAST)["step"] == 1
    again = recipe.train_deepspeech(settings_, tmp_path / "killed", resume=True)
    assert again == best
    killed, whole = (load_checkpoint(tmp_path / n / LAST)["state"] for n in ("killed", "whole"))
    pairs = ((killed["network"], whole["network"]),)
    pairs += ((killed["mean"]["network"], whole["mean"]["network"]),)
    for found, expected in pairs:
        assert all(torch.equal(found[name], expected[name]) for name in expected)
    names = [tmp_path / name / "best.safetensors" for name in ("killed", "whole")]
    exported = [load_network(name).state_dict() for name in names]
    assert all(torch.equal(exported[0][name], exported[1][name]) for name in exported[0])
    (tmp_path / "plain").touch()
    assert names[0].stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_folder_in_use_is_refused_before_anything_is_prepared(
    speech: Path, tmp_path: Path
) -> None:
    (tmp_path / LAST).touch()
    with pytest.raises(ToolkitError, match="holds a run"):
        recipe.train_deepspeech(make_recipe(speech), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [LAST]


# --- commands -----------------------------------------------------------------------------------


def test_evaluate_gives_the_rates_of_the_test_rows(
    learned: recipe.DeepSpeechTask, speech: Path, tmp_path: Path
) -> None:
    weights = open_learned(learned, tmp_path)
    rows = [row for row in read_transcripts(speech) if row.split == "test"]
    heard = list(transcribe_utterances(load_network(weights), rows))
    words = ["evaluate", "deepspeech", "--speech", str(speech), "--weights", str(tmp_path)]
    result = CliRunner().invoke(zoo, [*words, "--json"])
    assert result.exit_code == 0, result.output
    found = {(row["corpus"], row["in_train"]): row for row in json.loads(result.stdout)}
    assert {key: row["num_utterances"] for key, row in found.items()} == {
        ("tones", False): 3, ("all", False): 3, ("tones", True): 1, ("all", True): 1,
    }  # fmt: skip
    texts = [item.pred for item in heard[1:]], [row.text for row in rows[1:]]
    assert found["all", False]["cer"] == pytest.approx(measure_cer(*texts))
    assert found["all", False]["wer"] == pytest.approx(measure_wer(*texts))
    table = CliRunner().invoke(zoo, words).stdout
    assert "Sentences seen in training" in table
    assert f"{found['all', False]['cer']:.3f}" in table


def test_evaluate_says_which_rows_it_does_not_judge(
    learned: recipe.DeepSpeechTask, speech: Path, tmp_path: Path
) -> None:
    """The figures of the others stay; a corpus of none is a dash, and null in JSON."""
    open_learned(learned, tmp_path)
    folder = shutil.copytree(speech, tmp_path / "speech")
    words = ["evaluate", "deepspeech", "--speech", str(folder), "--weights", str(tmp_path)]
    before = json.loads(CliRunner().invoke(zoo, [*words, "--json"]).stdout)
    with (folder / "transcripts.csv").open("a") as file:
        file.write("0.wav,s,numbers,own,Room 5,test,\n1.wav,s,tones,own,Привет,test,\n")
    after = json.loads(CliRunner().invoke(zoo, [*words, "--json"]).stdout)
    rates = {(rate["corpus"], rate["in_train"]): rate for rate in after}
    for rate in before:
        assert rates[rate["corpus"], rate["in_train"]]["cer"] == rate["cer"]
    assert rates["numbers", False]["cer"] is None
    assert rates["all", False]["not_judged"] == {"digits": 1, "letters of another script": 1}
    lines = CliRunner().invoke(zoo, words).stdout.splitlines()
    (row,) = [line.split() for line in lines if line.startswith("numbers")]
    assert row == ["numbers", "0", "0.0", "–", "–"]
    told = " ".join(lines[-2:])
    assert told.endswith("none of the figures: 1 for digits, 1 for letters of another script.")
    assert max(map(len, lines)) <= 80


def test_evaluating_a_table_without_test_rows_is_one_clear_error(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", play_text("a"))
    write_table(tmp_path, [("a.wav", "s", "c", "own", "a", "train", "")])
    result = CliRunner().invoke(zoo, ["evaluate", "deepspeech", "--speech", str(tmp_path)])
    assert result.exit_code == 1
    assert "no row is of the split test" in result.stderr


def test_without_weights_there_is_one_clear_error(
    speech: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("toolkit.weights.ASSETS", tmp_path)
    wav = write_wav(tmp_path / "a.wav", play_text("a"))
    for program, words in (
        (zoo, ["evaluate", "deepspeech", "--speech", str(speech)]),
        (ttk, ["transcribe", str(wav)]),
    ):
        result = CliRunner().invoke(program, words)
        assert result.exit_code == 1
        assert result.stderr.startswith(f"{program.name}: error: {tmp_path}")
        assert "the embedded weights are missing: give --weights FILE" in result.stderr
    with pytest.raises(SetupError, match="no such file of weights"):
        open_network(tmp_path / "none.safetensors")
    assert find_run_weights(None) is None


def test_transcribe_prints_the_text_of_any_sound(
    learned: recipe.DeepSpeechTask, tmp_path: Path
) -> None:
    weights = open_learned(learned, tmp_path)
    text = KNOWN[0]
    files = [write_wav(tmp_path / f"{k}.wav", play_text(text)) for k in range(2)]
    words = ["transcribe", "--weights", str(weights)]
    one = CliRunner().invoke(ttk, [*words, str(files[0])])
    assert (one.exit_code, one.stdout) == (0, f"{text}\n")
    two = CliRunner().invoke(ttk, [*words, *map(str, files)])
    assert two.stdout == "".join(f"{path}: {text}\n" for path in files)
    (row,) = json.loads(CliRunner().invoke(ttk, [*words, str(files[0]), "--json"]).stdout)
    seconds = len(play_text(text)) / 16000
    assert row == {"path": str(files[0]), "seconds": pytest.approx(seconds), "text": text}
    network = open_network(weights)
    assert transcribe(files[0], network).text == text
    (tmp_path / "x.wav").write_bytes(b"nothing")
    bad = CliRunner().invoke(ttk, [*words, str(tmp_path / "x.wav")])
    assert bad.exit_code == 1
    assert bad.stderr.startswith(f"ttk: error: {tmp_path / 'x.wav'}: no sound can be read")


def test_train_writes_a_run_that_evaluate_takes(
    speech: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the command line alone, but for the network's size."""
    monkeypatch.setattr(DeepSpeechRecipe, "__init__", _make_tiny(DeepSpeechRecipe.__init__))
    out = tmp_path / "run"
    words = ["train", "deepspeech", "--speech", str(speech), "--out", str(out), "--epochs", "1",
             "--synthetic-hours", "0", "--workers", "0"]  # fmt: skip
    result = CliRunner().invoke(zoo, [*words, "--json"])
    assert result.exit_code == 0, result.output
    best = json.loads(result.stdout)
    assert best.keys() == {"score", "cer tones", "epoch"}
    assert f"epoch 1/1: score {best['score']:.4g}" in result.stderr
    assert load_network(find_run_weights(out) or out).sizes == TINY
    again = CliRunner().invoke(zoo, words)
    assert again.exit_code == 1
    assert again.stderr == (
        f"zoo: error: {out}: holds a run: go on with --resume, or choose another --out\n"
    )
    done = CliRunner().invoke(zoo, [*words, "--resume"])
    assert (done.exit_code, done.stdout.count("best: score")) == (0, 1)


def _make_tiny(make: Any) -> Any:
    def init(self: DeepSpeechRecipe, **options: Any) -> None:
        make(self, **{"sizes": TINY, **options})

    return init


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train", "deepspeech", "--out", "x"], "Missing option '--speech'"),
        (["train", "deepspeech", "--speech", "x", "--out", "y", "--epochs", "0"], "zoo: error:"),
        (["train", "nonsense"], "No such command"),
    ],
)
def test_mistakes_of_the_command_line_exit_with_two(words: list[str], message: str) -> None:
    result = CliRunner().invoke(zoo, words)
    assert result.exit_code == 2
    assert message in result.stderr
