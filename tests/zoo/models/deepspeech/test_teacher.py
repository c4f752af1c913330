"""The teacher: its head learns, goes on when killed, and what it says is kept and used."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from tests.tones import play_text, write_speech, write_wav
from toolkit.errors import ToolkitError
from toolkit.features.deepspeech import NetworkSizes, decode_greedy, load_network
from toolkit.features.spectrogram import compute_spectrogram
from zoo.data.rows import store_rows
from zoo.data.transcripts import SpeechStore, Utterance, store_speech
from zoo.models.deepspeech import preparation, recipe, sounds, teacher
from zoo.models.deepspeech.chains import SCALING
from zoo.models.deepspeech.options import DeepSpeechRecipe
from zoo.models.deepspeech.teacher import Teacher, train_teacher
from zoo.training.distributed import Distributed

TINY = NetworkSizes(conv_channels=(4, 4), rnn_type="gru", hidden_size=32, num_layers=1)


class Encoder:
    """Stands in for Whisper: the spectrogram of every second frame, mixed into 384 numbers."""

    label, sha256 = "spectrogram", "0" * 64

    def __init__(self, folder: Path | None = None) -> None:
        self._mix = np.random.default_rng(0).standard_normal((161, 384)) / 8
        self.num_calls = 0

    def encode(self, pcm: npt.NDArray[np.int16]) -> npt.NDArray[np.float16]:
        self.num_calls += 1
        return (compute_spectrogram(pcm, SCALING)[:, ::2].T @ self._mix).astype(np.float16)


@pytest.fixture
def encoder(monkeypatch: pytest.MonkeyPatch) -> Encoder:
    """What the recipe takes for Whisper."""
    encoder = Encoder()
    monkeypatch.setattr(preparation, "Whisper", lambda folder: encoder)
    return encoder


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("speech")
    write_speech(folder)
    return folder


def make_recipe(speech: Path, **changes: Any) -> DeepSpeechRecipe:
    settings = {"synthetic_hours": 0.0, "batch_seconds": 24.0, "epochs": 1, "workers": 0}
    given = {"teacher": "package", "teacher_epochs": 2, **settings, **changes}
    return DeepSpeechRecipe(speech=speech, sizes=TINY, **given)


def store_tones(path: Path, texts: list[str]) -> SpeechStore:
    return store_speech(path, "", ((play_text(text), text) for text in texts))


def make_row(text: str) -> Utterance:
    return Utterance(
        path=Path("none.wav"), speaker="s", corpus="c", licence="own", text=text, split="train"
    )


def train_head(folder: Path, epochs: int, said: list[str]) -> Teacher:
    rng = np.random.default_rng(1)
    texts = ["".join(rng.choice(list("abcde"), 12)) for _ in range(40)]
    kept = ["ab cde", "dada ec"]
    return train_teacher(
        Encoder(),  # type: ignore[arg-type]
        store_tones(folder / "s", texts),
        (store_tones(folder / "v", kept), [make_row(text) for text in kept]),
        folder / "teacher",
        epochs=epochs,
        seed=0,
        precision="fp32",
        say=said.append,
    )


def test_a_head_learns_the_letters_and_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(teacher, "BATCH_STATES", 400)
    said = list[str]()
    head = train_head(tmp_path, 12, said)
    pcm = play_text("beda")
    scores = head.compute_scores(pcm)
    assert scores.shape == (1 + len(pcm) // 320, 29)
    np.testing.assert_allclose(np.exp(scores).sum(1), 1, atol=1e-4)
    assert decode_greedy(scores) == "beda"
    assert said[0] == "teacher: states of 40 recordings by spectrogram"
    assert len(said) == 13
    train_head(tmp_path, 12, said)
    assert len(said) == 14  # nothing was left to do


def test_a_run_with_a_teacher_keeps_what_it_says_of_every_recording(
    speech: Path, tmp_path: Path, encoder: Encoder
) -> None:
    task = recipe.DeepSpeechTask(make_recipe(speech), tmp_path, distributed=Distributed())
    (material,) = task._materials
    assert material.posteriors is not None
    assert len(material.posteriors) == len(material.speech)
    for number, count in enumerate(material.speech.count_samples()):
        rows = material.posteriors.read(number)
        assert rows.shape == (1 + count // 320, 29)
        np.testing.assert_allclose(rows.astype(float).sum(1), 1, atol=0.02)
    batch = next(task.draw_batches(0, 0))
    losses = task.step(batch)
    assert losses["loss teacher"] > 0
    num_calls = encoder.num_calls
    recipe.DeepSpeechTask(make_recipe(speech), tmp_path, distributed=Distributed())
    assert encoder.num_calls == num_calls  # everything is there


def test_the_loss_towards_the_teacher_is_nothing_for_its_own_scores(
    speech: Path, tmp_path: Path, encoder: Encoder
) -> None:
    task = recipe.DeepSpeechTask(make_recipe(speech), tmp_path, distributed=Distributed())
    batch = next(task.draw_batches(0, 0))
    assert batch.posteriors is not None
    own = batch.posteriors.clamp_min(1e-7).log().log_softmax(2)
    assert task._measure_losses(own, batch)["loss teacher"] < 1e-3
    other = own.roll(5, dims=1)
    assert task._measure_losses(other, batch)["loss teacher"] > 0.1


def test_another_encoder_is_another_run(speech: Path, tmp_path: Path, encoder: Encoder) -> None:
    recipe.DeepSpeechTask(make_recipe(speech), tmp_path, distributed=Distributed())
    encoder.label = "another"
    with pytest.raises(ToolkitError, match="another encoder"):
        recipe.DeepSpeechTask(make_recipe(speech), tmp_path, distributed=Distributed())


def test_sounds_without_transcripts_are_cut_at_pauses_and_read_by_the_teacher(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Reader:
        digest = "d"

        def compute_scores(self, pcm: npt.NDArray[np.int16]) -> npt.NDArray[np.float32]:
            scores = np.zeros((9, 29), np.float32)
            scores[[0, 4], [1, 2]] = 9
            scores[[1, 2, 3, 5, 6, 7, 8], 28] = 9
            return scores

    monkeypatch.setattr(sounds, "find_stretches", lambda pcm, n: [(50, 250), (500, n)])
    write_wav(tmp_path / "in" / "a.wav", np.ones(40 * 16000, np.int16))
    (tmp_path / "in" / "notes.txt").write_text("no sound")
    store = sounds.store_sounds(tmp_path / "s", [tmp_path / "in"], Reader())  # type: ignore[arg-type]
    seconds = store.count_samples() / 16000
    assert seconds.tolist() == pytest.approx([2, 35 / 3, 35 / 3, 35 / 3], abs=0.02)
    assert store.texts == [decode_greedy(Reader().compute_scores(np.zeros(9, np.int16)))] * 4
    assert store.texts[0] == "ab"
    for path, message in ((tmp_path / "in" / "notes.txt", "notes"), (tmp_path / "x", "no such")):
        with pytest.raises(ToolkitError, match=message):
            sounds.store_sounds(tmp_path / "t", [path], Reader())  # type: ignore[arg-type]


def test_sounds_need_a_teacher(speech: Path) -> None:
    with pytest.raises(ValueError, match="--sounds needs --teacher"):
        make_recipe(speech, teacher=None, sounds=(speech,))


def test_rows_are_computed_once_and_again_under_another_key(tmp_path: Path) -> None:
    num_made = [0]

    def make(value: float) -> Any:
        for length in (3, 0, 2):
            num_made[0] += 1
            yield np.full((length, 4), value, np.float16)

    for key, value, made in (("a", 1.0, 3), ("a", 2.0, 3), ("b", 3.0, 6)):
        store = store_rows(tmp_path / "r", key, make(value))
        assert num_made == [made]
        assert [len(store.read(k)) for k in range(len(store))] == [3, 0, 2]
        assert store.read(2).shape == (2, 4)
    assert (store.read(0) == 3).all()
    (tmp_path / "r").write_bytes(b"cut")
    assert (store_rows(tmp_path / "r", "b", make(4.0)).read(2) == 4).all()


def test_a_run_states_its_delay_in_its_weights(speech: Path, tmp_path: Path) -> None:
    settings = make_recipe(speech, teacher=None, delay=0.06)
    recipe.train_deepspeech(settings, tmp_path)
    assert load_network(tmp_path / "best.safetensors").delay == pytest.approx(0.06)
    with pytest.raises(ValueError, match="--delay 2"):
        make_recipe(speech, delay=2.0)
