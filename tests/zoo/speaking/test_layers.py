"""Heads with an alpha over their source: arithmetic by hand, and discs that leave no double."""

from dataclasses import replace

import numpy as np
import pytest

from tests.datasets import CROP, FakeClip, write_dataset
from toolkit.media.encode import write_video
from zoo.data import mattes
from zoo.data.frames import load_render_clips
from zoo.speaking import plate as plates
from zoo.speaking.compose import Pasting
from zoo.speaking.plate import MASK_SIDE, Plate, average_background, show_crops
from zoo.speaking.scene import Scene, swing

WIDTH, HEIGHT, NUM_FRAMES, SIZE = 160, 120, 12, 64


def flat(level, width=WIDTH, height=HEIGHT, channels=3):
    return np.full((height, width, channels), level, np.uint8)


# --- arithmetic ---------------------------------------------------------------------------------


def test_a_plate_is_the_mean_of_what_is_seen_without_the_person():
    """Of 100 and 200: both seen; the first hidden; half of the first; all hidden, filled."""
    masks = [np.float32([[0, 1, 0.5, 1]]), np.float32([[0, 0, 0, 1]])]
    pictures = [flat(100, 4, 1), flat(200, 4, 1)]
    pictures[1][0, 2] = 160
    found = average_background(zip(pictures, masks, strict=True))
    assert found[0, :3, 0].tolist() == [150, 200, 140]  # (0.5 · 100 + 160) / 1.5
    assert found[0, 3, 0] == pytest.approx(140, abs=60)


def test_a_hole_is_filled_from_around_it():
    mask = np.zeros((20, 20), np.float32)
    mask[5:15, 5:15] = 1
    found = average_background([(np.where(mask[..., None] > 0, 255, flat(60, 20, 20)), mask)])
    np.testing.assert_allclose(found, 60, atol=3)


def test_what_is_hidden_everywhere_is_black():
    mask = np.ones((8, 8), np.float32)
    assert (average_background([(flat(90, 8, 8), mask)]) == 0).all()


def test_a_head_is_laid_over_the_plate_over_the_picture():
    """Picture 100, plate 50, head 200: half a person leaves 75; a quarter of the head 106.25."""
    pasting = Pasting((20, 30, 80, 90), (WIDTH, HEIGHT))
    drawn = flat(200, 60, 60, 4)
    drawn[..., 3] = 64
    person = np.full((60, 60), 0.5, np.float32)
    laid = pasting.lay(flat(100), drawn, flat(50, 60, 60), person)
    assert (np.abs(laid[36:84, 26:74].astype(float) - (75 + 125 * 64 / 255)) <= 1).all()
    outside = np.ones((HEIGHT, WIDTH), bool)
    outside[30:90, 20:80] = False
    assert (laid[outside] == 100).all()


def test_beside_the_head_there_is_no_border():
    """With neither head nor person the picture stays, whatever colours and plate are."""
    pasting = Pasting((20, 30, 80, 90), (WIDTH, HEIGHT))
    drawn = flat(200, 32, 32, 4)
    drawn[..., 3] = 0
    nothing = np.zeros((8, 8), np.float32)
    laid = pasting.lay(flat(100), drawn, flat(50, 32, 32), nothing)
    assert (laid == 100).all()


def test_scaling_a_heads_edge_leaves_no_fringe():
    """A white head that ends in the middle of its square, over white, with a black plate."""
    pasting = Pasting((0, 0, 120, 120), (WIDTH, HEIGHT))
    drawn = flat(255, 30, 30, 4)
    drawn[:, 15:, 3] = 0
    nothing = np.zeros((8, 8), np.float32)
    laid = pasting.lay(flat(255), drawn, flat(0, 30, 30), nothing)
    assert laid.min() >= 252


def test_a_head_that_leaves_its_square_fades_as_a_square_does():
    pasting = Pasting((20, 30, 80, 90), (WIDTH, HEIGHT))
    drawn = flat(200, 60, 60, 4)
    drawn[..., 3] = 255
    person = np.ones((60, 60), np.float32)
    laid = pasting.lay(flat(100), drawn, flat(100, 60, 60), person)
    square = pasting.paste(flat(100), drawn[..., :3])
    assert np.abs(laid.astype(int) - square).max() <= 1


# --- a disc as a head ---------------------------------------------------------------------------

DISC = np.uint8([230, 30, 30])

CODED = 25
"""Levels by which coding changes colours beside a disc; one too many would be 170."""


def draw_gradient():
    """Blue rises to the right, green downwards; red is 60."""
    picture = flat(60)
    picture[..., 2] = np.linspace(40, 200, WIDTH).astype(np.uint8)
    picture[..., 1] = np.linspace(40, 200, HEIGHT).astype(np.uint8)[:, None]
    return picture


def measure_disc(x, y, radius=14):
    """Distance of pixels from a disc's rim, px, below 0 in it."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    return np.hypot(columns - x, rows - y) - radius


def draw_disc(x, y):
    picture = draw_gradient()
    picture[measure_disc(x, y) < 0] = DISC
    return picture


def cut(picture):
    """The crop, at SIZE px."""
    import cv2

    x0, y0, x1, y1 = CROP
    return cv2.resize(picture[y0:y1, x0:x1], (SIZE, SIZE), interpolation=cv2.INTER_AREA)


@pytest.fixture
def clip(tmp_path, monkeypatch):
    """A disc goes 3 px to the right and back over a gradient; its matte is what is red."""
    import simplejpeg

    x = 30 + np.minimum(np.arange(NUM_FRAMES), NUM_FRAMES - np.arange(NUM_FRAMES)) / 2
    frames = [draw_disc(place, 40) for place in x]
    jpegs = [simplejpeg.encode_jpeg(np.ascontiguousarray(cut(f)), quality=95) for f in frames]
    monkeypatch.setattr(
        mattes,
        "measure_matte",
        lambda picture: (picture[..., 0] > 150).astype(np.float32),
    )
    pose = np.zeros((NUM_FRAMES, 6), np.float32)
    pose[:, 3], pose[:, 5] = x, 600
    arrays = {"video/source_time": np.arange(NUM_FRAMES) / 30, "face/model_pose": pose}
    source = tmp_path / "data" / "videos" / "ann.mp4"
    source.parent.mkdir(parents=True)
    write_video(source, frames, fps=30)
    fake = FakeClip(num_frames=NUM_FRAMES, arrays=arrays, jpegs=jpegs)
    shards = write_dataset(tmp_path / "data", {"j": [fake]}, frame_size=SIZE) / "shards"
    (found,) = load_render_clips(shards, identity="ann")
    return found, shards


def draw_head(x, y):
    """A disc with an alpha, as a generator gives it; its colours go on beside it."""
    alpha = flat(0)
    alpha[measure_disc(x, y) < 0] = 255
    return np.dstack([np.broadcast_to(DISC, (SIZE, SIZE, 3)), cut(alpha)[..., 0]])


def test_a_moved_head_leaves_no_second_one(clip):
    """33 px beside and 22 below the clip's own, over the source and over the crop alone."""
    clip, shards = clip
    drawn = [draw_head(66 + t, 62) for t in range(NUM_FRAMES)]
    shown = list(Scene(clip, shards, "source").show(iter(drawn), NUM_FRAMES, clip.model_pose))
    crops = list(Scene(clip, shards, "crop").show(iter(drawn), NUM_FRAMES))
    for t, (whole, crop) in enumerate(zip(shown, crops, strict=True)):
        expected = draw_disc(66 + t, 62)
        rim = np.abs(measure_disc(66 + t, 62)) < 4
        away = np.abs(whole.astype(int) - expected).max(axis=2)
        assert away[~rim].max() <= CODED
        away = np.abs(crop.astype(int) - cut(expected)).max(axis=2)
        assert away[cut(rim.astype(np.uint8) * 255) == 0].max() <= CODED


def test_a_head_in_its_own_place_lies_over_its_own_frames(clip, monkeypatch):
    """Where nothing is drawn and no plate is needed, the source is shown as it ran."""
    clip, shards = clip
    monkeypatch.setattr(Plate, "find_person", lambda self, t: np.zeros((8, 8), np.float32))
    nothing = [np.zeros((SIZE, SIZE, 4), np.uint8)] * 5
    shown = Scene(clip, shards, "source").show(iter(nothing), 5, clip.model_pose[3:8])
    for t, picture in enumerate(shown, 3):
        x = 30 + min(t, NUM_FRAMES - t) / 2
        rim = np.abs(measure_disc(x, 40)) < 3
        away = np.abs(picture.astype(int) - draw_disc(x, 40)).max(axis=2)
        assert away[~rim].max() <= CODED


def test_the_persons_place_is_measured_where_no_measured_head_is_near(clip, monkeypatch):
    """Of heads 0, 2, 5 and 9 px right of the first, the third is near neither end: 5 and 4 px."""
    clip, _ = clip
    pose = np.zeros((4, 6))
    pose[:, 5] = 600
    pose[:, 3] = np.array([0, 2, 5, 9]) * 600 / (4 * clip.camera.intrinsics[0])
    monkeypatch.setattr(plates, "NUM_SAMPLES", 2)
    plate = Plate(replace(clip.take(0, 4), model_pose=pose))
    seen = []
    read = type(clip).read_frame
    monkeypatch.setattr(type(clip), "read_frame", lambda self, t: seen.append(t) or read(self, t))
    found = [plate.find_person(t) for t in (0, 1, 2, 2, 3)]
    assert seen == [2]
    assert found[0].shape == (MASK_SIDE, MASK_SIDE)
    assert found[0] is found[1]
    assert found[2] is found[3]
    assert len({id(mask) for mask in found}) == 3


def test_outside_of_the_picture_a_crop_is_black(clip):
    """Whatever was drawn there."""
    clip, _ = clip
    inside = np.ones((SIZE, SIZE), bool)
    inside[:9] = False
    (shown,) = show_crops(replace(clip, inside=inside), iter([draw_head(30, 8)]))
    assert (shown[:9] == 0).all()
    assert shown[9:].min() > 0


def test_squares_are_shown_as_they_are(clip):
    clip, _ = clip
    square = flat(77, SIZE, SIZE)
    (shown,) = show_crops(clip, iter([square]))
    assert shown is square


def test_a_plate_reads_no_more_frames_than_it_needs(clip, monkeypatch):
    clip, _ = clip
    monkeypatch.setattr(plates, "NUM_SAMPLES", 3)
    seen = []
    measure = Plate._measure
    monkeypatch.setattr(Plate, "_measure", lambda self, t: seen.append(t) or measure(self, t))
    Plate(clip)
    assert seen == [0, 6, 11]


def test_frames_swing():
    assert swing(4, 9).tolist() == [0, 1, 2, 3, 2, 1, 0, 1, 2]
    assert swing(4, 2).tolist() == [0, 1]
    assert swing(1, 3).tolist() == [0, 0, 0]
