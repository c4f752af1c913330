"""Videos of people who were made to speak: the file, and the mouth in it."""

from pathlib import Path

import numpy as np

from tests.datasets import FakeClip, write_dataset
from tests.numbered import make_tone, write_wav
from toolkit.clock import frame_to_sample
from toolkit.media.encode import Sound, write_video
from toolkit.mesh import EYE_CORNERS, LIP_MIDDLES
from zoo.data.frames import load_render_clips
from zoo.evaluation import speaking
from zoo.evaluation.speaking import (
    SpokenClip,
    check_video,
    find_pauses,
    list_mouths,
    list_ranges,
    measure_conduct,
)

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


def test_pauses_are_long_enough_silences(monkeypatch):
    """Steps of 512 samples, 32 ms: silent are 20 of them, 0.64 s or 19 frames, then 5, 0.16 s."""
    speech = np.ones(63, bool)
    speech[10:30] = speech[40:45] = False
    monkeypatch.setattr(speaking, "mark_speech", lambda probability: speech)
    pauses = find_pauses(np.zeros(32_000, np.int16), 60, FPS)
    # the middle of frame t is at (t + 0.5) / 30 s: from 0.32 to 0.96 s are those of 10 to 28
    assert np.flatnonzero(pauses).tolist() == list(range(10, 29))


def test_a_heads_range_is_that_of_ten_seconds_at_a_time():
    """Twenty seconds, in whose second half it turns by 6° more: each half has 3°, not 9°."""
    yaw = np.repeat(np.tile([0.0, 9.0], 150), 1)
    pose = np.zeros((600, 6))
    pose[:300, 1] = np.radians(yaw)
    pose[300:, 1] = np.radians(yaw + 6)
    np.testing.assert_allclose(list_ranges(pose, FPS), [3, 3])
    assert len(list_ranges(pose[:40], FPS)) == 1


def test_a_persons_conduct_is_that_of_their_clips(tmp_path, monkeypatch):
    """The mouth opens by a pixel a frame, eyes 50 px apart: the 95th of 100 percents is 94.05."""
    load_mouth(tmp_path, num_frames=100)
    silent = np.zeros(200, bool)
    monkeypatch.setattr(speaking, "mark_speech", lambda probability: silent)
    found = measure_conduct(tmp_path)
    np.testing.assert_allclose(found.wide, 94.05 / 50, rtol=1e-6)
    np.testing.assert_allclose(found.pause_openings, np.arange(100) / 50, rtol=1e-6)
    row = found.describe(found)
    assert row["seconds of pauses"] == 100 / FPS
    assert row["of them with a closed mouth"] == 0.19  # up to 18.81 px
