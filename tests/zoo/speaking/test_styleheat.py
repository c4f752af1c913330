"""`zoo synthesize --system styleheat` as its user meets it; tiny networks of random weights."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from PIL import Image

from tests.numbered import read_all, run_ffmpeg
from tests.sitters import draw_scene, load_face, write_walk
from tests.tones import write_wav
from tests.zoo.models.styleheat.talkers import SIDE, TINY, save_prior, save_stage
from toolkit.media.audio import decode_audio, read_samples
from toolkit.media.encode import write_video
from toolkit.media.inspect_file import inspect_file
from toolkit.media.video import probe
from toolkit.storage import hash_file
from zoo.cli import main
from zoo.data.aligned import align_portrait
from zoo.data.driver import Driver, find_nearest, measure_driver
from zoo.models.registry import open_model
from zoo.models.styleheat.motion import create_audio_motion
from zoo.models.styleheat.presets import PRESETS
from zoo.speaking.styleheat import go_to_and_fro
from zoo.stylegan.directions import Directions
from zoo.training.checkpoint import load_checkpoint, save_checkpoint
from zoo.training.pictures import to_tensor

SOUND = np.random.default_rng(0).integers(-3000, 3000, 16000 // 25 * 12 + 100).astype(np.int16)
"""12 frames, and a part of one."""


@dataclass(frozen=True)
class Inputs:
    """Files that a command is given."""

    folder: Path
    image: Path
    audio: Path
    video: Path
    prior: Path
    model: Path
    driver: Driver


@pytest.fixture(scope="module", name="inputs")
def _inputs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inputs]:
    """The portrait as picture, and walking through a video of a second without sound."""
    folder = tmp_path_factory.mktemp("styleheat")
    Image.fromarray(draw_scene((60, 30, 240))).save(folder / "ann.png")
    video = write_walk(folder / "walk.mp4")
    driver = measure_driver(video)
    prior = save_prior(folder / "prior.pt")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PRESETS, "small", TINY)
        patch.setattr("zoo.speaking.styleheat.measure_driver", lambda path: driver)
        yield Inputs(
            folder=folder,
            image=folder / "ann.png",
            audio=write_wav(folder / "speech.wav", SOUND),
            video=video,
            prior=prior,
            model=save_stage(folder / "model.pt", prior, backends=driver.backends),
            driver=driver,
        )


def synthesize(inputs: Inputs, out: Path, *more: object, **changes: object) -> Result:
    given: dict[str, object] = {"image": inputs.image, "model": inputs.model} | changes
    words: list[object] = ["synthesize", "--system", "styleheat", "--out", out, *more]
    for name, value in given.items():
        words += [f"--{name}", value]
    return CliRunner().invoke(main, [*map(str, words), "--device", "cpu"])


def test_a_face_is_followed_through_a_video_without_sound(inputs: Inputs) -> None:
    """It walks 2 px right in each thirtieth of a second; a second has 25 frames."""
    driver = inputs.driver
    assert len(driver) == 25
    assert driver.pose.shape == (25, 6)
    assert driver.expression.shape == (25, 64)
    middles = driver.points.mean(axis=1)
    steps = np.diff(middles[2:-2], axis=0).mean(axis=0)
    np.testing.assert_allclose(steps, (2.4, 0), atol=0.25)
    assert set(driver.backends) == {"landmarks", "coefficients"}


@pytest.mark.parametrize(
    ("given", "num_frames", "has_sound"),
    [
        (("audio",), 12, True),
        (("audio", "video"), 12, True),
        (("video",), 25, False),
    ],
)
def test_sound_alone_sound_with_a_video_and_a_video_alone_move_a_picture(
    inputs: Inputs, tmp_path: Path, given: tuple[str, ...], num_frames: int, has_sound: bool
) -> None:
    out = tmp_path / "out.mp4"
    result = synthesize(inputs, out, "--json", **{name: getattr(inputs, name) for name in given})
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["num_frames"] == num_frames
    info, _, frames = read_all(out)
    assert (info.width, info.height, round(info.fps)) == (SIDE, SIDE, 25)
    assert len(frames) == num_frames
    assert bool(inspect_file(out).sound) == has_sound


def test_the_sound_of_a_driving_video_that_begins_late_stays_with_its_pictures(
    inputs: Inputs, tmp_path: Path
) -> None:
    """Half a second of noise from 0.4 s on, in a video of a second."""
    video, out = tmp_path / "driver.mp4", tmp_path / "out.mp4"
    late = ("-itsoffset", "0.4", "-i", inputs.audio)
    run_ffmpeg("-i", inputs.video, *late, "-c:v", "copy", "-c:a", "aac", video)
    result = synthesize(inputs, out, video=video)
    assert result.exit_code == 0, result.output
    sound = tmp_path / "out.s16"
    num_samples = decode_audio(out, probe(out)[1], sound).num_samples
    assert num_samples == pytest.approx(16_000, abs=500)
    loud = np.flatnonzero(np.abs(read_samples(sound, 0, num_samples)) > 1000) / 16_000
    assert (loud[0], loud[-1]) == pytest.approx((0.4, 0.4 + len(SOUND) / 16_000), abs=0.05)


def save_directions(inputs: Inputs, path: Path, **changes: Any) -> Path:
    torch.manual_seed(0)
    known = {
        "names": ("smile",),
        "vectors": torch.randn(1, 10, 512),
        "means": (0.0,),
        "deviations": (1.0,),
        "correlations": (0.5,),
        "prior": hash_file(inputs.prior),
    }
    Directions(**(known | changes)).save(path)
    return path


def test_an_edit_changes_every_frame(inputs: Inputs, tmp_path: Path) -> None:
    directions = save_directions(inputs, tmp_path / "directions.pt")
    films = []
    for name, edit in (
        ("plain", ()),
        ("edited", ("--edit", "smile=4", "--directions", directions)),
    ):
        out = tmp_path / f"{name}.mp4"
        result = synthesize(inputs, out, *edit, audio=inputs.audio)
        assert result.exit_code == 0, result.output
        films.append(read_all(out)[2])
    away = [np.abs(one.astype(int) - other).mean() for one, other in zip(*films, strict=True)]
    assert min(away) > 0.2
    assert max(away) < 2 * min(away)


def test_optimised_maps_draw_a_picture_that_is_nearer(inputs: Inputs) -> None:
    """That it was drawn from: by more than a tenth of the square error in 20 steps."""
    model = open_model(inputs.model, makes="reenactments")
    picture = align_portrait(inputs.image, model.size).picture
    errors = [
        float(
            (model.enter(picture, optimise=steps).shown - to_tensor(picture[None])).square().mean()
        )
        for steps in (0, 20)
    ]
    assert errors[1] < 0.9 * errors[0]


def test_an_optimised_picture_speaks_and_none_is_edited_as_well(
    inputs: Inputs, tmp_path: Path
) -> None:
    out = tmp_path / "out.mp4"
    result = synthesize(inputs, out, "--optimise", 2, audio=inputs.audio)
    assert result.exit_code == 0, result.output
    assert "2 steps towards the picture" in result.stderr
    assert len(read_all(out)[2]) == 12
    edit = ("--edit", "smile=1", "--directions", "d.pt", "--optimise", 2)
    result = synthesize(inputs, tmp_path / "no.mp4", *edit, audio=inputs.audio)
    assert result.exit_code == 2
    assert "leave out --edit or --optimise" in result.stderr


# --- input that is bad --------------------------------------------------------------------------


def test_a_face_that_is_tiny_or_one_of_two_is_refused_in_a_line(
    inputs: Inputs, tmp_path: Path
) -> None:
    pictures = {
        "the face is too small": np.asarray(Image.fromarray(load_face()).resize((64, 64))),
        "several faces in its one picture": draw_scene((0, 30, 190), (200, 30, 190)),
    }
    for message, picture in pictures.items():
        Image.fromarray(picture).save(tmp_path / "face.png")
        out = tmp_path / "out.mp4"
        result = synthesize(inputs, out, image=tmp_path / "face.png", audio=inputs.audio)
        assert result.exit_code == 1
        assert message in result.stderr
        assert not out.exists()


def test_silence_moves_a_picture_and_says_so(inputs: Inputs, tmp_path: Path) -> None:
    audio = write_wav(tmp_path / "silence.wav", np.zeros(16000 // 25 * 12, np.int16))
    with pytest.warns(UserWarning, match="lips move as the model makes them"):
        result = synthesize(inputs, tmp_path / "out.mp4", audio=audio)
    assert result.exit_code == 0, result.output
    assert len(read_all(tmp_path / "out.mp4")[2]) == 12


def test_a_driver_that_shows_a_face_in_half_of_its_length_drives_with_a_warning(
    inputs: Inputs, tmp_path: Path
) -> None:
    """Frames behind its last face are as that one; the video is as long as the driver."""
    frames = read_all(inputs.video)[2]
    half = tmp_path / "half.mp4"
    write_video(half, [*frames[:15], *([np.zeros_like(frames[0])] * 15)], fps=30)
    with pytest.warns(UserWarning, match=r"no face is seen in 0\.\d s of 1\.0 s"):
        driver = measure_driver(half)
    assert len(driver) == 25
    assert np.ptp(driver.points[14:], axis=0).max() == 0
    assert np.isfinite(driver.expression).all()


def test_weights_of_another_size_are_refused_in_a_line(inputs: Inputs, tmp_path: Path) -> None:
    content = load_checkpoint(inputs.model)
    content["model"]["networks"]["audio"] = create_audio_motion("paper").state_dict()
    save_checkpoint(tmp_path / "other.pt", content)
    result = synthesize(
        inputs, tmp_path / "out.mp4", model=tmp_path / "other.pt", audio=inputs.audio
    )
    assert result.exit_code == 1
    assert "the weights of its audio network do not fit" in result.stderr


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "give --audio, --video or both"),
        ({"audio": "a.wav", "edit": "smile=1"}, "--edit and --directions go together"),
        ({"audio": "a.wav", "at-net": "x.pt"}, "--at-net is no option of --system styleheat"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    inputs: Inputs, tmp_path: Path, given: dict[str, object], message: str
) -> None:
    result = synthesize(inputs, tmp_path / "out.mp4", **given)
    assert result.exit_code == 2
    assert message in result.stderr


def test_other_systems_need_sound(tmp_path: Path) -> None:
    for system in ("facial", "cascaded", "atvg"):
        words = ["synthesize", "--system", system, "--out", str(tmp_path / "out.mp4")]
        result = CliRunner().invoke(main, words)
        assert result.exit_code == 2
        assert "give --audio" in result.stderr


def test_models_of_other_measurements_and_directions_of_another_prior_are_refused(
    inputs: Inputs, tmp_path: Path
) -> None:
    backends = inputs.driver.backends
    other = save_stage(
        tmp_path / "deng.pt", inputs.prior, backends=backends | {"coefficients": "deng 1"}
    )
    result = synthesize(inputs, tmp_path / "out.mp4", model=other, video=inputs.video)
    assert result.exit_code == 1
    assert "knows coefficients by deng 1, but videos are measured by embedded" in result.stderr
    directions = save_directions(inputs, tmp_path / "directions.pt", prior="0" * 64)
    edit = ("--edit", "smile=1", "--directions", directions)
    result = synthesize(inputs, tmp_path / "out.mp4", *edit, audio=inputs.audio)
    assert result.exit_code == 1
    assert "directions of another prior" in result.stderr
    assert not (tmp_path / "out.mp4").exists()


def test_rows_go_forwards_then_backwards() -> None:
    assert go_to_and_fro(4, 9).tolist() == [0, 1, 2, 3, 2, 1, 0, 1, 2]
    assert go_to_and_fro(1, 3).tolist() == [0, 0, 0]


def test_frames_without_a_face_are_as_the_nearest_with_one() -> None:
    seen = np.array([False, True, False, False, True, False])
    assert find_nearest(seen).tolist() == [1, 1, 1, 4, 4, 4]
