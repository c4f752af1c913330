"""Where a drawn face is shown, and which face of a video it follows."""

from pathlib import Path

import numpy as np
import pytest

from tests.faces import MODEL
from tests.sitters import draw_scene, write_walk
from toolkit.media.encode import write_video
from zoo.data.landmarks import find_rest
from zoo.data.portraits import measure_portraits
from zoo.speaking.video_scene import VideoScene, choose_nearest, cover_face


def test_the_face_is_shown_whole_and_its_surroundings_not() -> None:
    """A square of 40 px about the middle of 100 px: 4 px around it more, soft over some px."""
    points = np.array([(30, 30), (70, 30), (70, 70), (30, 70), (50, 50)], float)
    share = cover_face(points, 100)
    assert share.shape == (100, 100)
    assert share[30:71, 30:71].min() > 0.9
    assert share[:20].max() < 0.01
    assert share[:, 81:].max() < 0.01
    assert share[50, 74] == pytest.approx(0.5, abs=0.15)


def test_the_face_that_was_followed_is_followed() -> None:
    """100 px high; another 40 px away is nearer than half of that, one 80 px away is not."""
    mesh = np.zeros((478, 3), np.float32)
    mesh[:468] = (
        (MODEL.mean_shape - MODEL.mean_shape.mean(axis=0)) * 100 / np.ptp(MODEL.mean_shape[:, 1])
    )
    near, far = mesh + np.float32([40, 0, 0]), mesh + np.float32([80, 0, 0])
    assert choose_nearest([far, near], mesh) is near
    assert choose_nearest([far], mesh) is None
    assert choose_nearest([], mesh) is None
    assert choose_nearest([far, near], None) is far


def test_a_short_take_runs_forwards_and_backwards(tmp_path: Path) -> None:
    video = write_walk(tmp_path / "walk.mp4", num_frames=7, step=4)
    seen = measure_portraits(video)
    assert seen.take is not None
    scene = VideoScene(video, seen.take, find_rest(seen.meshes), 64, 30, 20)
    across = scene.place(0, 20)[:, 27, 0]
    assert np.diff(across[:7]).min() > 0
    assert np.diff(across[6:13]).max() < 0
    assert across[12:19] == pytest.approx(across[:7])
    drawn = ((np.zeros((64, 64, 3), np.uint8), points) for points in scene.place(0, 20))
    assert len(list(scene.show(drawn))) == 20


def test_where_a_face_is_lost_it_moves_on_evenly(tmp_path: Path) -> None:
    """Hidden in three frames of a walk of 2 px a frame."""
    frames = [draw_scene((20 + 2 * k, 30, 240)) for k in range(16)]
    for k in (7, 8, 9):
        frames[k][:, :300] = 128
    write_video(tmp_path / "walk.mp4", frames, fps=30)
    seen = measure_portraits(write_walk(tmp_path / "seen.mp4", num_frames=16))
    assert seen.take is not None
    scene = VideoScene(tmp_path / "walk.mp4", seen.take, find_rest(seen.meshes), 64, 30, 14)
    across = scene.place(0, 14)[:, 27, 0]
    step = 2 * 64 / (seen.take.crop[2] - seen.take.crop[0])
    assert np.diff(across[2:12]) == pytest.approx(step, abs=0.35 * step)
