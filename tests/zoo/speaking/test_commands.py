"""`zoo synthesize`, `reenact` and `personalize` as their user meets them; a stand-in draws."""

import json
import os
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from scipy.io import wavfile

from tests.datasets import FakeClip, write_dataset
from tests.networks import make_contract, make_normalisation, save_model
from tests.numbered import make_tone, read_all, run_ffmpeg, write_wav
from tests.runs import make_once, unwritable
from toolkit.errors import ToolkitError
from toolkit.features.blink import find_blinks
from toolkit.media.encode import write_video
from toolkit.schema import Provenance
from toolkit.storage import hash_file
from toolkit.weights import Status
from zoo.cli import main
from zoo.data import POSE
from zoo.data.frames import load_render_clips
from zoo.models import registry
from zoo.models.facial.model import open_facial_gan
from zoo.models.renderer.model import TrainedRenderer
from zoo.models.renderer.person import fit_person
from zoo.motion.lids import LidMap
from zoo.motion.model import MotionModel
from zoo.motion.motion_file import load_motion
from zoo.motion.speech import predict_scores
from zoo.speaking import personalize as stages
from zoo.speaking.person_file import PersonFile, load_person, save_person
from zoo.speaking.scene import find_source
from zoo.speaking.synthesize import COMMENT, draw_motion, generate_at
from zoo.training import perceptual
from zoo.training.checkpoint import load_checkpoint, save_checkpoint

SIZE, NUM_FRAMES = 32, 40


@dataclass(frozen=True, eq=False, kw_only=True)
class StandIn(TrainedRenderer):
    """Draws stored frames of a clip, and remembers what it was asked to draw."""

    clip: object
    asked: list = field(default_factory=list)

    def draw(self, camera, *, expression, pose, au45, smooth=True):
        asked = {"expression": expression, "pose": pose, "au45": au45, "smooth": smooth}
        self.asked.append(asked)
        for t in range(len(pose)):
            yield self.clip.read_frame(t % self.clip.num_frames)


def make_stand_in(of, **changes):
    known = {
        "path": "renderer.pt", "person": fit_person([of]), "size": SIZE, "fps": 30,
        "preset": "small", "perceptual": "random", "trained_on": {}, "held_out": {},
        "generator": torch.nn.Identity(),
        "maker": None, "device": torch.device("cpu"), "clip": of,
    }  # fmt: skip
    return StandIn(**(known | changes))


@pytest.fixture
def data(tmp_path, media):
    """A dataset with a clip of ann, whose source is there, and a motion model that knows her."""
    return shutil.copytree(make_once(media / "ann", make_data), tmp_path, dirs_exist_ok=True)


def make_data(folder):
    """Once in a session, for a hundred tests that change their copy."""
    clip = FakeClip(num_frames=NUM_FRAMES, arrays={"video/source_time": np.arange(NUM_FRAMES) / 30})
    source = folder / "data" / "videos" / "ann.mp4"
    source.parent.mkdir(parents=True)
    write_video(source, [np.full((120, 160, 3), 90, np.uint8)] * NUM_FRAMES, fps=30)
    write_dataset(folder / "data", {"j": [clip]}, frame_size=SIZE)
    save_model(folder / "motion.pt", "ann")


@pytest.fixture
def renderer(data, monkeypatch):
    """What `--renderer` opens; tests may exchange it."""
    held = {"now": make_stand_in(load_clip(data))}

    def open_held(path, device="cpu", *, makes):
        return held["now"] if makes == "frames" else registry.open_model(path, device, makes=makes)

    for module in ("synthesize", "reenact"):
        monkeypatch.setattr(f"zoo.speaking.{module}.open_model", open_held)
    return held


def load_clip(data):
    return load_render_clips(data / "data" / "shards", identity="ann")[0]


def write_speech(path, seconds=1.0, rate=16_000, level=0.5):
    return write_wav(path, make_tone(seconds, rate, level=level), rate)


def run(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


def synthesize(data, audio, *more, identity="ann", motion="motion.pt"):
    return run(
        "synthesize", "--audio", audio, "--identity", identity, "--shards", data / "data/shards",
        "--motion-model", data / motion, "--renderer", data / "renderer.pt",
        "--out", data / "out.mp4", "--device", "cpu", *more,
    )  # fmt: skip


def reenact(data, *more):
    clip = FakeClip(num_frames=NUM_FRAMES).id
    return run(
        "reenact", clip[:6], "--shards", data / "data/shards", "--renderer", data / "renderer.pt",
        "--out", data / "out.mp4", "--device", "cpu", *more,
    )  # fmt: skip


def refused(data, result, code=1):
    """What a command says when it refuses: one line, and no video."""
    assert result.exit_code == code, result.output
    assert not list(data.glob("*out*"))
    (line,) = [text for text in result.stderr.splitlines() if "rror" in text]
    return line


# --- synthesize ---------------------------------------------------------------------------------


@pytest.mark.parametrize(("background", "size"), [("source", (160, 120)), ("crop", (32, 32))])
def test_a_recording_becomes_a_video_of_as_many_whole_frames(data, renderer, background, size):
    """1.55 s are 46 frames at 30, more than the clip's 40; the note is in the container."""
    audio = write_speech(data / "speech.wav", 1.55)
    result = synthesize(data, audio, "--background", background, "--json")
    assert result.exit_code == 0, result.output
    made = json.loads(result.stdout)
    assert (made["num_frames"], made["fps"], made["perceptual"]) == (46, 30, "random")
    info, times, pictures = read_all(data / "out.mp4")
    assert ((info.width, info.height), len(times)) == (size, 46)
    assert info.duration == pytest.approx(46 / 30, abs=0.03)
    assert info.audio_start == 0
    with av.open(str(data / "out.mp4")) as container:
        assert container.metadata["comment"] == COMMENT
        assert COMMENT.startswith("synthetic")
    if background == "source":
        assert pictures[45][:, 110:].mean() == pytest.approx(90, abs=3)


@pytest.mark.parametrize(
    ("name", "rate", "level", "arguments"),
    [
        ("silent.wav", 16_000, 0.0, ()),
        ("phone.wav", 8_000, 0.5, ()),
        ("music.mp3", 44_100, 0.5, ("-ac", "2")),
        ("video.mp4", 48_000, 0.5, ("-f", "lavfi", "-i", "testsrc=s=64x48:r=10:d=1")),
    ],
)
def test_anything_with_sound_will_do(data, renderer, name, rate, level, arguments):
    wav = write_speech(data / "tone.wav", 1.0, rate, level)
    if name != "tone.wav":
        run_ffmpeg("-i", wav, *arguments, data / name)
    result = synthesize(data, data / name)
    assert result.exit_code == 0, result.output
    _, times, _ = read_all(data / "out.mp4")
    assert len(times) == pytest.approx(30, abs=3)  # MP3 and AAC begin with some silence


@pytest.mark.parametrize(("level", "warned"), [(0.0, True), (0.0005, True), (0.5, False)])
def test_a_silent_recording_is_warned_of(data, renderer, recwarn, level, warned):
    """−60 dBFS is an amplitude of a thousandth."""
    result = synthesize(data, write_speech(data / "a.wav", 1.0, 16_000, level))
    assert result.exit_code == 0
    said = [str(warning.message) for warning in recwarn if "silent" in str(warning.message)]
    assert said == [f"{data / 'a.wav'} is silent: nothing in it reaches -60 dBFS"] * warned


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000])
@pytest.mark.parametrize(("seconds", "num_frames"), [(1.0, 30), (0.999, 29), (1.02, 30)])
def test_a_video_has_the_whole_frames_of_its_sound(data, renderer, rate, seconds, num_frames):
    """floor(seconds · 30), whatever the rate: of float samples in two channels."""
    tone = make_tone(seconds, rate).astype(np.float32)
    wavfile.write(data / "speech.wav", rate, np.stack([tone, -0.5 * tone], axis=1))
    result = synthesize(data, data / "speech.wav", "--background", "crop", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["num_frames"] == num_frames


def test_a_sound_shorter_than_a_frame_is_one_frame(data, renderer):
    assert synthesize(data, write_speech(data / "a.wav", 0.01)).exit_code == 0
    assert len(read_all(data / "out.mp4")[1]) == 1


class Rest(torch.nn.Module):
    """Normalised motion of nothing but the expression 1 and AU45 of a fifth."""

    def forward(self, audio, state):
        motion = torch.zeros(len(audio), audio.shape[1] - 15, 71)
        motion[..., :64] = torch.arange(64) / 64
        return motion


def test_the_head_rests_where_the_clips_head_is_and_pose_is_mapped_to_the_models(data):
    """The identity's mean pose is 0.1 everywhere, the clip's another: the clip's is drawn."""
    clip = load_clip(data)
    model = MotionModel(data, Rest(), make_normalisation("ann"), make_contract())
    motion = generate_at(model, np.zeros((9, 29), np.float32), clip)
    stand_in = make_stand_in(clip)
    assert len(list(draw_motion(stand_in, clip, motion))) == 9
    (asked,) = stand_in.asked
    mean = np.repeat(clip.pose.mean(axis=0)[None], 9, axis=0)
    np.testing.assert_allclose(asked["pose"], stand_in.person.pose_map.apply(mean), atol=1e-4)
    assert asked["expression"].shape == (9, 64)
    assert asked["au45"].shape == (9,)


def test_without_recentring_the_head_stays_about_the_identitys_mean(data):
    """0.1 everywhere, wherever the head of the clip is."""
    clip = load_clip(data)
    model = MotionModel(data, Rest(), make_normalisation("ann"), make_contract())
    motion = generate_at(model, np.zeros((9, 29), np.float32), clip, recentre=False)
    np.testing.assert_allclose(motion[:, POSE], 0.1, rtol=1e-6)


@pytest.mark.parametrize(
    ("words", "switched"),
    [
        ((), set()),
        (("--no-fade",), {"fade"}),
        (("--no-recentring",), {"recentre"}),
        (("--no-smoothing",), {"smooth"}),
        (("--blink-rate", "model"), {"lids"}),
        (("--plain",), {"fade", "recentre", "smooth", "lids"}),
    ],
)
def test_what_the_paper_does_not_have_can_be_switched_off(data, renderer, words, switched):
    """Each by itself, or all."""
    learn_lids(data)
    audio = write_speech(data / "a.wav", 9.0)  # 270 frames: seams at 127 and 142
    assert synthesize(data, audio, "--background", "crop", *words).exit_code == 0
    stand_in = renderer["now"]
    (asked,) = stand_in.asked
    assert asked["smooth"] is ("smooth" not in switched)
    model, clip = open_facial_gan(data / "motion.pt"), load_clip(data)
    scores = predict_scores(audio, model.contract)
    wanted = generate_at(
        model, scores, clip, "model" if "lids" in switched else "person",
        fade="fade" not in switched, recentre="recentre" not in switched,
    )  # fmt: skip
    np.testing.assert_array_equal(asked["expression"], wanted[:, :64])
    np.testing.assert_array_equal(asked["au45"], wanted[:, 70])
    as_usual = generate_at(model, scores, clip)
    with_lids = generate_at(model, scores, clip, fade="fade" not in switched)
    changed = {
        "fade": np.any(asked["expression"] != as_usual[:, :64]),
        "recentre": np.any(asked["pose"][0] != stand_in.pose_map.apply(as_usual[:1, POSE])[0]),
        "lids": np.any(asked["au45"] != with_lids[:, 70]),
    }
    assert {name for name, is_so in changed.items() if is_so} == switched - {"smooth"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--plain", "--blink-rate", "20"), "leave it or --blink-rate 20 away"),
        (("--plain", "--smooth"), "leave it or --smooth away"),
        (("--scores", "b.npy"), "give --audio or --scores"),
        (("--pose-like", "b.npy"), "--pose-like belongs to --scores"),
    ],
)
def test_options_of_generate_that_do_not_go_together_are_refused(data, words, message):
    """In one line each."""
    audio = write_speech(data / "a.wav")
    result = run(
        "generate", "--model", data / "motion.pt", "--audio", audio, "--out", data / "m.npz", *words
    )
    assert result.exit_code != 0
    assert message in result.stderr
    assert not (data / "m.npz").exists()


def test_a_fine_tuned_models_lids_are_the_persons(data):
    """What the model leaves open is as far closed as the person was."""
    clip, normalisation = load_clip(data), make_normalisation("ann")
    lids = LidMap.fit("ann", [np.zeros(100)], np.full(100, 3.0), fps=30)
    others = replace(lids, identity="bob")
    heard = np.zeros((9, 29), np.float32)
    for known, level in ((lids, 3), (others, 0), (None, 0)):
        model = MotionModel(data, Rest(), normalisation, make_contract(), known)
        np.testing.assert_allclose(generate_at(model, heard, clip)[:, 70], level)


def learn_lids(data):
    """Make the motion model one that was fine-tuned to ann: her lids close where it dips."""
    content = load_checkpoint(data / "motion.pt")
    lids = LidMap.fit("ann", [np.linspace(0, 1, 300)], np.linspace(0, 4, 300), fps=30)
    content["model"]["lids"] = lids.to_state()
    save_checkpoint(data / "motion.pt", content)


@pytest.mark.parametrize("words", [(), ("--blink-rate", "0"), ("--blink-rate", "30")])
def test_a_recording_is_the_same_motion_in_every_command(data, renderer, words):
    """`zoo generate` beside what `zoo synthesize` draws: all but where the head is."""
    learn_lids(data)
    audio = write_speech(data / "speech.wav", 4.0)
    assert synthesize(data, audio, *words).exit_code == 0
    model = data / "motion.pt"
    result = run("generate", "--model", model, "--audio", audio, "--out", data / "m.npz", *words)
    assert result.exit_code == 0, result.output
    motion, (asked,) = load_motion(data / "m.npz").motion, renderer["now"].asked
    np.testing.assert_array_equal(motion[:, :64], asked["expression"])
    np.testing.assert_array_equal(motion[:, 70], asked["au45"])
    shift = load_clip(data).pose.mean(axis=0) - np.float32(0.1)  # the model's mean pose
    drawn = renderer["now"].pose_map.apply(motion[:, 64:70] + shift)
    np.testing.assert_allclose(drawn, asked["pose"], atol=1e-4)
    count = len(find_blinks(motion[:, 70], 30))
    assert count == 2 if "30" in words else not (count and words)


def test_blinks_are_asked_for_where_motion_is_made_alone(data, renderer):
    line = refused(data, reenact(data, "--blink-rate", "0"), code=2)
    assert "--blink-rate needs --motion-model" in line
    assert reenact(data, "--blink-rate", "0", "--motion-model", data / "motion.pt").exit_code == 0
    assert not renderer["now"].asked[0]["au45"].any()
    for command, given in COMMANDS.items():
        out = data / ("x.npz" if command == "generate" else "x.mp4")
        result = run(command, *given, "--out", out, "--blink-rate", "own")
        assert result.exit_code == 2
        words = "zoo: error: --blink-rate 'own': choose person, model or a number from 0 to 60"
        assert result.stderr.splitlines()[-1] == words


def test_a_persons_folder_brings_everything(data, renderer):
    folder = data
    files = PersonFile(
        identity="ann",
        shards=folder / "data/shards",
        motion_model=folder / "motion.pt",
        renderer=folder / "renderer.pt",
    )
    save_person(folder, files)
    assert str(data) not in (folder / "person.json").read_text()
    found = load_person(folder)
    assert found.identity == "ann"
    assert found.shards.resolve() == files.shards.resolve()
    audio = write_speech(data / "speech.wav")
    result = run(
        "synthesize", "--audio", audio, "--person", folder, "--out", data / "out.mp4",
        "--device", "cpu",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith(f"{data / 'out.mp4'}: 30 frames, 1.00 s")


# --- what synthesize refuses --------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"no sound", b"RIFF$\0\0\0WAVEfmt "])
def test_a_file_without_sound_is_refused(data, renderer, content):
    (data / "empty.wav").write_bytes(content)
    assert "no sound can be read" in refused(data, synthesize(data, data / "empty.wav"))


def test_a_pipe_is_refused_as_audio_and_not_waited_for(data, renderer):
    os.mkfifo(data / "pipe.wav")
    line = refused(data, synthesize(data, data / "pipe.wav"))
    assert line.endswith("pipe.wav: a pipe (fifo), no file: give a file")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_recording_of_samples_that_are_no_numbers_is_refused(data, renderer, value):
    samples = make_tone(1.0, 16_000)
    samples[8_000:] = value
    wavfile.write(data / "nan.wav", 16_000, samples.astype(np.float32))
    assert "samples that are no numbers" in refused(data, synthesize(data, data / "nan.wav"))


def test_a_recording_of_no_samples_and_one_that_is_missing_are_refused(data, renderer):
    write_wav(data / "none.wav", np.zeros(0), 16_000)
    for name in ("none.wav", "nowhere.wav"):
        assert "no sound can be read" in refused(data, synthesize(data, data / name))


def test_a_stranger_is_refused_with_the_names_that_are_there(data, renderer):
    line = refused(data, synthesize(data, write_speech(data / "a.wav"), identity="bob"))
    assert "unknown identity 'bob': choose from ann" in line


def test_a_renderer_of_somebody_else_is_refused(data, renderer):
    person = replace(renderer["now"].person, identity="bob")
    renderer["now"] = make_stand_in(load_clip(data), person=person)
    line = refused(data, synthesize(data, write_speech(data / "a.wav")))
    assert "draws 'bob', not 'ann'" in line


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"size": 64}, "frames of 32, but renderer.pt was trained with 64"),
        ({"fps": 25}, "frame rate 30, but renderer.pt was trained with 25"),
        ({"person": "other"}, "was trained with other face model"),
    ],
)
def test_a_renderer_of_another_size_rate_or_face_model_is_refused(data, renderer, changes, words):
    clip = load_clip(data)
    if "person" in changes:
        person = fit_person([clip])
        others = person.backends | {"coefficients": "other face model"}
        changes = {"person": replace(person, backends=others)}
    renderer["now"] = make_stand_in(clip, **changes)
    assert words in refused(data, synthesize(data, write_speech(data / "a.wav")))


@pytest.mark.parametrize(
    ("contract", "words"),
    [
        ({"fps": 25}, "frame rate is 30, but the model was trained with 25"),
        ({"backends": {"coefficients": "deng 1"}}, "coefficients is unknown"),
        ({"backends": {"pose": "openface 2"}}, "pose is unknown"),
        ({"backends": {"au45": "pyfeat 1"}}, "au45 is"),
        ({"backends": {"deepspeech": "checkpoint 2"}}, "deepspeech is embedded"),
    ],
)
def test_a_motion_model_of_other_data_is_refused(data, renderer, contract, words):
    save_model(data / "other.pt", "ann", **contract)
    line = refused(data, synthesize(data, write_speech(data / "a.wav"), motion="other.pt"))
    assert words in line


def test_a_motion_model_that_does_not_know_the_person_is_refused(data, renderer):
    save_model(data / "other.pt", "bob", "eve")
    line = refused(data, synthesize(data, write_speech(data / "a.wav"), motion="other.pt"))
    assert "was not trained on 'ann': fine-tune it" in line


def test_checkpoints_of_something_else_are_refused(data):
    """Nothing stands in here: the motion model is no renderer."""
    result = run(
        "synthesize", "--audio", write_speech(data / "a.wav"), "--identity", "ann",
        "--shards", data / "data/shards", "--motion-model", data / "motion.pt",
        "--renderer", data / "motion.pt", "--out", data / "out.mp4", "--device", "cpu",
    )  # fmt: skip
    assert "a checkpoint of facial-gan, not of renderer" in refused(data, result)


def write_other_file(data, kind):
    """A file that is no checkpoint of what is asked for."""
    path = data / f"other.{kind}"
    if kind == "pt":
        save_checkpoint(path, {"kind": "something", "model": {}})
    elif kind == "wav":
        write_speech(path)
    else:
        path.write_text("no checkpoint\n" * 20)
    return path


@pytest.mark.parametrize("kind", ["wav", "txt", "pt"])
@pytest.mark.parametrize("flag", ["--renderer", "--motion-model"])
def test_files_of_another_kind_are_refused_as_checkpoints(data, flag, kind):
    """Nothing stands in here."""
    other = write_other_file(data, kind)
    audio, motion = write_speech(data / "a.wav"), data / "motion.pt"
    files = {"--renderer": motion, "--motion-model": motion} | {flag: other}
    named = [word for pair in files.items() for word in pair]
    result = run(
        "synthesize", "--audio", audio, "--identity", "ann", "--shards", data / "data/shards",
        *named, "--out", data / "out.mp4", "--device", "cpu",
    )  # fmt: skip
    line = refused(data, result)
    wrong = other if flag == "--renderer" else motion
    assert line.startswith(f"zoo: error: {wrong}: ")
    assert line.endswith(("a checkpoint of the zoo", "not of renderer"))


def test_a_renderer_is_refused_as_a_motion_model_and_a_folder_as_either(data, renderer):
    save_checkpoint(data / "r.pt", {"kind": "renderer", "model": {}})
    audio = write_speech(data / "a.wav")
    line = refused(data, synthesize(data, audio, motion="r.pt"))
    assert line.endswith("r.pt: a checkpoint of renderer, not of facial-gan")
    line = refused(data, synthesize(data, audio, motion="."))
    assert line.endswith("a folder: name the checkpoint in it, as best.pt of a run")


@pytest.mark.parametrize("command", ["synthesize", "reenact", "personalize"])
def test_a_place_that_cannot_be_written_is_refused_before_anything_is_made(data, command):
    """Part of the path is a file; none of the other files is there, and none is missed."""
    (data / "file").touch()
    words = {
        "synthesize": ("--audio", "a.wav", "--person", data / "person"),
        "reenact": ("zzz", "--shards", data / "nowhere", "--renderer", "r.pt"),
        "personalize": (data / "data/videos/ann.mp4", "--base", data / "nowhere.pt"),
    }[command]
    if command == "personalize":
        run_ffmpeg("-i", words[0], "-f", "lavfi", "-i", "sine=d=1", "-shortest", data / "me.mp4")
        words = (data / "me.mp4", *words[1:])
    line = refused(data, run(command, *words, "--out", data / "file" / "x.mp4"))
    assert line.startswith(f"zoo: error: {data / 'file' / 'x.mp4'}")
    assert line.endswith(f"cannot be written: {data / 'file'} is a file: choose a folder")


COMMANDS = {
    "synthesize": ("--audio", "a.wav", "--person", "nowhere"),
    "reenact": ("zzz", "--shards", "nowhere", "--renderer", "r.pt"),
    "generate": ("--model", "nowhere.pt", "--audio", "a.wav"),
}


@pytest.mark.parametrize("name", ["out.gif", "out.mp3", "out.mp4.txt", "out"])
@pytest.mark.parametrize("command", COMMANDS)
def test_a_name_of_another_kind_is_refused_before_anything_is_opened(tmp_path, command, name):
    """None of the other files is there, and none is missed."""
    result = run(command, *COMMANDS[command], "--out", tmp_path / name)
    line = refused(tmp_path, result, code=2)
    known = ".npz" if command == "generate" else ".mp4, .mov, .mkv or .webm"
    assert line == f"zoo: error: {tmp_path / name}: the name must end in {known}"


@pytest.mark.parametrize("name", ["out.webm", "out.MKV"])
def test_a_clip_and_its_error_map_are_of_one_format(data, renderer, name):
    result = reenact(data, "--out", data / name)
    assert result.exit_code == 0, result.output
    stem, dot, suffix = name.partition(".")
    assert sorted(p.name for p in data.glob("*out*")) == [f"{stem}-error{dot}{suffix}", name]
    for made in data.glob("*out*"):
        with av.open(str(made)) as container:
            assert container.format.name == "matroska,webm"


def test_a_folder_that_is_not_writable_is_refused_before_anything_is_drawn(data, renderer):
    folder = data / "locked"
    folder.mkdir()
    audio = write_speech(data / "a.wav")
    with unwritable(folder):
        result = run(
            "synthesize", "--audio", audio, "--person", data, "--out", folder / "x.mp4",
        )  # fmt: skip
    assert "x.mp4: cannot be written: permission denied" in refused(data, result)


def test_another_file_in_the_sources_place_is_refused(data, renderer):
    """What would be shown around the head is not where the crop was cut from."""
    source = data / "data" / "videos" / "ann.mp4"
    write_video(source, [np.full((120, 160, 3), 9, np.uint8)] * 5, fps=30)
    line = refused(data, synthesize(data, write_speech(data / "a.wav")))
    assert "is another file now: put it back" in line
    assert "--background crop" in line


def test_another_file_of_as_many_bytes_is_refused_and_the_same_one_copied_back_is_taken(data):
    """What counts is the digest that the clip names, at whatever time the file was written."""
    source = data / "data" / "videos" / "ann.mp4"
    content = source.read_bytes()
    times = {"video/source_time": np.arange(NUM_FRAMES) / 30}
    clip = ClipOfFile(file=source, num_frames=NUM_FRAMES, arrays=times)
    write_dataset(data / "data", {"j": [clip]}, frame_size=SIZE)
    clip, shards = load_clip(data), data / "data" / "shards"
    source.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ToolkitError, match="is another file now: put it back"):
        find_source(clip, shards)
    source.write_bytes(content)
    assert find_source(clip, shards).samefile(source)


def test_a_source_that_is_gone_is_missed_before_anything_is_drawn(data, renderer):
    (data / "data" / "videos" / "ann.mp4").unlink()
    audio = write_speech(data / "a.wav")
    assert "--background crop" in refused(data, synthesize(data, audio))
    assert renderer["now"].asked == []
    assert synthesize(data, audio, "--background", "crop").exit_code == 0


def test_clips_without_frames_are_refused(data, renderer):
    write_dataset(data / "bare", {"j": [FakeClip()]})
    (data / "data").rename(data / "full")
    (data / "bare").rename(data / "data")
    line = refused(data, synthesize(data, write_speech(data / "a.wav")))
    assert "has no frames: run ttk ingest with --frame-size" in line


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--identity", "ann"), "give --shards, --motion-model, --renderer, or --person"),
        (("--person", "x", "--identity", "ann"), "--person brings its own --identity"),
    ],
)
def test_options_that_cannot_be_meant_are_usage_errors(tmp_path, words, message):
    result = run("synthesize", "--audio", "a.wav", "--out", tmp_path / "out.mp4", *words)
    assert message in refused(tmp_path, result, code=2)


@pytest.mark.parametrize("content", [None, "{", '{"identity": "me"}', "[]"])
def test_a_person_that_is_not_ready_is_refused(data, content):
    if content is not None:
        (data / "person.json").write_text(content)
    result = run(
        "synthesize", "--audio", write_speech(data / "a.wav"), "--person", data,
        "--out", data / "out.mp4",
    )  # fmt: skip
    assert "zoo personalize" in refused(data, result)


@pytest.mark.parametrize("name", ["shards", "motion_model", "renderer"])
@pytest.mark.parametrize("how", ["..", "absolute", "link"])
def test_a_persons_file_names_nothing_outside_its_folder(tmp_path, name, how):
    folder, outside = tmp_path / "ann", tmp_path / "outside"
    folder.mkdir()
    outside.touch()
    (folder / "link").symlink_to(outside)
    paths = {"..": "../outside", "absolute": str(outside), "link": "link"}
    content = {"identity": "ann", "shards": "data", "motion_model": "a.pt", "renderer": "b.pt"}
    (folder / "person.json").write_text(json.dumps(content | {name: paths[how]}))
    with pytest.raises(ToolkitError, match="lies outside of"):
        load_person(folder)
    files = {key: folder / value for key, value in content.items() if key != "identity"}
    with pytest.raises(ToolkitError, match="lies outside of"):
        save_person(folder, PersonFile(**files | {"identity": "ann", name: folder / paths[how]}))
    (folder / "person.json").write_text(json.dumps(content))
    assert load_person(folder).renderer == folder / "b.pt"


def test_a_persons_file_that_is_a_link_is_not_read(tmp_path):
    (tmp_path / "mine.json").write_text("{}")
    (tmp_path / "ann").mkdir()
    (tmp_path / "ann" / "person.json").symlink_to(tmp_path / "mine.json")
    with pytest.raises(ToolkitError, match="lies outside of"):
        load_person(tmp_path / "ann")


def test_a_file_is_no_persons_folder(data):
    (data / "person.json").touch()
    result = run(
        "synthesize", "--audio", "a.wav", "--person", data / "person.json",
        "--out", data / "out.mp4",
    )  # fmt: skip
    assert "no person is ready here" in refused(data, result)


def test_nothing_is_written_over_what_a_video_is_made_of(data, renderer):
    audio, source = data / "speech.mp4", data / "data/videos/ann.mp4"
    run_ffmpeg("-i", write_speech(data / "a.wav"), audio)
    before = audio.read_bytes(), source.read_bytes()
    for out in (audio, source):
        line = refused(data, synthesize(data, audio, "--out", out))
        assert "would be written over what it is made of" in line
    assert "would be written over" in refused(data, reenact(data, "--out", source))
    assert (audio.read_bytes(), source.read_bytes()) == before


# --- reenact ------------------------------------------------------------------------------------


def test_a_clip_drawn_without_error_has_a_black_error_map(data, renderer):
    """The stand-in draws the stored frames themselves, from the clip's own motion."""
    result = reenact(data, "--json")
    assert result.exit_code == 0, result.output
    made = json.loads(result.stdout)
    assert made["whole"] == {"num_frames": NUM_FRAMES, "psnr": None, "ssim": pytest.approx(1)}
    assert made["held_out"] is made["trained_on"] is None
    (asked,) = renderer["now"].asked
    np.testing.assert_array_equal(asked["pose"], load_clip(data).model_pose)
    info, times, _ = read_all(data / "out.mp4")
    assert (len(times), info.width, info.audio_start) == (NUM_FRAMES, 160, 0)
    info, times, errors = read_all(data / "out-error.mp4")
    assert (len(times), info.width) == (NUM_FRAMES, SIZE)
    assert np.max(errors) < 12


def test_without_its_error_map_a_clips_video_is_not_replaced(data, renderer, monkeypatch):
    """The second of the two videos fails: the former pair stays."""
    assert reenact(data).exit_code == 0
    before = [(data / name).read_bytes() for name in ("out.mp4", "out-error.mp4")]

    def write(path, frames, **options):
        if "error" in path.name:
            raise ToolkitError("the encoder fails")
        write_video(path, list(frames)[:9], **options)

    monkeypatch.setattr("zoo.speaking.reenact.write_video", write)
    assert reenact(data).exit_code == 1
    assert [(data / name).read_bytes() for name in ("out.mp4", "out-error.mp4")] == before
    assert len(list(data.glob("*out*"))) == 2


def test_the_error_map_shows_the_difference(data, renderer):
    """Twenty levels off everywhere: 22.1 dB, and a colour between black and yellow."""
    drawn = renderer["now"].clip

    class Changed:
        num_frames = drawn.num_frames

        def read_frame(self, t):
            real = drawn.read_frame(t)
            return np.where(real > 128, real - 20, real + 20).astype(np.uint8)

    renderer["now"] = make_stand_in(load_clip(data), clip=Changed())
    made = json.loads(reenact(data, "--json").stdout)
    assert made["whole"]["psnr"] == pytest.approx(20 * np.log10(255 / 20), abs=0.1)
    _, _, errors = read_all(data / "out-error.mp4")
    assert 30 < np.mean(errors) < 120


def test_frames_that_training_never_saw_are_judged_apart(data, renderer):
    """Frames 0 to 24 trained on, drawn without error; 30 to 39 held out, twenty levels off."""
    drawn = renderer["now"].clip

    class Worse:
        num_frames = drawn.num_frames

        def read_frame(self, t):
            real = drawn.read_frame(t)
            return real if t < 30 else np.where(real > 128, real - 20, real + 20).astype(np.uint8)

    parts = {"trained_on": {drawn.id: (0, 25)}, "held_out": {drawn.id: (30, 40)}}
    renderer["now"] = make_stand_in(load_clip(data), clip=Worse(), **parts)
    made = json.loads(reenact(data, "--json").stdout)
    assert made["whole"]["num_frames"] == 40
    assert made["held_out"]["num_frames"] == 10
    assert made["held_out"]["psnr"] == pytest.approx(20 * np.log10(255 / 20), abs=0.1)
    assert made["trained_on"] == {"num_frames": 25, "psnr": None, "ssim": pytest.approx(1)}
    lines = reenact(data).stdout.splitlines()
    assert lines[1].startswith("  held out: 10 frames, PSNR 22.1")
    assert lines[2] == "  trained on: 25 frames, no difference, SSIM 1.000"


def test_a_clip_may_be_moved_by_its_own_sound(data, renderer):
    result = reenact(data, "--motion-model", data / "motion.pt", "--background", "crop")
    assert result.exit_code == 0, result.output
    (asked,) = renderer["now"].asked
    assert len(asked["pose"]) == NUM_FRAMES
    assert not np.allclose(asked["pose"], load_clip(data).model_pose)
    assert "no difference" in result.stdout
    assert "out-error.mp4: the error map" in result.stdout


def test_a_clip_that_is_not_there_is_refused(data, renderer):
    result = run(
        "reenact", "zzz", "--shards", data / "data/shards", "--renderer", "r.pt",
        "--out", data / "out.mp4",
    )  # fmt: skip
    assert "no clip's id begins with 'zzz'" in refused(data, result)


# --- personalize --------------------------------------------------------------------------------


@dataclass(kw_only=True)
class ClipOfFile(FakeClip):
    """A clip whose source's digest is that of a file."""

    file: Path

    @property
    def source_sha256(self):
        return hash_file(self.file)


class Stages:
    """Stands in for ingest and both trainings; dies in the one it is told to die in."""

    def __init__(self, monkeypatch):
        self.calls, self.dies_in, self.lengths = [], "", [700]
        self.made = {"au45": Provenance(backend="eyelids", version="1")}
        monkeypatch.setattr(stages, "ingest", self.ingest)
        monkeypatch.setattr(stages, "train_model", self.train)
        monkeypatch.setattr(stages, "load_backends", self)

    def __call__(self, options):
        return self

    def cache_clear(self):
        pass

    def provenance(self):
        return self.made

    def ingest(self, video, options, *, out, workers, on_plan, on_progress):
        self.calls.append(("ingest", options.fps, options.identity))
        if not (out / "manifests").is_dir():
            starts = [sum(self.lengths[:k]) for k in range(len(self.lengths))]
            clips = [
                ClipOfFile(
                    file=video,
                    identity=video.stem,
                    source=video.name,
                    num_frames=length,
                    start_frame=start,
                )
                for length, start in zip(self.lengths, starts, strict=True)
            ]
            write_dataset(out, {"j": clips}, shards=False)
        self._die("ingest")

    def train(self, model, recipe, out, *, distributed, resume, on_step):
        name = {"facial-gan": "motion", "renderer": "renderer"}[model]
        self.calls.append((name, recipe.identity, recipe.preset, recipe.epochs, resume))
        out.mkdir(parents=True, exist_ok=True)
        (out / "last.pt").touch()
        self._die(name)
        (out / "best.pt").touch()
        return {"score": 1.0}

    def _die(self, name):
        if self.dies_in == name:
            raise KeyboardInterrupt


@pytest.fixture
def video(tmp_path):
    """Something with picture and sound, beside a base model."""
    save_model(tmp_path / "base.pt", "ann")
    return write_grey(tmp_path / "me.mp4", 90)


def write_grey(path, level, sound=True):
    """Half a second of grey, and a tone."""
    pcm = np.rint(9000 * make_tone(0.5, 16_000)).astype(np.int16) if sound else None
    write_video(path, [np.full((48, 64, 3), level, np.uint8)] * 15, fps=30, pcm=pcm)
    return path


def personalize(video, *more, base="base.pt"):
    folder = video.parent
    return run(
        "personalize", video, "--base", folder / base, "--out", folder / "runs" / "me",
        "--device", "cpu", *more,
    )  # fmt: skip


def test_one_command_runs_all_stages_and_says_how_long_each_took(video, monkeypatch):
    done = Stages(monkeypatch)
    result = personalize(video, "--json")
    assert result.exit_code == 0, result.output
    assert done.calls == [
        ("ingest", 30, "stem"),
        ("motion", "me", "small", 150, False),
        ("renderer", "me", "small", 5, False),
    ]
    made = json.loads(result.stdout)
    assert made["identity"] == "me"
    assert list(made["seconds"]) == ["ingest", "fine-tuning", "renderer"]
    for name in made["seconds"]:
        assert f"{name}: 0:0" in result.stderr
    person = load_person(video.parent / "runs" / "me")
    assert person.identity == "me"
    assert person.motion_model.is_file()
    assert person.renderer.is_file()


@pytest.mark.parametrize("where", ["ingest", "motion", "renderer"])
def test_what_was_killed_goes_on_where_it_was(video, monkeypatch, where):
    """The stage under way is resumed, those before it have nothing left to do."""
    done = Stages(monkeypatch)
    done.dies_in = where
    assert personalize(video).exit_code == 1
    assert not (video.parent / "runs" / "me" / "person.json").exists()
    done.dies_in, done.calls = "", []
    assert personalize(video).exit_code == 0
    resumed = {"ingest": (False, False), "motion": (True, False), "renderer": (True, True)}[where]
    assert [call[-1] for call in done.calls[1:]] == list(resumed)
    assert (video.parent / "runs" / "me" / "person.json").is_file()


def test_settings_reach_the_stages(video, monkeypatch):
    done = Stages(monkeypatch)
    more = ("--preset", "paper", "--motion-epochs", "3", "--renderer-epochs", "7")
    assert personalize(video, *more).exit_code == 0
    assert done.calls[1:] == [
        ("motion", "me", "small", 3, False),
        ("renderer", "me", "paper", 7, False),
    ]


@pytest.mark.parametrize(
    ("contract", "words"),
    [
        ({"fps": 24}, "24 frames a second, shards have 25 or 30"),
        ({"backends": {"au45": "openface 2"}}, "au45 is eyelids 1, but the model was trained with"),
        ({"scale": "logit"}, "scale of the audio"),
    ],
)
def test_a_base_of_other_data_is_refused_before_ingest(video, monkeypatch, contract, words):
    done = Stages(monkeypatch)
    save_model(video.parent / "other.pt", "ann", **contract)
    result = personalize(video, base="other.pt")
    assert result.exit_code == 1
    assert words in result.stderr
    assert done.calls == []
    assert not (video.parent / "runs").exists()


def test_a_base_of_25_frames_a_second_is_met(video, monkeypatch):
    done = Stages(monkeypatch)
    save_model(video.parent / "slow.pt", "ann", fps=25)
    assert personalize(video, base="slow.pt").exit_code == 0
    assert done.calls[0] == ("ingest", 25, "stem")


def test_a_video_that_is_missing_or_another_one_is_refused(video, monkeypatch):
    done = Stages(monkeypatch)
    other = video.with_name("you.mp4")
    result = personalize(other)
    assert (result.exit_code, done.calls) == (1, [])
    assert "no such video" in result.stderr
    assert personalize(video).exit_code == 0
    write_grey(other, 120)
    done.calls = []
    result = personalize(other)
    assert (result.exit_code, done.calls) == (1, [])
    assert "was made of another video: choose another --out" in result.stderr


def test_what_is_no_video_with_sound_is_refused_before_ingest(video, monkeypatch):
    """A list of videos, which `ttk ingest` takes, is none either."""
    done = Stages(monkeypatch)
    folder = video.parent
    (folder / "list.txt").write_text("me.mp4\n")
    (folder / "empty.mp4").touch()
    write_grey(folder / "mute.mp4", 90, sound=False)
    write_wav(folder / "voice.wav", make_tone(1, 16_000), 16_000)
    for name, words in (
        (".", "a folder: name one video"),
        ("list.txt", "a text file, no video"),
        ("empty.mp4", "the file is empty"),
        ("mute.mp4", "has no sound: name a video of one person who speaks"),
        ("voice.wav", "the file has no video stream: name a video of one person who speaks"),
    ):
        result = run(
            "personalize", folder / name, "--base", folder / "base.pt", "--out", folder / "out",
        )  # fmt: skip
        line = refused(folder, result)
        assert line.startswith(f"zoo: error: {folder / name}: ")
        assert words in line
    assert done.calls == []


def test_a_bad_device_base_or_vgg19_is_refused_before_ingest(video, monkeypatch):
    done = Stages(monkeypatch)
    for flag, words in (
        ("--device", "me.mp4: cannot be used here"),
        ("--base", "me.mp4: damaged or not a checkpoint of the zoo"),
        ("--vgg", "me.mp4: damaged or not a checkpoint"),
    ):
        result = personalize(video, flag, video)
        assert result.exit_code == 1
        assert words in result.stderr
        assert len(result.stderr) < 400
    assert done.calls == []
    assert not (video.parent / "runs").exists()


@pytest.mark.parametrize(
    ("kind", "model", "words"),
    [
        ("facial-gan", {}, "a checkpoint of facial-gan, not of renderer"),
        ("renderer", {"preset": "paper", "size": 256}, "of preset paper and 256 px, not small and"),
        ("renderer", {"preset": "small", "size": 512}, "of preset small and 512 px, not small and"),
        (
            "renderer",
            {"preset": "small", "size": 256, "whole_frames": True},
            "draws whole frames, not heads",
        ),
    ],
)
def test_a_base_of_the_renderer_that_does_not_fit_is_refused_before_ingest(
    video, monkeypatch, kind, model, words
):
    done, path = Stages(monkeypatch), video.parent / "other.pt"
    save_checkpoint(path, {"kind": kind, "model": model})
    result = personalize(video, "--renderer-base", path)
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1].startswith(f"zoo: error: {path}: {words}")
    assert done.calls == []


def test_a_base_of_whole_frames_is_of_the_size_that_ingest_stores_for_them(video, monkeypatch):
    """The preset paper draws them at 512 px: a base of 256 px comes to nothing after ingest."""
    done, words = Stages(monkeypatch), ("--background", "full", "--preset", "paper")
    for size, whole, message in (
        (256, True, "of preset paper and 256 px, not paper and 512 px"),
        (512, False, "draws heads, not whole frames"),
        (512, True, ""),
    ):
        path = video.parent / f"base-{size}-{whole}.pt"
        model = {"preset": "paper", "size": size, "whole_frames": whole}
        save_checkpoint(path, {"kind": "renderer", "model": model})
        result = personalize(video, *words, "--renderer-base", path)
        assert message in result.stderr
        assert result.exit_code == bool(message), result.stderr
        assert bool(done.calls) is not bool(message)


def test_from_a_base_the_renderer_is_trained_for_a_third_of_the_epochs(video, monkeypatch):
    done, path = Stages(monkeypatch), video.parent / "other.pt"
    save_checkpoint(path, {"kind": "renderer", "model": {"preset": "small", "size": 256}})
    assert personalize(video, "--renderer-base", path).exit_code == 0
    assert done.calls[-1] == ("renderer", "me", "small", 2, False)


def test_that_a_random_network_judges_is_said(video, monkeypatch, tmp_path):
    monkeypatch.setenv("TTK_WEIGHTS", str(tmp_path))
    monkeypatch.setattr(perceptual, "check_weights", lambda name: Status.MISSING)
    Stages(monkeypatch)
    with pytest.warns(UserWarning, match="a random network judges pictures"):
        personalize(video)


def test_too_short_a_video_says_how_long_it_must_be(video, monkeypatch):
    """A window of 128 frames must be held out: a fifth of 640, 21.3 s."""
    done = Stages(monkeypatch)
    done.lengths = [639]
    result = personalize(video)
    assert result.exit_code == 1
    assert "21.3 s of a face are too short: with --holdout 0.2 at least 22 s" in result.stderr
    assert [call[0] for call in done.calls] == ["ingest"]


@pytest.mark.parametrize(
    ("lengths", "words"),
    [
        ([600, 100], "the longest stretch held out has 3.3 s, but 4.3 s without a break"),
        ([120] * 10, "the longest stretch to learn from has 4.0 s"),
    ],
)
def test_a_video_in_too_short_pieces_is_refused_before_training(video, monkeypatch, lengths, words):
    """Of 600 and 100 frames the last 140 are held out: 40 and 100; a window is 128."""
    done = Stages(monkeypatch)
    done.lengths = lengths
    result = personalize(video)
    assert result.exit_code == 1
    assert words in result.stderr
    assert [call[0] for call in done.calls] == ["ingest"]


def test_a_video_without_a_clip_says_why(video, monkeypatch):
    done = Stages(monkeypatch)
    done.lengths = []
    result = personalize(video)
    assert result.exit_code == 1
    assert "no clip comes of it" in result.stderr


@pytest.mark.parametrize("words", [("--holdout", "0"), ("--preset", "official")])
def test_settings_that_cannot_be_meant_are_usage_errors(video, words):
    assert personalize(video, *words).exit_code == 2


# --- help ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["synthesize", "reenact", "personalize"])
def test_every_command_shows_an_example(name):
    result = run(name, "--help")
    assert result.exit_code == 0
    assert f"Example:\n    zoo {name} " in result.output
