"""A long video of a head that stays as it is drifts nowhere, flickers nowhere, holds nothing."""

import itertools
import tracemalloc

import cv2
import numpy as np
import pytest

from tests.datasets import CROP, FakeClip, write_dataset
from tests.zoo.models.renderer.test_recipe import (
    BEFORE_THE_CROP,
    CPU,
    SIZE,
    make_recipe,
    make_task,
    name_face_model,
)
from toolkit.facemodel.model import DEFAULT_PATH
from toolkit.media.encode import write_video
from toolkit.storage import hash_file
from zoo.data import mattes
from zoo.data.frames import load_render_clips
from zoo.metrics.stillness import measure_flicker, measure_picture_drift
from zoo.models.renderer.model import open_renderer
from zoo.speaking.movement import Movement
from zoo.speaking.scene import Scene
from zoo.speaking.synthesize import show_movement
from zoo.training.checkpoint import save_checkpoint

NUM_SOURCE = 30
"""Frames of the source."""

WIDTH, HEIGHT = 160, 120


def draw_source():
    """A grey head before grey, under a noise of 12 levels in squares of 8 px, new in each frame."""
    rng = np.random.default_rng(0)
    picture = np.full((HEIGHT, WIDTH, 3), 90.0)
    cv2.ellipse(picture, (51, 52), (22, 32), 0, 0, 360, (180, 150, 130), -1)
    for _ in range(NUM_SOURCE):
        noise = rng.normal(0, 12, (HEIGHT // 8, WIDTH // 8, 1)).repeat(8, 0).repeat(8, 1)
        yield (picture + noise).clip(0, 255).astype(np.uint8)


def cut(picture):
    x0, y0, x1, y1 = CROP
    return cv2.resize(picture[y0:y1, x0:x1], (SIZE, SIZE), interpolation=cv2.INTER_AREA)


def measure_head(picture):
    """A matte: the ellipse, wherever it is asked for."""
    matte = np.zeros(picture.shape[:2], np.float32)
    cv2.ellipse(matte, (SIZE // 2, SIZE // 2), (14, 20), 0, 0, 360, 1.0, -1)
    return matte


@pytest.fixture
def scene(tmp_path, monkeypatch):
    """A clip with its source, a renderer that has not learnt yet, and pictures of the source."""
    import simplejpeg

    frames = list(draw_source())
    jpegs = [simplejpeg.encode_jpeg(np.ascontiguousarray(cut(f)), quality=95) for f in frames]
    monkeypatch.setattr(mattes, "measure_matte", measure_head)
    pose = np.tile(np.float32([0, 0, 0, *BEFORE_THE_CROP]), (NUM_SOURCE, 1))
    arrays = {
        "video/source_time": np.arange(NUM_SOURCE) / 30,
        "face/model_pose": pose,
        "face/pose": pose,
        "face/illumination": np.zeros((NUM_SOURCE, 27), np.float32),
    }
    source = tmp_path / "data" / "videos" / "ann.mp4"
    source.parent.mkdir(parents=True)
    write_video(source, frames, fps=30)
    fake = FakeClip(num_frames=NUM_SOURCE, arrays=arrays, jpegs=jpegs)
    data = write_dataset(tmp_path / "data", {"j": [fake]}, frame_size=SIZE)
    name_face_model(data, hash_file(DEFAULT_PATH))
    task = make_task(make_recipe(data, holdout=0.2))
    save_checkpoint(tmp_path / "best.pt", {"kind": "renderer", "model": task.export()})
    (clip,) = load_render_clips(data, identity="ann")
    return clip, data / "shards", open_renderer(tmp_path / "best.pt", CPU)


def show_still(scene, num_frames):
    """Frames of a video whose head stays in one pose and expression."""
    clip, shards, renderer = scene
    still = Movement(
        expression=np.zeros((num_frames, 64)),
        pose=np.repeat(clip.model_pose[:1], num_frames, axis=0),
        au45=np.zeros(num_frames),
    )
    return show_movement(Scene(clip, shards, "source"), renderer, clip, still)


@pytest.mark.parametrize("num_frames", [240, pytest.param(1800, marks=pytest.mark.slow)])
def test_a_still_head_neither_flickers_nor_drifts_and_its_background_as_the_source_alone(
    scene, num_frames
):
    """Skin and background of a video, beside the second of source that is played over and over."""
    clip, shards, _ = scene
    whole = np.zeros((HEIGHT, WIDTH), bool)
    skin, beside, away = whole.copy(), whole.copy(), whole.copy()
    skin[40:64, 42:60] = True  # in the matte
    beside[6:90, 80:98] = True  # in the crop, beyond what surrounds the matte
    away[:, 104:] = True
    played = np.concatenate([np.arange(NUM_SOURCE), np.arange(NUM_SOURCE - 2, -1, -1)])
    own = list(Scene(clip, shards, "source")._source.follow(played))
    regions = {"skin": skin, "beside": beside, "away": away}
    frames = list(show_still(scene, num_frames))
    assert len(frames) == num_frames
    flicker = {name: measure_flicker(frames, region) for name, region in regions.items()}
    noise = {name: measure_flicker(own, region) for name, region in regions.items()}
    assert min(noise.values()) > 3  # a still video would prove nothing beside a still source
    assert flicker["skin"] < 0.05 * noise["skin"]
    assert flicker["beside"] <= 1.02 * noise["beside"]
    assert flicker["away"] <= 1.02 * noise["away"]
    assert measure_picture_drift(frames, skin, 30) < 0.1


def test_a_long_videos_memory_does_not_grow(scene):
    """From the third to the tenth second not by the size of one picture."""
    frames = show_still(scene, 300)
    tracemalloc.start()
    try:
        for _ in itertools.islice(frames, 90):
            pass
        before = tracemalloc.get_traced_memory()[0]
        for _ in frames:
            pass
        after = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert after - before < WIDTH * HEIGHT * 3
