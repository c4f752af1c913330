"""Files of the released FACIAL code: read as its training reads them; its camera, by projection."""

import pickle
import wave
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.datasets import FakeClip, write_dataset
from toolkit.dataset.shard import ShardReader
from toolkit.errors import ShardError
from toolkit.export.facial import export_facial, make_windows
from toolkit.export.options import FacialOptions
from toolkit.facemodel.camera import project
from toolkit.facemodel.official import official_pose


@pytest.fixture(scope="module")
def folder(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("facial") / "out"
    with pytest.warns(UserWarning, match="scores are log_prob"):
        export_facial(dataset, out, FacialOptions())
    return out


def test_the_released_training_finds_its_files_and_columns(
    dataset: Path, folder: Path, clips: list[FakeClip]
) -> None:
    shard = ShardReader(dataset / "shards" / "j.h5")
    for index, clip in enumerate(clips[:2]):
        with (folder / "audio" / f"{clip.id}.pkl").open("rb") as file:
            audio = pickle.load(file, encoding="iso-8859-1")
        face = np.load(folder / "params" / f"{clip.id}.npz")["face"]
        au45 = pd.read_csv(folder / "openface" / f"{clip.id}.csv")[" AU45_r"].to_numpy()
        assert audio.shape == (clip.num_frames, 16, 29) and audio.dtype == np.float64
        np.testing.assert_array_equal(audio[:, 8], shard.read("audio/deepspeech", index))
        np.testing.assert_array_equal(face[:, 7:71], shard.read("face/expression", index))
        np.testing.assert_allclose(au45, clip.arrays["face/au45"], rtol=1e-5)


def test_parameters_are_258_numbers_of_which_the_clips_are_the_same_in_every_frame(
    dataset: Path, folder: Path, clips: list[FakeClip]
) -> None:
    shard = ShardReader(dataset / "shards" / "j.h5")
    face = np.load(folder / "params" / f"{clips[1].id}.npz")["face"]
    assert face.shape == (20, 258) and (face[:, 6] == 1).all()
    for t in (0, 19):
        np.testing.assert_array_equal(face[t, 71:151], shard.read("clips/identity_coefficients", 1))
        np.testing.assert_array_equal(face[t, 151:231], shard.read("clips/texture_coefficients", 1))
    np.testing.assert_array_equal(face[:, 231:], shard.read("face/illumination", 1))


def test_motion_has_the_official_layout(folder: Path, clips: list[FakeClip]) -> None:
    motion = np.load(folder / "motion" / f"{clips[0].id}.npz")["face"]
    params = np.load(folder / "params" / f"{clips[0].id}.npz")["face"]
    assert motion.shape == (12, 71)
    np.testing.assert_array_equal(motion[:, 6], clips[0].arrays["face/au45"])
    same = np.delete(motion, 6, 1), np.delete(params[:, :71], 6, 1)
    np.testing.assert_allclose(*same, rtol=1e-9, atol=1e-9)  # matrix products may round otherwise


def test_sound_is_the_clips(dataset: Path, folder: Path, clips: list[FakeClip]) -> None:
    with wave.open(str(folder / "wav" / f"{clips[0].id}.wav")) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16000, 1, 2)
        pcm = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    np.testing.assert_array_equal(pcm, ShardReader(dataset / "shards/j.h5").read("audio/pcm", 0))


def test_pictures_are_the_frames_at_512_px_numbered_from_1(
    dataset: Path, clips: list[FakeClip], tmp_path: Path
) -> None:
    options = FacialOptions(split="test", pictures=True)
    with pytest.warns(UserWarning, match="scores are log_prob"):
        report = export_facial(dataset, tmp_path, options)
    paths = sorted((tmp_path / "datasets" / clips[2].id / "train_B").iterdir())
    assert [path.name for path in paths] == [f"{t + 1:06d}.jpg" for t in range(15)]
    assert report.num_files == 5 + 15
    for t, path in enumerate(paths):
        picture = simplejpeg.decode_jpeg(path.read_bytes())
        assert picture.shape == (512, 512, 3)
        assert np.abs(picture.astype(int) - 10 * t).max() <= 3  # grey of 10 t, see make_jpegs
    paths[3].unlink()
    with pytest.warns(UserWarning, match="scores are log_prob"):
        assert export_facial(dataset, tmp_path, options).num_kept == 5 + 14


def test_pictures_that_are_not_stored_are_refused_before_anything_is_written(
    tmp_path: Path,
) -> None:
    folder = write_dataset(tmp_path / "set", {"j": [FakeClip()]})
    with pytest.raises(ShardError, match="frame-size"):
        export_facial(folder, tmp_path / "out", FacialOptions(pictures=True))
    assert not (tmp_path / "out").exists()


@settings(max_examples=30)
@given(
    arrays(
        np.float32, st.tuples(st.integers(1, 40), st.just(29)), elements=st.floats(-9, 9, width=32)
    )
)
def test_windows_are_the_16_frames_around_a_frame_with_zeros_beyond(scores: np.ndarray) -> None:
    def frame(t: int) -> np.ndarray:
        return scores[t] if 0 <= t < len(scores) else np.zeros(29)

    expected = [[frame(k + j - 8) for j in range(16)] for k in range(len(scores))]
    np.testing.assert_array_equal(make_windows(scores), expected)


def test_a_head_on_the_axis_has_no_angles_and_its_focal_length_over_its_distance_for_scale() -> (
    None
):
    pose = official_pose([0, 0, 0, 0, 0, 1000], (1500, 1500, 256, 256))
    # 1500 px / 1000 mm, in px/dm; the origin is half a pixel off the centre of pixel (256, 256)
    np.testing.assert_allclose(pose, [0, 0, 0, 150, -0.5, -0.5], atol=1e-6)


def test_a_head_that_looks_down_turns_about_x_by_so_many_degrees() -> None:
    pose = official_pose([0.1, 0, 0, 0, 0, 1000], (1500, 1500, 256, 256))
    np.testing.assert_allclose(pose[:3], [np.degrees(0.1), 0, 0], atol=1e-9)


@given(
    st.tuples(*[st.floats(-0.8, 0.8)] * 3),
    st.tuples(*[st.floats(-200, 200)] * 2),
)
def test_scaled_orthography_draws_what_a_distant_camera_sees(
    angles: tuple[float, ...], place: tuple[float, ...]
) -> None:
    """Vertices by the released renderer's formula, beside the toolkit's projection from 100 m."""
    focal, distance = 2e5, 1e5
    pose = np.array([*angles, *place, distance])
    intrinsics = (focal, focal, 250.0, 270.0)
    rx, ry, rz, s, tx, ty = official_pose(pose, intrinsics)
    points = np.random.default_rng(0).normal(size=(20, 3)) * 0.6  # dm; y up, z to the viewer
    a, b, c = np.radians([rx, ry, rz])
    turn_x = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    turn_y = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    turn_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    drawn = s * (points @ (turn_z @ turn_y @ turn_x).T)[:, :2] + (tx, ty)
    seen = project(points * (100, -100, -100), pose, intrinsics) - 0.5
    np.testing.assert_allclose(drawn[:, 0] + 256, seen[:, 0], atol=1)  # of faces 240 px high
    np.testing.assert_allclose(255 - drawn[:, 1], seen[:, 1], atol=1)


def test_a_dataset_without_coefficients_is_refused_before_anything_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dataset: Path
) -> None:
    original = ShardReader.__init__

    def forget(self: ShardReader, path: Path) -> None:
        original(self, path)
        self.names = tuple(name for name in self.names if name != "face/expression")

    monkeypatch.setattr(ShardReader, "__init__", forget)
    with pytest.raises(ShardError, match="--coefficients not none"):
        export_facial(dataset, tmp_path / "out", FacialOptions())
    assert not (tmp_path / "out").exists()
