"""`zoo show`: motion as a video of the mesh, where it is and as long as it is."""

from pathlib import Path

import av
import numpy as np
import pytest
from click.testing import CliRunner

from tests.numbered import find_clicks, make_clicks, write_wav
from toolkit.errors import ToolkitError
from toolkit.facemodel.camera import project
from toolkit.media.audio import read_sound
from toolkit.mesh import CHIN, FOREHEAD, LID_MIDDLES, NUM_LANDMARKS
from zoo.cli import main
from zoo.motion.motion_file import save_motion
from zoo.motion.preview import CAMERA, fit_sound, make_preview, shape_mesh, show_motion


def make_motion(num_frames=20):
    """A head 700 mm before the camera that goes 100 mm to the right and blinks in its midst."""
    motion = np.zeros((num_frames, 71), np.float32)
    motion[:, 69] = 700
    motion[:, 67] = np.linspace(0, 100, num_frames)
    motion[num_frames // 2, 70] = 5
    return motion


def preview(motion):
    return make_preview(motion, 30, np.zeros(0, np.int16), Path("motion.npz"))


def show(*words):
    return CliRunner().invoke(main, ["show", *map(str, words)])


def test_a_motion_file_becomes_a_video_of_its_length_with_the_recording(tmp_path):
    save_motion(tmp_path / "m.npz", make_motion(), 25)
    audio = write_wav(tmp_path / "a.wav", make_clicks(0.8, 16_000, [0.5]), 16_000)
    result = show(tmp_path / "m.npz", "--audio", audio, "--out", tmp_path / "m.mp4")
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{tmp_path / 'm.mp4'}: 20 frames\n"
    with av.open(str(tmp_path / "m.mp4")) as container:
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        assert container.streams.video[0].average_rate == 25
    assert [picture.shape for picture in pictures] == [(848, 768, 3)] * 20
    assert np.abs(pictures[0][:512, :512].astype(int) - pictures[-1][:512, :512]).max() > 50
    assert find_clicks(read_sound(tmp_path / "m.mp4")) == pytest.approx([0.5], abs=0.003)


def test_without_a_recording_there_is_no_sound_and_the_command_says_so(tmp_path):
    save_motion(tmp_path / "m.npz", make_motion(4), 30)
    result = show(tmp_path / "m.npz", "--out", tmp_path / "m.webm")
    assert result.stdout == f"{tmp_path / 'm.webm'}: 4 frames, without sound\n"
    with av.open(str(tmp_path / "m.webm")) as container:
        assert not container.streams.audio
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.npz", "m.webm"]


def test_the_whole_head_is_in_the_picture_in_every_frame_and_moves_as_the_motion_does():
    """100 mm at 700 mm are 100/700 focal lengths to the right, in the scale of the crop."""
    motion = make_motion()
    clip = preview(motion)
    meshes = np.array([clip.scale_landmarks(t, 512) for t in range(20)])
    assert meshes.shape == (20, NUM_LANDMARKS, 2)
    assert meshes.min() > 0
    assert meshes.max() < 512
    scale = 512 / (clip.crop[2] - clip.crop[0])
    moved = meshes[-1].mean(axis=0) - meshes[0].mean(axis=0)
    assert moved == pytest.approx([CAMERA[0] * 100 / 700 * scale, 0], rel=0.02, abs=0.5)
    assert meshes[0, FOREHEAD, 1] < meshes[0, CHIN, 1]
    np.testing.assert_allclose(
        clip.place(project(np.zeros((1, 3)), motion[3, 64:70], CAMERA), 512)[0],
        clip.place_axes(3, 512)[0],
    )


def test_lids_close_with_au45_and_the_face_moves_with_the_expression():
    motion = np.zeros((3, 71), np.float32)
    motion[1, 70], motion[2, 0] = 5, 2
    rest, shut, moved = map(shape_mesh, motion)
    for upper, lower in LID_MIDDLES:
        opening = [np.linalg.norm(mesh[upper] - mesh[lower]) for mesh in (rest, shut)]
        assert opening[1] < 0.3 * opening[0]
    assert np.abs(moved[:468] - rest[:468]).max() > 1
    np.testing.assert_array_equal(rest[CHIN], shut[CHIN])
    widths = [np.linalg.norm(rest[a] - rest[b]) for a, b in ((469, 471), (474, 476))]
    assert widths == pytest.approx([11.7, 11.7])


def test_a_blink_is_found_and_pictures_are_not_missed():
    clip = preview(make_motion())
    assert [blink.apex for blink in clip.blinks] == []  # one frame is too short
    motion = make_motion()
    motion[8:12, 70] = 4
    assert [blink.apex for blink in preview(motion).blinks] == [9]
    assert clip.read_picture(0, 64).shape == (64, 64, 3)


@pytest.mark.parametrize("motion", [np.zeros((0, 71), np.float32), np.zeros((5, 71), np.float32)])
def test_motion_without_frames_or_behind_the_camera_is_refused(motion, tmp_path):
    save_motion(tmp_path / "m.npz", motion, 30)
    with pytest.raises(ToolkitError, match=r"m\.npz: nothing to show: the head is not before"):
        show_motion(tmp_path / "m.npz", tmp_path / "m.mp4")
    assert not (tmp_path / "m.mp4").exists()


def test_a_recording_of_another_length_is_fitted_and_warned_of(tmp_path):
    """Within a frame it is the same recording: motion has whole frames alone."""
    audio = write_wav(tmp_path / "a.wav", make_clicks(1.02, 16_000, [0.5]), 16_000)
    assert len(fit_sound(audio, 30, 30)) == 16_000
    for num_frames in (20, 60):
        with pytest.warns(UserWarning, match=r"has 1\.02 s, the motion .* is it another recording"):
            assert len(fit_sound(audio, num_frames, 30)) == num_frames * 16_000 // 30


def test_what_is_no_motion_and_names_of_no_video_are_one_clear_error(tmp_path):
    (tmp_path / "m.npz").write_text("no motion")
    for out, code, words in (("x.mp4", 1, "m.npz: damaged or no"), ("x.gif", 2, "must end in")):
        result = show(tmp_path / "m.npz", "--out", tmp_path / out)
        assert (result.exit_code, words in result.stderr) == (code, True)
        assert not (tmp_path / out).exists()
