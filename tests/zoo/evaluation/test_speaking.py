"""Videos of people who were made to speak: the file, and the mouth in it."""

from pathlib import Path

import numpy as np

from tests.datasets import FakeClip, write_dataset
from tests.numbered import make_tone, write_wav
from toolkit.clock import frame_to_sample
from toolkit.media.encode import Sound, write_video
from toolkit.mesh import EYE_CORNERS, LIP_MIDDLES
from zoo.data.frames import load_render_clips
from zoo.evaluation.speaking import SpokenClip, check_video, list_mouths

FPS = 30


def make_mouths(num_frames):
    """Landmarks whose mouth is open by as many px as the frame's number, eyes 50 px apart."""
    meshes = np.zeros((num_frames, 478, 3), np.float32)
    (right, left), (upper, lower) = EYE_CORNERS, LIP_MIDDLES
    meshes[:, left, 0] = 50
    meshes[:, right, 0] = 0
    meshes[:, upper], meshes[:, lower] = (20, 80, 0), (20, 80, 0)
    meshes[:, lower, 1] += np.arange(num_frames)
    return meshes


def load_mouth(folder, **more):
    """The only clip, of a dataset."""
    clip = FakeClip(arrays={"face/landmarks": make_mouths(more["num_frames"])}, **more)
    write_dataset(folder, {"j": [clip]}, frame_size=32)
    (loaded,) = load_render_clips(folder, identity="ann")
    return loaded


def test_sound_and_mouth_of_a_part_of_a_clip_belong_together(tmp_path):
    """Frames 10 to 19 of a clip that begins at frame 7 of its source."""
    clip = load_mouth(tmp_path, num_frames=40, start_frame=7)
    part = SpokenClip.of(clip.take(10, 20))
    np.testing.assert_allclose(part.opening, np.arange(10, 20) / 50, rtol=1e-6)
    first, last = (frame_to_sample(t, FPS) - frame_to_sample(7, FPS) for t in (17, 27))
    pcm = clip.reader.read("audio/pcm", clip.index)
    np.testing.assert_array_equal(part.pcm, pcm[first:last])


def test_the_video_stands_where_its_face_was_found(tmp_path):
    """A video of 30 frames with a face in frames 6 to 25; the sound is loud in its second half."""
    load_mouth(tmp_path, num_frames=20, start_frame=6)
    pcm = np.repeat([0, 16384], 8000).astype(np.int16)
    rows = list_mouths([SpokenClip(pcm, np.arange(31.0))], tmp_path, FPS)
    level, real, drawn = rows.values()
    np.testing.assert_allclose(level, np.repeat([-120, 20 * np.log10(0.5)], 15), atol=1e-4)
    np.testing.assert_array_equal(real, np.arange(30))
    np.testing.assert_allclose(drawn[6:26], np.arange(20) / 50, rtol=1e-6)
    assert np.isnan(np.delete(drawn, range(6, 26))).all()


def test_a_videos_length_and_streams_are_read_from_the_file(tmp_path: Path):
    """One second and a half is 45 frames; a video of 44 shows it."""
    audio = write_wav(tmp_path / "a.wav", make_tone(1.5, 16_000), 16_000)
    frames = [np.full((64, 96, 3), 90, np.uint8)] * 44
    path = tmp_path / "a.mp4"
    write_video(path, frames, fps=FPS, sound=Sound(audio, 44 / FPS), comment="synthetic: so")
    row = check_video(path, audio, FPS)
    assert (row["frames asked for"], row["frames"]) == (45, 44)
    assert row["picture"] == "h264 yuv420p 96 × 64"
    assert (row["sound"], row["note"]) == ("aac", "synthetic")
