"""`zoo synthesize --system atvg` as its user meets it; stand-ins of the models draw."""

import json
import tracemalloc
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image

from tests.numbered import read_all
from tests.sitters import draw_scene
from tests.tones import write_wav
from tests.toolkit.features.test_voice_activity import make_vowels
from tests.zoo.models.vg_net.talkers import TINY
from tests.zoo.speaking.cascade import LOWER
from tests.zoo.speaking.one_picture import (
    FPS,
    SIZE,
    Faces,
    Speaker,
    save_at_net,
    save_vg_net,
    to_square,
)
from toolkit.clock import SAMPLE_RATE
from toolkit.media.inspect_file import inspect_file
from toolkit.media.video import MAX_SIDE
from zoo.cli import main
from zoo.data.portraits import Portrait, measure_portrait
from zoo.landmarks.align import Similarity, view68
from zoo.models.at_net import model as at_model
from zoo.models.at_net import presets as at_presets
from zoo.models.at_net.model import open_at_net
from zoo.models.vg_net import presets as vg_presets
from zoo.models.vg_net.model import open_vg_net
from zoo.models.vg_net.networks import create_vg_net
from zoo.speaking.atvg import place_in_picture, warn_of_small
from zoo.speaking.atvg_options import parse_factors
from zoo.speaking.still_scene import StillScene
from zoo.speaking.synthesize import COMMENT

SCENE = (60, 30, 240)


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A picture of 400 × 320 px with one face."""
    path = tmp_path_factory.mktemp("pictures") / "ann.png"
    Image.fromarray(draw_scene(SCENE)).save(path)
    return path


@pytest.fixture(scope="module")
def portrait(image: Path) -> Portrait:
    return measure_portrait(image)


@pytest.fixture
def models(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the checkpoints hold; tests may exchange them."""
    held: dict[str, Any] = {"at-net": Speaker(), "vg-net": Faces()}
    monkeypatch.setattr(
        "zoo.speaking.atvg.open_model",
        lambda path, device="cpu", *, makes, family: held[family],
    )
    return held


def write_speech(folder: Path, seconds: float = 2.0) -> Path:
    return write_wav(folder / "speech.wav", make_vowels()[: round(seconds * SAMPLE_RATE)])


def synthesize(
    folder: Path,
    audio: Path,
    image: Path,
    *more: object,
    at_net: object = "at.pt",
    vg_net: object = "vg.pt",
) -> Result:
    words = ["synthesize", "--system", "atvg", "--audio", audio, "--image", image]
    words += ["--at-net", at_net, "--vg-net", vg_net, "--out", folder / "out.mp4"]
    return CliRunner().invoke(main, [*map(str, words), "--device", "cpu", *map(str, more)])


def refused(folder: Path, result: Result, code: int = 1) -> str:
    """What a command says when it refuses: one line, and no video."""
    assert result.exit_code == code, result.output
    assert not list(folder.glob("*.mp4*"))
    (line,) = [text for text in result.stderr.splitlines() if "rror" in text]
    return line


# --- the film -----------------------------------------------------------------------------------


def test_a_recording_and_a_picture_become_a_film(
    tmp_path: Path, image: Path, portrait: Portrait, models: dict[str, Any]
) -> None:
    """1.99 s at 25 a second are 49 whole frames; the mouth moves as the landmarks' model says."""
    audio = write_speech(tmp_path, 1.99)
    result = synthesize(tmp_path, audio, image, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout) == {
        "path": str(tmp_path / "out.mp4"), "num_frames": 49, "fps": FPS, "image": str(image),
        "attention": None,
    }  # fmt: skip
    content = inspect_file(tmp_path / "out.mp4")
    assert (content.num_frames, content.sound, content.comment) == (49, "aac", COMMENT)
    assert "128 × 128" in content.picture
    points = view68(portrait.mesh)
    own = to_square(points).apply(points)
    assert models["at-net"].faces[0] == pytest.approx(own, abs=1e-4)
    moved = np.stack(models["vg-net"].asked) - own
    assert moved[:25][:, LOWER, 1].max(axis=0) == pytest.approx(10, abs=1e-3)
    assert np.abs(moved[32:]).max() < 1e-4  # vowels end at 1.25 s
    assert own.min() > 0
    assert own.max() < SIZE


def test_attention_and_motion_stand_beside_the_frames(
    tmp_path: Path, image: Path, models: dict[str, Any]
) -> None:
    """Attention black above and white below, motion grey; as many frames, with sound and note."""
    beside = tmp_path / "att.mp4"
    result = synthesize(tmp_path, write_speech(tmp_path, 0.5), image, "--attention", beside)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[-1] == f"{beside}: frames, attention and motion"
    content = inspect_file(beside)
    assert (content.num_frames, content.sound, content.comment) == (12, "aac", COMMENT)
    _, _, film = read_all(tmp_path / "out.mp4")
    _, _, rows = read_all(beside)
    assert rows[5].shape == (SIZE, 3 * SIZE, 3)
    frame, alpha, motion = (part.astype(int) for part in np.split(rows[5], 3, axis=1))
    assert alpha[:56, 8:-8].max() < 8
    assert alpha[72:, 8:-8].min() > 247
    assert motion[8:-8, 8:-8] == pytest.approx(200, abs=4)
    assert np.abs(frame[:, :120] - film[5][:, :120]).mean() < 4


def test_the_face_moves_in_its_own_picture(
    tmp_path: Path, image: Path, portrait: Portrait, models: dict[str, Any]
) -> None:
    """Above the square's middle the picture is as it was, below it is what is drawn."""
    result = synthesize(tmp_path, write_speech(tmp_path, 0.2), image, "--background", "source")
    assert result.exit_code == 0, result.output
    _, _, film = read_all(tmp_path / "out.mp4")
    real = draw_scene(SCENE).astype(int)
    assert film[0].shape == real.shape
    place = place_in_picture(to_square(view68(portrait.mesh)), portrait)
    above, below = place.invert().apply(np.array([[64.0, 40], [64, 96]])).round().astype(int)
    around = [np.s_[y - 4 : y + 4, x - 4 : x + 4] for x, y in (above, below)]
    assert np.abs(film[0][around[0]] - real[around[0]]).mean() < 6
    assert film[0][around[1]].astype(int) == pytest.approx(200, abs=6)
    assert np.abs(film[0][:, 330:] - real[:, 330:]).mean() < 3


def test_factors_reach_the_landmarks(tmp_path: Path, image: Path, models: dict[str, Any]) -> None:
    audio = write_speech(tmp_path, 0.2)
    for more in ((), ("--amplify", "1.5"), ("--amplify", "1,2,3,4,5,6")):
        assert synthesize(tmp_path, audio, image, *more).exit_code == 0
    assert models["at-net"].factors == [[1.0] * 6, [1.5] * 6, [1, 2, 3, 4, 5, 6]]


@pytest.mark.parametrize("text", ["", "a", "1,2", "nan", "1,2,3,4,5,inf"])
def test_other_factors_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="--amplify"):
        parse_factors(text)


def test_without_speech_there_is_a_film_and_a_warning(
    tmp_path: Path, image: Path, models: dict[str, Any]
) -> None:
    audio = write_wav(tmp_path / "speech.wav", np.zeros(SAMPLE_RATE, np.int16))
    with pytest.warns(UserWarning, match="no speech is heard in it: the mouth moves as at-net"):
        assert synthesize(tmp_path, audio, image).exit_code == 0
    assert len(models["vg-net"].asked) == FPS


def test_networks_of_random_weights_speak_the_same_twice(tmp_path: Path, image: Path) -> None:
    """The real networks, from sound to film."""
    at_net, vg_net = save_at_net(tmp_path / "at.pt"), save_vg_net(tmp_path / "vg.pt")
    audio, films = write_speech(tmp_path, 0.5), []
    for _ in range(2):
        result = synthesize(tmp_path, audio, image, at_net=at_net, vg_net=vg_net)
        assert result.exit_code == 0, result.output
        films.append((tmp_path / "out.mp4").read_bytes())
    assert films[0] == films[1]
    assert inspect_file(tmp_path / "out.mp4").num_frames == 12


# --- long sound ---------------------------------------------------------------------------------


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    """Both networks, very small."""
    known = at_presets.PRESETS["small"]
    small = replace(known, landmarks=(4, 4), channels=(2, 2, 2, 2, 2), sound=(8, 8), memory=8)
    monkeypatch.setitem(at_presets.PRESETS, "small", small)
    monkeypatch.setitem(vg_presets.PRESETS, "small", TINY)
    return (
        open_at_net(save_at_net(tmp_path / "at.pt")),
        open_vg_net(save_vg_net(tmp_path / "vg.pt")),
    )


def test_blocks_are_the_same_as_one_stretch(
    tiny: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The LSTM's memory goes on, windows reach over the blocks' ends, and so does the GRU's."""
    speaker, faces = tiny
    face = speaker.statistics.mean_shape * 20 + 64
    pcm = make_vowels()
    whole = speaker.predict_sound(pcm, face)
    picture = np.full((SIZE, SIZE, 3), 90, np.uint8)
    one = [each.frame for each in faces.draw(picture, face, whole)]
    monkeypatch.setattr(at_model, "_BLOCK", 16)
    blocks = list(speaker.stream_sound(pcm, face))
    assert [len(block) for block in blocks] == [16, 16, 16, 2]
    assert np.concatenate(blocks) == pytest.approx(whole, abs=1e-3)
    assert np.ptp(whole, axis=0).max() > 0.01
    many = [each.frame for each in faces.draw_blocks(picture, face, blocks)]
    assert len(many) == len(one) == 50
    assert np.abs(np.stack(many).astype(int) - np.stack(one)).max() <= 1


def test_memory_does_not_grow_with_the_sound(
    tiny: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the third of forty blocks to the last not by one frame, of sound and pictures."""
    speaker, faces = tiny
    monkeypatch.setattr(at_model, "_BLOCK", 16)
    face = speaker.statistics.mean_shape * 20 + 64
    pcm = np.zeros(40 * 16 * SAMPLE_RATE // FPS, np.int16)
    picture = np.full((SIZE, SIZE, 3), 90, np.uint8)
    drawn = faces.draw_blocks(picture, face, speaker.stream_sound(pcm, face))
    tracemalloc.start()
    try:
        for _ in range(48):
            next(drawn)
        before = tracemalloc.get_traced_memory()[0]
        assert sum(1 for _ in drawn) == 37 * 16
        after = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert after - before < picture.nbytes


# --- the picture --------------------------------------------------------------------------------


def save_deep(path: Path, scene: Image.Image) -> None:
    Image.fromarray(np.asarray(scene.convert("L")).astype(np.uint16) * 257).save(path)


def save_grey(path: Path, scene: Image.Image) -> None:
    scene.convert("L").save(path)


def save_clear(path: Path, scene: Image.Image) -> None:
    scene.putalpha(Image.new("L", scene.size, 255))
    scene.save(path)


def save_turned(path: Path, scene: Image.Image) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by 90° clockwise
    scene.transpose(Image.Transpose.ROTATE_90).save(path, exif=exif)


def save_painted(path: Path, scene: Image.Image) -> None:
    """As if by a brush: areas of one colour between soft edges."""
    Image.fromarray(cv2.stylization(np.asarray(scene), sigma_s=60, sigma_r=0.45)).save(path)


@pytest.mark.parametrize("save", [save_deep, save_grey, save_clear, save_turned, save_painted])
def test_any_kind_of_picture_shows_the_same_face(
    tmp_path: Path, portrait: Portrait, save: Callable[[Path, Image.Image], None]
) -> None:
    save(tmp_path / "face.png", Image.fromarray(draw_scene(SCENE)))
    found = measure_portrait(tmp_path / "face.png")
    assert found.picture.shape == (320, 400, 3)
    assert np.abs(np.subtract(found.crop, portrait.crop)).max() <= 4
    assert np.abs(view68(found.mesh) - view68(portrait.mesh)).mean() < 3


def test_a_picture_of_10_000_px_is_read_and_shown_smaller(tmp_path: Path) -> None:
    path = tmp_path / "large.jpg"
    scene = Image.fromarray(draw_scene(SCENE))
    scene.resize((10_000, 9_000), Image.Resampling.NEAREST).save(path)
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        found = measure_portrait(path)
    assert found.picture.shape == (9_000, 10_000, 3)
    scene_shown = StillScene(found.picture, to_square(view68(found.mesh)), SIZE)
    black = Faces(grey=0)
    drawn = black.draw_blocks(found.shown[:SIZE, :SIZE], None, [np.zeros((1, 68, 2))])
    (shown,) = scene_shown.show(drawn)
    assert shown.shape == (1728, MAX_SIDE, 3)


@pytest.mark.parametrize(
    ("scene", "said"),
    [
        (draw_scene(), "no face is seen in its one picture: give pictures of a face from"),
        (draw_scene((0, 30, 190), (200, 30, 190)), "several faces in its one picture, and none"),
        (np.asarray(Image.fromarray(draw_scene(SCENE)).resize((20, 20))), "no face is seen"),
    ],
)
def test_pictures_without_one_face_are_refused(
    tmp_path: Path, models: dict[str, Any], scene: Any, said: str
) -> None:
    path = tmp_path / "face.png"
    Image.fromarray(scene).save(path)
    line = refused(tmp_path, synthesize(tmp_path, write_speech(tmp_path, 0.2), path))
    assert f"face.png: {said}" in line


def test_what_is_no_picture_is_refused(tmp_path: Path, models: dict[str, Any]) -> None:
    audio = write_speech(tmp_path, 0.2)
    for path, said in (
        (tmp_path / "none.png", "none.png: no such file: give one picture"),
        (tmp_path, "a folder: give one picture"),
        (audio, "speech.wav: no picture: give one, such as .jpg, .png or .webp"),
    ):
        assert said in refused(tmp_path, synthesize(tmp_path, audio, path))


def test_a_face_of_few_pixels_is_warned_of(portrait: Portrait) -> None:
    """The square is 128 px of the crop's 256: half of its px, 60 and 64, in the picture."""
    place = Similarity(np.eye(2), np.zeros(2))
    with pytest.warns(UserWarning, match="face takes 60 of the 128 px that are drawn"):
        warn_of_small(Path("a.png"), replace(portrait, crop=(0, 0, 120, 120)), place, SIZE)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_of_small(Path("a.png"), replace(portrait, crop=(0, 0, 128, 128)), place, SIZE)


def test_places_in_the_crop_are_places_in_the_picture(portrait: Portrait) -> None:
    """A crop of 512 px at (100, 50) is 256 px large, of which the square is the middle 128."""
    cut = replace(portrait, crop=(100, 50, 612, 562))
    place = place_in_picture(Similarity(np.eye(2), np.array([-64.0, -64.0])), cut)
    corners = place.apply([[228, 178], [484, 434]])
    assert corners == pytest.approx(np.array([[0, 0], [128, 128]]))


def test_motion_is_laid_where_the_square_lies_and_attention_is() -> None:
    """Turned by 90° and half as large: (x, y) of the square is (200 + 2y, 60 + 256 − 2x)."""
    place = Similarity(np.array([[0, -2.0], [2.0, 0]]), np.zeros(2)).invert()
    place = Similarity(place.matrix, -np.array([200.0, 60 + 256]) @ place.matrix)
    assert place.apply([[[200 + 2 * 32, 316 - 2 * 96]]]) == pytest.approx(np.array([[[96, 32]]]))
    picture = np.full((400, 500, 3), 50, np.uint8)
    alpha, motion = np.zeros((SIZE, SIZE), np.uint8), np.full((SIZE, SIZE, 3), 250, np.uint8)
    alpha[28:37, 92:101] = 255  # around (96, 32)

    class One:
        frame = motion

    One.alpha, One.motion = alpha, motion  # type: ignore[attr-defined]
    (shown,) = StillScene(picture, place, SIZE).show([One()])  # type: ignore[list-item]
    changed = np.argwhere(shown[..., 0] != 50)
    assert changed.mean(axis=0) == pytest.approx(
        [316 - 2 * 96.5 - 0.5, 200 + 2 * 32.5 - 0.5], abs=0.6
    )
    assert (shown[316 - 2 * 96 - 2, 200 + 2 * 32 + 2] == 250).all()
    assert (picture == 50).all()


# --- what is refused ----------------------------------------------------------------------------


def test_five_milliseconds_are_no_frame(
    tmp_path: Path, image: Path, models: dict[str, Any]
) -> None:
    line = refused(tmp_path, synthesize(tmp_path, write_speech(tmp_path, 0.005), image))
    assert line.endswith("speech.wav: 5 ms of sound, less than one frame of 40 ms")


@pytest.mark.parametrize(
    ("family", "other", "said"),
    [
        ("at-net", Speaker("mesh 2"), "at.pt: knows landmarks by mesh 2, but pictures are"),
        ("vg-net", Faces("mesh 2"), "vg.pt: knows landmarks by mesh 2, but pictures are"),
        ("vg-net", Faces(""), "vg.pt: knows landmarks by something unknown, but pictures are"),
    ],
)
def test_models_of_other_landmarks_are_refused(
    tmp_path: Path, image: Path, models: dict[str, Any], family: str, other: Any, said: str
) -> None:
    models[family] = other
    assert said in refused(tmp_path, synthesize(tmp_path, write_speech(tmp_path, 0.2), image))


def test_models_of_the_released_code_are_taken_with_a_warning(
    tmp_path: Path, image: Path, models: dict[str, Any]
) -> None:
    models["at-net"] = Speaker("dlib 68")
    with pytest.warns(UserWarning, match=r"at.pt: knows dlib's landmarks; those of the face mesh"):
        assert synthesize(tmp_path, write_speech(tmp_path, 0.2), image).exit_code == 0


def test_checkpoints_of_another_layout_are_refused(tmp_path: Path, image: Path) -> None:
    """Other landmarks, other weights, another network."""
    at_net, vg_net = save_at_net(tmp_path / "at.pt"), save_vg_net(tmp_path / "vg.pt")
    audio = write_speech(tmp_path, 0.2)
    contract = {**torch.load(at_net)["model"]["contract"], "layout": "aligned-landmarks-20-2/v1"}
    other = save_at_net(tmp_path / "lips.pt", contract=contract)
    wide = save_vg_net(tmp_path / "wide.pt", generator=create_vg_net("paper").state_dict())
    narrow = save_at_net(tmp_path / "narrow.pt", network={})
    for at, vg, said in (
        (other, vg_net, "lips.pt: of aligned-landmarks-20-2/v1 landmarks, but this version knows"),
        (narrow, vg_net, "narrow.pt: its weights do not fit the small network of this version"),
        (at_net, wide, "wide.pt: its weights do not fit the small network of this version"),
        (vg_net, vg_net, "vg.pt: a checkpoint of vg-net, not of at-net"),
        (at_net, at_net, "at.pt: a checkpoint of at-net, not of vg-net"),
    ):
        line = refused(tmp_path, synthesize(tmp_path, audio, image, at_net=at, vg_net=vg))
        assert said in line


def test_options_that_do_not_belong_are_refused(
    tmp_path: Path, image: Path, models: dict[str, Any]
) -> None:
    audio = write_speech(tmp_path, 0.2)
    for more, said in (
        (("--person", "runs/me"), "--person is no option of --system atvg"),
        (("--seed", "1"), "--seed is no option of --system atvg"),
        (("--blink-rate", "10"), "--blink-rate is no option of --system atvg"),
        (("--background", "full"), "--system atvg draws faces: give --background source"),
        (("--amplify", "1,2"), "--amplify '1,2': give one number, or 6"),
    ):
        assert said in refused(tmp_path, synthesize(tmp_path, audio, image, *more), code=2)
    words = ["synthesize", "--audio", audio, "--vg-net", "v.pt", "--out", tmp_path / "out.mp4"]
    result = CliRunner().invoke(main, [*map(str, words)])
    assert "--vg-net is no option of --system facial" in refused(tmp_path, result, code=2)
    result = CliRunner().invoke(main, [*map(str, words), "--system", "atvg"])
    assert "--system atvg: give --image, --at-net" in refused(tmp_path, result, code=2)


def test_videos_are_never_written_over_what_they_are_made_of(
    tmp_path: Path, image: Path, models: dict[str, Any]
) -> None:
    audio = write_speech(tmp_path, 0.2)
    result = synthesize(tmp_path, audio, image, "--attention", tmp_path / "out.mp4")
    assert "--out and --attention are one file" in refused(tmp_path, result)
    sound = (tmp_path / "speech.mkv").resolve()
    sound.write_bytes(audio.read_bytes())
    result = synthesize(tmp_path, sound, image, "--attention", sound)
    assert "would be written over what it is made of" in refused(tmp_path, result)
    assert sound.read_bytes() == audio.read_bytes()
