"""How drawn videos are measured: by hand-computed cases."""

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.datasets import FakeClip, write_dataset
from tests.numbered import make_tone, write_wav
from tests.results.eyes import measure_depth, score_lids
from tests.results.figures import average_blocks
from tests.results.people import _divide
from tests.results.reenactment import DRAWN, NEAREST, judge_minutes, judge_rows, score_blinks
from tests.results.sheet import COLUMNS, SIDE, TITLE, pick, write_sheet
from tests.results.shown import align_meshes, find_nearest, find_open_eyes, look_at, measure_au45
from tests.results.spoken import Heard, check_film, list_mouths
from tests.results.stages import StageLog
from toolkit.clock import frame_to_sample
from toolkit.media.encode import Sound, write_video
from zoo.data.frames import load_render_clips

FPS = 30


# --- the nearest training frame -----------------------------------------------------------------


def make_motion(pose, expression, valid=None):
    """A clip in which only the first number of pose and expression changes."""
    n = len(pose)
    motion = SimpleNamespace(
        model_pose=np.zeros((n, 6), np.float32),
        expression=np.zeros((n, 64), np.float32),
        valid=np.ones(n, bool) if valid is None else np.array(valid),
    )
    motion.model_pose[:, 0], motion.expression[:, 0] = pose, expression
    return motion


def test_pose_and_expression_weigh_alike_however_many_numbers_they_have():
    """Deviations are 1 and 5. From (1.8, 0.5): (0, 0) is 1.8²/6 + 0.1²/64 = 0.54 away, (2, 10)
    0.2²/6 + 1.9²/64 = 0.06; were the numbers added up, the first would be nearer.
    """
    trained = [make_motion([0], [0]), make_motion([2], [10])]
    assert find_nearest(trained, make_motion([1.8, 0.0], [0.5, 1.0])) == [(1, 0), (0, 0)]


def test_a_frame_that_was_not_measured_is_not_shown():
    trained = [make_motion([0, 1, 2], [0, 5, 10], valid=[True, False, True])]
    assert find_nearest(trained, make_motion([1.1], [5.5])) == [(0, 2)]


# --- meshes and pictures ------------------------------------------------------------------------


def make_meshes(num_frames, apertures):
    """Meshes whose eyes are open as told: a share of the eyes' width."""
    from toolkit.features.blink import EYES

    rng = np.random.default_rng(0)
    meshes = np.repeat(rng.uniform(50, 200, (1, 478, 3)), num_frames, axis=0)
    for points, middle in EYES:
        a, b, c, d, e, f = points
        meshes[:, a], meshes[:, d] = (100, 100, 0), (140, 100, 0)
        for upper, lower in ((b, f), (c, e), middle):
            meshes[:, upper] = meshes[:, lower] = (120, 100, 0)
            meshes[:, upper, 1] = 100 - 40 * np.asarray(apertures)
    return meshes


def test_au45_of_meshes_is_the_covered_share_of_the_open_eye():
    """Open at 0.3 of the width, closed to a third of that: 5 · 2/3. No face, no number."""
    apertures = np.full(60, 0.3)
    apertures[30:33] = 0.1
    meshes = make_meshes(60, apertures)
    open_eyes = find_open_eyes(meshes)
    np.testing.assert_allclose(open_eyes, 0.3, atol=1e-6)
    meshes[10] = np.nan
    au45 = measure_au45(meshes, FPS, open_eyes)
    assert np.isnan(au45[10])
    np.testing.assert_allclose(au45[31], 10 / 3, atol=0.03)
    np.testing.assert_allclose(np.delete(au45, [10, 30, 31, 32]), 0, atol=1e-3)


def test_no_face_at_all_has_no_au45():
    assert np.isnan(measure_au45(np.full((5, 478, 3), np.nan), FPS, np.full(2, 0.3))).all()


def test_a_moved_turned_and_scaled_mesh_is_put_back():
    rng = np.random.default_rng(0)
    wanted = rng.uniform(0, 200, (3, 478, 2))
    angle = np.deg2rad(20)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    found = 1.3 * wanted @ turn.T + [12, -40]
    np.testing.assert_allclose(align_meshes(found, wanted), wanted, atol=1e-5)


def test_pictures_are_compared_where_they_are_judged_alone():
    """Frames 2 and 3 are 10 and 30 levels off: 28.1 and 18.6 dB, 20 levels in the mean."""
    real = np.full((64, 64, 3), 100, np.uint8)
    clip = SimpleNamespace(num_frames=5, camera=SimpleNamespace(size=64), read_frame=lambda t: real)
    shown = look_at([real + v for v in np.array([90, 0, 10, 30, 90], np.uint8)], clip, slice(2, 4))
    np.testing.assert_allclose(shown.figures["PSNR"], 20 * np.log10([25.5, 8.5]))
    np.testing.assert_allclose(shown.error, 20)
    assert (shown.meshes.shape, shown.judged.shape) == ((5, 478, 3), (2, 478, 3))
    assert np.isnan(shown.meshes).all()  # grey squares have no face


# --- blinks -------------------------------------------------------------------------------------


def make_lids(num_frames, *blinks, height=4.0):
    """AU45 of blinks of five frames about their apexes."""
    au45 = np.zeros(num_frames)
    for apex in blinks:
        au45[apex - 2 : apex + 3] = height * np.array([0.4, 0.8, 1, 0.8, 0.4])
    return au45


def test_blinks_are_matched_within_a_tenth_of_a_second():
    """At 20 and 62 of the source's 20, 60 and 100; that at 140 is nobody's."""
    row = score_blinks([(make_lids(180, 20, 62, 140), make_lids(180, 20, 60, 100))], FPS)
    assert (row["blinks found"], row["of the source's"]) == (3, "2 of 3")
    far = score_blinks([(make_lids(180, 64), make_lids(180, 60))], FPS)
    assert far["of the source's"] == "0 of 1"
    same = make_lids(180, 60)
    assert score_blinks([(same, same)], FPS)["AU45, r"] == pytest.approx(1)


def test_frames_without_a_face_do_not_count_in_the_correlation():
    real = make_lids(90, 20, 60)
    found = real.copy()
    found[40:50] = np.nan
    assert score_blinks([(found, real)], FPS)["AU45, r"] == pytest.approx(1)


def test_the_depth_of_blinks_is_read_where_the_sources_are():
    """Half as deep at 20, two frames late at 60 (full), nothing at 100: (2 + 4 + 0) / 3."""
    found = make_lids(180, 20, height=2.0) + make_lids(180, 62)
    assert measure_depth([found], [make_lids(180, 20, 60, 100)], FPS) == pytest.approx(2)


def test_lids_are_described_by_rate_and_stretches():
    """Ten seconds: two whole stretches of four, three blinks of three frames at half their peak."""
    row = score_lids([make_lids(300, 20, 60, 100)], [make_lids(300, 20, 60, 100)], FPS)
    assert (row["seconds"], row["4-second stretches"], row["blinks found"]) == (10, 2, 3)
    assert row["blinks a second"] == pytest.approx(0.3)
    assert row["seconds a blink"] == pytest.approx(0.1)


def test_errors_are_averaged_over_whole_blocks():
    error = np.zeros((18, 18))
    error[:8, 8:16], error[16:] = 64, 1000
    np.testing.assert_array_equal(average_blocks(error), [[0, 64], [0, 0]])


# --- mouths -------------------------------------------------------------------------------------


def make_mouths(num_frames):
    """Landmarks whose mouth is open by as many px as the frame's number, eyes 50 px apart."""
    from toolkit.dataset.rows import LEFT_EYE, LOWER_LIP, RIGHT_EYE, UPPER_LIP

    meshes = np.zeros((num_frames, 478, 3), np.float32)
    meshes[:, LEFT_EYE, 0] = 50
    meshes[:, RIGHT_EYE, 0] = 0
    meshes[:, UPPER_LIP], meshes[:, LOWER_LIP] = (20, 80, 0), (20, 80, 0)
    meshes[:, LOWER_LIP, 1] += np.arange(num_frames)
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
    part = Heard.of(clip.take(10, 20))
    np.testing.assert_allclose(part.opening, np.arange(10, 20) / 50, rtol=1e-6)
    first, last = (frame_to_sample(t, FPS) - frame_to_sample(7, FPS) for t in (17, 27))
    pcm = clip.reader.read("audio/pcm", clip.index)
    np.testing.assert_array_equal(part.pcm, pcm[first:last])


def test_the_film_stands_where_its_face_was_found(tmp_path):
    """A film of 30 frames with a face in frames 6 to 25; the sound is loud in its second half."""
    load_mouth(tmp_path, num_frames=20, start_frame=6)
    pcm = np.repeat([0, 16384], 8000).astype(np.int16)
    rows = list_mouths([Heard(pcm, np.arange(31.0))], tmp_path, FPS)
    level, real, drawn = rows.values()
    np.testing.assert_allclose(level, np.repeat([-120, 20 * np.log10(0.5)], 15), atol=1e-4)
    np.testing.assert_array_equal(real, np.arange(30))
    np.testing.assert_allclose(drawn[6:26], np.arange(20) / 50, rtol=1e-6)
    assert np.isnan(np.delete(drawn, range(6, 26))).all()


# --- targets, stages, files ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("psnr", "mouth", "met"), [(28.1, 1.0, ["yes", "yes"]), (27.9, 1.1, ["no", "no"])]
)
def test_a_renderer_is_judged_beside_the_nearest_frame(psnr, mouth, met):
    """Two dB more than 26, half of 2 px."""
    drawn, nearest = {"PSNR, dB": psnr, "mouth, px": mouth}, {"PSNR, dB": 26.0, "mouth, px": 2.0}
    assert [row["met"] for row in judge_rows({DRAWN: drawn, NEAREST: nearest})] == met


@pytest.mark.parametrize(
    ("minutes", "starts", "met"), [(44.9, 1, "yes"), (45.1, 1, "no"), (9.0, 2, "no")]
)
def test_the_minutes_of_a_killed_training_do_not_count(minutes, starts, met):
    row = judge_minutes({"minutes": minutes, "starts": starts, "threads": 2})
    assert row["met"] == met


def test_a_stage_is_done_once_and_tells_how_often_it_began(tmp_path):
    log, done = StageLog(tmp_path / "run"), []

    def fail():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        log.run("renderer", fail)
    assert log.tabulate() == []
    for _ in range(2):
        log.run("renderer", lambda: done.append("renderer"))
    log.run("ingest", lambda: done.append("ingest"))
    assert done == ["renderer", "ingest"]
    rows = {row["stage"]: row["starts"] for row in StageLog(tmp_path / "run").tabulate()}
    assert rows == {"renderer": 2, "ingest": 1}


def test_every_sixth_clip_chooses():
    parts = [row["split"] for row in _divide([str(k) for k in range(12)])]
    assert parts == [*["val", *["train"] * 5]] * 2


def test_a_films_length_and_streams_are_read_from_the_file(tmp_path: Path):
    """One second and a half is 45 frames; a video of 44 shows it."""
    audio = write_wav(tmp_path / "a.wav", make_tone(1.5, 16_000), 16_000)
    frames = [np.full((64, 96, 3), 90, np.uint8)] * 44
    path = tmp_path / "a.mp4"
    write_video(path, frames, fps=FPS, sound=Sound(audio, 44 / FPS), comment="synthetic: so")
    row = check_film(path, audio, FPS)
    assert (row["frames asked for"], row["frames"]) == (45, 44)
    assert row["picture"] == "h264 yuv420p 96 × 64"
    assert (row["sound"], row["note"]) == ("aac", "synthetic")


def test_pictures_are_picked_and_no_more_are_drawn():
    asked = []

    def draw():
        for t in range(100):
            asked.append(t)
            yield np.full((2, 2, 3), t, np.uint8)

    assert [int(p[0, 0, 0]) for p in pick(draw(), [3, 7])] == [3, 7]
    assert asked == list(range(8))


def test_a_sheet_has_its_rows_below_one_another(tmp_path: Path):
    def fill(level):
        return [cv2.merge([np.full((256, 256), level, np.uint8)] * 3)] * COLUMNS

    write_sheet({"dark": fill(60), "light": fill(200)}, tmp_path / "s.png")
    sheet = np.asarray(Image.open(tmp_path / "s.png").convert("RGB")).astype(int)
    assert sheet.shape == (2 * (SIDE + TITLE), COLUMNS * SIDE, 3)
    assert np.abs(sheet[TITLE : TITLE + SIDE] - 60).max() < 4
    assert np.abs(sheet[-SIDE:] - 200).max() < 4
