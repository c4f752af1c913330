"""Programs that read text aloud: each one that is installed does, in voices of its own."""

import numpy as np
import pytest

from zoo.models.deepspeech import engines, voices
from zoo.models.deepspeech.engines import ENGINES, Engine, list_engines

SENTENCES = ["Put the kettle on.", "It's a long way to the sea."]


@pytest.mark.parametrize("name", ENGINES)
def test_an_engine_reads_each_sentence_by_one_voice_of_several(name: str) -> None:
    if name not in list_engines():
        pytest.skip(f"{name} is not installed")
    names = set[str]()
    for seed in range(3):
        found = list(ENGINES[name].read(SENTENCES, np.random.default_rng(seed)))
        assert len(found) == 2
        (voice,) = {voice for _, voice in found}
        assert voice.startswith(name)
        names.add(voice)
        for pcm, _ in found:
            assert pcm.dtype == np.int16
            assert 0.5 < len(pcm) / 16000 < 6
            assert np.abs(pcm).max() > 5_000
    assert len(names) == 3


def test_what_is_read_is_shared_among_the_engines_that_are_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def make(name: str, share: float, is_there: bool) -> Engine:
        sound = np.ones(16000, np.int16)
        return Engine(lambda texts, rng: ((sound, name) for _ in texts), share, lambda: is_there)

    table = {"a": make("a", 0.2, True), "b": make("b", 0.3, False), "c": make("c", 0.6, True)}
    monkeypatch.setattr(engines, "ENGINES", table)
    monkeypatch.setattr(voices, "ENGINES", table)
    monkeypatch.setattr(voices, "PER_VOICE", 1)
    assert list_engines() == ["a", "c"]
    read = [s.voice for s in voices.read_aloud(["Hello there."] * 400, np.random.default_rng(0))]
    assert set(read) == {"a", "c"}
    assert read.count("c") / 400 == pytest.approx(0.75, abs=0.07)


def test_a_longer_vocal_tract_has_its_formants_lower() -> None:
    bins = np.zeros((601, 2), np.float32)
    bins[300] = 1
    assert int(engines._stretch(bins, 0.9)[:, 0].argmax()) == 270
    assert int(engines._stretch(bins, 1.1)[:, 0].argmax()) == 330
