"""`zoo synthesize --system cascaded` as its user meets it; stand-ins of the models draw."""

import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from tests.numbered import read_all
from tests.sitters import HEIGHT, WIDTH, draw_scene, write_pictures, write_walk
from tests.tones import write_wav
from tests.toolkit.features.test_voice_activity import make_vowels
from tests.zoo.speaking.cascade import (
    FPS,
    LOWER,
    REST,
    SIZE,
    Eyes,
    Faces,
    Lips,
    make_statistics,
)
from tests.zoo.speaking.one_picture import save_at_net
from toolkit.clock import SAMPLE_RATE
from toolkit.media.inspect_file import inspect_file
from zoo.cli import main
from zoo.data.portraits import Portraits, measure_portraits
from zoo.landmarks.statistics import EYE_REGION68
from zoo.models.registry import create_model
from zoo.speaking import canonical
from zoo.speaking.canonical import speak
from zoo.speaking.sitter import show
from zoo.speaking.synthesize import COMMENT
from zoo.training.checkpoint import save_checkpoint

LIPS = [*range(48, 68)]


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three pictures of a person, the head at three places."""
    scenes = {f"p{k}": draw_scene((20 * k, 30, 240)) for k in range(3)}
    return write_pictures(tmp_path_factory.mktemp("people") / "ann", **scenes)


@pytest.fixture(scope="module")
def portraits(pictures: Path) -> Portraits:
    return measure_portraits(pictures)


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the checkpoints hold; tests may exchange them."""
    held: dict[str, Any] = {"landmarks": Lips(), "eyes": Eyes(), "faces": Faces()}
    monkeypatch.setattr(
        "zoo.speaking.cascaded.open_model",
        lambda path, device="cpu", *, makes, family: held[makes],
    )
    return held


def write_speech(folder: Path, pcm: Any = None) -> Path:
    return write_wav(folder / "speech.wav", make_vowels() if pcm is None else pcm)


def synthesize(folder: Path, audio: Path, *more: object, images: Path | None = None) -> Result:
    words = ["synthesize", "--system", "cascaded", "--audio", audio, "--l-gan", "lgan.pt"]
    words += ["--blink-gan", "blink.pt", "--t-gan", "tgan.pt", "--out", folder / "out.mp4"]
    words += ["--device", "cpu", *(("--images", images) if images else ()), *more]
    return CliRunner().invoke(main, [*map(str, words)])


def refused(folder: Path, result: Result, code: int = 1) -> str:
    """What a command says when it refuses: one line, and no video."""
    assert result.exit_code == code, result.output
    assert not list(folder.glob("*out*"))
    (line,) = [text for text in result.stderr.splitlines() if "rror" in text]
    return line


# --- the video ----------------------------------------------------------------------------------


def test_a_recording_and_pictures_become_a_video(
    tmp_path: Path, pictures: Path, models: dict[str, Any]
) -> None:
    """1.99 s at 25 a second are 49 whole frames, with sound and the note."""
    audio = write_speech(tmp_path, make_vowels()[: round(1.99 * SAMPLE_RATE)])
    result = synthesize(tmp_path, audio, "--json", images=pictures)
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {
        "path": str(tmp_path / "out.mp4"), "num_frames": 49, "fps": FPS, "person": "ann",
        "pictures": 3, "finetuned": False,
    }  # fmt: skip
    content = inspect_file(tmp_path / "out.mp4")
    assert (content.num_frames, content.sound, content.comment) == (49, "aac", COMMENT)
    assert f"{SIZE} × {SIZE}" in content.picture
    said = "tgan.pt: is not fine-tuned: ann is only shown to it, in 3 pictures; zoo finetune t-gan"
    assert said in result.stderr
    assert models["faces"].textures == [f"of 3 at {SIZE}"]


def test_the_mouth_follows_speech_and_rests_behind_it(
    tmp_path: Path, pictures: Path, models: dict[str, Any]
) -> None:
    """Vowels end at 1.25 s: from 2 s on lips and jaw stand still, closed as at rest."""
    audio = write_speech(tmp_path, np.concatenate([make_vowels(), np.zeros(16_000, np.int16)]))
    assert synthesize(tmp_path, audio, images=pictures).exit_code == 0
    drawn = np.stack(models["faces"].asked)
    rest = drawn[-1]
    lower = (drawn[:, LOWER] - rest[LOWER])[..., 1].mean(axis=1)
    assert lower[8:30].min() > 0.5
    assert np.abs(drawn[52:, LIPS] - rest[LIPS]).max() < 1e-6
    assert np.abs(drawn[:, 27:31] - rest[27:31]).max() < 1e-6  # the head is still


@pytest.mark.parametrize("level", [0, 30])
def test_in_silence_and_noise_the_mouth_is_still_and_closed(
    tmp_path: Path, portraits: Portraits, pictures: Path, models: dict[str, Any], level: int
) -> None:
    """Digital silence, and noise at −61 dBFS: the lips are those of the person at rest."""
    noise = np.random.default_rng(0).normal(0, level, 2 * SAMPLE_RATE)
    audio = write_speech(tmp_path, noise.round().astype(np.int16))
    with pytest.warns(UserWarning) as said:
        result = synthesize(tmp_path, audio, images=pictures)
    assert result.exit_code == 0
    assert any("no speech is heard in it: the mouth stays closed" in str(w.message) for w in said)
    drawn = np.stack(models["faces"].asked)
    neutral = show(models["faces"], portraits).neutral
    assert len(drawn) == 2 * FPS
    assert np.abs(drawn[:, LIPS] - neutral[LIPS]).max() < 1e-4


def test_eyes_are_the_blink_generators_and_its_seed_and_rate_are_given(
    tmp_path: Path, pictures: Path, models: dict[str, Any]
) -> None:
    """12 blinks a minute are 0.2 a second; without a number the generator chooses."""
    audio = write_speech(tmp_path)
    for more in ((), ("--seed", 10, "--blink-rate", 12)):
        assert synthesize(tmp_path, audio, *more, images=pictures).exit_code == 0
    drawn = np.stack(models["faces"].asked).reshape(2, 50, 68, 2)
    lids = drawn[:, :, EYE_REGION68, 1].mean(axis=2)
    low = [np.flatnonzero(one > one.min() + 0.2).tolist() for one in lids]
    assert low == [[0, 1, 2, 3], [10, 11, 12, 13]]
    assert models["eyes"].rates == [None, 0.2]


def test_a_rate_of_0_leaves_the_eyes_alone(
    tmp_path: Path, pictures: Path, models: dict[str, Any]
) -> None:
    """Whatever the slowest rate is that the generator can make."""
    audio = write_speech(tmp_path)
    assert synthesize(tmp_path, audio, "--blink-rate", 0, images=pictures).exit_code == 0
    drawn = np.stack(models["faces"].asked)
    assert np.ptp(drawn[:, EYE_REGION68], axis=0).max() < 1e-6
    assert models["eyes"].rates == []


def test_the_same_again_is_the_same_to_the_bit(
    tmp_path: Path, pictures: Path, models: dict[str, Any]
) -> None:
    audio = write_speech(tmp_path)
    films = []
    for _ in range(2):
        assert synthesize(tmp_path, audio, images=pictures).exit_code == 0
        films.append((tmp_path / "out.mp4").read_bytes())
    assert films[0] == films[1]


def test_a_fine_tuned_model_needs_no_pictures(
    tmp_path: Path, portraits: Portraits, models: dict[str, Any]
) -> None:
    meshes = portraits.meshes * np.float32(SIZE / 256)
    models["faces"] = Faces(meshes, tuned=True)
    result = synthesize(tmp_path, write_speech(tmp_path), "--json")
    assert result.exit_code == 0, result.output
    made = json.loads(result.stdout)
    assert (made["person"], made["pictures"], made["finetuned"]) == ("bob", 3, True)
    assert models["faces"].textures == ["bob's"]
    assert models["faces"].asked[-1] == pytest.approx(show(Faces(), portraits).neutral, abs=1e-4)


def test_pictures_that_are_given_come_before_those_learnt(
    tmp_path: Path, pictures: Path, portraits: Portraits, models: dict[str, Any]
) -> None:
    models["faces"] = Faces(portraits.meshes, tuned=True)
    result = synthesize(tmp_path, write_speech(tmp_path), images=pictures)
    assert result.exit_code == 0, result.output
    assert models["faces"].textures == [f"of 3 at {SIZE}"]
    assert "fine-tuned to bob; draws ann of 3 pictures" in result.stderr


def save_models(folder: Path) -> list[str]:
    """Checkpoints with random weights, as their trainings write them, and the options for them."""
    statistics = make_statistics().to_state()
    lips = create_model("l-gan", "small")
    contents: dict[str, Any] = {
        "l-gan": {
            "preset": "small", "taps": 6, "generator": lips.generator.state_dict(),
            "statistics": statistics, "contract": Lips().contract.to_state(),
        },
        "blink-gan": {
            "preset": "small", "rate": 0.3, "statistics": statistics, "backends": Eyes().backends,
            "network": create_model("blink-gan", "small", num_components=4).state_dict(),
        },
        "t-gan": {
            "preset": "small", "size": 128, "ablate": "feature", "landmarks": Faces().landmarks,
            "judges": {}, "trained_on": ["bob"],
            "generator": create_model("t-gan", "small").state_dict(),
        },
    }  # fmt: skip
    words = []
    for name, content in contents.items():
        save_checkpoint(folder / f"{name}.pt", {"kind": name, "model": content})
        words += [f"--{name}", str(folder / f"{name}.pt")]
    return words


def test_checkpoints_speak_and_fine_tuning_lets_them_speak_without_pictures(
    tmp_path: Path, pictures: Path
) -> None:
    """From pictures to a video by two commands; checkpoints of before said nothing of points."""
    words = save_models(tmp_path)
    tune = ["finetune", "t-gan", "--base", words[-1], "--images", pictures, "--epochs", 1]
    tune += ["--out", tmp_path / "me", "--face", "none", "--device", "cpu"]
    result = CliRunner().invoke(main, [*map(str, tune)])
    assert result.exit_code == 0, result.output
    speak_words = ["synthesize", "--system", "cascaded", "--audio", write_speech(tmp_path)]
    speak_words += [*words[:-1], tmp_path / "me" / "best.pt", "--blink-rate", 0, "--json"]
    result = CliRunner().invoke(main, [*map(str, [*speak_words, "--out", tmp_path / "out.mp4"])])
    assert result.exit_code == 0, result.output
    made = json.loads(result.stdout)
    assert (made["person"], made["pictures"], made["finetuned"]) == ("ann", 3, True)
    content = inspect_file(tmp_path / "out.mp4")
    assert (content.num_frames, content.sound) == (50, "aac")
    assert "128 × 128" in content.picture


# --- in its video -------------------------------------------------------------------------------


def test_a_face_is_pasted_into_its_video_and_follows_the_head(
    tmp_path: Path, models: dict[str, Any]
) -> None:
    """The head moves 2 px a frame at 30 a second: 2.4 px a frame at 25, and back at the end."""
    video = write_walk(tmp_path / "walk.mp4", num_frames=30)
    audio = write_speech(tmp_path)
    result = synthesize(tmp_path, audio, "--background", "source", images=video)
    assert result.exit_code == 0, result.output
    _, _, film = read_all(tmp_path / "out.mp4")
    assert film[0].shape == (HEIGHT, WIDTH, 3)
    assert len(film) == 50
    take = measure_portraits(video).take
    assert take is not None
    bridge = np.stack(models["faces"].asked)[:, 27, 0] * (take.crop[2] - take.crop[0]) / SIZE
    assert np.diff(bridge[4:18]) == pytest.approx(2.4, abs=1.2)
    assert np.diff(bridge[4:18]).mean() == pytest.approx(2.4, abs=0.2)
    assert np.diff(bridge[28:40]).mean() == pytest.approx(-2.4, abs=0.2)
    _, _, source = read_all(video)
    beside = np.s_[:, 385:]
    assert np.abs(film[0][beside].astype(int) - source[0][beside]).mean() < 3
    middle = np.s_[110:200, 105:165]
    assert np.abs(film[0][middle].astype(int) - source[0][middle]).mean() > 30


def test_without_a_video_there_is_no_background(
    tmp_path: Path, pictures: Path, portraits: Portraits, models: dict[str, Any]
) -> None:
    audio = write_speech(tmp_path)
    result = synthesize(tmp_path, audio, "--background", "source", images=pictures)
    assert "--background source shows the face in its video: give a video" in refused(
        tmp_path, result
    )
    models["faces"] = Faces(portraits.meshes, tuned=True)
    assert "give a video as --images" in refused(
        tmp_path, synthesize(tmp_path, audio, "--background", "source")
    )


# --- long sound ---------------------------------------------------------------------------------


def test_blocks_are_the_same_as_one_stretch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Taps beyond a block's ends are its neighbours'."""
    rng = np.random.default_rng(0)
    scores = np.log(rng.dirichlet(np.ones(29), 50)).astype(np.float32)
    voice, eyes = rng.uniform(size=50).astype(np.float32), rng.normal(size=(50, 22, 2))
    whole, parts = Lips(), Lips()
    one = list(speak(whole, scores, voice, eyes.astype(np.float32)))
    assert len(one) == 1
    monkeypatch.setattr(canonical, "BLOCK", 7)
    many = list(speak(parts, scores, voice, eyes.astype(np.float32)))
    assert len(many) == 8
    assert np.concatenate(parts.asked) == pytest.approx(whole.asked[0], abs=1e-5)
    assert np.concatenate(many) == pytest.approx(one[0], abs=1e-5)
    moved = one[0] - REST
    assert moved[:, EYE_REGION68] == pytest.approx(eyes, abs=1e-6)
    assert moved[:, 8, 1] == pytest.approx(
        voice * (0.05 + 0.1 * (1 - np.exp(scores[:, 28]))), abs=1e-6
    )


def test_memory_does_not_grow_with_the_video(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the second to the last of twenty blocks not by one of them."""
    monkeypatch.setattr(canonical, "BLOCK", 500)
    num, lips = 10_000, Lips()
    scores, eyes = np.zeros((num, 29), np.float32), np.zeros((num, 22, 2), np.float32)
    blocks = speak(lips, scores, np.ones(num, np.float32), eyes)
    tracemalloc.start()
    try:
        next(blocks)
        next(blocks)
        lips.asked.clear()
        before = tracemalloc.get_traced_memory()[0]
        for _ in blocks:
            lips.asked.clear()
        after = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert after - before < 500 * 68 * 2 * 4


# --- what is refused ----------------------------------------------------------------------------


def test_five_milliseconds_are_no_frame(
    tmp_path: Path, pictures: Path, models: dict[str, Any]
) -> None:
    audio = write_speech(tmp_path, make_vowels()[:80])
    line = refused(tmp_path, synthesize(tmp_path, audio, images=pictures))
    assert line.endswith("speech.wav: 5 ms of sound, less than one frame of 40 ms")


def test_no_face_no_video(tmp_path: Path, models: dict[str, Any]) -> None:
    grey = write_pictures(tmp_path / "grey", a=np.full((200, 200, 3), 128, np.uint8))
    line = refused(tmp_path, synthesize(tmp_path, write_speech(tmp_path), images=grey))
    assert "grey: no face is seen in its one picture: give pictures" in line


def test_a_base_without_pictures_is_refused(tmp_path: Path, models: dict[str, Any]) -> None:
    line = refused(tmp_path, synthesize(tmp_path, write_speech(tmp_path)))
    assert "tgan.pt: knows no person: give --images FOLDER or VIDEO, or fine-tune it" in line
    models["faces"] = Faces(tuned=True)
    line = refused(tmp_path, synthesize(tmp_path, write_speech(tmp_path)))
    assert "tgan.pt: was fine-tuned without face meshes: give --images" in line


@pytest.mark.parametrize(
    ("makes", "other", "said"),
    [
        ("faces", Faces(layout="openface-68"), "tgan.pt: of openface-68 landmarks, but lgan.pt"),
        ("eyes", Eyes(layout="openface-68"), "blink.pt: of openface-68 landmarks, but lgan.pt"),
        ("landmarks", Lips(layout="openface-68"), "lgan.pt is of openface-68: take models"),
        ("faces", Faces(backend="mesh 2"), "tgan.pt: landmarks by mesh 2, but lgan.pt knows"),
        ("eyes", Eyes(backend="mesh 2"), "blink.pt: landmarks by mesh 2, but lgan.pt knows"),
    ],
)
def test_models_of_other_landmarks_are_refused(
    tmp_path: Path, pictures: Path, models: dict[str, Any], makes: str, other: Any, said: str
) -> None:
    models[makes] = other
    assert said in refused(tmp_path, synthesize(tmp_path, write_speech(tmp_path), images=pictures))


def test_pictures_whose_landmarks_the_models_do_not_know_are_refused(
    tmp_path: Path, pictures: Path, models: dict[str, Any]
) -> None:
    models |= {
        "landmarks": Lips(backend="mesh 2"), "eyes": Eyes(backend="mesh 2"),
        "faces": Faces(backend="mesh 2"),
    }  # fmt: skip
    line = refused(tmp_path, synthesize(tmp_path, write_speech(tmp_path), images=pictures))
    assert "ann: landmarks by mediapipe" in line
    assert "but tgan.pt knows those by mesh 2" in line


def test_options_of_the_other_system_are_refused(tmp_path: Path, models: dict[str, Any]) -> None:
    audio = write_speech(tmp_path)
    for more, said in (
        (("--person", "runs/me"), "--person is no option of --system cascaded"),
        (("--no-fade",), "--no-fade is no option of --system cascaded"),
        (("--background", "full"), "--system cascaded draws faces: give --background source"),
        (("--blink-rate", "99"), "--blink-rate '99': choose person, model or a number"),
    ):
        assert said in refused(tmp_path, synthesize(tmp_path, audio, *more), code=2)
    words = ["synthesize", "--audio", audio, "--t-gan", "t.pt", "--out", tmp_path / "out.mp4"]
    result = CliRunner().invoke(main, [*map(str, words)])
    assert "--t-gan is no option of --system facial" in refused(tmp_path, result, code=2)


def test_another_system_s_network_is_refused(tmp_path: Path, pictures: Path) -> None:
    """At-net makes landmarks as well, in another space."""
    at_net = save_at_net(tmp_path / "at.pt")
    audio = write_speech(tmp_path)
    result = synthesize(tmp_path, audio, "--l-gan", at_net, images=pictures)
    assert "at.pt: a checkpoint of at-net, not of l-gan" in refused(tmp_path, result)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    words = ["synthesize", "--system", "cascaded", "--audio", "a.wav", "--t-gan", "t.pt"]
    result = CliRunner().invoke(main, [*words, "--out", str(tmp_path / "out.mp4")])
    assert "--system cascaded: give --l-gan, --blink-gan" in refused(tmp_path, result, code=2)


def test_a_video_is_never_written_over_what_it_is_made_of(
    tmp_path: Path, models: dict[str, Any]
) -> None:
    video = write_walk(tmp_path / "out.mp4", num_frames=6)
    before = video.read_bytes()
    result = synthesize(tmp_path, write_speech(tmp_path), images=video)
    assert result.exit_code == 1
    assert "would be written over what it is made of" in result.stderr
    assert video.read_bytes() == before
